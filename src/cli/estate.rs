//! `faultscope estate`: the estate on disk, its history, and where its origins disagree.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json as value};

use diag::{Code, Diagnostic, errors, one_line, text};
use words::counted;

use super::as_of::{now, user};
use super::context::{ProjectArgs, json, load_project, load_project_over};
use super::estate_check;
use super::output::{Failure, Outcome, warn};
use super::{FINDINGS, OK};
use estate::{Declared, DeclaredComponent, DeclaredRelation, Model};
use project::{DEFAULT_STORE, Project, case_records, find_project, open_existing, records_of, revision_of};
use store::{Audit, Change, Conflict, GIT, Records, Store, What};
use value::{Time, format_number};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Sync the store with the project's topology and cases; what git no longer declares is removed
    Apply(ApplyArgs),
    /// List the revisions, newest first: who changed the estate, when and why
    Log(LogArgs),
    /// Show the estate, now or as it was
    Show(ShowArgs),
    /// Show the net changes between two revisions
    Diff(DiffArgs),
    /// Write the estate to a topology file
    Export(ExportArgs),
    /// List the values that git declares and another origin contradicts (git wins)
    Conflicts(ConflictsArgs),
    /// Verify everything in the store, and list what is whole
    Check(CheckArgs),
    /// Copy what is whole of a damaged or old store into a new one, and say what is lost
    Salvage(SalvageArgs),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EstateFormat {
    Text,
    Json,
}

#[derive(Debug, clap::Args)]
struct StoreArgs {
    /// Store file [default: `.faultscope/estate.redb` in the project]
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: EstateFormat,
}

#[derive(Debug, clap::Args)]
struct ApplyArgs {
    /// Project folder
    dir: PathBuf,
    /// Author of the change, for the log [default: your user name]
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// Reason for the change, for the log
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
    /// Apply even if more than half of the components would be removed
    #[arg(long)]
    allow_removals: bool,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, clap::Args)]
struct LogArgs {
    /// How many revisions to list
    #[arg(short = 'n', value_name = "N", default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// A revision, or a time like `2025-06-01T10:00:00Z` [default: the newest revision]
    #[arg(long, value_name = "REV|TIME")]
    as_of: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
}

fn parse_revision(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "a revision is a whole number; `faultscope estate log` lists them".to_owned())
}

#[derive(Debug, clap::Args)]
struct DiffArgs {
    /// Old revision; 0 is the empty estate
    #[arg(value_name = "REV")]
    #[arg(value_parser = parse_revision)]
    from: u64,
    /// New revision
    #[arg(value_name = "REV")]
    #[arg(value_parser = parse_revision)]
    to: u64,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, clap::Args)]
struct ExportArgs {
    /// A revision, or a time like `2025-06-01T10:00:00Z` [default: the newest revision]
    #[arg(long, value_name = "REV|TIME")]
    as_of: Option<String>,
    /// Topology file to write, in JSON
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Overwrite an existing file
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, clap::Args)]
struct ConflictsArgs {
    /// Also what git says differently on purpose, by `extend`
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, clap::Args)]
struct CheckArgs {
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, clap::Args)]
struct SalvageArgs {
    /// New store to write; it must not exist
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    match &args.action {
        Action::Apply(args) => apply(args, out),
        Action::Log(args) => log(args, out),
        Action::Show(args) => show(args, out),
        Action::Diff(args) => diff(args, out),
        Action::Export(args) => export(args, out),
        Action::Conflicts(args) => conflicts(args, out),
        Action::Check(args) => {
            let path = path_of(&args.store)?;
            estate_check::check(&path, args.store.format == EstateFormat::Json, out)
        }
        Action::Salvage(args) => {
            let path = path_of(&args.store)?;
            estate_check::salvage(&path, &args.to, args.store.format == EstateFormat::Json, out)
        }
    }
}

/// Up to this many removals never need `--allow-removals`.
const MANY_REMOVALS: usize = 10;

#[derive(Debug, Serialize)]
struct ApplyReport {
    /// The newest revision, whether or not this apply created it.
    revision: u64,
    added: usize,
    changed: usize,
    removed: usize,
}

fn apply(args: &ApplyArgs, out: &mut impl Write) -> Outcome {
    let project = load_project_over(&ProjectArgs { project: Some(args.dir.clone()) }, Path::new("."), args.store.store.as_deref())?;
    refuse_mistakes(&project, &args.dir)?;
    name_left_out(&project);
    let path = args.store.store.clone().unwrap_or_else(|| project.root.join(DEFAULT_STORE));
    let store = super::as_of::open(&path)?;
    let mut wanted = records_of(&project.estate, GIT);
    let Declared { components, relations, .. } = project.beside.clone();
    wanted.components.extend(components.into_iter().map(|one| DeclaredComponent { origin: GIT.to_owned(), ..one }));
    wanted.relations.extend(relations.into_iter().map(|one| DeclaredRelation { origin: GIT.to_owned(), ..one }));
    wanted.cases = case_records(project.cases.cases(), &project.estate, GIT);
    // A large estate is in memory once: the project is not needed any more.
    drop(project);
    let (changes, declared) = store.replacing(GIT, wanted)?;
    let gone = changes.remove_components.len();
    if gone > MANY_REMOVALS && gone * 2 > declared && !args.allow_removals {
        return Err(Failure::new(
            Code::USAGE,
            text!("this would remove {} of the {} components that git declared so far; nothing was applied", gone, declared),
        )
        .help(text!(
            "check that `{}` is not the store of another project; use `--allow-removals` if the removals are intended",
            path.display()
        )));
    }
    let who = args.who.clone().unwrap_or_else(user);
    let audit = store.apply(&changes, &who, &args.why, GIT, now())?;
    let report = match &audit {
        Some(audit) => ApplyReport { revision: audit.revision, added: audit.added, changed: audit.changed, removed: audit.removed },
        None => ApplyReport { revision: store.revision()?, added: 0, changed: 0, removed: 0 },
    };
    match args.store.format {
        EstateFormat::Json => writeln!(out, "{}", json(&report)?)?,
        EstateFormat::Text if audit.is_none() => writeln!(out, "revision {}: nothing changed", report.revision)?,
        EstateFormat::Text => {
            let ApplyReport { revision, added, changed, removed } = report;
            writeln!(out, "revision {revision}: {} added, {changed} changed, {removed} removed", counted(added, "item"))?;
        }
    }
    Ok(OK)
}

/// What speaks of something that is not there, or not any more: an import may have withdrawn it. Without it, no component is removed.
const LEFT_OUT: [Code; 3] = [Code::DANGLING_RELATION, Code::GROUP_MEMBER, Code::EXTENDS];
/// So many of them are named.
const MOST_NAMED: usize = 20;

/// Says which items are not applied. That what they are about comes and goes must not stop the others.
fn name_left_out(project: &Project) {
    let found: Vec<&Diagnostic> = project.diagnostics.iter().filter(|one| one.is_error() && LEFT_OUT.contains(&one.code)).collect();
    for one in found.iter().take(MOST_NAMED) {
        let place = one.place.map_or_else(String::new, |place| format!("{}: ", project.sources.describe(place)));
        warn(text!("left out: {}{} ({})", place, one.message.clone(), one.code));
    }
    if found.len() > MOST_NAMED {
        warn(text!("left out: {} more of this kind", found.len() - MOST_NAMED));
    }
}

/// A project leaves out items with errors. Here that would remove them from the store.
fn refuse_mistakes(project: &Project, dir: &Path) -> Result<(), Failure> {
    let concerned = |path: &str| path.starts_with("topology/") || path.starts_with("cases/");
    let found = project.diagnostics.iter().filter(|d| d.is_error() && !LEFT_OUT.contains(&d.code));
    let mistakes = found.filter(|d| d.place.is_none_or(|place| concerned(project.sources.path(place.source)))).count();
    if mistakes == 0 {
        return Ok(());
    }
    let what = errors(mistakes);
    let dir = dir.display();
    Err(Failure::new(
        Code::USAGE,
        text!("topology and cases in `{}` have {}, and applying them would remove the affected items; nothing was applied", dir, what),
    )
    .help(text!("`faultscope check {}` shows them", dir)))
}

fn log(args: &LogArgs, out: &mut impl Write) -> Outcome {
    let log = existing(&args.store)?.log(args.limit)?;
    if args.store.format == EstateFormat::Json {
        writeln!(out, "{}", json(&log)?)?;
        return Ok(OK);
    }
    for audit in &log {
        let Audit { revision, who, when_ms, why, origin, added, changed, removed, changes_lost: _, estate_lost: _ } = audit;
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        let lost = if audit.is_whole() { "" } else { ", not whole" };
        let changes = format!("{added} added, {changed} changed, {removed} removed{lost}");
        let line = format!("{revision}  {}  {who} ({origin})  {changes}{why}", Time(*when_ms));
        writeln!(out, "{}", one_line(&line))?;
    }
    Ok(OK)
}

fn show(args: &ShowArgs, out: &mut impl Write) -> Outcome {
    let store = existing(&args.store)?;
    let revision = args.as_of.as_ref().map(|text| revision_of(&store, text)).transpose()?;
    let records = store.records(revision)?;
    warn_of_loss(&store, revision)?;
    if args.store.format == EstateFormat::Json {
        writeln!(out, "{}", json(&records)?)?;
        return Ok(OK);
    }
    let (components, relations) = (counted(records.components.len(), "component"), counted(records.relations.len(), "relation"));
    let (groups, cases) = (counted(records.groups.len(), "group"), counted(records.cases.len(), "case"));
    writeln!(out, "revision {}: {components}, {relations}, {groups}, {cases}", records.revision)?;
    for one in &records.components {
        let name = one.name.as_ref().filter(|name| **name != one.id).map_or_else(String::new, |name| format!(" {name}"));
        let more = [("tier", &one.tier), ("owner", &one.owner), ("environment", &one.environment)];
        let aliases = if one.aliases.is_empty() { String::new() } else { format!(", also {}", one.aliases.join(", ")) };
        let more: String = more.into_iter().filter_map(|(what, said)| said.as_deref().map(|said| format!(", {what} {said}"))).collect();
        writeln!(out, "{}", one_line(&format!("  {}{name} ({}{more}{aliases}, from {})", one.id, one.kind, one.origin)))?;
    }
    for one in &records.relations {
        let effect = one.effect.map_or_else(String::new, |effect| format!("effect {}, ", effect.name()));
        writeln!(out, "{}", one_line(&format!("  {} {} {} ({effect}from {})", one.from, one.kind, one.to, one.origin)))?;
    }
    for one in &records.groups {
        writeln!(out, "{}", one_line(&format!("  {}: needs {} of {} (from {})", one.id, one.need, one.members.join(", "), one.origin)))?;
    }
    for one in &records.cases {
        writeln!(
            out,
            "{}",
            one_line(&format!("  {} {}: affected {} (from {})", one.id, one.title, one.components.join(", "), one.origin))
        )?;
    }
    Ok(OK)
}

fn diff(args: &DiffArgs, out: &mut impl Write) -> Outcome {
    let changes = existing(&args.store)?.diff(args.from, args.to)?;
    if args.store.format == EstateFormat::Json {
        writeln!(out, "{}", json(&changes)?)?;
        return Ok(OK);
    }
    for change in &changes {
        write!(out, "{}", change_words(change))?;
    }
    if changes.is_empty() {
        writeln!(out, "nothing changed")?;
    }
    Ok(OK)
}

/// One line for an item, and one for each field that differs.
fn change_words(change: &Change) -> String {
    let what = match change.what {
        What::Component => "component",
        What::Relation => "relation",
        What::Group => "group",
        What::Case => "case",
    };
    let id = one_line(&change.id);
    let (before, after) = match (&change.before, &change.after) {
        (None, None | Some(_)) => return format!("+ {what} {id}\n"),
        (Some(_), None) => return format!("- {what} {id}\n"),
        (Some(before), Some(after)) => (flat(before), flat(after)),
    };
    let mut words = format!("~ {what} {id}\n");
    let fields: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for field in fields {
        let (old, new) = (before.get(field), after.get(field));
        if old != new {
            let shown = |side: Option<&Value>| match (side, field.as_str()) {
                (None, "effect") => "(as its kind)".to_owned(),
                (Some(Value::String(effect)), "effect") => effect.clone(),
                (None, _) => "nothing".to_owned(),
                (Some(value), _) => value.as_f64().map_or_else(|| value.to_string(), format_number),
            };
            words.push_str(&format!("    {}\n", one_line(&format!("{field}: {} → {}", shown(old), shown(new)))));
        }
    }
    words
}

/// The fields of a record that have a value; each attribute under its own name.
fn flat(record: &Value) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::new();
    for (name, said) in record.as_object().into_iter().flatten() {
        match said {
            Value::Null => {}
            Value::Object(attributes) => {
                fields.extend(attributes.iter().map(|(attribute, said)| (format!("{name}.{attribute}"), said.clone())));
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                fields.insert(name.clone(), said.clone());
            }
        }
    }
    fields
}

fn export(args: &ExportArgs, out: &mut impl Write) -> Outcome {
    let project = load_project(&args.project, Path::new("."))?;
    let path = args.store.store.clone().unwrap_or_else(|| project.root.join(DEFAULT_STORE));
    let store = open_existing(&path)?;
    let revision = args.as_of.as_ref().map(|text| revision_of(&store, text)).transpose()?;
    let records = store.records(revision)?;
    let text = json(&topology(&records, project.estate.model()))?;
    if args.out.exists() && !args.force {
        let out = args.out.display();
        return Err(
            Failure::new(Code::EXISTS, text!("`{}` exists and was not overwritten", out)).help("choose another file, or use `--force`")
        );
    }
    files::write(&args.out, format!("{text}\n"))?;
    warn_of_loss(&store, revision)?;
    let counts = value!({
        "revision": records.revision,
        "components": records.components.len(),
        "relations": records.relations.len(),
        "groups": records.groups.len(),
    });
    match args.store.format {
        EstateFormat::Json => writeln!(out, "{}", json(&counts)?)?,
        EstateFormat::Text => {
            let components = counted(records.components.len(), "component");
            writeln!(out, "revision {} written to `{}`: {components}", records.revision, args.out.display())?;
        }
    }
    Ok(OK)
}

/// The records in the format of a topology file.
fn topology(records: &Records, model: &Model) -> Value {
    let components: Vec<Value> = records.components.iter().map(|one| component(one, model)).collect();
    let relations: Vec<Value> = records.relations.iter().map(relation).collect();
    let groups: Vec<Value> =
        records.groups.iter().map(|one| value!({"id": one.id, "type": "redundancy", "members": one.members, "need": one.need})).collect();
    value!({"components": components, "relations": relations, "groups": groups})
}

fn relation(one: &DeclaredRelation) -> Value {
    let mut fields = serde_json::Map::from_iter([
        ("from".to_owned(), value!(one.from)),
        ("kind".to_owned(), value!(one.kind)),
        ("to".to_owned(), value!(one.to)),
    ]);
    if let Some(effect) = one.effect {
        fields.insert("effect".to_owned(), value!(effect));
    }
    Value::Object(fields)
}

fn component(one: &DeclaredComponent, model: &Model) -> Value {
    let mut fields = serde_json::Map::from_iter([("id".to_owned(), value!(one.id)), ("type".to_owned(), value!(one.kind))]);
    let named = one.name.clone().filter(|name| *name != one.id);
    for (name, said) in [("name", &named), ("tier", &one.tier), ("owner", &one.owner), ("environment", &one.environment)] {
        if let Some(said) = said {
            fields.insert(name.to_owned(), value!(said));
        }
    }
    if !one.aliases.is_empty() {
        fields.insert("aliases".to_owned(), value!(one.aliases));
    }
    if !one.attributes.is_empty() {
        let attributes = one.attributes.iter().map(|(name, said)| (name.clone(), value!(said.in_own_unit(model, &one.kind, name))));
        fields.insert("attributes".to_owned(), Value::Object(attributes.collect()));
    }
    Value::Object(fields)
}

fn conflicts(args: &ConflictsArgs, out: &mut impl Write) -> Outcome {
    let mut conflicts = existing(&args.store)?.conflicts()?;
    let found = conflicts.iter().any(|one| !one.on_purpose);
    conflicts.retain(|one| args.all || !one.on_purpose);
    match args.store.format {
        EstateFormat::Json => writeln!(out, "{}", json(&conflicts)?)?,
        EstateFormat::Text => {
            for Conflict { id, attribute, git, other, origin, on_purpose } in &conflicts {
                let purpose = if *on_purpose { " on purpose" } else { "" };
                writeln!(out, "{}", one_line(&format!("{id} {attribute}: git says {git}{purpose}, {origin} says {other}")))?;
            }
            if !found {
                writeln!(out, "no conflicts")?;
            }
        }
    }
    Ok(if found { FINDINGS } else { OK })
}

/// Of a store that was salvaged, what there is now is shown, even if that is not all there was: one can go on from it.
fn warn_of_loss(store: &Store, as_of: Option<u64>) -> Result<(), Failure> {
    let newest = if as_of.is_none() { store.log(1)? } else { Vec::new() };
    for audit in newest.iter().filter(|audit| audit.estate_lost) {
        warn(text!(
            "revision {} is not whole: a part of it was lost before the store was salvaged; apply the project and the imports again",
            audit.revision
        ));
    }
    Ok(())
}

/// A command that only reads does not create a store.
fn existing(args: &StoreArgs) -> Result<Store, Failure> {
    Ok(open_existing(&path_of(args)?)?)
}

fn path_of(args: &StoreArgs) -> Result<PathBuf, Failure> {
    match &args.store {
        Some(path) => Ok(path.clone()),
        None => find_project(Path::new(".")).map(|root| root.join(DEFAULT_STORE)).ok_or_else(|| {
            Failure::new(Code::NO_PROJECT, "not in a project: no folder upward contains `rules/`")
                .help("name the store with `--store FILE`")
        }),
    }
}
