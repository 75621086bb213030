//! The impact of an incident: which components its suspects reach, by which path, and their state.

use std::collections::{BTreeMap, BTreeSet};

use estate::{ComponentId, State};

use super::Observations;
use super::diagnosis::ImpactView;
use super::incidents::IncidentDraft;

/// The components that an incident reaches, by distance and id. Roots are the first suspects of its layer: down if the signals show
/// that they are `unavailable`, otherwise degraded. A component that their evidence shows to be affected propagates the fault, degraded.
pub fn impact(observations: &Observations<'_, '_>, draft: &IncidentDraft) -> Vec<ImpactView> {
    let estate = observations.question.engine.estate;
    let mut roots: BTreeMap<ComponentId, State> = BTreeMap::new();
    let mut behind: BTreeMap<ComponentId, ComponentId> = BTreeMap::new();
    let mut functions: BTreeMap<ComponentId, Vec<String>> = BTreeMap::new();
    let mut declared_by: BTreeMap<ComponentId, ComponentId> = BTreeMap::new();
    for chosen in draft.expert.iter().filter(|c| c.consequence_of.is_none()) {
        let Some(candidate) = observations.candidates.get(chosen.candidate) else { continue };
        let Some(root) = candidate.component else { continue };
        roots.insert(root, state_of(observations, root));
        for affected in candidate.affected.iter().filter(|c| **c != root) {
            // A component that the root reaches through the topology keeps that path.
            if estate.path(root, *affected).is_none() {
                roots.entry(*affected).or_insert(State::Degraded);
                behind.entry(*affected).or_insert(root);
            }
        }
        for finding in candidate.findings.iter().filter_map(|f| observations.findings.get(*f)) {
            for (component, hit) in &finding.conclusions.impact {
                declared_by.entry(*component).or_insert(root);
                let list = functions.entry(*component).or_default();
                for function in hit {
                    if !list.contains(function) {
                        list.push(function.clone());
                    }
                }
            }
        }
    }
    if roots.is_empty()
        && let Some(first) = draft.lower.first()
    {
        roots.insert(first.component, state_of(observations, first.component));
    }
    let reached = estate.impact(&roots.iter().map(|(c, s)| (*c, *s)).collect::<Vec<_>>(), None);
    let mut entries: BTreeMap<ComponentId, (u32, State, Vec<ComponentId>)> = BTreeMap::new();
    for (affected, root) in &behind {
        entries.insert(*affected, (1, State::Degraded, vec![*root, *affected]));
    }
    for one in reached {
        let mut path: Vec<ComponentId> = one.path.iter().map(|hop| hop.component).collect();
        let mut distance = one.distance;
        if let Some(root) = path.first().and_then(|start| behind.get(start)) {
            path.insert(0, *root);
            distance += 1;
        }
        entries.entry(one.component).or_insert((distance, one.state, path));
    }
    // Components named by a rule count even if the topology has no path to them.
    for component in functions.keys().filter(|c| !roots.contains_key(c)) {
        entries
            .entry(*component)
            .or_insert_with(|| (1, State::Degraded, declared_by.get(component).copied().into_iter().chain([*component]).collect()));
    }
    describe(observations, entries, &behind, &functions)
}

/// The state in the model that means a component does not serve.
const UNAVAILABLE: &str = "unavailable";

fn state_of(observations: &Observations<'_, '_>, component: ComponentId) -> State {
    if observations.question.engine.state_at(component, UNAVAILABLE).is_true() { State::Down } else { State::Degraded }
}

type Entry = (u32, State, Vec<ComponentId>);

fn describe(
    observations: &Observations<'_, '_>,
    entries: BTreeMap<ComponentId, Entry>,
    behind: &BTreeMap<ComponentId, ComponentId>,
    functions: &BTreeMap<ComponentId, Vec<String>>,
) -> Vec<ImpactView> {
    let estate = observations.question.engine.estate;
    let observed = observations.observed();
    // Silent components on the path to a component with symptoms.
    let between: BTreeSet<ComponentId> = entries
        .iter()
        .filter(|(component, _)| observed.contains(component))
        .flat_map(|(component, (_, _, path))| path.iter().copied().filter(move |c| c != component))
        .filter(|c| !observed.contains(c))
        .collect();
    let mut views: Vec<(u32, ComponentId, ImpactView)> = entries
        .into_iter()
        .map(|(id, (distance, state, path))| {
            // A component with symptoms is at least degraded.
            let state = if observed.contains(&id) { state.max(State::Degraded) } else { state };
            let view = ImpactView {
                by_evidence: path.get(1).is_some_and(|second| behind.contains_key(second)),
                declared: functions.contains_key(&id),
                functions: functions.get(&id).cloned().unwrap_or_default(),
                observed: observed.contains(&id),
                inferred: between.contains(&id),
                ..ImpactView::new(estate, id, distance, state, &path)
            };
            (distance, id, view)
        })
        .collect();
    views.sort_by_key(|(distance, id, _)| (*distance, *id));
    views.into_iter().map(|(.., view)| view).collect()
}
