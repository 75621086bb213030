//! An incident bundle: a folder with any of `alerts.json`, `metrics.json`, `traces.json`, `logs.json`, `events.ndjson` or `changes.json`.
//! [`read_bundle`] fetches the bytes, [`read_facts`] makes facts of them without touching the disk.

use std::path::{Path, PathBuf};

use diag::{Code, Diagnostic, text};
use estate::Snapshot;
use value::{Duration, HOUR, Time};

use super::alertmanager;
use super::combined;
use super::counts::Counts;
use super::deliveries;
use super::events;
use super::facts::Facts;
use super::loki;
use super::mapping_rules::MappingRules;
use super::prometheus::{self, Role};
use super::reader_context::{ReaderContext, warning};
use super::resolver::Resolver;
use super::scores::{self, ScoreFrame};
use super::traces;

/// The largest file that is read, in bytes. Files are held in memory whole, and a larger one is more likely an error than a recording.
pub const MAX_FILE_BYTES: u64 = 2 << 30;

/// How far after the evaluation time a signal may be before a warning about clock skew.
pub const MAX_SKEW: Duration = HOUR;

/// The name of a file, as seen from the bundle, and its bytes as found.
pub type FileText = (String, Vec<u8>);

/// The files of a bundle; a missing one is `None`.
#[derive(Debug, Clone, Default)]
pub struct BundleText {
    pub alerts: Option<FileText>,
    pub metrics: Option<FileText>,
    /// Metrics of a period known to be healthy, from the bundle or a folder above it.
    pub baseline: Option<FileText>,
    /// Spans.
    pub traces: Option<FileText>,
    /// Spans of a period known to be healthy, from the bundle or a folder above it.
    pub baseline_traces: Option<FileText>,
    pub logs: Option<FileText>,
    /// `events.ndjson`.
    pub events: Option<FileText>,
    /// `changes.json`: the same content as `events`.
    pub changes: Option<FileText>,
    /// Scores of external models: `scores.json`, `scores.ndjson`.
    pub scores: Vec<FileText>,
    /// The topology, from the bundle or a folder above it; parsed by the caller.
    pub topology: Option<FileText>,
}

/// Reads the files of a bundle. `topology.json`, `baseline.json` and `baseline-traces.json` are also looked for in the folders above, up to
/// `root`.
///
/// # Errors
/// `UNREADABLE`: no such folder, or a file in it that cannot be read. `TOO_LARGE`: a file beyond [`MAX_FILE_BYTES`].
/// `EMPTY_BUNDLE`: no file of signals.
pub fn read_bundle(dir: &Path, root: &Path) -> Result<BundleText, Box<Diagnostic>> {
    if !dir.is_dir() {
        let message = if dir.is_file() {
            text!("this is a file, not a folder: `{}`", dir.display())
        } else {
            text!("no such folder: `{}`", dir.display())
        };
        let help = text!("an incident bundle is a folder with any of alerts.json, metrics.json, traces.json, logs.json, events.ndjson");
        return Err(Box::new(Diagnostic::nowhere(Code::UNREADABLE, message).help(help)));
    }
    let own = |name: &str| file(&dir.join(name), name);
    let text = BundleText {
        alerts: own("alerts.json")?,
        metrics: own("metrics.json")?,
        baseline: own_or_above(dir, root, "baseline.json")?,
        traces: own("traces.json")?,
        baseline_traces: own_or_above(dir, root, "baseline-traces.json")?,
        logs: own("logs.json")?,
        events: own("events.ndjson")?,
        changes: own("changes.json")?,
        scores: [own("scores.json")?, own("scores.ndjson")?].into_iter().flatten().collect(),
        topology: own_or_above(dir, root, "topology.json")?,
    };
    let signals = [&text.alerts, &text.metrics, &text.traces, &text.logs, &text.events, &text.changes];
    if signals.iter().all(|file| file.is_none()) {
        let what = text!("no signals in `{}`", dir.display());
        let help = text!("expected at least one of alerts.json, metrics.json, traces.json, logs.json, events.ndjson, changes.json");
        return Err(Box::new(Diagnostic::nowhere(Code::EMPTY_BUNDLE, what).help(help)));
    }
    Ok(text)
}

/// The file in the bundle, or else in the nearest folder above that has it, up to `root`.
fn own_or_above(dir: &Path, root: &Path, name: &str) -> Result<Option<FileText>, Box<Diagnostic>> {
    if let Some(found) = file(&dir.join(name), name)? {
        return Ok(Some(found));
    }
    // Canonical, so that `.` and `..` in either path do not hide that one contains the other.
    let (Ok(full), Ok(root)) = (dir.canonicalize(), root.canonicalize()) else { return Ok(None) };
    let mut shown = PathBuf::new();
    for above in full.ancestors().skip(1).take_while(|above| above.starts_with(&root)) {
        shown.push("..");
        if let Some(found) = file(&above.join(name), &shown.join(name).display().to_string())? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn file(path: &Path, shown: &str) -> Result<Option<FileText>, Box<Diagnostic>> {
    let bytes = files::try_read(path, &path.display().to_string(), MAX_FILE_BYTES).map_err(|error| match error.code {
        Code::TOO_LARGE => Box::new(error.help("record a shorter period, or use a longer step")),
        _ => error,
    })?;
    Ok(bytes.map(|bytes| (shown.to_owned(), bytes)))
}

/// Makes facts of a bundle. A file that cannot be read is reported, the others stay usable, and its kind counts as unknown
/// (`Facts::present`). The topology is not read here.
pub fn read_facts(text: &BundleText, estate: &Snapshot, placement: &MappingRules) -> (Facts, Counts, Vec<Diagnostic>) {
    let resolver = Resolver::new(placement, estate);
    let mut context = ReaderContext::new(&resolver);
    if let Some((file, bytes)) = &text.metrics {
        context.facts.present.metrics = context.run(|context| prometheus::read(file, bytes, Role::Metrics, context));
    }
    if let Some((file, bytes)) = &text.baseline {
        context.run(|context| prometheus::read(file, bytes, Role::Baseline, context));
    }
    prometheus::read_climbing(&mut context);
    // Rules use series made of spans only if the model declares them, so `present` does not cover them.
    if let Some((file, bytes)) = &text.traces {
        context.run(|context| traces::read(file, bytes, Role::Metrics, context));
    }
    if let Some((file, bytes)) = &text.baseline_traces {
        context.run(|context| traces::read(file, bytes, Role::Baseline, context));
    }
    if let Some((file, bytes)) = &text.logs {
        context.facts.present.logs = context.run(|context| loki::read(file, bytes, context));
    }
    let mut seen = events::Seen::new();
    for (file, bytes) in [&text.events, &text.changes].into_iter().flatten() {
        let readable = context.run(|context| events::read(file, bytes, &mut seen, context));
        context.facts.present.events |= readable;
    }
    let mut seen = scores::Seen::new();
    for (file, bytes) in &text.scores {
        context.run(|context| scores::read(file, bytes, &ScoreFrame::default(), &mut seen, context));
    }
    if let Some((file, bytes)) = &text.alerts {
        // Last, because a missing start or end of an alert is taken from the times of all other signals.
        context.facts.present.alerts = context.run(|context| {
            let batch = alertmanager::read(file, bytes)?;
            let first = times(&context.facts).chain(batch.times()).min();
            let last = times(&context.facts).chain(batch.times()).max();
            deliveries::settle(batch, first, last, context);
            Ok(())
        });
    }
    let ReaderContext { mut facts, counts, mut diagnostics, .. } = context;
    facts.index();
    diagnostics.extend(combined::unsaid(&facts, estate));
    (facts, counts, diagnostics)
}

/// The time of every signal: starts and finite ends of alerts, ends of series, log lines, events. The baseline is not part of the
/// incident, and scores do not count either: a model may keep scoring after the incident has ended.
fn times(facts: &Facts) -> impl Iterator<Item = Time> + '_ {
    let alerts = facts.alerts.iter().flat_map(|alert| [alert.start, alert.end]).filter(|time| *time < Time::MAX);
    let samples = facts.series.iter().flat_map(|series| [series.points.first(), series.points.last()]).flatten().map(|(time, _)| *time);
    let logs = facts.logs.iter().map(|line| line.time);
    let changes = facts.changes.iter().map(|change| change.time);
    let probes = facts.probes.iter().map(|probe| probe.time);
    let reports = facts.reports.iter().map(|report| report.time);
    alerts.chain(samples).chain(logs).chain(changes).chain(probes).chain(reports)
}

/// The time of the earliest signal. `None` without any.
pub fn first_time(facts: &Facts) -> Option<Time> {
    times(facts).min()
}

/// The time of the latest signal: the instant at which a bundle is evaluated if none is given. `None` without any.
pub fn last_time(facts: &Facts) -> Option<Time> {
    times(facts).max()
}

/// A warning if signals are more than [`MAX_SKEW`] after the evaluation time: a clock or that time is wrong.
pub fn skew(facts: &Facts, at: Time) -> Option<Diagnostic> {
    let limit = at.plus(MAX_SKEW);
    let latest = last_time(facts).filter(|latest| *latest > limit)?;
    let what = text!("some signals are up to {} later than {}, the latest at {}", Time::describe(latest.since(at)), at, latest);
    Some(warning(Code::SIGNAL_SKEW, what).help("check the clocks of the senders, or the evaluation time"))
}
