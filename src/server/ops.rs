//! For those who operate the server: health, readiness, reload.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use diag::Code;

use super::AppState;
use super::refusal::Refusal;
use super::reply::Json;
use super::request::spawn_blocking;

/// `GET /-/healthy`, `/healthz`: the process answers.
pub async fn healthy() -> Json {
    Json(json!({"status": "ok"}))
}

/// `GET /-/ready`: signals are kept and diagnosed by rules without errors. 503 if not, with the reason: a start with a broken tree, or a
/// disk that fails.
pub async fn ready(State(served): State<Arc<AppState>>) -> Response {
    let state = served.reloader.state();
    let broken = served.live.broken().map(|why| format!("cannot write the journal: {why}"));
    let wrong = broken.or_else(|| (state.errors > 0).then(|| format!("the rules in use have {} errors", state.errors)));
    match wrong {
        None => Json(json!({"status": "ready", "reload": state})).into_response(),
        Some(why) => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "not ready", "reason": why, "reload": state}))).into_response()
        }
    }
}

/// `POST /-/reload`: loads the project now. 200 once it is in use or as it was, 500 with the reason if it has errors.
pub async fn reload(State(served): State<Arc<AppState>>) -> Result<Json, Refusal> {
    spawn_blocking(move || match served.reloader.reload() {
        Ok(state) => Ok(Json(json!({"status": "ok", "reload": state}))),
        Err(why) => Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, Code::REQUEST, why.to_string())
            .help("run `faultscope check` in the project; the rules in use stay until the tree has no errors")),
    })
    .await
}

/// SIGHUP: loads the project now. What comes of it, `/-/ready` tells.
#[cfg(unix)]
pub async fn reload_on_hangup(served: Arc<AppState>) {
    // Without a handler, `POST /-/reload` remains.
    let Ok(mut hangup) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()) else { return };
    while hangup.recv().await.is_some() {
        let shared = Arc::clone(&served);
        drop(tokio::task::spawn_blocking(move || drop(shared.reloader.reload())));
    }
}
