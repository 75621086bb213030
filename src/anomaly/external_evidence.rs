//! Witnesses: what speaks against a component beside its series: lines of its logs, scores of a model outside.

use estate::ComponentId;
use value::Time;

use super::suspicion::TELLS_MOST;

/// A tail probability below it tells no more: the assumptions behind any of them are not that exact.
const SUREST: f64 = 1e-6;

/// The family of all models outside: one may name as many metrics as it likes, and several may have learned from the same data.
pub const OUTSIDE: &str = "outside";

/// What speaks against a component, and who says so.
#[derive(Debug, Clone, PartialEq)]
pub struct ExternalEvidence {
    pub component: ComponentId,
    /// What is one thing with what: of several of one family the strongest counts.
    pub family: String,
    /// Probability if nothing is wrong, 0 to 1; below 1e-6 counts as that.
    pub tail: f64,
    /// How much of it counts, 0 to 1.
    pub weight: f64,
    pub onset: Time,
    /// When it was last said.
    pub end: Time,
    /// A whole clause: `team-x-model says 0.97 of latency`.
    pub words: String,
}

impl ExternalEvidence {
    /// The logarithm of the tail, so that a thousandth counts half as much as a millionth, which counts as much as a series can.
    pub(super) fn strength(&self) -> f64 {
        let tail = if self.tail.is_nan() { 1.0 } else { self.tail.clamp(SUREST, 1.0) };
        TELLS_MOST * tail.ln() / SUREST.ln() * self.weight.clamp(0.0, 1.0)
    }
}
