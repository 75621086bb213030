//! Appends entries to the feedback journal.

use std::io::{Read, Result, Seek, SeekFrom, Write};
use std::path::Path;

use knowledge::feedback::{Entry, GivenAnswer, JOURNAL, bundle_name};
use localize::Diagnosis;

/// The answer of a diagnosis: the first suspect of its first incident. `None` if there is no suspect.
pub fn answer_of(diagnosis: &Diagnosis) -> Option<GivenAnswer> {
    let suspect = diagnosis.incidents.first()?.suspects.first()?;
    Some(GivenAnswer {
        component: suspect.component.clone(),
        fault: suspect.fault.clone(),
        layer: suspect.layer,
        confidence: suspect.raw,
        cases: suspect.case.iter().cloned().collect(),
        rules: suspect.rules.clone(),
    })
}

/// The name of a bundle in the journal of the project at `root`: relative to the project, or as given if it is elsewhere.
pub fn name_in(root: &Path, dir: &Path) -> String {
    let real = root.canonicalize().ok().zip(dir.canonicalize().ok());
    let inside = real.and_then(|(root, dir)| dir.strip_prefix(root).map(Path::to_path_buf).ok());
    let name = inside.as_deref().unwrap_or(dir).to_string_lossy().into_owned();
    bundle_name(if name.is_empty() { "." } else { &name })
}

/// Adds a line to the journal of the project at `root`. The line is on disk when this returns. Several processes may append at the
/// same time: each line is written in one piece at the current end. If the last line has no newline (from an editor or a crash), one
/// is added first. Two processes may both add it, and the resulting empty line has no effect.
pub fn append_feedback(root: &Path, entry: &Entry) -> Result<()> {
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    let mut file = files::open_to_append(&root.join(JOURNAL))?;
    if file.metadata()?.len() > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            line.insert(0, b'\n');
        }
    }
    file.write_all(&line)?;
    file.sync_all()
}
