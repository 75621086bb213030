//! `faultscope serve`.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use super::context::{ProjectArgs, load_project};
use super::locale::language;
use super::output::{Failure, Outcome, say, warn};
use super::{Lang, OK};
use diag::{Code, Diagnostic, Sources, one_line, render, text};
use localize::Diagnosis;
use server::{AppState, Config, Extent, News, serve, set_damage_aside};
use words::Writer;

/// Where the server listens if nothing else is said.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7400);

/// The folder of the server's data in a project.
const DATA: &str = ".faultscope";

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    files: FileArgs,
    /// Address and port to listen on; port 0 takes a free one [default: `listen` of the settings, or 127.0.0.1:7400]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Folder with models written by `faultscope anomaly fit`, one NAME.json each
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
    /// Listen on an address that others can reach, although there are no tokens
    #[arg(long)]
    insecure_open: bool,
    /// Go on without what is damaged in the journal: the damaged bytes are moved to files beside it
    #[arg(long)]
    accept_damage: bool,
}

/// The files of a server.
#[derive(Debug, clap::Args)]
pub struct FileArgs {
    /// Settings of the server [default: `server.yaml` in the project]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder for what the server keeps: journals, tokens, audit [default: `data` of the settings, or `.faultscope` in the project]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl FileArgs {
    /// The settings, and the data folder. Settings with an error are not used at all.
    pub fn read(&self, root: &Path) -> Result<(Config, PathBuf), Failure> {
        let mut sources = Sources::default();
        let (config, found) = Config::load(root, self.config.as_deref(), &mut sources)?;
        let shown = render(&sources, &found, false, language() == Lang::Zh);
        if found.iter().any(Diagnostic::is_error) {
            return Err(Failure::Shown(shown.trim_end().to_owned()));
        }
        if !shown.is_empty() {
            say(shown.trim_end());
        }
        let data = self.data.clone().or_else(|| config.data.clone()).unwrap_or_else(|| root.join(DATA));
        Ok((config, data))
    }
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    let project = load_project(&args.project, Path::new("."))?;
    let root = project.root.clone();
    let (config, data) = args.files.read(&root)?;
    let wanted = args.listen.or(config.listen).unwrap_or(LISTEN);
    let is_open = !wanted.ip().to_canonical().is_loopback();
    // Before anything is opened or changed.
    if is_open && !args.insecure_open && config.token_file(&data).read()?.is_none() {
        return Err(open_to_all(wanted));
    }
    if args.accept_damage {
        set_damage_aside(&data)?.into_iter().for_each(warn);
    }
    let (served, warnings) = AppState::new(project, &data, args.models.as_deref(), &config, (tell, report))?;
    for warning in warnings {
        warn(warning);
    }
    let listener = TcpListener::bind(wanted).map_err(|error| cannot_listen(wanted, &error))?;
    let address = listener.local_addr()?;
    if is_open && !served.asks_for_tokens() {
        warn("no authentication: anyone who can reach this address can read diagnoses, send signals and change incidents");
    } else if is_open && !served.is_encrypted() {
        warn(
            "no encryption: whoever listens on the network can read tokens; set `tls` in `server.yaml`, or encrypt in front of the server",
        );
    }
    let models = served.models();
    let models = if models.is_empty() { "none".to_owned() } else { models.join(", ") };
    let scheme = if served.is_encrypted() { "https" } else { "http" };
    writeln!(out, "listening on {scheme}://{address}  project {}  models: {models}  scores kept: {}", root.display(), served.kept())?;
    out.flush()?;
    serve(listener, served)?;
    writeln!(out, "stopped")?;
    Ok(OK)
}

/// Says what happened, on standard error.
fn tell(news: &News) {
    match news {
        News::Done(what) => say(&one_line(&what.shown(language() == Lang::Zh))),
        News::Wrong(what) => warn(what.clone()),
    }
}

/// A diagnosis as `diagnose` prints it.
fn report(diagnosis: &Diagnosis, writer: Writer<'_>, extent: Extent, markdown: bool) -> String {
    match extent {
        Extent::Screen => super::screen::report(diagnosis, writer, markdown, "?full=true"),
        Extent::Full => super::text::diagnosis(diagnosis, writer, markdown),
    }
}

fn open_to_all(address: SocketAddr) -> Failure {
    Failure::new(Code::LISTEN, text!("others can reach `{}`, and there are no tokens", address))
        .help("make one with `faultscope token add NAME --role ROLE`, or listen on `127.0.0.1`; `--insecure-open` listens all the same")
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> Failure {
    let message = text!("cannot listen on `{}`: {}", address, error);
    Failure::from(Box::new(Diagnostic::nowhere(Code::LISTEN, message).help("choose another address with `--listen ADDRESS:PORT`")))
}
