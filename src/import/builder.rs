//! Collects what a reader finds, and checks it against the model: existing types, allowed relations, no dangling ends.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use diag::{Text, text};
use estate::{AttributeDef, AttributeKind, BUSINESS_LINE, Fills, LabelRules, Member, Model, ROOT_TYPE, State, Tag, Tier, Written};

use super::{Beside, Declared, DeclaredComponent, DeclaredGroup, DeclaredRelation, Imported, Kind, Skipped, Source, tree};

pub(super) struct Builder<'m> {
    kind: Kind,
    model: &'m Model,
    labels: &'m LabelRules,
    /// Of Kubernetes objects that name none.
    namespace: Option<&'m str>,
    components: BTreeMap<String, DeclaredComponent>,
    /// Other components that relations may end at: types by id.
    known: BTreeMap<String, String>,
    /// The ids of these by host.
    hosts: BTreeMap<String, String>,
    /// With the file that declares it.
    relations: BTreeMap<DeclaredRelation, String>,
    groups: BTreeMap<String, (DeclaredGroup, String)>,
    /// Business lines that labels name, with who serves each, and the file.
    lines: BTreeMap<String, BTreeSet<(String, String)>>,
    skipped: BTreeSet<Skipped>,
    /// Files that could not be read, with the reason.
    failed: Vec<(String, Text)>,
}

impl<'m> Builder<'m> {
    pub(super) fn new(kind: Kind, model: &'m Model, beside: Beside<'m>) -> Self {
        let Beside { known, hosts, labels, namespace } = beside;
        Self {
            kind,
            model,
            labels,
            namespace,
            known,
            hosts,
            components: BTreeMap::new(),
            relations: BTreeMap::new(),
            groups: BTreeMap::new(),
            lines: BTreeMap::new(),
            skipped: BTreeSet::new(),
            failed: Vec::new(),
        }
    }

    /// The JSON or YAML documents of a file. What cannot be read is remembered.
    pub(super) fn documents(&mut self, source: &Source) -> Vec<Value> {
        let (documents, problems) = tree::documents(&source.text);
        if documents.is_empty() {
            let problem = problems.into_iter().next().unwrap_or_else(|| text!("the file is empty"));
            self.fail(&source.name, problem);
            return documents;
        }
        for problem in problems {
            self.skip("a document", problem, &source.name);
        }
        documents
    }

    pub(super) fn fail(&mut self, source: &str, problem: impl Into<Text>) {
        self.failed.push((source.to_owned(), problem.into()));
    }

    /// A file that could be read but contains nothing of this kind.
    pub(super) fn fail_foreign(&mut self, source: &str) {
        let problem = text!("this is not `{}` input", self.kind.name());
        self.fail(source, problem);
    }

    /// The first failure, if no file could be read.
    pub(super) fn all_failed(&self, files: usize) -> Option<(String, Text)> {
        if files == 0 {
            return Some((String::new(), text!("no file given")));
        }
        let failed: BTreeSet<&str> = self.failed.iter().map(|(file, _)| file.as_str()).collect();
        if failed.len() < files { None } else { self.failed.first().cloned() }
    }

    pub(super) fn skip(&mut self, what: impl Into<String>, why: impl Into<String>, source: &str) {
        self.skipped.insert(Skipped { what: what.into(), why: why.into(), source: source.to_owned() });
    }

    /// Leaves out that one depends on what a setting of it names. Where no setting does, its name is empty.
    pub(super) fn skip_need(&mut self, id: &str, target: &str, setting: &str, why: &str, source: &str) {
        let setting = if setting.is_empty() { String::new() } else { format!(" (`{setting}`)") };
        self.skip(format!("`{id}` depends_on `{target}`{setting}"), why, source);
    }

    pub(super) fn namespace(&self) -> Option<&'m str> {
        self.namespace
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.components.contains_key(id)
    }

    /// The component that another file of the project declares and that answers at a host, or is called like it.
    pub(super) fn outside(&self, host: &str) -> Option<String> {
        let of_host = || self.hosts.get(host).filter(|id| self.known.contains_key(*id));
        self.known.get_key_value(host).map(|(id, _)| id).or_else(of_host).cloned()
    }

    /// The canonical name of a type, by English or Chinese name.
    pub(super) fn type_named(&self, name: &str) -> Option<String> {
        self.model.find_type(name).map(|t| t.name.clone())
    }

    /// Adds a component; the first one of an id wins.
    pub(super) fn add(&mut self, component: DeclaredComponent, source: &str) {
        if component.id.trim().is_empty() {
            self.skip(format!("a component of type `{}`", component.kind), "it has no id", source);
            return;
        }
        match self.components.get(&component.id) {
            None => {
                self.components.insert(component.id.clone(), component);
            }
            Some(known) if *known == component => {}
            Some(known) => {
                let what = format!("`{}` ({})", component.id, component.kind);
                let why = if known.kind == component.kind {
                    "declared twice; the first is used"
                } else {
                    "another component has this id; the first is used"
                };
                self.skip(what, why, source);
            }
        }
    }

    /// Adds a component with what its labels mean by the mapping of the project; `value` gives the value of each. `serves`: whether it
    /// serves a business line itself.
    pub(super) fn add_labelled(
        &mut self,
        mut component: DeclaredComponent,
        serves: bool,
        value: impl Fn(&Tag) -> Option<String>,
        source: &str,
    ) {
        let said = self.labels.labelled(value);
        for (tag, value) in said.unnamed {
            let what = format!("{tag} of `{}`: `{value}`", component.id);
            self.skip(what, "`values` in `sources.yaml` does not name this value", source);
        }
        for (fills, value) in said.filled {
            match fills {
                Fills::Owner => component.owner = Some(value),
                Fills::Tier => component.tier = Some(value),
                Fills::Environment => component.environment = Some(value),
                Fills::Attribute(name) => drop(component.attributes.insert(name, Written::Text(value))),
                Fills::BusinessLine if serves => {
                    self.lines.entry(value).or_default().insert((component.id.clone(), source.to_owned()));
                }
                Fills::BusinessLine => {}
            }
        }
        self.add(component, source);
    }

    /// The business lines that labels name. Those that nothing declares are declared here.
    fn business_lines(&mut self) {
        for (line, members) in std::mem::take(&mut self.lines) {
            let kind = self.components.get(&line).map(|one| &one.kind).or_else(|| self.known.get(&line)).cloned();
            let foreign = kind.as_ref().filter(|kind| !self.model.is_a(kind, BUSINESS_LINE));
            for (member, source) in members {
                match foreign {
                    Some(kind) => {
                        let why = format!("`{line}` is a `{kind}`, not a business line");
                        self.skip(format!("`{member}` serves `{line}`"), why, &source);
                    }
                    None => self.relate(&member, "serves", &line, &source),
                }
            }
            if kind.is_none() {
                let component = DeclaredComponent { id: line.clone(), kind: BUSINESS_LINE.to_owned(), ..DeclaredComponent::default() };
                self.components.insert(line, component);
            }
        }
    }

    /// Adds a relation; it is checked at the end, when all components are known.
    pub(super) fn relate(&mut self, from: &str, kind: &str, to: &str, source: &str) {
        self.relate_with(from, kind, to, None, source);
    }

    /// The same with how hard it hits.
    pub(super) fn relate_with(&mut self, from: &str, kind: &str, to: &str, effect: Option<State>, source: &str) {
        let (from, kind, to) = (from.to_owned(), kind.to_owned(), to.to_owned());
        let relation = DeclaredRelation { from, kind, to, effect, ..DeclaredRelation::default() };
        self.relations.entry(relation).or_insert_with(|| source.to_owned());
    }

    /// Why the model does not let one component be related to another; both have been added.
    pub(super) fn refusal(&self, from: &str, kind: &str, to: &str) -> Option<String> {
        let (from, kind, to) = (from.to_owned(), kind.to_owned(), to.to_owned());
        self.objection(&DeclaredRelation { from, kind, to, ..DeclaredRelation::default() }, &BTreeMap::new()).err()
    }

    pub(super) fn group(&mut self, group: DeclaredGroup, source: &str) {
        self.groups.entry(group.id.clone()).or_insert_with(|| (group, source.to_owned()));
    }

    pub(super) fn finish(mut self) -> Imported {
        for (file, problem) in std::mem::take(&mut self.failed) {
            self.skip(format!("file `{file}`"), problem, &file);
        }
        self.business_lines();
        for component in std::mem::take(&mut self.components).into_values() {
            let fitted = self.fit(component);
            self.components.insert(fitted.id.clone(), fitted);
        }
        let groups = self.good_groups();
        let relations = self.good_relations(&groups);
        let components = self.components.into_values().collect();
        let declared = Declared { components, relations, groups, ..Declared::default() };
        Imported { declared, skipped: self.skipped.into_iter().collect() }
    }

    /// A component as the model has it: its type, its tier, attributes of the declared kinds.
    fn fit(&mut self, mut component: DeclaredComponent) -> DeclaredComponent {
        match self.type_named(&component.kind) {
            Some(kind) => component.kind = kind,
            None => {
                let what = format!("type `{}` of `{}`", component.kind, component.id);
                self.skip(what, format!("the model has no such type; imported as `{ROOT_TYPE}`"), self.kind.name());
                ROOT_TYPE.clone_into(&mut component.kind);
            }
        }
        if component.name.as_ref() == Some(&component.id) {
            component.name = None;
        }
        let blank = |text: &String| !text.trim().is_empty();
        component.name = component.name.filter(blank);
        component.owner = component.owner.filter(blank);
        component.environment = component.environment.filter(blank);
        if let Some(tier) = component.tier.take().filter(blank) {
            match Tier::parse(tier.trim()) {
                Some(tier) => component.tier = Some(tier.name().to_owned()),
                None => {
                    let what = format!("tier `{tier}` of `{}`", component.id);
                    self.skip(what, "expected `core`, `important`, `general` or `minor`", self.kind.name());
                }
            }
        }
        let model = self.model;
        let given = std::mem::take(&mut component.attributes);
        for (name, value) in given {
            match model.member(&component.kind, &name) {
                Some(Member::Attribute(def)) if value.fits(def) => {
                    component.attributes.insert(name, plain(def, value));
                }
                Some(Member::Attribute(_)) => {
                    let what = format!("attribute `{name}` of `{}`", component.id);
                    self.skip(what, format!("`{value}` does not match the declared kind"), self.kind.name());
                }
                Some(Member::Metric(_)) => {
                    self.skip(format!("attribute `{name}` of `{}`", component.id), "its type has a metric of this name", self.kind.name());
                }
                // Table columns are the user's choice. In other formats, every field beyond the model would be a warning.
                None if self.kind == Kind::Csv => {
                    component.attributes.insert(name, value);
                }
                None => {}
            }
        }
        component
    }

    fn good_groups(&mut self) -> Vec<DeclaredGroup> {
        let mut good = Vec::new();
        for (mut group, source) in std::mem::take(&mut self.groups).into_values() {
            group.members.sort();
            group.members.dedup();
            group.members.retain(|member| self.components.contains_key(member));
            let what = format!("group `{}`", group.id);
            if self.components.contains_key(&group.id) {
                self.skip(what, "a component already has this id", &source);
            } else if group.members.len() < 2 {
                self.skip(what, "it has fewer than two members", &source);
            } else {
                group.need = group.need.clamp(1, group.members.len() as u64);
                good.push(group);
            }
        }
        good
    }

    fn good_relations(&mut self, groups: &[DeclaredGroup]) -> Vec<DeclaredRelation> {
        let groups: BTreeMap<&str, &DeclaredGroup> = groups.iter().map(|group| (group.id.as_str(), group)).collect();
        let mut good: BTreeMap<(String, String, String), DeclaredRelation> = BTreeMap::new();
        for (mut relation, source) in std::mem::take(&mut self.relations) {
            match self.objection(&relation, &groups) {
                Ok(kind) => {
                    relation.kind = kind;
                    let key = (relation.from.clone(), relation.kind.clone(), relation.to.clone());
                    match good.get(&key).and_then(|known| Some((known.effect?, relation.effect?))) {
                        Some((known, effect)) if known != effect => {
                            let what = format!("`{}` {} `{}` with the effect `{}`", key.0, key.1, key.2, effect.name());
                            self.skip(what, format!("declared twice; the effect `{}` is used", known.name()), &source);
                        }
                        Some(_) => {}
                        // What says an effect says more.
                        None if relation.effect.is_some() || !good.contains_key(&key) => drop(good.insert(key, relation)),
                        None => {}
                    }
                }
                Err(why) => {
                    let what = format!("`{}` {} `{}`", relation.from, relation.kind, relation.to);
                    self.skip(what, why, &source);
                }
            }
        }
        good.into_values().collect()
    }

    /// The canonical name of the relation's kind, or why it is not allowed.
    fn objection(&self, relation: &DeclaredRelation, groups: &BTreeMap<&str, &DeclaredGroup>) -> Result<String, String> {
        if relation.from == relation.to {
            return Err("a component cannot have a relation to itself".to_owned());
        }
        let Some(kind) = self.model.find_relation(&relation.kind) else {
            return Err(format!("the model has no relation kind `{}`", relation.kind));
        };
        let ends = |id: &str| -> Result<Vec<&str>, String> {
            if let Some(component) = self.components.get(id) {
                return Ok(vec![component.kind.as_str()]);
            }
            if let Some(kind) = self.known.get(id) {
                return Ok(vec![kind.as_str()]);
            }
            match groups.get(id) {
                Some(group) => Ok(group.members.iter().filter_map(|member| self.components.get(member)).map(|c| c.kind.as_str()).collect()),
                None => Err("one end is neither in the files nor in the project".to_owned()),
            }
        };
        let (starts, stops) = (ends(&relation.from)?, ends(&relation.to)?);
        let allowed = |allowed: &[String], kind: &str| allowed.is_empty() || allowed.iter().any(|one| self.model.is_a(kind, one));
        for start in &starts {
            for stop in &stops {
                if !allowed(&kind.from, start) || !allowed(&kind.to, stop) {
                    return Err(format!("`{}` cannot go from `{start}` to `{stop}`", kind.name));
                }
            }
        }
        Ok(kind.name.clone())
    }
}

/// A value as a person would write it in a file: numbers bare, texts as texts.
fn plain(def: &AttributeDef, value: Written) -> Written {
    match (def.kind, value) {
        (AttributeKind::Number(_), Written::Text(text)) => match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Written::Number(number),
            // With a unit.
            Ok(_) | Err(_) => Written::Text(text.trim().to_owned()),
        },
        (AttributeKind::Text, value) => Written::Text(value.to_string()),
        (AttributeKind::Number(_) | AttributeKind::Bool, value) => value,
    }
}
