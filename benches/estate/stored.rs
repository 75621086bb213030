//! The estate of the common workload through the store on disk: applied in one transaction, read back, made a snapshot.

use std::collections::BTreeMap;

use estate::{DeclaredComponent, DeclaredRelation, base_model};
use project::recorded;
use store::{Changeset, Store};

use super::measure::{Watch, resident};
use super::{TYPES, u32s};

pub fn run(dir: &str) {
    let types = std::fs::read(format!("{dir}/types.u8")).unwrap();
    let edges = u32s(&format!("{dir}/edges.u32"));
    let path = std::env::temp_dir().join(format!("faultscope-bench-{}.redb", std::process::id()));
    let name = |at: u32| format!("c{at:07}");
    let component = |(at, kind): (u32, &u8)| DeclaredComponent {
        id: name(at),
        kind: TYPES[usize::from(*kind)].to_owned(),
        name: Some(name(at)),
        owner: None,
        environment: None,
        tier: None,
        attributes: BTreeMap::new(),
        origin: "git".to_owned(),
        ..DeclaredComponent::default()
    };
    let relation = |edge: &[u32]| DeclaredRelation {
        from: name(edge[0]),
        kind: "depends_on".to_owned(),
        to: name(edge[1]),
        origin: "git".to_owned(),
        ..DeclaredRelation::default()
    };
    let changes = Changeset {
        put_components: (0u32..).zip(&types).map(component).collect(),
        put_relations: edges.chunks_exact(2).map(relation).collect(),
        ..Changeset::default()
    };
    let store = Store::open(&path).unwrap();
    let started = Watch::start();
    let audit = store.apply(&changes, "bench", "", "git", 0).unwrap().unwrap();
    println!("{} items applied in one transaction: {:.1} s", audit.added, started.microseconds() / 1e6);
    drop(changes);
    let one =
        Changeset { put_components: vec![DeclaredComponent { owner: Some("x".to_owned()), ..component((0, &0)) }], ..Changeset::default() };
    let started = Watch::start();
    store.apply(&one, "bench", "", "git", 1).unwrap().unwrap();
    println!("one changed component: {:.1} ms", started.microseconds() / 1e3);
    let started = Watch::start();
    let records = store.records(None).unwrap();
    let read = started.microseconds() / 1e6;
    let snapshot = recorded(&base_model(), records).0;
    println!(
        "{} components, {} relations read in {read:.1} s, snapshot after {:.1} s; file {} MB, peak {} MB",
        snapshot.len(),
        snapshot.relations().count(),
        started.microseconds() / 1e6,
        std::fs::metadata(&path).unwrap().len() >> 20,
        resident("VmHWM")
    );
    drop(store);
    std::fs::remove_file(&path).unwrap();
}
