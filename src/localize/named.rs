//! Who names whom: a component that another one names in its error lines, or by a metric that deviates, while both are in trouble, is
//! taken for one that it depends on, though the topology has no such relation.

use std::collections::{BTreeMap, BTreeSet};

use engine::SignalRef;
use estate::{ComponentId, Snapshot};
use signal::Facts;
use value::Time;

use super::proposal::TOLERANCE;
use super::symptoms::{Kind, Symptom};

/// A thousand lines of one failing client name the same.
const MAX_LINES: usize = 100;

/// A shorter name is found in anything.
const SHORTEST: usize = 3;

/// Pairs of one that names and one that is named, ascending. Both are in trouble, and began at about the same time.
pub fn named(estate: &Snapshot, facts: &Facts, symptoms: &[Symptom]) -> Vec<(ComponentId, ComponentId)> {
    let mut onsets: BTreeMap<ComponentId, Vec<Time>> = BTreeMap::new();
    for symptom in symptoms.iter().filter(|symptom| symptom.muted.is_none()) {
        let workloads = symptom.component.into_iter().flat_map(|at| estate.workloads_of(at)).map(|of| of.component);
        for component in symptom.component.into_iter().chain(workloads) {
            onsets.entry(component).or_default().push(symptom.onset);
        }
    }
    let mut found: BTreeMap<ComponentId, BTreeSet<ComponentId>> = BTreeMap::new();
    for symptom in symptoms {
        let Some(from) = symptom.component else { continue };
        let together = |other: &Time| other.since(symptom.onset).abs() <= TOLERANCE;
        let in_trouble = |to: &ComponentId| onsets.get(to).is_some_and(|onsets| onsets.iter().any(together));
        let names = told(symptom, facts).into_iter().flat_map(words).filter_map(|word| estate.find_named(word));
        found.entry(from).or_default().extend(names.filter(|to| *to != from && in_trouble(to)));
    }
    // One that a relation joins, at any distance, needs no name.
    for (from, named) in found.iter_mut().filter(|(_, named)| !named.is_empty()) {
        for joined in estate.dependencies(*from, &[], None).into_iter().chain(estate.dependents(*from, &[], None)) {
            named.remove(&joined.component);
        }
    }
    found.into_iter().flat_map(|(from, named)| named.into_iter().map(move |to| (from, to))).collect()
}

/// What a component says of its own: its error lines, the name of a metric that deviates.
fn told<'t>(symptom: &'t Symptom, facts: &'t Facts) -> Vec<&'t str> {
    match symptom.kind {
        Kind::Log => {
            let line = |signal: &SignalRef| if let SignalRef::Log(at) = signal { facts.logs.get(*at) } else { None };
            symptom.signals.iter().filter_map(line).take(MAX_LINES).map(|line| line.text.as_str()).collect()
        }
        Kind::Metric => symptom.text.split('_').chain([symptom.text.as_str()]).collect(),
        Kind::Alert | Kind::Report | Kind::Probe => Vec::new(),
    }
}

/// The words of a text that may be names; of a name with a domain, what stands before it too.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let between = |c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_' | '.');
    let whole = text.split(between).map(|word| word.trim_matches(['-', '_', '.']));
    whole.flat_map(|word| [Some(word), word.split_once('.').map(|(host, _)| host)]).flatten().filter(|word| word.len() >= SHORTEST)
}
