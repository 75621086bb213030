//! Incidents: the list, one of them, and what people do about it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use diag::{Code, did_you_mean, nearest};
use live::{Action, Status, Tracked};
use notices::Source;
use words::{Locale, Writer};

use super::AppState;
use super::asked::{Asked, Sent};
use super::confirm::{self, confirm, refused};
use super::page::{Page, Part};
use super::refusal::Refusal;
use super::reply::{self, Format, Json};
use super::request::{accepts, body, spawn_blocking};
use super::tokens::Who;

/// The largest body of an action, in bytes.
pub const MAX_BODY: usize = 64 << 10;

/// What people may do about an incident.
const ACTIONS: [&str; 8] = ["acknowledge", "assign", "note", "resolve", "reopen", "merge", "split", "confirm"];

/// Who did it, and what an action needs to know. Unknown keys are errors: a misspelt one must not be lost.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Said {
    by: Option<String>,
    /// `assign`: to whom.
    to: Option<String>,
    /// `note`: the text.
    text: Option<String>,
    /// `merge`: the incident that it is part of.
    into: Option<u64>,
    /// `confirm`: the component that was the cause, what was wrong with it, a title for the case, and what helped.
    component: Option<String>,
    fault: Option<String>,
    title: Option<String>,
    solutions: Vec<String>,
}

/// So many are listed unless asked otherwise, and at most.
const LISTED: usize = 500;
const MAX_LISTED: usize = 10_000;

/// `GET /api/v1/incidents?state=&owner=&tag=&limit=&format=&lang=&tz=`: the latest first, without their reports.
pub async fn list(State(served): State<Arc<AppState>>, headers: HeaderMap, query: Sent) -> Result<Response, Refusal> {
    let asked = Asked::of(query, &["state", "owner", "tag", "limit", "format", "lang", "tz"])?;
    let limit = asked.number("limit", MAX_LISTED)?.unwrap_or(LISTED);
    let (locale, format) = (asked.locale()?, asked.format(&headers)?);
    let states = [("open", Status::Open), ("acknowledged", Status::Acknowledged), ("resolved", Status::Resolved)];
    let state = asked.choice("state", &states)?;
    spawn_blocking(move || {
        let wanted = |one: &Arc<Tracked>| {
            state.is_none_or(|state| one.status == state)
                && asked.get("owner").is_none_or(|owner| one.owner.as_deref() == Some(owner))
                && asked.get("tag").is_none_or(|tag| one.tags.iter().any(|known| known == tag))
        };
        let mut found = served.live.incidents();
        found.retain(wanted);
        let left_off = found.len().saturating_sub(limit);
        found.truncate(limit);
        if format != Format::Json {
            let mut lines: String = found.iter().map(|one| written(&served, one, &locale, Part::Line)).collect();
            if lines.is_empty() {
                lines.push_str(locale.lang.no_incidents());
                lines.push('\n');
            }
            if left_off > 0 {
                lines.push_str(&format!("… {left_off} {}\n", locale.lang.more()));
            }
            return Ok(reply::Page(format, lines).into_response());
        }
        let listed = |one: &Arc<Tracked>| {
            let mut shown = one.shown();
            if let Some(fields) = shown.as_object_mut() {
                fields.remove("report");
            }
            shown
        };
        let incidents: Vec<serde_json::Value> = found.iter().map(listed).collect();
        Ok(Json(json!({"incidents": incidents, "left_off": left_off, "last_event": served.live.last_event()})).into_response())
    })
    .await
}

/// `GET /api/v1/incidents/{id}?format=&lang=&tz=`: with its report and history. As text a page to paste into a chat, as Markdown the draft
/// of its post-mortem.
pub async fn one(
    State(served): State<Arc<AppState>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    query: Sent,
) -> Result<Response, Refusal> {
    let id = number(&id)?;
    let asked = Asked::of(query, &["format", "lang", "tz"])?;
    let (locale, format) = (asked.locale()?, asked.format(&headers)?);
    spawn_blocking(move || {
        let one = served.live.incident(id).ok_or_else(|| nothing(id))?;
        Ok(match format {
            Format::Json => Json(one.shown()).into_response(),
            Format::Text => reply::Page(format, written(&served, &one, &locale, Part::Page)).into_response(),
            Format::Markdown => reply::Page(format, written(&served, &one, &locale, Part::PostMortem)).into_response(),
        })
    })
    .await
}

/// An incident for people, with what the last diagnosis advises, and what its case says.
pub fn written(served: &AppState, one: &Tracked, locale: &Locale, part: Part) -> String {
    let project = served.project();
    let case = one.case_id().and_then(|id| project.cases.find(id));
    written_with(served, one, locale, part, case.map_or(&[][..], |case| case.solutions.as_slice()))
}

/// The same, with what has helped.
pub fn written_with(served: &AppState, one: &Tracked, locale: &Locale, part: Part, helped: &[String]) -> String {
    let advice = served.live.advice(one, locale);
    let project = served.project();
    Page { one, advice: &advice, helped, writer: Writer { locale, estate: &project.estate } }.written(part)
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
    let bytes = body(sent, MAX_BODY)?;
    let said: Said = if bytes.is_empty() {
        // A web page can send nothing without a content type; `guard` refuses those of others.
        Said::default()
    } else {
        accepts(&headers, &["application/json"])?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Refusal::request(format!("the body cannot be read: {error}"))
                .help("send an object like {\"by\": \"li\", \"text\": \"failing over\"}")
        })?
    };
    let missing = |key: &str| Refusal::unusable(format!("`{action}` needs `{key}`")).help(format!("send {{\"by\": \"…\", \"{key}\": …}}"));
    let needed = |value: Option<String>, key: &str| filled(value).ok_or_else(|| missing(key));
    let by = signed(filled(said.by), who.name);
    let what = match action.as_str() {
        "acknowledge" => Action::Acknowledge,
        "assign" => Action::Assign(needed(said.to, "to")?),
        "note" => Action::Note(needed(said.text, "text")?),
        "resolve" => Action::Resolve,
        "reopen" => Action::Reopen,
        "merge" => Action::Merge(said.into.ok_or_else(|| missing("into"))?),
        "split" => Action::Split,
        "confirm" => {
            let solutions = said.solutions.into_iter().filter(|text| !text.trim().is_empty()).collect();
            let cause =
                confirm::Said { component: filled(said.component), fault: filled(said.fault), title: filled(said.title), solutions };
            return spawn_blocking(move || confirm(&served, id, cause, by)).await;
        }
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
        let changed = served.live.act(id, what, by);
        changed.map(|one| Json(one.shown())).map_err(|error| refused(&error))
    })
    .await
}

/// Whoever does not say who they are is known by their token. Who says another name may speak for others, or lie: the token stands beside it.
fn signed(by: Option<String>, token: Option<String>) -> Option<String> {
    match (by, token) {
        (Some(by), Some(token)) if by != token => Some(format!("{by} (token {token})")),
        (by, token) => token.or(by),
    }
}

/// A text with something in it.
fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

pub fn nothing(id: u64) -> Refusal {
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

#[cfg(test)]
mod tests {
    use super::signed;

    #[test]
    fn who_did_it() {
        for (by, token, stands) in [
            (None, None, None),
            (Some("li"), None, Some("li")),
            (None, Some("duty"), Some("duty")),
            (Some("duty"), Some("duty"), Some("duty")),
            (Some("the boss"), Some("duty"), Some("the boss (token duty)")),
        ] {
            assert_eq!(signed(by.map(str::to_owned), token.map(str::to_owned)).as_deref(), stands, "{by:?} {token:?}");
        }
    }
}
