//! Escapes text from monitored systems before a terminal, chat or browser shows it.
//!
//! Alert names, log lines, ids and file names are untrusted. Unescaped, they could move the cursor, change the window title, forge a
//! line of the report, reverse text, or inject HTML. [`visible`] applies to all output; [`one_line`] and [`markdown`] apply where a
//! report puts such text on a line.

use std::borrow::Cow;

/// Escapes control characters, and those that change the direction of text, as `\u001b`; keeps newlines and tabs. In JSON this is an
/// escape of the same character.
pub fn visible(text: &str) -> Cow<'_, str> {
    replaced(text, |c| if is_harmful(c) { Some(format!("\\u{:04x}", u32::from(c))) } else { None })
}

/// The same, with a space for each line break: a line stays one line.
pub fn one_line(text: &str) -> Cow<'_, str> {
    replaced(text, |c| match c {
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{2028}' | '\u{2029}' => Some(" ".to_owned()),
        c if is_harmful(c) => Some(format!("\\u{:04x}", u32::from(c))),
        _ => None,
    })
}

/// One line of text within Markdown: any HTML, link or image in it is disabled.
pub fn markdown(text: &str) -> Cow<'_, str> {
    let line = one_line(text);
    if !line.contains(['<', '&']) && !line.contains("](") {
        return line;
    }
    Cow::Owned(line.replace('&', "&amp;").replace('<', "&lt;").replace("](", "]\\("))
}

/// A URL without its user, password and query values: these may be secrets.
pub fn address(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let path = path.split('#').next().unwrap_or("");
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let separator = if scheme.is_empty() { "" } else { "://" };
    let query = query.map_or_else(String::new, |query| {
        let keys: Vec<String> = query.split('&').map(|pair| format!("{}=…", pair.split('=').next().unwrap_or(""))).collect();
        format!("?{}", keys.join("&"))
    });
    format!("{scheme}{separator}{host}{path}{query}")
}

/// A key that contains one of these has a secret value.
const SECRETS: &[&str] = &["authorization", "cookie", "password", "passwd", "secret", "token", "api-key", "api_key", "apikey"];

/// Whether the value under a key, or a header of this name, is a secret.
pub fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    SECRETS.iter().any(|secret| key.contains(secret))
}

/// The text of a file with secrets replaced by stars, so that its lines can be quoted: user and password of URLs, and values under
/// keys that name a secret. The length in bytes stays the same. A value that starts with `$` only names a variable.
pub(super) fn mask(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        for (from, to) in secrets(line) {
            if let Some(part) = bytes.get_mut(start + from..start + to) {
                part.fill(b'*');
            }
        }
        start += line.len();
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// The positions of secrets in a line.
fn secrets(line: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("://") {
        let from = at + 3;
        let rest = line.get(from..).unwrap_or("");
        let end = rest.find(|c: char| c.is_whitespace() || "/?#\"'`,}]".contains(c)).unwrap_or(rest.len());
        if let Some(user) = rest.get(..end).and_then(|authority| authority.rfind('@')) {
            found.push((from, from + user));
        }
    }
    for (at, _) in line.match_indices(':') {
        let key = line.get(..at).unwrap_or("").rsplit(['{', ',', ' ']).find(|part| !part.is_empty()).unwrap_or("");
        if !is_secret(key) {
            continue;
        }
        let rest = line.get(at + 1..).unwrap_or("");
        let value = rest.trim_start_matches([' ', '"', '\'']);
        let from = at + 1 + rest.len() - value.len();
        let end = value.find(['"', '\'', '}', ',', '#', '\n', '\r']).unwrap_or(value.len());
        if end > 0 && !value.starts_with(['$', '{', '[']) {
            found.push((from, from + end));
        }
    }
    found
}

fn is_harmful(c: char) -> bool {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}');
    (c.is_control() && c != '\n' && c != '\t') || turns
}

fn replaced(text: &str, replacement: impl Fn(char) -> Option<String>) -> Cow<'_, str> {
    let Some(first) = text.char_indices().find(|(_, c)| replacement(*c).is_some()).map(|(at, _)| at) else { return Cow::Borrowed(text) };
    let (clean, rest) = text.split_at(first);
    let mut out = clean.to_owned();
    for c in rest.chars() {
        match replacement(c) {
            Some(other) => out.push_str(&other),
            None => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::{address, markdown, mask, one_line, visible};

    #[test]
    fn what_could_act_is_shown() {
        for (text, expected) in [
            ("plain 数据库 é\tx\n", "plain 数据库 é\tx\n"),
            ("\x1b]0;owned\x07", "\\u001b]0;owned\\u0007"),
            ("\x1b[2J", "\\u001b[2J"),
            ("a\rb", "a\\u000db"),
            ("\u{9b}31m", "\\u009b31m"),
            ("txt\u{202e}exe", "txt\\u202eexe"),
        ] {
            assert_eq!(visible(text), expected);
        }
        assert_eq!(one_line("a\r\nb\u{2028}c\x08"), "a  b c\\u0008");
        assert_eq!(markdown("<img src=x> [a](http://b)\n# c"), "&lt;img src=x> [a]\\(http://b) # c");
        assert_eq!(markdown("a [CAS-001] b"), "a [CAS-001] b");
    }

    #[test]
    fn quoted_lines_keep_their_secrets() {
        for (line, expected) in [
            ("url: http://user:pw@host/a", "url: http://*******@host/a"),
            ("  - {url: 'http://a:b@c', x: 1}\n", "  - {url: 'http://***@c', x: 1}\n"),
            ("headers: {authorization: Bearer abc, x: 1}", "headers: {authorization: **********, x: 1}"),
            ("  x-api-key: \"密钥\"\n", "  x-api-key: \"******\"\n"),
            ("  authorization: $TOKEN\n", "  authorization: $TOKEN\n"),
            ("TOP-001 \"a: b\" { if x > 1 }", "TOP-001 \"a: b\" { if x > 1 }"),
        ] {
            assert_eq!(mask(line), expected);
        }
    }

    #[test]
    fn addresses_keep_their_secrets() {
        for (url, expected) in [
            ("http://prometheus:9090", "http://prometheus:9090"),
            ("http://user:pw@host:9090/a", "http://host:9090/a"),
            ("https://user:p@w@host/a?token=abc&x=1#f", "https://host/a?token=…&x=…"),
            ("host:9090/x@y", "host:9090/x@y"),
            ("user:pw@host", "host"),
        ] {
            assert_eq!(address(url), expected);
        }
    }
}
