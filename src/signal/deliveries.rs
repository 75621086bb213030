//! Turns deliveries into alerts: counts repeats, joins resolutions to their alerts, and merges flapping.

use std::collections::{BTreeMap, BTreeSet};

use diag::{Code, text};
use value::{Duration, MINUTE, Time};

use super::alert_text;
use super::alertmanager::Batch;
use super::facts::{Alert, Origin};
use super::measured::Measured;
use super::reader_context::ReaderContext;

/// Intervals of one alert with a shorter gap than this are merged as flapping: two evaluations of a rule at Prometheus' default
/// interval of one minute, so that a single missed evaluation does not make two alerts.
pub const DEBOUNCE: Duration = 2 * MINUTE;

/// The end of an alert according to one delivery.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ending {
    Firing,
    /// `None` if the tool did not say when.
    Resolved(Option<Time>),
    /// The sender's `endsAt`: the alert is resolved by then unless it is sent again. If that is after the bundle's end, it still fires.
    Deadline(Time),
}

/// One entry of a file of alerts.
#[derive(Debug)]
pub(super) struct Delivery {
    /// Position among all alerts of the file.
    pub index: usize,
    pub fingerprint: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub start: Option<Time>,
    pub ending: Ending,
    /// Who muted it, according to the sender.
    pub muted: Option<super::facts::Muted>,
    /// The query behind it, if the sender links to it.
    pub query: Option<String>,
}

/// One interval of an alert, identified by its start.
struct Interval {
    start: Time,
    /// The delivery whose texts are used.
    delivery: usize,
    resolved: Option<Time>,
    deadline: Option<Time>,
    duplicates: usize,
    merged: usize,
    flaps: usize,
}

/// Makes the alerts of a file. `first` and `last` are the first and last time in the bundle, without deadlines.
pub(super) fn settle(mut batch: Batch, first: Option<Time>, last: Option<Time>, context: &mut ReaderContext<'_>) {
    let mut deliveries = dated(&mut batch, first, last);
    adopt(&mut deliveries);
    let mut by_key: BTreeMap<Identity<'_>, BTreeMap<Time, Interval>> = BTreeMap::new();
    for (at, (delivery, start)) in deliveries.iter().enumerate() {
        record(by_key.entry(identity(delivery)).or_default(), at, *start, delivery.ending);
    }
    context.counts.alerts.received += batch.received;
    for (reason, count) in &batch.rejected {
        context.counts.alerts.reject(reason, *count);
    }
    for intervals in by_key.into_values() {
        for interval in calm(intervals.into_values(), last) {
            if let Some((delivery, _)) = deliveries.get(interval.delivery) {
                keep(&batch.file, delivery, &interval, last, context);
            }
        }
    }
    context.facts.unread.append(&mut batch.unread);
    batch.listed.drain(..).for_each(|rejected| context.list(rejected));
    context.diagnostics.append(&mut batch.diagnostics);
    batch.complaints.report(&batch.file, &mut context.diagnostics);
}

/// Every delivery with its start. An unknown start is the beginning of the bundle. An unknown end of a resolved alert is the end of
/// the bundle, since it ended before the recording stopped.
fn dated(batch: &mut Batch, first: Option<Time>, last: Option<Time>) -> Vec<(Delivery, Time)> {
    let mut dated = Vec::new();
    for mut delivery in std::mem::take(&mut batch.deliveries) {
        let index = delivery.index;
        let Some(mut start) = delivery.start.or(first) else {
            batch.reject_at(index, "no `startsAt`, and nothing in the bundle has a time", Code::SIGNAL_TIME, "");
            continue;
        };
        if delivery.start.is_none() {
            let reason = text!("alerts without `startsAt`, assumed to start with the bundle");
            batch.complaints.add(Code::SIGNAL_TIME, reason, 1, || text!("alert {}", index));
        }
        match delivery.ending {
            Ending::Resolved(None) => {
                let reason = text!("resolved alerts without `endsAt`, assumed to end with the bundle");
                batch.complaints.add(Code::SIGNAL_TIME, reason, 1, || text!("alert {}", index));
                delivery.ending = Ending::Resolved(Some(last.unwrap_or(start).max(start)));
            }
            Ending::Resolved(Some(end)) | Ending::Deadline(end) => start = start.min(end),
            Ending::Firing => {}
        }
        dated.push((delivery, start));
    }
    dated
}

/// Gives a delivery without labels those of the alert with its fingerprint. A fingerprint that stands on several alerts tells none.
fn adopt(deliveries: &mut [(Delivery, Time)]) {
    if deliveries.iter().all(|(delivery, _)| !delivery.labels.is_empty()) {
        return;
    }
    let mut known: BTreeMap<String, BTreeSet<BTreeMap<String, String>>> = BTreeMap::new();
    for (delivery, _) in deliveries.iter().filter(|(delivery, _)| !delivery.labels.is_empty()) {
        if let Some(fingerprint) = &delivery.fingerprint {
            known.entry(fingerprint.clone()).or_default().insert(delivery.labels.clone());
        }
    }
    for (delivery, _) in deliveries.iter_mut().filter(|(delivery, _)| delivery.labels.is_empty()) {
        let found = delivery.fingerprint.as_ref().and_then(|fingerprint| known.get(fingerprint)).filter(|found| found.len() == 1);
        if let Some(labels) = found.and_then(BTreeSet::first) {
            delivery.labels.clone_from(labels);
        }
    }
}

/// The identity of an alert: its labels. Some senders give one fingerprint to alerts of different labels, so it only counts where there
/// are none.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Identity<'a> {
    Fingerprint(&'a str),
    Labels(&'a BTreeMap<String, String>),
}

fn identity(delivery: &Delivery) -> Identity<'_> {
    match &delivery.fingerprint {
        Some(fingerprint) if delivery.labels.is_empty() => Identity::Fingerprint(fingerprint),
        Some(_) | None => Identity::Labels(&delivery.labels),
    }
}

/// Adds a delivery to the interval with the same start.
fn record(intervals: &mut BTreeMap<Time, Interval>, at: usize, start: Time, ending: Ending) {
    let mut is_new = false;
    let interval = intervals.entry(start).or_insert_with(|| {
        is_new = true;
        Interval { start, delivery: at, resolved: None, deadline: None, duplicates: 0, merged: 0, flaps: 0 }
    });
    let mut resolves = false;
    match ending {
        Ending::Firing => {}
        Ending::Resolved(end) => {
            resolves = interval.resolved.is_none();
            interval.resolved = interval.resolved.max(end);
        }
        Ending::Deadline(end) => {
            // The last deadline counts: a sender extends it for as long as the alert fires.
            interval.deadline = Some(end);
        }
    }
    if !is_new {
        interval.merged += usize::from(resolves);
        interval.duplicates += usize::from(!resolves);
    }
}

impl Interval {
    /// [`Time::MAX`] while it fires.
    fn end(&self, last: Option<Time>) -> Time {
        let passed = self.deadline.filter(|deadline| last.is_some_and(|last| *deadline <= last));
        self.resolved.or(passed).unwrap_or(Time::MAX)
    }

    fn absorb(&mut self, later: &Interval, end: Time) {
        self.resolved = (end < Time::MAX).then_some(end);
        // One that is not over still counts: of two that fire, the later one decides.
        self.deadline = later.deadline.filter(|_| end == Time::MAX);
        self.duplicates += later.duplicates;
        self.merged += later.merged;
        self.flaps += later.flaps;
    }
}

/// Joins intervals of one alert, given in order of their starts, that overlap or nearly touch.
fn calm(intervals: impl Iterator<Item = Interval>, last: Option<Time>) -> Vec<Interval> {
    let mut calm: Vec<Interval> = Vec::new();
    for later in intervals {
        let (later_start, later_end) = (later.start, later.end(last));
        let Some(kept) = calm.last_mut() else {
            calm.push(later);
            continue;
        };
        let end = kept.end(last);
        if end == Time::MAX {
            // Its end was not recorded: the later interval decides.
            kept.absorb(&later, later_end);
            kept.merged += 1;
        } else if later_start < end {
            // A delivery within a resolved interval is older than the resolution.
            let joined = if later_end == Time::MAX { end } else { end.max(later_end) };
            kept.absorb(&later, joined);
            kept.merged += 1;
        } else if later_start.since(end) < DEBOUNCE {
            kept.absorb(&later, later_end);
            kept.flaps += 1;
        } else {
            calm.push(later);
        }
    }
    calm
}

fn keep(file: &str, delivery: &Delivery, interval: &Interval, last: Option<Time>, context: &mut ReaderContext<'_>) {
    let origin = Origin { file: file.to_owned(), index: delivery.index };
    let query = delivery.query.as_deref();
    let placement = context.placer.explain(&delivery.labels, query);
    let component = context.settle(&placement, &origin);
    let instance = context.placer.unlisted(component, &delivery.labels, query);
    let counts = &mut context.counts.alerts;
    counts.keep(component.is_some());
    counts.duplicates += interval.duplicates;
    counts.merged += interval.merged + interval.flaps;
    let name = alert_text::name(&delivery.labels, &delivery.annotations);
    let end = interval.end(last);
    context.deadlines.push(interval.deadline.filter(|_| end == Time::MAX).unwrap_or(Time::MAX));
    context.facts.alerts.push(Alert {
        origin,
        component,
        instance,
        text: alert_text::searched(&name, &delivery.annotations),
        summary: alert_text::summary(&name, &delivery.annotations),
        severity: delivery.labels.get("severity").cloned(),
        labels: delivery.labels.clone(),
        start: interval.start,
        end,
        duplicates: interval.duplicates,
        flaps: interval.flaps,
        trouble: context.placer.trouble(&name, &delivery.annotations, query),
        muted: delivery.muted.clone(),
        measured: Measured::of(&delivery.annotations).map(Box::new),
        name,
    });
}
