//! The response of Jaeger's `GET /api/traces`, and the JSON that its UI downloads.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::json::LabelValue;
use super::places::{Attributes, SERVICE, Tags};
use super::spans::{Kind, RawSpan, microseconds, span_id, trace_id};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a Jaeger trace, an object with `traceID`, `spans` and `processes`")]
pub(super) struct Trace {
    #[serde(rename = "traceID")]
    pub id: Option<String>,
    pub spans: Option<Vec<Small>>,
    pub processes: Option<BTreeMap<String, Process>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a process, an object with `serviceName`")]
pub(super) struct Process {
    service_name: Option<String>,
    tags: Option<Vec<Tag>>,
}

#[derive(Deserialize)]
#[serde(expecting = "a tag, an object with `key` and `value`")]
struct Tag {
    key: String,
    value: Option<LabelValue>,
}

#[derive(Deserialize)]
#[serde(expecting = "a span, an object with `traceID`, `spanID`, `startTime` and `duration`")]
struct Wire {
    #[serde(rename = "traceID")]
    trace_id: Option<String>,
    #[serde(rename = "spanID")]
    span_id: Option<String>,
    #[serde(rename = "parentSpanID")]
    parent_span_id: Option<String>,
    references: Option<Vec<Reference>>,
    #[serde(rename = "startTime")]
    start_time: Option<LabelValue>,
    duration: Option<LabelValue>,
    tags: Option<Vec<Tag>>,
    #[serde(rename = "processID")]
    process_id: Option<String>,
    process: Option<Process>,
}

#[derive(Deserialize)]
#[serde(expecting = "a reference, an object with `refType` and `spanID`")]
struct Reference {
    #[serde(rename = "refType")]
    kind: Option<String>,
    #[serde(rename = "spanID")]
    span_id: Option<String>,
}

/// Converted one by one to save memory. The trace id is 0 if only the enclosing trace has it.
#[derive(Deserialize)]
#[serde(from = "Wire")]
pub(super) struct Small {
    span: RawSpan,
    process: Option<String>,
    /// The process itself, if it is embedded in the span.
    own: Option<Attributes>,
}

impl From<Wire> for Small {
    fn from(wire: Wire) -> Self {
        let mut tags = Tags::default();
        for Tag { key, value } in wire.tags.into_iter().flatten() {
            tags.take(&key, value.and_then(|value| value.0));
        }
        let references = wire.references.unwrap_or_default();
        let of_kind = |kind: &str| references.iter().find(|one| one.kind.as_deref() == Some(kind)).and_then(|one| one.span_id.as_deref());
        let (child_of, follows) = (of_kind("CHILD_OF").or(wire.parent_span_id.as_deref()), of_kind("FOLLOWS_FROM"));
        // A span that only has FOLLOWS_FROM is asynchronous, like a consumer.
        let kind = if child_of.is_none() && follows.is_some() && tags.kind == Kind::Unspecified { Kind::Consumer } else { tags.kind };
        let number = |value: Option<LabelValue>| microseconds(&value?.0?);
        let start = number(wire.start_time);
        let duration = number(wire.duration);
        let span = RawSpan {
            trace: wire.trace_id.as_deref().map_or(0, trace_id),
            id: wire.span_id.as_deref().map_or(0, span_id),
            parent: child_of.or(follows).map_or(0, span_id),
            start,
            end: start.zip(duration).and_then(|(start, duration)| start.checked_add(duration)),
            kind,
            error: tags.error,
            peer: tags.peer,
        };
        Small { span, process: wire.process_id, own: wire.process.map(Process::attributes) }
    }
}

impl Process {
    fn attributes(self) -> Attributes {
        let tags = self.tags.into_iter().flatten();
        let mut named: Attributes = tags.filter_map(|Tag { key, value }| Some((key, value?.0?))).collect();
        if let Some(name) = self.service_name {
            named.insert(SERVICE.to_owned(), name);
        }
        named
    }
}

impl Trace {
    /// Passes every span with the attributes of its process.
    pub fn each(self, mut take: impl FnMut(&Attributes, RawSpan)) {
        let of_trace = self.id.as_deref().map_or(0, trace_id);
        let processes = self.processes.into_iter().flatten();
        let processes: BTreeMap<String, Attributes> = processes.map(|(id, process)| (id, process.attributes())).collect();
        let nobody = Attributes::new();
        for Small { mut span, process, own } in self.spans.into_iter().flatten() {
            if span.trace == 0 {
                span.trace = of_trace;
            }
            let of_process = process.and_then(|id| processes.get(&id));
            take(own.as_ref().or(of_process).unwrap_or(&nobody), span);
        }
    }
}
