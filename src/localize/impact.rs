//! The impact of an incident: which components its suspects reach, by which path, and their state.

use std::collections::{BTreeMap, BTreeSet};

use estate::{ComponentId, Softening, State};
use value::Time;

use super::Layer;
use super::Observations;
use super::diagnosis::{ImpactView, SofteningView};
use super::explain::IncidentDraft;
use super::proposal::Proposal;
use super::symptoms::Kind;

/// The roots of an incident: down if the signals show that they are `unavailable`, otherwise degraded. A component that their evidence
/// shows to be affected propagates the fault, degraded.
#[derive(Debug, Default)]
pub struct Roots {
    states: BTreeMap<ComponentId, State>,
    /// Components that only the evidence shows to be affected, with the root behind them.
    behind: BTreeMap<ComponentId, ComponentId>,
    functions: BTreeMap<ComponentId, Vec<String>>,
    declared_by: BTreeMap<ComponentId, ComponentId>,
    /// Those of the roots whose fault is over, with its end.
    ended: BTreeMap<ComponentId, Time>,
    over: bool,
}

pub fn roots(observations: &Observations<'_, '_>, draft: &IncidentDraft) -> Roots {
    let estate = observations.question.engine.estate;
    let mut roots = Roots { over: draft.is_over(&observations.symptoms), ..Roots::default() };
    let mut lasting: BTreeSet<ComponentId> = BTreeSet::new();
    let of_rules = draft.roots().filter(|told| told.proposal.layer == Layer::Expert).map(|told| &told.proposal);
    for proposal in of_rules {
        let Some(root) = proposal.component else { continue };
        roots.states.insert(root, state_of(observations, root));
        let mut of_it = vec![root];
        for affected in proposal.affected.iter().filter(|c| **c != root) {
            // A component that the root reaches through the topology keeps that path.
            if estate.path(root, *affected).is_none() {
                roots.states.entry(*affected).or_insert(State::Degraded);
                roots.behind.entry(*affected).or_insert(root);
                of_it.push(*affected);
            }
        }
        roots.end(&of_it, proposal, &mut lasting);
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
    if let Some((first, component)) = first.and_then(|first| Some((first, first.component?))) {
        roots.states.entry(component).or_insert_with(|| state_of(observations, component));
        roots.end(&[component], first, &mut lasting);
    }
    roots.ended.retain(|component, _| !lasting.contains(component));
    roots
}

impl Roots {
    /// Notes until when a fault lasted, or that it lasts.
    fn end(&mut self, of_it: &[ComponentId], proposal: &Proposal, lasting: &mut BTreeSet<ComponentId>) {
        match proposal.until().filter(|_| proposal.is_past()) {
            Some(until) => {
                for component in of_it {
                    let end = self.ended.entry(*component).or_insert(until);
                    *end = until.max(*end);
                }
            }
            None => lasting.extend(of_it),
        }
    }
}

/// Whether what is known of a component is no effect of a fault that ended then: each of its alerts began later. One that has resolved
/// was affected, which is what people ask afterwards.
fn is_well(observations: &Observations<'_, '_>, component: ComponentId, end: Time) -> bool {
    let calling = observations.symptoms.iter().filter(|symptom| symptom.component == Some(component) && symptom.calls_for_help());
    let mut alerts = calling.filter(|symptom| symptom.kind == Kind::Alert).peekable();
    alerts.peek().is_some() && alerts.all(|alert| alert.onset > end)
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
    let Roots { states, behind, functions, declared_by, ended, over } = roots;
    let reached = estate.impact(&states.iter().map(|(c, s)| (*c, *s)).collect::<Vec<_>>(), None);
    // In the states that all faults together bring about, nothing is milder than it is there.
    let joint = |component: ComponentId| together.get(&component).copied().filter(|_| !over);
    let mut entries: BTreeMap<ComponentId, Entry> = BTreeMap::new();
    for (affected, root) in behind {
        entries.insert(*affected, Entry::bare(vec![*root, *affected]));
    }
    for one in reached {
        let mut path: Vec<ComponentId> = one.path.iter().map(|hop| hop.component).collect();
        let mut distance = one.distance;
        if let Some(root) = path.first().and_then(|start| behind.get(start)) {
            path.insert(0, *root);
            distance += 1;
        }
        let state = joint(one.component).map_or(one.state, |joint| joint.max(one.state));
        let softens = one.softens.into_iter().filter(|step| joint(step.component).is_none_or(|joint| joint <= step.to)).collect();
        entries.entry(one.component).or_insert(Entry { distance, state, path, softens });
    }
    // Components named by a rule count even if the topology has no path to them.
    for component in functions.keys().filter(|c| !states.contains_key(c)) {
        entries
            .entry(*component)
            .or_insert_with(|| Entry::bare(declared_by.get(component).copied().into_iter().chain([*component]).collect()));
    }
    if let Some(end) = ended.values().max() {
        let live: Vec<(ComponentId, State)> = states.iter().filter(|(c, _)| !ended.contains_key(c)).map(|(c, s)| (*c, *s)).collect();
        let hit: BTreeSet<ComponentId> = estate.states(&live, None).into_iter().map(|(component, _)| component).collect();
        let lasts = |component: &ComponentId| {
            hit.contains(component)
                || live.iter().any(|(root, _)| root == component)
                || declared_by.get(component).is_some_and(|root| !ended.contains_key(root))
        };
        entries.retain(|component, _| lasts(component) || !is_well(observations, *component, *end));
    }
    describe(observations, entries, behind, functions)
}

/// The state in the model that means a component does not serve.
const UNAVAILABLE: &str = "unavailable";

fn state_of(observations: &Observations<'_, '_>, component: ComponentId) -> State {
    if observations.question.engine.state_at(component, UNAVAILABLE).is_true() { State::Down } else { State::Degraded }
}

struct Entry {
    distance: u32,
    state: State,
    path: Vec<ComponentId>,
    softens: Vec<Softening>,
}

impl Entry {
    /// By what a rule says, not by the topology.
    fn bare(path: Vec<ComponentId>) -> Self {
        Entry { distance: 1, state: State::Degraded, path, softens: Vec::new() }
    }
}

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
        .flat_map(|(component, entry)| entry.path.iter().copied().filter(move |c| c != component))
        .filter(|c| !observed.contains(c))
        .collect();
    let mut views: Vec<(u32, ComponentId, ImpactView)> = entries
        .into_iter()
        .map(|(id, Entry { distance, state, path, softens })| {
            // A component with symptoms is at least degraded.
            let state = if observed.contains(&id) { state.max(State::Degraded) } else { state };
            let softens = softens.into_iter().filter(|step| step.to >= State::Degraded || !observed.contains(&step.component));
            let view = ImpactView {
                softens: softens.map(|step| SofteningView::new(estate, step).into()).collect(),
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
