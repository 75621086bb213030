//! Looking up facts: the indexes, and the value of a series at an instant.

use std::collections::BTreeMap;

use estate::ComponentId;
use value::{Duration, Time};

use super::facts::{Alert, Change, Facts, LogLine, Origin, Probe, Report, Series};
use super::placement::{Unplaced, UnplacedGroup};
use super::scores;

impl Facts {
    /// Counts a signal that is on no component. The first one of its kind is the example.
    pub(super) fn miss(&mut self, why: &Unplaced, origin: &Origin) {
        let new = || UnplacedGroup { why: why.clone(), count: 0, first: origin.clone() };
        self.unplaced.entry(why.kind()).or_insert_with(new).count += 1;
    }

    /// Sorts every list and rebuilds the indexes. Must be called after any list has changed.
    pub fn index(&mut self) {
        self.alerts.sort_by(|a, b| (a.start, &a.origin).cmp(&(b.start, &b.origin)));
        self.logs.sort_by(|a, b| (a.time, &a.origin).cmp(&(b.time, &b.origin)));
        self.changes.sort_by(|a, b| (a.time, &a.origin).cmp(&(b.time, &b.origin)));
        self.probes.sort_by(|a, b| (a.time, &a.origin).cmp(&(b.time, &b.origin)));
        self.reports.sort_by(|a, b| (a.time, &a.origin).cmp(&(b.time, &b.origin)));
        scores::sort(&mut self.scores);
        self.unread.sort_by(|a, b| a.origin.cmp(&b.origin));
        for list in [&mut self.series, &mut self.baseline] {
            list.sort_by(|a, b| (a.component, &a.metric, &a.labels, &a.origin).cmp(&(b.component, &b.metric, &b.labels, &b.origin)));
        }
        self.series_of = by_metric(&self.series);
        self.baseline_of = by_metric(&self.baseline);
        self.alerts_of = by_component(self.alerts.iter().map(|a| a.component));
        self.logs_of = by_component(self.logs.iter().map(|l| l.component));
        self.changes_of = by_component(self.changes.iter().map(|c| c.component));
        self.probes_of = by_component(self.probes.iter().map(|p| p.component));
        self.reports_of = by_component(self.reports.iter().map(|r| r.component));
    }

    /// The series of a metric (the model's name, or the wire name of an unmodeled one) of a component.
    pub fn series<'a>(&'a self, component: ComponentId, metric: &str) -> impl Iterator<Item = &'a Series> + use<'a> {
        select(&self.series, self.series_of.get(&(component, metric.to_owned())))
    }

    pub fn alerts_on(&self, component: ComponentId) -> impl Iterator<Item = &Alert> {
        select(&self.alerts, self.alerts_of.get(&component))
    }

    pub fn logs_on(&self, component: ComponentId) -> impl Iterator<Item = &LogLine> {
        select(&self.logs, self.logs_of.get(&component))
    }

    pub fn changes_on(&self, component: ComponentId) -> impl Iterator<Item = &Change> {
        select(&self.changes, self.changes_of.get(&component))
    }

    /// Probes whose target is the component.
    pub fn probes_on(&self, component: ComponentId) -> impl Iterator<Item = &Probe> {
        select(&self.probes, self.probes_of.get(&component))
    }

    pub fn reports_on(&self, component: ComponentId) -> impl Iterator<Item = &Report> {
        select(&self.reports, self.reports_of.get(&component))
    }
}

impl Series {
    /// The latest sample at or before `at`, if it is not a stale marker and not older than `staleness`. Logarithmic.
    pub fn at(&self, at: Time, staleness: Duration) -> Option<(Time, f64)> {
        let after = self.points.partition_point(|(time, _)| *time <= at);
        let (time, value) = *self.points.get(after.checked_sub(1)?)?;
        (!value.is_nan() && at.since(time) <= staleness).then_some((time, value))
    }

    /// The samples after `from` up to and including `to`, with stale markers. Logarithmic.
    pub fn within(&self, from_exclusive: Time, to_inclusive: Time) -> &[(Time, f64)] {
        let start = self.points.partition_point(|(time, _)| *time <= from_exclusive);
        let end = self.points.partition_point(|(time, _)| *time <= to_inclusive);
        self.points.get(start..end).unwrap_or(&[])
    }
}

fn select<'a, T>(list: &'a [T], positions: Option<&'a Vec<usize>>) -> impl Iterator<Item = &'a T> + use<'a, T> {
    positions.into_iter().flatten().filter_map(move |&at| list.get(at))
}

fn by_metric(series: &[Series]) -> BTreeMap<(ComponentId, String), Vec<usize>> {
    let mut index: BTreeMap<(ComponentId, String), Vec<usize>> = BTreeMap::new();
    for (at, one) in series.iter().enumerate() {
        if let Some(component) = one.component {
            index.entry((component, one.metric.clone())).or_default().push(at);
        }
    }
    index
}

fn by_component(components: impl Iterator<Item = Option<ComponentId>>) -> BTreeMap<ComponentId, Vec<usize>> {
    let mut index: BTreeMap<ComponentId, Vec<usize>> = BTreeMap::new();
    for (at, component) in components.enumerate() {
        if let Some(component) = component {
            index.entry(component).or_default().push(at);
        }
    }
    index
}
