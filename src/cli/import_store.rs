//! `faultscope import KIND FILE… --store FILE`: an import into the estate on disk, recorded under its own origin.

use std::path::Path;

use serde_json::Value;

use super::as_of::{is_missing, now, open, open_to_read, user};
use super::estate::in_own_unit;
use super::output::Failure;
use estate::Model;
use import::{AttributeText, Imported, ImportedComponent, ImportedGroup, ImportedRelation, Kind, Report, Skipped, compare, topology_yaml};
use project::{Project, records_of};
use store::{Audit, Changeset, ComponentRecord, Records};

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
                format!("revision {revision}: {added} items added, {changed} changed, {removed} removed")
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
    // Read like the topology file it would have become, so that units, Chinese names and groups in relations mean the same.
    let read = project.topology_of("the import", &topology_yaml(job.kind, imported));
    let wanted = records_of(&read.estate, &origin);
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
    let model = project.estate.model();
    let mut report = compare(&imported_of(&before, model), &imported_of(&wanted, model));
    report.skipped.clone_from(&imported.skipped);
    let mistake = |d: &diag::Diagnostic| Skipped {
        what: d.place.map_or_else(String::new, |place| read.sources.describe(place)),
        why: d.message.to_string(),
        source: job.kind.name().to_owned(),
    };
    report.skipped.extend(read.diagnostics.iter().filter(|d| d.is_error()).map(mistake));
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

/// The records of an origin in the form of an import, in the units that the model declares.
fn imported_of(records: &Records, model: &Model) -> Imported {
    let relation = |from: &String, kind: &String, to: &String| ImportedRelation { from: from.clone(), kind: kind.clone(), to: to.clone() };
    Imported {
        components: records.components.iter().map(|one| component(one, model)).collect(),
        relations: records.relations.iter().map(|one| relation(&one.from, &one.kind, &one.to)).collect(),
        groups: records
            .groups
            .iter()
            .map(|one| ImportedGroup {
                id: one.id.clone(),
                members: one.members.clone(),
                need: usize::try_from(one.need).unwrap_or(usize::MAX),
            })
            .collect(),
        skipped: Vec::new(),
    }
}

fn component(one: &ComponentRecord, model: &Model) -> ImportedComponent {
    let attribute = |name: &str, said: &Value| match in_own_unit(model, &one.kind, name, said) {
        Value::String(text) => AttributeText::Text(text),
        Value::Bool(truth) => AttributeText::Bool(truth),
        Value::Number(number) => number.as_f64().map_or_else(|| AttributeText::Text(number.to_string()), AttributeText::Number),
        said @ (Value::Null | Value::Array(_) | Value::Object(_)) => AttributeText::Text(said.to_string()),
    };
    ImportedComponent {
        id: one.id.clone(),
        kind: one.kind.clone(),
        name: (one.name != one.id).then(|| one.name.clone()),
        owner: one.owner.clone(),
        environment: one.environment.clone(),
        tier: one.tier.clone(),
        attributes: one.attributes.iter().map(|(name, said)| (name.clone(), attribute(name, said))).collect(),
    }
}
