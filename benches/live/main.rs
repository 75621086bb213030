//! The live part under load, on one machine with its clients (docs/performance.md):
//!
//!     cargo bench --bench live                         # everything
//!     cargo bench --bench live -- latency              # or one of: latency, replay, restart, throughput, http
//!     cargo bench --bench live -- restart 1000000      # with so many signals
//!
//! `throughput` hands requests to the live part as the server does: each is read, journaled, answered and matched. `http` sends alerts to a
//! server, and to an Alertmanager if one is installed. Prints tables; the temporary folder should be on the disk that is meant.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a program for the desk"
)]

mod http;
#[path = "../matcher/measure.rs"]
#[allow(dead_code, reason = "other benches use the rest")]
mod measure;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ingest::{ContentEncoding, Protocol, decompress, remote_write_body};
use live::{Backlog, Journal, Keep, Live, Options, Receipt, Refused, Request, Retention, Revision};
use measure::{percentile, resident};
use project::Project;
use serde_json::json;
use value::{HOUR, MINUTE, Time};

/// Labels, and the one sample of a series.
type OneSample = (BTreeMap<String, String>, [(Time, f64); 1]);
/// Name, protocol, how to make a body of some entries, how many there are in all and in one body.
type Kind = (&'static str, Protocol, fn(Time, usize, usize) -> Vec<u8>, usize, usize);

const COMPONENTS: usize = 10_000;
const RULES: usize = 1_000;

/// Services in chains of ten; a rule for each name of an alert, of a metric and of a text, in turn.
fn write_project(at: &Path) {
    let mut estate = "components:\n".to_owned();
    for id in 0..COMPONENTS {
        estate.push_str(&format!("  - {{id: s{id}, type: service}}\n"));
    }
    estate.push_str("relations:\n");
    for id in (0..COMPONENTS).filter(|id| id % 10 != 9) {
        estate.push_str(&format!("  - {{from: s{id}, kind: depends_on, to: s{}}}\n", id + 1));
    }
    let mut rules = String::new();
    for id in 0..RULES {
        let condition = match id % 3 {
            0 => format!("alert \"Alert{id:04}\" on s"),
            1 => format!("s.cpu_usage > {}%", 50 + id % 50),
            _ => format!("log \"failure {id:04}\" on s"),
        };
        rules.push_str(&format!(
            "TOP-{id} \"Fault {id}\" {{\n  given  s: service\n  if     {condition}\n  then   impact dependents of s where type = service\n  check  \"Look\"\n}}\n"
        ));
    }
    let sources = "placement:\n  - {label: component}\nmetrics:\n  - {series: cpu_ratio, metric: cpu_usage, unit: ratio, type: service}\n";
    for (file, text) in [("topology/estate.yaml", estate.as_str()), ("topology/sources.yaml", sources), ("rules/all.rules", &rules)] {
        let path = at.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// How far the clock is ahead, in milliseconds.
static AHEAD: AtomicI64 = AtomicI64::new(0);

fn now() -> Time {
    Time(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64 + AHEAD.load(Ordering::Relaxed))
}

/// A folder of its own that is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let path = std::env::temp_dir().join(format!("faultscope-bench-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).unwrap();
        write_project(&path.join("project"));
        Folder(path)
    }

    fn project(&self) -> PathBuf {
        self.0.join("project")
    }

    /// An empty folder.
    fn data(&self) -> PathBuf {
        let data = self.0.join("data");
        drop(std::fs::remove_dir_all(&data));
        std::fs::create_dir_all(&data).unwrap();
        data
    }

    fn start(&self, data: &Path) -> Live {
        let project = Project::load(&self.project()).unwrap();
        let errors = project.diagnostics.iter().filter(|found| found.is_error()).count();
        assert_eq!(errors, 0, "{:?}", project.diagnostics.first());
        let revision = Revision { digest: project.digest(), project: Arc::new(project), loaded: now() };
        let backlog = Backlog { requests: 10_000, bytes: 128 << 20 };
        let options = Options { data: data.to_path_buf(), retention: Retention::default(), keep: Keep::default(), backlog, clock: now };
        Live::start(revision, options).unwrap().0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Alerts that fire at a time, each on a component of its own: their senders repeat them all the time. A third of them has a rule.
const FIRING: usize = 500;

fn alerts(at: Time, from: usize, count: usize) -> Vec<u8> {
    let alerts: Vec<_> = (from..from + count)
        .map(|number| {
            let id = number % FIRING * 17 % COMPONENTS;
            let labels = json!({"alertname": format!("Alert{:04}", id % RULES), "component": format!("s{id}"), "severity": "warning"});
            json!({"labels": labels, "annotations": {"summary": "the service is slow"}, "startsAt": Time(at.0 / 600_000 * 600_000)})
        })
        .collect();
    json!(alerts).to_string().into_bytes()
}

fn samples(at: Time, from: usize, count: usize) -> Vec<u8> {
    let series: Vec<OneSample> = (from..from + count)
        .map(|number| {
            let id = number % COMPONENTS;
            let labels = [("__name__", "cpu_ratio".to_owned()), ("component", format!("s{id}"))];
            (labels.map(|(name, value)| (name.to_owned(), value)).into(), [(at, (number * 7 % 50) as f64 / 100.0)])
        })
        .collect();
    remote_write_body(series.iter().map(|(labels, points)| (labels, points.as_slice()))).unwrap()
}

fn lines(at: Time, from: usize, count: usize) -> Vec<u8> {
    let streams: Vec<_> = (from..from + count)
        .map(|number| {
            let nanoseconds = (i128::from(at.0) * 1_000_000 + number as i128 % 1_000_000).to_string();
            let text = format!("request {number} took {} ms", number % 997);
            json!({"stream": {"component": format!("s{}", number % COMPONENTS), "level": "info"}, "values": [[nanoseconds, text]]})
        })
        .collect();
    json!({"streams": streams}).to_string().into_bytes()
}

type Answered = (Instant, Result<Receipt, Refused>);

/// Hands a request over, and waits while too many wait.
fn submit(live: &Live, protocol: Protocol, body: &[u8], answered: &Sender<Answered>) {
    loop {
        let encoding = if protocol == Protocol::RemoteWrite1 { ContentEncoding::Snappy } else { ContentEncoding::Identity };
        let answered = answered.clone();
        let done = Box::new(move |outcome| drop(answered.send((Instant::now(), outcome))));
        let request = Request { protocol, encoding, limit: 16 << 20, body: body.to_vec(), received: now(), done };
        if live.submit(request).is_ok() {
            return;
        }
        sleep(Duration::from_millis(1));
    }
}

/// The number of the last one, once all are answered.
fn all(answers: &Receiver<Answered>, count: usize) -> u64 {
    let numbers = answers.iter().take(count).map(|(_, outcome)| outcome.expect("accepted").number.expect("kept"));
    numbers.max().unwrap_or(0)
}

fn wait_for(live: &Live, position: u64) {
    while live.published().position < position {
        sleep(Duration::from_millis(1));
    }
}

/// Signals a second, to the journal and to the diagnosis that knows them.
fn throughput(folder: &Folder) {
    println!("{:<12} {:>10} {:>14} {:>16} {:>12}", "signals", "count", "journaled /s", "diagnosed /s", "memory MB");
    let kinds: [Kind; 3] = [
        ("alerts", Protocol::Alerts, alerts, 64, 200_000),
        ("samples", Protocol::RemoteWrite1, samples, 2_000, 2_000_000),
        ("log lines", Protocol::LokiJson, lines, 1_000, 200_000),
    ];
    for (name, protocol, make, batch, count) in kinds {
        let live = folder.start(&folder.data());
        let bodies: Vec<Vec<u8>> = (0..count / batch).map(|at| make(now(), at * batch, batch)).collect();
        let (sender, answers) = channel();
        let began = Instant::now();
        bodies.iter().for_each(|body| submit(&live, protocol, body, &sender));
        let last = all(&answers, bodies.len());
        let journaled = began.elapsed().as_secs_f64();
        wait_for(&live, last);
        let diagnosed = began.elapsed().as_secs_f64();
        let sent = (bodies.len() * batch) as f64;
        println!("{name:<12} {sent:>10} {:>14.0} {:>16.0} {:>12}", sent / journaled, sent / diagnosed, resident("VmRSS"));
        live.stop();
    }
}

/// From an alert that was accepted to the diagnosis that knows it, at a steady rate.
fn latency(folder: &Folder) {
    const RATE: usize = 1_000;
    const BATCH: usize = 10;
    const SECONDS: usize = 60;
    let live = Arc::new(folder.start(&folder.data()));
    let (sender, answers) = channel::<(Instant, Result<live::Receipt, live::Refused>)>();
    let shared = Arc::clone(&live);
    let requests = RATE / BATCH * SECONDS;
    let watcher = std::thread::spawn(move || {
        let mut waiting: BTreeMap<u64, Instant> = BTreeMap::new();
        let mut times: Vec<f64> = Vec::new();
        while times.len() < requests {
            for (at, outcome) in answers.try_iter() {
                waiting.insert(outcome.expect("accepted").number.expect("kept"), at);
            }
            let position = shared.published().position;
            let seen = Instant::now();
            let later = waiting.split_off(&(position + 1));
            times.extend(waiting.values().map(|at| seen.duration_since(*at).as_secs_f64() * 1e3));
            waiting = later;
            sleep(Duration::from_micros(500));
        }
        times
    });
    let began = Instant::now();
    for number in 0..requests {
        let due = Duration::from_secs_f64(number as f64 * BATCH as f64 / RATE as f64);
        sleep(due.saturating_sub(began.elapsed()));
        submit(&live, Protocol::Alerts, &alerts(now(), number * BATCH, BATCH), &sender);
    }
    let mut times = watcher.join().unwrap();
    let published = live.published();
    println!(
        "{RATE} alerts a second for {SECONDS} s, {RULES} rules, {COMPONENTS} components, {FIRING} firing: accepted to published: median {:.0} ms, 99th percentile {:.0} ms, \
         most {:.0} ms; {} diagnoses, the last one {} ms with {} incidents; memory {} MB",
        percentile(&mut times, 0.5),
        percentile(&mut times, 0.99),
        percentile(&mut times, 1.0),
        published.diagnoses,
        published.took,
        published.diagnosis.incidents.len(),
        resident("VmRSS")
    );
    live.stop();
}

/// From the start of the process to ready, with so many signals in the journal, received evenly over some hours: half samples, the rest
/// alerts and lines.
fn restart(folder: &Folder, signals: usize, hours: i64) {
    const ROUND: usize = 1_000;
    let data = folder.data();
    let (mut journal, _) = Journal::open(&data.join("journal"), Retention::default(), |_| false, |_| {}).unwrap();
    let rounds = signals.div_ceil(ROUND);
    let (now, each) = (now(), hours * HOUR / i64::try_from(rounds).unwrap());
    for round in 0..rounds {
        let at = now.minus(each * i64::try_from(rounds - round).unwrap());
        let from = round * ROUND / 4;
        let samples = decompress(ContentEncoding::Snappy, &samples(at, 2 * from, ROUND / 2), 16 << 20).unwrap().into_owned();
        let bodies = [
            (Protocol::RemoteWrite1, samples),
            (Protocol::Alerts, alerts(at, from, ROUND / 4)),
            (Protocol::LokiJson, lines(at, from, ROUND / 4)),
        ];
        journal.append(bodies.iter().map(|(protocol, body)| (at, *protocol, body.as_slice()))).unwrap();
    }
    drop(journal);
    let began = Instant::now();
    let live = folder.start(&data);
    let took = began.elapsed().as_secs_f64();
    let (bytes, next) = live.journal();
    println!(
        "restart with {} signals of {hours} h in {} requests ({} MiB): ready after {took:.1} s; memory {} MB",
        rounds * ROUND,
        next - 1,
        bytes >> 20,
        resident("VmRSS")
    );
    live.stop();
}

/// Hours of signals, one after the other, with the clock put forward: the memory stays where it is once the window is full.
fn replay(folder: &Folder, hours: usize) {
    const EACH: i64 = 15_000;
    const KEEP: i64 = 15 * MINUTE;
    let project = Project::load(&folder.project()).unwrap();
    let revision = Revision { digest: project.digest(), project: Arc::new(project), loaded: now() };
    let options = Options {
        data: folder.data(),
        retention: Retention { age: KEEP, ..Retention::default() },
        keep: Keep { signals: KEEP, samples: KEEP, ..Keep::default() },
        backlog: Backlog { requests: 10_000, bytes: 128 << 20 },
        clock: now,
    };
    let live = Live::start(revision, options).unwrap().0;
    let (sender, answers) = channel();
    let (began, steps) = (Instant::now(), hours * 240);
    let mut sent = 0;
    for step in 0..steps {
        let at = now();
        let from = step * 2_500;
        // Other alerts every ten minutes: incidents begin and end.
        submit(&live, Protocol::Alerts, &alerts(at, step / 40 * 125, 250), &sender);
        submit(&live, Protocol::RemoteWrite1, &samples(at, from, 2_500), &sender);
        submit(&live, Protocol::LokiJson, &lines(at, from, 1_000), &sender);
        sent += 3_750;
        wait_for(&live, all(&answers, 3));
        AHEAD.fetch_add(EACH, Ordering::Relaxed);
        if step % 40 == 39 {
            let (bytes, _) = live.journal();
            println!(
                "{:>4} min  {sent:>9} signals  {:>5} MB of memory  {:>4} MB of journal",
                (step + 1) / 4,
                resident("VmRSS"),
                bytes >> 20
            );
        }
    }
    println!("{hours} h of signals in {:.0} s", began.elapsed().as_secs_f64());
    live.stop();
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let wanted = arguments.first().map_or("", String::as_str);
    let is = |name: &str| wanted.is_empty() || wanted == name;
    let folder = Folder::new();
    if is("throughput") {
        throughput(&folder);
    }
    if is("latency") {
        latency(&folder);
    }
    if is("http") {
        http::compare(&folder.project(), &folder.data());
    }
    if is("replay") {
        replay(&folder, arguments.get(1).map_or(2, |hours| hours.parse().expect("a number of hours")));
    }
    if is("restart") {
        let signals = arguments.get(1).map_or(1_000_000, |count| count.parse().expect("a number of signals"));
        // All in the window, and as a server has them that has run for a day.
        [1, 24].into_iter().for_each(|hours| restart(&folder, signals, hours));
    }
}
