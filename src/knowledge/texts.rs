//! How far the texts of an incident show the symptoms that a case tells: BM25 over the lines of all cases.

use std::collections::{BTreeMap, BTreeSet};

use bm25::{EmbedderBuilder, Embedding, Scorer, TokenEmbedder, TokenEmbedding, Tokenizer};

use super::case::Case;
use super::shape::Agreement;
use super::words::words;

/// Texts of one incident that are compared, from the first. An alert storm repeats itself long before.
const MAX_TEXTS: usize = 10_000;

/// A line of a case counts as seen once one text of the incident has this share of its weight: below, what agrees are
/// words that any two texts may share, and a hundred such shreds would add up to a resemblance that is not there.
const SEEN: f64 = 0.5;

/// The symptom texts of all cases, indexed by word.
///
/// Each alert text and log line of a case is a document of its own: words that stand together in one line of the case
/// have to stand together in one text of the incident. In one bag, the words of a storm would cover any case.
#[derive(Debug)]
pub(super) struct TextIndex {
    lines: Vec<Line>,
    /// For each word the lines that have it, with its BM25 weight there.
    postings: BTreeMap<String, Vec<(usize, f64)>>,
}

#[derive(Debug)]
struct Line {
    case: usize,
    origin: &'static str,
    text: String,
    /// Each word once, in the order of the line.
    words: Vec<String>,
    /// The line's score for itself as the query: the most that any text can reach.
    weight: f64,
}

/// A word stands for itself: with the hashes that the crate would use, two words could be one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Term(String);

impl TokenEmbedder for Term {
    type EmbeddingSpace = Self;
    fn embed(token: &str) -> Self {
        Self(token.to_owned())
    }
}

struct Words;

impl Tokenizer for Words {
    fn tokenize(&self, input_text: &str) -> Vec<String> {
        words(input_text)
    }
}

impl TextIndex {
    pub fn new(cases: &[Case]) -> Self {
        let mut lines = Vec::new();
        for (case, told) in cases.iter().enumerate() {
            let alerts = told.alerts.iter().map(|text| ("alert", text));
            for (origin, text) in alerts.chain(told.logs.iter().map(|text| ("log", text))) {
                let mut seen = BTreeSet::new();
                let words: Vec<String> = words(text).into_iter().filter(|word| seen.insert(word.clone())).collect();
                if !words.is_empty() {
                    lines.push(Line { case, origin, text: text.clone(), words, weight: 0.0 });
                }
            }
        }
        let postings = weigh(&mut lines);
        Self { lines, postings }
    }

    /// For each case with symptom texts: which share of their weight the texts of an incident show. Every line counts by
    /// its own weight, so that a line of rare words says more than one that half of the cases have. Empty if the incident
    /// has no texts: then there is nothing to compare.
    pub fn compare(&self, texts: &[String]) -> BTreeMap<usize, Agreement> {
        // As sets of words, since log lines that differ only in a time or a value are one.
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
        let mut sums: BTreeMap<usize, (f64, f64, Vec<String>)> = BTreeMap::new();
        for (at, line) in self.lines.iter().enumerate() {
            let (shown, whole, matched) = sums.entry(line.case).or_default();
            *whole += line.weight;
            if let Some((weight, text)) = best.get(&at)
                && *weight >= SEEN * line.weight
            {
                *shown += weight;
                matched.push(line.describe(text));
            }
        }
        let agreement =
            |shown: f64, whole: f64, matched| Agreement { share: if whole > 0.0 { (shown / whole).min(1.0) } else { 0.0 }, matched };
        sums.into_iter().map(|(case, (shown, whole, matched))| (case, agreement(shown, whole, matched))).collect()
    }

    /// For each line that shares a word, the text that shows most of it; the first one of equals.
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
    fn describe(&self, text: &BTreeSet<String>) -> String {
        let shared: Vec<String> = self.words.iter().filter(|word| text.contains(*word)).map(|word| format!("`{word}`")).collect();
        if shared.len() == self.words.len() {
            format!("{} `{}`", self.origin, self.text)
        } else {
            format!("{} `{}` in part: {}", self.origin, self.text, shared.join(", "))
        }
    }
}

/// Sets the weight of each line, and returns the weight of each word in each line:
/// idf(word) · tf·(k1+1) / (tf + k1·(1 − b + b·length/average)), k1 = 1.2, b = 0.75 (Robertson and Zaragoza 2009).
/// All of it is known before any incident comes, so that a comparison only adds.
fn weigh(lines: &mut [Line]) -> BTreeMap<String, Vec<(usize, f64)>> {
    let corpus: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    let embedder = EmbedderBuilder::<Term, Words>::with_tokenizer_and_fit_to_corpus(Words, &corpus).build();
    let mut scorer = Scorer::<usize, Term>::new();
    for (at, text) in corpus.iter().enumerate() {
        scorer.upsert(&at, embedder.embed(text));
    }
    let mut postings: BTreeMap<String, Vec<(usize, f64)>> = BTreeMap::new();
    for (at, line) in lines.iter_mut().enumerate() {
        // In the order of `best`, word by word, so that a line shown whole has exactly its own weight.
        for word in line.words.iter().collect::<BTreeSet<_>>() {
            let query = Embedding(vec![TokenEmbedding { index: Term(word.clone()), value: 1.0 }]);
            let weight = f64::from(scorer.score(&at, &query).unwrap_or(0.0));
            line.weight += weight;
            postings.entry(word.clone()).or_default().push((at, weight));
        }
    }
    postings
}
