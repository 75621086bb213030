//! Incidents: the list, one of them, and what people do about it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;

use diag::{Code, did_you_mean, nearest};
use live::{Action, Status, Tracked};

use super::AppState;
use super::refusal::Refusal;
use super::reply::Json;
use super::request::{accepts, body, spawn_blocking};
use super::tokens::Who;

/// The largest body of an action, in bytes.
pub const MAX_BODY: usize = 64 << 10;

/// What people may do about an incident.
const ACTIONS: [&str; 5] = ["acknowledge", "assign", "note", "resolve", "confirm"];

/// Who did it, and what an action needs to know. Unknown keys are errors: a misspelt one must not be lost.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Said {
    by: Option<String>,
    /// `assign`: to whom.
    to: Option<String>,
    /// `note`: the text.
    text: Option<String>,
    /// `confirm`: the component that was the cause.
    component: Option<String>,
}

/// `GET /api/v1/incidents?state=&owner=&tag=`: the latest first, without their reports.
pub async fn list(
    State(served): State<Arc<AppState>>,
    query: Result<Query<BTreeMap<String, String>>, QueryRejection>,
) -> Result<Json, Refusal> {
    let Query(query) = query.map_err(|rejection| Refusal::request(rejection.body_text()))?;
    known(query.keys(), &["state", "owner", "tag"])?;
    let state = match query.get("state").map(String::as_str) {
        None => None,
        Some("open") => Some(Status::Open),
        Some("acknowledged") => Some(Status::Acknowledged),
        Some("resolved") => Some(Status::Resolved),
        Some(other) => {
            return Err(Refusal::request(format!("unknown state `{other}`")).help("known states: open, acknowledged, resolved"));
        }
    };
    let wanted = |one: &&Tracked| {
        state.is_none_or(|state| one.status == state)
            && query.get("owner").is_none_or(|owner| one.owner.as_ref() == Some(owner))
            && query.get("tag").is_none_or(|tag| one.tags.contains(tag))
    };
    let all = served.live.incidents();
    let incidents: Vec<serde_json::Value> = all
        .iter()
        .filter(wanted)
        .map(|one| {
            let mut shown = json!(one);
            if let Some(map) = shown.as_object_mut() {
                map.remove("report");
            }
            shown
        })
        .collect();
    Ok(Json(json!({"incidents": incidents, "last_event": served.live.last_event()})))
}

/// `GET /api/v1/incidents/{id}`: with its report and history.
pub async fn one(State(served): State<Arc<AppState>>, Path(id): Path<String>) -> Result<Json, Refusal> {
    let id = number(&id)?;
    served.live.incident(id).map(|one| Json(json!(one))).ok_or_else(|| nothing(id))
}

/// `POST /api/v1/incidents/{id}/{action}`: answers once it is on disk.
pub async fn act(
    State(served): State<Arc<AppState>>,
    Extension(who): Extension<Who>,
    Path((id, action)): Path<(String, String)>,
    headers: HeaderMap,
    sent: Result<Bytes, BytesRejection>,
) -> Result<Json, Refusal> {
    let id = number(&id)?;
    accepts(&headers, &["application/json"])?;
    let bytes = body(sent, MAX_BODY)?;
    let said: Said = if bytes.is_empty() {
        Said::default()
    } else {
        serde_json::from_slice(&bytes).map_err(|error| {
            Refusal::request(format!("the body cannot be read: {error}"))
                .help("send an object like {\"by\": \"li\", \"text\": \"failing over\"}")
        })?
    };
    let needed = |value: Option<String>, key: &str| {
        let missing = || Refusal::unusable(format!("`{action}` needs `{key}`")).help(format!("send {{\"by\": \"…\", \"{key}\": \"…\"}}"));
        value.filter(|value| !value.trim().is_empty()).ok_or_else(missing)
    };
    let what = match action.as_str() {
        "acknowledge" => Action::Acknowledge,
        "assign" => Action::Assign(needed(said.to, "to")?),
        "note" => Action::Note(needed(said.text, "text")?),
        "resolve" => Action::Resolve,
        "confirm" => Action::Confirm(needed(said.component, "component")?),
        other => {
            let help =
                nearest(other, ACTIONS).map_or_else(|| format!("known actions: {}", ACTIONS.join(", ")), |near| did_you_mean(near).into());
            return Err(Refusal::new(StatusCode::NOT_FOUND, Code::NO_ADDRESS, format!("no action `{other}`")).help(help));
        }
    };
    spawn_blocking(move || {
        if served.live.incident(id).is_none() {
            return Err(nothing(id));
        }
        // Whoever does not say who they are is known by their token.
        let changed = served.live.act(id, what, said.by.or(who.name));
        changed.map(|one| Json(json!(one))).map_err(|error| Refusal::of(StatusCode::SERVICE_UNAVAILABLE, &error))
    })
    .await
}

fn nothing(id: u64) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, Code::NO_ADDRESS, format!("no incident {id}")).help("`GET /api/v1/incidents` lists them")
}

fn number(id: &str) -> Result<u64, Refusal> {
    id.parse()
        .map_err(|_| Refusal::request(format!("the id of an incident is a number, not `{id}`")).help("`GET /api/v1/incidents` lists them"))
}

/// Refuses keys of a query that mean nothing.
pub fn known<'k>(keys: impl Iterator<Item = &'k String>, known: &[&str]) -> Result<(), Refusal> {
    let Some(key) = { keys }.find(|key| !known.contains(&key.as_str())) else { return Ok(()) };
    let near = nearest(key, known.iter().copied());
    let help = near.map_or_else(|| format!("known keys: {}", known.join(", ")), |near| did_you_mean(near).into());
    Err(Refusal::request(format!("unknown key `{key}`")).help(help))
}
