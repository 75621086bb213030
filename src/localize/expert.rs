//! The expert layer: findings of rules become suspects, the fewest that explain the most.
//!
//! A finding names a component at fault. It explains the symptoms on that component, on the components that its evidence
//! shows to be affected, and on everything that a fault of these reaches, unless a symptom began clearly before it. The
//! suspect whose new symptoms weigh most, times how specific and how important its rules are, comes first; what it explains
//! is taken away; and so on (the greedy algorithm for weighted set cover, which stays within a factor of ln n of the best:
//! V. Chvátal, A greedy heuristic for the set-covering problem, 1979). A suspect whose own finding is explained by an
//! earlier one is a consequence of it.

use std::collections::{BTreeMap, BTreeSet};

use compile::plan::{CondKind, Kind, Status};
use engine::{Finding, SignalRef};
use estate::{ComponentId, Snapshot};
use signal::Facts;
use value::{Duration, MINUTE, Time, Truth};

use super::symptoms::Symptom;

/// A cause may be noticed this much later than its effect: scrape intervals, the `for` of alerts, clock skew.
pub const SLACK: Duration = 5 * MINUTE;

/// A component that findings name as the cause.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub component: Option<ComponentId>,
    /// Positions of its findings, the strongest first.
    pub findings: Vec<usize>,
    pub fault: String,
    pub onset: Time,
    /// How specific and important its rules are, 0 to 1.
    pub strength: f64,
    /// Components that its evidence shows to be affected, itself first.
    pub affected: BTreeSet<ComponentId>,
    /// Everything that a fault here reaches.
    pub reach: BTreeSet<ComponentId>,
    /// The signals that its evidence is based on.
    pub evidence: BTreeSet<SignalRef>,
}

/// A ranked candidate, with the symptoms assigned to it.
#[derive(Debug, Clone)]
pub struct Chosen {
    pub candidate: usize,
    pub explains: Vec<usize>,
    /// The candidate that this one is a consequence of.
    pub consequence_of: Option<usize>,
}

/// Groups the findings that count by the component that they name as the cause.
pub fn candidates(estate: &Snapshot, facts: &Facts, findings: &[Finding<'_>], since: Time) -> Vec<Candidate> {
    let mut by_component: BTreeMap<Option<ComponentId>, Vec<(usize, String)>> = BTreeMap::new();
    for (index, finding) in findings.iter().enumerate() {
        if finding.rule.status != Status::Active || finding.overridden.is_some() {
            continue;
        }
        for (component, fault) in blamed(finding) {
            by_component.entry(component).or_default().push((index, fault));
        }
    }
    by_component.into_iter().map(|(component, named)| candidate(estate, facts, findings, component, named, since)).collect()
}

/// The components that a finding names as the cause. A cause with a place takes precedence over a fault, which is then the effect.
fn blamed(finding: &Finding<'_>) -> Vec<(Option<ComponentId>, String)> {
    let conclusions = &finding.conclusions;
    let list = if conclusions.causes.iter().any(|(_, at)| !at.is_empty()) { &conclusions.causes } else { &conclusions.faults };
    let mut blamed: Vec<(Option<ComponentId>, String)> = Vec::new();
    for (text, places) in list {
        let mut add = |component: Option<ComponentId>| {
            if !blamed.iter().any(|(c, _)| *c == component) {
                blamed.push((component, text.clone()));
            }
        };
        if places.is_empty() { add(None) } else { places.iter().for_each(|place| add(Some(*place))) }
    }
    if blamed.is_empty() {
        let text = finding.rule.causes.first().map_or_else(|| finding.rule.title.clone(), |c| c.text.clone());
        blamed.push((finding.binding.first().copied(), text));
    }
    blamed
}

fn candidate(
    estate: &Snapshot,
    facts: &Facts,
    findings: &[Finding<'_>],
    component: Option<ComponentId>,
    mut named: Vec<(usize, String)>,
    since: Time,
) -> Candidate {
    let rank = |index: usize| {
        findings.get(index).map_or((0.0, String::new(), Vec::new()), |f| (-strength(f), f.rule.id.clone(), f.binding.clone()))
    };
    named.sort_by(|a, b| {
        let (a, b) = (rank(a.0), rank(b.0));
        a.0.total_cmp(&b.0).then_with(|| (a.1, a.2).cmp(&(b.1, b.2)))
    });
    let mut affected: BTreeSet<ComponentId> = component.into_iter().collect();
    let mut declared = BTreeSet::new();
    let mut evidence = BTreeSet::new();
    let mut onset = Time::MAX;
    // Rules that agree increase the confidence: the probability that all of them are wrong is the product of their doubts.
    let mut doubt = 1.0;
    let mut rules_seen = BTreeSet::new();
    for finding in named.iter().filter_map(|(index, _)| findings.get(*index)) {
        if rules_seen.insert(&finding.rule.id) {
            doubt *= 1.0 - strength(finding);
        }
        onset = onset.min(began(finding, facts, since));
        evidence.extend(supporting(finding).flat_map(|(_, signals)| signals));
        affected.extend(supporting(finding).filter_map(|(about, _)| about));
        affected.extend(evidence.iter().filter_map(|s| component_of(*s, facts)));
        declared.extend(finding.conclusions.impact.keys().copied());
    }
    let mut reach: BTreeSet<ComponentId> = affected.union(&declared).copied().collect();
    for start in affected.iter().chain(&declared) {
        reach.extend(estate.dependents(*start, &[], None).into_iter().map(|r| r.component));
    }
    let fault = named.first().map(|(_, fault)| fault.clone()).unwrap_or_default();
    Candidate {
        component,
        findings: named.into_iter().map(|(index, _)| index).collect(),
        fault,
        onset,
        strength: 1.0 - doubt,
        affected,
        reach,
        evidence,
    }
}

/// Atomic conditions that matched and are not under `not` (a condition under `not` shows health, not a symptom).
fn supporting<'f>(finding: &'f Finding<'_>) -> impl Iterator<Item = (Option<ComponentId>, Vec<SignalRef>)> + 'f {
    finding.evidence.atoms().into_iter().filter(|(atom, negated)| !negated && atom.truth == Truth::True).filter_map(|(atom, _)| {
        let topology = matches!(atom.cond.kind, CondKind::Link { .. } | CondKind::Shares { .. } | CondKind::Unexplained(_));
        let healthy = matches!(atom.cond.kind, CondKind::Probe { succeeds: true, .. });
        (!topology && !healthy).then(|| (atom.about, atom.all_signals().into_iter().collect()))
    })
}

fn component_of(signal: SignalRef, facts: &Facts) -> Option<ComponentId> {
    match signal {
        SignalRef::Alert(i) => facts.alerts.get(i)?.component,
        SignalRef::Series(i) => facts.series.get(i)?.component,
        SignalRef::Log(i) => facts.logs.get(i)?.component,
        SignalRef::Report(i) => facts.reports.get(i)?.component,
        // A change or a probe is about its target, but does not show that the target is affected.
        SignalRef::Change(_) | SignalRef::Probe(_) => None,
    }
}

/// When the fault began: the evidence may be older than the match, because the rule may wait (`for 5m`).
fn began(finding: &Finding<'_>, facts: &Facts, since: Time) -> Time {
    let waited = longest_wait(&finding.rule.condition);
    let mut onset = finding.since.minus(waited);
    for signal in finding.evidence.all_signals() {
        let start = match signal {
            SignalRef::Alert(i) => facts.alerts.get(i).map(|a| a.start),
            SignalRef::Log(i) => facts.logs.get(i).map(|l| l.time),
            SignalRef::Report(i) => facts.reports.get(i).map(|r| r.time),
            SignalRef::Change(i) => facts.changes.get(i).map(|c| c.time),
            SignalRef::Probe(_) | SignalRef::Series(_) => None,
        };
        onset = start.map_or(onset, |s| onset.min(s));
    }
    onset.max(since)
}

/// The longest `for` of a condition, and the longest window of a trend: how long before `since` it may have begun.
fn longest_wait(cond: &compile::plan::Cond) -> Duration {
    let own = match &cond.kind {
        CondKind::Held { duration, .. } => *duration,
        CondKind::Trend { window, .. } => *window,
        CondKind::Or(_)
        | CondKind::And(_)
        | CondKind::Not(_)
        | CondKind::Unexplained(_)
        | CondKind::Event(_)
        | CondKind::Quantified(_)
        | CondKind::Probe { .. }
        | CondKind::Link { .. }
        | CondKind::Shares { .. }
        | CondKind::State { .. }
        | CondKind::Compare { .. }
        | CondKind::Script(_)
        | CondKind::Baseline { .. } => 0,
    };
    cond.children().into_iter().map(longest_wait).fold(own, Duration::max)
}

/// How far a finding can be trusted, 0 to 1. Each independent signal that had to agree halves the doubt (one signal: 0.75).
/// A rule made from a past case (`CAS`) halves it once more. The priority scales the result by 0.8 to 1.
fn strength(finding: &Finding<'_>) -> f64 {
    let atoms = finding.evidence.atoms();
    let held = atoms.iter().filter(|(atom, negated)| (atom.truth == Truth::True) != *negated && !atom.signals.is_empty());
    let agreed: usize = held.map(|(atom, _)| atom.cond.signals()).sum();
    let halvings = 1 + agreed.max(1) + usize::from(finding.rule.kind == Kind::Cas);
    let doubt = 0.5_f64.powi(i32::try_from(halvings).unwrap_or(30).min(30));
    (1.0 - doubt) * (0.8 + 0.2 * f64::from(finding.rule.priority) / 100.0)
}

/// Ranks candidates by explaining away. The candidates' own findings count as symptoms too, so that a rule that uses metrics
/// alone is not ignored.
pub fn choose(candidates: &[Candidate], symptoms: &[Symptom]) -> Vec<Chosen> {
    let could: Vec<Vec<usize>> = candidates
        .iter()
        .map(|c| symptoms.iter().enumerate().filter(|(_, s)| explained_by(c, s)).map(|(index, _)| index).collect())
        .collect();
    let mut open: BTreeSet<usize> = (0..symptoms.len()).collect();
    let mut waiting: BTreeSet<usize> = (0..candidates.len()).collect();
    // The gain of a candidate when it was last computed. Gains only shrink, so this is an upper bound, and most are never
    // computed again (M. Minoux, Accelerated greedy algorithms for maximizing submodular set functions, 1978).
    let mut bounds: Vec<f64> = vec![f64::INFINITY; candidates.len()];
    let mut chosen: Vec<Chosen> = Vec::new();
    while !waiting.is_empty() {
        let mut by_bound: Vec<usize> = waiting.iter().copied().collect();
        by_bound.sort_by(|a, b| bounds.get(*b).unwrap_or(&0.0).total_cmp(bounds.get(*a).unwrap_or(&0.0)));
        let mut best: Option<(f64, usize)> = None;
        for index in by_bound {
            let bound = bounds.get(index).copied().unwrap_or(0.0);
            if best.is_some_and(|(gain, _)| bound < gain) {
                break;
            }
            let Some(candidate) = candidates.get(index) else { continue };
            let own =
                could.get(index).into_iter().flatten().filter(|s| open.contains(s)).filter_map(|s| symptoms.get(*s)).map(|s| s.weight);
            let effects = waiting.iter().filter_map(|o| candidates.get(*o)).filter(|o| causes(candidate, o)).map(|o| o.strength);
            let gain = candidate.strength * (own.sum::<f64>() + effects.sum::<f64>());
            if let Some(bound) = bounds.get_mut(index) {
                *bound = gain;
            }
            let better = best.is_none_or(|(most, other)| gain > most || (gain == most && order(candidates, index, other).is_lt()));
            if better {
                best = Some((gain, index));
            }
        }
        let Some((_, index)) = best else { break };
        let Some(cause) = candidates.get(index) else { break };
        waiting.remove(&index);
        let explains: Vec<usize> = could.get(index).into_iter().flatten().copied().filter(|s| open.remove(s)).collect();
        chosen.push(Chosen { candidate: index, explains, consequence_of: None });
        // Candidates that it reaches are its consequences.
        let effects: Vec<usize> = waiting.iter().copied().filter(|o| candidates.get(*o).is_some_and(|o| causes(cause, o))).collect();
        for effect in effects {
            waiting.remove(&effect);
            // The consequence keeps the symptoms that its cause does not explain.
            let explains: Vec<usize> = could.get(effect).into_iter().flatten().copied().filter(|s| open.remove(s)).collect();
            chosen.push(Chosen { candidate: effect, explains, consequence_of: Some(index) });
        }
    }
    // Roots first, in the order in which they were chosen; then the consequences.
    chosen.sort_by_key(|c| c.consequence_of.is_some());
    chosen
}

/// Ties: the earlier one, then the one with the smaller id.
fn order(candidates: &[Candidate], a: usize, b: usize) -> std::cmp::Ordering {
    let key = |i: usize| candidates.get(i).map(|c| (c.onset, c.component));
    key(a).cmp(&key(b))
}

pub fn explained_by(candidate: &Candidate, symptom: &Symptom) -> bool {
    let cited = symptom.signals.iter().any(|s| candidate.evidence.contains(s));
    let reached = symptom.component.is_some_and(|c| candidate.reach.contains(&c));
    let own = symptom.component.is_some() && symptom.component == candidate.component;
    cited || own || (reached && symptom.onset >= candidate.onset.minus(SLACK))
}

/// Whether the finding of `effect` is something that a fault of `cause` brings about.
fn causes(cause: &Candidate, effect: &Candidate) -> bool {
    let reached = effect.component.is_some_and(|c| cause.reach.contains(&c));
    reached && effect.component != cause.component && effect.onset >= cause.onset.minus(SLACK)
}
