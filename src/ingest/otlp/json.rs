//! OTLP as JSON, into the messages of protobuf. Fields are in camel case, 64-bit numbers are texts or numbers, enumerations are numbers, and
//! what is not known is skipped. A wrong list costs the request; a wrong number costs its entry. Other wrong values count as absent.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use serde_json::Value;

use diag::{Text, text};

use super::super::refusal::Refusal;
use super::super::wire::otlp::{
    Any, AnyValue, Array, Data, Exponential, ExponentialPoint, Gauge, Histogram, HistogramPoint, KeyValue, KeyValues, LogRecord, Logs,
    Metric, Metrics, Number, NumberPoint, Quantile, Resource, ResourceLogs, ResourceMetrics, ScopeLogs, ScopeMetrics, Sum, Summary,
    SummaryPoint,
};
use super::misshaped;

/// The body as a tree; it is an object.
pub(super) fn tree(body: &[u8]) -> Result<Value, Refusal> {
    let tree: Value = serde_json::from_slice(body).map_err(|error| Refusal::malformed(text!("the body is not JSON: {}", error)))?;
    if tree.is_object() { Ok(tree) } else { Err(misshaped("body", &text!("an object"))) }
}

/// Why entries cannot be taken that the messages do not show as wrong, by their positions in the request.
pub(super) type Wrong = BTreeMap<usize, Text>;

/// Points or log records, as they are read.
#[derive(Default)]
struct Entries {
    /// Of the next one.
    position: Cell<usize>,
    wrong: RefCell<Wrong>,
}

impl Entries {
    /// Notes the first number of the next entry that is none; absent ones are not wrong.
    fn next(&self, numbers: impl IntoIterator<Item = (&'static str, bool)>) {
        let position = self.position.get();
        self.position.set(position + 1);
        if let Some((key, _)) = numbers.into_iter().find(|(_, is_right)| !is_right) {
            self.wrong.borrow_mut().insert(position, text!("`{}` is not a number", key));
        }
    }
}

pub(super) fn metrics(tree: &Value) -> Result<(Metrics, Wrong), Refusal> {
    let entries = Entries::default();
    let resources = each(tree, "resourceMetrics", |of_resource| {
        let scopes = each(of_resource, "scopeMetrics", |scope| {
            Ok(ScopeMetrics { metrics: each(scope, "metrics", |tree| metric(tree, &entries))? })
        })?;
        Ok(ResourceMetrics { resource: resource(of_resource)?, scopes })
    })?;
    Ok((Metrics { resources }, entries.wrong.into_inner()))
}

fn metric(tree: &Value, entries: &Entries) -> Result<Metric, Refusal> {
    let of = |key: &str| tree.get(key).filter(|data| data.is_object());
    let temporality =
        |data: &Value| enumeration(data, "aggregationTemporality", "AGGREGATION_TEMPORALITY_", &["UNSPECIFIED", "DELTA", "CUMULATIVE"]);
    let data = if let Some(data) = of("gauge") {
        Some(Data::Gauge(Gauge { points: each(data, "dataPoints", |tree| number_point(tree, entries))? }))
    } else if let Some(data) = of("sum") {
        let monotonic = data.get("isMonotonic").and_then(Value::as_bool).unwrap_or(false);
        Some(Data::Sum(Sum {
            points: each(data, "dataPoints", |tree| number_point(tree, entries))?,
            temporality: temporality(data),
            monotonic,
        }))
    } else if let Some(data) = of("histogram") {
        Some(Data::Histogram(Histogram {
            points: each(data, "dataPoints", |tree| histogram_point(tree, entries))?,
            temporality: temporality(data),
        }))
    } else if let Some(data) = of("exponentialHistogram") {
        Some(Data::Exponential(Exponential {
            points: each(data, "dataPoints", |tree| exponential_point(tree, entries))?,
            temporality: temporality(data),
        }))
    } else if let Some(data) = of("summary") {
        Some(Data::Summary(Summary { points: each(data, "dataPoints", |tree| summary_point(tree, entries))? }))
    } else {
        None
    };
    Ok(Metric { name: text_of(tree, "name"), unit: text_of(tree, "unit"), data })
}

fn number_point(tree: &Value, entries: &Entries) -> Result<NumberPoint, Refusal> {
    entries.next(whole(tree, &["startTimeUnixNano", "flags"]));
    let double = tree.get("asDouble").and_then(double).map(Number::Double);
    Ok(NumberPoint {
        start: unsigned(tree, "startTimeUnixNano"),
        time: unsigned(tree, "timeUnixNano"),
        value: double.or_else(|| tree.get("asInt").and_then(integer).map(Number::Int)),
        attributes: attributes(tree)?,
        flags: flags(tree),
    })
}

fn histogram_point(tree: &Value, entries: &Entries) -> Result<HistogramPoint, Refusal> {
    entries.next(whole(tree, &["startTimeUnixNano", "count", "flags"]).chain(any_number(tree, "sum")));
    Ok(HistogramPoint {
        start: unsigned(tree, "startTimeUnixNano"),
        time: unsigned(tree, "timeUnixNano"),
        count: unsigned(tree, "count"),
        sum: tree.get("sum").and_then(double),
        attributes: attributes(tree)?,
        flags: flags(tree),
    })
}

fn exponential_point(tree: &Value, entries: &Entries) -> Result<ExponentialPoint, Refusal> {
    let HistogramPoint { start, time, count, sum, attributes, flags } = histogram_point(tree, entries)?;
    Ok(ExponentialPoint { attributes, start, time, count, sum, flags })
}

fn summary_point(tree: &Value, entries: &Entries) -> Result<SummaryPoint, Refusal> {
    let of_quantiles = tree.get("quantileValues").and_then(Value::as_array).into_iter().flatten();
    let of_quantiles = of_quantiles.flat_map(|tree| any_number(tree, "quantile").chain(any_number(tree, "value")));
    entries.next(whole(tree, &["startTimeUnixNano", "count", "flags"]).chain(any_number(tree, "sum")).chain(of_quantiles));
    let quantile = |tree: &Value| Ok(Quantile { quantile: at(tree, "quantile"), value: at(tree, "value") });
    Ok(SummaryPoint {
        start: unsigned(tree, "startTimeUnixNano"),
        time: unsigned(tree, "timeUnixNano"),
        count: unsigned(tree, "count"),
        sum: at(tree, "sum"),
        quantiles: each(tree, "quantileValues", quantile)?,
        attributes: attributes(tree)?,
        flags: flags(tree),
    })
}

pub(super) fn logs(tree: &Value) -> Result<(Logs, Wrong), Refusal> {
    let entries = Entries::default();
    let resources = each(tree, "resourceLogs", |of_resource| {
        let scopes =
            each(of_resource, "scopeLogs", |scope| Ok(ScopeLogs { records: each(scope, "logRecords", |tree| record(tree, &entries))? }))?;
        Ok(ResourceLogs { resource: resource(of_resource)?, scopes })
    })?;
    Ok((Logs { resources }, entries.wrong.into_inner()))
}

fn record(tree: &Value, entries: &Entries) -> Result<LogRecord, Refusal> {
    const NUMBERS: &[&str] = &[
        "UNSPECIFIED",
        "TRACE",
        "TRACE2",
        "TRACE3",
        "TRACE4",
        "DEBUG",
        "DEBUG2",
        "DEBUG3",
        "DEBUG4",
        "INFO",
        "INFO2",
        "INFO3",
        "INFO4",
        "WARN",
        "WARN2",
        "WARN3",
        "WARN4",
        "ERROR",
        "ERROR2",
        "ERROR3",
        "ERROR4",
        "FATAL",
        "FATAL2",
        "FATAL3",
        "FATAL4",
    ];
    let severity = named(tree, "severityNumber", "SEVERITY_NUMBER_", NUMBERS);
    entries.next(whole(tree, &["timeUnixNano", "observedTimeUnixNano"]).chain([("severityNumber", severity.is_some())]));
    Ok(LogRecord {
        time: unsigned(tree, "timeUnixNano"),
        severity: severity.unwrap_or(0),
        severity_text: text_of(tree, "severityText"),
        body: tree.get("body").and_then(any),
        attributes: attributes(tree)?,
        observed: unsigned(tree, "observedTimeUnixNano"),
        event: text_of(tree, "eventName"),
    })
}

fn resource(tree: &Value) -> Result<Option<Resource>, Refusal> {
    match tree.get("resource") {
        None | Some(Value::Null) => Ok(None),
        Some(resource) => Ok(Some(Resource { attributes: attributes(resource)? })),
    }
}

/// What is made of each object of a list; of none, if the list is absent.
fn each<T>(tree: &Value, key: &str, read: impl Fn(&Value) -> Result<T, Refusal>) -> Result<Vec<T>, Refusal> {
    match tree.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) if items.iter().all(Value::is_object) => items.iter().map(read).collect(),
        Some(_) => Err(misshaped(key, &text!("a list of objects"))),
    }
}

fn attributes(tree: &Value) -> Result<Vec<KeyValue>, Refusal> {
    each(tree, "attributes", |pair| Ok(key_value(pair)))
}

fn key_value(tree: &Value) -> KeyValue {
    KeyValue { key: text_of(tree, "key"), value: tree.get("value").and_then(any) }
}

/// The tree is as deep as `serde_json` reads, so this ends.
fn any(tree: &Value) -> Option<AnyValue> {
    let fields = tree.as_object()?;
    let value = fields.iter().find_map(|(kind, value)| match kind.as_str() {
        "stringValue" => Some(Any::Text(value.as_str()?.as_bytes().to_vec())),
        "boolValue" => Some(Any::Bool(value.as_bool()?)),
        "intValue" => Some(Any::Int(integer(value)?)),
        "doubleValue" => Some(Any::Double(double(value)?)),
        "bytesValue" => Some(Any::Bytes(value.as_str()?.as_bytes().to_vec())),
        "arrayValue" => {
            let values = value.get("values").and_then(Value::as_array).into_iter().flatten();
            Some(Any::Array(Array { values: values.map(|value| any(value).unwrap_or_default()).collect() }))
        }
        "kvlistValue" => {
            let values = value.get("values").and_then(Value::as_array).into_iter().flatten();
            Some(Any::KeyValues(KeyValues { values: values.map(key_value).collect() }))
        }
        _ => None,
    });
    Some(AnyValue { value })
}

fn text_of(tree: &Value, key: &str) -> Vec<u8> {
    tree.get(key).and_then(Value::as_str).unwrap_or_default().as_bytes().to_vec()
}

fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// 0 if it is absent, or no such number.
fn unsigned(tree: &Value, key: &str) -> u64 {
    tree.get(key).and_then(natural).unwrap_or(0)
}

fn natural(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Whether these fields are absent or numbers without sign.
fn whole(tree: &Value, keys: &'static [&'static str]) -> impl Iterator<Item = (&'static str, bool)> {
    keys.iter().map(move |key| (*key, given(tree, key).is_none_or(|value| natural(value).is_some())))
}

/// Whether this field is absent or a number.
fn any_number(tree: &Value, key: &'static str) -> impl Iterator<Item = (&'static str, bool)> {
    std::iter::once((key, given(tree, key).is_none_or(|value| double(value).is_some())))
}

fn given<'t>(tree: &'t Value, key: &str) -> Option<&'t Value> {
    tree.get(key).filter(|value| !value.is_null())
}

/// A number, or `"NaN"`, `"Infinity"` and `"-Infinity"`, which Rust reads too.
fn double(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn at(tree: &Value, key: &str) -> f64 {
    tree.get(key).and_then(double).unwrap_or(0.0)
}

fn flags(tree: &Value) -> u32 {
    u32::try_from(unsigned(tree, "flags")).unwrap_or(0)
}

/// 0 if it is absent, or neither a number nor one of the names.
fn enumeration(tree: &Value, key: &str, prefix: &str, names: &[&str]) -> i32 {
    named(tree, key, prefix, names).unwrap_or(0)
}

/// A number, or one of the names in their order; 0 if it is absent, and `None` if it is neither.
fn named(tree: &Value, key: &str, prefix: &str, names: &[&str]) -> Option<i32> {
    let Some(value) = given(tree, key) else { return Some(0) };
    let by_name = || {
        let name = value.as_str()?.strip_prefix(prefix)?;
        i32::try_from(names.iter().position(|known| *known == name)?).ok()
    };
    value.as_i64().and_then(|number| i32::try_from(number).ok()).or_else(by_name)
}
