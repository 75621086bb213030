//! The files of `tests/ingest/`: a folder for each protocol, in it bodies and beside each what is expected.

use std::path::{Path, PathBuf};

use crate::{Encoding, Protocol};

use super::render;

const FOLDERS: &[(&str, Protocol)] = &[
    ("alerts", Protocol::Alerts),
    ("webhook", Protocol::Webhook),
    ("loki", Protocol::LokiJson),
    ("otlp-metrics", Protocol::OtlpMetrics(Encoding::Json)),
    ("otlp-logs", Protocol::OtlpLogs(Encoding::Json)),
    ("otlp-traces", Protocol::OtlpTraces(Encoding::Json)),
    ("zabbix", Protocol::Zabbix),
    ("cloudevents", Protocol::CloudEvents),
    ("kubernetes", Protocol::KubernetesEvents),
    ("scores", Protocol::Scores),
];

fn bodies(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end != "expected")).collect();
    found.sort();
    found
}

#[test]
fn bodies_give_what_stands_beside_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/ingest");
    let mut wrong = Vec::new();
    for (folder, protocol) in FOLDERS {
        let bodies = bodies(&root.join(folder));
        assert!(!bodies.is_empty(), "{folder}");
        for path in bodies {
            let found = render(*protocol, &std::fs::read(&path).unwrap());
            let expected = std::fs::read_to_string(path.with_extension("expected")).unwrap();
            if found != expected {
                wrong.push(format!("{}\nexpected:\n{expected}found:\n{found}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Cut anywhere, a body is refused: what is used of half a request is lost with the answer to the whole.
#[test]
fn bodies_that_are_cut_off_are_refused() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/ingest");
    for (folder, protocol) in FOLDERS.iter().filter(|(_, protocol)| protocol.is_one_value()) {
        for path in bodies(&root.join(folder)) {
            let body = std::fs::read(&path).unwrap();
            let whole = body.trim_ascii_end();
            for length in [1, whole.len() / 2, whole.len() - 1] {
                let found = render(*protocol, &whole[..length]);
                assert!(found.starts_with("Malformed F4001 the body is not JSON: "), "{} {length}: {found}", path.display());
            }
        }
    }
}

#[test]
fn an_empty_body_is_none_of_a_file() {
    for (folder, protocol) in FOLDERS {
        for body in ["", " \n"] {
            let expected = "Malformed F4001 the body of the request is empty; send signals in it, as JSON\n";
            assert_eq!(render(*protocol, body.as_bytes()), expected, "{folder}");
        }
    }
}
