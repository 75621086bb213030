//! The reasons for the rank of a suspect, as data: the evidence for it, the evidence against it, and what to check to confirm it. Their
//! words are in package `words`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use estate::{ComponentId, Member};
use schemars::JsonSchema;
use serde::Serialize;
use signal::{Change, Series};
use value::{Duration, Time, format_number};

use super::question::{RankInput, Symptom};
use super::rank::Suspect;
use super::score::{Deviation, Reference};
use super::suspicion::{Suspicion, SuspicionSource, Vote};
use super::templates::LogKind;

/// A longer path is not shown.
const MAX_HOPS: usize = 6;

/// A dependency that takes over a smaller share of the blame is not mentioned.
const WORTH_A_WORD: f64 = 0.1;

/// From this share of the blame on, the suspect may be a symptom of its dependency.
const TAKES_OVER: f64 = 0.5;

/// At most this many words that a change shares with what is new are told.
const MAX_SHARED: usize = 4;

/// At most this many labels tell a series from others.
const MAX_LABELS: usize = 3;

/// The share of unrelated components with the same anomaly from which on it is mentioned.
const CROWDED: f64 = 0.25;

/// A reason for or against a suspect, or what to check. Values are in the unit that the model declares.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Reason {
    /// A series deviates from what is usual.
    Metric {
        component: Option<String>,
        metric: String,
        /// What tells it from the other series of the metric on the component.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        labels: BTreeMap<String, String>,
        value: String,
        usual: String,
        high: bool,
        per_second: bool,
        against: Reference,
        /// With peers as reference: how many.
        peers: usize,
        /// Robust z-score.
        score: f64,
        /// Probability of as large a score if nothing is wrong.
        p: f64,
        samples: usize,
        onset: Time,
    },
    /// Lines of a log are new or more frequent than before.
    Log { kind: LogKind, error: bool, template: String, word: Option<String>, lines: usize, before: usize, ratio: Option<f64>, onset: Time },
    /// A model of the user's own says so.
    Score { source: String, metric: Option<String>, p: f64, at: Time },
    /// Nothing is measured on it any more, nor on its instances, while the same metrics of others go on; `since`: the last sample.
    Silent { component: String, since: Time },
    /// An alert says how far it is beyond its threshold.
    Beyond { component: String, metric: Option<String>, value: String, threshold: String, high: bool },
    /// It has symptoms of its own: alerts, reports, failed probes, error lines or events.
    Alerting { components: Vec<String> },
    /// It was changed shortly before; `before` in milliseconds. `shared`: words of the change that what is new has too.
    Changed { before: Duration, change: String, shared: Vec<String>, at: Time },
    /// What fails at about the same time or later is within reach of its fault; the path to the first of them.
    Reaches { components: Vec<String>, path: Vec<String> },
    /// Another one names it in its error lines or by a metric, though the topology has no relation between them.
    Named { by: String, component: String },
    /// These get no work any more, because it, or what it takes down, no longer calls them.
    Starves { components: Vec<String> },
    /// Its dependencies show weaker symptoms, as if it starved or flooded them.
    Disturbs { components: Vec<String> },
    /// Its alert of this time tells of a state, and such alerts come late: it may have begun with what it explains.
    MayBeEarlier { at: Time },
    /// Nothing but its place in the topology points to it.
    OnlyPlace { component: String },

    /// It has no metrics.
    NoMetrics { component: String },
    /// It shows no anomaly besides its alert.
    OnlyAlert,
    /// A dependency is at least as anomalous, and began no later.
    SymptomOf { component: String },
    /// A dependency is anomalous too, though less.
    LessAnomalous { component: String },
    /// It does not explain these.
    LeavesOpen { components: Vec<String> },
    /// Unrelated components show the same anomaly: their share, 0 to 1.
    Crowded { share: f64, family: String },
    /// Each of its metrics deviates in one sample only.
    SingleSamples,

    /// If this dependency is healthy, the suspect is not a symptom of it.
    CheckFirst { component: String, suspect: String },
    /// Its metrics, logs and changes around its onset.
    CheckAround { component: String, metrics: Vec<String>, at: Time },
    /// The component itself, because it has no metrics.
    CheckDirectly { component: String },
    /// The next suspect, which is close: whether it began later (positive) or earlier (negative), in milliseconds.
    CheckNext { component: String, later: Duration },
}

/// The reasons for the rank of a suspect; the most important first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reasons {
    pub because: Vec<Reason>,
    pub against: Vec<Reason>,
    /// What to check to confirm it.
    pub look: Vec<Reason>,
}

impl Reasons {
    /// When the suspect is said to have begun: a change is told with its distance from that, and not if it came later.
    pub fn began(&mut self, onset: Time) {
        for reason in &mut self.because {
            if let Reason::Changed { before, at, .. } = reason {
                *before = onset.since(*at);
            }
        }
        self.because.retain(|reason| !matches!(reason, Reason::Changed { before, .. } if *before < 0));
    }

    /// The suspect may have begun before its alert of this time.
    pub fn may_be_earlier(&mut self, at: Time) {
        self.because.push(Reason::MayBeEarlier { at });
    }

    /// The suspect explains these components too, in ways that scores do not see.
    pub fn explains_too(&mut self, others: &BTreeSet<String>) {
        for reason in &mut self.against {
            if let Reason::LeavesOpen { components } = reason {
                components.retain(|component| !others.contains(component));
            }
        }
        self.against.retain(|reason| !matches!(reason, Reason::LeavesOpen { components } if components.is_empty()));
    }
}

/// `suspects`: all of them, the best first.
pub(super) fn of(
    ask: &RankInput<'_>,
    (suspicions, measured): (&BTreeMap<ComponentId, Suspicion>, &BTreeSet<ComponentId>),
    suspects: &[Suspect],
    suspect: &Suspect,
) -> Reasons {
    let measured = measured.contains(&suspect.unit);
    let told = ReasonWriter { ask, suspicions, suspects, suspect, mine: suspicions.get(&suspect.unit), measured };
    Reasons { because: told.because(), against: told.against(), look: told.look() }
}

struct ReasonWriter<'t, 'a> {
    ask: &'t RankInput<'a>,
    suspicions: &'t BTreeMap<ComponentId, Suspicion>,
    suspects: &'t [Suspect],
    suspect: &'t Suspect,
    mine: Option<&'t Suspicion>,
    /// Whether it has metrics.
    measured: bool,
}

impl ReasonWriter<'_, '_> {
    fn id(&self, component: ComponentId) -> String {
        self.ask.estate.component(component).id.clone()
    }

    fn because(&self) -> Vec<Reason> {
        let mut reasons: Vec<Reason> = self.votes().filter_map(|vote| self.vote(vote)).collect();
        if let Some(mine) = self.mine.filter(|mine| !mine.symptoms.is_empty()) {
            reasons.push(Reason::Alerting { components: self.ids(mine.symptoms.iter().copied()) });
        }
        if let Some(fitting) = &self.suspect.change
            && let Some(change) = self.ask.facts.changes.get(fitting.change)
        {
            reasons.push(self.change(change, &fitting.shared));
        }
        let is_starved = |unit: &ComponentId| self.suspicions.get(unit).is_some_and(|suspicion| suspicion.starved);
        let (starved, failing): (Vec<ComponentId>, Vec<ComponentId>) = self.suspect.explained.iter().copied().partition(is_starved);
        if let Some(first) = failing.first() {
            reasons.push(Reason::Reaches { components: self.ids(failing.iter().copied()), path: self.path(*first) });
        }
        for by in &self.suspect.named_by {
            reasons.push(Reason::Named { by: self.id(*by), component: self.id(self.suspect.unit) });
        }
        if !starved.is_empty() {
            reasons.push(Reason::Starves { components: self.ids(starved.into_iter()) });
        }
        if !self.suspect.called.is_empty() {
            reasons.push(Reason::Disturbs { components: self.ids(self.suspect.called.iter().copied()) });
        }
        if reasons.is_empty() {
            reasons.push(Reason::OnlyPlace { component: self.id(self.suspect.unit) });
        }
        reasons
    }

    fn against(&self) -> Vec<Reason> {
        let mut reasons = Vec::new();
        match self.mine {
            None => reasons.push(Reason::NoMetrics { component: self.id(self.suspect.unit) }),
            // Where nothing is measured, nothing could have shown.
            Some(mine) if mine.votes.is_empty() && self.measured => reasons.push(Reason::OnlyAlert),
            Some(_) => {}
        }
        if let Some((unit, share)) = self.suspect.cause.filter(|(_, share)| *share >= WORTH_A_WORD) {
            let component = self.id(unit);
            reasons.push(if share >= TAKES_OVER { Reason::SymptomOf { component } } else { Reason::LessAnomalous { component } });
        }
        let open = self.open();
        if !open.is_empty() {
            reasons.push(Reason::LeavesOpen { components: self.ids(open.into_iter()) });
        }
        for vote in self.votes().filter(|vote| vote.common >= CROWDED) {
            reasons.push(Reason::Crowded { share: vote.common, family: vote.family.clone() });
        }
        let deviations = || self.votes().filter_map(|vote| self.deviation(vote));
        if deviations().next().is_some() && deviations().all(|deviation| deviation.samples == 1) {
            reasons.push(Reason::SingleSamples);
        }
        reasons
    }

    fn look(&self) -> Vec<Reason> {
        let suspect = self.id(self.suspect.unit);
        let mut hints = Vec::new();
        // What is known to be over is healthy: that it is says nothing.
        let lasts = |unit: &ComponentId| self.suspicions.get(unit).is_none_or(|suspicion| suspicion.end.is_none());
        if let Some((cause, _)) = self.suspect.cause.filter(|(unit, share)| *share >= WORTH_A_WORD && lasts(unit)) {
            hints.push(Reason::CheckFirst { component: self.id(cause), suspect: suspect.clone() });
        }
        hints.push(match self.mine.filter(|mine| self.measured || mine.deviates_from.is_some()) {
            Some(mine) => {
                let metrics = mine.votes.iter().filter_map(|vote| Some(self.deviation(vote)?.metric.clone())).collect();
                Reason::CheckAround { component: suspect, metrics, at: mine.deviates_from.unwrap_or(mine.begin) }
            }
            None => Reason::CheckDirectly { component: suspect },
        });
        hints.extend(self.rival());
        hints
    }

    /// The next suspect, if this is the first one and the two are close: which of them began first.
    fn rival(&self) -> Option<Reason> {
        let [first, next, ..] = self.suspects else { return None };
        if first.unit != self.suspect.unit || next.score * 2.0 < first.score {
            return None;
        }
        let (mine, theirs) = (self.mine?, self.suspicions.get(&next.unit)?);
        let ordered = mine.begins_with(mine.begin, theirs) != theirs.begins_with(theirs.begin, mine);
        let later = if ordered { theirs.begin.since(mine.begin) } else { 0 };
        Some(Reason::CheckNext { component: self.id(next.unit), later })
    }

    /// Units with symptoms of their own that its fault does not explain.
    fn open(&self) -> Vec<ComponentId> {
        let explained =
            |unit: &ComponentId| *unit == self.suspect.unit || self.suspect.explained.contains(unit) || self.suspect.called.contains(unit);
        let asking = self.suspicions.iter().filter(|(_, suspicion)| !suspicion.symptoms.is_empty());
        asking.map(|(unit, _)| *unit).filter(|unit| !explained(unit)).collect()
    }

    fn votes(&self) -> impl Iterator<Item = &Vote> {
        self.mine.into_iter().flat_map(|mine| &mine.votes)
    }

    fn deviation(&self, vote: &Vote) -> Option<&Deviation> {
        vote.deviation(self.ask)
    }

    fn vote(&self, vote: &Vote) -> Option<Reason> {
        match vote.source {
            SuspicionSource::Deviation(at) => Some(metric(self.ask, self.ask.deviations.get(at)?)),
            SuspicionSource::ExternalEvidence(at) => Some(self.ask.witnesses.get(at)?.reason.clone()),
            SuspicionSource::Alert(at) => self.beyond(self.ask.symptoms.get(at)?),
        }
    }

    fn beyond(&self, symptom: &Symptom) -> Option<Reason> {
        let measured = symptom.measured.as_ref()?;
        Some(Reason::Beyond {
            component: self.id(symptom.component),
            metric: measured.metric.clone(),
            value: format_number(measured.value),
            threshold: format_number(measured.threshold),
            high: measured.value > measured.threshold,
        })
    }

    fn change(&self, change: &Change, shared: &[String]) -> Reason {
        let onset = self.mine.map_or(change.time, |mine| mine.begin);
        Reason::Changed {
            before: onset.since(change.time).max(0),
            change: self.ask.facts.told_in_short(change),
            shared: shared.iter().take(MAX_SHARED).cloned().collect(),
            at: change.time,
        }
    }

    /// From the suspect to a component, both included; empty if there is nothing in between.
    fn path(&self, to: ComponentId) -> Vec<String> {
        let hops = self.ask.estate.path(self.suspect.unit, to).unwrap_or_default();
        if hops.len() < 3 || hops.len() > MAX_HOPS {
            return Vec::new();
        }
        self.ids(hops.iter().map(|hop| hop.component))
    }

    fn ids(&self, units: impl Iterator<Item = ComponentId>) -> Vec<String> {
        units.map(|unit| self.id(unit)).collect()
    }
}

fn metric(ask: &RankInput<'_>, deviation: &Deviation) -> Reason {
    Reason::Metric {
        component: deviation.component.map(|component| ask.estate.component(component).id.clone()),
        metric: deviation.metric.clone(),
        labels: told_apart_by(ask, deviation),
        value: value(ask, deviation, deviation.value),
        usual: value(ask, deviation, deviation.usual),
        high: deviation.high,
        per_second: deviation.rate,
        against: deviation.against,
        peers: if deviation.against == Reference::Peers { deviation.reference } else { 0 },
        score: deviation.score,
        p: deviation.tail,
        samples: deviation.samples,
        onset: deviation.onset,
    }
}

/// The labels that tell a series from the others of its metric on its component: the fewest that do.
fn told_apart_by(ask: &RankInput<'_>, deviation: &Deviation) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let Some((series, component)) = ask.facts.series.get(deviation.series).zip(deviation.component) else { return labels };
    let all = ask.facts.series_of.get(&(component, deviation.metric.clone())).into_iter().flatten();
    let mut others: Vec<&Series> = all.filter(|at| **at != deviation.series).filter_map(|at| ask.facts.series.get(*at)).collect();
    while labels.len() < MAX_LABELS {
        let apart = |(name, value): &(&String, &String)| others.iter().filter(|other| other.labels.get(*name) != Some(*value)).count();
        // By the conventions of Prometheus, `instance` is an address: a name says more.
        let telling = series.labels.iter().max_by_key(|label| (apart(label), label.0 != "instance", Reverse(label.0)));
        let Some((name, value)) = telling.filter(|label| apart(label) > 0) else { break };
        others.retain(|other| other.labels.get(name) == Some(value));
        labels.insert(name.clone(), value.clone());
    }
    labels
}

/// In the unit from the model, if there is one.
fn value(ask: &RankInput<'_>, deviation: &Deviation, value: f64) -> String {
    let modelled = ask.facts.series.get(deviation.series).is_some_and(|series| series.modelled);
    let member = deviation
        .component
        .filter(|_| modelled)
        .and_then(|component| ask.estate.model().member(&ask.estate.component(component).kind, &deviation.metric));
    match member {
        Some(Member::Metric(metric)) => metric.unit.format(value),
        Some(Member::Attribute(_)) | None => format_number(value),
    }
}
