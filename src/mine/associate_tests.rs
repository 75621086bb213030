//! Associations counted by hand.

use std::collections::BTreeMap;

use super::{Association, associations, confidence, labels};
use crate::transactions::{Incident, Item, Label, Place, Row, Symptom};
use estate::base_model;

fn alert(name: &str) -> Item {
    Item { place: Place::Itself, symptom: Symptom::Alert(name.to_owned()) }
}

/// `db=a,b` is a row; a root is written with `!` and its fault: `db!full=a,b`.
fn incident(name: &str, rows: &[&str]) -> Incident {
    let mut roots = BTreeMap::new();
    let mut made = Vec::new();
    for row in rows {
        let (left, items) = row.split_once('=').unwrap();
        let (component, fault) = left.split_once('!').map_or((left, None), |(c, f)| (c, Some(f)));
        if let Some(fault) = fault {
            roots.insert(component.to_owned(), Label { kind: "database".into(), fault: fault.into() });
        }
        let items = items.split(',').filter(|i| !i.is_empty()).map(|i| (alert(i), None)).collect();
        made.push(Row { component: component.to_owned(), kind: "database".into(), items });
    }
    Incident { name: name.to_owned(), roots, rows: made, shown: BTreeMap::new(), quiet: BTreeMap::new() }
}

fn shown(found: &[Association]) -> Vec<String> {
    let name = |item: &Item| match &item.symptom {
        Symptom::Alert(name) => name.clone(),
        Symptom::Metric { .. } | Symptom::Log(_) | Symptom::ProbeFails | Symptom::Changed => String::new(),
    };
    let line = |one: &Association| {
        let items: Vec<String> = one.items.iter().map(name).collect();
        format!("{} {}+{}-{}", items.join(" "), one.right.len(), one.wrong.len(), one.alike)
    };
    found.iter().map(line).collect()
}

fn check(incidents: &[Incident], least: usize, expected: &[&str]) {
    let label = Label { kind: "database".into(), fault: "full".into() };
    let found = associations(incidents, &label, &base_model(), least);
    assert_eq!(shown(&found), expected);
}

#[test]
fn counted_by_hand() {
    let incidents = [
        incident("1", &["a!full=x,y", "b=x"]),
        incident("2", &["a!full=x,y"]),
        incident("3", &["b!full=x,y,z"]),
        incident("4", &["a!slow=x,z"]),
        incident("5", &["a=z"]),
    ];
    // y alone: shown in 1, 2, 3, never else. x: against it are 1 (at b) and 4. x with y is no surer than y.
    check(&incidents, 3, &["y 3+0-0", "x 3+2-0"]);
    // Only in 3 is there a z at a root.
    check(&incidents, 4, &[]);
}

#[test]
fn two_together_are_surer_than_each() {
    let incidents = [
        incident("1", &["a!full=x,y", "b=x", "c=y"]),
        incident("2", &["a!full=x,y", "b=x", "c=y"]),
        incident("3", &["a!full=x,y", "b=x", "c=y"]),
    ];
    // x and y hold in the same incidents, for and against: one of them stands for both.
    check(&incidents, 3, &["x y 3+0-0", "x 3+3-1"]);
}

#[test]
fn what_always_goes_together_is_one() {
    let incidents: Vec<Incident> = (0..4).map(|n| incident(&n.to_string(), &["a!full=p,q"])).collect();
    check(&incidents, 3, &["p 4+0-1"]);
}

#[test]
fn labels_count_incidents() {
    let incidents = [incident("1", &["a!full=x", "b!full=x"]), incident("2", &["a!slow=x"]), incident("3", &["a=x"])];
    let counts: Vec<(String, usize)> = labels(&incidents).into_iter().map(|(label, of)| (label.to_string(), of.len())).collect();
    assert_eq!(counts, [("full (database)".to_owned(), 1), ("slow (database)".to_owned(), 1)]);
}

#[test]
fn confidence_of_nothing_is_nothing() {
    for (right, wrong, expected) in [(0, 0, 0.0), (0, 3, 0.0), (3, 1, 0.75), (2, 0, 1.0)] {
        assert!((confidence(right, wrong) - expected).abs() < 1e-12, "{right} {wrong}");
    }
}
