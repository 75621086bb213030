//! Trouble: what speaks against each unit, from its deviations and symptoms.

use std::collections::{BTreeMap, BTreeSet};

use crate::estate::{ComponentId, Direction, Snapshot};
use crate::signal::Facts;
use crate::value::{Duration, Time};

use super::family::family;
use super::rank::Symptom;
use super::reference::is_whole;
use super::score::{Deviation, direction, step};
use super::units::Units;

/// Below it a deviation is not held against anybody: a single sample just over the cut.
pub(super) const FAINT: f64 = 3.5;

/// A metric that doubled (20 twentieths, see `RELATIVE_FLOOR`) has half of the strength that there is.
const HALF_STRENGTH: f64 = 20.0;

/// What falls without the model saying that this is bad counts half: what breaks mostly makes things grow (times, errors, queues,
/// load), and what falls is mostly work done, which falls with every fault above or below.
const FALLING: f64 = 0.5;

/// One vote per family of metrics, the strongest three, each worth half of the one before: breadth confirms, the mere number of
/// metrics that something exports does not.
const VOTES: [f64; 3] = [1.0, 0.5, 0.25];

/// An alert or report of weight 1 weighs as much as one family of metrics that doubled (0.5 / 1.75).
const SYMPTOM: f64 = 0.3;

/// Where more units than that are in trouble, the strongest are looked at: all others are at most effects.
const MAX_TROUBLED: usize = 200;

/// What speaks against a unit.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    /// Of its deviations alone, 0 to 1.
    pub evidence: f64,
    /// With its symptoms, 0 to 1.
    pub weight: f64,
    pub begin: Time,
    /// When its votes begin; `None` without any.
    pub strays_from: Option<Time>,
    /// The coarsest usual step of its votes: so exactly is the beginning known.
    pub step: Duration,
    pub symptoms: BTreeSet<ComponentId>,
    /// Positions of its deviations, ascending.
    pub deviations: Vec<usize>,
    /// The strongest of each family, strongest first.
    pub votes: Vec<usize>,
}

impl Trouble {
    /// Whether this began before the other, or at the same time as far as the samples tell.
    pub fn begins_with(&self, begin: Time, other: &Trouble) -> bool {
        begin <= other.begin.plus(self.step.max(other.step))
    }
}

struct Vote {
    strength: f64,
    deviation: usize,
    onset: Time,
    step: Duration,
}

/// By unit.
pub(super) fn troubles(
    estate: &Snapshot,
    facts: &Facts,
    deviations: &[Deviation],
    symptoms: &[Symptom],
    units: &Units<'_>,
) -> BTreeMap<ComponentId, Trouble> {
    let mut straying: BTreeMap<ComponentId, Vec<usize>> = BTreeMap::new();
    for (at, deviation) in deviations.iter().enumerate() {
        if let Some(component) = deviation.component.filter(|_| deviation.score >= FAINT) {
            straying.entry(units.of(component)).or_default().push(at);
        }
    }
    let mut asking: BTreeMap<ComponentId, Vec<&Symptom>> = BTreeMap::new();
    for symptom in symptoms {
        asking.entry(units.of(symptom.component)).or_default().push(symptom);
    }
    let all: BTreeSet<ComponentId> = straying.keys().chain(asking.keys()).copied().collect();
    let found = all.into_iter().filter_map(|unit| {
        let positions = straying.remove(&unit).unwrap_or_default();
        let votes = votes(estate, facts, deviations, &positions);
        let asking = asking.remove(&unit).unwrap_or_default();
        Some((unit, trouble(positions, &votes, &asking)?))
    });
    strongest(found.collect())
}

fn trouble(deviations: Vec<usize>, votes: &[Vote], symptoms: &[&Symptom]) -> Option<Trouble> {
    let evidence = VOTES.iter().zip(votes).map(|(share, vote)| share * vote.strength).sum::<f64>() / VOTES.iter().sum::<f64>();
    // `max` lets go of a weight that is no number.
    let alarm = symptoms.iter().map(|symptom| symptom.weight).fold(0.0, f64::max) * SYMPTOM;
    let counted = || votes.iter().take(VOTES.len());
    let strays_from = counted().map(|vote| vote.onset).min();
    Some(Trouble {
        evidence,
        weight: evidence.max(alarm.min(1.0)),
        begin: symptoms.iter().map(|symptom| symptom.onset).chain(strays_from).min()?,
        strays_from,
        step: counted().map(|vote| vote.step).max().unwrap_or(0),
        symptoms: symptoms.iter().map(|symptom| symptom.component).collect(),
        deviations,
        votes: votes.iter().map(|vote| vote.deviation).collect(),
    })
}

/// The strongest of each family, strongest first.
fn votes(estate: &Snapshot, facts: &Facts, deviations: &[Deviation], positions: &[usize]) -> Vec<Vote> {
    let mut best: BTreeMap<String, Vote> = BTreeMap::new();
    for &position in positions {
        let Some(deviation) = deviations.get(position) else { continue };
        let series = facts.series.get(deviation.series);
        let declared = series.is_some_and(|series| direction(estate, series) != Direction::Both);
        let full = deviation.high || declared || is_whole(deviation.usual);
        let strength = deviation.score / (deviation.score + HALF_STRENGTH) * if full { 1.0 } else { FALLING };
        let vote = Vote { strength, deviation: position, onset: deviation.onset, step: series.map_or(0, |series| step(&series.points)) };
        let family = family(&deviation.metric);
        if best.get(&family).is_none_or(|best| strength > best.strength) {
            best.insert(family, vote);
        }
    }
    let mut votes: Vec<Vote> = best.into_values().collect();
    votes.sort_by(|a, b| b.strength.total_cmp(&a.strength).then_with(|| a.deviation.cmp(&b.deviation)));
    votes
}

/// Those in trouble beyond the limit are let go, the weakest first; ones with symptoms never before ones without.
fn strongest(mut found: BTreeMap<ComponentId, Trouble>) -> BTreeMap<ComponentId, Trouble> {
    if found.len() <= MAX_TROUBLED {
        return found;
    }
    let mut order: Vec<(bool, f64, ComponentId)> = found.iter().map(|(id, t)| (t.symptoms.is_empty(), t.weight, *id)).collect();
    order.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.total_cmp(&a.1)).then_with(|| a.2.cmp(&b.2)));
    let kept: BTreeSet<ComponentId> = order.into_iter().take(MAX_TROUBLED).map(|(_, _, id)| id).collect();
    found.retain(|id, _| kept.contains(id));
    found
}
