//! CloudEvents 1.0, one per line or as an array: changes, probes and reports; and what a Kubernetes cluster says, as it is or in one.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::Value;

use diag::{Code, Diagnostic, Text, text};
use estate::ComponentId;
use value::Time;

use super::answers;
use super::counts::{Counts, KindCounts};
use super::facts::{Change, Origin, Probe, Report};
use super::json;
use super::kubernetes_events::{self, Cluster};
use super::mapping_rules::EventKind;
use super::placed::PlacedSignal;
use super::placement::{Placement, SUBJECT};
use super::reader_context::{Complaints, ReaderContext};
use super::resolver::Resolver;

/// Prefixes of the words in a CloudEvents type that determine its kind.
const WORDS: &[(&str, EventKind)] = &[
    ("change", EventKind::Change),
    ("deploy", EventKind::Change),
    ("failover", EventKind::Change),
    ("config", EventKind::Change),
    ("probe", EventKind::Probe),
    ("healthcheck", EventKind::Probe),
    ("report", EventKind::Report),
    ("feedback", EventKind::Report),
];

/// Fields of `data` that may contain the text of an event, best first.
pub(super) const TEXTS: &[&str] = &["summary", "text", "message", "description", "title", "error"];

/// `(source, id)` of the events already read: together they identify an event, whichever file it is repeated in.
pub(super) type Seen = BTreeSet<(String, String)>;

pub(super) fn read(file: &str, bytes: &[u8], seen: &mut Seen, context: &mut ReaderContext<'_>) -> Result<(), Box<Diagnostic>> {
    let mut complaints = Complaints::default();
    let is_known = |entry: &Value| entry.get("type").is_some() || kubernetes_events::is_object(entry);
    let entries = answers::entries(file, bytes, is_known)?;
    if !entries.is_empty() && !entries.iter().any(|entry| entry.as_ref().is_ok_and(is_known)) {
        let what = text!("`{}` contains no CloudEvents: no entry has a `type`", file);
        return Err(Box::new(
            Diagnostic::nowhere(Code::SIGNAL_FORMAT, what).help("expected CloudEvents 1.0 as JSON, one per line or as an array"),
        ));
    }
    // What a cluster says is many signals in one entry: they are numbered behind all entries, if there are others.
    let alone = entries.iter().all(|entry| entry.as_ref().is_ok_and(kubernetes_events::is_object));
    let behind = if alone { 0 } else { entries.len() };
    let mut cluster = Cluster::of(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let taken = match entry {
            Ok(object) if kubernetes_events::is_object(object) => {
                cluster.read(index, object, context.received);
                Ok(())
            }
            Ok(event) if wraps_object(index, event, seen, &mut cluster, context) => Ok(()),
            Ok(event) => take(file, index, event, seen, context),
            Err(reason) => Err(Refusal { kind: None, code: Code::SIGNAL_ENTRY, reason: text!("invalid JSON"), found: reason.clone() }),
        };
        if let Err(refusal) = taken {
            reject(file, index, &refusal, &mut complaints, context);
        }
    }
    for unread in cluster.settle(file, behind, seen, context) {
        let refusal = Refusal { kind: None, code: Code::SIGNAL_ENTRY, reason: unread.reason, found: unread.object };
        reject(file, unread.index, &refusal, &mut complaints, context);
    }
    complaints.report(file, &mut context.diagnostics);
    Ok(())
}

fn reject(file: &str, index: usize, refusal: &Refusal, complaints: &mut Complaints, context: &mut ReaderContext<'_>) {
    let found = answers::and_found(&refusal.found);
    complaints.add(refusal.code, text!("events rejected, {}", refusal.reason), 1, || text!("event {}{}", index, found));
    let counts = counter(&mut context.counts, refusal.kind);
    counts.received += 1;
    counts.reject(&refusal.reason.to_string(), 1);
    context.unread(file, index, "event", refusal.code, &refusal.reason, &found);
}

/// The object of Kubernetes that is the data of a `CloudEvent`, and when it was sent, unless the user says what events of its type are.
pub(super) fn wrapped<'e>(entry: &'e Value, placer: &Resolver<'_>) -> Option<(Cow<'e, Value>, Option<Time>)> {
    let name = entry.get("type").and_then(Value::as_str).unwrap_or_default();
    let data = payload(entry).ok()?;
    let sent = entry.get("time").and_then(Value::as_str).and_then(Time::parse);
    (kubernetes_events::is_object(&data) && placer.event_kind(name).is_none()).then_some((data, sent))
}

/// Reads a `CloudEvent` whose data is an object of Kubernetes. Returns whether it is one.
fn wraps_object(index: usize, entry: &Value, seen: &mut Seen, cluster: &mut Cluster, context: &mut ReaderContext<'_>) -> bool {
    let Some((data, sent)) = wrapped(entry, context.placer) else { return false };
    let source = entry.get("source").and_then(json::scalar).unwrap_or_default();
    if let Some(id) = entry.get("id").and_then(json::scalar)
        && !seen.insert((source, id))
    {
        context.counts.other_events.received += 1;
        context.counts.other_events.duplicates += 1;
        return true;
    }
    cluster.read(index, &data, sent.or(context.received));
    true
}

/// Why an event is rejected.
struct Refusal {
    kind: Option<EventKind>,
    code: Code,
    reason: Text,
    found: String,
}

/// The fields common to all events, and the fields of `data` as text.
struct Event<'e> {
    kind: EventKind,
    name: &'e str,
    subject: Option<String>,
    source: String,
    time: Time,
    text: Option<String>,
    data: BTreeMap<String, String>,
}

fn take(file: &str, index: usize, entry: &Value, seen: &mut Seen, context: &mut ReaderContext<'_>) -> Result<(), Refusal> {
    let refusal = |kind, code, reason: Text, found: String| Refusal { kind, code, reason, found };
    let Some(name) = entry.get("type").and_then(Value::as_str) else {
        return Err(refusal(None, Code::SIGNAL_ENTRY, text!("no `type`, so not a CloudEvent"), String::new()));
    };
    let Some(kind) = context.placer.event_kind(name).or_else(|| kind_of(name)) else {
        return Err(refusal(None, Code::SIGNAL_ENTRY, unknown_type(name), String::new()));
    };
    let written = entry.get("time").and_then(json::scalar).unwrap_or_default();
    let sent = context.received.filter(|_| written.is_empty());
    let Some(time) = sent.or_else(|| Time::parse(&written)) else {
        let reason = if written.is_empty() { text!("no `time`") } else { text!("invalid `time`") };
        return Err(refusal(Some(kind), Code::SIGNAL_TIME, reason, written));
    };
    let source = entry.get("source").and_then(json::scalar).unwrap_or_default();
    if let Some(id) = entry.get("id").and_then(json::scalar)
        && !seen.insert((source, id))
    {
        let counts = counter(&mut context.counts, Some(kind));
        counts.received += 1;
        counts.duplicates += 1;
        return Ok(());
    }
    let event = Event::of(entry, kind, name, time).map_err(|reason| refusal(Some(kind), Code::SIGNAL_ENTRY, reason, String::new()))?;
    keep(event, Origin { file: file.to_owned(), index }, context)
}

fn unknown_type(name: &str) -> Text {
    text!("unknown type `{}` (map it in `events` of topology/sources.yaml)", name)
}

/// Where a `CloudEvent` is placed; `None` if this is none. No place depends on the time, but one with a wrong time is not read.
///
/// # Errors
/// Why it is not read.
pub(super) fn placed(entry: &Value, placer: &Resolver<'_>) -> Result<Option<PlacedSignal>, Text> {
    let Some(name) = entry.get("type").and_then(Value::as_str) else { return Ok(None) };
    let Some(kind) = placer.event_kind(name).or_else(|| kind_of(name)) else {
        // Other things have a type, too.
        let is_event = ["specversion", "source", "subject", "data"].iter().any(|field| entry.get(*field).is_some());
        return if is_event { Err(unknown_type(name)) } else { Ok(None) };
    };
    let written = entry.get("time").and_then(json::scalar).unwrap_or_default();
    if !written.is_empty() && Time::parse(&written).is_none() {
        return Err(text!("{}{}", text!("invalid `time`"), answers::and_found(&written)));
    }
    let event = Event::of(entry, kind, name, Time::MIN)?;
    if kind == EventKind::Probe {
        succeeded(&event.data).map_err(|(reason, found)| text!("{}{}", reason, answers::and_found(&found)))?;
    }
    let placement = place(&event, placer);
    let instance = event.instance(placement.component, placer);
    Ok(Some(PlacedSignal { name: name.to_owned(), labels: event.data, placement, instance }))
}

impl<'e> Event<'e> {
    fn of(entry: &'e Value, kind: EventKind, name: &'e str, time: Time) -> Result<Event<'e>, Text> {
        let payload = payload(entry)?;
        let data = json::scalars(Some(&payload));
        let text = TEXTS.iter().find_map(|key| data.get(*key).cloned()).or_else(|| payload.as_str().map(str::to_owned));
        let scalar = |key: &str| entry.get(key).and_then(json::scalar);
        Ok(Event { kind, name, subject: scalar("subject"), source: scalar("source").unwrap_or_default(), time, text, data })
    }

    /// The pod that it names, if the estate does not have it. Probes and reports are about what they name, and nothing in it.
    fn instance(&self, component: Option<ComponentId>, placer: &Resolver<'_>) -> Option<String> {
        match self.kind {
            EventKind::Change => placer.unlisted(component, &self.data, None),
            EventKind::Probe | EventKind::Report => None,
        }
    }
}

/// The data of an event: `data`, or `data_base64` of senders that treat it as bytes. Text that is a JSON object counts as one.
fn payload(entry: &Value) -> Result<Cow<'_, Value>, Text> {
    let object = |text: &str| serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
    match (entry.get("data"), entry.get("data_base64")) {
        (Some(Value::String(text)), _) => Ok(object(text).map_or_else(|| Cow::Owned(Value::String(text.clone())), Cow::Owned)),
        (None | Some(Value::Null), Some(Value::String(encoded))) => {
            // Tools that wrap lines do so here too.
            let compact: String = encoded.split_whitespace().collect();
            let bytes = BASE64_STANDARD.decode(compact).map_err(|_| text!("invalid `data_base64`"))?;
            let text = String::from_utf8(bytes).map_err(|_| text!("`data_base64` is not text"))?;
            Ok(Cow::Owned(object(&text).unwrap_or(Value::String(text))))
        }
        (None | Some(Value::Null), Some(encoded)) if !encoded.is_null() => Err(text!("invalid `data_base64`")),
        (Some(data), _) => Ok(Cow::Borrowed(data)),
        (None, _) => Ok(Cow::Owned(Value::Null)),
    }
}

fn keep(event: Event<'_>, origin: Origin, context: &mut ReaderContext<'_>) -> Result<(), Refusal> {
    let (placement, first) = (place(&event, context.placer), origin.clone());
    let component = placement.component;
    let instance = event.instance(component, context.placer);
    let Event { kind, name, subject, time, text, mut data, .. } = event;
    if let Some(subject) = subject.filter(|_| component.is_none()) {
        data.entry(SUBJECT.to_owned()).or_insert(subject);
    }
    match kind {
        EventKind::Change => {
            let kind = data.get("kind").map_or(name, String::as_str);
            let text = text.map_or_else(|| kind.to_owned(), |text| format!("{kind}\n{text}"));
            context.facts.changes.push(Change { origin, component, instance, time, text, attributes: data });
        }
        EventKind::Probe => {
            let success =
                succeeded(&data).map_err(|(reason, found)| Refusal { kind: Some(kind), code: Code::SIGNAL_ENTRY, reason, found })?;
            let from = data.get("from").and_then(|from| context.placer.named(from));
            context.facts.probes.push(Probe { origin, from, component, time, success, text: text.unwrap_or_default() });
        }
        EventKind::Report => {
            context.facts.reports.push(Report { origin, component, time, text: text.unwrap_or_default(), attributes: data });
        }
    }
    let counts = counter(&mut context.counts, Some(kind));
    counts.received += 1;
    counts.keep(component.is_some());
    context.settle(&placement, &first);
    Ok(())
}

/// The component an event is about: the target of a probe, `data.component`, the subject or the end of its path, or any other
/// field of `data` that is a label for placement.
fn place(event: &Event<'_>, placer: &Resolver<'_>) -> Placement {
    let target = match event.kind {
        EventKind::Probe => event.data.get("to"),
        EventKind::Change | EventKind::Report => None,
    };
    // Placements of the user may also use the envelope of the event.
    let labelled = || {
        let mut labels = event.data.clone();
        let frame = [("subject", event.subject.as_deref().unwrap_or("")), ("source", event.source.as_str()), ("type", event.name)];
        for (name, value) in frame {
            labels.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
        placer.explain(&labels, None)
    };
    let named = |label: &'static str, text: &str| Some(Placement::labelled(placer.named(text)?, label));
    if let Some(target) = target.or_else(|| event.data.get("component")) {
        return named("component", target).unwrap_or_else(labelled);
    }
    let subject = event.subject.as_deref().filter(|subject| !subject.is_empty());
    let of_subject = subject.and_then(|s| named("subject", s).or_else(|| named("subject", s.rsplit('/').next()?)));
    of_subject.unwrap_or_else(|| {
        let found = labelled();
        Placement { why: found.why.map(|why| why.of_subject(subject)), ..found }
    })
}

/// Whether a probe succeeded; if that is not said, why, and what it says instead.
fn succeeded(data: &BTreeMap<String, String>) -> Result<bool, (Text, String)> {
    let (key, word) = result(data).ok_or_else(|| (text!("a probe without a result (`data.success`)"), String::new()))?;
    success(word).ok_or_else(|| (text!("a probe with an unknown result"), format!("`data.{key}` is `{word}`")))
}

/// The field that tells whether a probe succeeded.
fn result(data: &BTreeMap<String, String>) -> Option<(&'static str, &str)> {
    ["success", "ok", "result", "status"].into_iter().find_map(|key| Some((key, data.get(key)?.as_str())))
}

/// Whether a probe succeeded, from the values that tools use, or the status of an HTTP response.
fn success(word: &str) -> Option<bool> {
    match word.to_lowercase().as_str() {
        "true" | "1" | "yes" | "ok" | "success" | "succeeded" | "pass" | "passed" | "up" => Some(true),
        "false" | "0" | "no" | "fail" | "failed" | "failure" | "error" | "timeout" | "down" => Some(false),
        other => match other.parse::<u16>() {
            Ok(200..=399) => Some(true),
            Ok(400..=599) => Some(false),
            Ok(_) | Err(_) => None,
        },
    }
}

/// The kind, from the words of a type. They go from general to specific (`com.example.config.probe`), so the last known one decides.
fn kind_of(name: &str) -> Option<EventKind> {
    let mut kind = None;
    let mut before = String::new();
    for word in words(name) {
        // `health_check` and `healthCheck` arrive as two words.
        let word = if before == "health" { before + word.as_str() } else { word };
        if let Some((_, of_word)) = WORDS.iter().find(|(beginning, _)| word.starts_with(beginning)) {
            kind = Some(*of_word);
        }
        before = word;
    }
    kind
}

/// `com.example.configChanged` as `com`, `example`, `config`, `changed`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        was_lower = c.is_lowercase();
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
    }
    words
}

fn counter(counts: &mut Counts, kind: Option<EventKind>) -> &mut KindCounts {
    match kind {
        Some(EventKind::Change) => &mut counts.changes,
        Some(EventKind::Probe) => &mut counts.probes,
        Some(EventKind::Report) => &mut counts.reports,
        None => &mut counts.other_events,
    }
}
