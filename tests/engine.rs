//! Conditions, bindings and findings against expectations worked out by hand. The cases are the files in `tests/engine/`.

use std::collections::BTreeMap;

use compile::plan::Plan;
use compile::{Inputs, Scripts, compile};
use diag::{Sources, render};
use engine::Engine;
use estate::{ComponentId, Member, Snapshot, build};
use language::parse_file;
use script::RhaiScripts;
use serde::Deserialize;
use signal::{Alert, Change, Facts, LogLine, Origin, Present, Probe, Report, Series};
use value::{HOUR, Time, Truth, Unit};

/// Monday, 2025-01-06T00:00:00Z.
const START: Time = Time(1_736_121_600_000);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    model: Option<serde_json::Value>,
    topology: serde_json::Value,
    #[serde(default)]
    series: Vec<SeriesCase>,
    #[serde(default)]
    baseline: Vec<SeriesCase>,
    #[serde(default)]
    alerts: Vec<AlertCase>,
    #[serde(default)]
    logs: Vec<EventCase>,
    #[serde(default)]
    changes: Vec<EventCase>,
    #[serde(default)]
    probes: Vec<ProbeCase>,
    #[serde(default)]
    reports: Vec<EventCase>,
    #[serde(default)]
    absent: Vec<String>,
    #[serde(default)]
    scripts: Option<String>,
    rules: String,
    #[serde(default)]
    expect: Vec<Expect>,
    #[serde(default)]
    findings: Option<Vec<FindingCase>>,
    #[serde(default)]
    at: Option<String>,
    #[serde(default)]
    window: Option<String>,
    #[serde(default)]
    bindings: BTreeMap<String, Vec<Vec<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeriesCase {
    component: String,
    metric: String,
    every: String,
    values: serde_json::Value,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    from: Option<String>,
    /// A pod that the topology does not have.
    #[serde(default)]
    instance: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlertCase {
    #[serde(default)]
    component: Option<String>,
    name: String,
    #[serde(default)]
    text: String,
    from: String,
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    instance: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventCase {
    #[serde(default)]
    component: Option<String>,
    at: String,
    #[serde(default)]
    text: String,
    #[serde(default, alias = "labels")]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    instance: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProbeCase {
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    to: Option<String>,
    at: String,
    success: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    rule: String,
    of: Vec<String>,
    at: String,
    is: String,
    #[serde(default)]
    says: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FindingCase {
    rule: String,
    of: Vec<String>,
    since: String,
    #[serde(default)]
    until: Option<String>,
    #[serde(default)]
    overridden: Option<String>,
}

/// `1h30m`, `-1d`, `4m59s999ms`.
fn span(text: &str) -> i64 {
    let (sign, mut rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let mut total = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let number: i64 = number.parse().unwrap_or_else(|_| panic!("invalid time `{text}`"));
        if number != 0 || !unit.is_empty() {
            #[allow(clippy::cast_possible_truncation)]
            let factor = Unit::parse(unit).unwrap_or_else(|| panic!("`{text}` has no unit")).factor as i64;
            total += number * factor;
        }
        rest = tail;
    }
    sign * total
}

fn time(text: &str) -> Time {
    START.plus(span(text))
}

/// Prometheus' shorthand for samples.
fn values(text: &str) -> Vec<Option<f64>> {
    let mut values = Vec::new();
    for word in text.split_whitespace() {
        let (body, times) = match word.rsplit_once('x') {
            Some((body, times)) => (body, times.parse::<usize>().unwrap()),
            None => (word, 0),
        };
        if body == "_" {
            values.extend(std::iter::repeat_n(None, times.max(1)));
            continue;
        }
        if body == "stale" {
            values.push(Some(f64::NAN));
            continue;
        }
        let split = body.char_indices().skip(1).find(|(i, c)| matches!(c, '+' | '-') && !body[..*i].ends_with('e')).map(|(i, _)| i);
        let (start, step) = split.map_or((body, 0.0), |i| (&body[..i], body[i..].parse().unwrap()));
        let start: f64 = start.parse().unwrap_or_else(|_| panic!("`{word}` is no value"));
        #[allow(clippy::cast_precision_loss)]
        values.extend((0..=times).map(|n| Some(start + step * n as f64)));
    }
    values
}

struct World {
    estate: Snapshot,
    plan: Plan,
    scripts: RhaiScripts,
    facts: Facts,
}

fn world(case: &Case) -> World {
    let mut sources = Sources::default();
    let model: Vec<_> = case.model.iter().map(|m| sources.add("model.yaml", m.to_string())).collect();
    let topology = sources.add("topology.yaml", case.topology.to_string());
    let (estate, mut diagnostics) = build(&sources, &model, &[topology]);
    let script: Vec<_> = case.scripts.iter().map(|s| sources.add("a.rhai", s.clone())).collect();
    let (scripts, found) = RhaiScripts::compile(&sources, &script);
    diagnostics.extend(found);
    let rules = sources.add("a.rules", case.rules.clone());
    let (file, found) = parse_file(&sources, rules);
    diagnostics.extend(found);
    let (plan, found) = compile(Inputs { sources: &sources, estate: &estate, files: &[file], scripts: scripts.functions(), cases: None });
    diagnostics.extend(found);
    assert!(!diagnostics.iter().any(diag::Diagnostic::is_error), "{}:\n{}", case.name, render(&sources, &diagnostics, false, false));
    let facts = facts(case, &estate);
    World { estate, plan, scripts, facts }
}

fn facts(case: &Case, estate: &Snapshot) -> Facts {
    let find = |id: &str| estate.find(id).unwrap_or_else(|| panic!("{}: no component {id}", case.name));
    let maybe = |id: &Option<String>| id.as_deref().map(find);
    let origin = |file: &str, index: usize| Origin { file: file.to_owned(), index };
    let series = |list: &[SeriesCase], file: &str| -> Vec<Series> {
        list.iter()
            .enumerate()
            .map(|(index, s)| {
                let component = find(&s.component);
                let Some(Member::Metric(def)) = estate.model().member(&estate.component(component).kind, &s.metric) else {
                    panic!("{}: no metric {}", case.name, s.metric)
                };
                let start = s.from.as_deref().map_or(START, time);
                let text = s.values.as_str().map_or_else(|| s.values.to_string(), str::to_owned);
                let points = values(&text).into_iter().enumerate();
                #[allow(clippy::cast_possible_wrap)]
                let points = points.filter_map(|(n, v)| v.map(|v| (start.plus(span(&s.every) * n as i64), v * def.unit.factor))).collect();
                Series {
                    origin: origin(file, index),
                    component: Some(component),
                    instance: s.instance.clone(),
                    metric: def.name.clone(),
                    modelled: true,
                    labels: s.labels.clone(),
                    points,
                }
            })
            .collect()
    };
    let here = |kind: &str| !case.absent.iter().any(|a| a == kind);
    let mut facts = Facts {
        alerts: case
            .alerts
            .iter()
            .enumerate()
            .map(|(i, a)| Alert {
                origin: origin("alerts.json", i),
                component: maybe(&a.component),
                instance: a.instance.clone(),
                name: a.name.clone(),
                text: format!("{}\n{}", a.name, a.text),
                summary: a.text.clone(),
                severity: a.labels.get("severity").cloned(),
                labels: a.labels.clone(),
                start: time(&a.from),
                end: a.to.as_deref().map_or(Time::MAX, time),
                duplicates: 0,
                flaps: 0,
                trouble: signal::Trouble::default(),
                muted: None,
                measured: None,
            })
            .collect(),
        series: series(&case.series, "metrics.json"),
        baseline: series(&case.baseline, "baseline.json"),
        logs: case
            .logs
            .iter()
            .enumerate()
            .map(|(i, l)| LogLine {
                origin: origin("logs.json", i),
                component: maybe(&l.component),
                instance: l.instance.clone(),
                time: time(&l.at),
                text: l.text.clone(),
                labels: l.attributes.clone(),
            })
            .collect(),
        changes: case
            .changes
            .iter()
            .enumerate()
            .map(|(i, c)| Change {
                origin: origin("events.ndjson", i),
                component: maybe(&c.component),
                instance: c.instance.clone(),
                time: time(&c.at),
                text: c.text.clone(),
                attributes: c.attributes.clone(),
            })
            .collect(),
        probes: case
            .probes
            .iter()
            .enumerate()
            .map(|(i, p)| Probe {
                origin: origin("events.ndjson", i),
                from: maybe(&p.from),
                component: maybe(&p.to),
                time: time(&p.at),
                success: p.success,
                text: String::new(),
            })
            .collect(),
        reports: case
            .reports
            .iter()
            .enumerate()
            .map(|(i, r)| Report {
                origin: origin("events.ndjson", i),
                component: maybe(&r.component),
                time: time(&r.at),
                text: r.text.clone(),
                attributes: r.attributes.clone(),
            })
            .collect(),
        present: Present { alerts: here("alerts"), metrics: here("metrics"), logs: here("logs"), events: here("events") },
        ..Facts::default()
    };
    facts.index();
    facts
}

fn run(case: &Case, wrong: &mut Vec<String>) {
    let world = world(case);
    let ids = |names: &[String]| -> Vec<ComponentId> {
        names.iter().map(|n| world.estate.find(n).unwrap_or_else(|| panic!("{}: no component {n}", case.name))).collect()
    };
    let last = case.at.as_deref().map(time).or_else(|| case.expect.iter().map(|e| time(&e.at)).max()).unwrap_or(START);
    let lookback = case.window.as_deref().map_or(HOUR, span);
    let engine = Engine::new(&world.plan, &world.estate, &world.facts, &world.scripts, last, lookback);
    let findings = engine.findings();
    for expect in &case.expect {
        let rule = world.plan.rules.get(&expect.rule).unwrap_or_else(|| panic!("{}: no rule {}", case.name, expect.rule));
        let evidence = engine.evidence(rule, &ids(&expect.of), &findings, time(&expect.at));
        let found = match evidence.truth {
            Truth::True => "true",
            Truth::False => "false",
            Truth::Unknown => "unknown",
        };
        let locale = words::Locale::default();
        let writer = words::Writer { locale: &locale, estate: &world.estate };
        let told = |evidence: &engine::Evidence<'_>| {
            let mut view = evidence.view(&world.estate, &world.facts);
            writer.tell_evidence(&mut view);
            let sources: Vec<String> = view.sources.into_iter().map(|source| source.text).collect();
            [vec![view.text], sources].concat()
        };
        let texts: Vec<String> = evidence.atoms().iter().flat_map(|(e, _)| told(e)).collect();
        if found != expect.is {
            wrong.push(format!(
                "{}: {} of {:?} at {} is {found}, not {}\n    {}",
                case.name,
                expect.rule,
                expect.of,
                expect.at,
                expect.is,
                texts.join("\n    ")
            ));
        }
        if let Some(says) = expect.says.as_ref().filter(|says| !texts.iter().any(|t| t.contains(says.as_str()))) {
            wrong.push(format!("{}: {} at {} does not say `{says}`\n    {}", case.name, expect.rule, expect.at, texts.join("\n    ")));
        }
    }
    if let Some(expected) = &case.findings {
        let shown: Vec<String> = findings
            .iter()
            .map(|f| show(&world.estate, &f.rule.id, &f.binding, f.since, f.until, f.overridden.as_ref().map(|(by, _)| by)))
            .collect();
        let mut wanted: Vec<String> = expected
            .iter()
            .map(|f| show(&world.estate, &f.rule, &ids(&f.of), time(&f.since), f.until.as_deref().map(time), f.overridden.as_ref()))
            .collect();
        wanted.sort();
        let mut sorted = shown.clone();
        sorted.sort();
        if sorted != wanted {
            wrong.push(format!("{}: findings are\n    {}\n  not\n    {}", case.name, sorted.join("\n    "), wanted.join("\n    ")));
        }
    }
    for (rule, expected) in &case.bindings {
        let rule = world.plan.rules.get(rule).unwrap_or_else(|| panic!("{}: no rule {rule}", case.name));
        let mut found: Vec<Vec<String>> =
            engine.bindings(rule).into_iter().map(|b| b.into_iter().map(|c| world.estate.component(c).id.clone()).collect()).collect();
        let mut expected = expected.clone();
        found.sort();
        expected.sort();
        if found != expected {
            wrong.push(format!("{}: bindings of {} are {found:?}, not {expected:?}", case.name, rule.id));
        }
    }
}

fn show(estate: &Snapshot, rule: &str, binding: &[ComponentId], since: Time, until: Option<Time>, overridden: Option<&String>) -> String {
    let names: Vec<&str> = binding.iter().map(|c| estate.component(*c).id.as_str()).collect();
    let until = until.map_or_else(|| "now".to_owned(), |t| t.since(START).to_string());
    format!(
        "{rule} of {names:?} from {} to {until}{}",
        since.since(START),
        overridden.map_or_else(String::new, |by| format!(" overridden by {by}"))
    )
}

/// As project files are read: `y` and `no` are texts.
fn options() -> serde_saphyr::Options {
    let mut options = serde_saphyr::Options::default();
    options.strict_booleans = true;
    options
}

#[test]
fn conditions_are_what_they_say() {
    let mut wrong = Vec::new();
    let mut cases = 0;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let list: Vec<Case> = serde_saphyr::from_str_with_options(&text, options()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for case in list {
            cases += 1;
            let before = wrong.len();
            run(&case, &mut wrong);
            for line in wrong.iter_mut().skip(before) {
                *line = format!("{}: {line}", path.file_name().unwrap().to_string_lossy());
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cases} cases:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases > 100, "{cases} cases");
}
