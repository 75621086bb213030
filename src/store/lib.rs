//! The estate on disk: one file; many may read it, or one write to it. It stores what each origin declares, the graph of what that
//! adds up to for IndraDB queries, and a journal of every change. The estate itself is merged whenever it is read.
//!
//! [`Store::apply`] is the only way to write: one database transaction with the layers, the graph, the audit entry and each item
//! before and after. It is on disk when the call returns. Past states are the present with later changes undone.
//!
//! A change, file by file: `estate` (`layers`, merging by `records`), `graph` and what is `waiting` for it, then the journal, which
//! `history` reads. `open` and `guard` never modify a file that is not a store; `blocks` compares all that is read with its checksums,
//! `health` and `salvage` deal with what does not match; `datastore` is the interface to IndraDB. `web` is another graph, in memory: what
//! people know.

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
mod layers;
mod open;
mod records;
mod salvage;
mod tables;
mod waiting;
mod web;

use std::path::Path;
use std::sync::Arc;

use ::estate::Declared;
use diag::{Text, text};
use redb::{Database, ReadTransaction, ReadableDatabase};

pub use datastore::{RedbDatastore, RedbTransaction};
pub use error::{StoreError, shell_word};
pub use health::{Health, Part, check};
pub use history::{Audit, Change};
pub use records::{CaseRecord, Changeset, Conflict, GIT, Records, What};
pub use salvage::{Salvage, salvage};
pub use web::{Node, NodeKind, Tie, Web};

use estate::Estate;
use history::View;
use layers::{Before, each_item, split};
use open::Access;
use records::{Item, Key};
use tables::{Cut, LAYERS, open_part, parts, write_to};

/// The estate in a file. Cheap to clone; clones are the same store.
#[derive(Debug, Clone)]
pub struct Store {
    db: Arc<Database>,
    access: Access,
    /// As it was given, for messages.
    path: Arc<Path>,
}

impl Store {
    /// Opens the file, or makes it (and its folder). A file that is not a store, or is a newer or damaged one, is an error
    /// and is not modified.
    pub fn open(path: &Path) -> Result<Store, StoreError> {
        let db = open::open(path).map_err(|error| unopened(error, path))?;
        Ok(Store { db: Arc::new(db), access: Access::Write, path: Arc::from(path) })
    }

    /// Opens a store that is there, for reading. No byte of the file is modified, and others may read it at the same time. It may
    /// be an older one; then all but its graph can be read.
    pub fn open_to_read(path: &Path) -> Result<Store, StoreError> {
        let (db, access) = open::open_to_read(path, false).map_err(|error| unopened(error, path))?;
        Ok(Store { db: Arc::new(db), access, path: Arc::from(path) })
    }

    /// Applies all of it or nothing, durably. `None` if the estate did not change; the layers of the origins are stored even then.
    /// Of the file, it reads what the changeset is about: all declarations of these items. Before it says `None`, it reads all of it.
    ///
    /// `origin` is whose declarations the removals of the changeset withdraw; `when_ms` is in milliseconds since 1970.
    pub fn apply(&self, changes: &Changeset, who: &str, why: &str, origin: &str, when_ms: i64) -> Result<Option<Audit>, StoreError> {
        self.write(changes, who, why, origin, when_ms).map_err(|error| error.at(&self.path))
    }

    fn write(&self, changes: &Changeset, who: &str, why: &str, origin: &str, when_ms: i64) -> Result<Option<Audit>, StoreError> {
        self.access.may_write()?;
        let transaction = write_to(&self.db)?;
        let (said, audit) = {
            // Nobody else writes from here on, so that this is what the transaction began with.
            let view = self.db.begin_read()?;
            let mut estate = Estate::open(&transaction)?;
            let revision = estate.next_revision()?;
            let before = Before::open(&view).map_err(|error| error.within(&declarations()))?;
            let applied = estate.apply(changes, origin, revision, before)?;
            let audit = (applied.all() > 0).then(|| Audit {
                revision,
                who: who.to_owned(),
                when_ms,
                why: why.to_owned(),
                origin: origin.to_owned(),
                added: applied.added,
                changed: applied.changed,
                removed: applied.removed,
                changes_lost: false,
                estate_lost: false,
            });
            if let Some(audit) = &audit {
                estate.enter(audit)?;
            }
            (applied.said, audit)
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
            let Some(table) = open_part(&view, table).map_err(|error| error.within(&part))? else { continue };
            for entry in table.range::<&[u8]>(..)? {
                entry.map_err(|error| StoreError::from(error).within(&part))?;
            }
        }
        Ok(())
    }

    /// What turns the layer of an origin into `wanted`, and how many components the origin declares so far. The layer need not be
    /// in memory for that, as it must for [`Changeset::replacing`].
    pub fn replacing(&self, origin: &str, wanted: Records) -> Result<(Changeset, usize), StoreError> {
        let mut changes = Changeset::putting(wanted);
        let mut gone = Vec::new();
        let mut components = 0;
        self.read(&declarations(), |view| {
            let mut words = changes.words();
            words.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
            let mut words = words.into_iter().map(|word| records::key_bytes(word.what(), word.texts())).peekable();
            each_layer(view, |item, declared_by, _| {
                if declared_by != origin {
                    return Ok(());
                }
                let key = Key::cut(&mut Cut(item))?;
                components += usize::from(matches!(key, Key::Component(_)));
                while words.next_if(|word| word.as_slice() < item).is_some() {}
                if words.peek().is_none_or(|word| word.as_slice() != item) {
                    gone.push(key);
                }
                Ok(())
            })
        })?;
        gone.into_iter().for_each(|key| changes.remove(key));
        Ok((changes, components))
    }

    /// The newest revision; 0 before the first change.
    pub fn revision(&self) -> Result<u64, StoreError> {
        self.view(|view| view.revision())
    }

    /// The last revisions, the newest first.
    pub fn log(&self, limit: usize) -> Result<Vec<Audit>, StoreError> {
        self.view(|view| view.log(limit))
    }

    /// What a revision changed; empty if it does not exist.
    pub fn changes_of(&self, revision: u64) -> Result<Vec<Change>, StoreError> {
        self.view(|view| view.changes_of(revision))
    }

    /// The net changes from revision `a` to revision `b`, without those that were changed back.
    pub fn diff(&self, a: u64, b: u64) -> Result<Vec<Change>, StoreError> {
        self.view(|view| view.diff(a, b))
    }

    /// Everything at a revision, by default the newest. Revision 0 is empty.
    pub fn records(&self, as_of: Option<u64>) -> Result<Records, StoreError> {
        self.view(|view| view.records(as_of))
    }

    /// The newest revision at a time, in milliseconds since 1970; 0 if there was none.
    pub fn revision_at(&self, time_ms: i64) -> Result<u64, StoreError> {
        self.view(|view| view.revision_at(time_ms))
    }

    /// What cannot be read is said to be damage of this file.
    fn view<T>(&self, ask: impl FnOnce(View<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let view = self.db.begin_read().map_err(StoreError::from);
        view.and_then(|view| ask(View(&view))).map_err(|error| error.at(&self.path))
    }

    /// The same of one part.
    fn read<T>(&self, part: &Text, ask: impl FnOnce(&ReadTransaction) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.view(|View(view)| ask(view).map_err(|error| error.within(part)))
    }

    /// What one origin declares, including all relations.
    pub fn layer(&self, origin: &str) -> Result<Records, StoreError> {
        let mut layer = Records::default();
        self.view(|View(view)| {
            layer.revision = View(view).revision()?;
            let read = each_layer(view, |item, declared_by, value| {
                if declared_by == origin {
                    layer.push(Item::read(item, origin, value)?);
                }
                Ok(())
            });
            read.map_err(|error| error.within(&declarations()))
        })?;
        layer.sort();
        Ok(layer)
    }

    /// The components that others than this origin declare, merged without it; and their relations, if wanted.
    pub fn without(&self, origin: &str, relations: bool) -> Result<Declared, StoreError> {
        let mut found = Declared::default();
        self.read(&declarations(), |view| {
            each_item(view, |mut layers| {
                layers.retain(|layer| layer.origin() != origin);
                match records::merge(layers) {
                    Some(Item::Component(one)) => found.components.push(one),
                    Some(Item::Relation(one)) if relations => found.relations.push(one),
                    Some(Item::Relation(_) | Item::Group(_) | Item::Case(_)) | None => {}
                }
            })
        })?;
        found.components.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }

    /// Attributes for which git and another origin have different values, by component, origin and attribute. Git wins. Those that it
    /// extends on purpose are among them.
    pub fn conflicts(&self) -> Result<Vec<Conflict>, StoreError> {
        let mut found = Vec::new();
        self.read(&declarations(), |view| each_item(view, |layers| found.extend(conflicts(&layers))))?;
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }

    /// The graph: a vertex for each component, group and case, an edge for each relation between components that there are, and
    /// an edge `touched` from each case to those of its components that there are. To ask; what is written past
    /// [`Store::apply`] is in no journal.
    pub fn graph(&self) -> indradb::Database<RedbDatastore> {
        indradb::Database::new(RedbDatastore::over(&self.db, &self.access))
    }
}

/// A store that cannot be opened. If its end is missing, that is more than one part.
fn unopened(error: StoreError, path: &Path) -> StoreError {
    let error = if error == StoreError::truncated() { error } else { error.within(&text!("the tables of the database")) };
    error.at(path)
}

fn declarations() -> Text {
    text!("the declarations of the origins")
}

/// The id of a component in the graph.
pub fn component_vertex(id: &str) -> uuid::Uuid {
    estate::vertex_id(What::Component, id)
}

/// The id of a case in the graph.
pub fn case_vertex(id: &str) -> uuid::Uuid {
    estate::vertex_id(What::Case, id)
}

/// Every row of the layers, in the order of keys: the key of its item, its origin, its value.
fn each_layer(view: &ReadTransaction, mut take: impl FnMut(&[u8], &str, &[u8]) -> Result<(), StoreError>) -> Result<(), StoreError> {
    let table = view.open_table(LAYERS)?;
    for entry in table.range::<&[u8]>(..)? {
        let (at, value) = entry?;
        let (item, origin) = split(at.value())?;
        take(item, origin, value.value())?;
    }
    Ok(())
}

/// Between the layers of one item, in the order of their origins.
fn conflicts(layers: &[Item]) -> Vec<Conflict> {
    if let Some(git) = layers.iter().find(|item| item.origin() == GIT && item.is_dropped()) {
        return layers.iter().filter(|item| item.origin() != GIT).filter_map(|other| Item::dropped(git, other)).collect();
    }
    let components = || layers.iter().filter_map(|item| if let Item::Component(one) = item { Some(one) } else { None });
    let Some(git) = components().find(|one| one.origin == GIT) else { return Vec::new() };
    components().filter(|one| one.origin != GIT).flat_map(|other| records::conflicts(git, other)).collect()
}
