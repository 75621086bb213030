//! Diagnoses fit the JSON Schema that docs/ publishes.

use project::{Options, Project, load_bundle};

use crate::root;

#[test]
fn diagnoses_fit_the_schema() {
    let schema = std::fs::read_to_string(root().join("docs/diagnosis.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let project = Project::load(&root()).unwrap();
    for bundle in ["cases/HIS-20250601", "tests/incidents/storm", "tests/incidents/unknown", "tests/incidents/MET-001-near-miss"] {
        let dir = root().join(bundle);
        let diagnosis = load_bundle(&project, &dir, dir.parent().unwrap(), Options::default()).unwrap().diagnose();
        let value = serde_json::to_value(diagnosis).unwrap();
        if let Some(error) = validator.iter_errors(&value).next() {
            panic!("{bundle}: {error} at {}", error.instance_path());
        }
    }
}
