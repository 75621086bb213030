//! The scales of external scores, and how a score becomes a tail probability, so that two models can be compared.
//!
//! A tail probability is how often a value at least as unusual occurs while nothing is wrong: in (0, 1], smaller is worse.

use diag::{Text, text};

/// The smallest tail that is accepted from an external model: one in a million. A year of samples, one per minute, is half a million,
/// so a model cannot have seen enough data to know a rarer tail. This limits the effect of a single external score.
pub const MIN_TAIL: f64 = 1e-6;

/// A score with at most this tail belongs to a run of anomalous ones: the customary level of significance (R. A. Fisher, 1925). It only
/// decides where a run begins, not how much a score weighs.
pub const RUN_TAIL: f64 = 0.05;

/// The meaning of a model's scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// 0 to 1: how certain the model is that something is wrong. Its tail is `1 - score`.
    #[default]
    Probability,
    /// 0 to 1, smaller is worse: the tail itself.
    PValue,
    /// Standard deviations from the usual value, in either direction. Its tail is the two-sided one of the normal distribution.
    Z,
}

impl Scale {
    /// Every scale, by its name in files.
    pub const NAMES: [(&'static str, Scale); 3] = [("probability", Scale::Probability), ("p_value", Scale::PValue), ("z", Scale::Z)];

    /// From the name in files.
    pub fn parse(name: &str) -> Option<Scale> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, scale)| *scale)
    }

    /// The tail probability of a score, from [`MIN_TAIL`] to 1. `None` if the score is out of range.
    pub fn tail(self, score: f64) -> Option<f64> {
        let tail = match self {
            Scale::Probability => (0.0..=1.0).contains(&score).then_some(1.0 - score)?,
            Scale::PValue => (0.0..=1.0).contains(&score).then_some(score)?,
            Scale::Z => score.is_finite().then(|| both_tails(score))?,
        };
        Some(tail.clamp(MIN_TAIL, 1.0))
    }

    /// The range of valid scores, as text.
    pub fn range(self) -> Text {
        match self {
            Scale::Probability => text!("`probability`: 0 to 1"),
            Scale::PValue => text!("`p_value`: 0 to 1"),
            Scale::Z => text!("`z`: a finite number"),
        }
    }
}

/// Coefficients of [`both_tails`], the constant one first.
const CHEBYSHEV: [f64; 10] = [
    -1.265_512_23,
    1.000_023_68,
    0.374_091_96,
    0.096_784_18,
    -0.186_288_06,
    0.278_868_07,
    -1.135_203_98,
    1.488_515_87,
    -0.822_152_23,
    0.170_872_77,
];

/// How much of a normal distribution lies farther out than `z`, on both sides: erfc(|z| / √2), by the Chebyshev fit of Press et al.,
/// Numerical Recipes, section 6.2 (`erfcc`), whose relative error is below 1.2e-7 everywhere.
fn both_tails(z: f64) -> f64 {
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.5 * x);
    let fit = CHEBYSHEV.iter().rev().fold(0.0, |sum, coefficient| sum * t + coefficient);
    t * (fit - x * x).exp()
}

#[cfg(test)]
mod tests {
    use super::{MIN_TAIL, Scale};

    #[test]
    fn tails() {
        for (name, score, expected) in [
            ("probability", 0.97, Some(0.03)),
            ("probability", 0.0, Some(1.0)),
            ("probability", 1.0, Some(MIN_TAIL)),
            ("probability", 1.01, None),
            ("probability", f64::NAN, None),
            ("p_value", 0.004, Some(0.004)),
            ("p_value", 0.0, Some(MIN_TAIL)),
            ("p_value", -0.1, None),
            // From tables of the normal distribution.
            ("z", 0.0, Some(1.0)),
            ("z", 1.959_964, Some(0.05)),
            ("z", -3.0, Some(0.002_699_796)),
            ("z", 4.5, Some(6.795_346e-6)),
            ("z", 40.0, Some(MIN_TAIL)),
            ("z", f64::INFINITY, None),
        ] {
            let tail = Scale::parse(name).unwrap().tail(score);
            match (tail, expected) {
                (Some(tail), Some(expected)) => assert!((tail / expected - 1.0).abs() < 1e-6, "{name} {score}: {tail}"),
                (tail, expected) => assert_eq!(tail, expected, "{name} {score}"),
            }
        }
        assert_eq!(Scale::parse("percent"), None);
    }
}
