//! Notifications: their settings in `server.yaml`, and `GET /api/v1/notifications`.

use std::path::Path;
use std::sync::Arc;

use axum::extract::State;
use serde_json::json;

use diag::{Diagnostic, Sources};
use live::Live;
use notices::{Notifier, Settings};
use value::yaml::parse;

use super::AppState;
use super::config::{FILE as SETTINGS, folder_of};
use super::refusal::Refusal;
use super::reply::Json;
use super::request::spawn_blocking;

/// The largest such file, in bytes.
const MAX_SETTINGS: u64 = 1 << 20;

/// What the section `notify` says, and what is wrong with it.
#[derive(Debug, Default)]
pub struct NoticeSettings {
    pub settings: Settings,
    pub sources: Sources,
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the section in a file of settings. Without the file or the section nobody is told.
///
/// # Errors
/// A file that cannot be read.
pub fn notice_settings(path: &Path) -> Result<NoticeSettings, Box<Diagnostic>> {
    let mut read = NoticeSettings::default();
    let Some(bytes) = files::try_read(path, SETTINGS, MAX_SETTINGS)? else { return Ok(read) };
    let source = read.sources.add(SETTINGS, files::text(bytes, SETTINGS)?);
    match parse(&read.sources, source) {
        Ok(tree) => {
            if let Some(section) = tree.get("notify") {
                (read.settings, read.diagnostics) = Settings::read(&read.sources, section, folder_of(path));
            }
        }
        Err(error) => read.diagnostics.push(*error),
    }
    Ok(read)
}

/// What is wrong with settings, in one line with its place.
pub(super) fn shown(sources: &Sources, wrong: &Diagnostic) -> String {
    let place = wrong.place.map_or_else(String::new, |place| format!("{}: ", sources.describe(place)));
    format!("{place}{}: {}", wrong.code, wrong.message)
}

/// Starts to tell people. What is wrong with the settings is added to `warnings`; the rest of them is used.
pub(super) fn start(path: &Path, live: &Arc<Live>, data: &Path, warnings: &mut Vec<String>) -> Result<Notifier, Box<Diagnostic>> {
    let read = notice_settings(path)?;
    warnings.extend(read.diagnostics.iter().map(|wrong| shown(&read.sources, wrong)));
    let (notifier, said) = Notifier::start(read.settings, Arc::clone(live) as Arc<dyn notices::Source>, data)?;
    warnings.extend(said.iter().map(ToString::to_string));
    Ok(notifier)
}

/// `GET /api/v1/notifications`: for each channel the last success, the last failure with its reason, what waits and what was given up.
pub async fn list(State(served): State<Arc<AppState>>) -> Result<Json, Refusal> {
    spawn_blocking(move || Ok(Json(json!(served.notifier.state())))).await
}
