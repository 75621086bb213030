//! What the ranking is asked: the symptoms, and everything that is known at the instant.

use estate::{ComponentId, Snapshot};
use signal::{Facts, Measured};
use value::Time;

use super::external_evidence::ExternalEvidence;
use super::kind::Kind;
use super::score::Deviation;

/// A signal that needs an explanation: an alert, a report, a failed probe.
#[derive(Debug, Clone, PartialEq)]
pub struct Symptom {
    pub component: ComponentId,
    pub onset: Time,
    /// When it was over; `None` while it lasts.
    pub end: Option<Time>,
    /// It tells that work stopped arriving, so its component is the victim of a caller: see [`signal::Trouble`].
    pub starved: bool,
    /// What kind of trouble it tells of, if its words say so.
    pub kind: Option<Kind>,
    /// How far it is beyond its threshold, if it says so.
    pub measured: Option<Measured>,
}

/// The input of the ranking.
#[derive(Clone, Copy)]
pub struct RankInput<'a> {
    pub estate: &'a Snapshot,
    pub facts: &'a Facts,
    /// The instant; nothing given is of later.
    pub at: Time,
    pub deviations: &'a [Deviation],
    pub witnesses: &'a [ExternalEvidence],
    pub symptoms: &'a [Symptom],
    /// Who names whom as what it failed on, though no relation joins them: as good as a call.
    pub named: &'a [(ComponentId, ComponentId)],
}
