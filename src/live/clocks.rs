//! The clocks of an incident: how soon it is to be found, acknowledged and over, by the tier of what it affects.

use change::targets;
use estate::State;
use localize::Incident;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// From the beginning of the fault until it was found.
    Detection,
    /// From there until somebody looks after it.
    Acknowledgement,
    /// From there until it is over.
    Recovery,
}

impl Clock {
    /// As JSON names it.
    pub fn name(self) -> &'static str {
        match self {
            Clock::Detection => "detection",
            Clock::Acknowledgement => "acknowledgement",
            Clock::Recovery => "recovery",
        }
    }
}

/// The targets of an incident, in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Targets {
    pub detect: i64,
    pub acknowledge: i64,
    pub resolve: i64,
}

impl Targets {
    /// By the most important tier of the suspects, and of what shows trouble, has lost something or is named by a rule. What is only at risk
    /// does not count: in most estates that is everything.
    pub fn of(incident: &Incident) -> Option<Targets> {
        let suspects = incident.suspects.iter().filter_map(|suspect| suspect.tier);
        let hit =
            incident.impact.iter().filter(|view| view.observed || view.declared || view.state > State::AtRisk).filter_map(|view| view.tier);
        let response = targets(suspects.chain(hit).min()?).response;
        Some(Targets { detect: response.detect, acknowledge: response.acknowledge, resolve: response.resolve })
    }
}
