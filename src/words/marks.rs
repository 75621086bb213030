//! Punctuation: half width in English, full width in Chinese.

use super::Lang;

impl Lang {
    pub fn colon(self) -> &'static str {
        match self {
            Lang::En => ": ",
            Lang::Zh => "：",
        }
    }

    pub fn comma(self) -> &'static str {
        match self {
            Lang::En => ", ",
            Lang::Zh => "，",
        }
    }

    /// Names in a row: `a, b`, `a、b`.
    pub fn listed<S: AsRef<str>>(self, names: &[S]) -> String {
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        match self {
            Lang::En => names.join(", "),
            Lang::Zh => names.join("、"),
        }
    }

    /// In brackets, behind a word.
    pub fn bracketed(self, text: &str) -> String {
        match self {
            Lang::En => format!(" ({text})"),
            Lang::Zh => format!("（{text}）"),
        }
    }

    /// A title that somebody gave.
    pub fn quoted(self, text: &str) -> String {
        match self {
            Lang::En => format!("\"{text}\""),
            Lang::Zh => format!("“{text}”"),
        }
    }

    /// A Chinese word behind a name; a name in Latin letters keeps its distance.
    pub(super) fn behind(name: &str, word: &str) -> String {
        if name.ends_with(|c: char| c.is_ascii_alphanumeric()) { format!("{name} {word}") } else { format!("{name}{word}") }
    }
}
