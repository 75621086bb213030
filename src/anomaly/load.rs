//! More work is no fault: requests that rise, and what they use in proportion.

use estate::{Direction, Member};
use value::{Dimension, Time};

use super::question::RankInput;
use super::score::Deviation;
use super::suspicion::{SETTLING, Suspicion};

/// What more work uses more of, whether or not anything is wrong.
const USED_BY_WORK: &[&str] = &["cpu_usage", "connections", "threads", "disk_io", "bandwidth_usage"];

/// What grows at most this much faster than the work does so in proportion: not all use is per request.
const IN_PROPORTION: f64 = 1.25;

/// The series that measures how much work arrives, if it rose most: when, and how many times as much as usual.
pub(super) fn busier(ask: &RankInput<'_>, suspicion: &Suspicion) -> Option<(Time, f64)> {
    let deviating = suspicion.votes.iter().filter_map(|vote| vote.deviation(ask));
    let rose = deviating.filter(|deviation| is_work(ask, deviation) && deviation.high);
    rose.filter_map(|work| Some((work.onset, times(work)?))).max_by(|a, b| a.1.total_cmp(&b.1))
}

fn times(deviation: &Deviation) -> Option<f64> {
    (deviation.usual > 0.0).then(|| deviation.value / deviation.usual)
}

/// Work per time, of which neither more nor less is bad by itself: requests, messages, operations.
pub(super) fn is_work(ask: &RankInput<'_>, deviation: &Deviation) -> bool {
    let modelled = ask.facts.series.get(deviation.series).is_some_and(|series| series.modelled);
    let kind = deviation.component.filter(|_| modelled).map(|component| ask.estate.component(component).kind.as_str());
    match kind.and_then(|kind| ask.estate.model().member(kind, &deviation.metric)) {
        Some(Member::Metric(metric)) => metric.direction == Direction::Both && metric.unit.dimension == Dimension::PerTime,
        Some(Member::Attribute(_)) | None => false,
    }
}

/// More work, and what it uses in proportion, is no fault as long as nobody complains. Latency, errors and time-outs are.
pub(super) fn is_mere_load(ask: &RankInput<'_>, deviation: &Deviation, busier: Option<(Time, f64)>) -> bool {
    let Some((since, by)) = busier.filter(|_| deviation.high) else { return false };
    let used = || USED_BY_WORK.contains(&deviation.metric.as_str()) && times(deviation).is_some_and(|times| times <= by * IN_PROPORTION);
    is_work(ask, deviation) || (used() && deviation.onset.since(since).abs() <= SETTLING)
}
