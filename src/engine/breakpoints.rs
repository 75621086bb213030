//! The instants at which a condition may change. Its value is constant between two of them, so evaluating it at these is
//! enough. Extra instants do no harm; a missing one is a bug that the property tests look for.

use std::collections::BTreeSet;

use compile::plan::{Argument, Call, Cond, CondKind, Metric, Value};
use estate::ComponentId;
use value::{Duration, Time};

use super::Engine;
use super::evaluate::Env;
use super::values::{BASELINE_STEP, SCRIPT_WINDOW};

/// The half-open interval (from, to] with what was found in it.
struct Found {
    from: Time,
    to: Time,
    times: BTreeSet<Time>,
}

impl Found {
    fn add(&mut self, time: Time) {
        if self.from < time && time <= self.to {
            self.times.insert(time);
        }
    }
}

impl<'a> Engine<'a> {
    /// Every instant in (from, to] at which the condition may change.
    pub(super) fn breakpoints(&self, cond: &'a Cond, env: &Env<'_, 'a>, from: Time, to: Time) -> BTreeSet<Time> {
        let mut found = Found { from, to, times: BTreeSet::new() };
        self.collect(cond, env, &mut found);
        found.times
    }

    fn collect(&self, cond: &'a Cond, env: &Env<'_, 'a>, found: &mut Found) {
        match &cond.kind {
            CondKind::And(parts) | CondKind::Or(parts) => parts.iter().for_each(|part| self.collect(part, env, found)),
            CondKind::Not(inner) => self.collect(inner, env, found),
            CondKind::Held { inner, duration } => {
                for time in self.breakpoints(inner, env, found.from.minus(*duration), found.to) {
                    found.add(time);
                    found.add(time.plus(*duration));
                }
            }
            CondKind::Unexplained(_) => {
                for finding in env.others {
                    for (since, until) in &finding.held {
                        found.add(*since);
                        if let Some(until) = until {
                            found.add(*until);
                        }
                    }
                }
            }
            CondKind::Event(event) => {
                for &signal in self.matching(event, env).iter() {
                    if let Some((start, end)) = self.extent(signal) {
                        found.add(start);
                        // With a window it counts while its last instant lies within it.
                        found.add(end.plus(event.window.unwrap_or(0)));
                        found.add(end.plus(event.window.unwrap_or(0) - i64::from(event.window.is_some())));
                    }
                }
            }
            CondKind::Quantified(quantified) => {
                for &it in self.elements(&quantified.set, env).iter() {
                    self.collect(&quantified.body, &Env { it: Some(it), ..*env }, found);
                }
            }
            CondKind::Probe { to, window, .. } => {
                let targets = to.as_ref().map(|place| self.with_instances(self.place(place, env))).unwrap_or_default();
                for probe in targets.iter().flat_map(|c| self.facts.probes_on(*c)) {
                    found.add(probe.time);
                    found.add(probe.time.plus(*window));
                }
            }
            CondKind::Link { .. } | CondKind::Shares { .. } => {}
            CondKind::State { subject, state, .. } => {
                let Some(component) = env.subject(*subject) else { return };
                if let Some((_, body)) = self.state_body(Some(component), state) {
                    self.collect(body, &Env { it: Some(component), ..*env }, found);
                }
            }
            CondKind::Compare { left, right, .. } => {
                self.value_breakpoints(left, env, found);
                self.value_breakpoints(right, env, found);
            }
            CondKind::Script(call) => self.script_breakpoints(call, env, found),
            CondKind::Trend { metric, window, .. } => {
                let Some(component) = env.subject(metric.subject) else { return };
                self.metric_breakpoints(component, metric, 0, found);
                // The sample at the start of the window leaves it, and whether there is one changes.
                self.metric_breakpoints(component, metric, *window, found);
            }
            CondKind::Baseline { metric, .. } => {
                let Some(component) = env.subject(metric.subject) else { return };
                self.metric_breakpoints(component, metric, 0, found);
                let mut step = Time(found.from.0.div_euclid(BASELINE_STEP) * BASELINE_STEP);
                while step <= found.to {
                    found.add(step);
                    step = step.plus(BASELINE_STEP);
                }
            }
        }
    }

    fn value_breakpoints(&self, value: &'a Value, env: &Env<'_, 'a>, found: &mut Found) {
        match value {
            Value::Number { .. } | Value::Text(_) | Value::Attribute { .. } => {}
            Value::Metric(metric) => {
                if let Some(component) = env.subject(metric.subject) {
                    self.metric_breakpoints(component, metric, 0, found);
                }
            }
            Value::Share { of, .. } => self.value_breakpoints(of, env, found),
            Value::Aggregate { metric, window, .. } => {
                if let Some(component) = env.subject(metric.subject) {
                    match window {
                        Some(window) => self.sample_breakpoints(component, &metric.name, *window, found),
                        None => self.metric_breakpoints(component, metric, 0, found),
                    }
                }
            }
            Value::Script(call) => self.script_breakpoints(call, env, found),
        }
    }

    /// The instants at which samples arrive and go stale, each shifted by `shift`.
    fn metric_breakpoints(&self, component: ComponentId, metric: &Metric, shift: Duration, found: &mut Found) {
        let staleness = self.metric_def(component, &metric.name).map_or(0, |def| def.staleness);
        for told in self.series_of(component, &metric.name) {
            let samples = told.series.within(found.from.minus(shift + staleness + 1), found.to);
            for (index, (time, _)) in samples.iter().enumerate() {
                found.add(time.plus(shift));
                // If the next sample comes in time, this one never goes stale.
                if samples.get(index + 1).is_none_or(|(next, _)| next.since(*time) > staleness) {
                    found.add(time.plus(shift + staleness + 1));
                }
            }
        }
    }

    /// The instants at which samples enter and leave a window.
    fn sample_breakpoints(&self, component: ComponentId, metric: &str, window: Duration, found: &mut Found) {
        for told in self.series_of(component, metric) {
            for (time, _) in told.series.within(found.from.minus(window), found.to) {
                found.add(*time);
                found.add(time.plus(window));
            }
        }
    }

    fn script_breakpoints(&self, call: &'a Call, env: &Env<'_, 'a>, found: &mut Found) {
        for argument in &call.arguments {
            match argument {
                Argument::Number(_) | Argument::Text(_) => {}
                Argument::Metric(metric) => {
                    if let Some(component) = env.subject(metric.subject) {
                        self.metric_breakpoints(component, metric, 0, found);
                    }
                }
                Argument::Component(subject) => {
                    let Some(component) = env.subject(*subject) else { continue };
                    let kind = &self.estate.component(component).kind;
                    for def in self.estate.model().lineage(kind).flat_map(|t| t.metrics.values()) {
                        self.sample_breakpoints(component, &def.name, SCRIPT_WINDOW, found);
                    }
                }
            }
        }
    }
}
