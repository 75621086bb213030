//! What people and signals call a component, and why a word means none.

use std::collections::BTreeMap;

use diag::{Code, Diagnostic, Place, Text, suggestion, text};

use super::declared::DeclaredComponent;
use super::snapshot::Snapshot;

/// A message lists at most this many components.
const MAX_LISTED: usize = 8;

impl Snapshot {
    /// Why no one component is found by a word, and what to write instead.
    pub fn why_not_found(&self, word: &str) -> (Text, Option<Text>) {
        let called = self.called(word);
        if called.len() > 1 {
            let ids: Vec<&str> = called.iter().take(MAX_LISTED).map(|one| self.component(*one).id.as_str()).collect();
            let listed = ids.join(", ");
            let message = match called.len().saturating_sub(MAX_LISTED) {
                0 => text!("several components are called `{}`: {}", word, listed),
                more => text!("several components are called `{}`: {} and {} more", word, listed, more),
            };
            return (message, Some(text!("name one of them by its id")));
        }
        let all = self.ids().map(|one| self.component(one));
        let words = all.flat_map(|one| [&one.id, &one.name].into_iter().chain(&one.aliases)).map(String::as_str);
        (text!("the topology has no component `{}`", word), suggestion(word, words))
    }
}

/// Reports aliases that do not mean one component. Only what stands in a file can be mended; the rest is kept without a word.
pub(super) fn ambiguous(complaints: &mut Vec<Diagnostic>, said: &[DeclaredComponent]) {
    let mut holders: BTreeMap<&str, Vec<&DeclaredComponent>> = BTreeMap::new();
    for one in said {
        for alias in one.aliases.iter().filter(|alias| **alias != one.id) {
            holders.entry(alias).or_default().push(one);
        }
    }
    if holders.is_empty() {
        return;
    }
    // Who has the same word as an id or a name. An id counts first, as when a component is looked for.
    let mut owners: BTreeMap<&str, &DeclaredComponent> = BTreeMap::new();
    for one in said.iter().filter(|one| holders.contains_key(one.id.as_str()) && !one.extends) {
        owners.entry(&one.id).or_insert(one);
    }
    for one in said {
        if let Some(name) = one.name.as_deref().filter(|name| holders.contains_key(name)) {
            owners.entry(name).or_insert(one);
        }
    }
    for (alias, holders) in holders {
        let owner = owners.get(alias).copied();
        let first = holders.first().copied();
        for (nth, holder) in holders.into_iter().enumerate() {
            let Some(place) = holder.place() else { continue };
            if let Some(owner) = owner.filter(|owner| owner.id != holder.id) {
                let message = if owner.id == alias {
                    text!("`{}` is an alias of `{}`, and the id of another component", alias, holder.id)
                } else {
                    text!("`{}` is an alias of `{}`, and the name of `{}`", alias, holder.id, owner.id)
                };
                complaints.push(clash(place, message, owner));
            } else if let Some(first) = first.filter(|first| nth > 0 && owner.is_none() && first.id != holder.id) {
                complaints.push(clash(place, text!("`{}` is an alias of both `{}` and `{}`", alias, first.id, holder.id), first));
            }
        }
    }
}

fn clash(place: Place, message: Text, other: &DeclaredComponent) -> Diagnostic {
    let report = Diagnostic::warning(Code::DUPLICATE_NAME, place, message)
        .label("not found by this alias")
        .help("give each alias to one component only");
    match other.place() {
        Some(place) => report.related(place, "the other one"),
        None => report,
    }
}
