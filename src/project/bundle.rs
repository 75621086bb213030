//! Loads a bundle against a project, and diagnoses it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use compile::Scripts;
use compile::plan::Plan;
use diag::{Diagnostic, Text, text};
use engine::matcher::{Limits, Matcher, Setup};
use engine::{Engine, LOOKBACK};
use estate::{Removed, Snapshot};
use localize::{Diagnosis, Question, diagnose};
use script::RhaiScripts;
use signal::{BundleText, Counts, Facts, MAX_SKEW, Resolver, ScoreFrame, Seen, add_scores, last_time, read_bundle, read_facts, skew};
use value::{Duration, Time};

use super::Project;

/// The evaluation time and the window of a diagnosis.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// The evaluation time; the time of the last signal if absent.
    pub at: Option<Time>,
    /// How far back to look for symptoms and findings; [`LOOKBACK`] if absent.
    pub lookback: Option<Duration>,
}

/// The facts of a bundle, with the estate they are about.
pub struct Bundle<'p> {
    pub path: PathBuf,
    pub project: &'p Project,
    /// From the bundle's own topology, or the one the caller gave, with the calls that only its traces show. `None`: the project's.
    own: Option<(Arc<Snapshot>, Arc<Plan>)>,
    scripts: Arc<RhaiScripts>,
    pub facts: Arc<Facts>,
    pub counts: Counts,
    pub warnings: Vec<Text>,
    pub at: Time,
    pub lookback: Duration,
}

/// Reads a bundle. Only a folder without any signals is an error. A file that cannot be read is a warning, and the others are used.
/// The topology and the baseline are also looked for in the folders above, up to `root`.
pub fn load_bundle<'p>(project: &'p Project, dir: &Path, root: &Path, options: Options) -> Result<Bundle<'p>, Box<Diagnostic>> {
    bundle_of_text(project, dir, &read_bundle(dir, root)?, options)
}

/// Like [`load_bundle`], from files already in memory. Messages refer to the files as `shown`.
pub fn bundle_of_text<'p>(project: &'p Project, shown: &Path, text: &BundleText, options: Options) -> Result<Bundle<'p>, Box<Diagnostic>> {
    let mut warnings = Vec::new();
    let own = match &text.topology {
        Some((name, bytes)) => {
            let (estate, plan, said) = project.with_topology(name, files::borrowed_text(bytes, name)?);
            warnings.extend(said);
            if name.contains("..") {
                warnings.push(text!("using the topology `{}` ({} components) instead of the project's", name, estate.len()));
            }
            Some((Arc::new(estate), Arc::new(plan)))
        }
        None => None,
    };
    with_estate(project, shown, text, options, own, warnings)
}

/// Like [`load_bundle`], against a given estate (of another time, say) instead of the project's or the bundle's own. `warnings` are
/// the warnings about that estate.
pub fn load_bundle_against<'p>(
    project: &'p Project,
    dir: &Path,
    root: &Path,
    options: Options,
    estate: Snapshot,
    mut warnings: Vec<Text>,
) -> Result<Bundle<'p>, Box<Diagnostic>> {
    let text = read_bundle(dir, root)?;
    if let Some((name, _)) = &text.topology {
        warnings.push(text!("`{}` is ignored: `--as-of` selects another estate", name));
    }
    let plan = project.plan_for(&estate);
    with_estate(project, dir, &text, options, Some((Arc::new(estate), Arc::new(plan))), warnings)
}

/// `own` is the estate with its plan, if it is not the project's.
fn with_estate<'p>(
    project: &'p Project,
    dir: &Path,
    text: &BundleText,
    options: Options,
    own: Option<(Arc<Snapshot>, Arc<Plan>)>,
    mut warnings: Vec<Text>,
) -> Result<Bundle<'p>, Box<Diagnostic>> {
    let estate = own.as_ref().map_or(&project.estate, |(estate, _)| estate).as_ref();
    let (facts, counts, found) = read_facts(text, estate, &project.placement);
    // Relations add no components: what the facts are about stays as it is.
    let calls = Seen::in_facts(&facts, estate).declared_calls();
    let with_calls = (!calls.relations.is_empty()).then(|| Arc::new(estate.with(&calls, &Removed::default()).0));
    let Some(last) = last_time(&facts) else {
        // Nothing could be read: the answer would be "no fault found" without any signal having been examined.
        let reasons = Text::joined(found.iter().map(|d| d.message.clone()), "{}; {}");
        let why = reasons.unwrap_or_else(|| text!("its files are empty"));
        let message = text!("no readable signals in `{}`: {}", dir.display(), why);
        return Err(Box::new(Diagnostic::nowhere(diag::Code::EMPTY_BUNDLE, message)));
    };
    warnings.extend(found.iter().map(coded));
    let at = options.at.unwrap_or_else(|| without_deviating(&facts).unwrap_or(last));
    warnings.extend(skew(&facts, at).iter().map(coded));
    let lookback = options.lookback.unwrap_or(LOOKBACK);
    if at.since(last) > lookback {
        warnings.push(text!(
            "the last signal is from {}, {} before the evaluation time: only alerts that are still firing count",
            last,
            Time::describe(at.since(last))
        ));
    }
    let own = match with_calls {
        Some(estate) => Some((estate, own.map_or_else(|| Arc::clone(&project.plan), |(_, plan)| plan))),
        None => own,
    };
    let (scripts, facts) = (Arc::new(project.scripts.fresh()), Arc::new(facts));
    Ok(Bundle { path: dir.to_path_buf(), project, own, scripts, facts, counts, warnings, at, lookback })
}

/// A complaint in a line, with its code.
fn coded(found: &Diagnostic) -> Text {
    text!("{}: {}", found.code, found.message.clone())
}

/// Signals after a gap of this length are assumed to come from clocks that run ahead,
const STRAY_GAP: Duration = MAX_SKEW;
/// if there are at most this many: an incident that continues after a silence sends more signals.
const MAX_STRAYS: usize = 3;

/// The time of the last signal, ignoring a few from clocks far ahead: one wrong date must not push all other signals out of the window.
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

impl<'p> Bundle<'p> {
    /// Facts that are at hand already, as those of a running server, at an instant. Nothing after it is read. `estate` is that of the
    /// project, with what the facts show beyond it.
    pub fn of_facts(project: &'p Project, estate: Arc<Snapshot>, facts: Arc<Facts>, counts: Counts, at: Time) -> Bundle<'p> {
        Bundle {
            path: PathBuf::from("live"),
            project,
            own: Some((estate, Arc::clone(&project.plan))),
            scripts: Arc::new(project.scripts.fresh()),
            facts,
            counts,
            warnings: Vec::new(),
            at,
            lookback: LOOKBACK,
        }
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

    /// Adds scores that are not from the bundle. Messages refer to them as `file`.
    pub fn add_scores(&mut self, file: &str, bytes: &[u8], frame: &ScoreFrame<'_>) {
        let estate = Arc::clone(self.shared_estate());
        let placer = Resolver::new(&self.project.placement, &estate);
        let found = add_scores(file, bytes, frame, &placer, Arc::make_mut(&mut self.facts), &mut self.counts);
        self.warnings.extend(found.iter().map(coded));
    }

    /// What went wrong while reading and evaluating, in Chinese or else in English.
    pub fn warned(&self, chinese: bool) -> Vec<String> {
        self.warnings.iter().map(|warning| warning.shown(chinese)).chain(self.scripts.failures()).collect()
    }

    fn shared_plan(&self) -> &Arc<Plan> {
        self.own.as_ref().map_or(&self.project.plan, |(_, plan)| plan)
    }

    /// The setup of a matcher for this bundle at an instant.
    pub fn setup(&self, now: Time) -> Setup {
        Setup {
            plan: Arc::clone(self.shared_plan()),
            estate: Arc::clone(self.shared_estate()),
            // A script failure in the matcher is not a failure of the diagnosis: the engine calls the script again.
            scripts: Arc::new(self.scripts.fresh()),
            present: self.facts.present,
            now,
            lookback: self.lookback,
            limits: Limits::default(),
            baseline: self.facts.baseline.clone(),
        }
    }

    /// The engine for this bundle. It only evaluates the bindings for which the matcher found a match or a near miss.
    pub fn engine(&self) -> Engine<'_> {
        let mut matcher = Matcher::load(self.setup(self.at), &self.facts);
        let near = matcher.touched();
        self.plain_engine().only(matcher.candidates()).near(near)
    }

    /// The same without the matcher: evaluates every rule for every binding. Slower, and correct by definition.
    pub fn plain_engine(&self) -> Engine<'_> {
        Engine::new(self.plan(), self.estate(), &self.facts, self.scripts.as_ref(), self.at, self.lookback)
    }

    pub fn diagnose(&self) -> Diagnosis {
        self.diagnose_with(&self.engine())
    }

    pub fn diagnose_with(&self, engine: &Engine<'_>) -> Diagnosis {
        let Project { cases, feedback, .. } = self.project;
        let question = Question { engine, cases, feedback, knowledge: self.project.past(), counts: &self.counts };
        let mut diagnosis = diagnose(&question);
        diagnosis.warnings = self.warned(false);
        // Who reads it in another language, or at another place, has it told again.
        words::tell(&mut diagnosis, &words::Locale::default(), self.estate());
        diagnosis
    }
}
