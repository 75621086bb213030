//! `faultscope eval DIR...`.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use diag::{Code, one_line, text};

use super::columns::{left, right};
use super::context::{ProjectArgs, TimeArgs, json, load_project};
use super::locale::LocaleArgs;
use super::output::{Failure, Outcome};
use super::reliability::table;
use super::{FINDINGS, Lang, OK};
use knowledge::Layer;
use project::{EvalReport, GroupReport, evaluate};

/// The layers that may name a first suspect, or none, in the order in which a line shows them: that of their English names.
const LAYERS: [Option<Layer>; 4] = [Some(Layer::Anomaly), Some(Layer::Expert), Some(Layer::Knowledge), None];

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
    #[command(flatten)]
    locale: LocaleArgs,
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    let near = args.dirs.first().map_or(Path::new("."), PathBuf::as_path);
    for dir in &args.dirs {
        if !dir.is_dir() {
            return Err(Failure::new(Code::UNREADABLE, text!("no such folder: `{}`", dir.display())));
        }
    }
    let project = load_project(&args.project, near)?;
    let lang = args.locale.get().lang;
    // Programs read JSON: it is the same for every reader.
    let said = if args.format == EvalFormat::Json { Lang::En } else { lang };
    let report = evaluate(&project, &args.dirs, args.time.options()).told(|why| said.unusable(why));
    match args.format {
        EvalFormat::Json => writeln!(out, "{}", json(&report)?)?,
        EvalFormat::Text => {
            text(&report, args.verbose, lang, out)?;
            if args.reliability {
                reliability(&report, lang, out)?;
            }
        }
    }
    if report.bundles.is_empty() && report.failed.is_empty() {
        return Err(Failure::new(Code::EMPTY_BUNDLE, "no bundle with an `expected.json` below these folders"));
    }
    Ok(if report.failed.is_empty() { OK } else { FINDINGS })
}

/// For all first suspects, then by layer.
fn reliability(report: &EvalReport<String>, lang: Lang, out: &mut impl Write) -> std::io::Result<()> {
    for layer in [None, Some(Layer::Expert), Some(Layer::Knowledge), Some(Layer::Anomaly)] {
        if let Some(reliability) = report.reliability.get(layer.map_or("all", Layer::name)) {
            let title = layer.map_or(lang.all_layers(), |layer| lang.layer_short(Some(layer)));
            write!(out, "\n{}", table(title, reliability, lang))?;
        }
    }
    if report.reliability.contains_key(Layer::Anomaly.name()) {
        writeln!(out, "\n{}", lang.fitted(report.fitted))?;
    }
    Ok(())
}

fn text(report: &EvalReport<String>, verbose: bool, lang: Lang, out: &mut impl Write) -> std::io::Result<()> {
    if verbose {
        bundles(report, lang, out)?;
    }
    if verbose && report.faults.iter().any(|fault| !fault.fault.is_empty()) {
        faults(report, lang, out)?;
    }
    let [group, faults, top1, top3, top5, healthy, abstained, false_rules, median, max, layers] = lang.group_heads();
    writeln!(
        out,
        "{} {} {} {} {} {} {} {}  {} {}  {layers}",
        left(group, 28),
        right(faults, 6),
        right(top1, 7),
        right(top3, 7),
        right(top5, 7),
        right(healthy, 9),
        right(abstained, 10),
        right(false_rules, 11),
        right(median, 9),
        right(max, 9)
    )?;
    for group in &report.groups {
        let percent = |share: f64| if group.faults == 0 { "-".to_owned() } else { format!("{:.1}%", share * 100.0) };
        writeln!(
            out,
            "{} {:>6} {:>7} {:>7} {:>7} {:>9} {:>10} {:>11}  {:>6.0} ms {:>6.0} ms  {}",
            left(&one_line(&group.group), 28),
            group.faults,
            percent(group.top1),
            percent(group.top3),
            percent(group.top5),
            group.healthy,
            group.abstained,
            group.false_rules,
            group.median_ms,
            group.max_ms,
            layers_of(group, lang)
        )?;
    }
    for (bundle, why) in &report.failed {
        writeln!(out, "{}", lang.failed(&one_line(bundle), &one_line(why)))?;
    }
    Ok(())
}

/// How many bundles each layer named the first suspect of.
fn layers_of(group: &GroupReport, lang: Lang) -> String {
    let counted = |layer: Option<Layer>| {
        let number = group.layers.get(layer.map_or("none", Layer::name))?;
        Some(format!("{} {number}", lang.layer_short(layer)))
    };
    LAYERS.into_iter().filter_map(counted).collect::<Vec<_>>().join(", ")
}

/// A line for each bundle.
fn bundles(report: &EvalReport<String>, lang: Lang, out: &mut impl Write) -> std::io::Result<()> {
    for bundle in &report.bundles {
        let hit = if bundle.expected.is_empty() { bundle.suspects.is_empty() } else { bundle.top.0 > 0.5 };
        let list = |ids: &[String]| if ids.is_empty() { lang.without_fault().to_owned() } else { one_line(&ids.join(", ")).into_owned() };
        writeln!(
            out,
            "{} {}/{}  {}  [{}{}]  {:.0} ms",
            if hit { "✓" } else { "✗" },
            one_line(&bundle.group),
            one_line(&bundle.bundle),
            lang.expected_and_got(&list(&bundle.expected), &list(&bundle.suspects)),
            lang.layer_short(bundle.layer),
            if bundle.rules.is_empty() { String::new() } else { format!(" {}", bundle.rules.join(", ")) },
            bundle.ms
        )?;
    }
    writeln!(out)
}

/// A line for each kind of fault in each group.
fn faults(report: &EvalReport<String>, lang: Lang, out: &mut impl Write) -> std::io::Result<()> {
    let [group, fault, bundles, first, three] = lang.fault_heads();
    writeln!(out, "{} {} {} {} {}", left(group, 28), left(fault, 24), right(bundles, 7), right(first, 7), right(three, 7))?;
    for one in &report.faults {
        let (group, fault) = (left(&one_line(&one.group), 28), left(&one_line(&one.fault), 24));
        let (first, three) = (one.top1 * 100.0, one.top3 * 100.0);
        writeln!(out, "{group} {fault} {:>7} {first:>6.1}% {three:>6.1}%", one.bundles)?;
    }
    writeln!(out)
}
