//! Rules of which nothing could be judged, because the bundle has no signals of any kind that they ask for.

use std::collections::{BTreeMap, BTreeSet};

use compile::plan::{Argument, Call, Cond, CondKind, EventKind, Rule, Status, Value};

use super::Engine;

impl<'a> Engine<'a> {
    /// Active rules that no component is missing for and no signal can decide, by the kinds of signals that they lack.
    pub fn unjudged(&self) -> BTreeMap<BTreeSet<&'static str>, Vec<&'a Rule>> {
        let mut unjudged: BTreeMap<BTreeSet<&'static str>, Vec<&'a Rule>> = BTreeMap::new();
        for rule in self.plan.rules.values().filter(|rule| rule.status == Status::Active) {
            let mut asked = BTreeSet::new();
            self.kinds(&rule.condition, &mut asked);
            let concerned = rule.variables.iter().all(|variable| !self.estate.of_type(&variable.kind).is_empty());
            if concerned && !asked.is_empty() && !asked.iter().any(|kind| self.has(kind)) {
                unjudged.entry(asked).or_default().push(rule);
            }
        }
        unjudged
    }

    fn has(&self, kind: &str) -> bool {
        let present = &self.facts.present;
        match kind {
            "alerts" => present.alerts,
            "metrics" => present.metrics,
            "logs" => present.logs,
            _ => present.events,
        }
    }

    /// The kinds of signals that a condition asks for.
    fn kinds(&self, cond: &Cond, asked: &mut BTreeSet<&'static str>) {
        cond.children().into_iter().for_each(|child| self.kinds(child, asked));
        match &cond.kind {
            CondKind::Event(event) => {
                asked.insert(match event.kind {
                    EventKind::Alert => "alerts",
                    EventKind::Log => "logs",
                    EventKind::Change => "changes",
                    EventKind::Report => "reports",
                });
            }
            CondKind::Probe { .. } => {
                asked.insert("probes");
            }
            CondKind::Compare { left, right, .. } => [left, right].into_iter().for_each(|value| of_value(value, asked)),
            CondKind::Trend { .. } | CondKind::Baseline { .. } => {
                asked.insert("metrics");
            }
            CondKind::Script(call) => of_call(call, asked),
            CondKind::State { state, .. } => {
                let bodies = self.plan.states.iter().filter(|((_, name), _)| name == state);
                bodies.for_each(|(_, body)| self.kinds(body, asked));
            }
            CondKind::Or(_)
            | CondKind::And(_)
            | CondKind::Not(_)
            | CondKind::Held { .. }
            | CondKind::Quantified(_)
            | CondKind::Unexplained(_)
            | CondKind::Link { .. }
            | CondKind::Shares { .. } => {}
        }
    }
}

fn of_value(value: &Value, asked: &mut BTreeSet<&'static str>) {
    match value {
        Value::Metric(_) | Value::Aggregate { .. } => {
            asked.insert("metrics");
        }
        Value::Share { of, .. } => of_value(of, asked),
        Value::Script(call) => of_call(call, asked),
        Value::Number { .. } | Value::Text(_) | Value::Attribute { .. } => {}
    }
}

/// A script that takes a component may read its metrics.
fn of_call(call: &Call, asked: &mut BTreeSet<&'static str>) {
    if call.arguments.iter().any(|argument| matches!(argument, Argument::Component(_) | Argument::Metric(_))) {
        asked.insert("metrics");
    }
}
