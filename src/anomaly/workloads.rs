//! Units: a pod and the service that runs on it are judged as one and carry one name.

use std::collections::{BTreeMap, BTreeSet};

use estate::{ComponentId, Containment, Reached, Snapshot};

/// Types (including subtypes) that exist only to run one workload. A host is not one of them: it has its own owner and its own faults,
/// even if only one workload runs on it.
const VESSELS: [&str; 2] = ["pod", "container"];

/// Maps components to units: every component belongs to exactly one unit, named after the workload.
pub(super) struct Units<'a> {
    estate: &'a Snapshot,
    /// From a vessel to its workload; components that are their own unit are absent.
    stands_for: BTreeMap<ComponentId, ComponentId>,
    vessels: BTreeMap<ComponentId, Vec<ComponentId>>,
}

impl<'a> Units<'a> {
    /// A vessel with exactly one workload is merged with it if it is the only vessel of the workload, or if more than half of the
    /// vessels are in trouble. A single bad replica of many is itself the suspect.
    pub fn new(estate: &'a Snapshot, troubled: &BTreeSet<ComponentId>) -> Self {
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
        Self { estate, stands_for, vessels }
    }

    /// The component that the unit is named after.
    pub fn of(&self, component: ComponentId) -> ComponentId {
        self.stands_for.get(&component).copied().unwrap_or(component)
    }

    /// Units that a fault of this one may reach.
    pub fn dependents(&self, unit: ComponentId) -> BTreeMap<ComponentId, u32> {
        self.walk(unit, |at| self.estate.dependents(at, &[], None))
    }

    /// Units whose faults may reach this one.
    pub fn dependencies(&self, unit: ComponentId) -> BTreeMap<ComponentId, u32> {
        self.walk(unit, |at| self.estate.dependencies(at, &[], None))
    }

    /// Units that this one calls: its direct dependencies except those that contain it.
    pub fn called(&self, unit: ComponentId) -> BTreeSet<ComponentId> {
        let direct = |member: ComponentId| {
            let holders = holders_of(self.estate, member);
            let below = self.estate.dependencies(member, &[], Some(1)).into_iter().map(|reached| reached.component);
            below.filter(|other| !holders.contains(other)).collect::<Vec<ComponentId>>()
        };
        self.members(unit).flat_map(direct).map(|other| self.of(other)).filter(|other| *other != unit).collect()
    }

    /// The components of the unit, vessels first.
    pub fn members(&self, unit: ComponentId) -> impl Iterator<Item = ComponentId> {
        self.vessels.get(&unit).into_iter().flatten().copied().chain([unit])
    }

    /// Units and the fewest hops to them, without the unit itself.
    fn walk(&self, unit: ComponentId, reach: impl Fn(ComponentId) -> Vec<Reached>) -> BTreeMap<ComponentId, u32> {
        let mut found: BTreeMap<ComponentId, u32> = BTreeMap::new();
        for reached in self.members(unit).flat_map(reach) {
            let distance = found.entry(self.of(reached.component)).or_insert(reached.distance);
            *distance = reached.distance.min(*distance);
        }
        found.remove(&unit);
        found
    }
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
