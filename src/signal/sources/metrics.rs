//! The part of `sources.yaml` about metrics.

use crate::counter::{Counting, WINDOW};
use crate::mapping::TOTAL;
use crate::mapping_rules::{MetricEntry, MetricPlaces, ReadAs};
use diag::{Code, Diagnostic, did_you_mean, nearest, text};
use estate::parse_duration;
use value::yaml::Node;
use value::{Duration, Unit};

use super::{Reader, written};

/// What `as` may say.
const READINGS: &[(&str, ReadAs)] =
    &[("rate", ReadAs::Counter(Counting::Rate)), ("increase", ReadAs::Counter(Counting::Increase)), ("value", ReadAs::Value)];

impl Reader {
    pub(super) fn metric(&mut self, node: &Node) -> Option<MetricEntry> {
        if !self.fields(node, &["series", "metric", "unit", "as", "over", "type", "query", "labels"]) {
            return None;
        }
        let series = self.required(node, "series");
        let metric = self.required(node, "metric");
        let unit = self.unit(node);
        let read_as = self.read_as(node);
        let over = self.over(node);
        let kind = self.text(node, "type");
        let query = self.text(node, "query");
        let labels = self.labels(node, "labels");
        let (series, read_as, over) = (series?, read_as.ok()?, over.ok()?);
        let is_counter = match read_as {
            Some(ReadAs::Counter(_)) => true,
            Some(ReadAs::Value) => false,
            None => series.ends_with(TOTAL),
        };
        if over.is_some() && !is_counter {
            let place = node.get("over").map_or(node.place, |node| node.place);
            self.bad(place, "`over` without a counter", "add `as: rate` or `as: increase`, or leave it out");
            return None;
        }
        let place = |key: &str| node.get(key).map_or(node.place, |node| node.place);
        Some(MetricEntry {
            places: MetricPlaces { series: place("series"), metric: place("metric"), unit: place("unit"), kind: place("type") },
            series,
            metric: metric?,
            unit: unit.ok()?,
            read_as,
            over: over.unwrap_or(WINDOW),
            kind: kind.ok()?,
            query: query.ok()?,
            labels: labels?,
            written: written(node),
        })
    }

    fn read_as(&mut self, node: &Node) -> Result<Option<ReadAs>, ()> {
        let Some(text) = self.text(node, "as")? else { return Ok(None) };
        if let Some((_, found)) = READINGS.iter().find(|(name, _)| *name == text) {
            return Ok(Some(*found));
        }
        let place = node.get("as").map_or(node.place, |node| node.place);
        self.bad(place, text!("unknown reading `{}`", text), "use one of rate, increase, value");
        Err(())
    }

    fn over(&mut self, node: &Node) -> Result<Option<Duration>, ()> {
        let Some(text) = self.text(node, "over")? else { return Ok(None) };
        if let Some(duration) = parse_duration(&text) {
            return Ok(Some(duration));
        }
        let place = node.get("over").map_or(node.place, |node| node.place);
        self.bad(place, text!("invalid duration `{}`", text), "use a number and a unit, like `5m` or `90s`");
        Err(())
    }

    fn unit(&mut self, node: &Node) -> Result<Option<Unit>, ()> {
        let Some(text) = self.text(node, "unit")? else { return Ok(None) };
        if let Some(unit) = Unit::parse(&text) {
            return Ok(Some(unit));
        }
        let place = node.get("unit").map_or(node.place, |n| n.place);
        let help = nearest(&text, Unit::names())
            .map_or_else(|| text!("known units: {}", Unit::names().collect::<Vec<_>>().join(", ")), did_you_mean);
        self.diagnostics.push(Diagnostic::error(Code::BAD_UNIT, place, text!("unknown unit `{}`", text)).help(help));
        Err(())
    }
}
