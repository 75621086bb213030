//! Reports in Chinese: nothing in them is English but what people wrote, and what has no other name.

use std::collections::BTreeSet;
use std::path::Path;

use crate::common::{faultscope, root};
use change::{Action, Risk};

/// One of each kind: plans that are safe, safe in another order and unsafe; two topologies; every question about impact.
const REPORTS: &[&[&str]] = &[
    &["change", "tests/plans/01-rolling-gateways.yaml"],
    &["change", "tests/plans/02-gateways-at-once.yaml"],
    &["change", "tests/plans/03-order-db-upgrade.yaml", "--format", "markdown"],
    &["change", "tests/plans/04-remove-redis-replica.yaml"],
    &["change", "tests/plans/05-removal-before-restart.yaml"],
    &["change", "tests/plans/06-reboot-app-hosts.yaml"],
    &["change", "tests/plans/07-last-db-replica.yaml"],
    &["change", "--from", "tests/plans/shop-before", "--to", "tests/plans/shop-after"],
    &["change", "--from", "tests/plans/shop-before", "--to", "tests/plans/shop-before"],
    &["impact", "order-db"],
    &["impact", "redis-1", "gateway-pool", "--paths", "2", "--format", "markdown"],
    &["impact", "trading"],
    &["impact", "redis-1", "--tier", "minor"],
    &["impact", "--causes", "web-frontend", "order-service"],
    &["impact", "--single-points", "trading"],
    &["impact", "--single-points"],
];

/// What people wrote: topology, rules, cases and plans.
fn declared() -> String {
    let mut text = String::new();
    let mut open = ["topology", "rules", "cases", "tests/plans"].map(|dir| root().join(dir)).to_vec();
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if is_written(&path) {
                text.push_str(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    text
}

fn is_written(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "yaml" || ending == "rules")
}

/// Without what stands in quotes or backticks.
fn unquoted(line: &str) -> String {
    let mut end = None;
    let mut text = String::new();
    for c in line.chars() {
        match (end, c) {
            (Some(close), c) if c == close => end = None,
            (Some(_), _) => {}
            (None, '“') => end = Some('”'),
            (None, '"' | '`') => end = Some(c),
            (None, _) => text.push(c),
        }
    }
    text
}

/// The words of a line, each with its neighbors: `None` stands for everything else. Ids, paths, owners and numbers are no words.
fn words_of(line: &str) -> Vec<Option<String>> {
    let is_mark = |c: char| c.is_ascii_punctuation() && !"-_./".contains(c) || "，。、：；（）“”·—→←…".contains(c);
    let mut words = Vec::new();
    for token in line.split_whitespace() {
        let word = token.trim_matches(is_mark);
        let is_word = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic());
        if is_word {
            words.push(Some(word.to_owned()));
            // A mark behind it ends what is said.
            if !token.ends_with(word) {
                words.push(None);
            }
            continue;
        }
        // Chinese needs no blanks: `步骤restart`, `核心、down`.
        let parts = token.split(|c: char| !c.is_ascii() || is_mark(c)).filter(|part| !part.is_empty());
        let parts = parts.filter(|part| part.chars().all(|c| c.is_ascii_alphabetic()));
        words.extend(parts.flat_map(|part| [None, Some(part.to_owned())]));
        words.push(None);
    }
    words
}

/// English words of reports that have a Chinese one.
fn translated() -> BTreeSet<String> {
    let of = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| word.len() > 1);
        words.map(str::to_ascii_lowercase).collect()
    };
    let mut english: BTreeSet<String> = words::fixed_words().flat_map(|(english, _)| of(english)).collect();
    english.extend(Action::ALL.map(|action| action.name().to_owned()));
    english.extend([Risk::Low, Risk::Medium, Risk::High, Risk::Critical].map(|risk| risk.name().to_owned()));
    let chinese: BTreeSet<String> = words::fixed_words().flat_map(|(_, chinese)| of(chinese)).collect();
    english.difference(&chinese).cloned().collect()
}

#[test]
fn chinese_reports_are_chinese() {
    let (declared, translated) = (declared(), translated());
    assert!(translated.contains("degraded") && !translated.contains("rto"), "{translated:?}");
    for report in REPORTS {
        let args: Vec<&str> = report.iter().copied().chain(["--lang", "zh"]).collect();
        let (code, out, err) = faultscope(&args);
        assert_eq!((code, err.as_str()), (0, ""), "{args:?}");
        for line in out.lines() {
            let words = words_of(&unquoted(line));
            let english: Vec<&String> = words.iter().flatten().filter(|word| translated.contains(&word.to_ascii_lowercase())).collect();
            assert!(english.is_empty(), "{args:?}: {english:?} have Chinese words:\n{line}");
            for run in words.split(Option::is_none).filter(|run| run.len() >= 3) {
                let run = run.iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ");
                assert!(declared.contains(&run), "{args:?}: `{run}` is English that nobody wrote:\n{line}");
            }
        }
    }
}

/// The test above would see what it looks for.
#[test]
fn english_is_seen() {
    let runs = |line: &str| words_of(&unquoted(line)).split(Option::is_none).map(<[_]>::len).max().unwrap_or(0);
    assert_eq!(runs("  [核心] order-db 订单数据库 · its group is intact"), 4);
    assert_eq!(runs("可能命中的规则“one two three” — 读取 redis-1、gw.cpu_usage (order-pod-1, nginx)"), 1);
    assert_eq!(runs("tests/plans/shop-before → topology"), 1);
    assert_eq!(words_of("步骤 1 restart、核心down：").iter().flatten().collect::<Vec<_>>(), ["restart", "down"]);
}

/// Both languages list the same things in the same order.
#[test]
fn both_languages_say_the_same() {
    for report in REPORTS {
        let said = |lang: &str| {
            let args: Vec<&str> = report.iter().copied().chain(["--lang", lang]).collect();
            faultscope(&args).1
        };
        let (english, chinese) = (said("en"), said("zh"));
        assert_eq!(english.lines().count(), chinese.lines().count(), "{report:?}:\n{english}\n{chinese}");
    }
}

/// A reason is data with a sentence: the language changes the sentence and nothing else.
#[test]
fn only_texts_depend_on_the_language() {
    let said = |lang: &str| {
        let plan = "tests/plans/06-reboot-app-hosts.yaml";
        let (_, out, _) = faultscope(&["change", plan, "--format", "json", "--lang", lang]);
        let mut report: serde_json::Value = serde_json::from_str(&out).unwrap();
        let mut texts = Vec::new();
        let reads = |report: &serde_json::Value| report["rules"].as_array().unwrap().len();
        for reason in report["reasons"].as_array_mut().unwrap() {
            texts.push(reason["text"].take());
        }
        for rule in 0..reads(&report) {
            for read in report["rules"][rule]["reads"].as_array_mut().unwrap() {
                texts.push(read["text"].take());
            }
        }
        (report, texts)
    };
    let ((english, in_english), (chinese, in_chinese)) = (said("en"), said("zh"));
    assert_eq!(english, chinese);
    assert_eq!(english["reasons"][0]["code"], "core_goes_down");
    assert!(in_english.iter().zip(&in_chinese).all(|(english, chinese)| english != chinese), "{in_english:?}\n{in_chinese:?}");
}

/// Times are those of the reader; a case that gives only its day keeps it everywhere.
#[test]
fn times_are_those_of_the_zone() {
    let plan = "tests/plans/03-order-db-upgrade.yaml";
    let (_, out, _) = faultscope(&["change", plan, "--tz", "America/New_York"]);
    assert!(out.contains("window 2025-05-31T13:00:00-04:00 – 2025-05-31T15:00:00-04:00 (2h)"), "{out}");
    assert!(out.contains("HIS-20250601 2025-06-01 "), "{out}");
    let (_, out, _) = faultscope(&["change", plan, "--tz", "+08:00", "--lang", "zh"]);
    assert!(out.contains("变更窗口 2025-06-01 01:00:00 – 03:00:00 +08:00（2 小时）"), "{out}");
}
