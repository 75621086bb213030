//! For those who operate the server: health, readiness, reload.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use diag::{Code, Text};

use super::AppState;
use super::asked::{Asked, Sent};
use super::models::ModelsState;
use super::refusal::Refusal;
use super::reload::ReloadState;
use super::reply::Json;
use super::request::spawn_blocking;
use super::settings::SettingsState;

/// `GET /-/healthy`, `/healthz`: the process answers.
pub async fn healthy() -> Json {
    Json(json!({"status": "ok"}))
}

/// `GET /-/ready`: signals are kept and diagnosed by rules without errors. 503 if not, with the reason: a start with a broken tree, or a
/// disk that fails.
pub async fn ready(State(served): State<Arc<AppState>>) -> Response {
    let (state, settings, models) = (served.reloader.state(), served.settings.state(), served.models.state());
    let broken = served.live.broken().map(|why| format!("cannot write the journal: {why}"));
    let wrong = broken.or_else(|| (state.errors > 0).then(|| format!("the rules in use have {} errors", state.errors)));
    match wrong {
        None => Json(json!({"status": "ready", "reload": state, "settings": settings, "models": models})).into_response(),
        Some(why) => {
            let answer = json!({"status": "not ready", "reason": why, "reload": state, "settings": settings, "models": models});
            (StatusCode::SERVICE_UNAVAILABLE, Json(answer)).into_response()
        }
    }
}

/// `POST /-/reload?accept_missing=`: loads the project, the settings and the models now. 200 once they are in use or as they were, 500 with
/// the reason if they have errors.
pub async fn reload(State(served): State<Arc<AppState>>, query: Sent) -> Result<Json, Refusal> {
    let asked = Asked::of(query, &["accept_missing"])?;
    let accept_missing = asked.choice("accept_missing", &[("true", true), ("false", false)])?.unwrap_or(false);
    spawn_blocking(move || {
        let (loaded, settings, models) = load(&served, accept_missing);
        let refused = |why: String| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, Code::REQUEST, why);
        let state = loaded.map_err(|why| {
            refused(why.to_string()).help("run `faultscope check` in the project; the rules in use stay until the tree has no errors")
        })?;
        if !settings.refused.is_empty() {
            let why = format!("the settings have {} errors and are not used: {}", settings.refused.len(), settings.refused.join("; "));
            return Err(refused(why).help("mend `server.yaml`; the settings in use stay until it has no errors"));
        }
        if !models.refused.is_empty() {
            let why = format!("{} models cannot be used: {}", models.refused.len(), models.refused.join("; "));
            return Err(refused(why).help("fit them again, or take them out of the folder; the models in use stay until all can be read"));
        }
        Ok(Json(json!({"status": "ok", "reload": state, "settings": settings, "models": models})))
    })
    .await
}

/// Loads project, settings and models now; one that cannot be used does not keep the others.
fn load(served: &AppState, accept_missing: bool) -> (Result<ReloadState, Text>, SettingsState, ModelsState) {
    for said in served.settings.look(served, true).into_iter().chain(served.models.look(true)) {
        (served.say)(&said);
    }
    (served.reloader.reload(accept_missing), served.settings.state(), served.models.state())
}

/// SIGHUP: loads the project, the settings and the models now. What comes of it, `/-/ready` tells.
#[cfg(unix)]
pub async fn reload_on_hangup(served: Arc<AppState>) {
    // Without a handler, `POST /-/reload` remains.
    let Ok(mut hangup) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()) else { return };
    while hangup.recv().await.is_some() {
        let shared = Arc::clone(&served);
        drop(tokio::task::spawn_blocking(move || drop(load(&shared, false))));
    }
}
