//! The texts of an alert: its name, the text that rules search, and the summary for people.

use std::collections::BTreeMap;

/// The label in which Prometheus puts the name of the alerting rule.
const NAME: &str = "alertname";

/// Annotations that may contain the one-line summary, best first.
const SUMMARIES: &[&str] = &["summary", "description", "message", "title"];

fn annotation<'t>(annotations: &'t BTreeMap<String, String>, keys: &[&str]) -> Option<&'t String> {
    keys.iter().filter_map(|key| annotations.get(*key)).find(|text| !text.trim().is_empty())
}

/// The label `alertname`, or the title or summary if a tool does not send it.
pub(super) fn name(labels: &BTreeMap<String, String>, annotations: &BTreeMap<String, String>) -> String {
    let given = labels.get(NAME).filter(|name| !name.trim().is_empty());
    given.or_else(|| annotation(annotations, &["title", "summary"])).cloned().unwrap_or_else(|| "unnamed alert".to_owned())
}

/// All annotation texts and the name, in the order of their keys, joined by newlines.
pub(super) fn searched(name: &str, annotations: &BTreeMap<String, String>) -> String {
    let mut texts: BTreeMap<&str, &str> = annotations.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
    texts.insert(NAME, name);
    texts.into_values().collect::<Vec<_>>().join("\n")
}

pub(super) fn summary(name: &str, annotations: &BTreeMap<String, String>) -> String {
    annotation(annotations, SUMMARIES).map_or(name, |text| text.trim()).to_owned()
}
