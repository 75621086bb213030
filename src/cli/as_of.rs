//! Access to the estate on disk, shared by several commands: which file, which revision, and `--as-of` instead of the topology.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::output::Failure;
use project::{DEFAULT_STORE, Project, Then, patiently, unusable};
use store::{Store, StoreError};

/// The estate as it was, for commands that otherwise read the project's topology.
#[derive(Debug, clap::Args)]
pub struct AsOfArgs {
    /// Use the estate on disk as of a revision, or of a time like `2025-06-01T10:00:00Z`, instead of the topology
    #[arg(long, value_name = "REV|TIME")]
    as_of: Option<String>,
    /// Store file [default: `.faultscope/estate.redb` in the project]
    #[arg(long, value_name = "FILE", requires = "as_of")]
    store: Option<PathBuf>,
}

/// `None` without `--as-of`: then the project's own estate is used.
pub(super) fn estate_at(project: &Project, args: &AsOfArgs) -> Result<Option<Then>, Failure> {
    let Some(asked) = &args.as_of else { return Ok(None) };
    let path = args.store.clone().unwrap_or_else(|| project.root.join(DEFAULT_STORE));
    Ok(Some(project::estate_at(project, &path, asked)?))
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::Wrong(unusable(&error))
    }
}

/// Opens or creates a store; waits while another process has it open.
pub(super) fn open(path: &Path) -> Result<Store, Failure> {
    Ok(patiently(|| Store::open(path))?)
}

/// Opens a store to read; waits while another process writes to it.
pub(super) fn open_to_read(path: &Path) -> Result<Store, Failure> {
    Ok(patiently(|| Store::open_to_read(path))?)
}

/// The author of a change to the store, unless `--who` names one.
pub(super) fn user() -> String {
    ["USER", "LOGNAME", "USERNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok())
        .filter(|name| !name.is_empty())
        .unwrap_or("unknown".to_owned())
}

pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
