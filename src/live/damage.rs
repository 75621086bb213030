//! Damage in the journal: what a start says of it, and how to go on without what is lost.

use std::io;
use std::path::{Path, PathBuf};

use diag::{Code, Diagnostic, Text, text};

use super::journal::{Head, SegmentReader, listed, lock, wrong};

/// Bytes of a segment that are no sound entry, although sound ones follow.
#[derive(Debug)]
pub(super) struct Gap {
    pub from: u64,
    pub until: u64,
    /// The number of the entry that should begin here, and of the one that comes next.
    pub expected: u64,
    pub follows: u64,
    /// Sound entries before it in its segment.
    pub before: u64,
}

/// A gap in its journal.
#[derive(Debug)]
pub(super) struct Place {
    pub path: PathBuf,
    pub gap: Gap,
    /// Sound entries before it.
    pub whole_before: u64,
}

/// Why a journal with these gaps is not opened; `whole`: its sound entries.
pub(super) fn damaged(places: &[Place], whole: u64) -> Option<Diagnostic> {
    let Place { path, gap, whole_before } = places.first()?;
    let message = text!(
        "the journal `{}` is damaged from byte {} to byte {}: entry {} should begin there",
        path.display(),
        gap.from,
        gap.until,
        gap.expected
    );
    let help = text!(
        "{} entries before it and {} behind it are whole ({} damaged places in all): put a sound copy of the file there, or go on without what \
         is lost: `faultscope serve --accept-damage` moves the damaged bytes to files beside it and keeps the rest",
        whole_before,
        whole.saturating_sub(*whole_before),
        places.len()
    );
    Some(Diagnostic::nowhere(Code::JOURNAL_DAMAGED, message).help(help))
}

/// Moves what is damaged in the journal of a data folder to files of its own beside the segments, which keep all sound entries. Says what
/// was lost. An incomplete entry at the end is left to the next start.
///
/// # Errors
/// `JOURNAL`: a folder that cannot be used, or that a server uses. `UNWRITABLE`: no room; what is not set aside yet is as it was.
pub fn set_damage_aside(data: &Path) -> Result<Vec<Text>, Box<Diagnostic>> {
    let dir = data.join("journal");
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let failed = |error: &io::Error| Box::new(wrong(text!("cannot use the journal in `{}`: {}", dir.display(), error)));
    let _lock = lock(&dir)?;
    let segments = listed(&dir).map_err(|error| failed(&error))?;
    let mut said = Vec::new();
    for (at, segment) in segments.iter().enumerate() {
        let mut reader = SegmentReader::open(&segment.path, segment.first).map_err(|error| failed(&error))?;
        reader.checks_all = true;
        while reader.next_entry(&|_: &Head| true).map_err(|error| failed(&error))?.is_some() {}
        let gaps = reader.gaps(segments.get(at + 1).map(|next| next.first));
        if gaps.is_empty() {
            continue;
        }
        let bytes = files::read(&segment.path, &segment.path.display().to_string(), u64::MAX)?;
        let (mut sound, mut done) = (Vec::with_capacity(bytes.len()), 0);
        for gap in gaps {
            let aside = free(&dir, segment.first, gap.from);
            files::write(&aside, part(&bytes, gap.from, gap.until))?;
            sound.extend_from_slice(part(&bytes, done, gap.from));
            done = gap.until;
            said.push(text!(
                "journal `{}`: {} damaged bytes are in `{}` now; with them {} entries from {} on are lost",
                segment.path.display(),
                gap.until - gap.from,
                aside.display(),
                gap.follows.saturating_sub(gap.expected),
                gap.expected
            ));
        }
        sound.extend_from_slice(part(&bytes, done, u64::MAX));
        // Whole or not at all. What is aside by then stays there: a crash in between costs nothing.
        files::write(&segment.path, sound)?;
    }
    Ok(said)
}

/// The bytes between two places.
fn part(bytes: &[u8], from: u64, until: u64) -> &[u8] {
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    bytes.get(place(from)..place(until)).unwrap_or_default()
}

/// A name that no file has yet, for what was at a place of a segment.
fn free(dir: &Path, first: u64, from: u64) -> PathBuf {
    let mut path = dir.join(format!("{first:020}-{from}.damaged"));
    let mut again = 1;
    while path.exists() {
        again += 1;
        path = dir.join(format!("{first:020}-{from}-{again}.damaged"));
    }
    path
}
