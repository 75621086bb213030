//! Rules of which nothing could be judged, because the bundle has no signals of any kind that they ask for.

use std::collections::{BTreeMap, BTreeSet};

use compile::plan::{Argument, Cond, CondKind, EventKind, Rule, Status};

use super::Engine;

impl<'a> Engine<'a> {
    /// Active rules that no component is missing for and no signal can decide, by the kinds of signals that they lack.
    pub fn unjudged(&self) -> BTreeMap<BTreeSet<String>, Vec<&'a Rule>> {
        let mut unjudged: BTreeMap<BTreeSet<String>, Vec<&'a Rule>> = BTreeMap::new();
        // Hundreds of rules ask for the same few kinds.
        let mut known: BTreeMap<String, bool> = BTreeMap::new();
        for rule in self.plan.rules.values().filter(|rule| rule.status == Status::Active) {
            let mut asked = BTreeSet::new();
            self.kinds(&rule.condition, &mut asked);
            let mut has = |kind: &String| *known.entry(kind.clone()).or_insert_with(|| self.has(kind));
            if asked.is_empty() || asked.iter().any(&mut has) {
                continue;
            }
            if rule.variables.iter().all(|variable| self.estate.has_type(&variable.kind)) {
                unjudged.entry(asked).or_default().push(rule);
            }
        }
        unjudged
    }

    fn has(&self, asked: &str) -> bool {
        let present = &self.facts.present;
        match asked {
            "alerts" => present.alerts,
            "metrics" => present.metrics,
            "logs" => present.logs,
            "changes" | "events" | "reports" | "probes" => present.events,
            metric => {
                let name = metric.trim_matches('`');
                let since = self.at.minus(self.lookback);
                self.facts.series.iter().any(|series| series.metric == name && !series.within(since, self.at).is_empty())
            }
        }
    }

    /// A metric by its name in backticks; without any metrics, all of them together.
    fn metric_kind(&self, name: &str) -> String {
        if self.facts.present.metrics { format!("`{name}`") } else { "metrics".to_owned() }
    }

    /// The kinds of signals that a condition asks for.
    fn kinds(&self, cond: &Cond, asked: &mut BTreeSet<String>) {
        cond.children().into_iter().for_each(|child| self.kinds(child, asked));
        let calls = cond.calls();
        let metrics = cond.metrics().into_iter().chain(calls.iter().flat_map(|call| call.metrics()));
        asked.extend(metrics.map(|metric| self.metric_kind(&metric.name)));
        // A script that takes a component may read any of its metrics.
        if calls.iter().flat_map(|call| &call.arguments).any(|argument| matches!(argument, Argument::Component(_))) {
            asked.insert("metrics".to_owned());
        }
        match &cond.kind {
            CondKind::Event(event) => {
                let kind = match event.kind {
                    EventKind::Alert => "alerts",
                    EventKind::Log => "logs",
                    EventKind::Change => "changes",
                    EventKind::Report => "reports",
                    EventKind::Event => "events",
                };
                asked.insert(kind.to_owned());
            }
            CondKind::Probe { .. } => {
                asked.insert("probes".to_owned());
            }
            CondKind::State { state, .. } => {
                let bodies = self.plan.states.iter().filter(|((_, name), _)| name == state);
                bodies.for_each(|(_, body)| self.kinds(body, asked));
            }
            CondKind::Compare { .. }
            | CondKind::Trend { .. }
            | CondKind::Baseline { .. }
            | CondKind::Script(_)
            | CondKind::Or(_)
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
