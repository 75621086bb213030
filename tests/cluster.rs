//! Conditions on what a cluster says, from the files of `kubectl` to the report. The project is `tests/cluster/`.

use crate::common::{faultscope, root, snapshot};
use project::{Options, Project, load_bundle};

const PROJECT: &str = "tests/cluster";

fn run(args: &[&str]) -> String {
    let (code, out, err) = faultscope(args);
    assert_eq!(code, 0, "{args:?}\n{out}\n{err}");
    out
}

#[test]
fn its_rules_are_right() {
    run(&["check", PROJECT]);
}

#[test]
fn an_event_makes_a_suspect_and_its_evidence_names_it() {
    let fires = format!("{PROJECT}/incidents/oom");
    for (name, lang) in [("oom", "en"), ("oom-zh", "zh")] {
        let args = ["diagnose", &fires, "--full", "--lang", lang];
        let out = run(&args);
        let said = if lang == "en" {
            "10:05:00 OOMKilled of Pod shop/order-db-0, 3 times since 10:01:00"
        } else {
            "10:05:00 Pod shop/order-db-0 OOMKilled，自 10:01:00 起 3 次"
        };
        assert!(out.contains(said), "{out}");
        snapshot("cluster", name, &format!("$ faultscope {}\n{out}", args.join(" ")));
    }
    let json: serde_json::Value = serde_json::from_str(&run(&["diagnose", &fires, "--format", "json"])).unwrap();
    let suspect = &json["incidents"][0]["suspects"][0];
    assert_eq!(suspect["component"], "order-db", "{suspect:#}");
    assert_eq!(suspect["layer"], "expert", "{suspect:#}");
    let texts = suspect.to_string();
    for part in [r#""kind":"event""#, r#""reason":"OOMKilled""#, r#""object":"Pod shop/order-db-0""#, r#""count":3"#] {
        assert!(texts.contains(part), "no {part}\n{suspect:#}");
    }
}

/// The word in a message, and one event where two are asked for, are not enough.
#[test]
fn why_it_does_not_match() {
    let near = format!("{PROJECT}/incidents/oom-near-miss");
    for (name, rule, lang) in [("why-oom", "TOP-001", "en"), ("why-image-zh", "TOP-002", "zh")] {
        let args = ["why", rule, &near, "--lang", lang];
        let (_, out, err) = faultscope(&args);
        snapshot("cluster", name, &format!("$ faultscope {}\n{out}{err}", args.join(" ")));
    }
    let json: serde_json::Value = serde_json::from_str(&run(&["diagnose", &near, "--format", "json"])).unwrap();
    let mut suspects = json["incidents"].as_array().unwrap().iter().flat_map(|incident| incident["suspects"].as_array().unwrap());
    assert!(suspects.all(|suspect| suspect["layer"] != "expert"), "{json:#}");
}

/// Nobody can undo that a container was stopped; the rollout that asked for it can be undone.
#[test]
fn a_rollout_is_undone_and_not_what_came_of_it() {
    for (bundle, expected) in [("rollout", Some("Scaled up replica set order-db-66c9f7bd5 to 1")), ("rescheduled", None)] {
        let bundle = format!("{PROJECT}/incidents/{bundle}");
        let json: serde_json::Value = serde_json::from_str(&run(&["diagnose", &bundle, "--format", "json"])).unwrap();
        let undone: Vec<&str> = json["solutions"].as_array().unwrap().iter().filter_map(|one| one["undo"]["change"].as_str()).collect();
        assert_eq!(undone.len(), usize::from(expected.is_some()), "{bundle}: {undone:?}");
        assert!(expected.is_none_or(|expected| undone[0].ends_with(expected)), "{bundle}: {undone:?}");
    }
}

/// A pod has no connections, a database has: of both pods, whether the estate has them or not.
#[test]
fn exporters_beside_a_database_tell_its_metrics() {
    let dir = root().join("tests/cluster/sidecar");
    let project = Project::load(&dir).unwrap();
    let bundle = load_bundle(&project, &dir.join("incident"), &dir, Options::default()).unwrap();
    assert!(bundle.diagnose_with(&bundle.plain_engine()) == bundle.diagnose(), "the matcher read other values");
    let incident = "tests/cluster/sidecar/incident";
    let json = run(&["diagnose", incident, "--project", "tests/cluster/sidecar", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let suspect = &json["incidents"][0]["suspects"][0];
    assert_eq!(suspect["component"], "orders-db", "{json:#}");
    assert_eq!(suspect["layer"], "expert", "{json:#}");
    let (_, out, err) = faultscope(&["why", "TOP-001", incident, "--project", "tests/cluster/sidecar", "--lang", "en"]);
    assert!(out.contains("60, 10 above the threshold"), "{out}{err}");
    for (pod, said) in [("orders-db-0", "(of orders-db)"), ("orders-db-1", "(of orders-db, not in the topology)")] {
        assert!(out.lines().any(|line| line.contains(pod) && line.contains(said)), "{pod}\n{out}{err}");
    }
}
