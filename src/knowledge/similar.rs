//! Finds the past cases that an incident resembles, with the degree of similarity and the matching parts.
//!
//! similarity = recency · Σ wᵢ·sᵢ / Σ wᵢ, over the parts that both the case and the incident have:
//!
//! | part | w | s, 0..1 |
//! | --- | --- | --- |
//! | text | 0.5 | BM25 of each symptom line of the case against its best text of the incident, over the line's score for itself; lines that are less than half shown count nothing; mean, weighted by that self-score |
//! | metrics | 0.25 | Jaccard of the sets of (type, metric, direction) |
//! | shape | 0.25 | cosine of the counts of affected types (or of the components, where the case names those) |
//!
//! - Text weighs as much as the rest together: people recognize a fault by its alerts and logs.
//! - The text is measured by how much of the *case* the incident shows, not the reverse: a storm adds texts that have
//!   nothing to do with the cause, and a case lists only the characteristic ones.
//! - A part that either side lacks is left out instead of counting as 0: a case without metrics is not a different case.
//! - A case with which the incident shares neither a text nor a metric has similarity 0: in shape alone, most incidents
//!   of one estate resemble each other.
//! - The title, the root cause and the notes are not compared: they say what was known afterwards.
//! - recency = max(½, ½^(age / 2 years)): systems change, so of two equal cases the newer one is better; but an old
//!   fault can still happen. A case without a date, or with one after the incident, counts in full.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use schemars::JsonSchema;
use serde::Serialize;

use super::case::Case;
use super::shape::{Agreement, Facets};
use super::texts::TextIndex;
use value::{DAY, Duration, Time};

/// From this similarity on a case may be proposed as an answer; a weaker one may only be shown.
///
/// If a case has all parts, one half is what text alone gives, or metrics and shape together: full agreement in one of the two, not
/// a little by chance in each. It is also the minimum of recency, so that an exact repeat is proposed no matter how old the case is.
pub const RESEMBLES: f64 = 0.5;

/// Above this rarity, a case says enough to be proposed: more than one generic symptom.
pub const TELLS: f64 = 0.5;

const TEXT: f64 = 0.5;
const METRICS: f64 = 0.25;
const SHAPE: f64 = 0.25;

/// After this time a case counts half: most of the software of an estate has been replaced once.
const HALF_LIFE: Duration = 2 * 365 * DAY;
/// The minimum factor for old cases.
const LEAST_RECENCY: f64 = 0.5;

/// What an incident shows, limited to what a case can record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Symptoms {
    /// Names and texts of alerts, texts of reports, error lines of logs.
    pub texts: Vec<String>,
    /// Type, metric, and whether it is above (not below) its usual range.
    pub metrics: BTreeSet<(String, String, bool)>,
    /// How many components of each type are affected: the shape.
    pub kinds: BTreeMap<String, usize>,
    /// The affected components.
    pub components: BTreeSet<String>,
}

/// All past cases, ready to be compared; built once.
#[derive(Debug)]
pub struct CaseBase {
    cases: Vec<Case>,
    /// One for each case.
    facets: Vec<Facets>,
    /// Built on first use, so that commands that do not compare cases need not wait for it.
    texts: OnceLock<TextIndex>,
}

/// A case that an incident resembles.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Similar {
    /// Position in [`CaseBase::cases`].
    pub case: usize,
    /// Above 0, up to 1: the same symptoms, recently.
    pub similarity: f64,
    /// How much the symptoms that agree say, 0 to 1: one half for one plain symptom that no other case has, and less for one that other
    /// cases have too, however well it fits. See [`TELLS`].
    pub rarity: f64,
    pub matched: Vec<Match>,
}

/// What a case and an incident have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Match {
    /// A text of an alert; `shared` has the words that agree, and is empty if all do.
    Alert {
        words: String,
        shared: Vec<String>,
    },
    /// A line of a log; likewise.
    Log {
        words: String,
        shared: Vec<String>,
    },
    Metric {
        kind: String,
        metric: String,
        high: bool,
    },
    Component {
        component: String,
    },
    Type {
        kind: String,
    },
}

impl CaseBase {
    /// Entries of a case's `affected` are taken as types, and as components if the incident has them.
    pub fn new(cases: Vec<Case>) -> Self {
        Self::with_kinds(cases, |_| None)
    }

    /// The same, but `kind_of` gives the type of a component, so that a case that names components has a shape, too.
    pub fn with_kinds(cases: Vec<Case>, kind_of: impl Fn(&str) -> Option<String>) -> Self {
        let facets = cases.iter().map(|case| Facets::new(case, &kind_of)).collect();
        Self { cases, facets, texts: OnceLock::new() }
    }

    /// In the original order.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    pub fn find(&self, id: &str) -> Option<&Case> {
        self.cases.iter().find(|case| case.id == id)
    }

    /// The cases that resemble an incident of the time `at`: all with a similarity above 0, the most similar first,
    /// equals by their id.
    pub fn similar(&self, symptoms: &Symptoms, at: Time) -> Vec<Similar> {
        let mut texts = self.texts.get_or_init(|| TextIndex::new(&self.cases)).compare(&symptoms.texts);
        let mut found: Vec<(&str, Similar)> = Vec::new();
        for (index, (case, facets)) in self.cases.iter().zip(&self.facets).enumerate() {
            let parts = [(TEXT, texts.remove(&index)), (METRICS, facets.metrics(symptoms)), (SHAPE, facets.shape(symptoms))];
            if let Some((likeness, says, matched)) = mean(parts) {
                let similarity = likeness * recency(case.date, at);
                found.push((case.id.as_str(), Similar { case: index, similarity, rarity: 1.0 - 0.5_f64.powf(says), matched }));
            }
        }
        found.sort_by(|(id, a), (other, b)| b.similarity.total_cmp(&a.similarity).then_with(|| id.cmp(other)).then(a.case.cmp(&b.case)));
        found.into_iter().map(|(_, similar)| similar).collect()
    }
}

/// The weighted mean over text, metrics and shape, as far as they are known. `None` if neither text nor metrics agree.
fn mean(parts: [(f64, Option<Agreement>); 3]) -> Option<(f64, f64, Vec<Match>)> {
    let [(_, text), (_, metrics), _] = &parts;
    if [text, metrics].into_iter().flatten().all(|part| part.share <= 0.0) {
        return None;
    }
    let (mut sum, mut weights, mut says, mut matched) = (0.0, 0.0, 0.0, Vec::new());
    for (weight, part) in parts {
        if let Some(part) = part {
            sum += weight * part.share;
            weights += weight;
            says += part.says;
            matched.extend(part.matched);
        }
    }
    Some((sum / weights, says, matched))
}

/// The factor for the age of a case: 1 for now, falling to one half after [`HALF_LIFE`], and never below.
fn recency(date: Option<Time>, at: Time) -> f64 {
    let age = date.map_or(0, |date| at.since(date)).max(0);
    #[allow(clippy::cast_precision_loss, reason = "milliseconds of a few thousand years stay below 2^53")]
    let half_lives = age as f64 / HALF_LIFE as f64;
    0.5_f64.powf(half_lives).max(LEAST_RECENCY)
}

#[cfg(test)]
#[path = "similar_tests.rs"]
mod tests;
