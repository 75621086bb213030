//! What signals show of an estate beyond what is declared: calls in traces, and pods that nobody listed.
//!
//! What is declared wins: a call adds nothing where the estate has a way for a fault from the callee to the caller, whatever stands in
//! between, because gateways and load balancers send no spans. [`Sightings`] collects, [`Seen`] is what came of it, by id.

use std::collections::{BTreeMap, BTreeSet};

use estate::{ComponentId, Declared, DeclaredComponent, DeclaredRelation, Snapshot, State, Written};
use schemars::JsonSchema;
use serde::Serialize;
use value::Time;

use super::facts::Facts;
use super::resolver::{NAMESPACE, namespace};
use super::traces::Calls;

/// Pods at the same time. Beyond it they stay names on their signals: names may be anything, and nobody vouches for these.
pub const MOST_PODS: usize = 10_000;

/// Calls at the same time, each between two components.
pub const MOST_CALLS: usize = 100_000;

/// The longest name of an object of a cluster.
const LONGEST_NAME: usize = 253;

/// The origins of what is declared.
pub const TRACES: &str = "traces";
pub const SIGNALS: &str = "signals";

/// The kind of relation that a call is.
pub const CALLS: &str = "calls";
const RUNS_ON: &str = "runs_on";
const POD: &str = "pod";

type Pair = (ComponentId, ComponentId);

/// When something was seen first and last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Sighting {
    pub first: Time,
    pub last: Time,
}

impl Sighting {
    fn at(time: Time) -> Sighting {
        Sighting { first: time, last: time }
    }

    fn join(&mut self, further: Sighting) {
        self.first = self.first.min(further.first);
        self.last = self.last.max(further.last);
    }
}

/// What was seen, over one estate.
#[derive(Debug, Clone, Default)]
pub struct Sightings {
    /// By caller and callee.
    calls: BTreeMap<Pair, Sighting>,
    /// For a caller and a callee as spans have them, those of the relation; `None` where it adds nothing. Asked once, because it takes a
    /// walk through the estate.
    relation_of: BTreeMap<Pair, Option<Pair>>,
    /// By workload and name.
    pods: BTreeMap<ComponentId, BTreeMap<String, Sighting>>,
    /// How many these are.
    listed: usize,
    calls_left_out: u64,
    pods_left_out: u64,
    /// Something came or went.
    changed: bool,
}

/// What signals show beyond what an estate declares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// By caller and callee.
    pub calls: BTreeMap<(String, String), Sighting>,
    /// By id.
    pub pods: BTreeMap<String, SeenPod>,
    /// How often something new was left out because of [`MOST_CALLS`] and [`MOST_PODS`].
    pub calls_left_out: u64,
    pub pods_left_out: u64,
}

/// A pod that only signals name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenPod {
    pub name: String,
    pub namespace: Option<String>,
    /// Ids.
    pub workloads: BTreeSet<String>,
    pub sighting: Sighting,
}

impl Sightings {
    /// Takes note of calls.
    pub fn take_calls(&mut self, estate: &Snapshot, calls: &[Calls]) {
        if self.relation_of.len() >= 2 * MOST_CALLS {
            self.relation_of.clear();
        }
        let new: Vec<Calls> = calls.iter().filter(|call| !self.relation_of.contains_key(&(call.caller, call.callee))).copied().collect();
        let possible = undeclared(estate, &new).into_iter().filter(|call| is_possible(estate, call));
        let found: BTreeSet<Pair> = possible.map(|call| (call.caller, call.callee)).collect();
        for Calls { caller, callee, first, last, .. } in calls.iter().copied() {
            let relation = *self.relation_of.entry((caller, callee)).or_insert_with(|| {
                let workloads = (workload(estate, caller), workload(estate, callee));
                found.contains(&workloads).then_some(workloads)
            });
            let Some(relation) = relation else { continue };
            let when = Sighting { first, last };
            if let Some(known) = self.calls.get_mut(&relation) {
                known.join(when);
            } else if self.calls.len() < MOST_CALLS {
                self.calls.insert(relation, when);
                self.changed = true;
            } else {
                self.calls_left_out += 1;
            }
        }
    }

    /// Takes note of the pods that facts name.
    pub fn take_pods(&mut self, facts: &Facts, at: Time) {
        let alerts = facts.alerts.iter().map(|one| (one.component, &one.instance));
        let series = facts.series.iter().map(|one| (one.component, &one.instance));
        let logs = facts.logs.iter().map(|one| (one.component, &one.instance));
        let changes = facts.changes.iter().map(|one| (one.component, &one.instance));
        for (component, instance) in alerts.chain(series).chain(logs).chain(changes) {
            if let (Some(workload), Some(name)) = (component, instance) {
                self.take_pod(workload, name, at);
            }
        }
    }

    fn take_pod(&mut self, workload: ComponentId, name: &str, at: Time) {
        if let Some(known) = self.pods.get_mut(&workload).and_then(|names| names.get_mut(name)) {
            known.join(Sighting::at(at));
        } else if self.listed < MOST_PODS && name.len() <= LONGEST_NAME {
            self.pods.entry(workload).or_default().insert(name.to_owned(), Sighting::at(at));
            self.listed += 1;
            self.changed = true;
        } else {
            self.pods_left_out += 1;
        }
    }

    /// Forgets calls and pods that were last seen before these instants.
    pub fn forget(&mut self, calls: Time, pods: Time) {
        let before = (self.calls.len(), self.listed);
        self.calls.retain(|_, seen| seen.last >= calls);
        for names in self.pods.values_mut() {
            names.retain(|_, seen| seen.last >= pods);
        }
        self.pods.retain(|_, names| !names.is_empty());
        self.listed = self.pods.values().map(BTreeMap::len).sum();
        self.changed |= before != (self.calls.len(), self.listed);
    }

    /// Whether something came or went since this was last asked.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// By id, in the estate over which it was seen.
    pub fn seen(&self, estate: &Snapshot) -> Seen {
        let id = |component: ComponentId| estate.component(component).id.clone();
        let calls = self.calls.iter().map(|((caller, callee), seen)| ((id(*caller), id(*callee)), *seen)).collect();
        let mut pods: BTreeMap<String, SeenPod> = BTreeMap::new();
        for (workload, names) in &self.pods {
            let of = estate.component(*workload);
            let namespace = namespace(of);
            for (name, seen) in names {
                // As the import of Kubernetes has it where names alone are not unique.
                let id = namespace.map_or_else(|| name.clone(), |namespace| format!("{namespace}/{name}"));
                let is_listed = estate.find_instance(*workload, name).is_some();
                if is_listed || estate.find(&id).is_some() || estate.group(&id).is_some() {
                    continue;
                }
                let pod = pods.entry(id.clone()).or_insert_with(|| SeenPod {
                    // A name that something declared has stays its own.
                    name: if estate.find_named(name).is_none() { name.clone() } else { id },
                    namespace: namespace.map(str::to_owned),
                    workloads: BTreeSet::new(),
                    sighting: *seen,
                });
                pod.workloads.insert(of.id.clone());
                pod.sighting.join(*seen);
            }
        }
        Seen { calls, pods, calls_left_out: self.calls_left_out, pods_left_out: self.pods_left_out }
    }
}

impl Seen {
    /// The calls of facts at hand.
    pub fn in_facts(facts: &Facts, estate: &Snapshot) -> Seen {
        let mut sightings = Sightings::default();
        sightings.take_calls(estate, &facts.calls);
        sightings.seen(estate)
    }

    /// When a call was seen that nobody declared.
    pub fn call(&self, from: &str, to: &str) -> Option<Sighting> {
        self.calls.get(&(from.to_owned(), to.to_owned())).copied()
    }

    /// The calls as relations.
    pub fn declared_calls(&self) -> Declared {
        let relations = self.calls.keys().map(|(caller, callee)| relation(caller, CALLS, callee, TRACES));
        Declared { relations: relations.collect(), ..Declared::default() }
    }

    /// The pods, each with its workloads. Nobody says how many of them there are, so the loss of one takes down no workload.
    pub fn declared_pods(&self) -> Declared {
        let of_pod = |of: &str, id: &str| DeclaredRelation { effect: Some(State::Degraded), ..relation(of, RUNS_ON, id, SIGNALS) };
        let component = |(id, pod): (&String, &SeenPod)| DeclaredComponent {
            id: id.clone(),
            kind: POD.to_owned(),
            name: Some(pod.name.clone()),
            attributes: pod.namespace.iter().map(|name| (NAMESPACE.to_owned(), Written::Text(name.clone()))).collect(),
            origin: SIGNALS.to_owned(),
            ..DeclaredComponent::default()
        };
        let relations = self.pods.iter().flat_map(|(id, pod)| pod.workloads.iter().map(move |of| of_pod(of, id)));
        Declared { components: self.pods.iter().map(component).collect(), relations: relations.collect(), ..Declared::default() }
    }
}

fn relation(from: &str, kind: &str, to: &str, origin: &str) -> DeclaredRelation {
    let [from, kind, to, origin] = [from, kind, to, origin].map(str::to_owned);
    DeclaredRelation { from, kind, to, origin, ..DeclaredRelation::default() }
}

/// The calls that the estate does not explain, between workloads rather than their pods; by callee, then caller.
pub(super) fn undeclared(estate: &Snapshot, calls: &[Calls]) -> Vec<Calls> {
    let of_workload = |call: Calls| Calls { caller: workload(estate, call.caller), callee: workload(estate, call.callee), ..call };
    let left: Vec<Calls> = unexplained(estate, calls).into_iter().map(of_workload).collect();
    unexplained(estate, &left)
}

fn unexplained(estate: &Snapshot, calls: &[Calls]) -> Vec<Calls> {
    let mut by_callee: BTreeMap<ComponentId, BTreeMap<ComponentId, Calls>> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.caller != call.callee) {
        by_callee.entry(call.callee).or_default().entry(call.caller).and_modify(|known| known.join(call)).or_insert(*call);
    }
    let mut found = Vec::new();
    for (callee, callers) in by_callee {
        let mut reached: Vec<ComponentId> = estate.dependents(callee, &[], None).into_iter().map(|reached| reached.component).collect();
        reached.sort_unstable();
        // A pod may call on behalf of the service that runs on it.
        let knows = |caller: ComponentId| {
            std::iter::once(caller).chain(estate.held(caller)).any(|one| one == callee || reached.binary_search(&one).is_ok())
        };
        found.extend(callers.into_values().filter(|call| !knows(call.caller)));
    }
    found
}

/// What comes and goes calls for its workload, if that is one.
fn workload(estate: &Snapshot, component: ComponentId) -> ComponentId {
    let all = estate.workloads_of(component);
    let level = all.iter().map(|one| one.level).max();
    let mut top = all.iter().filter(|one| Some(one.level) == level).map(|one| one.component);
    match (top.next(), top.next()) {
        (Some(only), None) => only,
        (Some(_), Some(_)) | (None, _) => component,
    }
}

/// Whether the model lets one call the other.
pub(super) fn is_possible(estate: &Snapshot, call: &Calls) -> bool {
    let fits = |types: &[String], component| types.is_empty() || types.iter().any(|kind| estate.is_a(component, kind));
    estate.model().find_relation(CALLS).is_some_and(|kind| fits(&kind.from, call.caller) && fits(&kind.to, call.callee))
}
