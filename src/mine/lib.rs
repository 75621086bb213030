//! Learning by people's leave: frequent combinations of symptoms before a confirmed cause become *proposed* rules and trees.
//!
//! Recordings with a truth (`project::labelled`) are seen from each component that may have caused them (`transactions`).
//! Sets of symptoms that often stand on what broke (`itemsets`, FP-growth) and seldom elsewhere (`associate`) are drafted in the
//! rule language (`words`, `draft`) and run over every recording by the engine (`measure`): what is reported is what the engine
//! found, not what the counts promised. `tree` grows one small decision tree over all faults. `conflicts` holds drafts against the
//! rules that are there. The [`Report`] is a merge request, never a rule: everything has `status draft`, and this module writes
//! no file.
//!
//! What is measured is measured on the incidents from which it was learned, and many combinations were tried: the interval of the
//! confidence makes few incidents look as unsure as they are, but a person must judge.

mod associate;
mod conflicts;
mod draft;
mod itemsets;
mod measure;
mod report;
mod select;
mod transactions;
mod tree;
mod words;

pub use conflicts::{Overlap, Stand};
pub use report::{CounterExample, Covered, Dropped, Evidence, LabelView, Proposal, Report, TreeProposal, listed, percent};

use std::collections::{BTreeMap, BTreeSet};

use associate::{associations, labels};
use conflicts::{Existing, Ids};
use draft::{Draft, Legend, Parsed, TreeDraft};
use measure::{Measured, measure};
use project::{Collected, Labelled, Options, Project, load_bundle};
use select::{Ground, rules, tree_proposal};
use transactions::{Incident, Label, Symptom, incident};
use tree::{Example, grow};

/// What is asked of a proposal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Incidents that must show it. Two may be a coincidence.
    pub min_support: usize,
    /// Of the incidents in which it held, the share that must show it: 0 to 1.
    pub min_confidence: f64,
}

impl Default for Settings {
    /// Three incidents, of which the third confirms what two suggest; and right more than twice as often as wrong.
    fn default() -> Self {
        Settings { min_support: 3, min_confidence: 0.7 }
    }
}

/// The name that the tree has until it is proposed.
const TREE: &str = "TREE-mined";

/// What it is called among what is left out.
const A_TREE: &str = "a decision tree";

/// Learns from recordings. Whatever cannot be used is in the report.
pub fn mine(project: &Project, collected: &Collected, settings: Settings) -> Report {
    let mut skipped: Vec<Dropped> = collected.skipped.iter().map(|(what, why)| Dropped { what: what.clone(), why: why.clone() }).collect();
    let mut recordings: Vec<&Labelled> = Vec::new();
    let mut incidents: Vec<Incident> = Vec::new();
    let mut existing = Existing::default();
    for labelled in &collected.found {
        let bundle = load_bundle(project, &labelled.dir, &labelled.top, Options::default()).map_err(|error| error.message);
        match bundle.and_then(|bundle| Ok((incident(&bundle, labelled)?, bundle))) {
            Ok((one, bundle)) => {
                existing.observe(incidents.len(), &bundle);
                incidents.push(one);
                recordings.push(labelled);
            }
            Err(why) => skipped.push(Dropped { what: labelled.name.clone(), why }),
        }
    }
    skipped.sort();
    let labels = labels(&incidents);
    let (drafts, mut dropped) = drafts(project, &incidents, &labels, settings);
    let enough = labels.values().any(|of| of.len() >= settings.min_support);
    let mut tree = tree_draft(project, &incidents).filter(|_| enough);
    let texts = texts(&drafts, tree.as_ref());
    let parsed = Parsed::new(texts.iter().map(|(id, text)| (id.as_str(), text.as_str())));
    let checked = parsed.checked(project);
    for (id, draft) in &drafts {
        if let Some(why) = checked.refusal(id, id) {
            let what = format!("a draft for {}: {}", draft.association.label, draft.conditions.join(" and "));
            dropped.push(Dropped { what, why: format!("it is no valid rule: {why}") });
        }
    }
    if let Some(why) = tree.as_ref().and_then(|_| checked.refusal(TREE, TREE)) {
        dropped.push(Dropped { what: A_TREE.to_owned(), why: format!("it is no valid tree: {why}") });
        tree = None;
    }
    let claims: BTreeMap<String, Label> = drafts.iter().map(|(id, draft)| (id.clone(), draft.association.label.clone())).collect();
    let paired: Vec<(&Labelled, &Incident)> = recordings.iter().copied().zip(&incidents).collect();
    let measured: Measured = measure(project, &paired, &parsed, &claims, tree.as_ref().map(|_| TREE));
    let ground = Ground { project, incidents: &incidents, labels: &labels, existing: &existing, settings };
    let mut ids = Ids::new(project);
    let mut selected = rules(&ground, &drafts, &measured, &mut ids);
    dropped.append(&mut selected.dropped);
    let tree = tree.and_then(|tree| tree_proposal(&ground, &tree, &measured, &mut ids, &mut dropped));
    dropped.sort();
    Report {
        incidents: incidents.len(),
        healthy: incidents.iter().filter(|one| one.roots.is_empty()).count(),
        min_support: settings.min_support,
        min_confidence: settings.min_confidence,
        labels: label_views(&labels),
        rules: selected.rules,
        tree,
        covered: selected.covered,
        dropped,
        skipped,
        warnings: collected.diagnostics.iter().map(|d| format!("{}: {}", d.code, d.message)).collect(),
    }
}

/// Drafts by a passing name, for every label that enough incidents show.
fn drafts(
    project: &Project,
    incidents: &[Incident],
    labels: &BTreeMap<Label, BTreeSet<usize>>,
    settings: Settings,
) -> (Vec<(String, Draft)>, Vec<Dropped>) {
    let model = project.estate.model();
    let least = settings.min_support.max(1);
    let mut drafts = Vec::new();
    let mut dropped = Vec::new();
    for label in labels.iter().filter(|(_, of)| of.len() >= least).map(|(label, _)| label) {
        let found = associations(incidents, label, model, least);
        if found.is_empty() {
            let why = format!("no combination of symptoms stands on what broke in {least} of its incidents");
            dropped.push(Dropped { what: label.to_string(), why });
        }
        for draft in found.into_iter().filter_map(|association| Draft::new(association, incidents, model)) {
            drafts.push((format!("{}-mined-{}", draft.prefix(), drafts.len() + 1), draft));
        }
    }
    (drafts, dropped)
}

/// The tree over all incidents; `None` where nothing is to be told apart.
fn tree_draft(project: &Project, incidents: &[Incident]) -> Option<TreeDraft> {
    let class_of = |one: &Incident| one.roots.values().next().cloned();
    let classes: Vec<Option<Label>> = incidents.iter().map(class_of).collect::<BTreeSet<_>>().into_iter().collect();
    let features: BTreeSet<&(String, Symptom)> = incidents.iter().flat_map(|one| one.shown.keys()).collect();
    let features: Vec<(String, Symptom)> = features.into_iter().cloned().collect();
    let number_of: BTreeMap<&(String, Symptom), usize> = features.iter().zip(0..).collect();
    let example = |one: &Incident| Example {
        features: one.shown.keys().filter_map(|feature| number_of.get(feature).copied()).collect(),
        class: classes.iter().position(|class| *class == class_of(one)).unwrap_or_default(),
    };
    let examples: Vec<Example> = incidents.iter().map(example).collect();
    let legend = Legend { features: &features, classes: &classes, incidents, model: project.estate.model() };
    TreeDraft::new(&grow(&examples), &legend)
}

/// Each draft as a text of its own, named like it.
fn texts(drafts: &[(String, Draft)], tree: Option<&TreeDraft>) -> Vec<(String, String)> {
    let rules = drafts.iter().map(|(id, draft)| (id.clone(), draft.text(id, &[])));
    rules.chain(tree.map(|tree| (TREE.to_owned(), tree.text(TREE, &[])))).collect()
}

/// The most frequent first.
fn label_views(labels: &BTreeMap<Label, BTreeSet<usize>>) -> Vec<LabelView> {
    let view =
        |(label, of): (&Label, &BTreeSet<usize>)| LabelView { fault: label.fault.clone(), kind: label.kind.clone(), incidents: of.len() };
    let mut views: Vec<LabelView> = labels.iter().map(view).collect();
    views.sort_by(|a, b| b.incidents.cmp(&a.incidents).then_with(|| (&a.fault, &a.kind).cmp(&(&b.fault, &b.kind))));
    views
}
