//! A call that only the traces of an incident show, in the whole diagnosis: a fault is traced along it, and the report says where it is from.

use crate::common::faultscope;

fn diagnosed(more: &[&str]) -> String {
    let (_, out, err) = faultscope(&[&["diagnose", "tests/seen/incident", "--project", "tests/seen"][..], more].concat());
    assert_eq!(err, "");
    out
}

#[test]
fn a_fault_is_traced_along_a_call_of_traces() {
    let found: serde_json::Value = serde_json::from_str(&diagnosed(&["--format", "json"])).unwrap();
    let incidents = found["incidents"].as_array().unwrap();
    assert_eq!(incidents.len(), 1, "{found:#}");
    assert_eq!(incidents[0]["suspects"][0]["component"], "stock");
    let shop = &incidents[0]["impact"][0];
    assert_eq!((shop["component"].as_str(), shop["path"].as_array().map(Vec::len)), (Some("shop"), Some(2)), "{shop}");
}

#[test]
fn the_report_says_which_relations_are_from_traces() {
    let said = "F4009: `traces.json`: calls that only the traces show, used as relations: shop -> stock (2 spans)";
    assert!(diagnosed(&["--full", "--lang", "en"]).contains(said));
    let said = "F4009：`traces.json`：以下调用只在调用链中出现，已作为关系使用：shop -> stock（2 个 Span）";
    let chinese = diagnosed(&["--full", "--lang", "zh"]);
    assert!(chinese.contains(said), "{chinese}");
}
