//! Turns visits and calls into series: one value per minute, for each component and for each pair of caller and callee.

use std::ops::Range;

use estate::ComponentId;
use value::{Dimension, Duration, MINUTE, Time};

use super::calls::Work;
use super::spans::Party;

/// The time that one value of a series covers. Alerting rules and rates in Prometheus usually look back a minute or more. A shorter
/// time has too few spans of most components, and a longer one hides the onset.
pub(super) const BUCKET: Duration = MINUTE;

/// Minimum number of visits or calls in a minute for durations and error rates: with five, the median is right even if two are
/// outliers.
pub(super) const MIN_SPANS: usize = 5;

/// The same for the 95th percentile: with fewer than twenty it is the single slowest.
const MIN_TAIL: usize = 20;

/// After this many minutes without the start of any trace, the recording is assumed to have paused (or a clock to be wrong). Shorter
/// pauses count as rates of zero.
const MAX_PAUSE: i64 = 10;

/// Maximum number of rate values over all series, of 16 bytes each. Pods that all call each other over a week would exceed it. Then no
/// rates are computed, only the other series.
const MAX_RATES: usize = 10_000_000;

/// The quantity that a series made of spans measures; see [`span_family`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpanFamily {
    /// Time that the component itself worked: grows if it is slow, but not if its dependencies are.
    OwnTime,
    /// Time including everything that the component waited for: also grows if a dependency is slow.
    TotalTime,
    /// The share that failed for any reason, including failures of dependencies.
    Errors,
    /// Requests per second.
    Rate,
}

impl SpanFamily {
    /// Values are in its base unit: milliseconds, percent, per second.
    pub(super) fn dimension(self) -> Dimension {
        match self {
            SpanFamily::OwnTime | SpanFamily::TotalTime => Dimension::Time,
            SpanFamily::Errors => Dimension::Fraction,
            SpanFamily::Rate => Dimension::PerTime,
        }
    }
}

const OWN_TIME: &str = "span_own_time";
const OWN_TIME_TAIL: &str = "span_own_time_p95";

/// The metrics that both visits and calls have.
struct Names {
    duration: &'static str,
    duration_tail: &'static str,
    errors: &'static str,
    rate: &'static str,
}

const VISITS: Names =
    Names { duration: "span_duration", duration_tail: "span_duration_p95", errors: "span_error_percent", rate: "span_rate" };
const CALLS: Names =
    Names { duration: "call_duration", duration_tail: "call_duration_p95", errors: "call_error_percent", rate: "call_rate" };

/// The quantity that a metric measures, if it is made of spans: `span_…` for the component, `call_…` for the component as seen by one
/// caller (label `caller`).
pub fn span_family(metric: &str) -> Option<SpanFamily> {
    if metric == OWN_TIME || metric == OWN_TIME_TAIL {
        return Some(SpanFamily::OwnTime);
    }
    [VISITS, CALLS].iter().find_map(|names| {
        let known = [
            (names.duration, SpanFamily::TotalTime),
            (names.duration_tail, SpanFamily::TotalTime),
            (names.errors, SpanFamily::Errors),
            (names.rate, SpanFamily::Rate),
        ];
        known.into_iter().find(|(name, _)| *name == metric).map(|(_, family)| family)
    })
}

/// A series before it becomes a fact; has at least one point.
#[derive(Debug)]
pub(super) struct Made {
    pub component: ComponentId,
    /// Only for calls.
    pub caller: Option<ComponentId>,
    pub metric: &'static str,
    pub points: Vec<(Time, f64)>,
}

/// A visit or call of placed components, in the order in which they are put together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Sample {
    component: ComponentId,
    caller: Option<ComponentId>,
    bucket: i64,
    duration: i64,
    /// The duration of a call.
    own: i64,
    error: bool,
}

/// The series by component and caller, and whether there were too many rates. `last` is the end of the last span in nanoseconds since
/// 1970: it dates the values of the last, incomplete minute.
pub(super) fn series(work: &Work, parties: &[Party], last: i64) -> (Vec<Made>, bool) {
    made(work, parties, covered(&work.starts), last, |_| true)
}

/// The series of some minutes only, all of which are over; those that are `covered` were recorded as a whole.
pub(super) fn minutes(work: &Work, parties: &[Party], minutes: &Range<i64>, covered: Range<i64>) -> Vec<Made> {
    made(work, parties, covered.collect(), i64::MAX, |bucket| minutes.contains(&bucket)).0
}

/// Rates are of the minutes that are `covered`, all other values of those that are `wanted`.
fn made(work: &Work, parties: &[Party], mut covered: Vec<i64>, last: i64, wanted: impl Fn(i64) -> bool) -> (Vec<Made>, bool) {
    let place = |party: u32| parties.get(usize::try_from(party).ok()?)?.component;
    let visits = work.visits.iter().filter_map(|visit| {
        let (component, bucket) = (place(visit.party)?, bucket(visit.end));
        Some(Sample { component, caller: None, bucket, duration: visit.duration, own: visit.own, error: visit.error })
    });
    let calls = work.calls.iter().filter_map(|call| {
        let (component, caller) = (place(call.callee)?, Some(place(call.caller)?));
        Some(Sample { component, caller, bucket: bucket(call.end), duration: call.duration, own: call.duration, error: call.error })
    });
    let mut samples: Vec<Sample> = visits.chain(calls).filter(|sample| wanted(sample.bucket)).collect();
    samples.sort_unstable();
    let groups = || samples.chunk_by(|a, b| (a.component, a.caller) == (b.component, b.caller));
    let too_many = covered.len().saturating_mul(groups().count()) > MAX_RATES;
    if too_many {
        covered.clear();
    }
    (groups().flat_map(|group| of_group(group, &covered, last)).collect(), too_many)
}

/// The series of one component, or of one caller and callee.
fn of_group(group: &[Sample], covered: &[i64], last: i64) -> Vec<Made> {
    let Some(Sample { component, caller, .. }) = group.first() else { return Vec::new() };
    let (mut own, mut own_tail, mut duration, mut duration_tail, mut errors) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut counts: Vec<(i64, usize)> = Vec::new();
    for minute in group.chunk_by(|a, b| a.bucket == b.bucket) {
        let Some(bucket) = minute.first().map(|sample| sample.bucket) else { continue };
        counts.push((bucket, minute.len()));
        if minute.len() < MIN_SPANS {
            continue;
        }
        let time = stamp(bucket, last);
        // Already sorted by duration, which comes next in the order of samples.
        let durations: Vec<i64> = minute.iter().map(|sample| sample.duration).collect();
        let mut owns: Vec<i64> = minute.iter().map(|sample| sample.own).collect();
        owns.sort_unstable();
        own.push((time, quantile(&owns, 50)));
        duration.push((time, quantile(&durations, 50)));
        errors.push((time, 100.0 * share(minute.iter().filter(|sample| sample.error).count(), minute.len())));
        if minute.len() >= MIN_TAIL {
            own_tail.push((time, quantile(&owns, 95)));
            duration_tail.push((time, quantile(&durations, 95)));
        }
    }
    let rates = covered.iter().map(|bucket| {
        let found = counts.binary_search_by_key(bucket, |(at, _)| *at).ok().and_then(|at| counts.get(at));
        (stamp(*bucket, last), per_second(found.map_or(0, |(_, count)| *count)))
    });
    let names = if caller.is_none() { VISITS } else { CALLS };
    let mut all = vec![
        (names.duration, duration),
        (names.duration_tail, duration_tail),
        (names.errors, errors),
        (names.rate, rates.collect::<Vec<_>>()),
    ];
    if caller.is_none() {
        // Spans do not show how a callee's own time differs between its callers.
        all.extend([(OWN_TIME, own), (OWN_TIME_TAIL, own_tail)]);
    }
    let made = |(metric, points)| Made { component: *component, caller: *caller, metric, points };
    all.into_iter().map(made).filter(|made| !made.points.is_empty()).collect()
}

/// In a millisecond.
pub(super) const NANOSECONDS: i64 = 1_000_000;

/// The minute in which a span ends: only then is its duration known.
pub(super) fn bucket(end: i64) -> i64 {
    end.div_euclid(BUCKET * NANOSECONDS)
}

/// The end of a minute, as Prometheus dates a rate; for the last minute, the end of the recording.
fn stamp(bucket: i64, last: i64) -> Time {
    let end = bucket.saturating_add(1).saturating_mul(BUCKET);
    Time(end.min(last.div_euclid(NANOSECONDS).saturating_add(1)))
}

/// The complete minutes of the recording, ascending: those between minutes in which traces start. The first and the last minute of a
/// run may be incomplete.
fn covered(starts: &[i64]) -> Vec<i64> {
    let mut seen: Vec<i64> = starts.iter().map(|start| bucket(*start)).collect();
    seen.sort_unstable();
    seen.dedup();
    let runs = seen.chunk_by(|a, b| b - a <= MAX_PAUSE);
    runs.filter_map(|run| Some(run.first()? + 1..*run.last()?)).flatten().collect()
}

/// A quantile of ascending nanoseconds, in milliseconds: linear between neighbors (type 7 of Hyndman and Fan, The American Statistician
/// 50, 1996). 0 without any.
#[allow(
    clippy::cast_precision_loss,
    reason = "durations of up to three months in nanoseconds are below 2^53; longer ones lose nanoseconds"
)]
fn quantile(sorted: &[i64], percent: usize) -> f64 {
    let position = sorted.len().saturating_sub(1) * percent;
    let low = sorted.get(position / 100).copied().unwrap_or(0);
    let high = sorted.get(position / 100 + 1).copied().unwrap_or(low);
    let between = (high - low) as f64 * (position % 100) as f64 / 100.0;
    (low as f64 + between) / NANOSECONDS as f64
}

#[allow(clippy::cast_precision_loss, reason = "numbers of spans are far below 2^53")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

#[allow(clippy::cast_precision_loss, reason = "numbers of spans are far below 2^53")]
fn per_second(count: usize) -> f64 {
    count as f64 * 1_000.0 / BUCKET as f64
}

#[cfg(test)]
mod tests {
    use super::{CALLS, Dimension, NANOSECONDS, OWN_TIME, OWN_TIME_TAIL, SpanFamily, VISITS, covered, quantile, span_family, stamp};
    use value::{MINUTE, Time};

    #[test]
    fn quantiles() {
        for (milliseconds, percent, expected) in [
            (vec![7], 50, 7.0),
            (vec![1, 2, 3, 4, 100], 50, 3.0),
            (vec![1, 2, 3, 4], 50, 2.5),
            // Position 0.95 · 20 = 19 of 0 to 20.
            ((0..=20).collect(), 95, 19.0),
            // Position 0.95 · 4 = 3.8: four fifths of the way from 4 to 104.
            (vec![1, 2, 3, 4, 104], 95, 84.0),
            (vec![], 50, 0.0),
        ] {
            let nanoseconds: Vec<i64> = milliseconds.iter().map(|value: &i64| value * NANOSECONDS).collect();
            assert_eq!(quantile(&nanoseconds, percent), expected, "{milliseconds:?} {percent}");
        }
    }

    #[test]
    fn minutes_that_are_whole() {
        for (minutes, expected) in [
            (vec![], vec![]),
            (vec![5], vec![]),
            (vec![5, 6], vec![]),
            (vec![8, 5, 6, 8], vec![6, 7]),
            // Ten minutes without a trace are a quiet time, eleven are a pause.
            (vec![0, 10], (1..10).collect()),
            (vec![0, 11], vec![]),
            (vec![0, 2, 1000, 1002], vec![1, 1001]),
        ] {
            let starts: Vec<i64> = minutes.iter().map(|minute: &i64| minute * MINUTE * NANOSECONDS + 1).collect();
            assert_eq!(covered(&starts), expected, "{minutes:?}");
        }
    }

    #[test]
    fn values_are_of_the_end_of_their_minute() {
        assert_eq!(stamp(0, 3 * MINUTE * NANOSECONDS), Time(MINUTE));
        assert_eq!(stamp(2, 150_000 * NANOSECONDS), Time(150_001));
        // The last span ends as its minute begins: still after the minute before.
        assert_eq!(stamp(2, 2 * MINUTE * NANOSECONDS), Time(2 * MINUTE + 1));
    }

    #[test]
    fn names_tell_what_they_say() {
        for (metric, expected) in [
            (OWN_TIME, Some(SpanFamily::OwnTime)),
            (OWN_TIME_TAIL, Some(SpanFamily::OwnTime)),
            (VISITS.duration, Some(SpanFamily::TotalTime)),
            (CALLS.duration_tail, Some(SpanFamily::TotalTime)),
            (CALLS.errors, Some(SpanFamily::Errors)),
            (VISITS.rate, Some(SpanFamily::Rate)),
            ("response_time", None),
        ] {
            assert_eq!(span_family(metric), expected, "{metric}");
        }
        assert_eq!(SpanFamily::Errors.dimension(), Dimension::Fraction);
    }
}
