//! The anomaly layer: alerts and anomaly scores, limited by the topology, become proposals. They need confirmation.

use std::collections::BTreeSet;

use anomaly::{self, RankInput, Ranked, SuspicionSource};
use compile::plan::Severity;
use estate::ComponentId;

use super::diagnosis::Fault;
use super::proposal::{Basis, Proposal, TOLERANCE, reach};
use super::symptoms::{Kind, Symptom};
use super::{Layer, Observations};

/// What scores propose for these symptoms, the best first. Without any, anomalous series alone may be strong enough.
pub fn propose(observations: &Observations<'_, '_>, symptoms: &[usize]) -> Vec<Proposal> {
    let asking = asking(observations, symptoms);
    // Signals without a component have no place in the topology from which to look for suspects.
    if asking.is_empty() && !symptoms.is_empty() {
        return Vec::new();
    }
    rank(observations, &asking).into_iter().map(|one| proposal(observations, one, symptoms)).collect()
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

fn asking(observations: &Observations<'_, '_>, symptoms: &[usize]) -> Vec<anomaly::Symptom> {
    let facts = observations.question.engine.facts;
    let calling = symptoms.iter().filter_map(|i| observations.symptoms.get(*i)).filter(|s| s.calls_for_help());
    calling
        .filter_map(|s| {
            let measured = s.alert(facts).and_then(|alert| alert.measured.as_deref().cloned());
            let metric = measured.as_ref().and_then(|measured| measured.metric.as_deref());
            let kind = match (metric.and_then(anomaly::Kind::of), s.kind) {
                (Some(kind), _) => Some(kind),
                (None, Kind::Log) => Some(anomaly::Kind::Errors),
                (None, Kind::Alert | Kind::Report | Kind::Probe | Kind::Metric) => anomaly::Kind::of(&s.text),
            };
            let starved = s.callers.is_some();
            Some(anomaly::Symptom { component: s.component?, onset: s.onset, end: s.end, starved, kind, measured })
        })
        .collect()
}

fn proposal(observations: &Observations<'_, '_>, one: Ranked, symptoms: &[usize]) -> Proposal {
    let estate = observations.question.engine.estate;
    let own = |c: Option<ComponentId>| c.is_some_and(|c| one.members.contains(&c));
    let explained = |c: Option<ComponentId>| c.is_some_and(|c| one.explains.contains(&c));
    let deviating = one.deviations.iter().filter_map(|d| observations.deviations.get(*d)).map(|d| d.onset);
    let of = |mine: &dyn Fn(Option<ComponentId>) -> bool| {
        let onsets = symptoms.iter().filter_map(|i| observations.symptoms.get(*i)).filter(|s| mine(s.component)).map(|s| s.onset);
        // What began before the window is history, unless it is all there is.
        let onsets: Vec<_> = onsets.collect();
        onsets.iter().copied().filter(|onset| *onset >= observations.since).min().or_else(|| onsets.iter().copied().min())
    };
    let onset = deviating.chain(of(&own)).min().or_else(|| of(&explained)).or_else(|| of(&|_| true)).unwrap_or(observations.since);
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
