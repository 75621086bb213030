//! The demo of the README: a recording is sent to a server, and what it finds is what the recording tells.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::common::running::{Folder, Running, until};
use crate::common::{faultscope, root};

#[test]
fn a_recording_is_sent_and_explained() {
    let folder = Folder::new("replay");
    let server = Running::start(&root(), &folder.0.join("data"), "127.0.0.1:0");
    // An hour in two seconds.
    let output = Command::new(env!("CARGO_BIN_EXE_faultscope"))
        .args(["replay", "cases/HIS-20250601", "--to", &server.address, "--speed", "1800"])
        .current_dir(root())
        .env("LC_ALL", "C")
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && wrong.is_empty(), "{said}{wrong}");
    for kind in ["events: 2 sent, 2 accepted", "log lines: ", "samples: ", "alerts: "] {
        assert!(said.contains(kind), "{said}");
    }
    // What the README shows, but for the number and the time.
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let shown = readme.split("incidents?format=text'\n```\n\n```text\n").nth(1).unwrap().lines().next().unwrap();
    let still = |line: &str| {
        let (before, after) = line.split_once(" · since ").unwrap();
        let (time, tell) = after.split_once(" UTC").unwrap();
        assert_eq!(time.len(), "2026-11-29 17:20:30".len(), "{line}");
        format!("{}{tell}", before.trim_start_matches(|c: char| c == '#' || c.is_ascii_digit()))
    };
    until("the README is true", || {
        let (_, page) = server.get("/api/v1/incidents?format=text");
        let page = page.as_str().unwrap_or_default();
        page.lines().find(|line| still(line) == still(shown)).map(|_| ()).ok_or_else(|| page.to_owned())
    });
    until("the incident is explained", || {
        let incidents = server.incidents();
        let is_it = |one: &&Value| one["component"] == "payment-service" && one["layer"] == "expert";
        incidents.iter().find(is_it).map(|_| ()).ok_or_else(|| format!("{incidents:?}"))
    });
}

#[test]
fn a_server_with_tokens_is_sent_one() {
    let folder = Folder::new("replay-token");
    let data = folder.0.join("data").display().to_string();
    let project = root().display().to_string();
    let add = |role: &str| {
        let (code, out, err) = faultscope(&["token", "add", role, "--role", role, "--project", &project, "--data", &data]);
        assert_eq!(code, 0, "{err}");
        out.split_whitespace().find(|word| word.starts_with("fst_")).unwrap().to_owned()
    };
    let (ingest, viewer) = (add("ingest"), add("viewer"));
    fs::write(folder.0.join("token"), format!("{ingest}\n")).unwrap();
    let server = Running::start(&root(), &folder.0.join("data"), "127.0.0.1:0");
    let file = format!("file:{}", folder.0.join("token").display());
    for (more, expected, words) in [
        (&["--token", "env:VIEWER"][..], 2, &["the server answers 403", "--role ingest"][..]),
        (&[], 2, &["the server answers 401", "--token env:NAME"]),
        (&["--token", "fst_1"], 2, &["must not contain the token itself"]),
        (&["--token", "env:NOWHERE_SET"], 2, &["`NOWHERE_SET` is not set"]),
        (&["--token", &file], 0, &[]),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_faultscope"))
            .args(["replay", "cases/HIS-20250601", "--to", &server.address, "--speed", "100000"])
            .args(more)
            .current_dir(root())
            .envs([("LC_ALL", "C"), ("NO_PROXY", "127.0.0.1"), ("VIEWER", viewer.as_str())])
            .output()
            .unwrap();
        let wrong = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(expected), "{more:?}: {wrong}");
        assert!(words.iter().all(|word| wrong.contains(word)) && !wrong.contains("fst_"), "{more:?}: {wrong}");
    }
}

#[test]
fn without_a_server_it_says_so() {
    let (code, _, wrong) = faultscope(&["replay", "cases/HIS-20250601", "--to", "ftp://127.0.0.1"]);
    assert_eq!(code, 2);
    assert!(wrong.contains("F9009") && wrong.contains("faultscope serve"), "{wrong}");
}
