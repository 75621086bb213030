//! Adding to the journal of feedback: the answer that is judged, the name of its bundle, the line on disk.

use std::fs::OpenOptions;
use std::io::{Read, Result, Seek, SeekFrom, Write};
use std::path::Path;

use knowledge::feedback::{Entry, GivenAnswer, JOURNAL, bundle_name};
use localize::Diagnosis;

/// What a diagnosis answers: the first suspect of its first incident. `None` if it names nothing.
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

/// How the journal of the project at `root` names a bundle: relative to it, else as it was given.
pub fn name_in(root: &Path, dir: &Path) -> String {
    let real = root.canonicalize().ok().zip(dir.canonicalize().ok());
    let inside = real.and_then(|(root, dir)| dir.strip_prefix(root).map(Path::to_path_buf).ok());
    let name = inside.as_deref().unwrap_or(dir).to_string_lossy().into_owned();
    bundle_name(if name.is_empty() { "." } else { &name })
}

/// Adds a line to the journal of the project at `root`; on disk when this returns. Several may do so at once: a line goes out in one
/// piece, to wherever the end then is. A last line without its end, of an editor or of a crash, gets one first; where two see
/// the same one, an empty line is left, which means nothing.
pub fn append_feedback(root: &Path, entry: &Entry) -> Result<()> {
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    files::refuse_special(&root.join(JOURNAL))?;
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(root.join(JOURNAL))?;
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
