//! How right the anomaly layer is on systems that nothing was fitted to: what is fitted (the calibration of its confidence) is fitted on all
//! other systems and told of the one that was left out, each in turn. Beside it, the same fitted on all of them.

use std::fs;
use std::path::{Path, PathBuf};

use anomaly::{Grounds, Weights};
use knowledge::Reliability;
use localize::{Diagnosis, Layer};
use project::{Options, Project, chance, load_bundle, ranking};
use serde_json::Value;

use super::controls::folders;
use super::generate;

/// Generated incidents and healthy hours, unless told otherwise, and of how many one is a healthy hour.
const GENERATED: u64 = 600;
const HEALTHY_EVERY: u64 = 3;

/// From here on an answer counts as sure.
const SURE: f64 = 0.9;

/// What one recording got.
struct Answer {
    healthy: bool,
    top1: f64,
    top3: f64,
    /// The confidence of the first suspect of each incident with what it rests on, and whether it is a root cause.
    firsts: Vec<(f64, Grounds, bool)>,
    /// How many incidents accuse somebody innocent.
    innocent: usize,
    said: usize,
}

struct System {
    name: String,
    answers: Vec<Answer>,
}

pub fn run(arguments: &[&str]) {
    let (flags, rest): (Vec<&str>, Vec<&str>) = arguments.iter().copied().partition(|one| one.starts_with("--"));
    let [dir, count @ ..] = rest.as_slice() else {
        println!("leave DIR [COUNT]: DIR has a folder for each system");
        return;
    };
    let count = count.first().map_or(GENERATED, |count| count.parse().expect("a number of recordings"));
    let project = Project::load(Path::new(".")).expect("the project of this repository");
    let mut systems: Vec<System> = folders(Path::new(dir)).iter().filter_map(|group| system(&project, group, &flags)).collect();
    if count > 0 {
        let scratch = std::env::temp_dir().join(format!("faultscope-generated-{}", std::process::id()));
        generate::write(&scratch.join("generated"), count, HEALTHY_EVERY, 1);
        systems.extend(system(&project, &scratch.join("generated"), &flags));
        fs::remove_dir_all(&scratch).expect("a scratch folder that can be removed");
    }
    table(&systems);
}

/// `flags`: `--verbose` tells of each recording, `--reasons` of each suspect too.
fn system(project: &Project, group: &Path, flags: &[&str]) -> Option<System> {
    let name = group.file_name()?.to_string_lossy().into_owned();
    let cases: Vec<PathBuf> = folders(group).into_iter().filter(|case| case.join("expected.json").is_file()).collect();
    if cases.is_empty() {
        return None;
    }
    let mut answers = Vec::new();
    for case in cases {
        let wanted = wanted(&case);
        match load_bundle(project, &case, group, Options::default()) {
            Ok(bundle) => {
                let diagnosis = bundle.diagnose();
                let answer = answer(&diagnosis, &wanted);
                if flags.contains(&"--reasons") {
                    tell_reasons(&diagnosis);
                }
                if !flags.is_empty() {
                    tell(&case, &diagnosis, &wanted, &answer);
                }
                answers.push(answer);
            }
            Err(error) => println!("{}: {}", case.display(), error.message),
        }
    }
    Some(System { name, answers })
}

fn wanted(case: &Path) -> Vec<String> {
    let expected: Value = serde_json::from_str(&fs::read_to_string(case.join("expected.json")).unwrap()).unwrap();
    let causes = expected["root_causes"].as_array().into_iter().flatten();
    causes.filter_map(|cause| cause["component"].as_str()).map(str::to_owned).collect()
}

fn answer(diagnosis: &Diagnosis, wanted: &[String]) -> Answer {
    let order = ranking(diagnosis);
    let right = |component: &Option<String>| component.as_ref().is_some_and(|one| wanted.contains(one));
    let firsts = diagnosis.incidents.iter().filter(|incident| incident.layer == Layer::Anomaly);
    let firsts: Vec<(f64, Grounds, bool)> = firsts
        .filter_map(|incident| incident.suspects.first())
        .filter_map(|first| Some((first.raw, first.grounds?, right(&first.component))))
        .collect();
    Answer {
        healthy: wanted.is_empty(),
        top1: chance(&order, wanted, 1),
        top3: chance(&order, wanted, 3),
        innocent: firsts.iter().filter(|(_, _, right)| !right).count(),
        firsts,
        said: order.len(),
    }
}

fn tell(case: &Path, diagnosis: &Diagnosis, wanted: &[String], answer: &Answer) {
    let told: Vec<String> = diagnosis
        .incidents
        .iter()
        .map(|incident| {
            let suspects = incident.suspects.iter().take(4);
            suspects.map(|s| format!("{} {:.2}", s.component.as_deref().unwrap_or("?"), s.raw)).collect::<Vec<String>>().join(", ")
        })
        .collect();
    let name: Vec<String> = case.iter().rev().take(2).map(|part| part.to_string_lossy().into_owned()).collect();
    let mark = match (answer.healthy, answer.top1 > 0.5, answer.said) {
        (true, _, 0) | (false, true, _) => "ok ",
        (true, _, _) => "FALSE",
        (false, false, _) => "BAD",
    };
    println!("{mark} {} {} want {:?}: {}", name[1], name[0], wanted, told.join(" | "));
}

fn tell_reasons(diagnosis: &Diagnosis) {
    for suspect in diagnosis.incidents.iter().flat_map(|incident| incident.suspects.iter().take(3)) {
        println!("   {} {:.3}", suspect.component.as_deref().unwrap_or("?"), suspect.raw);
        for reason in suspect.reasons.iter().chain(&suspect.against) {
            println!("        {}", serde_json::to_string(reason).unwrap().chars().take(330).collect::<String>());
        }
    }
}

fn table(systems: &[System]) {
    println!(
        "{:<24} {:>6} {:>6} {:>6} {:>8} {:>8} {:>9} {:>9} {:>14} {:>14}",
        "left out", "faults", "top-1", "top-3", "healthy", "accused", "error", "in sample", "sure and right", "raw"
    );
    let all: Vec<Vec<(f64, Grounds, bool)>> =
        systems.iter().map(|system| system.answers.iter().flat_map(|answer| answer.firsts.iter().copied()).collect()).collect();
    let fitted =
        |skip: Option<usize>| fit(all.iter().enumerate().filter(|(at, _)| Some(*at) != skip).map(|(_, answers)| answers.as_slice()));
    for (at, system) in systems.iter().enumerate() {
        let faulty: Vec<&Answer> = system.answers.iter().filter(|answer| !answer.healthy).collect();
        let healthy: Vec<&Answer> = system.answers.iter().filter(|answer| answer.healthy).collect();
        let mean = |of: fn(&Answer) -> f64| faulty.iter().map(|answer| of(answer)).sum::<f64>() / faulty.len().max(1) as f64;
        let error = |by: Option<Weights>| {
            let said = |raw: f64, grounds: &Grounds| by.map_or(raw, |weights| grounds.confidence(&weights));
            let pairs: Vec<(f64, bool)> = all[at].iter().map(|(raw, grounds, right)| (said(*raw, grounds), *right)).collect();
            let sure: Vec<&(f64, bool)> = pairs.iter().filter(|(confidence, _)| *confidence >= SURE).collect();
            let right = sure.iter().filter(|(_, right)| *right).count();
            (Reliability::of(&pairs).ece.unwrap_or(0.0), format!("{right} of {}", sure.len()))
        };
        let (left, inside, raw) = (error(Some(fitted(Some(at)))), error(Some(fitted(None))), error(None));
        println!(
            "{:<24} {:>6} {:>5.1}% {:>5.1}% {:>8} {:>8} {:>9.3} {:>9.3} {:>14} {:>6.3} {:>7}",
            system.name,
            faulty.len(),
            100.0 * mean(|answer| answer.top1),
            100.0 * mean(|answer| answer.top3),
            format!("{}/{}", healthy.iter().filter(|answer| answer.said == 0).count(), healthy.len()),
            faulty.iter().map(|answer| answer.innocent).sum::<usize>(),
            left.0,
            inside.0,
            left.1,
            raw.0,
            raw.1,
        );
    }
    println!("fitted on all: {:.3?}, in the program {:.3?}", fitted(None), anomaly::WEIGHTS);
}

/// The most likely weights, each system counting alike, with a prior that draws them to zero as a few answers would: Newton's method for
/// logistic regression.
fn fit<'a>(systems: impl Iterator<Item = &'a [(f64, Grounds, bool)]>) -> Weights {
    const N: usize = anomaly::WEIGHTS.len();
    const PRIOR: f64 = 0.5;
    const EACH: f64 = 25.0;
    let systems: Vec<&[(f64, Grounds, bool)]> = systems.filter(|answers| !answers.is_empty()).collect();
    let mut weights: Weights = [0.0; N];
    for _ in 0..50 {
        let mut slope = [0.0; N];
        let mut curve = [[0.0; N]; N];
        for (at, weight) in weights.iter().enumerate() {
            slope[at] = PRIOR * weight;
            curve[at][at] = PRIOR;
        }
        for answers in &systems {
            let share = EACH / answers.len() as f64;
            for (_, grounds, right) in *answers {
                let features = grounds.features();
                let sum: f64 = features.iter().zip(&weights).map(|(a, b)| a * b).sum();
                let p = 1.0 / (1.0 + (-sum).exp());
                for a in 0..N {
                    slope[a] += share * (p - f64::from(u8::from(*right))) * features[a];
                    for b in 0..N {
                        curve[a][b] += share * p * (1.0 - p) * features[a] * features[b];
                    }
                }
            }
        }
        // Gauss-Jordan; the matrix is positive definite.
        for a in 0..N {
            let pivot = curve[a][a];
            for b in 0..N {
                if b != a {
                    let part = curve[b][a] / pivot;
                    let row = curve[a];
                    for (cell, other) in curve[b].iter_mut().zip(row) {
                        *cell -= part * other;
                    }
                    slope[b] -= part * slope[a];
                }
            }
        }
        for a in 0..N {
            weights[a] -= slope[a] / curve[a][a];
        }
    }
    weights
}
