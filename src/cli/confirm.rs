//! `faultscope confirm BUNDLE` records the real root cause; `faultscope confirm --list` shows all records.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::as_of::{now, user};
use super::context::{ProjectArgs, TimeArgs, load, load_project};
use super::locale::LocaleArgs;
use super::output::{Failure, Outcome};
use super::reliability::table;
use super::{Lang, OK};
use diag::{Code, Diagnostic, text};
use estate::Snapshot;
use knowledge::feedback::{Entry, JOURNAL, Root, Said, pairs};
use knowledge::{Calibration, Feedback, Layer, Reliability};
use project::{Project, answer_of, append_feedback, name_in, unknown_component};
use value::Time;
use words::Locale;

/// Confidences for which the calibrated value is shown.
const SHOWN: &[f64] = &[0.2, 0.4, 0.6, 0.8];

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Bundle folder that was diagnosed
    #[arg(required_unless_present = "list", conflicts_with = "list")]
    bundle: Option<PathBuf>,
    /// Component that broke, by id or name [default: the first suspect]
    #[arg(long, value_name = "COMPONENT", conflicts_with_all = ["no_fault", "list"])]
    root: Option<String>,
    /// What was wrong with it [default: the fault of the first suspect, if that is the component]
    #[arg(long, value_name = "TEXT", requires = "root")]
    fault: Option<String>,
    /// Nothing was broken
    #[arg(long, conflicts_with = "list")]
    no_fault: bool,
    /// Who confirms [default: your user name]
    #[arg(long, value_name = "NAME", conflicts_with = "list")]
    by: Option<String>,
    /// Note for the next reader
    #[arg(long, value_name = "TEXT", conflicts_with = "list")]
    note: Option<String>,
    /// List all records, their effect, and how often each confidence was right
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    time: TimeArgs,
    #[command(flatten)]
    locale: LocaleArgs,
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    let locale = args.locale.get();
    let Some(dir) = &args.bundle else {
        let project = load_project(&args.project, Path::new("."))?;
        write!(out, "{}", listed(&project, &locale))?;
        return Ok(OK);
    };
    let project = load_project(&args.project, dir)?;
    let bundle = load(&project, dir, &args.time)?;
    let answer = answer_of(&bundle.diagnose());
    let said = said(args, bundle.estate())?;
    let Some((verdict, root)) = said.judge(answer.as_ref()) else {
        let message = text!("the diagnosis of `{}` names no suspect, so there is nothing to confirm", dir.display());
        let help = text!("name the component that broke with `--root COMPONENT`, or use `--no-fault`");
        return Err(Box::new(Diagnostic::nowhere(Code::NOTHING_TO_CONFIRM, message).help(help)).into());
    };
    let name = name_in(&project.root, dir);
    let before = &project.feedback;
    let earlier = before.entries.iter().find(|entry| entry.bundle == name);
    // Never earlier than the entry it replaces: the clock that wrote that one may have been ahead.
    let time = earlier.map_or(Time(now()), |entry| entry.time.max(Time(now())));
    let by = args.by.clone().unwrap_or_else(user);
    let entry = Entry { time, bundle: name, verdict, answer, root, by, note: args.note.clone().unwrap_or_default() };
    let path = project.root.join(JOURNAL);
    append_feedback(&project.root, &entry)
        .map_err(|error| Failure::new(Code::UNWRITABLE, text!("cannot write `{}`: {}", path.display(), error)))?;
    writeln!(out, "{}", locale.lang.recorded_in(&path.display().to_string(), &locale.feedback(&entry)))?;
    if let Some(earlier) = earlier {
        writeln!(out, "  {}", locale.lang.replaces(&locale.feedback(earlier)))?;
    }
    let mut entries = before.entries.clone();
    entries.push(entry);
    write!(out, "{}", changes(before, &Feedback::new(entries), locale.lang))?;
    Ok(OK)
}

fn said(args: &Args, estate: &Snapshot) -> Result<Said, Failure> {
    match &args.root {
        Some(name) => {
            let found = estate.find_named(name).ok_or_else(|| unknown_component(estate, name))?;
            let fault = args.fault.clone().unwrap_or_default();
            Ok(Said::Broke(Root { component: estate.component(found).id.clone(), fault }))
        }
        None if args.no_fault => Ok(Said::NoFault),
        None => Ok(Said::Agreed),
    }
}

/// What changes from now on.
fn changes(before: &Feedback, after: &Feedback, lang: Lang) -> String {
    let mut text = String::new();
    let cases: BTreeSet<&str> = before.weights.judged().chain(after.weights.judged()).map(|(case, _)| case).collect();
    for case in cases.into_iter().filter(|case| before.weights.record(case) != after.weights.record(case)) {
        text.push_str(&weighs(after, case, lang));
    }
    let answers = |feedback: &Feedback| pairs(&feedback.entries, Some(Layer::Anomaly)).len();
    if before.calibration != after.calibration || answers(before) != answers(after) {
        text.push_str(&meaning(after.calibration, answers(after), lang));
    }
    if text.is_empty() {
        text.push_str(&format!("  {}\n", lang.without_effect()));
    }
    text
}

fn weighs(feedback: &Feedback, case: &str, lang: Lang) -> String {
    format!("  {}\n", lang.case_weight(case, feedback.weights.record(case)))
}

fn meaning(calibration: Calibration, answers: usize, lang: Lang) -> String {
    let shares: Vec<(f64, f64)> = SHOWN.iter().map(|share| (*share, calibration.apply(*share))).collect();
    format!("  {}\n", lang.calibrated(answers, &shares))
}

/// The journal, and its effect.
fn listed(project: &Project, locale: &Locale) -> String {
    let (feedback, lang) = (&project.feedback, locale.lang);
    if feedback.entries.is_empty() {
        return format!("{}\n", lang.no_feedback_yet(&project.root.join(JOURNAL).display().to_string()));
    }
    let mut text = String::new();
    feedback.entries.iter().for_each(|entry| text.push_str(&format!("{}\n", locale.feedback(entry))));
    text.push('\n');
    let judged: Vec<&str> = feedback.weights.judged().map(|(case, _)| case).collect();
    judged.iter().for_each(|case| text.push_str(&weighs(feedback, case, lang)));
    let scores = pairs(&feedback.entries, Some(Layer::Anomaly));
    if !scores.is_empty() {
        text.push_str(&meaning(feedback.calibration, scores.len(), lang));
    }
    if !judged.is_empty() || !scores.is_empty() {
        text.push('\n');
    }
    for layer in [Layer::Expert, Layer::Knowledge, Layer::Anomaly] {
        let said = pairs(&feedback.entries, Some(layer));
        if !said.is_empty() {
            text.push_str(&table(lang.layer_short(Some(layer)), &Reliability::of(&said), lang));
        }
    }
    text
}
