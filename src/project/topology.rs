//! Loads a topology without rules and cases, for comparing the two sides of a merge request.

use std::path::Path;

use diag::{Code, Diagnostic, SourceId, Sources, sort, text};
use estate::{Built, Snapshot, build_over};

use super::folder::{below, read};
use super::recorded::declared_beside;

/// An estate with its source files.
#[derive(Debug)]
pub struct Topology {
    pub sources: Sources,
    pub estate: Snapshot,
    /// All errors and warnings. Invalid items are left out.
    pub diagnostics: Vec<Diagnostic>,
}

const MODEL: [&str; 2] = ["topology/model.yaml", "topology/model.yml"];
const SOURCES: [&str; 2] = ["topology/sources.yaml", "topology/sources.yml"];

/// Reads a topology: from `topology/` in the folder if that exists, else from the folder itself. Its files may speak of components of the
/// store.
pub fn load_topology(dir: &Path, store: &Path) -> Result<Topology, Box<Diagnostic>> {
    let inner = dir.join("topology");
    let tree = if inner.is_dir() { inner } else { dir.to_path_buf() };
    if !tree.is_dir() {
        let message = text!("no such folder: `{}`", dir.display());
        return Err(Box::new(Diagnostic::nowhere(Code::NO_PROJECT, message).help("name a folder with topology files")));
    }
    let mut diagnostics = Vec::new();
    let mut texts = Sources::default();
    let paths = below(&tree, &["yaml", "yml", "json"], &mut diagnostics);
    let files: Vec<SourceId> = paths.iter().filter_map(|path| read(&mut texts, &tree, path, &mut diagnostics)).collect();
    // The files get the names they have in a project, wherever the folder is.
    let mut sources = Sources::default();
    let (mut model, mut topology) = (Vec::new(), Vec::new());
    for file in files {
        let name = format!("topology/{}", texts.path(file));
        let id = sources.add(name.clone(), texts.text(file));
        if MODEL.contains(&name.as_str()) {
            model.push(id);
        } else if !SOURCES.contains(&name.as_str()) {
            topology.push(id);
        }
    }
    let built = build_over(&sources, &model, &topology, |relations| declared_beside(store, relations, &mut diagnostics));
    let Built { estate, diagnostics: found, .. } = built;
    diagnostics.extend(found);
    sort(&sources, &mut diagnostics);
    if paths.is_empty() {
        let message = text!("no topology files in `{}`", tree.display());
        return Err(Box::new(Diagnostic::nowhere(Code::NO_PROJECT, message).help("name a folder with `.yaml` or `.json` topology files")));
    }
    Ok(Topology { sources, estate, diagnostics })
}
