//! Anomaly detection: which series deviate from their baseline, and which component is the likely root cause. For incidents that no
//! rule covers and no past case resembles.
//!
//! [`deviations`] judges each series by itself. [`rank`] compares the deviations with the topology: the best suspect is anomalous,
//! began no later than what it explains, reaches the symptoms along the propagation of faults, and depends on nothing that is as
//! anomalous. No code here knows names of components or metrics. The meaning of a metric comes from the model; without it, nothing is
//! guessed. Suspects are proposals that need confirmation. Scores order them, and [`Ranked::confidence`] is how often such a suspect
//! was right on labeled incidents; `localize` calibrates it by feedback.
//!
//! Constants are defined where they are used, each with a reason that does not depend on any one system.

mod alarm;
mod binomial;
mod change_point;
mod changes;
mod column;
mod confidence;
mod drain;
mod ets;
mod ewma;
mod external_evidence;
mod forest;
#[cfg(test)]
mod forest_tests;
mod judge;
mod kind;
mod load;
mod metric_group;
mod model;
#[cfg(test)]
mod model_tests;
mod question;
mod random;
mod rank;
mod reasons;
mod reference;
mod runs;
mod sampling;
mod score;
mod season;
mod silence;
mod suspicion;
mod table;
mod tail;
mod tallies;
#[cfg(test)]
mod template_tests;
mod templates;
#[cfg(test)]
mod tests;
mod tokens;
mod workloads;

pub use alarm::loudness;
pub use change_point::{ChangePoint, change_point};
pub use changes::CHANGE_WINDOW;
pub use confidence::{Grounds, MOST_SURE, WEIGHTS, Weights};
pub use drain::Miner;
pub use external_evidence::{ExternalEvidence, OUTSIDE};
pub use forest::{Forest, ForestOptions};
pub use judge::{Judgment, Scored, Shift};
pub use kind::{Kind, tells_state};
pub use model::{DEFAULT_THRESHOLD, FitOptions, Model};
pub use question::{RankInput, Symptom};
pub use rank::{Ranked, rank};
pub use reasons::{Reason, Reasons};
pub use runs::{Run, runs};
pub use score::{Deviation, Reference, deviations, visible_from};
pub use silence::silences;
pub use suspicion::{LOG, SETTLING, SuspicionSource};
pub use table::{Table, TableColumn};
pub use tail::{Detector, Tail};
pub use templates::{LogDeviation, LogKind, RareWord, log_deviations};
pub use tokens::{Token, Tokens, sentence, telling, tokens};
