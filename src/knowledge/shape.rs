//! The two parts of a similarity that are not about texts: metrics, and the shape of what was affected.

use std::collections::{BTreeMap, BTreeSet};

use super::case::Case;
use super::similar::{Match, Symptoms};

/// The parts of a case that are not texts.
#[derive(Debug)]
pub(super) struct Facets {
    metrics: BTreeSet<(String, String, bool)>,
    /// How many components of each type were affected.
    kinds: BTreeMap<String, usize>,
    /// The entries of `affected` as written.
    names: BTreeSet<String>,
}

/// A metric that moved in both says half of what a symptom of its own words says: the same few metrics move in most incidents.
const METRIC_SAYS: f64 = 0.5;

/// How much one part agrees, and in what.
#[derive(Debug, Default)]
pub(super) struct Agreement {
    /// 0..1
    pub share: f64,
    /// How much what agrees says: 1 for what one would notice, see [`super::texts`].
    pub says: f64,
    pub matched: Vec<Match>,
}

impl Facets {
    /// `kind_of` gives the type of a component; an entry of `affected` that is not a component is taken as a type.
    pub fn new(case: &Case, kind_of: &impl Fn(&str) -> Option<String>) -> Self {
        let metrics = case.metrics.iter().map(|m| (m.kind.clone(), m.metric.clone(), m.high)).collect();
        let mut kinds = BTreeMap::new();
        for entry in &case.affected {
            *kinds.entry(kind_of(entry).unwrap_or_else(|| entry.clone())).or_insert(0) += 1;
        }
        Self { metrics, kinds, names: case.affected.iter().cloned().collect() }
    }

    /// Jaccard: of all metrics that moved in either, the share that moved in both, in the same direction.
    /// `None` if the case or the incident has no metrics.
    pub fn metrics(&self, symptoms: &Symptoms) -> Option<Agreement> {
        if self.metrics.is_empty() || symptoms.metrics.is_empty() {
            return None;
        }
        let all = self.metrics.union(&symptoms.metrics).count();
        let both: Vec<_> = self.metrics.intersection(&symptoms.metrics).collect();
        let same =
            |(kind, metric, high): &&(String, String, bool)| Match::Metric { kind: kind.clone(), metric: metric.clone(), high: *high };
        let matched = both.iter().map(same).collect();
        Some(Agreement { share: number(both.len()) / number(all), says: number(both.len()) * METRIC_SAYS, matched })
    }

    /// Cosine between the numbers of affected components by type, in the case and in the incident; or between the components
    /// themselves, if `affected` names components. The larger of the two counts, because a case names either.
    /// `None` if the case or the incident does not list affected components.
    pub fn shape(&self, symptoms: &Symptoms) -> Option<Agreement> {
        if self.names.is_empty() || (symptoms.kinds.is_empty() && symptoms.components.is_empty()) {
            return None;
        }
        let components: Vec<_> = self.names.intersection(&symptoms.components).collect();
        let same = ratio(number(components.len()), number(self.names.len()) * number(symptoms.components.len()));
        let kinds: Vec<_> = self.kinds.keys().filter(|kind| symptoms.kinds.contains_key(*kind)).collect();
        let components = components.iter().map(|id| Match::Component { component: (*id).clone() });
        let matched = components.chain(kinds.iter().map(|kind| Match::Type { kind: (*kind).clone() }));
        // In shape, most incidents of one estate resemble each other: it says nothing by itself.
        Some(Agreement { share: same.max(cosine(&self.kinds, &symptoms.kinds)), says: 0.0, matched: matched.collect() })
    }
}

fn cosine(a: &BTreeMap<String, usize>, b: &BTreeMap<String, usize>) -> f64 {
    let square = |counts: &BTreeMap<String, usize>| counts.values().map(|n| number(*n) * number(*n)).sum::<f64>();
    let product: f64 = a.iter().filter_map(|(kind, n)| b.get(kind).map(|m| number(*n) * number(*m))).sum();
    ratio(product, square(a) * square(b))
}

/// The cosine of two vectors, from their dot product and the product of their squared lengths. 0 if one of them is empty.
fn ratio(product: f64, squares: f64) -> f64 {
    if squares > 0.0 { (product / squares.sqrt()).min(1.0) } else { 0.0 }
}

/// A count as a number; the counts here are far below 2^53.
fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
