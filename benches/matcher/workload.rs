//! The common workload in our terms: its estate, its rules in the rule language, its events as facts, and what counts as a
//! match of theirs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use compile::plan::Plan;
use compile::{Inputs, compile};
use diag::{Diagnostic, Sources, render};
use engine::matcher::{Emitted, Event, Fact, Matcher, Prepared, SeriesKey};
use estate::{ComponentId, Declared, DeclaredComponent, DeclaredRelation, Snapshot, Written, build, build_declared};
use language::parse_file;
use serde::Deserialize;
use signal::{Alert, LogLine, Origin};
use value::Time;

const TYPES: [&str; 10] = ["biz", "lb", "service_", "pod_", "mq", "cache_", "db", "vm", "host_", "switch_"];
/// As the workload's metrics and alerts call them.
const PREFIXES: [&str; 10] = ["biz", "lb", "service", "pod", "mq", "cache", "db", "vm", "host", "switch"];
const METRICS: usize = 50;
/// All its windows are of 300 s, both ends included; ours leave the earlier end out.
const WINDOW: i64 = 300_000;

#[derive(Deserialize)]
struct Bound {
    name: String,
    thr: f64,
}

#[derive(Deserialize)]
struct Rule {
    id: usize,
    kind: usize,
    #[serde(default)]
    on: String,
    #[serde(default)]
    name: String,
    group: Option<u32>,
    #[serde(default)]
    thr: f64,
    #[serde(default)]
    sev: u8,
    #[serde(default)]
    conds: Vec<Bound>,
    #[serde(default)]
    alert_kw: String,
    #[serde(default)]
    log_kw: String,
    #[serde(default)]
    metric: String,
}

#[derive(Deserialize)]
struct EventLine<'a> {
    seq: usize,
    ts: i64,
    kind: &'a str,
    comp: u32,
    name: &'a str,
    value: f64,
    sev: u8,
    msg: &'a str,
}

/// What of an event the count needs.
#[derive(Clone, Copy)]
pub struct Line {
    pub ts: i64,
    /// The value of a sample.
    pub value: Option<f64>,
}

pub struct Workload {
    pub estate: Arc<Snapshot>,
    /// The workload numbers them in this order.
    components: Vec<ComponentId>,
    rules: Vec<Rule>,
    series: Arc<SeriesKey>,
}

fn u32s(path: &str) -> Vec<u32> {
    std::fs::read(path).unwrap().chunks_exact(4).map(|c| u32::from_le_bytes(c.try_into().unwrap())).collect()
}

impl Workload {
    pub fn load(dir: &str, rules: &str) -> Self {
        let mut model = String::from("types:\n  component:\n    attributes:\n      group: {kind: text}\n    metrics:\n");
        for prefix in PREFIXES {
            for metric in 0..METRICS {
                let _ = writeln!(model, "      {prefix}_m{metric:02}: {{unit: count, staleness: 5m, aggregate: max}}");
            }
        }
        for kind in TYPES {
            let _ = writeln!(model, "  {kind}:\n    parent: component");
        }
        let mut sources = Sources::default();
        let model = sources.add("model.yaml", model);
        let (empty, said) = build(&sources, &[model], &[]);
        assert!(!said.iter().any(Diagnostic::is_error), "{}", render(&sources, &said, false, false));
        let groups = u32s(&format!("{dir}/groups.u32"));
        let components = std::fs::read(format!("{dir}/types.u8"))
            .unwrap()
            .into_iter()
            .zip(&groups)
            .enumerate()
            .map(|(at, (kind, group))| DeclaredComponent {
                id: format!("c{at:07}"),
                kind: TYPES[usize::from(kind)].to_owned(),
                attributes: BTreeMap::from([("group".to_owned(), Written::Text(group.to_string()))]),
                ..DeclaredComponent::default()
            })
            .collect();
        let id = |at: u32| format!("c{at:07}");
        let relation = |pair: &[u32]| DeclaredRelation {
            from: id(pair[0]),
            kind: "depends_on".to_owned(),
            to: id(pair[1]),
            ..DeclaredRelation::default()
        };
        let relations = u32s(&format!("{dir}/edges.u32")).chunks_exact(2).map(relation).collect();
        let (estate, _) = build_declared(empty.model().clone(), Declared { components, relations, ..Declared::default() });
        let rules = serde_json::from_slice(&std::fs::read(rules).unwrap()).unwrap();
        let series =
            Arc::new(SeriesKey { labels: BTreeMap::new(), origin: Origin { file: "events.jsonl".to_owned(), index: 0 }, instance: None });
        Workload { components: estate.ids().collect(), estate: Arc::new(estate), rules, series }
    }

    /// The rules as an expert would write them.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for rule in &self.rules {
            let of = |name: &str| PREFIXES.iter().position(|p| name.starts_with(&format!("{p}_"))).map_or("component", |at| TYPES[at]);
            let filter = rule.group.map_or_else(String::new, |group| format!(" where group = \"{group}\""));
            let (kind, condition) = match rule.kind {
                1 if rule.on == "metric" => (of(&rule.name), format!("c.{} > {}", rule.name, rule.thr)),
                1 => {
                    let each = (rule.sev..=5).map(|sev| format!("alert \"{}\" with sev = \"{sev}\" on c", rule.name));
                    (of(&rule.name), each.collect::<Vec<_>>().join(" or "))
                }
                2 => {
                    let each = rule.conds.iter().map(|c| format!("c.{} > {}", c.name, c.thr));
                    (of(&rule.conds[0].name), format!("({}) for 5m", each.collect::<Vec<_>>().join(" and ")))
                }
                _ => {
                    let (alert, log, metric, bound) = (&rule.alert_kw, &rule.log_kw, &rule.metric, rule.thr);
                    let window = WINDOW + 1;
                    let condition = format!(
                        "alert matching \"\\b{alert}\\b\" on c within {window}ms
         and (log matching \"\\b{log}\\b\" on c within {window}ms or log matching \"\\b{log}\\b\" on direct dependencies of c within {window}ms)
         and (peak of c.{metric} within {window}ms > {bound} or any direct dependency of c has peak of {metric} within {window}ms > {bound})"
                    );
                    ("component", condition)
                }
            };
            let _ = writeln!(
                text,
                "TOP-{:05} \"Rule {}\" {{\n  given c: {kind}{filter}\n  if {condition}\n  then fault \"f\" at c\n  impact c\n}}\n",
                rule.id, rule.id
            );
        }
        text
    }

    pub fn compile(&self, text: &str) -> Plan {
        let mut sources = Sources::default();
        let file = sources.add("rules.rules", text);
        let (file, mut said) = parse_file(&sources, file);
        let (plan, found) =
            compile(Inputs { sources: &sources, estate: &self.estate, files: &[file], scripts: &BTreeMap::new(), cases: None });
        said.extend(found);
        assert!(said.is_empty(), "{}", render(&sources, &said[..said.len().min(3)], false, false));
        plan
    }

    /// An event as a fact, made ready.
    pub fn ready(&self, matcher: &Matcher, line: &str) -> (Prepared, Line) {
        let event: EventLine<'_> = serde_json::from_str(line).unwrap();
        let component = Some(self.components[event.comp as usize]);
        let time = Time(event.ts);
        let origin = || Origin { file: "events.jsonl".to_owned(), index: event.seq };
        match event.kind {
            "metric" => {
                let value = event.value;
                (matcher.prepare_sample(component, event.name, &self.series, time, value), Line { ts: event.ts, value: Some(value) })
            }
            "alert" => {
                let alert = Alert {
                    origin: origin(),
                    component,
                    instance: None,
                    name: event.name.to_owned(),
                    text: format!("{}\n{}", event.name, event.msg),
                    summary: String::new(),
                    severity: None,
                    labels: BTreeMap::from([("sev".to_owned(), event.sev.to_string()), ("seq".to_owned(), event.seq.to_string())]),
                    start: time,
                    // It says that it was so at this moment.
                    end: time.plus(1),
                    duplicates: 0,
                    flaps: 0,
                    trouble: signal::Trouble::default(),
                    muted: None,
                    measured: None,
                };
                (matcher.prepare(Fact::Alert(alert)), Line { ts: event.ts, value: None })
            }
            _ => {
                let log =
                    LogLine { origin: origin(), component, instance: None, time, text: event.msg.to_owned(), labels: BTreeMap::new() };
                (matcher.prepare(Fact::Log(log)), Line { ts: event.ts, value: None })
            }
        }
    }
}

/// Counts matches as the workload's oracle does: of kind 1 one for each event at which it holds, of kind 2 the first event at
/// which it has held for 300 s, of kind 3 one for each event that completes it, at most one in 300 s.
pub struct Counter {
    kinds: Vec<u8>,
    bounds: Vec<f64>,
    pub counts: [u64; 3],
    /// Findings of kind 2 that were counted, and when those of kind 3 were.
    counted: BTreeMap<u32, i64>,
}

impl Counter {
    pub fn new(work: &Workload) -> Self {
        let mut rules: Vec<&Rule> = work.rules.iter().collect();
        rules.sort_by_key(|r| format!("TOP-{:05}", r.id));
        let kinds = rules.iter().map(|r| u8::try_from(r.kind).unwrap()).collect();
        Counter { kinds, bounds: rules.iter().map(|r| r.thr).collect(), counts: [0; 3], counted: BTreeMap::new() }
    }

    /// What an event made happen: `out` from `passed` on; what stands before, time alone did.
    pub fn count(&mut self, out: &[Emitted], passed: usize, line: &Line) {
        for (at, emitted) in out.iter().enumerate() {
            let by_event = at >= passed;
            match self.kinds[emitted.rule as usize] {
                1 => self.counts[0] += u64::from(by_event && emitted.event != Event::Ended),
                2 => match emitted.event {
                    Event::Ended => {
                        self.counted.remove(&emitted.finding);
                    }
                    Event::Started | Event::Changed => {
                        if by_event && self.counted.insert(emitted.finding, 0).is_none() {
                            self.counts[1] += 1;
                        }
                    }
                },
                _ => {
                    // A sample below the bound changes the finding, but completes nothing.
                    let completes = line.value.is_none_or(|value| value > self.bounds[emitted.rule as usize]);
                    if by_event && completes && emitted.event != Event::Ended {
                        let last = self.counted.get(&emitted.finding);
                        if last.is_none_or(|last| line.ts - last > WINDOW) {
                            self.counted.insert(emitted.finding, line.ts);
                            self.counts[2] += 1;
                        }
                    }
                }
            }
        }
    }
}
