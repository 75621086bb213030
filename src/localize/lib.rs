//! Fault localization: turns findings and signals into incidents, suspects and impact, layer by layer.
//!
//! One way from evidence to answer: `symptoms` observes; `begin` says since when; `rules`, `cases` and `scores` propose (`proposal`);
//! `explain` picks the fewest proposals that explain the most and groups them into incidents; `impact` computes what they reach; `account`
//! records where every signal ended up; `suppress` says which alerts are symptoms only; `assemble` turns all of it into data, which
//! `diagnosis` defines.

mod account;
mod assemble;
mod begin;
mod cases;
#[cfg(test)]
mod cluster_tests;
mod cluster_texts;
mod cluster_views;
mod clusters;
mod connected;
mod diagnosis;
mod explain;
mod harmless;
mod impact;
mod named;
mod order;
mod proposal;
mod rules;
mod scores;
mod suppress;
mod symptoms;

pub use diagnosis::{
    AccountView, AdviceView, BeforeView, CaseReason, CaseView, ChangeView, ClusterView, CommonRelation, CommonView, Diagnosis, Fault,
    ImpactView, Incident, JoinedBy, NearMissView, Reason, RuleView, Says, SetAsideView, SignalView, SofteningView, SuppressedView, Suspect,
    UndoView, UnjudgedView, UnplacedView, WhySetAside, WhySuppressed,
};
pub use knowledge::Layer;

use std::collections::BTreeSet;

use anomaly::{Deviation, ExternalEvidence, LogDeviation, OUTSIDE, deviations, log_deviations, visible_from};
use engine::{Engine, Finding};
use estate::{ComponentId, Snapshot};
use knowledge::{CaseBase, Feedback, KnowledgeGraph};
use proposal::TOLERANCE;
use signal::{Counts, Facts, RUN_TAIL};
use symptoms::Symptom;
use value::Time;

/// The input of a diagnosis.
#[derive(Clone, Copy)]
pub struct Question<'q, 'a> {
    pub engine: &'q Engine<'a>,
    pub cases: &'q CaseBase,
    /// Feedback on earlier answers: it weights cases and calibrates scores.
    pub feedback: &'q Feedback,
    /// What broke earlier, where.
    pub knowledge: Option<&'q KnowledgeGraph>,
    pub counts: &'q Counts,
}

/// Everything found, before it is turned into text.
pub(crate) struct Observations<'q, 'a> {
    pub question: Question<'q, 'a>,
    pub findings: Vec<Finding<'a>>,
    pub deviations: Vec<Deviation>,
    pub witnesses: Vec<ExternalEvidence>,
    pub symptoms: Vec<Symptom>,
    /// Who names whom, without a relation between them.
    pub named: Vec<(ComponentId, ComponentId)>,
    pub since: Time,
    /// When the trouble of now began: the first alert, report or failed probe of it.
    pub began: Option<Time>,
}

/// Near misses beyond this number are too far off to be useful.
const MAX_NEAR_MISSES: usize = 20;

/// Components with a signal between `since` and `at` that needs an explanation. An anomalous metric alone does not.
pub fn alerting(estate: &Snapshot, facts: &Facts, since: Time, at: Time) -> BTreeSet<ComponentId> {
    symptoms::collect(estate, facts, &[], since, at).into_iter().filter_map(|symptom| symptom.component).collect()
}

/// The diagnosis of all facts of an engine at its instant.
pub fn diagnose(question: &Question<'_, '_>) -> Diagnosis {
    let engine = question.engine;
    let (estate, facts) = (engine.estate, engine.facts);
    let since = engine.at.minus(engine.lookback);
    let findings = engine.findings();
    // The baseline is learned from the time before the first alert, report or failed probe of this trouble, if there is one. Error lines
    // may have been logged all along, so they do not count here. The first alert may be older than the window.
    let calls = symptoms::collect(estate, facts, &[], since, engine.at);
    let onsets = calls.iter().filter(|s| s.kind != symptoms::Kind::Log).map(|s| s.onset);
    let began = begin::begin(onsets, visible_from(facts), engine.lookback);
    let called = began.map(|onset| onset.minus(TOLERANCE));
    let quiet_until = called.unwrap_or(since);
    let mut deviations = deviations(estate, facts, engine.at, quiet_until);
    // Drop deviations that ended before the window.
    deviations.retain(|d| facts.series.get(d.series).is_some_and(|s| !s.within(since, engine.at).is_empty()));
    let logs = log_deviations(facts, engine.at, called.unwrap_or(Time::MIN));
    let mut symptoms = symptoms::collect(estate, facts, &deviations, since, engine.at);
    symptoms::quieten(&mut symptoms, &logs, facts);
    let mut witnesses = witnesses(&logs, facts, since, engine.at);
    witnesses.extend(anomaly::silences(estate, facts, since, engine.at));
    let named = named::named(estate, facts, &symptoms);
    let observations = Observations { question: *question, findings, deviations, witnesses, symptoms, named, since, began };

    let drafts = explain::form(&observations);
    let mut open = explain::unexplained(&observations, &drafts);
    // What calls somebody now is not to be missed among the rest.
    open.sort_by_key(|i| !observations.symptoms.get(*i).is_some_and(Symptom::is_urgent));
    let mut diagnosis = Diagnosis {
        version: 1,
        at: engine.at,
        since,
        incidents: Vec::new(),
        hidden: 0,
        checks: Vec::new(),
        solutions: Vec::new(),
        changes: Vec::new(),
        cases: Vec::new(),
        before: Vec::new(),
        near_misses: assemble::near_misses(&observations, MAX_NEAR_MISSES),
        unjudged: assemble::unjudged(&observations),
        unexplained: open.iter().filter_map(|i| observations.symptoms.get(*i)).map(|s| s.view(estate, facts)).collect(),
        groups: clusters::groups(&observations, &open),
        unplaced: assemble::unplaced(&observations),
        unplaced_because: account::unplaced(&observations),
        suppressed: suppress::suppressed(&observations),
        set_aside: assemble::set_aside(&observations),
        accounting: account::account(&observations, &drafts, &open),
        warnings: Vec::new(),
    };
    let roots: Vec<impact::Roots> = drafts.iter().map(|draft| impact::roots(&observations, draft)).collect();
    let together = impact::together(&observations, &roots);
    for (index, (draft, roots)) in drafts.iter().zip(&roots).enumerate() {
        let impact = impact::impact(&observations, roots, &together);
        assemble::incident(&observations, draft, (index + 1, impact), &mut diagnosis);
    }
    diagnosis
}

/// A template without an error level may be harmless, like a message about a release: it counts half.
const NO_ERROR: f64 = 0.5;

/// Evidence from logs and external models, for the ranking. Logs without earlier logs to compare with are symptoms only.
fn witnesses(logs: &[LogDeviation], facts: &Facts, since: Time, at: Time) -> Vec<ExternalEvidence> {
    let logs = logs.iter().filter(|found| !found.unknown_reference).filter_map(|found| {
        Some(ExternalEvidence {
            component: found.component?,
            family: anomaly::LOG.to_owned(),
            tail: found.p,
            weight: if found.error { 1.0 } else { NO_ERROR },
            onset: found.onset,
            end: at,
            reason: found.reason(),
        })
    });
    let outside = facts.scores_at(since, at).into_iter().filter(|score| score.tail <= RUN_TAIL).filter_map(|score| {
        Some(ExternalEvidence {
            component: score.component?,
            family: OUTSIDE.to_owned(),
            tail: score.tail,
            weight: 1.0,
            onset: score.onset.unwrap_or(score.time),
            end: score.time,
            reason: anomaly::Reason::Score { source: score.source, metric: score.metric, p: score.tail, at: score.time },
        })
    });
    logs.chain(outside).collect()
}

impl Observations<'_, '_> {
    /// Components with a symptom, including anomalous metrics.
    pub(crate) fn observed(&self) -> BTreeSet<estate::ComponentId> {
        self.symptoms.iter().filter_map(|s| s.component).collect()
    }
}
