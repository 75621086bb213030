//! Anomalies: which series stray from what is usual for them, and which component that speaks against. For incidents that no
//! rule knows and no case resembles.
//!
//! [`deviations`] judges every series by itself, [`rank`] holds what strays against the topology: the best suspect strays,
//! begins no later than what it explains, reaches the symptoms along the travel of faults, and depends on nothing that strays
//! as much. Nothing here knows the names of components or metrics; what a metric means is asked of the model, and where the
//! model is silent nothing is guessed. The answer is a hint that asks a person to confirm: scores order the suspects, and
//! [`Ranked::confidence`] says how often such an answer was right on labelled incidents; `localize` moves it by what people said of earlier
//! answers.
//!
//! Constants stand where they are used, each with a reason that does not depend on any one system.

mod binomial;
mod change_point;
mod column;
mod counter;
mod drain;
mod ets;
mod ewma;
mod external_evidence;
mod forest;
#[cfg(test)]
mod forest_tests;
mod judge;
mod metric_group;
mod model;
#[cfg(test)]
mod model_tests;
mod random;
mod rank;
mod reasons;
mod reference;
mod runs;
mod score;
mod season;
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

pub use change_point::{ChangePoint, change_point};
pub use drain::Miner;
pub use external_evidence::{ExternalEvidence, OUTSIDE};
pub use forest::{Forest, ForestOptions};
pub use judge::{Judgment, Scored, Shift};
pub use model::{DEFAULT_THRESHOLD, FitOptions, Model};
pub use rank::{RankInput, Ranked, Symptom, rank};
pub use reasons::Reasons;
pub use runs::{Run, runs};
pub use score::{Deviation, Reference, deviations};
pub use suspicion::SuspicionSource;
pub use table::{Table, TableColumn};
pub use tail::{Detector, Tail};
pub use templates::{LogDeviation, LogKind, RareWord, log_deviations};
pub use tokens::{Token, Tokens, sentence, telling, tokens};
