//! What is no incident: an alert that nothing else bears out, and what passed without a trace. Both stay unexplained.

use std::collections::BTreeSet;

use anomaly::SETTLING;
use compile::plan::Severity;
use estate::ComponentId;

use super::Observations;
use super::explain::{IncidentDraft, Told};
use super::proposal::{Proposal, TOLERANCE};
use super::symptoms::{Kind, Symptom};

/// Whether scores have nothing against a component but this symptom of its own.
pub fn rests_on_own_alert(proposal: &Proposal, symptom: &Symptom) -> bool {
    let Some(ranked) = proposal.scores() else { return false };
    ranked.deviations.is_empty() && symptom.component.is_none_or(|c| ranked.members.contains(&c))
}

/// A single alert on a component whose metrics are there and show nothing is no incident, and neither is what passed without a trace:
/// it stays unexplained. A critical one calls somebody for as long as it fires, whatever the metrics show.
pub fn is_harmless(observations: &Observations<'_, '_>, draft: &IncidentDraft) -> bool {
    let facts = observations.question.engine.facts;
    let measured = |component: ComponentId| facts.series.iter().any(|s| s.component == Some(component) && !s.points.is_empty());
    if draft.calling(&observations.symptoms).any(Symptom::is_urgent) {
        return false;
    }
    let passed = has_passed(observations, draft);
    // A silent suspect is accused by the same alerts: it says nothing about them.
    let silent = |told: &Told| told.explains.is_empty() && told.proposal.scores().is_some_and(|ranked| !ranked.deviates);
    draft.told.iter().filter(|told| !silent(told)).all(|told| {
        let Some(ranked) = told.proposal.scores() else { return false };
        let explained = || told.explains.iter().filter_map(|i| observations.symptoms.get(*i)).filter(|s| s.calls_for_help());
        let several = || explained().filter(|s| s.fires() && s.severity > Severity::Info).count() > 1;
        let own = || explained().all(|s| rests_on_own_alert(&told.proposal, s));
        let alone = || !several() && own() && ranked.members.iter().any(|c| measured(*c));
        !ranked.deviates && (passed || (!ranked.loud && alone()))
    }) || is_hair(observations, draft)
}

/// An alert that is less far beyond its threshold than this share of one that does not say how far may be noise.
const HAIR: f64 = 0.5;

/// Whether all that alerts stands a hair beyond its threshold, and no suspect would be named if nothing alerted.
fn is_hair(observations: &Observations<'_, '_>, draft: &IncidentDraft) -> bool {
    let facts = observations.question.engine.facts;
    let faint = draft.calling(&observations.symptoms).all(|s| s.kind == Kind::Alert && s.loudness(facts) < HAIR);
    let unsure = |told: &Told| told.proposal.scores().is_some_and(|ranked| !ranked.convincing);
    faint && draft.calling(&observations.symptoms).next().is_some() && draft.told.iter().all(unsure)
}

/// Whether all of it was short, is over for a while, and left no trace where it would show: its alerts resolved, its probes succeed
/// again, nothing was reported later, no error was logged, and something measured is among its components and their dependencies.
fn has_passed(observations: &Observations<'_, '_>, draft: &IncidentDraft) -> bool {
    let engine = observations.question.engine;
    let calling: Vec<&Symptom> = draft.calling(&observations.symptoms).collect();
    let ended = |symptom: &&Symptom| match (symptom.kind, symptom.signals.first()) {
        (Kind::Alert, _) => symptom.end,
        (Kind::Probe, Some(engine::SignalRef::Probe(at))) => {
            let failed = engine.facts.probes.get(*at)?;
            let same = engine.facts.probes.iter().filter(|p| p.component == failed.component && p.from == failed.from);
            same.filter(|p| p.success && p.time > failed.time && p.time <= engine.at).map(|p| p.time).min()
        }
        (Kind::Probe | Kind::Report | Kind::Log | Kind::Metric, _) => None,
    };
    let stating: Vec<&&Symptom> = calling.iter().filter(|s| matches!(s.kind, Kind::Alert | Kind::Probe)).collect();
    let Some(ends) = stating.iter().map(|s| ended(s)).collect::<Option<Vec<_>>>() else { return false };
    let (Some(first), Some(last)) = (calling.iter().map(|s| s.onset).min(), ends.into_iter().max()) else { return false };
    let unfinished = |s: &&Symptom| s.kind == Kind::Log || s.onset > last;
    if calling.iter().any(unfinished) || last.since(first) > TOLERANCE || engine.at.since(last) < SETTLING {
        return false;
    }
    let own = draft.told.iter().filter_map(|told| told.proposal.component).chain(calling.iter().filter_map(|s| s.component));
    let near: BTreeSet<ComponentId> =
        own.flat_map(|c| engine.estate.dependencies(c, &[], None).into_iter().map(|reached| reached.component).chain([c])).collect();
    engine.facts.series.iter().any(|s| s.component.is_some_and(|c| near.contains(&c)) && !s.points.is_empty())
}
