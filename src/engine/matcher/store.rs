//! The store: for each component, the samples and signals that some rule reads, for as long as a rule may read them.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use estate::{Aggregates, ByComponent, ComponentId, Snapshot};
use signal::{Probe, Series};
use value::{Duration, Time};

use super::super::outlook::{Span, span};
use super::super::values::combine;
use super::super::workload::own_last;
use super::bloom::Marks;
use super::node::{MetricId, PatternId};
use signal::{SeriesKey, Signal};

/// Series of one metric of one component: many more pods than a workload has. Each sample of one reads all of them.
const MAX_SERIES: usize = 4000;

/// No component: for unplaced signals, and for lists of signals on any component.
pub(super) const NOWHERE: ComponentId = ComponentId(u32::MAX);

/// The stored facts. Positions in `cells` and `lists` never change while plan and estate stay.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub cells: Vec<Cell>,
    pub cell_of: FxHashMap<u64, u32>, // lookup only
    pub lists: Vec<List>,
    pub list_of: FxHashMap<u64, u32>,                    // lookup only
    pub probes: FxHashMap<ComponentId, Vec<Arc<Probe>>>, // lookup only
    /// The components that have any.
    pub probed: Vec<ComponentId>,
    /// Probes of all components.
    pub probe_count: usize,
    /// By identity; each with the patterns that count it.
    pub known: FxHashMap<u64, SmallVec<[Known; 1]>>, // lookup only
    /// For each pattern: components with a signal that may still count, and older ones not removed yet.
    pub recent: Vec<Vec<ComponentId>>,
    /// For each component: the patterns that it has a list of, by their marks.
    pub marks: ByComponent<Marks>,
    /// Series of a period known to be healthy.
    pub baseline: Vec<Series>,
    /// The same, those of one metric of one component combined.
    pub healthy: FxHashMap<u64, Vec<(Time, f64)>>, // lookup only
    /// Samples in all cells.
    pub samples: usize,
    /// Signals in all lists, one in two lists counted twice.
    pub hits: usize,
}

/// A signal that was taken.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub signal: Arc<Signal>,
    pub patterns: SmallVec<[PatternId; 4]>,
}

/// A metric of a component.
#[derive(Debug)]
pub(super) struct Cell {
    pub component: ComponentId,
    pub metric: MetricId,
    pub staleness: Duration,
    pub aggregate: Aggregates,
    /// Its own and those of its instances, in the order in which they are combined: by component, labels and origin.
    pub series: SmallVec<[Buffer; 1]>,
    /// Between these two (without the ends) no bound of its watches holds.
    pub quiet: (f64, f64),
    /// A sample can only affect bounds.
    pub plain: bool,
    /// Its watches.
    pub watches: SmallVec<[u32; 4]>,
    /// Findings whose evidence shows it.
    pub holders: Vec<u32>,
    /// When it must be evaluated again even without a new sample; [`Time::MAX`]: never.
    pub timer: Time,
}

/// Whose a series is, and how many ties that is away from the component of the cell: see [`estate::Instance`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Teller {
    pub of: ComponentId,
    pub level: u8,
}

impl Cell {
    /// The values since an instant, and within a window before it.
    pub fn span(&self, from: Time, window: Duration) -> Span {
        let from = from.minus(self.staleness.saturating_add(window).saturating_add(1));
        let since = |buffer: &Buffer| buffer.points.partition_point(|(time, _)| *time <= from);
        span(self.series.iter().map(|buffer| (buffer.teller.level, &buffer.points[since(buffer)..])), self.aggregate)
    }
}

#[derive(Debug)]
pub(super) struct Buffer {
    pub teller: Teller,
    pub key: Arc<SeriesKey>,
    /// Strictly ascending in time.
    pub points: Vec<(Time, f64)>,
}

/// Signals of one component that fit one pattern.
#[derive(Debug)]
pub(super) struct List {
    pub component: ComponentId,
    pub pattern: PatternId,
    /// In the order of their starts.
    pub hits: SmallVec<[Hit; 1]>,
    /// The longest of them.
    pub longest: Duration,
    /// It is in [`Store::recent`].
    pub recent: bool,
}

impl List {
    pub fn put(&mut self, hit: Hit) {
        self.longest = self.longest.max(hit.end.since(hit.start));
        if self.hits.last().is_none_or(|last| last.start <= hit.start) {
            self.hits.push(hit);
        } else {
            let place = self.hits.partition_point(|other| other.start <= hit.start);
            self.hits.insert(place, hit);
        }
    }

    /// The position of a signal.
    pub fn position(&self, signal: &Signal) -> Option<usize> {
        let (start, _) = signal.extent();
        let first = self.hits.partition_point(|hit| hit.start < start);
        let same = self.hits[first..].iter().take_while(|hit| hit.start == start).position(|hit| hit.signal.is_same(signal))?;
        Some(first + same)
    }

    /// Those that may count at an instant, and those after it.
    pub fn since(&self, at: Time, window: Duration) -> &[Hit] {
        let from = at.minus(window.saturating_add(self.longest));
        let first = self.hits.partition_point(|hit| hit.start < from);
        &self.hits[first..]
    }
}

#[derive(Debug, Clone)]
pub(super) struct Hit {
    pub start: Time,
    /// The first instant after it.
    pub end: Time,
    pub signal: Arc<Signal>,
}

fn key(component: ComponentId, second: u32) -> u64 {
    (u64::from(component.0) << 32) | u64::from(second)
}

impl Store {
    pub fn new(estate: &Snapshot, baseline: Vec<Series>) -> Store {
        Store { marks: estate.table(Marks::default()), baseline, ..Store::default() }
    }

    pub fn cell_at(&self, component: ComponentId, metric: MetricId) -> Option<u32> {
        self.cell_of.get(&key(component, metric.0)).copied()
    }

    pub fn cell(&self, component: ComponentId, metric: MetricId) -> Option<&Cell> {
        self.cell_at(component, metric).map(|at| &self.cells[at as usize])
    }

    pub fn add_cell(&mut self, cell: Cell) -> u32 {
        let at = super::node::number(self.cells.len());
        self.cell_of.insert(key(cell.component, cell.metric.0), at);
        self.cells.push(cell);
        at
    }

    pub fn list_at(&self, component: ComponentId, pattern: PatternId) -> Option<u32> {
        if component != NOWHERE {
            self.marks.get(component).filter(|marks| marks.has(super::bloom::mark_of(pattern)))?;
        }
        self.list_of.get(&key(component, pattern.0)).copied()
    }

    pub fn list(&self, component: ComponentId, pattern: PatternId) -> Option<&List> {
        self.list_at(component, pattern).map(|at| &self.lists[at as usize])
    }

    pub fn list_or_new(&mut self, component: ComponentId, pattern: PatternId) -> u32 {
        let (lists, marks) = (&mut self.lists, &mut self.marks);
        *self.list_of.entry(key(component, pattern.0)).or_insert_with(|| {
            lists.push(List { component, pattern, hits: SmallVec::new(), longest: 0, recent: false });
            if let Some(marks) = marks.get_mut(component) {
                marks.add(super::bloom::mark_of(pattern));
            }
            super::node::number(lists.len() - 1)
        })
    }

    /// Makes sure that a list is among the recent ones of its pattern.
    pub fn is_recent(&mut self, at: u32) {
        let list = &mut self.lists[at as usize];
        if list.recent || list.component == NOWHERE {
            return;
        }
        list.recent = true;
        let pattern = list.pattern.0 as usize;
        if self.recent.len() <= pattern {
            self.recent.resize_with(pattern + 1, Vec::new);
        }
        self.recent[pattern].push(list.component);
    }

    /// Whether it is new.
    pub fn put_probe(&mut self, component: ComponentId, probe: &Arc<Probe>) -> bool {
        let list = self.probes.entry(component).or_default();
        if list.is_empty() {
            self.probed.push(component);
        }
        let Err(place) = list.binary_search_by(|other| (other.time, &other.origin).cmp(&(probe.time, &probe.origin))) else { return false };
        list.insert(place, Arc::clone(probe));
        self.probe_count += 1;
        true
    }

    /// Whether the store has probes of the component.
    pub fn has_probes(&self, component: ComponentId) -> bool {
        self.probes.contains_key(&component)
    }
}

/// A value with how long it stays, unless a fact changes it.
pub(super) type Read = (Option<f64>, Time);

impl Cell {
    /// The metric at an instant, and the next instant at which it may be another one.
    pub fn at(&self, at: Time) -> Read {
        if let [only] = self.series.as_slice() {
            return only.at(at, self.staleness);
        }
        let (values, level, next) = self.nearest(at, |level| level);
        ((!values.is_empty()).then(|| combine(self.aggregate.at(level), &values)), next)
    }

    /// The values of the instances; without any, those of the component itself; and the next instant at which they may be others.
    pub fn over_instances(&self, at: Time) -> (SmallVec<[f64; 8]>, Time) {
        let (values, _, next) = self.nearest(at, own_last);
        (values, next)
    }

    /// The values of the nearest series that have any, their level, and until when.
    fn nearest(&self, at: Time, distance: impl Fn(u8) -> u8) -> (SmallVec<[f64; 8]>, u8, Time) {
        let (mut next, mut nearest) = (Time::MAX, None::<u8>);
        let mut values: SmallVec<[f64; 8]> = SmallVec::new();
        for series in &self.series {
            let (value, until) = series.at(at, self.staleness);
            next = next.min(until);
            let level = series.teller.level;
            let near = |_: &f64| nearest.is_none_or(|nearest| distance(level) <= distance(nearest));
            let Some(value) = value.filter(near) else { continue };
            if nearest != Some(level) {
                nearest = Some(level);
                values.clear();
            }
            values.push(value);
        }
        (values, nearest.unwrap_or(0), next)
    }

    /// Whether it is the only series.
    pub fn is_only(&self, of: ComponentId, key: &Arc<SeriesKey>) -> bool {
        matches!(self.series.as_slice(), [only] if only.is(of, key))
    }

    /// Whether no bound is true for a value, or for one that counts as equal to it.
    pub fn is_quiet(&self, value: f64) -> bool {
        let near = value.abs() * 1e-6;
        value - near > self.quiet.0 && value + near < self.quiet.1
    }

    /// Samples after `from`, up to `to`, the nearest series combined at each instant at which one of them has a sample; and the next
    /// instant after `to` at which there may be another.
    pub fn samples(&self, from: Time, to: Time, into: &mut Vec<(Time, f64)>) -> Time {
        into.clear();
        if let [only] = self.series.as_slice() {
            let end = only.after(to);
            let start = only.points[..end].partition_point(|(time, _)| *time <= from);
            into.extend(only.points[start..end].iter().filter(|(_, value)| !value.is_nan()));
            return only.points.get(end).map_or(Time::MAX, |(time, _)| *time);
        }
        let mut next = Time::MAX;
        for series in &self.series {
            let end = series.after(to);
            let start = series.points[..end].partition_point(|(time, _)| *time <= from);
            into.extend(series.points[start..end].iter().filter(|(_, value)| !value.is_nan()));
            next = next.min(series.points.get(end).map_or(Time::MAX, |(time, _)| *time));
        }
        into.sort_unstable_by_key(|(time, _)| *time);
        into.dedup_by_key(|(time, _)| *time);
        let mut fresh: SmallVec<[f64; 8]> = SmallVec::new();
        into.retain_mut(|(time, value)| {
            let (mut level, mut sampled) = (u8::MAX, false);
            for series in &self.series {
                let Some((taken, found)) = series.last(*time, self.staleness).filter(|_| series.teller.level <= level) else { continue };
                if series.teller.level < level {
                    (level, sampled) = (series.teller.level, false);
                    fresh.clear();
                }
                sampled |= taken == *time;
                fresh.push(found);
            }
            *value = combine(self.aggregate.at(level), &fresh);
            fresh.clear();
            sampled
        });
        next
    }

    /// Whether a series has a sample after `from` and before `to`.
    pub fn has_between(&self, of: ComponentId, key: &Arc<SeriesKey>, from: Time, to: Time) -> bool {
        let series = self.series.iter().find(|s| s.is(of, key));
        series.is_some_and(|s| s.points.get(s.after(from)).is_some_and(|(time, _)| *time < to))
    }

    /// Inserts a sample in order. `None` if it changes nothing.
    pub fn put(&mut self, teller: Teller, key: &Arc<SeriesKey>, time: Time, value: f64) -> Option<usize> {
        let at = if let Some(at) = self.series.iter().position(|series| series.is(teller.of, key)) {
            at
        } else {
            let at = self.series.partition_point(|series| series.place() < (teller.of, key));
            self.series.insert(at, Buffer { teller, key: Arc::clone(key), points: Vec::new() });
            at
        };
        let points = &mut self.series[at].points;
        if points.last().is_none_or(|(last, _)| *last < time) {
            points.push((time, value));
            return Some(1);
        }
        match points.binary_search_by_key(&time, |(time, _)| *time) {
            Ok(same) if points[same].1.to_bits() == value.to_bits() => None,
            Ok(same) => {
                points[same].1 = value;
                Some(0)
            }
            Err(place) => {
                points.insert(place, (time, value));
                Some(1)
            }
        }
    }

    /// Makes room for a series that is new, if there are too many: drops the one that has been silent longest. Returns how many samples
    /// that had.
    pub fn make_room(&mut self, of: ComponentId, key: &Arc<SeriesKey>) -> usize {
        if self.series.len() < MAX_SERIES || self.series.iter().any(|series| series.is(of, key)) {
            return 0;
        }
        let last = |series: &Buffer| series.points.last().map_or(Time::MIN, |(time, _)| *time);
        let silent = self.series.iter().enumerate().min_by_key(|(_, series)| last(series)).map(|(at, _)| at);
        silent.map_or(0, |at| self.series.remove(at).points.len())
    }

    /// Drops samples before `from`, except the last one of each series. Drops series without later samples, except the one with the
    /// latest sample. Returns how many samples it dropped.
    pub fn forget(&mut self, from: Time) -> usize {
        let mut gone = 0;
        for series in &mut self.series {
            let old = series.points.partition_point(|(time, _)| *time < from).saturating_sub(1);
            // Do not move the rest for a small gain.
            if old > 0 && old * 2 >= series.points.len() {
                series.points.drain(..old);
                series.points.shrink_to(old * 2);
                gone += old;
            }
        }
        if self.series.len() > 1 {
            let over = |series: &Buffer| series.points.len() == 1 && series.points[0].0 < from;
            let last = self.series.iter().filter(|s| over(s)).map(|s| s.points[0].0).max();
            let before = self.series.len();
            let mut kept = false;
            self.series.retain(|series| {
                let is_last = !kept && over(series) && series.points.first().map(|p| p.0) == last;
                kept |= is_last;
                is_last || !over(series)
            });
            gone += before - self.series.len();
        }
        gone
    }

    /// Drops the older half of each series. Returns how many samples it dropped.
    pub fn halve(&mut self) -> usize {
        let mut gone = 0;
        for series in &mut self.series {
            let half = series.points.len() / 2;
            series.points.drain(..half);
            gone += half;
        }
        gone
    }
}

impl Buffer {
    fn is(&self, of: ComponentId, key: &Arc<SeriesKey>) -> bool {
        self.teller.of == of && (Arc::ptr_eq(&self.key, key) || self.key == *key)
    }

    /// Where it stands among the series of a cell.
    pub fn place(&self) -> (ComponentId, &Arc<SeriesKey>) {
        (self.teller.of, &self.key)
    }

    /// The latest sample at or before `at` that is valid then.
    fn last(&self, at: Time, staleness: Duration) -> Option<(Time, f64)> {
        let (time, value) = self.points[self.after(at).checked_sub(1)?];
        (!value.is_nan() && at.since(time) <= staleness).then_some((time, value))
    }

    /// How many samples are not after `at`.
    fn after(&self, at: Time) -> usize {
        match self.points.last() {
            Some((last, _)) if *last <= at => self.points.len(),
            Some(_) | None => self.points.partition_point(|(time, _)| *time <= at),
        }
    }

    fn at(&self, at: Time, staleness: Duration) -> Read {
        let after = self.after(at);
        let next = self.points.get(after).map_or(Time::MAX, |(time, _)| *time);
        match after.checked_sub(1).map(|last| self.points[last]) {
            Some((time, value)) if !value.is_nan() && at.since(time) <= staleness => (Some(value), next.min(time.plus(staleness + 1))),
            Some(_) | None => (None, next),
        }
    }
}
