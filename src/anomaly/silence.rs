//! Silence: workloads of which nothing is measured any more, while the same metrics go on elsewhere. Who crashes or is cut off may show
//! no more than that.

use std::collections::BTreeMap;

use estate::{ComponentId, Snapshot};
use signal::{Facts, Series, span_family};
use value::{Duration, Time};

use super::external_evidence::ExternalEvidence;
use super::reasons::Reason;
use super::reference::count;

/// The family of this evidence.
pub(super) const SILENCE: &str = "silence";

/// A scrape or two are missed now and then.
const MISSING: i64 = 3;

/// With so many samples it is known how regularly a series comes.
const HISTORY: usize = 8;

/// So many other workloads must go on: with one, nobody knows whether the measuring stopped.
const MIN_OTHERS: usize = 2;

/// A series that was measured until its workload fell silent, or until the end.
struct Heard<'f> {
    workload: ComponentId,
    metric: &'f str,
    points: &'f [(Time, f64)],
    last: Time,
}

/// When each workload was last heard of in one metric.
struct Metric {
    last: BTreeMap<ComponentId, Time>,
    latest: Time,
}

/// Every workload that was measured after `since` and fell silent, with all of its instances, before `at`: ascending. A series of spans
/// ends with the requests and tells of no silence.
pub fn silences(estate: &Snapshot, facts: &Facts, since: Time, at: Time) -> Vec<ExternalEvidence> {
    let mut workloads: BTreeMap<ComponentId, ComponentId> = BTreeMap::new();
    let heard = facts.series.iter().filter(|series| span_family(&series.metric).is_none()).filter_map(|series| {
        let component = series.component?;
        let workload = *workloads.entry(component).or_insert_with(|| workload_of(estate, component));
        Heard::of(workload, series, at)
    });
    let heard: Vec<Heard<'_>> = heard.collect();
    let mut last_of: BTreeMap<ComponentId, Time> = BTreeMap::new();
    let mut metrics: BTreeMap<&str, Metric> = BTreeMap::new();
    for one in &heard {
        let metric = metrics.entry(one.metric).or_insert_with(|| Metric { last: BTreeMap::new(), latest: one.last });
        metric.latest = one.last.max(metric.latest);
        for last in [last_of.entry(one.workload), metric.last.entry(one.workload)] {
            let last = last.or_insert(one.last);
            *last = one.last.max(*last);
        }
    }
    let mut found: BTreeMap<ComponentId, ExternalEvidence> = BTreeMap::new();
    for one in &heard {
        let Some((last, metric)) = last_of.get(&one.workload).zip(metrics.get(one.metric)) else { continue };
        if *last < since {
            continue;
        }
        let Some(evidence) = one.silence(estate, *last, metric, at) else { continue };
        if found.get(&one.workload).is_none_or(|known| evidence.strength() > known.strength()) {
            found.insert(one.workload, evidence);
        }
    }
    found.into_values().collect()
}

/// What an instance comes and goes for: that it is gone says nothing while another one is there.
fn workload_of(estate: &Snapshot, component: ComponentId) -> ComponentId {
    let above = estate.workloads_of(component);
    above.into_iter().max_by_key(|of| (of.level, std::cmp::Reverse(of.component))).map_or(component, |of| of.component)
}

impl<'f> Heard<'f> {
    fn of(workload: ComponentId, series: &'f Series, at: Time) -> Option<Self> {
        let points = series.within(Time::MIN, at);
        // One without a value marks the end; after several of them, something is still told.
        let ended = usize::from(points.last().is_some_and(|(_, value)| value.is_nan()));
        let points = points.get(..points.len() - ended)?;
        Some(Heard { workload, metric: &series.metric, points, last: points.last()?.0 })
    }

    /// `last`: when anything was last measured on its workload.
    fn silence(&self, estate: &Snapshot, last: Time, metric: &Metric, at: Time) -> Option<ExternalEvidence> {
        let steps = i64::try_from(self.points.len().checked_sub(1)?).ok()?;
        let step = self.last.since(self.points.first()?.0).checked_div(steps)?;
        let missed = |until: Time| until.since(last).checked_div(step).filter(|missed| *missed >= MISSING);
        // Of most series this is all: they go on.
        missed(metric.latest)?;
        if self.points.len() < HISTORY || last.since(self.last) > step {
            return None;
        }
        let mut others: Vec<Time> = metric.last.iter().filter(|(of, _)| **of != self.workload).map(|(_, last)| *last).collect();
        others.sort_unstable();
        let until = *others.get(others.len().checked_sub(MIN_OTHERS)?)?;
        let missing = missed(until)?;
        let gaps: Vec<Duration> = self.points.iter().zip(self.points.iter().skip(1)).map(|(a, b)| b.0.since(a.0)).collect();
        if gaps.iter().any(|gap| *gap >= until.since(last)) {
            return None;
        }
        let long = gaps.iter().filter(|gap| **gap > step.saturating_mul(3) / 2).count();
        let chance = count(long + 1) / count(gaps.len() + 1);
        let going = others.iter().filter(|other| missed(**other).is_some()).count();
        Some(ExternalEvidence {
            component: self.workload,
            family: SILENCE.to_owned(),
            tail: chance.powi(i32::try_from(missing).unwrap_or(i32::MAX)),
            // If many fall silent, it is the measuring.
            weight: count(going) / count(others.len()),
            onset: last.plus(step),
            end: at,
            reason: Reason::Silent { component: estate.component(self.workload).id.clone(), since: last },
        })
    }
}
