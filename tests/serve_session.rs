//! One incident from a rule that fires to a past case: people are told, it is diagnosed, acknowledged, confirmed and resolved, and its case
//! makes the next one like it recognised. Once with alerts as Prometheus posts them, once with a Prometheus.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use project::{Options, Project, bundle_of_text, load_bundle};
use serde_json::{Value, json};
use signal::{BundleText, Excerpt, Resolver, recording};
use value::Time;

use crate::common::running::{ESTATE, Folder, Process, Running, SOURCES, until};
use crate::common::{bundles, faultscope, root};
use crate::notices::receive;
use crate::serve_real::{Exporter, free_port, prometheus};

const FAULT: &str = "sessions are held by a report that hangs";

/// The rules of the Prometheus: no word of them is in any rule of faultscope.
const ALERTS: &str = "groups:\n  - name: shop\n    interval: 1s\n    rules:\n      - alert: OrderPoolExhausted\n        expr: mysql_global_status_threads_connected > 400\n        labels: {severity: critical}\n        annotations: {summary: '{{ $value }} sessions in use'}\n      - alert: CheckoutStuck\n        expr: mysql_global_status_threads_connected > 400\n        labels: {severity: critical, component: order-service}\n        annotations: {summary: checkout waits for a session}\n";

/// Whoever is told, as a ticket system that a webhook calls.
struct Receiver {
    address: String,
    told: Arc<Mutex<Vec<Value>>>,
}

impl Receiver {
    fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        // It ends with the tests.
        std::thread::spawn(move || {
            loop {
                let body = receive(&listener);
                heard.lock().unwrap().push(body);
            }
        });
        Receiver { address, told }
    }

    /// Waits for a message about an event.
    fn hears(&self, event: &str) -> Value {
        until(&format!("somebody is told: {event}"), || {
            let told = self.told.lock().unwrap();
            let events: Vec<&Value> = told.iter().map(|one| &one["event"]).collect();
            told.iter().find(|one| one["event"] == event).cloned().ok_or_else(|| format!("{events:?}"))
        })
    }
}

/// Whoever sends the alerts.
trait Sender {
    fn fire(&self, server: &Running);
    fn end(&self, server: &Running);
}

/// As Prometheus posts them; since when they fire.
struct Posted(Cell<Time>);

impl Posted {
    fn now() -> Time {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        Time(i64::try_from(now).unwrap())
    }

    fn post(&self, server: &Running, ends: Option<Time>) {
        let alert = |name: &str, component: &str, summary: &str| {
            let labels = json!({"alertname": name, "component": component, "severity": "critical"});
            json!({"labels": labels, "annotations": {"summary": summary}, "startsAt": self.0.get(), "endsAt": ends})
        };
        let alerts = json!([
            alert("OrderPoolExhausted", "order-db", "450 sessions in use"),
            alert("CheckoutStuck", "order-service", "checkout waits for a session"),
        ]);
        assert_eq!(server.post("/api/v2/alerts", &alerts).0, 200);
    }
}

impl Sender for Posted {
    fn fire(&self, server: &Running) {
        self.0.set(Posted::now());
        self.post(server, None);
    }

    fn end(&self, server: &Running) {
        self.post(server, Some(Posted::now()));
    }
}

/// A Prometheus that watches an exporter, and writes samples too.
struct Watched {
    exporter: Exporter,
    _prometheus: Process,
}

impl Sender for Watched {
    fn fire(&self, _: &Running) {
        self.exporter.set(450);
    }

    fn end(&self, _: &Running) {
        self.exporter.set(100);
    }
}

/// Waits for the incident that explains both alerts, as somebody who has to act on it sees it.
fn incident(server: &Running, wanted: impl Fn(&Value) -> bool) -> Value {
    until("both alerts are one incident", || {
        let incidents = server.incidents();
        let explains = |one: &Value| {
            let suspects = one["report"]["suspects"].as_array().cloned().unwrap_or_default();
            let all: Vec<String> = suspects.iter().map(|suspect| suspect["explains"].to_string()).collect();
            ["OrderPoolExhausted", "CheckoutStuck"].iter().all(|name| all.concat().contains(name))
        };
        incidents.iter().find(|one| explains(one) && wanted(one)).cloned().ok_or_else(|| format!("{incidents:?}"))
    })
}

fn text(server: &Running, path: &str) -> String {
    let (status, said) = server.get(path);
    assert_eq!(status, 200, "{said}");
    said.as_str().map_or_else(|| panic!("{path} is JSON"), str::to_owned)
}

fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

fn session(name: &str, start: impl FnOnce(&Folder, &str) -> Box<dyn Sender>) {
    let folder = Folder::new(name);
    let receiver = Receiver::start();
    let settings = format!(
        "notify:\n  at_most_every: 1s\n  channels:\n    hook: {{kind: webhook, url: \"http://{}/hook\"}}\n  routes:\n    - to: hook\n",
        receiver.address
    );
    let project = folder.with("project", &[ESTATE, SOURCES, ("server.yaml", &settings)]);
    let server = Running::start(&project, &folder.0.join("first"), "127.0.0.1:0");
    let listen = format!("127.0.0.1:{}", server.port());
    let sender = start(&folder, &server.address);

    // Somebody is told what broke.
    sender.fire(&server);
    // Metrics may come before all alerts do.
    let found = incident(&server, |one| one["status"] == "open" && one["component"] == "order-db");
    assert_eq!((&found["component"], &found["layer"]), (&json!("order-db"), &json!("anomaly")), "{found}");
    assert!(["signals", "seen", "by_hand"].iter().all(|key| found.get(key).is_none()), "{found}");
    let told = receiver.hears("opened");
    assert_eq!(told["incident"]["id"], found["id"]);
    contains(&text(&server, "/api/v1/diagnosis?format=text"), &["INCIDENT 1 · critical", "order-db", "all of it: ?full=true"]);

    // Somebody looks after it.
    let path = format!("/api/v1/incidents/{}", found["id"]);
    let (status, acknowledged) = server.post(&format!("{path}/acknowledge"), &json!({"by": "li"}));
    assert_eq!((status, &acknowledged["status"]), (200, &json!("acknowledged")), "{acknowledged}");
    receiver.hears("acknowledged");
    let (status, _) = server.post(&format!("{path}/note"), &json!({"by": "li", "text": "a report hangs since 02:00, db_password=hunter2"}));
    assert_eq!(status, 200);
    contains(&text(&server, &format!("{path}?format=text")), &["[acknowledged] critical: order-db", "Acknowledged by li", "hangs since"]);
    contains(&text(&server, &format!("{path}?format=text&lang=zh")), &["【已响应】严重：order-db", "li 已响应", "处理过程"]);
    contains(&text(&server, "/api/v1/incidents?format=text"), &["[acknowledged] critical: order-db", "· since "]);

    // Somebody says what it was.
    let (status, refused) = server.post(&format!("{path}/confirm"), &json!({"component": "order-bd", "fault": FAULT}));
    assert_eq!((status, refused["error"]["help"].as_str()), (404, Some("did you mean `order-db`?")), "{refused}");
    let told = json!({"by": "li", "component": "order-db", "fault": FAULT, "solutions": ["Stop the report", "mysql --password hunter2"]});
    let (status, confirmed) = server.post(&format!("{path}/confirm"), &told);
    assert_eq!((status, &confirmed["confirmed"], &confirmed["warnings"]), (200, &json!("order-db"), &Value::Null), "{confirmed}");
    let case = confirmed["case"].as_str().unwrap().to_owned();
    let id = case.rsplit('/').next().unwrap().to_owned();
    is_a_case(&project, &case);
    // The next diagnosis knows it already.
    let known = incident(&server, |one| one["layer"] == "knowledge");
    assert_eq!((&known["id"], &known["fault"]), (&found["id"], &json!(FAULT)));

    // It is over, and the case is brought up to date.
    sender.end(&server);
    incident(&server, |one| !one["report"]["until"].is_null());
    let (status, resolved) = server.post(&format!("{path}/resolve"), &json!({"by": "li"}));
    assert_eq!((status, &resolved["status"]), (200, &json!("resolved")));
    receiver.hears("resolved");
    let (status, again) = server.post(&format!("{path}/confirm"), &json!({"by": "li"}));
    assert_eq!((status, again["case"].as_str(), &again["confirmed_fault"]), (200, Some(case.as_str()), &json!(FAULT)), "{again}");
    is_a_case(&project, &case);
    let draft = fs::read_to_string(project.join(&case).join("postmortem.en.md")).unwrap();
    contains(&draft, &["Resolved by li", "over after"]);
    assert_eq!(fs::read_dir(project.join("cases")).unwrap().count(), 1);

    // The same again, to a server that has nothing but the project.
    server.kill();
    let server = Running::start(&project, &folder.0.join("second"), &listen);
    sender.fire(&server);
    let recognised = incident(&server, |one| one["layer"] == "knowledge");
    let suspect = &recognised["report"]["suspects"][0];
    assert_eq!((&suspect["component"], &suspect["fault"], &suspect["case"]), (&json!("order-db"), &json!(FAULT), &json!(id)));
    let path = format!("/api/v1/incidents/{}", recognised["id"]);
    contains(&text(&server, &format!("{path}?format=text")), &[FAULT, "Stop the report"]);
}

/// The folder is ready to be committed: it passes `check`, and what was recorded shows the same incident.
fn is_a_case(project: &Path, case: &str) {
    let folder = project.join(case);
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    contains(&read("case.yaml"), &[FAULT, "component: order-db", "OrderPoolExhausted", "CheckoutStuck", "Stop the report", "hangs since"]);
    contains(&read("alerts.json"), &["OrderPoolExhausted", "CheckoutStuck", "sessions in use"]);
    contains(&read("expected.json"), &["order-db", FAULT]);
    let draft = read("postmortem.en.md");
    contains(&draft, &["# Post-mortem", FAULT, "Acknowledged by li", "- Helped: Stop the report", "## To be written"]);
    let id = case.rsplit('/').next().unwrap();
    let cited: Vec<&str> = draft.lines().filter(|line| line.contains(id) && !line.starts_with("- Case: ")).collect();
    assert!(cited.is_empty(), "it cites itself: {cited:?}");
    contains(&read("postmortem.zh.md"), &["# 故障复盘", FAULT, "li 已响应", "## 待补充"]);
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        assert!(!fs::read_to_string(&path).unwrap().contains("hunter2"), "{}", path.display());
    }
    contains(&fs::read_to_string(project.join("feedback.ndjson")).unwrap(), &[case]);
    let (code, said, wrong) = faultscope(&["check", &project.display().to_string()]);
    assert_eq!(code, 0, "{said}{wrong}");
    let (code, said, wrong) = faultscope(&["diagnose", &folder.display().to_string(), "--format", "json"]);
    let diagnosis: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{code} {error}: {said}{wrong}"));
    assert_eq!(diagnosis["incidents"][0]["suspects"][0]["component"], "order-db", "{said}");
}

#[test]
fn from_posted_alerts_to_a_case() {
    session("session-posted", |_, _| Box::new(Posted(Cell::new(Time::MIN))));
}

#[test]
#[cfg_attr(not(prometheus), ignore = "needs prometheus and prometheus-alertmanager")]
fn from_a_rule_of_prometheus_to_a_case() {
    session("session-prometheus", |folder, address| {
        let exporter = Exporter::start();
        let host = address.trim_start_matches("http://");
        let process = prometheus(folder, &exporter, free_port(), ALERTS, host, Some(address));
        Box::new(Watched { exporter, _prometheus: process })
    });
}

/// What is recorded of facts reads back as facts with the same answer.
#[test]
fn recordings_read_back() {
    let project = Project::load(&root()).unwrap();
    let mut compared = 0;
    for dir in bundles(&root().join("cases")).into_iter().chain(bundles(&root().join("tests/incidents"))) {
        if dir.join("topology.json").exists() || dir.join("traces.json").exists() {
            continue;
        }
        let bundle = load_bundle(&project, &dir, &root(), Options::default()).unwrap();
        if !bundle.facts.baseline.is_empty() {
            continue;
        }
        let components: BTreeSet<estate::ComponentId> = project.estate.ids().collect();
        let resolver = Resolver::new(&project.placement, &project.estate);
        let excerpt = Excerpt { from: Time::MIN, until: bundle.at, components: &components };
        let files = recording(&bundle.facts, &resolver, excerpt);
        let file =
            |name: &str| files.iter().find(|(known, _)| *known == name).map(|(name, text)| ((*name).to_owned(), text.clone().into_bytes()));
        let text = BundleText {
            alerts: file("alerts.json"),
            metrics: file("metrics.json"),
            logs: file("logs.json"),
            events: file("events.ndjson"),
            scores: file("scores.ndjson").into_iter().collect(),
            ..BundleText::default()
        };
        if text.alerts.is_none() && text.metrics.is_none() && text.logs.is_none() && text.events.is_none() {
            continue;
        }
        let again = bundle_of_text(&project, Path::new("again"), &text, Options { at: Some(bundle.at), lookback: Some(bundle.lookback) });
        let (before, after) = (bundle.diagnose(), again.unwrap().diagnose());
        let told = |diagnosis: &localize::Diagnosis| {
            let suspects = diagnosis.incidents.iter().flat_map(|incident| &incident.suspects);
            suspects.map(|suspect| format!("{:?} {} {:?}", suspect.component, suspect.fault, suspect.rules)).collect::<Vec<String>>()
        };
        assert_eq!(told(&after), told(&before), "{}", dir.display());
        compared += 1;
    }
    assert!(compared > 20, "{compared} recordings");
}
