//! Sending: against servers of the test that answer badly, late, or not at all.

mod mail;
mod routes;
mod sending;
mod servers;

use std::sync::Mutex;
use std::time::{Duration as Wait, Instant};

use diag::Sources;
use live::{Event, Status, Tracked, What};
use value::Time;
use value::yaml::parse;
use words::Locale;

use crate::{Advice, Settings, Source};

/// The clock of these tests goes this many times faster, so that nobody waits for the minutes between attempts.
const SPEED: u64 = 200;

/// How long what must happen may take, on a slow machine.
const PATIENCE: Wait = Wait::from_secs(20);

fn settings(text: &str) -> Settings {
    let mut sources = Sources::default();
    let source = sources.add("server.yaml", text);
    let (settings, diagnostics) = Settings::read(&sources, &parse(&sources, source).unwrap(), std::path::Path::new(""));
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    settings
}

fn incident() -> Tracked {
    serde_json::from_str(include_str!("../../../tests/notices/opened.json")).unwrap()
}

/// Incidents as the test tells them.
struct Told {
    events: Mutex<Vec<Event>>,
    began: Instant,
}

impl Told {
    fn new() -> Self {
        Told { events: Mutex::new(Vec::new()), began: Instant::now() }
    }

    /// The same with its first events only.
    fn put_back(&self, events: usize) -> Self {
        Told { events: Mutex::new(self.events.lock().unwrap().iter().take(events).cloned().collect()), began: self.began }
    }

    fn tell(&self, id: u64, what: What) {
        let status = match what {
            What::Resolved | What::Merged => Status::Resolved,
            What::Acknowledged => Status::Acknowledged,
            What::Opened | What::Changed | What::Assigned | What::Noted | What::Reopened | What::Confirmed => Status::Open,
            What::Split | What::Escalated => Status::Open,
        };
        let mut events = self.events.lock().unwrap();
        let mut incident = incident();
        (incident.id, incident.status) = (id, status);
        let number = events.len() as u64 + 1;
        events.push(Event { number, at: self.now(), what, incident });
    }
}

impl Source for Told {
    fn now(&self) -> Time {
        let start = Time::parse("2025-06-01T02:03:00Z").unwrap();
        start.plus(i64::try_from(self.began.elapsed().as_millis()).unwrap() * i64::try_from(SPEED).unwrap())
    }

    fn wait(&self, number: u64, most: Wait) -> u64 {
        let began = Instant::now();
        loop {
            let last = self.events.lock().unwrap().len() as u64;
            if last > number || began.elapsed() >= most {
                return last;
            }
            std::thread::sleep(Wait::from_millis(5));
        }
    }

    fn events_after(&self, number: u64) -> Vec<Event> {
        self.events.lock().unwrap().iter().filter(|event| event.number > number).cloned().collect()
    }

    fn incident(&self, id: u64) -> Option<Tracked> {
        self.events.lock().unwrap().iter().rev().find(|event| event.incident.id == id).map(|event| event.incident.clone())
    }

    fn advice(&self, _: &Tracked, _: &Locale) -> Advice {
        Advice::default()
    }
}

/// Waits until something is so.
fn until(what: &str, so: impl Fn() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Wait::from_millis(10));
    }
}
