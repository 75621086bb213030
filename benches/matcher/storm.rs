//! Ten thousand alerts because of one database, up to six hops away: how long until it is named.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use compile::plan::Plan;
use compile::{Inputs, compile};
use diag::{Sources, render};
use engine::Engine;
use engine::matcher::{Fact, Limits, Matcher, Setup};
use estate::{Declared, DeclaredComponent, DeclaredRelation, Snapshot, Written, base_model, build_declared};
use knowledge::CaseBase;
use language::parse_file;
use localize::{Question, diagnose};
use script::RhaiScripts;
use signal::{Alert, Counts, Facts, Origin, Present, Series};
use value::{HOUR, SECOND, Time};

use crate::measure::{Watch, percentile};

const SERVICES: u32 = 10_000;
const DEPTH: u32 = 6;
const RULES: usize = 10_000;

fn component(id: String, kind: &str) -> DeclaredComponent {
    let attributes =
        if kind == "database" { BTreeMap::from([("max_connections".to_owned(), Written::Number(500.0))]) } else { BTreeMap::new() };
    DeclaredComponent { id, kind: kind.to_owned(), attributes, ..DeclaredComponent::default() }
}

fn depends(components: &[DeclaredComponent], from: u32, to: u32) -> DeclaredRelation {
    let id = |at: u32| components[at as usize].id.clone();
    DeclaredRelation { from: id(from), kind: "depends_on".to_owned(), to: id(to), ..DeclaredRelation::default() }
}

/// A tree of services, each hop some five times as wide as the one before; other databases and their services stand beside it.
fn estate() -> Snapshot {
    let mut components = vec![component("db".to_owned(), "database")];
    let mut relations = Vec::new();
    let mut layer = vec![0u32];
    let widths = [4u32, 20, 100, 500, 2_500, 6_876];
    for width in widths.iter().take(DEPTH as usize) {
        let mut next = Vec::new();
        for at in 0..*width {
            let number = u32::try_from(components.len()).unwrap();
            components.push(component(format!("service-{number:05}"), "service"));
            relations.push(depends(&components, number, layer[at as usize % layer.len()]));
            next.push(number);
        }
        layer = next;
    }
    assert_eq!(components.len(), SERVICES as usize + 1);
    for other in 0..500 {
        let number = u32::try_from(components.len()).unwrap();
        components.push(component(format!("other-db-{other:03}"), "database"));
        components.push(component(format!("other-service-{other:03}"), "service"));
        relations.push(depends(&components, number + 1, number));
    }
    build_declared(base_model(), Declared { components, relations, ..Declared::default() }).0
}

fn plan(estate: &Snapshot) -> Plan {
    let mut text = String::from(
        "TOP-00000 \"Database at its limit\" {\n given db: database\n if db.connections > 80% of db.max_connections or db.cpu_usage > 90%\n then impact dependents of db where type = service\n}\n",
    );
    for rule in 1..RULES {
        let _ = writeln!(
            text,
            "TOP-{rule:05} \"Rule {rule}\" {{\n given s: service, db: database, s depends_on db\n if log \"error {rule}\" on s and db.cpu_usage > {}%\n then impact dependents of s\n}}",
            50 + rule % 50
        );
    }
    let mut sources = Sources::default();
    let file = sources.add("storm.rules", text);
    let (file, mut said) = parse_file(&sources, file);
    let (plan, found) = compile(Inputs { sources: &sources, estate, files: &[file], scripts: &BTreeMap::new(), cases: None });
    said.extend(found);
    assert!(said.is_empty(), "{}", render(&sources, &said[..said.len().min(3)], false, false));
    plan
}

fn facts(estate: &Snapshot) -> Facts {
    let start = Time(1_736_121_600_000);
    let origin = |file: &str, index: usize| Origin { file: file.to_owned(), index };
    let alerts = (1..=SERVICES as usize).map(|at| {
        let id = format!("service-{at:05}");
        Alert {
            origin: origin("alerts.json", at),
            component: estate.find(&id),
            instance: None,
            name: "HighLatency".to_owned(),
            text: format!("HighLatency\nlatency of {id} is high"),
            summary: format!("latency of {id} is high"),
            severity: Some("warning".to_owned()),
            labels: BTreeMap::from([("alertname".to_owned(), "HighLatency".to_owned()), ("service".to_owned(), id)]),
            start: start.plus(60 * SECOND + i64::try_from(at).unwrap() * 10),
            end: Time::MAX,
            duplicates: 0,
            flaps: 0,
            trouble: signal::Trouble::default(),
            muted: None,
            measured: None,
        }
    });
    let mut facts = Facts {
        alerts: alerts.collect(),
        series: vec![Series {
            origin: origin("metrics.json", 0),
            component: estate.find("db"),
            instance: None,
            metric: "connections".to_owned(),
            modelled: true,
            labels: BTreeMap::new(),
            points: (0..20).map(|at| (start.plus(at * 15 * SECOND), if at < 3 { 90.0 } else { 495.0 })).collect(),
        }],
        present: Present { alerts: true, metrics: true, logs: true, events: true },
        ..Facts::default()
    };
    facts.index();
    facts
}

pub fn run() {
    let estate = Arc::new(estate());
    let plan = Arc::new(plan(&estate));
    let facts = facts(&estate);
    let at = Time(1_736_121_600_000 + 300_000);
    let scripts = Arc::new(RhaiScripts::default());
    let setup = |now| Setup {
        plan: Arc::clone(&plan),
        estate: Arc::clone(&estate),
        scripts: Arc::clone(&scripts) as Arc<dyn compile::Scripts>,
        present: facts.present,
        now,
        lookback: HOUR,
        limits: Limits::default(),
        baseline: Vec::new(),
    };
    let mut matcher = Matcher::new(setup(Time(1_736_121_600_000)));
    let all = Fact::all_of(&facts);
    let count = all.len();
    let mut out = Vec::new();
    let watch = Watch::start();
    for fact in all {
        matcher.feed(fact, &mut out);
    }
    matcher.advance(at, &mut out);
    let fed = watch.microseconds() / 1e3;
    let cases = CaseBase::new(Vec::new());
    let counts = Counts::default();
    let feedback = knowledge::Feedback::default();
    let mut times: Vec<f64> = Vec::new();
    let mut said = String::new();
    for _ in 0..5 {
        let watch = Watch::start();
        let candidates = matcher.candidates();
        let near = matcher.touched();
        let engine = Engine::new(&plan, &estate, &facts, scripts.as_ref(), at, HOUR).only(candidates).near(near);
        let diagnosis = diagnose(&Question { engine: &engine, cases: &cases, feedback: &feedback, knowledge: None, counts: &counts });
        times.push(watch.microseconds() / 1e3);
        let incident = diagnosis.incidents.first().unwrap();
        let suspect = incident.suspects.first().unwrap();
        said = format!(
            "{} incident(s); {:?} explains {} of {} symptoms, impact {}",
            diagnosis.incidents.len(),
            suspect.component,
            incident.explained,
            incident.symptoms,
            incident.impact.len()
        );
    }
    println!(
        "{count} facts fed in {fed:.1} ms ({} emitted), diagnosed in {:.1} ms (median of 5) by {} rules over {} components",
        out.len(),
        percentile(&mut times, 0.5),
        plan.rules.len(),
        estate.len()
    );
    println!("{said}");
}
