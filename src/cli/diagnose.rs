//! `faultscope diagnose BUNDLE`.

use std::io::Write;
use std::path::PathBuf;

use super::as_of::{AsOfArgs, Then, estate_at};
use super::context::{Format, ProjectArgs, TimeArgs, json, load_project, load_quietly, top_of};
use super::locale::LocaleArgs;
use super::output::Outcome;
use super::{OK, screen, text};
use project::load_bundle_against;
use words::Writer;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Bundle folder with any of alerts.json, metrics.json, traces.json, logs.json, events.ndjson
    bundle: PathBuf,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    time: TimeArgs,
    #[command(flatten)]
    then: AsOfArgs,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Everything: all evidence, every affected component, near misses, where each signal ended
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    locale: LocaleArgs,
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    let project = load_project(&args.project, &args.bundle)?;
    let mut bundle = match estate_at(&project, &args.then)? {
        Some(Then { estate, words }) => {
            load_bundle_against(&project, &args.bundle, &top_of(&project, &args.bundle), args.time.options(), estate, words)?
        }
        None => load_quietly(&project, &args.bundle, &args.time)?,
    };
    bundle.ask_scorers();
    let mut diagnosis = bundle.diagnose();
    let locale = args.locale.get();
    words::tell(&mut diagnosis, &locale, bundle.estate());
    let writer = Writer { locale: &locale, estate: bundle.estate() };
    let report = if args.full { text::diagnosis } else { screen::diagnosis };
    match args.format {
        Format::Text => write!(out, "{}", report(&diagnosis, writer, false))?,
        Format::Markdown => write!(out, "{}", report(&diagnosis, writer, true))?,
        Format::Json => writeln!(out, "{}", json(&diagnosis)?)?,
    }
    Ok(OK)
}
