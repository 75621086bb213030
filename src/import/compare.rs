//! What a new import changes.

use std::collections::{BTreeMap, BTreeSet};

use super::{AttributeText, Imported, ImportedComponent, ImportedGroup, ImportedRelation, Skipped};

/// The difference of two imports, by id. Groups count like components.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub added: Vec<String>,
    /// Each with what changed: ``attribute `replicas`: 2 → 3``.
    pub changed: Vec<(String, Vec<String>)>,
    pub gone: Vec<String>,
    pub unchanged: usize,
    pub relations_added: Vec<ImportedRelation>,
    pub relations_gone: Vec<ImportedRelation>,
    pub relations_unchanged: usize,
    /// Components that nothing leads to or from: no relation, no group.
    pub alone: Vec<String>,
    pub skipped: Vec<Skipped>,
}

impl Report {
    /// Whether the file would stay as it is.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.changed.is_empty()
            && self.gone.is_empty()
            && self.relations_added.is_empty()
            && self.relations_gone.is_empty()
    }
}

pub fn compare(old: &Imported, new: &Imported) -> Report {
    let before = items(old);
    let after = items(new);
    let mut report = Report { skipped: new.skipped.clone(), alone: alone(new), ..Report::default() };
    for (id, item) in &after {
        let Some(known) = before.get(id) else {
            report.added.push((*id).to_owned());
            continue;
        };
        let changes = differences(known, item);
        if changes.is_empty() {
            report.unchanged += 1;
        } else {
            report.changed.push(((*id).to_owned(), changes));
        }
    }
    report.gone = before.keys().filter(|id| !after.contains_key(*id)).map(|id| (*id).to_owned()).collect();
    let was: BTreeSet<&ImportedRelation> = old.relations.iter().collect();
    let is: BTreeSet<&ImportedRelation> = new.relations.iter().collect();
    report.relations_added = is.difference(&was).map(|relation| (*relation).clone()).collect();
    report.relations_gone = was.difference(&is).map(|relation| (*relation).clone()).collect();
    report.relations_unchanged = is.intersection(&was).count();
    report
}

fn alone(imported: &Imported) -> Vec<String> {
    let ends = imported.relations.iter().flat_map(|relation| [relation.from.as_str(), relation.to.as_str()]);
    let members = imported.groups.iter().flat_map(|group| group.members.iter().map(String::as_str));
    let bound: BTreeSet<&str> = ends.chain(members).collect();
    let ids = imported.components.iter().map(|component| component.id.as_str());
    ids.filter(|id| !bound.contains(id)).map(str::to_owned).collect()
}

/// Every component and group as a map of texts, by id.
fn items(imported: &Imported) -> BTreeMap<&str, BTreeMap<String, String>> {
    let components = imported.components.iter().map(|component| (component.id.as_str(), component_words(component)));
    let groups = imported.groups.iter().map(|group| (group.id.as_str(), group_words(group)));
    components.chain(groups).collect()
}

fn component_words(component: &ImportedComponent) -> BTreeMap<String, String> {
    let mut words = BTreeMap::new();
    words.insert("type".to_owned(), component.kind.clone());
    let optional =
        [("name", &component.name), ("owner", &component.owner), ("environment", &component.environment), ("tier", &component.tier)];
    for (key, value) in optional {
        if let Some(value) = value {
            words.insert(key.to_owned(), value.clone());
        }
    }
    for (name, value) in &component.attributes {
        let value = match value {
            AttributeText::Text(text) => text.clone(),
            AttributeText::Number(number) => number.to_string(),
            AttributeText::Bool(value) => value.to_string(),
        };
        words.insert(format!("attribute `{name}`"), value);
    }
    words
}

fn group_words(group: &ImportedGroup) -> BTreeMap<String, String> {
    let members = ("members".to_owned(), group.members.join(", "));
    BTreeMap::from([members, ("need".to_owned(), group.need.to_string()), ("type".to_owned(), "redundancy".to_owned())])
}

fn differences(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<String> {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut changes = Vec::new();
    for key in keys {
        match (old.get(key), new.get(key)) {
            (Some(old), Some(new)) if old == new => {}
            (Some(old), Some(new)) => changes.push(format!("{key}: {old} → {new}")),
            (Some(old), None) => changes.push(format!("{key}: {old} → (none)")),
            (None, Some(new)) => changes.push(format!("{key}: (none) → {new}")),
            (None, None) => {}
        }
    }
    changes
}
