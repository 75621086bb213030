//! The estate at one moment: validated, immutable, shared between threads.
//!
//! Invariants: components are sorted by id, and a [`ComponentId`] is a position in that order; the graph has one node per
//! component, at the same position; relations are sorted and unique; containment has no cycle.

use std::collections::BTreeMap;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use super::build::base_model;
use super::component::{Component, ComponentId, Group, Relation};
use super::csr::{Pool, Rows, rows};
use super::graph::{Edge, KindIndex, KindTraits, Step};
use super::model::{Model, State};

/// All components and relations at one moment.
#[derive(Debug)]
pub struct Snapshot {
    model: Model,
    components: Vec<Component>,
    graph: DiGraph<ComponentId, KindIndex>,
    kinds: Vec<KindTraits>,
    /// How hard a fault hits along the relations that differ from their kind.
    effects: BTreeMap<Edge, State>,
    /// In the order of their ids.
    groups: Vec<Group>,
    /// Positions in `groups`.
    groups_of: BTreeMap<ComponentId, Vec<usize>>,
    /// For each component whether it is in one of them.
    grouped: Vec<bool>,
    /// Sorted by name, then by id.
    by_name: Vec<ComponentId>,
    /// Sorted by alias.
    aliases: Vec<(String, ComponentId)>,
    by_type: BTreeMap<String, Vec<ComponentId>>,
    /// The hops of faults, on and back.
    pub(super) on: Rows,
    pub(super) back: Rows,
    pub(super) pool: Pool,
}

/// Shared by all threads of a server: this does not compile if it is not `Sync`.
const fn shared_between_threads<T: Send + Sync>() {}
const _: () = shared_between_threads::<Snapshot>();

impl Snapshot {
    /// `components` and `groups` in the order of their ids; `edges` sorted, unique, between these components, of the
    /// kinds of this model.
    pub(super) fn new(
        model: Model,
        components: Vec<Component>,
        edges: Vec<Edge>,
        effects: BTreeMap<Edge, State>,
        groups: Vec<Group>,
    ) -> Self {
        let kinds = model
            .relations
            .values()
            .map(|kind| KindTraits { name: kind.name.clone(), travel: kind.travel, effect: kind.effect, containment: kind.containment })
            .collect();
        let mut graph = DiGraph::with_capacity(components.len(), edges.len());
        let mut by_type: BTreeMap<String, Vec<ComponentId>> = BTreeMap::new();
        let mut names: Vec<(&str, ComponentId)> = Vec::with_capacity(components.len());
        let mut aliases: Vec<(String, ComponentId)> = Vec::new();
        for (id, component) in (0u32..).map(ComponentId).zip(&components) {
            graph.add_node(id);
            by_type.entry(component.kind.clone()).or_default().push(id);
            names.push((component.name.as_str(), id));
            aliases.extend(component.aliases.iter().map(|alias| (alias.clone(), id)));
        }
        for edge in edges {
            graph.add_edge(node(edge.from), node(edge.to), edge.kind);
        }
        names.sort_unstable();
        aliases.sort_unstable();
        aliases.dedup();
        let by_name = names.into_iter().map(|(_, id)| id).collect();
        let mut groups_of: BTreeMap<ComponentId, Vec<usize>> = BTreeMap::new();
        for (at, group) in groups.iter().enumerate() {
            for member in &group.members {
                groups_of.entry(*member).or_default().push(at);
            }
        }
        let mut grouped = vec![false; components.len()];
        for member in groups_of.keys() {
            if let Some(slot) = grouped.get_mut(member.0 as usize) {
                *slot = true;
            }
        }
        let (on, back, pool) = (Rows::default(), Rows::default(), Pool::default());
        let mut snapshot =
            Self { model, components, graph, kinds, effects, groups, groups_of, grouped, by_name, aliases, by_type, on, back, pool };
        (snapshot.on, snapshot.back) = rows(&snapshot);
        snapshot
    }

    /// The base model, and no components.
    pub fn empty() -> Snapshot {
        Self::new(base_model(), Vec::new(), Vec::new(), BTreeMap::new(), Vec::new())
    }

    pub fn model(&self) -> &Model {
        &self.model
    }

    pub fn len(&self) -> usize {
        self.components.len()
    }

    pub fn is_empty(&self) -> bool {
        self.components.is_empty()
    }

    /// Ascending, which is the order of the components' own ids.
    pub fn ids(&self) -> impl Iterator<Item = ComponentId> + '_ {
        (0u32..).map(ComponentId).zip(&self.components).map(|(id, _)| id)
    }

    /// The component of an id from this snapshot. An id of another snapshot may mean another component, or none.
    #[allow(clippy::indexing_slicing, reason = "ids come only from this snapshot, never from outside")]
    pub fn component(&self, id: ComponentId) -> &Component {
        &self.components[id.0 as usize]
    }

    pub fn find(&self, id: &str) -> Option<ComponentId> {
        let at = self.components.binary_search_by(|component| component.id.as_str().cmp(id)).ok()?;
        u32::try_from(at).ok().map(ComponentId)
    }

    /// By id, else by name, else by alias, if just one component has it.
    pub fn find_named(&self, name: &str) -> Option<ComponentId> {
        self.find(name).or_else(|| {
            let first = self.by_name.partition_point(|id| self.component(*id).name.as_str() < name);
            let mut found = self.by_name.iter().skip(first).take_while(|id| self.component(**id).name == name);
            match (found.next(), found.next()) {
                (Some(only), None) => Some(*only),
                (Some(_), Some(_)) => None,
                (None, _) => self.find_alias(name),
            }
        })
    }

    fn find_alias(&self, alias: &str) -> Option<ComponentId> {
        let first = self.aliases.partition_point(|(one, _)| one.as_str() < alias);
        let mut found = self.aliases.iter().skip(first).take_while(|(one, _)| one == alias);
        let (_, only) = found.next()?;
        if found.next().is_some() { None } else { Some(*only) }
    }

    /// Components of the type (name or Chinese name) and of its subtypes, ascending.
    pub fn of_type<'a>(&'a self, kind: &'a str) -> Vec<ComponentId> {
        let kind = self.model.find_type(kind).map_or(kind, |t| t.name.as_str());
        let types = self.by_type.iter().filter(|(name, _)| self.model.is_a(name, kind));
        let mut found: Vec<ComponentId> = types.flat_map(|(_, ids)| ids).copied().collect();
        found.sort_unstable();
        found
    }

    /// Components of exactly this type, ascending.
    pub(super) fn of_own_type(&self, kind: &str) -> &[ComponentId] {
        self.by_type.get(kind).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether it is of the type (canonical name) or one of its subtypes.
    pub fn is_a(&self, component: ComponentId, kind: &str) -> bool {
        self.model.is_a(&self.component(component).kind, kind)
    }

    /// Sorted by start, kind, end.
    pub fn relations(&self) -> impl Iterator<Item = Relation> + '_ {
        self.ids().flat_map(|id| self.relations_from(id))
    }

    /// Sorted.
    pub fn relations_from(&self, component: ComponentId) -> Vec<Relation> {
        let mut edges: Vec<Edge> = self.edges(component, Direction::Outgoing).collect();
        edges.sort_unstable();
        edges.into_iter().filter_map(|edge| self.relation(edge)).collect()
    }

    /// Sorted.
    pub fn relations_to(&self, component: ComponentId) -> Vec<Relation> {
        let mut edges: Vec<Edge> = self.edges(component, Direction::Incoming).collect();
        edges.sort_unstable();
        edges.into_iter().filter_map(|edge| self.relation(edge)).collect()
    }

    fn relation(&self, edge: Edge) -> Option<Relation> {
        let effect = self.effects.get(&edge).copied();
        Some(Relation { from: edge.from, kind: self.kind(edge.kind)?.name.clone(), to: edge.to, effect })
    }

    pub(super) fn edges(&self, component: ComponentId, direction: Direction) -> impl Iterator<Item = Edge> + '_ {
        self.graph.edges_directed(node(component), direction).map(|edge| Edge {
            from: id_of(edge.source()),
            kind: *edge.weight(),
            to: id_of(edge.target()),
        })
    }

    /// In the order of their ids.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    pub fn group(&self, id: &str) -> Option<&Group> {
        let at = self.groups.binary_search_by(|group| group.id.as_str().cmp(id)).ok()?;
        self.groups.get(at)
    }

    /// The redundancy groups that it is a member of, in the order of their ids.
    pub fn groups_of(&self, component: ComponentId) -> impl Iterator<Item = &Group> {
        self.group_positions(component).map(|(_, group)| group)
    }

    /// The same, with their positions among all groups.
    pub(super) fn group_positions(&self, component: ComponentId) -> impl Iterator<Item = (usize, &Group)> {
        self.groups_of.get(&component).into_iter().flatten().filter_map(|at| Some((*at, self.groups.get(*at)?)))
    }

    pub(super) fn in_group(&self, component: ComponentId) -> bool {
        self.grouped.get(component.0 as usize) == Some(&true)
    }

    /// How hard a fault of `lost` hits `dependent` along a relation of this kind: its own effect, else that of the kind.
    pub(super) fn effect(&self, lost: ComponentId, kind: KindIndex, dependent: ComponentId) -> Option<State> {
        let usual = self.kind(kind)?.effect;
        self.own_effect(lost, kind, dependent).or(Some(usual))
    }

    /// What a relation itself says of its effect.
    pub(super) fn own_effect(&self, lost: ComponentId, kind: KindIndex, dependent: ComponentId) -> Option<State> {
        if self.effects.is_empty() {
            return None;
        }
        let own = |from, to, ahead| self.effects.get(&Edge { from, kind, to }).copied().filter(|_| self.carries_fault(kind, ahead));
        own(lost, dependent, true).max(own(dependent, lost, false))
    }

    pub(super) fn kind(&self, index: KindIndex) -> Option<&KindTraits> {
        self.kinds.get(usize::from(index.0))
    }

    /// Kinds are sorted by name, so that a name is found by bisection. Canonical names only.
    pub(super) fn kind_index(&self, name: &str) -> Option<KindIndex> {
        let at = self.kinds.binary_search_by(|kind| kind.name.as_str().cmp(name)).ok()?;
        u16::try_from(at).ok().map(KindIndex)
    }

    /// One hop along every relation that `follows` allows: it receives the kind, and whether the hop goes from start to
    /// end. Sorted by where the hop ends, then by kind.
    pub(super) fn steps(&self, from: ComponentId, follows: impl Fn(KindIndex, bool) -> bool) -> Vec<Step> {
        let ahead = self.edges(from, Direction::Outgoing).filter(|edge| follows(edge.kind, true)).map(|edge| (edge.to, edge.kind));
        let back = self.edges(from, Direction::Incoming).filter(|edge| follows(edge.kind, false)).map(|edge| (edge.from, edge.kind));
        let mut steps: Vec<Step> = ahead.chain(back).map(|(to, kind)| Step { to, kind }).collect();
        steps.sort_unstable();
        steps.dedup();
        steps
    }
}

fn node(id: ComponentId) -> NodeIndex {
    NodeIndex::new(id.0 as usize)
}

/// Nodes are added in the order of the components, so that both have the same number.
fn id_of(node: NodeIndex) -> ComponentId {
    ComponentId(u32::try_from(node.index()).unwrap_or(u32::MAX))
}
