//! Alerts as Alertmanager writes them: webhook payloads (version 4) and the body of `POST /api/v2/alerts`; and those of Prometheus'
//! `/api/v1/alerts`. They become deliveries.
//! Several deliveries of one alert are merged in [`super::deliveries`].

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use diag::{Code, Diagnostic, Text, text};
use value::{DAY, Duration, Time};

use super::answers::{self, Answer, Aside, Place};
use super::deliveries::{Delivery, Ending};
use super::facts::{Muted, Origin, Unread};
use super::json;
use super::reader_context::{Complaints, Rejected, warning};

/// The deliveries of a file, before the rest of the bundle is known.
pub(super) struct Batch {
    pub file: String,
    pub received: usize,
    pub deliveries: Vec<Delivery>,
    pub unread: Vec<Unread>,
    /// The same for the sender.
    pub listed: Vec<Rejected>,
    pub complaints: Complaints,
    pub diagnostics: Vec<Diagnostic>,
    /// Number of rejected entries by reason.
    pub rejected: BTreeMap<&'static str, usize>,
}

/// Go's zero time, `0001-01-01T00:00:00Z`, in any offset: "not yet".
fn is_zero(time: Time) -> bool {
    const ZERO: Time = Time(-62_135_596_800_000);
    time <= ZERO.plus(DAY)
}

pub(super) fn read(file: &str, bytes: &[u8]) -> Result<Batch, Box<Diagnostic>> {
    let mut batch = Batch {
        file: file.to_owned(),
        received: 0,
        deliveries: Vec::new(),
        unread: Vec::new(),
        listed: Vec::new(),
        complaints: Complaints::default(),
        diagnostics: Vec::new(),
        rejected: BTreeMap::new(),
    };
    let (mut documents, mut asides) = (Vec::new(), Vec::new());
    for Answer { place, read } in answers::answers::<Value>(file, bytes)? {
        match read {
            Ok(document) => match refused(file, place, &document) {
                Some(aside) => asides.push(aside),
                None => documents.push((place, document)),
            },
            Err(broken) => asides.push(broken.aside(file, place)),
        }
    }
    if !documents.is_empty() && !documents.iter().any(|(_, document)| has_alerts(frame(document))) {
        let what = text!("`{}` contains no alerts: no Alertmanager webhook payload with `alerts`, and no alerts with `labels`", file);
        let help = text!("expected an Alertmanager webhook payload, or the body of `POST /api/v2/alerts`");
        return Err(Box::new(Diagnostic::nowhere(Code::SIGNAL_FORMAT, what).help(help)));
    }
    answers::set_aside(asides, documents.len(), &mut batch.complaints)?;
    for (place, document) in &documents {
        batch.open(document, *place);
    }
    Ok(batch)
}

/// What carries the alerts of a document: itself, or its `data` in the answers of an API of version 1.
fn frame(document: &Value) -> &Value {
    document.get("data").filter(|data| !has_alerts(document) && has_alerts(data)).unwrap_or(document)
}

fn has_alerts(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.is_empty() || list.iter().any(|alert| alert.get("labels").is_some()),
        other => other.get("alerts").is_some() || other.get("labels").is_some(),
    }
}

/// What a sender says instead of alerts, or of other signals, if that is an error.
pub(super) fn failure(document: &Value) -> Option<String> {
    let said = |key: &str| document.get(key).and_then(json::scalar);
    // A `message` alone may be that of an alert.
    let message = said("error").or_else(|| said("message").filter(|_| said("code").is_some()));
    let failed = said("status").is_some_and(|status| status.eq_ignore_ascii_case("error"));
    if has_alerts(frame(document)) || !(failed || message.is_some()) {
        return None;
    }
    let kind = said("errorType").map_or_else(String::new, |kind| format!("{kind}: "));
    Some(format!("{kind}{}", message.unwrap_or_default()))
}

/// An error of the sender instead of alerts.
fn refused(file: &str, place: Place, document: &Value) -> Option<Aside> {
    let found = failure(document)?;
    let what = text!("`{}` contains an error instead of alerts: {}", file, found);
    let alone = Box::new(Diagnostic::nowhere(Code::SIGNAL_FORMAT, what).help("fix the query and record it again"));
    Some(Aside { place, reason: text!("an error instead of alerts"), found, alone })
}

/// The value of a time field.
enum Moment {
    Absent,
    At(Time),
    Wrong(String),
}

fn moment(alert: &Map<String, Value>, key: &str) -> Moment {
    match alert.get(key) {
        None | Some(Value::Null) => Moment::Absent,
        Some(Value::String(text)) if text.trim().is_empty() => Moment::Absent,
        Some(Value::String(text)) => match Time::parse(text) {
            Some(time) if is_zero(time) => Moment::Absent,
            Some(time) => Moment::At(time),
            None => Moment::Wrong(text.clone()),
        },
        Some(other) => Moment::Wrong(other.to_string()),
    }
}

impl Batch {
    /// What a live request leaves unsaid, as Alertmanager understands it: an alert without a start begins now, or when it ended; a
    /// resolution without an end was now. Where alerts `expire`, one without an end is resolved after that time unless it is sent again.
    pub fn complete(&mut self, received: Time, expire: Option<Duration>) {
        for mut delivery in std::mem::take(&mut self.deliveries) {
            delivery.labels.retain(|_, value| !value.is_empty());
            if delivery.labels.is_empty() && delivery.fingerprint.is_none() {
                self.reject_at(delivery.index, "no label with a value, so nothing tells it from other alerts", Code::SIGNAL_ENTRY, "");
                continue;
            }
            let start = *delivery.start.get_or_insert(received);
            delivery.ending = match (delivery.ending, expire) {
                (Ending::Resolved(None), _) => Ending::Resolved(Some(received.max(start))),
                (Ending::Firing, Some(expire)) => Ending::Deadline(received.plus(expire)),
                (ending, _) => ending,
            };
            self.deliveries.push(delivery);
        }
    }

    /// All known times: starts, and ends of resolved alerts.
    pub fn times(&self) -> impl Iterator<Item = Time> + '_ {
        self.deliveries.iter().flat_map(|delivery| {
            let end = match delivery.ending {
                Ending::Resolved(end) => end,
                Ending::Firing | Ending::Deadline(_) => None,
            };
            [delivery.start, end].into_iter().flatten()
        })
    }

    pub fn refuse(&mut self, reason: &'static str, code: Code, found: &str) {
        let index = self.received;
        self.received += 1;
        self.reject_at(index, reason, code, found);
    }

    /// Rejects an entry that is already counted as received.
    pub fn reject_at(&mut self, index: usize, reason: &'static str, code: Code, found: &str) {
        let found = if found.is_empty() { String::new() } else { format!(", `{found}`") };
        self.complaints.add(code, text!("alerts rejected, {}", Text::from(reason)), 1, || text!("alert {}{}", index, found));
        self.listed.push(Rejected { position: index, code, reason: text!("{}{}", Text::from(reason), found) });
        self.unread.push(Unread { origin: Origin { file: self.file.clone(), index }, reason: format!("alert: {reason}{found}") });
        *self.rejected.entry(reason).or_insert(0) += 1;
    }

    fn truncated(&mut self, payload: &Value) {
        let count = payload.get("truncatedAlerts").and_then(json::scalar).and_then(|count| count.parse::<u64>().ok());
        if let Some(count) = count.filter(|count| *count > 0) {
            let what = text!("`{}`: Alertmanager left {} alerts out of a payload (`truncatedAlerts`)", self.file, count);
            self.diagnostics.push(warning(Code::SIGNAL_ENTRY, what).help("raise `max_alerts` of the webhook receiver"));
        }
    }

    /// Takes the alerts of a document, and what it says about itself.
    fn open(&mut self, document: &Value, place: Place) {
        let said: Vec<&Value> = ["warnings", "infos", "errors"].iter().filter_map(|key| document.get(*key)).collect();
        let partial: Vec<&Value> = ["partial", "isPartial"].iter().filter_map(|key| document.get(*key)).collect();
        answers::remark(&said, &partial, place, &mut self.complaints);
        let payload = frame(document);
        self.truncated(payload);
        let alerts = if payload.is_array() { Some(payload) } else { payload.get("alerts") };
        match alerts {
            Some(Value::Array(alerts)) => {
                let status = payload.get("status").and_then(Value::as_str);
                alerts.iter().for_each(|alert| self.take(alert, status));
            }
            // An empty list of Go.
            Some(Value::Null) => {}
            Some(_) => self.refuse("`alerts` is not a list", Code::SIGNAL_ENTRY, ""),
            None => self.take(payload, None),
        }
    }

    /// One alert; `status` is that of the payload, for tools that do not set it per alert.
    fn take(&mut self, alert: &Value, status: Option<&str>) {
        let Some(fields) = alert.as_object() else { return self.refuse("not an object", Code::SIGNAL_ENTRY, "") };
        let Some(Value::Object(_)) = fields.get("labels") else { return self.refuse("no `labels`", Code::SIGNAL_ENTRY, "") };
        let start = match (moment(fields, "startsAt"), moment(fields, "activeAt")) {
            (Moment::At(time), _) | (Moment::Absent, Moment::At(time)) => Some(time),
            (Moment::Absent, Moment::Absent) => None,
            (Moment::Wrong(text), _) => return self.refuse("invalid `startsAt`", Code::SIGNAL_TIME, &text),
            (Moment::Absent, Moment::Wrong(text)) => return self.refuse("invalid `activeAt`", Code::SIGNAL_TIME, &text),
        };
        let end = match moment(fields, "endsAt") {
            Moment::Absent => None,
            Moment::At(time) => Some(time),
            Moment::Wrong(text) => return self.refuse("invalid `endsAt`", Code::SIGNAL_TIME, &text),
        };
        let by_time = end.map_or(Ending::Firing, Ending::Deadline);
        let ending = match word(fields, status) {
            Word::Resolved => Ending::Resolved(end),
            Word::Firing => Ending::Firing,
            Word::Silent => by_time,
            Word::Pending => return self.refuse("pending, so not an alert yet", Code::SIGNAL_ENTRY, ""),
            Word::Unknown(found) => {
                let index = self.received;
                let reason = text!("alerts with an unknown status, their times decide");
                self.complaints.add(Code::SIGNAL_ENTRY, reason, 1, || text!("alert {}{}", index, format!(", `{found}`")));
                by_time
            }
        };
        let finite = match ending {
            Ending::Firing => None,
            Ending::Resolved(end) => end,
            Ending::Deadline(end) => Some(end),
        };
        if let (Some(start), Some(end)) = (start, finite)
            && end < start
        {
            return self.refuse("`endsAt` is before `startsAt`", Code::SIGNAL_TIME, &end.to_string());
        }
        let index = self.received;
        self.received += 1;
        self.deliveries.push(Delivery {
            index,
            fingerprint: fields.get("fingerprint").and_then(json::scalar).filter(|text| !text.is_empty()),
            labels: json::scalars(fields.get("labels")),
            annotations: json::scalars(fields.get("annotations")),
            start,
            ending,
            muted: muted(fields),
            query: fields.get("generatorURL").and_then(Value::as_str).and_then(query),
        });
    }
}

/// What a sender says about the state of an alert.
enum Word {
    Firing,
    Resolved,
    Pending,
    /// Nothing, or nothing that tells whether it fires.
    Silent,
    Unknown(String),
}

/// The words of Alertmanager, Prometheus and Grafana in any case: `firing`, `RESOLVED`, `Normal (NoData)`. In the response of
/// `GET /api/v2/alerts`, `status` is an object that tells who muted an alert.
fn word(fields: &Map<String, Value>, payload: Option<&str>) -> Word {
    let own = ["status", "state"].iter().filter_map(|key| fields.get(*key).and_then(json::scalar)).find(|word| !word.trim().is_empty());
    let Some(word) = own.or_else(|| payload.map(str::to_owned)) else { return Word::Silent };
    match word.trim().to_lowercase().split([' ', '(']).next().unwrap_or_default() {
        "firing" | "alerting" | "recovering" => Word::Firing,
        "resolved" | "ok" | "normal" | "inactive" => Word::Resolved,
        "pending" => Word::Pending,
        "" | "active" | "suppressed" | "unprocessed" => Word::Silent,
        _ => Word::Unknown(word),
    }
}

/// The query to which an alert of Prometheus or vmalert links: `http://prometheus:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1`.
pub(super) fn query(url: &str) -> Option<String> {
    let (_, parameters) = url.split_once('?')?;
    let found = form_urlencoded::parse(parameters.as_bytes()).find(|(name, _)| name == "g0.expr" || name == "expr");
    found.map(|(_, query)| query.into_owned())
}

/// Who muted an alert: `GET /api/v2/alerts` has a status with the silences and the inhibiting alerts. One that these name is muted, whatever
/// its state is called.
fn muted(fields: &Map<String, Value>) -> Option<Muted> {
    let status = fields.get("status")?.as_object()?;
    let ids = |key: &str| {
        let ids = status.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        ids.map(str::to_owned).collect()
    };
    let muted = Muted { silenced_by: ids("silencedBy"), inhibited_by: ids("inhibitedBy"), muted_by: ids("mutedBy") };
    let is_named = ![&muted.silenced_by, &muted.inhibited_by, &muted.muted_by].into_iter().all(Vec::is_empty);
    let state = status.get("state").and_then(Value::as_str).unwrap_or_default();
    (is_named || state.trim().eq_ignore_ascii_case("suppressed")).then_some(muted)
}
