//! The laws of the house, held from one table. See `ARCHITECTURE.md`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice, reason = "a test that fails may panic")]

use std::fs;
use std::path::{Path, PathBuf};

/// Folder, level, crates that are named here only.
const HOUSE: &[(&str, u32, &[&str])] = &[
    ("diag", 0, &["annotate_snippets"]),
    ("value", 1, &["serde_saphyr"]),
    ("estate", 2, &["petgraph"]),
    ("language", 2, &["pest", "pest_derive"]),
    ("signal", 3, &[]),
    ("import", 3, &["csv"]),
    ("store", 3, &["indradb", "redb", "uuid"]),
    ("compile", 4, &[]),
    ("engine", 5, &[]),
    ("script", 5, &["rhai"]),
    ("knowledge", 6, &["bm25", "jieba_rs"]),
    ("anomaly", 6, &["augurs"]),
    ("localize", 7, &[]),
    ("change", 7, &[]),
    ("world", 8, &["reqwest", "rustls"]),
    ("mine", 9, &[]),
    ("server", 9, &["axum", "tokio"]),
    ("cli", 10, &["clap"]),
];

/// Folders that may touch files.
const IO: &[&str] = &["signal", "store", "world", "server", "cli"];
/// Folders that may read a clock: the deadline of a script, the time that an evaluation took, when a score was received.
const CLOCK: &[&str] = &["script", "world", "server", "cli"];

const MAX_LINES: usize = 600;

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Code without comments, and without what follows the inline tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("");
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

fn is_test(path: &Path) -> bool {
    path.components().any(|c| c.as_os_str() == "tests") || path.file_stem().is_some_and(|s| s.to_string_lossy().contains("tests"))
}

#[test]
fn every_folder_is_in_the_table() {
    for entry in fs::read_dir(source()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            assert!(HOUSE.iter().any(|(folder, ..)| *folder == name), "src/{name} has no level");
        }
    }
}

#[test]
fn a_folder_uses_strictly_lower_levels() {
    let mut broken = Vec::new();
    for (folder, level, _) in HOUSE {
        for path in rust_files(&source().join(folder)) {
            let code = code(&path);
            for (other, other_level, _) in HOUSE {
                let named = code.contains(&format!("crate::{other}::")) || code.contains(&format!("crate::{other};"));
                if other != folder && other_level >= level && named && !is_test(&path) {
                    broken.push(format!("{} ({level}) uses {other} ({other_level})", path.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn crates_stay_in_their_folder() {
    let mut broken = Vec::new();
    for path in rust_files(&source()) {
        let code = code(&path);
        for (folder, _, crates) in HOUSE {
            for name in *crates {
                let inside = path.starts_with(source().join(folder));
                if !inside && (code.contains(&format!("{name}::")) || code.contains(&format!("use {name}"))) {
                    broken.push(format!("{} names {name}, which belongs to {folder}", path.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn only_the_edges_touch_files_and_clocks() {
    let mut broken = Vec::new();
    for (folder, ..) in HOUSE {
        for path in rust_files(&source().join(folder)).iter().filter(|p| !is_test(p)) {
            let code = code(path);
            if !IO.contains(folder) && ["std::fs", "std::net", "std::process::Command", "std::env"].iter().any(|io| code.contains(io)) {
                broken.push(format!("{} does I/O", path.display()));
            }
            if !CLOCK.contains(folder) && ["Instant::now", "SystemTime", "Timestamp::now", "Zoned::now"].iter().any(|c| code.contains(c)) {
                broken.push(format!("{} reads a clock", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn nothing_depends_on_hash_order() {
    for path in rust_files(&source()) {
        let code = code(&path);
        let found = ["HashMap", "HashSet"].iter().find(|name| code.contains(**name));
        // A map that is only looked up in, never walked, says so in a comment on its line.
        let text = fs::read_to_string(&path).unwrap();
        let excused = text
            .lines()
            .filter(|l| l.contains("HashMap") || l.contains("HashSet"))
            .all(|l| l.contains("// lookup only") || l.trim_start().starts_with("//") || l.trim_start().starts_with("use "));
        assert!(found.is_none() || excused, "{} uses {found:?}: iteration order would show", path.display());
    }
}

#[test]
fn files_stay_readable() {
    for path in rust_files(&source()) {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines; is there a second room inside?", path.display());
    }
}
