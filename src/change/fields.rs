//! Reading the tree of a change plan: every mistake is reported with its place, and reading goes on.

use crate::diag::{Code, Diagnostic, Place, Sources, nearest};
use crate::value::yaml::{Key, Node, Value};

/// Gathers the mistakes of one file.
pub(super) struct Reader<'s> {
    sources: &'s Sources,
    pub diagnostics: Vec<Diagnostic>,
}

/// A map of which all keys have been looked at.
pub(super) struct Fields<'n> {
    pub place: Place,
    what: &'static str,
    pub entries: &'n [(Key, Node)],
}

impl<'n> Fields<'n> {
    /// A key without a value (`title:`) counts as absent.
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

    /// A map; `known` empty allows any key. `None` if it is no map.
    pub fn fields<'n>(&mut self, node: &'n Node, what: &'static str, known: &[&str]) -> Option<Fields<'n>> {
        let Value::Map(entries) = &node.value else {
            self.wrong_kind(node, what, "a map");
            return None;
        };
        for (key, _) in entries.iter().filter(|(key, _)| !known.is_empty() && !known.contains(&key.name.as_str())) {
            let message = format!("{what} has no key `{}`", key.name);
            let help = suggestion(&key.name, known).unwrap_or_else(|| format!("{what} may have {}", listed(known)));
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

    /// A text that is not empty. Numbers are taken as they are written, so that an id like `007` needs no quotes.
    pub fn word(&mut self, node: &Node, what: &str) -> Option<String> {
        let written = self.sources.slice(node.place).trim();
        let text = match node.value {
            Value::Number(_) if written.parse::<f64>().is_ok() => Some(written.to_owned()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => node.scalar(),
        };
        let Some(text) = text else {
            self.wrong_kind(node, what, "a text");
            return None;
        };
        let text = text.trim().to_owned();
        if text.is_empty() {
            self.report(Diagnostic::error(Code::WRONG_KIND, node.place, format!("{what} must not be empty")).label("empty"));
            return None;
        }
        Some(text)
    }

    /// One text, or a list of them.
    pub fn words(&mut self, node: &Node, what: &str) -> Vec<String> {
        items(node).iter().filter_map(|item| self.word(item, what)).collect()
    }

    pub fn flag(&mut self, node: &Node, what: &str) -> Option<bool> {
        match node.value {
            Value::Bool(value) => Some(value),
            Value::Null | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => {
                self.wrong_kind(node, what, "true or false");
                None
            }
        }
    }
}

/// The items of a list; anything else is a list of itself.
pub(super) fn items(node: &Node) -> &[Node] {
    match &node.value {
        Value::List(items) => items.as_slice(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Map(_) => std::slice::from_ref(node),
    }
}

/// "Did you mean", where there is something to mean.
pub(super) fn suggestion(word: &str, known: &[&str]) -> Option<String> {
    nearest(word, known.iter().copied()).map(|name| format!("did you mean `{name}`?"))
}

/// `` `a`, `b`, `c` ``
pub(super) fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
