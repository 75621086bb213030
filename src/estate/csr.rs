//! Fault propagation as CSR adjacency: for each component, the hops of a fault from it and to it. Walks borrow scratch memory
//! from the snapshot, so that a query costs what it reaches, not the size of the estate.

use std::sync::{Mutex, PoisonError};

use super::base::position;
use super::graph::{KindIndex, KindTraits, Reached};
use super::slots::Slots;

/// One row for each component; its hops are unique and sorted by end, then by kind.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Where each row begins, and the end of the last.
    begins: Vec<u32>,
    ends: Vec<u32>,
    kinds: Vec<KindIndex>,
}

impl Rows {
    /// `hops`: from, to, kind; in any order.
    fn new(components: usize, mut hops: Vec<(u32, u32, KindIndex)>) -> Rows {
        hops.sort_unstable();
        hops.dedup();
        let mut rows = Rows { begins: Vec::with_capacity(components + 1), ends: Vec::new(), kinds: Vec::new() };
        rows.ends.reserve_exact(hops.len());
        rows.kinds.reserve_exact(hops.len());
        let mut hops = hops.into_iter().peekable();
        for component in (0u32..).take(components) {
            rows.begins.push(position(rows.ends.len()));
            while let Some((_, to, kind)) = hops.next_if(|hop| hop.0 == component) {
                rows.ends.push(to);
                rows.kinds.push(kind);
            }
        }
        rows.begins.push(position(rows.ends.len()));
        rows
    }

    fn range(&self, component: u32) -> std::ops::Range<usize> {
        let of = |at: usize| self.begins.get(at).map_or(0, |begin| *begin as usize);
        of(component as usize)..of(component as usize + 1)
    }

    /// Where the hops from a component end, and the kind of each. An end that several kinds lead to appears several times.
    pub fn row(&self, component: u32) -> Row<'_> {
        let range = self.range(component);
        Row { ends: self.ends.get(range.clone()).unwrap_or_default(), kinds: self.kinds.get(range).unwrap_or_default() }
    }
}

/// The hops from one component, sorted by where they end, then by kind.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Row<'a> {
    pub ends: &'a [u32],
    kinds: &'a [KindIndex],
}

impl<'a> Row<'a> {
    pub fn hops(self) -> impl Iterator<Item = (u32, KindIndex)> + 'a {
        self.ends.iter().copied().zip(self.kinds.iter().copied())
    }
}

/// The same of a component that has changed.
#[derive(Debug, Clone, Default)]
pub(super) struct OwnRow {
    ends: Vec<u32>,
    kinds: Vec<KindIndex>,
}

impl OwnRow {
    /// `hops` in any order.
    pub fn new(slots: &Slots, mut hops: Vec<(u32, KindIndex)>) -> OwnRow {
        hops.sort_unstable_by_key(|(to, kind)| (slots.id(*to), *kind));
        hops.dedup();
        let (ends, kinds) = hops.into_iter().unzip();
        OwnRow { ends, kinds }
    }

    pub fn row(&self) -> Row<'_> {
        Row { ends: &self.ends, kinds: &self.kinds }
    }
}

/// Both directions of a fault: onward from a component, and back to where it may have come from.
pub(super) fn rows(components: usize, kinds: &[KindTraits], edges: &[petgraph::graph::Edge<KindIndex>]) -> (Rows, Rows) {
    let mut on = Vec::new();
    for edge in edges {
        let (from, to, kind) = (position(edge.source().index()), position(edge.target().index()), edge.weight);
        let carries = |ahead: bool| kinds.get(usize::from(kind.0)).is_some_and(|traits| traits.carries(ahead));
        if carries(true) {
            on.push((from, to, kind));
        }
        if carries(false) {
            on.push((to, from, kind));
        }
    }
    let back = on.iter().map(|(from, to, kind)| (*to, *from, *kind)).collect();
    (Rows::new(components, on), Rows::new(components, back))
}

/// Scratch memory of one walk: one entry for each component. An entry is valid if it carries the number of the walk.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    turn: u32,
    /// The number of the walk in which it was seen last, and what that walk noted of it.
    marks: Vec<(u32, u32)>,
    /// In the order in which they were reached.
    pub queue: Vec<u32>,
}

impl Scratch {
    /// Whether it was not seen in this walk.
    pub fn see(&mut self, component: u32) -> bool {
        self.see_as(component, 0)
    }

    /// The same; if it was not seen, the note is taken of it.
    pub fn see_as(&mut self, component: u32, note: u32) -> bool {
        match self.marks.get_mut(component as usize) {
            Some(mark) if mark.0 != self.turn => {
                *mark = (self.turn, note);
                true
            }
            Some(_) | None => false,
        }
    }

    /// What was noted of it in this walk, if it was seen.
    pub fn noted(&self, component: u32) -> Option<u32> {
        self.marks.get(component as usize).filter(|mark| mark.0 == self.turn).map(|mark| mark.1)
    }

    fn begin(&mut self, components: usize) {
        if self.turn == u32::MAX {
            self.marks.clear();
            self.turn = 0;
        }
        // Snapshots share this memory; one may have more components than the last.
        if self.marks.len() < components {
            self.marks.resize(components, (0, 0));
        }
        self.turn += 1;
        self.queue.clear();
    }
}

/// Breadth first from the components in the queue: those reached in at most `max_hops`, by layers, each ascending.
pub(super) fn layers<I: Iterator<Item = u32>>(
    walk: &mut Scratch,
    slots: &Slots,
    max_hops: Option<u32>,
    hops: impl Fn(u32) -> I,
    see: impl Fn(&mut Scratch, u32) -> bool,
) -> Vec<Reached> {
    let mut reached = Vec::new();
    let (mut from, mut distance) = (0, 0u32);
    while from < walk.queue.len() && max_hops.is_none_or(|most| distance < most) {
        distance += 1;
        let end = walk.queue.len();
        for at in from..end {
            let Some(&component) = walk.queue.get(at) else { break };
            for to in hops(component) {
                if see(walk, to) {
                    walk.queue.push(to);
                }
            }
        }
        let layer = walk.queue.get_mut(end..).unwrap_or_default();
        layer.sort_unstable();
        let begin = reached.len();
        reached.extend(layer.iter().map(|slot| Reached { component: slots.id(*slot), distance }));
        if layer.last().is_some_and(|slot| slots.is_added(*slot)) {
            // Added components have the last slots, wherever their ids belong: two ascending runs, or nearly.
            reached.get_mut(begin..).unwrap_or_default().sort_by_key(|reached| reached.component);
        }
        from = end;
    }
    reached
}

/// Scratch memory that is not in use.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Vec<Scratch>>);

impl Pool {
    pub fn with<T>(&self, components: usize, walk: impl FnOnce(&mut Scratch) -> T) -> T {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut scratch = free.unwrap_or_default();
        scratch.begin(components);
        let answer = walk(&mut scratch);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
        answer
    }
}
