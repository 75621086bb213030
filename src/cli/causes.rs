//! `faultscope impact --causes` and `--single-points`: searches against the direction in which faults propagate.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use schemars::JsonSchema;
use serde::Serialize;

use super::context::json;
use super::impact::{Args, id, named};
use super::output::{Failure, Outcome};
use super::page::Page;
use super::{Lang, OK, graph};
use diag::Code;
use estate::{ComponentId, Snapshot, Tier};
use project::ImpactFilter;

/// How many of the components that a single point takes down are named; JSON has all.
const MAX_NAMED: usize = 5;

#[derive(Debug, Serialize, JsonSchema)]
struct Who {
    component: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    tier: Option<Tier>,
    owner: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct CauseReport {
    components: Vec<String>,
    causes: Vec<CauseItem>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct CauseItem {
    #[serde(flatten)]
    who: Who,
    /// The given components that it reaches, or is itself.
    reaches: Vec<String>,
    /// Hops to the farthest of them.
    distance: u32,
}

#[derive(Debug, Serialize, JsonSchema)]
struct PointReport {
    /// Empty: the whole estate.
    components: Vec<String>,
    /// What carries the named components, if no single loss takes these down: the points are those of the carriers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    carriers: Vec<String>,
    single_points: Vec<PointItem>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct PointItem {
    #[serde(flatten)]
    who: Who,
    takes_down: Vec<String>,
    /// How many of these are core.
    core: usize,
}

impl Who {
    fn of(estate: &Snapshot, id: ComponentId) -> Who {
        let found = estate.component(id);
        Who {
            component: found.id.clone(),
            name: found.name.clone(),
            kind: found.kind.clone(),
            tier: found.tier,
            owner: found.owner.clone(),
        }
    }

    fn words(&self, lang: Lang, estate: &Snapshot) -> String {
        let name = if self.name == self.component { String::new() } else { format!(" {}", self.name) };
        let owner = self.owner.as_ref().map_or_else(String::new, |owner| format!(" · {owner}"));
        format!("[{}] {}{name} · {}{owner}", lang.tier(self.tier), self.component, lang.kind(estate.model(), &self.kind))
    }
}

pub fn causes(args: &Args, estate: &Snapshot, of: &[ComponentId], filter: &ImpactFilter, out: &mut impl Write) -> Outcome {
    let asked: BTreeSet<ComponentId> = of.iter().copied().collect();
    // A single component is not listed as its own cause.
    let mut found = estate.causes(of, args.depth);
    found.retain(|cause| (asked.len() > 1 || !asked.contains(&cause.component)) && filter.lets(estate, cause.component));
    if let Some(form) = args.format.drawing() {
        let ends: Vec<(ComponentId, ComponentId)> = found.iter().flat_map(|cause| of.iter().map(|one| (cause.component, *one))).collect();
        write!(out, "{}", graph::of_ways(estate, of, &ends).write(form))?;
        return Ok(OK);
    }
    let item = |cause: estate::Cause| CauseItem {
        who: Who::of(estate, cause.component),
        reaches: cause.reaches.iter().map(|c| id(estate, *c)).collect(),
        distance: cause.distance,
    };
    let report = CauseReport { components: named(estate, args, of), causes: found.into_iter().map(item).collect() };
    if args.format.is_json() {
        writeln!(out, "{}", json(&report)?)?;
        return Ok(OK);
    }
    let lang = args.locale.get().lang;
    let mut page = Page::new(lang, args.format.is_markdown());
    let number = lang.bracketed(&report.causes.len().to_string());
    page.title(&format!("{} ← {}{number}", lang.listed(&report.components), lang.possible_causes()));
    for cause in &report.causes {
        let share = if asked.len() > 1 { format!(" · {} {}/{}", lang.reaches(), cause.reaches.len(), asked.len()) } else { String::new() };
        page.entry(&format!("{}{share} · {}", cause.who.words(lang, estate), lang.count(cause.distance as usize, "hop")));
    }
    write!(out, "{}", page.text)?;
    Ok(OK)
}

pub fn points(args: &Args, estate: &Snapshot, of: &[ComponentId], filter: &ImpactFilter, out: &mut impl Write) -> Outcome {
    if args.format.drawing().is_some() {
        return Err(Failure::new(Code::USAGE, "single points are a list, not a graph").help("use `--format text`, `markdown` or `json`"));
    }
    let mut carriers: BTreeSet<ComponentId> = BTreeSet::new();
    let found: Vec<(ComponentId, Vec<ComponentId>)> = if of.is_empty() {
        estate.single_points().into_iter().map(|point| (point.component, point.takes_down)).collect()
    } else {
        let mut takes: BTreeMap<ComponentId, BTreeSet<ComponentId>> = BTreeMap::new();
        for one in of.iter().copied().collect::<BTreeSet<_>>() {
            for point in estate.single_points_of(one) {
                takes.entry(point).or_default().insert(one);
            }
            // A business line is down for nobody: what counts is what takes down the services that carry it, themselves included.
            for carrier in estate.carried_by(one) {
                carriers.insert(carrier);
                for point in estate.single_points_of(carrier).into_iter().chain([carrier]) {
                    takes.entry(point).or_default().insert(carrier);
                }
            }
        }
        takes.into_iter().map(|(point, takes_down)| (point, takes_down.into_iter().collect())).collect()
    };
    let item = |(point, takes_down): (ComponentId, Vec<ComponentId>)| PointItem {
        who: Who::of(estate, point),
        core: takes_down.iter().filter(|c| estate.component(**c).tier == Some(Tier::Core)).count(),
        takes_down: takes_down.into_iter().map(|c| id(estate, c)).collect(),
    };
    let mut items: Vec<PointItem> = found.into_iter().filter(|(point, _)| filter.lets(estate, *point)).map(item).collect();
    items.sort_by(|a, b| (b.core, b.takes_down.len(), &a.who.component).cmp(&(a.core, a.takes_down.len(), &b.who.component)));
    let carriers = carriers.into_iter().map(|c| id(estate, c)).collect();
    let report = PointReport { components: named(estate, args, of), carriers, single_points: items };
    if args.format.is_json() {
        writeln!(out, "{}", json(&report)?)?;
        return Ok(OK);
    }
    let lang = args.locale.get().lang;
    let mut page = Page::new(lang, args.format.is_markdown());
    let of = if report.components.is_empty() { lang.the_estate().to_owned() } else { lang.listed(&report.components) };
    page.title(&format!("{of} ← {}{}", lang.single_points(), lang.bracketed(&report.single_points.len().to_string())));
    if !report.carriers.is_empty() {
        page.entry(&lang.carried_by(&page.names(&report.carriers, MAX_NAMED)));
    }
    for item in &report.single_points {
        let names = page.names(&item.takes_down, MAX_NAMED);
        page.entry(&format!("{} · {}", item.who.words(lang, estate), lang.takes_down(item.takes_down.len(), &names)));
    }
    write!(out, "{}", page.text)?;
    Ok(OK)
}
