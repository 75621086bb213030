//! `faultscope help [SUBJECT]`.

use std::io::Write;

use clap::{CommandFactory, ValueEnum};

use super::locale::language;
use super::output::Outcome;
use super::{Cli, Lang, OK};
use estate::{AttributeKind, Model, base_model};
use project::{Project, find_project};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// Reference of the rule language
    Language,
    /// All error codes
    Codes,
    /// Types, metrics, states and relations that rules may name: those of the current project, else the built-in ones
    Model,
    /// JSON schema of `diagnose --format json`
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
            for (code, english, chinese) in diag::all_codes() {
                let title = match language() {
                    Lang::En => english,
                    Lang::Zh => chinese,
                };
                writeln!(out, "{code}  {title}")?;
            }
        }
        Some(Subject::Model) => write!(out, "{}", model())?,
        Some(Subject::Schema) => writeln!(out, "{}", super::context::json(&schemars::schema_for!(localize::Diagnosis))?)?,
        None => write!(out, "{}", Cli::command().render_long_help())?,
    }
    Ok(OK)
}

/// The model as a searchable list.
fn model() -> String {
    let project = find_project(std::path::Path::new(".")).and_then(|root| Project::load(&root).ok());
    let base;
    let model: &Model = match &project {
        Some(project) => project.estate.model(),
        None => {
            base = base_model();
            &base
        }
    };
    let zh = |zh: &Option<String>| zh.as_ref().map_or_else(String::new, |zh| format!(" {zh}"));
    let mut page = String::new();
    for kind in model.types.values() {
        let parent = kind.parent.as_ref().map_or_else(String::new, |p| format!(" : {p}"));
        page.push_str(&format!("{}{}{parent}\n", kind.name, zh(&kind.zh)));
        for attribute in kind.attributes.values() {
            let kind = match attribute.kind {
                AttributeKind::Text => "text",
                AttributeKind::Bool => "true or false",
                AttributeKind::Number(unit) => unit.name,
            };
            page.push_str(&format!("  attribute {}{} ({kind})\n", attribute.name, zh(&attribute.zh)));
        }
        for metric in kind.metrics.values() {
            page.push_str(&format!("  metric {}{} ({})\n", metric.name, zh(&metric.zh), metric.unit.name));
        }
        for state in kind.states.values() {
            page.push_str(&format!("  state {}{}: {}\n", state.name, zh(&state.zh), state.condition));
        }
        for source in kind.logs.values() {
            page.push_str(&format!("  logs {}{}\n", source.name, zh(&source.zh)));
        }
    }
    for relation in model.relations.values() {
        let list = |types: &[String]| if types.is_empty() { "any".to_owned() } else { types.join("|") };
        page.push_str(&format!("relation {}{}: {} -> {}\n", relation.name, zh(&relation.zh), list(&relation.from), list(&relation.to)));
    }
    page
}
