//! `/api/v1/scores`: receives and lists the scores of external models.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use diag::{Code, did_you_mean, nearest};
use estate::ComponentId;
use signal::{MAX_SKEW, Resolver, ScoreEntry, ScoreFrame, score_entries};
use value::Time;

use super::AppState;
use super::journal::{KEEP, Kept, MAX_JOURNAL, Refused};
use super::refusal::Refusal;
use super::reply::Json;
use super::request::{accepts, body, now, spawn_blocking};

/// The largest body of scores, in bytes: some thirty thousand scores. Send more in several requests.
pub const MAX_BODY: usize = 4 << 20;

/// The maximum number of scores in one response; filter with `since`.
pub const MAX_LISTED: usize = 1_000;

/// The keys of an entry that are stored: those that a bundle uses.
const KEYS: &[&str] = &["component", "labels", "metric", "score", "scale", "time", "onset", "origin"];

/// `POST /api/v1/scores`: responds only after the accepted scores are on disk.
pub async fn receive(
    State(served): State<Arc<AppState>>,
    headers: HeaderMap,
    sent: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json), Refusal> {
    accepts(&headers, &["application/json", "application/x-ndjson", "application/ndjson", "application/jsonl"])?;
    let bytes = body(sent, MAX_BODY)?;
    spawn_blocking(move || take(&served, &bytes, now())).await
}

fn take(served: &AppState, bytes: &[u8], now: Time) -> Result<(StatusCode, Json), Refusal> {
    let project = served.project();
    let placer = Resolver::new(&project.placement, &project.estate);
    let entries = score_entries("body", bytes, &ScoreFrame::default(), &placer).map_err(|d| Refusal::of(StatusCode::BAD_REQUEST, &d))?;
    let (mut batch, mut rejected) = (Vec::new(), Vec::new());
    for (index, entry) in entries.into_iter().enumerate() {
        match judge(entry, now) {
            Ok(kept) => batch.push(kept),
            Err((code, reason, found)) => rejected.push(json!({"index": index, "code": code.0, "reason": reason, "found": found})),
        }
    }
    if batch.is_empty() && !rejected.is_empty() {
        let refusal = Refusal::unusable("all scores were rejected: `rejected` lists the reasons");
        return Err(Refusal { rejected, ..refusal }.help("`docs/serving.md` describes the format; `index` counts entries from 0"));
    }
    let (accepted, unplaced) = (batch.len(), batch.iter().filter(|kept| kept.component.is_none()).count());
    if accepted > 0 {
        served.journal().append(batch, now).map_err(refused)?;
    }
    Ok((StatusCode::ACCEPTED, Json(json!({"accepted": accepted, "unplaced": unplaced, "rejected": rejected}))))
}

/// The entry to store, or why it is rejected.
fn judge(entry: ScoreEntry, now: Time) -> Result<Kept, (Code, String, String)> {
    let score = entry.read.map_err(|refusal| (refusal.code, refusal.reason.to_string(), refusal.found))?;
    if score.time > now.plus(MAX_SKEW) {
        let reason = format!("`time` is more than {} ahead of the server's clock", Time::describe(MAX_SKEW));
        return Err((Code::SIGNAL_TIME, reason, format!("`time` is {}, the server's clock shows {now}", score.time)));
    }
    let written = entry.written.unwrap_or_default();
    let mut line: Map<String, Value> =
        KEYS.iter().filter_map(|key| Some(((*key).to_owned(), written.get(*key).filter(|value| !value.is_null())?.clone()))).collect();
    line.insert("received".to_owned(), json!(now));
    Ok(Kept { received: now, time: score.time, component: score.component, line: Value::Object(line).to_string() })
}

fn refused(refused: Refused) -> Refusal {
    match refused {
        Refused::Full => Refusal::new(
            StatusCode::INSUFFICIENT_STORAGE,
            Code::JOURNAL,
            format!("the journal is full: it contains {} MiB of scores younger than {}", MAX_JOURNAL >> 20, Time::describe(KEEP)),
        )
        .help("send scores less often, or only anomalous ones; nothing from this request was stored"),
        Refused::Broken(reason) => {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::JOURNAL, format!("cannot write the journal: {reason}"))
                .help("nothing from this request was stored: fix the disk and send it again; restart the server if the error persists")
        }
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
    let (component, since) = wanted(served, query)?;
    let journal = served.journal();
    let fits = |kept: &&Kept| kept.time >= since && component.is_none_or(|one| kept.component == Some(one));
    let lines: Vec<&str> = journal.kept().rev().filter(fits).take(MAX_LISTED).map(|kept| kept.line.as_str()).collect();
    let left = journal.kept().filter(fits).count() - lines.len();
    let scores: Vec<Value> = lines.into_iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    Ok(Json(json!({"scores": scores, "left_off": left})))
}

fn wanted(served: &AppState, query: &BTreeMap<String, String>) -> Result<(Option<ComponentId>, Time), Refusal> {
    const KNOWN: [&str; 2] = ["component", "since"];
    if let Some(other) = query.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        let help = nearest(other, KNOWN).map_or_else(|| "known keys: component, since".to_owned(), |near| did_you_mean(near).into());
        return Err(Refusal::request(format!("unknown key `{other}`")).help(help));
    }
    let estate = Arc::clone(&served.project().estate);
    let component = match query.get("component") {
        Some(name) => Some(estate.find_named(name).ok_or_else(|| {
            let help = nearest(name, estate.ids().map(|id| estate.component(id).id.as_str()));
            let help = help.map_or_else(|| "use an id or a unique name from the topology".to_owned(), |near| did_you_mean(near).into());
            Refusal::new(StatusCode::NOT_FOUND, Code::UNKNOWN_COMPONENT, format!("the topology has no component `{name}`")).help(help)
        })?),
        None => None,
    };
    let since = match query.get("since") {
        Some(text) => super::request::time(text)?,
        None => Time::MIN,
    };
    Ok((component, since))
}
