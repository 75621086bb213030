//! What several tests share.
#![allow(dead_code, clippy::unwrap_used, reason = "each test uses a part")]

use std::path::{Path, PathBuf};

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The shared data beside a checkout; absent in a clone of its own.
pub fn shared(path: &str) -> Option<PathBuf> {
    let found = root().join("../shared").join(path);
    found.exists().then_some(found)
}

/// Every folder below with an `expected.json`.
pub fn bundles(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok) {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.file_name().is_some_and(|n| n == "expected.json") {
                found.push(folder.clone());
            }
        }
    }
    found.sort();
    found
}

/// Runs the built binary in the project's folder: exit code, standard output, standard error.
pub fn faultscope(args: &[&str]) -> (i32, String, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_faultscope")).args(args).current_dir(root()).output().unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}
