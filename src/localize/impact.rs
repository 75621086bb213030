//! The impact of an incident: which components its suspects reach, by which path, and their state.

use std::collections::{BTreeMap, BTreeSet};

use estate::{ComponentId, State};

use super::Layer;
use super::Observations;
use super::diagnosis::ImpactView;
use super::explain::IncidentDraft;

/// The roots of an incident: down if the signals show that they are `unavailable`, otherwise degraded. A component that their evidence
/// shows to be affected propagates the fault, degraded.
#[derive(Debug, Default)]
pub struct Roots {
    states: BTreeMap<ComponentId, State>,
    /// Components that only the evidence shows to be affected, with the root behind them.
    behind: BTreeMap<ComponentId, ComponentId>,
    functions: BTreeMap<ComponentId, Vec<String>>,
    declared_by: BTreeMap<ComponentId, ComponentId>,
    over: bool,
}

pub fn roots(observations: &Observations<'_, '_>, draft: &IncidentDraft) -> Roots {
    let estate = observations.question.engine.estate;
    let mut roots = Roots { over: draft.is_over(&observations.symptoms), ..Roots::default() };
    let of_rules = draft.roots().filter(|told| told.proposal.layer == Layer::Expert).map(|told| &told.proposal);
    for proposal in of_rules {
        let Some(root) = proposal.component else { continue };
        roots.states.insert(root, state_of(observations, root));
        for affected in proposal.affected.iter().filter(|c| **c != root) {
            // A component that the root reaches through the topology keeps that path.
            if estate.path(root, *affected).is_none() {
                roots.states.entry(*affected).or_insert(State::Degraded);
                roots.behind.entry(*affected).or_insert(root);
            }
        }
        for finding in proposal.findings().iter().filter_map(|f| observations.findings.get(*f)) {
            for (component, hit) in &finding.conclusions.impact {
                roots.declared_by.entry(*component).or_insert(root);
                let list = roots.functions.entry(*component).or_default();
                for function in hit {
                    if !list.contains(function) {
                        list.push(function.clone());
                    }
                }
            }
        }
    }
    // What scores or a case put first is the root, too.
    let first = draft.told.first().map(|told| &told.proposal).filter(|first| first.layer != Layer::Expert);
    if let Some(component) = first.and_then(|first| first.component) {
        roots.states.entry(component).or_insert_with(|| state_of(observations, component));
    }
    roots
}

/// The states of all components under all faults of the instant together: two members lost in two incidents take their group down, in
/// both reports. What is over counts only for its own incident.
pub fn together(observations: &Observations<'_, '_>, all: &[Roots]) -> BTreeMap<ComponentId, State> {
    let mut states: BTreeMap<ComponentId, State> = BTreeMap::new();
    for (component, state) in all.iter().filter(|roots| !roots.over).flat_map(|roots| &roots.states) {
        let worst = states.entry(*component).or_insert(*state);
        *worst = (*worst).max(*state);
    }
    let roots: Vec<(ComponentId, State)> = states.into_iter().collect();
    observations.question.engine.estate.states(&roots, None).into_iter().collect()
}

/// The components that an incident reaches, by distance and id, in the states that all faults together bring about.
pub fn impact(observations: &Observations<'_, '_>, roots: &Roots, together: &BTreeMap<ComponentId, State>) -> Vec<ImpactView> {
    let estate = observations.question.engine.estate;
    let Roots { states, behind, functions, declared_by, over } = roots;
    let reached = estate.impact(&states.iter().map(|(c, s)| (*c, *s)).collect::<Vec<_>>(), None);
    let mut entries: BTreeMap<ComponentId, (u32, State, Vec<ComponentId>)> = BTreeMap::new();
    for (affected, root) in behind {
        entries.insert(*affected, (1, State::Degraded, vec![*root, *affected]));
    }
    for one in reached {
        let mut path: Vec<ComponentId> = one.path.iter().map(|hop| hop.component).collect();
        let mut distance = one.distance;
        if let Some(root) = path.first().and_then(|start| behind.get(start)) {
            path.insert(0, *root);
            distance += 1;
        }
        let joint = together.get(&one.component).copied().filter(|_| !over).unwrap_or(one.state);
        entries.entry(one.component).or_insert((distance, one.state.max(joint), path));
    }
    // Components named by a rule count even if the topology has no path to them.
    for component in functions.keys().filter(|c| !states.contains_key(c)) {
        entries
            .entry(*component)
            .or_insert_with(|| (1, State::Degraded, declared_by.get(component).copied().into_iter().chain([*component]).collect()));
    }
    describe(observations, entries, behind, functions)
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
