//! Who is to blame when no rule knows: small recordings of one kind of difficulty each (`tests/incidents-anomaly`), with what is right.

use crate::common::root;
use localize::Reason;
use project::{Options, Project, evaluate, load_bundle};

#[test]
fn the_first_suspect_is_the_cause() {
    let project = Project::load(&root()).unwrap();
    let report = evaluate(&project, &[root().join("tests/incidents-anomaly")], Options::default());
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    assert!(report.bundles.len() >= 7);
    for bundle in &report.bundles {
        if bundle.expected.is_empty() {
            assert!(bundle.suspects.is_empty(), "{}: {:?}", bundle.bundle, bundle.suspects);
        } else {
            assert_eq!(bundle.suspects.first(), bundle.expected.first(), "{}: {:?}", bundle.bundle, bundle.suspects);
        }
    }
}

/// Of two deployments before the onset, the one whose commit speaks of what is new; its hash ties the two.
#[test]
fn the_change_that_fits_is_named() {
    let project = Project::load(&root()).unwrap();
    let diagnosis =
        load_bundle(&project, &root().join("tests/incidents-anomaly/change-that-fits"), &root(), Options::default()).unwrap().diagnose();
    let reasons = diagnosis.incidents[0].suspects[0].reasons.iter();
    let changed = reasons.filter_map(|reason| match &reason.what {
        Reason::Anomaly(anomaly::Reason::Changed { change, shared, .. }) => Some((change.as_str(), shared.join(" "))),
        Reason::Anomaly(_) | Reason::Case(_) | Reason::Match(_) => None,
    });
    let fitting = "change.deployment: refactor: one setting for the size of the connection pool";
    assert_eq!(changed.collect::<Vec<_>>(), [(fitting, "connection pool".to_owned())]);
    let undone: Vec<&str> = diagnosis.solutions.iter().filter_map(|advice| Some(advice.undo.as_ref()?.change.as_str())).collect();
    assert_eq!(undone, [fitting]);
}

/// A change came before or after the suspect on which it was, whatever began elsewhere before: all places of a report agree, and suggest to
/// undo it.
#[test]
fn a_change_is_told_by_when_its_own_suspect_failed() {
    let project = Project::load(&root()).unwrap();
    let dir = root().join("tests/incidents-anomaly/changed-after-another-began");
    let diagnosis = load_bundle(&project, &dir, &root(), Options::default()).unwrap().diagnose();
    let suspects: Vec<&str> = diagnosis.incidents[0].suspects.iter().map(|s| s.component.as_deref().unwrap_or_default()).collect();
    assert!(suspects.first() == Some(&"stock") && suspects.contains(&"rack-7"), "{suspects:?}");
    let nearby = diagnosis.changes.iter().map(|change| (change.on_suspect, change.after, change.before));
    assert_eq!(nearby.collect::<Vec<_>>(), [(true, false, 30_000)]);
    let undone = diagnosis.solutions.iter().filter_map(|advice| Some(advice.undo.as_ref()?.before));
    assert_eq!(undone.collect::<Vec<_>>(), [30_000]);
}
