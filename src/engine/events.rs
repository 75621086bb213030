//! Conditions on events: alerts, log lines, changes, reports, counted within windows.

use std::collections::BTreeMap;
use std::rc::Rc;

use compile::plan::{Cond, Event, EventKind};
use estate::ComponentId;
use value::{Duration, Time, Truth};

use super::Engine;
use super::evaluate::Env;
use super::evidence::{Detail, Evidence, Missing, SignalRef};
use super::memo::node;
use super::workload::is_from;

impl<'a> Engine<'a> {
    pub(super) fn event(&self, cond: &'a Cond, event: &'a Event, env: &Env<'_, 'a>, at: Time) -> Evidence<'a> {
        let places = event.on.as_ref().map(|target| self.targets(target, env));
        let about = places.as_ref().and_then(|p| if p.len() == 1 { p.first().copied() } else { None });
        let (present, kind) = match event.kind {
            EventKind::Alert => (self.facts.present.alerts, "alerts"),
            EventKind::Log => (self.facts.present.logs, "logs"),
            EventKind::Change => (self.facts.present.events, "changes"),
            EventKind::Report => (self.facts.present.events, "reports"),
            EventKind::Event => (self.facts.present.events, "events"),
        };
        if !present {
            return Evidence::leaf(cond, at, Truth::Unknown, about, Detail::Missing(Missing::Signals { kind: kind.to_owned() }));
        }
        let matching: Vec<SignalRef> = self.matching(event, env).iter().copied().filter(|s| self.in_window(*s, event.window, at)).collect();
        let needed = event.at_least as usize;
        let signals = match &event.same {
            None => matching,
            Some(attribute) => self.largest_group(matching, attribute),
        };
        let truth = Truth::from(signals.len() >= needed);
        let detail = Detail::Counted { found: signals.len(), needed, window: event.window };
        Evidence { signals, ..Evidence::leaf(cond, at, truth, about, detail) }
    }

    /// The matching signals on its places and their instances, at any time, in order.
    pub(super) fn matching(&self, event: &Event, env: &Env<'_, 'a>) -> Rc<Vec<SignalRef>> {
        self.memo.matching(node(event), env, || {
            let places = event.on.as_ref().map(|target| self.with_instances(self.targets(target, env)));
            self.candidates(event.kind, places.as_deref()).into_iter().filter(|signal| self.fits(*signal, event)).collect()
        })
    }

    /// All signals of a kind on the places; on any component if no places are given.
    fn candidates(&self, kind: EventKind, places: Option<&[ComponentId]>) -> Vec<SignalRef> {
        let facts = self.facts;
        match kind {
            EventKind::Alert => listed(&facts.alerts_of, facts.alerts.len(), places, SignalRef::Alert),
            EventKind::Log => listed(&facts.logs_of, facts.logs.len(), places, SignalRef::Log),
            EventKind::Change => listed(&facts.changes_of, facts.changes.len(), places, SignalRef::Change),
            EventKind::Report => listed(&facts.reports_of, facts.reports.len(), places, SignalRef::Report),
            // What a cluster says is a line, or a change.
            EventKind::Event => [self.candidates(EventKind::Log, places), self.candidates(EventKind::Change, places)].concat(),
        }
    }

    /// Start and end of a signal: an alert fires for a while, all others are instants.
    pub(super) fn extent(&self, signal: SignalRef) -> Option<(Time, Time)> {
        let instant = |time: Time| (time, time.plus(1));
        Some(match signal {
            SignalRef::Alert(i) => self.facts.alerts.get(i).map(|a| (a.start, a.end))?,
            SignalRef::Log(i) => instant(self.facts.logs.get(i)?.time),
            SignalRef::Change(i) => instant(self.facts.changes.get(i)?.time),
            SignalRef::Probe(i) => instant(self.facts.probes.get(i)?.time),
            SignalRef::Report(i) => instant(self.facts.reports.get(i)?.time),
            SignalRef::Series(i) => {
                let series = self.facts.series.get(i)?;
                (series.points.first()?.0, series.points.last()?.0)
            }
        })
    }

    fn in_window(&self, signal: SignalRef, window: Option<Duration>, at: Time) -> bool {
        let Some((start, end)) = self.extent(signal) else { return false };
        // Its last instant must be after the start of the window; `end` is exclusive.
        start <= at && end > at.minus(window.unwrap_or(0)).plus(i64::from(window.is_some()))
    }

    fn fits(&self, signal: SignalRef, event: &Event) -> bool {
        let empty = BTreeMap::new();
        let (text, labels, component) = match signal {
            SignalRef::Alert(i) => self.facts.alerts.get(i).map_or(("", &empty, None), |a| (a.text.as_str(), &a.labels, a.component)),
            SignalRef::Log(i) => self.facts.logs.get(i).map_or(("", &empty, None), |l| (l.text.as_str(), &l.labels, l.component)),
            SignalRef::Change(i) => self.facts.changes.get(i).map_or(("", &empty, None), |c| (c.text.as_str(), &c.attributes, c.component)),
            SignalRef::Report(i) => self.facts.reports.get(i).map_or(("", &empty, None), |r| (r.text.as_str(), &r.attributes, r.component)),
            SignalRef::Probe(_) | SignalRef::Series(_) => return false,
        };
        event.texts.iter().all(|t| t.is_in(text))
            && event.labels.iter().all(|(name, equal, value)| (labels.get(name) == Some(value)) == *equal)
            && event.source.as_ref().is_none_or(|source| is_from(self.estate, component, source, labels))
    }

    /// The largest group of signals with the same value of an attribute; the first value in order wins a tie.
    fn largest_group(&self, signals: Vec<SignalRef>, attribute: &str) -> Vec<SignalRef> {
        let mut groups: BTreeMap<String, Vec<SignalRef>> = BTreeMap::new();
        for signal in signals {
            let value = match signal {
                SignalRef::Alert(i) => self.facts.alerts.get(i).and_then(|a| a.labels.get(attribute)),
                SignalRef::Log(i) => self.facts.logs.get(i).and_then(|l| l.labels.get(attribute)),
                SignalRef::Change(i) => self.facts.changes.get(i).and_then(|c| c.attributes.get(attribute)),
                SignalRef::Report(i) => self.facts.reports.get(i).and_then(|r| r.attributes.get(attribute)),
                SignalRef::Probe(_) | SignalRef::Series(_) => None,
            };
            if let Some(value) = value {
                groups.entry(value.clone()).or_default().push(signal);
            }
        }
        let mut best = Vec::new();
        for group in groups.into_values() {
            if group.len() > best.len() {
                best = group;
            }
        }
        best
    }
}

/// The positions of signals on the places; of all `len` signals if no places are given.
fn listed(
    of: &BTreeMap<ComponentId, Vec<usize>>,
    len: usize,
    places: Option<&[ComponentId]>,
    wrap: fn(usize) -> SignalRef,
) -> Vec<SignalRef> {
    match places {
        None => (0..len).map(wrap).collect(),
        Some(places) => places.iter().filter_map(|place| of.get(place)).flatten().copied().map(wrap).collect(),
    }
}
