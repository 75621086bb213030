//! What monitoring tools send, one request at a time, as facts; and the answers that each of them understands.
//!
//! Pure: [`decompress`] and [`read`] take bytes and a time, [`answer()`] says what to send back. Whoever listens does the rest: it finds the
//! protocol of a request with [`route()`], writes the request down before it answers, and refuses it when overloaded.

mod answer;
mod body;
mod encode;
mod loki;
mod otlp;
mod refusal;
mod remote_write;
mod route;
#[cfg(test)]
mod tests;
mod wire;
mod zabbix;

use serde::de::IgnoredAny;

use diag::{Diagnostic, text};
use signal::{Counter, Counts, Delivered, Facts, Intake, Rejected, Resolver, Spans};
use value::{Duration, MINUTE, Time};

pub use answer::{Answer, Outcome, answer};
pub use body::{ContentEncoding, decompress};
pub use encode::remote_write_body;
pub use refusal::{Refusal, Why};
pub use route::{PATHS, Path, Route, route};
pub use wire::MAX_ENTRIES;

/// How messages of OTLP are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encoding {
    Json,
    Protobuf,
}

/// What a sender speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// `POST /api/v2/alerts`, as to an Alertmanager.
    Alerts,
    /// The webhook of Alertmanager and Grafana, version 4.
    Webhook,
    RemoteWrite1,
    RemoteWrite2,
    LokiJson,
    LokiProtobuf,
    OtlpMetrics(Encoding),
    OtlpLogs(Encoding),
    OtlpTraces(Encoding),
    /// A media type of Zabbix; `docs/ingest.md` has its parameters.
    Zabbix,
    /// One event, structured.
    CloudEvents,
    CloudEventsBatch,
    /// Events and statuses of a cluster: objects, lists or one object a line.
    KubernetesEvents,
    /// Scores of external models.
    Scores,
    /// Samples that the server itself asked for, as a message of remote-write 1. Nobody sends it.
    Pull,
}

/// After this time an alert to `/api/v2/alerts` without an end is resolved, unless it is sent again: the `resolve_timeout` that
/// Alertmanager has by default.
pub const RESOLVE_TIMEOUT: Duration = 5 * MINUTE;

impl Protocol {
    /// What origins and messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Alerts => "alerts",
            Protocol::Webhook => "webhook",
            Protocol::RemoteWrite1 | Protocol::RemoteWrite2 => "remote-write",
            Protocol::LokiJson | Protocol::LokiProtobuf => "loki",
            Protocol::OtlpMetrics(_) => "otlp-metrics",
            Protocol::OtlpLogs(_) => "otlp-logs",
            Protocol::OtlpTraces(_) => "otlp-traces",
            Protocol::Zabbix => "zabbix",
            Protocol::CloudEvents | Protocol::CloudEventsBatch => "cloudevents",
            Protocol::KubernetesEvents => "kubernetes",
            Protocol::Scores => "scores",
            Protocol::Pull => "pull",
        }
    }

    /// Every protocol with the number that journals have for it, which never changes.
    const CODES: [(u8, Protocol); 18] = [
        (1, Protocol::Alerts),
        (2, Protocol::Webhook),
        (3, Protocol::RemoteWrite1),
        (4, Protocol::RemoteWrite2),
        (5, Protocol::LokiJson),
        (6, Protocol::LokiProtobuf),
        (7, Protocol::OtlpMetrics(Encoding::Json)),
        (8, Protocol::OtlpMetrics(Encoding::Protobuf)),
        (9, Protocol::OtlpLogs(Encoding::Json)),
        (10, Protocol::OtlpLogs(Encoding::Protobuf)),
        (11, Protocol::OtlpTraces(Encoding::Json)),
        (12, Protocol::OtlpTraces(Encoding::Protobuf)),
        (13, Protocol::Zabbix),
        (14, Protocol::CloudEvents),
        (15, Protocol::CloudEventsBatch),
        (16, Protocol::KubernetesEvents),
        (17, Protocol::Scores),
        (18, Protocol::Pull),
    ];

    /// Its number in a journal.
    pub fn code(self) -> u8 {
        Self::CODES.iter().find(|(_, protocol)| *protocol == self).map_or(0, |(code, _)| *code)
    }

    pub fn of_code(code: u8) -> Option<Protocol> {
        Self::CODES.iter().find(|(known, _)| *known == code).map(|(_, protocol)| *protocol)
    }

    /// Whether its requests carry alerts, which are few and urgent.
    pub fn is_alerts(self) -> bool {
        matches!(self, Protocol::Alerts | Protocol::Webhook | Protocol::Zabbix)
    }

    /// Whether a body is one value of JSON, so that one that is cut off is known at once.
    fn is_one_value(self) -> bool {
        match self {
            Protocol::Alerts | Protocol::Webhook | Protocol::LokiJson | Protocol::Zabbix => true,
            Protocol::CloudEvents | Protocol::CloudEventsBatch => true,
            Protocol::OtlpMetrics(encoding) | Protocol::OtlpLogs(encoding) | Protocol::OtlpTraces(encoding) => encoding == Encoding::Json,
            // One object a line, of which a broken one costs only itself.
            Protocol::KubernetesEvents | Protocol::Scores => false,
            Protocol::RemoteWrite1 | Protocol::RemoteWrite2 | Protocol::Pull | Protocol::LokiProtobuf => false,
        }
    }
}

/// How many of each a request has brought in: what remote-write 2 asks for in the headers of the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Repeated ones count: they are written already.
    pub samples: usize,
    pub histograms: usize,
    pub exemplars: usize,
}

/// What is valid and has no use here. It is no fault of the sender, and no reason to answer with an error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ignored {
    /// Native histograms of Prometheus.
    pub histograms: usize,
    pub exemplars: usize,
    /// Samples with an infinite value.
    pub infinite: usize,
}

/// What came of a request.
#[derive(Debug)]
pub struct Taken {
    /// Not sorted and without indexes. The origins have the name of the protocol and the position in the request.
    pub facts: Facts,
    /// For each alert of the facts, when it counts as resolved unless it is sent again; [`Time::MAX`] if only a resolution ends it.
    pub deadlines: Vec<Time>,
    /// Positions of series that are counters: their points are still the counts, to be read with the ones before.
    pub counters: Vec<(usize, Counter)>,
    /// The spans of a trace are made into series only once their minute is over: append them to those that wait.
    pub spans: Spans,
    /// Entries that are used or were there already.
    pub accepted: usize,
    /// Entries that cannot be used; `rejected` lists the first of them.
    pub refused: usize,
    pub rejected: Vec<Rejected>,
    pub counts: Counts,
    pub written: Written,
    pub ignored: Ignored,
    /// What the sender says about the request (`truncatedAlerts`), and the readers.
    pub remarks: Vec<Diagnostic>,
}

/// Reads the body of one request, which is not compressed any more.
///
/// # Errors
/// Nothing of it can be used: it is not of this protocol, or cut off.
pub fn read(protocol: Protocol, body: &[u8], received: Time, resolver: &Resolver<'_>) -> Result<Taken, Refusal> {
    let is_text = protocol.is_one_value() || matches!(protocol, Protocol::KubernetesEvents | Protocol::Scores);
    if is_text && body.trim_ascii().is_empty() {
        return Err(Refusal::malformed(text!("the body of the request is empty; send signals in it, as JSON")));
    }
    if protocol.is_one_value() {
        serde_json::from_slice::<IgnoredAny>(body).map_err(|error| Refusal::malformed(text!("the body is not JSON: {}", error)))?;
    }
    let mut intake = Intake::new(protocol.name(), received, resolver);
    let (mut ignored, mut spans) = (Ignored::default(), Spans::default());
    match protocol {
        Protocol::Alerts => intake.alerts(body, Some(RESOLVE_TIMEOUT))?,
        Protocol::Webhook => intake.alerts(body, None)?,
        Protocol::RemoteWrite1 | Protocol::Pull => remote_write::read_1(body, &mut intake, &mut ignored)?,
        Protocol::RemoteWrite2 => remote_write::read_2(body, &mut intake, &mut ignored)?,
        Protocol::LokiJson => intake.loki(body)?,
        Protocol::LokiProtobuf => loki::read(body, &mut intake)?,
        Protocol::OtlpMetrics(encoding) => otlp::metrics(encoding, body, &mut intake, &mut ignored)?,
        Protocol::OtlpLogs(encoding) => otlp::logs(encoding, body, received, &mut intake)?,
        Protocol::OtlpTraces(encoding) => spans = otlp::traces(encoding, body, &mut intake)?,
        Protocol::Zabbix => zabbix::read(body, received, &mut intake)?,
        Protocol::CloudEvents | Protocol::CloudEventsBatch | Protocol::KubernetesEvents => intake.events(body)?,
        Protocol::Scores => intake.scores(body)?,
    }
    let Delivered { facts, deadlines, counters, counts, rejected, remarks } = intake.finish();
    let accepted = accepted(&counts);
    let written = Written { samples: counts.samples.kept + counts.samples.duplicates + counts.scores.kept, histograms: 0, exemplars: 0 };
    Ok(Taken { facts, deadlines, counters, spans, accepted, refused: counts.rejected(), rejected, counts, written, ignored, remarks })
}

/// The entries that a sender counts: samples and not series.
fn accepted(counts: &Counts) -> usize {
    let kinds = [&counts.alerts, &counts.samples, &counts.spans, &counts.logs, &counts.changes, &counts.probes, &counts.reports];
    let all = kinds.into_iter().chain([&counts.scores, &counts.other_events]);
    all.map(|kind| kind.kept + kind.duplicates + kind.merged).sum()
}
