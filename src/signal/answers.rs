//! The answers of a file: each on its own, one after the other, one a line, or as elements of arrays. One that cannot be read costs
//! only itself: it is set aside with its place, and the next one is looked for behind it.

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use diag::{Code, Diagnostic, Text, text};

use super::json::{self, LabelValue};
use super::reader_context::Complaints;

/// How often in one file the beginning of an answer is tried in vain: what is not closed is read to the end of the file.
const MAX_TRIES: usize = 100;

/// How Prometheus and Loki begin an answer. Answers that were appended to a file without an end of line are told apart by it.
const BEGINNING: &str = r#"{"status":""#;

/// Where an answer begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Its position among the answers of the file, from 0.
    pub number: usize,
    pub line: usize,
}

impl Place {
    pub fn text(self) -> Text {
        text!("answer {} in line {}", self.number, self.line)
    }
}

pub(super) struct Answer<'a, T> {
    pub place: Place,
    pub read: Result<T, Broken<'a>>,
}

/// What is wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    Html,
    Cut,
    Syntax,
    /// Valid JSON, but not what was expected.
    Shape,
}

/// An answer that cannot be read.
pub(super) struct Broken<'a> {
    flaw: Flaw,
    line: usize,
    column: usize,
    reason: String,
    /// Its text, if it is valid JSON.
    written: &'a str,
}

impl Broken<'_> {
    /// The error of a file that has nothing else.
    pub fn alone(&self, file: &str) -> Box<Diagnostic> {
        let what = text!("`{}` line {} column {}: {}", file, self.line, self.column, self.reason);
        let error = Diagnostic::nowhere(Code::SIGNAL_FORMAT, what);
        Box::new(match self.flaw {
            Flaw::Html => error.help("this is an HTML page: check the address and the credentials of the query"),
            Flaw::Cut => error.help("the file seems to be truncated: record it again"),
            Flaw::Syntax | Flaw::Shape => error,
        })
    }

    /// The place and the words of the parser.
    pub fn found(&self) -> String {
        format!("line {} column {}: {}", self.line, self.column, self.reason)
    }

    pub fn aside(&self, file: &str, place: Place) -> Aside {
        let (reason, found) = match self.flaw {
            Flaw::Html => (text!("an HTML page"), String::new()),
            Flaw::Cut => (text!("cut off"), self.found()),
            Flaw::Syntax => (text!("invalid JSON"), self.found()),
            Flaw::Shape => (text!("of another shape"), self.found()),
        };
        Aside { place, reason, found, alone: self.alone(file) }
    }

    /// The `resultType` of an answer of Prometheus or Loki that could not be read.
    pub fn result_type(&self) -> Option<String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Outline {
            data: Option<Inner>,
            result_type: Option<String>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Inner {
            result_type: Option<String>,
        }
        // A list would be taken for the fields in their order.
        if !self.written.contains("\"resultType\"") {
            return None;
        }
        let outline: Outline = serde_json::from_str(self.written).ok()?;
        outline.data.and_then(|data| data.result_type).or(outline.result_type)
    }
}

/// An answer that is not used, and why.
pub(super) struct Aside {
    pub place: Place,
    /// Contains no values of the answer, so that answers can be counted by reason.
    pub reason: Text,
    /// What was found; may be empty.
    pub found: String,
    /// The error if the file has nothing else.
    pub alone: Box<Diagnostic>,
}

/// What was found, to stand behind the reason; empty if nothing was.
pub(super) fn and_found(found: &str) -> String {
    if found.is_empty() { String::new() } else { format!(", {found}") }
}

/// Warns of answers that are not used; it is an error if the file has no other.
pub(super) fn set_aside(asides: Vec<Aside>, used: usize, complaints: &mut Complaints) -> Result<(), Box<Diagnostic>> {
    for Aside { place, reason, found, alone } in asides {
        if used == 0 {
            return Err(alone);
        }
        let found = and_found(&found);
        complaints.add(Code::SIGNAL_FORMAT, text!("answers set aside, {}", reason), 1, || text!("{}{}", place.text(), found));
    }
    Ok(())
}

/// What `result` makes of each answer of a file. Complains of those of which it makes nothing; it is an error if there is no other.
///
/// # Errors
/// Those of [`answers`], and that of the first answer if none can be used.
pub(super) fn usable<T: DeserializeOwned, U>(
    file: &str,
    bytes: &[u8],
    complaints: &mut Complaints,
    result: impl Fn(&str, Answer<'_, T>, &mut Complaints) -> Result<U, Aside>,
) -> Result<Vec<U>, Box<Diagnostic>> {
    let (mut used, mut asides) = (Vec::new(), Vec::new());
    for answer in answers::<T>(file, bytes)? {
        match result(file, answer, complaints) {
            Ok(one) => used.push(one),
            Err(aside) => asides.push(aside),
        }
    }
    set_aside(asides, used.len(), complaints)?;
    Ok(used)
}

/// All answers of a file.
///
/// # Errors
/// `NOT_UTF8`; `SIGNAL_FORMAT`: an empty file.
pub(super) fn answers<'a, T: DeserializeOwned>(file: &str, bytes: &'a [u8]) -> Result<Vec<Answer<'a, T>>, Box<Diagnostic>> {
    let mut all = Vec::new();
    each(file, bytes, |answer| all.push(answer))?;
    Ok(all)
}

/// Passes on all answers of a file, one after the other, so that not all of them are in memory.
///
/// # Errors
/// Those of [`answers`].
pub(super) fn each<'a, T: DeserializeOwned>(
    file: &str,
    bytes: &'a [u8],
    mut take: impl FnMut(Answer<'a, T>),
) -> Result<(), Box<Diagnostic>> {
    let mut walk = Walk { text: json::text(file, bytes)?, at: 0, line: 1, line_start: 0, depth: 0, broken: false, tries: 0 };
    let mut number = 0;
    while walk.skip() {
        let place = Place { number, line: walk.line };
        take(Answer { place, read: walk.take() });
        number += 1;
    }
    // What follows a broken answer says nothing about the arrays around it.
    if walk.depth > 0 && !walk.broken {
        let place = Place { number, line: walk.line };
        take(Answer { place, read: Err(walk.unclosed()) });
    }
    Ok(())
}

/// A way through the text of a file, from answer to answer.
struct Walk<'a> {
    text: &'a str,
    /// Where the next answer is expected, in which line, and where that line begins.
    at: usize,
    line: usize,
    line_start: usize,
    /// How many arrays are open.
    depth: usize,
    /// Whether an answer was broken.
    broken: bool,
    tries: usize,
}

impl<'a> Walk<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Goes on to a later position.
    fn go(&mut self, to: usize) {
        let passed = self.text.get(self.at..to).unwrap_or_default();
        self.line += passed.matches('\n').count();
        if let Some(last) = passed.rfind('\n') {
            self.line_start = self.at + last + 1;
        }
        self.at = to;
    }

    /// Goes on to the next answer, past the arrays around it. Returns whether there is one.
    fn skip(&mut self) -> bool {
        loop {
            let rest = self.rest().trim_start_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}');
            self.go(self.text.len() - rest.len());
            match rest.as_bytes().first() {
                None => return false,
                Some(b'[') => self.depth += 1,
                Some(b']') if self.depth > 0 || self.broken => self.depth = self.depth.saturating_sub(1),
                Some(b',') => {}
                Some(_) => return true,
            }
            self.go(self.at + 1);
        }
    }

    /// Reads the answer that begins here, and goes behind it.
    fn take<T: DeserializeOwned>(&mut self) -> Result<T, Broken<'a>> {
        let rest = self.rest();
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<T>();
        let error = match stream.next() {
            Some(Ok(value)) => {
                self.go(self.at + stream.byte_offset());
                return Ok(value);
            }
            Some(Err(error)) => error,
            None => return Err(self.unclosed()),
        };
        self.broken = true;
        match length(rest) {
            Ok(length) => {
                let broken = self.flawed(Flaw::Shape, &error, rest.get(..length).unwrap_or_default());
                self.go(self.at + length);
                Err(broken)
            }
            Err(of_syntax) => {
                let error = if error.is_data() { of_syntax } else { error };
                let flaw = match (rest.starts_with('<'), error.is_eof()) {
                    (true, _) => Flaw::Html,
                    (false, true) => Flaw::Cut,
                    (false, false) => Flaw::Syntax,
                };
                let broken = self.flawed(flaw, &error, "");
                let next = self.resume(rest, flaw).unwrap_or(self.text.len());
                self.go(next);
                Err(broken)
            }
        }
    }

    fn flawed(&self, flaw: Flaw, error: &serde_json::Error, written: &'a str) -> Broken<'a> {
        let before = if error.line() <= 1 { self.at - self.line_start } else { 0 };
        let line = self.line + error.line().saturating_sub(1);
        Broken { flaw, line, column: before + error.column(), reason: json::reason(error), written }
    }

    /// The flaw of a file that ends within an array.
    fn unclosed(&mut self) -> Broken<'a> {
        self.go(self.text.len());
        let reason = "EOF while parsing a list".to_owned();
        Broken { flaw: Flaw::Cut, line: self.line, column: self.at - self.line_start, reason, written: "" }
    }

    /// The beginning of the next answer behind a broken one. It must be whole, because what a broken answer contains may look like one.
    fn resume(&mut self, rest: &str, flaw: Flaw) -> Option<usize> {
        const END: &str = "</html>";
        if flaw == Flaw::Html
            && let Some(end) = rest.find(END).or_else(|| rest.find("</HTML>"))
        {
            return Some(self.at + end + END.len());
        }
        let mut from = self.at + rest.chars().next().map_or(1, char::len_utf8);
        while self.tries < MAX_TRIES {
            let behind = self.text.get(from..)?;
            let start = behind.match_indices(['{', '[']).map(|(at, _)| from + at).find(|at| self.may_begin(*at))?;
            match length(self.text.get(start..)?) {
                Ok(length) if self.may_end(start + length) => return Some(start),
                Ok(length) => from = start + length,
                Err(_) => {
                    self.tries += 1;
                    from = start + 1;
                }
            }
        }
        None
    }

    fn may_begin(&self, at: usize) -> bool {
        let starts_line = self.text.get(..at).is_some_and(|before| before.ends_with('\n'));
        starts_line || self.text.get(at..).is_some_and(|rest| rest.starts_with(BEGINNING))
    }

    fn may_end(&self, at: usize) -> bool {
        let rest = self.text.get(at..).unwrap_or_default().trim_start_matches([' ', '\t', '\r']);
        rest.is_empty() || rest.starts_with(['\n', '{', '[', '<']) || (self.depth > 0 && rest.starts_with([',', ']']))
    }
}

/// The length of the JSON value at the beginning of a text.
fn length(text: &str) -> Result<usize, serde_json::Error> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    match stream.next() {
        Some(Ok(_)) => Ok(stream.byte_offset()),
        Some(Err(error)) => Err(error),
        None => Ok(text.len()),
    }
}

/// The entries of a file of which each stands for itself, and what is wrong with those that cannot be read. `is_known` tells
/// an entry from other JSON.
///
/// # Errors
/// `NOT_UTF8`; `SIGNAL_FORMAT`: nothing in the file can be read.
pub(super) fn entries(file: &str, bytes: &[u8], is_known: impl Fn(&Value) -> bool) -> Result<Vec<Result<Value, String>>, Box<Diagnostic>> {
    let answers = answers::<Value>(file, bytes)?;
    let Some(alone) = answers.iter().find_map(|answer| answer.read.as_ref().err().map(|broken| broken.alone(file))) else {
        return Ok(answers.into_iter().filter_map(|answer| answer.read.ok()).map(Ok).collect());
    };
    let walked: Vec<_> = answers.into_iter().map(|answer| answer.read.map_err(|broken| broken.found())).collect();
    let is_entry = |entry: &&Result<Value, String>| entry.as_ref().is_ok_and(&is_known);
    let known = walked.iter().filter(is_entry).count();
    // Where each stands in a line of its own, each broken line counts.
    let by_line = lines(json::text(file, bytes)?);
    let best = if by_line.iter().filter(is_entry).count() >= known { by_line } else { walked };
    if best.iter().any(|entry| is_entry(&entry)) { Ok(best) } else { Err(alone) }
}

fn lines(text: &str) -> Vec<Result<Value, String>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = |(at, line): (usize, &str)| {
        let read = serde_json::from_str::<Value>(line);
        read.map_err(|error| format!("line {} column {}: {}", at + 1, error.column(), json::reason(&error)))
    };
    lines.map(read).collect()
}

/// How many remarks of one answer are shown, and how many characters of each.
const MAX_REMARKS: usize = 10;
const MAX_SHOWN: usize = 200;

/// The words of what a sender says about its own answer: of texts, and of objects with a message.
pub(super) fn words(said: &Value) -> Vec<String> {
    match said {
        Value::Array(list) => list.iter().flat_map(words).collect(),
        Value::Object(map) => {
            let message = ["msg", "message", "error"].into_iter().find_map(|key| map.get(key).and_then(json::scalar));
            vec![message.unwrap_or_else(|| said.to_string())]
        }
        other => json::scalar(other).into_iter().collect(),
    }
}

/// Passes on what a sender says about its own answer: `warnings`, `infos` and `errors` beside data, and whether it is partial.
pub(super) fn remark(said: &[&Value], partial: &[&Value], place: Place, complaints: &mut Complaints) {
    for remark in said.iter().flat_map(|list| words(list)).take(MAX_REMARKS) {
        let shown: String = remark.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_SHOWN).collect();
        complaints.add(Code::SIGNAL_ENTRY, text!("the sender warns: {}", shown), 1, || place.text());
    }
    if partial.iter().any(|value| value.as_bool() == Some(true)) {
        complaints.add(Code::SIGNAL_ENTRY, "answers that are only partial, as the sender says", 1, || place.text());
    }
}

/// The word in a field that may have any type.
pub(super) fn word(field: Option<LabelValue>) -> Option<String> {
    field.and_then(|LabelValue(word)| word)
}
