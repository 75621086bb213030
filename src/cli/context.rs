//! What commands share: which project, which instant, loading both, and the formats of reports.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use diag::{Code, text};
use project::{Bundle, Options, Project, find_project, load_bundle};
use value::{Duration, Time};

use super::output::{Failure, warn};

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
    Markdown,
}

/// Which project, for commands that need one.
#[derive(Debug, clap::Args)]
pub struct ProjectArgs {
    /// Project folder, with `rules/`, `topology/` and `cases/` [default: the nearest folder upward that contains `rules/`]
    #[arg(long, value_name = "DIR")]
    pub project: Option<PathBuf>,
}

/// Which instant.
#[derive(Debug, clap::Args)]
pub struct TimeArgs {
    /// Evaluate as of this time, RFC 3339 [default: the time of the last signal]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub at: Option<Time>,
    /// How far back to look for symptoms and findings, like `90m` [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub window: Option<Duration>,
}

impl TimeArgs {
    pub fn options(&self) -> Options {
        Options { at: self.at, lookback: self.window }
    }
}

pub fn parse_time(text: &str) -> Result<Time, String> {
    Time::parse(text).ok_or_else(|| "use RFC 3339, like `2025-06-01T10:00:00Z` or `2025-06-01T18:00:00+08:00`".to_owned())
}

pub fn parse_duration(text: &str) -> Result<Duration, String> {
    estate::parse_duration(text).ok_or_else(|| "use a number and a unit, like `90m`, `2h` or `1h30m`".to_owned())
}

/// Loads the project named, or the nearest one upward from `near`, or from here. What is wrong with it goes to standard
/// error in one line: a bad rule must be seen, but must not stop the good ones.
pub fn load_project(args: &ProjectArgs, near: &Path) -> Result<Project, Failure> {
    load_project_over(args, near, None)
}

/// The same beside a store that is not that of the project.
pub fn load_project_over(args: &ProjectArgs, near: &Path, store: Option<&Path>) -> Result<Project, Failure> {
    let root = match &args.project {
        Some(root) => root.clone(),
        None => find_project(near).or_else(|| find_project(Path::new("."))).ok_or_else(|| {
            Failure::new(Code::NO_PROJECT, "not in a project: no folder upward contains `rules/`")
                .help("name one with `--project DIR`, or start one: `faultscope init`")
        })?,
    };
    let project = match store {
        Some(store) => Project::load_over(&root, store)?,
        None => Project::load(&root)?,
    };
    let errors = project.diagnostics.iter().filter(|d| d.is_error()).count();
    if errors > 0 {
        let dir = root.display();
        let errors = diag::errors(errors);
        warn(text!("{} in the project; the affected items are left out; `faultscope check {}` shows them", errors, dir));
    }
    Ok(project)
}

/// A bundle whose warnings the report itself shows.
pub fn load_quietly<'p>(project: &'p Project, dir: &Path, time: &TimeArgs) -> Result<Bundle<'p>, Failure> {
    Ok(load_bundle(project, dir, &top_of(project, dir), time.options())?)
}

pub fn load<'p>(project: &'p Project, dir: &Path, time: &TimeArgs) -> Result<Bundle<'p>, Failure> {
    let bundle = load_quietly(project, dir, time)?;
    for warning in &bundle.warnings {
        warn(warning.clone());
    }
    Ok(bundle)
}

/// A bundle's topology and baseline may lie above it: as far up as the project, if it lies in one, else as far as the folder
/// that its siblings share.
pub fn top_of(project: &Project, dir: &Path) -> PathBuf {
    let (Ok(dir), Ok(root)) = (dir.canonicalize(), project.root.canonicalize()) else { return dir.to_path_buf() };
    if dir.starts_with(&root) {
        dir.parent().filter(|p| p.starts_with(&root) && *p != root).map_or(dir.clone(), Path::to_path_buf)
    } else {
        dir.parent().map_or(dir.clone(), Path::to_path_buf)
    }
}

pub fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|error| Failure::Output(error.into()))
}
