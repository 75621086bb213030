//! What the common workload lacks: quantifiers over large sets, changes within windows, statistics of windows, baselines. Each
//! kind of condition alone, so that its cost shows.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use compile::{Inputs, compile};
use diag::{Sources, render};
use engine::Engine;
use engine::matcher::{Fact, Limits, Matcher, Prepared, Sample, SeriesKey, Setup};
use estate::{Declared, DeclaredComponent, DeclaredRelation, Snapshot, base_model, build_declared};
use language::parse_file;
use script::RhaiScripts;
use signal::{Origin, Present, Series};
use value::{DAY, HOUR, SECOND, Time};

use crate::measure::{Watch, cpu, percentile};

const HOSTS: u32 = 10_000;
const SAMPLES: u32 = 200_000;
const RULES: u32 = 100;
/// The first sample; a round day, so that a baseline has the day before.
const START: Time = Time(1_736_121_600_000);

/// Services on so many hosts each, all hosts used.
fn estate(hosts_of_each: u32) -> Snapshot {
    let component = |id: String, kind: &str| DeclaredComponent { id, kind: kind.to_owned(), ..DeclaredComponent::default() };
    let mut components: Vec<DeclaredComponent> = (0..HOSTS).map(|at| component(format!("host-{at:05}"), "host")).collect();
    let mut relations = Vec::new();
    for service in 0..HOSTS / hosts_of_each {
        components.push(component(format!("service-{service:04}"), "service"));
        let hosts = service * hosts_of_each..(service + 1) * hosts_of_each;
        let relation = |host| DeclaredRelation {
            from: format!("service-{service:04}"),
            kind: "depends_on".to_owned(),
            to: format!("host-{host:05}"),
            ..DeclaredRelation::default()
        };
        relations.extend(hosts.map(relation));
    }
    build_declared(base_model(), Declared { components, relations, ..Declared::default() }).0
}

/// A stream that a person could have seen: most hosts calm, one in ten busy, in the order of time.
fn samples(estate: &Snapshot) -> Vec<Fact> {
    let key = Arc::new(SeriesKey { labels: BTreeMap::new(), origin: Origin { file: "metrics.json".to_owned(), index: 0 }, instance: None });
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 11) as f64 / (1u64 << 53) as f64
    };
    let hosts: Vec<_> = (0..HOSTS).map(|at| estate.find(&format!("host-{at:05}"))).collect();
    let of = |at: u32| {
        let host = at % HOSTS;
        let usual = if host.is_multiple_of(10) { 80.0 } else { 30.0 };
        Fact::Sample(Sample {
            component: hosts[host as usize],
            metric: "cpu_usage".to_owned(),
            series: Arc::clone(&key),
            time: START.plus(i64::from(at) * 60 * SECOND / i64::from(HOSTS)),
            value: (usual + random() * 40.0 - 20.0).min(100.0),
        })
    };
    (0..SAMPLES).map(of).collect()
}

fn baseline(estate: &Snapshot) -> Vec<Series> {
    let points = |host: u32| (0..288).map(|at| (START.minus(DAY).plus(at * 300 * SECOND), f64::from(30 + host % 10))).collect();
    let one = |host: u32| Series {
        origin: Origin { file: "baseline.json".to_owned(), index: host as usize },
        component: estate.find(&format!("host-{host:05}")),
        instance: None,
        metric: "cpu_usage".to_owned(),
        modelled: true,
        labels: BTreeMap::new(),
        points: points(host),
    };
    (0..HOSTS).map(one).collect()
}

/// Name, variable, elements of a set, and the condition of each rule.
type Kind = (&'static str, &'static str, u32, fn(u32) -> String);

/// Those of one name, or all.
pub fn run(only: Option<&str>) {
    let given = "given s: service\n  if";
    let kinds: [Kind; 9] = [
        ("bound", "given h: host\n  if", 100, |n| format!("h.cpu_usage > {}%", 60 + n % 40)),
        ("any", given, 100, |n| format!("any direct dependency of s has cpu_usage > {}%", 95 + n % 5)),
        ("at least N", given, 100, |n| format!("at least {} direct dependencies of s have cpu_usage > 60%", 5 + n % 50)),
        ("share", given, 10, |n| format!("at least {}% of direct dependencies of s have cpu_usage > 60%", 10 + n % 40)),
        ("share", given, 100, |n| format!("at least {}% of direct dependencies of s have cpu_usage > 60%", 10 + n % 40)),
        ("share", given, 1_000, |n| format!("at least {}% of direct dependencies of s have cpu_usage > 60%", 10 + n % 40)),
        ("rises", "given h: host\n  if", 100, |n| format!("h.cpu_usage rises by {}% within 10m", 20 + n % 80)),
        ("mean", "given h: host\n  if", 100, |n| format!("mean of h.cpu_usage within 10m > {}%", 60 + n % 40)),
        ("baseline", "given h: host\n  if", 100, |n| format!("h.cpu_usage above baseline p95 by {}%", 20 + n % 80)),
    ];
    println!("{RULES} rules of one kind, {HOSTS} hosts, {SAMPLES} samples; the plain engine answers for one instant");
    println!(
        "{:12} {:>8} {:>12} {:>10} {:>10} {:>10} {:>12} {:>10}",
        "kind", "set", "samples/s", "median µs", "99.9% µs", "emitted", "plain ms", "findings"
    );
    for (name, given, set, condition) in kinds.into_iter().filter(|kind| only.is_none_or(|only| only == kind.0)) {
        let estate = Arc::new(estate(set));
        let mut text = String::new();
        for rule in 0..RULES {
            let at = if given.contains("s: service") { "s" } else { "h" };
            let condition = condition(rule);
            let _ = writeln!(text, "TOP-{rule:03} \"Rule {rule}\" {{\n  {given} {condition}\n  then impact {at}\n}}");
        }
        let mut sources = Sources::default();
        let file = sources.add("kinds.rules", text);
        let (file, mut said) = parse_file(&sources, file);
        let (plan, found) = compile(Inputs { sources: &sources, estate: &estate, files: &[file], scripts: &BTreeMap::new(), cases: None });
        said.extend(found);
        said.retain(diag::Diagnostic::is_error);
        assert!(said.is_empty(), "{}", render(&sources, &said[..said.len().min(3)], false, false));
        let setup = Setup {
            plan: Arc::new(plan),
            estate: Arc::clone(&estate),
            scripts: Arc::new(RhaiScripts::default()),
            present: Present { alerts: true, metrics: true, logs: true, events: true },
            now: START,
            lookback: HOUR,
            limits: Limits::default(),
            baseline: if name == "baseline" { baseline(&estate) } else { Vec::new() },
        };
        let mut rates = Vec::new();
        let mut times = Vec::new();
        let mut emitted = 0;
        let mut by_plain = String::new();
        for turn in 0..3 {
            let mut matcher = Matcher::new(setup.clone());
            let facts: Vec<Prepared> = samples(&estate).into_iter().map(|fact| matcher.prepare(fact)).collect();
            let mut out = Vec::new();
            emitted = 0;
            let started = cpu();
            for fact in &facts {
                let watch = (turn == 0).then(Watch::start);
                out.clear();
                matcher.advance(fact.time(), &mut out);
                matcher.push(fact, &mut out);
                emitted += out.len();
                times.extend(watch.map(|watch| watch.microseconds()));
            }
            // The first turn also reads the clock for each.
            if turn > 0 {
                rates.push(f64::from(SAMPLES) / (cpu() - started) * 1e9);
            } else {
                let facts = matcher.all_facts();
                let watch = Watch::start();
                let engine = Engine::new(&setup.plan, &estate, &facts, setup.scripts.as_ref(), matcher.now(), 1);
                let findings = engine.findings().len();
                by_plain = format!("{:>12.0} {findings:>10}", watch.microseconds() / 1e3);
            }
        }
        println!(
            "{name:12} {set:>8} {:>12.0} {:>10.2} {:>10.2} {emitted:>10} {by_plain}",
            percentile(&mut rates, 0.5),
            percentile(&mut times, 0.5),
            percentile(&mut times, 0.999),
        );
    }
}
