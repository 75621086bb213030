//! Writing to the estate within one database transaction: the layers of the origins, the journal, the graph.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use diag::text;
use indradb::{Edge, Identifier};
use redb::{ReadableTable, WriteTransaction};
use serde_json::Value;
use uuid::Uuid;

use super::StoreError;
use super::graph::{Drawn, Graph, Properties, vertex_row};
use super::history::{Audit, Entry, change_key};
use super::layers::{Before, Gathered, Layers, layer_key, merged, split};
use super::records::{CaseRecord, Changeset, Item, Key, What, cut_key, key_bytes, merge};
use super::tables::{AUDIT, CHANGES, Cut, LAYERS, LISTED, META, Row, Rows, append, rows_with, value_of};
use super::waiting::Waiting;

/// Namespace for the ids of vertices and the names of edge types, so that the same estate has the same ids everywhere.
const NAMESPACE: Uuid = Uuid::from_u128(0x6b1f_52a8_8f0d_4f0e_9c1b_7d5a_3e24_90c6);

/// Where the layers of cases begin, and those of relations behind them.
const FIRST_CASE: &[u8] = b"k";
const FIRST_RELATION: &[u8] = b"r";

/// From a case to a component.
pub(super) const TOUCHED: &str = "touched";

/// The tables of the estate, open for writing. Nothing is kept before the transaction is committed.
pub(super) struct Estate<'t> {
    layers: Tail<'t>,
    audit: Rows<'t>,
    changes: Tail<'t>,
    graph: Graph<'t>,
    waiting: Waiting<'t>,
}

/// A table to which rows are added behind all that are there, in the order of their keys.
struct Tail<'t> {
    table: Rows<'t>,
    /// Not in the table yet.
    rows: Vec<Row>,
}

/// So many rows are added to a table at a time: a few megabytes.
const AT_A_TIME: usize = 16_384;

impl Tail<'_> {
    fn push(&mut self, row: Row) -> Result<(), StoreError> {
        self.rows.push(row);
        if self.rows.len() < AT_A_TIME { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        append(&mut self.table, self.rows.drain(..))
    }
}

/// What a changeset did.
#[derive(Default)]
pub(super) struct Applied {
    /// Whether an origin declares anything else than before.
    pub said: bool,
    /// How many items came, changed and went.
    pub added: usize,
    pub changed: usize,
    pub removed: usize,
}

impl Applied {
    pub(super) fn all(&self) -> usize {
        self.added + self.changed + self.removed
    }

    fn count(&mut self, entry: &Entry) {
        match (&entry.before, &entry.after) {
            (None, _) => self.added += 1,
            (Some(_), Some(_)) => self.changed += 1,
            (Some(_), None) => self.removed += 1,
        }
    }
}

/// What is still to be drawn.
#[derive(Default)]
struct Drawing {
    vertices: Vec<(Uuid, Vec<u8>)>,
    edges: Vec<Drawn>,
    cases: Vec<CaseRecord>,
    /// Components that came, if relations or cases may wait for them.
    came: BTreeSet<String>,
    styles: Styles,
}

impl Drawing {
    fn vertex(&mut self, id: Uuid, key: &Key, item: &Item) -> Result<(), StoreError> {
        self.vertices.push((id, vertex_row(name(prefix(key.what()))?, &item.value()?)));
        Ok(())
    }
}

/// How edges of each kind and origin are drawn, which are few among many edges.
#[derive(Default)]
struct Styles(BTreeMap<String, BTreeMap<String, Style>>);

#[derive(Clone)]
struct Style {
    /// The type of the edge.
    kind: Identifier,
    properties: Rc<[u8]>,
}

impl Styles {
    fn of(&mut self, kind: &str, origin: &str) -> Result<Style, StoreError> {
        if let Some(known) = self.0.get(kind).and_then(|origins| origins.get(origin)) {
            return Ok(known.clone());
        }
        let name = edge_type(kind)?;
        let mut properties = Properties::from([("origin".to_owned(), Value::from(origin))]);
        if name.as_str() != kind {
            properties.insert("kind".to_owned(), Value::from(kind));
        }
        let style = Style { kind: name, properties: Rc::from(serde_json::to_vec(&properties)?) };
        self.0.entry(kind.to_owned()).or_default().insert(origin.to_owned(), style.clone());
        Ok(style)
    }

    fn relation(&mut self, from: &str, kind: &str, to: &str, origin: &str) -> Result<Drawn, StoreError> {
        let Style { kind, properties } = self.of(kind, origin)?;
        Ok(Drawn { edge: edge(from, kind, to), properties })
    }

    fn touched(&mut self, case: &CaseRecord, component: &str) -> Result<Drawn, StoreError> {
        let Style { kind, properties } = self.of(TOUCHED, &case.origin)?;
        Ok(Drawn { edge: Edge::new(vertex_id(What::Case, &case.id), kind, vertex_id(What::Component, component)), properties })
    }
}

impl<'t> Estate<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, StoreError> {
        let mut estate = Self {
            layers: Tail { table: transaction.open_table(LAYERS)?, rows: Vec::new() },
            audit: transaction.open_table(AUDIT)?,
            changes: Tail { table: transaction.open_table(CHANGES)?, rows: Vec::new() },
            graph: Graph::open(transaction)?,
            waiting: Waiting::open(transaction)?,
        };
        estate.list_waiting(transaction)?;
        Ok(estate)
    }

    /// Applies a changeset, item by item in the order of keys: there may be millions, and what is written need not stay in memory.
    pub(super) fn apply(&mut self, changeset: &Changeset, origin: &str, revision: u64, mut before: Before) -> Result<Applied, StoreError> {
        let mut words = changeset.words();
        // Of two words about one item, the later counts.
        words.sort_by(|a, b| a.order().cmp(&b.order()));
        let first = before.is_empty();
        let (mut applied, mut drawing) = (Applied::default(), Drawing::default());
        // Relations come last: all vertices are drawn before the first edge.
        let (vertices, relations) = words.split_at(words.partition_point(|word| word.what() != What::Relation));
        for words in [vertices, relations] {
            for words in words.chunk_by(|a, b| a.order() == b.order()) {
                let Some(word) = words.first() else { continue };
                let item = key_bytes(word.what(), word.texts());
                let old = before.of(&item).map_err(|error| error.within(&text!("the declarations of the origins")))?;
                let mut new = old.clone();
                for word in words {
                    match word.said()? {
                        Some((declared_by, value)) => {
                            check(&item, declared_by)?;
                            new.insert(declared_by.to_owned(), value);
                        }
                        None => drop(new.remove(origin)),
                    }
                }
                if new == old {
                    continue;
                }
                applied.said = true;
                let entry = Entry { key: Key::cut(&mut Cut(&item))?, before: merged(&item, &old)?, after: merged(&item, &new)? };
                self.write_layers(&item, &old, new, first).map_err(|error| error.within(&text!("the declarations of the origins")))?;
                if entry.before == entry.after {
                    continue;
                }
                let number = u32::try_from(applied.all()).unwrap_or(u32::MAX);
                let change = (change_key(revision, number), entry.bytes()?);
                self.changes.push(change).map_err(|error| error.within(&text!("the changes of the revisions")))?;
                applied.count(&entry);
                self.draw(entry, first, &mut drawing).map_err(|error| error.within(&text!("the graph")))?;
            }
            let vertices = std::mem::take(&mut drawing.vertices);
            self.graph.put_vertices(vertices).map_err(|error| error.within(&text!("the graph")))?;
        }
        drop(words);
        self.layers.flush().map_err(|error| error.within(&text!("the declarations of the origins")))?;
        self.changes.flush().map_err(|error| error.within(&text!("the changes of the revisions")))?;
        self.finish(drawing).map_err(|error| error.within(&text!("the graph")))?;
        Ok(applied)
    }

    /// With the first changes of a store, each row comes behind the ones before.
    fn write_layers(&mut self, item: &[u8], old: &Layers, new: Layers, first: bool) -> Result<(), StoreError> {
        for origin in old.keys().filter(|origin| !new.contains_key(*origin)) {
            self.layers.table.remove(layer_key(item, origin).as_slice())?;
        }
        for (origin, value) in new {
            if old.get(&origin) == Some(&value) {
                continue;
            }
            let at = layer_key(item, &origin);
            if first {
                self.layers.push((at, value))?;
            } else {
                self.layers.table.insert(at.as_slice(), value.as_slice())?;
            }
        }
        Ok(())
    }

    pub(super) fn next_revision(&self) -> Result<u64, StoreError> {
        let last = self.audit.last().map_err(|error| StoreError::from(error).within(&text!("the list of revisions")))?;
        let Some((key, _)) = last else { return Ok(1) };
        let last = <[u8; 8]>::try_from(key.value()).map(u64::from_be_bytes);
        let last = last.map_err(|_| StoreError::Broken(text!("a revision has no number")))?;
        Ok(last.saturating_add(1))
    }

    /// Enters a revision whose changes are written down.
    pub(super) fn enter(&mut self, audit: &Audit) -> Result<(), StoreError> {
        let value = serde_json::to_vec(audit)?;
        let entered = self.audit.insert(audit.revision.to_be_bytes().as_slice(), value.as_slice());
        entered.map_err(|error| StoreError::from(error).within(&text!("the list of revisions")))?;
        Ok(())
    }

    /// Writes the journal and the layers of another store, which are in the order of their keys, and draws what they add up to.
    pub(super) fn take_over(&mut self, audits: &[Audit], changes: &[Row], layers: &[Row]) -> Result<(), StoreError> {
        for audit in audits {
            self.enter(audit)?;
        }
        for (key, value) in changes {
            self.changes.table.insert(key.as_slice(), value.as_slice())?;
        }
        let (mut drawing, mut gathered) = (Drawing::default(), Gathered::default());
        for (at, value) in layers {
            let (item, origin) = split(at)?;
            // It may be of an older format.
            let value = Item::read(item, origin, value)?.value()?;
            self.layers.table.insert(at.as_slice(), value.as_slice())?;
            let before = gathered.row(at, &value)?;
            self.draw_new(before, &mut drawing)?;
        }
        self.draw_new(gathered.last(), &mut drawing)?;
        self.graph.put_vertices(std::mem::take(&mut drawing.vertices))?;
        self.finish(drawing)
    }

    fn draw_new(&mut self, layers: Vec<Item>, drawing: &mut Drawing) -> Result<(), StoreError> {
        let Some(item) = merge(layers) else { return Ok(()) };
        self.draw(Entry { key: item.key(), before: None, after: Some(item) }, true, drawing)
    }

    /// Updates the graph to match an item. What is new is drawn together: vertices before the first relation, edges at the end.
    fn draw(&mut self, entry: Entry, first: bool, drawing: &mut Drawing) -> Result<(), StoreError> {
        let Entry { key, before, after } = entry;
        if let Key::Relation(from, kind, to) = &key {
            if !drawing.vertices.is_empty() {
                self.graph.put_vertices(std::mem::take(&mut drawing.vertices))?;
            }
            match after {
                Some(after) => {
                    let drawn = drawing.styles.relation(from, kind, to, after.origin())?;
                    if !self.waits(&key, &drawn.edge)? {
                        drawing.edges.push(drawn);
                    }
                }
                None => {
                    self.graph.remove_edge(&edge(from, edge_type(kind)?, to))?;
                    self.waiting.forget(&key)?;
                }
            }
            return Ok(());
        }
        let [text, ..] = key.texts();
        let id = vertex_id(key.what(), text);
        let Some(after) = after else {
            if let Key::Component(gone) = &key {
                self.leave_waiting(gone, id)?;
            }
            return self.graph.remove_vertex(id);
        };
        let drawn = match &before {
            Some(before) => self.redraw(id, before, &after)?,
            None => false,
        };
        if !drawn {
            drawing.vertex(id, &key, &after)?;
        }
        match (key, after) {
            (_, Item::Case(case)) => drawing.cases.push(case),
            (Key::Component(id), _) if !drawn && !first => {
                drawing.came.insert(id);
            }
            (Key::Component(_) | Key::Relation(..) | Key::Group(_) | Key::Case(_), _) => {}
        }
        Ok(())
    }

    /// Whether the vertex is there. It keeps properties that are not of its item.
    fn redraw(&mut self, id: Uuid, before: &Item, after: &Item) -> Result<bool, StoreError> {
        let (before, after) = (fields(before)?, fields(after)?);
        self.graph.change_vertex(id, |said| {
            said.retain(|name, _| !before.contains_key(name));
            said.extend(after);
        })
    }

    /// Draws the edges.
    fn finish(&mut self, drawing: Drawing) -> Result<(), StoreError> {
        let Drawing { edges, cases, came, mut styles, .. } = drawing;
        self.graph.put_edges(edges)?;
        for case in &cases {
            // It may have touched others before.
            self.graph.remove_edges_from(vertex_id(What::Case, &case.id))?;
            self.draw_touched(case, &mut styles)?;
        }
        if came.is_empty() { Ok(()) } else { self.draw_waiting(&came, &mut styles) }
    }

    /// From a case to each of its components that exists.
    fn draw_touched(&mut self, case: &CaseRecord, styles: &mut Styles) -> Result<(), StoreError> {
        case.components.iter().try_for_each(|component| self.graph.draw_edge(&styles.touched(case, component)?))
    }

    /// Whether an end of a relation is not there; then it waits for that.
    fn waits(&mut self, key: &Key, edge: &Edge) -> Result<bool, StoreError> {
        let [from, _, to] = key.texts();
        let mut waits = false;
        for (id, vertex) in [(from, edge.outbound_id), (to, edge.inbound_id)] {
            if !self.graph.is_drawn(vertex)? {
                self.waiting.note(id, &key.bytes())?;
                waits = true;
            }
        }
        Ok(waits)
    }

    /// The relations of a component that goes, if they are still declared, wait for it.
    fn leave_waiting(&mut self, gone: &str, vertex: Uuid) -> Result<(), StoreError> {
        for edge in self.graph.edges_at(vertex)? {
            let kind = self.graph.kind_of(&edge)?;
            let ends = (self.graph.id_of(edge.outbound_id)?, self.graph.id_of(edge.inbound_id)?);
            let (Some(from), Some(to)) = ends else { continue };
            let relation = key_bytes(What::Relation, [&from, &kind, &to]);
            // Other edges are there as well, like those of cases.
            if !rows_with(&self.layers.table, &relation)?.is_empty() {
                self.waiting.note(gone, &relation)?;
            }
        }
        Ok(())
    }

    /// Relations and cases that were declared before a component they name. Those that are drawn already stay as they are.
    fn draw_waiting(&mut self, arrived: &BTreeSet<String>, styles: &mut Styles) -> Result<(), StoreError> {
        for id in arrived {
            for relation in self.waiting.take(id)? {
                let rows = rows_with(&self.layers.table, &relation)?;
                let layers = rows.iter().map(|(at, value)| Item::read(&relation, split(at)?.1, value));
                let Some(now) = merge(layers.collect::<Result<Vec<Item>, StoreError>>()?) else { continue };
                let key = now.key();
                let [from, kind, to] = key.texts();
                let drawn = styles.relation(from, kind, to, now.origin())?;
                if !self.waits(&key, &drawn.edge)? {
                    self.graph.draw_edge(&drawn)?;
                }
            }
        }
        let (mut cases, mut gathered) = (Vec::new(), Gathered::default());
        for entry in self.layers.table.range::<&[u8]>(FIRST_CASE..FIRST_RELATION)? {
            let (at, value) = entry?;
            cases.extend(merge(gathered.row(at.value(), value.value())?));
        }
        cases.extend(merge(gathered.last()));
        for item in cases {
            if let Item::Case(case) = item
                && case.components.iter().any(|id| arrived.contains(id))
            {
                self.draw_touched(&case, styles)?;
            }
        }
        Ok(())
    }

    /// Makes the list of what waits, for a store from before there was one.
    fn list_waiting(&mut self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        let mut meta = transaction.open_table(META)?;
        if value_of(&meta, LISTED)?.is_some() {
            return Ok(());
        }
        for entry in self.layers.table.range::<&[u8]>(FIRST_RELATION..)? {
            let (at, _) = entry?;
            let (relation, _) = split(at.value())?;
            let (_, [from, _, to]) = cut_key(&mut Cut(relation))?;
            for id in [from, to] {
                if !self.graph.has_vertex(vertex_id(What::Component, id))? {
                    self.waiting.note(id, relation)?;
                }
            }
        }
        meta.insert(LISTED, b"".as_slice())?;
        Ok(())
    }
}

fn check(item: &[u8], origin: &str) -> Result<(), StoreError> {
    let (what, texts) = cut_key(&mut Cut(item))?;
    if origin.is_empty() || texts.iter().take(what.texts()).any(|text| text.is_empty()) {
        let name = Key::cut(&mut Cut(item))?.name();
        return Err(StoreError::Refused(text!("`{}` has an empty id, kind or origin: all are required", name)));
    }
    Ok(())
}

/// The id of the vertex of a component, a group or a case.
pub(super) fn vertex_id(what: What, id: &str) -> Uuid {
    named_id(prefix(what), id)
}

/// The id of the vertex of anything, by what it stands for and the name of that.
pub(super) fn named_id(prefix: &str, name: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("{prefix}:{name}").as_bytes())
}

/// The type of a vertex, and what makes its id another one than those of other types.
fn prefix(what: What) -> &'static str {
    match what {
        What::Component => "component",
        What::Relation => "relation",
        What::Group => "group",
        What::Case => "case",
    }
}

fn edge(from: &str, kind: Identifier, to: &str) -> Edge {
    Edge::new(vertex_id(What::Component, from), kind, vertex_id(What::Component, to))
}

/// The kind itself; where the graph does not allow its letters, a name made of them. The property `kind` then has the letters.
fn edge_type(kind: &str) -> Result<Identifier, StoreError> {
    Identifier::new(kind).or_else(|_| name(&format!("kind-{}", Uuid::new_v5(&NAMESPACE, kind.as_bytes()).simple())))
}

pub(super) fn name(text: &str) -> Result<Identifier, StoreError> {
    Identifier::new(text).map_err(|error| StoreError::Refused(text!("`{}` cannot be a name in the graph: {}", text, error)))
}

/// The fields of a record, each a property of its vertex; attributes are one of them.
fn fields(item: &Item) -> Result<Properties, StoreError> {
    match item.to_json()? {
        Value::Object(fields) => Ok(fields.into_iter().collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Ok(Properties::new()),
    }
}
