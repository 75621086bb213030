//! OTLP/JSON: the files of the OpenTelemetry collector's file exporter, one document per line, and responses of Tempo and Jaeger.

use serde::Deserialize;

use super::super::json::LabelValue;
use super::places::{Attributes, Tags};
use super::spans::{Kind, RawSpan, nanoseconds, span_id, trace_id};

/// `resourceSpans`; `batches` in responses of older Tempo versions.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "OTLP, an object with `resourceSpans`")]
pub(super) struct Otlp {
    #[serde(alias = "batches")]
    pub resource_spans: Option<Vec<ResourceSpans>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "spans of a resource, an object with `resource` and `scopeSpans`")]
pub(super) struct ResourceSpans {
    resource: Option<Resource>,
    #[serde(alias = "instrumentationLibrarySpans")]
    scope_spans: Option<Vec<ScopeSpans>>,
}

#[derive(Deserialize)]
#[serde(expecting = "a resource, an object with `attributes`")]
struct Resource {
    attributes: Option<Vec<KeyValue>>,
}

#[derive(Deserialize)]
#[serde(expecting = "spans of a scope, an object with `spans`")]
struct ScopeSpans {
    spans: Option<Vec<Small>>,
}

#[derive(Deserialize)]
#[serde(expecting = "an attribute, an object with `key` and `value`")]
struct KeyValue {
    key: String,
    value: Option<AnyValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a value, an object with `stringValue`, `intValue`, `boolValue` or `doubleValue`")]
struct AnyValue {
    #[serde(rename = "stringValue")]
    string: Option<LabelValue>,
    #[serde(rename = "intValue")]
    int: Option<LabelValue>,
    #[serde(rename = "boolValue")]
    bool: Option<LabelValue>,
    #[serde(rename = "doubleValue")]
    double: Option<LabelValue>,
}

impl AnyValue {
    fn text(self) -> Option<String> {
        self.string.or(self.int).or(self.bool).or(self.double)?.0
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a span, an object with `traceId`, `spanId` and times")]
struct Wire {
    trace_id: Option<String>,
    span_id: Option<String>,
    parent_span_id: Option<String>,
    kind: Option<LabelValue>,
    start_time_unix_nano: Option<LabelValue>,
    end_time_unix_nano: Option<LabelValue>,
    attributes: Option<Vec<KeyValue>>,
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(expecting = "the status of a span, an object with `code`")]
struct Status {
    code: Option<LabelValue>,
}

/// Converted one by one: millions of spans in wire format would not fit in memory.
#[derive(Deserialize)]
#[serde(from = "Wire")]
struct Small(RawSpan);

impl From<Wire> for Small {
    fn from(wire: Wire) -> Self {
        let mut tags = Tags::default();
        for KeyValue { key, value } in wire.attributes.into_iter().flatten() {
            tags.take(&key, value.and_then(AnyValue::text));
        }
        let status = wire.status.and_then(|status| status.code?.0);
        let failed = status.is_some_and(|code| matches!(code.as_str(), "2" | "STATUS_CODE_ERROR"));
        let time = |value: Option<LabelValue>| nanoseconds(&value?.0?);
        Small(RawSpan {
            trace: wire.trace_id.as_deref().map_or(0, trace_id),
            id: wire.span_id.as_deref().map_or(0, span_id),
            parent: wire.parent_span_id.as_deref().map_or(0, span_id),
            start: time(wire.start_time_unix_nano),
            end: time(wire.end_time_unix_nano),
            kind: wire.kind.and_then(|kind| kind.0).as_deref().map_or(Kind::Unspecified, Kind::parse),
            error: tags.error || failed,
            peer: tags.peer,
        })
    }
}

impl ResourceSpans {
    /// The attributes of the resource, and its spans.
    pub fn split(self) -> (Attributes, impl Iterator<Item = RawSpan>) {
        let attributes = self.resource.and_then(|resource| resource.attributes).into_iter().flatten();
        let named = attributes.filter_map(|KeyValue { key, value }| Some((key, value?.text()?))).collect();
        let scopes = self.scope_spans.into_iter().flatten();
        (named, scopes.flat_map(|scope| scope.spans.into_iter().flatten()).map(|Small(span)| span))
    }
}
