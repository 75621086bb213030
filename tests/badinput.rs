//! Bad input of every kind: a clear error or a stated tolerance, never a panic, never a silent loss.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{faultscope, root};

/// A folder of its own for each case.
fn folder(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("badinput").join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// Diagnoses a bundle with these files against the project of the repository; the output and errors together.
fn check(name: &str, files: &[(&str, &[u8])], code: i32, expected: &[&str]) {
    let dir = folder(name);
    for (file, bytes) in files {
        fs::write(dir.join(file), bytes).unwrap();
    }
    let (found, out, err) = faultscope(&["diagnose", dir.to_str().unwrap(), "--project", root().to_str().unwrap()]);
    let all = format!("{out}{err}");
    assert!(!all.contains("panicked") && !all.contains("RUST_BACKTRACE"), "{name}: {all}");
    assert_eq!(found, code, "{name}: {all}");
    for text in expected {
        assert!(all.contains(text), "{name}: `{text}` is not said:\n{all}");
    }
}

const ALERT: &[u8] = br#"{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"HighLatency","service":"payment","severity":"warning"},"annotations":{"summary":"slow"},"startsAt":"2025-06-01T02:00:00Z","endsAt":"0001-01-01T00:00:00Z","unknown":{"deep":[1,2]}}],"truncatedAlerts":0,"surprise":true}"#;

#[test]
fn folders() {
    check("empty-folder", &[], 2, &["F4006"]);
    check("unrelated", &[("notes.txt", b"hello")], 2, &["F4006"]);
}

#[test]
fn alerts() {
    check("alerts-good", &[("alerts.json", ALERT)], 0, &["HighLatency"]);
    check("alerts-empty", &[("alerts.json", b"")], 2, &["alerts.json"]);
    check("alerts-half", &[("alerts.json", &ALERT[..200])], 2, &["alerts.json", "line 1"]);
    check("alerts-latin", &[("alerts.json", b"{\"alerts\":[{\"labels\":{\"a\":\"\xe9\"}}]}")], 2, &["UTF-8"]);
    check("alerts-other", &[("alerts.json", b"{\"hello\": 1}")], 2, &["alerts.json"]);
    check("alerts-bom", &[("alerts.json", &[b"\xef\xbb\xbf", ALERT].concat())], 0, &["HighLatency"]);
    let deep = [b"[".repeat(1_000_000), b"]".repeat(1_000_000)].concat();
    check("alerts-deep", &[("alerts.json", &deep)], 2, &["F4006"]);
    // A broken file does not stop a good one.
    check("alerts-and-broken-metrics", &[("alerts.json", ALERT), ("metrics.json", b"{\"status\":")], 0, &["HighLatency", "metrics.json"]);
}

fn matrix(values: &str) -> Vec<u8> {
    format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{"__name__":"cpu_usage","component":"order-db"}},"values":[{values}]}}]}}}}"#).into_bytes()
}

#[test]
fn metrics() {
    check(
        "metrics-nan",
        &[("metrics.json", &matrix(r#"[1748743200,"50"],[1748743230,"NaN"],[1748743260,"+Inf"],[1748743290,"-Inf"],[1748743320,"60"]"#))],
        0,
        &["2", "infinite"],
    );
    check("metrics-order", &[("metrics.json", &matrix(r#"[1748743260,"1"],[1748743200,"2"],[1748743200,"3"]"#))], 0, &["F4004"]);
    check("metrics-words", &[("metrics.json", &matrix(r#"[1748743200,"many"],[1748743230,"5"]"#))], 0, &["metrics.json"]);
    check("metrics-time", &[("metrics.json", &matrix(r#"[1e300,"1"],[-1e300,"1"],[1748743200,"5"]"#))], 0, &["F4003"]);
    check(
        "metrics-error",
        &[("metrics.json", br#"{"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}"#)],
        2,
        &["parse error: unexpected end"],
    );
    check("metrics-html", &[("metrics.json", b"<html><body>502 Bad Gateway</body></html>")], 2, &["metrics.json"]);
}

#[test]
fn logs_and_events() {
    check(
        "logs-half",
        &[
            ("alerts.json", ALERT),
            ("logs.json", b"{\"status\":\"success\",\"data\":{\"resultType\":\"streams\",\"result\":[{\"stream\":{}"),
        ],
        0,
        &["logs.json"],
    );
    check(
        "events-mixed",
        &[(
            "events.ndjson",
            b"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"ci\",\"type\":\"com.example.deployment\",\"time\":\"2025-06-01T02:00:00Z\",\"subject\":\"payment-service\",\"data\":{\"kind\":\"deploy\"}}\nnot json\n{\"specversion\":\"1.0\",\"id\":\"2\",\"source\":\"x\",\"type\":\"com.example.lunch\",\"time\":\"2025-06-01T02:00:00Z\"}\n",
        )],
        0,
        &["lunch"],
    );
}

#[test]
fn own_topology() {
    check("topology-broken", &[("alerts.json", ALERT), ("topology.json", b"{\"components\": [")], 0, &["F3001"]);
    check(
        "topology-dangling",
        &[
            ("alerts.json", ALERT),
            (
                "topology.json",
                br#"{"components":[{"id":"payment","type":"service"}],"relations":[{"from":"payment","kind":"calls","to":"nowhere"}]}"#,
            ),
        ],
        0,
        &["F3007"],
    );
}

/// A project with these files; `check` says so, and ends with 1.
fn project(name: &str, files: &[(&str, &[u8])], expected: &[&str]) {
    let dir = folder(name);
    for (file, bytes) in files {
        fs::create_dir_all(dir.join(file).parent().unwrap()).unwrap();
        fs::write(dir.join(file), bytes).unwrap();
    }
    let (code, out, err) = faultscope(&["check", dir.to_str().unwrap()]);
    let all = format!("{out}{err}");
    assert!(!all.contains("panicked"), "{name}: {all}");
    assert_eq!(code, 1, "{name}: {all}");
    for text in expected {
        assert!(all.contains(text), "{name}: `{text}` is not said:\n{all}");
    }
}

#[test]
fn projects() {
    project("rules-latin", &[("rules/a.rules", b"TOP-001 \"\xe9\" {")], &["F9002"]);
    let deep = [b"TOP-001 \"x\" { if ".as_slice(), &b"(".repeat(1_000_000)].concat();
    project("rules-deep", &[("rules/a.rules", &deep)], &["F1007"]);
    let nots = [b"TOP-001 \"x\" { if ".as_slice(), &b"not ".repeat(1_000_000)].concat();
    project("rules-nots", &[("rules/a.rules", &nots)], &["F1007"]);
    project("rules-binary", &[("rules/a.rules", &[0_u8, 1, 2, 3, b'{', b'}', b'"'])], &["F1005"]);
    let yaml = b"a: ".iter().copied().chain(b"[".repeat(1_000_000)).collect::<Vec<u8>>();
    project("yaml-deep", &[("topology/a.yaml", &yaml)], &["F3001"]);
    project("yaml-bomb", &[("topology/a.yaml", b"a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\ncomponents: *g\n")], &["F3001"]);
    project("yaml-duplicate-key", &[("topology/a.yaml", b"components: []\ncomponents: []\n")], &["F3001", "duplicate"]);
    project("case-broken", &[("cases/HIS-1/case.yaml", b"id: [")], &["F3001"]);
    project("script-broken", &[("rules/scripts/a.rhai", b"fn f( {")], &["F5001"]);
}

/// A script that loops for ever is stopped, and its condition says so.
#[test]
fn endless_script() {
    let dir = folder("endless");
    fs::create_dir_all(dir.join("rules")).unwrap();
    fs::create_dir_all(dir.join("topology")).unwrap();
    fs::create_dir_all(dir.join("bundle")).unwrap();
    fs::write(dir.join("rules/a.rhai"), "fn endless(c) { loop {} }").unwrap();
    fs::write(dir.join("rules/a.rules"), "TOP-001 \"x\" { given s: service if script endless(s) > 0.5 then impact dependents of s }")
        .unwrap();
    fs::write(dir.join("topology/a.yaml"), "components: [{id: payment, type: service}]").unwrap();
    fs::write(dir.join("bundle/alerts.json"), ALERT).unwrap();
    let (code, out, err) = faultscope(&["why", "TOP-001", dir.join("bundle").to_str().unwrap()]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("stopped after 200000 operations"), "{out}");
}

#[test]
fn rules_without_any_component() {
    const RULES: &[u8] =
        b"TOP-001 \"Slow\" { given s: service  if alert \"HighLatency\" on s  then impact dependents of s  fault \"slow\" at s }\n";
    project("no-component", &[("rules/a.rules", RULES)], &["F3026", "faultscope import", "faultscope place"]);
    // One of its own is enough.
    let dir = folder("one-component");
    let topology: &[u8] = b"components:\n  - {id: payment, type: service}\n";
    for (file, bytes) in [("rules/a.rules", RULES), ("topology/a.yaml", topology), ("b/alerts.json", ALERT)] {
        fs::create_dir_all(dir.join(file).parent().unwrap()).unwrap();
        fs::write(dir.join(file), bytes).unwrap();
    }
    let run = |args: &[&str]| faultscope(args).1;
    let (place, bundle) = (dir.display().to_string(), dir.join("b").display().to_string());
    assert!(!run(&["check", &place]).contains("F3026"));
    let said = run(&["diagnose", &bundle, "--project", &place]);
    assert!(said.contains("TOP-001") && !said.contains("faultscope place"), "{said}");
    // Without it, the first screen says that nothing has a place, before anything else.
    fs::remove_file(dir.join("topology/a.yaml")).unwrap();
    let said = run(&["diagnose", &bundle, "--project", &place]);
    let (way, open) = (said.find("faultscope place"), said.find("Unexplained"));
    assert!(said.contains("no component in the topology") && way.is_some() && way < open, "{said}");
    let said = run(&["diagnose", &bundle, "--project", &place, "--lang", "zh"]);
    assert!(said.contains("拓扑中没有组件"), "{said}");
}
