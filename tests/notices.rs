//! What each channel is sent, from settings and an incident: `tests/notices/*.yaml`. What the settings refuse: `tests/notices/settings/`.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use diag::Sources;
use notices::{Advice, Occasion, Reference, Request, Settings, Story, request};
use project::Hidden;
use serde_json::{Value, json};
use value::Time;
use value::yaml::parse;

use crate::common::{root, snapshot};

fn read(text: &str, name: &str) -> (Settings, String) {
    let mut sources = Sources::default();
    let source = sources.add(name, text);
    let node = parse(&sources, source).unwrap();
    let (settings, diagnostics) = Settings::read(&sources, &node, Path::new(""));
    (settings, diag::render(&sources, &diagnostics, false, false))
}

#[allow(clippy::unnecessary_wraps, reason = "as the sender reads them")]
fn reveal(hidden: &Hidden) -> Result<String, diag::Text> {
    let text = match hidden {
        Hidden::Env(name) => match name.as_str() {
            "URL" => "https://hook.example.com/robot?access_token=t0",
            "SECRET" => "SEC123",
            "TOKEN" => "xoxb-1",
            other => panic!("{other}"),
        },
        Hidden::File(path) => path,
        Hidden::Written(text) => text,
    };
    Ok(text.to_owned())
}

fn texts(case: &Value, key: &str) -> Vec<String> {
    case.get(key).map_or_else(Vec::new, |list| serde_json::from_value(list.clone()).unwrap())
}

/// The request as text: address, headers, and the body with a line for each value.
fn shown(case: &Value, folder: &Path) -> String {
    let name = case["name"].as_str().unwrap();
    let (settings, refused) = read(case["settings"].as_str().unwrap(), "server.yaml");
    assert_eq!(refused, "", "{name}");
    let channel = settings.channels.values().next().unwrap();
    let incident = std::fs::read_to_string(folder.join(case["incident"].as_str().unwrap())).unwrap();
    let incident: live::Tracked = serde_json::from_str(&incident).unwrap();
    let advice = &case["advice"];
    let advice = Advice { report: None, checks: texts(advice, "checks"), fixes: texts(advice, "fixes"), before: texts(advice, "before") };
    let what = serde_json::from_value(case["what"].clone()).unwrap();
    let before: Option<Reference> = case.get("before").map(|before| serde_json::from_value(before.clone()).unwrap());
    let story = Story::new(&incident, what, &advice, &channel.locale);
    let occasion = Occasion { event: 12, now: Time::parse("2025-06-01T02:03:00Z").unwrap(), before: before.as_ref() };
    match request(channel, &story, occasion, &reveal).unwrap() {
        Request::Http { url, headers, body } => {
            let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
            let headers = headers.concat();
            let body: Value = serde_json::from_str(&body).unwrap();
            format!("POST {url}\n{headers}{}\n", serde_json::to_string_pretty(&body).unwrap())
        }
        Request::Mail { .. } => panic!("{name}: mails are in src/notices/tests"),
    }
}

#[test]
fn channels_get_what_their_api_takes() {
    let folder = root().join("tests/notices");
    for file in ["dingtalk", "wecom", "feishu", "slack", "webhook"] {
        let text = std::fs::read_to_string(folder.join(file).with_extension("yaml")).unwrap();
        let cases: Vec<Value> = serde_saphyr::from_str(&text).unwrap();
        let mut all = String::new();
        for case in &cases {
            let name = case["name"].as_str().unwrap();
            let found = shown(case, &folder);
            for expected in texts(case, "contains") {
                assert!(found.contains(&expected), "{name}: {expected:?} is not in\n{found}");
            }
            for unwanted in texts(case, "lacks") {
                assert!(!found.contains(&unwanted), "{name}: {unwanted:?} is in\n{found}");
            }
            writeln!(all, "== {name}\n{found}").unwrap();
        }
        snapshot("notices", file, &all);
    }
}

/// What an author sees of settings with errors; the snapshot also has what is used all the same.
#[test]
fn settings_say_what_is_wrong_with_them() {
    let path = root().join("tests/notices/settings/wrong.yaml");
    let (settings, refused) = read(&std::fs::read_to_string(path).unwrap(), "server.yaml");
    assert!(!refused.contains("hunter2"), "{refused}");
    let used: Vec<&str> = settings.channels.keys().map(String::as_str).collect();
    assert_eq!((used.as_slice(), settings.routes.len()), (&["good"][..], 1));
    for expected in
        ["F3021", "F3002", "F3003", "`shift`", "`incident.colour`", "did you mean `dingtalk`?", "`mon` to `sun`", "`Mars/Olympus`"]
    {
        assert!(refused.contains(expected), "{expected} is not in\n{refused}");
    }
    snapshot("notices", "wrong-settings", &refused);
}

/// Ends the server with the test, however that ends.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// One request: its body. It is answered with 200.
pub fn receive(listener: &TcpListener) -> Value {
    let (mut stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        if let Some((_, value)) = line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
    serde_json::from_slice(&body).unwrap()
}

/// From an alert that a sender posts to the message, and what the server says about it; a channel can be tried from the command line.
#[test]
fn the_server_tells_people() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("notices");
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(folder.join("topology")).unwrap();
    let estate = "components:\n  - {id: order-db, type: database}\n  - {id: order-service, type: service}\nrelations:\n  - {from: order-service, kind: depends_on, to: order-db}\n";
    std::fs::write(folder.join("topology/estate.yaml"), estate).unwrap();
    let written = |bad: &str| {
        let hook = format!("hook: {{kind: webhook, url: \"http://{}/hook\"}}", listener.local_addr().unwrap());
        let settings = format!("notify:\n  channels:\n    {hook}\n{bad}  routes:\n    - to: hook\n");
        std::fs::write(folder.join("server.yaml"), settings).unwrap();
    };
    written("    bad: {kind: wecom, url: \"http://x\"}\n");
    let faultscope = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_faultscope"));
        command.args(args).arg("--project").arg(&folder).env("NO_PROXY", "127.0.0.1").env("LC_ALL", "C");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let testing = faultscope(&["notify", "test", "hook"]).spawn().unwrap();
    assert_eq!(receive(&listener)["incident"]["status"], "test");
    let tested = testing.wait_with_output().unwrap();
    assert_eq!((tested.status.code(), String::from_utf8(tested.stdout).unwrap().as_str()), (Some(0), "hook: 200\n"));
    assert!(String::from_utf8(tested.stderr).unwrap().contains("F3021"));
    written("");

    let mut child = Ended(faultscope(&["serve", "--listen", "127.0.0.1:0"]).arg("--data").arg(folder.join("data")).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
    let client: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
    let alert = |name: &str, component: &str| json!({"labels": {"alertname": name, "severity": "critical", "component": component}});
    let alerts = json!([alert("DatabaseDown", "order-db"), alert("ServiceDown", "order-service")]);
    client.post(format!("{address}/api/v2/alerts")).header("content-type", "application/json").send(alerts.to_string()).unwrap();
    let told = receive(&listener);
    assert_eq!((&told["event"], &told["first"], &told["incident"]["component"]), (&json!("opened"), &json!(true), &json!("order-db")));
    // The answer is noted after it was given.
    let began = Instant::now();
    loop {
        let said = client.get(format!("{address}/api/v1/notifications")).call().unwrap().body_mut().read_to_string().unwrap();
        let state: Value = serde_json::from_str(&said).unwrap();
        if state["channels"][0]["last_success"].is_string() {
            assert_eq!(state["channels"][0]["name"], "hook");
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{said}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
