//! Walking what is known: 10,000 cases over 100,000 components, IndraDB against plain adjacency in the same run.
//!
//!     cargo bench --bench knowledge [-- CASES COMPONENTS]
//!
//! Prints the time to draw the graph, that of the lookups of a walk by both, and their ratio; what both find must be equal. The last line
//! is the whole question as `faultscope knowledge` asks it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a program for the desk"
)]

#[path = "../matcher/measure.rs"]
#[allow(dead_code, reason = "another bench uses the rest")]
mod measure;

use std::collections::BTreeMap;

use compile::plan::Plan;
use estate::{ComponentId, Declared, DeclaredComponent, DeclaredRelation, Snapshot, base_model, build_declared};
use knowledge::{Asked, Case, KnowledgeGraph, Known, Root, Walk};
use measure::{cpu, percentile};
use store::{Node, NodeKind, Tie, Web};
use value::{DAY, Time};

const QUESTIONS: usize = 500;
const HOPS: u32 = 2;
const REPETITIONS: usize = 5;

fn main() {
    let args: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let (cases, components) = (args.first().copied().unwrap_or(10_000), args.get(1).copied().unwrap_or(100_000));
    let estate = estate_of(components);
    let cases: Vec<Case> = (0..cases).map(|at| case(at, estate.len())).collect();
    println!("{} components, {} cases, {QUESTIONS} questions, {HOPS} hops", estate.len(), cases.len());

    let started = cpu();
    let graph = KnowledgeGraph::new(Known { cases: &cases, entries: &[], plan: &Plan::default(), estate: &estate }).unwrap();
    println!("drawn for a project          {:>9.1} ms", (cpu() - started) / 1e6);
    let ties = |tie| move |(from, to): (&str, &str)| (Node::new(NodeKind::Case, from), tie, Node::new(NodeKind::Component, to));
    let pairs = |of: fn(&Case) -> Vec<&str>| cases.iter().flat_map(move |case| of(case).into_iter().map(move |to| (case.id.as_str(), to)));
    let drawn = || pairs(broke).map(ties(Tie::Broke)).chain(pairs(touched).map(ties(Tie::Touched))).collect::<Vec<_>>();
    let input = drawn();
    let started = cpu();
    let web = Web::new(input, Vec::new()).unwrap();
    let by_indradb = cpu() - started;
    let started = cpu();
    let mut plain: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (case, component) in pairs(broke).chain(pairs(touched)) {
        plain.entry(component.to_owned()).or_default().push(case.to_owned());
    }
    let by_hand = cpu() - started;
    println!(
        "draw incidents: IndraDB      {:>9.1} ms  plain {:>9.1} ms  ratio {:.1}",
        by_indradb / 1e6,
        by_hand / 1e6,
        by_indradb / by_hand
    );

    let asked: Vec<ComponentId> = estate.ids().step_by((estate.len() / QUESTIONS).max(1)).collect();
    let neighborhoods: Vec<Vec<Node>> = asked.iter().map(|at| neighborhood(&estate, *at)).collect();
    let (mut indradb, mut adjacency) = (Vec::new(), Vec::new());
    for _ in 0..REPETITIONS {
        let started = cpu();
        let found: usize = neighborhoods
            .iter()
            .map(|nodes| web.inward(nodes, Tie::Broke).unwrap().len() + web.inward(nodes, Tie::Touched).unwrap().len())
            .sum();
        indradb.push(cpu() - started);
        let started = cpu();
        let expected: usize = neighborhoods.iter().flatten().filter_map(|node| plain.get(&node.id)).map(Vec::len).sum();
        adjacency.push(cpu() - started);
        assert_eq!(found, expected);
    }
    let (indradb, adjacency) = (percentile(&mut indradb, 0.5), percentile(&mut adjacency, 0.5));
    let each = |nanoseconds: f64| nanoseconds / 1e3 / asked.len() as f64;
    println!(
        "look up a walk: IndraDB      {:>9.1} µs  plain {:>9.1} µs  ratio {:.1}  ({:.0} components a question)",
        each(indradb),
        each(adjacency),
        indradb / adjacency,
        neighborhoods.iter().map(Vec::len).sum::<usize>() as f64 / asked.len() as f64
    );

    let walk = Walk { hops: HOPS, dependents: true, since: None, until: None };
    let mut took: Vec<f64> = Vec::new();
    let mut found = 0;
    for at in &asked {
        let question = Asked::Component { id: estate.component(*at).id.clone() };
        let started = cpu();
        let answer = graph.ask(&estate, question, &walk).unwrap();
        took.push((cpu() - started) / 1e3);
        found += answer.here.len() + answer.near.len();
    }
    println!(
        "a whole question             {:>9.1} µs median  {:>9.1} µs 99%  ({found} incidents)",
        percentile(&mut took, 0.5),
        percentile(&mut took, 0.99)
    );
}

/// Services that call each other, each on a pod, each pod on one of some hosts.
fn estate_of(components: usize) -> Snapshot {
    let (mut declared, mut relations) = (Vec::new(), Vec::new());
    let services = components * 10 / 21;
    let hosts = (components / 21).max(1);
    let mut relate = |from: String, kind: &str, to: String| {
        relations.push(DeclaredRelation { from, kind: kind.to_owned(), to, ..DeclaredRelation::default() });
    };
    for at in 0..services {
        for (id, kind) in [(format!("service-{at}"), "service"), (format!("pod-{at}"), "pod")] {
            declared.push(DeclaredComponent { id, kind: kind.to_owned(), ..DeclaredComponent::default() });
        }
        relate(format!("service-{at}"), "runs_on", format!("pod-{at}"));
        relate(format!("pod-{at}"), "runs_on", format!("host-{}", at % hosts));
        if at > 0 {
            relate(format!("service-{at}"), "depends_on", format!("service-{}", at / 3));
        }
    }
    for at in 0..hosts {
        declared.push(DeclaredComponent { id: format!("host-{at}"), kind: "host".to_owned(), ..DeclaredComponent::default() });
    }
    let (estate, complaints) = build_declared(base_model(), Declared { components: declared, relations, ..Declared::default() });
    assert!(complaints.is_empty(), "{:?}", complaints.first());
    estate
}

/// An incident of a service or a host, with what was affected; the same few hundred faults, symptoms and solutions come again and again.
fn case(at: usize, components: usize) -> Case {
    let (services, hosts) = (components * 10 / 21, (components / 21).max(1));
    // Numbers without a common divisor spread the cases over the estate.
    let service = |n: usize| format!("service-{}", n * 7919 % services);
    let root = if at.is_multiple_of(5) { format!("host-{}", at * 31 % hosts) } else { service(at) };
    let affected = [at + 1, at + 2].map(service).into_iter().filter(|id| *id != root).collect();
    Case {
        id: format!("HIS-{at:06}"),
        title: format!("incident {at}"),
        date: Some(Time(1_600_000_000_000).plus(DAY * i64::try_from(at % 2000).unwrap())),
        root: Some(Root { component: Some(root), kind: None, fault: format!("fault {}", at % 300) }),
        alerts: vec![format!("Alert{}", at % 500)],
        logs: vec![format!("line {}", at % 700)],
        metrics: Vec::new(),
        affected,
        solutions: vec![format!("solution {}", at % 400)],
        rule: None,
        notes: None,
    }
}

fn broke(case: &Case) -> Vec<&str> {
    case.root.iter().filter_map(|root| root.component.as_deref()).collect()
}

fn touched(case: &Case) -> Vec<&str> {
    case.affected.iter().map(String::as_str).collect()
}

fn neighborhood(estate: &Snapshot, at: ComponentId) -> Vec<Node> {
    let around = estate.dependencies(at, &[], Some(HOPS)).into_iter().chain(estate.dependents(at, &[], Some(HOPS)));
    let mut all: Vec<ComponentId> = around.map(|reached| reached.component).chain([at]).collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter().map(|id| Node::new(NodeKind::Component, estate.component(id).id.as_str())).collect()
}
