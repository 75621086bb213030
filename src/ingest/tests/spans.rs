//! Spans of a stream: read, kept until their minute is over, then series and calls.

use estate::Snapshot;
use prost::Message;
use signal::{MappingRules, Minutes, Resolver, Spans};
use value::{MINUTE, SECOND, Time};

use crate::wire::otlp::{Any, AnyValue};
use crate::wire::otlp::{KeyValue, Resource, ResourceSpans, ScopeSpans, Span, SpanStatus, Traces};
use crate::{Encoding, Protocol};

use super::{RECEIVED, TEN, check, estate, take};

const TRACES: Protocol = Protocol::OtlpTraces(Encoding::Protobuf);

fn attribute(name: &str, value: &str) -> KeyValue {
    KeyValue { key: name.as_bytes().to_vec(), value: Some(AnyValue { value: Some(Any::Text(value.as_bytes().to_vec())) }) }
}

fn traces(service: &str, spans: Vec<Span>) -> Traces {
    let resource = Some(Resource { attributes: vec![attribute("service.name", service)] });
    Traces { resources: vec![ResourceSpans { resource, scopes: vec![ScopeSpans { spans }] }] }
}

/// A request of 100 ms to `order-service`, that many seconds after 10:00:00; it waits 80 ms for `order-db`.
fn request(second: u64) -> Vec<Span> {
    let (trace, start) = ((second + 1).to_be_bytes().to_vec(), TEN + second * 1_000_000_000);
    let of = |id: u8, parent: Vec<u8>, kind: i32, from: u64, to: u64| Span {
        trace: trace.clone(),
        id: vec![id],
        parent,
        kind,
        start: start + from * 1_000_000,
        end: start + to * 1_000_000,
        attributes: Vec::new(),
        status: None,
    };
    let call = Span {
        attributes: vec![attribute("server.address", "10.0.0.1")],
        status: Some(SpanStatus { code: 2 }),
        ..of(2, vec![1], 3, 10, 90)
    };
    vec![of(1, Vec::new(), 2, 0, 100), call]
}

fn spans(seconds: impl Iterator<Item = u64>) -> Spans {
    take(TRACES, &traces("order-service", seconds.flat_map(request).collect()).encode_to_vec()).unwrap().spans
}

fn close(spans: &mut Spans, until: Time, estate: &Snapshot) -> Minutes {
    let placement = MappingRules::default();
    spans.close(until, "otlp-traces", &Resolver::new(&placement, estate))
}

fn shown(minutes: &Minutes, estate: &Snapshot) -> Vec<String> {
    let id = |component| estate.component(component).id.as_str();
    let series = minutes.series.iter().map(|series| {
        let points: Vec<String> = series.points.iter().map(|(time, value)| format!("{}={value}", time.clock())).collect();
        format!("{} {} {}", series.component.map_or("?", id), series.metric, points.join(" "))
    });
    let calls = minutes.calls.iter().map(|calls| format!("{} -> {} {}", id(calls.caller), id(calls.callee), calls.count));
    let mut all: Vec<String> = series.chain(calls).collect();
    all.sort();
    all
}

#[test]
fn a_minute_is_closed_once() {
    let estate = estate();
    let mut waiting = Spans::default();
    // Two senders, whose batches come one after the other.
    waiting.append(spans([0, 10, 20].into_iter()));
    waiting.append(spans([30, 40, 50, 70].into_iter()));
    assert_eq!(waiting.len(), 14);
    assert!(shown(&close(&mut waiting, RECEIVED.plus(59 * SECOND), &estate), &estate).is_empty());
    let first = close(&mut waiting, RECEIVED.plus(MINUTE + 5 * SECOND), &estate);
    assert_eq!(
        shown(&first, &estate),
        [
            "order-db call_duration 10:01:00=80",
            "order-db call_error_percent 10:01:00=100",
            "order-service -> order-db 6",
            "order-service span_duration 10:01:00=100",
            "order-service span_error_percent 10:01:00=0",
            "order-service span_own_time 10:01:00=20",
        ]
    );
    // Only the trace of the next minute waits; again nothing is said twice.
    assert_eq!(waiting.len(), 2);
    assert!(shown(&close(&mut waiting, RECEIVED.plus(MINUTE + 30 * SECOND), &estate), &estate).is_empty());
    waiting.append(spans([45].into_iter()));
    let second = close(&mut waiting, RECEIVED.plus(2 * MINUTE), &estate);
    assert_eq!(second.late, 2);
    assert_eq!(shown(&second, &estate).first().unwrap(), "order-db call_rate 10:02:00=0.016666666666666666");
    assert!(waiting.is_empty());
}

#[test]
fn spans_that_cannot_be_used() {
    let [whole, call] = <[Span; 2]>::try_from(request(0)).unwrap();
    let spans = vec![
        Span { trace: Vec::new(), ..whole.clone() },
        Span { end: 0, ..whole.clone() },
        Span { end: whole.start - 1, ..whole.clone() },
        whole,
        call,
    ];
    check(
        TRACES,
        &traces("order-service", spans).encode_to_vec(),
        &[
            "spans 2",
            "rejected 0 F4002 no trace or span id",
            "rejected 1 F4003 missing or invalid start or end",
            "rejected 2 F4003 end before start",
            "2 accepted, 3 refused",
        ],
    );
}
