//! From a request to the world: readers make facts of it, the writer puts it on disk, then its sender gets an answer and the world the
//! facts.
//!
//! Alerts have a lane of their own and go first, so that a flood of samples or log lines neither delays nor crowds out an alert.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use ingest::{ContentEncoding, Protocol, Refusal, Taken, decompress, read};
use signal::Resolver;
use value::Time;

use super::core::{Shared, ToWorld, held};
use super::journal::Entry;
use super::scores::{KeptScore, scores_of};
use super::world::{Arrived, is_past};

/// Requests that are written in one go at most.
const TOGETHER: usize = 1_024;

/// How much may wait for a reader: requests, and bytes of their bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    pub requests: usize,
    pub bytes: usize,
}

/// One request of a sender.
pub struct Request {
    pub protocol: Protocol,
    pub encoding: ContentEncoding,
    /// The largest body after decompression, in bytes.
    pub limit: usize,
    pub body: Vec<u8>,
    pub received: Time,
    /// Called once, when it is on disk or refused.
    pub done: Box<dyn FnOnce(Result<Receipt, Refused>) + Send>,
}

/// What became of a request that is kept, or of which nothing was worth keeping.
#[derive(Debug)]
pub struct Receipt {
    /// Its number in the journal. `None`: all of it was rejected, or it was empty.
    pub number: Option<u64>,
    /// Without the facts.
    pub taken: Taken,
}

/// Why nothing of a request is kept.
#[derive(Debug)]
pub enum Refused {
    Unreadable(Refusal),
    /// The disk failed: sending it again may help.
    NotWritten(String),
    /// The server is stopping.
    Stopping,
}

/// A request that a reader has read.
pub(super) struct Accepted {
    protocol: Protocol,
    body: Vec<u8>,
    received: Time,
    taken: Taken,
    /// How many of its facts are older than what is kept.
    too_old: usize,
    /// As they are listed.
    scores: Vec<KeptScore>,
    /// The digest of the project by which it was read.
    digest: String,
    done: Box<dyn FnOnce(Result<Receipt, Refused>) + Send>,
}

#[derive(Default)]
struct Lane {
    waiting: VecDeque<Request>,
    bytes: usize,
}

#[derive(Default)]
struct Both {
    alerts: Lane,
    bulk: Lane,
    closed: bool,
}

/// Requests that wait for a reader.
pub(super) struct Lanes {
    both: Mutex<Both>,
    arrived: Condvar,
    backlog: Backlog,
}

impl Lanes {
    pub fn new(backlog: Backlog) -> Lanes {
        Lanes { both: Mutex::default(), arrived: Condvar::new(), backlog }
    }

    /// Gives the request back if its lane is full.
    pub fn push(&self, request: Request) -> Result<(), Request> {
        let mut both = held(&self.both);
        if both.closed {
            return Err(request);
        }
        let lane = if request.protocol.is_alerts() { &mut both.alerts } else { &mut both.bulk };
        let fits = lane.waiting.len() < self.backlog.requests && lane.bytes + request.body.len() <= self.backlog.bytes;
        // A lane that is empty takes any request: the server's limit of a body is the only one then.
        if !fits && !lane.waiting.is_empty() {
            return Err(request);
        }
        lane.bytes += request.body.len();
        lane.waiting.push_back(request);
        drop(both);
        self.arrived.notify_one();
        Ok(())
    }

    /// Waits for a request; `None` once the lanes are closed and empty.
    fn pop(&self) -> Option<Request> {
        let mut both = held(&self.both);
        loop {
            let lane = if both.alerts.waiting.is_empty() { &mut both.bulk } else { &mut both.alerts };
            if let Some(request) = lane.waiting.pop_front() {
                lane.bytes -= request.body.len();
                return Some(request);
            }
            if both.closed {
                return None;
            }
            both = self.arrived.wait(both).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes no more.
    pub fn close(&self) {
        held(&self.both).closed = true;
        self.arrived.notify_all();
    }

    /// How many wait, of alerts and of the rest.
    pub fn waiting(&self) -> (usize, usize) {
        let both = held(&self.both);
        (both.alerts.waiting.len(), both.bulk.waiting.len())
    }
}

/// Reads requests with the project in use, until the lanes are closed.
pub(super) fn read_requests(shared: &Shared, lanes: &Lanes, accepted: &SyncSender<Accepted>) {
    let mut next = lanes.pop();
    while let Some(first) = next.take() {
        let revision = shared.active();
        // Indexed once for each project, not for each request.
        let resolver = Resolver::new(&revision.project.placement, &revision.project.estate);
        let mut request = first;
        loop {
            take(shared, request, &resolver, &revision.digest, accepted);
            let Some(following) = lanes.pop() else { return };
            request = following;
            if shared.active().digest != revision.digest {
                next = Some(request);
                break;
            }
        }
    }
}

fn take(shared: &Shared, request: Request, resolver: &Resolver<'_>, digest: &str, accepted: &SyncSender<Accepted>) {
    let Request { protocol, encoding, limit, body, received, done } = request;
    let plain = decompress(encoding, &body, limit).map(std::borrow::Cow::into_owned);
    let (taken, plain) = match plain.and_then(|plain| Ok((read(protocol, &plain, received, resolver)?, plain))) {
        Ok(both) => both,
        Err(refusal) => {
            held(&shared.traffic).unreadable(protocol);
            return done(Err(Refused::Unreadable(refusal)));
        }
    };
    if taken.accepted == 0 {
        held(&shared.traffic).read(protocol, received, &taken, 0);
        return done(Ok(Receipt { number: None, taken }));
    }
    let scores = if protocol == Protocol::Scores { scores_of(&plain, received, resolver) } else { Vec::new() };
    let too_old = held(&shared.keep).too_old(&taken.facts, received);
    let one = Accepted { protocol, body: plain, received, taken, too_old, scores, digest: digest.to_owned(), done };
    if let Err(returned) = accepted.send(one) {
        (returned.0.done)(Err(Refused::Stopping));
    }
}

/// Writes what was read, everything that waits in one go, and passes it on once it is on disk.
pub(super) fn write(shared: &Shared, waiting: &Receiver<Accepted>, world: &SyncSender<ToWorld>, clock: fn() -> Time) {
    let mut batch: Vec<Accepted> = Vec::new();
    while let Ok(first) = waiting.recv() {
        batch.push(first);
        while batch.len() < TOGETHER {
            match waiting.try_recv() {
                Ok(next) => batch.push(next),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        let entries = batch.iter().map(|one| (one.received, one.protocol, one.body.as_slice()));
        let written = {
            let mut journal = held(&shared.journal);
            let written = journal.append(entries);
            let (now, keep) = (clock(), *held(&shared.keep));
            // What cannot be removed now is removed later.
            let _ = journal.forget(now, |head| head.protocol == Protocol::Scores && !is_past(keep, head, now));
            written
        };
        *held(&shared.broken) = written.as_ref().err().map(ToString::to_string);
        match written {
            Ok(first) => {
                for (number, one) in (first..).zip(batch.drain(..)) {
                    let Accepted { protocol, body, received, mut taken, too_old, scores, digest, done } = one;
                    let facts = Arrived::of(&mut taken);
                    if !scores.is_empty() {
                        held(&shared.scores).add(scores);
                    }
                    held(&shared.traffic).read(protocol, received, &taken, too_old);
                    done(Ok(Receipt { number: Some(number), taken }));
                    let entry = Entry { number, received, protocol, body };
                    let _ = world.send(ToWorld::Taken { entry, arrived: Box::new(facts), digest });
                }
            }
            Err(error) => {
                for one in batch.drain(..) {
                    held(&shared.traffic).not_written(one.protocol);
                    (one.done)(Err(Refused::NotWritten(error.to_string())));
                }
            }
        }
    }
}

/// Readers: one for each core, two at most; the world needs one too.
pub(super) fn readers() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).clamp(1, 2)
}

/// The lanes and what they are shared with.
pub(super) type SharedLanes = Arc<Lanes>;
