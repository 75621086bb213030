//! Questions about what is going on, what would happen, and why: over the signals that the live part keeps.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use diag::{Code, Diagnostic, Sources, text};
use estate::{Snapshot, State as Condition, Tier};
use live::{Recent, held};
use localize::Diagnosis;
use project::{Bundle, DEFAULT_STORE, ImpactFilter, ImpactReport, Planned, Project, Then, estate_at, find_components, find_type, planned};
use signal::{CALLS, Seen, TRACES};
use value::Time;
use words::{Lang, Locale, Writer};

use super::asked::{Asked, Sent, component, unknown};
use super::refusal::Refusal;
use super::reply::{Format, Json, Page};
use super::request::{accepts, body, spawn_blocking};
use super::turns::Size;
use super::{AppState, Extent};

/// The largest plan of a change, in bytes.
pub const MAX_PLAN: usize = 1 << 20;

/// Propagation paths to one component at most.
const MAX_PATHS: usize = 20;

/// Hops that a question may limit itself to.
const MAX_DEPTH: usize = 1_000;

/// `GET /api/v1/diagnosis?at=&format=&full=&lang=&tz=`: what is broken now, or was at an instant whose signals are still kept.
pub async fn diagnosis(State(served): State<Arc<AppState>>, headers: HeaderMap, query: Sent) -> Result<Response, Refusal> {
    let asked = Asked::of(query, &["at", "format", "full", "lang", "tz"])?;
    let extent = asked.choice("full", &[("true", Extent::Full), ("false", Extent::Screen)])?.unwrap_or(Extent::Screen);
    let shape = Shape { locale: asked.locale()?, format: asked.format(&headers)?, extent };
    let Some(at) = asked.at()? else { return spawn_blocking(move || Ok(published(&served, &shape))).await };
    let shared = Arc::clone(&served);
    served.turns.run(Size::Medium, move || past(&shared, at, &shape)).await
}

/// How a diagnosis is written.
struct Shape {
    locale: Locale,
    format: Format,
    extent: Extent,
}

impl Shape {
    /// The page of a diagnosis; `None` for JSON.
    fn page(&self, served: &AppState, diagnosis: &Diagnosis, estate: &Snapshot) -> Option<Response> {
        let writer = Writer { locale: &self.locale, estate };
        let markdown = self.format == Format::Markdown;
        let page = || Page(self.format, (served.report)(diagnosis, writer, self.extent, markdown)).into_response();
        (self.format != Format::Json).then(page)
    }
}

fn published(served: &AppState, shape: &Shape) -> Response {
    let published = served.live.published();
    let (locale, estate) = (&shape.locale, &published.laid.estate);
    let mut diagnosis = (*published.diagnosis).clone();
    words::tell(&mut diagnosis, locale, estate);
    let chinese = locale.lang == Lang::Zh;
    diagnosis.warnings.extend(notes(served, chinese).chain(published.laid.note().map(|note| note.shown(chinese))));
    shape.page(served, &diagnosis, estate).unwrap_or_else(|| {
        let answer = json!({
            "diagnosis": diagnosis,
            "revision": published.revision.digest,
            "position": published.position,
            "took_ms": published.took,
        });
        Json(answer).into_response()
    })
}

/// What a reader of an answer must know about the rules and the metrics behind it.
fn notes(served: &AppState, chinese: bool) -> impl Iterator<Item = String> {
    served.reloader.note().into_iter().chain(held(&served.puller).notes()).map(move |note| note.shown(chinese))
}

fn past(served: &AppState, at: Time, shape: &Shape) -> Result<Response, Refusal> {
    let locale = &shape.locale;
    let recent = recent(served)?;
    let bundle = bundle_at(served, &recent, Some(at))?;
    let mut diagnosis = bundle.diagnose();
    words::tell(&mut diagnosis, locale, bundle.estate());
    let chinese = locale.lang == Lang::Zh;
    diagnosis.warnings = bundle.warned(chinese);
    diagnosis.warnings.extend(notes(served, chinese));
    let page = shape.page(served, &diagnosis, bundle.estate());
    Ok(page.unwrap_or_else(|| Json(json!({"diagnosis": diagnosis, "revision": recent.revision.digest})).into_response()))
}

/// The signals kept, with the project by which they were placed.
pub fn recent(served: &AppState) -> Result<Recent, Refusal> {
    served.live.recent().ok_or_else(|| Refusal::broken("the server is shutting down"))
}

/// The signals kept, at an instant that they still cover.
fn bundle_at<'p>(served: &AppState, recent: &'p Recent, at: Option<Time>) -> Result<Bundle<'p>, Refusal> {
    let (now, keep) = (served.live.now(), served.live.keep());
    let at = at.unwrap_or(now);
    let oldest = now.minus(keep.signals);
    if at > now {
        return Err(Refusal::unusable(format!("`at` is {at}, the server's clock shows {now}")).help("ask for a time that has passed"));
    }
    if at < oldest {
        return Err(Refusal::unusable(format!("the signals of {at} are not kept any more"))
            .help(format!("signals are kept for {}: ask for a time since {oldest}", Time::describe(keep.signals))));
    }
    let (estate, facts) = (Arc::clone(&recent.estate), Arc::clone(&recent.facts));
    let mut bundle = Bundle::of_facts(&recent.revision.project, estate, facts, recent.counts.clone(), at);
    let first = now.minus(keep.samples);
    if at.minus(bundle.lookback) < first {
        bundle.warnings.push(text!("samples before {} are not kept any more: what rests on them is unknown", first));
    }
    Ok(bundle)
}

/// `GET /api/v1/why?rule=&component=&at=&lang=&tz=`: whether a rule matches, and why not, condition by condition.
pub async fn why(State(served): State<Arc<AppState>>, query: Sent) -> Result<Json, Refusal> {
    let asked = Asked::of(query, &["rule", "component", "at", "lang", "tz"])?;
    let shared = Arc::clone(&served);
    served.turns.run(Size::Medium, move || explain(&shared, &asked)).await
}

fn explain(served: &AppState, asked: &Asked) -> Result<Json, Refusal> {
    let locale = asked.locale()?;
    let id = asked
        .get("rule")
        .ok_or_else(|| Refusal::request("which rule? `rule` is missing").help("add `?rule=ID`; `GET /api/v1/rules` lists them"))?;
    let recent = recent(served)?;
    let bundle = bundle_at(served, &recent, asked.at()?)?;
    let plan = bundle.plan();
    let Some(rule) = plan.rules.get(id) else { return Err(no_rule(&recent.revision.project, id)) };
    let estate = bundle.estate();
    let only = asked.get("component").map(|name| component(estate, name)).transpose()?;
    let mut report = project::why(&bundle, rule, Writer { locale: &locale, estate });
    if let Some(only) = only {
        let only = &estate.component(only).id;
        report.bindings.retain(|binding| binding.components.contains(only));
        report.held = report.bindings.iter().any(|binding| binding.held);
    }
    let chinese = locale.lang == Lang::Zh;
    let warnings: Vec<String> = bundle.warned(chinese).into_iter().chain(notes(served, chinese)).collect();
    Ok(Json(json!({"why": report, "at": bundle.at, "revision": recent.revision.digest, "warnings": warnings})))
}

fn no_rule(project: &Project, id: &str) -> Refusal {
    if project.plan.trees.contains_key(id) {
        return Refusal::new(StatusCode::NOT_FOUND, Code::UNKNOWN_RULE, format!("`{id}` is a decision tree, not a rule"))
            .help("walk it with `faultscope walk`");
    }
    if project.files().iter().flat_map(|file| &file.rules).any(|rule| rule.id.value == id) {
        return Refusal::new(StatusCode::NOT_FOUND, Code::UNKNOWN_RULE, format!("rule `{id}` has an error and was left out"))
            .help("`faultscope check` in the project shows it");
    }
    let names = project.plan.rules.keys().map(String::as_str);
    unknown(Code::UNKNOWN_RULE, format!("the project has no rule `{id}`"), id, names, "/api/v1/rules")
}

/// `GET /api/v1/impact?component=&…`: what a fault of components affects.
pub async fn impact(State(served): State<Arc<AppState>>, query: Sent) -> Result<Json, Refusal> {
    let keys = ["component", "depth", "paths", "type", "tier", "owner", "state", "as_of", "lang", "tz"];
    let asked = Asked::of(query, &keys)?;
    let shared = Arc::clone(&served);
    served.turns.run(Size::Large, move || reach(&shared, &asked)).await
}

fn reach(served: &AppState, asked: &Asked) -> Result<Json, Refusal> {
    let locale = asked.locale()?;
    let published = served.live.published();
    let then = estate_then(&published.revision.project, asked)?;
    let estate = then.as_ref().map_or(&*published.laid.whole, |then| &then.estate);
    let not_found = |found: Box<Diagnostic>| Refusal::of(StatusCode::NOT_FOUND, &found);
    let (mut names, mut roots) = (Vec::new(), Vec::new());
    for name in asked.all("component") {
        roots.extend(find_components(estate, name).map_err(not_found)?);
        names.push(name.to_owned());
    }
    if roots.is_empty() {
        return Err(Refusal::request("which component? `component` is missing").help("add `?component=ID`, several times for several"));
    }
    let tiers = Tier::ALL.map(|tier| (tier.name(), tier));
    let states = [("at_risk", Condition::AtRisk), ("degraded", Condition::Degraded), ("down", Condition::Down)];
    let filter = ImpactFilter {
        kind: asked.get("type").map(|kind| find_type(estate, kind).map_err(not_found)).transpose()?,
        tier: asked.choice("tier", &tiers)?,
        owner: asked.owned("owner"),
        state: asked.choice("state", &states)?,
    };
    let depth = asked.number("depth", MAX_DEPTH)?.and_then(|depth| u32::try_from(depth).ok());
    let paths = asked.number("paths", MAX_PATHS)?.unwrap_or(1);
    let writer = Writer { locale: &locale, estate };
    let report = project::impact(&writer, names, &roots, (depth, paths), &filter);
    let seen = if then.is_none() { seen_on(&report, &published.laid.seen) } else { Vec::new() };
    Ok(Json(json!({"impact": report, "seen": seen, "warnings": warnings_of(served, then.as_ref(), locale.lang)})))
}

/// A relation on a path that nobody declared.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct SeenRelation {
    pub from: String,
    pub kind: &'static str,
    pub to: String,
    /// `traces`.
    pub origin: &'static str,
    pub first_seen: Time,
    pub last_seen: Time,
}

/// The calls on the paths of a report that only traces show, sorted.
fn seen_on(report: &ImpactReport, seen: &Seen) -> Vec<SeenRelation> {
    let ways = report.impact.iter().flat_map(|item| item.ways.iter().chain([&item.view.path]));
    let hops = ways.flat_map(|way| way.iter().zip(way.iter().skip(1)));
    // A fault goes from the callee to the caller.
    let found: BTreeSet<SeenRelation> = hops
        .filter_map(|(callee, caller)| {
            let seen = seen.call(caller, callee)?;
            let (from, to) = (caller.clone(), callee.clone());
            Some(SeenRelation { from, kind: CALLS, to, origin: TRACES, first_seen: seen.first, last_seen: seen.last })
        })
        .collect();
    found.into_iter().collect()
}

/// The estate on disk at the revision or time of `as_of`; `None` if the topology of the project is asked.
pub fn estate_then(project: &Project, asked: &Asked) -> Result<Option<Then>, Refusal> {
    let Some(when) = asked.get("as_of") else { return Ok(None) };
    let then = estate_at(project, &project.root.join(DEFAULT_STORE), when);
    then.map(Some).map_err(|found| Refusal::of(StatusCode::UNPROCESSABLE_ENTITY, &found))
}

/// What a reader of an answer about the estate must know.
pub fn warnings_of(served: &AppState, then: Option<&Then>, lang: Lang) -> Vec<String> {
    let of_then = then.into_iter().flat_map(|then| then.words.iter().cloned());
    served.reloader.note().into_iter().chain(of_then).map(|warning| warning.shown(lang == Lang::Zh)).collect()
}

/// `POST /api/v1/change?lang=`: what a planned change would do; the body is a plan, as `faultscope change` reads it.
pub async fn change(
    State(served): State<Arc<AppState>>,
    query: Sent,
    headers: HeaderMap,
    sent: Result<Bytes, BytesRejection>,
) -> Result<Json, Refusal> {
    let asked = Asked::of(query, &["lang"])?;
    accepts(&headers, &["application/json", "application/yaml", "application/x-yaml"])?;
    let bytes = body(sent, MAX_PLAN)?;
    let shared = Arc::clone(&served);
    let work = move || -> Result<Json, Refusal> {
        let locale = asked.locale()?;
        let text = String::from_utf8(bytes.to_vec()).map_err(|_| Refusal::request("the plan is not UTF-8"))?;
        let project = shared.project();
        let Planned { sources, diagnostics, assessment } = planned(&project, "the plan", text);
        let chinese = locale.lang == Lang::Zh;
        let listed: Vec<serde_json::Value> = diagnostics.iter().map(|found| listed(found, &sources, chinese)).collect();
        let Some(mut assessment) = assessment else {
            return Err(Refusal { rejected: listed, ..Refusal::unusable("the plan cannot be used: `rejected` lists the reasons") }
                .help("`docs/changes.md` describes the format"));
        };
        words::change::tell(&mut assessment, locale.lang, project.estate.model());
        Ok(Json(json!({"assessment": assessment, "warnings": listed})))
    };
    served.turns.run(Size::Large, work).await
}

fn listed(found: &Diagnostic, sources: &Sources, chinese: bool) -> serde_json::Value {
    json!({
        "code": found.code.0,
        "place": found.place.map(|place| sources.describe(place)),
        "message": found.message.shown(chinese),
        "help": found.help.as_ref().map(|help| help.shown(chinese)),
    })
}
