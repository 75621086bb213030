//! The reasons for the rank of a suspect, as text: the evidence for it, the evidence against it, and what to check to confirm it.

use std::collections::BTreeMap;

use estate::{ComponentId, Member};
use signal::Change;
use value::{Time, format_number};

use super::question::RankInput;
use super::rank::Suspect;
use super::score::{Deviation, Reference};
use super::suspicion::{Suspicion, SuspicionSource, Vote};

/// Maximum number of names in a list.
const MAX_NAMES: usize = 5;

/// A longer path is not shown.
const MAX_HOPS: usize = 6;

/// A dependency that takes over a smaller share of the blame is not mentioned.
const WORTH_A_WORD: f64 = 0.1;

/// The share of unrelated components with the same anomaly from which on it is mentioned.
const CROWDED: f64 = 0.25;

/// The reasons for the rank of a suspect, each a clause; the most important first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reasons {
    pub because: Vec<String>,
    pub against: Vec<String>,
    /// What to check to confirm it.
    pub look: Vec<String>,
}

/// `suspects`: all of them, the best first.
pub(super) fn words(
    ask: &RankInput<'_>,
    suspicions: &BTreeMap<ComponentId, Suspicion>,
    suspects: &[Suspect],
    suspect: &Suspect,
) -> Reasons {
    let told = ReasonWriter { ask, suspicions, suspects, suspect, mine: suspicions.get(&suspect.unit) };
    Reasons { because: told.because(), against: told.against(), look: told.look() }
}

struct ReasonWriter<'t, 'a> {
    ask: &'t RankInput<'a>,
    suspicions: &'t BTreeMap<ComponentId, Suspicion>,
    suspects: &'t [Suspect],
    suspect: &'t Suspect,
    mine: Option<&'t Suspicion>,
}

impl ReasonWriter<'_, '_> {
    fn id(&self, component: ComponentId) -> &str {
        &self.ask.estate.component(component).id
    }

    fn because(&self) -> Vec<String> {
        let mut reasons: Vec<String> = self.votes().filter_map(|vote| self.vote(vote)).collect();
        if let Some(mine) = self.mine.filter(|mine| !mine.symptoms.is_empty()) {
            let verb = if mine.symptoms.len() == 1 { "has" } else { "have" };
            reasons.push(format!("{} {verb} alerts or reports", self.list(mine.symptoms.iter().copied())));
        }
        if let Some(change) = self.suspect.change.and_then(|at| self.ask.facts.changes.get(at)) {
            reasons.push(self.change(change));
        }
        if let Some(first) = self.suspect.explained.first() {
            let reached = self.list(self.suspect.explained.iter().copied());
            reasons.push(format!(
                "a fault here would propagate to {reached}, which failed at about the same time or later{}",
                self.path(*first)
            ));
        }
        if !self.suspect.called.is_empty() {
            let called = self.list(self.suspect.called.iter().copied());
            reasons.push(format!("its dependencies also show symptoms, weaker and no earlier, as if starved or flooded by it: {called}"));
        }
        if reasons.is_empty() {
            reasons.push(format!("only its place in the topology points to {}", self.id(self.suspect.unit)));
        }
        reasons
    }

    fn against(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        match self.mine {
            None => reasons.push(format!("{} has no metrics", self.id(self.suspect.unit))),
            Some(mine) if mine.votes.is_empty() => reasons.push("no anomaly besides its alert".to_owned()),
            Some(_) => {}
        }
        if let Some((unit, share)) = self.suspect.cause.filter(|(_, share)| *share >= WORTH_A_WORD) {
            let how = if share >= 0.5 {
                "at least as anomalous and began at about the same time or earlier: this may be a symptom of it"
            } else {
                "anomalous too, though less"
            };
            reasons.push(format!("its dependency {} is {how}", self.id(unit)));
        }
        let open = self.open();
        if !open.is_empty() {
            reasons.push(format!("it does not explain the symptoms of {}", self.list(open.into_iter())));
        }
        for vote in self.votes().filter(|vote| vote.common >= CROWDED) {
            reasons.push(format!("{:.0}% of unrelated components show the same anomaly in {}", vote.common * 100.0, vote.family));
        }
        let deviations = || self.votes().filter_map(|vote| self.deviation(vote));
        if deviations().next().is_some() && deviations().all(|deviation| deviation.samples == 1) {
            reasons.push("each of its metrics deviates in a single sample only".to_owned());
        }
        reasons
    }

    fn look(&self) -> Vec<String> {
        let unit = self.id(self.suspect.unit);
        let mut hints = Vec::new();
        if let Some((cause, _)) = self.suspect.cause.filter(|(_, share)| *share >= WORTH_A_WORD) {
            hints.push(format!("{} first: if it is healthy, {unit} is not a symptom of it", self.id(cause)));
        }
        match self.mine.and_then(|mine| Some((mine.deviates_from?, mine))) {
            Some((from, mine)) => {
                let metrics: Vec<&str> = mine.votes.iter().filter_map(|vote| Some(self.deviation(vote)?.metric.as_str())).collect();
                let of: String = metrics.iter().flat_map(|metric| [metric, ", "]).collect();
                hints.push(format!("{of}logs and changes of {unit} around {}", from.clock()));
            }
            None => hints.push(format!("{unit} directly, since it has no metrics")),
        }
        hints.extend(self.rival());
        hints
    }

    /// The next suspect, if this is the first one and the two are close: which of them began first.
    fn rival(&self) -> Option<String> {
        let [first, next, ..] = self.suspects else { return None };
        if first.unit != self.suspect.unit || next.score * 2.0 < first.score {
            return None;
        }
        let (mine, theirs) = (self.mine?, self.suspicions.get(&next.unit)?);
        let when = match (mine.begins_with(mine.begin, theirs), theirs.begins_with(theirs.begin, mine)) {
            (true, false) => format!("which began {} later", Time::describe(theirs.begin.since(mine.begin))),
            (false, true) => format!("which began {} earlier", Time::describe(mine.begin.since(theirs.begin))),
            (true, true) | (false, false) => "which began at about the same time".to_owned(),
        };
        Some(format!("the next suspect, {}, {when}", self.id(next.unit)))
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
        match vote.source {
            SuspicionSource::Deviation(at) => self.ask.deviations.get(at),
            SuspicionSource::ExternalEvidence(_) => None,
        }
    }

    fn vote(&self, vote: &Vote) -> Option<String> {
        match vote.source {
            SuspicionSource::Deviation(at) => Some(metric(self.ask, self.ask.deviations.get(at)?)),
            SuspicionSource::ExternalEvidence(at) => Some(self.ask.witnesses.get(at)?.words.clone()),
        }
    }

    fn change(&self, change: &Change) -> String {
        let what = change.text.lines().last().unwrap_or_default();
        let onset = self.mine.map_or(change.time, |mine| mine.begin);
        format!("changed {} before its onset: {what} ({})", Time::describe(onset.since(change.time).max(0)), change.time.clock())
    }

    /// ` (db → pay → web)`, if there are components in between.
    fn path(&self, to: ComponentId) -> String {
        let hops = self.ask.estate.path(self.suspect.unit, to).unwrap_or_default();
        if hops.len() < 3 || hops.len() > MAX_HOPS {
            return String::new();
        }
        let names: Vec<&str> = hops.iter().map(|hop| self.id(hop.component)).collect();
        format!(" ({})", names.join(" → "))
    }

    /// `a, b and 3 more`.
    fn list(&self, units: impl Iterator<Item = ComponentId>) -> String {
        let names: Vec<&str> = units.map(|unit| self.id(unit)).collect();
        let shown = names.iter().take(MAX_NAMES).copied().collect::<Vec<&str>>().join(", ");
        let more = names.len().saturating_sub(MAX_NAMES);
        if more == 0 { shown } else { format!("{shown} and {more} more") }
    }
}

/// `latency of order-db rose to 850ms, usually 12ms (robust z 31.5, p 2e-9, 4 samples from 10:15:00)`.
fn metric(ask: &RankInput<'_>, deviation: &Deviation) -> String {
    let of = deviation.component.map_or(String::new(), |component| format!(" of {}", ask.estate.component(component).id));
    let per = if deviation.rate { " per second" } else { "" };
    let samples = if deviation.samples == 1 { "1 sample at".to_owned() } else { format!("{} samples from", deviation.samples) };
    let (is, usual) = (value(ask, deviation, deviation.value), value(ask, deviation, deviation.usual));
    let moved = match (deviation.against, deviation.high) {
        (Reference::Peers, true) => {
            format!("is {is}{per}, above the {usual}{per} of {} peers; no earlier samples", deviation.reference)
        }
        (Reference::Peers, false) => {
            format!("is {is}{per}, below the {usual}{per} of {} peers; no earlier samples", deviation.reference)
        }
        (Reference::SameHours, true) => format!("rose to {is}{per}, usually {usual}{per} at this hour"),
        (Reference::SameHours, false) => format!("fell to {is}{per}, usually {usual}{per} at this hour"),
        (Reference::Baseline | Reference::Before, true) => format!("rose to {is}{per}, usually {usual}{per}"),
        (Reference::Baseline | Reference::Before, false) => format!("fell to {is}{per}, usually {usual}{per}"),
    };
    format!(
        "{}{of} {moved} (robust z {}, p {}, {samples} {})",
        deviation.metric,
        format_number((deviation.score * 10.0).round() / 10.0),
        probability(deviation.tail),
        deviation.onset.clock(),
    )
}

/// `2.0%`, `3e-5`, `below 1e-6`: the assumptions do not justify more precision.
fn probability(p: f64) -> String {
    const LEAST: f64 = 1e-6;
    if p < LEAST {
        return "below 1e-6".to_owned();
    }
    if p < 0.001 { format!("{p:.0e}") } else { format!("{:.1}%", p * 100.0) }
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
