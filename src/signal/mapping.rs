//! Maps series names to metrics of the model, and converts samples to the base unit.

use std::collections::BTreeMap;

use estate::{ComponentId, Instance, Member, MetricDef, Model};
use value::{Dimension, Duration, Time, Unit};

use super::counter::{Counting, WINDOW, rise};
use super::mapping_rules::{MetricEntry, ReadAs, agrees};
use super::resolver::Resolver;

/// The ending of names of counters, by the conventions of Prometheus.
pub(super) const TOTAL: &str = "_total";

/// The endings of the series of histograms and summaries, which are counters.
pub(super) const HISTOGRAM: &[&str] = &["_sum", "_count", "_bucket"];

/// Endings that name the unit of the samples, by the conventions of Prometheus and of exporters; longer ones first.
pub(super) const SUFFIXES: &[(&str, &str)] = &[
    ("_bytes_per_second", "B/s"),
    ("_per_second", "/s"),
    ("_per_minute", "/min"),
    ("_milliseconds", "ms"),
    ("_microseconds", "us"),
    ("_percentage", "%"),
    ("_mebibytes", "MiB"),
    ("_gibibytes", "GiB"),
    ("_kibibytes", "KiB"),
    ("_percent", "%"),
    ("_seconds", "s"),
    ("_minutes", "min"),
    ("_ratio", "ratio"),
    ("_bytes", "B"),
    ("_count", "count"),
    ("_hours", "h"),
    ("_days", "d"),
    ("_ms", "ms"),
    ("_us", "us"),
];

/// A span of time that passes within the same span is the whole of it: a millisecond per second is a tenth of a percent.
const PERCENT_OF_A_SECOND: f64 = 0.1;

/// Functions of Prometheus after which a counter is none any more.
const COUNTED: &[&str] = &["rate(", "increase(", "delta("];

/// What a series is in the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mapped<'a> {
    pub metric: &'a str,
    /// From the samples, or from the rise of a counter, to the base unit.
    pub factor: f64,
    pub counter: Option<Counter>,
    /// What it is if it proves to be a counter, where nothing says what the samples are.
    pub unsaid: Option<Unsaid>,
}

/// What becomes of a series that only climbs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Unsaid {
    /// Of a metric that is a rate: it is read by its rise, with this factor.
    Rate(f64),
    /// It stays what it is, with a warning: what is measured may climb, too.
    Value,
}

/// How a counter is read, and over which time before each sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    pub(super) counting: Counting,
    /// The time before each sample within which its rise counts.
    pub over: Duration,
}

impl Counter {
    /// The rise at each sample.
    pub fn read(&self, points: &[(Time, f64)]) -> Vec<(Time, f64)> {
        rise(points, self.over, self.counting)
    }
}

impl<'a> Resolver<'a> {
    /// The model's metric for a series of a component, and how its samples become values in the base unit of the metric's dimension.
    /// Tries the entries of `sources.yaml`, then a metric with the name of the series, then that name without a unit suffix.
    /// `None`: the series is not in the model.
    pub(super) fn metric(&self, series: &str, labels: &BTreeMap<String, String>, component: ComponentId) -> Option<Mapped<'a>> {
        let estate = self.estate;
        let kind = estate.component(component).kind.as_str();
        let entries = self.placement.metrics.iter().filter(|entry| entry.series == series && agrees(&entry.labels, labels));
        for entry in entries {
            if entry.kind.as_deref().is_some_and(|wanted| !is_a(estate.model(), kind, wanted)) {
                continue;
            }
            if let Some(def) = metric_of(estate.model(), kind, &entry.metric)
                && let Some(mapped) = entry.mapped(def)
            {
                return Some(mapped);
            }
        }
        if let Some(def) = metric_of(estate.model(), kind, series) {
            return by_name(series, def);
        }
        SUFFIXES.iter().find_map(|(ending, unit)| {
            let def = metric_of(estate.model(), kind, series.strip_suffix(*ending)?)?;
            let factor = value_factor(Some(Unit::parse(unit)?), def)?;
            Some(Mapped { metric: def.name.as_str(), factor, counter: None, unsaid: of_value(def) })
        })
    }

    /// The component whose metric a series on a component is, and the metric. What an instance measures and its type does not have is told
    /// of its workload: the connections of a database, by an exporter in its pod.
    pub(super) fn told(
        &self,
        series: &str,
        labels: &BTreeMap<String, String>,
        component: ComponentId,
    ) -> (ComponentId, Option<Mapped<'a>>) {
        if let Some(mapped) = self.metric(series, labels, component) {
            return (component, Some(mapped));
        }
        let workloads = self.estate.workloads_of(component);
        let of = |one: &Instance| Some((one.level, one.component, self.metric(series, labels, one.component)?));
        let found: Vec<(u8, ComponentId, Mapped<'a>)> = workloads.iter().filter_map(of).collect();
        let nearest = found.iter().map(|(level, ..)| *level).min();
        let mut near = found.into_iter().filter(|(level, ..)| Some(*level) == nearest);
        match (near.next(), near.next()) {
            (Some((_, workload, mapped)), None) => (workload, Some(mapped)),
            (Some(_), Some(_)) | (None, _) => (component, None),
        }
    }
}

impl MetricEntry {
    /// How its samples become values of a metric; `None` if they cannot.
    pub fn mapped<'m>(&self, def: &'m MetricDef) -> Option<Mapped<'m>> {
        mapped(&self.series, self.read_as(), self.over, self.unit, def)
    }

    /// How it is read, as far as it says so.
    pub fn read_as(&self) -> Option<ReadAs> {
        // The samples of a query that counts are no counter, whatever they are called.
        let counts = |query: &String| COUNTED.iter().any(|function| query.contains(function));
        self.read_as.or_else(|| self.query.as_ref().filter(|query| counts(query)).map(|_| ReadAs::Value))
    }
}

/// A series with the name of a metric.
pub(super) fn by_name<'m>(series: &str, def: &'m MetricDef) -> Option<Mapped<'m>> {
    mapped(series, None, WINDOW, None, def)
}

fn mapped<'m>(series: &str, read_as: Option<ReadAs>, over: Duration, unit: Option<Unit>, def: &'m MetricDef) -> Option<Mapped<'m>> {
    let counted = unit.or_else(|| counted_unit(series));
    let is_said = read_as.is_some();
    let read_as = match read_as {
        Some(said) => said,
        None if series.ends_with(TOTAL) => ReadAs::Counter(by_default(counted, def)?),
        None => ReadAs::Value,
    };
    let factor = match read_as {
        ReadAs::Value => value_factor(unit, def),
        ReadAs::Counter(Counting::Rate) => rate_factor(counted, def),
        ReadAs::Counter(Counting::Increase) => increase_factor(counted, def),
    }?;
    let (climbing, unsaid) = match read_as {
        ReadAs::Counter(counting) => (Some(Counter { counting, over }), None),
        ReadAs::Value if is_said => (None, None),
        ReadAs::Value if is_rate(def) => (None, rate_factor(unit, def).map(Unsaid::Rate)),
        ReadAs::Value => (None, of_value(def)),
    };
    Some(Mapped { metric: def.name.as_str(), factor, counter: climbing, unsaid })
}

/// How a counter is read where nothing says it: as the metric needs it. `None`: the metric is one that no counter can be.
fn by_default(counted: Option<Unit>, def: &MetricDef) -> Option<Counting> {
    if rate_factor(counted, def).is_some() {
        return Some(Counting::Rate);
    }
    // A sum of time is no duration of anything, so for that an entry has to say so.
    let amount = matches!(def.unit.dimension, Dimension::Count | Dimension::Bytes);
    (amount && increase_factor(counted, def).is_some()).then_some(Counting::Increase)
}

/// What a counter counts, by its name: bytes in `node_network_receive_bytes_total`.
fn counted_unit(series: &str) -> Option<Unit> {
    unit_in(series.strip_suffix(TOTAL)?)
}

/// The unit with which a name ends.
pub(super) fn unit_in(name: &str) -> Option<Unit> {
    let (_, unit) = SUFFIXES.iter().find(|(ending, _)| name.ends_with(*ending))?;
    Unit::parse(unit)
}

/// A share of a whole has an end, so it is no counter, however long it climbs.
fn of_value(def: &MetricDef) -> Option<Unsaid> {
    (def.unit.dimension != Dimension::Fraction).then_some(Unsaid::Value)
}

fn is_rate(def: &MetricDef) -> bool {
    matches!(def.unit.dimension, Dimension::PerTime | Dimension::BytesPerTime)
}

/// The factor from the samples' unit to the base unit; `None` if the dimensions differ.
pub(super) fn value_factor(samples: Option<Unit>, def: &MetricDef) -> Option<f64> {
    let unit = samples.unwrap_or(def.unit);
    (unit.dimension == def.unit.dimension).then_some(unit.factor)
}

/// The factor from the rise per second of a counter to the base unit of a metric; `None` if its rate is another quantity. The unit may
/// be that of what is counted, or that of the rate.
fn rate_factor(counted: Option<Unit>, def: &MetricDef) -> Option<f64> {
    match (def.unit.dimension, counted.map(|unit| (unit.dimension, unit.factor))) {
        (Dimension::PerTime, None | Some((Dimension::Count | Dimension::PerTime, _))) => Some(1.0),
        (Dimension::BytesPerTime, None) => Some(def.unit.factor),
        (Dimension::BytesPerTime, Some((Dimension::Bytes | Dimension::BytesPerTime, factor))) => Some(factor),
        (Dimension::Fraction, Some((Dimension::Time, factor))) => Some(factor * PERCENT_OF_A_SECOND),
        (Dimension::Fraction | Dimension::Time | Dimension::Bytes | Dimension::BytesPerTime | Dimension::Count | Dimension::PerTime, _) => {
            None
        }
    }
}

/// The factor from the rise of a counter to the base unit of a metric; `None` if its rise is another quantity.
fn increase_factor(counted: Option<Unit>, def: &MetricDef) -> Option<f64> {
    match def.unit.dimension {
        Dimension::Count | Dimension::Bytes | Dimension::Time => value_factor(counted, def),
        Dimension::Fraction | Dimension::BytesPerTime | Dimension::PerTime => None,
    }
}

pub(super) fn metric_of<'m>(model: &'m Model, kind: &'m str, name: &str) -> Option<&'m MetricDef> {
    match model.member(kind, name)? {
        Member::Metric(def) => Some(def),
        Member::Attribute(_) => None,
    }
}

/// `wanted` is as written by the user: a name or a Chinese name.
pub(super) fn is_a(model: &Model, kind: &str, wanted: &str) -> bool {
    model.find_type(wanted).is_some_and(|t| model.is_a(kind, &t.name))
}
