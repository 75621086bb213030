//! Ranking: which unit best explains what strays and what alerts, along the travel of faults.
//!
//! `score = own × (½ + ½·reach) × (1 − cause)`. `own` is what speaks against the unit itself; `reach` the share of all trouble
//! that its fault would explain: its own, and that of its dependents which begin no earlier; `cause` what a dependency takes over
//! that strays too and no later: for strengths `a` of the dependency and `b` of the unit, `a²/(a²+b²)`, a half where both stray
//! alike. Squared, because noise far below must not take over what is plainly here. That a component whose own dependencies are
//! healthy, and which is itself not, is the root, is the observation of Chen et al. (`CauseInfer`, INFOCOM 2014) and of Lin et al.
//! (`MicroScope`, ICSOC 2018); the form of the product is ours. A unit of which nothing is measured has only its reach.

use std::collections::{BTreeMap, BTreeSet};

use crate::estate::{ComponentId, Snapshot};
use crate::signal::Facts;
use crate::value::Time;

use super::family::family;
use super::reasons;
use super::score::{Deviation, step};
use super::trouble::{FAINT, Trouble, troubles};
use super::units::Units;

/// Half of a score a unit has by straying, half by explaining others: a leaf that nobody depends on can still be broken.
const ALONE: f64 = 0.5;

/// What speaks against a candidate of which nothing is measured. Less than an alert, so that it must explain several that alert
/// before it is named before each of them.
const SILENT: f64 = 0.2;

/// In the sum that confidence is a share of, for the culprit that is not among the candidates: as much as an alert.
const SOMETHING_ELSE: f64 = 0.3;

/// Nobody looks further down, and many unlikely suspects together must not take the confidence of a likely one.
const MAX_RANKED: usize = 20;

/// Without a symptom only this convinces that something is wrong. Strong: well beyond the cut of 3.5, since thousands of series
/// are looked at and tails are heavy.
const FIRM: f64 = 6.0;
/// Sustained: three samples, because two in a row are common where scrapes and windows overlap.
const SUSTAINED: usize = 3;
/// Corroborated: another family of metrics of the unit, or a unit that the topology connects, strays so too, and both begin within
/// so many samples. Independent noise does not.
const TOGETHER: i64 = 2;

/// What asks for an explanation: an alert, a report, a failed probe.
#[derive(Debug, Clone, PartialEq)]
pub struct Symptom {
    pub component: ComponentId,
    pub onset: Time,
    /// 1 for an ordinary alert.
    pub weight: f64,
}

/// A suspect.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// A pod and the only service that runs on it are one; named is the service.
    pub component: ComponentId,
    /// Above 0, at most 1; comparable within one answer only.
    pub score: f64,
    /// 0 to 1: the share of its score in that of all suspects and something else. Monotone in the score, **not calibrated**.
    pub confidence: f64,
    /// In words, the weightiest first.
    pub reasons: Vec<String>,
    /// Straying components and those with symptoms that its fault reaches, itself included; ascending.
    pub explains: Vec<ComponentId>,
    /// Its own, as positions in the slice that was given; ascending.
    pub deviations: Vec<usize>,
}

/// A candidate under judgement.
pub(super) struct Suspect {
    pub unit: ComponentId,
    /// Hops from the nearest symptom.
    pub distance: u32,
    pub score: f64,
    /// Units in trouble that its fault explains, without itself; ascending.
    pub explained: Vec<ComponentId>,
    /// The dependency that takes over most, with its share.
    pub cause: Option<(ComponentId, f64)>,
}

/// Suspects, the best first, at most 20. Empty: nothing is wrong as far as this can tell.
///
/// Candidates are the units with symptoms and all that they depend on. Without a symptom, units that stray strongly, for long and
/// not alone take their place; without those, too, it abstains.
pub fn rank(estate: &Snapshot, facts: &Facts, deviations: &[Deviation], symptoms: &[Symptom]) -> Vec<Ranked> {
    let straying = deviations.iter().filter(|d| d.score >= FAINT).filter_map(|d| d.component).collect();
    let units = Units::new(estate, &straying);
    let troubles = troubles(estate, facts, deviations, symptoms, &units);
    let seeds: BTreeSet<ComponentId> = if symptoms.is_empty() {
        convincing(facts, deviations, &troubles, &units)
    } else {
        symptoms.iter().map(|symptom| units.of(symptom.component)).collect()
    };
    let mut suspects = suspects(facts, &troubles, &units, &candidates(&seeds, &units));
    suspects.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| (a.distance, a.unit).cmp(&(b.distance, b.unit))));
    suspects.truncate(MAX_RANKED);
    let sum = SOMETHING_ELSE + suspects.iter().map(|suspect| suspect.score).sum::<f64>();
    let ranked = |suspect: Suspect| {
        let trouble = troubles.get(&suspect.unit);
        Ranked {
            component: suspect.unit,
            score: suspect.score,
            confidence: suspect.score / sum,
            reasons: reasons::words(estate, facts, deviations, &troubles, &suspect),
            explains: explains(deviations, &troubles, &suspect),
            deviations: trouble.map(|trouble| trouble.deviations.clone()).unwrap_or_default(),
        }
    };
    suspects.into_iter().map(ranked).collect()
}

/// Units that stray strongly, for long, and not alone.
fn convincing(
    facts: &Facts,
    deviations: &[Deviation],
    troubles: &BTreeMap<ComponentId, Trouble>,
    units: &Units<'_>,
) -> BTreeSet<ComponentId> {
    let is_firm = |deviation: &&Deviation| deviation.score >= FIRM && deviation.samples >= SUSTAINED;
    let firm: BTreeMap<ComponentId, Vec<&Deviation>> = troubles
        .iter()
        .map(|(unit, trouble)| (*unit, trouble.deviations.iter().filter_map(|at| deviations.get(*at)).filter(is_firm).collect()))
        .filter(|(_, firm): &(ComponentId, Vec<&Deviation>)| !firm.is_empty())
        .collect();
    let step_of = |deviation: &Deviation| facts.series.get(deviation.series).map_or(0, |series| step(&series.points));
    let together = |a: &Deviation, b: &Deviation| a.onset.since(b.onset).abs() <= TOGETHER * step_of(a).max(step_of(b));
    let corroborated = |unit: ComponentId, own: &[&Deviation]| {
        let within = own.iter().any(|a| own.iter().any(|b| family(&a.metric) != family(&b.metric) && together(a, b)));
        let connected = || units.dependents(unit).into_keys().chain(units.dependencies(unit).into_keys());
        within || connected().filter_map(|other| firm.get(&other)).flatten().any(|b| own.iter().any(|a| together(a, b)))
    };
    firm.iter().filter(|(unit, own)| corroborated(**unit, own)).map(|(unit, _)| *unit).collect()
}

/// The seeds and all that they depend on, with the hops from the nearest seed.
fn candidates(seeds: &BTreeSet<ComponentId>, units: &Units<'_>) -> BTreeMap<ComponentId, u32> {
    let mut found: BTreeMap<ComponentId, u32> = BTreeMap::new();
    for &seed in seeds {
        for (unit, distance) in units.dependencies(seed).into_iter().chain([(seed, 0)]) {
            let nearest = found.entry(unit).or_insert(distance);
            *nearest = distance.min(*nearest);
        }
    }
    found
}

/// Two walks for each unit in trouble instead of two for each candidate: a storm has hundreds of the one, an estate a hundred
/// thousand of the other.
fn suspects(
    facts: &Facts,
    troubles: &BTreeMap<ComponentId, Trouble>,
    units: &Units<'_>,
    candidates: &BTreeMap<ComponentId, u32>,
) -> Vec<Suspect> {
    let measured: BTreeSet<ComponentId> = facts
        .series
        .iter()
        .filter(|series| series.points.iter().any(|(_, value)| value.is_finite()))
        .filter_map(|series| Some(units.of(series.component?)))
        .collect();
    let mut below: BTreeMap<ComponentId, Vec<ComponentId>> = BTreeMap::new();
    let mut above: BTreeMap<ComponentId, Vec<ComponentId>> = BTreeMap::new();
    for (&unit, trouble) in troubles {
        for (candidate, _) in units.dependencies(unit) {
            above.entry(candidate).or_default().push(unit);
        }
        if trouble.evidence > 0.0 {
            for (candidate, _) in units.dependents(unit) {
                below.entry(candidate).or_default().push(unit);
            }
        }
    }
    let total: f64 = troubles.values().map(|trouble| trouble.weight).sum();
    let none = Vec::new();
    let judge = |(&unit, &distance): (&ComponentId, &u32)| {
        let mine = troubles.get(&unit);
        let own = mine.map_or(if measured.contains(&unit) { 0.0 } else { SILENT }, |trouble| trouble.weight);
        if own <= 0.0 || total <= 0.0 {
            return None;
        }
        let mut explained = explained(mine, above.get(&unit).unwrap_or(&none), troubles);
        if mine.is_none() {
            // Silence speaks against a unit only as far as nothing that strays explains the same.
            explained.retain(|other| troubles.get(other).is_some_and(|t| t.evidence <= 0.0) && !below.contains_key(other));
        }
        let others: f64 = explained.iter().filter_map(|other| troubles.get(other)).map(|trouble| trouble.weight).sum();
        let reach = (others + mine.map_or(0.0, |trouble| trouble.weight)) / total;
        let alone = if mine.is_some() { ALONE } else { 0.0 };
        let cause = cause(mine, own, below.get(&unit).unwrap_or(&none), troubles);
        let score = own * (alone + (1.0 - alone) * reach) * (1.0 - cause.map_or(0.0, |(_, share)| share));
        // Rounded, so that the order in which sums were taken does not decide between equals.
        let score = (score * 1e9).round() / 1e9;
        (score > 0.0).then_some(Suspect { unit, distance, score, explained, cause })
    };
    candidates.iter().filter_map(judge).collect()
}

/// Dependents in trouble that begin no earlier. Of a candidate that nothing is known of, all.
fn explained(mine: Option<&Trouble>, above: &[ComponentId], troubles: &BTreeMap<ComponentId, Trouble>) -> Vec<ComponentId> {
    let follows =
        |other: &&ComponentId| troubles.get(other).is_some_and(|other| mine.is_none_or(|mine| mine.begins_with(mine.begin, other)));
    above.iter().filter(follows).copied().collect()
}

/// The dependency that takes over most, of those that stray no later.
fn cause(mine: Option<&Trouble>, own: f64, below: &[ComponentId], troubles: &BTreeMap<ComponentId, Trouble>) -> Option<(ComponentId, f64)> {
    let share = |unit: &ComponentId| {
        let other = troubles.get(unit)?;
        let from = other.strays_from?;
        let precedes = mine.is_none_or(|mine| other.begins_with(from, mine));
        let strength = other.evidence * other.evidence;
        precedes.then(|| (*unit, strength / (strength + own * own)))
    };
    // Of equals the first: `max_by` would take the last.
    below.iter().filter_map(share).fold(None, |best, next| match best {
        Some((_, share)) if share >= next.1 => best,
        Some(_) | None => Some(next),
    })
}

fn explains(deviations: &[Deviation], troubles: &BTreeMap<ComponentId, Trouble>, suspect: &Suspect) -> Vec<ComponentId> {
    let mut found = BTreeSet::from([suspect.unit]);
    for trouble in suspect.explained.iter().chain([&suspect.unit]).filter_map(|unit| troubles.get(unit)) {
        found.extend(&trouble.symptoms);
        found.extend(trouble.deviations.iter().filter_map(|at| deviations.get(*at)?.component));
    }
    found.into_iter().collect()
}
