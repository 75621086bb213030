//! Remote-write of Prometheus and others, versions 1 and 2.

use std::collections::BTreeMap;

use diag::{Code, Text, text};
use signal::{EntryKind, Intake};
use value::Time;

use super::Ignored;
use super::refusal::Refusal;
use super::wire::prometheus::{Sample, Series1, Series2, Write1, Write2};
use super::wire::{Shape, decode};

pub(super) fn read_1(body: &[u8], intake: &mut Intake<'_>, ignored: &mut Ignored) -> Result<(), Refusal> {
    let request: Write1 = decode(body, Shape::Write1)?;
    for (position, series) in request.series.into_iter().enumerate() {
        let Series1 { labels, samples, exemplars, histograms } = series;
        ignored.exemplars += exemplars.len();
        ignored.histograms += histograms.len();
        let labels = labels_of(labels.iter().map(|label| (label.name.as_slice(), label.value.as_slice())));
        take(position, labels, &samples, intake, ignored);
    }
    Ok(())
}

pub(super) fn read_2(body: &[u8], intake: &mut Intake<'_>, ignored: &mut Ignored) -> Result<(), Refusal> {
    let Write2 { symbols, series } = decode(body, Shape::Write2)?;
    for (position, series) in series.into_iter().enumerate() {
        let Series2 { labels, samples, histograms, exemplars } = series;
        ignored.exemplars += exemplars.len();
        ignored.histograms += histograms.len();
        take(position, referred(&symbols, &labels), &samples, intake, ignored);
    }
    Ok(())
}

/// The labels whose names and values stand among the symbols.
fn referred(symbols: &[Vec<u8>], references: &[u32]) -> Result<BTreeMap<String, String>, Text> {
    let symbol = |reference: &u32| usize::try_from(*reference).ok().and_then(|at| symbols.get(at)).map(Vec::as_slice);
    let (pairs, odd) = references.as_chunks::<2>();
    if !odd.is_empty() {
        return Err(text!("a label without a value"));
    }
    let pairs: Option<Vec<(&[u8], &[u8])>> = pairs.iter().map(|[name, value]| Some((symbol(name)?, symbol(value)?))).collect();
    labels_of(pairs.ok_or_else(|| text!("a label that is not among the symbols"))?.into_iter())
}

/// A label without a value is none, as everywhere in Prometheus.
fn labels_of<'w>(pairs: impl Iterator<Item = (&'w [u8], &'w [u8])>) -> Result<BTreeMap<String, String>, Text> {
    let mut labels = BTreeMap::new();
    for (name, value) in pairs.filter(|(_, value)| !value.is_empty()) {
        let (Ok(name), Ok(value)) = (std::str::from_utf8(name), std::str::from_utf8(value)) else {
            return Err(text!("a label that is not UTF-8"));
        };
        if name.is_empty() {
            return Err(text!("a label without a name"));
        }
        if labels.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(text!("the label `{}` twice", name));
        }
    }
    if labels.contains_key("__name__") { Ok(labels) } else { Err(text!("a series without `__name__`")) }
}

fn take(
    position: usize,
    labels: Result<BTreeMap<String, String>, Text>,
    samples: &[Sample],
    intake: &mut Intake<'_>,
    ignored: &mut Ignored,
) {
    let labels = match labels {
        Ok(labels) => labels,
        Err(reason) => return intake.refuse(EntryKind::Sample, position, samples.len(), Code::SIGNAL_ENTRY, &reason),
    };
    let possible = |sample: &&Sample| is_possible(Time(sample.timestamp));
    let impossible = samples.iter().filter(|sample| !possible(sample)).count();
    intake.refuse(EntryKind::Sample, position, impossible, Code::SIGNAL_TIME, &text!("invalid time"));
    let usable = samples.iter().filter(possible).filter(|sample| !sample.value.is_infinite());
    let points: Vec<(Time, f64)> = usable.map(|sample| (Time(sample.timestamp), sample.value)).collect();
    ignored.infinite += samples.len() - impossible - points.len();
    if !points.is_empty() {
        intake.series(labels, points);
    }
}

/// Whether it lies in the years 1 to 9999.
pub(super) fn is_possible(time: Time) -> bool {
    (-62_135_596_800_000..253_402_300_800_000).contains(&time.0)
}
