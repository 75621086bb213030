//! The server against those who mean no good, or know no better: each attack as a request on the wire.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::common::{faultscope, root};
use crate::serve::{Folder, Server};

const PATIENCE: Duration = Duration::from_secs(10);

/// Until what the server is to notice has been noticed.
fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn start(folder: &Folder, settings: &str) -> Server {
    fs::write(folder.0.join("server.yaml"), settings).unwrap();
    Server::start(&folder.0, folder)
}

fn connect(server: &Server) -> TcpStream {
    let address = server.address.split_once("://").unwrap().1;
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends a request as it stands; the status, and all that is answered. Status 0: the connection was closed without an answer.
fn raw(server: &Server, request: &str) -> (u16, String) {
    let mut stream = connect(server);
    // Who is refused may be cut off while it still sends.
    let _ = stream.write_all(request.as_bytes());
    heard(&mut stream)
}

fn heard(stream: &mut TcpStream) -> (u16, String) {
    let mut said = Vec::new();
    // A connection that is cut has said what it has said.
    let _ = stream.read_to_end(&mut said);
    let said = String::from_utf8_lossy(&said).into_owned();
    (said.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), said)
}

fn request(method: &str, path: &str, headers: &[&str], body: &str) -> String {
    let host = if headers.iter().any(|header| header.starts_with("host:")) { "" } else { "host: localhost\r\n" };
    let headers: String = headers.iter().flat_map(|header| [*header, "\r\n"]).collect();
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\n{host}{headers}connection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

fn status(server: &Server, method: &str, path: &str, headers: &[&str]) -> u16 {
    raw(server, &request(method, path, headers, "")).0
}

fn add(folder: &Folder, name: &str, role: &str) -> String {
    let (project, data) = (folder.0.display().to_string(), folder.0.join("data").display().to_string());
    let (code, out, err) = faultscope(&["token", "add", name, "--role", role, "--project", &project, "--data", &data]);
    assert_eq!(code, 0, "{err}");
    out.trim().to_owned()
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}")
}

fn audit(folder: &Folder) -> Vec<Value> {
    let text = fs::read_to_string(folder.0.join("data/audit.ndjson")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What `server.yaml` says is taken over while the server runs; of the rest it is said that it waits. A file with an error changes nothing.
#[test]
fn settings_change_under_a_running_server() {
    let folder = Folder::project("guard-settings", "");
    let file = folder.0.join("server.yaml");
    let server = start(&folder, "hosts: [old.example.com]\n");
    let called = |host: &str| status(&server, "GET", "/api/v1/incidents", &[&format!("host: {host}")]);
    let ready = || serde_json::from_str::<Value>(&server.ask("GET", "/-/ready", None).1).unwrap()["settings"].clone();
    let reload = || server.ask("POST", "/-/reload", Some(("application/json", "{}".to_owned())));
    assert_eq!((called("old.example.com"), called("new.example.com")), (200, 421));
    // Nobody asks for it: it is seen.
    fs::write(&file, "hosts: [new.example.com]\nlimits: {diagnoses: 3}\nretention: {age: 2d}\nkeep: {signals: 1h}\n").unwrap();
    until("the new name is known", || called("new.example.com") == 200);
    assert_eq!(called("old.example.com"), 421);
    until("the state follows", || ready()["restart"] == serde_json::json!(["limits"]));
    // A line of two hours ago: what was kept of it before is not kept now.
    let then = (std::time::SystemTime::now() - Duration::from_hours(2)).duration_since(std::time::UNIX_EPOCH).unwrap();
    let values = [[then.as_nanos().to_string(), "failed".to_owned()]];
    let line = serde_json::json!({"streams": [{"stream": {"component": "order-db"}, "values": values}]}).to_string();
    assert_eq!(server.ask("POST", "/loki/api/v1/push", Some(("application/json", line))).0, 204);
    let metrics = || server.ask("GET", "/metrics", None).1;
    assert!(metrics().contains("{protocol=\"loki\",fate=\"too_old\"} 1"), "{}", metrics());
    fs::write(&file, "hosts: [third.example.com]\nlisten: nowhere\nnotify: {routes: [{to: nobody}]}\n").unwrap();
    let (code, said) = reload();
    assert!(code == 500 && said.contains("the settings have 2 errors") && said.contains("`nowhere` is not an address"), "{code} {said}");
    assert_eq!((called("new.example.com"), called("third.example.com")), (200, 421));
    assert_eq!((ready()["refused"].as_array().unwrap().len(), ready()["restart"].as_array().unwrap().len()), (2, 1));
    assert!(metrics().contains("faultscope_config_last_reload_successful 0"), "{}", metrics());
    fs::write(&file, "listen: [\n").unwrap();
    let (code, said) = reload();
    assert!(code == 500 && said.contains("the settings have 1 error and") && ready()["refused"].as_array().unwrap().len() == 1, "{said}");
    fs::remove_file(&file).unwrap();
    assert_eq!((reload().0, called("new.example.com")), (500, 200), "a file that is gone opens nothing");
    fs::write(&file, "hosts: [third.example.com]\n").unwrap();
    let (code, said) = reload();
    assert_eq!(code, 200, "{said}");
    assert_eq!((called("new.example.com"), called("third.example.com")), (421, 200));
    assert_eq!((&ready()["refused"], &ready()["restart"]), (&serde_json::json!([]), &serde_json::json!([])));
    let said = server.kill();
    for expected in ["in use, but for `limits`: that waits for a restart", "the settings in use stay: ", "have changed and are in use\n"] {
        assert!(said.contains(expected), "{expected:?} is not in {said}");
    }
}

#[test]
fn names_and_pages_of_others_are_refused() {
    let folder = Folder::project("guard-host", "");
    let server = start(&folder, "hosts: [faultscope.example.com]\norigins: ['https://portal.example.com']\n");
    for (host, expected) in [
        ("localhost", 200),
        ("LOCALHOST:7400", 200),
        ("127.0.0.1", 200),
        ("faultscope.example.com", 200),
        ("faultscope.example.com:443", 200),
        ("evil.example", 421),
        ("evil.example:7400", 421),
        ("localhost.evil.example", 421),
        ("192.0.2.1", 421),
        ("", 421),
    ] {
        let (status, said) = raw(&server, &request("GET", "/api/v1/incidents", &[&format!("host: {host}")], ""));
        assert_eq!(status, expected, "{host}: {said}");
        assert!(status == 200 || (said.contains("F9520") && said.contains("\"help\"")), "{host}: {said}");
    }
    assert_eq!(raw(&server, "GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n").0, 421, "no host at all");
    assert_eq!(status(&server, "GET", "/healthz", &["host: localhost", "host: evil.example"]), 421, "two hosts");
    for (method, origin, expected) in [
        ("POST", "http://localhost", 200),
        ("POST", "https://portal.example.com", 200),
        ("POST", "https://evil.example", 403),
        ("POST", "http://localhost:9000", 403),
        ("POST", "null", 403),
        ("GET", "https://evil.example", 405),
    ] {
        assert_eq!(status(&server, method, "/-/reload", &[&format!("origin: {origin}")]), expected, "{method} {origin}");
    }
}

/// What each route needs; the roles are in the order of what they may.
const NEEDS: &str = "
    GET /healthz open
    GET /-/healthy open
    GET /-/ready open
    GET /api/v1 viewer
    GET /api/v1/diagnosis viewer
    GET /api/v1/incidents viewer
    GET /api/v1/incidents/1 viewer
    GET /api/v1/scores viewer
    GET /api/v1/predict viewer
    GET /api/v1/openapi.json viewer
    GET /api/v1/why viewer
    GET /api/v1/impact viewer
    GET /api/v1/estate viewer
    GET /api/v1/estate/order-db viewer
    GET /api/v1/rules viewer
    GET /api/v1/cases viewer
    GET /api/v1/signals viewer
    GET /api/v1/coverage viewer
    GET /api/v1/notifications viewer
    GET /api/v2/status viewer
    GET /api/v2/alerts viewer
    GET /api/v2/alerts/groups viewer
    GET /api/v2/receivers viewer
    GET /api/v2/silences viewer
    GET /metrics viewer
    POST /api/v1/predict viewer
    POST /api/v1/change viewer
    POST /api/v1/diagnose viewer
    POST /api/v1/incidents/1/acknowledge responder
    POST /api/v1/incidents/1/%61cknowledge responder
    POST /-/reload author
    POST /api/v1/scores ingest
    POST /api/v2/alerts ingest
    POST /api/v1/ingest/alertmanager ingest
    POST /api/v1/write ingest
    POST /loki/api/v1/push ingest
    POST /v1/metrics ingest
    POST /v1/logs ingest
    POST /v1/traces ingest
    POST /api/v1/ingest/zabbix ingest
    POST /api/v1/ingest/cloudevents ingest
    POST /api/v1/ingest/kubernetes ingest
    GET /api/v1/nothing open
";

#[test]
fn each_role_may_what_it_needs_and_no_more() {
    let folder = Folder::project("guard-roles", "");
    let roles = ["ingest", "viewer", "responder", "author", "admin"];
    let tokens = roles.map(|role| (role, add(&folder, &format!("a-{role}"), role)));
    let server = start(&folder, "");
    let rank = |role: &str| roles.iter().position(|one| *one == role).unwrap();
    for line in NEEDS.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let [method, path, needed]: [&str; 3] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let nobody = status(&server, method, path, &[]);
        assert_eq!(nobody == 401, needed != "open", "{line} without a token: {nobody}");
        for (role, token) in &tokens {
            let may = match needed {
                "open" => true,
                "ingest" => matches!(*role, "ingest" | "admin"),
                needed => rank(role) >= rank(needed),
            };
            let (found, said) = raw(&server, &request(method, path, &[&bearer(token)], ""));
            assert_eq!(found != 403 && found != 401 && found != 0, may, "{line} as {role}: {said}");
            assert!(found != 403 || (said.contains("F9522") && said.contains("\"help\"")), "{said}");
        }
    }
}

/// Tokens that cannot be read leave those before in use, and are told wherever settings are.
#[test]
fn broken_tokens_are_told() {
    let folder = Folder::project("guard-broken-tokens", "");
    let token = add(&folder, "ops", "admin");
    let server = start(&folder, "");
    let file = folder.0.join("data/tokens.json");
    let (good, headers) = (fs::read(&file).unwrap(), bearer(&token));
    let told = || {
        let (_, ready) = raw(&server, &request("GET", "/-/ready", &[], ""));
        let (_, metrics) = raw(&server, &request("GET", "/metrics", &[&headers], ""));
        (ready.contains("the tokens in use stay: "), metrics.contains("faultscope_config_last_reload_successful 0"))
    };
    assert_eq!(told(), (false, false));
    fs::write(&file, "{").unwrap();
    until("it is told", || told() == (true, true));
    let (code, said) = raw(&server, &request("POST", "/-/reload", &[&headers], "{}"));
    assert!(code == 500 && said.contains("the settings have 1 error and"), "{said}");
    fs::write(&file, good).unwrap();
    until("it is over", || told() == (false, false));
}

/// No role helps whoever uses a wrong method: they are told which one is right.
#[test]
fn a_wrong_method_is_told_to_every_role() {
    let folder = Folder::project("guard-methods", "");
    let tokens = ["ingest", "viewer", "author", "admin"].map(|role| add(&folder, &format!("a-{role}"), role));
    let server = start(&folder, "");
    for (method, path, allowed) in [
        ("GET", "/loki/api/v1/push", "post"),
        ("PUT", "/api/v2/alerts", "get,head,post"),
        ("GET", "/-/reload", "post"),
        ("PUT", "/-/reload", "post"),
        ("DELETE", "/api/v1/incidents", "get,head"),
        ("DELETE", "/api/v2/silences", "get,head"),
    ] {
        assert_eq!(status(&server, method, path, &[]), 401, "{method} {path}: who is nobody learns nothing");
        for token in &tokens {
            let (found, said) = raw(&server, &request(method, path, &[&bearer(token)], ""));
            assert_eq!(found, 405, "{method} {path}: {said}");
            let allow = said.lines().find_map(|line| line.to_lowercase().strip_prefix("allow: ").map(str::to_owned)).unwrap_or_default();
            let mut methods: Vec<&str> = allow.trim().split(',').map(str::trim).collect();
            methods.sort_unstable();
            assert!(methods.join(",") == allowed && said.contains("F9503"), "{method} {path}: {said}");
        }
    }
}

#[test]
fn tokens_come_and_go_while_the_server_runs() {
    let folder = Folder::project("guard-tokens", "");
    let server = start(&folder, "");
    let ask = |headers: &[&str]| status(&server, "GET", "/api/v1/incidents", headers);
    assert_eq!(ask(&[]), 200, "the loopback address needs none until there is one");
    let token = add(&folder, "duty", "viewer");
    until("the first token closes the door", || ask(&[]) == 401);
    assert_eq!(ask(&[&bearer(&token)]), 200);
    // As `basic_auth` of Prometheus sends it.
    let basic = base64(&format!("duty:{token}"));
    assert_eq!(ask(&[&format!("authorization: Basic {basic}")]), 200);
    for wrong in [format!("fst_{}", "0".repeat(64)), String::new(), token.replace("fst_", ""), token.to_uppercase(), format!("{token}0")] {
        assert_eq!(ask(&[&bearer(&wrong)]), 401, "{wrong}");
    }
    let (_, said) = raw(&server, &request("GET", "/api/v1/incidents", &[], ""));
    assert!(said.contains("F9521") && said.contains("\"help\"") && said.to_lowercase().contains("www-authenticate: bearer"), "{said}");
    let (project, data) = (folder.0.display().to_string(), folder.0.join("data").display().to_string());
    let of = |args: &[&str]| faultscope(&[args, &["--project", &project, "--data", &data]].concat());
    let (_, listed, _) = of(&["token", "list"]);
    assert!(listed.starts_with("duty  viewer ") && !listed.contains("fst_"), "{listed}");
    assert_eq!(of(&["token", "add", "duty", "--role", "admin"]).0, 2);
    assert!(of(&["token", "revoke", "dutty"]).2.contains("did you mean `duty`?"));
    assert_eq!(of(&["token", "revoke", "duty"]).0, 0);
    until("a token that was taken back is refused", || ask(&[&bearer(&token)]) == 401);
    assert_eq!(ask(&[]), 401, "without any token nobody comes in, not everybody");
    fs::remove_file(folder.0.join("data/tokens.json")).unwrap();
    std::thread::sleep(Duration::from_millis(2_500));
    assert_eq!(ask(&[]), 401, "removing the file opens nothing");
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place > chunk.len() { '=' } else { char::from(digit) });
        }
    }
    out
}

#[test]
fn nobody_listens_to_the_world_by_accident() {
    let folder = Folder::project("guard-open", "");
    let (project, data) = (folder.0.display().to_string(), folder.0.join("data").display().to_string());
    let (code, _, err) = faultscope(&["serve", "--listen", "0.0.0.0:0", "--project", &project, "--data", &data]);
    assert!(code == 2 && err.contains("F9509") && err.contains("token add"), "{code} {err}");
    assert!(!folder.0.join("data").exists(), "a refused start leaves nothing");
    let server = Server::start_with(&folder.0, &folder, &["--listen", "0.0.0.0:0", "--insecure-open"]);
    let said = server.kill();
    assert!(said.contains("no authentication"), "{said}");
    add(&folder, "duty", "viewer");
    let server = Server::start_with(&folder.0, &folder, &["--listen", "0.0.0.0:0"]);
    let said = server.kill();
    assert!(said.contains("no encryption"), "{said}");
}

#[test]
fn half_sent_headers_silence_nobody() {
    let folder = Folder::project("guard-half", "");
    let mut server = start(&folder, "limits: {connections: 100, header: 3s}\n");
    let mut half = Vec::new();
    for _ in 0..300 {
        let mut stream = connect(&server);
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: local").unwrap();
        half.push(stream);
    }
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(status(&server, "GET", "/healthz", &[]), 200);
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    // The last one was never pushed out: its time runs out.
    let mut last = half.pop().unwrap();
    assert!(matches!(heard(&mut last).0, 0 | 408));
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    // Half a header, and a listener to events, do not hold up a stop.
    let mut stream = connect(&server);
    stream.write_all(b"GET /healthz HTTP/1.1\r\n").unwrap();
    let mut events = connect(&server);
    events.write_all(b"GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let took = server.stop();
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn slow_and_large_bodies_have_a_budget() {
    let folder = Folder::project("guard-bodies", "");
    let server = start(&folder, "limits: {bodies: 1MiB, body: 3s}\n");
    let piece = "x".repeat(700 << 10);
    let head = "POST /api/v1/diagnose HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 60000000\r\n\r\n";
    let mut slow: Vec<TcpStream> = (0..3)
        .map(|_| {
            let mut stream = connect(&server);
            stream.write_all(head.as_bytes()).unwrap();
            // Who is refused may be cut off meanwhile.
            let _ = stream.write_all(piece.as_bytes());
            std::thread::sleep(Duration::from_millis(300));
            stream
        })
        .collect();
    // Small questions are free.
    let began = Instant::now();
    let (status, said) = raw(&server, &request("POST", "/api/v1/diagnose", &[], "{}"));
    assert_eq!(status, 422, "{said}");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    // A sender hears what it understands.
    let large = format!("[{}]", "{},".repeat(500_000));
    let (status, said) = raw(&server, &request("POST", "/v1/logs", &[], &large));
    assert!(matches!(status, 0 | 503), "{said}");
    let answers: Vec<u16> = slow.iter_mut().map(|stream| heard(stream).0).collect();
    assert!(answers.contains(&408), "one of them had room, and was given up: {answers:?}");
    assert!(answers.iter().all(|status| matches!(status, 0 | 408 | 503)), "{answers:?}");
    // All is given back.
    let (status, said) = raw(&server, &request("POST", "/api/v1/diagnose", &[], &format!("{{\"alert\": \"{piece}\"}}")));
    assert_eq!(status, 422, "{said}");
}

#[test]
fn every_write_is_in_the_audit() {
    let folder = Folder::project("guard-audit", "");
    let (duty, viewer, sender) =
        (add(&folder, "duty", "responder"), add(&folder, "screen", "viewer"), add(&folder, "prometheus", "ingest"));
    let mut server = start(&folder, "");
    assert_eq!(status(&server, "POST", "/api/v1/incidents/7/acknowledge", &[&bearer(&duty)]), 404);
    assert_eq!(status(&server, "POST", "/api/v1/incidents/7/acknowledge", &[&bearer(&viewer)]), 403);
    assert_eq!(status(&server, "POST", "/api/v1/incidents/7/acknowledge", &[]), 401);
    assert_eq!(status(&server, "GET", "/api/v1/incidents", &[&bearer(&viewer)]), 200);
    for _ in 0..3 {
        assert_eq!(raw(&server, &request("POST", "/api/v2/alerts", &[&bearer(&sender)], "[]")).0, 200);
    }
    server.stop();
    let lines = audit(&folder);
    let shown: Vec<String> = lines
        .iter()
        .map(|line| format!("{} {} {} {} {}", line["who"], line["role"], line["method"], line["path"], line["status"]))
        .collect();
    assert_eq!(
        shown,
        [
            "\"duty\" \"responder\" \"POST\" \"/api/v1/incidents/7/acknowledge\" 404",
            "\"screen\" \"viewer\" \"POST\" \"/api/v1/incidents/7/acknowledge\" 403",
            "\"prometheus\" \"ingest\" null null null",
        ]
    );
    assert_eq!(lines[2]["requests"], 3);
    assert!(lines.iter().all(|line| line["at"].is_string()), "{lines:?}");
}

#[test]
fn errors_in_the_settings_have_their_place() {
    for (settings, expected) in [
        ("listn: 127.0.0.1:0\n", &["F3002", "did you mean `listen`?", "server.yaml:1:1"][..]),
        ("listen: everywhere\n", &["F3003", "`everywhere` is not an address", "server.yaml:1:9"]),
        ("tls:\n  cert: a.pem\n  key: |\n    -----BEGIN PRIVATE KEY-----\n    abc\n", &["F3021", "literal secret", "env:NAME"]),
        ("tls: {cert: a.pem}\n", &["F3004", "key"]),
        ("hosts: ['https://a.example/']\n", &["F3003", "is not the name of a host"]),
        ("origins: [a.example]\n", &["F3003", "is not an origin"]),
        (
            "limits: {body: soon, connections: 0, bodies: 12 Gib}\n",
            &["invalid duration `soon`", "a whole number of at least 1", "did you mean `GiB`?"],
        ),
        ("retention: {size: 4 apples}\n", &["is not an amount of data"]),
        ("keep: {signal: 6h}\n", &["did you mean `signals`?"]),
        ("pull: {every: 30s}\n", &["F3004", "a server in `pull` needs `url`", "server.yaml:1:7"]),
        (
            "pull: {url: prometheus}\n",
            &["F3003", "`prometheus` is not the address of a server to ask", "server.yaml:1:13", "`http://prometheus:9090`"],
        ),
        ("pull: {url: 'http://p:9090?a=b'}\n", &["F3003", "`http://p:9090?a=…` is not the address"]),
        ("pull: {url: 'http://me:hunter2@p:9090'}\n", &["F3021", "literal secret", "under `user` and `password`"]),
        ("pull: [{url: http://p:9090}, {url: http://p:9090/}]\n", &["F3003", "`http://p:9090` is there twice", "server.yaml:1:30"]),
        ("pull: {url: http://p:9090, evry: 1m}\n", &["F3002", "did you mean `every`?"]),
        (
            "pull: {url: http://p:9090, every: 1ms, timeout: 1h, history: 5d, delay: soon}\n",
            &["invalid duration `1ms`", "from `1s` to `1h`", "invalid duration `1h`", "invalid duration `5d`", "invalid duration `soon`"],
        ),
        ("pull: {url: http://p:9090, token: abc123}\n", &["F3021", "`token` is a secret and must not be in this file", "`file:PATH`"]),
        ("pull: {url: http://p:9090, headers: {X-Api-Key: abc123}}\n", &["F3021", "`X-Api-Key` is a secret", "server.yaml:1:49"]),
        ("pull: {url: http://p:9090, user: me}\n", &["F3004", "a server in `pull` needs `password`"]),
        (
            "pull: {url: http://p:9090, user: me, password: env:P, token: 'file:t'}\n",
            &["F3003", "has both `token` and `user`", "keep the one that the server asks for"],
        ),
        (
            "notify: {channels: {hook: {kind: webhook, url: env:U}}, routes: [{to: hoook}]}\n",
            &["`hoook`", "did you mean `hook`?", "server.yaml:1:"],
        ),
        ("notify: {channels: {hook: {kind: pager, url: env:U}}}\n", &["`pager`", "server.yaml:1:"]),
        ("notify: {channels: {hook: {kind: webhook, url: env:U, time_zone: Mars/X}}}\n", &["`Mars/X`"]),
        ("notify: {at_most_every: 5x}\n", &["`5x`", "server.yaml:1:"]),
        ("notify: {channels: {hook: {kind: wecom, url: 'http://x/?key=hunter2'}}}\n", &["F3021", "`url` is a secret"]),
        ("listen: [\n", &["F3001"]),
    ] {
        let folder = Folder::project("guard-settings", "");
        fs::write(folder.0.join("server.yaml"), settings).unwrap();
        let project = folder.0.display().to_string();
        let (code, out, _) = faultscope(&["check", &project]);
        assert_eq!(code, 1, "{settings}: {out}");
        let (code, _, err) = faultscope(&["serve", "--project", &project, "--listen", "127.0.0.1:0"]);
        assert_eq!(code, 2, "{settings}: {err}");
        for part in expected {
            assert!(out.contains(part) && err.contains(part), "{settings}: {part:?} is not in\n{out}\n{err}");
        }
        assert!(!folder.0.join(".faultscope").exists(), "{settings}: a refused start leaves nothing");
    }
    let (code, _, err) = faultscope(&["serve", "--config", "no-such.yaml", "--listen", "127.0.0.1:0"]);
    assert!(code == 2 && err.contains("F9001"), "{err}");
}

fn trusting(certificate: &Path) -> Agent {
    let certificate = Certificate::from_pem(&fs::read(certificate).unwrap()).unwrap();
    let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[certificate])).build();
    Agent::config_builder().proxy(None).http_status_as_error(false).timeout_global(Some(PATIENCE)).tls_config(tls).build().into()
}

#[test]
fn certificates_are_read_again_and_bad_ones_never_used() {
    let folder = Folder::project("guard-tls", "");
    let given = |name: &str| root().join("tests/tls").join(name);
    let put = |pem: &str, key: &str| {
        fs::copy(given(key), folder.0.join("server.key")).unwrap();
        fs::copy(given(pem), folder.0.join("server.pem")).unwrap();
    };
    put("first.pem", "first.key");
    let server = start(&folder, "tls: {cert: server.pem, key: server.key}\n");
    assert!(server.address.starts_with("https://"), "{}", server.address);
    let address = format!("{}/healthz", server.address);
    // A new client each time, so that none goes on with an old connection.
    let trusted = |name: &str| trusting(&given(name)).get(&address).call().is_ok_and(|said| said.status().as_u16() == 200);
    assert!(trusted("first.pem") && !trusted("second.pem"));
    assert_ne!(raw(&server, "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").0, 200, "nothing goes unencrypted");
    fs::write(folder.0.join("server.pem"), "nonsense").unwrap();
    std::thread::sleep(Duration::from_millis(2_500));
    assert!(trusted("first.pem"), "the old one stays");
    put("second.pem", "second.key");
    until("the new certificate is in use", || trusted("second.pem"));
    let said = server.kill();
    assert!(said.contains("the certificate in use stays") && said.contains("has changed and is in use"), "{said}");
    // A key of another certificate: no start.
    put("first.pem", "second.key");
    let (code, _, err) = faultscope(&["serve", "--project", &folder.0.display().to_string(), "--listen", "127.0.0.1:0"]);
    assert!(code == 2 && err.contains("F9525") && err.contains("in PEM"), "{err}");
}
