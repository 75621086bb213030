//! Opening the file: whether it is a store, of which format, and whether it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use diag::text;
use redb::backends::FileBackend;
use redb::{Builder, Database, Durability, ReadableDatabase, TableError};

use super::StoreError;
use super::guard::Guard;
use super::tables::{ALL, META, value_of};

const MAGIC: &[u8] = b"faultscope estate";
/// Raised whenever an older program could not read what a newer one writes.
/// 2: cases.
pub(super) const FORMAT: u32 = 2;
/// Page cache. The default of the database, 1 GiB, is meant for a dedicated machine.
const CACHE_BYTES: usize = 64 << 20;

/// Opens the store, or makes one where there is no file. A file that is not a store, is damaged, or has a newer format is not modified.
pub(super) fn open(path: &Path) -> Result<Database, StoreError> {
    if is_missing(path)? {
        create(path)?;
    }
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(|error| io_error(path, &error))?;
    let guard = Guard::new(backend(file)?, true);
    let db = builder().create_with_backend(guard.clone()).map_err(|error| opening(path, error))?;
    let current = is_current(&db, path)?;
    guard.release().map_err(|error| io_error(path, &error))?;
    if !current {
        // Every older store is a newer one that has no cases yet.
        write_meta(&db)?;
    }
    Ok(db)
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
    let db = builder().create(draft).map_err(|error| opening(draft, error))?;
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

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

fn backend(file: File) -> Result<FileBackend, StoreError> {
    Ok(FileBackend::new(file).map_err(redb::Error::from)?)
}

/// Whether it is a store of the current format. A database without any table was just created.
fn is_current(db: &Database, path: &Path) -> Result<bool, StoreError> {
    let not_a_store = || StoreError::NotAStore { path: path.display().to_string() };
    let view = db.begin_read()?;
    let meta = match view.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::TableDoesNotExist(_)) => {
            let others = view.list_tables()?.count() + view.list_multimap_tables()?.count();
            return if others == 0 { Ok(false) } else { Err(not_a_store()) };
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
        Some(found) => Ok(found == FORMAT),
        None => Err(StoreError::Broken(text!("its format is not recorded"))),
    }
}

/// Creates all tables, so that readers never find one missing.
fn write_meta(db: &Database) -> Result<(), StoreError> {
    let mut transaction = db.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    for table in ALL {
        transaction.open_table(table)?;
    }
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert(b"magic".as_slice(), MAGIC)?;
        meta.insert(b"format".as_slice(), FORMAT.to_be_bytes().as_slice())?;
    }
    transaction.commit()?;
    Ok(())
}

/// When opened, a file that is not a database fails with `InvalidData`, and a truncated one with `UnexpectedEof`.
fn opening(path: &Path, error: redb::DatabaseError) -> StoreError {
    match redb::Error::from(error) {
        redb::Error::Io(error) if error.kind() == ErrorKind::InvalidData => StoreError::NotAStore { path: path.display().to_string() },
        redb::Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => StoreError::Broken(text!("the file is truncated")),
        redb::Error::Io(error) => io_error(path, &error),
        error => error.into(),
    }
}

fn io_error(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Io(text!("cannot open `{}`: {}", path.display(), error))
}
