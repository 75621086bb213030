//! How sure the first suspect of a ranking is: from what transfers between systems, not from the height of a score. Which share of all
//! suspicion is on it, how strong the evidence against it is and of what kind, and how much of the trouble its fault would explain.

/// What the confidence of a first suspect rests on.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Grounds {
    /// Its share of all suspects' scores, each to the power of [`SHARPNESS`]: how far it stands out, 0 to 1.
    pub share: f64,
    /// The evidence against it, 0 to 1.
    pub evidence: f64,
    /// The share of all that needs an explanation that its fault explains, 0 to 1.
    pub reach: f64,
    /// Whether more counts against it than alerts that do not say how far beyond their thresholds they are, and external models.
    pub deviates: bool,
}

/// One weight for each of [`Grounds::features`].
pub type Weights = [f64; 5];

/// Scores become shares by this power: the maximum-likelihood estimate for the roots of two systems is 3.6 and 3.2.
pub(super) const SHARPNESS: i32 = 3;

/// A share is not taken for surer than this: 50 to 1.
const WIDEST: f64 = 4.0;

/// Fitted by `cargo bench --bench anomaly -- leave`, on all systems there and the generator, each with the same weight; docs/anomaly.md
/// has the figures for each system with weights that were fitted on the others.
pub const WEIGHTS: Weights = [-1.85, 0.12, 1.91, 2.38, 0.06];

/// The maximum confidence. The recordings do not justify more.
pub const MOST_SURE: f64 = 0.95;

impl Grounds {
    /// What the logarithm of the odds is linear in.
    pub fn features(&self) -> Weights {
        let odds = (self.share.max(f64::MIN_POSITIVE) / (1.0 - self.share).max(f64::MIN_POSITIVE)).ln();
        [1.0, odds.clamp(-WIDEST, WIDEST), self.evidence, self.reach, if self.deviates { 1.0 } else { 0.0 }]
    }

    /// The probability that the suspect is a root cause.
    pub fn confidence(&self, weights: &Weights) -> f64 {
        let sum: f64 = self.features().iter().zip(weights).map(|(feature, weight)| feature * weight).sum();
        // Of several that share the suspicion at most one is right.
        // If nothing was measured, a cause that is not among the suspects is as likely as the best of them.
        let most = if self.deviates { self.share } else { self.share / (1.0 + self.share) };
        (1.0 / (1.0 + (-sum).exp())).min(most).min(MOST_SURE)
    }
}
