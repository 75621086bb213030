//! `cases/*/case.yaml`: past incidents, and whether the names in them are those of the estate, the model and the rules.

use std::collections::BTreeSet;
use std::path::Path;

use compile::is_generic;
use diag::{Code, Diagnostic, SourceId, Sources, Text, did_you_mean, nearest, text};
use estate::{Member, Model, Snapshot};
use knowledge::{Case, Mentions, read_case};
use value::fields::Word;

/// The cases of a project, before their names are checked.
pub(super) struct Read {
    cases: Vec<(Case, Mentions)>,
    /// The ids of all cases; `None` if there is no `cases/` folder.
    pub known: Option<BTreeSet<String>>,
}

/// Reads every `cases/*/case.yaml`.
pub(super) fn read(sources: &Sources, files: &[SourceId], root: &Path, diagnostics: &mut Vec<Diagnostic>) -> Read {
    let mut cases = Vec::new();
    for id in files {
        let path = sources.path(*id);
        if path.ends_with("/case.yaml") || path.ends_with("/case.yml") {
            let (case, found) = read_case(sources, *id);
            diagnostics.extend(found);
            cases.extend(case);
        }
    }
    let known = root.join("cases").is_dir().then(|| cases.iter().map(|(case, _)| case.id.clone()).collect());
    Read { cases, known }
}

impl Read {
    /// The cases, with the names of the model for what they call by its Chinese name. What they name and nobody has is reported; the
    /// rest of such a case is used. `rules` are the identifiers of all rules and trees; `None` if there are no rule files.
    pub fn checked(self, estate: &Snapshot, rules: Option<&BTreeSet<&str>>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Case> {
        let mut check = Check { estate, model: estate.model(), diagnostics };
        self.cases
            .into_iter()
            .map(|(mut case, mentions)| {
                check.thin(&case, &mentions);
                check.names(&mentions, rules);
                canonical(&mut case, estate);
                case
            })
            .collect()
    }
}

struct Check<'c> {
    estate: &'c Snapshot,
    model: &'c Model,
    diagnostics: &'c mut Vec<Diagnostic>,
}

impl Check<'_> {
    /// Only warnings: nothing is left out, and what a past case names may be gone since.
    fn names(&mut self, mentions: &Mentions, rules: Option<&BTreeSet<&str>>) {
        if let Some(component) = &mentions.component {
            self.component(component);
        }
        if let Some(kind) = &mentions.kind {
            self.kind(kind);
        }
        for (kind, metric) in &mentions.metrics {
            self.metric(kind, metric);
        }
        for affected in &mentions.affected {
            self.affected(affected);
        }
        if let (Some(rule), Some(rules)) = (&mentions.rule, rules)
            && !rules.contains(rule.text.as_str())
        {
            let help = nearest(&rule.text, rules.iter().copied())
                .map_or_else(|| text!("name the rule that was written for this case, or leave `rule` out"), did_you_mean);
            self.unknown(rule, text!("there is no rule `{}`", rule.text), "not found", help);
        }
    }

    fn unknown(&mut self, word: &Word, message: Text, label: &'static str, help: Text) {
        self.diagnostics.push(Diagnostic::warning(Code::CASE_NAME, word.place, message).label(label).help(help));
    }

    /// Without a topology of its own, a project takes that of each bundle.
    fn has_component(&self, name: &str) -> bool {
        self.estate.is_empty() || self.estate.find_named(name).is_some()
    }

    fn component(&mut self, word: &Word) {
        if self.has_component(&word.text) {
            return;
        }
        let (message, help) = self.estate.why_not_found(&word.text);
        let help = help.unwrap_or_else(|| text!("if it is gone since, leave `component` out and keep its `type`"));
        self.unknown(word, message, "not found", help);
    }

    fn affected(&mut self, word: &Word) {
        if self.model.find_type(&word.text).is_some() || self.has_component(&word.text) {
            return;
        }
        let ids = self.estate.ids().map(|id| self.estate.component(id).id.as_str());
        let help = nearest(&word.text, ids.chain(self.types()))
            .map_or_else(|| text!("if it is gone since, name its type instead, like `service`"), did_you_mean);
        self.unknown(word, text!("`{}` is neither a component of the topology nor a type of the model", word.text), "not found", help);
    }

    /// The names of all types, in both languages.
    fn types(&self) -> impl Iterator<Item = &str> {
        self.model.types.values().flat_map(|def| std::iter::once(def.name.as_str()).chain(def.zh.as_deref()))
    }

    fn kind(&mut self, word: &Word) {
        if self.model.find_type(&word.text).is_some() {
            return;
        }
        let help = nearest(&word.text, self.types()).map_or_else(|| text!("declare it in `topology/model.yaml`"), did_you_mean);
        self.unknown(word, text!("there is no component type `{}`", word.text), "not in the model", help);
    }

    fn metric(&mut self, kind: &Word, metric: &Word) {
        let Some(def) = self.model.find_type(&kind.text) else { return self.kind(kind) };
        let (message, known) = match self.model.member(&def.name, &metric.text) {
            Some(Member::Metric(_)) => return,
            Some(Member::Attribute(_)) => (text!("`{}` is an attribute of `{}`, which does not change", metric.text, kind.text), None),
            None => {
                let metrics = self.model.lineage(&def.name).flat_map(|def| def.metrics.values());
                let names = metrics.flat_map(|known| std::iter::once(known.name.as_str()).chain(known.zh.as_deref()));
                (text!("`{}` has no metric `{}`", kind.text, metric.text), nearest(&metric.text, names))
            }
        };
        let help = known.map_or_else(|| text!("`faultscope help model` prints the metrics of `{}`", kind.text), did_you_mean);
        self.unknown(metric, message, "not in the model", help);
    }

    /// A case that says no more than most incidents do resembles all of them. Its root cause is no symptom.
    fn thin(&mut self, case: &Case, mentions: &Mentions) {
        if !case.metrics.is_empty() {
            return;
        }
        let thin = |place, message: Text, label: &'static str, help: Text| {
            Diagnostic::warning(Code::THIN_CASE, place, message).label(label).help(help)
        };
        match mentions.texts.as_slice() {
            // A rule may recognize it.
            [] if case.rule.is_none() => {
                let help = text!("add `symptoms: {alerts: […], logs: […], metrics: […]}`, or the `rule` that recognizes it");
                self.diagnostics.push(thin(mentions.id, text!("case `{}` has no symptoms", case.id), "resembles no incident", help));
            }
            [only] if is_generic(&only.text) && case.affected.is_empty() => {
                let message = text!("`{}` is all that is known of case `{}`, and most incidents show it", only.text, case.id);
                let help = text!("add what else was seen: another alert or log line in its own words, `metrics`, or what was `affected`");
                self.diagnostics.push(thin(only.place, message, "a generic symptom", help));
            }
            _ => {}
        }
    }
}

/// Ids for components that are called by their names, and the model's own names for types and metrics: by these, incidents are compared.
fn canonical(case: &mut Case, estate: &Snapshot) {
    let model = estate.model();
    let kind = |name: &mut String| {
        if let Some(def) = model.find_type(name) {
            name.clone_from(&def.name);
        }
    };
    let component = |name: &mut String| {
        let found = estate.find_named(name);
        if let Some(id) = found {
            name.clone_from(&estate.component(id).id);
        }
        found.is_some()
    };
    if let Some(root) = &mut case.root {
        if let Some(name) = &mut root.component {
            component(name);
        }
        if let Some(name) = &mut root.kind {
            kind(name);
        }
    }
    for name in &mut case.affected {
        if !component(name) {
            kind(name);
        }
    }
    for metric in &mut case.metrics {
        kind(&mut metric.kind);
        if let Some(Member::Metric(def)) = model.member(&metric.kind, &metric.metric) {
            metric.metric.clone_from(&def.name);
        }
    }
}
