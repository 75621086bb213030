//! Writes associations and trees in the rule language, always with `status draft`, and checks that the text is valid.

use std::collections::BTreeMap;

use compile::plan::{Plan, Status, Tree};
use compile::{Inputs, Scripts, compile};
use diag::{Diagnostic, Sources};
use estate::{Model, Snapshot};
use language::{ast, parse_file};
use project::Project;

use super::associate::Association;
use super::transactions::{Incident, Item, Label, MetricUse, Place, Symptom};
use super::tree::{Node, majority};
use super::words::{KnownNames, condition, question, quoted};

/// A rule that is not written yet.
#[derive(Debug, Clone)]
pub struct Draft {
    pub association: Association,
    /// Joined by `and`.
    pub conditions: Vec<String>,
}

impl Draft {
    /// `None` if the language cannot express one of the items.
    pub fn new(association: Association, incidents: &[Incident], model: &Model) -> Option<Self> {
        let conditions = association.items.iter().map(|item| of_item(item, &association, incidents, model)).collect::<Option<_>>()?;
        Some(Draft { association, conditions })
    }

    /// `TOP` for a single condition, which also states the impact; `MET` for several.
    pub fn prefix(&self) -> &'static str {
        if self.conditions.len() == 1 { "TOP" } else { "MET" }
    }

    /// The block of the rule, below these lines of comment.
    pub fn text(&self, id: &str, comments: &[String]) -> String {
        let Label { kind, fault } = &self.association.label;
        let mut text = comment_lines(comments);
        text.push_str(&format!("{id} {} {{\n", quoted(&self.association.label.to_string())));
        text.push_str(&format!("  given     c: {kind}\n"));
        text.push_str(&format!("  if        {}\n", self.conditions.join("\n            and ")));
        if self.conditions.len() == 1 {
            text.push_str("  then      impact dependents of c\n");
            text.push_str(&format!("  fault     {} at c\n", quoted(fault)));
        } else {
            text.push_str(&format!("  then      fault {} at c\n", quoted(fault)));
        }
        text.push_str("  note      \"Mined from past incidents; review the counter-examples above before activating it\"\n");
        text.push_str("  tags      mined\n  status    draft\n}\n");
        text
    }
}

/// Comment lines. Control characters are replaced, so that a name cannot break out of its line.
fn comment_lines(comments: &[String]) -> String {
    let line = |comment: &String| format!("# {}\n", comment.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>());
    comments.iter().map(line).collect()
}

fn of_item(item: &Item, association: &Association, incidents: &[Incident], model: &Model) -> Option<String> {
    let label = &association.label;
    let shown = association.right.iter().filter_map(|at| incidents.get(*at));
    let roots = shown.flat_map(|one| one.rows.iter().filter(|row| one.label_of(&row.component) == Some(label)));
    let readings: Vec<MetricUse> = roots.filter_map(|row| row.items.get(item).copied().flatten()).collect();
    let kind = match &item.place {
        Place::Under(kind) => kind,
        Place::Itself | Place::Over => &label.kind,
    };
    condition(item, label, model, &KnownNames { readings: &readings, quiet: quiet(incidents, model, kind, &item.symptom) })
}

/// The most extreme value of a metric that is not anomalous, over all incidents.
fn quiet(incidents: &[Incident], model: &Model, kind: &str, symptom: &Symptom) -> Option<f64> {
    let Symptom::Metric { name, high } = symptom else { return None };
    let sides = incidents.iter().flat_map(|one| &one.quiet);
    let values = sides.filter(|((of, metric, side), _)| metric == name && side == high && model.is_a(of, kind)).map(|(_, value)| *value);
    values.reduce(|a, b| if *high { a.max(b) } else { a.min(b) })
}

/// A tree as text, with the meaning of each verdict.
#[derive(Debug, Clone)]
pub struct TreeDraft {
    text: String,
    /// The label of each verdict; `None`: nothing is at fault.
    pub verdicts: BTreeMap<String, Option<Label>>,
    /// The verdict of each end, in the order of the text.
    pub ends: Vec<String>,
}

/// The meaning of the numbers in a tree.
pub struct Legend<'a> {
    pub features: &'a [(String, Symptom)],
    pub classes: &'a [Option<Label>],
    pub incidents: &'a [Incident],
    pub model: &'a Model,
}

impl TreeDraft {
    /// `None` if there is no question, or the language cannot express one of them.
    pub fn new(node: &Node, legend: &Legend<'_>) -> Option<Self> {
        let Node::Ask { .. } = node else { return None };
        let mut draft = TreeDraft { text: String::new(), verdicts: BTreeMap::new(), ends: Vec::new() };
        let mut asked = 0;
        draft.ask(node, legend, &mut asked)?;
        Some(draft)
    }

    /// The block of the tree, below these lines of comment.
    pub fn text(&self, id: &str, comments: &[String]) -> String {
        let title = quoted("Which of the known faults is it?");
        format!("{}{id} {title} {{\n{}  tags   mined\n  status draft\n}}\n", comment_lines(comments), self.text)
    }

    /// Writes a question and its branches, and returns the target for the branch that leads here. Questions are numbered from the root,
    /// yes before no. Recursion is as deep as the tree.
    fn ask(&mut self, node: &Node, legend: &Legend<'_>, asked: &mut usize) -> Option<String> {
        match node {
            Node::Leaf { counts } => {
                let (class, count) = majority(counts)?;
                let label = legend.classes.get(class)?;
                let what = label.as_ref().map_or_else(|| "none of the known faults".to_owned(), ToString::to_string);
                let verdict = format!("{what}: {count} of {} incidents", counts.values().sum::<usize>());
                self.verdicts.insert(verdict.clone(), label.clone());
                self.ends.push(verdict.clone());
                Some(format!("end {}", quoted(&verdict)))
            }
            Node::Ask { feature, yes, no } => {
                *asked += 1;
                let name = format!("q{asked}");
                let (kind, symptom) = legend.features.get(*feature)?;
                let shown = legend.incidents.iter().filter_map(|one| one.shown.get(&(kind.clone(), symptom.clone())));
                let readings: Vec<MetricUse> = shown.copied().flatten().collect();
                let known = KnownNames { readings: &readings, quiet: quiet(legend.incidents, legend.model, kind, symptom) };
                let (asks, auto) = question(kind, symptom, legend.model, &known)?;
                let before = std::mem::take(&mut self.text);
                let yes = self.ask(yes, legend, asked)?;
                let no = self.ask(no, legend, asked)?;
                let below = std::mem::take(&mut self.text);
                let own = format!("  ask {name} {}\n      auto {auto}\n      yes -> {yes}\n      no  -> {no}\n", quoted(&asks));
                self.text = format!("{before}{own}{below}");
                Some(name)
            }
        }
    }
}

/// Drafts parsed once, to be compiled against the estate of each bundle.
pub struct Parsed {
    sources: Sources,
    files: Vec<ast::File>,
    mistakes: Vec<Diagnostic>,
}

impl Parsed {
    /// Each text is a separate file, so that an invalid one does not affect the others.
    pub fn new<'t>(texts: impl IntoIterator<Item = (&'t str, &'t str)>) -> Self {
        let mut parsed = Parsed { sources: Sources::default(), files: Vec::new(), mistakes: Vec::new() };
        for (name, text) in texts {
            let source = parsed.sources.add(name, text);
            let (file, found) = parse_file(&parsed.sources, source);
            parsed.files.push(file);
            parsed.mistakes.extend(found);
        }
        parsed
    }

    /// The plan for an estate, without the texts that have errors.
    pub fn plan(&self, project: &Project, estate: &Snapshot) -> Plan {
        self.compiled(project, estate).0
    }

    fn compiled(&self, project: &Project, estate: &Snapshot) -> (Plan, Vec<Diagnostic>) {
        let inputs = Inputs { sources: &self.sources, estate, files: &self.files, scripts: project.scripts.functions(), cases: None };
        compile(inputs)
    }

    /// Compiled against the project's own estate.
    pub fn checked(&self, project: &Project) -> Checked<'_> {
        let (plan, found) = self.compiled(project, &project.estate);
        Checked { parsed: self, plan, found }
    }
}

/// The drafts that are valid in a project, and the errors of the rest.
pub struct Checked<'p> {
    parsed: &'p Parsed,
    plan: Plan,
    found: Vec<Diagnostic>,
}

impl Checked<'_> {
    /// A tree that is valid.
    pub fn tree(&self, id: &str) -> Option<&Tree> {
        self.plan.trees.get(id)
    }

    /// Why the rule or tree of a file is not a valid draft in this project; `None` if it is.
    pub fn refusal(&self, file: &str, id: &str) -> Option<String> {
        let status = self.plan.rules.get(id).map(|rule| rule.status).or_else(|| self.plan.trees.get(id).map(|tree| tree.status));
        if status == Some(Status::Draft) {
            return None;
        }
        let of_it = |d: &&Diagnostic| d.is_error() && d.place.is_some_and(|place| self.parsed.sources.path(place.source) == file);
        let first = self.parsed.mistakes.iter().chain(&self.found).find(of_it);
        Some(first.map_or_else(|| "it is not a draft".to_owned(), |d| format!("{}: {}", d.code, d.message)))
    }
}
