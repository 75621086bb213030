//! `faultscope bench`: how fast the matcher is on a project's own rules, estate and recordings.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::Serialize;

use diag::{Code, one_line};

use super::columns::{left, right};
use super::context::{ProjectArgs, TimeArgs, json, load_project, top_of};
use super::locale::LocaleArgs;
use super::output::{Failure, Outcome};
use super::{FINDINGS, Lang, OK};
use compile::plan::Status;
use engine::matcher::{Event, Fact, Matcher, Stats};
use project::{Project, load_bundle};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BenchFormat {
    Text,
    Json,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Bundles to replay [default: those in the project's `cases/`]
    bundles: Vec<PathBuf>,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    time: TimeArgs,
    /// How many times to replay each recording; the median counts
    #[arg(long, default_value = "5", value_parser = clap::value_parser!(u32).range(1..1000))]
    repeat: u32,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: BenchFormat,
    #[command(flatten)]
    locale: LocaleArgs,
}

#[derive(Debug, Serialize, JsonSchema)]
struct BenchReport {
    rules: usize,
    components: usize,
    /// Time to load the project, from its files to a plan, in milliseconds.
    load_ms: f64,
    /// Rules with scripts.
    scripted: Vec<String>,
    bundles: Vec<BundleTimes>,
    failed: Vec<(String, String)>,
}

/// Wall times of one recording. Microseconds unless the name says otherwise.
#[derive(Debug, Serialize, JsonSchema)]
struct BundleTimes {
    bundle: String,
    facts: usize,
    started: usize,
    changed: usize,
    ended: usize,
    facts_per_second: f64,
    median_us: f64,
    p999_us: f64,
    max_us: f64,
    /// Time to list all findings at the end: from the matcher's state, and by evaluating every rule.
    findings_ms: f64,
    plain_ms: f64,
    /// The time of one evaluation by the plain engine, divided by the time of the matcher per fact.
    plain_per_fact: f64,
    state: Stats,
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    let near = args.bundles.first().map_or(Path::new("."), PathBuf::as_path);
    let started = Instant::now();
    let project = load_project(&args.project, near)?;
    let load_ms = started.elapsed().as_secs_f64() * 1e3;
    let mut bundles = args.bundles.clone();
    if bundles.is_empty() {
        let cases = std::fs::read_dir(project.root.join("cases")).into_iter().flatten().filter_map(Result::ok);
        bundles.extend(cases.map(|entry| entry.path()).filter(|path| path.is_dir()));
        bundles.sort();
    }
    if bundles.is_empty() {
        return Err(Failure::new(Code::USAGE, "no recordings to replay: the project has none in `cases/`").help("name a bundle"));
    }
    let rules = project.plan.rules.values();
    let scripted = rules.filter(|rule| rule.status != Status::Retired && rule.has_script()).map(|rule| rule.id.clone()).collect();
    let (rules, components) = (project.plan.rules.len(), project.estate.len());
    let mut report = BenchReport { rules, components, load_ms, scripted, bundles: Vec::new(), failed: Vec::new() };
    let lang = args.locale.get().lang;
    // Programs read JSON: it is the same for every reader.
    let said = if args.format == BenchFormat::Json { Lang::En } else { lang };
    for dir in &bundles {
        match measure(&project, dir, args, said) {
            Ok(times) => report.bundles.push(times),
            Err(why) => report.failed.push((dir.display().to_string(), why)),
        }
    }
    match args.format {
        BenchFormat::Json => writeln!(out, "{}", json(&report)?)?,
        BenchFormat::Text => text(&report, lang, out)?,
    }
    Ok(if report.failed.is_empty() { OK } else { FINDINGS })
}

/// One replay.
struct Run {
    total: f64,
    times: Vec<f64>,
    counts: Counts,
    state: Stats,
    findings_ms: f64,
}

#[derive(Default)]
struct Counts {
    started: usize,
    changed: usize,
    ended: usize,
}

impl Counts {
    fn count(&mut self, event: Event) {
        match event {
            Event::Started => self.started += 1,
            Event::Changed => self.changed += 1,
            Event::Ended => self.ended += 1,
        }
    }
}

fn measure(project: &Project, dir: &Path, args: &Args, lang: Lang) -> Result<BundleTimes, String> {
    let bundle = load_bundle(project, dir, &top_of(project, dir), args.time.options()).map_err(|d| d.message.to_string())?;
    let facts: Vec<Fact> = Fact::all_of(&bundle.facts).into_iter().filter(|fact| fact.time() <= bundle.at).collect();
    let Some(first) = facts.first().map(Fact::time) else { return Err(lang.no_facts().to_owned()) };
    let mut runs: Vec<Run> = Vec::new();
    for _ in 0..args.repeat {
        let mut matcher = Matcher::new(bundle.setup(first));
        let ready: Vec<_> = facts.iter().map(|fact| matcher.prepare(fact.clone())).collect();
        let mut out = Vec::new();
        let mut counts = Counts::default();
        let mut times = Vec::with_capacity(ready.len());
        for fact in &ready {
            out.clear();
            let started = Instant::now();
            matcher.advance(fact.time(), &mut out);
            matcher.push(fact, &mut out);
            times.push(started.elapsed().as_secs_f64() * 1e6);
            for emitted in &out {
                counts.count(emitted.event);
            }
        }
        let started = Instant::now();
        matcher.advance(bundle.at, &mut out);
        matcher.with_findings(|_, findings| std::hint::black_box(findings.len()));
        let findings_ms = started.elapsed().as_secs_f64() * 1e3;
        let total: f64 = times.iter().sum();
        times.sort_by(f64::total_cmp);
        runs.push(Run { total, times, counts, state: matcher.stats(), findings_ms });
    }
    let started = Instant::now();
    std::hint::black_box(bundle.plain_engine().findings().len());
    let plain_ms = started.elapsed().as_secs_f64() * 1e3;
    runs.sort_by(|a, b| a.total.total_cmp(&b.total));
    let middle = runs.len() / 2;
    let Some(Run { total, times, counts, state, findings_ms }) = runs.into_iter().nth(middle) else {
        return Err(lang.not_replayed().to_owned());
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a position in a list")]
    let at = |share: f64| times.get(((times.len() - 1) as f64 * share) as usize).copied().unwrap_or(0.0);
    #[allow(clippy::cast_precision_loss, reason = "far below 2^53 facts")]
    let count = times.len() as f64;
    Ok(BundleTimes {
        bundle: dir.display().to_string(),
        facts: times.len(),
        started: counts.started,
        changed: counts.changed,
        ended: counts.ended,
        facts_per_second: count / total * 1e6,
        median_us: at(0.5),
        p999_us: at(0.999),
        max_us: at(1.0),
        findings_ms,
        plain_ms,
        plain_per_fact: plain_ms * 1e3 / (total / count),
        state,
    })
}

fn text(report: &BenchReport, lang: Lang, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "{}", lang.loaded(report.rules, report.components, report.load_ms))?;
    let [recording, facts, speed, median, p999, max, events, findings, plain] = lang.replay_heads();
    writeln!(
        out,
        "{} {} {} {} {} {} {} {} {}",
        left(recording, 32),
        right(facts, 8),
        right(speed, 10),
        right(median, 9),
        right(p999, 9),
        right(max, 9),
        right(events, 22),
        right(findings, 12),
        right(plain, 11)
    )?;
    for b in &report.bundles {
        let events = format!("{}/{}/{}", b.started, b.changed, b.ended);
        writeln!(
            out,
            "{} {:>8} {:>10.0} {:>6.2} µs {:>6.1} µs {:>6.0} µs {:>22} {:>9.2} ms {:>8.2} ms",
            left(&one_line(&b.bundle), 32),
            b.facts,
            b.facts_per_second,
            b.median_us,
            b.p999_us,
            b.max_us,
            events,
            b.findings_ms,
            b.plain_ms
        )?;
        writeln!(out, "    {}", lang.holds(&b.state))?;
        if b.state.degraded() {
            writeln!(out, "    {}", lang.let_go(&b.state))?;
        }
    }
    writeln!(out, "{}", lang.replay_legend())?;
    if !report.scripted.is_empty() {
        writeln!(out, "{}", lang.scripts_cost(&report.scripted.join(", ")))?;
    }
    for (bundle, why) in &report.failed {
        writeln!(out, "{}", lang.failed(&one_line(bundle), &one_line(why)))?;
    }
    Ok(())
}
