//! The threads: one writes accepted requests to the journal, many at a time; one keeps the world, diagnoses when something has changed,
//! and follows incidents. Everything else reads what they publish.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration as Wait;

use diag::{Code, Diagnostic, Text, text};
use engine::matcher::Stats;
use estate::Snapshot;
use ingest::Protocol;
use localize::Diagnosis;
use signal::{Counts, Facts};
use value::{Duration, MINUTE, SECOND, Time};

use super::action::Action;
use super::incident_log::{Log, on_file};
use super::incidents::{Event, Incidents, Tracked};
use super::intake::{Backlog, Lanes, Request, SharedLanes, read_requests, readers, write};
use super::journal::{Entry, Found, Head, Journal, Retention};
use super::laid::Laid;
use super::scores::{KeptScore, Scores, scores_of};
use super::traffic::{Delays, Ledger, Source};
use super::window::{Keep, LetGo};
use super::world::{Arrived, Revision, World, is_past};

/// Requests that wait for the disk, and for the world, at most; then the one before them waits.
const QUEUE: usize = 4_096;

/// How long the world waits for more to arrive before it diagnoses: a storm comes in many requests.
const GATHER: Wait = Wait::from_millis(20);

/// A diagnosis is renewed after this long even if nothing arrives: windows pass, alerts end.
const RENEW: Duration = 15 * SECOND;

/// What ended at an instant is told within this time after it.
const AFTERWARDS: Duration = 2 * MINUTE;

/// What a live faultscope is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder of the journal and the incidents.
    pub data: PathBuf,
    pub retention: Retention,
    pub keep: Keep,
    /// How much may wait for a reader, in each lane.
    pub backlog: Backlog,
    /// The instant that it is now.
    pub clock: fn() -> Time,
}

/// The answer as of the last diagnosis.
#[derive(Debug, Clone)]
pub struct Published {
    pub at: Time,
    pub diagnosis: Arc<Diagnosis>,
    pub revision: Revision,
    /// The estate of the project, with what signals show beyond it.
    pub laid: Laid,
    pub counts: Counts,
    pub let_go: LetGo,
    pub matcher: Stats,
    /// The last entry of the journal that it knows.
    pub position: u64,
    /// How long the diagnosis took, in milliseconds.
    pub took: Duration,
    /// Diagnoses since the start.
    pub diagnoses: u64,
}

/// The signals kept, with the project by which they were placed.
#[derive(Debug, Clone)]
pub struct Recent {
    pub facts: Arc<Facts>,
    pub counts: Counts,
    pub revision: Revision,
    /// Its estate, with the calls that traces show. Components of the facts are positions in it, and in that of the project.
    pub estate: Arc<Snapshot>,
}

impl Recent {
    fn of(world: &mut World) -> Recent {
        let (facts, counts) = (world.settled(), world.counts());
        Recent { facts, counts, revision: world.revision.clone(), estate: Arc::clone(&world.laid().estate) }
    }
}

/// What the world is told.
pub(super) enum ToWorld {
    Taken {
        entry: Entry,
        arrived: Box<Arrived>,
        digest: String,
    },
    /// Use another project, once the journal has been read with it.
    Reload(Revision),
    /// Read the journal again: other amounts of the past are kept.
    Again,
    Built(Box<World>),
    Recent(SyncSender<Recent>),
    Stop,
}

/// What the threads share.
pub(super) struct Shared {
    published: RwLock<Arc<Published>>,
    /// The project in use.
    active: RwLock<Arc<Revision>>,
    incidents: Mutex<Incidents>,
    log: Mutex<Log>,
    /// The number of the last event that is written; whoever waits for the next one waits for this.
    told: Mutex<u64>,
    news: Condvar,
    pub journal: Mutex<Journal>,
    pub traffic: Mutex<Ledger>,
    pub scores: Mutex<Scores>,
    delays: Mutex<Delays>,
    /// How long facts are kept.
    pub keep: Mutex<Keep>,
    /// Why the last write of the journal failed.
    pub broken: Mutex<Option<String>>,
}

/// A running core.
pub struct Live {
    shared: Arc<Shared>,
    options: Options,
    lanes: SharedLanes,
    world: SyncSender<ToWorld>,
    /// Readers and the writer, which end once the lanes are closed; last the world.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// A lock whose holder panicked still guards whole data: nobody holds one over a change that can fail.
pub fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Live {
    /// Opens the data folder, takes what the journal holds, makes the first diagnosis and starts. Also returns what had to be repaired.
    ///
    /// # Errors
    /// `JOURNAL`: a folder that cannot be used. `JOURNAL_DAMAGED`: entries are damaged.
    pub fn start(revision: Revision, options: Options) -> Result<(Live, Vec<Text>), Box<Diagnostic>> {
        let now = (options.clock)();
        let mut world = World::new(revision, options.keep, now);
        let mut traffic = Ledger::default();
        let (dir, retention, keep) = (options.data.join("journal"), options.retention, options.keep);
        let mut scores = Scores::new(keep.scores, keep.most_signals);
        let opened = world.replay(now, |resolver, each| {
            let heard = |found: Found| {
                let Head { protocol, received, .. } = found.head();
                traffic.heard(protocol, received);
                if let Found::Entry(Entry { protocol: Protocol::Scores, body, .. }) = &found {
                    scores.add(scores_of(body, received, resolver));
                }
                each(found);
            };
            Journal::open(&dir, retention, |head| is_past(keep, head, now), heard)
        });
        let (journal, mut said) = opened?;
        let (mut incidents, log, warned) = Log::open(&options.data, now.minus(keep.incidents))?;
        said.extend(warned);
        let published = publish(&mut world, &options, 1);
        // What is on file was told before the start.
        let told = incidents.last_event();
        incidents.update(&published.diagnosis);
        let shared = Arc::new(Shared {
            active: RwLock::new(Arc::new(published.revision.clone())),
            published: RwLock::new(Arc::new(published)),
            incidents: Mutex::new(incidents),
            log: Mutex::new(log),
            told: Mutex::new(told),
            news: Condvar::new(),
            journal: Mutex::new(journal),
            traffic: Mutex::new(traffic),
            scores: Mutex::new(scores),
            delays: Mutex::default(),
            keep: Mutex::new(options.keep),
            broken: Mutex::new(None),
        });
        shared.tell().map_err(|error| unwritten(&error))?;
        let lanes = Arc::new(Lanes::new(options.backlog));
        let (accepted, waiting) = sync_channel(QUEUE);
        let (to_world, for_world) = sync_channel(QUEUE);
        let mut threads = Vec::new();
        for _ in 0..readers() {
            let (shared, lanes, accepted) = (Arc::clone(&shared), Arc::clone(&lanes), accepted.clone());
            threads.push(start("reader", move || read_requests(&shared, &lanes, &accepted))?);
        }
        drop(accepted);
        let (for_writer, told, clock) = (Arc::clone(&shared), to_world.clone(), options.clock);
        threads.push(start("journal", move || write(&for_writer, &waiting, &told, clock))?);
        let (for_keeper, keep, own) = (Arc::clone(&shared), options.clone(), to_world.clone());
        threads.push(start("world", move || follow(&for_keeper, &keep, world, &for_world, &own))?);
        Ok((Live { shared, options, lanes, world: to_world, threads: Mutex::new(threads) }, said))
    }

    pub fn now(&self) -> Time {
        (self.options.clock)()
    }

    /// Hands over a request; its sender is answered once it is on disk. Given back if too many wait.
    ///
    /// # Errors
    /// The request, of which nothing was kept.
    pub fn submit(&self, request: Request) -> Result<(), Request> {
        self.lanes.push(request).inspect_err(|request| {
            held(&self.shared.traffic).overloaded(request.protocol);
        })
    }

    /// What each protocol sent, and which of them have stopped.
    pub fn sources(&self) -> Vec<Source> {
        held(&self.shared.traffic).sources(self.now())
    }

    /// The scores that the journal holds, in the order in which they were received.
    pub fn scores(&self) -> Vec<Arc<KeptScore>> {
        held(&self.shared.scores).all(self.now())
    }

    /// How long requests waited for their diagnosis, since the start.
    pub fn delays(&self) -> Delays {
        held(&self.shared.delays).clone()
    }

    /// How long facts are kept.
    pub fn keep(&self) -> Keep {
        *held(&self.shared.keep)
    }

    /// How many requests wait to be read: of alerts, and of the rest.
    pub fn waiting(&self) -> (usize, usize) {
        self.lanes.waiting()
    }

    /// The project in use.
    pub fn active(&self) -> Arc<Revision> {
        self.shared.active()
    }

    /// The last diagnosis and what it is made of.
    pub fn published(&self) -> Arc<Published> {
        Arc::clone(&self.shared.published.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The facts of the recent past as they are now. While the caller keeps them, the next ones are taken into a copy,
    /// which shares the samples of all series that stay as they are.
    pub fn recent(&self) -> Option<Recent> {
        let (reply, answer) = sync_channel(1);
        self.world.send(ToWorld::Recent(reply)).ok()?;
        answer.recv().ok()
    }

    /// The facts of a time that may be past, as they were known at its end: those in memory where they reach back so far, else made anew
    /// of the journal. Takes as long as reading the journal.
    pub fn recorded(&self, from: Time, until: Time) -> Option<Recent> {
        let keep = self.keep();
        if from >= self.now().minus(keep.samples) {
            return self.recent();
        }
        let revision = (*self.active()).clone();
        let end = until.plus(AFTERWARDS);
        let mut world = World::new(revision, keep, end);
        let other = move |head: &Head| head.received <= from || head.received > end;
        let entries = held(&self.shared.journal).reader(0, other);
        world.replay(end, |_, each| entries.filter(|found| !other(&found.head())).for_each(each));
        Some(Recent::of(&mut world))
    }

    /// Uses another project, as soon as the signals kept have been read with it. What is in use stays in use until then.
    pub fn reload(&self, revision: Revision) {
        // Without the world nobody needs a new project.
        let _ = self.world.send(ToWorld::Reload(revision));
    }

    /// The incidents, the latest first.
    pub fn incidents(&self) -> Vec<Arc<Tracked>> {
        held(&self.shared.incidents).all().cloned().collect()
    }

    pub fn incident(&self, id: u64) -> Option<Tracked> {
        held(&self.shared.incidents).get(id).cloned()
    }

    /// What a person does about an incident; on disk when it returns.
    ///
    /// # Errors
    /// `REQUEST`: no such incident. `UNUSABLE`: it is not in the state for this. `JOURNAL`: it cannot be written.
    pub fn act(&self, id: u64, action: Action, by: Option<String>) -> Result<Tracked, Box<Diagnostic>> {
        let now = self.now();
        let mut log = held(&self.shared.log);
        let mut incidents = held(&self.shared.incidents);
        let before = incidents.get(id).cloned();
        let changed = incidents.act(id, action, by, now)?.clone();
        let events = incidents.take_events();
        if let Err(error) = log.write(&events) {
            // What was refused has not happened.
            incidents.undo(before, events);
            return Err(unwritten(&error));
        }
        log.compact(&incidents);
        drop(incidents);
        drop(log);
        self.shared.announce(&events);
        Ok(changed)
    }

    /// The number of the last event.
    pub fn last_event(&self) -> u64 {
        *held(&self.shared.told)
    }

    /// Waits until there is an event after `number`, at most `most`. Returns the number of the last one.
    pub fn wait(&self, number: u64, most: Wait) -> u64 {
        let told = held(&self.shared.told);
        let (told, _) = self.shared.news.wait_timeout_while(told, most, |told| *told <= number).unwrap_or_else(PoisonError::into_inner);
        *told
    }

    /// The events after a number that are still on file, and whether some of them are missing.
    pub fn events_after(&self, number: u64) -> (Vec<Event>, bool) {
        let log = held(&self.shared.log);
        if let Some(events) = log.after(number) {
            return (events, false);
        }
        let path = log.path();
        drop(log);
        on_file(&path, number)
    }

    /// Keeps other amounts of the past: in the journal from now on, in memory once the journal has been read again.
    pub fn retain(&self, retention: Retention, keep: Keep) {
        held(&self.shared.journal).retain(retention);
        let before = std::mem::replace(&mut *held(&self.shared.keep), keep);
        if before != keep {
            held(&self.shared.scores).retain(keep.scores, keep.most_signals);
            // Without the world nobody looks at them.
            let _ = self.world.send(ToWorld::Again);
        }
    }

    /// The bytes of the journal, and the number of its next entry.
    pub fn journal(&self) -> (u64, u64) {
        let journal = held(&self.shared.journal);
        (journal.bytes(), journal.next())
    }

    /// Why the journal cannot be written, if so.
    pub fn broken(&self) -> Option<String> {
        held(&self.shared.broken).clone()
    }

    /// Takes no more, writes what was handed over, and stops. The last answer can still be read.
    pub fn stop(&self) {
        self.lanes.close();
        let mut threads = std::mem::take(&mut *held(&self.threads));
        let Some(keeper) = threads.pop() else { return };
        for thread in threads {
            let _ = thread.join();
        }
        let _ = self.world.send(ToWorld::Stop);
        let _ = keeper.join();
    }
}

fn unwritten(error: &std::io::Error) -> Box<Diagnostic> {
    Box::new(Diagnostic::nowhere(Code::JOURNAL, text!("cannot write the journal: {}", error)))
}

fn start(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Box<Diagnostic>> {
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    started.map_err(|error| Box::new(Diagnostic::nowhere(Code::JOURNAL, text!("cannot start a thread: {}", error))))
}

impl Shared {
    pub fn active(&self) -> Arc<Revision> {
        Arc::clone(&self.active.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes new events and tells those who wait.
    fn tell(&self) -> std::io::Result<()> {
        // The order of events on file is that of their numbers: whoever takes them holds the file.
        let mut log = held(&self.log);
        let events = held(&self.incidents).take_events();
        if let Err(error) = log.write(&events) {
            // The next time they are written with what has happened until then.
            held(&self.incidents).give_back(events);
            return Err(error);
        }
        log.compact(&held(&self.incidents));
        drop(log);
        self.announce(&events);
        Ok(())
    }

    /// Wakes those who wait for events, which are on disk.
    fn announce(&self, events: &[Event]) {
        if let Some(last) = events.last() {
            let mut told = held(&self.told);
            *told = last.number.max(*told);
            drop(told);
            self.news.notify_all();
        }
    }
}

/// Takes what arrives, diagnoses when something has changed, and follows the incidents.
fn follow(shared: &Arc<Shared>, options: &Options, mut world: World, inbox: &Receiver<ToWorld>, own: &SyncSender<ToWorld>) {
    let mut last_at = (options.clock)();
    let mut made = 1;
    let mut changed = false;
    let mut building = false;
    let mut wanted: Option<Revision> = None;
    let mut again = false;
    // When the requests were received that no diagnosis knows yet.
    let mut fresh: Vec<Time> = Vec::new();
    loop {
        let patience = if changed { GATHER } else { Wait::from_secs(1) };
        let message = inbox.recv_timeout(patience);
        let quiet = matches!(message, Err(RecvTimeoutError::Timeout));
        match message {
            Ok(ToWorld::Taken { entry, arrived, digest }) => {
                changed = true;
                fresh.push(entry.received);
                let now = (options.clock)();
                if digest == world.revision.digest {
                    world.take(&entry, *arrived, now);
                } else if let Some(again) = world.read(&entry) {
                    world.take(&entry, again, now);
                }
            }
            Ok(ToWorld::Reload(revision)) => wanted = Some(revision),
            Ok(ToWorld::Again) => again = true,
            Ok(ToWorld::Built(built)) => {
                building = false;
                world = *built;
                let entries = held(&shared.journal).reader(world.position() + 1, |_: &Head| false);
                world.replay((options.clock)(), |_, each| entries.for_each(each));
                *shared.active.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(world.revision.clone());
                changed = true;
            }
            // Whoever asked may have given up.
            Ok(ToWorld::Recent(reply)) => {
                let _ = reply.send(Recent::of(&mut world));
            }
            Ok(ToWorld::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if !building && (again || wanted.is_some()) {
            again = false;
            building = build(shared, options, wanted.take().unwrap_or_else(|| world.revision.clone()), own);
        }
        let now = (options.clock)();
        let due = now.since(last_at) >= RENEW;
        let settled = changed && (quiet || now.since(last_at) >= GATHER_AT_MOST);
        if settled || due {
            made += 1;
            let published = publish(&mut world, options, made);
            let before = now.minus(held(&shared.keep).incidents);
            let mut incidents = held(&shared.incidents);
            incidents.update(&published.diagnosis);
            incidents.forget(before);
            drop(incidents);
            *shared.published.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(published);
            // What cannot be written now is written after the next diagnosis.
            let _ = shared.tell();
            last_at = (options.clock)();
            let mut delays = held(&shared.delays);
            fresh.drain(..).for_each(|received| delays.add(last_at.since(received)));
            drop(delays);
            changed = false;
        }
    }
}

/// While signals keep arriving, a diagnosis is made this often.
const GATHER_AT_MOST: Duration = 50;

/// Reads the journal with another project, beside the work that goes on.
fn build(shared: &Arc<Shared>, options: &Options, revision: Revision, own: &SyncSender<ToWorld>) -> bool {
    let (shared, options, own) = (Arc::clone(shared), options.clone(), own.clone());
    let thread = std::thread::Builder::new().name("reload".to_owned()).spawn(move || {
        let now = (options.clock)();
        let keep = *held(&shared.keep);
        let mut built = World::new(revision, keep, now);
        let entries = held(&shared.journal).reader(0, move |head: &Head| is_past(keep, head, now));
        built.replay(now, |_, each| entries.for_each(each));
        let _ = own.send(ToWorld::Built(Box::new(built)));
    });
    thread.is_ok()
}

fn publish(world: &mut World, options: &Options, made: u64) -> Published {
    let at = (options.clock)();
    let (diagnosis, counts) = world.diagnose(at);
    Published {
        at,
        diagnosis: Arc::new(diagnosis),
        revision: world.revision.clone(),
        laid: world.laid().clone(),
        counts,
        let_go: world.let_go(),
        matcher: world.matcher_stats(),
        position: world.position(),
        took: (options.clock)().since(at),
        diagnoses: made,
    }
}
