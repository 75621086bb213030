//! Describes a group of signals as text: its name, and what joins it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use estate::{ComponentId, Snapshot};
use value::Time;

use super::cluster_texts::Texts;
use super::clusters::Loose;
use super::diagnosis::{ClusterView, CommonRelation, CommonView, JoinedBy};
use super::symptoms::Kind;

/// Maximum length of a label in characters; the template is longer.
const MAX_LABEL: usize = 80;

/// A group as shown in the diagnosis. `members` has at least one entry and is sorted by time.
pub fn view(estate: &Snapshot, loose: &[Loose<'_>], texts: &Texts, by: JoinedBy, members: &[usize]) -> ClusterView {
    let signals: Vec<&Loose<'_>> = members.iter().filter_map(|at| loose.get(*at)).collect();
    let components: Vec<ComponentId> = signals.iter().filter_map(|one| one.component).collect::<BTreeSet<_>>().into_iter().collect();
    let kinds: BTreeSet<&str> = components.iter().map(|component| estate.component(*component).kind.as_str()).collect();
    let kind = kinds.first().filter(|_| kinds.len() == 1).map(|kind| (*kind).to_owned());
    let (label, template) = match by {
        JoinedBy::Text => {
            let template = most_frequent(members.iter().map(|at| texts.template(*at)));
            (Some(label(&signals, template)), Some(template.to_owned()))
        }
        JoinedBy::Place | JoinedBy::Nothing => (None, None),
    };
    let common = match by {
        JoinedBy::Text | JoinedBy::Place => common(estate, &components),
        JoinedBy::Nothing => None,
    };
    let mut view = ClusterView {
        name: String::new(),
        joined_by: by,
        reason: String::new(),
        metrics_only: signals.iter().all(|one| one.kind == Kind::Metric),
        differing: by == JoinedBy::Text && members.iter().map(|at| texts.template(*at)).collect::<BTreeSet<_>>().len() > 1,
        signals: signals.iter().map(|one| one.signals).sum(),
        unplaced: signals.iter().filter(|one| one.component.is_none()).count(),
        label,
        template,
        components: components.iter().map(|component| estate.component(*component).id.clone()).collect(),
        kind,
        common,
        first: signals.iter().map(|one| one.onset).min().unwrap_or(Time::MIN),
        last: signals.iter().map(|one| one.onset).max().unwrap_or(Time::MIN),
        members: members.to_vec(),
    };
    view.members.sort_unstable();
    view
}

/// The name that all alerts of a group share, otherwise the most frequent text.
fn label(signals: &[&Loose<'_>], template: &str) -> String {
    let names: BTreeSet<Option<&str>> = signals.iter().map(|one| one.name).collect();
    let only = names.first().copied().flatten().filter(|name| names.len() == 1 && !name.is_empty());
    only.unwrap_or(template).chars().take(MAX_LABEL).collect()
}

/// Ties: the first in alphabetical order.
fn most_frequent<'a>(texts: impl Iterator<Item = &'a str>) -> &'a str {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for text in texts {
        *counts.entry(text).or_default() += 1;
    }
    counts.into_iter().min_by_key(|(text, count)| (Reverse(*count), *text)).map_or("", |(text, _)| text)
}

/// A direct dependency that all components share, otherwise a direct dependent, otherwise a container of all of them.
fn common(estate: &Snapshot, components: &[ComponentId]) -> Option<CommonView> {
    let (first, others) = components.split_first().filter(|(_, others)| !others.is_empty())?;
    for (relation, of) in RELATIONS {
        let mut left = of(estate, *first);
        for other in others {
            if left.is_empty() {
                break;
            }
            let theirs: BTreeSet<ComponentId> = of(estate, *other).into_iter().collect();
            left.retain(|component| theirs.contains(component));
        }
        if let Some(found) = left.first() {
            // Containers are also dependencies; containment is the more specific relation.
            let held = *relation == CommonRelation::Holder || estate.holders(*first).contains(found);
            let relation = if held { CommonRelation::Holder } else { *relation };
            return Some(CommonView { relation, component: estate.component(*found).id.clone() });
        }
    }
    None
}

type Neighbours = fn(&Snapshot, ComponentId) -> Vec<ComponentId>;

/// The nearest first. Containers come last, because the topmost ones contain everything.
const RELATIONS: &[(CommonRelation, Neighbours)] = &[
    (CommonRelation::Dependency, |estate, component| estate.next_to(component, &[], false)),
    (CommonRelation::Dependent, |estate, component| estate.next_to(component, &[], true)),
    (CommonRelation::Holder, |estate, component| estate.holders(component)),
];

#[cfg(test)]
mod tests {
    use super::most_frequent;

    #[test]
    fn the_most_frequent_text() {
        assert_eq!(most_frequent(["b", "a", "b", "a", "c"].into_iter()), "a");
        assert_eq!(most_frequent(std::iter::empty()), "");
    }
}
