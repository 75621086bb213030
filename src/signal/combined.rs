//! Several series of one metric on one component, such as those of mount points, where the model does not say how they become one value.

use std::collections::{BTreeMap, BTreeSet};

use diag::{Code, Diagnostic, Text, text};
use estate::{ComponentId, Member, Snapshot};

use super::facts::{Facts, Series};
use super::reader_context::warning;

/// What is combined of one metric.
struct Combined {
    /// Of the first component that has several series.
    first: ComponentId,
    series: usize,
    /// Labels in which they differ.
    labels: BTreeSet<String>,
    components: usize,
}

/// One warning for each metric whose series are averaged without anybody having said so.
pub(super) fn unsaid(facts: &Facts, estate: &Snapshot) -> Vec<Diagnostic> {
    let mut found: BTreeMap<&str, Combined> = BTreeMap::new();
    for ((component, metric), positions) in &facts.series_of {
        // Between instances the model always says it.
        let mut of_one: BTreeMap<Option<&str>, Vec<&Series>> = BTreeMap::new();
        for series in positions.iter().filter_map(|at| facts.series.get(*at)).filter(|series| series.modelled) {
            of_one.entry(series.instance.as_deref()).or_default().push(series);
        }
        let Some(series) = of_one.into_values().find(|series| series.len() > 1) else { continue };
        let said = match estate.model().member(&estate.component(*component).kind, metric) {
            Some(Member::Metric(def)) => def.aggregate_said,
            Some(Member::Attribute(_)) | None => true,
        };
        if said {
            continue;
        }
        match found.get_mut(metric.as_str()) {
            Some(known) => known.components += 1,
            None => {
                let combined = Combined { first: *component, series: series.len(), labels: differing(&series), components: 1 };
                found.insert(metric.as_str(), combined);
            }
        }
    }
    found.into_iter().map(|(metric, combined)| warning(Code::SIGNAL_COMBINED, words(metric, &combined, estate))).collect()
}

fn words(metric: &str, combined: &Combined, estate: &Snapshot) -> Text {
    let on = estate.component(combined.first).id.as_str();
    let labels: Vec<String> = combined.labels.iter().map(|label| format!("`{label}`")).collect();
    let labels = if labels.is_empty() { text!("nothing") } else { Text::from(labels.join(", ")) };
    match combined.components - 1 {
        0 => text!(
            "rules read the mean of {} series of `{}` on `{}`, which differ in {}: say in topology/model.yaml how they combine (`aggregate`)",
            combined.series,
            metric,
            on,
            labels
        ),
        more => text!(
            "rules read the mean of {} series of `{}` on `{}` (and on {} more components), which differ in {}: say in topology/model.yaml how they combine (`aggregate`)",
            combined.series,
            metric,
            on,
            more,
            labels
        ),
    }
}

/// The labels that not all series have with the same value.
fn differing(series: &[&Series]) -> BTreeSet<String> {
    let names: BTreeSet<&String> = series.iter().flat_map(|one| one.labels.keys()).collect();
    let differs = |name: &&String| {
        let values: BTreeSet<Option<&String>> = series.iter().map(|one| one.labels.get(*name)).collect();
        values.len() > 1
    };
    names.into_iter().filter(differs).cloned().collect()
}
