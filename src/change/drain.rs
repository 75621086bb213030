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

/// What a workload says of the budget that its pods count for. Workloads that say the same share it.
const BUDGET: &str = "poddisruptionbudget";
const KEPT: [&str; 2] = ["min_available", "max_unavailable"];

/// The disruption budgets of an estate.
#[derive(Default)]
pub(super) struct Budgets {
    /// The workloads of each.
    shared: Vec<Vec<ComponentId>>,
    /// The place of a workload's budget.
    of: BTreeMap<ComponentId, usize>,
}

/// A budget at one moment.
struct Budget<'e> {
    name: &'e str,
    /// Pods that serve and were not removed before.
    living: BTreeSet<ComponentId>,
    need: usize,
}

impl Budgets {
    pub fn new(estate: &Snapshot) -> Budgets {
        let mut budgets = Budgets::default();
        let mut places: BTreeMap<[Option<&str>; 5], usize> = BTreeMap::new();
        for workload in estate.ids() {
            if need(estate, workload, 0).is_none() {
                continue;
            }
            let said = |attribute: &str| text(estate, workload, attribute);
            let [least, most] = KEPT.map(said);
            // Without a name it is the workload's own.
            let key = match said(BUDGET) {
                Some(name) => [Some(name), said("namespace"), said("cluster"), least, most],
                None => [None, Some(estate.component(workload).id.as_str()), None, None, None],
            };
            let place = *places.entry(key).or_insert(budgets.shared.len());
            match budgets.shared.get_mut(place) {
                Some(workloads) => workloads.push(workload),
                None => budgets.shared.push(vec![workload]),
            }
            budgets.of.insert(workload, place);
        }
        budgets
    }

    /// The place of the budget that a pod counts for.
    fn guard(&self, estate: &Snapshot, pod: ComponentId) -> Option<usize> {
        let is_pod = estate.is_a(pod, POD);
        running_on(estate, pod).filter(|_| is_pod).find_map(|workload| self.of.get(&workload).copied())
    }

    fn workloads(&self, place: usize) -> &[ComponentId] {
        self.shared.get(place).map_or(&[][..], Vec::as_slice)
    }
}

/// `gone`: what earlier steps removed.
pub(super) fn drained(estate: &Snapshot, budgets: &Budgets, gone: &BTreeSet<ComponentId>, on: &[ComponentId]) -> Drained {
    let mut at_once: BTreeSet<ComponentId> = BTreeSet::new();
    let mut guarded: BTreeMap<usize, BTreeSet<ComponentId>> = BTreeMap::new();
    for component in on {
        for one in given_up(estate, *component) {
            let going = match budgets.guard(estate, one) {
                Some(place) => guarded.entry(place).or_default(),
                None => &mut at_once,
            };
            going.insert(one);
        }
    }
    let mut drained = Drained { rounds: vec![at_once.into_iter().collect()], blocked: Vec::new() };
    for (place, pods) in guarded {
        let workloads = budgets.workloads(place);
        let pods: Vec<ComponentId> = pods.into_iter().filter(|pod| !is_gone(estate, gone, *pod)).collect();
        let Some(Budget { name, living, need }) = budget(estate, gone, workloads).filter(|_| !pods.is_empty()) else { continue };
        let (mut serving, mut idle): (Vec<ComponentId>, Vec<ComponentId>) = pods.into_iter().partition(|pod| living.contains(pod));
        let living = living.len();
        // A budget that is short gives up no pod, not even one that does not serve.
        if living < need && serving.is_empty() {
            serving.append(&mut idle);
        }
        if let Some(first) = drained.rounds.first_mut() {
            first.append(&mut idle);
        }
        let spare = living.saturating_sub(need);
        if spare == 0 {
            if !serving.is_empty() {
                let (budget, workloads) = (name.to_owned(), workloads.to_vec());
                drained.blocked.push(Breach::Budget { budget, workloads, living, need, pods: serving });
            }
            continue;
        }
        for (at, some) in serving.chunks(spare).enumerate() {
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
    let held: Vec<ComponentId> = running_on(estate, component).collect();
    if !held.iter().any(|one| estate.is_a(*one, POD)) {
        return vec![component];
    }
    held.into_iter().filter(|one| !is_bound(estate, *one)).collect()
}

/// Whether a pod is one that a drain leaves: of a `DaemonSet`, or static.
fn is_bound(estate: &Snapshot, pod: ComponentId) -> bool {
    let bound = |of: ComponentId| estate.component(of).attributes.get("node_bound") == Some(&AttributeValue::Bool(true));
    estate.is_a(pod, POD) && running_on(estate, pod).any(bound)
}

/// What runs on a component: of a pod, its workloads.
fn running_on(estate: &Snapshot, component: ComponentId) -> impl Iterator<Item = ComponentId> {
    estate.relations_to(component).into_iter().filter(|one| one.kind == RUNS_ON).map(|one| one.from)
}

/// What a budget asks for of the pods of all its workloads.
fn budget<'e>(estate: &'e Snapshot, gone: &BTreeSet<ComponentId>, workloads: &[ComponentId]) -> Option<Budget<'e>> {
    let first = *workloads.first()?;
    // Two workloads may have the same pods, as a Service and what it stands for.
    let mut seen: BTreeSet<ComponentId> = BTreeSet::new();
    let mut living: BTreeSet<ComponentId> = BTreeSet::new();
    let mut whole = 0;
    for workload in workloads {
        let runs = estate.relations_from(*workload).into_iter().filter(|one| one.kind == RUNS_ON && estate.is_a(one.to, POD));
        let pods: Vec<Relation> = runs.collect();
        if pods.is_empty() {
            continue;
        }
        let counted = pods.iter().filter(|one| seen.contains(&one.to)).count();
        whole += replicas(estate, *workload).unwrap_or(pods.len()).saturating_sub(counted);
        // One that does not serve takes nothing down.
        let serves = |one: &&Relation| one.effect.is_none_or(|effect| effect == State::Down) && !is_gone(estate, gone, one.to);
        living.extend(pods.iter().filter(serves).map(|one| one.to));
        seen.extend(pods.iter().map(|one| one.to));
    }
    let name = text(estate, first, BUDGET).unwrap_or(&estate.component(first).id);
    Some(Budget { name, living, need: need(estate, first, whole)? })
}

/// How many of the pods must stay. As in Kubernetes, a percentage is one of the replicas that the workloads ask for.
fn need(estate: &Snapshot, workload: ComponentId, whole: usize) -> Option<usize> {
    let [least, most] = KEPT.map(|attribute| text(estate, workload, attribute).and_then(|text| share_of(text, whole)));
    least.or_else(|| most.map(|lost| whole.saturating_sub(lost)))
}

fn replicas(estate: &Snapshot, workload: ComponentId) -> Option<usize> {
    match estate.component(workload).attributes.get("replicas")? {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
        AttributeValue::Number(number) if (1.0..1e9).contains(number) => Some(*number as usize),
        AttributeValue::Number(_) | AttributeValue::Text(_) | AttributeValue::Bool(_) => None,
    }
}

fn text<'e>(estate: &'e Snapshot, component: ComponentId, attribute: &str) -> Option<&'e str> {
    estate.component(component).text(attribute)
}

fn is_gone(estate: &Snapshot, gone: &BTreeSet<ComponentId>, pod: ComponentId) -> bool {
    let below = || estate.relations_from(pod).into_iter().any(|one| one.kind == RUNS_ON && gone.contains(&one.to));
    !gone.is_empty() && (gone.contains(&pod) || below())
}
