//! Spans in a common form for all formats, and the list that collects them.

use std::collections::BTreeMap;

use diag::{Code, Text, text};
use estate::ComponentId;

use super::super::resolver::Resolver;
use super::places::{self, Attributes};

/// The role of a span in a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    #[default]
    Unspecified,
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

impl Kind {
    /// From the number or name of OTLP (`SPAN_KIND_SERVER`), or the name of Jaeger and Zipkin.
    pub fn parse(text: &str) -> Kind {
        let word = text.trim().to_ascii_lowercase();
        match word.strip_prefix("span_kind_").unwrap_or(&word) {
            "1" | "internal" => Kind::Internal,
            "2" | "server" => Kind::Server,
            "3" | "client" => Kind::Client,
            "4" | "producer" => Kind::Producer,
            "5" | "consumer" => Kind::Consumer,
            _ => Kind::Unspecified,
        }
    }

    /// Whether it represents an outgoing request.
    pub fn leaves(self) -> bool {
        match self {
            Kind::Client | Kind::Producer => true,
            Kind::Unspecified | Kind::Internal | Kind::Server | Kind::Consumer => false,
        }
    }

    /// Whether it represents an incoming request.
    pub fn arrives(self) -> bool {
        match self {
            Kind::Server | Kind::Consumer => true,
            Kind::Unspecified | Kind::Internal | Kind::Client | Kind::Producer => false,
        }
    }
}

/// A span as its format gives it. Times are nanoseconds since 1970; `None`: absent, or not a number.
#[derive(Debug, Default)]
pub(super) struct RawSpan {
    /// 0: none.
    pub trace: u128,
    /// 0: none.
    pub id: u64,
    /// 0: none.
    pub parent: u64,
    pub start: Option<i64>,
    pub end: Option<i64>,
    pub kind: Kind,
    pub error: bool,
    /// The attributes of an outgoing span that identify its target.
    pub peer: Attributes,
}

/// A span that can be used. Small, because there are millions.
#[derive(Debug, Clone)]
pub(super) struct Span {
    pub trace: u128,
    pub id: u64,
    pub parent: u64,
    /// Nanoseconds since 1970, above 0.
    pub start: i64,
    /// No earlier than `start`.
    pub end: i64,
    /// Position in the file.
    pub index: usize,
    /// Position in the list of parties.
    pub party: u32,
    /// The target of its call, if that is a component.
    pub peer: Option<u32>,
    pub kind: Kind,
    pub error: bool,
}

impl Span {
    /// Nanoseconds, 0 or more.
    pub fn duration(&self) -> i64 {
        self.end.saturating_sub(self.start)
    }

    /// The key for sorting and lookup. In Zipkin, both sides of a call may share one id: the outgoing side comes first.
    pub fn key(&self) -> (u128, u64, bool) {
        (self.trace, self.id, !self.kind.leaves())
    }
}

/// The owner of spans: a component, or a service name that is not placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Party {
    /// `service.name`.
    pub name: String,
    pub component: Option<ComponentId>,
}

/// Why a span is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    NoId,
    NoTime,
    EndsBeforeStart,
}

impl Refusal {
    pub fn words(self) -> Text {
        match self {
            Refusal::NoId => text!("no trace or span id"),
            Refusal::NoTime => text!("missing or invalid start or end"),
            Refusal::EndsBeforeStart => text!("end before start"),
        }
    }

    pub fn code(self) -> Code {
        match self {
            Refusal::NoId => Code::SIGNAL_ENTRY,
            Refusal::NoTime | Refusal::EndsBeforeStart => Code::SIGNAL_TIME,
        }
    }
}

/// What the formats pass their spans to.
pub(super) trait Sink {
    /// The number of a resource (OTLP), a process (Jaeger) or an endpoint (Zipkin).
    fn whose(&mut self, resource: &Attributes) -> u32;
    fn take(&mut self, whose: u32, span: RawSpan);
}

impl Sink for Collector<'_, '_> {
    fn whose(&mut self, resource: &Attributes) -> u32 {
        self.party(resource)
    }

    fn take(&mut self, whose: u32, span: RawSpan) {
        self.add(whose, &span);
    }
}

/// Gathers the spans of a file.
pub(super) struct Collector<'p, 'e> {
    placer: &'p Resolver<'e>,
    parties: Vec<Party>,
    of_component: BTreeMap<ComponentId, u32>,
    of_name: BTreeMap<String, u32>,
    /// By resource attributes: placed once, not once per span.
    resources: BTreeMap<Attributes, u32>,
    peers: BTreeMap<Attributes, Option<u32>>,
    spans: Vec<Span>,
    received: usize,
    refused: Vec<(usize, Refusal)>,
}

/// All spans of a file, by [`Span::key`], each once.
pub(super) struct Gathered {
    pub spans: Vec<Span>,
    pub parties: Vec<Party>,
    pub received: usize,
    pub duplicates: usize,
    /// Position in the file, and why.
    pub refused: Vec<(usize, Refusal)>,
}

impl<'p, 'e> Collector<'p, 'e> {
    pub fn new(placer: &'p Resolver<'e>) -> Self {
        Self {
            placer,
            parties: Vec::new(),
            of_component: BTreeMap::new(),
            of_name: BTreeMap::new(),
            resources: BTreeMap::new(),
            peers: BTreeMap::new(),
            spans: Vec::new(),
            received: 0,
            refused: Vec::new(),
        }
    }

    /// The party for a resource (OTLP), a process (Jaeger) or an endpoint (Zipkin).
    pub fn party(&mut self, resource: &Attributes) -> u32 {
        if let Some(known) = self.resources.get(resource) {
            return *known;
        }
        let component = self.placer.place(&places::labels(resource));
        let name = resource.get(places::SERVICE).map_or("(no name)", String::as_str);
        let party = self.enlist(name, component);
        self.resources.insert(resource.clone(), party);
        party
    }

    fn enlist(&mut self, name: &str, component: Option<ComponentId>) -> u32 {
        // A file of MAX_FILE_BYTES cannot contain more than `u32::MAX` of them.
        let next = u32::try_from(self.parties.len()).unwrap_or(u32::MAX);
        let party = match component {
            Some(component) => *self.of_component.entry(component).or_insert(next),
            None => *self.of_name.entry(name.to_owned()).or_insert(next),
        };
        if party == next {
            self.parties.push(Party { name: name.to_owned(), component });
        }
        party
    }

    fn peer(&mut self, peer: &Attributes) -> Option<u32> {
        if peer.is_empty() {
            return None;
        }
        if let Some(known) = self.peers.get(peer) {
            return *known;
        }
        let component = places::peer(self.placer, peer);
        let found = component.map(|component| self.enlist("", Some(component)));
        self.peers.insert(peer.clone(), found);
        found
    }

    pub fn add(&mut self, party: u32, raw: &RawSpan) {
        let index = self.received;
        self.received += 1;
        match times(raw) {
            Err(refusal) => self.refused.push((index, refusal)),
            Ok((start, end)) => {
                let peer = if raw.kind.leaves() { self.peer(&raw.peer) } else { None };
                let RawSpan { trace, id, parent, kind, error, .. } = *raw;
                self.spans.push(Span { trace, id, parent, start, end, index, party, peer, kind, error });
            }
        }
    }

    /// Sorted, without repeats: of spans with the same key, the first in the file is kept.
    pub fn finish(self) -> Gathered {
        let Self { mut spans, parties, received, refused, .. } = self;
        spans.sort_unstable_by_key(|span| (span.key(), span.index));
        let before = spans.len();
        spans.dedup_by_key(|span| span.key());
        let duplicates = before - spans.len();
        Gathered { spans, parties, received, duplicates, refused }
    }
}

pub(super) fn times(raw: &RawSpan) -> Result<(i64, i64), Refusal> {
    if raw.trace == 0 || raw.id == 0 {
        return Err(Refusal::NoId);
    }
    let (Some(start), Some(end)) = (raw.start, raw.end) else { return Err(Refusal::NoTime) };
    if start <= 0 || end <= 0 {
        return Err(Refusal::NoTime);
    }
    if end < start { Err(Refusal::EndsBeforeStart) } else { Ok((start, end)) }
}

/// The number of a hexadecimal id; for any other notation (base64), its 128-bit FNV-1a hash (Fowler, Noll and Vo). 0 for an empty id.
pub(super) fn trace_id(text: &str) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    const DIGITS: usize = 32;
    let text = text.trim();
    if text.len() <= DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return u128::from_str_radix(text, 16).unwrap_or(0);
    }
    text.bytes().fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

/// The same for a span id, which has half as many digits.
pub(super) fn span_id(text: &str) -> u64 {
    u64::try_from(trace_id(text) & u128::from(u64::MAX)).unwrap_or(0)
}

/// A time in nanoseconds.
pub(super) fn nanoseconds(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

/// A time or duration in microseconds, as nanoseconds. Fractions of a microsecond are dropped: clocks are not that precise.
pub(super) fn microseconds(text: &str) -> Option<i64> {
    let whole = text.trim().split('.').next()?;
    whole.parse::<i64>().ok()?.checked_mul(1_000)
}
