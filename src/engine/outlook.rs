//! What a condition can come to within the lookback, judged by the extremes of its metrics alone. That leaves out nearly all bindings of
//! rules before any instant is evaluated.

use compile::plan::{Cond, CondKind, Event, Op, Quantified, Quantifier, Stat, Value};
use estate::{Aggregate, Aggregates, ComponentId};
use value::{Duration, Time, Truth};

use super::Engine;
use super::evaluate::{Env, compare_numbers};
use super::evidence::Known;
use super::misses::{CLOSE, distance, relative};

/// Bounds on what a condition comes to at any instant of the lookback.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outlook {
    /// At least so many atomic conditions are unmet.
    pub lacking: usize,
    /// If it is one: it is at least so far from matching.
    pub distance: f64,
    /// Whether a condition that is not negated may hold, with signals.
    pub holds: bool,
}

impl Outlook {
    /// Anything may be.
    fn open(negated: bool) -> Self {
        Outlook { lacking: 0, distance: 0.0, holds: !negated }
    }

    fn unmet(distance: f64) -> Self {
        Outlook { lacking: 1, distance, holds: false }
    }

    pub fn may_be_near_miss(self) -> bool {
        self.lacking < 2 && (self.holds || self.lacking == 0 || self.distance <= CLOSE)
    }
}

/// The least and the largest value that a metric can have at any instant; `None`: it has none at all.
pub(super) type Span = Option<(f64, f64)>;

/// The span of series that are combined: the level of each, and its samples with stale markers.
pub(super) fn span<'s>(series: impl Iterator<Item = (u8, &'s [(Time, f64)])>, aggregate: Aggregates) -> Span {
    let (mut whole, mut total): (Span, (f64, f64)) = (None, (0.0, 0.0));
    let mut sums = false;
    for (level, samples) in series {
        let values = samples.iter().map(|(_, value)| *value).filter(|value| !value.is_nan());
        let Some((low, high)) = values.fold(None, |span: Span, value| join(span, Some((value, value)))) else { continue };
        whole = join(whole, Some((low, high)));
        // Not every series has a sample at every instant.
        total = (total.0 + low.min(0.0), total.1 + high.max(0.0));
        sums |= aggregate.at(level) == Aggregate::Sum;
    }
    let whole = whole?;
    if sums { join(Some(whole), Some(total)) } else { Some(whole) }
}

fn join(a: Span, b: Span) -> Span {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (one, None) | (None, one) => one,
    }
}

/// The smallest change that makes a trend true, from the reference value that it is measured from.
pub(super) fn needed(rises: bool, relative: bool, reference: f64, by: f64) -> f64 {
    let change = if relative { reference.abs() * by / 100.0 } else { by };
    if rises { reference + change } else { reference - change }
}

impl<'a> Engine<'a> {
    pub(super) fn outlook(&self, cond: &'a Cond, env: &Env<'_, 'a>, negated: bool) -> Outlook {
        match &cond.kind {
            CondKind::And(parts) if !negated => self.all_of(parts, env, negated),
            CondKind::Or(parts) if negated => self.all_of(parts, env, negated),
            CondKind::And(parts) | CondKind::Or(parts) => {
                let parts: Vec<Outlook> = parts.iter().map(|part| self.outlook(part, env, negated)).collect();
                Outlook {
                    lacking: parts.iter().map(|part| part.lacking).min().unwrap_or(0),
                    distance: parts.iter().map(|part| part.distance).fold(1.0, f64::min),
                    holds: parts.iter().any(|part| part.holds),
                }
            }
            CondKind::Not(inner) => self.outlook(inner, env, !negated),
            // What never held has not begun to last.
            CondKind::Held { inner, .. } => match self.outlook(inner, env, negated) {
                Outlook { lacking: 0, .. } => Outlook::open(negated),
                Outlook { lacking, .. } => Outlook { lacking, ..Outlook::unmet(if negated { 0.0 } else { 1.0 }) },
            },
            CondKind::State { subject, state, negated: not } => match self.state_body(env.subject(*subject), state) {
                Some((component, body)) => self.outlook(body, &Env { it: Some(component), ..*env }, negated ^ *not),
                None => Outlook::unmet(1.0),
            },
            CondKind::Link { .. } | CondKind::Shares { .. } => self.fixed(cond, env, negated),
            CondKind::Event(event) if !negated => self.event_outlook(event, env),
            CondKind::Quantified(quantified) if !negated => self.quantified_outlook(quantified, env),
            CondKind::Compare { left, op, right, .. } => {
                let (Some(a), Some(b)) = (self.extremes(left, env), self.extremes(right, env)) else {
                    return if varies(left) || varies(right) { Outlook::open(negated) } else { self.fixed(cond, env, negated) };
                };
                if !varies(left) && !varies(right) {
                    return self.fixed(cond, env, negated);
                }
                let (Some(a), Some(b)) = (a, b) else { return Outlook::unmet(1.0) };
                reachable(a, if negated { opposite(*op) } else { *op }, b, negated)
            }
            CondKind::Trend { metric, rises, relative, by, window } if !negated => {
                let Some(component) = env.subject(metric.subject) else { return Outlook::unmet(1.0) };
                let now = self.metric_span(component, &metric.name, 0);
                let (Some(now), Some(past)) = (now, self.metric_span(component, &metric.name, *window)) else {
                    return Outlook::unmet(1.0);
                };
                // A share of a negative number is no bound.
                if past.0 < 0.0 {
                    return Outlook::open(negated);
                }
                let (op, reference) = if *rises { (Op::Ge, past.0) } else { (Op::Le, past.1) };
                let needed = needed(*rises, *relative, reference, *by);
                reachable(now, op, (needed, needed), negated)
            }
            CondKind::Unexplained(_)
            | CondKind::Event(_)
            | CondKind::Quantified(_)
            | CondKind::Probe { .. }
            | CondKind::Script(_)
            | CondKind::Trend { .. }
            | CondKind::Baseline { .. } => Outlook::open(negated),
        }
    }

    /// Of conditions that must all be met.
    fn all_of(&self, parts: &'a [Cond], env: &Env<'_, 'a>, negated: bool) -> Outlook {
        let mut all = Outlook { lacking: 0, distance: 0.0, holds: false };
        for part in parts {
            let of = self.outlook(part, env, negated);
            all.lacking += of.lacking;
            all.holds |= of.holds;
            if of.lacking > 0 {
                all.distance = of.distance;
            }
            if all.lacking > 1 {
                break;
            }
        }
        all
    }

    /// Of a condition on the topology: it is the same at every instant.
    fn fixed(&self, cond: &'a Cond, env: &Env<'_, 'a>, negated: bool) -> Outlook {
        let evidence = self.evaluate(cond, env, self.at);
        let wanted = if negated { Truth::False } else { Truth::True };
        if evidence.truth == wanted { Outlook { lacking: 0, distance: 0.0, holds: false } } else { Outlook::unmet(distance(&evidence)) }
    }

    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn event_outlook(&self, event: &'a Event, env: &Env<'_, 'a>) -> Outlook {
        let (found, needed) = (self.matching(event, env).len(), event.at_least as usize);
        if found < needed { Outlook::unmet(relative(found as f64, needed as f64)) } else { Outlook::open(false) }
    }

    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn quantified_outlook(&self, quantified: &'a Quantified, env: &Env<'_, 'a>) -> Outlook {
        let elements = self.elements(&quantified.set, env);
        let needed = match quantified.quantifier {
            Quantifier::Every => elements.len().max(1),
            Quantifier::Any => 1,
            Quantifier::AtLeast(count) => count as usize,
            Quantifier::AtLeastPercent(_) | Quantifier::No | Quantifier::AtMost(_) | Quantifier::AtMostPercent(_) => {
                return Outlook::open(false);
            }
        };
        let may_hold = |&&it: &&ComponentId| self.outlook(&quantified.body, &Env { it: Some(it), ..*env }, false).lacking == 0;
        let holding = elements.iter().filter(may_hold).count();
        if holding >= needed {
            Outlook::open(false)
        } else if quantified.quantifier == Quantifier::Any {
            Outlook::unmet(1.0)
        } else {
            Outlook::unmet(relative(holding as f64, needed as f64))
        }
    }

    /// Between which values a side of a comparison lies; the inner `None`: it never has any. The outer: nothing is known.
    fn extremes(&self, value: &'a Value, env: &Env<'_, 'a>) -> Option<Span> {
        match value {
            Value::Number { base, .. } => Some(Some((*base, *base))),
            Value::Attribute { .. } => match self.reading(value, None, env, self.at).0.value {
                Known::Number(number) => Some(Some((number, number))),
                Known::Text(_) | Known::Unknown(_) => None,
            },
            Value::Metric(metric) => Some(env.subject(metric.subject).and_then(|of| self.metric_span(of, &metric.name, 0))),
            Value::Share { percent, of } => {
                let (a, b) = match self.extremes(of, env)? {
                    Some((low, high)) => (low * percent / 100.0, high * percent / 100.0),
                    None => return Some(None),
                };
                Some(Some((a.min(b), a.max(b))))
            }
            Value::Aggregate { stat: Stat::Total, .. } | Value::Text(_) | Value::Script(_) => None,
            Value::Aggregate { metric, window, .. } => {
                Some(env.subject(metric.subject).and_then(|of| self.metric_span(of, &metric.name, window.unwrap_or(0))))
            }
        }
    }

    /// The span of a metric within the range that a rule may need, and a window before it.
    fn metric_span(&self, component: ComponentId, metric: &str, window: Duration) -> Span {
        self.memo.span(component, metric, window, || {
            let def = self.metric_def(component, metric)?;
            let from = self.earliest().minus(def.staleness.saturating_add(window).saturating_add(1));
            let series = self.series_of(component, metric);
            span(series.iter().map(|told| (told.level, told.series.within(from, self.at))), def.aggregate)
        })
    }
}

/// Whether a value changes with time.
fn varies(value: &Value) -> bool {
    match value {
        Value::Number { .. } | Value::Text(_) | Value::Attribute { .. } => false,
        Value::Share { of, .. } => varies(of),
        Value::Metric(_) | Value::Aggregate { .. } | Value::Script(_) => true,
    }
}

/// Of a comparison of two values of which only the span is known.
fn reachable(a: (f64, f64), op: Op, b: (f64, f64), negated: bool) -> Outlook {
    let (left, right) = match op {
        Op::Gt | Op::Ge => (a.1, b.0),
        Op::Lt | Op::Le => (a.0, b.1),
        Op::Eq if a.1 < b.0 => (a.1, b.0),
        Op::Eq if b.1 < a.0 => (a.0, b.1),
        Op::Eq | Op::Ne => return Outlook::open(negated),
    };
    if compare_numbers(left, op, right) { Outlook::open(negated) } else { Outlook::unmet(relative(left, right)) }
}

fn opposite(op: Op) -> Op {
    match op {
        Op::Lt => Op::Ge,
        Op::Le => Op::Gt,
        Op::Eq => Op::Ne,
        Op::Ne => Op::Eq,
        Op::Ge => Op::Lt,
        Op::Gt => Op::Le,
    }
}

/// Whether a value holds a bound, or is close to it.
pub(super) fn is_close(value: f64, op: Op, bound: f64) -> bool {
    compare_numbers(value, op, bound) || relative(value, bound) <= CLOSE
}
