//! Finds and reads files, always sorted by path, so that no result depends on the file system's order.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use diag::{Code, Diagnostic, SourceId, Sources, text};

/// The largest text file that is read, in bytes. A topology of a million components is smaller.
pub const MAX_TEXT_BYTES: u64 = 512 << 20;

/// All files below a folder with one of the extensions, by path. A folder that cannot be read is reported. Each folder is visited
/// once, so that a link to a parent folder cannot cause an endless loop.
pub fn below(dir: &Path, extensions: &[&str], diagnostics: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(folder) = open.pop() {
        let real = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        if !seen.insert(real) {
            continue;
        }
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                diagnostics.push(Diagnostic::nowhere(Code::UNREADABLE, text!("cannot read `{}`: {}", folder.display(), error)));
                continue;
            }
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|e| e.path()).collect();
        paths.sort();
        for path in paths {
            let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
            if hidden {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if path.is_symlink() && !path.exists() {
                // It may have been a folder full of files.
                let message = text!("`{}` is a link to nothing", path.display());
                diagnostics.push(Diagnostic::nowhere(Code::UNREADABLE, message).help("bring back what it points to, or remove the link"));
            } else if path.extension().is_some_and(|e| extensions.iter().any(|x| e == *x)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A number that changes when a file of a project appears, goes, or is written: made of names, sizes and times of change, without reading
/// the files.
pub fn stamp(root: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (folder, extensions) in FOLDERS {
        let mut unread = Vec::new();
        for path in below(&root.join(folder), extensions, &mut unread) {
            path.hash(&mut hasher);
            hash_of(&path, &mut hasher);
        }
        unread.len().hash(&mut hasher);
    }
    hash_of(&root.join(knowledge::feedback::JOURNAL), &mut hasher);
    hasher.finish()
}

/// The folders of a project, with the endings of the files in them.
pub(super) const FOLDERS: [(&str, &[&str]); 3] =
    [("topology", &["yaml", "yml", "json"]), ("rules", &["rules", "rhai"]), ("cases", &["yaml", "yml"])];

fn hash_of(path: &Path, hasher: &mut DefaultHasher) {
    if let Ok(found) = std::fs::metadata(path) {
        (found.len(), found.modified().ok()).hash(hasher);
    }
}

/// Reads a text file into the sources, under its path relative to `root`.
pub fn read(sources: &mut Sources, root: &Path, path: &Path, diagnostics: &mut Vec<Diagnostic>) -> Option<SourceId> {
    let shown = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
    match files::read_text(path, &shown, MAX_TEXT_BYTES) {
        Ok(text) => Some(sources.add(shown, text)),
        Err(error) if error.code == Code::TOO_LARGE => {
            diagnostics.push(error.help("split it into several files"));
            None
        }
        Err(error) => {
            diagnostics.push(*error);
            None
        }
    }
}
