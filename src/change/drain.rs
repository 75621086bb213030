//! What a drain takes away: a node gives up its pods as their disruption budgets allow.

use std::collections::{BTreeMap, BTreeSet};

use super::order::Breach;
use estate::{AttributeValue, ComponentId, Relation, Snapshot, State, share_of};

/// The relation of a workload to its pods, and of a pod to its node.
const RUNS_ON: &str = "runs_on";
const POD: &str = "pod";

/// What a drain does.
pub(super) struct Drained {
    /// What is down at each moment, one after the other: pods that were evicted are replaced elsewhere before the next ones go.
    pub rounds: Vec<Vec<ComponentId>>,
    /// Budgets that give up no pod.
    pub blocked: Vec<Breach>,
}

/// A budget of the pods of one workload.
struct Budget {
    name: String,
    /// Pods that serve and were not removed before.
    living: usize,
    need: usize,
}

/// `gone`: what earlier steps removed.
pub(super) fn drained(estate: &Snapshot, gone: &BTreeSet<ComponentId>, on: &[ComponentId]) -> Drained {
    let mut at_once: BTreeSet<ComponentId> = BTreeSet::new();
    let mut guarded: BTreeMap<ComponentId, BTreeSet<ComponentId>> = BTreeMap::new();
    for component in on {
        for one in given_up(estate, *component) {
            let going = match guard(estate, one) {
                Some(workload) => guarded.entry(workload).or_default(),
                None => &mut at_once,
            };
            going.insert(one);
        }
    }
    let mut drained = Drained { rounds: vec![at_once.into_iter().collect()], blocked: Vec::new() };
    for (workload, pods) in guarded {
        let pods: Vec<ComponentId> = pods.into_iter().filter(|pod| !is_gone(estate, gone, *pod)).collect();
        let Some(Budget { name, living, need }) = budget(estate, gone, workload).filter(|_| !pods.is_empty()) else { continue };
        let spare = living.saturating_sub(need);
        if spare == 0 {
            drained.blocked.push(Breach::Budget { budget: name, workload, living, need, pods });
            continue;
        }
        for (at, some) in pods.chunks(spare).enumerate() {
            match drained.rounds.get_mut(at) {
                Some(round) => round.extend_from_slice(some),
                None => drained.rounds.push(some.to_vec()),
            }
        }
    }
    drained
}

/// What goes when a component is drained: of what pods run on, all that runs on it and is not bound to it; else the component itself.
fn given_up(estate: &Snapshot, component: ComponentId) -> Vec<ComponentId> {
    let held: Vec<ComponentId> = estate.relations_to(component).into_iter().filter(|one| one.kind == RUNS_ON).map(|one| one.from).collect();
    if !held.iter().any(|one| estate.is_a(*one, POD)) {
        return vec![component];
    }
    held.into_iter().filter(|one| !is_bound(estate, *one)).collect()
}

/// Whether a pod is one that a drain leaves: of a `DaemonSet`, or static.
fn is_bound(estate: &Snapshot, pod: ComponentId) -> bool {
    let bound = |of: ComponentId| estate.component(of).attributes.get("node_bound") == Some(&AttributeValue::Bool(true));
    estate.is_a(pod, POD) && workloads(estate, pod).any(bound)
}

fn workloads(estate: &Snapshot, pod: ComponentId) -> impl Iterator<Item = ComponentId> {
    estate.relations_to(pod).into_iter().filter(|one| one.kind == RUNS_ON).map(|one| one.from)
}

/// The workload whose budget a pod counts for.
fn guard(estate: &Snapshot, pod: ComponentId) -> Option<ComponentId> {
    if !estate.is_a(pod, POD) {
        return None;
    }
    workloads(estate, pod).find(|workload| need(estate, *workload, 0).is_some())
}

fn budget(estate: &Snapshot, gone: &BTreeSet<ComponentId>, workload: ComponentId) -> Option<Budget> {
    let runs = estate.relations_from(workload).into_iter().filter(|one| one.kind == RUNS_ON && estate.is_a(one.to, POD));
    let pods: Vec<Relation> = runs.collect();
    // One that does not serve takes nothing down.
    let serves = |one: &&Relation| one.effect.is_none_or(|effect| effect == State::Down) && !is_gone(estate, gone, one.to);
    let living = pods.iter().filter(serves).count();
    let name = text(estate, workload, "poddisruptionbudget").unwrap_or(&estate.component(workload).id).to_owned();
    Some(Budget { name, living, need: need(estate, workload, pods.len())? })
}

/// How many of the pods must stay. As in Kubernetes, a percentage is one of the replicas that the workload asks for.
fn need(estate: &Snapshot, workload: ComponentId, pods: usize) -> Option<usize> {
    let whole = replicas(estate, workload).unwrap_or(pods);
    let share = |name: &str| share_of(text(estate, workload, name)?, whole);
    share("min_available").or_else(|| share("max_unavailable").map(|lost| whole.saturating_sub(lost)))
}

fn replicas(estate: &Snapshot, workload: ComponentId) -> Option<usize> {
    match estate.component(workload).attributes.get("replicas")? {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
        AttributeValue::Number(number) if (1.0..1e9).contains(number) => Some(*number as usize),
        AttributeValue::Number(_) | AttributeValue::Text(_) | AttributeValue::Bool(_) => None,
    }
}

fn text<'e>(estate: &'e Snapshot, component: ComponentId, attribute: &str) -> Option<&'e str> {
    match estate.component(component).attributes.get(attribute)? {
        AttributeValue::Text(text) => Some(text),
        AttributeValue::Number(_) | AttributeValue::Bool(_) => None,
    }
}

fn is_gone(estate: &Snapshot, gone: &BTreeSet<ComponentId>, pod: ComponentId) -> bool {
    let below = || estate.relations_from(pod).into_iter().any(|one| one.kind == RUNS_ON && gone.contains(&one.to));
    !gone.is_empty() && (gone.contains(&pod) || below())
}
