//! Counters: series that only rise, so that their rate matters and not their value.

use value::{SECOND, Time};

/// The minimum number of samples to recognize a counter.
const COUNTER_SAMPLES: usize = 8;

/// A series of whole numbers that never falls is a counter even if it rarely rises, such as an error counter.
const MIN_RISES: usize = 3;

/// Whether a series only rises, apart from one reset, in most samples. A long enough baseline decides for a short series.
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

/// Rate per second between samples; after a reset, what was counted since, like `rate` in Prometheus.
pub(super) fn rates(points: &[(Time, f64)]) -> Vec<(Time, f64)> {
    let rise = |((from, a), (to, b)): (&(Time, f64), &(Time, f64))| {
        #[allow(clippy::cast_precision_loss, reason = "milliseconds between two samples")]
        let seconds = to.since(*from) as f64 / SECOND as f64;
        let counted = if b >= a { b - a } else { *b };
        (seconds > 0.0).then_some((*to, counted / seconds))
    };
    points.iter().zip(points.iter().skip(1)).filter_map(rise).filter(|(_, rate)| rate.is_finite()).collect()
}
