//! The server as its users meet it: a process of its own, asked over HTTP, stopped in the rudest way.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::post;
use serde_json::{Value, json};
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::common::{faultscope, root};

/// Long enough for a slow machine; a server that needs it is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// A folder of its own that is gone afterwards.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        // Tests that run side by side may tell the same story.
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("faultscope-serve-{name}-{}-{number}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// A project: a service on a database, and one that has nothing to do with either.
    pub fn project(name: &str, sources: &str) -> Self {
        let folder = Folder::new(name);
        fs::create_dir_all(folder.0.join("topology")).unwrap();
        let estate = "components:\n  - {id: order-db, type: database}\n  - {id: order-service, type: service}\n  - {id: bystander, type: service}\nrelations:\n  - {from: order-service, kind: depends_on, to: order-db}\n";
        fs::write(folder.0.join("topology/estate.yaml"), estate).unwrap();
        fs::write(folder.0.join("topology/sources.yaml"), sources).unwrap();
        folder
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The first segment of the journal.
    fn journal(&self) -> PathBuf {
        self.0.join(format!("data/journal/{:020}.journal", 1))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

pub struct Server {
    pub child: Child,
    pub address: String,
    client: Agent,
}

impl Server {
    /// Starts on a free port, with the project and a data folder in `folder`.
    pub fn start(project: &Path, folder: &Folder) -> Server {
        Server::start_with(project, folder, &["--listen", "127.0.0.1:0"])
    }

    /// The same, with other arguments.
    pub fn start_with(project: &Path, folder: &Folder, more: &[&str]) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_faultscope"))
            .arg("serve")
            .args(more)
            .arg("--project")
            .arg(project)
            .arg("--data")
            .arg(folder.0.join("data"))
            .env("NO_PROXY", "127.0.0.1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(address) = line.split_whitespace().find(|word| word.starts_with("http")) else {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("{line}{said}");
        };
        Server { child, address: address.to_owned(), client: client() }
    }

    fn get(&self, path: &str) -> (u16, Value) {
        answer(self.client.get(format!("{}{path}", self.address)).call().unwrap())
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// The status and the text of an answer, whatever it is. What is sent has its content type before it.
    pub fn ask(&self, method: &str, path: &str, sent: Option<(&str, String)>) -> (u16, String) {
        let url = format!("{}{path}", self.address);
        let mut said = match (method, sent) {
            ("POST", Some((kind, body))) => self.client.post(url).header("content-type", kind).send(body),
            ("POST", None) => self.client.post(url).send_empty(),
            _ => self.client.get(url).call(),
        }
        .unwrap();
        (said.status().as_u16(), said.body_mut().read_to_string().unwrap())
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(path, "application/json", body.to_string())
    }

    /// What is answered, as it is.
    pub fn text(&self, path: &str, body: &Value) -> String {
        let said = self.client.post(format!("{}{path}", self.address)).header("content-type", "application/json").send(body.to_string());
        said.unwrap().body_mut().read_to_string().unwrap()
    }

    fn send(&self, path: &str, kind: &str, body: String) -> (u16, Value) {
        answer(self.client.post(format!("{}{path}", self.address)).header("content-type", kind).send(body).unwrap())
    }

    /// Asks it to stop (SIGTERM), and waits; how long that took.
    pub fn stop(&mut self) -> Duration {
        let began = Instant::now();
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not stop");
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(status.success(), "{status}");
        began.elapsed()
    }

    /// Ends it at once (SIGKILL); what it has said on standard error.
    pub fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn client() -> Agent {
    Agent::config_builder().proxy(None).http_status_as_error(false).timeout_global(Some(PATIENCE)).build().into()
}

fn answer(mut said: Response<Body>) -> (u16, Value) {
    let status = said.status().as_u16();
    let text = said.body_mut().read_to_string().unwrap();
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}")))
}

fn score(component: &str, time: &str) -> Value {
    json!({"component": component, "metric": "latency", "score": 0.97, "time": time, "origin": "team-x"})
}

#[test]
fn nothing_accepted_is_lost() {
    let folder = Folder::project("kill", "");
    let server = Server::start(&folder.0, &folder);
    // A stream of scores, each sent when the one before was acknowledged, until the server is gone.
    let (address, client) = (server.address.clone(), client());
    let sender = std::thread::spawn(move || {
        let mut accepted = 0;
        loop {
            let body = score("order-db", &format!("2025-06-01T{:02}:{:02}:{:02}Z", accepted / 3600, accepted / 60 % 60, accepted % 60));
            let said = client.post(format!("{address}/api/v1/scores")).header("content-type", "application/json").send(body.to_string());
            match said {
                Ok(said) if said.status().as_u16() == 202 => accepted += 1,
                Ok(said) => panic!("{}", said.status()),
                Err(_) => return accepted,
            }
        }
    });
    std::thread::sleep(Duration::from_millis(400));
    server.kill();
    let accepted: u64 = sender.join().unwrap();
    assert!(accepted > 0, "the server took nothing");
    // As if the crash had come within an entry.
    fs::OpenOptions::new().append(true).open(folder.journal()).unwrap().write_all(b"\xfafsj\x40").unwrap();
    let kept = |server: &Server| {
        let (_, listed) = server.get("/api/v1/scores?component=order-db");
        listed["scores"].as_array().unwrap().len() as u64 + listed["left_off"].as_u64().unwrap()
    };
    let server = Server::start(&folder.0, &folder);
    let found = kept(&server);
    // One may have reached the disk without an acknowledgement.
    assert!(found == accepted || found == accepted + 1, "{found} of {accepted}");
    assert_eq!(server.post("/api/v1/scores", &score("order-db", "2025-06-02T00:00:00Z")).0, 202);
    let said = server.kill();
    assert!(said.contains("removed an incomplete entry"), "{said}");
    let server = Server::start(&folder.0, &folder);
    assert_eq!(kept(&server), found + 1);
}

/// Those of a data folder from before scores were in the journal.
#[test]
fn old_scores_are_taken_over() {
    let folder = Folder::project("old", "");
    fs::create_dir_all(folder.0.join("data")).unwrap();
    let mut old = score("order-db", "2025-06-01T10:00:00Z");
    // As of now: what is older than the journal goes back would be left out.
    let now = i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()).unwrap();
    old["received"] = json!(faultscope::Time(now - 60_000));
    fs::write(folder.0.join("data/scores.ndjson"), format!("{old}\n")).unwrap();
    let server = Server::start(&folder.0, &folder);
    let expected = json!({"scores": [old], "left_off": 0});
    assert_eq!(server.get("/api/v1/scores").1, expected);
    assert!(server.kill().contains("1 scores of "));
    let server = Server::start(&folder.0, &folder);
    assert_eq!(server.get("/api/v1/scores").1, expected, "once");
    assert!(!server.kill().contains("scores of "));
}

/// They are signals like all others: the live answer knows them, and who sends them is a source.
#[test]
fn scores_are_signals_of_the_live_part() {
    let folder = Folder::project("live", "");
    let server = Server::start(&folder.0, &folder);
    let now = i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()).unwrap();
    assert_eq!(server.post("/api/v1/scores", &score("order-db", &faultscope::Time(now).to_string())).0, 202);
    let began = Instant::now();
    loop {
        let (_, coverage) = server.get("/api/v1/coverage");
        let scores = line(&coverage, "scores")["received"].as_u64();
        if scores == Some(1) {
            assert_eq!((&coverage["sources"][0]["protocol"], &coverage["sources"][0]["accepted"]), (&json!("scores"), &json!(1)));
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{coverage}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn scores_are_taken_one_by_one_and_listed() {
    let folder = Folder::project("scores", "");
    let server = Server::start(&folder.0, &folder);
    let mut bad = score("order-db", "2025-06-01T10:00:00Z");
    bad["score"] = json!(1.5);
    let ahead = score("order-db", "9000-01-01T00:00:00Z");
    let (status, said) = server
        .post("/api/v1/scores", &json!([score("order-db", "2025-06-01T10:00:00Z"), bad, score("nobody", "2025-06-01T10:01:00Z"), ahead]));
    assert_eq!((status, &said["accepted"], &said["unplaced"]), (202, &json!(2), &json!(1)));
    let rejected: Vec<(u64, &str)> =
        said["rejected"].as_array().unwrap().iter().map(|one| (one["index"].as_u64().unwrap(), one["code"].as_str().unwrap())).collect();
    assert_eq!(rejected, [(1, "F4002"), (3, "F4003")]);
    let lines = format!("{}\n{}\n", score("order-service", "2025-06-01T10:02:00Z"), "{\"component\":");
    let (status, said) = server.send("/api/v1/scores", "application/x-ndjson", lines);
    assert_eq!((status, &said["accepted"], &said["rejected"][0]["index"]), (202, &json!(1), &json!(1)));
    // Only bad ones: nothing is kept.
    let (status, said) = server.post("/api/v1/scores", &json!([bad]));
    assert_eq!((status, said["error"]["code"].as_str(), said["error"]["rejected"][0]["index"].as_u64()), (422, Some("F9506"), Some(0)));
    let listed = |query: &str| -> Vec<String> {
        let (status, said) = server.get(&format!("/api/v1/scores{query}"));
        assert_eq!(status, 200, "{said}");
        said["scores"].as_array().unwrap().iter().map(|one| one["component"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed(""), ["order-service", "nobody", "order-db"]);
    assert_eq!(listed("?component=order-db"), ["order-db"]);
    assert_eq!(listed("?since=2025-06-01T10:01:00Z"), ["order-service", "nobody"]);
}

#[test]
fn what_cannot_be_served_is_explained() {
    let folder = Folder::project("errors", "");
    let server = Server::start(&folder.0, &folder);
    // One byte too many, so that all of it has been sent when the answer comes.
    let large = "x".repeat((4 << 20) + 1);
    for (path, kind, body, status, code) in [
        ("/api/v1/scores", "application/json", "{\"component\":", 400, "F4001"),
        ("/api/v1/scores", "application/json", "{\"a\": 1}", 400, "F4001"),
        ("/api/v1/scores", "application/json", "", 400, "F4001"),
        ("/api/v1/scores", "text/plain", "[]", 415, "F9505"),
        ("/api/v1/scores", "application/json", large.as_str(), 413, "F9504"),
        ("/api/v1/diagnose", "application/json", "[1]", 400, "F9501"),
        ("/api/v1/diagnose", "application/json", "{\"alert\": []}", 422, "F9506"),
        ("/api/v1/diagnose", "application/json", "{}", 422, "F4006"),
        ("/api/v1/diagnose", "application/json", "{\"alerts\": [], \"window\": \"soon\"}", 422, "F9506"),
        ("/api/v1/diagnose", "application/json", "{\"alerts\": [], \"at\": \"noon\"}", 400, "F9501"),
        ("/api/v1/diagnose", "application/x-www-form-urlencoded", "alerts=1", 415, "F9505"),
        ("/api/v1/predict", "application/json", "{\"rows\": []}", 404, "F9507"),
        ("/api/v1/predict", "application/json", "{\"model\": \"cpu\", \"rows\": 1}", 422, "F9506"),
        ("/api/v1/nothing", "application/json", "{}", 404, "F9502"),
        ("/healthz", "application/json", "{}", 405, "F9503"),
    ] {
        let (found, said) = server.send(path, kind, body.to_owned());
        let short: String = body.chars().take(40).collect();
        assert_eq!((found, said["error"]["code"].as_str()), (status, Some(code)), "{path} {kind} {short}: {said}");
        assert!(said["error"]["help"].is_string(), "{path} {short}: how to mend it: {said}");
    }
    for (path, status, code) in [
        ("/api/v1/scores?component=order-dbx", 404, "F2023"),
        ("/api/v1/scores?componnt=order-db", 400, "F9501"),
        ("/api/v1/scores?since=noon", 400, "F9501"),
        ("/api/v1/predict?model=cpu&cpu_usage=90", 404, "F9507"),
        ("/api/v1/diagnose", 405, "F9503"),
        ("/", 404, "F9502"),
    ] {
        let (found, said) = server.get(path);
        assert_eq!((found, said["error"]["code"].as_str()), (status, Some(code)), "{path}: {said}");
    }
    assert_eq!(server.get("/healthz"), (200, json!({"status": "ok"})));
    assert_eq!(server.get("/api/v1").0, 200);
    assert_eq!(server.get("/api/v1/scores").1, json!({"scores": [], "left_off": 0}), "what was refused has changed nothing");
    // Asked to stop, it stops.
    let mut server = server;
    server.stop();
}

#[test]
fn a_diagnosis_is_that_of_the_command_line() {
    let folder = Folder::new("same");
    let server = Server::start(&root(), &folder);
    let bundle = root().join("tests/incidents/CAS-002-fires");
    let read = |name: &str| fs::read_to_string(bundle.join(name)).unwrap();
    let events: Vec<Value> = read("events.ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let body = format!(
        "{{\"alerts\": {}, \"metrics\": {}, \"logs\": {}, \"events\": {}, \"baseline\": null}}",
        read("alerts.json"),
        read("metrics.json"),
        read("logs.json"),
        Value::from(events)
    );
    let said = server.client.post(format!("{}/api/v1/diagnose", server.address)).header("content-type", "application/json").send(body);
    let mut said = said.unwrap();
    assert_eq!(said.status().as_u16(), 200);
    let (code, expected, _) = faultscope(&["diagnose", "tests/incidents/CAS-002-fires", "--format", "json"]);
    assert_eq!(code, 0);
    assert_eq!(said.body_mut().read_to_string().unwrap(), expected);
}

/// An alert on the service, and a series of each component, at 10:00.
fn incident() -> Value {
    let series = |component: &str| json!({"metric": {"__name__": "odd_number", "component": component}, "values": [[1_748_772_000, "1"]]});
    json!({
        "alerts": [{"labels": {"alertname": "Slow", "component": "order-service"}, "startsAt": "2025-06-01T10:00:00Z"}],
        "metrics": {"data": {"result": [series("order-db"), series("order-service"), series("bystander")]}},
    })
}

fn line<'d>(diagnosis: &'d Value, kind: &str) -> &'d Value {
    diagnosis["accounting"].as_array().unwrap().iter().find(|line| line["kind"] == kind).unwrap_or(&Value::Null)
}

#[test]
fn received_scores_join_a_diagnosis_of_their_time() {
    let folder = Folder::project("join", "");
    let server = Server::start(&folder.0, &folder);
    let (_, before) = server.post("/api/v1/diagnose", &incident());
    assert_eq!(line(&before, "scores"), &Value::Null);
    let sent = json!([
        score("order-db", "2025-06-01T09:59:00Z"),
        score("nobody", "2025-06-01T09:58:00Z"),
        score("order-db", "2025-06-01T08:00:00Z"),
        score("order-db", "2025-06-01T10:00:01Z"),
    ]);
    assert_eq!(server.post("/api/v1/scores", &sent).0, 202);
    let (status, after) = server.post("/api/v1/diagnose", &incident());
    assert_eq!((status, &after["at"]), (200, &before["at"]), "scores do not move the instant");
    let scores = line(&after, "scores");
    assert_eq!((&scores["received"], &scores["unplaced"]), (&json!(2), &json!(1)), "{after}");
    assert!(after["unplaced"].as_array().unwrap().iter().any(|one| one["text"] == "nobody latency (score from team-x)"), "{after}");
}

/// Work whose client has left keeps its turn, for `impact` and `change` too; looking something up waits for nobody.
#[test]
fn questions_take_turns() {
    let (address, _) = scorer();
    let folder = Folder::project("turns", &format!("scorers:\n  - {{name: team-x, url: '{address}/slow', timeout: 15s}}\n"));
    fs::write(folder.0.join("server.yaml"), "limits: {diagnoses: 1, diagnosis: 1s}\n").unwrap();
    let server = Server::start(&folder.0, &folder);
    // It waits for the scorer longer than it is waited for.
    assert_eq!(server.post("/api/v1/diagnose", &incident()).0, 503);
    for (status, said) in [server.get("/api/v1/impact?component=order-db"), server.post("/api/v1/change", &json!({"title": "a plan"}))] {
        assert_eq!((status, said["error"]["code"].as_str()), (503, Some("F9523")), "{said}");
    }
    for path in ["/api/v1/estate", "/api/v1/estate/order-db", "/api/v1/signals", "/api/v1/coverage"] {
        let (status, said) = server.get(path);
        assert_eq!(status, 200, "{path}: {said}");
    }
}

/// A scorer that answers in several ways, and what it was last asked.
fn scorer() -> (String, Arc<Mutex<Value>>) {
    let asked = Arc::new(Mutex::new(Value::Null));
    let seen = Arc::clone(&asked);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let good = move |body: String| async move {
            *seen.lock().unwrap() = serde_json::from_str(&body).unwrap();
            r#"[{"component": "order-db", "metric": "odd_number", "score": 0.99, "onset": "2025-06-01T09:55:00Z"}]"#
        };
        let slow = || async {
            tokio::time::sleep(PATIENCE).await;
            "[]"
        };
        let router = Router::new()
            .route("/good", post(good))
            .route("/slow", post(slow))
            .route("/nonsense", post(|| async { "<html>hello</html>" }))
            .route("/foreign", post(|| async { r#"[{"component": "bystander", "score": 1}, {"component": "nobody", "score": 1}]"# }))
            .route("/moved", post(|| async { axum::response::Redirect::temporary("https://example.com/") }));
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(async { axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), router).await.unwrap() });
    });
    (address, asked)
}

#[test]
fn scorers_help_and_never_hinder() {
    let (address, asked) = scorer();
    // A port that nobody listens on: taken, and given back.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, scores, warning) in [
        (format!("{address}/good"), 1, None),
        (format!("{address}/slow"), 0, Some("F4020: the scorer `team-x` did not answer within 300ms; its scores are missing")),
        (format!("{address}/nonsense"), 0, Some("F4001: `scorer team-x` line 1 column 1: expected value")),
        (format!("{address}/foreign"), 2, Some("component not in the request: 2 (the first: score 0, `bystander`)")),
        (format!("{address}/moved"), 0, Some("redirects to `https://example.com/` (status 307): use that address instead")),
        (format!("{address}/missing"), 0, Some("the scorer `team-x` returned status 404 Not Found")),
        (format!("http://{closed}/"), 0, Some("F4020: the scorer `team-x` cannot be reached at `127.0.0.1:")),
    ] {
        let name = url.rsplit('/').next().unwrap_or("").to_owned();
        let folder = Folder::project(&format!("scorer-{name}"), &format!("scorers:\n  - {{name: team-x, url: '{url}', timeout: 300ms}}\n"));
        let server = Server::start(&folder.0, &folder);
        let began = Instant::now();
        let (status, said) = server.post("/api/v1/diagnose", &incident());
        assert!(began.elapsed() < PATIENCE, "{url}");
        // A lone alert on a component whose metrics are healthy is no incident, unless a model says more.
        let incidents = usize::from(name == "good");
        assert_eq!((status, said["incidents"].as_array().map(Vec::len)), (200, Some(incidents)), "{url}: {said}");
        assert_eq!(line(&said, "scores")["received"].as_u64().unwrap_or(0), scores, "{url}: {said}");
        let warnings: Vec<&str> = said["warnings"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
        match warning {
            Some(expected) => assert!(warnings.iter().any(|one| one.contains(expected)), "{url}: {warnings:?}"),
            None => assert!(warnings.is_empty(), "{url}: {warnings:?}"),
        }
    }
    // Only what the topology connects to the alert was asked about.
    let asked = asked.lock().unwrap();
    let components: Vec<&str> = asked["series"].as_array().unwrap().iter().map(|one| one["component"].as_str().unwrap()).collect();
    assert_eq!(components, ["order-service", "order-db"], "{asked}");
    assert_eq!((&asked["at"], &asked["series"][1]["points"]), (&json!("2025-06-01T10:00:00Z"), &json!([[1_748_772_000.0, 1.0]])));
}
