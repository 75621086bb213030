//! The sampling of a series: the usual time between two samples, and when samples belong together.

use value::{Duration, Time};

/// The usual time between two samples: the median. 0 for less than two samples.
pub(super) fn step(points: &[(Time, f64)]) -> Duration {
    let mut gaps: Vec<Duration> = points.iter().zip(points.iter().skip(1)).map(|(a, b)| b.0.since(a.0)).collect();
    let middle = gaps.len() / 2;
    if gaps.is_empty() { 0 } else { *gaps.select_nth_unstable(middle).1 }
}

/// A run continues over at most this many rows that are not anomalous.
const BRIDGE: usize = 2;

/// A run does not continue over a gap longer than this many usual steps: the rows may be unrelated.
const MAX_HOLE: i64 = 4;

/// Whether a run continues over this many positions and this much time.
pub(super) fn goes_on(positions: usize, time: Duration, step: Duration) -> bool {
    positions <= BRIDGE && time <= MAX_HOLE.saturating_mul(step)
}
