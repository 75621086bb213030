//! The reference is true: its rules compile, its wrong examples are refused with the code that it names, and its tables
//! have every keyword and every code.

use std::collections::BTreeMap;

use compile::{Inputs, Scripts, compile};
use diag::{Diagnostic, Sources, all_codes, render};
use estate::Snapshot;
use language::parse_file;
use script::RhaiScripts;

const REFERENCE: &str = include_str!("../grammar/reference.md");

/// Fenced blocks: the words after the fence, the line of the fence, the text.
fn blocks() -> Vec<(String, usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, usize, String)> = None;
    for (number, line) in REFERENCE.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => open = Some((info.trim().to_owned(), number + 1, String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, _, text)), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is not closed");
    blocks
}

fn check(texts: &[(String, String)]) -> (Sources, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let script = sources.add("rules/scripts/leak.rhai", "fn leak_score(component) { 0.5 }");
    let (scripts, mut diagnostics) = RhaiScripts::compile(&sources, &[script]);
    let estate = Snapshot::empty();
    let ids: Vec<_> = texts.iter().map(|(name, text)| sources.add(name.clone(), text.clone())).collect();
    let mut files = Vec::new();
    for id in ids {
        let (file, found) = parse_file(&sources, id);
        diagnostics.extend(found);
        files.push(file);
    }
    let (_, found) = compile(Inputs { sources: &sources, estate: &estate, files: &files, scripts: scripts.functions(), cases: None });
    diagnostics.extend(found);
    (sources, diagnostics)
}

#[test]
fn its_rules_compile() {
    let texts: Vec<_> = blocks()
        .into_iter()
        .filter(|(info, ..)| info == "rules")
        .map(|(_, line, text)| (format!("reference.md from line {line}"), text))
        .collect();
    assert!(texts.len() > 10, "the reference has examples");
    let (sources, diagnostics) = check(&texts);
    assert!(diagnostics.is_empty(), "{}", render(&sources, &diagnostics, false, false));
}

#[test]
fn its_wrong_examples_are_refused() {
    let mut wrong = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (info, line, text) in blocks() {
        let Some(code) = info.strip_prefix("rules-error ") else { continue };
        *seen.entry(code.to_owned()).or_default() += 1;
        let (sources, diagnostics) = check(&[(format!("reference.md from line {line}"), text)]);
        if !diagnostics.iter().any(|d| d.code.0 == code) {
            wrong.push(format!("line {line}: expected {code}, found:\n{}", render(&sources, &diagnostics, false, false)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen.len() > 25, "most codes have an example");
}

#[test]
fn its_tables_are_complete() {
    for (code, title, _) in all_codes().iter().filter(|(code, ..)| code.0.starts_with("F1") || code.0.starts_with("F2")) {
        assert!(REFERENCE.contains(code.0), "{code} ({title}) is missing");
    }
    let grammar = include_str!("../grammar/rules.pest");
    for line in grammar.lines().filter(|l| l.starts_with("kw_")) {
        // Every spelling in quotes on a keyword's line; words of several tokens stand there word by word.
        for spelling in line.split('"').skip(1).step_by(2) {
            assert!(REFERENCE.contains(spelling), "keyword `{spelling}` is missing");
        }
    }
}
