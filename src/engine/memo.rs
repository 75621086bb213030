//! Caches for the evaluation of one rule: values that depend only on topology or facts, and are needed again at every instant.
//! Keys contain the address of a plan node, which outlives the engine; maps are only used for lookups, never iterated.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use rustc_hash::FxHashMap;

use compile::plan::{Cond, CondKind, Plan, Reach};
use estate::{ComponentId, Instance};
use value::{Duration, Time, Truth};

use super::Engine;
use super::evaluate::Env;
use super::evidence::SignalRef;
use super::outlook::Span;

/// A node of the plan for one binding.
type Key = (usize, Vec<ComponentId>, Option<ComponentId>);
/// Start, relation, how far, both ways, along the relation or against it.
type Walk = (ComponentId, String, Option<u32>, bool, bool);

#[derive(Default)]
pub(super) struct Memo {
    timelines: RefCell<BTreeMap<Key, Rc<Timeline>>>,
    elements: RefCell<BTreeMap<Key, Rc<Vec<ComponentId>>>>,
    matching: RefCell<BTreeMap<Key, Rc<Vec<SignalRef>>>>,
    reach: RefCell<BTreeMap<Walk, Rc<BTreeSet<ComponentId>>>>,
    /// The series of a metric of a component, combined at each instant at which a sample of one of them came.
    combined: RefCell<BTreeMap<(ComponentId, Period, String), Samples>>,
    /// The series that tell a metric of a component: positions, and how many ties away.
    told: RefCell<BTreeMap<(ComponentId, Period), BTreeMap<String, Places>>>,
    instances: RefCell<BTreeMap<ComponentId, Rc<Vec<Instance>>>>,
    /// By metric: its span of a component, with a window before.
    spans: RefCell<BTreeMap<String, Spans>>,
}

type Spans = FxHashMap<(ComponentId, Duration), Span>; // lookup only

pub(super) type Samples = Rc<Vec<(Time, f64)>>;
pub(super) type Places = Rc<Vec<(usize, u8)>>;

/// Which series are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Period {
    Now,
    /// The period known to be healthy.
    Healthy,
}

impl Memo {
    /// Clears the caches of one binding.
    pub(super) fn next_binding(&self) {
        self.timelines.borrow_mut().clear();
        self.elements.borrow_mut().clear();
        self.matching.borrow_mut().clear();
    }

    /// Clears the caches of one rule.
    pub(super) fn next_rule(&self) {
        self.next_binding();
        self.reach.borrow_mut().clear();
    }

    pub(super) fn combined(
        &self,
        component: ComponentId,
        period: Period,
        metric: &str,
        make: impl FnOnce() -> Vec<(Time, f64)>,
    ) -> Samples {
        remember(&self.combined, (component, period, metric.to_owned()), make)
    }

    pub(super) fn told(&self, component: ComponentId, period: Period, metric: &str, make: impl FnOnce() -> Vec<(usize, u8)>) -> Places {
        if let Some(found) = self.told.borrow().get(&(component, period)).and_then(|of| of.get(metric)) {
            return Rc::clone(found);
        }
        let fresh = Rc::new(make());
        self.told.borrow_mut().entry((component, period)).or_default().insert(metric.to_owned(), Rc::clone(&fresh));
        fresh
    }

    pub(super) fn span(&self, component: ComponentId, metric: &str, window: Duration, make: impl FnOnce() -> Span) -> Span {
        if let Some(found) = self.spans.borrow().get(metric).and_then(|of| of.get(&(component, window))) {
            return *found;
        }
        let fresh = make();
        self.spans.borrow_mut().entry(metric.to_owned()).or_default().insert((component, window), fresh);
        fresh
    }

    pub(super) fn instances(&self, component: ComponentId, make: impl FnOnce() -> Vec<Instance>) -> Rc<Vec<Instance>> {
        remember(&self.instances, component, make)
    }

    pub(super) fn elements(&self, node: usize, env: &Env<'_, '_>, make: impl FnOnce() -> Vec<ComponentId>) -> Rc<Vec<ComponentId>> {
        remember(&self.elements, (node, env.binding.to_vec(), env.it), make)
    }

    pub(super) fn matching(&self, node: usize, env: &Env<'_, '_>, make: impl FnOnce() -> Vec<SignalRef>) -> Rc<Vec<SignalRef>> {
        remember(&self.matching, (node, env.binding.to_vec(), env.it), make)
    }
}

fn remember<K: Ord, V>(map: &RefCell<BTreeMap<K, Rc<V>>>, key: K, make: impl FnOnce() -> V) -> Rc<V> {
    if let Some(found) = map.borrow().get(&key) {
        return Rc::clone(found);
    }
    let fresh = Rc::new(make());
    map.borrow_mut().insert(key, Rc::clone(&fresh));
    fresh
}

/// The address of a node, as its name.
pub(super) fn node<T>(of: &T) -> usize {
    std::ptr::from_ref(of) as usize
}

/// The value of a condition over a stretch of time: from each instant to the next it is constant.
pub(super) struct Timeline {
    pub times: Vec<Time>,
    /// For each stretch, the last one up to it that was false, and the last that was unknown.
    last: Vec<(Option<usize>, Option<usize>)>,
}

/// What a condition was over a closed interval.
pub(super) struct Stretch {
    pub truth: Truth,
    /// The latest instant at which it had its worst value.
    pub worst_at: Time,
    /// Since when it was true without a gap up to the end; `None` if it is not true at the end.
    pub unbroken_since: Option<Time>,
}

impl Timeline {
    /// The value over [from, to]; both must lie within the timeline.
    pub(super) fn over(&self, from: Time, to: Time) -> Option<Stretch> {
        let low = self.times.partition_point(|time| *time <= from).checked_sub(1)?;
        let high = self.times.partition_point(|time| *time <= to).checked_sub(1)?;
        let (last_false, last_unknown) = *self.last.get(high)?;
        let inside = |index: Option<usize>| index.filter(|i| *i >= low);
        let at = |index: usize| self.times.get(index).copied().unwrap_or(from).max(from);
        let (truth, worst_at) = match (inside(last_false), inside(last_unknown)) {
            (Some(index), _) => (Truth::False, at(index)),
            (None, Some(index)) => (Truth::Unknown, at(index)),
            (None, None) => (Truth::True, to),
        };
        let unbroken_since = match inside(last_false).max(inside(last_unknown)) {
            Some(index) if index == high => None,
            Some(index) => Some(at(index + 1)),
            None => Some(from),
        };
        Some(Stretch { truth, worst_at, unbroken_since })
    }
}

impl<'a> Engine<'a> {
    /// The timeline of a condition over the full range that a rule may need: the lookback, and all durations before it.
    pub(super) fn timeline(&self, cond: &'a Cond, env: &Env<'_, 'a>) -> Rc<Timeline> {
        let key = (node(cond), env.binding.to_vec(), env.it);
        remember(&self.memo.timelines, key, || {
            let start = self.earliest();
            let mut times = self.breakpoints(cond, env, start, self.at);
            times.insert(start);
            let mut last = Vec::with_capacity(times.len());
            let (mut last_false, mut last_unknown) = (None, None);
            for (index, time) in times.iter().enumerate() {
                match self.truth(cond, env, *time) {
                    Truth::False => last_false = Some(index),
                    Truth::Unknown => last_unknown = Some(index),
                    Truth::True => {}
                }
                last.push((last_false, last_unknown));
            }
            Timeline { times: times.into_iter().collect(), last }
        })
    }

    /// Where timelines start.
    pub(super) fn earliest(&self) -> Time {
        self.at.minus(self.lookback.saturating_add(self.durations))
    }

    /// Components that relations of a kind lead to; against their direction if not `ahead`.
    pub(super) fn reach(
        &self,
        from: ComponentId,
        relation: &str,
        reach: Reach,
        either_way: bool,
        ahead: bool,
    ) -> Rc<BTreeSet<ComponentId>> {
        let hops = match reach {
            Reach::Hops(hops) => Some(hops),
            Reach::Any => None,
        };
        let key = (from, relation.to_owned(), hops, either_way, ahead);
        remember(&self.memo.reach, key, || self.estate.linked_from(from, relation, hops, either_way, ahead).into_iter().collect())
    }
}

/// The largest sum of nested durations of any condition of a plan: how far before an instant its value may reach.
pub(super) fn durations(plan: &Plan) -> Duration {
    let rules = plan.rules.values().map(|r| &r.condition);
    let trees = plan.trees.values().flat_map(|t| t.nodes.values()).filter_map(|n| n.auto.as_ref());
    let own = rules.chain(trees).map(nested).max().unwrap_or(0);
    own.saturating_add(plan.states.values().map(nested).max().unwrap_or(0))
}

fn nested(cond: &Cond) -> Duration {
    let own = if let CondKind::Held { duration, .. } = &cond.kind { *duration } else { 0 };
    own.saturating_add(cond.children().into_iter().map(nested).max().unwrap_or(0))
}
