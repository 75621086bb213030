//! Synthetic incidents and healthy hours, deterministic by seed: estates of several shapes whose components each have a few metrics with
//! rhythm, drift and spikes of their own; one or more faults that travel along the relations; alerts, some of them noise; logs.
//!
//! A recording differs from the next in everything that differs between systems: names, steps, how long the record is, whether there is
//! a baseline and how stale it is, which relations are missing, what is measured, how alerts are worded.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::random::Random;

/// 2025-06-15T12:00:00Z.
const START: i64 = 1_749_988_800;

/// How one estate names its metrics: latency, errors, use of a resource, work.
const NAMES: [[&str; 4]; 4] = [
    ["server_latency_p90_seconds", "error_ratio", "cpu_usage_percent", "request_count"],
    ["http_server_duration_p99_ms", "error_rate_5xx_ratio", "container_cpu_pct", "requests_per_minute"],
    ["latency_p50", "failed_share", "cpu_percent", "requests"],
    ["rpc_time_p95", "errors_per_second", "memory_mebibytes", "ops"],
];

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Latency,
    Errors,
    Resource,
    Crash,
    Surge,
}

const KINDS: [Kind; 5] = [Kind::Latency, Kind::Errors, Kind::Resource, Kind::Crash, Kind::Surge];

struct Estate {
    /// `calls[i]`: what component i calls; always of a higher number.
    calls: Vec<Vec<usize>>,
    ids: Vec<String>,
}

/// Writes `count` recordings below `dir`; every `healthy_every`th is a healthy hour (0: none).
pub fn write(dir: &Path, count: u64, healthy_every: u64, seed: u64) {
    for at in 0..count {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9).wrapping_add(at * 7919));
        let healthy = healthy_every > 0 && at % healthy_every == healthy_every - 1;
        one(&dir.join(format!("case-{at:04}")), healthy, &mut random);
    }
}

fn below(random: &mut Random, n: usize) -> usize {
    (random.next() % n.max(1) as u64) as usize
}

fn chance(random: &mut Random, p: f64) -> bool {
    random.unit() < p
}

fn between(random: &mut Random, low: f64, high: f64) -> f64 {
    low + (high - low) * random.unit()
}

fn estate(random: &mut Random) -> Estate {
    let n = 4 + below(random, 22);
    let shape = below(random, 4);
    let mut calls = vec![Vec::new(); n];
    for at in 1..n {
        let callers: Vec<usize> = match shape {
            // A chain, a tree, one front for all, a mesh of layers.
            0 => vec![if chance(random, 0.8) { at - 1 } else { below(random, at) }],
            1 => vec![(at - 1) / (2 + below(random, 2))],
            2 => vec![if chance(random, 0.7) { 0 } else { below(random, at) }],
            _ => (0..=below(random, 3)).map(|_| below(random, at)).collect(),
        };
        for caller in callers {
            if !calls[caller].contains(&at) {
                calls[caller].push(at);
            }
        }
    }
    let ids = (0..n).map(|_| format!("c{:06x}", random.next() & 0xff_ffff)).collect();
    Estate { calls, ids }
}

/// Everything that uses `of`, with the share of its trouble that arrives there.
fn above(estate: &Estate, of: usize, random: &mut Random) -> BTreeMap<usize, f64> {
    let mut share = BTreeMap::from([(of, 1.0)]);
    for at in (0..of).rev() {
        let strongest = estate.calls[at].iter().filter_map(|callee| share.get(callee)).copied().fold(0.0, f64::max);
        let arrives = strongest * between(random, 0.35, 1.0);
        if strongest > 0.0 && arrives > 0.1 {
            share.insert(at, arrives);
        }
    }
    share
}

fn under(estate: &Estate, of: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::from([of]);
    for at in of..estate.calls.len() {
        if found.contains(&at) {
            found.extend(estate.calls[at].iter().copied());
        }
    }
    found
}

/// By component and metric (0 latency, 1 errors, 2 resource, 3 work): from which sample on, until which, what factor or level.
type Effects = BTreeMap<(usize, usize), Vec<(usize, usize, f64)>>;

fn apply(effects: &mut Effects, estate: &Estate, root: usize, kind: Kind, (from, to): (usize, usize), random: &mut Random) {
    let mut add = |at: usize, metric: usize, lag: usize, by: f64| effects.entry((at, metric)).or_default().push((from + lag, to, by));
    let size = between(random, 0.7, 1.0);
    let share = above(estate, root, random);
    let lag = |random: &mut Random| usize::from(chance(random, 0.3));
    match kind {
        Kind::Latency | Kind::Resource => {
            let grows = between(random, 1.8, 20.0);
            for (at, part) in &share {
                add(*at, 0, if *at == root { 0 } else { lag(random) }, 1.0 + (grows - 1.0) * part * part);
            }
            // Some callers give up waiting.
            if grows > 8.0 && chance(random, 0.4) {
                for (at, part) in share.iter().filter(|(at, _)| **at != root) {
                    add(*at, 1, lag(random), 0.3 * part * size);
                }
            }
            if kind == Kind::Resource {
                add(root, 2, 0, between(random, 2.5, 12.0));
            }
        }
        Kind::Errors => {
            let level = between(random, 0.03, 0.8);
            for (at, part) in &share {
                add(*at, 1, if *at == root { 0 } else { lag(random) }, level * part);
            }
        }
        Kind::Crash => {
            for (at, part) in &share {
                add(*at, 1, 0, if *at == root { 0.9 } else { 0.7 * part });
            }
            add(root, 3, 0, 0.05);
            for callee in under(estate, root).into_iter().filter(|at| *at != root) {
                add(callee, 3, lag(random), 0.3);
            }
        }
        Kind::Surge => {
            let more = between(random, 2.0, 5.0);
            for at in under(estate, root) {
                add(at, 3, 0, more * between(random, 0.8, 1.0));
                add(at, 2, 0, 1.0 + (more - 1.0) * between(random, 0.3, 0.8));
                if chance(random, 0.4) {
                    add(at, 0, lag(random), between(random, 1.2, 2.0));
                }
            }
            add(root, 2, 0, more * 1.5);
        }
    }
}

/// The usual course of one series.
struct Course {
    level: f64,
    scatter: f64,
    rhythm: f64,
    phase: f64,
    drift: f64,
    spikes: f64,
    errors: bool,
}

impl Course {
    fn of(metric: usize, random: &mut Random) -> Course {
        let level = match metric {
            0 => between(random, 0.005, 0.5),
            1 => between(random, 0.0, 0.01),
            2 => between(random, 2.0, 30.0),
            _ => between(random, 5.0, 500.0),
        };
        Course {
            level,
            scatter: between(random, 0.02, 0.15),
            rhythm: if chance(random, 0.4) { between(random, 0.05, 0.25) } else { 0.0 },
            phase: random.unit(),
            drift: if chance(random, 0.15) { between(random, -0.003, 0.003) } else { 0.0 },
            spikes: if chance(random, 0.06) { 0.06 } else { 0.0 },
            errors: metric == 1,
        }
    }

    fn at(&self, sample: f64, effects: &[f64], random: &mut Random) -> f64 {
        let day = (std::f64::consts::TAU * (sample / 96.0 + self.phase)).sin() * self.rhythm;
        let mut value = self.level * (1.0 + day + self.drift * sample + self.scatter * random.normal()).max(0.02);
        if self.spikes > 0.0 && chance(random, self.spikes) {
            value *= between(random, 3.0, 6.0);
        }
        for effect in effects {
            let jitter = 1.0 + 0.08 * random.normal();
            value = if self.errors { (value + effect * jitter).clamp(0.0, 1.0) } else { value * (effect * jitter).max(0.01) };
        }
        value
    }
}

#[allow(clippy::too_many_lines, reason = "one recording, from the estate to its files")]
fn one(case: &Path, healthy: bool, random: &mut Random) {
    let estate = estate(random);
    let n = estate.ids.len();
    let names = NAMES[below(random, NAMES.len())];
    let step = [30, 60, 60, 60, 300][below(random, 5)];
    let samples = [20, 24, 40, 64, 120][below(random, 5)];
    let lasts = 4 + below(random, 6);
    let onset = samples - lasts;
    let mut effects = Effects::new();
    let mut roots: Vec<(usize, Kind)> = Vec::new();
    if !healthy {
        let several = chance(random, 0.1);
        for _ in 0..=usize::from(several) {
            let kind = KINDS[below(random, KINDS.len())];
            let mut root = below(random, n);
            if kind == Kind::Surge || kind == Kind::Crash {
                // Something must stand below it.
                let with: Vec<usize> = (0..n).filter(|at| !estate.calls[*at].is_empty()).collect();
                root = with[below(random, with.len())];
            }
            if roots.iter().all(|(other, _)| *other != root) {
                apply(&mut effects, &estate, root, kind, (onset, samples), random);
                roots.push((root, kind));
            }
        }
        if chance(random, 0.25) {
            // An earlier fault elsewhere that is over.
            let other = below(random, n);
            let until = onset.saturating_sub(5 + 300 / step);
            if until > 6 && roots.iter().all(|(root, _)| *root != other) {
                let kind = [Kind::Latency, Kind::Errors, Kind::Resource][below(random, 3)];
                apply(&mut effects, &estate, other, kind, (until - 4, until), random);
            }
        }
    }
    // Which samples an effect covers is one for all metrics; 0 is the first sample.
    let time = |sample: usize| START + sample as i64 * step as i64;
    let baselined = chance(random, 0.4);
    let stale = baselined && chance(random, 0.3);
    let unmeasured: Option<usize> = roots.first().filter(|_| chance(random, 0.08)).map(|(root, _)| *root);
    let (mut series, mut baseline, mut values) = (Vec::new(), Vec::new(), BTreeMap::new());
    for at in 0..n {
        for (metric, name) in names.iter().enumerate() {
            if Some(at) == unmeasured || chance(random, 0.1) {
                continue;
            }
            let course = Course::of(metric, random);
            let of = effects.get(&(at, metric)).cloned().unwrap_or_default();
            let points: Vec<f64> = (0..samples)
                .map(|sample| {
                    let now: Vec<f64> = of.iter().filter(|(from, to, _)| (*from..*to).contains(&sample)).map(|(_, _, by)| *by).collect();
                    course.at(sample as f64, &now, random)
                })
                .collect();
            let key = json!({"__name__": name, "component": estate.ids[at]});
            // A record may begin shortly before the fault.
            let first = if baselined && step == 300 { onset.saturating_sub(2) } else { 0 };
            let shown: Vec<Value> = (first..samples).map(|s| json!([time(s), format!("{:.6}", points[s])])).collect();
            series.push(json!({"metric": key, "values": shown}));
            if baselined {
                let shift = if stale && chance(random, 0.2) { between(random, 0.3, 3.0) } else { 1.0 };
                let ago = if stale { 90 * 86_400 } else { 200 * step as i64 };
                let calm: Vec<Value> = (0..150_usize)
                    .map(|s| json!([START - ago + (s * step) as i64, format!("{:.6}", shift * course.at(s as f64, &[], random))]))
                    .collect();
                baseline.push(json!({"metric": key, "values": calm}));
            }
            let usual = points[..onset.min(points.len())].iter().copied().fold(0.0, f64::max);
            values.insert((at, metric), (points, usual));
        }
    }
    let mut alerts = alerts(&estate, &names, &effects, &values, (onset, samples, step), random);
    if chance(random, if healthy { 0.4 } else { 0.3 }) {
        // A threshold just above the usual, on something quiet.
        for _ in 0..=below(random, 3) {
            let quiet: Vec<&(usize, usize)> = values.keys().filter(|key| !effects.contains_key(*key)).collect();
            if let Some(&&(at, metric)) = quiet.get(below(random, quiet.len())) {
                let (points, _) = &values[&(at, metric)];
                let value = points[onset + below(random, samples - onset)];
                let sample = onset + below(random, samples - onset);
                alerts.push(alert(&estate.ids[at], names[metric], value, value * between(random, 0.93, 0.995), time(sample), 0));
            }
        }
    }
    // Drawn apart, so that everything else is the same without it.
    let mut apart = Random(random.0 ^ 0x5113);
    for (root, _) in roots.iter().filter(|(_, kind)| *kind == Kind::Crash) {
        if chance(&mut apart, 0.5) {
            fall_silent(&estate.ids[*root], time(onset), &mut series, &mut alerts);
        }
    }
    let relations: Vec<Value> = (0..n)
        .flat_map(|at| estate.calls[at].iter().map(move |to| (at, *to)))
        .filter(|_| !chance(random, 0.04))
        .map(|(at, to)| json!({"from": estate.ids[at], "kind": "calls", "to": estate.ids[to]}))
        .collect();
    let components: Vec<Value> = estate.ids.iter().map(|id| json!({"id": id, "type": "service", "name": id, "attributes": {}})).collect();
    let answer = |result: Vec<Value>| json!({"status": "success", "data": {"resultType": "matrix", "result": result}});
    fs::create_dir_all(case).unwrap();
    let save = |name: &str, value: &Value| fs::write(case.join(name), value.to_string()).unwrap();
    save("topology.json", &json!({"components": components, "relations": relations}));
    save("metrics.json", &answer(series));
    if baselined {
        save("baseline.json", &answer(baseline));
    }
    save("alerts.json", &json!({"version": "4", "status": "firing", "alerts": alerts}));
    if chance(random, 0.5) {
        save("logs.json", &logs(&estate, &roots, &effects, (onset, samples, step), random));
    }
    let causes: Vec<Value> = roots.iter().map(|(root, _)| json!({"component": estate.ids[*root], "fault": "generated"})).collect();
    save("expected.json", &json!({"root_causes": causes, "no_fault": healthy}));
}

fn alert(id: &str, metric: &str, value: f64, threshold: f64, at: i64, wording: usize) -> Value {
    let annotations = match wording {
        0 => json!({"summary": format!("{metric} of {id} is {value:.4}, above {threshold:.4}")}),
        1 => json!({"summary": format!("{metric} of {id} is above its usual level")}),
        2 => {
            json!({"summary": format!("{id} is in trouble"), "metric": metric, "threshold": format!("{threshold:.4}"), "observed": format!("{value:.4}")})
        }
        _ => json!({"summary": format!("{id} unhealthy")}),
    };
    let time = value::Time(at * 1000).to_string();
    json!({"status": "firing", "labels": {"alertname": format!("High_{metric}"), "component": id, "severity": "warning"},
        "annotations": annotations, "startsAt": time, "endsAt": "0001-01-01T00:00:00Z"})
}

/// Who crashed is measured no more, so nothing of its own alerts either, if anything else does.
fn fall_silent(id: &str, from: i64, series: &mut [Value], alerts: &mut Vec<Value>) {
    for one in series.iter_mut().filter(|one| one["metric"]["component"] == id) {
        if let Some(values) = one["values"].as_array_mut() {
            values.retain(|sample| sample[0].as_i64().is_some_and(|time| time < from));
        }
    }
    if alerts.iter().any(|alert| alert["labels"]["component"] != id) {
        alerts.retain(|alert| alert["labels"]["component"] != id);
    }
}

/// What alerts: a part of what deviates clearly, the callers rather than the root.
fn alerts(
    estate: &Estate,
    names: &[&str; 4],
    effects: &Effects,
    values: &BTreeMap<(usize, usize), (Vec<f64>, f64)>,
    (onset, samples, step): (usize, usize, usize),
    random: &mut Random,
) -> Vec<Value> {
    let wording = below(random, 4);
    let mut found = Vec::new();
    let covered = 0.4 + 0.5 * random.unit();
    let mut candidates = Vec::new();
    for ((at, metric), of) in effects {
        let Some((points, usual)) = values.get(&(*at, *metric)) else { continue };
        if *metric == 3 || !of.iter().any(|(_, to, _)| *to == samples) {
            continue;
        }
        let peak = points[onset..].iter().copied().fold(0.0, f64::max);
        let threshold = usual * between(random, 1.05, 1.5);
        if peak > threshold {
            let first = (onset..samples).find(|s| points[*s] > threshold).unwrap_or(onset);
            candidates.push((*at, *metric, peak, threshold, (first + 1 + below(random, 2)).min(samples - 1)));
        }
    }
    for (place, (at, metric, peak, threshold, first)) in candidates.iter().enumerate() {
        if chance(random, covered) || (found.is_empty() && place + 1 == candidates.len()) {
            let time = START + (*first * step) as i64;
            found.push(alert(&estate.ids[*at], names[*metric], *peak, *threshold, time, wording));
        }
    }
    found
}

/// Ordinary lines from everything, for some time before; error lines of the root, and of its callers, which name what failed.
fn logs(
    estate: &Estate,
    roots: &[(usize, Kind)],
    effects: &Effects,
    (onset, samples, step): (usize, usize, usize),
    random: &mut Random,
) -> Value {
    let began = START + (onset * step) as i64;
    let end = START + ((samples - 1) * step) as i64;
    let before = [60, 600, 3000][below(random, 3)].min(began - START);
    let mut lines: BTreeMap<(usize, &str), Vec<(i64, String)>> = BTreeMap::new();
    for at in 0..estate.ids.len() {
        let every = 5 + below(random, 60) as i64;
        let mut time = began - before + below(random, 5) as i64;
        while time < end {
            let text = if chance(random, 0.9) {
                format!("request {} done in {} ms", random.next() % 9000, random.next() % 80)
            } else {
                format!("cache of {} entries swept", random.next() % 500)
            };
            lines.entry((at, "info")).or_default().push((time, text));
            if chance(random, 0.01) {
                lines.entry((at, "error")).or_default().push((time, format!("client {} went away", random.next() % 900)));
            }
            time += every;
        }
    }
    for (root, _) in roots {
        if chance(random, 0.6) {
            for line in 0..3 + below(random, 20) as i64 {
                let time = began + line * (end - began) / 24;
                lines.entry((*root, "error")).or_default().push((time, format!("cannot read table {}: no space left", random.next() % 90)));
            }
        }
        for caller in 0..*root {
            if estate.calls[caller].contains(root) && effects.contains_key(&(caller, 1)) && chance(random, 0.6) {
                for line in 0..3 + below(random, 20) as i64 {
                    let time = began + step as i64 / 2 + line * (end - began) / 24;
                    lines
                        .entry((caller, "error"))
                        .or_default()
                        .push((time, format!("upstream {} answered 500 for call {}", estate.ids[*root], random.next() % 900)));
                }
            }
        }
    }
    let streams: Vec<Value> = lines
        .into_iter()
        .map(|((at, level), mut of)| {
            of.sort();
            let of: Vec<Value> = of.into_iter().map(|(time, text)| json!([format!("{time}000000000"), text])).collect();
            json!({"stream": {"component": estate.ids[at], "level": level}, "values": of})
        })
        .collect();
    json!({"status": "success", "data": {"resultType": "streams", "result": streams}})
}
