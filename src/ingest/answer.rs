//! What a sender is answered. Wrong codes lose data: Alertmanager sends again on 5xx only, Prometheus drops a batch of alerts on anything
//! but 2xx, and most senders repeat a request for ever that gets 5xx although it is wrong for good.

use std::collections::BTreeMap;

use prost::Message;
use serde_json::{Value, json};

use diag::text;

use super::refusal::{Refusal, Why};
use super::wire::otlp::{ExportAnswer, PartialSuccess, Status};
use super::{Encoding, Protocol, Taken, Written};

/// What became of a request.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'o> {
    /// It is on disk.
    Taken(&'o Taken),
    Refused(&'o Refusal),
    /// Nothing of it was used, and it may be sent again after so many seconds.
    Overloaded(u32),
}

/// What to send back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Names in lowercase.
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// How a sender wants to be answered.
#[derive(Clone, Copy)]
enum Manner {
    Alerts,
    Webhook,
    RemoteWrite1,
    RemoteWrite2,
    Loki,
    Otlp(Encoding, &'static str),
    Own,
}

impl Manner {
    fn of(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Alerts => Manner::Alerts,
            Protocol::Webhook => Manner::Webhook,
            Protocol::RemoteWrite1 => Manner::RemoteWrite1,
            Protocol::RemoteWrite2 => Manner::RemoteWrite2,
            Protocol::LokiJson | Protocol::LokiProtobuf => Manner::Loki,
            Protocol::OtlpMetrics(encoding) => Manner::Otlp(encoding, "rejectedDataPoints"),
            Protocol::OtlpLogs(encoding) => Manner::Otlp(encoding, "rejectedLogRecords"),
            Protocol::OtlpTraces(encoding) => Manner::Otlp(encoding, "rejectedSpans"),
            Protocol::Zabbix | Protocol::CloudEvents | Protocol::CloudEventsBatch => Manner::Own,
            Protocol::KubernetesEvents | Protocol::Scores | Protocol::Pull => Manner::Own,
        }
    }
}

/// The answer that the sender understands. A request that is wrong for good never gets a code that has it sent again.
pub fn answer(protocol: Protocol, outcome: Outcome<'_>) -> Answer {
    let manner = Manner::of(protocol);
    match outcome {
        Outcome::Taken(taken) => of_taken(manner, taken),
        Outcome::Refused(refusal) => of_refused(manner, refusal),
        Outcome::Overloaded(seconds) => of_overloaded(manner, seconds),
    }
}

fn of_taken(manner: Manner, taken: &Taken) -> Answer {
    let partial = taken.refused > 0;
    match manner {
        Manner::Alerts if partial => json_answer(400, &Value::String(reasons(taken))),
        Manner::Alerts => empty(200),
        Manner::Webhook => json_answer(200, &listed(taken)),
        Manner::RemoteWrite1 if partial => plain(400, reasons(taken)),
        Manner::RemoteWrite1 => empty(204),
        Manner::RemoteWrite2 => counted(if partial { plain(400, reasons(taken)) } else { empty(204) }, taken.written),
        Manner::Loki if partial => plain(400, reasons(taken)),
        Manner::Loki => empty(204),
        Manner::Otlp(encoding, count) => {
            let rejected = i64::try_from(taken.refused).unwrap_or(i64::MAX);
            let partial = partial.then(|| PartialSuccess { rejected, message: reasons(taken) });
            exported(encoding, count, partial)
        }
        // As with any request of which nothing is of use.
        Manner::Own if partial && taken.accepted == 0 => json_answer(422, &listed(taken)),
        Manner::Own => json_answer(202, &listed(taken)),
    }
}

fn of_refused(manner: Manner, refusal: &Refusal) -> Answer {
    let status = match refusal.why {
        Why::Malformed => 400,
        Why::TooLarge => 413,
        Why::Unsupported => 415,
    };
    let message = match &refusal.help {
        Some(help) => text!("{}; {}", refusal.message, help),
        None => refusal.message.clone(),
    };
    failed(manner, status, &message.to_string(), refusal.code.0)
}

fn of_overloaded(manner: Manner, seconds: u32) -> Answer {
    let status = match manner {
        Manner::Loki => 429,
        Manner::Alerts | Manner::Webhook | Manner::RemoteWrite1 | Manner::RemoteWrite2 | Manner::Otlp(..) | Manner::Own => 503,
    };
    let message = text!("overloaded: send it again in {} s", seconds).to_string();
    let mut answer = failed(manner, status, &message, "");
    answer.headers.push(("retry-after", seconds.to_string()));
    answer
}

/// An error in the words of a protocol; `code` may be empty.
fn failed(manner: Manner, status: u16, message: &str, code: &str) -> Answer {
    match manner {
        Manner::Alerts => json_answer(status, &json!(message)),
        Manner::Webhook | Manner::Own => {
            let mut error = json!({"message": message});
            if let Some(fields) = error.as_object_mut().filter(|_| !code.is_empty()) {
                fields.insert("code".to_owned(), json!(code));
            }
            json_answer(status, &json!({"error": error}))
        }
        Manner::RemoteWrite1 | Manner::Loki => plain(status, message.to_owned()),
        Manner::RemoteWrite2 => counted(plain(status, message.to_owned()), Written::default()),
        Manner::Otlp(encoding, _) => {
            // Of `google.rpc.Code`: INVALID_ARGUMENT, UNAVAILABLE.
            let code = if status == 503 { 14 } else { 3 };
            match encoding {
                Encoding::Json => json_answer(status, &json!({"code": code, "message": message})),
                Encoding::Protobuf => protobuf(status, &Status { code, message: message.to_owned() }),
            }
        }
    }
}

/// The answer to an export of OTLP, in the type of the request; `count` is the name of the number of rejected entries in JSON.
fn exported(encoding: Encoding, count: &str, partial: Option<PartialSuccess>) -> Answer {
    match encoding {
        Encoding::Protobuf => protobuf(200, &ExportAnswer { partial }),
        Encoding::Json => {
            let body = partial.map_or_else(
                || json!({}),
                |partial| {
                    // Numbers of 64 bits are texts.
                    let fields = BTreeMap::from([(count, partial.rejected.to_string()), ("errorMessage", partial.message)]);
                    json!({"partialSuccess": fields})
                },
            );
            json_answer(200, &body)
        }
    }
}

/// Why entries were rejected, as one line: the first ones, and how many there are.
fn reasons(taken: &Taken) -> String {
    const SHOWN: usize = 10;
    let shown = taken.rejected.iter().take(SHOWN).map(|one| format!("{}: {} ({})", one.position, one.reason, one.code));
    let shown: Vec<String> = shown.collect();
    let listed = shown.join("; ");
    let more = if taken.refused > shown.len() { format!("; {} in all", taken.refused) } else { String::new() };
    format!("{} accepted, {} rejected: {listed}{more}", taken.accepted, taken.refused)
}

fn listed(taken: &Taken) -> Value {
    let rejected = taken.rejected.iter().map(|one| json!({"index": one.position, "code": one.code.0, "reason": one.reason.to_string()}));
    let remarks = taken.remarks.iter().map(|remark| Value::String(remark.message.to_string()));
    json!({
        "accepted": taken.accepted,
        "unplaced": unplaced(taken),
        "refused": taken.refused,
        "rejected": rejected.collect::<Vec<Value>>(),
        "remarks": remarks.collect::<Vec<Value>>(),
    })
}

/// Entries that no component is found for.
fn unplaced(taken: &Taken) -> usize {
    taken.counts.kinds().iter().map(|(_, counts)| counts.unplaced).sum()
}

fn empty(status: u16) -> Answer {
    Answer { status, headers: Vec::new(), body: Vec::new() }
}

fn typed(status: u16, content_type: &str, body: Vec<u8>) -> Answer {
    Answer { status, headers: vec![("content-type", content_type.to_owned())], body }
}

fn plain(status: u16, message: String) -> Answer {
    typed(status, "text/plain; charset=utf-8", message.into_bytes())
}

fn json_answer(status: u16, body: &Value) -> Answer {
    typed(status, "application/json", body.to_string().into_bytes())
}

fn protobuf(status: u16, message: &impl Message) -> Answer {
    typed(status, "application/x-protobuf", message.encode_to_vec())
}

/// With what remote-write 2 asks for.
fn counted(mut answer: Answer, written: Written) -> Answer {
    for (name, count) in [
        ("x-prometheus-remote-write-samples-written", written.samples),
        ("x-prometheus-remote-write-histograms-written", written.histograms),
        ("x-prometheus-remote-write-exemplars-written", written.exemplars),
    ] {
        answer.headers.push((name, count.to_string()));
    }
    answer
}
