//! The estate on disk: one file; many may read it, or one write to it. It stores what each origin declares, the records merged from that,
//! their graph for IndraDB queries, and a journal of every change.
//!
//! [`Store::apply`] is the only way to write: one database transaction with the layers, the records, the graph, the audit entry
//! and each item before and after. It is on disk when the call returns. Past states are the present with later changes undone.
//!
//! A change, file by file: `estate` (layers, merging by `records`), `graph`, then the journal, which `history` reads. `open`
//! and `guard` never modify a file that is not a store; `blocks` compares all that is read with its checksums, `health` and
//! `salvage` deal with what does not match; `datastore` is the interface to IndraDB. `web` is another graph, in memory: what people know.

mod blocks;
mod damaged;
mod datastore;
mod error;
mod estate;
mod graph;
mod guard;
mod hash;
mod health;
mod history;
mod open;
mod records;
mod salvage;
mod tables;
mod web;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ::estate::DeclaredComponent;
use redb::{Database, ReadableDatabase};

pub use datastore::{RedbDatastore, RedbTransaction};
pub use error::StoreError;
pub use health::{Health, Part, check};
pub use history::{Audit, Change};
pub use records::{CaseRecord, Changeset, Conflict, GIT, Records, What};
pub use salvage::{Salvage, salvage};
pub use web::{Node, NodeKind, Tie, Web};

use estate::Estate;
use history::View;
use records::{Item, Key};
use tables::{Cut, LAYERS, parts, rows_with, write_to};

/// The estate in a file. Cheap to clone; clones are the same store.
#[derive(Debug, Clone)]
pub struct Store {
    db: Arc<Database>,
    /// Whether what is written reaches the file.
    writable: bool,
}

impl Store {
    /// Opens the file, or makes it (and its folder). A file that is not a store, or is a newer or damaged one, is an error
    /// and is not modified.
    pub fn open(path: &Path) -> Result<Store, StoreError> {
        Ok(Store { db: Arc::new(open::open(path)?), writable: true })
    }

    /// Opens a store that is there, for reading. No byte of the file is modified, and others may read it at the same time.
    pub fn open_to_read(path: &Path) -> Result<Store, StoreError> {
        Ok(Store { db: Arc::new(open::open_to_read(path, false)?), writable: false })
    }

    /// Applies all of it or nothing, durably. `None` if the estate did not change; the layers of the origins are stored even then.
    ///
    /// `origin` is whose declarations the removals of the changeset withdraw; `when_ms` is in milliseconds since 1970.
    pub fn apply(&self, changes: &Changeset, who: &str, why: &str, origin: &str, when_ms: i64) -> Result<Option<Audit>, StoreError> {
        if !self.writable {
            return Err(StoreError::read_only());
        }
        let transaction = write_to(&self.db)?;
        let (said, audit) = {
            let mut estate = Estate::open(&transaction)?;
            let touched = estate.say(changes, origin)?;
            let revision = estate.next_revision()?;
            let merged = estate.merge(&touched, Some(revision))?;
            let audit = (merged.all() > 0).then(|| Audit {
                revision,
                who: who.to_owned(),
                when_ms,
                why: why.to_owned(),
                origin: origin.to_owned(),
                added: merged.added,
                changed: merged.changed,
                removed: merged.removed,
            });
            if let Some(audit) = &audit {
                estate.enter(audit)?;
            }
            (!touched.is_empty(), audit)
        };
        if said {
            transaction.commit()?;
        } else {
            transaction.abort()?;
        }
        if audit.is_none() {
            // That nothing changed is only true of a store that is whole.
            self.read_everything()?;
        }
        Ok(audit)
    }

    /// Every row of every table: what is damaged is an error.
    fn read_everything(&self) -> Result<(), StoreError> {
        let view = self.db.begin_read()?;
        for (table, part) in parts() {
            let table = view.open_table(table).map_err(|error| StoreError::from(error).within(&part))?;
            for entry in table.range::<&[u8]>(..)? {
                entry.map_err(|error| StoreError::from(error).within(&part))?;
            }
        }
        Ok(())
    }

    /// The newest revision; 0 before the first change.
    pub fn revision(&self) -> Result<u64, StoreError> {
        View(&self.db.begin_read()?).revision()
    }

    /// The last revisions, the newest first.
    pub fn log(&self, limit: usize) -> Result<Vec<Audit>, StoreError> {
        View(&self.db.begin_read()?).log(limit)
    }

    /// What a revision changed; empty if it does not exist.
    pub fn changes_of(&self, revision: u64) -> Result<Vec<Change>, StoreError> {
        View(&self.db.begin_read()?).changes_of(revision)
    }

    /// The net changes from revision `a` to revision `b`, without those that were changed back.
    pub fn diff(&self, a: u64, b: u64) -> Result<Vec<Change>, StoreError> {
        View(&self.db.begin_read()?).diff(a, b)
    }

    /// Everything at a revision, by default the newest. Revision 0 is empty.
    pub fn records(&self, as_of: Option<u64>) -> Result<Records, StoreError> {
        View(&self.db.begin_read()?).records(as_of)
    }

    /// The newest revision at a time, in milliseconds since 1970; 0 if there was none.
    pub fn revision_at(&self, time_ms: i64) -> Result<u64, StoreError> {
        View(&self.db.begin_read()?).revision_at(time_ms)
    }

    /// What one origin declares, including all relations.
    pub fn layer(&self, origin: &str) -> Result<Records, StoreError> {
        let view = self.db.begin_read()?;
        let mut items: BTreeMap<Key, Item> = BTreeMap::new();
        let table = view.open_table(LAYERS)?;
        for entry in table.range::<&[u8]>(..)? {
            let (at, value) = entry?;
            let mut cut = Cut(at.value());
            let key = Key::cut(&mut cut)?;
            // The origin follows the key. Only its own layers are read.
            if cut.rest() == origin.as_bytes() {
                let item = Item::read(key.what(), value.value())?;
                items.insert(key, item);
            }
        }
        let mut layer = Records { revision: View(&view).revision()?, ..Records::default() };
        for item in items.into_values() {
            match item {
                Item::Component(one) => layer.components.push(one),
                Item::Relation(one) => layer.relations.push(one),
                Item::Group(one) => layer.groups.push(one),
                Item::Case(one) => layer.cases.push(one),
            }
        }
        Ok(layer)
    }

    /// The components that others than this origin declare, merged without it.
    pub fn without(&self, origin: &str) -> Result<Vec<DeclaredComponent>, StoreError> {
        let view = self.db.begin_read()?;
        let mut found = Vec::new();
        for mut items in layers(&view)?.into_values() {
            items.retain(|item| item.origin() != origin);
            if let Some(Item::Component(one)) = records::merge(items) {
                found.push(one);
            }
        }
        Ok(found)
    }

    /// Attributes for which git and another origin have different values, by component, origin and attribute. Git wins.
    pub fn conflicts(&self) -> Result<Vec<Conflict>, StoreError> {
        let view = self.db.begin_read()?;
        let mut found = Vec::new();
        for items in layers(&view)?.into_values() {
            let components = || items.iter().filter_map(|item| if let Item::Component(one) = item { Some(one) } else { None });
            let Some(git) = components().find(|one| one.origin == GIT) else { continue };
            for other in components().filter(|one| one.origin != GIT) {
                found.extend(records::conflicts(git, other));
            }
        }
        Ok(found)
    }

    /// The graph: a vertex for each component, group and case, an edge for each relation between components that there are, and
    /// an edge `touched` from each case to those of its components that there are. To ask; what is written past
    /// [`Store::apply`] is in no journal.
    pub fn graph(&self) -> indradb::Database<RedbDatastore> {
        indradb::Database::new(RedbDatastore::over(&self.db, self.writable))
    }
}

/// The id of a component in the graph.
pub fn component_vertex(id: &str) -> uuid::Uuid {
    estate::vertex_id(&Key::Component(id.to_owned()))
}

/// The id of a case in the graph.
pub fn case_vertex(id: &str) -> uuid::Uuid {
    estate::vertex_id(&Key::Case(id.to_owned()))
}

/// What all origins declare, item by item; the origins of one item in the order of their names.
fn layers(view: &redb::ReadTransaction) -> Result<BTreeMap<Key, Vec<Item>>, StoreError> {
    let table = view.open_table(LAYERS)?;
    let mut layers: BTreeMap<Key, Vec<Item>> = BTreeMap::new();
    for (key, value) in rows_with(&table, &[])? {
        let key = Key::cut(&mut Cut(&key))?;
        let item = Item::read(key.what(), &value)?;
        layers.entry(key).or_default().push(item);
    }
    Ok(layers)
}
