//! Compares drafts with the existing rules: which cover a draft, which disagree with it, and which identifiers are free.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use compile::plan::Status;
use project::{Bundle, Project};

use super::itemsets::number;
use super::measure::Held;
use super::transactions::Incident;

/// How an existing rule relates to a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stand {
    /// It names the root cause in every incident that supports the draft.
    Covers,
    /// It names another component in an incident that supports the draft.
    Disagrees,
    /// It matches in some of the same incidents.
    Overlaps,
}

impl Stand {
    pub fn words(self) -> &'static str {
        match self {
            Stand::Covers => "already names the cause in all of these incidents",
            Stand::Disagrees => "names another component",
            Stand::Overlaps => "matches in some of these incidents",
        }
    }
}

/// An existing rule that matches in some of the incidents in which a draft matches.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overlap {
    pub rule: String,
    pub title: String,
    /// Whether it has `status draft` itself, like an earlier proposal.
    pub draft: bool,
    pub stand: Stand,
    /// The incidents in which both match; for a conflict, those in which the rule names another component.
    pub incidents: Vec<String>,
    /// Jaccard: of the incidents in which either matches, the share in which both do. 0 to 1.
    pub jaccard: f64,
}

/// The findings of the project's rules in each incident.
#[derive(Debug, Default)]
pub struct Existing {
    rules: BTreeMap<String, Observed>,
}

#[derive(Debug, Default)]
struct Observed {
    title: String,
    draft: bool,
    /// The components that it names, by incident.
    named: BTreeMap<usize, BTreeSet<String>>,
}

impl Existing {
    /// Adds the findings of one incident. Those overridden by another rule are ignored.
    pub fn observe(&mut self, at: usize, bundle: &Bundle<'_>) {
        let engine = bundle.engine();
        for finding in engine.findings().into_iter().filter(|finding| finding.overridden.is_none()) {
            let rule = self.rules.entry(finding.rule.id.clone()).or_default();
            rule.title.clone_from(&finding.rule.title);
            rule.draft = finding.rule.status == Status::Draft;
            // Causes come before faults, as in a diagnosis.
            let conclusions = &finding.conclusions;
            let said = if conclusions.causes.is_empty() { &conclusions.faults } else { &conclusions.causes };
            let named = said.iter().flat_map(|(_, places)| places).map(|component| bundle.estate().component(*component).id.clone());
            rule.named.entry(at).or_default().extend(named);
        }
    }

    /// The existing rules that match in the same incidents as a draft: those that cover it first, then those that disagree, by id.
    pub fn against(&self, held: &Held, incidents: &[Incident]) -> Vec<Overlap> {
        let of_draft: BTreeSet<usize> = held.right.iter().chain(held.wrong.keys()).copied().collect();
        let names =
            |places: &mut dyn Iterator<Item = usize>| places.filter_map(|at| incidents.get(at)).map(|one| one.name.clone()).collect();
        let mut found: Vec<Overlap> = Vec::new();
        for (id, rule) in &self.rules {
            let common: Vec<usize> = of_draft.iter().copied().filter(|at| rule.named.contains_key(at)).collect();
            if common.is_empty() {
                continue;
            }
            let either = of_draft.len() + rule.named.len() - common.len();
            let broke = |at: usize, component: &str| incidents.get(at).is_some_and(|one| one.label_of(component).is_some());
            let right = |at: usize| rule.named.get(&at).is_some_and(|named| named.iter().any(|one| broke(at, one)));
            let other = |at: usize| rule.named.get(&at).is_some_and(|named| !named.is_empty() && !named.iter().any(|one| broke(at, one)));
            let disagree: Vec<usize> = held.right.iter().copied().filter(|at| other(*at)).collect();
            let (stand, at) = if !held.right.is_empty() && held.right.iter().all(|at| right(*at)) {
                (Stand::Covers, common.clone())
            } else if disagree.is_empty() {
                (Stand::Overlaps, common.clone())
            } else {
                (Stand::Disagrees, disagree)
            };
            found.push(Overlap {
                rule: id.clone(),
                title: rule.title.clone(),
                draft: rule.draft,
                stand,
                incidents: names(&mut at.into_iter()),
                jaccard: number(common.len()) / number(either.max(1)),
            });
        }
        found.sort_by(|a, b| (a.stand, &a.rule).cmp(&(b.stand, &b.rule)));
        found
    }
}

/// Free identifiers: for each prefix, the numbers after the highest one in the project.
#[derive(Debug)]
pub struct Ids {
    highest: BTreeMap<String, u64>,
}

impl Ids {
    pub fn new(project: &Project) -> Self {
        let taken = project.files().iter().flat_map(|file| &file.rules).map(|rule| rule.id.value.as_str());
        Self::after(taken)
    }

    fn after<'i>(taken: impl Iterator<Item = &'i str>) -> Self {
        let mut highest: BTreeMap<String, u64> = BTreeMap::new();
        for (prefix, rest) in taken.filter_map(|id| id.split_once('-')) {
            let Ok(number) = rest.parse::<u64>() else { continue };
            let before = highest.entry(prefix.to_owned()).or_default();
            *before = number.max(*before);
        }
        Ids { highest }
    }

    pub fn next(&mut self, prefix: &str) -> String {
        let last = self.highest.entry(prefix.to_owned()).or_default();
        *last = last.saturating_add(1);
        format!("{prefix}-{last:03}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::{Existing, Held, Ids, Observed, Stand};
    use crate::transactions::{Incident, Label};

    #[test]
    fn identifiers_that_are_free() {
        let mut ids = Ids::after(["MET-004", "MET-101", "MET-extra", "TOP-9"].into_iter());
        assert_eq!([ids.next("MET"), ids.next("MET"), ids.next("TOP"), ids.next("TREE")], ["MET-102", "MET-103", "TOP-010", "TREE-001"]);
    }

    fn incident(name: &str, root: Option<&str>) -> Incident {
        let label = Label { kind: "database".into(), fault: "full".into() };
        let roots = root.map(|id| (id.to_owned(), label)).into_iter().collect();
        Incident { name: name.into(), roots, rows: Vec::new(), shown: BTreeMap::new(), quiet: BTreeMap::new() }
    }

    /// The draft holds in 0 and 1 (right) and 3 (wrong); the rule names these components in these incidents.
    fn check(named: &[(usize, &[&str])], expected: Option<(Stand, &[&str], f64)>) {
        let incidents = [incident("0", Some("a")), incident("1", Some("b")), incident("2", Some("a")), incident("3", None)];
        let named = named.iter().map(|(at, list)| (*at, list.iter().map(|one| (*one).to_owned()).collect())).collect();
        let rules = BTreeMap::from([("TOP-1".to_owned(), Observed { title: "t".into(), draft: false, named })]);
        let wrong = BTreeMap::from([(3, BTreeSet::from(["a".to_owned()]))]);
        let found = Existing { rules }.against(&Held { right: BTreeSet::from([0, 1]), wrong }, &incidents);
        let found: Vec<_> = found.into_iter().map(|o| (o.stand, o.incidents, o.jaccard)).collect();
        let expected: Vec<_> =
            expected.into_iter().map(|(s, list, j)| (s, list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>(), j)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn stands_of_rules() {
        // Both hold in 0 and 1, either in 0, 1, 3: two thirds.
        check(&[(0, &["a"]), (1, &["b", "x"])], Some((Stand::Covers, &["0", "1"], 2.0 / 3.0)));
        check(&[(0, &["a"]), (1, &["x"])], Some((Stand::Disagrees, &["1"], 2.0 / 3.0)));
        check(&[(0, &["a"])], Some((Stand::Overlaps, &["0"], 1.0 / 3.0)));
        check(&[(2, &["a"])], None);
        // Without a place it contradicts nobody.
        check(&[(1, &[])], Some((Stand::Overlaps, &["1"], 1.0 / 3.0)));
    }
}
