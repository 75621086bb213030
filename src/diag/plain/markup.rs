//! Text of others within a page in Markdown: people still read what it says, and nothing in it acts.

use std::borrow::Cow;

use super::one_line;

/// What separates words, besides blanks and backticks. An address ends before these.
const BETWEEN: &str = "<>()[]{}\"',;|，。；：、！？（）《》【】“”‘’";

/// One line of text within Markdown, as text only: no HTML, link, image, heading, list or emphasis, and nobody is notified.
///
/// Addresses and mentions (`https://…`, `www.…`, `@…`) become code. GitHub and GitLab look for these after they have decoded escapes and
/// entities, but never in code. Code in backticks stays code, because nothing acts in it.
pub fn markdown(text: &str) -> Cow<'_, str> {
    let line = one_line(text);
    // Blanks before it would make it code, or hide that it begins with a mark.
    let escaped = escape(line.trim_start());
    if escaped == *line { line } else { Cow::Owned(escaped) }
}

fn escape(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let (number, mut rest) = list_number(line);
    out.push_str(number);
    if !number.is_empty() || ["[ ]", "[x]", "[X]"].iter().any(|task| line.starts_with(task)) {
        out.push('\\');
    }
    let mut before = number.chars().next_back();
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '`' => backticks(rest, &mut out),
            c if in_word(c) => word(rest, before, &mut out),
            c => {
                character(c, before, rest.chars().nth(1), &mut out);
                c.len_utf8()
            }
        };
        let (done, left) = rest.split_at(taken);
        before = done.chars().next_back();
        rest = left;
    }
    out
}

/// A number that would begin a list, and what follows it. If there is none: nothing, and the whole line.
fn list_number(line: &str) -> (&str, &str) {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let begins_list = rest.starts_with(['.', ')']) && rest.chars().nth(1).is_none_or(char::is_whitespace);
    line.split_at(if begins_list { line.len() - rest.len() } else { 0 })
}

fn in_word(c: char) -> bool {
    c != '`' && !c.is_whitespace() && !BETWEEN.contains(c)
}

/// Writes what begins with backticks, and returns its length: code as it is, but shown as backticks if it looks like HTML. What has no end
/// would swallow the text after it.
fn backticks(rest: &str, out: &mut String) -> usize {
    let inside = rest.trim_start_matches('`');
    let run = rest.len() - inside.len();
    match inside.split_once('`') {
        Some((code, after)) if run == 1 && !after.starts_with('`') => {
            if code.contains('<') {
                out.push_str(&format!("&#96;{}&#96;", escape(code)));
            } else {
                out.push_str(&format!("`{code}`"));
            }
            code.len() + 2
        }
        Some(_) | None => {
            out.push_str(&"&#96;".repeat(run));
            run
        }
    }
}

/// Writes the word at the beginning, as code if it is an address, and returns the length of what was written.
fn word(rest: &str, before: Option<char>, out: &mut String) -> usize {
    let (word, after) = rest.split_at(rest.find(|c: char| !in_word(c)).unwrap_or(rest.len()));
    let address = word.trim_end_matches(['.', ':', '!', '?']);
    if is_address(address) {
        out.push_str(&format!("`{address}`"));
        return address.len();
    }
    let mut before = before;
    let mut chars = word.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied().or_else(|| after.chars().next());
        character(c, before, next, out);
        before = Some(c);
    }
    word.len()
}

/// Whether a site would make a link of it, or notify somebody.
fn is_address(word: &str) -> bool {
    let named = |after: &str| after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    word.contains("://") || word.to_ascii_lowercase().contains("www.") || word.split('@').skip(1).any(named)
}

fn character(c: char, before: Option<char>, next: Option<char>, out: &mut String) {
    match c {
        '<' => out.push_str("&lt;"),
        '&' => out.push_str("&amp;"),
        c => {
            if acts(c, before, next) {
                out.push('\\');
            }
            out.push(c);
        }
    }
}

/// Whether a character is a mark of Markdown where it stands.
fn acts(c: char, before: Option<char>, next: Option<char>) -> bool {
    let begins = before.is_none();
    let in_a_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    match c {
        '\\' => next.is_none_or(|next| next.is_ascii_punctuation()),
        '~' => true,
        // Between blanks it emphasizes nothing.
        '*' => !(before == Some(' ') && next == Some(' ')),
        '_' => !(in_a_word(before) && in_a_word(next)),
        // `[a](b)`, `[a][b]` and `[a]: b`: without one of these, brackets are only brackets.
        '(' | '[' | ':' => before == Some(']'),
        '#' | '>' => begins,
        '-' | '+' | '=' => begins && next.is_none_or(|next| next == c || next.is_whitespace()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::markdown;

    #[test]
    fn nothing_of_others_acts() {
        for (text, expected) in [
            ("<img src=x> [a](http://b)\n# c", "&lt;img src=x> [a]\\(`http://b`) # c"),
            ("![](http://evil/y) [a][b]", "![]\\(`http://evil/y`) [a]\\[b]"),
            ("[a]: b", "[a]\\: b"),
            ("see http://evil/x?a=1&b=2. And www.evil", "see `http://evil/x?a=1&b=2`. And `www.evil`"),
            ("@ops, mail a@b.c", "`@ops`, mail `a@b.c`"),
            ("**all** _is_ ~~gone~~", "\\*\\*all\\*\\* \\_is\\_ \\~\\~gone\\~\\~"),
            ("&lt; C:\\temp \\* \\", "&amp;lt; C:\\temp \\\\\\* \\\\"),
            ("a `b and `` c", "a &#96;b and &#96;&#96; c"),
            ("`<b>` @a", "&#96;&lt;b>&#96; `@a`"),
            ("# a", "\\# a"),
            ("  > a", "\\> a"),
            ("- a", "\\- a"),
            ("1. a", "1\\. a"),
            ("[ ] a", "\\[ ] a"),
        ] {
            assert_eq!(markdown(text), expected, "{text}");
        }
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        for text in [
            "a [CAS-001] b",
            "[core] order-db 订单数据库 · redis_cluster · order-db → order-service",
            "db.cpu_usage > 90% for 3m — 97.1%, 5 * 3 @ 10:00",
            "`metrics.json`: `rate(errors_total{job=\"a\"}[5m])`",
            "12:08:48 alert cdn-north: TLSCertificateExpiry  [alerts.json#3]",
            "-5% and 1.5",
        ] {
            assert_eq!(markdown(text), text);
        }
    }
}
