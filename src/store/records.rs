//! The contents of the store: components, relations, groups and past cases, and how several origins merge into one record.

use std::collections::{BTreeMap, BTreeSet};

use diag::text;
use estate::{DeclaredComponent, DeclaredGroup, DeclaredRelation, Written};
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StoreError;
use super::tables::{Cut, push_bytes};

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
    /// All that it says; removals come first: an item that is both removed and put is put.
    pub(super) fn words(&self) -> Vec<Word<'_>> {
        let mut words = Vec::with_capacity(self.len());
        words.extend(self.remove_components.iter().map(Word::NoComponent));
        words.extend(self.remove_relations.iter().map(Word::NoRelation));
        words.extend(self.remove_groups.iter().map(Word::NoGroup));
        words.extend(self.remove_cases.iter().map(Word::NoCase));
        words.extend(self.put_components.iter().map(Word::Component));
        words.extend(self.put_relations.iter().map(Word::Relation));
        words.extend(self.put_groups.iter().map(Word::Group));
        words.extend(self.put_cases.iter().map(Word::Case));
        words
    }

    fn len(&self) -> usize {
        let removed = self.remove_components.len() + self.remove_relations.len() + self.remove_groups.len() + self.remove_cases.len();
        removed + self.put_components.len() + self.put_relations.len() + self.put_groups.len() + self.put_cases.len()
    }

    /// Withdraws an item.
    pub(super) fn remove(&mut self, key: Key) {
        match key {
            Key::Component(id) => self.remove_components.push(id),
            Key::Relation(from, kind, to) => {
                self.remove_relations.push(DeclaredRelation { from, kind, to, ..DeclaredRelation::default() });
            }
            Key::Group(id) => self.remove_groups.push(id),
            Key::Case(id) => self.remove_cases.push(id),
        }
    }

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
        Changeset { remove_components, remove_relations, remove_groups, remove_cases, ..Changeset::putting(wanted) }
    }

    /// All of these.
    pub(super) fn putting(wanted: Records) -> Changeset {
        Changeset {
            put_components: wanted.components,
            put_relations: wanted.relations,
            put_groups: wanted.groups,
            put_cases: wanted.cases,
            ..Changeset::default()
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
    /// `type`, `name`, `owner`, `environment`, `tier`, `drop`, or `attributes.` and the name of an attribute.
    pub attribute: String,
    pub git: Value,
    pub other: Value,
    /// The other origin.
    pub origin: String,
    /// Git extends the component, or drops it or the relation: to say otherwise is what that is for.
    pub on_purpose: bool,
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

    fn of(byte: &[u8]) -> Result<What, StoreError> {
        match byte {
            b"c" => Ok(What::Component),
            b"g" => Ok(What::Group),
            b"k" => Ok(What::Case),
            b"r" => Ok(What::Relation),
            _ => Err(StoreError::Broken(text!("an item has an unknown kind"))),
        }
    }

    /// How many texts make a key: start, kind and end, or the id.
    pub(super) fn texts(self) -> usize {
        match self {
            What::Relation => 3,
            What::Component | What::Group | What::Case => 1,
        }
    }
}

/// The texts of a key; those that it does not have are empty.
pub(super) type Texts<'k> = [&'k str; 3];

/// No key is the beginning of another.
pub(super) fn key_bytes(what: What, texts: Texts<'_>) -> Vec<u8> {
    let mut bytes = vec![what.byte()];
    for text in texts.iter().take(what.texts()) {
        push_bytes(&mut bytes, text.as_bytes());
    }
    bytes
}

/// Reads a key off the front.
pub(super) fn cut_key<'b>(cut: &mut Cut<'b>) -> Result<(What, Texts<'b>), StoreError> {
    let what = What::of(cut.take(1)?)?;
    let mut texts = [""; 3];
    for text in texts.iter_mut().take(what.texts()) {
        *text = cut.text()?;
    }
    Ok((what, texts))
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

    pub(super) fn texts(&self) -> Texts<'_> {
        match self {
            Key::Component(id) | Key::Group(id) | Key::Case(id) => [id, "", ""],
            Key::Relation(from, kind, to) => [from, kind, to],
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        key_bytes(self.what(), self.texts())
    }

    /// Reads itself off the front of a key.
    pub(super) fn cut(cut: &mut Cut<'_>) -> Result<Key, StoreError> {
        let (what, [first, kind, to]) = cut_key(cut)?;
        let first = first.to_owned();
        Ok(match what {
            What::Component => Key::Component(first),
            What::Relation => Key::Relation(first, kind.to_owned(), to.to_owned()),
            What::Group => Key::Group(first),
            What::Case => Key::Case(first),
        })
    }
}

/// What a changeset says about one item: a declaration, or that there is none any more.
#[derive(Debug, Clone, Copy)]
pub(super) enum Word<'c> {
    Component(&'c DeclaredComponent),
    Relation(&'c DeclaredRelation),
    Group(&'c DeclaredGroup),
    Case(&'c CaseRecord),
    NoComponent(&'c String),
    NoRelation(&'c DeclaredRelation),
    NoGroup(&'c String),
    NoCase(&'c String),
}

impl<'c> Word<'c> {
    pub(super) fn what(self) -> What {
        match self {
            Word::Component(_) | Word::NoComponent(_) => What::Component,
            Word::Relation(_) | Word::NoRelation(_) => What::Relation,
            Word::Group(_) | Word::NoGroup(_) => What::Group,
            Word::Case(_) | Word::NoCase(_) => What::Case,
        }
    }

    pub(super) fn texts(self) -> Texts<'c> {
        match self {
            Word::Component(one) => [&one.id, "", ""],
            Word::Relation(one) | Word::NoRelation(one) => [&one.from, &one.kind, &one.to],
            Word::Group(one) => [&one.id, "", ""],
            Word::Case(one) => [&one.id, "", ""],
            Word::NoComponent(id) | Word::NoGroup(id) | Word::NoCase(id) => [id, "", ""],
        }
    }

    /// The order of the bytes of keys, without making them.
    pub(super) fn order(self) -> (u8, [(usize, &'c str); 3]) {
        (self.what().byte(), self.texts().map(|text| (text.len(), text)))
    }

    /// Whose declaration it is, and the value of its row; `None` if it withdraws one.
    pub(super) fn said(self) -> Result<Option<(&'c str, Vec<u8>)>, StoreError> {
        Ok(match self {
            Word::Component(one) => Some((one.origin.as_str(), serde_json::to_vec(one)?)),
            Word::Relation(one) => Some((one.origin.as_str(), relation_value(one)?)),
            Word::Group(one) => Some((one.origin.as_str(), serde_json::to_vec(one)?)),
            Word::Case(one) => Some((one.origin.as_str(), serde_json::to_vec(one)?)),
            Word::NoComponent(_) | Word::NoRelation(_) | Word::NoGroup(_) | Word::NoCase(_) => None,
        })
    }
}

/// Only what the key of its row does not say, which is nothing as a rule: relations are most of an estate.
fn relation_value(relation: &DeclaredRelation) -> Result<Vec<u8>, StoreError> {
    let DeclaredRelation { from: _, kind: _, to: _, effect, drop, origin: _, places: _ } = relation;
    if *drop {
        return Ok(serde_json::to_vec(relation)?);
    }
    Ok(match effect {
        Some(effect) => serde_json::to_vec(effect)?,
        None => Vec::new(),
    })
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

    /// From a row, or a side of a change. Straight from the text: an intermediate tree of values would dominate the time to read
    /// a large estate.
    pub(super) fn read(key: &[u8], origin: &str, value: &[u8]) -> Result<Item, StoreError> {
        let (what, [from, kind, to]) = cut_key(&mut Cut(key))?;
        Ok(match what {
            What::Component => Item::Component(serde_json::from_slice(value)?),
            // All of it is in the value if it is not so; before format 4, always.
            What::Relation if value.starts_with(b"{") => Item::Relation(serde_json::from_slice(value)?),
            What::Relation => Item::Relation(DeclaredRelation {
                from: from.to_owned(),
                kind: kind.to_owned(),
                to: to.to_owned(),
                effect: if value.is_empty() { None } else { Some(serde_json::from_slice(value)?) },
                drop: false,
                origin: origin.to_owned(),
                places: None,
            }),
            What::Group => Item::Group(serde_json::from_slice(value)?),
            What::Case => Item::Case(serde_json::from_slice(value)?),
        })
    }

    /// What [`Item::read`] reads.
    pub(super) fn value(&self) -> Result<Vec<u8>, StoreError> {
        Ok(match self {
            Item::Component(one) => serde_json::to_vec(one)?,
            Item::Relation(one) => relation_value(one)?,
            Item::Group(one) => serde_json::to_vec(one)?,
            Item::Case(one) => serde_json::to_vec(one)?,
        })
    }

    fn rank(&self) -> (u8, String) {
        rank(self.origin())
    }

    /// Whether it says that the item is not there.
    pub(super) fn is_dropped(&self) -> bool {
        match self {
            Item::Component(one) => one.drop,
            Item::Relation(one) => one.drop,
            Item::Group(_) | Item::Case(_) => false,
        }
    }

    /// An item that git says is not there, and another origin declares.
    pub(super) fn dropped(git: &Item, other: &Item) -> Option<Conflict> {
        let id = match git {
            Item::Component(one) => one.id.clone(),
            Item::Relation(one) => one.words(),
            Item::Group(_) | Item::Case(_) => return None,
        };
        let (attribute, origin) = ("drop".to_owned(), other.origin().to_owned());
        Some(Conflict { id, attribute, git: Value::from(true), other: Value::from(false), origin, on_purpose: true })
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

/// One item merged from all origins: `None` if no origin declares it, for to say more about it is not to declare it, or if the first of
/// them says that it is not there. Attributes of a component are merged one by one; relations, groups and cases are taken from the first
/// origin.
pub(super) fn merge(mut layers: Vec<Item>) -> Option<Item> {
    layers.sort_by_key(Item::rank);
    let mut layers = layers.into_iter();
    let mut merged = layers.next()?;
    if merged.is_dropped() {
        return None;
    }
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
            let (id, origin) = (git.id.clone(), other.origin.clone());
            Some(Conflict { id, attribute, git: git_says, other: other_says, origin, on_purpose: git.extends })
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

impl Records {
    pub(super) fn push(&mut self, item: Item) {
        match item {
            Item::Component(one) => self.components.push(one),
            Item::Relation(one) => self.relations.push(one),
            Item::Group(one) => self.groups.push(one),
            Item::Case(one) => self.cases.push(one),
        }
    }

    /// Each list in the order of its ids.
    pub(super) fn sort(&mut self) {
        self.components.sort_by(|a, b| a.id.cmp(&b.id));
        self.relations.sort_by(|a, b| (&a.from, &a.kind, &a.to).cmp(&(&b.from, &b.kind, &b.to)));
        self.groups.sort_by(|a, b| a.id.cmp(&b.id));
        self.cases.sort_by(|a, b| a.id.cmp(&b.id));
    }

    /// Leaves out relations whose ends are not both there.
    pub(super) fn without_loose_ends(mut self) -> Self {
        let Records { components, relations, .. } = &mut self;
        let there: FxHashSet<&str> = components.iter().map(|one| one.id.as_str()).collect(); // lookup only
        relations.retain(|one| there.contains(one.from.as_str()) && there.contains(one.to.as_str()));
        self
    }
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
        assert_eq!(found.iter().map(|c| (c.attribute.as_str(), c.on_purpose)).collect::<Vec<_>>(), [("attributes.size", false)]);
        let overlay = DeclaredComponent { extends: true, ..git.clone() };
        assert!(conflicts(&overlay, &import).iter().all(|c| c.on_purpose));
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
