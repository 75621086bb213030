//! Several answers in one file, of which one cannot be used.

use super::{check, check_error, render};

const SERIES: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"load","component":"order-db"},"values":[[1748772000,"1"]]}]}}"#;
const LINES: &str = r#"{"status":"success","data":{"resultType":"streams","result":[{"stream":{"app":"order-service"},"values":[["1748772000000000000","up"]]}]}}"#;
const ALERTS: &str = r#"{"status":"firing","alerts":[{"status":"firing","labels":{"alertname":"A","service":"order-db"},"startsAt":"2025-06-01T10:00:00Z"}]}"#;

/// What servers in between answer.
const PAGES: &[&str] =
    &["<html>\n<body>502 Bad Gateway</body>\n</html>", "<!DOCTYPE html><html><head><style>\n{}\n</style></head></HTML>", "<html></html>\n"];

/// A good answer in a file, and the fact that comes of it.
const GOOD: &[(&str, &str, &str)] = &[
    ("metrics.json", SERIES, "series order-db load 10:00:00=1"),
    ("baseline.json", SERIES, "baseline order-db load 10:00:00=1"),
    ("logs.json", LINES, "log order-service 10:00:00 up"),
    ("alerts.json", ALERTS, "alert order-db A 10:00:00-... dup 0 flaps 0"),
];

/// A bad answer costs only itself, wherever it stands: one warning, with its place. `at_end` is the reason if it is the last one.
fn costs_one(file: &str, bad: &str, reason: &str, at_end: &str) {
    for (_, good, fact) in GOOD.iter().filter(|(name, ..)| *name == file) {
        for (input, reason, place) in [
            (format!("{good}\n{bad}"), at_end, "answer 1 in line 2"),
            (format!("{bad}\n{good}\n"), reason, "answer 0 in line 1"),
            (format!("{bad}{good}"), reason, "answer 0 in line 1"),
            (format!("[{bad},\n{good}]"), reason, "answer 0 in line 1"),
        ] {
            let text = render(&[(file, &input)]);
            let warning = format!("{fact}\nF4001 `{file}`: answers set aside, {reason}: 1 (the first: {place}");
            assert!(text.starts_with(&warning), "{input}\n{text}");
            assert_eq!(text.lines().count(), 2, "{input}\n{text}");
        }
    }
}

#[test]
fn a_bad_answer_costs_one_answer() {
    for (file, good, _) in GOOD {
        for page in PAGES {
            costs_one(file, page, "an HTML page", "an HTML page");
        }
        // Cut within a name, which the next answer then seems to belong to.
        let cut =
            good.find("success").map_or(r#"{"status":"firing","alerts":[{"labels":{"ale"#, |_| r#"{"status":"success","data":{"resu"#);
        costs_one(file, cut, "invalid JSON", "cut off");
    }
}

#[test]
fn answers_of_other_questions() {
    for file in ["metrics.json", "baseline.json"] {
        for (bad, reason) in [
            (r#"{"status":"error","errorType":"timeout","error":"took too long"}"#, "an error of Prometheus"),
            (r#"{"status":500,"error":"Internal Server Error"}"#, "an error of Prometheus"),
            (r#"{"message":"no route"}"#, "an error of Prometheus"),
            (
                r#"{"status":"success","data":{"resultType":"scalar","result":[1748772000,"9"]}}"#,
                "`scalar` instead of `matrix` or `vector`",
            ),
            (r#"{"resultType":"string","result":[1748772000,"x"]}"#, "`string` instead of `matrix` or `vector`"),
            (LINES, "`streams` instead of `matrix` or `vector`"),
            (r#"{"status":"success","data":{"resultType":"streams","result":[]}}"#, "`streams` instead of `matrix` or `vector`"),
            (r#"{"status":"success"}"#, "neither `data.result` nor `result`"),
            (r#"{"status":"success","data":["up","load"]}"#, "of another shape"),
        ] {
            costs_one(file, bad, reason, reason);
        }
    }
    for (bad, reason) in [
        (r#"{"status":"error","error":"too many series"}"#, "an error of Loki"),
        (r#"{"code":502,"message":"no route"}"#, "an error of Loki"),
        (SERIES, "the answer of a metric query (`matrix`) instead of `streams`"),
        (r#"{"data":{"resultType":"vector","result":[]}}"#, "the answer of a metric query (`vector`) instead of `streams`"),
        (r#"{"status":"success","data":{}}"#, "neither `data.result` nor `streams`"),
    ] {
        costs_one("logs.json", bad, reason, reason);
    }
    for bad in [r#"{"status":"error","errorType":"bad_data","error":"no such filter"}"#, r#"{"code":500,"message":"the store is closed"}"#]
    {
        costs_one("alerts.json", bad, "an error instead of alerts", "an error instead of alerts");
    }
}

#[test]
fn a_file_of_bad_answers_is_an_error() {
    let refused = r#"{"status":"error","errorType":"timeout","error":"took too long"}"#;
    let expected = "`metrics.json` contains a Prometheus error instead of data: timeout: took too long";
    check_error("metrics.json", &format!("{refused}\n<html></html>\n{refused}"), "F4001", expected);
    check_error("metrics.json", "<html></html>", "F4001", "`metrics.json` line 1 column 1: ");
    check_error("logs.json", SERIES, "F4001", "`logs.json` contains the answer of a metric query (`matrix`) instead of `streams`");
    check_error("alerts.json", r#"{"status":"error","error":"no"}"#, "F4001", "`alerts.json` contains an error instead of alerts: no");
}

#[test]
fn bad_answers_of_one_kind_are_counted_together() {
    let refused = |message: &str| format!(r#"{{"status":"error","errorType":"timeout","error":"{message}"}}"#);
    check(
        "metrics.json",
        &format!("{}\n{SERIES}\n{}\n", refused("one"), refused("two")),
        &[
            "series order-db load 10:00:00=1",
            "F4001 `metrics.json`: answers set aside, an error of Prometheus: 2 (the first: answer 0 in line 1, timeout: one)",
        ],
    );
    // What is left of an array that was not finished.
    check(
        "metrics.json",
        &format!("[{SERIES}"),
        &[
            "series order-db load 10:00:00=1",
            &format!(
                "F4001 `metrics.json`: answers set aside, cut off: 1 (the first: answer 1 in line 1, line 1 column {}: EOF while parsing a list)",
                SERIES.len() + 1
            ),
        ],
    );
}

#[test]
fn many_broken_lines_take_no_time() {
    let text = format!("{SERIES}\n{}", "[{\"a\":\n".repeat(50_000));
    let read = render(&[("metrics.json", &text)]);
    assert!(read.starts_with("series order-db load 10:00:00=1\nF4001 `metrics.json`: answers set aside, "), "{read}");
}

#[test]
fn what_a_sender_says_of_its_answer_is_passed_on() {
    let remarks = r#"{"warnings":["store  x is down"],"infos":["not a counter"],"isPartial":true,"status""#;
    check(
        "metrics.json",
        &format!("{}\n{}", SERIES.replacen("{\"status\"", remarks, 1), SERIES.replacen("{\"status\"", remarks, 1)),
        &[
            "series order-db load 10:00:00=1",
            "F4002 `metrics.json`: answers that are only partial, as the sender says: 2 (the first: answer 0 in line 1)",
            "F4002 `metrics.json`: the sender warns: not a counter: 2 (the first: answer 0 in line 1)",
            "F4002 `metrics.json`: the sender warns: store x is down: 2 (the first: answer 0 in line 1)",
            "F4004 `metrics.json`: samples with a duplicate time, last one kept: 1 (the first: series 0, `load`)",
        ],
    );
    // An error beside data costs nothing of it.
    check(
        "metrics.json",
        &SERIES.replacen("{\"status\"", r#"{"error":"store y is slow","errors":[{"message":"store x is down"}],"status""#, 1),
        &[
            "series order-db load 10:00:00=1",
            "F4002 `metrics.json`: the sender warns: store x is down: 1 (the first: answer 0 in line 1)",
            "F4002 `metrics.json`: the sender warns: store y is slow: 1 (the first: answer 0 in line 1)",
        ],
    );
    check(
        "logs.json",
        r#"{"streams":[],"warnings":["a querier was slow"],"dropped_entries":[{},{}]}"#,
        &[
            "F4002 `logs.json`: log lines dropped by the sender (`dropped_entries`): 2 (the first: answer 0 in line 1)",
            "F4002 `logs.json`: the sender warns: a querier was slow: 1 (the first: answer 0 in line 1)",
        ],
    );
    check(
        "alerts.json",
        r#"{"status":"success","warnings":["one ruler did not answer"],"data":{"alerts":[]}}"#,
        &["F4002 `alerts.json`: the sender warns: one ruler did not answer: 1 (the first: answer 0 in line 1)"],
    );
}
