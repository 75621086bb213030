//! Near misses, and the full explanation of why any rule matched or did not.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use compile::plan::{CondKind, Quantifier, Rule, Status};
use estate::ComponentId;
use value::{Time, Truth};

use super::evaluate::Env;
use super::evidence::{Detail, Evidence, Known};
use super::{Engine, Finding};

/// A rule with a single signal is a near miss only this close to its threshold; otherwise every healthy component would be one.
pub(super) const CLOSE: f64 = 0.25;

/// Near misses are searched at this many of the latest instants: an hour of samples at every 15 seconds. Older near misses
/// are of no use, and each instant costs an evaluation of all conditions.
const MAX_INSTANTS: usize = 240;

/// At most so many bindings of one rule are searched for near misses, those that may be closest first.
const MAX_SEARCHED_OF_RULE: usize = 50;

/// The same of all rules together: each costs up to [`MAX_INSTANTS`] evaluations.
const MAX_SEARCHED: usize = 400;

/// A rule with exactly one unmet condition.
#[derive(Debug, Clone)]
pub struct NearMiss<'a> {
    pub rule: &'a Rule,
    pub binding: Vec<ComponentId>,
    pub at: Time,
    /// The unmet condition. If `negated`, it is under `not`: it matched, but must not.
    pub failed: Evidence<'a>,
    pub negated: bool,
    /// How many of its conditions matched by signals; one under `not` is no reason to suspect anything.
    pub held: usize,
    /// Relative distance from matching, 0 (almost) to 1 (far, or not numeric).
    pub distance: f64,
}

/// Why no components can be bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Unbound {
    /// The topology has no component of this type.
    Type { kind: String, variable: String },
    /// No component of this type passes the filter of the variable.
    Filter { kind: String, variable: String },
    /// No components satisfy these relations together.
    Joins { variables: Vec<String>, joins: Vec<String> },
}

/// The full explanation of one rule.
#[derive(Debug, Clone)]
pub struct Why<'a> {
    pub rule: &'a Rule,
    pub findings: Vec<Finding<'a>>,
    /// Bindings that did not match, the closest first, each with its evidence at the instant at which it came closest.
    pub others: Vec<WhyNot<'a>>,
    /// Set if no components satisfy the `given` of the rule: the part that fails.
    pub unbound: Option<Unbound>,
}

#[derive(Debug, Clone)]
pub struct WhyNot<'a> {
    pub binding: Vec<ComponentId>,
    pub at: Time,
    /// How many atomic conditions would have to change.
    pub lacking: usize,
    /// Relative distance of the nearest of them from matching, 0 to 1.
    pub distance: f64,
    pub evidence: Evidence<'a>,
}

impl<'a> Engine<'a> {
    /// Active rules with exactly one unmet condition, the closest first: at most `limit`, and `per_rule` of each rule.
    pub fn near_misses(&self, findings: &[Finding<'a>], limit: usize, per_rule: usize) -> Vec<NearMiss<'a>> {
        let mut misses: Vec<NearMiss<'a>> = Vec::new();
        let asked = self.plan.rules.values().any(|rule| rule.status == Status::Active && rule.asks_others());
        let others = if asked { without_askers(findings) } else { Vec::new() };
        for (least, rule, binding) in self.possible_misses(findings, &others).into_iter().take(MAX_SEARCHED) {
            // No later one can be closer than this.
            if misses.len() == limit && misses.last().is_some_and(|last| last.distance < least) {
                break;
            }
            if misses.iter().filter(|miss| miss.rule.id == rule.id && miss.distance < least).count() >= per_rule {
                continue;
            }
            let Some(miss) = self.near_miss(rule, binding, &others) else { continue };
            misses.push(miss);
            misses.sort_by(|a, b| {
                a.distance
                    .total_cmp(&b.distance)
                    .then(b.held.cmp(&a.held))
                    .then_with(|| (&a.rule.id, &a.binding).cmp(&(&b.rule.id, &b.binding)))
            });
            let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
            misses.retain(|miss| {
                let seen = seen.entry(&miss.rule.id).or_insert(0);
                *seen += 1;
                *seen <= per_rule
            });
            misses.truncate(limit);
        }
        misses
    }

    /// Bindings that may be near misses, each with the least distance that it can have: those that may be closest first.
    fn possible_misses(&self, findings: &[Finding<'a>], others: &[Finding<'a>]) -> Vec<(f64, &'a Rule, Vec<ComponentId>)> {
        let found: BTreeSet<(&str, &[ComponentId])> = findings.iter().map(|f| (f.rule.id.as_str(), f.binding.as_slice())).collect();
        let mut possible = Vec::new();
        for rule in self.plan.rules.values().filter(|r| r.status == Status::Active) {
            self.memo.next_rule();
            let every;
            let bindings = match &self.near {
                Some(near) => near.get(&rule.id).map(Vec::as_slice).unwrap_or_default(),
                None => {
                    every = self.bindings(rule);
                    every.as_slice()
                }
            };
            let mut of_rule = Vec::new();
            for binding in bindings.iter().filter(|binding| !found.contains(&(rule.id.as_str(), binding.as_slice()))) {
                self.memo.next_binding();
                let outlook = self.outlook(&rule.condition, &Env { binding, it: None, others }, false);
                if outlook.may_be_near_miss() {
                    of_rule.push((outlook.distance, rule, binding.clone()));
                }
            }
            of_rule.sort_by(|a, b| a.0.total_cmp(&b.0));
            of_rule.truncate(MAX_SEARCHED_OF_RULE);
            possible.extend(of_rule);
        }
        possible.sort_by(|a, b| a.0.total_cmp(&b.0));
        possible
    }

    fn near_miss(&self, rule: &'a Rule, binding: Vec<ComponentId>, others: &[Finding<'a>]) -> Option<NearMiss<'a>> {
        let closest = self.closest(rule, binding, others);
        if closest.lacking != 1 {
            return None;
        }
        let (failed, negated) = culprit(&closest.evidence)?;
        let held = closest.evidence.atoms().iter().filter(|(e, not)| !not && e.truth.is_true() && !e.signals.is_empty()).count();
        let distance = distance(failed);
        // A single condition far from its threshold means a healthy component, not a near miss.
        if held == 0 && (distance > CLOSE || matches!(failed.detail, Detail::Missing(_))) {
            return None;
        }
        Some(NearMiss { rule, binding: closest.binding, at: closest.at, failed: failed.clone(), negated, held, distance })
    }

    /// The evidence at the instant at which the rule came closest to matching; the latest one of a tie. `others`: what rules found that do
    /// not ask what others explain.
    fn closest(&self, rule: &'a Rule, binding: Vec<ComponentId>, others: &[Finding<'a>]) -> WhyNot<'a> {
        let others = if rule.asks_others() { others } else { &[] };
        let env = Env { binding: &binding, it: None, others };
        let start = self.at.minus(self.lookback);
        self.memo.next_binding();
        let mut times = self.breakpoints(&rule.condition, &env, start, self.at);
        times.insert(start);
        times.insert(self.at);
        let mut best: Option<(usize, f64, Time, Evidence<'a>)> = None;
        for &time in times.iter().rev().take(MAX_INSTANTS) {
            let evidence = self.evaluate(&rule.condition, &env, time);
            let lacking = lacking(&evidence);
            let far = culprit(&evidence).map_or(1.0, |(failed, _)| distance(failed));
            if best.as_ref().is_none_or(|(least, nearest, ..)| lacking < *least || (lacking == *least && far < *nearest)) {
                best = Some((lacking, far, time, evidence));
            }
        }
        let (lacking, distance, at, evidence) =
            best.unwrap_or_else(|| (usize::MAX, 1.0, self.at, self.evaluate(&rule.condition, &env, self.at)));
        WhyNot { binding, at, lacking, distance, evidence }
    }

    /// The full explanation of one rule.
    pub fn why(&self, rule: &'a Rule, findings: &[Finding<'a>]) -> Why<'a> {
        let held: Vec<Finding<'a>> = findings.iter().filter(|f| f.rule.id == rule.id).cloned().collect();
        let explained = if rule.asks_others() { without_askers(findings) } else { Vec::new() };
        self.memo.next_rule();
        let bindings = self.bindings(rule);
        let unbound = if bindings.is_empty() { self.why_unbound(rule) } else { None };
        let mut others: Vec<WhyNot<'a>> = bindings
            .into_iter()
            .filter(|binding| !held.iter().any(|f| f.binding == *binding))
            .map(|binding| self.closest(rule, binding, &explained))
            .collect();
        others.sort_by(|a, b| a.lacking.cmp(&b.lacking).then(a.distance.total_cmp(&b.distance)).then_with(|| a.binding.cmp(&b.binding)));
        Why { rule, findings: held, others, unbound }
    }

    /// The part of `given` that no components satisfy: finds the longest prefix of variables that can be bound, and says why the
    /// next variable cannot.
    fn why_unbound(&self, rule: &Rule) -> Option<Unbound> {
        let mut prefixes: Vec<Vec<ComponentId>> = vec![Vec::new()];
        for (index, variable) in rule.variables.iter().enumerate() {
            let of_type = self.estate.of_type(&variable.kind);
            if of_type.is_empty() {
                return Some(Unbound::Type { kind: variable.kind.clone(), variable: variable.name.clone() });
            }
            let filter = variable.filter.as_ref();
            if !of_type.iter().any(|c| filter.is_none_or(|f| self.passes(f, *c))) {
                return Some(Unbound::Filter { kind: variable.kind.clone(), variable: variable.name.clone() });
            }
            let mut next = Vec::new();
            for prefix in &prefixes {
                for candidate in self.candidates_for(rule, prefix) {
                    let mut longer = prefix.clone();
                    longer.push(candidate);
                    if !prefix.contains(&candidate) && self.joins_hold(rule, &longer) {
                        next.push(longer);
                    }
                }
            }
            if next.is_empty() {
                return Some(Unbound::Joins {
                    variables: rule.variables.iter().take(index + 1).map(|v| v.name.clone()).collect(),
                    joins: rule.joins.iter().map(|j| j.written.text.clone()).collect(),
                });
            }
            prefixes = next;
        }
        None
    }
}

/// What rules found that do not ask what others explain.
pub(super) fn without_askers<'a>(findings: &[Finding<'a>]) -> Vec<Finding<'a>> {
    findings.iter().filter(|finding| !finding.rule.asks_others()).cloned().collect()
}

/// How many atomic conditions would have to change for the whole condition to be true.
pub(super) fn lacking(evidence: &Evidence<'_>) -> usize {
    cost(evidence, false)
}

/// The same for the evidence to become true (if negated: false).
fn cost(evidence: &Evidence<'_>, negated: bool) -> usize {
    let wanted = if negated { Truth::False } else { Truth::True };
    if evidence.truth == wanted {
        return 0;
    }
    let children = || evidence.children.iter().map(|c| cost(c, negated));
    match &evidence.cond.kind {
        CondKind::And(_) if !negated => children().sum(),
        CondKind::Or(_) if negated => children().sum(),
        CondKind::And(_) | CondKind::Or(_) => children().filter(|c| *c > 0).min().unwrap_or(1),
        CondKind::Not(_) => evidence.children.iter().map(|c| cost(c, !negated)).sum::<usize>().max(1),
        CondKind::Held { .. } => children().sum::<usize>().max(1),
        CondKind::State { negated: not, .. } => evidence.children.iter().map(|c| cost(c, negated ^ *not)).sum::<usize>().max(1),
        CondKind::Unexplained(_)
        | CondKind::Event(_)
        | CondKind::Quantified(_)
        | CondKind::Probe { .. }
        | CondKind::Link { .. }
        | CondKind::Shares { .. }
        | CondKind::Compare { .. }
        | CondKind::Script(_)
        | CondKind::Trend { .. }
        | CondKind::Baseline { .. } => 1,
    }
}

/// The unmet atomic condition (the closest one of several), and whether it is negated. If a duration has not run long enough,
/// this is the `for` itself.
fn culprit<'e, 'a>(evidence: &'e Evidence<'a>) -> Option<(&'e Evidence<'a>, bool)> {
    let mut found: Vec<(&Evidence<'a>, bool)> = Vec::new();
    // A false alternative next to a true one is not unmet: skip it.
    evidence.collect_atoms(false, &|part, negated| cost(part, negated) > 0, &mut found);
    found.into_iter().min_by(|a, b| distance(a.0).total_cmp(&distance(b.0)))
}

/// Of two numbers, 0 to 1.
pub(super) fn relative(have: f64, need: f64) -> f64 {
    ((have - need).abs() / have.abs().max(need.abs()).max(f64::MIN_POSITIVE)).min(1.0)
}

/// Relative distance from matching, 0 to 1. If it is not numeric: 1.
#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(super) fn distance(evidence: &Evidence<'_>) -> f64 {
    match &evidence.detail {
        Detail::Compared { left, right, .. } => match (&left.value, &right.value) {
            (Known::Number(a), Known::Number(b)) => relative(*a, *b),
            (Known::Number(_) | Known::Text(_) | Known::Unknown(_), _) => 1.0,
        },
        Detail::Moved { now, needed, .. } => match &now.value {
            Known::Number(now) => relative(*now, *needed),
            Known::Text(_) | Known::Unknown(_) => 1.0,
        },
        Detail::Counted { found, needed, .. } => relative(*found as f64, *needed as f64),
        Detail::Quantified { quantifier, holding, total, .. } => match quantifier {
            Quantifier::Every => relative(*holding as f64, *total as f64),
            Quantifier::AtLeast(n) => relative(*holding as f64, f64::from(*n)),
            Quantifier::AtLeastPercent(p) => relative(*holding as f64, p / 100.0 * *total as f64),
            Quantifier::Any | Quantifier::No | Quantifier::AtMost(_) | Quantifier::AtMostPercent(_) => 1.0,
        },
        // The missing share of the duration: 1 if the condition is not true at the end.
        Detail::Held { held, needed } => relative(*held as f64, *needed as f64),
        Detail::Combined => evidence.children.iter().map(distance).fold(1.0, f64::min),
        Detail::Probed { .. } | Detail::Topology | Detail::Explained(_) | Detail::Scripted { .. } | Detail::Missing(_) => 1.0,
    }
}
