//! The journal of accepted requests: what a sender was told is kept, a crash does not lose.
//!
//! Segments named by the number of their first entry. An entry is a mark, the length and the CRC-32 of what follows, then its number,
//! when it was received, the sender's protocol and the body. An entry counts as written once its segment is synced; an incomplete one at
//! the end was never acknowledged, and the next start cuts it off. Damage anywhere else stops the start: reading goes on at the next mark
//! with a sound checksum, to say what is lost and what is whole, and `damage` sets aside what is damaged.
//!
//! A start reads the journal once: opening it hands over every entry. What nobody needs any more is passed by its head, and the file is
//! not read there; so damage in the body of such an entry costs nothing and goes unnoticed, as long as it stands between two others. The
//! last segment is checked whole, because its end may be torn.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration as Wait;

use diag::{Code, Diagnostic, Text, text};
use ingest::Protocol;
use value::{Duration, HOUR, Time};

use super::damage::{Gap, Place, damaged};

/// A new segment begins beyond this size, in bytes. Entries are forgotten by segments: all that a segment has, or all but what is needed
/// for longer.
const SEGMENT: u64 = 32 << 20;

/// The longest entry, in bytes: more than any request may have.
const MAX_ENTRY: usize = 80 << 20;

/// Begins each entry, so that reading finds the next one behind damage.
const MARK: [u8; 4] = [0xFA, b'f', b's', b'j'];

/// Mark, length, checksum.
const FRAME: usize = 12;

/// Number, time of receipt, protocol.
const FIXED: usize = 17;

/// Bytes that are read of a segment at once.
const BUFFER: usize = 256 << 10;

/// How long opening waits for a lock that another process is giving up.
const LOCK_RETRY: Wait = Wait::from_millis(20);
const LOCK_TRIES: u32 = 25;

/// One accepted request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Starts at 1, and has no gaps but for damage.
    pub number: u64,
    pub received: Time,
    pub protocol: Protocol,
    pub body: Vec<u8>,
}

impl Entry {
    pub fn head(&self) -> Head {
        Head { number: self.number, received: self.received, protocol: self.protocol }
    }
}

/// What stands before the body of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub number: u64,
    pub received: Time,
    pub protocol: Protocol,
}

/// What a reader of the journal meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Entry(Entry),
    /// One that it can do without.
    Passed(Head),
}

impl Found {
    pub fn head(&self) -> Head {
        match self {
            Found::Entry(entry) => entry.head(),
            Found::Passed(head) => *head,
        }
    }
}

/// How much of the past is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Entries received within this time are kept, and those for longer that somebody needs,
    pub age: Duration,
    /// unless the journal grows beyond this many bytes: then the oldest segments go.
    pub bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Retention { age: 24 * HOUR, bytes: 4 << 30 }
    }
}

#[derive(Debug)]
pub(super) struct Segment {
    pub path: PathBuf,
    pub first: u64,
    length: u64,
    /// When its last entry was received; [`Time::MIN`] without any.
    last_received: Time,
    /// Once only what is needed for longer is left: the last entry of that.
    rest: Option<Head>,
}

/// See the module.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    /// Oldest first; the last one is written to.
    segments: Vec<Segment>,
    file: File,
    /// What was partly written could not be taken back yet.
    torn: bool,
    next: u64,
    retention: Retention,
    /// Segments dropped because the journal was too large, although they were young.
    pub dropped_young: u64,
    /// Locked as long as the journal is open: two servers would overwrite each other.
    _lock: File,
}

impl Journal {
    /// Opens or starts the journal in a folder, and hands over what it holds, oldest first; of entries that `skip` names only the head.
    /// Also returns what it had to repair.
    ///
    /// # Errors
    /// `JOURNAL`: a folder that cannot be used, or that another server uses. `JOURNAL_DAMAGED`: entries are damaged, and others follow them;
    /// nothing was changed.
    pub fn open(
        dir: &Path,
        retention: Retention,
        skip: impl Fn(&Head) -> bool,
        mut each: impl FnMut(Found),
    ) -> Result<(Journal, Vec<Text>), Box<Diagnostic>> {
        let failed = |error: &io::Error| Box::new(wrong(text!("cannot use the journal in `{}`: {}", dir.display(), error)));
        std::fs::create_dir_all(dir).map_err(|error| failed(&error))?;
        let lock = lock(dir)?;
        let mut segments = listed(dir).map_err(|error| failed(&error))?;
        let mut said = Vec::new();
        let mut next = segments.first().map_or(1, |segment| segment.first);
        let (mut whole, mut places) = (0, Vec::new());
        // Where each segment ends: at the next one.
        let ends: Vec<Option<u64>> = segments.iter().skip(1).map(|segment| Some(segment.first)).chain([None]).collect();
        for (segment, end) in segments.iter_mut().zip(ends) {
            next = next.max(segment.first);
            let mut reader = SegmentReader::open(&segment.path, segment.first).map_err(|error| failed(&error))?;
            reader.checks_all = end.is_none();
            while let Some(found) = reader.next_entry(&skip).map_err(|error| failed(&error))? {
                let head = found.head();
                next = head.number + 1;
                segment.last_received = segment.last_received.max(head.received);
                each(found);
            }
            places.extend(reader.gaps(end).into_iter().map(|gap| Place {
                path: segment.path.clone(),
                whole_before: whole + gap.before,
                gap,
            }));
            whole += reader.entries;
            let rest = segment.length - reader.sound_until;
            if end.is_none() && rest > 0 && places.is_empty() {
                // Never acknowledged: the sync that would have made it count did not finish.
                let file = OpenOptions::new().write(true).open(&segment.path).map_err(|error| failed(&error))?;
                file.set_len(reader.sound_until).and_then(|()| file.sync_all()).map_err(|error| failed(&error))?;
                segment.length = reader.sound_until;
                said.push(text!("journal `{}`: removed an incomplete entry of {} bytes at its end", segment.path.display(), rest));
            }
        }
        if let Some(error) = damaged(&places, whole) {
            return Err(Box::new(error));
        }
        if segments.is_empty() {
            segments.push(begin(dir, next).map_err(|error| failed(&error))?);
        }
        let Some(newest) = segments.last() else {
            return Err(Box::new(wrong(text!("cannot use the journal in `{}`: {}", dir.display(), "no segment"))));
        };
        let file = OpenOptions::new().append(true).open(&newest.path).map_err(|error| failed(&error))?;
        let journal = Journal { dir: dir.to_path_buf(), segments, file, torn: false, next, retention, dropped_young: 0, _lock: lock };
        Ok((journal, said))
    }

    /// The number that the next entry gets.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Keeps more or less from the next time on that something is forgotten.
    pub fn retain(&mut self, retention: Retention) {
        self.retention = retention;
    }

    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.length).sum()
    }

    /// Writes entries and waits until they are on disk. Returns the number of the first one. After an error nothing of them is kept.
    pub fn append<'b>(&mut self, entries: impl Iterator<Item = (Time, Protocol, &'b [u8])>) -> io::Result<u64> {
        self.take_back()?;
        let first = self.next;
        let mut number = first;
        let mut bytes = Vec::new();
        let mut latest = Time::MIN;
        for (received, protocol, body) in entries {
            encode(number, received, protocol, body, &mut bytes)?;
            latest = latest.max(received);
            number += 1;
        }
        self.roll()?;
        let Some(segment) = self.segments.last_mut() else { return Err(io::Error::other("no segment")) };
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            self.torn = true;
            // If this fails too, the next one tries again.
            let _ = self.take_back();
            return Err(error);
        }
        segment.length += wide(bytes.len());
        segment.last_received = segment.last_received.max(latest);
        self.next = number;
        Ok(first)
    }

    /// What was partly written must not stand before what is written next: it would be damage.
    fn take_back(&mut self) -> io::Result<()> {
        if let Some(segment) = self.segments.last().filter(|_| self.torn) {
            self.file.set_len(segment.length)?;
            self.torn = false;
        }
        Ok(())
    }

    /// Begins a new segment if the current one is full.
    fn roll(&mut self) -> io::Result<()> {
        if self.segments.last().is_some_and(|segment| segment.length < SEGMENT) {
            return Ok(());
        }
        let segment = begin(&self.dir, self.next)?;
        self.file = OpenOptions::new().append(true).open(&segment.path)?;
        self.segments.push(segment);
        Ok(())
    }

    /// Removes segments that are too old, and the oldest of a journal that is too large, but for the entries in them that are `needed` for
    /// longer. The current one stays. If what is needed alone is too much, the oldest of that goes too.
    pub fn forget(&mut self, now: Time, needed: impl Fn(&Head) -> bool) -> io::Result<()> {
        let oldest = now.minus(self.retention.age);
        let (mut bytes, mut at) = (self.bytes(), 0);
        while let [segment, _, ..] = self.segments.get_mut(at..).unwrap_or_default() {
            let aged = segment.last_received < oldest;
            if !aged && bytes <= self.retention.bytes {
                break;
            }
            let before = segment.length;
            if segment.rest.is_none() {
                thin(segment, &needed)?;
                self.dropped_young += u64::from(!aged && segment.length < before);
            }
            bytes -= before;
            if segment.rest.as_ref().is_some_and(&needed) {
                bytes += segment.length;
                at += 1;
            } else {
                std::fs::remove_file(&segment.path)?;
                self.segments.remove(at);
            }
        }
        while bytes > self.retention.bytes
            && let [first, _, ..] = self.segments.as_slice()
        {
            std::fs::remove_file(&first.path)?;
            bytes -= first.length;
            self.segments.remove(0);
        }
        Ok(())
    }

    /// The entries as of now from a number on, read beside further writing; of those that `skip` names only the head.
    pub fn reader<S: Fn(&Head) -> bool>(&self, from: u64, skip: S) -> Entries<S> {
        let first = self.segments.partition_point(|segment| segment.first <= from).saturating_sub(1);
        let segments: Vec<(PathBuf, u64)> = self.segments.iter().skip(first).map(|one| (one.path.clone(), one.first)).collect();
        Entries { segments: segments.into_iter(), current: None, from, until: self.next, skip }
    }
}

/// The entries of a journal, in the order in which they were received.
pub struct Entries<S> {
    segments: std::vec::IntoIter<(PathBuf, u64)>,
    current: Option<SegmentReader>,
    from: u64,
    until: u64,
    skip: S,
}

impl<S: Fn(&Head) -> bool> Iterator for Entries<S> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            let Some(reader) = &mut self.current else {
                let (path, first) = self.segments.next()?;
                // A segment that was forgotten meanwhile has nothing for us any more.
                self.current = SegmentReader::open(&path, first).ok();
                continue;
            };
            match reader.next_entry(&self.skip) {
                Ok(Some(found)) if found.head().number >= self.until => return None,
                Ok(Some(found)) if found.head().number >= self.from => return Some(found),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => self.current = None,
            }
        }
    }
}

pub(super) struct SegmentReader {
    file: BufReader<File>,
    /// Its bytes when it was opened.
    length: u64,
    /// Where it is read next.
    position: u64,
    /// Where the next entry begins.
    at: u64,
    /// The number of the next entry, unless some are missing.
    next: u64,
    /// The end of the last sound entry.
    sound_until: u64,
    /// Sound entries so far.
    entries: u64,
    gaps: Vec<Gap>,
    /// Entries that are passed are read and checked all the same.
    pub checks_all: bool,
}

impl SegmentReader {
    pub fn open(path: &Path, first: u64) -> io::Result<SegmentReader> {
        files::refuse_special(path)?;
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let file = BufReader::with_capacity(BUFFER, file);
        let (gaps, checks_all) = (Vec::new(), false);
        Ok(SegmentReader { file, length, position: 0, at: 0, next: first, sound_until: 0, entries: 0, gaps, checks_all })
    }

    /// The next sound entry.
    pub fn next_entry(&mut self, skip: &impl Fn(&Head) -> bool) -> io::Result<Option<Found>> {
        loop {
            if let Some((found, end)) = self.entry(skip)? {
                let number = found.head().number;
                if self.at > self.sound_until {
                    self.gap(self.at, number);
                }
                self.next = number + 1;
                self.entries += 1;
                self.at = end;
                self.sound_until = end;
                return Ok(Some(found));
            }
            // Damage: on to the next mark.
            let Some(mark) = self.mark_behind()? else { return Ok(None) };
            self.at = mark;
        }
    }

    /// What is damaged before the last sound entry; where another segment follows, with the entry `end`, also what is behind it.
    pub fn gaps(&mut self, end: Option<u64>) -> Vec<Gap> {
        if let Some(end) = end.filter(|_| self.length > self.sound_until) {
            self.gap(self.length, end);
        }
        std::mem::take(&mut self.gaps)
    }

    /// From the last sound entry until a place there is none.
    fn gap(&mut self, until: u64, follows: u64) {
        self.gaps.push(Gap { from: self.sound_until, until, expected: self.next, follows, before: self.entries });
    }

    /// The entry where one should begin, and its end, if it is sound.
    fn entry(&mut self, skip: &impl Fn(&Head) -> bool) -> io::Result<Option<(Found, u64)>> {
        let mut before = [0; FRAME + FIXED];
        if !self.read(self.at, &mut before)? {
            return Ok(None);
        }
        let Some(Frame { head, body: length, checksum, fixed }) = Frame::of(&before) else { return Ok(None) };
        let content = self.at + wide(before.len());
        let end = content + wide(length);
        if end > self.length {
            return Ok(None);
        }
        let passed = skip(&head);
        // Unchecked, it has to be the one that is due, and to end where the next one begins.
        if passed && !self.checks_all && head.number == self.next && self.is_boundary(end)? {
            return Ok(Some((Found::Passed(head), end)));
        }
        let mut body = vec![0; length];
        if !self.read(content, &mut body)? || check(&fixed, &body) != checksum {
            return Ok(None);
        }
        let Head { number, received, protocol } = head;
        let found = if passed { Found::Passed(head) } else { Found::Entry(Entry { number, received, protocol, body }) };
        Ok(Some((found, end)))
    }

    fn is_boundary(&mut self, at: u64) -> io::Result<bool> {
        let mut mark = [0; MARK.len()];
        Ok(at == self.length || (self.read(at, &mut mark)? && mark == MARK))
    }

    /// Fills a buffer from a place; `false` if the file ends before.
    fn read(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<bool> {
        let end = at + wide(buffer.len());
        if end > self.length {
            return Ok(false);
        }
        self.go_to(at)?;
        self.file.read_exact(buffer)?;
        self.position = end;
        Ok(true)
    }

    /// Within what is buffered, this reads nothing.
    fn go_to(&mut self, at: u64) -> io::Result<()> {
        self.file.seek_relative(at.wrapping_sub(self.position).cast_signed())?;
        self.position = at;
        Ok(())
    }

    /// Where the next mark is behind the place at which an entry should have begun.
    fn mark_behind(&mut self) -> io::Result<Option<u64>> {
        let mut matched = 0;
        let mut at = self.at + 1;
        let mut byte = [0];
        while self.read(at, &mut byte)? {
            at += 1;
            let [byte] = byte;
            let fits = MARK.get(matched) == Some(&byte);
            matched = if fits { matched + 1 } else { usize::from(MARK.first() == Some(&byte)) };
            if matched == MARK.len() {
                return Ok(Some(at - wide(matched)));
            }
        }
        Ok(None)
    }
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn encode(number: u64, received: Time, protocol: Protocol, body: &[u8], into: &mut Vec<u8>) -> io::Result<()> {
    let length = body.len() + FIXED;
    let Some(written) = u32::try_from(length).ok().filter(|_| length <= MAX_ENTRY) else {
        return Err(io::Error::new(ErrorKind::InvalidInput, "an entry larger than any request"));
    };
    let mut fixed = Vec::with_capacity(FIXED);
    fixed.extend(number.to_le_bytes());
    fixed.extend(received.0.to_le_bytes());
    fixed.push(protocol.code());
    into.extend(MARK);
    into.extend(written.to_le_bytes());
    into.extend(check(&fixed, body).to_le_bytes());
    into.extend(fixed);
    into.extend(body);
    Ok(())
}

/// The checksum of an entry.
fn check(fixed: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(fixed);
    hasher.update(body);
    hasher.finalize()
}

/// What stands before a body, as far as it can be one.
struct Frame {
    head: Head,
    /// The bytes of the body.
    body: usize,
    checksum: u32,
    /// What the checksum covers besides the body.
    fixed: [u8; FIXED],
}

impl Frame {
    fn of(bytes: &[u8; FRAME + FIXED]) -> Option<Frame> {
        let rest = bytes.strip_prefix(MARK.as_slice())?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (checksum, fixed) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok().filter(|length| *length <= MAX_ENTRY)?;
        let (number, rest) = fixed.split_first_chunk::<8>()?;
        let (received, rest) = rest.split_first_chunk::<8>()?;
        let head = Head {
            number: u64::from_le_bytes(*number),
            received: Time(i64::from_le_bytes(*received)),
            protocol: Protocol::of_code(*rest.first()?)?,
        };
        let checksum = u32::from_le_bytes(*checksum);
        Some(Frame { head, body: length.checked_sub(FIXED)?, checksum, fixed: *fixed.first_chunk()? })
    }
}

fn begin(dir: &Path, first: u64) -> io::Result<Segment> {
    let path = dir.join(format!("{first:020}.journal"));
    let file = OpenOptions::new().create(true).append(true).open(&path)?;
    file.sync_all()?;
    // The name counts only once the folder is on disk.
    File::open(dir)?.sync_all()?;
    Ok(Segment { path, first, length: 0, last_received: Time::MIN, rest: None })
}

/// Leaves of a segment only what is needed for longer. If that is nothing, the file is left to whoever removes it.
fn thin(segment: &mut Segment, needed: &impl Fn(&Head) -> bool) -> io::Result<()> {
    let mut reader = SegmentReader::open(&segment.path, segment.first)?;
    let (mut kept, mut rest) = (Vec::new(), None);
    // Of what goes only the heads are read.
    while let Some(found) = reader.next_entry(&|head: &Head| !needed(head))? {
        if let Found::Entry(entry) = found {
            encode(entry.number, entry.received, entry.protocol, &entry.body, &mut kept)?;
            rest = Some(entry.head());
        }
    }
    if rest.is_some() && wide(kept.len()) < segment.length {
        files::write(&segment.path, &kept).map_err(|error| io::Error::other(error.message.to_string()))?;
    }
    segment.length = wide(kept.len());
    segment.rest = rest;
    Ok(())
}

/// The segments of a journal, oldest first.
pub(super) fn listed(dir: &Path) -> io::Result<Vec<Segment>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(first) = name.strip_suffix(".journal").and_then(|number| number.parse().ok()) else { continue };
        // Before it is opened: opening a named pipe waits for somebody at its other end.
        files::refuse_special(&path)?;
        let length = std::fs::metadata(&path)?.len();
        found.push(Segment { path, first, length, last_received: Time::MIN, rest: None });
    }
    found.sort_by_key(|segment| segment.first);
    Ok(found)
}

/// Keeps other servers away as long as it is there.
pub(super) fn lock(dir: &Path) -> Result<File, Box<Diagnostic>> {
    let path = dir.join("lock");
    let failed = |error: &io::Error| Box::new(wrong(text!("cannot use `{}`: {}", path.display(), error)));
    let file = files::open_to_append(&path).map_err(|error| failed(&error))?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_RETRY),
        }
    }
    let what = text!("another server uses the data folder `{}`", dir.display());
    Err(Box::new(wrong(what).help("stop it, or choose another folder with `--data DIR`")))
}

pub(super) fn wrong(message: Text) -> Diagnostic {
    Diagnostic::nowhere(Code::JOURNAL, message)
}
