//! OTLP: metrics, logs and traces, as protobuf or as JSON. Both become the same messages, so that what follows knows no difference.

mod attributes;
mod json;
mod logs;
mod metrics;
mod names;

use diag::{Text, text};
use signal::{EntryKind, Intake, SentSpan, Spans};
use value::Time;

use super::refusal::Refusal;
use super::wire::otlp::{FAILED, KeyValue, Logs, Metrics, Span, Traces};
use super::wire::{Shape, decode, lossy};
use super::{Encoding, Ignored};
use json::Wrong;

pub(super) fn metrics(encoding: Encoding, body: &[u8], intake: &mut Intake<'_>, ignored: &mut Ignored) -> Result<(), Refusal> {
    let (request, wrong): (Metrics, Wrong) = match encoding {
        Encoding::Json => json::metrics(&json::tree(body)?)?,
        Encoding::Protobuf => (decode(body, Shape::Metrics)?, Wrong::new()),
    };
    metrics::take(request, wrong, intake, ignored);
    Ok(())
}

pub(super) fn logs(encoding: Encoding, body: &[u8], received: Time, intake: &mut Intake<'_>) -> Result<(), Refusal> {
    let (request, wrong): (Logs, Wrong) = match encoding {
        Encoding::Json => json::logs(&json::tree(body)?)?,
        Encoding::Protobuf => (decode(body, Shape::Logs)?, Wrong::new()),
    };
    logs::take(request, &wrong, received, intake);
    Ok(())
}

/// The spans of a request, which wait for their minute to be over. JSON has the reader of `traces.json`.
pub(super) fn traces(encoding: Encoding, body: &[u8], intake: &mut Intake<'_>) -> Result<Spans, Refusal> {
    let mut spans = Spans::default();
    match encoding {
        Encoding::Json => {
            let said = spans.read("otlp-traces", body)?;
            said.into_iter().for_each(|remark| intake.remark(remark));
        }
        Encoding::Protobuf => {
            let request: Traces = decode(body, Shape::Traces)?;
            for of_resource in request.resources {
                let attributes = of_resource.resource.unwrap_or_default().attributes;
                let resource = spans.resource(&attributes::plain(&attributes));
                of_resource.scopes.into_iter().flat_map(|scope| scope.spans).for_each(|span| add(resource, &span, &mut spans));
            }
        }
    }
    for (position, code, reason) in spans.take_refused() {
        intake.refuse(EntryKind::Span, position, 1, code, &reason);
    }
    intake.keep_spans(spans.len());
    Ok(spans)
}

fn add(resource: u32, span: &Span, spans: &mut Spans) {
    let pair = |pair: &KeyValue| Some((lossy(&pair.key), attributes::text(pair.value.as_ref()?)?));
    spans.add(
        resource,
        SentSpan {
            trace: &span.trace,
            id: &span.id,
            parent: &span.parent,
            kind: span.kind,
            start: span.start,
            end: span.end,
            failed: span.status.as_ref().is_some_and(|status| status.code == FAILED),
            attributes: span.attributes.iter().filter_map(pair).collect(),
        },
    );
}

/// Where a message of JSON is not as OTLP says.
fn misshaped(path: &str, expected: &Text) -> Refusal {
    Refusal::malformed(text!("`{}` is not {}", path, expected))
}
