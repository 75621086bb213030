//! The mapping the other way round: which series a metric of the model may come from. Whoever asks a server for a metric asks for these.

use std::collections::{BTreeMap, BTreeSet};

use estate::{MetricDef, Model, Snapshot};
use value::{Duration, Unit};

use super::mapping::{SUFFIXES, is_a, metric_of, value_factor};
use super::mapping_rules::{MappingRules, MetricEntry, agrees};

/// A series that may be a metric.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    pub series: String,
    /// Only with these labels.
    pub labels: BTreeMap<String, String>,
    /// The query whose answer is known by the name of the series.
    pub query: Option<String>,
    /// Without a sample for this long, the metric is unknown.
    pub staleness: Duration,
}

impl Wanted {
    /// Whether a series with these labels is one of them.
    pub fn fits(&self, labels: &BTreeMap<String, String>) -> bool {
        labels.get("__name__") == Some(&self.series) && agrees(&self.labels, labels)
    }
}

impl MappingRules {
    /// The series of these metrics that components of the estate may have, in the order of their names.
    pub fn wanted(&self, metrics: &BTreeSet<&str>, estate: &Snapshot) -> Vec<Wanted> {
        let model = estate.model();
        let kinds: BTreeSet<&str> = estate.ids().map(|id| estate.component(id).kind.as_str()).collect();
        let mut found = Found::default();
        for kind in &kinds {
            for def in metrics.iter().filter_map(|name| metric_of(model, kind, name)) {
                found.by_name(def);
            }
        }
        for entry in &self.metrics {
            let concerned = kinds.iter().filter(|kind| concerns(entry, model, kind));
            for def in concerned.filter_map(|kind| metric_of(model, kind, &entry.metric)) {
                if metrics.contains(def.name.as_str()) && entry.mapped(def).is_some() {
                    found.add(&entry.series, &entry.labels, entry.query.as_ref().filter(|query| **query != entry.series), def);
                }
            }
        }
        found.0.into_iter().map(|((series, labels, query), staleness)| Wanted { series, labels, query, staleness }).collect()
    }
}

/// Whether an entry is about components of a type.
fn concerns(entry: &MetricEntry, model: &Model, kind: &str) -> bool {
    entry.kind.as_deref().is_none_or(|wanted| is_a(model, kind, wanted))
}

/// Series, labels and query.
type Asked = (String, BTreeMap<String, String>, Option<String>);

/// Each with the shortest time after which one of its metrics is unknown.
#[derive(Default)]
struct Found(BTreeMap<Asked, Duration>);

impl Found {
    /// The name of the metric itself, and that with a unit at its end. A name that Prometheus cannot have is no series.
    fn by_name(&mut self, def: &MetricDef) {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
        if !def.name.chars().all(plain) {
            return;
        }
        self.add(&def.name, &BTreeMap::new(), None, def);
        let fits = |unit: &str| Unit::parse(unit).is_some_and(|unit| value_factor(Some(unit), def).is_some());
        for (ending, _) in SUFFIXES.iter().filter(|(_, unit)| fits(unit)) {
            self.add(&format!("{}{ending}", def.name), &BTreeMap::new(), None, def);
        }
    }

    fn add(&mut self, series: &str, labels: &BTreeMap<String, String>, query: Option<&String>, def: &MetricDef) {
        let staleness = self.0.entry((series.to_owned(), labels.clone(), query.cloned())).or_insert(def.staleness);
        *staleness = (*staleness).min(def.staleness);
    }
}
