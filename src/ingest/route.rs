//! Which protocol a request speaks: by its path, its content type and how it is compressed.

use diag::{Code, text};

use super::body::ContentEncoding;
use super::refusal::{Refusal, Why};
use super::{Encoding, Protocol};

/// Paths that take signals, and what comes there.
pub const PATHS: &[(&str, Path)] = &[
    ("/api/v2/alerts", Path::Alerts),
    ("/api/v1/ingest/alertmanager", Path::Webhook),
    ("/api/v1/write", Path::RemoteWrite),
    ("/loki/api/v1/push", Path::Loki),
    ("/v1/metrics", Path::OtlpMetrics),
    ("/v1/logs", Path::OtlpLogs),
    ("/v1/traces", Path::OtlpTraces),
    ("/api/v1/ingest/zabbix", Path::Zabbix),
    ("/api/v1/ingest/cloudevents", Path::CloudEvents),
    ("/api/v1/ingest/kubernetes", Path::Kubernetes),
    ("/api/v1/scores", Path::Scores),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    Alerts,
    Webhook,
    RemoteWrite,
    Loki,
    OtlpMetrics,
    OtlpLogs,
    OtlpTraces,
    Zabbix,
    CloudEvents,
    Kubernetes,
    Scores,
}

/// How to read a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    pub protocol: Protocol,
    pub encoding: ContentEncoding,
    /// The most that a body may have when it is not compressed any more, in bytes.
    pub limit: usize,
}

/// A request has thousands of entries: 16 MiB is ten times as much as senders put in by default.
const MAX_BODY: usize = 16 << 20;

/// Alerts are few: one has some 2 KB, and Prometheus sends 256 at most in one request.
const MAX_ALERTS: usize = 8 << 20;

/// Some thirty thousand scores.
const MAX_SCORES: usize = 4 << 20;

const JSON: &[&str] = &["application/json", "text/json"];
const LINES: &[&str] = &["application/x-ndjson", "application/ndjson", "application/jsonl"];
const PROTOBUF: &[&str] = &["application/x-protobuf", "application/protobuf"];

/// The route of a request to one of [`PATHS`]; `None` for any other path. The headers are as they came, if at all.
///
/// # Errors
/// Another content type or compression than those that the path takes.
pub fn route(path: &str, content_type: Option<&str>, content_encoding: Option<&str>) -> Option<Result<Route, Refusal>> {
    let (_, path) = PATHS.iter().find(|(known, _)| *known == path)?;
    Some(path.route(&ContentType::of(content_type.unwrap_or_default()), content_encoding.unwrap_or_default()))
}

/// `application/x-protobuf;proto=io.prometheus.write.v2.Request`
struct ContentType {
    name: String,
    /// The parameter `proto`.
    message: Option<String>,
}

impl ContentType {
    fn of(written: &str) -> Self {
        let mut parts = written.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let value = |part: &str| {
            let (key, value) = part.split_once('=')?;
            key.trim().eq_ignore_ascii_case("proto").then(|| value.trim().trim_matches('"').to_owned())
        };
        Self { name, message: parts.find_map(value) }
    }

    fn is(&self, names: &[&str]) -> bool {
        names.contains(&self.name.as_str())
    }

    /// Tools for the command line say nothing, or what browsers do.
    fn is_unsaid(&self) -> bool {
        self.is(&["", "application/x-www-form-urlencoded", "text/plain"])
    }
}

impl Path {
    fn route(self, sent: &ContentType, encoding: &str) -> Result<Route, Refusal> {
        let protocol = self.protocol(sent).ok_or_else(|| {
            let message = sent.message.as_ref().map_or_else(String::new, |message| format!(";proto={message}"));
            let what = text!("the content type `{}{}` is not taken here", sent.name, message);
            Refusal { help: Some(text!("use {}", self.types())), ..unsupported(what) }
        })?;
        let limit = match self {
            Path::Alerts | Path::Webhook | Path::Zabbix => MAX_ALERTS,
            Path::RemoteWrite | Path::Loki | Path::OtlpMetrics | Path::OtlpLogs | Path::OtlpTraces => MAX_BODY,
            Path::CloudEvents | Path::Kubernetes => MAX_BODY,
            Path::Scores => MAX_SCORES,
        };
        Ok(Route { protocol, encoding: compression(protocol, encoding)?, limit })
    }

    fn protocol(self, sent: &ContentType) -> Option<Protocol> {
        let json = || sent.is(JSON) || sent.is_unsaid();
        // These are asked in the type that they are sent in, so nothing is assumed.
        let otlp = || {
            let is_protobuf = sent.is(PROTOBUF).then_some(Encoding::Protobuf);
            is_protobuf.or_else(|| sent.is(JSON).then_some(Encoding::Json))
        };
        match self {
            Path::Alerts => json().then_some(Protocol::Alerts),
            Path::Webhook => json().then_some(Protocol::Webhook),
            Path::Zabbix => json().then_some(Protocol::Zabbix),
            Path::RemoteWrite if !sent.is(PROTOBUF) => None,
            Path::RemoteWrite => match sent.message.as_deref() {
                None | Some("prometheus.WriteRequest") => Some(Protocol::RemoteWrite1),
                Some("io.prometheus.write.v2.Request") => Some(Protocol::RemoteWrite2),
                Some(_) => None,
            },
            Path::Loki if sent.is(JSON) => Some(Protocol::LokiJson),
            Path::Loki => sent.is(PROTOBUF).then_some(Protocol::LokiProtobuf),
            Path::OtlpMetrics => otlp().map(Protocol::OtlpMetrics),
            Path::OtlpLogs => otlp().map(Protocol::OtlpLogs),
            Path::OtlpTraces => otlp().map(Protocol::OtlpTraces),
            Path::CloudEvents if sent.is(&["application/cloudevents-batch+json"]) => Some(Protocol::CloudEventsBatch),
            Path::CloudEvents => (sent.is(&["application/cloudevents+json"]) || json()).then_some(Protocol::CloudEvents),
            Path::Kubernetes => (json() || sent.is(LINES)).then_some(Protocol::KubernetesEvents),
            Path::Scores => (json() || sent.is(LINES)).then_some(Protocol::Scores),
        }
    }

    /// The content types that it takes.
    fn types(self) -> &'static str {
        match self {
            Path::Alerts | Path::Webhook | Path::Zabbix => "`application/json`",
            Path::RemoteWrite => "`application/x-protobuf`, `application/x-protobuf;proto=io.prometheus.write.v2.Request`",
            Path::Loki | Path::OtlpMetrics | Path::OtlpLogs | Path::OtlpTraces => "`application/x-protobuf`, `application/json`",
            Path::CloudEvents => "`application/cloudevents+json`, `application/cloudevents-batch+json`",
            Path::Kubernetes | Path::Scores => "`application/json`, `application/x-ndjson`",
        }
    }
}

fn unsupported(message: diag::Text) -> Refusal {
    Refusal::new(Why::Unsupported, Code::BODY_TYPE, message)
}

/// How a body is compressed. Prometheus and Loki write protobuf as a block of snappy in any case, and may leave the header out.
fn compression(protocol: Protocol, sent: &str) -> Result<ContentEncoding, Refusal> {
    let sent = sent.trim().to_ascii_lowercase();
    let snappy = match protocol {
        Protocol::RemoteWrite1 | Protocol::RemoteWrite2 | Protocol::Pull | Protocol::LokiProtobuf => true,
        Protocol::Alerts | Protocol::Webhook | Protocol::LokiJson | Protocol::Zabbix => false,
        Protocol::OtlpMetrics(_) | Protocol::OtlpLogs(_) | Protocol::OtlpTraces(_) => false,
        Protocol::CloudEvents | Protocol::CloudEventsBatch | Protocol::KubernetesEvents | Protocol::Scores => false,
    };
    match (snappy, sent.as_str()) {
        (true, "" | "snappy") => Ok(ContentEncoding::Snappy),
        (false, "" | "identity") => Ok(ContentEncoding::Identity),
        (false, "gzip") => Ok(ContentEncoding::Gzip),
        (_, other) => {
            let help = if snappy { text!("use {}", "`snappy`") } else { text!("use {}", "`gzip`") };
            Err(Refusal { help: Some(help), ..unsupported(text!("the compression `{}` is not taken here", other)) })
        }
    }
}
