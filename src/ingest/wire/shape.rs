//! Which messages are inside of which, as far as they repeat.

use diag::{Code, text};

use super::super::refusal::{Refusal, Why};

/// The largest number of parts of one request: series, samples, attributes, lines, spans. Senders batch a few thousand entries with some ten
/// parts each; as many as this take some 200 MB of memory.
pub const MAX_ENTRIES: usize = 1_000_000;

/// How deep messages may be nested: as deep as `prost` reads them.
const MAX_DEPTH: usize = 100;

/// A message that repeats, or in which others do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Write1,
    Series1,
    Write2,
    Series2,
    Push,
    Stream,
    Line,
    Metrics,
    ResourceMetrics,
    ScopeMetrics,
    Metric,
    /// Gauges, sums, histograms, summaries: lists of points.
    Points,
    /// A point whose attributes are in field 7.
    NumberPoint,
    /// Of a histogram: in field 9.
    HistogramPoint,
    /// Of an exponential one: in field 1.
    ExponentialPoint,
    Histogram,
    ExponentialHistogram,
    Logs,
    ResourceLogs,
    ScopeLogs,
    LogRecord,
    Traces,
    ResourceSpans,
    ScopeSpans,
    Span,
    Resource,
    KeyValue,
    AnyValue,
    Array,
    KeyValues,
    /// Nothing that repeats is inside.
    Leaf,
}

/// Outer message, number of the field, inner message.
const INSIDE: &[(Shape, u64, Shape)] = &[
    (Shape::Write1, 1, Shape::Series1),
    (Shape::Series1, 1, Shape::Leaf),
    (Shape::Series1, 2, Shape::Leaf),
    (Shape::Series1, 3, Shape::Leaf),
    (Shape::Series1, 4, Shape::Leaf),
    (Shape::Write2, 4, Shape::Leaf),
    (Shape::Write2, 5, Shape::Series2),
    (Shape::Series2, 2, Shape::Leaf),
    (Shape::Series2, 3, Shape::Leaf),
    (Shape::Series2, 4, Shape::Leaf),
    (Shape::Push, 1, Shape::Stream),
    (Shape::Stream, 2, Shape::Line),
    (Shape::Line, 3, Shape::Leaf),
    (Shape::Metrics, 1, Shape::ResourceMetrics),
    (Shape::ResourceMetrics, 1, Shape::Resource),
    (Shape::ResourceMetrics, 2, Shape::ScopeMetrics),
    (Shape::ScopeMetrics, 2, Shape::Metric),
    (Shape::Metric, 5, Shape::Points),
    (Shape::Metric, 7, Shape::Points),
    (Shape::Metric, 9, Shape::Histogram),
    (Shape::Metric, 10, Shape::ExponentialHistogram),
    (Shape::Metric, 11, Shape::Points),
    (Shape::Points, 1, Shape::NumberPoint),
    (Shape::Histogram, 1, Shape::HistogramPoint),
    (Shape::ExponentialHistogram, 1, Shape::ExponentialPoint),
    (Shape::NumberPoint, 6, Shape::Leaf),
    (Shape::NumberPoint, 7, Shape::KeyValue),
    (Shape::HistogramPoint, 9, Shape::KeyValue),
    (Shape::ExponentialPoint, 1, Shape::KeyValue),
    (Shape::Logs, 1, Shape::ResourceLogs),
    (Shape::ResourceLogs, 1, Shape::Resource),
    (Shape::ResourceLogs, 2, Shape::ScopeLogs),
    (Shape::ScopeLogs, 2, Shape::LogRecord),
    (Shape::LogRecord, 5, Shape::AnyValue),
    (Shape::LogRecord, 6, Shape::KeyValue),
    (Shape::Traces, 1, Shape::ResourceSpans),
    (Shape::ResourceSpans, 1, Shape::Resource),
    (Shape::ResourceSpans, 2, Shape::ScopeSpans),
    (Shape::ScopeSpans, 2, Shape::Span),
    (Shape::Span, 9, Shape::KeyValue),
    (Shape::Resource, 1, Shape::KeyValue),
    (Shape::KeyValue, 2, Shape::AnyValue),
    (Shape::AnyValue, 5, Shape::Array),
    (Shape::AnyValue, 6, Shape::KeyValues),
    (Shape::Array, 1, Shape::AnyValue),
    (Shape::KeyValues, 1, Shape::KeyValue),
];

/// Why a body is no message.
enum Flaw {
    Cut,
    Deep,
    Many,
    /// A kind of field that proto3 does not have.
    Wrong,
}

impl Shape {
    /// # Errors
    /// The body is no message, or has too many parts.
    pub fn check(self, body: &[u8]) -> Result<(), Refusal> {
        let mut left = MAX_ENTRIES;
        self.count(body, &mut left, MAX_DEPTH).map_err(|flaw| match flaw {
            Flaw::Cut => Refusal::malformed(text!("the message is cut off")),
            Flaw::Deep => Refusal::malformed(text!("the message is nested more than {} deep", MAX_DEPTH)),
            Flaw::Wrong => Refusal::malformed(text!("this is no message of protobuf")),
            Flaw::Many => {
                let message = text!("the request has more than {} entries", MAX_ENTRIES);
                Refusal { help: Some(text!("send smaller batches")), ..Refusal::new(Why::TooLarge, Code::BODY_SIZE, message) }
            }
        })
    }

    fn inside(self, field: u64) -> Option<Shape> {
        INSIDE.iter().find(|(outer, number, _)| *outer == self && *number == field).map(|(_, _, inner)| *inner)
    }

    fn count(self, mut rest: &[u8], left: &mut usize, depth: usize) -> Result<(), Flaw> {
        let deeper = depth.checked_sub(1).ok_or(Flaw::Deep)?;
        while !rest.is_empty() {
            let key = varint(&mut rest)?;
            let length = match key & 7 {
                0 => {
                    varint(&mut rest)?;
                    continue;
                }
                1 => 8,
                5 => 4,
                2 => usize::try_from(varint(&mut rest)?).map_err(|_| Flaw::Cut)?,
                _ => return Err(Flaw::Wrong),
            };
            let (content, behind) = rest.split_at_checked(length).ok_or(Flaw::Cut)?;
            rest = behind;
            if let Some(inner) = self.inside(key >> 3).filter(|_| key & 7 == 2) {
                *left = left.checked_sub(1).ok_or(Flaw::Many)?;
                if inner != Shape::Leaf {
                    inner.count(content, left, deeper)?;
                }
            }
        }
        Ok(())
    }
}

/// Takes a number of at most ten bytes, seven bits in each, the last of which has no top bit.
fn varint(rest: &mut &[u8]) -> Result<u64, Flaw> {
    let mut number = 0;
    for shift in (0..70).step_by(7) {
        let (byte, behind) = rest.split_first().ok_or(Flaw::Cut)?;
        *rest = behind;
        number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Flaw::Wrong)
}
