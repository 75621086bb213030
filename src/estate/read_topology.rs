//! Topology files into what they declare.

use std::collections::BTreeSet;

use diag::{Code, Diagnostic, Place, text};
use value::fields::Reader;
use value::yaml::{Node, Value};

use super::declared::{
    AttributePlaces, Declared, DeclaredComponent, DeclaredGroup, DeclaredRelation, GroupPlaces, Places, RelationPlaces, Written,
};
use super::model::State;
use super::validate::wrong_need;

/// Reads one file and appends its contents.
pub(super) fn read_topology(reader: &mut Reader<'_>, root: &Node, declared: &mut Declared) {
    if matches!(root.value, Value::Null) {
        return;
    }
    let Some(fields) = reader.fields(root, "a topology", &["components", "relations", "groups"]) else { return };
    if let Some(node) = fields.get("components") {
        for item in reader.list(node, "`components`") {
            component(reader, item, declared);
        }
    }
    if let Some(node) = fields.get("relations") {
        for item in reader.list(node, "`relations`") {
            relations(reader, item, declared);
        }
    }
    if let Some(node) = fields.get("groups") {
        for item in reader.list(node, "`groups`") {
            group(reader, item, declared);
        }
    }
}

fn component(reader: &mut Reader<'_>, node: &Node, declared: &mut Declared) {
    let known = ["id", "extend", "type", "name", "tier", "owner", "environment", "attributes", "aliases", "drop"];
    let Some(fields) = reader.fields(node, "a component", &known) else { return };
    let extended = fields.get("extend").and_then(|node| reader.word(node, "`extend`"));
    let extends = extended.is_some();
    let (id, kind) = if extends {
        if let Some(node) = fields.get("id") {
            let message = text!("a component has `id` or `extend`, not both");
            reader
                .report(Diagnostic::error(Code::EXTENDS, node.place, message).help("`extend` names the component that it says more about"));
        }
        (extended, fields.get("type").and_then(|node| reader.word(node, "`type`")))
    } else {
        let id = reader.required(&fields, "id").and_then(|node| reader.word(node, "`id`"));
        (id, reader.required(&fields, "type").and_then(|node| reader.word(node, "`type`")))
    };
    let mut said = |key: &str, what: &'static str| fields.get(key).and_then(|node| reader.word(node, what)).map(|word| word.text);
    let name = said("name", "`name`");
    let owner = said("owner", "`owner`");
    let environment = said("environment", "`environment`");
    let tier = fields.get("tier").and_then(|node| reader.word(node, "`tier`"));
    let drop = dropped(reader, fields.get("drop"));
    let Some(id) = id else { return };
    let Some(drop) = drop else {
        declared.broken.extend((!extends).then_some(id.text));
        return;
    };
    if drop && !extends {
        let message = text!("`{}` is declared and dropped at once", id.text);
        let help = "`extend` instead of `id` names a component that something else declares; or leave the entry out";
        reader.report(Diagnostic::error(Code::EXTENDS, id.place, message).help(help));
        declared.broken.push(id.text);
        return;
    }
    if kind.is_none() && !extends {
        declared.broken.push(id.text);
        return;
    }
    let (kind, kind_place) = kind.map_or((String::new(), id.place), |kind| (kind.text, kind.place));
    let aliases = fields.get("aliases").map_or_else(Vec::new, |node| reader.words(node, "`aliases`"));
    let aliases = aliases.into_iter().map(|word| word.text).collect();
    let mut one = DeclaredComponent { kind, name, owner, environment, aliases, extends, drop, ..DeclaredComponent::default() };
    let mut places = Places { id: id.place, kind: kind_place, tier: tier.as_ref().map(|tier| tier.place), attributes: [].into() };
    one.tier = tier.map(|tier| tier.text);
    for (key, node) in fields.get("attributes").map_or_else(Default::default, |node| reader.map(node, "`attributes`")) {
        if let Some(value) = written(reader, &key.name, node) {
            let written = matches!(value, Written::Number(_)).then(|| reader.as_written(node)).flatten();
            places.attributes.insert(key.name.clone(), AttributePlaces { key: key.place, value: node.place, written });
            one.attributes.insert(key.name.clone(), value);
        }
    }
    one.id = id.text;
    one.places = Some(Box::new(places));
    declared.components.push(one);
}

/// Whether something is said not to be there; `None` if that is not said as it should be.
fn dropped(reader: &mut Reader<'_>, node: Option<&Node>) -> Option<bool> {
    node.map_or(Some(false), |node| reader.flag(node, "`drop`"))
}

/// A value as it was given. A key without a value counts as absent.
fn written(reader: &mut Reader<'_>, name: &str, node: &Node) -> Option<Written> {
    match &node.value {
        Value::Text(text) => Some(Written::Text(text.clone())),
        Value::Bool(value) => Some(Written::Bool(*value)),
        Value::Number(value) => Some(Written::Number(*value)),
        Value::Null => None,
        Value::List(_) | Value::Map(_) => {
            super::quantity::not_scalar(reader, name, node);
            None
        }
    }
}

/// Every start with every end.
fn relations(reader: &mut Reader<'_>, node: &Node, declared: &mut Declared) {
    let Some(fields) = reader.fields(node, "a relation", &["from", "kind", "to", "effect", "drop"]) else { return };
    let from = reader.required(&fields, "from").map(|node| reader.words(node, "`from`"));
    let kind = reader.required(&fields, "kind").and_then(|node| reader.word(node, "`kind`"));
    let to = reader.required(&fields, "to").map(|node| reader.words(node, "`to`"));
    let effect = fields.get("effect").and_then(|node| reader.choice(node, "`effect`", &State::NAMES));
    let drop = dropped(reader, fields.get("drop"));
    let (Some(from), Some(kind), Some(to), Some(drop)) = (from, kind, to, drop) else { return };
    for start in &from {
        for end in &to {
            let places = RelationPlaces { from: start.place, kind: kind.place, to: end.place };
            let (from, kind, to) = (start.text.clone(), kind.text.clone(), end.text.clone());
            declared.relations.push(DeclaredRelation {
                from,
                kind,
                to,
                effect,
                drop,
                places: Some(Box::new(places)),
                ..DeclaredRelation::default()
            });
        }
    }
}

fn whole(number: f64) -> Option<u64> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
    let whole = number as u64;
    #[allow(clippy::cast_precision_loss, reason = "compared with the number that it came from")]
    (number >= 0.0 && whole as f64 == number).then_some(whole)
}

fn group(reader: &mut Reader<'_>, node: &Node, declared: &mut Declared) {
    let Some(fields) = reader.fields(node, "a group", &["id", "type", "members", "need"]) else { return };
    let id = reader.required(&fields, "id").and_then(|node| reader.word(node, "`id`"));
    if let Some(node) = fields.get("type") {
        reader.choice(node, "the type of a group", &[("redundancy", ())]);
    }
    let members = reader.required(&fields, "members").map(|node| reader.words(node, "`members`"));
    let need = reader.required(&fields, "need").and_then(|node| {
        if let Value::Number(need) = node.value {
            return Some((need, node.place));
        }
        reader.wrong_kind(node, "`need`", "a number");
        None
    });
    let Some(id) = id else { return };
    match (members, need) {
        (Some(members), Some((need, place))) => {
            let (members, at): (Vec<String>, Vec<Place>) = members.into_iter().map(|word| (word.text, word.place)).unzip();
            let Some(need) = whole(need) else {
                let count = members.iter().collect::<BTreeSet<_>>().len();
                reader.report(wrong_need(&id.text, need, count, Some(place)));
                declared.broken.push(id.text);
                return;
            };
            let places = GroupPlaces { id: id.place, members: at, need: place };
            declared.groups.push(DeclaredGroup { id: id.text, members, need, origin: String::new(), places: Some(Box::new(places)) });
        }
        (Some(_) | None, Some(_) | None) => declared.broken.push(id.text),
    }
}
