//! Foreign descriptions of a topology: every folder of `tests/import` is named after its kind and holds one import; what comes of
//! it is blessed. A folder `project` in it is the project that it is imported into. Real ones too, where they are at hand.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{faultscope, root, shared, snapshot};
use diag::{SourceId, Sources, render};
use estate::{Declared, LabelRules, base_model, build};
use import::{Beside, Kind, Source, compare, hosts_of, parse_topology, read, read_beside, topology_yaml};

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn sources(paths: &[PathBuf], base: &Path) -> Vec<Source> {
    let source = |path: &PathBuf| Source {
        name: path.strip_prefix(base).unwrap().to_string_lossy().into_owned(),
        text: fs::read_to_string(path).unwrap(),
    };
    paths.iter().map(source).collect()
}

/// What an import finds there already.
struct Around {
    files: Vec<(String, String)>,
    known: BTreeMap<String, String>,
    hosts: BTreeMap<String, String>,
    labels: LabelRules,
    /// Of objects that name none: the file `namespace.txt`.
    namespace: Option<String>,
    /// What is wrong with the mapping of labels.
    said: String,
}

impl Around {
    /// A folder with `sources.yaml`, and topology files beside it; both may be missing.
    fn of(dir: &Path) -> Around {
        let mut all = Sources::default();
        let mut mapping: Option<SourceId> = None;
        let mut topology = Vec::new();
        let mut namespace = None;
        let mut kept = Vec::new();
        let paths = if dir.is_dir() { files(dir) } else { Vec::new() };
        for path in paths {
            let name = path.strip_prefix(dir).unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap();
            if name == "namespace.txt" {
                namespace = Some(text.trim().to_owned());
                continue;
            }
            let id = all.add(name.clone(), text.clone());
            if name == "sources.yaml" {
                mapping = Some(id);
            } else {
                topology.push(id);
                kept.push((name, text));
            }
        }
        let (estate, said) = build(&all, &[], &topology);
        assert!(said.is_empty(), "{}: {said:?}", dir.display());
        let known = estate.ids().map(|id| estate.component(id)).map(|one| (one.id.clone(), one.kind.clone())).collect();
        let (labels, said) = mapping.map_or_else(Default::default, |id| LabelRules::read(&all, id, &estate));
        Around { files: kept, known, hosts: hosts_of(&estate), labels, namespace, said: render(&all, &said, false, false) }
    }
}

/// The topology that comes of it, what was left out, and that our own reader takes it whole and the same import changes nothing.
fn outcome(kind: Kind, sources: &[Source], around: &Around) -> String {
    let read = |sources: &[Source]| {
        let (known, hosts) = (around.known.clone(), around.hosts.clone());
        let beside = Beside { known, hosts, labels: &around.labels, namespace: around.namespace.as_deref() };
        read_beside(kind, sources, &base_model(), beside)
    };
    let imported = match read(sources) {
        Ok(imported) => imported,
        Err(error) => return format!("error[F9006]: {error}\n  help: {}\n", error.help),
    };
    let yaml = topology_yaml(kind, &imported.declared);
    let mut of = Sources::default();
    let mut files = vec![of.add("imported.yaml", yaml.clone())];
    files.extend(around.files.iter().map(|(name, text)| of.add(name.clone(), text.clone())));
    let (snapshot, said) = build(&of, &[], &files);
    let mistakes: Vec<String> = said.iter().filter(|d| d.is_error()).map(|d| d.message.to_string()).collect();
    assert_eq!(mistakes, Vec::<String>::new(), "{yaml}");
    assert_eq!(snapshot.len(), imported.declared.components.len() + around.known.len());
    let again = parse_topology(&yaml).expect("what was written can be read");
    assert!(compare(&again, &imported.declared).is_empty(), "{yaml}");
    let first = compare(&Declared::default(), &imported.declared);
    assert_eq!(first.added.len(), imported.declared.components.len() + imported.declared.groups.len());
    let mut reversed = sources.to_vec();
    reversed.reverse();
    assert_eq!(topology_yaml(kind, &read(&reversed).unwrap().declared), yaml, "the order of files matters");
    let mut page = around.said.clone() + yaml.as_str();
    for skipped in &imported.skipped {
        let _ = writeln!(page, "skipped: {} ({}): {}", skipped.what, skipped.source, skipped.why);
    }
    page
}

/// The files of an import, without those of the project that it is imported into.
fn own(dir: &Path) -> Vec<PathBuf> {
    let mut found = files(dir);
    found.retain(|path| !path.starts_with(dir.join("project")));
    found
}

#[test]
fn what_comes_of_each_import() {
    let base = root().join("tests/import");
    let mut dirs: Vec<PathBuf> = fs::read_dir(&base).unwrap().map(|entry| entry.unwrap().path()).collect();
    dirs.sort();
    assert!(dirs.len() > 10);
    for dir in dirs {
        let name = dir.file_name().unwrap().to_string_lossy().into_owned();
        let kind = name
            .split('-')
            .next()
            .and_then(|kind| Kind::ALL.into_iter().find(|k| k.name() == kind))
            .expect("a folder is named after its kind");
        let text = format!(
            "$ faultscope import {} tests/import/{name}\n{}",
            kind.name(),
            outcome(kind, &sources(&own(&dir), &dir), &Around::of(&dir.join("project")))
        );
        snapshot("import", &name, &text);
    }
}

/// An image is what `tests/images.tsv` says. A name that says otherwise makes no engine of what only stands around one.
#[test]
fn images_are_what_runs_in_them() {
    let table = fs::read_to_string(root().join("tests/images.tsv")).unwrap();
    let rows: Vec<Vec<&str>> = table.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect()).collect();
    let mut text = "services:\n".to_owned();
    for (at, row) in rows.iter().enumerate() {
        let _ = writeln!(text, "  app-{at}: {{image: '{}'}}", row[0]);
    }
    text.push_str("  redis: {image: oliver006/redis_exporter}\n  mysql: {image: acme/shop}\n  frontend: {image: acme/shop-ui}\n");
    let found = read(Kind::Compose, &[Source { name: "compose.yaml".to_owned(), text }], &base_model()).unwrap().declared;
    let said = |id: &str| {
        let one = found.components.iter().find(|one| one.id == id).unwrap();
        let engine = one.attributes.get("engine").map_or_else(|| "-".to_owned(), ToString::to_string);
        (one.kind.clone(), engine)
    };
    let wrong: Vec<String> = rows
        .iter()
        .enumerate()
        .map(|(at, row)| (row, said(&format!("app-{at}"))))
        .filter(|(row, (kind, engine))| (row[1], row[2]) != (kind.as_str(), engine.as_str()))
        .map(|(row, said)| format!("{row:?}: {said:?}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (name, kind) in [("redis", "service"), ("mysql", "database"), ("frontend", "frontend")] {
        assert_eq!(said(name).0, kind, "{name}");
    }
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn real_ones_are_taken() {
    let shared = shared("data");
    let real: [(Kind, &str, usize); 5] = [
        (Kind::Kubernetes, "manifests/otel-demo/opentelemetry-demo.kubernetes.yaml", 25),
        (Kind::Compose, "manifests/otel-demo/compose.yaml", 20),
        (Kind::Kubernetes, "manifests/sock-shop/kubernetes", 14),
        (Kind::Compose, "manifests/sock-shop/docker-compose", 14),
        (Kind::Asm, "cmdb/ibm-asm-sample-sock-shop.txt", 20),
    ];
    for (kind, path, least) in real {
        let path = shared.join(path);
        let around = Around::of(&path.join("project"));
        let imported = read(kind, &sources(&files(&path), &shared), &base_model()).unwrap();
        assert!(imported.declared.components.len() >= least, "{}: {}", path.display(), imported.declared.components.len());
        outcome(kind, &sources(&files(&path), &shared), &around);
    }
}

/// An import writes its own file only: what people say about its components stays, and so does what labels mean.
#[test]
fn importing_again_keeps_what_people_say() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("import").join(format!("again-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(dir.join("topology")).unwrap();
    let write = |name: &str, text: &str| fs::write(dir.join(name), text).unwrap();
    let project = dir.to_str().unwrap();
    let compose = dir.join("compose.yaml");
    let import = || {
        let (code, out, err) = faultscope(&["import", "compose", compose.to_str().unwrap(), "--project", project]);
        assert_eq!(code, 0, "{out}{err}");
        out
    };
    let component = |id: &str| {
        let loaded = project::Project::load(&dir).unwrap();
        assert!(!loaded.diagnostics.iter().any(diag::Diagnostic::is_error), "{:?}", loaded.diagnostics);
        let found = loaded.estate.component(loaded.estate.find(id).unwrap());
        (found.owner.clone(), found.tier.map(estate::Tier::name))
    };
    write("topology/sources.yaml", "import:\n  - {label: team, as: owner}\n  - {label: line, as: business_line}\n");
    write("compose.yaml", "services:\n  cart: {image: 'shop/cart:1', labels: {team: web, line: trading}}\n");
    import();
    write("topology/more.yaml", "components:\n  - {extend: cart, tier: important}\n  - {extend: trading, tier: core}\n");
    assert_eq!(component("cart"), (Some("web".to_owned()), Some("important")));
    write("compose.yaml", "services:\n  cart: {image: 'shop/cart:2', labels: {team: order, line: trading}}\n");
    assert!(import().contains("cart: owner: web → order"));
    assert_eq!(component("cart"), (Some("order".to_owned()), Some("important")));
    assert_eq!(component("trading"), (None, Some("core")));
    assert!(import().ends_with("unchanged\n"));
    fs::remove_dir_all(&dir).unwrap();
}

/// A second workload of a name makes the id of the first longer: the report says so, since files that people wrote name it.
#[test]
fn renamed_ids_are_told() {
    let deployment = |namespace: &str, replicas: usize| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: cart, namespace: {namespace}}}\nspec: {{replicas: {replicas}, \
             template: {{spec: {{containers: [{{image: acme/cart}}]}}}}}}\n---\n"
        )
    };
    let other = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: stock, namespace: shop}\n\
                 spec: {template: {spec: {containers: [{image: acme/stock}]}}}\n";
    let imported = |namespaces: &[&str]| {
        let text: String = namespaces.iter().map(|namespace| deployment(namespace, 2)).chain([other.to_owned()]).collect();
        read(Kind::Kubernetes, &[Source { name: "cluster.yaml".to_owned(), text }], &base_model()).unwrap().declared
    };
    let (one, two, three) = (imported(&["shop"]), imported(&["shop", "staging"]), imported(&["staging", "shop", "dev"]));
    let renamed = |from: &Declared, to: &Declared| compare(from, to).renamed;
    let pair = |from: &str, to: &str| vec![(from.to_owned(), to.to_owned())];
    assert_eq!(renamed(&one, &two), pair("cart", "shop/cart"));
    assert_eq!(renamed(&two, &one), pair("shop/cart", "cart"));
    assert!(renamed(&two, &three).is_empty() && renamed(&one, &one).is_empty());
    // That of another namespace is another one.
    assert!(renamed(&one, &imported(&["staging", "dev"])).is_empty());

    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("import").join(format!("renamed-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(dir.join("topology")).unwrap();
    let file = dir.join("cluster.yaml");
    let run = |text: &str, more: &[&str]| {
        fs::write(&file, text).unwrap();
        let args = [&["import", "kubernetes", file.to_str().unwrap(), "--project", dir.to_str().unwrap()][..], more].concat();
        let (code, out, err) = faultscope(&args);
        assert_eq!(code, 0, "{out}{err}");
        out
    };
    assert!(!run(&deployment("shop", 1), &[]).contains("renamed:"));
    let out = run(&(deployment("shop", 1) + deployment("staging", 1).as_str()), &["--dry-run"]);
    assert!(out.contains("renamed: files, rules and cases that name the old id must name the new one\n  cart → shop/cart\n"), "{out}");
    let out = run(&(deployment("shop", 1) + deployment("staging", 1).as_str()), &["--format", "json"]);
    assert!(out.contains("\"renamed\": {\n    \"cart\": \"shop/cart\"\n  }"), "{out}");
    fs::remove_dir_all(&dir).unwrap();
}

/// What a relation does is part of it: a table can say it, the file keeps it, and another word for it is a change.
#[test]
fn a_change_of_effect_is_a_change() {
    let table = |effect: &str| Source { name: "relations.csv".to_owned(), text: format!("from,kind,to,effect\nshop,calls,pay,{effect}\n") };
    let components = Source { name: "components.csv".to_owned(), text: "id,type\nshop,service\npay,service\n".to_owned() };
    let read = |effect: &str| read(Kind::Csv, &[components.clone(), table(effect)], &base_model()).unwrap().declared;
    let before = parse_topology(&topology_yaml(Kind::Csv, &read("down"))).unwrap();
    assert!(compare(&before, &read("DOWN")).is_empty());
    for (effect, change) in [("at_risk", "effect: down → at_risk"), ("", "effect: down → (none)")] {
        let report = compare(&before, &read(effect));
        let changes: Vec<String> = report.relations_changed.iter().flat_map(|(_, changes)| changes.clone()).collect();
        assert_eq!(changes, [change]);
        assert!(!report.is_empty());
    }
}
