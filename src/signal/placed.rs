//! Where each signal of a file is placed, whatever the file is: alerts, the answer of Prometheus, log streams, events, what a cluster says.

use std::collections::BTreeMap;

use serde_json::Value;

use diag::{Diagnostic, Text, text};

use super::alertmanager::{failure, query};
use super::answers::{Aside, and_found, answers};
use super::events;
use super::json;
use super::kubernetes_events::{Cluster, is_object};
use super::placement::Placement;
use super::resolver::Resolver;

/// One signal, and where it is placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedSignal {
    /// Of the alert, the series or the event, or the reason that a cluster gives; empty if it has none.
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub placement: Placement,
    /// The pod that it names, if the estate does not have it, so that it was placed on its workload.
    pub instance: Option<String>,
}

/// Keys under which alerts, series and streams have their labels.
const KEYS: &[&str] = &["labels", "metric", "stream"];

impl PlacedSignal {
    /// By labels, and the query behind them if it is known.
    pub fn of_labels(name: String, labels: BTreeMap<String, String>, query: Option<&str>, placer: &Resolver<'_>) -> Self {
        let placement = placer.explain(&labels, query);
        let instance = placer.unlisted(placement.component, &labels, query);
        Self { name, labels, placement, instance }
    }
}

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlacedFile {
    /// In the order of the file; what a cluster says comes last.
    pub signals: Vec<PlacedSignal>,
    /// In the order of the file.
    pub refused: Vec<RefusedEntry>,
}

/// An entry of a file that is no signal, or one that a diagnosis does not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedEntry {
    /// Where it begins, from 1.
    pub line: usize,
    pub reason: Text,
}

/// All that a file holds.
///
/// # Errors
/// The file is not JSON.
pub fn placed(file: &str, bytes: &[u8], placer: &Resolver<'_>) -> Result<PlacedFile, Box<Diagnostic>> {
    let answers = answers::<Value>(file, bytes)?;
    let used = answers.iter().filter(|answer| answer.read.is_ok()).count();
    let mut gathered = Gathered { placer, line: 1, cluster: Cluster::default(), found: PlacedFile::default() };
    for answer in answers {
        gathered.line = answer.place.line;
        match answer.read {
            Ok(document) => gathered.take(&document),
            // One that cannot be read costs only itself.
            Err(broken) if used == 0 => return Err(broken.alone(file)),
            Err(broken) => {
                let Aside { reason, found, .. } = broken.aside(file, answer.place);
                gathered.refuse(text!("{}{}", reason, and_found(&found)));
            }
        }
    }
    Ok(gathered.finish())
}

/// What was found so far.
struct Gathered<'p> {
    placer: &'p Resolver<'p>,
    /// In which line the document begins that is read.
    line: usize,
    cluster: Cluster,
    found: PlacedFile,
}

impl Gathered<'_> {
    fn take(&mut self, document: &Value) {
        let count = |found: &PlacedFile| (found.signals.len(), found.refused.len());
        let before = count(&self.found);
        let known = self.collect(document);
        if count(&self.found) != before {
            return;
        }
        if let Some(said) = failure(document) {
            self.refuse(text!("an error instead of signals: {}", said));
        } else if !known {
            self.refuse(text!("no alert, series, log stream or event"));
        }
    }

    /// Whether the value is something that may hold signals.
    fn collect(&mut self, value: &Value) -> bool {
        match value {
            Value::Array(items) => items.iter().fold(items.is_empty(), |known, item| self.collect(item) || known),
            Value::Object(_) if is_object(value) => {
                self.cluster.read(self.line, value, None);
                true
            }
            Value::Object(fields) => {
                if let Some((object, sent)) = events::wrapped(value, self.placer) {
                    self.cluster.read(self.line, &object, sent);
                    return true;
                }
                if let Some(labels) = KEYS.iter().find_map(|key| fields.get(*key).filter(|labels| labels.is_object())) {
                    let labels = json::scalars(Some(labels));
                    let name = ["alertname", "__name__"].into_iter().find_map(|label| labels.get(label)).cloned().unwrap_or_default();
                    let query = fields.get("generatorURL").and_then(Value::as_str).and_then(query);
                    self.found.signals.push(PlacedSignal::of_labels(name, labels, query.as_deref(), self.placer));
                    return true;
                }
                let reason = match events::placed(value, self.placer) {
                    Ok(Some(event)) => {
                        self.found.signals.push(event);
                        return true;
                    }
                    Ok(None) => None,
                    Err(reason) => Some(reason),
                };
                // Some events carry signals of other formats.
                let before = self.found.signals.len();
                let mut known = false;
                for field in fields.values() {
                    known |= self.collect(field);
                }
                match reason.filter(|_| self.found.signals.len() == before) {
                    Some(reason) => {
                        self.refuse(reason);
                        true
                    }
                    None => known,
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
    }

    fn refuse(&mut self, reason: Text) {
        self.found.refused.push(RefusedEntry { line: self.line, reason });
    }

    fn finish(self) -> PlacedFile {
        let Gathered { placer, cluster, mut found, .. } = self;
        found.refused.extend(
            cluster
                .unread()
                .iter()
                .map(|unread| RefusedEntry { line: unread.index, reason: text!("{}{}", unread.reason, and_found(&unread.object)) }),
        );
        found.refused.sort_by_key(|entry| entry.line);
        found.signals.extend(cluster.placed(placer));
        found
    }
}
