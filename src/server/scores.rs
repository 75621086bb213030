//! `/api/v1/scores`: receives and lists the scores of external models.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

use ::ingest::{ContentEncoding, Protocol, Route, Why, decompress, route};
use diag::{Code, did_you_mean, nearest};
use estate::{ComponentId, Snapshot};
use live::{KeptScore, Refused};
use signal::{Origin, Resolver, ScoreEntry, ScoreFrame, ScoreRefusal, score_entries, score_of};
use value::Time;

use super::ingest::hand_over;
use super::refusal::Refusal;
use super::reply::Json;
use super::request::{accepts, body, now, spawn_blocking};
use super::{AppState, SCORES};

/// The largest body of scores, in bytes: some thirty thousand scores. Send more in several requests.
pub const MAX_BODY: usize = 4 << 20;

/// The maximum number of scores in one response; filter with `since`.
pub const MAX_LISTED: usize = 1_000;

/// `POST /api/v1/scores`: responds only after the accepted scores are on disk.
pub async fn receive(
    State(served): State<Arc<AppState>>,
    headers: HeaderMap,
    sent: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json), Refusal> {
    accepts(&headers, &["application/json", "application/x-ndjson", "application/ndjson", "application/jsonl"])?;
    let header = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let encoding = match route(SCORES, header(CONTENT_TYPE), header(CONTENT_ENCODING)) {
        Some(Ok(Route { encoding, .. })) => encoding,
        Some(Err(refusal)) => return Err(unreadable(refusal)),
        None => ContentEncoding::Identity,
    };
    let bytes = body(sent, MAX_BODY)?;
    let (received, shared) = (now(), Arc::clone(&served));
    let sent = spawn_blocking(move || read(&shared, &decompress(encoding, &bytes, MAX_BODY).map_err(unreadable)?, received)).await?;
    if sent.accepted > 0 {
        // It has been read already, and written anew it may be a little longer.
        let route = Route { protocol: Protocol::Scores, encoding: ContentEncoding::Identity, limit: usize::MAX };
        match hand_over(&served, route, sent.lines, received).await {
            Some(Ok(_)) => {}
            Some(Err(refused)) => return Err(not_kept(refused)),
            None => {
                let busy = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::BUSY, "too many requests wait to be read");
                return Err(busy.help("nothing from this request was stored: send it again later"));
            }
        }
    }
    Ok((StatusCode::ACCEPTED, Json(json!({"accepted": sent.accepted, "unplaced": sent.unplaced, "rejected": sent.rejected}))))
}

/// What a request has.
struct Scores {
    /// Those that can be used, one a line.
    lines: Vec<u8>,
    accepted: usize,
    unplaced: usize,
    rejected: Vec<Value>,
}

fn read(served: &AppState, bytes: &[u8], received: Time) -> Result<Scores, Refusal> {
    let project = served.project();
    let placer = Resolver::new(&project.placement, &project.estate);
    let frame = ScoreFrame { received: Some(received), ..ScoreFrame::default() };
    let entries = score_entries("body", bytes, &frame, &placer).map_err(|d| Refusal::of(StatusCode::BAD_REQUEST, &d))?;
    let mut sent = Scores { lines: Vec::new(), accepted: 0, unplaced: 0, rejected: Vec::new() };
    for (index, ScoreEntry { written, read }) in entries.into_iter().enumerate() {
        match read {
            Ok(score) => {
                sent.lines.extend(written.unwrap_or_default().to_string().bytes().chain([b'\n']));
                sent.accepted += 1;
                sent.unplaced += usize::from(score.component.is_none());
            }
            Err(ScoreRefusal { code, reason, found }) => {
                sent.rejected.push(json!({"index": index, "code": code.0, "reason": reason.to_string(), "found": found}));
            }
        }
    }
    if sent.accepted == 0 && !sent.rejected.is_empty() {
        let refusal = Refusal::unusable("all scores were rejected: `rejected` lists the reasons");
        return Err(
            Refusal { rejected: sent.rejected, ..refusal }.help("`docs/serving.md` describes the format; `index` counts entries from 0")
        );
    }
    Ok(sent)
}

fn unreadable(refusal: ::ingest::Refusal) -> Refusal {
    let status = match refusal.why {
        Why::Malformed => StatusCode::BAD_REQUEST,
        Why::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Why::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
    };
    let help =
        refusal.help.map_or_else(|| "send the scores as JSON, in several requests if there are many".to_owned(), |help| help.to_string());
    Refusal::new(status, refusal.code, refusal.message.to_string()).help(help)
}

fn not_kept(refused: Refused) -> Refusal {
    match refused {
        Refused::Unreadable(refusal) => unreadable(refusal),
        Refused::NotWritten(reason) => {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::JOURNAL, format!("cannot write the journal: {reason}"))
                .help("nothing from this request was stored: fix the disk and send it again")
        }
        Refused::Stopping => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::BUSY, "the server is shutting down")
            .help("nothing from this request was stored: send it again later"),
    }
}

/// `GET /api/v1/scores?component=&since=`: the last received first.
pub async fn list(
    State(served): State<Arc<AppState>>,
    query: Result<Query<BTreeMap<String, String>>, QueryRejection>,
) -> Result<Json, Refusal> {
    let Query(query) = query.map_err(|rejection| Refusal::request(rejection.body_text()))?;
    spawn_blocking(move || show(&served, &query)).await
}

fn show(served: &AppState, query: &BTreeMap<String, String>) -> Result<Json, Refusal> {
    let project = served.project();
    let (component, since) = wanted(&project.estate, query)?;
    // The index takes as long as there are components.
    let only = component.map(|one| (one, Resolver::new(&project.placement, &project.estate)));
    let fits = |kept: &&Arc<KeptScore>| kept.time >= since && only.as_ref().is_none_or(|(one, placer)| placed(kept, placer) == Some(*one));
    let scores = served.live.scores();
    let fitting: Vec<&Arc<KeptScore>> = scores.iter().rev().filter(fits).collect();
    let left = fitting.len().saturating_sub(MAX_LISTED);
    let listed: Vec<Value> = fitting.iter().take(MAX_LISTED).filter_map(|kept| serde_json::from_str(&kept.line).ok()).collect();
    Ok(Json(json!({"scores": listed, "left_off": left})))
}

/// Where the topology of now has a score.
fn placed(kept: &KeptScore, placer: &Resolver<'_>) -> Option<ComponentId> {
    let written = serde_json::from_str(&kept.line).ok()?;
    score_of(&written, Origin { file: String::new(), index: 0 }, &ScoreFrame::default(), placer).ok()?.component
}

fn wanted(estate: &Snapshot, query: &BTreeMap<String, String>) -> Result<(Option<ComponentId>, Time), Refusal> {
    const KNOWN: [&str; 2] = ["component", "since"];
    if let Some(other) = query.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        let help = nearest(other, KNOWN).map_or_else(|| "known keys: component, since".to_owned(), |near| did_you_mean(near).into());
        return Err(Refusal::request(format!("unknown key `{other}`")).help(help));
    }
    let component = match query.get("component") {
        Some(name) => Some(super::asked::component(estate, name)?),
        None => None,
    };
    let since = match query.get("since") {
        Some(text) => super::request::time(text)?,
        None => Time::MIN,
    };
    Ok((component, since))
}
