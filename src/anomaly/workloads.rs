//! Units: a pod and the service that runs on it are judged as one and carry one name. One pod of many that is a unit of its own depends on
//! what its service depends on.

use std::collections::{BTreeMap, BTreeSet};

use estate::{ComponentId, Containment, Snapshot};

/// Types (including subtypes) that exist only to run one workload. A host is not one of them: it has its own owner and its own faults,
/// even if only one workload runs on it.
const VESSELS: [&str; 2] = ["pod", "container"];

/// Maps components to units: every component belongs to exactly one unit, named after the workload.
pub(super) struct Units<'a> {
    estate: &'a Snapshot,
    /// From a vessel to its workload; components that are their own unit are absent.
    stands_for: BTreeMap<ComponentId, ComponentId>,
    vessels: BTreeMap<ComponentId, Vec<ComponentId>>,
    /// Who names whom, though no relation joins them: as good as a call.
    named: Vec<(ComponentId, ComponentId)>,
    /// Single instances in trouble, and what their workloads depend on: it reaches them as it reaches their workloads.
    stand_ins: Vec<(ComponentId, ComponentId)>,
}

impl<'a> Units<'a> {
    /// A vessel with exactly one workload is merged with it if it is the only vessel of the workload, or if more than half of the
    /// vessels are in trouble. A single bad replica of many is itself the suspect.
    pub fn new(estate: &'a Snapshot, troubled: &BTreeSet<ComponentId>, named: &[(ComponentId, ComponentId)]) -> Self {
        let all: BTreeSet<ComponentId> = VESSELS.iter().flat_map(|kind| estate.of_type(kind)).collect();
        let mut nearest: BTreeMap<ComponentId, ComponentId> = BTreeMap::new();
        for &vessel in &all {
            let held = held_by(estate, vessel);
            let &[workload] = held.as_slice() else { continue };
            let siblings: Vec<ComponentId> = holders_of(estate, workload).into_iter().filter(|holder| all.contains(holder)).collect();
            let bad = siblings.iter().filter(|sibling| troubled.contains(sibling)).count();
            if siblings.len() == 1 || bad * 2 > siblings.len() {
                nearest.insert(vessel, workload);
            }
        }
        let mut stands_for = BTreeMap::new();
        let mut vessels: BTreeMap<ComponentId, Vec<ComponentId>> = BTreeMap::new();
        for &vessel in nearest.keys() {
            // Containment has no cycles, so this ends at a workload (container in pod, service in container).
            let mut at = vessel;
            while let Some(&next) = nearest.get(&at) {
                at = next;
            }
            stands_for.insert(vessel, at);
            vessels.entry(at).or_default().push(vessel);
        }
        let mut units = Self { estate, stands_for, vessels, named: Vec::new(), stand_ins: Vec::new() };
        let in_units = |(by, of): (ComponentId, ComponentId)| Some((units.of(by), units.of(of))).filter(|(by, of)| by != of);
        let named = named.iter().copied().filter_map(in_units).collect();
        let single: BTreeSet<ComponentId> = troubled.iter().map(|component| units.of(*component)).collect();
        let below = |unit: &ComponentId| estate.below_workloads(*unit).into_iter().map(|of| (*unit, of)).collect::<Vec<_>>();
        let stand_ins = single.iter().flat_map(below).filter_map(in_units).collect();
        units.named = named;
        units.stand_ins = stand_ins;
        units
    }

    /// The component that the unit is named after.
    pub fn of(&self, component: ComponentId) -> ComponentId {
        self.stands_for.get(&component).copied().unwrap_or(component)
    }

    /// Units that a fault of this one may reach.
    pub fn dependents(&self, unit: ComponentId) -> BTreeMap<ComponentId, u32> {
        self.walk(unit, true)
    }

    /// Units whose faults may reach this one.
    pub fn dependencies(&self, unit: ComponentId) -> BTreeMap<ComponentId, u32> {
        self.walk(unit, false)
    }

    /// Units that this one calls: its direct dependencies except those that contain it.
    pub fn called(&self, unit: ComponentId) -> BTreeSet<ComponentId> {
        let direct = |member: ComponentId| {
            let holders = holders_of(self.estate, member);
            let below = self.estate.dependencies(member, &[], Some(1)).into_iter().map(|reached| reached.component);
            below.filter(|other| !holders.contains(other)).collect::<Vec<ComponentId>>()
        };
        let named = self.named.iter().chain(&self.stand_ins).filter(|(by, _)| *by == unit).map(|(_, of)| *of);
        self.members(unit).flat_map(direct).map(|other| self.of(other)).filter(|other| *other != unit).chain(named).collect()
    }

    /// Units that name this one.
    pub fn named_by(&self, unit: ComponentId) -> impl Iterator<Item = ComponentId> {
        self.named.iter().filter(move |(_, of)| *of == unit).map(|(by, _)| *by)
    }

    /// The components of the unit, vessels first.
    pub fn members(&self, unit: ComponentId) -> impl Iterator<Item = ComponentId> {
        self.vessels.get(&unit).into_iter().flatten().copied().chain([unit])
    }

    /// Units and the fewest hops to them, without the unit itself.
    fn walk(&self, unit: ComponentId, up: bool) -> BTreeMap<ComponentId, u32> {
        let mut found: BTreeMap<ComponentId, u32> = BTreeMap::new();
        self.add(&mut found, unit, 0, up);
        if !up {
            for (_, of) in self.stand_ins.iter().filter(|(by, _)| *by == unit) {
                nearer(&mut found, *of, 1);
                self.add(&mut found, *of, 1, up);
            }
        }
        while let Some((next, hops)) = self.over_a_name(unit, &found, up) {
            found.insert(next, hops);
            self.add(&mut found, next, hops, up);
        }
        if up {
            // What stands on their workload is found with it.
            for (by, of) in &self.stand_ins {
                let hops = if *of == unit { Some(0) } else { found.get(of).copied() };
                if let Some(hops) = hops {
                    nearer(&mut found, *by, hops + 1);
                }
            }
        }
        found.remove(&unit);
        found
    }

    /// Adds what relations reach from a unit that is `hops` away.
    fn add(&self, found: &mut BTreeMap<ComponentId, u32>, from: ComponentId, hops: u32, up: bool) {
        let reach = |at: ComponentId| if up { self.estate.dependents(at, &[], None) } else { self.estate.dependencies(at, &[], None) };
        for reached in self.members(from).flat_map(reach) {
            nearer(found, self.of(reached.component), hops + reached.distance);
        }
    }

    /// The next unit that is nearer over a name than it was, with the hops to it.
    fn over_a_name(&self, unit: ComponentId, found: &BTreeMap<ComponentId, u32>, up: bool) -> Option<(ComponentId, u32)> {
        self.named.iter().find_map(|(by, of)| {
            let (near, far) = if up { (of, by) } else { (by, of) };
            let hops = if *near == unit { 1 } else { found.get(near)? + 1 };
            (*far != unit && found.get(far).is_none_or(|known| *known > hops)).then_some((*far, hops))
        })
    }
}

/// Enters a unit, with fewer hops if it was farther.
fn nearer(found: &mut BTreeMap<ComponentId, u32>, unit: ComponentId, hops: u32) {
    let distance = found.entry(unit).or_insert(hops);
    *distance = hops.min(*distance);
}

/// The components that it contains directly, ascending.
fn held_by(estate: &Snapshot, holder: ComponentId) -> Vec<ComponentId> {
    neighbours(estate, holder, Containment::StartHolds, Containment::EndHolds)
}

/// The components that contain it directly, ascending.
fn holders_of(estate: &Snapshot, held: ComponentId) -> Vec<ComponentId> {
    neighbours(estate, held, Containment::EndHolds, Containment::StartHolds)
}

fn neighbours(estate: &Snapshot, of: ComponentId, ahead: Containment, back: Containment) -> Vec<ComponentId> {
    let is = |kind: &str, wanted: Containment| estate.model().relations.get(kind).is_some_and(|kind| kind.containment == wanted);
    let from = estate.relations_from(of).into_iter().filter(|r| is(&r.kind, ahead)).map(|r| r.to);
    let to = estate.relations_to(of).into_iter().filter(|r| is(&r.kind, back)).map(|r| r.from);
    from.chain(to).collect::<BTreeSet<ComponentId>>().into_iter().collect()
}
