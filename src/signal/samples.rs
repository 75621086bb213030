//! `[time, "value"]` pairs of Prometheus, read directly into points, so that ten million of them need no JSON tree.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};

use value::Time;

/// The samples of one series, and the numbers of rejected ones.
#[derive(Debug, Default)]
pub(super) struct Samples {
    pub points: Vec<(Time, f64)>,
    pub received: usize,
    pub infinite: usize,
    /// Times outside of year 1 to 9999.
    pub impossible: usize,
    /// Values that are not a number.
    pub garbled: usize,
}

impl Samples {
    pub fn push(&mut self, sample: &Sample) {
        self.received += 1;
        match (sample.time, sample.value) {
            (None, _) => self.impossible += 1,
            (Some(_), None) => self.garbled += 1,
            (Some(_), Some(value)) if value.is_infinite() => self.infinite += 1,
            (Some(time), Some(value)) => self.points.push((time, value)),
        }
    }

    /// Adds the samples of another part of the same series.
    pub fn append(&mut self, mut other: Samples) {
        self.points.append(&mut other.points);
        self.received += other.received;
        self.infinite += other.infinite;
        self.impossible += other.impossible;
        self.garbled += other.garbled;
    }

    /// Sorts the points by time and keeps the last of several at one time. Returns how many were out of order, and how many were removed.
    pub fn settle(&mut self) -> (usize, usize) {
        let mut latest = Time::MIN;
        let mut misplaced = 0;
        for (time, _) in &self.points {
            misplaced += usize::from(*time < latest);
            latest = latest.max(*time);
        }
        if misplaced > 0 {
            // Stable, so that the last one at a time is also the last in the file.
            self.points.sort_by_key(|(time, _)| *time);
        }
        let before = self.points.len();
        self.points.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                *kept = *later;
            }
            same
        });
        (misplaced, before - self.points.len())
    }

    /// Converts to the base unit; an overflow counts as infinite.
    pub fn scale(&mut self, factor: f64) {
        for (_, value) in &mut self.points {
            *value *= factor;
        }
        let before = self.points.len();
        self.points.retain(|(_, value)| !value.is_infinite());
        self.infinite += before - self.points.len();
    }
}

impl<'de> Deserialize<'de> for Samples {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SamplesVisitor)
    }
}

struct SamplesVisitor;

impl<'de> Visitor<'de> for SamplesVisitor {
    type Value = Samples;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of samples, each `[time, \"value\"]`")
    }

    fn visit_unit<E>(self) -> Result<Samples, E> {
        Ok(Samples::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Samples, A::Error> {
        let mut samples = Samples::default();
        while let Some(sample) = seq.next_element::<Sample>()? {
            samples.push(&sample);
        }
        // Growing by doubling leaves up to half of the capacity unused, which adds up over thousands of series.
        samples.points.shrink_to_fit();
        Ok(samples)
    }
}

/// One pair. `None` for an invalid time, or a value that is not a number.
#[derive(Debug)]
pub(super) struct Sample {
    pub time: Option<Time>,
    pub value: Option<f64>,
}

impl<'de> Deserialize<'de> for Sample {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(SampleVisitor)
    }
}

struct SampleVisitor;

impl<'de> Visitor<'de> for SampleVisitor {
    type Value = Sample;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sample, `[time, \"value\"]`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Sample, A::Error> {
        let Some(Seconds(time)) = seq.next_element()? else { return Err(serde::de::Error::invalid_length(0, &self)) };
        let Some(WireNumber(value)) = seq.next_element()? else { return Err(serde::de::Error::invalid_length(1, &self)) };
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Sample { time, value })
    }
}

struct Seconds(Option<Time>);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecondsVisitor)
    }
}

struct SecondsVisitor;

#[allow(clippy::cast_precision_loss, reason = "whole seconds of year 1 to 9999 are far below 2^53; what is beyond is refused")]
impl Visitor<'_> for SecondsVisitor {
    type Value = Seconds;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time, a number of seconds since 1970")
    }
    fn visit_f64<E>(self, v: f64) -> Result<Seconds, E> {
        Ok(Seconds(Time::from_seconds(v)))
    }
    fn visit_i64<E>(self, v: i64) -> Result<Seconds, E> {
        Ok(Seconds(Time::from_seconds(v as f64)))
    }
    fn visit_u64<E>(self, v: u64) -> Result<Seconds, E> {
        Ok(Seconds(Time::from_seconds(v as f64)))
    }
}

struct WireNumber(Option<f64>);

impl<'de> Deserialize<'de> for WireNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadingVisitor)
    }
}

struct ReadingVisitor;

#[allow(clippy::cast_precision_loss, reason = "Prometheus itself keeps every value as a float")]
impl Visitor<'_> for ReadingVisitor {
    type Value = WireNumber;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a number in quotes")
    }
    /// Rust reads `NaN`, `+Inf` and `-Inf` as Prometheus writes them.
    fn visit_str<E>(self, v: &str) -> Result<WireNumber, E> {
        Ok(WireNumber(v.parse().ok()))
    }
    fn visit_f64<E>(self, v: f64) -> Result<WireNumber, E> {
        Ok(WireNumber(Some(v)))
    }
    fn visit_i64<E>(self, v: i64) -> Result<WireNumber, E> {
        Ok(WireNumber(Some(v as f64)))
    }
    fn visit_u64<E>(self, v: u64) -> Result<WireNumber, E> {
        Ok(WireNumber(Some(v as f64)))
    }
    /// A gap, as dashboards export it: the value is unknown from here on.
    fn visit_unit<E>(self) -> Result<WireNumber, E> {
        Ok(WireNumber(Some(f64::NAN)))
    }
}

/// The number of elements of a list, without reading them.
#[derive(Debug, Default)]
pub(super) struct Length(pub usize);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let elements = Option::<Vec<IgnoredAny>>::deserialize(deserializer)?;
        Ok(Length(elements.map_or(0, |list| list.len())))
    }
}
