//! Escapes text from monitored systems before a terminal, chat or browser shows it.
//!
//! Alert names, log lines, ids and file names are untrusted. Unescaped, they could move the cursor, change the window title, forge a
//! line of the report, reverse text, or inject HTML. [`visible`] applies to all output; [`one_line`] and [`markdown`] apply where a
//! report puts such text on a line.

mod bare;
mod markup;
mod secrets;

use std::borrow::Cow;

pub use markup::markdown;
pub use secrets::{address, is_secret, mask};

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

/// One line of text as the label of a drawing (Mermaid), where `<` would begin HTML, a backtick Markdown, and `#` an entity.
pub fn diagram(text: &str) -> Cow<'_, str> {
    replaced(&one_line(text), |c| match c {
        '#' => Some("#35;".to_owned()),
        '`' => Some("#96;".to_owned()),
        '"' => Some("#quot;".to_owned()),
        '<' => Some("#lt;".to_owned()),
        '>' => Some("#gt;".to_owned()),
        '&' => Some("#amp;".to_owned()),
        _ => None,
    })
    .into_owned()
    .into()
}

/// A source text for quoting: the characters that could act as others of the same length, so that positions stay.
pub(super) fn quotable(text: &str) -> String {
    text.chars()
        .map(|c| match (is_harmful(c), c.len_utf8()) {
            (true, 2) => '·',
            (true, 3) => '\u{fffd}',
            (true | false, _) => c,
        })
        .collect()
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
    use super::{diagram, one_line, quotable, visible};

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
        assert_eq!(diagram("a\n<b> \"c\" #1 & `d`"), "a #lt;b#gt; #quot;c#quot; #35;1 #amp; #96;d#96;");
        for text in ["\u{9b}31m", "txt\u{202e}exe"] {
            assert_eq!((quotable(text).len(), quotable(text).contains(['\u{9b}', '\u{202e}'])), (text.len(), false));
        }
    }
}
