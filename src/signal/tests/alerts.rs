use super::{check, check_error, facts, lines, render};

const FILE: &str = "alerts.json";

/// A webhook payload with these alerts.
fn webhook(alerts: &[String]) -> String {
    format!(r#"{{"version":"4","groupKey":"{{}}","receiver":"r","new_field":[1],"alerts":[{}]}}"#, alerts.join(","))
}

/// One alert; times are times of day of 2025-06-01, empty for none.
fn alert(name: &str, status: &str, starts: &str, ends: &str) -> String {
    let time = |clock: &str| if clock.is_empty() { "0001-01-01T00:00:00Z".to_owned() } else { format!("2025-06-01T{clock}:00Z") };
    format!(
        r#"{{"status":"{status}","labels":{{"alertname":"{name}","service":"order-db","severity":"critical"}},
            "annotations":{{"summary":"s {name}","description":"d"}},
            "startsAt":"{}","endsAt":"{}","fingerprint":"{name}"}}"#,
        time(starts),
        time(ends)
    )
}

fn check_webhook(alerts: &[(&str, &str, &str, &str)], expected: &[&str]) {
    let alerts: Vec<String> = alerts.iter().map(|(name, status, starts, ends)| alert(name, status, starts, ends)).collect();
    check(FILE, &webhook(&alerts), expected);
}

#[test]
fn deliveries_become_alerts() {
    check_webhook(&[("A", "firing", "10:00", "")], &["alert order-db A 10:00:00-... dup 0 flaps 0"]);
    check_webhook(&[("A", "firing", "10:00", ""), ("A", "firing", "10:00", "")], &["alert order-db A 10:00:00-... dup 1 flaps 0"]);
    // A resolution closes what it resolves, in either order of delivery, and is no repeat.
    check_webhook(
        &[("A", "firing", "10:00", ""), ("A", "resolved", "10:00", "10:20")],
        &["alert order-db A 10:00:00-10:20:00 dup 0 flaps 0"],
    );
    check_webhook(
        &[("A", "resolved", "10:00", "10:20"), ("A", "firing", "10:00", "")],
        &["alert order-db A 10:00:00-10:20:00 dup 1 flaps 0"],
    );
    check_webhook(
        &[("A", "firing", "10:00", ""), ("A", "resolved", "10:05", "10:20")],
        &["alert order-db A 10:00:00-10:20:00 dup 0 flaps 0"],
    );
    check_webhook(&[("A", "resolved", "10:00", "10:20")], &["alert order-db A 10:00:00-10:20:00 dup 0 flaps 0"]);
    check_webhook(
        &[("A", "firing", "10:00", ""), ("B", "firing", "09:59", "")],
        &["alert order-db B 09:59:00-... dup 0 flaps 0", "alert order-db A 10:00:00-... dup 0 flaps 0"],
    );
}

#[test]
fn flapping_is_calmed() {
    check_webhook(
        &[("A", "resolved", "10:00", "10:05"), ("A", "resolved", "10:06", "10:10"), ("A", "firing", "10:11", "")],
        &["alert order-db A 10:00:00-... dup 0 flaps 2"],
    );
    // A gap of the debounce time itself is a gap.
    check_webhook(
        &[("A", "resolved", "10:00", "10:05"), ("A", "firing", "10:07", "")],
        &["alert order-db A 10:00:00-10:05:00 dup 0 flaps 0", "alert order-db A 10:07:00-... dup 0 flaps 0"],
    );
}

#[test]
fn bodies_of_the_api() {
    let post = |ends: &str| {
        format!(r#"{{"labels":{{"alertname":"A","instance":"10.0.0.1:9104"}},"startsAt":"2025-06-01T10:00:00Z","endsAt":"{ends}"}}"#)
    };
    // A deadline in the future of the bundle: it still fires.
    check(FILE, &format!("[{}]", post("2025-06-01T10:04:00Z")), &["alert order-db A 10:00:00-... dup 0 flaps 0"]);
    let later = alert("B", "firing", "10:30", "");
    check(
        FILE,
        &format!("[{},{later}]", post("2025-06-01T10:04:00Z")),
        &["alert order-db A 10:00:00-10:04:00 dup 0 flaps 0", "alert order-db B 10:30:00-... dup 0 flaps 0"],
    );
    // The deadline sent last counts.
    check(
        FILE,
        &format!("[{},{},{later}]", post("2025-06-01T10:04:00Z"), post("2025-06-01T10:34:00Z")),
        &["alert order-db A 10:00:00-... dup 1 flaps 0", "alert order-db B 10:30:00-... dup 0 flaps 0"],
    );
    let undated = r#"[{"labels":{"alertname":"U"}},{"labels":{"alertname":"A"},"startsAt":"2025-06-01T10:00:00Z"}]"#;
    check(
        FILE,
        undated,
        &[
            "alert ? U 10:00:00-... dup 0 flaps 0",
            "alert ? A 10:00:00-... dup 0 flaps 0",
            "F4003 `alerts.json`: alerts without `startsAt`, assumed to start with the bundle: 1 (the first: alert 0)",
        ],
    );
    check(
        FILE,
        r#"[{"labels":{"alertname":"U"}}]"#,
        &[
            "unread 0 alert: no `startsAt`, and nothing in the bundle has a time",
            "F4003 `alerts.json`: alerts rejected, no `startsAt`, and nothing in the bundle has a time: 1 (the first: alert 0)",
        ],
    );
}

#[test]
fn an_alert_is_known_by_its_labels() {
    let one = |labels: &str, status: &str, ends: &str| {
        format!(r#"{{"status":"{status}","labels":{{{labels}}},"startsAt":"2025-06-01T10:00:00Z","endsAt":"{ends}","fingerprint":"same"}}"#)
    };
    let (db, service) = (r#""alertname":"Hot","service":"order-db""#, r#""alertname":"Hot","service":"order-service""#);
    let end = "2025-06-01T10:04:00Z";
    // One fingerprint on different labels: a resolution ends only its own alert.
    check(
        FILE,
        &webhook(&[one(db, "firing", ""), one(service, "firing", ""), one(service, "resolved", end)]),
        &["alert order-db Hot 10:00:00-... dup 0 flaps 0", "alert order-service Hot 10:00:00-10:04:00 dup 0 flaps 0"],
    );
    // Only a delivery without labels is joined by its fingerprint, if that tells which alert is meant.
    check(FILE, &webhook(&[one(db, "firing", ""), one("", "resolved", end)]), &["alert order-db Hot 10:00:00-10:04:00 dup 0 flaps 0"]);
    check(
        FILE,
        &webhook(&[one(db, "firing", ""), one(service, "firing", ""), one("", "resolved", end)]),
        &[
            "alert order-db Hot 10:00:00-... dup 0 flaps 0",
            "alert order-service Hot 10:00:00-... dup 0 flaps 0",
            "alert ? unnamed alert 10:00:00-10:04:00 dup 0 flaps 0",
        ],
    );
}

#[test]
fn words_for_the_status_in_any_case() {
    let later = alert("B", "firing", "10:30", "");
    let of_b = "alert order-db B 10:30:00-... dup 0 flaps 0";
    for (status, end) in [
        ("resolved", "10:05:00"),
        ("RESOLVED", "10:05:00"),
        ("OK", "10:05:00"),
        ("Normal (NoData)", "10:05:00"),
        ("Firing", "..."),
        ("Alerting", "..."),
        // The times decide.
        ("active", "10:05:00"),
        ("", "10:05:00"),
    ] {
        let of_a = format!("alert order-db A 10:00:00-{end} dup 0 flaps 0");
        check(FILE, &webhook(&[alert("A", status, "10:00", "10:05"), later.clone()]), &[&of_a, of_b]);
    }
    let unknown = alert("A", "sleepy", "10:00", "10:05");
    for (entry, shown) in [(unknown.clone(), "sleepy"), (unknown.replace("\"sleepy\"", "1"), "1")] {
        check(
            FILE,
            &webhook(&[entry, later.clone()]),
            &[
                "alert order-db A 10:00:00-10:05:00 dup 0 flaps 0",
                of_b,
                &format!("F4002 `alerts.json`: alerts with an unknown status, their times decide: 1 (the first: alert 0, `{shown}`)"),
            ],
        );
    }
    check(
        FILE,
        &webhook(&[alert("A", "Pending", "10:00", ""), later]),
        &[
            of_b,
            "unread 0 alert: pending, so not an alert yet",
            "F4002 `alerts.json`: alerts rejected, pending, so not an alert yet: 1 (the first: alert 0)",
        ],
    );
}

#[test]
fn answers_of_version_1() {
    let of = |name: &str, more: &str| format!(r#"{{"labels":{{"alertname":"{name}","service":"order-db"}},{more}}}"#);
    let firing = of("A", r#""state":"firing","activeAt":"2025-06-01T10:00:00Z","value":"1e+00""#);
    let pending = of("B", r#""state":"pending","activeAt":"2025-06-01T10:01:00Z""#);
    let undated = of("C", r#""state":"firing","activeAt":"noon""#);
    check(
        FILE,
        &format!(r#"{{"status":"success","data":{{"alerts":[{firing},{pending},{undated}]}}}}"#),
        &[
            "alert order-db A 10:00:00-... dup 0 flaps 0",
            "unread 1 alert: pending, so not an alert yet",
            "unread 2 alert: invalid `activeAt`, `noon`",
            "F4002 `alerts.json`: alerts rejected, pending, so not an alert yet: 1 (the first: alert 1)",
            "F4003 `alerts.json`: alerts rejected, invalid `activeAt`: 1 (the first: alert 2, `noon`)",
        ],
    );
    for (status, is_muted) in [
        (r#"{"state":"active","silencedBy":[]}"#, false),
        (r#"{"state":"active"}"#, false),
        (r#"{"state":"unprocessed","silencedBy":[],"inhibitedBy":[],"mutedBy":[]}"#, false),
        (r#"{"state":"suppressed","silencedBy":["s"]}"#, true),
        (r#"{"state":"suppressed"}"#, true),
        (r#"{"state":"SUPPRESSED"}"#, true),
        (r#"{"state":"Suppressed","inhibitedBy":[]}"#, true),
        // Whoever names a silence has silenced it.
        (r#"{"state":"active","silencedBy":["s"]}"#, true),
        (r#"{"state":"active","inhibitedBy":["i"]}"#, true),
        (r#"{"mutedBy":["weekend"]}"#, true),
    ] {
        let one = of("A", &format!(r#""startsAt":"2025-06-01T10:00:00Z","status":{status}"#));
        let (facts, _, _) = facts(&[(FILE, &format!("[{one}]"))]);
        assert_eq!(facts.alerts.first().unwrap().muted.is_some(), is_muted, "{status}");
    }
    let of_alertmanager = of("A", r#""startsAt":"2025-06-01T10:00:00Z","status":{"state":"active","silencedBy":[]}"#);
    let list = format!(r#"{{"status":"success","data":[{of_alertmanager}]}}"#);
    check(FILE, &list, &["alert order-db A 10:00:00-... dup 0 flaps 0"]);
    check(FILE, r#"{"status":"success","data":[]}"#, &[]);
    check(FILE, r#"{"version":"4","alerts":null}"#, &[]);
    check_error(FILE, r#"{"status":"success","data":["alertname"]}"#, "F4001", "`alerts.json` contains no alerts");
}

#[test]
fn several_payloads_in_one_file() {
    let (one, two) = (webhook(&[alert("A", "firing", "10:00", "")]), webhook(&[alert("B", "firing", "10:01", "")]));
    let expected = &["alert order-db A 10:00:00-... dup 0 flaps 0", "alert order-db B 10:01:00-... dup 0 flaps 0"];
    check(FILE, &format!("{one}\n{two}\n"), expected);
    check(FILE, &format!("\u{FEFF}[{one},\n{two}]"), expected);
    check(FILE, "[]", &[]);
}

#[test]
fn entries_that_cannot_be_read_are_set_aside() {
    let good = alert("A", "firing", "10:00", "");
    let bad = r#"{"labels":{"alertname":"B"},"startsAt":"yesterday"},{"startsAt":"2025-06-01T10:00:00Z"},7"#;
    check(
        FILE,
        &format!(r#"{{"truncatedAlerts":3,"alerts":[{good},{bad}]}}"#),
        &[
            "alert order-db A 10:00:00-... dup 0 flaps 0",
            "unread 1 alert: invalid `startsAt`, `yesterday`",
            "unread 2 alert: no `labels`",
            "unread 3 alert: not an object",
            "F4002 `alerts.json`: Alertmanager left 3 alerts out of a payload (`truncatedAlerts`)",
            "F4002 `alerts.json`: alerts rejected, no `labels`: 1 (the first: alert 2)",
            "F4002 `alerts.json`: alerts rejected, not an object: 1 (the first: alert 3)",
            "F4003 `alerts.json`: alerts rejected, invalid `startsAt`: 1 (the first: alert 1, `yesterday`)",
        ],
    );
    check_webhook(
        &[("A", "resolved", "10:20", "10:00")],
        &[
            "unread 0 alert: `endsAt` is before `startsAt`, `2025-06-01T10:00:00Z`",
            "F4003 `alerts.json`: alerts rejected, `endsAt` is before `startsAt`: 1 (the first: alert 0, `2025-06-01T10:00:00Z`)",
        ],
    );
    check_webhook(
        &[("A", "resolved", "10:00", ""), ("B", "firing", "10:09", "")],
        &[
            "alert order-db A 10:00:00-10:09:00 dup 0 flaps 0",
            "alert order-db B 10:09:00-... dup 0 flaps 0",
            "F4003 `alerts.json`: resolved alerts without `endsAt`, assumed to end with the bundle: 1 (the first: alert 0)",
        ],
    );
}

#[test]
fn files_that_cannot_be_read_say_where() {
    check_error(FILE, "{\"alerts\":[\n  {]}", "F4001", "`alerts.json` line 2 column 4: ");
    check_error(FILE, "{\"alerts\":[", "F4001", "`alerts.json` line 1 column 11: ");
    check_error(FILE, " \n", "F4001", "`alerts.json` is empty");
    check_error(FILE, r#"{"status":"success","data":{}}"#, "F4001", "`alerts.json` contains no alerts");
    check_error(FILE, "\"text\"", "F4001", "`alerts.json` contains no alerts");
    check_error(FILE, &"[".repeat(1_000_000), "F4001", "`alerts.json` line 1 column 1");
    let mut text = super::bundle(&[]);
    text.alerts = Some((FILE.to_owned(), b"[\"\xFF\"]".to_vec()));
    let (read, _, diagnostics) = super::super::read_facts(&text, &super::estate(), &super::MappingRules::default());
    assert!(!read.present.alerts, "of a file that cannot be read nothing is known");
    assert_eq!(diagnostics.first().map(|d| d.message.to_string()).as_deref(), Some("`alerts.json` is not UTF-8: invalid byte at offset 2"));
}

#[test]
fn texts_for_rules_and_for_people() {
    let (read, counts, _) = facts(&[(FILE, &webhook(&[alert("A", "firing", "10:00", ""), alert("A", "firing", "10:00", "")]))]);
    let alert = read.alerts.first().unwrap();
    assert_eq!((alert.text.as_str(), alert.summary.as_str(), alert.severity.as_deref()), ("A\nd\ns A", "s A", Some("critical")));
    assert_eq!((counts.alerts.received, counts.alerts.kept, counts.alerts.duplicates), (2, 1, 1));
    assert!(read.present.alerts && !read.present.metrics);
}

#[test]
fn a_broken_file_leaves_the_others_usable() {
    let logs = r#"{"streams":[{"stream":{"app":"order-service"},"values":[["1748772000000000000","up"]]}]}"#;
    let text = render(&[(FILE, "{"), ("logs.json", logs)]);
    assert!(text.starts_with(&lines(&["log order-service 10:00:00 up"])), "{text}");
    assert!(text.contains("F4001 `alerts.json` line 1 column 1: "), "{text}");
}
