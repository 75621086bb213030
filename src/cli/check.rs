//! `faultscope check [DIR]`.

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;
use words::counted;

use super::locale::LocaleArgs;
use super::output::{Failure, Outcome, Output, colored};
use super::{FINDINGS, Lang, OK};
use diag::{Code, Diagnostic, Place, render, render_json};
use project::{Project, find_project};
use server::Config;

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
    #[command(flatten)]
    locale: LocaleArgs,
}

pub fn run(args: &Args, out: &mut Output<impl Write>) -> Outcome {
    let here = PathBuf::from(".");
    let root = args.dir.clone().or_else(|| find_project(&here)).ok_or_else(|| {
        Failure::new(Code::NO_PROJECT, "not in a project: no folder upward contains `rules/`")
            .help("name one with `faultscope check DIR`, or start one here with `faultscope init`")
    })?;
    let mut project = Project::load(&root)?;
    // The server would not start with it either.
    let (_, found) = Config::load(&root, None, &mut project.sources)?;
    project.diagnostics.extend(found);
    project.diagnostics.extend(no_component(&project));
    match args.format {
        // A program that reads this finds the same texts in every environment; only who asks for a language gets it.
        CheckFormat::Json => {
            let chinese = args.locale.lang == Some(Lang::Zh);
            writeln!(out, "{}", render_json(&project.sources, &project.diagnostics, chinese))?;
        }
        CheckFormat::Text => {
            let lang = args.locale.get().lang;
            out.styled(&render(&project.sources, &project.diagnostics, colored(), lang == Lang::Zh))?;
            writeln!(out, "{}", summary(&project, lang))?;
        }
    }
    Ok(if project.diagnostics.is_empty() { OK } else { FINDINGS })
}

/// Rules without an estate: no signal would have a component, and hardly a rule would match.
fn no_component(project: &Project) -> Option<Diagnostic> {
    if !project.estate.is_empty() {
        return None;
    }
    let (file, rule) = project.files().iter().find_map(|file| Some((file, file.rules.first()?)))?;
    let place = Place::new(file.source, rule.id.span);
    let diagnostic = Diagnostic::warning(
        Code::NO_COMPONENT,
        place,
        "no component in `topology/`: only a bundle with a `topology.json` of its own has something to which rules apply",
    );
    Some(
        diagnostic
            .help("write or import the components (`faultscope import`); then `faultscope place` shows which signal is on which of them"),
    )
}

/// What was read, and how much is wrong with it.
fn summary(project: &Project, lang: Lang) -> String {
    let errors = project.diagnostics.iter().filter(|d| d.is_error()).count();
    let warnings = project.diagnostics.len() - errors;
    let (rules, trees) = (project.plan.rules.len(), project.plan.trees.len());
    let (components, cases) = (project.estate.len(), project.cases.cases().len());
    let written = project.files().iter().map(|f| f.rules.len()).sum::<usize>();
    let left_out = written.saturating_sub(rules + trees);
    match lang {
        Lang::En => {
            format!(
                "{}, {}, {}, {}{}: {}, {}",
                counted(rules, "rule"),
                counted(trees, "tree"),
                counted(components, "component"),
                counted(cases, "case"),
                if left_out == 0 { String::new() } else { format!(" ({left_out} of the rules and trees left out)") },
                counted(errors, "error"),
                counted(warnings, "warning")
            )
        }
        Lang::Zh => format!(
            "{rules} 条规则，{trees} 棵决策树，{components} 个组件，{cases} 个案例{}：{errors} 个错误，{warnings} 个警告",
            if left_out == 0 { String::new() } else { format!("（另有 {left_out} 条规则或决策树未采用）") },
        ),
    }
}
