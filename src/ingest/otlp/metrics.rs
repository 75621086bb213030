//! Points of OTLP as samples of series.

use std::collections::BTreeMap;

use diag::{Code, Text, text};
use signal::{EntryKind, Intake};
use value::Time;

use super::super::Ignored;
use super::super::remote_write::is_possible;
use super::super::wire::lossy;
use super::super::wire::otlp::{
    CUMULATIVE, DELTA, Data, HistogramPoint, KeyValue, Metric, Metrics, NO_VALUE, Number, NumberPoint, SummaryPoint,
};
use super::attributes;
use super::json::Wrong;
use super::names::{Sort, metric_name};

const NANOSECONDS_PER_MILLISECOND: u64 = 1_000_000;

type Labels = BTreeMap<String, String>;

/// Of one point: the name of a series, its quantile if it is one, and the value.
type Values = Vec<(String, Option<f64>, f64)>;

pub(super) fn take(request: Metrics, wrong: Wrong, intake: &mut Intake<'_>, ignored: &mut Ignored) {
    let mut points = Points { resource: Labels::new(), position: 0, wrong, intake, ignored };
    for of_resource in request.resources {
        points.resource = attributes::of_resource(&of_resource.resource.unwrap_or_default().attributes);
        of_resource.scopes.into_iter().flat_map(|scope| scope.metrics).for_each(|metric| points.metric(metric));
    }
}

/// How a value relates to those before it.
#[derive(Clone, Copy)]
enum Flow {
    /// It stands for itself, or counts since the start.
    Whole,
    /// It counts since the last one: as a rate it stands for itself.
    Delta,
}

struct Points<'i, 'a> {
    resource: Labels,
    /// Of the next point in the request.
    position: usize,
    wrong: Wrong,
    intake: &'i mut Intake<'a>,
    ignored: &'i mut Ignored,
}

/// When a point was taken, and since when it counts; nanoseconds since 1970.
#[derive(Clone, Copy)]
struct Span {
    start: u64,
    time: u64,
    ended: bool,
}

impl Points<'_, '_> {
    fn metric(&mut self, metric: Metric) {
        let (name, unit) = (lossy(&metric.name), lossy(&metric.unit));
        let named = |sort: Sort| metric_name(&name, &unit, sort);
        match metric.data {
            // A kind of data that is not known here, or none.
            None => {}
            Some(Data::Gauge(gauge)) => self.numbers(&named(Sort::Gauge), &Ok(Flow::Whole), gauge.points),
            Some(Data::Sum(sum)) => match flow(sum.temporality) {
                Ok(Flow::Delta) if !sum.monotonic => {
                    let reason = text!("changes of a sum that may fall: send it as cumulative");
                    self.numbers(&named(Sort::Other), &Err(reason), sum.points);
                }
                Ok(Flow::Delta) => self.numbers(&named(Sort::Other), &Ok(Flow::Delta), sum.points),
                other => self.numbers(&named(if sum.monotonic { Sort::Counter } else { Sort::Other }), &other, sum.points),
            },
            Some(Data::Histogram(histogram)) => self.histograms(&named(Sort::Other), &flow(histogram.temporality), histogram.points),
            Some(Data::Exponential(histogram)) => {
                let points = histogram.points.into_iter().map(HistogramPoint::from).collect();
                self.histograms(&named(Sort::Other), &flow(histogram.temporality), points);
            }
            Some(Data::Summary(summary)) => self.summaries(&named(Sort::Other), summary.points),
        }
    }

    fn numbers(&mut self, name: &str, flow: &Result<Flow, Text>, points: Vec<NumberPoint>) {
        for NumberPoint { start, time, value, attributes, flags } in points {
            let at = Span { start, time, ended: flags & NO_VALUE != 0 };
            let value = match value {
                Some(Number::Double(number)) => Ok(number),
                Some(Number::Int(number)) => Ok(float(number)),
                None if at.ended => Ok(f64::NAN),
                None => Err(text!("a point without a value")),
            };
            let values = value.map(|value| vec![(name.to_owned(), None, value)]);
            self.point(&attributes, at, flow, values);
        }
    }

    /// Their counts and sums: what the buckets say needs more than a threshold.
    fn histograms(&mut self, name: &str, flow: &Result<Flow, Text>, points: Vec<HistogramPoint>) {
        for HistogramPoint { start, time, count, sum, attributes, flags } in points {
            let at = Span { start, time, ended: flags & NO_VALUE != 0 };
            let mut values = vec![(format!("{name}_count"), None, whole(count))];
            values.extend(sum.map(|sum| (format!("{name}_sum"), None, sum)));
            self.point(&attributes, at, flow, Ok(values));
        }
    }

    fn summaries(&mut self, name: &str, points: Vec<SummaryPoint>) {
        for SummaryPoint { start, time, count, sum, quantiles, attributes, flags } in points {
            let at = Span { start, time, ended: flags & NO_VALUE != 0 };
            let mut values = vec![(format!("{name}_count"), None, whole(count)), (format!("{name}_sum"), None, sum)];
            values.extend(quantiles.iter().map(|quantile| (name.to_owned(), Some(quantile.quantile), quantile.value)));
            self.point(&attributes, at, &Ok(Flow::Whole), Ok(values));
        }
    }

    /// Takes the values of one point, each with the name of its series and its quantile, or refuses the point.
    fn point(&mut self, attributes: &[KeyValue], at: Span, flow: &Result<Flow, Text>, values: Result<Values, Text>) {
        let position = self.position;
        self.position += 1;
        let right = self.wrong.remove(&position).map_or(Ok(()), Err);
        let usable = right
            .and_then(|()| flow.clone())
            .and_then(|flow| Ok((flow, values?)))
            .and_then(|(flow, values)| Ok((values, seconds(flow, at)?)));
        let (values, seconds) = match usable {
            Ok(usable) => usable,
            Err(reason) => return self.intake.refuse(EntryKind::Sample, position, 1, Code::SIGNAL_ENTRY, &reason),
        };
        let time = Time(i64::try_from(at.time / NANOSECONDS_PER_MILLISECOND).unwrap_or(i64::MAX));
        if at.time == 0 || !is_possible(time) {
            return self.intake.refuse(EntryKind::Sample, position, 1, Code::SIGNAL_TIME, &text!("a point without a valid time"));
        }
        let mut common = self.resource.clone();
        common.extend(attributes::labels(attributes));
        for (name, quantile, value) in values {
            let value = if at.ended { f64::NAN } else { value / seconds.unwrap_or(1.0) };
            if value.is_infinite() {
                self.ignored.infinite += 1;
                continue;
            }
            let mut labels = common.clone();
            labels.extend(quantile.map(|quantile| ("quantile".to_owned(), quantile.to_string())));
            labels.insert("__name__".to_owned(), if seconds.is_some() { format!("{name}_per_second") } else { name });
            self.intake.series(labels, vec![(time, value)]);
        }
    }
}

fn flow(temporality: i32) -> Result<Flow, Text> {
    match temporality {
        CUMULATIVE => Ok(Flow::Whole),
        DELTA => Ok(Flow::Delta),
        _ => Err(text!("neither cumulative nor delta")),
    }
}

/// The time in which a change happened, which makes it a rate. `None` if a value is no change.
fn seconds(flow: Flow, at: Span) -> Result<Option<f64>, Text> {
    const NANOSECONDS: f64 = 1e9;
    match flow {
        Flow::Whole => Ok(None),
        Flow::Delta if at.start == 0 || at.start >= at.time => Err(text!("a change without the time since when it counts")),
        Flow::Delta => Ok(Some(whole(at.time - at.start) / NANOSECONDS)),
    }
}

#[allow(clippy::cast_precision_loss, reason = "every sample is a float, here as in Prometheus")]
fn float(number: i64) -> f64 {
    number as f64
}

#[allow(clippy::cast_precision_loss, reason = "every sample is a float, here as in Prometheus")]
fn whole(number: u64) -> f64 {
    number as f64
}
