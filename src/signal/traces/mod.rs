//! Turns spans into series: the own and total time of each component, its errors, and the same for every pair of caller and callee.
//! The input is OTLP/JSON, a Jaeger response or a list of Zipkin spans.
//!
//! The steps: `document` (with `otlp`, `jaeger`, `zipkin`) reads a file into small spans, one document at a time; `spans` gathers and
//! places them (with `places`); `calls` computes own times and calls; `aggregate` turns them into one value per minute.

mod aggregate;
mod calls;
#[cfg(test)]
mod calls_tests;
mod document;
mod jaeger;
mod live;
mod otlp;
mod places;
mod spans;
mod zipkin;

use std::collections::BTreeMap;

use diag::{Code, Diagnostic, Text, text};
use estate::{ComponentId, Member, Snapshot};
use value::Time;

use self::aggregate::{BUCKET, MIN_SPANS, Made};
use self::document::{Document, Part};
use self::spans::{Collector, Gathered, Sink, Span};

use super::answers::{self, Answer, set_aside};
use super::counts::{Counts, KindCounts};
use super::facts::{Origin, Series};
use super::prometheus::Role;
use super::reader_context::{Complaints, ReaderContext, warning};
use super::seen::{is_possible, undeclared};

pub use self::aggregate::{SpanFamily, span_family};
pub use self::live::{Calls, Minutes, SentSpan, Spans};

/// Maximum number of names in one warning; the most frequent come first.
const MAX_NAMED: usize = 10;

pub(super) fn read(file: &str, bytes: &[u8], role: Role, context: &mut ReaderContext<'_>) -> Result<(), Box<Diagnostic>> {
    let mut collector = Collector::new(context.placer);
    let mut said = gather(file, bytes, false, &mut collector)?;
    let gathered = collector.finish();
    let work = calls::work(&gathered.spans);
    count(file, &gathered, role, context);
    let last = gathered.spans.iter().map(|span| span.end).max().unwrap_or(0);
    let (made, too_many) = aggregate::series(&work, &gathered.parties, last);
    if too_many {
        said.push(warning(
            Code::SIGNAL_ENTRY,
            text!("`{}`: too many pairs of callers and callees for such a long period: no rates computed", file),
        ));
    }
    if made.is_empty() && !gathered.spans.is_empty() {
        let what = text!(
            "`{}`: {} spans are too few: a component needs at least {} within {}",
            file,
            gathered.spans.len(),
            MIN_SPANS,
            Time::describe(BUCKET)
        );
        said.push(warning(Code::SIGNAL_ENTRY, what));
    }
    match role {
        Role::Metrics => {
            said.extend(unplaced(file, &gathered));
            let calls = live::counted(work.calls.iter(), &gathered.parties);
            said.extend(unknown_calls(file, &calls, context.placer.estate));
            context.facts.calls.extend(calls);
        }
        // The same gaps in the topology are reported for the incident.
        Role::Baseline => {}
    }
    keep(file, made, role, context);
    context.diagnostics.append(&mut said);
    Ok(())
}

/// Reads the spans of a file, one answer after the other. One that cannot be read costs only itself, as the end of a file that a
/// collector is still writing; so does an error among other answers. A request may have no spans, a recording is wrong then.
fn gather(file: &str, bytes: &[u8], is_request: bool, sink: &mut impl Sink) -> Result<Vec<Diagnostic>, Box<Diagnostic>> {
    let mut known = 0usize;
    let mut foreign = 0usize;
    let mut refused: Vec<String> = Vec::new();
    let mut asides = Vec::new();
    let mut complaints = Complaints::default();
    answers::each(file, bytes, |Answer { place, read }: Answer<'_, Document>| {
        let parts = match read {
            Ok(Document(parts)) => parts,
            Err(broken) => return asides.push(broken.aside(file, place)),
        };
        for part in parts {
            match part {
                Part::Otlp(resources) => {
                    for (resource, spans) in resources.into_iter().map(otlp::ResourceSpans::split) {
                        let whose = sink.whose(&resource);
                        spans.for_each(|span| sink.take(whose, span));
                    }
                }
                Part::Jaeger(traces) => {
                    for trace in traces {
                        trace.each(|process, span| {
                            let whose = sink.whose(process);
                            sink.take(whose, span);
                        });
                    }
                }
                Part::Zipkin(endpoint, span) => {
                    let whose = sink.whose(&endpoint);
                    sink.take(whose, span);
                }
                Part::Refused(message) => {
                    refused.push(message);
                    continue;
                }
                Part::Remarked(said) => {
                    answers::remark(&[&said], &[], place, &mut complaints);
                    continue;
                }
                Part::Foreign => {
                    foreign += usize::from(!is_request);
                    continue;
                }
            }
            known += 1;
        }
    })?;
    let mut said = Vec::new();
    set_aside(asides, known, &mut complaints)?;
    complaints.report(file, &mut said);
    if let Some(first) = refused.first() {
        if known == 0 {
            let what = text!("`{}` contains a Jaeger error instead of data: {}", file, first);
            return Err(Box::new(Diagnostic::nowhere(Code::SIGNAL_FORMAT, what).help("fix the query and record it again")));
        }
        let what = text!("`{}`: answers set aside, an error of Jaeger: {} (the first: {})", file, refused.len(), first);
        said.push(warning(Code::SIGNAL_FORMAT, what));
    }
    if foreign > 0 && known == 0 {
        let what = text!("`{}` contains no spans: it has neither `resourceSpans`, `data`, `spans` nor `traceId`", file);
        let help = text!("expected OTLP/JSON, the JSON response of Jaeger's `/api/traces`, or a list of Zipkin spans");
        return Err(Box::new(Diagnostic::nowhere(Code::SIGNAL_FORMAT, what).help(help)));
    }
    if foreign > 0 {
        said.push(warning(Code::SIGNAL_ENTRY, text!("`{}`: objects skipped, not spans: {}", file, foreign)));
    }
    Ok(said)
}

/// Counts what happened to every span.
fn count(file: &str, gathered: &Gathered, role: Role, context: &mut ReaderContext<'_>) {
    let mut complaints = Complaints::default();
    for (index, refusal) in &gathered.refused {
        let reason = refusal.words();
        complaints.add(refusal.code(), text!("spans rejected, {}", reason), 1, || text!("span {}", index));
        context.unread(file, *index, "span", refusal.code(), &reason, "");
    }
    complaints.report(file, &mut context.diagnostics);
    let spans = match role {
        Role::Metrics => &mut context.counts.spans,
        Role::Baseline => &mut context.counts.baseline_spans,
    };
    spans.received += gathered.received;
    spans.duplicates += gathered.duplicates;
    spans.kept += gathered.spans.len();
    spans.unplaced += gathered.spans.iter().filter(|span| component(gathered, span.party).is_none()).count();
    for (_, refusal) in &gathered.refused {
        spans.reject(&refusal.words().to_string(), 1);
    }
}

fn component(gathered: &Gathered, party: u32) -> Option<ComponentId> {
    gathered.parties.get(usize::try_from(party).ok()?)?.component
}

/// Whether the type of a component declares a metric that is made of spans.
enum Declared {
    No,
    /// With a unit of the same dimension: values are already in its base unit.
    Yes,
    /// With a unit of another dimension.
    Otherwise,
}

fn declared(estate: &Snapshot, made: &Made) -> Declared {
    let Some(family) = span_family(made.metric) else { return Declared::No };
    match estate.model().member(&estate.component(made.component).kind, made.metric) {
        Some(Member::Metric(def)) if def.unit.dimension == family.dimension() => Declared::Yes,
        Some(Member::Metric(_)) => Declared::Otherwise,
        Some(Member::Attribute(_)) | None => Declared::No,
    }
}

fn keep(file: &str, made: Vec<Made>, role: Role, context: &mut ReaderContext<'_>) {
    let estate = context.placer.estate;
    let id = |component: ComponentId| estate.component(component).id.clone();
    let mut complaints = Complaints::default();
    for (index, made) in made.into_iter().enumerate() {
        let (series, samples) = counters(&mut context.counts, role);
        series.received += 1;
        samples.received += made.points.len();
        let modelled = match declared(estate, &made) {
            Declared::Yes => true,
            Declared::No => false,
            Declared::Otherwise => {
                series.reject("declared with another unit", 1);
                samples.reject("declared with another unit", made.points.len());
                let what = text!("series skipped, the model declares this metric with an incompatible unit");
                complaints.add(Code::SIGNAL_UNIT, what, 1, || text!("`{}` of {}", made.metric, id(made.component)));
                continue;
            }
        };
        series.keep(true);
        samples.kept += made.points.len();
        let labels: BTreeMap<String, String> = made.caller.map(|caller| ("caller".to_owned(), id(caller))).into_iter().collect();
        let origin = Origin { file: file.to_owned(), index };
        let Made { component, metric, points, .. } = made;
        let kept = Series {
            origin,
            component: Some(component),
            instance: None,
            metric: metric.to_owned(),
            modelled,
            labels,
            points: points.into(),
        };
        match role {
            Role::Metrics => context.facts.series.push(kept),
            Role::Baseline => context.facts.baseline.push(kept),
        }
    }
    complaints.report(file, &mut context.diagnostics);
}

/// The counts of series and of samples.
fn counters(counts: &mut Counts, role: Role) -> (&mut KindCounts, &mut KindCounts) {
    match role {
        Role::Metrics => (&mut counts.series, &mut counts.samples),
        Role::Baseline => (&mut counts.baseline_series, &mut counts.baseline_samples),
    }
}

/// A warning with the services that are not placed on a component.
fn unplaced(file: &str, gathered: &Gathered) -> Option<Diagnostic> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for Span { party, .. } in &gathered.spans {
        let party = gathered.parties.get(usize::try_from(*party).ok()?)?;
        if party.component.is_none() {
            *counts.entry(party.name.as_str()).or_insert(0) += 1;
        }
    }
    let names = most(counts.into_iter().map(|(name, count)| (format!("`{name}`"), count)).collect())?;
    let what = text!("`{}`: services not placed on a component: {}", file, names);
    Some(warning(Code::SIGNAL_UNPLACED, what).help("map them in `placement` of topology/sources.yaml, or add the components"))
}

/// Warnings that list calls that the spans show but the topology lacks: those that become relations, and those that its model has none for.
fn unknown_calls(file: &str, calls: &[Calls], estate: &Snapshot) -> Vec<Diagnostic> {
    let name = |component: ComponentId| estate.component(component).id.as_str();
    let named = |calls: Vec<Calls>| {
        most(calls.iter().map(|call| (format!("{} -> {}", name(call.caller), name(call.callee)), call.count)).collect())
    };
    let (usable, others): (Vec<Calls>, Vec<Calls>) = undeclared(estate, calls).into_iter().partition(|call| is_possible(estate, call));
    let used = named(usable).map(|names| {
        let what = text!("`{}`: calls that only the traces show, used as relations: {}", file, names);
        warning(Code::SIGNAL_RELATION, what).help(text!("add them as `calls` relations: another incident may have no traces of them"))
    });
    let unused = named(others).map(|names| {
        let what = text!("`{}`: calls seen but not in the topology: {}", file, names);
        warning(Code::SIGNAL_RELATION, what).help(text!("add relations: faults are only traced along the topology"))
    });
    used.into_iter().chain(unused).collect()
}

/// The most frequent first, as `a (12 spans), b (1 span) and 3 more`; `None` for none.
fn most(mut counted: Vec<(String, usize)>) -> Option<Text> {
    counted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let shown = counted.iter().take(MAX_NAMED).map(|(name, count)| match count {
        1 => text!("{} (1 span)", name),
        _ => text!("{} ({} spans)", name, count),
    });
    let shown = Text::joined(shown, "{}, {}")?;
    let more = counted.len().saturating_sub(MAX_NAMED);
    Some(if more == 0 { shown } else { text!("{} and {} more", shown, more) })
}
