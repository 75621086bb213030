//! Reads log lines from the JSON response of Loki's `query_range`, or from the body of its push API.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::Deserializer;
use serde_json::Value;

use diag::{Code, Diagnostic, Text, text};
use value::Time;

use super::answers::{self, Answer, Aside, Place};
use super::facts::{LogLine, Origin};
use super::json::{self, LabelValue, Labels};
use super::reader_context::{Complaints, ReaderContext};
use super::samples::Length;

const EXPECTED: &str = "expected the JSON response of Loki's `query_range`, or a push request body";

/// A response, only its `data`, or the body of a push request.
#[derive(Deserialize)]
#[serde(expecting = "a Loki response, an object with `data`, or a push with `streams`")]
struct Response {
    status: Option<LabelValue>,
    error: Option<LabelValue>,
    message: Option<LabelValue>,
    data: Option<Data>,
    #[serde(rename = "resultType")]
    result_type: Option<LabelValue>,
    result: Option<Vec<Stream>>,
    streams: Option<Vec<Stream>>,
    #[serde(default)]
    warnings: Value,
    #[serde(default)]
    errors: Value,
    #[serde(default)]
    partial: Value,
    /// Of the tail API.
    #[serde(default)]
    dropped_entries: Length,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "the data of a response, an object with `resultType` and `result`")]
struct Data {
    result_type: Option<LabelValue>,
    result: Option<Vec<Stream>>,
}

#[derive(Deserialize)]
#[serde(expecting = "a stream, an object with `stream` and `values`")]
struct Stream {
    /// An object of labels, if it is sound.
    stream: Value,
    values: Option<Vec<Entry>>,
}

/// `["nanoseconds", "line"]`, or with structured metadata as a third element. One of another shape costs only itself.
#[derive(Default)]
pub(super) struct Entry {
    /// `None` if it is not a number of nanoseconds between year 1 and 9999.
    pub nanoseconds: Option<i128>,
    /// `None` if it is no text.
    pub line: Option<String>,
    pub metadata: Labels,
}

/// Why a line is rejected.
enum Flaw {
    Time,
    Text,
    Labels,
}

impl Flaw {
    fn words(&self) -> (Code, Text) {
        match self {
            Flaw::Time => (Code::SIGNAL_TIME, text!("invalid time")),
            Flaw::Text => (Code::SIGNAL_ENTRY, text!("a log line that is not text")),
            Flaw::Labels => (Code::SIGNAL_ENTRY, text!("the labels of its stream are no object")),
        }
    }
}

/// A line before it is placed, with its position in the file.
struct Line {
    nanoseconds: i128,
    text: String,
    index: usize,
    metadata: Labels,
}

pub(super) fn read(file: &str, bytes: &[u8], context: &mut ReaderContext<'_>) -> Result<(), Box<Diagnostic>> {
    let mut complaints = Complaints::default();
    let mut streams = Streams::default();
    for list in answers::usable(file, bytes, &mut complaints, result)? {
        for stream in list {
            let is_sound = stream.stream.is_object() || stream.stream.is_null();
            let labels = Labels(json::scalars(Some(&stream.stream)));
            for entry in stream.values.into_iter().flatten() {
                if is_sound {
                    streams.add(&labels, entry);
                } else {
                    streams.refuse(Flaw::Labels);
                }
            }
        }
    }
    streams.settle(file, complaints, context);
    Ok(())
}

/// Lines by the labels of their stream, whose parts may come apart from each other.
#[derive(Default)]
pub(super) struct Streams {
    lines: BTreeMap<Labels, Vec<Line>>,
    /// By their positions.
    rejected: Vec<(usize, Flaw)>,
    received: usize,
}

impl Streams {
    pub fn add(&mut self, labels: &Labels, entry: Entry) {
        let Some(text) = entry.line else { return self.refuse(Flaw::Text) };
        let Some(nanoseconds) = entry.nanoseconds else { return self.refuse(Flaw::Time) };
        let line = Line { nanoseconds, text, index: self.received, metadata: entry.metadata };
        self.received += 1;
        match self.lines.get_mut(labels) {
            Some(lines) => lines.push(line),
            None => drop(self.lines.insert(labels.clone(), vec![line])),
        }
    }

    fn refuse(&mut self, flaw: Flaw) {
        self.rejected.push((self.received, flaw));
        self.received += 1;
    }

    pub fn settle(self, file: &str, mut complaints: Complaints, context: &mut ReaderContext<'_>) {
        for (index, flaw) in self.rejected {
            let (code, reason) = flaw.words();
            complaints.add(code, text!("log lines rejected, {}", reason), 1, || text!("log line {}", index));
            context.counts.logs.reject(&reason.to_string(), 1);
            context.unread(file, index, "log line", code, &reason, "");
        }
        context.counts.logs.received += self.received;
        for (Labels(labels), lines) in self.lines {
            keep(file, &labels, lines, context);
        }
        complaints.report(file, &mut context.diagnostics);
    }
}

/// The streams of an answer; Loki's own message if it is an error.
fn result(file: &str, answer: Answer<'_, Response>, complaints: &mut Complaints) -> Result<Vec<Stream>, Aside> {
    let place = answer.place;
    let is_foreign = |kind: &String| kind != "streams";
    let response = answer.read.map_err(|broken| match broken.result_type().filter(is_foreign) {
        Some(kind) => foreign(file, place, &kind),
        None => broken.aside(file, place),
    })?;
    let Response { status, error, message, data, result_type, result, streams, warnings, errors, partial, dropped_entries } = response;
    let (of_data, list) = data.map_or((None, None), |data| (data.result_type, data.result));
    let list = list.or(result).or(streams);
    let error = answers::word(error);
    let beside = error.clone().map_or(Value::Null, Value::from);
    let message = error.or(answers::word(message));
    let failed = answers::word(status).is_some_and(|status| !status.eq_ignore_ascii_case("success"));
    if failed || (list.is_none() && message.is_some()) {
        return Err(refused(file, place, message));
    }
    if let Some(kind) = answers::word(of_data).or(answers::word(result_type)).filter(is_foreign) {
        return Err(foreign(file, place, &kind));
    }
    let list = list.ok_or_else(|| {
        let what = text!("`{}` contains no log lines: it has neither `data.result` nor `streams`", file);
        let alone = Box::new(Diagnostic::nowhere(Code::SIGNAL_FORMAT, what).help(EXPECTED));
        Aside { place, reason: text!("neither `data.result` nor `streams`"), found: String::new(), alone }
    })?;
    answers::remark(&[&warnings, &errors, &beside], &[&partial], place, complaints);
    complaints.add(Code::SIGNAL_ENTRY, "log lines dropped by the sender (`dropped_entries`)", dropped_entries.0, || place.text());
    Ok(list)
}

/// The answer of a metric query.
fn foreign(file: &str, place: Place, kind: &str) -> Aside {
    let what = text!("`{}` contains the answer of a metric query (`{}`) instead of `streams`", file, kind);
    let alone = Box::new(Diagnostic::nowhere(Code::SIGNAL_FORMAT, what).help(EXPECTED));
    Aside { place, reason: text!("the answer of a metric query (`{}`) instead of `streams`", kind), found: String::new(), alone }
}

/// An error response.
fn refused(file: &str, place: Place, message: Option<String>) -> Aside {
    let found = message.clone().unwrap_or_default();
    let message = message.map_or_else(|| text!("no message"), Text::from);
    let what = text!("`{}` contains a Loki error instead of data: {}", file, message);
    let alone = Box::new(Diagnostic::nowhere(Code::SIGNAL_FORMAT, what).help("fix the query and record it again"));
    Aside { place, reason: text!("an error of Loki"), found, alone }
}

/// Loki stores a line once per stream and nanosecond; responses for overlapping windows repeat it.
fn keep(file: &str, labels: &BTreeMap<String, String>, mut lines: Vec<Line>, context: &mut ReaderContext<'_>) {
    lines.sort_by(|a, b| (a.nanoseconds, &a.text, a.index).cmp(&(b.nanoseconds, &b.text, b.index)));
    let before = lines.len();
    lines.dedup_by(|later, kept| later.nanoseconds == kept.nanoseconds && later.text == kept.text);
    context.counts.logs.duplicates += before - lines.len();
    let of_stream = context.placer.explain(labels, None);
    let of_its_pod = context.placer.unlisted(of_stream.component, labels, None);
    for line in lines {
        let mut all = line.metadata.0;
        // Usually a line has no metadata and is placed like its stream, without a lookup.
        let alike = all.is_empty();
        all.extend(labels.iter().map(|(name, value)| (name.clone(), value.clone())));
        let origin = Origin { file: file.to_owned(), index: line.index };
        let component = if alike || of_stream.component.is_some() {
            context.settle(&of_stream, &origin)
        } else {
            let placement = context.placer.explain(&all, None);
            context.settle(&placement, &origin)
        };
        let instance = if alike { of_its_pod.clone() } else { context.placer.unlisted(component, &all, None) };
        context.counts.logs.keep(component.is_some());
        let time = Time(i64::try_from(line.nanoseconds.div_euclid(NANOSECONDS_PER_MILLISECOND)).unwrap_or(0));
        context.facts.logs.push(LogLine { origin, component, instance, time, text: line.text, labels: all });
    }
}

const NANOSECONDS_PER_MILLISECOND: i128 = 1_000_000;

/// Nanoseconds that lie between year 1 and 9999.
pub(super) fn possible(nanoseconds: i128) -> Option<i128> {
    const SECOND: i128 = 1_000_000_000;
    (-62_135_596_800 * SECOND..253_402_300_800 * SECOND).contains(&nanoseconds).then_some(nanoseconds)
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A line has a handful of parts, so building a tree is cheap.
        let Value::Array(parts) = Value::deserialize(deserializer)? else { return Ok(Entry::default()) };
        let mut parts = parts.into_iter();
        let nanoseconds = match parts.next() {
            Some(Value::String(written)) => written.parse().ok(),
            Some(Value::Number(number)) => number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)),
            _ => None,
        };
        let line = if let Some(Value::String(line)) = parts.next() { Some(line) } else { None };
        Ok(Entry { nanoseconds: nanoseconds.and_then(possible), line, metadata: metadata(parts.next().as_ref()) })
    }
}

/// Structured metadata: a flat object (push), or grouped by source (a response with categorized labels).
fn metadata(written: Option<&Value>) -> Labels {
    let mut all = json::scalars(written);
    for source in ["structuredMetadata", "parsed"] {
        all.extend(json::scalars(written.and_then(|written| written.get(source))));
    }
    Labels(all)
}
