//! A small Bloom filter for each component: the patterns of which it may have signals. A sample may cross many bounds; the filter
//! limits them to rules whose anchoring signal may exist.

use estate::ComponentId;

use super::Matcher;
use super::network::Use;
use super::node::PatternId;

/// The mark of a use that is always notified.
pub(super) const UNMARKED: u8 = u8::MAX;

/// Different patterns may share a mark.
#[allow(clippy::cast_possible_truncation, reason = "smaller than 255")]
pub(super) fn mark_of(pattern: PatternId) -> u8 {
    (pattern.0 % u32::from(UNMARKED)) as u8
}

/// A set of marks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks([u64; 4]);

impl Marks {
    pub fn add(&mut self, mark: u8) {
        self.0[usize::from(mark >> 6)] |= 1 << (mark & 63);
    }

    pub fn has(&self, mark: u8) -> bool {
        mark == UNMARKED || self.0[usize::from(mark >> 6)] & (1 << (mark & 63)) != 0
    }

    fn join(&mut self, other: Marks) {
        self.0.iter_mut().zip(other.0).for_each(|(own, other)| *own |= other);
    }
}

/// The marks of the components for which an event matters in a role; for the role of the last query.
#[derive(Debug)]
pub(super) struct Bloom {
    component: ComponentId,
    role: u32,
    marks: Marks,
}

impl Bloom {
    pub fn new(component: ComponentId) -> Self {
        Bloom { component, role: u32::MAX, marks: Marks::default() }
    }
}

impl Matcher {
    /// Whether to notify a use: a rule with an anchor matches only where a signal fits the anchor, and has live instances only where
    /// there was one.
    pub(super) fn lets_through(&self, sieve: &mut Bloom, what: Use) -> bool {
        if what.mark == UNMARKED {
            return true;
        }
        if sieve.role != what.role {
            sieve.role = what.role;
            sieve.marks = self.marks_behind(what.role, sieve.component);
        }
        sieve.marks.has(what.mark)
    }

    /// The marks of all components to which the variable of a role may be bound when a component is in the role.
    fn marks_behind(&self, role: u32, component: ComponentId) -> Marks {
        let mut marks = Marks::default();
        let of = |component: &ComponentId| self.store.marks.get(*component).unwrap_or_default();
        if self.net.roles[role as usize].is_variable().is_some() {
            return of(&component);
        }
        match self.known_bases(role, component) {
            Some(bases) => bases.iter().for_each(|base| marks.join(of(base))),
            None => marks = Marks([u64::MAX; 4]),
        }
        marks
    }
}
