use super::{CaseBase, Match, RESEMBLES, Similar, Symptoms};
use crate::{Case, read_case};
use diag::Sources;
use value::Time;

const AT: &str = "2025-06-01T00:00:00Z";

const MYSQL: &str =
    "alerts: [MySQLConnectionsExhausted], logs: [Too many connections], metrics: [{type: mysql, metric: connections, change: high}]";
const ORDER: &str = "alerts: [订单数据库连接数耗尽]";
const REDIS: &str = "alerts: [RedisMemoryHigh], metrics: [{type: redis, metric: memory, change: high}]";

/// `(id, date, symptoms, affected)`, the first three as in the file.
type Told = (&'static str, &'static str, &'static str, &'static str);

/// `(id, least similarity, most)`
type Expected = (&'static str, f64, f64);

const CASES: &[Told] = &[
    ("HIS-1", "2025-06-01", MYSQL, "mysql, service, service"),
    ("HIS-2", "", ORDER, ""),
    ("HIS-3", "2025-06-01", REDIS, "session-cache, cart"),
];

fn case((id, date, symptoms, affected): &Told) -> Case {
    let text = format!("id: {id}\ntitle: t\ndate: {date}\nroot_cause: {{fault: f}}\nsymptoms: {{{symptoms}}}\naffected: [{affected}]\n");
    let mut sources = Sources::default();
    let source = sources.add("case.yaml", text);
    let (case, diagnostics) = read_case(&sources, source);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    case.unwrap().0
}

fn symptoms(texts: &[&str], metrics: &[(&str, &str, bool)], kinds: &[(&str, usize)], components: &[&str]) -> Symptoms {
    Symptoms {
        texts: texts.iter().map(|t| (*t).to_owned()).collect(),
        metrics: metrics.iter().map(|(kind, metric, high)| ((*kind).to_owned(), (*metric).to_owned(), *high)).collect(),
        kinds: kinds.iter().map(|(kind, n)| ((*kind).to_owned(), *n)).collect(),
        components: components.iter().map(|id| (*id).to_owned()).collect(),
    }
}

/// Each expected case with the range of its similarity, in order; none other.
fn check(name: &str, told: &[Told], symptoms: &Symptoms, expected: &[Expected]) -> Vec<Similar> {
    let base = CaseBase::new(told.iter().map(case).collect());
    let found = base.similar(symptoms, Time::parse(AT).unwrap());
    let ids: Vec<&str> = found.iter().filter_map(|s| base.cases().get(s.case)).map(|c| c.id.as_str()).collect();
    assert_eq!(ids, expected.iter().map(|(id, ..)| *id).collect::<Vec<_>>(), "{name}");
    for (similar, (id, low, high)) in found.iter().zip(expected) {
        assert!((*low..=*high).contains(&similar.similarity), "{name}: {id} is {}, not in {low}..={high}", similar.similarity);
        assert!(base.find(id).is_some(), "{name}");
    }
    found
}

#[test]
fn an_exact_repeat_says_in_what() {
    let texts = ["MySQL connections exhausted on order-db", "ERROR 1040: Too many connections"];
    let now = symptoms(&texts, &[("mysql", "connections", true)], &[("mysql", 1), ("service", 2)], &["order-db"]);
    let found = check("repeat", CASES, &now, &[("HIS-1", 1.0, 1.0)]);
    let matched: Vec<Match> = found.into_iter().flat_map(|s| s.matched).collect();
    let (text, kind) = (str::to_owned, str::to_owned);
    let expected = [
        Match::Alert { words: text("MySQLConnectionsExhausted"), shared: Vec::new() },
        Match::Log { words: text("Too many connections"), shared: Vec::new() },
        Match::Metric { kind: kind("mysql"), metric: text("connections"), high: true },
        Match::Type { kind: kind("mysql") },
        Match::Type { kind: kind("service") },
    ];
    assert_eq!(matched, expected);
}

#[test]
fn parts_that_agree() {
    let rows: &[(&str, Symptoms, &[Expected])] = &[
        ("nothing at all", symptoms(&[], &[], &[], &[]), &[]),
        ("shape alone", symptoms(&["disk full"], &[], &[("mysql", 1), ("service", 2)], &[]), &[]),
        ("another direction", symptoms(&[], &[("mysql", "connections", false)], &[("mysql", 1)], &[]), &[]),
        ("Chinese, another database", symptoms(&["支付数据库连接数耗尽"], &[], &[], &[]), &[("HIS-2", 0.6, 0.99)]),
        ("half of the metrics", symptoms(&[], &[("redis", "memory", true), ("redis", "cpu", true)], &[], &[]), &[("HIS-3", 0.5, 0.5)]),
        (
            "the same components",
            symptoms(&["Redis memory is high"], &[], &[("cache", 2)], &["session-cache", "cart"]),
            &[("HIS-3", 1.0, 1.0)],
        ),
        ("one text of two", symptoms(&["too many connections"], &[], &[], &[]), &[("HIS-1", 0.2, 0.8)]),
        ("words scattered over texts", symptoms(&["too late", "many users", "memory leak", "high noon"], &[], &[], &[]), &[]),
    ];
    for (name, now, expected) in rows {
        check(name, CASES, now, expected);
    }
}

#[test]
fn age_halves_at_most() {
    let told = [
        ("HIS-5", "2015-01-01", ORDER, ""),
        ("HIS-4", "2023-06-02", ORDER, ""),
        ("HIS-3", "2024-06-01", ORDER, ""),
        ("HIS-2", "2026-01-01", ORDER, ""),
        ("HIS-1", "", ORDER, ""),
    ];
    let expected = [("HIS-1", 1.0, 1.0), ("HIS-2", 1.0, 1.0), ("HIS-3", 0.707, 0.708), ("HIS-4", 0.5, 0.5), ("HIS-5", RESEMBLES, 0.5)];
    check("age", &told, &symptoms(&["订单数据库连接数耗尽"], &[], &[], &[]), &expected);
}

#[test]
fn components_have_types() {
    let cases = [("HIS-3", "", REDIS, "session-cache, cart")].iter().map(case).collect();
    let base = CaseBase::with_kinds(cases, |id| (id == "session-cache" || id == "cart").then(|| "cache".to_owned()));
    let now = symptoms(&["RedisMemoryHigh"], &[], &[("cache", 7)], &[]);
    let found = base.similar(&now, Time::parse(AT).unwrap());
    assert!(found.iter().map(|s| s.similarity).eq([1.0]), "{found:?}");
}
