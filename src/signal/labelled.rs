//! The labels of all signals of a file, whatever it is: alerts, the answer of Prometheus, log streams.

use std::collections::BTreeMap;

use serde_json::Value;

use diag::Diagnostic;

use super::alertmanager::query;
use super::answers::answers;
use super::json;

/// The labels of one signal, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labelled {
    /// Of the alert or the series; empty if it has none.
    pub name: String,
    pub labels: BTreeMap<String, String>,
    /// The query behind an alert, if its sender links to it.
    pub query: Option<String>,
}

/// Keys under which alerts, series and streams have their labels.
const KEYS: &[&str] = &["labels", "metric", "stream"];

/// # Errors
/// The file is not JSON.
pub fn labelled(file: &str, bytes: &[u8]) -> Result<Vec<Labelled>, Box<Diagnostic>> {
    let mut found = Vec::new();
    let answers = answers::<Value>(file, bytes)?;
    let used = answers.iter().filter(|answer| answer.read.is_ok()).count();
    for answer in answers {
        match answer.read {
            Ok(document) => collect(&document, &mut found),
            // One that cannot be read costs only itself.
            Err(broken) if used == 0 => return Err(broken.alone(file)),
            Err(_) => {}
        }
    }
    Ok(found)
}

fn collect(value: &Value, found: &mut Vec<Labelled>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(fields) => match KEYS.iter().find_map(|key| fields.get(*key).filter(|labels| labels.is_object())) {
            Some(labels) => {
                let labels = json::scalars(Some(labels));
                let name = ["alertname", "__name__"].into_iter().find_map(|label| labels.get(label)).cloned().unwrap_or_default();
                let query = fields.get("generatorURL").and_then(Value::as_str).and_then(query);
                found.push(Labelled { name, labels, query });
            }
            None => fields.values().for_each(|field| collect(field, found)),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
