//! Whole diagnoses: every bundle of the repository, and the public incidents where they are at hand.

use std::path::Path;

use crate::common::{bundles, faultscope, root, shared, snapshot};
use engine::matcher::{Fact, Matcher};
use localize::{Diagnosis, Layer};
use project::{Options, Project, load_bundle};

fn own() -> Vec<std::path::PathBuf> {
    let mut all = bundles(&root().join("cases"));
    all.extend(bundles(&root().join("tests/incidents")));
    assert!(all.len() >= 30, "{} bundles", all.len());
    all
}

fn diagnose(project: &Project, dir: &Path) -> Diagnosis {
    load_bundle(project, dir, dir.parent().unwrap(), Options::default())
        .unwrap_or_else(|e| panic!("{}: {}", dir.display(), e.message))
        .diagnose()
}

fn project() -> Project {
    Project::load(&root()).unwrap()
}

/// Every signal ends in one place, and every symptom is explained once or listed.
fn adds_up(name: &str, d: &Diagnosis) {
    for line in &d.accounting {
        let ends = line.explained + line.unexplained + line.quiet + line.duplicates + line.set_aside;
        assert_eq!(line.received, ends, "{name}: {line:?}");
    }
    let mut seen = std::collections::BTreeSet::new();
    let explained = d.incidents.iter().flat_map(|i| &i.suspects).flat_map(|s| &s.explains);
    for signal in explained.chain(&d.unexplained) {
        assert!(seen.insert((signal.kind.clone(), signal.component.clone(), signal.origin.clone())), "{name}: {signal:?} stands twice");
    }
    // The account says what the lists say.
    let kinds = [("alerts", "alert"), ("reports", "report"), ("probes", "probe"), ("metric series", "metric")];
    for (line, kind) in kinds.iter().filter_map(|(name, kind)| Some((d.accounting.iter().find(|l| l.kind == *name)?, kind))) {
        let listed = d.unexplained.iter().filter(|s| s.kind == *kind).count();
        assert_eq!(line.unexplained, listed, "{name}: unexplained {kind}");
        let of_suspects = d.incidents.iter().flat_map(|i| &i.suspects).flat_map(|s| &s.explains).filter(|s| s.kind == *kind).count();
        assert!(line.explained >= of_suspects, "{name}: explained {kind}: {} of {of_suspects}", line.explained);
    }
    for incident in &d.incidents {
        assert!(!incident.suspects.is_empty(), "{name}: an incident without a suspect");
        assert!(incident.explained <= incident.symptoms, "{name}: {incident:?}");
        for suspect in &incident.suspects {
            assert!((0.0..=1.0).contains(&suspect.confidence), "{name}: {}", suspect.confidence);
            assert_eq!(suspect.confirm, suspect.layer != Layer::Expert, "{name}");
            assert!(suspect.layer != Layer::Expert || !suspect.evidence.is_empty(), "{name}: a rule without evidence");
        }
        for view in &incident.impact {
            assert_eq!(view.path.last(), Some(&view.component), "{name}: a path leads to its component");
            assert!(!(view.observed && view.inferred), "{name}: {view:?}");
        }
    }
}

#[test]
fn signals_are_never_lost() {
    let project = project();
    for dir in own() {
        adds_up(&dir.to_string_lossy(), &diagnose(&project, &dir));
    }
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn signals_of_public_incidents_are_never_lost() {
    let project = project();
    for dir in bundles(&shared("data/bundles")) {
        adds_up(&dir.to_string_lossy(), &diagnose(&project, &dir));
    }
}

#[test]
fn rules_name_the_right_component() {
    let (code, out, err) = faultscope(&["eval", "cases", "tests/incidents", "--format", "json"]);
    assert_eq!(code, 0, "{err}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    for bundle in report["bundles"].as_array().unwrap() {
        let name = bundle["bundle"].as_str().unwrap();
        let expected: Vec<&str> = bundle["expected"].as_array().unwrap().iter().filter_map(|v| v.as_str()).collect();
        let said: Vec<&str> = bundle["suspects"].as_array().unwrap().iter().filter_map(|v| v.as_str()).collect();
        if name.ends_with("near-miss") {
            // Nothing is wrong: what alerts there are stay unexplained.
            assert!(said.is_empty(), "{name}: {said:?}");
            continue;
        }
        assert!(expected.contains(&said.first().copied().unwrap_or("")), "{name}: expected {expected:?}, said {said:?}");
        assert_eq!(bundle["layer"], if name == "unknown" { "anomaly" } else { "expert" }, "{name}");
    }
    assert_eq!(report["failed"].as_array().unwrap().len(), 0, "{report}");
}

/// The rule that a bundle is named after fires in `-fires`, and lacks one condition in `-near-miss`.
#[test]
fn each_rule_fires_and_nearly_fires() {
    let project = project();
    let mut rules = 0;
    for dir in own() {
        let name = dir.file_name().unwrap().to_string_lossy().into_owned();
        let Some(rule) = name.strip_suffix("-fires").or_else(|| name.strip_suffix("-near-miss")) else { continue };
        let diagnosis = diagnose(&project, &dir);
        if name.ends_with("-fires") {
            rules += 1;
            let suspects: Vec<_> =
                diagnosis.incidents.iter().flat_map(|i| &i.suspects).filter(|s| s.rules.iter().any(|r| r == rule)).collect();
            assert!(!suspects.is_empty(), "{name}: {rule} did not fire");
        } else {
            assert!(diagnosis.incidents.iter().all(|i| i.layer != Layer::Expert), "{name}: {:?}", diagnosis.incidents);
            let near = diagnosis.near_misses.iter().any(|m| m.rule == rule);
            assert!(near, "{name}: {rule} is no near miss: {:?}", diagnosis.near_misses.iter().map(|m| &m.text).collect::<Vec<_>>());
        }
    }
    assert_eq!(rules, 12);
}

#[test]
fn the_storm_has_one_cause_and_a_silent_middle() {
    let diagnosis = diagnose(&project(), &root().join("tests/incidents/storm"));
    assert_eq!(diagnosis.incidents.iter().filter(|i| i.layer == Layer::Expert).count(), 1);
    let incident = &diagnosis.incidents[0];
    assert!(incident.symptoms >= 200, "{}", incident.symptoms);
    assert!(incident.impact.iter().any(|v| v.inferred), "a component on the path without an alert is inferred");
    assert!(diagnosis.unplaced.len() >= 4);
}

#[test]
fn json_is_stable_and_its_schema_fresh() {
    let (_, schema, _) = faultscope(&["help", "schema"]);
    let fresh = std::fs::read_to_string(root().join("docs/diagnosis.schema.json")).unwrap_or_default();
    assert!(schema == fresh, "docs/diagnosis.schema.json is not fresh: faultscope help schema > docs/diagnosis.schema.json");
    for bundle in ["cases/HIS-20250601", "tests/incidents/storm", "tests/incidents/unknown", "tests/incidents/MET-001-near-miss"] {
        let (code, out, err) = faultscope(&["diagnose", bundle, "--format", "json"]);
        assert_eq!(code, 0, "{err}");
        let (_, again, _) = faultscope(&["diagnose", bundle, "--format", "json"]);
        assert!(out == again, "{bundle}: two runs differ");
    }
}

/// What people read, as a whole.
#[test]
fn reports_read_well() {
    let stories: &[(&str, &[&str])] = &[
        ("his-20250601", &["diagnose", "cases/HIS-20250601"]),
        ("his-20250601-full", &["diagnose", "cases/HIS-20250601", "--full", "--tz", "Asia/Shanghai"]),
        ("his-20250820-zh", &["diagnose", "cases/HIS-20250820", "--lang", "zh"]),
        ("his-20250820-zh-full", &["diagnose", "cases/HIS-20250820", "--lang", "zh", "--full"]),
        ("unknown-zh", &["diagnose", "tests/incidents/unknown", "--lang", "zh"]),
        ("storm-markdown", &["diagnose", "tests/incidents/storm", "--format", "markdown"]),
        ("unknown", &["diagnose", "tests/incidents/unknown"]),
        ("near-miss", &["diagnose", "tests/incidents/MET-003-near-miss"]),
        ("why-fires", &["why", "MET-004", "tests/incidents/MET-004-fires"]),
        ("why-not", &["why", "MET-001", "tests/incidents/MET-001-near-miss"]),
        ("why-unbound", &["why", "CAS-003", "tests/incidents/TOP-004-fires"]),
        ("why-fires-zh", &["why", "MET-004", "tests/incidents/MET-004-fires", "--lang", "zh", "--tz", "Asia/Shanghai"]),
        ("why-not-zh", &["why", "MET-001", "tests/incidents/MET-001-near-miss", "--lang", "zh"]),
        ("impact", &["impact", "order-db"]),
        ("impact-host", &["impact", "redis-1", "--depth", "2", "--type", "service"]),
        ("impact-several", &["impact", "redis-1", "gateway-pool", "--paths", "2", "--tier", "core", "--state", "degraded"]),
        ("impact-mermaid", &["impact", "order-db", "--depth", "1", "--format", "mermaid"]),
        ("impact-dot", &["impact", "order-db", "--depth", "1", "--format", "dot"]),
        ("impact-none", &["impact", "trading", "--lang", "zh"]),
        ("impact-zh", &["impact", "order-db", "--lang", "zh"]),
        ("impact-several-zh", &["impact", "redis-1", "gateway-pool", "--paths", "2", "--tier", "core", "--lang", "zh"]),
        ("impact-causes-zh", &["impact", "--causes", "web-frontend", "order-service", "--type", "数据库", "--lang", "zh"]),
        ("impact-line-single-points-zh", &["impact", "--single-points", "trading", "--lang", "zh", "--format", "markdown"]),
        ("impact-causes", &["impact", "--causes", "web-frontend", "order-service", "--type", "database"]),
        ("impact-line-single-points", &["impact", "--single-points", "trading"]),
        ("impact-single-points", &["impact", "--single-points", "order-service", "--format", "markdown"]),
        ("change-rolling", &["change", "tests/plans/01-rolling-gateways.yaml", "--fail-on", "medium"]),
        ("change-at-once", &["change", "tests/plans/02-gateways-at-once.yaml", "--lang", "zh"]),
        ("change-no-order", &["change", "tests/plans/03-order-db-upgrade.yaml", "--format", "markdown"]),
        ("change-removal", &["change", "tests/plans/04-remove-redis-replica.yaml"]),
        ("change-removal-first", &["change", "tests/plans/05-removal-before-restart.yaml"]),
        ("change-hosts", &["change", "tests/plans/06-reboot-app-hosts.yaml", "--fail-on", "critical"]),
        ("change-last-replica", &["change", "tests/plans/07-last-db-replica.yaml", "--format", "json"]),
        ("change-mistakes", &["change", "tests/plans/08-mistakes.yaml"]),
        ("change-rolling-zh", &["change", "tests/plans/01-rolling-gateways.yaml", "--lang", "zh", "--tz", "Asia/Shanghai"]),
        ("change-no-order-zh", &["change", "tests/plans/03-order-db-upgrade.yaml", "--format", "markdown", "--lang", "zh"]),
        ("change-removal-zh", &["change", "tests/plans/04-remove-redis-replica.yaml", "--lang", "zh"]),
        ("change-removal-first-zh", &["change", "tests/plans/05-removal-before-restart.yaml", "--lang", "zh"]),
        ("change-hosts-zh", &["change", "tests/plans/06-reboot-app-hosts.yaml", "--lang", "zh"]),
        ("change-last-replica-zh", &["change", "tests/plans/07-last-db-replica.yaml", "--format", "json", "--lang", "zh"]),
        ("change-difference", &["change", "--from", "tests/plans/shop-before", "--to", "tests/plans/shop-after"]),
        ("change-difference-zh", &["change", "--from", "tests/plans/shop-before", "--to", "tests/plans/shop-after", "--lang", "zh"]),
        ("change-nothing", &["change", "--from", "topology", "--to", "topology"]),
        ("walk-data", &["walk", "TREE-001", "--bundle", "tests/incidents/TOP-001-fires", "--answers", "yes"]),
        ("walk-data-zh", &["walk", "TREE-001", "--bundle", "tests/incidents/TOP-001-fires", "--answers", "是", "--lang", "zh"]),
        ("walk-unanswered-zh", &["walk", "TREE-001", "--answers", "yes", "--lang", "zh"]),
        ("walk-mermaid", &["walk", "TREE-001", "--format", "mermaid"]),
    ];
    for (name, args) in stories {
        let (code, out, err) = faultscope(args);
        let suite = args.first().unwrap();
        let name = name.strip_prefix(&format!("{suite}-")).unwrap_or(name);
        snapshot(suite, name, &format!("$ faultscope {}\n{out}{err}exit {code}\n", args.join(" ")));
    }
}

/// The tables of `eval`, in both languages: all but how long it took.
#[test]
fn evaluations_read_well() {
    for (name, lang) in [("cases", "en"), ("cases-zh", "zh")] {
        let (code, out, err) = faultscope(&["eval", "cases", "--verbose", "--reliability", "--lang", lang]);
        snapshot(
            "eval",
            name,
            &format!("$ faultscope eval cases --verbose --reliability --lang {lang}\n{}{err}exit {code}\n", untimed(&out)),
        );
    }
}

/// `… #ms` for each time in milliseconds.
fn untimed(text: &str) -> String {
    let parts: Vec<&str> = text.split(" ms").collect();
    let (last, timed) = parts.split_last().unwrap();
    let timed: String = timed.iter().flat_map(|part| [part.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end(), " #ms"]).collect();
    format!("{timed}{last}")
}

/// One incident fits on one screen, in both languages. The storm, with 200 alerts, may take a few lines more.
#[test]
fn the_first_screen_is_short() {
    for dir in own() {
        let most = if dir.ends_with("storm") { 32 } else { 25 };
        for lang in ["en", "zh"] {
            let (_, out, _) = faultscope(&["diagnose", dir.to_str().unwrap(), "--lang", lang]);
            let incidents = out.lines().filter(|line| line.starts_with("INCIDENT") || line.starts_with("故障 ")).count();
            let lines = out.lines().count();
            assert!(lines <= most * incidents.max(1), "{}: {lines} lines\n{out}", dir.display());
        }
    }
}

#[test]
fn the_readme_shows_real_output() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap_or_default();
    let (_, out, _) = faultscope(&["diagnose", "cases/HIS-20250601"]);
    let block = readme.split("```text\n").find(|b| b.starts_with("INCIDENT")).and_then(|b| b.split("```").next()).unwrap_or("");
    assert!(out.contains(block.trim_end()) && !block.is_empty(), "the README's output is not what the command prints:\n{out}");
}

/// The same answers through the matcher as by looking at every rule everywhere; and findings held at the same times where the
/// matcher was fed one fact after the other.
#[test]
fn the_matcher_changes_no_answer() {
    matcher_and_plain_engine_agree(own());
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn the_matcher_changes_no_answer_on_public_incidents() {
    matcher_and_plain_engine_agree(bundles(&shared("data/bundles")));
}

fn matcher_and_plain_engine_agree(all: Vec<std::path::PathBuf>) {
    let project = project();
    for dir in all {
        let bundle =
            load_bundle(&project, &dir, &top(&dir), Options::default()).unwrap_or_else(|e| panic!("{}: {}", dir.display(), e.message));
        let plain = bundle.plain_engine();
        let wanted = serde_json::to_string_pretty(&bundle.diagnose_with(&plain)).unwrap();
        let found = serde_json::to_string_pretty(&bundle.diagnose()).unwrap();
        assert!(wanted == found, "{}: the diagnosis differs:\n{found}\nnot\n{wanted}", dir.display());
        let facts = Fact::all_of(&bundle.facts);
        let mut matcher = Matcher::new(bundle.setup(facts[0].time()));
        let mut out = Vec::new();
        for fact in facts.into_iter().filter(|fact| fact.time() <= bundle.at) {
            matcher.feed(fact, &mut out);
        }
        matcher.advance(bundle.at, &mut out);
        let findings = plain.findings();
        let wanted: Vec<_> = findings.iter().map(|f| (f.rule.id.as_str(), f.binding.as_slice(), f.held.clone())).collect();
        assert_eq!(matcher.history(), wanted, "{}", dir.display());
    }
}

/// As far up as the topology of a public bundle lies.
fn top(dir: &Path) -> std::path::PathBuf {
    let parent = dir.parent().unwrap();
    if parent.join("topology.json").exists() || dir.join("topology.json").exists() {
        parent.to_path_buf()
    } else {
        parent.parent().unwrap_or(parent).to_path_buf()
    }
}
