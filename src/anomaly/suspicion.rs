//! Suspicion: the evidence against each unit, from its series, its logs, external scores and its symptoms.

use std::collections::{BTreeMap, BTreeSet};

use estate::{ComponentId, Direction};
use value::{Duration, MINUTE, Time};

use super::alarm::{beyond, of_alerts};
use super::external_evidence::ExternalEvidence;
use super::kind::Kind;
use super::load::is_work;
use super::metric_group::{family, move_together};
use super::question::{RankInput, Symptom};
use super::reasons::Reason;
use super::reference::is_whole;
use super::sampling::step;
use super::score::{CAP, Deviation, Reference, calm, direction};
use super::silence::SILENCE;
use super::workloads::Units;

/// A smaller deviation is ignored: a single sample just over the cut.
pub(super) const FAINT: f64 = 3.5;

/// A metric that doubled (20 twentieths, see `RELATIVE_FLOOR`) has half of the maximum strength.
pub(super) const HALF_STRENGTH: f64 = 20.0;

/// The maximum strength of any evidence: a series at the cap.
pub(super) const TELLS_MOST: f64 = CAP / (CAP + HALF_STRENGTH);

/// A falling metric counts half, unless the model declares falling as bad: faults mostly make metrics grow (latency, errors, queues,
/// load). What falls is mostly throughput, and that falls with every fault upstream or downstream.
const FALLING: f64 = 0.5;

/// The family of the lines of a component's log.
pub const LOG: &str = "log";

/// One vote per metric family, the strongest three, each worth half of the one before: different kinds of anomalies confirm each other,
/// but the mere number of exported metrics does not.
pub(super) const VOTES: [f64; 3] = [1.0, 0.5, 0.25];

/// An alert or report weighs as much as one family of metrics that doubled (0.5 / 1.75).
pub(super) const SYMPTOM: f64 = 0.3;

/// The share of that which counts against the component itself, if it has metrics: an alerting component is more often a victim than
/// the cause, and the cause shows more than its alert.
const OWN_SYMPTOM: f64 = 0.5;

/// A deviation that ended before the first symptom, or long before the end of the recording, loses half of its strength every five
/// minutes, and so does what it explains of what began after its end. That is about the time from a cause to its alert, which waits some
/// minutes before it fires.
const HALF_LIFE: Duration = 5 * MINUTE;

/// What is over may still explain what began this long after its end: queues drain, clients retry, alerts wait before they fire.
pub const SETTLING: Duration = 5 * MINUTE;

/// Without any symptom, a deviation that ended within this many samples before the end of the recording is ongoing.
const STILL: i64 = 5;

/// With more suspicious units than this, only the strongest are considered: all others are at most effects.
const MAX_TROUBLED: usize = 200;

/// What is left of a vote about one kind of trouble if all symptoms in its reach are of another: slow work is given up and becomes an
/// error, but most slowness stays slowness.
const OTHER_KIND: f64 = 0.4;

/// A deviation beyond doubt has so many samples, this score, and hardly ever happens otherwise.
const SURE_SAMPLES: usize = 5;
const SURE_SCORE: f64 = 12.0;
const UNUSUAL: f64 = 0.2;

/// One that bears out an alert of the same component needs less.
const FIRM_SAMPLES: usize = 3;
const FIRM_SCORE: f64 = 6.0;

/// Only this many of the worst series of a unit are considered: the votes are among them.
const MAX_SERIES: usize = 24;

/// Maximum number of samples from before the incident for the comparison of series.
const MAX_CALM: usize = 256;

/// The minimum number of unrelated units for a comparison with them.
const MIN_OTHERS: usize = 2;

/// Where a vote comes from, as a position in the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SuspicionSource {
    Deviation(usize),
    ExternalEvidence(usize),
    /// What an alert measured: a position among the symptoms.
    Alert(usize),
}

/// One piece of evidence against a unit.
#[derive(Debug, Clone)]
pub(super) struct Vote {
    /// 0 to 1.
    pub strength: f64,
    pub source: SuspicionSource,
    pub family: String,
    pub onset: Time,
    /// When it was over; `None` while it lasts.
    pub end: Option<Time>,
    pub step: Duration,
    /// Share of unrelated units (which its fault cannot reach) with the same anomaly.
    pub common: f64,
    /// What is left of its strength since it ended; 1 while it is ongoing.
    pub fading: f64,
    /// Less work than usual arrives: that it starves, not that it fails.
    pub idle: bool,
    pub kind: Option<Kind>,
    /// Whether it is beyond doubt: far off, for several samples, and nothing that happens anyway.
    pub sure: bool,
    /// Whether it bears out an alert of its own component.
    pub firm: bool,
}

impl Vote {
    /// The deviation that it is, if it is one.
    pub fn deviation<'a>(&self, ask: &RankInput<'a>) -> Option<&'a Deviation> {
        match self.source {
            SuspicionSource::Deviation(at) => ask.deviations.get(at),
            SuspicionSource::ExternalEvidence(_) | SuspicionSource::Alert(_) => None,
        }
    }

    /// Whether it is what an alert measured.
    pub fn is_alert(&self) -> bool {
        matches!(self.source, SuspicionSource::Alert(_))
    }
}

/// The evidence against a unit.
#[derive(Debug, Clone)]
pub(super) struct Suspicion {
    /// Of its votes alone, 0 to 1.
    pub evidence: f64,
    /// How much its symptoms need an explanation, and how much they are evidence against the unit itself; 0 to 1.
    asks: f64,
    accuses: f64,
    pub begin: Time,
    /// When all of its symptoms and votes were over; `None` while one of them lasts.
    pub end: Option<Time>,
    /// Its symptoms tell only that work stopped arriving.
    pub starved: bool,
    /// When its votes begin; `None` without any.
    pub deviates_from: Option<Time>,
    /// The coarsest sample interval of its votes; five minutes for alerts alone. The onset is known only this exactly.
    pub step: Duration,
    pub symptoms: BTreeSet<ComponentId>,
    /// Positions of its deviations, ascending.
    pub deviations: Vec<usize>,
    /// The families of all its anomalies.
    families: BTreeSet<String>,
    /// The strongest of each family, strongest first, at most three.
    pub votes: Vec<Vote>,
}

impl Suspicion {
    /// How much here needs an explanation, 0 to 1.
    pub fn weight(&self) -> f64 {
        self.evidence.max(self.asks)
    }

    /// How strong the evidence for a fault here is, 0 to 1.
    pub fn own(&self) -> f64 {
        self.evidence.max(self.accuses)
    }

    /// Whether this began before the other, or at the same time within the sample interval.
    pub fn begins_with(&self, begin: Time, other: &Suspicion) -> bool {
        begin <= other.begin.plus(self.step.max(other.step))
    }

    /// Whether a vote of another unit tells of what is anomalous here too: the same family, or errors, which are
    /// counted and logged under many names. Who is silent does not say what is.
    fn tells_of(&self, vote: &Vote) -> bool {
        self.families.contains(SILENCE)
            || self.families.contains(&vote.family)
            || (vote.kind == Some(Kind::Errors) && self.votes.iter().any(|mine| mine.kind == vote.kind))
    }

    /// Whether it deviates beyond doubt, and did so before the other began.
    pub fn leads(&self, other: &Suspicion) -> bool {
        let sure = self.votes.iter().filter(|vote| vote.sure).map(|vote| vote.onset).min();
        sure.is_some_and(|onset| onset.plus(self.step.max(other.step).max(MINUTE)) < other.begin)
    }

    /// Whether more than alerts counts against it.
    pub fn deviates(&self) -> bool {
        self.votes.iter().any(|vote| !vote.is_alert())
    }

    /// Whether an alert says that something is far beyond its threshold, at least as far as one that says nothing counts.
    pub fn is_loud(&self) -> bool {
        self.votes.iter().any(|vote| vote.is_alert() && vote.strength >= SYMPTOM)
    }

    /// Whether one vote is beyond doubt by itself, or together with an alert of its own.
    pub fn is_sure(&self) -> bool {
        let borne_out = |vote: &Vote| vote.firm && !self.symptoms.is_empty();
        self.logs_errors() || self.votes.iter().any(|vote| vote.sure || borne_out(vote))
    }

    /// Whether its log shows new errors.
    pub fn logs_errors(&self) -> bool {
        self.votes.iter().any(|vote| vote.family == LOG && vote.kind == Some(Kind::Errors))
    }

    /// Whether nothing but alerts about errors counts against it: they say that work fails, not where.
    pub fn only_alerts_of_errors(&self) -> bool {
        !self.votes.is_empty() && self.votes.iter().all(|vote| vote.is_alert() && vote.kind == Some(Kind::Errors))
    }

    /// Whether this was on when the other began, or only just over: what is over explains nothing that begins later.
    pub fn lasts_until(&self, other: &Suspicion) -> bool {
        self.end.is_none_or(|end| other.begin <= end.plus(SETTLING))
    }

    /// How much of another it still explains: of what began after this was over, less and less.
    pub fn left_for(&self, other: &Suspicion) -> f64 {
        self.end.map_or(1.0, |end| fading(other.begin.since(end)))
    }

    /// How much of its evidence is of families that are anomalous in the other unit too; other families count half.
    pub fn likeness(&self, other: &Suspicion) -> f64 {
        const OTHERWISE: f64 = 0.5;
        let weighed = || self.votes.iter().zip(VOTES).map(|(vote, share)| (vote, vote.strength * share));
        let all: f64 = weighed().map(|(_, weight)| weight).sum();
        let alike: f64 = weighed().map(|(vote, weight)| if other.tells_of(vote) { weight } else { weight * OTHERWISE }).sum();
        if all > 0.0 { alike / all } else { 1.0 }
    }
}

/// The suspicion by unit. `reach`: the units that a fault of a unit may reach.
pub(super) fn suspicions(
    ask: &RankInput<'_>,
    units: &Units<'_>,
    measured: &BTreeSet<ComponentId>,
    reach: &impl Fn(ComponentId) -> Vec<ComponentId>,
) -> BTreeMap<ComponentId, Suspicion> {
    let mut straying: BTreeMap<ComponentId, Vec<usize>> = BTreeMap::new();
    for (at, deviation) in ask.deviations.iter().enumerate() {
        if let Some(component) = deviation.component.filter(|_| deviation.score >= FAINT) {
            straying.entry(units.of(component)).or_default().push(at);
        }
    }
    let mut witnesses: BTreeMap<ComponentId, Vec<usize>> = BTreeMap::new();
    for (at, witness) in ask.witnesses.iter().enumerate() {
        witnesses.entry(units.of(witness.component)).or_default().push(at);
    }
    let mut asking: BTreeMap<ComponentId, Vec<(usize, &Symptom)>> = BTreeMap::new();
    for (at, symptom) in ask.symptoms.iter().enumerate() {
        asking.entry(units.of(symptom.component)).or_default().push((at, symptom));
    }
    let now = ask.symptoms.iter().map(|symptom| symptom.onset).min();
    let all: BTreeSet<ComponentId> = straying.keys().chain(asking.keys()).chain(witnesses.keys()).copied().collect();
    let found = all.into_iter().filter_map(|unit| {
        let positions = straying.remove(&unit).unwrap_or_default();
        let mut votes = of_series(ask, &positions, now);
        votes.extend(
            witnesses
                .remove(&unit)
                .unwrap_or_default()
                .into_iter()
                .filter_map(|at| of_witness(ask.witnesses.get(at)?, at, now.unwrap_or(ask.at))),
        );
        let asking = asking.remove(&unit).unwrap_or_default();
        votes.extend(of_alerts(ask, &asking, now));
        let asking: Vec<&Symptom> = asking.into_iter().map(|(_, symptom)| symptom).collect();
        let straying = positions.iter().filter_map(|at| Some(family(&ask.deviations.get(*at)?.metric)));
        let families = straying.chain(votes.iter().map(|vote| vote.family.clone())).collect();
        Some((unit, suspicion(positions, families, strongest_of_each(votes), &asking, measured.contains(&unit))?))
    });
    let mut found = strongest(found.collect());
    let crowd = Crowd::of(ask, units);
    let kinds: BTreeSet<(ComponentId, Option<Kind>)> = ask.symptoms.iter().map(|s| (units.of(s.component), s.kind)).collect();
    for (unit, suspicion) in &mut found {
        let mut reached: BTreeSet<ComponentId> = reach(*unit).into_iter().collect();
        reached.insert(*unit);
        let asked: Vec<Option<Kind>> = kinds.iter().filter(|(of, _)| reached.contains(of)).map(|(_, kind)| *kind).collect();
        for vote in &mut suspicion.votes {
            vote.common = crowd.share(ask, vote, &reached);
            vote.strength *= 1.0 - vote.common;
            let told = |kind: Kind| asked.is_empty() || asked.iter().any(|symptom| symptom.is_none_or(|symptom| kind.explains(symptom)));
            if !vote.kind.is_none_or(told) {
                vote.strength *= OTHER_KIND;
            }
        }
        suspicion.settle();
    }
    busy(ask, units, &mut found);
    found
}

/// More work than usual is the doing of those that send it: what it makes slow, or uses more of, is no fault of those who get it, if a
/// caller deviates too.
const CARRIED: f64 = 0.5;

fn busy(ask: &RankInput<'_>, units: &Units<'_>, found: &mut BTreeMap<ComponentId, Suspicion>) {
    let works = |suspicion: &Suspicion| {
        let deviating = suspicion.deviations.iter().filter_map(|at| ask.deviations.get(*at));
        deviating.filter(|d| d.high && (is_work(ask, d) || Kind::of(&d.metric) == Some(Kind::Work))).map(|d| d.onset).min()
    };
    let carried: Vec<ComponentId> = found
        .iter()
        .filter(|(unit, suspicion)| {
            let Some(since) = works(suspicion) else { return false };
            let sends = |caller: &ComponentId| {
                found.get(caller).is_some_and(|other| other.evidence > 0.0 && other.begin <= since.plus(other.step.max(suspicion.step)))
            };
            units.dependents(**unit).keys().any(sends)
        })
        .map(|(unit, _)| *unit)
        .collect();
    for unit in carried {
        if let Some(suspicion) = found.get_mut(&unit) {
            for vote in suspicion.votes.iter_mut().filter(|vote| vote.kind.is_some_and(|kind| kind != Kind::Errors)) {
                vote.strength *= CARRIED;
            }
            suspicion.settle();
        }
    }
}

impl Suspicion {
    /// Computes what follows from the votes, and keeps three.
    fn settle(&mut self) {
        self.votes.retain(|vote| vote.strength > 0.0);
        strongest_first(&mut self.votes);
        self.votes.truncate(VOTES.len());
        self.evidence = VOTES.iter().zip(&self.votes).map(|(share, vote)| share * vote.strength).sum::<f64>() / VOTES.iter().sum::<f64>();
        // Nothing else can bear out a silence.
        let silent = self.votes.iter().filter(|vote| vote.family == SILENCE).map(|vote| vote.strength);
        self.evidence = silent.fold(self.evidence, f64::max);
        self.deviates_from = self.votes.iter().map(|vote| vote.onset).min();
        let exact = self.votes.iter().filter(|vote| !vote.is_alert());
        self.step = exact.map(|vote| vote.step).max().unwrap_or(HALF_LIFE);
    }
}

fn suspicion(
    deviations: Vec<usize>,
    families: BTreeSet<String>,
    mut votes: Vec<Vote>,
    symptoms: &[&Symptom],
    measured: bool,
) -> Option<Suspicion> {
    // An alert a hair above its threshold says little.
    let alarm = |symptom: &&Symptom| symptom.measured.as_ref().map_or(SYMPTOM, |measured| beyond(measured).min(SYMPTOM));
    let alarm = symptoms.iter().map(alarm).fold(0.0, f64::max);
    let starved = !symptoms.is_empty() && symptoms.iter().all(|symptom| symptom.starved);
    if starved {
        // That no work arrives is what its alert says already.
        votes.retain(|vote| !vote.idle);
    }
    let ends = symptoms.iter().map(|symptom| symptom.end).chain(votes.iter().map(|vote| vote.end));
    let end = ends.collect::<Option<Vec<Time>>>().and_then(|ends| ends.into_iter().max());
    let begin = symptoms.iter().map(|symptom| symptom.onset).chain(votes.iter().map(|vote| vote.onset)).min()?;
    let evidence = votes.iter().map(|vote| vote.strength).fold(0.0, f64::max);
    let symptoms = symptoms.iter().map(|symptom| symptom.component).collect();
    Some(Suspicion {
        evidence,
        asks: alarm,
        accuses: match (starved, measured) {
            (true, _) => 0.0,
            (false, true) => alarm * OWN_SYMPTOM,
            (false, false) => alarm,
        },
        begin,
        end,
        starved: starved && votes.is_empty(),
        deviates_from: None,
        step: 0,
        symptoms,
        deviations,
        families,
        votes,
    })
}

/// Ties: by their source.
fn strongest_first(votes: &mut [Vote]) {
    votes.sort_by(|a, b| b.strength.total_cmp(&a.strength).then_with(|| a.source.cmp(&b.source)));
}

/// An alert and a series of one family tell of one thing.
fn strongest_of_each(mut votes: Vec<Vote>) -> Vec<Vote> {
    strongest_first(&mut votes);
    let mut seen = BTreeSet::new();
    votes.retain(|vote| seen.insert(vote.family.clone()));
    votes
}

/// The strongest vote of a family, its component, and its series from before the incident.
type Leader = (Vote, Option<ComponentId>, Vec<(Time, f64)>);

/// The strongest of each family.
fn of_series(ask: &RankInput<'_>, positions: &[usize], now: Option<Time>) -> Vec<Vote> {
    let mut votes: Vec<Vote> = positions.iter().filter_map(|at| of_deviation(ask, *at, now)).collect();
    strongest_first(&mut votes);
    votes.truncate(MAX_SERIES);
    let mut leading: Vec<Leader> = Vec::new();
    for vote in votes {
        let SuspicionSource::Deviation(at) = vote.source else { continue };
        let Some(deviation) = ask.deviations.get(at) else { continue };
        let history = calm(ask.facts, deviation, now.map_or(deviation.onset, |now| now.min(deviation.onset)), MAX_CALM);
        let said = |(leader, component, other): &Leader| {
            leader.family == vote.family || (*component == deviation.component && move_together(&history, other))
        };
        if !leading.iter().any(said) {
            leading.push((vote, deviation.component, history));
        }
    }
    leading.into_iter().map(|(vote, _, _)| vote).collect()
}

fn of_deviation(ask: &RankInput<'_>, at: usize, now: Option<Time>) -> Option<Vote> {
    let deviation: &Deviation = ask.deviations.get(at)?;
    let series = ask.facts.series.get(deviation.series)?;
    let declared = direction(ask.estate, series) != Direction::Both;
    let full = deviation.high || declared || is_whole(deviation.usual);
    let step = step(&series.points);
    let current = now.unwrap_or(ask.at.minus(STILL * step)).minus(step);
    let strength = deviation.score / (deviation.score + HALF_STRENGTH) * if full { 1.0 } else { FALLING };
    let left = fading(current.since(deviation.end));
    let holds = deviation.against != Reference::Peers && deviation.habitual < UNUSUAL && deviation.end >= current;
    Some(Vote {
        strength: strength * left * (1.0 - deviation.habitual),
        source: SuspicionSource::Deviation(at),
        family: family(&deviation.metric),
        onset: deviation.onset,
        end: (deviation.end.plus(step) < current).then_some(deviation.end),
        step,
        common: 0.0,
        fading: left,
        idle: !deviation.high && is_work(ask, deviation),
        kind: Kind::of(&deviation.metric),
        sure: holds && deviation.sustained >= SURE_SAMPLES && deviation.score >= SURE_SCORE,
        firm: holds && deviation.sustained >= FIRM_SAMPLES && deviation.score >= FIRM_SCORE,
    })
}

/// The share that is left of a vote that ended this long ago.
pub(super) fn fading(ago: Duration) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "milliseconds between two signals of one recording")]
    let halvings = ago.max(0) as f64 / HALF_LIFE as f64;
    0.5_f64.powf(halvings)
}

fn of_witness(witness: &ExternalEvidence, at: usize, now: Time) -> Option<Vote> {
    let strength = witness.strength() * fading(now.since(witness.end));
    (strength > 0.0).then(|| Vote {
        strength,
        source: SuspicionSource::ExternalEvidence(at),
        family: witness.family.clone(),
        onset: witness.onset,
        end: None,
        step: 0,
        common: 0.0,
        fading: 1.0,
        idle: false,
        kind: matches!(witness.reason, Reason::Log { error: true, .. }).then_some(Kind::Errors),
        sure: false,
        firm: false,
    })
}

/// Which units have a metric, and which deviate in it. If most of them deviate, it is a busy hour or a common cause, and no evidence
/// against any one of them.
struct Crowd<'f> {
    have: BTreeMap<&'f str, BTreeSet<ComponentId>>,
    stray: BTreeMap<(&'f str, bool), BTreeSet<ComponentId>>,
    /// Which alert on it, and how strongly.
    alerting: BTreeMap<(&'f str, bool), BTreeMap<ComponentId, f64>>,
}

impl<'f> Crowd<'f> {
    fn of(ask: &RankInput<'f>, units: &Units<'_>) -> Self {
        let mut crowd = Crowd { have: BTreeMap::new(), stray: BTreeMap::new(), alerting: BTreeMap::new() };
        for symptom in ask.symptoms {
            if let Some(measured) = &symptom.measured
                && let Some(metric) = &measured.metric
            {
                let of = crowd.alerting.entry((metric.as_str(), measured.value > measured.threshold)).or_default();
                let strength = of.entry(units.of(symptom.component)).or_insert(0.0);
                *strength = beyond(measured).max(*strength);
            }
        }
        for series in &ask.facts.series {
            crowd.have.entry(&series.metric).or_default().extend(series.component.map(|component| units.of(component)));
        }
        for deviation in ask.deviations.iter().filter(|deviation| deviation.score >= FAINT) {
            let unit = deviation.component.map(|component| units.of(component));
            crowd.stray.entry((&deviation.metric, deviation.high)).or_default().extend(unit);
        }
        // A unit whose dependency shows the same anomaly is affected by it and does not count.
        let mut below: BTreeMap<ComponentId, Vec<ComponentId>> = BTreeMap::new();
        for stray in crowd.stray.values_mut().filter(|stray| stray.len() <= MAX_TROUBLED) {
            let all = stray.clone();
            stray.retain(|unit| {
                let below = below.entry(*unit).or_insert_with(|| units.dependencies(*unit).into_keys().collect());
                !below.iter().any(|other| all.contains(other))
            });
        }
        crowd
    }

    /// The share of unrelated units (which its fault cannot reach) with the same anomaly.
    fn share(&self, ask: &RankInput<'_>, vote: &Vote, reached: &BTreeSet<ComponentId>) -> f64 {
        let at = match vote.source {
            SuspicionSource::Deviation(at) => at,
            SuspicionSource::Alert(at) => return self.share_of_alert(ask, at, vote.strength, reached),
            SuspicionSource::ExternalEvidence(_) => return 0.0,
        };
        let Some(deviation) = ask.deviations.get(at) else { return 0.0 };
        let others = |set: Option<&BTreeSet<ComponentId>>| set.map_or(0, |set| set.difference(reached).count());
        let have = others(self.have.get(deviation.metric.as_str()));
        let stray = others(self.stray.get(&(deviation.metric.as_str(), deviation.high)));
        if have < MIN_OTHERS { 0.0 } else { super::reference::count(stray) / super::reference::count(have) }
    }
}

impl Crowd<'_> {
    /// The same for an alert: those that are less far beyond their thresholds count in proportion.
    fn share_of_alert(&self, ask: &RankInput<'_>, at: usize, strength: f64, reached: &BTreeSet<ComponentId>) -> f64 {
        let Some(measured) = ask.symptoms.get(at).and_then(|symptom| symptom.measured.as_ref()) else { return 0.0 };
        let Some(metric) = measured.metric.as_deref() else { return 0.0 };
        let have = self.have.get(metric).map_or(0, |set| set.difference(reached).count());
        let Some(alerting) = self.alerting.get(&(metric, measured.value > measured.threshold)) else { return 0.0 };
        let others: f64 = alerting.iter().filter(|(unit, _)| !reached.contains(unit)).map(|(_, other)| (other / strength).min(1.0)).sum();
        if have < MIN_OTHERS || strength <= 0.0 { 0.0 } else { (others / super::reference::count(have)).min(1.0) }
    }
}

/// Drops suspicious units beyond the limit, the weakest first, and those without symptoms before those with symptoms.
fn strongest(mut found: BTreeMap<ComponentId, Suspicion>) -> BTreeMap<ComponentId, Suspicion> {
    if found.len() <= MAX_TROUBLED {
        return found;
    }
    let mut order: Vec<(bool, f64, ComponentId)> = found.iter().map(|(id, t)| (t.symptoms.is_empty(), t.weight(), *id)).collect();
    order.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.total_cmp(&a.1)).then_with(|| a.2.cmp(&b.2)));
    let kept: BTreeSet<ComponentId> = order.into_iter().take(MAX_TROUBLED).map(|(_, _, id)| id).collect();
    found.retain(|id, _| kept.contains(id));
    found
}
