//! The transactions to learn from: what a recording shows, from the view of each component that may have caused it.
//!
//! An item is something that a condition of the language can test: an anomalous metric of the model, an alert, a log line, a failed
//! probe, a change. It is at the component itself, at a direct dependency, or (alerts only) at any component that its fault
//! reaches. Items never name a component, so that what is learned about one applies to others.

use std::collections::{BTreeMap, BTreeSet};

use anomaly::deviations;
use estate::ComponentId;
use project::{Bundle, Labelled};
use value::Time;

/// A series that deviates less has a single odd sample, or deviated before the incident: the threshold of Iglewicz and Hoaglin (1993)
/// for the modified z-score.
const CUT: f64 = 3.5;

/// Maximum number of different kinds of log lines of one component, in the order of their first appearance. If there are more, every
/// line is different, and nothing can be learned from them.
const MAX_FRAGMENTS: usize = 200;

/// A shorter part of a line (in characters) is not specific to it,
const MIN_FRAGMENT: usize = 4;
/// and a longer one is unreadable in a rule.
const MAX_FRAGMENT: usize = 60;

/// The root cause: the type of the component, and the fault text that was confirmed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// Canonical name of the type.
    pub kind: String,
    pub fault: String,
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.fault, self.kind)
    }
}

/// A symptom of one component.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Symptom {
    /// A metric of the model is anomalous: high or low.
    Metric {
        name: String,
        high: bool,
    },
    /// An alert of that name fires.
    Alert(String),
    /// A line with this text is logged.
    Log(String),
    ProbeFails,
    Changed,
}

/// Where a symptom is, relative to the component that may have caused it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Itself,
    /// A direct dependency of this type.
    Under(String),
    /// Any component that its fault propagates to.
    Over,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    pub place: Place,
    pub symptom: Symptom,
}

/// How far a metric deviated, in the base unit of the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricUse {
    /// The most extreme value, and the median of the usual values.
    pub value: f64,
    pub usual: f64,
    /// Whether the component has a single series of this metric. With several, the value of the component is not that of one series.
    pub alone: bool,
}

/// One component in one incident.
#[derive(Debug, Clone)]
pub struct Row {
    pub component: String,
    pub kind: String,
    /// Metrics have a reading.
    pub items: BTreeMap<Item, Option<MetricUse>>,
}

/// A side of a metric: type, metric, and whether upwards.
pub type Side = (String, String, bool);

/// One recording.
#[derive(Debug, Clone)]
pub struct Incident {
    pub name: String,
    /// What broke, by component; empty if nothing did.
    pub roots: BTreeMap<String, Label>,
    /// Components with any item, by their ids.
    pub rows: Vec<Row>,
    /// Symptoms by the type of what shows them, for trees.
    pub shown: BTreeMap<(String, Symptom), Option<MetricUse>>,
    /// The most extreme values of metrics that are not anomalous on that side.
    pub quiet: BTreeMap<Side, f64>,
}

impl Incident {
    /// The confirmed label of a component.
    pub fn label_of(&self, component: &str) -> Option<&Label> {
        self.roots.get(component)
    }

    /// What was at fault, in words.
    pub fn truth(&self) -> String {
        if self.roots.is_empty() {
            return "no fault".to_owned();
        }
        self.roots.iter().map(|(component, label)| format!("{} at {component}", label.fault)).collect::<Vec<_>>().join(", ")
    }
}

/// The transactions of a bundle. The error is the reason why nothing can be learned from it.
pub fn incident(bundle: &Bundle<'_>, labelled: &Labelled) -> Result<Incident, String> {
    let estate = bundle.estate();
    let mut roots = BTreeMap::new();
    for (component, fault) in &labelled.roots {
        let Some(found) = estate.find_named(component) else { return Err(format!("its root cause `{component}` is not in its estate")) };
        let found = estate.component(found);
        roots.insert(found.id.clone(), Label { kind: found.kind.clone(), fault: fault.clone() });
    }
    let symptoms = symptoms(bundle);
    let mut shown = BTreeMap::new();
    for (component, of_it) in &symptoms {
        let kind = &estate.component(*component).kind;
        of_it.iter().for_each(|(symptom, reading)| {
            shown.entry((kind.clone(), symptom.clone())).or_insert(*reading);
        });
    }
    let quiet = quiet(bundle, &symptoms);
    Ok(Incident { name: labelled.name.clone(), roots, rows: rows(bundle, &symptoms), shown, quiet })
}

type Symptoms = BTreeMap<ComponentId, BTreeMap<Symptom, Option<MetricUse>>>;

/// The symptoms of each component within the lookback of the bundle.
fn symptoms(bundle: &Bundle<'_>) -> Symptoms {
    let (estate, facts) = (bundle.estate(), &*bundle.facts);
    let (since, at) = (bundle.at.minus(bundle.lookback), bundle.at);
    let mut found = Symptoms::new();
    let mut add = |component: Option<ComponentId>, symptom: Symptom, reading: Option<MetricUse>| {
        if let Some(component) = component {
            // The worst series comes first.
            found.entry(component).or_default().entry(symptom).or_insert(reading);
        }
    };
    for deviation in deviations(estate, facts, at, Time::MIN) {
        let (Some(component), Some(series)) = (deviation.component, facts.series.get(deviation.series)) else { continue };
        if !series.modelled || deviation.score < CUT || series.within(since, at).is_empty() {
            continue;
        }
        let alone = is_alone(bundle, component, &series.metric);
        let reading = MetricUse { value: deviation.value, usual: deviation.usual, alone };
        add(Some(component), Symptom::Metric { name: series.metric.clone(), high: deviation.high }, Some(reading));
    }
    for alert in facts.alerts.iter().filter(|alert| alert.start <= at && alert.end > since && !alert.name.trim().is_empty()) {
        add(alert.component, Symptom::Alert(alert.name.clone()), None);
    }
    for probe in facts.probes.iter().filter(|probe| !probe.success && probe.time > since && probe.time <= at) {
        add(probe.component, Symptom::ProbeFails, None);
    }
    for change in facts.changes.iter().filter(|change| change.time > since && change.time <= at) {
        add(change.component, Symptom::Changed, None);
    }
    let mut fragments: BTreeMap<ComponentId, BTreeSet<String>> = BTreeMap::new();
    for line in facts.logs.iter().filter(|line| line.time > since && line.time <= at) {
        let (Some(component), Some(fragment)) = (line.component, fragment(&line.text)) else { continue };
        let of_it = fragments.entry(component).or_default();
        if of_it.len() < MAX_FRAGMENTS && of_it.insert(fragment.clone()) {
            add(Some(component), Symptom::Log(fragment), None);
        }
    }
    found
}

fn is_alone(bundle: &Bundle<'_>, component: ComponentId, metric: &str) -> bool {
    bundle.facts.series_of.get(&(component, metric.to_owned())).is_none_or(|all| all.len() == 1)
}

/// The part of a line that does not change from line to line: its longest run of words without a digit.
fn fragment(text: &str) -> Option<String> {
    let line = text.lines().next()?;
    let fixed = |word: &str| !word.chars().any(|c| c.is_ascii_digit() || c.is_control() || c == '"' || c == '\\');
    let mut best = String::new();
    let mut run = String::new();
    for word in line.split(' ') {
        if !fixed(word) || run.chars().count() + word.chars().count() >= MAX_FRAGMENT {
            run.clear();
            if !fixed(word) {
                continue;
            }
        }
        if !run.is_empty() {
            run.push(' ');
        }
        run.extend(word.chars().take(MAX_FRAGMENT));
        if run.trim().chars().count() > best.chars().count() {
            run.trim().clone_into(&mut best);
        }
    }
    (best.chars().count() >= MIN_FRAGMENT).then_some(best)
}

/// Each component with a symptom on it, below it, or on what its fault reaches.
fn rows(bundle: &Bundle<'_>, symptoms: &Symptoms) -> Vec<Row> {
    let estate = bundle.estate();
    let mut items: BTreeMap<ComponentId, BTreeMap<Item, Option<MetricUse>>> = BTreeMap::new();
    let mut add = |component: ComponentId, place: Place, symptom: &Symptom, reading: Option<MetricUse>| {
        let item = Item { place, symptom: symptom.clone() };
        items.entry(component).or_default().entry(item).or_insert(reading);
    };
    for (component, of_it) in symptoms {
        let kind = &estate.component(*component).kind;
        let over = estate.dependents(*component, &[], Some(1));
        let reaches_it = if of_it.keys().any(is_alert) { estate.dependencies(*component, &[], None) } else { Vec::new() };
        for (symptom, reading) in of_it {
            add(*component, Place::Itself, symptom, *reading);
            match symptom {
                Symptom::Metric { .. } | Symptom::Alert(_) | Symptom::Log(_) => {
                    over.iter().for_each(|one| add(one.component, Place::Under(kind.clone()), symptom, *reading));
                }
                Symptom::ProbeFails | Symptom::Changed => {}
            }
            if is_alert(symptom) {
                reaches_it.iter().for_each(|one| add(one.component, Place::Over, symptom, None));
            }
        }
    }
    let row = |(component, items): (ComponentId, BTreeMap<Item, Option<MetricUse>>)| {
        let component = estate.component(component);
        Row { component: component.id.clone(), kind: component.kind.clone(), items }
    };
    items.into_iter().map(row).collect()
}

fn is_alert(symptom: &Symptom) -> bool {
    matches!(symptom, Symptom::Alert(_))
}

/// The most extreme normal values of metrics, so that a threshold can be set beyond them.
fn quiet(bundle: &Bundle<'_>, symptoms: &Symptoms) -> BTreeMap<Side, f64> {
    let (estate, facts) = (bundle.estate(), &*bundle.facts);
    let mut found: BTreeMap<Side, f64> = BTreeMap::new();
    for series in facts.series.iter().filter(|series| series.modelled) {
        let Some(component) = series.component else { continue };
        if !is_alone(bundle, component, &series.metric) {
            continue;
        }
        let strays = |high: bool| {
            let symptom = Symptom::Metric { name: series.metric.clone(), high };
            symptoms.get(&component).is_some_and(|of_it| of_it.contains_key(&symptom))
        };
        let kind = &estate.component(component).kind;
        for high in [true, false].into_iter().filter(|high| !strays(*high)) {
            let values = series.within(bundle.at.minus(bundle.lookback), bundle.at).iter().map(|(_, value)| *value);
            let farther = |a: f64, b: f64| if high { a.max(b) } else { a.min(b) };
            if let Some(worst) = values.filter(|value| value.is_finite()).reduce(farther) {
                let side = (kind.clone(), series.metric.clone(), high);
                found.entry(side).and_modify(|before| *before = farther(*before, worst)).or_insert(worst);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::fragment;

    #[test]
    fn what_stays_of_a_line() {
        let cases = [
            ("无法获取数据库连接", Some("无法获取数据库连接")),
            ("took 4812 ms, connection to pool refused by peer 10.2.0.1", Some("ms, connection to pool refused by peer")),
            ("id 42", None),
            ("", None),
            ("12345678", None),
            ("say \"hello\" to the world\nand a second line", Some("to the world")),
        ];
        for (line, expected) in cases {
            assert_eq!(fragment(line).as_deref(), expected, "{line}");
        }
        let long = "word ".repeat(40);
        assert!(fragment(&long).is_some_and(|f| f.chars().count() <= 60 && long.contains(&f)), "{:?}", fragment(&long));
    }
}
