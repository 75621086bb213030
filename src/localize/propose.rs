//! The layers without rules: similar cases, then scores. Their suspects need confirmation.

use std::collections::{BTreeMap, BTreeSet};

use anomaly::{self, RankInput, Ranked, Reasons, SuspicionSource};
use estate::ComponentId;
use knowledge::{Case, RESEMBLES, Record, Similar, Symptoms};
use value::Time;

use super::Observations;
use super::diagnosis::Layer;
use super::incidents::IncidentDraft;
use super::symptoms::{Kind, Symptom};

/// More different lines than this add nothing to the description of an incident.
const MAX_TEXTS: usize = 2_000;
/// The minimum confidence of a suspect without anomalies of its own, and of one with anomalies.
const WORTH_NAMING: f64 = 0.1;
const WORTH_A_LINE: f64 = 0.01;
/// Three anomalous suspects are named, however certain the first one is: a wrong first suspect must not hide the others.
const ALWAYS_NAMED: usize = 3;
/// A longer list of suspects does not help.
const MAX_SUSPECTS: usize = 5;
/// Maximum number of incidents. The rest is ranked together: so many unconnected alerts have one common cause or none.
const MAX_CLUSTERS: usize = 30;
/// Maximum number of similar cases shown per incident.
const MAX_CASES: usize = 3;
/// Below this similarity, a case shares words only by chance.
const WORTH_READING: f64 = 0.2;

#[derive(Debug, Clone)]
pub struct LowerSuspect {
    pub layer: Layer,
    pub component: ComponentId,
    pub fault: String,
    /// Weighted by feedback on the case, or calibrated by feedback on scores.
    pub confidence: f64,
    /// The confidence before that.
    pub raw: f64,
    /// The case that proposes it, as a position in the base.
    pub case: Option<usize>,
    pub reasons: Reasons,
    pub explains: Vec<usize>,
    pub since: Time,
    /// It explains an alert or report, and there is more evidence than its own alert: an anomalous metric, a symptom of another component,
    /// or a case.
    pub corroborated: bool,
}

/// Adds similar cases to an incident, and suspects for the symptoms that its rules leave unexplained. `taken` has the symptoms that are
/// already explained; those explained here are added.
pub fn complete(observations: &Observations<'_, '_>, draft: &mut IncidentDraft, taken: &mut BTreeSet<usize>) {
    let question = observations.question;
    let everything: Vec<usize> = draft.symptoms.iter().copied().collect();
    let mut similar = question.cases.similar(&describe(observations, &everything), question.engine.at);
    similar.retain(|s| s.similarity >= WORTH_READING);
    similar.truncate(MAX_CASES);
    let explained: BTreeSet<usize> = draft.expert.iter().flat_map(|c| c.explains.iter().copied()).collect();
    let mut open: Vec<usize> = everything.into_iter().filter(|i| !explained.contains(i)).collect();
    let calls = open.iter().any(|i| observations.symptoms.get(*i).is_some_and(Symptom::calls_for_help));
    if calls {
        let mut cases = question.cases.similar(&describe(observations, &open), question.engine.at);
        cases.retain(|s| s.similarity >= RESEMBLES);
        let (heard, silent): (Vec<Similar>, Vec<Similar>) = cases.into_iter().partition(|s| record(observations, s).may_speak());
        // A case that was wrong too often is no longer proposed, but still shown, with that reason.
        let hidden: Vec<Similar> = silent.into_iter().take(MAX_CASES).filter(|s| similar.iter().all(|o| o.case != s.case)).collect();
        similar.extend(hidden);
        // Ties: the first one, which is more similar.
        let best = heard.iter().min_by(|a, b| confidence(observations, b).total_cmp(&confidence(observations, a)));
        // A case that names the same component as a rule, or a consequence of it, proposes nothing new.
        let known = |c: ComponentId| {
            draft
                .expert
                .iter()
                .filter_map(|e| observations.candidates.get(e.candidate))
                .any(|e| e.component == Some(c) || e.reach.contains(&c))
        };
        let proposed = best.and_then(|s| from_case(observations, s, &open));
        let proposed = proposed.filter(|s| !known(s.component));
        if let Some(suspect) = proposed {
            open.retain(|i| !suspect.explains.contains(i));
            draft.lower.push(suspect);
        }
        // Signals without a component have no place in the topology from which to look for suspects.
        let asking = asking(observations, &open);
        if !asking.is_empty() {
            let ranked = anomaly::rank(&ask(observations, &asking));
            add_ranked(observations, draft, ranked, open, taken);
        }
    }
    draft.similar = similar;
    taken.extend(draft.explained());
}

/// Without any alert or report, anomalous series alone can form an incident if they are strong enough.
pub fn from_deviations_alone(observations: &Observations<'_, '_>) -> Option<IncidentDraft> {
    let ranked = anomaly::rank(&ask(observations, &[]));
    if ranked.is_empty() {
        return None;
    }
    let open: Vec<usize> = (0..observations.symptoms.len()).collect();
    let mut draft = IncidentDraft::default();
    add_ranked(observations, &mut draft, ranked, open, &BTreeSet::new());
    draft.symptoms = draft.explained();
    Some(draft)
}

fn ask<'s>(observations: &'s Observations<'_, '_>, symptoms: &'s [anomaly::Symptom]) -> RankInput<'s> {
    let engine = observations.question.engine;
    RankInput {
        estate: engine.estate,
        facts: engine.facts,
        at: engine.at,
        deviations: &observations.deviations,
        witnesses: &observations.witnesses,
        symptoms,
    }
}

/// Clusters of symptoms that lead to the same first suspect are one incident, though no path joins them.
pub fn joined(observations: &Observations<'_, '_>, clusters: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    if clusters.len() < 2 {
        return clusters;
    }
    let mut clusters = clusters;
    if clusters.len() > MAX_CLUSTERS {
        // The largest stay; the sort is stable.
        clusters.sort_by_key(|cluster| std::cmp::Reverse(cluster.len()));
        let rest = clusters.split_off(MAX_CLUSTERS);
        clusters.push(rest.into_iter().flatten().collect());
    }
    let mut by_suspect: BTreeMap<ComponentId, Vec<usize>> = BTreeMap::new();
    let mut joined: Vec<Vec<usize>> = Vec::new();
    for cluster in clusters {
        let asking = asking(observations, &cluster);
        let first = if asking.is_empty() { None } else { anomaly::rank(&ask(observations, &asking)).first().map(|first| first.component) };
        match first {
            Some(component) => by_suspect.entry(component).or_default().extend(cluster),
            None => joined.push(cluster),
        }
    }
    joined.extend(by_suspect.into_values());
    joined.iter_mut().for_each(|cluster| cluster.sort_unstable());
    // Sorted by component, so that the order of signals in files has no effect.
    let about = |cluster: &Vec<usize>| cluster.iter().filter_map(|i| observations.symptoms.get(*i)?.component).min();
    joined.sort_by_key(about);
    joined
}

fn asking(observations: &Observations<'_, '_>, open: &[usize]) -> Vec<anomaly::Symptom> {
    let symptoms = open.iter().filter_map(|i| observations.symptoms.get(*i)).filter(|s| s.calls_for_help());
    // Relative to the heaviest: the absolute severity of a monitor is not evidence.
    let heaviest = symptoms.clone().map(|s| s.weight).fold(f64::MIN_POSITIVE, f64::max);
    symptoms.filter_map(|s| Some(anomaly::Symptom { component: s.component?, onset: s.onset, weight: s.weight / heaviest })).collect()
}

fn add_ranked(
    observations: &Observations<'_, '_>,
    draft: &mut IncidentDraft,
    ranked: Vec<Ranked>,
    mut open: Vec<usize>,
    taken: &BTreeSet<usize>,
) {
    // Anomalous series of the components that a suspect explains are its symptoms too.
    let in_incident: BTreeSet<usize> = open.iter().copied().collect();
    let metrics = (0..observations.symptoms.len()).filter(|i| {
        !in_incident.contains(i) && !taken.contains(i) && observations.symptoms.get(*i).is_some_and(|s| s.kind == Kind::Metric)
    });
    open.extend(metrics.collect::<Vec<_>>());
    let first_call = in_incident.iter().filter_map(|i| observations.symptoms.get(*i)).map(|s| s.onset).min();
    let known: BTreeSet<Option<ComponentId>> = draft
        .expert
        .iter()
        .filter_map(|c| observations.candidates.get(c.candidate))
        .map(|c| c.component)
        .chain(draft.lower.iter().map(|s| Some(s.component)))
        .collect();
    // Components that the suspect of a rule reaches are explained; they are not a second cause.
    let effects: BTreeSet<ComponentId> =
        draft.expert.iter().filter_map(|c| observations.candidates.get(c.candidate)).flat_map(|c| c.reach.iter().copied()).collect();
    let fresh = |r: &Ranked| !known.contains(&Some(r.component)) && !effects.contains(&r.component);
    // A component without anomalies is listed after a better suspect only with enough confidence.
    let worth = |(place, r): &(usize, Ranked)| {
        let strays = !r.deviations.is_empty();
        *place == 0 || (strays && *place < ALWAYS_NAMED) || r.confidence >= if strays { WORTH_A_LINE } else { WORTH_NAMING }
    };
    for (_, one) in ranked.into_iter().filter(fresh).enumerate().filter(worth).take(MAX_SUSPECTS) {
        let mine = |i: &usize| {
            observations.symptoms.get(*i).is_some_and(|s| s.component.is_some_and(|c| c == one.component || one.explains.contains(&c)))
        };
        let explains: Vec<usize> = open.iter().copied().filter(|i| mine(i)).collect();
        open.retain(|i| !explains.contains(i));
        let strays = one.deviations.iter().filter_map(|d| observations.deviations.get(*d));
        let since = strays.map(|d| d.onset).chain(explains.iter().filter_map(|i| observations.symptoms.get(*i)).map(|s| s.onset)).min();
        let fault = fault(observations, &one, &in_incident);
        let alerting = || explains.iter().filter_map(|i| observations.symptoms.get(*i)).filter(|s| s.calls_for_help());
        let others = alerting().filter_map(|s| s.component).any(|c| c != one.component);
        let strays = alerting().next().is_some() && !one.deviations.is_empty();
        draft.symptoms.extend(explains.iter().copied());
        draft.lower.push(LowerSuspect {
            layer: Layer::Anomaly,
            component: one.component,
            fault,
            confidence: observations.question.feedback.calibration.apply(one.confidence),
            raw: one.confidence,
            case: None,
            reasons: one.reasons,
            since: since.or(first_call).unwrap_or(observations.since),
            corroborated: others || strays,
            explains,
        });
    }
}

/// The fault of a suspect as text: its strongest vote, otherwise its own alert or report, whichever suspect explains that.
fn fault(observations: &Observations<'_, '_>, one: &Ranked, incident: &BTreeSet<usize>) -> String {
    if let Some(SuspicionSource::Deviation(at)) = one.leading
        && let Some(leading) = observations.deviations.get(at)
    {
        return format!("unusually {} {}", if leading.high { "high" } else { "low" }, leading.metric);
    }
    let own = incident.iter().filter_map(|i| observations.symptoms.get(*i)).find(|s| s.component.is_some_and(|c| one.members.contains(&c)));
    match (own, one.leading) {
        (Some(symptom), _) => symptom.text.clone(),
        (None, Some(SuspicionSource::ExternalEvidence(at))) => {
            observations.witnesses.get(at).map(|witness| witness.words.clone()).unwrap_or_default()
        }
        (None, Some(SuspicionSource::Deviation(_)) | None) => "no anomaly of its own; its dependents fail".to_owned(),
    }
}

/// What an incident looks like, for comparison with cases.
fn describe(observations: &Observations<'_, '_>, symptoms: &[usize]) -> Symptoms {
    let (estate, facts) = (observations.question.engine.estate, observations.question.engine.facts);
    let mut described = Symptoms { texts: Vec::new(), metrics: BTreeSet::new(), kinds: BTreeMap::new(), components: BTreeSet::new() };
    let mut affected = BTreeSet::new();
    for symptom in symptoms.iter().filter_map(|i| observations.symptoms.get(*i)) {
        if symptom.calls_for_help() {
            described.texts.push(symptom.text.clone());
        }
        affected.extend(symptom.component);
    }
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    // All log lines of affected components, because the relevant ones need not have an error level.
    for line in facts.logs.iter().filter(|l| l.component.is_some_and(|c| affected.contains(&c)) && l.time > observations.since) {
        if described.texts.len() < MAX_TEXTS && seen.insert(line.text.as_str()) {
            described.texts.push(line.text.clone());
        }
    }
    for deviation in &observations.deviations {
        let Some(component) = deviation.component.filter(|c| affected.contains(c)) else { continue };
        described.metrics.insert((estate.component(component).kind.clone(), deviation.metric.clone(), deviation.high));
    }
    for component in affected {
        let component = estate.component(component);
        *described.kinds.entry(component.kind.clone()).or_default() += 1;
        described.components.insert(component.id.clone());
    }
    described
}

/// How often a case was right when it was proposed.
fn record(observations: &Observations<'_, '_>, similar: &Similar) -> Record {
    let case = observations.question.cases.cases().get(similar.case);
    case.map_or_else(Record::default, |case| observations.question.feedback.weights.record(&case.id))
}

/// The confidence of a case: its similarity times the probability that a case like it is right.
fn confidence(observations: &Observations<'_, '_>, similar: &Similar) -> f64 {
    similar.similarity * record(observations, similar).chance()
}

/// The suspect that a case proposes: the root cause of the case if that is an affected component or a dependency of one, otherwise
/// the component of the same type there with the most symptoms.
fn from_case(observations: &Observations<'_, '_>, similar: &Similar, open: &[usize]) -> Option<LowerSuspect> {
    let estate = observations.question.engine.estate;
    let case: &Case = observations.question.cases.cases().get(similar.case)?;
    let root = case.root.as_ref()?;
    let affected: BTreeSet<ComponentId> = open.iter().filter_map(|i| observations.symptoms.get(*i)?.component).collect();
    let mut area = affected.clone();
    for component in &affected {
        area.extend(estate.dependencies(*component, &[], None).into_iter().map(|r| r.component));
    }
    let same = root.component.as_deref().and_then(|id| estate.find(id)).filter(|c| area.contains(c));
    let alike = || {
        let kind = root.kind.as_deref()?;
        let count = |c: ComponentId| open.iter().filter(|i| observations.symptoms.get(**i).is_some_and(|s| s.component == Some(c))).count();
        let mut alike: Vec<ComponentId> = area.iter().copied().filter(|c| estate.is_a(*c, kind)).collect();
        alike.sort_by_key(|c| (std::cmp::Reverse(count(*c)), *c));
        alike.first().copied()
    };
    let component = same.or_else(alike)?;
    let reach: BTreeSet<ComponentId> =
        estate.dependents(component, &[], None).into_iter().map(|r| r.component).chain([component]).collect();
    let explains: Vec<usize> = open
        .iter()
        .copied()
        .filter(|i| observations.symptoms.get(*i).is_some_and(|s| s.component.is_none_or(|c| reach.contains(&c))))
        .collect();
    let since = explains.iter().filter_map(|i| observations.symptoms.get(*i)).map(|s| s.onset).min().unwrap_or(observations.since);
    let mut reasons = vec![format!("resembles case {} \"{}\" ({:.0}%)", case.id, case.title, similar.similarity * 100.0)];
    let record = record(observations, similar);
    reasons.extend(record.words().map(|words| format!("this case {words} it was proposed: weight {:.2}", record.weight())));
    reasons.extend(similar.matched.iter().cloned());
    Some(LowerSuspect {
        layer: Layer::Knowledge,
        component,
        fault: root.fault.clone(),
        confidence: confidence(observations, similar),
        raw: similar.similarity * Record::default().chance(),
        case: Some(similar.case),
        reasons: Reasons { because: reasons, ..Reasons::default() },
        explains,
        since,
        corroborated: true,
    })
}
