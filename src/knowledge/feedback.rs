//! What people recorded about answers: the journal `feedback.ndjson` of a project, one JSON object per line.
//!
//! ```text
//! {"time":"2025-09-30T06:00:00Z","bundle":"incidents/2025-09-30","verdict":"confirmed",
//!  "answer":{"component":"kafka","fault":"unusually high consumer_lag","layer":"anomaly","confidence":0.54,"cases":[],"rules":[]},
//!  "root":{"component":"kafka","fault":"unusually high consumer_lag"},"by":"anna","note":""}
//! ```
//!
//! (in one line). Lines are only ever added, so that two branches of a repository merge by keeping the lines of both.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calibration::Calibration;
use super::weights::Weights;
use diag::{Code, Diagnostic, Place, SourceId, Sources, Span, Text, text};
use value::Time;

/// The journal's name in the project folder.
pub const JOURNAL: &str = "feedback.ndjson";

/// Which layer gave an answer; tried in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// A rule that an expert wrote.
    Expert,
    /// A similar past case; a person must confirm.
    Knowledge,
    /// Scores limited and directed by the topology; a person must confirm.
    Anomaly,
}

impl Layer {
    pub fn name(self) -> &'static str {
        match self {
            Layer::Expert => "expert",
            Layer::Knowledge => "knowledge",
            Layer::Anomaly => "anomaly",
        }
    }
}

/// How an answer compares with what a person says was true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The first suspect was the component at fault.
    Confirmed,
    /// Another component was at fault than the first suspect, or no suspect was named.
    Corrected,
    /// Nothing was broken.
    NoFault,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Confirmed => "confirmed",
            Verdict::Corrected => "corrected",
            Verdict::NoFault => "no_fault",
        }
    }
}

/// The first suspect, as reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenAnswer {
    /// `null` if the rule that matched names no component.
    pub component: Option<String>,
    pub fault: String,
    pub layer: Layer,
    /// 0 to 1, from the layer itself: before case weights and calibration, so that learning is not based on its own results.
    pub confidence: f64,
    /// Ids of the cases that proposed it; empty unless the layer is `knowledge`.
    #[serde(default)]
    pub cases: Vec<String>,
    /// Ids of the rules that named it.
    #[serde(default)]
    pub rules: Vec<String>,
}

impl GivenAnswer {
    /// The fault as people name it; empty for text that the anomaly layer generated (`unusually high consumer_lag`).
    fn named_fault(&self) -> String {
        match self.layer {
            Layer::Expert | Layer::Knowledge => self.fault.clone(),
            Layer::Anomaly => String::new(),
        }
    }
}

/// What was at fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Root {
    pub component: String,
    /// Empty if unknown.
    #[serde(default)]
    pub fault: String,
}

/// What one person recorded about the answer for one bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// When it was recorded.
    pub time: Time,
    /// The folder of the signals: relative to the project with `/`, or as it was given if it lies elsewhere.
    pub bundle: String,
    pub verdict: Verdict,
    /// `None`: no suspect was named.
    #[serde(default)]
    pub answer: Option<GivenAnswer>,
    /// `None`: nothing was at fault, or the rule that was confirmed names no component.
    #[serde(default)]
    pub root: Option<Root>,
    pub by: String,
    #[serde(default)]
    pub note: String,
}

impl Entry {
    /// Whether the answer was right; `None` if there was no answer.
    pub fn right(&self) -> Option<bool> {
        self.answer.as_ref().map(|_| self.verdict == Verdict::Confirmed)
    }

    /// Why it contradicts itself, if it does.
    fn contradiction(&self) -> Option<Text> {
        let named = self.answer.as_ref().and_then(|answer| answer.component.as_deref());
        let broke = self.root.as_ref().map(|root| root.component.as_str());
        let in_range = |answer: &GivenAnswer| (0.0..=1.0).contains(&answer.confidence);
        if self.bundle.is_empty() || broke == Some("") {
            return Some(text!("the name of a bundle or component must not be empty"));
        }
        if !self.answer.as_ref().is_none_or(in_range) {
            return Some(text!("`confidence` must be between 0 and 1"));
        }
        match self.verdict {
            Verdict::Confirmed if self.answer.is_none() => Some(text!("`confirmed` needs the `answer` that was right")),
            Verdict::Confirmed if broke.is_some() && broke != named => {
                Some(text!("`confirmed`, but `root` is not the component of `answer`"))
            }
            Verdict::Corrected if broke.is_none() => Some(text!("`corrected` needs `root`, the real root cause")),
            Verdict::Corrected if broke == named => Some(text!("`corrected`, but `root` is the component of `answer`: use `confirmed`")),
            Verdict::NoFault if broke.is_some() => Some(text!("`no_fault`, but `root` names a root cause")),
            Verdict::Confirmed | Verdict::Corrected | Verdict::NoFault => None,
        }
    }
}

/// What a person says was true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The first suspect was right.
    Agreed,
    /// This component was at fault; the first suspect may be the same.
    Broke(Root),
    NoFault,
}

impl Said {
    /// Compares it with the answer. `None` for agreement without an answer.
    pub fn judge(self, answer: Option<&GivenAnswer>) -> Option<(Verdict, Option<Root>)> {
        match self {
            Said::Agreed => {
                let answer = answer?;
                let root = answer.component.clone().map(|component| Root { component, fault: answer.named_fault() });
                Some((Verdict::Confirmed, root))
            }
            Said::Broke(mut root) => match answer.filter(|answer| answer.component.as_ref() == Some(&root.component)) {
                Some(answer) => {
                    if root.fault.is_empty() {
                        root.fault = answer.named_fault();
                    }
                    Some((Verdict::Confirmed, Some(root)))
                }
                None => Some((Verdict::Corrected, Some(root))),
            },
            Said::NoFault => Some((Verdict::NoFault, None)),
        }
    }
}

/// The combined feedback of a project. The default is that of a project without feedback.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Feedback {
    /// The entries that count, by time.
    pub entries: Vec<Entry>,
    /// How often each case was right.
    pub weights: Weights,
    /// How often each confidence of the anomaly layer is right.
    pub calibration: Calibration,
}

impl Feedback {
    /// Of entries about the same bundle, the last counts.
    pub fn new(entries: Vec<Entry>) -> Self {
        let entries = standing(entries);
        let weights = Weights::of(&entries);
        let calibration = Calibration::fit(&pairs(&entries, Some(Layer::Anomaly)));
        Self { entries, weights, calibration }
    }
}

/// For each answer of one layer, or of all: the layer's own confidence, and whether the answer was right.
pub fn pairs(entries: &[Entry], layer: Option<Layer>) -> Vec<(f64, bool)> {
    let of_layer = |answer: &&GivenAnswer| layer.is_none_or(|layer| answer.layer == layer);
    entries.iter().filter_map(|entry| Some((entry.answer.as_ref().filter(of_layer)?.confidence, entry.right()?))).collect()
}

/// Reads a journal: the entries that count, by time, and its errors. A broken line affects only itself. Of all entries about the same
/// bundle the latest counts (of equal times, the lower in the file), because people know more later. The diagnostics name the line;
/// [`read_journal`] also gives them a place.
pub fn read(text: &str) -> (Vec<Entry>, Vec<Diagnostic>) {
    let (entries, broken) = lines(text);
    let diagnostic = |one: Broken| {
        let message = text!("`{}` line {}: {}", JOURNAL, one.line, one.message);
        Diagnostic::nowhere(Code::FEEDBACK_ENTRY, message).help(one.help)
    };
    (standing(entries), broken.into_iter().map(diagnostic).collect())
}

/// Like [`read`], with the place of each diagnostic in a project file.
pub fn read_journal(sources: &Sources, source: SourceId) -> (Vec<Entry>, Vec<Diagnostic>) {
    let (entries, broken) = lines(sources.text(source));
    let diagnostic = |one: Broken| {
        let message = text!("invalid feedback in line {}: {}", one.line, one.message);
        Diagnostic::error(Code::FEEDBACK_ENTRY, Place::new(source, one.span), message).label("not counted").help(one.help)
    };
    (standing(entries), broken.into_iter().map(diagnostic).collect())
}

/// A line that cannot be read.
struct Broken {
    /// From 1.
    line: usize,
    span: Span,
    message: Text,
    help: Text,
}

/// Conflict markers that a git merge leaves in a file.
const MERGE_MARKS: &[&str] = &["<<<<<<<", "=======", ">>>>>>>", "|||||||"];

/// All entries in the order of their lines.
fn lines(text: &str) -> (Vec<Entry>, Vec<Broken>) {
    let (mut entries, mut broken) = (Vec::new(), Vec::new());
    let mut start = 0;
    for (at, whole) in text.split_inclusive('\n').enumerate() {
        let line = whole.trim_start_matches('\u{feff}').trim();
        let span = Span::new(start, start + whole.trim_end().len());
        start += whole.len();
        if line.is_empty() {
            continue;
        }
        let mut refuse = |message: Text, help: Text| broken.push(Broken { line: at + 1, span, message, help });
        let mend = || text!("fix or remove the line; `faultscope confirm BUNDLE` writes a new one");
        match serde_json::from_str::<Entry>(line) {
            Ok(entry) => match entry.contradiction() {
                Some(why) => refuse(why, mend()),
                None => entries.push(Entry { bundle: bundle_name(&entry.bundle), ..entry }),
            },
            Err(_) if MERGE_MARKS.iter().any(|mark| line.starts_with(mark)) => {
                refuse(text!("unresolved merge conflict"), text!("remove the conflict marker and keep the lines of both sides"));
            }
            Err(error) => refuse(reason(&error), mend()),
        }
    }
    (entries, broken)
}

/// The message of `serde_json`, without the line number, which is always 1.
fn reason(error: &serde_json::Error) -> Text {
    let full = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let message = full.strip_suffix(&place).unwrap_or(&full);
    text!("{} (column {})", message, error.column())
}

/// Normalizes a path: with `/`, without a leading `./` or a trailing `/`.
pub fn bundle_name(path: &str) -> String {
    let path = path.replace('\\', "/");
    let mut name = path.as_str();
    while let Some(rest) = name.strip_prefix("./") {
        name = rest;
    }
    match (name.trim_end_matches('/'), name) {
        ("", "") => ".".to_owned(),
        ("", root) => root.to_owned(),
        (name, _) => name.to_owned(),
    }
}

/// By time, with only the last entry of each bundle.
fn standing(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_by_key(|entry| entry.time);
    let mut last: BTreeMap<String, usize> = BTreeMap::new();
    for (at, entry) in entries.iter().enumerate() {
        last.insert(entry.bundle.clone(), at);
    }
    entries.into_iter().enumerate().filter(|(at, entry)| last.get(&entry.bundle) == Some(at)).map(|(_, entry)| entry).collect()
}

#[cfg(test)]
#[path = "feedback_tests.rs"]
mod tests;
