//! IndraDB's own test suite over the datastore of the estate.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use indradb::{define_test, full_test_impl};
use store::RedbDatastore;

/// A file of its own for each test.
fn fresh() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("indradb").join(format!("{}-{number}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir.join("estate.redb")
}

full_test_impl!(RedbDatastore::new_db(&fresh()).unwrap());
