//! `faultscope change FILE`, `faultscope change --from DIR --to DIR`. Goes to `src/cli/change.rs`.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::{FINDINGS, Failure, Format, Lang, OK, Outcome, ProjectArgs, change_text, json, load_project};
use crate::change::{Assessment, Known, Risk, assess, assess_difference, read_plan};
use crate::compile::plan::Plan;
use crate::diag::{Sources, render};
use crate::knowledge::CaseBase;
use crate::world::{Topology, find_project, load_topology};

/// A plan larger than this is no plan that a person wrote.
const MAX_PLAN_BYTES: u64 = 16 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Level {
    Low,
    Medium,
    High,
    Critical,
}

impl Level {
    fn risk(self) -> Risk {
        match self {
            Level::Low => Risk::Low,
            Level::Medium => Risk::Medium,
            Level::High => Risk::High,
            Level::Critical => Risk::Critical,
        }
    }
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The plan: `title`, `window`, `steps`
    #[arg(required_unless_present_all = ["from", "to"], conflicts_with_all = ["from", "to"])]
    file: Option<PathBuf>,
    /// The topology before: a topology tree, or a project
    #[arg(long, value_name = "DIR", requires = "to")]
    from: Option<PathBuf>,
    /// The topology after
    #[arg(long, value_name = "DIR", requires = "from")]
    to: Option<PathBuf>,
    /// Exit with 1 if the risk is this or higher
    #[arg(long, value_enum, value_name = "LEVEL")]
    fail_on: Option<Level>,
    #[command(flatten)]
    project: ProjectArgs,
    /// How the report is written; `markdown` for a comment on a merge request
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Language of the report's own words
    #[arg(long, value_enum, default_value = "en")]
    lang: Lang,
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    let assessment = match (&args.file, &args.from, &args.to) {
        (Some(file), _, _) => plan(args, file)?,
        (None, Some(from), Some(to)) => trees(args, from, to)?,
        // clap lets nothing else through.
        (None, Some(_) | None, Some(_) | None) => return Err(Failure("error: name a plan, or `--from DIR --to DIR`".to_owned())),
    };
    match args.format {
        Format::Json => writeln!(out, "{}", json(&assessment)?)?,
        Format::Text => write!(out, "{}", change_text::assessment(&assessment, args.lang, false))?,
        Format::Markdown => write!(out, "{}", change_text::assessment(&assessment, args.lang, true))?,
    }
    let fails = args.fail_on.is_some_and(|level| assessment.risk >= level.risk());
    Ok(if fails { FINDINGS } else { OK })
}

fn plan(args: &Args, file: &Path) -> Result<Assessment, Failure> {
    let near = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let project = load_project(&args.project, near)?;
    let shown = file.display();
    let unreadable = |why: String| Failure(format!("error[F9001]: `{shown}` cannot be read: {why}"));
    let bytes = std::fs::metadata(file).map_err(|error| unreadable(error.to_string()))?.len();
    if bytes > MAX_PLAN_BYTES {
        return Err(Failure(format!("error[F9004]: `{shown}` is larger than {} MiB", MAX_PLAN_BYTES >> 20)));
    }
    let text = std::fs::read_to_string(file).map_err(|error| unreadable(error.to_string()))?;
    let mut sources = Sources::default();
    let source = sources.add(shown.to_string(), text);
    let (plan, diagnostics) = read_plan(&sources, source, &project.estate);
    let words = render(&sources, &diagnostics, false);
    let Some(plan) = plan else { return Err(Failure(words.trim_end().to_owned())) };
    if !diagnostics.is_empty() {
        eprintln!("{}", words.trim_end());
    }
    Ok(assess(&project.estate, &plan, Known { plan: &project.plan, cases: &project.cases }))
}

/// Rules and cases are those of the project that is named, or that one of the trees, or this folder, lies in; there need not be any.
fn trees(args: &Args, from: &Path, to: &Path) -> Result<Assessment, Failure> {
    let (before, after) = (tree(from)?, tree(to)?);
    let title = format!("{} → {}", from.display(), to.display());
    let near = [to, from, Path::new(".")].into_iter().find(|dir| find_project(dir).is_some());
    let project = match (&args.project.project, near) {
        (Some(_), _) => Some(load_project(&args.project, Path::new("."))?),
        (None, Some(near)) => Some(load_project(&args.project, near)?),
        (None, None) => None,
    };
    let (no_plan, no_cases) = (Plan::default(), CaseBase::new(Vec::new()));
    let known = match &project {
        Some(project) => Known { plan: &project.plan, cases: &project.cases },
        None => Known { plan: &no_plan, cases: &no_cases },
    };
    Ok(assess_difference(&title, &before.estate, &after.estate, known))
}

fn tree(dir: &Path) -> Result<Topology, Failure> {
    let topology = load_topology(dir)?;
    let errors = topology.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    if errors > 0 {
        // What a mistake leaves out would be taken for removed.
        let words = render(&topology.sources, &topology.diagnostics, false);
        return Err(Failure(format!("{}\n\nerror: `{}` has mistakes; mend them first", words.trim_end(), dir.display())));
    }
    Ok(topology)
}
