//! Runs a case through the matcher, and holds every step against the plain engine over all facts so far.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use compile::plan::{Plan, Status};
use compile::{Inputs, Scripts, compile};
use diag::Sources;
use engine::matcher::{Emitted, Event, Fact, Limits, Matcher, Sample, SeriesKey, Setup};
use engine::{Engine, Evidence, Finding, WhyNot};
use estate::{ComponentId, Snapshot, build};
use language::parse_file;
use script::RhaiScripts;
use signal::{Alert, Change, Facts, LogLine, Origin, Present, Probe, Report, Series};
use value::{Duration, MINUTE, Time};

use super::random::{Case, Step};

/// Monday, 2025-01-06T00:00:00Z.
pub const START: Time = Time(1_736_121_600_000);
/// Short, so that sequences outlast it.
const LOOKBACK: Duration = 10 * MINUTE;

const SCRIPT: &str = "fn big(c) { let all = c.metrics[\"cpu_usage\"]; if all == () { 0 } else { all[all.len() - 1][1] } }";

/// What a case made happen.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    pub rules: usize,
    pub steps: usize,
    pub started: usize,
    pub changed: usize,
    pub ended: usize,
    pub late: usize,
    pub findings: usize,
    pub near_misses: usize,
}

impl Seen {
    pub fn add(&mut self, other: &Seen) {
        self.rules += other.rules;
        self.steps += other.steps;
        self.started += other.started;
        self.changed += other.changed;
        self.ended += other.ended;
        self.late += other.late;
        self.findings += other.findings;
        self.near_misses += other.near_misses;
    }
}

/// The facts so far, kept as the plain engine reads them: what the matcher promises, said the simple way.
#[derive(Default)]
struct Ledger {
    alerts: Vec<Alert>,
    logs: Vec<LogLine>,
    changes: Vec<Change>,
    probes: Vec<Probe>,
    reports: Vec<Report>,
    series: BTreeMap<(ComponentId, String, SeriesKey), BTreeMap<Time, f64>>,
    baseline: Vec<Series>,
}

impl Ledger {
    fn add(&mut self, fact: &Fact) {
        fn new<T: Clone>(list: &mut Vec<T>, item: &T, origin: fn(&T) -> &Origin) {
            if !list.iter().any(|known| origin(known) == origin(item)) {
                list.push(item.clone());
            }
        }
        match fact {
            Fact::Alert(alert) => {
                match self.alerts.iter_mut().find(|a| a.labels == alert.labels && a.start == alert.start && a.name == alert.name) {
                    Some(known) if alert.end == Time::MAX => known.duplicates += 1,
                    Some(known) if known.end == Time::MAX => known.end = alert.end,
                    Some(known) => known.end = known.end.max(alert.end),
                    None => self.alerts.push(alert.clone()),
                }
            }
            Fact::Log(log) => new(&mut self.logs, log, |l| &l.origin),
            Fact::Change(change) => new(&mut self.changes, change, |c| &c.origin),
            Fact::Probe(probe) => new(&mut self.probes, probe, |p| &p.origin),
            Fact::Report(report) => new(&mut self.reports, report, |r| &r.origin),
            Fact::Sample(sample) => {
                let Some(component) = sample.component else { return };
                let key = (component, sample.metric.clone(), sample.series.as_ref().clone());
                self.series.entry(key).or_default().insert(sample.time, sample.value);
            }
        }
    }

    fn facts(&self) -> Facts {
        let mut facts = Facts {
            alerts: self.alerts.clone(),
            logs: self.logs.clone(),
            changes: self.changes.clone(),
            probes: self.probes.clone(),
            reports: self.reports.clone(),
            series: self
                .series
                .iter()
                .map(|((component, metric, key), points)| Series {
                    origin: key.origin.clone(),
                    component: Some(*component),
                    instance: key.instance.clone(),
                    metric: metric.clone(),
                    modelled: true,
                    labels: key.labels.clone(),
                    points: points.iter().map(|(time, value)| (*time, *value)).collect(),
                })
                .collect(),
            baseline: self.baseline.clone(),
            present: Present { alerts: true, metrics: true, logs: true, events: true },
            ..Facts::default()
        };
        facts.index();
        facts
    }

    fn moved(&mut self, from: &Snapshot, to: &Snapshot) {
        let new = |old: Option<ComponentId>| old.and_then(|c| to.find(&from.component(c).id));
        self.alerts.iter_mut().for_each(|a| a.component = new(a.component));
        self.logs.iter_mut().for_each(|l| l.component = new(l.component));
        self.changes.iter_mut().for_each(|c| c.component = new(c.component));
        self.reports.iter_mut().for_each(|r| r.component = new(r.component));
        self.probes.iter_mut().for_each(|p| (p.component, p.from) = (new(p.component), new(p.from)));
        self.probes.retain(|p| p.component.is_some());
        self.baseline.iter_mut().for_each(|s| s.component = new(s.component));
        let old = std::mem::take(&mut self.series);
        self.series = old.into_iter().filter_map(|((c, m, k), points)| Some(((new(Some(c))?, m, k), points))).collect();
    }
}

pub struct Project {
    pub estate: Arc<Snapshot>,
    pub plan: Arc<Plan>,
}

pub fn project(topology: &str, rules: &[String], scripts: &RhaiScripts) -> Project {
    let mut sources = Sources::default();
    let topology = sources.add("topology.yaml", topology);
    let ids: Vec<_> = rules.iter().enumerate().map(|(at, rule)| sources.add(format!("{at}.rules"), rule.clone())).collect();
    let (estate, _) = build(&sources, &[], &[topology]);
    // A rule that chance made impossible is left out.
    let files: Vec<_> = ids.into_iter().map(|id| parse_file(&sources, id).0).collect();
    let (plan, diagnostics) =
        compile(Inputs { sources: &sources, estate: &estate, files: &files, scripts: scripts.functions(), cases: None });
    if std::env::var_os("FAULTSCOPE_SHOW").is_some() {
        eprintln!("{}", diag::render(&sources, &diagnostics, false, false));
    }
    Project { estate: Arc::new(estate), plan: Arc::new(plan) }
}

pub fn scripts() -> RhaiScripts {
    let mut sources = Sources::default();
    let file = sources.add("a.rhai", SCRIPT);
    RhaiScripts::compile(&sources, &[file]).0
}

/// Evidence whole, with the signals that it rests on, as text.
fn tell(evidence: &Evidence<'_>, estate: &Snapshot, facts: &Facts, depth: usize, into: &mut String) {
    let view = evidence.view(estate, facts);
    into.push_str(&format!("{:1$}{2}\n", "", depth * 2, serde_json::to_string(&view).unwrap()));
    evidence.children.iter().for_each(|child| tell(child, estate, facts, depth + 1, into));
}

type Key = (String, Vec<String>);

fn key(rule: &str, binding: &[ComponentId], estate: &Snapshot) -> Key {
    (rule.to_owned(), binding.iter().map(|c| estate.component(*c).id.clone()).collect())
}

/// Findings by rule and components: what they say, all of it.
fn told(findings: &[Finding<'_>], estate: &Snapshot, facts: &Facts) -> BTreeMap<Key, String> {
    let one = |finding: &Finding<'_>| {
        let mut text = format!("held {:?} conclusions {:?} overridden {:?}\n", finding.held, finding.conclusions, finding.overridden);
        tell(&finding.evidence, estate, facts, 0, &mut text);
        (key(&finding.rule.id, &finding.binding, estate), text)
    };
    findings.iter().map(one).collect()
}

struct Run {
    scripts: Arc<RhaiScripts>,
    project: Project,
    ledger: Ledger,
    matcher: Matcher,
    /// Facts of each step.
    fed: Vec<Option<Fact>>,
    /// Findings that hold, as the emitted events have it.
    holding: BTreeSet<Key>,
    seen: Seen,
}

pub fn run(case: &Case) -> Result<Seen, String> {
    let scripts = Arc::new(scripts());
    let first = project(&case.estates[0], &case.rules, &scripts);
    let baseline = if case.baseline { baseline(&first.estate) } else { Vec::new() };
    let setup = Setup { baseline: baseline.clone(), ..setup(&first, &scripts, START) };
    let mut run = Run {
        seen: Seen { rules: first.plan.rules.len(), ..Seen::default() },
        matcher: Matcher::new(setup),
        scripts,
        project: first,
        ledger: Ledger { baseline, ..Ledger::default() },
        fed: Vec::new(),
        holding: BTreeSet::new(),
    };
    // What holds without any fact has started before the first step.
    run.holding = run.matcher.holding().map(|(rule, binding, _)| key(rule, binding, &run.project.estate)).collect();
    run.compare("at the start")?;
    for (at, step) in case.steps.iter().enumerate() {
        run.step(case, at, step).map_err(|why| format!("step {at} {step:?}: {why}"))?;
        run.seen.steps += 1;
        // Explaining every binding takes longer than all the rest.
        if at % 16 == 15 {
            run.near_misses().map_err(|why| format!("step {at} {step:?}: {why}"))?;
        }
    }
    run.near_misses()?;
    Ok(run.seen)
}

pub fn setup(project: &Project, scripts: &Arc<RhaiScripts>, now: Time) -> Setup {
    Setup {
        plan: Arc::clone(&project.plan),
        estate: Arc::clone(&project.estate),
        scripts: Arc::clone(scripts) as Arc<dyn Scripts>,
        present: Present { alerts: true, metrics: true, logs: true, events: true },
        now,
        lookback: LOOKBACK,
        // Old things are looked for all the time: what is forgotten too early would show.
        limits: Limits { sweep_every: 1, ..Limits::default() },
        baseline: Vec::new(),
    }
}

/// A healthy hour of the day before.
fn baseline(estate: &Snapshot) -> Vec<Series> {
    let one = |id: &str, metric: &str, base: f64| Series {
        origin: Origin { file: "baseline.json".to_owned(), index: 0 },
        component: estate.find(id),
        instance: None,
        metric: metric.to_owned(),
        modelled: true,
        labels: BTreeMap::new(),
        points: (0..30).map(|at| (START.minus(90_000_000).plus(at * MINUTE), base + f64::from(i32::try_from(at % 7).unwrap()))).collect(),
    };
    vec![
        one("db1", "cpu_usage", 40.0),
        one("s1", "cpu_usage", 30.0),
        one("s2", "error_rate", 5.0),
        one("p1", "cpu_usage", 60.0),
        one("p2", "error_rate", 20.0),
    ]
}

impl Run {
    fn step(&mut self, case: &Case, at: usize, step: &Step) -> Result<(), String> {
        let mut out = Vec::new();
        let now = self.matcher.now();
        let fact = self.fact(at, step);
        self.fed.push(fact.clone());
        match (step, fact) {
            (Step::Wait(time), _) => self.matcher.advance(now.plus(*time), &mut out),
            (Step::Estate(which), _) => {
                let next = project(&case.estates[*which], &case.rules, &self.scripts);
                self.ledger.moved(&self.project.estate, &next.estate);
                for fact in &mut self.fed {
                    *fact = fact.take().and_then(|fact| moved(fact, &self.project.estate, &next.estate));
                }
                let scripts = Arc::clone(&self.scripts) as Arc<dyn Scripts>;
                let gone = self.matcher.replace(Arc::clone(&next.plan), Arc::clone(&next.estate), scripts, &mut out);
                for gone in gone {
                    if !self.holding.remove(&(gone.rule.clone(), gone.components.clone())) {
                        return Err(format!("{gone:?} is gone, but was never there"));
                    }
                }
                self.project = next;
            }
            (Step::Restart, _) => self.restart()?,
            (_, Some(fact)) => {
                let before = self.evidence();
                self.seen.late += usize::from(fact.time() < now);
                self.ledger.add(&fact);
                let prepared = self.matcher.prepare(fact);
                self.matcher.push(&prepared, &mut out);
                self.changed(&before, &out)?;
            }
            (_, None) => {}
        }
        self.apply(&out)?;
        self.compare("after it")
    }

    fn restart(&mut self) -> Result<(), String> {
        let state = self.matcher.capture().map_err(|e| e.to_string())?;
        let setup = setup(&self.project, &self.scripts, Time(0));
        self.matcher = Matcher::restore(setup, &state).map_err(|e| e.to_string())?;
        Ok(())
    }

    /// The evidence of all that holds now, by the plain engine.
    fn evidence(&self) -> BTreeMap<Key, String> {
        let facts = self.ledger.facts();
        let engine = self.plain(&facts);
        let findings: Vec<Finding<'_>> = engine.findings().into_iter().filter(|f| f.until.is_none()).collect();
        let only: Vec<Finding<'_>> = findings.iter().map(|f| Finding { held: Vec::new(), overridden: None, ..f.clone() }).collect();
        told(&only, &self.project.estate, &facts)
    }

    /// Whatever says something else after a fact than before it must have been emitted.
    fn changed(&self, before: &BTreeMap<Key, String>, out: &[Emitted]) -> Result<(), String> {
        let after = self.evidence();
        let emitted: BTreeSet<Key> =
            out.iter().map(|e| key(self.matcher.rule_id(e.rule), self.matcher.binding(e.finding), &self.project.estate)).collect();
        for (key, text) in &after {
            if before.get(key).is_some_and(|old| old != text) && !emitted.contains(key) {
                return Err(format!("{key:?} says something else, but was not emitted:\n{}\n{text}", before[key]));
            }
        }
        Ok(())
    }

    fn apply(&mut self, out: &[Emitted]) -> Result<(), String> {
        for emitted in out {
            let key = key(self.matcher.rule_id(emitted.rule), self.matcher.binding(emitted.finding), &self.project.estate);
            let fine = match emitted.event {
                Event::Started => {
                    self.seen.started += 1;
                    self.holding.insert(key.clone())
                }
                Event::Ended => {
                    self.seen.ended += 1;
                    self.holding.remove(&key)
                }
                Event::Changed => {
                    self.seen.changed += 1;
                    self.holding.contains(&key)
                }
            };
            if !fine {
                return Err(format!("{:?} of {key:?} at a wrong time", emitted.event));
            }
        }
        Ok(())
    }

    fn plain<'r>(&'r self, facts: &'r Facts) -> Engine<'r> {
        Engine::new(&self.project.plan, &self.project.estate, facts, self.scripts.as_ref(), self.matcher.now(), LOOKBACK)
    }

    fn compare(&mut self, when: &str) -> Result<(), String> {
        let facts = self.ledger.facts();
        let engine = self.plain(&facts);
        let findings = engine.findings();
        let estate = &self.project.estate;
        // The matcher's own account of when what held.
        let wanted: Vec<_> = findings.iter().map(|f| (key(&f.rule.id, &f.binding, estate), f.held.clone())).collect();
        let history: Vec<_> = self.matcher.history().into_iter().map(|(rule, binding, held)| (key(rule, binding, estate), held)).collect();
        if wanted != history {
            return Err(format!("{when}, at {}: held\n  {history:?}\nnot\n  {wanted:?}", self.matcher.now()));
        }
        let holding: BTreeSet<Key> = findings.iter().filter(|f| f.until.is_none()).map(|f| key(&f.rule.id, &f.binding, estate)).collect();
        if holding != self.holding {
            return Err(format!("{when}: emitted {:?}, but {holding:?} hold", self.holding));
        }
        // What both say of it, word for word.
        let plain = told(&findings, estate, &facts);
        let own = self.matcher.with_findings(|engine, findings| told(findings, estate, engine.facts));
        for (key, text) in &plain {
            if own.get(key) != Some(text) {
                return Err(format!("{when}: {key:?} says\n{}not\n{text}", own.get(key).map_or("nothing", String::as_str)));
            }
        }
        if own.len() != plain.len() {
            return Err(format!("{when}: {} findings, not {}", own.len(), plain.len()));
        }
        let count = plain.len();
        self.seen.findings += count;
        Ok(())
    }

    /// The search for near misses leaves most bindings out unseen: it must find what explaining each of them finds.
    fn near_misses(&mut self) -> Result<(), String> {
        let touched = self.matcher.touched();
        let facts = self.ledger.facts();
        let estate = &self.project.estate;
        let engine = self.plain(&facts);
        let findings = engine.findings();
        let mut wanted = BTreeSet::new();
        for rule in self.project.plan.rules.values().filter(|rule| rule.status == Status::Active) {
            let near = |why: &WhyNot<'_>| {
                let speaks = |(part, negated): &(&Evidence<'_>, bool)| !negated && part.truth.is_true() && !part.signals.is_empty();
                why.lacking == 1 && (why.distance <= 0.25 || why.evidence.atoms().iter().any(speaks))
            };
            let others = engine.why(rule, &findings).others;
            wanted.extend(others.iter().filter(|why| near(why)).map(|why| key(&rule.id, &why.binding, estate)));
        }
        let narrowed = self.plain(&facts).near(touched);
        for (name, engine) in [("the plain engine", &engine), ("the matcher's bindings", &narrowed)] {
            let found = engine.near_misses(&findings, usize::MAX, usize::MAX);
            let found: BTreeSet<Key> = found.iter().map(|miss| key(&miss.rule.id, &miss.binding, estate)).collect();
            if found != wanted {
                return Err(format!("near misses by {name}, at {}:\n  {found:?}\nnot\n  {wanted:?}", self.matcher.now()));
            }
        }
        self.seen.near_misses += wanted.len();
        Ok(())
    }

    /// The fact that a step feeds.
    fn fact(&self, at: usize, step: &Step) -> Option<Fact> {
        let now = self.matcher.now();
        let estate = &self.project.estate;
        let place = |id: &Option<String>| id.as_deref().and_then(|id| estate.find(id));
        let origin = |file: &str| Origin { file: file.to_owned(), index: at };
        let labels = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        match step {
            Step::Wait(_) | Step::Estate(_) | Step::Restart => None,
            Step::Again(earlier) => {
                let fact = self.fed.get(*earlier).cloned().flatten()?;
                let forgotten = matches!(&fact, Fact::Alert(alert) if self.ended(alert).is_some_and(|end| end <= now.minus(LOOKBACK)));
                (!forgotten).then_some(fact)
            }
            Step::Sample { component, metric, series, at, value } => Some(Fact::Sample(Sample {
                component: Some(estate.find(component)?),
                metric: (*metric).to_owned(),
                series: Arc::new(SeriesKey {
                    labels: labels("n", &series.to_string()),
                    origin: Origin { file: "metrics.json".to_owned(), index: usize::from(*series) },
                    // One that nobody imported.
                    instance: (*series == 2).then(|| "p9".to_owned()),
                }),
                time: now.plus(*at),
                value: *value,
            })),
            Step::Alert { component, number, at: offset, ends, text, level } => {
                let known = self.fed.iter().flatten().rev().find_map(|fact| match fact {
                    Fact::Alert(alert) if alert.labels.get("number") == Some(&number.to_string()) => Some(Fact::Alert(alert.clone())),
                    _ => None,
                });
                match (known, ends) {
                    // It is resolved, or said to fire once more, in any order.
                    (Some(Fact::Alert(known)), Some(_)) => Some(Fact::Alert(Alert { end: now.plus(*offset).max(known.start), ..known })),
                    // What ended before the time looked back may be forgotten.
                    (Some(Fact::Alert(known)), None) if *offset < 0 && self.ended(&known).is_none_or(|end| end > now.minus(LOOKBACK)) => {
                        Some(Fact::Alert(Alert { end: Time::MAX, ..known }))
                    }
                    (_, ends) => {
                        let start = now.plus(*offset);
                        let mut labels = labels("number", &number.to_string());
                        labels.insert("level".to_owned(), (*level).to_owned());
                        Some(Fact::Alert(Alert {
                            origin: origin("alerts.json"),
                            component: place(component),
                            instance: None,
                            name: "Name".to_owned(),
                            text: format!("Name\n{text}"),
                            summary: String::new(),
                            severity: None,
                            labels,
                            start,
                            end: ends.map_or(Time::MAX, |after| start.plus(after)),
                            duplicates: 0,
                            flaps: 0,
                            trouble: signal::Trouble::default(),
                            muted: None,
                            measured: None,
                        }))
                    }
                }
            }
            Step::Log { component, at, text, level } => Some(Fact::Log(LogLine {
                origin: origin("logs.json"),
                component: place(component),
                instance: None,
                time: now.plus(*at),
                text: (*text).to_owned(),
                labels: labels("level", level),
            })),
            Step::Change { component, at, text } => Some(Fact::Change(Change {
                origin: origin("events.ndjson"),
                component: place(component),
                instance: None,
                time: now.plus(*at),
                text: (*text).to_owned(),
                attributes: BTreeMap::new(),
            })),
            Step::Event { component, at: offset, reason, change } => {
                let (component, time) = (place(component), now.plus(*offset));
                let mut said = labels("source", signal::KUBERNETES);
                said.insert("reason".to_owned(), (*reason).to_owned());
                said.insert("level".to_owned(), if at.is_multiple_of(2) { "error" } else { "info" }.to_owned());
                let origin = origin("events.ndjson");
                Some(if *change {
                    Fact::Change(Change { origin, component, instance: None, time, text: format!("{reason}\nm"), attributes: said })
                } else {
                    Fact::Log(LogLine { origin, component, instance: None, time, text: format!("{reason}: m"), labels: said })
                })
            }
            Step::Probe { from, to, at, success } => Some(Fact::Probe(Probe {
                origin: origin("events.ndjson"),
                from: place(from),
                component: Some(estate.find(to)?),
                time: now.plus(*at),
                success: *success,
                text: String::new(),
            })),
            Step::Report { component, at, text, region } => Some(Fact::Report(Report {
                origin: origin("events.ndjson"),
                component: place(component),
                time: now.plus(*at),
                text: (*text).to_owned(),
                attributes: labels("region", region),
            })),
        }
    }

    fn ended(&self, alert: &Alert) -> Option<Time> {
        self.ledger.alerts.iter().find(|a| a.labels == alert.labels && a.start == alert.start).map(|a| a.end)
    }
}

/// A fact about the components of one estate, as one about those of another; `None` if what it is about is gone.
fn moved(fact: Fact, from: &Snapshot, to: &Snapshot) -> Option<Fact> {
    let new = |old: Option<ComponentId>| old.and_then(|c| to.find(&from.component(c).id));
    Some(match fact {
        Fact::Alert(alert) => Fact::Alert(Alert { component: new(alert.component), ..alert }),
        Fact::Log(log) => Fact::Log(LogLine { component: new(log.component), ..log }),
        Fact::Change(change) => Fact::Change(Change { component: new(change.component), ..change }),
        Fact::Report(report) => Fact::Report(Report { component: new(report.component), ..report }),
        Fact::Probe(probe) => Fact::Probe(Probe { component: Some(new(probe.component)?), from: new(probe.from), ..probe }),
        Fact::Sample(sample) => Fact::Sample(Sample { component: Some(new(sample.component)?), ..sample }),
    })
}
