//! The journal of received scores: `scores.ndjson` in the data folder, one score per line as it may stand in a bundle.
//!
//! A score is acknowledged only after the file holds it and the disk says so. What a crash leaves of a line that was not
//! acknowledged is cut off at the next start. Nothing acknowledged is dropped before [`KEEP`] has passed; a journal that has no room
//! refuses instead.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use diag::{Code, Diagnostic};
use estate::ComponentId;
use project::Project;
use signal::{Origin, ScoreFrame, score_of};
use value::{DAY, Duration, Time};

/// How long a score is kept after it was received: as long as people still ask what happened, a week with its weekend.
pub const KEEP: Duration = 7 * DAY;

/// The largest journal, in bytes: some half a million scores. All of them are also held in memory, and read at the start.
pub const MAX_JOURNAL: u64 = 64 << 20;

/// The name of the file in the data folder.
pub const FILE: &str = "scores.ndjson";

/// A score as received.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub received: Time,
    /// Of the score itself.
    pub time: Time,
    /// Under the topology that the server was started with.
    pub component: Option<ComponentId>,
    /// One line of JSON, without its end.
    pub line: String,
}

/// Why a batch was not taken; nothing of it is kept.
#[derive(Debug)]
pub enum Refused {
    /// It would grow beyond [`MAX_JOURNAL`].
    Full,
    /// The disk did not take it.
    Broken(String),
}

#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    file: File,
    /// Held as long as the journal is: two servers would overwrite each other.
    _lock: File,
    /// In the order in which they were received.
    kept: VecDeque<Kept>,
    /// Of the file, in bytes, up to the last acknowledged line.
    length: u64,
    /// Lines of the file that are no longer kept.
    expired: usize,
    /// Why nothing more is taken until the next start.
    broken: Option<String>,
}

impl Journal {
    /// Opens the journal of a folder, which is made if it is not there. `now` decides what is too old. What is to be said about
    /// it comes as second: a torn line that was cut off.
    ///
    /// # Errors
    /// `JOURNAL`: a folder that cannot be used, or is used by another server; a line that cannot be read.
    pub fn open(dir: &Path, project: &Project, now: Time) -> Result<(Journal, Option<String>), Box<Diagnostic>> {
        let path = dir.join(FILE);
        let failed = |error: &std::io::Error| wrong(format!("`{}` cannot be used: {error}", path.display()));
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
            || format!("`{}` ended within a line, as after a crash: {torn} bytes, never acknowledged, were cut off", path.display());
        let said = (torn > 0).then(words);
        Ok((journal, said))
    }

    /// How many scores are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Those kept, in the order in which they were received.
    pub fn kept(&self) -> impl DoubleEndedIterator<Item = &Kept> {
        self.kept.iter()
    }

    /// The scores after `since` up to `at`, as a file of a bundle.
    pub fn between(&self, since: Time, at: Time) -> String {
        let inside = self.kept.iter().filter(|kept| kept.time > since && kept.time <= at);
        inside.flat_map(|kept| [kept.line.as_str(), "\n"]).collect()
    }

    /// Takes a batch whole or not at all. When this returns without an error, the disk holds it.
    pub fn append(&mut self, batch: Vec<Kept>, now: Time) -> Result<(), Refused> {
        if let Some(reason) = &self.broken {
            return Err(Refused::Broken(reason.clone()));
        }
        self.expire(now);
        let text: String = batch.iter().flat_map(|kept| [kept.line.as_str(), "\n"]).collect();
        let size = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let full = |journal: &Self| journal.length.saturating_add(size) > MAX_JOURNAL;
        // Half of it being history is worth writing it anew, and any of it if that makes room.
        if self.expired > self.kept.len() || (self.expired > 0 && full(self)) {
            self.compact().map_err(|error| Refused::Broken(error.to_string()))?;
        }
        if full(self) {
            return Err(Refused::Full);
        }
        if let Err(error) = self.file.write_all(text.as_bytes()) {
            // A part of it may stand there: no later line may follow it.
            return Err(self.undo(&error));
        }
        if let Err(error) = self.file.sync_data() {
            // Whether the disk has it, nobody knows any more, and asking again would not tell.
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

    /// Forgets what was received more than [`KEEP`] ago.
    fn expire(&mut self, now: Time) {
        let oldest = now.minus(KEEP);
        while self.kept.front().is_some_and(|kept| kept.received < oldest) {
            self.kept.pop_front();
            self.expired += 1;
        }
    }

    /// Writes what is kept into a new file, which then takes the place of the old one: at every instant one of them is there whole.
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
        // From here on the new file is the journal, whatever the folder says.
        self.file = file;
        self.length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        self.expired = 0;
        let remembered = files::sync_folder(&self.dir);
        if let Err(error) = &remembered {
            // After a crash the name may lead to the old file, without what is added from here on.
            self.broken = Some(error.to_string());
        }
        remembered
    }
}

fn wrong(message: String) -> Box<Diagnostic> {
    Box::new(Diagnostic::nowhere(Code::JOURNAL, message).help("name another folder with `--data DIR`, or repair this one"))
}

fn lock(dir: &Path) -> Result<File, Box<Diagnostic>> {
    let path = dir.join("scores.lock");
    let failed = |error: &std::io::Error| wrong(format!("`{}` cannot be used: {error}", path.display()));
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(|error| failed(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(wrong(format!("another server uses `{}`", dir.display()))),
        Err(TryLockError::Error(error)) => Err(failed(&error)),
    }
}

fn open(path: &Path) -> std::io::Result<(File, Vec<u8>)> {
    files::refuse_special(path)?;
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok((file, bytes))
}

/// The lines of a journal. One that cannot be read ends the start: what was acknowledged is not dropped in silence.
fn read(path: &Path, bytes: &[u8], project: &Project) -> Result<VecDeque<Kept>, Box<Diagnostic>> {
    let placer = signal::Resolver::new(&project.placement, &project.estate);
    let mut kept = VecDeque::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        let unreadable = |why: &str| {
            let message = format!("line {} of `{}` cannot be read: {why}", index + 1, path.display());
            Box::new(Diagnostic::nowhere(Code::JOURNAL, message).help("another program wrote there: fix the line or remove it"))
        };
        let line = std::str::from_utf8(line).map_err(|_| unreadable("it is not UTF-8"))?;
        let written: Value = serde_json::from_str(line).map_err(|error| unreadable(&error.to_string()))?;
        let origin = Origin { file: FILE.to_owned(), index };
        let score = score_of(&written, origin, &ScoreFrame::default(), &placer).map_err(|refusal| unreadable(&refusal.reason))?;
        let received = written.get("received").and_then(Value::as_str).and_then(Time::parse).unwrap_or(score.time);
        kept.push_back(Kept { received, time: score.time, component: score.component, line: line.to_owned() });
    }
    Ok(kept)
}
