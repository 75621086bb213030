//! `faultscope init [DIR]`: a project that passes `check`, with a rule, an incident that it explains, and placement to start from.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use diag::{Code, text};

use super::output::{Failure, Outcome};
use super::{FINDINGS, OK};

/// Where signals come from: which part of the placement is switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum From {
    /// Kubernetes with kube-prometheus labels
    Kubernetes,
    /// Docker Compose, with cAdvisor or promtail labels
    Compose,
    /// Nothing in particular: all parts are there as comments
    Empty,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder for the project; it is created if needed
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Which placement of signals to switch on; the others stay as comments
    #[arg(long, value_enum, default_value = "empty")]
    from: From,
}

const SOURCES: &str = include_str!("init/sources.yaml");

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    let files = [
        (".gitignore", include_str!("init/gitignore").to_owned()),
        ("README.md", include_str!("init/README.md").to_owned()),
        ("topology/sources.yaml", sources(args.from)),
        ("topology/estate.yaml", include_str!("init/estate.yaml").to_owned()),
        ("rules/first.rules", include_str!("init/first.rules").to_owned()),
        ("incidents/first/alerts.json", alerts(args.from)),
        ("incidents/first/metrics.json", include_str!("init/metrics.json").to_owned()),
        ("incidents/first/expected.json", include_str!("init/truth.json").to_owned()),
    ];
    if let Some(there) = ["rules", "topology", "cases"].iter().map(|name| args.dir.join(name)).find(|path| path.exists()) {
        return Err(Failure::new(Code::EXISTS, text!("`{}` exists: this is a project already; nothing was written", there.display()))
            .help("name another folder, or check this one with `faultscope check`"));
    }
    // A `.gitignore` or `README.md` of a repository stays as it is.
    let (kept, new): (Vec<_>, Vec<_>) =
        files.iter().map(|(name, text)| (name, text, args.dir.join(name))).partition(|(.., path)| path.exists());
    for (_, text, path) in &new {
        files::write(path, text)?;
    }
    new.iter().try_for_each(|(.., path)| writeln!(out, "created {}", path.display()))?;
    kept.iter().try_for_each(|(.., path)| writeln!(out, "kept    {}", path.display()))?;
    let shown = |name: &str| Path::new(&args.dir).join(name).display().to_string();
    writeln!(out, "\nNext:")?;
    writeln!(out, "  faultscope check {}", args.dir.display())?;
    writeln!(out, "  faultscope diagnose {}", shown("incidents/first"))?;
    let kind = if args.from == From::Compose { "compose" } else { "kubernetes" };
    writeln!(out, "  edit {0}; or delete it and import your own: `faultscope import {kind} FILE…`", shown("topology/estate.yaml"))?;
    let clean = project::Project::load(&args.dir)?.diagnostics.is_empty();
    Ok(if clean { OK } else { FINDINGS })
}

/// The template, its parts (`#PART` to `#end`) commented out where they are not asked for.
fn sources(from: From) -> String {
    let mut text = String::new();
    let mut wanted = true;
    for line in SOURCES.lines() {
        match line {
            "#kubernetes" => wanted = from == From::Kubernetes,
            "#compose" => wanted = from == From::Compose,
            "#hosts" => wanted = from != From::Empty,
            "#end" => wanted = true,
            _ if wanted || line.trim_start().starts_with('#') => text.push_str(&format!("{line}\n")),
            _ if line.trim().is_empty() => text.push('\n'),
            _ => text.push_str(&format!("  # {}\n", line.trim_start())),
        }
    }
    text
}

/// Alerts with the labels that these tools write.
fn alerts(from: From) -> String {
    let text = include_str!("init/alerts.json");
    match from {
        From::Kubernetes => text.replace(r#""component": "api""#, r#""namespace": "shop", "pod": "api-7d9c4b6f8c-x2x7k""#),
        From::Compose => text.replace(r#""component": "api""#, r#""job": "cadvisor", "name": "/shop-api-1""#),
        From::Empty => text.to_owned(),
    }
}
