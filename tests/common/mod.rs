//! What several tests share.
#![allow(dead_code, clippy::unwrap_used, reason = "each test uses a part")]

pub mod running;

use std::path::{Path, PathBuf};

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The shared data beside a checkout. Tests that need it carry `#[cfg_attr(not(shared), ignore = "needs ../shared")]`.
pub fn shared(path: &str) -> PathBuf {
    root().join("../shared").join(path)
}

/// Holds `text` against `tests/snapshots/SUITE/NAME.snap`. `INSTA_UPDATE=always cargo test` blesses all, `cargo insta review` one by
/// one.
pub fn snapshot(suite: &str, name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join("tests/snapshots").join(suite));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
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
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_faultscope"))
        .args(args)
        .current_dir(root())
        .env("LC_ALL", "C")
        .env_remove("TZ")
        .output()
        .unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}
