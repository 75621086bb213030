//! Questions to the topology on the common workload (see docs/performance.md for how to make it):
//!
//!     cargo bench --bench estate -- GRAPH_DIR [repetitions]
//!     cargo bench --bench estate -- store COMPONENTS          (needs no workload)
//!     cargo bench --bench estate -- overlay [components]      (needs no workload)
//!
//! Prints for each kind of question the time of all of them, of the median and the 99th percentile, what the answers add up to
//! (the workload's own sums must come out), and allocations a question.
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
mod measure;
mod overlay;
mod stored;

use measure::{cpu, percentile, resident};

use estate::{ComponentId, Declared, DeclaredComponent, DeclaredRelation, State, base_model, build_declared};

const TYPES: [&str; 10] =
    ["function", "load_balancer", "service", "pod", "queue", "cache", "database", "virtual_machine", "host", "switch"];
/// The first three: what the workload calls business.
const BUSINESS: usize = 3;

fn u32s(path: &str) -> Vec<u32> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    bytes.chunks_exact(4).map(|chunk| u32::from_le_bytes(chunk.try_into().unwrap())).collect()
}

/// Asks each question, `repetitions` times over; `ask` answers with a number to add up.
fn measure<Q>(name: &str, questions: &[Q], repetitions: usize, ask: impl Fn(&Q) -> usize) {
    let (mut totals, mut medians, mut tails, mut sum) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for _ in 0..repetitions {
        sum = 0;
        let mut times: Vec<f64> = Vec::with_capacity(questions.len());
        for question in questions {
            let started = cpu();
            sum += ask(question);
            times.push((cpu() - started) / 1e3);
        }
        totals.push(times.iter().sum::<f64>() / 1e6);
        medians.push(percentile(&mut times, 0.5));
        tails.push(percentile(&mut times, 0.99));
    }
    let allocated = allocation_counter::measure(|| {
        questions.iter().take(50).for_each(|question| {
            std::hint::black_box(ask(question));
        });
    });
    println!(
        "{name:26} {:>9.4} s  mean {:>9.2} µs  median {:>9.2} µs  99% {:>10.2} µs  sum {sum:>8}  {:>8.0} bytes allocated a question",
        percentile(&mut totals, 0.5),
        percentile(&mut totals, 0.5) / questions.len() as f64 * 1e6,
        percentile(&mut medians, 0.5),
        percentile(&mut tails, 0.5),
        allocated.bytes_total as f64 / questions.len().min(50) as f64,
    );
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let [dir, rest @ ..] = args.as_slice() else {
        println!(
            "usage: cargo bench --bench estate -- GRAPH_DIR [repetitions]\n       cargo bench --bench estate -- store COMPONENTS\n       cargo bench --bench estate -- overlay [components]"
        );
        return;
    };
    if dir == "store" && !rest.is_empty() {
        return stored::run(rest);
    }
    if dir == "overlay" {
        return overlay::run(rest.first().and_then(|count| count.parse().ok()).unwrap_or(1_000_000));
    }
    let repetitions: usize = rest.first().and_then(|r| r.parse().ok()).unwrap_or(3);
    let types = std::fs::read(format!("{dir}/types.u8")).unwrap();
    let edges = u32s(&format!("{dir}/edges.u32"));
    let components: Vec<DeclaredComponent> = types
        .iter()
        .enumerate()
        .map(|(at, kind)| DeclaredComponent {
            id: format!("c{at:07}"),
            kind: TYPES[usize::from(*kind)].to_owned(),
            ..DeclaredComponent::default()
        })
        .collect();
    let id = |at: u32| format!("c{at:07}");
    let relation =
        |e: &[u32]| DeclaredRelation { from: id(e[0]), kind: "depends_on".to_owned(), to: id(e[1]), ..DeclaredRelation::default() };
    let relations: Vec<DeclaredRelation> = edges.chunks_exact(2).map(relation).collect();
    let before = resident("VmRSS");
    let started = cpu();
    let count = relations.len();
    let estate = build_declared(base_model(), Declared { components, relations, ..Declared::default() }).0;
    println!(
        "{} components, {} relations: snapshot in {:.2} s, {} MB more ({} before)",
        estate.len(),
        count,
        (cpu() - started) / 1e9,
        resident("VmRSS") - before,
        before
    );
    drop(edges);
    // The workload numbers components in the order of their ids.
    let ids: Vec<ComponentId> = estate.ids().collect();
    let starts: Vec<ComponentId> = u32s(&format!("{dir}/starts.u32")).into_iter().map(|at| ids[at as usize]).collect();
    let mut business = estate.table(false);
    for (id, kind) in ids.iter().zip(&types) {
        *business.get_mut(*id).unwrap() = usize::from(*kind) < BUSINESS;
    }
    measure("dependents", &starts, repetitions, |start| estate.dependents(*start, &[], None).len());
    measure("dependents of a type", &starts, repetitions, |start| {
        estate.dependents(*start, &[], None).iter().filter(|reached| business.get(reached.component) == Some(true)).count()
    });
    measure("dependents, depth 3", &starts, repetitions, |start| estate.dependents(*start, &[], Some(3)).len());
    measure("states", &starts, repetitions, |start| estate.states(&[(*start, State::Down)], None).len());
    measure("impact, one path each", &starts, repetitions, |start| estate.reach_of(&[(*start, State::Down)], None).items.len());
    measure("the same written out", &starts, repetitions, |start| estate.impact(&[(*start, State::Down)], None).len());
    let pairs: Vec<(ComponentId, ComponentId)> =
        u32s(&format!("{dir}/pairs.u32")).chunks_exact(2).map(|pair| (ids[pair[1] as usize], ids[pair[0] as usize])).collect();
    // The workload asks along the dependencies, a fault goes the other way: the same ways.
    measure("5 ways", &pairs, repetitions, |(from, to)| estate.ways(*from, *to, 5).iter().map(|way| way.len() - 1).sum());
    if estate.len() <= 20_000 {
        let started = cpu();
        let points = estate.single_points();
        println!("single points of the whole estate: {} in {:.2} s", points.len(), (cpu() - started) / 1e9);
    }
    println!("peak {} MB", resident("VmHWM"));
}
