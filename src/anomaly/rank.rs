//! Ranks units by how well a fault there explains the anomalies and alerts, along the propagation of faults.
//!
//! `score = own × (½ + ½·reach) × (1 − cause)`
//!
//! - `own` is the evidence against the unit itself.
//! - `reach` is the share of all suspicion that its fault would explain: its own, that of its dependents that began no earlier, and half
//!   of that of the units it calls; less of what began after it was over.
//! - `cause` is the share that a dependency takes over if it deviates too and began no later. For the strength `a` of the dependency, as
//!   far as it deviates in the same metrics, and `b` of the unit: `a²/(a²+b²)`, one half if both are equal. It is squared so that faint
//!   noise in a dependency cannot take over a clear anomaly.
//!
//! The idea that the root cause is an unhealthy component with healthy dependencies comes from Chen et al. (`CauseInfer`, INFOCOM 2014)
//! and Lin et al. (`MicroScope`, ICSOC 2018); the product is our own. A unit without metrics has only its reach.

use std::collections::{BTreeMap, BTreeSet};

use estate::ComponentId;
use value::{HOUR, Time};

use super::changes::{Fitting, change_before};
use super::confidence::{Grounds, SHARPNESS, WEIGHTS};
use super::external_evidence::OUTSIDE;
use super::load::{busier, is_mere_load};
use super::question::RankInput;
use super::reasons::{self, Reasons};
use super::sampling::step;
use super::score::{Deviation, Reference};
use super::suspicion::{FAINT, SETTLING, Suspicion, SuspicionSource, Vote, suspicions};
use super::workloads::Units;

/// Half of the score comes from the unit's own anomaly, half from explaining others: a leaf without dependents can still be broken.
const ALONE: f64 = 0.5;

/// How much of the suspicion of the units it calls a fault explains. A caller that starves or floods its dependencies shows there, but
/// faults mainly propagate the other way.
const DOWNWARD: f64 = 0.5;

/// The evidence against a candidate without metrics. Less than an alert on a component with metrics (0.15), so it ranks before alerting
/// components only if it explains several of them.
const SILENT: f64 = 0.1;

/// A unit that was changed in the hour before its onset is half as likely again: most outages follow a change (about 70 % by Beyer et al.,
/// "Site Reliability Engineering", 2016, chapter 1), and most changes break nothing.
const CHANGED: f64 = 1.5;

/// Of several against which nothing but alerts speaks, and as much, one that began later than the tolerance cannot have brought about the
/// first; that one may have brought it about in ways that the topology does not show. The later one is half as likely (0.8³).
const LATER: f64 = 0.8;
const AS_MUCH: f64 = 0.02;

/// Maximum number of suspects: many unlikely ones together must not reduce the confidence of a likely one.
const MAX_RANKED: usize = 20;

/// Without any symptom, only deviations that meet all of these conditions count as a fault. Strong: well beyond the cut of 3.5, because
/// thousands of series are checked and tails are heavy.
const FIRM: f64 = 6.0;
/// Sustained: three samples, because two in a row are common where scrapes and windows overlap.
const SUSTAINED: usize = 3;
/// Corroborated: another metric family of the unit, or a direct neighbor, deviates as strongly, and both begin within this many samples.
/// Independent noise rarely does. Only direct neighbors count, because in a large estate some connected unit always deviates.
const TOGETHER: i64 = 2;
/// Ongoing: a deviation that ended more than ten minutes before the last samples is history.
const STILL_THERE: f64 = 0.25;

/// A suspect.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// A pod and the only service that runs on it are one unit, named after the service.
    pub component: ComponentId,
    /// Above 0, at most 1; comparable within one answer only.
    pub score: f64,
    /// 0 to 1: the probability that this is the root cause.
    pub confidence: f64,
    /// What the confidence of the first suspect of this ranking rests on.
    pub grounds: Grounds,
    /// As text.
    pub reasons: Reasons,
    /// Components with anomalies or symptoms that its fault reaches, including itself; ascending.
    pub explains: Vec<ComponentId>,
    /// Its own deviations, as positions in the input; ascending.
    pub deviations: Vec<usize>,
    /// The strongest evidence against it.
    pub leading: Option<SuspicionSource>,
    /// The components of the unit: a service and its pods.
    pub members: Vec<ComponentId>,
    /// When all evidence against it was over; `None` while some of it lasts.
    pub end: Option<Time>,
    /// Whether any anomaly, not alerts alone, counts against it.
    pub deviates: bool,
    /// Whether an alert of its own stands far beyond its threshold.
    pub loud: bool,
    /// Whether its anomalies would be named if nothing alerted.
    pub convincing: bool,
}

/// What several units that alert or deviate, and that nothing else explains, stand on is as suspect as one of them, if most of what uses
/// it is in trouble. If they only alert, this much.
const STOOD_ON: f64 = 0.3;

/// A candidate while it is judged.
pub(super) struct Suspect {
    pub unit: ComponentId,
    /// Hops from the nearest symptom; `u32::MAX` for candidates that are not on the path of a symptom.
    pub distance: u32,
    pub score: f64,
    /// The share of all suspicion that its fault explains.
    pub reach: f64,
    /// Suspicious units that its fault explains, without itself; ascending.
    pub explained: Vec<ComponentId>,
    /// Suspicious units that it calls.
    pub called: Vec<ComponentId>,
    /// Units that it explains because they name it, without a relation.
    pub named_by: Vec<ComponentId>,
    /// The dependency that takes over the largest share, with that share.
    pub cause: Option<(ComponentId, f64)>,
    /// The change of it before its onset that fits best.
    pub change: Option<Fitting>,
}

/// How the topology connects the suspicious units.
struct Walks {
    /// For each unit, the suspicious units that its fault would reach.
    above: BTreeMap<ComponentId, Vec<ComponentId>>,
    /// For each unit, the anomalous units whose fault would reach it.
    below: BTreeMap<ComponentId, Vec<ComponentId>>,
}

/// Suspects, the best first, at most 20. Empty: no fault found.
///
/// Candidates are the units with symptoms, all their dependencies, and anomalous units that share a dependent with them. Without any
/// symptom, units with strong, sustained and corroborated anomalies take the place of units with symptoms. Without those, the result is
/// empty.
pub fn rank(ask: &RankInput<'_>) -> Vec<Ranked> {
    let straying = ask.deviations.iter().filter(|d| d.score >= FAINT).filter_map(|d| d.component);
    let troubled = straying.chain(ask.symptoms.iter().map(|symptom| symptom.component)).collect();
    let units = Units::new(ask.estate, &troubled, ask.named);
    let has_samples = |points: &[(Time, f64)]| points.iter().any(|(_, value)| value.is_finite());
    let measured: BTreeSet<ComponentId> = ask
        .facts
        .series
        .iter()
        .filter(|series| has_samples(&series.points))
        .filter_map(|series| Some(units.of(series.component?)))
        .collect();
    let reach = |unit: ComponentId| units.dependents(unit).into_keys().collect::<Vec<ComponentId>>();
    let suspicions = suspicions(ask, &units, &measured, &reach);
    let convincing = convincing(ask, &suspicions, &units);
    let seeds: BTreeSet<ComponentId> =
        if ask.symptoms.is_empty() { convincing.clone() } else { ask.symptoms.iter().map(|symptom| units.of(symptom.component)).collect() };
    let walks = walks(&suspicions, &units);
    let candidates = candidates(&seeds, &suspicions, &units);
    let mut suspects = suspects(ask, &measured, &suspicions, &units, &walks, &candidates);
    tell_apart(&mut suspects, &suspicions);
    let begin = |suspect: &Suspect| suspicions.get(&suspect.unit).map(|suspicion| suspicion.begin);
    suspects.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| (a.distance, begin(a), a.unit).cmp(&(b.distance, begin(b), b.unit))));
    suspects.truncate(MAX_RANKED);
    let grounds = grounds(&suspects, &suspicions);
    let (surest, most) = (grounds.confidence(&WEIGHTS), suspects.first().map_or(1.0, |first| first.score));
    let ranked = |suspect: &Suspect| {
        let suspicion = suspicions.get(&suspect.unit);
        Ranked {
            component: suspect.unit,
            score: suspect.score,
            confidence: surest * (suspect.score / most).powi(SHARPNESS),
            grounds,
            reasons: reasons::of(ask, (&suspicions, &measured), &suspects, suspect),
            explains: explains(ask.deviations, &suspicions, suspect),
            deviations: suspicion.map(|suspicion| suspicion.deviations.clone()).unwrap_or_default(),
            leading: suspicion.and_then(|suspicion| suspicion.votes.first()).map(|vote| vote.source),
            members: units.members(suspect.unit).collect(),
            end: suspicion.and_then(|suspicion| suspicion.end),
            deviates: suspicion.is_some_and(Suspicion::deviates),
            loud: suspicion.is_some_and(Suspicion::is_loud),
            convincing: convincing.contains(&suspect.unit) || suspicion.is_some_and(Suspicion::is_sure),
        }
    };
    suspects.iter().map(ranked).collect()
}

/// Tells suspects that are as likely by alerts alone apart by when they began.
fn tell_apart(suspects: &mut [Suspect], suspicions: &BTreeMap<ComponentId, Suspicion>) {
    let alerting = |suspect: &Suspect| {
        let begin = suspicions.get(&suspect.unit).filter(|suspicion| !suspicion.deviates())?.begin;
        Some((suspect.score, begin))
    };
    let all: Vec<(f64, Time)> = suspects.iter().filter_map(alerting).collect();
    for suspect in suspects {
        let Some((score, begin)) = alerting(suspect) else { continue };
        // An alert of days ago is no part of this.
        let before = |earlier: Time| (SETTLING + 1..=HOUR).contains(&begin.since(earlier));
        if all.iter().any(|(other, earlier)| (other - score).abs() <= score * AS_MUCH && before(*earlier)) {
            suspect.score *= LATER;
        }
    }
}

/// What the confidence of the first of these rests on.
fn grounds(suspects: &[Suspect], suspicions: &BTreeMap<ComponentId, Suspicion>) -> Grounds {
    let Some(best) = suspects.first() else { return Grounds::default() };
    let sum = suspects.iter().map(|suspect| suspect.score.powi(SHARPNESS)).sum::<f64>();
    let mine = suspicions.get(&best.unit);
    // External models are not verified: alone they are not enough evidence.
    let ours = |suspicion: &Suspicion| suspicion.votes.iter().any(|vote| vote.family != OUTSIDE && !vote.is_alert());
    Grounds {
        share: best.score.powi(SHARPNESS) / sum,
        evidence: mine.map_or(0.0, |mine| mine.evidence),
        reach: best.reach.min(1.0),
        deviates: mine.is_some_and(|mine| ours(mine) || mine.is_loud()),
    }
}

/// Units with strong, sustained, corroborated and ongoing anomalies that unrelated units do not share.
fn convincing(ask: &RankInput<'_>, suspicions: &BTreeMap<ComponentId, Suspicion>, units: &Units<'_>) -> BTreeSet<ComponentId> {
    let is_firm = |vote: &&Vote, deviation: &Deviation| {
        let alone = 1.0 - vote.common;
        deviation.score * alone >= FIRM
            && deviation.sustained >= SUSTAINED
            && deviation.against != Reference::Peers
            && vote.fading >= STILL_THERE
    };
    let of = |suspicion: &Suspicion| {
        let busier = busier(ask, suspicion);
        let firm = suspicion.votes.iter().filter_map(|vote| vote.deviation(ask).filter(|deviation| is_firm(&vote, deviation)));
        let firm: Vec<&Deviation> = firm.collect();
        // Beside latency or errors, load is no excuse.
        if firm.iter().all(|deviation| is_mere_load(ask, deviation, busier)) { Vec::new() } else { firm }
    };
    let firm: BTreeMap<ComponentId, Vec<&Deviation>> =
        suspicions.iter().map(|(unit, suspicion)| (*unit, of(suspicion))).filter(|(_, firm)| !firm.is_empty()).collect();
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

/// The seeds and all their dependencies, with the hops from the nearest seed; then anomalous units that share a dependent with a seed or
/// depend on one: a shared caller can carry a fault from one branch to another, where it is noticed.
fn candidates(
    seeds: &BTreeSet<ComponentId>,
    suspicions: &BTreeMap<ComponentId, Suspicion>,
    units: &Units<'_>,
) -> BTreeMap<ComponentId, u32> {
    let mut found: BTreeMap<ComponentId, u32> = BTreeMap::new();
    let mut above: BTreeSet<ComponentId> = seeds.clone();
    for &seed in seeds {
        let starved = suspicions.get(&seed).is_some_and(|suspicion| suspicion.starved);
        let sources = if starved { units.dependents(seed) } else { units.dependencies(seed) };
        for (unit, distance) in sources.into_iter().chain([(seed, 0)]) {
            let nearest = found.entry(unit).or_insert(distance);
            *nearest = distance.min(*nearest);
        }
        above.extend(units.dependents(seed).into_keys());
    }
    for (&unit, suspicion) in suspicions {
        let strays = suspicion.evidence > 0.0 && !suspicion.deviations.is_empty();
        let beside = || above.contains(&unit) || units.dependents(unit).into_keys().any(|dependent| above.contains(&dependent));
        if strays && !found.contains_key(&unit) && !seeds.is_empty() && beside() {
            found.insert(unit, u32::MAX);
        }
    }
    found
}

/// Two traversals for each suspicious unit instead of two for each candidate: a storm has hundreds of suspicious units, but an estate can
/// have a hundred thousand candidates.
fn walks(suspicions: &BTreeMap<ComponentId, Suspicion>, units: &Units<'_>) -> Walks {
    let mut walks = Walks { above: BTreeMap::new(), below: BTreeMap::new() };
    let starved = |unit: &ComponentId| suspicions.get(unit).is_some_and(|suspicion| suspicion.starved);
    for (&unit, suspicion) in suspicions {
        let (above, below) = (units.dependents(unit), units.dependencies(unit));
        for candidate in if suspicion.starved { above.keys() } else { below.keys() } {
            walks.above.entry(*candidate).or_default().push(unit);
        }
        if suspicion.own() > 0.0 {
            let effects = above.keys().filter(|other| !starved(other)).chain(below.keys().filter(|other| starved(other)));
            for candidate in effects {
                walks.below.entry(*candidate).or_default().push(unit);
            }
        }
    }
    walks
}

fn suspects(
    ask: &RankInput<'_>,
    measured: &BTreeSet<ComponentId>,
    suspicions: &BTreeMap<ComponentId, Suspicion>,
    units: &Units<'_>,
    walks: &Walks,
    candidates: &BTreeMap<ComponentId, u32>,
) -> Vec<Suspect> {
    let total: f64 = suspicions.values().map(Suspicion::weight).sum();
    let none = Vec::new();
    let judge = |(&unit, &distance): (&ComponentId, &u32)| {
        let mine = suspicions.get(&unit);
        let left = |other: &Suspicion| mine.map_or(1.0, |mine| mine.left_for(other));
        let weigh = |others: &[ComponentId]| {
            others.iter().filter_map(|other| suspicions.get(other)).map(|other| other.weight() * left(other)).sum::<f64>()
        };
        let mut own = mine.map_or(if measured.contains(&unit) { 0.0 } else { SILENT }, Suspicion::own);
        if own <= 0.0 || total <= 0.0 {
            return None;
        }
        let follows = |other: &ComponentId| {
            let on = |mine: &Suspicion, other: &Suspicion| mine.begins_with(mine.begin, other) && mine.lasts_until(other);
            suspicions.get(other).is_some_and(|other| mine.is_none_or(|mine| on(mine, other)))
        };
        let mut explained: Vec<ComponentId> = walks.above.get(&unit).unwrap_or(&none).iter().copied().filter(follows).collect();
        if mine.is_none() {
            // A silent unit only explains units that no other unit in trouble explains, and what those explain.
            let roots = roots_above(&explained, suspicions, walks);
            let quiet = |other: &ComponentId| suspicions.get(other).is_some_and(|suspicion| suspicion.evidence <= 0.0);
            let all_quiet = roots.iter().all(quiet);
            let of_root = |other: &ComponentId| walks.below.get(other).is_some_and(|below| below.iter().any(|unit| roots.contains(unit)));
            explained.retain(|other| roots.contains(other) || (of_root(other) && (!all_quiet || quiet(other))));
            if roots.len() > 1 {
                let mut evidence: Vec<f64> = roots.iter().filter_map(|root| suspicions.get(root)).map(|root| root.evidence).collect();
                evidence.sort_by(|a, b| b.total_cmp(a));
                let as_one = evidence.get(1).copied().unwrap_or(0.0).max(STOOD_ON);
                own = own.max(as_one * coverage(unit, &roots, suspicions, units, walks));
            }
        }
        // What fails because of it no longer calls others, which starve.
        let starving = explained.iter().filter_map(|failing| walks.above.get(failing)).flatten().copied();
        let starving = starving.filter(|other| suspicions.get(other).is_some_and(|other| other.starved) && follows(other));
        let starving: BTreeSet<ComponentId> = starving.filter(|other| *other != unit && !explained.contains(other)).collect();
        explained.extend(starving);
        explained.sort_unstable();
        // A dependency that is as anomalous as its caller is the cause rather than the effect.
        let weaker = |other: &ComponentId| {
            let evidence = |unit: &ComponentId| suspicions.get(unit).map_or(0.0, |suspicion| suspicion.evidence);
            evidence(other) < evidence(&unit)
        };
        let below = units.called(unit).into_iter().filter(|other| weaker(other) && follows(other) && !explained.contains(other));
        let below = below.filter(|other| !fails_from_below(*other, unit, suspicions, walks));
        let called: Vec<ComponentId> = if mine.is_some() { below.collect() } else { Vec::new() };
        let reach = (weigh(&explained) + DOWNWARD * weigh(&called) + mine.map_or(0.0, Suspicion::weight)) / total;
        let alone = if mine.is_some() { ALONE } else { 0.0 };
        let cause = cause(mine, own, walks.below.get(&unit).unwrap_or(&none), suspicions);
        let score = own * (alone + (1.0 - alone) * reach) * (1.0 - cause.map_or(0.0, |(_, share)| share));
        // For a silent unit: the onset of what it would explain.
        let begin =
            mine.map(|mine| mine.begin).or_else(|| explained.iter().filter_map(|other| suspicions.get(other)).map(|t| t.begin).min());
        let change = begin.and_then(|begin| change_before(ask, units, unit, mine, begin));
        let score = if change.is_some() { (score * CHANGED).min(1.0) } else { score };
        // Rounded, so that the order of summation does not decide ties.
        let score = (score * 1e9).round() / 1e9;
        let named_by = units.named_by(unit).filter(|other| explained.contains(other)).collect();
        (score > 0.0).then_some(Suspect { unit, distance, score, reach, explained, called, named_by, cause, change })
    };
    candidates.iter().filter_map(judge).collect()
}

/// Of the units that a silent one reaches, those that nothing else explains: they only alert, or they deviate beyond doubt and began
/// together, as if by one thing that they stand on and that nobody measures.
fn roots_above(reached: &[ComponentId], suspicions: &BTreeMap<ComponentId, Suspicion>, walks: &Walks) -> BTreeSet<ComponentId> {
    let alone = reached.iter().filter(|unit| !walks.below.contains_key(*unit)).filter_map(|unit| Some((*unit, suspicions.get(unit)?)));
    let (quiet, deviating): (Vec<(ComponentId, &Suspicion)>, Vec<_>) = alone.partition(|(_, suspicion)| suspicion.evidence <= 0.0);
    let sure: Vec<(ComponentId, &Suspicion)> = deviating.into_iter().filter(|(_, suspicion)| suspicion.is_sure()).collect();
    let first = sure.iter().map(|(_, suspicion)| *suspicion).min_by_key(|suspicion| (suspicion.begin, suspicion.step));
    let together = |suspicion: &Suspicion| first.is_some_and(|first| suspicion.begins_with(suspicion.begin, first));
    let sure: Vec<ComponentId> = sure.iter().filter(|one| together(one.1)).map(|(unit, _)| *unit).collect();
    // One alone is the root itself.
    let sure = if sure.len() > 1 { sure } else { Vec::new() };
    quiet.into_iter().map(|(unit, _)| unit).chain(sure).collect()
}

/// The share of what stands directly on a unit (for starved roots: of what it calls) that is in trouble, or passes trouble on.
fn coverage(
    unit: ComponentId,
    roots: &BTreeSet<ComponentId>,
    suspicions: &BTreeMap<ComponentId, Suspicion>,
    units: &Units<'_>,
    walks: &Walks,
) -> f64 {
    let starved = roots.iter().any(|root| suspicions.get(root).is_some_and(|suspicion| suspicion.starved));
    let direct: Vec<ComponentId> = if starved {
        units.called(unit).into_iter().collect()
    } else {
        units.dependents(unit).into_iter().filter(|(_, hops)| *hops == 1).map(|(other, _)| other).collect()
    };
    let carries = |other: &&ComponentId| suspicions.contains_key(*other) || walks.above.contains_key(*other);
    if direct.is_empty() {
        0.0
    } else {
        super::reference::count(direct.iter().filter(carries).count()) / super::reference::count(direct.len())
    }
}

/// Whether what a unit calls logs new errors, as something does that it depends on itself: errors come from there, not from the caller.
fn fails_from_below(callee: ComponentId, by: ComponentId, suspicions: &BTreeMap<ComponentId, Suspicion>, walks: &Walks) -> bool {
    let logs_errors = |unit: &ComponentId| suspicions.get(unit).is_some_and(Suspicion::logs_errors);
    let below = || walks.below.get(&callee).into_iter().flatten();
    logs_errors(&callee) && below().any(|deeper| *deeper != by && logs_errors(deeper))
}

/// The dependency that takes over the largest share, of those that began no later.
fn cause(
    mine: Option<&Suspicion>,
    own: f64,
    below: &[ComponentId],
    suspicions: &BTreeMap<ComponentId, Suspicion>,
) -> Option<(ComponentId, f64)> {
    let share = |unit: &ComponentId| {
        let other = suspicions.get(unit)?;
        let from = other.deviates_from.unwrap_or(other.begin);
        let precedes = mine.is_none_or(|mine| other.begins_with(from, mine) && other.lasts_until(mine));
        let alike = other.own() * mine.map_or(1.0, |mine| mine.likeness(other));
        // What a component depends on, deviates beyond doubt and began earlier, or logs the errors of which the component only alerts: height
        // does not put the effect above it.
        let leads = mine.is_some_and(|mine| other.leads(mine) || (mine.only_alerts_of_errors() && other.logs_errors()));
        let strength = if leads { alike.max(own) } else { alike };
        precedes.then(|| (*unit, strength * strength / (strength * strength + own * own)))
    };
    // Ties: the first one; `max_by` would take the last.
    below.iter().filter_map(share).fold(None, |best, next| match best {
        Some((_, share)) if share >= next.1 => best,
        Some(_) | None => Some(next),
    })
}

fn explains(deviations: &[Deviation], suspicions: &BTreeMap<ComponentId, Suspicion>, suspect: &Suspect) -> Vec<ComponentId> {
    let mut found = BTreeSet::from([suspect.unit]);
    let units = suspect.explained.iter().chain(&suspect.called).chain([&suspect.unit]);
    for suspicion in units.filter_map(|unit| suspicions.get(unit)) {
        found.extend(&suspicion.symptoms);
        found.extend(suspicion.deviations.iter().filter_map(|at| deviations.get(*at)?.component));
    }
    found.into_iter().collect()
}
