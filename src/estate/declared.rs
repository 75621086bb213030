//! What is said about an estate, before any of it is looked up: by files, imports, a store, a stream.
//!
//! Every source of components speaks in these types, [`super::build_declared`] makes a snapshot of them, and [`Snapshot::with`] the next
//! one. Difference, export and comparison work on them too.

use std::collections::BTreeMap;

use diag::Place;
use serde::{Deserialize, Serialize};

use super::component::{AttributeValue, Component};
use super::model::{AttributeDef, AttributeKind, Member, Model, State};
use super::quantity::fit;
use super::snapshot::Snapshot;

/// Everything that one or more sources say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Declared {
    pub components: Vec<DeclaredComponent>,
    pub relations: Vec<DeclaredRelation>,
    pub groups: Vec<DeclaredGroup>,
    /// Ids of items too broken to keep: references to them are not errors.
    pub broken: Vec<String>,
}

/// A component, or more about one that is declared elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DeclaredComponent {
    pub id: String,
    /// Its type, by any of its names.
    pub kind: String,
    pub name: Option<String>,
    pub owner: Option<String>,
    pub environment: Option<String>,
    /// By any of its names.
    pub tier: Option<String>,
    pub attributes: BTreeMap<String, Written>,
    /// Other names that signals and people use for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// It says more about a component that something else declares; its type may be empty.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub extends: bool,
    /// It is not there, whoever declares it; only with `extends`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drop: bool,
    /// Who declares it: `git`, `api`, `import:kubernetes`; empty for the files of the project itself.
    pub origin: String,
    #[serde(skip)]
    pub places: Option<Box<Places>>,
}

/// Where the parts of a component were read.
#[derive(Debug, Clone, PartialEq)]
pub struct Places {
    pub id: Place,
    pub kind: Place,
    pub tier: Option<Place>,
    pub attributes: BTreeMap<String, AttributePlaces>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AttributePlaces {
    pub key: Place,
    pub value: Place,
    /// A number as it is written: `1.10` is the text "1.10" if the attribute is a text.
    pub written: Option<String>,
}

/// The value of an attribute as its source gives it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Written {
    Text(String),
    Bool(bool),
    /// In the base unit of the attribute: a store keeps values whose unit was resolved.
    Base(f64),
    /// In the unit that the model declares for the attribute.
    Number(f64),
}

/// Every end is a component or a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeclaredRelation {
    pub from: String,
    /// Its kind, by any of its names.
    pub kind: String,
    pub to: String,
    /// The worst that a fault of one end does to the other; as its kind has it if none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<State>,
    /// It is not so, whoever declares it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drop: bool,
    /// As for components.
    #[serde(default)]
    pub origin: String,
    #[serde(skip)]
    pub places: Option<Box<RelationPlaces>>,
}

impl DeclaredRelation {
    /// As people write it: `web calls cart`.
    pub fn words(&self) -> String {
        format!("{} {} {}", self.from, self.kind, self.to)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RelationPlaces {
    pub from: Place,
    pub kind: Place,
    pub to: Place,
}

/// Members, of which at least `need` must be up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredGroup {
    pub id: String,
    pub members: Vec<String>,
    pub need: u64,
    /// As for components.
    #[serde(default)]
    pub origin: String,
    #[serde(skip)]
    pub places: Option<Box<GroupPlaces>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPlaces {
    pub id: Place,
    pub members: Vec<Place>,
    pub need: Place,
}

impl DeclaredComponent {
    /// What would declare a component.
    pub(super) fn of(one: &Component, origin: &str) -> DeclaredComponent {
        DeclaredComponent {
            id: one.id.clone(),
            kind: one.kind.clone(),
            name: Some(one.name.clone()),
            owner: one.owner.clone(),
            environment: one.environment.clone(),
            tier: one.tier.map(|tier| tier.name().to_owned()),
            attributes: one.attributes.iter().map(|(name, value)| (name.clone(), Written::from(value))).collect(),
            aliases: one.aliases.clone(),
            extends: false,
            drop: false,
            origin: origin.to_owned(),
            places: None,
        }
    }

    pub(super) fn place(&self) -> Option<Place> {
        self.places.as_ref().map(|places| places.id)
    }

    pub(super) fn attribute_places(&self, name: &str) -> Option<&AttributePlaces> {
        self.places.as_ref()?.attributes.get(name)
    }
}

impl Snapshot {
    /// What this estate would declare under an origin. Numbers are in their base unit.
    pub fn declared(&self, origin: &str) -> Declared {
        let id = |component| self.component(component).id.clone();
        let components = self.ids().map(|at| DeclaredComponent::of(self.component(at), origin));
        let relations = self.relations().map(|one| DeclaredRelation {
            from: id(one.from),
            kind: one.kind,
            to: id(one.to),
            effect: one.effect,
            drop: false,
            origin: origin.to_owned(),
            places: None,
        });
        let groups = self.groups().map(|one| DeclaredGroup {
            id: one.id.clone(),
            members: one.members.iter().map(|member| id(*member)).collect(),
            need: u64::try_from(one.need).unwrap_or(u64::MAX),
            origin: origin.to_owned(),
            places: None,
        });
        Declared { components: components.collect(), relations: relations.collect(), groups: groups.collect(), broken: Vec::new() }
    }
}

impl From<&AttributeValue> for Written {
    fn from(value: &AttributeValue) -> Self {
        match value {
            AttributeValue::Text(text) => Written::Text(text.clone()),
            AttributeValue::Bool(value) => Written::Bool(*value),
            AttributeValue::Number(number) => Written::Base(*number),
        }
    }
}

impl Written {
    /// Whether it can be the value of this attribute.
    pub fn fits(&self, def: &AttributeDef) -> bool {
        fit(def, self, None).is_ok()
    }

    /// The same in the unit that the model declares for this attribute, as in files.
    pub fn in_own_unit(&self, model: &Model, kind: &str, name: &str) -> Written {
        let unit = match model.member(kind, name) {
            Some(Member::Attribute(def)) => match def.kind {
                AttributeKind::Number(unit) => Some(unit),
                AttributeKind::Text | AttributeKind::Bool => None,
            },
            Some(Member::Metric(_)) | None => None,
        };
        match self {
            Written::Base(number) => Written::Number(unit.map_or(*number, |unit| number / unit.factor)),
            Written::Text(_) | Written::Bool(_) | Written::Number(_) => self.clone(),
        }
    }
}

/// As a file would have it.
impl std::fmt::Display for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Written::Text(text) => f.write_str(text),
            Written::Bool(value) => write!(f, "{value}"),
            Written::Base(number) | Written::Number(number) => write!(f, "{number}"),
        }
    }
}
