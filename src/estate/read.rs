//! Reading a tree of YAML into typed data: every mistake is reported with its place, and reading goes on.

use crate::diag::{Code, Diagnostic, Place, Sources, nearest};
use crate::value::Unit;
use crate::value::yaml::{Key, Node, Value};

/// Gathers the mistakes of all files of one estate.
pub(super) struct Reader<'s> {
    sources: &'s Sources,
    pub diagnostics: Vec<Diagnostic>,
}

/// A text with the place where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub text: String,
    pub place: Place,
}

/// A map of which all keys are known to have a meaning.
pub(super) struct Fields<'n> {
    pub place: Place,
    /// What the map describes, for messages: `a component`.
    what: &'static str,
    entries: &'n [(Key, Node)],
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

    pub fn wrong_kind(&mut self, node: &Node, what: &str, wanted: &str) {
        let message = format!("{what} must be {wanted}, not {}", node.kind());
        self.report(Diagnostic::error(Code::WRONG_KIND, node.place, message).label(format!("{wanted} is expected here")));
    }

    /// The entries of a map; nothing at all (`types:` alone) is an empty one.
    pub fn map<'n>(&mut self, node: &'n Node, what: &str) -> &'n [(Key, Node)] {
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
    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.value {
            Value::List(items) => items.as_slice(),
            Value::Null => &[],
            Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Map(_) => {
                self.wrong_kind(node, what, "a list");
                &[]
            }
        }
    }

    /// A map whose keys all come from `known`; others are reported. `None` if it is no map.
    pub fn fields<'n>(&mut self, node: &'n Node, what: &'static str, known: &[&str]) -> Option<Fields<'n>> {
        if !matches!(node.value, Value::Map(_)) {
            self.wrong_kind(node, what, "a map");
            return None;
        }
        let entries = self.map(node, what);
        for (key, _) in entries.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
            let help =
                suggestion(nearest(&key.name, known.iter().copied())).unwrap_or_else(|| format!("{what} may have {}", listed(known)));
            let message = format!("{what} has no key `{}`", key.name);
            self.report(Diagnostic::error(Code::UNKNOWN_KEY, key.place, message).label("unknown key").help(help));
        }
        Some(Fields { place: node.place, what, entries })
    }

    pub fn required<'n>(&mut self, fields: &Fields<'n>, key: &str) -> Option<&'n Node> {
        let node = fields.get(key);
        if node.is_none() {
            let message = format!("{} needs `{key}`", fields.what);
            self.report(Diagnostic::error(Code::MISSING_KEY, fields.place, message).label(format!("`{key}` is missing")));
        }
        node
    }

    /// A text. Numbers and truth values are taken as they are written, so that an id like `42` or `007` needs no quotes.
    pub fn word(&mut self, node: &Node, what: &str) -> Option<Word> {
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

    /// The text of a scalar. A number is taken from the file, since its value has lost how it was written.
    pub fn as_written(&self, node: &Node) -> Option<String> {
        let written = self.sources.slice(node.place).trim();
        match node.value {
            Value::Number(_) if written.parse::<f64>().is_ok() => Some(written.to_owned()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => node.scalar(),
        }
    }

    /// One text, or a list of them.
    pub fn words(&mut self, node: &Node, what: &str) -> Vec<Word> {
        match &node.value {
            Value::List(items) => items.iter().filter_map(|item| self.word(item, what)).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Map(_) => self.word(node, what).into_iter().collect(),
        }
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, node: &Node, what: &str, options: &[(&str, T)]) -> Option<T> {
        let word = self.word(node, what)?;
        let found = options.iter().find(|(name, _)| *name == word.text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = options.iter().map(|(name, _)| *name).collect();
            let help = suggestion(nearest(&word.text, names.iter().copied())).unwrap_or_else(|| format!("one of {}", listed(&names)));
            let message = format!("{what} cannot be `{}`", word.text);
            self.report(Diagnostic::error(Code::WRONG_KIND, word.place, message).help(help));
        }
        found
    }

    pub fn unit(&mut self, node: &Node) -> Option<Unit> {
        let word = self.word(node, "a unit")?;
        let unit = Unit::parse(&word.text);
        if unit.is_none() {
            let help = suggestion(nearest(&word.text, Unit::names()))
                .unwrap_or_else(|| "units are like `%`, `ms`, `GiB`, `/min`, `count`".to_owned());
            self.report(Diagnostic::error(Code::BAD_UNIT, word.place, format!("`{}` is no unit", word.text)).help(help));
        }
        unit
    }
}

/// "Did you mean", where there is something to mean.
pub(super) fn suggestion(name: Option<&str>) -> Option<String> {
    name.map(|name| format!("did you mean `{name}`?"))
}

/// `` `a`, `b`, `c` ``
pub(super) fn listed<S: AsRef<str>>(names: &[S]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    quoted.join(", ")
}
