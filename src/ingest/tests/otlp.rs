//! OTLP as protobuf. The files of `tests/ingest/` have the same as JSON.

use prost::Message;

use crate::wire::otlp::{
    Any, AnyValue, Array, CUMULATIVE, DELTA, Data, Exponential, ExponentialPoint, Gauge, Histogram, HistogramPoint, KeyValue, LogRecord,
    Logs, Metric, Metrics, NO_VALUE, Number, NumberPoint, Quantile, Resource, ResourceLogs, ResourceMetrics, ScopeLogs, ScopeMetrics, Sum,
    Summary, SummaryPoint,
};
use crate::{Encoding, Protocol};

use super::{TEN, check, check_message};

const METRICS: Protocol = Protocol::OtlpMetrics(Encoding::Protobuf);
const LOGS: Protocol = Protocol::OtlpLogs(Encoding::Protobuf);

fn text(text: &str) -> AnyValue {
    AnyValue { value: Some(Any::Text(text.as_bytes().to_vec())) }
}

fn attribute(name: &str, value: &str) -> KeyValue {
    KeyValue { key: name.as_bytes().to_vec(), value: Some(text(value)) }
}

fn resource() -> Resource {
    Resource { attributes: vec![attribute("service.name", "order-db")] }
}

/// One metric of `order-db`.
fn metric(name: &str, unit: &str, data: Data) -> Metrics {
    let metric = Metric { name: name.as_bytes().to_vec(), unit: unit.as_bytes().to_vec(), data: Some(data) };
    Metrics { resources: vec![ResourceMetrics { resource: Some(resource()), scopes: vec![ScopeMetrics { metrics: vec![metric] }] }] }
}

/// A point at 10:00:00 of the minute before.
fn point(value: Number) -> NumberPoint {
    NumberPoint { start: TEN - 60_000_000_000, time: TEN, value: Some(value), attributes: Vec::new(), flags: 0 }
}

fn gauge(points: Vec<NumberPoint>) -> Data {
    Data::Gauge(Gauge { points })
}

fn sum(temporality: i32, monotonic: bool) -> Data {
    Data::Sum(Sum { points: vec![point(Number::Int(120))], temporality, monotonic })
}

#[test]
fn points_become_samples() {
    let half = || point(Number::Double(0.5));
    for (name, unit, data, expected) in [
        ("load", "1", gauge(vec![half()]), &["series order-db load {service_name=order-db} 10:00:00=50", "1 accepted, 0 refused"][..]),
        ("delay", "s", gauge(vec![half()]), &["series order-db delay {service_name=order-db} 10:00:00=500", "1 accepted, 0 refused"]),
        (
            "jobs",
            "{job}",
            gauge(vec![NumberPoint { attributes: vec![attribute("queue.name", "a")], ..half() }]),
            &["series order-db jobs* {queue_name=a,service_name=order-db} 10:00:00=0.5", "1 accepted, 0 refused"],
        ),
        (
            "requests",
            "",
            sum(CUMULATIVE, true),
            &["series order-db requests_total* {service_name=order-db} 10:00:00=120", "1 accepted, 0 refused"],
        ),
        // A hundred and twenty in a minute.
        (
            "requests",
            "",
            sum(DELTA, true),
            &["series order-db requests_per_second* {service_name=order-db} 10:00:00=2", "1 accepted, 0 refused"],
        ),
        (
            "queue.length",
            "",
            sum(CUMULATIVE, false),
            &["series order-db queue_length* {service_name=order-db} 10:00:00=120", "1 accepted, 0 refused"],
        ),
        (
            "queue.length",
            "",
            sum(DELTA, false),
            &["rejected 0 F4002 changes of a sum that may fall: send it as cumulative", "0 accepted, 1 refused"],
        ),
        ("requests", "", sum(0, true), &["rejected 0 F4002 neither cumulative nor delta", "0 accepted, 1 refused"]),
        (
            "load",
            "1",
            gauge(vec![NumberPoint { value: None, flags: NO_VALUE, ..half() }]),
            &["series order-db load {service_name=order-db} 10:00:00=NaN", "1 accepted, 0 refused"],
        ),
        (
            "load",
            "1",
            gauge(vec![NumberPoint { value: None, ..half() }, NumberPoint { time: 0, ..half() }, half()]),
            &[
                "series order-db load {service_name=order-db} 10:00:00=50",
                "rejected 0 F4002 a point without a value",
                "rejected 1 F4003 a point without a valid time",
                "1 accepted, 2 refused",
            ],
        ),
        ("load", "1", gauge(Vec::new()), &["0 accepted, 0 refused"]),
    ] {
        check_message(METRICS, &metric(name, unit, data), expected);
    }
}

#[test]
fn histograms_and_summaries() {
    let point = HistogramPoint { start: TEN - 60_000_000_000, time: TEN, count: 60, sum: Some(30.0), attributes: Vec::new(), flags: 0 };
    let cumulative = [
        "series order-db wait_seconds_count* {service_name=order-db} 10:00:00=60",
        "series order-db wait_seconds_sum* {service_name=order-db} 10:00:00=30",
        "2 accepted, 0 refused",
    ];
    let delta = [
        "series order-db wait_seconds_count_per_second* {service_name=order-db} 10:00:00=1",
        "series order-db wait_seconds_sum_per_second* {service_name=order-db} 10:00:00=0.5",
        "2 accepted, 0 refused",
    ];
    let histogram = |temporality: i32| Data::Histogram(Histogram { points: vec![point.clone()], temporality });
    check_message(METRICS, &metric("wait", "s", histogram(CUMULATIVE)), &cumulative);
    check_message(METRICS, &metric("wait", "s", histogram(DELTA)), &delta);
    let HistogramPoint { start, time, count, sum, attributes, flags } = point;
    let exponential = ExponentialPoint { attributes, start, time, count, sum, flags };
    let data = Data::Exponential(Exponential { points: vec![exponential], temporality: CUMULATIVE });
    check_message(METRICS, &metric("wait", "s", data), &cumulative);
    let quantiles = vec![Quantile { quantile: 0.99, value: 2.0 }];
    let summary = SummaryPoint { start: 0, time: TEN, count: 60, sum: 30.0, quantiles, attributes: Vec::new(), flags: 0 };
    let mut expected = vec!["series order-db wait_seconds* {quantile=0.99,service_name=order-db} 10:00:00=2"];
    expected.extend(&cumulative[..2]);
    expected.push("3 accepted, 0 refused");
    check_message(METRICS, &metric("wait", "s", Data::Summary(Summary { points: vec![summary] })), &expected);
}

fn record(body: Option<AnyValue>) -> LogRecord {
    LogRecord {
        time: TEN,
        severity: 17,
        severity_text: b"E".to_vec(),
        body,
        attributes: Vec::new(),
        observed: TEN + 1_000_000_000,
        event: Vec::new(),
    }
}

#[test]
fn records_become_lines() {
    let list = AnyValue { value: Some(Any::Array(Array { values: vec![text("a"), AnyValue { value: Some(Any::Int(7)) }] })) };
    for (record, expected) in [
        (record(Some(text("refused"))), &["log order-db 10:00:00 error \"refused\"", "1 accepted, 0 refused"][..]),
        (LogRecord { severity: 0, ..record(Some(text("x"))) }, &["log order-db 10:00:00 E \"x\"", "1 accepted, 0 refused"]),
        (LogRecord { severity: 24, ..record(Some(text("x"))) }, &["log order-db 10:00:00 fatal \"x\"", "1 accepted, 0 refused"]),
        (LogRecord { time: 0, ..record(Some(text("x"))) }, &["log order-db 10:00:01 error \"x\"", "1 accepted, 0 refused"]),
        (LogRecord { time: 0, observed: 0, ..record(Some(text("x"))) }, &["log order-db 10:00:00 error \"x\"", "1 accepted, 0 refused"]),
        (record(Some(list)), &["log order-db 10:00:00 error \"[\\\"a\\\",7]\"", "1 accepted, 0 refused"]),
        (LogRecord { event: b"restart".to_vec(), ..record(None) }, &["log order-db 10:00:00 error \"restart\"", "1 accepted, 0 refused"]),
        (record(None), &["rejected 0 F4002 a log record without a body", "0 accepted, 1 refused"]),
    ] {
        let scopes = vec![ScopeLogs { records: vec![record] }];
        check_message(LOGS, &Logs { resources: vec![ResourceLogs { resource: Some(resource()), scopes }] }, expected);
    }
}

/// What `prost` reads is limited, and so is what is counted before.
#[test]
fn values_that_are_nested_too_deep() {
    let mut value = text("x");
    for _ in 0..200 {
        value = AnyValue { value: Some(Any::Array(Array { values: vec![value] })) };
    }
    let scopes = vec![ScopeLogs { records: vec![record(Some(value))] }];
    let body = Logs { resources: vec![ResourceLogs { resource: None, scopes }] }.encode_to_vec();
    check(LOGS, &body, &["Malformed F4001 the message is nested more than 100 deep"]);
}
