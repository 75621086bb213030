//! The value of a condition at one instant, from its definition.

use compile::ScriptValue;
use compile::plan::{Cond, CondKind, Filter, Op, PlaceOf, Quantified, Quantifier, Reach, Subject};
use estate::ComponentId;
use value::{Duration, Time, Truth};

use super::evidence::{Detail, Evidence, Known, Missing, Reading, SignalRef};
use super::memo::Stretch;
use super::{Engine, Finding};

/// What the variables and `it` are bound to.
#[derive(Clone, Copy)]
pub struct Env<'e, 'a> {
    pub binding: &'e [ComponentId],
    pub it: Option<ComponentId>,
    /// Findings of the rules that were evaluated before.
    pub others: &'e [Finding<'a>],
}

impl Env<'_, '_> {
    pub fn subject(&self, subject: Subject) -> Option<ComponentId> {
        match subject {
            Subject::Variable(index) => self.binding.get(index).copied(),
            Subject::It => self.it,
        }
    }
}

/// Two numbers are equal when they differ by less than this share of the larger: far below any sensor's precision, far
/// above what unit conversion rounds away.
const EQUAL_WITHIN: f64 = 1e-9;

impl<'a> Engine<'a> {
    pub(super) fn evaluate(&self, cond: &'a Cond, env: &Env<'_, 'a>, at: Time) -> Evidence<'a> {
        match &cond.kind {
            CondKind::And(parts) => self.combine(cond, parts, env, at, Truth::True, Truth::and),
            CondKind::Or(parts) => self.combine(cond, parts, env, at, Truth::False, Truth::or),
            CondKind::Not(inner) => {
                let child = self.evaluate(inner, env, at);
                Evidence { truth: !child.truth, children: vec![child], ..Evidence::leaf(cond, at, Truth::Unknown, None, Detail::Combined) }
            }
            CondKind::Held { inner, duration } => self.held(cond, inner, *duration, env, at),
            CondKind::Unexplained(place) => self.unexplained(cond, place, env, at),
            CondKind::Event(event) => self.event(cond, event, env, at),
            CondKind::Quantified(quantified) => self.quantified(cond, quantified, env, at),
            CondKind::Probe { from, to, succeeds, window } => self.probed(cond, (from.as_ref(), to.as_ref()), *succeeds, *window, env, at),
            CondKind::Link { from, relation, to, reach, either_way } => {
                let holds = match (env.subject(*from), env.subject(*to)) {
                    (Some(from), Some(to)) => Truth::from(self.linked(from, relation, to, *reach, *either_way)),
                    (None, _) | (_, None) => Truth::Unknown,
                };
                Evidence::leaf(cond, at, holds, env.subject(*from), Detail::Topology)
            }
            CondKind::Shares { left, kind, right } => {
                let holds = match (env.subject(*left), env.subject(*right)) {
                    (Some(a), Some(b)) => Truth::from(match kind {
                        Some(kind) => self.estate.shares(a, b, kind),
                        None => self.estate.shares_group(a, b),
                    }),
                    (None, _) | (_, None) => Truth::Unknown,
                };
                Evidence::leaf(cond, at, holds, env.subject(*left), Detail::Topology)
            }
            CondKind::State { subject, state, negated } => self.state(cond, (*subject, state, *negated), env, at),
            CondKind::Compare { left, op, right, unit } => {
                let (left, right) = (self.reading(left, *unit, env, at), self.reading(right, *unit, env, at));
                let truth = compare(&left.0.value, *op, &right.0.value);
                let about = left.2.or(right.2);
                let mut evidence = Evidence::leaf(cond, at, truth, about, Detail::Compared { left: left.0, op: *op, right: right.0 });
                evidence.signals = left.1;
                evidence.signals.extend(right.1);
                evidence
            }
            CondKind::Script(call) => {
                let (answer, about) = self.call(call, env, at);
                let (truth, known) = match answer {
                    Ok(ScriptValue::Bool(value)) => (Truth::from(value), Known::Text(value.to_string())),
                    Ok(_) => (Truth::Unknown, Known::Unknown(Missing::Truth { function: call.function.clone() })),
                    Err(reason) => (Truth::Unknown, Known::Unknown(reason)),
                };
                Evidence::leaf(cond, at, truth, about, Detail::Scripted { answer: known })
            }
            CondKind::Trend { metric, rises, relative, by, window } => self.trend(cond, (metric, *rises, *relative, *by, *window), env, at),
            CondKind::Baseline { metric, above, stat, period, by_percent } => {
                self.against(cond, (metric, *above, *stat, *period, *by_percent), env, at)
            }
        }
    }

    /// Only the value that `evaluate` gives, without the evidence. Stops at the first part that decides the result.
    pub(super) fn truth(&self, cond: &'a Cond, env: &Env<'_, 'a>, at: Time) -> Truth {
        match &cond.kind {
            CondKind::And(parts) => self.settle(parts, env, at, Truth::False, Truth::and),
            CondKind::Or(parts) => self.settle(parts, env, at, Truth::True, Truth::or),
            CondKind::Not(inner) => !self.truth(inner, env, at),
            CondKind::Held { inner, duration } if at <= self.at && at.minus(*duration) >= self.earliest() => {
                self.timeline(inner, env).over(at.minus(*duration), at).map_or(Truth::Unknown, |stretch| stretch.truth)
            }
            CondKind::State { subject, state, negated } => match self.state_body(env.subject(*subject), state) {
                Some((component, body)) => {
                    let truth = self.truth(body, &Env { it: Some(component), ..*env }, at);
                    if *negated { !truth } else { truth }
                }
                None => Truth::Unknown,
            },
            CondKind::Quantified(quantified) => {
                let elements = self.elements(&quantified.set, env);
                let truths: Vec<Truth> =
                    elements.iter().map(|&it| self.truth(&quantified.body, &Env { it: Some(it), ..*env }, at)).collect();
                let count = |truth| truths.iter().filter(|t| **t == truth).count();
                quantify(quantified.quantifier, count(Truth::True), count(Truth::Unknown), truths.len()).0
            }
            CondKind::Held { .. }
            | CondKind::Unexplained(_)
            | CondKind::Event(_)
            | CondKind::Probe { .. }
            | CondKind::Link { .. }
            | CondKind::Shares { .. }
            | CondKind::Compare { .. }
            | CondKind::Script(_)
            | CondKind::Trend { .. }
            | CondKind::Baseline { .. } => self.evaluate(cond, env, at).truth,
        }
    }

    /// Joins the values of the parts until one decides the result.
    fn settle(&self, parts: &'a [Cond], env: &Env<'_, 'a>, at: Time, settled: Truth, join: fn(Truth, Truth) -> Truth) -> Truth {
        let mut truth = !settled;
        for part in parts {
            truth = join(truth, self.truth(part, env, at));
            if truth == settled {
                break;
            }
        }
        truth
    }

    /// The definition of a state for a component's own type.
    pub(super) fn state_body(&self, component: Option<ComponentId>, state: &str) -> Option<(ComponentId, &'a Cond)> {
        let component = component?;
        let kind = &self.estate.component(component).kind;
        let body = self.estate.model().lineage(kind).find_map(|t| self.plan.states.get(&(t.name.clone(), state.to_owned())))?;
        Some((component, body))
    }

    fn combine(
        &self,
        cond: &'a Cond,
        parts: &'a [Cond],
        env: &Env<'_, 'a>,
        at: Time,
        start: Truth,
        join: fn(Truth, Truth) -> Truth,
    ) -> Evidence<'a> {
        let children: Vec<_> = parts.iter().map(|part| self.evaluate(part, env, at)).collect();
        let truth = children.iter().fold(start, |truth, child| join(truth, child.truth));
        Evidence { children, ..Evidence::leaf(cond, at, truth, None, Detail::Combined) }
    }

    /// `c for d` holds at `at` if `c` holds at every instant from `at - d` to `at`. Between its breakpoints a condition
    /// does not change, so these instants are enough. The evidence is that of the worst instant.
    fn held(&self, cond: &'a Cond, inner: &'a Cond, duration: Duration, env: &Env<'_, 'a>, at: Time) -> Evidence<'a> {
        let start = at.minus(duration);
        let stretch = if at <= self.at && start >= self.earliest() {
            self.timeline(inner, env).over(start, at)
        } else {
            // Outside the cached timeline: evaluate from scratch.
            let whole = Engine::new(self.plan, self.estate, self.facts, self.scripts, at, duration);
            whole.timeline(inner, env).over(start, at)
        };
        let stretch = stretch.unwrap_or(Stretch { truth: Truth::Unknown, worst_at: at, unbroken_since: None });
        let worst = self.evaluate(inner, env, stretch.worst_at);
        let held = stretch.unbroken_since.map_or(0, |since| at.since(since));
        let detail = Detail::Held { held, needed: duration };
        let signals = worst.all_signals().into_iter().collect();
        Evidence { signals, ..Evidence::leaf(cond, at, stretch.truth, worst.about, detail) }.with_child(worst)
    }

    fn unexplained(&self, cond: &'a Cond, place: &'a PlaceOf, env: &Env<'_, 'a>, at: Time) -> Evidence<'a> {
        let places = self.place(place, env);
        let by = env
            .others
            .iter()
            .find(|f| f.rule.status == compile::plan::Status::Active && f.holds_at(at) && places.iter().any(|c| f.explains(*c)))
            .map(|f| f.rule.id.as_str());
        Evidence::leaf(cond, at, Truth::from(by.is_none()), places.first().copied(), Detail::Explained(by))
    }

    fn state(&self, cond: &'a Cond, (subject, state, negated): (Subject, &'a str, bool), env: &Env<'_, 'a>, at: Time) -> Evidence<'a> {
        let Some((component, body)) = self.state_body(env.subject(subject), state) else {
            let about = env.subject(subject);
            return Evidence::leaf(cond, at, Truth::Unknown, about, Detail::Missing(Missing::State { state: state.to_owned() }));
        };
        let child = self.evaluate(body, &Env { it: Some(component), ..*env }, at);
        let truth = if negated { !child.truth } else { child.truth };
        Evidence { children: vec![child], ..Evidence::leaf(cond, at, truth, Some(component), Detail::Combined) }
    }

    fn quantified(&self, cond: &'a Cond, quantified: &'a Quantified, env: &Env<'_, 'a>, at: Time) -> Evidence<'a> {
        let elements = self.elements(&quantified.set, env);
        let children: Vec<(ComponentId, Evidence<'a>)> =
            elements.iter().map(|&it| (it, self.evaluate(&quantified.body, &Env { it: Some(it), ..*env }, at))).collect();
        let count = |truth| children.iter().filter(|(_, e)| e.truth == truth).count();
        let (holding, unknown, total) = (count(Truth::True), count(Truth::Unknown), children.len());
        let (truth, wanted) = quantify(quantified.quantifier, holding, unknown, total);
        let mut evidence = Evidence::leaf(
            cond,
            at,
            truth,
            None,
            Detail::Quantified { quantifier: quantified.quantifier, holding, unknown, total, elements },
        );
        evidence.signals = children.iter().filter(|(_, e)| e.truth.is_true() == wanted).flat_map(|(_, e)| e.all_signals()).collect();
        evidence.children = children.into_iter().map(|(_, e)| e).collect();
        evidence
    }

    pub(super) fn linked(&self, from: ComponentId, relation: &str, to: ComponentId, reach: Reach, either_way: bool) -> bool {
        self.reach(from, relation, reach, either_way, true).contains(&to)
    }

    /// The last result of a probe within the window. Of a component without any of its own: of its instances, of which one that answers
    /// is enough.
    fn probed(
        &self,
        cond: &'a Cond,
        (from, to): (Option<&'a PlaceOf>, Option<&'a PlaceOf>),
        succeeds: bool,
        window: Duration,
        env: &Env<'_, 'a>,
        at: Time,
    ) -> Evidence<'a> {
        let targets = to.map(|place| self.place(place, env)).unwrap_or_default();
        let starts = from.map(|place| self.with_instances(self.place(place, env)));
        let last_on = |(target, level): (ComponentId, u8)| {
            let positions = self.facts.probes_of.get(&target).into_iter().flatten().copied();
            let last = positions
                .filter_map(|index| Some((index, self.facts.probes.get(index)?)))
                .filter(|(_, p)| p.time <= at && p.time > at.minus(window))
                .filter(|(_, p)| starts.as_ref().is_none_or(|starts| p.from.is_some_and(|f| starts.contains(&f))))
                .max_by_key(|(index, p)| (p.time, *index));
            last.map(|(index, probe)| (level, index, probe))
        };
        let all: Vec<_> = self.by_level(&targets).into_iter().filter_map(last_on).collect();
        let nearest = all.iter().map(|(level, ..)| *level).min();
        let last = all
            .into_iter()
            .filter(|(level, ..)| Some(*level) == nearest)
            .max_by_key(|(level, index, p)| (*level > 0 && p.success, p.time, *index))
            .map(|(_, index, probe)| (index, probe));
        let truth = last.map_or(Truth::Unknown, |(_, p)| Truth::from(p.success == succeeds));
        let mut evidence =
            Evidence::leaf(cond, at, truth, targets.first().copied(), Detail::Probed { last: last.map(|(_, p)| (p.time, p.success)) });
        evidence.signals = last.map(|(index, _)| SignalRef::Probe(index)).into_iter().collect();
        evidence
    }

    pub(super) fn passes(&self, filter: &Filter, component: ComponentId) -> bool {
        super::sets::passes(self.estate, filter, component)
    }
}

/// A comparison of readings; unknown if either is.
pub(super) fn compare(left: &Known, op: Op, right: &Known) -> Truth {
    let (left, right) = match (left, right) {
        (Known::Number(a), Known::Number(b)) => (*a, *b),
        (Known::Text(a), Known::Text(b)) => return Truth::from(if op == Op::Ne { a != b } else { a == b }),
        (Known::Unknown(_), _) | (_, Known::Unknown(_)) | (Known::Number(_), Known::Text(_)) | (Known::Text(_), Known::Number(_)) => {
            return Truth::Unknown;
        }
    };
    Truth::from(compare_numbers(left, op, right))
}

/// With the operator and one side fixed, the result changes at most once as the other side grows, except for `=` and `!=`.
pub(super) fn compare_numbers(left: f64, op: Op, right: f64) -> bool {
    let equal = (left - right).abs() <= EQUAL_WITHIN * left.abs().max(right.abs());
    match op {
        Op::Lt => left < right && !equal,
        Op::Le => left < right || equal,
        Op::Eq => equal,
        Op::Ne => !equal,
        Op::Ge => left > right || equal,
        Op::Gt => left > right && !equal,
    }
}

/// The value of a quantifier by counting, and whether it wants its elements to hold.
pub(super) fn quantify(quantifier: Quantifier, holding: usize, unknown: usize, total: usize) -> (Truth, bool) {
    let at_least = |needed: usize| {
        if holding >= needed {
            Truth::True
        } else if holding + unknown < needed {
            Truth::False
        } else {
            Truth::Unknown
        }
    };
    // The smallest count that is at least the given share of the set, and the largest that is at most it.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a share of a set's size")]
    let share = |percent: f64, up: bool| {
        let exact = percent / 100.0 * total as f64;
        (if up { (exact - EQUAL_WITHIN).ceil() } else { (exact + EQUAL_WITHIN).floor() }).max(0.0) as usize
    };
    match quantifier {
        // "Every" of an empty set is false: otherwise it would be true for a component without any peers.
        Quantifier::Every => (if total == 0 { Truth::False } else { at_least(total) }, true),
        Quantifier::Any => (at_least(1), true),
        Quantifier::No => (!at_least(1), false),
        Quantifier::AtLeast(count) => (at_least(count as usize), true),
        Quantifier::AtLeastPercent(percent) => (if total == 0 { Truth::False } else { at_least(share(percent, true)) }, true),
        Quantifier::AtMost(count) => (!at_least(count as usize + 1), false),
        Quantifier::AtMostPercent(percent) => (!at_least(share(percent, false) + 1), false),
    }
}

impl Reading {
    /// What no signal tells.
    pub fn of(value: Known, unit: Option<value::Unit>, name: String) -> Self {
        Reading { value, unit, time: None, name, told: Vec::new() }
    }

    pub fn unknown(name: String, unit: Option<value::Unit>, reason: Missing) -> Self {
        Reading::of(Known::Unknown(reason), unit, name)
    }
}
