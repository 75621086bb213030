//! The common scale of all detectors: how improbable a value is if nothing is wrong.

use serde::{Deserialize, Serialize};

/// What judged a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    /// Distance from the median, in robust spreads.
    RobustZ,
    /// A small distance that lasts: an exponentially weighted mean of the distances.
    Ewma,
    /// Distance from what is usual at this time of the day or week.
    Seasonal,
    /// How few random cuts isolate the row from all others: several columns together.
    Forest,
    /// The level before an instant, compared with the level after it.
    ChangePoint,
}

impl Detector {
    /// The name in files, options and reports.
    pub fn name(self) -> &'static str {
        match self {
            Detector::RobustZ => "robust_z",
            Detector::Ewma => "ewma",
            Detector::Seasonal => "seasonal",
            Detector::Forest => "forest",
            Detector::ChangePoint => "change_point",
        }
    }

    /// The assumption behind its probabilities.
    pub fn assumption(self) -> &'static str {
        match self {
            Detector::RobustZ => "values scatter around a constant median no wider than Student's t with (samples - 1) degrees of freedom",
            Detector::Ewma => {
                "the same for an exponentially weighted mean; its scatter is measured in the reference, which accounts for autocorrelation"
            }
            Detector::Seasonal => {
                "values scatter around the daily or weekly rhythm no wider than Student's t with (samples - phases) degrees of freedom; the level continues as forecast"
            }
            Detector::Forest => "rows come from the distribution of the reference: p is the share of its rows that are as easy to isolate",
            Detector::ChangePoint => "samples are independent of each other; slowly varying series give too small a p",
        }
    }
}

/// A tail probability and its detector.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Tail {
    /// Of a value at least as extreme if nothing is wrong; in (0, 1].
    pub p: f64,
    pub detector: Detector,
    pub assumption: &'static str,
}

impl Tail {
    /// Clamps `p` to (0, 1]; NaN becomes 1.
    pub fn new(p: f64, detector: Detector) -> Self {
        let p = if p.is_nan() { 1.0 } else { p.clamp(f64::MIN_POSITIVE, 1.0) };
        Tail { p, detector, assumption: detector.assumption() }
    }
}

/// P(T > z) of Student's t with `freedom` degrees of freedom, which need not be whole: half of the regularized incomplete beta
/// function I(ν/(ν+z²); ν/2, 1/2) (Abramowitz and Stegun 26.7.1). A t and not a normal distribution, because the spread it is
/// measured by is itself estimated: with five samples, four spreads away is nothing rare.
pub(super) fn t_tail(z: f64, freedom: f64) -> f64 {
    if z.is_nan() || freedom.is_nan() || freedom <= 0.0 {
        return 1.0;
    }
    if z < 0.0 {
        return 1.0 - t_tail(-z, freedom);
    }
    if z.is_infinite() {
        return 0.0;
    }
    let square = z * z;
    0.5 * incomplete_beta(freedom / (freedom + square), square / (freedom + square), freedom / 2.0, 0.5)
}

/// The z of which [`t_tail`] is `p`, for 0 < p < 1/2. Infinite where it is beyond every number.
pub(super) fn t_quantile(p: f64, freedom: f64) -> f64 {
    /// Halvings of an interval: more than the 53 bits of a number.
    const HALVINGS: usize = 64;
    let mut high = 1.0;
    while t_tail(high, freedom) > p {
        high *= 2.0;
        if f64::is_infinite(high) {
            return high;
        }
    }
    let mut low = 0.0;
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if t_tail(middle, freedom) > p {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// I(x; a, b) where y = 1 - x is given apart, so that nothing is lost near the ends.
pub(super) fn incomplete_beta(x: f64, y: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if y <= 0.0 {
        return 1.0;
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * ln_of(x, y) + b * ln_of(y, x)).exp();
    if x < (a + 1.0) / (a + b + 2.0) { front * beta_fraction(x, a, b) / a } else { 1.0 - front * beta_fraction(y, b, a) / b }
}

/// ln x, from 1 - x where that is the smaller.
fn ln_of(x: f64, rest: f64) -> f64 {
    if rest < 0.5 { (-rest).ln_1p() } else { x.ln() }
}

/// The continued fraction of the incomplete beta function (DLMF 8.17.22), by the method of Lentz (Applied Optics 15, 1976).
fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    /// It takes some √max(a, b) terms; this is enough for 10^8 samples.
    const TERMS: u32 = 20_000;
    const TINY: f64 = 1e-300;
    let off_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut above = 1.0;
    let mut below = 1.0 / off_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut value = below;
    for term in 1..TERMS {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut last = 1.0;
        for step in [even, odd] {
            below = 1.0 / off_zero(1.0 + step * below);
            above = off_zero(1.0 + step / above);
            last = below * above;
            value *= last;
        }
        if (last - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    value
}

/// ln Γ(x) for x > 0 by the approximation of Lanczos (SIAM J. Numer. Anal. B 1, 1964) with g = 7 and the nine coefficients of
/// Godfrey; good to some 15 digits.
fn ln_gamma(x: f64) -> f64 {
    const G: f64 = 7.0;
    const FIRST: f64 = 0.999_999_999_999_809_9;
    const COEFFICIENTS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        // Reflection: Γ(x) Γ(1-x) = π / sin πx.
        return (std::f64::consts::PI / (std::f64::consts::PI * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let mut sum = FIRST;
    let mut at = 1.0;
    for coefficient in COEFFICIENTS {
        sum += coefficient / (x + at);
        at += 1.0;
    }
    let base = x + G + 0.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * base.ln() - base + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::{Detector, Tail, ln_gamma, t_quantile, t_tail};

    fn close(found: f64, expected: f64, relative: f64) {
        assert!((found - expected).abs() <= relative * expected.abs(), "{found} instead of {expected}");
    }

    #[test]
    fn the_tail_of_student() {
        // The 2.5 % and 0.5 % points of printed tables, and values of scipy.stats.t.sf.
        let cases = [(12.706, 1.0, 0.025), (63.657, 1.0, 0.005), (2.776, 4.0, 0.025), (2.228, 10.0, 0.025), (1.980, 120.0, 0.025)];
        for (z, freedom, expected) in cases {
            close(t_tail(z, freedom), expected, 1e-3);
        }
        let exact = [
            (2.0, 4.0, 0.058_058_261_758_407_78),
            (3.5, 10.0, 0.002_863_252_714_942_605),
            (4.0, 100_000.0, 3.169_399_877_859_770_6e-5),
            (1.0, 2.5, 0.202_030_513_639_136_82),
            (0.5, 30.0, 0.310_361_502_442_563_6),
        ];
        for (z, freedom, expected) in exact {
            close(t_tail(z, freedom), expected, 1e-9);
            close(t_tail(-z, freedom), 1.0 - expected, 1e-9);
            close(t_quantile(expected, freedom), z, 1e-7);
        }
        // With one degree of freedom it is Cauchy's: 1/2 - atan(z)/π.
        close(t_tail(1e6, 1.0), 0.5 - 1e6_f64.atan() / std::f64::consts::PI, 1e-6);
        assert_eq!(t_tail(0.0, 5.0), 0.5);
        assert_eq!(t_tail(f64::NAN, 5.0), 1.0);
        assert_eq!(t_tail(3.0, 0.0), 1.0);
    }

    #[test]
    fn gamma_of_known_arguments() {
        close(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln(), 1e-12);
        close(ln_gamma(5.0), 24.0_f64.ln(), 1e-12);
        close(ln_gamma(0.25), 3.625_609_908_221_908_f64.ln(), 1e-12);
        // ln 99!
        close(ln_gamma(100.0), 359.134_205_369_575_4, 1e-12);
    }

    #[test]
    fn a_probability_is_above_zero_and_at_most_one() {
        for (p, expected) in [(0.0, f64::MIN_POSITIVE), (2.0, 1.0), (f64::NAN, 1.0), (0.25, 0.25)] {
            assert_eq!(Tail::new(p, Detector::Ewma).p, expected);
        }
    }
}
