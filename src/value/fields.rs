//! Reads a YAML tree into typed data. Reports every error with its place and continues.

use diag::{Code, Diagnostic, Place, Sources, Text, suggestion, text};

use super::Unit;
use super::yaml::{Key, Node, Value};

/// Collects the errors of files that are read together.
pub struct Reader<'s> {
    sources: &'s Sources,
    pub diagnostics: Vec<Diagnostic>,
}

/// A text with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    pub place: Place,
}

/// A map whose keys have been checked.
pub struct Fields<'n> {
    pub place: Place,
    /// What the map describes, for messages: `a component`.
    pub what: &'static str,
    pub entries: &'n [(Key, Node)],
}

impl<'n> Fields<'n> {
    /// A key without a value (`name:`) counts as absent.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        let (_, node) = self.entries.iter().find(|(k, _)| k.name == key)?;
        if matches!(node.value, Value::Null) { None } else { Some(node) }
    }
}

impl<'s> Reader<'s> {
    pub fn new(sources: &'s Sources) -> Self {
        Self { sources, diagnostics: Vec::new() }
    }

    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// A secret, in a file that many people can read.
    pub fn in_the_open(&mut self, place: Place, key: &str) {
        let help = text!("write `env:NAME` for an environment variable, or `file:PATH` for the first line of a file");
        self.report(Diagnostic::error(Code::SECRET, place, text!("`{}` is a secret and must not be in this file", key)).help(help));
    }

    pub fn wrong_kind(&mut self, node: &Node, what: impl Into<Text>, wanted: &'static str) {
        let (what, wanted): (Text, Text) = (what.into(), wanted.into());
        let message = text!("{} must be {}, not {}", what, wanted, node.kind());
        self.report(Diagnostic::error(Code::WRONG_KIND, node.place, message).label(text!("expected {}", wanted)));
    }

    /// A map whose keys should all come from `known` (empty: any key); others are reported and ignored. `None` if the node is not a map.
    pub fn fields<'n>(&mut self, node: &'n Node, what: &'static str, known: &[&str]) -> Option<Fields<'n>> {
        let Value::Map(entries) = &node.value else {
            self.wrong_kind(node, what, "a map");
            return None;
        };
        for (key, _) in entries.iter().filter(|(key, _)| !known.is_empty() && !known.contains(&key.name.as_str())) {
            let message = text!("{} has no key `{}`", Text::from(what), key.name);
            let help = suggestion(&key.name, known.iter().copied()).unwrap_or_else(|| text!("valid keys: {}", listed(known)));
            self.report(Diagnostic::error(Code::UNKNOWN_KEY, key.place, message).label("unknown key").help(help));
        }
        Some(Fields { place: node.place, what, entries })
    }

    pub fn required<'n>(&mut self, fields: &Fields<'n>, key: &str) -> Option<&'n Node> {
        let node = fields.get(key);
        if node.is_none() {
            self.report(missing(fields, key));
        }
        node
    }

    /// The text of a scalar. A number is taken from the file, since its value has lost how it was written: an id like `007` needs
    /// no quotes.
    pub fn as_written(&self, node: &Node) -> Option<String> {
        let written = self.sources.slice(node.place).trim();
        match node.value {
            Value::Number(_) if written.parse::<f64>().is_ok() => Some(written.to_owned()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => node.scalar(),
        }
    }

    /// A text that is not empty, trimmed.
    pub fn text(&mut self, node: &Node, what: impl Into<Text>) -> Option<String> {
        let what: Text = what.into();
        let Some(text) = self.as_written(node) else {
            self.wrong_kind(node, what, "text");
            return None;
        };
        let text = text.trim();
        if text.is_empty() {
            self.report(Diagnostic::error(Code::WRONG_KIND, node.place, text!("{} must not be empty", what)).label("empty"));
            return None;
        }
        Some(text.to_owned())
    }

    /// One text, or a list of them. An item that is not a text is reported and skipped.
    pub fn texts(&mut self, node: &Node, what: impl Into<Text>) -> Vec<String> {
        let what: Text = what.into();
        items(node).iter().filter_map(|item| self.text(item, what.clone())).collect()
    }

    /// The entries of a map. A key without a value (`types:` alone) counts as an empty map.
    pub fn map<'n>(&mut self, node: &'n Node, what: impl Into<Text>) -> &'n [(Key, Node)] {
        match &node.value {
            Value::Map(entries) => entries.as_slice(),
            Value::Null => &[],
            Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) => {
                self.wrong_kind(node, what, "a map");
                &[]
            }
        }
    }

    /// The items of a list. A key without a value counts as an empty list.
    pub fn list<'n>(&mut self, node: &'n Node, what: impl Into<Text>) -> &'n [Node] {
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
    pub fn word(&mut self, node: &Node, what: impl Into<Text>) -> Option<Word> {
        let what: Text = what.into();
        let Some(text) = self.as_written(node) else {
            self.wrong_kind(node, what, "text");
            return None;
        };
        if text.trim().is_empty() {
            self.report(Diagnostic::error(Code::WRONG_KIND, node.place, text!("{} must not be empty", what)));
            return None;
        }
        Some(Word { text, place: node.place })
    }

    /// One text, or a list of them.
    pub fn words(&mut self, node: &Node, what: impl Into<Text>) -> Vec<Word> {
        let what: Text = what.into();
        items(node).iter().filter_map(|item| self.word(item, what.clone())).collect()
    }

    /// One of several fixed words.
    pub fn choice<T: Copy>(&mut self, node: &Node, what: impl Into<Text>, options: &[(&str, T)]) -> Option<T> {
        let what: Text = what.into();
        let word = self.word(node, what.clone())?;
        let found = options.iter().find(|(name, _)| *name == word.text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = options.iter().map(|(name, _)| *name).collect();
            let help = suggestion(&word.text, names.iter().copied()).unwrap_or_else(|| text!("use one of {}", listed(&names)));
            let message = text!("{} cannot be `{}`", what, word.text);
            self.report(Diagnostic::error(Code::WRONG_KIND, word.place, message).help(help));
        }
        found
    }

    pub fn unit(&mut self, node: &Node) -> Option<Unit> {
        let word = self.word(node, "a unit")?;
        let unit = Unit::parse(&word.text);
        if unit.is_none() {
            let help = suggestion(&word.text, Unit::names()).unwrap_or_else(|| text!("use a unit like `%`, `ms`, `GiB`, `/min`, `count`"));
            self.report(Diagnostic::error(Code::BAD_UNIT, word.place, text!("unknown unit `{}`", word.text)).help(help));
        }
        unit
    }

    /// The text under a required key.
    pub fn needed(&mut self, fields: &Fields<'_>, key: &str) -> Option<String> {
        if fields.get(key).is_none() {
            // The key is there, only its value is missing: say so in the help.
            let written = fields.entries.iter().any(|(k, _)| k.name == key);
            let missing = missing(fields, key);
            self.report(if written { missing.help(text!("give `{}` a value", key)) } else { missing });
        }
        self.optional(fields, key)
    }

    /// The text under an optional key.
    pub fn optional(&mut self, fields: &Fields<'_>, key: &str) -> Option<String> {
        self.text(fields.get(key)?, key_of(fields, key))
    }

    /// The texts under an optional key: one text, or a list of them.
    pub fn texts_of(&mut self, fields: &Fields<'_>, key: &str) -> Vec<String> {
        fields.get(key).map_or_else(Vec::new, |node| self.texts(node, key_of(fields, key)))
    }

    /// The items of a list under an optional key.
    pub fn list_of<'n>(&mut self, fields: &Fields<'n>, key: &str) -> &'n [Node] {
        let Some(node) = fields.get(key) else { return &[] };
        if let Value::List(items) = &node.value {
            return items.as_slice();
        }
        self.wrong_kind(node, key_of(fields, key), "a list");
        &[]
    }

    pub fn flag(&mut self, node: &Node, what: impl Into<Text>) -> Option<bool> {
        match node.value {
            Value::Bool(value) => Some(value),
            Value::Null | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => {
                self.wrong_kind(node, what, "true or false");
                None
            }
        }
    }
}

/// A missing required key.
pub fn missing(fields: &Fields<'_>, key: &str) -> Diagnostic {
    let message = text!("{} needs `{}`", Text::from(fields.what), key);
    Diagnostic::error(Code::MISSING_KEY, fields.place, message).label(text!("`{}` is missing", key))
}

fn key_of(fields: &Fields<'_>, key: &str) -> Text {
    text!("`{}` of {}", key, Text::from(fields.what))
}

/// The items of a list; any other node counts as a list of one.
pub fn items(node: &Node) -> &[Node] {
    match &node.value {
        Value::List(items) => items.as_slice(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Map(_) => std::slice::from_ref(node),
    }
}

/// `` `a`, `b`, `c` ``
pub fn listed<S: AsRef<str>>(names: &[S]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    quoted.join(", ")
}
