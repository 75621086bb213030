//! The weight of a past case, from how often it was right when it was proposed.
//!
//! The chance that a proposed case is right is unknown. Without feedback it is estimated as if there had been [`PRIOR_RIGHT`]
//! right and [`PRIOR_WRONG`] wrong answers; each answer that people confirm or correct counts as one more. The chance is the mean
//! of that Beta distribution (Laplace's rule of succession with another prior, e.g. Gelman et al., *Bayesian Data Analysis*,
//! section 2.4):
//!
//! `chance = (4 + right) / (5 + proposed)`, and `weight = chance / 0.8`.
//!
//! | right, wrong | 0, 0 | 0, 1 | 0, 3 | 0, 4 | 0, 15 | 1, 0 | 10, 0 | 1, 3 |
//! | --- | --- | --- | --- | --- | --- | --- | --- | --- |
//! | chance | 0.8 | 0.67 | 0.5 | 0.44 | 0.2 | 0.83 | 0.93 | 0.56 |
//! | weight | 1 | 0.83 | 0.62 | 0.56 | 0.25 | 1.04 | 1.17 | 0.69 |

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::feedback::{Entry, Layer};

/// Even a very similar case is a different incident, so it is never as certain as a rule that matched: a case that agrees in
/// everything starts at four out of five.
const PRIOR_RIGHT: f64 = 4.0;
/// Together with [`PRIOR_RIGHT`], the prior weighs as much as five answers. One answer changes the chance by at most a sixth, so that
/// a single human error does not discard a case; more than five answers outweigh the prior.
const PRIOR_WRONG: f64 = 1.0;
/// A case that is more likely wrong than right is no longer proposed; it is shown as similar, with the reason.
const LEAST_CHANCE: f64 = 0.5;

/// How often a case was right when it was proposed, according to feedback.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Record {
    pub right: u32,
    pub proposed: u32,
}

impl Record {
    /// The chance that the case is right when all of it agrees: 0 to 1, 0.8 without feedback.
    pub fn chance(self) -> f64 {
        (PRIOR_RIGHT + f64::from(self.right)) / (PRIOR_RIGHT + PRIOR_WRONG + f64::from(self.proposed))
    }

    /// The same relative to a case without feedback: above 0, below 1.25, and 1 without feedback.
    pub fn weight(self) -> f64 {
        self.chance() / Record::default().chance()
    }

    /// Whether it may still be proposed: it is not more likely wrong than right.
    pub fn may_speak(self) -> bool {
        self.chance() >= LEAST_CHANCE
    }
}

/// The records of all cases that people judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Weights(BTreeMap<String, Record>);

impl Weights {
    /// Only answers of the knowledge layer count: a case that is merely shown next to a rule's answer proposes nothing.
    pub fn of(entries: &[Entry]) -> Self {
        let mut records: BTreeMap<String, Record> = BTreeMap::new();
        for entry in entries {
            let (Some(answer), Some(right)) = (&entry.answer, entry.right()) else { continue };
            if answer.layer != Layer::Knowledge {
                continue;
            }
            for case in answer.cases.iter().collect::<BTreeSet<_>>() {
                let record = records.entry(case.clone()).or_default();
                record.proposed = record.proposed.saturating_add(1);
                record.right = record.right.saturating_add(u32::from(right));
            }
        }
        Self(records)
    }

    /// `None` for a case without feedback.
    pub fn find(&self, case: &str) -> Option<Record> {
        self.0.get(case).copied()
    }

    /// The empty record for a case without feedback.
    pub fn record(&self, case: &str) -> Record {
        self.find(case).unwrap_or_default()
    }

    /// The cases that people judged, by id.
    pub fn judged(&self) -> impl Iterator<Item = (&str, Record)> {
        self.0.iter().map(|(case, record)| (case.as_str(), *record))
    }
}

#[cfg(test)]
mod tests {
    use super::{Record, Weights};
    use crate::feedback::read;

    /// Right and wrong answers: chance, weight, and whether it may be proposed.
    fn check((right, wrong): (u32, u32), chance: f64, weight: f64, may: bool) {
        let record = Record { right, proposed: right + wrong };
        assert!((record.chance() - chance).abs() < 1e-12, "{record:?}: chance {}", record.chance());
        assert!((record.weight() - weight).abs() < 1e-12, "{record:?}: weight {}", record.weight());
        assert_eq!(record.may_speak(), may, "{record:?}");
    }

    #[test]
    fn few_answers_move_it_gently_and_many_strongly() {
        check((0, 0), 0.8, 1.0, true);
        check((0, 1), 4.0 / 6.0, 5.0 / 6.0, true);
        check((1, 0), 5.0 / 6.0, 6.25 / 6.0, true);
        check((1, 2), 0.625, 0.781_25, true);
        check((1, 3), 5.0 / 9.0, 6.25 / 9.0, true);
        check((0, 3), 0.5, 0.625, true);
        check((0, 4), 4.0 / 9.0, 5.0 / 9.0, false);
        check((2, 2), 6.0 / 9.0, 7.5 / 9.0, true);
        check((95, 0), 0.99, 1.2375, true);
    }

    #[test]
    fn only_proposed_cases_count_each_once_for_a_bundle() {
        let line = |bundle: &str, layer: &str, verdict: &str, cases: &str| {
            let root = if verdict == "corrected" { r#"{"component":"b"}"# } else { "null" };
            format!(
                r#"{{"time":"2025-06-01T00:00:00Z","bundle":"{bundle}","verdict":"{verdict}","answer":{{"component":"a","fault":"f","layer":"{layer}","confidence":0.5,"cases":{cases}}},"root":{root},"by":"x"}}"#
            )
        };
        let text = [
            line("1", "knowledge", "confirmed", r#"["HIS-1","HIS-1"]"#),
            line("2", "knowledge", "corrected", r#"["HIS-1","HIS-2"]"#),
            line("3", "expert", "no_fault", r#"["HIS-1"]"#),
            // A later entry about the same bundle replaces the earlier one.
            line("1", "knowledge", "no_fault", r#"["HIS-1"]"#),
            r#"{"time":"2025-06-01T00:00:00Z","bundle":"4","verdict":"no_fault","by":"x"}"#.to_owned(),
        ];
        let (entries, broken) = read(&text.join("\n"));
        assert!(broken.is_empty(), "{broken:?}");
        let weights = Weights::of(&entries);
        let found: Vec<_> = weights.judged().collect();
        assert_eq!(found, [("HIS-1", Record { right: 0, proposed: 2 }), ("HIS-2", Record { right: 0, proposed: 1 })]);
        assert_eq!((weights.find("HIS-3"), weights.record("HIS-3")), (None, Record::default()));
    }
}
