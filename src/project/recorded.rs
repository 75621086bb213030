//! Converts an estate in memory to records of a store, and back.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use serde_json::Value;

use estate::{AttributeKind, AttributeValue, Component, Member, Model, Parts, Rejected, Snapshot, Tier};
use knowledge::Case;
use store::{CaseRecord, ComponentRecord, GroupRecord, Records, RelationRecord};

/// The records of an estate, all with the same origin. Numbers stay in their base unit.
pub fn records_of(estate: &Snapshot, origin: &str) -> Records {
    let id = |component| estate.component(component).id.clone();
    let components = estate.ids().map(|at| {
        let one = estate.component(at);
        ComponentRecord {
            id: one.id.clone(),
            kind: one.kind.clone(),
            name: one.name.clone(),
            owner: one.owner.clone(),
            environment: one.environment.clone(),
            tier: one.tier.map(|tier| tier.name().to_owned()),
            attributes: one.attributes.iter().map(|(name, said)| (name.clone(), written(said))).collect(),
            origin: origin.to_owned(),
        }
    });
    let relations =
        estate.relations().map(|one| RelationRecord { from: id(one.from), kind: one.kind, to: id(one.to), origin: origin.to_owned() });
    let groups = estate.groups().iter().map(|one| GroupRecord {
        id: one.id.clone(),
        members: one.members.iter().map(|member| id(*member)).collect(),
        need: u64::try_from(one.need).unwrap_or(u64::MAX),
        origin: origin.to_owned(),
    });
    Records { components: components.collect(), relations: relations.collect(), groups: groups.collect(), ..Records::default() }
}

fn written(said: &AttributeValue) -> Value {
    match said {
        AttributeValue::Text(text) => text.clone().into(),
        AttributeValue::Bool(truth) => (*truth).into(),
        AttributeValue::Number(number) => (*number).into(),
    }
}

/// Past incidents as records, by id. If two cases have the same id, the first one counts.
///
/// The affected entries of a case may be types. They are left out here, because a record only refers to components.
pub fn case_records(cases: &[Case], estate: &Snapshot, origin: &str) -> Vec<CaseRecord> {
    let mut records: BTreeMap<&str, CaseRecord> = BTreeMap::new();
    for case in cases {
        let root = case.root.as_ref().and_then(|root| root.component.as_ref());
        let touched = root.into_iter().chain(&case.affected).filter_map(|name| match estate.find_named(name) {
            Some(component) => Some(estate.component(component).id.clone()),
            None => estate.model().find_type(name).is_none().then(|| name.clone()),
        });
        let record = || CaseRecord {
            id: case.id.clone(),
            title: case.title.clone(),
            date: case.date.map(|date| date.to_string()),
            root_cause: case.root.as_ref().map(|root| root.fault.clone()),
            components: touched.collect::<BTreeSet<String>>().into_iter().collect(),
            rule: case.rule.clone(),
            origin: origin.to_owned(),
        };
        records.entry(&case.id).or_insert_with(record);
    }
    records.into_values().collect()
}

/// The estate that records describe, under the current model. Components of a type that the model no longer has are left out.
pub fn recorded(model: &Model, records: Records, left_out: &mut Rejected) -> Snapshot {
    let Records { components: mut said, relations, groups, .. } = records;
    // Records from a store are sorted by id; other records may not be.
    said.sort_by(|a, b| a.id.cmp(&b.id));
    said.dedup_by(|a, b| a.id == b.id);
    let components = said.into_iter().map(|one| component(model, one, left_out)).collect::<Vec<_>>();
    let places: FxHashMap<&str, u32> = components.iter().map(|one: &Component| one.id.as_str()).zip(0..).collect(); // lookup only
    let position = |id: &str| places.get(id).copied();
    let mut ends = Vec::with_capacity(relations.len());
    for one in &relations {
        match (position(&one.from), position(&one.to)) {
            (Some(from), Some(to)) => ends.push((from, one.kind.as_str(), to)),
            (Some(_) | None, Some(_) | None) => {
                left_out.add("one of its components does not exist", || format!("`{} {} {}`", one.from, one.kind, one.to));
            }
        }
    }
    let groups =
        groups.into_iter().map(|one| (one.id, one.members.iter().filter_map(|member| position(member)).collect(), one.need)).collect();
    Snapshot::checked(model.clone(), Parts { components, relations: ends, groups }, left_out)
}

fn component(model: &Model, said: ComponentRecord, left_out: &mut Rejected) -> Component {
    let ComponentRecord { id, kind, name, owner, environment, tier, attributes: given, origin: _ } = said;
    let mut attributes = BTreeMap::new();
    for (name, said) in given {
        match attribute(model, &kind, &name, said) {
            Some(said) => {
                attributes.insert(name, said);
            }
            None => {
                left_out.add("the model declares another type of value", || format!("attribute `{name}` of `{id}`"));
            }
        }
    }
    let known = tier.as_deref().and_then(Tier::parse);
    if let (Some(tier), None) = (&tier, known) {
        left_out.add("unknown tier", || format!("tier `{tier}` of `{id}`"));
    }
    Component { id, kind, name, owner, environment, tier: known, attributes, place: None }
}

/// The value, if it has the declared type. An undeclared attribute may be any text, number or boolean.
fn attribute(model: &Model, kind: &str, name: &str, said: Value) -> Option<AttributeValue> {
    let value = match said {
        Value::String(text) => AttributeValue::Text(text),
        Value::Bool(truth) => AttributeValue::Bool(truth),
        Value::Number(number) => AttributeValue::Number(number.as_f64()?),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    let Some(Member::Attribute(def)) = model.member(kind, name) else { return Some(value) };
    match (def.kind, &value) {
        (AttributeKind::Text, AttributeValue::Text(_))
        | (AttributeKind::Bool, AttributeValue::Bool(_))
        | (AttributeKind::Number(_), AttributeValue::Number(_)) => Some(value),
        (AttributeKind::Text, AttributeValue::Bool(_) | AttributeValue::Number(_))
        | (AttributeKind::Bool, AttributeValue::Text(_) | AttributeValue::Number(_))
        | (AttributeKind::Number(_), AttributeValue::Text(_) | AttributeValue::Bool(_)) => None,
    }
}
