//! Counting log lines by template and by window, before the cut and from it on.

use std::collections::{BTreeMap, BTreeSet};

use estate::ComponentId;
use signal::LogLine;
use value::Time;

use super::binomial::float;
use super::drain::Miner;
use super::templates::Period;
use super::tokens::{Tokens, sentence, telling, tokens};

/// Maximum number of distinct words of the reference: about ten times the vocabulary of all log statements of a large estate. With more,
/// the words are values (user names, keys), so a new one means nothing, and none is reported.
const MAX_WORDS: usize = 100_000;

/// The counts of a template before the cut: sums only, so that a long reference costs no more than a short one.
#[derive(Debug, Clone, Default)]
pub(super) struct Past {
    pub lines: usize,
    /// Different instants at which it was logged.
    pub occasions: u64,
    last: Option<Time>,
    window: i64,
    in_window: u64,
    closed: u64,
}

impl Past {
    fn add(&mut self, time: Time, window: i64) {
        self.lines += 1;
        if self.last == Some(time) {
            return;
        }
        self.last = Some(time);
        self.occasions += 1;
        if window != self.window {
            self.closed += self.in_window.pow(2);
            (self.window, self.in_window) = (window, 0);
        }
        self.in_window += 1;
    }

    /// Sum over windows of the square of the occasions there.
    pub fn squares(&self) -> u64 {
        self.closed + self.in_window.pow(2)
    }
}

/// A window in which something was logged.
#[derive(Debug, Clone)]
pub(super) struct Window {
    number: i64,
    occasions: u64,
    /// Position of its first line.
    pub first: usize,
}

/// The counts of a template or word since the cut.
#[derive(Debug, Clone, Default)]
pub(super) struct Now {
    pub lines: usize,
    /// Lines whose level is error or worse.
    pub errors: usize,
    last: Option<Time>,
    /// In order; windows without a line are omitted.
    pub windows: Vec<Window>,
}

impl Now {
    fn add(&mut self, line: &LogLine, position: usize, window: i64) {
        self.lines += 1;
        self.errors += usize::from(line.is_error());
        let again = self.last == Some(line.time);
        self.last = Some(line.time);
        match self.windows.last_mut() {
            Some(last) if last.number == window => last.occasions += u64::from(!again),
            Some(_) | None => self.windows.push(Window { number: window, occasions: 1, first: position }),
        }
    }

    pub fn occasions(&self) -> u64 {
        self.windows.iter().map(|window| window.occasions).sum()
    }

    /// The first line of the run of windows that together have the most beyond `usual` per window: where the cumulative sum of Page
    /// ("Continuous inspection schemes", Biometrika 41, 1954) that comes to the top left the bottom.
    pub fn most_above(&self, usual: f64) -> Option<usize> {
        let (mut sum, mut best) = (0.0_f64, 0.0_f64);
        let (mut start, mut found, mut before) = (None, None, -1);
        for window in &self.windows {
            let empty = u64::try_from(window.number - before - 1).unwrap_or(0);
            sum = (sum - float(empty) * usual).max(0.0);
            if sum <= 0.0 {
                start = Some(window.first);
            }
            sum += float(window.occasions) - usual;
            before = window.number;
            if sum > best {
                (best, found) = (sum, start);
            }
        }
        found.or(self.windows.first().map(|window| window.first))
    }
}

/// One component's lines.
#[derive(Debug, Default)]
pub(super) struct LogSourceTally {
    /// Templates of the reference, and their tallies by number.
    pub known: Miner,
    pub past: Vec<Past>,
    pub of_known: Vec<Now>,
    /// Templates of later lines that no reference template covers.
    pub fresh: Miner,
    pub of_fresh: Vec<Now>,
    /// New words in lines that a known template covers. Only for lines with an error level or without a level: in ordinary lines a new
    /// word is often just the name of a new customer.
    pub words: BTreeMap<String, Now>,
}

impl LogSourceTally {
    /// The known template of a line as text.
    pub fn text_of(&self, line: &LogLine) -> String {
        let sentence = sentence(&line.text);
        self.known.covering(&tokens(&sentence)).map_or_else(String::new, |at| self.known.text(at))
    }
}

#[derive(Debug, Default)]
pub(super) struct Tallies {
    pub sources: BTreeMap<Option<ComponentId>, LogSourceTally>,
    /// Words that no reference line of any component has, each with the number of judged lines that have it; empty without a reference.
    pub unheard: BTreeMap<String, usize>,
    /// Lines from the cut on.
    pub judged: usize,
    heard: BTreeSet<String>,
}

impl Tallies {
    /// `lines` in the order of time.
    pub fn count(lines: &[LogLine], frame: &Period) -> Tallies {
        let mut tallies = Tallies::default();
        let cut = if frame.known { lines.partition_point(|line| line.time < frame.cut) } else { 0 };
        for (position, line) in lines.iter().enumerate() {
            let sentence = sentence(&line.text);
            let text = tokens(&sentence);
            if position < cut {
                tallies.reference(line, &text, frame);
            } else if line.time >= frame.cut {
                tallies.judge(line, &text, position, frame);
            }
        }
        tallies
    }

    /// The probability that the next line is of a template that no line of the reference has, by Good ("The population frequencies of
    /// species", Biometrika 40, 1953): the share of the lines that are the only one of their template. Of all components together.
    pub fn unseen(&self) -> f64 {
        let all = || self.sources.values().flat_map(|source| &source.past);
        let lines: usize = all().map(|past| past.lines).sum();
        let once = all().filter(|past| past.lines == 1).count();
        (super::reference::count(once) + 1.0) / (super::reference::count(lines) + 1.0)
    }

    fn reference(&mut self, line: &LogLine, text: &Tokens<'_>, frame: &Period) {
        let source = self.sources.entry(line.component).or_default();
        if let Some(at) = source.known.add(text) {
            let window = (frame.cut.since(line.time) - 1) / frame.window;
            if let Some(past) = slot(&mut source.past, at) {
                past.add(line.time, window);
            }
        }
        for word in told(text) {
            if self.heard.len() <= MAX_WORDS {
                self.heard.insert(word);
            }
        }
    }

    fn judge(&mut self, line: &LogLine, text: &Tokens<'_>, position: usize, frame: &Period) {
        self.judged += 1;
        let window = line.time.since(frame.cut) / frame.window;
        let listens = frame.known && self.heard.len() <= MAX_WORDS;
        let unheard: BTreeSet<String> =
            if listens { told(text).filter(|word| !self.heard.contains(word)).collect() } else { BTreeSet::new() };
        for word in &unheard {
            if self.unheard.len() < MAX_WORDS || self.unheard.contains_key(word) {
                *self.unheard.entry(word.clone()).or_default() += 1;
            }
        }
        let source = self.sources.entry(line.component).or_default();
        if let Some(at) = source.known.covering(text) {
            if let Some(now) = slot(&mut source.of_known, at) {
                now.add(line, position, window);
            }
            if line.is_error() || line.level().is_none() {
                for word in unheard.into_iter().filter(|word| self.unheard.contains_key(word)) {
                    source.words.entry(word).or_default().add(line, position, window);
                }
            }
        } else if !source.known.is_full()
            && let Some(at) = source.fresh.add(text)
            && let Some(now) = slot(&mut source.of_fresh, at)
        {
            now.add(line, position, window);
        }
    }
}

/// Templates are numbered as they are found, so their tallies are too.
fn slot<T: Default + Clone>(tallies: &mut Vec<T>, at: usize) -> Option<&mut T> {
    if tallies.len() <= at {
        tallies.resize(at + 1, T::default());
    }
    tallies.get_mut(at)
}

/// The significant words of a text, in lower case.
fn told(text: &Tokens<'_>) -> impl Iterator<Item = String> {
    text.words().filter(|word| !telling(word).is_empty()).map(str::to_lowercase)
}
