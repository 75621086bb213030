//! Fault propagation as CSR adjacency: for each component, the hops of a fault from it and to it. Walks borrow scratch memory
//! from the snapshot, so that a query costs what it reaches, not the size of the estate.

use std::sync::{Mutex, PoisonError};

use petgraph::Direction;

use super::component::ComponentId;
use super::graph::Reached;
use super::graph::{KindIndex, Step};
use super::snapshot::Snapshot;

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
            rows.begins.push(at(rows.ends.len()));
            while let Some((_, to, kind)) = hops.next_if(|hop| hop.0 == component) {
                rows.ends.push(to);
                rows.kinds.push(kind);
            }
        }
        rows.begins.push(at(rows.ends.len()));
        rows
    }

    fn range(&self, component: u32) -> std::ops::Range<usize> {
        let of = |at: usize| self.begins.get(at).map_or(0, |begin| *begin as usize);
        of(component as usize)..of(component as usize + 1)
    }

    /// Where the hops from a component end. An end that several kinds lead to appears several times.
    pub fn ends(&self, component: u32) -> &[u32] {
        self.ends.get(self.range(component)).unwrap_or_default()
    }

    pub fn steps(&self, component: u32) -> impl Iterator<Item = Step> + '_ {
        let range = self.range(component);
        let kinds = self.kinds.get(range.clone()).unwrap_or_default();
        let ends = self.ends.get(range).unwrap_or_default();
        ends.iter().zip(kinds).map(|(to, kind)| Step { to: ComponentId(*to), kind: *kind })
    }
}

/// Positions in a list of relations: an estate of 2^32 of them would not fit into memory.
fn at(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// Both directions of a fault: onward from a component, and back to where it may have come from.
pub(super) fn rows(snapshot: &Snapshot) -> (Rows, Rows) {
    let mut on = Vec::new();
    for from in snapshot.ids() {
        for edge in snapshot.edges(from, Direction::Outgoing) {
            if snapshot.carries_fault(edge.kind, true) {
                on.push((edge.from.0, edge.to.0, edge.kind));
            }
            if snapshot.carries_fault(edge.kind, false) {
                on.push((edge.to.0, edge.from.0, edge.kind));
            }
        }
    }
    let back = on.iter().map(|(from, to, kind)| (*to, *from, *kind)).collect();
    (Rows::new(snapshot.len(), on), Rows::new(snapshot.len(), back))
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
        if self.marks.len() != components || self.turn == u32::MAX {
            self.marks = vec![(0, 0); components];
            self.turn = 0;
        }
        self.turn += 1;
        self.queue.clear();
    }
}

/// Breadth first from the components in the queue: those reached in at most `max_hops`, by layers, each ascending.
pub(super) fn layers<I: Iterator<Item = u32>>(
    walk: &mut Scratch,
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
        reached.extend(layer.iter().map(|&component| Reached { component: ComponentId(component), distance }));
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
