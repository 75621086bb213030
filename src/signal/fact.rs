//! One observation at a time: what a live source delivers, and how a recording is replayed.

use std::collections::BTreeMap;
use std::sync::Arc;

use estate::ComponentId;
use value::Time;

use super::facts::{Alert, Change, Facts, LogLine, Origin, Probe, Report, Series};

/// One observation.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// Fired ([`Time::MAX`] as its end) or resolved. Deliveries with the same labels and start are one alert: a resolution wins
    /// over any delivery that says it still fires, whichever comes first; of two resolutions the later end counts.
    Alert(Alert),
    /// Logs, changes, probes and reports with the same origin are one.
    Log(LogLine),
    Change(Change),
    Probe(Probe),
    Report(Report),
    /// Of two samples of a series at one time the one that comes last counts.
    Sample(Sample),
}

/// One sample of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub component: Option<ComponentId>,
    /// The model's name of the metric.
    pub metric: String,
    pub series: Arc<SeriesKey>,
    pub time: Time,
    /// In the base unit; NaN marks the series stale from here.
    pub value: f64,
}

/// Identifies a series among those of one metric of one component.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesKey {
    pub labels: BTreeMap<String, String>,
    pub origin: Origin,
    /// As in [`Series`].
    pub instance: Option<String>,
}

impl Series {
    pub fn key(&self) -> SeriesKey {
        SeriesKey { labels: self.labels.clone(), origin: self.origin.clone(), instance: self.instance.clone() }
    }
}

impl Fact {
    /// All facts of a recording in order of time, as they would have arrived; facts with the same time in a fixed order.
    pub fn all_of(facts: &Facts) -> Vec<Fact> {
        let mut all: Vec<Fact> = facts.alerts.iter().cloned().map(Fact::Alert).collect();
        all.extend(facts.logs.iter().cloned().map(Fact::Log));
        all.extend(facts.changes.iter().cloned().map(Fact::Change));
        all.extend(facts.probes.iter().cloned().map(Fact::Probe));
        all.extend(facts.reports.iter().cloned().map(Fact::Report));
        for series in &facts.series {
            let key = Arc::new(series.key());
            all.extend(series.points.iter().map(|(time, value)| {
                let (metric, series_key) = (series.metric.clone(), Arc::clone(&key));
                Fact::Sample(Sample { component: series.component, metric, series: series_key, time: *time, value: *value })
            }));
        }
        all.sort_by_key(Fact::time);
        all
    }

    /// When it was observed (an alert: when it started).
    pub fn time(&self) -> Time {
        match self {
            Fact::Alert(alert) => alert.start,
            Fact::Log(log) => log.time,
            Fact::Change(change) => change.time,
            Fact::Probe(probe) => probe.time,
            Fact::Report(report) => report.time,
            Fact::Sample(sample) => sample.time,
        }
    }
}

/// A signal that event conditions count, kept complete for the evidence.
#[derive(Debug, Clone, PartialEq)]
pub enum Signal {
    Alert(Alert),
    Log(LogLine),
    Change(Change),
    Report(Report),
}

impl Signal {
    pub fn component(&self) -> Option<ComponentId> {
        match self {
            Signal::Alert(s) => s.component,
            Signal::Log(s) => s.component,
            Signal::Change(s) => s.component,
            Signal::Report(s) => s.component,
        }
    }

    /// The pod that it is about, if the estate does not have it.
    pub fn instance(&self) -> Option<&str> {
        match self {
            Signal::Alert(s) => s.instance.as_deref(),
            Signal::Log(s) => s.instance.as_deref(),
            Signal::Change(s) => s.instance.as_deref(),
            Signal::Report(_) => None,
        }
    }

    pub fn set_component(&mut self, component: Option<ComponentId>) {
        match self {
            Signal::Alert(s) => s.component = component,
            Signal::Log(s) => s.component = component,
            Signal::Change(s) => s.component = component,
            Signal::Report(s) => s.component = component,
        }
    }

    pub fn text(&self) -> &str {
        match self {
            Signal::Alert(s) => &s.text,
            Signal::Log(s) => &s.text,
            Signal::Change(s) => &s.text,
            Signal::Report(s) => &s.text,
        }
    }

    pub fn labels(&self) -> &BTreeMap<String, String> {
        match self {
            Signal::Alert(s) => &s.labels,
            Signal::Log(s) => &s.labels,
            Signal::Change(s) => &s.attributes,
            Signal::Report(s) => &s.attributes,
        }
    }

    /// First instant and the one after the last; an alert fires for a while, the rest are instants.
    pub fn extent(&self) -> (Time, Time) {
        let instant = |time: Time| (time, time.plus(1));
        match self {
            Signal::Alert(s) => (s.start, s.end),
            Signal::Log(s) => instant(s.time),
            Signal::Change(s) => instant(s.time),
            Signal::Report(s) => instant(s.time),
        }
    }

    /// Whether both are the same signal: alerts by name, labels and start, others by origin.
    pub fn is_same(&self, other: &Signal) -> bool {
        match (self, other) {
            (Signal::Alert(a), Signal::Alert(b)) => a.start == b.start && a.name == b.name && a.labels == b.labels,
            (Signal::Log(a), Signal::Log(b)) => a.origin == b.origin,
            (Signal::Change(a), Signal::Change(b)) => a.origin == b.origin,
            (Signal::Report(a), Signal::Report(b)) => a.origin == b.origin,
            (Signal::Alert(_) | Signal::Log(_) | Signal::Change(_) | Signal::Report(_), _) => false,
        }
    }
}

impl From<Signal> for Fact {
    fn from(signal: Signal) -> Fact {
        match signal {
            Signal::Alert(alert) => Fact::Alert(alert),
            Signal::Log(log) => Fact::Log(log),
            Signal::Change(change) => Fact::Change(change),
            Signal::Report(report) => Fact::Report(report),
        }
    }
}
