//! Metrics that nobody sends are asked of a Prometheus: here one that lies, stops, or says too much. `tests/serve_real.rs` asks a real one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::common::running::{ESTATE, Folder, Running, SOURCES, until};

const CONNECTIONS: &str = "mysql_global_status_threads_connected";

const RULE: (&str, &str) = (
    "rules/db.rules",
    "TOP-001 \"Out of connections\" {\n  given   db: database\n  if      db.connections > 400\n  then    impact dependents of db where type = service\n  check   \"Which service holds them\"\n}\n",
);

/// What it answers.
#[derive(Debug, Clone, Copy)]
enum Mood {
    /// Of the connections, so many.
    Says(u32),
    /// It has no such series.
    HasNothing,
    HangsUp,
    Sleeps,
    Page,
    CutOff,
    StopsInBetween,
    OtherShape,
    Scalar,
    Error,
    Busy,
    Moved,
    Endless,
}

/// A server that may be taken for a Prometheus.
struct Fake {
    address: String,
    mood: Arc<Mutex<Mood>>,
    /// Heads and bodies of all requests.
    heard: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    fn start(address: &str, mood: Mood) -> Fake {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (mood, heard) = (Arc::new(Mutex::new(mood)), Arc::new(Mutex::new(Vec::new())));
        let (shown, told) = (Arc::clone(&mood), Arc::clone(&heard));
        // It ends with the tests.
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (mood, told) = (*shown.lock().unwrap(), Arc::clone(&told));
                std::thread::spawn(move || drop(serve(connection, mood, &told)));
            }
        });
        Fake { address, mood, heard }
    }

    fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

/// One answer, and the connection ends.
fn serve(mut connection: TcpStream, mood: Mood, told: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut head = String::new();
    while reader.read_line(&mut head)? > 2 {}
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body).into_owned();
    told.lock().unwrap().push(format!("{head}{body}"));
    let answer = |status: &str, length: usize, body: &str| {
        format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
    };
    let good = |body: &str| answer("200 OK", body.len(), body);
    let sample = |value: u32| {
        let values = json!([[field(&body, "time").unwrap_or(0.0), value.to_string()]]);
        let series = |name: &str| json!({"metric": {"__name__": name, "component": "order-db"}, "values": values});
        // Nobody asked for the second one.
        json!({"status": "success", "data": {"resultType": "matrix", "result": [series(CONNECTIONS), series("intruder")]}}).to_string()
    };
    let answer = match mood {
        Mood::Says(value) => good(&sample(value)),
        Mood::HasNothing => good(r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#),
        Mood::HangsUp => return Ok(()),
        Mood::Sleeps => {
            std::thread::sleep(Duration::from_secs(3));
            good(&sample(450))
        }
        Mood::Page => good("<html><body>Sign in</body></html>"),
        Mood::CutOff => {
            let whole = sample(450);
            good(&whole[..whole.len() / 2])
        }
        Mood::StopsInBetween => answer("200 OK", 100_000, &sample(450)),
        Mood::OtherShape => good(r#"{"series": [1, 2, 3]}"#),
        Mood::Scalar => good(r#"{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}"#),
        Mood::Error => good(r#"{"status":"error","errorType":"execution","error":"no room"}"#),
        Mood::Busy => answer("503 Service Unavailable", 7, "not yet"),
        Mood::Moved => {
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/login\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned()
        }
        Mood::Endless => {
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n")?;
            loop {
                connection.write_all(&[b' '; 4_096])?;
            }
        }
    };
    connection.write_all(answer.as_bytes())
}

/// A number of a form.
fn field(form: &str, key: &str) -> Option<f64> {
    let value = form.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))?;
    value.replace("%2E", ".").parse().ok()
}

fn project(folder: &Folder, settings: &str) -> PathBuf {
    folder.with("project", &[ESTATE, SOURCES, RULE, ("server.yaml", settings)])
}

fn start(folder: &Folder, project: &std::path::Path) -> Running {
    Running::start(project, &folder.0.join("data"), "127.0.0.1:0")
}

/// How the one server that is asked fares.
fn state(server: &Running) -> Value {
    server.get("/api/v1/coverage").1["pulls"][0].clone()
}

fn warnings(server: &Running, more: &str) -> String {
    server.get(&format!("/api/v1/diagnosis{more}")).1["diagnosis"]["warnings"].to_string()
}

/// What a diagnosis says of a server that is not answering.
const UNKNOWN: &str = "what rests on them is unknown";

/// A line of `/metrics`.
fn metric(server: &Running, name: &str) -> String {
    let page = server.get("/metrics").1;
    let found = page.as_str().unwrap().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("{name} is not in {page}")).to_owned()
}

fn samples(server: &Running) -> u64 {
    metric(server, "faultscope_kept_signals{kind=\"samples\"}").parse().unwrap()
}

/// Whether a request asks for the connections, among others.
fn asks_for_connections(heard: &str) -> bool {
    heard.contains(&CONNECTIONS.replace('_', "%5F"))
}

/// Waits until the server is said to fail for a reason.
fn fails(server: &Running, why: &str) {
    until(why, || {
        let state = state(server);
        let said = state["last_error"].as_str().unwrap_or("");
        if said.contains(why) && state["failing_since"].is_string() { Ok(()) } else { Err(state.to_string()) }
    });
}

fn recovers(server: &Running) -> Value {
    until("it answers again", || {
        let state = state(server);
        if state["failing_since"].is_null() && state["last_success"].is_string() { Ok(state) } else { Err(state.to_string()) }
    })
}

fn connections(server: &Running) -> u64 {
    server.count("metric series", "received")
}

#[test]
fn another_server_is_asked_once_the_settings_say_so() {
    let folder = Folder::new("pull-settings");
    let (first, second) = (Fake::start("127.0.0.1:0", Mood::HasNothing), Fake::start("127.0.0.1:0", Mood::Says(450)));
    let settings = |fake: &Fake| format!("pull: {{url: 'http://{}', every: 1s, delay: 1s, timeout: 2s}}\n", fake.address);
    let project = project(&folder, &settings(&first));
    let server = start(&folder, &project);
    recovers(&server);
    std::fs::write(project.join("server.yaml"), settings(&second)).unwrap();
    let (status, said) = server.post("/-/reload", &json!({}));
    assert_eq!(status, 200, "{said}");
    until("samples arrive", || if connections(&server) == 1 { Ok(()) } else { Err(connections(&server).to_string()) });
    assert_eq!(state(&server)["url"], format!("http://{}", second.address));
    // One request may have been on its way.
    let asked = first.heard().len();
    std::thread::sleep(Duration::from_millis(2_500));
    assert!(first.heard().len() <= asked + 1, "{} after {asked}", first.heard().len());
}

#[test]
fn a_rule_fires_by_what_is_fetched() {
    let folder = Folder::new("pull-rule");
    // Nobody listens there yet.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let project = project(&folder, &format!("pull: {{url: 'http://{address}', every: 1s, delay: 1s, timeout: 2s}}\n"));
    let server = start(&folder, &project);
    fails(&server, "cannot be reached at");
    assert!(warnings(&server, "").contains(&format!("are asked of `http://{address}`, which cannot be reached at")));
    assert!(warnings(&server, "?lang=zh").contains("没有来源推送的指标"));
    assert_eq!((server.get("/-/ready").0, connections(&server)), (200, 0));
    let fake = Fake::start(&address, Mood::Says(100));
    recovers(&server);
    until("samples arrive", || if connections(&server) == 1 { Ok(()) } else { Err(connections(&server).to_string()) });
    assert!(!warnings(&server, "").contains(UNKNOWN));
    assert!(server.incidents().is_empty());
    fake.set(Mood::Says(450));
    let incident = until("the rule fires", || server.incidents().into_iter().next().ok_or_else(|| state(&server).to_string()));
    assert_eq!((incident["component"].as_str(), incident["layer"].as_str()), (Some("order-db"), Some("expert")));
    let coverage = server.get("/api/v1/coverage").1;
    assert!(coverage["sources"].as_array().unwrap().iter().any(|source| source["protocol"] == "pull"), "{coverage}");
    assert_eq!(metric(&server, &format!("faultscope_pull_failing{{url=\"http://{address}\"}}")), "0");
    // It is on disk, and is not asked for again.
    fake.set(Mood::HangsUp);
    fails(&server, "");
    assert_eq!(metric(&server, &format!("faultscope_pull_failing{{url=\"http://{address}\"}}")), "1");
    let (kept, before) = (samples(&server), fake.heard().len());
    server.kill();
    let server = start(&folder, &project);
    assert!(samples(&server) >= kept);
    assert_eq!(server.incidents()[0]["id"], incident["id"]);
    fake.set(Mood::Says(450));
    recovers(&server);
    let heard = fake.heard();
    let (earlier, later) = heard.split_at(before);
    let last = earlier.iter().map(|heard| range(heard).1).fold(0.0, f64::max);
    let mut again = later.iter().filter(|heard| asks_for_connections(heard)).map(|heard| range(heard).0);
    assert!(again.all(|from| from > last - 30.0), "what was fetched before the start is not asked for again: {later:?}");
}

/// From when until when a request asks, in seconds.
fn range(heard: &str) -> (f64, f64) {
    let form = heard.lines().last().unwrap();
    let until = field(form, "time").unwrap();
    let window: f64 = form.split("%5B").nth(1).and_then(|rest| rest.split("ms%5D").next()).unwrap().parse().unwrap();
    (until - window / 1_000.0, until)
}

#[test]
fn no_stretch_of_time_is_asked_for_twice_or_left_out() {
    let folder = Folder::new("pull-once");
    let fake = Fake::start("127.0.0.1:0", Mood::HasNothing);
    let project = project(&folder, &format!("pull: {{url: 'http://{}', every: 1s, delay: 1s, history: 1h}}\n", fake.address));
    let _server = start(&folder, &project);
    until("it is asked", || if fake.heard().len() > 7 { Ok(()) } else { Err(fake.heard().len().to_string()) });
    let ranges: Vec<(f64, f64)> = fake.heard().iter().map(|heard| range(heard)).collect();
    for pair in ranges.windows(2) {
        assert!((pair[1].0 - pair[0].1).abs() < 0.000_5, "{ranges:?}");
    }
    let (first, last) = (ranges[0].0, ranges[3].1);
    assert!((last - first - 3_600.0).abs() < 1.0, "the hour before, in four parts: {ranges:?}");
}

#[test]
fn nonsense_changes_nothing_is_said_and_ends() {
    let folder = Folder::new("pull-nonsense");
    let fake = Fake::start("127.0.0.1:0", Mood::Says(450));
    let settings = format!("pull: {{url: 'http://{}', every: 1s, delay: 1s, timeout: 500ms, history: 1m}}\n", fake.address);
    let server = start(&folder, &project(&folder, &settings));
    let incident = until("the rule fires", || server.incidents().into_iter().next().ok_or_else(|| state(&server).to_string()));
    for (mood, why) in [
        (Mood::HangsUp, ""),
        (Mood::Sleeps, "did not answer within 500ms"),
        (Mood::Page, "answers with what cannot be used ("),
        (Mood::CutOff, "EOF while parsing"),
        (Mood::StopsInBetween, "stopped before the end of its response"),
        (Mood::OtherShape, "contains no series"),
        (Mood::Scalar, "contains a `scalar`"),
        (Mood::Error, "execution: no room"),
        (Mood::Busy, "returned status 503 Service Unavailable: not yet"),
        (Mood::Moved, "redirects to `http://127.0.0.1:1/login` (status 302)"),
        // Whichever comes first, time or size.
        (Mood::Endless, ""),
    ] {
        let series = connections(&server);
        fake.set(mood);
        fails(&server, why);
        assert!(warnings(&server, "").contains(UNKNOWN), "{mood:?}");
        assert_eq!((server.get("/-/ready").0, connections(&server)), (200, series), "{mood:?}");
        assert_eq!(server.incidents()[0]["id"], incident["id"], "{mood:?}");
        fake.set(Mood::Says(450));
        let state = recovers(&server);
        assert!(state["failures"].as_u64() > Some(0) && state["samples"].as_u64() > Some(0), "{mood:?}: {state}");
        assert!(!warnings(&server, "").contains(UNKNOWN), "{mood:?}");
    }
    assert_eq!(connections(&server), 1, "nobody asked for the intruder");
    assert_eq!(server.incidents().len(), 1);
}

#[test]
fn what_is_sent_is_not_asked_for_and_secrets_stay_secret() {
    let folder = Folder::new("pull-sent");
    let fake = Fake::start("127.0.0.1:0", Mood::HasNothing);
    let settings = format!(
        "pull:\n  - url: http://{}/prometheus/\n    every: 1s\n    delay: 1s\n    history: 1m\n    token: file:../prometheus.token\n    headers: {{X-Scope-OrgID: shop}}\n",
        fake.address
    );
    let server = start(&folder, &project(&folder, &settings));
    fails(&server, "was not asked");
    assert!(fake.heard().is_empty());
    std::fs::write(folder.0.join("prometheus.token"), "hunter2\n").unwrap();
    recovers(&server);
    let heard = fake.heard().pop().unwrap();
    assert!(heard.starts_with("POST /prometheus/api/v1/query HTTP/1.1"), "{heard}");
    assert!(heard.contains("authorization: Bearer hunter2") && heard.to_lowercase().contains("x-scope-orgid: shop"), "{heard}");
    assert!(asks_for_connections(&heard), "{heard}");
    let all = state(&server);
    assert_eq!(all["asked"], all["wanted"]);
    // Somebody sends it now,
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let attributes = json!([{"key": "component", "value": {"stringValue": "order-db"}}]);
    let gauge = json!({"dataPoints": [{"timeUnixNano": now.to_string(), "asDouble": 100, "attributes": attributes}]});
    let sent = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": CONNECTIONS, "gauge": gauge}]}]}]});
    assert_eq!(server.post("/v1/metrics", &sent).0, 200);
    let wanted = all["wanted"].as_u64().unwrap();
    until("it is not asked for any more", || match state(&server) {
        state if state["asked"].as_u64() == Some(wanted - 1) => Ok(()),
        state => Err(state.to_string()),
    });
    until("the next question is without it", || match fake.heard().pop() {
        Some(heard) if !asks_for_connections(&heard) => Ok(()),
        heard => Err(format!("{heard:?}")),
    });
    // and nothing tells of the secret.
    for path in ["/api/v1/coverage", "/metrics", "/api/v1/diagnosis"] {
        assert!(!server.get(path).1.to_string().contains("hunter2"), "{path}");
    }
}
