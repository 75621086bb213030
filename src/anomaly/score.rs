//! Scores of series: how far, since when and for how long each strays from its reference.

use crate::estate::{ComponentId, Direction, Member, Snapshot};
use crate::signal::{Facts, Series, span_family};
use crate::value::{Duration, Time};

use super::counter::{is_counter, rates};
use super::reference::{MIN_REFERENCE, Usual, usual};

/// A sample strays beyond this robust z: the cut of Iglewicz and Hoaglin (1993) for the modified z-score.
const STRAY: f64 = 3.5;

/// Beyond this more is not worse: the spread it is measured by is not known so exactly.
const CAP: f64 = 50.0;

/// A single sample may be a misread scrape, so it counts half, and never more than twice the cut.
const SINGLE_CAP: f64 = 2.0 * STRAY;

/// What strayed from a healthy period just so before the incident began is the difference of two days rather than of the
/// incident. Half of it is taken off and not all, because the record may begin after the fault.
const STANDING: f64 = 0.5;

/// A run goes over one sample that does not stray (in positions), but over no longer hole than this many usual steps.
const BRIDGE: usize = 2;
const MAX_HOLE: i64 = 4;

/// A series that strays from what is usual for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Deviation {
    pub component: Option<ComponentId>,
    /// Position in `facts.series`.
    pub series: usize,
    pub metric: String,
    /// Robust z of the straying run: of its second most extreme sample, so that one sample alone does not decide. Above 0, at
    /// most 50.
    pub score: f64,
    /// Whether it strays upwards.
    pub high: bool,
    /// The first sample of the straying run.
    pub onset: Time,
    /// The most extreme straying value; of a counter, its rate per second.
    pub value: f64,
    /// Median of the reference, in the same unit.
    pub usual: f64,
    pub spread: f64,
    /// How many samples of the run stray.
    pub samples: usize,
    /// How many samples the reference has.
    pub reference: usize,
    /// Whether the series is a counter, so that `value`, `usual` and `spread` are per second.
    pub rate: bool,
}

/// Which samples are judged, and by which.
struct Frame {
    /// Nothing after it is looked at.
    at: Time,
    /// From when on straying counts; `None` if nobody knows.
    since: Option<Time>,
    first_symptom: Option<Time>,
}

/// Every series that strays between `since` and `at`, the worst first; then by component, metric and labels.
///
/// The reference is the baseline of the same component, metric and labels. Without one it is what the series itself says before
/// `since`, else before the first alert, failed probe or report, else in its first half. `since` at or before [`Time::MIN`]
/// means that it is not known.
pub fn deviations(estate: &Snapshot, facts: &Facts, at: Time, since: Time) -> Vec<Deviation> {
    let frame = Frame { at, since: (since > Time::MIN).then_some(since), first_symptom: first_symptom(facts, at) };
    let judged = facts.series.iter().enumerate().filter_map(|(position, series)| judge(estate, facts, &frame, position, series));
    let mut found: Vec<Deviation> = judged.collect();
    // Positions follow component, metric and labels.
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.series.cmp(&b.series)));
    found
}

/// Which way the model says that a metric strays when something is wrong; both ways if it says nothing.
pub(super) fn direction(estate: &Snapshot, series: &Series) -> Direction {
    let Some(component) = series.component.filter(|_| series.modelled) else { return Direction::Both };
    match estate.model().member(&estate.component(component).kind, &series.metric) {
        Some(Member::Metric(metric)) => metric.direction,
        Some(Member::Attribute(_)) | None => Direction::Both,
    }
}

/// The usual time between two samples: the median. 0 for less than two samples.
pub(super) fn step(points: &[(Time, f64)]) -> Duration {
    let mut gaps: Vec<Duration> = points.iter().zip(points.iter().skip(1)).map(|(a, b)| b.0.since(a.0)).collect();
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).copied().unwrap_or(0)
}

fn first_symptom(facts: &Facts, at: Time) -> Option<Time> {
    let alerts = facts.alerts.iter().map(|alert| alert.start);
    let probes = facts.probes.iter().filter(|probe| !probe.success).map(|probe| probe.time);
    let reports = facts.reports.iter().map(|report| report.time);
    alerts.chain(probes).chain(reports).filter(|time| *time <= at).min()
}

fn judge(estate: &Snapshot, facts: &Facts, frame: &Frame, position: usize, series: &Series) -> Option<Deviation> {
    let mut points: Vec<(Time, f64)> = finite(&series.points).filter(|(time, _)| *time <= frame.at).collect();
    let mut baseline: Vec<(Time, f64)> = baseline_of(facts, series).map(|found| finite(&found.points).collect()).unwrap_or_default();
    // A metric that the model declares has a unit and is what it is; of others the shape tells.
    let rate = !series.modelled && span_family(&series.metric).is_none() && is_counter(&points, &baseline);
    if rate {
        points = rates(&points);
        baseline = rates(&baseline);
    }
    let split = split(&points, &baseline, frame)?;
    let tested: Vec<f64> = points.iter().skip(split.tested_from).map(|(_, value)| *value).collect();
    let usual = usual(&split.reference, &tested)?;
    let sides: &[(bool, f64)] = match direction(estate, series) {
        Direction::High => &[(true, 1.0)],
        Direction::Low => &[(false, -1.0)],
        Direction::Both => &[(true, 1.0), (false, -1.0)],
    };
    let mut worst: Option<Deviation> = None;
    for (high, side) in sides {
        for run in runs(&points, &usual, *side) {
            let Some((score, value)) = weigh(&run, &points, &usual, *side, &split) else { continue };
            let Some((onset, _)) = run.first().and_then(|first| points.get(*first)) else { continue };
            if worst.as_ref().is_none_or(|worst| score > worst.score) {
                worst = Some(Deviation {
                    component: series.component,
                    series: position,
                    metric: series.metric.clone(),
                    score,
                    high: *high,
                    onset: *onset,
                    value,
                    usual: usual.median,
                    spread: usual.spread,
                    samples: run.len(),
                    reference: usual.samples,
                    rate,
                });
            }
        }
    }
    worst
}

/// Series are sorted by these three, see [`Facts::index`].
fn baseline_of<'a>(facts: &'a Facts, series: &Series) -> Option<&'a Series> {
    let wanted = (series.component, &series.metric, &series.labels);
    let found = facts.baseline.binary_search_by(|one| (one.component, &one.metric, &one.labels).cmp(&wanted)).ok()?;
    facts.baseline.get(found)
}

fn finite(points: &[(Time, f64)]) -> impl Iterator<Item = (Time, f64)> {
    points.iter().copied().filter(|(_, value)| value.is_finite())
}

/// How the samples of a series are used.
struct Split {
    reference: Vec<f64>,
    /// Position of the first sample that is judged.
    tested_from: usize,
    /// Values before the incident that the reference does not hold: of a series with a baseline.
    before: Vec<f64>,
}

fn split(points: &[(Time, f64)], baseline: &[(Time, f64)], frame: &Frame) -> Option<Split> {
    let until = |time: Time| points.partition_point(|(sample, _)| *sample < time);
    let values = |points: &[(Time, f64)], n: usize| points.iter().take(n).map(|(_, value)| *value).collect::<Vec<f64>>();
    if baseline.len() >= MIN_REFERENCE {
        let begun = frame.since.max(frame.first_symptom);
        return Some(Split {
            reference: values(baseline, baseline.len()),
            tested_from: frame.since.map_or(0, until),
            before: values(points, begun.map_or(0, until)),
        });
    }
    let cuts = [frame.since, frame.first_symptom].into_iter().flatten().map(until).chain([points.len() / 2]);
    let cut = cuts.into_iter().find(|cut| *cut >= MIN_REFERENCE && *cut < points.len())?;
    Some(Split { reference: values(points, cut), tested_from: cut, before: Vec::new() })
}

/// Straying runs on one side, each the positions of its straying samples. They may begin before what is judged: a fault begins
/// before its alert.
fn runs(points: &[(Time, f64)], usual: &Usual, side: f64) -> Vec<Vec<usize>> {
    let hole = MAX_HOLE * step(points);
    let mut runs: Vec<(Time, Vec<usize>)> = Vec::new();
    for (at, (time, value)) in points.iter().enumerate() {
        if usual.score(*value, side) < STRAY {
            continue;
        }
        match runs.last_mut() {
            Some((last, run)) if run.last().is_some_and(|p| at - p <= BRIDGE) && time.since(*last) <= hole => {
                run.push(at);
                *last = *time;
            }
            Some(_) | None => runs.push((*time, vec![at])),
        }
    }
    runs.into_iter().map(|(_, run)| run).collect()
}

/// Score and most extreme value of a run; `None` if nothing of it is judged.
fn weigh(run: &[usize], points: &[(Time, f64)], usual: &Usual, side: f64, split: &Split) -> Option<(f64, f64)> {
    let judged = run.iter().filter(|at| **at >= split.tested_from).filter_map(|at| points.get(*at));
    let mut straying: Vec<f64> = judged.map(|(_, value)| *value).collect();
    straying.sort_by(|a, b| usual.score(*b, side).total_cmp(&usual.score(*a, side)));
    let score = match straying.as_slice() {
        [] => return None,
        [single] => (usual.score(*single, side) / 2.0).min(SINGLE_CAP),
        [_, second, ..] => usual.score(*second, side).min(CAP),
    };
    let standing = split.before.iter().map(|value| usual.score(*value, side)).min_by(|a, b| a.abs().total_cmp(&b.abs()));
    let standing = standing.unwrap_or(0.0).clamp(0.0, score);
    Some((score - STANDING * standing, *straying.first()?))
}
