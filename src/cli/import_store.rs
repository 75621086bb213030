//! `faultscope import KIND FILE… --store FILE`: an import into the estate on disk, recorded under its own origin.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use words::counted;

use super::as_of::{now, open, open_to_read, user};
use super::output::Failure;
use estate::{Declared, DeclaredComponent, Model, build_declared};
use import::{Imported, Kind, Report, Skipped, compare};
use project::{Project, is_missing, records_of};
use store::{Audit, Changeset, Records};

pub(super) struct Job<'a> {
    pub kind: Kind,
    pub path: &'a Path,
    pub who: Option<&'a str>,
    pub why: &'a str,
    pub dry_run: bool,
}

pub(super) struct Done {
    /// What changed in the records of this origin, whatever other origins declare.
    pub report: Report,
    pub written: bool,
    /// `None` if the estate did not change.
    pub audit: Option<Audit>,
}

impl Done {
    pub(super) fn outcome(&self, dry_run: bool) -> String {
        match &self.audit {
            Some(Audit { revision, added, changed, removed, .. }) => {
                format!("revision {revision}: {} added, {changed} changed, {removed} removed", counted(*added, "item"))
            }
            None if dry_run => "not written (`--dry-run`)".to_owned(),
            None if self.written => "recorded; other origins already declare it".to_owned(),
            None => "unchanged".to_owned(),
        }
    }
}

/// Replaces the records of this origin with those of the import; what the import no longer contains is withdrawn.
pub(super) fn import(job: &Job<'_>, project: &Project, imported: &Imported) -> Result<Done, Failure> {
    let origin = format!("import:{}", job.kind.name());
    let model = project.estate.model();
    let (declared, others) = with_others(&imported.declared, project);
    let (estate, complaints) = build_declared(model.clone(), declared);
    let mut wanted = records_of(&estate, &origin);
    wanted.components.retain(|one| !others.contains(&one.id));
    // A dry run does not create a store, and changes none.
    let store = if job.dry_run && is_missing(job.path) {
        None
    } else if job.dry_run {
        Some(open_to_read(job.path)?)
    } else {
        Some(open(job.path)?)
    };
    let before = match &store {
        Some(store) => store.layer(&origin)?,
        None => Records::default(),
    };
    let mut report = compare(&in_own_units(&before, model), &in_own_units(&wanted, model));
    report.skipped.clone_from(&imported.skipped);
    let mistake = |d: &diag::Diagnostic| {
        let why = d.message.to_string();
        Skipped { what: item(&why, &imported.declared), why, source: job.kind.name().to_owned() }
    };
    report.skipped.extend(complaints.iter().filter(|d| d.is_error()).map(mistake));
    let written = !job.dry_run && !report.is_empty();
    let audit = match &store {
        Some(store) if written => {
            let who = job.who.map_or_else(user, str::to_owned);
            store.apply(&Changeset::replacing(&before, wanted), &who, job.why, &origin, now())?
        }
        Some(_) | None => None,
    };
    Ok(Done { report, written, audit })
}

/// What a complaint is about: the relation between two that it names, else the first component or group that it names.
fn item(complaint: &str, declared: &Declared) -> String {
    let quoted: Vec<&str> = complaint.split('`').skip(1).step_by(2).collect();
    let names = |id: &String| quoted.contains(&id.as_str());
    if let Some(relation) = declared.relations.iter().find(|one| names(&one.from) && names(&one.to)) {
        return format!("`{}` {} `{}`", relation.from, relation.kind, relation.to);
    }
    let components = declared.components.iter().map(|one| &one.id);
    let ids: BTreeSet<&str> = components.chain(declared.groups.iter().map(|one| &one.id)).map(String::as_str).collect();
    let first = quoted.iter().find(|name| ids.contains(**name));
    first.map_or_else(|| "an item".to_owned(), |name| format!("`{name}`"))
}

/// What an import declares, and the components of the project at which its relations end; with the ids of these.
fn with_others(declared: &Declared, project: &Project) -> (Declared, BTreeSet<String>) {
    let own: BTreeSet<&str> =
        declared.components.iter().map(|one| &one.id).chain(declared.groups.iter().map(|one| &one.id)).map(String::as_str).collect();
    let ends = declared.relations.iter().flat_map(|relation| [&relation.from, &relation.to]).filter(|id| !own.contains(id.as_str()));
    let others: BTreeMap<&String, &str> =
        ends.filter_map(|id| Some((id, project.estate.component(project.estate.find(id)?).kind.as_str()))).collect();
    let mut all = declared.clone();
    all.components.extend(others.iter().map(|(id, kind)| DeclaredComponent {
        id: (*id).clone(),
        kind: (*kind).to_owned(),
        ..DeclaredComponent::default()
    }));
    (all, others.into_keys().cloned().collect())
}

/// What records declare, in the units of the model.
fn in_own_units(records: &Records, model: &Model) -> Declared {
    let component = |one: &DeclaredComponent| DeclaredComponent {
        name: one.name.clone().filter(|name| *name != one.id),
        attributes: one.attributes.iter().map(|(name, said)| (name.clone(), said.in_own_unit(model, &one.kind, name))).collect(),
        ..one.clone()
    };
    Declared {
        components: records.components.iter().map(component).collect(),
        relations: records.relations.clone(),
        groups: records.groups.clone(),
        broken: Vec::new(),
    }
}
