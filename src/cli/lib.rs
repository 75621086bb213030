//! The command line: one file for each subcommand, `text` for what people read.

mod anomaly;
mod anomaly_text;
mod as_of;
mod bench;
mod causes;
mod change;
mod change_text;
mod check;
mod confirm;
mod diagnose;
mod estate;
mod eval;
mod graph;
mod groups;
mod help;
mod impact;
mod import;
mod import_store;
mod lang;
mod mine;
mod page;
mod plot;
#[cfg(test)]
mod plot_tests;
mod reliability;
mod serve;
mod text;
mod walk;
mod why;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use diag::{Diagnostic, Sources, render};
pub use lang::Lang;
use project::{Bundle, Options, Project, find_project, load_bundle};
use value::{Duration, Time};

/// Exit codes, the same for every subcommand.
pub const OK: u8 = 0;
/// There is something to report: mistakes in the project, a walk without an end.
pub const FINDINGS: u8 = 1;
/// The command cannot be carried out as given.
pub const USAGE: u8 = 2;

#[derive(Parser)]
#[command(name = "faultscope", version, disable_help_subcommand = true, about = "Which component broke, what it drags down, what to check, and why we believe so.", long_about = None)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Diagnose an incident bundle: suspects, evidence, impact, checks, suggested fixes
    Diagnose(diagnose::Args),
    /// Report every error in a project's rules, topology and cases
    Check(check::Args),
    /// Show why a rule matched a bundle or did not, condition by condition
    Why(why::Args),
    /// Show what a fault of components affects, what could have caused it, or the single points of failure
    Impact(impact::Args),
    /// Assess a planned change: what goes down, the risk, a safe order
    Change(change::Args),
    /// Manage the estate on disk and its history: apply, log, show, diff, export, conflicts
    Estate(estate::Args),
    /// Import topology from Kubernetes, Compose, service graphs, NetBox, Backstage, Terraform, ASM or CSV into a file or the store
    Import(import::Args),
    /// Learn what is usual for single metrics, and score new values
    Anomaly(anomaly::Args),
    /// Walk through a decision tree, question by question
    Walk(walk::Args),
    /// Record the real root cause so that later diagnoses learn from it; `--list` shows all records
    Confirm(confirm::Args),
    /// Compare diagnoses with the truth in each bundle's `expected.json`
    Eval(eval::Args),
    /// Propose draft rules and a decision tree from past incidents with a confirmed cause, for review
    Mine(mine::Args),
    /// Replay recordings and measure how fast the matcher is on this project
    Bench(bench::Args),
    /// Serve diagnoses and predictions over HTTP, and receive scores of your own models
    Serve(serve::Args),
    /// Print reference help: the rule language, error codes, the model, or the JSON schema
    Help(help::Args),
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
    Markdown,
}

/// Which project, for commands that need one.
#[derive(Debug, clap::Args)]
pub struct ProjectArgs {
    /// Project folder, with `rules/`, `topology/` and `cases/` [default: the nearest folder upward that contains `rules/`]
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
}

/// Which instant.
#[derive(Debug, clap::Args)]
pub struct TimeArgs {
    /// Evaluate as of this time, RFC 3339 [default: the time of the last signal]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Time>,
    /// How far back to look for symptoms and findings, like `90m` [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    window: Option<Duration>,
}

impl TimeArgs {
    fn options(&self) -> Options {
        Options { at: self.at, lookback: self.window }
    }
}

fn parse_time(text: &str) -> Result<Time, String> {
    Time::parse(text).ok_or_else(|| format!("`{text}` is no time; write it like `2025-06-01T10:00:00Z` or `2025-06-01T18:00:00+08:00`"))
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = value::Unit::parse(unit).filter(|u| u.dimension == value::Dimension::Time && !text.is_empty());
    match (number.parse::<u32>(), unit) {
        #[allow(clippy::cast_possible_truncation, reason = "at most 2^32 weeks in milliseconds")]
        (Ok(number), Some(unit)) if number > 0 => Ok((f64::from(number) * unit.factor) as Duration),
        _ => Err(format!("`{text}` is no duration; write it like `90m` or `2h`")),
    }
}

/// Says something beside the report. Whoever closed the error stream does not want to hear it.
pub fn say(words: &str) {
    let _ = writeln!(std::io::stderr(), "{words}");
}

/// Something that ends a command: printed, then exit code 2.
pub struct Failure(String);

impl From<Box<Diagnostic>> for Failure {
    fn from(diagnostic: Box<Diagnostic>) -> Self {
        let help = diagnostic.help.as_ref().map_or_else(String::new, |help| format!("\n  help: {help}"));
        Failure(format!("error[{}]: {}{help}", diagnostic.code, diagnostic.message))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure(format!("error: {error}"))
    }
}

type Outcome = Result<u8, Failure>;

/// Parses the arguments and runs the subcommand.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { OK });
        }
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let outcome = match cli.command {
        Command::Diagnose(args) => diagnose::run(&args, &mut out),
        Command::Check(args) => check::run(&args, &mut out),
        Command::Why(args) => why::run(&args, &mut out),
        Command::Impact(args) => impact::run(&args, &mut out),
        Command::Change(args) => change::run(&args, &mut out),
        Command::Estate(args) => estate::run(&args, &mut out),
        Command::Import(args) => import::run(&args, &mut out),
        Command::Anomaly(args) => anomaly::run(&args, &mut out),
        Command::Walk(args) => walk::run(&args, &mut out),
        Command::Confirm(args) => confirm::run(&args, &mut out),
        Command::Eval(args) => eval::run(&args, &mut out),
        Command::Mine(args) => mine::run(&args, &mut out),
        Command::Bench(args) => bench::run(&args, &mut out),
        Command::Serve(args) => serve::run(&args, &mut out),
        Command::Help(args) => help::run(&args, &mut out),
    };
    let flushed = out.flush();
    match (outcome, flushed) {
        // A reader that has seen enough (`| head`) is no failure.
        (Err(Failure(message)), _) if message.contains("Broken pipe") => ExitCode::from(OK),
        (Err(Failure(message)), _) => {
            say(&message);
            ExitCode::from(USAGE)
        }
        (Ok(code), _) => ExitCode::from(code),
    }
}

/// Loads the project named, or the nearest one upward from `near`, or from here. What is wrong with it goes to standard
/// error in one line: a bad rule must be seen, but must not stop the good ones.
fn load_project(args: &ProjectArgs, near: &Path) -> Result<Project, Failure> {
    let root = match &args.project {
        Some(root) => root.clone(),
        None => find_project(near).or_else(|| find_project(Path::new("."))).ok_or_else(|| {
            Failure(
                "error[F9003]: there is no project here: no folder upward holds `rules/`\n  help: name one with `--project DIR`".to_owned(),
            )
        })?,
    };
    let project = Project::load(&root)?;
    let errors = project.diagnostics.iter().filter(|d| d.is_error()).count();
    if errors > 0 {
        say(&format!(
            "warning: {errors} {} in the project, the items concerned are left out; `faultscope check {}` shows them",
            if errors == 1 { "mistake" } else { "mistakes" },
            root.display()
        ));
    }
    Ok(project)
}

/// A bundle whose warnings the report itself shows.
fn load_quietly<'p>(project: &'p Project, dir: &Path, time: &TimeArgs) -> Result<Bundle<'p>, Failure> {
    Ok(load_bundle(project, dir, &top_of(project, dir), time.options())?)
}

fn load<'p>(project: &'p Project, dir: &Path, time: &TimeArgs) -> Result<Bundle<'p>, Failure> {
    let bundle = load_quietly(project, dir, time)?;
    for warning in &bundle.warnings {
        say(&format!("warning: {warning}"));
    }
    Ok(bundle)
}

/// A bundle's topology and baseline may lie above it: as far up as the project, if it lies in one, else as far as the folder
/// that its siblings share.
fn top_of(project: &Project, dir: &Path) -> PathBuf {
    let (Ok(dir), Ok(root)) = (dir.canonicalize(), project.root.canonicalize()) else { return dir.to_path_buf() };
    if dir.starts_with(&root) {
        dir.parent().filter(|p| p.starts_with(&root) && *p != root).map_or(dir.clone(), Path::to_path_buf)
    } else {
        dir.parent().map_or(dir.clone(), Path::to_path_buf)
    }
}

/// Whether to colour what goes to the terminal.
fn colored() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

fn show_diagnostics(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    render(sources, diagnostics, colored())
}

fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|error| Failure(format!("error: {error}")))
}
