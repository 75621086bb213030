//! One grammar, two languages: a file in Chinese keywords and its English twin mean the same.

use std::collections::BTreeMap;

use compile::plan::Plan;
use compile::{Inputs, compile};
use diag::{Sources, render};
use estate::Snapshot;
use language::parse_file;

fn plan(name: &str, text: &str) -> Plan {
    let mut sources = Sources::default();
    let id = sources.add(name, text);
    let (file, mut diagnostics) = parse_file(&sources, id);
    let estate = Snapshot::empty();
    let (plan, found) = compile(Inputs { sources: &sources, estate: &estate, files: &[file], scripts: &BTreeMap::new(), cases: None });
    diagnostics.extend(found);
    assert!(diagnostics.is_empty(), "{}", render(&sources, &diagnostics, false, false));
    plan
}

#[test]
fn twins_compile_to_one_plan() {
    let en = plan("en.rules", include_str!("twins/en.rules"));
    let zh = plan("zh.rules", include_str!("twins/zh.rules"));
    assert_eq!(en.rules.len(), 3);
    assert_eq!(en.trees.len(), 1);
    for (id, rule) in &en.rules {
        assert_eq!(
            format!("{rule:#?}").split("written: Written").count(),
            format!("{:#?}", zh.rules[id]).split("written: Written").count(),
            "{id}"
        );
        assert!(zh.rules[id] == *rule, "{id} differs:\n{rule:#?}\n{:#?}", zh.rules[id]);
    }
    assert!(en == zh, "trees or states differ");
}

#[test]
fn a_difference_in_meaning_is_seen() {
    let text = include_str!("twins/en.rules");
    let en = plan("en.rules", text);
    for (from, to) in [
        ("hit_rate < 60%", "hit_rate < 61%"),
        ("within 3 hops", "within 4 hops"),
        ("priority 90", "priority 91"),
        ("severity = \"warning\"", "severity = \"info\""),
        ("with same region, ", "with same "),
        ("event \"NodeNotReady\"", "event \"NodeReady\""),
    ] {
        assert!(en != plan("other.rules", &text.replace(from, to)), "{from} → {to} makes no difference");
    }
}
