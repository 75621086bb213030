//! Mapping rules: which labels name a component, which wire names are metrics of the model, and the kinds of events.
//! Read from `topology/sources.yaml` by [`MappingRules::read`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use regex::Regex;

use diag::Place;
use estate::{ComponentId, Snapshot};
use value::{Duration, Unit};

use super::counter::Counting;
use super::resolver::Resolver;
use super::scale::Scale;
use super::trouble::Phrases;

/// The contents of `topology/sources.yaml`. With the default, only the built-in placements apply.
#[derive(Debug, Clone, Default)]
pub struct MappingRules {
    /// Tried in order; the first whose key names a component wins.
    pub(super) rules: Vec<Rule>,
    /// Without the built-in placement: only the entries place.
    pub(super) only_rules: bool,
    pub(super) metrics: Vec<MetricEntry>,
    /// CloudEvents type, exact.
    pub(super) events: BTreeMap<String, EventKind>,
    pub(super) scores: Vec<ScoreSeries>,
    pub(super) scorers: Vec<Scorer>,
    pub(super) troubles: Phrases,
}

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    Change,
    Probe,
    Report,
}

#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// Its position in the file, from 1.
    pub number: usize,
    pub key: Key,
    /// Labels that must fit one of these; an absent label counts as empty, as in Prometheus.
    pub when: BTreeMap<String, Vec<Fit>>,
    /// Labels that must fit none of these.
    pub not: BTreeMap<String, Vec<Fit>>,
    /// What it applies to is placed nowhere, neither by later entries nor by the built-in placement.
    pub drop: bool,
    /// Its first group is the key; a text that does not match has no key.
    pub pattern: Option<Regex>,
    pub by: Vec<By>,
    /// Where each of `by` is written; empty if it is the default.
    pub by_places: Vec<Place>,
    /// The whole entry, however it is laid out.
    pub written: String,
    pub place: Place,
}

/// The value of a label as a condition has it.
#[derive(Debug, Clone)]
pub(super) enum Fit {
    Exactly(String),
    /// As written: `node-*` or `/^node-/`.
    Pattern {
        written: String,
        regex: Regex,
    },
}

impl Fit {
    pub fn fits(&self, value: &str) -> bool {
        match self {
            Fit::Exactly(exact) => exact == value,
            Fit::Pattern { regex, .. } => regex.is_match(value),
        }
    }

    pub fn written(&self) -> &str {
        match self {
            Fit::Exactly(text) | Fit::Pattern { written: text, .. } => text,
        }
    }

    /// Whether it surely fits all that another one fits.
    pub fn includes(&self, other: &Fit) -> bool {
        match other {
            Fit::Exactly(value) => self.fits(value),
            Fit::Pattern { written, .. } => matches!(self, Fit::Pattern { .. }) && self.written() == written,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    Label(String),
    Template(Vec<Part>),
    /// Of an entry that drops whatever its conditions fit.
    Nothing,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Label(String),
}

/// What the key is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum By {
    Id,
    Name,
    Attribute(String),
}

/// A name on the wire that is a metric of the model.
#[derive(Debug, Clone)]
pub(super) struct MetricEntry {
    pub series: String,
    pub metric: String,
    /// Unit of the samples, of a counter what it counts; the metric's own if absent.
    pub unit: Option<Unit>,
    /// What the samples are, if the entry says so.
    pub read_as: Option<ReadAs>,
    /// How long before each sample a counter is read.
    pub over: Duration,
    /// Only for components of this type.
    pub kind: Option<String>,
    /// Only for series with these labels.
    pub labels: BTreeMap<String, String>,
    /// The Prometheus query for it.
    pub query: Option<String>,
    /// The whole entry, however it is laid out.
    pub written: String,
    pub places: MetricPlaces,
}

/// Where the parts of a metric entry are written; that of the entry for those that are absent.
#[derive(Debug, Clone, Copy)]
pub(super) struct MetricPlaces {
    pub series: Place,
    pub metric: Place,
    pub unit: Place,
    pub kind: Place,
}

/// What the samples of a series are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadAs {
    /// Values of the metric.
    Value,
    /// Of a counter, which is read like this.
    Counter(Counting),
}

/// A recorded series whose samples are scores of an external model.
#[derive(Debug, Clone)]
pub(super) struct ScoreSeries {
    pub series: String,
    /// The metric that is scored; the component as a whole if absent.
    pub metric: Option<String>,
    pub scale: Scale,
    /// The name of the model.
    pub source: String,
    /// Only series with these labels.
    pub labels: BTreeMap<String, String>,
    pub place: Place,
}

/// An external model that is queried over HTTP during a diagnosis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scorer {
    /// The label of its scores; unique.
    pub name: String,
    /// Begins with `http://` or `https://`.
    pub url: String,
    pub timeout: Duration,
    /// A value that begins with `$` names the environment variable that holds it.
    pub headers: BTreeMap<String, String>,
}

impl MappingRules {
    /// The models that are queried over HTTP, in the order of the file.
    pub fn scorers(&self) -> &[Scorer] {
        &self.scorers
    }

    /// The component that labels name. Builds the index for this one call: use [`Resolver`] for more than a few.
    pub fn place(&self, labels: &BTreeMap<String, String>, estate: &Snapshot) -> Option<ComponentId> {
        Resolver::new(self, estate).place(labels)
    }

    /// The queries of the metric entries that have one: wire name, query.
    pub fn queries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.metrics.iter().filter_map(|entry| Some((entry.series.as_str(), entry.query.as_deref()?)))
    }
}

impl Rule {
    /// The text that should name a component, if the rule applies to these labels.
    pub fn key<'l>(&self, labels: &'l BTreeMap<String, String>) -> Option<Cow<'l, str>> {
        let has = |(name, fits): (&String, &Vec<Fit>)| {
            let value = labels.get(name).map_or("", String::as_str);
            fits.iter().any(|fit| fit.fits(value))
        };
        if !self.when.iter().all(has) || self.not.iter().any(has) {
            return None;
        }
        let text = match &self.key {
            Key::Label(name) => Cow::Borrowed(present(labels, name)?),
            Key::Template(parts) => Cow::Owned(fill(parts, labels)?),
            Key::Nothing => return Some(Cow::Borrowed("")),
        };
        let Some(pattern) = &self.pattern else { return Some(text) };
        let key = pattern.captures(&text)?.get(1)?.as_str().to_owned();
        (!key.is_empty()).then_some(Cow::Owned(key))
    }
}

fn fill(parts: &[Part], labels: &BTreeMap<String, String>) -> Option<String> {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Text(fixed) => text.push_str(fixed),
            Part::Label(name) => text.push_str(present(labels, name)?),
        }
    }
    Some(text)
}

/// A label's value; empty counts as absent.
pub(super) fn present<'l>(labels: &'l BTreeMap<String, String>, name: &str) -> Option<&'l str> {
    labels.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

/// Whether the labels have all required values.
pub(super) fn agrees(wanted: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(name, value)| labels.get(name).map_or("", String::as_str) == value)
}
