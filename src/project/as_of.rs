//! The estate on disk, to be read: the store of a project, and the estate as it was at a revision or a time.

use std::path::Path;

use diag::{Code, Diagnostic, Text, text};
use estate::Snapshot;
use store::{Store, StoreError};
use value::Time;

use super::{Project, left_out, recorded};

/// Relative to the project folder.
pub const DEFAULT_STORE: &str = ".faultscope/estate.redb";

/// An estate from the store.
#[derive(Debug)]
pub struct Then {
    pub estate: Snapshot,
    pub revision: u64,
    /// Warnings: which estate it is, and which parts of it the current model does not know.
    pub words: Vec<Text>,
}

/// The estate at a revision or a time, under the model of the project.
///
/// # Errors
/// `UNREADABLE`, `USAGE`: no store, a store that cannot be read, or nothing in it at that time.
pub fn estate_at(project: &Project, path: &Path, asked: &str) -> Result<Then, Box<Diagnostic>> {
    let store = open_existing(path)?;
    let revision = revision_of(&store, asked)?;
    if revision == 0 {
        // With an empty estate, the answer would be that nothing depends on anything.
        let found = Diagnostic::nowhere(Code::USAGE, text!("the store had no estate at `{}`", asked));
        return Err(Box::new(found.help("`faultscope estate log` lists its revisions")));
    }
    let records = store.records(Some(revision)).map_err(|error| unusable(&error))?;
    let (estate, complaints) = recorded(project.estate.model(), records);
    let mut words =
        vec![text!("using the estate of revision {} ({} components) instead of the project's topology", revision, estate.len())];
    words.extend(left_out(&complaints));
    Ok(Then { estate, revision, words })
}

/// A store that could not be used, as whoever asked for it is told.
pub fn unusable(error: &StoreError) -> Box<Diagnostic> {
    let found = |code| Diagnostic::nowhere(code, error.text());
    Box::new(match error {
        StoreError::NotAFile { .. } => found(Code::UNREADABLE).help("name a file with `--store FILE`"),
        StoreError::NotAStore { .. }
        | StoreError::Newer { .. }
        | StoreError::Older { .. }
        | StoreError::Broken(_)
        | StoreError::Damaged { .. }
        | StoreError::Lost { .. }
        | StoreError::Busy
        | StoreError::Io(_)
        | StoreError::Refused(_) => found(Code::USAGE),
    })
}

/// Number of attempts to open a store that another process has open, and the wait between them. Commands hold it only briefly.
const TRIES: u32 = 30;
const WAIT: std::time::Duration = std::time::Duration::from_millis(100);

/// Opens a store; waits while another process has it open.
///
/// # Errors
/// Those of [`unusable`].
pub fn patiently(open: impl Fn() -> Result<Store, StoreError>) -> Result<Store, Box<Diagnostic>> {
    for _ in 1..TRIES {
        match open() {
            Err(StoreError::Busy) => std::thread::sleep(WAIT),
            other => return other.map_err(|error| unusable(&error)),
        }
    }
    open().map_err(|error| unusable(&error))
}

/// Opens a store that there is, to read.
///
/// # Errors
/// `USAGE`: there is none. Those of [`unusable`].
pub fn open_existing(path: &Path) -> Result<Store, Box<Diagnostic>> {
    must_exist(path)?;
    patiently(|| Store::open_to_read(path))
}

/// # Errors
/// `USAGE`: there is no store.
pub fn must_exist(path: &Path) -> Result<(), Box<Diagnostic>> {
    // What is there and is not a file is refused when it is opened.
    if is_missing(path) {
        let found = Diagnostic::nowhere(Code::USAGE, text!("there is no store `{}`", path.display()));
        return Err(Box::new(found.help("`faultscope estate apply DIR` creates one; `--store FILE` names another")));
    }
    Ok(())
}

/// An empty file counts as missing, too: there is nothing in it to read.
pub fn is_missing(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |found| found.is_file() && found.len() == 0)
}

/// The revision that a number or a time refers to.
///
/// # Errors
/// `USAGE`: it is neither. Those of [`unusable`].
pub fn revision_of(store: &Store, text: &str) -> Result<u64, Box<Diagnostic>> {
    if let Ok(revision) = text.parse::<u64>() {
        return Ok(revision);
    }
    let time = Time::parse(text).ok_or_else(|| {
        Box::new(
            Diagnostic::nowhere(Code::USAGE, text!("invalid revision or time `{}`", text))
                .help("use a number like `7`, or a time with its zone, like `2025-06-01T10:00:00Z` or `2025-06-01T18:00:00+08:00`"),
        )
    })?;
    store.revision_at(time.0).map_err(|error| unusable(&error))
}
