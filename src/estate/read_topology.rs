//! Topology files: components, relations and groups as they were written, before any of them is looked up.

use diag::Place;
use value::fields::Reader;
use value::yaml::{Key, Node, Value};

use super::component::Tier;
use value::fields::Word;

/// The contents of all topology files, in file order.
#[derive(Default)]
pub(super) struct TopologyDraft<'n> {
    pub components: Vec<ComponentDraft<'n>>,
    pub relations: Vec<RelationDraft>,
    pub groups: Vec<GroupDraft>,
    /// Ids of items too broken to keep: references to them are not errors.
    pub broken: Vec<String>,
}

pub(super) struct ComponentDraft<'n> {
    pub id: Word,
    pub kind: Word,
    pub name: Option<String>,
    pub owner: Option<String>,
    pub environment: Option<String>,
    pub tier: Option<Tier>,
    pub attributes: &'n [(Key, Node)],
}

/// Every start with every end.
pub(super) struct RelationDraft {
    pub from: Vec<Word>,
    pub kind: Word,
    pub to: Vec<Word>,
}

pub(super) struct GroupDraft {
    pub id: Word,
    pub members: Vec<Word>,
    pub need: f64,
    pub need_place: Place,
}

/// Every tier under both of its names.
fn tiers() -> Vec<(&'static str, Tier)> {
    Tier::ALL.into_iter().map(|t| (t.name(), t)).chain(Tier::ALL.into_iter().map(|t| (t.zh(), t))).collect()
}

/// Reads one file and appends its contents.
pub(super) fn read_topology<'n>(reader: &mut Reader<'_>, root: &'n Node, draft: &mut TopologyDraft<'n>) {
    if matches!(root.value, Value::Null) {
        return;
    }
    let Some(fields) = reader.fields(root, "a topology", &["components", "relations", "groups"]) else { return };
    if let Some(node) = fields.get("components") {
        for item in reader.list(node, "`components`") {
            component(reader, item, draft);
        }
    }
    if let Some(node) = fields.get("relations") {
        for item in reader.list(node, "`relations`") {
            draft.relations.extend(relation(reader, item));
        }
    }
    if let Some(node) = fields.get("groups") {
        for item in reader.list(node, "`groups`") {
            group(reader, item, draft);
        }
    }
}

fn component<'n>(reader: &mut Reader<'_>, node: &'n Node, draft: &mut TopologyDraft<'n>) {
    let known = ["id", "type", "name", "tier", "owner", "environment", "attributes"];
    let Some(fields) = reader.fields(node, "a component", &known) else { return };
    let id = reader.required(&fields, "id").and_then(|node| reader.word(node, "`id`"));
    let kind = reader.required(&fields, "type").and_then(|node| reader.word(node, "`type`"));
    let mut text = |key: &str, what: &'static str| fields.get(key).and_then(|node| reader.word(node, what)).map(|word| word.text);
    let name = text("name", "`name`");
    let owner = text("owner", "`owner`");
    let environment = text("environment", "`environment`");
    let tier = fields.get("tier").and_then(|node| reader.choice(node, "`tier`", &tiers()));
    let attributes = fields.get("attributes").map_or_else(Default::default, |node| reader.map(node, "`attributes`"));
    match (id, kind) {
        (Some(id), Some(kind)) => draft.components.push(ComponentDraft { id, kind, name, owner, environment, tier, attributes }),
        (Some(id), None) => draft.broken.push(id.text),
        (None, Some(_) | None) => {}
    }
}

fn relation(reader: &mut Reader<'_>, node: &Node) -> Option<RelationDraft> {
    let fields = reader.fields(node, "a relation", &["from", "kind", "to"])?;
    let from = reader.required(&fields, "from").map(|node| reader.words(node, "`from`"));
    let kind = reader.required(&fields, "kind").and_then(|node| reader.word(node, "`kind`"));
    let to = reader.required(&fields, "to").map(|node| reader.words(node, "`to`"));
    Some(RelationDraft { from: from?, kind: kind?, to: to? })
}

fn group(reader: &mut Reader<'_>, node: &Node, draft: &mut TopologyDraft<'_>) {
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
        (Some(members), Some((need, need_place))) => draft.groups.push(GroupDraft { id, members, need, need_place }),
        (Some(_) | None, Some(_) | None) => draft.broken.push(id.text),
    }
}
