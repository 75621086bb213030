//! Who is to blame when no rule knows: small recordings of one kind of difficulty each (`tests/incidents-anomaly`), with what is right.

use crate::common::root;
use project::{Options, Project, evaluate};

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
