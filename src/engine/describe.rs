//! Turns evidence into data: what a diagnosis shows for a condition. Its words are in package `words`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use compile::plan::Quantifier;
use estate::{ComponentId, Snapshot};
use signal::{Facts, KUBERNETES, Origin};
use value::{Dimension, Duration, Time, Truth, Unit, format_number};

use super::evidence::{Detail, Evidence, Known, Missing, Reading, SignalRef};

/// List at most this many sources.
const MAX_SOURCES: usize = 10;

/// One condition with its value at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct EvidenceView {
    /// As written in the rule (or in the state of the model that the rule names).
    pub condition: String,
    /// The condition stands under `not`: `truth` is that of its negation, `found` is about the condition itself.
    pub negated: bool,
    /// The component that the condition is about, if there is one.
    pub component: Option<String>,
    pub truth: Truth,
    pub found: Found,
    /// When the sample was taken, or the instant of the evaluation.
    pub time: Time,
    /// Where the signals come from: file and position in the file.
    pub sources: Vec<SampleView>,
    /// All of it in one line, in the language of the report.
    pub text: String,
}

/// What was found for a condition. Values are in the unit that the model declares: `487`, `93.1%`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Found {
    /// A combination of other conditions, or a condition on the topology: nothing to show but the truth.
    Nothing,
    Compared {
        value: String,
        /// `<`, `<=`, `=`, `!=`, `>=`, `>`
        op: String,
        threshold: String,
        /// What the threshold is, if it is not a constant: `order-db.max_connections`.
        threshold_of: Option<String>,
        /// `null` for texts.
        gap: Option<Gap>,
        /// Whether the value is a sample, taken at `time`.
        sampled: bool,
    },
    /// A value compared with its own past.
    Moved {
        value: String,
        /// The value at which the condition becomes true.
        needed: String,
        from: String,
        /// When the value that it moved from was sampled; `null` if that is a statistic of the baseline.
        from_time: Option<Time>,
        /// The statistic, and of how many baseline samples: `median`, 12.
        from_baseline: Option<(String, usize)>,
        gap: Gap,
    },
    Counted {
        found: usize,
        needed: usize,
        /// In milliseconds.
        within: Option<Duration>,
    },
    Probed {
        success: bool,
    },
    /// A condition on a set of components; each list with the value of its elements.
    Quantified {
        matching: usize,
        unknown: usize,
        total: usize,
        /// Elements that support the result, if that needs saying.
        supporting: Vec<Element>,
        /// Elements that stand against it.
        opposing: Vec<Element>,
        unsure: Vec<Element>,
    },
    Unexplained,
    ExplainedBy {
        rule: String,
    },
    /// What a script returned.
    Answered {
        value: String,
    },
    /// It held for the whole duration, in milliseconds. `last` is the value at the end.
    Lasted {
        needed: Duration,
        last: Option<String>,
    },
    /// It did not hold for the whole duration: `at` is the first instant before its end at which it was not true, and what was found then.
    Broke {
        lasted: Duration,
        needed: Duration,
        at: Time,
        unknown: bool,
        then: Box<Found>,
    },
    Unknown {
        /// The value that is unknown: `order-db.connections`.
        of: Option<String>,
        reason: Missing,
    },
}

/// How far a value is from its threshold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Gap {
    pub side: Side,
    /// `13`, `2.5GiB`; of percentages the points.
    pub by: String,
    /// Whether `by` counts percentage points.
    pub points: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Above,
    At,
    Below,
}

/// An element of a set, with its value if a single one was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Element {
    pub component: String,
    pub value: Option<String>,
}

/// One signal that a condition rests on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct SampleView {
    pub origin: Origin,
    #[serde(flatten)]
    pub signal: Sample,
    /// What it is on, if that is an instance of the component that the condition is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceView>,
    /// Whether it has the value that was compared: of the highest of several, the others do not.
    #[serde(skip)]
    pub tells: bool,
    /// The same in one line, in the language of the report.
    pub text: String,
}

/// A component that comes and goes for another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct InstanceView {
    pub component: String,
    /// Its type.
    pub kind: String,
    /// Its workload.
    pub of: String,
    /// Whether the topology has it; otherwise only the signal names it.
    pub listed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Sample {
    Alert {
        name: String,
        since: Time,
    },
    Series {
        series: String,
    },
    Log {
        time: Time,
        line: String,
    },
    Change {
        time: Time,
        line: String,
    },
    Probe {
        time: Time,
        success: bool,
    },
    Report {
        time: Time,
        line: String,
    },
    /// What a cluster says about an object.
    Event(EventView),
}

/// An event of a cluster, as often as the condition found it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct EventView {
    /// `OOMKilled`
    pub reason: String,
    /// Kind, namespace and name: `Pod shop/order-db-0`; empty if unknown.
    pub object: String,
    /// How often it happened, as the cluster counts.
    pub count: u64,
    pub first: Time,
    pub last: Time,
    /// May be empty.
    pub message: String,
}

impl Evidence<'_> {
    /// This condition as data, without its children.
    pub fn view(&self, estate: &Snapshot, facts: &Facts) -> EvidenceView {
        EvidenceView {
            condition: self.cond.written.text.clone(),
            negated: false,
            component: self.about.map(|c| estate.component(c).id.clone()),
            truth: self.truth,
            found: self.found(estate),
            time: self.sampled().unwrap_or(self.at),
            sources: self.sources(estate, facts),
            text: String::new(),
        }
    }

    /// The signals, first those that have the value.
    fn sources(&self, estate: &Snapshot, facts: &Facts) -> Vec<SampleView> {
        let told = self.told();
        let (first, others): (Vec<SignalRef>, Vec<SignalRef>) = self.signals.iter().copied().partition(|signal| told.contains(signal));
        let mut views = sources(&first, self.about, estate, facts);
        let left = MAX_SOURCES.saturating_sub(views.len());
        let others = sources(&others, self.about, estate, facts).into_iter().take(left);
        views.extend(others.map(|view| SampleView { tells: false, ..view }));
        views
    }

    /// When the value that was compared was sampled.
    fn sampled(&self) -> Option<Time> {
        match &self.detail {
            Detail::Compared { left, right, .. } => left.time.or(right.time),
            Detail::Moved { now, .. } => now.time,
            Detail::Probed { last } => last.map(|(time, _)| time),
            Detail::Combined
            | Detail::Counted { .. }
            | Detail::Quantified { .. }
            | Detail::Held { .. }
            | Detail::Topology
            | Detail::Explained(_)
            | Detail::Scripted { .. }
            | Detail::Missing(_) => None,
        }
    }

    fn found(&self, estate: &Snapshot) -> Found {
        match &self.detail {
            Detail::Compared { left, op, right } => {
                // Show the sample as the value, whichever side it was written on.
                let (value, threshold, op) =
                    if left.time.is_none() && right.time.is_some() { (right, left, op.flipped()) } else { (left, right, *op) };
                match (unknown(left).or_else(|| unknown(right)), shown(value), shown(threshold)) {
                    (None, Some(found), Some(bound)) => Found::Compared {
                        value: found,
                        op: op.sign().to_owned(),
                        threshold: bound,
                        threshold_of: Some(threshold.name.clone()).filter(|name| !name.is_empty()),
                        gap: match (&value.value, &threshold.value) {
                            (Known::Number(a), Known::Number(b)) => Some(Gap::between(*a, *b, value.unit.or(threshold.unit))),
                            (Known::Number(_) | Known::Text(_) | Known::Unknown(_), _) => None,
                        },
                        sampled: value.time.is_some(),
                    },
                    (unknown, ..) => unknown.unwrap_or(Found::Nothing),
                }
            }
            Detail::Moved { now, reference, needed, baseline } => {
                let unit = now.unit.unwrap_or(Unit::COUNT);
                let Known::Number(value) = now.value else { return unknown(now).unwrap_or(Found::Nothing) };
                Found::Moved {
                    value: unit.format(value),
                    needed: unit.format(*needed),
                    from: shown(reference).unwrap_or_default(),
                    from_time: reference.time,
                    from_baseline: baseline.map(|(stat, samples)| (stat.word().to_owned(), samples)),
                    gap: Gap::between(value, *needed, Some(unit)),
                }
            }
            Detail::Counted { found, needed, window } => Found::Counted { found: *found, needed: *needed, within: *window },
            Detail::Probed { last } => match last {
                Some((_, success)) => Found::Probed { success: *success },
                None => Found::Unknown { of: None, reason: Missing::Probe },
            },
            Detail::Quantified { quantifier, holding, unknown, total, elements } => {
                let (supporting, opposing, unsure) = self.elements(*quantifier, elements, estate);
                Found::Quantified { matching: *holding, unknown: *unknown, total: *total, supporting, opposing, unsure }
            }
            Detail::Explained(None) => Found::Unexplained,
            Detail::Explained(Some(rule)) => Found::ExplainedBy { rule: (*rule).to_owned() },
            Detail::Scripted { answer } => match answer {
                Known::Number(number) => Found::Answered { value: format_number(*number) },
                Known::Text(text) => Found::Answered { value: text.clone() },
                Known::Unknown(reason) => Found::Unknown { of: None, reason: reason.clone() },
            },
            Detail::Missing(reason) => Found::Unknown { of: None, reason: reason.clone() },
            Detail::Held { held, needed } => match self.children.first().filter(|_| !self.truth.is_true()) {
                None => Found::Lasted { needed: *needed, last: self.reading() },
                Some(worst) => {
                    let atom = worst.atoms().into_iter().map(|(e, _)| e).find(|e| !e.truth.is_true()).unwrap_or(worst);
                    let unknown = self.truth == Truth::Unknown;
                    Found::Broke { lasted: *held, needed: *needed, at: worst.at, unknown, then: Box::new(atom.found(estate)) }
                }
            },
            Detail::Combined | Detail::Topology => Found::Nothing,
        }
    }

    /// The elements of a set that decide the result, each with its value. If the condition is true: the elements that match.
    /// Otherwise: those that do not match, and those that are unknown.
    fn elements(&self, quantifier: Quantifier, elements: &[ComponentId], estate: &Snapshot) -> (Vec<Element>, Vec<Element>, Vec<Element>) {
        let of = |truth: Truth| -> Vec<Element> {
            let of = elements.iter().zip(&self.children).filter(|(_, child)| child.truth == truth);
            of.map(|(component, child)| Element { component: estate.component(*component).id.clone(), value: child.reading() }).collect()
        };
        let many = quantifier.wants_many();
        if self.truth.is_true() {
            return (if many { of(Truth::True) } else { Vec::new() }, Vec::new(), Vec::new());
        }
        // For "any", every element is evidence against it, so naming them adds nothing.
        let against = if quantifier == Quantifier::Any { Vec::new() } else { of(if many { Truth::False } else { Truth::True }) };
        (Vec::new(), against, of(Truth::Unknown))
    }

    /// The value, if a single condition compares one. With several conditions it would be unclear which one a number belongs to.
    fn reading(&self) -> Option<String> {
        match &self.detail {
            Detail::Compared { left, right, .. } => shown(if left.time.is_none() && right.time.is_some() { right } else { left }),
            Detail::Moved { now, .. } => shown(now),
            Detail::Held { .. } => self.children.first().and_then(Evidence::reading),
            Detail::Combined
            | Detail::Counted { .. }
            | Detail::Probed { .. }
            | Detail::Quantified { .. }
            | Detail::Topology
            | Detail::Explained(_)
            | Detail::Scripted { .. }
            | Detail::Missing(_) => None,
        }
    }
}

impl EvidenceView {
    /// The same condition under `not`.
    #[must_use]
    pub fn negate(self) -> Self {
        EvidenceView { negated: !self.negated, truth: !self.truth, ..self }
    }
}

impl Gap {
    fn between(value: f64, threshold: f64, unit: Option<Unit>) -> Gap {
        let gap = value - threshold;
        let side = match gap.partial_cmp(&0.0) {
            Some(std::cmp::Ordering::Greater) => Side::Above,
            Some(std::cmp::Ordering::Less) => Side::Below,
            Some(std::cmp::Ordering::Equal) | None => Side::At,
        };
        let points = unit.is_some_and(|unit| unit.dimension == Dimension::Fraction);
        let by = match unit {
            Some(unit) if !points => unit.format(gap.abs()),
            Some(_) | None => format_number(gap.abs()),
        };
        Gap { side, by, points }
    }
}

fn shown(reading: &Reading) -> Option<String> {
    match &reading.value {
        Known::Number(number) => Some(reading.unit.map_or_else(|| format_number(*number), |unit| unit.format(*number))),
        Known::Text(text) => Some(format!("\"{text}\"")),
        Known::Unknown(_) => None,
    }
}

fn unknown(reading: &Reading) -> Option<Found> {
    match &reading.value {
        Known::Unknown(reason) => Some(Found::Unknown { of: Some(reading.name.clone()), reason: reason.clone() }),
        Known::Number(_) | Known::Text(_) => None,
    }
}

/// Signals with their places in the bundle, at most [`MAX_SOURCES`]. What a cluster told of twice, at its first and its last time, is one.
fn sources(signals: &[SignalRef], about: Option<ComponentId>, estate: &Snapshot, facts: &Facts) -> Vec<SampleView> {
    let mut views: Vec<SampleView> = Vec::new();
    let mut told: BTreeMap<Said<'_>, usize> = BTreeMap::new();
    for from in signals {
        let Some(said) = said(*from, facts) else {
            if views.len() < MAX_SOURCES {
                views.extend(describe_signal(*from, about, estate, facts));
            }
            continue;
        };
        let known = told.get(&said.what).and_then(|at| views.get_mut(*at));
        if let Some(SampleView { signal: Sample::Event(view), .. }) = known {
            (view.first, view.last) = (view.first.min(said.time), view.last.max(said.time));
        } else if views.len() < MAX_SOURCES {
            let signal = Sample::Event(said.what.view(said.time));
            told.insert(said.what, views.len());
            let instance = instance(*from, about, estate, facts);
            views.push(SampleView { origin: said.origin.clone(), signal, instance, tells: true, text: String::new() });
        }
    }
    views
}

/// What a cluster said, without when.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Said<'f> {
    component: Option<ComponentId>,
    instance: Option<&'f str>,
    text: &'f str,
    labels: &'f BTreeMap<String, String>,
}

struct SaidAt<'f> {
    what: Said<'f>,
    time: Time,
    origin: &'f Origin,
}

/// `None` for a signal that does not come from a cluster.
fn said(signal: SignalRef, facts: &Facts) -> Option<SaidAt<'_>> {
    let (what, time, origin) = match signal {
        SignalRef::Log(i) => {
            let line = facts.logs.get(i)?;
            let what = Said { component: line.component, instance: line.instance.as_deref(), text: &line.text, labels: &line.labels };
            (what, line.time, &line.origin)
        }
        SignalRef::Change(i) => {
            let change = facts.changes.get(i)?;
            let (component, instance) = (change.component, change.instance.as_deref());
            (Said { component, instance, text: &change.text, labels: &change.attributes }, change.time, &change.origin)
        }
        SignalRef::Alert(_) | SignalRef::Series(_) | SignalRef::Probe(_) | SignalRef::Report(_) => return None,
    };
    let from_cluster = what.named("source") == KUBERNETES && !what.named("reason").is_empty();
    from_cluster.then_some(SaidAt { what, time, origin })
}

impl Said<'_> {
    /// The label of that name; empty if it is missing.
    fn named(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    fn view(&self, time: Time) -> EventView {
        let reason = self.named("reason");
        let name: Vec<&str> = ["namespace", "name"].into_iter().map(|part| self.named(part)).filter(|part| !part.is_empty()).collect();
        let message = self.text.strip_prefix(reason).unwrap_or(self.text);
        EventView {
            reason: shorten(reason),
            object: shorten(format!("{} {}", self.named("kind"), name.join("/")).trim()),
            count: self.named("count").parse().unwrap_or(1),
            first: time,
            last: time,
            message: shorten(message.trim_start_matches([':', ' ', '\n'])),
        }
    }
}

/// A signal, with its place in the bundle.
fn describe_signal(signal: SignalRef, about: Option<ComponentId>, estate: &Snapshot, facts: &Facts) -> Option<SampleView> {
    let instance = instance(signal, about, estate, facts);
    let (origin, signal) = match signal {
        SignalRef::Alert(i) => facts.alerts.get(i).map(|a| (&a.origin, Sample::Alert { name: a.name.clone(), since: a.start }))?,
        SignalRef::Series(i) => facts.series.get(i).map(|s| {
            let labels: Vec<String> = s.labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
            (&s.origin, Sample::Series { series: format!("{}{{{}}}", s.metric, labels.join(", ")) })
        })?,
        SignalRef::Log(i) => facts.logs.get(i).map(|l| (&l.origin, Sample::Log { time: l.time, line: shorten(&l.text) }))?,
        SignalRef::Change(i) => facts.changes.get(i).map(|c| (&c.origin, Sample::Change { time: c.time, line: shorten(&c.text) }))?,
        SignalRef::Probe(i) => facts.probes.get(i).map(|p| (&p.origin, Sample::Probe { time: p.time, success: p.success }))?,
        SignalRef::Report(i) => facts.reports.get(i).map(|r| (&r.origin, Sample::Report { time: r.time, line: shorten(&r.text) }))?,
    };
    Some(SampleView { origin: origin.clone(), signal, instance, tells: true, text: String::new() })
}

/// The instance that a signal is on, and its workload: the component that a condition is about, else the outermost.
fn instance(signal: SignalRef, about: Option<ComponentId>, estate: &Snapshot, facts: &Facts) -> Option<InstanceView> {
    let (component, named) = match signal {
        SignalRef::Alert(i) => facts.alerts.get(i).map(|s| (s.component, s.instance.as_ref()))?,
        SignalRef::Series(i) => facts.series.get(i).map(|s| (s.component, s.instance.as_ref()))?,
        SignalRef::Log(i) => facts.logs.get(i).map(|s| (s.component, s.instance.as_ref()))?,
        SignalRef::Change(i) => facts.changes.get(i).map(|s| (s.component, s.instance.as_ref()))?,
        SignalRef::Probe(i) => facts.probes.get(i).map(|s| (s.component, None))?,
        SignalRef::Report(i) => facts.reports.get(i).map(|s| (s.component, None))?,
    };
    let at = component?;
    let id = |of: ComponentId| estate.component(of).id.clone();
    if let Some(name) = named {
        let listed = estate.find_instance(at, name);
        let kind = listed.map_or_else(|| "pod".to_owned(), |instance| estate.component(instance).kind.clone());
        return Some(InstanceView { component: name.clone(), kind, of: id(at), listed: listed.is_some() });
    }
    if about == Some(at) {
        return None;
    }
    let workloads = estate.workloads_of(at);
    let of = match about {
        Some(about) => workloads.iter().find(|of| of.component == about)?,
        None => workloads.iter().max_by_key(|of| of.level)?,
    };
    Some(InstanceView { component: id(at), kind: estate.component(at).kind.clone(), of: id(of.component), listed: true })
}

/// The first line, at most 120 characters of it.
fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or("");
    if line.chars().count() <= 120 { line.to_owned() } else { format!("{}…", line.chars().take(119).collect::<String>()) }
}
