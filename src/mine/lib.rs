//! Mining: turns frequent combinations of symptoms with a confirmed cause into *proposed* rules and trees, for people to review.
//!
//! Each recording with a known cause (`project::labelled`) is described from the view of every component that may have caused it
//! (`transactions`). Sets of symptoms that are frequent at the root cause (`itemsets`, FP-growth) and rare elsewhere (`associate`)
//! are drafted in the rule language (`words`, `draft`). The engine then runs every draft over every recording (`measure`), and the
//! report shows what the engine found, not the counts. `tree` grows one small decision tree over all faults. `conflicts` compares
//! drafts with the existing rules. The [`Report`] is the text of a merge request, never an active rule: everything has
//! `status draft`, and this package writes no files.
//!
//! Drafts are measured on the incidents from which they were learned, and many combinations were tried. The confidence interval
//! shows how uncertain few incidents are, but a person must decide.

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
use knowledge::Unusable;
use measure::{Measured, measure};
use project::{Collected, Labelled, Options, Project, load_bundle};
use select::{Ground, rules, tree_proposal};
use transactions::{Incident, Label, Symptom, incident};
use tree::{Example, grow};
// The package; `words` here are those of rules.
use ::words::Lang;

/// Requirements for a proposal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Number of incidents that must support it. Two may be a coincidence.
    pub min_support: usize,
    /// Of the incidents in which it matched, the share that must support it: 0 to 1.
    pub min_confidence: f64,
}

impl Default for Settings {
    /// Three incidents, since two may be a coincidence; and right more than twice as often as wrong.
    fn default() -> Self {
        Settings { min_support: 3, min_confidence: 0.7 }
    }
}

/// Temporary id of the tree until it is proposed.
const TREE: &str = "TREE-mined";

/// How the tree is listed among the left-out items.
const A_TREE: &str = "a decision tree";

/// Learns from recordings. The report also lists what could not be used.
pub fn mine(project: &Project, collected: &Collected, settings: Settings) -> Report {
    // The text of a merge request is English, like the rules that it proposes.
    let unusable = |(what, why): &(String, Unusable)| Dropped { what: what.clone(), why: Lang::En.unusable(why) };
    let mut skipped: Vec<Dropped> = collected.skipped.iter().map(unusable).collect();
    let mut recordings: Vec<&Labelled> = Vec::new();
    let mut incidents: Vec<Incident> = Vec::new();
    let mut existing = Existing::default();
    for labelled in &collected.found {
        let bundle = load_bundle(project, &labelled.dir, &labelled.top, Options::default()).map_err(|error| error.message.to_string());
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
            dropped.push(Dropped { what, why: format!("it is not a valid rule: {why}") });
        }
    }
    if let Some(why) = tree.as_ref().and_then(|_| checked.refusal(TREE, TREE)) {
        dropped.push(Dropped { what: A_TREE.to_owned(), why: format!("it is not a valid tree: {why}") });
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

/// Drafts with temporary ids, for every label with enough incidents.
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
            let why = format!("no combination of symptoms appears at the root cause in at least {least} of its incidents");
            dropped.push(Dropped { what: label.to_string(), why });
        }
        for draft in found.into_iter().filter_map(|association| Draft::new(association, incidents, model)) {
            drafts.push((format!("{}-mined-{}", draft.prefix(), drafts.len() + 1), draft));
        }
    }
    (drafts, dropped)
}

/// The tree over all incidents; `None` if there is nothing to distinguish.
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

/// Each draft as a separate text under its own id.
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
