//! Reads series from the JSON response of Prometheus' `query` and `query_range`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use diag::{Code, Diagnostic, Text, text};
use value::Time;

use super::answers::{self, Answer, Aside, Place};
use super::counter::{Counting, WINDOW, climbs, rise};
use super::counts::{Counts, KindCounts};
use super::facts::{Origin, Series};
use super::json::{LabelValue, Labels};
use super::mapping::Unsaid;
use super::reader_context::{Complaints, ReaderContext, warning};
use super::samples::{Length, Sample, Samples};
use super::scores;

/// Which list of the facts the series go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Metrics,
    Baseline,
}

/// The results that are series.
const TYPES: [&str; 2] = ["matrix", "vector"];

/// A response, or only its `data`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a Prometheus response, an object with `status` and `data`")]
struct Response {
    status: Option<LabelValue>,
    error_type: Option<LabelValue>,
    error: Option<LabelValue>,
    /// What gateways call their error.
    message: Option<LabelValue>,
    data: Option<Data>,
    result_type: Option<LabelValue>,
    result: Option<Vec<RawSeries>>,
    #[serde(default)]
    warnings: Value,
    #[serde(default)]
    infos: Value,
    #[serde(default)]
    errors: Value,
    #[serde(default)]
    partial: Value,
    /// What `VictoriaMetrics` calls it.
    #[serde(default)]
    is_partial: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "the data of a response, an object with `resultType` and `result`")]
struct Data {
    result_type: Option<LabelValue>,
    result: Option<Vec<RawSeries>>,
}

#[derive(Deserialize)]
#[serde(expecting = "a series, an object with `metric` and `values` or `value`")]
struct RawSeries {
    #[serde(default)]
    metric: Labels,
    /// A matrix.
    #[serde(default)]
    values: Samples,
    /// A vector.
    value: Option<Sample>,
    /// Native histograms of a matrix.
    #[serde(default)]
    histograms: Length,
    /// The same for a vector: time and histogram.
    histogram: Option<serde::de::IgnoredAny>,
}

/// A series after all its parts have been put together.
struct Part {
    index: usize,
    /// The number of parts that were merged.
    pieces: usize,
    samples: Samples,
    histograms: usize,
}

pub(super) fn read(file: &str, bytes: &[u8], role: Role, context: &mut ReaderContext<'_>) -> Result<(), Box<Diagnostic>> {
    let mut parts = Parts::default();
    let mut complaints = Complaints::default();
    for list in answers::usable(file, bytes, &mut complaints, result)? {
        for mut series in list {
            if let Some(sample) = &series.value {
                series.values.push(sample);
            }
            let histograms = series.histograms.0 + usize::from(series.histogram.is_some());
            parts.add(series.metric, series.values, histograms);
        }
    }
    parts.settle(file, role, complaints, context);
    Ok(())
}

/// Series by their labels; several parts with the same labels are one series.
#[derive(Default)]
pub(super) struct Parts {
    series: BTreeMap<Labels, Part>,
    received: usize,
}

impl Parts {
    pub fn add(&mut self, labels: Labels, samples: Samples, histograms: usize) {
        match self.series.get_mut(&labels) {
            Some(part) => {
                part.samples.append(samples);
                part.histograms += histograms;
                part.pieces += 1;
            }
            None => {
                self.series.insert(labels, Part { index: self.received, pieces: 1, samples, histograms });
            }
        }
        self.received += 1;
    }

    pub fn settle(self, file: &str, role: Role, mut complaints: Complaints, context: &mut ReaderContext<'_>) {
        let (counts, _) = counters(&mut context.counts, role);
        counts.received += self.received;
        counts.merged += self.received - self.series.len();
        for (Labels(labels), mut part) in self.series {
            if !score(file, &labels, &mut part, role, context, &mut complaints) {
                keep(file, labels, part, role, context, &mut complaints);
            }
        }
        complaints.report(file, &mut context.diagnostics);
    }
}

/// The series of an answer; Prometheus' own message if it is an error.
fn result(file: &str, answer: Answer<'_, Response>, complaints: &mut Complaints) -> Result<Vec<RawSeries>, Aside> {
    let place = answer.place;
    let foreign = |kind: String| {
        let what = text!("`{}` contains a `{}` instead of a `matrix` or a `vector`", file, kind);
        let help = "expected the JSON response of Prometheus' `query_range` or `query`";
        let alone = Box::new(Diagnostic::nowhere(Code::SIGNAL_FORMAT, what).help(help));
        Aside { place, reason: text!("`{}` instead of `matrix` or `vector`", kind), found: String::new(), alone }
    };
    let is_foreign = |kind: &String| !TYPES.contains(&kind.as_str());
    let response = answer.read.map_err(|broken| match broken.result_type().filter(is_foreign) {
        Some(kind) => foreign(kind),
        None => broken.aside(file, place),
    })?;
    let Response { status, error_type, error, message, data, result_type, result, warnings, infos, errors, partial, is_partial } = response;
    let (of_data, list) = data.map_or((None, None), |data| (data.result_type, data.result));
    let list = list.or(result);
    let error = answers::word(error);
    let beside = error.clone().map_or(Value::Null, Value::from);
    let message = error.or(answers::word(message));
    let failed = answers::word(status).is_some_and(|status| status.eq_ignore_ascii_case("error"));
    if failed || (list.is_none() && message.is_some()) {
        return Err(refused(file, place, answers::word(error_type), message));
    }
    if let Some(kind) = answers::word(of_data).or(answers::word(result_type)).filter(is_foreign) {
        return Err(foreign(kind));
    }
    let list = list.ok_or_else(|| {
        let what = text!("`{}` contains no series: response {} has neither `data.result` nor `result`", file, place.number);
        let help = "expected the JSON response of Prometheus' `query_range` or `query`";
        let alone = Box::new(Diagnostic::nowhere(Code::SIGNAL_FORMAT, what).help(help));
        Aside { place, reason: text!("neither `data.result` nor `result`"), found: String::new(), alone }
    })?;
    answers::remark(&[&warnings, &infos, &errors, &beside], &[&partial, &is_partial], place, complaints);
    Ok(list)
}

/// An error response.
fn refused(file: &str, place: Place, kind: Option<String>, message: Option<String>) -> Aside {
    let kind = kind.map_or_else(String::new, |kind| format!("{kind}: "));
    let found = format!("{kind}{}", message.as_deref().unwrap_or_default());
    let message = message.map_or_else(|| text!("no message"), Text::from);
    let what = text!("`{}` contains a Prometheus error instead of data: {}{}", file, kind, message);
    let alone = Box::new(Diagnostic::nowhere(Code::SIGNAL_FORMAT, what).help("fix the query and record it again"));
    Aside { place, reason: text!("an error of Prometheus"), found, alone }
}

/// Takes a series that `sources.yaml` names as a score, and returns whether it is one. Its samples count as scores, not as a series.
fn score(
    file: &str,
    labels: &BTreeMap<String, String>,
    part: &mut Part,
    role: Role,
    context: &mut ReaderContext<'_>,
    complaints: &mut Complaints,
) -> bool {
    let Some(entry) = context.placer.score_series(labels).filter(|_| role == Role::Metrics) else { return false };
    let (_, doubled) = part.samples.settle();
    context.counts.series.received -= part.pieces;
    context.counts.series.merged -= part.pieces - 1;
    let origin = Origin { file: file.to_owned(), index: part.index };
    let outside = scores::of_series(entry, labels, &origin, &part.samples, (doubled, part.histograms), context);
    let samples = &part.samples;
    let unread = samples.impossible + samples.infinite + samples.garbled + part.histograms;
    let here = || text!("series {}, `{}`", part.index, entry.series);
    complaints.add(Code::SIGNAL_ENTRY, text!("score samples rejected, out of range ({})", entry.scale.range()), outside, here);
    complaints.add(Code::SIGNAL_ENTRY, "score samples rejected, unreadable", unread, here);
    true
}

fn keep(
    file: &str,
    labels: BTreeMap<String, String>,
    mut part: Part,
    role: Role,
    context: &mut ReaderContext<'_>,
    complaints: &mut Complaints,
) {
    let name = labels.get("__name__").cloned().unwrap_or_default();
    let origin = Origin { file: file.to_owned(), index: part.index };
    let placement = context.placer.explain(&labels, None);
    let placed = match role {
        Role::Metrics => context.settle(&placement, &origin),
        Role::Baseline => placement.component,
    };
    let (component, mapped) = match placed.map(|placed| context.placer.told(&name, &labels, placed)) {
        Some((component, mapped)) => (Some(component), mapped),
        None => (None, None),
    };
    let told_by = placed.filter(|placed| component != Some(*placed)).map(|placed| context.placer.estate.component(placed).id.clone());
    let instance = told_by.or_else(|| context.placer.unlisted(component, &labels, None));
    let (misplaced, doubled) = part.samples.settle();
    let read = part.samples.points.len();
    let counter = mapped.and_then(|mapped| mapped.counter);
    // A request of a live source has a sample or two: its receiver knows the ones before.
    let live = context.received.is_some();
    if let Some(counter) = counter.filter(|_| !live) {
        part.samples.points = counter.read(&part.samples.points);
    }
    // Samples of a counter that begin its windows are used, though none of its values has their time.
    let begin = read - part.samples.points.len();
    let useless = read > 0 && part.samples.points.iter().all(|(_, value)| value.is_nan()) && begin > 0;
    if let Some(mapped) = mapped {
        part.samples.scale(mapped.factor);
    }
    let metric = mapped.map_or_else(|| name.clone(), |mapped| mapped.metric.to_owned());
    let here = || text!("series {}, `{}`", part.index, name);
    let samples = &part.samples;
    complaints.add(Code::SIGNAL_ORDER, "samples out of order, sorted", misplaced, here);
    complaints.add(Code::SIGNAL_ORDER, "samples with a duplicate time, last one kept", doubled, here);
    complaints.add(Code::SIGNAL_TIME, "samples rejected, invalid time", samples.impossible, here);
    complaints.add(Code::SIGNAL_ENTRY, "samples rejected, infinite value", samples.infinite, here);
    complaints.add(Code::SIGNAL_ENTRY, "samples rejected, value is not a number", samples.garbled, here);
    complaints.add(Code::SIGNAL_ENTRY, "histograms rejected, not supported", part.histograms, here);
    complaints.add(
        Code::SIGNAL_COUNTER,
        "counters without two samples in any of their windows, not usable (a longer `over` in topology/sources.yaml helps)",
        usize::from(useless),
        here,
    );
    complaints.add(Code::SIGNAL_ENTRY, "series without a name, not usable by any rule", usize::from(name.is_empty()), || {
        text!("series {}", part.index)
    });
    let (series, of_samples) = counters(&mut context.counts, role);
    series.keep(component.is_some());
    of_samples.received += samples.received + part.histograms;
    of_samples.kept += samples.points.len() + begin;
    of_samples.duplicates += doubled;
    of_samples.reject("invalid time", samples.impossible);
    of_samples.reject("infinite", samples.infinite);
    of_samples.reject("not a number", samples.garbled);
    of_samples.reject("histogram", part.histograms);
    let unsaid = mapped.and_then(|mapped| match mapped.unsaid? {
        Unsaid::Rate(factor) => Some(Unsaid::Rate(factor / mapped.factor)),
        Unsaid::Value => Some(Unsaid::Value),
    });
    let kept = Series { origin, component, instance, metric, modelled: mapped.is_some(), labels, points: part.samples.points.into() };
    let list = match role {
        Role::Metrics => &mut context.facts.series,
        Role::Baseline => &mut context.facts.baseline,
    };
    if let (Role::Metrics, true, Some(counter)) = (role, live, counter) {
        context.counters.push((list.len(), counter));
    }
    context.unsaid.extend(unsaid.map(|unsaid| Unproven { role, at: list.len(), unsaid }));
    list.push(kept);
}

/// A series of which nothing says whether it is a counter.
pub(super) struct Unproven {
    role: Role,
    /// Its position in the list of facts.
    at: usize,
    /// A factor is from the rise of its values to the base unit.
    unsaid: Unsaid,
}

/// Where a series is in the two lists of facts, and what becomes of it.
struct Record {
    metrics: Option<usize>,
    baseline: Option<usize>,
    unsaid: Unsaid,
}

/// Reads as counters rates that only climb over their entire record, in the incident and in the baseline, and warns of other values that
/// do. Before the facts are sorted.
pub(super) fn read_climbing(context: &mut ReaderContext<'_>) {
    let mut records: BTreeMap<BTreeMap<String, String>, Record> = BTreeMap::new();
    for Unproven { role, at, unsaid } in std::mem::take(&mut context.unsaid) {
        let list = match role {
            Role::Metrics => &context.facts.series,
            Role::Baseline => &context.facts.baseline,
        };
        let Some(series) = list.get(at) else { continue };
        let record = records.entry(series.labels.clone()).or_insert(Record { metrics: None, baseline: None, unsaid });
        match role {
            Role::Metrics => record.metrics = Some(at),
            Role::Baseline => record.baseline = Some(at),
        }
    }
    let mut climbing: BTreeMap<String, usize> = BTreeMap::new();
    let mut suspicious: BTreeMap<String, usize> = BTreeMap::new();
    for (labels, record) in records {
        if !climbs(points(&context.facts.series, record.metrics), points(&context.facts.baseline, record.baseline)) {
            continue;
        }
        let name = labels.get("__name__").cloned().unwrap_or_default();
        let Unsaid::Rate(factor) = record.unsaid else {
            *suspicious.entry(name).or_default() += 1;
            continue;
        };
        let metrics = record.metrics.and_then(|at| context.facts.series.get_mut(at));
        let baseline = record.baseline.and_then(|at| context.facts.baseline.get_mut(at));
        *climbing.entry(name).or_default() += 1;
        for series in metrics.into_iter().chain(baseline) {
            series.points = rise(&series.points, WINDOW, Counting::Rate).into();
            series.points.iter_mut().for_each(|(_, value)| *value *= factor);
        }
    }
    for (name, count) in climbing {
        let over = Time::describe(WINDOW);
        let message = text!(
            "`{}` only climbs ({} series), so it is read as a counter, by its rise within {}: say `as: rate` or `as: value` in `metrics` of topology/sources.yaml",
            name,
            count,
            over
        );
        context.diagnostics.push(warning(Code::SIGNAL_COUNTER, message));
    }
    for (name, count) in suspicious {
        let message = text!(
            "`{}` only climbs ({} series), like a counter, but is read as a value: say `as: increase`, `as: rate` or `as: value` in `metrics` of topology/sources.yaml",
            name,
            count
        );
        context.diagnostics.push(warning(Code::SIGNAL_COUNTER, message));
    }
}

fn points(list: &[Series], at: Option<usize>) -> &[(Time, f64)] {
    at.and_then(|at| list.get(at)).map(|series| series.points.as_slice()).unwrap_or_default()
}

/// A series as received, not placed.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledSeries {
    pub labels: BTreeMap<String, String>,
    /// In order of time, each time once; NaN where the response has it. Infinite values are left out.
    pub points: Vec<(Time, f64)>,
}

/// The series of all responses to one query, in the order of their labels; parts of one series are merged.
///
/// # Errors
/// `SIGNAL_FORMAT`: one of them is not a Prometheus response, or an error.
pub fn read_series(file: &str, bytes: &[u8]) -> Result<Vec<LabelledSeries>, Box<Diagnostic>> {
    let mut parts: BTreeMap<Labels, Samples> = BTreeMap::new();
    // Nothing here could tell of an answer that is missing, so one that cannot be used is an error.
    for answer in answers::answers::<Response>(file, bytes)? {
        for series in result(file, answer, &mut Complaints::default()).map_err(|aside| aside.alone)? {
            let samples = parts.entry(series.metric).or_default();
            samples.append(series.values);
            if let Some(sample) = &series.value {
                samples.push(sample);
            }
        }
    }
    let settled = parts.into_iter().map(|(Labels(labels), mut samples)| {
        samples.settle();
        LabelledSeries { labels, points: samples.points }
    });
    Ok(settled.collect())
}

/// The counts of series and of samples.
fn counters(counts: &mut Counts, role: Role) -> (&mut KindCounts, &mut KindCounts) {
    match role {
        Role::Metrics => (&mut counts.series, &mut counts.samples),
        Role::Baseline => (&mut counts.baseline_series, &mut counts.baseline_samples),
    }
}
