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
        None => write!(out, "{}", Cli::command().render_long_help())?,
    }
    Ok(OK)
}
