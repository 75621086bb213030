//! The rules with how often they fired, and the past cases.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use compile::plan::{Kind, Severity, Status};
use knowledge::{Case, Record};
use live::{Published, Tracked};
use project::Project;
use value::Time;

use super::AppState;
use super::asked::{Asked, Sent};
use super::refusal::Refusal;
use super::reply::Json;
use super::request::spawn_blocking;

/// What a rule did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Firing {
    /// Incidents of which it named a suspect, those that were merged into others left out.
    pub fired: usize,
    /// When it last began to match in one of them.
    pub last: Option<Time>,
    /// It names a suspect now, and still matches.
    pub holding: bool,
    /// It has exactly one unmet condition now.
    pub near: bool,
    /// It matches now and is not counted: it is a draft, or another rule overrides it.
    pub set_aside: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct RuleItem {
    pub rule: String,
    pub title: String,
    pub kind: Kind,
    pub status: Status,
    pub severity: Option<Severity>,
    pub owner: Option<String>,
    pub tags: Vec<String>,
    /// The types of the components that it is about.
    pub types: Vec<String>,
    /// File, line and column.
    pub place: Option<String>,
    /// Dates as written: `2025-06-01`.
    pub added: Option<String>,
    pub reviewed: Option<String>,
    #[serde(flatten)]
    pub firing: Firing,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct CaseItem {
    pub case: String,
    pub title: String,
    pub date: Option<Time>,
    /// `null`: it was never found.
    pub component: Option<String>,
    pub fault: Option<String>,
    pub affected: Vec<String>,
    pub solutions: Vec<String>,
    /// The rule that was written for it.
    pub rule: Option<String>,
    /// How often it was right when it was proposed, by feedback.
    pub record: Option<Record>,
    /// The first suspects of open incidents that it resembles now, each with the similarity from 0 to 1.
    pub resembles: BTreeMap<String, f64>,
}

/// `GET /api/v1/rules?owner=&tag=&status=`: every rule, by id.
pub async fn list(State(served): State<Arc<AppState>>, query: Sent) -> Result<Json, Refusal> {
    let asked = Asked::of(query, &["owner", "tag", "status"])?;
    let statuses = [("active", Status::Active), ("draft", Status::Draft), ("retired", Status::Retired)];
    let status = asked.choice("status", &statuses)?;
    spawn_blocking(move || {
        let published = served.live.published();
        let project = &published.revision.project;
        let firing = firing(&served.live.incidents(), &published);
        let wanted = |rule: &RuleItem| {
            status.is_none_or(|status| rule.status == status)
                && asked.get("owner").is_none_or(|owner| rule.owner.as_deref() == Some(owner))
                && asked.get("tag").is_none_or(|tag| rule.tags.iter().any(|own| own == tag))
        };
        let rules: Vec<RuleItem> = items(project, &firing).into_iter().filter(wanted).collect();
        let plan = &project.plan;
        let written = project.files().iter().flat_map(|file| &file.rules);
        let left_out: Vec<&str> = written
            .map(|rule| rule.id.value.as_str())
            .filter(|id| !plan.rules.contains_key(*id) && !plan.trees.contains_key(*id))
            .collect();
        Ok(Json(json!({"rules": rules, "left_out": left_out, "revision": published.revision.digest})))
    })
    .await
}

fn items(project: &Project, firing: &BTreeMap<String, Firing>) -> Vec<RuleItem> {
    let item = |rule: &compile::plan::Rule| RuleItem {
        rule: rule.id.clone(),
        title: rule.title.clone(),
        kind: rule.kind,
        status: rule.status,
        severity: rule.severity,
        owner: rule.owner.clone(),
        tags: rule.tags.clone(),
        types: rule.variables.iter().map(|variable| variable.kind.clone()).collect(),
        place: rule.written.place.map(|place| project.sources.describe(place)),
        added: rule.added.clone(),
        reviewed: rule.reviewed.clone(),
        firing: firing.get(&rule.id).copied().unwrap_or_default(),
    };
    project.plan.rules.values().map(item).collect()
}

/// What every rule did, by id.
pub fn firing(incidents: &[Arc<Tracked>], published: &Published) -> BTreeMap<String, Firing> {
    let mut found: BTreeMap<String, Firing> = BTreeMap::new();
    for incident in incidents.iter().filter(|incident| incident.merged_into.is_none()) {
        // By rule, because several suspects of one incident may have the same one.
        let mut named: BTreeMap<&str, Time> = BTreeMap::new();
        for suspect in incident.report.get("suspects").and_then(|list| list.as_array()).into_iter().flatten() {
            let since = suspect.get("since").and_then(|time| time.as_str()).and_then(Time::parse).unwrap_or(incident.since);
            for rule in suspect.get("rules").and_then(|list| list.as_array()).into_iter().flatten().filter_map(|rule| rule.as_str()) {
                named.entry(rule).and_modify(|last| *last = (*last).max(since)).or_insert(since);
            }
        }
        for (rule, since) in named {
            let firing = found.entry(rule.to_owned()).or_default();
            firing.fired += 1;
            firing.last = firing.last.max(Some(since));
        }
    }
    let diagnosis = &published.diagnosis;
    for suspect in diagnosis.incidents.iter().flat_map(|incident| &incident.suspects).filter(|suspect| suspect.until.is_none()) {
        for rule in &suspect.rules {
            found.entry(rule.clone()).or_default().holding = true;
        }
    }
    for miss in &diagnosis.near_misses {
        found.entry(miss.rule.clone()).or_default().near = true;
    }
    for aside in &diagnosis.set_aside {
        found.entry(aside.rule.clone()).or_default().set_aside = true;
    }
    found
}

/// `GET /api/v1/cases`: the past cases, in the order of their files.
pub async fn cases(State(served): State<Arc<AppState>>, query: Sent) -> Result<Json, Refusal> {
    Asked::of(query, &[])?;
    spawn_blocking(move || {
        let published = served.live.published();
        let project = &published.revision.project;
        let cases: Vec<CaseItem> = project.cases.cases().iter().map(|case| case_item(case, project, &published)).collect();
        Ok(Json(json!({"cases": cases, "revision": published.revision.digest})))
    })
    .await
}

fn case_item(case: &Case, project: &Project, published: &Published) -> CaseItem {
    let root = case.root.as_ref();
    let diagnosis = &published.diagnosis;
    let like = diagnosis.cases.iter().filter(|view| view.id == case.id).filter_map(|view| {
        let incident = diagnosis.incidents.iter().find(|incident| incident.number == view.incident)?;
        let first = incident.suspects.first()?;
        Some((first.component.clone().unwrap_or_else(|| first.fault.clone()), view.similarity?))
    });
    CaseItem {
        case: case.id.clone(),
        title: case.title.clone(),
        date: case.date,
        component: root.and_then(|root| root.component.clone()),
        fault: root.map(|root| root.fault.clone()),
        affected: case.affected.clone(),
        solutions: case.solutions.clone(),
        rule: case.rule.clone(),
        record: project.feedback.weights.find(&case.id),
        resembles: like.collect(),
    }
}
