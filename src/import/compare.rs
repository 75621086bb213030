//! What a new import changes.

use std::collections::{BTreeMap, BTreeSet};

use estate::State;

use super::{Declared, DeclaredComponent, DeclaredGroup, DeclaredRelation, Skipped};

/// The difference of what two imports declare, by id. Groups count like components.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub added: Vec<String>,
    /// Each with what changed: ``attribute `replicas`: 2 → 3``.
    pub changed: Vec<(String, Vec<String>)>,
    pub gone: Vec<String>,
    /// Of those that came and went, the same under another id: what it was, what it is.
    pub renamed: Vec<(String, String)>,
    pub unchanged: usize,
    pub relations_added: Vec<DeclaredRelation>,
    /// Each with what changed.
    pub relations_changed: Vec<(DeclaredRelation, Vec<String>)>,
    pub relations_gone: Vec<DeclaredRelation>,
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
            && self.relations_changed.is_empty()
            && self.relations_gone.is_empty()
    }
}

pub fn compare(old: &Declared, new: &Declared) -> Report {
    let before = items(old);
    let after = items(new);
    let mut report = Report { alone: alone(new), ..Report::default() };
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
    report.renamed = renamed(old, new);
    let (was, is) = (relations(old), relations(new));
    let missing = |of: &Relations<'_>, other: &Relations<'_>| {
        of.iter().filter(|(key, _)| !other.contains_key(*key)).map(|(_, relation)| (*relation).clone()).collect::<Vec<_>>()
    };
    report.relations_added = missing(&is, &was);
    report.relations_gone = missing(&was, &is);
    for (key, relation) in &is {
        let changes = was.get(key).map(|known| differences(&relation_words(known), &relation_words(relation))).unwrap_or_default();
        if !changes.is_empty() {
            report.relations_changed.push(((*relation).clone(), changes));
        }
    }
    report.relations_unchanged = is.len() - report.relations_added.len() - report.relations_changed.len();
    report
}

/// Ids that only have become longer or shorter, because a second component of the name came or went. Sorted.
fn renamed(old: &Declared, new: &Declared) -> Vec<(String, String)> {
    let (gone, came) = (only_in(old, new), only_in(new, old));
    let mut renamed = Vec::new();
    for (name, before) in &gone {
        let Some(after) = came.get(name) else { continue };
        for one in before {
            // Each must be the other's likeliest.
            if let Some(other) = likeliest(one, after).filter(|other| likeliest(other, before).is_some_and(|back| back.id == one.id)) {
                renamed.push((one.id.clone(), other.id.clone()));
            }
        }
    }
    let ids = |declared: &Declared| declared.groups.iter().map(|group| group.id.clone()).collect::<BTreeSet<String>>();
    let (known, there) = (ids(old), ids(new));
    let by_members: BTreeMap<&[String], &str> =
        new.groups.iter().filter(|group| !known.contains(&group.id)).map(|group| (group.members.as_slice(), group.id.as_str())).collect();
    for group in old.groups.iter().filter(|group| !there.contains(&group.id)) {
        renamed.extend(by_members.get(group.members.as_slice()).map(|id| (group.id.clone(), (*id).to_owned())));
    }
    renamed.sort();
    renamed
}

/// The components whose ids the other has not, by their names.
fn only_in<'d>(one: &'d Declared, other: &Declared) -> BTreeMap<&'d str, Vec<&'d DeclaredComponent>> {
    let ids: BTreeSet<&str> = other.components.iter().map(|component| component.id.as_str()).collect();
    let mut by_name: BTreeMap<&str, Vec<&DeclaredComponent>> = BTreeMap::new();
    for component in one.components.iter().filter(|component| !ids.contains(component.id.as_str())) {
        by_name.entry(component.name.as_ref().unwrap_or(&component.id)).or_default().push(component);
    }
    by_name
}

/// Which of these a component most likely is: of its type, in its namespace, with the most attributes alike. `None` if several are.
fn likeliest<'d>(one: &DeclaredComponent, others: &[&'d DeclaredComponent]) -> Option<&'d DeclaredComponent> {
    let place = |component: &DeclaredComponent| component.attributes.get("namespace").cloned();
    let alike = |other: &DeclaredComponent| {
        one.attributes.iter().filter(|(name, value)| other.attributes.get(name.as_str()) == Some(*value)).count()
    };
    let fitting = others.iter().copied().filter(|other| other.kind == one.kind && place(other) == place(one));
    let mut likely: Vec<(usize, &'d DeclaredComponent)> = fitting.map(|other| (alike(other), other)).collect();
    likely.sort_by_key(|(alike, _)| std::cmp::Reverse(*alike));
    let (most, first) = *likely.first()?;
    likely.get(1).is_none_or(|(next, _)| *next < most).then_some(first)
}

/// By start, kind and end: who declares them, and where, is no difference.
type Relations<'d> = BTreeMap<(&'d str, &'d str, &'d str), &'d DeclaredRelation>;

fn relations(declared: &Declared) -> Relations<'_> {
    declared.relations.iter().map(|one| ((one.from.as_str(), one.kind.as_str(), one.to.as_str()), one)).collect()
}

fn alone(declared: &Declared) -> Vec<String> {
    let ends = declared.relations.iter().flat_map(|relation| [relation.from.as_str(), relation.to.as_str()]);
    let members = declared.groups.iter().flat_map(|group| group.members.iter().map(String::as_str));
    let bound: BTreeSet<&str> = ends.chain(members).collect();
    let ids = declared.components.iter().map(|component| component.id.as_str());
    ids.filter(|id| !bound.contains(id)).map(str::to_owned).collect()
}

/// Every component and group as a map of texts, by id.
fn items(declared: &Declared) -> BTreeMap<&str, BTreeMap<String, String>> {
    let components = declared.components.iter().map(|component| (component.id.as_str(), component_words(component)));
    let groups = declared.groups.iter().map(|group| (group.id.as_str(), group_words(group)));
    components.chain(groups).collect()
}

fn component_words(component: &DeclaredComponent) -> BTreeMap<String, String> {
    let mut words = BTreeMap::new();
    words.insert("type".to_owned(), component.kind.clone());
    let optional =
        [("name", &component.name), ("owner", &component.owner), ("environment", &component.environment), ("tier", &component.tier)];
    for (key, value) in optional {
        if let Some(value) = value {
            words.insert(key.to_owned(), value.clone());
        }
    }
    if !component.aliases.is_empty() {
        words.insert("aliases".to_owned(), component.aliases.join(", "));
    }
    for (name, value) in &component.attributes {
        words.insert(format!("attribute `{name}`"), value.to_string());
    }
    words
}

fn relation_words(relation: &DeclaredRelation) -> BTreeMap<String, String> {
    relation.effect.map(State::name).into_iter().map(|word| ("effect".to_owned(), word.to_owned())).collect()
}

fn group_words(group: &DeclaredGroup) -> BTreeMap<String, String> {
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
