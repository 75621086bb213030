//! Numbers at an instant: metrics, attributes, statistics over windows, trends, baselines.

use compile::plan::{Argument, Call, Cond, Metric, Op, Stat, Value};
use compile::{ScriptComponent, ScriptError, ScriptValue};
use estate::{Aggregate, AttributeDef, AttributeKind, AttributeValue, ComponentId, Member, MetricDef};
use value::{DAY, Duration, HOUR, MINUTE, Time, Truth, Unit, WEEK};

use super::Engine;
use super::evaluate::{Env, compare};
use super::evidence::{Detail, Evidence, Known, Missing, Reading, SignalRef};
use super::memo::Period;
use super::outlook::needed;
use super::workload::{Nearest, Told};

/// Baselines compare with samples this far before and after the same time of day.
pub(super) const SAME_TIME: Duration = 30 * MINUTE;
/// The time of day advances in steps of this size, so that a baseline changes only at known instants.
pub(super) const BASELINE_STEP: Duration = 10 * MINUTE;
/// A statistic over fewer samples is not a usable baseline.
pub(super) const MIN_BASELINE: usize = 5;
/// How much history of a metric a script sees.
pub(super) const SCRIPT_WINDOW: Duration = HOUR;

/// A reading with the signals that support it and the component that it belongs to.
pub type Read = (Reading, Vec<SignalRef>, Option<ComponentId>);
/// A value and when it was sampled; the signals that it rests on, and those of them that have it.
type Spoken = (Known, Option<Time>, Vec<SignalRef>, Vec<SignalRef>);
/// A known reading with its signals, its component and its number.
type Present = (Reading, Vec<SignalRef>, ComponentId, f64);

impl<'a> Engine<'a> {
    pub(super) fn metric_def(&self, component: ComponentId, name: &str) -> Option<&'a MetricDef> {
        match self.estate.model().member(&self.estate.component(component).kind, name) {
            Some(Member::Metric(def)) => Some(def),
            Some(Member::Attribute(_)) | None => None,
        }
    }

    fn name(&self, component: ComponentId, member: &str) -> String {
        format!("{}.{member}", self.estate.component(component).id)
    }

    pub(super) fn reading(&self, value: &'a Value, unit: Option<Unit>, env: &Env<'_, 'a>, at: Time) -> Read {
        match value {
            Value::Number { base, unit: own } => (Reading::of(Known::Number(*base), unit.or(Some(*own)), String::new()), Vec::new(), None),
            Value::Text(text) => (Reading::of(Known::Text(text.clone()), None, String::new()), Vec::new(), None),
            Value::Metric(metric) => self.metric(metric, env, at),
            Value::Attribute { subject, name, unit } => match env.subject(*subject) {
                Some(component) => (self.attribute(component, name, *unit), Vec::new(), Some(component)),
                None => (Reading::unknown(name.clone(), *unit, Missing::Component), Vec::new(), None),
            },
            Value::Share { percent, of } => {
                let (mut reading, signals, about) = self.reading(of, unit, env, at);
                if let Known::Number(number) = reading.value {
                    reading.value = Known::Number(number * percent / 100.0);
                }
                reading.name = format!("{}% of {}", value::format_number(*percent), reading.name);
                (reading, signals, about)
            }
            Value::Aggregate { stat, metric, window: Some(window) } => self.aggregate(*stat, metric, *window, env, at),
            Value::Aggregate { stat, metric, window: None } => self.over_instances(*stat, metric, env, at),
            Value::Script(call) => {
                let (answer, about) = self.call(call, env, at);
                let name = format!("script {}", call.function);
                let reading = match answer {
                    // Scripts work in display units, for arguments and results.
                    Ok(ScriptValue::Number(number)) => {
                        Reading { time: Some(at), ..Reading::of(Known::Number(number * unit.map_or(1.0, |u| u.factor)), unit, name) }
                    }
                    Ok(ScriptValue::Text(text)) => Reading { time: Some(at), ..Reading::of(Known::Text(text), None, name) },
                    Ok(ScriptValue::Bool(value)) => Reading { time: Some(at), ..Reading::of(Known::Text(value.to_string()), None, name) },
                    Ok(ScriptValue::Component(_)) => Reading::unknown(name, unit, Missing::Value { function: call.function.clone() }),
                    Err(reason) => Reading::unknown(name, unit, reason),
                };
                (reading, Vec::new(), about)
            }
        }
    }

    fn attribute(&self, component: ComponentId, name: &str, unit: Option<Unit>) -> Reading {
        let full = self.name(component, name);
        let value = match self.estate.component(component).attributes.get(name) {
            Some(AttributeValue::Number(number)) => Known::Number(*number),
            Some(AttributeValue::Text(text)) => Known::Text(text.clone()),
            Some(AttributeValue::Bool(value)) => Known::Text(value.to_string()),
            None => Known::Unknown(Missing::Attribute { attribute: name.to_owned() }),
        };
        Reading::of(value, unit, full)
    }

    /// The metric at an instant: the latest sample of each series that is not stale, combined as the model declares. Without any of its
    /// own, those of its instances.
    pub(super) fn metric(&self, metric: &Metric, env: &Env<'_, 'a>, at: Time) -> Read {
        let Some(component) = env.subject(metric.subject) else {
            return (Reading::unknown(metric.name.clone(), Some(metric.unit), Missing::Component), Vec::new(), None);
        };
        let (value, time, signals, told) = self.metric_at(component, &metric.name, at);
        let reading = Reading { time, told, ..Reading::of(value, Some(metric.unit), self.name(component, &metric.name)) };
        (reading, signals, Some(component))
    }

    fn metric_at(&self, component: ComponentId, metric: &str, at: Time) -> Spoken {
        let combined = |def: &MetricDef, nearest: &Nearest| {
            (!nearest.values.is_empty()).then(|| (nearest.combined(def.aggregate), nearest.picks(def.aggregate)))
        };
        self.read_at(component, metric, at, Nearest::of, combined)
    }

    /// A statistic over what the instances of a component say at an instant.
    fn over_instances(&self, stat: Stat, metric: &Metric, env: &Env<'_, 'a>, at: Time) -> Read {
        let Some(component) = env.subject(metric.subject) else {
            return (Reading::unknown(metric.name.clone(), Some(metric.unit), Missing::Component), Vec::new(), None);
        };
        let over = |_: &MetricDef, nearest: &Nearest| {
            let values: Vec<f64> = nearest.values.iter().map(|(.., value)| *value).collect();
            let picks = match stat {
                Stat::Peak | Stat::Lowest | Stat::P50 | Stat::P90 | Stat::P95 | Stat::P99 => true,
                Stat::Mean | Stat::Total => false,
            };
            Some((statistic(stat, &values)?, picks))
        };
        let (value, time, signals, told) = self.read_at(component, &metric.name, at, Nearest::of_instances, over);
        let name = format!("{} of {} over instances", stat.word(), self.name(component, &metric.name));
        (Reading { time, told, ..Reading::of(value, Some(metric.unit), name) }, signals, Some(component))
    }

    /// The latest samples that are not stale, made one value, with whether that is the value of one of them; `None` where there is none.
    fn read_at(
        &self,
        component: ComponentId,
        metric: &str,
        at: Time,
        nearest: fn(&[Told<'_>], Duration, Time) -> Nearest,
        value: impl Fn(&MetricDef, &Nearest) -> Option<(f64, bool)>,
    ) -> Spoken {
        let Some(def) = self.metric_def(component, metric) else {
            return (Known::Unknown(Missing::Metric { metric: metric.to_owned() }), None, Vec::new(), Vec::new());
        };
        let series = self.series_of(component, metric);
        let fresh = nearest(&series, def.staleness, at);
        let Some((value, picked)) = value(def, &fresh) else {
            return (Known::Unknown(self.why_no_sample(&series, def, at)), None, Vec::new(), Vec::new());
        };
        let time = fresh.values.iter().map(|(_, time, _)| *time).max();
        let signals: Vec<SignalRef> = fresh.values.iter().map(|(index, ..)| SignalRef::Series(*index)).collect();
        let told = if picked { fresh.having(value).map(SignalRef::Series).collect() } else { signals.clone() };
        (Known::Number(value), time, signals, told)
    }

    fn why_no_sample(&self, series: &[Told<'_>], def: &MetricDef, at: Time) -> Missing {
        let last = series.iter().filter_map(|told| told.series.points.iter().rfind(|(time, _)| *time <= at)).max_by_key(|(time, _)| *time);
        match last {
            None if !self.facts.present.metrics => Missing::Signals { kind: "metrics".to_owned() },
            None => Missing::Sample { metric: def.name.clone() },
            Some((time, value)) if value.is_nan() => Missing::Ended { at: *time },
            Some((time, _)) => Missing::Stale { at: *time, limit: def.staleness },
        }
    }

    /// The metric at each instant with a sample in the window that ends at `at`, oldest first. Several series are combined at
    /// each instant, as they are for a single reading.
    fn samples(&self, component: ComponentId, metric: &str, window: Duration, at: Time) -> (Vec<(Time, f64)>, Vec<SignalRef>) {
        let series = self.series_of(component, metric);
        let speaks = |told: &&Told<'_>| told.series.within(at.minus(window), at).iter().any(|(_, value)| !value.is_nan());
        let speaking: Vec<Told<'_>> = series.iter().filter(speaks).copied().collect();
        let level = speaking.iter().map(|told| told.level).min();
        let signals = speaking.iter().filter(|told| Some(told.level) == level).map(|told| SignalRef::Series(told.at)).collect();
        (self.history(component, metric, &series, at.minus(window), at), signals)
    }

    fn aggregate(&self, stat: Stat, metric: &Metric, window: Duration, env: &Env<'_, 'a>, at: Time) -> Read {
        let Some(component) = env.subject(metric.subject) else {
            return (Reading::unknown(metric.name.clone(), Some(metric.unit), Missing::Component), Vec::new(), None);
        };
        let name = format!("{} of {} within {}", stat.word(), self.name(component, &metric.name), Time::describe(window));
        let (samples, signals) = self.samples(component, &metric.name, window, at);
        let values: Vec<f64> = samples.iter().map(|(_, value)| *value).collect();
        let reading = match statistic(stat, &values) {
            Some(value) => {
                let (time, told) = (samples.last().map(|(time, _)| *time), signals.clone());
                Reading { time, told, ..Reading::of(Known::Number(value), Some(metric.unit), name) }
            }
            None => Reading::unknown(name, Some(metric.unit), Missing::Window),
        };
        (reading, signals, Some(component))
    }

    /// The current value of the metric, for a condition that compares it with its own past. `Err`: the evidence that it is unknown.
    fn present(&self, cond: &'a Cond, metric: &Metric, env: &Env<'_, 'a>, at: Time) -> Result<Present, Box<Evidence<'a>>> {
        let (now, signals, about) = self.metric(metric, env, at);
        match (about, &now.value) {
            (Some(component), &Known::Number(current)) => Ok((now, signals, component, current)),
            (_, value) => {
                let reason = if let Known::Unknown(reason) = value { reason.clone() } else { Missing::Component };
                Err(Box::new(Evidence::leaf(cond, at, Truth::Unknown, about, Detail::Missing(reason))))
            }
        }
    }

    /// A rise is measured from the lowest sample of the window, a fall from the highest.
    pub(super) fn trend(
        &self,
        cond: &'a Cond,
        (metric, rises, relative, by, window): (&'a Metric, bool, bool, f64, Duration),
        env: &Env<'_, 'a>,
        at: Time,
    ) -> Evidence<'a> {
        let (now, signals, component, current) = match self.present(cond, metric, env, at) {
            Ok(present) => present,
            Err(missing) => return *missing,
        };
        let (samples, _) = self.samples(component, &metric.name, window, at);
        let pick = |a: (Time, f64), b: (Time, f64)| if (b.1 < a.1) == rises && b.1.total_cmp(&a.1).is_ne() { b } else { a };
        let (time, reference) = samples.iter().copied().reduce(pick).unwrap_or((at, current));
        let needed = needed(rises, relative, reference, by);
        let is = |op, bound: f64| compare(&Known::Number(current), op, &Known::Number(bound)).is_true();
        let holds = if rises { is(Op::Ge, needed) && is(Op::Gt, reference) } else { is(Op::Le, needed) && is(Op::Lt, reference) };
        let covered = matches!(self.metric_at(component, &metric.name, at.minus(window)).0, Known::Number(_));
        let truth = if holds {
            Truth::True
        } else if covered {
            Truth::False
        } else {
            Truth::Unknown
        };
        let reference = Reading { time: Some(time), ..Reading::of(Known::Number(reference), Some(metric.unit), now.name.clone()) };
        let mut evidence = Evidence::leaf(cond, at, truth, Some(component), Detail::Moved { now, reference, needed, baseline: None });
        evidence.signals = signals;
        evidence
    }

    /// Compares the metric with its baseline at this time of day.
    pub(super) fn against(
        &self,
        cond: &'a Cond,
        (metric, above, stat, period, by_percent): (&'a Metric, bool, Stat, Duration, f64),
        env: &Env<'_, 'a>,
        at: Time,
    ) -> Evidence<'a> {
        let (now, signals, component, current) = match self.present(cond, metric, env, at) {
            Ok(present) => present,
            Err(missing) => return *missing,
        };
        let usual = self.usual(component, &metric.name, period, at);
        let Some(reference) = Some(&usual).filter(|u| u.len() >= MIN_BASELINE).and_then(|u| statistic(stat, u)) else {
            let reason = Missing::Baseline { found: usual.len(), needed: MIN_BASELINE };
            return Evidence::leaf(cond, at, Truth::Unknown, Some(component), Detail::Missing(reason));
        };
        let needed = reference * if above { 1.0 + by_percent / 100.0 } else { 1.0 - by_percent / 100.0 };
        let op = if above { Op::Gt } else { Op::Lt };
        let holds = compare(&Known::Number(current), op, &Known::Number(needed)).is_true();
        let reference = Reading::of(Known::Number(reference), Some(metric.unit), now.name.clone());
        let baseline = Some((stat, usual.len()));
        let mut evidence =
            Evidence::leaf(cond, at, Truth::from(holds), Some(component), Detail::Moved { now, reference, needed, baseline });
        evidence.signals = signals;
        evidence
    }

    /// Samples from the same time of day: from the healthy period if one was recorded, otherwise from earlier days.
    fn usual(&self, component: ComponentId, metric: &str, period: Duration, at: Time) -> Vec<f64> {
        let at = Time(at.0.div_euclid(BASELINE_STEP) * BASELINE_STEP);
        // Whole weeks compare with the same weekday.
        let cycle = if period % WEEK == 0 && period > WEEK { WEEK } else { DAY };
        let near = |time: Time, cycle: Duration| {
            let apart = at.since(time).rem_euclid(cycle);
            apart.min(cycle - apart) <= SAME_TIME
        };
        let healthy = self.baseline_of(component, metric);
        if healthy.iter().any(|told| told.series.points.iter().any(|(_, value)| !value.is_nan())) {
            let whole = || self.together(component, metric, &healthy, Time::MIN, Time::MAX);
            let samples = self.memo.combined(component, Period::Healthy, metric, whole);
            let same: Vec<f64> = samples.iter().filter(|(time, _)| near(*time, DAY)).map(|(_, value)| *value).collect();
            return if same.len() >= MIN_BASELINE { same } else { samples.iter().map(|(_, value)| *value).collect() };
        }
        // Both ends belong to the half hour around the same time of day.
        let earliest = at.minus(period + SAME_TIME + 1);
        let latest = at.minus(cycle).plus(SAME_TIME);
        let series = self.series_of(component, metric);
        let samples = self.history(component, metric, &series, earliest, latest);
        samples.into_iter().filter(|(time, _)| near(*time, cycle)).map(|(_, value)| value).collect()
    }

    /// The same for the bundle's own series, combined once for all windows.
    fn history(&self, component: ComponentId, metric: &str, series: &[Told<'_>], from: Time, to: Time) -> Vec<(Time, f64)> {
        let all = self.memo.combined(component, Period::Now, metric, || self.together(component, metric, series, Time::MIN, self.at));
        let start = all.partition_point(|(time, _)| *time <= from);
        let end = all.partition_point(|(time, _)| *time <= to);
        all.get(start..end).unwrap_or(&[]).to_vec()
    }

    /// The metric at each instant after `from`, up to `to`, at which one of the nearest series has a sample; all of these combined.
    fn together(&self, component: ComponentId, metric: &str, series: &[Told<'_>], from: Time, to: Time) -> Vec<(Time, f64)> {
        let Some(def) = self.metric_def(component, metric) else { return Vec::new() };
        let times: std::collections::BTreeSet<Time> = series
            .iter()
            .flat_map(|told| told.series.within(from, to))
            .filter(|(_, value)| !value.is_nan())
            .map(|(time, _)| *time)
            .collect();
        let value = |time: Time| {
            let fresh = Nearest::of(series, def.staleness, time);
            fresh.values.iter().any(|(_, sampled, _)| *sampled == time).then(|| (time, fresh.combined(def.aggregate)))
        };
        times.into_iter().filter_map(value).collect()
    }

    /// Calls a script predicate. Also returns the component that its first component argument names.
    pub(super) fn call(&self, call: &Call, env: &Env<'_, 'a>, at: Time) -> (Result<ScriptValue, Missing>, Option<ComponentId>) {
        let mut about = None;
        let mut arguments = Vec::new();
        for argument in &call.arguments {
            arguments.push(match argument {
                Argument::Number(number) => ScriptValue::Number(*number),
                Argument::Text(text) => ScriptValue::Text(text.clone()),
                Argument::Component(subject) => {
                    let Some(component) = env.subject(*subject) else {
                        return (Err(Missing::Component), None);
                    };
                    about = about.or(Some(component));
                    ScriptValue::Component(Box::new(self.script_component(component, at)))
                }
                Argument::Metric(metric) => match self.metric(metric, env, at).0 {
                    Reading { value: Known::Number(number), .. } => ScriptValue::Number(number / metric.unit.factor),
                    Reading { value: Known::Text(_), name, .. } => {
                        return (Err(Missing::Number { name }), about);
                    }
                    Reading { value: Known::Unknown(reason), .. } => return (Err(reason), about),
                },
            });
        }
        let failed = |error: ScriptError| Missing::Script { function: call.function.clone(), error: error.to_string() };
        (self.scripts.call(&call.function, arguments).map_err(failed), about)
    }

    /// The factor of the unit in which the model declares an attribute.
    fn attribute_factor(&self, kind: &str, name: &str) -> f64 {
        match self.estate.model().member(kind, name) {
            Some(Member::Attribute(AttributeDef { kind: AttributeKind::Number(unit), .. })) => unit.factor,
            Some(Member::Attribute(_) | Member::Metric(_)) | None => 1.0,
        }
    }

    fn script_component(&self, id: ComponentId, at: Time) -> ScriptComponent {
        let component = self.estate.component(id);
        let attributes = component.attributes.iter().map(|(name, value)| {
            let value = match value {
                AttributeValue::Number(number) => ScriptValue::Number(number / self.attribute_factor(&component.kind, name)),
                AttributeValue::Text(text) => ScriptValue::Text(text.clone()),
                AttributeValue::Bool(value) => ScriptValue::Bool(*value),
            };
            (name.clone(), value)
        });
        let mut metrics = std::collections::BTreeMap::new();
        for def in self.estate.model().lineage(&component.kind).flat_map(|t| t.metrics.values()) {
            if metrics.contains_key(&def.name) {
                continue;
            }
            let (mut samples, _) = self.samples(id, &def.name, SCRIPT_WINDOW, at);
            samples.iter_mut().for_each(|(_, value)| *value /= def.unit.factor);
            if !samples.is_empty() {
                metrics.insert(def.name.clone(), samples);
            }
        }
        ScriptComponent {
            id: component.id.clone(),
            kind: component.kind.clone(),
            name: component.name.clone(),
            attributes: attributes.collect(),
            metrics,
        }
    }
}

pub(super) fn combine(aggregate: Aggregate, values: &[f64]) -> f64 {
    match aggregate {
        Aggregate::Mean => mean(values),
        Aggregate::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Aggregate::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
        Aggregate::Sum => values.iter().sum(),
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts of samples are far below 2^53")]
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// A statistic of values in any order. Percentiles use the nearest rank: the smallest value that at least that share of the
/// values does not exceed. `None` if there are no values.
pub(super) fn statistic(stat: Stat, values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let percentile = |percent: usize| {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied()
    };
    match stat {
        Stat::Mean => Some(mean(values)),
        Stat::Peak => values.iter().copied().reduce(f64::max),
        Stat::Lowest => values.iter().copied().reduce(f64::min),
        Stat::Total => Some(values.iter().sum()),
        Stat::P50 => percentile(50),
        Stat::P90 => percentile(90),
        Stat::P95 => percentile(95),
        Stat::P99 => percentile(99),
    }
}
