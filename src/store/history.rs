//! What changed: the journal of revisions, and the estate as it was.

use std::collections::BTreeMap;

use diag::text;
use redb::ReadTransaction;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StoreError;
use super::layers::each_item;
use super::records::{Item, Key, Records, What, merge};
use super::tables::{AUDIT, CHANGES, Cut, push_bytes, value_of};

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
    /// Whether some of its changes were lost before the store was salvaged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changes_lost: bool,
    /// Whether some of what was declared at it was lost then, so that later revisions do not tell what there was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estate_lost: bool,
}

impl Audit {
    pub fn is_whole(&self) -> bool {
        !self.changes_lost && !self.estate_lost
    }
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

/// The same, as the journal has it: the key of the item, then each side, a declaration as in the layers.
pub(super) struct Entry {
    pub key: Key,
    pub before: Option<Item>,
    pub after: Option<Item>,
}

impl Entry {
    pub(super) fn bytes(&self) -> Result<Vec<u8>, StoreError> {
        let mut bytes = self.key.bytes();
        for side in [&self.before, &self.after] {
            match side {
                None => bytes.push(0),
                Some(item) => {
                    bytes.push(1);
                    push_bytes(&mut bytes, item.origin().as_bytes());
                    push_bytes(&mut bytes, &item.value()?);
                }
            }
        }
        Ok(bytes)
    }

    pub(super) fn read(row: &[u8]) -> Result<Self, StoreError> {
        if is_old(row) {
            return Entry::of(serde_json::from_slice(row)?);
        }
        let mut cut = Cut(row);
        let key = Key::cut(&mut cut)?;
        let bytes = key.bytes();
        let (before, after) = (cut_side(&mut cut, &bytes)?, cut_side(&mut cut, &bytes)?);
        Ok(Entry { key, before, after })
    }

    fn of(Change { what, id, before, after }: Change) -> Result<Self, StoreError> {
        let item = |side: Option<Value>| side.map(|value| Item::from_json(what, value)).transpose();
        let (before, after) = (item(before)?, item(after)?);
        let key = after.as_ref().or(before.as_ref()).map(Item::key);
        let key = key.ok_or_else(|| StoreError::Broken(text!("the recorded change of `{}` is empty", id)))?;
        Ok(Entry { key, before, after })
    }

    fn change(&self) -> Result<Change, StoreError> {
        let before = self.before.as_ref().map(Item::to_json).transpose()?;
        let after = self.after.as_ref().map(Item::to_json).transpose()?;
        Ok(Change { what: self.key.what(), id: self.key.name(), before, after })
    }
}

/// Before format 4, a change was written in JSON.
pub(super) fn is_old(row: &[u8]) -> bool {
    row.starts_with(b"{")
}

fn cut_side(cut: &mut Cut<'_>, key: &[u8]) -> Result<Option<Item>, StoreError> {
    if cut.take(1)? == [0] {
        return Ok(None);
    }
    let origin = cut.text()?;
    Item::read(key, origin, cut.bytes()?).map(Some)
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
        let mut changes = Vec::new();
        self.each_change(revision, |entry| {
            changes.push(entry.change()?);
            Ok(())
        })?;
        Ok(changes)
    }

    /// One by one: there may be millions. If the revision is not whole, that is known after the last.
    fn each_change(&self, revision: u64, take: impl FnMut(Entry) -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.read_changes(revision, take).map_err(|error| error.within(&text!("revision {}", revision)))
    }

    fn read_changes(&self, revision: u64, mut take: impl FnMut(Entry) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let audit = self.audit(revision)?;
        if audit.as_ref().is_some_and(|audit| audit.changes_lost) {
            return Err(lost(revision));
        }
        let table = self.0.open_table(CHANGES)?;
        let begin = revision.to_be_bytes();
        let mut found = 0;
        for entry in table.range::<&[u8]>(begin.as_slice()..)? {
            let (at, row) = entry?;
            if !at.value().starts_with(&begin) {
                break;
            }
            found += 1;
            take(Entry::read(row.value())?)?;
        }
        let expected = audit.as_ref().map_or(0, made);
        if found != expected {
            return Err(StoreError::Broken(text!("{} changes are recorded, {} were made", found, expected)));
        }
        Ok(())
    }

    /// The changes that turn the estate of revision `a` into that of revision `b`, in the order of keys.
    pub(super) fn diff(&self, a: u64, b: u64) -> Result<Vec<Change>, StoreError> {
        let newest = self.revision()?;
        for asked in [a, b] {
            exists(asked, newest)?;
        }
        self.known(a.min(b), a.max(b))?;
        let mut net: BTreeMap<Key, Change> = BTreeMap::new();
        for revision in a.min(b).saturating_add(1)..=a.max(b) {
            self.each_change(revision, |entry| {
                let change = entry.change()?;
                match net.get_mut(&entry.key) {
                    Some(first) => first.after = change.after,
                    None => drop(net.insert(entry.key, change)),
                }
                Ok(())
            })?;
        }
        let changes = net.into_values().filter(|change| change.before != change.after);
        Ok(if a <= b {
            changes.collect()
        } else {
            changes.map(|change| Change { before: change.after, after: change.before, ..change }).collect()
        })
    }

    /// Whether what was declared at each of these revisions is known, without the last one: only then do the changes lead from one
    /// to the next.
    fn known(&self, from: u64, end: u64) -> Result<(), StoreError> {
        for revision in from.max(1)..end {
            if self.audit(revision)?.is_some_and(|audit| audit.estate_lost) {
                return Err(lost(revision));
            }
        }
        Ok(())
    }

    /// The estate at a revision: later changes are undone, the newest first. Without a revision, what there is now.
    pub(super) fn records(&self, as_of: Option<u64>) -> Result<Records, StoreError> {
        let newest = self.revision()?;
        let revision = as_of.unwrap_or(newest);
        exists(revision, newest)?;
        if as_of.is_none() {
            return self.newest(revision);
        }
        match self.undone(revision, newest) {
            // A revision in between is not whole. Those before may be, and lead there from the empty estate.
            Err(error @ (StoreError::Broken(_) | StoreError::Refused(_))) => self.replayed(revision).map_err(|_| error),
            undone => undone,
        }
    }

    fn undone(&self, revision: u64, newest: u64) -> Result<Records, StoreError> {
        self.known(revision, newest.saturating_add(1))?;
        if revision == newest {
            return self.newest(revision);
        }
        let mut items = BTreeMap::new();
        let present = self.present(|item| drop(items.insert(item.key(), item)));
        present.map_err(|error| error.within(&text!("the estate as it is")))?;
        for later in (revision.saturating_add(1)..=newest).rev() {
            self.each_change(later, |entry| {
                set(&mut items, entry.key, entry.before);
                Ok(())
            })?;
        }
        Ok(records(revision, items))
    }

    fn replayed(&self, revision: u64) -> Result<Records, StoreError> {
        self.known(1, revision)?;
        let mut items = BTreeMap::new();
        for earlier in 1..=revision {
            self.each_change(earlier, |entry| {
                set(&mut items, entry.key, entry.after);
                Ok(())
            })?;
        }
        Ok(records(revision, items))
    }

    /// The current estate, straight into its lists: nothing is undone, so no lookup by key is needed.
    fn newest(&self, revision: u64) -> Result<Records, StoreError> {
        let mut records = Records { revision, ..Records::default() };
        self.present(|item| records.push(item)).map_err(|error| error.within(&text!("the estate as it is")))?;
        records.sort();
        Ok(records.without_loose_ends())
    }

    /// The items as they are.
    fn present(&self, mut take: impl FnMut(Item)) -> Result<(), StoreError> {
        each_item(self.0, |layers| merge(layers).into_iter().for_each(&mut take))
    }
}

/// How many changes a revision made.
pub(super) fn made(audit: &Audit) -> usize {
    audit.added + audit.changed + audit.removed
}

fn lost(revision: u64) -> StoreError {
    StoreError::Refused(text!(
        "revision {} is not whole: a part of it was lost before the store was salvaged (`faultscope estate log` marks such revisions)",
        revision
    ))
}

fn set(items: &mut BTreeMap<Key, Item>, key: Key, item: Option<Item>) {
    match item {
        Some(item) => drop(items.insert(key, item)),
        None => drop(items.remove(&key)),
    }
}

fn records(revision: u64, items: BTreeMap<Key, Item>) -> Records {
    let mut records = Records { revision, ..Records::default() };
    items.into_values().for_each(|item| records.push(item));
    records.sort();
    records.without_loose_ends()
}

fn exists(asked: u64, newest: u64) -> Result<(), StoreError> {
    if asked <= newest {
        return Ok(());
    }
    Err(StoreError::Refused(text!("no revision `{}`: the newest is {}", asked, newest)))
}
