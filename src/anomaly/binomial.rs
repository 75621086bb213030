//! The exact test of two Poisson rates.

use super::tail::incomplete_beta;

/// The probability of `k` or more hits in `n` trials of probability `p`, exactly: I(p; k, n-k+1) (DLMF 8.17.5). 0 for what is too
/// small for a float.
///
/// For two counts over known times, given their sum `n`, the later one is binomial. Its probability is the share of the later time,
/// weighted by the ratio of the rates that is tested: the conditional test of Przyborowski and Wilenski, "Homogeneity of
/// results in testing samples from Poisson series", Biometrika 31 (1940).
pub(super) fn binomial_tail(n: u64, k: u64, p: f64) -> f64 {
    if k == 0 {
        return 1.0;
    }
    if k > n {
        return 0.0;
    }
    incomplete_beta(p, 1.0 - p, float(k), float(n - k) + 1.0).clamp(0.0, 1.0)
}

#[allow(clippy::cast_precision_loss, reason = "numbers of lines and of windows are far below 2^53")]
pub(super) fn float(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::binomial_tail;

    #[test]
    fn tails() {
        // Calculated from sums of binomial coefficients.
        let cases = [
            (10, 8, 0.5, 56.0 / 1024.0),
            (3, 3, 0.25, 1.0 / 64.0),
            (5, 3, 0.2, 0.057_92),
            (4, 1, 0.1, 1.0 - 0.9_f64.powi(4)),
            (10, 5, 0.5, 638.0 / 1024.0),
            (7, 0, 0.5, 1.0),
            (2, 3, 0.5, 0.0),
            (5, 2, 1.0, 1.0),
            (5, 2, 0.0, 0.0),
        ];
        for (n, k, p, expected) in cases {
            let found = binomial_tail(n, k, p);
            assert!((found - expected).abs() < 1e-12, "{n} {k} {p}: {found}");
        }
        // All hits: p to the n, also for many.
        assert!((binomial_tail(200, 200, 0.5) / 0.5_f64.powi(200) - 1.0).abs() < 1e-9);
        assert_eq!(binomial_tail(1_000_000, 999_999, 0.1), 0.0);
    }
}
