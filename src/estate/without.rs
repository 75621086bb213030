//! Estates built anew from another: without components that were removed for good, or with the overlay folded in.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::Direction;

use super::component::{Component, ComponentId, Group};
use super::graph::Edge;
use super::slots::{ROOM, Slots};
use super::snapshot::Snapshot;

/// An overlay is folded in when it has one in so many components: questions then become noticeably slower.
const FOLDED_AT: usize = 100;
/// Smaller overlays cost nothing worth a fold.
const SMALL: usize = 1_000;

impl Snapshot {
    /// The same estate without some components, their relations, and their group memberships. A group keeps its `need`, even
    /// if it has fewer members left: it then shields nothing. A group without members is removed.
    ///
    /// Ids are those of the new snapshot; compare by [`Component::id`].
    pub fn without(&self, gone: &BTreeSet<ComponentId>) -> Snapshot {
        self.rebuilt(|slot| !gone.contains(&self.slots.id(slot)), ROOM)
    }

    /// The same estate without an overlay. Costs as much as building it, so a server does it beside its work, and then applies
    /// the changes that came in the meantime to the result. Ids are those of the new snapshot.
    pub fn folded(&self) -> Snapshot {
        self.rebuilt(|_| true, self.slots.room())
    }

    /// How many components the overlay has something of.
    pub fn overlaid(&self) -> usize {
        self.overlay.locals.len()
    }

    /// Whether it is time to fold: the overlay has one in a hundred components.
    pub fn is_worth_folding(&self) -> bool {
        self.overlaid() >= SMALL && self.overlaid().saturating_mul(FOLDED_AT) >= self.len()
    }

    /// `room`: for additions, as [`Slots::new`] takes it.
    pub(super) fn rebuilt(&self, keeps: impl Fn(u32) -> bool, room: u32) -> Snapshot {
        let kept: Vec<u32> = self.order().filter(|slot| keeps(*slot)).collect();
        let slots = Slots::new(kept.len(), room);
        let mut new: Vec<Option<ComponentId>> = vec![None; self.base.components.len() + self.overlay.added.len()];
        for (at, slot) in (0u32..).zip(&kept) {
            if let Some(new) = new.get_mut(*slot as usize) {
                *new = Some(slots.id(at));
            }
        }
        let new = |slot: u32| new.get(slot as usize).copied().flatten();
        let components: Vec<Component> = kept.iter().filter_map(|slot| self.at(*slot).cloned()).collect();
        let mut edges = Vec::new();
        let mut effects = BTreeMap::new();
        for &start in &kept {
            for link in self.links(start, Direction::Outgoing) {
                let (Some(from), Some(to)) = (new(start), new(link.other)) else { continue };
                let edge = Edge { from, kind: link.kind, to };
                edges.push(edge);
                if let Some(effect) = self.own_effect(start, link.kind, link.other) {
                    effects.insert(edge, effect);
                }
            }
        }
        let of = |group: &Group| Group {
            id: group.id.clone(),
            // The order stays.
            members: group.members.iter().filter_map(|member| new(self.slots.slot(*member))).collect(),
            need: group.need,
        };
        let groups: Vec<Group> = self.groups().map(of).filter(|group| !group.members.is_empty()).collect();
        Snapshot::new(self.model().clone(), components, &edges, effects, groups, slots)
    }
}
