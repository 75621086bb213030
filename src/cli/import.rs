//! `faultscope import KIND FILE…`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Serialize;

use diag::{Code, text};

use super::context::{ProjectArgs, json, load_project_over};
use super::output::{Failure, Outcome};
use super::{OK, import_store};
use estate::{Declared, DeclaredRelation, State};
use import::{Beside, Imported, Kind, Report, Skipped, Source, compare, hosts_of, parse_topology, read_beside, topology_yaml};
use project::Project;

/// Lines shown per list.
const SHOWN: usize = 10;

/// A file larger than this does not describe an estate.
const MAX_BYTES: u64 = 1 << 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ImportKind {
    /// Output of `kubectl get … -o json`, or manifests
    Kubernetes,
    /// Docker Compose files
    Compose,
    /// Tables: `id,type,name,owner,tier,environment`, or `from,kind,to`
    Csv,
    /// Jaeger's dependencies, or the service graph of Tempo or the OpenTelemetry collector
    Jaeger,
    /// NetBox: API responses, or `manage.py dumpdata`
    Netbox,
    /// Backstage: `catalog-info.yaml`
    Backstage,
    /// Terraform state, version 4
    Terraform,
    /// File of an IBM ASM file observer
    Asm,
}

impl ImportKind {
    fn kind(self) -> Kind {
        match self {
            ImportKind::Kubernetes => Kind::Kubernetes,
            ImportKind::Compose => Kind::Compose,
            ImportKind::Csv => Kind::Csv,
            ImportKind::Jaeger => Kind::Jaeger,
            ImportKind::Netbox => Kind::Netbox,
            ImportKind::Backstage => Kind::Backstage,
            ImportKind::Terraform => Kind::Terraform,
            ImportKind::Asm => Kind::Asm,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    Text,
    Json,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Kind of the files
    #[arg(value_enum)]
    kind: ImportKind,
    /// Files, or folders with such files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Namespace of Kubernetes objects that name none, as manifests before they are applied
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Topology file to write [default: `topology/imported-KIND.yaml` in the project]
    #[arg(long, value_name = "FILE")]
    into: Option<PathBuf>,
    /// Write to this estate store instead of a topology file, recorded as origin `import:KIND`; git takes precedence
    #[arg(long, value_name = "FILE", conflicts_with = "into")]
    store: Option<PathBuf>,
    /// Author of the change, for the store's log [default: your user name]
    #[arg(long, value_name = "NAME", requires = "store")]
    who: Option<String>,
    /// Reason for the change, for the store's log
    #[arg(long, value_name = "TEXT", requires = "store")]
    why: Option<String>,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// Write even if nothing was found and the file would become empty
    #[arg(long)]
    allow_empty: bool,
    #[command(flatten)]
    project: ProjectArgs,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: ReportFormat,
}

#[derive(Serialize)]
struct ImportReport {
    file: String,
    written: bool,
    /// The new revision of the store, if the import created one.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    added: Vec<String>,
    changed: BTreeMap<String, Vec<String>>,
    gone: Vec<String>,
    /// Of those added and gone, the same under another id: what it was, what it is.
    renamed: BTreeMap<String, String>,
    unchanged: usize,
    relations_added: Vec<RelationView>,
    relations_changed: Vec<RelationChange>,
    relations_gone: Vec<RelationView>,
    relations_unchanged: usize,
    /// Components without any relation.
    alone: Vec<String>,
    skipped: Vec<SkippedView>,
}

#[derive(Serialize)]
struct RelationView {
    from: String,
    kind: String,
    to: String,
    /// How hard it hits, where that is not left to its kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<&'static str>,
}

#[derive(Serialize)]
struct RelationChange {
    #[serde(flatten)]
    relation: RelationView,
    changes: Vec<String>,
}

#[derive(Serialize)]
struct SkippedView {
    what: String,
    why: String,
    source: String,
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    let kind = args.kind.kind();
    if args.namespace.is_some() && kind != Kind::Kubernetes {
        return Err(Failure::new(Code::USAGE, text!("`{}` has no namespaces", kind.name()))
            .help("`--namespace` says of which namespace the objects of `kubernetes` are that name none"));
    }
    let project = load_project_over(&args.project, Path::new("."), args.store.as_deref())?;
    let sources = sources(&args.files)?;
    let target = match &args.into {
        Some(target) => target.clone(),
        None => project.root.join("topology").join(format!("imported-{}.yaml", kind.name())),
    };
    let before = if args.store.is_some() { Declared::default() } else { before(&target, args.into.is_some())? };
    let estate = &project.estate;
    let mut known: BTreeMap<String, String> =
        estate.ids().map(|id| estate.component(id)).map(|found| (found.id.clone(), found.kind.clone())).collect();
    // Not those of the previous import: this one must contain them itself.
    before.components.iter().for_each(|component| drop(known.remove(&component.id)));
    let beside = Beside { known, hosts: hosts_of(estate), labels: &project.labels, namespace: args.namespace.as_deref() };
    let imported =
        read_beside(kind, &sources, estate.model(), beside).map_err(|error| Failure::new(Code::USAGE, error.text()).help(error.help))?;
    if let Some(path) = &args.store {
        return into_store(args, path, &project, &imported, out);
    }
    if imported.declared.components.is_empty() && !before.components.is_empty() && !args.dry_run && !args.allow_empty {
        return Err(Failure::new(
            Code::USAGE,
            text!(
                "the input has no components, and `{}` would lose all its {}; nothing was written",
                target.display(),
                before.components.len()
            ),
        )
        .help("name all files of one import together; use `--allow-empty` if the removal is intended"));
    }
    let report = Report { skipped: imported.skipped, ..compare(&before, &imported.declared) };
    let text = topology_yaml(kind, &imported.declared);
    let there = if args.dry_run { None } else { files::try_read(&target, &target.display().to_string(), MAX_BYTES)? };
    let written = !args.dry_run && there.as_deref() != Some(text.as_bytes());
    if written {
        files::write(&target, &text)?;
    }
    match args.format {
        ReportFormat::Json => writeln!(out, "{}", json(&view(report, &target, written, None))?)?,
        ReportFormat::Text => {
            let outcome = match (written, args.dry_run) {
                (true, _) => "written",
                (false, true) => "not written (`--dry-run`)",
                (false, false) => "unchanged",
            };
            writeln!(out, "{}{}: {outcome}", words(&report), target.display())?;
        }
    }
    Ok(OK)
}

fn into_store(args: &Args, path: &Path, project: &Project, imported: &Imported, out: &mut impl Write) -> Outcome {
    let job = import_store::Job {
        kind: args.kind.kind(),
        path,
        who: args.who.as_deref(),
        why: args.why.as_deref().unwrap_or_default(),
        dry_run: args.dry_run,
    };
    let done = import_store::import(&job, project, imported)?;
    match args.format {
        ReportFormat::Json => {
            let revision = done.audit.as_ref().map(|audit| audit.revision);
            writeln!(out, "{}", json(&view(done.report, path, done.written, revision))?)?;
        }
        ReportFormat::Text => writeln!(out, "{}{}: {}", words(&done.report), path.display(), done.outcome(args.dry_run))?,
    }
    Ok(OK)
}

/// The given files and those below the given folders, sorted by path.
fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() { below(path, &mut files)? } else { files.push(path.clone()) }
    }
    files.sort();
    files.dedup();
    let mut sources = Vec::new();
    for file in files {
        let name = file.to_string_lossy().replace('\\', "/");
        if file.extension().is_some_and(|end| end == "gz" || end == "zip" || end == "bz2" || end == "xz") {
            return Err(Failure::new(Code::USAGE, text!("`{}` is compressed", name))
                .help(text!("decompress it first, for example with `gunzip -k {}`", name)));
        }
        let text = files::read_text(&file, &name, MAX_BYTES)?;
        sources.push(Source { name, text });
    }
    Ok(sources)
}

/// All files below a folder, except hidden ones; `.env` files are included.
fn below(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let entries = std::fs::read_dir(folder)
        .map_err(|error| Failure::new(Code::USAGE, text!("cannot read folder `{}`: {}", folder.display(), error)))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') && name != ".env" {
            continue;
        }
        // Links to folders are not followed: a link to a folder above itself would never end.
        if path.is_dir() {
            if !path.is_symlink() {
                below(&path, files)?;
            }
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// The current content of the target. A file that `import` did not write is not overwritten.
fn before(target: &Path, named: bool) -> Result<Declared, Failure> {
    let shown = target.display().to_string();
    let Some(bytes) = files::try_read(target, &shown, MAX_BYTES)? else { return Ok(Declared::default()) };
    let text = files::text(bytes, &shown)?;
    let ours = text.trim().is_empty() || text.starts_with("# imported from ");
    match parse_topology(&text).filter(|_| ours) {
        Some(before) => Ok(before),
        None if ours => Err(Failure::new(Code::USAGE, text!("`{}` was imported, but has errors now", target.display()))
            .help("`faultscope check` shows them; fix the file or remove it")),
        None => {
            let help =
                if named { text!("name another file with `--into`") } else { text!("move it away, or name another file with `--into`") };
            Err(Failure::new(Code::USAGE, text!("`{}` was not written by `faultscope import`", target.display())).help(help))
        }
    }
}

fn view(report: Report, target: &Path, written: bool, revision: Option<u64>) -> ImportReport {
    let relation = |one: DeclaredRelation| RelationView { from: one.from, kind: one.kind, to: one.to, effect: one.effect.map(State::name) };
    let changed = |(one, changes): (DeclaredRelation, Vec<String>)| RelationChange { relation: relation(one), changes };
    let skipped = |one: Skipped| SkippedView { what: one.what, why: one.why, source: one.source };
    ImportReport {
        file: target.display().to_string(),
        written,
        revision,
        added: report.added,
        changed: report.changed.into_iter().collect(),
        gone: report.gone,
        renamed: report.renamed.into_iter().collect(),
        unchanged: report.unchanged,
        relations_added: report.relations_added.into_iter().map(relation).collect(),
        relations_changed: report.relations_changed.into_iter().map(changed).collect(),
        relations_gone: report.relations_gone.into_iter().map(relation).collect(),
        relations_unchanged: report.relations_unchanged,
        alone: report.alone,
        skipped: report.skipped.into_iter().map(skipped).collect(),
    }
}

fn words(report: &Report) -> String {
    let mut page = format!(
        "{} added, {} changed, {} removed, {} unchanged; {} skipped\n",
        report.added.len(),
        report.changed.len(),
        report.gone.len(),
        report.unchanged,
        report.skipped.len()
    );
    page.push_str(&format!(
        "relations: {} added, {} changed, {} removed, {} unchanged\n",
        report.relations_added.len(),
        report.relations_changed.len(),
        report.relations_gone.len(),
        report.relations_unchanged
    ));
    let renamed = "renamed: files, rules and cases that name the old id must name the new one";
    list(&mut page, renamed, report.renamed.iter().map(|(old, new)| format!("{old} → {new}")));
    list(&mut page, "added", report.added.iter().cloned());
    list(&mut page, "changed", report.changed.iter().map(|(id, changes)| format!("{id}: {}", changes.join("; "))));
    list(&mut page, "removed", report.gone.iter().cloned());
    list(&mut page, "relations added", report.relations_added.iter().map(DeclaredRelation::words));
    let changes = report.relations_changed.iter().map(|(one, changes)| format!("{}: {}", one.words(), changes.join("; ")));
    list(&mut page, "relations changed", changes);
    list(&mut page, "relations removed", report.relations_gone.iter().map(DeclaredRelation::words));
    list(&mut page, &format!("without any relation ({})", report.alone.len()), report.alone.iter().cloned());
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for one in &report.skipped {
        reasons.entry(&one.why).or_default().push(format!("{} ({})", one.what, one.source));
    }
    for (why, whats) in reasons {
        list(&mut page, &format!("skipped ({}): {why}", whats.len()), whats.into_iter());
    }
    page
}

/// A heading and the first lines of a list; nothing for an empty one.
fn list(page: &mut String, heading: &str, lines: impl ExactSizeIterator<Item = String>) {
    let count = lines.len();
    if count == 0 {
        return;
    }
    page.push_str(&format!("{}\n", diag::one_line(heading)));
    lines.take(SHOWN).for_each(|line| page.push_str(&format!("  {}\n", diag::one_line(&line))));
    if count > SHOWN {
        page.push_str(&format!("  … and {} more\n", count - SHOWN));
    }
}
