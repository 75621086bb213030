//! `faultscope serve`: takes alerts, metrics, logs and traces from the tools that send them, and answers what is broken.
//!
//! `ingest` hands what arrives to package `live`; `reload` follows the files of the project; the other modules answer questions from what
//! the live part publishes. A request that is refused changes nothing.

mod access;
mod alertmanager;
mod asked;
mod audit;
mod bodies;
mod components;
mod config;
mod confirm;
mod diagnose;
mod events;
mod guard;
mod incidents;
mod ingest;
mod listen;
mod matchers;
mod metrics;
mod models;
mod notifications;
mod old_scores;
mod openapi;
mod ops;
mod page;
mod predict;
mod pull;
mod queries;
mod refusal;
mod reload;
mod reply;
mod request;
mod rules;
mod scores;
mod settings;
mod signals;
mod tls;
mod tokens;
mod turns;

use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::sync::watch;

use diag::{Code, Diagnostic, Text, text};
use live::{Backlog, Live, Options, Revision, held};
use localize::Diagnosis;
use project::Project;
use pull::Puller;
use value::Time;
use words::Writer;

pub use config::{Config, Limits, Secret, TlsFiles, secret};
use guard::Guard;
pub use live::set_damage_aside;
use models::ModelFolder;
pub use refusal::Refusal;
use reload::Reloader;
pub use request::now;
use settings::SettingsFile;
use tls::Tls;
pub use tokens::{Role, Token, TokenFile};
use turns::Turns;

/// Requests of senders that wait to be read at most, in each of the two lanes, and the bytes of their bodies.
const MAX_WAITING: usize = 10_000;
const MAX_WAITING_BYTES: usize = 128 << 20;

const SCORES: &str = "/api/v1/scores";

/// How often the files of tokens, certificates, models and settings are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What is left of the time to stop, once requests have had theirs: to write what was handed over.
const LAST: Duration = Duration::from_secs(2);

/// The state that all requests share.
pub struct AppState {
    live: Arc<Live>,
    notifier: notices::Notifier,
    reloader: Arc<Reloader>,
    settings: SettingsFile,
    puller: Mutex<Puller>,
    models: ModelFolder,
    turns: Turns,
    guard: Guard,
    tls: Option<Arc<Tls>>,
    limits: Limits,
    /// True once the server has been asked to stop.
    stopping: watch::Sender<bool>,
    /// Says something to whoever runs the server.
    say: fn(&News),
    /// Writes a diagnosis for people.
    report: Report,
    started: Time,
}

/// Something to say to whoever runs the server.
#[derive(Debug)]
pub enum News {
    Done(Text),
    /// It is not as it should be.
    Wrong(Text),
}

/// Writes a diagnosis: the first screen or all of it, as text or Markdown.
pub type Report = fn(&Diagnosis, Writer<'_>, Extent, bool) -> String;

/// How much of a diagnosis a report has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The first screen, and how to get all of it.
    Screen,
    Full,
}

impl AppState {
    /// Opens the journal in `data`, takes the signals that it holds, and reads the models in `models`, if given. Also returns warnings:
    /// about what was repaired there, and about models that cannot be read and are skipped.
    ///
    /// # Errors
    /// `JOURNAL`, `JOURNAL_DAMAGED`, `UNREADABLE`, `UNWRITABLE`: a folder that cannot be used. `TOKENS`, `TLS`: files that cannot.
    pub fn new(
        project: Project,
        data: &Path,
        models: Option<&Path>,
        config: &Config,
        (say, report): (fn(&News), Report),
    ) -> Result<(AppState, Vec<String>), Box<Diagnostic>> {
        let tls = config.tls.clone().map(Tls::open).transpose()?.map(Arc::new);
        let unusable =
            |error: std::io::Error| Box::new(Diagnostic::nowhere(Code::JOURNAL, text!("cannot use `{}`: {}", data.display(), error)));
        std::fs::create_dir_all(data).map_err(unusable)?;
        let mut warnings: Vec<String> =
            old_scores::adopt(data, &project, (config.retention, config.keep.scores), now())?.iter().map(ToString::to_string).collect();
        let guard = Guard::new(config, data)?;
        let models = ModelFolder::open(models)?;
        warnings.extend(models.state().refused.iter().map(|why| format!("skipped a model: {why}")));
        let revision = Revision { digest: project.digest(), project: Arc::new(project), loaded: now() };
        let options = Options {
            data: data.to_path_buf(),
            retention: config.retention,
            keep: config.keep,
            backlog: Backlog { requests: MAX_WAITING, bytes: MAX_WAITING_BYTES },
            clock: now,
        };
        let (live, said) = Live::start(revision, options)?;
        warnings.extend(said.iter().map(ToString::to_string));
        let live = Arc::new(live);
        let notifier = notifications::start(config.notify.clone(), &live, data, &mut warnings)?;
        let reloader = Reloader::start(Arc::clone(&live), now, say);
        let (settings, puller) = (SettingsFile::new(config), Mutex::new(Puller::start(&config.pull, &live)));
        let (turns, limits, (stopping, _)) = (Turns::new(&config.limits), config.limits, watch::channel(false));
        let started = now();
        let served =
            AppState { live, notifier, reloader, settings, puller, models, turns, guard, tls, limits, stopping, say, report, started };
        Ok((served, warnings))
    }

    /// The project in use.
    fn project(&self) -> Arc<Project> {
        Arc::clone(&self.live.active().project)
    }

    /// The names of the models, sorted.
    pub fn models(&self) -> Vec<String> {
        self.models.state().names
    }

    /// The number of scores that the journal holds.
    pub fn kept(&self) -> usize {
        self.live.scores().len()
    }

    /// Whether requests need a token.
    pub fn asks_for_tokens(&self) -> bool {
        self.guard.asks_for_tokens()
    }

    /// Whether connections are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }
}

/// Serves until the process is asked to stop (SIGINT, SIGTERM). Requests in progress are finished first, within the time that the limits
/// give.
pub fn serve(listener: TcpListener, served: AppState) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = Arc::new(served);
    let asked = runtime.block_on(run(listener, Arc::clone(&served)))?;
    let deadline = asked + served.limits.grace;
    runtime.shutdown_timeout(deadline.saturating_duration_since(Instant::now()).min(LAST / 2));
    served.guard.close();
    let (done, stopped) = std::sync::mpsc::channel();
    let stopping = std::thread::spawn(move || {
        served.reloader.stop();
        held(&served.puller).stop();
        served.notifier.stop();
        served.live.stop();
        // Nobody waits for it any more after the deadline.
        let _ = done.send(());
    });
    if stopped.recv_timeout(deadline.saturating_duration_since(Instant::now()).max(LAST / 2)).is_ok() {
        // It has ended.
        let _ = stopping.join();
    }
    Ok(())
}

/// Serves, and returns when it was asked to stop.
async fn run(listener: TcpListener, served: Arc<AppState>) -> std::io::Result<Instant> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    #[cfg(unix)]
    tokio::spawn(ops::reload_on_hangup(Arc::clone(&served)));
    let shared = Arc::clone(&served);
    tokio::spawn(async move {
        asked_to_stop().await;
        // The sender of the channel is the state, which lives until the end.
        shared.stopping.send_replace(true);
    });
    tokio::spawn(look(Arc::clone(&served)));
    let (stop, limits, tls) = (served.stopping.subscribe(), served.limits, served.tls.clone());
    let stopped = listen::serve(listener, router(served), tls, limits, stop, limits.grace.saturating_sub(LAST)).await;
    Ok(stopped.into_std())
}

/// Follows the files of tokens, certificates, models and settings.
async fn look(served: Arc<AppState>) {
    let mut every = tokio::time::interval(LOOK);
    loop {
        every.tick().await;
        let shared = Arc::clone(&served);
        let looking = tokio::task::spawn_blocking(move || {
            ops::look(&shared, false);
        });
        // It fails only if the server is going.
        let _ = looking.await;
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
    // Who sends scores is answered in a form of its own.
    let senders = ::ingest::PATHS.iter().filter(|(path, _)| *path != SCORES);
    let senders = senders.fold(Router::new(), |router, (path, _)| router.route(path, post(ingest::take)));
    let guard = from_fn_with_state(Arc::clone(&served), guard::guard);
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
        .layer(from_fn_with_state(Arc::clone(&served), reply::warn))
        .layer(guard)
        .with_state(served)
}

async fn nowhere(uri: Uri) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, Code::NO_ADDRESS, format!("unknown endpoint `{}`", uri.path()))
        .help("`GET /api/v1` lists the endpoints")
}

async fn method_not_allowed(method: Method, uri: Uri) -> Response {
    if method == Method::POST && uri.path() == "/api/v2/silences" {
        return alertmanager::no_silences().into_response();
    }
    let message = format!("`{}` does not support {method}", uri.path());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, Code::METHOD, message).help("`GET /api/v1` lists the endpoints").into_response()
}
