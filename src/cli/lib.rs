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
mod init;
mod lang;
mod mine;
mod output;
mod page;
mod plot;
#[cfg(test)]
mod plot_tests;
mod reliability;
mod serve;
mod text;
mod walk;
mod why;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use diag::Code;
pub use lang::Lang;
use output::{Failure, Outcome, Output, finish, say};
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
    /// Start a project: placement to begin with, an example estate, a rule, and an incident that it explains
    Init(init::Args),
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
    Time::parse(text).ok_or_else(|| "use RFC 3339, like `2025-06-01T10:00:00Z` or `2025-06-01T18:00:00+08:00`".to_owned())
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    ::estate::parse_duration(text).ok_or_else(|| "use a number and a unit, like `90m`, `2h` or `1h30m`".to_owned())
}

/// Parses the arguments and runs the subcommand.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { OK });
        }
    };
    let mut out = Output::new(std::io::stdout().lock());
    let outcome = match cli.command {
        Command::Init(args) => init::run(&args, &mut out),
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
    finish(outcome, out)
}

/// Loads the project named, or the nearest one upward from `near`, or from here. What is wrong with it goes to standard
/// error in one line: a bad rule must be seen, but must not stop the good ones.
fn load_project(args: &ProjectArgs, near: &Path) -> Result<Project, Failure> {
    let root = match &args.project {
        Some(root) => root.clone(),
        None => find_project(near).or_else(|| find_project(Path::new("."))).ok_or_else(|| {
            Failure::new(Code::NO_PROJECT, "not in a project: no folder upward contains `rules/`")
                .help("name one with `--project DIR`, or start one: `faultscope init`")
        })?,
    };
    let project = Project::load(&root)?;
    let errors = project.diagnostics.iter().filter(|d| d.is_error()).count();
    if errors > 0 {
        say(&format!(
            "warning: {errors} {} in the project; the affected items are left out; `faultscope check {}` shows them",
            if errors == 1 { "error" } else { "errors" },
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
        say(&format!("warning: {}", diag::one_line(warning)));
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

fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|error| Failure::Output(error.into()))
}
