use super::{check, check_error, facts};

const FILE: &str = "logs.json";

fn answer(streams: &str) -> String {
    format!(r#"{{"status":"success","data":{{"resultType":"streams","result":[{streams}]}}}}"#)
}

#[test]
fn lines_of_all_shapes() {
    let backwards = r#"{"stream":{"service_name":"order-service","level":"error"},"values":[["1748772001000000000","two"],["1748772000000000000","one"]]}"#;
    let expected = &["log order-service 10:00:00 one", "log order-service 10:00:01 two"];
    check(FILE, &answer(backwards), expected);
    check(FILE, &format!(r#"{{"streams":[{backwards}]}}"#), expected);
    check(FILE, &format!(r#"{{"resultType":"streams","result":[{backwards}]}}"#), expected);
    // Loki repeats a line where windows overlap; the same words a nanosecond later are another line.
    let again = r#"{"stream":{"service_name":"order-service","level":"error"},"values":[["1748772000000000000","one"],["1748772000000000001","one"]]}"#;
    let three = &["log order-service 10:00:00 one", "log order-service 10:00:00 one", "log order-service 10:00:01 two"];
    check(FILE, &format!("[{},{}]", answer(backwards), answer(again)), three);
    check(FILE, &answer(""), &[]);
}

#[test]
fn metadata_become_labels_and_may_place() {
    let lines = r#"{"stream":{"job":"collector"},"values":[
        ["1748772000000000000","push",{"pod":"shop/cart-0","level":"warn"}],
        ["1748772001000000000","categorised",{"structuredMetadata":{"host":"10.0.0.1"},"parsed":{"level":"error"}}]]}"#;
    check(FILE, &answer(lines), &["log shop/cart-0 10:00:00 push", "log order-db 10:00:01 categorised"]);
    let (read, counts, _) = facts(&[(FILE, &answer(lines))]);
    let levels: Vec<_> = read.logs.iter().filter_map(|line| line.labels.get("level")).collect();
    assert_eq!(levels, ["warn", "error"]);
    assert_eq!((counts.logs.received, counts.logs.kept, counts.logs.unplaced), (2, 2, 0));
}

#[test]
fn what_cannot_be_read() {
    check(
        FILE,
        &answer(r#"{"stream":{},"values":[["soon","x"],["99999999999999999999999","y"]]}"#),
        &[
            "unread 0 log line: invalid time",
            "unread 1 log line: invalid time",
            "F4003 `logs.json`: log lines rejected, invalid time: 2 (the first: log line 0)",
        ],
    );
    check_error(
        FILE,
        r#"{"status":"error","error":"too many series"}"#,
        "F4001",
        "`logs.json` contains a Loki error instead of data: too many series",
    );
    check_error(FILE, r#"{"status":"success"}"#, "F4001", "`logs.json` contains no log lines");
    check(
        FILE,
        &answer(r#"{"stream":{},"values":[["1748772000000000000"]]}"#),
        &[
            "unread 0 log line: a log line that is not text",
            "F4002 `logs.json`: log lines rejected, a log line that is not text: 1 (the first: log line 0)",
        ],
    );
    check_error(FILE, &answer(r#"{"metric":{},"values":[]}"#), "F4001", "`logs.json` line 1 column ");
}
