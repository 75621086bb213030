//! Series that only climb: read by their rise, wherever they come from.

use super::metrics::{labelled, matrix};
use super::{facts, facts_by, render, render_by};

/// 60 in the first minute, 120 in the second.
const CLIMB: &[(i64, &str)] = &[(0, "0"), (60, "60"), (120, "180")];

#[test]
fn counters_are_read_by_their_rise() {
    for (what, entry, series, expected) in [
        ("by its name, for a rate", "metric: hits", "requests_total", "hits 10:01:00=1 10:02:00=1.5"),
        ("by its name, for a count", "metric: links", "requests_total", "links 10:01:00=60 10:02:00=180"),
        ("over another time", "metric: hits, over: 1m", "requests_total", "hits 10:01:00=1 10:02:00=2"),
        ("what it counts is in its name", "metric: traffic", "sent_bytes_total", "traffic 10:01:00=1 10:02:00=1.5"),
        ("what it counts is said", "metric: traffic, unit: kB", "sent_total", "traffic 10:01:00=1000 10:02:00=1500"),
        ("seconds per second are a share", "metric: load", "busy_seconds_total", "load 10:01:00=100 10:02:00=150"),
        ("another name, by `as`", "metric: hits, as: rate", "requests", "hits 10:01:00=1 10:02:00=1.5"),
        ("the other reading, by `as`", "metric: links, as: increase, over: 1m", "requests", "links 10:01:00=60 10:02:00=120"),
        ("the unit may be that of the rate", "metric: hits, as: rate, unit: /min", "requests", "hits 10:01:00=1 10:02:00=1.5"),
        ("no counter, whatever it is called", "metric: hits, as: value", "requests_total", "hits 10:00:00=0 10:01:00=1 10:02:00=3"),
        (
            "counted by the query",
            "metric: hits, query: 'rate(requests_total[5m]) * 60'",
            "requests_total",
            "hits 10:00:00=0 10:01:00=1 10:02:00=3",
        ),
        // A metric that no counter can be.
        ("for a share", "metric: load", "requests_total", "requests_total* 10:00:00=0 10:01:00=60 10:02:00=180"),
        ("for a duration", "metric: delay, unit: s", "busy_seconds_total", "busy_seconds_total* 10:00:00=0 10:01:00=60 10:02:00=180"),
    ] {
        let sources = format!("metrics:\n  - {{series: {series}, {entry}}}\n");
        for (file, list) in [("metrics.json", "series"), ("baseline.json", "baseline")] {
            let text = render_by(&sources, &[(file, &matrix(series, CLIMB))]);
            assert_eq!(text, format!("{list} order-db {expected}\n"), "{what}");
        }
    }
}

#[test]
fn a_metric_of_the_model_may_be_called_like_a_counter() {
    let text = render(&[("metrics.json", &matrix("moves_total", CLIMB))]);
    assert_eq!(text, "series order-db moves_total 10:01:00=1 10:02:00=1.5\n");
}

#[test]
fn what_a_window_needs() {
    for (what, samples, expected) in [
        ("a restart", vec![(0, "100"), (60, "160"), (120, "30")], "moves_total 10:01:00=1 10:02:00=0.75"),
        ("a stale marker", vec![(0, "0"), (60, "60"), (120, "NaN"), (180, "180")], "moves_total 10:01:00=1 10:02:00=NaN 10:03:00=1"),
        ("a gap longer than the window", vec![(0, "0"), (60, "60"), (900, "900"), (960, "960")], "moves_total 10:01:00=1 10:16:00=1"),
    ] {
        assert_eq!(render(&[("metrics.json", &matrix("moves_total", &samples))]), format!("series order-db {expected}\n"), "{what}");
    }
    let (read, counts, found) = facts(&[("metrics.json", &matrix("moves_total", &[(0, "1"), (600, "2")]))]);
    assert!(read.series.iter().all(|series| series.points.is_empty()));
    assert_eq!((counts.samples.received, counts.samples.kept), (2, 2));
    let found: Vec<String> = found.iter().map(|d| format!("{} {}", d.code, d.message)).collect();
    assert_eq!(
        found,
        [
            "F4010 `metrics.json`: counters without two samples in any of their windows, not usable (a longer `over` in topology/sources.yaml helps): 1 (the first: series 0, `moves_total`)"
        ]
    );
}

/// Minutes from `from` on, as samples of a series that rises by 60 a minute.
fn minutes(from: i64, count: i64) -> Vec<(i64, String)> {
    (from..from + count).map(|minute| (minute * 60, (minute * 60).to_string())).collect()
}

fn climbing(name: &str, samples: &[(i64, String)]) -> String {
    let samples: Vec<(i64, &str)> = samples.iter().map(|(second, value)| (*second, value.as_str())).collect();
    matrix(name, &samples)
}

#[test]
fn a_rate_that_only_climbs_is_a_counter() {
    const TOLD: &str = "`hits` only climbs (1 series), so it is read as a counter, by its rise within 5m: say `as: rate` or `as: value` in \
                        `metrics` of topology/sources.yaml";
    let long = climbing("hits", &minutes(0, 30));
    let short = climbing("hits", &minutes(30, 5));
    for (what, sources, files, told, points) in [
        ("a long record", "", vec![("metrics.json", long.as_str())], true, 29),
        ("the baseline is part of the record", "", vec![("metrics.json", short.as_str()), ("baseline.json", long.as_str())], true, 4),
        ("it may be a rate that rises", "", vec![("metrics.json", short.as_str())], false, 5),
        ("it is said", "metrics: [{series: hits, metric: hits, as: value}]", vec![("metrics.json", long.as_str())], false, 30),
        ("it is said, too", "metrics: [{series: hits, metric: hits, as: rate}]", vec![("metrics.json", long.as_str())], false, 29),
    ] {
        let (read, _, found) = facts_by(sources, &files);
        let found: Vec<String> = found.iter().map(|d| d.message.to_string()).collect();
        assert_eq!(found, if told { vec![TOLD.to_owned()] } else { Vec::new() }, "{what}");
        let series = read.series.first().unwrap();
        assert_eq!(series.points.len(), points, "{what}");
        if points == 29 || points == 4 {
            assert!(series.points.iter().all(|(_, value)| (value - 1.0).abs() < 1e-9), "{what}: {:?}", series.points);
        }
    }
}

#[test]
fn a_value_that_only_climbs_is_a_value_with_a_warning() {
    let told = |name: &str| {
        format!(
            "F4010 `{name}` only climbs (1 series), like a counter, but is read as a value: say `as: increase`, `as: rate` or `as: value` in \
             `metrics` of topology/sources.yaml"
        )
    };
    let (samples, short) = (minutes(0, 30), minutes(0, 19));
    let mut waves = samples.clone();
    waves.extend((30..50).map(|minute| (minute * 60, (minute % 3).to_string())));
    let sum = "metrics: [{series: lat_seconds_sum, metric: delay, unit: s}]";
    let counted = "metrics: [{series: links, metric: links, query: 'increase(links_total[5m])'}]";
    for (what, sources, name, samples, is_told) in [
        ("a count", "", "links", &samples, true),
        ("a sum of a histogram", sum, "lat_seconds_sum", &samples, true),
        ("its name with a unit", "", "delay_seconds", &samples, true),
        ("it is said", "metrics: [{series: links, metric: links, as: value}]", "links", &samples, false),
        ("the query counts", counted, "links", &samples, false),
        ("it falls, too", "", "links", &waves, false),
        ("a share of a whole", "", "load", &samples, false),
        ("no metric of the model", "", "unheard_of", &samples, false),
        ("too short to tell", "", "links", &short, false),
    ] {
        let (read, _, found) = facts_by(sources, &[("metrics.json", &climbing(name, samples))]);
        let found: Vec<String> = found.iter().map(|d| format!("{} {}", d.code, d.message)).collect();
        assert_eq!(found, if is_told { vec![told(name)] } else { Vec::new() }, "{what}");
        assert_eq!(read.series.first().unwrap().points.len(), samples.len(), "{what}");
    }
}

/// The answers of two disks.
fn disks(metric: &str) -> String {
    let one = |device: &str, value: &str| labelled(metric, &format!(r#","device":"{device}","job":"node""#), &[(0, value)]);
    format!("{}\n{}", one("a", "10"), one("b", "90"))
}

#[test]
fn several_series_are_averaged_with_a_warning() {
    let told = |metric: &str| {
        let (_, _, found) = facts(&[("metrics.json", &disks(metric))]);
        found.iter().map(|d| format!("{} {}", d.code, d.message)).collect::<Vec<String>>()
    };
    let expected = "F4011 rules read the mean of 2 series of `load` on `order-db`, which differ in `device`: say in topology/model.yaml how \
                    they combine (`aggregate`)";
    assert_eq!(told("load"), [expected]);
    // The model says how these combine, and knows nothing of those.
    assert!(told("fill").is_empty() && told("unheard_of").is_empty());
}
