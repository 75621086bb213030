//! What was acknowledged is on disk: under load, through kills, and when the disk is full. Every request has a token of its own, and every
//! token whose request was answered with a 2xx must be in the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;
use value::Time;

use crate::common::running::{ESTATE, Folder, Process, Running, SOURCES, client, until};

const SENDERS: usize = 6;

fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Time(i64::try_from(since.as_millis()).unwrap())
}

/// A request with a token: path, headers and body. Alerts, lines and samples take turns.
fn request(token: &str, turn: usize) -> (&'static str, Vec<(&'static str, &'static str)>, Vec<u8>) {
    let is_json = vec![("content-type", "application/json")];
    match turn % 3 {
        0 => {
            // Few alerts that are repeated all the time, as senders do.
            let labels = json!({"alertname": "Down", "severity": "critical", "component": "order-db", "id": (turn % 50).to_string()});
            ("/api/v2/alerts", is_json, json!([{"labels": labels, "annotations": {"summary": token}}]).to_string().into_bytes())
        }
        1 => {
            let nanoseconds = (i128::from(now().0) * 1_000_000).to_string();
            let push = json!({"streams": [{"stream": {"component": "order-db"}, "values": [[nanoseconds, token]]}]});
            ("/loki/api/v1/push", is_json, push.to_string().into_bytes())
        }
        _ => {
            let labels = [("__name__", "load"), ("component", "order-db"), ("token", token)];
            let labels: BTreeMap<String, String> = labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let body = ingest::remote_write_body([(&labels, [(now(), 1.0)].as_slice())]).unwrap();
            ("/api/v1/write", vec![("content-type", "application/x-protobuf"), ("content-encoding", "snappy")], body)
        }
    }
}

/// Stops the senders when it goes.
struct Stopping<'s>(&'s AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends until it is told to stop; the tokens that were acknowledged, and how many were sent.
fn send(address: &Mutex<String>, sender: usize, stop: &AtomicBool) -> (Vec<String>, usize) {
    let (mut acknowledged, mut sent) = (Vec::new(), 0);
    let client = client();
    while !stop.load(Ordering::Relaxed) {
        let token = format!("token-{sender}-{sent}-end");
        let (path, headers, body) = request(&token, sent);
        sent += 1;
        let mut request = client.post(format!("{}{path}", address.lock().unwrap()));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        match request.send(&body[..]) {
            Ok(said) if said.status().is_success() => acknowledged.push(token),
            Ok(said) => assert!(matches!(said.status().as_u16(), 429 | 503), "{path} {}", said.status()),
            Err(_) => sleep(Duration::from_millis(20)),
        }
    }
    (acknowledged, sent)
}

/// The tokens in the journal of a server that does not run.
fn journaled(data: &Path) -> BTreeSet<String> {
    let (mut entries, mut found) = (Vec::new(), BTreeSet::new());
    let opened = live::Journal::open(&data.join("journal"), live::Retention::default(), |_| false, |one| entries.push(one));
    let (_, said) = opened.unwrap();
    assert!(said.iter().all(|said| said.to_string().contains("incomplete")), "{said:?}");
    for one in entries {
        let live::Found::Entry(entry) = one else { panic!("{one:?} was not to be passed") };
        let text = String::from_utf8_lossy(&entry.body);
        let token = text.split("token-").nth(1).and_then(|rest| rest.split_once("-end"));
        found.insert(format!("token-{}-end", token.unwrap_or_else(|| panic!("an entry without a token: {text}")).0));
    }
    found
}

fn kills(count: usize) {
    let folder = Folder::new(&format!("kills-{count}"));
    let project = folder.with("project", &[ESTATE, SOURCES]);
    let data = folder.0.join("data");
    let start = || Running::start(&project, &data, "127.0.0.1:0");
    let mut server = start();
    let address = Mutex::new(server.address.clone());
    let stop = AtomicBool::new(false);
    let (shared, stopping) = (&address, &stop);
    let (sent, server) = std::thread::scope(|scope| {
        // Also if what follows fails: the scope waits for the senders.
        let _stopping = Stopping(stopping);
        let senders: Vec<_> = (0..SENDERS).map(|sender| scope.spawn(move || send(shared, sender, stopping))).collect();
        until("the first incident", || server.incidents().first().map(|_| ()).ok_or_else(|| "none".to_owned()));
        for kill in 0..count {
            // Not always at the same place of what it does.
            sleep(Duration::from_millis(150 + 37 * (kill as u64 % 11)));
            server.kill();
            server = start();
            shared.lock().unwrap().clone_from(&server.address);
        }
        sleep(Duration::from_millis(150));
        stopping.store(true, Ordering::Relaxed);
        (senders.into_iter().map(|sender| sender.join().unwrap()).collect::<Vec<_>>(), server)
    });
    server.kill();
    let acknowledged: BTreeSet<String> = sent.iter().flat_map(|(tokens, _)| tokens.clone()).collect();
    let all: usize = sent.iter().map(|(_, sent)| sent).sum();
    let found = journaled(&data);
    let lost: Vec<&String> = acknowledged.difference(&found).collect();
    println!("{count} kills: {all} sent, {} acknowledged, {} found, {} lost", acknowledged.len(), found.len(), lost.len());
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert!(acknowledged.len() > SENDERS * count, "the server took {} of {all}", acknowledged.len());
    // Nothing is there that nobody sent, and one request of each sender at most is there unacknowledged for each kill.
    assert!(found.len() <= acknowledged.len() + SENDERS * (count + 1), "{} found", found.len());
    let server = start();
    let incidents = server.incidents();
    let of_db: Vec<u64> = incidents.iter().filter(|one| one["component"] == "order-db").filter_map(|one| one["id"].as_u64()).collect();
    assert_eq!(of_db, [1], "the incident goes on under its number: {incidents:?}");
    assert_ne!(incidents[0]["status"], "resolved");
    // Whoever listens for events does not hear the old ones again.
    let written = std::fs::read_to_string(data.join("incidents.ndjson")).unwrap();
    let newest = written.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()?["number"].as_u64()).max();
    assert_eq!(server.get("/api/v1/incidents").1["last_event"].as_u64(), newest);
}

#[test]
fn kills_lose_nothing_that_was_acknowledged() {
    kills(3);
}

#[test]
#[ignore = "takes minutes; `FAULTSCOPE_KILLS=100 cargo test --release --test it many_kills -- --ignored --nocapture`"]
fn many_kills_lose_nothing_that_was_acknowledged() {
    kills(std::env::var("FAULTSCOPE_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(100));
}

/// Damage before what was acknowledged later stops the start, and says how to go on.
#[test]
fn a_damaged_journal_stops_the_start() {
    let folder = Folder::new("damaged");
    let project = folder.with("project", &[ESTATE, SOURCES]);
    let data = folder.0.join("data");
    let server = Running::start(&project, &data, "127.0.0.1:0");
    for number in 0..3 {
        let (path, _, body) = request(&format!("token-0-{number}-end"), 0);
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(server.post(path, &body).0, 200);
    }
    server.kill();
    let segment = data.join("journal").join(format!("{:020}.journal", 1));
    let mut bytes = std::fs::read(&segment).unwrap();
    let (at, each) = (bytes.len() / 2, bytes.len() / 3);
    bytes[at] ^= 0x10;
    std::fs::write(&segment, bytes).unwrap();
    let serve = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faultscope"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--project"]).arg(&project).arg("--data").arg(&data);
        command.args(more).env("LC_ALL", "C").stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let stopped = serve(&[]).wait_with_output().unwrap();
    let said = String::from_utf8(stopped.stderr).unwrap();
    assert_eq!(stopped.status.code(), Some(2), "{said}");
    let place = format!("{:020}.journal` is damaged from byte {each} to byte {}: entry 2 should begin there", 1, 2 * each);
    for expected in ["error[F9510]", place.as_str(), "1 entries before it and 1 behind it are whole", "`faultscope serve --accept-damage`"]
    {
        assert!(said.contains(expected), "{expected:?} is not in {said}");
    }
    let mut server = Process(serve(&["--accept-damage"]));
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("listening on"), "{line}");
    server.0.kill().unwrap();
    let mut said = String::new();
    server.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains(&format!("{each} damaged bytes are in `")) && said.contains("with them 1 entries from 2 on are lost"), "{said}");
    drop(server);
    assert_eq!(journaled(&data), BTreeSet::from(["token-0-0-end", "token-0-2-end"].map(str::to_owned)));
    Running::start(&project, &data, "127.0.0.1:0").kill();
}

/// A small file system, which only root may make.
struct SmallDisk<'f>(&'f Path);

impl SmallDisk<'_> {
    fn mount(at: &Path, options: &str) -> bool {
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).output();
        mount.is_ok_and(|output| output.status.success())
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0).output());
    }
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let folder = Folder::new("full-disk");
    let project = folder.with("project", &[ESTATE, SOURCES]);
    let data = folder.with("data", &[]);
    std::fs::create_dir_all(&data).unwrap();
    if !SmallDisk::mount(&data, "size=8m") {
        eprintln!("skipped: only root can make a disk that is full");
        return;
    }
    let disk = SmallDisk(&data);
    let server = Running::start(&project, &data, "127.0.0.1:0");
    let alert = |token: &str, filling: usize| {
        let labels = json!({"alertname": "Load", "component": "order-db", "id": token});
        json!([{"labels": labels, "annotations": {"summary": token, "filling": "x".repeat(filling)}}])
    };
    let mut acknowledged = BTreeSet::new();
    let mut send = |number: usize, filling: usize| {
        let token = format!("token-0-{number}-end");
        let (status, said) = server.post("/api/v2/alerts", &alert(&token, filling));
        if status == 200 {
            acknowledged.insert(token);
        }
        (status, said)
    };
    assert_eq!(send(0, 0).0, 200);
    until("the incident", || server.incidents().first().map(|_| ()).ok_or_else(|| "none".to_owned()));
    let full = (1..1_000).find(|number| send(*number, 60_000).0 == 503).expect("a disk of 8 MiB is full after 1,000 alerts of 60 KB");
    let (status, ready) = server.get("/-/ready");
    assert_eq!((status, server.get("/-/healthy").0), (503, 200), "{ready}");
    // What people do is refused too, and changes nothing.
    let note = |text: &str| server.post("/api/v1/incidents/1/note", &json!({"by": "li", "text": text})).0;
    let refused: Vec<u16> = (0..40).map(|_| note(&"y".repeat(4_000))).filter(|status| *status != 200).collect();
    assert!(!refused.is_empty() && refused.iter().all(|status| *status == 503), "{refused:?}");
    let notes = |server: &Running| {
        let incident = server.get("/api/v1/incidents/1").1;
        incident["history"].as_array().into_iter().flatten().filter(|step| step["what"] == "noted").count()
    };
    let taken = 40 - refused.len();
    assert_eq!(notes(&server), taken);
    // There is room again.
    let grown = Command::new("mount").args(["-o", "remount,size=40m"]).arg(&data).output().unwrap();
    assert!(grown.status.success(), "{grown:?}");
    assert_eq!((send(full + 1, 0).0, note("after")), (200, 200));
    until("it is ready again", || match server.get("/-/ready") {
        (200, _) => Ok(()),
        (_, why) => Err(why.to_string()),
    });
    server.kill();
    let found = journaled(&data);
    assert!(acknowledged.is_subset(&found), "{:?}", acknowledged.difference(&found).collect::<Vec<_>>());
    let server = Running::start(&project, &data, "127.0.0.1:0");
    assert_eq!(notes(&server), taken + 1, "no line swallows another");
    server.kill();
    drop(disk);
}
