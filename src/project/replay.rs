//! A recording as the requests that its senders once made, moved to another time.
//!
//! Only the files are read here, and bodies written: when something is sent, and where to, the caller says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use diag::{Text, text};
use ingest::remote_write_body;
use signal::{BundleText, FileText, LabelledSeries, read_series};
use value::{DAY, Duration, Time};

/// Entries of one request at most, as senders batch them by default: Prometheus 256 alerts and 2,000 samples.
const MOST_ALERTS: usize = 256;
const MOST_SAMPLES: usize = 2_000;
const MOST_LINES: usize = 1_000;
const MOST_EVENTS: usize = 200;

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sent {
    Events,
    Scores,
    Samples,
    Lines,
    Alerts,
}

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    pub sent: Sent,
    pub path: &'static str,
    /// `content-type`, and `content-encoding` if there is one.
    pub headers: Vec<(&'static str, &'static str)>,
    pub body: Vec<u8>,
    pub entries: usize,
}

#[derive(Debug, Clone, PartialEq)]
struct RecordedAlert {
    labels: Value,
    annotations: Value,
    start: Time,
    /// [`Time::MAX`]: it still fires when the recording ends.
    end: Time,
}

/// A line with its stream, as written.
#[derive(Debug, Clone, PartialEq)]
struct RecordedLine {
    time: Time,
    nanoseconds: i64,
    /// The labels of the stream, as JSON.
    stream: String,
    text: Value,
    metadata: Option<Value>,
}

/// The labels of a series, with those of its samples that go into one request.
type Part<'r> = (&'r BTreeMap<String, String>, Vec<(Time, f64)>);

/// See the module.
#[derive(Debug, Clone)]
pub struct Recording {
    alerts: Vec<RecordedAlert>,
    series: Vec<LabelledSeries>,
    lines: Vec<RecordedLine>,
    /// CloudEvents, and objects of a cluster.
    events: Vec<(Time, Value)>,
    objects: Vec<(Time, Value)>,
    scores: Vec<(Time, Value)>,
    /// The times of the first and the last signal.
    pub first: Time,
    pub last: Time,
    /// What is left out.
    pub warnings: Vec<Text>,
}

impl Recording {
    /// Takes the files of a bundle. `None` if nothing in them has a time.
    pub fn read(files: &BundleText) -> Option<Recording> {
        let mut recording = Recording {
            alerts: Vec::new(),
            series: Vec::new(),
            lines: Vec::new(),
            events: Vec::new(),
            objects: Vec::new(),
            scores: Vec::new(),
            first: Time::MIN,
            last: Time::MIN,
            warnings: Vec::new(),
        };
        if let Some(file) = &files.metrics {
            match read_series(&file.0, &file.1) {
                Ok(series) => recording.series = series,
                Err(error) => recording.warnings.push(text!("`{}` is not sent: {}", file.0, error.message.clone())),
            }
        }
        if let Some((name, _)) = &files.traces {
            recording.warnings.push(text!("`{}` is not sent: traces are not replayed", name));
        }
        if let Some(file) = &files.logs {
            recording.read_logs(file);
        }
        for file in files.events.iter().chain(&files.changes) {
            recording.read_events(file);
        }
        for file in &files.scores {
            recording.read_scores(file);
        }
        let alerts = files.alerts.as_ref().map(|file| recording.documents(file)).unwrap_or_default();
        let (first, last) = recording.span(&alerts)?;
        (recording.first, recording.last) = (first, last);
        recording.read_alerts(&alerts);
        recording.lines.sort_by_key(|line| line.nanoseconds);
        for list in [&mut recording.events, &mut recording.objects, &mut recording.scores] {
            list.sort_by_key(|(time, _)| *time);
        }
        Some(recording)
    }

    /// How long it lasts.
    pub fn length(&self) -> Duration {
        self.last.since(self.first)
    }

    /// The requests with what was recorded after `from` and until `to`, each time moved by `shift`. With `repeat`, also the alerts that fire
    /// at `to`, as their senders repeat them.
    pub fn requests(&self, from: Time, to: Time, shift: Duration, repeat: bool) -> Vec<Outgoing> {
        let mut requests = Vec::new();
        let events: Vec<Value> = due(&self.events, from, to).map(|event| shifted(event, shift)).collect();
        for part in events.chunks(MOST_EVENTS) {
            let headers = vec![("content-type", "application/cloudevents-batch+json")];
            requests.push(outgoing(Sent::Events, "/api/v1/ingest/cloudevents", headers, json!(part).to_string().into_bytes(), part.len()));
        }
        let objects: Vec<Value> = due(&self.objects, from, to).map(|object| shifted(object, shift)).collect();
        for part in objects.chunks(MOST_EVENTS) {
            requests.push(lines_of(Sent::Events, "/api/v1/ingest/kubernetes", part));
        }
        let scores: Vec<Value> = due(&self.scores, from, to).map(|score| shifted(score, shift)).collect();
        for part in scores.chunks(MOST_EVENTS) {
            requests.push(lines_of(Sent::Scores, "/api/v1/scores", part));
        }
        self.samples(from, to, shift, &mut requests);
        self.pushes(from, to, shift, &mut requests);
        let within = |time: Time| time > from && time <= to;
        let alerts: Vec<Value> = self
            .alerts
            .iter()
            .filter(|alert| within(alert.start) || within(alert.end) || (repeat && alert.start <= to && alert.end > to))
            .map(|alert| {
                let mut sent = json!({"labels": alert.labels, "annotations": alert.annotations, "startsAt": alert.start.plus(shift)});
                if let Some(fields) = sent.as_object_mut().filter(|_| alert.end <= to) {
                    fields.insert("endsAt".to_owned(), json!(alert.end.plus(shift)));
                }
                sent
            })
            .collect();
        for part in alerts.chunks(MOST_ALERTS) {
            let headers = vec![("content-type", "application/json")];
            requests.push(outgoing(Sent::Alerts, "/api/v2/alerts", headers, json!(part).to_string().into_bytes(), part.len()));
        }
        requests
    }

    fn samples(&self, from: Time, to: Time, shift: Duration, requests: &mut Vec<Outgoing>) {
        let mut batch: Vec<Part<'_>> = Vec::new();
        let mut waiting = 0;
        for series in &self.series {
            let due = series.points.iter().filter(|(time, _)| *time > from && *time <= to);
            let points: Vec<(Time, f64)> = due.map(|(time, value)| (time.plus(shift), *value)).collect();
            for part in points.chunks(MOST_SAMPLES) {
                if waiting + part.len() > MOST_SAMPLES {
                    requests.extend(write_request(&batch, waiting));
                    batch.clear();
                    waiting = 0;
                }
                waiting += part.len();
                batch.push((&series.labels, part.to_vec()));
            }
        }
        requests.extend(write_request(&batch, waiting));
    }

    fn pushes(&self, from: Time, to: Time, shift: Duration, requests: &mut Vec<Outgoing>) {
        let due: Vec<&RecordedLine> = self.lines.iter().filter(|line| line.time > from && line.time <= to).collect();
        for part in due.chunks(MOST_LINES) {
            let mut streams: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
            for line in part {
                let nanoseconds = i128::from(line.nanoseconds) + i128::from(shift) * 1_000_000;
                let mut values = vec![json!(nanoseconds.to_string()), line.text.clone()];
                values.extend(line.metadata.clone());
                streams.entry(&line.stream).or_default().push(Value::Array(values));
            }
            let labels = |written: &str| serde_json::from_str::<Value>(written).unwrap_or_else(|_| json!({}));
            let streams: Vec<Value> =
                streams.into_iter().map(|(stream, values)| json!({"stream": labels(stream), "values": values})).collect();
            let body = json!({"streams": streams}).to_string().into_bytes();
            requests.push(outgoing(Sent::Lines, "/loki/api/v1/push", vec![("content-type", "application/json")], body, part.len()));
        }
    }

    /// The documents of a file. Behind one that cannot be read, nothing is sent.
    fn documents(&mut self, (name, bytes): &FileText) -> Vec<Value> {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let mut found = Vec::new();
        for document in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
            match document {
                Ok(document) => found.push(document),
                Err(error) => {
                    self.warnings.push(text!("`{}`: what follows cannot be read and is not sent: {}", name, error));
                    break;
                }
            }
        }
        found
    }

    fn read_logs(&mut self, file: &FileText) {
        let documents = self.documents(file);
        let mut left = 0;
        for stream in objects(&documents, &|fields| fields.get("stream").is_some_and(Value::is_object) && fields.contains_key("values")) {
            let labels = stream.get("stream").map(Value::to_string).unwrap_or_default();
            for value in stream.get("values").and_then(Value::as_array).into_iter().flatten() {
                let parts = value.as_array().map(Vec::as_slice).unwrap_or_default();
                let nanoseconds = parts.first().and_then(|time| match time {
                    Value::String(written) => written.trim().parse::<i64>().ok(),
                    other => other.as_i64(),
                });
                let (Some(nanoseconds), Some(text)) = (nanoseconds, parts.get(1).filter(|text| text.is_string())) else {
                    left += 1;
                    continue;
                };
                self.lines.push(RecordedLine {
                    // A line belongs to the millisecond in which it ends: what is due by then has it.
                    time: Time(nanoseconds.div_euclid(1_000_000)),
                    nanoseconds,
                    stream: labels.clone(),
                    text: text.clone(),
                    metadata: parts.get(2).filter(|metadata| metadata.is_object()).cloned(),
                });
            }
        }
        self.leave_out(&file.0, left);
    }

    fn read_events(&mut self, file: &FileText) {
        let documents = self.documents(file);
        let mut left = 0;
        // An event of a cluster has a `type` too; a list of its objects has `items`.
        let is_object = |fields: &Map<String, Value>| fields.contains_key("kind") && fields.contains_key("metadata");
        let meant = |fields: &Map<String, Value>| fields.contains_key("type") || (is_object(fields) && !fields.contains_key("items"));
        for fields in objects(&documents, &meant) {
            let (own, entry) = (is_object(fields), Value::Object(fields.clone()));
            match entry.get("time").and_then(moment).filter(|_| !own).or_else(|| latest(&entry)) {
                Some(time) if own => self.objects.push((time, entry)),
                Some(time) => self.events.push((time, entry)),
                None => left += 1,
            }
        }
        self.leave_out(&file.0, left);
    }

    fn read_scores(&mut self, file: &FileText) {
        let documents = self.documents(file);
        let mut left = 0;
        for score in objects(&documents, &|fields| fields.contains_key("score")) {
            let mut score = score.clone();
            for key in ["time", "onset"] {
                // Seconds since 1970 become text, which is moved like any other time.
                if let Some(time) = score.get(key).and_then(Value::as_f64).and_then(Time::from_seconds) {
                    score.insert(key.to_owned(), json!(time));
                }
            }
            match score.get("time").and_then(moment) {
                Some(time) => self.scores.push((time, Value::Object(score))),
                None => left += 1,
            }
        }
        self.leave_out(&file.0, left);
    }

    fn read_alerts(&mut self, documents: &[Value]) {
        let mut known: BTreeMap<(String, Time), RecordedAlert> = BTreeMap::new();
        for alert in alerts_in(documents) {
            let labels = alert.get("labels").cloned().unwrap_or_default();
            let start = alert.get("startsAt").and_then(moment).unwrap_or(self.first);
            let told = alert.get("endsAt").and_then(moment);
            let status = alert.get("status").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
            let end = match status.as_str() {
                "resolved" | "ok" | "normal" => told.unwrap_or(self.last),
                "firing" | "alerting" => Time::MAX,
                // An end that is not over when the recording ends is only a deadline.
                _ => told.filter(|end| *end <= self.last).unwrap_or(Time::MAX),
            };
            let annotations = alert.get("annotations").cloned().unwrap_or_else(|| json!({}));
            let fresh = RecordedAlert { labels, annotations, start, end: Time::MAX };
            let one = known.entry((fresh.labels.to_string(), start)).or_insert(fresh);
            one.end = one.end.min(end.max(start));
        }
        self.alerts = known.into_values().collect();
        self.alerts.sort_by_key(|alert| alert.start);
    }

    /// The times of the first and the last signal.
    fn span(&self, alerts: &[Value]) -> Option<(Time, Time)> {
        let mut times: BTreeSet<Time> = BTreeSet::new();
        for series in &self.series {
            times.extend(series.points.first().map(|(time, _)| *time));
            times.extend(series.points.last().map(|(time, _)| *time));
        }
        times.extend(self.lines.iter().map(|line| line.time));
        for list in [&self.events, &self.objects, &self.scores] {
            times.extend(list.iter().map(|(time, _)| *time));
        }
        for alert in alerts_in(alerts) {
            times.extend(alert.get("startsAt").and_then(moment));
            let resolved = alert.get("status").and_then(Value::as_str).is_some_and(|status| status.eq_ignore_ascii_case("resolved"));
            times.extend(alert.get("endsAt").and_then(moment).filter(|_| resolved));
        }
        Some((*times.first()?, *times.last()?))
    }

    fn leave_out(&mut self, file: &str, count: usize) {
        if count > 0 {
            self.warnings.push(text!("`{}`: {} entries without a time or a text are not sent", file, count));
        }
    }
}

fn outgoing(sent: Sent, path: &'static str, headers: Vec<(&'static str, &'static str)>, body: Vec<u8>, entries: usize) -> Outgoing {
    Outgoing { sent, path, headers, body, entries }
}

/// One object a line.
fn lines_of(sent: Sent, path: &'static str, part: &[Value]) -> Outgoing {
    let body: String = part.iter().flat_map(|entry| [entry.to_string(), "\n".to_owned()]).collect();
    outgoing(sent, path, vec![("content-type", "application/x-ndjson")], body.into_bytes(), part.len())
}

fn write_request(batch: &[Part<'_>], entries: usize) -> Option<Outgoing> {
    if batch.is_empty() {
        return None;
    }
    let body = remote_write_body(batch.iter().map(|(labels, points)| (*labels, points.as_slice())))?;
    let headers =
        vec![("content-type", "application/x-protobuf"), ("content-encoding", "snappy"), ("x-prometheus-remote-write-version", "0.1.0")];
    Some(outgoing(Sent::Samples, "/api/v1/write", headers, body, entries))
}

/// What was recorded after `from` and until `to`.
fn due(list: &[(Time, Value)], from: Time, to: Time) -> impl Iterator<Item = &Value> {
    list.iter().filter(move |(time, _)| *time > from && *time <= to).map(|(_, value)| value)
}

/// The alerts in the documents, whatever surrounds them.
fn alerts_in(documents: &[Value]) -> Vec<&Map<String, Value>> {
    objects(documents, &|fields| fields.get("labels").is_some_and(Value::is_object))
}

/// The outermost objects that are meant, in their order.
fn objects<'v>(documents: &'v [Value], meant: &impl Fn(&Map<String, Value>) -> bool) -> Vec<&'v Map<String, Value>> {
    fn collect<'v>(value: &'v Value, meant: &impl Fn(&Map<String, Value>) -> bool, found: &mut Vec<&'v Map<String, Value>>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| collect(item, meant, found)),
            Value::Object(fields) if meant(fields) => found.push(fields),
            Value::Object(fields) => fields.values().for_each(|field| collect(field, meant, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = Vec::new();
    documents.iter().for_each(|document| collect(document, meant, &mut found));
    found
}

/// A time that is written in full. Go's zero time is none.
fn moment(value: &Value) -> Option<Time> {
    const ZERO: Time = Time(-62_135_596_800_000);
    let text = value.as_str().filter(|text| text.len() >= "2025-06-01T10:00Z".len())?;
    Time::parse(text).filter(|time| *time > ZERO.plus(DAY))
}

/// The latest time in a value.
fn latest(value: &Value) -> Option<Time> {
    match value {
        Value::Array(items) => items.iter().filter_map(latest).max(),
        Value::Object(fields) => fields.values().filter_map(latest).max(),
        Value::String(_) => moment(value),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// The same with every time in it moved.
fn shifted(value: &Value, shift: Duration) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| shifted(item, shift)).collect(),
        Value::Object(fields) => Value::Object(fields.iter().map(|(key, field)| (key.clone(), shifted(field, shift))).collect()),
        Value::String(_) => moment(value).map_or_else(|| value.clone(), |time| json!(time.plus(shift))),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}
