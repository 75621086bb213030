//! Facts: signals placed on components, ordered by time, ready to be queried.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use estate::ComponentId;
use value::Time;

use super::measured::Measured;
use super::placement::{Unplaced, UnplacedGroup};
use super::points::Points;
use super::traces::Calls;
use super::trouble::Trouble;

/// Where a signal came from: the file and the index of the entry in it. Identifies a signal within a bundle.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Origin {
    /// File name in the bundle: `alerts.json`.
    pub file: String,
    /// Position of the entry (alert, series, line) in that file, from 0; for `traces.json`, the position among the series made from it.
    pub index: usize,
}

/// Who muted an alert, by their ids; all empty if its sender only says that it is suppressed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Muted {
    pub silenced_by: Vec<String>,
    pub inhibited_by: Vec<String>,
    pub muted_by: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    pub origin: Origin,
    pub component: Option<ComponentId>,
    /// The pod that it is about, if the estate does not have it: the component is its workload then.
    pub instance: Option<String>,
    pub name: String,
    /// All annotation texts and the name, in the order of their keys, joined by newlines: what `alert "text"` searches.
    pub text: String,
    /// The summary for people: annotation `summary`, else `description`, `message`, `title`, else the name.
    pub summary: String,
    pub severity: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub start: Time,
    /// [`Time::MAX`] while it fires.
    pub end: Time,
    /// Deliveries of the same alert (same fingerprint and start) beyond this one.
    pub duplicates: usize,
    /// Flapping intervals (fired and resolved) of the same fingerprint that were merged into this one, because the gap was short.
    pub flaps: usize,
    pub trouble: Trouble,
    /// Who muted it, if the sender says so: a silence, or an inhibiting alert. It is kept and shown, but opens no incident.
    pub muted: Option<Muted>,
    /// How far it is beyond its threshold, if it says so.
    pub measured: Option<Box<Measured>>,
}

impl Alert {
    /// Its name, and its summary if it differs.
    pub fn title(&self) -> String {
        if self.summary == self.name { self.name.clone() } else { format!("{}: {}", self.name, self.summary) }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub origin: Origin,
    pub component: Option<ComponentId>,
    /// The instance that it is about, if it counts for its workload, which is the component then: a pod that the estate does not have, or
    /// the id of one whose type has no such metric.
    pub instance: Option<String>,
    /// The model's metric, if the series maps to one the component's type has; else the wire name.
    pub metric: String,
    /// Whether `metric` is declared in the model for the component's type (then values are in the base unit of its dimension).
    pub modelled: bool,
    pub labels: BTreeMap<String, String>,
    /// Strictly ascending in time; `NaN` marks the series stale from there (Prometheus' stale marker or a NaN sample). Never infinite.
    pub points: Points,
}

#[derive(Debug, Clone, PartialEq)]
pub struct LogLine {
    pub origin: Origin,
    pub component: Option<ComponentId>,
    /// The pod that it is about, if the estate does not have it: the component is its workload then.
    pub instance: Option<String>,
    pub time: Time,
    pub text: String,
    /// Labels of the stream, `level` among them if there is one.
    pub labels: BTreeMap<String, String>,
}

/// A deployment, configuration change, failover, ...
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub origin: Origin,
    pub component: Option<ComponentId>,
    /// The pod that it is about, if the estate does not have it: the component is its workload then.
    pub instance: Option<String>,
    pub time: Time,
    /// Kind and summary, joined by a newline: what `change "text"` searches.
    pub text: String,
    pub attributes: BTreeMap<String, String>,
}

/// The result of a probe of one component, or of the path between two.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    pub origin: Origin,
    pub from: Option<ComponentId>,
    /// The component probed.
    pub component: Option<ComponentId>,
    pub time: Time,
    pub success: bool,
    pub text: String,
}

/// A report by a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub origin: Origin,
    pub component: Option<ComponentId>,
    pub time: Time,
    pub text: String,
    pub attributes: BTreeMap<String, String>,
}

/// The score of an external model for a component at an instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    pub origin: Origin,
    /// `None` if the topology has no such component: the score is kept and shown, but not used.
    pub component: Option<ComponentId>,
    /// The component, or its labels, as the model named it.
    pub named: String,
    /// The model's metric, if the score names one of the component's type; else as written. `None`: the score of the whole component.
    pub metric: Option<String>,
    pub time: Time,
    /// The onset, if the model gives one; never after `time`.
    pub onset: Option<Time>,
    /// The name of the model.
    pub source: String,
    /// Tail probability, in [`MIN_TAIL`](super::MIN_TAIL) to 1; smaller is worse.
    pub tail: f64,
}

/// An entry that could not be read as a signal. It is kept for display, and nothing matches it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Unread {
    pub origin: Origin,
    pub reason: String,
}

/// The kinds of signals for which the bundle has a readable file. Conditions about the others are unknown, not false.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[allow(clippy::struct_excessive_bools, reason = "four independent answers, one per kind of file")]
pub struct Present {
    pub alerts: bool,
    pub metrics: bool,
    pub logs: bool,
    /// Changes, probes and reports: `events.ndjson` or `changes.json`.
    pub events: bool,
}

/// All facts of a bundle. Every list is sorted by time (series: by component, metric, labels), then by origin.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub alerts: Vec<Alert>,
    pub series: Vec<Series>,
    /// Series of a period known to be healthy (`baseline.json`), same order.
    pub baseline: Vec<Series>,
    pub logs: Vec<LogLine>,
    pub changes: Vec<Change>,
    pub probes: Vec<Probe>,
    pub reports: Vec<Report>,
    /// External scores; they are combined by fixed rules, and do not need an explanation by themselves.
    pub scores: Vec<Score>,
    /// Who called whom, by the traces.
    pub calls: Vec<Calls>,
    /// Rejected entries, by origin.
    pub unread: Vec<Unread>,
    /// Why signals are on no component, by what the reasons have in common. Spans do not count, the series made of them do not either.
    pub unplaced: BTreeMap<Unplaced, UnplacedGroup>,
    pub present: Present,
    /// Index: series of a component by metric name, positions in `series`.
    pub series_of: BTreeMap<(ComponentId, String), Vec<usize>>,
    /// The same for `baseline`.
    pub baseline_of: BTreeMap<(ComponentId, String), Vec<usize>>,
    /// Positions in `alerts`, `logs`, `changes`, `probes` (as target), `reports`, by component.
    pub alerts_of: BTreeMap<ComponentId, Vec<usize>>,
    pub logs_of: BTreeMap<ComponentId, Vec<usize>>,
    pub changes_of: BTreeMap<ComponentId, Vec<usize>>,
    pub probes_of: BTreeMap<ComponentId, Vec<usize>>,
    pub reports_of: BTreeMap<ComponentId, Vec<usize>>,
}
