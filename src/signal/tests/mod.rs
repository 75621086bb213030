//! Tests as data: a file as a tool wrote it, and the facts that must come of it, as text.

mod alerts;
mod answers;
mod bundles;
mod cluster;
mod counters;
mod events;
mod kubernetes;
mod logs;
mod mapping;
mod metrics;
mod placing;
mod scores;
mod spans;
mod subjects;

use std::fmt::Write;

use diag::{Diagnostic, Sources};
use estate::{self, ComponentId, Snapshot};
use value::Time;

use super::{BundleText, Counts, Facts, MappingRules, read_facts};

const MODEL: &str = r#"
types:
  box:
    parent: component
    zh: 盒子
    attributes: {address: text, serial: text}
    metrics:
      load: {unit: "%", zh: 负载}
      delay: {unit: ms, zh: 延时}
      links: {unit: count, zh: 链路数}
      hits: {unit: /min, zh: 命中次数}
      traffic: {unit: B/s, zh: 流量}
      moves_total: {unit: /s, zh: 移动次数}
      fill: {unit: "%", zh: 充满度, aggregate: max}
  crate: {parent: box, zh: 箱子}
"#;

const TOPOLOGY: &str = r#"
components:
  - {id: order-db, type: box, name: 订单数据库, attributes: {address: "10.0.0.1"}}
  - {id: order-service, type: crate, attributes: {serial: S-1}}
  - {id: shop/cart-0, type: box}
  - {id: twin-1, type: box, name: twin, attributes: {address: "10.0.0.9"}}
  - {id: twin-2, type: box, name: twin, attributes: {address: "10.0.0.9"}}
"#;

fn estate() -> Snapshot {
    let mut sources = Sources::default();
    let model = sources.add("model.yaml", MODEL);
    let topology = sources.add("topology.yaml", TOPOLOGY);
    let (snapshot, diagnostics) = estate::build(&sources, &[model], &[topology]);
    assert!(!diagnostics.iter().any(Diagnostic::is_error), "{diagnostics:?}");
    snapshot
}

/// A bundle of the files given.
fn bundle(files: &[(&str, &str)]) -> BundleText {
    let mut text = BundleText::default();
    for (name, content) in files {
        let file = Some(((*name).to_owned(), content.as_bytes().to_vec()));
        match *name {
            "alerts.json" => text.alerts = file,
            "metrics.json" => text.metrics = file,
            "baseline.json" => text.baseline = file,
            "traces.json" => text.traces = file,
            "baseline-traces.json" => text.baseline_traces = file,
            "logs.json" => text.logs = file,
            "events.ndjson" => text.events = file,
            "changes.json" => text.changes = file,
            "scores.json" | "scores.ndjson" => text.scores.extend(file),
            other => panic!("no file of a bundle: {other}"),
        }
    }
    text
}

fn facts(files: &[(&str, &str)]) -> (Facts, Counts, Vec<Diagnostic>) {
    facts_by("", files)
}

/// With this `sources.yaml`.
fn facts_by(sources: &str, files: &[(&str, &str)]) -> (Facts, Counts, Vec<Diagnostic>) {
    let mut all = Sources::default();
    let id = all.add("sources.yaml", sources);
    let (rules, diagnostics) = MappingRules::read(&all, id);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let read = read_facts(&bundle(files), &estate(), &rules);
    assert!(read.1.adds_up(), "every signal is in exactly one place: {:?}", read.1);
    read
}

/// Facts, then what was set aside, then diagnostics, one a line.
fn render(files: &[(&str, &str)]) -> String {
    render_by("", files)
}

/// With this `sources.yaml`.
fn render_by(sources: &str, files: &[(&str, &str)]) -> String {
    let estate = estate();
    let (facts, _, diagnostics) = facts_by(sources, files);
    let mut text = String::new();
    let place = |component: Option<ComponentId>| component.map_or("?", |c| estate.component(c).id.as_str());
    for alert in &facts.alerts {
        let end = if alert.end == Time::MAX { "...".to_owned() } else { alert.end.clock() };
        let (name, start) = (&alert.name, alert.start.clock());
        writeln!(text, "alert {} {name} {start}-{end} dup {} flaps {}", place(alert.component), alert.duplicates, alert.flaps).unwrap();
    }
    for (list, word) in [(&facts.series, "series"), (&facts.baseline, "baseline")] {
        for series in list {
            let points: Vec<String> = series.points.iter().map(|(time, value)| format!("{}={value}", time.clock())).collect();
            let modelled = if series.modelled { "" } else { "*" };
            writeln!(text, "{word} {} {}{modelled} {}", place(series.component), series.metric, points.join(" ")).unwrap();
        }
    }
    for line in &facts.logs {
        writeln!(text, "log {} {} {}", place(line.component), line.time.clock(), line.text).unwrap();
    }
    for change in &facts.changes {
        writeln!(text, "change {} {} {:?}", place(change.component), change.time.clock(), change.text).unwrap();
    }
    for probe in &facts.probes {
        let (from, to) = (place(probe.from), place(probe.component));
        writeln!(text, "probe {from}>{to} {} {} {:?}", probe.time.clock(), probe.success, probe.text).unwrap();
    }
    for report in &facts.reports {
        let region = report.attributes.get("region").map_or("", String::as_str);
        writeln!(text, "report {} {} {:?} {region}", place(report.component), report.time.clock(), report.text).unwrap();
    }
    for unread in &facts.unread {
        writeln!(text, "unread {} {}", unread.origin.index, unread.reason).unwrap();
    }
    for diagnostic in &diagnostics {
        writeln!(text, "{} {}", diagnostic.code, diagnostic.message).unwrap();
    }
    text
}

fn lines(expected: &[&str]) -> String {
    expected.iter().flat_map(|line| [*line, "\n"]).collect()
}

/// Reading one file gives these lines.
fn check(file: &str, input: &str, expected: &[&str]) {
    assert_eq!(render(&[(file, input)]), lines(expected), "{input}");
}

/// Reading one file gives no facts, and one error that begins like this.
fn check_error(file: &str, input: &str, code: &str, beginning: &str) {
    let text = render(&[(file, input)]);
    assert_eq!(text.lines().count(), 1, "{input}: {text}");
    assert!(text.starts_with(&format!("{code} {beginning}")), "{input}: {text}");
}
