//! `faultscope check [DIR]`.

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;

use super::output::{Failure, Outcome, Output, colored};
use super::{FINDINGS, OK};
use diag::{Code, render, render_json};
use project::{Project, find_project};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CheckFormat {
    Text,
    Json,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Project folder [default: the nearest folder upward that contains `rules/`]
    dir: Option<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: CheckFormat,
}

pub fn run(args: &Args, out: &mut Output<impl Write>) -> Outcome {
    let here = PathBuf::from(".");
    let root = args.dir.clone().or_else(|| find_project(&here)).ok_or_else(|| {
        Failure::new(Code::NO_PROJECT, "not in a project: no folder upward contains `rules/`")
            .help("name one with `faultscope check DIR`, or start one here with `faultscope init`")
    })?;
    let project = Project::load(&root)?;
    let errors = project.diagnostics.iter().filter(|d| d.is_error()).count();
    let warnings = project.diagnostics.len() - errors;
    match args.format {
        CheckFormat::Json => writeln!(out, "{}", render_json(&project.sources, &project.diagnostics))?,
        CheckFormat::Text => {
            out.styled(&render(&project.sources, &project.diagnostics, colored()))?;
            let written = project.files().iter().map(|f| f.rules.len()).sum::<usize>();
            let left_out = written.saturating_sub(project.plan.rules.len() + project.plan.trees.len());
            let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
            writeln!(
                out,
                "{}, {}, {}, {}{}: {}, {}",
                count(project.plan.rules.len(), "rule"),
                count(project.plan.trees.len(), "tree"),
                count(project.estate.len(), "component"),
                count(project.cases.cases().len(), "case"),
                if left_out == 0 { String::new() } else { format!(" ({left_out} of the rules and trees left out)") },
                count(errors, "error"),
                count(warnings, "warning")
            )?;
        }
    }
    Ok(if project.diagnostics.is_empty() { OK } else { FINDINGS })
}
