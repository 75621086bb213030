//! Which parts of a store are whole.

use std::path::Path;

use diag::Text;
use serde::Serialize;

use super::StoreError;
use super::damaged::{Journal, Keep, Reader};
use super::open::open_to_read;
use super::tables::{Definition, LAYERS, open_part, parts};

/// What a check of every part of a store found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The newest revision.
    pub revisions: u64,
    /// Revisions of which something is missing or damaged.
    pub lost_revisions: Vec<u64>,
    pub parts: Vec<Part>,
    /// Whether [`salvage`](super::salvage) finds anything to copy.
    pub can_be_saved: bool,
}

/// One part of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    pub name: String,
    /// How many entries it has, if it can be read.
    pub entries: Option<u64>,
    pub damage: Option<String>,
}

impl Health {
    pub fn is_whole(&self) -> bool {
        self.lost_revisions.is_empty() && self.parts.iter().all(|part| part.damage.is_none())
    }
}

/// Reads everything in a store, as far as there is anything to read.
pub fn check(path: &Path) -> Result<Health, StoreError> {
    let whole = open_to_read(path, true).map(drop);
    if let Err(error @ (StoreError::NotAStore { .. } | StoreError::Newer { .. } | StoreError::Busy)) = whole {
        return Err(error);
    }
    let mut reader = match Reader::open(path) {
        Ok(reader) => reader,
        Err(StoreError::Broken(what)) => return Ok(lost(&what)),
        Err(error) => return Err(error),
    };
    // If it cannot be read at all, its parts say so.
    let journal = Journal::read(&mut reader, Keep::Keys).ok();
    let can_be_saved =
        journal.as_ref().is_some_and(|journal| !journal.is_lost()) || !reader.rows(LAYERS, Keep::Keys, std::iter::empty()).is_empty();
    let (newest, lost) = journal.map_or((0, Vec::new()), |journal| (journal.newest, journal.not_whole()));
    let mut found = Vec::new();
    for (table, name) in parts() {
        found.push(part(name.to_string(), entries(&mut reader, table)));
    }
    // What the database keeps for itself, like the list of free pages. The rest it only repeats.
    if found.iter().all(|part| part.damage.is_none()) {
        found.push(part("the tables of the database".to_owned(), whole.map(|()| None)));
    }
    Ok(Health { revisions: newest, lost_revisions: lost, parts: found, can_be_saved })
}

/// Of a store that not even its head can be read of.
fn lost(what: &Text) -> Health {
    let parts = parts().into_iter().map(|(_, name)| part(name.to_string(), Err(StoreError::Broken(what.clone()))));
    Health { revisions: 0, lost_revisions: Vec::new(), parts: parts.collect(), can_be_saved: false }
}

fn part(name: String, read: Result<Option<u64>, StoreError>) -> Part {
    match read {
        Ok(entries) => Part { name, entries, damage: None },
        // Without the advice to run this check.
        Err(StoreError::Broken(what)) => Part { name, entries: None, damage: Some(what.to_string()) },
        Err(error) => Part { name, entries: None, damage: Some(error.to_string()) },
    }
}

fn entries(reader: &mut Reader, table: Definition) -> Result<Option<u64>, StoreError> {
    reader.ask(|view| {
        let Some(table) = open_part(view, table)? else { return Ok(Some(0)) };
        let mut count = 0;
        for entry in table.range::<&[u8]>(..)? {
            entry?;
            count += 1;
        }
        Ok(Some(count))
    })
}
