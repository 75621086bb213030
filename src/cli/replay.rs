//! `faultscope replay`: sends a recording to a server, as its senders once did.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration as Wait, Instant};

use diag::{Code, Text, text};
use project::{Answer, Hidden, Outgoing, Recording, Sender, Sent};
use serde_json::Value;
use signal::read_bundle;
use value::{Duration, Time};

use super::as_of::now;
use super::locale::language;
use super::output::{Failure, Outcome, progress, warn};
use super::{FINDINGS, Lang, OK};

/// How often it looks what is due.
const STEP: Wait = Wait::from_millis(250);

/// Alerts that fire are sent again after this long, as Prometheus does.
const REPEAT: Wait = Wait::from_mins(1);

/// A request is answered within this time, or sent again.
const TIMEOUT: Wait = Wait::from_secs(30);

/// How often one request is sent at most, and how long the pauses are if the server asks for none: the first one, doubled each time, and the
/// longest one.
const TRIES: u32 = 8;
const FIRST_PAUSE: Wait = Wait::from_millis(500);
const LONGEST_PAUSE: Wait = Wait::from_secs(30);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder with the recorded signals
    bundle: PathBuf,
    /// Address of the server, like `http://127.0.0.1:7400`
    #[arg(long, value_name = "URL")]
    to: String,
    /// Token of the server, if it asks for one: `env:NAME` names a variable of the environment, `file:PATH` a file
    #[arg(long, value_name = "env:NAME|file:PATH")]
    token: Option<String>,
    /// How many times faster than recorded. The recording ends when the replay does, so at 1 it begins now, and above 1 in the past
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    speed: u32,
    /// Send the times as recorded, instead of moving them to now
    #[arg(long)]
    keep_times: bool,
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    let files = read_bundle(&args.bundle, &args.bundle)?;
    let Some(recording) = Recording::read(&files) else {
        return Err(Failure::new(Code::EMPTY_BUNDLE, text!("no signal in `{}` has a time", args.bundle.display())));
    };
    for warning in &recording.warnings {
        warn(warning.clone());
    }
    let unreachable = |why: Text| {
        let help = text!("start it with `faultscope serve`, or name its address with `--to URL`");
        Failure::new(Code::REMOTE, text!("the server {}", why)).help(help)
    };
    let sender = Sender::new(&args.to, TIMEOUT).map_err(unreachable)?;
    let token = args.token.as_deref().map(bearer).transpose()?;
    let speed = i64::from(args.speed);
    let shift = if args.keep_times { 0 } else { Time(now()).plus(recording.length() / speed).since(recording.last) };
    let mut tally = Tally::default();
    let (began, mut repeated) = (Instant::now(), Instant::now());
    let mut done = recording.first.minus(1);
    while done < recording.last {
        let reached = recording.first.plus(milliseconds(began.elapsed()).saturating_mul(speed)).min(recording.last);
        let repeat = repeated.elapsed() >= REPEAT;
        if repeat {
            repeated = Instant::now();
        }
        for request in recording.requests(done, reached, shift, repeat) {
            let answer = deliver(&sender, &request, token.as_deref()).map_err(unreachable)?;
            if matches!(answer.status, 401 | 403) {
                progress("");
                return Err(unwelcome(&answer));
            }
            tally.count(&request, &answer);
        }
        done = reached;
        let (played, all) = (Time::describe(reached.since(recording.first)), Time::describe(recording.length()));
        progress(&format!("{played} / {all}  {}", tally.total()));
        if done < recording.last {
            sleep(STEP);
        }
    }
    progress("");
    report(&recording, &tally, began.elapsed(), out)?;
    Ok(if tally.refused() == 0 { OK } else { FINDINGS })
}

/// The header with a token, at which an argument points: the arguments of a process are for everybody to see.
fn bearer(written: &str) -> Result<String, Failure> {
    match Hidden::of(written, Path::new("")) {
        Hidden::Written(_) => {
            Err(Failure::new(Code::USAGE, "`--token` must not contain the token itself")
                .help("name where it is: `env:NAME` or `file:PATH`"))
        }
        hidden @ (Hidden::Env(_) | Hidden::File(_)) => {
            let token = hidden.reveal().map_err(|why| Failure::new(Code::REMOTE, text!("the server {}", why)))?;
            Ok(format!("Bearer {token}"))
        }
    }
}

/// The server takes nothing from whoever asks like this, so the rest is not sent.
fn unwelcome(answer: &Answer) -> Failure {
    let said = clipped(&String::from_utf8_lossy(&answer.body));
    Failure::new(Code::REMOTE, text!("the server answers {}: {}", answer.status, said))
        .help("make a token with `faultscope token add NAME --role ingest`, and say where it is: `--token env:NAME` or `--token file:PATH`")
}

/// What became of the entries that were sent.
#[derive(Debug, Default)]
struct Tally {
    /// Sent and accepted, by kind.
    entries: BTreeMap<Sent, (usize, usize)>,
    /// The first reason for which something was refused, by kind.
    reasons: BTreeMap<Sent, String>,
}

impl Tally {
    fn count(&mut self, request: &Outgoing, answer: &Answer) {
        let said = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
        let listed = said.get("rejected").and_then(Value::as_array).map_or(0, Vec::len);
        let counted = said.get("refused").and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok());
        let refused = if (200..300).contains(&answer.status) { counted.unwrap_or(listed) } else { request.entries };
        let (sent, accepted) = self.entries.entry(request.sent).or_default();
        *sent += request.entries;
        *accepted += request.entries.saturating_sub(refused);
        if refused > 0 {
            let reason = || format!("{} {}", answer.status, clipped(&String::from_utf8_lossy(&answer.body)));
            self.reasons.entry(request.sent).or_insert_with(reason);
        }
    }

    fn total(&self) -> usize {
        self.entries.values().map(|(sent, _)| sent).sum()
    }

    fn refused(&self) -> usize {
        self.entries.values().map(|(sent, accepted)| sent - accepted).sum()
    }
}

/// Characters of an answer that are shown.
const MAX_QUOTE: usize = 200;

fn clipped(text: &str) -> String {
    text.trim().chars().take(MAX_QUOTE).collect()
}

/// Sends a request until it is answered with something else than "later".
fn deliver(sender: &Sender, request: &Outgoing, token: Option<&str>) -> Result<Answer, Text> {
    let mut pause = FIRST_PAUSE;
    let mut tries = 0;
    let mut headers: Vec<(&str, &str)> = request.headers.clone();
    headers.extend(token.map(|token| ("authorization", token)));
    loop {
        tries += 1;
        let (wanted, why) = match sender.post(request.path, &headers, &request.body) {
            Ok(answer) if matches!(answer.status, 429 | 503) => {
                (answer.wait, text!("is overloaded: it answers {} {} times in a row", answer.status, tries))
            }
            Ok(answer) => return Ok(answer),
            Err(why) => (None, why),
        };
        if tries >= TRIES {
            return Err(why);
        }
        let wanted = wanted.and_then(|wait| u64::try_from(wait).ok()).map(Wait::from_millis);
        sleep(wanted.unwrap_or(pause).min(LONGEST_PAUSE));
        pause *= 2;
    }
}

fn milliseconds(time: Wait) -> Duration {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn report(recording: &Recording, tally: &Tally, took: Wait, out: &mut impl Write) -> std::io::Result<()> {
    let chinese = language() == Lang::Zh;
    let (length, took) = (Time::describe(recording.length()), Time::describe(milliseconds(took)));
    writeln!(out, "{}", text!("replayed {} in {}", length, took).shown(chinese))?;
    for (kind, (sent, accepted)) in &tally.entries {
        writeln!(out, "  {}", text!("{}: {} sent, {} accepted", name(*kind), sent, accepted).shown(chinese))?;
    }
    for (kind, reason) in &tally.reasons {
        writeln!(out, "  {}", text!("{} refused, for instance: {}", name(*kind), reason).shown(chinese))?;
    }
    Ok(())
}

fn name(kind: Sent) -> Text {
    match kind {
        Sent::Events => text!("events"),
        Sent::Scores => text!("scores"),
        Sent::Samples => text!("samples"),
        Sent::Lines => text!("log lines"),
        Sent::Alerts => text!("alerts"),
    }
}
