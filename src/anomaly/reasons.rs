//! Why a suspect stands where it stands, in words.

use std::collections::BTreeMap;

use crate::estate::{ComponentId, Member, Snapshot};
use crate::signal::Facts;
use crate::value::format_number;

use super::rank::Suspect;
use super::score::Deviation;
use super::trouble::Trouble;

/// As many metrics as have a vote.
const MAX_METRICS: usize = 3;

/// More names than this are not read.
const MAX_NAMES: usize = 5;

/// A dependency that takes over less is not worth a word.
const WORTH_A_WORD: f64 = 0.1;

pub(super) fn words(
    estate: &Snapshot,
    facts: &Facts,
    deviations: &[Deviation],
    troubles: &BTreeMap<ComponentId, Trouble>,
    suspect: &Suspect,
) -> Vec<String> {
    let id = |component: ComponentId| estate.component(component).id.as_str();
    let mut reasons = Vec::new();
    if let Some(trouble) = troubles.get(&suspect.unit) {
        let told = trouble.votes.iter().take(MAX_METRICS).filter_map(|at| deviations.get(*at));
        reasons.extend(told.map(|deviation| metric(estate, facts, deviation)));
        if !trouble.symptoms.is_empty() {
            let named: Vec<&str> = trouble.symptoms.iter().map(|component| id(*component)).collect();
            reasons.push(format!("alerts, reports or failed probes name {}", list(&named)));
        }
    } else {
        reasons.push(format!("nothing is measured of {}", id(suspect.unit)));
    }
    if !suspect.explained.is_empty() {
        let named: Vec<&str> = suspect.explained.iter().map(|unit| id(*unit)).collect();
        reasons.push(format!("its fault would reach {}, in trouble and no earlier", list(&named)));
    }
    if let Some((unit, share)) = suspect.cause.filter(|(_, share)| *share >= WORTH_A_WORD) {
        let how = if share >= 0.5 { "as much or more, and no later: it may be a symptom of that" } else { "too, though less" };
        reasons.push(format!("against it: {}, on which it depends, strays {how}", id(unit)));
    }
    reasons
}

/// `latency of order-db rose to 850ms, usually 12ms (robust z 31.5, 4 samples from 10:15:00)`.
fn metric(estate: &Snapshot, facts: &Facts, deviation: &Deviation) -> String {
    let of = deviation.component.map_or(String::new(), |component| format!(" of {}", estate.component(component).id));
    let moved = if deviation.high { "rose" } else { "fell" };
    let per = if deviation.rate { " per second" } else { "" };
    let samples = if deviation.samples == 1 { "1 sample at".to_owned() } else { format!("{} samples from", deviation.samples) };
    format!(
        "{}{of} {moved} to {}{per}, usually {}{per} (robust z {}, {samples} {})",
        deviation.metric,
        value(estate, facts, deviation, deviation.value),
        value(estate, facts, deviation, deviation.usual),
        format_number((deviation.score * 10.0).round() / 10.0),
        deviation.onset.clock(),
    )
}

/// In the unit of the model where it has one.
fn value(estate: &Snapshot, facts: &Facts, deviation: &Deviation, value: f64) -> String {
    let modelled = facts.series.get(deviation.series).is_some_and(|series| series.modelled);
    let member = deviation
        .component
        .filter(|_| modelled)
        .and_then(|component| estate.model().member(&estate.component(component).kind, &deviation.metric));
    match member {
        Some(Member::Metric(metric)) => metric.unit.format(value),
        Some(Member::Attribute(_)) | None => format_number(value),
    }
}

/// `a, b and 3 more`.
fn list(names: &[&str]) -> String {
    let shown = names.iter().take(MAX_NAMES).copied().collect::<Vec<&str>>().join(", ");
    let more = names.len().saturating_sub(MAX_NAMES);
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}
