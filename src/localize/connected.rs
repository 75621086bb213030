//! What the topology connects: clusters of symptoms, by union-find.

use std::collections::{BTreeMap, BTreeSet};

use estate::ComponentId;

use super::Observations;

/// Two unexplained symptoms with a common dependency within this many hops form one incident: their common cause may be silent. So do two
/// that starve and have a common caller.
const COMMON_WITHIN_HOPS: u32 = 2;

/// Connected symptoms, by union-find over components: two are joined if one depends on the other at any distance, or if both depend
/// on a third one nearby, come and go for one workload, starve and are called by one, or if one names the other. An instance depends on
/// what its workload depends on. Linear in the size of their dependencies.
pub fn clusters(observations: &Observations<'_, '_>, loose: &[usize]) -> Vec<Vec<usize>> {
    let estate = observations.question.engine.estate;
    let alerting: BTreeSet<ComponentId> = loose.iter().filter_map(|i| observations.symptoms.get(*i)?.component).collect();
    let direct = |c: ComponentId| if alerting.contains(&c) { estate.directly_below(c) } else { estate.next_to(c, &[], false) };
    let below: BTreeMap<ComponentId, Vec<ComponentId>> = closure(&alerting, direct).into_iter().map(|c| (c, direct(c))).collect();
    let mut above: BTreeMap<ComponentId, Vec<ComponentId>> = BTreeMap::new();
    for (component, under) in below.iter().flat_map(|(component, all)| all.iter().map(move |under| (component, under))) {
        above.entry(*under).or_default().push(*component);
    }
    // Dependencies that themselves depend on an alerting component pass the connection on.
    let carries = closure(&alerting, |c| above.get(&c).cloned().unwrap_or_default());
    let mut parent: BTreeMap<ComponentId, ComponentId> = BTreeMap::new();
    for (component, all) in &below {
        for under in all.iter().filter(|under| carries.contains(*under)) {
            union(&mut parent, *component, *under);
        }
    }
    let starved: BTreeSet<ComponentId> =
        loose.iter().filter_map(|i| observations.symptoms.get(*i)).filter(|s| s.callers.is_some()).filter_map(|s| s.component).collect();
    let mut first_on: BTreeMap<ComponentId, ComponentId> = BTreeMap::new();
    let mut first_below: BTreeMap<ComponentId, ComponentId> = BTreeMap::new();
    for &component in &alerting {
        let near = estate.dependencies(component, &[], Some(COMMON_WITHIN_HOPS)).into_iter().map(|near| near.component);
        // One hop of these is from its workload.
        let of_workload = estate.below_workloads(component);
        let beyond = of_workload.iter().flat_map(|on| estate.dependencies(*on, &[], Some(COMMON_WITHIN_HOPS - 1)));
        let beyond: Vec<ComponentId> = beyond.map(|near| near.component).collect();
        for near in near.chain(of_workload).chain(beyond) {
            let first = *first_on.entry(near).or_insert(component);
            union(&mut parent, first, component);
        }
        // Instances of one workload are in trouble together.
        for workload in estate.workloads_of(component) {
            let first = *first_on.entry(workload.component).or_insert(component);
            union(&mut parent, first, component);
        }
        let callers = if starved.contains(&component) { estate.dependents(component, &[], Some(COMMON_WITHIN_HOPS)) } else { Vec::new() };
        for near in callers {
            let first = *first_below.entry(near.component).or_insert(component);
            union(&mut parent, first, component);
        }
    }
    for &(from, to) in &observations.named {
        union(&mut parent, from, to);
    }
    let mut groups: BTreeMap<Option<ComponentId>, Vec<usize>> = BTreeMap::new();
    for &index in loose {
        let component = observations.symptoms.get(index).and_then(|s| s.component);
        groups.entry(component.map(|c| find(&mut parent, c))).or_default().push(index);
    }
    groups.into_values().collect()
}

/// Everything reachable by `steps`, including the start.
pub fn closure(start: &BTreeSet<ComponentId>, steps: impl Fn(ComponentId) -> Vec<ComponentId>) -> BTreeSet<ComponentId> {
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
pub fn find<T: Ord + Copy>(parent: &mut BTreeMap<T, T>, start: T) -> T {
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
pub fn union<T: Ord + Copy>(parent: &mut BTreeMap<T, T>, a: T, b: T) {
    let (a, b) = (find(parent, a), find(parent, b));
    if a != b {
        parent.insert(a.max(b), a.min(b));
    }
}
