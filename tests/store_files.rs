//! Files that speak of components which only the store has.

use std::fs;
use std::path::Path;

use crate::common::faultscope;
use crate::store_history::{project, ran, ran_json};
use serde_json::json;

/// `extend` reaches components that only the store has. It does not keep them there.
#[test]
fn files_say_more_about_imported_components() {
    let (dir, _) = project("overlay");
    let at = |name: &str| Path::new(&dir).join(name);
    let store = at(".faultscope/estate.redb");
    let store = store.to_str().unwrap();
    let table = at("inventory.csv");
    let import = ["import", "csv", table.to_str().unwrap(), "--project", &dir, "--store", store];
    let cache = || {
        let shown = ran_json(&["estate", "show", "--store", store]);
        shown["components"].as_array().unwrap().iter().find(|one| one["id"] == "cache").cloned()
    };
    let more = |text: &str| fs::write(at("topology/more.yaml"), format!("components:\n  - {{{text}}}\n")).unwrap();

    // Nothing is known yet: the name is wrong, wherever it is looked for.
    more("extend: cache, tier: core");
    let (code, out, _) = faultscope(&["check", &dir]);
    assert_eq!((code, out.contains("`cache` is extended, but nothing declares it")), (1, true), "{out}");
    fs::write(&table, "id,type,owner\ncache,cache,ops\nold,cache,ops\n").unwrap();
    ran(&import);
    let sound = || faultscope(&["check", &dir]).1.contains(": 0 errors");
    assert!(sound());

    // A more special type, its attribute with a unit, an owner that wins over that of the import.
    more("extend: cache, type: redis, tier: core, owner: dba, attributes: {maxmemory: 2GiB}");
    assert!(sound());
    ran(&["estate", "apply", &dir]);
    let found = cache().unwrap();
    let said = ["type", "kind", "tier", "owner", "origin"].map(|key| found[key].clone());
    assert_eq!(said, [json!(null), json!("redis"), json!("core"), json!("dba"), json!("import:csv")], "{found}");
    assert_eq!((&found["attributes"]["maxmemory"], &found["extends"]), (&json!(2_147_483_648.0), &json!(null)));
    // To say otherwise is what it is for.
    let conflicts = |more: &[&str]| faultscope(&[&["estate", "conflicts", "--store", store][..], more].concat());
    assert_eq!(conflicts(&[]), (0, "no conflicts\n".to_owned(), String::new()));
    let (code, out, _) = conflicts(&["--all"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("cache owner: git says \"dba\" on purpose, import:csv says \"ops\"\n"), "{out}");

    // The next import says its own, and what git says stays.
    fs::write(&table, "id,type,owner,version\ncache,cache,web,7\nold,cache,ops,\n").unwrap();
    ran(&import);
    let found = cache().unwrap();
    assert_eq!((&found["owner"], &found["attributes"]["version"]), (&json!("dba"), &json!("7")), "{found}");

    // Errors have their place and the nearest name. Nothing is applied, unless all is right without the item.
    for (text, expected, applied) in [
        ("extend: cahce, tier: core", "did you mean `cache`?", 0),
        ("extend: cache, tier: gold", "`tier` cannot be `gold`", 2),
        ("extend: cache, type: host", "which cannot become a host", 0),
        ("extend: cache, attributes: {maxmemory: much}", "attribute `maxmemory` must be", 2),
    ] {
        more(text);
        let (code, out, _) = faultscope(&["check", &dir]);
        assert_eq!((code, out.contains(expected), out.contains("topology/more.yaml:2:")), (1, true, true), "{text}: {out}");
        let (code, _, error) = faultscope(&["estate", "apply", &dir]);
        assert_eq!((code, error.contains("warning: left out: topology/more.yaml:2:")), (applied, applied == 0), "{text}: {error}");
    }

    // What the import withdraws is gone, however much was said about it.
    more("extend: cache, owner: dba");
    ran(&["estate", "apply", &dir]);
    fs::write(&table, "id,type,owner\nold,cache,ops\n").unwrap();
    ran(&import);
    assert_eq!(cache(), None);
    assert_eq!(faultscope(&["check", &dir]).0, 1);

    // The rest is applied.
    fs::write(at("topology/new.yaml"), "components:\n  - {id: new, type: service}\n").unwrap();
    let (code, out, error) = faultscope(&["estate", "apply", &dir]);
    assert_eq!((code, out.ends_with(": 1 items added, 0 changed, 0 removed\n")), (0, true), "{out}{error}");
    assert!(error.contains("warning: left out: topology/more.yaml:2:") && error.contains("`cache` is extended"), "{error}");
}

/// What an import declares and is not so is taken out by a file, over the next import, until the file no longer says so.
#[test]
fn files_drop_what_an_import_declares() {
    let (dir, _) = project("dropped");
    let at = |name: &str| Path::new(&dir).join(name);
    let store = at(".faultscope/estate.redb");
    let store = store.to_str().unwrap();
    let tables = at("tables");
    fs::create_dir_all(&tables).unwrap();
    let import = ["import", "csv", tables.to_str().unwrap(), "--project", &dir, "--store", store];
    let shown = || ran(&["estate", "show", "--store", store]);
    let more = |text: &str| fs::write(at("topology/more.yaml"), text).unwrap();
    fs::write(tables.join("components.csv"), "id,type\npg1,database\npg2,database\nrelic,database\n").unwrap();
    fs::write(tables.join("relations.csv"), "from,kind,to\npg1,depends_on,pg2\npg1,depends_on,relic\n").unwrap();
    ran(&import);
    assert!(shown().contains("pg1 depends_on pg2 (from import:csv)"));

    let dropped = "components:\n  - {extend: relic, drop: true}\nrelations:\n  - {from: pg1, kind: depends_on, to: pg2, drop: true}\n";
    more(dropped);
    let (_, out, _) = faultscope(&["check", &dir]);
    assert!(out.contains(": 0 errors"), "{out}");
    ran(&["estate", "apply", &dir]);
    let said = shown();
    assert!(said.contains("pg2") && !said.contains("pg1 depends_on pg2") && !said.contains("relic"), "{said}");
    let (code, out, _) = faultscope(&["estate", "conflicts", "--all", "--store", store]);
    assert_eq!(code, 0, "{out}");
    for line in ["relic drop: git says true on purpose, import:csv says false", "pg1 depends_on pg2 drop: git says true on purpose"] {
        assert!(out.contains(line), "{line}: {out}");
    }

    // The next import brings back neither, and the file is still right.
    fs::write(tables.join("components.csv"), "id,type,owner\npg1,database,dba\npg2,database,dba\nrelic,database,dba\n").unwrap();
    ran(&import);
    let said = shown();
    assert!(said.contains("pg2") && !said.contains("pg1 depends_on pg2") && !said.contains("relic"), "{said}");
    assert!(faultscope(&["check", &dir]).1.contains(": 0 errors"));
    let (code, out, _) = faultscope(&["estate", "check", "--store", store]);
    assert_eq!(code, 0, "{out}");

    // An entry that is about nothing is named, with the nearest.
    more("relations:\n  - {from: pg2, kind: depends_on, to: pg1, drop: true}\n");
    let (code, out, _) = faultscope(&["check", &dir]);
    assert_eq!((code, out.contains("`pg2 depends_on pg1` is dropped, but nothing declares it")), (1, true), "{out}");
    assert!(out.contains("did you mean `pg1 depends_on pg2`?"), "{out}");

    more("components: []\n");
    ran(&["estate", "apply", &dir]);
    let said = shown();
    assert!(said.contains("pg1 depends_on pg2 (from import:csv)") && said.contains("pg1 depends_on relic (from import:csv)"), "{said}");
}

/// Relations in files may name components that only the store has, and say how hard one of an import hits.
#[test]
fn files_relate_to_imported_components() {
    let (dir, _) = project("related");
    let at = |name: &str| Path::new(&dir).join(name);
    let store = at(".faultscope/estate.redb");
    let store = store.to_str().unwrap();
    let tables = at("tables");
    fs::create_dir_all(&tables).unwrap();
    let import = ["import", "csv", tables.to_str().unwrap(), "--project", &dir, "--store", store];
    let shown = || ran(&["estate", "show", "--store", store]);
    fs::write(tables.join("components.csv"), "id,type\npg1,database\npg2,database\nvm,host\n").unwrap();
    fs::write(tables.join("relations.csv"), "from,kind,to\npg1,depends_on,pg2\n").unwrap();
    ran(&import);

    let relations = "groups:
  - {id: webs, members: [web], need: 1}
relations:
  - {from: web, kind: depends_on, to: pg1}
  - {from: webs, kind: depends_on, to: pg2}
  - {from: pg1, kind: depends_on, to: pg2, effect: degraded}
";
    fs::write(at("topology/more.yaml"), relations).unwrap();
    let (_, out, _) = faultscope(&["check", &dir]);
    assert!(out.contains(": 0 errors"), "{out}");
    ran(&["estate", "apply", &dir]);
    let said = shown();
    for line in ["web depends_on pg1 (from git)", "web depends_on pg2 (from git)", "pg1 depends_on pg2 (effect degraded, from git)"] {
        assert!(said.contains(&format!("  {line}\n")), "{line}: {said}");
    }
    assert!(ran(&["estate", "diff", "1", "2", "--store", store]).contains("    effect: (as its kind) → degraded\n"));

    // They are checked like others.
    for (text, expected) in [
        ("from: vm, kind: calls, to: web", "`calls` cannot go from `vm`"),
        ("from: vm, kind: depends, to: pg1", "no relation kind `depends`"),
        ("from: pg1, kind: depends_on, to: pg1", "cannot have a relation to itself"),
    ] {
        fs::write(at("topology/more.yaml"), format!("relations:\n  - {{{text}}}\n")).unwrap();
        let (code, out, _) = faultscope(&["check", &dir]);
        assert_eq!((code, out.contains(expected), out.contains("topology/more.yaml:2:")), (1, true, true), "{text}: {out}");
    }

    // One that is withdrawn takes only its own relations along.
    fs::write(at("topology/more.yaml"), relations).unwrap();
    fs::write(tables.join("components.csv"), "id,type\npg1,database\nvm,host\n").unwrap();
    fs::write(tables.join("relations.csv"), "from,kind,to\n").unwrap();
    ran(&import);
    let (code, _, error) = faultscope(&["estate", "apply", &dir]);
    assert_eq!((code, error.contains("warning: left out: topology/more.yaml:5:")), (0, true), "{error}");
    assert!(error.contains("a relation names `pg2`, which does not exist (F3007)"), "{error}");
    let said = shown();
    assert!(said.contains("  web depends_on pg1 (from git)\n") && !said.contains("pg2"), "{said}");
}
