//! The value of a condition at an instant, and until when it stays valid if no fact comes. The definitions are those of the
//! plain engine (`engine::evaluate`, `values`, `events`); property tests compare the two.

use std::sync::Arc;

use smallvec::SmallVec;

use compile::plan::{EventKind, Op, Quantifier, Subject};
use estate::{AttributeValue, ComponentId};
use value::{DAY, Duration, Time, Truth, WEEK};

use super::super::evaluate::{compare_numbers, quantify};
use super::super::values::{BASELINE_STEP, MIN_BASELINE, SAME_TIME, statistic};
use super::Matcher;
use super::gates::Operand;
use super::node::{MetricId, Node, Number, PatternId, Where};
use super::store::{Cell, Hit, NOWHERE};
use super::thresholds::{Change, Statistic};

/// What the variables and `it` are bound to.
#[derive(Clone, Copy)]
pub(super) struct Env<'e> {
    pub binding: &'e [ComponentId],
    pub it: Option<ComponentId>,
}

impl Env<'_> {
    pub fn it(it: ComponentId) -> Self {
        Env { binding: &[], it: Some(it) }
    }

    pub fn subject(&self, subject: Subject) -> Option<ComponentId> {
        match subject {
            Subject::Variable(index) => self.binding.get(index).copied(),
            Subject::It => self.it,
        }
    }
}

/// A value and the next instant at which it may change by time alone.
pub(super) type Valued = (Truth, Time);

/// Component, metric, statistic, and period before an instant.
type Usual = (ComponentId, MetricId, compile::plan::Stat, Duration, Time);

/// Of one step.
pub(super) type Usually = (u64, Vec<(Usual, Option<f64>)>);

/// A side of a comparison at an instant.
enum Side<'n> {
    Number(f64),
    Text(std::borrow::Cow<'n, str>),
    Unknown,
}

impl Matcher {
    pub(super) fn eval(&self, node: &Node, env: &Env<'_>, at: Time) -> Valued {
        match node {
            Node::And(parts) => self.fold(parts, env, at, Truth::False),
            Node::Or(parts) => self.fold(parts, env, at, Truth::True),
            Node::Not(inner) => {
                let (truth, next) = self.eval(inner, env, at);
                (!truth, next)
            }
            Node::Held { inner, duration } => self.eval_held(inner, *duration, env, at),
            Node::Unexplained(place) => self.eval_unexplained(*place, env, at),
            Node::Event { pattern, kind, at_least: 1, same: None, on: Some(place), window } if at == self.now => {
                self.eval_any((*pattern, *kind), *place, *window, env)
            }
            Node::Event { pattern, kind, at_least, same, on, window } => {
                self.eval_event((*pattern, *kind), *at_least, same.as_deref(), on.as_ref(), *window, env, at)
            }
            Node::Quantified { quantifier, set, body, count } => {
                if let Some(counts) = count.filter(|_| at == self.now).and_then(|count| self.counts(count, *set, body, env)) {
                    return (quantify(*quantifier, counts.holding, counts.unknown, counts.of).0, counts.until);
                }
                let elements = self.components(*set, env);
                let (mut holding, mut unknown, mut next) = (0, 0, Time::MAX);
                for &it in elements.iter() {
                    let (truth, until) = self.eval(body, &Env { it: Some(it), ..*env }, at);
                    next = next.min(until);
                    match truth {
                        Truth::True => holding += 1,
                        Truth::Unknown => unknown += 1,
                        Truth::False => {}
                    }
                }
                (quantify(*quantifier, holding, unknown, elements.len()).0, next)
            }
            Node::Probe { from, to, succeeds, window } => self.eval_probe(from.as_ref(), to.as_ref(), *succeeds, *window, env, at),
            Node::Link { from, relation, to, reach, either_way } => match (env.subject(*from), env.subject(*to)) {
                (Some(from), Some(to)) => {
                    let hops = match reach {
                        compile::plan::Reach::Hops(hops) => Some(*hops),
                        compile::plan::Reach::Any => None,
                    };
                    (Truth::from(self.estate.linked(from, relation, to, hops, *either_way)), Time::MAX)
                }
                (None, _) | (_, None) => (Truth::Unknown, Time::MAX),
            },
            Node::Shares { left, kind, right } => match (env.subject(*left), env.subject(*right)) {
                (Some(left), Some(right)) => {
                    let holds = match kind {
                        Some(kind) => self.estate.shares(left, right, kind),
                        None => self.estate.shares_group(left, right),
                    };
                    (Truth::from(holds), Time::MAX)
                }
                (None, _) | (_, None) => (Truth::Unknown, Time::MAX),
            },
            Node::State { subject, negated, bodies, of_type } => {
                let component = env.subject(*subject);
                let body = component.and_then(|c| of_type.get(self.net.type_of(c)).copied().flatten()).and_then(|b| bodies.get(b));
                match body {
                    Some(body) => {
                        let (truth, next) = self.eval(body, &Env { it: component, ..*env }, at);
                        (if *negated { !truth } else { truth }, next)
                    }
                    None => (Truth::Unknown, Time::MAX),
                }
            }
            Node::Compare { left, op, right } => self.eval_compare(left, *op, right, env, at),
            Node::Trend { subject, metric, rises, relative, by, window } => {
                self.eval_trend(env.subject(*subject), *metric, (*rises, *relative, *by, *window), at)
            }
            Node::Baseline { subject, metric, above, stat, period, by_percent } => {
                self.eval_against(env.subject(*subject), *metric, (*above, *stat, *period, *by_percent), at)
            }
            Node::Sampled { subject, metric } => {
                let cell = env.subject(*subject).and_then(|c| self.store.cell_at(c, *metric));
                (if cell.is_some() { Truth::True } else { Truth::Unknown }, Time::MAX)
            }
            Node::Probed { subject } => {
                let known = env.subject(*subject).is_some_and(|c| self.store.has_probes(c));
                (if known { Truth::True } else { Truth::Unknown }, Time::MAX)
            }
            Node::Asked(cond) => self.ask(cond, env, at),
        }
    }

    /// Whether a condition is true now, and until when that is valid. Stops at the first elements of a set that decide the result.
    pub(super) fn holds(&self, node: &Node, env: &Env<'_>) -> (bool, Time) {
        if let Node::Quantified { quantifier, set, body, count } = node {
            if let Some(counts) = count.and_then(|count| self.counts(count, *set, body, env)) {
                return (quantify(*quantifier, counts.holding, counts.unknown, counts.of).0.is_true(), counts.until);
            }
            let needed = match quantifier {
                Quantifier::Every => None,
                Quantifier::Any => Some(1),
                Quantifier::AtLeast(count) => Some(*count as usize),
                Quantifier::No | Quantifier::AtMost(_) | Quantifier::AtLeastPercent(_) | Quantifier::AtMostPercent(_) => {
                    let (truth, until) = self.eval(node, env, self.now);
                    return (truth.is_true(), until);
                }
            };
            let elements = self.components(*set, env);
            let (mut holding, mut next, mut sure) = (0, Time::MAX, Time::MAX);
            for &it in elements.iter() {
                let (holds, until) = self.holds(body, &Env { it: Some(it), ..*env });
                next = next.min(until);
                if holds {
                    holding += 1;
                    sure = sure.min(until);
                } else if needed.is_none() {
                    // Until this one changes, "every" stays false.
                    return (false, until);
                }
                if needed.is_some_and(|needed| holding >= needed) {
                    return (true, sure);
                }
            }
            // "Every" of nothing is false, "at least 0" of it is true.
            return (needed.map_or(!elements.is_empty(), |needed| needed == 0), next);
        }
        let (truth, until) = self.eval(node, env, self.now);
        (truth.is_true(), until)
    }

    /// Evaluates parts until one decides the result: `settled` is false for "and", true for "or".
    fn fold(&self, parts: &[Node], env: &Env<'_>, at: Time, settled: Truth) -> Valued {
        let mut truth = !settled;
        let mut next = Time::MAX;
        for part in parts {
            let (value, until) = self.eval(part, env, at);
            if value == settled {
                return (settled, until);
            }
            truth = if settled == Truth::False { truth.and(value) } else { truth.or(value) };
            next = next.min(until);
        }
        (truth, next)
    }

    /// True if it was true at every instant of the closed interval from `at - duration` to `at`; false if it was false at one.
    fn eval_held(&self, inner: &Node, duration: Duration, env: &Env<'_>, at: Time) -> Valued {
        let (now, until) = self.eval(inner, env, at);
        if now == Truth::False {
            return (Truth::False, until);
        }
        let (mut false_until, mut unknown_until) = (Time::MIN, Time::MIN);
        let mut time = at.minus(duration);
        while time < at {
            let (truth, next) = self.eval(inner, env, time);
            let next = next.max(time.plus(1));
            match truth {
                Truth::False => false_until = next.min(at),
                Truth::Unknown => unknown_until = next.min(at),
                Truth::True => {}
            }
            time = next;
        }
        let mut next = until;
        for over in [false_until, unknown_until] {
            if over > Time::MIN && over.plus(duration) > at {
                next = next.min(over.plus(duration));
            }
        }
        let truth = if false_until > Time::MIN {
            Truth::False
        } else if unknown_until > Time::MIN || now == Truth::Unknown {
            Truth::Unknown
        } else {
            Truth::True
        };
        (truth, next)
    }

    fn eval_unexplained(&self, place: Where, env: &Env<'_>, at: Time) -> Valued {
        let mut next = Time::MAX;
        let mut explained = false;
        for component in self.components(place, env).iter() {
            for &by in self.live.explainers.get(component).into_iter().flatten() {
                let instance = &self.live.instances[by as usize];
                explained |= instance.held_at(at);
                next = next.min(instance.next_change(at));
            }
        }
        (Truth::from(!explained), next)
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one event condition")]
    fn eval_event(
        &self,
        (pattern, kind): (PatternId, EventKind),
        at_least: usize,
        same: Option<&str>,
        on: Option<&Where>,
        window: Option<Duration>,
        env: &Env<'_>,
        at: Time,
    ) -> Valued {
        if !self.is_present(kind) {
            return (Truth::Unknown, Time::MAX);
        }
        let (mut next, mut several) = (Time::MAX, false);
        let mut counted: SmallVec<[&Hit; 16]> = SmallVec::new();
        let mut look = |component: ComponentId| {
            let Some(list) = self.store.list(component, pattern) else { return };
            for hit in list.since(at, window.unwrap_or(0)) {
                if hit.start > at {
                    next = next.min(hit.start);
                    break;
                }
                // With a window it counts while its last instant lies within it.
                let leaves = hit.end.plus(window.map_or(0, |w| w - 1));
                if leaves > at {
                    next = next.min(leaves);
                    counted.push(hit);
                }
            }
        };
        match on {
            None => look(NOWHERE),
            Some(place) => {
                let components = self.components(*place, env);
                several = components.len() > 1;
                match self.store.recent.get(pattern.0 as usize) {
                    // Few components have such a signal, so checking those is fast.
                    Some(recent) if at == self.now && recent.len() < components.len() && self.is_sorted(*place) => {
                        recent.iter().copied().filter(|c| components.binary_search(c).is_ok()).for_each(look);
                    }
                    Some(_) | None => components.iter().copied().for_each(look),
                }
            }
        }
        if several && self.net.has_instances() {
            // A signal on an instance is in the lists of all its workloads.
            counted.sort_unstable_by_key(|hit| Arc::as_ptr(&hit.signal));
            counted.dedup_by_key(|hit| Arc::as_ptr(&hit.signal));
        }
        let found = match same {
            None => counted.len(),
            Some(attribute) => {
                let mut values: SmallVec<[&str; 16]> =
                    counted.iter().filter_map(|hit| hit.signal.labels().get(attribute)).map(String::as_str).collect();
                values.sort_unstable();
                values.chunk_by(|a, b| a == b).map(<[&str]>::len).max().unwrap_or(0)
            }
        };
        (Truth::from(found >= at_least), next)
    }

    /// The same for at least one signal, now: the store has no later signals yet.
    fn eval_any(&self, (pattern, kind): (PatternId, EventKind), place: Where, window: Option<Duration>, env: &Env<'_>) -> Valued {
        if !self.is_present(kind) {
            return (Truth::Unknown, Time::MAX);
        }
        // Components with such a signal: mostly none, or fewer than the place has.
        let recent = self.store.recent.get(pattern.0 as usize).map(Vec::as_slice).unwrap_or_default();
        if recent.is_empty() {
            return (Truth::False, Time::MAX);
        }
        let components = self.components(place, env);
        let has = |component: &ComponentId| {
            let (truth, until) = self.has_signal(*component, pattern, kind, window, self.now);
            truth.is_true().then_some(until)
        };
        let until = if recent.len() < components.len() && self.is_sorted(place) {
            recent.iter().filter(|c| components.binary_search(c).is_ok()).find_map(has)
        } else {
            components.iter().find_map(has)
        };
        until.map_or((Truth::False, Time::MAX), |until| (Truth::True, until))
    }

    /// The same for at least one signal on one component: until when the last one counts, if any.
    pub(super) fn has_signal(
        &self,
        component: ComponentId,
        pattern: PatternId,
        kind: EventKind,
        window: Option<Duration>,
        at: Time,
    ) -> Valued {
        if !self.is_present(kind) {
            return (Truth::Unknown, Time::MAX);
        }
        let Some(list) = self.store.list(component, pattern) else { return (Truth::False, Time::MAX) };
        let mut next = Time::MAX;
        for hit in list.since(at, window.unwrap_or(0)).iter().rev() {
            if hit.start > at {
                next = hit.start;
                continue;
            }
            let leaves = hit.end.plus(window.map_or(0, |w| w - 1));
            if leaves > at {
                return (Truth::True, leaves);
            }
        }
        (Truth::False, next)
    }

    fn is_present(&self, kind: EventKind) -> bool {
        match kind {
            EventKind::Alert => self.present.alerts,
            EventKind::Log => self.present.logs,
            EventKind::Change | EventKind::Report | EventKind::Event => self.present.events,
        }
    }

    /// The last result within the window.
    fn eval_probe(&self, from: Option<&Where>, to: Option<&Where>, succeeds: bool, window: Duration, env: &Env<'_>, at: Time) -> Valued {
        let Some(to) = to else { return (Truth::Unknown, Time::MAX) };
        let starts = from.map(|place| self.components(*place, env));
        let targets = self.components(*to, env);
        let mut next = Time::MAX;
        // The last on each component, with how many ties that is away.
        let mut all: SmallVec<[(u8, &signal::Probe); 4]> = SmallVec::new();
        for target in targets.iter() {
            for probe in self.store.probes.get(target).into_iter().flatten() {
                if starts.as_ref().is_some_and(|starts| probe.from.is_none_or(|from| !self.net.is_on(from, starts))) {
                    continue;
                }
                if probe.time > at {
                    next = next.min(probe.time);
                    break;
                }
                let level = probe.component.and_then(|component| self.net.level(component, *target)).unwrap_or(0);
                if probe.time <= at.minus(window) {
                    continue;
                }
                match all.iter_mut().find(|(_, known)| known.component == probe.component) {
                    Some((nearest, known)) => {
                        *nearest = level.min(*nearest);
                        if (known.time, &known.origin) <= (probe.time, &probe.origin) {
                            *known = probe;
                        }
                    }
                    None => all.push((level, probe)),
                }
            }
        }
        next = all.iter().map(|(_, probe)| probe.time.plus(window)).fold(next, Time::min);
        let nearest = all.iter().map(|(level, _)| *level).min();
        let nearest = all.iter().filter(|(level, _)| Some(*level) == nearest);
        // Of several instances, one that answers is enough.
        let last = nearest.max_by_key(|(level, probe)| (*level > 0 && probe.success, probe.time, &probe.origin));
        (last.map_or(Truth::Unknown, |(_, probe)| Truth::from(probe.success == succeeds)), next)
    }

    fn eval_compare(&self, left: &Number, op: Op, right: &Number, env: &Env<'_>, at: Time) -> Valued {
        // The usual case first.
        if let (Number::Now { subject, metric }, Number::Constant(bound)) = (left, right) {
            let (value, until) = self.metric_at(env.subject(*subject), *metric, at);
            return (value.map_or(Truth::Unknown, |value| Truth::from(compare_numbers(value, op, *bound))), until);
        }
        let (left, until) = self.side(left, env, at);
        let (right, also) = self.side(right, env, at);
        let truth = match (left, right) {
            (Side::Number(a), Side::Number(b)) => Truth::from(compare_numbers(a, op, b)),
            (Side::Text(a), Side::Text(b)) => Truth::from(if op == Op::Ne { a != b } else { a == b }),
            (Side::Number(_) | Side::Text(_) | Side::Unknown, _) => Truth::Unknown,
        };
        (truth, until.min(also))
    }

    fn side<'n>(&'n self, number: &'n Number, env: &Env<'_>, at: Time) -> (Side<'n>, Time) {
        let known = |value: Option<f64>| value.map_or(Side::Unknown, Side::Number);
        match number {
            Number::Constant(value) => (Side::Number(*value), Time::MAX),
            Number::Text(text) => (Side::Text(text.into()), Time::MAX),
            Number::Attribute { subject, name } => {
                let value = env.subject(*subject).and_then(|c| self.estate.component(c).attributes.get(name));
                let side = match value {
                    Some(AttributeValue::Number(value)) => Side::Number(*value),
                    Some(AttributeValue::Text(text)) => Side::Text(text.into()),
                    Some(AttributeValue::Bool(value)) => Side::Text(value.to_string().into()),
                    None => Side::Unknown,
                };
                (side, Time::MAX)
            }
            Number::Share { percent, of } => {
                let (side, next) = self.side(of, env, at);
                match side {
                    Side::Number(value) => (Side::Number(value * percent / 100.0), next),
                    Side::Text(_) | Side::Unknown => (side, next),
                }
            }
            Number::Now { subject, metric } => {
                let (value, next) = self.metric_at(env.subject(*subject), *metric, at);
                (known(value), next)
            }
            Number::Statistic { stat, subject, metric, window } => {
                let Some(cell) = env.subject(*subject).and_then(|c| self.store.cell(c, *metric)) else { return (Side::Unknown, Time::MAX) };
                let Some(window) = window else {
                    let (values, next) = cell.over_instances(at);
                    return (known(statistic(*stat, &values)), next);
                };
                self.with_samples(|samples| {
                    let mut next = cell.samples(at.minus(*window), at, samples);
                    if let Some((oldest, _)) = samples.first() {
                        next = next.min(oldest.plus(*window));
                    }
                    let values: SmallVec<[f64; 64]> = samples.iter().map(|(_, value)| *value).collect();
                    (known(statistic(*stat, &values)), next)
                })
            }
        }
    }

    pub(super) fn metric_at(&self, component: Option<ComponentId>, metric: MetricId, at: Time) -> (Option<f64>, Time) {
        component.and_then(|c| self.store.cell(c, metric)).map_or((None, Time::MAX), |cell| cell.at(at))
    }

    fn with_samples<T>(&self, use_them: impl FnOnce(&mut Vec<(Time, f64)>) -> T) -> T {
        let mut samples = self.scratch.take();
        let answer = use_them(&mut samples);
        self.scratch.replace(samples);
        answer
    }

    fn eval_trend(
        &self,
        component: Option<ComponentId>,
        metric: MetricId,
        (rises, relative, by, window): (bool, bool, f64, Duration),
        at: Time,
    ) -> Valued {
        let Some(cell) = component.and_then(|c| self.store.cell(c, metric)) else { return (Truth::Unknown, Time::MAX) };
        let (change, mut next) = self.change(cell, (rises, relative, window), at);
        let Some(change) = change else { return (Truth::Unknown, next) };
        let holds = change.reaches(by);
        // Whether the value at the start of the window is known changes as the window moves.
        let (before, changes) = cell.at(at.minus(window));
        if changes < Time::MAX {
            next = next.min(changes.plus(window));
        }
        let truth = if holds {
            Truth::True
        } else if before.is_some() {
            Truth::False
        } else {
            Truth::Unknown
        };
        (truth, next)
    }

    /// How far the value of a cell has moved within a window, and until when that is valid.
    fn change(&self, cell: &Cell, (rises, relative, window): (bool, bool, Duration), at: Time) -> (Option<Change>, Time) {
        let (now, mut next) = cell.at(at);
        let Some(current) = now else { return (None, next) };
        let reference = self.with_samples(|samples| {
            next = next.min(cell.samples(at.minus(window), at, samples));
            if let Some((oldest, _)) = samples.first() {
                next = next.min(oldest.plus(window));
            }
            let pick = |a: f64, b: f64| if (b < a) == rises && b.total_cmp(&a).is_ne() { b } else { a };
            samples.iter().map(|(_, value)| *value).reduce(pick).unwrap_or(current)
        });
        (Some(Change { current, reference, rises, relative }), next)
    }

    /// What the bounds of a table are compared with.
    pub(super) fn reading(&self, cell: &Cell, source: Operand, at: Time) -> Option<Statistic> {
        match source {
            Operand::Now | Operand::Extreme(_) => cell.at(at).0.map(Statistic::Value),
            Operand::Statistic(stat, window) => self.with_samples(|samples| {
                cell.samples(at.minus(window), at, samples);
                let values: SmallVec<[f64; 64]> = samples.iter().map(|(_, value)| *value).collect();
                statistic(stat, &values).map(Statistic::Value)
            }),
            Operand::Trend { rises, relative, window } => self.change(cell, (rises, relative, window), at).0.map(Statistic::Change),
        }
    }

    fn eval_against(
        &self,
        component: Option<ComponentId>,
        metric: MetricId,
        (above, stat, period, by_percent): (bool, compile::plan::Stat, Duration, f64),
        at: Time,
    ) -> Valued {
        let Some((component, cell)) = component.and_then(|c| Some((c, self.store.cell(c, metric)?))) else {
            return (Truth::Unknown, Time::MAX);
        };
        let (now, until) = cell.at(at);
        let Some(current) = now else { return (Truth::Unknown, until) };
        let step = at.0.div_euclid(BASELINE_STEP);
        let next = until.min(Time((step + 1) * BASELINE_STEP));
        let reference = self.usually((component, metric, stat, period, Time(step * BASELINE_STEP)), cell);
        let Some(reference) = reference else { return (Truth::Unknown, next) };
        let needed = reference * if above { 1.0 + by_percent / 100.0 } else { 1.0 - by_percent / 100.0 };
        (Truth::from(compare_numbers(current, if above { Op::Gt } else { Op::Lt }, needed)), next)
    }

    /// A baseline statistic, computed once a step for all rules.
    fn usually(&self, what: Usual, cell: &Cell) -> Option<f64> {
        let mut usually = self.usually.borrow_mut();
        if usually.0 != self.steps || usually.1.len() >= 64 {
            *usually = (self.steps, Vec::new());
        }
        if let Some((_, known)) = usually.1.iter().find(|(of, _)| *of == what) {
            return *known;
        }
        let (component, metric, stat, period, at) = what;
        let usual = self.usual(component, metric, cell, period, at);
        let reference = (usual.len() >= MIN_BASELINE).then(|| statistic(stat, &usual)).flatten();
        usually.1.push((what, reference));
        reference
    }

    /// Samples of the same time of day: of the healthy period if one was recorded, else of earlier days.
    fn usual(&self, component: ComponentId, metric: MetricId, cell: &super::store::Cell, period: Duration, at: Time) -> Vec<f64> {
        let cycle = if period % WEEK == 0 && period > WEEK { WEEK } else { DAY };
        let near = |time: Time, cycle: Duration| {
            let apart = at.since(time).rem_euclid(cycle);
            apart.min(cycle - apart) <= SAME_TIME
        };
        if let Some(samples) = self.healthy(component, metric) {
            let same: Vec<f64> = samples.iter().filter(|(time, _)| near(*time, DAY)).map(|(_, value)| *value).collect();
            return if same.len() >= MIN_BASELINE { same } else { samples.iter().map(|(_, value)| *value).collect() };
        }
        let earliest = at.minus(period + SAME_TIME + 1);
        let latest = at.minus(cycle).plus(SAME_TIME);
        self.with_samples(|samples| {
            cell.samples(earliest, latest, samples);
            samples.iter().filter(|(time, _)| near(*time, cycle)).map(|(_, value)| *value).collect()
        })
    }
}
