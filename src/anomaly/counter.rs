//! Counters: series that only climb, of which the rise and not the height says something.

use value::{SECOND, Time};

/// From so many samples on it shows whether a series is a counter.
const COUNTER_SAMPLES: usize = 8;

/// What counts whole things and never falls is a counter though it mostly rests, as one of errors does.
const MIN_RISES: usize = 3;

/// Whether it only climbs, apart from one reset, and mostly does. A baseline that is long enough decides for a short series.
pub(super) fn is_counter(points: &[(Time, f64)], baseline: &[(Time, f64)]) -> bool {
    let shape = |points: &[(Time, f64)]| {
        let pairs: Vec<(f64, f64)> = points.iter().zip(points.iter().skip(1)).map(|(a, b)| (a.1, b.1)).collect();
        let rises = pairs.iter().filter(|(a, b)| b > a).count();
        let falls = pairs.iter().filter(|(a, b)| b < a).count();
        let resets = pairs.iter().filter(|(a, b)| b < a && *b >= 0.0 && *b < a / 2.0).count();
        let whole = points.iter().all(|(_, value)| value.fract() == 0.0);
        (falls <= 1 && falls == resets, rises * 2 > pairs.len() || (whole && rises >= MIN_RISES))
    };
    let long = if baseline.len() >= COUNTER_SAMPLES { baseline } else { points };
    long.len() >= COUNTER_SAMPLES && shape(long) == (true, true) && shape(points).0
}

/// Rise per second between samples; after a reset what was counted since, as Prometheus' `rate` does.
pub(super) fn rates(points: &[(Time, f64)]) -> Vec<(Time, f64)> {
    let rise = |((from, a), (to, b)): (&(Time, f64), &(Time, f64))| {
        #[allow(clippy::cast_precision_loss, reason = "milliseconds between two samples")]
        let seconds = to.since(*from) as f64 / SECOND as f64;
        let counted = if b >= a { b - a } else { *b };
        (seconds > 0.0).then_some((*to, counted / seconds))
    };
    points.iter().zip(points.iter().skip(1)).filter_map(rise).filter(|(_, rate)| rate.is_finite()).collect()
}
