//! What monitored systems, other people and the operating system can do to a command: control characters, secrets, pipes, full disks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::{faultscope, root};
use crate::mine::Planted;
use crate::serve::{Folder, Server};

/// A folder of its own for each case.
fn folder(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile").join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Characters that a terminal obeys.
fn harmful(c: char) -> bool {
    (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c)
}

/// Whether a line begins with what only the text of others says.
fn is_forged(out: &str) -> bool {
    out.lines().any(|line| line.trim_start().starts_with("1. forged"))
}

/// A page in Markdown without its code, in which nothing acts.
fn prose(page: &str) -> String {
    let (mut text, mut in_block) = (String::new(), false);
    for line in page.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            line.split('`').step_by(2).for_each(|part| text.push_str(part));
            text.push('\n');
        }
    }
    text
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
    let args: Vec<&str> = ["diagnose", "--full", &dir, "--project", &project].into_iter().chain(more.iter().copied()).collect();
    faultscope(&args)
}

#[test]
fn control_characters_are_shown_not_obeyed() {
    let dir = bundle("escape", "Bad\u{1b}]0;owned\u{7}Name", "x\u{1b}[2J\u{9b}31m\u{202e}gnp\n\n  1. forged-service: all is well\r\n");
    for format in ["text", "markdown", "json"] {
        let (code, out, err) = diagnose(&dir, &["--format", format]);
        assert_eq!(code, 0, "{err}");
        assert!(!out.contains(harmful) && !err.contains(harmful), "{format}: {out:?}{err:?}");
        assert!(!is_forged(&out), "{format}: a line is forged:\n{out}");
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
            "rules/tree.rules",
            "TREE-001 \"<script>\\n  1. forged\" {\n  ask q \"<script>\\n  1. forged\"\n    yes -> end \"<script>\\n  1. forged\"\n    no  -> end \"-\"\n}\n",
        ),
        (
            "topology/t.yaml",
            "components:\n  - {id: db, type: database}\n  - {id: \"<script>\\n  1. forged\", type: service}\nrelations:\n  - {from: \"<script>\\n  1. forged\", kind: depends_on, to: db}\n",
        ),
    ] {
        write(&dir.join(path), text);
    }
    let project = dir.to_str().unwrap();
    for args in [
        &["check", project][..],
        &["impact", "db", "--project", project],
        &["impact", "db", "--project", project, "--format", "markdown"],
        &["impact", "db", "--project", project, "--format", "mermaid"],
        &["impact", "db", "--project", project, "--format", "dot"],
        &["walk", "TREE-001", "--project", project, "--answers", "yes"],
        &["walk", "TREE-001", "--project", project, "--format", "mermaid"],
    ] {
        let (_, out, err) = faultscope(args);
        assert!(!out.contains(harmful) && !err.contains(harmful), "{args:?}: {out:?}{err:?}");
        assert!(!is_forged(&out), "{args:?}: a line is forged:\n{out}");
        assert!(!args.iter().any(|arg| ["mermaid", "markdown"].contains(arg)) || !out.contains("<script"), "{out}");
    }
}

/// Tables and lists say what files, folders and columns are called.
#[test]
fn names_forge_no_lines() {
    let dir = folder("lines");
    let alert = r#"{"alerts": [{"labels": {"alertname": "A", "component": "db"}, "startsAt": "2025-06-01T02:00:00Z"}]}"#;
    let rows: Vec<String> = (0..200).map(|minute| format!("{},{}\n", 1_748_736_000 + minute * 60, 50 + minute % 5)).collect();
    let usual = format!("time,\"cpu\n  1. forged\"\n{}", rows.concat());
    for (path, text) in [
        ("topology/sources.yaml", "placement:\n  - {label: component}\n"),
        ("topology/t.yaml", "components:\n  - {id: db, type: database}\n  - {id: \"a\\n  1. forged\", type: service}\n"),
        ("bundles/b\n  1. forged/alerts.json", alert),
        ("bundles/b\n  1. forged/expected.json", r#"{"no_fault": true}"#),
        ("bundles/c\n  1. forged/alerts.json", "{"),
        ("bundles/c\n  1. forged/expected.json", r#"{"no_fault": true}"#),
        ("usual.csv", usual.as_str()),
    ] {
        write(&dir.join(path), text);
    }
    let at = |path: &str| dir.join(path).display().to_string();
    let (project, store) = (at(""), at("estate.redb"));
    assert_eq!(faultscope(&["estate", "apply", &project, "--store", &store]).0, 0);
    for (args, code) in [
        (vec!["estate", "diff", "0", "1", "--store", &store], 0),
        (vec!["estate", "show", "--store", &store], 0),
        (vec!["eval", &at("bundles"), "--verbose", "--project", &project], 1),
        (vec!["bench", &at("bundles/b\n  1. forged"), &at("bundles/c\n  1. forged"), "--repeat", "1", "--project", &project], 1),
        (vec!["anomaly", "fit", &at("usual.csv"), "-o", &at("model.json")], 0),
    ] {
        let (found, out, err) = faultscope(&args);
        assert_eq!(found, code, "{args:?}: {out}{err}");
        assert!(out.contains("1. forged"), "{args:?}: the name is not said:\n{out}{err}");
        assert!(!is_forged(&out) && !is_forged(&err), "{args:?}: a line is forged:\n{out}{err}");
    }
    // What is no page in Markdown does not pretend to be one.
    assert_eq!(faultscope(&["estate", "show", "--store", &store, "--format", "markdown"]).0, 2);
}

#[test]
fn markdown_has_no_html_and_no_links_of_others() {
    let text = "<script>alert(1)</script> [click](http://evil) ![](http://evil/y) **all** @ops www.evil";
    let dir = bundle("html", "<img src=http://evil/x>", text);
    let (_, diagnosis, _) = diagnose(&dir, &["--format", "markdown"]);
    assert!(!diagnosis.contains("<script") && !diagnosis.contains("<img"), "{diagnosis}");
    assert!(diagnosis.contains("&lt;script>"), "{diagnosis}");
    // What is learned from incidents is called as people called it.
    let planted = Planted::new("hostile");
    let fault = serde_json::json!({"root_causes": [{"component": "shop-a", "fault": format!("<img src=x> `{text}`, {text}")}]});
    for incident in ["07", "08", "09"] {
        fs::write(planted.path(&format!("incidents/{incident}/expected.json")), fault.to_string()).unwrap();
    }
    let (incidents, project, into) = (planted.path("incidents"), planted.path(""), planted.path("rules/mined"));
    let (code, mined, err) = faultscope(&["mine", &incidents, "--project", &project, "-o", &into, "--format", "markdown"]);
    assert_eq!(code, 0, "{err}");
    assert!(mined.contains("&lt;script>"), "{mined}");
    assert_eq!(fs::read_to_string(planted.path("rules/mined/PROPOSAL.md")).unwrap(), mined);
    for page in [diagnosis, mined] {
        let prose = prose(&page);
        for acting in ["<img", "<script", "](", "://", "www.", "@ops", "**all"] {
            assert!(!prose.contains(acting), "{acting}:\n{page}");
        }
    }
}

/// What the server answers is shown in terminals, too.
#[test]
fn the_server_escapes_as_the_command_does() {
    let folder = Folder::new("hostile");
    let server = Server::start(&root(), &folder);
    let text = "x\u{9b}31m\u{202e}gnp";
    let alert = serde_json::json!({"labels": {"alertname": text, "service": "payment"}, "startsAt": "2025-06-01T02:00:00Z"});
    for (path, body) in [
        ("/api/v1/diagnose", serde_json::json!({"alerts": [alert]})),
        ("/api/v1/diagnose", serde_json::json!({"alerts": [], text: 1})),
        ("/api/v1/predict", serde_json::json!({"model": text, "rows": []})),
    ] {
        let answer = server.text(path, &body);
        assert!(!answer.contains(harmful), "{path}: {answer:?}");
        assert!(answer.contains("x\\u009b31m\\u202egnp"), "{path}: {answer}");
        assert!(serde_json::from_str::<serde_json::Value>(&answer).unwrap().to_string().contains(text), "{path}: {answer}");
    }
}

#[test]
fn an_error_has_its_help_on_a_line_of_its_own() {
    let file = folder("help").join("x\n  help: forged.csv");
    fs::write(&file, "a,b\n1,2\n").unwrap();
    let (code, _, err) = faultscope(&["import", "csv", file.to_str().unwrap(), "--dry-run"]);
    assert_eq!(code, 2, "{err}");
    let helps: Vec<&str> = err.lines().filter(|line| line.starts_with("  help: ")).collect();
    assert!(err.contains("error[F9006]: ") && helps.len() == 1 && helps[0].contains("expected a table"), "{err}");
}

#[test]
#[cfg(unix)]
fn a_journal_that_cannot_be_written_is_told_so() {
    let dir = folder("journal");
    write(&dir.join("topology/t.yaml"), "components:\n  - {id: payment, type: service}\n");
    std::os::unix::fs::symlink(dir.join("missing/feedback.ndjson"), dir.join("feedback.ndjson")).unwrap();
    let bundle = bundle("unwritable", "A", "b");
    let (code, out, err) =
        faultscope(&["confirm", bundle.to_str().unwrap(), "--no-fault", "--by", "anna", "--project", dir.to_str().unwrap()]);
    assert_eq!(code, 2, "{out}{err}");
    assert!(err.contains("error[F9005]: cannot write `"), "{err}");
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
