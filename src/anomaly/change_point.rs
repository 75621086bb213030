//! Finds the most likely single change of the level of a series.

use super::reference::count;
use super::tail::{Detector, Tail};

/// The most likely change of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangePoint {
    /// Position of the first value after the change; at least 1.
    pub position: usize,
    /// Whether the values after it are the higher ones.
    pub up: bool,
    /// The probability of a difference at least this large if there was no change.
    pub tail: Tail,
}

/// The test of Pettitt ("A non-parametric approach to the change-point problem", Applied Statistics 28, 1979). U(t) is how many
/// more pairs (before t, after t) fall than rise, K the greatest |U(t)|, and p = 2 exp(-6K² / (n³ + n²)). It takes ranks only, so
/// neither outliers nor units matter. The formula is an approximation, good to two decimals below 0.5; for five values it gives
/// at least 0.47, as it should: so few prove nothing.
///
/// Values that are not finite are ignored. `None` for fewer than two finite values, or if all are equal.
pub fn change_point(values: &[f64]) -> Option<ChangePoint> {
    let finite: Vec<(usize, f64)> = values.iter().copied().enumerate().filter(|(_, value)| value.is_finite()).collect();
    let ranks = midranks(&finite.iter().map(|(_, value)| *value).collect::<Vec<f64>>());
    let n = count(finite.len());
    let mut sum = 0.0;
    let mut best: Option<(f64, usize)> = None;
    for (before, rank) in (1..finite.len()).zip(&ranks) {
        sum += rank;
        // Pettitt's U(t) = 2 W(t) - t (n + 1), W(t) the sum of the first t ranks.
        let excess = 2.0 * sum - count(before) * (n + 1.0);
        if best.is_none_or(|(found, _)| excess.abs() > found.abs()) {
            best = Some((excess, before));
        }
    }
    let (excess, before) = best.filter(|(excess, _)| *excess != 0.0)?;
    let p = 2.0 * (-6.0 * excess * excess / (n * n * n + n * n)).exp();
    let (position, _) = *finite.get(before)?;
    Some(ChangePoint { position, up: excess < 0.0, tail: Tail::new(p, Detector::ChangePoint) })
}

/// Ranks from 1; equal values share the mean of theirs.
pub(super) fn midranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<(usize, f64)> = values.iter().copied().enumerate().collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut ranks = vec![0.0; values.len()];
    let mut below = 0;
    for equal in order.chunk_by(|a, b| a.1 == b.1) {
        let rank = count(below) + f64::midpoint(count(equal.len()), 1.0);
        for (position, _) in equal {
            if let Some(slot) = ranks.get_mut(*position) {
                *slot = rank;
            }
        }
        below += equal.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::change_point;

    /// Position, direction and p, the latter to three decimals.
    fn check(values: &[f64], expected: Option<(usize, bool, &str)>) {
        let found = change_point(values).map(|found| (found.position, found.up, format!("{:.3}", found.tail.p)));
        assert_eq!(found, expected.map(|(position, up, p)| (position, up, p.to_owned())), "{values:?}");
    }

    #[test]
    fn five_samples_prove_nothing() {
        // U(3) = 2 (2 + 2 + 2) - 3·6 = -6; p = 2 exp(-6·36/150).
        check(&[2.0, 2.0, 2.0, 90.0, 91.0], Some((3, true, "0.474")));
        check(&[9.0, 9.0, 1.0, 1.0, 1.0], Some((2, false, "0.474")));
    }

    #[test]
    fn a_step_is_found_where_it_is() {
        let mut values: Vec<f64> = (0..20).map(|at| 10.0 + f64::from(at % 3)).collect();
        values.extend((0..20).map(|at| 20.0 + f64::from(at % 3)));
        // K = 400, n = 40: p = 2 exp(-6·160000/65600) = 8.8e-7.
        check(&values, Some((20, true, "0.000")));
        let p = change_point(&values).unwrap().tail.p;
        assert!((p / (2.0 * (-960_000.0_f64 / 65_600.0).exp()) - 1.0).abs() < 1e-9, "{p}");
        values.reverse();
        check(&values, Some((20, false, "0.000")));
    }

    #[test]
    fn one_outlier_is_no_change() {
        // Ranks 1 to 9 but for the outlier: midranks of equal values are 4.5 each; U jumps by 1 for each position before it.
        check(&[5.0, 5.0, 5.0, 5.0, 500.0, 5.0, 5.0, 5.0, 5.0], Some((4, true, "1.000")));
    }

    #[test]
    fn nothing_to_compare() {
        check(&[], None);
        check(&[1.0], None);
        check(&[3.0, 3.0, 3.0], None);
        check(&[f64::NAN, 2.0], None);
    }

    #[test]
    fn gaps_keep_their_positions() {
        check(&[1.0, f64::NAN, 1.0, f64::NAN, 9.0, 9.0], Some((4, true, "0.602")));
    }
}
