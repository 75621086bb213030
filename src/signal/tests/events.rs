use super::{check, check_error, render};

const FILE: &str = "events.ndjson";

/// An event at 10:00:00; `more` are further fields, each with a comma behind it.
fn event(of_type: &str, more: &str, data: &str) -> String {
    format!(r#"{{"specversion":"1.0","type":"{of_type}",{more}"time":"2025-06-01T18:00:00+08:00","data":{data}}}"#)
}

#[test]
fn changes_probes_and_reports() {
    for (of_type, subject, data, expected) in [
        ("com.example.deployment", "order-service", r#"{"kind":"deploy","summary":"v2"}"#, "change order-service 10:00:00 \"deploy\\nv2\""),
        ("com.example.configChanged", "services/order-service", "{}", "change order-service 10:00:00 \"com.example.configChanged\""),
        ("io.redis.failover", "", r#"{"component":"订单数据库","kind":"failover"}"#, "change order-db 10:00:00 \"failover\""),
        ("dev.cdevents.service.deployed.0.1.1", "", r#"{"service":"order-service","kind":"x"}"#, "change order-service 10:00:00 \"x\""),
        (
            "probe",
            "",
            r#"{"from":"order-service","to":"order-db","success":false,"text":"no route"}"#,
            "probe order-service>order-db 10:00:00 false \"no route\"",
        ),
        ("com.example.config.probe", "order-db", r#"{"success":true}"#, "probe ?>order-db 10:00:00 true \"\""),
        ("health_check", "order-db", r#"{"status":"DOWN"}"#, "probe ?>order-db 10:00:00 false \"\""),
        ("healthCheck", "order-db", r#"{"result":"ok"}"#, "probe ?>order-db 10:00:00 true \"\""),
        (
            "user.feedback",
            "",
            r#"{"component":"order-service","text":"slow","region":"华东"}"#,
            "report order-service 10:00:00 \"slow\" 华东",
        ),
        ("user.report", "nobody", r#""it is slow""#, "report ? 10:00:00 \"it is slow\" "),
    ] {
        check(FILE, &event(of_type, &format!(r#""subject":"{subject}","#), data), &[expected]);
    }
}

#[test]
fn data_as_bytes_or_as_text() {
    let encoded = "eyJjb21wb25lbnQiOiJvcmRlci1kYiIsImtpbmQiOiJkZXBsb3kiLCJzdW1tYXJ5IjoidjMifQ==";
    let (first, second) = encoded.split_at(20);
    for (of_type, more, data, expected) in [
        ("change", format!(r#""data_base64":"{encoded}","#), "null", "change order-db 10:00:00 \"deploy\\nv3\""),
        ("change", format!(r#""data_base64":"{first}\n{second}\n","#), "null", "change order-db 10:00:00 \"deploy\\nv3\""),
        ("user.report", r#""data_base64":"aXQgaXMgc2xvdw==","#.to_owned(), "null", "report ? 10:00:00 \"it is slow\" "),
        ("change", String::new(), r#""{\"component\":\"order-db\",\"kind\":\"x\"}""#, "change order-db 10:00:00 \"x\""),
    ] {
        check(FILE, &event(of_type, &more, data), &[expected]);
    }
    for (encoded, reason) in
        [(r#""%%%""#, "invalid `data_base64`"), ("7", "invalid `data_base64`"), (r#""/w==""#, "`data_base64` is not text")]
    {
        check(
            FILE,
            &event("change", &format!(r#""subject":"order-db","data_base64":{encoded},"#), "null"),
            &[&format!("unread 0 event: {reason}"), &format!("F4002 `events.ndjson`: events rejected, {reason}: 1 (the first: event 0)")],
        );
    }
}

#[test]
fn a_probe_may_tell_the_status_of_its_response() {
    let probe = |status: &str| event("probe", r#""subject":"order-db","#, &format!(r#"{{"status":{status}}}"#));
    for (status, success) in [("200", true), ("204", true), ("\"301\"", true), ("404", false), ("503", false)] {
        check(FILE, &probe(status), &[&format!("probe ?>order-db 10:00:00 {success} \"\"")]);
    }
    check(
        FILE,
        &probe("999"),
        &[
            "unread 0 event: a probe with an unknown result, `data.status` is `999`",
            "F4002 `events.ndjson`: events rejected, a probe with an unknown result: 1 (the first: event 0, `data.status` is `999`)",
        ],
    );
}

#[test]
fn a_broken_element_of_an_array_costs_only_itself() {
    let (one, two) = (event("change", "", r#"{"kind":"a"}"#), event("change", "", r#"{"kind":"b"}"#));
    for broken in [r#"{"type":"change",,}"#, r#"{"type":"cha"#, "<html></html>"] {
        let text = render(&[(FILE, &format!("[\n{one},\n{broken},\n{two}\n]\n"))]);
        let expected = "change ? 10:00:00 \"a\"\nchange ? 10:00:00 \"b\"\nunread 1 event: invalid JSON, line ";
        assert!(text.starts_with(expected), "{text}");
    }
}

#[test]
fn one_per_line_or_an_array_and_each_once() {
    let (one, two) = (
        event("change", r#""id":"1","source":"ci","#, r#"{"kind":"a"}"#),
        event("change", r#""id":"2","source":"ci","#, r#"{"kind":"b"}"#),
    );
    let expected = &["change ? 10:00:00 \"a\"", "change ? 10:00:00 \"b\""];
    check(FILE, &format!("{one}\n\n{two}\n{one}\n"), expected);
    check(FILE, &format!("[{one},{two}]"), expected);
    assert_eq!(render(&[(FILE, &format!("{one}\n{two}")), ("changes.json", &format!("[{two},{one}]"))]), super::lines(expected));
}

#[test]
fn what_cannot_be_read_is_kept_and_told() {
    let (good, unknown) = (event("change", "", r#"{"kind":"a"}"#), event("com.example.lunch", "", "{}"));
    check(
        FILE,
        &format!("{good}\n{unknown}\n{unknown}"),
        &[
            "change ? 10:00:00 \"a\"",
            "unread 1 event: unknown type `com.example.lunch` (map it in `events` of topology/sources.yaml)",
            "unread 2 event: unknown type `com.example.lunch` (map it in `events` of topology/sources.yaml)",
            "F4002 `events.ndjson`: events rejected, unknown type `com.example.lunch` \
             (map it in `events` of topology/sources.yaml): 2 (the first: event 1)",
        ],
    );
    check(
        FILE,
        &format!("{}\n{}\n{}", event("probe", "", "{}"), r#"{"type":"change","time":"noon"}"#, r#"{"type":"change"}"#),
        &[
            "unread 0 event: a probe without a result (`data.success`)",
            "unread 1 event: invalid `time`, noon",
            "unread 2 event: no `time`",
            "F4002 `events.ndjson`: events rejected, a probe without a result (`data.success`): 1 (the first: event 0)",
            "F4003 `events.ndjson`: events rejected, invalid `time`: 1 (the first: event 1, noon)",
            "F4003 `events.ndjson`: events rejected, no `time`: 1 (the first: event 2)",
        ],
    );
    // One line that was cut off costs only itself.
    let text = render(&[(FILE, &format!("{good}\n{{\"type\":"))]);
    assert!(text.starts_with("change ? 10:00:00 \"a\"\nunread 1 event: invalid JSON, line 2 column 8: "), "{text}");
    check_error(FILE, "nothing", "F4001", "`events.ndjson` line 1 column ");
    check_error(FILE, "", "F4001", "`events.ndjson` is empty");
    check_error(FILE, "{\"a\":1}", "F4001", "`events.ndjson` contains no CloudEvents");
}

#[test]
fn a_subject_that_is_on_no_component_is_named() {
    for (more, expected) in [
        (r#""subject":"order-bd","#, "no component for `subject` = `order-bd`"),
        (r#""subject":"","#, "no label names a component"),
        ("", "no label names a component"),
    ] {
        let sent = event("user.report", more, "{}");
        let (facts, _, _) = super::facts_by("", &[(FILE, sent.as_str())]);
        let why: Vec<String> = facts.unplaced.values().map(|group| group.why.words().to_string()).collect();
        assert_eq!(why, [expected], "{more}");
    }
}
