//! `faultscope why RULE-ID BUNDLE`.

use std::io::Write;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::OK;
use super::context::{Format, ProjectArgs, TimeArgs, json, load, load_project};
use super::output::{Failure, Outcome};
use compile::plan::{CondKind, Rule, Status};
use diag::{Code, did_you_mean, nearest, one_line, text};
use engine::{Evidence, EvidenceView, Why};
use estate::ComponentId;
use project::Bundle;
use value::{Time, Truth};

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
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Serialize, JsonSchema)]
struct WhyReport {
    rule: String,
    title: String,
    held: bool,
    /// Why no components could be bound, if none could.
    unbound: Option<String>,
    bindings: Vec<BindingReport>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct BindingReport {
    components: Vec<String>,
    held: bool,
    /// When it began to match, or the instant at which it came closest.
    from: Time,
    until: Option<Time>,
    /// Why it is not counted although it matched.
    set_aside: Option<String>,
    /// How many conditions are unmet; 0 if it matched.
    lacking: usize,
    conditions: ConditionReport,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ConditionReport {
    /// `and`, `or`, `not`, `for`, a state, or an atomic condition.
    kind: String,
    /// For a quantifier: whether elements that satisfy its condition are evidence for it.
    #[serde(skip)]
    many: bool,
    #[serde(flatten)]
    view: EvidenceView,
    parts: Vec<ConditionReport>,
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    let project = load_project(&args.project, &args.bundle)?;
    let bundle = load(&project, &args.bundle, &args.time)?;
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
    let engine = bundle.engine();
    let findings = engine.findings();
    let why = engine.why(rule, &findings);
    let report = report(&bundle, &why);
    match args.format {
        Format::Json => writeln!(out, "{}", json(&report)?)?,
        Format::Text => write!(out, "{}", words(&report, rule, &bundle))?,
        Format::Markdown => write!(out, "```text\n{}```\n", words(&report, rule, &bundle).replace("```", "'''"))?,
    }
    Ok(OK)
}

fn report(bundle: &Bundle<'_>, why: &Why<'_>) -> WhyReport {
    let names = |binding: &[ComponentId]| binding.iter().map(|c| bundle.estate().component(*c).id.clone()).collect();
    let held = why.findings.iter().map(|f| BindingReport {
        components: names(&f.binding),
        held: true,
        from: f.since,
        until: f.until,
        set_aside: f
            .overridden
            .as_ref()
            .map(|(by, why)| format!("overridden by {by}{}", why.as_ref().map_or_else(String::new, |w| format!(": {w}")))),
        lacking: 0,
        conditions: conditions(bundle, &f.evidence),
    });
    let others = why.others.iter().map(|o| BindingReport {
        components: names(&o.binding),
        held: false,
        from: o.at,
        until: None,
        set_aside: None,
        lacking: o.lacking,
        conditions: conditions(bundle, &o.evidence),
    });
    WhyReport {
        rule: why.rule.id.clone(),
        title: why.rule.title.clone(),
        held: !why.findings.is_empty(),
        unbound: why.unbound.clone(),
        bindings: held.chain(others).collect(),
    }
}

fn conditions(bundle: &Bundle<'_>, evidence: &Evidence<'_>) -> ConditionReport {
    let kind = match &evidence.cond.kind {
        CondKind::And(_) => "and",
        CondKind::Or(_) => "or",
        CondKind::Not(_) => "not",
        CondKind::Held { .. } => "for",
        CondKind::State { .. } => "state",
        CondKind::Quantified(_) => "quantifier",
        CondKind::Event(_) => "event",
        CondKind::Probe { .. } => "probe",
        CondKind::Link { .. } | CondKind::Shares { .. } => "topology",
        CondKind::Unexplained(_) => "unexplained",
        CondKind::Compare { .. } => "comparison",
        CondKind::Script(_) => "script",
        CondKind::Trend { .. } => "trend",
        CondKind::Baseline { .. } => "baseline",
    };
    ConditionReport {
        kind: kind.to_owned(),
        many: matches!(&evidence.cond.kind, CondKind::Quantified(of) if of.quantifier.wants_many()),
        view: evidence.view(bundle.estate(), &bundle.facts),
        parts: evidence.children.iter().map(|child| conditions(bundle, child)).collect(),
    }
}

fn words(report: &WhyReport, rule: &Rule, bundle: &Bundle<'_>) -> String {
    let status = match rule.status {
        Status::Active => "",
        Status::Draft => ", draft",
        Status::Retired => ", retired: never evaluated",
    };
    let verdict = if report.held { "matched" } else { "did not match" };
    let mut page = format!(
        "{} \"{}\"{status}: {verdict} (checked from {} to {})\n",
        report.rule,
        report.title,
        bundle.at.minus(bundle.lookback),
        bundle.at
    );
    if let Some(unbound) = &report.unbound {
        page.push_str(&format!("\n  Not evaluated: {unbound}.\n"));
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
        let when = match (binding.held, binding.until) {
            (true, None) => format!("matched since {}, still matching", binding.from.clock()),
            (true, Some(until)) => format!("matched from {} to {}", binding.from.clock(), until.clock()),
            (false, _) => {
                let verdict = match binding.conditions.view.truth {
                    Truth::Unknown => "unknown, data is missing",
                    Truth::True | Truth::False => "did not match",
                };
                let many = if binding.lacking == 1 { "one condition".to_owned() } else { format!("{} conditions", binding.lacking) };
                format!("{verdict}: {many} unmet, closest at {}", binding.from.clock())
            }
        };
        let aside = binding.set_aside.as_ref().map_or_else(String::new, |why| format!("; not counted: {why}"));
        page.push_str(&format!("\n  {}\n", one_line(&format!("{on}— {when}{aside}"))));
        tree(&binding.conditions, 2, &mut page);
    }
    if others > MAX_BINDINGS {
        page.push_str(&format!("\n  … {} more bindings, further from a match\n", others - MAX_BINDINGS));
    }
    page
}

fn tree(condition: &ConditionReport, depth: usize, page: &mut String) {
    let mark = match condition.view.truth {
        Truth::True => "✓",
        Truth::False => "✗",
        Truth::Unknown => "?",
    };
    let indent = "  ".repeat(depth);
    let line = match condition.kind.as_str() {
        "and" => "all of".to_owned(),
        "or" => "any of".to_owned(),
        "not" => "not".to_owned(),
        _ => {
            let mut line = condition.view.text.clone();
            if let Some(threshold) = &condition.view.threshold
                && matches!(condition.kind.as_str(), "trend" | "baseline")
            {
                line.push_str(&format!(" — needs {threshold}"));
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
            page.push_str(&format!("{indent}    … {} more\n", condition.view.sources.len() - MAX_SOURCES));
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
        tree(part, depth + 1, page);
    }
    if shown.len() > MAX_PARTS {
        page.push_str(&format!("{indent}  … {} more\n", shown.len() - MAX_PARTS));
    }
}
