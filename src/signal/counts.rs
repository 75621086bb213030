//! Counts what happened to every signal received. The sums add up, so that nothing is lost unnoticed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// What happened to the signals of one kind. `received` is the sum of `kept`, `duplicates`, `merged` and all of `rejected`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KindCounts {
    /// Entries in the files, including series and samples that are made of spans.
    pub received: usize,
    /// Facts made from them.
    pub kept: usize,
    /// Repeats of an entry that is kept.
    pub duplicates: usize,
    /// Resolutions and flapping intervals that were merged into another alert; parts that were merged into one series.
    pub merged: usize,
    /// Rejected entries, by reason.
    pub rejected: BTreeMap<String, usize>,
    /// Facts among `kept` that could not be placed on a component.
    pub unplaced: usize,
}

impl KindCounts {
    /// Whether every entry received is in exactly one place.
    pub fn adds_up(&self) -> bool {
        self.received == self.kept + self.duplicates + self.merged + self.rejected.values().sum::<usize>()
    }

    pub(super) fn reject(&mut self, reason: &str, count: usize) {
        if count > 0 {
            *self.rejected.entry(reason.to_owned()).or_insert(0) += count;
        }
    }

    /// Adds the counts of further entries of the same kind.
    pub(super) fn absorb(&mut self, further: KindCounts) {
        self.received += further.received;
        self.kept += further.kept;
        self.duplicates += further.duplicates;
        self.merged += further.merged;
        self.unplaced += further.unplaced;
        for (reason, count) in further.rejected {
            self.reject(&reason, count);
        }
    }

    pub(super) fn keep(&mut self, placed: bool) {
        self.kept += 1;
        self.unplaced += usize::from(!placed);
    }
}

/// The counts of a bundle by kind of signal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Counts {
    /// Deliveries of alerts.
    pub alerts: KindCounts,
    pub series: KindCounts,
    /// `unplaced` is not counted for samples, only for their series.
    pub samples: KindCounts,
    pub baseline_series: KindCounts,
    pub baseline_samples: KindCounts,
    /// Spans of traces. Those kept are in series, which count as `series` and `samples` too.
    pub spans: KindCounts,
    pub baseline_spans: KindCounts,
    /// Log lines.
    pub logs: KindCounts,
    pub changes: KindCounts,
    pub probes: KindCounts,
    pub reports: KindCounts,
    /// External scores; each sample of a series that is a score counts.
    pub scores: KindCounts,
    /// Events of unknown kind.
    pub other_events: KindCounts,
}

impl Counts {
    /// Every kind with its name, in a fixed order.
    pub fn kinds(&self) -> [(&'static str, &KindCounts); 13] {
        [
            ("alerts", &self.alerts),
            ("series", &self.series),
            ("samples", &self.samples),
            ("baseline_series", &self.baseline_series),
            ("baseline_samples", &self.baseline_samples),
            ("spans", &self.spans),
            ("baseline_spans", &self.baseline_spans),
            ("logs", &self.logs),
            ("changes", &self.changes),
            ("probes", &self.probes),
            ("reports", &self.reports),
            ("scores", &self.scores),
            ("other_events", &self.other_events),
        ]
    }

    /// How many entries were rejected, of any kind.
    pub fn rejected(&self) -> usize {
        self.kinds().iter().flat_map(|(_, counts)| counts.rejected.values()).sum()
    }

    pub fn adds_up(&self) -> bool {
        self.kinds().iter().all(|(_, counts)| counts.adds_up())
    }
}
