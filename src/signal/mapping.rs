//! Maps series names to metrics of the model, and converts samples to the base unit.

use std::collections::{BTreeMap, BTreeSet};

use diag::{Code, Diagnostic, did_you_mean, nearest, text};
use estate::{ComponentId, Member, MetricDef, Model};
use value::Unit;

use super::mapping_rules::{MappingRules, MetricEntry, ScoreSeries, agrees};
use super::resolver::Resolver;

/// Endings that name the unit of the samples, by the conventions of Prometheus and of exporters; longer ones first.
const SUFFIXES: &[(&str, &str)] = &[
    ("_bytes_per_second", "B/s"),
    ("_per_second", "/s"),
    ("_per_minute", "/min"),
    ("_milliseconds", "ms"),
    ("_microseconds", "us"),
    ("_percentage", "%"),
    ("_mebibytes", "MiB"),
    ("_gibibytes", "GiB"),
    ("_kibibytes", "KiB"),
    ("_percent", "%"),
    ("_seconds", "s"),
    ("_minutes", "min"),
    ("_ratio", "ratio"),
    ("_bytes", "B"),
    ("_count", "count"),
    ("_hours", "h"),
    ("_days", "d"),
    ("_ms", "ms"),
    ("_us", "us"),
];

impl<'a> Resolver<'a> {
    /// The model's metric for a series of a component, and the factor from its samples to the base unit of the metric's dimension. Tries
    /// the entries of `sources.yaml`, then a metric with the name of the series, then that name without a unit suffix.
    /// `None`: the series is not in the model.
    pub fn metric(&self, series: &str, labels: &BTreeMap<String, String>, component: ComponentId) -> Option<(&'a str, f64)> {
        let estate = self.estate;
        let kind = estate.component(component).kind.as_str();
        let entries = self.placement.metrics.iter().filter(|entry| entry.series == series && agrees(&entry.labels, labels));
        for entry in entries {
            if entry.kind.as_deref().is_some_and(|wanted| !is_a(estate.model(), kind, wanted)) {
                continue;
            }
            if let Some(def) = metric_of(estate.model(), kind, &entry.metric)
                && let Some(factor) = factor(entry.unit, def)
            {
                return Some((def.name.as_str(), factor));
            }
        }
        if let Some(def) = metric_of(estate.model(), kind, series) {
            return Some((def.name.as_str(), def.unit.factor));
        }
        SUFFIXES.iter().find_map(|(ending, unit)| {
            let def = metric_of(estate.model(), kind, series.strip_suffix(*ending)?)?;
            Some((def.name.as_str(), factor(Some(Unit::parse(unit)?), def)?))
        })
    }
}

/// The factor from the samples' unit to the base unit; `None` if the dimensions differ.
fn factor(samples: Option<Unit>, def: &MetricDef) -> Option<f64> {
    let unit = samples.unwrap_or(def.unit);
    (unit.dimension == def.unit.dimension).then_some(unit.factor)
}

fn metric_of<'m>(model: &'m Model, kind: &'m str, name: &str) -> Option<&'m MetricDef> {
    match model.member(kind, name)? {
        Member::Metric(def) => Some(def),
        Member::Attribute(_) => None,
    }
}

/// `wanted` is as written by the user: a name or a Chinese name.
fn is_a(model: &Model, kind: &str, wanted: &str) -> bool {
    model.find_type(wanted).is_some_and(|t| model.is_a(kind, &t.name))
}

impl MappingRules {
    /// Checks the metrics of `sources.yaml` against the model: unknown types and metrics, incompatible units.
    pub fn check(&self, model: &Model) -> Vec<Diagnostic> {
        let metrics = self.metrics.iter().filter_map(|entry| check_entry(entry, model));
        metrics.chain(self.scores.iter().filter_map(|entry| check_score(entry, model))).collect()
    }
}

fn check_entry(entry: &MetricEntry, model: &Model) -> Option<Diagnostic> {
    let kinds: Vec<&str> = match &entry.kind {
        Some(wanted) => {
            let Some(found) = model.find_type(wanted) else {
                let diagnostic = Diagnostic::error(Code::UNKNOWN_COMPONENT_TYPE, entry.place, text!("no type `{}` in the model", wanted));
                return Some(match nearest(wanted, model.types.keys().map(String::as_str)) {
                    Some(name) => diagnostic.help(did_you_mean(name)),
                    None => diagnostic,
                });
            };
            model.types.keys().map(String::as_str).filter(|kind| model.is_a(kind, &found.name)).collect()
        }
        None => model.types.keys().map(String::as_str).collect(),
    };
    let defs: Vec<&MetricDef> = kinds.iter().filter_map(|&kind| metric_of(model, kind, &entry.metric)).collect();
    let Some(first) = defs.first() else {
        let message = match &entry.kind {
            Some(kind) => text!("the type `{}` has no metric `{}`", kind, entry.metric),
            None => text!("no type has a metric `{}`", entry.metric),
        };
        let diagnostic = Diagnostic::error(Code::UNKNOWN_METRIC, entry.place, message);
        return Some(match nearest(&entry.metric, metric_names(model, &kinds)) {
            Some(name) => diagnostic.help(did_you_mean(name)),
            None => diagnostic.help("declare it in `topology/model.yaml`"),
        });
    };
    if defs.iter().any(|def| factor(entry.unit, def).is_some()) {
        return None;
    }
    let unit = entry.unit?;
    let message = text!(
        "series `{}` in `{}` cannot be mapped to metric `{}`, which is {}",
        entry.series,
        unit.name,
        first.name,
        first.unit.dimension.describe()
    );
    Some(
        Diagnostic::error(Code::UNIT_MISMATCH, entry.place, message)
            .help(text!("use a unit like that of `{}`", first.unit.dimension.example())),
    )
}

/// A score for a metric that no type has could never be combined with the built-in detectors.
fn check_score(entry: &ScoreSeries, model: &Model) -> Option<Diagnostic> {
    let metric = entry.metric.as_deref()?;
    let kinds: Vec<&str> = model.types.keys().map(String::as_str).collect();
    if kinds.iter().any(|&kind| metric_of(model, kind, metric).is_some()) {
        return None;
    }
    let diagnostic = Diagnostic::error(Code::UNKNOWN_METRIC, entry.place, text!("no type has a metric `{}`", metric));
    Some(match nearest(metric, metric_names(model, &kinds)) {
        Some(name) => diagnostic.help(did_you_mean(name)),
        None => diagnostic.help("declare it in `topology/model.yaml`, or omit `metric` to score the whole component"),
    })
}

fn metric_names<'m>(model: &'m Model, kinds: &[&'m str]) -> BTreeSet<&'m str> {
    kinds.iter().flat_map(|&kind| model.lineage(kind)).flat_map(|t| t.metrics.keys()).map(String::as_str).collect()
}
