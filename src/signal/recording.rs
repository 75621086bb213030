//! The other direction: facts as the files of a bundle, which read back as the same facts. What a server received becomes a recording.
//!
//! Recordings are kept in repositories: what looks like a secret is masked.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use diag::{is_secret, mask};
use estate::ComponentId;
use value::Time;

use super::events::TEXTS;
use super::facts::{Alert, Facts, LogLine, Series};
use super::resolver::Resolver;

/// What of the facts is recorded.
#[derive(Debug, Clone, Copy)]
pub struct Excerpt<'e> {
    /// After this instant,
    pub from: Time,
    /// and until this one.
    pub until: Time,
    pub components: &'e BTreeSet<ComponentId>,
}

impl Excerpt<'_> {
    fn is_about(&self, component: Option<ComponentId>) -> bool {
        component.is_some_and(|component| self.components.contains(&component))
    }

    fn has(&self, component: Option<ComponentId>, time: Time) -> bool {
        self.is_about(component) && time > self.from && time <= self.until
    }
}

/// The files of a bundle with the facts of an excerpt, by their names. A kind of signal that was received at all has its file, empty if the
/// excerpt has nothing of it: then there was nothing, which is not the same as unknown. No files if the excerpt has nothing at all.
pub fn recording(facts: &Facts, resolver: &Resolver<'_>, excerpt: Excerpt<'_>) -> Vec<(&'static str, String)> {
    let recorder = Recorder { facts, resolver, excerpt };
    let (alerts, series, streams) = (recorder.alerts(), recorder.series(), recorder.streams());
    let (events, scores) = (recorder.events(), recorder.scores());
    if alerts.is_empty() && series.is_empty() && streams.is_empty() && events.is_empty() {
        return Vec::new();
    }
    let answer = |kind: &str, result: &[String]| {
        format!("{{\"status\": \"success\", \"data\": {{\"resultType\": \"{kind}\", \"result\": [\n{}\n]}}}}\n", result.join(",\n"))
    };
    let mut files = Vec::new();
    if facts.present.alerts {
        files.push(("alerts.json", format!("[\n{}\n]\n", alerts.join(",\n"))));
    }
    if facts.present.metrics || !series.is_empty() {
        files.push(("metrics.json", answer("matrix", &series)));
    }
    if facts.present.logs || !streams.is_empty() {
        files.push(("logs.json", answer("streams", &streams)));
    }
    for (name, lines) in [("events.ndjson", events), ("scores.ndjson", scores)] {
        if !lines.is_empty() {
            files.push((name, format!("{}\n", lines.join("\n"))));
        }
    }
    files
}

struct Recorder<'r> {
    facts: &'r Facts,
    resolver: &'r Resolver<'r>,
    excerpt: Excerpt<'r>,
}

impl Recorder<'_> {
    /// Labels that place a signal where it was placed: the sender may have named the component by something that labels do not say.
    fn placed(&self, labels: &BTreeMap<String, String>, component: Option<ComponentId>) -> BTreeMap<String, String> {
        let mut labels = labels.clone();
        if let Some(component) = component
            && self.resolver.place(&labels) != Some(component)
        {
            labels.insert("component".to_owned(), self.id(component));
        }
        labels
    }

    fn id(&self, component: ComponentId) -> String {
        self.resolver.estate.component(component).id.clone()
    }

    fn alerts(&self) -> Vec<String> {
        let Excerpt { from, until, .. } = self.excerpt;
        let within = |alert: &&Alert| self.excerpt.is_about(alert.component) && alert.start <= until && alert.end > from;
        self.facts.alerts.iter().filter(within).map(|alert| self.alert(alert).to_string()).collect()
    }

    fn alert(&self, alert: &Alert) -> Value {
        let mut labels = self.placed(&alert.labels, alert.component);
        labels.entry("alertname".to_owned()).or_insert_with(|| alert.name.clone());
        let mut annotations = BTreeMap::new();
        if alert.summary != alert.name {
            annotations.insert("summary", mask(&alert.summary));
        }
        let rest: Vec<&str> = alert.text.lines().filter(|line| *line != alert.name && *line != alert.summary).collect();
        if !rest.is_empty() {
            annotations.insert("description", mask(&rest.join("\n")));
        }
        let mut entry = json!({"labels": labels, "annotations": annotations, "startsAt": alert.start});
        let Some(fields) = entry.as_object_mut() else { return entry };
        if alert.end <= self.excerpt.until {
            fields.insert("endsAt".to_owned(), json!(alert.end));
            fields.insert("status".to_owned(), json!("resolved"));
        } else if let Some(muted) = &alert.muted {
            let by = json!({
                "state": "suppressed",
                "silencedBy": muted.silenced_by,
                "inhibitedBy": muted.inhibited_by,
                "mutedBy": muted.muted_by,
            });
            fields.insert("status".to_owned(), by);
        } else {
            fields.insert("status".to_owned(), json!("firing"));
        }
        entry
    }

    fn series(&self) -> Vec<String> {
        let mut written = Vec::new();
        for series in &self.facts.series {
            let Some(component) = series.component.filter(|component| self.excerpt.components.contains(component)) else { continue };
            let Some((labels, factor)) = self.wire(series, component) else { continue };
            let points = series.points.iter().filter(|(time, _)| *time > self.excerpt.from && *time <= self.excerpt.until);
            let values: Vec<String> = points.map(|(time, value)| format!("[{},\"{}\"]", seconds(*time), value / factor)).collect();
            if !values.is_empty() {
                written.push(format!("{{\"metric\": {}, \"values\": [{}]}}", json!(labels), values.join(",")));
            }
        }
        written
    }

    /// The labels under which a series reads back as it is, and the factor by which its samples then become values. `None`: there are none.
    fn wire(&self, series: &Series, component: ComponentId) -> Option<(BTreeMap<String, String>, f64)> {
        // Told by an instance that the estate has, it reads back as told by it.
        let told_by = series.instance.as_ref().and_then(|id| self.resolver.estate.find_instance(component, id));
        let mut labels = self.placed(&series.labels, Some(told_by.unwrap_or(component)));
        if !series.modelled {
            labels.entry("__name__".to_owned()).or_insert_with(|| series.metric.clone());
            return Some((labels, 1.0));
        }
        let factor = |name: &str, labels: &BTreeMap<String, String>| {
            let mapped = self.resolver.metric(name, labels, component)?;
            (mapped.metric == series.metric && mapped.counter.is_none()).then_some(mapped.factor)
        };
        if let Some(factor) = labels.get("__name__").and_then(|name| factor(name, &labels)) {
            return Some((labels, factor));
        }
        // Of a counter its rise is known, which is written as the metric that it is.
        if let Some(counter) = labels.insert("__name__".to_owned(), series.metric.clone()) {
            labels.insert("recorded_from".to_owned(), counter);
        }
        let factor = factor(&series.metric, &labels)?;
        Some((labels, factor))
    }

    fn streams(&self) -> Vec<String> {
        let mut streams: BTreeMap<BTreeMap<String, String>, Vec<&LogLine>> = BTreeMap::new();
        for line in self.facts.logs.iter().filter(|line| self.excerpt.has(line.component, line.time)) {
            streams.entry(self.placed(&line.labels, line.component)).or_default().push(line);
        }
        let written = |(labels, lines): (BTreeMap<String, String>, Vec<&LogLine>)| {
            let mut last = i64::MIN;
            let values = lines.into_iter().map(|line| {
                // The same line at the same nanosecond would count once.
                last = line.time.0.saturating_mul(1_000_000).max(last.saturating_add(1));
                format!("[\"{last}\", {}]", json!(mask(&line.text)))
            });
            format!("{{\"stream\": {}, \"values\": [\n  {}\n]}}", json!(labels), values.collect::<Vec<_>>().join(",\n  "))
        };
        streams.into_iter().map(written).collect()
    }

    fn events(&self) -> Vec<String> {
        let mut events: Vec<(Time, Value)> = Vec::new();
        for change in self.facts.changes.iter().filter(|change| self.excerpt.has(change.component, change.time)) {
            let mut data = change.attributes.clone();
            let (kind, text) = change.text.split_once('\n').unwrap_or((change.text.as_str(), ""));
            data.entry("kind".to_owned()).or_insert_with(|| kind.to_owned());
            events.push((change.time, self.event("change", change.component, data, text)));
        }
        for probe in self.facts.probes.iter().filter(|probe| self.excerpt.has(probe.component, probe.time)) {
            let ends = [("from", probe.from), ("to", probe.component)];
            let named = ends.into_iter().filter_map(|(end, component)| Some((end.to_owned(), self.id(component?))));
            let mut data: BTreeMap<String, String> = named.collect();
            data.insert("success".to_owned(), probe.success.to_string());
            events.push((probe.time, self.event("probe", probe.component, data, &probe.text)));
        }
        for report in self.facts.reports.iter().filter(|report| self.excerpt.has(report.component, report.time)) {
            events.push((report.time, self.event("report", report.component, report.attributes.clone(), &report.text)));
        }
        events.sort_by_key(|(time, _)| *time);
        let mut written = Vec::new();
        for (number, (time, mut event)) in (1..).zip(events) {
            if let Some(fields) = event.as_object_mut() {
                fields.insert("id".to_owned(), json!(format!("{number}")));
                fields.insert("time".to_owned(), json!(time));
            }
            written.push(event.to_string());
        }
        written
    }

    /// An event without its id and its time.
    fn event(&self, kind: &str, component: Option<ComponentId>, mut data: BTreeMap<String, String>, text: &str) -> Value {
        if !text.is_empty() && !TEXTS.iter().any(|key| data.contains_key(*key)) {
            data.insert("summary".to_owned(), text.to_owned());
        }
        for (key, value) in &mut data {
            *value = if is_secret(key) { "*".repeat(value.len()) } else { mask(value) };
        }
        let subject = component.map(|component| self.id(component));
        json!({"specversion": "1.0", "source": "faultscope", "type": kind, "subject": subject, "data": data})
    }

    fn scores(&self) -> Vec<String> {
        let mut written = Vec::new();
        for score in self.facts.scores.iter().filter(|score| self.excerpt.has(score.component, score.time)) {
            let Some(component) = score.component else { continue };
            let mut entry = json!({
                "component": self.id(component),
                "score": score.tail,
                "scale": "p_value",
                "time": score.time,
                "origin": score.source,
            });
            let Some(fields) = entry.as_object_mut() else { continue };
            fields.extend(score.metric.iter().map(|metric| ("metric".to_owned(), json!(metric))));
            fields.extend(score.onset.iter().map(|onset| ("onset".to_owned(), json!(onset))));
            written.push(entry.to_string());
        }
        written
    }
}

/// Seconds since 1970, as Prometheus writes them.
fn seconds(time: Time) -> String {
    let (seconds, rest) = (time.0.div_euclid(1_000), time.0.rem_euclid(1_000));
    if rest == 0 { seconds.to_string() } else { format!("{seconds}.{rest:03}") }
}
