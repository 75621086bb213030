//! Associations: which items together indicate a label.
//!
//! A set of items holds for a component of the label's type (its row). Where that is the component that broke with this fault,
//! the incident *shows* it; where it is another component, or another fault, or nothing broke, the incident is a
//! counter-example. So each incident counts at most once for and at most once against, and
//!
//! - support = incidents that show it (as a share: of all incidents),
//! - confidence = shown / (shown + counter-examples),
//! - lift = confidence / share of incidents with this label
//!
//! (Agrawal, Imieliński and Swami, SIGMOD 1993). Sets are ordered by the lower end of Wilson's interval of their confidence,
//! because incidents are few: 3 of 3 is less sure than 19 of 20.

use std::collections::{BTreeMap, BTreeSet};

use estate::Model;

use super::itemsets::{Bounds, frequent, number, wilson};
use super::transactions::{Incident, Item, Label, Place, Row, Symptom};

/// Maximum number of conditions in one rule: a person can check as many against an incident at a glance.
const MAX_CONDITIONS: usize = 3;

/// Maximum number of items of one label that are combined, the most specific first. They have some 10,000 sets of up to three.
const MAX_ITEMS: usize = 40;

/// Maximum number of sets of one label that are drafted and measured. More would be variations of these.
const MAX_TRIED: usize = 8;

/// A set of items that indicates a label.
#[derive(Debug, Clone, PartialEq)]
pub struct Association {
    pub label: Label,
    /// Ascending.
    pub items: Vec<Item>,
    /// Positions of the incidents that show it, and of the counter-examples.
    pub right: BTreeSet<usize>,
    pub wrong: BTreeSet<usize>,
    /// How many other sets match exactly the same incidents.
    pub alike: usize,
}

/// The incidents of each label, by label.
pub fn labels(incidents: &[Incident]) -> BTreeMap<Label, BTreeSet<usize>> {
    let mut found: BTreeMap<Label, BTreeSet<usize>> = BTreeMap::new();
    for (at, incident) in incidents.iter().enumerate() {
        for label in incident.roots.values() {
            found.entry(label.clone()).or_default().insert(at);
        }
    }
    found
}

/// The share of `right` in both; 0 if both are 0.
pub fn confidence(right: usize, wrong: usize) -> f64 {
    if right == 0 { 0.0 } else { number(right) / number(right + wrong) }
}

/// One row of the label's type, with the numbers of its items.
struct Seen<'i> {
    incident: usize,
    row: &'i Row,
    is_root: bool,
}

/// The best associations for a label that at least `least` incidents show: the most certain first, at most [`MAX_TRIED`], and only
/// one of those that match the same incidents.
pub fn associations(incidents: &[Incident], label: &Label, model: &Model, least: usize) -> Vec<Association> {
    let mut seen = Vec::new();
    for (at, incident) in incidents.iter().enumerate() {
        for row in incident.rows.iter().filter(|row| model.is_a(&row.kind, &label.kind)) {
            seen.push(Seen { incident: at, row, is_root: incident.label_of(&row.component) == Some(label) });
        }
    }
    let items = telling(&seen, least);
    let number_of: BTreeMap<&Item, usize> = items.iter().copied().zip(0..).collect();
    let numbers = |one: &Seen<'_>| one.row.items.keys().filter_map(|item| number_of.get(item).copied()).collect::<Vec<usize>>();
    let roots: Vec<Vec<usize>> = seen.iter().filter(|one| one.is_root).map(numbers).collect();
    let sets = frequent(&roots, Bounds { least, longest: MAX_CONDITIONS });
    let rows_of: Vec<BTreeSet<usize>> = items
        .iter()
        .map(|item| (0..).zip(&seen).filter(|(_, one)| one.row.items.contains_key(*item)).map(|(at, _)| at).collect())
        .collect();
    let mut found = Vec::new();
    for set in sets.into_keys() {
        let of_set: Vec<&Item> = set.iter().filter_map(|number| items.get(*number).copied()).collect();
        if !can_be_a_rule(&of_set) {
            continue;
        }
        let mut of_each = set.iter().filter_map(|number| rows_of.get(*number));
        let Some(first) = of_each.next() else { continue };
        let others: Vec<&BTreeSet<usize>> = of_each.collect();
        let (mut right, mut wrong) = (BTreeSet::new(), BTreeSet::new());
        for row in first.iter().filter(|row| others.iter().all(|other| other.contains(row))).filter_map(|row| seen.get(*row)) {
            let side = if row.is_root { &mut right } else { &mut wrong };
            side.insert(row.incident);
        }
        if right.len() >= least {
            found.push(Counted { set, right, wrong });
        }
    }
    let association = |(one, alike): (Counted, usize)| {
        let mut items: Vec<Item> = one.set.iter().filter_map(|number| items.get(*number)).map(|item| (*item).clone()).collect();
        items.sort();
        Association { label: label.clone(), items, right: one.right, wrong: one.wrong, alike }
    };
    distinct(minimal(found)).into_iter().take(MAX_TRIED).map(association).collect()
}

/// A set of items by their numbers, ascending, with the incidents for and against it.
struct Counted {
    set: Vec<usize>,
    right: BTreeSet<usize>,
    wrong: BTreeSet<usize>,
}

/// The items that roots of the label show often enough, the most specific first.
fn telling<'i>(seen: &[Seen<'i>], least: usize) -> Vec<&'i Item> {
    let mut counts: BTreeMap<&Item, (BTreeSet<usize>, BTreeSet<usize>)> = BTreeMap::new();
    for one in seen {
        for item in one.row.items.keys() {
            let (right, wrong) = counts.entry(item).or_default();
            let side = if one.is_root { right } else { wrong };
            side.insert(one.incident);
        }
    }
    counts.retain(|_, (right, _)| right.len() >= least);
    let mut items: Vec<(f64, &Item)> = counts.iter().map(|(item, (r, w))| (wilson(r.len(), r.len() + w.len()).0, *item)).collect();
    items.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    items.into_iter().take(MAX_ITEMS).map(|(_, item)| item).collect()
}

/// A metric or a change alone is not enough for a rule: one anomalous metric is noise until a second signal agrees (`MET` requires two),
/// and something is always being changed.
fn can_be_a_rule(items: &[&Item]) -> bool {
    match items {
        [] => false,
        [only] => match (&only.place, &only.symptom) {
            (Place::Itself | Place::Under(_), Symptom::Alert(_) | Symptom::Log(_) | Symptom::ProbeFails) => true,
            (Place::Itself | Place::Under(_), Symptom::Metric { .. } | Symptom::Changed) | (Place::Over, _) => false,
        },
        [_, _, ..] => true,
    }
}

/// Drops sets that are no more certain than one of their own subsets.
fn minimal(mut found: Vec<Counted>) -> Vec<Counted> {
    let sure = |one: &Counted| confidence(one.right.len(), one.wrong.len());
    let known: BTreeMap<Vec<usize>, f64> = found.iter().map(|one| (one.set.clone(), sure(one))).collect();
    found.retain(|one| {
        // Every proper non-empty subset, as bits of a number: sets have at most `MAX_CONDITIONS` items.
        let parts = 1..(1usize << one.set.len()) - 1;
        let part =
            |bits: usize| one.set.iter().enumerate().filter(|(at, _)| (bits >> at) & 1 == 1).map(|(_, item)| *item).collect::<Vec<_>>();
        !parts.map(part).any(|part| known.get(&part).is_some_and(|of_part| *of_part >= sure(one)))
    });
    found
}

/// The most certain first. Of those that match the same incidents, only the first, with the number of the others.
fn distinct(mut found: Vec<Counted>) -> Vec<(Counted, usize)> {
    let lower = |one: &Counted| wilson(one.right.len(), one.right.len() + one.wrong.len()).0;
    // More supporting incidents first, then fewer conditions, then the items that are more specific on their own.
    found.sort_by(|a, b| {
        lower(b)
            .total_cmp(&lower(a))
            .then_with(|| b.right.len().cmp(&a.right.len()))
            .then_with(|| a.set.len().cmp(&b.set.len()))
            .then_with(|| a.set.cmp(&b.set))
    });
    let mut kept: Vec<(Counted, usize)> = Vec::new();
    let mut place_of: BTreeMap<(BTreeSet<usize>, BTreeSet<usize>), usize> = BTreeMap::new();
    for one in found {
        let place = *place_of.entry((one.right.clone(), one.wrong.clone())).or_insert(kept.len());
        match kept.get_mut(place) {
            Some((_, alike)) => *alike += 1,
            None => kept.push((one, 0)),
        }
    }
    kept
}

#[cfg(test)]
#[path = "associate_tests.rs"]
mod tests;
