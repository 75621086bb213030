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

/// Whether a run that has lasted so long continues over this many positions and this much time. If no sample in between says otherwise,
/// a hole no longer than what it interrupts is no end.
pub(super) fn goes_on(positions: usize, time: Duration, step: Duration, lasted: Duration) -> bool {
    let hole = if positions == 1 { lasted } else { 0 };
    positions <= BRIDGE && time <= MAX_HOLE.saturating_mul(step).max(hole)
}

/// How many samples a run has (ascending positions), and one for each hole in it: what was missed between two that deviate deviates too.
pub(super) fn sustained(run: &[usize], points: &[(Time, f64)]) -> usize {
    let step = step(points);
    let pairs = run.iter().zip(run.iter().skip(1)).filter(|(from, to)| **to == **from + 1);
    let gaps = pairs.filter_map(|(from, to)| Some(points.get(*to)?.0.since(points.get(*from)?.0)));
    run.len() + gaps.filter(|gap| gap.saturating_mul(2) > step.saturating_mul(3)).count()
}
