//! `POST /api/v1/incidents/{id}/confirm`: somebody says what the cause was. The incident becomes a past case: a folder in the project with
//! its symptoms, the recorded signals and the draft of a post-mortem, ready to be committed; and the journal of feedback learns whether the
//! answer was right.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use diag::{Code, Diagnostic, mask};
use estate::{ComponentId, Snapshot};
use knowledge::feedback::{self, Entry, GivenAnswer};
use knowledge::{Case, CaseMetric, Layer, Root};
use live::{Action, Cause, Recent, Tracked, What};
use project::{append_feedback, expected_json, free_case_id, write_case};
use signal::{Excerpt, Resolver, recording};
use value::{HOUR, Time};
use words::{Lang, Locale};

use super::AppState;
use super::asked::component;
use super::page::Part;
use super::refusal::Refusal;
use super::reply::Json;

/// The time before an incident that is recorded, as a multiple of how long it lasted: what is usual takes longer to tell than what is not.
const BEFORE: i64 = 4;

/// Alerts, and lines of logs, of which a case tells.
const MAX_TEXTS: usize = 20;

/// Two confirmations at once would take the same name for their cases.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What a person says.
#[derive(Debug, Default)]
pub struct Said {
    /// The component that broke; the first suspect if absent.
    pub component: Option<String>,
    /// What was wrong with it; the fault of the first suspect if absent, and if that is the component.
    pub fault: Option<String>,
    pub title: Option<String>,
    /// What helped.
    pub solutions: Vec<String>,
}

/// The parts of a report that a case is made of.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Report {
    until: Option<Time>,
    suspects: Vec<Suspect>,
    impact: Vec<Affected>,
}

#[derive(Debug, Deserialize)]
struct Suspect {
    component: Option<String>,
    fault: String,
    raw: f64,
    layer: Layer,
    #[serde(default)]
    rules: Vec<String>,
    case: Option<String>,
    #[serde(default)]
    explains: Vec<Symptom>,
}

#[derive(Debug, Deserialize)]
struct Affected {
    component: String,
}

#[derive(Debug, Deserialize)]
struct Symptom {
    kind: String,
    component: Option<String>,
    text: String,
    says: Says,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
enum Says {
    Deviates {
        metric: String,
        high: bool,
    },
    #[serde(other)]
    Other,
}

/// What is known of an incident, with those that a person merged into it.
struct Known {
    one: Tracked,
    /// Its own report first.
    reports: Vec<Report>,
    since: Time,
    until: Time,
}

/// Does it. What could not be written is said in `warnings`: the confirmation counts all the same.
pub fn confirm(served: &AppState, id: u64, said: Said, by: Option<String>) -> Result<Json, Refusal> {
    let _held = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let told = known(served, id)?;
    let root = root(&told, &said, &served.project().estate)?;
    let mut warnings = Vec::new();
    let written = make_case(served, &told, &root, said, &mut warnings);
    let case = written.map_err(|error| warnings.push(format!("the case was not written: {}", error.message))).ok();
    let folder = case.as_ref().map(|(folder, _)| folder.clone());
    let found = Cause { component: root.component.clone(), fault: root.fault.clone(), case: folder };
    let confirmed = served.live.act(id, Action::Confirm(found), by.clone()).map_err(|error| refused(&error))?;
    if let Some((case, solutions)) = case {
        let project = served.project();
        for (lang, name) in [(Lang::En, "postmortem.en.md"), (Lang::Zh, "postmortem.zh.md")] {
            let draft = super::incidents::written_with(served, &confirmed, &Locale::new(lang), Part::PostMortem, &solutions);
            let wrote = files::write(&project.root.join(&case).join(name), draft);
            warnings.extend(wrote.err().map(|error| format!("the draft of the post-mortem was not written: {}", error.message)));
        }
        let entry = entry(&told, root, case, by, served.live.now());
        let journal = entry.map(|entry| append_feedback(&project.root, &entry));
        warnings.extend(journal.and_then(Result::err).map(|error| format!("the journal of feedback cannot be written: {error}")));
        // Events of the file system may be lost.
        served.reloader.hint();
    }
    let mut shown = confirmed.shown();
    if let Some(fields) = shown.as_object_mut().filter(|_| !warnings.is_empty()) {
        fields.insert("warnings".to_owned(), json!(warnings));
    }
    Ok(Json(shown))
}

/// Why the live part does not do what it was asked.
pub fn refused(error: &Diagnostic) -> Refusal {
    let status = if error.code == Code::JOURNAL { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::UNPROCESSABLE_ENTITY };
    Refusal::of(status, error)
}

fn known(served: &AppState, id: u64) -> Result<Known, Refusal> {
    let one = served.live.incident(id).ok_or_else(|| super::incidents::nothing(id))?;
    let merged: Vec<Arc<Tracked>> = served.live.incidents().into_iter().filter(|other| other.merged_into == Some(id)).collect();
    let reports: Vec<Report> = std::iter::once(&one)
        .chain(merged.iter().map(Arc::as_ref))
        .map(|one| serde_json::from_value(one.report.clone()).unwrap_or_default())
        .collect();
    // Also what a diagnosis does not see any more.
    let since = merged.iter().map(Arc::as_ref).chain([&one]).map(|one| one.since.min(one.first_since())).fold(one.opened, Time::min);
    let until = one.resolved.or_else(|| reports.first()?.until).unwrap_or_else(|| served.live.now());
    Ok(Known { one, reports, since, until })
}

/// The component that broke, and its fault.
fn root(known: &Known, said: &Said, estate: &Snapshot) -> Result<feedback::Root, Refusal> {
    let one = &known.one;
    let missing = |key: &str, why: &str| {
        Refusal::unusable(format!("`confirm` needs `{key}`: {why}"))
            .help("send {\"by\": \"…\", \"component\": \"…\", \"fault\": \"…\", \"solutions\": [\"…\"]}")
    };
    let named = said.component.as_deref().or(one.confirmed.as_deref()).or(one.component.as_deref());
    let named = named.ok_or_else(|| missing("component", "the diagnosis names none"))?;
    let id = estate.component(component(estate, named)?).id.clone();
    let before = one.confirmed_fault.as_ref().filter(|_| one.confirmed.as_ref() == Some(&id));
    let diagnosed = Some(&one.fault).filter(|fault| one.component.as_ref() == Some(&id) && !fault.is_empty());
    let fault = said.fault.as_ref().or(before).or(diagnosed);
    let fault = fault.ok_or_else(|| missing("fault", "what was wrong with it, in a few words"))?.trim();
    // It goes into files of a repository.
    let fault = mask(fault);
    Ok(feedback::Root { component: id, fault })
}

/// Writes the folder of the case; its path in the project, and what helped.
fn make_case(
    served: &AppState,
    known: &Known,
    root: &feedback::Root,
    said: Said,
    warnings: &mut Vec<String>,
) -> Result<(String, Vec<String>), Box<Diagnostic>> {
    let from = known.since.minus((BEFORE * known.until.since(known.since)).max(HOUR));
    let recent = served.live.recorded(from, known.until);
    let project = served.project();
    // A case of this incident may be too new, or too broken, to be among those that are loaded.
    let own = known.one.case_id();
    let earlier = own.and_then(|id| project.cases.find(id));
    let estate = &project.estate;
    let mut case = Case {
        id: own.map_or_else(|| free_case_id(&project, known.since), str::to_owned),
        title: said
            .title
            .map(|title| mask(&title))
            .or_else(|| earlier.map(|case| case.title.clone()))
            .unwrap_or_else(|| root.fault.clone()),
        date: Some(known.since),
        root: Some(Root {
            component: Some(root.component.clone()),
            kind: estate.find(&root.component).map(|id| estate.component(id).kind.clone()),
            fault: root.fault.clone(),
        }),
        alerts: texts(known, &["alert", "report"]),
        logs: texts(known, &["log"]),
        metrics: Vec::new(),
        affected: symptoms(known).filter_map(|symptom| symptom.component.clone()).collect::<BTreeSet<String>>().into_iter().collect(),
        solutions: if said.solutions.is_empty() {
            earlier.map(|case| case.solutions.clone()).unwrap_or_default()
        } else {
            said.solutions.iter().map(|solution| mask(solution)).collect()
        },
        rule: named_by(known, root),
        notes: notes(&known.one),
    };
    let metrics: BTreeSet<(String, String, bool)> = symptoms(known)
        .filter_map(|symptom| match &symptom.says {
            Says::Deviates { metric, high } => {
                let of = estate.find(symptom.component.as_deref()?)?;
                Some((estate.component(of).kind.clone(), metric.clone(), *high))
            }
            Says::Other => None,
        })
        .collect();
    case.metrics = metrics.into_iter().map(|(kind, metric, high)| CaseMetric { kind, metric, high }).collect();
    let mut files = recent.map_or_else(Vec::new, |recent| signals(known, root, &recent, from));
    if files.is_empty() {
        warnings.push("no signals of that time are kept any more: the case has none".to_owned());
    } else {
        files.extend(expected_json(&case).map(|text| ("expected.json", text)));
    }
    Ok((write_case(&project.root, &case, &files)?, case.solutions))
}

fn symptoms(known: &Known) -> impl Iterator<Item = &Symptom> {
    known.reports.iter().flat_map(|report| &report.suspects).flat_map(|suspect| &suspect.explains)
}

/// The texts of symptoms of some kinds, each once, in order.
fn texts(known: &Known, kinds: &[&str]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let of_kind = symptoms(known).filter(|symptom| kinds.contains(&symptom.kind.as_str()));
    of_kind.map(|symptom| mask(&symptom.text)).filter(|text| seen.insert(text.clone())).take(MAX_TEXTS).collect()
}

/// The rule that named what was confirmed.
fn named_by(known: &Known, root: &feedback::Root) -> Option<String> {
    let first = known.reports.first()?.suspects.first()?;
    first.rules.first().filter(|_| first.component.as_ref() == Some(&root.component)).cloned()
}

/// What people noted.
fn notes(one: &Tracked) -> Option<String> {
    let said = one.history.iter().filter(|step| step.what == What::Noted).filter_map(|step| {
        let by = step.by.as_ref().map_or_else(String::new, |by| format!("{by}: "));
        Some(format!("{by}{}", mask(step.note.as_ref()?)))
    });
    let notes: Vec<String> = said.collect();
    (!notes.is_empty()).then(|| notes.join("\n"))
}

/// The recorded signals of what the incident names, and of what is next to the cause.
fn signals(known: &Known, root: &feedback::Root, recent: &Recent, from: Time) -> Vec<(&'static str, String)> {
    let project = &recent.revision.project;
    let estate = &project.estate;
    let suspects = known.reports.iter().flat_map(|report| &report.suspects).filter_map(|suspect| suspect.component.as_ref());
    let affected = known.reports.iter().flat_map(|report| &report.impact).map(|affected| &affected.component);
    let shown = symptoms(known).filter_map(|symptom| symptom.component.as_ref());
    let named = suspects.chain(affected).chain(shown).chain([&root.component]);
    let mut components: BTreeSet<ComponentId> = named.filter_map(|id| estate.find(id)).collect();
    if let Some(cause) = estate.find(&root.component) {
        let beside = [estate.dependencies(cause, &[], Some(1)), estate.dependents(cause, &[], Some(1))];
        components.extend(beside.iter().flatten().map(|reached| reached.component));
    }
    let resolver = Resolver::new(&project.placement, estate);
    recording(&recent.facts, &resolver, Excerpt { from, until: known.until, components: &components })
}

/// What the journal of feedback learns.
fn entry(known: &Known, root: feedback::Root, case: String, by: Option<String>, now: Time) -> Option<Entry> {
    let first = known.reports.first().and_then(|report| report.suspects.first());
    let answer = first.map(|first| GivenAnswer {
        component: first.component.clone(),
        fault: first.fault.clone(),
        layer: first.layer,
        confidence: first.raw,
        cases: first.case.iter().cloned().collect(),
        rules: first.rules.clone(),
    });
    let (verdict, root) = feedback::Said::Broke(root).judge(answer.as_ref())?;
    let by = by.unwrap_or_else(|| "unknown".to_owned());
    Some(Entry { time: now, bundle: case, verdict, answer, root, by, note: String::new() })
}
