//! `faultscope impact COMPONENT…`: what a fault affects; with `--causes`, what could have caused it; with `--single-points`, the single
//! points of failure.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use super::as_of::{AsOfArgs, estate_of};
use super::context::{ProjectArgs, json, load_project};
use super::locale::LocaleArgs;
use super::output::Outcome;
use super::page::Page;
use super::{OK, causes, graph, text};
use clap::ValueEnum;
use estate::{ComponentId, Snapshot, State, Tier};
use localize::ImpactView;
use project::{ImpactFilter, ImpactItem, ImpactReport, find_components, find_type, impact};
use words::Writer;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Components or redundancy groups that fail together, each by id or name
    #[arg(value_name = "COMPONENT", required_unless_present = "single_points")]
    components: Vec<String>,
    /// Show what could have caused the symptoms of these components; causes that reach the most of them come first
    #[arg(long, conflicts_with = "single_points")]
    causes: bool,
    /// Show components whose loss alone takes these down; without COMPONENT, those that take anything down
    #[arg(long)]
    single_points: bool,
    /// Show up to K propagation paths to each component, shortest first
    #[arg(long, value_name = "K", default_value = "1", value_parser = clap::value_parser!(u8).range(1..=20))]
    paths: u8,
    /// Follow at most N hops
    #[arg(long, value_name = "N")]
    pub depth: Option<u32>,
    /// Only components of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only components of this tier: core, important, general or minor
    #[arg(long, value_parser = parse_tier)]
    tier: Option<Tier>,
    /// Only components of this owner
    #[arg(long)]
    owner: Option<String>,
    /// Only components in this state or worse
    #[arg(long, value_enum)]
    state: Option<StateArg>,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    then: AsOfArgs,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub format: ImpactFormat,
    #[command(flatten)]
    pub locale: LocaleArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ImpactFormat {
    Text,
    Markdown,
    Json,
    Mermaid,
    Dot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StateArg {
    AtRisk,
    Degraded,
    Down,
}

impl ImpactFormat {
    pub fn is_json(self) -> bool {
        self == ImpactFormat::Json
    }

    pub fn is_markdown(self) -> bool {
        self == ImpactFormat::Markdown
    }

    /// The kind of drawing, if the format is a drawing.
    pub fn drawing(self) -> Option<graph::Form> {
        match self {
            ImpactFormat::Mermaid => Some(graph::Form::Mermaid),
            ImpactFormat::Dot => Some(graph::Form::Dot),
            ImpactFormat::Text | ImpactFormat::Markdown | ImpactFormat::Json => None,
        }
    }
}

impl StateArg {
    fn state(self) -> State {
        match self {
            StateArg::AtRisk => State::AtRisk,
            StateArg::Degraded => State::Degraded,
            StateArg::Down => State::Down,
        }
    }
}

fn parse_tier(text: &str) -> Result<Tier, String> {
    Tier::parse(text).ok_or_else(|| "use core, important, general or minor".to_owned())
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    let project = load_project(&args.project, Path::new("."))?;
    let estate = estate_of(&project, &args.then)?;
    let estate: &Snapshot = &estate;
    let mut roots: Vec<ComponentId> = Vec::new();
    for name in &args.components {
        roots.extend(find_components(estate, name)?);
    }
    let kind = args.kind.as_ref().map(|kind| find_type(estate, kind)).transpose()?;
    let filter = ImpactFilter { kind, tier: args.tier, owner: args.owner.clone(), state: args.state.map(StateArg::state) };
    if args.causes {
        return causes::causes(args, estate, &roots, &filter, out);
    }
    if args.single_points {
        return causes::points(args, estate, &roots, &filter, out);
    }
    let locale = if args.format.is_json() { args.locale.asked() } else { args.locale.get() };
    let writer = Writer { locale: &locale, estate };
    let report = impact(&writer, named(estate, args, &roots), &roots, (args.depth, usize::from(args.paths)), &filter);
    if let Some(form) = args.format.drawing() {
        let views: Vec<&ImpactView> = report.impact.iter().map(|item| &item.view).collect();
        write!(out, "{}", graph::of_impact(estate, &roots, &views).write(form))?;
    } else if args.format.is_json() {
        writeln!(out, "{}", json(&report)?)?;
    } else {
        write!(out, "{}", words(estate, &roots, &report, args))?;
    }
    Ok(OK)
}

/// Each component as named in the command, with its display name if that differs.
pub fn named(estate: &Snapshot, args: &Args, roots: &[ComponentId]) -> Vec<String> {
    if args.components.len() != roots.len() {
        return args.components.clone();
    }
    roots.iter().map(|root| title(estate, *root)).collect()
}

fn title(estate: &Snapshot, component: ComponentId) -> String {
    let found = estate.component(component);
    if found.name == found.id { found.id.clone() } else { format!("{} {}", found.id, found.name) }
}

pub fn id(estate: &Snapshot, component: ComponentId) -> String {
    estate.component(component).id.clone()
}

/// By business line, the most important first; within a line in the order of the impact.
fn words(estate: &Snapshot, roots: &[ComponentId], report: &ImpactReport, args: &Args) -> String {
    let lang = args.locale.get().lang;
    let mut page = Page::new(lang, args.format.is_markdown());
    let mut by_state: BTreeMap<State, usize> = BTreeMap::new();
    report.impact.iter().for_each(|item| *by_state.entry(item.view.state).or_default() += 1);
    let counts: Vec<String> = by_state.iter().rev().map(|(state, n)| lang.number_of(*n, lang.state(*state))).collect();
    page.title(&lang.would_affect(&report.components, report.impact.len(), &counts));
    let importance = |line: &str| estate.find(line).map(|line| (estate.component(line).tier.is_none(), estate.component(line).tier));
    let mut groups: BTreeMap<_, Vec<&ImpactItem>> = BTreeMap::new();
    for item in &report.impact {
        let first = item.business_lines.iter().min_by_key(|line| (importance(line), (*line).clone()));
        groups.entry(first.map_or((true, None, ""), |line| (false, importance(line), line.as_str()))).or_default().push(item);
    }
    let several = groups.len() > 1 || groups.keys().any(|key| !key.0);
    for ((_, _, line), items) in groups {
        if several {
            let heading = match estate.find(line) {
                Some(line) => {
                    let state = items.iter().find(|item| item.view.component == estate.component(line).id).map(|item| item.view.state);
                    let state = state.map_or_else(String::new, |state| format!(" · {}", lang.state(state)));
                    format!("{}{}{state}", title(estate, line), lang.bracketed(lang.tier(estate.component(line).tier)))
                }
                None => lang.no_business_line().to_owned(),
            };
            page.heading(&heading);
        }
        for item in items {
            page.item(&text::impact_line(&item.view, lang, item.view.tier));
            for way in item.ways.iter().filter(|way| **way != item.view.path) {
                let way = way.join(" → ");
                let mark = if page.markdown { "  - " } else { "        " };
                let way = page.safe(&way).into_owned();
                page.text.push_str(&format!("{mark}{} {way}\n", lang.also()));
            }
        }
    }
    if !report.groups.is_empty() {
        page.heading(lang.redundancy());
        for item in &report.groups {
            page.item(&lang.group_keeps(&item.group, item.left, item.members, item.need));
        }
    }
    if report.impact.is_empty() {
        let inside = roots.iter().all(|root| estate.next_to(*root, &[], true).is_empty());
        page.text.push_str(&format!("  {}\n", if inside { lang.nothing_depends() } else { lang.nothing_shown() }));
    }
    page.text
}
