//! Instances: components that come and go for another one, their workload: the pods of a service, the containers of a pod. The model says
//! which types they are (`instance_of`), and a relation of containment between two components ties them, whichever end holds the other:
//! `service runs_on pod`, `pod contains container`, `process belongs_to service`.

use std::collections::BTreeMap;

use petgraph::Direction;

use super::component::ComponentId;
use super::model::Containment;
use super::snapshot::Snapshot;

/// A process of a container of a pod of a service is three away.
const MAX_LEVEL: u8 = 4;

/// A component that is tied to another as its instance, or as its workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance {
    pub component: ComponentId,
    /// How many ties away, by the longest way: 1 is an instance, 2 an instance of that.
    pub level: u8,
}

impl Snapshot {
    /// What comes and goes for a component, at any level, in the order of ids.
    pub fn instances_of(&self, workload: ComponentId) -> Vec<Instance> {
        if self.model().types.get(&self.component(workload).kind).is_some_and(|of| of.has_instances) {
            self.levels(workload, true)
        } else {
            Vec::new()
        }
    }

    /// What a component comes and goes for, at any level, in the order of ids.
    pub fn workloads_of(&self, instance: ComponentId) -> Vec<Instance> {
        if self.kinds_of_workloads(instance).is_empty() { Vec::new() } else { self.levels(instance, false) }
    }

    /// The instance of a workload that has this id.
    pub fn find_instance(&self, workload: ComponentId, id: &str) -> Option<ComponentId> {
        self.find(id).filter(|one| self.workloads_of(*one).iter().any(|of| of.component == workload))
    }

    fn levels(&self, from: ComponentId, down: bool) -> Vec<Instance> {
        let mut found: BTreeMap<ComponentId, u8> = BTreeMap::new();
        let mut layer = vec![from];
        for level in 1..=MAX_LEVEL {
            let mut next: Vec<ComponentId> = layer.iter().flat_map(|at| self.tied(*at, down)).filter(|to| *to != from).collect();
            next.sort_unstable();
            next.dedup();
            if next.is_empty() {
                break;
            }
            found.extend(next.iter().map(|to| (*to, level)));
            layer = next;
        }
        found.into_iter().map(|(component, level)| Instance { component, level }).collect()
    }

    /// The components that are tied to one directly: its instances, or (`down` false) its workloads.
    fn tied(&self, component: ComponentId, down: bool) -> Vec<ComponentId> {
        let out = self.edges(component, Direction::Outgoing).map(|edge| (edge.kind, edge.to));
        let back = self.edges(component, Direction::Incoming).map(|edge| (edge.kind, edge.from));
        let holds = |kind| self.kind(kind).is_some_and(|kind| kind.containment != Containment::None);
        let fits = |other: ComponentId| if down { self.is_instance(other, component) } else { self.is_instance(component, other) };
        out.chain(back).filter(|(kind, other)| holds(*kind) && fits(*other)).map(|(_, other)| other).collect()
    }

    /// By their types. Two that could each be the instance of the other are neither.
    fn is_instance(&self, instance: ComponentId, workload: ComponentId) -> bool {
        let of = |one: ComponentId, other: ComponentId| self.kinds_of_workloads(one).iter().any(|kind| self.is_a(other, kind));
        of(instance, workload) && !of(workload, instance)
    }

    fn kinds_of_workloads(&self, component: ComponentId) -> &[String] {
        let kind = self.model().types.get(&self.component(component).kind);
        kind.map(|kind| kind.instance_of.as_slice()).unwrap_or_default()
    }
}
