//! Writing to the graph, within one transaction of the database.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use indradb::{BulkInsertItem, Edge, Identifier, Vertex};
use redb::{ReadableTable, ReadableTableMetadata, WriteTransaction};
use rustc_hash::FxHashSet;
use serde_json::Value;
use uuid::Uuid;

use super::StoreError;
use super::tables::{
    Cut, EDGE_VALUES, EDGES, INDEXED, REVERSED, Rows, VERTEX_VALUES, VERTICES, append, edge_key, identifier, keys_with, name_key,
    value_key, value_of,
};

const NOTHING: &[u8] = &[];

/// Of a vertex or an edge, by name.
pub(super) type Properties = BTreeMap<String, Value>;

/// No text means no properties.
pub(super) fn properties(text: &[u8]) -> Result<Properties, StoreError> {
    if text.is_empty() { Ok(Properties::new()) } else { Ok(serde_json::from_slice(text)?) }
}

fn properties_text(properties: &Properties) -> Result<Vec<u8>, StoreError> {
    if properties.is_empty() { Ok(Vec::new()) } else { Ok(serde_json::to_vec(properties)?) }
}

/// The row of a vertex: its type, then its properties.
pub(super) fn vertex_row(kind: Identifier, properties: &[u8]) -> Vec<u8> {
    [name_key(kind).as_slice(), properties].concat()
}

pub(super) fn cut_vertex_row(row: &[u8]) -> Result<(Identifier, Properties), StoreError> {
    let mut cut = Cut(row);
    Ok((cut.name()?, properties(cut.rest())?))
}

/// An edge with its properties, which many edges share.
pub(super) struct Drawn {
    pub edge: Edge,
    pub properties: Rc<[u8]>,
}

/// The order of the keys of edges.
fn order<'e>(start: &'e Uuid, kind: &'e Identifier, end: &'e Uuid) -> (&'e Uuid, usize, &'e str, &'e Uuid) {
    (start, kind.len(), kind.as_str(), end)
}

/// The tables of the graph, open for writing. Nothing is kept before the transaction is committed.
pub(super) struct Graph<'t> {
    vertices: Rows<'t>,
    edges: Rows<'t>,
    reversed: Rows<'t>,
    vertex_values: Rows<'t>,
    edge_values: Rows<'t>,
    indexed: Rows<'t>,
    /// Names of properties that are indexed.
    names: BTreeSet<String>,
    /// Vertices that [`Graph::put_vertices`] put: nearly all that its edges connect, and faster to find here.
    put: FxHashSet<Uuid>, // lookup only
}

impl<'t> Graph<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, StoreError> {
        let indexed = transaction.open_table(INDEXED)?;
        let mut names = BTreeSet::new();
        for key in keys_with(&indexed, &[])? {
            names.insert(identifier(&key)?.as_str().to_owned());
        }
        Ok(Self {
            vertices: transaction.open_table(VERTICES)?,
            edges: transaction.open_table(EDGES)?,
            reversed: transaction.open_table(REVERSED)?,
            vertex_values: transaction.open_table(VERTEX_VALUES)?,
            edge_values: transaction.open_table(EDGE_VALUES)?,
            indexed,
            names,
            put: FxHashSet::default(), // lookup only
        })
    }

    /// Whether it is new; an old one keeps its type.
    pub(super) fn put_vertex(&mut self, vertex: &Vertex) -> Result<bool, StoreError> {
        if self.has_vertex(vertex.id)? {
            return Ok(false);
        }
        self.vertices.insert(vertex.id.as_bytes().as_slice(), name_key(vertex.t).as_slice())?;
        Ok(true)
    }

    /// Many at once, each with its row: in the order of keys, because ids are like random numbers, and a page that is written once
    /// costs less than one that is written anew for each of its rows.
    pub(super) fn put_vertices(&mut self, mut rows: Vec<(Uuid, Vec<u8>)>) -> Result<(), StoreError> {
        rows.sort_unstable();
        self.put.extend(rows.iter().map(|(id, _)| *id));
        if self.names.is_empty() && self.vertices.is_empty()? {
            return append(&mut self.vertices, rows.iter().map(|(id, row)| (id.as_bytes(), row)));
        }
        for (id, row) in rows {
            let (_, properties) = cut_vertex_row(&row)?;
            // If something else put one of this id, it keeps what only that knows.
            if !self.change_vertex(id, |said| said.extend(properties.clone()))? {
                self.vertices.insert(id.as_bytes().as_slice(), row.as_slice())?;
                reindex(&mut self.vertex_values, &self.names, id.as_bytes(), &Properties::new(), &properties)?;
            }
        }
        Ok(())
    }

    pub(super) fn has_vertex(&self, id: Uuid) -> Result<bool, StoreError> {
        has(&self.vertices, id.as_bytes())
    }

    /// The same, faster for those that were put by the same transaction.
    pub(super) fn is_drawn(&self, id: Uuid) -> Result<bool, StoreError> {
        if self.put.contains(&id) { Ok(true) } else { self.has_vertex(id) }
    }

    fn has_ends(&self, edge: &Edge) -> Result<bool, StoreError> {
        Ok(self.is_drawn(edge.outbound_id)? && self.is_drawn(edge.inbound_id)?)
    }

    /// The edges from a vertex, and those to it.
    pub(super) fn edges_at(&self, id: Uuid) -> Result<Vec<Edge>, StoreError> {
        let mut edges = Vec::new();
        for key in keys_with(&self.edges, id.as_bytes())? {
            edges.push(Cut(&key).edge()?);
        }
        for key in keys_with(&self.reversed, id.as_bytes())? {
            edges.push(Cut(&key).edge()?.reversed());
        }
        Ok(edges)
    }

    /// The id of what a vertex stands for.
    pub(super) fn id_of(&self, vertex: Uuid) -> Result<Option<String>, StoreError> {
        let Some(row) = value_of(&self.vertices, vertex.as_bytes())? else { return Ok(None) };
        let (_, properties) = cut_vertex_row(&row)?;
        Ok(properties.get("id").and_then(Value::as_str).map(str::to_owned))
    }

    /// The kind of the relation that an edge stands for: its type, if the graph allows the letters.
    pub(super) fn kind_of(&self, edge: &Edge) -> Result<String, StoreError> {
        let row = value_of(&self.edges, &edge_key(edge))?.unwrap_or_default();
        let properties = properties(&row)?;
        Ok(properties.get("kind").and_then(Value::as_str).unwrap_or(edge.t.as_str()).to_owned())
    }

    /// Whether both ends exist; if one does not, nothing is written. An edge that is there keeps its properties.
    pub(super) fn put_edge(&mut self, edge: &Edge) -> Result<bool, StoreError> {
        if !self.has_ends(edge)? {
            return Ok(false);
        }
        let key = edge_key(edge);
        if !has(&self.edges, &key)? {
            self.edges.insert(key.as_slice(), NOTHING)?;
            self.reversed.insert(edge_key(&edge.reversed()).as_slice(), NOTHING)?;
        }
        Ok(true)
    }

    /// Many at once, between vertices that exist. As with vertices, each table in the order of its keys.
    pub(super) fn put_edges(&mut self, mut edges: Vec<Drawn>) -> Result<(), StoreError> {
        edges.sort_unstable_by(|Drawn { edge: a, .. }, Drawn { edge: b, .. }| {
            order(&a.outbound_id, &a.t, &a.inbound_id).cmp(&order(&b.outbound_id, &b.t, &b.inbound_id))
        });
        edges.dedup_by(|a, b| a.edge == b.edge);
        if !self.names.is_empty() || !self.edges.is_empty()? {
            return edges.iter().try_for_each(|drawn| self.draw_edge(drawn));
        }
        append(&mut self.edges, edges.iter().map(|drawn| (edge_key(&drawn.edge), &drawn.properties)))?;
        edges.sort_unstable_by(|Drawn { edge: a, .. }, Drawn { edge: b, .. }| {
            order(&a.inbound_id, &a.t, &a.outbound_id).cmp(&order(&b.inbound_id, &b.t, &b.outbound_id))
        });
        append(&mut self.reversed, edges.iter().map(|drawn| (edge_key(&drawn.edge.reversed()), NOTHING)))
    }

    /// Puts an edge with its properties. One that is there keeps what only others know.
    pub(super) fn draw_edge(&mut self, drawn: &Drawn) -> Result<(), StoreError> {
        if self.put_edge(&drawn.edge)? {
            let properties = properties(&drawn.properties)?;
            self.change_edge(&drawn.edge, |said| said.extend(properties))?;
        }
        Ok(())
    }

    /// With its properties, and the edges from it and to it.
    pub(super) fn remove_vertex(&mut self, id: Uuid) -> Result<(), StoreError> {
        if !self.names.is_empty() {
            self.change_vertex(id, Properties::clear)?;
        }
        let owner = id.as_bytes().as_slice();
        self.remove_edges_from(id)?;
        for key in keys_with(&self.reversed, owner)? {
            self.remove_edge(&Cut(&key).edge()?.reversed())?;
        }
        self.vertices.remove(owner)?;
        Ok(())
    }

    /// With their properties.
    pub(super) fn remove_edges_from(&mut self, id: Uuid) -> Result<(), StoreError> {
        for key in keys_with(&self.edges, id.as_bytes())? {
            self.remove_edge(&Cut(&key).edge()?)?;
        }
        Ok(())
    }

    /// With its properties.
    pub(super) fn remove_edge(&mut self, edge: &Edge) -> Result<(), StoreError> {
        if !self.names.is_empty() {
            self.change_edge(edge, Properties::clear)?;
        }
        self.edges.remove(edge_key(edge).as_slice())?;
        self.reversed.remove(edge_key(&edge.reversed()).as_slice())?;
        Ok(())
    }

    /// Whether there is such a vertex; if not, nothing changes.
    pub(super) fn change_vertex(&mut self, id: Uuid, change: impl FnOnce(&mut Properties)) -> Result<bool, StoreError> {
        let Some(row) = value_of(&self.vertices, id.as_bytes())? else { return Ok(false) };
        let (kind, old) = cut_vertex_row(&row)?;
        let mut new = old.clone();
        change(&mut new);
        if new != old {
            self.vertices.insert(id.as_bytes().as_slice(), vertex_row(kind, &properties_text(&new)?).as_slice())?;
            reindex(&mut self.vertex_values, &self.names, id.as_bytes(), &old, &new)?;
        }
        Ok(true)
    }

    /// The same for an edge.
    pub(super) fn change_edge(&mut self, edge: &Edge, change: impl FnOnce(&mut Properties)) -> Result<bool, StoreError> {
        let key = edge_key(edge);
        let Some(row) = value_of(&self.edges, &key)? else { return Ok(false) };
        let old = properties(&row)?;
        let mut new = old.clone();
        change(&mut new);
        if new != old {
            self.edges.insert(key.as_slice(), properties_text(&new)?.as_slice())?;
            reindex(&mut self.edge_values, &self.names, &key, &old, &new)?;
        }
        Ok(true)
    }

    /// Does nothing if there is no such vertex.
    pub(super) fn set_vertex_property(&mut self, id: Uuid, name: Identifier, value: &Value) -> Result<(), StoreError> {
        self.change_vertex(id, |said| drop(said.insert(name.as_str().to_owned(), value.clone()))).map(drop)
    }

    /// Does nothing if there is no such edge.
    pub(super) fn set_edge_property(&mut self, edge: &Edge, name: Identifier, value: &Value) -> Result<(), StoreError> {
        self.change_edge(edge, |said| drop(said.insert(name.as_str().to_owned(), value.clone()))).map(drop)
    }

    pub(super) fn remove_vertex_property(&mut self, id: Uuid, name: Identifier) -> Result<(), StoreError> {
        self.change_vertex(id, |said| drop(said.remove(name.as_str()))).map(drop)
    }

    pub(super) fn remove_edge_property(&mut self, edge: &Edge, name: Identifier) -> Result<(), StoreError> {
        self.change_edge(edge, |said| drop(said.remove(name.as_str()))).map(drop)
    }

    /// Indexes its existing values, and all later ones.
    pub(super) fn index(&mut self, name: Identifier) -> Result<(), StoreError> {
        if !self.names.insert(name.as_str().to_owned()) {
            return Ok(());
        }
        self.indexed.insert(name.as_str().as_bytes(), NOTHING)?;
        for entry in self.vertices.range::<&[u8]>(..)? {
            let (id, row) = entry?;
            let (_, properties) = cut_vertex_row(row.value())?;
            if let Some(value) = properties.get(name.as_str()) {
                self.vertex_values.insert(value_key(name, value, id.value()).as_slice(), NOTHING)?;
            }
        }
        for entry in self.edges.range::<&[u8]>(..)? {
            let (edge, row) = entry?;
            if let Some(value) = properties(row.value())?.get(name.as_str()) {
                self.edge_values.insert(value_key(name, value, edge.value()).as_slice(), NOTHING)?;
            }
        }
        Ok(())
    }

    /// Vertices first, then edges, then properties: the order of the items does not matter. Edges without their vertices and
    /// properties without their owner are left out.
    pub(super) fn insert_all(&mut self, items: &[BulkInsertItem]) -> Result<(), StoreError> {
        for item in items {
            if let BulkInsertItem::Vertex(vertex) = item {
                self.put_vertex(vertex)?;
            }
        }
        for item in items {
            if let BulkInsertItem::Edge(edge) = item {
                self.put_edge(edge)?;
            }
        }
        for item in items {
            match item {
                BulkInsertItem::VertexProperty(id, name, value) => self.set_vertex_property(*id, *name, value)?,
                BulkInsertItem::EdgeProperty(edge, name, value) => self.set_edge_property(edge, *name, value)?,
                BulkInsertItem::Vertex(_) | BulkInsertItem::Edge(_) => {}
            }
        }
        Ok(())
    }
}

/// Takes the old values of a vertex or an edge out of the index, and puts the new ones in.
fn reindex(index: &mut Rows<'_>, names: &BTreeSet<String>, owner: &[u8], old: &Properties, new: &Properties) -> Result<(), StoreError> {
    for name in names {
        let (old, new) = (old.get(name), new.get(name));
        if old == new {
            continue;
        }
        let name = identifier(name.as_bytes())?;
        if let Some(old) = old {
            index.remove(value_key(name, old, owner).as_slice())?;
        }
        if let Some(new) = new {
            index.insert(value_key(name, new, owner).as_slice(), NOTHING)?;
        }
    }
    Ok(())
}

fn has(table: &impl ReadableTable<&'static [u8], &'static [u8]>, key: &[u8]) -> Result<bool, StoreError> {
    let found = table.get(key)?;
    Ok(found.is_some())
}
