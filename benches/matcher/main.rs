//! The matcher on the common workload (see docs/performance.md for how to make it):
//!
//!     cargo bench --bench matcher -- GRAPH_DIR RULES.json [repetitions]
//!     cargo bench --bench matcher -- storm
//!     cargo bench --bench matcher -- kinds [KIND]
//!
//! Translates the workload's rules into the rule language and its events into facts, and prints what matched, events a second
//! (facts made ready beforehand; and from JSON text in), the time of one event, allocations, memory and loading times.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::too_many_lines,
    reason = "a program for the desk"
)]

mod kinds;
mod measure;
mod storm;
mod workload;

use std::sync::Arc;

use engine::matcher::{Emitted, Limits, Matcher, Outcome, Prepared, Setup};
use measure::{Watch, cpu, percentile, resident};
use script::RhaiScripts;
use signal::Present;
use value::{HOUR, Time};
use workload::{Counter, Line, Workload};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    if args.first().is_some_and(|a| a == "storm") {
        return storm::run();
    }
    if args.first().is_some_and(|a| a == "kinds") {
        return kinds::run(args.get(1).map(String::as_str));
    }
    let [dir, rules, rest @ ..] = args.as_slice() else {
        println!(
            "usage: cargo bench --bench matcher -- GRAPH_DIR RULES.json [repetitions]\n       cargo bench --bench matcher -- storm\n       cargo bench --bench matcher -- kinds"
        );
        return;
    };
    let repetitions: usize = rest.first().and_then(|r| r.parse().ok()).unwrap_or(5);
    let events = std::fs::read_to_string(format!("{dir}/events.jsonl")).unwrap();
    let lines: Vec<&str> = events.lines().collect();
    let started = cpu();
    let work = Workload::load(dir, rules);
    let estate_ms = (cpu() - started) / 1e6;
    let before = resident("VmRSS");
    let text = work.text();

    // Loading: text to ready.
    let watch = Watch::start();
    let plan = Arc::new(work.compile(&text));
    let compile_ms = watch.microseconds() / 1e3;
    let setup = Setup {
        plan: Arc::clone(&plan),
        estate: Arc::clone(&work.estate),
        scripts: Arc::new(RhaiScripts::default()),
        present: Present { alerts: true, metrics: true, logs: true, events: true },
        now: Time(0),
        lookback: HOUR,
        limits: Limits::default(),
        baseline: Vec::new(),
    };
    let started = cpu();
    let first = Matcher::new(setup.clone());
    let build_ms = (cpu() - started) / 1e6;

    let mut rates = Vec::new();
    let mut text_rates = Vec::new();
    let mut tails = Vec::new();
    let mut counts = [0; 3];
    let mut allocations = 0u64;
    let mut stats = first.stats();
    for _ in 0..repetitions {
        // Facts made ready beforehand, as the workload's own reference has its events.
        let mut matcher = Matcher::new(setup.clone());
        let ready: Vec<(Prepared, Line)> = lines.iter().map(|line| work.ready(&matcher, line)).collect();
        let mut counter = Counter::new(&work);
        let mut out: Vec<Emitted> = Vec::new();
        let started = cpu();
        for (fact, line) in &ready {
            step(&mut matcher, fact, line, &mut counter, &mut out);
        }
        rates.push(lines.len() as f64 / (cpu() - started) * 1e9);
        counts = counter.counts;
        stats = matcher.stats();
        drop(matcher);
        if std::env::var_os("ONLY_MATCH").is_some() {
            println!("{:.0}", rates[rates.len() - 1]);
            continue;
        }

        // One event at a time, the time of reading the clock taken off.
        let mut matcher = Matcher::new(setup.clone());
        let mut counter = Counter::new(&work);
        let mut times: Vec<f64> = Vec::with_capacity(ready.len());
        for (fact, line) in &ready {
            let watch = Watch::start();
            step(&mut matcher, fact, line, &mut counter, &mut out);
            times.push(watch.microseconds());
        }
        tails.push([percentile(&mut times, 0.5), percentile(&mut times, 0.99), percentile(&mut times, 0.999), percentile(&mut times, 1.0)]);
        assert_eq!(counts, counter.counts);
        drop(matcher);

        let mut matcher = Matcher::new(setup.clone());
        let mut counter = Counter::new(&work);
        let ready: Vec<(Prepared, Line)> = lines.iter().map(|line| work.ready(&matcher, line)).collect();
        let info =
            allocation_counter::measure(|| ready.iter().for_each(|(fact, line)| step(&mut matcher, fact, line, &mut counter, &mut out)));
        allocations = info.count_total;

        // From JSON text.
        let mut matcher = Matcher::new(setup.clone());
        let mut counter = Counter::new(&work);
        let started = cpu();
        for line in &lines {
            let (fact, line) = work.ready(&matcher, line);
            step(&mut matcher, &fact, &line, &mut counter, &mut out);
        }
        text_rates.push(lines.len() as f64 / (cpu() - started) * 1e9);
        assert_eq!(counts, counter.counts);
    }
    if tails.is_empty() {
        return;
    }
    // Another plan takes over, of which one rule is another one.
    let mut matcher = Matcher::new(setup.clone());
    let mut counter = Counter::new(&work);
    let mut out: Vec<Emitted> = Vec::new();
    for line in &lines {
        let (fact, line) = work.ready(&matcher, line);
        step(&mut matcher, &fact, &line, &mut counter, &mut out);
    }
    let mut edited = plan.as_ref().clone();
    if let Some(rule) = edited.rules.values_mut().next() {
        rule.title.push_str(", edited");
    }
    let watch = Watch::start();
    matcher.replace(Arc::new(edited), Arc::clone(&work.estate), Arc::clone(&setup.scripts), &mut out);
    let replace_ms = watch.microseconds() / 1e3;
    let watch = Watch::start();
    let captured = matcher.capture().unwrap();
    let capture_ms = watch.microseconds() / 1e3;
    let watch = Watch::start();
    let restored = Matcher::restore(setup.clone(), &captured).unwrap();
    let restore_ms = watch.microseconds() / 1e3;
    assert_eq!(restored.history().len(), matcher.history().len());
    println!("replace {replace_ms:.0} ms, capture {capture_ms:.0} ms ({} bytes), restore {restore_ms:.0} ms", captured.len());
    // What the plain engine takes to answer once, for this instant alone.
    if plan.rules.len() <= 1_000 {
        let facts = matcher.all_facts();
        let watch = Watch::start();
        let engine = engine::Engine::new(&plan, &work.estate, &facts, setup.scripts.as_ref(), matcher.now(), 1);
        let found = engine.findings().len();
        println!("the plain engine: {:.0} ms for one instant, {found} findings", watch.microseconds() / 1e3);
    }
    tails.sort_by(|a, b| a[2].total_cmp(&b[2]));
    let tail = tails[tails.len() / 2];
    println!(
        "{{\"peer\":\"faultscope\",\"rules\":{},\"components\":{},\"matches\":{counts:?},\"match_only_ev_s\":{:.0},\"spread\":[{:.0},{:.0}],\"json_ev_s\":{:.0},\"p50_us\":{:.2},\"p99_us\":{:.2},\"p999_us\":{:.2},\"max_us\":{:.0},\"allocations_per_event\":{:.2},\"estate_ms\":{estate_ms:.0},\"compile_ms\":{compile_ms:.0},\"network_ms\":{build_ms:.0},\"rss_before_mb\":{before},\"peak_mb\":{},\"stats\":{}}}",
        plan.rules.len(),
        work.estate.len(),
        percentile(&mut rates, 0.5),
        percentile(&mut rates, 0.0),
        percentile(&mut rates, 1.0),
        percentile(&mut text_rates, 0.5),
        tail[0],
        tail[1],
        tail[2],
        tail[3],
        allocations as f64 / lines.len() as f64,
        resident("VmHWM"),
        serde_json::to_string(&stats).unwrap(),
    );
}

fn step(matcher: &mut Matcher, fact: &Prepared, line: &Line, counter: &mut Counter, out: &mut Vec<Emitted>) {
    out.clear();
    matcher.advance(fact.time(), out);
    let passed = out.len();
    let outcome = matcher.push(fact, out);
    debug_assert_ne!(outcome, Outcome::Outdated);
    counter.count(out, passed, line);
}
