//! The knowledge layer: similar past cases become proposals.

use std::collections::{BTreeMap, BTreeSet};

use estate::ComponentId;
use knowledge::{Case, RESEMBLES, Record, Similar, Symptoms, TELLS};
use signal::LogLine;

use super::assemble::can_be_undone;
use super::diagnosis::Fault;
use super::proposal::{Basis, Proposal, reach};
use super::{Layer, Observations};

/// More different lines than this add nothing to the description of an incident.
const MAX_TEXTS: usize = 2_000;
/// Maximum number of similar cases shown per incident.
const MAX_CASES: usize = 3;
/// Below this similarity, a case shares words only by chance.
const WORTH_READING: f64 = 0.2;

/// The cases that these symptoms resemble, the most similar first.
pub fn search(observations: &Observations<'_, '_>, symptoms: &[usize]) -> Vec<Similar> {
    let question = observations.question;
    // All log lines of affected components, because the relevant ones need not have an error level.
    question.cases.similar(&describe(observations, symptoms, |_| true), question.engine.at)
}

/// Those worth showing, whether or not one of them proposes something.
pub fn shown(observations: &Observations<'_, '_>, found: &[Similar]) -> Vec<Similar> {
    let worth = found.iter().filter(|s| s.similarity >= WORTH_READING).cloned();
    // A case that was wrong too often is no longer proposed, but still shown, with that reason.
    let (heard, silent): (Vec<Similar>, Vec<Similar>) = worth.partition(|s| record(observations, s).may_speak());
    let muted = silent.into_iter().filter(|s| s.similarity >= RESEMBLES).take(MAX_CASES);
    let mut shown: Vec<Similar> = heard.into_iter().take(MAX_CASES).chain(muted).collect();
    shown.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.case.cmp(&b.case)));
    shown
}

/// What the best of these cases proposes for the symptoms by which they were found. `scored` is what scores propose, the best first.
pub fn propose(observations: &Observations<'_, '_>, mut cases: Vec<Similar>, symptoms: &[usize], scored: &[Proposal]) -> Option<Proposal> {
    let question = observations.question;
    cases.retain(|s| s.similarity >= RESEMBLES && s.rarity > TELLS && record(observations, s).may_speak());
    let by_change = |s: &Similar| question.cases.cases().get(s.case).is_some_and(Case::is_by_change);
    if cases.iter().any(by_change) {
        let shown = if changed(observations, symptoms) { shown_by_trouble(observations, symptoms) } else { BTreeSet::new() };
        cases.retain(|s| !by_change(s) || shown.contains(&s.case));
    }
    // Ties: the first one, which is more similar.
    let best = cases.iter().min_by(|a, b| confidence(observations, b).total_cmp(&confidence(observations, a)))?;
    let proposal = from_case(observations, best, symptoms)?;
    let silent = proposal.component.is_some_and(|component| is_silent(observations, component, scored));
    Some(Proposal { silent, ..proposal })
}

/// Whether a component shows nothing, while something does that scores suspect, and they do not suspect the component itself first.
fn is_silent(observations: &Observations<'_, '_>, component: ComponentId, scored: &[Proposal]) -> bool {
    let mut observed = observations.observed();
    observed.extend(observations.witnesses.iter().map(|witness| witness.component));
    let instances = observations.question.engine.estate.instances_of(component);
    let shows = instances.into_iter().map(|instance| instance.component).chain([component]).any(|c| observed.contains(&c));
    let members = |proposal: &Proposal| proposal.scores().map(|ranked| ranked.members.clone()).unwrap_or_default();
    let agrees = scored.first().is_some_and(|first| members(first).contains(&component));
    !shows && !agrees && scored.iter().flat_map(members).any(|member| observed.contains(&member))
}

/// Whether anything that the incident touches or depends on was changed before it began.
fn changed(observations: &Observations<'_, '_>, symptoms: &[usize]) -> bool {
    let engine = observations.question.engine;
    let Some(began) = symptoms.iter().filter_map(|i| observations.symptoms.get(*i)).map(|s| s.onset).min() else { return false };
    let area = area(observations, symptoms);
    let before = |change: &&signal::Change| change.time > observations.since && change.time <= began && can_be_undone(change);
    engine.facts.changes.iter().filter(before).any(|change| change.component.is_none_or(|component| area.contains(&component)))
}

/// The cases of which trouble shows a symptom: an alert, a report, an error line or a metric. What is logged all the same, such as that
/// something was changed, is none.
fn shown_by_trouble(observations: &Observations<'_, '_>, symptoms: &[usize]) -> BTreeSet<usize> {
    let question = observations.question;
    let described = describe(observations, symptoms, LogLine::is_error);
    question.cases.similar(&described, question.engine.at).into_iter().map(|similar| similar.case).collect()
}

/// The affected components and all that they depend on.
fn area(observations: &Observations<'_, '_>, symptoms: &[usize]) -> BTreeSet<ComponentId> {
    let estate = observations.question.engine.estate;
    let affected: BTreeSet<ComponentId> = symptoms.iter().filter_map(|i| observations.symptoms.get(*i)?.component).collect();
    let dependencies = |component: &ComponentId| estate.dependencies(*component, &[], None);
    let below: Vec<ComponentId> = affected.iter().flat_map(dependencies).map(|reached| reached.component).collect();
    affected.into_iter().chain(below).collect()
}

/// What an incident looks like, for comparison with cases, by these log lines of affected components.
fn describe(observations: &Observations<'_, '_>, symptoms: &[usize], which: impl Fn(&LogLine) -> bool) -> Symptoms {
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
    let of_it = |l: &&LogLine| l.component.is_some_and(|c| affected.contains(&c)) && l.time > observations.since && which(l);
    for line in facts.logs.iter().filter(of_it) {
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
pub fn record(observations: &Observations<'_, '_>, similar: &Similar) -> Record {
    let case = observations.question.cases.cases().get(similar.case);
    case.map_or_else(Record::default, |case| observations.question.feedback.weights.record(&case.id))
}

/// The confidence of a case: its similarity, times how rare its symptoms are, times the probability that a case like it is right.
fn confidence(observations: &Observations<'_, '_>, similar: &Similar) -> f64 {
    similar.similarity * similar.rarity * record(observations, similar).chance()
}

/// The suspect that a case proposes: the root cause of the case if that is an affected component or a dependency of one, otherwise
/// the component of the same type there with the most symptoms.
fn from_case(observations: &Observations<'_, '_>, similar: &Similar, symptoms: &[usize]) -> Option<Proposal> {
    let estate = observations.question.engine.estate;
    let case: &Case = observations.question.cases.cases().get(similar.case)?;
    let root = case.root.as_ref()?;
    let area = area(observations, symptoms);
    let same = root.component.as_deref().and_then(|id| estate.find(id)).filter(|c| area.contains(c));
    let alike = || {
        let kind = root.kind.as_deref()?;
        let count =
            |c: ComponentId| symptoms.iter().filter(|i| observations.symptoms.get(**i).is_some_and(|s| s.component == Some(c))).count();
        let mut alike: Vec<ComponentId> = area.iter().copied().filter(|c| estate.is_a(*c, kind)).collect();
        alike.sort_by_key(|c| (std::cmp::Reverse(count(*c)), *c));
        alike.first().copied()
    };
    let component = same.or_else(alike)?;
    let reach = reach(estate, Some(component), &BTreeSet::from([component]), &BTreeSet::new());
    let reached = |s: &&super::symptoms::Symptom| s.component.is_none_or(|component| reach.contains_key(&component));
    let mine: Vec<_> = symptoms.iter().filter_map(|i| observations.symptoms.get(*i)).filter(reached).collect();
    let onset = mine.iter().map(|s| s.onset).filter(|onset| *onset >= observations.since).min().unwrap_or(observations.since);
    let until = mine.iter().map(|s| s.end).collect::<Option<Vec<_>>>().and_then(|ends| ends.into_iter().max());
    // Signals without a component belong to the case as well: it may be what they are about.
    let evidence = mine.iter().filter(|s| s.component.is_none()).flat_map(|s| s.signals.iter().copied()).collect();
    Some(Proposal {
        layer: Layer::Knowledge,
        component: Some(component),
        fault: Fault::Named(root.fault.clone()),
        onset,
        lasted: vec![(onset, until)],
        lapsed: false,
        silent: false,
        strength: confidence(observations, similar),
        raw: similar.similarity * similar.rarity * Record::default().chance(),
        affected: BTreeSet::from([component]),
        reach,
        evidence,
        basis: Basis::Case(similar.clone()),
    })
}
