//! Incidents over time: which one of the last diagnosis is which one of this, what people did about it, and how it ended.
//!
//! Every change of an incident is an event with a number, written to `incidents.ndjson` with the whole incident as it then was. The last
//! event of each incident is its state, so that a start needs nothing else; whoever listens can go on from the number that it saw last.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use diag::{Code, Diagnostic, Text, text};
use localize::{Diagnosis, Incident, SignalView};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use value::{Duration, MINUTE, Time};

use super::action::{Action, Cause};
use super::clocks::{Clock, Targets};

/// An incident that is not in a diagnosis any more stays open for this long: the next samples may bring it back.
const SETTLING: Duration = 2 * MINUTE;

/// An incident of the same component and fault that comes back within this time is the same one.
const COMES_BACK: Duration = 30 * MINUTE;

/// So many incidents are kept in full, the latest.
const WHOLE: usize = 10_000;

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
    /// The verdict is another: first suspect, severity, the layer that says it, or much more is affected.
    Changed,
    Acknowledged,
    Assigned,
    Noted,
    Resolved,
    Reopened,
    /// A person said which suspect was right.
    Confirmed,
    /// Its signals turned out to belong to another incident, or a person said so.
    Merged,
    /// A person took it out of the incident into which one had merged it.
    Split,
    /// A response target was missed; the note has the clock and its minutes.
    Escalated,
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
    /// When the fault began, according to the last diagnosis that had it.
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
    /// When the first suspect became the one that it is.
    #[serde(default)]
    pub located: Option<Time>,
    /// By the most important tier of what it affects; `null` where nothing has one.
    #[serde(default)]
    pub targets: Option<Targets>,
    /// The targets that were missed.
    #[serde(default)]
    pub missed: BTreeSet<Clock>,
    /// The incident into which it was merged.
    pub merged_into: Option<u64>,
    /// The component that a person confirmed as the cause,
    pub confirmed: Option<String>,
    /// and what was wrong with it.
    #[serde(default)]
    pub confirmed_fault: Option<String>,
    /// The folder of the case that was made of it, in the project: `cases/HIS-20250601`.
    #[serde(default)]
    pub case: Option<String>,
    pub history: Vec<Step>,
    /// How many components are affected.
    pub affected: usize,
    /// The incident as the last diagnosis told it, in English.
    pub report: serde_json::Value,
    /// When the fault began, according to the diagnosis that found it: detection is measured from there. `None` in old files.
    #[serde(default)]
    #[schemars(skip)]
    first_since: Option<Time>,
    /// The signals that it explained, by which it is recognised.
    #[schemars(skip)]
    signals: BTreeSet<(String, usize)>,
    /// Its alerts among them. Lines and metrics are shared by faults that have nothing else in common.
    #[serde(default)]
    #[schemars(skip)]
    alerts: BTreeSet<(String, usize)>,
    /// The last diagnosis that had it.
    #[schemars(skip)]
    seen: Time,
    /// A person resolved or merged it while it still shows: that holds until it goes and comes back.
    #[schemars(skip)]
    by_hand: bool,
    /// A person reopened it: only a person resolves it.
    #[serde(default)]
    #[schemars(skip)]
    kept_open: bool,
    /// The number of its last event.
    #[serde(skip)]
    pub(super) last_event: u64,
}

impl Tracked {
    /// What others are told: all but what only serves to recognise it.
    pub fn shown(&self) -> serde_json::Value {
        let mut shown = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = shown.as_object_mut() {
            for key in ["first_since", "signals", "alerts", "seen", "by_hand", "kept_open"] {
                fields.remove(key);
            }
        }
        shown
    }

    /// The id of the case that was made of it.
    pub fn case_id(&self) -> Option<&str> {
        self.case.as_deref().and_then(|case| case.rsplit('/').next())
    }

    /// When the fault began, as it was known when it was found.
    pub fn first_since(&self) -> Time {
        self.first_since.unwrap_or(self.since)
    }

    /// The targets that are missed at this instant and were not before, with their minutes. Both clocks begin when it was found, because
    /// nobody can be quicker than that.
    fn overdue(&self, now: Time) -> Vec<(Clock, i64)> {
        let Some(targets) = self.targets.filter(|_| self.status != Status::Resolved && self.severity != "info") else { return Vec::new() };
        let waits = [(Clock::Acknowledgement, targets.acknowledge, self.status == Status::Open), (Clock::Recovery, targets.resolve, true)];
        let missed = |(clock, minutes, waits): &(Clock, i64, bool)| {
            *waits && now.since(self.opened) >= minutes * MINUTE && !self.missed.contains(clock)
        };
        waits.into_iter().filter(missed).map(|(clock, minutes, _)| (clock, minutes)).collect()
    }

    fn reopen(&mut self, now: Time) {
        self.status = if self.acknowledged.is_some() { Status::Acknowledged } else { Status::Open };
        self.resolved = None;
        self.merged_into = None;
        self.by_hand = false;
        self.seen = now;
    }

    fn close(&mut self, at: Time) {
        self.status = Status::Resolved;
        self.resolved = Some(at);
    }

    /// A person says that it is over.
    fn close_by_hand(&mut self, now: Time) {
        self.close(now);
        self.by_hand = true;
        self.kept_open = false;
    }

    /// Its verdict: another one is worth an event.
    fn verdict(&self) -> (Option<String>, String, String) {
        (self.component.clone(), self.severity.clone(), self.layer.clone())
    }
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

/// See the module.
#[derive(Debug, Default)]
pub struct Incidents {
    by_id: BTreeMap<u64, Arc<Tracked>>,
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
                Ok(mut event) => {
                    event.incident.last_event = event.number;
                    incidents.next_id = incidents.next_id.max(event.incident.id + 1);
                    incidents.next_event = incidents.next_event.max(event.number + 1);
                    incidents.by_id.insert(event.incident.id, Arc::new(event.incident));
                }
                Err(_) => unreadable += 1,
            }
        }
        (incidents, unreadable)
    }

    /// The latest first.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Tracked>> {
        self.by_id.values().rev()
    }

    pub fn get(&self, id: u64) -> Option<&Tracked> {
        self.by_id.get(&id).map(Arc::as_ref)
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
            self.by_id.insert(before.id, Arc::new(before));
            // Its number goes to the next event: numbers have no gaps.
            self.next_event -= u64::from(events.pop().is_some());
        }
        self.give_back(events);
    }

    /// Forgets the reports of incidents that are over and that nobody has seen since `before`, or before the last ones: they are most of it.
    pub fn forget(&mut self, before: Time) {
        for (at, one) in self.by_id.values_mut().rev().enumerate() {
            let old = one.seen < before || at >= WHOLE;
            if old && one.status == Status::Resolved && !one.report.is_null() {
                let one = Arc::make_mut(one);
                (one.report, one.signals, one.alerts) = (serde_json::Value::Null, BTreeSet::new(), BTreeSet::new());
            }
        }
    }

    /// Whether no event waits to be written.
    pub fn are_written(&self) -> bool {
        self.unwritten.is_empty()
    }

    /// What a new diagnosis means for the incidents.
    pub fn update(&mut self, diagnosis: &Diagnosis) {
        let now = diagnosis.at;
        let matched = self.recognise(diagnosis);
        for (at, incident) in diagnosis.incidents.iter().enumerate() {
            match matched.get(&at) {
                Some(id) => self.renew(*id, incident, (now, diagnosis.since)),
                None if incident.until.is_none_or(|until| now.since(until) < COMES_BACK) => self.open(incident, now),
                None => {}
            }
        }
        let present: BTreeSet<u64> = matched.values().copied().collect();
        let fires = |signal: &&SignalView| signal.firing.is_some();
        // No suspect explains them any more, but they are not over either.
        let open: BTreeSet<(String, usize)> = diagnosis.unexplained.iter().filter(fires).map(origin).collect();
        let explained = diagnosis.incidents.iter().flat_map(|incident| &incident.suspects).flat_map(|suspect| &suspect.explains);
        let firing: BTreeSet<(String, usize)> = explained.filter(fires).map(origin).collect();
        for one in self.by_id.values_mut().filter(|one| one.by_hand && !present.contains(&one.id)) {
            let one = Arc::make_mut(one);
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
            let left: BTreeSet<_> = one.signals.intersection(&firing).cloned().collect();
            let fires = !one.signals.is_disjoint(&open);
            let rest: BTreeSet<_> = one.signals.difference(&open).cloned().collect();
            let own = if left.is_empty() { &rest } else { &left };
            let home = self
                .by_id
                .values()
                .find(|other| other.id != id && other.seen == now && !own.is_empty() && own.is_subset(&other.signals))
                .map(|other| other.id);
            match home {
                Some(home) => self.step(id, now, (What::Merged, None, Some(format!("#{home}"))), |one| {
                    one.close(now);
                    one.merged_into = Some(home);
                }),
                None if fires => {
                    if let Some(one) = self.by_id.get_mut(&id) {
                        Arc::make_mut(one).seen = now;
                    }
                }
                None if now.since(one.seen) >= SETTLING && !one.kept_open => {
                    let end = one.seen;
                    self.step(id, now, (What::Resolved, None, None), |one| one.close(end));
                }
                None => {}
            }
        }
        let overdue: Vec<(u64, Clock, i64)> = self
            .by_id
            .values()
            .flat_map(|one| one.overdue(now).into_iter().map(move |(clock, minutes)| (one.id, clock, minutes)))
            .collect();
        for (id, clock, minutes) in overdue {
            let note = format!("{} {minutes}", clock.name());
            self.step(id, now, (What::Escalated, None, Some(note)), |one| {
                one.missed.insert(clock);
            });
        }
    }

    /// For each incident of the diagnosis the known one that it continues: the one with the same first suspect, else the one with which
    /// it shares most signals.
    fn recognise(&self, diagnosis: &Diagnosis) -> BTreeMap<usize, u64> {
        let now = diagnosis.at;
        // What a person merged is still known by its own signals, so that they do not open another incident.
        let own = |one: &Tracked| one.merged_into.is_none() || one.by_hand;
        let recent = |one: &&Tracked| own(one) && (one.status != Status::Resolved || now.since(one.seen) < COMES_BACK);
        let mut pairs: Vec<(bool, usize, std::cmp::Reverse<u64>, std::cmp::Reverse<usize>)> = Vec::new();
        for (at, incident) in diagnosis.incidents.iter().enumerate() {
            let (component, fault, signals) = key(incident);
            let alerts = alerts(incident);
            for one in self.by_id.values().map(Arc::as_ref).filter(recent) {
                let alike = one.alerts.is_empty() || alerts.is_empty() || !one.alerts.is_disjoint(&alerts);
                let shared = if alike { one.signals.intersection(&signals).count() } else { 0 };
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
        // What a person merged speaks for its home once that shows nothing of its own.
        let mut taken: BTreeSet<u64> = matched.values().copied().collect();
        for id in matched.values_mut() {
            let home = self.by_id.get(&*id).and_then(|one| self.by_id.get(&one.merged_into?)).map(Arc::as_ref);
            if let Some(home) = home.filter(|home| recent(home) && !taken.contains(&home.id)) {
                taken.insert(home.id);
                *id = home.id;
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
            located: None,
            targets: None,
            missed: BTreeSet::new(),
            merged_into: None,
            confirmed: None,
            confirmed_fault: None,
            case: None,
            history: Vec::new(),
            affected: 0,
            report: serde_json::Value::Null,
            first_since: Some(incident.since),
            signals: BTreeSet::new(),
            alerts: BTreeSet::new(),
            seen: now,
            by_hand: false,
            kept_open: false,
            last_event: 0,
        };
        describe(&mut one, incident, incident.since);
        one.located = one.component.as_ref().map(|_| now);
        if one.targets.is_some_and(|targets| now.since(one.since) > targets.detect * MINUTE) {
            one.missed.insert(Clock::Detection);
        }
        self.by_id.insert(id, Arc::new(one));
        self.step(id, now, (What::Opened, None, None), |_| {});
        self.end_if_over(id, incident, now);
    }

    /// `window` is where the diagnosis begins to look: what it says to have begun there may be older.
    fn renew(&mut self, id: u64, incident: &Incident, (now, window): (Time, Time)) {
        let Some(one) = self.by_id.get_mut(&id).map(Arc::make_mut) else { return };
        let (before, affected) = (one.verdict(), one.affected);
        let since = if incident.since <= window { incident.since.min(one.since) } else { incident.since };
        describe(one, incident, since);
        one.seen = now;
        // Over, as the person said: if it comes back, that is news.
        one.by_hand &= incident.until.is_none() || one.merged_into.is_some();
        if before.0 != one.component {
            one.located = one.component.as_ref().map(|_| now);
        }
        let closed = one.status == Status::Resolved;
        if closed && incident.until.is_none() && !one.by_hand {
            self.step(id, now, (What::Reopened, None, None), |one| one.reopen(now));
        } else if !closed && (one.verdict() != before || one.affected > 2 * affected.max(1)) {
            self.step(id, now, (What::Changed, None, None), |_| {});
        }
        self.end_if_over(id, incident, now);
    }

    fn end_if_over(&mut self, id: u64, incident: &Incident, now: Time) {
        let open = self.by_id.get(&id).is_some_and(|one| one.status != Status::Resolved && !one.kept_open);
        if let Some(until) = incident.until.filter(|until| open && now.since(*until) >= SETTLING) {
            self.step(id, now, (What::Resolved, None, None), |one| one.close(until));
        }
    }

    /// What a person does.
    ///
    /// # Errors
    /// `REQUEST`: no such incident. `UNUSABLE`: it is not in the state for this.
    pub fn act(&mut self, id: u64, action: Action, by: Option<String>, now: Time) -> Result<&Tracked, Box<Diagnostic>> {
        let one = self.by_id.get(&id).ok_or_else(|| unknown(id))?;
        match action {
            Action::Acknowledge => self.step(id, now, (What::Acknowledged, by, None), |one| {
                if one.status == Status::Open {
                    one.status = Status::Acknowledged;
                }
                one.acknowledged.get_or_insert(now);
            }),
            Action::Assign(to) => self.step(id, now, (What::Assigned, by, Some(to.clone())), |one| one.assignee = Some(to)),
            Action::Note(note) => self.step(id, now, (What::Noted, by, Some(note)), |_| {}),
            Action::Resolve => self.step(id, now, (What::Resolved, by, None), |one| one.close_by_hand(now)),
            Action::Reopen => {
                if let Some(home) = one.merged_into {
                    let merged = unfit(text!("incident {} is merged into {}", id, home));
                    return Err(if one.by_hand { Box::new(merged.help("`split` takes it out again")) } else { merged });
                }
                if one.status != Status::Resolved {
                    return Err(unfit(text!("incident {} is not resolved", id)));
                }
                self.step(id, now, (What::Reopened, by, None), |one| {
                    one.reopen(now);
                    one.kept_open = true;
                });
            }
            Action::Merge(home) => {
                let other = self.by_id.get(&home).ok_or_else(|| unknown(home))?;
                if home == id {
                    return Err(unfit(text!("incident {} cannot be merged into itself", id)));
                }
                if let Some(into) = one.merged_into.or(other.merged_into) {
                    let merged = if one.merged_into.is_some() { id } else { home };
                    return Err(unfit(text!("incident {} is merged into {} already", merged, into)));
                }
                self.step(id, now, (What::Merged, by, Some(format!("#{home}"))), |one| {
                    one.close_by_hand(now);
                    one.merged_into = Some(home);
                });
            }
            Action::Split => {
                let Some(home) = one.merged_into.filter(|_| one.by_hand) else {
                    return Err(unfit(text!("incident {} is not one that a person merged and that lasts", id)));
                };
                self.step(id, now, (What::Split, by, Some(format!("#{home}"))), |one| one.reopen(now));
            }
            Action::Confirm(Cause { component, fault, case }) => {
                self.step(id, now, (What::Confirmed, by, Some(format!("{component}: {fault}"))), |one| {
                    one.confirmed = Some(component);
                    one.confirmed_fault = Some(fault);
                    one.case = case.or(one.case.take());
                });
            }
        }
        self.get(id).ok_or_else(|| unknown(id))
    }

    fn step(&mut self, id: u64, at: Time, (what, by, note): (What, Option<String>, Option<String>), change: impl FnOnce(&mut Tracked)) {
        let Some(one) = self.by_id.get_mut(&id).map(Arc::make_mut) else { return };
        change(one);
        one.history.push(Step { at, what, by, note });
        one.last_event = self.next_event;
        let event = Event { number: self.next_event, at, what, incident: one.clone() };
        self.next_event += 1;
        self.unwritten.push(event);
    }
}

fn unknown(id: u64) -> Box<Diagnostic> {
    Box::new(Diagnostic::nowhere(Code::REQUEST, text!("no incident `{}`", id)).help("`GET /api/v1/incidents` lists them"))
}

/// An action that means nothing in the state in which the incident is.
fn unfit(message: Text) -> Box<Diagnostic> {
    Box::new(Diagnostic::nowhere(Code::UNUSABLE, message))
}

/// By what an incident is recognised: its first suspect, and the signals that its suspects explain.
fn key(incident: &Incident) -> (Option<String>, String, BTreeSet<(String, usize)>) {
    let first = incident.suspects.first();
    let signals = incident.suspects.iter().flat_map(|suspect| &suspect.explains).map(origin).collect();
    (first.and_then(|s| s.component.clone()), first.map(|s| s.fault.clone()).unwrap_or_default(), signals)
}

fn alerts(incident: &Incident) -> BTreeSet<(String, usize)> {
    let explains = incident.suspects.iter().flat_map(|suspect| &suspect.explains);
    explains.filter(|signal| signal.kind == "alert").map(origin).collect()
}

/// By what a signal is known.
fn origin(signal: &SignalView) -> (String, usize) {
    (signal.origin.file.clone(), signal.origin.index)
}

fn describe(one: &mut Tracked, incident: &Incident, since: Time) {
    let (component, fault, signals) = key(incident);
    let first = incident.suspects.first();
    one.since = since;
    one.component = component;
    one.fault = fault;
    one.signals = signals;
    one.alerts = alerts(incident);
    one.severity = word(&incident.severity);
    one.layer = word(&incident.layer);
    one.confidence = first.map_or(0.0, |s| s.confidence);
    one.owner = first.and_then(|s| s.contact.clone());
    one.tags = first.map(|s| s.authored.iter().flat_map(|rule| rule.tags.clone()).collect()).unwrap_or_default();
    one.affected = incident.impact.len();
    one.targets = Targets::of(incident);
    one.report = serde_json::to_value(incident).unwrap_or_default();
    if let Some(told) = one.report.get_mut("since").filter(|_| since != incident.since) {
        *told = serde_json::to_value(since).unwrap_or_default();
    }
}

/// A value as JSON names it.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(_) | Err(_) => String::new(),
    }
}
