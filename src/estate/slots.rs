//! The two numbers of a component.
//!
//! Inside this package it has a *slot*: a position in tables, without gaps. Components that a change adds get the slots behind all
//! others. To other packages it is a [`ComponentId`]. The order of these numbers is that of the components' own ids, also after a
//! change: they leave room between two neighbors, and what is added gets numbers from it. So whatever sorts by `ComponentId` sorts
//! by id, and shows the same whether a component was in the estate from the start or came with a change.

use std::sync::Arc;

use super::component::ComponentId;

/// There is room for 2^20 numbers from one component to the next; less in an estate of more than 4,094 components, because
/// 32 bits must suffice: for 2^12 if it has a million.
pub(super) const ROOM: u32 = 20;

/// What no component has.
const NOBODY: u32 = u32::MAX;

#[derive(Debug, Clone, Default)]
pub(super) struct Slots {
    /// The room that was asked for, and that there is; as powers of two.
    room: u32,
    shift: u32,
    /// Components in slots from 0 on, in the order of their ids.
    base: u32,
    /// The numbers of those that were added, by slot.
    added: Arc<[ComponentId]>,
    /// The same with their slots, ascending.
    sorted: Arc<[(ComponentId, u32)]>,
}

impl Slots {
    pub fn new(components: usize, room: u32) -> Slots {
        let base = u32::try_from(components).unwrap_or(u32::MAX);
        let shift = base.saturating_add(1).leading_zeros().min(room);
        Slots { room, shift, base, ..Slots::default() }
    }

    pub fn room(&self) -> u32 {
        self.room
    }

    /// Slots, also of components that were removed.
    pub fn len(&self) -> usize {
        self.base as usize + self.added.len()
    }

    pub fn is_added(&self, slot: u32) -> bool {
        slot >= self.base
    }

    pub fn id(&self, slot: u32) -> ComponentId {
        match slot.checked_sub(self.base) {
            None => ComponentId((slot + 1) << self.shift),
            Some(more) => self.added.get(more as usize).copied().unwrap_or(ComponentId(NOBODY)),
        }
    }

    /// A number that no slot has, if the id is from elsewhere.
    pub fn slot(&self, id: ComponentId) -> u32 {
        let at = id.0 >> self.shift;
        if at << self.shift == id.0 {
            let slot = at.wrapping_sub(1);
            return if slot < self.base { slot } else { NOBODY };
        }
        let found = self.sorted.binary_search_by_key(&id, |(id, _)| *id);
        found.ok().and_then(|at| self.sorted.get(at)).map_or(NOBODY, |(_, slot)| *slot)
    }

    /// Gives numbers to all that was added: for each how many components of the base come before it, and its slot; in the order of
    /// their ids. `None` if there is no room.
    pub fn numbered(&self, added: &[(u32, u32)]) -> Option<Slots> {
        let room = 1u32 << self.shift;
        let mut ids = vec![ComponentId(NOBODY); added.len()];
        let mut sorted = Vec::with_capacity(added.len());
        for run in added.chunk_by(|a, b| a.0 == b.0) {
            let step = room / u32::try_from(run.len()).ok()?.saturating_add(1);
            if step == 0 {
                return None;
            }
            for (&(before, slot), nth) in run.iter().zip(1u32..) {
                let id = ComponentId((before << self.shift) + nth * step);
                *ids.get_mut(slot.checked_sub(self.base)? as usize)? = id;
                sorted.push((id, slot));
            }
        }
        Some(Slots { room: self.room, shift: self.shift, base: self.base, added: ids.into(), sorted: sorted.into() })
    }
}

/// A value for each component of a snapshot. Takes memory up to the last one that was set.
#[derive(Debug, Clone, Default)]
pub struct ByComponent<T> {
    slots: Slots,
    usual: T,
    values: Vec<T>,
}

impl<T: Copy> ByComponent<T> {
    pub(super) fn new(slots: Slots, usual: T) -> Self {
        ByComponent { slots, usual, values: Vec::new() }
    }

    /// `None` if the snapshot has no such component.
    pub fn get(&self, component: ComponentId) -> Option<T> {
        let slot = self.slots.slot(component) as usize;
        self.values.get(slot).copied().or_else(|| (slot < self.slots.len()).then_some(self.usual))
    }

    /// `None` if the snapshot has no such component.
    pub fn get_mut(&mut self, component: ComponentId) -> Option<&mut T> {
        let slot = self.slots.slot(component) as usize;
        if slot >= self.values.len() && slot < self.slots.len() {
            self.values.resize(slot + 1, self.usual);
        }
        self.values.get_mut(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::{ComponentId, Slots};

    #[test]
    fn numbers_keep_the_order_and_come_back() {
        for (components, room) in [(0, 20), (1, 20), (5, 2), (4_095, 20), (1_000_000, 20)] {
            let slots = Slots::new(components, room);
            let base = u32::try_from(components).unwrap();
            // Two before everything, one before the last, one behind everything.
            let mut added = vec![(0, base + 2), (0, base), (base.saturating_sub(1), base + 1), (base, base + 3)];
            added.sort_by_key(|(before, _)| *before);
            let slots = slots.numbered(&added).unwrap();
            let order: Vec<u32> = {
                let mut all: Vec<ComponentId> = (0..base + 4).map(|slot| slots.id(slot)).collect();
                all.sort_unstable();
                all.dedup();
                all.into_iter().map(|id| slots.slot(id)).collect()
            };
            assert_eq!(order.len(), components + 4);
            let mut expected = Vec::new();
            for before in 0..=base {
                expected.extend(added.iter().filter(|(gap, _)| *gap == before).map(|(_, slot)| *slot));
                expected.extend((before < base).then_some(before));
            }
            assert_eq!(order, expected, "{components}");
            for stranger in [ComponentId(0), ComponentId(u32::MAX)] {
                assert_eq!(slots.slot(stranger), u32::MAX);
            }
        }
    }

    #[test]
    fn there_is_an_end_of_the_room() {
        let slots = Slots::new(5, 2);
        let run = |many: u32| (0..many).map(|nth| (3, 5 + nth)).collect::<Vec<_>>();
        assert!(slots.numbered(&run(3)).is_some() && slots.numbered(&run(4)).is_none());
    }
}
