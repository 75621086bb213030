//! `faultscope change FILE`, `faultscope change --from DIR|REV --to DIR|REV`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;

use super::context::{Format, ProjectArgs, json, load_project};
use super::locale::LocaleArgs;
use super::output::{Failure, Outcome};
use super::{FINDINGS, Lang, OK, change_text};
use change::{Assessment, Knowledge, Risk, assess_difference};
use compile::plan::Plan;
use diag::{Code, render, text};
use estate::Snapshot;
use knowledge::CaseBase;
use project::{DEFAULT_STORE, Planned, Topology, find_project, load_topology, planned};

/// A plan file larger than this was not written by a person.
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
#[command(override_usage = "faultscope change [OPTIONS] <PLAN>\n       faultscope change [OPTIONS] --from <DIR|REV> --to <DIR|REV>")]
pub struct Args {
    /// Plan file with `title`, `window` and `steps`
    #[arg(required_unless_present_all = ["from", "to"], conflicts_with_all = ["from", "to"])]
    #[arg(value_name = "PLAN")]
    file: Option<PathBuf>,
    /// Topology before the change: a folder (a topology or a project), or a git revision of the project
    #[arg(long, value_name = "DIR|REV", requires = "to")]
    from: Option<PathBuf>,
    /// Topology after the change
    #[arg(long, value_name = "DIR|REV", requires = "from")]
    to: Option<PathBuf>,
    /// Exit with code 1 if the risk is at this level or higher
    #[arg(long, value_enum, value_name = "LEVEL")]
    fail_on: Option<Level>,
    #[command(flatten)]
    project: ProjectArgs,
    /// Output format; `markdown` suits a comment on a merge request
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    locale: LocaleArgs,
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    let (mut assessment, estate) = match (&args.file, &args.from, &args.to) {
        (Some(file), _, _) => plan(args, file)?,
        (None, Some(from), Some(to)) => trees(args, from, to)?,
        // clap rejects everything else.
        (None, Some(_) | None, Some(_) | None) => return Err(Failure::new(Code::USAGE, "name a plan, or `--from` and `--to`")),
    };
    let locale = if args.format == Format::Json { args.locale.asked() } else { args.locale.get() };
    words::change::tell(&mut assessment, locale.lang, estate.model());
    match args.format {
        Format::Json => writeln!(out, "{}", json(&assessment)?)?,
        Format::Text => write!(out, "{}", change_text::assessment(&assessment, &locale, &estate, false))?,
        Format::Markdown => write!(out, "{}", change_text::assessment(&assessment, &locale, &estate, true))?,
    }
    let fails = args.fail_on.is_some_and(|level| assessment.risk >= level.risk());
    Ok(if fails { FINDINGS } else { OK })
}

/// Also the estate that the plan is for.
fn plan(args: &Args, file: &Path) -> Result<(Assessment, Arc<Snapshot>), Failure> {
    let near = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let project = load_project(&args.project, near)?;
    let shown = file.display().to_string();
    let text = files::read_text(file, &shown, MAX_PLAN_BYTES)?;
    let Planned { sources, diagnostics, assessment } = planned(&project, &shown, text);
    let words = render(&sources, &diagnostics, false, args.locale.get().lang == Lang::Zh);
    let Some(assessment) = assessment else { return Err(Failure::Shown(words.trim_end().to_owned())) };
    if !diagnostics.is_empty() {
        super::output::say(words.trim_end());
    }
    Ok((assessment, project.estate))
}

/// Also the estate after the change. Rules and cases come from the project that `--project` names, else from one that contains a tree or
/// the current folder, if any.
fn trees(args: &Args, from: &Path, to: &Path) -> Result<(Assessment, Arc<Snapshot>), Failure> {
    let (before, after) = (side(args, from, true)?, side(args, to, false)?);
    let title = format!("{} → {}", from.display(), to.display());
    let near = [to, from, Path::new(".")].into_iter().find(|dir| find_project(dir).is_some());
    let project = match (&args.project.project, near) {
        (Some(_), _) => Some(load_project(&args.project, Path::new("."))?),
        (None, Some(near)) => Some(load_project(&args.project, near)?),
        (None, None) => None,
    };
    let (no_plan, no_cases) = (Plan::default(), CaseBase::new(Vec::new()));
    let known = match &project {
        Some(project) => Knowledge { plan: &project.plan, cases: &project.cases },
        None => Knowledge { plan: &no_plan, cases: &no_cases },
    };
    let assessment = assess_difference(&title, &before.estate, &after.estate, known);
    Ok((assessment, Arc::new(after.estate)))
}

/// A folder, or else a revision of the git repository that contains the project.
fn side(args: &Args, name: &Path, before: bool) -> Result<Topology, Failure> {
    let root = || args.project.project.clone().or_else(|| find_project(Path::new("."))).unwrap_or_else(|| PathBuf::from("."));
    if name.is_dir() {
        let store = find_project(name).unwrap_or_else(root).join(DEFAULT_STORE);
        return tree(name, name, &store, before, args.locale.get().lang);
    }
    let root = root();
    let out = std::env::temp_dir().join(format!("faultscope-{}-{}", std::process::id(), name.display().to_string().replace('/', "-")));
    let found = check_out(&root, &name.display().to_string(), &out)
        .and_then(|()| tree(&out, name, &root.join(DEFAULT_STORE), before, args.locale.get().lang));
    let _ = std::fs::remove_dir_all(&out);
    found
}

/// Writes the topology of a revision below `out`.
fn check_out(root: &Path, revision: &str, out: &Path) -> Result<(), Failure> {
    let git = |arguments: &[&str]| {
        let ran = std::process::Command::new("git").arg("-C").arg(root).args(arguments).output();
        let ran =
            ran.map_err(|error| Failure::new(Code::USAGE, text!("`{}` is not a folder, and git cannot be run: {}", revision, error)))?;
        if ran.status.success() { Ok(Some(ran.stdout)) } else { Ok::<_, Failure>(None) }
    };
    let commit = format!("{revision}^{{commit}}");
    if revision.starts_with('-') || git(&["rev-parse", "--verify", "--quiet", &commit])?.is_none() {
        return Err(Failure::new(Code::USAGE, text!("`{}` is neither a folder nor a git revision of `{}`", revision, root.display()))
            .help("a shallow clone may lack it: fetch the full history (`fetch-depth: 0`, `git fetch --unshallow`)"));
    }
    // Relative to the project, which may be below the root of the repository.
    let listed = git(&["ls-tree", "-r", "--name-only", "-z", revision, "topology/"])?.unwrap_or_default();
    for path in String::from_utf8_lossy(&listed).split('\0').filter(|path| !path.is_empty()) {
        let Some(text) = git(&["show", &format!("{revision}:./{path}")])? else { continue };
        let target = out.join(path);
        files::write(&target, text)?;
    }
    let topology = out.join("topology");
    std::fs::create_dir_all(&topology)
        .map_err(|error| Failure::new(Code::UNWRITABLE, text!("cannot write `{}`: {}", topology.display(), error)))?;
    Ok(())
}

fn tree(dir: &Path, name: &Path, store: &Path, before: bool, lang: Lang) -> Result<Topology, Failure> {
    let topology = load_topology(dir, store)?;
    let errors = topology.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    if errors > 0 && before {
        // Otherwise a change that fixes them could never be assessed.
        super::output::warn(text!(
            "`{}` has errors ({}); items left out because of them count as added by the change",
            name.display(),
            errors
        ));
    } else if errors > 0 {
        // Items left out because of an error would count as removed.
        let words = render(&topology.sources, &topology.diagnostics, false, lang == Lang::Zh);
        let last = match lang {
            Lang::En => format!("error: `{}` has errors; fix them first", name.display()),
            Lang::Zh => format!("错误: `{}` 有错误，请先修复", name.display()),
        };
        return Err(Failure::Shown(format!("{}\n\n{last}", words.trim_end())));
    }
    Ok(topology)
}
