//! Where a signal was placed and by what, or why nowhere.

use diag::{Text, text};
use estate::ComponentId;

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
    /// The metric that the query asks for.
    Query(String),
}

/// Why labels name no component.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    Ambiguous { label: &'static str, value: String },
    /// All that the labels name is who delivered the signal.
    OfMessenger(Messenger),
    /// By an entry of `placement` in `sources.yaml` that says so, counted from 1.
    Dropped(usize),
    /// No entry finds a component, and the built-in placement is off.
    NoEntry,
}

impl Placement {
    pub(super) fn found(component: ComponentId, by: PlacedBy) -> Self {
        Self { component: Some(component), by: Some(by), why: None }
    }

    pub(super) fn labelled(component: ComponentId, label: &'static str) -> Self {
        Self::found(component, PlacedBy::Label(label))
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
            PlacedBy::Query(metric) => text!("by the metric `{}` of the query", metric),
        }
    }
}

impl Unplaced {
    pub fn words(&self) -> Text {
        match self {
            Unplaced::Unnamed => text!("no label names a component"),
            Unplaced::Unknown { label, value } => text!("no component for `{}` = `{}`", label, value),
            Unplaced::Elsewhere { label, value, namespace } => text!("`{}` = `{}` is not in the namespace `{}`", label, value, namespace),
            Unplaced::Ambiguous { label, value } => text!("several components fit `{}` = `{}`", label, value),
            Unplaced::Claimed { pod, by } => text!("several workloads claim the pod `{}`: {}", pod, by.join(", ")),
            Unplaced::OfMessenger(messenger) => text!("the labels name only the messenger, {}", messenger.words()),
            Unplaced::Dropped(number) => text!("dropped by entry {} of `placement`", number),
            Unplaced::NoEntry => text!("no entry of `placement` finds a component"),
        }
    }
}
