//! A new store with all of a damaged one that is whole.
//!
//! The journal and the declarations of the origins are copied; the estate and its graph are made from them. An item whose
//! declarations cannot be read is taken from the journal, as it was after its last change.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use diag::text;
use serde::Serialize;

use super::damaged::{Journal, Keep, Reader, revision_of};
use super::estate::Estate;
use super::history::{Audit, Entry, is_old};
use super::layers::{layer_key, split};
use super::records::Key;
use super::tables::{LAYERS, Row, write_to};
use super::{Store, StoreError};

/// What was saved of a damaged store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Salvage {
    /// Revisions that are whole.
    pub revisions: u64,
    /// Revisions of which something is missing.
    pub lost_revisions: Vec<u64>,
    /// What origins declare of items, as it was.
    pub declarations: usize,
    /// Items from the journal, because their declarations cannot be read.
    pub restored: usize,
    /// Declarations that are gone; `None` if not even their number can be read.
    pub lost_declarations: Option<usize>,
}

impl Salvage {
    pub fn is_all(&self) -> bool {
        self.lost_revisions.is_empty() && self.restored == 0 && self.lost_declarations == Some(0)
    }
}

/// Copies what is whole into a new store, of the newest format. The old one is not modified. If there is nothing to copy, that is an
/// error, and there is no new store.
pub fn salvage(from: &Path, to: &Path) -> Result<Salvage, StoreError> {
    copy(from, to).map_err(|error| match error {
        StoreError::Broken(what) => StoreError::Lost { path: from.display().to_string(), what },
        other => other,
    })
}

fn copy(from: &Path, to: &Path) -> Result<Salvage, StoreError> {
    if to.symlink_metadata().is_ok() {
        return Err(StoreError::Refused(text!("`{}` exists and was not overwritten", to.display())));
    }
    let mut reader = Reader::open(from)?;
    let journal = Journal::read(&mut reader, Keep::Rows).unwrap_or_else(|_| Journal::unknown());
    let counted = reader.count(LAYERS);
    let present = present(&journal);
    // The key of an item is the beginning of the keys of its declarations.
    let mut keys: Vec<Vec<u8>> = present.keys().map(Key::bytes).collect();
    keys.sort_unstable();
    let mut layers = reader.rows(LAYERS, Keep::Rows, keys.into_iter());
    let declarations = layers.len();
    let all = counted.as_ref().ok().and_then(|counted| usize::try_from(*counted).ok());
    let restored = if all == Some(declarations) { Vec::new() } else { missing(&layers, &journal, present)? };
    let rows = declarations + restored.len();
    if rows == 0 && journal.is_lost() {
        counted?;
        return Err(StoreError::Broken(text!("neither a revision nor a declaration can be read")));
    }
    let saved = Salvage {
        revisions: journal.newest.saturating_sub(u64::try_from(journal.lost.len()).unwrap_or(u64::MAX)),
        lost_revisions: journal.lost.clone(),
        declarations,
        restored: restored.len(),
        lost_declarations: all.map(|all| all.saturating_sub(rows)),
    };
    layers.extend(restored);
    layers.sort_unstable();
    let all_declared = journal.is_counted && saved.lost_declarations == Some(0);
    write(to, journal, &layers, all_declared)?;
    Ok(saved)
}

/// The last change of each item, and its revision.
fn present(journal: &Journal) -> BTreeMap<Key, (u64, Entry)> {
    let mut last = BTreeMap::new();
    for (key, row) in &journal.changes {
        if let (Some(revision), Ok(entry)) = (revision_of(key), Entry::read(row)) {
            last.insert(entry.key.clone(), (revision, entry));
        }
    }
    last
}

/// The items of the journal that have no declaration. What a lost revision may have changed since is not among them.
fn missing(layers: &[Row], journal: &Journal, present: BTreeMap<Key, (u64, Entry)>) -> Result<Vec<Row>, StoreError> {
    let there = layers.iter().map(|(at, _)| Ok(split(at)?.0)).collect::<Result<BTreeSet<&[u8]>, StoreError>>()?;
    let known_since = journal.lost.last().copied().unwrap_or(0);
    let mut missing = Vec::new();
    for (key, (revision, entry)) in present {
        let bytes = key.bytes();
        let Some(after) = entry.after.filter(|_| revision > known_since && !there.contains(bytes.as_slice())) else { continue };
        missing.push((layer_key(&bytes, after.origin()), after.value()?));
    }
    Ok(missing)
}

/// What was lost is marked in the journal: it must not be taken for history, however much comes after it.
fn write(to: &Path, mut journal: Journal, layers: &[Row], all_declared: bool) -> Result<(), StoreError> {
    let audit = |revision| {
        let mut audit = journal.audit(revision).cloned().unwrap_or_else(|| lost(&journal, revision));
        audit.changes_lost |= journal.lost.binary_search(&revision).is_ok();
        audit.estate_lost |= revision == journal.newest && !all_declared;
        audit
    };
    let audits: Vec<Audit> = (1..=journal.newest).map(audit).collect();
    for (_, row) in &mut journal.changes {
        // What cannot be read stays as it is.
        if is_old(row)
            && let Ok(new) = Entry::read(row).and_then(|entry| entry.bytes())
        {
            *row = new;
        }
    }
    let store = Store::open(to)?;
    let transaction = write_to(&store.db)?;
    Estate::open(&transaction)?.take_over(&audits, &journal.changes, layers)?;
    transaction.commit()?;
    Ok(())
}

/// In place of an entry that cannot be read, so that the numbers of the others stay. It claims a change more than there is:
/// what it changed is not known, and so it is not whole.
fn lost(journal: &Journal, revision: u64) -> Audit {
    let before = journal.audits.iter().rev().find(|audit| audit.revision < revision);
    Audit {
        revision,
        who: "unknown".to_owned(),
        when_ms: before.map_or(0, |audit| audit.when_ms),
        why: "lost; this entry was made by `faultscope estate salvage`".to_owned(),
        origin: "unknown".to_owned(),
        added: 0,
        changed: journal.found(revision).saturating_add(1),
        removed: 0,
        changes_lost: true,
        // It may have been marked when this store was salvaged itself. Of the newest, the declarations tell.
        estate_lost: revision < journal.newest,
    }
}
