//! `faultscope why RULE-ID BUNDLE`.

use std::io::Write;
use std::path::PathBuf;

use super::OK;
use super::as_of::{AsOfArgs, bundle_at};
use super::context::{Format, ProjectArgs, TimeArgs, json, load_project};
use super::locale::LocaleArgs;
use super::output::{Failure, Outcome, warn};
use compile::plan::Rule;
use diag::{Code, did_you_mean, nearest, one_line, text};
use project::{Bundle, ConditionReport, WhyReport};
use value::Truth;
use words::Writer;

/// How many bindings that did not match are shown after those that did; JSON has all.
const MAX_BINDINGS: usize = 3;
/// How many parts of a condition are shown, and how many of the signals behind it.
const MAX_PARTS: usize = 10;
const MAX_SOURCES: usize = 2;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Identifier of the rule
    #[arg(value_name = "RULE-ID")]
    rule: String,
    /// Bundle folder
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
    #[command(flatten)]
    locale: LocaleArgs,
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    let project = load_project(&args.project, &args.bundle)?;
    let bundle = bundle_at(&project, &args.bundle, &args.time, &args.then)?;
    bundle.warnings.iter().cloned().for_each(warn);
    let plan = bundle.plan();
    let Some(rule) = plan.rules.get(&args.rule) else {
        if plan.trees.contains_key(&args.rule) {
            return Err(Failure::new(
                Code::USAGE,
                text!("`{}` is a decision tree: use `faultscope walk {} --bundle {}`", args.rule, args.rule, args.bundle.display()),
            ));
        }
        let broken = project.files().iter().flat_map(|f| &f.rules).any(|r| r.id.value == args.rule);
        if broken {
            return Err(Failure::new(
                Code::USAGE,
                text!("rule `{}` has an error and was left out; `faultscope check` shows it", args.rule),
            ));
        }
        let help = nearest(&args.rule, plan.rules.keys().map(String::as_str)).map(did_you_mean);
        return Err(Failure::new(Code::UNKNOWN_RULE, text!("the project `{}` has no rule `{}`", project.root.display(), args.rule))
            .maybe_help(help));
    };
    // Programs read JSON: it is the same for every reader, unless asked otherwise.
    let locale = if args.format == Format::Json { args.locale.asked() } else { args.locale.get() };
    let writer = Writer { locale: &locale, estate: bundle.estate() };
    let report = project::why(&bundle, rule, writer);
    match args.format {
        Format::Json => writeln!(out, "{}", json(&report)?)?,
        Format::Text => write!(out, "{}", words(&report, rule, &bundle, writer))?,
        Format::Markdown => write!(out, "```text\n{}```\n", words(&report, rule, &bundle, writer).replace("```", "'''"))?,
    }
    Ok(OK)
}

fn words(report: &WhyReport, rule: &Rule, bundle: &Bundle<'_>, writer: Writer<'_>) -> String {
    let (locale, lang) = (writer.locale, writer.lang());
    let checked = (bundle.at.minus(bundle.lookback), bundle.at);
    let mut page = format!("{}\n", locale.why_rule(&report.rule, &report.title, rule.status, report.held, checked));
    if let Some(unbound) = &report.unbound {
        page.push_str(&format!("\n  {}\n", lang.not_evaluated(&unbound.text)));
    }
    let mut others = 0;
    for binding in &report.bindings {
        if !binding.held {
            others += 1;
            if others > MAX_BINDINGS {
                continue;
            }
        }
        let named: Vec<String> = rule.variables.iter().zip(&binding.components).map(|(v, c)| format!("{} = {c}", v.name)).collect();
        let on = if named.is_empty() { String::new() } else { format!("{} ", named.join(", ")) };
        let when = if binding.held {
            locale.binding_matched(binding.from, binding.until)
        } else {
            locale.binding_missed(binding.conditions.view.truth, binding.lacking, binding.from)
        };
        let aside = binding.set_aside.as_ref().map_or_else(String::new, |why| lang.not_counted(why));
        page.push_str(&format!("\n  {}\n", one_line(&format!("{on}— {when}{aside}"))));
        tree(&binding.conditions, 2, writer, &mut page);
    }
    if others > MAX_BINDINGS {
        page.push_str(&format!("\n  … {}\n", lang.more_bindings(others - MAX_BINDINGS)));
    }
    page
}

fn tree(condition: &ConditionReport, depth: usize, writer: Writer<'_>, page: &mut String) {
    let lang = writer.lang();
    let mark = match condition.view.truth {
        Truth::True => "✓",
        Truth::False => "✗",
        Truth::Unknown => "?",
    };
    let indent = "  ".repeat(depth);
    let line = match condition.kind.as_str() {
        "and" => lang.all_of().to_owned(),
        "or" => lang.any_of().to_owned(),
        "not" => lang.none_of().to_owned(),
        _ => {
            let mut line = condition.view.text.clone();
            if let Some(needed) = writer.needed(&condition.view.found) {
                line.push_str(&lang.needs_value(&needed));
            }
            line
        }
    };
    page.push_str(&format!("{indent}{mark} {}\n", one_line(&line)));
    if condition.parts.is_empty() {
        for source in condition.view.sources.iter().take(MAX_SOURCES) {
            page.push_str(&format!("{indent}    {}#{}: {}\n", one_line(&source.origin.file), source.origin.index, one_line(&source.text)));
        }
        if condition.view.sources.len() > MAX_SOURCES {
            page.push_str(&format!("{indent}    … {} {}\n", condition.view.sources.len() - MAX_SOURCES, lang.more()));
        }
    }
    // For a quantifier, only the elements that decide it: those for it if it holds, otherwise those against it and the unknown ones.
    let decides = |part: &&ConditionReport| {
        let satisfies = part.view.truth == if condition.many { Truth::True } else { Truth::False };
        condition.kind != "quantifier" || satisfies == condition.view.truth.is_true()
    };
    let mut shown: Vec<&ConditionReport> = condition.parts.iter().filter(decides).collect();
    if condition.kind == "quantifier" {
        shown.sort_by_key(|part| (part.view.truth == Truth::Unknown) != (condition.view.truth == Truth::Unknown));
    }
    for part in shown.iter().take(MAX_PARTS) {
        tree(part, depth + 1, writer, page);
    }
    if shown.len() > MAX_PARTS {
        page.push_str(&format!("{indent}  … {} {}\n", shown.len() - MAX_PARTS, lang.more()));
    }
}
