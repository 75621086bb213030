//! What changed: the journal of revisions, and the estate as it was.

use std::collections::BTreeMap;

use diag::text;
use redb::ReadTransaction;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StoreError;
use super::records::{Item, Key, Records, What, records};
use super::tables::{AUDIT, CHANGES, Cut, RECORDS, rows_with, value_of};

/// One revision: who changed the estate, when, why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// Counted from 1 without gaps.
    pub revision: u64,
    pub who: String,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub when_ms: i64,
    pub why: String,
    pub origin: String,
    pub added: usize,
    pub changed: usize,
    pub removed: usize,
}

/// An item before and after; `None` where it did not exist, or no longer exists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub what: What,
    /// Of a relation its start, kind and end.
    pub id: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

impl Change {
    pub(super) fn key(&self) -> Result<Key, StoreError> {
        let value = self.after.as_ref().or(self.before.as_ref());
        let value = value.ok_or_else(|| StoreError::Broken(text!("the recorded change of `{}` is empty", self.id)))?;
        Ok(Item::from_json(self.what, value.clone())?.key())
    }
}

/// Where the changes of a revision are stored.
pub(super) fn change_key(revision: u64, number: u32) -> Vec<u8> {
    [revision.to_be_bytes().as_slice(), &number.to_be_bytes()].concat()
}

/// One moment of the store.
pub(super) struct View<'v>(pub &'v ReadTransaction);

impl View<'_> {
    /// 0 before the first change.
    pub(super) fn revision(&self) -> Result<u64, StoreError> {
        Ok(self.log(1)?.first().map_or(0, |audit| audit.revision))
    }

    /// The newest first.
    pub(super) fn log(&self, limit: usize) -> Result<Vec<Audit>, StoreError> {
        self.read_log(limit).map_err(|error| error.within(&text!("the list of revisions")))
    }

    fn read_log(&self, limit: usize) -> Result<Vec<Audit>, StoreError> {
        let table = self.0.open_table(AUDIT)?;
        let mut log = Vec::new();
        for entry in table.range::<&[u8]>(..)?.rev().take(limit) {
            let (_, value) = entry?;
            log.push(serde_json::from_slice(value.value())?);
        }
        Ok(log)
    }

    /// Who made a revision; `None` if it does not exist.
    pub(super) fn audit(&self, revision: u64) -> Result<Option<Audit>, StoreError> {
        let table = self.0.open_table(AUDIT)?;
        let Some(value) = value_of(&table, &revision.to_be_bytes())? else { return Ok(None) };
        Ok(Some(serde_json::from_slice(&value)?))
    }

    /// The newest revision at this time; 0 if there was none.
    pub(super) fn revision_at(&self, time_ms: i64) -> Result<u64, StoreError> {
        Ok(self.log(usize::MAX)?.iter().find(|audit| audit.when_ms <= time_ms).map_or(0, |audit| audit.revision))
    }

    /// In the order of their keys. Those of a revision that is not whole are an error.
    pub(super) fn changes_of(&self, revision: u64) -> Result<Vec<Change>, StoreError> {
        self.read_changes(revision).map_err(|error| error.within(&text!("revision {}", revision)))
    }

    fn read_changes(&self, revision: u64) -> Result<Vec<Change>, StoreError> {
        let table = self.0.open_table(CHANGES)?;
        let rows = rows_with(&table, &revision.to_be_bytes())?;
        let expected = self.audit(revision)?.map_or(0, |audit| audit.added + audit.changed + audit.removed);
        if rows.len() != expected {
            return Err(StoreError::Broken(text!("{} changes are recorded, {} were made", rows.len(), expected)));
        }
        rows.iter().map(|(_, value)| Ok(serde_json::from_slice(value)?)).collect()
    }

    /// The changes that turn the estate of revision `a` into that of revision `b`, in the order of keys.
    pub(super) fn diff(&self, a: u64, b: u64) -> Result<Vec<Change>, StoreError> {
        let newest = self.revision()?;
        for asked in [a, b] {
            exists(asked, newest)?;
        }
        let mut net: BTreeMap<Key, Change> = BTreeMap::new();
        for revision in a.min(b).saturating_add(1)..=a.max(b) {
            for change in self.changes_of(revision)? {
                let key = change.key()?;
                match net.get_mut(&key) {
                    Some(first) => first.after = change.after,
                    None => {
                        net.insert(key, change);
                    }
                }
            }
        }
        let changes = net.into_values().filter(|change| change.before != change.after);
        Ok(if a <= b {
            changes.collect()
        } else {
            changes.map(|change| Change { before: change.after, after: change.before, ..change }).collect()
        })
    }

    /// The estate at a revision, by default the newest: later changes are undone, the newest first.
    pub(super) fn records(&self, as_of: Option<u64>) -> Result<Records, StoreError> {
        let newest = self.revision()?;
        let revision = as_of.unwrap_or(newest);
        exists(revision, newest)?;
        if revision == newest {
            return self.newest(revision).map_err(|error| error.within(&text!("the estate as it is")));
        }
        match self.undone(revision, newest) {
            // A revision in between is not whole. Those before may be, and lead there from the empty estate.
            Err(error @ StoreError::Broken(_)) => self.replayed(revision).map_err(|_| error),
            undone => undone,
        }
    }

    fn undone(&self, revision: u64, newest: u64) -> Result<Records, StoreError> {
        let mut items = self.present().map_err(|error| error.within(&text!("the estate as it is")))?;
        for later in (revision.saturating_add(1)..=newest).rev() {
            for change in self.changes_of(later)?.into_iter().rev() {
                let key = change.key()?;
                match change.before {
                    Some(before) => items.insert(key, Item::from_json(change.what, before)?),
                    None => items.remove(&key),
                };
            }
        }
        Ok(records(revision, items.into_values()))
    }

    fn replayed(&self, revision: u64) -> Result<Records, StoreError> {
        let mut items = BTreeMap::new();
        for earlier in 1..=revision {
            for change in self.changes_of(earlier)? {
                let key = change.key()?;
                match change.after {
                    Some(after) => items.insert(key, Item::from_json(change.what, after)?),
                    None => items.remove(&key),
                };
            }
        }
        Ok(records(revision, items.into_values()))
    }

    /// The current estate, straight into its lists: nothing is undone, so no lookup by key is needed.
    fn newest(&self, revision: u64) -> Result<Records, StoreError> {
        let table = self.0.open_table(RECORDS)?;
        let mut items = Vec::new();
        for entry in table.range::<&[u8]>(..)? {
            let (key, value) = entry?;
            items.push(Item::read(Key::what_of(key.value())?, value.value())?);
        }
        Ok(records(revision, items))
    }

    fn present(&self) -> Result<BTreeMap<Key, Item>, StoreError> {
        let table = self.0.open_table(RECORDS)?;
        // One by one from the file: there may be millions, and their bytes need not all be in memory as well.
        let rows = table.range::<&[u8]>(..)?.map(|entry| {
            let (key, value) = entry?;
            let key = Key::cut(&mut Cut(key.value()))?;
            let item = Item::read(key.what(), value.value())?;
            Ok::<_, StoreError>((key, item))
        });
        rows.collect()
    }
}

fn exists(asked: u64, newest: u64) -> Result<(), StoreError> {
    if asked <= newest {
        return Ok(());
    }
    Err(StoreError::Refused(text!("no revision `{}`: the newest is {}", asked, newest)))
}
