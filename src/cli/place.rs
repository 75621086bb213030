//! `faultscope place FILE` and `faultscope place --labels k=v,…`: which component labels name, and by what.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::as_of::{AsOfArgs, estate_of};
use super::context::{Format, ProjectArgs, json, load_project};
use super::locale::LocaleArgs;
use super::output::{Failure, Outcome};
use super::{Lang, OK};
use diag::{Code, text};
use signal::{MAX_FILE_BYTES, PlacedFile, PlacedSignal, RefusedEntry, Resolver, Unplaced, placed};

type Labels = BTreeMap<String, String>;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Signals as recorded: an `alerts.json`, `metrics.json`, `logs.json` or `events.ndjson`, or what `kubectl get -o json` writes
    #[arg(value_name = "FILE", required_unless_present = "labels")]
    file: Option<PathBuf>,
    /// Labels instead of a file, like `namespace=shop,pod=cart-0`
    #[arg(long, value_name = "LABELS", conflicts_with = "file", value_parser = parse_labels)]
    labels: Option<Labels>,
    /// The query behind these labels
    #[arg(long, value_name = "QUERY", requires = "labels")]
    query: Option<String>,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    then: AsOfArgs,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    locale: LocaleArgs,
}

#[derive(Debug, Serialize, JsonSchema)]
struct PlaceReport {
    /// In the order of the file; what a cluster says comes last.
    signals: Vec<Placed>,
    /// Entries that a diagnosis does not read either, in the order of the file.
    refused: Vec<Refused>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Refused {
    /// Where the entry begins.
    line: usize,
    why: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Placed {
    /// Of the alert, the series or the event, or the reason that a cluster gives.
    name: String,
    labels: Labels,
    component: Option<String>,
    /// The pod that the labels name, if the topology does not have it and the signal is on its workload.
    instance: Option<String>,
    /// What named the component.
    by: Option<String>,
    /// Why there is none.
    why: Option<String>,
    /// What would place it.
    remedy: Option<String>,
    /// All components that fit, if these are several.
    candidates: Vec<String>,
}

fn parse_labels(text: &str) -> Result<Labels, String> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let labels: Option<Labels> = pairs.map(|pair| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))).collect();
    labels.filter(|labels| !labels.is_empty()).ok_or_else(|| "use names and values, like `namespace=shop,pod=cart-0`".to_owned())
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    let project = load_project(&args.project, args.file.as_deref().unwrap_or(Path::new(".")))?;
    let estate = estate_of(&project, &args.then)?;
    let resolver = Resolver::new(&project.placement, &estate);
    let PlacedFile { signals, refused } = signals(args, &resolver)?;
    // Programs read JSON: it is the same for every reader, unless asked otherwise.
    let locale = if args.format == Format::Json { args.locale.asked() } else { args.locale.get() };
    let chinese = locale.lang == Lang::Zh;
    let place = |signal: PlacedSignal| {
        let found = signal.placement;
        Placed {
            instance: signal.instance,
            component: found.component.map(|component| estate.component(component).id.clone()),
            by: found.by.map(|by| by.words().shown(chinese)),
            why: found.why.as_ref().map(|why| why.words().shown(chinese)),
            remedy: found.why.as_ref().and_then(Unplaced::remedy).map(|remedy| remedy.shown(chinese)),
            candidates: match found.why {
                Some(Unplaced::Ambiguous { candidates, .. }) => candidates,
                Some(
                    Unplaced::Unnamed
                    | Unplaced::Unknown { .. }
                    | Unplaced::Elsewhere { .. }
                    | Unplaced::Claimed { .. }
                    | Unplaced::OfMessenger { .. }
                    | Unplaced::Dropped { .. }
                    | Unplaced::NoEntry,
                )
                | None => Vec::new(),
            },
            name: signal.name,
            labels: signal.labels,
        }
    };
    let refused = refused.into_iter().map(|RefusedEntry { line, reason }| Refused { line, why: reason.shown(chinese) });
    let report = PlaceReport { signals: signals.into_iter().map(place).collect(), refused: refused.collect() };
    match args.format {
        Format::Json => writeln!(out, "{}", json(&report)?)?,
        Format::Text => write!(out, "{}", lines(&report, chinese))?,
        Format::Markdown => write!(out, "```text\n{}```\n", lines(&report, chinese).replace("```", "'''"))?,
    }
    Ok(OK)
}

/// The signals in a folder, as those of an incident are.
fn recorded_in(folder: &Path) -> Option<PathBuf> {
    let mut files = ["alerts.json", "events.ndjson", "metrics.json", "logs.json"].into_iter().map(|name| folder.join(name));
    files.find(|file| file.is_file())
}

fn signals(args: &Args, resolver: &Resolver<'_>) -> Result<PlacedFile, Failure> {
    if let Some(labels) = &args.labels {
        let signals = vec![PlacedSignal::of_labels(String::new(), labels.clone(), args.query.as_deref(), resolver)];
        return Ok(PlacedFile { signals, refused: Vec::new() });
    }
    let Some(file) = &args.file else { return Ok(PlacedFile::default()) };
    let shown = file.display().to_string();
    let bytes = files::read(file, &shown, MAX_FILE_BYTES).map_err(|error| match recorded_in(file) {
        Some(inside) => Box::new(error.help(text!("give a file of this folder: `{}`", inside.display().to_string()))),
        None => error,
    })?;
    let found = placed(&shown, &bytes, resolver)?;
    if found.signals.is_empty() {
        let message = match found.refused.split_first() {
            None => text!("`{}` contains no alerts, series, log streams or events", shown),
            Some((first, [])) => text!("nothing in `{}` can be placed: {}", shown, first.reason),
            Some((first, more)) => text!("nothing in `{}` can be placed: {} (and {} more)", shown, first.reason, more.len()),
        };
        return Err(Failure::new(Code::SIGNAL_FORMAT, message));
    }
    Ok(found)
}

/// One line for all signals that have the same name and the same answer, in the order of the first; then one for each reason why
/// others are not read.
fn lines(report: &PlaceReport, chinese: bool) -> String {
    let mut order: Vec<(String, usize)> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    let placed = report.signals.iter().map(|signal| (line(signal, chinese), None));
    let refused = report.refused.iter().map(|entry| (entry.why.clone(), Some(entry.line)));
    for (words, at) in placed.chain(refused) {
        match known.get(&words).and_then(|at| order.get_mut(*at)) {
            Some((_, count)) => *count += 1,
            None => {
                known.insert(words.clone(), order.len());
                let line = match at {
                    None => words,
                    Some(at) => diag::one_line(&text!("not read (line {}): {}", at, words).shown(chinese)).into_owned(),
                };
                order.push((line, 1));
            }
        }
    }
    let counted = |(line, count): (String, usize)| if count == 1 { format!("{line}\n") } else { format!("{line} ×{count}\n") };
    order.into_iter().map(counted).collect()
}

fn line(signal: &Placed, chinese: bool) -> String {
    let component = signal.component.as_deref().unwrap_or("?");
    let place = match &signal.instance {
        Some(pod) => text!("{} (its pod `{}` is not in the topology)", component, pod).shown(chinese),
        None => component.to_owned(),
    };
    let reason = signal.by.as_deref().or(signal.why.as_deref()).unwrap_or("");
    let name = if signal.name.is_empty() { String::new() } else { format!("{} → ", signal.name) };
    let remedy = signal.remedy.as_ref().map_or_else(String::new, |remedy| format!(" · {remedy}"));
    diag::one_line(&format!("{name}{place} · {reason}{remedy}")).into_owned()
}
