//! Renders evidence as data and as text: what a diagnosis shows for a condition.

use serde::Serialize;

use compile::plan::Quantifier;
use estate::{ComponentId, Snapshot};
use signal::{Facts, Origin};
use value::{Time, Truth, Unit, format_number};

use super::evidence::{Detail, Evidence, Known, Reading, SignalRef};

/// List at most this many sources.
const MAX_SOURCES: usize = 10;
/// Name at most this many elements of a set.
const MAX_NAMED: usize = 5;

/// One condition with its value at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct EvidenceView {
    /// As written in the rule (or in the state of the model that the rule names).
    pub condition: String,
    /// The component that the condition is about, if there is one.
    pub component: Option<String>,
    pub truth: Truth,
    /// The value found, in the metric's unit: `487`, `93.1%`, `3 found`.
    pub value: Option<String>,
    /// What the value is compared with.
    pub threshold: Option<String>,
    /// How far the value is from the threshold: `13 above the threshold`, `2 short`.
    pub distance: Option<String>,
    /// Why the value is unknown, if it is.
    pub missing: Option<String>,
    /// When the sample was taken, or the instant of the evaluation.
    pub time: Time,
    /// Where the signals come from: file and position in the file.
    pub sources: Vec<SampleView>,
    /// The same in one line of human-readable text.
    pub text: String,
}

/// One signal that a condition rests on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct SampleView {
    pub origin: Origin,
    pub text: String,
}

impl Evidence<'_> {
    /// This condition as data, without its children.
    pub fn view(&self, estate: &Snapshot, facts: &Facts) -> EvidenceView {
        let component = self.about.map(|c| estate.component(c).id.clone());
        let mut view = EvidenceView {
            condition: self.cond.written.text.clone(),
            component,
            truth: self.truth,
            value: None,
            threshold: None,
            distance: None,
            missing: None,
            time: self.at,
            sources: self.signals.iter().take(MAX_SOURCES).filter_map(|s| describe_signal(*s, facts)).collect(),
            text: String::new(),
        };
        self.fill(&mut view, estate);
        view.text = words(&view, self);
        view
    }

    fn fill(&self, view: &mut EvidenceView, estate: &Snapshot) {
        match &self.detail {
            Detail::Compared { left, op, right } => {
                // Show the sample as the value, whichever side it was written on.
                let (value, threshold, op) =
                    if left.time.is_none() && right.time.is_some() { (right, left, op.flipped()) } else { (left, right, *op) };
                view.value = shown(value);
                view.threshold = shown(threshold).map(|t| format!("{} {t}{}", op.sign(), named(threshold)));
                view.missing = unknown(left).or_else(|| unknown(right));
                view.time = value.time.unwrap_or(self.at);
                if let (Known::Number(a), Known::Number(b)) = (&value.value, &threshold.value) {
                    view.distance = Some(apart(*a, *b, value.unit.or(threshold.unit)));
                }
            }
            Detail::Moved { now, reference, needed } => {
                view.value = shown(now);
                view.time = now.time.unwrap_or(self.at);
                let unit = now.unit.unwrap_or(Unit::COUNT);
                let from = match reference.time {
                    Some(time) => format!("{} at {}", shown(reference).unwrap_or_default(), time.clock()),
                    None => format!("{} ({})", shown(reference).unwrap_or_default(), reference.name),
                };
                view.threshold = Some(format!("{}, from {from}", unit.format(*needed)));
                if let Known::Number(now) = now.value {
                    view.distance = Some(apart(now, *needed, Some(unit)));
                }
            }
            Detail::Counted { found, needed, window } => {
                let within = window.map_or_else(String::new, |w| format!(" within {}", Time::describe(w)));
                view.value = Some(format!("{found} found{within}"));
                view.threshold = Some(format!("at least {needed}"));
                view.distance = if found < needed { Some(format!("{} short", needed - found)) } else { None };
            }
            Detail::Probed { last } => match last {
                Some((time, success)) => {
                    view.value = Some(if *success { "succeeded" } else { "failed" }.to_owned());
                    view.time = *time;
                }
                None => view.missing = Some("no probe result in the window".to_owned()),
            },
            Detail::Quantified { quantifier, holding, unknown, total, elements } => {
                let unsure = if *unknown > 0 { format!(", {unknown} unknown") } else { String::new() };
                view.value = Some(format!("{holding} of {total}{unsure}"));
                view.distance = self.elements(*quantifier, elements, estate);
            }
            Detail::Explained(by) => {
                view.value = Some(by.map_or_else(|| "no other rule explains it".to_owned(), |rule| format!("explained by {rule}")));
            }
            Detail::Scripted { answer } => match answer {
                Known::Number(number) => view.value = Some(format_number(*number)),
                Known::Text(text) => view.value = Some(text.clone()),
                Known::Unknown(reason) => view.missing = Some(reason.clone()),
            },
            Detail::Missing(reason) => view.missing = Some(reason.clone()),
            Detail::Held { held, needed } => {
                view.threshold = Some(format!("for {}", Time::describe(*needed)));
                match self.children.first().filter(|_| !self.truth.is_true()) {
                    None => {
                        let inner = self.children.first().map(|c| c.view_without_sources(estate)).unwrap_or_default();
                        let last = inner.strip_prefix("it was ").map_or_else(String::new, |value| format!(", {value} at the end"));
                        view.value = Some(format!("matched for all of {}{last}", Time::describe(*needed)));
                    }
                    Some(worst) => {
                        let atom = worst.atoms().into_iter().map(|(e, _)| e).find(|e| !e.truth.is_true()).unwrap_or(worst);
                        let inner = atom.view_without_sources(estate);
                        let unknown = self.truth == Truth::Unknown;
                        let so_far = match (*held > 0, unknown) {
                            (true, _) => format!("matched for only {}; ", Time::describe(*held)),
                            (false, false) => "did not match at the end; ".to_owned(),
                            (false, true) => String::new(),
                        };
                        let word = if unknown { "unknown" } else { "false" };
                        view.value = Some(format!("{so_far}{word} at {}: {inner}", worst.at.clock()));
                        view.distance = (*held > 0).then(|| format!("{} short", Time::describe(needed - held)));
                    }
                }
            }
            Detail::Combined | Detail::Topology => {}
        }
    }

    /// The elements of a set that decide the result, each with its value. If the condition is true: the elements that match.
    /// Otherwise: those that do not match, and those that are unknown.
    fn elements(&self, quantifier: Quantifier, elements: &[ComponentId], estate: &Snapshot) -> Option<String> {
        if elements.is_empty() {
            return Some("the set is empty".to_owned());
        }
        let named = |truth: Truth| {
            let of = elements.iter().zip(&self.children).filter(|(_, child)| child.truth == truth);
            let mut names: Vec<String> = of
                .map(|(component, child)| {
                    let value = child.reading().map_or_else(String::new, |value| format!(" {value}"));
                    format!("{}{value}", estate.component(*component).id)
                })
                .collect();
            if names.len() > MAX_NAMED {
                let more = names.len() - MAX_NAMED;
                names.truncate(MAX_NAMED);
                names.push(format!("… {more} more"));
            }
            names.join(", ")
        };
        let many = quantifier.wants_many();
        if self.truth.is_true() {
            return Some(named(Truth::True)).filter(|names| many && !names.is_empty());
        }
        // For "any", every element is evidence against it, so naming them adds nothing.
        let against = if quantifier == Quantifier::Any { String::new() } else { named(if many { Truth::False } else { Truth::True }) };
        let unknown = named(Truth::Unknown);
        let parts = [("not matching: ", against), ("unknown: ", unknown)].into_iter().filter(|(_, names)| !names.is_empty());
        Some(parts.map(|(what, names)| format!("{what}{names}")).collect::<Vec<_>>().join("; ")).filter(|all| !all.is_empty())
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

    fn view_without_sources(&self, estate: &Snapshot) -> String {
        let empty = Facts::default();
        let view = self.view(estate, &empty);
        match (view.value, view.missing) {
            (_, Some(missing)) => missing,
            (Some(value), None) => format!("it was {value}"),
            (None, None) => "it did not match".to_owned(),
        }
    }
}

fn shown(reading: &Reading) -> Option<String> {
    match &reading.value {
        Known::Number(number) => Some(reading.unit.map_or_else(|| format_number(*number), |unit| unit.format(*number))),
        Known::Text(text) => Some(format!("\"{text}\"")),
        Known::Unknown(_) => None,
    }
}

fn named(reading: &Reading) -> String {
    if reading.name.is_empty() { String::new() } else { format!(" ({})", reading.name) }
}

fn unknown(reading: &Reading) -> Option<String> {
    match &reading.value {
        Known::Unknown(reason) => Some(format!("{}: {reason}", reading.name)),
        Known::Number(_) | Known::Text(_) => None,
    }
}

/// How far a value is from its threshold, in words.
fn apart(value: f64, threshold: f64, unit: Option<Unit>) -> String {
    let gap = value - threshold;
    if gap == 0.0 {
        return "exactly at the threshold".to_owned();
    }
    let shown = unit.map_or_else(|| format_number(gap.abs()), |u| u.format(gap.abs()));
    format!("{shown} {} the threshold", if gap > 0.0 { "above" } else { "below" })
}

fn words(view: &EvidenceView, evidence: &Evidence<'_>) -> String {
    let mut text = String::new();
    if let Some(component) = &view.component {
        text.push_str(component);
        text.push_str(": ");
    }
    text.push_str(&view.condition);
    match (&view.missing, &view.value) {
        (Some(missing), _) => text.push_str(&format!(" — unknown: {missing}")),
        (None, Some(value)) => text.push_str(&format!(" — {value}")),
        (None, None) => {}
    }
    if let (Some(distance), true) =
        (&view.distance, matches!(evidence.detail, Detail::Compared { .. } | Detail::Moved { .. } | Detail::Quantified { .. }))
    {
        text.push_str(&format!(", {distance}"));
    }
    let sampled = match &evidence.detail {
        Detail::Compared { left, right, .. } => left.time.is_some() || right.time.is_some(),
        Detail::Moved { .. } | Detail::Probed { last: Some(_) } => true,
        Detail::Combined
        | Detail::Held { .. }
        | Detail::Counted { .. }
        | Detail::Probed { last: None }
        | Detail::Quantified { .. }
        | Detail::Topology
        | Detail::Explained(_)
        | Detail::Scripted { .. }
        | Detail::Missing(_) => false,
    };
    if sampled && view.missing.is_none() {
        let comma = if view.distance.is_some() { "," } else { "" };
        text.push_str(&format!("{comma} at {}", view.time.clock()));
    }
    text
}

/// A short description of a signal, with its place in the bundle.
pub fn describe_signal(signal: SignalRef, facts: &Facts) -> Option<SampleView> {
    let view = |origin: &Origin, text: String| Some(SampleView { origin: origin.clone(), text });
    match signal {
        SignalRef::Alert(i) => facts.alerts.get(i).and_then(|a| view(&a.origin, format!("alert {} since {}", a.name, a.start.clock()))),
        SignalRef::Series(i) => facts.series.get(i).and_then(|s| {
            let labels: Vec<String> = s.labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
            view(&s.origin, format!("series {}{{{}}}", s.metric, labels.join(", ")))
        }),
        SignalRef::Log(i) => facts.logs.get(i).and_then(|l| view(&l.origin, format!("{} {}", l.time.clock(), shorten(&l.text)))),
        SignalRef::Change(i) => {
            facts.changes.get(i).and_then(|c| view(&c.origin, format!("{} change: {}", c.time.clock(), shorten(&c.text))))
        }
        SignalRef::Probe(i) => facts
            .probes
            .get(i)
            .and_then(|p| view(&p.origin, format!("{} probe {}", p.time.clock(), if p.success { "succeeded" } else { "failed" }))),
        SignalRef::Report(i) => {
            facts.reports.get(i).and_then(|r| view(&r.origin, format!("{} report: {}", r.time.clock(), shorten(&r.text))))
        }
    }
}

/// The first line, at most 120 characters of it.
fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or("");
    if line.chars().count() <= 120 { line.to_owned() } else { format!("{}…", line.chars().take(119).collect::<String>()) }
}
