//! Metrics that rules read and nobody sends are asked of servers like Prometheus. What they answer goes the way of what is sent: to the
//! journal, and from there into diagnoses.
//!
//! Each server has a thread of its own, so that one that does not answer holds up no other. What it cannot tell is unknown: nothing else
//! changes, the reason is said, and it is asked again.

mod asks;
mod settings;

use std::collections::BTreeMap;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration as Wait;

use schemars::JsonSchema;
use serde::Serialize;

use diag::{Text, text};
use ingest::{ContentEncoding, Protocol, remote_write_body};
use live::{Live, Receipt, Refused, Request, Revision, held};
use project::{MAX_RESPONSE, Sender};
use signal::{LabelledSeries, Wanted, read_series};
use value::{Duration, MINUTE, SECOND, Time};

use asks::{Ask, Newest, asks, newest};
pub use settings::{Settings, read};

/// The longest stretch of time of one request, and the shortest to which one is cut whose answer is too large.
const LONGEST: Duration = 15 * MINUTE;
const SHORTEST: Duration = 30 * SECOND;

/// A server that fails is asked less and less often, down to once in this many of the usual pauses, or in this time if that is shorter.
const SELDOM: u32 = 10;
const SELDOM_AT_MOST: Wait = Wait::from_mins(5);

/// Samples of one entry of the journal, and the most bytes that it may have.
const MOST_SAMPLES: usize = 10_000;
const MOST_BYTES: usize = 64 << 20;

/// What "the query is too large" means to Prometheus.
const UNPROCESSABLE: u16 = 422;

/// How a server that is asked for metrics fares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PullState {
    pub url: String,
    /// Names of series and queries that may bring what rules read.
    pub wanted: usize,
    /// Those of them that nobody sends, when they were last asked for.
    pub asked: usize,
    /// Requests since the start, and those of them without a usable answer.
    pub requests: u64,
    pub failures: u64,
    /// Samples in usable answers, since the start.
    pub samples: u64,
    /// When all that was asked for was last answered.
    pub last_success: Option<Time>,
    pub last_failure: Option<Time>,
    /// Why the last failure was one.
    pub last_error: Option<String>,
    /// Since when not all that is asked for is answered; `null` if it is.
    pub failing_since: Option<Time>,
    /// What is asked for is known up to here.
    pub known_until: Option<Time>,
    /// How long ago that was, in milliseconds.
    pub behind: Option<Duration>,
}

/// State, and the last error in words that can be translated.
#[derive(Debug)]
struct Report {
    state: PullState,
    why: Option<Text>,
}

/// Up to when each series was fetched.
type Fetched = BTreeMap<Wanted, Time>;

/// What the threads share.
#[derive(Default)]
struct Shared {
    stopping: Mutex<bool>,
    changed: Condvar,
    /// By any server: a sample after that comes from somebody who sends it.
    fetched: Mutex<Fetched>,
}

/// All servers that are asked.
pub struct Puller {
    live: Arc<Live>,
    shared: Arc<Shared>,
    reports: Vec<Arc<Mutex<Report>>>,
}

impl Puller {
    /// Asks from now on, beginning where it was stopped.
    pub fn start(servers: &[Settings], live: &Arc<Live>) -> Puller {
        let mut puller = Puller { live: Arc::clone(live), shared: Arc::default(), reports: Vec::new() };
        if servers.is_empty() {
            return puller;
        }
        let revision = live.active();
        let wanted: Arc<[Wanted]> = wanted(&revision).into();
        let before = before(live, &wanted);
        held(&puller.shared.fetched).clone_from(&before);
        for settings in servers {
            let state = PullState { url: settings.url.clone(), ..PullState::default() };
            let report = Arc::new(Mutex::new(Report { state, why: None }));
            puller.reports.push(Arc::clone(&report));
            let worker = Worker {
                settings: settings.clone(),
                live: Arc::clone(live),
                shared: Arc::clone(&puller.shared),
                report,
                digest: revision.digest.clone(),
                wanted: Arc::clone(&wanted),
                fetched: before.clone(),
            };
            // Without the thread nothing is fetched, which the state shows.
            let _ = std::thread::Builder::new().name("pull".to_owned()).spawn(move || worker.run());
        }
        puller
    }

    /// How each server fares, in the order of the settings.
    pub fn states(&self) -> Vec<PullState> {
        let now = self.live.now();
        let state = |report: &Arc<Mutex<Report>>| {
            let report = held(report);
            let behind = report.state.known_until.map(|until| now.since(until).max(0));
            let last_error = report.why.as_ref().map(ToString::to_string);
            PullState { last_error, behind, ..report.state.clone() }
        };
        self.reports.iter().map(state).collect()
    }

    /// What a reader of an answer must know about metrics that could not be fetched.
    pub fn notes(&self) -> Vec<Text> {
        let note = |report: &Arc<Mutex<Report>>| {
            let report = held(report);
            let (since, why) = (report.state.failing_since?, report.why.clone()?);
            Some(text!(
                "metrics that nobody sends are asked of `{}`, which {} (since {}): what rests on them is unknown",
                report.state.url,
                why,
                since
            ))
        };
        self.reports.iter().filter_map(note).collect()
    }

    /// Asks no more. An answer that is on its way is not waited for.
    pub fn stop(&self) {
        *held(&self.shared.stopping) = true;
        self.shared.changed.notify_all();
    }
}

/// What rules read, as series.
fn wanted(revision: &Revision) -> Vec<Wanted> {
    let project = &revision.project;
    project.placement.wanted(&project.plan.metrics(), &project.estate)
}

/// Up to when series were fetched before the start. All of them were asked for together.
fn before(live: &Live, wanted: &[Wanted]) -> Fetched {
    let Some(recent) = live.recent() else { return Fetched::new() };
    let found = newest(&recent.facts, wanted);
    let Some(last) = found.iter().filter_map(|newest| newest.asked).max() else { return Fetched::new() };
    let known = wanted.iter().zip(&found).filter(|(_, newest)| newest.asked.is_some());
    known.map(|(wanted, _)| (wanted.clone(), last)).collect()
}

/// Why there is no usable answer.
enum Trouble {
    /// Nobody answers: further questions would not be answered either.
    Silent(Text),
    /// This one is not answered, another one may be.
    Refused(Text),
    /// A shorter stretch of time may be answered.
    TooMuch(Text),
}

/// Asks one server.
struct Worker {
    settings: Settings,
    live: Arc<Live>,
    shared: Arc<Shared>,
    report: Arc<Mutex<Report>>,
    /// Of the project by which the series are wanted.
    digest: String,
    wanted: Arc<[Wanted]>,
    fetched: Fetched,
}

impl Worker {
    fn run(mut self) {
        let mut failed = 0;
        loop {
            failed = if self.round() { 0 } else { failed + 1 };
            let stopping = held(&self.shared.stopping);
            let pause = pause(self.settings.every, failed);
            let (stopping, _) =
                self.shared.changed.wait_timeout_while(stopping, pause, |stopping| !*stopping).unwrap_or_else(PoisonError::into_inner);
            if *stopping {
                return;
            }
        }
    }

    /// Asks for everything that is due. Whether the server could be used at all.
    fn round(&mut self) -> bool {
        let revision = self.live.active();
        if revision.digest != self.digest {
            self.wanted = wanted(&revision).into();
            self.digest.clone_from(&revision.digest);
        }
        let now = self.live.now();
        let to = now.minus(self.settings.delay);
        let Some(recent) = self.live.recent() else { return true };
        let found = newest(&recent.facts, &self.wanted);
        // While it is held, the next signals are taken into a copy.
        drop(recent);
        let wanted = Arc::clone(&self.wanted);
        let due: Vec<(&Wanted, Time)> = {
            let fetched = held(&self.shared.fetched);
            let all = wanted.iter().zip(&found).filter(|(one, newest)| !is_sent(one, **newest, fetched.get(*one).copied(), now));
            let oldest = to.minus(self.settings.history);
            all.map(|(one, _)| (one, self.fetched.get(one).map_or(oldest, |until| oldest.max(*until)))).collect()
        };
        {
            let mut report = held(&self.report);
            (report.state.wanted, report.state.asked) = (wanted.len(), due.len());
        }
        let asked: Vec<Ask<'_>> = asks(due.iter().copied());
        let (mut answered, mut wrong) = (asked.is_empty(), None);
        match self.connect() {
            Ok((sender, headers)) => {
                for ask in &asked {
                    match self.ask(ask, to, &sender, &headers) {
                        Ok(()) => answered = true,
                        Err(Trouble::Refused(why) | Trouble::TooMuch(why)) => wrong = wrong.or(Some(why)),
                        Err(Trouble::Silent(why)) => {
                            wrong = Some(why);
                            break;
                        }
                    }
                }
            }
            Err(why) => wrong = Some(why),
        }
        let known = due.iter().map(|(one, _)| self.fetched.get(*one).copied()).min().unwrap_or(Some(to));
        self.settle(wrong, known);
        answered
    }

    fn settle(&self, wrong: Option<Text>, known: Option<Time>) {
        let now = self.live.now();
        let mut report = held(&self.report);
        report.state.known_until = known;
        match wrong {
            None => {
                report.state.last_success = Some(now);
                report.state.failing_since = None;
            }
            Some(why) => {
                report.state.last_failure = Some(now);
                report.state.failing_since.get_or_insert(now);
                report.why = Some(why);
            }
        }
    }

    /// The client of a round, and what it sends each time.
    fn connect(&self) -> Result<(Sender, Vec<(String, String)>), Text> {
        Ok((self.settings.sender()?, self.settings.revealed()?))
    }

    /// Fetches what is missing up to `to`, stretch by stretch.
    fn ask(&mut self, ask: &Ask<'_>, to: Time, sender: &Sender, headers: &[(String, String)]) -> Result<(), Trouble> {
        let (mut from, mut stretch) = (ask.from, LONGEST);
        while from < to {
            if *held(&self.shared.stopping) {
                return Ok(());
            }
            let until = to.min(from.plus(stretch));
            match self.fetch(ask, from, until, sender, headers) {
                Ok(series) => self.keep(&series)?,
                Err(Trouble::TooMuch(_)) if until.since(from) > SHORTEST => {
                    stretch = (until.since(from) / 2).max(SHORTEST);
                    continue;
                }
                Err(trouble) => return Err(trouble),
            }
            let mut shared = held(&self.shared.fetched);
            for wanted in &ask.of {
                self.fetched.insert((*wanted).clone(), until);
                let by_any = shared.entry((*wanted).clone()).or_insert(until);
                *by_any = until.max(*by_any);
            }
            from = until;
        }
        Ok(())
    }

    /// The samples after `from` and until `until`.
    fn fetch(
        &self,
        ask: &Ask<'_>,
        from: Time,
        until: Time,
        sender: &Sender,
        headers: &[(String, String)],
    ) -> Result<Vec<LabelledSeries>, Trouble> {
        let Some((path, mut pairs)) = ask.request(from, until, self.settings.every) else { return Ok(Vec::new()) };
        pairs.push(("timeout", format!("{}ms", self.settings.timeout)));
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(key, value)| (*key, value.as_str())).collect();
        held(&self.report).state.requests += 1;
        let answer = self.answer(sender, path, &headers, &pairs).inspect_err(|_| held(&self.report).state.failures += 1)?;
        Ok(answer.into_iter().filter_map(|series| usable(series, ask, from, until)).collect())
    }

    fn answer(
        &self,
        sender: &Sender,
        path: &str,
        headers: &[(&str, &str)],
        pairs: &[(&str, &str)],
    ) -> Result<Vec<LabelledSeries>, Trouble> {
        let answer = sender.post_form(path, headers, pairs).map_err(Trouble::Silent)?;
        let length = u64::try_from(answer.body.len()).unwrap_or(u64::MAX);
        let too_much = answer.status == UNPROCESSABLE || length > MAX_RESPONSE;
        let body = answer.usable().map_err(|why| if too_much { Trouble::TooMuch(why) } else { Trouble::Refused(why) })?;
        let unusable = |message: Text| Trouble::Refused(text!("answers with what cannot be used ({})", message));
        read_series(&self.settings.url, &body).map_err(|error| unusable(error.message))
    }

    /// Hands samples over as if they had been sent; they are on disk when it returns.
    fn keep(&self, series: &[LabelledSeries]) -> Result<(), Trouble> {
        let mut rest = series;
        while !rest.is_empty() {
            let mut samples = 0;
            let fitting = rest.iter().take_while(|series| {
                samples += series.points.len();
                samples <= MOST_SAMPLES
            });
            // One series is not cut: a request brings some hundred samples of each.
            let (part, later) = rest.split_at_checked(fitting.count().max(1)).unwrap_or((rest, &[]));
            self.submit(part).map_err(|why| Trouble::Refused(text!("answers, but that cannot be kept now ({})", why)))?;
            let count: usize = part.iter().map(|series| series.points.len()).sum();
            held(&self.report).state.samples += count as u64;
            rest = later;
        }
        Ok(())
    }

    fn submit(&self, part: &[LabelledSeries]) -> Result<(), Text> {
        let body = remote_write_body(part.iter().map(|series| (&series.labels, series.points.as_slice())));
        let (done, outcome) = sync_channel(1);
        let request = Request {
            protocol: Protocol::Pull,
            encoding: ContentEncoding::Snappy,
            limit: MOST_BYTES,
            body: body.unwrap_or_default(),
            received: self.live.now(),
            // Somebody waits for it.
            done: Box::new(move |outcome: Result<Receipt, Refused>| drop(done.send(outcome))),
        };
        if self.live.submit(request).is_err() {
            return Err(text!("too many requests wait"));
        }
        match outcome.recv() {
            Ok(Ok(Receipt { .. })) => Ok(()),
            Ok(Err(Refused::NotWritten(why))) => Err(text!("cannot write the journal: {}", why)),
            Ok(Err(Refused::Unreadable(refusal))) => Err(refusal.message),
            Ok(Err(Refused::Stopping)) | Err(_) => Err(text!("the server is stopping")),
        }
    }
}

/// Whether somebody sends a series: it has a sample that is young enough, and younger than what was fetched.
fn is_sent(wanted: &Wanted, newest: Newest, fetched: Option<Time>, now: Time) -> bool {
    newest.any.is_some_and(|time| now.since(time) <= wanted.staleness && fetched.is_none_or(|until| time > until))
}

/// A series of an answer with the samples that were asked for: one of the boundaries belongs to the request before, and a server that
/// talks of anything else is not to be heard.
fn usable(mut series: LabelledSeries, ask: &Ask<'_>, from: Time, until: Time) -> Option<LabelledSeries> {
    if let Some(name) = ask.name {
        series.labels.insert("__name__".to_owned(), name.to_owned());
    }
    series.points.retain(|(time, _)| *time > from && *time <= until);
    let fits = ask.of.iter().any(|wanted| wanted.fits(&series.labels));
    (fits && !series.points.is_empty()).then_some(series)
}

/// The time until the next round, after so many that failed.
fn pause(every: Duration, failed: u32) -> Wait {
    let every = Wait::from_millis(u64::try_from(every).unwrap_or(0));
    let times = 2_u32.saturating_pow(failed.saturating_sub(1)).min(SELDOM);
    (every * times).min(SELDOM_AT_MOST.max(every))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration as Wait;

    use signal::Wanted;
    use value::{MINUTE, SECOND, Time};

    use super::{Newest, is_sent, pause};

    #[test]
    fn who_is_asked_for_what() {
        let wanted = Wanted { series: "cpu".to_owned(), labels: BTreeMap::new(), query: None, staleness: 5 * MINUTE };
        let now = Time(100 * MINUTE);
        let ago = |minutes: i64| Some(now.minus(minutes * MINUTE));
        for (newest, fetched, sent) in [
            // Nobody has it.
            (None, None, false),
            (None, ago(1), false),
            // Sent, and never asked for.
            (ago(1), None, true),
            (ago(5), None, true),
            (ago(6), None, false),
            // Fetched; sent again since; sent, and stopped.
            (ago(2), ago(1), false),
            (ago(1), ago(1), false),
            (ago(1), ago(2), true),
            (ago(6), ago(7), false),
        ] {
            assert_eq!(is_sent(&wanted, Newest { any: newest, asked: None }, fetched, now), sent, "{newest:?} {fetched:?}");
        }
    }

    #[test]
    fn who_fails_is_asked_less_often() {
        let pauses = |every: i64| [0, 1, 2, 3, 4, 5, 100].map(|failed| pause(every, failed).as_secs());
        assert_eq!(pauses(SECOND), [1, 1, 2, 4, 8, 10, 10]);
        assert_eq!(pauses(30 * SECOND), [30, 30, 60, 120, 240, 300, 300]);
        assert_eq!(pauses(10 * MINUTE), [600; 7]);
        assert_eq!(pause(1, 1), Wait::from_millis(1));
    }
}
