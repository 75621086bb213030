//! Runs it: one thread follows the events of incidents and notes what each channel is to know; one thread for each channel sends, so that
//! a slow one holds up nobody.
//!
//! A message is marked as sent once its channel has said so. A crash between that answer and the disk is the only way to send it twice:
//! the other order would lose messages.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration as Wait;

use diag::{Code, Diagnostic, Text, text};
use live::{Event, Live, Status, Tracked, What, held};
use project::Hidden;
use serde::Serialize;
use value::{Duration, MINUTE, SECOND, Time};
use words::Locale;

use super::answer::Failure;
use super::ledger::{Attempts, Delivery, Ledger, Outcome, Reference};
use super::request::{Occasion, request};
use super::routing::channels;
use super::sender::{Received, send};
use super::settings::{Account, Channel, Settings};
use super::story::{Advice, Story};

/// The first wait after a failure; each further one doubles it, up to the longest.
const FIRST_WAIT: Duration = 5 * SECOND;
const LONGEST_WAIT: Duration = 10 * MINUTE;

/// How long a thread sleeps at most: that long a stop or a new event waits for it.
const NAP: Wait = Wait::from_millis(500);

/// What a notifier needs to know of the incidents.
pub trait Source: Send + Sync {
    fn now(&self) -> Time;
    /// Waits for an event after `number`, at most `most`; returns the number of the last one.
    fn wait(&self, number: u64, most: Wait) -> u64;
    fn events_after(&self, number: u64) -> Vec<Event>;
    fn incident(&self, id: u64) -> Option<Tracked>;
    /// What the last diagnosis advises about it.
    fn advice(&self, incident: &Tracked, locale: &Locale) -> Advice;
}

impl Source for Live {
    fn now(&self) -> Time {
        Live::now(self)
    }

    fn wait(&self, number: u64, most: Wait) -> u64 {
        Live::wait(self, number, most)
    }

    fn events_after(&self, number: u64) -> Vec<Event> {
        // Of events that are not on file any more, each incident still has its last one.
        Live::events_after(self, number).0
    }

    fn incident(&self, id: u64) -> Option<Tracked> {
        Live::incident(self, id)
    }

    fn advice(&self, incident: &Tracked, locale: &Locale) -> Advice {
        let published = self.published();
        let same = |one: &&localize::Incident| {
            let first = one.suspects.first();
            incident.report.get("number").and_then(serde_json::Value::as_u64) == u64::try_from(one.number).ok()
                && first.and_then(|suspect| suspect.component.as_ref()) == incident.component.as_ref()
        };
        let Some(number) = published.diagnosis.incidents.iter().find(same).map(|one| one.number) else { return Advice::default() };
        let mut diagnosis = (*published.diagnosis).clone();
        diagnosis.filter(|one| one.number == number);
        words::tell(&mut diagnosis, locale, &published.laid.estate);
        // The case that was made of it says nothing that is not known of it.
        let own = incident.case_id();
        let text = |advice: &localize::AdviceView| advice.text.clone();
        let helped = |case: &localize::CaseView| {
            let done = case.solutions.join(if locale.lang == words::Lang::Zh { "；" } else { "; " });
            (!done.is_empty()).then(|| format!("{}{}{done}", case.id, locale.lang.colon()))
        };
        Advice {
            report: diagnosis.incidents.first().and_then(|one| serde_json::to_value(one).ok()),
            checks: diagnosis.checks.iter().map(text).collect(),
            fixes: diagnosis.solutions.iter().filter(|advice| own != Some(advice.from.as_str())).map(text).collect(),
            before: diagnosis.cases.iter().filter(|case| own != Some(case.id.as_str())).filter_map(helped).collect(),
        }
    }
}

/// How the notifications do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct State {
    /// The last event that was looked at.
    pub seen: u64,
    /// Why `notified.ndjson` cannot be written, if so.
    pub broken: Option<String>,
    pub channels: Vec<ChannelState>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChannelState {
    pub name: String,
    pub kind: &'static str,
    pub attempts: Attempts,
    pub last_success: Option<Time>,
    pub last_failure: Option<Failed>,
    /// What is to be sent, the next first.
    pub pending: Vec<Delivery>,
    /// What could not be sent for too long.
    pub given_up: Vec<Delivery>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failed {
    pub at: Time,
    pub reason: String,
}

struct Shared {
    settings: Settings,
    source: Arc<dyn Source>,
    ledger: Arc<Mutex<Ledger>>,
    changed: Condvar,
    stopping: AtomicBool,
}

/// A running notifier.
pub struct Notifier {
    /// With the settings in use.
    shared: Mutex<Arc<Shared>>,
    /// `None`: it was stopped.
    threads: Mutex<Option<Vec<JoinHandle<()>>>>,
}

impl Notifier {
    /// Goes on where the data folder says that it stopped. In a new folder, and if the incidents in it are older than what was told, it tells
    /// of the incidents that are open.
    ///
    /// # Errors
    /// `JOURNAL`: a folder that cannot be used.
    pub fn start(settings: Settings, source: Arc<dyn Source>, data: &Path) -> Result<(Notifier, Vec<Text>), Box<Diagnostic>> {
        let (mut ledger, mut said) = Ledger::open(data, source.now())?;
        if source.wait(0, Wait::ZERO) < ledger.seen {
            // The incidents were removed or put back: their numbers stand for others now. Better told twice than not at all.
            let events = source.events_after(0);
            ledger.begin_anew(|one| {
                let is_it = |event: &&Event| event.number == one.event && event.incident.id == one.incident;
                events.iter().find(is_it).is_some_and(|event| event.at <= one.touched())
            });
            said.push(text!("the incidents on file are older than the messages about them: those that are open may be told again"));
        }
        let shared = Shared::new(settings, source, Arc::new(Mutex::new(ledger)));
        let threads = run(&shared)?;
        Ok((Notifier { shared: Mutex::new(shared), threads: Mutex::new(Some(threads)) }, said))
    }

    /// Uses other settings: finishes what is being sent, and sends the rest as these say. Without a difference nothing happens.
    ///
    /// # Errors
    /// `JOURNAL`: no thread can be started; then nobody is told of anything until the next start.
    pub fn renew(&self, settings: Settings) -> Result<(), Box<Diagnostic>> {
        let mut threads = held(&self.threads);
        let before = self.shared();
        let Some(running) = threads.as_mut().filter(|_| before.settings != settings) else { return Ok(()) };
        before.end(std::mem::take(running));
        let next = Shared::new(settings, Arc::clone(&before.source), Arc::clone(&before.ledger));
        *held(&self.shared) = Arc::clone(&next);
        *running = run(&next)?;
        Ok(())
    }

    pub fn state(&self) -> State {
        let shared = self.shared();
        let ledger = shared.ledger();
        let channels = shared.settings.channels.values().map(|channel| channel_state(channel, &ledger)).collect();
        State { seen: ledger.seen, broken: ledger.broken.clone(), channels }
    }

    /// Finishes what is being sent, and stops. The rest is sent after the next start.
    pub fn stop(&self) {
        // While other settings are taken over, this waits.
        let Some(threads) = held(&self.threads).take() else { return };
        self.shared().end(threads);
    }

    fn shared(&self) -> Arc<Shared> {
        Arc::clone(&held(&self.shared))
    }
}

/// One thread for each channel, and one that follows the incidents if there is any.
fn run(shared: &Arc<Shared>) -> Result<Vec<JoinHandle<()>>, Box<Diagnostic>> {
    let mut threads = Vec::new();
    let names: Vec<String> = shared.settings.channels.keys().cloned().collect();
    for name in names {
        let own = Arc::clone(shared);
        threads.push(thread(move || own.serve(&name))?);
    }
    if !threads.is_empty() {
        let own = Arc::clone(shared);
        threads.push(thread(move || own.follow())?);
    }
    Ok(threads)
}

fn thread(run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Box<Diagnostic>> {
    let started = std::thread::Builder::new().name("notices".to_owned()).spawn(run);
    started.map_err(|error| Box::new(Diagnostic::nowhere(Code::JOURNAL, text!("cannot start a thread: {}", error))))
}

fn channel_state(channel: &Channel, ledger: &Ledger) -> ChannelState {
    let mine: Vec<&Delivery> = ledger.deliveries.values().filter(|one| one.channel == channel.name).collect();
    let of = |outcome: Outcome| mine.iter().filter(move |one| one.outcome == outcome).map(|one| (*one).clone());
    let failed = |one: &&Delivery| Some(Failed { at: one.failed_at?, reason: one.reason.clone().unwrap_or_default() });
    let mut pending: Vec<Delivery> = of(Outcome::Due).collect();
    pending.sort_by_key(|one| (one.next, one.incident));
    ChannelState {
        name: channel.name.clone(),
        kind: kind(&channel.account),
        attempts: ledger.attempts.get(&channel.name).copied().unwrap_or_default(),
        last_success: mine.iter().filter_map(|one| one.sent_at).max(),
        last_failure: mine.iter().filter_map(failed).max_by_key(|failed| failed.at),
        pending,
        given_up: of(Outcome::GivenUp).collect(),
    }
}

fn kind(account: &Account) -> &'static str {
    match account {
        Account::DingTalk { .. } => "dingtalk",
        Account::WeCom { .. } => "wecom",
        Account::Feishu { .. } => "feishu",
        Account::SlackHook { .. } | Account::SlackBot { .. } => "slack",
        Account::Webhook { .. } => "webhook",
        Account::Email(_) => "email",
    }
}

/// Whether a later message takes the place of the first one, so that every change is worth one.
fn updates(account: &Account) -> bool {
    match account {
        Account::SlackBot { .. } | Account::Webhook { .. } => true,
        Account::DingTalk { .. } | Account::WeCom { .. } | Account::Feishu { .. } | Account::SlackHook { .. } | Account::Email(_) => false,
    }
}

/// How long a channel rests between two messages: the robots of DingTalk and WeCom take 20 a minute and are shut out for longer beyond.
fn rest(account: &Account) -> Duration {
    match account {
        Account::DingTalk { .. } | Account::WeCom { .. } => 3 * SECOND,
        Account::SlackHook { .. } | Account::SlackBot { .. } => SECOND,
        Account::Feishu { .. } => 600,
        Account::Webhook { .. } | Account::Email(_) => 0,
    }
}

/// Whether it is worth a message of its own.
fn is_news(what: What) -> bool {
    match what {
        What::Opened | What::Changed | What::Acknowledged | What::Resolved | What::Reopened | What::Merged | What::Split => true,
        What::Escalated => true,
        What::Assigned | What::Noted | What::Confirmed => false,
    }
}

impl Shared {
    fn new(settings: Settings, source: Arc<dyn Source>, ledger: Arc<Mutex<Ledger>>) -> Arc<Shared> {
        Arc::new(Shared { settings, source, ledger, changed: Condvar::new(), stopping: AtomicBool::new(false) })
    }

    /// Ends its threads.
    fn end(&self, threads: Vec<JoinHandle<()>>) {
        self.stopping.store(true, Ordering::SeqCst);
        self.changed.notify_all();
        for thread in threads {
            let _ = thread.join();
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Its fields change one by one, each to something whole.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Notes what each channel is to know, until it is stopped.
    fn follow(&self) {
        let mut first = true;
        while !self.is_stopping() {
            let seen = self.ledger().seen;
            // Events from before this start are told to nobody who waits.
            if first || self.source.wait(seen, NAP) > seen {
                let events = self.source.events_after(seen);
                if events.is_empty() {
                    // One that could not be written is waited for, too.
                    drop(self.changed.wait_timeout(self.ledger(), NAP));
                } else {
                    self.take(&events);
                    self.changed.notify_all();
                }
            }
            first = false;
        }
    }

    fn take(&self, events: &[Event]) {
        let now = self.source.now();
        let last: BTreeMap<u64, Status> = events.iter().map(|event| (event.incident.id, event.incident.status)).collect();
        let mut ledger = self.ledger();
        let mut changed: BTreeMap<(u64, String), Delivery> = BTreeMap::new();
        for event in events {
            let id = event.incident.id;
            let known = |channel: &str| ledger.deliveries.contains_key(&(id, channel.to_owned()));
            // What is over before anybody was told is not worth a message.
            let is_over = event.incident.merged_into.is_some() || last.get(&id) == Some(&Status::Resolved);
            let routed = if is_over { BTreeSet::new() } else { channels(&self.settings.routes, &event.incident, event.at) };
            for channel in self.settings.channels.values() {
                let key = (id, channel.name.clone());
                if !changed.contains_key(&key) && !known(&channel.name) {
                    if routed.contains(channel.name.as_str()) {
                        changed.insert(key, first(event, &channel.name, now));
                    }
                    continue;
                }
                let before = changed.get(&key).or_else(|| ledger.deliveries.get(&key));
                let after = before.and_then(|before| self.renewed(before, event, channel, now));
                changed.extend(after.map(|after| (key, after)));
            }
        }
        let seen = events.iter().map(|event| event.number).max();
        ledger.record(changed.into_values().collect(), seen);
    }

    /// A delivery of which the channel is to know more; `None` if that is not worth a message.
    fn renewed(&self, before: &Delivery, event: &Event, channel: &Channel, now: Time) -> Option<Delivery> {
        if event.number <= before.event || !(is_news(event.what) || updates(&channel.account)) {
            return None;
        }
        // To whom nothing was told yet, nothing has changed.
        let what = if before.sent == 0 && event.what == What::Changed { before.what } else { event.what };
        let mut after = Delivery { event: event.number, what, ..before.clone() };
        if before.outcome != Outcome::Due {
            after.outcome = Outcome::Due;
            after.attempts = 0;
            after.since = now;
            // A storm of changes is one update.
            after.next = now.max(before.sent_at.map_or(now, |sent| sent.plus(self.settings.interval)));
        }
        Some(after)
    }

    /// Sends what one channel is to know, until it is stopped.
    fn serve(&self, name: &str) {
        let Some(channel) = self.settings.channels.get(name) else { return };
        let mut rested = Time::MIN;
        while let Some(delivery) = self.due(name, rested) {
            let outcome = self.deliver(channel, &delivery);
            let now = self.source.now();
            rested = now.plus(rest(&channel.account));
            self.settle(&delivery, outcome, now);
        }
    }

    /// Waits for the next delivery of a channel. `None`: stop.
    fn due(&self, name: &str, rested: Time) -> Option<Delivery> {
        let mut ledger = self.ledger();
        while !self.is_stopping() {
            let now = self.source.now();
            let next = ledger.next(name).map(|one| (one.next.max(rested), one));
            let left = match next {
                Some((at, one)) if at <= now => return Some(one.clone()),
                Some((at, _)) => u64::try_from(at.since(now)).map_or(NAP, |left| NAP.min(Wait::from_millis(left))),
                None => NAP,
            };
            ledger = self.changed.wait_timeout(ledger, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        None
    }

    fn deliver(&self, channel: &Channel, delivery: &Delivery) -> Result<Option<Reference>, Failure> {
        let Some(incident) = self.source.incident(delivery.incident) else {
            // Nothing is known of it any more.
            return Ok(delivery.reference.clone());
        };
        let advice = self.source.advice(&incident, &channel.locale);
        let story = Story::new(&incident, delivery.what, &advice, &channel.locale);
        let occasion = Occasion { event: delivery.event, now: self.source.now(), before: delivery.reference.as_ref() };
        let received = tell(channel, &story, occasion)?;
        // Those that follow refer to the first one.
        Ok(Some(delivery.reference.clone().unwrap_or(received.reference)))
    }

    /// Notes what came of an attempt.
    fn settle(&self, tried: &Delivery, outcome: Result<Option<Reference>, Failure>, now: Time) {
        let mut ledger = self.ledger();
        // More may have happened meanwhile.
        let Some(mut delivery) = ledger.deliveries.get(&tried.key()).cloned() else { return };
        let mut attempts = ledger.attempts.get(&tried.channel).copied().unwrap_or_default();
        attempts.retried += u64::from(tried.attempts > 0);
        match outcome {
            Ok(reference) => {
                attempts.sent += 1;
                delivery.reference = reference;
                delivery.sent = tried.event;
                delivery.sent_at = Some(now);
                delivery.attempts = 0;
                delivery.since = now;
                let more = delivery.event > tried.event;
                delivery.outcome = if more { Outcome::Due } else { Outcome::Sent };
                delivery.next = if more { now.plus(self.settings.interval) } else { now };
            }
            Err(failure) => {
                attempts.failed += 1;
                delivery.attempts = delivery.attempts.saturating_add(1);
                delivery.failed_at = Some(now);
                delivery.reason = Some(failure.why.to_string());
                let wait = backoff(&delivery).max(failure.wait.unwrap_or(0));
                delivery.next = now.plus(wait);
                if failure.gone {
                    delivery.reference = None;
                    delivery.next = now;
                }
                if now.since(delivery.since) >= self.settings.give_up {
                    attempts.given_up += 1;
                    delivery.outcome = Outcome::GivenUp;
                }
            }
        }
        ledger.attempts.insert(tried.channel.clone(), attempts);
        ledger.record(vec![delivery], None);
    }
}

fn first(event: &Event, channel: &str, now: Time) -> Delivery {
    Delivery {
        incident: event.incident.id,
        channel: channel.to_owned(),
        event: event.number,
        what: event.what,
        outcome: Outcome::Due,
        sent: 0,
        reference: None,
        attempts: 0,
        since: now,
        next: now,
        sent_at: None,
        failed_at: None,
        reason: None,
    }
}

/// How long to wait after a failure: longer each time, and not the same for each incident, so that not all come at once. The same delivery
/// waits the same in every run.
pub fn backoff(delivery: &Delivery) -> Duration {
    let doublings = delivery.attempts.saturating_sub(1).min(20);
    let longest = FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT);
    // Spreads neighboring numbers (splitmix64).
    let mut mixed = delivery.incident.wrapping_mul(64).wrapping_add(u64::from(delivery.attempts)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let share = i64::try_from((mixed ^ (mixed >> 31)) % 1_000).unwrap_or(0);
    // From three quarters of it to all of it.
    longest * (3_000 + share) / 4_000
}

fn tell(channel: &Channel, story: &Story, occasion: Occasion<'_>) -> Result<Received, Failure> {
    let request = request(channel, story, occasion, &Hidden::reveal)?;
    send(&channel.account, &request)
}

/// Sends a message that says that it is a test. Returns what was answered.
///
/// # Errors
/// Why it did not arrive.
pub fn test_message(channel: &Channel, now: Time) -> Result<String, Text> {
    let story = Story::test(&channel.locale, now);
    let occasion = Occasion { event: 0, now, before: None };
    tell(channel, &story, occasion).map(|received| received.said).map_err(|failure| failure.why)
}
