//! The expert layer: findings of rules become proposals.
//!
//! A finding names a component at fault. It explains the symptoms on that component, on the components that its evidence
//! shows to be affected, and on everything that a fault of these reaches, unless a symptom began clearly before it or after its end.

use std::collections::{BTreeMap, BTreeSet};

use anomaly::MOST_SURE;
use compile::plan::{CondKind, Kind, Status};
use engine::{Evidence, Finding, SignalRef};
use estate::{ComponentId, Snapshot};
use signal::Facts;
use value::{Duration, Time, Truth};

use super::diagnosis::Fault;
use super::proposal::{Basis, Interval, Proposal, TOLERANCE, fault_key, reach};
use super::{Layer, Observations};

/// Findings by their position, each with the fault in its words.
type Named = Vec<(usize, String)>;

/// Groups the findings that count by the component and the fault that they name. Two faults of one component are two proposals.
pub fn propose(observations: &Observations<'_, '_>) -> Vec<Proposal> {
    let (estate, facts) = (observations.question.engine.estate, observations.question.engine.facts);
    let (findings, symptoms, since) = (&observations.findings, &observations.symptoms, observations.since);
    let always: Vec<BTreeSet<usize>> = findings.iter().map(|finding| always(observations, finding)).collect();
    let mut by_fault: BTreeMap<(Option<ComponentId>, String), Named> = BTreeMap::new();
    for (index, finding) in findings.iter().enumerate().filter(|(_, finding)| counts(finding, facts) && !was_quiet(observations, finding)) {
        for (component, fault) in blamed(finding) {
            by_fault.entry((component, fault_key(&fault))).or_default().push((index, fault));
        }
    }
    let proposals =
        by_fault.into_iter().map(|((component, _), named)| proposal((estate, facts), (findings, &always), component, named, since));
    let proposals = proposals.map(|one| {
        let mut last = one.findings().iter().filter_map(|f| findings.get(*f)).filter(|finding| finding.until == one.until());
        let lapsed = one.until().is_some() && last.all(|finding| lapsed(observations, finding));
        Proposal { lapsed, ..one }
    });
    // What rests on nothing but absences, and is over, accuses nobody unless something went wrong meanwhile.
    let speaks = |one: &Proposal| {
        !one.evidence.is_empty() || one.until().is_none() || symptoms.iter().any(|s| s.calls_for_help() && one.explains(s))
    };
    proposals.filter(speaks).collect()
}

/// Whether a finding counts: from an active rule, not overridden, and not resting on a change that came too late.
pub fn counts(finding: &Finding<'_>, facts: &Facts) -> bool {
    finding.rule.status == Status::Active && finding.overridden.is_none() && !rests_on_late_change(finding, facts)
}

/// Whether it rests on changes that all came after its other signals began: what comes after the onset is not its cause.
pub fn rests_on_late_change(finding: &Finding<'_>, facts: &Facts) -> bool {
    let changes = supporting(&finding.evidence).flat_map(|(_, signals)| signals).filter_map(|signal| match signal {
        SignalRef::Change(at) => facts.changes.get(at).map(|change| change.time),
        SignalRef::Alert(_) | SignalRef::Log(_) | SignalRef::Report(_) | SignalRef::Probe(_) | SignalRef::Series(_) => None,
    });
    changes.min().is_some_and(|change| starts(finding, facts).min().is_some_and(|began| change > began))
}

/// Whether it rests on nothing but absences, and these were not clearly otherwise just before: what held in the quiet time accuses
/// nobody.
fn was_quiet(observations: &Observations<'_, '_>, finding: &Finding<'_>) -> bool {
    let positive = finding.evidence.atoms().into_iter().any(|(atom, negated)| !negated && atom.truth == Truth::True);
    let at = |time: Time| at_instant(observations, finding, time).truth;
    // Just before it matched, and before anything was wrong.
    let calm =
        || observations.symptoms.iter().filter(|s| s.calls_for_help()).map(|s| s.onset).min().map(|onset| onset.minus(2 * TOLERANCE));
    !positive
        && (at(finding.since.minus(1)) != Truth::False || calm().is_some_and(|calm| calm >= observations.since && at(calm) == Truth::True))
}

/// The conditions, by their place, that held long before the finding began: they always do, and say nothing about it. What began before
/// the window may be older than anything that can be looked at.
fn always(observations: &Observations<'_, '_>, finding: &Finding<'_>) -> BTreeSet<usize> {
    let began = began(finding, observations.question.engine.facts, observations.since);
    if began <= observations.since {
        return BTreeSet::new();
    }
    let quiet = at_instant(observations, finding, began.minus(2 * TOLERANCE));
    let (now, then) = (finding.evidence.atoms(), quiet.atoms());
    if now.len() != then.len() {
        return BTreeSet::new();
    }
    then.iter()
        .enumerate()
        .filter(|(_, (atom, negated))| atom.truth != Truth::Unknown && (atom.truth == Truth::True) != *negated)
        .map(|(at, _)| at)
        .collect()
}

/// Whether a finding ended only because events, log lines, reports or changes grew too old for it. They tell of an instant, and nothing
/// tells that what they speak of is over: an alert would resolve, and a metric come back.
fn lapsed(observations: &Observations<'_, '_>, finding: &Finding<'_>) -> bool {
    let Some(until) = finding.until else { return false };
    let after = at_instant(observations, finding, until);
    let (held, left) = (finding.evidence.atoms(), after.atoms());
    if held.len() != left.len() {
        return false;
    }
    let holds = |truth: Truth, negated: bool| truth != Truth::Unknown && (truth == Truth::True) != negated;
    let mut ended = held.iter().zip(&left).filter(|(was, is)| holds(was.0.truth, was.1) && !holds(is.0.truth, is.1)).peekable();
    ended.peek().is_some()
        && ended.all(|((atom, negated), _)| {
            let signals = atom.all_signals();
            !negated && !signals.is_empty() && signals.iter().all(is_instant)
        })
}

fn is_instant(signal: &SignalRef) -> bool {
    match signal {
        SignalRef::Log(_) | SignalRef::Report(_) | SignalRef::Change(_) => true,
        SignalRef::Alert(_) | SignalRef::Series(_) | SignalRef::Probe(_) => false,
    }
}

/// The condition of a finding at another instant.
fn at_instant<'a>(observations: &Observations<'_, 'a>, finding: &Finding<'a>, at: Time) -> Evidence<'a> {
    observations.question.engine.evidence(finding.rule, &finding.binding, &observations.findings, at)
}

/// The components that a finding names as the cause. A cause with a place takes precedence over a fault, which is then the effect.
fn blamed(finding: &Finding<'_>) -> Vec<(Option<ComponentId>, String)> {
    let conclusions = &finding.conclusions;
    let list = if conclusions.causes.iter().any(|(_, at)| !at.is_empty()) { &conclusions.causes } else { &conclusions.faults };
    let mut blamed: Vec<(Option<ComponentId>, String)> = Vec::new();
    for (text, places) in list {
        let mut add = |component: Option<ComponentId>| {
            if !blamed.iter().any(|(c, t)| *c == component && t == text) {
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

fn proposal(
    (estate, facts): (&Snapshot, &Facts),
    (findings, always): (&[Finding<'_>], &[BTreeSet<usize>]),
    component: Option<ComponentId>,
    mut named: Named,
    since: Time,
) -> Proposal {
    let rank = |index: usize| {
        let one = findings.get(index).zip(always.get(index));
        one.map_or((0.0, String::new(), Vec::new()), |f| (-strength(&[f], facts), f.0.rule.id.clone(), f.0.binding.clone()))
    };
    named.sort_by(|a, b| {
        let (a, b) = (rank(a.0), rank(b.0));
        a.0.total_cmp(&b.0).then_with(|| (a.1, a.2).cmp(&(b.1, b.2)))
    });
    let mut affected: BTreeSet<ComponentId> = component.into_iter().collect();
    let mut declared = BTreeSet::new();
    let mut evidence = BTreeSet::new();
    let mut onset = Time::MAX;
    let mut lasted = Vec::new();
    let all: Vec<&Finding<'_>> = named.iter().filter_map(|(index, _)| findings.get(*index)).collect();
    for finding in &all {
        onset = onset.min(began(finding, facts, since));
        lasted.extend(finding.held.iter().copied());
        for (about, signals) in supporting(&finding.evidence) {
            affected.extend(about);
            affected.extend(signals.iter().filter_map(|signal| component_of(*signal, facts)));
            evidence.extend(signals);
        }
        declared.extend(finding.conclusions.impact.keys().copied());
    }
    let known: Vec<(&Finding<'_>, &BTreeSet<usize>)> =
        named.iter().filter_map(|(index, _)| findings.get(*index).zip(always.get(*index))).collect();
    let strength = strength(&known, facts);
    // The fault may be older than the first match.
    let mut lasted = joined(lasted);
    if let Some((since, _)) = lasted.first_mut() {
        *since = onset.min(*since);
    }
    let fault = named.first().map(|(_, fault)| fault.clone()).unwrap_or_default();
    Proposal {
        layer: Layer::Expert,
        component,
        fault: Fault::Named(fault),
        onset,
        lasted,
        lapsed: false,
        silent: false,
        strength,
        raw: strength,
        reach: reach(estate, component, &affected, &declared),
        affected,
        evidence,
        basis: Basis::Rules(named.into_iter().map(|(index, _)| index).collect()),
    }
}

/// Intervals in order of their starts, those that overlap or touch as one.
fn joined(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.sort_unstable_by_key(|(since, until)| (*since, until.is_none(), *until));
    let mut joined: Vec<Interval> = Vec::new();
    for (since, until) in intervals {
        match joined.last_mut() {
            Some((_, end)) if end.is_none_or(|end| since <= end) => {
                *end = end.zip(until).map(|(a, b)| a.max(b));
            }
            Some(_) | None => joined.push((since, until)),
        }
    }
    joined
}

/// Atomic conditions that matched and are not under `not` (a condition under `not` shows health, not a symptom): each with the
/// component that it is about, and its signals.
pub fn supporting<'e>(evidence: &'e Evidence<'_>) -> impl Iterator<Item = (Option<ComponentId>, BTreeSet<SignalRef>)> + 'e {
    evidence.atoms().into_iter().filter(|(atom, negated)| !negated && atom.truth == Truth::True).filter_map(|(atom, _)| {
        let topology = matches!(atom.cond.kind, CondKind::Link { .. } | CondKind::Shares { .. } | CondKind::Unexplained(_));
        let healthy = matches!(atom.cond.kind, CondKind::Probe { succeeds: true, .. });
        (!topology && !healthy).then(|| (atom.about, atom.all_signals()))
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

/// When the fault began: the signals that decide may be older than the match, because the rule may wait (`for 5m`) or count. Signals
/// from before the window are history, and a change comes before the fault.
fn began(finding: &Finding<'_>, facts: &Facts, since: Time) -> Time {
    let matched = finding.since.minus(longest_wait(&finding.rule.condition));
    starts(finding, facts).filter(|start| *start >= since).chain([matched]).min().unwrap_or(matched).max(since)
}

/// Since when one of its rules has held, if that is longer than it was searched for, and the alerts that it rests on tell: since the first
/// of each condition, the last of conditions.
pub fn held_before(observations: &Observations<'_, '_>, proposal: &Proposal) -> Option<Time> {
    let (facts, since) = (observations.question.engine.facts, observations.since);
    let on = |signal: &SignalRef| match signal {
        SignalRef::Alert(i) => facts.alerts.get(*i).filter(|alert| alert.start < since && alert.end > since).map(|alert| alert.start),
        SignalRef::Log(_) | SignalRef::Report(_) | SignalRef::Change(_) | SignalRef::Probe(_) | SignalRef::Series(_) => None,
    };
    let began = |finding: &Finding<'_>| {
        let signals = supporting(&finding.evidence).map(|(_, signals)| signals).filter(|signals| !signals.is_empty());
        let firsts: Option<Vec<Time>> = signals.map(|signals| signals.iter().filter_map(on).min()).collect();
        firsts?.into_iter().max()
    };
    let held = proposal.findings().iter().filter_map(|f| observations.findings.get(*f)).filter(|finding| finding.since <= since);
    held.filter_map(began).min()
}

/// When the alerts, log lines and reports that it rests on began.
fn starts<'e>(finding: &'e Finding<'_>, facts: &'e Facts) -> impl Iterator<Item = Time> + 'e {
    supporting(&finding.evidence).flat_map(|(_, signals)| signals).filter_map(|signal| match signal {
        SignalRef::Alert(i) => facts.alerts.get(i).map(|a| a.start),
        SignalRef::Log(i) => facts.logs.get(i).map(|l| l.time),
        SignalRef::Report(i) => facts.reports.get(i).map(|r| r.time),
        SignalRef::Change(_) | SignalRef::Probe(_) | SignalRef::Series(_) => None,
    })
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

/// How far findings of one fault can be trusted, 0 to 1. Each independent signal that had to agree halves the doubt (one signal: 0.75).
/// A rule made from a past case (`CAS`) halves it once more. The priority scales the result by 0.8 to 1.
///
/// One series, alert or log pattern counts once, over all rules and conditions that rest on it: copies are no evidence. A condition that
/// always holds (each finding comes with these, by their place) adds nothing.
fn strength(findings: &[(&Finding<'_>, &BTreeSet<usize>)], facts: &Facts) -> f64 {
    let mut seen: BTreeSet<Observation> = BTreeSet::new();
    let mut agreed = 0;
    for (finding, always) in findings {
        let atoms = finding.evidence.atoms().into_iter().enumerate();
        let telling = atoms.filter(|(at, (atom, negated))| (atom.truth == Truth::True) != *negated && !always.contains(at));
        for (_, (atom, _)) in telling {
            let fresh: BTreeSet<Observation> =
                atom.all_signals().into_iter().filter_map(|signal| observation(signal, facts)).filter(|one| !seen.contains(one)).collect();
            agreed += atom.cond.signals().min(fresh.len());
            seen.extend(fresh);
        }
    }
    let from_case = findings.iter().any(|(finding, _)| finding.rule.kind == Kind::Cas);
    let priority = findings.iter().map(|(finding, _)| finding.rule.priority).max().unwrap_or_default();
    let halvings = 1 + agreed.max(1) + usize::from(from_case);
    let doubt = 0.5_f64.powi(i32::try_from(halvings).unwrap_or(30).min(30));
    ((1.0 - doubt) * (0.8 + 0.2 * f64::from(priority) / 100.0)).min(MOST_SURE)
}

/// What a signal says, without how often: an alert by its name, a log line by its words, a series by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Observation {
    Alert(String, Option<ComponentId>),
    Log(String, Option<ComponentId>),
    Other(SignalRef),
}

fn observation(signal: SignalRef, facts: &Facts) -> Option<Observation> {
    Some(match signal {
        SignalRef::Alert(i) => {
            let alert = facts.alerts.get(i)?;
            Observation::Alert(alert.name.clone(), alert.component)
        }
        SignalRef::Log(i) => {
            let line = facts.logs.get(i)?;
            // Numbers and ids differ from line to line; the words are what the program says.
            let words: Vec<&str> = line.text.split_whitespace().filter(|word| !word.contains(|c: char| c.is_ascii_digit())).collect();
            Observation::Log(words.join(" "), line.component)
        }
        SignalRef::Series(_) | SignalRef::Change(_) | SignalRef::Probe(_) | SignalRef::Report(_) => Observation::Other(signal),
    })
}
