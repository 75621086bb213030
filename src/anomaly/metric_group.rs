//! Groups metrics that measure the same thing: percentiles and the average of a latency, the same memory in bytes and in percent. They
//! are recognized by their names, or because they always moved together.

use value::Time;

use super::change_point::midranks;
use super::reference::count;

/// Suffixes of statistics and units in the naming conventions of Prometheus and `CloudWatch`. They name how something
/// is measured, not what.
const HOW: &[&str] = &[
    "average",
    "avg",
    "bucket",
    "bytes",
    "cores",
    "count",
    "gibibytes",
    "kibibytes",
    "max",
    "maximum",
    "mean",
    "mebibytes",
    "median",
    "microseconds",
    "millicores",
    "milliseconds",
    "min",
    "minimum",
    "ms",
    "nanoseconds",
    "pct",
    "percent",
    "percentage",
    "quantile",
    "rate",
    "ratio",
    "s",
    "seconds",
    "stddev",
    "sum",
    "total",
];

/// The family of a metric: its name without the words that only say how it is counted. A name of nothing else stays as it is.
pub(super) fn family(metric: &str) -> String {
    let name = metric.to_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let what: Vec<&str> = words.iter().copied().filter(|word| !HOW.contains(word) && !is_percentile(word)).collect();
    if what.is_empty() { words.join("_") } else { what.join("_") }
}

/// `p99`, `p999`.
fn is_percentile(word: &str) -> bool {
    word.strip_prefix('p').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Two series that rank alike so far (Spearman, "The proof and measurement of association between two things", 1904) when nothing is
/// wrong measure the same thing: above this, each explains more than a third (0.6²) of the other.
const ALIKE: f64 = 0.6;

/// With fewer common samples a rank correlation of 0.6 is still chance (critical value at 5 %, n = 8: 0.74; n = 12: 0.59).
const MIN_COMMON: usize = 12;

/// Whether two series move together, by their samples at common times. `a` and `b` ascend in time.
pub(super) fn move_together(a: &[(Time, f64)], b: &[(Time, f64)]) -> bool {
    let mut first = Vec::new();
    let mut second = Vec::new();
    let mut others = b.iter().peekable();
    for (time, value) in a {
        while others.next_if(|(other, _)| other < time).is_some() {}
        if let Some((_, other)) = others.next_if(|(other, _)| other == time) {
            first.push(*value);
            second.push(*other);
        }
    }
    first.len() >= MIN_COMMON && correlation(&midranks(&first), &midranks(&second)).is_some_and(|found| found.abs() > ALIKE)
}

/// Pearson's, which of ranks is Spearman's. `None` if one of them is constant.
fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / count(values.len());
    let (mean_a, mean_b) = (mean(a), mean(b));
    let product =
        |x: &[f64], y: &[f64], mean_x: f64, mean_y: f64| -> f64 { x.iter().zip(y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum() };
    let scale = (product(a, a, mean_a, mean_a) * product(b, b, mean_b, mean_b)).sqrt();
    (scale > 0.0).then(|| product(a, b, mean_a, mean_b) / scale)
}
