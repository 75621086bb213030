//! `faultscope mine [DIR…]`.

use std::io::Write;
use std::path::{Path, PathBuf};

use diag::{Code, one_line, text};

use super::OK;
use super::context::{Format, ProjectArgs, json, load_project};
use super::output::{Failure, Outcome};
use mine::{Proposal, Report, Settings, TreeProposal, listed, mine, percent};
use project::labelled;

/// How many left-out items the text lists; JSON has all.
const SHOWN: usize = 5;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders with bundles that have an `expected.json`, in addition to the project's cases and feedback journal
    dirs: Vec<PathBuf>,
    #[command(flatten)]
    project: ProjectArgs,
    /// Number of incidents that must support a proposal
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    min_support: u32,
    /// Of the incidents in which a proposal matched, the share that must support it, like `0.7` or `70%`
    #[arg(long, value_name = "P", default_value = "70%", value_parser = parse_share)]
    min_confidence: f64,
    /// Write the drafts and `PROPOSAL.md` to this folder, like `rules/mined`; without it, nothing is written
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Overwrite existing files that differ
    #[arg(long, requires = "out")]
    force: bool,
    /// Output format; `markdown` suits a merge request
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

fn parse_share(text: &str) -> Result<f64, String> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse::<f64>(),
    };
    let share = share.ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "use a share from 0 to 1, like `0.7` or `70%`".to_owned())
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    for dir in &args.dirs {
        if !dir.is_dir() {
            return Err(Failure::new(Code::UNREADABLE, text!("no such folder: `{}`", dir.display())));
        }
    }
    let near = args.dirs.first().map_or(Path::new("."), PathBuf::as_path);
    let project = load_project(&args.project, near)?;
    let collected = labelled(&project, &args.dirs);
    let min_support = usize::try_from(args.min_support).unwrap_or(usize::MAX);
    let report = mine(&project, &collected, Settings { min_support, min_confidence: args.min_confidence });
    let written = match &args.out {
        Some(dir) => write(&report, dir, args.force)?,
        None => Vec::new(),
    };
    match args.format {
        Format::Json => writeln!(out, "{}", json(&report)?)?,
        Format::Markdown => write!(out, "{}", report.markdown())?,
        Format::Text => {
            text(&report, out)?;
            for file in &written {
                writeln!(out, "written: {}", file.display())?;
            }
            if args.out.is_none() && !report.is_empty() {
                writeln!(out, "Nothing was written. Use `-o DIR` to write the drafts and the text of a merge request.")?;
            }
        }
    }
    Ok(OK)
}

/// Writes the files of the proposal. If one of them would overwrite something else, none is written.
fn write(report: &Report, dir: &Path, force: bool) -> Result<Vec<PathBuf>, Failure> {
    let files: Vec<(PathBuf, String)> = report.files().into_iter().map(|(name, text)| (dir.join(name), text)).collect();
    for (path, text) in files.iter().filter(|_| !force) {
        if differs(path, text)? {
            return Err(Failure::new(Code::EXISTS, text!("`{}` already exists and differs; nothing was written", path.display()))
                .help("choose another folder, or overwrite it with `--force`"));
        }
    }
    for (path, text) in &files {
        files::write(path, text)?;
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

/// Whether a file is there and does not contain this text.
fn differs(path: &Path, text: &str) -> Result<bool, Failure> {
    let limit = u64::try_from(text.len()).unwrap_or(u64::MAX);
    match files::try_read(path, &path.display().to_string(), limit) {
        Ok(found) => Ok(found.is_some_and(|found| found != text.as_bytes())),
        // Longer than the text.
        Err(error) if error.code == Code::TOO_LARGE => Ok(true),
        Err(error) => Err(error.into()),
    }
}

fn text(report: &Report, out: &mut impl Write) -> std::io::Result<()> {
    for warning in &report.warnings {
        writeln!(out, "warning: {}", one_line(warning))?;
    }
    writeln!(
        out,
        "{} incidents with a known cause, {} of them without a fault; {} faults. Minimum: {} incidents, confidence {}.",
        report.incidents,
        report.healthy,
        report.labels.len(),
        report.min_support,
        percent(report.min_confidence)
    )?;
    let wanting = report.wanting();
    if !wanting.is_empty() {
        writeln!(out, "\n{}", one_line(&wanting))?;
    }
    for one in &report.rules {
        rule(one, report.incidents, out)?;
    }
    if let Some(tree) = &report.tree {
        writeln!(out, "\n{} Which of the known faults is it? (draft)", tree.id)?;
        for line in TreeProposal::lines(&tree.right, &tree.wrong, &tree.open, tree.by_chance) {
            writeln!(out, "  {}", one_line(&line))?;
        }
    }
    if report.is_empty() && wanting.is_empty() {
        writeln!(out, "\nNo proposals.")?;
    }
    rest(report, out)
}

fn rule(one: &Proposal, incidents: usize, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "\n{}", one_line(&format!("{} {} ({}) (draft)", one.id, one.fault, one.kind)))?;
    let conditions: Vec<_> = one.conditions.iter().map(|condition| one_line(condition)).collect();
    writeln!(out, "  if {}", conditions.join("\n     and "))?;
    for line in one.evidence.lines(incidents) {
        writeln!(out, "  {}", one_line(&line))?;
    }
    for overlap in &one.overlaps {
        let draft = if overlap.draft { " (draft)" } else { "" };
        writeln!(
            out,
            "  existing    {}{draft} {} (overlap {}): {}",
            overlap.rule,
            overlap.stand.words(),
            percent(overlap.jaccard),
            one_line(&listed(&overlap.incidents))
        )?;
    }
    Ok(())
}

fn rest(report: &Report, out: &mut impl Write) -> std::io::Result<()> {
    if !report.covered.is_empty() {
        writeln!(out, "\nAlready covered")?;
        for one in &report.covered {
            let line = format!("{} ({}): {} names it in {}", one.fault, one.kind, one.by.join(", "), listed(&one.incidents));
            writeln!(out, "  {}", one_line(&line))?;
        }
    }
    for (title, list) in [("Left out", &report.dropped), ("Recordings that could not be used", &report.skipped)] {
        if list.is_empty() {
            continue;
        }
        writeln!(out, "\n{title}")?;
        for one in list.iter().take(SHOWN) {
            writeln!(out, "  {}", one_line(&format!("{}: {}", one.what, one.why)))?;
        }
        if list.len() > SHOWN {
            writeln!(out, "  and {} more", list.len() - SHOWN)?;
        }
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::parse_share;

    #[test]
    fn shares() {
        for (text, expected) in [
            ("0.7", Some(0.7)),
            ("70%", Some(0.7)),
            ("1", Some(1.0)),
            ("0", Some(0.0)),
            ("70", None),
            ("-1%", None),
            ("NaN", None),
            ("", None),
        ] {
            assert_eq!(parse_share(text).ok(), expected, "{text}");
        }
    }
}
