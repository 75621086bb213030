//! The store and what stands around it: an estate of records, past cases in the graph, imports in the words of their origin, and
//! questions to the estate as it was.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::faultscope;
use diag::Sources;
use estate::{DeclaredComponent, DeclaredGroup, DeclaredRelation, Snapshot, Written, base_model, build};
use indradb::{Edge, QueryExt};
use project::{left_out, recorded, records_of};
use serde_json::{Value, json};
use store::{CaseRecord, Change, Changeset, GIT, Records, Store, StoreError, What, case_vertex, component_vertex, salvage};

/// A folder of its own for each test.
fn fresh(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("store_more").join(format!("{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

const SHOP: &str = "components:
  - {id: web, type: service, tier: core, owner: 前端, attributes: {max_threads: 200, shift: night}}
  - {id: db-1, type: database, name: 订单库, environment: production}
  - {id: db-2, type: database}
  - {id: host-1, type: host}
relations:
  - {from: web, kind: depends_on, to: [db-1, db-2]}
  - {from: db-1, kind: runs_on, to: host-1}
groups:
  - {id: dbs, members: [db-1, db-2], need: 1}
";

fn estate(text: &str) -> Snapshot {
    let mut sources = Sources::default();
    let file = sources.add("shop.yaml", text);
    let (estate, found) = build(&sources, &[], &[file]);
    assert!(found.iter().all(|d| !d.is_error()), "{found:?}");
    estate
}

/// Everything of an estate, without the places in files.
fn shape(estate: &Snapshot) -> Vec<String> {
    let components = estate.ids().map(|id| {
        let mut one = estate.component(id).clone();
        one.place = None;
        format!("{one:?}")
    });
    let relations = estate.relations().map(|one| format!("{one:?}"));
    let groups = estate.groups().map(|one| format!("{one:?}"));
    components.chain(relations).chain(groups).collect()
}

fn component(id: &str, kind: &str) -> DeclaredComponent {
    DeclaredComponent {
        id: id.to_owned(),
        kind: kind.to_owned(),
        name: Some(id.to_owned()),
        owner: None,
        environment: None,
        tier: None,
        attributes: [].into(),
        origin: GIT.to_owned(),
        ..DeclaredComponent::default()
    }
}

fn relation(from: &str, kind: &str, to: &str) -> DeclaredRelation {
    DeclaredRelation {
        from: from.to_owned(),
        kind: kind.to_owned(),
        to: to.to_owned(),
        origin: GIT.to_owned(),
        ..DeclaredRelation::default()
    }
}

#[test]
fn an_estate_comes_back_from_the_store() {
    let estate = estate(SHOP);
    let store = Store::open(&fresh("round").join("estate.redb")).unwrap();
    let changes = Changeset::replacing(&store.layer(GIT).unwrap(), records_of(&estate, GIT));
    store.apply(&changes, "test", "", GIT, 0).unwrap().unwrap();
    let (back, complaints) = recorded(&base_model(), store.records(None).unwrap());
    assert_eq!(complaints.len(), 0);
    assert_eq!(shape(&back), shape(&estate));
    assert!(back.group("dbs").is_some() && back.relations().count() == 3);
}

#[test]
fn what_the_model_does_not_know_is_left_out_and_counted() {
    let odd = DeclaredComponent {
        tier: Some("urgent".to_owned()),
        attributes: [("max_threads".to_owned(), Written::Text("many".to_owned())), ("own".to_owned(), Written::Text("kept".to_owned()))]
            .into(),
        ..component("a", "service")
    };
    let records = Records {
        components: vec![odd, component("b", "mainframe"), component("c", "host"), component("d", "host"), component("e", "mainframe")],
        relations: vec![
            relation("a", "depends_on", "a"),
            relation("a", "hugs", "c"),
            relation("a", "runs_on", "b"),
            relation("c", "calls", "d"),
            relation("c", "contains", "d"),
            relation("d", "contains", "c"),
        ],
        groups: vec![DeclaredGroup { id: "g".to_owned(), members: vec!["b".to_owned()], need: 1, origin: GIT.to_owned(), places: None }],
        ..Records::default()
    };
    let (estate, complaints) = recorded(&base_model(), records);
    let expected = [
        "left out: the tier of `a` cannot be `urgent`",
        "left out: component `b` has the type `mainframe`, which the model does not declare, and 1 more of this kind",
        "left out: `calls` cannot go from `c` (host) to `d` (host)",
        "left out: attribute `max_threads` of `a` must be a count, not `many`",
        "left out: `c` contains itself: c → d → c",
        "left out: the model declares no relation kind `hugs`",
        "left out: `a` cannot have a relation to itself",
    ];
    assert_eq!(left_out(&complaints).iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    let ids: Vec<&str> = estate.ids().map(|id| estate.component(id).id.as_str()).collect();
    assert_eq!(ids, ["a", "c", "d"]);
    assert_eq!(estate.relations().map(|one| one.kind).collect::<Vec<_>>(), ["contains"]);
    assert_eq!(estate.component(estate.find("a").unwrap()).attributes.len(), 1);
}

/// Not run by itself: `cargo test --release --test it a_million -- --ignored --nocapture` tells how long it takes.
#[test]
#[ignore = "it measures, and takes a while without --release"]
fn a_million_components() {
    let id = |number: u32| format!("c{number:07}");
    let components = (0..1_000_000).map(|number| component(&id(number), if number % 10 == 0 { "host" } else { "service" })).collect();
    let relations = (1..1_000_000).flat_map(|number| {
        let to_host = relation(&id(number), "runs_on", &id(number / 10 * 10));
        let up = relation(&id(number), "depends_on", &id(number / 2));
        [up, to_host].into_iter().filter(move |one| one.from != one.to)
    });
    let records = Records { components, relations: relations.collect(), ..Records::default() };
    let begin = std::time::Instant::now();
    let estate = recorded(&base_model(), records).0;
    println!("{} components, {} relations: {:?}", estate.len(), estate.relations().count(), begin.elapsed());
    assert_eq!(estate.len(), 1_000_000);
}

// Cases.

fn case(components: &[&str]) -> CaseRecord {
    CaseRecord {
        id: "HIS-1".to_owned(),
        title: "out of connections".to_owned(),
        date: Some("2025-06-01T00:00:00Z".to_owned()),
        root_cause: Some("a leak".to_owned()),
        components: components.iter().map(|&id| id.to_owned()).collect(),
        rule: None,
        origin: GIT.to_owned(),
    }
}

/// Which of `a` and `b` the case has an edge to.
fn touched(store: &Store) -> Vec<&'static str> {
    let query = indradb::SpecificVertexQuery::single(case_vertex("HIS-1")).outbound().unwrap();
    let edges: Vec<Edge> = indradb::util::extract_edges(store.graph().get(query).unwrap()).unwrap();
    assert!(edges.iter().all(|edge| edge.t.as_str() == "touched"));
    ["a", "b"].into_iter().filter(|id| edges.iter().any(|edge| edge.inbound_id == component_vertex(id))).collect()
}

#[test]
fn cases_touch_components_that_are_there() {
    let store = Store::open(&fresh("cases").join("estate.redb")).unwrap();
    let apply = |changes: Changeset| store.apply(&changes, "test", "", GIT, 0).unwrap().unwrap();
    let put = |id: &str| Changeset { put_components: vec![component(id, "service")], ..Changeset::default() };
    let gone = |id: &str| Changeset { remove_components: vec![id.to_owned()], ..Changeset::default() };

    let first = Changeset { put_cases: vec![case(&["a", "b"])], ..put("a") };
    let audit = apply(first.clone());
    assert_eq!((audit.revision, audit.added), (1, 2));
    assert_eq!(store.apply(&first, "test", "", GIT, 0).unwrap(), None);
    assert_eq!(touched(&store), ["a"]);
    apply(put("b"));
    assert_eq!(touched(&store), ["a", "b"], "it waited for `b`");
    apply(gone("a"));
    assert_eq!(touched(&store), ["b"]);
    apply(put("a"));
    assert_eq!(touched(&store), ["a", "b"]);
    let audit = apply(Changeset { put_cases: vec![case(&["b"])], ..Changeset::default() });
    assert_eq!((audit.added, audit.changed, audit.removed), (0, 1, 0));
    assert_eq!(touched(&store), ["b"]);
    assert_eq!(store.records(None).unwrap().cases, [case(&["b"])]);
    assert_eq!(store.records(Some(1)).unwrap().cases, [case(&["a", "b"])]);

    let without = Changeset::replacing(&store.layer(GIT).unwrap(), Records { cases: Vec::new(), ..store.records(None).unwrap() });
    assert_eq!(without.remove_cases, ["HIS-1"]);
    let audit = apply(without);
    assert_eq!(audit.removed, 1);
    assert!(touched(&store).is_empty() && store.records(None).unwrap().cases.is_empty());
    let Change { what, id, before, after } = store.diff(1, audit.revision).unwrap().pop().unwrap();
    assert_eq!((what, id.as_str(), before.is_some(), after), (What::Case, "HIS-1", true, None));
}

/// A store as programs wrote it before there were checksums: the file of the database itself.
fn unchecked(path: &Path) {
    let tables = [
        "faultscope:meta",
        "graph:vertices",
        "graph:edges",
        "graph:edges_reversed",
        "graph:vertex_properties",
        "graph:edge_properties",
        "graph:vertex_values",
        "graph:edge_values",
        "graph:indexed",
        "estate:layers",
        "estate:records",
        "estate:audit",
        "estate:changes",
    ];
    let text = |part: &str| [u32::try_from(part.len()).unwrap().to_be_bytes().as_slice(), part.as_bytes()].concat();
    let mut rows = vec![
        ("faultscope:meta", b"magic".to_vec(), b"faultscope estate".to_vec()),
        ("faultscope:meta", b"format".to_vec(), 1u32.to_be_bytes().to_vec()),
    ];
    let items = [
        ("component", "a", [b"c".to_vec(), text("a")].concat(), serde_json::to_value(component("a", "service")).unwrap()),
        ("component", "b", [b"c".to_vec(), text("b")].concat(), serde_json::to_value(component("b", "service")).unwrap()),
        (
            "relation",
            "a calls b",
            [b"r".to_vec(), text("a"), text("calls"), text("b")].concat(),
            serde_json::to_value(relation("a", "calls", "b")).unwrap(),
        ),
    ];
    for (number, (what, id, key, record)) in (0u32..).zip(items) {
        let change = json!({"what": what, "id": id, "before": null, "after": record});
        let at = [1u64.to_be_bytes().as_slice(), &number.to_be_bytes()].concat();
        rows.push(("estate:layers", [key.as_slice(), b"git"].concat(), record.to_string().into_bytes()));
        rows.push(("estate:records", key, record.to_string().into_bytes()));
        rows.push(("estate:changes", at, change.to_string().into_bytes()));
    }
    let audit = json!({
        "revision": 1, "who": "eva", "when_ms": 5, "why": "", "origin": "git", "added": 3, "changed": 0, "removed": 0
    });
    rows.push(("estate:audit", 1u64.to_be_bytes().to_vec(), audit.to_string().into_bytes()));
    let db = redb::Database::create(path).unwrap();
    let transaction = db.begin_write().unwrap();
    for name in tables {
        transaction.open_table(redb::TableDefinition::<&[u8], &[u8]>::new(name)).unwrap();
    }
    for (name, key, value) in &rows {
        let mut table = transaction.open_table(redb::TableDefinition::<&[u8], &[u8]>::new(name)).unwrap();
        table.insert(key.as_slice(), value.as_slice()).unwrap();
    }
    transaction.commit().unwrap();
}

#[test]
fn stores_of_older_formats_are_read_and_renewed() {
    let dir = fresh("format");
    let (old, new) = (dir.join("old.redb"), dir.join("new.redb"));
    unchecked(&old);
    let before = fs::read(&old).unwrap();
    let error = Store::open(&old).unwrap_err();
    assert!(matches!(error, StoreError::Older { .. }) && error.to_string().contains("`faultscope estate salvage --store "), "{error}");
    let holds = |store: &Store| {
        let records = store.records(None).unwrap();
        assert_eq!(records.components, [component("a", "service"), component("b", "service")]);
        assert_eq!(records.relations, [relation("a", "calls", "b")]);
        assert_eq!(store.records(Some(0)).unwrap(), Records::default());
        assert_eq!(store.log(9).unwrap().len(), 1);
        store.changes_of(1).unwrap()
    };
    let store = Store::open_to_read(&old).unwrap();
    let changes = holds(&store);
    assert_eq!(changes.len(), 3);
    assert!(store.graph().get(indradb::AllEdgeQuery).is_err(), "an older graph would be answered without its properties");
    drop(store);
    let saved = salvage(&old, &new).unwrap();
    assert!(saved.is_all(), "{saved:?}");
    assert_eq!(fs::read(&old).unwrap(), before);
    let store = Store::open(&new).unwrap();
    assert_eq!(holds(&store), changes);
    let edges = indradb::util::extract_edges(store.graph().get(indradb::AllEdgeQuery).unwrap()).unwrap();
    assert_eq!(edges.len(), 1);
    assert!(matches!(salvage(&old, &new), Err(StoreError::Refused(_))), "what is there is not overwritten");
}

// Large changes.

/// Between 200 components, more than are written at a time.
fn many() -> Changeset {
    let id = |number: usize| format!("c{number}");
    let relations = (0..200).flat_map(|from| (1..=100).map(move |step| (from, (from + step) % 200)));
    Changeset {
        put_components: (0..200).map(|number| component(&id(number), "service")).collect(),
        put_relations: relations.map(|(from, to)| relation(&id(from), "calls", &id(to))).collect(),
        ..Changeset::default()
    }
}

#[test]
fn a_large_change_is_like_many_small_ones() {
    let dir = fresh("large");
    let (large, small) = (Store::open(&dir.join("large.redb")).unwrap(), Store::open(&dir.join("small.redb")).unwrap());
    let all = many();
    let audit = large.apply(&all, "test", "", GIT, 0).unwrap().unwrap();
    assert_eq!((audit.added, large.changes_of(1).unwrap().len()), (20_200, 20_200));
    // The relations wait for the components.
    let relations = Changeset { put_components: Vec::new(), ..all.clone() };
    small.apply(&relations, "test", "", GIT, 0).unwrap().unwrap();
    for components in all.put_components.chunks(50) {
        let some = Changeset { put_components: components.to_vec(), ..Changeset::default() };
        small.apply(&some, "test", "", GIT, 0).unwrap().unwrap();
    }
    assert_eq!(Records { revision: 1, ..small.records(None).unwrap() }, large.records(None).unwrap());
    let edges = |store: &Store, query: indradb::Query| {
        let mut edges = indradb::util::extract_edges(store.graph().get(query).unwrap()).unwrap();
        edges.sort();
        edges
    };
    let inbound = indradb::SpecificVertexQuery::single(component_vertex("c7")).inbound().unwrap();
    let queries: [(indradb::Query, usize); 2] = [(indradb::AllEdgeQuery.into(), 20_000), (inbound.into(), 100)];
    for (query, count) in queries {
        let found = edges(&large, query.clone());
        assert_eq!(found.len(), count);
        assert_eq!(found, edges(&small, query));
    }
    assert_eq!(large.apply(&all, "test", "", GIT, 0).unwrap(), None);
    assert_eq!(small.apply(&all, "test", "", GIT, 0).unwrap(), None);
}

#[test]
fn what_is_replaced_is_found_without_the_layer() {
    let store = Store::open(&fresh("replacing").join("estate.redb")).unwrap();
    let estate = estate(SHOP);
    let wanted = Records { cases: vec![case(&["web"])], ..records_of(&estate, GIT) };
    let (changes, declared) = store.replacing(GIT, wanted.clone()).unwrap();
    assert_eq!((declared, &changes), (0, &Changeset::replacing(&Records::default(), wanted.clone())));
    store.apply(&changes, "test", "", GIT, 0).unwrap().unwrap();
    let theirs = DeclaredComponent { origin: "import:csv".to_owned(), ..component("cache", "cache") };
    let import = Changeset { put_components: vec![theirs], ..Changeset::default() };
    store.apply(&import, "test", "", "import:csv", 0).unwrap().unwrap();

    let (changes, declared) = store.replacing(GIT, Records::default()).unwrap();
    let mut gone = changes.remove_components.clone();
    gone.sort();
    assert_eq!((declared, gone), (4, ["db-1", "db-2", "host-1", "web"].map(str::to_owned).to_vec()));
    assert_eq!(
        (changes.remove_relations.len(), changes.remove_groups, changes.remove_cases),
        (3, vec!["dbs".to_owned()], vec!["HIS-1".to_owned()])
    );
    let (changes, _) = store.replacing(GIT, wanted).unwrap();
    assert!(changes.remove_components.is_empty() && changes.remove_relations.is_empty() && changes.remove_groups.is_empty());
    assert_eq!(store.apply(&changes, "test", "", GIT, 0).unwrap(), None);
}

#[test]
fn indices_follow_the_estate() {
    let store = Store::open(&fresh("indices").join("estate.redb")).unwrap();
    let name = |text: &str| indradb::Identifier::new(text).unwrap();
    for property in ["owner", "origin"] {
        store.graph().index_property(name(property)).unwrap();
    }
    let owned = |owner: &str| DeclaredComponent { owner: Some(owner.to_owned()), ..component("a", "service") };
    let with = |owner: &str| {
        let query = indradb::VertexWithPropertyValueQuery::new(name("owner"), indradb::Json::new(json!(owner)));
        indradb::util::extract_vertices(store.graph().get(query).unwrap()).unwrap().len()
    };
    let relations = || {
        let query = indradb::EdgeWithPropertyValueQuery::new(name("origin"), indradb::Json::new(json!(GIT)));
        indradb::util::extract_edges(store.graph().get(query).unwrap()).unwrap().len()
    };
    let first = Changeset {
        put_components: vec![owned("eva"), component("b", "service")],
        put_relations: vec![relation("a", "calls", "b")],
        ..Changeset::default()
    };
    store.apply(&first, "test", "", GIT, 0).unwrap().unwrap();
    assert_eq!((with("eva"), with("li"), relations()), (1, 0, 1));
    let second = Changeset { put_components: vec![owned("li")], ..Changeset::default() };
    store.apply(&second, "test", "", GIT, 0).unwrap().unwrap();
    assert_eq!((with("eva"), with("li"), relations()), (0, 1, 1));
    let third = Changeset { remove_components: vec!["a".to_owned()], ..Changeset::default() };
    store.apply(&third, "test", "", GIT, 0).unwrap().unwrap();
    assert_eq!((with("eva"), with("li"), relations()), (0, 0, 0));
}

// The command line.

/// A project with the shop and one case in it, and the path of its store.
pub(crate) fn project(name: &str) -> (String, String) {
    let dir = fresh(name);
    for folder in ["topology", "cases/HIS-1"] {
        fs::create_dir_all(dir.join(folder)).unwrap();
    }
    fs::write(dir.join("topology/shop.yaml"), SHOP).unwrap();
    let case = "id: HIS-1\ntitle: t\nroot_cause: {component: 订单库, fault: f}\naffected: [database, web, ghost]\n";
    fs::write(dir.join("cases/HIS-1/case.yaml"), case).unwrap();
    let store = dir.join("estate.redb");
    (dir.to_str().unwrap().to_owned(), store.to_str().unwrap().to_owned())
}

pub(crate) fn ran(args: &[&str]) -> String {
    let (code, out, error) = faultscope(args);
    assert_eq!(code, 0, "{args:?}: {error}");
    out
}

pub(crate) fn ran_json(args: &[&str]) -> Value {
    serde_json::from_str(&ran(&[args, &["--format", "json"][..]].concat())).unwrap()
}

#[test]
fn applying_a_project_brings_its_cases() {
    let (dir, store) = project("apply");
    assert_eq!(ran(&["estate", "apply", &dir, "--store", &store]), "revision 1: 9 items added, 0 changed, 0 removed\n");
    let shown = ran_json(&["estate", "show", "--store", &store]);
    // By its id though it was named by its name; `database` is a type; what is not there yet is waited for.
    assert_eq!(shown["cases"][0]["components"], json!(["db-1", "ghost", "web"]));
    let text = ran(&["estate", "show", "--store", &store]);
    assert!(text.starts_with("revision 1: 4 components, 3 relations, 1 group, 1 case\n"), "{text}");
    assert!(text.contains("  HIS-1 t: affected db-1, ghost, web (from git)\n"), "{text}");
    fs::remove_dir_all(Path::new(&dir).join("cases")).unwrap();
    assert_eq!(ran(&["estate", "apply", &dir, "--store", &store]), "revision 2: 0 items added, 0 changed, 1 removed\n");
    assert_eq!(ran(&["estate", "diff", "1", "2", "--store", &store]), "- case HIS-1\n");
}

#[test]
fn impact_of_another_time() {
    let (dir, store) = project("impact");
    ran(&["estate", "apply", &dir, "--store", &store]);
    let file = Path::new(&dir).join("topology/shop.yaml");
    fs::write(&file, SHOP.replace("  - {from: db-1, kind: runs_on, to: host-1}\n", "")).unwrap();
    ran(&["estate", "apply", &dir, "--store", &store]);
    let then = |as_of: &str| faultscope(&["impact", "host-1", "--project", &dir, "--as-of", as_of, "--store", &store]);
    let (code, out, error) = then("1");
    assert!(code == 0 && out.contains("db-1"), "{out}{error}");
    assert!(error.contains("using the estate of revision 1 (4 components) instead of the project's topology"), "{error}");
    // Now, in the store and in the project.
    for out in [then("2").1, then("2999-01-01T00:00:00Z").1, ran(&["impact", "host-1", "--project", &dir])] {
        assert!(!out.contains("db-1"), "{out}");
    }
    let wrong = [
        ("3", "no revision `3`: the newest is 2"),
        ("2001-01-01T00:00:00Z", "the store had no estate at `2001-01-01T00:00:00Z`"),
        ("yesterday", "invalid revision or time `yesterday`"),
    ];
    for (as_of, message) in wrong {
        let (code, _, error) = then(as_of);
        assert!(code == 2 && error.contains(message), "{as_of}: {error}");
    }
    assert_eq!(faultscope(&["impact", "host-1", "--project", &dir, "--store", &store]).0, 2, "--store alone means nothing");
}

#[test]
fn diagnosis_against_another_time() {
    let store = fresh("diagnose").join("estate.redb");
    let store = store.to_str().unwrap();
    ran(&["estate", "apply", ".", "--store", store]);
    let bundle = ["diagnose", "tests/incidents/CAS-001-fires"];
    let mut now = ran_json(&bundle);
    // The same topology, so the same answer; but it says what it rests on.
    let mut then = ran_json(&[&bundle[..], &["--as-of", "1", "--store", store][..]].concat());
    assert!(then["warnings"].to_string().contains("using the estate of revision 1"), "{}", then["warnings"]);
    now["warnings"].take();
    then["warnings"].take();
    assert_eq!(then, now);
}

/// Whoever imports into the store only has no topology in files: each command says where the estate is, and how to use it.
#[test]
fn an_estate_that_only_the_store_has() {
    let (dir, _) = project("only");
    let root = Path::new(&dir);
    for folder in [".faultscope", "rules", "bundle"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    ran(&["estate", "apply", &dir, "--store", root.join(".faultscope/estate.redb").to_str().unwrap()]);
    fs::remove_dir_all(root.join("topology")).unwrap();
    let rule = "TOP-1 \"t\" { given s: service if alert \"A\" on s then impact dependents of s }\n";
    fs::write(root.join("rules/one.rules"), rule).unwrap();
    let alert = r#"[{"labels": {"alertname": "A", "component": "web"}, "startsAt": "2025-06-01T10:00:00Z"}]"#;
    fs::write(root.join("bundle/alerts.json"), alert).unwrap();
    let bundle = root.join("bundle");
    let bundle = bundle.to_str().unwrap();
    let commands = [
        vec!["diagnose", bundle],
        vec!["why", "TOP-1", bundle],
        vec!["place", "--labels", "component=web"],
        vec!["impact", "--single-points"],
    ];
    for mut args in commands {
        args.extend(["--project", dir.as_str(), "--format", "json"]);
        let (code, out, error) = faultscope(&args);
        assert_eq!(code, 0, "{args:?}: {error}");
        let said = format!("{out}{error}");
        assert!(said.contains("the topology has no component, but `") && said.contains("has an estate: `--as-of 1` uses it"), "{said}");
        args.extend(["--as-of", "1"]);
        let (code, out, error) = faultscope(&args);
        assert_eq!(code, 0, "{args:?}: {error}");
        let said = format!("{out}{error}");
        assert!(said.contains("using the estate of revision 1 (4 components)") && !said.contains("uses it"), "{said}");
    }
}

#[test]
fn imports_are_the_words_of_their_origin() {
    let (dir, store) = project("import");
    ran(&["estate", "apply", &dir, "--store", &store]);
    let table = Path::new(&dir).join("inventory.csv");
    let file = table.to_str().unwrap();
    let import = |more: &[&'static str]| [&["import", "csv", file, "--project", &dir, "--store", &store][..], more].concat();
    fs::write(&table, "id,type,owner\nweb,service,ops\ncache,redis,ops\n").unwrap();

    let dry = ran(&import(&["--dry-run"]));
    assert!(dry.ends_with("not written (`--dry-run`)\n"), "{dry}");
    let report = ran_json(&import(&["--who", "job", "--why", "nightly"]));
    assert_eq!((&report["added"], &report["revision"], &report["written"]), (&json!(["cache", "web"]), &json!(2), &json!(true)));
    let log = ran_json(&["estate", "log", "--store", &store]);
    let said = ["who", "why", "origin"].map(|key| log[0][key].as_str().unwrap());
    assert_eq!(said, ["job", "nightly", "import:csv"]);
    // Git wins, and the conflict is to be seen.
    let owners = |shown: &Value| shown["components"].as_array().unwrap().iter().map(|one| one["owner"].clone()).collect::<Vec<_>>();
    assert_eq!(
        owners(&ran_json(&["estate", "show", "--store", &store])),
        [json!("ops"), json!(null), json!(null), json!(null), json!("前端")]
    );
    let (code, out, _) = faultscope(&["estate", "conflicts", "--store", &store]);
    assert_eq!((code, out.as_str()), (1, "web owner: git says \"前端\", import:csv says \"ops\"\n"));

    assert!(ran(&import(&[])).ends_with("unchanged\n"));
    fs::write(&table, "id,type,owner\nweb,service,ops\n").unwrap();
    let report = ran_json(&import(&[]));
    assert_eq!((&report["gone"], &report["unchanged"], &report["revision"]), (&json!(["cache"]), &json!(1), &json!(3)));
    // Git's own are untouched.
    assert_eq!(ran_json(&["estate", "show", "--store", &store])["components"].as_array().unwrap().len(), 4);
    assert!(!Path::new(&dir).join("topology/imported-csv.yaml").exists());
}

/// What an import into the store cannot use is named.
#[test]
fn what_an_import_leaves_out_is_named() {
    let (dir, store) = project("named");
    let tables = Path::new(&dir).join("tables");
    fs::create_dir_all(&tables).unwrap();
    fs::write(tables.join("components.csv"), "id,type\nrack-1,rack\nrack-2,rack\n").unwrap();
    fs::write(tables.join("relations.csv"), "from,kind,to\nrack-1,belongs_to,rack-2\nrack-2,belongs_to,rack-1\n").unwrap();
    let report = ran_json(&["import", "csv", tables.to_str().unwrap(), "--project", &dir, "--store", &store]);
    let skipped = report["skipped"].as_array().unwrap();
    let [one] = skipped.as_slice() else { panic!("{skipped:?}") };
    assert!(one["what"].as_str().unwrap().starts_with("`rack-"), "{one}");
    assert!(one["why"].as_str().unwrap().contains("contains itself"), "{one}");
}
