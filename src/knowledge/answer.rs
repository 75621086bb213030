//! What a walk through the knowledge graph answers. `faultscope knowledge --format json` prints it.

use schemars::JsonSchema;
use serde::Serialize;

use value::Time;

use super::graph::{Seen, SignalKind};

/// What is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "what", rename_all = "lowercase")]
pub enum Asked {
    Component {
        id: String,
    },
    /// Symptoms that go by one name, or that have it in them.
    Symptom {
        name: String,
        seen: Vec<Seen>,
    },
    /// What broke, by its words: faults that have them, and cases whose title has them.
    Fault {
        text: String,
        faults: Vec<String>,
        cases: Vec<String>,
    },
    Case {
        id: String,
    },
    Rule {
        id: String,
    },
}

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "step", rename_all = "lowercase")]
pub enum Step {
    Symptom {
        kind: SignalKind,
        name: String,
    },
    Component {
        id: String,
    },
    /// One hop on to this component: over a relation that leads there (`ahead`), or that comes from there.
    Relation {
        relation: String,
        ahead: bool,
        id: String,
    },
    Rule {
        id: String,
    },
    Fault {
        text: String,
    },
    Case {
        id: String,
        date: Option<Time>,
    },
    /// What people recorded of a bundle.
    Confirmed {
        bundle: String,
        date: Time,
    },
    Solution {
        text: String,
    },
}

/// An earlier incident, and how the walk came to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Earlier {
    /// The past case; `null` for a bundle of which people recorded what broke.
    pub case: Option<String>,
    pub bundle: Option<String>,
    /// The title of the case; empty for a bundle.
    pub title: String,
    /// When it happened; of a bundle, when its cause was recorded.
    pub date: Option<Time>,
    /// What broke, if that is known.
    pub component: Option<String>,
    pub fault: Option<String>,
    /// Whether the walk came to it by what broke, not by what was affected.
    pub broke: bool,
    /// How many hops away from what was asked about.
    pub hops: u32,
    /// What was done.
    pub solutions: Vec<String>,
    /// The rule that recognizes it.
    pub rule: Option<String>,
    /// Bundles by which people confirmed it.
    pub confirmed: Vec<String>,
    pub path: Vec<Step>,
    /// The path in words.
    pub text: String,
}

impl Earlier {
    /// The case or the bundle.
    pub fn id(&self) -> &str {
        self.case.as_deref().or(self.bundle.as_deref()).unwrap_or_default()
    }
}

/// A rule that speaks of what is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RuleSaid {
    pub rule: String,
    pub title: String,
    /// It does not count yet.
    pub draft: bool,
    /// It names the component, the symptom or the case itself, not only a type.
    pub named: bool,
    /// The types that it is about.
    pub types: Vec<String>,
    pub case: Option<String>,
    /// Bundles in which it was right.
    pub confirmed: Vec<String>,
}

/// What was done in these incidents, or what a rule advises that was right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Helped {
    pub solution: String,
    /// The cases and rules that say so.
    pub from: Vec<String>,
    /// Bundles by which people confirmed one of them.
    pub confirmed: Vec<String>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Answer {
    pub asked: Asked,
    /// How far around it was looked.
    pub hops: u32,
    /// What is older is left out.
    pub since: Option<Time>,
    /// Earlier incidents of what is asked about itself: those in which it broke first, then the latest.
    pub here: Vec<Earlier>,
    /// What broke next door: the nearest first, then the latest.
    pub near: Vec<Earlier>,
    /// The most certain first: those that name what is asked about, then those that were right most often.
    pub rules: Vec<RuleSaid>,
    /// Those confirmed most often first.
    pub solutions: Vec<Helped>,
    /// How many incidents are left out because nobody says when they were.
    pub undated: usize,
}
