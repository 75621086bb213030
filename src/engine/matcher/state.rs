//! Captures the state of the matcher as bytes and restores it, so that a restart does not wait for windows to fill. The state
//! consists of facts, written as JSON with component ids; everything else is derived from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use estate::ComponentId;
use signal::{Alert, Change, Facts, LogLine, Measured, Muted, Origin, Probe, Report, Series};
use value::Time;

use super::change::{Kept, KeptSeries};
use signal::{Fact, Sample, SeriesKey, Signal, Trouble};

use super::fact::Ready;
use super::{Matcher, Setup};

/// Version of the state format. A state with another version is rejected.
pub const STATE_VERSION: u32 = 1;

/// The kinds of signals, as the state names them.
const ALERT: &str = "alert";
const LOG: &str = "log";
const CHANGE: &str = "change";
const REPORT: &str = "report";

/// Why a state cannot be restored. The matcher then starts empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    #[error("the matcher state has version {found}, but this program reads version {STATE_VERSION}: start without it; windows fill again")]
    Version { found: u32 },
    #[error("cannot read the matcher state: {0}: start without it; windows fill again")]
    Unreadable(String),
}

#[derive(Serialize, Deserialize)]
struct State {
    version: u32,
    now: i64,
    series: Vec<SeriesState>,
    baseline: Vec<SeriesState>,
    signals: Vec<SignalState>,
    probes: Vec<ProbeState>,
    /// Facts of instants after `now`.
    waiting_samples: Vec<SeriesState>,
    waiting_signals: Vec<SignalState>,
    waiting_probes: Vec<ProbeState>,
}

/// Only what must be known before the rest can be read.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct SeriesState {
    component: String,
    metric: String,
    labels: BTreeMap<String, String>,
    origin: Origin,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    /// Milliseconds and value; `null` marks the series stale.
    points: Vec<(i64, Option<f64>)>,
}

#[derive(Serialize, Deserialize)]
struct SignalState {
    kind: String,
    component: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    origin: Origin,
    text: String,
    labels: BTreeMap<String, String>,
    start: i64,
    /// Absent while an alert fires.
    end: Option<i64>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    summary: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    severity: Option<String>,
    #[serde(default)]
    duplicates: usize,
    #[serde(default)]
    flaps: usize,
    #[serde(default)]
    trouble: String,
    #[serde(default)]
    muted: Option<Muted>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    measured: Option<Box<Measured>>,
}

#[derive(Serialize, Deserialize)]
struct ProbeState {
    from: Option<String>,
    component: Option<String>,
    origin: Origin,
    time: i64,
    success: bool,
    text: String,
}

impl Matcher {
    /// Everything that the matcher knows, as bytes.
    ///
    /// # Errors
    /// An error of the JSON writer; it does not occur for facts that the matcher has taken.
    pub fn capture(&self) -> Result<Vec<u8>, serde_json::Error> {
        let facts = self.all_facts();
        let id = |component: Option<ComponentId>| component.map(|c| self.estate.component(c).id.clone());
        let mut state = State {
            version: STATE_VERSION,
            now: self.now.0,
            series: facts.series.iter().filter_map(|s| series_state(s, &id)).collect(),
            baseline: self.store.baseline.iter().filter_map(|s| series_state(s, &id)).collect(),
            signals: Vec::new(),
            probes: facts.probes.iter().map(|p| probe_state(p, &id)).collect(),
            waiting_samples: Vec::new(),
            waiting_signals: Vec::new(),
            waiting_probes: Vec::new(),
        };
        let alerts = facts.alerts.into_iter().map(Signal::Alert);
        let others = facts.logs.into_iter().map(Signal::Log);
        let changes = facts.changes.into_iter().map(Signal::Change);
        let reports = facts.reports.into_iter().map(Signal::Report);
        state.signals = alerts.chain(others).chain(changes).chain(reports).map(|s| signal_state(&s, &id)).collect();
        for waiting in self.waiting.values() {
            match &waiting.what {
                Ready::Sample { component, metric, series, time, value } => state.waiting_samples.push(SeriesState {
                    component: self.estate.component(*component).id.clone(),
                    metric: self.net.names.metrics.get(metric.0 as usize).cloned().unwrap_or_default(),
                    labels: series.labels.clone(),
                    origin: series.origin.clone(),
                    instance: series.instance.clone(),
                    points: vec![(time.0, (!value.is_nan()).then_some(*value))],
                }),
                Ready::Signal { signal, .. } => state.waiting_signals.push(signal_state(signal, &id)),
                Ready::Probe(probe) => state.waiting_probes.push(probe_state(probe, &id)),
                Ready::Unread(_) => {}
            }
        }
        serde_json::to_vec(&state)
    }

    /// Restores a captured matcher as of the instant of its capture (`setup.now` is ignored), with the plan and estate of `setup`.
    /// Both may differ from those of the capture, as in [`Matcher::replace`].
    ///
    /// # Errors
    /// The bytes are not a matcher state, or have another version.
    pub fn restore(setup: Setup, bytes: &[u8]) -> Result<Matcher, StateError> {
        let unreadable = |error: serde_json::Error| StateError::Unreadable(error.to_string());
        let Versioned { version } = serde_json::from_slice(bytes).map_err(unreadable)?;
        if version != STATE_VERSION {
            return Err(StateError::Version { found: version });
        }
        let state: State = serde_json::from_slice(bytes).map_err(unreadable)?;
        let estate = Arc::clone(&setup.estate);
        let find = |id: &Option<String>| id.as_deref().and_then(|id| estate.find(id));
        let mut kept = Kept::default();
        for series in state.series {
            let Some(component) = estate.find(&series.component) else { continue };
            let (metric, key, points) = parts(series);
            kept.series.push(KeptSeries { component, metric, key, points });
        }
        for series in state.baseline {
            let component = estate.find(&series.component);
            let (metric, key, points) = parts(series);
            let SeriesKey { labels, origin, instance } = key.as_ref().clone();
            kept.baseline.push(Series { origin, component, instance, metric, modelled: true, labels, points: points.into() });
        }
        kept.signals = state.signals.into_iter().filter_map(|s| signal(s, &find)).collect();
        kept.probes = state.probes.into_iter().map(|p| probe(p, &find)).collect();
        for series in state.waiting_samples {
            let component = estate.find(&series.component);
            let (metric, key, points) = parts(series);
            for (time, value) in points {
                let series = Arc::clone(&key);
                kept.waiting.push(Fact::Sample(Sample { component, metric: metric.clone(), series, time, value }));
            }
        }
        kept.waiting.extend(state.waiting_signals.into_iter().filter_map(|s| signal(s, &find)).map(Fact::from));
        kept.waiting.extend(state.waiting_probes.into_iter().map(|p| Fact::Probe(probe(p, &find))));
        Ok(Self::with(Setup { now: Time(state.now), ..setup }, kept))
    }

    /// A matcher that has taken all facts of a recording, as of `setup.now`.
    pub fn load(setup: Setup, facts: &Facts) -> Matcher {
        let mut kept = Kept { baseline: facts.baseline.clone(), probes: facts.probes.clone(), ..Kept::default() };
        for series in &facts.series {
            let Some(component) = series.component else { continue };
            let (metric, points) = (series.metric.clone(), series.points.to_vec());
            kept.series.push(KeptSeries { component, metric, key: Arc::new(series.key()), points });
        }
        kept.signals.extend(facts.alerts.iter().cloned().map(Signal::Alert));
        kept.signals.extend(facts.logs.iter().cloned().map(Signal::Log));
        kept.signals.extend(facts.changes.iter().cloned().map(Signal::Change));
        kept.signals.extend(facts.reports.iter().cloned().map(Signal::Report));
        Self::with(setup, kept)
    }

    fn with(setup: Setup, kept: Kept) -> Matcher {
        let mut matcher = Matcher::empty(setup);
        matcher.put_facts(kept);
        matcher.begin_anew();
        matcher.forget_touched();
        matcher
    }
}

fn series_state(series: &Series, id: &impl Fn(Option<ComponentId>) -> Option<String>) -> Option<SeriesState> {
    Some(SeriesState {
        component: id(series.component)?,
        metric: series.metric.clone(),
        labels: series.labels.clone(),
        origin: series.origin.clone(),
        instance: series.instance.clone(),
        points: series.points.iter().map(|(time, value)| (time.0, (!value.is_nan()).then_some(*value))).collect(),
    })
}

/// The metric, the key and the samples of a series.
fn parts(series: SeriesState) -> (String, Arc<SeriesKey>, Vec<(Time, f64)>) {
    let key = Arc::new(SeriesKey { labels: series.labels, origin: series.origin, instance: series.instance });
    let points = series.points.into_iter().map(|(time, value)| (Time(time), value.unwrap_or(f64::NAN))).collect();
    (series.metric, key, points)
}

fn signal_state(signal: &Signal, id: &impl Fn(Option<ComponentId>) -> Option<String>) -> SignalState {
    let (start, end) = signal.extent();
    let (kind, origin) = match signal {
        Signal::Alert(s) => (ALERT, &s.origin),
        Signal::Log(s) => (LOG, &s.origin),
        Signal::Change(s) => (CHANGE, &s.origin),
        Signal::Report(s) => (REPORT, &s.origin),
    };
    let mut state = SignalState {
        kind: kind.to_owned(),
        component: id(signal.component()),
        instance: signal.instance().map(str::to_owned),
        origin: origin.clone(),
        text: signal.text().to_owned(),
        labels: signal.labels().clone(),
        start: start.0,
        end: (end < Time::MAX).then_some(end.0),
        name: String::new(),
        summary: String::new(),
        severity: None,
        duplicates: 0,
        flaps: 0,
        trouble: String::new(),
        muted: None,
        measured: None,
    };
    if let Signal::Alert(alert) = signal {
        (state.name, state.summary, state.severity) = (alert.name.clone(), alert.summary.clone(), alert.severity.clone());
        (state.duplicates, state.flaps) = (alert.duplicates, alert.flaps);
        (state.trouble, state.muted) = (alert.trouble.name().to_owned(), alert.muted.clone());
        state.measured.clone_from(&alert.measured);
    }
    state
}

/// `None` for a kind that this version does not know.
fn signal(state: SignalState, find: &impl Fn(&Option<String>) -> Option<ComponentId>) -> Option<Signal> {
    let component = find(&state.component);
    let instance = state.instance;
    let (origin, text, time, labels) = (state.origin, state.text, Time(state.start), state.labels);
    Some(match state.kind.as_str() {
        ALERT => Signal::Alert(Alert {
            origin,
            component,
            instance,
            name: state.name,
            text,
            summary: state.summary,
            severity: state.severity,
            labels,
            start: time,
            end: state.end.map_or(Time::MAX, Time),
            duplicates: state.duplicates,
            flaps: state.flaps,
            trouble: Trouble::parse(&state.trouble).unwrap_or_default(),
            muted: state.muted,
            measured: state.measured,
        }),
        LOG => Signal::Log(LogLine { origin, component, instance, time, text, labels }),
        CHANGE => Signal::Change(Change { origin, component, instance, time, text, attributes: labels }),
        REPORT => Signal::Report(Report { origin, component, time, text, attributes: labels }),
        _ => return None,
    })
}

fn probe_state(probe: &Probe, id: &impl Fn(Option<ComponentId>) -> Option<String>) -> ProbeState {
    ProbeState {
        from: id(probe.from),
        component: id(probe.component),
        origin: probe.origin.clone(),
        time: probe.time.0,
        success: probe.success,
        text: probe.text.clone(),
    }
}

fn probe(state: ProbeState, find: &impl Fn(&Option<String>) -> Option<ComponentId>) -> Probe {
    Probe {
        origin: state.origin,
        from: find(&state.from),
        component: find(&state.component),
        time: Time(state.time),
        success: state.success,
        text: state.text,
    }
}
