//! A counter and two volumes in a whole diagnosis: what rules read of them, and what is said where the model leaves it open.

use crate::common::{faultscope, root};
use project::{Options, Project, load_bundle};

const PROJECT: &str = "tests/counters";

#[test]
fn rules_read_the_rise_of_a_counter_and_the_mean_with_a_warning() {
    let (_, out, err) = faultscope(&["diagnose", "tests/counters/incident", "--project", PROJECT, "--format", "json"]);
    let found: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    let suspects = found["incidents"].as_array().unwrap().iter().flat_map(|incident| incident["suspects"].as_array().unwrap());
    let rules: Vec<&str> = suspects.flat_map(|suspect| suspect["rules"].as_array().unwrap()).filter_map(|rule| rule.as_str()).collect();
    // 1 query per second, then 10. The value of the counter was above 5 all along.
    assert_eq!(rules, ["TOP-001"], "{out}");
    let since = found["incidents"][0]["suspects"][0]["since"].as_str().unwrap();
    assert_eq!(since, "2025-06-01T10:10:00Z");
    let expected = "F4011: rules read the mean of 2 series of `volume_fill` on `h1`, which differ in `mountpoint`: say in topology/model.yaml \
                    how they combine (`aggregate`)";
    assert_eq!(found["warnings"], serde_json::json!([expected]));
}

#[test]
fn check_asks_how_series_combine() {
    let (code, out, err) = faultscope(&["check", PROJECT, "--format", "json"]);
    assert_eq!((code, err.as_str()), (1, ""));
    let found: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
    let shown =
        |d: &serde_json::Value| format!("{} {} line {}", d["code"].as_str().unwrap(), d["message"].as_str().unwrap(), d["place"]["line"]);
    let found: Vec<String> = found.iter().map(shown).collect();
    assert_eq!(found, ["F3024 nothing says how several series of metric `volume_fill` on one component combine line 5"]);
}

#[test]
fn both_engines_read_the_same() {
    let dir = root().join(PROJECT);
    let project = Project::load(&dir).unwrap();
    let bundle = load_bundle(&project, &dir.join("incident"), &dir, Options::default()).unwrap();
    assert!(bundle.diagnose_with(&bundle.plain_engine()) == bundle.diagnose(), "the matcher read other values");
}
