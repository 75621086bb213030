//! Reading a store of which parts are damaged, around the damage.

use std::path::{Path, PathBuf};

use redb::{Database, ReadOnlyDatabase, ReadTransaction, ReadableDatabase, ReadableTableMetadata};

use super::StoreError;
use super::history::{Audit, change_key, made};
use super::open::{caught, open_damaged, open_to_read};
use super::tables::{AUDIT, CHANGES, Cut, Definition, Row};

/// So many keys in a row that cannot be read are more than a page holds: the table is damaged above its pages of rows.
const GIVE_UP: usize = 10_000;

/// After an error of the disk, a database answers nothing more; the next question then needs a new one.
pub(super) struct Reader {
    path: PathBuf,
    db: Open,
}

enum Open {
    Checked(ReadOnlyDatabase),
    /// From before there were checksums. It was verified when it was opened.
    Plain(Database),
}

fn open(path: &Path) -> Result<Open, StoreError> {
    Ok(match caught(|| open_damaged(path))? {
        Some(db) => Open::Checked(db),
        None => Open::Plain(open_to_read(path, true)?.0),
    })
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { path: path.to_path_buf(), db: open(path)? })
    }

    pub(super) fn ask<T>(&mut self, work: impl FnOnce(&ReadTransaction) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let view = match &self.db {
            Open::Checked(db) => db.begin_read(),
            Open::Plain(db) => db.begin_read(),
        };
        let answer = view.map_err(StoreError::from).and_then(|view| caught(|| work(&view)));
        if answer.is_err() {
            self.db = open(&self.path)?;
        }
        answer
    }

    /// How many rows the table had, whether they can be read or not.
    pub(super) fn count(&mut self, table: Definition) -> Result<u64, StoreError> {
        self.ask(|view| Ok(view.open_table(table)?.len()?))
    }

    /// Everything from a key on, up to the first damage.
    fn read_on(&mut self, table: Definition, from: &[u8], keep: Keep, rows: &mut Vec<Row>) -> Result<(), StoreError> {
        self.ask(|view| {
            let table = view.open_table(table)?;
            for entry in table.range::<&[u8]>(from..)? {
                let (key, value) = entry?;
                let value = if keep == Keep::Rows { value.value().to_vec() } else { Vec::new() };
                rows.push((key.value().to_vec(), value));
            }
            Ok(())
        })
    }

    /// The rows that can be read. Where one cannot, reading goes on at the next key that may be there; `keys` are in order.
    pub(super) fn rows(&mut self, table: Definition, keep: Keep, keys: impl Iterator<Item = Vec<u8>>) -> Vec<Row> {
        let mut rows = Vec::new();
        if self.read_on(table, &[], keep, &mut rows).is_ok() {
            return rows;
        }
        let mut failed = 0;
        for key in keys {
            if rows.last().is_some_and(|(last, _)| *last >= key) {
                continue;
            }
            let before = rows.len();
            if self.read_on(table, &key, keep, &mut rows).is_ok() {
                break;
            }
            failed = if rows.len() > before { 0 } else { failed + 1 };
            if failed > GIVE_UP {
                break;
            }
        }
        rows
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Rows,
    Keys,
}

/// The journal, as far as it can be read.
pub(super) struct Journal {
    pub audits: Vec<Audit>,
    pub changes: Vec<Row>,
    pub newest: u64,
    /// Whether that is certain: of a table that cannot be opened, the end may be missing.
    pub is_counted: bool,
    /// Revisions of which a part is missing.
    pub lost: Vec<u64>,
}

impl Journal {
    /// In place of one that cannot be read: whatever the declarations say was changed once.
    pub(super) fn unknown() -> Self {
        Journal { audits: Vec::new(), changes: Vec::new(), newest: 1, is_counted: false, lost: vec![1] }
    }

    /// Whether it had revisions, and nothing of them can be read.
    pub(super) fn is_lost(&self) -> bool {
        self.newest > 0 && self.audits.is_empty() && self.changes.is_empty()
    }

    /// An error if nothing of it can be read.
    pub(super) fn read(reader: &mut Reader, keep: Keep) -> Result<Self, StoreError> {
        let counted = reader.count(AUDIT);
        // Revisions have no gaps, so the count tells the last one even if its row is damaged.
        let last = counted.as_ref().copied().unwrap_or(0);
        let audits = reader.rows(AUDIT, Keep::Rows, (1..=last).map(|revision| revision.to_be_bytes().to_vec()));
        let audits: Vec<Audit> = audits.iter().filter_map(|(_, value)| serde_json::from_slice(value).ok()).collect();
        let expected = |audit: &Audit| u32::try_from(made(audit)).unwrap_or(u32::MAX);
        let keys = audits.iter().flat_map(|audit| (0..expected(audit)).map(move |number| change_key(audit.revision, number)));
        let changes = reader.rows(CHANGES, keep, keys);
        let seen = [audits.last().map(|audit| audit.revision), changes.last().and_then(|(key, _)| revision_of(key))];
        let newest = seen.into_iter().flatten().fold(last, u64::max);
        let is_counted = counted.is_ok();
        if newest == 0 {
            counted?;
        }
        let mut journal = Journal { audits, changes, newest, is_counted, lost: Vec::new() };
        journal.lost = (1..=newest).filter(|revision| !journal.is_whole(*revision)).collect();
        Ok(journal)
    }

    pub(super) fn audit(&self, revision: u64) -> Option<&Audit> {
        let at = self.audits.binary_search_by_key(&revision, |audit| audit.revision).ok()?;
        self.audits.get(at)
    }

    /// How many changes of a revision can be read.
    pub(super) fn found(&self, revision: u64) -> usize {
        let start = self.changes.partition_point(|(key, _)| revision_of(key) < Some(revision));
        let end = self.changes.partition_point(|(key, _)| revision_of(key) <= Some(revision));
        end.saturating_sub(start)
    }

    /// All of which a part is missing, here or in a store that this one was salvaged from.
    pub(super) fn not_whole(&self) -> Vec<u64> {
        let whole = |revision: &u64| self.lost.binary_search(revision).is_err() && self.audit(*revision).is_some_and(Audit::is_whole);
        (1..=self.newest).filter(|revision| !whole(revision)).collect()
    }

    fn is_whole(&self, revision: u64) -> bool {
        self.audit(revision).is_some_and(|audit| made(audit) == self.found(revision))
    }
}

/// The revision in the key of a change.
pub(super) fn revision_of(key: &[u8]) -> Option<u64> {
    let bytes = Cut(key).take(8).ok()?;
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}
