//! What senders are answered: a table of protocols and outcomes.

use prost::Message;

use crate::wire::otlp::{ExportAnswer, Status};
use crate::wire::prometheus::{Label, Sample, Series1, Write1};
use crate::{Answer, Encoding, Outcome, Protocol, Refusal, Taken, answer};

use super::{RECEIVED, TEN, take};

const ALERT: &str = r#"{"labels":{"alertname":"A","service":"order-db"},"startsAt":"2025-06-01T09:59:00Z"}"#;
const METRICS: Protocol = Protocol::OtlpMetrics(Encoding::Json);

fn series(name: &str) -> Series1 {
    let labels = vec![Label { name: name.as_bytes().to_vec(), value: b"up".to_vec() }];
    Series1 { labels, samples: vec![Sample { value: 1.0, timestamp: RECEIVED.0 }], exemplars: Vec::new(), histograms: Vec::new() }
}

fn point(time: u64) -> String {
    format!(r#"{{"timeUnixNano":"{time}","asDouble":1}}"#)
}

fn metrics(points: &[String]) -> String {
    let points = points.join(",");
    format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"up","gauge":{{"dataPoints":[{points}]}}}}]}}]}}]}}"#)
}

/// A request of a protocol that is all good, and one that is partly so.
fn bodies(protocol: Protocol) -> (Vec<u8>, Vec<u8>) {
    let text = |good: &str, partly: String| (good.as_bytes().to_vec(), partly.into_bytes());
    match protocol {
        Protocol::Alerts => text(&format!("[{ALERT}]"), format!("[{ALERT},7]")),
        Protocol::Webhook => text(&format!(r#"{{"alerts":[{ALERT}]}}"#), format!(r#"{{"alerts":[{ALERT},7]}}"#)),
        Protocol::RemoteWrite1 => {
            let message = |series: Vec<Series1>| Write1 { series }.encode_to_vec();
            (message(vec![series("__name__")]), message(vec![series("__name__"), series("name")]))
        }
        Protocol::LokiJson => {
            let good = r#"{"streams":[{"stream":{"job":"x"},"values":[["1748772000000000000","one"]]}]}"#;
            text(good, good.replace("[[", r#"[["soon","two"],["#))
        }
        Protocol::OtlpMetrics(Encoding::Json) => text(&metrics(&[point(TEN)]), metrics(&[point(TEN), point(0)])),
        Protocol::CloudEvents => {
            let event = |of_type: &str| format!(r#"{{"specversion":"1.0","id":"{of_type}","source":"s","type":"{of_type}"}}"#);
            text(&event("deploy"), format!("[{},{}]", event("deploy"), event("weather")))
        }
        other => panic!("{other:?}"),
    }
}

fn shown(answer: &Answer) -> String {
    let headers: Vec<String> = answer.headers.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    format!("{}{} {}", answer.status, headers.concat(), String::from_utf8_lossy(&answer.body)).trim_end().to_owned()
}

fn check(protocol: Protocol, good: &str, partly: &str, refused: &str, overloaded: &str) {
    let (all_good, partly_good) = bodies(protocol);
    let taken = |body: &[u8]| take(protocol, body).unwrap();
    assert_eq!(shown(&answer(protocol, Outcome::Taken(&taken(&all_good)))), good, "{protocol:?}");
    assert_eq!(shown(&answer(protocol, Outcome::Taken(&taken(&partly_good)))), partly, "{protocol:?}");
    let refusal = Refusal::malformed("cut off".into());
    assert_eq!(shown(&answer(protocol, Outcome::Refused(&refusal))), refused, "{protocol:?}");
    assert_eq!(shown(&answer(protocol, Outcome::Overloaded(5))), overloaded, "{protocol:?}");
}

#[test]
fn senders_are_answered_in_their_words() {
    const PLAIN: &str = "content-type=text/plain; charset=utf-8";
    const JSON: &str = "content-type=application/json";
    let later = "overloaded: send it again in 5 s";
    check(
        Protocol::Alerts,
        "200",
        &format!(r#"400 {JSON} "1 accepted, 1 rejected: 1: not an object (F4002)""#),
        &format!(r#"400 {JSON} "cut off""#),
        &format!(r#"503 {JSON} retry-after=5 "{later}""#),
    );
    check(
        Protocol::Webhook,
        &format!(r#"200 {JSON} {{"accepted":1,"refused":0,"rejected":[],"remarks":[],"unplaced":0}}"#),
        &format!(
            r#"200 {JSON} {{"accepted":1,"refused":1,"rejected":[{{"code":"F4002","index":1,"reason":"not an object"}}],"remarks":["`webhook`: alerts rejected, not an object: 1 (the first: alert 1)"],"unplaced":0}}"#
        ),
        &format!(r#"400 {JSON} {{"error":{{"code":"F4001","message":"cut off"}}}}"#),
        &format!(r#"503 {JSON} retry-after=5 {{"error":{{"message":"{later}"}}}}"#),
    );
    check(
        Protocol::RemoteWrite1,
        "204",
        &format!("400 {PLAIN} 1 accepted, 1 rejected: 1: a series without `__name__` (F4002)"),
        &format!("400 {PLAIN} cut off"),
        &format!("503 {PLAIN} retry-after=5 {later}"),
    );
    check(
        Protocol::LokiJson,
        "204",
        &format!("400 {PLAIN} 1 accepted, 1 rejected: 0: invalid time (F4003)"),
        &format!("400 {PLAIN} cut off"),
        &format!("429 {PLAIN} retry-after=5 {later}"),
    );
    check(
        METRICS,
        &format!("200 {JSON} {{}}"),
        &format!(
            r#"200 {JSON} {{"partialSuccess":{{"errorMessage":"1 accepted, 1 rejected: 1: a point without a valid time (F4003)","rejectedDataPoints":"1"}}}}"#
        ),
        &format!(r#"400 {JSON} {{"code":3,"message":"cut off"}}"#),
        &format!(r#"503 {JSON} retry-after=5 {{"code":14,"message":"{later}"}}"#),
    );
    let unknown = "unknown type `weather` (map it in `events` of topology/sources.yaml)";
    check(
        Protocol::CloudEvents,
        &format!(r#"202 {JSON} {{"accepted":1,"refused":0,"rejected":[],"remarks":[],"unplaced":1}}"#),
        &format!(
            r#"202 {JSON} {{"accepted":1,"refused":1,"rejected":[{{"code":"F4002","index":1,"reason":"{unknown}"}}],"remarks":["`cloudevents`: events rejected, {unknown}: 1 (the first: event 1)"],"unplaced":1}}"#
        ),
        &format!(r#"400 {JSON} {{"error":{{"code":"F4001","message":"cut off"}}}}"#),
        &format!(r#"503 {JSON} retry-after=5 {{"error":{{"message":"{later}"}}}}"#),
    );
}

fn headers(outcome: Outcome<'_>) -> (u16, Vec<String>) {
    let answer = answer(Protocol::RemoteWrite2, outcome);
    let written = answer.headers.iter().filter(|(name, _)| name.starts_with("x-prometheus-remote-write-"));
    (answer.status, written.map(|(_, value)| value.clone()).collect())
}

/// Without these headers, Prometheus believes that version 2 is not understood.
#[test]
fn version_2_is_told_what_was_written() {
    let mut taken: Taken = take(Protocol::RemoteWrite1, &bodies(Protocol::RemoteWrite1).0).unwrap();
    assert_eq!(headers(Outcome::Taken(&taken)), (204, ["1", "0", "0"].map(str::to_owned).to_vec()));
    taken.refused = 1;
    assert_eq!(headers(Outcome::Taken(&taken)), (400, ["1", "0", "0"].map(str::to_owned).to_vec()));
    let refusal = Refusal::malformed("cut off".into());
    assert_eq!(headers(Outcome::Refused(&refusal)), (400, ["0", "0", "0"].map(str::to_owned).to_vec()));
}

#[test]
fn protobuf_is_answered_in_protobuf() {
    let protocol = Protocol::OtlpLogs(Encoding::Protobuf);
    let mut taken = take(METRICS, metrics(&[point(TEN), point(0)]).as_bytes()).unwrap();
    let partly = answer(protocol, Outcome::Taken(&taken));
    let partial = ExportAnswer::decode(partly.body.as_slice()).unwrap().partial.unwrap();
    assert_eq!((partly.status, partial.rejected), (200, 1));
    assert_eq!(partly.headers, [("content-type", "application/x-protobuf".to_owned())]);
    taken.refused = 0;
    assert_eq!(answer(protocol, Outcome::Taken(&taken)).body, Vec::<u8>::new());
    let overloaded = answer(protocol, Outcome::Overloaded(5));
    assert_eq!(Status::decode(overloaded.body.as_slice()).unwrap().code, 14);
}

/// Of which nothing can be used.
#[test]
fn requests_without_anything_of_use() {
    let body = br#"{"specversion":"1.0","id":"1","source":"s","type":"weather"}"#;
    let taken = take(Protocol::CloudEvents, body).unwrap();
    assert_eq!(answer(Protocol::CloudEvents, Outcome::Taken(&taken)).status, 422);
}
