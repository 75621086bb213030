//! Calibration: maps a confidence to the share of answers with it that are right.
//!
//! Platt's scaling (J. Platt, *Probabilistic Outputs for Support Vector Machines*, 1999) on the log-odds of a confidence:
//! `p = σ(slope · logit(confidence) + intercept)`. The two parameters are a default that every project starts with, and move from
//! there as people confirm and correct: the most probable ones given their answers, where the default is the center of a Gaussian
//! prior. Without answers they are the default, and after hundreds the project's own.

use schemars::JsonSchema;
use serde::Serialize;

/// A confidence is reported in thousandths: 0 and 1 are moved inward by half of one, since their log-odds are infinite.
const NEAREST: f64 = 0.0005;

/// The default weighs as much as this many answers. They estimate a share to about a tenth (√(¼ / 20) = 0.11), which is as precisely
/// as people read a confidence; with fewer, the default is more reliable than the project's own answers.
const PRIOR_ANSWERS: f64 = 20.0;
/// The most that one answer can tell of the intercept (its Fisher information, p·(1 − p)): at p = ½. That of [`PRIOR_ANSWERS`] such
/// answers is the precision of the prior.
const OF_INTERCEPT: f64 = 0.25;
/// The most that one answer can tell about the slope, p·(1 − p)·logit(p)²: at p = 0.083 or 0.917.
const OF_SLOPE: f64 = 0.4392;

/// Newton's method doubles the correct digits with each step; tens of steps are only needed far from the solution.
const MAX_STEPS: usize = 100;
/// Maximum number of times a step is halved; after that, it is below the precision of a number.
const MAX_HALVINGS: usize = 60;
/// Precision of the parameters, far below the thousandth that a share is shown with.
const EXACT: f64 = 1e-10;
/// Two losses that differ by less than this share are equal, because each is a sum with rounding errors. Near the solution, Newton's
/// step is more exact than a comparison of losses.
const ROUNDING: f64 = 1e-12;

/// Two parameters that map a confidence to a share. Never decreasing, so that suspects keep their order.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Calibration {
    /// 1: odds stay in proportion; below, confidences are too far from one half; at least 0.
    pub slope: f64,
    /// Log-odds that are added to each: above 0, confidences are too low.
    pub intercept: f64,
}

impl Calibration {
    /// Leaves every confidence as it is.
    pub const IDENTITY: Self = Self { slope: 1.0, intercept: 0.0 };
    /// The calibration of the anomaly layer that every project starts with.
    pub const DEFAULT: Self = Self::IDENTITY;

    /// The calibration of a project, from the confidences of its answers and whether each was right. The order only affects the last
    /// digits; the same list gives the same bytes.
    pub fn fit(pairs: &[(f64, bool)]) -> Self {
        Self::DEFAULT.updated(pairs)
    }

    /// The calibration with this one as the prior, updated by answers. Confidences outside of 0 to 1 are left out.
    pub fn updated(self, pairs: &[(f64, bool)]) -> Self {
        let inside = pairs.iter().filter(|(confidence, _)| (0.0..=1.0).contains(confidence));
        let points: Vec<(f64, f64)> = inside.map(|(confidence, right)| (logit(*confidence), f64::from(u8::from(*right)))).collect();
        let likely = Task { prior: self, points: &points, level: false }.solve(self);
        if likely.slope >= 0.0 {
            return likely;
        }
        // A negative slope means that answers with higher confidence are more often wrong. The confidence is then useless, and only the
        // overall share of right answers counts. The loss is convex, so the best allowed slope is 0.
        Task { prior: self, points: &points, level: true }.solve(Self { slope: 0.0, ..self })
    }

    /// The share of answers with this confidence that are right, 0 to 1.
    pub fn apply(self, confidence: f64) -> f64 {
        // Without calibration, not even the last digit may change.
        if self == Self::IDENTITY { confidence } else { sigmoid(self.at(logit(confidence))) }
    }

    /// Maps log-odds to log-odds.
    fn at(self, odds: f64) -> f64 {
        self.slope * odds + self.intercept
    }
}

impl Default for Calibration {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The negative logarithm of the posterior, to be minimized: cross entropy of the answers, plus the prior. Strictly convex.
struct Task<'a> {
    prior: Calibration,
    /// Log-odds of each confidence, and 1 if it was right, else 0.
    points: &'a [(f64, f64)],
    /// Whether the slope is fixed.
    level: bool,
}

impl Task<'_> {
    fn loss(&self, at: Calibration) -> f64 {
        let entropy = self.points.iter().map(|(odds, right)| {
            let said = at.at(*odds);
            // ln(1 + e^said), without overflow
            said.max(0.0) + (-said.abs()).exp().ln_1p() - right * said
        });
        let (slope, intercept) = (at.slope - self.prior.slope, at.intercept - self.prior.intercept);
        entropy.sum::<f64>() + PRIOR_ANSWERS * (OF_SLOPE * slope * slope + OF_INTERCEPT * intercept * intercept) / 2.0
    }

    /// Newton's step: how much to subtract from slope and intercept.
    fn step(&self, at: Calibration) -> (f64, f64) {
        let (mut slopes, mut both, mut intercepts) = (PRIOR_ANSWERS * OF_SLOPE, 0.0, PRIOR_ANSWERS * OF_INTERCEPT);
        let mut slope = slopes * (at.slope - self.prior.slope);
        let mut intercept = intercepts * (at.intercept - self.prior.intercept);
        for (odds, right) in self.points {
            let share = sigmoid(at.at(*odds));
            slope += (share - right) * odds;
            intercept += share - right;
            let information = share * (1.0 - share);
            slopes += information * odds * odds;
            both += information * odds;
            intercepts += information;
        }
        if self.level {
            return (0.0, intercept / intercepts);
        }
        // Above 0: the matrix is a sum of squares, and the prior adds to its diagonal.
        let determinant = slopes * intercepts - both * both;
        ((intercepts * slope - both * intercept) / determinant, (slopes * intercept - both * slope) / determinant)
    }

    fn solve(&self, start: Calibration) -> Calibration {
        let mut at = start;
        for _ in 0..MAX_STEPS {
            let (slope, intercept) = self.step(at);
            if slope.abs().max(intercept.abs()) < EXACT {
                break;
            }
            // If a whole step overshoots, a part of it lowers the loss.
            let loss = self.loss(at);
            let part = |share: f64| Calibration { slope: at.slope - share * slope, intercept: at.intercept - share * intercept };
            let parts = std::iter::successors(Some(1.0_f64), |share| Some(share / 2.0)).take(MAX_HALVINGS);
            let Some(lower) = parts.map(part).find(|next| self.loss(*next) <= loss * (1.0 + ROUNDING)) else { break };
            at = lower;
        }
        at
    }
}

fn logit(confidence: f64) -> f64 {
    let inside = confidence.clamp(NEAREST, 1.0 - NEAREST);
    (inside / (1.0 - inside)).ln()
}

fn sigmoid(odds: f64) -> f64 {
    1.0 / (1.0 + (-odds).exp())
}

#[cfg(test)]
mod tests {
    use super::{Calibration, sigmoid};

    fn check(name: &str, prior: Calibration, answers: &[(f64, usize, usize)], expected: (f64, f64), within: f64) -> Calibration {
        let pairs: Vec<(f64, bool)> =
            answers.iter().flat_map(|(confidence, right, n)| (0..*n).map(move |i| (*confidence, i < *right))).collect();
        let found = prior.updated(&pairs);
        let near = (found.slope - expected.0).abs() < within && (found.intercept - expected.1).abs() < within;
        assert!(near, "{name}: {found:?}, not {expected:?}");
        for (a, b) in (0..100).map(|i| (f64::from(i) / 100.0, f64::from(i + 1) / 100.0)) {
            assert!(found.apply(a) <= found.apply(b) && (0.0..=1.0).contains(&found.apply(b)), "{name}: falls after {a}");
        }
        let backwards: Vec<_> = pairs.iter().rev().copied().collect();
        let again = prior.updated(&backwards);
        assert!((again.slope - found.slope).abs() < 1e-8 && (again.intercept - found.intercept).abs() < 1e-8, "{name}: the order counts");
        found
    }

    const OTHER: Calibration = Calibration { slope: 0.7, intercept: -0.4 };

    #[test]
    fn the_default_without_answers() {
        for prior in [Calibration::IDENTITY, OTHER] {
            assert_eq!(prior.updated(&[]), prior);
            assert_eq!(prior.updated(&[(f64::NAN, true), (1.5, true)]), prior);
        }
        assert_eq!(Calibration::fit(&[]), Calibration::DEFAULT);
        for confidence in [0.0, 0.0625, 0.1, 0.5, 1.0] {
            assert_eq!(Calibration::IDENTITY.apply(confidence), confidence);
        }
        // 0.7 · ln 1 − 0.4 = −0.4, and 1 / (1 + e^0.4) = 0.4013
        assert!((OTHER.apply(0.5) - 0.4013).abs() < 1e-4);
        assert!(OTHER.apply(0.0) > 0.0 && OTHER.apply(1.0) < 1.0);
    }

    #[test]
    fn answers_move_it() {
        // One right answer at 0.5: the slope has no say, and 5·b = 1 − σ(b) gives b = 0.0952.
        let one = check("one", Calibration::IDENTITY, &[(0.5, 1, 1)], (1.0, 0.0952), 1e-4);
        assert!((5.0 * one.intercept - (1.0 - sigmoid(one.intercept))).abs() < 1e-9);
        // So many that the prior hardly counts: half of 0.9 and a tenth of 0.5 are right.
        // slope·2.1972 + intercept = 0, intercept = −2.1972: a slope of 1.
        let own = check("thousands", OTHER, &[(0.9, 2500, 5000), (0.5, 500, 5000)], (1.0, -2.1972), 0.03);
        assert!((own.apply(0.9) - 0.5).abs() < 0.005 && (own.apply(0.5) - 0.1).abs() < 0.005);
        // The higher, the more often wrong: all mean the same, about the share of right answers.
        let flat = check("upside down", Calibration::IDENTITY, &[(0.9, 100, 1000), (0.1, 900, 1000)], (0.0, 0.0), 1e-6);
        assert!((flat.apply(0.9) - 0.5).abs() < 1e-6);
        // Ends of the scale, all right: no slope to speak of, and by the prior an intercept that is not infinite. Where the slope is
        // 0, 5·b = 1000·(1 − σ(b)), which b = 3.914 solves: 19.57 = 1000 · 0.01957.
        let sure = check("all right", Calibration::IDENTITY, &[(1.0, 500, 500), (0.0, 500, 500)], (0.0, 3.914), 0.01);
        assert!(sure.apply(0.5) > 0.97);
    }
}
