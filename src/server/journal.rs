//! The journal of received scores: `scores.ndjson` in the data folder, one score per line in the format of a bundle.
//!
//! A score is acknowledged only after it is in the file and synced to disk. If a crash leaves an incomplete line, which was never
//! acknowledged, the next start removes it. Acknowledged scores are not dropped before [`KEEP`] has passed: a full journal refuses new
//! ones instead.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use diag::{Code, Diagnostic, Text, text};
use estate::ComponentId;
use project::Project;
use signal::{Origin, ScoreFrame, score_of};
use value::{DAY, Duration, Time};

/// How long a score is kept after it was received: a week, in which people still investigate an incident.
pub const KEEP: Duration = 7 * DAY;

/// The largest journal, in bytes: some half a million scores. All of them are read at the start and kept in memory.
pub const MAX_JOURNAL: u64 = 64 << 20;

/// The name of the file in the data folder.
pub const FILE: &str = "scores.ndjson";

/// A score as received.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub received: Time,
    /// The time of the score itself.
    pub time: Time,
    /// In the topology that the server was started with.
    pub component: Option<ComponentId>,
    /// One line of JSON, without the newline.
    pub line: String,
}

/// Why a batch was refused. None of it is stored.
#[derive(Debug)]
pub enum Refused {
    /// It would grow beyond [`MAX_JOURNAL`].
    Full,
    /// It could not be written to disk.
    Broken(String),
}

#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    file: File,
    /// Locked as long as the journal is open: two servers would overwrite each other.
    _lock: File,
    /// In the order of arrival.
    kept: VecDeque<Kept>,
    /// The length of the file in bytes, up to the last acknowledged line.
    length: u64,
    /// The number of expired lines in the file.
    expired: usize,
    /// Why no more scores are accepted until the next start.
    broken: Option<String>,
}

impl Journal {
    /// Opens the journal in a folder, and creates both if necessary. `now` decides which scores have expired. Also returns a warning if
    /// an incomplete line was removed.
    ///
    /// # Errors
    /// `JOURNAL`: a folder that cannot be used, or is used by another server; a line that cannot be read.
    pub fn open(dir: &Path, project: &Project, now: Time) -> Result<(Journal, Option<String>), Box<Diagnostic>> {
        let path = dir.join(FILE);
        let failed = |error: &std::io::Error| wrong(text!("cannot use `{}`: {}", path.display(), error));
        std::fs::create_dir_all(dir).map_err(|error| failed(&error))?;
        let lock = lock(dir)?;
        let (file, mut bytes) = open(&path).map_err(|error| failed(&error))?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let torn = bytes.len() - whole;
        if torn > 0 {
            bytes.truncate(whole);
            let cut = file.set_len(u64::try_from(whole).unwrap_or(u64::MAX)).and_then(|()| file.sync_all());
            cut.map_err(|error| failed(&error))?;
        }
        files::sync_folder(dir).map_err(|error| failed(&error))?;
        let mut journal = Journal {
            dir: dir.to_path_buf(),
            file,
            _lock: lock,
            kept: read(&path, &bytes, project)?,
            length: u64::try_from(whole).unwrap_or(u64::MAX),
            expired: 0,
            broken: None,
        };
        journal.expire(now);
        if journal.expired > 0 {
            journal.compact().map_err(|error| failed(&error))?;
        }
        let words =
            || format!("`{}` ended with an incomplete line, as after a crash: removed {torn} bytes, never acknowledged", path.display());
        let said = (torn > 0).then(words);
        Ok((journal, said))
    }

    /// The number of scores.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The scores, in the order of arrival.
    pub fn kept(&self) -> impl DoubleEndedIterator<Item = &Kept> {
        self.kept.iter()
    }

    /// The scores after `since` up to `at`, in the format of a bundle file.
    pub fn between(&self, since: Time, at: Time) -> String {
        let inside = self.kept.iter().filter(|kept| kept.time > since && kept.time <= at);
        inside.flat_map(|kept| [kept.line.as_str(), "\n"]).collect()
    }

    /// Adds a batch as a whole or not at all. If this returns without an error, the batch is on disk.
    pub fn append(&mut self, batch: Vec<Kept>, now: Time) -> Result<(), Refused> {
        if let Some(reason) = &self.broken {
            return Err(Refused::Broken(reason.clone()));
        }
        self.expire(now);
        let text: String = batch.iter().flat_map(|kept| [kept.line.as_str(), "\n"]).collect();
        let size = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let full = |journal: &Self| journal.length.saturating_add(size) > MAX_JOURNAL;
        // Rewrite the file if more than half of it has expired, or if removing expired lines makes room.
        if self.expired > self.kept.len() || (self.expired > 0 && full(self)) {
            self.compact().map_err(|error| Refused::Broken(error.to_string()))?;
        }
        if full(self) {
            return Err(Refused::Full);
        }
        if let Err(error) = self.file.write_all(text.as_bytes()) {
            // Part of the batch may be in the file: no later line may follow it.
            return Err(self.undo(&error));
        }
        if let Err(error) = self.file.sync_data() {
            // It is now unknown whether the batch is on disk, and another sync would not tell.
            self.broken = Some(error.to_string());
            return Err(self.undo(&error));
        }
        self.length += size;
        self.kept.extend(batch);
        Ok(())
    }

    fn undo(&mut self, error: &std::io::Error) -> Refused {
        if let Err(second) = self.file.set_len(self.length).and_then(|()| self.file.sync_all()) {
            self.broken = Some(format!("{error}; then {second}"));
        }
        Refused::Broken(error.to_string())
    }

    /// Drops scores that were received more than [`KEEP`] ago.
    fn expire(&mut self, now: Time) {
        let oldest = now.minus(KEEP);
        while self.kept.front().is_some_and(|kept| kept.received < oldest) {
            self.kept.pop_front();
            self.expired += 1;
        }
    }

    /// Writes the scores to a new file, which then replaces the old one. At every instant one of the two is complete.
    fn compact(&mut self) -> std::io::Result<()> {
        let (path, fresh) = (self.dir.join(FILE), self.dir.join(format!("{FILE}.new")));
        match std::fs::remove_file(&fresh) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let text: String = self.kept.iter().flat_map(|kept| [kept.line.as_str(), "\n"]).collect();
        let mut file = OpenOptions::new().append(true).create_new(true).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, &path)?;
        // From here on the new file is the journal, even if syncing the folder fails.
        self.file = file;
        self.length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        self.expired = 0;
        let remembered = files::sync_folder(&self.dir);
        if let Err(error) = &remembered {
            // After a crash the name may refer to the old file, which lacks everything added from here on.
            self.broken = Some(error.to_string());
        }
        remembered
    }
}

fn wrong(message: Text) -> Box<Diagnostic> {
    Box::new(Diagnostic::nowhere(Code::JOURNAL, message).help(text!("use another folder with `--data DIR`, or repair this one")))
}

fn lock(dir: &Path) -> Result<File, Box<Diagnostic>> {
    let path = dir.join("scores.lock");
    let failed = |error: &std::io::Error| wrong(text!("cannot use `{}`: {}", path.display(), error));
    let file = files::open_to_append(&path).map_err(|error| failed(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(wrong(text!("another server is using `{}`", dir.display()))),
        Err(TryLockError::Error(error)) => Err(failed(&error)),
    }
}

/// Opens the file and reads it whole.
fn open(path: &Path) -> std::io::Result<(File, Vec<u8>)> {
    let mut file = files::open_to_append(path)?;
    let mut bytes = Vec::new();
    // One byte more than allowed tells that it is not what this program wrote.
    Read::by_ref(&mut file).take(MAX_JOURNAL + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_JOURNAL {
        return Err(std::io::Error::other(format!("it is larger than {} MiB", MAX_JOURNAL >> 20)));
    }
    Ok((file, bytes))
}

/// Reads the lines of a journal. An unreadable line stops the start, because acknowledged scores must not be dropped silently.
fn read(path: &Path, bytes: &[u8], project: &Project) -> Result<VecDeque<Kept>, Box<Diagnostic>> {
    let placer = signal::Resolver::new(&project.placement, &project.estate);
    let mut kept = VecDeque::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        let unreadable = |why: Text| {
            let message = text!("cannot read line {} of `{}`: {}", index + 1, path.display(), why);
            Box::new(Diagnostic::nowhere(Code::JOURNAL, message).help(text!("another program wrote to this file: fix or remove the line")))
        };
        let line = std::str::from_utf8(line).map_err(|_| unreadable(text!("it is not UTF-8")))?;
        let written: Value = serde_json::from_str(line).map_err(|error| unreadable(error.to_string().into()))?;
        let origin = Origin { file: FILE.to_owned(), index };
        let score = score_of(&written, origin, &ScoreFrame::default(), &placer).map_err(|refusal| unreadable(refusal.reason))?;
        let received = written.get("received").and_then(Value::as_str).and_then(Time::parse).unwrap_or(score.time);
        kept.push_back(Kept { received, time: score.time, component: score.component, line: line.to_owned() });
    }
    Ok(kept)
}
