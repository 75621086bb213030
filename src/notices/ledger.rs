//! What was sent, on disk: one delivery for each incident and channel, so that after a restart nothing is sent twice and nothing is
//! forgotten.
//!
//! `notified.ndjson` has a line for each change of a delivery, the last one counts, and lines `{"seen": 42}`: the last event of incidents
//! that was looked at. A number that is lower than the one before begins anew: no line before it counts.

use std::collections::BTreeMap;
use std::path::Path;

use diag::{Code, Diagnostic, Text, text};
use files::Lines;
use live::What;
use serde::{Deserialize, Serialize};
use value::{DAY, Duration, Time};

/// Deliveries that are done are forgotten after this long without a change: an incident does not come back later.
const KEEP: Duration = 30 * DAY;

/// Bytes of the file beyond which a start writes it anew, with the last state of each delivery.
const COMPACT: usize = 4 << 20;

/// By what a channel knows a message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reference {
    /// The time stamp of Slack, the `Message-ID` of a mail; empty where there is no such thing.
    pub id: String,
    /// The channel of Slack, the subject of a mail.
    pub place: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Something is to be sent.
    Due,
    /// The channel knows the last state.
    Sent,
    /// It could not be sent for too long.
    GivenUp,
}

/// What one channel is told of one incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub incident: u64,
    pub channel: String,
    /// The last event that the channel is to know.
    pub event: u64,
    pub what: What,
    pub outcome: Outcome,
    /// The last event that it was sent; 0: nothing yet.
    pub sent: u64,
    /// By what its message is known; `null`: there is none.
    pub reference: Option<Reference>,
    /// Attempts in vain since the last success, and since when it is tried.
    pub attempts: u32,
    pub since: Time,
    /// Not before.
    pub next: Time,
    pub sent_at: Option<Time>,
    pub failed_at: Option<Time>,
    pub reason: Option<String>,
}

/// What came of attempts to send, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Attempts {
    /// Messages that arrived.
    pub sent: u64,
    /// Attempts in vain.
    pub failed: u64,
    /// Attempts that repeat one in vain.
    pub retried: u64,
    /// Messages that could not be sent for too long.
    pub given_up: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Delivery(Box<Delivery>),
    Seen { seen: u64 },
}

/// See the module.
#[derive(Debug)]
pub struct Ledger {
    file: Lines,
    pub deliveries: BTreeMap<(u64, String), Delivery>,
    pub seen: u64,
    /// By channel; not on file.
    pub attempts: BTreeMap<String, Attempts>,
    /// Why the file cannot be written. What is sent meanwhile may be sent again after a restart.
    pub broken: Option<String>,
}

impl Delivery {
    pub fn key(&self) -> (u64, String) {
        (self.incident, self.channel.clone())
    }

    /// The last instant at which something happened to it.
    pub fn touched(&self) -> Time {
        self.sent_at.max(self.failed_at).unwrap_or(self.since)
    }
}

impl Ledger {
    /// Also returns what had to be passed over.
    ///
    /// # Errors
    /// `JOURNAL`: a file that cannot be used.
    pub fn open(data: &Path, now: Time) -> Result<(Ledger, Vec<Text>), Box<Diagnostic>> {
        let path = data.join("notified.ndjson");
        let failed =
            |error: &std::io::Error| Box::new(Diagnostic::nowhere(Code::JOURNAL, text!("cannot use `{}`: {}", path.display(), error)));
        let text = files::try_read(&path, "notified.ndjson", u64::MAX)?.unwrap_or_default();
        // A crash may leave half a character.
        let text = String::from_utf8_lossy(&text).into_owned();
        let (mut deliveries, mut seen, mut unreadable) = (BTreeMap::new(), 0, 0_usize);
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match serde_json::from_str(line) {
                Ok(Line::Delivery(delivery)) => {
                    deliveries.insert(delivery.key(), *delivery);
                }
                Ok(Line::Seen { seen: number }) => {
                    if number < seen {
                        deliveries.clear();
                    }
                    seen = number;
                }
                Err(_) => unreadable += 1,
            }
        }
        deliveries.retain(|_, one: &mut Delivery| one.outcome == Outcome::Due || now.since(one.touched()) < KEEP);
        let said = (unreadable > 0).then(|| text!("`{}`: {} lines cannot be read and are passed over", path.display(), unreadable));
        if text.len() > COMPACT {
            let mut lines = Vec::new();
            for delivery in deliveries.values() {
                line(&mut lines, &Line::Delivery(Box::new(delivery.clone()))).map_err(|error| failed(&error))?;
            }
            line(&mut lines, &Line::Seen { seen }).map_err(|error| failed(&error))?;
            files::write(&path, lines)?;
        }
        let file = Lines::open(&path).map_err(|error| failed(&error))?;
        Ok((Ledger { file, deliveries, seen, attempts: BTreeMap::new(), broken: None }, said.into_iter().collect()))
    }

    /// Remembers deliveries, and up to which event all was looked at; on disk when it returns, unless `broken` says why not.
    pub fn record(&mut self, changed: Vec<Delivery>, seen: Option<u64>) {
        let mut lines = Vec::new();
        let mut written = Ok(());
        for delivery in changed {
            let boxed = Box::new(delivery.clone());
            written = written.and_then(|()| line(&mut lines, &Line::Delivery(boxed)));
            self.deliveries.insert(delivery.key(), delivery);
        }
        if let Some(seen) = seen {
            self.seen = seen;
            written = written.and_then(|()| line(&mut lines, &Line::Seen { seen }));
        }
        let written = written.and_then(|()| self.file.append(&lines));
        self.broken = written.err().map(|error| error.to_string());
    }

    /// Begins anew, with those deliveries of before that still count.
    pub fn begin_anew(&mut self, counts: impl Fn(&Delivery) -> bool) {
        let kept: Vec<Delivery> = std::mem::take(&mut self.deliveries).into_values().filter(|one| counts(one)).collect();
        self.record(Vec::new(), Some(0));
        self.record(kept, None);
    }

    /// What a channel is to be sent next.
    pub fn next(&self, channel: &str) -> Option<&Delivery> {
        let mine = self.deliveries.values().filter(|one| one.channel == channel && one.outcome == Outcome::Due);
        mine.min_by_key(|one| (one.next, one.incident))
    }
}

fn line(lines: &mut Vec<u8>, what: &Line) -> std::io::Result<()> {
    serde_json::to_writer(&mut *lines, what).map_err(std::io::Error::other)?;
    lines.push(b'\n');
    Ok(())
}
