//! Foreign descriptions of a topology: every folder of `tests/import` is named after its kind and holds one import; what comes of
//! it is blessed. Real ones too, where they are at hand.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{root, shared, snapshot};
use diag::Sources;
use estate::Declared;
use estate::{base_model, build};
use import::{Kind, Source, compare, parse_topology, read, topology_yaml};

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

/// The topology that comes of it, what was left out, and that our own reader takes it whole and the same import changes nothing.
fn outcome(kind: Kind, sources: &[Source]) -> String {
    let imported = match read(kind, sources, &base_model()) {
        Ok(imported) => imported,
        Err(error) => return format!("error[F9006]: {error}\n  help: {}\n", error.help),
    };
    let yaml = topology_yaml(kind, &imported.declared);
    let mut of = Sources::default();
    let file = of.add("imported.yaml", yaml.clone());
    let (snapshot, said) = build(&of, &[], &[file]);
    let mistakes: Vec<String> = said.iter().filter(|d| d.is_error()).map(|d| d.message.to_string()).collect();
    assert_eq!(mistakes, Vec::<String>::new(), "{yaml}");
    assert_eq!(snapshot.len(), imported.declared.components.len());
    let again = parse_topology(&yaml).expect("what was written can be read");
    assert!(compare(&again, &imported.declared).is_empty(), "{yaml}");
    let first = compare(&Declared::default(), &imported.declared);
    assert_eq!(first.added.len(), imported.declared.components.len() + imported.declared.groups.len());
    let mut reversed = sources.to_vec();
    reversed.reverse();
    assert_eq!(topology_yaml(kind, &read(kind, &reversed, &base_model()).unwrap().declared), yaml, "the order of files matters");
    let mut page = yaml;
    for skipped in &imported.skipped {
        let _ = writeln!(page, "skipped: {} ({}): {}", skipped.what, skipped.source, skipped.why);
    }
    page
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
        let text = format!("$ faultscope import {} tests/import/{name}\n{}", kind.name(), outcome(kind, &sources(&files(&dir), &dir)));
        snapshot("import", &name, &text);
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
        let imported = read(kind, &sources(&files(&path), &shared), &base_model()).unwrap();
        assert!(imported.declared.components.len() >= least, "{}: {}", path.display(), imported.declared.components.len());
        outcome(kind, &sources(&files(&path), &shared));
    }
}
