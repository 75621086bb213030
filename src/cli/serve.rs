//! `faultscope serve`.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use super::OK;
use super::context::{ProjectArgs, load_project};
use super::output::{Failure, Outcome, warn};
use diag::{Code, Diagnostic, text};
use server::{AppState, serve};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Address and port to listen on; port 0 takes a free one. No authentication: bind to trusted networks only
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7400")]
    listen: SocketAddr,
    /// Folder with models written by `faultscope anomaly fit`, one NAME.json each
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
    /// Folder for the journal of received scores [default: `.faultscope` in the project]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    let project = load_project(&args.project, Path::new("."))?;
    let root = project.root.clone();
    let data = args.data.clone().unwrap_or_else(|| root.join(".faultscope"));
    let (served, warnings) = AppState::new(project, &data, args.models.as_deref())?;
    for warning in warnings {
        warn(warning);
    }
    let listener = TcpListener::bind(args.listen).map_err(|error| cannot_listen(args.listen, &error))?;
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        warn("no authentication: anyone who can reach this address can read diagnoses and send scores");
    }
    let models: Vec<&str> = served.models().collect();
    let models = if models.is_empty() { "none".to_owned() } else { models.join(", ") };
    writeln!(out, "listening on http://{address}  project {}  models: {models}  scores kept: {}", root.display(), served.kept())?;
    out.flush()?;
    serve(listener, served)?;
    writeln!(out, "stopped")?;
    Ok(OK)
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> Failure {
    let message = text!("cannot listen on `{}`: {}", address, error);
    Failure::from(Box::new(Diagnostic::nowhere(Code::LISTEN, message).help("choose another address with `--listen ADDRESS:PORT`")))
}
