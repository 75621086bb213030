//! The journal of accepted requests: what a sender was told is kept, a crash does not lose.
//!
//! Segments named by the number of their first entry. An entry is a mark, the length and the CRC-32 of what follows, then its number,
//! when it was received, the sender's protocol and the body. An entry counts as written once its segment is synced; an incomplete one at
//! the end was never acknowledged, and the next start cuts it off. Damage in the middle costs the entries that it hits: reading goes on
//! at the next mark with a sound checksum, and says how many bytes it passed over.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration as Wait;

use diag::{Code, Diagnostic, Text, text};
use ingest::Protocol;
use value::{Duration, HOUR, Time};

/// A new segment begins beyond this size, in bytes. Entries are forgotten by whole segments.
const SEGMENT: u64 = 32 << 20;

/// The longest entry, in bytes: more than any request may have.
const MAX_ENTRY: usize = 80 << 20;

/// Begins each entry, so that reading finds the next one behind damage.
const MARK: [u8; 4] = [0xFA, b'f', b's', b'j'];

/// Mark, length, checksum.
const HEAD: usize = 12;

/// Number, time of receipt, protocol.
const FIXED: usize = 17;

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

/// How much of the past is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Entries received within this time are kept,
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
struct Segment {
    path: PathBuf,
    first: u64,
    length: u64,
    /// When its last entry was received; [`Time::MIN`] without any.
    last_received: Time,
}

/// See the module.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    /// Oldest first; the last one is written to.
    segments: Vec<Segment>,
    file: File,
    next: u64,
    retention: Retention,
    /// Segments dropped because the journal was too large, although they were young.
    pub dropped_young: u64,
    /// Locked as long as the journal is open: two servers would overwrite each other.
    _lock: File,
}

impl Journal {
    /// Opens or starts the journal in a folder. Also returns what it had to repair or pass over.
    ///
    /// # Errors
    /// `JOURNAL`: a folder that cannot be used, or that another server uses.
    pub fn open(dir: &Path, retention: Retention) -> Result<(Journal, Vec<Text>), Box<Diagnostic>> {
        let failed = |error: &std::io::Error| Box::new(wrong(text!("cannot use the journal in `{}`: {}", dir.display(), error)));
        std::fs::create_dir_all(dir).map_err(|error| failed(&error))?;
        let lock = lock(dir)?;
        let mut segments = listed(dir).map_err(|error| failed(&error))?;
        let mut said = Vec::new();
        let mut next = segments.first().map_or(1, |segment| segment.first);
        let last = segments.len().saturating_sub(1);
        for (at, segment) in segments.iter_mut().enumerate() {
            next = next.max(segment.first);
            let mut reader = SegmentReader::open(&segment.path).map_err(|error| failed(&error))?;
            while let Some(entry) = reader.next_entry() {
                next = entry.number + 1;
                segment.last_received = segment.last_received.max(entry.received);
            }
            if reader.passed_over > 0 {
                let what = text!("journal `{}`: {} damaged bytes passed over", segment.path.display(), reader.passed_over);
                said.push(what);
            }
            if at == last && reader.sound_until < segment.length {
                // Never acknowledged: the sync that would have made it count did not finish.
                let torn = segment.length - reader.sound_until;
                let file = OpenOptions::new().write(true).open(&segment.path).map_err(|error| failed(&error))?;
                file.set_len(reader.sound_until).and_then(|()| file.sync_all()).map_err(|error| failed(&error))?;
                segment.length = reader.sound_until;
                said.push(text!("journal `{}`: removed an incomplete entry of {} bytes at its end", segment.path.display(), torn));
            }
        }
        if segments.is_empty() {
            segments.push(begin(dir, next).map_err(|error| failed(&error))?);
        }
        let Some(newest) = segments.last() else {
            return Err(Box::new(wrong(text!("cannot use the journal in `{}`: {}", dir.display(), "no segment"))));
        };
        let file = OpenOptions::new().append(true).open(&newest.path).map_err(|error| failed(&error))?;
        let journal = Journal { dir: dir.to_path_buf(), segments, file, next, retention, dropped_young: 0, _lock: lock };
        Ok((journal, said))
    }

    /// The number that the next entry gets.
    pub fn next(&self) -> u64 {
        self.next
    }

    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.length).sum()
    }

    /// Writes entries and waits until they are on disk. Returns the number of the first one. After an error nothing of them is kept.
    pub fn append<'b>(&mut self, entries: impl Iterator<Item = (Time, Protocol, &'b [u8])>) -> std::io::Result<u64> {
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
        let Some(segment) = self.segments.last_mut() else { return Err(std::io::Error::other("no segment")) };
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // What was partly written must not stand before what is written next.
            self.file.set_len(segment.length)?;
            return Err(error);
        }
        segment.length += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        segment.last_received = segment.last_received.max(latest);
        self.next = number;
        Ok(first)
    }

    /// Begins a new segment if the current one is full.
    fn roll(&mut self) -> std::io::Result<()> {
        if self.segments.last().is_some_and(|segment| segment.length < SEGMENT) {
            return Ok(());
        }
        let segment = begin(&self.dir, self.next)?;
        self.file = OpenOptions::new().append(true).open(&segment.path)?;
        self.segments.push(segment);
        Ok(())
    }

    /// Removes segments that are too old, and the oldest of a journal that is too large. The current one stays.
    pub fn forget(&mut self, now: Time) -> std::io::Result<()> {
        let oldest = now.minus(self.retention.age);
        while let [first, _, ..] = self.segments.as_slice() {
            let aged = first.last_received < oldest;
            if !aged && self.bytes() <= self.retention.bytes {
                break;
            }
            self.dropped_young += u64::from(!aged);
            std::fs::remove_file(&first.path)?;
            self.segments.remove(0);
        }
        Ok(())
    }

    /// The entries as of now from a number on, read beside further writing.
    pub fn reader(&self, from: u64) -> Entries {
        let first = self.segments.partition_point(|segment| segment.first <= from).saturating_sub(1);
        let paths = self.segments.iter().skip(first).map(|segment| segment.path.clone()).collect::<Vec<_>>();
        Entries { paths: paths.into_iter(), current: None, from, until: self.next }
    }
}

/// The entries of a journal, in the order in which they were received.
pub struct Entries {
    paths: std::vec::IntoIter<PathBuf>,
    current: Option<SegmentReader>,
    from: u64,
    until: u64,
}

impl Iterator for Entries {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        loop {
            let Some(reader) = &mut self.current else {
                let path = self.paths.next()?;
                // A segment that was forgotten meanwhile has nothing for us any more.
                self.current = SegmentReader::open(&path).ok();
                continue;
            };
            match reader.next_entry() {
                Some(entry) if entry.number >= self.until => return None,
                Some(entry) if entry.number >= self.from => return Some(entry),
                Some(_) => {}
                None => self.current = None,
            }
        }
    }
}

struct SegmentReader {
    bytes: Vec<u8>,
    at: usize,
    /// The end of the last sound entry.
    sound_until: u64,
    passed_over: usize,
}

impl SegmentReader {
    fn open(path: &Path) -> std::io::Result<SegmentReader> {
        let mut file = File::open(path)?;
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        file.read_to_end(&mut bytes)?;
        Ok(SegmentReader { bytes, at: 0, sound_until: 0, passed_over: 0 })
    }

    fn next_entry(&mut self) -> Option<Entry> {
        let from = self.at;
        loop {
            let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
            if let Some((entry, length)) = decode(rest) {
                self.passed_over += self.at - from;
                self.at += length;
                self.sound_until = u64::try_from(self.at).unwrap_or(u64::MAX);
                return Some(entry);
            }
            // Damage: on to the next mark.
            let next = rest.windows(MARK.len()).skip(1).position(|window| window == MARK)?;
            self.at += next + 1;
        }
    }
}

fn encode(number: u64, received: Time, protocol: Protocol, body: &[u8], into: &mut Vec<u8>) -> std::io::Result<()> {
    let length = body.len() + FIXED;
    let Some(written) = u32::try_from(length).ok().filter(|_| length <= MAX_ENTRY) else {
        return Err(std::io::Error::new(ErrorKind::InvalidInput, "an entry larger than any request"));
    };
    let mut content = Vec::with_capacity(length);
    content.extend(number.to_le_bytes());
    content.extend(received.0.to_le_bytes());
    content.push(protocol.code());
    content.extend(body);
    into.extend(MARK);
    into.extend(written.to_le_bytes());
    into.extend(crc32fast::hash(&content).to_le_bytes());
    into.extend(content);
    Ok(())
}

/// The entry at the beginning of `bytes` and its length, if it is sound.
fn decode(bytes: &[u8]) -> Option<(Entry, usize)> {
    let rest = bytes.strip_prefix(MARK.as_slice())?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok().filter(|length| (FIXED..=MAX_ENTRY).contains(length))?;
    let content = rest.get(..length)?;
    if crc32fast::hash(content) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let (number, rest) = content.split_first_chunk::<8>()?;
    let (received, rest) = rest.split_first_chunk::<8>()?;
    let (protocol, body) = rest.split_first()?;
    let entry = Entry {
        number: u64::from_le_bytes(*number),
        received: Time(i64::from_le_bytes(*received)),
        protocol: Protocol::of_code(*protocol)?,
        body: body.to_vec(),
    };
    Some((entry, HEAD + length))
}

fn begin(dir: &Path, first: u64) -> std::io::Result<Segment> {
    let path = dir.join(format!("{first:020}.journal"));
    let file = OpenOptions::new().create(true).append(true).open(&path)?;
    file.sync_all()?;
    // The name counts only once the folder is on disk.
    File::open(dir)?.sync_all()?;
    Ok(Segment { path, first, length: 0, last_received: Time::MIN })
}

fn listed(dir: &Path) -> std::io::Result<Vec<Segment>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(first) = name.strip_suffix(".journal").and_then(|number| number.parse().ok()) else { continue };
        let length = std::fs::metadata(&path)?.len();
        found.push(Segment { path, first, length, last_received: Time::MIN });
    }
    found.sort_by_key(|segment| segment.first);
    Ok(found)
}

fn lock(dir: &Path) -> Result<File, Box<Diagnostic>> {
    let path = dir.join("lock");
    let failed = |error: &std::io::Error| Box::new(wrong(text!("cannot use `{}`: {}", path.display(), error)));
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(|error| failed(&error))?;
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

fn wrong(message: Text) -> Diagnostic {
    Diagnostic::nowhere(Code::JOURNAL, message)
}
