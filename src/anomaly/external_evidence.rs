//! Evidence against a component besides its series: lines of its logs, and scores of external models.

use estate::ComponentId;
use value::Time;

use super::reasons::Reason;
use super::suspicion::TELLS_MOST;

/// A smaller tail probability counts as this one: the assumptions behind it are not that exact.
const SUREST: f64 = 1e-6;

/// The family of all external models: one model can score many metrics, and several may be trained on the same data.
pub const OUTSIDE: &str = "outside";

/// Evidence against a component, and its source.
#[derive(Debug, Clone, PartialEq)]
pub struct ExternalEvidence {
    pub component: ComponentId,
    /// Only the strongest evidence of a family counts.
    pub family: String,
    /// Probability if nothing is wrong, 0 to 1; below 1e-6 counts as that.
    pub tail: f64,
    /// How much of it counts, 0 to 1.
    pub weight: f64,
    pub onset: Time,
    /// When it was last reported.
    pub end: Time,
    /// What it says.
    pub reason: Reason,
}

impl ExternalEvidence {
    /// On the logarithm of the tail: 1e-3 counts half as much as 1e-6, and 1e-6 counts as much as a series can at most.
    pub(super) fn strength(&self) -> f64 {
        let tail = if self.tail.is_nan() { 1.0 } else { self.tail.clamp(SUREST, 1.0) };
        TELLS_MOST * tail.ln() / SUREST.ln() * self.weight.clamp(0.0, 1.0)
    }
}
