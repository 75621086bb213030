//! Counters for quantifiers: the result for each element of a set is cached, and shared by all conditions with the same set and
//! body. Only elements with a new fact, or whose cached result has expired, are evaluated again.

use std::sync::Arc;

use estate::ComponentId;
use value::{Time, Truth};

use super::Matcher;
use super::eval::Env;
use super::node::{Node, Where};
use super::store::NOWHERE;

/// For smaller sets, evaluating all elements is faster than looking up a counter.
const FEW: usize = 2;

#[derive(Debug)]
pub(super) struct Counter {
    elements: Arc<[ComponentId]>,
    /// For each element: the result, and until when it is valid.
    truths: Vec<(Truth, Time)>,
    /// The number of the last step that it has seen.
    seen: u64,
    counts: Counts,
}

/// How many elements of a set satisfy a condition, and until when that is valid if no fact comes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    pub holding: usize,
    pub unknown: usize,
    pub of: usize,
    pub until: Time,
}

impl Matcher {
    /// A fact about a component was taken.
    pub(super) fn heard_of(&mut self, component: Option<ComponentId>) {
        self.steps += 1;
        if let Some(heard) = component.and_then(|c| self.heard.get_mut(c)) {
            *heard = self.steps;
        }
    }

    /// Invalidates all counters.
    pub(super) fn count_anew(&mut self) {
        self.steps += 1;
        self.counters.borrow_mut().clear();
        self.heard = self.estate.table(0);
    }

    /// Counts the elements of a set that satisfy a condition about themselves only, now. `None`: evaluate them one by one instead.
    pub(super) fn counts(&self, number: u32, set: Where, body: &Node, env: &Env<'_>) -> Option<Counts> {
        let Where::Spec(spec, of) = set else { return None };
        let of = match of {
            Some(subject) => env.subject(subject)?,
            None => NOWHERE,
        };
        let key = (u64::from(number) << 32) | u64::from(of.0);
        let mut counters = self.counters.borrow_mut();
        if !counters.contains_key(&key) {
            let elements = self.elements(spec, of);
            if elements.len() < FEW {
                return None;
            }
            let counts = Counts { holding: 0, unknown: elements.len(), of: elements.len(), until: Time::MIN };
            if self.remembered.get() > self.limits.sets {
                counters.clear();
            }
            self.remembered.set(self.remembered.get() + elements.len());
            let truths = vec![(Truth::Unknown, Time::MIN); elements.len()];
            counters.insert(key, Counter { elements, truths, seen: 0, counts });
        }
        let counter = counters.get_mut(&key)?;
        if counter.seen == self.steps && counter.counts.until > self.now {
            return Some(counter.counts);
        }
        let mut counts = Counts { until: Time::MAX, ..counter.counts };
        for (&it, known) in counter.elements.iter().zip(&mut counter.truths) {
            if known.1 <= self.now || self.heard.get(it).is_some_and(|heard| heard > counter.seen) {
                let (old, new) = (known.0, self.eval(body, &Env { it: Some(it), ..*env }, self.now));
                counts.holding = counts.holding + usize::from(new.0.is_true()) - usize::from(old.is_true());
                counts.unknown = counts.unknown + usize::from(new.0 == Truth::Unknown) - usize::from(old == Truth::Unknown);
                *known = new;
            }
            counts.until = counts.until.min(known.1);
        }
        (counter.seen, counter.counts) = (self.steps, counts);
        Some(counts)
    }
}
