//! Measures drafts: the engine runs them over every recording. The item counts only select what is worth trying.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::matcher::{Matcher, Setup};
use engine::{Engine, Walk};
use project::{Bundle, Labelled, Options, Project, load_bundle};

use super::draft::Parsed;
use super::transactions::{Incident, Label};

/// The incidents in which a draft matched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// At a component that broke with this fault.
    pub right: BTreeSet<usize>,
    /// At others, with these.
    pub wrong: BTreeMap<usize, BTreeSet<String>>,
}

/// The results of drafts and of the tree.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// By id of the draft; drafts that matched nowhere are left out.
    pub held: BTreeMap<String, Held>,
    /// The verdict of the tree, by incident; missing if the data do not answer a question.
    pub verdicts: BTreeMap<usize, String>,
}

/// Runs drafts and a tree over the recordings. `labels` has the claim of each draft. A recording that can no longer be loaded is
/// ignored.
pub fn measure(
    project: &Project,
    recordings: &[(&Labelled, &Incident)],
    parsed: &Parsed,
    labels: &BTreeMap<String, Label>,
    tree: Option<&str>,
) -> Measured {
    let mut measured = Measured::default();
    for (at, (labelled, incident)) in recordings.iter().enumerate() {
        let Ok(bundle) = load_bundle(project, &labelled.dir, &labelled.top, Options::default()) else { continue };
        one(&bundle, parsed, |engine| {
            for finding in engine.findings() {
                let (Some(label), Some(component)) = (labels.get(&finding.rule.id), finding.binding.first()) else { continue };
                let id = &bundle.estate().component(*component).id;
                let held = measured.held.entry(finding.rule.id.clone()).or_default();
                if incident.label_of(id) == Some(label) {
                    held.right.insert(at);
                } else {
                    held.wrong.entry(at).or_default().insert(id.clone());
                }
            }
            if let Some(verdict) = tree.and_then(|tree| walk(engine, tree)) {
                measured.verdicts.insert(at, verdict);
            }
        });
    }
    measured
}

/// The engine with the plan of the drafts instead of the project's. As in a diagnosis, the matcher finds where rules matched.
fn one(bundle: &Bundle<'_>, parsed: &Parsed, ask: impl FnOnce(&Engine<'_>)) {
    let plan = Arc::new(parsed.plan(bundle.project, bundle.estate()));
    let setup = Setup { plan: Arc::clone(&plan), ..bundle.setup(bundle.at) };
    let scripts = Arc::clone(&setup.scripts);
    let candidates = Matcher::load(setup, &bundle.facts).candidates();
    let engine = Engine::new(&plan, bundle.estate(), &bundle.facts, scripts.as_ref(), bundle.at, bundle.lookback).only(candidates);
    ask(&engine);
}

fn walk(engine: &Engine<'_>, tree: &str) -> Option<String> {
    let mut walk = Walk::new(engine.plan.trees.get(tree)?);
    while walk.question().is_some() {
        let (evidence, answer) = walk.ask_data(engine)?;
        if !walk.answer(&answer?, Some(evidence)) {
            return None;
        }
    }
    walk.end.map(|end| end.verdict.to_owned())
}
