//! The store: IndraDB's own suite, what that suite does not look at, files that are no store, crashes, and the past.
//!
//! `FAULTSCOPE_KILLS=100 cargo test --test it store::` kills more writers; `FAULTSCOPE_SEED=7` begins with another moment.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use estate::{DeclaredComponent, DeclaredGroup, DeclaredRelation, Written};
use indradb::{BulkInsertItem, Edge, Identifier, Json, QueryExt, Vertex};
use proptest::prelude::*;
use serde_json::{Value, json};
use store::{Change, Changeset, GIT, Records, RedbDatastore, Store, StoreError, What, component_vertex};

/// A file of its own for each test, in a folder of its own.
fn fresh(name: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("store").join(format!("{name}-{}-{number}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir.join("estate.redb")
}

fn component(id: &str, origin: &str, attributes: Value) -> DeclaredComponent {
    DeclaredComponent {
        id: id.to_owned(),
        kind: "service".to_owned(),
        name: Some(id.to_owned()),
        owner: None,
        environment: None,
        tier: None,
        attributes: serde_json::from_value(attributes).unwrap(),
        origin: origin.to_owned(),
        ..DeclaredComponent::default()
    }
}

fn relation(from: &str, to: &str, origin: &str) -> DeclaredRelation {
    DeclaredRelation {
        from: from.to_owned(),
        kind: "calls".to_owned(),
        to: to.to_owned(),
        origin: origin.to_owned(),
        ..DeclaredRelation::default()
    }
}

fn put(components: Vec<DeclaredComponent>, relations: Vec<DeclaredRelation>) -> Changeset {
    Changeset { put_components: components, put_relations: relations, ..Changeset::default() }
}

// What IndraDB's suite does not look at.

fn name(text: &str) -> Identifier {
    Identifier::new(text).unwrap()
}

#[test]
fn deleting_a_vertex_leaves_nothing_behind() {
    let db = RedbDatastore::new_db(&fresh("delete")).unwrap();
    let [a, b, c] = [(); 3].map(|()| db.create_vertex_from_type(name("t")).unwrap());
    db.index_property(name("p")).unwrap();
    for (from, to) in [(a, b), (b, a), (b, b), (b, c)] {
        assert!(db.create_edge(&Edge::new(from, name("e"), to)).unwrap());
    }
    db.set_properties(indradb::AllEdgeQuery, name("p"), &Json::new(json!(1))).unwrap();
    db.set_properties(indradb::AllVertexQuery, name("p"), &Json::new(json!(1))).unwrap();
    db.delete(indradb::SpecificVertexQuery::single(b)).unwrap();
    assert!(edges(&db, indradb::AllEdgeQuery).is_empty());
    for vertex in [a, b, c] {
        assert!(edges(&db, indradb::SpecificVertexQuery::single(vertex).outbound().unwrap()).is_empty());
        assert!(edges(&db, indradb::SpecificVertexQuery::single(vertex).inbound().unwrap()).is_empty());
    }
    assert!(edges(&db, indradb::EdgeWithPropertyPresenceQuery::new(name("p"))).is_empty());
    let with = db.get(indradb::VertexWithPropertyValueQuery::new(name("p"), Json::new(json!(1)))).unwrap();
    assert_eq!(indradb::util::extract_vertices(with).unwrap().len(), 2);
    // A vertex of the same id begins anew.
    assert!(db.create_vertex(&Vertex::with_id(b, name("t"))).unwrap());
    let properties = db.get(indradb::SpecificVertexQuery::single(b).properties().unwrap()).unwrap();
    assert!(indradb::util::extract_vertex_properties(properties).unwrap().is_empty());
}

fn edges(db: &indradb::Database<RedbDatastore>, query: impl Into<indradb::Query>) -> Vec<Edge> {
    indradb::util::extract_edges(db.get(query).unwrap()).unwrap()
}

#[test]
fn bulk_inserts_leave_nothing_dangling() {
    let db = RedbDatastore::new_db(&fresh("bulk")).unwrap();
    let [a, b, missing] = [(); 3].map(|()| Vertex::new(name("t")));
    let (good, bad) = (Edge::new(a.id, name("e"), b.id), Edge::new(a.id, name("e"), missing.id));
    db.bulk_insert(vec![
        BulkInsertItem::EdgeProperty(good.clone(), name("p"), Json::new(json!("x"))),
        BulkInsertItem::EdgeProperty(bad.clone(), name("p"), Json::new(json!("x"))),
        BulkInsertItem::Edge(good.clone()),
        BulkInsertItem::Edge(bad),
        BulkInsertItem::VertexProperty(missing.id, name("p"), Json::new(json!("x"))),
        BulkInsertItem::Vertex(a),
        BulkInsertItem::Vertex(b),
    ])
    .unwrap();
    assert_eq!(edges(&db, indradb::AllEdgeQuery), vec![good.clone()]);
    db.index_property(name("p")).unwrap();
    assert_eq!(edges(&db, indradb::EdgeWithPropertyValueQuery::new(name("p"), Json::new(json!("x")))), vec![good]);
    let with = db.get(indradb::VertexWithPropertyPresenceQuery::new(name("p"))).unwrap();
    assert!(indradb::util::extract_vertices(with).unwrap().is_empty());
}

#[test]
fn a_graph_is_there_after_reopening() {
    let path = fresh("reopen");
    let db = RedbDatastore::new_db(&path).unwrap();
    let id = db.create_vertex_from_type(name("类型")).unwrap();
    db.index_property(name("p")).unwrap();
    db.set_properties(indradb::SpecificVertexQuery::single(id), name("p"), &Json::new(json!({"a": [1, 2.5]}))).unwrap();
    assert_eq!(Store::open(&path).unwrap_err(), StoreError::Busy);
    drop(db);
    let db = RedbDatastore::new_db(&path).unwrap();
    let found = db.get(indradb::VertexWithPropertyValueQuery::new(name("p"), Json::new(json!({"a": [1, 2.5]})))).unwrap();
    let found = indradb::util::extract_vertices(found).unwrap();
    assert_eq!((found[0].id, found[0].t), (id, name("类型")));
}

// Files that are no store.

/// Opening fails with this, and not a byte is another one.
fn refused(path: &Path, expected: impl Fn(&StoreError) -> bool) {
    let before = fs::read(path).unwrap();
    let error = Store::open(path).unwrap_err();
    assert!(expected(&error), "{error:?}");
    assert!(error.to_string().starts_with(|c: char| c.is_lowercase() || c == '`'), "{error}");
    assert_eq!(fs::read(path).unwrap(), before, "{} was touched", path.display());
}

#[test]
fn other_files_are_not_touched() {
    for (file, text) in [("text", "hello\n".repeat(1000)), ("short", "x".to_owned())] {
        let path = fresh(file);
        fs::write(&path, text).unwrap();
        refused(&path, |error| matches!(error, StoreError::NotAStore { .. }));
    }
    let path = fresh("other-database");
    let db = redb::Database::create(&path).unwrap();
    let table = redb::TableDefinition::<u64, &str>::new("theirs");
    let transaction = db.begin_write().unwrap();
    transaction.open_table(table).unwrap().insert(1u64, "one").unwrap();
    transaction.commit().unwrap();
    drop(db);
    refused(&path, |error| matches!(error, StoreError::NotAStore { .. }));
    assert!(matches!(Store::open(path.parent().unwrap()), Err(StoreError::NotAFile { .. })));
}

#[test]
fn newer_stores_are_not_touched() {
    let path = fresh("newer");
    let db = redb::Database::create(&path).unwrap();
    let table = redb::TableDefinition::<&[u8], &[u8]>::new("faultscope:meta");
    let transaction = db.begin_write().unwrap();
    {
        let mut meta = transaction.open_table(table).unwrap();
        meta.insert(b"magic".as_slice(), b"faultscope estate".as_slice()).unwrap();
        meta.insert(b"format".as_slice(), 99u32.to_be_bytes().as_slice()).unwrap();
    }
    transaction.commit().unwrap();
    drop(db);
    refused(&path, |error| *error == StoreError::Newer { found: 99, known: 4 });
}

fn filled(path: &Path, revisions: u64) -> Store {
    let store = Store::open(path).unwrap();
    for round in 1..=revisions {
        store.apply(&round_of(round), "test", "", GIT, 0).unwrap().unwrap();
    }
    store
}

#[test]
fn cut_stores_are_not_touched() {
    let path = fresh("cut");
    drop(filled(&path, 20));
    let whole = fs::read(&path).unwrap();
    for length in [whole.len() / 2, whole.len() - 1, 4096, 200, 20] {
        fs::write(&path, &whole[..length]).unwrap();
        refused(&path, |error| matches!(error, StoreError::Damaged { .. }));
    }
    // The same for one whose writer crashed: it is copied while it is open.
    fs::write(&path, &whole).unwrap();
    let store = filled_again(&path);
    let crashed = fs::read(&path).unwrap();
    drop(store);
    let copy = fresh("cut-crashed");
    fs::write(&copy, &crashed).unwrap();
    assert_eq!(Store::open(&copy).unwrap().revision().unwrap(), 21);
    let pages = crashed.len() / 4096;
    for length in [pages / 2 * 4096, pages / 2 * 4096 + 100, 8192] {
        fs::write(&copy, &crashed[..length]).unwrap();
        refused(&copy, |error| matches!(error, StoreError::Damaged { .. } | StoreError::Io(_)));
    }
}

fn filled_again(path: &Path) -> Store {
    let store = Store::open(path).unwrap();
    store.apply(&round_of(21), "test", "", GIT, 0).unwrap().unwrap();
    store
}

#[test]
fn one_process_at_a_time() {
    let path = fresh("busy");
    let store = Store::open(&path).unwrap();
    refused(&path, |error| *error == StoreError::Busy);
    drop(store);
    assert_eq!(Store::open(&path).unwrap().revision().unwrap(), 0);
}

// Crashes.

const ITEMS: u64 = 5;
const WRITER: &str = "FAULTSCOPE_STORE_WRITER";

/// Every item is another one in every round, so that half a round would show.
fn round_of(round: u64) -> Changeset {
    let components = (0..ITEMS).map(|at| component(&format!("c{at}"), GIT, json!({"round": round, "text": "x".repeat(500)}))).collect();
    let odd = relation("c0", "c1", GIT);
    let mut changes = put(components, Vec::new());
    if round % 2 == 1 {
        changes.put_relations.push(odd);
    } else {
        changes.remove_relations.push(odd);
    }
    changes
}

/// The process that [`acknowledged_revisions_survive_a_kill`] kills.
#[test]
#[ignore = "a process of another test"]
fn writer() {
    let Ok(path) = std::env::var(WRITER) else { return };
    let store = Store::open(Path::new(&path)).unwrap();
    for round in store.revision().unwrap() + 1.. {
        let audit = store.apply(&round_of(round), "writer", &format!("round {round}"), GIT, i64::try_from(round).unwrap()).unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "acknowledged {}", audit.unwrap().revision).unwrap();
        out.flush().unwrap();
    }
}

/// Numbers that look random, the same in every run.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn acknowledged_revisions_survive_a_kill() {
    let path = fresh("kill");
    let mut state = number("FAULTSCOPE_SEED").unwrap_or(1);
    let mut last = 0;
    for kill in 0..number("FAULTSCOPE_KILLS").unwrap_or(10) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::writer", "--include-ignored", "--nocapture", "--test-threads=1"])
            .env(WRITER, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let output = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            // The first may stand behind the name of the test; the last may be cut, its number is then too small.
            lines.filter_map(|line| line.rsplit_once("acknowledged ").and_then(|(_, number)| number.parse::<u64>().ok())).max()
        });
        std::thread::sleep(Duration::from_millis(20 + next(&mut state) % 400));
        child.kill().unwrap();
        child.wait().unwrap();
        let acknowledged = reader.join().unwrap().unwrap_or(last);
        let store = Store::open(&path).unwrap_or_else(|error| panic!("kill {kill}: {error}"));
        let revision = store.revision().unwrap();
        assert!(revision >= acknowledged.max(last), "kill {kill}: {acknowledged} was acknowledged, {revision} is there");
        complete(&store, revision);
        last = revision;
    }
    assert!(last > 10, "only {last} revisions were written: nothing was tested");
}

/// The newest revision is all there: records, graph, journal; and so are the ones before it.
fn complete(store: &Store, revision: u64) {
    let records = store.records(None).unwrap();
    let rounds: Vec<String> = records.components.iter().map(|one| one.attributes["round"].to_string()).collect();
    if revision == 0 {
        assert!(rounds.is_empty());
        return;
    }
    assert_eq!(rounds, vec![revision.to_string(); usize::try_from(ITEMS).unwrap()]);
    assert_eq!(records.relations.len(), usize::from(revision % 2 == 1));
    let log = store.log(usize::MAX).unwrap();
    assert!(log.iter().map(|audit| audit.revision).eq((1..=revision).rev()), "a revision is missing");
    for audit in log.iter().take(20) {
        let changes = store.changes_of(audit.revision).unwrap();
        assert_eq!(changes.len(), audit.added + audit.changed + audit.removed);
    }
    let graph = store.graph();
    assert_eq!(edges(&graph, indradb::AllEdgeQuery).len(), records.relations.len());
    let vertices = graph.get(indradb::AllVertexQuery.properties().unwrap().name(name("attributes"))).unwrap();
    let vertices = indradb::util::extract_vertex_properties(vertices).unwrap();
    assert_eq!(vertices.len(), records.components.len());
    let round = Written::Base(f64::from(u32::try_from(revision).unwrap()));
    assert!(vertices.iter().all(|one| serde_json::from_value::<Written>((*one.props[0].value.0)["round"].clone()).unwrap() == round));
}

// The past.

#[test]
fn revisions_tell_what_changed() {
    let path = fresh("history");
    let store = Store::open(&path).unwrap();
    let first = put(vec![component("a", GIT, json!({"size": 1})), component("b", GIT, json!({}))], vec![relation("a", "b", GIT)]);
    let audit = store.apply(&first, "eva", "the first", GIT, 1000).unwrap().unwrap();
    assert_eq!((audit.revision, audit.added, audit.changed, audit.removed), (1, 3, 0, 0));
    assert_eq!(store.apply(&first, "eva", "again", GIT, 1500).unwrap(), None);
    let second = Changeset {
        put_components: vec![component("a", GIT, json!({"size": 2}))],
        remove_components: vec!["b".to_owned()],
        put_groups: vec![DeclaredGroup {
            id: "g".to_owned(),
            members: vec!["a".to_owned()],
            need: 1,
            origin: GIT.to_owned(),
            places: None,
        }],
        ..Changeset::default()
    };
    let audit = store.apply(&second, "eva", "", GIT, 2000).unwrap().unwrap();
    assert_eq!((audit.revision, audit.added, audit.changed, audit.removed), (2, 1, 1, 1));
    // The relation to what is gone is hidden, and comes back with it.
    assert!(store.records(None).unwrap().relations.is_empty() && edges(&store.graph(), indradb::AllEdgeQuery).is_empty());
    store.apply(&put(vec![component("b", GIT, json!({}))], vec![]), "eva", "", GIT, 3000).unwrap().unwrap();
    assert_eq!(store.records(None).unwrap().relations, vec![relation("a", "b", GIT)]);
    let [edge]: [Edge; 1] = edges(&store.graph(), indradb::AllEdgeQuery).try_into().unwrap();
    assert_eq!((edge.outbound_id, edge.inbound_id), (component_vertex("a"), component_vertex("b")));

    drop(store);
    let store = Store::open(&path).unwrap();
    assert_eq!(store.log(2).unwrap().iter().map(|audit| audit.revision).collect::<Vec<_>>(), [3, 2]);
    for (time, revision) in [(0, 0), (1000, 1), (1999, 1), (2000, 2), (9999, 3)] {
        assert_eq!(store.revision_at(time).unwrap(), revision);
    }
    assert_eq!(store.records(Some(0)).unwrap(), Records::default());
    assert_eq!(store.records(Some(1)).unwrap().components[0].attributes["size"], Written::Base(1.0));
    let ids = |changes: Vec<Change>| changes.into_iter().map(|change| (change.what, change.id)).collect::<Vec<_>>();
    let expected = vec![(What::Component, "a".to_owned()), (What::Group, "g".to_owned())];
    assert_eq!(ids(store.diff(1, 3).unwrap()), expected, "`b` went and came back");
    let back = store.diff(3, 1).unwrap();
    assert_eq!(back[1].after, None);
    assert!(matches!(store.records(Some(4)), Err(StoreError::Refused(_))));
    assert!(matches!(store.diff(0, 4), Err(StoreError::Refused(_))));
}

#[test]
fn origins_keep_their_own_words() {
    let store = Store::open(&fresh("origins")).unwrap();
    let import = "import:kubernetes";
    let theirs = DeclaredComponent { owner: Some("k8s".to_owned()), ..component("a", import, json!({"size": 1, "zone": "z"})) };
    store.apply(&put(vec![theirs], vec![]), "job", "", import, 0).unwrap().unwrap();
    let ours = DeclaredComponent { tier: Some("core".to_owned()), ..component("a", GIT, json!({"size": 2})) };
    let audit = store.apply(&put(vec![ours], vec![]), "eva", "", GIT, 0).unwrap().unwrap();
    assert_eq!((audit.added, audit.changed), (0, 1));
    let merged = &store.records(None).unwrap().components[0];
    assert_eq!((merged.owner.as_deref(), merged.tier.as_deref(), merged.origin.as_str()), (Some("k8s"), Some("core"), GIT));
    assert_eq!(
        merged.attributes,
        BTreeMap::from([("size".to_owned(), Written::Base(2.0)), ("zone".to_owned(), Written::Text("z".to_owned()))])
    );
    let conflicts = store.conflicts().unwrap();
    assert_eq!(conflicts.len(), 1);
    assert_eq!((conflicts[0].attribute.as_str(), &conflicts[0].git, &conflicts[0].other), ("attributes.size", &json!(2.0), &json!(1.0)));
    // What an import takes back, git still says; and the other way round.
    let gone = Changeset { remove_components: vec!["a".to_owned()], ..Changeset::default() };
    store.apply(&gone, "eva", "", GIT, 0).unwrap().unwrap();
    assert_eq!(store.records(None).unwrap().components[0].attributes["size"], Written::Base(1.0));
    assert!(store.conflicts().unwrap().is_empty());
    let audit = store.apply(&gone, "job", "", import, 0).unwrap().unwrap();
    assert_eq!(audit.removed, 1);
    assert_eq!(store.apply(&gone, "job", "", import, 0).unwrap(), None);
}

/// To say more about a component is not to declare it.
#[test]
fn what_is_only_extended_is_not_there() {
    let store = Store::open(&fresh("extended")).unwrap();
    let vertices = || {
        let found = store.graph().get(indradb::AllVertexQuery).unwrap();
        indradb::util::extract_vertices(found).unwrap_or_default().len()
    };
    let tier = Some("core".to_owned());
    let more = DeclaredComponent { kind: String::new(), name: None, tier, extends: true, ..component("aa", GIT, json!({})) };
    assert_eq!(store.apply(&put(vec![more.clone()], vec![]), "eva", "", GIT, 0).unwrap(), None);
    assert_eq!((store.records(None).unwrap(), vertices()), (Records::default(), 0));
    assert_eq!((store.layer(GIT).unwrap().components, store.without(GIT, false).unwrap().components), (vec![more], vec![]));

    let import = "import:csv";
    let theirs = ["b", "aa"].map(|id| component(id, import, json!({}))).to_vec();
    let audit = store.apply(&put(theirs, vec![relation("aa", "b", import)]), "job", "", import, 0).unwrap().unwrap();
    assert_eq!((audit.added, vertices(), edges(&store.graph(), indradb::AllEdgeQuery).len()), (3, 2, 1));
    let found = &store.records(None).unwrap().components[0];
    let said = (found.kind.as_str(), found.tier.as_deref(), found.origin.as_str(), found.extends);
    assert_eq!(said, ("service", Some("core"), import, false));
    let others = store.without(GIT, false).unwrap().components;
    assert_eq!(others.iter().map(|one| (one.id.as_str(), one.tier.as_deref())).collect::<Vec<_>>(), [("aa", None), ("b", None)]);

    let gone = Changeset { remove_components: vec!["aa".to_owned()], ..Changeset::default() };
    let audit = store.apply(&gone, "job", "", import, 0).unwrap().unwrap();
    assert_eq!((audit.removed, vertices(), store.records(None).unwrap().components.len()), (1, 1, 1));
    assert_eq!(store.records(Some(1)).unwrap().components.len(), 2);
}

/// One changeset of one origin over a few names, so that they meet.
fn changeset() -> impl Strategy<Value = (Changeset, &'static str)> {
    let id = || prop::sample::select(vec!["a", "b", "c", "数据库"]);
    let origin = prop::sample::select(vec![GIT, "api", "import:x"]);
    let components = prop::collection::vec((id(), 0u8..3, prop::option::of(0u8..2)), 0..4);
    let relations = prop::collection::vec((id(), id()), 0..3);
    let removed = prop::collection::vec(id(), 0..3);
    let unrelated = prop::collection::vec((id(), id()), 0..2);
    let groups = prop::collection::vec((id(), 1u64..3), 0..2);
    (origin, components, relations, removed, unrelated, groups).prop_map(|(origin, components, relations, removed, unrelated, groups)| {
        let put_components = components.into_iter().map(|(id, size, owner)| DeclaredComponent {
            owner: owner.map(|owner| format!("team {owner}")),
            ..component(id, origin, json!({"size": size}))
        });
        let changes = Changeset {
            put_components: put_components.collect(),
            remove_components: removed.into_iter().map(str::to_owned).collect(),
            put_relations: relations.into_iter().map(|(from, to)| relation(from, to, origin)).collect(),
            remove_relations: unrelated.into_iter().map(|(from, to)| relation(from, to, origin)).collect(),
            put_groups: groups
                .into_iter()
                .map(|(id, need)| DeclaredGroup {
                    id: id.to_owned(),
                    members: vec!["a".to_owned()],
                    need,
                    origin: origin.to_owned(),
                    places: None,
                })
                .collect(),
            remove_groups: Vec::new(),
            ..Changeset::default()
        };
        (changes, origin)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_past_is_what_it_was(steps in prop::collection::vec(changeset(), 1..12)) {
        let path = fresh("past");
        let store = Store::open(&path).unwrap();
        // The states as they were, one for each revision.
        let mut states = vec![store.records(None).unwrap()];
        for (changes, origin) in &steps {
            let audit = store.apply(changes, "test", "", origin, 0).unwrap();
            let state = store.records(None).unwrap();
            match audit {
                Some(audit) => {
                    prop_assert_eq!(audit.revision, states.len() as u64);
                    prop_assert_eq!(audit.added + audit.changed + audit.removed, store.changes_of(audit.revision).unwrap().len());
                    states.push(state);
                }
                None => prop_assert_eq!(&state, states.last().unwrap()),
            }
            graph_is(&store, states.last().unwrap());
        }
        drop(store);
        let store = Store::open(&path).unwrap();
        for (revision, state) in (0u64..).zip(&states) {
            prop_assert_eq!(&store.records(Some(revision)).unwrap(), state);
        }
        // Replayed into another store, the same changes give the same estate.
        let other = Store::open(&fresh("replay")).unwrap();
        for (changes, origin) in &steps {
            other.apply(changes, "test", "", origin, 0).unwrap();
        }
        prop_assert_eq!(&other.records(None).unwrap(), states.last().unwrap());
        nets(&store, &states);
        let _ = fs::remove_dir_all(path.parent().unwrap());
    }
}

/// The graph has what the records have.
fn graph_is(store: &Store, records: &Records) {
    let graph = store.graph();
    let mut expected: Vec<Edge> =
        records.relations.iter().map(|one| Edge::new(component_vertex(&one.from), name(&one.kind), component_vertex(&one.to))).collect();
    let mut found = edges(&graph, indradb::AllEdgeQuery);
    let place = |edge: &Edge| (edge.outbound_id, edge.inbound_id);
    expected.sort_by_key(place);
    found.sort_by_key(place);
    assert_eq!(found, expected);
    let vertices = indradb::util::extract_vertices(graph.get(indradb::AllVertexQuery).unwrap()).unwrap();
    assert_eq!(vertices.len(), records.components.len() + records.groups.len());
}

/// Between any two revisions the components of one and the net changes give those of the other.
fn nets(store: &Store, states: &[Records]) {
    let by_id = |records: &Records| -> BTreeMap<String, Value> {
        records.components.iter().map(|one| (one.id.clone(), serde_json::to_value(one).unwrap())).collect()
    };
    for (a, from) in (0u64..).zip(states) {
        for (b, to) in (0u64..).zip(states) {
            let mut components = by_id(from);
            for change in store.diff(a, b).unwrap().into_iter().filter(|change| change.what == What::Component) {
                assert_ne!(change.before, change.after);
                assert_eq!(components.remove(&change.id), change.before);
                components.extend(change.after.map(|after| (change.id, after)));
            }
            assert_eq!(components, by_id(to), "from {a} to {b}");
        }
    }
}
