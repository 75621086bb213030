//! Questions to a running server: stories in `tests/serve_live/`, the tools of Alertmanager, and what describes the API.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use faultscope::Time;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::common::root;
use crate::common::running::{self, Running, until};
use crate::serve::{Folder, Server};

/// Long enough for a slow machine; spans wait half a minute for later ones.
const PATIENCE: Duration = Duration::from_secs(40);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Story {
    /// Files by their path.
    project: BTreeMap<String, String>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// Method and path.
    ask: String,
    /// Sent as JSON.
    #[serde(default)]
    body: Option<Value>,
    /// Sent as it is, with its content type.
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default = "ok")]
    status: u16,
    /// By JSON pointer; `null` also if there is nothing.
    #[serde(default)]
    expect: BTreeMap<String, Value>,
    #[serde(default)]
    has: Vec<String>,
    #[serde(default)]
    lacks: Vec<String>,
}

fn ok() -> u16 {
    200
}

/// `{ago 5m}` as a time.
fn with_times(text: &str) -> String {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let mut parts = text.split("{ago ");
    let mut filled = parts.next().unwrap().to_owned();
    for part in parts {
        let (ago, rest) = part.split_once('}').unwrap();
        let (number, unit) = ago.split_at(ago.len() - 1);
        let unit = if unit == "m" { 60_000 } else { 1_000 };
        filled.push_str(&Time(now - number.parse::<i64>().unwrap() * unit).to_string());
        filled.push_str(rest);
    }
    filled
}

fn story(name: &str) -> (Server, Folder, Vec<Step>) {
    let text = fs::read_to_string(root().join(format!("tests/serve_live/{name}.yaml"))).unwrap();
    let story: Story = serde_saphyr::from_str(&text).unwrap();
    let folder = Folder::new(&format!("live-{name}"));
    for (path, text) in &story.project {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    (Server::start(folder.path(), &folder), folder, story.steps)
}

/// What is wrong with an answer.
fn wrong(step: &Step, (status, text): &(u16, String)) -> Option<String> {
    if *status != step.status {
        return Some(format!("status {status}"));
    }
    let answer: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    for (pointer, expected) in &step.expect {
        let found = answer.pointer(pointer).unwrap_or(&Value::Null);
        if found != expected {
            return Some(format!("`{pointer}` is {found}, not {expected}"));
        }
    }
    let missing = step.has.iter().find(|part| !text.contains(*part)).map(|part| format!("without {part:?}"));
    missing.or_else(|| step.lacks.iter().find(|part| text.contains(*part)).map(|part| format!("with {part:?}")))
}

fn run(server: &Server, step: &Step) -> Option<String> {
    let (method, path) = step.ask.split_once(' ').unwrap();
    let sent = match (&step.body, &step.text) {
        (Some(body), _) => Some(("application/json", with_times(&body.to_string()))),
        (None, Some(text)) => Some((step.kind.as_deref().unwrap(), text.clone())),
        (None, None) => None,
    };
    let began = Instant::now();
    loop {
        let answer = server.ask(method, &with_times(path), sent.clone());
        let wrong = wrong(step, &answer)?;
        // What was sent once must not be sent again.
        if method == "POST" || began.elapsed() > PATIENCE {
            return Some(format!("{}: {wrong}\n{}", step.ask, answer.1));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn tell(name: &str) {
    let (server, _folder, steps) = story(name);
    // Later steps rest on earlier ones, so the first one that is wrong is told.
    let wrong = steps.iter().find_map(|step| run(&server, step));
    assert_eq!(wrong, None);
}

#[test]
fn questions_are_answered() {
    tell("queries");
}

#[test]
fn what_is_too_old_is_counted_and_no_error() {
    tell("too_old");
}

#[test]
fn what_is_received_last_counts() {
    tell("fires_again");
}

#[test]
fn it_looks_like_an_alertmanager() {
    tell("alertmanager");
}

/// A call that nobody declared is on the path of a fault, and a pod that nobody listed is a component. Both say where they come from, and
/// are there after a restart.
#[test]
fn signals_add_to_the_estate() {
    const POD: &str = "order-service-7d9c4b6f8c-x2x7k";
    let folder = Folder::project("seen", "");
    let mut server = Server::start(folder.path(), &folder);
    let step = |ask: &str, expect: &[(&str, &str)], has: &[&str]| Step {
        ask: ask.to_owned(),
        body: None,
        text: None,
        kind: None,
        status: 200,
        expect: expect.iter().map(|(pointer, text)| ((*pointer).to_owned(), Value::from(*text))).collect(),
        has: has.iter().map(|part| (*part).to_owned()).collect(),
        lacks: Vec::new(),
    };
    let end = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() - 120_000_000_000;
    let attribute = |key: &str, value: &str| json!([{"key": key, "value": {"stringValue": value}}]);
    let span = json!({
        "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "GET", "kind": 3,
        "startTimeUnixNano": (end - 20_000_000).to_string(), "endTimeUnixNano": end.to_string(),
        "attributes": attribute("server.address", "order-service"),
    });
    let resource = json!({"attributes": attribute("service.name", "bystander")});
    let sent = [
        ("/v1/traces", json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]})),
        ("/api/v2/alerts", json!([{"labels": {"alertname": "Crash", "pod": POD}}])),
    ];
    for (path, body) in sent {
        let (status, text) = server.ask("POST", path, Some(("application/json", body.to_string())));
        assert_eq!(status, 200, "{text}");
    }
    let one = format!("GET /api/v1/estate/{POD}");
    let steps = [
        step(
            "GET /api/v1/impact?component=order-service",
            &[("/impact/impact/0/component", "bystander"), ("/seen/0/from", "bystander"), ("/seen/0/origin", "traces")],
            &["last_seen"],
        ),
        step(
            &one,
            &[("/component/type", "pod"), ("/component/seen/origin", "signals"), ("/component/from/0/component", "order-service")],
            &[],
        ),
        step("GET /api/v1/estate/bystander", &[("/component/to/0/relation", "calls"), ("/component/to/0/seen/origin", "traces")], &[]),
        step("GET /metrics", &[], &["faultscope_seen{kind=\"calls\"} 1\n", "faultscope_seen{kind=\"pods\"} 1\n"]),
    ];
    assert_eq!(steps.iter().find_map(|step| run(&server, step)), None);
    server.stop();
    let again = Server::start(folder.path(), &folder);
    assert_eq!(steps.iter().find_map(|step| run(&again, step)), None);
}

/// The tool that responders have looks at us as at an Alertmanager.
#[test]
#[cfg_attr(not(amtool), ignore = "needs amtool")]
fn amtool_understands_us() {
    let (server, _folder, steps) = story("alertmanager");
    // Alerts are sent, and diagnosed.
    for step in steps.iter().take(2) {
        assert_eq!(run(&server, step), None);
    }
    let amtool = |args: &[&str]| {
        let url = format!("--alertmanager.url={}", server.address());
        let ran = Command::new("amtool").args(args).arg(url).env("NO_PROXY", "127.0.0.1").output().unwrap();
        assert!(ran.status.success(), "{args:?}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap()
    };
    for (args, has, lacks) in [
        (&["alert", "query"][..], &["TooManyConnections", "Strange"][..], &["Slow"][..]),
        (&["alert", "query", "--inhibited"], &["Slow"], &["Strange"]),
        (&["alert", "query", "alertname=~Too.*", "severity=critical"], &["TooManyConnections"], &["Strange"]),
        (&["alert", "query", "Strange", "-o", "extended"], &["nobody", "active"], &["TooMany"]),
        (&["alert", "query", "-o", "json"], &["\"faultscope\"", "连接数过高"], &[]),
        (&["silence", "query"], &[], &["Strange"]),
        (&["config", "show"], &["receiver: faultscope"], &[]),
        (&["cluster", "show"], &["disabled"], &[]),
    ] {
        let said = amtool(args);
        assert!(has.iter().all(|part| said.contains(part)), "{args:?}: {said}");
        assert!(!lacks.iter().any(|part| said.contains(part)), "{args:?}: {said}");
    }
    // What it cannot do here it says in words of ours.
    let url = format!("--alertmanager.url={}", server.address());
    let silence = ["silence", "add", "-a", "li", "-c", "work", "alertname=Slow", &url];
    let ran = Command::new("amtool").args(silence).env("NO_PROXY", "127.0.0.1").output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(!ran.status.success() && said.contains("make them in Alertmanager"), "{said}");
}

/// Every sample belongs to the family above it, and no series is there twice.
/// The kind of the first event that a listener hears.
fn first_heard(server: &Running, last: &str) -> String {
    let mut stream = TcpStream::connect(server.address.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\nlast-event-id: {last}\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    lines.find_map(|line| line.strip_prefix("event:").map(|kind| kind.trim().to_owned())).unwrap()
}

/// A number that is not reached, or none at all, is not waited for: the listener asks for everything.
#[test]
fn listeners_learn_that_numbers_went_back() {
    let folder = running::Folder::new("events");
    let project = folder.with("project", &[running::ESTATE, running::SOURCES]);
    let server = Running::start(&project, &folder.0.join("data"), "127.0.0.1:0");
    let labels = json!({"alertname": "ConnectionsHigh", "component": "order-db", "severity": "critical"});
    assert_eq!(server.post("/api/v2/alerts", &json!([{"labels": labels}])).0, 200);
    until("there is an incident", || if server.incidents().is_empty() { Err(String::new()) } else { Ok(()) });
    let heard = ["0", "9999", "abc", "-1", "1.5"].map(|last| first_heard(&server, last));
    assert_eq!(heard, ["incident", "reset", "reset", "reset", "reset"]);
}

#[test]
fn metrics_are_well_formed() {
    let (server, _folder, steps) = story("alertmanager");
    for step in steps.iter().take(2) {
        assert_eq!(run(&server, step), None);
    }
    let (_, page) = server.ask("GET", "/metrics", None);
    let (mut family, mut kind) = ("", "");
    let (mut families, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            family = rest.split(' ').next().unwrap();
            assert!(families.insert(family), "{family} is there twice");
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            kind = rest.strip_prefix(family).unwrap().trim();
            assert!(kind != "counter" || family.ends_with("_total"), "{family}");
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(seen.insert(series), "{series} is there twice");
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let name = series.split('{').next().unwrap();
        let suffixes = if kind == "histogram" { &["_bucket", "_sum", "_count"][..] } else { &[""] };
        assert!(suffixes.iter().any(|suffix| name.strip_prefix(family) == Some(*suffix)), "{line} below {family}");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{name}");
    }
    assert!(page.ends_with('\n') && families.len() > 20, "{page}");
}

/// The routes of the router as its source has them: path and methods.
fn routes() -> BTreeSet<String> {
    let source = fs::read_to_string(root().join("src/server/lib.rs")).unwrap();
    let mut found = BTreeSet::new();
    for part in source.split(".route(").skip(1) {
        let (path, rest) = part.split_once(',').unwrap();
        let path = match path.trim() {
            "SCORES" => "/api/v1/scores".to_owned(),
            // Those of senders: `ingest::PATHS`.
            "path" => continue,
            literal => literal.trim_matches('"').replace("{*", "{"),
        };
        // Up to the next statement of the chain.
        let handlers = rest.split("\n        .").next().unwrap();
        for method in ["get", "post", "put", "delete", "patch"] {
            if handlers.contains(&format!(" {method}(")) || handlers.contains(&format!(").{method}(")) {
                found.insert(format!("{method} {path}"));
            }
        }
    }
    assert!(found.len() > 20, "{found:?}");
    found
}

#[test]
fn every_route_is_described_and_fresh() {
    let folder = Folder::project("openapi", "");
    let server = Server::start(folder.path(), &folder);
    let (status, text) = server.ask("GET", "/api/v1/openapi.json", None);
    assert_eq!(status, 200, "{text}");
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut described = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if operation["tags"][0] == "senders" {
                continue;
            }
            described.insert(format!("{method} {path}"));
        }
    }
    let routes = routes();
    assert_eq!(routes.difference(&described).collect::<Vec<_>>(), Vec::<&String>::new(), "not in src/server/openapi.rs");
    assert_eq!(described.difference(&routes).collect::<Vec<_>>(), Vec::<&String>::new(), "without a route in src/server/lib.rs");
    let (_, list) = server.ask("GET", "/api/v1", None);
    let list: BTreeMap<String, Value> = serde_json::from_str(&list).unwrap();
    let operations = document["paths"].as_object().unwrap().values().map(|one| one.as_object().unwrap().len()).sum::<usize>();
    assert_eq!(list.len(), operations);
    let pretty = format!("{}\n", serde_json::to_string_pretty(&document).unwrap());
    let path = root().join("docs/openapi.json");
    if std::env::var_os("INSTA_UPDATE").is_some_and(|mode| mode == "always") {
        fs::write(&path, &pretty).unwrap();
    }
    let fresh = fs::read_to_string(&path).unwrap_or_default();
    assert!(fresh == pretty, "docs/openapi.json is not fresh: INSTA_UPDATE=always cargo test --test it serve_live");
}
