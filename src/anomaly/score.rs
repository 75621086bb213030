//! Scores of series: how far, since when and for how long each deviates from its reference.

use std::collections::BTreeMap;

use estate::{ComponentId, Direction, Member, Snapshot};
use signal::{Facts, Series, is_counter, rates, span_family};
use value::{DAY, Duration, HOUR, Time};

use super::change_point::change_point;
use super::reference::{MIN_REFERENCE, Scatter, Usual, count, median, usual_of_peers};
use super::sampling::{goes_on, step, sustained};
use super::tail::t_tail;

/// A sample deviates beyond this robust z: the cut of Iglewicz and Hoaglin (1993) for the modified z-score.
const STRAY: f64 = 3.5;

/// The maximum score: the spread is not known exactly enough for more.
pub(super) const CAP: f64 = 50.0;

/// A single sample may be a misread scrape, so it counts half, and never more than twice the cut. A series that only
/// differs from its peers may be normal, so the same limit applies.
const DOUBTFUL: f64 = 2.0 * STRAY;

/// A deviation from the baseline that existed before the incident began is a difference between two days, not a fault. Half of it is
/// subtracted, not all, because the recording may begin after the fault.
const STANDING: f64 = 0.5;

/// The same for a baseline of another period: that it is other than then says little about now.
const STANDING_APART: f64 = 0.9;

/// A baseline that ended longer ago is of another period.
const ADJACENT: Duration = DAY;

/// Two samples have a median; their scatter is taken from the same metric elsewhere.
const SHORT_REFERENCE: usize = 2;

/// The minimum number of series of a metric from which its scatter and level are known, and the maximum that is used: the median of 256
/// is known to a tenth of its spread.
const MIN_ELSEWHERE: usize = 3;
const MAX_ELSEWHERE: usize = 256;

/// An earlier excursion is as high as another from this share of it on.
const AS_HIGH: f64 = 0.7;
/// So many earlier excursions of its own make the next one as likely as not.
const HABIT: f64 = 2.0;

/// The minimum number of days in a baseline for a daily rhythm: of three days, two outvote an exception.
const MIN_DAYS: i64 = 3;
/// At least this many samples remain before a change of level, and it counts if its probability by chance is below this.
const MIN_CALM: usize = 12;
const ACCIDENT: f64 = 0.001;

/// The compared hours extend this far beyond the judged samples, on either side.
const AROUND: Duration = HOUR;
const MIN_HOURS: usize = 12;
/// They take the place of the whole baseline if they scatter this much less: the daily rhythm then explains 1 − 0.6² = 64 % of the
/// variance, where Hyndman and Athanasopoulos ("Forecasting: Principles and Practice", 4.3) begin to call a season strong.
const RHYTHM: f64 = 0.6;

/// What a series is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// A period known to be healthy.
    Baseline,
    /// The same hours of its days, because it has a daily rhythm.
    SameHours,
    /// The time before the incident.
    Before,
    /// The same metric of other components, because there are no earlier samples.
    Peers,
}

/// A series that deviates from its reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Deviation {
    pub component: Option<ComponentId>,
    /// Position in `facts.series`.
    pub series: usize,
    pub metric: String,
    /// Robust z of the anomalous run: of its second most extreme sample, so that one sample alone does not decide. Above 0, at
    /// most 50.
    pub score: f64,
    /// Probability of such a score if nothing is wrong, in (0, 1]: of Student's t with one degree of freedom less than the reference
    /// has samples, both sides where both are looked at. Assumes that samples scatter about a constant.
    pub tail: f64,
    pub against: Reference,
    /// Whether it deviates upward.
    pub high: bool,
    /// The first sample of the anomalous run, and the last.
    pub onset: Time,
    pub end: Time,
    /// The most extreme anomalous value; of a counter, its rate per second.
    pub value: f64,
    /// Median of the reference, in the same unit.
    pub usual: f64,
    pub spread: f64,
    /// How many samples of the run are anomalous.
    pub samples: usize,
    /// The same, and one for each hole between two of them.
    pub sustained: usize,
    /// How many samples the reference has; how many peers.
    pub reference: usize,
    /// Whether the series is a counter, so that `value`, `usual` and `spread` are per second.
    pub rate: bool,
    /// How usual such an excursion is, 0 to 1: whether the series, and the same metric on other components, had as high ones before.
    pub habitual: f64,
}

/// The share of the series of one metric that had an excursion as high before. `highest`: of each series, 0 without any.
fn share_as_high(highest: &[f64], score: f64) -> f64 {
    if highest.len() < MIN_ELSEWHERE {
        return 0.0;
    }
    count(highest.iter().filter(|one| **one >= score * AS_HIGH).count()) / count(highest.len())
}

/// The result of one series.
#[derive(Default)]
struct Judged {
    deviation: Option<Deviation>,
    /// By side: the score of its highest excursion before the judged samples; 0 without any.
    earlier: Vec<(bool, f64)>,
}

/// Which samples are judged, and which are the reference.
struct ScoreWindow {
    /// Later samples are ignored.
    at: Time,
    /// Deviations count from this time on; `None` if unknown.
    since: Option<Time>,
    first_symptom: Option<Time>,
}

/// All series that deviate between `since` and `at`, the worst first; then by component, metric and labels.
///
/// The reference is the baseline of the same component, metric and labels. Without one, it is the series itself before
/// `since`, else before the first alert, failed probe or report, else in its first half; where that is too short, the same metric
/// of other components. `since` at or before [`Time::MIN`] means that it is not known. Linear in the samples, but for sorting them.
pub fn deviations(estate: &Snapshot, facts: &Facts, at: Time, since: Time) -> Vec<Deviation> {
    let frame = ScoreWindow { at, since: (since > Time::MIN).then_some(since), first_symptom: first_symptom(facts, at) };
    let elsewhere = Elsewhere::of(facts, &frame);
    let mut habits: BTreeMap<(&str, bool), Vec<f64>> = BTreeMap::new();
    let mut found: Vec<Deviation> = Vec::new();
    for (at, series) in facts.series.iter().enumerate() {
        let judged = judge(estate, facts, &frame, &elsewhere, at, series);
        for (high, highest) in judged.earlier {
            habits.entry((series.metric.as_str(), high)).or_default().push(highest);
        }
        found.extend(judged.deviation);
    }
    for deviation in &mut found {
        let highest = facts.series.get(deviation.series).and_then(|series| habits.get(&(series.metric.as_str(), deviation.high)));
        let share = highest.map_or(0.0, |highest| share_as_high(highest, deviation.score));
        deviation.habitual = 1.0 - (1.0 - deviation.habitual) * (1.0 - share);
    }
    // Positions follow component, metric and labels.
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.series.cmp(&b.series)));
    found
}

/// The direction in which a metric is bad according to the model; both if the model does not declare it.
pub(super) fn direction(estate: &Snapshot, series: &Series) -> Direction {
    let Some(component) = series.component.filter(|_| series.modelled) else { return Direction::Both };
    match estate.model().member(&estate.component(component).kind, &series.metric) {
        Some(Member::Metric(metric)) => metric.direction,
        Some(Member::Attribute(_)) | None => Direction::Both,
    }
}

/// A series from when nothing was wrong: its baseline, else its samples before `until`; counters as rates. At most the last `most`
/// samples.
pub(super) fn calm(facts: &Facts, deviation: &Deviation, until: Time, most: usize) -> Vec<(Time, f64)> {
    let Some(series) = facts.series.get(deviation.series) else { return Vec::new() };
    let own = || finite(&series.points).filter(|(time, _)| *time < until).collect();
    let points: Vec<(Time, f64)> = match deviation.against {
        Reference::Baseline | Reference::SameHours => {
            baseline_of(facts, series).map(|found| finite(&found.points).collect()).unwrap_or_default()
        }
        Reference::Before => own(),
        Reference::Peers => Vec::new(),
    };
    let points = if deviation.rate { rates(&points) } else { points };
    let skipped = points.len().saturating_sub(most);
    points.into_iter().skip(skipped).collect()
}

/// From when on most series have a reference: what began before cannot be seen in them. `None` without series.
pub fn visible_from(facts: &Facts) -> Option<Time> {
    let third = |series: &Series| Some(finite(&series.points).nth(MIN_REFERENCE - 1)?.0);
    let visible = |series: &Series| match baseline_of(facts, series).and_then(third) {
        Some(_) => Some(Time::MIN),
        None => third(series),
    };
    let mut from: Vec<Time> = facts.series.iter().filter_map(visible).collect();
    from.sort_unstable();
    from.get(from.len() / 2).copied()
}

pub(super) fn first_symptom(facts: &Facts, at: Time) -> Option<Time> {
    let alerts = facts.alerts.iter().map(|alert| alert.start);
    let probes = facts.probes.iter().filter(|probe| !probe.success).map(|probe| probe.time);
    let reports = facts.reports.iter().map(|report| report.time);
    alerts.chain(probes).chain(reports).filter(|time| *time <= at).min()
}

/// The samples of a series, ready to be judged.
struct Prepared {
    points: Vec<(Time, f64)>,
    baseline: Vec<(Time, f64)>,
    rate: bool,
}

fn prepare(facts: &Facts, frame: &ScoreWindow, series: &Series) -> Prepared {
    let points: Vec<(Time, f64)> = finite(&series.points).filter(|(time, _)| *time <= frame.at).collect();
    let baseline: Vec<(Time, f64)> = baseline_of(facts, series).map(|found| finite(&found.points).collect()).unwrap_or_default();
    // Metrics declared in the model and those derived from spans are not counters; for others the name and the shape decide.
    let rate = !series.modelled && span_family(&series.metric).is_none() && is_counter(&series.metric, &points, &baseline);
    if rate { Prepared { points: rates(&points), baseline: rates(&baseline), rate } } else { Prepared { points, baseline, rate } }
}

/// The same metric on other components.
#[derive(Default)]
struct Elsewhere<'f> {
    /// The usual spread as a share of the median.
    scatter: BTreeMap<&'f str, f64>,
    /// The middle of each series, if above zero, as a logarithm.
    levels: BTreeMap<&'f str, Vec<(Option<ComponentId>, f64)>>,
}

impl<'f> Elsewhere<'f> {
    fn of(facts: &'f Facts, frame: &ScoreWindow) -> Self {
        let mut shares: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        let mut levels: BTreeMap<&str, Vec<(Option<ComponentId>, f64)>> = BTreeMap::new();
        let mut of_metric: BTreeMap<&str, Vec<&Series>> = BTreeMap::new();
        facts.series.iter().for_each(|series| of_metric.entry(&series.metric).or_default().push(series));
        // Evenly over all, which are in the order of their components.
        let some = |all: Vec<&'f Series>| all.iter().step_by(all.len().div_ceil(MAX_ELSEWHERE)).copied().collect::<Vec<&Series>>();
        for series in of_metric.into_values().flat_map(some) {
            let prepared = prepare(facts, frame, series);
            if let Some(split) = split(&prepared, frame, MIN_REFERENCE) {
                let relative = Scatter::of(&split.reference, &[0.0]).and_then(|scatter| scatter.relative());
                shares.entry(&series.metric).or_default().extend(relative);
            }
            let level = median(prepared.points.iter().map(|(_, value)| *value)).filter(|level| *level > 0.0);
            levels.entry(&series.metric).or_default().extend(level.map(|level| (series.component, level.ln())));
        }
        shares.retain(|_, shares| shares.len() >= MIN_ELSEWHERE);
        let middle = |(metric, shares): (&'f str, Vec<f64>)| Some((metric, median(shares.into_iter())?));
        Elsewhere { scatter: shares.into_iter().filter_map(middle).collect(), levels }
    }

    fn peers(&self, series: &Series) -> Option<Usual> {
        let others = self.levels.get(series.metric.as_str())?.iter().filter(|(component, _)| *component != series.component);
        usual_of_peers(&others.map(|(_, level)| *level).collect::<Vec<f64>>())
    }
}

fn judge(estate: &Snapshot, facts: &Facts, frame: &ScoreWindow, elsewhere: &Elsewhere<'_>, position: usize, series: &Series) -> Judged {
    let mut prepared = prepare(facts, frame, series);
    let scatter = elsewhere.scatter.get(series.metric.as_str()).copied();
    let known = split(&prepared, frame, if scatter.is_some() { SHORT_REFERENCE } else { MIN_REFERENCE });
    let settled = known.and_then(|split| {
        let tested: Vec<f64> = prepared.points.iter().skip(split.tested_from).map(|(_, value)| *value).collect();
        Some((Scatter::of(&split.reference, &tested)?.settle(scatter)?, split))
    });
    let (usual, split) = match settled {
        Some(settled) => settled,
        None => {
            // There are no earlier samples: compare with peers, on a logarithmic scale.
            prepared.points.retain(|(_, value)| *value > 0.0);
            prepared.points.iter_mut().for_each(|(_, value)| *value = value.ln());
            let since = frame.since.map_or(0, |since| prepared.points.partition_point(|(time, _)| *time < since));
            let Some(usual) = elsewhere.peers(series) else { return Judged::default() };
            (usual, Split { against: Reference::Peers, reference: Vec::new(), tested_from: since, before: Vec::new(), apart: false })
        }
    };
    let sides: &[(bool, f64)] = match direction(estate, series) {
        Direction::High => &[(true, 1.0)],
        Direction::Low => &[(false, -1.0)],
        Direction::Both => &[(true, 1.0), (false, -1.0)],
    };
    let mut worst: Option<Deviation> = None;
    let mut earlier: Vec<(bool, f64)> = Vec::new();
    for (high, side) in sides {
        let mut before: Vec<f64> = Vec::new();
        let all = |points: &[(Time, f64)], run: &[usize]| {
            height(run.iter().filter_map(|at| points.get(*at)).map(|(_, value)| usual.score(*value, *side)), split.against)
        };
        if split.against != Reference::Peers {
            before.extend(runs(&prepared.baseline, &usual, *side).iter().filter_map(|run| all(&prepared.baseline, run)));
        }
        let found = runs(&prepared.points, &usual, *side);
        // Not the one that goes on: a fault begins before its alert.
        let over = |run: &&Vec<usize>| run.last().is_some_and(|last| last + 1 < split.tested_from);
        before.extend(found.iter().filter(over).filter_map(|run| all(&prepared.points, run)));
        for run in found {
            let Some((score, value)) = weigh(&run, &prepared.points, &usual, *side, &split) else { continue };
            let time = |position: Option<&usize>| Some(prepared.points.get(*position?)?.0);
            let (Some(onset), Some(end)) = (time(run.first()), time(run.last())) else { continue };
            if worst.as_ref().is_none_or(|worst| score > worst.score) {
                let p = t_tail(score, usual.weight - 1.0) * if sides.len() == 2 { 2.0 } else { 1.0 };
                let plain = |value: f64| if split.against == Reference::Peers { value.exp() } else { value };
                worst = Some(Deviation {
                    component: series.component,
                    series: position,
                    metric: series.metric.clone(),
                    score,
                    tail: p.clamp(f64::MIN_POSITIVE, 1.0),
                    against: split.against,
                    high: *high,
                    onset,
                    end,
                    value: plain(value),
                    usual: plain(usual.median),
                    spread: usual.spread,
                    samples: run.len(),
                    sustained: sustained(&run, &prepared.points),
                    reference: usual.samples,
                    rate: prepared.rate,
                    habitual: 0.0,
                });
            }
        }
        if let Some(worst) = worst.as_mut().filter(|worst| worst.high == *high) {
            let as_high = count(before.iter().filter(|one| **one >= worst.score * AS_HIGH).count());
            worst.habitual = as_high / (as_high + HABIT);
        }
        earlier.push((*high, before.into_iter().fold(0.0, f64::max)));
    }
    Judged { deviation: worst, earlier }
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
    against: Reference,
    reference: Vec<f64>,
    /// Position of the first sample that is judged.
    tested_from: usize,
    /// For a series with a baseline: values before the incident that are not in the reference.
    before: Vec<f64>,
    /// Whether the baseline is of another period: what differs from it may have changed at any time since.
    apart: bool,
}

/// An alert may come long after the fault, and the samples in between are not a reference. If the level of the second half differs from
/// the first half, and not by chance, the reference ends at the change.
fn calm_until(reference: &[f64]) -> usize {
    let (first, last) = reference.split_at(reference.len() / 2);
    let all = reference.len();
    if first.len() < MIN_CALM {
        return all;
    }
    // The last third, since a change in the middle of the second half leaves a part of that calm.
    let tail = last.get(last.len() / 3..).unwrap_or_default();
    let moved = Scatter::of(first, tail)
        .and_then(|scatter| scatter.settle(None))
        .zip(median(tail.iter().copied()))
        .is_some_and(|(usual, level)| usual.score(level, 1.0).abs() >= STRAY);
    if !moved {
        return all;
    }
    change_point(reference).filter(|change| change.tail.p < ACCIDENT && change.position >= MIN_CALM).map_or(all, |change| change.position)
}

/// The samples of a baseline at the hours of the day that are judged, if it has a daily rhythm.
fn same_hours(baseline: &[(Time, f64)], judged: &[(Time, f64)], whole: &[f64]) -> Option<Vec<f64>> {
    let (first, last) = (baseline.first()?.0, baseline.last()?.0);
    let (from, to) = (judged.first()?.0.minus(AROUND), judged.last()?.0.plus(AROUND));
    if last.since(first) < MIN_DAYS * DAY || to.since(from) >= DAY / 2 {
        return None;
    }
    let inside = |time: Time| time.since(from).rem_euclid(DAY) <= to.since(from);
    let hours: Vec<f64> = baseline.iter().filter(|(time, _)| inside(*time)).map(|(_, value)| *value).collect();
    let scatter = |values: &[f64]| Scatter::of(values, &[0.0]).map(|scatter| scatter.spread());
    (hours.len() >= MIN_HOURS && scatter(&hours)? < RHYTHM * scatter(whole)?).then_some(hours)
}

/// `least`: a shorter reference does not count.
fn split(prepared: &Prepared, frame: &ScoreWindow, least: usize) -> Option<Split> {
    let Prepared { points, baseline, .. } = prepared;
    let until = |time: Time| points.partition_point(|(sample, _)| *sample < time);
    let values = |points: &[(Time, f64)], n: usize| points.iter().take(n).map(|(_, value)| *value).collect::<Vec<f64>>();
    if baseline.len() >= MIN_REFERENCE {
        let begun = frame.since.max(frame.first_symptom);
        let tested_from = frame.since.map_or(0, until);
        let whole = values(baseline, baseline.len());
        let (against, reference) = match same_hours(baseline, points.get(tested_from..).unwrap_or_default(), &whole) {
            Some(hours) => (Reference::SameHours, hours),
            None => (Reference::Baseline, whole),
        };
        let apart = baseline.last().zip(points.first()).is_some_and(|((last, _), (first, _))| first.since(*last) > ADJACENT);
        return Some(Split { against, reference, tested_from, before: values(points, begun.map_or(0, until)), apart });
    }
    let known: Vec<usize> = [frame.since, frame.first_symptom].into_iter().flatten().map(until).collect();
    // The first half is used only if the beginning is unknown.
    let half = (frame.first_symptom.is_none()).then_some(points.len() / 2);
    let cut = known.into_iter().chain(half).find(|cut| *cut >= least && *cut < points.len())?;
    let mut reference = values(points, cut);
    if frame.first_symptom.is_some() {
        reference.truncate(calm_until(&reference));
    }
    Some(Split { against: Reference::Before, reference, tested_from: cut, before: Vec::new(), apart: false })
}

/// Anomalous runs on one side, each the positions of its anomalous samples. A run may begin before the judged samples: a fault begins
/// before its alert.
fn runs(points: &[(Time, f64)], usual: &Usual, side: f64) -> Vec<Vec<usize>> {
    let step = step(points);
    let mut runs: Vec<(Time, Time, Vec<usize>)> = Vec::new();
    for (at, (time, value)) in points.iter().enumerate() {
        if usual.score(*value, side) < STRAY {
            continue;
        }
        match runs.last_mut() {
            Some((first, last, run)) if run.last().is_some_and(|p| goes_on(at - p, time.since(*last), step, last.since(*first))) => {
                run.push(at);
                *last = *time;
            }
            Some(_) | None => runs.push((*time, *time, vec![at])),
        }
    }
    runs.into_iter().map(|(.., run)| run).collect()
}

/// The score of a run from those of its samples: of the second most extreme one.
fn height(scores: impl Iterator<Item = f64>, against: Reference) -> Option<f64> {
    let mut scores: Vec<f64> = scores.collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    let cap = if against == Reference::Peers { DOUBTFUL } else { CAP };
    match scores.as_slice() {
        [] => None,
        [single] => Some((single / 2.0).min(DOUBTFUL)),
        [_, second, ..] => Some(second.min(cap)),
    }
}

/// Score and most extreme value of a run; `None` if nothing of it is judged.
fn weigh(run: &[usize], points: &[(Time, f64)], usual: &Usual, side: f64, split: &Split) -> Option<(f64, f64)> {
    let judged = run.iter().filter(|at| **at >= split.tested_from).filter_map(|at| points.get(*at));
    let mut straying: Vec<f64> = judged.map(|(_, value)| *value).collect();
    straying.sort_by(|a, b| usual.score(*b, side).total_cmp(&usual.score(*a, side)));
    let score = height(straying.iter().map(|value| usual.score(*value, side)), split.against)?;
    let standing = split.before.iter().map(|value| usual.score(*value, side)).min_by(|a, b| a.abs().total_cmp(&b.abs()));
    let standing = standing.unwrap_or(0.0).clamp(0.0, score);
    let share = if split.apart { STANDING_APART } else { STANDING };
    Some((score - share * standing, *straying.first()?))
}
