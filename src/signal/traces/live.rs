//! Spans of a live stream: kept until their minute is over, then turned into one value per minute like those of a recording.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use diag::{Code, Diagnostic, Text};
use estate::ComponentId;
use value::Time;

use super::super::facts::Series;
use super::super::prometheus::Role;
use super::super::reader_context::ReaderContext;
use super::super::resolver::Resolver;
use super::aggregate::{self, BUCKET, NANOSECONDS, bucket};
use super::calls::{self, Call};
use super::places::{Attributes, Tags};
use super::spans::{Collector, Kind, Party, RawSpan, Sink, times};

/// How many minutes the spans of a trace that goes on are kept for the sake of its later ones. Requests last seconds; what lasts longer is a
/// stream, whose parts stand for themselves.
const KEPT: i64 = 10;

/// How many minutes ahead of the one that closes a span may end: what is later has a wrong clock, and would wait for ever.
const AHEAD: i64 = 24 * 60;

/// Spans by the resource that sent them, not placed yet: components may change while they wait.
#[derive(Debug, Default)]
pub struct Spans {
    resources: Vec<Attributes>,
    numbers: BTreeMap<Attributes, u32>,
    waiting: Vec<(u32, RawSpan)>,
    /// Why some are not taken, with their positions.
    refused: Vec<(usize, Code, Text)>,
    received: usize,
    /// The first minute that is not closed, since 1970. `None` before any was closed.
    open: Option<i64>,
    /// Those of minutes that were closed already.
    late: usize,
}

/// A span as OTLP sends it.
#[derive(Debug, Clone, Default)]
pub struct SentSpan<'s> {
    pub trace: &'s [u8],
    pub id: &'s [u8],
    pub parent: &'s [u8],
    /// The number of OTLP.
    pub kind: i32,
    /// Nanoseconds since 1970.
    pub start: u64,
    pub end: u64,
    /// Whether its status is an error.
    pub failed: bool,
    pub attributes: Vec<(String, String)>,
}

/// Requests from one component to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calls {
    pub caller: ComponentId,
    pub callee: ComponentId,
    pub count: usize,
    /// When the first and the last of them ended.
    pub first: Time,
    pub last: Time,
}

impl Calls {
    /// Counts others between the same two.
    pub fn join(&mut self, further: &Calls) {
        self.count += further.count;
        self.first = self.first.min(further.first);
        self.last = self.last.max(further.last);
    }
}

/// What the spans say about minutes that are over.
#[derive(Debug, Default)]
pub struct Minutes {
    /// A value for each minute, as from `traces.json`.
    pub series: Vec<Series>,
    /// By callee, then caller.
    pub calls: Vec<Calls>,
    /// Spans that came after their minute was closed, and count nowhere.
    pub late: usize,
    pub remarks: Vec<Diagnostic>,
}

impl Sink for Spans {
    fn whose(&mut self, resource: &Attributes) -> u32 {
        self.resource(resource)
    }

    fn take(&mut self, whose: u32, span: RawSpan) {
        match times(&span) {
            Ok(_) => self.waiting.push((whose, span)),
            Err(refusal) => self.refused.push((self.received, refusal.code(), refusal.words())),
        }
        self.received += 1;
    }
}

impl Spans {
    /// The number of a resource, by its attributes.
    pub fn resource(&mut self, attributes: &BTreeMap<String, String>) -> u32 {
        if let Some(known) = self.numbers.get(attributes) {
            return *known;
        }
        // Memory ends long before the numbers do.
        let number = u32::try_from(self.resources.len()).unwrap_or(u32::MAX);
        self.resources.push(attributes.clone());
        self.numbers.insert(attributes.clone(), number);
        number
    }

    /// Takes a span of a resource, or notes why not.
    pub fn add(&mut self, resource: u32, sent: SentSpan<'_>) {
        let mut tags = Tags::default();
        for (name, value) in sent.attributes {
            tags.take(&name, Some(value));
        }
        self.take(
            resource,
            RawSpan {
                trace: number(sent.trace),
                id: u64::try_from(number(sent.id) & u128::from(u64::MAX)).unwrap_or(0),
                parent: u64::try_from(number(sent.parent) & u128::from(u64::MAX)).unwrap_or(0),
                start: i64::try_from(sent.start).ok(),
                end: i64::try_from(sent.end).ok(),
                kind: Kind::parse(&sent.kind.to_string()),
                error: sent.failed || tags.error,
                peer: tags.peer,
            },
        );
    }

    /// Takes those of OTLP/JSON, as in `traces.json`.
    ///
    /// # Errors
    /// It is no JSON of spans. Nothing of it is kept then.
    pub fn read(&mut self, file: &str, bytes: &[u8]) -> Result<Vec<Diagnostic>, Box<Diagnostic>> {
        let mut further = Spans::default();
        let said = super::gather(file, bytes, true, &mut further)?;
        self.append(further);
        Ok(said)
    }

    /// Adds those of a later request.
    pub fn append(&mut self, further: Spans) {
        let numbers: Vec<u32> = further.resources.iter().map(|attributes| self.resource(attributes)).collect();
        let is_late = |span: &RawSpan| self.open.is_some_and(|open| span.end.is_some_and(|end| bucket(end) < open));
        self.late += further.waiting.iter().filter(|(_, span)| is_late(span)).count();
        let renumbered = |resource: u32| numbers.get(usize::try_from(resource).ok()?).copied();
        self.waiting.extend(further.waiting.into_iter().filter_map(|(resource, span)| Some((renumbered(resource)?, span))));
        let before = self.received;
        self.refused.extend(further.refused.into_iter().map(|(position, code, reason)| (before + position, code, reason)));
        self.received += further.received;
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Those that could not be taken, with their positions; forgets them.
    pub fn take_refused(&mut self) -> Vec<(usize, Code, Text)> {
        std::mem::take(&mut self.refused)
    }

    /// Closes all minutes that end by then, and says what happened in them. The caller leaves senders some time: they batch for seconds, and
    /// what comes later is lost. Traces that go on are kept, because later spans may be parts of earlier ones.
    ///
    /// A component without any request in a minute has no values for it, nor a rate of zero.
    pub fn close(&mut self, until: Time, source: &str, resolver: &Resolver<'_>) -> Minutes {
        let before = until.0.div_euclid(BUCKET);
        let first = self.waiting.iter().filter_map(|(_, span)| span.end.map(bucket)).min();
        let Some(from) = self.open.or(first).map(|open| open.max(before - KEPT)) else { return Minutes::default() };
        if from >= before {
            return Minutes::default();
        }
        let minutes = Minutes { late: self.late, ..self.values(&(from..before), source, resolver) };
        self.forget(before);
        minutes
    }

    fn values(&self, minutes: &Range<i64>, source: &str, resolver: &Resolver<'_>) -> Minutes {
        let mut collector = Collector::new(resolver);
        let parties: Vec<u32> = self.resources.iter().map(|resource| collector.party(resource)).collect();
        for (resource, span) in &self.waiting {
            if let Some(party) = usize::try_from(*resource).ok().and_then(|at| parties.get(at)) {
                collector.add(*party, span);
            }
        }
        let gathered = collector.finish();
        let work = calls::work(&gathered.spans);
        let mut context = ReaderContext::new(resolver);
        // The minute in which the stream began is not a whole one, and rates of it would be too low.
        let covered = minutes.start + i64::from(self.open.is_none())..minutes.end;
        let made = aggregate::minutes(&work, &gathered.parties, minutes, covered);
        super::keep(source, made, Role::Metrics, &mut context);
        let calls = work.calls.iter().filter(|call| minutes.contains(&bucket(call.end)));
        Minutes { series: context.facts.series, calls: counted(calls, &gathered.parties), late: 0, remarks: context.diagnostics }
    }

    /// Keeps the spans of traces that went on after the minutes closed, and only their resources.
    fn forget(&mut self, before: i64) {
        let old = std::mem::take(self);
        let ends_in = |span: &RawSpan, minutes: Range<i64>| span.end.is_some_and(|end| minutes.contains(&bucket(end)));
        let goes_on = |span: &RawSpan| ends_in(span, before..before + AHEAD);
        let on: BTreeSet<u128> = old.waiting.iter().filter(|(_, span)| goes_on(span)).map(|(_, span)| span.trace).collect();
        for (resource, span) in old.waiting {
            let attributes = usize::try_from(resource).ok().and_then(|at| old.resources.get(at));
            if let Some(attributes) = attributes.filter(|_| on.contains(&span.trace) && ends_in(&span, before - KEPT..before + AHEAD)) {
                let resource = self.resource(attributes);
                self.waiting.push((resource, span));
            }
        }
        (self.open, self.received, self.refused) = (Some(before), old.received, old.refused);
    }
}

/// The calls between components, by callee, then caller.
pub(super) fn counted<'c>(calls: impl Iterator<Item = &'c Call>, parties: &[Party]) -> Vec<Calls> {
    let component = |party: u32| parties.get(usize::try_from(party).ok()?)?.component;
    let mut counts: BTreeMap<(ComponentId, ComponentId), Calls> = BTreeMap::new();
    for call in calls {
        if let (Some(callee), Some(caller)) = (component(call.callee), component(call.caller)) {
            let end = Time(call.end.div_euclid(NANOSECONDS));
            let one = Calls { caller, callee, count: 1, first: end, last: end };
            counts.entry((callee, caller)).and_modify(|known| known.join(&one)).or_insert(one);
        }
    }
    counts.into_values().collect()
}

/// The number whose digits these bytes are; 0 for none.
fn number(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |number, byte| (number << 8) | u128::from(*byte))
}
