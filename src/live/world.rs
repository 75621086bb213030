//! One project with the facts of the recent past: takes what arrives, and says at any instant what is broken.

use std::sync::Arc;

use compile::Scripts;
use engine::matcher::{Emitted, Limits, Matcher, Setup, Stats};
use engine::{Engine, LOOKBACK};
use ingest::{Protocol, Taken, read};
use localize::{Diagnosis, Question};
use project::Project;
use signal::{Counter, Counts, Fact, Facts, Present, Resolver, Spans};
use value::{Duration, MINUTE, SECOND, Time};

use super::journal::Entry;
use super::window::{Keep, LetGo, Window};

/// How late the spans of a minute may arrive: senders collect them for some seconds.
const SPANS_LATE: Duration = 30 * SECOND;

/// Samples and log lines that are later than this, if a request has more than so many of them, go to the matcher anew with all others. One
/// by one, each would make it look again at all that follows: a sender that catches up after an outage would stop everything.
const LATE: Duration = 2 * MINUTE;
const MOST_LATE: usize = 8;

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
    /// When spans were last made into series.
    closed: Time,
    /// The number of the last entry of the journal that it has taken.
    position: u64,
    lookback: Duration,
    events: Vec<Emitted>,
}

impl World {
    pub fn new(revision: Revision, keep: Keep, now: Time) -> World {
        let window = Window::new(keep);
        let matcher = Matcher::new(setup(&revision.project, window.facts(), now));
        World { revision, window, matcher, spans: Spans::default(), closed: now, position: 0, lookback: LOOKBACK, events: Vec::new() }
    }

    /// Takes entries of the journal that it has not taken yet, with the facts that they held when they were received. The matcher takes
    /// them all at the end, which is far quicker than one by one.
    pub fn replay(&mut self, entries: impl Iterator<Item = Entry>, now: Time) {
        let project = Arc::clone(&self.revision.project);
        let resolver = Resolver::new(&project.placement, &project.estate);
        for entry in entries {
            if entry.number <= self.position {
                continue;
            }
            self.position = entry.number;
            // What could be read when it was accepted can be read now; the placement may differ, which is the point.
            if let Ok(mut taken) = read(entry.protocol, &entry.body, entry.received, &resolver) {
                self.window.pass_time(entry.received, |_| {});
                self.close_minutes(entry.received, &resolver, |_| {});
                self.put(&entry, Arrived::of(&mut taken), |_| {});
            }
        }
        self.close_minutes(now, &resolver, |_| {});
        self.window.pass_time(now, |_| {});
        self.anew(now);
    }

    /// The matcher takes all facts from the beginning.
    fn anew(&mut self, now: Time) {
        self.window.settle();
        self.window.reopened = false;
        let facts = Arc::clone(self.window.facts());
        self.matcher = Matcher::load(setup(&self.revision.project, &facts, now), &facts);
    }

    /// Takes one accepted request.
    pub fn take(&mut self, entry: &Entry, arrived: Arrived, now: Time) {
        if entry.number <= self.position {
            return;
        }
        self.position = entry.number;
        let before = self.window.facts().present;
        let mut facts = Vec::new();
        self.put(entry, arrived, |fact| facts.push(fact));
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
    fn put(&mut self, entry: &Entry, arrived: Arrived, each: impl FnMut(Fact)) {
        let Arrived { facts, deadlines, counters, spans } = arrived;
        self.spans.append(spans);
        self.window.take(named(facts, entry.protocol, entry.number), &deadlines, &counters, entry.received, each);
    }

    /// Makes series of the spans of minutes that are over.
    fn close_minutes(&mut self, now: Time, resolver: &Resolver<'_>, each: impl FnMut(Fact)) {
        if now.since(self.closed) < MINUTE || self.spans.is_empty() {
            return;
        }
        self.closed = now;
        let minutes = self.spans.close(now.minus(SPANS_LATE), "otlp-traces", resolver);
        self.window.let_go.late_spans += minutes.late as u64;
        let facts = Facts { series: minutes.series, ..Facts::default() };
        self.window.take(facts, &[], &[], now, each);
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
        let engine = Engine::new(&project.plan, &project.estate, &facts, &scripts, now, self.lookback).only(candidates).near(near);
        let counts = self.window.counts();
        let Project { cases, feedback, .. } = project.as_ref();
        let question = Question { engine: &engine, cases, feedback, knowledge: project.past(), counts: &counts };
        let mut diagnosis = localize::diagnose(&question);
        diagnosis.warnings.extend(scripts.failures());
        words::tell(&mut diagnosis, &words::Locale::default(), &project.estate);
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

fn setup(project: &Project, facts: &Facts, now: Time) -> Setup {
    let present: Present = facts.present;
    Setup {
        plan: Arc::clone(&project.plan),
        estate: Arc::clone(&project.estate),
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
        Protocol::RemoteWrite1 | Protocol::RemoteWrite2 | Protocol::OtlpMetrics(_) => Present { metrics: true, ..none },
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
