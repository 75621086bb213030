//! `faultscope knowledge WHAT`: what happened there and next door, which rules speak of it, and what helped.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::OK;
use super::as_of::{now, open_to_read};
use super::context::{Format, ProjectArgs, json, load_project, parse_duration, parse_time};
use super::locale::LocaleArgs;
use super::output::{Failure, Outcome, warn};
use super::page::Page;
use diag::{Code, did_you_mean, nearest, text};
use knowledge::{Answer, Asked, Earlier, KnowledgeGraph, Walk};
use project::{DEFAULT_STORE, Project, is_missing, open_existing, unknown_component};
use store::{Store, StoreError};
use value::{DAY, Duration, Time};
use words::Writer;

/// Lines of each list on the first screen, all of which is about 25 lines; `--full` has all.
const MAX_LINES: usize = 3;
/// A month is taken as long as the longest: rather a day too many than an incident that is missed.
const MONTH: Duration = 31 * DAY;
const YEAR: Duration = 366 * DAY;
/// More years than this are a typing error.
const MAX_YEARS: u32 = 100;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Component, case or rule by id or name, the name of an alert or a metric, or a piece of a log line, a fault or a title
    #[arg(value_name = "COMPONENT|ALERT|CASE|RULE")]
    what: String,
    /// Only what happened in this time, like `6mo`, `1y` or `90d` [default: ever]
    #[arg(long, value_name = "DURATION", value_parser = parse_within)]
    within: Option<Duration>,
    /// How far around: what it stands on, and what stands on it
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u8).range(0..=20))]
    hops: u8,
    /// Ask as of this time, RFC 3339: what happened later is left out [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Time>,
    /// Store whose cases count, too [default: `.faultscope/estate.redb` in the project, if it is there]
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
    /// Everything: all incidents, rules and solutions, each incident with its path and what was done
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    project: ProjectArgs,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    locale: LocaleArgs,
}

/// A number of months or years, or a duration as everywhere.
fn parse_within(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let of = |suffixes: &[&str], unit: Duration, most: u32| {
        let number = suffixes.iter().find_map(|suffix| text.strip_suffix(*suffix))?.trim().parse::<u32>().ok()?;
        (1..=most).contains(&number).then(|| i64::from(number) * unit)
    };
    of(&["months", "month", "mo", "个月"], MONTH, MAX_YEARS * 12)
        .or_else(|| of(&["years", "year", "y", "年"], YEAR, MAX_YEARS))
        .or_else(|| parse_duration(text).ok())
        .ok_or_else(|| "use a number and a unit, like `6mo`, `1y` or `90d`".to_owned())
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    let project = load_project(&args.project, Path::new("."))?;
    let estate = project.estate.as_ref();
    let graph = project.knowledge().map_err(|error| Failure::from(error.clone()))?;
    let Some(asked) = graph.find(estate, &args.what) else { return Err(unknown(&project, graph, &args.what)) };
    let end = args.at.unwrap_or_else(|| Time(now()));
    let since = args.within.map(|within| end.minus(within));
    let walk = Walk { hops: u32::from(args.hops), dependents: true, since, until: args.at };
    let mut answer = match ask_with_store(args, &project, &asked, &walk)? {
        Some(answer) => answer,
        None => graph.ask(estate, asked, &walk)?,
    };
    let locale = if args.format == Format::Json { args.locale.asked() } else { args.locale.get() };
    let writer = Writer { locale: &locale, estate };
    writer.tell_answer(&mut answer);
    let page = |markdown| page(&answer, graph.title(&answer.asked), writer, args.full, markdown);
    match args.format {
        Format::Text => write!(out, "{}", page(false))?,
        Format::Markdown => write!(out, "{}", page(true))?,
        Format::Json => writeln!(out, "{}", json(&answer)?)?,
    }
    Ok(OK)
}

/// The answer from the project and a store. `None`: there is no store, or it cannot be read and nobody asked for it.
fn ask_with_store(args: &Args, project: &Project, asked: &Asked, walk: &Walk) -> Result<Option<Answer>, Failure> {
    let ask =
        |store: &Store| -> Result<Answer, StoreError> { project.draw_knowledge()?.beside(store).ask(&project.estate, asked.clone(), walk) };
    if let Some(path) = &args.store {
        return Ok(Some(ask(&open_existing(path)?).map_err(|error| error.at(path))?));
    }
    let path = project.root.join(DEFAULT_STORE);
    if is_missing(&path) {
        return Ok(None);
    }
    let answer = open_to_read(&path).and_then(|store| Ok(ask(&store).map_err(|error| error.at(&path))?));
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Failure::Wrong(why)) => {
            warn(text!("cases of the store are left out: {}", why.message.clone()));
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

fn unknown(project: &Project, graph: &KnowledgeGraph, what: &str) -> Failure {
    if project.estate.called(what).len() > 1 {
        return Failure::from(unknown_component(&project.estate, what));
    }
    let names = graph.names(&project.estate);
    let help = nearest(what, names.iter().map(String::as_str))
        .map_or_else(|| text!("name a component, a case, a rule, or an alert or a fault that a case or a rule has"), did_you_mean);
    Failure::new(
        Code::UNKNOWN_NAME,
        text!("no component, case or rule is called `{}`, and no case and no rule names such an alert, log line, metric or fault", what),
    )
    .help(help)
}

fn page(answer: &Answer, title: Option<&str>, writer: Writer<'_>, full: bool, markdown: bool) -> String {
    let lang = writer.lang();
    let mut page = Page::new(lang, markdown);
    page.title(&writer.asked(answer, title));
    let most = if full { usize::MAX } else { MAX_LINES };
    let nothing = answer.here.is_empty() && answer.near.is_empty() && answer.rules.is_empty();
    if nothing && answer.undated == 0 {
        page.entry(lang.nothing_known());
    }
    let heading = |page: &mut Page, words: &str, number: usize| {
        if number > 0 {
            page.heading(&format!("{words}{}", lang.bracketed(&number.to_string())));
        }
    };
    let broke_here = matches!(answer.asked, Asked::Component { .. });
    heading(&mut page, if broke_here { lang.seen_here() } else { lang.earlier_here() }, answer.here.len());
    for earlier in answer.here.iter().take(most) {
        page.item(&writer.earlier(earlier));
        details(&mut page, earlier, full);
    }
    page.more(answer.here.len(), most);
    heading(&mut page, lang.next_door(), answer.near.len());
    for earlier in answer.near.iter().take(most) {
        if full {
            page.item(&writer.earlier(earlier));
            details(&mut page, earlier, full);
        } else {
            page.item(&earlier.text);
        }
    }
    page.more(answer.near.len(), most);
    heading(&mut page, lang.rules_on_it(), answer.rules.len());
    answer.rules.iter().take(most).for_each(|rule| page.item(&writer.rule_said(rule)));
    page.more(answer.rules.len(), most);
    heading(&mut page, lang.what_helped(), answer.solutions.len());
    answer.solutions.iter().take(most).for_each(|helped| page.item(&writer.helped(helped)));
    page.more(answer.solutions.len(), most);
    if answer.undated > 0 {
        page.entry(&lang.left_out_undated(answer.undated));
    }
    page.text
}

/// The path to an incident, and what was done then.
fn details(page: &mut Page, earlier: &Earlier, full: bool) {
    if !full {
        return;
    }
    page.sub(&earlier.text);
    if !earlier.solutions.is_empty() {
        let (then, colon, between) = (page.lang.last_time(), page.lang.colon(), page.say("; ", "；"));
        page.sub(&format!("{then}{colon}{}", earlier.solutions.join(between)));
    }
}

#[cfg(test)]
mod tests {
    use super::{DAY, parse_within};

    #[test]
    fn months_and_years() {
        for (text, days) in [("6mo", 186), ("1 month", 31), ("1y", 366), ("2年", 732), ("3个月", 93), ("90d", 90), ("2w", 14)] {
            assert_eq!(parse_within(text), Ok(days * DAY), "{text}");
        }
        for text in ["", "mo", "0mo", "-1y", "6 moons", "9999y"] {
            assert!(parse_within(text).is_err(), "{text}");
        }
    }
}
