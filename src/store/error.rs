//! What can go wrong with a store.

/// Why a store could not be opened, read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The file is something else. It was not touched.
    #[error("`{path}` is not an estate store: name another file (this one was not modified)")]
    NotAStore { path: String },
    /// There is a folder, a named pipe, a device or a socket. It was not touched.
    #[error("cannot open the store `{path}`: {what}")]
    NotAFile { path: String, what: String },
    /// A newer program made the file. It was not touched.
    #[error("the store has format {found}, newer than the supported format {known}: use a newer faultscope (the file was not modified)")]
    Newer { found: u32, known: u32 },
    /// The contents contradict themselves, or part is missing.
    #[error("the store is damaged: {0}; restore it from a backup, or move it away and run `faultscope estate apply` again")]
    Broken(String),
    /// One process at a time may have the file open.
    #[error("the store is in use by another process: stop that process, or query it instead")]
    Busy,
    /// The system refused.
    #[error("cannot access the store: {0}")]
    Io(String),
    /// An invalid change.
    #[error("{0}")]
    Refused(String),
}

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => StoreError::Busy,
            redb::Error::Corrupted(what) => StoreError::Broken(lower(&what)),
            redb::Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                StoreError::Broken("the file is truncated".to_owned())
            }
            redb::Error::Io(error) => StoreError::Io(lower(&error.to_string())),
            redb::Error::PreviousIo => StoreError::Io("an earlier write failed: reopen the store".to_owned()),
            // The rest concerns tables of other types, or was added to redb later.
            other => StoreError::Broken(lower(&other.to_string())),
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

from_redb!(CommitError, SetDurabilityError, StorageError, TableError, TransactionError);

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        StoreError::Broken(format!("cannot read an entry: {error}"))
    }
}
