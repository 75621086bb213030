//! Loading a bundle against a project, and asking it.

use std::path::{Path, PathBuf};

use crate::compile::plan::Plan;
use crate::diag::Diagnostic;
use crate::engine::{Engine, LOOKBACK};
use crate::estate::Snapshot;
use crate::localize::{Diagnosis, Question, diagnose};
use crate::signal::{Counts, Facts, last_time, read_bundle, read_facts, skew};
use crate::value::{Duration, Time};

use super::Project;

/// When and over what time to ask.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// The instant; the time of the last signal if absent.
    pub at: Option<Time>,
    /// How far back symptoms and findings are looked for; [`LOOKBACK`] if absent.
    pub lookback: Option<Duration>,
}

/// A bundle's facts with the estate that they are about.
pub struct Bundle<'p> {
    pub path: PathBuf,
    pub project: &'p Project,
    /// Of the bundle's own topology; the project's where it has none.
    own: Option<(Snapshot, Plan)>,
    pub facts: Facts,
    pub counts: Counts,
    pub warnings: Vec<String>,
    pub at: Time,
    pub lookback: Duration,
}

/// Reads a bundle. Only a folder without any signals is an error; files that cannot be read are warnings, the others count.
/// Topology and baseline are looked for upward as far as `root`.
pub fn load_bundle<'p>(project: &'p Project, dir: &Path, root: &Path, options: Options) -> Result<Bundle<'p>, Box<Diagnostic>> {
    let text = read_bundle(dir, root)?;
    let mut warnings = Vec::new();
    let own = match &text.topology {
        Some((name, bytes)) => match std::str::from_utf8(bytes) {
            Ok(topology) => {
                let (estate, plan, said) = project.with_topology(name, topology);
                warnings.extend(said);
                Some((estate, plan))
            }
            Err(error) => {
                let message = format!("`{name}` is not UTF-8: byte {} does not fit", error.valid_up_to());
                return Err(Box::new(Diagnostic::nowhere(crate::diag::Code::NOT_UTF8, message)));
            }
        },
        None => None,
    };
    let estate = own.as_ref().map_or(&project.estate, |(estate, _)| estate);
    let (facts, counts, found) = read_facts(&text, estate, &project.placement);
    warnings.extend(found.iter().map(|d| format!("{}: {}", d.code, d.message)));
    let at = options.at.or_else(|| last_time(&facts)).unwrap_or(Time(0));
    warnings.extend(skew(&facts, at).iter().map(|d| format!("{}: {}", d.code, d.message)));
    let lookback = options.lookback.unwrap_or(LOOKBACK);
    Ok(Bundle { path: dir.to_path_buf(), project, own, facts, counts, warnings, at, lookback })
}

impl Bundle<'_> {
    pub fn estate(&self) -> &Snapshot {
        self.own.as_ref().map_or(&self.project.estate, |(estate, _)| estate)
    }

    pub fn plan(&self) -> &Plan {
        self.own.as_ref().map_or(&self.project.plan, |(_, plan)| plan)
    }

    pub fn engine(&self) -> Engine<'_> {
        Engine {
            plan: self.plan(),
            estate: self.estate(),
            facts: &self.facts,
            scripts: &self.project.scripts,
            at: self.at,
            lookback: self.lookback,
        }
    }

    pub fn diagnose(&self) -> Diagnosis {
        let question = Question { engine: &self.engine(), cases: &self.project.cases, counts: &self.counts };
        let mut diagnosis = diagnose(&question);
        diagnosis.warnings = self.warnings.clone();
        diagnosis
    }
}
