//! Which change may be behind a fault: of those of a unit in the hour before its onset, the one that has most words in common with what
//! is new there, and of those the last.

use std::collections::BTreeSet;

use estate::ComponentId;
use signal::Change;
use value::{Duration, HOUR, Time};

use super::kind::words;
use super::question::RankInput;
use super::reasons::Reason;
use super::suspicion::Suspicion;
use super::workloads::Units;

pub const CHANGE_WINDOW: Duration = HOUR;

/// Shorter words are in any text.
const SHORTEST: usize = 4;

/// A change, with what fits it to a fault.
pub(super) struct Fitting {
    /// A position in `facts.changes`.
    pub change: usize,
    /// Words that it has in common with what is new; ascending.
    pub shared: Vec<String>,
}

pub(super) fn change_before(
    ask: &RankInput<'_>,
    units: &Units<'_>,
    unit: ComponentId,
    mine: Option<&Suspicion>,
    begin: Time,
) -> Option<Fitting> {
    let of = |component: ComponentId| ask.facts.changes_of.get(&component).into_iter().flatten().copied();
    let time = |at: &usize| ask.facts.changes.get(*at).map(|change| change.time);
    let recent = |at: &usize| time(at).is_some_and(|time| time <= begin && begin.since(time) <= CHANGE_WINDOW);
    let recent: Vec<usize> = units.members(unit).flat_map(of).filter(recent).collect();
    if recent.is_empty() {
        return None;
    }
    let new = what_is_new(ask, units, unit, mine);
    let fitting = recent.into_iter().filter_map(|at| {
        let change = ask.facts.changes.get(at)?;
        let said: BTreeSet<String> = ask.facts.with_hash_of(change).chain([change]).flat_map(said).collect();
        Some(Fitting { change: at, shared: said.intersection(&new).cloned().collect() })
    });
    fitting.max_by_key(|fitting| (fitting.shared.len(), time(&fitting.change), fitting.change))
}

/// The words of a change: of its message, its files, its values.
fn said(change: &Change) -> Vec<String> {
    change.attributes.values().chain([&change.text]).flat_map(|text| telling(text)).collect()
}

/// The words of the metrics that deviate and of the log lines that are new, without the name of the unit: every change of it has that.
fn what_is_new(ask: &RankInput<'_>, units: &Units<'_>, unit: ComponentId, mine: Option<&Suspicion>) -> BTreeSet<String> {
    let deviating = mine.into_iter().flat_map(|mine| &mine.deviations).filter_map(|at| ask.deviations.get(*at));
    let metrics = deviating.map(|deviation| deviation.metric.as_str());
    let own = ask.witnesses.iter().filter(|witness| units.of(witness.component) == unit);
    let lines = own.filter_map(|witness| if let Reason::Log { template, .. } = &witness.reason { Some(template.as_str()) } else { None });
    let mut new: BTreeSet<String> = metrics.chain(lines).flat_map(telling).collect();
    for word in telling(&ask.estate.component(unit).id) {
        new.remove(&word);
    }
    new
}

fn telling(text: &str) -> Vec<String> {
    let mut all = words(text);
    all.retain(|word| word.len() >= SHORTEST && !word.bytes().any(|b| b.is_ascii_digit()));
    all
}
