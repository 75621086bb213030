//! How well the texts of an incident match the symptoms of a case: BM25 over the lines of all cases.

use std::collections::{BTreeMap, BTreeSet};

use super::case::Case;
use super::shape::Agreement;
use super::similar::Match;
use super::words::{is_han, words};

/// Maximum number of texts of one incident that are compared. The texts of an alert storm repeat long before that.
const MAX_TEXTS: usize = 10_000;

/// A line of a case counts as seen if one text of the incident has this share of its weight. Below that, the common words are ones
/// that any two texts may share, and a hundred such matches would add up to a false similarity.
const SEEN: f64 = 0.5;

/// The same for a line with Chinese. It is cut into pairs of characters, and a paraphrase shares fewer pairs than words. With 0.4,
/// wrong cases are as rare as with a dictionary and 0.5, and right ones at least as frequent (chosen on 30 of 60 invented cases with
/// three paraphrases each; on the other 30: right 20.0% against 13.3%, wrong 0.16 per query against 0.14).
const SEEN_IN_PAIRS: f64 = 0.4;

/// The symptom texts of all cases, indexed by word.
///
/// Each alert text and log line of a case is a separate document: words that occur together in one line of the case must also occur
/// together in one text of the incident. As one bag of words, an alert storm would cover any case.
#[derive(Debug)]
pub(super) struct TextIndex {
    lines: Vec<Line>,
    /// For each word, the lines that contain it, with its BM25 weight there.
    postings: BTreeMap<String, Vec<(usize, f64)>>,
}

#[derive(Debug)]
struct Line {
    case: usize,
    /// A line of a log, else a text of an alert.
    is_log: bool,
    text: String,
    /// Each word once, in the order of the line.
    words: Vec<String>,
    /// The line's score for itself as the query: the maximum that a text can reach.
    weight: f64,
}

impl TextIndex {
    pub fn new(cases: &[Case]) -> Self {
        let mut lines = Vec::new();
        for (case, told) in cases.iter().enumerate() {
            let alerts = told.alerts.iter().map(|text| (false, text));
            for (is_log, text) in alerts.chain(told.logs.iter().map(|text| (true, text))) {
                let mut seen = BTreeSet::new();
                let words: Vec<String> = words(text).into_iter().filter(|word| seen.insert(word.clone())).collect();
                if !words.is_empty() {
                    lines.push(Line { case, is_log, text: text.clone(), words, weight: 0.0 });
                }
            }
        }
        let postings = weigh(&mut lines);
        Self { lines, postings }
    }

    /// For each case with symptom texts, the share of their weight that the texts of an incident cover. Every line counts by its own
    /// weight, so that a line of rare words counts more than one that half of the cases have. Empty if the incident has no texts.
    pub fn compare(&self, texts: &[String]) -> BTreeMap<usize, Agreement> {
        // As sets of words, so that log lines that differ only in a time or a value count once.
        let texts: BTreeSet<BTreeSet<String>> = texts
            .iter()
            .take(MAX_TEXTS)
            .map(|text| words(text).into_iter().collect())
            .filter(|set: &BTreeSet<String>| !set.is_empty())
            .collect();
        if texts.is_empty() {
            return BTreeMap::new();
        }
        let best = self.best(&texts);
        let seen = |at: usize, line: &Line| best.get(&at).filter(|(weight, _)| *weight >= line.seen() * line.weight);
        // In how many cases each text of the incident is found.
        let mut cases: BTreeMap<&BTreeSet<String>, BTreeSet<usize>> = BTreeMap::new();
        for (at, line) in self.lines.iter().enumerate() {
            if let Some((_, text)) = seen(at, line) {
                cases.entry(text).or_default().insert(line.case);
            }
        }
        let mut sums: BTreeMap<usize, (f64, f64, f64, Vec<Match>)> = BTreeMap::new();
        for (at, line) in self.lines.iter().enumerate() {
            let (shown, whole, says, matched) = sums.entry(line.case).or_default();
            *whole += line.weight;
            if let Some((weight, text)) = seen(at, line) {
                *shown += weight;
                *says += line.says() / cases.get(text).map_or(1.0, |cases| cases.iter().map(|_| 1.0).sum());
                matched.push(line.matched(text));
            }
        }
        let share = |shown: f64, whole: f64| if whole > 0.0 { (shown / whole).min(1.0) } else { 0.0 };
        let agreement = |(shown, whole, says, matched)| Agreement { share: share(shown, whole), says, matched };
        sums.into_iter().map(|(case, sums)| (case, agreement(sums))).collect()
    }

    /// For each line that shares a word, the text that covers most of it; the first one in a tie.
    fn best<'t>(&self, texts: &'t BTreeSet<BTreeSet<String>>) -> BTreeMap<usize, (f64, &'t BTreeSet<String>)> {
        let mut best: BTreeMap<usize, (f64, &BTreeSet<String>)> = BTreeMap::new();
        for text in texts {
            let mut scores: BTreeMap<usize, f64> = BTreeMap::new();
            for (line, weight) in text.iter().filter_map(|word| self.postings.get(word)).flatten() {
                *scores.entry(*line).or_default() += weight;
            }
            for (line, score) in scores {
                if best.get(&line).is_none_or(|(most, _)| score > *most) {
                    best.insert(line, (score, text));
                }
            }
        }
        best
    }
}

impl Line {
    /// How much the line says by itself: 1 for three words (eight pairs of Chinese characters), at most 2. `HighErrorRate` may be
    /// anything; an error message of a sentence hardly is.
    fn says(&self) -> f64 {
        const WORDS: f64 = 3.0;
        const PAIRS: f64 = 8.0;
        const MOST: f64 = 2.0;
        let count = self.words.iter().map(|_| 1.0).sum::<f64>();
        (count / if self.text.chars().any(is_han) { PAIRS } else { WORDS }).min(MOST)
    }

    fn seen(&self) -> f64 {
        if self.text.chars().any(is_han) { SEEN_IN_PAIRS } else { SEEN }
    }

    fn matched(&self, text: &BTreeSet<String>) -> Match {
        let all = self.words.iter().all(|word| text.contains(word));
        let shared = if all { Vec::new() } else { shared(&self.text, text) };
        let words = self.text.clone();
        if self.is_log { Match::Log { words, shared } } else { Match::Alert { words, shared } }
    }
}

/// The parts of a line that also occur in a text, each once, in the order of the line. Overlapping pairs are joined again: 数据 and
/// 据库 give 数据库.
fn shared(line: &str, text: &BTreeSet<String>) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut last = None;
    for word in words(line) {
        let found = text.contains(&word);
        match (parts.last_mut(), word.chars().next(), last) {
            (Some(part), Some(first), Some(end)) if found && first == end && is_han(first) => part.extend(word.chars().skip(1)),
            _ if found => parts.push(word.clone()),
            _ => {}
        }
        last = word.chars().last().filter(|_| found);
    }
    let mut seen = BTreeSet::new();
    parts.retain(|part| seen.insert(part.clone()));
    parts
}

/// Term frequency saturates: the second mention of a word adds half of the first, the tenth next to nothing.
const K1: f64 = 1.2;
/// How much the weight of each word shrinks in a long line.
const B: f64 = 0.75;

/// Sets the weight of each line, and returns the weight of each word in each line:
/// `idf · tf · (K1 + 1) / (tf + K1 · (1 − B + B · length / average))`, with `idf = ln(1 + (N − n + ½) / (n + ½))` for a word that
/// `n` of `N` lines have. Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), section 3.4; the
/// `1 +` keeps it positive, as in Lucene.
/// All weights are computed in advance, so that a comparison only adds.
fn weigh(lines: &mut [Line]) -> BTreeMap<String, Vec<(usize, f64)>> {
    // Sums in the same order as `best`, so that a complete match has exactly the weight of the line.
    let counts: Vec<BTreeMap<String, f64>> = lines.iter().map(|line| tally(&line.text)).collect();
    let lengths: Vec<f64> = counts.iter().map(|words| words.values().sum()).collect();
    let all = lines.iter().map(|_| 1.0).sum::<f64>();
    let average = lengths.iter().sum::<f64>() / all;
    let mut having: BTreeMap<&str, f64> = BTreeMap::new();
    counts.iter().flat_map(BTreeMap::keys).for_each(|word| *having.entry(word).or_default() += 1.0);
    let mut postings: BTreeMap<String, Vec<(usize, f64)>> = BTreeMap::new();
    for (at, ((line, words), length)) in lines.iter_mut().zip(&counts).zip(&lengths).enumerate() {
        for (word, tf) in words {
            let n = having.get(word.as_str()).copied().unwrap_or(0.0);
            let idf = (1.0 + (all - n + 0.5) / (n + 0.5)).ln();
            let weight = idf * tf * (K1 + 1.0) / (tf + K1 * (1.0 - B + B * length / average));
            line.weight += weight;
            postings.entry(word.clone()).or_default().push((at, weight));
        }
    }
    postings
}

/// How often a text has each of its words.
fn tally(text: &str) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    words(text).into_iter().for_each(|word| *counts.entry(word).or_default() += 1.0);
    counts
}
