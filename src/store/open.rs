//! Opening the file: whether it is a store, of which format, and whether it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use diag::text;
use redb::backends::FileBackend;
use redb::{Builder, ConcurrencyMode, Database, ReadOnlyDatabase, ReadableDatabase, TableError, WriteTransaction};

use super::StoreError;
use super::blocks::{self, Blocks, COPIES, MAGIC as BLOCKS, damaged_block};
use super::guard::Guard;
use super::tables::{ALL, LISTED, META, value_of, write_to};

const MAGIC: &[u8] = b"faultscope estate";
/// Raised whenever an older program could not read what a newer one writes.
/// 2: cases. 3: the file has blocks with checksums. 4: the estate is merged when it is read, the graph has its properties in the
/// rows of vertices and edges, and the journal and the layers of relations are no JSON.
const FORMAT: u32 = 4;
/// Page cache of who reads. The default of the database, 1 GiB, is meant for a dedicated machine.
const CACHE_BYTES: usize = 64 << 20;
/// Who writes has the pages of one transaction in it, too: what does not fit is written, read and written again.
const WRITE_CACHE_BYTES: usize = 256 << 20;

/// What may be done with an open store.
#[derive(Debug, Clone)]
pub(super) enum Access {
    Write,
    /// What is written would not reach the file.
    Read,
    /// As well, and not its graph: an older program made the file.
    Older(StoreError),
}

impl Access {
    pub(super) fn may_write(&self) -> Result<(), StoreError> {
        match self {
            Access::Write => Ok(()),
            Access::Read | Access::Older(_) => Err(StoreError::read_only()),
        }
    }
}

/// Opens the store, or makes one where there is no file. A file that is not a store, is damaged, or has another format is not modified.
pub(super) fn open(path: &Path) -> Result<Database, StoreError> {
    if is_missing(path)? {
        create(path)?;
    }
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(|error| io_error(path, &error))?;
    let opened = opened(path, file, &Ask { shared: false, verify: false })?;
    if opened.is_older() {
        return Err(older(path));
    }
    let Opened { db, guard, format, .. } = opened;
    guard.release().map_err(|error| io_error(path, &error))?;
    if format.is_none() {
        write_meta(&db)?;
    }
    Ok(db)
}

/// Opens a store that is there, and changes no byte of it: the file of a writer that crashed is repaired in memory. Others may read
/// it at the same time. With `verify`, everything that the database itself keeps is compared with its checksums as well.
pub(super) fn open_to_read(path: &Path, verify: bool) -> Result<(Database, Access), StoreError> {
    let opened = opened(path, file_to_read(path)?, &Ask { shared: true, verify })?;
    let access = if opened.is_older() { Access::Older(older(path)) } else { Access::Read };
    Ok((opened.db, access))
}

fn older(path: &Path) -> StoreError {
    StoreError::Older { path: path.display().to_string() }
}

/// Opens what can be opened of a damaged store: whatever is needed for writing only is not read. `None` for stores without checksums.
pub(super) fn open_damaged(path: &Path) -> Result<Option<ReadOnlyDatabase>, StoreError> {
    let file = file_to_read(path)?;
    if !is_checked(&file, path)? {
        return Ok(None);
    }
    let guard = Guard::new(Blocks::left_of(backend(file)?), true);
    guard.without_repair().map_err(redb::Error::Io)?;
    let mut builder = builder(CACHE_BYTES);
    // In this mode the list of free pages is not read.
    builder.set_concurrency_mode(ConcurrencyMode::SingleWriter);
    builder.open_read_only_with_backend(guard).map(Some).map_err(|error| opening(path, error))
}

fn file_to_read(path: &Path) -> Result<File, StoreError> {
    if is_missing(path)? {
        return Err(io_error(path, &io::Error::from(ErrorKind::NotFound)));
    }
    OpenOptions::new().read(true).open(path).map_err(|error| io_error(path, &error))
}

struct Ask {
    shared: bool,
    verify: bool,
}

struct Opened {
    db: Database,
    /// Nothing was written yet.
    guard: Guard,
    /// `None` for a database without any table: it was just created.
    format: Option<u32>,
    /// Whether its blocks have checksums.
    checked: bool,
}

impl Opened {
    fn is_older(&self) -> bool {
        !self.checked || self.format.is_some_and(|format| format < FORMAT)
    }
}

fn opened(path: &Path, file: File, ask: &Ask) -> Result<Opened, StoreError> {
    let checked = is_checked(&file, path)?;
    let guard = Guard::new(Blocks::new(backend(file)?, checked), ask.shared);
    let mut builder = builder(if ask.shared { CACHE_BYTES } else { WRITE_CACHE_BYTES });
    // Without checksums of its own, only the database can tell that the file is whole, and only now.
    builder.set_check_integrity_on_open(ask.verify || !checked);
    let db = caught(|| builder.create_with_backend(guard.clone()).map_err(|error| opening(path, error)));
    let db = db.map_err(|error| whole_or_cut(error, &guard))?;
    let format = caught(|| format_of(&db, path));
    let format = format.map_err(|error| whole_or_cut(error, &guard))?;
    Ok(Opened { db, guard, format, checked })
}

/// That the end is missing says more than what the database stumbles over then.
fn whole_or_cut(error: StoreError, guard: &Guard) -> StoreError {
    if matches!(error, StoreError::Broken(_)) && guard.is_cut() { StoreError::truncated() } else { error }
}

/// The database takes what it reads to be what it wrote, and a file without checksums may hold anything.
pub(super) fn caught<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(StoreError::Broken(text!("the database cannot read it"))))
}

/// Whether the blocks of the file have checksums: those of new files do, even if one of the copies of the head is damaged. Without
/// either, it is a damaged store all the same.
fn is_checked(file: &File, path: &Path) -> Result<bool, StoreError> {
    let mut start = Vec::new();
    file.take(4096).read_to_end(&mut start).map_err(|error| io_error(path, &error))?;
    if BLOCKS.starts_with(&start) {
        // Empty, or cut within its first word.
        return Ok(true);
    }
    let begins = |at: &u64| usize::try_from(*at).ok().and_then(|at| start.get(at..)).is_some_and(|rest| rest.starts_with(BLOCKS));
    if COPIES.iter().any(begins) {
        return Ok(true);
    }
    if blocks::follow(file).map_err(|error| io_error(path, &error))? {
        return Err(StoreError::Broken(text!("the head of the file is gone")));
    }
    Ok(false)
}

/// An empty file counts as present, and is made into a store.
fn is_missing(path: &Path) -> Result<bool, StoreError> {
    if let Some(what) = files::special(path) {
        return Err(StoreError::NotAFile { path: path.display().to_string(), what });
    }
    match fs::metadata(path) {
        Ok(_) => Ok(false),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(io_error(path, &error)),
    }
}

/// Under another name first, so that a crash never leaves half a store under this one.
fn create(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    fs::create_dir_all(&folder).map_err(|error| io_error(&folder, &error))?;
    let name = path.file_name().map_or_else(|| "estate".to_owned(), |name| name.to_string_lossy().into_owned());
    let draft = folder.join(format!(".{name}.{}.new", std::process::id()));
    let made = draft_store(&draft).and_then(|()| publish(&draft, path));
    // The draft is no longer needed, whether it was published or not.
    let _ = fs::remove_file(&draft);
    made?;
    // So that the name survives a power loss, too. Not every system can do this, and the store itself is on disk.
    let _ = files::sync_folder(&folder);
    Ok(())
}

fn draft_store(draft: &Path) -> Result<(), StoreError> {
    let _ = fs::remove_file(draft);
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(draft).map_err(|error| io_error(draft, &error))?;
    let blocks = Blocks::new(backend(file)?, true);
    let db = builder(CACHE_BYTES).create_with_backend(blocks).map_err(|error| opening(draft, error))?;
    write_meta(&db)?;
    db.close().map_err(|error| opening(draft, error))
}

/// A link fails if another process was faster: its file is then the store, and a rename would overwrite it.
fn publish(draft: &Path, path: &Path) -> Result<(), StoreError> {
    match fs::hard_link(draft, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        // Not every file system has links.
        Err(_) => fs::rename(draft, path).map_err(|error| io_error(path, &error)),
    }
}

fn builder(cache: usize) -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(cache);
    builder
}

fn backend(file: File) -> Result<FileBackend, StoreError> {
    Ok(FileBackend::new(file).map_err(redb::Error::from)?)
}

/// The format of a store that is not newer than this program. A database without any table was just created.
fn format_of(db: &Database, path: &Path) -> Result<Option<u32>, StoreError> {
    let not_a_store = || StoreError::NotAStore { path: path.display().to_string() };
    let view = db.begin_read()?;
    let meta = match view.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::TableDoesNotExist(_)) => {
            let others = view.list_tables()?.count() + view.list_multimap_tables()?.count();
            return if others == 0 { Ok(None) } else { Err(not_a_store()) };
        }
        Err(TableError::Storage(error)) => return Err(error.into()),
        Err(_) => return Err(not_a_store()),
    };
    if value_of(&meta, b"magic")?.as_deref() != Some(MAGIC) {
        return Err(not_a_store());
    }
    let format = value_of(&meta, b"format")?.and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()).map(u32::from_be_bytes);
    match format {
        Some(found) if found > FORMAT => Err(StoreError::Newer { found, known: FORMAT }),
        Some(found) => Ok(Some(found)),
        None => Err(StoreError::Broken(text!("its format is not recorded"))),
    }
}

/// Creates all tables, so that readers never find one missing.
fn write_meta(db: &Database) -> Result<(), StoreError> {
    let transaction = write_to(db)?;
    create_tables(&transaction)?;
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert(b"magic".as_slice(), MAGIC)?;
        meta.insert(LISTED, b"".as_slice())?;
        meta.insert(b"format".as_slice(), FORMAT.to_be_bytes().as_slice())?;
    }
    transaction.commit()?;
    Ok(())
}

fn create_tables(transaction: &WriteTransaction) -> Result<(), StoreError> {
    for table in ALL {
        transaction.open_table(table)?;
    }
    Ok(())
}

/// When opened, a file that is not a database fails with `InvalidData`, and a truncated one with `UnexpectedEof`.
fn opening(path: &Path, error: redb::DatabaseError) -> StoreError {
    match redb::Error::from(error) {
        redb::Error::Io(error) if damaged_block(&error).is_some() => redb::Error::Io(error).into(),
        redb::Error::Io(error) if error.kind() == ErrorKind::InvalidData => StoreError::NotAStore { path: path.display().to_string() },
        redb::Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => StoreError::truncated(),
        redb::Error::Io(error) => io_error(path, &error),
        error => error.into(),
    }
}

fn io_error(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Io(text!("cannot open `{}`: {}", path.display(), error))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Access, META, StoreError, open, open_to_read, write_to};

    #[test]
    fn older_formats_are_read_and_not_written() {
        let dir = std::env::temp_dir().join(format!("faultscope-older-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("estate.redb");
        let _ = fs::remove_file(&path);
        let db = open(&path).unwrap();
        let transaction = write_to(&db).unwrap();
        transaction.open_table(META).unwrap().insert(b"format".as_slice(), 3u32.to_be_bytes().as_slice()).unwrap();
        transaction.commit().unwrap();
        drop(db);
        let before = fs::read(&path).unwrap();
        assert!(matches!(open(&path), Err(StoreError::Older { .. })));
        let (db, access) = open_to_read(&path, false).unwrap();
        assert!(matches!(access, Access::Older(_)) && access.may_write().is_err());
        drop(db);
        assert!(fs::read(&path).unwrap() == before, "the file was touched");
        fs::remove_dir_all(&dir).unwrap();
    }
}
