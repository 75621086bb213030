//! Notifications: their start, and `GET /api/v1/notifications`.

use std::path::Path;
use std::sync::Arc;

use axum::extract::State;
use serde_json::json;

use diag::{Diagnostic, Sources};
use live::Live;
use notices::{Notifier, Settings};

use super::AppState;
use super::refusal::Refusal;
use super::reply::Json;
use super::request::spawn_blocking;

/// What is wrong with settings, in one line with its place.
pub(super) fn shown(sources: &Sources, wrong: &Diagnostic) -> String {
    let place = wrong.place.map_or_else(String::new, |place| format!("{}: ", sources.describe(place)));
    format!("{place}{}: {}", wrong.code, wrong.message)
}

/// Starts to tell people. What is wrong with what was not told yet is added to `warnings`.
pub(super) fn start(settings: Settings, live: &Arc<Live>, data: &Path, warnings: &mut Vec<String>) -> Result<Notifier, Box<Diagnostic>> {
    let (notifier, said) = Notifier::start(settings, Arc::clone(live) as Arc<dyn notices::Source>, data)?;
    warnings.extend(said.iter().map(ToString::to_string));
    Ok(notifier)
}

/// `GET /api/v1/notifications`: for each channel the last success, the last failure with its reason, what waits and what was given up.
pub async fn list(State(served): State<Arc<AppState>>) -> Result<Json, Refusal> {
    spawn_blocking(move || Ok(Json(json!(served.notifier.state())))).await
}
