//! Slow drifts: many small deviations to one side, each too small to count alone.
//!
//! The control chart of Roberts ("Control chart tests based on geometric moving averages", Technometrics 1, 1959).

use value::{Duration, Time};

use super::reference::{count, usual};
use super::tail::t_tail;

/// Weight of the newest value. Lucas and Saccucci ("Exponentially weighted moving average control schemes", Technometrics 32, 1990)
/// advise 0.05 to 0.25; 0.2 finds a lasting shift of one spread in about ten samples, and of more sooner.
const WEIGHT: f64 = 0.2;

/// A single deviation counts for no more than this many spreads (the cut of Iglewicz and Hoaglin for the modified z-score): one
/// spike is detected by the plain z, and must not count as a drift for the next ten samples.
const CUT: f64 = 3.5;

/// A gap longer than this many usual steps resets the mean: with values in the gap, less than half of the old weight would be left
/// (0.8⁴ = 0.41).
const MAX_HOLE: i64 = 4;

/// The running mean of a series of standardized values.
#[derive(Debug, Clone, Default)]
pub(super) struct Ewma {
    value: f64,
    seen: i32,
    last: Option<Time>,
}

impl Ewma {
    /// Adds the next value, in spreads. Returns the mean in its standard deviations for independent values, which are
    /// √(w/(2-w) · (1 - (1-w)^(2n))) after n values.
    pub fn next(&mut self, time: Time, step: Duration, z: f64) -> f64 {
        if self.last.is_some_and(|last| time.since(last) > MAX_HOLE.saturating_mul(step)) {
            *self = Ewma::default();
        }
        self.last = Some(time);
        self.seen = self.seen.saturating_add(1);
        self.value = WEIGHT * z.clamp(-CUT, CUT) + (1.0 - WEIGHT) * self.value;
        let variance = WEIGHT / (2.0 - WEIGHT) * (1.0 - (1.0 - WEIGHT).powi(self.seen.saturating_mul(2)));
        self.value / variance.sqrt()
    }
}

/// The factor by which the mean of the reference scatters more than for independent values; at least 1. Metrics are autocorrelated:
/// without this, every slow series would drift all the time.
pub(super) fn inflation(times: &[Time], step: Duration, zs: &[f64]) -> f64 {
    let mut ewma = Ewma::default();
    let means: Vec<f64> = times.iter().zip(zs).map(|(time, z)| ewma.next(*time, step, *z)).collect();
    usual(&means, &[0.0]).map_or(1.0, |usual| usual.spread.max(1.0))
}

/// P(T > z) for the mean, with a reference of this many samples. Each mean covers about (2-w)/w samples, so the scatter is known from
/// that many times fewer independent ones.
pub(super) fn tail(z: f64, samples: usize) -> f64 {
    t_tail(z, (count(samples) * WEIGHT / (2.0 - WEIGHT) - 1.0).max(MIN_FREEDOM))
}

/// For a reference that is too short: the tail of half a degree of freedom is so heavy that nothing counts.
const MIN_FREEDOM: f64 = 0.5;

#[cfg(test)]
mod tests {
    use super::{Ewma, inflation, tail};
    use value::{MINUTE, Time};

    fn run(zs: &[f64]) -> Vec<f64> {
        let mut ewma = Ewma::default();
        (0..).zip(zs).map(|(at, z)| ewma.next(Time(at * MINUTE), MINUTE, *z)).collect()
    }

    #[test]
    fn by_hand() {
        // First: 0.2·1 / √(0.2/1.8 · (1 - 0.8²)) = 0.2/0.2 = 1. Second: 0.36 / √(0.1111 · (1 - 0.4096)) = 1.4056.
        let found = run(&[1.0, 1.0]);
        assert!((found[0] - 1.0).abs() < 1e-12 && (found[1] - 1.4056).abs() < 1e-4, "{found:?}");
        // It tends to z · √(1.8/0.2) = 3 z.
        assert!((run(&[1.0; 60])[59] - 3.0).abs() < 1e-4);
    }

    #[test]
    fn one_spike_is_no_drift() {
        let mut zs = vec![0.0; 40];
        zs[30] = 1_000.0;
        // 0.2 · 3.5 · 3 at most.
        assert!(run(&zs).iter().all(|z| *z < 2.11));
    }

    #[test]
    fn a_long_hole_is_a_new_beginning() {
        let mut ewma = Ewma::default();
        for at in 0..20 {
            ewma.next(Time(at * MINUTE), MINUTE, 3.0);
        }
        assert!((ewma.next(Time(24 * MINUTE), MINUTE, 1.0) - 1.0).abs() < 1e-12);
        assert!(ewma.next(Time(28 * MINUTE), MINUTE, 1.0) > 1.0, "four steps are no long hole");
    }

    #[test]
    fn memory_of_a_series_is_allowed_for() {
        let times: Vec<Time> = (0..400).map(|at| Time(at * MINUTE)).collect();
        // Up for 40 minutes, then down: a mean of it is always far from zero.
        let slow: Vec<f64> = (0..400).map(|at| if at / 40 % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let quick: Vec<f64> = (0..400).map(|at| if at % 2 == 0 { 1.0 } else { -1.0 }).collect();
        assert!(inflation(&times, MINUTE, &slow) > 2.0);
        assert_eq!(inflation(&times, MINUTE, &quick), 1.0);
        assert_eq!(inflation(&times, MINUTE, &[]), 1.0);
    }

    #[test]
    fn a_short_reference_lets_nothing_drift() {
        assert!(tail(10.0, 5) > 0.1, "{}", tail(10.0, 5));
        assert!(tail(5.0, 1_000) < 1e-5);
    }
}
