//! Tests as data: series in a line, what deviates in a line; an estate, and who is suspected.

use std::collections::BTreeMap;

use diag::Sources;
use estate::{ComponentId, Snapshot, build};
use signal::{Facts, Origin, Series, is_counter};
use value::{MINUTE, Time};

use super::metric_group::family;
use super::{RankInput, Symptom, deviations, rank, silences};

const TOPOLOGY: &str = "components:
  - {id: db, type: database}
  - {id: lonely, type: service}
  - {id: node, type: node}
  - {id: pay, type: service}
  - {id: pay-pod, type: pod}
  - {id: shop, type: service}
  - {id: shop-pod-1, type: pod}
  - {id: shop-pod-2, type: pod}
  - {id: web, type: frontend}
relations:
  - {from: pay, kind: depends_on, to: db}
  - {from: pay, kind: runs_on, to: pay-pod}
  - {from: pay-pod, kind: runs_on, to: node}
  - {from: shop, kind: calls, to: pay}
  - {from: shop, kind: runs_on, to: shop-pod-1}
  - {from: shop, kind: runs_on, to: shop-pod-2}
  - {from: web, kind: calls, to: shop}
";

fn estate() -> Snapshot {
    let mut sources = Sources::default();
    let topology = sources.add("topology.yaml", TOPOLOGY);
    let (estate, diagnostics) = build(&sources, &[], &[topology]);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    estate
}

fn minute(n: usize) -> Time {
    Time(i64::try_from(n).unwrap() * MINUTE)
}

/// `db latency 10 11 nan 12`: one sample a minute; `-` is a gap. A metric with `!` is the model's.
fn series(estate: &Snapshot, line: &str) -> Series {
    let mut words = line.split_whitespace();
    let component = estate.find(words.next().unwrap());
    let metric = words.next().unwrap();
    let points = words.enumerate().filter(|(_, word)| *word != "-").map(|(at, word)| (minute(at), word.parse().unwrap())).collect();
    Series {
        origin: Origin { file: "metrics.json".to_owned(), index: 0 },
        component,
        instance: None,
        metric: metric.trim_end_matches('!').to_owned(),
        modelled: metric.ends_with('!'),
        labels: BTreeMap::new(),
        points,
    }
}

fn facts(estate: &Snapshot, lines: &[&str], baseline: &[&str]) -> Facts {
    let all = |lines: &[&str]| lines.iter().map(|line| series(estate, line)).collect::<Vec<Series>>();
    let mut facts = Facts { series: all(lines), baseline: all(baseline), ..Facts::default() };
    facts.index();
    facts
}

const UNKNOWN: usize = usize::MAX;

/// What deviates in one series, as text.
fn strays(baseline: &str, line: &str, since: usize) -> String {
    let estate = estate();
    let baseline = if baseline.is_empty() { vec![] } else { vec![baseline] };
    let facts = facts(&estate, &[line], &baseline);
    let since = if since == UNKNOWN { Time::MIN } else { minute(since) };
    let found = deviations(&estate, &facts, Time::MAX, since);
    let told = found.iter().map(|d| {
        let way = if d.high { "high" } else { "low" };
        let rate = if d.rate { " rate" } else { "" };
        format!("{way} {:.1} from {} x{} of {}{rate}", d.score, d.onset.0 / MINUTE, d.samples, d.reference)
    });
    told.collect::<Vec<String>>().join("; ")
}

#[test]
fn series_deviates() {
    let cases = [
        ("nothing", "", "db m 10 11 10 9 10 11 10 9", 4, ""),
        ("a step", "", "db m 10 11 10 9 30 31 30 29", 4, "high 13.5 from 4 x4 of 4"),
        ("it began before the alert", "", "db m 10 11 10 9 10 11 10 9 30 31 30", 9, "high 5.3 from 8 x3 of 9"),
        ("one bad scrape is little", "", "db m 10 11 10 9 10 90 10 10", 4, "high 7.0 from 5 x1 of 4"),
        ("too few for a reference", "", "db m 10 10 90 90", 2, ""),
        ("first half where nobody knows when", "", "db m 10 10 10 30 30 30", UNKNOWN, "high 18.6 from 3 x3 of 3"),
        ("no number is no sample", "", "db m 10 nan 10 - 10 30 30 30", 5, "high 18.6 from 5 x3 of 3"),
        ("a long hole ends a run", "", "db m 10 10 10 10 30 - - - - - 31 31 31", 4, "high 21.0 from 10 x3 of 4"),
        ("unless what it interrupts is as long", "", "db m 10 10 10 10 30 31 30 31 30 31 - - - - 31 31 31", 4, "high 21.0 from 4 x9 of 4"),
        ("a constant that hardly moves", "", "db m 50 50 50 50 51 51 51 51", 4, ""),
        ("a share of a whole", "", "db m 100 100 100 100 97 96 97 97", 4, "low 7.5 from 4 x4 of 4"),
        ("one, but no share", "", "db m 1 1 1 1 2 2 2 2", 4, "high 10.0 from 4 x4 of 4"),
        ("from nothing", "", "db m 0 0 0 0 7 7 7 7", 4, "high 6.0 from 4 x4 of 4"),
        ("nothing at all", "", "db m 0 0 0 0 0 0 0 0", 4, ""),
        ("a counter that goes on", "", "db m 0 60 120 180 240 300 360 420 480 540", 5, ""),
        ("a counter that races", "", "db m 0 60 120 180 240 300 900 1500 2100 2700", 6, "high 50.0 from 6 x4 of 5 rate"),
        ("a disk that fills and is full is no counter", "", "db used_ratio 0.5 0.6 0.7 0.8 0.9 0.98 0.98 0.98 0.98 0.98", 6, ""),
        ("the model says which way is bad", "", "db cpu_usage! 80 80 80 80 20 20 20 20", 4, ""),
        ("and that is enough", "", "db cpu_usage! 20 20 20 20 80 80 80 80", 4, "high 30.0 from 4 x4 of 4"),
        ("a baseline is better", "db m 10 11 10 9 10 10 10 10 11", "db m 30 31 30", UNKNOWN, "high 24.0 from 0 x3 of 9"),
        ("half of what stood before", "db m 10 11 10 9 10 10 10 10 11", "db m 30 30 30 30", 2, "high 12.0 from 0 x4 of 9"),
    ];
    for (name, baseline, line, since, expected) in cases {
        assert_eq!(strays(baseline, line, since), expected, "{name}");
    }
}

/// Four days by the half hour, 10 at night and 100 by day; then two hours of one night.
#[test]
fn a_daily_rhythm_is_known_by_its_hours() {
    let estate = estate();
    let day = |half_hour: usize| if (16..40).contains(&(half_hour % 48)) { 100.0 } else { 10.0 };
    let noise = |at: usize| [0.0, 0.4, -0.3, 0.2, -0.4][at % 5];
    let at = |half_hour: usize| minute(30 * half_hour);
    let series = |points: Vec<(Time, f64)>| {
        let plain = series(&estate, "db m");
        Series { points: points.into(), ..plain }
    };
    let baseline: Vec<(Time, f64)> = (0..4 * 48).map(|n| (at(n), day(n) + noise(n))).collect();
    let judged = |value: f64| (4 * 48 + 4..4 * 48 + 8).map(|n| (at(n), value + noise(n))).collect::<Vec<_>>();
    for (value, expected) in [(10.0, 0), (30.0, 1)] {
        let mut facts = Facts { series: vec![series(judged(value))], baseline: vec![series(baseline.clone())], ..Facts::default() };
        facts.index();
        let found = deviations(&estate, &facts, Time::MAX, Time::MIN);
        assert_eq!(found.len(), expected, "{value} at night: {found:?}");
        assert!(found.iter().all(|one| one.against == super::Reference::SameHours));
    }
}

/// A series without a past is compared with the same metric of others; a short one borrows their scatter.
#[test]
fn peers_stand_in_for_the_past() {
    let estate = estate();
    let ids = ["db", "node", "pay", "shop", "web", "lonely"];
    let told = |lines: &[String]| {
        let facts = facts(&estate, &lines.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
        let found = deviations(&estate, &facts, Time::MAX, minute(2));
        let told = found.iter().map(|d| format!("{} {:?} x{}", estate.component(d.component.unwrap()).id, d.against, d.samples));
        told.collect::<Vec<String>>().join("; ")
    };
    // Recorded from minute 2 on only, when it had begun.
    let late = |value: &str| ids.map(|id| format!("{id} m - - {} {0}", if id == "db" { value } else { "10" }));
    assert_eq!(told(&late("900")), "db Peers x2");
    assert_eq!(told(&late("11")), "");
    // Two samples before: their scatter is that of the others.
    let short =
        |value: &str| ids.map(|id| if id == "db" { format!("db m 10 11 {value} {value}") } else { format!("{id} m 10 11 10 11 9 10") });
    let since_two = |lines: &[String]| told(lines);
    assert_eq!(since_two(&short("90")), "db Before x2");
    assert_eq!(since_two(&short("11")), "");
}

#[test]
fn nothing_is_seen_after_the_instant() {
    let estate = estate();
    let facts = facts(&estate, &["db m 10 11 10 9 30 31 30 29"], &[]);
    assert_eq!(deviations(&estate, &facts, minute(3), minute(2)), vec![]);
}

#[test]
fn extreme_numbers_are_survived() {
    for line in
        ["db m 1e308 -1e308 1e308 -1e308 1e308 0 0 0", "db m 1e-320 1e-320 1e-320 1e-320 1 1 1 1", "db m", "db m nan nan nan nan nan"]
    {
        assert!(!strays("", line, 4).contains("NaN"), "{line}");
    }
}

#[test]
fn families() {
    let cases = [
        ("latency_p99", "latency"),
        ("latency_avg", "latency"),
        ("memory_usage_bytes", "memory_usage"),
        ("memory.usage.percent", "memory_usage"),
        ("http_requests_total", "http_requests"),
        ("p99", "p99"),
        ("响应时间", "响应时间"),
    ];
    for (metric, expected) in cases {
        assert_eq!(family(metric), expected);
    }
}

#[test]
fn counters_climb() {
    let counter = |values: &[f64]| is_counter("m", &values.iter().enumerate().map(|(at, v)| (minute(at), *v)).collect::<Vec<_>>(), &[]);
    assert!(counter(&[1.0, 2.0, 3.0, 5.0, 8.0, 0.0, 2.0, 4.0]));
    assert!(!counter(&[1.0, 2.0, 3.0]));
    assert!(!counter(&[1.0, 2.0, 3.0, 4.0, 3.9, 5.0, 6.0, 7.0]));
    assert!(!counter(&[1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0]));
}

fn ask<'a>(estate: &'a Snapshot, facts: &'a Facts, deviations: &'a [super::Deviation], symptoms: &'a [Symptom]) -> RankInput<'a> {
    RankInput { estate, facts, at: minute(8), deviations, witnesses: &[], symptoms, named: &[] }
}

/// Symptoms as `web@5` (component, minute). The suspects in order, those with less than a fifth of the best one's score left out.
fn suspected(lines: &[&str], symptoms: &[&str]) -> String {
    let estate = estate();
    let facts = facts(&estate, lines, &[]);
    let symptom = |text: &&str| {
        let (component, at) = text.split_once('@').unwrap();
        Symptom {
            component: estate.find(component).unwrap(),
            onset: minute(at.parse().unwrap()),
            end: None,
            starved: false,
            kind: None,
            measured: None,
        }
    };
    let symptoms: Vec<Symptom> = symptoms.iter().map(symptom).collect();
    let since = symptoms.iter().map(|symptom| symptom.onset).min().unwrap_or(minute(5));
    let found = deviations(&estate, &facts, Time::MAX, since);
    let ranked = rank(&ask(&estate, &facts, &found, &symptoms));
    let id = |component: ComponentId| estate.component(component).id.clone();
    assert!(ranked.iter().map(|r| r.confidence).sum::<f64>() < 1.0);
    assert!(ranked.iter().all(|r| r.confidence > 0.0 && !r.reasons.because.is_empty() && r.explains.contains(&r.component)));
    assert!(ranked.is_sorted_by(|a, b| a.score >= b.score && a.confidence >= b.confidence));
    let best = ranked.first().map_or(0.0, |best| best.score);
    let told = ranked.iter().filter(|r| r.score > best / 5.0).map(|r| {
        let explains: Vec<String> = r.explains.iter().map(|component| id(*component)).collect();
        format!("{}({})", id(r.component), explains.join(" "))
    });
    told.collect::<Vec<String>>().join(" > ")
}

const CALM: &str = "10 11 10 9 10 11 10 9 10";
const STEP: &str = "10 11 10 9 10 30 30 30 30";
const LEAP: &str = "10 11 10 9 10 80 80 80 80";
const LATE: &str = "10 11 10 9 10 11 10 80 80";
const FALL: &str = "10 11 10 9 10 4 4 4 4";

fn of(subject: &str, values: &str) -> String {
    format!("{subject} {values}")
}

/// Name, series with their values, symptoms, suspects.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str], &'a str);

#[test]
fn suspects() {
    let cases: &[Case] = &[
        ("nothing is wrong", &[("db m", CALM), ("web m", CALM)], &[], ""),
        ("nobody confirms it", &[("db m", LEAP), ("lonely m", LEAP)], &[], ""),
        ("one thing said twice is one", &[("db m_p99", LEAP), ("db m_avg", LEAP)], &[], ""),
        ("another metric confirms it", &[("db m", LEAP), ("db k", LEAP)], &[], "db(db)"),
        ("another component confirms it", &[("db m", LEAP), ("pay m", STEP)], &[], "db(db pay)"),
        (
            "the one below that strays most",
            &[("db m", LEAP), ("pay m", STEP), ("web m", STEP)],
            &["web@5"],
            "db(db pay web) > pay(pay web)",
        ),
        ("a calm one below is not it", &[("db m", CALM), ("pay m", LEAP)], &["web@5"], "pay(pay web)"),
        ("what begins later is not the cause", &[("db m", LATE), ("pay m", LEAP)], &["web@5"], "pay(pay web) > db(db web)"),
        ("less work is an effect", &[("db m", FALL), ("pay m", LEAP)], &["web@5"], "pay(db pay web)"),
        ("a pod is its service", &[("pay-pod m", LEAP), ("pay k", STEP)], &["web@5"], "pay(pay pay-pod web)"),
        ("one replica of two is itself", &[("shop-pod-1 m", LEAP), ("shop k", CALM)], &["web@5"], "shop-pod-1(shop-pod-1 web)"),
        (
            "all replicas are the service",
            &[("shop-pod-1 m", LEAP), ("shop-pod-2 m", LEAP)],
            &["web@5"],
            "shop(shop shop-pod-1 shop-pod-2 web)",
        ),
        ("what is not connected is not asked", &[("lonely m", LEAP), ("web m", CALM)], &["web@5"], "web(web)"),
    ];
    for (name, series, symptoms, expected) in cases {
        // All others are measured and calm, so that only what is said above differs.
        let others = ["db", "node", "pay", "shop", "shop-pod-1", "shop-pod-2", "web"].map(|id| of(&format!("{id} calm"), CALM));
        let lines: Vec<String> = series.iter().map(|(subject, values)| of(subject, values)).chain(others).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(suspected(&lines, symptoms), *expected, "{name}");
    }
}

#[test]
fn what_is_not_measured_is_suspected_when_it_explains_enough() {
    assert_eq!(
        suspected(&[], &["web@5"]),
        "web(web) > shop(shop web) > pay(pay web) > shop-pod-1(shop-pod-1 web) > shop-pod-2(shop-pod-2 web) > db(db web) > node(node web)"
    );
    let shop = suspected(&[], &["web@5", "shop@5", "pay@5", "lonely@5"]);
    assert!(shop.starts_with("pay(pay shop web)"), "{shop}");
}

/// `db 12`: twelve samples, one a minute. Who fell silent by minute 19, and how much of that counts.
#[test]
fn silence_is_heard() {
    let estate = estate();
    let cases = [
        ("it stops, the same goes on elsewhere", "db 12, pay 20, web 20", "db 1.00"),
        ("two samples are missing", "db 17, pay 19, web 20", ""),
        ("all stop: it is the measuring", "db 12, pay 12, web 12", ""),
        ("one other proves nothing", "db 12, pay 20", ""),
        ("many stop", "db 12, lonely 12, pay 12, node 20, web 20", "db 0.50, lonely 0.50, pay 0.50"),
        ("too short a record", "db 6, pay 20, web 20", ""),
        ("a pod is replaced", "shop-pod-1 12, shop-pod-2 20, pay 20, web 20", ""),
        ("all pods", "shop-pod-1 12, shop-pod-2 11, pay 20, web 20", "shop 1.00"),
    ];
    for (name, lines, expected) in cases {
        let line = |of: &str| {
            let (id, samples) = of.split_once(' ').unwrap();
            format!("{id} m{}", " 10".repeat(samples.parse().unwrap()))
        };
        let lines: Vec<String> = lines.split(", ").map(line).collect();
        let facts = facts(&estate, &lines.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
        let found = silences(&estate, &facts, Time::MIN, minute(19));
        let told = found.iter().map(|one| format!("{} {:.2}", estate.component(one.component).id, one.weight));
        assert_eq!(told.collect::<Vec<String>>().join(", "), expected, "{name}");
    }
}

/// One of several series of a metric is not told as the whole.
#[test]
fn a_series_is_told_from_the_others_of_its_metric() {
    let estate = estate();
    let labelled = |values: &str, code: &str, pod: &str| {
        let labels = [("code", code), ("instance", if pod == "a" { "10.0.0.1" } else { "10.0.0.2" }), ("pod", pod)];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Series { labels: BTreeMap::from(labels), ..series(&estate, &of("db m", values)) }
    };
    let all = vec![labelled(CALM, "200", "a"), labelled(CALM, "200", "b"), labelled(CALM, "503", "a"), labelled(LEAP, "503", "b")];
    let mut facts = Facts { series: all, ..Facts::default() };
    facts.index();
    let found = deviations(&estate, &facts, Time::MAX, minute(5));
    let web = Symptom { component: estate.find("web").unwrap(), onset: minute(5), end: None, starved: false, kind: None, measured: None };
    let ranked = rank(&ask(&estate, &facts, &found, &[web]));
    let told = serde_json::to_string(&ranked[0].reasons.because[0]).unwrap();
    assert!(told.contains(r#""metric":"m","labels":{"code":"503","pod":"b"},"value":"80""#), "{told}");
}

#[test]
fn reasons_are_told() {
    let estate = estate();
    let facts = facts(&estate, &[&of("db cpu_usage!", LEAP), &of("pay m", STEP)], &[]);
    let found = deviations(&estate, &facts, Time::MAX, minute(5));
    let web = Symptom { component: estate.find("web").unwrap(), onset: minute(5), end: None, starved: false, kind: None, measured: None };
    let ranked = rank(&ask(&estate, &facts, &found, &[web]));
    let all = |r: &super::Ranked| -> Vec<super::Reason> {
        r.reasons.because.iter().chain(&r.reasons.against).chain(&r.reasons.look).cloned().collect()
    };
    let told = ranked.iter().take(2).flat_map(all).map(|reason| serde_json::to_string(&reason).unwrap());
    let expected = [
        r#"{"code":"metric","component":"db","metric":"cpu_usage","value":"80%","usual":"10%","high":true,"per_second":false,"against":"before","peers":0,"score":50.0,"#,
        r#"{"code":"reaches","components":["pay","web"],"path":[]}"#,
        r#"{"code":"check_around","component":"db","metrics":["cpu_usage"],"at":"1970-01-01T00:05:00Z"}"#,
        r#"{"code":"metric","component":"pay","metric":"m","value":"30","usual":"10","high":true,"per_second":false,"against":"before","peers":0,"score":21.0"#,
        r#"{"code":"reaches","components":["web"],"path":["pay","shop","web"]}"#,
        r#"{"code":"less_anomalous","component":"db"}"#,
        r#"{"code":"check_first","component":"db","suspect":"pay"}"#,
        r#"{"code":"check_around","component":"pay","metrics":["m"],"at":"1970-01-01T00:05:00Z"}"#,
    ];
    let told: Vec<String> = told.collect();
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}\n{expected}");
    }
}

/// Where nothing is measured, nothing could have shown; and what is over need not be looked at to know that it is healthy.
#[test]
fn what_is_known_is_not_asked_for() {
    let estate = estate();
    let symptom = |id: &str, end: Option<Time>| {
        let component = estate.find(id).unwrap();
        Symptom { component, onset: minute(5), end, starved: false, kind: None, measured: None }
    };
    let said_of_web = |lines: &[&str], symptoms: &[Symptom]| -> String {
        let facts = facts(&estate, lines, &[]);
        let ranked = rank(&ask(&estate, &facts, &[], symptoms));
        let web = ranked.iter().find(|one| estate.component(one.component).id == "web").unwrap();
        let all = web.reasons.against.iter().chain(&web.reasons.look).map(|reason| serde_json::to_string(reason).unwrap());
        all.collect::<Vec<String>>().join(" ")
    };
    let measured = said_of_web(&[&of("web m", CALM)], &[symptom("web", None)]);
    assert!(measured.contains("only_alert") && !measured.contains("check_directly"), "{measured}");
    let other = said_of_web(&[&of("db m", CALM)], &[symptom("web", None)]);
    assert!(!other.contains("only_alert") && other.contains("check_directly"), "{other}");
    let lasting = said_of_web(&[], &[symptom("web", None), symptom("pay", None)]);
    assert!(lasting.contains("symptom_of") && lasting.contains("check_first"), "{lasting}");
    let over = said_of_web(&[], &[symptom("web", None), symptom("pay", Some(minute(6)))]);
    assert!(over.contains("symptom_of") && !over.contains("check_first"), "{over}");
}
