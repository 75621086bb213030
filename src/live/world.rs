//! One project with the facts of the recent past: takes what arrives, and says at any instant what is broken.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use compile::Scripts;
use engine::matcher::{Emitted, Limits, Matcher, Setup, Stats};
use engine::{Engine, LOOKBACK};
use estate::Snapshot;
use ingest::{Protocol, Taken, read};
use localize::{Diagnosis, Question};
use project::Project;
use signal::{Counter, Counts, Fact, Facts, MAX_SKEW, Present, Resolver, Sightings, Spans};
use value::{Duration, MINUTE, SECOND, Time};

use super::journal::{Entry, Found, Head};
use super::laid::Laid;
use super::window::{Keep, LetGo, Window};

/// How late the spans of a minute may arrive: senders collect them for some seconds.
const SPANS_LATE: Duration = 30 * SECOND;

/// How long spans after a pause wait for others: a sender that was cut off sends what it has kept in several requests.
const FIRST_SPANS: Duration = 5 * SECOND;

/// How often what signals show is laid over the estate,
const LOOK: Duration = 10 * SECOND;

/// and how often a start, which reads a day in seconds, forgets what was not seen for long.
const LOOK_BACK: Duration = 10 * MINUTE;

/// Samples and log lines that are later than this, if a request has more than so many of them, go to the matcher anew with all others. One
/// by one, each would make it look again at all that follows: a sender that catches up after an outage would stop everything.
const LATE: Duration = 2 * MINUTE;
const MOST_LATE: usize = 8;

/// Requests of a journal that are read before the window takes them.
const READ_AHEAD: usize = 64;

/// A project that is in use.
#[derive(Debug, Clone)]
pub struct Revision {
    pub project: Arc<Project>,
    /// Digest of its files.
    pub digest: String,
    pub loaded: Time,
}

/// What a request brought.
#[derive(Debug, Default)]
pub struct Arrived {
    facts: Facts,
    /// For each alert, when it is over unless it is sent again.
    deadlines: Vec<Time>,
    /// Series that are counters, by their position.
    counters: Vec<(usize, Counter)>,
    spans: Spans,
}

impl Arrived {
    /// Leaves the rest for the answer.
    pub fn of(taken: &mut Taken) -> Arrived {
        Arrived {
            facts: std::mem::take(&mut taken.facts),
            deadlines: std::mem::take(&mut taken.deadlines),
            counters: std::mem::take(&mut taken.counters),
            spans: std::mem::take(&mut taken.spans),
        }
    }
}

/// See the module.
pub struct World {
    pub revision: Revision,
    window: Window,
    matcher: Matcher,
    /// Spans of minutes that are not over.
    spans: Spans,
    /// Until when spans have been made into series.
    closed: Time,
    /// What signals show beyond the estate of the project,
    sightings: Sightings,
    /// laid over it,
    laid: Laid,
    /// and when.
    looked: Time,
    /// The number of the last entry of the journal that it has taken.
    position: u64,
    lookback: Duration,
    events: Vec<Emitted>,
}

impl World {
    pub fn new(revision: Revision, keep: Keep, now: Time) -> World {
        let window = Window::new(keep);
        let laid = Laid::over(&revision.project.estate);
        let matcher = Matcher::new(setup(&revision.project, &laid.estate, window.facts(), now));
        World {
            revision,
            window,
            matcher,
            spans: Spans::default(),
            closed: Time::MIN,
            sightings: Sightings::default(),
            laid,
            looked: Time::MIN,
            position: 0,
            lookback: LOOKBACK,
            events: Vec::new(),
        }
    }

    /// Takes entries of the journal that it has not taken yet, with the facts that they held when they were received. `source` is given
    /// the index by which signals are placed, and what takes each entry; it runs beside, so that one core reads while another one takes. The matcher takes all facts at the end,
    /// which is far quicker than one by one.
    pub fn replay<T: Send>(&mut self, now: Time, source: impl FnOnce(&Resolver<'_>, &mut dyn FnMut(Found)) -> T + Send) -> T {
        let project = Arc::clone(&self.revision.project);
        let resolver = Resolver::new(&project.placement, &project.estate);
        let (ahead, entries) = sync_channel::<(Head, Option<Arrived>)>(READ_AHEAD);
        let outcome = std::thread::scope(|scope| {
            let shared = &resolver;
            let reading = scope.spawn(move || {
                source(shared, &mut |found: Found| {
                    let head = found.head();
                    let arrived = match found {
                        Found::Passed(_) => None,
                        // What could be read when it was accepted can be read now; the placement may differ, which is the point.
                        Found::Entry(entry) => arrived(&entry, shared),
                    };
                    // Whoever takes them stays until the last one.
                    let _ = ahead.send((head, arrived));
                })
            });
            for (head, arrived) in entries {
                self.take_again(head, arrived, &resolver);
            }
            reading.join()
        });
        self.close_minutes(now, &resolver, |_| {});
        self.window.pass_time(now, |_| {});
        self.looked = Time::MIN;
        self.lay(now);
        self.anew(now);
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Takes an entry of the journal, unless it has it already.
    fn take_again(&mut self, head: Head, arrived: Option<Arrived>, resolver: &Resolver<'_>) {
        if head.number <= self.position {
            return;
        }
        self.position = head.number;
        let Some(arrived) = arrived else { return self.window.heard(kind_of(head.protocol)) };
        self.window.pass_time_reading(head.received);
        self.close_minutes(head.received, resolver, |_| {});
        self.forget_sightings(head.received, LOOK_BACK);
        self.put(head, arrived, |_| {});
    }

    /// The matcher takes all facts from the beginning.
    fn anew(&mut self, now: Time) {
        self.window.settle();
        self.window.reopened = false;
        let facts = Arc::clone(self.window.facts());
        self.matcher = Matcher::load(setup(&self.revision.project, &self.laid.estate, &facts, now), &facts);
    }

    /// What an entry brought, as the project in use reads it.
    pub fn read(&self, entry: &Entry) -> Option<Arrived> {
        let project = &self.revision.project;
        arrived(entry, &Resolver::new(&project.placement, &project.estate))
    }

    /// Takes one accepted request.
    pub fn take(&mut self, entry: &Entry, arrived: Arrived, now: Time) {
        if entry.number <= self.position {
            return;
        }
        self.position = entry.number;
        let before = self.window.facts().present;
        let mut facts = Vec::new();
        self.put(entry.head(), arrived, |fact| facts.push(fact));
        if self.window.facts().present != before {
            // Conditions about a kind of signal that nobody had sent so far were unknown.
            self.window.reopened = true;
        }
        let late = facts.iter().filter(|fact| matches!(fact, Fact::Sample(_) | Fact::Log(_)) && fact.time() < now.minus(LATE));
        if late.count() > MOST_LATE {
            self.window.reopened = true;
        }
        self.feed(facts, now);
    }

    /// Puts what a request brought to the rest.
    fn put(&mut self, head: Head, arrived: Arrived, each: impl FnMut(Fact)) {
        let Arrived { facts, deadlines, counters, spans } = arrived;
        if self.spans.is_empty() && !spans.is_empty() {
            self.closed = self.closed.max(head.received.minus(MINUTE - FIRST_SPANS));
        }
        self.spans.append(spans);
        self.sightings.take_pods(&facts, head.received);
        self.window.take(named(facts, head.protocol, head.number), &deadlines, &counters, head.received, each);
    }

    /// Makes series of the spans of minutes that are over. One after the other, also where a journal has nothing for long: what is not
    /// closed in time is lost.
    fn close_minutes(&mut self, now: Time, resolver: &Resolver<'_>, mut each: impl FnMut(Fact)) {
        while now.since(self.closed) >= MINUTE && !self.spans.is_empty() {
            self.closed = self.closed.plus(MINUTE);
            self.close_minute(resolver, &mut each);
        }
    }

    fn close_minute(&mut self, resolver: &Resolver<'_>, each: impl FnMut(Fact)) {
        let minutes = self.spans.close(self.closed.minus(SPANS_LATE), "otlp-traces", resolver);
        self.window.let_go.late_spans += minutes.late as u64;
        self.sightings.take_calls(&self.revision.project.estate, &minutes.calls);
        let facts = Facts { series: minutes.series, ..Facts::default() };
        self.window.take(facts, &[], &[], self.closed, each);
    }

    /// Time passes: alerts whose sender went silent end, windows move on.
    pub fn pass_time(&mut self, now: Time) {
        let mut ended = Vec::new();
        self.window.pass_time(now, |fact| ended.push(fact));
        if now.since(self.closed) >= MINUTE && !self.spans.is_empty() {
            let project = Arc::clone(&self.revision.project);
            let resolver = Resolver::new(&project.placement, &project.estate);
            self.close_minutes(now, &resolver, |fact| ended.push(fact));
        }
        self.feed(ended, now);
        self.events.clear();
        self.matcher.advance(now, &mut self.events);
        let before = Arc::clone(&self.laid.estate);
        self.lay(now);
        if !self.window.reopened && !Arc::ptr_eq(&before, &self.laid.estate) {
            // Facts stay, and what has held for a while has held for as long.
            let (project, estate) = (&self.revision.project, Arc::clone(&self.laid.estate));
            self.events.clear();
            self.matcher.replace(Arc::clone(&project.plan), estate, Arc::new(project.scripts.fresh()), &mut self.events);
        }
    }

    /// Forgets calls and pods of which nobody has heard for long, if it was not done just now: it takes as long as there are any.
    fn forget_sightings(&mut self, now: Time, pause: Duration) -> bool {
        let due = now.since(self.looked) >= pause;
        if due {
            self.looked = now;
            self.sightings.forget(now.minus(self.window.keep.calls), now.minus(self.window.keep.signals));
        }
        due
    }

    /// Lays what signals show by now over the estate of the project.
    fn lay(&mut self, now: Time) {
        if !self.forget_sightings(now, LOOK) {
            return;
        }
        let seen = self.sightings.seen(&self.revision.project.estate);
        if self.sightings.take_changed() {
            self.laid = self.laid.next(seen);
        } else if seen != *self.laid.seen {
            self.laid.seen = Arc::new(seen);
        }
    }

    fn feed(&mut self, facts: Vec<Fact>, now: Time) {
        if self.window.reopened {
            return;
        }
        self.events.clear();
        self.matcher.advance(now, &mut self.events);
        for fact in facts {
            let prepared = self.matcher.prepare(fact);
            self.matcher.push(&prepared, &mut self.events);
        }
    }

    /// What is broken now, and what became of everything received.
    pub fn diagnose(&mut self, now: Time) -> (Diagnosis, Counts) {
        self.pass_time(now);
        if self.window.reopened {
            self.anew(now);
        }
        self.window.settle();
        let project = Arc::clone(&self.revision.project);
        let near = self.matcher.touched();
        let candidates = self.matcher.candidates();
        let facts = Arc::clone(self.window.facts());
        let scripts = project.scripts.fresh();
        let estate = Arc::clone(&self.laid.estate);
        let engine = Engine::new(&project.plan, &estate, &facts, &scripts, now, self.lookback).only(candidates).near(near);
        let counts = self.window.counts();
        let Project { cases, feedback, .. } = project.as_ref();
        let question = Question { engine: &engine, cases, feedback, knowledge: project.past(), counts: &counts };
        let mut diagnosis = localize::diagnose(&question);
        diagnosis.warnings.extend(scripts.failures());
        words::tell(&mut diagnosis, &words::Locale::default(), &estate);
        (diagnosis, counts)
    }

    pub fn position(&self) -> u64 {
        self.position
    }

    /// All facts, indexed.
    pub fn settled(&mut self) -> Arc<Facts> {
        self.window.settle();
        Arc::clone(self.window.facts())
    }

    /// The estate with what signals show.
    pub fn laid(&self) -> &Laid {
        &self.laid
    }

    pub fn counts(&self) -> Counts {
        self.window.counts()
    }

    pub fn let_go(&self) -> LetGo {
        self.window.let_go
    }

    pub fn matcher_stats(&self) -> Stats {
        self.matcher.stats()
    }
}

/// What an entry brought.
fn arrived(entry: &Entry, resolver: &Resolver<'_>) -> Option<Arrived> {
    Some(Arrived::of(&mut read(entry.protocol, &entry.body, entry.received, resolver).ok()?))
}

/// Whether nothing that an entry brought can be in the window any more. The clock of its sender may have been ahead, and counters look
/// back. An alert may fire still, and scores are listed for long.
pub(super) fn is_past(keep: Keep, head: &Head, now: Time) -> bool {
    let kept = match head.protocol {
        Protocol::Alerts | Protocol::Webhook | Protocol::Zabbix => return false,
        Protocol::Scores => keep.scores,
        Protocol::RemoteWrite1 | Protocol::RemoteWrite2 | Protocol::OtlpMetrics(_) | Protocol::Pull => keep.samples,
        Protocol::OtlpTraces(_) => keep.samples.max(keep.calls),
        Protocol::LokiJson | Protocol::LokiProtobuf | Protocol::OtlpLogs(_) => keep.signals,
        Protocol::CloudEvents | Protocol::CloudEventsBatch | Protocol::KubernetesEvents => keep.signals,
    };
    head.received < now.minus(kept).minus(MAX_SKEW)
}

fn setup(project: &Project, estate: &Arc<Snapshot>, facts: &Facts, now: Time) -> Setup {
    let present: Present = facts.present;
    Setup {
        plan: Arc::clone(&project.plan),
        estate: Arc::clone(estate),
        scripts: Arc::new(project.scripts.fresh()),
        present,
        now,
        lookback: LOOKBACK,
        limits: Limits::default(),
        baseline: facts.baseline.clone(),
    }
}

/// The kind of signals that whoever speaks a protocol sends: from now on its absence means something.
fn kind_of(protocol: Protocol) -> Present {
    let none = Present::default();
    match protocol {
        Protocol::Alerts | Protocol::Webhook | Protocol::Zabbix => Present { alerts: true, ..none },
        Protocol::RemoteWrite1 | Protocol::RemoteWrite2 | Protocol::Pull | Protocol::OtlpMetrics(_) => Present { metrics: true, ..none },
        Protocol::LokiJson | Protocol::LokiProtobuf | Protocol::OtlpLogs(_) => Present { logs: true, ..none },
        Protocol::CloudEvents | Protocol::CloudEventsBatch | Protocol::KubernetesEvents => Present { events: true, ..none },
        Protocol::OtlpTraces(_) | Protocol::Scores => none,
    }
}

/// A signal is known by the request that brought it, and its position there.
fn named(mut facts: Facts, protocol: Protocol, number: u64) -> Facts {
    facts.present = kind_of(protocol);
    let file = format!("{} {number}", protocol.name());
    let origins = facts.alerts.iter_mut().map(|s| &mut s.origin);
    let origins = origins.chain(facts.series.iter_mut().map(|s| &mut s.origin));
    let origins = origins.chain(facts.logs.iter_mut().map(|s| &mut s.origin));
    let origins = origins.chain(facts.changes.iter_mut().map(|s| &mut s.origin));
    let origins = origins.chain(facts.probes.iter_mut().map(|s| &mut s.origin));
    let origins = origins.chain(facts.reports.iter_mut().map(|s| &mut s.origin));
    for origin in origins.chain(facts.scores.iter_mut().map(|s| &mut s.origin)) {
        origin.file.clone_from(&file);
    }
    facts
}

#[cfg(test)]
mod tests {
    use ingest::Protocol;
    use value::{HOUR, Time};

    use super::super::{Head, Keep};
    use super::is_past;

    /// What a start does without, by how many hours ago it was received.
    #[test]
    fn what_a_start_needs() {
        let now = Time(1_000 * HOUR);
        for (protocol, hours, past) in [
            (Protocol::RemoteWrite1, 3, false),
            // A clock that is ahead by an hour.
            (Protocol::RemoteWrite1, 4, false),
            (Protocol::RemoteWrite1, 5, true),
            (Protocol::LokiJson, 7, false),
            (Protocol::LokiJson, 8, true),
            // It fires still, for all we know.
            (Protocol::Zabbix, 23, false),
            (Protocol::Alerts, 23, false),
            (Protocol::Scores, 7 * 24, false),
            (Protocol::Scores, 7 * 24 + 2, true),
        ] {
            let head = Head { number: 1, received: now.minus(hours * HOUR), protocol };
            assert_eq!(is_past(Keep::default(), &head, now), past, "{protocol:?} of {hours} hours ago");
        }
    }
}
