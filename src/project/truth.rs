//! Recordings with a known cause: bundles with an `expected.json`, past cases, entries of the feedback journal.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use diag::Diagnostic;
use knowledge::{Unusable, feedback};

use super::Project;
use super::folder::{MAX_TEXT_BYTES, below};

/// The journal of a project, in its folder.
const JOURNAL: &str = "feedback.ndjson";

/// A folder with any of these files is a recording.
const SIGNALS: &[&str] = &["alerts.json", "metrics.json", "logs.json", "events.ndjson", "changes.json"];

/// A recording with its known cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labelled {
    /// The folder, with `/`; relative to the project if it is inside it.
    pub name: String,
    pub dir: PathBuf,
    /// The topmost folder that may contain its topology and baseline.
    pub top: PathBuf,
    /// The text of the fault, by the component that broke. Empty: nothing was at fault.
    pub roots: BTreeMap<String, String>,
}

/// All recordings with a known cause, by name.
#[derive(Debug, Clone, Default)]
pub struct Collected {
    pub found: Vec<Labelled>,
    /// Names of recordings that cannot be used, and why.
    pub skipped: Vec<(String, Unusable)>,
    /// Errors in the journal.
    pub diagnostics: Vec<Diagnostic>,
}

/// `expected.json`.
#[derive(Debug, Deserialize)]
struct Expected {
    #[serde(default)]
    root_causes: Vec<ExpectedCause>,
    #[serde(default)]
    no_fault: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct ExpectedCause {
    pub component: String,
    /// The fault, in the same words for all incidents of one kind.
    #[serde(default)]
    pub fault: String,
}

/// Collects the recordings below the folders, below the project's `cases/`, and in its journal. If several sources name the cause of
/// a recording, the journal comes before `expected.json`, and that before `case.yaml`: journal entries are from people who have seen
/// the answer.
pub fn labelled(project: &Project, dirs: &[PathBuf]) -> Collected {
    let mut all = Collecting { project, by_path: BTreeMap::new(), skipped: BTreeSet::new() };
    all.cases();
    let cases = project.root.join("cases");
    for dir in dirs.iter().chain(cases.is_dir().then_some(&cases)) {
        all.expected_below(dir);
    }
    let diagnostics = all.journal();
    let mut found: Vec<Labelled> = all.by_path.into_values().collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Collected { found, skipped: all.skipped.into_iter().collect(), diagnostics }
}

struct Collecting<'p> {
    project: &'p Project,
    /// By canonical path, so that a recording found in two folders counts once.
    by_path: BTreeMap<PathBuf, Labelled>,
    skipped: BTreeSet<(String, Unusable)>,
}

impl Collecting<'_> {
    fn cases(&mut self) {
        let project = self.project;
        for case in project.cases.cases() {
            let dir = project.root.join("cases").join(&case.id);
            let name = self.name(&dir);
            if dir.join("expected.json").is_file() {
                continue;
            }
            let Some(root) = case.root.as_ref() else {
                self.skip(name, Unusable::NoRootCause);
                continue;
            };
            let Some(component) = &root.component else {
                self.skip(name, Unusable::NoComponent);
                continue;
            };
            if SIGNALS.iter().any(|file| dir.join(file).is_file()) {
                let top = project.root.join("cases");
                self.add(dir, top, BTreeMap::from([(component.clone(), root.fault.clone())]));
            } else {
                self.skip(name, Unusable::NoSignals);
            }
        }
    }

    fn expected_below(&mut self, folder: &Path) {
        for dir in expecting(folder) {
            match expected(&dir) {
                Ok(causes) => {
                    let roots = causes.into_iter().map(|cause| (cause.component, cause.fault.trim().to_owned())).collect();
                    self.add(dir, folder.to_path_buf(), roots);
                }
                Err(why) => self.skip(self.name(&dir), why),
            }
        }
    }

    fn journal(&mut self) -> Vec<Diagnostic> {
        // Without a journal there is no feedback yet.
        let Ok(text) = files::read_text(&self.project.root.join(JOURNAL), JOURNAL, MAX_TEXT_BYTES) else { return Vec::new() };
        let (entries, diagnostics) = feedback::read(&text);
        for entry in entries {
            // `join` replaces the root if the path is absolute.
            let dir = self.project.root.join(&entry.bundle);
            let roots: Option<BTreeMap<String, String>> = match (&entry.verdict, &entry.root) {
                (feedback::Verdict::NoFault, _) => Some(BTreeMap::new()),
                (feedback::Verdict::Confirmed | feedback::Verdict::Corrected, Some(root)) => {
                    Some(BTreeMap::from([(root.component.clone(), root.fault.clone())]))
                }
                (feedback::Verdict::Confirmed | feedback::Verdict::Corrected, None) => None,
            };
            match roots {
                Some(_) if !dir.is_dir() => self.skip(entry.bundle, Unusable::NoFolder),
                Some(roots) => {
                    let top = dir.parent().map_or_else(|| dir.clone(), Path::to_path_buf);
                    self.add(dir, top, roots);
                }
                None => self.skip(entry.bundle, Unusable::Undecided),
            }
        }
        diagnostics
    }

    fn add(&mut self, dir: PathBuf, top: PathBuf, mut roots: BTreeMap<String, String>) {
        let name = self.name(&dir);
        let key = dir.canonicalize().unwrap_or_else(|_| dir.clone());
        let before = self.by_path.get(&key);
        if let Some(before) = before {
            // An entry with only a component keeps the fault text of an earlier source.
            for (component, fault) in &mut roots {
                if fault.is_empty() {
                    fault.clone_from(before.roots.get(component).unwrap_or(&String::new()));
                }
            }
        }
        let top = before.map_or(top, |before| before.top.clone());
        if roots.values().any(String::is_empty) {
            self.skip(name, Unusable::NoFault);
        } else {
            self.by_path.insert(key, Labelled { name, dir, top, roots });
        }
    }

    fn skip(&mut self, name: String, why: Unusable) {
        self.skipped.insert((name, why));
    }

    /// Relative to the project if it is inside it.
    fn name(&self, dir: &Path) -> String {
        let inside = dir.canonicalize().ok().zip(self.project.root.canonicalize().ok());
        let inside = inside.and_then(|(dir, root)| dir.strip_prefix(root).map(Path::to_path_buf).ok());
        inside.unwrap_or_else(|| dir.to_path_buf()).to_string_lossy().replace('\\', "/")
    }
}

/// The largest `expected.json`, in bytes: it names a few components.
const MAX_EXPECTED_BYTES: u64 = 1 << 20;

/// The causes in an `expected.json`.
pub(super) fn expected(dir: &Path) -> Result<Vec<ExpectedCause>, Unusable> {
    let text = files::read_text(&dir.join("expected.json"), "expected.json", MAX_EXPECTED_BYTES);
    let text = text.map_err(|error| Unusable::Unreadable(error.message.to_string()))?;
    let said: Expected = serde_json::from_str(&text).map_err(|error| Unusable::Invalid(error.to_string()))?;
    match (said.no_fault, said.root_causes.is_empty()) {
        (true, true) | (false, false) => Ok(said.root_causes),
        (true, false) => Err(Unusable::Both),
        (false, true) => Err(Unusable::Neither),
    }
}

/// The folders below with an `expected.json`, in the order of their paths.
pub(super) fn expecting(folder: &Path) -> Vec<PathBuf> {
    let files = below(folder, &["json"], &mut Vec::new()).into_iter();
    files
        .filter(|path| path.file_name().is_some_and(|name| name == "expected.json"))
        .filter_map(|path| Some(path.parent()?.to_path_buf()))
        .collect()
}
