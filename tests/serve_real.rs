//! The real tools: a Prometheus that scrapes, evaluates, writes and tells, and an Alertmanager in between. Both are Debian's packages, as
//! installed by `.ci/run`.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use crate::common::running::{ESTATE, Folder, Process, Running, SOURCES, until};

const RULE: (&str, &str) = (
    "rules/db.rules",
    "TOP-001 \"Out of connections\" {\n  given   db: database\n  if      alert \"ConnectionsHigh\" on db\n  then    impact dependents of db where type = service\n  check   \"Which service holds them\"\n}\n",
);

/// A database with an exporter: the number of its connections, which a test sets.
pub struct Exporter {
    address: String,
    connections: Arc<AtomicU64>,
}

impl Exporter {
    pub fn start() -> Exporter {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let connections = Arc::new(AtomicU64::new(100));
        let shown = Arc::clone(&connections);
        // It ends with the tests.
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                drop(serve(connection, shown.load(Ordering::Relaxed)));
            }
        });
        Exporter { address, connections }
    }

    pub fn set(&self, connections: u64) {
        self.connections.store(connections, Ordering::Relaxed);
    }
}

/// One answer, and the connection ends.
fn serve(mut connection: TcpStream, connections: u64) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let body = format!("# TYPE mysql_global_status_threads_connected gauge\nmysql_global_status_threads_connected {connections}\n");
    let length = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    connection.write_all(head.as_bytes())?;
    connection.write_all(body.as_bytes())
}

/// A port that nobody has just now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn run(program: &str, dir: &Path, arguments: &[String]) -> Process {
    let log = std::fs::File::create(dir.join(format!("{program}.log"))).unwrap();
    let child = Command::new(program).current_dir(dir).args(arguments).stdout(Stdio::null()).stderr(log).spawn();
    Process(child.unwrap_or_else(|error| panic!("{program}: {error}")))
}

/// The rule for which the exporter is watched.
const ALERTS: &str = "groups:\n  - name: db\n    interval: 1s\n    rules:\n      - alert: ConnectionsHigh\n        expr: mysql_global_status_threads_connected > 400\n        labels: {severity: critical}\n        annotations: {summary: '{{ $value }} connections'}\n";

/// A Prometheus on a port that scrapes the exporter each second, and sends alerts to `alertmanager` (host and port) and, if given,
/// samples to `server`.
pub fn prometheus(folder: &Folder, exporter: &Exporter, port: u16, alerts: &str, alertmanager: &str, server: Option<&str>) -> Process {
    let write = server.map_or_else(String::new, |server| {
        format!("remote_write:\n  - url: {server}/api/v1/write\n    queue_config: {{batch_send_deadline: 1s}}\n")
    });
    let configuration = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [alerts.yml]\nscrape_configs:\n  - job_name: mysql\n    static_configs: [{{targets: ['{}'], labels: {{component: order-db}}}}]\nalerting:\n  alertmanagers:\n    - static_configs: [{{targets: ['{alertmanager}']}}]\n{write}",
        exporter.address
    );
    let dir = folder.with("prometheus", &[("prometheus.yml", &configuration), ("alerts.yml", alerts)]);
    let arguments = [
        "--config.file=prometheus.yml".to_owned(),
        "--storage.tsdb.path=data".to_owned(),
        format!("--web.listen-address=127.0.0.1:{port}"),
        // An alert that is not sent again is over after four times this.
        "--rules.alert.resend-delay=1s".to_owned(),
    ];
    run("prometheus", &dir, &arguments)
}

/// An Alertmanager that sends every alert to the server's webhook; where it listens.
fn alertmanager(folder: &Folder, server: &str) -> (Process, String) {
    let configuration = format!(
        "route: {{receiver: faultscope, group_by: ['...'], group_wait: 1s, group_interval: 1s, repeat_interval: 1m}}\nreceivers:\n  - name: faultscope\n    webhook_configs: [{{url: '{server}/api/v1/ingest/alertmanager', send_resolved: true}}]\n"
    );
    let dir = folder.with("alertmanager", &[("alertmanager.yml", &configuration)]);
    let address = format!("127.0.0.1:{}", free_port());
    let arguments = [
        "--config.file=alertmanager.yml".to_owned(),
        "--storage.path=data".to_owned(),
        format!("--web.listen-address={address}"),
        "--cluster.listen-address=".to_owned(),
    ];
    (run("prometheus-alertmanager", &dir, &arguments), address)
}

/// Waits for the one incident of the database to fire, or to be over.
fn wait_for(server: &Running, fires: bool) -> Value {
    until(if fires { "the incident fires" } else { "the incident is over" }, || {
        let incidents = server.incidents();
        let of_db: Vec<&Value> = incidents.iter().filter(|one| one["component"] == "order-db").collect();
        match of_db.as_slice() {
            [one] if one["report"]["until"].is_null() == fires && one["layer"] == "expert" => Ok((*one).clone()),
            [] | [_] => Err(format!("{of_db:?}")),
            _ => panic!("one fault is one incident: {of_db:?}"),
        }
    })
}

#[test]
#[cfg_attr(not(prometheus), ignore = "needs prometheus and prometheus-alertmanager")]
fn prometheus_tells_and_writes() {
    let folder = Folder::new("real-prometheus");
    let project = folder.with("project", &[ESTATE, SOURCES, RULE]);
    let server = Running::start(&project, &folder.0.join("data"), "127.0.0.1:0");
    let host = server.address.trim_start_matches("http://").to_owned();
    let exporter = Exporter::start();
    let prometheus = prometheus(&folder, &exporter, free_port(), ALERTS, &host, Some(&server.address));
    until("samples arrive by remote-write", || match server.count("metric series", "received") {
        0 => Err("no series".to_owned()),
        count => Ok(count),
    });
    assert!(server.incidents().is_empty(), "{:?}", server.incidents());
    exporter.set(450);
    let incident = wait_for(&server, true);
    assert_eq!((incident["fault"].as_str(), incident["severity"].as_str()), (Some("Out of connections"), Some("critical")));
    let queried = Command::new("amtool").args(["--alertmanager.url", &server.address, "alert", "query"]).output();
    if let Ok(output) = queried {
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("ConnectionsHigh"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    }
    // Prometheus says that it is over,
    exporter.set(100);
    wait_for(&server, false);
    exporter.set(450);
    assert_eq!(wait_for(&server, true)["id"], incident["id"], "what comes back is the same incident");
    // or says nothing more.
    drop(prometheus);
    wait_for(&server, false);
    // All of it survives.
    let (before, last) = (server.incidents(), server.count("metric series", "received"));
    server.kill();
    let server = Running::start(&project, &folder.0.join("data"), "127.0.0.1:0");
    let after = server.incidents();
    assert_eq!((&after[0]["id"], after.len()), (&before[0]["id"], before.len()));
    assert_eq!(server.count("metric series", "received"), last);
}

#[test]
#[cfg_attr(not(prometheus), ignore = "needs prometheus and prometheus-alertmanager")]
fn an_alertmanager_in_between() {
    let folder = Folder::new("real-alertmanager");
    let project = folder.with("project", &[ESTATE, SOURCES, RULE]);
    let data = folder.0.join("data");
    let server = Running::start(&project, &data, "127.0.0.1:0");
    let listen = format!("127.0.0.1:{}", server.port());
    let exporter = Exporter::start();
    let (_alertmanager, address) = alertmanager(&folder, &server.address);
    let _prometheus = prometheus(&folder, &exporter, free_port(), ALERTS, &address, None);
    exporter.set(450);
    let incident = wait_for(&server, true);
    exporter.set(100);
    wait_for(&server, false);
    exporter.set(450);
    wait_for(&server, true);
    // A resolution while nobody listens: Alertmanager tries until somebody does.
    server.kill();
    exporter.set(100);
    std::thread::sleep(std::time::Duration::from_secs(4));
    let server = Running::start(&project, &data, &listen);
    let over = wait_for(&server, false);
    assert_eq!(over["id"], incident["id"]);
}

/// A rule about a metric that nobody sends.
const METRIC_RULE: (&str, &str) = (
    "rules/db.rules",
    "TOP-001 \"Out of connections\" {\n  given   db: database\n  if      db.connections > 400\n  then    impact dependents of db where type = service\n  check   \"Which service holds them\"\n}\n",
);

#[test]
#[cfg_attr(not(prometheus), ignore = "needs prometheus and prometheus-alertmanager")]
fn prometheus_is_asked() {
    let folder = Folder::new("real-pull");
    let (port, exporter) = (free_port(), Exporter::start());
    // Nobody takes its alerts.
    let nowhere = format!("127.0.0.1:{}", free_port());
    let running = prometheus(&folder, &exporter, port, ALERTS, &nowhere, None);
    let settings = format!("pull: {{url: 'http://127.0.0.1:{port}', every: 1s, delay: 2s}}\n");
    let project = folder.with("project", &[ESTATE, SOURCES, METRIC_RULE, ("server.yaml", &settings)]);
    let server = Running::start(&project, &folder.0.join("data"), "127.0.0.1:0");
    let state = |failing: bool| {
        until(if failing { "it is not answered" } else { "it is answered" }, || {
            let state = server.get("/api/v1/coverage").1["pulls"][0].clone();
            let answered = state["last_success"].is_string() && state["samples"].as_u64() > Some(0);
            if state["failing_since"].is_string() == failing && answered { Ok(state) } else { Err(state.to_string()) }
        })
    };
    state(false);
    assert!(server.incidents().is_empty(), "{:?}", server.incidents());
    exporter.set(450);
    let incident = wait_for(&server, true);
    assert_eq!(incident["fault"].as_str(), Some("Out of connections"));
    exporter.set(100);
    wait_for(&server, false);
    drop(running);
    let failing = state(true);
    assert!(failing["last_error"].as_str().unwrap().contains("cannot be reached"), "{failing}");
    let diagnosis = server.diagnosis();
    assert!(diagnosis["warnings"].to_string().contains("what rests on them is unknown"), "{diagnosis}");
    // It is back, and so is what it tells.
    let _running = prometheus(&folder, &exporter, port, ALERTS, &nowhere, None);
    exporter.set(450);
    let again = wait_for(&server, true);
    assert_eq!(again["id"], incident["id"], "what comes back is the same incident");
    state(false);
}
