//! Judges values with a model.
//!
//! Every detector returns a tail probability (`tail.rs`). For a row the smallest one counts, multiplied by the number of detectors
//! (Bonferroni), so that more columns or detectors do not cause more false alarms. If there is a forest, it has half of the threshold,
//! and the detectors of the columns share the other half equally.

use std::collections::BTreeMap;

use serde::Serialize;

use diag::{Diagnostic, did_you_mean, nearest, text};
use value::Time;

use super::change_point::change_point;
use super::column::{Away, Column};
use super::ewma::Ewma;
use super::model::{Model, refuse};
use super::reference::count;
use super::table::Table;
use super::tail::{Detector, Tail};

/// One column of a judged row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgment {
    pub column: String,
    /// As it was judged: for a counter, its rate per second. `None` if it is missing.
    pub value: Option<f64>,
    pub expected: f64,
    /// Beyond these bounds this value alone makes the row anomalous. `None` for a direction that is not checked.
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// The smallest tail probability of the column's detectors, not yet multiplied by the number of detectors.
    pub p: Option<f64>,
    pub detector: Option<Detector>,
}

/// A judged row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scored {
    pub time: Option<Time>,
    /// In the order of the model's columns.
    pub values: Vec<Judgment>,
    /// The forest's score, in (0, 1]; `None` without a forest, or if a value is missing.
    pub forest: Option<f64>,
    /// The probability of a row at least this unusual if nothing is wrong, over all detectors; 1 if nothing could be judged.
    pub p: f64,
    /// The detector that decided; `None` if nothing could be judged.
    pub detector: Option<Detector>,
    /// The column whose value decided; `None` if the forest decided, or nothing could be judged.
    pub column: Option<String>,
    pub anomalous: bool,
}

/// A lasting change of a column's level within a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shift {
    pub column: String,
    /// The time of the first value after the change.
    pub at: Time,
    pub up: bool,
    /// The probability if samples are independent of each other.
    pub p: f64,
}

impl Model {
    /// Judges every row of a table; columns that the model does not have are ignored. The drift starts anew with the table.
    ///
    /// # Errors
    /// `ANOMALY_DATA`: a column of the model is missing.
    pub fn score(&self, table: &Table) -> Result<Vec<Scored>, Box<Diagnostic>> {
        let read = self.read(table)?;
        let rows: Vec<Vec<f64>> = (0..table.times.len()).map(|at| row(&read, at)).collect();
        let forest = self.forest.as_ref().map(|calibrated| calibrated.forest.score_all(&rows));
        let away = self.away();
        let mut drifts = vec![Ewma::default(); self.columns.len()];
        let judged = table.times.iter().zip(&rows).enumerate().map(|(at, (time, row))| {
            let score = forest.as_ref().and_then(|scores| scores.get(at)).copied();
            self.judge(Some(*time), row, &away, Some(drifts.as_mut_slice()), score)
        });
        Ok(judged.collect())
    }

    /// Judges one row without its time and without earlier rows: single values against the level of their columns, and all together by
    /// the forest. For a counter, pass its rate per second. Columns of the model that are not named are missing; other names are ignored.
    pub fn score_one(&self, values: &BTreeMap<String, f64>) -> Scored {
        self.score_at(values, None)
    }

    /// The same at a time, so that rhythms count.
    pub fn score_at(&self, values: &BTreeMap<String, f64>, time: Option<Time>) -> Scored {
        let row: Vec<f64> =
            self.columns().map(|name| values.get(name).copied().filter(|value| value.is_finite()).unwrap_or(f64::NAN)).collect();
        let forest = self.forest.as_ref().map(|calibrated| calibrated.forest.score(&row));
        self.judge(time, &row, &self.away(), None, forest)
    }

    /// What is expected at some times, and the band about it.
    pub fn forecast(&self, times: &[Time]) -> Vec<Scored> {
        let away = self.away();
        let missing = vec![f64::NAN; self.columns.len()];
        times.iter().map(|time| self.judge(Some(*time), &missing, &away, None, None)).collect()
    }

    /// The columns whose level changes within the table, with a probability not above the threshold, and when.
    ///
    /// # Errors
    /// As [`Model::score`].
    pub fn shifts(&self, table: &Table) -> Result<Vec<Shift>, Box<Diagnostic>> {
        let mut shifts = Vec::new();
        for (column, values) in self.columns.iter().zip(self.read(table)?) {
            let zs: Vec<f64> = table.times.iter().zip(&values).map(|(time, value)| column.basis(Some(*time)).z(*value)).collect();
            let Some(found) = change_point(&zs).filter(|found| found.tail.p <= self.threshold) else { continue };
            if let Some(at) = table.times.get(found.position) {
                shifts.push(Shift { column: column.name.clone(), at: *at, up: found.up, p: found.tail.p });
            }
        }
        Ok(shifts)
    }

    /// The values of the model's columns, in its order, as they are judged.
    pub(super) fn read(&self, table: &Table) -> Result<Vec<Vec<f64>>, Box<Diagnostic>> {
        let mut read = Vec::new();
        for column in &self.columns {
            let Some(found) = table.column(&column.name) else {
                let what = text!("the data has no column `{}`, which the model needs", column.name);
                let near = nearest(&column.name, table.names());
                let help = near.map_or_else(|| text!("the columns of the data are `{}`", table.names().join("`, `")), did_you_mean);
                return Err(refuse(what, help));
            };
            read.push(column.read(&table.times, &found.values));
        }
        Ok(read)
    }

    /// The number of detectors that judge the columns of a row.
    fn asked(&self) -> f64 {
        let drift = self.detectors.contains(&Detector::Ewma);
        let single = |column: &Column| column.rhythm.is_some() || self.detectors.contains(&Detector::RobustZ);
        count(self.columns.iter().map(|column| usize::from(single(column)) + usize::from(drift)).sum())
    }

    /// The factor for a tail of the forest: it has half of the threshold, or all of it if it is the only detector.
    pub(super) fn forest_share(&self) -> f64 {
        if self.asked() > 0.0 { 2.0 } else { 1.0 }
    }

    /// The factor for a tail of a column.
    fn column_share(&self) -> f64 {
        self.asked() * if self.forest.is_some() { 2.0 } else { 1.0 }
    }

    fn away(&self) -> Vec<Away> {
        let p = self.threshold / self.column_share().max(1.0);
        self.columns.iter().map(|column| column.away(p)).collect()
    }

    /// One row. Without `drifts` the drift is not judged, because earlier rows are unknown.
    fn judge(&self, time: Option<Time>, row: &[f64], away: &[Away], drifts: Option<&mut [Ewma]>, score: Option<f64>) -> Scored {
        let mut drifts = drifts.map(<[Ewma]>::iter_mut);
        let mut values = Vec::with_capacity(self.columns.len());
        let mut worst: Option<(f64, Detector, Option<&str>)> = None;
        let mut hold = |tail: &Tail, share: f64, column| {
            let p = (tail.p * share).min(1.0);
            if worst.is_none_or(|(found, ..)| p < found) {
                worst = Some((p, tail.detector, column));
            }
        };
        for ((column, value), away) in self.columns.iter().zip(row).zip(away) {
            let drift = drifts.as_mut().and_then(Iterator::next);
            let (reading, tail) = self.reading(column, *value, away, time, drift);
            if let Some(tail) = &tail {
                hold(tail, self.column_share(), Some(column.name.as_str()));
            }
            values.push(reading);
        }
        let score = score.filter(|score| score.is_finite());
        if let Some((calibrated, score)) = self.forest.as_ref().zip(score) {
            hold(&calibrated.tail(score), self.forest_share(), None);
        }
        Scored {
            time,
            values,
            forest: score,
            p: worst.map_or(1.0, |(p, ..)| p),
            detector: worst.map(|(_, detector, _)| detector),
            column: worst.and_then(|(.., column)| column).map(str::to_owned),
            anomalous: worst.is_some_and(|(p, ..)| p <= self.threshold),
        }
    }

    /// One value: what was expected, and the smallest tail of its detectors.
    fn reading(&self, column: &Column, value: f64, away: &Away, time: Option<Time>, drift: Option<&mut Ewma>) -> (Judgment, Option<Tail>) {
        let basis = column.basis(time);
        let (low, high) = column.band(&basis, away);
        let mut tail: Option<Tail> = None;
        if value.is_finite() {
            let z = basis.z(value);
            let single = self.detectors.contains(&basis.detector) || column.rhythm.is_some();
            tail = single.then(|| column.single(&basis, z));
            if let (Some(drift), Some(time), true) = (drift, time, self.detectors.contains(&Detector::Ewma)) {
                let drift = column.drift(drift, time, z);
                tail = Some(tail.filter(|single| single.p <= drift.p).unwrap_or(drift));
            }
        }
        let reading = Judgment {
            column: column.name.clone(),
            value: value.is_finite().then_some(value),
            expected: basis.expected,
            low,
            high,
            p: tail.map(|tail| tail.p),
            detector: tail.map(|tail| tail.detector),
        };
        (reading, tail)
    }
}

/// The values of all columns in one row; NaN where one is missing.
pub(super) fn row(columns: &[Vec<f64>], at: usize) -> Vec<f64> {
    columns.iter().map(|values| values.get(at).copied().unwrap_or(f64::NAN)).collect()
}
