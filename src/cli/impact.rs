//! `faultscope impact COMPONENT…`: what a fault reaches; with `--causes` what could have caused it; with `--single-points` what
//! must not be lost.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::Serialize;

use super::as_of::{AsOfArgs, then};
use super::{Failure, Lang, OK, Outcome, ProjectArgs, graph, json, load_project, text};
use crate::diag::nearest;
use crate::estate::{ComponentId, Group, Reach, Snapshot, State, Tier};
use crate::localize::ImpactView;

/// The type of what components finally serve.
const BUSINESS_LINE: &str = "business_line";
/// Components named of those that a single point takes down; JSON has all.
const MAX_NAMED: usize = 5;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Components or redundancy groups at fault together, each by id or by name
    #[arg(value_name = "COMPONENT", required_unless_present = "single_points")]
    components: Vec<String>,
    /// The other way: what could have caused trouble of these, those first that reach the most of them
    #[arg(long, conflicts_with = "single_points")]
    causes: bool,
    /// Components whose loss alone takes these down; without COMPONENT, those that take anything down
    #[arg(long)]
    single_points: bool,
    /// Show up to so many ways that the fault takes, not the shortest alone
    #[arg(long, value_name = "K", default_value = "1", value_parser = clap::value_parser!(u8).range(1..=20))]
    paths: u8,
    /// Only what lies within so many hops
    #[arg(long, value_name = "N")]
    depth: Option<u32>,
    /// Only components of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only components of this tier: core, important, general or minor
    #[arg(long, value_parser = parse_tier)]
    tier: Option<Tier>,
    /// Only components of this owner
    #[arg(long)]
    owner: Option<String>,
    /// Only components that are at least in this state
    #[arg(long, value_enum)]
    state: Option<StateArg>,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    then: AsOfArgs,
    /// How the report is written
    #[arg(long, value_enum, default_value = "text")]
    format: ImpactFormat,
    /// Language of the report's own words
    #[arg(long, value_enum, default_value = "en")]
    lang: Lang,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ImpactFormat {
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
    Tier::parse(text).ok_or_else(|| format!("`{text}` is no tier; tiers are core, important, general, minor"))
}

#[derive(Debug, Serialize, JsonSchema)]
struct ImpactReport {
    /// As they were named.
    components: Vec<String>,
    impact: Vec<ImpactItem>,
    /// Redundancy groups that lose members, with what is left of them.
    groups: Vec<GroupItem>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct GroupItem {
    group: String,
    members: usize,
    need: usize,
    /// Members that are not down.
    left: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ImpactItem {
    #[serde(flatten)]
    view: ImpactView,
    /// Business lines that it serves, by itself or through others.
    business_lines: Vec<String>,
    /// Ways of the fault to it, the shortest first; of which `path` is the one that carries its state.
    ways: Vec<Vec<String>>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct CauseReport {
    components: Vec<String>,
    causes: Vec<CauseItem>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct CauseItem {
    component: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    tier: Option<Tier>,
    owner: Option<String>,
    /// Those asked about that it reaches, or is.
    reaches: Vec<String>,
    /// Hops to the farthest of them.
    distance: u32,
}

#[derive(Debug, Serialize, JsonSchema)]
struct PointReport {
    /// Empty: the whole estate.
    components: Vec<String>,
    single_points: Vec<PointItem>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct PointItem {
    component: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    tier: Option<Tier>,
    owner: Option<String>,
    takes_down: Vec<String>,
    /// How many of these are core.
    core: usize,
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    let project = load_project(&args.project, Path::new("."))?;
    let then = then(&project, &args.then)?;
    for word in then.iter().flat_map(|then| &then.words) {
        super::say(&format!("warning: {word}"));
    }
    let estate: &Snapshot = match &then {
        Some(then) => &then.estate,
        None => &project.estate,
    };
    let mut roots: Vec<ComponentId> = Vec::new();
    for name in &args.components {
        roots.extend(find(estate, name)?);
    }
    let kind = args.kind.as_ref().map(|kind| find_type(estate, kind)).transpose()?;
    let filter = Filter { args, kind: kind.as_deref() };
    if args.causes {
        return causes(args, estate, &roots, &filter, out);
    }
    if args.single_points {
        return points(args, estate, &roots, &filter, out);
    }
    let reach = estate.reach_of(&roots.iter().map(|root| (*root, State::Down)).collect::<Vec<_>>(), args.depth);
    let groups = losing(estate, &roots, &reach);
    let report = ImpactReport { components: named(estate, args, &roots), impact: items(estate, &reach, args, &filter), groups };
    match args.format {
        ImpactFormat::Json => writeln!(out, "{}", json(&report)?)?,
        ImpactFormat::Text | ImpactFormat::Markdown => write!(out, "{}", words(estate, &roots, &report, args))?,
        ImpactFormat::Mermaid | ImpactFormat::Dot => {
            let views: Vec<&ImpactView> = report.impact.iter().map(|item| &item.view).collect();
            let drawn = graph::of_impact(estate, &roots, &views);
            write!(out, "{}", if args.format == ImpactFormat::Dot { drawn.dot() } else { drawn.mermaid() })?;
        }
    }
    Ok(OK)
}

/// A component by id or name, or the members of a group.
fn find(estate: &Snapshot, name: &str) -> Result<Vec<ComponentId>, Failure> {
    match (estate.find_named(name), estate.group(name)) {
        (Some(root), _) => Ok(vec![root]),
        (None, Some(group)) => Ok(group.members.clone()),
        (None, None) => Err(unknown_component(estate, name)),
    }
}

fn unknown_component(estate: &Snapshot, name: &str) -> Failure {
    let all: Vec<&str> = estate.ids().map(|c| estate.component(c)).flat_map(|c| [c.id.as_str(), c.name.as_str()]).collect();
    let help = nearest(name, all).map_or_else(String::new, |near| format!("\n  help: did you mean `{near}`?"));
    Failure(format!("error[F2023]: the topology has no component `{name}`{help}"))
}

fn find_type(estate: &Snapshot, name: &str) -> Result<String, Failure> {
    let model = estate.model();
    model.find_type(name).map(|t| t.name.clone()).ok_or_else(|| {
        let help = nearest(name, model.types.keys().map(String::as_str))
            .map_or_else(String::new, |near| format!("\n  help: did you mean `{near}`?"));
        Failure(format!("error[F2002]: there is no component type `{name}`{help}"))
    })
}

/// What of the answer is shown.
struct Filter<'a> {
    args: &'a Args,
    kind: Option<&'a str>,
}

impl Filter<'_> {
    fn lets(&self, estate: &Snapshot, component: ComponentId) -> bool {
        let found = estate.component(component);
        self.kind.is_none_or(|kind| estate.is_a(component, kind))
            && self.args.tier.is_none_or(|tier| found.tier == Some(tier))
            && self.args.owner.as_ref().is_none_or(|owner| found.owner.as_ref() == Some(owner))
    }
}

/// Each as it was named, with its own name where that is another.
fn named(estate: &Snapshot, args: &Args, roots: &[ComponentId]) -> Vec<String> {
    if args.components.len() != roots.len() {
        return args.components.clone();
    }
    roots.iter().map(|root| title(estate, *root)).collect()
}

fn title(estate: &Snapshot, component: ComponentId) -> String {
    let found = estate.component(component);
    if found.name == found.id { found.id.clone() } else { format!("{} {}", found.id, found.name) }
}

fn id(estate: &Snapshot, component: ComponentId) -> String {
    estate.component(component).id.clone()
}

/// Groups with members at fault or down.
fn losing(estate: &Snapshot, roots: &[ComponentId], reach: &Reach) -> Vec<GroupItem> {
    let down: BTreeSet<ComponentId> =
        reach.items.iter().filter(|one| one.state == State::Down).map(|one| one.component).chain(roots.iter().copied()).collect();
    let of = |group: &Group| GroupItem {
        group: group.id.clone(),
        members: group.members.len(),
        need: group.need,
        left: group.members.iter().filter(|member| !down.contains(member)).count(),
    };
    estate.groups().iter().map(of).filter(|item| item.left < item.members).collect()
}

fn items(estate: &Snapshot, reach: &Reach, args: &Args, filter: &Filter<'_>) -> Vec<ImpactItem> {
    let mut lines_of: BTreeMap<ComponentId, Vec<String>> = BTreeMap::new();
    for line in reach.items.iter().map(|one| one.component).filter(|component| estate.is_a(*component, BUSINESS_LINE)) {
        for one in estate.dependencies(line, &[], None).into_iter().map(|reached| reached.component).chain([line]) {
            lines_of.entry(one).or_default().push(id(estate, line));
        }
    }
    // Paths only of what is shown.
    let shown = reach.items.iter().enumerate();
    let shown = shown.filter(|(_, one)| filter.lets(estate, one.component) && args.state.is_none_or(|least| one.state >= least.state()));
    shown
        .filter_map(|(at, _)| reach.impacted(estate, at))
        .map(|one| {
            let path: Vec<ComponentId> = one.path.iter().map(|hop| hop.component).collect();
            let from = path.first().copied().unwrap_or(one.component);
            let ways = if args.paths > 1 { estate.ways(from, one.component, usize::from(args.paths)) } else { vec![path.clone()] };
            ImpactItem {
                view: ImpactView::new(estate, one.component, one.distance, one.state, &path),
                business_lines: lines_of.get(&one.component).cloned().unwrap_or_default(),
                ways: ways.into_iter().map(|way| way.into_iter().map(|c| id(estate, c)).collect()).collect(),
            }
        })
        .collect()
}

/// By business line: the most important first, within it as the impact has them.
fn words(estate: &Snapshot, roots: &[ComponentId], report: &ImpactReport, args: &Args) -> String {
    let (lang, markdown) = (args.lang, args.format == ImpactFormat::Markdown);
    let mut by_state: BTreeMap<State, usize> = BTreeMap::new();
    report.impact.iter().for_each(|item| *by_state.entry(item.view.state).or_default() += 1);
    let counts: Vec<String> = by_state.iter().rev().map(|(state, n)| format!("{n} {}", lang.state(*state))).collect();
    let summary = if counts.is_empty() { "0".to_owned() } else { format!("{}: {}", report.impact.len(), counts.join(", ")) };
    let mut page = format!("{}{} → {} ({summary})\n", if markdown { "## " } else { "" }, report.components.join(", "), lang.impact());
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
                    format!("{} ({}){state}", title(estate, line), lang.tier(estate.component(line).tier))
                }
                None => lang.no_business_line().to_owned(),
            };
            page.push_str(&if markdown { format!("\n**{heading}**\n\n") } else { format!("\n  {heading}\n") });
        }
        for item in items {
            let text = text::impact_line(&item.view, lang, item.view.tier);
            page.push_str(&if markdown { format!("- {text}\n") } else { format!("    {text}\n") });
            for way in item.ways.iter().filter(|way| **way != item.view.path) {
                let way = way.join(" → ");
                page.push_str(&if markdown { format!("  - {} {way}\n", lang.also()) } else { format!("        {} {way}\n", lang.also()) });
            }
        }
    }
    if !report.groups.is_empty() {
        let heading = lang.redundancy();
        page.push_str(&if markdown { format!("\n**{heading}**\n\n") } else { format!("\n  {heading}\n") });
        for item in &report.groups {
            let stands = if item.left >= item.need { lang.stands() } else { lang.too_few() };
            let text =
                format!("{}: {}/{} {} · {} {} · {stands}", item.group, item.left, item.members, lang.left(), lang.needs(), item.need);
            page.push_str(&if markdown { format!("- {text}\n") } else { format!("    {text}\n") });
        }
    }
    if report.impact.is_empty() {
        let inside = roots.iter().all(|root| estate.next_to(*root, &[], true).is_empty());
        page.push_str(&format!("  {}\n", if inside { lang.nothing_depends() } else { lang.nothing_shown() }));
    }
    page
}

fn causes(args: &Args, estate: &Snapshot, of: &[ComponentId], filter: &Filter<'_>, out: &mut impl Write) -> Outcome {
    let asked: BTreeSet<ComponentId> = of.iter().copied().collect();
    let found = estate.causes(of, args.depth);
    let causes: Vec<CauseItem> = found
        .into_iter()
        // Of one component alone, it itself is no answer.
        .filter(|cause| (asked.len() > 1 || !asked.contains(&cause.component)) && filter.lets(estate, cause.component))
        .map(|cause| {
            let component = estate.component(cause.component);
            CauseItem {
                component: component.id.clone(),
                name: component.name.clone(),
                kind: component.kind.clone(),
                tier: component.tier,
                owner: component.owner.clone(),
                reaches: cause.reaches.iter().map(|c| id(estate, *c)).collect(),
                distance: cause.distance,
            }
        })
        .collect();
    let report = CauseReport { components: named(estate, args, of), causes };
    let (lang, markdown) = (args.lang, args.format == ImpactFormat::Markdown);
    match args.format {
        ImpactFormat::Json => return Ok(writeln!(out, "{}", json(&report)?).map(|()| OK)?),
        ImpactFormat::Mermaid | ImpactFormat::Dot => {
            let ends: Vec<(ComponentId, ComponentId)> = report
                .causes
                .iter()
                .filter_map(|cause| estate.find(&cause.component))
                .flat_map(|cause| of.iter().map(move |one| (cause, *one)))
                .collect();
            let drawn = graph::of_ways(estate, of, &ends);
            return Ok(write!(out, "{}", if args.format == ImpactFormat::Dot { drawn.dot() } else { drawn.mermaid() }).map(|()| OK)?);
        }
        ImpactFormat::Text | ImpactFormat::Markdown => {}
    }
    writeln!(
        out,
        "{}{} ← {} ({})",
        if markdown { "## " } else { "" },
        report.components.join(", "),
        lang.possible_causes(),
        report.causes.len()
    )?;
    for cause in &report.causes {
        let name = if cause.name == cause.component { String::new() } else { format!(" {}", cause.name) };
        let owner = cause.owner.as_ref().map_or_else(String::new, |owner| format!(" · {owner}"));
        let share = if asked.len() > 1 { format!(" · {} {}/{}", lang.reaches(), cause.reaches.len(), asked.len()) } else { String::new() };
        let hops = lang.count(cause.distance as usize, "hop");
        writeln!(
            out,
            "{}[{}] {}{name} · {}{owner}{share} · {hops}",
            if markdown { "- " } else { "  " },
            lang.tier(cause.tier),
            cause.component,
            cause.kind
        )?;
    }
    Ok(OK)
}

fn points(args: &Args, estate: &Snapshot, of: &[ComponentId], filter: &Filter<'_>, out: &mut impl Write) -> Outcome {
    let found: Vec<(ComponentId, Vec<ComponentId>)> = if of.is_empty() {
        estate.single_points().into_iter().map(|point| (point.component, point.takes_down)).collect()
    } else {
        let mut takes: BTreeMap<ComponentId, Vec<ComponentId>> = BTreeMap::new();
        for one in of.iter().copied().collect::<BTreeSet<_>>() {
            for point in estate.single_points_of(one) {
                takes.entry(point).or_default().push(one);
            }
        }
        takes.into_iter().collect()
    };
    let mut items: Vec<PointItem> = found
        .into_iter()
        .filter(|(point, _)| filter.lets(estate, *point))
        .map(|(point, takes_down)| {
            let component = estate.component(point);
            PointItem {
                component: component.id.clone(),
                name: component.name.clone(),
                kind: component.kind.clone(),
                tier: component.tier,
                owner: component.owner.clone(),
                core: takes_down.iter().filter(|c| estate.component(**c).tier == Some(Tier::Core)).count(),
                takes_down: takes_down.into_iter().map(|c| id(estate, c)).collect(),
            }
        })
        .collect();
    items.sort_by(|a, b| (b.core, b.takes_down.len(), &a.component).cmp(&(a.core, a.takes_down.len(), &b.component)));
    let report = PointReport { components: named(estate, args, of), single_points: items };
    let (lang, markdown) = (args.lang, args.format == ImpactFormat::Markdown);
    match args.format {
        ImpactFormat::Json => return Ok(writeln!(out, "{}", json(&report)?).map(|()| OK)?),
        ImpactFormat::Mermaid | ImpactFormat::Dot => {
            return Err(Failure(
                "error: single points are a list, not a graph\n  help: use `--format text`, `markdown` or `json`".to_owned(),
            ));
        }
        ImpactFormat::Text | ImpactFormat::Markdown => {}
    }
    let of = if report.components.is_empty() { lang.the_estate().to_owned() } else { report.components.join(", ") };
    writeln!(out, "{}{of} ← {} ({})", if markdown { "## " } else { "" }, lang.single_points(), report.single_points.len())?;
    for item in &report.single_points {
        let name = if item.name == item.component { String::new() } else { format!(" {}", item.name) };
        let owner = item.owner.as_ref().map_or_else(String::new, |owner| format!(" · {owner}"));
        let shown: Vec<&str> = item.takes_down.iter().map(String::as_str).take(MAX_NAMED).collect();
        let more = item.takes_down.len().saturating_sub(MAX_NAMED);
        let more = if more > 0 { format!(" … {more} {}", lang.more()) } else { String::new() };
        writeln!(
            out,
            "{}[{}] {}{name} · {}{owner} · {} {}: {}{more}",
            if markdown { "- " } else { "  " },
            lang.tier(item.tier),
            item.component,
            item.kind,
            lang.takes_down(),
            item.takes_down.len(),
            shown.join(", ")
        )?;
    }
    Ok(OK)
}
