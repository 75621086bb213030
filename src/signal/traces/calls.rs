//! Turns spans into visits and calls: what a component did for one request, its own time, and which components it called.
//!
//! A visit is everything that one component does for one request: the span with which the request enters it, and the component's own
//! spans below. Own time is the duration of the entering span minus the time in which the visit waits for others: the union of its
//! calls, each clipped to the entering span. A call is the outgoing span of the caller (which includes the network), or else the
//! entering span of the callee. Asynchronous work (of consumers) is not subtracted.

use super::spans::{Kind, Span};

/// One request in one party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Visit {
    /// Position in the list of parties.
    pub party: u32,
    /// Nanoseconds since 1970.
    pub end: i64,
    /// Nanoseconds.
    pub duration: i64,
    /// Nanoseconds, at most `duration`.
    pub own: i64,
    pub error: bool,
}

/// One request from a party to another, as seen by the caller if it recorded the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub caller: u32,
    pub callee: u32,
    /// Nanoseconds since 1970.
    pub end: i64,
    /// Nanoseconds.
    pub duration: i64,
    pub error: bool,
}

#[derive(Debug, Default)]
pub(super) struct Work {
    pub visits: Vec<Visit>,
    pub calls: Vec<Call>,
    /// When each trace starts, nanoseconds since 1970.
    pub starts: Vec<i64>,
}

/// The tree of spans; all lists have one element per span.
struct Tree<'s> {
    spans: &'s [Span],
    parents: Vec<Option<usize>>,
    /// Whether a visit begins with it.
    enters: Vec<bool>,
    /// The span that its visit begins with; `None` for fragments whose beginning was not recorded.
    visit: Vec<Option<usize>>,
}

/// Takes spans sorted by key, each key once. Costs n log n, without a map.
pub(super) fn work(spans: &[Span]) -> Work {
    let tree = Tree::new(spans);
    let own = tree.own_times();
    let visit = |(at, span): (usize, &Span)| {
        let own = own.get(at).copied().filter(|_| tree.enters(at))?;
        Some(Visit { party: span.party, end: span.end, duration: span.duration(), own, error: span.error })
    };
    let traces = spans.chunk_by(|a, b| a.trace == b.trace);
    Work {
        visits: spans.iter().enumerate().filter_map(visit).collect(),
        calls: tree.calls(),
        starts: traces.filter_map(|trace| trace.iter().map(|span| span.start).min()).collect(),
    }
}

impl<'s> Tree<'s> {
    fn new(spans: &'s [Span]) -> Self {
        let parents: Vec<Option<usize>> = spans.iter().map(|span| parent(spans, span)).collect();
        let enters = spans.iter().zip(&parents).map(|(span, parent)| enters(span, parent.and_then(|at| spans.get(at)))).collect();
        let mut tree = Tree { spans, parents, enters, visit: Vec::new() };
        tree.visit = tree.visits();
        tree
    }

    fn enters(&self, at: usize) -> bool {
        self.enters.get(at) == Some(&true)
    }

    fn parent(&self, at: usize) -> Option<usize> {
        self.parents.get(at).copied().flatten()
    }

    /// Every span is visited once, even if spans are each other's parents.
    fn visits(&self) -> Vec<Option<usize>> {
        let mut found: Vec<Option<usize>> = vec![None; self.spans.len()];
        let mut seen = vec![false; self.spans.len()];
        let mut way = Vec::new();
        for start in 0..self.spans.len() {
            let mut next = Some(start);
            let mut visit = None;
            while let Some(at) = next {
                let Some(seen) = seen.get_mut(at) else { break };
                if std::mem::replace(seen, true) {
                    visit = found.get(at).copied().flatten();
                    break;
                }
                way.push(at);
                if self.enters(at) {
                    visit = Some(at);
                    break;
                }
                next = self.parent(at);
            }
            for at in way.drain(..) {
                if let Some(slot) = found.get_mut(at) {
                    *slot = visit;
                }
            }
        }
        found
    }

    /// The duration of each span; for entering spans, without the time that their visit waits.
    fn own_times(&self) -> Vec<i64> {
        let mut waits: Vec<(usize, i64, i64)> = self.spans.iter().enumerate().filter_map(|(at, span)| self.wait(at, span)).collect();
        waits.sort_unstable();
        let mut own: Vec<i64> = self.spans.iter().map(Span::duration).collect();
        let mut of = None;
        let mut counted = i64::MIN;
        for (visit, start, end) in waits {
            let (Some(span), Some(own)) = (self.spans.get(visit), own.get_mut(visit)) else { continue };
            if of != Some(visit) {
                of = Some(visit);
                counted = span.start;
            }
            let (from, to) = (start.max(counted), end.min(span.end));
            if to > from {
                *own -= to - from;
                counted = to;
            }
        }
        own
    }

    /// The visit that waits for this span, with the start and the end of the wait.
    fn wait(&self, at: usize, span: &Span) -> Option<(usize, i64, i64)> {
        let visit_of = |at: usize| self.visit.get(at).copied().flatten();
        if span.kind.leaves() {
            return Some((visit_of(at)?, span.start, span.end));
        }
        let parent = self.parent(at).filter(|_| self.enters(at) && span.kind != Kind::Consumer)?;
        let caller = self.spans.get(parent).filter(|caller| !caller.kind.leaves())?;
        // A span cannot start before its parent: its clock is behind by at least the difference.
        let behind = caller.start.saturating_sub(span.start).max(0);
        Some((visit_of(parent)?, span.start.saturating_add(behind), span.end.saturating_add(behind)))
    }

    fn calls(&self) -> Vec<Call> {
        let mut calls = Vec::new();
        let mut answered = vec![false; self.spans.len()];
        for (at, span) in self.spans.iter().enumerate().filter(|(at, span)| self.enters(*at) && span.kind != Kind::Consumer) {
            let Some(parent) = self.parent(at) else { continue };
            self.answer(parent, &mut answered);
            let Some(caller) = self.spans.get(parent).filter(|caller| caller.party != span.party) else { continue };
            let seen_by = if caller.kind.leaves() { caller } else { span };
            let error = span.error || seen_by.error;
            calls.push(Call { caller: caller.party, callee: span.party, end: seen_by.end, duration: seen_by.duration(), error });
        }
        // Calls to components that send no spans. Of nested client spans, only the inner one is a call.
        let open = |(_, span): &(usize, &Span)| span.peer.is_some_and(|peer| peer != span.party);
        for (at, _) in self.spans.iter().enumerate().filter(open) {
            if let Some(parent) = self.parent(at) {
                self.answer(parent, &mut answered);
            }
        }
        for (at, span) in self.spans.iter().enumerate().filter(open) {
            if let Some(callee) = span.peer.filter(|_| answered.get(at) == Some(&false)) {
                calls.push(Call { caller: span.party, callee, end: span.end, duration: span.duration(), error: span.error });
            }
        }
        calls
    }

    /// Marks the call of a span, and of the spans above it in the same visit, as known from the callee's side.
    fn answer(&self, from: usize, answered: &mut [bool]) {
        let mut next = Some(from);
        while let Some(at) = next {
            match answered.get_mut(at) {
                Some(slot) if !*slot && !self.enters(at) => *slot = true,
                Some(_) | None => break,
            }
            next = self.parent(at);
        }
    }
}

/// The position of the parent of a span.
fn parent(spans: &[Span], span: &Span) -> Option<usize> {
    let find = |id: u64, stays: bool| spans.binary_search_by(|other| other.key().cmp(&(span.trace, id, stays))).ok();
    if !span.kind.leaves()
        && let Some(half) = find(span.id, false)
    {
        return Some(half);
    }
    if span.parent == 0 || span.parent == span.id {
        return None;
    }
    find(span.parent, true).or_else(|| find(span.parent, false))
}

/// Whether a request enters a party with this span.
fn enters(span: &Span, parent: Option<&Span>) -> bool {
    if span.kind.leaves() {
        return false;
    }
    if let Some(parent) = parent {
        return parent.party != span.party || (parent.kind.leaves() && span.kind.arrives());
    }
    match span.kind {
        Kind::Server | Kind::Consumer | Kind::Unspecified => true,
        // Part of a visit whose beginning was not recorded, so its duration is unknown.
        Kind::Internal => span.parent == 0,
        Kind::Client | Kind::Producer => false,
    }
}
