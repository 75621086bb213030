//! One document of a trace file. Its fields determine the format.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::super::answers;
use super::super::json::{LabelValue, Labels};
use super::jaeger::{Process, Small, Trace};
use super::otlp::{Otlp, ResourceSpans};
use super::places::Attributes;
use super::spans::RawSpan;
use super::zipkin::{self, Endpoint};

/// The format of an object in the file.
pub(super) enum Part {
    Otlp(Vec<ResourceSpans>),
    Jaeger(Vec<Trace>),
    Zipkin(Attributes, RawSpan),
    /// An error response of Jaeger, with its message.
    Refused(String),
    /// What the sender says beside spans.
    Remarked(Value),
    /// None of these formats.
    Foreign,
}

/// An object, or the objects of a list, including nested lists.
pub(super) struct Document(pub Vec<Part>);

/// The fields of all formats.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "spans, an object with `resourceSpans`, `data` or `traceId`")]
struct Fields {
    #[serde(alias = "batches")]
    resource_spans: Option<Vec<ResourceSpans>>,
    /// Around OTLP: `result` of Jaeger's newer API, `trace` of Tempo's.
    #[serde(alias = "trace")]
    result: Option<Otlp>,
    data: Option<Vec<Trace>>,
    #[serde(default)]
    errors: Value,
    #[serde(default)]
    warnings: Value,
    /// Of Tempo: `PARTIAL` for a part of a trace that is too long, and why.
    status: Option<LabelValue>,
    message: Option<LabelValue>,
    #[serde(rename = "traceID")]
    jaeger_trace: Option<String>,
    spans: Option<Vec<Small>>,
    processes: Option<BTreeMap<String, Process>>,
    trace_id: Option<String>,
    id: Option<String>,
    parent_id: Option<String>,
    timestamp: Option<LabelValue>,
    duration: Option<LabelValue>,
    kind: Option<String>,
    local_endpoint: Option<Endpoint>,
    remote_endpoint: Option<Endpoint>,
    tags: Option<Labels>,
}

impl From<Fields> for Document {
    fn from(mut fields: Fields) -> Self {
        let (errors, warnings) = (fields.errors.take(), fields.warnings.take());
        let partial = answers::word(fields.status.take()).is_some_and(|status| status == "PARTIAL");
        let message = answers::word(fields.message.take()).filter(|_| partial).map_or(Value::Null, Value::from);
        let part = Part::from(fields);
        let empty = match &part {
            Part::Otlp(list) => list.is_empty(),
            Part::Jaeger(traces) => traces.is_empty(),
            Part::Zipkin(..) => false,
            Part::Refused(_) | Part::Remarked(_) | Part::Foreign => true,
        };
        let failed = errors.as_array().is_some_and(|errors| !errors.is_empty());
        if failed && empty {
            let first = answers::words(&errors).into_iter().next();
            return Document(vec![Part::Refused(first.unwrap_or_else(|| "no message".to_owned()))]);
        }
        let said = Value::from(vec![errors, warnings, message]);
        if empty || answers::words(&said).is_empty() { Document(vec![part]) } else { Document(vec![part, Part::Remarked(said)]) }
    }
}

impl From<Fields> for Part {
    fn from(fields: Fields) -> Self {
        if let Some(list) = fields.resource_spans.or_else(|| fields.result.and_then(|result| result.resource_spans)) {
            return Part::Otlp(list);
        }
        if let Some(traces) = fields.data {
            return Part::Jaeger(traces);
        }
        if fields.spans.is_some() {
            return Part::Jaeger(vec![Trace { id: fields.jaeger_trace, spans: fields.spans, processes: fields.processes }]);
        }
        let Some(trace_id) = fields.trace_id else { return Part::Foreign };
        let wire = zipkin::Wire {
            trace_id,
            id: fields.id,
            parent_id: fields.parent_id,
            timestamp: fields.timestamp,
            duration: fields.duration,
            kind: fields.kind,
            local: fields.local_endpoint,
            remote: fields.remote_endpoint,
            tags: fields.tags,
        };
        let (endpoint, span) = wire.split();
        Part::Zipkin(endpoint, span)
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DocumentVisitor)
    }
}

struct DocumentVisitor;

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array of objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Document, A::Error> {
        Fields::deserialize(MapAccessDeserializer::new(map)).map(Document::from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Document, A::Error> {
        let mut parts = Vec::new();
        while let Some(Document(mut inner)) = seq.next_element()? {
            parts.append(&mut inner);
        }
        Ok(Document(parts))
    }
}
