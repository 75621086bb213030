//! The anomaly layer: alerts and anomaly scores, limited by the topology, become proposals. They need confirmation.

use std::collections::BTreeSet;

use anomaly::{self, RankInput, Ranked, SuspicionSource};
use compile::plan::Severity;
use estate::ComponentId;
use value::Time;

use super::clusters::LONG_PAUSE;
use super::diagnosis::Fault;
use super::proposal::{Basis, Proposal, TOLERANCE, reach};
use super::symptoms::{Kind, Symptom};
use super::{Layer, Observations};

/// What scores propose for these symptoms, the best first. Without any, anomalous series alone may be strong enough.
pub fn propose(observations: &Observations<'_, '_>, symptoms: &[usize]) -> Vec<Proposal> {
    let onsets = onsets(observations, symptoms);
    let asking = asking(observations, symptoms, &onsets);
    // Signals without a component have no place in the topology from which to look for suspects.
    if asking.is_empty() && !symptoms.is_empty() {
        return Vec::new();
    }
    rank(observations, &asking).into_iter().map(|one| proposal(observations, one, (symptoms, onsets.as_slice()))).collect()
}

/// When the alerts, reports and failed probes of the trouble of now began: ascending.
fn onsets(observations: &Observations<'_, '_>, symptoms: &[usize]) -> Vec<Time> {
    let all = symptoms.iter().filter_map(|i| observations.symptoms.get(*i)).filter(|s| s.calls_for_help() && s.kind != Kind::Log);
    let mut onsets: Vec<Time> = all.map(|s| s.onset).filter(|onset| observations.began.is_none_or(|began| *onset >= began)).collect();
    onsets.sort_unstable();
    onsets
}

/// When the trouble that a symptom tells of may have begun: of the state of an object with the first of the others, as its alert comes
/// late, and only its rule knows how late. Signals further apart than a long pause are two events.
fn begun(observations: &Observations<'_, '_>, symptom: &Symptom, onsets: &[Time]) -> Time {
    let alert = symptom.alert(observations.question.engine.facts).filter(|alert| anomaly::tells_state(&alert.name));
    let with = alert.and_then(|_| {
        let earliest = symptom.onset.minus(LONG_PAUSE);
        onsets.get(onsets.partition_point(|onset| *onset < earliest)).copied()
    });
    // Within the tolerance there is no order anyway.
    with.filter(|with| symptom.onset.since(*with) > TOLERANCE).unwrap_or(symptom.onset)
}

fn rank(observations: &Observations<'_, '_>, symptoms: &[anomaly::Symptom]) -> Vec<Ranked> {
    let engine = observations.question.engine;
    anomaly::rank(&RankInput {
        estate: engine.estate,
        facts: engine.facts,
        at: engine.at,
        deviations: &observations.deviations,
        witnesses: &observations.witnesses,
        named: &observations.named,
        symptoms,
    })
}

fn asking(observations: &Observations<'_, '_>, symptoms: &[usize], onsets: &[Time]) -> Vec<anomaly::Symptom> {
    let facts = observations.question.engine.facts;
    let calling: Vec<&Symptom> = symptoms.iter().filter_map(|i| observations.symptoms.get(*i)).filter(|s| s.calls_for_help()).collect();
    let is_old = |s: &Symptom| s.kind != Kind::Log && observations.began.is_some_and(|began| s.onset < began);
    // Where the trouble of now shows, an older alert would only make it seem to have begun there.
    let now = calling.iter().filter(|s| !is_old(s)).filter_map(|s| s.component).collect::<BTreeSet<ComponentId>>();
    let deviates = |component: ComponentId| observations.deviations.iter().any(|d| d.component == Some(component));
    let shows = |s: &Symptom| s.component.is_some_and(|c| now.contains(&c) || (!now.is_empty() && deviates(c)));
    calling
        .into_iter()
        .filter(|s| !is_old(s) || !shows(s))
        .filter_map(|s| {
            let measured = s.alert(facts).and_then(|alert| alert.measured.as_deref().cloned());
            let metric = measured.as_ref().and_then(|measured| measured.metric.as_deref());
            let kind = match (metric.and_then(anomaly::Kind::of), s.kind) {
                (Some(kind), _) => Some(kind),
                (None, Kind::Log) => Some(anomaly::Kind::Errors),
                (None, Kind::Alert | Kind::Report | Kind::Probe | Kind::Metric) => anomaly::Kind::of(&s.text),
            };
            let starved = s.callers.is_some();
            let onset = begun(observations, s, onsets);
            Some(anomaly::Symptom { component: s.component?, onset, end: s.end, starved, kind, measured })
        })
        .collect()
}

fn proposal(observations: &Observations<'_, '_>, mut one: Ranked, (symptoms, onsets): (&[usize], &[Time])) -> Proposal {
    let estate = observations.question.engine.estate;
    let own = |c: Option<ComponentId>| c.is_some_and(|c| one.members.contains(&c));
    let explained = |c: Option<ComponentId>| c.is_some_and(|c| one.explains.contains(&c));
    let deviating = one.deviations.iter().filter_map(|d| observations.deviations.get(*d)).map(|d| d.onset);
    let of = |mine: &dyn Fn(Option<ComponentId>) -> bool| {
        let found = symptoms.iter().filter_map(|i| observations.symptoms.get(*i)).filter(|s| mine(s.component));
        // What began before the window is history, unless it is all there is.
        let found: Vec<(Time, Time)> = found.map(|s| (begun(observations, s, onsets), s.onset)).collect();
        found.iter().copied().filter(|(_, onset)| *onset >= observations.since).min().or_else(|| found.iter().copied().min())
    };
    let (told, first) = (of(&own), deviating.min());
    let onset = first.into_iter().chain(told.map(|(begun, _)| begun)).min();
    let any = || of(&explained).or_else(|| of(&|_| true)).map(|(begun, _)| begun);
    let onset = onset.or_else(any).unwrap_or(observations.since);
    one.reasons.began(onset);
    if let Some((_, at)) = told.filter(|(begun, at)| begun < at && first.is_none_or(|first| *begun < first)) {
        one.reasons.may_be_earlier(at);
    }
    let mut proposal = Proposal {
        layer: Layer::Anomaly,
        component: Some(one.component),
        fault: fault(observations, &one, symptoms),
        onset,
        lasted: vec![(onset, one.end)],
        lapsed: false,
        silent: false,
        strength: observations.question.feedback.calibration.apply(one.confidence),
        raw: one.confidence,
        affected: BTreeSet::from([one.component]),
        reach: reach(estate, Some(one.component), &one.members.iter().copied().collect(), &BTreeSet::new()),
        evidence: BTreeSet::new(),
        basis: Basis::Scores(Box::new(one)),
    };
    let starved = |s: &&Symptom| s.callers.is_some() && proposal.explains(s);
    let starved = symptoms.iter().filter_map(|i| observations.symptoms.get(*i)).filter(starved).filter_map(|s| s.component);
    let starved: BTreeSet<String> = starved.map(|c| estate.component(c).id.clone()).collect();
    if let Basis::Scores(ranked) = &mut proposal.basis {
        ranked.reasons.explains_too(&starved);
    }
    proposal
}

/// At most this many alerts of its own name the fault of a suspect.
const MAX_NAMED: usize = 3;

/// The fault of a suspect: its strongest vote, otherwise its own alert or report.
fn fault(observations: &Observations<'_, '_>, one: &Ranked, incident: &[usize]) -> Fault {
    if let Some(SuspicionSource::Deviation(at)) = one.leading
        && let Some(leading) = observations.deviations.get(at)
    {
        return Fault::Unusual { metric: leading.metric.clone(), high: leading.high };
    }
    // Of several alerts of its own: those that are its trouble rather than its neighbour's, of this incident rather than an old note. Never
    // the more severe one: severity is no guilt. Only what calls nobody stands back.
    let calling = || incident.iter().filter_map(|i| observations.symptoms.get(*i)).filter(|s| s.calls_for_help());
    let own = |s: &&Symptom| s.component.is_some_and(|c| one.members.contains(&c));
    let rank = |s: &Symptom| (s.callers.is_some(), s.onset < observations.since, s.severity == Severity::Info, s.end.is_some());
    let best = calling().filter(own).map(rank).min();
    let mut named: Vec<&Symptom> = calling().filter(own).filter(|s| Some(rank(s)) == best).collect();
    named.sort_by_key(|s| (s.onset, s.text.clone()));
    let first = named.first().map(|s| s.onset);
    named.retain(|s| first.is_some_and(|first| s.onset.since(first) <= TOLERANCE));
    let mut texts: Vec<&str> = named.iter().map(|s| if s.text.is_empty() { s.kind.name() } else { s.text.as_str() }).collect();
    texts.dedup();
    texts.truncate(MAX_NAMED);
    let starving = || {
        let mut others = calling().filter(|s| s.component.is_some_and(|c| one.explains.contains(&c))).peekable();
        others.peek().is_some() && others.all(|s| s.callers.is_some())
    };
    let silent = || if starving() { Fault::Callees } else { Fault::Dependents };
    match (texts.is_empty(), one.leading) {
        (false, _) => Fault::Named(sentences(&texts)),
        (true, Some(SuspicionSource::ExternalEvidence(at))) => {
            observations.witnesses.get(at).map_or_else(silent, |witness| Fault::Shows(witness.reason.clone()))
        }
        (true, Some(SuspicionSource::Deviation(_) | SuspicionSource::Alert(_)) | None) => silent(),
    }
}

/// Texts of several alerts in one line, without the full stops between them.
fn sentences(texts: &[&str]) -> String {
    let Some((last, others)) = texts.split_last() else { return String::new() };
    let others = others.iter().map(|text| text.trim_end_matches(['.', '。']));
    others.chain([*last]).collect::<Vec<_>>().join("; ")
}
