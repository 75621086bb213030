//! Where each signal of a file is placed, whatever the file is: alerts, the answer of Prometheus, log streams, events, what a cluster says.

use std::collections::BTreeMap;

use serde_json::Value;

use diag::Diagnostic;

use super::alertmanager::query;
use super::answers::answers;
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

/// All signals in the order of the file; what a cluster says comes last.
///
/// # Errors
/// The file is not JSON.
pub fn placed(file: &str, bytes: &[u8], placer: &Resolver<'_>) -> Result<Vec<PlacedSignal>, Box<Diagnostic>> {
    let (mut found, mut cluster) = (Vec::new(), Cluster::default());
    let answers = answers::<Value>(file, bytes)?;
    let used = answers.iter().filter(|answer| answer.read.is_ok()).count();
    for answer in answers {
        match answer.read {
            Ok(document) => collect(&document, placer, &mut found, &mut cluster),
            // One that cannot be read costs only itself.
            Err(broken) if used == 0 => return Err(broken.alone(file)),
            Err(_) => {}
        }
    }
    found.extend(cluster.placed(placer));
    Ok(found)
}

fn collect(value: &Value, placer: &Resolver<'_>, found: &mut Vec<PlacedSignal>, cluster: &mut Cluster) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, placer, found, cluster)),
        Value::Object(_) if is_object(value) => cluster.read(found.len(), value, None),
        Value::Object(fields) => {
            if let Some((object, sent)) = events::wrapped(value, placer) {
                cluster.read(found.len(), &object, sent);
            } else if let Some(labels) = KEYS.iter().find_map(|key| fields.get(*key).filter(|labels| labels.is_object())) {
                let labels = json::scalars(Some(labels));
                let name = ["alertname", "__name__"].into_iter().find_map(|label| labels.get(label)).cloned().unwrap_or_default();
                let query = fields.get("generatorURL").and_then(Value::as_str).and_then(query);
                found.push(PlacedSignal::of_labels(name, labels, query.as_deref(), placer));
            } else if let Some(event) = events::placed(value, placer) {
                found.push(event);
            } else {
                fields.values().for_each(|field| collect(field, placer, found, cluster));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
