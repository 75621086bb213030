//! The contents of the store: components, relations, groups and past cases, and how several origins merge into one record.

use std::collections::{BTreeMap, BTreeSet};

use diag::text;
use estate::{DeclaredComponent, DeclaredGroup, DeclaredRelation, Written};
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StoreError;
use super::tables::{Cut, text_key};

/// The origin that wins over all others.
pub const GIT: &str = "git";

/// A past incident, as far as it concerns the estate: the components it touched. The rest stays in its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseRecord {
    pub id: String,
    pub title: String,
    /// RFC 3339.
    pub date: Option<String>,
    /// The fault; `None` if it was never found.
    pub root_cause: Option<String>,
    /// Ids of components, which need not exist.
    pub components: Vec<String>,
    /// The rule that was made of it.
    pub rule: Option<String>,
    pub origin: String,
}

/// What to change. A record that is put replaces what its own origin declared; a removal withdraws what the origin of the whole
/// change declared. An item is removed when no origin declares it any more.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Changeset {
    pub put_components: Vec<DeclaredComponent>,
    pub remove_components: Vec<String>,
    pub put_relations: Vec<DeclaredRelation>,
    /// Their own `origin` does not matter.
    pub remove_relations: Vec<DeclaredRelation>,
    pub put_groups: Vec<DeclaredGroup>,
    pub remove_groups: Vec<String>,
    pub put_cases: Vec<CaseRecord>,
    pub remove_cases: Vec<String>,
}

impl Changeset {
    /// The changeset that turns the current layer of an origin into `wanted`: puts all of it, removes the rest.
    pub fn replacing(current: &Records, wanted: Records) -> Changeset {
        let components: BTreeSet<&str> = wanted.components.iter().map(|one| one.id.as_str()).collect();
        let relations: BTreeSet<(&str, &str, &str)> =
            wanted.relations.iter().map(|one| (one.from.as_str(), one.kind.as_str(), one.to.as_str())).collect();
        let groups: BTreeSet<&str> = wanted.groups.iter().map(|one| one.id.as_str()).collect();
        let cases: BTreeSet<&str> = wanted.cases.iter().map(|one| one.id.as_str()).collect();
        let gone = |one: &&DeclaredRelation| !relations.contains(&(one.from.as_str(), one.kind.as_str(), one.to.as_str()));
        let remove_components =
            current.components.iter().map(|one| &one.id).filter(|id| !components.contains(id.as_str())).cloned().collect();
        let remove_relations = current.relations.iter().filter(gone).cloned().collect();
        let remove_groups = current.groups.iter().map(|one| &one.id).filter(|id| !groups.contains(id.as_str())).cloned().collect();
        let remove_cases = current.cases.iter().map(|one| &one.id).filter(|id| !cases.contains(id.as_str())).cloned().collect();
        Changeset {
            remove_components,
            remove_relations,
            remove_groups,
            remove_cases,
            put_components: wanted.components,
            put_relations: wanted.relations,
            put_groups: wanted.groups,
            put_cases: wanted.cases,
        }
    }
}

/// A whole estate at one revision; each list in the order of its ids.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Records {
    pub revision: u64,
    pub components: Vec<DeclaredComponent>,
    /// Only those between existing components.
    pub relations: Vec<DeclaredRelation>,
    pub groups: Vec<DeclaredGroup>,
    #[serde(default)]
    pub cases: Vec<CaseRecord>,
}

/// Git and another origin have different values. Git wins; this lists the difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    pub id: String,
    /// `type`, `name`, `owner`, `environment`, `tier`, or `attributes.` and the name of an attribute.
    pub attribute: String,
    pub git: Value,
    pub other: Value,
    /// The other origin.
    pub origin: String,
}

/// Which list an item belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    Component,
    Relation,
    Group,
    Case,
}

impl What {
    fn byte(self) -> u8 {
        match self {
            What::Component => b'c',
            What::Relation => b'r',
            What::Group => b'g',
            What::Case => b'k',
        }
    }
}

/// The unique key of an item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Component(String),
    /// From, kind, to.
    Relation(String, String, String),
    Group(String),
    Case(String),
}

impl Key {
    pub(super) fn what(&self) -> What {
        match self {
            Key::Component(_) => What::Component,
            Key::Relation(..) => What::Relation,
            Key::Group(_) => What::Group,
            Key::Case(_) => What::Case,
        }
    }

    /// For people.
    pub(super) fn name(&self) -> String {
        match self {
            Key::Component(id) | Key::Group(id) | Key::Case(id) => id.clone(),
            Key::Relation(from, kind, to) => format!("{from} {kind} {to}"),
        }
    }

    /// No key is the beginning of another.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.what().byte()];
        match self {
            Key::Component(id) | Key::Group(id) | Key::Case(id) => bytes.extend(text_key(id)),
            Key::Relation(from, kind, to) => [from, kind, to].into_iter().for_each(|part| bytes.extend(text_key(part))),
        }
        bytes
    }

    /// What the bytes of a key are about.
    pub(super) fn what_of(bytes: &[u8]) -> Result<What, StoreError> {
        match bytes.first() {
            Some(b'c') => Ok(What::Component),
            Some(b'g') => Ok(What::Group),
            Some(b'k') => Ok(What::Case),
            Some(b'r') => Ok(What::Relation),
            Some(_) | None => Err(StoreError::Broken(text!("an item has an unknown kind"))),
        }
    }

    /// Reads itself off the front of a key.
    pub(super) fn cut(cut: &mut Cut<'_>) -> Result<Key, StoreError> {
        match cut.take(1)? {
            b"c" => Ok(Key::Component(cut.text()?.to_owned())),
            b"g" => Ok(Key::Group(cut.text()?.to_owned())),
            b"k" => Ok(Key::Case(cut.text()?.to_owned())),
            b"r" => Ok(Key::Relation(cut.text()?.to_owned(), cut.text()?.to_owned(), cut.text()?.to_owned())),
            _ => Err(StoreError::Broken(text!("an item has an unknown kind"))),
        }
    }
}

/// A record of any list.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    Component(DeclaredComponent),
    Relation(DeclaredRelation),
    Group(DeclaredGroup),
    Case(CaseRecord),
}

impl Item {
    pub(super) fn key(&self) -> Key {
        match self {
            Item::Component(one) => Key::Component(one.id.clone()),
            Item::Relation(one) => Key::Relation(one.from.clone(), one.kind.clone(), one.to.clone()),
            Item::Group(one) => Key::Group(one.id.clone()),
            Item::Case(one) => Key::Case(one.id.clone()),
        }
    }

    pub(super) fn origin(&self) -> &str {
        match self {
            Item::Component(one) => &one.origin,
            Item::Relation(one) => &one.origin,
            Item::Group(one) => &one.origin,
            Item::Case(one) => &one.origin,
        }
    }

    pub(super) fn to_json(&self) -> Result<Value, StoreError> {
        Ok(match self {
            Item::Component(one) => serde_json::to_value(one)?,
            Item::Relation(one) => serde_json::to_value(one)?,
            Item::Group(one) => serde_json::to_value(one)?,
            Item::Case(one) => serde_json::to_value(one)?,
        })
    }

    pub(super) fn from_json(what: What, value: Value) -> Result<Item, StoreError> {
        Ok(match what {
            What::Component => Item::Component(serde_json::from_value(value)?),
            What::Relation => Item::Relation(serde_json::from_value(value)?),
            What::Group => Item::Group(serde_json::from_value(value)?),
            What::Case => Item::Case(serde_json::from_value(value)?),
        })
    }

    /// Straight from the text: an intermediate tree of values would dominate the time to read a large estate.
    pub(super) fn read(what: What, text: &[u8]) -> Result<Item, StoreError> {
        Ok(match what {
            What::Component => Item::Component(serde_json::from_slice(text)?),
            What::Relation => Item::Relation(serde_json::from_slice(text)?),
            What::Group => Item::Group(serde_json::from_slice(text)?),
            What::Case => Item::Case(serde_json::from_slice(text)?),
        })
    }

    fn rank(&self) -> (u8, String) {
        rank(self.origin())
    }
}

/// Git first, then records from the API, then imports in the order of their names.
fn rank(origin: &str) -> (u8, String) {
    let class = match origin {
        GIT => 0,
        "api" => 1,
        _ => 2,
    };
    (class, origin.to_owned())
}

/// One item merged from all origins: `None` if no origin declares it, for to say more about it is not to declare it. Attributes of a
/// component are merged one by one; relations, groups and cases are taken from the first origin.
pub(super) fn merge(mut layers: Vec<Item>) -> Option<Item> {
    layers.sort_by_key(Item::rank);
    let mut layers = layers.into_iter();
    let mut merged = layers.next()?;
    if let Item::Component(merged) = &mut merged {
        for layer in layers {
            if let Item::Component(other) = layer {
                fill(merged, other);
            }
        }
        if merged.extends {
            return None;
        }
    }
    Some(merged)
}

/// Takes from `other` what `merged` leaves open. A name that only repeats the id counts as absent.
fn fill(merged: &mut DeclaredComponent, other: DeclaredComponent) {
    if merged.name.as_ref().is_none_or(|name| *name == merged.id) {
        merged.name = other.name.or(merged.name.take());
    }
    if merged.kind.is_empty() {
        merged.kind = other.kind;
    }
    if merged.extends && !other.extends {
        merged.extends = false;
        merged.origin = other.origin;
    }
    merged.owner = merged.owner.take().or(other.owner);
    merged.environment = merged.environment.take().or(other.environment);
    merged.tier = merged.tier.take().or(other.tier);
    for (name, value) in other.attributes {
        merged.attributes.entry(name).or_insert(value);
    }
    merged.aliases.extend(other.aliases);
    merged.aliases.sort();
    merged.aliases.dedup();
}

/// Where another origin differs from git. What git leaves open is not a conflict.
pub(super) fn conflicts(git: &DeclaredComponent, other: &DeclaredComponent) -> Vec<Conflict> {
    let (ours, theirs) = (said(git), said(other));
    ours.into_iter()
        .filter_map(|(attribute, git_says)| {
            let other_says = theirs.get(&attribute).filter(|value| **value != git_says)?.clone();
            Some(Conflict { id: git.id.clone(), attribute, git: git_says, other: other_says, origin: other.origin.clone() })
        })
        .collect()
}

fn json_of(value: &Written) -> Value {
    match value {
        Written::Text(text) => Value::from(text.clone()),
        Written::Bool(value) => Value::from(*value),
        Written::Base(number) | Written::Number(number) => Value::from(*number),
    }
}

/// All fields of a layer, by name.
fn said(layer: &DeclaredComponent) -> BTreeMap<String, Value> {
    let mut said = BTreeMap::new();
    if !layer.kind.is_empty() {
        said.insert("type".to_owned(), Value::from(layer.kind.clone()));
    }
    let named = layer.name.clone().filter(|name| *name != layer.id);
    for (name, value) in [("name", &named), ("owner", &layer.owner), ("environment", &layer.environment), ("tier", &layer.tier)] {
        if let Some(value) = value {
            said.insert(name.to_owned(), Value::from(value.clone()));
        }
    }
    for (name, value) in &layer.attributes {
        said.insert(format!("attributes.{name}"), json_of(value));
    }
    said
}

/// Puts items into their lists, each in its order. A relation whose ends are not both there is left out.
pub(super) fn records(revision: u64, items: impl IntoIterator<Item = Item>) -> Records {
    let mut records = Records { revision, ..Records::default() };
    for item in items {
        match item {
            Item::Component(one) => records.components.push(one),
            Item::Relation(one) => records.relations.push(one),
            Item::Group(one) => records.groups.push(one),
            Item::Case(one) => records.cases.push(one),
        }
    }
    let Records { components, relations, groups, cases, .. } = &mut records;
    components.sort_by(|a, b| a.id.cmp(&b.id));
    let there: FxHashSet<&str> = components.iter().map(|one| one.id.as_str()).collect(); // lookup only
    relations.retain(|one| there.contains(one.from.as_str()) && there.contains(one.to.as_str()));
    relations.sort_by(|a, b| (&a.from, &a.kind, &a.to).cmp(&(&b.from, &b.kind, &b.to)));
    groups.sort_by(|a, b| a.id.cmp(&b.id));
    cases.sort_by(|a, b| a.id.cmp(&b.id));
    records
}

#[cfg(test)]
mod tests {
    use super::{DeclaredComponent, Item, Key, Written, conflicts, merge};
    use crate::tables::Cut;

    fn layer(origin: &str, owner: Option<&str>, size: f64) -> DeclaredComponent {
        DeclaredComponent {
            id: "db".to_owned(),
            kind: "database".to_owned(),
            name: Some(if origin == "git" { "db".to_owned() } else { "Orders".to_owned() }),
            owner: owner.map(str::to_owned),
            environment: None,
            tier: None,
            attributes: [("size".to_owned(), Written::Base(size)), (origin.to_owned(), Written::Bool(true))].into(),
            origin: origin.to_owned(),
            ..DeclaredComponent::default()
        }
    }

    #[test]
    fn git_wins_attribute_by_attribute() {
        let (git, import) = (layer("git", None, 1.0), layer("import:k8s", Some("ops"), 2.0));
        let found = conflicts(&git, &import);
        assert_eq!(found.iter().map(|c| c.attribute.as_str()).collect::<Vec<_>>(), ["attributes.size"]);
        let Some(Item::Component(merged)) = merge(vec![Item::Component(import), Item::Component(git)]) else { panic!("no component") };
        assert_eq!((merged.origin.as_str(), merged.owner.as_deref(), merged.name.as_deref()), ("git", Some("ops"), Some("Orders")));
        assert_eq!(merged.attributes.get("size"), Some(&Written::Base(1.0)));
        assert_eq!(merged.attributes.len(), 3);
    }

    #[test]
    fn keys_come_back() {
        for key in [
            Key::Component("a b".into()),
            Key::Relation("a".into(), String::new(), "b".into()),
            Key::Group("组".into()),
            Key::Case("1".into()),
        ] {
            assert_eq!(Key::cut(&mut Cut(&key.bytes())).unwrap(), key);
        }
    }
}
