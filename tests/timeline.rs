//! The engine looks at a condition only where it may change. Here it is held against looking everywhere: at each second
//! of the timeline, random rules over random samples must have the value that the last breakpoint before gave them, and
//! `for` must be what its definition says.

use std::collections::BTreeMap;

use compile::plan::Plan;
use compile::{Inputs, compile};
use diag::{Sources, render};
use engine::Engine;
use estate::{Snapshot, build};
use language::parse_file;
use proptest::prelude::*;
use script::RhaiScripts;
use signal::{Alert, Change, Facts, LogLine, Origin, Present, Series};
use value::{MINUTE, SECOND, Time, Truth};

const START: i64 = 1_736_121_600_000;
/// Long enough that samples of the first minutes have gone stale.
const LENGTH: i64 = 20 * MINUTE;

const TOPOLOGY: &str = "components: [{id: db, type: database}, {id: s, type: service}, {id: t, type: service}]\nrelations: [{from: [s, t], kind: depends_on, to: db}]";

/// An atomic condition over `db`, `s` and `t`.
fn atom() -> impl Strategy<Value = String> {
    let minutes = 1..6_i64;
    prop_oneof![
        (0..100_u32).prop_map(|n| format!("db.cpu_usage > {n}%")),
        (0..100_u32, minutes.clone()).prop_map(|(n, m)| format!("peak of db.cpu_usage within {m}m > {n}%")),
        (0..100_u32, minutes.clone()).prop_map(|(n, m)| format!("mean of db.cpu_usage within {m}m < {n}%")),
        (0..100_u32).prop_map(|n| format!("lowest of db.cpu_usage over instances < {n}%")),
        (1..200_u32, minutes.clone()).prop_map(|(n, m)| format!("db.cpu_usage rises {n}% within {m}m")),
        (1..100_u32, minutes.clone()).prop_map(|(n, m)| format!("db.cpu_usage falls {n}% within {m}m")),
        Just("alert \"slow\" on s".to_owned()),
        minutes.clone().prop_map(|m| format!("alert \"slow\" on s within {m}m")),
        (1..4_u32, minutes.clone()).prop_map(|(n, m)| format!("at least {n} alerts \"slow\" on dependents of db within {m}m")),
        (1..3_u32, minutes.clone()).prop_map(|(n, m)| format!("at least {n} logs \"pool\" on t within {m}m")),
        (1..4_u32, minutes).prop_map(|(n, m)| format!("at least {n} events \"Killing\" on s within {m}m")),
        Just("every dependent of db has alert \"slow\"".to_owned()),
        Just("any dependent of db where type = service has (alert \"slow\" and not log \"pool\" within 2m)".to_owned()),
        Just("db is unavailable".to_owned()),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    atom().prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) and ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) or ({b})")),
            inner.clone().prop_map(|a| format!("not ({a})")),
            (inner, 1..5_i64).prop_map(|(a, m)| format!("({a}) for {m}m")),
        ]
    })
}

#[derive(Debug, Clone)]
struct Signals {
    samples: Vec<(i64, Option<u8>)>,
    alerts: Vec<(bool, i64, i64)>,
    logs: Vec<i64>,
    /// Whether it is kept as a change.
    events: Vec<(bool, i64)>,
}

fn signals() -> impl Strategy<Value = Signals> {
    let second = 0..LENGTH / SECOND;
    (
        prop::collection::vec((second.clone(), prop::option::weighted(0.9, 0..100_u8)), 0..30),
        prop::collection::vec((any::<bool>(), second.clone(), 0..400_i64), 0..5),
        prop::collection::vec(second.clone(), 0..5),
        prop::collection::vec((any::<bool>(), second), 0..5),
    )
        .prop_map(|(samples, alerts, logs, events)| Signals { samples, alerts, logs, events })
}

fn facts(signals: &Signals, estate: &Snapshot) -> Facts {
    let id = |name: &str| estate.find(name);
    let at = |seconds: i64| Time(START + seconds * SECOND);
    let origin = |index: usize| Origin { file: "x".to_owned(), index };
    let points: BTreeMap<Time, f64> = signals.samples.iter().map(|(s, v)| (at(*s), v.map_or(f64::NAN, f64::from))).collect();
    let said = BTreeMap::from([("source".to_owned(), "kubernetes".to_owned()), ("reason".to_owned(), "Killing".to_owned())]);
    let events = |changes: bool| {
        let of = signals.events.iter().enumerate().filter(move |(_, (change, _))| *change == changes);
        of.map(move |(index, (_, second))| (Origin { file: "events".to_owned(), index }, at(*second)))
    };
    let mut facts = Facts {
        series: vec![Series {
            origin: origin(0),
            component: id("db"),
            instance: None,
            metric: "cpu_usage".to_owned(),
            modelled: true,
            labels: BTreeMap::new(),
            points: points.into_iter().collect(),
        }],
        alerts: signals
            .alerts
            .iter()
            .enumerate()
            .map(|(index, (first, start, length))| Alert {
                origin: origin(index),
                component: id(if *first { "s" } else { "t" }),
                instance: None,
                name: "slow".to_owned(),
                text: "slow".to_owned(),
                summary: String::new(),
                severity: None,
                labels: BTreeMap::new(),
                start: at(*start),
                end: if *length > 300 { Time::MAX } else { at(start + length) },
                duplicates: 0,
                flaps: 0,
                trouble: signal::Trouble::default(),
                muted: None,
                measured: None,
            })
            .collect(),
        logs: signals
            .logs
            .iter()
            .enumerate()
            .map(|(index, s)| LogLine {
                origin: origin(index),
                component: id("t"),
                instance: None,
                time: at(*s),
                text: "pool".to_owned(),
                labels: BTreeMap::new(),
            })
            .chain(events(false).map(|(origin, time)| LogLine {
                origin,
                component: id("s"),
                instance: None,
                time,
                text: "Killing: c".to_owned(),
                labels: said.clone(),
            }))
            .collect(),
        changes: events(true)
            .map(|(origin, time)| Change {
                origin,
                component: id("s"),
                instance: None,
                time,
                text: "Killing\nc".to_owned(),
                attributes: said.clone(),
            })
            .collect(),
        present: Present { alerts: true, metrics: true, logs: true, events: true },
        ..Facts::default()
    };
    facts.index();
    facts
}

fn plan(condition: &str) -> (Snapshot, Plan) {
    let mut sources = Sources::default();
    let topology = sources.add("topology.yaml", TOPOLOGY);
    let rules = format!(
        "TOP-1 \"whole\" {{ given db: database, s: service where id = \"s\", t: service where id = \"t\", s depends_on db, t depends_on db\n if {condition}\n then impact dependents of db }}"
    );
    let rules = sources.add("a.rules", rules);
    let (estate, mut diagnostics) = build(&sources, &[], &[topology]);
    let (file, found) = parse_file(&sources, rules);
    diagnostics.extend(found);
    let (plan, found) = compile(Inputs { sources: &sources, estate: &estate, files: &[file], scripts: &BTreeMap::new(), cases: None });
    diagnostics.extend(found);
    assert!(!diagnostics.iter().any(diag::Diagnostic::is_error), "{}", render(&sources, &diagnostics, false, false));
    (estate, plan)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn looking_where_it_may_change_is_looking_everywhere(condition in condition(), signals in signals()) {
        let (estate, plan) = plan(&condition);
        let facts = facts(&signals, &estate);
        let scripts = RhaiScripts::default();
        let end = Time(START + LENGTH);
        let engine = Engine::new(&plan, &estate, &facts, &scripts, end, LENGTH);
        let Some(rule) = plan.rules.get("TOP-1") else { return Ok(()) };
        let binding: Vec<_> = engine.bindings(rule).into_iter().next().unwrap_or_default();
        let findings = engine.findings();
        // Naively: the last stretch of seconds at which it holds.
        let truth = |second: i64| engine.evidence(rule, &binding, &[], Time(START + second * SECOND)).truth;
        let seconds: Vec<Truth> = (0..=LENGTH / SECOND).map(truth).collect();
        let last = seconds.iter().rposition(|t| t.is_true());
        match (last, findings.first()) {
            (None, None) => {}
            // Between two seconds something may hold for a moment only.
            (None, Some(finding)) => prop_assert!(finding.until.is_some_and(|u| u.since(finding.since) < SECOND), "{condition}: found {:?} to {:?}, seen never", finding.since, finding.until),
            (Some(_), None) => prop_assert!(false, "{condition}: seen, not found"),
            (Some(last), Some(finding)) => {
                let first = seconds[..=last].iter().rposition(|t| !t.is_true()).map_or(0, |i| i + 1);
                let since = finding.since.since(Time(START));
                let until = finding.until.map(|u| u.since(Time(START)));
                #[allow(clippy::cast_possible_wrap)]
                let (first, last) = (first as i64 * SECOND, last as i64 * SECOND);
                let moment = until.is_some_and(|u| u - since < SECOND);
                prop_assert!(moment || (since <= first && first - since < SECOND), "{condition}: since {since}, seen from {first}");
                prop_assert!(moment || until.is_none_or(|u| u > last && u - last <= SECOND), "{condition}: until {until:?}, seen to {last}");
                prop_assert!(until.is_some() || last == LENGTH, "{condition}: still holds, seen to {last}");
            }
        }
    }
}
