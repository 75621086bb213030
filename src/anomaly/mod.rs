//! Anomalies: which series stray from what is usual for them, and which component that speaks against. For incidents that no
//! rule knows and no case resembles.
//!
//! [`deviations`] judges every series by itself, [`rank`] holds what strays against the topology: the best suspect strays,
//! begins no later than what it explains, reaches the symptoms along the travel of faults, and depends on nothing that strays
//! as much. Nothing here knows the names of components or metrics; what a metric means is asked of the model, and where the
//! model is silent nothing is guessed. The answer is a hint that asks a person to confirm: scores order the suspects, and
//! [`Ranked::confidence`] is a share of scores, **not calibrated** to how often such an answer is right; `localize` does that, by what
//! people said of earlier answers.
//!
//! Constants stand where they are used, each with a reason that does not depend on any one system.

mod counter;
mod family;
mod rank;
mod reasons;
mod reference;
mod score;
#[cfg(test)]
mod tests;
mod trouble;
mod units;

pub use rank::{Ranked, Symptom, rank};
pub use score::{Deviation, deviations};
