//! The command line: one file for each subcommand. `context` has what they share, `output` is where text leaves.

mod anomaly;
mod anomaly_text;
mod as_of;
mod bench;
mod causes;
mod change;
mod change_text;
mod check;
mod columns;
mod confirm;
mod context;
mod diagnose;
mod estate;
mod estate_check;
mod eval;
mod graph;
mod groups;
mod help;
mod impact;
mod import;
mod import_store;
mod init;
mod knowledge;
mod locale;
mod mine;
mod notify;
mod output;
mod page;
mod place;
mod plot;
#[cfg(test)]
mod plot_tests;
mod reliability;
mod replay;
mod screen;
mod serve;
mod text;
mod token;
mod walk;
mod why;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use output::{Output, finish};
pub use words::Lang;

/// Exit codes, the same for every subcommand.
pub const OK: u8 = 0;
/// There is something to report: errors in the project, a walk without an end.
pub const FINDINGS: u8 = 1;
/// The command cannot be carried out as given.
pub const USAGE: u8 = 2;

#[derive(Parser)]
#[command(name = "faultscope", version, disable_help_subcommand = true, about = "Which component broke, what it takes down, what to check, and why we believe so.", long_about = None)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a project: a starter mapping of labels to components, an example topology, a rule, and an incident that it explains
    Init(init::Args),
    /// Diagnose an incident bundle: suspects, evidence, impact, checks, suggested fixes
    Diagnose(diagnose::Args),
    /// Report every error in a project's rules, topology and cases
    Check(check::Args),
    /// Show why a rule matched a bundle or did not, condition by condition
    Why(why::Args),
    /// Show what a fault of components affects, what could have caused it, or the single points of failure
    Impact(impact::Args),
    /// Show what happened to a component and next door, which rules speak of it, and what helped; also of an alert, a case or a rule
    Knowledge(knowledge::Args),
    /// Assess a planned change: what goes down, the risk, a safe order
    Change(change::Args),
    /// Manage the estate on disk and its history: apply, log, show, diff, export, conflicts, check, salvage
    Estate(estate::Args),
    /// Import topology from Kubernetes, Compose, service graphs, NetBox, Backstage, Terraform, ASM or CSV into a file or the store
    Import(import::Args),
    /// Learn what is usual for single metrics, and score new values
    Anomaly(anomaly::Args),
    /// Show which component signals are about, by which label, or why none
    Place(place::Args),
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
    /// Take alerts, metrics, logs and traces as they arrive, and answer over HTTP what is broken
    Serve(serve::Args),
    /// Manage the tokens with which clients call the server: add, list, revoke
    Token(token::Args),
    /// Send a recording to a server, as its senders once did
    Replay(replay::Args),
    /// Try the channels that tell people of incidents
    Notify(notify::Args),
    /// Print reference help: the rule language, error codes, the model, or the JSON schema
    Help(help::Args),
}

/// Parses the arguments and runs the subcommand.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            if error.use_stderr() {
                let _ = error.print();
                return ExitCode::from(USAGE);
            }
            // The help that was asked for is output like any other: a full disk is an error.
            let printed = error.print().and_then(|()| std::io::stdout().flush());
            return finish(printed.map(|()| OK).map_err(output::Failure::Output), Output::new(std::io::sink()));
        }
    };
    let mut out = Output::new(std::io::stdout().lock());
    let outcome = match cli.command {
        Command::Init(args) => init::run(&args, &mut out),
        Command::Diagnose(args) => diagnose::run(&args, &mut out),
        Command::Check(args) => check::run(&args, &mut out),
        Command::Why(args) => why::run(&args, &mut out),
        Command::Impact(args) => impact::run(&args, &mut out),
        Command::Knowledge(args) => knowledge::run(&args, &mut out),
        Command::Change(args) => change::run(&args, &mut out),
        Command::Estate(args) => estate::run(&args, &mut out),
        Command::Import(args) => import::run(&args, &mut out),
        Command::Anomaly(args) => anomaly::run(&args, &mut out),
        Command::Place(args) => place::run(&args, &mut out),
        Command::Walk(args) => walk::run(&args, &mut out),
        Command::Confirm(args) => confirm::run(&args, &mut out),
        Command::Eval(args) => eval::run(&args, &mut out),
        Command::Mine(args) => mine::run(&args, &mut out),
        Command::Bench(args) => bench::run(&args, &mut out),
        Command::Serve(args) => serve::run(&args, &mut out),
        Command::Token(args) => token::run(&args, &mut out),
        Command::Replay(args) => replay::run(&args, &mut out),
        Command::Notify(args) => notify::run(&args, &mut out),
        Command::Help(args) => help::run(&args, &mut out),
    };
    finish(outcome, out)
}
