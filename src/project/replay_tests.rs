#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails may panic")]

use serde_json::{Value, json};

use signal::{BundleText, FileText};
use value::{HOUR, MINUTE, Time};

use super::replay::{Outgoing, Recording, Sent};

fn at(clock: &str) -> Time {
    Time::parse(&format!("2025-06-01T{clock}Z")).unwrap()
}

fn file(name: &str, text: &str) -> FileText {
    (name.to_owned(), text.as_bytes().to_vec())
}

/// One of each kind, from 10:00 to 10:10.
fn recording() -> Recording {
    let alerts = r#"[{"labels": {"alertname": "A"}, "startsAt": "2025-06-01T10:01:00Z", "endsAt": "0001-01-01T00:00:00Z", "status": "firing"}]
        {"version": "4", "alerts": [
          {"labels": {"alertname": "A"}, "startsAt": "2025-06-01T10:01:00Z", "endsAt": "2025-06-01T10:05:00Z", "status": "resolved"},
          {"labels": {"alertname": "B"}, "startsAt": "2025-06-01T12:02:00+02:00", "endsAt": "2025-06-01T10:30:00Z"}]}"#;
    let metrics = r#"{"status": "success", "data": {"resultType": "matrix", "result": [
        {"metric": {"__name__": "up", "job": "x"}, "values": [[1748772000, "1"], [1748772600, "0"]]}]}}"#;
    let logs = r#"{"status": "success", "data": {"resultType": "streams", "result": [
        {"stream": {"app": "x"}, "values": [["1748772060000000007", "one"], ["soon", "never"]]}]}}"#;
    let events = r#"{"specversion": "1.0", "id": "1", "source": "/x", "type": "deploy", "subject": "x", "time": "2025-06-01T10:03:00Z"}
        {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": ""}, "items": [
          {"kind": "Event", "apiVersion": "v1", "metadata": {"name": "e"}, "type": "Warning", "source": {"component": "kubelet"},
           "reason": "OOMKilling", "firstTimestamp": "2025-06-01T10:00:30Z", "lastTimestamp": "2025-06-01T10:04:00Z"}]}"#;
    let files = BundleText {
        alerts: Some(file("alerts.json", alerts)),
        metrics: Some(file("metrics.json", metrics)),
        logs: Some(file("logs.json", logs)),
        events: Some(file("events.ndjson", events)),
        scores: vec![file("scores.json", r#"[{"component": "x", "score": 0.9, "time": 1748772300, "origin": "o"}]"#)],
        ..BundleText::default()
    };
    Recording::read(&files).unwrap()
}

fn of(kind: Sent, requests: &[Outgoing]) -> Vec<Value> {
    let of_kind = requests.iter().filter(|request| request.sent == kind);
    of_kind.map(|request| serde_json::from_slice(&request.body).unwrap()).collect()
}

#[test]
fn every_kind_is_sent_at_its_time() {
    let recording = recording();
    assert_eq!((recording.first, recording.last), (at("10:00:00"), at("10:10:00")));
    assert_eq!(recording.warnings.len(), 1, "{:?}", recording.warnings);
    let sent = |from: &str, to: &str, repeat: bool| {
        let requests = recording.requests(at(from), at(to), 0, repeat);
        requests.iter().map(|request| (request.sent, request.path, request.entries)).collect::<Vec<_>>()
    };
    let (alerts, write, push) = ((Sent::Alerts, "/api/v2/alerts"), (Sent::Samples, "/api/v1/write"), (Sent::Lines, "/loki/api/v1/push"));
    let one = |(kind, path): (Sent, &'static str), count: usize| (kind, path, count);
    assert_eq!(sent("09:59:59", "10:00:00", false), [one(write, 1)]);
    assert_eq!(sent("10:00:00", "10:01:00", false), [one(push, 1), one(alerts, 1)]);
    assert_eq!(sent("10:01:00", "10:02:00", true), [one(alerts, 2)], "A is repeated, B begins");
    assert_eq!(sent("10:02:00", "10:03:00", false), [(Sent::Events, "/api/v1/ingest/cloudevents", 1)]);
    assert_eq!(sent("10:03:00", "10:04:00", false), [(Sent::Events, "/api/v1/ingest/kubernetes", 1)]);
    assert_eq!(sent("10:04:00", "10:05:00", false), [(Sent::Scores, "/api/v1/scores", 1), one(alerts, 1)], "A is over");
    assert_eq!(sent("10:05:00", "10:10:00", true), [one(write, 1), one(alerts, 1)], "B fires to the end");
}

/// Times move; what is over has an end, and what fires has none.
#[test]
fn times_are_moved() {
    let recording = recording();
    let requests = recording.requests(at("09:00:00"), at("10:10:00"), HOUR + MINUTE, false);
    let alerts = of(Sent::Alerts, &requests);
    let expected = json!([
        {"labels": {"alertname": "A"}, "annotations": {}, "startsAt": "2025-06-01T11:02:00Z", "endsAt": "2025-06-01T11:06:00Z"},
        {"labels": {"alertname": "B"}, "annotations": {}, "startsAt": "2025-06-01T11:03:00Z"}
    ]);
    assert_eq!(alerts, [expected]);
    let lines = of(Sent::Lines, &requests);
    assert_eq!(lines, [json!({"streams": [{"stream": {"app": "x"}, "values": [["1748775720000000007", "one"]]}]})]);
    let events = of(Sent::Events, &requests);
    assert_eq!(events[0][0]["time"], "2025-06-01T11:04:00Z");
    assert_eq!(events[1]["firstTimestamp"], "2025-06-01T11:01:30Z");
    assert_eq!(of(Sent::Scores, &requests)[0]["time"], "2025-06-01T11:06:00Z");
}

#[test]
fn nothing_with_a_time_is_no_recording() {
    let files = BundleText { alerts: Some(file("alerts.json", "[]")), ..BundleText::default() };
    assert!(Recording::read(&files).is_none());
}
