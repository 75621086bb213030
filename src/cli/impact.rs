//! `faultscope impact COMPONENT`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Failure, Format, Lang, OK, Outcome, ProjectArgs, json, load_project, text};
use crate::diag::nearest;
use crate::estate::{ComponentId, Snapshot, State};
use crate::localize::ImpactView;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The component or redundancy group at fault, by id or by name
    component: String,
    /// Only what lies within so many hops
    #[arg(long, value_name = "N")]
    depth: Option<u32>,
    /// Only components of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    #[command(flatten)]
    project: ProjectArgs,
    /// How the report is written
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Language of the report's own words
    #[arg(long, value_enum, default_value = "en")]
    lang: Lang,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ImpactReport {
    component: String,
    impact: Vec<ImpactView>,
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    let project = load_project(&args.project, Path::new("."))?;
    let estate = &project.estate;
    let roots: Vec<ComponentId> = match (estate.find_named(&args.component), estate.group(&args.component)) {
        (Some(root), _) => vec![root],
        (None, Some(group)) => group.members.clone(),
        (None, None) => return Err(unknown_component(estate, &args.component)),
    };
    let kind = match &args.kind {
        Some(kind) => Some(find_type(estate, kind)?),
        None => None,
    };
    let impact = reach(estate, &roots, args.depth, kind.as_deref());
    let component = roots.first().filter(|_| roots.len() == 1).map_or_else(|| args.component.clone(), |c| estate.component(*c).id.clone());
    let name = roots.first().filter(|_| roots.len() == 1).map(|c| estate.component(*c).name.clone()).filter(|n| *n != component);
    let report = ImpactReport { component, impact };
    match args.format {
        Format::Json => writeln!(out, "{}", json(&report)?)?,
        Format::Text | Format::Markdown => write!(out, "{}", words(name.as_deref(), &report, args))?,
    }
    Ok(OK)
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

fn reach(estate: &Snapshot, roots: &[ComponentId], depth: Option<u32>, kind: Option<&str>) -> Vec<ImpactView> {
    let reached = estate.impact(&roots.iter().map(|root| (*root, State::Down)).collect::<Vec<_>>(), depth);
    reached
        .into_iter()
        .filter(|one| kind.is_none_or(|kind| estate.is_a(one.component, kind)))
        .map(|one| {
            let path: Vec<ComponentId> = one.path.iter().map(|hop| hop.component).collect();
            ImpactView::new(estate, one.component, one.distance, one.state, &path)
        })
        .collect()
}

fn words(name: Option<&str>, report: &ImpactReport, args: &Args) -> String {
    let markdown = args.format == Format::Markdown;
    let mut by_state: BTreeMap<State, usize> = BTreeMap::new();
    report.impact.iter().for_each(|view| *by_state.entry(view.state).or_default() += 1);
    let counts: Vec<String> = by_state.iter().rev().map(|(state, n)| format!("{n} {}", args.lang.state(*state))).collect();
    let name = name.map_or_else(String::new, |name| format!(" {name}"));
    let summary = if counts.is_empty() { "0".to_owned() } else { format!("{}: {}", report.impact.len(), counts.join(", ")) };
    let mut page = format!("{}{}{name} → {} ({summary})\n", if markdown { "## " } else { "" }, report.component, args.lang.impact());
    for view in &report.impact {
        let line = text::impact_line(view, args.lang, view.tier);
        page.push_str(&if markdown { format!("- {line}\n") } else { format!("  {line}\n") });
    }
    page
}
