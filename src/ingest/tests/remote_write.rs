//! Remote-write and the push of Loki, as messages of protobuf.

use prost::Message;

use crate::wire::loki::{Line, Pair, Push, Stream, Timestamp};
use crate::wire::prometheus::{Counted, Label, Sample, Series1, Series2, Write1, Write2};
use crate::{Protocol, Written};

use super::{RECEIVED, check, check_message, take};

/// Prometheus' marker of a series that ended.
const STALE: u64 = 0x7ff0_0000_0000_0002;

/// Seconds after 10:00:00.
fn sample(second: i64, value: f64) -> Sample {
    Sample { value, timestamp: RECEIVED.0 + second * 1000 }
}

fn labels(written: &str) -> Vec<Label> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap();
        Label { name: name.as_bytes().to_vec(), value: value.as_bytes().to_vec() }
    };
    written.split_whitespace().map(pair).collect()
}

fn series(written: &str, samples: &[Sample]) -> Series1 {
    Series1 { labels: labels(written), samples: samples.to_vec(), exemplars: Vec::new(), histograms: Vec::new() }
}

const LOAD: &str = "__name__=load_ratio component=order-db";

#[test]
fn samples_of_version_1() {
    let one = |series: Series1| Write1 { series: vec![series] };
    for (message, expected) in [
        (Write1 { series: Vec::new() }, &["0 accepted, 0 refused"][..]),
        (
            one(series(LOAD, &[sample(0, 0.5), sample(15, 0.25)])),
            &["series order-db load {component=order-db} 10:00:00=50 10:00:15=25", "2 accepted, 0 refused"],
        ),
        // Repeated samples count as written, and the last one counts.
        (
            one(series(LOAD, &[sample(15, 0.5), sample(0, 0.5), sample(15, 0.25)])),
            &["series order-db load {component=order-db} 10:00:00=50 10:00:15=25", "3 accepted, 0 refused"],
        ),
        (
            one(series(LOAD, &[sample(0, 0.5), sample(15, f64::from_bits(STALE))])),
            &["series order-db load {component=order-db} 10:00:00=50 10:00:15=NaN", "2 accepted, 0 refused"],
        ),
        // Infinite is a value, and no fault of the sender.
        (
            one(series(LOAD, &[sample(0, 0.5), sample(15, f64::INFINITY)])),
            &[
                "series order-db load {component=order-db} 10:00:00=50",
                "ignored 0 histograms, 0 exemplars, 1 infinite",
                "1 accepted, 0 refused",
            ],
        ),
        (
            Write1 { series: vec![series("component=order-db", &[sample(0, 1.0), sample(15, 1.0)]), series(LOAD, &[sample(0, 0.5)])] },
            &[
                "series order-db load {component=order-db} 10:00:00=50",
                "rejected 0 F4002 a series without `__name__`",
                "1 accepted, 2 refused",
            ],
        ),
        (
            one(series("__name__=up __name__=down", &[sample(0, 1.0)])),
            &["rejected 0 F4002 the label `__name__` twice", "0 accepted, 1 refused"],
        ),
        // An empty label is none.
        (one(series("__name__=up zone=", &[sample(0, 1.0)])), &["series ? up* {} 10:00:00=1", "1 accepted, 0 refused"]),
        (
            one(series(LOAD, &[Sample { value: 1.0, timestamp: i64::MAX }, sample(0, 1.0)])),
            &["series order-db load {component=order-db} 10:00:00=100", "rejected 0 F4003 invalid time", "1 accepted, 1 refused"],
        ),
        (
            one(Series1 { exemplars: vec![Counted {}], histograms: vec![Counted {}, Counted {}], ..series(LOAD, &[]) }),
            &["ignored 2 histograms, 1 exemplars, 0 infinite", "0 accepted, 0 refused"],
        ),
    ] {
        check_message(Protocol::RemoteWrite1, &message, expected);
    }
    let latin = Label { name: b"zone".to_vec(), value: vec![0xe9] };
    let mut broken = series(LOAD, &[sample(0, 1.0)]);
    broken.labels.push(latin);
    check_message(Protocol::RemoteWrite1, &one(broken), &["rejected 0 F4002 a label that is not UTF-8", "0 accepted, 1 refused"]);
}

#[test]
fn samples_of_version_2() {
    let symbols: Vec<Vec<u8>> =
        ["", "__name__", "load_ratio", "component", "order-db"].iter().map(|text| text.as_bytes().to_vec()).collect();
    let of =
        |labels: &[u32]| Series2 { labels: labels.to_vec(), samples: vec![sample(0, 0.5)], histograms: Vec::new(), exemplars: Vec::new() };
    let message = |series: Vec<Series2>| Write2 { symbols: symbols.clone(), series };
    let taken = "series order-db load {component=order-db} 10:00:00=50";
    for (series, expected) in [
        (vec![of(&[1, 2, 3, 4])], &[taken, "1 accepted, 0 refused"][..]),
        (
            vec![of(&[1, 2, 3]), of(&[1, 9]), of(&[1, 2, 3, 4])],
            &[
                taken,
                "rejected 0 F4002 a label without a value",
                "rejected 1 F4002 a label that is not among the symbols",
                "1 accepted, 2 refused",
            ],
        ),
    ] {
        check_message(Protocol::RemoteWrite2, &message(series), expected);
    }
    let counted = Series2 { histograms: vec![Counted {}], exemplars: vec![Counted {}], ..of(&[1, 2, 3, 4]) };
    let taken = take(Protocol::RemoteWrite2, &message(vec![counted]).encode_to_vec()).unwrap();
    assert_eq!(taken.written, Written { samples: 1, histograms: 0, exemplars: 0 });
}

#[test]
fn messages_that_are_none() {
    let whole = Write1 { series: vec![series(LOAD, &[sample(0, 0.5)])] }.encode_to_vec();
    check(Protocol::RemoteWrite1, &whole[..whole.len() - 1], &["Malformed F4001 the message is cut off"]);
    check(Protocol::RemoteWrite1, b"\x0b", &["Malformed F4001 this is no message of protobuf"]);
    check(Protocol::RemoteWrite1, &[0xff; 12], &["Malformed F4001 this is no message of protobuf"]);
    // Two bytes for each of a million and one empty series.
    let many = [0x0a, 0x00].repeat(crate::MAX_ENTRIES + 1);
    check(Protocol::RemoteWrite1, &many, &[&format!("TooLarge F9504 the request has more than {} entries", crate::MAX_ENTRIES)]);
    // A field that nobody knows yet.
    let mut newer = whole;
    newer.extend([0x7a, 0x02, 0x01, 0x02]);
    check(Protocol::RemoteWrite1, &newer, &["series order-db load {component=order-db} 10:00:00=50", "1 accepted, 0 refused"]);
}

fn line(second: i64, text: &[u8], metadata: &[(&str, &str)]) -> Line {
    let pair = |(name, value): &(&str, &str)| Pair { name: name.as_bytes().to_vec(), value: value.as_bytes().to_vec() };
    let timestamp = Some(Timestamp { seconds: RECEIVED.0 / 1000 + second, nanos: 5 });
    Line { timestamp, text: text.to_vec(), metadata: metadata.iter().map(pair).collect() }
}

#[test]
fn lines_of_loki() {
    for (labels, entries, expected) in [
        (
            r#"{service_name="order-service", level="error"}"#,
            vec![line(1, b"two", &[]), line(0, b"one", &[])],
            &["log order-service 10:00:00 error \"one\"", "log order-service 10:00:01 error \"two\"", "2 accepted, 0 refused"][..],
        ),
        // A retry brings the same line again.
        (
            r#"{service_name="order-service"}"#,
            vec![line(0, b"one", &[]), line(0, b"one", &[])],
            &["log order-service 10:00:00 - \"one\"", "2 accepted, 0 refused"],
        ),
        (
            "{job=`x`,}",
            vec![line(0, b"\xff", &[("service_name", "order-db"), ("level", "warn")])],
            &["log order-db 10:00:00 warn \"\u{fffd}\"", "1 accepted, 0 refused"],
        ),
        (r#"{path="C:\\a\"b\u0041"}"#, vec![line(0, b"one", &[])], &["log ? 10:00:00 - \"one\"", "1 accepted, 0 refused"]),
        (
            r#"{job="x"#,
            vec![line(0, b"one", &[]), line(0, b"two", &[])],
            &[r#"rejected 0 F4002 the labels `{job="x` of a stream cannot be read"#, "0 accepted, 2 refused"],
        ),
    ] {
        let push = Push { streams: vec![Stream { labels: labels.as_bytes().to_vec(), entries }] };
        check_message(Protocol::LokiProtobuf, &push, expected);
    }
    let timeless = Line { timestamp: Some(Timestamp { seconds: i64::MAX, nanos: 0 }), ..line(0, b"one", &[]) };
    let push = Push { streams: vec![Stream { labels: b"{}".to_vec(), entries: vec![timeless] }] };
    check_message(Protocol::LokiProtobuf, &push, &["rejected 0 F4003 invalid time", "0 accepted, 1 refused"]);
}

/// What a replay writes is read as it was.
#[test]
fn written_requests_are_read() {
    let labels = [("__name__", "load_ratio"), ("component", "order-db")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let labels = std::collections::BTreeMap::from(labels);
    let points = [(RECEIVED, 0.5), (RECEIVED.plus(15_000), f64::NAN)];
    let body = crate::remote_write_body([(&labels, points.as_slice())]).unwrap();
    let plain = crate::decompress(crate::ContentEncoding::Snappy, &body, 1 << 20).unwrap();
    let expected = &["series order-db load {component=order-db} 10:00:00=50 10:00:15=NaN", "2 accepted, 0 refused"];
    check(Protocol::RemoteWrite1, &plain, expected);
}

/// Conditions about a kind of signal that nobody sends are unknown: what is sent makes its kind known.
#[test]
fn what_is_sent_is_known() {
    let sample = Write1 { series: vec![series(LOAD, &[sample(0, 0.5)])] }.encode_to_vec();
    let line = br#"{"streams": [{"stream": {"a": "b"}, "values": [["1748772000000000000", "one"]]}]}"#;
    let event =
        br#"{"specversion": "1.0", "id": "1", "source": "/a", "type": "deploy", "subject": "order-db", "time": "2025-06-01T10:00:00Z"}"#;
    for (protocol, body, expected) in [
        (Protocol::Alerts, br#"[{"labels": {"alertname": "A"}}]"#.as_slice(), [true, false, false, false]),
        (Protocol::RemoteWrite1, &sample, [false, true, false, false]),
        (Protocol::Pull, &sample, [false, true, false, false]),
        (Protocol::LokiJson, line, [false, false, true, false]),
        (Protocol::CloudEvents, event, [false, false, false, true]),
    ] {
        let present = take(protocol, body).unwrap().facts.present;
        assert_eq!([present.alerts, present.metrics, present.logs, present.events], expected, "{protocol:?}");
    }
}
