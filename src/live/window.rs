//! The facts of the recent past, as they arrive: repeats are joined, what is too old goes, and what a limit drops is counted.
//!
//! All lists are indexed by [`Window::settle`]; until then, new facts stand at the end of their lists.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use estate::ComponentId;
use schemars::JsonSchema;
use serde::Serialize;
use signal::{Alert, Counter, Counts, Fact, Facts, KindCounts, Origin, Present, Sample, Series};
use value::{DAY, Duration, HOUR, SECOND, Time};

/// How long facts are kept, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Alerts that are over, log lines, events: this long.
    pub signals: Duration,
    /// Samples: this long.
    pub samples: Duration,
    /// Alerts, log lines, changes, probes, reports and scores, each; the oldest go first, alerts that fire last.
    pub most_signals: usize,
    /// Samples of all series.
    pub most_samples: usize,
    /// Series; beyond it no new ones are made.
    pub most_series: usize,
    /// Calls that only traces show: this long after the last one.
    pub calls: Duration,
    /// Scores of external models: this long in the journal, whatever its retention, and in the list. Diagnoses of the present look at them
    /// as long as at other signals.
    pub scores: Duration,
    /// Incidents that are over: this long in full. Later their reports go, and what people did stays.
    pub incidents: Duration,
}

impl Default for Keep {
    fn default() -> Self {
        Keep {
            signals: 6 * HOUR,
            samples: 3 * HOUR,
            most_signals: 200_000,
            most_samples: 20_000_000,
            most_series: 500_000,
            calls: 24 * HOUR,
            scores: 7 * DAY,
            incidents: 90 * DAY,
        }
    }
}

impl Keep {
    /// How many facts of a request are older than what is kept, so that no diagnosis sees them. Scores are listed all the same.
    pub(super) fn too_old(&self, facts: &Facts, received: Time) -> usize {
        let (oldest, oldest_sample) = (received.minus(self.signals), received.minus(self.samples));
        let old = |series: &Series| series.points.partition_point(|(time, _)| *time < oldest_sample);
        let times = facts.alerts.iter().map(|alert| alert.end).chain(facts.logs.iter().map(|log| log.time));
        let times = times.chain(facts.changes.iter().map(|change| change.time)).chain(facts.probes.iter().map(|probe| probe.time));
        let times = times.chain(facts.reports.iter().map(|report| report.time));
        facts.series.iter().map(old).sum::<usize>() + times.filter(|time| *time < oldest).count()
    }
}

/// What limits dropped since the start: facts that were accepted, and that no diagnosis sees any more although they are young.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LetGo {
    pub signals: u64,
    pub samples: u64,
    pub series: u64,
    /// Spans of minutes that were over already.
    pub late_spans: u64,
}

/// What is too old is looked for this often: that takes as long as there are facts.
const FORGET: Duration = 10 * SECOND;

/// While a journal is read, limits may be exceeded by one part in so many.
const ROOM: usize = 4;

/// So few new series need not be sorted in.
const MANY_SERIES: usize = 1_000;

/// Name and labels.
type AlertName = (String, BTreeMap<String, String>);
/// Component, metric and labels.
type SeriesName = (Option<ComponentId>, String, BTreeMap<String, String>);

/// The alert that last had these labels.
#[derive(Debug, Clone)]
struct Tracked {
    start: Time,
    origin: Origin,
    /// The sender repeats the alert until this instant, as long as it fires.
    deadline: Option<Time>,
    /// When its end was received; `None` while it fires, and where the end is only a deadline that passed.
    ended: Option<Time>,
    /// The end that was received before it fired again. Of a pair of senders, one goes on to repeat it.
    over: Option<Time>,
}

impl Tracked {
    /// The end that is nothing new. A sender without deadlines does not go on to say that an alert is over: each time counts.
    fn repeated_end(&self) -> Option<Time> {
        self.over.filter(|_| self.deadline.is_some())
    }
}

/// See the module.
#[derive(Debug)]
pub struct Window {
    facts: Arc<Facts>,
    pub(super) keep: Keep,
    /// By name and labels.
    alerts: BTreeMap<Arc<AlertName>, Tracked>,
    /// Those with a deadline, the next one first: a start reads a million requests, and each of them asks whose time is up.
    due: BTreeSet<(Time, Arc<AlertName>)>,
    /// When what is too old was last removed.
    forgotten: Time,
    /// Alerts at the end of the list, which is sorted up to there.
    new_alerts: BTreeMap<(Time, Origin), usize>,
    new_series: BTreeMap<SeriesName, usize>,
    sorted_series: usize,
    /// The last counts of series that are counters.
    counters: BTreeMap<SeriesName, Vec<(Time, f64)>>,
    /// What senders repeat when they believe that a request failed: batches of log lines, changes, reports; by their first time.
    seen: BTreeSet<(Time, u64)>,
    counts: Counts,
    samples: usize,
    unsettled: bool,
    /// An alert fires again in the interval that had ended: the matcher, for which an end is final, has to take all facts anew.
    pub reopened: bool,
    pub let_go: LetGo,
}

impl Window {
    pub fn new(keep: Keep) -> Window {
        Window {
            facts: Arc::default(),
            keep,
            alerts: BTreeMap::new(),
            due: BTreeSet::new(),
            forgotten: Time::MIN,
            new_alerts: BTreeMap::new(),
            new_series: BTreeMap::new(),
            sorted_series: 0,
            counters: BTreeMap::new(),
            seen: BTreeSet::new(),
            counts: Counts::default(),
            samples: 0,
            unsettled: false,
            reopened: false,
            let_go: LetGo::default(),
        }
    }

    /// All facts, indexed. Whoever keeps them longer than until the next [`Window::take`] makes that one copy them.
    pub fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    /// What became of everything that was received since the start.
    pub fn counts(&self) -> Counts {
        let facts = &self.facts;
        let mut counts = self.counts.clone();
        let unplaced = |places: &mut dyn Iterator<Item = Option<ComponentId>>| places.filter(Option::is_none).count();
        let set = |kind: &mut KindCounts, kept: usize, unplaced: usize| {
            kind.kept = kept;
            kind.unplaced = unplaced;
            kind.received = kept + kind.duplicates + kind.merged + kind.rejected.values().sum::<usize>();
        };
        set(&mut counts.alerts, facts.alerts.len(), unplaced(&mut facts.alerts.iter().map(|a| a.component)));
        set(&mut counts.series, facts.series.len(), unplaced(&mut facts.series.iter().map(|s| s.component)));
        set(&mut counts.samples, self.samples, 0);
        set(&mut counts.logs, facts.logs.len(), unplaced(&mut facts.logs.iter().map(|l| l.component)));
        set(&mut counts.changes, facts.changes.len(), unplaced(&mut facts.changes.iter().map(|c| c.component)));
        set(&mut counts.probes, facts.probes.len(), unplaced(&mut facts.probes.iter().map(|p| p.component)));
        set(&mut counts.reports, facts.reports.len(), unplaced(&mut facts.reports.iter().map(|r| r.component)));
        set(&mut counts.scores, facts.scores.len(), unplaced(&mut facts.scores.iter().map(|s| s.component)));
        counts
    }

    /// Takes the facts of one request, received at `now`, with the deadline of each alert and the
    /// positions of series that are counters. `each` is told every fact as it is now known.
    pub fn take(&mut self, taken: Facts, deadlines: &[Time], counters: &[(usize, Counter)], now: Time, mut each: impl FnMut(Fact)) {
        self.unsettled = true;
        self.heard(taken.present);
        let deadlines = deadlines.iter().copied().chain(std::iter::repeat(Time::MAX));
        for (alert, deadline) in taken.alerts.into_iter().zip(deadlines) {
            self.alert(alert, (Some(deadline).filter(|deadline| *deadline < Time::MAX), now), &mut each);
        }
        for (why, group) in taken.unplaced {
            match Arc::make_mut(&mut self.facts).unplaced.entry(why) {
                Entry::Occupied(mut known) => known.get_mut().count += group.count,
                Entry::Vacant(new) => drop(new.insert(group)),
            }
        }
        let mut counters = counters.iter().peekable();
        for (at, mut series) in taken.series.into_iter().enumerate() {
            if let Some((_, counter)) = counters.next_if(|(position, _)| *position == at) {
                self.risen(&mut series, *counter);
            }
            self.series(series, now, &mut each);
        }
        let facts = Arc::make_mut(&mut self.facts);
        if let Some(first) = taken.logs.first().map(|log| log.time) {
            let lines: Vec<_> = taken.logs.iter().map(|log| (log.time, log.component, &log.text, &log.labels)).collect();
            if self.seen.insert((first, digest(&lines))) {
                taken.logs.iter().for_each(|log| each(Fact::Log(log.clone())));
                facts.logs.extend(taken.logs);
            } else {
                self.counts.logs.duplicates += taken.logs.len();
            }
        }
        for change in taken.changes {
            if fresh(&mut self.seen, &mut self.counts.changes, (change.time, change.component, &change.text, &change.attributes)) {
                each(Fact::Change(change.clone()));
                facts.changes.push(change);
            }
        }
        for probe in taken.probes {
            each(Fact::Probe(probe.clone()));
            facts.probes.push(probe);
        }
        for report in taken.reports {
            if fresh(&mut self.seen, &mut self.counts.reports, (report.time, report.component, &report.text, &report.attributes)) {
                each(Fact::Report(report.clone()));
                facts.reports.push(report);
            }
        }
        facts.scores.extend(taken.scores);
    }

    /// The sender repeats an alert that fires until its deadline. What is received last counts, also in the same interval.
    fn alert(&mut self, alert: Alert, (deadline, now): (Option<Time>, Time), each: &mut impl FnMut(Fact)) {
        let fires = alert.end == Time::MAX;
        let name = (alert.name.clone(), alert.labels.clone());
        let known = self.alerts.get_key_value(&name);
        let found = known.and_then(|(key, known)| Some((Arc::clone(key), (known.ended, known.repeated_end()), self.alert_at(known)?)));
        let Some((key, (ended, repeated), position)) = found else {
            self.new_alert(Arc::new(name), alert, (deadline, now), each);
            return;
        };
        let facts = Arc::make_mut(&mut self.facts);
        let Some(kept) = facts.alerts.get_mut(position) else { return };
        let lasts = kept.end == Time::MAX;
        let again = !lasts && fires;
        let mut over = None;
        if !lasts && alert.start > kept.end {
            // Ended, and began anew; or a later interval that is over already.
            self.new_alert(key, alert, (deadline, now), each);
            return;
        } else if again && ended.is_some_and(|ended| now < ended) {
            // Readers work side by side: it was received before the end was.
            kept.duplicates += 1;
            self.counts.alerts.duplicates += 1;
            return;
        } else if again {
            // The sender was silent for a while, or another one of its pair has said that it is over; it fires still.
            over = ended.map(|_| kept.end);
            kept.end = Time::MAX;
            kept.muted = alert.muted;
            kept.duplicates += 1;
            self.counts.alerts.duplicates += 1;
            self.reopened = true;
        } else if fires {
            kept.duplicates += 1;
            self.counts.alerts.duplicates += 1;
            if kept.muted != alert.muted {
                kept.muted = alert.muted;
            }
        } else if lasts && alert.start < alert.end && alert.end < kept.start {
            // That an earlier occurrence is over, told late, says nothing of the one that fires.
            self.counts.alerts.merged += 1;
            return;
        } else if lasts && repeated == Some(alert.end.max(kept.start)) {
            // What fires has a deadline: if nobody repeats it, that ends it.
            kept.duplicates += 1;
            self.counts.alerts.duplicates += 1;
            return;
        } else {
            let end = alert.end.max(kept.start);
            kept.end = if lasts { end } else { kept.end.max(end) };
            self.counts.alerts.merged += 1;
            each(Fact::Alert(kept.clone()));
        }
        if let Some(tracked) = self.alerts.get_mut(&key) {
            let before = std::mem::replace(&mut tracked.deadline, deadline);
            tracked.ended = (!fires).then_some(now);
            tracked.over = over.or(tracked.over);
            self.renew(key, before, deadline);
        }
    }

    /// The deadline of an alert is another one.
    fn renew(&mut self, key: Arc<AlertName>, before: Option<Time>, after: Option<Time>) {
        let Some(before) = before else {
            self.due.extend(after.map(|deadline| (deadline, key)));
            return;
        };
        let mut entry = (before, key);
        self.due.remove(&entry);
        if let Some(deadline) = after {
            entry.0 = deadline;
            self.due.insert(entry);
        }
    }

    fn new_alert(&mut self, key: Arc<AlertName>, alert: Alert, (deadline, now): (Option<Time>, Time), each: &mut impl FnMut(Fact)) {
        each(Fact::Alert(alert.clone()));
        let ended = (alert.end < Time::MAX).then_some(now);
        let tracked = Tracked { start: alert.start, origin: alert.origin.clone(), deadline, ended, over: None };
        let before = self.alerts.insert(Arc::clone(&key), tracked).and_then(|before| before.deadline);
        self.renew(key, before, deadline);
        let facts = Arc::make_mut(&mut self.facts);
        self.new_alerts.insert((alert.start, alert.origin.clone()), facts.alerts.len());
        facts.alerts.push(alert);
    }

    /// Its position in the list.
    fn alert_at(&self, known: &Tracked) -> Option<usize> {
        let new = self.new_alerts.get(&(known.start, known.origin.clone())).copied();
        new.or_else(|| {
            let sorted = self.facts.alerts.get(..self.facts.alerts.len() - self.new_alerts.len())?;
            sorted.binary_search_by(|alert| (alert.start, &alert.origin).cmp(&(known.start, &known.origin))).ok()
        })
    }

    /// Makes the rise of a counter of its counts, with those that came before.
    fn risen(&mut self, series: &mut Series, counter: Counter) {
        let name = (series.component, series.metric.clone(), series.labels.clone());
        let counts = self.counters.entry(name).or_default();
        let known = counts.last().map_or(Time::MIN, |(time, _)| *time);
        counts.extend(series.points.iter().filter(|(time, _)| *time > known));
        series.points = counter.read(counts).into_iter().filter(|(time, _)| *time > known).collect();
        let last = counts.last().map_or(Time::MIN, |(time, _)| *time);
        counts.retain(|(time, _)| last.since(*time) <= counter.over);
    }

    fn series(&mut self, mut series: Series, now: Time, each: &mut impl FnMut(Fact)) {
        let oldest = now.minus(self.keep.samples);
        let points = std::mem::take(&mut series.points);
        if points.last().is_some_and(|(time, _)| *time < oldest) {
            return;
        }
        let position = match self.series_at(&series) {
            Some(position) => position,
            None if self.facts.series.len() >= self.keep.most_series => {
                self.let_go.series += 1;
                self.let_go.samples += points.len() as u64;
                return;
            }
            None => {
                let facts = Arc::make_mut(&mut self.facts);
                let position = facts.series.len();
                self.new_series.insert((series.component, series.metric.clone(), series.labels.clone()), position);
                facts.series.push(series);
                position
            }
        };
        let Some(kept) = Arc::make_mut(&mut self.facts).series.get_mut(position) else { return };
        let key = Arc::new(kept.key());
        for (time, value) in points.iter().copied() {
            // Those before were counted when they came.
            if time < oldest {
                continue;
            }
            match kept.points.last() {
                Some((last, _)) if *last >= time => match kept.points.binary_search_by_key(&time, |(time, _)| *time) {
                    Ok(at) => {
                        self.counts.samples.duplicates += 1;
                        let same = kept.points.get(at).is_some_and(|(_, old)| old.to_bits() == value.to_bits());
                        if same {
                            continue;
                        }
                        if let Some(point) = kept.points.get_mut(at) {
                            point.1 = value;
                        }
                    }
                    Err(at) => {
                        kept.points.insert(at, (time, value));
                        self.samples += 1;
                    }
                },
                Some(_) | None => {
                    kept.points.push((time, value));
                    self.samples += 1;
                }
            }
            if kept.modelled {
                each(Fact::Sample(Sample {
                    component: kept.component,
                    metric: kept.metric.clone(),
                    series: Arc::clone(&key),
                    time,
                    value,
                }));
            }
        }
    }

    fn series_at(&self, series: &Series) -> Option<usize> {
        let wanted = (series.component, &series.metric, &series.labels);
        let sorted = self.facts.series.get(..self.sorted_series)?;
        let found = sorted.binary_search_by(|one| (one.component, &one.metric, &one.labels).cmp(&wanted)).ok();
        found.or_else(|| self.new_series.get(&(series.component, series.metric.clone(), series.labels.clone())).copied())
    }

    /// Ends the alerts whose sender has gone silent, and removes what is too old. `each` is told the alerts that end.
    pub fn pass_time(&mut self, now: Time, each: impl FnMut(Fact)) {
        self.end_silent(now, each);
        self.forget(now);
    }

    /// The same while a journal is read, before [`Window::pass_time`] at its end. To remove and to sort takes as long as there are facts:
    /// limits are kept with some room, and new series are sorted in each time they are as many as the others.
    pub fn pass_time_reading(&mut self, now: Time) {
        self.end_silent(now, |_| {});
        let room = |limit: usize| limit.saturating_add(limit / ROOM);
        if self.samples > room(self.keep.most_samples) || is_crowded(&self.facts, room(self.keep.most_signals)) {
            self.forget(now);
        } else if self.new_series.len() > self.sorted_series.max(MANY_SERIES) {
            self.settle();
        }
    }

    /// A protocol that brings this kind of signals was heard of, although nothing of what it brought is left.
    pub fn heard(&mut self, kind: Present) {
        let present = self.facts.present;
        let either = Present {
            alerts: present.alerts || kind.alerts,
            metrics: present.metrics || kind.metrics,
            logs: present.logs || kind.logs,
            events: present.events || kind.events,
        };
        if either != present {
            Arc::make_mut(&mut self.facts).present = either;
        }
    }

    fn end_silent(&mut self, now: Time, mut each: impl FnMut(Fact)) {
        while self.due.first().is_some_and(|(deadline, _)| *deadline <= now) {
            let Some((_, key)) = self.due.pop_first() else { break };
            let Some(tracked) = self.alerts.get(&key).cloned() else { continue };
            let (Some(position), Some(deadline)) = (self.alert_at(&tracked), tracked.deadline) else { continue };
            let facts = Arc::make_mut(&mut self.facts);
            if let Some(kept) = facts.alerts.get_mut(position).filter(|kept| kept.end == Time::MAX) {
                kept.end = deadline.max(kept.start);
                each(Fact::Alert(kept.clone()));
            }
            if let Some(tracked) = self.alerts.get_mut(&key) {
                tracked.deadline = None;
                tracked.ended = None;
            }
        }
    }

    fn forget(&mut self, now: Time) {
        let (oldest, oldest_sample) = (now.minus(self.keep.signals), now.minus(self.keep.samples));
        let most = self.keep.most_signals;
        let old = |facts: &Facts| {
            facts.alerts.iter().any(|a| a.end < oldest)
                || facts.logs.first().is_some_and(|l| l.time < oldest)
                || facts.changes.first().is_some_and(|c| c.time < oldest)
                || facts.probes.first().is_some_and(|p| p.time < oldest)
                || facts.reports.first().is_some_and(|r| r.time < oldest)
                || facts.scores.first().is_some_and(|s| s.time < oldest)
                || facts.series.iter().any(|s| s.points.first().is_none_or(|(time, _)| *time < oldest_sample))
        };
        let too_many = self.samples > self.keep.most_samples || is_crowded(&self.facts, most);
        let looked = now.since(self.forgotten) < FORGET;
        if looked && !too_many {
            return;
        }
        self.forgotten = now;
        if !too_many && !old(&self.facts) {
            return;
        }
        self.settle();
        self.unsettled = true;
        let facts = Arc::make_mut(&mut self.facts);
        facts.alerts.retain(|alert| alert.end >= oldest);
        if let Some(over) = facts.alerts.len().checked_sub(most).filter(|over| *over > 0) {
            let mut left = over;
            facts.alerts.retain(|alert| {
                let goes = left > 0 && alert.end < Time::MAX;
                left -= usize::from(goes);
                !goes
            });
            // Only firing ones are left: the oldest go nevertheless, or memory has no bound.
            facts.alerts.drain(..left.min(facts.alerts.len()));
            self.let_go.signals += over as u64;
        }
        let mut cut = 0;
        cut += trim(&mut facts.logs, |log| log.time, oldest, most);
        cut += trim(&mut facts.changes, |change| change.time, oldest, most);
        cut += trim(&mut facts.probes, |probe| probe.time, oldest, most);
        cut += trim(&mut facts.reports, |report| report.time, oldest, most);
        cut += trim(&mut facts.scores, |score| score.time, oldest, most);
        self.let_go.signals += cut;
        for series in &mut facts.series {
            let gone = series.points.partition_point(|(time, _)| *time < oldest_sample);
            // Those that a copy shares are copied only if some go.
            if gone > 0 {
                series.points.drain(..gone);
            }
        }
        let kept: usize = facts.series.iter().map(|series| series.points.len()).sum();
        if kept > self.keep.most_samples {
            for series in &mut facts.series {
                let half = series.points.len() / 2;
                series.points.drain(..half);
                self.let_go.samples += half as u64;
            }
        }
        facts.series.retain(|series| !series.points.is_empty());
        self.samples = facts.series.iter().map(|series| series.points.len()).sum();
        let left: BTreeSet<(Time, &Origin)> = facts.alerts.iter().map(|alert| (alert.start, &alert.origin)).collect();
        self.alerts.retain(|_, tracked| left.contains(&(tracked.start, &tracked.origin)));
        let known = &self.alerts;
        self.due.retain(|(_, key)| known.contains_key(key));
        self.counters.retain(|_, counts| counts.last().is_some_and(|(time, _)| *time >= oldest_sample));
        self.seen = self.seen.split_off(&(oldest, 0));
        self.settle();
    }

    /// Sorts and indexes what was taken.
    pub fn settle(&mut self) {
        if !std::mem::take(&mut self.unsettled) {
            return;
        }
        let facts = Arc::make_mut(&mut self.facts);
        facts.index();
        self.sorted_series = facts.series.len();
        self.new_alerts.clear();
        self.new_series.clear();
    }
}

/// Whether one of the lists has more than `most`.
fn is_crowded(facts: &Facts, most: usize) -> bool {
    [facts.alerts.len(), facts.logs.len(), facts.changes.len(), facts.probes.len(), facts.reports.len(), facts.scores.len()]
        .into_iter()
        .any(|length| length > most)
}

/// Whether a change or a report was not sent before.
fn fresh(
    seen: &mut BTreeSet<(Time, u64)>,
    counts: &mut KindCounts,
    what: (Time, Option<ComponentId>, &String, &BTreeMap<String, String>),
) -> bool {
    let new = seen.insert((what.0, digest(&what)));
    counts.duplicates += usize::from(!new);
    new
}

fn digest(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// Removes what is older than `oldest`, and the oldest beyond `most`; returns how many of these were young. The list is in order of time.
fn trim<T>(list: &mut Vec<T>, time: impl Fn(&T) -> Time, oldest: Time, most: usize) -> u64 {
    let old = list.partition_point(|one| time(one) < oldest);
    list.drain(..old);
    let over = list.len().saturating_sub(most);
    list.drain(..over);
    over as u64
}
