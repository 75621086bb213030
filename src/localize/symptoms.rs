//! Symptoms: signals that show that something is wrong and need an explanation. All other signals are only evidence.

use std::collections::{BTreeMap, BTreeSet};

use anomaly::{Deviation, LogDeviation};
use compile::plan::Severity;
use engine::SignalRef;
use estate::{ComponentId, Snapshot, Tier};
use signal::{Alert, Facts, Muted, Origin, Trouble};
use value::Time;

use super::diagnosis::{Says, SignalView};

#[derive(Debug, Clone)]
pub struct Symptom {
    pub kind: Kind,
    pub component: Option<ComponentId>,
    pub onset: Time,
    /// When it was over; `None` while it lasts, and for signals that have no end.
    pub end: Option<Time>,
    pub text: String,
    pub says: Says,
    /// Severity times business tier: which incident to show first, and whom to wake. It is never evidence of guilt.
    pub importance: f64,
    /// As its alert declares it; a warning otherwise.
    pub severity: Severity,
    /// If it tells that work stopped arriving: the components that would send it. Its own component is their victim.
    pub callers: Option<BTreeSet<ComponentId>>,
    /// Who muted the alert, according to its sender: it needs no explanation.
    pub muted: Option<Muted>,
    /// The signals behind the symptom, in order.
    pub signals: Vec<SignalRef>,
    pub count: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Alert,
    Report,
    Probe,
    Log,
    /// An anomalous series: it is evidence, but does not need an explanation by itself.
    Metric,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Alert => "alert",
            Kind::Report => "report",
            Kind::Probe => "probe",
            Kind::Log => "log",
            Kind::Metric => "metric",
        }
    }
}

/// How much more a symptom of an important component weighs: a core service counts as much as two general ones.
fn tier_factor(tier: Option<Tier>) -> f64 {
    match tier {
        Some(Tier::Core) => 2.0,
        Some(Tier::Important) => 1.5,
        Some(Tier::General) | None => 1.0,
        Some(Tier::Minor) => 0.5,
    }
}

/// The severity that an alert's label names.
fn severity(label: Option<&str>) -> Severity {
    match label.map(str::to_ascii_lowercase).as_deref() {
        Some("critical" | "page" | "emergency" | "fatal" | "p0" | "p1" | "disaster") => Severity::Critical,
        Some("info" | "notice") => Severity::Info,
        Some(_) | None => Severity::Warning,
    }
}

fn severity_weight(label: Option<&str>) -> f64 {
    match severity(label) {
        // An alert that always fires, to prove that alerting works.
        _ if label.is_some_and(|label| label.eq_ignore_ascii_case("none")) => 0.0,
        Severity::Critical => 3.0,
        Severity::Warning => 2.0,
        Severity::Info => 1.0,
    }
}

/// All symptoms between `since` and `at`, in a fixed order.
pub fn collect(estate: &Snapshot, facts: &Facts, deviations: &[Deviation], since: Time, at: Time) -> Vec<Symptom> {
    let mut symptoms = Vec::new();
    let factor = |component: Option<ComponentId>| tier_factor(component.and_then(|c| estate.component(c).tier));
    for (index, alert) in facts.alerts.iter().enumerate() {
        let weight = severity_weight(alert.severity.as_deref()) * factor(alert.component);
        if alert.start <= at && alert.end > since && weight > 0.0 {
            symptoms.push(Symptom {
                kind: Kind::Alert,
                component: alert.component,
                onset: alert.start,
                end: (alert.end <= at).then_some(alert.end),
                text: alert.title(),
                says: Says::Text,
                importance: weight,
                severity: severity(alert.severity.as_deref()),
                callers: (alert.trouble == Trouble::Starved).then(|| callers(estate, alert.component)),
                muted: alert.muted.clone(),
                signals: vec![SignalRef::Alert(index)],
                count: 1 + alert.duplicates,
            });
        }
    }
    for (index, report) in facts.reports.iter().enumerate() {
        if report.time <= at && report.time > since {
            symptoms.push(single(
                Kind::Report,
                report.component,
                report.time,
                &report.text,
                factor(report.component),
                SignalRef::Report(index),
            ));
        }
    }
    for (index, probe) in facts.probes.iter().enumerate() {
        if probe.time <= at && probe.time > since && !probe.success {
            let symptom =
                single(Kind::Probe, probe.component, probe.time, &probe.text, 2.0 * factor(probe.component), SignalRef::Probe(index));
            symptoms.push(if probe.text.is_empty() { Symptom { says: Says::ProbeFailed, ..symptom } } else { symptom });
        }
    }
    logs(facts, since, at, factor, &mut symptoms);
    for deviation in deviations {
        let says = Says::Deviates {
            metric: deviation.metric.clone(),
            value: show(estate, deviation, deviation.value),
            usual: show(estate, deviation, deviation.usual),
            high: deviation.high,
        };
        let signal = SignalRef::Series(deviation.series);
        let symptom = single(Kind::Metric, deviation.component, deviation.onset, &deviation.metric, 0.5, signal);
        symptoms.push(Symptom { says, ..symptom });
    }
    symptoms
}

/// Everything that calls a component, at any distance: those of which one, failing, makes it starve.
fn callers(estate: &Snapshot, component: Option<ComponentId>) -> BTreeSet<ComponentId> {
    component.into_iter().flat_map(|starved| estate.dependents(starved, &[], None)).map(|reached| reached.component).collect()
}

/// A value of a series in the unit that the model declares for it.
pub fn show(estate: &Snapshot, deviation: &Deviation, value: f64) -> String {
    let unit = deviation.component.and_then(|c| match estate.model().member(&estate.component(c).kind, &deviation.metric) {
        Some(estate::Member::Metric(def)) => Some(def.unit),
        Some(estate::Member::Attribute(_)) | None => None,
    });
    unit.map_or_else(|| value::format_number(value), |unit| unit.format(value))
}

fn single(kind: Kind, component: Option<ComponentId>, onset: Time, text: &str, importance: f64, signal: SignalRef) -> Symptom {
    let text = text.lines().next().unwrap_or("").to_owned();
    Symptom {
        kind,
        component,
        onset,
        end: None,
        text,
        says: Says::Text,
        importance,
        severity: Severity::Warning,
        callers: None,
        muted: None,
        signals: vec![signal],
        count: 1,
    }
}

/// Error lines, one symptom per component: a thousand lines of one failing client need one explanation.
fn logs(facts: &Facts, since: Time, at: Time, factor: impl Fn(Option<ComponentId>) -> f64, symptoms: &mut Vec<Symptom>) {
    let mut groups: BTreeMap<Option<ComponentId>, Vec<usize>> = BTreeMap::new();
    for (index, line) in facts.logs.iter().enumerate() {
        if line.is_error() && line.time <= at && line.time > since {
            groups.entry(line.component).or_default().push(index);
        }
    }
    for (component, lines) in groups {
        let Some(first) = lines.first().and_then(|i| facts.logs.get(*i)) else { continue };
        symptoms.push(Symptom {
            kind: Kind::Log,
            component,
            onset: first.time,
            end: None,
            text: first.text.lines().next().unwrap_or("").to_owned(),
            says: Says::Text,
            importance: factor(component),
            severity: Severity::Warning,
            callers: None,
            muted: None,
            count: lines.len(),
            signals: lines.into_iter().map(SignalRef::Log).collect(),
        });
    }
}

/// Drops error lines that were logged as often before. The error lines of a component stay a symptom only if one of its error templates
/// is new or surges, if there are no earlier logs, or if a cluster says it: what happens there every day it says as information.
pub fn quieten(symptoms: &mut Vec<Symptom>, logs: &[LogDeviation], facts: &Facts) {
    let is_of_cluster = |signal: &SignalRef| match signal {
        SignalRef::Log(index) => facts.logs.get(*index).is_some_and(signal::LogLine::is_of_cluster),
        _ => false,
    };
    symptoms.retain(|symptom| {
        let odd = || logs.iter().any(|found| found.error && found.component == symptom.component);
        symptom.kind != Kind::Log || odd() || symptom.signals.iter().any(is_of_cluster)
    });
}

/// The position of a signal in the bundle.
pub fn origin(signal: SignalRef, facts: &Facts) -> Option<Origin> {
    match signal {
        SignalRef::Alert(i) => facts.alerts.get(i).map(|s| s.origin.clone()),
        SignalRef::Series(i) => facts.series.get(i).map(|s| s.origin.clone()),
        SignalRef::Log(i) => facts.logs.get(i).map(|s| s.origin.clone()),
        SignalRef::Change(i) => facts.changes.get(i).map(|s| s.origin.clone()),
        SignalRef::Probe(i) => facts.probes.get(i).map(|s| s.origin.clone()),
        SignalRef::Report(i) => facts.reports.get(i).map(|s| s.origin.clone()),
    }
}

impl Symptom {
    /// Whether the symptom needs an explanation by itself.
    pub fn calls_for_help(&self) -> bool {
        match self.kind {
            Kind::Alert | Kind::Report | Kind::Probe | Kind::Log => self.muted.is_none(),
            Kind::Metric => false,
        }
    }

    /// Whether it is an alert that nobody muted and that still fires.
    pub fn fires(&self) -> bool {
        self.kind == Kind::Alert && self.end.is_none() && self.muted.is_none()
    }

    /// Whether it calls somebody now, explained or not.
    pub fn is_urgent(&self) -> bool {
        self.fires() && self.severity == Severity::Critical
    }

    /// How much it counts as something to be explained, the same for every component: an alert or a failed probe is a statement, a
    /// report and error lines are less precise, and a metric that deviates may mean nothing.
    pub fn evidence(&self) -> f64 {
        match self.kind {
            Kind::Alert | Kind::Probe => 1.0,
            Kind::Report | Kind::Log => 0.5,
            Kind::Metric => 0.25,
        }
    }

    /// How much it calls for help, beside an alert that does not say how far it is beyond its threshold: 0 to 1.
    pub fn loudness(&self, facts: &Facts) -> f64 {
        self.alert(facts).and_then(|alert| alert.measured.as_deref()).map_or(1.0, anomaly::loudness)
    }

    /// The alert that it is, if it is one.
    pub fn alert<'f>(&self, facts: &'f Facts) -> Option<&'f Alert> {
        // An alert is one signal; of log lines there may be thousands.
        if let SignalRef::Alert(at) = self.signals.first()? { facts.alerts.get(*at) } else { None }
    }

    /// The pod that all its signals name beside the component.
    fn instance(&self, facts: &Facts) -> Option<String> {
        let of = |signal: &SignalRef| match signal {
            SignalRef::Alert(i) => facts.alerts.get(*i)?.instance.as_ref(),
            SignalRef::Series(i) => facts.series.get(*i)?.instance.as_ref(),
            SignalRef::Log(i) => facts.logs.get(*i)?.instance.as_ref(),
            SignalRef::Change(i) => facts.changes.get(*i)?.instance.as_ref(),
            SignalRef::Probe(_) | SignalRef::Report(_) => None,
        };
        let first = of(self.signals.first()?)?;
        self.signals.iter().all(|signal| of(signal) == Some(first)).then(|| first.clone())
    }

    pub fn view(&self, estate: &Snapshot, facts: &Facts) -> SignalView {
        let origin = self.signals.first().and_then(|s| origin(*s, facts)).unwrap_or_else(|| Origin { file: String::new(), index: 0 });
        SignalView {
            kind: self.kind.name().to_owned(),
            component: self.component.map(|c| estate.component(c).id.clone()),
            instance: self.instance(facts).filter(|name| self.component.and_then(|of| estate.find_instance(of, name)).is_none()),
            time: self.onset,
            text: self.text.clone(),
            says: self.says.clone(),
            count: self.count,
            firing: self.fires().then_some(self.severity),
            origin,
        }
    }
}
