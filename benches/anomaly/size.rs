//! Time of scoring and ranking in estates of layers: each component of a layer calls three of the next.

use std::collections::BTreeMap;

use anomaly::{RankInput, Symptom, deviations, rank};
use estate::{ComponentId, Declared, DeclaredComponent, DeclaredRelation, Snapshot, base_model, build_declared};
use signal::{Facts, Origin, Series};
use value::{MINUTE, Time};

use super::measure::cpu;

const LAYERS: usize = 5;
const REPEATS: usize = 5;

/// Components, series of each, samples of each.
const SIZES: [(usize, usize, usize); 4] = [(50, 30, 250), (1_000, 30, 60), (10_000, 3, 60), (10_000, 30, 60)];

pub fn run() {
    println!("{:>10} {:>9} {:>8} {:>10} {:>10} {:>10}  first suspect", "components", "series", "samples", "scores", "ranking", "together");
    for (components, series, samples) in SIZES {
        let estate = estate(components);
        let culprit = estate.find("c000003").unwrap();
        let facts = facts(&estate, series, samples, culprit);
        let at = Time((samples as i64 - 1) * MINUTE);
        let begun = Time((samples as i64 * 9 / 10) * MINUTE);
        // What stands on it alerts.
        let onset = begun.plus(MINUTE);
        let alerting = estate.dependents(culprit, &[], None).into_iter().take(100);
        let symptoms: Vec<Symptom> = alerting
            .map(|reached| Symptom { component: reached.component, onset, end: None, starved: false, kind: None, measured: None })
            .collect();
        let (mut scoring, mut ranking, mut first) = (Vec::new(), Vec::new(), String::new());
        for _ in 0..REPEATS {
            let started = cpu();
            let found = deviations(&estate, &facts, at, begun);
            scoring.push((cpu() - started) / 1e6);
            let started = cpu();
            let ranked = rank(&RankInput {
                estate: &estate,
                facts: &facts,
                at,
                deviations: &found,
                witnesses: &[],
                symptoms: &symptoms,
                named: &[],
            });
            ranking.push((cpu() - started) / 1e6);
            first = format!("{} ({} stray, {} alert)", estate.component(ranked[0].component).id, found.len(), symptoms.len());
        }
        let middle = |times: &mut Vec<f64>| super::measure::percentile(times, 0.5);
        let (scores, ranks) = (middle(&mut scoring), middle(&mut ranking));
        println!(
            "{components:>10} {:>9} {samples:>8} {scores:>7.1} ms {ranks:>7.1} ms {:>7.1} ms  {first}",
            components * series,
            scores + ranks
        );
    }
}

/// The lowest layer has the lowest ids.
fn estate(size: usize) -> Snapshot {
    let component = |at: usize| DeclaredComponent { id: format!("c{at:06}"), kind: "service".to_owned(), ..DeclaredComponent::default() };
    let layer = size / LAYERS;
    let calls = |at: usize| {
        let below = at / layer * layer - layer;
        (0..3).map(move |way| DeclaredRelation {
            from: format!("c{at:06}"),
            kind: "calls".to_owned(),
            to: format!("c{:06}", below + (at * 7 + way * 13) % layer),
            ..DeclaredRelation::default()
        })
    };
    let relations = (layer..size / layer * layer).flat_map(calls).collect();
    let declared = Declared { components: (0..size).map(component).collect(), relations, ..Declared::default() };
    build_declared(base_model(), declared).0
}

/// Noise; of the culprit every third series doubles at nine tenths, of its dependents every tenth rises by half.
fn facts(estate: &Snapshot, series: usize, samples: usize, culprit: ComponentId) -> Facts {
    let mut state: u64 = 7;
    let mut noise = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1_u64 << 24) as f64 - 0.5
    };
    let hit: Vec<ComponentId> = estate.dependents(culprit, &[], None).into_iter().map(|reached| reached.component).collect();
    let mut all = Vec::new();
    for component in estate.ids() {
        for metric in 0..series {
            let factor = match (component == culprit, hit.contains(&component)) {
                (true, _) if metric % 3 == 0 => 2.5,
                (false, true) if metric % 10 == 0 => 1.8,
                _ => 1.0,
            };
            let value = |at: usize| (100.0 + 10.0 * noise()) * if at * 10 >= samples * 9 { factor } else { 1.0 };
            all.push(Series {
                origin: Origin { file: "metrics.json".to_owned(), index: all.len() },
                component: Some(component),
                instance: None,
                metric: format!("m{metric}"),
                modelled: false,
                labels: BTreeMap::new(),
                points: (0..samples).map(value).enumerate().map(|(at, value)| (Time(at as i64 * MINUTE), value)).collect(),
            });
        }
    }
    let mut facts = Facts { series: all, ..Facts::default() };
    facts.index();
    facts
}
