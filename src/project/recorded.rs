//! Converts an estate in memory to records of a store, and back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use diag::{Code, Diagnostic, Text, text};
use estate::{Declared, Model, Snapshot, build_declared};
use knowledge::Case;
use store::{CaseRecord, GIT, Records, Store};

/// The components that others than git declare in a store, and their relations, if wanted: files may speak of them. A store that is not
/// there has none.
pub(super) fn declared_beside(path: &Path, relations: bool, diagnostics: &mut Vec<Diagnostic>) -> Declared {
    // There is nothing to read in an empty file.
    if std::fs::metadata(path).map_or(true, |found| found.is_file() && found.len() == 0) {
        return Declared::default();
    }
    Store::open_to_read(path).and_then(|store| store.without(GIT, relations)).unwrap_or_else(|error| {
        diagnostics.push(Diagnostic::nowhere(Code::UNREADABLE, error.text()));
        Declared::default()
    })
}

/// The records of an estate, all with the same origin. Numbers stay in their base unit.
pub fn records_of(estate: &Snapshot, origin: &str) -> Records {
    let Declared { components, relations, groups, .. } = estate.declared(origin);
    Records { components, relations, groups, ..Records::default() }
}

/// Past incidents as records, by id. If two cases have the same id, the first one counts.
///
/// The affected entries of a case may be types. They are left out here, because a record only refers to components.
pub fn case_records(cases: &[Case], estate: &Snapshot, origin: &str) -> Vec<CaseRecord> {
    let mut records: BTreeMap<&str, CaseRecord> = BTreeMap::new();
    for case in cases {
        let root = case.root.as_ref().and_then(|root| root.component.as_ref());
        let touched = root.into_iter().chain(&case.affected).filter_map(|name| match estate.find_named(name) {
            Some(component) => Some(estate.component(component).id.clone()),
            None => estate.model().find_type(name).is_none().then(|| name.clone()),
        });
        let record = || CaseRecord {
            id: case.id.clone(),
            title: case.title.clone(),
            date: case.date.map(|date| date.to_string()),
            root_cause: case.root.as_ref().map(|root| root.fault.clone()),
            components: touched.collect::<BTreeSet<String>>().into_iter().collect(),
            rule: case.rule.clone(),
            origin: origin.to_owned(),
        };
        records.entry(&case.id).or_insert_with(record);
    }
    records.into_values().collect()
}

/// The estate that records describe, under the current model, which may know less than the one that they were written under.
pub fn recorded(model: &Model, records: Records) -> (Snapshot, Vec<Diagnostic>) {
    let Records { components, relations, groups, .. } = records;
    build_declared(model.clone(), Declared { components, relations, groups, broken: Vec::new() })
}

/// What was left out: a line for each kind of complaint, with the first one in full. There may be a million of them.
pub fn left_out(complaints: &[Diagnostic]) -> Vec<Text> {
    let mut by_code: BTreeMap<diag::Code, (&Diagnostic, usize)> = BTreeMap::new();
    for complaint in complaints.iter().filter(|complaint| complaint.is_error()) {
        by_code.entry(complaint.code).or_insert((complaint, 0)).1 += 1;
    }
    let line = |(first, count): (&Diagnostic, usize)| match count {
        1 => text!("left out: {}", first.message.clone()),
        more => text!("left out: {}, and {} more of this kind", first.message.clone(), more - 1),
    };
    by_code.into_values().map(line).collect()
}
