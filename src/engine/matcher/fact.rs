//! Facts in the form that the matcher stores.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHasher;
use smallvec::SmallVec;

use compile::plan::EventKind;
use estate::ComponentId;
use signal::{Probe, SeriesKey, Signal};
use value::Time;

use super::network::{MetricId, PatternId};

/// Whether conditions of a kind may count a signal.
pub(super) fn is_of(signal: &Signal, kind: EventKind) -> bool {
    match signal {
        Signal::Alert(_) => kind == EventKind::Alert,
        // What a cluster says is a line, or a change.
        Signal::Log(_) => matches!(kind, EventKind::Log | EventKind::Event),
        Signal::Change(_) => matches!(kind, EventKind::Change | EventKind::Event),
        Signal::Report(_) => kind == EventKind::Report,
    }
}

/// Signals that are the same have one identity; two others hardly ever share one ([`Signal::is_same`] is sure).
pub(super) fn identity_of(signal: &Signal) -> u64 {
    let mut hasher = FxHasher::default();
    match signal {
        Signal::Alert(s) => (0u8, &s.labels, &s.name, s.start.0).hash(&mut hasher),
        Signal::Log(s) => (1u8, &s.origin).hash(&mut hasher),
        Signal::Change(s) => (2u8, &s.origin).hash(&mut hasher),
        Signal::Report(s) => (3u8, &s.origin).hash(&mut hasher),
    }
    hasher.finish()
}

/// A fact made ready: names are numbers, texts are searched. Belongs to the plan and the estate that made it: after
/// [`Matcher::replace`](super::Matcher::replace) it is refused as outdated.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub(super) epoch: u32,
    pub(super) what: Ready,
}

#[derive(Debug, Clone)]
pub(super) enum Ready {
    Sample { component: ComponentId, metric: MetricId, series: Arc<SeriesKey>, time: Time, value: f64 },
    Signal { signal: Arc<Signal>, identity: u64, patterns: SmallVec<[PatternId; 4]> },
    Probe(Arc<Probe>),
    Unread(Time),
}

impl Prepared {
    /// When it was observed.
    pub fn time(&self) -> Time {
        match &self.what {
            Ready::Sample { time, .. } | Ready::Unread(time) => *time,
            Ready::Signal { signal, .. } => signal.extent().0,
            Ready::Probe(probe) => probe.time,
        }
    }

    /// Whether some rule reads it.
    pub fn is_read(&self) -> bool {
        !matches!(self.what, Ready::Unread(_))
    }
}
