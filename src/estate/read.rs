//! What the files of an estate need of a reader: words with their places, choices, units.

use crate::diag::{Code, Diagnostic, Place};
use crate::value::Unit;
use crate::value::fields::{Reader, items, listed, suggestion};
use crate::value::yaml::{Key, Node, Value};

/// A text with the place where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub text: String,
    pub place: Place,
}

impl Reader<'_> {
    /// The entries of a map; nothing at all (`types:` alone) is an empty one.
    pub(super) fn map<'n>(&mut self, node: &'n Node, what: &str) -> &'n [(Key, Node)] {
        match &node.value {
            Value::Map(entries) => entries.as_slice(),
            Value::Null => &[],
            Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) => {
                self.wrong_kind(node, what, "a map");
                &[]
            }
        }
    }

    /// The items of a list; nothing at all is an empty one.
    pub(super) fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.value {
            Value::List(items) => items.as_slice(),
            Value::Null => &[],
            Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Map(_) => {
                self.wrong_kind(node, what, "a list");
                &[]
            }
        }
    }

    /// A text. Numbers and truth values are taken as they are written, so that an id like `42` or `007` needs no quotes.
    pub(super) fn word(&mut self, node: &Node, what: &str) -> Option<Word> {
        let Some(text) = self.as_written(node) else {
            self.wrong_kind(node, what, "a text");
            return None;
        };
        if text.trim().is_empty() {
            self.report(Diagnostic::error(Code::WRONG_KIND, node.place, format!("{what} must not be empty")));
            return None;
        }
        Some(Word { text, place: node.place })
    }

    /// One text, or a list of them.
    pub(super) fn words(&mut self, node: &Node, what: &str) -> Vec<Word> {
        items(node).iter().filter_map(|item| self.word(item, what)).collect()
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&mut self, node: &Node, what: &str, options: &[(&str, T)]) -> Option<T> {
        let word = self.word(node, what)?;
        let found = options.iter().find(|(name, _)| *name == word.text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = options.iter().map(|(name, _)| *name).collect();
            let help = suggestion(&word.text, names.iter().copied()).unwrap_or_else(|| format!("one of {}", listed(&names)));
            let message = format!("{what} cannot be `{}`", word.text);
            self.report(Diagnostic::error(Code::WRONG_KIND, word.place, message).help(help));
        }
        found
    }

    pub(super) fn unit(&mut self, node: &Node) -> Option<Unit> {
        let word = self.word(node, "a unit")?;
        let unit = Unit::parse(&word.text);
        if unit.is_none() {
            let help =
                suggestion(&word.text, Unit::names()).unwrap_or_else(|| "units are like `%`, `ms`, `GiB`, `/min`, `count`".to_owned());
            self.report(Diagnostic::error(Code::BAD_UNIT, word.place, format!("`{}` is no unit", word.text)).help(help));
        }
        unit
    }
}
