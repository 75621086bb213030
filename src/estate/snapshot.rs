//! The estate at one moment: validated, immutable, shared between threads.
//!
//! A snapshot is a base, which it shares with others, and an overlay of what is different by now. A change of a few items makes the next
//! snapshot in the time that these take ([`Snapshot::with`]); once the overlay has grown, it is folded into a new base
//! ([`Snapshot::folded`]). No answer depends on what is in which.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use petgraph::Direction;

use super::base::{Base, position};
use super::build::base_model;
use super::component::{Component, ComponentId, Group, Relation};
use super::csr::{Row, Scratch};
use super::graph::{Edge, KindIndex, KindTraits, Link, Step};
use super::model::{Model, State};
use super::overlay::{Overlay, Side};
use super::slots::{ByComponent, ROOM, Slots};

/// All components and relations at one moment. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(super) base: Arc<Base>,
    pub(super) slots: Slots,
    pub(super) overlay: Overlay,
    /// How many components there are.
    pub(super) live: usize,
}

/// Shared by all threads of a server: this does not compile if it is not `Sync`.
const fn shared_between_threads<T: Send + Sync>() {}
const _: () = shared_between_threads::<Snapshot>();

impl Snapshot {
    /// `components` and `groups` in the order of their ids; `edges` unique, between these components, of the kinds of this model;
    /// components are named by their numbers in `slots`.
    pub(super) fn new(
        model: Model,
        components: Vec<Component>,
        edges: &[Edge],
        effects: BTreeMap<Edge, State>,
        groups: Vec<Group>,
        slots: Slots,
    ) -> Self {
        let live = components.len();
        let base = Base::new(model, components, edges, effects, groups, &slots);
        Self { base: Arc::new(base), slots, overlay: Overlay::default(), live }
    }

    /// The base model, and no components.
    pub fn empty() -> Snapshot {
        Self::new(base_model(), Vec::new(), &[], BTreeMap::new(), Vec::new(), Slots::new(0, ROOM))
    }

    pub fn model(&self) -> &Model {
        &self.base.model
    }

    pub fn len(&self) -> usize {
        self.live
    }

    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Ascending, which is the order of the components' own ids.
    pub fn ids(&self) -> impl Iterator<Item = ComponentId> + '_ {
        self.order().map(|slot| self.slots.id(slot))
    }

    /// The slots of all components in the order of their ids.
    pub(super) fn order(&self) -> impl Iterator<Item = u32> + '_ {
        let mut base = (0..self.base.count()).peekable();
        let mut added = self.overlay.added.values().peekable();
        let all = std::iter::from_fn(move || {
            let first = added.peek().is_some_and(|one| base.peek().is_none_or(|slot| one.before <= *slot));
            if first { added.next().map(|one| one.slot) } else { base.next() }
        });
        all.filter(|slot| self.is_there(*slot))
    }

    /// A value for each component, at first the same for all.
    pub fn table<T: Copy>(&self, usual: T) -> ByComponent<T> {
        ByComponent::new(self.slots.clone(), usual)
    }

    /// Whether a slot has a component: it may have been removed.
    pub(super) fn is_there(&self, slot: u32) -> bool {
        match self.overlay.locals.get(slot) {
            Some(local) => !local.gone,
            None => slot < self.base.count(),
        }
    }

    /// Whether an entry of an index still holds: that of the base unless its component changed.
    fn still(&self, slot: u32, holds: impl FnOnce(&Component) -> bool) -> bool {
        self.overlay.locals.get(slot).is_none_or(|local| !local.gone && holds(&local.component))
    }

    pub(super) fn at(&self, slot: u32) -> Option<&Component> {
        match self.overlay.locals.get(slot) {
            Some(local) => Some(&local.component),
            None => self.base.component(slot),
        }
    }

    /// The component of an id from this snapshot. An id of another snapshot may mean another component, or none.
    #[allow(clippy::indexing_slicing, reason = "ids come only from this snapshot, never from outside")]
    pub fn component(&self, id: ComponentId) -> &Component {
        let slot = self.slots.slot(id);
        match self.overlay.locals.get(slot) {
            Some(local) => &local.component,
            None => &self.base.components[slot as usize],
        }
    }

    /// The slot of an id, also if its component was removed; else how many components of the base come before it.
    pub(super) fn slot_of(&self, id: &str) -> Result<u32, u32> {
        self.base.find(id).or_else(|before| self.overlay.added.get(id).map(|added| added.slot).ok_or(before))
    }

    pub fn find(&self, id: &str) -> Option<ComponentId> {
        let slot = self.slot_of(id).ok()?;
        self.is_there(slot).then(|| self.slots.id(slot))
    }

    /// By id, else by name, else by alias, if just one component has it.
    pub fn find_named(&self, name: &str) -> Option<ComponentId> {
        self.find(name).or_else(|| {
            let mut found = self.with_name(name);
            match (found.next(), found.next()) {
                (Some(only), None) => Some(self.slots.id(only)),
                (Some(_), Some(_)) => None,
                (None, _) => {
                    let mut found = self.with_alias(name);
                    let only = found.next()?;
                    if found.next().is_some() { None } else { Some(self.slots.id(only)) }
                }
            }
        })
    }

    /// All that a word may mean, ascending: the component of that id, else those of that name, else those of that alias.
    pub fn called(&self, word: &str) -> Vec<ComponentId> {
        if let Some(found) = self.find(word) {
            return vec![found];
        }
        let mut found: Vec<ComponentId> = self.with_name(word).map(|slot| self.slots.id(slot)).collect();
        if found.is_empty() {
            found = self.with_alias(word).map(|slot| self.slots.id(slot)).collect();
        }
        found.sort_unstable();
        found
    }

    fn with_name<'a>(&'a self, name: &'a str) -> impl Iterator<Item = u32> + 'a {
        let all = self.base.named(name).chain(self.overlay.names.get(name).iter().copied());
        all.filter(move |slot| self.still(*slot, |component| component.name == name))
    }

    fn with_alias<'a>(&'a self, alias: &'a str) -> impl Iterator<Item = u32> + 'a {
        let all = self.base.aliased(alias).chain(self.overlay.aliases.get(alias).iter().copied());
        all.filter(move |slot| self.still(*slot, |component| component.aliases.iter().any(|one| one == alias)))
    }

    /// Components of the type (name or Chinese name) and of its subtypes, ascending.
    pub fn of_type<'a>(&'a self, kind: &'a str) -> Vec<ComponentId> {
        let mut found: Vec<ComponentId> = self.types_under(kind).flat_map(|name| self.of_own_type(name)).collect();
        // Nearly in order already, of which only a stable sort makes use.
        found.sort();
        found
    }

    /// Whether there is any such component.
    pub fn has_type(&self, kind: &str) -> bool {
        self.types_under(kind).any(|name| self.of_own_type(name).next().is_some())
    }

    /// The types with components that are of this type or a subtype.
    fn types_under<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        let kind = self.model().find_type(kind).map_or(kind, |t| t.name.as_str());
        let known: BTreeSet<&str> = self.base.by_type.keys().map(String::as_str).chain(self.overlay.types.words()).collect();
        known.into_iter().filter(move |name| self.model().is_a(name, kind))
    }

    /// Components of exactly this type.
    pub(super) fn of_own_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = ComponentId> + 'a {
        let all = self.base.of_own_type(kind).iter().chain(self.overlay.types.get(kind)).copied();
        all.filter(move |slot| self.still(*slot, |component| component.kind == kind)).map(|slot| self.slots.id(slot))
    }

    /// Whether it is of the type (canonical name) or one of its subtypes.
    pub fn is_a(&self, component: ComponentId, kind: &str) -> bool {
        self.model().is_a(&self.component(component).kind, kind)
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
        let effect = self.own_effect(self.slots.slot(edge.from), edge.kind, self.slots.slot(edge.to));
        Some(Relation { from: edge.from, kind: self.kind(edge.kind)?.name.clone(), to: edge.to, effect })
    }

    pub(super) fn edges(&self, component: ComponentId, direction: Direction) -> impl Iterator<Item = Edge> + '_ {
        self.links(self.slots.slot(component), direction).map(move |link| {
            let other = self.slots.id(link.other);
            let (from, to) = match direction {
                Direction::Outgoing => (component, other),
                Direction::Incoming => (other, component),
            };
            Edge { from, kind: link.kind, to }
        })
    }

    /// Relations that begin or end at a component, in any order. [`Snapshot::own_effect`] knows their effects.
    pub(super) fn links(&self, slot: u32, direction: Direction) -> impl Iterator<Item = Link> + '_ {
        let local = self.overlay.locals.get(slot);
        let base = local.is_none().then(|| self.base.links(slot, direction));
        let own = local.map(|local| local.links(direction)).unwrap_or_default();
        base.into_iter().flatten().chain(own.iter().copied())
    }

    /// The hops of a fault from a component, or to it; sorted by where they lead.
    pub(super) fn row(&self, side: Side, slot: u32) -> Row<'_> {
        match (self.overlay.locals.get(slot), side) {
            (Some(local), side) => local.row(side),
            (None, Side::On) => self.base.on.row(slot),
            (None, Side::Back) => self.base.back.row(slot),
        }
    }

    /// In the order of their ids.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        let mut base = (0..position(self.base.groups.len())).filter_map(|at| self.group_at(at)).peekable();
        let mut added = self.overlay.added_groups.values().filter_map(|at| self.group_at(*at)).peekable();
        std::iter::from_fn(move || {
            let first = added.peek().is_some_and(|one| base.peek().is_none_or(|other| one.id < other.id));
            if first { added.next() } else { base.next() }
        })
    }

    pub(super) fn group_at(&self, at: u32) -> Option<&Group> {
        match self.overlay.groups.get(at) {
            Some(group) => group.as_deref(),
            None => self.base.groups.get(at as usize),
        }
    }

    /// Where a group is, or was.
    pub(super) fn group_position(&self, id: &str) -> Option<u32> {
        match self.base.groups.binary_search_by(|group| group.id.as_str().cmp(id)) {
            Ok(at) => Some(position(at)),
            Err(_) => self.overlay.added_groups.get(id).copied(),
        }
    }

    pub fn group(&self, id: &str) -> Option<&Group> {
        self.group_at(self.group_position(id)?)
    }

    /// The redundancy groups that it is a member of, in the order of their ids.
    pub fn groups_of(&self, component: ComponentId) -> impl Iterator<Item = &Group> {
        self.groups_at(self.slots.slot(component))
    }

    pub(super) fn groups_at(&self, slot: u32) -> impl Iterator<Item = &Group> {
        self.group_positions(slot).iter().filter_map(|at| self.group_at(*at))
    }

    pub(super) fn group_positions(&self, slot: u32) -> &[u32] {
        match self.overlay.locals.get(slot) {
            Some(local) => &local.groups,
            None => self.base.groups_of(slot),
        }
    }

    pub(super) fn in_group(&self, slot: u32) -> bool {
        match self.overlay.locals.get(slot) {
            Some(local) => !local.groups.is_empty(),
            None => self.base.in_group(slot),
        }
    }

    /// How hard a fault of `lost` hits `dependent` along a relation of this kind: its own effect, else that of the kind.
    pub(super) fn effect(&self, lost: u32, kind: KindIndex, dependent: u32) -> Option<State> {
        let usual = self.kind(kind)?.effect;
        Some(self.special_effect(lost, kind, dependent).unwrap_or(usual))
    }

    /// What a relation itself says of its effect on `dependent`.
    pub(super) fn special_effect(&self, lost: u32, kind: KindIndex, dependent: u32) -> Option<State> {
        if self.base.effects.is_empty() && !self.overlay.effects {
            return None;
        }
        let own = |from, to, ahead| self.own_effect(from, kind, to).filter(|_| self.carries_fault(kind, ahead));
        own(lost, dependent, true).max(own(dependent, lost, false))
    }

    /// How hard a fault hits along a relation, if not as its kind has it.
    pub(super) fn own_effect(&self, from: u32, kind: KindIndex, to: u32) -> Option<State> {
        match self.overlay.locals.get(from) {
            Some(local) => local.link(Direction::Outgoing, kind, to)?.effect,
            None if self.base.effects.is_empty() => None,
            None => self.base.effect(self.slots.id(from), kind, self.slots.id(to)),
        }
    }

    pub(super) fn kind(&self, index: KindIndex) -> Option<&KindTraits> {
        self.base.kinds.get(usize::from(index.0))
    }

    /// Kinds are sorted by name, so that a name is found by bisection. Canonical names only.
    pub(super) fn kind_index(&self, name: &str) -> Option<KindIndex> {
        let at = self.base.kinds.binary_search_by(|kind| kind.name.as_str().cmp(name)).ok()?;
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

    /// Lends memory for a walk.
    pub(super) fn walk<T>(&self, walk: impl FnOnce(&mut Scratch) -> T) -> T {
        self.base.pool.with(self.slots.len(), walk)
    }
}
