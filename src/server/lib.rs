//! `faultscope serve`: the same answers over HTTP, and a place where models of others leave their scores.
//!
//! One project, loaded at the start and never changed: who changes a file starts the server anew. The only thing that the server
//! writes is the journal of received scores. A request that is refused has changed nothing.

mod diagnose;
mod journal;
#[cfg(test)]
mod journal_tests;
mod predict;
mod refusal;
mod scores;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use anomaly::Model;
use diag::{Code, Diagnostic};
use project::Project;
use value::Time;

pub use journal::{FILE, Journal, KEEP, Kept, MAX_JOURNAL, Refused};
pub use refusal::Refusal;

/// Diagnoses made at once: each takes a core and the memory of its signals; further ones wait.
const MAX_DIAGNOSES: usize = 2;

/// How long requests under way may take to end once the server is asked to stop; then they are cut off.
const GRACE: Duration = Duration::from_secs(10);

/// What all requests share.
pub struct AppState {
    project: Project,
    journal: Mutex<Journal>,
    /// By name.
    models: BTreeMap<String, Model>,
    diagnoses: Semaphore,
}

impl AppState {
    /// Opens the journal in `data` and reads the models in `models`, if there is such a folder. What is to be said about them comes
    /// as second: lines cut off, models that cannot be read and are left out.
    ///
    /// # Errors
    /// `JOURNAL`, `UNREADABLE`: a folder that cannot be used.
    pub fn new(project: Project, data: &Path, models: Option<&Path>) -> Result<(AppState, Vec<String>), Box<Diagnostic>> {
        let (journal, said) = Journal::open(data, &project, now())?;
        let mut warnings: Vec<String> = said.into_iter().collect();
        let models = match models {
            Some(dir) => predict::load(dir, &mut warnings)?,
            None => BTreeMap::new(),
        };
        Ok((AppState { project, journal: Mutex::new(journal), models, diagnoses: Semaphore::new(MAX_DIAGNOSES) }, warnings))
    }

    /// Names of the models, in order.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        self.models.keys().map(String::as_str)
    }

    /// How many received scores are kept.
    pub fn kept(&self) -> usize {
        self.journal().len()
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        // Whoever stopped while holding it left it as it is on disk: its fields change only after the disk has.
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until the process is asked to stop (SIGINT, SIGTERM); requests under way are answered first.
pub fn serve(listener: TcpListener, served: AppState) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(run(listener, served));
    runtime.shutdown_timeout(GRACE);
    outcome
}

async fn run(listener: TcpListener, served: AppState) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (stopping, asked) = tokio::sync::oneshot::channel::<()>();
    let serving = axum::serve(listener, router(Arc::new(served))).with_graceful_shutdown(async move {
        asked_to_stop().await;
        // Nobody waits for it any more if the serving has ended by itself.
        let _ = stopping.send(());
    });
    let cut_off = async {
        match asked.await {
            Ok(()) => tokio::time::sleep(GRACE).await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        outcome = serving.into_future() => outcome,
        () = cut_off => Ok(()),
    }
}

/// Ends when the process is asked to stop. A signal that cannot be listened for never comes.
async fn asked_to_stop() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending::<()>().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}

fn router(served: Arc<AppState>) -> Router {
    Router::new()
        .route("/healthz", get(healthy))
        .route("/api/v1", get(addresses))
        .route("/api/v1/scores", get(scores::list).post(scores::receive).layer(DefaultBodyLimit::max(scores::MAX_BODY)))
        .route("/api/v1/diagnose", post(diagnose::diagnose).layer(DefaultBodyLimit::max(diagnose::MAX_BODY)))
        .route("/api/v1/predict", get(predict::one).post(predict::several).layer(DefaultBodyLimit::max(predict::MAX_BODY)))
        .fallback(nowhere)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(served)
}

/// What there is, for who looks.
async fn addresses() -> Json<Value> {
    Json(json!({
        "POST /api/v1/diagnose": "signals of an incident in, the diagnosis out, as `faultscope diagnose --format json` writes it",
        "POST /api/v1/scores": "scores of your own model, kept for later diagnoses",
        "GET /api/v1/scores": "the scores kept; ?component= and ?since= narrow them",
        "GET /api/v1/predict": "what a fitted model says of one row: ?model=NAME&COLUMN=VALUE",
        "POST /api/v1/predict": "the same for several rows",
        "GET /healthz": "whether the server runs",
    }))
}

async fn healthy() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

async fn nowhere(uri: Uri) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, Code::NO_ADDRESS, format!("there is no `{}` here", uri.path()))
        .help("`GET /api/v1` lists what there is")
}

async fn method_not_allowed(method: Method, uri: Uri) -> Refusal {
    let message = format!("`{}` does not take {method}", uri.path());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, Code::METHOD, message).help("`GET /api/v1` lists what there is")
}

/// Refuses bodies of other kinds: a page in somebody's browser may send a form or plain text anywhere, but no JSON.
fn accepts(headers: &HeaderMap, kinds: &[&str]) -> Result<(), Refusal> {
    let given = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("");
    let kind = given.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if kinds.contains(&kind.as_str()) {
        return Ok(());
    }
    let found = if kind.is_empty() { "the request does not say what its body is".to_owned() } else { format!("`{kind}` is not read here") };
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::BODY_TYPE, found)
        .help(format!("send the header `content-type: {}`", kinds.join("` or `"))))
}

/// The whole body, or why there is none.
fn body(sent: Result<Bytes, BytesRejection>, limit: usize) -> Result<Bytes, Refusal> {
    sent.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            let message = format!("the body is larger than {} MiB", limit >> 20);
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, Code::BODY_SIZE, message).help("send it in several requests, or less of it")
        } else {
            Refusal::request(format!("the body could not be received: {}", rejection.body_text()))
        }
    })
}

/// Runs what computes, or waits for a disk or another server, where it keeps no other request waiting.
async fn spawn_blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Refusal> + Send + 'static) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Refusal::broken("internal error while handling the request").help("please report it with the request")),
    }
}

/// An instant as the command line takes it.
fn time(text: &str) -> Result<Time, Refusal> {
    Time::parse(text).ok_or_else(|| {
        Refusal::request(format!("invalid time `{text}`")).help("use RFC 3339, like `2025-06-01T10:00:00Z`; in an address, `+` is `%2B`")
    })
}

fn now() -> Time {
    Time(jiff::Timestamp::now().as_millisecond())
}
