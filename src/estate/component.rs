//! Components, relations and groups: the things of an estate.

use std::collections::BTreeMap;

use diag::Place;

use super::model::State;

/// Which component of a snapshot. The numbers are in the order of the components' own ids, with room between them: a component that
/// a change adds gets one of these, and those that are there keep theirs until the snapshot is folded; an added one may get another
/// with the next that is added beside it. [`super::Snapshot::table`] makes tables by component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ComponentId(pub u32);

/// A configuration item.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// Unique and stable.
    pub id: String,
    /// Canonical name of its type.
    pub kind: String,
    /// Display name; the id if none was given.
    pub name: String,
    pub owner: Option<String>,
    pub environment: Option<String>,
    /// Business tier: `core`, `important`, `general` or `minor`; see [`Tier`].
    pub tier: Option<Tier>,
    pub attributes: BTreeMap<String, AttributeValue>,
    /// Other names that signals and people use for it.
    pub aliases: Vec<String>,
    pub place: Option<Place>,
}

impl Component {
    /// What an attribute says, if that is a text.
    pub fn text(&self, attribute: &str) -> Option<&str> {
        match self.attributes.get(attribute)? {
            AttributeValue::Text(text) => Some(text),
            AttributeValue::Bool(_) | AttributeValue::Number(_) => None,
        }
    }
}

/// The four business tiers of the response targets; most important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    Core,
    Important,
    General,
    Minor,
}

impl Tier {
    pub const ALL: [Tier; 4] = [Tier::Core, Tier::Important, Tier::General, Tier::Minor];

    pub fn name(self) -> &'static str {
        match self {
            Tier::Core => "core",
            Tier::Important => "important",
            Tier::General => "general",
            Tier::Minor => "minor",
        }
    }

    pub fn zh(self) -> &'static str {
        match self {
            Tier::Core => "核心",
            Tier::Important => "重要",
            Tier::General => "一般",
            Tier::Minor => "非核心",
        }
    }

    /// By name or Chinese name.
    pub fn parse(text: &str) -> Option<Tier> {
        Tier::ALL.into_iter().find(|t| t.name() == text || t.zh() == text)
    }
}

/// Numbers are in the base unit of their dimension.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValue {
    Text(String),
    Bool(bool),
    Number(f64),
}

/// A typed, directed edge between two components.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Relation {
    pub from: ComponentId,
    /// Canonical name of its kind.
    pub kind: String,
    pub to: ComponentId,
    /// How hard a fault hits along it, if not as its kind has it.
    pub effect: Option<State>,
}

/// Members, of which at least `need` must be up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub id: String,
    /// Ascending.
    pub members: Vec<ComponentId>,
    pub need: usize,
}
