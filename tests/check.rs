//! What `check` says: the planted mistakes, all in one run, and the words of every kind of error.

use crate::common::{faultscope, root, snapshot};

#[test]
fn all_planted_mistakes_in_one_run() {
    let (code, out, err) = faultscope(&["check", "tests/planted/project", "--format", "json"]);
    assert_eq!(code, 1, "{err}");
    let found: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
    let mut lines: Vec<String> = found
        .iter()
        .map(|d| {
            format!(
                "{} {}:{}:{}",
                d["code"].as_str().unwrap(),
                d["place"]["path"].as_str().unwrap_or("-"),
                d["place"]["line"],
                d["place"]["column"]
            )
        })
        .collect();
    lines.sort();
    let expected = std::fs::read_to_string(root().join("tests/planted/EXPECTED.tsv")).unwrap();
    let mut wanted: Vec<String> = expected
        .lines()
        .map(|line| {
            let f: Vec<&str> = line.split('\t').collect();
            format!("{} {}:{}:{}", f[0], f[1], f[2], f[3])
        })
        .collect();
    wanted.sort();
    assert!(wanted.len() >= 20);
    assert_eq!(lines, wanted);
}

#[test]
fn good_rules_beside_them_still_count() {
    let (_, out, _) = faultscope(&["check", "tests/planted/project"]);
    let good = std::fs::read_to_string(root().join("tests/planted/GOOD.tsv")).unwrap();
    assert!(out.contains(&format!("{} rules", good.lines().count())), "{}", out.lines().last().unwrap_or(""));
    snapshot("check", "planted", &format!("$ faultscope check tests/planted/project\n{out}"));
}

/// Every file of `tests/language/` with what is said of it.
#[test]
fn errors_teach() {
    let mut files: Vec<_> = std::fs::read_dir(root().join("tests/language")).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    for path in files.iter().filter(|p| p.extension().is_some_and(|e| e == "rules")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).unwrap();
        let stem = path.file_stem().unwrap().to_string_lossy();
        snapshot("language", &stem, &format!("$ faultscope check   # rules/{name}\n{}", said(&name, &text)));
    }
}

fn said(name: &str, text: &str) -> String {
    let mut sources = diag::Sources::default();
    let id = sources.add(name, text);
    let (file, mut diagnostics) = language::parse_file(&sources, id);
    let estate = estate::Snapshot::empty();
    let none = std::collections::BTreeMap::new();
    let inputs = compile::Inputs { sources: &sources, estate: &estate, files: &[file], scripts: &none, cases: None };
    let (plan, found) = compile::compile(inputs);
    diagnostics.extend(found);
    diag::sort(&sources, &mut diagnostics);
    format!("{}{} rules, {} trees compiled\n", diag::render(&sources, &diagnostics, false, false), plan.rules.len(), plan.trees.len())
}

#[test]
fn exit_codes() {
    for (args, expected) in [
        (&["check", "."][..], 0),
        (&["check", "tests/planted/project"], 1),
        (&["check", "no-such-folder"], 2),
        (&["check", "src"], 2),
        (&["check", "--no-such-option"], 2),
        (&["diagnose", "no-such-bundle"], 2),
        (&["diagnose", "src"], 2),
        (&["why", "TOP-999", "cases/HIS-20250601"], 2),
        (&["walk", "TREE-999"], 2),
        (&["impact", "no-such-component"], 2),
        (&["eval", "src"], 2),
        (&["diagnose", "cases/HIS-20250601", "--at", "yesterday"], 2),
    ] {
        let (code, out, err) = faultscope(args);
        assert_eq!(code, expected, "{args:?}\n{out}\n{err}");
        assert!(code != 2 || !err.is_empty(), "{args:?} says nothing");
        assert!(!err.contains("panicked"), "{args:?}: {err}");
    }
}
