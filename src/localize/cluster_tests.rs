//! Storms made up: of each signal it is known to which fault it belongs, and the groups must be these faults.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails may panic")]

use std::collections::{BTreeMap, BTreeSet};

use diag::Sources;
use estate::{Snapshot, build};
use value::{HOUR, MINUTE, SECOND, Time};

use super::clusters::{Loose, cluster};
use super::diagnosis::{ClusterView, CommonRelation, JoinedBy};
use super::symptoms::Kind;

/// A signal as data: name, component (empty for none), text after the name, seconds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Signal {
    name: String,
    component: String,
    text: String,
    second: i64,
}

fn signal(name: &str, component: &str, text: &str, second: i64) -> Signal {
    let text = if text.is_empty() { name.to_owned() } else { format!("{name}: {text}") };
    Signal { name: name.to_owned(), component: component.to_owned(), text, second }
}

fn letters(n: usize) -> String {
    [n / 26, n % 26].map(|digit| char::from(b'a' + u8::try_from(digit).unwrap())).iter().collect()
}

/// Thirty hosts of a subnet, twenty services behind a gateway, fifteen databases, fifteen domain names, twenty pods, each pod on
/// nothing; and an order service on its database.
fn estate() -> Snapshot {
    let mut components = String::from("components:\n");
    let mut relations = String::from("relations:\n");
    let mut add = |id: &str, kind: &str| components.push_str(&format!("  - {{id: {id}, type: {kind}}}\n"));
    let mut relate = |from: &str, kind: &str, to: &str| relations.push_str(&format!("  - {{from: {from}, kind: {kind}, to: {to}}}\n"));
    for (id, kind) in [("subnet-a", "subnet"), ("gateway", "gateway"), ("order", "service"), ("order-db", "database"), ("stock", "cache")] {
        add(id, kind);
    }
    relate("order", "depends_on", "order-db");
    for n in 0..30 {
        add(&format!("host-{n}"), "host");
        relate(&format!("host-{n}"), "belongs_to", "subnet-a");
    }
    for n in 0..20 {
        add(&format!("svc-{}", letters(n)), "service");
        relate("gateway", "calls", &format!("svc-{}", letters(n)));
        add(&format!("pay-pod-{n}"), "pod");
    }
    for n in 0..15 {
        add(&format!("db-{n}"), "database");
        add(&format!("domain-{n}"), "domain_name");
    }
    let mut sources = Sources::default();
    let topology = sources.add("topology.yaml", format!("{components}{relations}"));
    let (estate, diagnostics) = build(&sources, &[], &[topology]);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    estate
}

/// A hundred alerts of five faults, with the name of the group that each belongs to.
fn storm() -> Vec<(&'static str, Signal)> {
    let mut all = Vec::new();
    let mut add = |fault: &'static str, count: usize, first: i64, make: &dyn Fn(usize) -> (&'static str, String, String)| {
        for (n, second) in (0..count).zip((first..).step_by(7)) {
            let (name, component, text) = make(n);
            all.push((fault, signal(name, &component, &text, second)));
        }
    };
    add("NodeDiskPressure on 30 hosts of subnet-a", 30, 0, &|n| {
        ("NodeDiskPressure", format!("host-{n}"), format!("disk /var is {}% full on host-{n}", 90 + n % 9))
    });
    add("HTTP5xx on 20 services used by gateway", 20, 1, &|n| {
        ("HTTP5xx", format!("svc-{}", letters(n)), format!("{n}% of the requests of svc-{} fail", letters(n)))
    });
    add("支付服务 响应超时 on 20 pods", 20, 2, &|n| ("支付服务 响应超时", format!("pay-pod-{n}"), String::new()));
    add("ReplicationLag on 15 databases", 15, 3, &|n| {
        ("ReplicationLag", format!("db-{n}"), format!("replica is {}s behind its source", 30 + n))
    });
    add("CertificateExpiry on 15 domain names", 15, 4, &|n| {
        ("CertificateExpiry", format!("domain-{n}"), format!("certificate of shop-{n}.example.com expires in 6d"))
    });
    all
}

fn clustered(estate: &Snapshot, signals: &[&Signal]) -> Vec<ClusterView> {
    let loose: Vec<Loose<'_>> = signals
        .iter()
        .map(|one| Loose {
            kind: Kind::Alert,
            component: if one.component.is_empty() { None } else { Some(estate.find(&one.component).unwrap()) },
            name: Some(one.name.as_str()),
            text: &one.text,
            onset: Time(one.second * SECOND),
            signals: 1,
        })
        .collect();
    let groups = cluster(estate, &loose);
    let mut members: Vec<usize> = groups.iter().flat_map(|group| group.members.clone()).collect();
    members.sort_unstable();
    assert_eq!(members, (0..signals.len()).collect::<Vec<_>>(), "each is in exactly one group");
    groups
}

/// A group in short: `NodeDiskPressure on 30 hosts of subnet-a`. How a report says it is in package `words`.
fn named(group: &ClusterView) -> String {
    let count = group.members.len();
    let on = match (group.components.as_slice(), &group.kind) {
        ([], _) => "without a component".to_owned(),
        ([only], _) => format!("on {only}"),
        (several, Some(kind)) => format!("on {} {}s", several.len(), kind.replace('_', " ")),
        (several, None) => format!("on {} components", several.len()),
    };
    let common = group.common.as_ref().map_or_else(String::new, |common| {
        let relation = match common.relation {
            CommonRelation::Holder => "of",
            CommonRelation::Dependency => "depending on",
            CommonRelation::Dependent => "used by",
        };
        format!(" {relation} {}", common.component)
    });
    match (group.joined_by, &group.label) {
        (JoinedBy::Text, Some(label)) => format!("{label} {on}{common}"),
        (JoinedBy::Text | JoinedBy::Place, _) => format!("{count} different signals {on}{common}"),
        (JoinedBy::Nothing, _) => format!("{count} ungrouped {}", if count == 1 { "signal" } else { "signals" }),
    }
}

/// Names in their order, each with what joins it and how many it has.
fn check(what: &str, signals: &[Signal], expected: &[(&str, JoinedBy, usize)]) {
    let groups = clustered(&estate(), &signals.iter().collect::<Vec<_>>());
    let found: Vec<(String, JoinedBy, usize)> = groups.iter().map(|group| (named(group), group.joined_by, group.members.len())).collect();
    let expected: Vec<(String, JoinedBy, usize)> = expected.iter().map(|(name, by, count)| ((*name).to_owned(), *by, *count)).collect();
    assert_eq!(found, expected, "{what}");
}

/// Fisher and Yates with the numbers of a linear congruential generator (Knuth's MMIX).
fn shuffle<T>(list: &mut [T], mut seed: u64) {
    for at in (1..list.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        list.swap(at, usize::try_from(seed >> 33).unwrap() % (at + 1));
    }
}

#[test]
fn a_hundred_alerts_are_five_groups_in_any_order() {
    let estate = estate();
    let mut storm = storm();
    assert_eq!(storm.len(), 100);
    let mut wanted: BTreeMap<String, BTreeSet<Signal>> = BTreeMap::new();
    storm.iter().for_each(|(fault, signal)| {
        wanted.entry((*fault).to_owned()).or_default().insert(signal.clone());
    });
    let mut first: Option<Vec<ClusterView>> = None;
    for seed in 0..5 {
        shuffle(&mut storm, seed);
        let signals: Vec<&Signal> = storm.iter().map(|(_, signal)| signal).collect();
        let mut groups = clustered(&estate, &signals);
        let found: BTreeMap<String, BTreeSet<Signal>> =
            groups.iter().map(|group| (named(group), group.members.iter().map(|at| signals[*at].clone()).collect())).collect();
        assert_eq!(found, wanted, "seed {seed}");
        groups.iter_mut().for_each(|group| group.members.clear());
        let first = first.get_or_insert_with(|| groups.clone());
        assert_eq!(*first, groups, "seed {seed}: all but the positions is the same");
    }
    let first = first.unwrap();
    let sizes: Vec<usize> = first.iter().map(|group| group.components.len()).collect();
    assert_eq!(sizes, [30, 20, 20, 15, 15], "the largest first, then the earliest");
    assert_eq!(first[0].template.as_deref(), Some("NodeDiskPressure: disk <*> is <*>% full on <*>"));
    assert!(!first[0].differing, "one text");
    assert_eq!((first[0].first, first[0].last), (Time(0), Time(203 * SECOND)));
}

#[test]
fn an_hour_apart_is_two() {
    let down = |component: &str, second: i64| signal("Down", component, "does not answer", second);
    let hour = HOUR / SECOND;
    let six: Vec<Signal> = [("db-0", 0), ("db-1", 20), ("db-2", 40), ("db-3", hour), ("db-4", hour + 20), ("db-5", hour + 40)]
        .map(|(component, second)| down(component, second))
        .to_vec();
    check("two groups", &six, &[("Down on 3 databases", JoinedBy::Text, 3), ("Down on 3 databases", JoinedBy::Text, 3)]);
    let pace: Vec<Signal> = (0..6).map(|n| down(&format!("db-{n}"), n * 15 * MINUTE / SECOND)).collect();
    check("one each quarter of an hour is one", &pace, &[("Down on 6 databases", JoinedBy::Text, 6)]);
    let apart = [down("db-0", 0), down("db-1", hour)];
    check("a single one each", &apart, &[("2 ungrouped signals", JoinedBy::Nothing, 2)]);
}

#[test]
fn place_joins_what_is_left() {
    // What the seed of the idea has: four texts, two services.
    let four = [
        signal("订单服务CPU高", "order", "", 0),
        signal("订单服务内存高", "order", "", 30),
        signal("支付服务响应慢", "stock", "", 10),
        signal("支付服务数据库连接满", "stock", "", 40),
    ];
    let two = [("2 different signals on order", JoinedBy::Place, 2), ("2 different signals on stock", JoinedBy::Place, 2)];
    check("two texts each on two components", &four, &two);
    let near =
        [signal("SlowQueries", "order-db", "many", 0), signal("Latency", "order", "high", 30), signal("Evictions", "stock", "rising", 10)];
    let expected = [("2 different signals on 2 components", JoinedBy::Place, 2), ("1 ungrouped signal", JoinedBy::Nothing, 1)];
    check("on what it stands", &near, &expected);
    check("nothing", &[], &[]);
}

#[test]
fn texts_alike() {
    let words = |name: &str, first: &str, second: &str, expected: &[(&str, JoinedBy, usize)]| {
        check(name, &[signal(name, "db-0", first, 0), signal(name, "db-1", second, 5)], expected);
    };
    let together = [("Problem on 2 databases", JoinedBy::Text, 2)];
    words("Problem", "disk is full", "the disk of this one is getting full too", &together);
    words("Problem", "", "disk is full", &together);
    words("Problem", "disk is full", "replication stopped", &[("2 ungrouped signals", JoinedBy::Nothing, 2)]);
    // Where it is, is not known of one: it goes with the others. Two of one text without any place are one group.
    let lost = [signal("Down", "", "no answer", 0), signal("Down", "db-0", "no answer", 5), signal("Down", "db-1", "no answer", 9)];
    check("one without a component", &lost, &[("Down on 2 databases", JoinedBy::Text, 3)]);
    check("none with one", &[lost[0].clone(), lost[0].clone()], &[("Down without a component", JoinedBy::Text, 2)]);
    // Two types that nothing connects are two places.
    let types = [("db-0", 0), ("db-1", 1), ("host-0", 2), ("host-1", 3)].map(|(at, second)| signal("Down", at, "no answer", second));
    check("two types", &types, &[("Down on 2 databases", JoinedBy::Text, 2), ("Down on 2 hosts of subnet-a", JoinedBy::Text, 2)]);
}

#[test]
fn ten_thousand_alerts() {
    let faults: Vec<&str> = vec!["Alpha", "Bravo", "Charlie", "Delta", "Echo", "Foxtrot", "Golf", "Hotel", "India", "Juliet"];
    let mut all: Vec<Signal> = Vec::new();
    for n in 0..10_000_usize {
        let text = format!("value {n} is out of bounds");
        all.push(signal(faults[n % 10], &format!("host-{}", n % 30), &text, i64::try_from(n / 100).unwrap()));
    }
    shuffle(&mut all, 7);
    let groups = clustered(&estate(), &all.iter().collect::<Vec<_>>());
    // Ten rules are ten groups, though all other words are the same.
    assert_eq!(groups.iter().map(|group| group.members.len()).collect::<Vec<_>>(), [1_000; 10]);
    // Ten thousand texts without a word in common: what has no template is not compared.
    let texts: Vec<Signal> =
        (0..10_000).map(|n| signal(&format!("{0}x{1} {1}y{0}", letters(n % 676), letters(n / 676)), "", "", 0)).collect();
    let groups = clustered(&estate(), &texts.iter().collect::<Vec<_>>());
    assert_eq!(groups.last().map(|group| group.joined_by), Some(JoinedBy::Nothing));
    assert!(groups.len() <= 12, "{}", groups.len());
}
