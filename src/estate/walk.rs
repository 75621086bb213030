//! Walks over the relations: breadth first, deterministic, independent of file order.

use std::collections::BTreeSet;

use petgraph::Direction;

use super::component::ComponentId;
use super::csr::{Scratch, layers};
use super::graph::KindIndex;
use super::graph::Reached;
use super::overlay::Side;
use super::snapshot::Snapshot;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    pub component: ComponentId,
    /// The relation kind used to reach it; `None` for the first.
    pub via: Option<String>,
}

/// Where to look for peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerScope<'a> {
    Estate,
    /// Held by the same component of this type (canonical name).
    Type(&'a str),
    /// In the same redundancy group.
    Group,
}

impl Snapshot {
    /// Whether a fault travels along a hop: over a relation of the kind, from start to end or back.
    pub(super) fn carries_fault(&self, kind: KindIndex, ahead: bool) -> bool {
        self.kind(kind).is_some_and(|kind| kind.carries(ahead))
    }

    /// Whether a hop leads from what is held to its holder.
    pub(super) fn leads_to_holder(&self, kind: KindIndex, ahead: bool) -> bool {
        self.kind(kind).is_some_and(|kind| kind.leads_to_holder(ahead))
    }

    /// What a fault of `from` may reach, sorted by (distance, id), without `from` itself. `via`: only over these relation kinds
    /// (canonical names); empty means all.
    pub fn dependents(&self, from: ComponentId, via: &[String], max_hops: Option<u32>) -> Vec<Reached> {
        self.along(Side::On, from, via, max_hops)
    }

    /// What a fault reaches in one hop, or (`dependents` false) whose fault reaches it in one hop; ascending.
    pub fn next_to(&self, component: ComponentId, via: &[String], dependents: bool) -> Vec<ComponentId> {
        let kinds = self.kind_set(via);
        let side = if dependents { Side::On } else { Side::Back };
        let hops = self.row(side, self.slots.slot(component)).hops().filter(|(_, kind)| allowed(kinds.as_deref(), *kind));
        let mut found: Vec<ComponentId> = hops.map(|(to, _)| self.slots.id(to)).filter(|to| *to != component).collect();
        found.dedup();
        found
    }

    /// Whose faults may reach `from`: like [`Snapshot::dependents`], against the travel of faults.
    pub fn dependencies(&self, from: ComponentId, via: &[String], max_hops: Option<u32>) -> Vec<Reached> {
        self.along(Side::Back, from, via, max_hops)
    }

    fn along(&self, side: Side, from: ComponentId, via: &[String], max_hops: Option<u32>) -> Vec<Reached> {
        let kinds = self.kind_set(via);
        let from = self.slots.slot(from);
        self.walk(|walk| {
            if walk.see(from) {
                walk.queue.push(from);
            }
            match kinds.as_deref() {
                None => layers(walk, &self.slots, max_hops, |at| self.row(side, at).ends.iter().copied(), Scratch::see),
                Some(kinds) => {
                    let hops = |at| self.row(side, at).hops().filter(|(_, kind)| kinds.contains(kind)).map(|(to, _)| to);
                    layers(walk, &self.slots, max_hops, hops, Scratch::see)
                }
            }
        })
    }

    /// Kinds that do not exist are left out: nothing goes over them. `None`: all kinds.
    fn kind_set(&self, via: &[String]) -> Option<Vec<KindIndex>> {
        if via.is_empty() { None } else { Some(via.iter().filter_map(|name| self.kind_index(name)).collect()) }
    }

    /// Breadth first from several components at once; these are not in the answer. Sorted by (distance, id).
    pub(super) fn reach(&self, from: &[ComponentId], max_hops: Option<u32>, follows: impl Fn(KindIndex, bool) -> bool) -> Vec<Reached> {
        // Lookup only, never iterated.
        let mut seen: BTreeSet<ComponentId> = from.iter().copied().collect();
        let mut layer: Vec<ComponentId> = from.to_vec();
        let mut reached = Vec::new();
        let mut distance = 0u32;
        while !layer.is_empty() && max_hops.is_none_or(|most| distance < most) {
            distance += 1;
            let steps = layer.iter().flat_map(|at| self.steps(*at, &follows));
            let mut next: Vec<ComponentId> = steps.map(|step| step.to).filter(|to| seen.insert(*to)).collect();
            next.sort_unstable();
            reached.extend(next.iter().map(|&component| Reached { component, distance }));
            layer = next;
        }
        reached
    }

    /// The shortest path of a fault from `from` to `to`, both ends included. Ties are broken by the order of the components.
    pub fn path(&self, from: ComponentId, to: ComponentId) -> Option<Vec<Hop>> {
        let way = self.ways(from, to, 1).into_iter().next()?;
        let via = |(a, b): (&ComponentId, &ComponentId)| {
            let end = self.slots.slot(*b);
            let (_, kind) = self.row(Side::On, self.slots.slot(*a)).hops().find(|(to, _)| *to == end)?;
            self.kind(kind).map(|kind| kind.name.clone())
        };
        let hops = std::iter::once(None).chain(way.iter().zip(way.iter().skip(1)).map(via));
        Some(way.iter().zip(hops).map(|(component, via)| Hop { component: *component, via }).collect())
    }

    /// Over which kind of relation a fault goes from `from` to `to` in one hop, and whether that relation starts at `from`.
    pub fn hop(&self, from: ComponentId, to: ComponentId) -> Option<(&str, bool)> {
        let end = self.slots.slot(to);
        let (_, kind) = self.row(Side::On, self.slots.slot(from)).hops().find(|(to, _)| *to == end)?;
        let ahead = self.edges(from, Direction::Outgoing).any(|edge| edge.kind == kind && edge.to == to);
        self.kind(kind).map(|kind| (kind.name.as_str(), ahead))
    }

    /// Whether relations of the kind (canonical name) lead from `from` to `to`, from start to end, in at most
    /// `max_hops` (`None`: any number); `either_way` also against their direction.
    pub fn linked(&self, from: ComponentId, kind: &str, to: ComponentId, max_hops: Option<u32>, either_way: bool) -> bool {
        self.linked_from(from, kind, max_hops, either_way, true).contains(&to)
    }

    /// What relations of the kind lead to, from start to end (`ahead`) or from end to start; nearest first.
    pub fn linked_from(&self, from: ComponentId, kind: &str, max_hops: Option<u32>, either_way: bool, ahead: bool) -> Vec<ComponentId> {
        let Some(index) = self.kind_index(kind) else { return Vec::new() };
        let reached = self.reach(&[from], max_hops, |kind, forward| kind == index && (forward == ahead || either_way));
        reached.into_iter().map(|reached| reached.component).collect()
    }

    /// Everything that holds it, transitively; nearest first, then by id.
    pub fn holders(&self, component: ComponentId) -> Vec<ComponentId> {
        let reached = self.reach(&[component], None, |kind, ahead| self.leads_to_holder(kind, ahead));
        reached.into_iter().map(|reached| reached.component).collect()
    }

    /// Those holders that are of the type (canonical name) or its subtypes; nearest first.
    pub fn holder_of_type(&self, component: ComponentId, kind: &str) -> Vec<ComponentId> {
        self.holders(component).into_iter().filter(|holder| self.is_a(*holder, kind)).collect()
    }

    /// Everything that it holds, transitively; nearest first, then by id.
    pub fn held(&self, component: ComponentId) -> Vec<ComponentId> {
        let reached = self.reach(&[component], None, |kind, ahead| self.leads_to_holder(kind, !ahead));
        reached.into_iter().map(|reached| reached.component).collect()
    }

    /// Components of exactly its type, without itself; ascending.
    pub fn peers(&self, component: ComponentId, scope: PeerScope<'_>) -> Vec<ComponentId> {
        let kind = self.component(component).kind.as_str();
        let mut peers: Vec<ComponentId> = match scope {
            PeerScope::Estate => self.of_own_type(kind).collect(),
            PeerScope::Type(holder) => self.holder_of_type(component, holder).into_iter().flat_map(|holder| self.held(holder)).collect(),
            PeerScope::Group => self.groups_of(component).flat_map(|group| group.members.iter().copied()).collect(),
        };
        peers.retain(|peer| *peer != component && self.component(*peer).kind == kind);
        peers.sort_unstable();
        peers.dedup();
        peers
    }

    /// Whether one component of the type (canonical name) holds both.
    pub fn shares(&self, a: ComponentId, b: ComponentId, kind: &str) -> bool {
        let holders = self.holder_of_type(a, kind);
        self.holder_of_type(b, kind).iter().any(|holder| holders.contains(holder))
    }

    /// Whether both are members of one redundancy group.
    pub fn shares_group(&self, a: ComponentId, b: ComponentId) -> bool {
        self.groups_of(a).any(|group| group.members.contains(&b))
    }
}

fn allowed(kinds: Option<&[KindIndex]>, kind: KindIndex) -> bool {
    kinds.is_none_or(|kinds| kinds.contains(&kind))
}
