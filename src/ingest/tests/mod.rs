//! Tests as data: a body as a tool sends it, and what must come of it, as text. Bodies of JSON are files in `tests/ingest/`, each beside what
//! is expected; messages of protobuf are put together here.

mod answers;
mod bodies;
mod otlp;
mod recorded;
mod remote_write;
mod routes;
mod spans;

use diag::{Diagnostic, Sources};
use estate::{ComponentId, Snapshot};
use prost::Message;
use signal::{MappingRules, Resolver};
use value::Time;

use super::{Ignored, Protocol, Refusal, Taken, read};

const MODEL: &str = r#"
types:
  box:
    parent: component
    zh: 盒子
    attributes: {address: text}
    metrics:
      load: {unit: "%", zh: 负载}
      delay: {unit: ms, zh: 延时}
"#;

const TOPOLOGY: &str = r#"
components:
  - {id: order-db, type: box, attributes: {address: "10.0.0.1"}}
  - {id: order-service, type: box}
"#;

/// 2025-06-01T10:00:00Z, when every request comes.
const RECEIVED: Time = Time(1_748_772_000_000);

/// The same in nanoseconds.
const TEN: u64 = 1_748_772_000_000_000_000;

fn estate() -> Snapshot {
    let mut sources = Sources::default();
    let model = sources.add("model.yaml", MODEL);
    let topology = sources.add("topology.yaml", TOPOLOGY);
    let (snapshot, diagnostics) = estate::build(&sources, &[model], &[topology]);
    assert!(!diagnostics.iter().any(Diagnostic::is_error), "{diagnostics:?}");
    snapshot
}

/// What comes of a body.
fn take(protocol: Protocol, body: &[u8]) -> Result<Taken, Refusal> {
    let (estate, placement) = (estate(), MappingRules::default());
    let taken = read(protocol, body, RECEIVED, &Resolver::new(&placement, &estate))?;
    assert!(taken.counts.adds_up(), "every entry is in exactly one place: {:?}", taken.counts);
    assert_eq!(taken.facts.alerts.len(), taken.deadlines.len());
    Ok(taken)
}

/// The same as lines: what was taken by its kind, then what was not, then the sums.
fn render(protocol: Protocol, body: &[u8]) -> String {
    let taken = match take(protocol, body) {
        Ok(taken) => taken,
        Err(refusal) => return format!("{:?} {} {}\n", refusal.why, refusal.code, refusal.message),
    };
    let estate = estate();
    let place = |component: Option<ComponentId>| component.map_or("?", |c| estate.component(c).id.as_str());
    let facts = &taken.facts;
    let mut lines = Vec::new();
    for (alert, deadline) in facts.alerts.iter().zip(&taken.deadlines) {
        let clock = |time: Time| if time == Time::MAX { "...".to_owned() } else { time.clock() };
        let severity = alert.severity.as_deref().unwrap_or("-");
        let (start, end) = (alert.start.clock(), clock(alert.end));
        let until = if *deadline == Time::MAX { String::new() } else { format!(" until {}", deadline.clock()) };
        lines.push(format!("alert {} {} {severity} {start}-{end}{until}: {}", place(alert.component), alert.name, alert.summary));
    }
    for series in &facts.series {
        let points: Vec<String> = series.points.iter().map(|(time, value)| format!("{}={value}", time.clock())).collect();
        let labels = series.labels.iter().filter(|(name, _)| *name != "__name__");
        let labels: Vec<String> = labels.map(|(name, value)| format!("{name}={value}")).collect();
        let modelled = if series.modelled { "" } else { "*" };
        let place = place(series.component);
        lines.push(format!("series {place} {}{modelled} {{{}}} {}", series.metric, labels.join(","), points.join(" ")));
    }
    for line in &facts.logs {
        let level = line.level().unwrap_or("-");
        lines.push(format!("log {} {} {level} {:?}", place(line.component), line.time.clock(), line.text));
    }
    for change in &facts.changes {
        lines.push(format!("change {} {} {:?}", place(change.component), change.time.clock(), change.text));
    }
    for probe in &facts.probes {
        lines.push(format!("probe {} {} {} {:?}", place(probe.component), probe.time.clock(), probe.success, probe.text));
    }
    for report in &facts.reports {
        lines.push(format!("report {} {} {:?}", place(report.component), report.time.clock(), report.text));
    }
    for score in &facts.scores {
        lines.push(format!("score {} {} {}", place(score.component), score.time.clock(), score.source));
    }
    lines.sort();
    if !taken.spans.is_empty() {
        lines.push(format!("spans {}", taken.spans.len()));
    }
    lines.extend(taken.rejected.iter().map(|one| format!("rejected {} {} {}", one.position, one.code, one.reason)));
    if taken.ignored != Ignored::default() {
        let Ignored { histograms, exemplars, infinite } = taken.ignored;
        lines.push(format!("ignored {histograms} histograms, {exemplars} exemplars, {infinite} infinite"));
    }
    lines.push(format!("{} accepted, {} refused", taken.accepted, taken.refused));
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

fn lines(expected: &[&str]) -> String {
    expected.iter().flat_map(|line| [*line, "\n"]).collect()
}

/// Reading a body gives these lines.
fn check(protocol: Protocol, body: &[u8], expected: &[&str]) {
    assert_eq!(render(protocol, body), lines(expected), "{protocol:?} {}", String::from_utf8_lossy(body));
}

/// The same for a message of protobuf.
fn check_message(protocol: Protocol, message: &impl Message, expected: &[&str]) {
    check(protocol, &message.encode_to_vec(), expected);
}
