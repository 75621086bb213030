//! `faultscope confirm`: the journal it writes, what it refuses, and what later answers learn from it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::faultscope;
use knowledge::feedback::{Entry, JOURNAL, Verdict, read};
use localize::{Diagnosis, Layer};
use project::{Options, Project, append_feedback, load_bundle};
use value::Time;

const TOPOLOGY: &str = "components:
  - {id: order-db, type: database}
  - {id: stock-db, type: database}
  - {id: order-service, type: service}
relations:
  - {from: order-service, kind: depends_on, to: order-db}
";
const CASE: &str = "id: HIS-20250601
title: connections exhausted
root_cause: {component: order-db, type: database, fault: connections exhausted}
symptoms: {alerts: [DatabaseConnectionsExhausted, DatabaseClientsWaitForConnections]}
affected: [database]
solutions: [restart the service that leaks]
";
const HEALTHY: &str =
    r#"{"specversion":"1.0","id":"1","source":"t","type":"probe","time":"2025-06-01T02:00:00Z","data":{"to":"order-db","success":true}}"#;

/// A project with one case, bundles `db-1` to `db-6` that repeat it, `stock`, which is like no case, and `healthy`.
fn project(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("confirm").join(name);
    let _ = fs::remove_dir_all(&dir);
    let write = |path: &str, text: &str| {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let alert = |alert: &str, component: &str| {
        format!(
            r#"{{"version":"4","alerts":[{{"status":"firing","labels":{{"alertname":"{alert}","component":"{component}","severity":"critical"}},"annotations":{{}},"startsAt":"2025-06-01T02:00:00Z","endsAt":"0001-01-01T00:00:00Z"}}]}}"#
        )
    };
    write("topology/shop.yaml", TOPOLOGY);
    write("cases/HIS-20250601/case.yaml", CASE);
    for number in 1..=6 {
        let both = ["DatabaseConnectionsExhausted", "DatabaseClientsWaitForConnections"].map(|name| alert(name, "order-db"));
        write(&format!("incidents/db-{number}/alerts.json"), &both.join("\n"));
    }
    write("incidents/stock/alerts.json", &alert("ReplicationStopped", "stock-db"));
    write("incidents/healthy/events.ndjson", HEALTHY);
    dir
}

/// `confirm` of a bundle in a project: exit code, and output and errors together.
fn confirm(dir: &Path, bundle: &str, more: &[&str]) -> (i32, String) {
    let path = dir.join("incidents").join(bundle);
    let mut args = vec!["confirm", path.to_str().unwrap(), "--project", dir.to_str().unwrap(), "--by", "anna"];
    args.extend(more);
    let (code, out, err) = faultscope(&args);
    (code, format!("{out}{err}"))
}

fn list(dir: &Path) -> String {
    let (code, out, err) = faultscope(&["confirm", "--list", "--project", dir.to_str().unwrap()]);
    assert_eq!(code, 0, "{err}");
    out
}

fn journal(dir: &Path) -> String {
    fs::read_to_string(dir.join(JOURNAL)).unwrap_or_default()
}

fn diagnose(dir: &Path, bundle: &str) -> Diagnosis {
    let project = Project::load(dir).unwrap();
    load_bundle(&project, &dir.join("incidents").join(bundle), dir, Options::default()).unwrap().diagnose()
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

/// The first suspect of a bundle: its layer and confidence.
fn first(dir: &Path, bundle: &str) -> (Layer, f64) {
    let suspect = diagnose(dir, bundle).incidents[0].suspects[0].clone();
    (suspect.layer, suspect.confidence)
}

#[test]
fn a_case_weighs_by_how_often_it_was_right() {
    let dir = project("weights");
    assert_eq!(first(&dir, "db-6"), (Layer::Knowledge, 0.641));
    // Two symptoms that no other case has: 4/5 of 0.8. After one right answer 5/6 of it, a weight of 1.04.
    let (code, said) = confirm(&dir, "db-1", &[]);
    assert_eq!(code, 0, "{said}");
    has(&said, &["incidents/db-1 confirmed: order-db: connections exhausted (knowledge, 64%); by anna"]);
    has(&said, &["weight of case HIS-20250601: 1.04 (was right 1 of 1 time)"]);
    assert_eq!(first(&dir, "db-6"), (Layer::Knowledge, 0.668));
    // Said again of the same bundle: 4/6.
    let (_, said) = confirm(&dir, "db-1", &["--root", "order-service", "--fault", "a leak"]);
    has(&said, &["incidents/db-1 corrected: order-service: a leak, not order-db: connections exhausted (knowledge, 64%)"]);
    has(&said, &["replaces: ", "weight of case HIS-20250601: 0.83 (was wrong 1 of 1 time)"]);
    let diagnosis = diagnose(&dir, "db-6");
    let suspect = &diagnosis.incidents[0].suspects[0];
    assert_eq!((suspect.confidence, suspect.raw, suspect.case.as_deref()), (0.534, 0.641, Some("HIS-20250601")));
    assert!(suspect.reasons.iter().any(|r| r.text == "this case was wrong 1 of 1 time it was proposed: weight 0.83"));
    // 4/7, 4/8, then 4/9: more likely wrong than right, so not proposed any more, and that is said.
    for (bundle, confidence) in [("db-2", 0.458), ("db-3", 0.401)] {
        confirm(&dir, bundle, &["--no-fault"]);
        assert_eq!(first(&dir, "db-6"), (Layer::Knowledge, confidence));
    }
    let (_, said) = confirm(&dir, "db-4", &["--no-fault"]);
    has(&said, &["weight of case HIS-20250601: 0.56 (was wrong 4 of 4 times); no longer proposed"]);
    assert_eq!(first(&dir, "db-6").0, Layer::Anomaly);
    let (_, shown, _) =
        faultscope(&["diagnose", "--full", dir.join("incidents/db-6").to_str().unwrap(), "--project", dir.to_str().unwrap()]);
    has(&shown, &["it was wrong 4 of 4 times: no longer proposed"]);
    assert_eq!(journal(&dir).lines().count(), 5);
    let shown = list(&dir);
    assert_eq!(shown.lines().filter(|line| line.contains(" incidents/db-")).count(), 4, "{shown}");
    has(&shown, &["knowledge: 4 answers", "Brier score 0.411, expected calibration error 0.641"]);
    let chinese = ["confirm", "--list", "--project", dir.to_str().unwrap(), "--lang", "zh", "--tz", "Asia/Shanghai"];
    let (code, shown, err) = faultscope(&chinese);
    assert_eq!(code, 0, "{err}");
    let corrected = "incidents/db-1 已更正：order-service：a leak，而不是 order-db：connections exhausted（相似案例，64%）；确认人：anna";
    has(&shown, &[" Asia/Shanghai incidents/db-4 确认无故障：无故障，而不是 order-db：connections exhausted（相似案例，64%）", corrected]);
    has(&shown, &["案例 HIS-20250601 的权重：0.56（推荐过 4 次，0 次正确）；不再推荐", "相似案例：4 个诊断结果"]);
    has(&shown, &["  置信度        结果数    平均  正确率   95% 区间", "Brier 分数 0.411，期望校准误差（ECE）0.641"]);
}

#[test]
fn scores_are_calibrated() {
    let dir = project("scores");
    let (layer, before) = first(&dir, "stock");
    assert_eq!(layer, Layer::Anomaly);
    let (_, said) = confirm(&dir, "stock", &["--no-fault"]);
    has(&said, &["incidents/stock no_fault: no fault, not stock-db", "anomaly scores, calibrated with 1 judged answer: 20% → "]);
    let project = Project::load(&dir).unwrap();
    let suspect = diagnose(&dir, "stock").incidents[0].suspects[0].clone();
    assert!(suspect.confidence < before, "{} is not below {before}", suspect.confidence);
    // What is learned from is what the layer itself says, which does not change by it.
    assert_eq!(project.feedback.entries[0].answer.as_ref().unwrap().confidence, suspect.raw);
    assert!((project.feedback.calibration.apply(suspect.raw) - suspect.confidence).abs() < 0.002);
    let (_, said) = confirm(&dir, "stock", &["--root", "stock-db"]);
    has(&said, &["incidents/stock confirmed: stock-db (anomaly"]);
    assert!(first(&dir, "stock").1 > before);
}

#[test]
fn what_is_refused_changes_nothing() {
    let dir = project("refused");
    let (code, said) = confirm(&dir, "db-1", &["--root", "order-servise"]);
    assert_eq!(code, 2);
    has(&said, &["error[F2023]: the topology has no component `order-servise`", "did you mean `order-service`?"]);
    let (code, said) = confirm(&dir, "healthy", &[]);
    assert_eq!(code, 2);
    has(&said, &["error[F6003]", "names no suspect", "--no-fault"]);
    for more in [&["--fault", "x"][..], &["--root", "order-db", "--no-fault"], &["--list"], &["--at", "yesterday"]] {
        assert_eq!(confirm(&dir, "db-1", more).0, 2, "{more:?}");
    }
    assert_eq!(confirm(&dir, "db-9", &[]).0, 2);
    assert_eq!(faultscope(&["confirm"]).0, 2);
    assert!(!dir.join(JOURNAL).exists());
    has(&list(&dir), &["no answers confirmed or corrected yet"]);
    // That nothing was said may be right, too.
    let (code, said) = confirm(&dir, "healthy", &["--no-fault", "--note", "a drill\nof the network"]);
    assert_eq!(code, 0, "{said}");
    has(
        &said,
        &["incidents/healthy no_fault: no fault; no suspect was named; by anna — a drill of the network", "recorded, but without effect"],
    );
}

#[test]
fn a_broken_line_costs_only_itself() {
    let dir = project("broken");
    // Cut off, as a crash leaves it.
    fs::write(dir.join(JOURNAL), r#"{"time":"2025-06-01T02:00:00Z","bun"#).unwrap();
    let (code, said) = confirm(&dir, "db-1", &[]);
    assert_eq!(code, 0, "{said}");
    has(&said, &["1 error in the project", "was right 1 of 1 time"]);
    assert_eq!(journal(&dir).lines().count(), 2);
    let (code, out, _) = faultscope(&["check", dir.to_str().unwrap(), "--format", "json"]);
    assert_eq!(code, 1, "{out}");
    let found: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
    let places: Vec<_> =
        found.iter().map(|d| (d["code"].as_str().unwrap(), d["place"]["path"].as_str(), d["place"]["line"].as_u64())).collect();
    assert_eq!(places, [("F6002", Some(JOURNAL), Some(1))]);
    assert_eq!(first(&dir, "db-6"), (Layer::Knowledge, 0.668));
}

#[test]
fn many_may_write_at_once() {
    let dir = project("concurrent");
    let note = "long ".repeat(2_000);
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let (dir, note) = (&dir, &note);
            scope.spawn(move || {
                for number in 0..25 {
                    let entry = Entry {
                        time: Time(1_748_743_200_000 + number),
                        bundle: format!("incidents/{writer}-{number}"),
                        verdict: Verdict::NoFault,
                        answer: None,
                        root: None,
                        by: format!("writer {writer}"),
                        note: note.clone(),
                    };
                    append_feedback(dir, &entry).unwrap();
                }
            });
        }
    });
    let (entries, broken) = read(&journal(&dir));
    assert_eq!((entries.len(), broken.len()), (200, 0));
    assert!(entries.iter().all(|entry| entry.note == note));
}
