//! IndraDB over redb.
//!
//! Every call that writes is one durable transaction of the database; all calls of one IndraDB transaction that read see one
//! moment, which moves on after each write of that transaction.

#![allow(clippy::redundant_closure_for_method_calls, reason = "the methods themselves are not general enough in their lifetimes")]

use std::path::Path;
use std::sync::Arc;

use diag::text;
use indradb::{BulkInsertItem, Datastore, DynIter, Edge, Identifier, Json, Transaction, Vertex};
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTableMetadata};
use uuid::Uuid;

use super::StoreError;
use super::graph::{Graph, Properties, cut_vertex_row, properties};
use super::open::{Access, open};
use super::tables::{
    Cut, Definition, EDGE_VALUES, EDGES, INDEXED, REVERSED, Row, VERTEX_VALUES, VERTICES, edge_key, identifier, name_key, rows_with,
    value_of, value_prefix, write_to,
};

/// The graph of a store, for IndraDB's queries. Clones share the file.
#[derive(Debug, Clone)]
pub struct RedbDatastore {
    db: Arc<Database>,
    access: Access,
}

impl RedbDatastore {
    /// The graph of this file, which is created if it does not exist.
    pub fn new_db(path: &Path) -> Result<indradb::Database<RedbDatastore>, StoreError> {
        Ok(indradb::Database::new(RedbDatastore { db: Arc::new(open(path).map_err(|error| error.at(path))?), access: Access::Write }))
    }

    pub(super) fn over(db: &Arc<Database>, access: &Access) -> Self {
        Self { db: Arc::clone(db), access: access.clone() }
    }
}

impl Datastore for RedbDatastore {
    type Transaction<'a>
        = RedbTransaction<'a>
    where
        Self: 'a;

    fn transaction(&self) -> Self::Transaction<'_> {
        let view = match &self.access {
            Access::Write | Access::Read => view(&self.db),
            // It drew the graph in another way.
            Access::Older(error) => Err(error.clone()),
        };
        RedbTransaction { db: &self.db, access: &self.access, view }
    }
}

/// One IndraDB transaction.
pub struct RedbTransaction<'a> {
    db: &'a Database,
    access: &'a Access,
    /// The state that reads see.
    view: Result<ReadTransaction, StoreError>,
}

fn view(db: &Database) -> Result<ReadTransaction, StoreError> {
    Ok(db.begin_read()?)
}

fn write<T>(db: &Database, work: impl FnOnce(&mut Graph<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
    let transaction = write_to(db)?;
    let done = {
        let mut graph = Graph::open(&transaction)?;
        work(&mut graph)?
    };
    transaction.commit()?;
    Ok(done)
}

fn fault(error: StoreError) -> indradb::Error {
    indradb::Error::Datastore(Box::new(error.within(&text!("the graph"))))
}

type Rows = Box<dyn Iterator<Item = Result<Row, StoreError>>>;

impl RedbTransaction<'_> {
    fn view(&self) -> Result<&ReadTransaction, StoreError> {
        self.view.as_ref().map_err(Clone::clone)
    }

    fn write<T>(&mut self, work: impl FnOnce(&mut Graph<'_>) -> Result<T, StoreError>) -> indradb::Result<T> {
        self.access.may_write().map_err(fault)?;
        let done = write(self.db, work).map_err(fault)?;
        self.view = view(self.db);
        Ok(done)
    }

    fn count(&self, table: Definition) -> Result<u64, StoreError> {
        Ok(self.view()?.open_table(table)?.len()?)
    }

    fn value(&self, table: Definition, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let table = self.view()?.open_table(table)?;
        value_of(&table, key)
    }

    fn has(&self, table: Definition, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.value(table, key)?.is_some())
    }

    fn vertex_properties(&self, vertex: &Vertex) -> Result<Properties, StoreError> {
        let row = self.value(VERTICES, vertex.id.as_bytes())?;
        row.map_or_else(|| Ok(Properties::new()), |row| Ok(cut_vertex_row(&row)?.1))
    }

    fn edge_properties(&self, edge: &Edge) -> Result<Properties, StoreError> {
        let row = self.value(EDGES, &edge_key(edge))?;
        row.map_or_else(|| Ok(Properties::new()), |row| properties(&row))
    }

    /// Rows from `low` on, read lazily.
    fn rows_from(&self, table: Definition, low: &[u8]) -> Result<Rows, StoreError> {
        let table = self.view()?.open_table(table)?;
        let range = table.range::<&[u8]>(low..)?;
        Ok(Box::new(range.map(|entry| -> Result<Row, StoreError> {
            let (key, value) = entry?;
            Ok((key.value().to_vec(), value.value().to_vec()))
        })))
    }

    fn edges_from(&self, table: Definition, low: &[u8]) -> indradb::Result<DynIter<'static, Edge>> {
        let rows = self.rows_from(table, low).map_err(fault)?;
        Ok(Box::new(rows.map(|row| row.and_then(|(key, _)| Cut(&key).edge()).map_err(fault))))
    }

    fn vertices_from(&self, low: &[u8]) -> indradb::Result<DynIter<'static, Vertex>> {
        let rows = self.rows_from(VERTICES, low).map_err(fault)?;
        Ok(Box::new(rows.map(|row| row.and_then(|(key, kind)| vertex(&key, &kind)).map_err(fault))))
    }

    /// What follows the name and the hash in an index, if the name is indexed.
    fn indexed<T>(
        &self,
        table: Definition,
        name: Identifier,
        prefix: &[u8],
        read: impl Fn(&mut Cut<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<Vec<T>>, StoreError> {
        if !self.has(INDEXED, name.as_str().as_bytes())? {
            return Ok(None);
        }
        let table = self.view()?.open_table(table)?;
        let rows = rows_with(&table, prefix)?;
        let owners = rows.iter().map(|(key, _)| {
            let mut cut = Cut(key);
            cut.name()?;
            cut.take(16)?;
            read(&mut cut)
        });
        Ok(Some(owners.collect::<Result<_, _>>()?))
    }
}

/// With the names that IndraDB knows them by.
fn named(properties: Properties) -> Result<Vec<(Identifier, Json)>, StoreError> {
    properties.into_iter().map(|(name, value)| Ok((identifier(name.as_bytes())?, Json::new(value)))).collect()
}

fn vertex(key: &[u8], row: &[u8]) -> Result<Vertex, StoreError> {
    Ok(Vertex::with_id(Cut(key).id()?, Cut(row).name()?))
}

/// Values already in memory, as the iterator that IndraDB expects.
fn all<'a, T: 'a>(values: Vec<T>) -> DynIter<'a, T> {
    Box::new(values.into_iter().map(Ok))
}

impl<'a> Transaction<'a> for RedbTransaction<'a> {
    fn vertex_count(&self) -> u64 {
        self.count(VERTICES).unwrap_or(0)
    }

    fn all_vertices(&'a self) -> indradb::Result<DynIter<'a, Vertex>> {
        self.vertices_from(&[])
    }

    fn range_vertices(&'a self, offset: Uuid) -> indradb::Result<DynIter<'a, Vertex>> {
        self.vertices_from(offset.as_bytes())
    }

    fn specific_vertices(&'a self, ids: Vec<Uuid>) -> indradb::Result<DynIter<'a, Vertex>> {
        let mut found = Vec::new();
        for id in ids {
            if let Some(kind) = self.value(VERTICES, id.as_bytes()).map_err(fault)? {
                found.push(vertex(id.as_bytes(), &kind).map_err(fault)?);
            }
        }
        Ok(all(found))
    }

    fn vertex_ids_with_property(&'a self, name: Identifier) -> indradb::Result<Option<DynIter<'a, Uuid>>> {
        let found = self.indexed(VERTEX_VALUES, name, &name_key(name), |cut| cut.id()).map_err(fault)?;
        Ok(found.map(all))
    }

    fn vertex_ids_with_property_value(&'a self, name: Identifier, value: &Json) -> indradb::Result<Option<DynIter<'a, Uuid>>> {
        let found = self.indexed(VERTEX_VALUES, name, &value_prefix(name, value), |cut| cut.id()).map_err(fault)?;
        Ok(found.map(all))
    }

    fn edge_count(&self) -> u64 {
        self.count(EDGES).unwrap_or(0)
    }

    fn all_edges(&'a self) -> indradb::Result<DynIter<'a, Edge>> {
        self.edges_from(EDGES, &[])
    }

    fn range_edges(&'a self, offset: Edge) -> indradb::Result<DynIter<'a, Edge>> {
        self.edges_from(EDGES, &edge_key(&offset))
    }

    fn range_reversed_edges(&'a self, offset: Edge) -> indradb::Result<DynIter<'a, Edge>> {
        self.edges_from(REVERSED, &edge_key(&offset))
    }

    fn specific_edges(&'a self, edges: Vec<Edge>) -> indradb::Result<DynIter<'a, Edge>> {
        let mut found = Vec::new();
        for edge in edges {
            if self.has(EDGES, &edge_key(&edge)).map_err(fault)? {
                found.push(edge);
            }
        }
        Ok(all(found))
    }

    fn edges_with_property(&'a self, name: Identifier) -> indradb::Result<Option<DynIter<'a, Edge>>> {
        let found = self.indexed(EDGE_VALUES, name, &name_key(name), |cut| cut.edge()).map_err(fault)?;
        Ok(found.map(all))
    }

    fn edges_with_property_value(&'a self, name: Identifier, value: &Json) -> indradb::Result<Option<DynIter<'a, Edge>>> {
        let found = self.indexed(EDGE_VALUES, name, &value_prefix(name, value), |cut| cut.edge()).map_err(fault)?;
        Ok(found.map(all))
    }

    fn vertex_property(&self, vertex: &Vertex, name: Identifier) -> indradb::Result<Option<Json>> {
        Ok(self.vertex_properties(vertex).map_err(fault)?.remove(name.as_str()).map(Json::new))
    }

    fn all_vertex_properties_for_vertex(&'a self, vertex: &Vertex) -> indradb::Result<DynIter<'a, (Identifier, Json)>> {
        Ok(all(self.vertex_properties(vertex).and_then(named).map_err(fault)?))
    }

    fn edge_property(&self, edge: &Edge, name: Identifier) -> indradb::Result<Option<Json>> {
        Ok(self.edge_properties(edge).map_err(fault)?.remove(name.as_str()).map(Json::new))
    }

    fn all_edge_properties_for_edge(&'a self, edge: &Edge) -> indradb::Result<DynIter<'a, (Identifier, Json)>> {
        Ok(all(self.edge_properties(edge).and_then(named).map_err(fault)?))
    }

    fn delete_vertices(&mut self, vertices: Vec<Vertex>) -> indradb::Result<()> {
        self.write(|graph| vertices.iter().try_for_each(|vertex| graph.remove_vertex(vertex.id)))
    }

    fn delete_edges(&mut self, edges: Vec<Edge>) -> indradb::Result<()> {
        self.write(|graph| edges.iter().try_for_each(|edge| graph.remove_edge(edge)))
    }

    fn delete_vertex_properties(&mut self, props: Vec<(Uuid, Identifier)>) -> indradb::Result<()> {
        self.write(|graph| props.iter().try_for_each(|(id, name)| graph.remove_vertex_property(*id, *name)))
    }

    fn delete_edge_properties(&mut self, props: Vec<(Edge, Identifier)>) -> indradb::Result<()> {
        self.write(|graph| props.iter().try_for_each(|(edge, name)| graph.remove_edge_property(edge, *name)))
    }

    /// Every write is on the disk when it returns: there is nothing left to do.
    fn sync(&self) -> indradb::Result<()> {
        Ok(())
    }

    fn create_vertex(&mut self, vertex: &Vertex) -> indradb::Result<bool> {
        self.write(|graph| graph.put_vertex(vertex))
    }

    fn create_edge(&mut self, edge: &Edge) -> indradb::Result<bool> {
        self.write(|graph| graph.put_edge(edge))
    }

    fn bulk_insert(&mut self, items: Vec<BulkInsertItem>) -> indradb::Result<()> {
        self.write(|graph| graph.insert_all(&items))
    }

    fn index_property(&mut self, name: Identifier) -> indradb::Result<()> {
        self.write(|graph| graph.index(name))
    }

    fn set_vertex_properties(&mut self, vertices: Vec<Uuid>, name: Identifier, value: &Json) -> indradb::Result<()> {
        self.write(|graph| vertices.iter().try_for_each(|id| graph.set_vertex_property(*id, name, value)))
    }

    fn set_edge_properties(&mut self, edges: Vec<Edge>, name: Identifier, value: &Json) -> indradb::Result<()> {
        self.write(|graph| edges.iter().try_for_each(|edge| graph.set_edge_property(edge, name, value)))
    }
}
