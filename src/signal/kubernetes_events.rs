//! The words of a Kubernetes cluster about its objects: events of both APIs, single or in lists, and what statuses say.

use std::collections::BTreeMap;

use serde_json::Value;

use diag::{Text, text};
use value::{DAY, Time};

use super::counts::{Counts, KindCounts};
use super::events::Seen;
use super::facts::{Change, LogLine, Origin};
use super::json;
use super::kubernetes_grades::{Grade, grade};
use super::kubernetes_objects::{Object, at, field, moment};
use super::kubernetes_status;
use super::placed::PlacedSignal;
use super::placement::Placement;
use super::reader_context::ReaderContext;
use super::resolver::Resolver;

/// The label `source` of lines and changes that are made here. Their label `reason` has the reason.
pub const KUBERNETES: &str = "kubernetes";

/// What is said of one object.
pub(super) struct Said {
    /// Two with the same key are one, of which the later counts. Empty: it has no identity.
    pub key: String,
    pub object: Object,
    pub grade: Grade,
    pub reason: String,
    /// May be empty.
    pub message: String,
    pub first: Time,
    pub last: Time,
    /// It has been so for long, and belongs to no new incident.
    pub chronic: bool,
    /// Besides those of the object.
    pub labels: BTreeMap<String, String>,
}

/// All that was said in a file, before it becomes facts.
#[derive(Default)]
pub(super) struct Cluster {
    said: Vec<Said>,
    /// Positions in `said`.
    by_key: BTreeMap<String, usize>,
    /// Of what was said again, whether it is a change.
    repeats: Vec<bool>,
    /// Whether the file is one entry: if that is a list, its items count as entries.
    of_one: bool,
    unread: Vec<Unread>,
}

/// What could not be read.
pub(super) struct Unread {
    /// Of the entry that it is in.
    pub index: usize,
    pub reason: Text,
    /// The object; may be empty.
    pub object: String,
}

/// Whether an entry is an object of the API, or a list of some. A `CloudEvent` is not, even if its data is.
pub(super) fn is_object(value: &Value) -> bool {
    if value.get("specversion").is_some() {
        return false;
    }
    let of_api = field(value, "apiVersion").is_some() && field(value, "kind").is_some();
    let is_list = field(value, "kind").is_some_and(|kind| kind.ends_with("List")) && value.get("items").is_some_and(Value::is_array);
    of_api || is_list || involved(value).is_some() || value.get("object").is_some_and(is_object)
}

impl Cluster {
    /// Of a file with this many entries.
    pub fn of(entries: usize) -> Self {
        Self { of_one: entries == 1, ..Self::default() }
    }

    /// `sent`: the time of the message that it came in, if it has none itself.
    pub fn read(&mut self, index: usize, value: &Value, sent: Option<Time>) {
        let asked = sent.or_else(|| kubernetes_status::asked(value));
        self.read_as("", index, value, (sent, asked));
    }

    /// `asked`: when what it tells was so, at the latest.
    fn read_as(&mut self, of: &str, index: usize, value: &Value, (sent, asked): (Option<Time>, Option<Time>)) {
        // `kubectl get --watch --output-watch-events` wraps each object.
        if let Some(object) = value.get("object").filter(|object| is_object(object)) {
            return self.read_as(of, index, object, (sent, asked));
        }
        let kind = field(value, "kind").unwrap_or(of);
        if let Some(items) = value.get("items").and_then(Value::as_array) {
            // `kubectl get --raw` leaves the kind out of each item.
            let one = kind.strip_suffix("List").unwrap_or_default();
            for (position, item) in items.iter().enumerate() {
                self.read_as(one, if self.of_one { position } else { index }, item, (sent, asked));
            }
            return;
        }
        let all = if kind == "Event" || involved(value).is_some() {
            vec![event(value, sent)]
        } else {
            kubernetes_status::read(kind, value, asked)
        };
        for said in all {
            match said {
                Ok(said) => self.add(said),
                Err(reason) => self.unread.push(Unread { index, reason, object: named(kind, value) }),
            }
        }
    }

    fn add(&mut self, said: Said) {
        let known = self.by_key.get(&said.key).copied().filter(|_| !said.key.is_empty());
        if let Some(before) = known.and_then(|at| self.said.get_mut(at)) {
            // The same event again is an update.
            let older = if said.last >= before.last { std::mem::replace(before, said) } else { said };
            self.repeats.push(older.is_change());
            return;
        }
        self.by_key.insert(said.key.clone(), self.said.len());
        self.said.push(said);
    }

    /// What could not be read, with the entry that it is in.
    pub fn unread(&self) -> &[Unread] {
        &self.unread
    }

    /// Where all of it is placed.
    pub fn placed(self, placer: &Resolver<'_>) -> impl Iterator<Item = PlacedSignal> {
        self.said.into_iter().map(move |said| {
            let (labels, placement) = said.place(placer);
            let instance = said.object.unlisted(placement.component, placer);
            PlacedSignal { name: said.reason, labels, placement, instance }
        })
    }

    /// Makes facts of all, numbered from `from` on. Returns what could not be read.
    pub fn settle(self, file: &str, from: usize, seen: &mut Seen, context: &mut ReaderContext<'_>) -> Vec<Unread> {
        let mut repeats = self.repeats;
        let mut number = from;
        for said in self.said {
            if !said.key.is_empty() && !seen.insert((KUBERNETES.to_owned(), said.key.clone())) {
                repeats.push(said.is_change());
                continue;
            }
            said.keep(file, &mut number, context);
        }
        for is_change in repeats {
            let counts = counter(is_change, &mut context.counts);
            counts.received += 1;
            counts.duplicates += 1;
        }
        self.unread
    }
}

impl Said {
    fn is_change(&self) -> bool {
        self.grade == Grade::Change && !self.chronic
    }

    /// When it was first and last so; of what is chronic only the last.
    fn times(&self) -> Vec<Time> {
        if self.chronic || self.first >= self.last { vec![self.last] } else { vec![self.first, self.last] }
    }

    fn keep(&self, file: &str, number: &mut usize, context: &mut ReaderContext<'_>) {
        let (labels, placement) = self.place(context.placer);
        for time in self.times() {
            let origin = Origin { file: file.to_owned(), index: *number };
            let component = context.settle(&placement, &origin);
            let instance = self.object.unlisted(component, context.placer);
            *number += 1;
            let counts = counter(self.is_change(), &mut context.counts);
            counts.received += 1;
            counts.keep(component.is_some());
            if self.is_change() {
                let (text, attributes) = (self.text("\n"), labels.clone());
                context.facts.changes.push(Change { origin, component, instance, time, text, attributes });
            } else {
                let (text, labels) = (self.text(": "), labels.clone());
                context.facts.logs.push(LogLine { origin, component, instance, time, text, labels });
                context.facts.present.logs = true;
            }
        }
    }

    /// Its labels, and where it is placed by them and its object.
    fn place(&self, placer: &Resolver<'_>) -> (BTreeMap<String, String>, Placement) {
        let mut labels = self.all_labels();
        let placement = self.object.place(&self.reason, &labels, placer);
        // It says where a pod is, and is not what a pod is placed by.
        if let Some(node) = &self.object.node {
            labels.entry("node".to_owned()).or_insert_with(|| node.clone());
        }
        (labels, placement)
    }

    fn text(&self, between: &str) -> String {
        if self.message.is_empty() { self.reason.clone() } else { format!("{}{between}{}", self.reason, self.message) }
    }

    fn all_labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.object.labels();
        labels.extend(self.labels.iter().map(|(name, value)| (name.clone(), value.clone())));
        let level = if self.chronic { Grade::Quiet.level() } else { self.grade.level() };
        for (name, value) in [("level", level), ("reason", self.reason.as_str()), ("source", KUBERNETES)] {
            labels.insert(name.to_owned(), value.to_owned());
        }
        labels
    }
}

fn counter(is_change: bool, counts: &mut Counts) -> &mut KindCounts {
    if is_change { &mut counts.changes } else { &mut counts.logs }
}

/// The object that an event is about: `regarding` in the newer of the two APIs.
fn involved(value: &Value) -> Option<&Value> {
    ["involvedObject", "regarding"].into_iter().find_map(|key| value.get(key)).filter(|object| object.is_object())
}

fn event(value: &Value, sent: Option<Time>) -> Result<Said, Text> {
    let object = object(value).ok_or_else(|| text!("a Kubernetes event about an object without a name"))?;
    let reason = field(value, "reason").ok_or_else(|| text!("a Kubernetes event without `reason`"))?;
    let (first, last) = times(value, sent).ok_or_else(|| text!("a Kubernetes event without a time"))?;
    let message = field(value, "message").or_else(|| field(value, "note")).unwrap_or_default();
    let unknown = if field(value, "type") == Some("Warning") { Grade::Effect } else { Grade::Quiet };
    let count = count(value);
    Ok(Said {
        key: key(value),
        grade: grade(&object.kind, reason).unwrap_or(unknown),
        object,
        reason: reason.to_owned(),
        message: message.to_owned(),
        first,
        last,
        // A steady count since yesterday or before is how things are there.
        chronic: count > 1 && last.since(first) > DAY,
        labels: labels(value, count),
    })
}

fn object(value: &Value) -> Option<Object> {
    let involved = involved(value)?;
    let namespace = field(involved, "namespace").or_else(|| field(value.get("metadata")?, "namespace"));
    Some(Object::new(field(involved, "kind").unwrap_or_default(), namespace, field(involved, "name")?).on(host(value)))
}

/// Kind, namespace and name of what an entry speaks of, as far as it says; empty without a name.
fn named(kind: &str, value: &Value) -> String {
    let metadata = value.get("metadata");
    let (kind, place) = involved(value).map_or((kind, metadata), |involved| (field(involved, "kind").unwrap_or_default(), Some(involved)));
    let Some(name) = place.and_then(|place| field(place, "name")) else { return String::new() };
    let namespace = [place, metadata].into_iter().flatten().find_map(|place| field(place, "namespace"));
    let name = namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"));
    format!("{kind} {name}").trim_start().to_owned()
}

/// The machine that speaks. For a pod it is its own: others that speak of pods are on none.
fn host(value: &Value) -> Option<&str> {
    let source = ["source", "deprecatedSource"].into_iter().find_map(|key| field(value.get(key)?, "host"));
    let is_kubelet = ["reportingComponent", "reportingController"].into_iter().any(|key| field(value, key) == Some("kubelet"));
    source.or_else(|| field(value, "reportingInstance").filter(|_| is_kubelet))
}

/// An event has a `uid`, and in any case a name of its own.
fn key(value: &Value) -> String {
    let Some(metadata) = value.get("metadata") else { return String::new() };
    if let Some(uid) = field(metadata, "uid") {
        return uid.to_owned();
    }
    field(metadata, "name").map(|name| format!("{}/{name}", field(metadata, "namespace").unwrap_or_default())).unwrap_or_default()
}

/// First and last time. Both APIs leave out what they do not need.
fn times(value: &Value, sent: Option<Time>) -> Option<(Time, Time)> {
    const FIRST: &[&[&str]] = &[&["firstTimestamp"], &["deprecatedFirstTimestamp"], &["eventTime"]];
    const LAST: &[&[&str]] = &[&["series", "lastObservedTime"], &["lastTimestamp"], &["deprecatedLastTimestamp"], &["eventTime"]];
    let all = |paths: &[&[&str]]| paths.iter().filter_map(|path| moment(value, path)).collect::<Vec<Time>>();
    let (firsts, lasts) = (all(FIRST), all(LAST));
    let any = moment(value, &["metadata", "creationTimestamp"]).or(sent);
    let first = firsts.first().or(lasts.first()).copied().or(any)?;
    Some((first, lasts.into_iter().max().unwrap_or(first).max(first)))
}

/// How often it happened.
fn count(value: &Value) -> u64 {
    let counts = [at(value, &["series", "count"]), value.get("count"), value.get("deprecatedCount")];
    counts.into_iter().flatten().filter_map(Value::as_u64).max().unwrap_or(1)
}

fn labels(value: &Value, count: u64) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::from([("count".to_owned(), count.to_string())]);
    if let Some(of_type) = value.get("type").and_then(json::scalar) {
        labels.insert("type".to_owned(), of_type);
    }
    // `spec.containers{db}`
    let path = involved(value).and_then(|involved| field(involved, "fieldPath"));
    if let Some((_, container)) = path.and_then(|path| path.strip_suffix('}')).and_then(|path| path.split_once('{')) {
        labels.insert("container".to_owned(), container.to_owned());
    }
    labels
}
