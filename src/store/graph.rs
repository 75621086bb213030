//! Writing to the graph, within one transaction of the database.

use std::collections::BTreeSet;
use std::rc::Rc;

use indradb::{BulkInsertItem, Edge, Identifier, Vertex};
use redb::{ReadableTable, WriteTransaction};
use serde_json::Value;
use uuid::Uuid;

use super::StoreError;
use super::tables::{
    Cut, EDGE_PROPERTIES, EDGE_VALUES, EDGES, INDEXED, REVERSED, Rows, VERTEX_PROPERTIES, VERTEX_VALUES, VERTICES, edge_key, identifier,
    keys_with, name_key, property_key, rows_with, value_key, value_of,
};

const NOTHING: &[u8] = &[];

/// An edge with its properties.
pub(super) struct Drawn {
    pub edge: Edge,
    pub kind: Rc<str>,
    pub origin: Rc<str>,
}

/// About the order of keys: edges of one vertex are together.
fn order(edge: &Edge) -> (Uuid, Uuid) {
    (edge.outbound_id, edge.inbound_id)
}

/// The tables of the graph, open for writing. Nothing is kept before the transaction is committed.
pub(super) struct Graph<'t> {
    vertices: Rows<'t>,
    edges: Rows<'t>,
    reversed: Rows<'t>,
    vertex: Properties<'t>,
    edge: Properties<'t>,
    indexed: Rows<'t>,
    names: BTreeSet<Identifier>,
}

/// The properties of vertices, or those of edges, and the index of their values.
struct Properties<'t> {
    values: Rows<'t>,
    index: Rows<'t>,
}

impl<'t> Graph<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, StoreError> {
        let indexed = transaction.open_table(INDEXED)?;
        let mut names = BTreeSet::new();
        for key in keys_with(&indexed, &[])? {
            names.insert(identifier(&key)?);
        }
        Ok(Self {
            vertices: transaction.open_table(VERTICES)?,
            edges: transaction.open_table(EDGES)?,
            reversed: transaction.open_table(REVERSED)?,
            vertex: Properties { values: transaction.open_table(VERTEX_PROPERTIES)?, index: transaction.open_table(VERTEX_VALUES)? },
            edge: Properties { values: transaction.open_table(EDGE_PROPERTIES)?, index: transaction.open_table(EDGE_VALUES)? },
            indexed,
            names,
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

    pub(super) fn has_vertex(&self, id: Uuid) -> Result<bool, StoreError> {
        has(&self.vertices, id.as_bytes())
    }

    /// Whether both ends exist; if one does not, nothing is written.
    pub(super) fn put_edge(&mut self, edge: &Edge) -> Result<bool, StoreError> {
        if !self.has_vertex(edge.outbound_id)? || !self.has_vertex(edge.inbound_id)? {
            return Ok(false);
        }
        self.edges.insert(edge_key(edge).as_slice(), NOTHING)?;
        self.reversed.insert(edge_key(&edge.reversed()).as_slice(), NOTHING)?;
        Ok(true)
    }

    /// Many at once; without those of which an end does not exist. Table by table in about the order of its keys: ids are like
    /// random numbers, and a page that is written once costs less than one that is written anew for each of its rows.
    pub(super) fn put_edges(&mut self, mut edges: Vec<Drawn>) -> Result<(), StoreError> {
        let (kind, origin) = (identifier(b"kind")?, identifier(b"origin")?);
        edges.sort_unstable_by_key(|drawn| order(&drawn.edge));
        let mut kept = Vec::with_capacity(edges.len());
        for drawn in edges {
            if self.has_vertex(drawn.edge.outbound_id)? && self.has_vertex(drawn.edge.inbound_id)? {
                self.edges.insert(edge_key(&drawn.edge).as_slice(), NOTHING)?;
                kept.push(drawn);
            }
        }
        for drawn in &kept {
            let key = edge_key(&drawn.edge);
            self.edge.set(&key, kind, &Value::from(&*drawn.kind), &self.names)?;
            self.edge.set(&key, origin, &Value::from(&*drawn.origin), &self.names)?;
        }
        kept.sort_unstable_by_key(|drawn| (drawn.edge.inbound_id, drawn.edge.outbound_id));
        for drawn in &kept {
            self.reversed.insert(edge_key(&drawn.edge.reversed()).as_slice(), NOTHING)?;
        }
        Ok(())
    }

    /// With its properties, and the edges from it and to it.
    pub(super) fn remove_vertex(&mut self, id: Uuid) -> Result<(), StoreError> {
        let owner = id.as_bytes().as_slice();
        self.vertex.remove_all(owner, &self.names)?;
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
        let key = edge_key(edge);
        self.edge.remove_all(&key, &self.names)?;
        self.edges.remove(key.as_slice())?;
        self.reversed.remove(edge_key(&edge.reversed()).as_slice())?;
        Ok(())
    }

    /// Does nothing if there is no such vertex.
    pub(super) fn set_vertex_property(&mut self, id: Uuid, name: Identifier, value: &Value) -> Result<(), StoreError> {
        if self.has_vertex(id)? {
            self.vertex.set(id.as_bytes(), name, value, &self.names)?;
        }
        Ok(())
    }

    /// Does nothing if there is no such edge.
    pub(super) fn set_edge_property(&mut self, edge: &Edge, name: Identifier, value: &Value) -> Result<(), StoreError> {
        let key = edge_key(edge);
        if has(&self.edges, &key)? {
            self.edge.set(&key, name, value, &self.names)?;
        }
        Ok(())
    }

    pub(super) fn remove_vertex_property(&mut self, id: Uuid, name: Identifier) -> Result<(), StoreError> {
        self.vertex.remove(id.as_bytes(), name, &self.names)
    }

    pub(super) fn remove_edge_property(&mut self, edge: &Edge, name: Identifier) -> Result<(), StoreError> {
        self.edge.remove(&edge_key(edge), name, &self.names)
    }

    /// Indexes its existing values, and all later ones.
    pub(super) fn index(&mut self, name: Identifier) -> Result<(), StoreError> {
        if !self.names.insert(name) {
            return Ok(());
        }
        self.indexed.insert(name.as_str().as_bytes(), NOTHING)?;
        self.vertex.index_all(name, |key| key.id().map(drop))?;
        self.edge.index_all(name, |key| key.edge().map(drop))
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

impl Properties<'_> {
    fn set(&mut self, owner: &[u8], name: Identifier, value: &Value, indexed: &BTreeSet<Identifier>) -> Result<(), StoreError> {
        let key = property_key(owner, name);
        if indexed.contains(&name) {
            if let Some(old) = value_of(&self.values, &key)? {
                self.forget(owner, name, &old)?;
            }
            self.index.insert(value_key(name, value, owner).as_slice(), NOTHING)?;
        }
        self.values.insert(key.as_slice(), serde_json::to_vec(value)?.as_slice())?;
        Ok(())
    }

    fn remove(&mut self, owner: &[u8], name: Identifier, indexed: &BTreeSet<Identifier>) -> Result<(), StoreError> {
        let key = property_key(owner, name);
        if indexed.contains(&name)
            && let Some(old) = value_of(&self.values, &key)?
        {
            self.forget(owner, name, &old)?;
        }
        self.values.remove(key.as_slice())?;
        Ok(())
    }

    fn remove_all(&mut self, owner: &[u8], indexed: &BTreeSet<Identifier>) -> Result<(), StoreError> {
        for key in keys_with(&self.values, owner)? {
            let name = identifier(key.get(owner.len()..).unwrap_or_default())?;
            self.remove(owner, name, indexed)?;
        }
        Ok(())
    }

    /// Takes a value out of the index.
    fn forget(&mut self, owner: &[u8], name: Identifier, value: &[u8]) -> Result<(), StoreError> {
        let value: Value = serde_json::from_slice(value)?;
        self.index.remove(value_key(name, &value, owner).as_slice())?;
        Ok(())
    }

    /// `skip_owner` reads the owner off the front of a key.
    fn index_all(&mut self, name: Identifier, skip_owner: impl Fn(&mut Cut<'_>) -> Result<(), StoreError>) -> Result<(), StoreError> {
        for (key, value) in rows_with(&self.values, &[])? {
            let mut cut = Cut(&key);
            skip_owner(&mut cut)?;
            let said = cut.rest();
            if said == name.as_str().as_bytes() {
                let owner = key.get(..key.len() - said.len()).unwrap_or_default();
                let value: Value = serde_json::from_slice(&value)?;
                self.index.insert(value_key(name, &value, owner).as_slice(), NOTHING)?;
            }
        }
        Ok(())
    }
}

fn has(table: &impl ReadableTable<&'static [u8], &'static [u8]>, key: &[u8]) -> Result<bool, StoreError> {
    let found = table.get(key)?;
    Ok(found.is_some())
}
