//! For those who operate the server: health, readiness, reload.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use diag::{Code, Text, errors};

use super::asked::{Asked, Sent};
use super::models::ModelsState;
use super::refusal::Refusal;
use super::reload::ReloadState;
use super::reply::Json;
use super::request::spawn_blocking;
use super::settings::SettingsState;
use super::{AppState, News};

/// `GET /-/healthy`, `/healthz`: the process answers.
pub async fn healthy() -> Json {
    Json(json!({"status": "ok"}))
}

/// `GET /-/ready`: signals are kept and diagnosed by rules without errors. 503 if not, with the reason: a start with a broken tree, or a
/// disk that fails.
pub async fn ready(State(served): State<Arc<AppState>>) -> Response {
    let (state, settings, models) = (served.reloader.state(), settings(&served), served.models.state());
    let broken = served.live.broken().map(|why| format!("cannot write the journal: {why}"));
    let wrong = broken.or_else(|| (state.errors > 0).then(|| in_error(&served, state.errors)));
    match wrong {
        None => Json(json!({"status": "ready", "reload": state, "settings": settings, "models": models})).into_response(),
        Some(why) => {
            let answer = json!({"status": "not ready", "reason": why, "reload": state, "settings": settings, "models": models});
            (StatusCode::SERVICE_UNAVAILABLE, Json(answer)).into_response()
        }
    }
}

/// What is in error of the rules in use: the first, with its place.
fn in_error(served: &AppState, count: usize) -> String {
    let first = super::reload::errors(&served.project()).into_iter().next().unwrap_or_default();
    let more = if count > 1 { format!("; and {} more", count - 1) } else { String::new() };
    format!("the rules in use have {}: {first}{more}", errors(count))
}

/// The state of the settings, of the tokens and of the certificate.
pub fn settings(served: &AppState) -> SettingsState {
    let mut state = served.settings.state();
    let others = [served.guard.refused(), served.tls.as_ref().and_then(|tls| tls.refused())];
    state.refused.extend(others.iter().flatten().map(ToString::to_string));
    state
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
            let why = format!("the settings have {} and are not used: {}", errors(settings.refused.len()), settings.refused.join("; "));
            return Err(refused(why).help("mend `server.yaml`, or the file that is named; the settings in use stay until it has no errors"));
        }
        if !models.refused.is_empty() {
            let why = format!("{} models cannot be used: {}", models.refused.len(), models.refused.join("; "));
            return Err(refused(why).help("fit them again, or take them out of the folder; the models in use stay until all can be read"));
        }
        Ok(Json(json!({"status": "ok", "reload": state, "settings": settings, "models": models})))
    })
    .await
}

/// Loads project, settings, models, tokens and certificate now; one that cannot be used does not keep the others.
fn load(served: &AppState, accept_missing: bool) -> (Result<ReloadState, Text>, SettingsState, ModelsState) {
    look(served, true);
    (served.reloader.reload(accept_missing), settings(served), served.models.state())
}

/// Takes over what has changed of the tokens, the certificate, the models and the settings, and says so.
pub fn look(served: &AppState, asked: bool) {
    let (tokens, certificate) = (served.guard.look().map(News::Wrong), served.tls.as_ref().and_then(|tls| tls.look()));
    for said in tokens.into_iter().chain(certificate).chain(served.models.look(asked)) {
        (served.say)(&said);
    }
    // The last: it may wait for a notice that is being sent.
    if let Some(said) = served.settings.look(served, asked) {
        (served.say)(&said);
    }
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
