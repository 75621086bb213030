//! The plain engine: plan × estate × facts → findings, near misses, and an explanation for each.
//!
//! It favors clarity over speed: it evaluates every condition from its definition, at every instant at which the condition
//! may change. Tests compare the faster matcher with it.

mod bind;
mod breakpoints;
mod describe;
mod evaluate;
mod events;
mod evidence;
// Positions come only from the matcher's own lists, never from input.
#[allow(clippy::indexing_slicing, reason = "positions come from the matcher's own lists")]
pub mod matcher;
mod memo;
mod misses;
mod outlook;
mod sets;
mod unjudged;
mod values;
mod walk;
mod workload;

use std::collections::BTreeMap;

pub use describe::{Element, EventView, EvidenceView, Found, Gap, InstanceView, Sample, SampleView, Side};
pub use evidence::{Detail, Evidence, Missing, Reading, SignalRef};
use misses::without_askers;
pub use misses::{NearMiss, Unbound, Why, WhyNot};
pub use sets::passes;
pub use walk::{Step, Walk, WalkEnd};

use compile::Scripts;
use compile::plan::{PlaceOf, Plan, Rule, Status};
use estate::{ComponentId, Snapshot};
use evaluate::Env;
use signal::Facts;
use value::{Duration, HOUR, Time, Truth};

/// How far back to search for findings: an incident under diagnosis began within the last hour, or is still visible.
pub const LOOKBACK: Duration = HOUR;

/// Evaluates a plan over facts and one estate, at one instant.
pub struct Engine<'a> {
    pub plan: &'a Plan,
    pub estate: &'a Snapshot,
    pub facts: &'a Facts,
    pub scripts: &'a dyn Scripts,
    /// The instant of the evaluation; nothing after it is read.
    pub at: Time,
    /// Findings are searched in the closed interval from `at - lookback` to `at`.
    pub lookback: Duration,
    /// The largest sum of nested durations in the plan.
    durations: Duration,
    memo: memo::Memo,
    /// If set, only these bindings are searched for findings.
    only: Option<Candidates>,
    /// The same for near misses.
    near: Option<Candidates>,
}

/// Bindings for the variables of rules, ascending, by rule identifier.
pub type Candidates = BTreeMap<String, Vec<Vec<ComponentId>>>;

/// A rule that matched.
#[derive(Debug, Clone)]
pub struct Finding<'a> {
    pub rule: &'a Rule,
    /// One component for each variable of the rule.
    pub binding: Vec<ComponentId>,
    /// When it began to match (the start of the searched interval if it matched before that).
    pub since: Time,
    /// When it stopped matching; `None` while it still matches.
    pub until: Option<Time>,
    /// Every interval in which it matched, half open; `None` while it still matches. `since` and `until` are the last one.
    pub held: Vec<(Time, Option<Time>)>,
    /// The evidence at the last instant at which it matched.
    pub evidence: Evidence<'a>,
    pub conclusions: Conclusions,
    /// The rule that overrides it here, and why.
    pub overridden: Option<(String, Option<String>)>,
}

/// What a finding concludes, with the places of this binding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conclusions {
    pub faults: Vec<(String, Vec<ComponentId>)>,
    /// Causes with a place; those without are directions.
    pub causes: Vec<(String, Vec<ComponentId>)>,
    /// Affected components with their affected functions (none: the component itself).
    pub impact: BTreeMap<ComponentId, Vec<String>>,
    /// The components of each suppression of the rule, in its order.
    pub suppressed: Vec<Vec<ComponentId>>,
}

impl<'a> Engine<'a> {
    pub fn new(plan: &'a Plan, estate: &'a Snapshot, facts: &'a Facts, scripts: &'a dyn Scripts, at: Time, lookback: Duration) -> Self {
        Self::over(plan, estate, facts, scripts, (at, lookback), memo::durations(plan))
    }

    /// The same, with the nested durations of the plan already known.
    fn over(
        plan: &'a Plan,
        estate: &'a Snapshot,
        facts: &'a Facts,
        scripts: &'a dyn Scripts,
        (at, lookback): (Time, Duration),
        durations: Duration,
    ) -> Self {
        Engine { plan, estate, facts, scripts, at, lookback, durations, memo: memo::Memo::default(), only: None, near: None }
    }

    /// Searches only these bindings for findings, as the matcher names them.
    #[must_use]
    pub fn only(self, candidates: Candidates) -> Self {
        Engine { only: Some(candidates), ..self }
    }

    /// Searches only these bindings for near misses.
    #[must_use]
    pub fn near(self, candidates: Candidates) -> Self {
        Engine { near: Some(candidates), ..self }
    }

    /// Every finding, ordered by rule and binding. Rules with `no other rule explains` are evaluated after all other rules, and
    /// see only the findings of active rules without it.
    pub fn findings(&self) -> Vec<Finding<'a>> {
        let mut findings = Vec::new();
        for stage in [false, true] {
            let others = std::mem::take(&mut findings);
            let mut found = Vec::new();
            for rule in self.plan.rules.values() {
                if rule.status != Status::Retired && rule.asks_others() == stage {
                    found.extend(self.findings_of(rule, &others));
                }
            }
            findings = others;
            findings.extend(found);
        }
        settle_overrides(&mut findings);
        findings.sort_by(|a, b| (&a.rule.id, &a.binding).cmp(&(&b.rule.id, &b.binding)));
        findings
    }

    /// The condition of a rule for one binding at one instant, with its evidence. `others` are the findings that
    /// `no other rule explains` refers to.
    pub fn evidence(&self, rule: &'a Rule, binding: &[ComponentId], others: &[Finding<'a>], at: Time) -> Evidence<'a> {
        let others = if rule.asks_others() { without_askers(others) } else { Vec::new() };
        self.memo.next_rule();
        self.evaluate(&rule.condition, &Env { binding, it: None, others: &others }, at)
    }

    /// Whether a component is in a named state of its type at `at`; unknown if its type has no such state.
    pub fn state_at(&self, component: ComponentId, state: &str) -> Truth {
        let env = Env { binding: &[], it: Some(component), others: &[] };
        self.state_body(Some(component), state).map_or(Truth::Unknown, |(_, body)| self.evaluate(body, &env, self.at).truth)
    }

    fn findings_of(&self, rule: &'a Rule, others: &[Finding<'a>]) -> Vec<Finding<'a>> {
        let bindings = match &self.only {
            Some(only) => only.get(&rule.id).cloned().unwrap_or_default(),
            None => {
                self.memo.next_rule();
                self.bindings(rule)
            }
        };
        self.memo.next_rule();
        bindings.into_iter().filter_map(|binding| self.finding(rule, binding, others)).collect()
    }

    /// All intervals in which the rule matched for this binding, with the evidence of the last instant.
    fn finding(&self, rule: &'a Rule, binding: Vec<ComponentId>, others: &[Finding<'a>]) -> Option<Finding<'a>> {
        let start = self.at.minus(self.lookback);
        let env = Env { binding: &binding, it: None, others };
        let mut times = self.breakpoints(&rule.condition, &env, start, self.at);
        times.insert(start);
        times.insert(self.at);
        self.memo.next_binding();
        let mut held: Vec<(Time, Option<Time>)> = Vec::new();
        let mut last_true: Option<Time> = None;
        let mut open: Option<Time> = None;
        for time in times {
            if self.truth(&rule.condition, &env, time).is_true() {
                open.get_or_insert(time);
                last_true = Some(time);
            } else if let Some(since) = open.take() {
                held.push((since, Some(time)));
            }
        }
        held.extend(open.map(|since| (since, None)));
        let evidence = self.evaluate(&rule.condition, &env, last_true?);
        let (since, until) = *held.last()?;
        let conclusions = self.conclusions(rule, &binding);
        Some(Finding { rule, binding, since, until, held, evidence, conclusions, overridden: None })
    }

    fn conclusions(&self, rule: &Rule, binding: &[ComponentId]) -> Conclusions {
        let env = Env { binding, it: None, others: &[] };
        let places = |at: Option<&PlaceOf>| at.map(|place| self.place(place, &env)).unwrap_or_default();
        let mut conclusions = Conclusions {
            faults: rule.faults.iter().map(|f| (f.text.clone(), places(f.at.as_ref()))).collect(),
            causes: rule.causes.iter().filter(|c| c.at.is_some()).map(|c| (c.text.clone(), places(c.at.as_ref()))).collect(),
            ..Conclusions::default()
        };
        for impact in &rule.impacts {
            for component in self.targets(&impact.target, &env) {
                let functions = conclusions.impact.entry(component).or_default();
                functions.extend(impact.functions.iter().cloned());
            }
        }
        for suppression in &rule.suppressions {
            conclusions.suppressed.push(self.with_instances(self.targets(&suppression.on, &env)));
        }
        conclusions
    }
}

impl Finding<'_> {
    /// Whether its faults, causes or impact include the component.
    pub fn explains(&self, component: ComponentId) -> bool {
        let named = |list: &[(String, Vec<ComponentId>)]| list.iter().any(|(_, at)| at.contains(&component));
        named(&self.conclusions.faults) || named(&self.conclusions.causes) || self.conclusions.impact.contains_key(&component)
    }

    pub fn holds_at(&self, time: Time) -> bool {
        self.held.iter().any(|(since, until)| *since <= time && until.is_none_or(|until| time < until))
    }

    /// Whether both hold at some common instant.
    fn overlaps(&self, intervals: &[(Time, Option<Time>)]) -> bool {
        let end = |until: Option<Time>| until.unwrap_or(Time::MAX);
        self.held.iter().any(|(a, b)| intervals.iter().any(|(c, d)| *a < end(*d) && *c < end(*b)))
    }

    /// Every component that it binds or names.
    pub fn components(&self) -> std::collections::BTreeSet<ComponentId> {
        let lists = self.conclusions.faults.iter().chain(&self.conclusions.causes).flat_map(|(_, at)| at.iter().copied());
        lists.chain(self.binding.iter().copied()).collect()
    }
}

/// A finding of an overridden rule is not counted if both findings share a component and an instant, unless the overriding one is over
/// and the other still holds. An overridden finding overrides nothing itself.
fn settle_overrides(findings: &mut [Finding<'_>]) {
    let claims: Vec<_> = findings
        .iter()
        .filter(|f| f.rule.status == Status::Active)
        .flat_map(|f| {
            f.rule.overrides.iter().map(|(other, why)| (f.rule.id.clone(), f.components(), other.clone(), why.clone(), f.held.clone()))
        })
        .collect();
    // The compiler rejects override cycles, so this loop ends.
    for _ in 0..=claims.len() {
        let standing: std::collections::BTreeSet<(String, Vec<ComponentId>)> =
            findings.iter().filter(|f| f.overridden.is_none()).map(|f| (f.rule.id.clone(), f.components().into_iter().collect())).collect();
        let mut changed = false;
        for finding in findings.iter_mut() {
            let components = finding.components();
            let by = claims.iter().find(|(by, at, other, _, held)| {
                *other == finding.rule.id
                    && finding.overlaps(held)
                    && (finding.until.is_some() || held.last().is_some_and(|(_, until)| until.is_none()))
                    && !at.is_disjoint(&components)
                    && standing.contains(&(by.clone(), at.iter().copied().collect()))
            });
            let verdict = by.map(|(by, _, _, why, _)| (by.clone(), why.clone()));
            if finding.overridden != verdict {
                finding.overridden = verdict;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
}
