//! `faultscope eval DIR...`.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use diag::{Code, one_line, text};

use super::context::{ProjectArgs, TimeArgs, json, load_project};
use super::output::{Failure, Outcome};
use super::reliability::table;
use super::{FINDINGS, OK};
use project::{EvalReport, evaluate};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EvalFormat {
    Text,
    Json,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders with bundles that have an `expected.json`
    #[arg(required = true)]
    dirs: Vec<PathBuf>,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    time: TimeArgs,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: EvalFormat,
    /// Also list every bundle
    #[arg(long)]
    verbose: bool,
    /// Also show how often first suspects were right, by confidence; JSON always has this
    #[arg(long)]
    reliability: bool,
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    let near = args.dirs.first().map_or(Path::new("."), PathBuf::as_path);
    for dir in &args.dirs {
        if !dir.is_dir() {
            return Err(Failure::new(Code::UNREADABLE, text!("no such folder: `{}`", dir.display())));
        }
    }
    let project = load_project(&args.project, near)?;
    let report = evaluate(&project, &args.dirs, args.time.options());
    match args.format {
        EvalFormat::Json => writeln!(out, "{}", json(&report)?)?,
        EvalFormat::Text => {
            text(&report, args.verbose, out)?;
            if args.reliability {
                reliability(&report, out)?;
            }
        }
    }
    if report.bundles.is_empty() && report.failed.is_empty() {
        return Err(Failure::new(Code::EMPTY_BUNDLE, "no bundle with an `expected.json` below these folders"));
    }
    Ok(if report.failed.is_empty() { OK } else { FINDINGS })
}

/// For all first suspects, then by layer.
fn reliability(report: &EvalReport, out: &mut impl Write) -> std::io::Result<()> {
    for name in ["all", "expert", "knowledge", "anomaly"] {
        if let Some(reliability) = report.reliability.get(name) {
            write!(out, "\n{}", table(name, reliability))?;
        }
    }
    if report.reliability.contains_key("anomaly") {
        let fitted = report.fitted;
        writeln!(
            out,
            "\ncalibration of the anomaly scores of these bundles: slope {:.3}, intercept {:.3}",
            fitted.slope, fitted.intercept
        )?;
    }
    Ok(())
}

fn text(report: &EvalReport, verbose: bool, out: &mut impl Write) -> std::io::Result<()> {
    if verbose {
        for bundle in &report.bundles {
            let hit = if bundle.expected.is_empty() { bundle.suspects.is_empty() } else { bundle.top.0 > 0.5 };
            let layer = bundle.layer.map_or("none", localize::Layer::name);
            let list = |ids: &[String]| if ids.is_empty() { "no fault".to_owned() } else { one_line(&ids.join(", ")).into_owned() };
            let (wanted, said) = (list(&bundle.expected), list(&bundle.suspects));
            writeln!(
                out,
                "{} {}/{}  expected {wanted}  got {said}  [{layer}{}]  {:.0} ms",
                if hit { "✓" } else { "✗" },
                one_line(&bundle.group),
                one_line(&bundle.bundle),
                if bundle.rules.is_empty() { String::new() } else { format!(" {}", bundle.rules.join(", ")) },
                bundle.ms
            )?;
        }
        writeln!(out)?;
    }
    if report.faults.iter().any(|fault| !fault.fault.is_empty()) && verbose {
        writeln!(out, "{:<28} {:<24} {:>7} {:>7} {:>7}", "group", "fault", "bundles", "top-1", "top-3")?;
        for one in &report.faults {
            let (first, three) = (one.top1 * 100.0, one.top3 * 100.0);
            writeln!(out, "{:<28} {:<24} {:>7} {first:>6.1}% {three:>6.1}%", one_line(&one.group), one_line(&one.fault), one.bundles)?;
        }
        writeln!(out)?;
    }
    writeln!(
        out,
        "{:<28} {:>6} {:>7} {:>7} {:>7} {:>9} {:>10} {:>11}  {:>9} {:>9}  layers",
        "group", "faults", "top-1", "top-3", "top-5", "healthy", "abstained", "rule fired", "median", "max"
    )?;
    for group in &report.groups {
        let percent = |share: f64| if group.faults == 0 { "-".to_owned() } else { format!("{:.1}%", share * 100.0) };
        let layers: Vec<String> = group.layers.iter().map(|(layer, n)| format!("{layer} {n}")).collect();
        writeln!(
            out,
            "{:<28} {:>6} {:>7} {:>7} {:>7} {:>9} {:>10} {:>11}  {:>6.0} ms {:>6.0} ms  {}",
            one_line(&group.group),
            group.faults,
            percent(group.top1),
            percent(group.top3),
            percent(group.top5),
            group.healthy,
            group.abstained,
            group.false_rules,
            group.median_ms,
            group.max_ms,
            layers.join(", ")
        )?;
    }
    for (bundle, why) in &report.failed {
        writeln!(out, "failed: {}: {}", one_line(bundle), one_line(why))?;
    }
    Ok(())
}
