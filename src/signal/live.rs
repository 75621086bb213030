//! What live sources send, one request at a time, by the same readers as the files of a recording.

use std::collections::BTreeMap;

use diag::{Code, Diagnostic, Text};
use value::{Duration, Time};

use super::alertmanager;
use super::counts::Counts;
use super::deliveries;
use super::events;
use super::facts::Facts;
use super::json::Labels;
use super::loki::{self, Entry, Streams};
use super::mapping::Counter;
use super::prometheus::{Parts, Role};
use super::reader_context::{Complaints, ReaderContext, Rejected};
use super::resolver::Resolver;
use super::samples::Samples;
use super::scores::{self, ScoreFrame};

/// Takes what one request has. Entries are numbered in the order in which they are given, for each kind from 0.
pub struct Intake<'a> {
    source: &'a str,
    received: Time,
    context: ReaderContext<'a>,
    series: Parts,
    streams: Streams,
}

/// What came of a request.
#[derive(Debug)]
pub struct Delivered {
    /// Not sorted and without indexes. The origins name the source, and the position in the request.
    pub facts: Facts,
    /// For each alert of the facts, when it counts as resolved unless it is sent again; [`Time::MAX`] if only a resolution ends it.
    pub deadlines: Vec<Time>,
    /// Positions of series that are counters: their points are still the counts, to be read with the ones before.
    pub counters: Vec<(usize, Counter)>,
    pub counts: Counts,
    /// The first rejected entries; `counts` has their number.
    pub rejected: Vec<Rejected>,
    /// What the sender and the readers remark, as warnings.
    pub remarks: Vec<Diagnostic>,
}

/// A log line as it came.
#[derive(Debug, Clone, Default)]
pub struct RawLine {
    /// Since 1970.
    pub nanoseconds: i128,
    pub text: String,
    /// Besides the labels of its stream.
    pub labels: BTreeMap<String, String>,
}

/// The kinds of entries that a caller refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    Sample,
    LogLine,
    Span,
}

impl<'a> Intake<'a> {
    /// `source` names the protocol in origins and messages; `received` is when the request came.
    pub fn new(source: &'a str, received: Time, resolver: &'a Resolver<'a>) -> Self {
        let context = ReaderContext { received: Some(received), ..ReaderContext::new(resolver) };
        Self { source, received, context, series: Parts::default(), streams: Streams::default() }
    }

    /// The body of a webhook or of `POST /api/v2/alerts`. Where alerts `expire`, one without an end is resolved after that time unless it is
    /// sent again; else it fires until it is resolved.
    ///
    /// # Errors
    /// There are no alerts in it.
    pub fn alerts(&mut self, bytes: &[u8], expire: Option<Duration>) -> Result<(), Box<Diagnostic>> {
        let mut batch = alertmanager::read(self.source, bytes)?;
        batch.complete(self.received, expire);
        deliveries::settle(batch, Some(self.received), Some(self.received), &mut self.context);
        // Conditions about a kind of signal that nobody sends are unknown.
        self.context.facts.present.alerts = true;
        Ok(())
    }

    /// CloudEvents, or events and statuses of Kubernetes.
    ///
    /// # Errors
    /// There are none in it.
    pub fn events(&mut self, bytes: &[u8]) -> Result<(), Box<Diagnostic>> {
        events::read(self.source, bytes, &mut events::Seen::new(), &mut self.context)?;
        self.context.facts.present.events = true;
        Ok(())
    }

    /// # Errors
    /// There are no scores in it.
    pub fn scores(&mut self, bytes: &[u8]) -> Result<(), Box<Diagnostic>> {
        let frame = ScoreFrame { received: Some(self.received), ..ScoreFrame::default() };
        scores::read(self.source, bytes, &frame, &mut scores::Seen::new(), &mut self.context)
    }

    /// The body of a push to Loki as JSON.
    ///
    /// # Errors
    /// There are no streams in it.
    pub fn loki(&mut self, bytes: &[u8]) -> Result<(), Box<Diagnostic>> {
        loki::read(self.source, bytes, &mut self.context)?;
        self.context.facts.present.logs = true;
        Ok(())
    }

    /// Samples of one series; NaN marks it stale. The values are finite or NaN: the caller leaves others out.
    pub fn series(&mut self, labels: BTreeMap<String, String>, points: Vec<(Time, f64)>) {
        let samples = Samples { received: points.len(), points, ..Samples::default() };
        self.series.add(Labels(labels), samples, 0);
        self.context.facts.present.metrics = true;
    }

    /// Lines of one stream.
    pub fn lines(&mut self, labels: BTreeMap<String, String>, lines: impl IntoIterator<Item = RawLine>) {
        let labels = Labels(labels);
        for RawLine { nanoseconds, text, labels: metadata } in lines {
            let entry = Entry { nanoseconds: loki::possible(nanoseconds), line: Some(text), metadata: Labels(metadata) };
            self.streams.add(&labels, entry);
            self.context.facts.present.logs = true;
        }
    }

    /// Refuses so many entries for one reason, the first of which is at a position among those of its kind.
    pub fn refuse(&mut self, kind: EntryKind, position: usize, count: usize, code: Code, reason: &Text) {
        if count == 0 {
            return;
        }
        let counts = &mut self.context.counts;
        let (of_kind, word) = match kind {
            EntryKind::Sample => (&mut counts.samples, "sample"),
            EntryKind::LogLine => (&mut counts.logs, "log line"),
            EntryKind::Span => (&mut counts.spans, "span"),
        };
        of_kind.received += count;
        of_kind.reject(&reason.to_string(), count);
        self.context.unread(self.source, position, word, code, reason, "");
    }

    /// Spans that are kept until their minute is over.
    pub fn keep_spans(&mut self, count: usize) {
        self.context.counts.spans.received += count;
        self.context.counts.spans.kept += count;
    }

    /// Adds a remark on the whole request.
    pub fn remark(&mut self, remark: Diagnostic) {
        self.context.diagnostics.push(remark);
    }

    pub fn finish(mut self) -> Delivered {
        self.series.settle(self.source, Role::Metrics, Complaints::default(), &mut self.context);
        self.streams.settle(self.source, Complaints::default(), &mut self.context);
        let ReaderContext { facts, deadlines, counters, counts, mut rejected, diagnostics, .. } = self.context;
        // A reader may see only at the end what is wrong with an entry.
        rejected.sort_by_key(|one| one.position);
        Delivered { facts, deadlines, counters, counts, rejected, remarks: diagnostics }
    }
}
