//! Writing to the estate within one database transaction: the layers of the origins, the merged records, the graph.

use std::collections::BTreeSet;
use std::rc::Rc;

use diag::text;
use indradb::{Edge, Identifier, Vertex};
use redb::{ReadableTable, WriteTransaction};
use serde_json::Value;
use uuid::Uuid;

use super::StoreError;
use super::graph::{Drawn, Graph};
use super::history::{Audit, Change, change_key};
use super::records::{CaseRecord, Changeset, Item, Key, merge};
use super::tables::{AUDIT, CHANGES, Cut, LAYERS, RECORDS, Row, Rows, keys_with, rows_with, value_of};

/// Namespace for the ids of vertices and the names of edge types, so that the same estate has the same ids everywhere.
const NAMESPACE: Uuid = Uuid::from_u128(0x6b1f_52a8_8f0d_4f0e_9c1b_7d5a_3e24_90c6);

/// From a case to a component.
pub(super) const TOUCHED: &str = "touched";

/// The tables of the estate, open for writing. Nothing is kept before the transaction is committed.
pub(super) struct Estate<'t> {
    layers: Rows<'t>,
    records: Rows<'t>,
    audit: Rows<'t>,
    changes: Rows<'t>,
    graph: Graph<'t>,
}

/// How many items a revision added, changed and removed.
#[derive(Default)]
pub(super) struct Merged {
    pub added: usize,
    pub changed: usize,
    pub removed: usize,
}

impl Merged {
    pub(super) fn all(&self) -> usize {
        self.added + self.changed + self.removed
    }

    fn count(&mut self, change: &Change) {
        match (&change.before, &change.after) {
            (None, _) => self.added += 1,
            (Some(_), Some(_)) => self.changed += 1,
            (Some(_), None) => self.removed += 1,
        }
    }
}

/// What of a merge is still to be drawn.
#[derive(Default)]
struct Drawing<'k> {
    /// Items that changed.
    drawn: BTreeSet<&'k Key>,
    /// Those of them whose vertex is new.
    new: BTreeSet<&'k Key>,
    edges: Vec<Drawn>,
    cases: Vec<CaseRecord>,
    names: BTreeSet<Rc<str>>,
}

impl Drawing<'_> {
    /// The few kinds and origins are shared among many edges.
    fn name(&mut self, text: &str) -> Rc<str> {
        if let Some(known) = self.names.get(text) {
            return Rc::clone(known);
        }
        let name: Rc<str> = Rc::from(text);
        self.names.insert(Rc::clone(&name));
        name
    }
}

impl<'t> Estate<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, StoreError> {
        Ok(Self {
            layers: transaction.open_table(LAYERS)?,
            records: transaction.open_table(RECORDS)?,
            audit: transaction.open_table(AUDIT)?,
            changes: transaction.open_table(CHANGES)?,
            graph: Graph::open(transaction)?,
        })
    }

    /// Writes the new layers of the origins, and returns the items they touch. Removals come first: an item that is both removed
    /// and put is put.
    pub(super) fn say(&mut self, changeset: &Changeset, origin: &str) -> Result<BTreeSet<Key>, StoreError> {
        let mut touched = BTreeSet::new();
        let components = changeset.remove_components.iter().map(|id| Key::Component(id.clone()));
        let relations = changeset.remove_relations.iter().map(|one| Key::Relation(one.from.clone(), one.kind.clone(), one.to.clone()));
        let groups = changeset.remove_groups.iter().map(|id| Key::Group(id.clone()));
        let cases = changeset.remove_cases.iter().map(|id| Key::Case(id.clone()));
        for key in components.chain(relations).chain(groups).chain(cases) {
            let removed = self.layers.remove(layer_key(&key, origin).as_slice())?.is_some();
            if removed {
                touched.insert(key);
            }
        }
        let components = changeset.put_components.iter().cloned().map(Item::Component);
        let relations = changeset.put_relations.iter().cloned().map(Item::Relation);
        let groups = changeset.put_groups.iter().cloned().map(Item::Group);
        let cases = changeset.put_cases.iter().cloned().map(Item::Case);
        for item in components.chain(relations).chain(groups).chain(cases) {
            check(&item)?;
            let (key, value) = (item.key(), serde_json::to_vec(&item.to_json()?)?);
            let at = layer_key(&key, item.origin());
            if value_of(&self.layers, &at)?.as_deref() != Some(value.as_slice()) {
                self.layers.insert(at.as_slice(), value.as_slice())?;
                touched.insert(key);
            }
        }
        Ok(touched)
    }

    /// Merges the touched items again, and tells how many changed. What changed is written down under this revision, if it is one.
    ///
    /// Item by item: there may be millions, and what is written need not stay in memory.
    pub(super) fn merge(&mut self, touched: &BTreeSet<Key>, revision: Option<u64>) -> Result<Merged, StoreError> {
        let mut merged = Merged::default();
        let mut drawing = Drawing::default();
        for key in touched {
            let Some((change, item)) = self.merge_one(key)? else { continue };
            if let Some(revision) = revision {
                let number = u32::try_from(merged.all()).unwrap_or(u32::MAX);
                self.changes.insert(change_key(revision, number).as_slice(), serde_json::to_vec(&change)?.as_slice())?;
            }
            merged.count(&change);
            self.draw(key, item, &mut drawing)?;
        }
        self.finish(drawing)?;
        Ok(merged)
    }

    /// What changed about an item, and what it is now; `None` if nothing changed.
    fn merge_one(&mut self, key: &Key) -> Result<Option<(Change, Option<Item>)>, StoreError> {
        let bytes = key.bytes();
        let mut layers = Vec::new();
        for (_, value) in rows_with(&self.layers, &bytes)? {
            layers.push(Item::read(key.what(), &value)?);
        }
        let merged = merge(layers);
        let before: Option<Value> = value_of(&self.records, &bytes)?.map(|value| serde_json::from_slice(&value)).transpose()?;
        let after = merged.as_ref().map(Item::to_json).transpose()?;
        if before == after {
            return Ok(None);
        }
        match &after {
            Some(after) => drop(self.records.insert(bytes.as_slice(), serde_json::to_vec(after)?.as_slice())?),
            None => drop(self.records.remove(bytes.as_slice())?),
        }
        Ok(Some((Change { what: key.what(), id: key.name(), before, after }, merged)))
    }

    pub(super) fn next_revision(&self) -> Result<u64, StoreError> {
        let last = self.audit.last()?;
        let Some((key, _)) = last else { return Ok(1) };
        let last = <[u8; 8]>::try_from(key.value()).map(u64::from_be_bytes);
        let last = last.map_err(|_| StoreError::Broken(text!("a revision has no number")))?;
        Ok(last.saturating_add(1))
    }

    /// Enters a revision whose changes are written down.
    pub(super) fn enter(&mut self, audit: &Audit) -> Result<(), StoreError> {
        self.audit.insert(audit.revision.to_be_bytes().as_slice(), serde_json::to_vec(audit)?.as_slice())?;
        Ok(())
    }

    /// Writes the journal and the layers of another store as they are, and makes the rest from the layers.
    pub(super) fn take_over(&mut self, audits: &[Audit], changes: &[Row], layers: &[Row]) -> Result<(), StoreError> {
        for audit in audits {
            self.enter(audit)?;
        }
        for (key, value) in changes {
            self.changes.insert(key.as_slice(), value.as_slice())?;
        }
        let mut touched = BTreeSet::new();
        for (key, value) in layers {
            self.layers.insert(key.as_slice(), value.as_slice())?;
            touched.insert(Key::cut(&mut Cut(key))?);
        }
        self.merge(&touched, None)?;
        Ok(())
    }

    /// Updates the graph to match an item. Edges wait until all vertices are there.
    fn draw<'k>(&mut self, key: &'k Key, item: Option<Item>, drawing: &mut Drawing<'k>) -> Result<(), StoreError> {
        drawing.drawn.insert(key);
        match (key, item) {
            (Key::Relation(from, kind, to), None) => self.graph.remove_edge(&edge(from, kind, to)?)?,
            (Key::Relation(from, kind, to), Some(item)) => {
                let drawn = Drawn { edge: edge(from, kind, to)?, kind: drawing.name(kind), origin: drawing.name(item.origin()) };
                drawing.edges.push(drawn);
            }
            (Key::Component(_) | Key::Group(_) | Key::Case(_), None) => self.graph.remove_vertex(vertex_id(key))?,
            (Key::Component(_) | Key::Group(_) | Key::Case(_), Some(item)) => {
                if self.draw_vertex(key, &item)? {
                    drawing.new.insert(key);
                }
                if let Item::Case(case) = item {
                    drawing.cases.push(case);
                }
            }
        }
        Ok(())
    }

    /// Draws the edges.
    fn finish(&mut self, drawing: Drawing<'_>) -> Result<(), StoreError> {
        let Drawing { drawn, new, edges, cases, .. } = drawing;
        self.graph.put_edges(edges)?;
        for case in &cases {
            // It may have touched others before.
            self.graph.remove_edges_from(vertex_id(&Key::Case(case.id.clone())))?;
            self.draw_touched(case)?;
        }
        self.draw_waiting(&new, &drawn)
    }

    /// Whether the vertex is new.
    fn draw_vertex(&mut self, key: &Key, item: &Item) -> Result<bool, StoreError> {
        let id = vertex_id(key);
        let kind = match key {
            Key::Component(_) | Key::Relation(..) => "component",
            Key::Group(_) => "group",
            Key::Case(_) => "case",
        };
        let new = self.graph.put_vertex(&Vertex::with_id(id, name(kind)?))?;
        for (property, value) in fields(item)? {
            self.graph.set_vertex_property(id, name(&property)?, &value)?;
        }
        Ok(new)
    }

    fn draw_edge(&mut self, item: &Item) -> Result<(), StoreError> {
        let Key::Relation(from, kind, to) = item.key() else { return Ok(()) };
        self.draw_between(&edge(&from, &kind, &to)?, &kind, item.origin())
    }

    /// From a case to each of its components that exists.
    fn draw_touched(&mut self, case: &CaseRecord) -> Result<(), StoreError> {
        let from = vertex_id(&Key::Case(case.id.clone()));
        for id in &case.components {
            let edge = Edge::new(from, name(TOUCHED)?, vertex_id(&Key::Component(id.clone())));
            self.draw_between(&edge, TOUCHED, &case.origin)?;
        }
        Ok(())
    }

    /// Does nothing if one of the ends does not exist.
    fn draw_between(&mut self, edge: &Edge, kind: &str, origin: &str) -> Result<(), StoreError> {
        if self.graph.put_edge(edge)? {
            self.graph.set_edge_property(edge, name("kind")?, &Value::from(kind))?;
            self.graph.set_edge_property(edge, name("origin")?, &Value::from(origin))?;
        }
        Ok(())
    }

    /// Relations and cases that were declared before a component they name.
    fn draw_waiting(&mut self, new: &BTreeSet<&Key>, drawn: &BTreeSet<&Key>) -> Result<(), StoreError> {
        if new.is_empty() {
            return Ok(());
        }
        for bytes in keys_with(&self.records, b"r")? {
            let key = Key::cut(&mut Cut(&bytes))?;
            let Key::Relation(from, _, to) = &key else { continue };
            let waited = [from, to].into_iter().any(|end| new.contains(&Key::Component(end.clone())));
            if waited
                && !drawn.contains(&key)
                && let Some(value) = value_of(&self.records, &bytes)?
            {
                self.draw_edge(&Item::read(key.what(), &value)?)?;
            }
        }
        for (bytes, value) in rows_with(&self.records, b"k")? {
            let key = Key::cut(&mut Cut(&bytes))?;
            let Item::Case(case) = Item::read(key.what(), &value)? else { continue };
            let waited = case.components.iter().any(|id| new.contains(&Key::Component(id.clone())));
            if waited && !drawn.contains(&key) {
                self.draw_touched(&case)?;
            }
        }
        Ok(())
    }
}

fn check(item: &Item) -> Result<(), StoreError> {
    let empty = match item.key() {
        Key::Component(id) | Key::Group(id) | Key::Case(id) => id.is_empty(),
        Key::Relation(from, kind, to) => from.is_empty() || kind.is_empty() || to.is_empty(),
    };
    if empty || item.origin().is_empty() {
        return Err(StoreError::Refused(text!("`{}` has an empty id, kind or origin: all are required", item.key().name())));
    }
    Ok(())
}

/// All layers of an item are adjacent.
pub(super) fn layer_key(key: &Key, origin: &str) -> Vec<u8> {
    [key.bytes().as_slice(), origin.as_bytes()].concat()
}

/// The id of the vertex of a component, a group or a case.
pub(super) fn vertex_id(key: &Key) -> Uuid {
    let prefix = match key {
        Key::Component(_) => "component",
        Key::Relation(..) => "relation",
        Key::Group(_) => "group",
        Key::Case(_) => "case",
    };
    named_id(prefix, &key.name())
}

/// The id of the vertex of anything, by what it stands for and the name of that.
pub(super) fn named_id(prefix: &str, name: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("{prefix}:{name}").as_bytes())
}

fn edge(from: &str, kind: &str, to: &str) -> Result<Edge, StoreError> {
    let end = |id: &str| vertex_id(&Key::Component(id.to_owned()));
    Ok(Edge::new(end(from), edge_type(kind)?, end(to)))
}

/// The kind itself; where the graph does not allow its letters, a name made of them. The property `kind` has the letters.
fn edge_type(kind: &str) -> Result<Identifier, StoreError> {
    Identifier::new(kind).or_else(|_| name(&format!("kind-{}", Uuid::new_v5(&NAMESPACE, kind.as_bytes()).simple())))
}

pub(super) fn name(text: &str) -> Result<Identifier, StoreError> {
    Identifier::new(text).map_err(|error| StoreError::Refused(text!("`{}` cannot be a name in the graph: {}", text, error)))
}

/// The fields of a record, each a property of its vertex; attributes are one of them.
fn fields(item: &Item) -> Result<Vec<(String, Value)>, StoreError> {
    match item.to_json()? {
        Value::Object(fields) => Ok(fields.into_iter().collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Ok(Vec::new()),
    }
}
