//! The tables of the file, and the bytes of their keys.
//!
//! Every table has bytes as keys and values. A key is made of parts of known width (ids of 16 bytes, hashes of 16, names with
//! their length before them), so that keys with the same first parts are adjacent, and a range finds them.

use std::ops::Bound;

use diag::{Text, text};
use indradb::{Edge, Identifier};
use redb::{
    Database, Durability, ReadOnlyTable, ReadTransaction, ReadableTable, Table, TableDefinition, TableError, TableHandle, WriteTransaction,
};
use uuid::Uuid;

use super::StoreError;

/// A table that is open for writing.
pub(super) type Rows<'t> = Table<'t, &'static [u8], &'static [u8]>;
pub(super) type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;
/// Key and value.
pub(super) type Row = (Vec<u8>, Vec<u8>);

/// What the file is: `magic`, `format`.
pub(super) const META: Definition = TableDefinition::new("faultscope:meta");

// The graph, as IndraDB sees it.
/// id → type, then the properties in JSON
pub(super) const VERTICES: Definition = TableDefinition::new("graph:vertices");
/// start, type, end → the properties in JSON
pub(super) const EDGES: Definition = TableDefinition::new("graph:edges");
/// end, type, start → nothing
pub(super) const REVERSED: Definition = TableDefinition::new("graph:edges_reversed");
/// name, hash of the value, id → nothing
pub(super) const VERTEX_VALUES: Definition = TableDefinition::new("graph:vertex_values");
/// name, hash of the value, edge → nothing
pub(super) const EDGE_VALUES: Definition = TableDefinition::new("graph:edge_values");
/// names of properties that are indexed → nothing
pub(super) const INDEXED: Definition = TableDefinition::new("graph:indexed");

// The estate: layers, from which it is merged whenever it is read, and the journal.
/// kind, key of the item, origin → what that origin declares
pub(super) const LAYERS: Definition = TableDefinition::new("estate:layers");
/// revision → who changed it, when, why
pub(super) const AUDIT: Definition = TableDefinition::new("estate:audit");
/// revision, number → an item before and after
pub(super) const CHANGES: Definition = TableDefinition::new("estate:changes");

/// id of a component that is not there, key of a relation → nothing
pub(super) const WAITING: Definition = TableDefinition::new("estate:waiting");
/// In [`META`]: all relations that wait are in [`WAITING`].
pub(super) const LISTED: &[u8] = b"waiting";

pub(super) const ALL: [Definition; 11] =
    [META, VERTICES, EDGES, REVERSED, VERTEX_VALUES, EDGE_VALUES, INDEXED, LAYERS, AUDIT, CHANGES, WAITING];

/// The tables with what they hold, in words.
pub(super) fn parts() -> [(Definition, Text); 11] {
    [
        (META, text!("the format")),
        (AUDIT, text!("the list of revisions")),
        (CHANGES, text!("the changes of the revisions")),
        (LAYERS, text!("the declarations of the origins")),
        (WAITING, text!("the relations that wait for a component")),
        (VERTICES, text!("the vertices of the graph")),
        (EDGES, text!("the edges of the graph")),
        (REVERSED, text!("the reversed edges of the graph")),
        (VERTEX_VALUES, text!("the index of vertices")),
        (EDGE_VALUES, text!("the index of edges")),
        (INDEXED, text!("the list of indices")),
    ]
}

pub(super) type Part = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// A table to be read. `None`: the store is from before there was a list of what waits.
pub(super) fn open_part(view: &ReadTransaction, table: Definition) -> Result<Option<Part>, StoreError> {
    match view.open_table(table) {
        Err(TableError::TableDoesNotExist(_)) if table.name() == WAITING.name() => Ok(None),
        opened => Ok(Some(opened?)),
    }
}

/// A transaction that is on the disk once it is committed. In two phases: what it wrote is on the disk before it counts, so that
/// after a crash the last commit is whole, and a page that does not match its checksum is damage, not a commit half done.
pub(super) fn write_to(db: &Database) -> Result<WriteTransaction, StoreError> {
    let mut transaction = db.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    transaction.set_two_phase_commit(true);
    Ok(transaction)
}

/// All rows whose key begins with `prefix`, in the order of their keys.
pub(super) fn rows_with(table: &impl ReadableTable<&'static [u8], &'static [u8]>, prefix: &[u8]) -> Result<Vec<Row>, StoreError> {
    let mut rows = Vec::new();
    for entry in table.range::<&[u8]>(prefix..)? {
        let (key, value) = entry?;
        if !key.value().starts_with(prefix) {
            break;
        }
        rows.push((key.value().to_vec(), value.value().to_vec()));
    }
    Ok(rows)
}

/// Only their keys.
pub(super) fn keys_with(table: &impl ReadableTable<&'static [u8], &'static [u8]>, prefix: &[u8]) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut keys = Vec::new();
    for entry in table.range::<&[u8]>(prefix..)? {
        let (key, _) = entry?;
        if !key.value().starts_with(prefix) {
            break;
        }
        keys.push(key.value().to_vec());
    }
    Ok(keys)
}

/// Adds rows in the order of their keys behind all that are there. Whole pages are filled at once, which is several times faster
/// than row by row, and leaves no page half empty.
pub(super) fn append<K: AsRef<[u8]>, V: AsRef<[u8]>>(table: &mut Rows<'_>, rows: impl Iterator<Item = (K, V)>) -> Result<(), StoreError> {
    let mut end = table.upper_bound_mut(Bound::<&[u8]>::Unbounded)?;
    for (key, value) in rows {
        end.insert_before(key.as_ref(), value.as_ref())?;
    }
    end.close()?;
    Ok(())
}

pub(super) fn value_of(table: &impl ReadableTable<&'static [u8], &'static [u8]>, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let found = table.get(key)?;
    Ok(found.map(|value| value.value().to_vec()))
}

/// A name with its length before it: names have at most 255 bytes.
pub(super) fn name_key(name: Identifier) -> Vec<u8> {
    let text = name.as_str().as_bytes();
    let mut key = Vec::with_capacity(text.len() + 1);
    key.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    key.extend_from_slice(text);
    key
}

/// Start, type, end.
pub(super) fn edge_key(edge: &Edge) -> Vec<u8> {
    [edge.outbound_id.as_bytes().as_slice(), &name_key(edge.t), edge.inbound_id.as_bytes()].concat()
}

/// The name, the hash of the value, then the owner.
pub(super) fn value_key(name: Identifier, value: &serde_json::Value, owner: &[u8]) -> Vec<u8> {
    [value_prefix(name, value).as_slice(), owner].concat()
}

/// Sixteen bytes represent the value, whatever its length: a UUID of its JSON, which is the same in every build and on every
/// machine (the hash of the standard library is not).
pub(super) fn value_prefix(name: Identifier, value: &serde_json::Value) -> Vec<u8> {
    let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, value.to_string().as_bytes());
    [name_key(name).as_slice(), hash.as_bytes()].concat()
}

/// Bytes with their length before them, so that what follows is not mistaken for their end.
pub(super) fn push_bytes(key: &mut Vec<u8>, bytes: &[u8]) {
    key.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    key.extend_from_slice(bytes);
}

/// Reads a key from its front.
pub(super) struct Cut<'b>(pub &'b [u8]);

impl<'b> Cut<'b> {
    pub(super) fn take(&mut self, bytes: usize) -> Result<&'b [u8], StoreError> {
        let (head, rest) = self.0.split_at_checked(bytes).ok_or_else(bad_key)?;
        self.0 = rest;
        Ok(head)
    }

    pub(super) fn id(&mut self) -> Result<Uuid, StoreError> {
        Uuid::from_slice(self.take(16)?).map_err(|_| bad_key())
    }

    pub(super) fn name(&mut self) -> Result<Identifier, StoreError> {
        let length = self.take(1)?.first().copied().ok_or_else(bad_key)?;
        identifier(self.take(usize::from(length))?)
    }

    pub(super) fn edge(&mut self) -> Result<Edge, StoreError> {
        Ok(Edge::new(self.id()?, self.name()?, self.id()?))
    }

    pub(super) fn bytes(&mut self) -> Result<&'b [u8], StoreError> {
        let length = <[u8; 4]>::try_from(self.take(4)?).map_err(|_| bad_key())?;
        self.take(usize::try_from(u32::from_be_bytes(length)).map_err(|_| bad_key())?)
    }

    pub(super) fn text(&mut self) -> Result<&'b str, StoreError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| bad_key())
    }

    pub(super) fn rest(self) -> &'b [u8] {
        self.0
    }
}

pub(super) fn identifier(bytes: &[u8]) -> Result<Identifier, StoreError> {
    let text = std::str::from_utf8(bytes).map_err(|_| bad_key())?;
    Identifier::new(text).map_err(|_| bad_key())
}

pub(super) fn bad_key() -> StoreError {
    StoreError::Broken(text!("a key is malformed"))
}

#[cfg(test)]
mod tests {
    use super::{Cut, Edge, Identifier, Uuid, edge_key, push_bytes};

    #[test]
    fn keys_come_back() {
        let name = |text: &str| Identifier::new(text).unwrap();
        let edge = Edge::new(Uuid::from_u128(7), name("依赖"), Uuid::from_u128(9));
        let key = [edge_key(&edge).as_slice(), b"origin"].concat();
        let mut cut = Cut(&key);
        assert_eq!(cut.edge().unwrap(), edge);
        assert_eq!(cut.rest(), b"origin");
        let mut key = Vec::new();
        push_bytes(&mut key, b"a");
        push_bytes(&mut key, b"");
        let mut cut = Cut(&key);
        assert_eq!((cut.text().unwrap(), cut.text().unwrap(), cut.text().is_err()), ("a", "", true));
    }
}
