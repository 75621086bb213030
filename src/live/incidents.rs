//! Incidents over time: which one of the last diagnosis is which one of this, what people did about it, and how it ended.
//!
//! Every change of an incident is an event with a number, written to `incidents.ndjson` with the whole incident as it then was. The last
//! event of each incident is its state, so that a start needs nothing else; whoever listens can go on from the number that it saw last.

use std::collections::{BTreeMap, BTreeSet};

use diag::{Code, Diagnostic, text};
use localize::{Diagnosis, Incident};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use value::{Duration, MINUTE, Time};

/// An incident that is not in a diagnosis any more stays open for this long: the next samples may bring it back.
const SETTLING: Duration = 2 * MINUTE;

/// An incident of the same component and fault that comes back within this time is the same one.
const COMES_BACK: Duration = 30 * MINUTE;

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Open,
    /// Somebody has said that they look after it.
    Acknowledged,
    /// Its symptoms are over, or somebody said that it is.
    Resolved,
}

/// What happened to an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum What {
    Opened,
    /// The verdict is another: first suspect, severity, or much more is affected.
    Changed,
    Acknowledged,
    Assigned,
    Noted,
    Resolved,
    Reopened,
    /// A person said which suspect was right.
    Confirmed,
    /// Its signals turned out to belong to another incident.
    Merged,
}

/// One line of the history of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    pub at: Time,
    pub what: What,
    /// Who did it; `null`: faultscope itself.
    pub by: Option<String>,
    pub note: Option<String>,
}

/// An incident as it is known now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tracked {
    pub id: u64,
    pub status: Status,
    /// When the fault began, according to the diagnosis.
    pub since: Time,
    pub opened: Time,
    pub acknowledged: Option<Time>,
    pub resolved: Option<Time>,
    pub assignee: Option<String>,
    /// The first suspect: its id, else the fault.
    pub component: Option<String>,
    pub fault: String,
    pub severity: String,
    pub layer: String,
    pub confidence: f64,
    pub owner: Option<String>,
    pub tags: Vec<String>,
    /// The incident into which it was merged.
    pub merged_into: Option<u64>,
    /// The component that a person confirmed as the cause.
    pub confirmed: Option<String>,
    pub history: Vec<Step>,
    /// How many components are affected.
    pub affected: usize,
    /// The incident as the last diagnosis told it, in English.
    pub report: serde_json::Value,
    /// The signals that it explained, by which it is recognised.
    signals: BTreeSet<(String, usize)>,
    /// The last diagnosis that had it.
    seen: Time,
    /// A person resolved it while it still shows: it is reopened only if it goes and comes back.
    by_hand: bool,
}

/// A change of an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Starts at 1.
    pub number: u64,
    pub at: Time,
    pub what: What,
    pub incident: Tracked,
}

/// What a person does about an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Acknowledge,
    Assign(String),
    Note(String),
    Resolve,
    Confirm(String),
}

/// See the module.
#[derive(Debug, Default)]
pub struct Incidents {
    by_id: BTreeMap<u64, Tracked>,
    next_id: u64,
    next_event: u64,
    /// Events that are not written yet.
    unwritten: Vec<Event>,
}

impl Incidents {
    /// From the lines of the file. A line that cannot be read is passed over, and counted.
    pub fn read(lines: &str) -> (Incidents, usize) {
        let mut incidents = Incidents { next_id: 1, next_event: 1, ..Incidents::default() };
        let mut unreadable = 0;
        for line in lines.lines().filter(|line| !line.trim().is_empty()) {
            match serde_json::from_str::<Event>(line) {
                Ok(event) => {
                    incidents.next_id = incidents.next_id.max(event.incident.id + 1);
                    incidents.next_event = incidents.next_event.max(event.number + 1);
                    incidents.by_id.insert(event.incident.id, event.incident);
                }
                Err(_) => unreadable += 1,
            }
        }
        (incidents, unreadable)
    }

    /// The latest first.
    pub fn all(&self) -> impl Iterator<Item = &Tracked> {
        self.by_id.values().rev()
    }

    pub fn get(&self, id: u64) -> Option<&Tracked> {
        self.by_id.get(&id)
    }

    /// The number of the last event, written or not.
    pub fn last_event(&self) -> u64 {
        self.next_event.saturating_sub(1)
    }

    /// Events since the last call, to be written and told.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.unwritten)
    }

    /// Takes back events that could not be written.
    pub fn give_back(&mut self, mut events: Vec<Event>) {
        events.append(&mut self.unwritten);
        self.unwritten = events;
    }

    /// Takes back the last action, with the events since the last ones that were written: the incident is as it was `before`.
    pub fn undo(&mut self, before: Option<Tracked>, mut events: Vec<Event>) {
        if let Some(before) = before {
            self.by_id.insert(before.id, before);
            // Its number goes to the next event: numbers have no gaps.
            self.next_event -= u64::from(events.pop().is_some());
        }
        self.give_back(events);
    }

    /// What a new diagnosis means for the incidents.
    pub fn update(&mut self, diagnosis: &Diagnosis) {
        let now = diagnosis.at;
        let matched = self.recognise(diagnosis);
        for (at, incident) in diagnosis.incidents.iter().enumerate() {
            match matched.get(&at) {
                Some(id) => self.renew(*id, incident, now),
                None if incident.until.is_none_or(|until| now.since(until) < COMES_BACK) => self.open(incident, now),
                None => {}
            }
        }
        let present: BTreeSet<u64> = matched.values().copied().collect();
        for one in self.by_id.values_mut().filter(|one| one.by_hand && !present.contains(&one.id)) {
            one.by_hand = now.since(one.seen) < SETTLING;
        }
        let gone: Vec<u64> = self
            .by_id
            .values()
            .filter(|one| one.status != Status::Resolved && !present.contains(&one.id) && one.seen < now)
            .map(|one| one.id)
            .collect();
        for id in gone {
            let Some(one) = self.by_id.get(&id) else { continue };
            let home = self
                .by_id
                .values()
                .find(|other| other.id != id && other.seen == now && !one.signals.is_empty() && one.signals.is_subset(&other.signals))
                .map(|other| other.id);
            match home {
                Some(home) => self.step(id, now, (What::Merged, None, Some(format!("#{home}"))), |one| {
                    one.status = Status::Resolved;
                    one.resolved = Some(now);
                    one.merged_into = Some(home);
                }),
                None if now.since(one.seen) >= SETTLING => {
                    let end = one.seen;
                    self.step(id, now, (What::Resolved, None, None), |one| {
                        one.status = Status::Resolved;
                        one.resolved = Some(end);
                    });
                }
                None => {}
            }
        }
    }

    /// For each incident of the diagnosis the known one that it continues: the one with the same first suspect, else the one with which
    /// it shares most signals.
    fn recognise(&self, diagnosis: &Diagnosis) -> BTreeMap<usize, u64> {
        let now = diagnosis.at;
        let recent = |one: &&Tracked| one.merged_into.is_none() && (one.status != Status::Resolved || now.since(one.seen) < COMES_BACK);
        let mut pairs: Vec<(bool, usize, std::cmp::Reverse<u64>, std::cmp::Reverse<usize>)> = Vec::new();
        for (at, incident) in diagnosis.incidents.iter().enumerate() {
            let (component, fault, signals) = key(incident);
            for one in self.by_id.values().filter(recent) {
                let shared = one.signals.intersection(&signals).count();
                let same = one.component == component && (component.is_some() || one.fault == fault);
                if shared > 0 || same {
                    pairs.push((same, shared, std::cmp::Reverse(one.id), std::cmp::Reverse(at)));
                }
            }
        }
        pairs.sort_unstable_by(|a, b| b.cmp(a));
        let mut matched: BTreeMap<usize, u64> = BTreeMap::new();
        for (_, _, std::cmp::Reverse(id), std::cmp::Reverse(at)) in pairs {
            if !matched.contains_key(&at) && !matched.values().any(|taken| *taken == id) {
                matched.insert(at, id);
            }
        }
        matched
    }

    fn open(&mut self, incident: &Incident, now: Time) {
        let id = self.next_id;
        self.next_id += 1;
        let mut one = Tracked {
            id,
            status: Status::Open,
            since: incident.since,
            opened: now,
            acknowledged: None,
            resolved: None,
            assignee: None,
            component: None,
            fault: String::new(),
            severity: String::new(),
            layer: String::new(),
            confidence: 0.0,
            owner: None,
            tags: Vec::new(),
            merged_into: None,
            confirmed: None,
            history: Vec::new(),
            affected: 0,
            report: serde_json::Value::Null,
            signals: BTreeSet::new(),
            seen: now,
            by_hand: false,
        };
        describe(&mut one, incident);
        self.by_id.insert(id, one);
        self.step(id, now, (What::Opened, None, None), |_| {});
        self.end_if_over(id, incident, now);
    }

    fn renew(&mut self, id: u64, incident: &Incident, now: Time) {
        let Some(one) = self.by_id.get_mut(&id) else { return };
        let before = (one.component.clone(), one.severity.clone(), one.affected);
        describe(one, incident);
        one.seen = now;
        let after = (one.component.clone(), one.severity.clone(), one.affected);
        let closed = one.status == Status::Resolved;
        if closed && incident.until.is_none() && !one.by_hand {
            self.step(id, now, (What::Reopened, None, None), |one| {
                one.status = if one.acknowledged.is_some() { Status::Acknowledged } else { Status::Open };
                one.resolved = None;
            });
        } else if !closed && (before.0 != after.0 || before.1 != after.1 || after.2 > 2 * before.2.max(1)) {
            self.step(id, now, (What::Changed, None, None), |_| {});
        }
        self.end_if_over(id, incident, now);
    }

    fn end_if_over(&mut self, id: u64, incident: &Incident, now: Time) {
        let open = self.by_id.get(&id).is_some_and(|one| one.status != Status::Resolved);
        if let Some(until) = incident.until.filter(|until| open && now.since(*until) >= SETTLING) {
            self.step(id, now, (What::Resolved, None, None), |one| {
                one.status = Status::Resolved;
                one.resolved = Some(until);
            });
        }
    }

    /// What a person does.
    ///
    /// # Errors
    /// `REQUEST`: no such incident.
    pub fn act(&mut self, id: u64, action: Action, by: Option<String>, now: Time) -> Result<&Tracked, Box<Diagnostic>> {
        if !self.by_id.contains_key(&id) {
            return Err(Box::new(
                Diagnostic::nowhere(Code::REQUEST, text!("no incident `{}`", id)).help("`GET /api/v1/incidents` lists them"),
            ));
        }
        match action {
            Action::Acknowledge => self.step(id, now, (What::Acknowledged, by, None), |one| {
                if one.status == Status::Open {
                    one.status = Status::Acknowledged;
                }
                one.acknowledged.get_or_insert(now);
            }),
            Action::Assign(to) => self.step(id, now, (What::Assigned, by, Some(to.clone())), |one| one.assignee = Some(to)),
            Action::Note(note) => self.step(id, now, (What::Noted, by, Some(note)), |_| {}),
            Action::Resolve => self.step(id, now, (What::Resolved, by, None), |one| {
                one.status = Status::Resolved;
                one.resolved = Some(now);
                one.by_hand = true;
            }),
            Action::Confirm(component) => {
                self.step(id, now, (What::Confirmed, by, Some(component.clone())), |one| one.confirmed = Some(component));
            }
        }
        self.by_id.get(&id).ok_or_else(|| Box::new(Diagnostic::nowhere(Code::REQUEST, text!("no incident `{}`", id))))
    }

    fn step(&mut self, id: u64, at: Time, (what, by, note): (What, Option<String>, Option<String>), change: impl FnOnce(&mut Tracked)) {
        let Some(one) = self.by_id.get_mut(&id) else { return };
        change(one);
        one.history.push(Step { at, what, by, note });
        let event = Event { number: self.next_event, at, what, incident: one.clone() };
        self.next_event += 1;
        self.unwritten.push(event);
    }
}

/// By what an incident is recognised: its first suspect, and the signals that its suspects explain.
fn key(incident: &Incident) -> (Option<String>, String, BTreeSet<(String, usize)>) {
    let first = incident.suspects.first();
    let signals = incident.suspects.iter().flat_map(|suspect| &suspect.explains);
    let signals = signals.map(|signal| (signal.origin.file.clone(), signal.origin.index)).collect();
    (first.and_then(|s| s.component.clone()), first.map(|s| s.fault.clone()).unwrap_or_default(), signals)
}

fn describe(one: &mut Tracked, incident: &Incident) {
    let (component, fault, signals) = key(incident);
    let first = incident.suspects.first();
    one.since = one.since.min(incident.since);
    one.component = component;
    one.fault = fault;
    one.signals = signals;
    one.severity = word(&incident.severity);
    one.layer = word(&incident.layer);
    one.confidence = first.map_or(0.0, |s| s.confidence);
    one.owner = first.and_then(|s| s.contact.clone());
    one.tags = first.map(|s| s.authored.iter().flat_map(|rule| rule.tags.clone()).collect()).unwrap_or_default();
    one.affected = incident.impact.len();
    one.report = serde_json::to_value(incident).unwrap_or_default();
}

/// A value as JSON names it.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(_) | Err(_) => String::new(),
    }
}
