//! `[time, "value"]` pairs of Prometheus, read straight into points: a file of ten million of them never becomes a tree.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};

use value::Time;

/// The samples of one series, and how many could not be taken.
#[derive(Debug, Default)]
pub(super) struct Samples {
    pub points: Vec<(Time, f64)>,
    pub received: usize,
    pub infinite: usize,
    /// Times outside of year 1 to 9999.
    pub impossible: usize,
    /// Values that are no number.
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

    /// Takes over the samples of another part of the same series.
    pub fn append(&mut self, mut other: Samples) {
        self.points.append(&mut other.points);
        self.received += other.received;
        self.infinite += other.infinite;
        self.impossible += other.impossible;
        self.garbled += other.garbled;
    }

    /// Puts the points in order of time, the last of several at one time winning. How many were out of order, how many double.
    pub fn settle(&mut self) -> (usize, usize) {
        let mut latest = Time::MIN;
        let mut misplaced = 0;
        for (time, _) in &self.points {
            misplaced += usize::from(*time < latest);
            latest = latest.max(*time);
        }
        if misplaced > 0 {
            // Stable, so that "the last" of one time stays the last of the file.
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

    /// Converts to the base unit; what overflows on the way counts as infinite.
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
        // Growing by doubling leaves up to half of it empty; over thousands of series that is most of the memory.
        samples.points.shrink_to_fit();
        Ok(samples)
    }
}

/// One pair. `None` where the time is impossible, or the value no number.
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
    /// A gap, as dashboards export it: nothing is known from here on.
    fn visit_unit<E>(self) -> Result<WireNumber, E> {
        Ok(WireNumber(Some(f64::NAN)))
    }
}

/// How many elements a list has, without reading them.
#[derive(Debug, Default)]
pub(super) struct Length(pub usize);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let elements = Option::<Vec<IgnoredAny>>::deserialize(deserializer)?;
        Ok(Length(elements.map_or(0, |list| list.len())))
    }
}
