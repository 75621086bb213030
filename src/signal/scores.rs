//! Scores of external models: from files (`scores.json`, `scores.ndjson`), requests, scorers, and series that `sources.yaml` names as
//! scores.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use diag::{Code, Diagnostic, Text, text};
use estate::ComponentId;
use value::Time;

use super::answers;
use super::bundle::MAX_SKEW;
use super::counts::Counts;
use super::facts::{Facts, Origin, Score};
use super::json;
use super::mapping_rules::ScoreSeries;
use super::placement::Unplaced;
use super::reader_context::{Complaints, ReaderContext};
use super::resolver::Resolver;
use super::samples::Samples;
use super::scale::{RUN_TAIL, Scale};

/// What is known about all entries of one source in advance.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScoreFrame<'f> {
    /// The origin of all scores; overrides that of the entries.
    pub source: Option<&'f str>,
    /// The time of entries without a `time`.
    pub time: Option<Time>,
    /// Only scores for these components are accepted.
    pub about: Option<&'f BTreeSet<ComponentId>>,
    /// When the entries came: those of a time far ahead are not accepted.
    pub received: Option<Time>,
}

/// Why an entry is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreRefusal {
    pub code: Code,
    /// Contains no values of the entry, so that refusals can be counted by reason.
    pub reason: Text,
    /// The value that was found; may be empty.
    pub found: String,
}

/// An entry of a file or request, as written and as read.
#[derive(Debug)]
pub struct ScoreEntry {
    /// `None` for a line that is not JSON.
    pub written: Option<Value>,
    pub read: Result<Score, ScoreRefusal>,
}

/// The identity of a score: model, component (or the name it was given), metric and time.
type Key = (String, Option<ComponentId>, String, Option<String>, Time);

/// Positions of the scores already read in the facts.
pub(super) type Seen = BTreeMap<Key, usize>;

/// The entries of a text: an object, an array, or one object per line. A broken line affects only itself.
///
/// # Errors
/// `NOT_UTF8`; `SIGNAL_FORMAT`: not JSON, or no entry has a `score`.
pub fn score_entries(file: &str, bytes: &[u8], frame: &ScoreFrame<'_>, placer: &Resolver<'_>) -> Result<Vec<ScoreEntry>, Box<Diagnostic>> {
    let entries = answers::entries(file, bytes, |entry| entry.get("score").is_some());
    let entries = entries.map_err(|error| if error.code == Code::SIGNAL_FORMAT { helped(*error) } else { error })?;
    if !entries.is_empty() && !entries.iter().flatten().any(|entry| entry.get("score").is_some()) {
        let what = text!("`{}` contains no scores: no entry has a `score`", file);
        return Err(helped(Diagnostic::nowhere(Code::SIGNAL_FORMAT, what)));
    }
    let read = |(index, entry): (usize, Result<Value, String>)| match entry {
        Ok(written) => {
            let read = score_of(&written, Origin { file: file.to_owned(), index }, frame, placer);
            ScoreEntry { written: Some(written), read }
        }
        Err(found) => {
            ScoreEntry { written: None, read: Err(ScoreRefusal { code: Code::SIGNAL_ENTRY, reason: text!("invalid JSON"), found }) }
        }
    };
    Ok(entries.into_iter().enumerate().map(read).collect())
}

fn helped(diagnostic: Diagnostic) -> Box<Diagnostic> {
    let example = r#"{"component": "order-db", "score": 0.97, "time": "2025-06-01T10:00:00Z", "origin": "team-x"}"#;
    Box::new(diagnostic.help(text!("expected objects, in an array or one per line, like `{}`", example)))
}

/// Reads one entry.
pub fn score_of(entry: &Value, origin: Origin, frame: &ScoreFrame<'_>, placer: &Resolver<'_>) -> Result<Score, ScoreRefusal> {
    let refusal = |reason: Text, found: String| ScoreRefusal { code: Code::SIGNAL_ENTRY, reason, found };
    let Target { component, named, labels } = place(entry, placer)?;
    if frame.about.is_some_and(|about| !component.is_some_and(|one| about.contains(&one))) {
        return Err(refusal(text!("component not in the request"), format!("`{named}`")));
    }
    let source = match frame.source {
        Some(source) => source.to_owned(),
        None => text(entry, "origin")
            .filter(|name| !name.chars().any(char::is_control))
            .ok_or_else(|| refusal(text!("no `origin`, one line that names the model"), shown(entry, "origin")))?,
    };
    let tail = tail(entry)?;
    let time = match (said(entry, "time"), frame.time) {
        (None, Some(time)) => time,
        (None, None) => return Err(ScoreRefusal { code: Code::SIGNAL_TIME, ..refusal(text!("no `time`"), String::new()) }),
        (Some(value), _) => {
            time_of(value).ok_or_else(|| impossible(text!("invalid `time` (use RFC 3339 or seconds since 1970)"), entry, "time"))?
        }
    };
    if let Some(received) = frame.received.filter(|received| time > received.plus(MAX_SKEW)) {
        let reason = text!("`time` is more than {} ahead of the server's clock", Time::describe(MAX_SKEW));
        let found = format!("`time` is {time}, the server's clock shows {received}");
        return Err(ScoreRefusal { code: Code::SIGNAL_TIME, reason, found });
    }
    let onset = match said(entry, "onset") {
        None => None,
        Some(value) => {
            Some(time_of(value).ok_or_else(|| impossible(text!("invalid `onset` (use RFC 3339 or seconds since 1970)"), entry, "onset"))?)
        }
    };
    if onset.is_some_and(|onset| onset > time) {
        return Err(ScoreRefusal { code: Code::SIGNAL_TIME, ..refusal(text!("`onset` is after `time`"), shown(entry, "onset")) });
    }
    let metric = text(entry, "metric").map(|name| modelled(name, component, &labels, placer));
    Ok(Score { origin, component, named, metric, time, onset, source, tail })
}

/// The subject of an entry.
struct Target {
    component: Option<ComponentId>,
    named: String,
    /// Empty if the entry names its component directly.
    labels: BTreeMap<String, String>,
}

fn place(entry: &Value, placer: &Resolver<'_>) -> Result<Target, ScoreRefusal> {
    if let Some(named) = text(entry, "component") {
        return Ok(Target { component: placer.named(&named), named, labels: BTreeMap::new() });
    }
    let labels = json::scalars(entry.get("labels"));
    if labels.is_empty() {
        let reason = text!("no component: expected `component`, a string, or `labels`, an object of strings");
        return Err(ScoreRefusal { code: Code::SIGNAL_ENTRY, reason, found: shown(entry, "component") });
    }
    let named = labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ");
    Ok(Target { component: placer.place(&labels), named, labels })
}

fn tail(entry: &Value) -> Result<f64, ScoreRefusal> {
    let refusal = |reason: Text, key: &str| ScoreRefusal { code: Code::SIGNAL_ENTRY, reason, found: shown(entry, key) };
    let scale = match said(entry, "scale") {
        None => Scale::default(),
        Some(value) => value
            .as_str()
            .and_then(Scale::parse)
            .ok_or_else(|| refusal(text!("unknown `scale` (known: `probability`, `p_value`, `z`)"), "scale"))?,
    };
    let Some(score) = entry.get("score").and_then(Value::as_f64) else {
        return Err(refusal(text!("no numeric `score`"), "score"));
    };
    scale.tail(score).ok_or_else(|| refusal(text!("`score` out of range ({})", scale.range()), "score"))
}

fn modelled(name: String, component: Option<ComponentId>, labels: &BTreeMap<String, String>, placer: &Resolver<'_>) -> String {
    component.and_then(|component| placer.metric(&name, labels, component)).map_or(name, |mapped| mapped.metric.to_owned())
}

/// RFC 3339, or seconds since 1970.
fn time_of(value: &Value) -> Option<Time> {
    match value {
        Value::String(text) => Time::parse(text),
        Value::Number(number) => Time::from_seconds(number.as_f64()?),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn impossible(reason: Text, entry: &Value, key: &str) -> ScoreRefusal {
    ScoreRefusal { code: Code::SIGNAL_TIME, reason, found: shown(entry, key) }
}

/// The value of a key; null counts as absent.
fn said<'v>(entry: &'v Value, key: &str) -> Option<&'v Value> {
    entry.get(key).filter(|value| !value.is_null())
}

/// A text that is not empty.
fn text(entry: &Value, key: &str) -> Option<String> {
    entry.get(key).and_then(json::scalar).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Characters of a wrong value that are shown.
const MAX_SHOWN: usize = 80;

/// The value of a key, for messages.
fn shown(entry: &Value, key: &str) -> String {
    let words = |value: &Value| json::scalar(value).unwrap_or_else(|| value.to_string()).chars().take(MAX_SHOWN).collect::<String>();
    said(entry, key).map_or_else(String::new, |value| format!("`{key}` is `{}`", words(value)))
}

pub(super) fn read(
    file: &str,
    bytes: &[u8],
    frame: &ScoreFrame<'_>,
    seen: &mut Seen,
    context: &mut ReaderContext<'_>,
) -> Result<(), Box<Diagnostic>> {
    let entries = score_entries(file, bytes, frame, context.placer)?;
    let mut complaints = Complaints::default();
    for (index, entry) in entries.into_iter().enumerate() {
        context.counts.scores.received += 1;
        match entry.read {
            Ok(score) => keep(score, seen, context),
            Err(ScoreRefusal { code, reason, found }) => {
                let found = answers::and_found(&found);
                complaints.add(code, text!("scores rejected, {}", reason), 1, || text!("score {}{}", index, found));
                context.counts.scores.reject(&reason.to_string(), 1);
                context.unread(file, index, "score", code, &reason, &found);
            }
        }
    }
    complaints.report(file, &mut context.diagnostics);
    Ok(())
}

/// Of two scores of one model for the same component, metric and time, the later one counts: it is a correction or a repeat.
fn keep(score: Score, seen: &mut Seen, context: &mut ReaderContext<'_>) {
    let named = if score.component.is_some() { String::new() } else { score.named.clone() };
    let key = (score.source.clone(), score.component, named, score.metric.clone(), score.time);
    let earlier = seen.get(&key).and_then(|at| context.facts.scores.get_mut(*at));
    match earlier {
        Some(earlier) => {
            *earlier = score;
            context.counts.scores.duplicates += 1;
        }
        None => {
            context.counts.scores.keep(score.component.is_some());
            if score.component.is_none() {
                // A score without a component is called by its labels.
                let labelled = score.named.contains('=');
                let unknown = || Unplaced::Unknown { label: "component", value: score.named.clone() };
                let why = if labelled { Unplaced::Unnamed } else { unknown() };
                context.facts.miss(&why, &score.origin);
            }
            seen.insert(key, context.facts.scores.len());
            context.facts.scores.push(score);
        }
    }
}

/// Adds a recorded series that `sources.yaml` names as a score: each sample is a score. `doubled` is the number of samples replaced by
/// another one of the same time; `histograms` are not read. Returns how many samples are out of range.
pub(super) fn of_series(
    entry: &ScoreSeries,
    labels: &BTreeMap<String, String>,
    origin: &Origin,
    samples: &Samples,
    (doubled, histograms): (usize, usize),
    context: &mut ReaderContext<'_>,
) -> usize {
    let placement = context.placer.explain(labels, None);
    let component = placement.component;
    let metric = entry.metric.clone().map(|name| modelled(name, component, labels, context.placer));
    let counts = &mut context.counts.scores;
    counts.received += samples.received + histograms;
    counts.duplicates += doubled;
    counts.reject("invalid time", samples.impossible);
    counts.reject("infinite", samples.infinite);
    counts.reject("not a number", samples.garbled);
    counts.reject("histogram", histograms);
    let mut outside = 0;
    for (time, value) in &samples.points {
        let Some(tail) = entry.scale.tail(*value) else {
            outside += 1;
            continue;
        };
        counts.keep(component.is_some());
        if let Some(why) = &placement.why {
            context.facts.miss(why, origin);
        }
        context.facts.scores.push(Score {
            origin: origin.clone(),
            component,
            named: entry.series.clone(),
            metric: metric.clone(),
            time: *time,
            onset: None,
            source: entry.source.clone(),
            tail,
        });
    }
    counts.reject("out of range", outside);
    outside
}

/// By time, then by origin; the scores of one series stay in the order of its samples.
pub(super) fn sort(scores: &mut [Score]) {
    scores.sort_by(|a, b| (a.time, &a.origin).cmp(&(b.time, &b.origin)));
}

/// Adds scores of requests and scorers to existing facts. `file` is their name in messages.
pub fn add_scores(
    file: &str,
    bytes: &[u8],
    frame: &ScoreFrame<'_>,
    placer: &Resolver<'_>,
    facts: &mut Facts,
    counts: &mut Counts,
) -> Vec<Diagnostic> {
    let mut context = ReaderContext::new(placer);
    context.run(|context| read(file, bytes, frame, &mut Seen::new(), context));
    let ReaderContext { facts: further, counts: of_further, diagnostics, .. } = context;
    facts.scores.extend(further.scores);
    sort(&mut facts.scores);
    for (kind, group) in further.unplaced {
        match facts.unplaced.get_mut(&kind) {
            Some(known) => known.count += group.count,
            None => {
                facts.unplaced.insert(kind, group);
            }
        }
    }
    facts.unread.extend(further.unread);
    facts.unread.sort_by(|a, b| a.origin.cmp(&b.origin));
    counts.scores.absorb(of_further.scores);
    diagnostics
}

/// The source of scores: the model, the component (or the name it was given), the metric.
type Voice<'s> = (&'s str, Option<ComponentId>, &'s str, Option<&'s str>);

impl Facts {
    /// The last score of each model for each component and metric after `since` up to `at`, by model, component and metric.
    ///
    /// If the model gives no onset, `onset` is the start of the last unbroken run of scores with a tail of at most [`RUN_TAIL`]; `None` if
    /// the last score is not in such a run.
    pub fn scores_at(&self, since: Time, at: Time) -> Vec<Score> {
        let mut said: BTreeMap<Voice<'_>, Vec<&Score>> = BTreeMap::new();
        for score in self.scores.iter().filter(|score| score.time > since && score.time <= at) {
            let named = if score.component.is_some() { "" } else { score.named.as_str() };
            said.entry((&score.source, score.component, named, score.metric.as_deref())).or_default().push(score);
        }
        let last_word = |scores: Vec<&Score>| {
            let last: Score = scores.last().map(|score| (*score).clone())?;
            let run = scores.iter().rev().take_while(|score| score.tail <= RUN_TAIL).last();
            Some(Score { onset: last.onset.or(run.map(|score| score.time)), ..last })
        };
        said.into_values().filter_map(last_word).collect()
    }
}
