//! Keeps secrets out of messages and of the quoted lines of files.
//!
//! What is hidden by mistake costs a reader little; what is shown by mistake is in a log for good. So this hides too much rather than
//! too little, and does not ask whether an address or a file is valid.

use std::ops::Range;

use super::bare::bare;

/// A key that contains one of these has a secret value.
const SECRETS: &[&str] = &[
    "authorization",
    "cookie",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "api-key",
    "api_key",
    "apikey",
    "access-key",
    "access_key",
    "accesskey",
    "private-key",
    "private_key",
];

/// A key that ends with one of these has one: Chinese has no blanks, and 令牌桶 is a way to limit rates.
const CHINESE: &[&str] = &["密码", "口令", "令牌", "密钥"];

/// What follows one of these in a URL is a secret: the webhooks of Slack and Feishu.
const SECRET_PATHS: &[&str] = &["hooks.slack.com/services/", "/open-apis/bot/v2/hook/"];

/// Whether the value under a key, or a header of this name, is a secret.
pub fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    SECRETS.iter().any(|secret| key.contains(secret)) || ends_in_chinese(&key)
}

fn ends_in_chinese(key: &str) -> bool {
    let key = key.trim_end_matches(['"', '\'', ' ']);
    CHINESE.iter().any(|secret| key.ends_with(secret))
}

/// Whether the value under a key is one to hide. A file or a number of secrets is none, nor is the folder that a shell is in.
pub(super) fn hides(key: &str, value: &str) -> bool {
    if !is_secret(key) {
        return false;
    }
    let name = key.trim_matches(['"', '\'', ' ']);
    let lower = name.to_lowercase();
    let is_file = lower.ends_with("file") || lower.ends_with("path");
    let end = value.find(|c: char| c.is_whitespace() || ",;)}]\"'".contains(c)).unwrap_or(value.len());
    let word = value.get(..end).unwrap_or("");
    let is_count = lower.ends_with('s') && !word.is_empty() && word.chars().all(|c| c.is_ascii_digit());
    let is_folder = matches!(name, "PWD" | "OLDPWD") && value.starts_with('/');
    !(is_file || is_count || is_folder)
}

/// Whether all below a key is secret, even a map: `authorization`, but not the `token-service` of a list of components.
fn is_secret_throughout(key: &str) -> bool {
    let key = key.to_lowercase();
    let key = key.trim_end_matches(['"', '\'']);
    SECRETS.iter().any(|secret| key.ends_with(secret)) || ends_in_chinese(key)
}

/// A URL without its user, password and query values: these may be secrets.
///
/// A password may contain a `/`, `?` or `#` that should have been encoded, so everything up to the last `@` counts as user and password.
/// If that `@` may be in a query value as well, neither side of it is shown.
pub fn address(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) if scheme.chars().all(in_scheme) => (scheme, rest),
        Some(_) | None => ("", url),
    };
    let shown = match rest.rsplit_once('@') {
        Some((user, _)) if user.split_once(['?', '#']).is_some_and(|(_, query)| query.contains('=')) => "…",
        Some((_, host)) => host,
        None => rest,
    };
    let shown = shown.split('#').next().unwrap_or("");
    let (path, query) = shown.split_once('?').map_or((shown, None), |(path, query)| (path, Some(query)));
    let separator = if scheme.is_empty() { "" } else { "://" };
    let query = query.map_or_else(String::new, |query| {
        let key = |pair: &str| pair.split_once('=').map_or_else(|| "…".to_owned(), |(key, _)| format!("{key}=…"));
        format!("?{}", query.split('&').map(key).collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}{separator}{path}{query}")
}

/// A text with secrets replaced by stars, so that it can be quoted and kept: user, password and query values of URLs, values under keys that
/// name a secret, and what has the form of a token or a private key. The length in bytes and all line breaks stay the same. A value that
/// starts with `$` only names a variable.
pub fn mask(text: &str) -> String {
    let mut found = Vec::new();
    urls(text, &mut found);
    logins(text, &mut found);
    values(text, &mut found);
    bare(text, &mut found);
    let mut bytes = text.as_bytes().to_vec();
    for range in found {
        for byte in bytes.get_mut(range).into_iter().flatten() {
            if !matches!(*byte, b'\n' | b'\r') {
                *byte = b'*';
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

fn in_scheme(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')
}

/// Users, passwords and query values of URLs.
fn urls(text: &str, found: &mut Vec<Range<usize>>) {
    let mut done = 0;
    for (at, separator) in text.match_indices("://") {
        let from = at + separator.len();
        // Part of the URL before, which is hidden up to its last `@` and in its query.
        if from < done {
            continue;
        }
        let before = text.get(..at).unwrap_or("").trim_end_matches(in_scheme);
        let after = text.get(from..).unwrap_or("");
        let url = after.get(..length(before, after)).unwrap_or("");
        done = from + url.len();
        if let Some(user) = url.rfind('@') {
            found.push(from..from + user);
        }
        for marker in SECRET_PATHS {
            if let Some((path, _)) = url.split_once(marker) {
                found.push(from + path.len() + marker.len()..from + url.len());
            }
        }
        if let Some((path, query)) = url.split_once('?') {
            let mut start = from + path.len() + 1;
            for pair in query.split('&') {
                let key = pair.find('=').map_or(0, |equals| equals + 1);
                found.push(start + key..start + pair.len());
                start += pair.len() + 1;
            }
        }
    }
}

/// The length of what follows the scheme of a URL: `before` ends where the scheme begins, `after` begins behind it.
fn length(before: &str, after: &str) -> usize {
    if let Some(quote @ ('"' | '\'')) = before.chars().next_back() {
        return closing(after, quote);
    }
    let line = after.split('\n').next().unwrap_or("");
    // An unquoted value of YAML may contain blanks and quotes. It ends before the next value, a comment or the end of the line.
    let is_value = before.trim_end_matches([' ', '\t']).chars().next_back().is_none_or(|c| ":-[{,\n".contains(c));
    if is_value {
        let ends = [line.find(", "), line.find(" #")];
        return ends.into_iter().flatten().min().unwrap_or(line.len());
    }
    line.find(|c: char| c.is_whitespace() || "\"'`".contains(c)).unwrap_or(line.len())
}

/// `user:password@` without a `://` before it, as in `http:/user:password@host`.
fn logins(text: &str, found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    for word in text.split_inclusive(|c: char| c.is_whitespace() || "\"'`".contains(c)) {
        if let Some((login, _)) = word.rsplit_once('@')
            && login.contains(':')
            && !login.contains("://")
        {
            let opening = login.len() - login.trim_start_matches(['{', '[', '(']).len();
            found.push(at + opening..at + login.len());
        }
        at += word.len();
    }
}

/// Where a key is written, which tells where its value ends.
#[derive(Clone, Copy)]
enum Inside {
    /// A text in double quotes.
    Text,
    /// Brackets that were opened on the same line.
    Brackets,
    /// Anything else. The lines below that are indented more than `column` belong to the key.
    Block { column: usize },
}

/// Values under keys that name a secret.
fn values(text: &str, found: &mut Vec<Range<usize>>) {
    let (mut start, mut done) = (0, 0);
    for line in text.split_inclusive('\n') {
        let (mut seen, mut brackets, mut quotes) = (0, 0_usize, 0_usize);
        for (at, colon) in line.match_indices([':', '：']) {
            for c in line.get(seen..at).unwrap_or("").chars() {
                match c {
                    '{' | '[' => brackets += 1,
                    '}' | ']' => brackets = brackets.saturating_sub(1),
                    '"' => quotes += 1,
                    _ => {}
                }
            }
            seen = at;
            let from = start + at + colon.len();
            let before = line.get(..at).unwrap_or("");
            let key = before.rsplit(['{', ',', ' ']).find(|part| !part.is_empty()).unwrap_or("");
            // Not the port of `http://token-service:8080`.
            if from < done || !hides(key, text.get(from..).unwrap_or("").trim_start_matches([' ', '\t'])) || key.contains("://") {
                continue;
            }
            let inside = if quotes % 2 == 1 {
                Inside::Text
            } else if brackets > 0 {
                Inside::Brackets
            } else {
                Inside::Block { column: column(before) }
            };
            if let Some(range) = value(text.get(from..).unwrap_or(""), inside, is_secret_throughout(key)) {
                done = from + range.end;
                found.push(from + range.start..done);
            }
        }
        start += line.len();
    }
}

/// The column of the first key on a line. What stands in a comment has no lines below it.
fn column(before: &str) -> usize {
    if before.contains('#') { usize::MAX } else { before.len() - before.trim_start_matches([' ', '\t', '-', '?']).len() }
}

/// The value at the beginning of what follows a key, to the end of the file. `None` for the name of a variable, and for a map unless
/// `throughout`: its keys are looked at one by one.
fn value(after: &str, inside: Inside, throughout: bool) -> Option<Range<usize>> {
    let text = match inside {
        Inside::Brackets => after.trim_start(),
        Inside::Text | Inside::Block { .. } => after.trim_start_matches([' ', '\t']),
    };
    let start = after.len() - text.len();
    if matches!(inside, Inside::Text) {
        let end = closing(text.lines().next().unwrap_or(""), '"');
        return (!text.starts_with('$')).then_some(start..start + end);
    }
    let bare = without_properties(text);
    let content = after.len() - bare.len();
    match bare.chars().next() {
        Some('$') => None,
        Some('{') if !throughout => None,
        Some('{' | '[') => Some(content..content + bracketed(bare)),
        Some(quote @ ('"' | '\'')) => {
            let quoted = bare.get(1..).unwrap_or("");
            (!quoted.starts_with('$')).then(|| content + 1..content + 1 + closing(quoted, quote))
        }
        Some(_) | None => Some(match inside {
            Inside::Text | Inside::Brackets => start..start + until_separator(text),
            Inside::Block { column } => block(after, start, bare, column, throughout),
        }),
    }
}

/// Without the tags and anchors of YAML before a value: `!!str`, `&name`.
fn without_properties(text: &str) -> &str {
    let mut text = text;
    while text.starts_with(['!', '&']) {
        text = text.trim_start_matches(|c: char| !c.is_whitespace()).trim_start_matches([' ', '\t']);
    }
    text
}

/// A value without quotes or brackets around it: the rest of the line and the lines below that belong to it, or those lines alone.
fn block(after: &str, start: usize, bare: &str, column: usize, throughout: bool) -> Range<usize> {
    let line = after.split_inclusive('\n').next().unwrap_or("").len();
    let below = after.get(line..).unwrap_or("");
    let written = bare.lines().next().unwrap_or("").trim();
    if is_block_header(written) {
        return line..line + lines(below, |indent, _| indent > column);
    }
    let more = if written.is_empty() || written.starts_with('#') {
        nested(below, column, throughout)
    } else {
        lines(below, |indent, _| indent > column)
    };
    start..line + more
}

/// `|` or `>`, with what may follow them: the text is in the lines below.
fn is_block_header(written: &str) -> bool {
    let rest = written.trim_start_matches(|c: char| "|>+-".contains(c) || c.is_ascii_digit()).trim_start();
    written.starts_with(['|', '>']) && (rest.is_empty() || rest.starts_with('#'))
}

/// The length of a value that begins below its key: a text or a list. 0 if it is a map, unless `throughout`, or names a variable.
fn nested(below: &str, column: usize, throughout: bool) -> usize {
    let Some(line) = below.lines().find(|line| !matches!(line.trim_start().chars().next(), None | Some('#'))) else { return 0 };
    let written = line.trim();
    let indent = line.len() - line.trim_start().len();
    // The items of a list may be as far to the left as its key.
    let is_list = written == "-" || written.starts_with("- ");
    let item = written.trim_start_matches(['-', ' ']);
    let is_map = item.starts_with('{') || is_entry(item);
    if (is_map && !throughout) || (written.starts_with('$') && !is_list) {
        return 0;
    }
    lines(below, |at, text| at > column || (is_list && indent == column && at == column && text.starts_with('-')))
}

/// Whether a line is a key of a map, with or without its value.
fn is_entry(text: &str) -> bool {
    let text = text.split(" #").next().unwrap_or("").trim_end();
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let quoted = text.get(1..).unwrap_or("");
            quoted.get(closing(quoted, quote) + 1..).is_some_and(|rest| rest.trim_start().starts_with(':'))
        }
        Some(_) | None => text.contains(": ") || text.ends_with(':'),
    }
}

/// The length of the first lines that are blank or belong, as their indentation and their text tell.
fn lines(text: &str, belongs: impl Fn(usize, &str) -> bool) -> usize {
    let taken = |line: &&str| {
        let written = line.trim_start();
        written.is_empty() || belongs(line.len() - written.len(), written)
    };
    text.split_inclusive('\n').take_while(taken).map(str::len).sum()
}

/// Where a quoted text ends that begins behind its opening quote; without a closing quote, at the end.
pub(super) fn closing(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let escapes = match c {
            '\\' => quote == '"',
            '\'' => quote == '\'' && chars.peek().is_some_and(|(_, next)| *next == '\''),
            _ => false,
        };
        if escapes {
            chars.next();
        } else if c == quote {
            return at;
        }
    }
    text.len()
}

/// The length of a list or map in brackets, with them; without a closing bracket, of the whole text.
fn bracketed(text: &str) -> usize {
    let (mut at, mut depth, mut last) = (0, 0_usize, ',');
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        at += c.len_utf8();
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            // Elsewhere it is an apostrophe.
            '"' | '\'' if "[{,:".contains(last) => at += closing(text.get(at..).unwrap_or(""), c) + 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
        if !c.is_whitespace() {
            last = c;
        }
    }
    text.len()
}

/// The length of a value within brackets that has none of its own, and no quotes.
fn until_separator(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let ends = match c {
            '}' | ']' => true,
            // A comma within a value should have been quoted.
            ',' => chars.peek().is_none_or(|(_, next)| next.is_whitespace() || "\"'".contains(*next)),
            _ => false,
        };
        if ends {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::{address, mask};

    #[test]
    fn quoted_lines_keep_their_secrets() {
        for (line, expected) in [
            ("url: http://user:pw@host/a", "url: http://*******@host/a"),
            ("  - {url: 'http://a:b@c', x: 1}\n", "  - {url: 'http://***@c', x: 1}\n"),
            ("headers: {authorization: Bearer abc, x: 1}", "headers: {authorization: **********, x: 1}"),
            ("  x-api-key: \"密钥\"\n", "  x-api-key: \"******\"\n"),
            ("  authorization: $TOKEN\n", "  authorization: $TOKEN\n"),
            ("{authorization: \"$TOKEN\"}", "{authorization: \"$TOKEN\"}"),
            ("TOP-001 \"a: b\" { if x > 1 }", "TOP-001 \"a: b\" { if x > 1 }"),
            ("mail: bob@example.com", "mail: bob@example.com"),
            ("url: http://token-service:8080/a", "url: http://token-service:8080/a"),
            ("{id: token-service, type: service}", "{id: token-service, type: service}"),
            ("token-service: {type: service}", "token-service: {type: service}"),
        ] {
            assert_eq!(mask(line), expected);
        }
    }

    #[test]
    fn addresses_in_quoted_lines_keep_their_secrets() {
        for (line, expected) in [
            ("{url: 'http://h/x?token=ab&y=c', z: 1}", "{url: 'http://h/x?token=**&y=*', z: 1}"),
            ("url: http://h/x?ab # c", "url: http://h/x?** # c"),
            ("url: https://hooks.slack.com/services/T/B/x", "url: https://hooks.slack.com/services/*****"),
            ("url: https://open.feishu.cn/open-apis/bot/v2/hook/ab-c # d", "url: https://open.feishu.cn/open-apis/bot/v2/hook/**** # d"),
            ("url: http://h/x?a=b@c", "url: http://*********"),
            ("url: 'http://u:a/b@h/x'", "url: 'http://*****@h/x'"),
            ("url: \"http://u:a?b@h\"", "url: \"http://*******\""),
            ("url: http://u:a#b@h/x", "url: http://*****@h/x"),
            ("url: http://u:a \"b@h/x", "url: http://******@h/x"),
            ("url: 'http://u:it''s@h/x'", "url: 'http://*******@h/x'"),
            ("url: \"http://u:a\n  b@h/x\"", "url: \"http://***\n***@h/x\""),
            ("url: 'http:/u:ab@h'", "url: '**********@h'"),
            ("[u:ab@h]", "[****@h]"),
            ("note \"see http://h/x\" by bob@h", "note \"see http://h/x\" by bob@h"),
            ("[{url: http://h/a}, {owner: bob@h}]", "[{url: http://h/a}, {owner: bob@h}]"),
        ] {
            assert_eq!(mask(line), expected);
        }
    }

    #[test]
    fn values_on_several_lines_are_hidden() {
        for (text, expected) in [
            ("  token: |\n    ab\n\n    c\n  x: y\n", "  token: |\n******\n\n*****\n  x: y\n"),
            ("- token: >-  # d\n    ab\n  x: y\n", "- token: >-  # d\n******\n  x: y\n"),
            ("token: !!str |2\n  ab\r\nx: y", "token: !!str |2\n****\r\nx: y"),
            ("token: a\n  b\nx: y\n", "token: *\n***\nx: y\n"),
            ("token:\n  ab\nx: y\n", "token:\n****\nx: y\n"),
            ("token:\n- a\n- b\nx: y\n", "token:\n***\n***\nx: y\n"),
            ("tokens:\n  x: ab\n", "tokens:\n  x: ab\n"),
            ("token:\n  x: ab\ny: z\n", "token:\n*******\ny: z\n"),
            ("{token: [a, \"]b\", {c: d}], x: y}", "{token: *****************, x: y}"),
            ("{token: {a: b}, x: y}", "{token: ******, x: y}"),
            ("token: [\n  it's,\n]\nx: y", "token: *\n*******\n*\nx: y"),
            ("{\"token\":\"a,\\\"b\",\"x\":1}", "{\"token\":\"*****\",\"x\":1}"),
            ("token: a, b # c\n", "token: ********\n"),
            ("[\"Token: ab\", c]", "[\"Token: **\", c]"),
            ("a: 1 # token: b\n  c: 2\n", "a: 1 # token: *\n  c: 2\n"),
        ] {
            assert_eq!(mask(text), expected);
        }
    }

    #[test]
    fn places_stay_where_they_are() {
        let parts = ["token: ", "http://", "é@", "[", "{", "\"", "'", "?", "=", "|", "\n", "  ", "- ", "$", ",", "#", "\\", "密", ":", "]"];
        for first in parts {
            for second in parts {
                for third in parts {
                    let text = format!("token: {first}{second}{third}a\n  b: http://{second}{first}{third}");
                    let masked = mask(&text);
                    assert_eq!(masked.len(), text.len(), "{text}");
                    let breaks = |text: &str| text.match_indices('\n').map(|(at, _)| at).collect::<Vec<_>>();
                    assert_eq!(breaks(&masked), breaks(&text), "{text}");
                }
            }
        }
    }

    #[test]
    fn addresses_keep_their_secrets() {
        for (url, expected) in [
            ("http://prometheus:9090", "http://prometheus:9090"),
            ("http://user:pw@host:9090/a", "http://host:9090/a"),
            ("https://user:p@w@host/a?token=abc&x=1#f", "https://host/a?token=…&x=…"),
            ("https://host/a?abc", "https://host/a?…"),
            ("host:9090/x", "host:9090/x"),
            ("user:pw@host", "host"),
            ("http://user:p/w@host/a", "http://host/a"),
            ("http://user:p?w@host/a", "http://host/a"),
            ("http://user:p#w@host/a", "http://host/a"),
            ("ftp://bob:hun/ter2@host/a", "ftp://host/a"),
            ("http:/user:pw@host/a", "host/a"),
            ("http:/user:p://w@host/a", "host/a"),
            ("http://host/?token=ab@cd", "http://…"),
        ] {
            assert_eq!(address(url), expected);
        }
    }
}
