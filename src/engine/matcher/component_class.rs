//! Classifies components by *slots*: a slot is a type with a filter, as rules declare their variables.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use compile::plan::{Field, Filter, FilterValue, Op};
use estate::{AttributeValue, Component, ComponentId, Model, ROOT_TYPE, Snapshot};

use super::super::sets::passes;
use super::node::number;

/// The slot that every component is in.
pub(super) const EVERY: u32 = 0;
/// Not a slot: signals wherever they are.
pub(super) const ANYWHERE: u32 = u32::MAX;

/// A type with a filter.
#[derive(Debug)]
struct Slot {
    kind: String,
    filter: Option<Filter>,
}

#[derive(Debug)]
pub(super) struct Slots {
    all: Vec<Slot>,
    known: BTreeMap<String, u32>,
    /// Those of one type.
    indexes: Vec<SlotIndex>,
    /// For each type: the slots that apply to it.
    indexes_of: Vec<Vec<usize>>,
}

#[derive(Debug, Default)]
struct SlotIndex {
    all: Vec<u32>,
    /// By an attribute or field, and its value: slots with only this test, and others.
    equal: BTreeMap<String, ByValue>,
    rest: Vec<u32>,
}

/// By a value.
type ByValue = FxHashMap<String, (Vec<u32>, Vec<u32>)>; // lookup only

impl Slots {
    /// Only [`EVERY`].
    pub fn new() -> Self {
        let mut slots = Slots { all: Vec::new(), known: BTreeMap::new(), indexes: Vec::new(), indexes_of: Vec::new() };
        slots.number(ROOT_TYPE, None);
        slots
    }

    /// The number of a slot, a new one if it is new.
    pub fn number(&mut self, kind: &str, filter: Option<&Filter>) -> u32 {
        let next = number(self.all.len());
        let known = *self.known.entry(format!("{kind} {filter:?}")).or_insert(next);
        if known == next {
            self.all.push(Slot { kind: kind.to_owned(), filter: filter.cloned() });
        }
        known
    }

    pub fn kind(&self, slot: u32) -> &str {
        &self.all[slot as usize].kind
    }

    /// Once all are numbered: for the types in the order of their numbers, the slots that apply to them.
    pub fn arrange(&mut self, types: &[String], model: &Model) {
        let mut by_kind: BTreeMap<&str, SlotIndex> = BTreeMap::new();
        for (id, slot) in (0u32..).zip(&self.all).skip(1) {
            let index = by_kind.entry(slot.kind.as_str()).or_default();
            match slot.filter.as_ref().map(equality) {
                None => index.all.push(id),
                Some(Some((field, value))) => {
                    let (only, also) = index.equal.entry(field).or_default().entry(value).or_default();
                    if matches!(slot.filter, Some(Filter::Test { .. })) { only.push(id) } else { also.push(id) }
                }
                Some(None) => index.rest.push(id),
            }
        }
        let concern = |name: &String| (0..).zip(by_kind.keys()).filter(|(_, kind)| model.is_a(name, kind)).map(|(at, _)| at).collect();
        self.indexes_of = types.iter().map(concern).collect();
        self.indexes = by_kind.into_values().collect();
    }

    /// The slots that a component of a type (by its number) is in, [`EVERY`] first.
    pub fn of(&self, estate: &Snapshot, component: ComponentId, kind: usize) -> SmallVec<[u32; 8]> {
        let mut found: SmallVec<[u32; 8]> = SmallVec::from_slice(&[EVERY]);
        let it = estate.component(component);
        let lets = |slot: &u32| self.all[*slot as usize].filter.as_ref().is_none_or(|filter| passes(estate, filter, component));
        for index in self.indexes_of.get(kind).into_iter().flatten().filter_map(|at| self.indexes.get(*at)) {
            found.extend_from_slice(&index.all);
            found.extend(index.rest.iter().copied().filter(lets));
            for (field, values) in &index.equal {
                if let Some((only, also)) = field_of(it, field).and_then(|value| values.get(value)) {
                    found.extend_from_slice(only);
                    found.extend(also.iter().copied().filter(lets));
                }
            }
        }
        found
    }
}

/// A text field or attribute of a component, by its key in [`SlotIndex::equal`].
fn field_of<'c>(component: &'c Component, key: &str) -> Option<&'c str> {
    match key {
        ".id" => Some(&component.id),
        ".name" => Some(&component.name),
        ".owner" => component.owner.as_deref(),
        ".environment" => component.environment.as_deref(),
        ".tier" => component.tier.map(estate::Tier::name),
        attribute => match component.attributes.get(attribute)? {
            AttributeValue::Text(text) => Some(text),
            AttributeValue::Bool(value) => Some(if *value { "true" } else { "false" }),
            AttributeValue::Number(_) => None,
        },
    }
}

/// An equality that a component must satisfy to pass a filter.
fn equality(filter: &Filter) -> Option<(String, String)> {
    match filter {
        Filter::Test { field, op: Op::Eq, value: FilterValue::Text(text) } => {
            let key = match field {
                Field::Id => ".id".to_owned(),
                Field::Name => ".name".to_owned(),
                Field::Owner => ".owner".to_owned(),
                Field::Environment => ".environment".to_owned(),
                Field::Tier => ".tier".to_owned(),
                Field::Attribute(name) => name.clone(),
                Field::Type => return None,
            };
            Some((key, text.clone()))
        }
        Filter::All(parts) => parts.iter().find_map(equality),
        Filter::Any(_) | Filter::Test { .. } => None,
    }
}
