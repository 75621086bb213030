//! Texts as tokens: words that a programmer wrote, and values that the program filled in.
//!
//! A value is anything with a digit (numbers, times, durations, addresses, UUIDs, most ids), a path, a URL, an email address, a long
//! run of hexadecimal letters, or quoted text. Chinese has no spaces: a run of its characters is one word, which ends at a digit, a
//! letter or a punctuation mark.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// Characters of a text that are read. The statement that logged it fits; what follows is payload or stack.
const MAX_CHARS: usize = 1_000;

/// Tokens of a text that are read: longer lists are payload too, and each token costs a comparison per template.
const MAX_TOKENS: usize = 64;

/// Maximum length of a quoted value in bytes. Longer quoted text is not a value, so its words are read. Also bounds the cost of a quote
/// that is never closed.
const MAX_QUOTED: usize = 256;

/// Letters that may be hexadecimal are an id from this length on (32 bits); shorter ones are words: `added`, `facade`.
const HEX_LETTERS: usize = 8;

/// Quotes that open, and what closes them.
const QUOTES: &[(char, char)] = &[('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’'), ('「', '」'), ('『', '』')];

/// Fields of structured lines (JSON, logfmt) that contain the message; the first one present is read.
const MESSAGE_KEYS: &[&str] = &["message", "msg", "log", "event", "error", "err"];

/// Stop words.
const EMPTY: &[&str] = &["and", "are", "for", "from", "has", "not", "that", "the", "this", "was", "with"];

/// Minimum length of a significant English word.
const MIN_LETTERS: usize = 3;

/// The placeholder for a value in a template.
pub(super) const VALUE: &str = "<*>";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// As written.
    Word(&'a str),
    Value,
}

/// A text in tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens<'a> {
    pub tokens: Vec<Token<'a>>,
    /// The text before each token, and after the last one.
    pub gaps: Vec<&'a str>,
}

impl<'a> Tokens<'a> {
    /// Its words, in order.
    pub fn words(&self) -> impl Iterator<Item = &'a str> {
        self.tokens.iter().filter_map(|token| match token {
            Token::Word(word) => Some(*word),
            Token::Value => None,
        })
    }
}

/// The sentence of a log line: the message field of a line that is a JSON object, else its first line that is not empty; at most
/// 1,000 characters.
pub fn sentence(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    if text.starts_with('{') {
        let object: BTreeMap<String, serde_json::Value> = serde_json::from_str(text).unwrap_or_default();
        let found = MESSAGE_KEYS.iter().find_map(|key| object.get(*key)?.as_str());
        if let Some(message) = found.map(first_line).filter(|message| !message.is_empty()) {
            return Cow::Owned(message.to_owned());
        }
    }
    Cow::Borrowed(first_line(text))
}

fn first_line(text: &str) -> &str {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("");
    shorten(line, MAX_CHARS)
}

/// The first `most` characters.
pub(super) fn shorten(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// The tokens of a text. Linear.
pub fn tokens(text: &str) -> Tokens<'_> {
    let mut found = Tokens::default();
    let (mut at, mut gap) = (0, 0);
    let mut before = ' ';
    while let Some(rest) = text.get(at..) {
        let Some(first) = rest.chars().next() else { break };
        if found.tokens.len() >= MAX_TOKENS {
            found.gaps.push(" …");
            return found;
        }
        let of_message = matches!(found.tokens.last(), Some(Token::Word(key)) if MESSAGE_KEYS.contains(key))
            && matches!(text.get(gap..at), Some("=" | ":"));
        let piece = if of_message { None } else { quoted(rest, first, before) };
        match piece.map(|length| (length, Token::Value)).or_else(|| word(rest, first)) {
            Some((length, token)) => {
                found.gaps.push(text.get(gap..at).unwrap_or(""));
                found.tokens.push(token);
                at += length;
                gap = at;
                before = 'x';
            }
            None => {
                at += first.len_utf8();
                before = first;
            }
        }
    }
    found.gaps.push(text.get(gap..).unwrap_or(""));
    found
}

/// The length of a quoted value, its quotes included. An apostrophe next to a letter is not a quote.
fn quoted(rest: &str, open: char, before: char) -> Option<usize> {
    let (_, close) = QUOTES.iter().find(|(quote, _)| *quote == open)?;
    if open == *close && before.is_alphanumeric() {
        return None;
    }
    let inside = rest.strip_prefix(open)?;
    let ends = inside.char_indices().take_while(|(at, _)| *at <= MAX_QUOTED).filter(|(_, c)| c == close);
    let followed = |end: usize| inside.get(end + close.len_utf8()..).and_then(|rest| rest.chars().next());
    let end = ends.map(|(end, _)| end).find(|end| open != *close || !followed(*end).is_some_and(char::is_alphanumeric))?;
    Some(open.len_utf8() + end + close.len_utf8())
}

/// The word or value that begins here, and its length; `None` for a separator.
fn word(rest: &str, first: char) -> Option<(usize, Token<'_>)> {
    if is_chinese(first) {
        let end = rest.char_indices().find(|(_, c)| !is_chinese(*c)).map_or(rest.len(), |(end, _)| end);
        return rest.get(..end).map(|run| (end, Token::Word(run)));
    }
    if !first.is_alphanumeric() && first != '/' {
        return None;
    }
    let end = rest.char_indices().find(|(_, c)| !is_inner(*c)).map_or(rest.len(), |(end, _)| end);
    let run = rest.get(..end)?;
    // `status:500` is a name and its value; `db-1:5432` and `http://` are one.
    let named = run.split_once(':').filter(|(name, value)| !value.starts_with('/') && name.chars().all(|c| c.is_alphabetic() || c == '_'));
    let run = named.map_or(run, |(name, _)| name).trim_end_matches(|c: char| !c.is_alphanumeric() && c != '/');
    (!run.is_empty()).then(|| (run.len(), if is_value(run) { Token::Value } else { Token::Word(run) }))
}

/// Whether a character continues a word that is not Chinese.
fn is_inner(c: char) -> bool {
    match c {
        ',' | ';' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | '=' | '|' | '"' | '\'' | '`' | '!' => false,
        c if c.is_ascii() => c.is_ascii_graphic(),
        c => c.is_alphanumeric() && !is_chinese(c),
    }
}

fn is_value(run: &str) -> bool {
    let path = run.starts_with('/') || run.contains("://") || run.contains('\\') || run.matches('/').count() > 1;
    let hex = run.len() >= HEX_LETTERS && run.chars().all(|c| c.is_ascii_hexdigit());
    run.chars().any(char::is_numeric) || path || hex || run.contains('@')
}

/// Han characters and kana.
fn is_chinese(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{323AF}')
}

/// The significant parts of a word, for the comparison of texts: the word in lower case, or each pair of neighboring characters of a
/// Chinese run (so that runs with a common part share something without a dictionary). Nothing for stop words and short words.
pub fn telling(word: &str) -> Vec<String> {
    let chars: Vec<char> = word.chars().collect();
    if chars.first().is_some_and(|c| is_chinese(*c)) {
        return if chars.len() < 2 { vec![word.to_owned()] } else { chars.windows(2).map(|pair| pair.iter().collect()).collect() };
    }
    let lower = word.to_lowercase();
    if chars.len() < MIN_LETTERS || EMPTY.contains(&lower.as_str()) { Vec::new() } else { vec![lower] }
}

#[cfg(test)]
mod tests {
    use super::{Token, VALUE, sentence, tokens};

    fn check(text: &str, expected: &str) {
        let line = sentence(text);
        let found = tokens(&line);
        assert_eq!(found.gaps.len(), found.tokens.len() + 1, "{text}");
        let shown: Vec<&str> = found
            .tokens
            .iter()
            .map(|token| match token {
                Token::Word(word) => *word,
                Token::Value => VALUE,
            })
            .collect();
        assert_eq!(shown.join(" "), expected, "{text}");
    }

    #[test]
    fn texts_in_tokens() {
        check("connection to 10.0.0.7:5432 refused.", "connection to <*> refused");
        check("2025-06-01T10:15:03.120Z ERROR took 12ms", "<*> ERROR took <*>");
        check("request 7d9f8b6c-1f2e-4c3d-9a8b-0123456789ab from alice@shop.test", "request <*> from <*>");
        check("read /var/log/app.log failed: no space", "read <*> failed no space");
        check("GET http://pay/charge status:500", "GET <*> status <*>");
        check("commit deadbeef added", "commit <*> added");
        check("Table 'orders' doesn't exist", "Table <*> doesn t exist");
        check("no \"such thing\" here", "no <*> here");
        check("订单123支付失败，耗时20ms", "订单 <*> 支付失败 耗时 <*>");
        check("用户“张三”登录失败", "用户 <*> 登录失败");
        check("level=error msg=\"pool is empty\" pool=7", "level error msg pool is empty pool <*>");
        check(r#"{"level":"error","msg":"disk 3 is full"}"#, "disk <*> is full");
        check(r#"{"level":"error","code":7}"#, "<*> <*> <*> <*>");
        check("\n  first line\n  at com.shop.Pay", "first line");
        check("--- ...", "");
        check("", "");
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(tokens(&"a ".repeat(1000)).tokens.len(), super::MAX_TOKENS);
        assert_eq!(sentence(&"界".repeat(5000)).chars().count(), super::MAX_CHARS);
        // A quote that is never closed is no quote.
        check(&format!("bad \" {}", "ab ".repeat(3)), "bad ab ab ab");
    }
}
