//! What senders sent: by protocol, since the start; and how long their signals waited for a diagnosis.

use std::collections::BTreeMap;

use ingest::{Protocol, Taken};
use schemars::JsonSchema;
use serde::Serialize;
use value::{Duration, MINUTE, SECOND, Time};

/// A sender that is silent for less than this has not stopped.
const SILENT: Duration = 5 * MINUTE;

/// A sender that is silent for this many of its usual pauses has stopped.
const PAUSES: Duration = 10;

/// The share of a new pause in the usual one: a pause counts half after five further requests.
const SHARE: Duration = 8;

/// Upper bounds of the time from a signal received to its diagnosis.
pub const BOUNDS: [Duration; 10] = [50, 100, 250, 500, SECOND, 2 * SECOND + 500, 5 * SECOND, 10 * SECOND, 30 * SECOND, MINUTE];

/// Requests and signals of one protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Traffic {
    /// Requests that were read, since the start.
    pub requests: u64,
    /// Requests of which nothing could be read.
    pub unreadable: u64,
    /// Requests turned away because too many waited.
    pub overloaded: u64,
    /// Requests that could not be written to disk.
    pub not_written: u64,
    /// Signals that are kept.
    pub accepted: u64,
    /// Signals that the same request had already.
    pub duplicates: u64,
    /// Signals that are older than what is kept: no diagnosis sees them.
    pub too_old: u64,
    /// Signals that cannot be used.
    pub rejected: u64,
    /// When the first and the last request came that is still in the journal.
    pub first: Option<Time>,
    pub last: Option<Time>,
    /// The moving average of the pauses between two requests, in milliseconds.
    pub usual_pause: Option<Duration>,
}

/// A source at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Source {
    pub protocol: String,
    #[serde(flatten)]
    pub traffic: Traffic,
    /// How long it has sent nothing, in milliseconds.
    pub silent_for: Option<Duration>,
    /// It sent regularly and has stopped: nothing for at least five minutes and ten of its usual pauses.
    pub stale: bool,
}

/// The traffic of all protocols.
#[derive(Debug, Default)]
pub(super) struct Ledger(BTreeMap<&'static str, Traffic>);

impl Ledger {
    fn of(&mut self, protocol: Protocol) -> &mut Traffic {
        self.0.entry(protocol.name()).or_default()
    }

    /// A request was received; from the journal or just now.
    pub fn heard(&mut self, protocol: Protocol, received: Time) {
        let traffic = self.of(protocol);
        traffic.first.get_or_insert(received);
        if let Some(last) = traffic.last {
            let pause = received.since(last).max(0);
            traffic.usual_pause = Some(traffic.usual_pause.map_or(pause, |usual| usual + (pause - usual) / SHARE));
        }
        traffic.last = traffic.last.max(Some(received));
    }

    /// A request was read; so many of its signals were too old.
    pub fn read(&mut self, protocol: Protocol, received: Time, taken: &Taken, too_old: usize) {
        self.heard(protocol, received);
        // Parts of a series that are joined repeat nothing: what counts there are samples.
        let kinds = taken.counts.kinds();
        let signals = kinds.iter().filter(|(name, _)| *name != "series").map(|(_, kind)| kind);
        let repeated: usize = signals.map(|kind| kind.duplicates + kind.merged).sum();
        let repeated = repeated.min(taken.accepted);
        let too_old = too_old.min(taken.accepted - repeated);
        let traffic = self.of(protocol);
        traffic.requests += 1;
        traffic.duplicates += repeated as u64;
        traffic.too_old += too_old as u64;
        traffic.accepted += (taken.accepted - repeated - too_old) as u64;
        traffic.rejected += taken.refused as u64;
    }

    pub fn unreadable(&mut self, protocol: Protocol) {
        self.of(protocol).unreadable += 1;
    }

    pub fn overloaded(&mut self, protocol: Protocol) {
        self.of(protocol).overloaded += 1;
    }

    pub fn not_written(&mut self, protocol: Protocol) {
        self.of(protocol).not_written += 1;
    }

    /// Every protocol that was heard of, by name.
    pub fn sources(&self, now: Time) -> Vec<Source> {
        let source = |(protocol, traffic): (&&'static str, &Traffic)| {
            let silent_for = traffic.last.map(|last| now.since(last).max(0));
            let usual = traffic.usual_pause.map(|usual| usual.saturating_mul(PAUSES).max(SILENT));
            // What is asked for stops when somebody sends it, or when nobody answers: both is said where it is asked.
            let asked = *protocol == Protocol::Pull.name();
            let stale = !asked && silent_for.zip(usual).is_some_and(|(silent, usual)| silent >= usual);
            Source { protocol: (*protocol).to_owned(), traffic: traffic.clone(), silent_for, stale }
        };
        self.0.iter().map(source).collect()
    }
}

/// Times from a signal received to its diagnosis published, counted in buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delays {
    /// How many were within each of [`BOUNDS`], and not within the one before.
    pub buckets: [u64; BOUNDS.len()],
    pub count: u64,
    /// All together.
    pub sum: Duration,
}

impl Delays {
    pub(super) fn add(&mut self, delay: Duration) {
        let delay = delay.max(0);
        if let Some(bucket) = BOUNDS.iter().position(|bound| delay <= *bound).and_then(|at| self.buckets.get_mut(at)) {
            *bucket += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(delay);
    }
}

#[cfg(test)]
mod tests {
    use ingest::Protocol;
    use value::{MINUTE, SECOND, Time};

    use super::{Delays, Ledger};

    /// Requests at these minutes: whether the sender counts as stopped at another one.
    #[test]
    fn who_has_stopped() {
        for (heard, now, stale) in [
            (&[0, 1, 2, 3][..], 7, false),
            (&[0, 1, 2, 3], 13, true),
            // Five minutes are usual here.
            (&[0, 5, 10, 15], 25, false),
            (&[0, 5, 10, 15], 70, true),
            // Nobody knows how often it sends.
            (&[0], 600, false),
            (&[], 600, false),
        ] {
            let mut ledger = Ledger::default();
            heard.iter().for_each(|minute| ledger.heard(Protocol::RemoteWrite1, Time(minute * MINUTE)));
            let found = ledger.sources(Time(now * MINUTE)).first().is_some_and(|source| source.stale);
            assert_eq!(found, stale, "{heard:?} at {now}");
        }
    }

    #[test]
    fn delays_fall_into_buckets() {
        let mut delays = Delays::default();
        [-1, 50, 51, 100, 2 * SECOND, 10 * MINUTE].into_iter().for_each(|delay| delays.add(delay));
        assert_eq!((delays.buckets, delays.count), ([2, 2, 0, 0, 0, 1, 0, 0, 0, 0], 6));
        assert_eq!(delays.sum, 50 + 51 + 100 + 2 * SECOND + 10 * MINUTE);
    }
}
