//! Access to the estate on disk, shared by several commands: which file, which revision, and `--as-of` instead of the topology.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use diag::{Code, Text, text};

use super::output::Failure;
use estate::Snapshot;
use project::{DEFAULT_STORE, Project, left_out, recorded};
use store::{Store, StoreError};
use value::Time;

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

/// An estate from the store.
pub(super) struct Then {
    pub estate: Snapshot,
    /// Warnings: which estate it is, and which parts of it the current model does not know.
    pub words: Vec<Text>,
}

/// `None` without `--as-of`: then the project's own estate is used.
pub(super) fn estate_at(project: &Project, args: &AsOfArgs) -> Result<Option<Then>, Failure> {
    let Some(asked) = &args.as_of else { return Ok(None) };
    let path = args.store.clone().unwrap_or_else(|| project.root.join(DEFAULT_STORE));
    let store = open_existing(&path)?;
    let revision = revision_of(&store, asked)?;
    if revision == 0 {
        // With an empty estate, the answer would be that nothing depends on anything.
        return Err(
            Failure::new(Code::USAGE, text!("the store had no estate at `{}`", asked)).help("`faultscope estate log` lists its revisions")
        );
    }
    let records = store.records(Some(revision))?;
    let (estate, complaints) = recorded(project.estate.model(), records);
    let mut words =
        vec![text!("using the estate of revision {} ({} components) instead of the project's topology", revision, estate.len())];
    words.extend(left_out(&complaints));
    Ok(Some(Then { estate, words }))
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let failure = |code| Failure::new(code, error.text());
        if matches!(error, StoreError::NotAFile { .. }) {
            failure(Code::UNREADABLE).help("name a file with `--store FILE`")
        } else {
            failure(Code::USAGE)
        }
    }
}

/// Number of attempts to open a store that another process has open, and the wait between them. Commands hold it only briefly.
const TRIES: u32 = 30;
const WAIT: std::time::Duration = std::time::Duration::from_millis(100);

/// Opens or creates a store; waits while another process has it open.
pub(super) fn open(path: &Path) -> Result<Store, Failure> {
    patiently(|| Store::open(path))
}

/// Opens a store to read; waits while another process writes to it.
pub(super) fn open_to_read(path: &Path) -> Result<Store, Failure> {
    patiently(|| Store::open_to_read(path))
}

fn patiently(open: impl Fn() -> Result<Store, StoreError>) -> Result<Store, Failure> {
    for _ in 1..TRIES {
        match open() {
            Err(StoreError::Busy) => std::thread::sleep(WAIT),
            other => return Ok(other?),
        }
    }
    Ok(open()?)
}

/// A command that only reads does not create a store.
pub(super) fn open_existing(path: &Path) -> Result<Store, Failure> {
    must_exist(path)?;
    open_to_read(path)
}

pub(super) fn must_exist(path: &Path) -> Result<(), Failure> {
    // What is there and is not a file is refused when it is opened.
    if is_missing(path) {
        return Err(Failure::new(Code::USAGE, text!("there is no store `{}`", path.display()))
            .help("`faultscope estate apply DIR` creates one; `--store FILE` names another"));
    }
    Ok(())
}

/// An empty file counts as missing, too: there is nothing in it to read.
pub(super) fn is_missing(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |found| found.is_file() && found.len() == 0)
}

/// The revision that a number or a time refers to.
pub(super) fn revision_of(store: &Store, text: &str) -> Result<u64, Failure> {
    if let Ok(revision) = text.parse::<u64>() {
        return Ok(revision);
    }
    let time = Time::parse(text).ok_or_else(|| {
        Failure::new(Code::USAGE, text!("invalid revision or time `{}`", text))
            .help("use a number like `7`, or a time with its zone, like `2025-06-01T10:00:00Z` or `2025-06-01T18:00:00+08:00`")
    })?;
    Ok(store.revision_at(time.0)?)
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
