//! How well suspects are ranked on labelled recordings, and what that rests on: the same with every name random, with the relations
//! shuffled, with scores and no topology, and over healthy stretches of the baselines.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anomaly::deviations;
use project::{Options, Project, evaluate, load_bundle};
use serde_json::{Value, json};
use value::Time;

use super::random::Random;

/// Shuffles, each with a seed of its own, of which the mean is told.
const SHUFFLES: u64 = 5;
/// Samples of a healthy stretch, and how many stretches are cut from a baseline.
const STRETCH: usize = 10;
const STRETCHES: usize = 40;

pub fn run(dir: &Path) {
    let project = Project::load(Path::new(".")).expect("the project of this repository");
    let groups = folders(dir).into_iter().filter(|group| folders(group).iter().any(|case| case.join("expected.json").is_file()));
    println!(
        "{:<24} {:<18} {:>6} {:>7} {:>7} {:>7} {:>8} {:>9}",
        "group", "variant", "faults", "top-1", "top-3", "top-5", "healthy", "in peace"
    );
    for group in groups {
        let name = group.file_name().unwrap().to_string_lossy().into_owned();
        let tell = |variant: &str, rows: &[[f64; 6]]| {
            let mean = |at: usize| rows.iter().map(|row| row[at]).sum::<f64>() / rows.len() as f64;
            let share = |at: usize| if mean(0) > 0.0 { format!("{:.1}%", 100.0 * mean(at)) } else { "-".to_owned() };
            println!(
                "{name:<24} {variant:<18} {:>6} {:>7} {:>7} {:>7} {:>8} {:>9}",
                mean(0),
                share(1),
                share(2),
                share(3),
                mean(4),
                mean(5)
            );
        };
        tell("as recorded", &[score(&project, &group)]);
        let scratch = std::env::temp_dir().join(format!("faultscope-controls-{}", std::process::id()));
        let renamed: Vec<[f64; 6]> =
            (0..2).map(|seed| copied(&scratch, &group, |file, value| rename(file, value, seed), &project)).collect();
        tell("random names", &renamed);
        let mixed: Vec<[f64; 6]> = (0..SHUFFLES).map(|seed| copied(&scratch, &group, |_, value| mix(value, seed), &project)).collect();
        tell("order shuffled", &mixed);
        let shuffled: Vec<[f64; 6]> = (0..SHUFFLES)
            .map(|seed| {
                copied(&scratch, &group, |file, value| if file == "topology.json" { shuffle(value, seed) } else { value }, &project)
            })
            .collect();
        tell("relations shuffled", &shuffled);
        tell("scores only", &[without_topology(&project, &group)]);
        if group.join("baseline.json").is_file() {
            healthy(&scratch, &group);
            tell("healthy stretches", &[score(&project, &scratch)]);
        }
        fs::remove_dir_all(&scratch).expect("a scratch folder that can be removed");
    }
}

pub fn folders(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(dir).expect("a folder").map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

/// Faults, shares of top 1, 3 and 5, healthy ones, and those left in peace.
fn score(project: &Project, dir: &Path) -> [f64; 6] {
    let report = evaluate(project, &[dir.to_path_buf()], Options::default());
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    let group = &report.groups[0];
    [group.faults as f64, group.top1, group.top3, group.top5, group.healthy as f64, group.abstained as f64]
}

fn copied(scratch: &Path, group: &Path, change: impl Fn(&str, Value) -> Value, project: &Project) -> [f64; 6] {
    let _ = fs::remove_dir_all(scratch);
    copy(group, scratch, &change);
    score(project, scratch)
}

fn copy(from: &Path, to: &Path, change: &impl Fn(&str, Value) -> Value) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            copy(&path, &to.join(&name), change);
        } else if path.extension().is_some_and(|kind| kind == "json") {
            let value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            fs::write(to.join(&name), change(&name, value).to_string()).unwrap();
        } else if path.extension().is_some_and(|kind| kind == "ndjson") {
            fs::copy(&path, to.join(&name)).unwrap();
        }
    }
}

/// Every name of a component, pod, metric and alert becomes a random one; texts say nothing.
fn rename(file: &str, mut value: Value, seed: u64) -> Value {
    let token = |text: &str| {
        let hash = text.bytes().fold(seed.wrapping_add(17), |hash, byte| Random(hash ^ u64::from(byte)).next());
        format!("n{hash:016x}")
    };
    let named = |value: &mut Value| {
        if let Some(text) = value.as_str() {
            *value = Value::String(token(text));
        }
    };
    match file {
        "topology.json" => {
            for component in value["components"].as_array_mut().unwrap() {
                named(&mut component["id"]);
                named(&mut component["name"]);
            }
            for relation in value["relations"].as_array_mut().unwrap() {
                named(&mut relation["from"]);
                named(&mut relation["to"]);
            }
        }
        "expected.json" => value["root_causes"].as_array_mut().into_iter().flatten().for_each(|cause| named(&mut cause["component"])),
        "alerts.json" => {
            for alert in value["alerts"].as_array_mut().unwrap() {
                named(&mut alert["labels"]["component"]);
                named(&mut alert["labels"]["alertname"]);
                alert["annotations"] = json!({"summary": "something is wrong"});
            }
        }
        "metrics.json" | "baseline.json" => {
            for series in value["data"]["result"].as_array_mut().unwrap() {
                named(&mut series["metric"]["component"]);
                named(&mut series["metric"]["__name__"]);
            }
        }
        _ => value["data"]["result"].as_array_mut().into_iter().flatten().for_each(|stream| named(&mut stream["stream"]["component"])),
    }
    value
}

/// Everything as it was, in another order within each file.
fn mix(mut value: Value, seed: u64) -> Value {
    let mut random = Random(seed);
    for list in ["/components", "/relations", "/alerts", "/data/result"] {
        if let Some(items) = value.pointer_mut(list).and_then(Value::as_array_mut) {
            random.shuffle(items);
        }
    }
    value
}

/// Each relation keeps its kind and joins others of the same types, so that the estate stays one that may be.
fn shuffle(mut topology: Value, seed: u64) -> Value {
    let mut of_type: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for component in topology["components"].as_array().unwrap() {
        of_type.entry(component["type"].as_str().unwrap().to_owned()).or_default().push(component["id"].as_str().unwrap().to_owned());
    }
    let mut random = Random(seed);
    let mut other: BTreeMap<String, String> = BTreeMap::new();
    for ids in of_type.values() {
        let mut mixed = ids.clone();
        random.shuffle(&mut mixed);
        other.extend(ids.iter().cloned().zip(mixed));
    }
    for relation in topology["relations"].as_array_mut().unwrap() {
        for end in ["from", "to"] {
            relation[end] = Value::String(other[relation[end].as_str().unwrap()].clone());
        }
    }
    topology
}

/// The component whose worst series strays most comes first.
fn without_topology(project: &Project, group: &Path) -> [f64; 6] {
    let (mut faults, mut hits) = (0.0, [0.0; 3]);
    for case in folders(group) {
        let expected: Value = serde_json::from_str(&fs::read_to_string(case.join("expected.json")).unwrap()).unwrap();
        let causes: Vec<&str> = expected["root_causes"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|cause| [cause["component"].as_str(), cause["pod"].as_str()])
            .flatten()
            .collect();
        if causes.is_empty() {
            continue;
        }
        faults += 1.0;
        let bundle = load_bundle(project, &case, group, Options::default()).unwrap();
        let mut order: Vec<&str> = Vec::new();
        for deviation in deviations(bundle.estate(), &bundle.facts, bundle.at, Time::MIN) {
            let Some(component) = deviation.component else { continue };
            let id = bundle.estate().component(component).id.as_str();
            if !order.contains(&id) {
                order.push(id);
            }
        }
        for (at, most) in [1, 3, 5].into_iter().enumerate() {
            hits[at] += f64::from(u8::from(order.iter().take(most).any(|id| causes.contains(id))));
        }
    }
    [faults, hits[0] / faults, hits[1] / faults, hits[2] / faults, 0.0, 0.0]
}

/// Stretches of the baseline as recordings in which nothing is wrong, each held against the rest of it.
fn healthy(scratch: &Path, group: &Path) {
    let _ = fs::remove_dir_all(scratch);
    fs::create_dir_all(scratch).unwrap();
    fs::copy(group.join("topology.json"), scratch.join("topology.json")).unwrap();
    let text = fs::read_to_string(group.join("baseline.json")).unwrap();
    let baseline: Value = serde_json::from_str(&text).unwrap();
    let all = || baseline["data"]["result"].as_array().unwrap();
    let mut times: Vec<i64> = all().iter().flat_map(|s| s["values"].as_array().unwrap()).filter_map(|p| p[0].as_i64()).collect();
    times.sort_unstable();
    times.dedup();
    for at in 0..STRETCHES {
        let from = at * (times.len() - STRETCH) / STRETCHES;
        let inside = times[from]..times[from + STRETCH];
        let cut = |keep: bool| {
            let series = all().iter().map(|series| {
                let values: Vec<&Value> =
                    series["values"].as_array().unwrap().iter().filter(|p| inside.contains(&p[0].as_i64().unwrap()) == keep).collect();
                json!({"metric": series["metric"], "values": values})
            });
            json!({"status": "success", "data": {"resultType": "matrix", "result": series.collect::<Vec<Value>>()}})
        };
        write(&scratch.join(format!("calm-{at:02}")), &cut(true), Some(&cut(false)));
    }
}

fn write(case: &Path, metrics: &Value, baseline: Option<&Value>) {
    fs::create_dir_all(case).unwrap();
    fs::write(case.join("metrics.json"), metrics.to_string()).unwrap();
    if let Some(baseline) = baseline {
        fs::write(case.join("baseline.json"), baseline.to_string()).unwrap();
    }
    fs::write(case.join("expected.json"), json!({"no_fault": true}).to_string()).unwrap();
}
