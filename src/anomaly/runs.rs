//! Anomalous rows that belong together.

use value::Time;

use super::judge::Scored;
use super::sampling::{goes_on, step};

/// Anomalous rows one after the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    pub from: Time,
    pub to: Time,
    /// How many rows are anomalous.
    pub rows: usize,
    /// Position of the least probable one.
    pub worst: usize,
}

/// The runs, the least probable first, then by time. Rows without a time belong to none.
pub fn runs(scored: &[Scored]) -> Vec<Run> {
    let times: Vec<(Time, f64)> = scored.iter().filter_map(|row| row.time.map(|time| (time, 0.0))).collect();
    let step = step(&times);
    let p = |at: usize| scored.get(at).map_or(1.0, |row| row.p);
    let mut runs: Vec<Run> = Vec::new();
    let mut last = 0;
    for (at, row) in scored.iter().enumerate().filter(|(_, row)| row.anomalous) {
        let Some(time) = row.time else { continue };
        match runs.last_mut() {
            Some(run) if goes_on(at - last, time.since(run.to), step, run.to.since(run.from)) => {
                run.to = time;
                run.rows += 1;
                if row.p < p(run.worst) {
                    run.worst = at;
                }
            }
            Some(_) | None => runs.push(Run { from: time, to: time, rows: 1, worst: at }),
        }
        last = at;
    }
    runs.sort_by(|a, b| p(a.worst).total_cmp(&p(b.worst)).then_with(|| a.from.cmp(&b.from)));
    runs
}
