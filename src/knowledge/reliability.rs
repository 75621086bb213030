//! Reliability of confidences: how often answers with each confidence were right.

use schemars::JsonSchema;
use serde::Serialize;

/// Bins of a tenth: nobody reads a confidence more precisely.
pub const BINS: u32 = 10;

/// The two-sided 95 % quantile of the normal distribution.
const Z: f64 = 1.959_964;

/// Answers of nearly the same confidence.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Bin {
    /// Confidences from this one on,
    pub from: f64,
    /// and below this one; the last bin has 1, too.
    pub to: f64,
    /// How many answers; never 0.
    pub n: usize,
    pub mean_confidence: f64,
    /// 0 to 1.
    pub share_right: f64,
    /// The share of all answers like these lies within `low` and `high` with 95 % confidence.
    pub low: f64,
    pub high: f64,
}

/// How well the confidences of a list of answers match the outcomes.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Reliability {
    pub answers: usize,
    /// In tenths; those without an answer are left out.
    pub bins: Vec<Bin>,
    /// See [`brier`]; `null` without answers.
    pub brier: Option<f64>,
    /// See [`ece`]; `null` without answers.
    pub ece: Option<f64>,
}

impl Reliability {
    /// From the confidence of each answer, 0 to 1, and whether it was right.
    pub fn of(pairs: &[(f64, bool)]) -> Self {
        Self { answers: pairs.len(), bins: reliability(pairs, BINS), brier: brier(pairs), ece: ece(pairs) }
    }
}

/// The answers by confidence, in bins of equal width; those without an answer are left out.
pub fn reliability(pairs: &[(f64, bool)], bins: u32) -> Vec<Bin> {
    let bounds = (0..bins).map(|at| (f64::from(at) / f64::from(bins), f64::from(at + 1) / f64::from(bins), at + 1 == bins));
    let bin = |(from, to, last): (f64, f64, bool)| {
        let inside = |confidence: f64| confidence >= from && (confidence < to || (last && confidence <= to));
        let members: Vec<(f64, bool)> = pairs.iter().copied().filter(|(confidence, _)| inside(*confidence)).collect();
        let share_right = mean(&members, |(_, right)| truth(right))?;
        let mean_confidence = mean(&members, |(confidence, _)| confidence)?;
        let (low, high) = wilson(share_right, number(members.len()));
        Some(Bin { from, to, n: members.len(), mean_confidence, share_right, low, high })
    };
    bounds.filter_map(bin).collect()
}

/// The mean squared distance between confidence and truth (Brier, *Verification of Forecasts Expressed in Terms of Probability*,
/// 1950): 0 for an oracle, 0.25 if every confidence is ½. `None` without answers.
pub fn brier(pairs: &[(f64, bool)]) -> Option<f64> {
    mean(pairs, |(confidence, right)| (confidence - truth(right)).powi(2))
}

/// The expected calibration error: the mean distance between confidence and share over the bins, weighted by their answers (Naeini,
/// Cooper, Hauskrecht, AAAI 2015). 0 to 1, less is better; of few answers it is mostly chance. `None` without answers.
pub fn ece(pairs: &[(f64, bool)]) -> Option<f64> {
    let bins = reliability(pairs, BINS);
    let total: f64 = bins.iter().map(|bin| number(bin.n)).sum();
    let apart: f64 = bins.iter().map(|bin| number(bin.n) * (bin.mean_confidence - bin.share_right).abs()).sum();
    (total > 0.0).then(|| apart / total)
}

/// The score interval of a share (Wilson, *Probable Inference, the Law of Succession, and Statistical Inference*, 1927): right for few
/// answers too, and never outside of 0 to 1. `n` above 0.
fn wilson(share: f64, n: f64) -> (f64, f64) {
    let spread = 1.0 + Z * Z / n;
    let centre = (share + Z * Z / (2.0 * n)) / spread;
    let half = Z / spread * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

fn mean(pairs: &[(f64, bool)], of: impl Fn((f64, bool)) -> f64) -> Option<f64> {
    let sum: f64 = pairs.iter().map(|pair| of(*pair)).sum();
    (!pairs.is_empty()).then(|| sum / number(pairs.len()))
}

fn truth(right: bool) -> f64 {
    f64::from(u8::from(right))
}

/// A count as a number; the counts here are far below 2^53.
fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::{Reliability, brier, ece, reliability, wilson};

    fn near(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 1e-4
    }

    #[test]
    fn bins_hold_every_answer_once() {
        let pairs = [(0.0, false), (0.05, true), (0.3, true), (0.39, false), (0.35, true), (1.0, true)];
        let bins = reliability(&pairs, 10);
        let found: Vec<_> = bins.iter().map(|b| (b.from, b.n)).collect();
        assert_eq!(found, [(0.0, 2), (0.3, 3), (0.9, 1)]);
        let middle = &bins[1];
        assert!(near(middle.mean_confidence, 0.346_667) && near(middle.share_right, 0.666_667), "{middle:?}");
        assert_eq!(reliability(&pairs, 1).iter().map(|b| b.n).sum::<usize>(), 6);
        assert!(reliability(&pairs, 0).is_empty() && reliability(&[], 10).is_empty());
    }

    #[test]
    fn scores_worked_out_by_hand() {
        // (0.1² + 0.6² + 0.2²) / 3, and (0.1 + 0.6 + 0.2) / 3
        let pairs = [(0.9, true), (0.6, false), (0.2, false)];
        assert!(near(brier(&pairs).unwrap(), 0.136_667) && near(ece(&pairs).unwrap(), 0.3));
        // One bin of four, of which three are right: |0.75 − 0.75|.
        let even = [(0.75, true), (0.75, true), (0.75, true), (0.75, false)];
        assert!(near(ece(&even).unwrap(), 0.0) && near(brier(&even).unwrap(), 0.1875));
        assert_eq!(Reliability::of(&[]), Reliability { answers: 0, bins: Vec::new(), brier: None, ece: None });
    }

    #[test]
    fn intervals_of_shares() {
        // For 8 of 10: center (0.8 + 0.19207) / 1.38415 = 0.71674, half 1.41601 · √(0.016 + 0.0096036) = 0.22658.
        for (share, n, low, high) in [(0.8, 10.0, 0.4902, 0.9433), (1.0, 1.0, 0.2065, 1.0), (0.0, 4.0, 0.0, 0.4899)] {
            let found = wilson(share, n);
            assert!(near(found.0, low) && near(found.1, high), "{share} of {n}: {found:?}");
        }
    }
}
