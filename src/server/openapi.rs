//! The description of the API: one table of all operations, from which `GET /api/v1` and the OpenAPI document are made. The types of
//! answers describe themselves. `tests/serve_live.rs` holds the table against the router.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use ::ingest::Path;
use change::Assessment;
use live::Tracked;
use localize::Diagnosis;
use project::{ImpactReport, WhyReport};

use super::SCORES;
use super::models::ModelsState;
use super::queries::SeenRelation;
use super::reload::ReloadState;
use super::reply::Json;
use super::rules::{CaseItem, RuleItem};
use super::settings::SettingsState;
use super::signals::{Coverage, SignalItem};

/// The schema of a type; types with a name are added to the components of the document.
type SchemaOf = fn(&mut SchemaGenerator) -> Value;

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

/// What an operation answers when all is well.
#[derive(Clone, Copy)]
enum Answer {
    /// An object with these fields, of which the first ones have a type; there may be more.
    Object(&'static [(&'static str, SchemaOf)]),
    /// A type.
    Type(SchemaOf),
    /// JSON as its page in the documentation says.
    Json,
    /// Another content type.
    Text(&'static str),
}

struct Operation {
    method: &'static str,
    path: &'static str,
    /// The part of the API that it belongs to.
    tag: &'static str,
    summary: &'static str,
    /// Keys of the query string with their meaning; see [`COMMON`] for those that many operations have.
    query: &'static [&'static str],
    /// Content types of the body; empty without one.
    body: &'static [&'static str],
    answer: Answer,
}

/// What a key of a query string means.
const KEYS: &[(&str, &str)] = &[
    ("accept_missing", "`true`: go on without the files of a folder that are all gone"),
    ("active", "`false` leaves out alerts that nobody muted"),
    ("as_of", "a revision of the estate on disk, or a time, instead of the topology"),
    ("at", "an instant whose signals are still kept, RFC 3339; now if absent"),
    ("component", "id or unique name; where several are allowed, repeat the key"),
    ("depth", "the most hops to follow"),
    ("fate", "`unexplained`, `unplaced` or `suppressed`; all if absent"),
    ("filter", "a matcher like `severity=\"critical\"`; repeat the key for several"),
    ("format", "`json`, `text` or `markdown`; without it what `accept` asks for"),
    ("full", "`true`: all of it instead of the first screen, in `text` and `markdown`"),
    ("inhibited", "`false` leaves out inhibited alerts"),
    ("lang", "`en` or `zh`"),
    ("limit", "the most entries to list"),
    ("model", "the name of a model; may be left out if there is only one"),
    ("owner", "only those of this owner"),
    ("paths", "how many propagation paths to list for each component"),
    ("q", "text in an id, a name or an alias"),
    ("receiver", "a regular expression that a receiver has to match"),
    ("rule", "the id of a rule"),
    ("silenced", "`false` leaves out silenced alerts"),
    ("since", "only scores since this time"),
    ("state", "a state: of incidents `open`, `acknowledged` or `resolved`; of components `at_risk`, `degraded` or `down`, or worse"),
    ("status", "`active`, `draft` or `retired`"),
    ("tag", "only those with this tag"),
    ("tier", "`core`, `important`, `general` or `minor`"),
    ("time", "the instant of the row, for a model with a rhythm"),
    ("type", "only components of this type and its subtypes"),
    ("tz", "a time zone like `Asia/Shanghai` or `+08:00`"),
    ("unprocessed", "without effect: every alert is processed as it comes"),
];

const JSON: &[&str] = &["application/json"];
const EVENTS: &str = "text/event-stream";
const METRICS: &str = "text/plain";

const ALERT_KEYS: &[&str] = &["active", "silenced", "inhibited", "unprocessed", "filter", "receiver"];

const fn get(path: &'static str, tag: &'static str, query: &'static [&'static str], answer: Answer, summary: &'static str) -> Operation {
    Operation { method: "get", path, tag, summary, query, body: &[], answer }
}

const fn post(path: &'static str, tag: &'static str, body: &'static [&'static str], answer: Answer, summary: &'static str) -> Operation {
    Operation { method: "post", path, tag, summary, query: &[], body, answer }
}

/// Every operation but those of senders, which are in package `ingest`.
const OPERATIONS: &[Operation] = &[
    get("/api/v1", "server", &[], Answer::Json, "list the operations"),
    get("/api/v1/openapi.json", "server", &[], Answer::Json, "this description"),
    get(
        "/api/v1/diagnosis",
        "answers",
        &["at", "format", "full", "lang", "tz"],
        Answer::Object(&[("diagnosis", of::<Diagnosis>), ("revision", of::<String>)]),
        "what is broken now, or was at a past instant",
    ),
    get(
        "/api/v1/why",
        "answers",
        &["rule", "component", "at", "lang", "tz"],
        Answer::Object(&[("why", of::<WhyReport>), ("at", of::<value::Time>), ("revision", of::<String>), ("warnings", of::<Vec<String>>)]),
        "whether a rule matches, and why not, condition by condition",
    ),
    get(
        "/api/v1/impact",
        "answers",
        &["component", "depth", "paths", "type", "tier", "owner", "state", "as_of", "lang", "tz"],
        Answer::Object(&[("impact", of::<ImpactReport>), ("seen", of::<Vec<SeenRelation>>), ("warnings", of::<Vec<String>>)]),
        "what a fault of components affects",
    ),
    Operation {
        query: &["lang"],
        ..post(
            "/api/v1/change",
            "answers",
            &["application/json", "application/yaml", "application/x-yaml"],
            Answer::Object(&[("assessment", of::<Assessment>)]),
            "what a planned change would do",
        )
    },
    get(
        "/api/v1/signals",
        "answers",
        &["fate", "limit", "lang", "tz"],
        Answer::Object(&[("signals", of::<Vec<SignalItem>>), ("left_off", of::<usize>), ("at", of::<value::Time>)]),
        "signals that the answer does not use, each with the reason",
    ),
    get("/api/v1/coverage", "answers", &["limit"], Answer::Type(of::<Coverage>), "which layer decides, and which signals have stopped"),
    post("/api/v1/diagnose", "answers", JSON, Answer::Type(of::<Diagnosis>), "diagnose the signals in the body"),
    get(
        "/api/v1/incidents",
        "incidents",
        &["state", "owner", "tag", "limit", "format", "lang", "tz"],
        Answer::Object(&[("incidents", of::<Vec<Tracked>>), ("left_off", of::<usize>), ("last_event", of::<u64>)]),
        "the incidents, the latest first, without their reports",
    ),
    get(
        "/api/v1/incidents/{id}",
        "incidents",
        &["format", "lang", "tz"],
        Answer::Type(of::<Tracked>),
        "one incident with its report and history; as Markdown the draft of its post-mortem",
    ),
    post(
        "/api/v1/incidents/{id}/{action}",
        "incidents",
        JSON,
        Answer::Type(of::<Tracked>),
        "acknowledge, assign, note, resolve, reopen, merge, split or confirm an incident",
    ),
    get("/api/v1/notifications", "incidents", &[], Answer::Json, "the channels by which people are told, and how they fare"),
    get("/api/v1/events", "incidents", &[], Answer::Text(EVENTS), "server-sent events: what happens to incidents"),
    get(
        "/api/v1/estate",
        "project",
        &["q", "type", "owner", "tier", "as_of", "limit", "lang"],
        Answer::Json,
        "search the components of the estate",
    ),
    get("/api/v1/estate/{id}", "project", &["as_of", "lang"], Answer::Json, "one component with what it is related to"),
    get(
        "/api/v1/rules",
        "project",
        &["owner", "tag", "status"],
        Answer::Object(&[("rules", of::<Vec<RuleItem>>), ("left_out", of::<Vec<String>>), ("revision", of::<String>)]),
        "the rules, each with how often it fired",
    ),
    get("/api/v1/cases", "project", &[], Answer::Object(&[("cases", of::<Vec<CaseItem>>), ("revision", of::<String>)]), "the past cases"),
    get(SCORES, "models", &["component", "since"], Answer::Json, "list the stored scores"),
    post(
        SCORES,
        "models",
        &["application/json", "application/x-ndjson"],
        Answer::Json,
        "store scores of an external model for later diagnoses",
    ),
    get("/api/v1/predict", "models", &["model", "time"], Answer::Json, "score one row with a fitted model; each column is a key"),
    post("/api/v1/predict", "models", JSON, Answer::Json, "score several rows with a fitted model"),
    get("/api/v2/status", "alertmanager", &[], Answer::Json, "the status, as of an Alertmanager"),
    get("/api/v2/alerts", "alertmanager", ALERT_KEYS, Answer::Json, "the alerts that fire"),
    get(
        "/api/v2/alerts/groups",
        "alertmanager",
        &["active", "silenced", "inhibited", "filter", "receiver"],
        Answer::Json,
        "the alerts that fire, by incident",
    ),
    get("/api/v2/receivers", "alertmanager", &[], Answer::Json, "the one receiver"),
    get("/api/v2/silences", "alertmanager", &["filter"], Answer::Json, "an empty list"),
    get("/metrics", "server", &[], Answer::Text(METRICS), "metrics of the server, in Prometheus' text format"),
    get("/healthz", "server", &[], Answer::Json, "the process answers"),
    get("/-/healthy", "server", &[], Answer::Json, "the process answers"),
    get(
        "/-/ready",
        "server",
        &[],
        Answer::Object(&[
            ("status", of::<String>),
            ("reload", of::<ReloadState>),
            ("settings", of::<SettingsState>),
            ("models", of::<ModelsState>),
        ]),
        "signals are kept, and the rules in use have no errors",
    ),
    Operation {
        query: &["accept_missing"],
        ..post(
            "/-/reload",
            "server",
            &[],
            Answer::Object(&[
                ("status", of::<String>),
                ("reload", of::<ReloadState>),
                ("settings", of::<SettingsState>),
                ("models", of::<ModelsState>),
            ]),
            "load the project's files, the settings and the models now",
        )
    },
];

/// What comes at a path of senders.
fn sender(path: Path) -> &'static str {
    match path {
        Path::Alerts => "take alerts, as an Alertmanager does",
        Path::Webhook => "take alerts of the webhook of Alertmanager and Grafana",
        Path::RemoteWrite => "take samples by remote-write 1 and 2",
        Path::Loki => "take log lines, as Loki does",
        Path::OtlpMetrics => "take metrics by OTLP",
        Path::OtlpLogs => "take log records by OTLP",
        Path::OtlpTraces => "take spans by OTLP",
        Path::Zabbix => "take problems of Zabbix",
        Path::CloudEvents => "take CloudEvents, one or a batch",
        Path::Kubernetes => "take events and objects of a cluster",
        Path::Scores => "take scores of an external model",
    }
}

/// `GET /api/v1`: a line for each operation.
pub async fn list() -> Json {
    let senders = senders().map(|(path, kind)| (format!("POST {path}"), sender(kind)));
    let own = OPERATIONS.iter().map(|one| (format!("{} {}", one.method.to_uppercase(), one.path), one.summary));
    let all: BTreeMap<String, &str> = own.chain(senders).collect();
    Json(json!(all))
}

/// Paths of senders that only `ingest` takes.
fn senders() -> impl Iterator<Item = (&'static str, Path)> {
    ::ingest::PATHS.iter().copied().filter(|(path, _)| *path != SCORES)
}

/// `GET /api/v1/openapi.json`
pub async fn document() -> Json {
    Json(described())
}

fn described() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in OPERATIONS {
        let described = describe(operation, &mut generator);
        paths.entry(operation.path).or_default().insert(operation.method.to_owned(), described);
    }
    for (path, kind) in senders() {
        let described = json!({
            "tags": ["senders"],
            "summary": sender(kind),
            "description": "What is sent and answered depends on the protocol of the sender: see `docs/ingest.md`.",
            "requestBody": {"required": true, "content": {"*/*": {}}},
            "responses": {"default": {"description": "as the sender understands it"}},
        });
        paths.entry(path).or_default().insert("post".to_owned(), described);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "faultscope",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Which component broke, what it takes down, what to check, and why. `docs/api.md` shows it by task.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": generator.take_definitions(true), "responses": {"Refused": refused()}},
    })
}

fn describe(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let in_path = operation
        .path
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .map(|(name, _)| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
    let in_query = operation.query.iter().map(|key| {
        let meaning = KEYS.iter().find(|(name, _)| name == key).map_or("", |(_, meaning)| *meaning);
        json!({"name": key, "in": "query", "required": false, "description": meaning, "schema": {"type": "string"}})
    });
    let mut described = json!({
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": in_path.chain(in_query).collect::<Vec<Value>>(),
        "responses": {"200": answer(operation.answer, generator), "default": {"$ref": "#/components/responses/Refused"}},
    });
    if !operation.body.is_empty()
        && let Some(fields) = described.as_object_mut()
    {
        let content: Map<String, Value> = operation.body.iter().map(|kind| ((*kind).to_owned(), json!({}))).collect();
        fields.insert("requestBody".to_owned(), json!({"content": content}));
    }
    described
}

fn answer(answer: Answer, generator: &mut SchemaGenerator) -> Value {
    let (kind, schema) = match answer {
        Answer::Object(fields) => {
            let properties: Map<String, Value> = fields.iter().map(|(name, schema)| ((*name).to_owned(), schema(generator))).collect();
            ("application/json", json!({"type": "object", "properties": properties}))
        }
        Answer::Type(schema) => ("application/json", schema(generator)),
        Answer::Json => ("application/json", json!({})),
        Answer::Text(kind) => (kind, json!({"type": "string"})),
    };
    json!({"description": "all is well", "content": {kind: {"schema": schema}}})
}

/// Errors, other than those of the API of Alertmanager, which are strings.
fn refused() -> Value {
    let text = json!({"type": "string"});
    json!({
        "description": "refused; nothing has changed",
        "content": {"application/json": {"schema": {
            "type": "object",
            "properties": {
                "error": {
                    "type": "object",
                    "properties": {
                        "code": text,
                        "message": text,
                        "help": text,
                        "rejected": {"type": "array", "items": {"type": "object"}},
                    },
                    "required": ["code", "message"],
                },
            },
        }}},
    })
}

#[cfg(test)]
mod tests {
    use super::{KEYS, OPERATIONS, described};

    #[test]
    fn every_key_has_a_meaning_and_every_meaning_a_key() {
        let used: Vec<&str> = OPERATIONS.iter().flat_map(|operation| operation.query.iter().copied()).collect();
        let known: Vec<&str> = KEYS.iter().map(|(name, _)| *name).collect();
        assert!(used.iter().all(|key| known.contains(key)), "{used:?}");
        assert!(known.iter().all(|key| used.contains(key)), "{known:?}");
    }

    /// Whoever follows a reference arrives.
    #[test]
    fn references_lead_somewhere() {
        let document = described();
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
    }
}
