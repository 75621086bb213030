//! Access to the estate on disk, shared by several commands: which file, which revision, and `--as-of` instead of the topology.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::context::{TimeArgs, load_quietly, top_of};
use super::output::{Failure, warn};
use diag::{Text, text};
use estate::Snapshot;
use project::{Bundle, DEFAULT_STORE, Project, Then, is_missing, load_bundle_against, patiently, unusable};
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

/// The estate that a command reads: that of the project, or one of the store. What is to be said of it goes to standard error.
pub(super) fn estate_of(project: &Project, args: &AsOfArgs) -> Result<Arc<Snapshot>, Failure> {
    match estate_at(project, args)? {
        Some(Then { estate, words, .. }) => {
            words.into_iter().for_each(warn);
            Ok(Arc::new(estate))
        }
        None => {
            beside(project, &project.estate).into_iter().for_each(warn);
            Ok(Arc::clone(&project.estate))
        }
    }
}

/// A bundle against the estate that it would have without `--as-of`, or one of the store.
pub(super) fn bundle_at<'p>(project: &'p Project, dir: &Path, time: &TimeArgs, args: &AsOfArgs) -> Result<Bundle<'p>, Failure> {
    if let Some(Then { estate, words, .. }) = estate_at(project, args)? {
        return Ok(load_bundle_against(project, dir, &top_of(project, dir), time.options(), estate, words)?);
    }
    let mut bundle = load_quietly(project, dir, time)?;
    let hint = beside(project, bundle.estate());
    bundle.warnings.extend(hint);
    Ok(bundle)
}

/// An estate without components may be a forgotten `--as-of`: says so if the store of the project has any.
fn beside(project: &Project, estate: &Snapshot) -> Option<Text> {
    let path = project.root.join(DEFAULT_STORE);
    if !estate.is_empty() || is_missing(&path) {
        return None;
    }
    // One that cannot be read is no help here.
    let revision = Store::open_to_read(&path).and_then(|store| store.revision()).ok().filter(|revision| *revision > 0)?;
    Some(text!("the topology has no component, but `{}` has an estate: `--as-of {}` uses it", path.display(), revision))
}

/// `None` without `--as-of`: then the project's own estate is used.
fn estate_at(project: &Project, args: &AsOfArgs) -> Result<Option<Then>, Failure> {
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
