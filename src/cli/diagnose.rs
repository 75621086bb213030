//! `faultscope diagnose BUNDLE`.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use super::as_of::{AsOfArgs, bundle_at};
use super::context::{Format, ProjectArgs, TimeArgs, json, load_project};
use super::locale::LocaleArgs;
use super::output::{Failure, Outcome};
use super::{OK, screen, text};
use diag::{Code, did_you_mean, nearest};
use words::{Lang, Writer};

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
    /// Only incidents of rules with one of these tags
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    tags: Vec<String>,
    /// Only incidents of these owners: of a rule, of a suspect, or of a component with symptoms
    #[arg(long, value_name = "OWNER", value_delimiter = ',')]
    owner: Vec<String>,
    #[command(flatten)]
    locale: LocaleArgs,
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    let project = load_project(&args.project, &args.bundle)?;
    let mut bundle = bundle_at(&project, &args.bundle, &args.time, &args.then)?;
    bundle.ask_scorers();
    let mut diagnosis = bundle.diagnose();
    let plan = bundle.plan();
    known("tag", &args.tags, plan.rules.values().flat_map(|rule| rule.tags.iter().map(String::as_str)))?;
    let owners = plan.rules.values().filter_map(|rule| rule.owner.as_deref());
    known("owner", &args.owner, owners.chain(bundle.estate().ids().filter_map(|id| bundle.estate().component(id).owner.as_deref())))?;
    let any = |list: &[String], is: &dyn Fn(&String) -> bool| list.is_empty() || list.iter().any(is);
    diagnosis.filter(|incident| any(&args.tags, &|tag| incident.has_tag(tag)) && any(&args.owner, &|owner| incident.is_of(owner)));
    let locale = if args.format == Format::Json { args.locale.asked() } else { args.locale.get() };
    words::tell(&mut diagnosis, &locale, bundle.estate());
    diagnosis.warnings = bundle.warned(locale.lang == Lang::Zh);
    let writer = Writer { locale: &locale, estate: bundle.estate() };
    let report = if args.full { text::diagnosis } else { screen::diagnosis };
    match args.format {
        Format::Text => write!(out, "{}", report(&diagnosis, writer, false))?,
        Format::Markdown => write!(out, "{}", report(&diagnosis, writer, true))?,
        Format::Json => writeln!(out, "{}", json(&diagnosis)?)?,
    }
    Ok(OK)
}

/// A filter by a name that nothing has would hide everything without a word.
fn known<'n>(what: &str, asked: &[String], names: impl Iterator<Item = &'n str>) -> Result<(), Failure> {
    let names: BTreeSet<&str> = names.collect();
    for one in asked {
        if !names.contains(one.as_str()) {
            let help = nearest(one, names.iter().copied()).map(did_you_mean);
            return Err(Failure::new(Code::USAGE, format!("no rule or component has the {what} `{one}`")).maybe_help(help));
        }
    }
    Ok(())
}
