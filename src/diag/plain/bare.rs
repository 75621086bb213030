//! Secrets in log lines, command lines and notes: `key=value`, `--key value`, and what its form alone tells.

use std::ops::Range;

use super::secrets::{closing, hides, is_secret};

/// What tokens of known makers begin with, and how much must follow.
const MAKERS: &[(&str, usize)] = &[
    ("fst_", 16),
    // Amazon, Alibaba Cloud, Google.
    ("AKIA", 16),
    ("ASIA", 16),
    ("LTAI", 12),
    ("AIza", 30),
    // GitHub, GitLab, Slack, Vault.
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("ghu_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("hvs.", 20),
];

/// Ways to prove who one is, each followed by the proof.
const SCHEMES: &[&str] = &["bearer", "basic", "digest", "token", "negotiate"];

/// Where secrets stand in a text, see the module.
pub(super) fn bare(text: &str, found: &mut Vec<Range<usize>>) {
    assigned(text, found);
    options(text, found);
    proofs(text, found);
    makers(text, found);
    private_keys(text, found);
}

/// `password=x`, `"token" => "x"`.
fn assigned(text: &str, found: &mut Vec<Range<usize>>) {
    let mut done = 0;
    for (at, equals) in text.match_indices(['=', '＝']) {
        let (before, after) = (text.get(..at).unwrap_or(""), text.get(at + equals.len()..).unwrap_or(""));
        // A comparison is none.
        if at < done || before.ends_with(['=', '!', '<', '>', '~']) || after.starts_with("= ") {
            continue;
        }
        let key = last_word(before.trim_end_matches([' ', '\t', '"', '\'', '\\']));
        let from = at + equals.len() + usize::from(after.starts_with('>'));
        if let Some(range) = given(text, from, key) {
            done = range.end;
            found.push(range);
        }
    }
}

/// `--password x` of a command, also as a list: `"--password", "x"`.
fn options(text: &str, found: &mut Vec<Range<usize>>) {
    for (at, dashes) in text.match_indices("--") {
        let (before, after) = (text.get(..at).unwrap_or(""), text.get(at + dashes.len()..).unwrap_or(""));
        let key = after.get(..after.find(|c: char| !in_key(c)).unwrap_or(after.len())).unwrap_or("");
        let rest = after.get(key.len()..).unwrap_or("");
        let value = rest.trim_start_matches(['"', '\'', ',']).trim_start_matches([' ', '\t']);
        let is_apart = rest.get(..rest.len() - value.len()).is_some_and(|gap| gap.contains([' ', '\t', ',']));
        if before.ends_with(in_key) || !is_apart || value.starts_with('-') {
            continue;
        }
        found.extend(given(text, text.len() - value.len(), key));
    }
}

/// `Bearer x`, unless it is a word: `Bearer token expired`.
fn proofs(text: &str, found: &mut Vec<Range<usize>>) {
    let lower = text.to_ascii_lowercase();
    for scheme in ["bearer ", "basic "] {
        for (at, _) in lower.match_indices(scheme) {
            let from = at + scheme.len();
            let after = text.get(from..).unwrap_or("");
            let proof = after.get(..after.find(|c: char| !(in_token(c) || "+/=~".contains(c))).unwrap_or(after.len())).unwrap_or("");
            let is_word = !proof.chars().skip(1).any(|c| c.is_ascii_digit() || c.is_ascii_uppercase());
            if proof.len() >= 6 && !is_word && !text.get(..at).unwrap_or("").ends_with(char::is_alphanumeric) {
                found.push(from..from + proof.len());
            }
        }
    }
}

/// Tokens whose beginning tells who made them, and those of JSON (JWT).
fn makers(text: &str, found: &mut Vec<Range<usize>>) {
    let begins = |at: usize| !text.get(..at).unwrap_or("").ends_with(|c: char| c.is_ascii_alphanumeric());
    let token = |from: usize| {
        let after = text.get(from..).unwrap_or("");
        after.get(..after.find(|c: char| !in_token(c)).unwrap_or(after.len())).unwrap_or("")
    };
    for (beginning, least) in MAKERS {
        for (at, _) in text.match_indices(beginning).filter(|(at, _)| begins(*at)) {
            let from = at + beginning.len();
            let rest = token(from).split('.').next().unwrap_or("");
            if rest.len() >= *least {
                found.push(from..from + rest.len());
            }
        }
    }
    for (at, beginning) in text.match_indices("eyJ").filter(|(at, _)| begins(*at)) {
        let from = at + beginning.len();
        let rest = token(from);
        if rest.len() >= 16 && rest.matches('.').count() >= 2 {
            found.push(from..from + rest.len());
        }
    }
}

/// From `-----BEGIN … PRIVATE KEY-----` to its end, or to the end of the text.
fn private_keys(text: &str, found: &mut Vec<Range<usize>>) {
    let marker = "PRIVATE KEY-----";
    let mut done = 0;
    for (at, _) in text.match_indices(marker) {
        let from = at + marker.len();
        let line = text.get(..at).and_then(|before| before.rsplit('\n').next()).unwrap_or("");
        let is_beginning = line.rfind("-----BEGIN ").is_some_and(|begin| line.rfind("-----END ").is_none_or(|end| end < begin));
        if from >= done && is_beginning {
            done = from + text.get(from..).map_or(0, |rest| rest.find("-----END ").unwrap_or(rest.len()));
            found.push(from..done);
        }
    }
}

/// The value of a key that begins at `from` or behind the blanks there; `None` if it is not to be hidden, or names a variable.
fn given(text: &str, from: usize, key: &str) -> Option<Range<usize>> {
    if !is_secret(key) {
        return None;
    }
    let line = text.get(from..)?.lines().next().unwrap_or("");
    let value = line.trim_start_matches([' ', '\t']);
    let from = from + line.len() - value.len();
    if !hides(key, value.trim_start_matches(['\\', '"', '\''])) {
        return None;
    }
    // Of JSON within a text of JSON.
    if let Some(quoted) = value.strip_prefix("\\\"") {
        let end = quoted.find("\\\"").unwrap_or(quoted.len());
        return (!quoted.starts_with('$')).then(|| from + 2..from + 2 + end);
    }
    let range = match value.chars().next()? {
        '$' => return None,
        quote @ ('"' | '\'') => {
            let quoted = value.get(1..)?;
            (!quoted.starts_with('$')).then(|| from + 1..from + 1 + closing(quoted, quote))?
        }
        _ => from..from + written(value),
    };
    (!range.is_empty()).then_some(range)
}

/// The length of a value without quotes: a word, with the next one if it only says what comes.
fn written(value: &str) -> usize {
    let ends = |c: char| c.is_whitespace() || "\"'`".contains(c);
    let word = value.get(..value.find(ends).unwrap_or(value.len())).unwrap_or("");
    let behind = value.get(word.len()..).unwrap_or("").strip_prefix(' ').filter(|rest| !rest.is_empty());
    if let Some(rest) = behind.filter(|_| SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme))) {
        return word.len() + 1 + rest.find(ends).unwrap_or(rest.len());
    }
    // It ends before the next key: `password=a;user=b`.
    let separator = |(at, c): &(usize, char)| {
        let next = word.get(at + c.len_utf8()..).unwrap_or("");
        let key = next.find(|c: char| !in_key(c)).unwrap_or(next.len());
        ",;&|，；、".contains(*c) && key > 0 && next.get(key..).is_some_and(|rest| rest.starts_with(['=', '＝', ':', '：']))
    };
    let end = word.char_indices().find(separator).map_or(word.len(), |(at, _)| at);
    let word = word.get(..end).unwrap_or("");
    word.trim_end_matches([',', ';', '.', ')', '}', ']', '\\', '，', '；', '。', '）']).len()
}

fn last_word(text: &str) -> &str {
    text.rsplit(|c: char| !in_key(c)).next().unwrap_or("")
}

fn in_key(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn in_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

#[cfg(test)]
mod tests {
    use crate::plain::mask;

    /// One line each: a text, and below it what becomes of it.
    const CASES: &str = include_str!("secrets.txt");

    #[test]
    fn secrets_in_texts_are_hidden_and_nothing_else() {
        let lines: Vec<&str> = CASES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        assert!(lines.len() >= 90 && lines.len().is_multiple_of(2), "{}", lines.len());
        for pair in lines.chunks(2) {
            let [text, expected] = pair else { continue };
            assert_eq!(mask(text), *expected, "{text}");
        }
    }

    #[test]
    fn private_keys_are_hidden_to_their_end() {
        for (text, expected) in [
            (
                "-----BEGIN PRIVATE KEY-----\nMIIE\nvQ==\n-----END PRIVATE KEY-----\nx",
                "-----BEGIN PRIVATE KEY-----\n****\n****\n-----END PRIVATE KEY-----\nx",
            ),
            ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "-----BEGIN RSA PRIVATE KEY-----\n****"),
            ("-----BEGIN CERTIFICATE-----\nMIIE\n", "-----BEGIN CERTIFICATE-----\nMIIE\n"),
        ] {
            assert_eq!(mask(text), expected);
        }
    }
}
