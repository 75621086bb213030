//! The file in blocks, each with a checksum that is compared whenever the block is read.
//!
//! The database has checksums of its own, but compares them only when it repairs a file. It trusts what it reads, so that a
//! flipped bit is another topology, a row that cannot be found, or a crash. So it sees the file through [`Blocks`]: a block that
//! does not match its checksum is an error of the disk, and nothing that depends on it is answered.
//!
//! The file begins with a page for the head of the database, twice. The head is all that is written over in place; with its
//! checksum it lies within one sector, so that a crash leaves the old or the new one. After that page come the blocks, 4096
//! bytes and 8 for the checksum, which also covers the number of the block: one that was written to the wrong place is found.

use std::fmt;
use std::io::{Error, ErrorKind, Read};
use std::ops::Bound;

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use super::hash::xxh64;

/// The first bytes of the file, and of the second copy of the head.
pub(super) const MAGIC: &[u8; 16] = b"faultscope blk 1";
/// Where the copies of the head are.
pub(super) const COPIES: [u64; 2] = [0, 2048];
/// Length of the head: what the database keeps at the beginning of its file.
const HEAD: usize = 320;
/// With the magic before it and its checksum behind it.
const HEAD_ROOM: usize = MAGIC.len() + HEAD + SUM;
const BLOCK: usize = 4096;
/// Length of a checksum.
const SUM: usize = 8;
const BLOCK_ROOM: usize = BLOCK + SUM;
/// The lengths as positions in a file.
const HEAD_BYTES: u64 = 320;
const BLOCK_BYTES: u64 = 4096;
const ROOM_BYTES: u64 = 4096 + 8;

/// A block that does not match its checksum; 0 is the head.
#[derive(Debug)]
struct Damaged(u64);

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "block {} does not match its checksum", self.0)
    }
}

impl std::error::Error for Damaged {}

/// Which block is damaged, if this is what the error says.
pub(super) fn damaged_block(error: &Error) -> Option<u64> {
    error.get_ref()?.downcast_ref::<Damaged>().map(|damaged| damaged.0)
}

fn damaged(block: u64) -> Error {
    Error::new(ErrorKind::InvalidData, Damaged(block))
}

/// How many blocks are looked at to tell a store without its head from other files: a few megabytes.
const LOOKED_AT: u64 = 1024;

/// Whether blocks of a store follow, in a file that was read up to the end of the page for the head. Nothing else has their checksums.
pub(super) fn follow(mut file: impl Read) -> Result<bool, Error> {
    let mut raw = Vec::with_capacity(BLOCK_ROOM);
    for number in 1..=LOOKED_AT {
        raw.clear();
        file.by_ref().take(ROOM_BYTES).read_to_end(&mut raw)?;
        let Some((block, sum)) = raw.split_last_chunk::<SUM>().filter(|(block, _)| block.len() == BLOCK) else { return Ok(false) };
        if *sum == xxh64(block, number).to_le_bytes() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The file as the database sees it: without checksums.
#[derive(Debug)]
pub(super) struct Blocks {
    file: FileBackend,
    /// Stores from before there were checksums are the file of the database itself.
    checked: bool,
    /// As long as its head says: the end of the file may be missing.
    due: bool,
}

impl Blocks {
    pub(super) fn new(file: FileBackend, checked: bool) -> Self {
        Self { file, checked, due: false }
    }

    /// What is left of a file with checksums. A block that is not there any more cannot be read.
    pub(super) fn left_of(file: FileBackend) -> Self {
        Self { file, checked: true, due: true }
    }

    /// Whether its end is missing. Only asked of a file that could not be opened: a writer may be making it longer.
    pub(super) fn is_cut(&self) -> bool {
        let due = self.head().ok().and_then(|head| due_length(&head));
        self.checked && self.file.len().is_ok_and(|length| due.is_some_and(|due| length < place(due)))
    }

    /// The first copy that is whole.
    fn head(&self) -> Result<[u8; HEAD], Error> {
        for at in COPIES {
            let mut raw = [0u8; HEAD_ROOM];
            if let Err(error) = self.file.read(at, &mut raw)
                && error.kind() != ErrorKind::UnexpectedEof
            {
                return Err(error);
            }
            if let Some(head) = whole_head(&raw) {
                return Ok(head);
            }
        }
        Err(damaged(0))
    }

    fn write_head(&self, offset: usize, data: &[u8]) -> Result<(), Error> {
        let mut head = if data.len() == HEAD { [0u8; HEAD] } else { self.head()? };
        head.get_mut(offset..).and_then(|rest| rest.get_mut(..data.len())).ok_or_else(unaligned)?.copy_from_slice(data);
        let mut raw = [MAGIC.as_slice(), &head].concat();
        raw.extend(xxh64(&raw, 0).to_le_bytes());
        COPIES.into_iter().try_for_each(|at| self.file.write(at, &raw))
    }

    fn read_blocks(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        let mut raw = vec![0u8; blocks_of(offset, out.len())? * BLOCK_ROOM];
        self.file.read(place(offset), &mut raw)?;
        let numbers = offset / BLOCK_BYTES..;
        for (number, (target, stored)) in numbers.zip(out.chunks_exact_mut(BLOCK).zip(raw.chunks_exact(BLOCK_ROOM))) {
            let (block, sum) = stored.split_at_checked(BLOCK).ok_or_else(unaligned)?;
            if sum != xxh64(block, number).to_le_bytes() {
                return Err(damaged(number));
            }
            target.copy_from_slice(block);
        }
        Ok(())
    }

    fn write_blocks(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        let mut raw = Vec::with_capacity(blocks_of(offset, data.len())? * BLOCK_ROOM);
        for (number, block) in (offset / BLOCK_BYTES..).zip(data.chunks_exact(BLOCK)) {
            raw.extend_from_slice(block);
            raw.extend(xxh64(block, number).to_le_bytes());
        }
        self.file.write(place(offset), &raw)
    }
}

/// The head in what was read, if it matches its checksum.
fn whole_head(raw: &[u8; HEAD_ROOM]) -> Option<[u8; HEAD]> {
    let (covered, sum) = raw.split_at_checked(HEAD_ROOM - SUM)?;
    let head = covered.strip_prefix(MAGIC.as_slice())?;
    if sum == xxh64(covered, 0).to_le_bytes() { head.try_into().ok() } else { None }
}

/// How long the database takes its file to be: a page for the head, then regions of pages, of which the last is a shorter one. What
/// is shorter than that was cut: the database makes a file longer before it says so, and shorter after.
fn due_length(head: &[u8; HEAD]) -> Option<u64> {
    const SIZES: usize = 12;
    let (sizes, _) = head.get(SIZES..)?.as_chunks::<4>();
    let sizes: [[u8; 4]; 5] = *sizes.first_chunk::<5>()?;
    let [page, before, most, full, last] = sizes.map(|size| u64::from(u32::from_le_bytes(size)));
    let rest = if last > 0 { before + last } else { 0 };
    let pages = full.checked_mul(before + most)?.checked_add(rest + 1)?;
    pages.checked_mul(page).filter(|length| length.is_multiple_of(BLOCK_BYTES))
}

/// How many blocks this is, if it is whole ones.
fn blocks_of(offset: u64, length: usize) -> Result<usize, Error> {
    let whole = offset >= BLOCK_BYTES && offset.is_multiple_of(BLOCK_BYTES) && length.is_multiple_of(BLOCK);
    if whole { Ok(length / BLOCK) } else { Err(unaligned()) }
}

/// If it is within the head, where.
fn within_head(offset: u64, length: usize) -> Option<usize> {
    let at = usize::try_from(offset).ok().filter(|_| offset < HEAD_BYTES)?;
    (at + length <= HEAD).then_some(at)
}

/// Where in the file a block lies that the database believes at `offset`; of a length, the length of the file.
fn place(offset: u64) -> u64 {
    match (offset / BLOCK_BYTES).checked_sub(1) {
        Some(before) => BLOCK_BYTES.saturating_add(before.saturating_mul(ROOM_BYTES)),
        None => 0,
    }
}

/// The reverse, for the length of the file. None but a cut file has another length.
fn logical(length: u64) -> Result<u64, Error> {
    if length == 0 {
        return Ok(0);
    }
    let blocks = length.checked_sub(BLOCK_BYTES).filter(|rest| rest.is_multiple_of(ROOM_BYTES));
    let blocks = blocks.ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))? / ROOM_BYTES;
    Ok(BLOCK_BYTES + blocks * BLOCK_BYTES)
}

fn unaligned() -> Error {
    Error::new(ErrorKind::InvalidInput, "not whole blocks")
}

impl StorageBackend for Blocks {
    fn len(&self) -> Result<u64, Error> {
        if self.due {
            return due_length(&self.head()?).ok_or_else(|| damaged(0));
        }
        let length = self.file.len()?;
        if self.checked { logical(length) } else { Ok(length) }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        if !self.checked {
            return self.file.read(offset, out);
        }
        let Some(at) = within_head(offset, out.len()) else { return self.read_blocks(offset, out) };
        let head = self.head()?;
        let part = head.get(at..).and_then(|rest| rest.get(..out.len())).ok_or_else(unaligned)?;
        out.copy_from_slice(part);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), Error> {
        if self.checked && !len.is_multiple_of(BLOCK_BYTES) {
            return Err(unaligned());
        }
        self.file.set_len(if self.checked { place(len) } else { len })
    }

    fn sync_data(&self) -> Result<(), Error> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        if !self.checked {
            return self.file.write(offset, data);
        }
        match within_head(offset, data.len()) {
            Some(at) => self.write_head(at, data),
            None => self.write_blocks(offset, data),
        }
    }

    fn close(&self) -> Result<(), Error> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::{logical, place};

    #[test]
    fn places_come_back() {
        for blocks in 1..5u64 {
            assert_eq!(logical(place(blocks * 4096)).ok(), Some(blocks * 4096));
        }
        assert_eq!((place(0), place(4096), place(8192)), (0, 4096, 8200));
        for cut in [1, 4095, 4097, 8199] {
            assert!(logical(cut).is_err(), "{cut}");
        }
    }
}
