use value::{MINUTE, Time};

use super::{check, check_error, facts, render};

const FILE: &str = "metrics.json";

/// A matrix of one series of `order-db`; times count from 10:00:00 of 2025-06-01.
pub(super) fn matrix(name: &str, samples: &[(i64, &str)]) -> String {
    labelled(name, "", samples)
}

/// The same with further labels; `more` begins with a comma.
pub(super) fn labelled(name: &str, more: &str, samples: &[(i64, &str)]) -> String {
    let values: Vec<String> = samples.iter().map(|(second, value)| format!("[{},\"{value}\"]", 1_748_772_000 + second)).collect();
    let series = format!(r#"{{"metric":{{"__name__":"{name}","component":"order-db"{more}}},"values":[{}]}}"#, values.join(","));
    format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{series}]}}}}"#)
}

#[test]
fn samples_are_put_in_order() {
    check(FILE, &matrix("load", &[(0, "1"), (60, "2.5")]), &["series order-db load 10:00:00=1 10:01:00=2.5"]);
    check(
        FILE,
        &matrix("load", &[(60, "2"), (0, "1"), (60, "3"), (90, "4")]),
        &[
            "series order-db load 10:00:00=1 10:01:00=3 10:01:30=4",
            "F4004 `metrics.json`: samples out of order, sorted: 1 (the first: series 0, `load`)",
            "F4004 `metrics.json`: samples with a duplicate time, last one kept: 1 (the first: series 0, `load`)",
        ],
    );
    check(
        FILE,
        &matrix("load", &[(0, "1"), (60, "NaN"), (120, "+Inf"), (180, "-Inf"), (240, "many"), (1_748_772_000_000, "1")]),
        &[
            "series order-db load 10:00:00=1 10:01:00=NaN",
            "F4002 `metrics.json`: samples rejected, infinite value: 2 (the first: series 0, `load`)",
            "F4002 `metrics.json`: samples rejected, value is not a number: 1 (the first: series 0, `load`)",
            "F4003 `metrics.json`: samples rejected, invalid time: 1 (the first: series 0, `load`)",
        ],
    );
}

#[test]
fn names_and_units_of_the_wire_become_those_of_the_model() {
    for (name, expected) in [
        ("负载", "load 10:00:00=50"),
        ("load_percent", "load 10:00:00=50"),
        ("load_ratio", "load 10:00:00=5000"),
        ("delay", "delay 10:00:00=50"),
        ("delay_seconds", "delay 10:00:00=50000"),
        ("delay_ms", "delay 10:00:00=50"),
        ("links_count", "links 10:00:00=50"),
        // The unit does not fit the metric, or there is no such metric: kept as it came.
        ("load_bytes", "load_bytes* 10:00:00=50"),
        ("go_goroutines", "go_goroutines* 10:00:00=50"),
    ] {
        check(FILE, &matrix(name, &[(0, "50")]), &[&format!("series order-db {expected}")]);
    }
}

#[test]
fn all_shapes_of_an_answer() {
    let vector = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"load","pod":"cart-0","namespace":"shop"},"value":[1748772000.25,"7"]}]}}"#;
    check(FILE, vector, &["series shop/cart-0 load 10:00:00=7"]);
    let bare = r#"{"resultType":"matrix","result":[{"metric":{"__name__":"load","component":"nobody"},"values":[[1748772000,7]]}]}"#;
    check(FILE, bare, &["series ? load* 10:00:00=7"]);
    // The parts of one series are one series.
    let (one, two) = (matrix("load", &[(0, "1")]), matrix("load", &[(60, "2")]));
    check(FILE, &format!("[{one},{two}]"), &["series order-db load 10:00:00=1 10:01:00=2"]);
    check(FILE, &format!("{one}\n{two}"), &["series order-db load 10:00:00=1 10:01:00=2"]);
    check("baseline.json", &one, &["baseline order-db load 10:00:00=1"]);
    check(FILE, r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#, &[]);
    let histogram = r#"{"data":{"result":[{"metric":{"__name__":"h"},"histograms":[[1748772000,{"count":"1"}],[1748772060,{}]]}]}}"#;
    check(FILE, histogram, &["series ? h* ", "F4002 `metrics.json`: histograms rejected, not supported: 2 (the first: series 0, `h`)"]);
}

#[test]
fn answers_that_cannot_be_read_say_why() {
    let refused = r#"{"status":"error","errorType":"bad_data","error":"parse error: unexpected end of input"}"#;
    check_error(
        FILE,
        refused,
        "F4001",
        "`metrics.json` contains a Prometheus error instead of data: bad_data: parse error: unexpected end of input",
    );
    check_error(FILE, "{}", "F4001", "`metrics.json` contains no series: response 0 has neither");
    check_error(FILE, r#"{"data":{"result":[{"values":[["10:00","1"]]}]}}"#, "F4001", "`metrics.json` line 1 column ");
    check_error(FILE, r#"{"data":{"result":[{"values":[[1]]}]}}"#, "F4001", "`metrics.json` line 1 column ");
    check_error(
        FILE,
        r#"{"data":{"resultType":"scalar","result":[1748772000,"1"]}}"#,
        "F4001",
        "`metrics.json` contains a `scalar` instead",
    );
    check_error(FILE, &format!("{{\"data\":{}", "[".repeat(1_000_000)), "F4001", "`metrics.json` line 1 column ");
    let cut = matrix("load", &[(0, "1")]);
    check_error(FILE, cut.get(..cut.len() - 4).unwrap(), "F4001", "`metrics.json` line 1 column ");
}

#[test]
fn asking_a_series() {
    let (read, counts, _) = facts(&[(FILE, &matrix("load", &[(0, "1"), (60, "2"), (120, "NaN")]))]);
    let estate = super::estate();
    let component = estate.find("order-db").unwrap();
    let series = read.series(component, "load").next().unwrap();
    let at = |second: i64| Time((1_748_772_000 + second) * 1000);
    for (second, expected) in [(-1, None), (0, Some(1.0)), (59, Some(1.0)), (60, Some(2.0)), (119, Some(2.0)), (120, None), (500, None)] {
        assert_eq!(series.at(at(second), 5 * MINUTE).map(|(_, value)| value), expected, "at {second}");
    }
    assert_eq!(series.at(at(90), 29_999), None, "too old");
    assert_eq!(series.within(at(0), at(60)), &[(at(60), 2.0)]);
    assert!(series.within(at(60), at(0)).is_empty());
    assert_eq!((counts.samples.received, counts.samples.kept), (3, 3));
    assert_eq!(super::super::last_time(&read), Some(at(120)));
    assert_eq!(super::super::first_time(&read), Some(at(0)));
    assert!(super::super::skew(&read, at(0)).is_none());
    let skew = super::super::skew(&read, at(-2 * 3600)).unwrap();
    assert_eq!(skew.message.to_string(), "some signals are up to 2h2m later than 2025-06-01T08:00:00Z, the latest at 2025-06-01T10:02:00Z");
}

#[test]
fn many_samples_need_no_tree() {
    let samples: Vec<(i64, &str)> = (0..200_000).map(|second| (second, "1.5")).collect();
    let text = render(&[(FILE, &matrix("load", &samples))]);
    assert_eq!(text.matches("=1.5").count(), 200_000);
}
