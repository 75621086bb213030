//! Groups suspects and symptoms into incidents: suspects that could explain the same symptoms, and symptoms that the topology connects.

use std::collections::{BTreeMap, BTreeSet};

use estate::ComponentId;

use super::Observations;
use super::diagnosis::Layer;
use super::expert::{self, Chosen};
use super::propose::{self, LowerSuspect};
use super::symptoms::Symptom;

/// Two unexplained symptoms with a common dependency within this many hops form one incident: their common cause may be silent.
const COMMON_WITHIN_HOPS: u32 = 2;

/// An incident before it is turned into output.
#[derive(Debug, Clone, Default)]
pub struct IncidentDraft {
    /// Suspects of rules, roots first.
    pub expert: Vec<Chosen>,
    /// Suspects of the other layers, in rank order.
    pub lower: Vec<LowerSuspect>,
    /// Symptoms that belong to it, explained or not.
    pub symptoms: BTreeSet<usize>,
    pub similar: Vec<knowledge::Similar>,
}

impl IncidentDraft {
    pub fn layer(&self) -> Option<Layer> {
        if self.expert.is_empty() { self.lower.first().map(|s| s.layer) } else { Some(Layer::Expert) }
    }

    /// Symptoms that one of its suspects explains.
    pub fn explained(&self) -> BTreeSet<usize> {
        self.expert.iter().flat_map(|c| &c.explains).chain(self.lower.iter().flat_map(|s| &s.explains)).copied().collect()
    }
}

/// Forms incidents, the most important first.
pub fn form(observations: &Observations<'_, '_>) -> Vec<IncidentDraft> {
    let chosen = expert::choose(&observations.candidates, &observations.symptoms);
    let mut drafts = expert_drafts(observations, chosen);
    let taken: BTreeSet<usize> = drafts.iter().flat_map(|d| d.symptoms.iter().copied()).collect();
    let loose: Vec<usize> = (0..observations.symptoms.len())
        .filter(|i| !taken.contains(i) && observations.symptoms.get(*i).is_some_and(Symptom::calls_for_help))
        .collect();
    for cluster in propose::joined(observations, clusters(observations, &loose)) {
        // Symptoms upstream of an incident that rules explain, or reached by it, belong to it; they may show its deeper cause.
        match drafts.iter_mut().find(|d| touches(observations, d, &cluster)) {
            Some(draft) => draft.symptoms.extend(cluster),
            None => drafts.push(IncidentDraft { symptoms: cluster.into_iter().collect(), ..IncidentDraft::default() }),
        }
    }
    if drafts.is_empty() {
        drafts.extend(propose::from_deviations_alone(observations));
    }
    let mut taken: BTreeSet<usize> = drafts.iter().flat_map(IncidentDraft::explained).collect();
    for draft in &mut drafts {
        propose::complete(observations, draft, &mut taken);
    }
    // If rules explain an incident, a single alert on an otherwise healthy component is neither an incident nor a suspect: it stays
    // unexplained.
    if drafts.iter().any(|d| !d.expert.is_empty()) {
        for draft in &mut drafts {
            draft.lower.retain(|s| s.corroborated);
        }
    }
    drafts.retain(|d| !d.expert.is_empty() || !d.lower.is_empty());
    // Anomalous metrics are assigned to the first incident that explains them, so they must not decide the order where no rule matched.
    let counts = |d: &IncidentDraft, s: &Symptom| !d.expert.is_empty() || s.calls_for_help();
    let weight = |d: &IncidentDraft| {
        d.symptoms.iter().filter_map(|i| observations.symptoms.get(*i)).filter(|s| counts(d, s)).map(|s| s.weight).sum::<f64>()
    };
    drafts.sort_by(|a, b| {
        let since = |d: &IncidentDraft| d.symptoms.iter().filter_map(|i| observations.symptoms.get(*i)).map(|s| s.onset).min();
        let first = |d: &IncidentDraft| d.lower.first().map(|s| (s.confidence, s.component));
        let surer = |d: &IncidentDraft| first(d).map_or(0.0, |(confidence, _)| confidence);
        a.layer()
            .cmp(&b.layer())
            .then(weight(b).total_cmp(&weight(a)))
            .then(surer(b).total_cmp(&surer(a)))
            .then_with(|| since(a).cmp(&since(b)))
            // Ties: by component, never by position in a file.
            .then_with(|| first(a).map(|f| f.1).cmp(&first(b).map(|f| f.1)))
    });
    drafts
}

/// Symptoms that no suspect of any incident explains.
pub fn unexplained(observations: &Observations<'_, '_>, drafts: &[IncidentDraft]) -> Vec<usize> {
    let explained: BTreeSet<usize> = drafts.iter().flat_map(IncidentDraft::explained).collect();
    (0..observations.symptoms.len()).filter(|i| !explained.contains(i)).collect()
}

/// Root suspects that could explain a common symptom share an incident; consequences follow their root.
fn expert_drafts(observations: &Observations<'_, '_>, chosen: Vec<Chosen>) -> Vec<IncidentDraft> {
    let could: BTreeMap<usize, BTreeSet<usize>> = chosen
        .iter()
        .filter(|c| c.consequence_of.is_none())
        .filter_map(|c| {
            let candidate = observations.candidates.get(c.candidate)?;
            let symptoms =
                observations.symptoms.iter().enumerate().filter(|(_, s)| s.calls_for_help() && expert::explained_by(candidate, s));
            Some((c.candidate, symptoms.map(|(i, _)| i).collect()))
        })
        .collect();
    // Roots with a common symptom are one incident, also transitively.
    let mut parent: BTreeMap<usize, usize> = BTreeMap::new();
    let mut first_of: BTreeMap<usize, usize> = BTreeMap::new();
    for (root, symptoms) in &could {
        for symptom in symptoms {
            let first = *first_of.entry(*symptom).or_insert(*root);
            union(&mut parent, first, *root);
        }
    }
    let mut group_of: BTreeMap<usize, usize> = BTreeMap::new();
    let mut drafts: Vec<IncidentDraft> = Vec::new();
    for one in chosen {
        let root = find(&mut parent, one.consequence_of.unwrap_or(one.candidate));
        let group = *group_of.entry(root).or_insert_with(|| {
            drafts.push(IncidentDraft::default());
            drafts.len() - 1
        });
        if let Some(draft) = drafts.get_mut(group) {
            draft.symptoms.extend(one.explains.iter().copied());
            draft.expert.push(one);
        }
    }
    for draft in &mut drafts {
        draft.expert.sort_by_key(|c| c.consequence_of.is_some());
    }
    drafts
}

/// Whether a fault of a cluster's component reaches a suspect of the incident, or the other way round.
fn touches(observations: &Observations<'_, '_>, draft: &IncidentDraft, cluster: &[usize]) -> bool {
    let estate = observations.question.engine.estate;
    let mut area: BTreeSet<ComponentId> = BTreeSet::new();
    for candidate in draft.expert.iter().filter_map(|c| observations.candidates.get(c.candidate)) {
        area.extend(candidate.reach.iter().copied());
        let upstream = candidate.component.into_iter().flat_map(|root| estate.dependencies(root, &[], None));
        area.extend(upstream.map(|r| r.component));
    }
    cluster.iter().filter_map(|i| observations.symptoms.get(*i)?.component).any(|component| area.contains(&component))
}

/// Connected symptoms, by union-find over components: two are joined if one depends on the other at any distance, or if both depend
/// on a third one nearby. Linear in the size of their dependencies.
fn clusters(observations: &Observations<'_, '_>, loose: &[usize]) -> Vec<Vec<usize>> {
    let estate = observations.question.engine.estate;
    let alerting: BTreeSet<ComponentId> = loose.iter().filter_map(|i| observations.symptoms.get(*i)?.component).collect();
    let direct = |c: ComponentId| estate.dependencies(c, &[], Some(1)).into_iter().map(|r| r.component).collect::<Vec<_>>();
    let below = closure(&alerting, direct);
    // Dependencies that themselves depend on an alerting component pass the connection on.
    let carries =
        closure(&alerting, |c| estate.dependents(c, &[], Some(1)).into_iter().map(|r| r.component).filter(|c| below.contains(c)).collect());
    let mut parent: BTreeMap<ComponentId, ComponentId> = BTreeMap::new();
    for &component in &below {
        for under in direct(component).into_iter().filter(|d| carries.contains(d)) {
            union(&mut parent, component, under);
        }
    }
    let mut first_on: BTreeMap<ComponentId, ComponentId> = BTreeMap::new();
    for &component in &alerting {
        for near in estate.dependencies(component, &[], Some(COMMON_WITHIN_HOPS)) {
            let first = *first_on.entry(near.component).or_insert(component);
            union(&mut parent, first, component);
        }
    }
    let mut groups: BTreeMap<Option<ComponentId>, Vec<usize>> = BTreeMap::new();
    for &index in loose {
        let component = observations.symptoms.get(index).and_then(|s| s.component);
        groups.entry(component.map(|c| find(&mut parent, c))).or_default().push(index);
    }
    groups.into_values().collect()
}

/// Everything reachable by `steps`, including the start.
fn closure(start: &BTreeSet<ComponentId>, steps: impl Fn(ComponentId) -> Vec<ComponentId>) -> BTreeSet<ComponentId> {
    let mut seen = start.clone();
    let mut open: Vec<ComponentId> = start.iter().copied().collect();
    while let Some(at) = open.pop() {
        for next in steps(at) {
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    seen
}

/// The representative of a set.
pub(super) fn find<T: Ord + Copy>(parent: &mut BTreeMap<T, T>, start: T) -> T {
    let mut root = start;
    while let Some(next) = parent.get(&root).copied().filter(|next| *next != root) {
        root = next;
    }
    // Path compression.
    let mut at = start;
    while let Some(next) = parent.insert(at, root).filter(|next| *next != at && *next != root) {
        at = next;
    }
    root
}

/// Joins two sets; the smaller representative stays.
pub(super) fn union<T: Ord + Copy>(parent: &mut BTreeMap<T, T>, a: T, b: T) {
    let (a, b) = (find(parent, a), find(parent, b));
    if a != b {
        parent.insert(a.max(b), a.min(b));
    }
}
