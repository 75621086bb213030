//! `faultscope knowledge`: what is asked in `tests/knowledge/asked`, of the project beside it; the graph of a store; what a diagnosis takes
//! from it.

use std::fs;
use std::path::Path;

use crate::common::{faultscope, root};
use estate::DeclaredComponent;
use knowledge::{KnowledgeGraph, Known};
use project::Project;
use store::{CaseRecord, Changeset, Store};

const PROJECT: &str = "tests/knowledge/project";

/// The lines below a command are lines of its output, in this order; what follows a `!` is nowhere in it.
#[test]
fn what_is_asked_is_answered() {
    let mut asked = 0;
    let mut files: Vec<_> = fs::read_dir(root().join("tests/knowledge/asked")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        let command = lines.next().and_then(|line| line.strip_prefix("$ faultscope ")).unwrap();
        let args: Vec<&str> = command.split(' ').chain(["--project", PROJECT]).collect();
        let (code, out, err) = faultscope(&args);
        assert_eq!(code, 0, "{}: {err}", file.display());
        let mut rest = out.lines().map(str::trim);
        for line in lines {
            match line.strip_prefix("! ") {
                Some(absent) => assert!(!out.contains(absent), "{}: `{absent}` is in\n{out}", file.display()),
                None => assert!(rest.any(|found| found == line), "{}: `{line}` is not in\n{out}", file.display()),
            }
        }
        // One pastes the first screen into a channel.
        assert!(args.contains(&"--full") || args.contains(&"json") || out.lines().count() <= 25, "{}:\n{out}", file.display());
        asked += 1;
    }
    assert!(asked >= 15, "{asked} questions");
}

#[test]
fn a_name_that_nothing_has_is_an_error() {
    let (code, out, err) = faultscope(&["knowledge", "cache-2", "--project", PROJECT]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("error[F9010]: no component, case or rule is called `cache-2`"), "{err}");
    assert!(err.contains("help: did you mean `cache-1`?"), "{err}");
    let (code, _, err) = faultscope(&["knowledge", "KubePodCrashLooping", "--project", PROJECT]);
    assert!(code == 2 && err.contains("no case and no rule names such an alert"), "{err}");
    let (code, _, err) = faultscope(&["knowledge", "cache-1", "--project", PROJECT, "--within", "6 moons"]);
    assert_eq!(code, 2);
    assert!(err.contains("use a number and a unit, like `6mo`"), "{err}");
    let (code, _, err) = faultscope(&["knowledge", "cache-1", "--project", PROJECT, "--store", "no-such.redb"]);
    assert_eq!(code, 2);
    assert!(err.contains("there is no store `no-such.redb`"), "{err}");
}

/// Where no symptom has the words, what broke has.
#[test]
fn what_broke_is_found_by_its_words() {
    for (what, said) in [
        // The whole text of a fault: what had it, case or record.
        (
            "out of memory",
            &[
                "fault \"out of memory\" · 2 hops around",
                "fault \"out of memory\" → cache-1 → 2026-06-20 case HIS-2 → solution: raise maxmemory",
                "fault \"out of memory\" → cache-1 → 2026-07-09 confirmed incidents/cache-b",
            ][..],
        ),
        ("Disk Full", &["fault \"disk full\" · 2 hops around", "2026-03-11 HIS-1 ", "2025-01-05 HIS-4 ", "CAS-001 \"A full disk"]),
        // A piece of a fault and of a title.
        ("of memory", &["\"of memory\": fault \"out of memory\", case HIS-2 · 2 hops around", "2026-06-20 HIS-2 "]),
        ("broken rel", &["fault \"a broken release\" · 2 hops around", "confirmed incidents/web"]),
        ("filled the", &["case HIS-1 \"Logs filled the disk\" · 2 hops around"]),
        // Of a rule only.
        ("cache is slow", &["fault \"the cache is slow\"", "TOP-001 \"A slow cache\""]),
    ] {
        let args = ["knowledge", what, "--project", PROJECT, "--full", "--lang", "en", "--at", "2026-09-01T00:00:00Z"];
        let (code, out, err) = faultscope(&args);
        assert_eq!(code, 0, "{what}: {err}");
        for said in said {
            assert!(out.contains(said), "{what}: `{said}` is not in\n{out}");
        }
    }
    let (_, out, _) = faultscope(&["knowledge", "of memory", "--project", PROJECT, "--lang", "zh"]);
    assert!(out.starts_with("“of memory”：故障 “out of memory”、案例 HIS-2 · 周围 2 跳\n"), "{out}");
    // Too short for a piece.
    assert_eq!(faultscope(&["knowledge", "of", "--project", PROJECT]).0, 2);
}

/// A case that another origin put into the store, and that no file of the project has.
#[test]
fn cases_of_a_store_count() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("knowledge");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    let path = dir.join("estate.redb");
    let component = |id: &str, kind: &str| DeclaredComponent {
        id: id.to_owned(),
        kind: kind.to_owned(),
        origin: "api".to_owned(),
        ..DeclaredComponent::default()
    };
    let case = |id: &str, title: &str, component: &str| CaseRecord {
        id: id.to_owned(),
        title: title.to_owned(),
        date: Some("2026-02-03T00:00:00Z".to_owned()),
        root_cause: Some("a fan failed".to_owned()),
        components: vec![component.to_owned()],
        rule: None,
        origin: "api".to_owned(),
    };
    let changes = Changeset {
        put_components: vec![component("node-3", "host"), component("cache-1", "redis")],
        // The project has a HIS-1 of its own, which says more.
        put_cases: vec![case("OLD-7", "Overheated", "node-3"), case("HIS-1", "Something else", "cache-1")],
        ..Changeset::default()
    };
    let store = Store::open(&path).unwrap();
    store.apply(&changes, "test", "", "api", 0).unwrap();
    drop(store);
    let ask = |what: &str| {
        let (code, out, err) = faultscope(&["knowledge", what, "--project", PROJECT, "--full", "--store", path.to_str().unwrap()]);
        assert_eq!(code, 0, "{err}");
        out
    };
    let near = ask("cache-1");
    assert!(near.contains("cache-1 → runs on node-3 → 2026-02-03 case OLD-7 · fault: a fan failed\n"), "{near}");
    assert!(near.contains("Logs filled the disk") && !near.contains("Something else"), "{near}");
    let here = ask("node-3");
    assert!(here.contains("2026-02-03 OLD-7 \"Overheated\" · a fan failed\n"), "{here}");
}

/// The diagnosis tells what broke below the first suspect, and repeats no case that it lists as similar.
#[test]
fn a_diagnosis_tells_what_was_here_before() {
    let (code, out, err) = faultscope(&["diagnose", "tests/knowledge/project/incidents/slow", "--full"]);
    assert_eq!(code, 0, "{err}");
    let (_, before) = out.split_once("  Earlier faults here\n").unwrap_or_else(|| panic!("{out}"));
    let before: Vec<&str> = before.lines().take_while(|line| line.starts_with("    ")).map(str::trim).collect();
    assert!(before[0].starts_with("cache-1 → 2026-07-09 confirmed incidents/cache-b"), "{before:?}");
    assert!(before.len() <= 3, "{before:?}");
    let listed = out.matches("HIS-2 \"Cache out of memory\"").count();
    assert!(listed == 0 || !before.iter().any(|line| line.contains("case HIS-2")), "{out}");
    // On another day the same bundle would see nothing: what is recorded later is not before.
    let (_, json, _) = faultscope(&["diagnose", "tests/knowledge/project/incidents/slow", "--format", "json"]);
    assert!(json.contains("\"before\": ["), "{json}");
}

/// What is drawn does not depend on the order in which cases are read.
#[test]
fn the_order_of_cases_changes_nothing() {
    let project = Project::load(&root().join(PROJECT)).unwrap();
    let ask = |cases: &[knowledge::Case]| {
        let (entries, estate) = (project.feedback.entries.as_slice(), project.estate.as_ref());
        let graph = KnowledgeGraph::new(Known { cases, entries, plan: &project.plan, estate }).unwrap();
        let walk = knowledge::Walk { hops: 3, dependents: true, since: None, until: None };
        let names = ["cache-1", "node-3", "RedisSlow", "HIS-1", "CAS-001"];
        names.map(|name| graph.ask(estate, graph.find(estate, name).unwrap(), &walk).unwrap())
    };
    let cases = project.cases.cases().to_vec();
    let backward: Vec<_> = cases.iter().rev().cloned().collect();
    assert_eq!(ask(&cases), ask(&backward));
}
