//! What monitored systems, other people and the operating system can do to a command: control characters, secrets, pipes, full disks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::{faultscope, root};

/// A folder of its own for each case.
fn folder(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile").join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn bundle(name: &str, alert: &str, summary: &str) -> PathBuf {
    let dir = folder(name);
    let body = serde_json::json!({"alerts": [{
        "status": "firing",
        "labels": {"alertname": alert, "service": "payment", "severity": "critical"},
        "annotations": {"summary": summary},
        "startsAt": "2025-06-01T02:00:00Z",
    }]});
    fs::write(dir.join("alerts.json"), body.to_string()).unwrap();
    dir
}

fn diagnose(dir: &Path, more: &[&str]) -> (i32, String, String) {
    let project = root().display().to_string();
    let dir = dir.display().to_string();
    let args: Vec<&str> = ["diagnose", &dir, "--project", &project].into_iter().chain(more.iter().copied()).collect();
    faultscope(&args)
}

#[test]
fn control_characters_are_shown_not_obeyed() {
    let dir = bundle("escape", "Bad\u{1b}]0;owned\u{7}Name", "x\u{1b}[2J\u{9b}31m\u{202e}gnp\n\n  1. forged-service: all is well\r\n");
    for format in ["text", "markdown", "json"] {
        let (code, out, err) = diagnose(&dir, &["--format", format]);
        assert_eq!(code, 0, "{err}");
        let harmful = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!out.contains(harmful) && !err.contains(harmful), "{format}: {out:?}{err:?}");
        assert!(!out.lines().any(|line| line.trim_start().starts_with("1. forged-service")), "{format}: a line is forged:\n{out}");
        assert!(out.contains("owned"), "{format}: {out}");
    }
    // JSON keeps the very same text.
    let (_, out, _) = diagnose(&dir, &["--format", "json"]);
    assert!(serde_json::from_str::<serde_json::Value>(&out).unwrap().to_string().contains("\\u001b[2J"));
}

/// Names of files, lines that are quoted, and ids in drawings are foreign text, too.
#[test]
fn names_and_quoted_lines_are_harmless() {
    let dir = folder("names");
    for (path, text) in [
        ("rules/a\u{1b}[2J\n  1. forged.rules", "TOP-001 \"x\u{9b}31m\u{202e}\" { given s: servce }\n"),
        (
            "topology/t.yaml",
            "components:\n  - {id: db, type: database}\n  - {id: \"<script>\\n  1. forged\", type: service}\nrelations:\n  - {from: \"<script>\\n  1. forged\", kind: depends_on, to: db}\n",
        ),
    ] {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let project = dir.to_str().unwrap();
    for args in [
        &["check", project][..],
        &["impact", "db", "--project", project],
        &["impact", "db", "--project", project, "--format", "mermaid"],
        &["impact", "db", "--project", project, "--format", "dot"],
    ] {
        let (_, out, err) = faultscope(args);
        let harmful = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!out.contains(harmful) && !err.contains(harmful), "{args:?}: {out:?}{err:?}");
        assert!(!out.lines().any(|line| line.trim_start().starts_with("1. forged")), "{args:?}: a line is forged:\n{out}");
        assert!(!args.contains(&"mermaid") || !out.contains("<script"), "{out}");
    }
}

#[test]
fn markdown_has_no_html_and_no_links_of_others() {
    let dir = bundle("html", "<img src=http://evil/x>", "<script>alert(1)</script> [click](http://evil) ![](http://evil/y)");
    let (_, out, _) = diagnose(&dir, &["--format", "markdown"]);
    assert!(!out.contains("<script") && !out.contains("<img") && !out.contains("](http"), "{out}");
    assert!(out.contains("&lt;script>"), "{out}");
}

#[test]
fn secrets_in_addresses_are_not_printed() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let out = folder("prometheus").join("m.json");
    let url = format!("http://alice:hunter2@{closed}/?token=s3cr3t");
    let (code, said, err) = faultscope(&["anomaly", "fit", "--prometheus", &url, "--query", "up", "-o", out.to_str().unwrap()]);
    assert_eq!(code, 2, "{said}{err}");
    assert!(err.contains(&closed.to_string()), "{err}");
    assert!(!err.contains("hunter2") && !err.contains("alice") && !err.contains("s3cr3t"), "{err}");
}

#[test]
fn secrets_in_sources_are_warned_of_and_not_printed() {
    let dir = folder("sources");
    fs::create_dir_all(dir.join("topology")).unwrap();
    fs::write(
        dir.join("topology/sources.yaml"),
        "scorers:\n  - {name: a, url: 'http://bob:hunter2@127.0.0.1:1/x'}\n  - {name: b, url: 'http://127.0.0.1:1/', headers: {authorization: Bearer s3cr3t}}\n  - {name: c, url: 'http://127.0.0.1:1/', headers: {authorization: $TOKEN}}\n  - {name: d, url: 'ftp://bob:hunter2@127.0.0.1:1/x'}\n",
    )
    .unwrap();
    let (code, out, err) = faultscope(&["check", dir.to_str().unwrap()]);
    assert_eq!(code, 1, "{err}");
    assert_eq!(out.matches("F3021").count(), 2, "{out}");
    for format in ["text", "json"] {
        let (_, out, err) = faultscope(&["check", dir.to_str().unwrap(), "--format", format]);
        assert!(!out.contains("hunter2") && !out.contains("s3cr3t") && !err.contains("hunter2"), "{out}{err}");
    }
}

#[test]
fn messages_do_not_decide_what_an_error_is() {
    let (code, _, err) = faultscope(&["diagnose", "no such/Broken pipe"]);
    assert_eq!(code, 2);
    assert!(err.contains("F9001") && err.contains("Broken pipe"), "{err}");
}

#[test]
#[cfg(unix)]
fn a_closed_pipe_is_fine_and_a_full_disk_is_not() {
    let run_of = |args: &[&str], stdout: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faultscope"));
        command.args(args).current_dir(root()).stdout(stdout).stderr(Stdio::piped());
        let output = command.spawn().unwrap().wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for args in [&["diagnose", "cases/HIS-20250601"][..], &["check"], &["--help"], &["diagnose", "--help"], &["--version"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(run_of(args, writer.into()), (Some(0), String::new()), "{args:?}");
        if let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") {
            let (code, err) = run_of(args, full.into());
            assert_eq!(code, Some(2), "{args:?}: {err}");
            assert!(err.contains("F9007"), "{args:?}: {err}");
        }
    }
}

/// A named pipe among the inputs, wherever they come from, is refused at once.
#[test]
#[cfg(unix)]
fn pipes_are_never_waited_for() {
    let dir = folder("pipes");
    let pipe = |path: &str| {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path.display().to_string()
    };
    let at = |path: &str| dir.join(path).display().to_string();
    pipe("bundle/alerts.json");
    pipe("project/rules/a.rules");
    pipe("project/topology/a.yaml");
    let single = pipe("single.yaml");
    for (args, code) in [
        (vec!["diagnose", &at("bundle")], 2),
        (vec!["check", &at("project")], 1),
        (vec!["change", &single], 2),
        (vec!["import", "kubernetes", &single, "--dry-run"], 2),
        (vec!["anomaly", "score", &single, &single], 2),
        (vec!["anomaly", "score", "/dev/zero", "/dev/zero"], 2),
        (vec!["import", "csv", "/dev/zero", "--dry-run"], 2),
    ] {
        let (found, out, err) = faultscope(&args);
        assert_eq!(found, code, "{args:?}: {out}{err}");
        assert!(format!("{out}{err}").contains("not a file"), "{args:?}: {out}{err}");
    }
}

#[test]
fn aliases_cannot_explode() {
    let dir = folder("bomb");
    fs::create_dir_all(dir.join("topology")).unwrap();
    let mut text = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (one, other) in ["ab", "bc", "cd", "de", "ef", "fg", "gh", "hi"].iter().map(|pair| pair.split_at(1)) {
        text.push_str(&format!("{other}: &{other} [{}]\n", vec![format!("*{one}"); 10].join(",")));
    }
    fs::write(dir.join("topology/a.yaml"), text).unwrap();
    let (code, out, _) = faultscope(&["check", dir.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(out.contains("aliases (`*name`) repeat more than 200000 values"), "{out}");
}

#[test]
fn durations_are_written_as_in_rules() {
    let (code, _, err) = faultscope(&["diagnose", "cases/HIS-20250601", "--window", "1h30m"]);
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = faultscope(&["diagnose", "cases/HIS-20250601", "--window", "soon"]);
    assert_eq!(code, 2);
    assert!(err.contains("1h30m"), "{err}");
}
