//! One step: a fact comes or time passes, rules are evaluated, and findings start, change and end.
//!
//! A fact has an effect from its own time on. If that is now, the affected rules are evaluated as of now (`recheck`). If it is in
//! the past, their history since then is derived again (`replay`).

use value::{Duration, Time};

use super::fact::{Prepared, Ready};
use super::instances::{Before, Due};
use super::network::MetricId;
use super::{Emitted, Event, Matcher, Outcome};

impl Matcher {
    /// Advances time. Appends findings that start or end by time alone to `out`. Time never goes back.
    pub fn advance(&mut self, to: Time, out: &mut Vec<Emitted>) {
        loop {
            let timer = self.live.next_due().filter(|time| *time <= to);
            let fact = self.waiting.keys().next().map(|(time, _)| *time).filter(|time| *time <= to);
            let Some(next) = timer.into_iter().chain(fact).min() else { break };
            self.now = self.now.max(next);
            while let Some((time, due)) = self.live.due(self.now) {
                match due {
                    Due::Instance(at) if self.live.instances[at as usize].timer == time => {
                        self.live.instances[at as usize].timer = Time::MAX;
                        if self.live.instances[at as usize].live {
                            self.recheck(at);
                        }
                    }
                    Due::Cell(at) if self.store.cells[at as usize].timer == time => self.cell_due(at),
                    Due::Instance(_) | Due::Cell(_) => {}
                }
            }
            while let Some(entry) = self.waiting.first_entry().filter(|e| e.key().0 <= self.now) {
                let fact = entry.remove();
                let outcome = self.take(&fact);
                self.count(outcome);
            }
            self.finish(out);
        }
        self.now = self.now.max(to);
    }

    /// Takes a fact as of now; a fact of a later instant waits until then.
    pub fn push(&mut self, fact: &Prepared, out: &mut Vec<Emitted>) -> Outcome {
        let outcome = if fact.epoch != self.epoch {
            Outcome::Outdated
        } else if matches!(fact.what, Ready::Unread(_)) {
            Outcome::Unread
        } else if fact.time() > self.now && self.waiting.len() >= self.limits.waiting {
            Outcome::TooEarly
        } else if fact.time() > self.now {
            self.wait(fact.clone());
            Outcome::Waiting
        } else {
            let outcome = self.take(fact);
            self.finish(out);
            outcome
        };
        self.count(outcome);
        self.sweep_some();
        outcome
    }

    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Taken => self.stats.taken += 1,
            Outcome::Unread => self.stats.unread += 1,
            Outcome::Duplicate => self.stats.duplicates += 1,
            Outcome::TooLate => self.stats.too_late += 1,
            Outcome::TooEarly => self.stats.too_early += 1,
            Outcome::Outdated => self.stats.outdated += 1,
            Outcome::Waiting => {}
        }
    }

    fn take(&mut self, fact: &Prepared) -> Outcome {
        match &fact.what {
            Ready::Sample { component, metric, series, time, value } => self.take_sample(*component, *metric, series, *time, *value),
            Ready::Signal { signal, identity, patterns } => self.take_signal(signal, *identity, patterns),
            Ready::Probe(probe) => self.take_probe(probe),
            Ready::Unread(_) => Outcome::Unread,
        }
    }

    /// How long samples of a metric are kept.
    pub(super) fn keeps(&self, metric: MetricId, staleness: Duration) -> Duration {
        let reach = self.net.names.reach.get(metric.0 as usize).copied().unwrap_or(0);
        self.lookback.saturating_add(self.net.durations).saturating_add(reach).saturating_add(2 * staleness + 1)
    }

    /// How long signals and probes are kept once they are over.
    pub(super) fn keeps_signals(&self) -> Duration {
        self.lookback.saturating_add(self.net.durations).saturating_add(self.net.window).saturating_add(1)
    }

    /// Ends a step: evaluates rules with `no other rule explains`, then reports what happened.
    pub(super) fn finish(&mut self, out: &mut Vec<Emitted>) {
        if let Some(from) = self.explained.take() {
            let late = from < self.now;
            for rule in self.net.asking.clone() {
                let list = if late { self.live.all_of[rule as usize].clone() } else { self.live.live_of[rule as usize].clone() };
                for at in list {
                    self.recheck_from(at, from.max(self.now.minus(self.lookback)), late);
                }
            }
        }
        for at in std::mem::take(&mut self.live.touched) {
            let instance = &mut self.live.instances[at as usize];
            let before = std::mem::replace(&mut instance.before, Before::Untouched);
            let changed = std::mem::take(&mut instance.changed);
            let event = match (before, instance.since) {
                (Before::Idle, Some(_)) => Event::Started,
                (Before::Held(_), None) => Event::Ended,
                (Before::Held(old), Some(new)) if changed || old != new => Event::Changed,
                (Before::Held(_), Some(_)) | (Before::Idle, None) | (Before::Untouched, _) => continue,
            };
            out.push(Emitted { at: self.now, event, rule: instance.rule, finding: at });
        }
    }

    pub(super) fn forget_touched(&mut self) {
        self.finish(&mut Vec::new());
    }
}
