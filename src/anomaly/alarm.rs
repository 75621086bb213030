//! Alerts that say how far they are beyond their thresholds, as evidence.

use signal::Measured;
use value::Time;

use super::metric_group::family;
use super::question::{RankInput, Symptom};
use super::reference::{FROM_NOTHING, RELATIVE_FLOOR, WHOLE_FLOOR, is_whole, whole_of};
use super::score::CAP;
use super::suspicion::{FAINT, HALF_STRENGTH, SYMPTOM, SuspicionSource, Vote, fading};

/// What is left of an alert if the series that it is about has not changed.
const QUIET: f64 = 0.2;

/// With so many samples before an alert, the series that it is about has a history.
const HISTORY: usize = 8;

/// How strong an alert that says how far it is beyond its threshold is as evidence, on the scale of the series: in twentieths, of which a
/// factor has as many as it has steps of 5 %.
pub(super) fn beyond(measured: &Measured) -> f64 {
    let (value, threshold) = (measured.value, measured.threshold);
    let high = value > threshold;
    let score = if threshold > 0.0 && value > 0.0 && (high || !is_whole(threshold)) {
        (value / threshold).ln().abs() / (1.0 + RELATIVE_FLOOR).ln()
    } else if threshold > 0.0 && is_whole(threshold) {
        (threshold - value) / (whole_of(threshold).unwrap_or(threshold) * WHOLE_FLOOR)
    } else {
        FROM_NOTHING
    };
    let score = score.min(CAP);
    score / (score + HALF_STRENGTH)
}

/// How much an alert needs an explanation, of an alert that does not say how far it is beyond its threshold: 0 to 1.
pub fn loudness(measured: &Measured) -> f64 {
    (beyond(measured) / SYMPTOM).min(1.0)
}

/// Whether the very series that an alert is about has a history, and nothing has changed in it: the threshold is what is odd.
fn is_quiet(ask: &RankInput<'_>, symptom: &Symptom, measured: &Measured) -> bool {
    let Some(metric) = &measured.metric else { return false };
    let deviates = |at: usize| ask.deviations.iter().any(|deviation| deviation.series == at && deviation.score >= FAINT);
    let mut known = ask.facts.series_of.get(&(symptom.component, metric.clone())).into_iter().flatten().filter(|at| {
        ask.facts.series.get(**at).is_some_and(|series| {
            series.points.iter().filter(|(time, value)| *time < symptom.onset && value.is_finite()).count() >= HISTORY
        })
    });
    known.clone().next().is_some() && known.all(|at| !deviates(*at))
}

/// What the alerts of a unit measured.
pub(super) fn of_alerts(ask: &RankInput<'_>, unit: &[(usize, &Symptom)], now: Option<Time>) -> Vec<Vote> {
    let vote = |(at, symptom): &(usize, &Symptom)| {
        let measured = symptom.measured.as_ref().filter(|_| !symptom.starved)?;
        let left = symptom.end.map_or(1.0, |end| fading(now.unwrap_or(ask.at).since(end)));
        Some(Vote {
            strength: beyond(measured) * left * if is_quiet(ask, symptom, measured) { QUIET } else { 1.0 },
            source: SuspicionSource::Alert(*at),
            family: measured.metric.as_deref().map_or_else(|| "alert".to_owned(), family),
            onset: symptom.onset,
            end: symptom.end,
            step: 0,
            common: 0.0,
            fading: left,
            idle: false,
            kind: symptom.kind,
            sure: false,
            firm: false,
        })
    };
    unit.iter().filter_map(vote).collect()
}
