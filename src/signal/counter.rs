//! Counters: series that only climb, so that their rise matters and not their value.

use std::collections::VecDeque;

use value::{Duration, MINUTE, SECOND, Time};

use super::mapping::{HISTOGRAM, TOTAL};
use super::trouble::words;

/// The minimum number of samples to recognize a counter.
const COUNTER_SAMPLES: usize = 8;

/// A series of whole numbers that never falls is a counter even if it rarely rises, such as an error counter.
const MIN_RISES: usize = 3;

/// The minimum number of samples to recognize one where the model expects a rate: a rate may rise for a while, all through an incident.
const CLIMB_SAMPLES: usize = 20;

/// The time before each sample over which a counter is read, unless an entry of `sources.yaml` says another.
pub(super) const WINDOW: Duration = 5 * MINUTE;

/// How a counter is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// Its rise per second.
    Rate,
    /// Its rise.
    Increase,
}

/// How the values of a series move.
struct Shape {
    steps: usize,
    rises: usize,
    falls: usize,
    /// Falls to a small part, as after a restart.
    resets: usize,
    whole: bool,
}

impl Shape {
    fn of(points: &[(Time, f64)]) -> Shape {
        let steps: Vec<(f64, f64)> = points.iter().zip(points.iter().skip(1)).map(|(a, b)| (a.1, b.1)).collect();
        Shape {
            steps: steps.len(),
            rises: steps.iter().filter(|(a, b)| b > a).count(),
            falls: steps.iter().filter(|(a, b)| b < a).count(),
            resets: steps.iter().filter(|(a, b)| b < a && *b >= 0.0 && *b < a / 2.0).count(),
            whole: points.iter().all(|(_, value)| value.fract() == 0.0),
        }
    }

    /// Apart from one reset.
    fn never_falls(&self) -> bool {
        self.falls <= 1 && self.falls == self.resets
    }

    fn mostly_rises(&self) -> bool {
        self.rises * 2 > self.steps
    }
}

/// Words of names of levels: how much is in use, or left. A disk that fills only climbs, too, but its rise is not what matters.
const LEVELS: &[&str] = &[
    "avail",
    "available",
    "fraction",
    "free",
    "heap",
    "pct",
    "percent",
    "percentage",
    "ratio",
    "remaining",
    "resident",
    "rss",
    "saturation",
    "usage",
    "used",
    "utilisation",
    "utilization",
];

/// Words of names of sums of time: `cpu_usage_seconds` counts what was used.
const TIMES: &[&str] = &["ms", "us", "ns", "milliseconds", "microseconds", "nanoseconds", "seconds", "minutes", "hours"];

/// Whether a name says that a series is a level. Endings of counters come first: `cpu_usage_seconds_total`.
fn is_level(name: &str) -> bool {
    let counts = name.ends_with(TOTAL) || HISTOGRAM.iter().any(|ending| name.ends_with(ending));
    let words = words(name);
    let any = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    !counts && any(LEVELS) && !any(TIMES)
}

/// Whether a series only rises, apart from one reset, in most samples, and its name does not say that it is a level. A long enough
/// baseline decides for a short series.
pub fn is_counter(name: &str, points: &[(Time, f64)], baseline: &[(Time, f64)]) -> bool {
    if is_level(name) {
        return false;
    }
    let long = if baseline.len() >= COUNTER_SAMPLES { baseline } else { points };
    let shape = Shape::of(long);
    let rises = shape.mostly_rises() || (shape.whole && shape.rises >= MIN_RISES);
    long.len() >= COUNTER_SAMPLES && shape.never_falls() && rises && Shape::of(points).never_falls()
}

/// Whether a series that should be a rate only climbs over its entire record, so that it is a counter after all.
pub(super) fn climbs(points: &[(Time, f64)], baseline: &[(Time, f64)]) -> bool {
    let known = |points: &[(Time, f64)]| points.iter().copied().filter(|(_, value)| !value.is_nan()).collect::<Vec<(Time, f64)>>();
    let (points, baseline) = (known(points), known(baseline));
    let long = if baseline.len() > points.len() { &baseline } else { &points };
    let both = Shape::of(&points).never_falls() && Shape::of(&baseline).never_falls();
    long.len() >= CLIMB_SAMPLES && both && Shape::of(long).mostly_rises()
}

/// What was counted from one sample to the next; after a reset, what was counted since.
fn counted(from: f64, to: f64) -> f64 {
    if to >= from { to - from } else { to.max(0.0) }
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds between two samples")]
fn seconds(from: Time, to: Time) -> f64 {
    to.since(from) as f64 / SECOND as f64
}

/// Rate per second between samples; after a reset, what was counted since, like `rate` in Prometheus.
pub fn rates(points: &[(Time, f64)]) -> Vec<(Time, f64)> {
    let rise = |((from, a), (to, b)): (&(Time, f64), &(Time, f64))| {
        let seconds = seconds(*from, *to);
        (seconds > 0.0).then_some((*to, counted(*a, *b) / seconds))
    };
    points.iter().zip(points.iter().skip(1)).filter_map(rise).filter(|(_, rate)| rate.is_finite()).collect()
}

/// What a counter rose by, at each sample: from the first sample that is at most `window` older, and from nowhere else, so that nothing
/// is extrapolated. A sample without another one in its window gives no point; stale markers stay.
pub(super) fn rise(points: &[(Time, f64)], window: Duration, counting: Counting) -> Vec<(Time, f64)> {
    let mut risen = Vec::with_capacity(points.len());
    // The samples of the window, each with all that was counted before it.
    let mut open: VecDeque<(Time, f64)> = VecDeque::new();
    let (mut total, mut last) = (0.0, None);
    for &(time, value) in points {
        if value.is_nan() {
            risen.push((time, value));
            continue;
        }
        total += last.map_or(0.0, |last| counted(last, value));
        last = Some(value);
        while open.front().is_some_and(|(first, _)| time.since(*first) > window) {
            open.pop_front();
        }
        if let Some((first, before)) = open.front() {
            let rise = total - before;
            let value = match counting {
                Counting::Rate => rise / seconds(*first, time),
                Counting::Increase => rise,
            };
            risen.push((time, value));
        }
        open.push_back((time, total));
    }
    risen
}

#[cfg(test)]
mod tests {
    use super::{Counting, climbs, is_level, rise};
    use value::{MINUTE, Time};

    /// A value a minute; `-` is a missing sample, `x` a stale marker.
    fn series(text: &str) -> Vec<(Time, f64)> {
        let sample = |(minute, word): (i64, &str)| match word {
            "-" => None,
            "x" => Some((Time(minute * MINUTE), f64::NAN)),
            number => Some((Time(minute * MINUTE), number.parse().unwrap())),
        };
        (0..).zip(text.split_whitespace()).filter_map(sample).collect()
    }

    fn shown(points: &[(Time, f64)]) -> String {
        points.iter().map(|(time, value)| format!("{}:{value}", time.0 / MINUTE)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn rises_over_a_window() {
        for (what, text, window, expected) in [
            ("grows with the record, then moves", "0 6 12 18 24", 3, "1:6 2:12 3:18 4:18"),
            ("a restart counts from zero", "100 106 4 10", 3, "1:6 2:10 3:16"),
            ("two restarts", "100 4 2", 3, "1:4 2:6"),
            ("one sample is no rise", "100", 3, ""),
            ("a gap within the window is part of it", "0 6 - 18", 3, "1:6 3:18"),
            ("after a longer gap it begins anew", "0 6 - - - 30 36", 3, "1:6 6:6"),
            ("samples further apart than the window", "0 - - - 24", 3, ""),
            ("a stale marker stays, and nothing is counted for it", "0 6 x 18 24", 3, "1:6 2:NaN 3:18 4:18"),
            ("what stands still", "7 7 7", 3, "1:0 2:0"),
        ] {
            assert_eq!(shown(&rise(&series(text), window * MINUTE, Counting::Increase)), expected, "{what}");
        }
    }

    #[test]
    fn a_rate_is_over_the_time_that_samples_cover() {
        for (text, expected) in [("0 60 120", "1:1 2:1"), ("0 - 60", "2:0.5"), ("100 160 30", "1:1 2:0.75"), ("0 x 60", "1:NaN 2:0.5")] {
            assert_eq!(shown(&rise(&series(text), 5 * MINUTE, Counting::Rate)), expected, "{text}");
        }
    }

    #[test]
    fn names_say_what_is_a_level() {
        for name in ["disk_used_ratio", "instance:disk_used:ratio", "volume_used_bytes", "MemoryUsagePercent", "heap_used", "pool_free"] {
            assert!(is_level(name), "{name}");
        }
        for name in ["m", "requests", "cpu_usage_seconds_total", "cpu_usage_seconds", "used_count", "bytes_received", "duration", "uptime"]
        {
            assert!(!is_level(name), "{name}");
        }
    }

    #[test]
    fn what_only_climbs() {
        let line = |count: i64, value: fn(i64) -> i64| (0..count).map(|at| value(at).to_string()).collect::<Vec<_>>().join(" ");
        let steady = line(20, |at| at * 5);
        let short = line(12, |at| at * 5);
        for (what, points, baseline, expected) in [
            ("climbs", steady.clone(), String::new(), true),
            ("climbs, with a restart", line(20, |at| at % 12 * 5), String::new(), true),
            ("too short to tell from a rate that rises", short.clone(), String::new(), false),
            ("the baseline is part of the record", short.clone(), steady.clone(), true),
            ("the baseline falls", short, line(20, |at| 50 + at % 3), false),
            ("quiet, then an incident", line(20, |at| (at - 15).max(0)), String::new(), false),
            ("up and down", line(20, |at| at * 5 - at % 4 * 8), String::new(), false),
        ] {
            assert_eq!(climbs(&series(&points), &series(&baseline)), expected, "{what}");
        }
    }
}
