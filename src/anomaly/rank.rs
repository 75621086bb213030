//! Ranking: which unit best explains what strays and what alerts, along the travel of faults.
//!
//! `score = own × (½ + ½·reach) × (1 − cause)`. `own` is what speaks against the unit itself; `reach` the share of all trouble
//! that its fault would explain: its own, that of its dependents which begin no earlier, and half of that of what it calls; `cause` what
//! a dependency takes over that strays too and no later: for strengths `a` of the dependency, as far as it strays in the same ways, and
//! `b` of the unit, `a²/(a²+b²)`, a half where both stray alike. Squared, because noise far below must not take over what is plainly
//! here. That a component whose own dependencies are healthy, and which is itself not, is the root, is the observation of Chen et al.
//! (`CauseInfer`, INFOCOM 2014) and of Lin et al. (`MicroScope`, ICSOC 2018); the form of the product is ours. A unit of which nothing is
//! measured has only its reach.

use std::collections::{BTreeMap, BTreeSet};

use estate::{ComponentId, Snapshot};
use signal::Facts;
use value::{Duration, HOUR, Time};

use super::external_evidence::{ExternalEvidence, OUTSIDE};
use super::reasons::{self, Reasons};
use super::score::{Deviation, Reference, step};
use super::suspicion::{FAINT, SuspicionSource, Trouble, Vote, troubles};
use super::workloads::Units;

/// Half of a score a unit has by straying, half by explaining others: a leaf that nobody depends on can still be broken.
const ALONE: f64 = 0.5;

/// Trouble of what a unit calls, as far as its fault explains that: half. A caller that starves, floods or stops shows in what it
/// calls, but a fault travels the other way first.
const DOWNWARD: f64 = 0.5;

/// What speaks against a candidate of which nothing is measured. Less than an alert of a measured component (0.15), so that it must
/// explain several that alert before it is named before each of them.
const SILENT: f64 = 0.1;

/// What was changed in the hour before its trouble is half as likely again: most outages follow a change (about 70 % by Beyer et al.,
/// "Site Reliability Engineering", 2016, chapter 1), and most changes break nothing.
const CHANGED: f64 = 1.5;
const CHANGE_WINDOW: Duration = HOUR;

/// Scores become probabilities as `score³ / (Σ score³ + 0.06³)`: temperature scaling (Guo et al., "On Calibration of Modern Neural
/// Networks", ICML 2017) with a culprit beside all candidates. The two numbers are the most likely ones given the roots of 50 labelled
/// incidents of two systems; each system alone gives nearly the same (3.6 and 3.2, see docs/anomaly.md).
const SHARPNESS: i32 = 3;
const SOMETHING_ELSE: f64 = 0.06;

/// More than this is not said, since no recordings show it: of ten answers beyond 90 % all were right, from which follows no more than
/// 72 % with certainty (Wilson, 95 %).
const MOST_SURE: f64 = 0.95;

/// Nobody looks further down, and many unlikely suspects together must not take the confidence of a likely one.
const MAX_RANKED: usize = 20;

/// Without a symptom only this convinces that something is wrong. Strong: well beyond the cut of 3.5, since thousands of series
/// are looked at and tails are heavy.
const FIRM: f64 = 6.0;
/// Sustained: three samples, because two in a row are common where scrapes and windows overlap.
const SUSTAINED: usize = 3;
/// Corroborated: another family of metrics of the unit, or a unit next to it, strays so too, and both begin within so many samples.
/// Independent noise does not; and not any unit that some path connects, since in a large estate there is always one.
const TOGETHER: i64 = 2;
/// Still: what ended more than ten minutes before the last samples is history.
const STILL_THERE: f64 = 0.25;

/// What asks for an explanation: an alert, a report, a failed probe.
#[derive(Debug, Clone, PartialEq)]
pub struct Symptom {
    pub component: ComponentId,
    pub onset: Time,
    /// 1 for an ordinary alert.
    pub weight: f64,
}

/// What suspects are asked of.
#[derive(Clone, Copy)]
pub struct RankInput<'a> {
    pub estate: &'a Snapshot,
    pub facts: &'a Facts,
    /// The instant; nothing given is of later.
    pub at: Time,
    pub deviations: &'a [Deviation],
    pub witnesses: &'a [ExternalEvidence],
    pub symptoms: &'a [Symptom],
}

/// A suspect.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// A pod and the only service that runs on it are one; named is the service.
    pub component: ComponentId,
    /// Above 0, at most 1; comparable within one answer only.
    pub score: f64,
    /// 0 to 1: how probable it is that this is the root, given that there is one; see `SHARPNESS`.
    pub confidence: f64,
    /// In words.
    pub reasons: Reasons,
    /// Straying components and those with symptoms that its fault reaches, itself included; ascending.
    pub explains: Vec<ComponentId>,
    /// Its own, as positions in the slice that was given; ascending.
    pub deviations: Vec<usize>,
    /// What speaks most against it.
    pub leading: Option<SuspicionSource>,
    /// The components that it is: a service and its pods.
    pub members: Vec<ComponentId>,
}

/// A candidate under judgement.
pub(super) struct Suspect {
    pub unit: ComponentId,
    /// Hops from the nearest symptom; of those beside its path, more than any.
    pub distance: u32,
    pub score: f64,
    /// Units in trouble that its fault explains, without itself; ascending.
    pub explained: Vec<ComponentId>,
    /// Those of what it calls.
    pub called: Vec<ComponentId>,
    /// The dependency that takes over most, with its share.
    pub cause: Option<(ComponentId, f64)>,
    /// The last change of it before its trouble, as a position in `facts.changes`.
    pub change: Option<usize>,
}

/// What the topology says of the units in trouble.
struct Walks {
    /// For a unit, those in trouble which its fault would reach.
    above: BTreeMap<ComponentId, Vec<ComponentId>>,
    /// For a unit, those that stray and whose fault would reach it.
    below: BTreeMap<ComponentId, Vec<ComponentId>>,
}

/// Suspects, the best first, at most 20. Empty: nothing is wrong as far as this can tell.
///
/// Candidates are the units with symptoms and all that they depend on; and, with no symptom on their path but sharing a dependent with
/// one, units that stray. Without a symptom, units that stray strongly, for long and not alone take their place; without those, too, it
/// abstains.
pub fn rank(ask: &RankInput<'_>) -> Vec<Ranked> {
    let straying = ask.deviations.iter().filter(|d| d.score >= FAINT).filter_map(|d| d.component).collect();
    let units = Units::new(ask.estate, &straying);
    let has_samples = |points: &[(Time, f64)]| points.iter().any(|(_, value)| value.is_finite());
    let measured: BTreeSet<ComponentId> = ask
        .facts
        .series
        .iter()
        .filter(|series| has_samples(&series.points))
        .filter_map(|series| Some(units.of(series.component?)))
        .collect();
    let reach = |unit: ComponentId| units.dependents(unit).into_keys().collect::<Vec<ComponentId>>();
    let troubles = troubles(ask, &units, &measured, &reach);
    let seeds: BTreeSet<ComponentId> = if ask.symptoms.is_empty() {
        convincing(ask, &troubles, &units)
    } else {
        ask.symptoms.iter().map(|symptom| units.of(symptom.component)).collect()
    };
    let walks = walks(&troubles, &units);
    let candidates = candidates(&seeds, &troubles, &units);
    let mut suspects = suspects(ask, &measured, &troubles, &units, &walks, &candidates);
    suspects.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| (a.distance, a.unit).cmp(&(b.distance, b.unit))));
    suspects.truncate(MAX_RANKED);
    let sum = beside(&suspects, &troubles).powi(SHARPNESS) + suspects.iter().map(|suspect| suspect.score.powi(SHARPNESS)).sum::<f64>();
    let ranked = |suspect: &Suspect| {
        let trouble = troubles.get(&suspect.unit);
        Ranked {
            component: suspect.unit,
            score: suspect.score,
            confidence: (suspect.score.powi(SHARPNESS) / sum).min(MOST_SURE),
            reasons: reasons::words(ask, &troubles, &suspects, suspect),
            explains: explains(ask.deviations, &troubles, suspect),
            deviations: trouble.map(|trouble| trouble.deviations.clone()).unwrap_or_default(),
            leading: trouble.and_then(|trouble| trouble.votes.first()).map(|vote| vote.source),
            members: units.members(suspect.unit).collect(),
        }
    };
    suspects.iter().map(ranked).collect()
}

/// The score of what is not among the candidates: as likely as the best of them, as far as nothing but alerts speaks for that.
fn beside(suspects: &[Suspect], troubles: &BTreeMap<ComponentId, Trouble>) -> f64 {
    let Some(best) = suspects.first() else { return SOMETHING_ELSE };
    // Models outside say what they like: alone they convince of nothing.
    let ours = |trouble: &&Trouble| trouble.votes.iter().any(|vote| vote.family != OUTSIDE);
    let seen = |trouble: &Trouble| (trouble.evidence / trouble.own().max(f64::MIN_POSITIVE)).min(1.0);
    let seen = troubles.get(&best.unit).filter(ours).map_or(0.0, seen);
    (best.score * (1.0 - seen)).max(SOMETHING_ELSE)
}

/// Units that stray strongly, for long, not alone, not with the crowd, and still.
fn convincing(ask: &RankInput<'_>, troubles: &BTreeMap<ComponentId, Trouble>, units: &Units<'_>) -> BTreeSet<ComponentId> {
    let is_firm = |vote: &&Vote, deviation: &Deviation| {
        let alone = 1.0 - vote.common;
        deviation.score * alone >= FIRM
            && deviation.samples >= SUSTAINED
            && deviation.against != Reference::Peers
            && vote.fading >= STILL_THERE
    };
    let of = |trouble: &Trouble| {
        let firm = trouble.votes.iter().filter_map(|vote| {
            let SuspicionSource::Deviation(at) = vote.source else { return None };
            ask.deviations.get(at).filter(|deviation| is_firm(&vote, deviation))
        });
        firm.collect::<Vec<&Deviation>>()
    };
    let firm: BTreeMap<ComponentId, Vec<&Deviation>> =
        troubles.iter().map(|(unit, trouble)| (*unit, of(trouble))).filter(|(_, firm)| !firm.is_empty()).collect();
    let step_of = |deviation: &Deviation| ask.facts.series.get(deviation.series).map_or(0, |series| step(&series.points));
    let together = |a: &Deviation, b: &Deviation| a.onset.since(b.onset).abs() <= TOGETHER * step_of(a).max(step_of(b));
    let corroborated = |unit: ComponentId, own: &[&Deviation]| {
        // Votes are of different families.
        let within = own.iter().any(|a| own.iter().any(|b| a.series != b.series && together(a, b)));
        let near = |all: BTreeMap<ComponentId, u32>| all.into_iter().filter(|(_, hops)| *hops == 1).map(|(other, _)| other);
        let connected = || near(units.dependents(unit)).chain(near(units.dependencies(unit)));
        within || connected().filter_map(|other| firm.get(&other)).flatten().any(|b| own.iter().any(|a| together(a, b)))
    };
    firm.iter().filter(|(unit, own)| corroborated(**unit, own)).map(|(unit, _)| *unit).collect()
}

/// The seeds and all that they depend on, with the hops from the nearest seed; then units that stray and share a dependent with a seed,
/// or are one: a shared caller carries the fault from one branch to where it was noticed in another.
fn candidates(seeds: &BTreeSet<ComponentId>, troubles: &BTreeMap<ComponentId, Trouble>, units: &Units<'_>) -> BTreeMap<ComponentId, u32> {
    let mut found: BTreeMap<ComponentId, u32> = BTreeMap::new();
    let mut above: BTreeSet<ComponentId> = seeds.clone();
    for &seed in seeds {
        for (unit, distance) in units.dependencies(seed).into_iter().chain([(seed, 0)]) {
            let nearest = found.entry(unit).or_insert(distance);
            *nearest = distance.min(*nearest);
        }
        above.extend(units.dependents(seed).into_keys());
    }
    for (&unit, trouble) in troubles {
        let strays = trouble.evidence > 0.0 && !trouble.deviations.is_empty();
        let beside = || above.contains(&unit) || units.dependents(unit).into_keys().any(|dependent| above.contains(&dependent));
        if strays && !found.contains_key(&unit) && !seeds.is_empty() && beside() {
            found.insert(unit, u32::MAX);
        }
    }
    found
}

/// Two walks for each unit in trouble instead of two for each candidate: a storm has hundreds of the one, an estate a hundred
/// thousand of the other.
fn walks(troubles: &BTreeMap<ComponentId, Trouble>, units: &Units<'_>) -> Walks {
    let mut walks = Walks { above: BTreeMap::new(), below: BTreeMap::new() };
    for (&unit, trouble) in troubles {
        for (candidate, _) in units.dependencies(unit) {
            walks.above.entry(candidate).or_default().push(unit);
        }
        if trouble.evidence > 0.0 {
            for (candidate, _) in units.dependents(unit) {
                walks.below.entry(candidate).or_default().push(unit);
            }
        }
    }
    walks
}

fn suspects(
    ask: &RankInput<'_>,
    measured: &BTreeSet<ComponentId>,
    troubles: &BTreeMap<ComponentId, Trouble>,
    units: &Units<'_>,
    walks: &Walks,
    candidates: &BTreeMap<ComponentId, u32>,
) -> Vec<Suspect> {
    let total: f64 = troubles.values().map(Trouble::weight).sum();
    let none = Vec::new();
    let weigh = |others: &[ComponentId]| others.iter().filter_map(|other| troubles.get(other)).map(Trouble::weight).sum::<f64>();
    let judge = |(&unit, &distance): (&ComponentId, &u32)| {
        let mine = troubles.get(&unit);
        let own = mine.map_or(if measured.contains(&unit) { 0.0 } else { SILENT }, Trouble::own);
        if own <= 0.0 || total <= 0.0 {
            return None;
        }
        let follows =
            |other: &ComponentId| troubles.get(other).is_some_and(|other| mine.is_none_or(|mine| mine.begins_with(mine.begin, other)));
        let mut explained: Vec<ComponentId> = walks.above.get(&unit).unwrap_or(&none).iter().copied().filter(follows).collect();
        if mine.is_none() {
            // Silence speaks against a unit only as far as nothing that strays explains the same.
            explained.retain(|other| troubles.get(other).is_some_and(|t| t.evidence <= 0.0) && !walks.below.contains_key(other));
        }
        // What strays as much as its caller is the cause rather than the effect.
        let weaker = |other: &ComponentId| {
            let evidence = |unit: &ComponentId| troubles.get(unit).map_or(0.0, |trouble| trouble.evidence);
            evidence(other) < evidence(&unit)
        };
        let below = units.called(unit).into_iter().filter(|other| weaker(other) && follows(other) && !explained.contains(other));
        let called: Vec<ComponentId> = if mine.is_some() { below.collect() } else { Vec::new() };
        let reach = (weigh(&explained) + DOWNWARD * weigh(&called) + mine.map_or(0.0, Trouble::weight)) / total;
        let alone = if mine.is_some() { ALONE } else { 0.0 };
        let cause = cause(mine, own, walks.below.get(&unit).unwrap_or(&none), troubles);
        let score = own * (alone + (1.0 - alone) * reach) * (1.0 - cause.map_or(0.0, |(_, share)| share));
        // Of one that is silent, before what it would explain.
        let begin = mine.map(|mine| mine.begin).or_else(|| explained.iter().filter_map(|other| troubles.get(other)).map(|t| t.begin).min());
        let change = begin.and_then(|begin| change_before(ask, units, unit, begin));
        let score = if change.is_some() { (score * CHANGED).min(1.0) } else { score };
        // Rounded, so that the order in which sums were taken does not decide between equals.
        let score = (score * 1e9).round() / 1e9;
        (score > 0.0).then_some(Suspect { unit, distance, score, explained, called, cause, change })
    };
    candidates.iter().filter_map(judge).collect()
}

/// The last change of a unit in the hour before its trouble began.
fn change_before(ask: &RankInput<'_>, units: &Units<'_>, unit: ComponentId, begin: Time) -> Option<usize> {
    let of = |component: ComponentId| ask.facts.changes_of.get(&component).into_iter().flatten().copied();
    let time = |at: &usize| ask.facts.changes.get(*at).map(|change| change.time);
    let recent = |at: &usize| time(at).is_some_and(|time| time <= begin && begin.since(time) <= CHANGE_WINDOW);
    units.members(unit).flat_map(of).filter(recent).max_by_key(|at| (time(at), *at))
}

/// The dependency that takes over most, of those that stray no later.
fn cause(mine: Option<&Trouble>, own: f64, below: &[ComponentId], troubles: &BTreeMap<ComponentId, Trouble>) -> Option<(ComponentId, f64)> {
    let share = |unit: &ComponentId| {
        let other = troubles.get(unit)?;
        let from = other.deviates_from?;
        let precedes = mine.is_none_or(|mine| other.begins_with(from, mine));
        let strength = other.evidence * mine.map_or(1.0, |mine| mine.likeness(other));
        precedes.then(|| (*unit, strength * strength / (strength * strength + own * own)))
    };
    // Of equals the first: `max_by` would take the last.
    below.iter().filter_map(share).fold(None, |best, next| match best {
        Some((_, share)) if share >= next.1 => best,
        Some(_) | None => Some(next),
    })
}

fn explains(deviations: &[Deviation], troubles: &BTreeMap<ComponentId, Trouble>, suspect: &Suspect) -> Vec<ComponentId> {
    let mut found = BTreeSet::from([suspect.unit]);
    let units = suspect.explained.iter().chain(&suspect.called).chain([&suspect.unit]);
    for trouble in units.filter_map(|unit| troubles.get(unit)) {
        found.extend(&trouble.symptoms);
        found.extend(trouble.deviations.iter().filter_map(|at| deviations.get(*at)?.component));
    }
    found.into_iter().collect()
}
