//! Searches for the texts of all conditions at once: one Aho-Corasick automaton over every literal that a condition looks for. A
//! regular expression is tried only after a literal that each of its matches contains (A. V. Aho, M. J. Corasick, Efficient
//! string matching: an aid to bibliographic search, 1975).

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex_syntax::hir::{Hir, HirKind, Look};

use compile::plan::Text;

/// Finds which texts a signal contains.
#[derive(Debug, Default)]
pub(super) struct Automaton {
    search: Option<AhoCorasick>,
    /// For each literal: the needles that depend on it.
    behind: Vec<Vec<u32>>,
    needles: Vec<Needle>,
    /// Needles without a literal: tried on every text.
    always: Vec<u32>,
}

#[derive(Debug)]
struct Needle {
    text: Text,
    rest: Rest,
}

/// What is left to do once the literal was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Rest {
    /// Nothing: the literal is the whole pattern.
    Nothing,
    /// The literal must match in case, and be a whole word.
    Word(String),
    Try,
}

/// Above this many bytes of literals the automaton is made small instead of fast: a table of every state for every byte would
/// take some 300 bytes for each of them.
const MAX_FAST: usize = 100_000;

impl Automaton {
    /// `needles` in the order in which [`Automaton::find`] numbers them.
    pub fn new(needles: Vec<Text>) -> Self {
        let mut literals: Vec<String> = Vec::new();
        let mut behind: Vec<Vec<u32>> = Vec::new();
        let mut always = Vec::new();
        let mut known: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
        let mut kept = Vec::with_capacity(needles.len());
        for (number, text) in (0u32..).zip(needles) {
            let (literal, rest) = match &text {
                Text::Contains(needle) => (Some(needle.clone()), Rest::Nothing),
                Text::Matches(regex) => required(regex.as_str()),
            };
            match literal.filter(|l| !l.is_empty()) {
                Some(literal) => {
                    // The automaton ignores case; a case-sensitive pattern is checked again.
                    let at = *known.entry(literal.to_ascii_lowercase()).or_insert_with_key(|key| {
                        literals.push(key.clone());
                        behind.push(Vec::new());
                        literals.len() - 1
                    });
                    behind[at].push(number);
                }
                None => always.push(number),
            }
            kept.push(Needle { text, rest });
        }
        let kind =
            if literals.iter().map(String::len).sum::<usize>() <= MAX_FAST { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        let build = AhoCorasick::builder().kind(Some(kind)).match_kind(MatchKind::Standard).ascii_case_insensitive(true).build(&literals);
        // The builder fails only beyond 2^31 states; then every needle is tried on its own, slowly.
        let search = match build {
            Ok(search) if !literals.is_empty() => Some(search),
            Ok(_) => None,
            Err(_) => {
                always = (0u32..).take(kept.len()).collect();
                None
            }
        };
        Self { search, behind, needles: kept, always }
    }

    /// The numbers of all needles that the text contains, ascending, each once.
    pub fn find(&self, text: &str, found: &mut Vec<u32>) {
        found.clear();
        for &number in &self.always {
            if self.needles[number as usize].text.is_in(text) {
                found.push(number);
            }
        }
        if let Some(search) = &self.search {
            for hit in search.find_overlapping_iter(text) {
                for &number in &self.behind[hit.pattern().as_usize()] {
                    let needle = &self.needles[number as usize];
                    let holds = match &needle.rest {
                        Rest::Nothing => true,
                        Rest::Word(word) => text.get(hit.range()) == Some(word) && is_edge(text, hit.start()) && is_edge(text, hit.end()),
                        Rest::Try => needle.text.is_in(text),
                    };
                    if holds {
                        found.push(number);
                    }
                }
            }
        }
        if found.len() > 1 {
            found.sort_unstable();
            found.dedup();
        }
    }
}

/// Whether exactly one of the characters around a position belongs to a word.
fn is_edge(text: &str, at: usize) -> bool {
    let word = |c: Option<char>| c.is_some_and(|c| regex_syntax::try_is_word_character(c).unwrap_or(false));
    let before = text.get(..at).and_then(|t| t.chars().next_back());
    let after = text.get(at..).and_then(|t| t.chars().next());
    word(before) != word(after)
}

/// A literal that every match of a pattern contains, and what must be checked beyond it.
fn required(pattern: &str) -> (Option<String>, Rest) {
    let Ok(hir) = regex_syntax::parse(pattern) else { return (None, Rest::Try) };
    if let HirKind::Concat(parts) = hir.kind()
        && let [start, middle, end] = parts.as_slice()
        && matches!(start.kind(), HirKind::Look(Look::WordUnicode))
        && matches!(end.kind(), HirKind::Look(Look::WordUnicode))
        && let HirKind::Literal(literal) = middle.kind()
        && let Ok(text) = std::str::from_utf8(&literal.0)
    {
        return (Some(text.to_owned()), Rest::Word(text.to_owned()));
    }
    (longest(&hir), Rest::Try)
}

fn longest(hir: &Hir) -> Option<String> {
    match hir.kind() {
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0).ok().map(str::to_owned),
        HirKind::Capture(capture) => longest(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => longest(&repetition.sub),
        HirKind::Concat(parts) => parts.iter().filter_map(longest).max_by_key(String::len),
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) | HirKind::Repetition(_) | HirKind::Alternation(_) => None,
    }
}
