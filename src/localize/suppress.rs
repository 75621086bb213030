//! Alerts that are symptoms only, and why.

use std::collections::{BTreeMap, BTreeSet};

use anomaly::SETTLING;
use engine::{Finding, SignalRef};
use estate::ComponentId;
use signal::Alert;
use value::Time;

use super::Observations;
use super::diagnosis::{SuppressedView, WhySuppressed};
use super::proposal::{Interval, Reach, reach, was_on};
use super::rules::{counts, supporting};

/// Alerts that a finding declares to be symptoms, each with its rule; and those that their sender muted. A finding suppresses neither
/// the alerts that it rests on, nor what began after it was over.
pub fn suppressed(observations: &Observations<'_, '_>) -> Vec<SuppressedView> {
    let (estate, facts) = (observations.question.engine.estate, observations.question.engine.facts);
    let mut views = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, symptom) in observations.symptoms.iter().enumerate() {
        if let Some(by) = symptom.muted.as_ref().filter(|_| seen.insert(index)) {
            views.push(SuppressedView {
                signal: symptom.view(estate, facts),
                rule: None,
                reason: WhySuppressed::Muted { by: by.clone() }.into(),
            });
        }
    }
    for finding in observations.findings.iter().filter(|finding| counts(finding, facts)) {
        let mut grounds = Grounds::of(observations, finding);
        let bound: BTreeSet<ComponentId> = finding.binding.iter().copied().collect();
        let reach = if finding.rule.suppressions.is_empty() { Reach::new() } else { reach(estate, None, &bound, &BTreeSet::new()) };
        let settling = |component: ComponentId| reach.get(&component).copied().unwrap_or(SETTLING);
        for (suppression, components) in finding.rule.suppressions.iter().zip(&finding.conclusions.suppressed) {
            for (index, symptom) in observations.symptoms.iter().enumerate() {
                let Some(SignalRef::Alert(at)) = symptom.signals.first() else { continue };
                let (Some(alert), Some(component)) = (facts.alerts.get(*at), symptom.component) else { continue };
                let meant = components.contains(&component) && suppression.selects(&alert.text, &alert.labels);
                if !meant
                    || seen.contains(&index)
                    || !was_on(&finding.held, symptom.onset, settling(component))
                    || grounds.include(*at, symptom.onset)
                {
                    continue;
                }
                let agrees = |ground: &Alert| suppression.agrees(&alert.labels, &ground.labels);
                if suppression.same.is_empty() || grounds.any(symptom.onset, &agrees) {
                    seen.insert(index);
                    let reason = WhySuppressed::Symptom { title: finding.rule.title.clone(), of: of(observations, finding) };
                    let (signal, rule) = (symptom.view(estate, facts), Some(finding.rule.id.clone()));
                    views.push(SuppressedView { signal, rule, reason: reason.into() });
                }
            }
        }
    }
    views
}

/// The alerts on which a finding rests. Its evidence is that of its last instant; other alerts may have made it match before.
struct Grounds<'o, 'q, 'a> {
    observations: &'o Observations<'q, 'a>,
    finding: &'o Finding<'a>,
    /// At its last instant, also what does not decide.
    last: BTreeSet<SignalRef>,
    /// The alerts that make it match, by the instants that were asked for: most alerts of a storm begin together.
    by_instant: BTreeMap<Time, BTreeSet<usize>>,
}

impl<'o, 'q, 'a> Grounds<'o, 'q, 'a> {
    fn of(observations: &'o Observations<'q, 'a>, finding: &'o Finding<'a>) -> Self {
        let silent = finding.rule.suppressions.is_empty();
        let last = if silent { BTreeSet::new() } else { finding.evidence.all_signals() };
        Self { observations, finding, last, by_instant: BTreeMap::new() }
    }

    /// Whether the finding rests on this alert, which began then.
    fn include(&mut self, alert: usize, onset: Time) -> bool {
        self.last.contains(&SignalRef::Alert(alert)) || self.at(onset).contains(&alert)
    }

    /// Whether it rests on an alert that passes the test, and was on when something began then.
    fn any(&mut self, onset: Time, test: &dyn Fn(&Alert) -> bool) -> bool {
        let engine = self.observations.question.engine;
        let last = self.finding.evidence.at;
        let candidates: BTreeSet<usize> = [last, onset].into_iter().flat_map(|time| self.at(time).clone()).collect();
        candidates.iter().filter_map(|at| engine.facts.alerts.get(*at)).any(|ground| {
            let lasted: Interval = (ground.start, (ground.end <= engine.at).then_some(ground.end));
            was_on(&[lasted], onset, SETTLING) && test(ground)
        })
    }

    /// The alerts that make the finding match at the instant nearest to a time at which it held.
    fn at(&mut self, time: Time) -> &BTreeSet<usize> {
        let finding = self.finding;
        let near = |(since, until): &Interval| until.map_or(time, |until| time.min(until.minus(1))).max(*since);
        let instant = finding.held.iter().map(near).min_by_key(|near| (near.since(time).abs(), *near)).unwrap_or(finding.evidence.at);
        let observations = self.observations;
        self.by_instant.entry(instant).or_insert_with(|| {
            // Only a rule that asks what others explain needs their findings.
            let others: &[Finding<'_>] = if finding.rule.asks_others() { &observations.findings } else { &[] };
            let evidence = observations.question.engine.evidence(finding.rule, &finding.binding, others, instant);
            let alerts = supporting(&evidence).flat_map(|(_, signals)| signals).filter_map(|signal| match signal {
                SignalRef::Alert(at) => Some(at),
                SignalRef::Series(_) | SignalRef::Log(_) | SignalRef::Change(_) | SignalRef::Probe(_) | SignalRef::Report(_) => None,
            });
            alerts.collect()
        })
    }
}

/// Where the finding puts the fault, else its first component.
fn of(observations: &Observations<'_, '_>, finding: &Finding<'_>) -> Option<String> {
    let conclusions = &finding.conclusions;
    let mut places = conclusions.causes.iter().chain(&conclusions.faults).flat_map(|(_, at)| at.iter().copied());
    let place = places.next().or_else(|| finding.binding.first().copied());
    place.map(|c| observations.question.engine.estate.component(c).id.clone())
}
