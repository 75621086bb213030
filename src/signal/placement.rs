//! Where a signal was placed and by what, or why nowhere.

use schemars::JsonSchema;
use serde::Serialize;

use diag::{Text, text};
use estate::ComponentId;

use super::facts::Origin;
use super::messenger::Messenger;

/// The answer for one set of labels: either a component and what named it, or the reason why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    pub component: Option<ComponentId>,
    pub by: Option<PlacedBy>,
    pub why: Option<Unplaced>,
}

/// What named the component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlacedBy {
    /// An entry of `placement` in `sources.yaml`, counted from 1.
    Entry(usize),
    /// A label, by its usual name.
    Label(&'static str),
    /// The name of a pod that the estate does not have, without its random part.
    Owner(String),
    /// The machine under this pod of a messenger.
    Under(String),
    /// The metric that the query asks for, or what it looks for in vain.
    Query(String),
}

/// Why labels name no component.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Unplaced {
    /// No label that could name a component.
    Unnamed,
    /// The label names something that the estate does not have.
    Unknown { label: &'static str, value: String },
    /// The estate has it in another namespace only.
    Elsewhere { label: &'static str, value: String, namespace: String },
    /// Several workloads may own a pod of this name.
    Claimed { pod: String, by: Vec<String> },
    /// Several components have that name or address.
    Ambiguous {
        label: &'static str,
        value: String,
        /// Their ids, sorted.
        candidates: Vec<String>,
        /// Each of them is in a namespace of its own.
        by_namespace: bool,
    },
    /// All that the labels name is who delivered the signal.
    OfMessenger { messenger: Messenger },
    /// By an entry of `placement` in `sources.yaml` that says so, counted from 1.
    Dropped { entry: usize },
    /// No entry finds a component, and the built-in placement is off.
    NoEntry,
}

/// The signals that are on no component for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnplacedGroup {
    /// Of the first of them.
    pub why: Unplaced,
    pub count: usize,
    /// The first of them.
    pub first: Origin,
}

/// What an event is about: a field of its envelope, and among the labels of one that is on no component.
pub const SUBJECT: &str = "subject";

/// How many candidates are named; the rest is counted.
const MAX_CANDIDATES: usize = 5;

impl Placement {
    pub(super) fn found(component: ComponentId, by: PlacedBy) -> Self {
        Self { component: Some(component), by: Some(by), why: None }
    }

    pub(super) fn labelled(component: ComponentId, label: &'static str) -> Self {
        Self::found(component, PlacedBy::Label(label))
    }

    /// The same by labels of the scrape that another scrape has renamed.
    pub(super) fn exported(mut self) -> Self {
        for (label, exported) in [("instance", "exported_instance"), ("job", "exported_job")] {
            if self.by == Some(PlacedBy::Label(label)) {
                self.by = Some(PlacedBy::Label(exported));
            }
        }
        self
    }

    pub(super) fn nowhere(why: Unplaced) -> Self {
        Self { component: None, by: None, why: Some(why) }
    }
}

impl PlacedBy {
    pub fn words(&self) -> Text {
        match self {
            PlacedBy::Entry(number) => text!("by entry {} of `placement`", number),
            PlacedBy::Label(label) => text!("by label `{}`", label),
            PlacedBy::Owner(pod) => text!("by the name of pod `{}`", pod),
            PlacedBy::Under(pod) => text!("as the machine of pod `{}`", pod),
            PlacedBy::Query(part) => text!("by `{}` in the query", part),
        }
    }
}

impl Unplaced {
    /// Of an event with a subject: who names nothing else names that.
    #[must_use]
    pub fn of_subject(self, subject: Option<&str>) -> Unplaced {
        match (self, subject.filter(|subject| !subject.is_empty())) {
            (Unplaced::Unnamed, Some(subject)) => Unplaced::Unknown { label: SUBJECT, value: subject.to_owned() },
            (other, _) => other,
        }
    }

    /// The reason without the names in it: what all signals of one group have in common.
    pub(super) fn kind(&self) -> Unplaced {
        let value = String::new();
        match self {
            Unplaced::Unnamed => Unplaced::Unnamed,
            Unplaced::Unknown { label, .. } => Unplaced::Unknown { label, value },
            Unplaced::Elsewhere { label, .. } => Unplaced::Elsewhere { label, value, namespace: String::new() },
            Unplaced::Ambiguous { label, by_namespace, .. } => {
                Unplaced::Ambiguous { label, value, candidates: Vec::new(), by_namespace: *by_namespace }
            }
            Unplaced::Claimed { .. } => Unplaced::Claimed { pod: value, by: Vec::new() },
            Unplaced::OfMessenger { messenger } => Unplaced::OfMessenger { messenger: *messenger },
            Unplaced::Dropped { entry } => Unplaced::Dropped { entry: *entry },
            Unplaced::NoEntry => Unplaced::NoEntry,
        }
    }

    pub fn words(&self) -> Text {
        match self {
            Unplaced::Unnamed => text!("no label names a component"),
            Unplaced::Unknown { label, value } => text!("no component for `{}` = `{}`", label, value),
            Unplaced::Elsewhere { label, value, namespace } => text!("`{}` = `{}` is not in the namespace `{}`", label, value, namespace),
            Unplaced::Ambiguous { label, value, candidates, .. } => {
                let named: Vec<&str> = candidates.iter().take(MAX_CANDIDATES).map(String::as_str).collect();
                let named = named.join(", ");
                match candidates.len().saturating_sub(MAX_CANDIDATES) {
                    0 => text!("several components fit `{}` = `{}`: {}", label, value, named),
                    more => text!("several components fit `{}` = `{}`: {} and {} more", label, value, named, more),
                }
            }
            Unplaced::Claimed { pod, by } => text!("several workloads claim the pod `{}`: {}", pod, by.join(", ")),
            Unplaced::OfMessenger { messenger } => text!("the labels name only the messenger, {}", messenger.words()),
            Unplaced::Dropped { entry } => text!("dropped by entry {} of `placement`", entry),
            Unplaced::NoEntry => text!("no entry of `placement` finds a component"),
        }
    }

    /// What would place the signal; `None` if it is as somebody wants it.
    pub fn remedy(&self) -> Option<Text> {
        Some(match self {
            Unplaced::Unnamed => text!("an entry of `placement` for a label that tells the component would place it"),
            Unplaced::Unknown { label, .. } => {
                text!("a component of that name, an alias, or an entry of `placement` for `{}` would place it", label)
            }
            Unplaced::Elsewhere { .. } => text!("the component of that namespace, or its attribute `namespace`, is missing"),
            Unplaced::Ambiguous { by_namespace: true, label, .. } if label.starts_with("destination_") => {
                text!("a label `destination_service_namespace` would decide")
            }
            Unplaced::Ambiguous { by_namespace: true, .. } => text!("a label `namespace` would decide"),
            Unplaced::Ambiguous { by_namespace: false, .. } => {
                text!("a label `component` with one of these ids would decide, or an entry of `placement`")
            }
            Unplaced::Claimed { .. } => text!("labels of its owner, such as `deployment`, would decide, or an entry of `placement`"),
            Unplaced::OfMessenger { .. } => text!("labels of the object that it speaks of, such as `pod` or `node`, would place it"),
            Unplaced::Dropped { .. } => return None,
            Unplaced::NoEntry => text!("an entry of `placement` would place it, or the built-in placement (`builtin`)"),
        })
    }
}
