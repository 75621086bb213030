//! Loading a bundle against a project, and asking it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use compile::Scripts;
use compile::plan::Plan;
use diag::Diagnostic;
use engine::matcher::{Limits, Matcher, Setup};
use engine::{Engine, LOOKBACK};
use estate::Snapshot;
use localize::{Diagnosis, Question, diagnose};
use script::RhaiScripts;
use signal::{BundleText, Counts, Facts, MAX_SKEW, Resolver, ScoreFrame, add_scores, last_time, read_bundle, read_facts, skew};
use value::{Duration, Time};

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
    /// Of the bundle's own topology, or the one that was asked for; the project's where there is neither.
    own: Option<(Arc<Snapshot>, Arc<Plan>)>,
    scripts: Arc<RhaiScripts>,
    pub facts: Facts,
    pub counts: Counts,
    pub warnings: Vec<String>,
    pub at: Time,
    pub lookback: Duration,
}

/// Reads a bundle. Only a folder without any signals is an error; files that cannot be read are warnings, the others count.
/// Topology and baseline are looked for upward as far as `root`.
pub fn load_bundle<'p>(project: &'p Project, dir: &Path, root: &Path, options: Options) -> Result<Bundle<'p>, Box<Diagnostic>> {
    bundle_of_text(project, dir, &read_bundle(dir, root)?, options)
}

/// The same of files that are at hand already. `shown` is what messages call them together.
pub fn bundle_of_text<'p>(project: &'p Project, shown: &Path, text: &BundleText, options: Options) -> Result<Bundle<'p>, Box<Diagnostic>> {
    let mut warnings = Vec::new();
    let own = match &text.topology {
        Some((name, bytes)) => match std::str::from_utf8(bytes) {
            Ok(topology) => {
                let (estate, plan, said) = project.with_topology(name, topology);
                warnings.extend(said);
                if name.contains("..") {
                    warnings.push(format!("the estate is that of `{name}` ({} components), not the project's", estate.len()));
                }
                Some((Arc::new(estate), Arc::new(plan)))
            }
            Err(error) => {
                let message = format!("`{name}` is not UTF-8: byte {} does not fit", error.valid_up_to());
                return Err(Box::new(Diagnostic::nowhere(diag::Code::NOT_UTF8, message)));
            }
        },
        None => None,
    };
    with_estate(project, shown, text, options, own, warnings)
}

/// The same against an estate that is given, as that of another time: neither the project's nor the bundle's own. `warnings` are
/// what is to be said of that estate.
pub fn load_bundle_against<'p>(
    project: &'p Project,
    dir: &Path,
    root: &Path,
    options: Options,
    estate: Snapshot,
    mut warnings: Vec<String>,
) -> Result<Bundle<'p>, Box<Diagnostic>> {
    let text = read_bundle(dir, root)?;
    if let Some((name, _)) = &text.topology {
        warnings.push(format!("`{name}` is not used, as another estate was asked for"));
    }
    let plan = project.plan_for(&estate);
    with_estate(project, dir, &text, options, Some((Arc::new(estate), Arc::new(plan))), warnings)
}

/// `own` is the estate with its plan, where it is not the project's.
fn with_estate<'p>(
    project: &'p Project,
    dir: &Path,
    text: &BundleText,
    options: Options,
    own: Option<(Arc<Snapshot>, Arc<Plan>)>,
    mut warnings: Vec<String>,
) -> Result<Bundle<'p>, Box<Diagnostic>> {
    let estate = own.as_ref().map_or(&project.estate, |(estate, _)| estate).as_ref();
    let (facts, counts, found) = read_facts(text, estate, &project.placement);
    let Some(last) = last_time(&facts) else {
        // Nothing at all could be read: an answer would say "no fault" of a bundle that nobody has looked at.
        let reasons: Vec<String> = found.iter().map(|d| d.message.clone()).collect();
        let why = if reasons.is_empty() { "its files are empty".to_owned() } else { reasons.join("; ") };
        let message = format!("no signal of `{}` could be read: {why}", dir.display());
        return Err(Box::new(Diagnostic::nowhere(diag::Code::EMPTY_BUNDLE, message)));
    };
    warnings.extend(found.iter().map(|d| format!("{}: {}", d.code, d.message)));
    let at = options.at.unwrap_or_else(|| without_deviating(&facts).unwrap_or(last));
    warnings.extend(skew(&facts, at).iter().map(|d| format!("{}: {}", d.code, d.message)));
    let lookback = options.lookback.unwrap_or(LOOKBACK);
    if at.since(last) > lookback {
        warnings.push(format!(
            "the last signal is of {last}, {} before the instant asked about: only what still fires is seen",
            Time::describe(at.since(last))
        ));
    }
    Ok(Bundle { path: dir.to_path_buf(), project, own, scripts: Arc::new(project.scripts.fresh()), facts, counts, warnings, at, lookback })
}

/// Signals after a gap of this length are taken for clocks that run ahead,
const STRAY_GAP: Duration = MAX_SKEW;
/// if they are at most this many: an incident that goes on, after however long a silence, has more to say.
const MAX_STRAYS: usize = 3;

/// The time of the last signal, leaving aside a few with clocks far ahead: one wrong date must not make all the rest history.
fn without_deviating(facts: &Facts) -> Option<Time> {
    let mut times: Vec<Time> = facts.alerts.iter().map(|a| a.start).collect();
    times.extend(facts.series.iter().flat_map(|s| s.points.iter().map(|(time, _)| *time)));
    times.extend(facts.logs.iter().map(|l| l.time));
    times.extend(facts.changes.iter().map(|c| c.time));
    times.extend(facts.probes.iter().map(|p| p.time));
    times.extend(facts.reports.iter().map(|r| r.time));
    times.extend(facts.alerts.iter().map(|a| a.end).filter(|end| *end < Time::MAX));
    times.sort_unstable();
    let first_deviating = times.windows(2).rposition(|pair| matches!(pair, [a, b] if b.since(*a) > STRAY_GAP)).map(|i| i + 1);
    match first_deviating {
        Some(first) if times.len() - first <= MAX_STRAYS && first > MAX_STRAYS => times.get(first - 1).copied(),
        Some(_) | None => times.last().copied(),
    }
}

impl Bundle<'_> {
    pub fn estate(&self) -> &Snapshot {
        self.shared_estate()
    }

    pub fn plan(&self) -> &Plan {
        self.shared_plan()
    }

    pub(super) fn shared_estate(&self) -> &Arc<Snapshot> {
        self.own.as_ref().map_or(&self.project.estate, |(estate, _)| estate)
    }

    /// Takes scores that came another way than in the bundle. `file` is what they are called in messages.
    pub fn add_scores(&mut self, file: &str, bytes: &[u8], frame: &ScoreFrame<'_>) {
        let estate = Arc::clone(self.shared_estate());
        let placer = Resolver::new(&self.project.placement, &estate);
        let found = add_scores(file, bytes, frame, placer, &mut self.facts, &mut self.counts);
        self.warnings.extend(found.iter().map(|d| format!("{}: {}", d.code, d.message)));
    }

    fn shared_plan(&self) -> &Arc<Plan> {
        self.own.as_ref().map_or(&self.project.plan, |(_, plan)| plan)
    }

    /// How a matcher starts that is fed this bundle, as of an instant.
    pub fn setup(&self, now: Time) -> Setup {
        Setup {
            plan: Arc::clone(self.shared_plan()),
            estate: Arc::clone(self.shared_estate()),
            // What fails while the matcher looks is no failure of the diagnosis: the engine asks again.
            scripts: Arc::new(self.scripts.fresh()),
            present: self.facts.present,
            now,
            lookback: self.lookback,
            limits: Limits::default(),
            baseline: self.facts.baseline.clone(),
        }
    }

    /// The engine for this bundle: the matcher says for which components rules held or came near, and the engine looks there
    /// only.
    pub fn engine(&self) -> Engine<'_> {
        let mut matcher = Matcher::load(self.setup(self.at), &self.facts);
        let near = matcher.touched();
        self.plain_engine().only(matcher.candidates()).near(near)
    }

    /// The same without the matcher: every rule is looked at for every choice of components. Slower, and by definition right.
    pub fn plain_engine(&self) -> Engine<'_> {
        Engine::new(self.plan(), self.estate(), &self.facts, self.scripts.as_ref(), self.at, self.lookback)
    }

    pub fn diagnose(&self) -> Diagnosis {
        self.diagnose_with(&self.engine())
    }

    pub fn diagnose_with(&self, engine: &Engine<'_>) -> Diagnosis {
        let question = Question { engine, cases: &self.project.cases, feedback: &self.project.feedback, counts: &self.counts };
        let mut diagnosis = diagnose(&question);
        diagnosis.warnings.clone_from(&self.warnings);
        diagnosis.warnings.extend(self.scripts.failures());
        diagnosis
    }
}
