//! `faultscope serve`: takes alerts, metrics, logs and traces from the tools that send them, and answers what is broken.
//!
//! `ingest` hands what arrives to package `live`; `reload` follows the files of the project; the other modules answer questions from what
//! the live part publishes. A request that is refused changes nothing.

mod alertmanager;
mod asked;
mod components;
mod diagnose;
mod events;
mod incidents;
mod ingest;
mod journal;
#[cfg(test)]
mod journal_tests;
mod matchers;
mod metrics;
mod notifications;
mod openapi;
mod ops;
mod predict;
mod queries;
mod refusal;
mod reload;
mod reply;
mod request;
mod rules;
mod scores;
mod signals;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, Uri};
use axum::routing::{get, post};
use tokio::sync::Semaphore;

use anomaly::Model;
use diag::{Code, Diagnostic};
use live::{Backlog, Keep, Live, Options, Retention, Revision};
use project::Project;
use value::Time;

pub use journal::{FILE, Journal, KEEP, Kept, MAX_JOURNAL, Refused};
pub use notifications::{NoticeSettings, SETTINGS, notice_settings};
pub use refusal::Refusal;
use reload::Reloader;
pub use request::now;

/// Diagnoses that run at the same time; further ones wait. Each takes a core and the memory of its signals.
const MAX_DIAGNOSES: usize = 2;

/// Requests of senders that wait to be read at most, in each of the two lanes, and the bytes of their bodies.
const MAX_WAITING: usize = 10_000;
const MAX_WAITING_BYTES: usize = 128 << 20;

const SCORES: &str = "/api/v1/scores";

/// How long requests in progress may take after the server is asked to stop; then they are aborted.
const GRACE: Duration = Duration::from_secs(10);

/// The state that all requests share.
pub struct AppState {
    live: Arc<Live>,
    notifier: notices::Notifier,
    reloader: Arc<Reloader>,
    journal: Mutex<Journal>,
    /// By name.
    models: BTreeMap<String, Model>,
    diagnoses: Semaphore,
    started: Time,
}

impl AppState {
    /// Opens the journals in `data`, takes the signals that they hold, and reads the models in `models`, if given. Also returns warnings:
    /// about what was removed from the journals, and about models that cannot be read and are skipped.
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
        let root = project.root.clone();
        let revision = Revision { digest: project.digest(), project: Arc::new(project), loaded: now() };
        let options = Options {
            data: data.to_path_buf(),
            retention: Retention::default(),
            keep: Keep::default(),
            backlog: Backlog { requests: MAX_WAITING, bytes: MAX_WAITING_BYTES },
            clock: now,
        };
        let (live, said) = Live::start(revision, options)?;
        warnings.extend(said.iter().map(ToString::to_string));
        let live = Arc::new(live);
        let notifier = notifications::start(&root, &live, data, &mut warnings)?;
        let reloader = Reloader::start(Arc::clone(&live), now);
        let diagnoses = Semaphore::new(MAX_DIAGNOSES);
        Ok((AppState { live, notifier, reloader, journal: Mutex::new(journal), models, diagnoses, started: now() }, warnings))
    }

    /// The project in use.
    fn project(&self) -> Arc<Project> {
        Arc::clone(&self.live.active().project)
    }

    /// The names of the models, sorted.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        self.models.keys().map(String::as_str)
    }

    /// The number of stored scores.
    pub fn kept(&self) -> usize {
        self.journal().len()
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        // A poisoned journal still matches the file: its fields only change after the file has.
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until the process is asked to stop (SIGINT, SIGTERM). Requests in progress are finished first.
pub fn serve(listener: TcpListener, served: AppState) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = Arc::new(served);
    let outcome = runtime.block_on(run(listener, Arc::clone(&served)));
    runtime.shutdown_timeout(GRACE);
    served.reloader.stop();
    served.notifier.stop();
    served.live.stop();
    outcome
}

async fn run(listener: TcpListener, served: Arc<AppState>) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    #[cfg(unix)]
    tokio::spawn(ops::reload_on_hangup(Arc::clone(&served)));
    let (stopping, asked) = tokio::sync::oneshot::channel::<()>();
    let serving = axum::serve(listener, router(served)).with_graceful_shutdown(async move {
        asked_to_stop().await;
        // Fails if the server has already stopped by itself: then nothing waits for this.
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

/// Returns when the process is asked to stop. If a signal handler cannot be installed, that signal is ignored.
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
    // Scores have their own journal still; every other path of a sender is taken by the live part.
    let senders = ::ingest::PATHS.iter().filter(|(path, _)| *path != SCORES);
    let senders = senders.fold(Router::new(), |router, (path, _)| router.route(path, post(ingest::take)));
    senders
        .layer(DefaultBodyLimit::max(ingest::MAX_BODY))
        .route("/healthz", get(ops::healthy))
        .route("/-/healthy", get(ops::healthy))
        .route("/-/ready", get(ops::ready))
        .route("/-/reload", post(ops::reload))
        .route("/api/v1/diagnosis", get(queries::diagnosis))
        .route("/api/v1/incidents", get(incidents::list))
        .route("/api/v1/incidents/{id}", get(incidents::one))
        .route("/api/v1/incidents/{id}/{action}", post(incidents::act).layer(DefaultBodyLimit::max(incidents::MAX_BODY)))
        .route("/api/v1/events", get(events::events))
        .route("/api/v1/why", get(queries::why))
        .route("/api/v1/impact", get(queries::impact))
        .route("/api/v1/change", post(queries::change).layer(DefaultBodyLimit::max(queries::MAX_PLAN)))
        .route("/api/v1/estate", get(components::list))
        .route("/api/v1/estate/{*id}", get(components::one))
        .route("/api/v1/rules", get(rules::list))
        .route("/api/v1/cases", get(rules::cases))
        .route("/api/v1/signals", get(signals::list))
        .route("/api/v1/coverage", get(signals::coverage))
        .route("/api/v2/status", get(alertmanager::status))
        .route("/api/v2/alerts", get(alertmanager::alerts))
        .route("/api/v2/alerts/groups", get(alertmanager::groups))
        .route("/api/v2/receivers", get(alertmanager::receivers))
        .route("/api/v2/silences", get(alertmanager::silences))
        .route("/metrics", get(metrics::metrics))
        .route("/api/v1", get(openapi::list))
        .route("/api/v1/openapi.json", get(openapi::document))
        .route("/api/v1/notifications", get(notifications::list))
        .route(SCORES, get(scores::list).post(scores::receive).layer(DefaultBodyLimit::max(scores::MAX_BODY)))
        .route("/api/v1/diagnose", post(diagnose::diagnose).layer(DefaultBodyLimit::max(diagnose::MAX_BODY)))
        .route("/api/v1/predict", get(predict::one).post(predict::several).layer(DefaultBodyLimit::max(predict::MAX_BODY)))
        .fallback(nowhere)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(served)
}

async fn nowhere(uri: Uri) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, Code::NO_ADDRESS, format!("unknown endpoint `{}`", uri.path()))
        .help("`GET /api/v1` lists the endpoints")
}

async fn method_not_allowed(method: Method, uri: Uri) -> Refusal {
    let message = format!("`{}` does not support {method}", uri.path());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, Code::METHOD, message).help("`GET /api/v1` lists the endpoints")
}
