//! A generated estate through the store on disk: written in one transaction, applied again, changed, read back, made a snapshot.
//! Each step is a process of its own, so that it has a peak of its own.

use std::path::Path;
use std::process::Command;

use estate::{DeclaredComponent, DeclaredRelation, base_model};
use project::recorded;
use store::{Changeset, GIT, Records, Store};

use super::TYPES;
use super::measure::{Watch, resident};

const STEPS: [&str; 4] = ["write", "same", "ten", "read"];

/// `COUNT`: all steps; `COUNT STEP FILE`: one of them, in this process.
pub fn run(args: &[String]) {
    let count: u32 = args[0].parse().expect("the number of components");
    if let [_, step, path] = args {
        return one(step, count, Path::new(path));
    }
    let path = std::env::temp_dir().join(format!("faultscope-bench-{}.redb", std::process::id()));
    for step in STEPS {
        let program = std::env::current_exe().unwrap();
        let status = Command::new(program).args(["store", &count.to_string(), step]).arg(&path).status().unwrap();
        assert!(status.success(), "{step}");
    }
    std::fs::remove_file(&path).unwrap();
}

fn one(step: &str, count: u32, path: &Path) {
    match step {
        "write" => write(count, path),
        "same" => same(count, path),
        "ten" => ten(count, path),
        "read" => read(path),
        other => panic!("no step `{other}`"),
    }
}

fn component(at: u32) -> DeclaredComponent {
    DeclaredComponent {
        id: format!("c{at:07}"),
        kind: TYPES[at as usize % TYPES.len()].to_owned(),
        name: Some(format!("c{at:07}")),
        origin: GIT.to_owned(),
        ..DeclaredComponent::default()
    }
}

fn relation(from: u32, to: u32) -> DeclaredRelation {
    DeclaredRelation {
        from: format!("c{from:07}"),
        kind: "depends_on".to_owned(),
        to: format!("c{to:07}"),
        origin: GIT.to_owned(),
        ..DeclaredRelation::default()
    }
}

/// 4.75 relations for each component, to others that look random and are the same in every run.
fn estate(count: u32) -> Records {
    let mut state = 1u64;
    let relations = (0..u64::from(count) * 19 / 4).map(|number| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let from = (number % u64::from(count)) as u32;
        let step = 1 + ((state >> 33) % u64::from(count - 1)) as u32;
        relation(from, (from + step) % count)
    });
    Records { components: (0..count).map(component).collect(), relations: relations.collect(), ..Records::default() }
}

fn megabytes(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len() >> 20
}

fn write(count: u32, path: &Path) {
    let wanted = estate(count);
    let before = resident("VmRSS");
    let started = Watch::start();
    let store = Store::open(path).unwrap();
    let (changes, _) = store.replacing(GIT, wanted).unwrap();
    let audit = store.apply(&changes, "bench", "", GIT, 0).unwrap().unwrap();
    let applied = started.microseconds() / 1e6;
    drop(store);
    println!(
        "{} items in one transaction: {applied:.1} s, closed after {:.1} s; peak {} MB, of which the items {before} MB; file {} MB",
        audit.added,
        started.microseconds() / 1e6,
        resident("VmHWM"),
        megabytes(path)
    );
}

fn same(count: u32, path: &Path) {
    let wanted = estate(count);
    let started = Watch::start();
    let store = Store::open(path).unwrap();
    let opened = started.microseconds() / 1e3;
    let (changes, _) = store.replacing(GIT, wanted).unwrap();
    assert!(store.apply(&changes, "bench", "", GIT, 1).unwrap().is_none());
    println!("the same again: {:.1} s; opened to write in {opened:.1} ms; peak {} MB", started.microseconds() / 1e6, resident("VmHWM"));
}

fn ten(count: u32, path: &Path) {
    let store = Store::open(path).unwrap();
    let owned = |at| DeclaredComponent { owner: Some("x".to_owned()), ..component(at) };
    let spread = |at: u32| at * (count / 10);
    let changed = Changeset { put_components: (0..10).map(|at| owned(spread(at))).collect(), ..Changeset::default() };
    let new = Changeset {
        put_components: (count..count + 10).map(component).collect(),
        put_relations: (0..10).map(|at| relation(count + at, spread(at))).collect(),
        ..Changeset::default()
    };
    for (name, changes) in [("10 changed components", changed), ("10 new components with a relation each", new)] {
        let started = Watch::start();
        store.apply(&changes, "bench", "", GIT, 2).unwrap().unwrap();
        println!("{name}: {:.1} ms", started.microseconds() / 1e3);
    }
    drop(store);
    println!("peak {} MB, file {} MB", resident("VmHWM"), megabytes(path));
}

fn read(path: &Path) {
    let started = Watch::start();
    let store = Store::open_to_read(path).unwrap();
    let opened = started.microseconds() / 1e3;
    let records = store.records(None).unwrap();
    let read = started.microseconds() / 1e6;
    let snapshot = recorded(&base_model(), records).0;
    println!(
        "{} components, {} relations: opened to read in {opened:.1} ms, read after {read:.1} s, snapshot after {:.1} s; peak {} MB",
        snapshot.len(),
        snapshot.relations().count(),
        started.microseconds() / 1e6,
        resident("VmHWM")
    );
}
