//! `POST /api/v1/diagnose`: takes the signals of an incident and returns the diagnosis.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use serde_json::value::RawValue;

use diag::{did_you_mean, nearest};
use estate::parse_duration;
use project::{Options, bundle_of_text};
use signal::{BundleText, FileText, ScoreFrame};

use super::AppState;
use super::refusal::Refusal;
use super::request::{accepts, body, time};
use super::turns::Size;

/// The largest body, in bytes. An hour of ten thousand series with one sample a minute takes a fifth of it. Use a bundle for more.
pub const MAX_BODY: usize = 64 << 20;

/// The keys of a body, each with the bundle file of the same format.
const PARTS: &[(&str, &str)] = &[
    ("alerts", "alerts.json"),
    ("metrics", "metrics.json"),
    ("baseline", "baseline.json"),
    ("logs", "logs.json"),
    ("events", "events.ndjson"),
    ("scores", "scores.json"),
];

/// The file name of received scores in a diagnosis.
const RECEIVED: &str = "received scores";

type Response = ([(HeaderName, &'static str); 1], Vec<u8>);

/// Returns the bytes that `faultscope diagnose --format json` prints for a bundle of these files.
pub async fn diagnose(
    State(served): State<Arc<AppState>>,
    headers: HeaderMap,
    sent: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    accepts(&headers, &["application/json"])?;
    let bytes = body(sent, MAX_BODY)?;
    let shared = Arc::clone(&served);
    let text = served.turns.run(Size::of(bytes.len()), move || answer(&shared, &bytes)).await?;
    Ok(([(CONTENT_TYPE, "application/json")], text))
}

fn answer(served: &AppState, bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
    let (text, options) = read(bytes)?;
    let project = served.project();
    let bundle = bundle_of_text(&project, Path::new("the request"), &text, options);
    let mut bundle = bundle.map_err(|diagnostic| {
        let refusal = Refusal::of(StatusCode::UNPROCESSABLE_ENTITY, &diagnostic);
        if refusal.help.is_some() { refusal } else { refusal.help("send signals in at least one of `alerts`, `metrics`, `logs`, `events`") }
    })?;
    let (since, at) = (bundle.at.minus(bundle.lookback), bundle.at);
    let scores = served.live.scores();
    let joining = scores.iter().filter(|score| score.time > since && score.time <= at);
    let received: String = joining.flat_map(|score| [score.line.as_str(), "\n"]).collect();
    if !received.is_empty() {
        bundle.add_scores(RECEIVED, received.as_bytes(), &ScoreFrame::default());
    }
    bundle.ask_scorers();
    let answer = serde_json::to_string_pretty(&bundle.diagnose()).map_err(|error| Refusal::broken(error.to_string()))?;
    // The same bytes as `diagnose --format json`: control characters as escapes, which JSON reads as the same text.
    Ok(format!("{}\n", diag::visible(&answer)).into_bytes())
}

/// The body as files of a bundle, and the options.
fn read(bytes: &[u8]) -> Result<(BundleText, Options), Refusal> {
    let mut said: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(bytes).map_err(|error| {
        Refusal::request(format!("the body is not a JSON object: {error}"))
            .help("send an object like {\"alerts\": […], \"metrics\": {…}, \"window\": \"30m\"}")
    })?;
    said.retain(|_, value| value.get() != "null");
    let known: Vec<&str> = PARTS.iter().map(|(key, _)| *key).chain(["at", "window"]).collect();
    if let Some(other) = said.keys().find(|key| !known.contains(&key.as_str())) {
        let help = nearest(other, known.iter().copied())
            .map_or_else(|| format!("known keys: {}", known.join(", ")), |near| did_you_mean(near).into());
        return Err(Refusal::unusable(format!("unknown key `{other}`")).help(help));
    }
    let at = word(&said, "at")?.map(|text| time(&text)).transpose()?;
    let lookback = match word(&said, "window")? {
        Some(text) => Some(parse_duration(&text).ok_or_else(|| {
            Refusal::unusable(format!("invalid duration `{text}`")).help("use a number and a unit, like `90m` or `1h30m`")
        })?),
        None => None,
    };
    let mut files: BTreeMap<&str, FileText> = PARTS
        .iter()
        .filter_map(|(key, file)| Some((*key, ((*file).to_owned(), String::from(Box::<str>::from(said.remove(*key)?)).into_bytes()))))
        .collect();
    let mut part = |key: &str| files.remove(key);
    let text = BundleText {
        alerts: part("alerts"),
        metrics: part("metrics"),
        baseline: part("baseline"),
        logs: part("logs"),
        events: part("events"),
        scores: part("scores").into_iter().collect(),
        ..BundleText::default()
    };
    Ok((text, Options { at, lookback }))
}

fn word(said: &BTreeMap<String, Box<RawValue>>, key: &str) -> Result<Option<String>, Refusal> {
    let Some(value) = said.get(key) else { return Ok(None) };
    let text = serde_json::from_str(value.get());
    text.map(Some)
        .map_err(|_| Refusal::unusable(format!("`{key}` must be a string, not `{}`", value.get().chars().take(40).collect::<String>())))
}
