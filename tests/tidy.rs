//! The laws of the house, held from one table. See `ARCHITECTURE.md`.

use std::fs;
use std::path::{Path, PathBuf};

/// Crates that one package only may depend on, so that each can be replaced in one place.
const OWNED: &[(&str, &str)] = &[
    ("annotate-snippets", "diag"),
    ("serde-saphyr", "value"),
    ("petgraph", "estate"),
    ("pest", "language"),
    ("csv", "import"),
    ("prost", "ingest"),
    ("snap", "ingest"),
    ("flate2", "ingest"),
    ("indradb-lib", "store"),
    ("redb", "store"),
    ("rhai", "script"),
    ("stlrs", "anomaly"),
    ("ureq", "project"),
    ("lettre", "notices"),
    ("axum", "server"),
    ("tokio", "server"),
    ("notify", "server"),
    ("hyper", "server"),
    ("hyper-util", "server"),
    ("tokio-rustls", "server"),
    ("prost", "ingest"),
    ("clap", "cli"),
];

/// Folders that may touch files.
const IO: &[&str] = &["files", "signal", "store", "project", "live", "notices", "server", "cli"];
/// Folders that may read a clock: the deadline of a script, the time that an evaluation took, when a score was received.
const CLOCK: &[&str] = &["script", "project", "server", "cli"];

/// Files outside of `files` that open files themselves, each with its reason.
const OPENS: &[(&str, &str)] = &[
    ("live/journal.rs", "appends, cuts off what was never acknowledged, and reads beside writing"),
    ("store/open.rs", "the database reads and writes in the middle of its file"),
];

/// What opens a file. Listing a folder, asking what is there, and removing are no danger: they never wait and read nothing.
const OPENING: &[&str] = &["fs::read(", "fs::read_to_string", "fs::write", "File::open", "File::create", "OpenOptions"];

const MAX_LINES: usize = 600;

pub(crate) fn rust_files(dir: &Path) -> Vec<PathBuf> {
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

pub(crate) fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Code without comments, and without what follows the inline tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("");
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

pub(crate) fn is_test(path: &Path) -> bool {
    path.components().any(|c| c.as_os_str() == "tests") || path.file_stem().is_some_and(|s| s.to_string_lossy().contains("tests"))
}

/// The packages: folders of `src`. That each uses lower levels only, cargo itself holds.
fn packages() -> Vec<String> {
    let folders = fs::read_dir(source()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let mut names: Vec<String> = folders.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn crates_stay_in_their_package() {
    let mut broken = Vec::new();
    for package in packages() {
        let manifest = fs::read_to_string(source().join(&package).join("Cargo.toml")).unwrap();
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
        for (name, owner) in OWNED {
            if package != *owner && dependencies.lines().any(|line| line.starts_with(&format!("{name}."))) {
                broken.push(format!("{package} depends on {name}, which belongs to {owner}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn only_the_edges_touch_files_and_clocks() {
    let mut broken = Vec::new();
    for folder in packages() {
        let folder = folder.as_str();
        for path in rust_files(&source().join(folder)).iter().filter(|p| !is_test(p)) {
            let code = code(path);
            if !IO.contains(&folder) && ["std::fs", "std::net", "std::process::Command", "std::env"].iter().any(|io| code.contains(io)) {
                broken.push(format!("{} does I/O", path.display()));
            }
            if !CLOCK.contains(&folder) && ["Instant::now", "SystemTime", "Timestamp::now", "Zoned::now"].iter().any(|c| code.contains(c)) {
                broken.push(format!("{} reads a clock", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// `files` reads with limits, never waits for a pipe, and writes whole files: whoever goes past it forgets one of these.
#[test]
fn only_one_package_opens_files() {
    let source = source();
    let mut opening = Vec::new();
    for path in rust_files(&source).iter().filter(|p| !is_test(p)) {
        let code = code(path);
        if OPENING.iter().any(|call| code.contains(call)) {
            opening.push(path.strip_prefix(&source).unwrap().to_string_lossy().replace('\\', "/"));
        }
    }
    opening.retain(|path| !path.starts_with("files/"));
    let excused: Vec<&str> = OPENS.iter().map(|(path, _)| *path).collect();
    assert_eq!(opening, excused, "read and write through `files`; `OPENS` lists what has a reason not to");
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
