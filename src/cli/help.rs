//! `faultscope help [SUBJECT]`.

use std::io::Write;

use clap::{CommandFactory, ValueEnum};

use super::{Cli, OK, Outcome};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// The reference of the rule language
    Language,
    /// Every error code
    Codes,
    /// The JSON schema of `diagnose --format json`
    Schema,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    subject: Option<Subject>,
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    match args.subject {
        Some(Subject::Language) => write!(out, "{}", include_str!("../../grammar/reference.md"))?,
        Some(Subject::Codes) => {
            for (code, title) in crate::diag::all_codes() {
                writeln!(out, "{code}  {title}")?;
            }
        }
        Some(Subject::Schema) => writeln!(out, "{}", super::json(&schemars::schema_for!(crate::localize::Diagnosis))?)?,
        None => write!(out, "{}", Cli::command().render_long_help())?,
    }
    Ok(OK)
}
