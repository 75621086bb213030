//! A model of what is usual: fitted once to a healthy period, stored as JSON, and used to judge new values.

use serde::{Deserialize, Serialize};

use diag::{Code, Diagnostic, Text, text};
use estate::Direction;
use value::{Time, format_number};

use super::column::{Column, Scale};
use super::forest::{Forest, ForestOptions};
use super::judge;
use super::reference::{MIN_REFERENCE, count};
use super::table::{Table, TableColumn};
use super::tail::{Detector, Tail};

/// Increased with every change of the file format. Other versions are rejected, because fitting again takes only seconds.
const VERSION: u32 = 1;
const KIND: &str = "faultscope anomaly model";

/// One row in a thousand may be called anomalous although nothing is wrong: at a sample a minute that is one and a half a day,
/// about as many as a person can check. It is also the lowest threshold at which a forest is useful after two days of minutes: with n
/// rows its p cannot be below 1/(n+1).
pub const DEFAULT_THRESHOLD: f64 = 0.001;

/// Above this, anomalies are no longer rare; scikit-learn's `contamination` ends there too.
const MAX_THRESHOLD: f64 = 0.5;

/// How a model is fitted.
#[derive(Debug, Clone)]
pub struct FitOptions {
    /// The direction in which values are bad, for all columns.
    pub direction: Direction,
    /// Which detectors; empty: single values, rhythm, drift, and with two columns or more the forest.
    pub detectors: Vec<Detector>,
    /// Of the forest.
    pub seed: u64,
    /// A tail probability, above 0 and below 1/2.
    pub threshold: f64,
}

impl Default for FitOptions {
    fn default() -> Self {
        FitOptions { direction: Direction::Both, detectors: Vec::new(), seed: 0, threshold: DEFAULT_THRESHOLD }
    }
}

/// What is usual for some columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    kind: String,
    version: u32,
    pub(super) threshold: f64,
    pub(super) detectors: Vec<Detector>,
    /// The first and last time of the reference, and how many rows it has.
    from: Time,
    to: Time,
    rows: usize,
    pub(super) columns: Vec<Column>,
    pub(super) forest: Option<Calibrated>,
}

/// A forest, and the scores of the reference rows, which calibrate it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Calibrated {
    pub forest: Forest,
    /// Scores in millionths, ascending; each by trees that did not see the row.
    scores: Vec<u32>,
}

/// The head of a file, whatever else is in it.
#[derive(Deserialize)]
struct Head {
    kind: Option<String>,
    version: Option<u32>,
}

pub(super) fn refuse(message: impl Into<Text>, help: impl Into<Text>) -> Box<Diagnostic> {
    Box::new(Diagnostic::nowhere(Code::ANOMALY_DATA, message).help(help))
}

impl Model {
    /// Fits a model to a period in which nothing was wrong; a few incidents in it do no harm.
    ///
    /// # Errors
    /// `ANOMALY_DATA`: no columns, a column with too few values, options out of range.
    pub fn fit(table: &Table, options: &FitOptions) -> Result<Model, Box<Diagnostic>> {
        if !(options.threshold > 0.0 && options.threshold < MAX_THRESHOLD) {
            let what = text!("invalid threshold `{}`", options.threshold);
            return Err(refuse(what, text!("use a tail probability above 0 and below {}, like `{}`", MAX_THRESHOLD, DEFAULT_THRESHOLD)));
        }
        let detectors = chosen(options, table.columns.len())?;
        let (Some(from), Some(to)) = (table.times.first(), table.times.last()) else {
            return Err(refuse("no rows to fit a model to", "choose a longer period"));
        };
        let seasonal = detectors.contains(&Detector::Seasonal);
        let mut columns = Vec::new();
        for TableColumn { name, values } in &table.columns {
            let Some(column) = Column::fit(name, &table.times, values, options.direction, seasonal) else {
                let known = values.iter().filter(|value| value.is_finite()).count();
                let what = text!("column `{}` has too few values to fit a model: {}", name, known);
                return Err(refuse(
                    what,
                    text!("use at least {} values (one more for a counter); several hundred are better", MIN_REFERENCE),
                ));
            };
            columns.push(column);
        }
        let mut model = Model {
            kind: KIND.to_owned(),
            version: VERSION,
            threshold: options.threshold,
            detectors,
            from: *from,
            to: *to,
            rows: table.times.len(),
            columns,
            forest: None,
        };
        if model.detectors.contains(&Detector::Forest) {
            model.forest = model.grow(table, options)?;
        }
        Ok(model)
    }

    /// The names of its columns, in their order.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// What was learned, one line each.
    pub fn describe(&self) -> Vec<String> {
        let mut lines = vec![format!("{} rows from {} to {}", self.rows, self.from, self.to)];
        lines.extend(self.columns.iter().map(describe_column));
        let Some(calibrated) = &self.forest else { return lines };
        let rows = calibrated.scores.len();
        lines.push(format!("forest over {rows} rows and {}", columns_of(self.columns.len())));
        let least = self.forest_share() / (count(rows) + 1.0);
        if least > self.threshold {
            let needed = (self.forest_share() / self.threshold).ceil() - 1.0;
            lines.push(format!(
                "warning: with so few rows the forest cannot give a p below {}, but the threshold is {}, so it never decides alone: use {needed} rows or more, or a higher threshold",
                format_number(least),
                format_number(self.threshold),
            ));
        }
        lines
    }

    /// The file: JSON in one line.
    ///
    /// # Errors
    /// Errors of `serde_json`; a fitted model has no values that JSON cannot represent.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Whether a file is an anomaly model, of any version.
    pub fn is_model(bytes: &[u8]) -> bool {
        serde_json::from_slice::<Head>(bytes).is_ok_and(|head| head.kind.as_deref() == Some(KIND))
    }

    /// Reads such a file; `name` is for the messages.
    ///
    /// # Errors
    /// `ANOMALY_MODEL`: not JSON, not a model, another version, or damaged.
    pub fn from_json(name: &str, bytes: &[u8]) -> Result<Model, Box<Diagnostic>> {
        let bad = |what: Text| {
            let help = text!("fit the model again over the same data with `faultscope anomaly fit`");
            Box::new(Diagnostic::nowhere(Code::ANOMALY_MODEL, text!("`{}` {}", name, what)).help(help))
        };
        let head: Head = serde_json::from_slice(bytes).map_err(|error| bad(text!("is not an anomaly model: {}", error)))?;
        if head.kind.as_deref() != Some(KIND) {
            return Err(bad(text!("is JSON, but not an anomaly model")));
        }
        match head.version {
            Some(VERSION) => {}
            Some(other) => return Err(bad(text!("is an anomaly model of version {}; this program reads version {}", other, VERSION))),
            None => return Err(bad(text!("is an anomaly model without a version"))),
        }
        let model: Model = serde_json::from_slice(bytes).map_err(|error| bad(text!("is not a valid anomaly model: {}", error)))?;
        model.flaw().map_or(Ok(()), |flaw| Err(bad(text!("is damaged: {}", flaw))))?;
        Ok(model)
    }

    /// The error in a model from a file, if there is one.
    fn flaw(&self) -> Option<Text> {
        if self.columns.is_empty() || !(self.threshold > 0.0 && self.threshold < MAX_THRESHOLD) {
            return Some(text!("it has no columns or no valid threshold"));
        }
        if let Some(column) = self.columns.iter().find(|column| !column.is_sound()) {
            return Some(text!("column `{}` has invalid numbers", column.name));
        }
        let Some(Calibrated { forest, scores }) = &self.forest else { return None };
        if forest.dimensions() != self.columns.len() || scores.is_empty() || !scores.is_sorted() {
            return Some(text!("the forest does not match the columns"));
        }
        forest.check().err()
    }

    fn grow(&self, table: &Table, options: &FitOptions) -> Result<Option<Calibrated>, Box<Diagnostic>> {
        let read = self.read(table)?;
        let all = (0..table.times.len()).map(|at| judge::row(&read, at));
        let whole: Vec<Vec<f64>> = all.filter(|row| row.iter().all(|value| value.is_finite())).collect();
        if whole.len() < MIN_REFERENCE {
            // No error if the forest was not requested explicitly; `describe` shows that there is none.
            return if options.detectors.is_empty() {
                Ok(None)
            } else {
                Err(refuse(
                    text!("too few rows with a value in every column for a forest: {}", whole.len()),
                    "choose fewer columns with `--columns`",
                ))
            };
        }
        let usual = ForestOptions { seed: options.seed, ..ForestOptions::default() };
        // No more than half of the rows in a tree, so that every row has trees that did not see it.
        let options = ForestOptions { sample: usual.sample.min(whole.len() / 2), ..usual };
        let (forest, held_out) = Forest::fit_held_out(&whole, &options).map_err(|what| refuse(what, "leave out such columns or rows"))?;
        let mut scores: Vec<u32> = held_out.into_iter().map(millionths).collect();
        scores.sort_unstable();
        Ok(Some(Calibrated { forest, scores }))
    }
}

impl Calibrated {
    /// The share of the reference, and the row itself with it, that scores as high: (k+1)/(n+1), which is exact for a new row of
    /// the same distribution (Vovk, Gammerman and Shafer, "Algorithmic learning in a random world", 2005).
    pub fn tail(&self, score: f64) -> Tail {
        let score = millionths(score);
        let as_high = self.scores.len() - self.scores.partition_point(|one| *one < score);
        Tail::new((count(as_high) + 1.0) / (count(self.scores.len()) + 1.0), Detector::Forest)
    }
}

/// The detectors wanted, in order, each once.
fn chosen(options: &FitOptions, columns: usize) -> Result<Vec<Detector>, Box<Diagnostic>> {
    if columns == 0 {
        return Err(refuse("no columns to fit a model to", "use data with at least one column of numbers"));
    }
    let mut detectors = options.detectors.clone();
    if detectors.contains(&Detector::ChangePoint) {
        let what = text!("`change_point` cannot be part of a model: it judges a whole series, not a row");
        return Err(refuse(what, "leave it out: `faultscope anomaly score` always reports changes of level"));
    }
    if detectors.is_empty() {
        detectors = vec![Detector::RobustZ, Detector::Ewma, Detector::Seasonal];
        detectors.extend((columns > 1).then_some(Detector::Forest));
    }
    detectors.sort_unstable();
    detectors.dedup();
    Ok(detectors)
}

/// A score in the form in which it is kept. Ties by rounding count against the row.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a score is between 0 and 1")]
fn millionths(score: f64) -> u32 {
    (score * 1e6).round() as u32
}

fn columns_of(columns: usize) -> String {
    if columns == 1 { "1 column".to_owned() } else { format!("{columns} columns") }
}

fn describe_column(column: &Column) -> String {
    let spread = match column.level.scale {
        Scale::Spread(spread) => format!("spread {}", format_number(spread)),
        Scale::Nothing(_) => "always zero".to_owned(),
    };
    let rate = if column.rate { " per second (counter)" } else { "" };
    let mut line = format!("`{}`: median {}{rate}, {spread}, {} samples", column.name, format_number(column.level.median), column.samples);
    for rhythm in column.rhythm.iter().flat_map(|rhythmic| &rhythmic.season.rhythms) {
        line.push_str(&format!(", rhythm of {} (strength {})", Time::describe(rhythm.period), format_number(rhythm.strength)));
    }
    line
}
