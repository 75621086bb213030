//! What can go wrong with a store.

use std::fmt;
use std::path::Path;

use diag::{Text, text};

use super::blocks::damaged_block;

/// Why a store could not be opened, read or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// The file is something else. It was not touched.
    NotAStore { path: String },
    /// There is a folder, a named pipe, a device or a socket. It was not touched.
    NotAFile { path: String, what: Text },
    /// A newer program made the file. It was not touched.
    Newer { found: u32, known: u32 },
    /// An older program made the file: it can be read, not written. It was not touched.
    Older { path: String },
    /// The contents contradict themselves, or part is missing.
    Broken(Text),
    /// The same, of a file that is known.
    Damaged { path: String, what: Text },
    /// The same, and nothing can be read of it any more.
    Lost { path: String, what: Text },
    /// One process at a time may have the file open.
    Busy,
    /// The system refused.
    Io(Text),
    /// An invalid change.
    Refused(Text),
}

impl StoreError {
    /// In words, for people.
    pub fn text(&self) -> Text {
        match self {
            StoreError::NotAStore { path } => text!("`{}` is not an estate store: name another file (this one was not modified)", path),
            StoreError::NotAFile { path, what } => text!("cannot open the store `{}`: {}", path, what),
            StoreError::Newer { found, known } => text!(
                "the store has format {}, newer than the supported format {}: use a newer faultscope (the file was not modified)",
                found,
                known
            ),
            StoreError::Older { path } => text!(
                "`{}` was written by an older faultscope and can only be read: `faultscope estate salvage --store {} --to NEW` renews it",
                path,
                shell_word(path)
            ),
            StoreError::Broken(what) => text!("the store is damaged: {}", what),
            StoreError::Damaged { path, what } => text!(
                "the store is damaged: {}; `faultscope estate check --store {}` lists what is whole, `faultscope estate salvage --store {} --to NEW` copies that",
                what,
                shell_word(path),
                shell_word(path)
            ),
            StoreError::Lost { path, what } => text!(
                "nothing can be saved of the store `{}`: {}; its history is lost, unless there is a copy. What it declared comes back from its sources, into a new store: `faultscope estate apply DIR --store NEW`, then each import with `--store NEW`",
                path,
                what
            ),
            StoreError::Busy => text!("the store is in use by another process: stop that process, or query it instead"),
            StoreError::Io(what) => text!("cannot access the store: {}", what),
            StoreError::Refused(why) => why.clone(),
        }
    }
}

impl StoreError {
    pub(super) fn read_only() -> Self {
        StoreError::Refused(text!("the store was opened to read only"))
    }

    pub(super) fn truncated() -> Self {
        StoreError::Broken(text!("the file is truncated"))
    }

    /// Says which file is damaged: what can be done about it is said for that.
    #[must_use]
    pub fn at(self, path: &Path) -> Self {
        match self {
            StoreError::Broken(what) => StoreError::Damaged { path: path.display().to_string(), what },
            other => other,
        }
    }

    /// Says which part of the store is damaged.
    pub(super) fn within(self, part: &Text) -> Self {
        match self {
            StoreError::Broken(what) => StoreError::Broken(text!("{}: {}", part, what)),
            other => other,
        }
    }
}

/// A path as a word of a command line, to be copied.
pub fn shell_word(path: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@%,".contains(c);
    if !path.is_empty() && path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.text(), f)
    }
}

impl std::error::Error for StoreError {}

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => StoreError::Busy,
            redb::Error::Corrupted(what) => StoreError::Broken(lower(&what).into()),
            redb::Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => StoreError::truncated(),
            redb::Error::Io(error) if damaged_block(&error).is_some() => {
                StoreError::Broken(text!("block {} does not match its checksum", damaged_block(&error).unwrap_or_default()))
            }
            redb::Error::Io(error) => StoreError::Io(lower(&error.to_string()).into()),
            redb::Error::PreviousIo => StoreError::Io(text!("an earlier write failed: reopen the store")),
            // The rest concerns tables of other types, or was added to redb later.
            other => StoreError::Broken(lower(&other.to_string()).into()),
        }
    }
}

/// Messages of libraries begin with a capital letter.
fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

macro_rules! from_redb {
    ($($kind:ident),*) => {
        $(impl From<redb::$kind> for StoreError {
            fn from(error: redb::$kind) -> Self {
                redb::Error::from(error).into()
            }
        })*
    };
}

from_redb!(CommitError, CursorError, SetDurabilityError, StorageError, TableError, TransactionError);

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        StoreError::Broken(text!("cannot read an entry: {}", error))
    }
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn paths_can_be_copied_into_a_command() {
        for (path, word) in [("a/b.redb", "a/b.redb"), ("a b", "'a b'"), ("拓扑.redb", "拓扑.redb"), ("it's", r"'it'\''s'"), ("", "''")]
        {
            assert_eq!(shell_word(path), word);
        }
    }
}
