//! Metrics that say one thing several times: percentiles and the average of a latency, the same memory in bytes and in percent.

/// Suffixes of statistics and units in the naming conventions of Prometheus and `CloudWatch`. They say how something
/// is counted, not what.
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
