//! The file of incidents, `incidents.ndjson`: their events as they happen. Each has the whole incident, so of those of one incident only the
//! last one is needed: the file is written anew with these when most of it is superseded.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use diag::{Code, Diagnostic, Text, text};
use files::Lines;
use serde::Serialize;
use value::Time;

use super::incidents::{Event, Incidents, Tracked, What};

/// Events kept in memory: each has the whole incident with its report.
const RECENT: usize = 256;

/// A smaller file is not written anew.
const SMALL: u64 = 16 << 20;

/// It is written anew when it is so many times as large as it was then.
const GROWTH: u64 = 4;

/// See the module.
#[derive(Debug)]
pub struct Log {
    /// `None` if it could not be opened after it was written anew.
    lines: Option<Lines>,
    path: PathBuf,
    /// The last ones, for whoever listens: the file is read for those only who come back late.
    recent: VecDeque<Event>,
    bytes: u64,
    /// A larger file is written anew.
    pub limit: u64,
}

impl Log {
    /// The incidents so far, and the file to which their events are added. Of incidents that nobody has seen since `before`, only what
    /// [`Incidents::forget`] leaves is kept.
    ///
    /// # Errors
    /// `JOURNAL`: a file that cannot be used.
    pub fn open(data: &Path, before: Time) -> Result<(Incidents, Log, Vec<Text>), Box<Diagnostic>> {
        let path = data.join("incidents.ndjson");
        let mut said = Vec::new();
        let lines = if path.exists() { files::read_text(&path, "incidents.ndjson", u64::MAX)? } else { String::new() };
        let (mut incidents, unreadable) = Incidents::read(&lines);
        if unreadable > 0 {
            said.push(text!("`{}`: {} lines cannot be read and are passed over", path.display(), unreadable));
        }
        incidents.forget(before);
        let opened = Lines::open(&path);
        let failed = |error: &std::io::Error| Diagnostic::nowhere(Code::JOURNAL, text!("cannot use `{}`: {}", path.display(), error));
        let opened = opened.map_err(|error| Box::new(failed(&error)))?;
        let bytes = lines.len() as u64;
        let mut log = Log { lines: Some(opened), path, recent: VecDeque::new(), bytes, limit: SMALL };
        log.compact(&incidents);
        Ok((incidents, log, said))
    }

    /// Adds events; on disk when it returns. After an error none of them is there.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn write(&mut self, events: &[Event]) -> std::io::Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::new();
        for event in events {
            serde_json::to_writer(&mut bytes, event).map_err(std::io::Error::other)?;
            bytes.push(b'\n');
        }
        if self.lines.is_none() {
            self.lines = Some(Lines::open(&self.path)?);
        }
        if let Some(lines) = &mut self.lines {
            lines.append(&bytes)?;
        }
        self.bytes += bytes.len() as u64;
        self.recent.extend(events.iter().cloned());
        let over = self.recent.len().saturating_sub(RECENT);
        self.recent.drain(..over);
        Ok(())
    }

    /// Writes the file anew, if it has grown too much and nothing waits to be written.
    pub fn compact(&mut self, incidents: &Incidents) {
        if self.bytes <= self.limit {
            return;
        }
        let Some(text) = state(incidents).filter(|_| incidents.are_written()) else { return };
        // What cannot be done now is tried again when as much has come once more.
        self.limit = 2 * self.bytes;
        if files::write(&self.path, &text).is_ok() {
            // What was open is not the file of that name any more.
            self.lines = Lines::open(&self.path).ok();
            self.bytes = text.len() as u64;
            self.limit = SMALL.max(GROWTH * self.bytes);
        }
    }

    /// The events after a number, if all of them are in memory.
    pub fn after(&self, number: u64) -> Option<Vec<Event>> {
        self.recent.front().filter(|first| first.number <= number + 1)?;
        Some(self.recent.iter().filter(|event| event.number > number).cloned().collect())
    }

    pub fn path(&self) -> PathBuf {
        self.path.clone()
    }
}

/// All incidents as the file has them, each with its last event.
fn state(incidents: &Incidents) -> Option<String> {
    #[derive(Serialize)]
    struct Line<'i> {
        number: u64,
        at: Time,
        what: What,
        incident: &'i Tracked,
    }
    let mut known: Vec<&Arc<Tracked>> = incidents.all().collect();
    known.sort_unstable_by_key(|one| one.last_event);
    let mut lines = String::new();
    for one in known {
        let (at, what) = one.history.last().map_or((one.opened, What::Opened), |step| (step.at, step.what));
        lines.push_str(&serde_json::to_string(&Line { number: one.last_event, at, what, incident: one }).ok()?);
        lines.push('\n');
    }
    Some(lines)
}

/// The events after a number that are still on file, and whether some of them are missing.
pub fn on_file(path: &Path, number: u64) -> (Vec<Event>, bool) {
    let lines = files::read_text(path, "incidents.ndjson", u64::MAX).unwrap_or_default();
    let events = lines.lines().filter_map(|line| serde_json::from_str(line).ok());
    let events: Vec<Event> = events.filter(|event: &Event| event.number > number).collect();
    // Numbers have no gaps.
    let gap = events.last().is_some_and(|last| last.number - number > events.len() as u64);
    (events, gap)
}
