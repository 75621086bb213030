//! One project with the facts of the recent past: takes what arrives, and says at any instant what is broken.

use std::sync::Arc;

use compile::Scripts;
use engine::matcher::{Emitted, Limits, Matcher, Setup, Stats};
use engine::{Engine, LOOKBACK};
use ingest::read;
use localize::{Diagnosis, Question};
use project::Project;
use signal::{Counts, Fact, Facts, Present, Resolver};
use value::{Duration, Time};

use super::journal::Entry;
use super::window::{Keep, LetGo, Window};

/// A project that is in use.
#[derive(Debug, Clone)]
pub struct Revision {
    pub project: Arc<Project>,
    /// Digest of its files.
    pub digest: String,
    pub loaded: Time,
}

/// See the module.
pub struct World {
    pub revision: Revision,
    window: Window,
    matcher: Matcher,
    /// The number of the last entry of the journal that it has taken.
    position: u64,
    lookback: Duration,
    events: Vec<Emitted>,
}

impl World {
    pub fn new(revision: Revision, keep: Keep, now: Time) -> World {
        let window = Window::new(keep);
        let matcher = Matcher::new(setup(&revision.project, window.facts(), now));
        World { revision, window, matcher, position: 0, lookback: LOOKBACK, events: Vec::new() }
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
            if let Ok(taken) = read(entry.protocol, &entry.body, entry.received, &resolver) {
                self.window.pass_time(entry.received, |_| {});
                self.window.take(named(taken.facts, entry.protocol, entry.number), entry.received, |_| {});
            }
        }
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
    pub fn take(&mut self, entry: &Entry, facts: Facts, now: Time) {
        if entry.number <= self.position {
            return;
        }
        self.position = entry.number;
        let before = self.window.facts().present;
        let mut arrived = Vec::new();
        self.window.take(named(facts, entry.protocol, entry.number), entry.received, |fact| arrived.push(fact));
        if self.window.facts().present != before {
            // Conditions about a kind of signal that nobody had sent so far were unknown.
            self.window.reopened = true;
        }
        self.feed(arrived, now);
    }

    /// Time passes: alerts whose sender went silent end, windows move on.
    pub fn pass_time(&mut self, now: Time) {
        let mut ended = Vec::new();
        self.window.pass_time(now, |fact| ended.push(fact));
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

    /// What is broken now.
    pub fn diagnose(&mut self, now: Time) -> Diagnosis {
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
        let engine =
            Engine::new(&project.plan, &project.estate, &facts, &scripts, now, self.lookback).only(candidates).near(near);
        let counts = self.window.counts();
        let question = Question { engine: &engine, cases: &project.cases, feedback: &project.feedback, counts: &counts };
        let mut diagnosis = localize::diagnose(&question);
        diagnosis.warnings.extend(scripts.failures());
        words::tell(&mut diagnosis, &words::Locale::default(), &project.estate);
        diagnosis
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

/// A signal is known by the request that brought it, and its position there.
fn named(mut facts: Facts, protocol: ingest::Protocol, number: u64) -> Facts {
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
