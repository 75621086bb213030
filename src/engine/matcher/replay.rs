//! Derives the history of a binding from the stored facts: for late facts, for another plan or estate, and for a restored state.

use estate::ComponentId;
use value::{Duration, Time};

use super::Matcher;
use super::eval::Env;
use super::instances::Binding;
use super::network::Shape;

impl Matcher {
    /// Derives the history of a binding from `from` to now, from the stored facts.
    pub(super) fn replay(&mut self, rule: u32, binding: &Binding, from: Time) {
        let net = &self.net.rules[rule as usize];
        let env = Env { binding, it: None };
        let mut spans: Vec<(Time, Time)> = Vec::new();
        let mut open: Option<Time> = None;
        let mut time = from;
        let due = loop {
            let (truth, changes) = self.eval(&net.condition, &env, time);
            if truth.is_true() {
                open.get_or_insert(time);
            } else if let Some(since) = open.take() {
                spans.push((since, time));
            }
            if changes > self.now {
                break changes;
            }
            time = changes.max(time.plus(1));
        };
        let (passes, until) = self.gates_pass(rule, binding, self.now);
        let known = self.live.find(rule, binding);
        let whole = net.shape == Shape::Whole;
        let clock = match (&net.shape, &net.condition) {
            (Shape::Lasting(duration), super::node::Node::Held { inner, .. }) => self.unbroken(inner, &env, *duration),
            (Shape::Exact | Shape::Lasting(_) | Shape::Whole, _) => self.now,
        };
        // It passed until this very instant: a fact of the same instant may still extend it.
        let unbroken = clock < self.now;
        let wanted = passes || unbroken || open.is_some() || !spans.is_empty() || (whole && self.passed_since(rule, binding, from));
        let Some(at) = known.or_else(|| if wanted { self.make(rule, binding) } else { None }) else { return };
        self.live.touch(at);
        let instance = &mut self.live.instances[at as usize];
        let before = instance.since;
        // What it was before `from` stays as it was.
        instance.held.retain_mut(|(since, until)| {
            *until = (*until).min(from);
            *since < *until
        });
        if let Some(since) = before.filter(|since| *since < from) {
            instance.held.push((since, from));
        }
        let mut since = open;
        let first = spans.first().map(|(start, _)| *start).or(open);
        if first == Some(from) && instance.held.last().is_some_and(|(_, until)| *until == from) {
            let joined = instance.held.pop().map_or(from, |(start, _)| start);
            match spans.first_mut() {
                Some(span) => span.0 = joined,
                None => since = Some(joined),
            }
        }
        instance.held.extend(spans);
        instance.blocked = super::instances::ANY_PART;
        instance.since = since;
        instance.clock = clock;
        instance.last = self.now;
        match (before, since) {
            (None, Some(_)) => self.begins(at, from),
            (Some(_), None) => self.ends(at, from),
            (Some(_), Some(_)) | (None, None) => self.explanation(at, from),
        }
        self.live.set_live(at, passes);
        let due = if passes { due.min(until) } else { Time::MAX };
        let ripe = match self.net.rules[rule as usize].shape {
            Shape::Lasting(duration) if passes && clock.plus(duration) > self.now => clock.plus(duration),
            Shape::Exact | Shape::Lasting(_) | Shape::Whole => Time::MAX,
        };
        if due.min(ripe) < Time::MAX {
            self.live.wake(at, due.min(ripe));
        }
    }

    /// Since when, at most `duration` ago, a condition has been true without a gap until now. What ends in this very instant
    /// counts: a fact of the same instant may still undo its end.
    pub(super) fn unbroken(&self, inner: &super::node::Node, env: &Env<'_>, duration: Duration) -> Time {
        let mut time = self.now.minus(duration);
        let mut since = None;
        loop {
            let (truth, next) = self.eval(inner, env, time);
            if truth.is_true() {
                since.get_or_insert(time);
            } else if time < self.now {
                since = None;
            }
            if next > self.now || time >= self.now {
                return since.unwrap_or(self.now);
            }
            time = next.max(time.plus(1));
        }
    }

    /// Whether the gates let a binding through at some instant from `from` on.
    pub(super) fn passed_since(&self, rule: u32, binding: &[ComponentId], from: Time) -> bool {
        self.net.rules[rule as usize].clauses.iter().all(|clause| {
            clause.iter().any(|(role, atom)| {
                let way = &self.net.roles[*role as usize];
                self.in_role(way, binding).into_iter().any(|component| {
                    let (truth, next) = self.eval(&self.net.atoms[*atom as usize], &Env::it(component), from);
                    truth.is_true() || next <= self.now
                })
            })
        })
    }
}
