//! What snapshots share: an estate with all its indexes, built at once.
//!
//! Invariants: components are sorted by id, and a slot is a position in that order; the graph has one node per component, at the same
//! position; relations are unique; containment has no cycle.

use std::collections::BTreeMap;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use super::component::{Component, ComponentId, Group};
use super::csr::{Pool, Rows, rows};
use super::graph::{Edge, KindIndex, KindTraits, Link};
use super::model::{Model, State};
use super::slots::Slots;

#[derive(Debug)]
pub(super) struct Base {
    pub model: Model,
    pub components: Vec<Component>,
    graph: DiGraph<(), KindIndex>,
    pub kinds: Vec<KindTraits>,
    /// How hard a fault hits along the relations that differ from their kind.
    pub effects: BTreeMap<Edge, State>,
    /// In the order of their ids.
    pub groups: Vec<Group>,
    /// Positions in `groups`, by slot.
    groups_of: BTreeMap<u32, Vec<u32>>,
    /// For each component whether it is in one of them.
    grouped: Vec<bool>,
    /// Slots, sorted by name.
    by_name: Vec<u32>,
    /// Sorted by alias; with slots.
    aliases: Vec<(String, u32)>,
    /// Slots, ascending.
    pub by_type: BTreeMap<String, Vec<u32>>,
    /// The hops of faults, on and back.
    pub on: Rows,
    pub back: Rows,
    pub pool: Pool,
}

impl Base {
    /// `components` and `groups` in the order of their ids; `edges` unique, between these components, of the kinds of this model.
    pub fn new(
        model: Model,
        components: Vec<Component>,
        edges: &[Edge],
        effects: BTreeMap<Edge, State>,
        groups: Vec<Group>,
        slots: &Slots,
    ) -> Self {
        let kinds: Vec<KindTraits> = model
            .relations
            .values()
            .map(|kind| KindTraits { name: kind.name.clone(), travel: kind.travel, effect: kind.effect, containment: kind.containment })
            .collect();
        let mut graph: DiGraph<(), KindIndex> = DiGraph::with_capacity(components.len(), edges.len());
        let mut by_type: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        let mut names: Vec<(&str, u32)> = Vec::with_capacity(components.len());
        let mut aliases: Vec<(String, u32)> = Vec::new();
        for (slot, component) in (0u32..).zip(&components) {
            graph.add_node(());
            by_type.entry(component.kind.clone()).or_default().push(slot);
            names.push((component.name.as_str(), slot));
            aliases.extend(component.aliases.iter().map(|alias| (alias.clone(), slot)));
        }
        for edge in edges {
            graph.add_edge(node(slots.slot(edge.from)), node(slots.slot(edge.to)), edge.kind);
        }
        names.sort_unstable();
        aliases.sort_unstable();
        aliases.dedup();
        let by_name = names.into_iter().map(|(_, slot)| slot).collect();
        let mut groups_of: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (at, group) in (0u32..).zip(&groups) {
            for member in &group.members {
                groups_of.entry(slots.slot(*member)).or_default().push(at);
            }
        }
        let mut grouped = vec![false; components.len()];
        for member in groups_of.keys() {
            if let Some(slot) = grouped.get_mut(*member as usize) {
                *slot = true;
            }
        }
        let (on, back) = rows(components.len(), &kinds, graph.raw_edges());
        let pool = Pool::default();
        Self { model, components, graph, kinds, effects, groups, groups_of, grouped, by_name, aliases, by_type, on, back, pool }
    }

    /// How many components.
    pub fn count(&self) -> u32 {
        u32::try_from(self.components.len()).unwrap_or(u32::MAX)
    }

    pub fn component(&self, slot: u32) -> Option<&Component> {
        self.components.get(slot as usize)
    }

    /// The slot of an id; else how many components come before it.
    pub fn find(&self, id: &str) -> Result<u32, u32> {
        let found = self.components.binary_search_by(|component| component.id.as_str().cmp(id));
        found.map(position).map_err(position)
    }

    /// Those of a name.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = u32> + 'a {
        let name_of = move |slot: u32| self.component(slot).map_or("", |component| component.name.as_str());
        let first = self.by_name.partition_point(|slot| name_of(*slot) < name);
        self.by_name.iter().copied().skip(first).take_while(move |slot| name_of(*slot) == name)
    }

    /// Those that have an alias.
    pub fn aliased<'a>(&'a self, alias: &'a str) -> impl Iterator<Item = u32> + 'a {
        let first = self.aliases.partition_point(|(one, _)| one.as_str() < alias);
        self.aliases.iter().skip(first).take_while(move |(one, _)| one == alias).map(|(_, slot)| *slot)
    }

    /// Components of exactly this type.
    pub fn of_own_type(&self, kind: &str) -> &[u32] {
        self.by_type.get(kind).map(Vec::as_slice).unwrap_or_default()
    }

    /// Relations that begin or end at a component. They say nothing of effects.
    pub fn links(&self, slot: u32, direction: Direction) -> impl Iterator<Item = Link> + '_ {
        self.graph.edges_directed(node(slot), direction).map(move |edge| {
            let other = match direction {
                Direction::Outgoing => edge.target(),
                Direction::Incoming => edge.source(),
            };
            Link { kind: *edge.weight(), other: position(other.index()), effect: None }
        })
    }

    /// Positions of its groups.
    pub fn groups_of(&self, slot: u32) -> &[u32] {
        self.groups_of.get(&slot).map(Vec::as_slice).unwrap_or_default()
    }

    pub fn in_group(&self, slot: u32) -> bool {
        self.grouped.get(slot as usize) == Some(&true)
    }

    /// How hard a fault hits along a relation, if not as its kind has it.
    pub fn effect(&self, from: ComponentId, kind: KindIndex, to: ComponentId) -> Option<State> {
        self.effects.get(&Edge { from, kind, to }).copied()
    }
}

/// Nodes are added in the order of the components, so that both have the same number.
fn node(slot: u32) -> NodeIndex {
    NodeIndex::new(slot as usize)
}

/// Positions in lists: an estate of 2^32 components would not fit into memory.
pub(super) fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
