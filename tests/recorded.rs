//! Signals that real tools have sent, where they are at hand.

use std::fs;

use diag::{Diagnostic, Sources};
use estate::Snapshot;
use signal::{BundleText, MappingRules, last_time, read_bundle, read_facts};

use crate::common::shared;

/// All of them are read without an error or a loss.
#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn recorded_bundles() {
    let shared = shared("data/bundles");
    for set in fs::read_dir(shared).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for case in fs::read_dir(&set).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
            let text = read_bundle(&case, &set).unwrap();
            let mut sources = Sources::default();
            let (file, bytes) = text.topology.clone().unwrap();
            let topology = sources.add(file, String::from_utf8(bytes).unwrap());
            let (snapshot, _) = estate::build(&sources, &[], &[topology]);
            let (facts, counts, diagnostics) = read_facts(&text, &snapshot, &MappingRules::default());
            assert!(!diagnostics.iter().any(Diagnostic::is_error), "{}: {diagnostics:?}", case.display());
            assert!(counts.adds_up(), "{}: {counts:?}", case.display());
            assert!(facts.present.metrics && last_time(&facts).is_some(), "{}", case.display());
            assert!(facts.alerts.iter().all(|alert| alert.component.is_some()), "{}", case.display());
        }
    }
}

/// Payloads that other tools send in the shape of Alertmanager's are read too.
#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn recorded_payloads() {
    let shared = shared("data/payloads");
    for folder in ["alertmanager", "grafana"] {
        for file in fs::read_dir(shared.join(folder)).unwrap().map(|entry| entry.unwrap().path()) {
            let alerts = Some(("alerts.json".to_owned(), fs::read(&file).unwrap()));
            let text = BundleText { alerts, ..BundleText::default() };
            let (facts, counts, diagnostics) = read_facts(&text, &Snapshot::empty(), &MappingRules::default());
            assert!(!diagnostics.iter().any(Diagnostic::is_error), "{}: {diagnostics:?}", file.display());
            assert!(counts.adds_up() && !facts.alerts.is_empty(), "{}: {counts:?}", file.display());
        }
    }
}
