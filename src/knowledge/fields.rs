//! Reading the tree of a `case.yaml`: every mistake is reported with its place, and reading goes on.

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
    /// What the map describes, for messages: `a case`.
    what: &'static str,
    entries: &'n [(Key, Node)],
}

impl<'n> Fields<'n> {
    /// A key without a value (`rule:`) counts as absent.
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

    fn wrong_kind(&mut self, node: &Node, what: &str, wanted: &str) {
        let message = format!("{what} must be {wanted}, not {}", node.kind());
        self.report(Diagnostic::error(Code::WRONG_KIND, node.place, message).label(format!("{wanted} is expected here")));
    }

    /// A map whose keys should all come from `known`; others are reported and ignored. `None` if it is no map.
    pub fn fields<'n>(&mut self, node: &'n Node, what: &'static str, known: &[&str]) -> Option<Fields<'n>> {
        let Value::Map(entries) = &node.value else {
            self.wrong_kind(node, what, "a map");
            return None;
        };
        for (key, _) in entries.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
            let message = format!("{what} has no key `{}`", key.name);
            let help = suggestion(&key.name, known).unwrap_or_else(|| format!("{what} may have {}", listed(known)));
            self.report(Diagnostic::error(Code::UNKNOWN_KEY, key.place, message).label("unknown key").help(help));
        }
        Some(Fields { place: node.place, what, entries })
    }

    /// The text under a key that must be there.
    pub fn required(&mut self, fields: &Fields<'_>, key: &str) -> Option<String> {
        let Some(node) = fields.get(key) else {
            let message = format!("{} needs `{key}`", fields.what);
            let missing = Diagnostic::error(Code::MISSING_KEY, fields.place, message).label(format!("`{key}` is missing"));
            // A key without its value is there to be seen, so the message says what to do with it.
            let written = fields.entries.iter().any(|(k, _)| k.name == key);
            self.report(if written { missing.help(format!("give `{key}` a value")) } else { missing });
            return None;
        };
        self.word(node, &format!("`{key}` of {}", fields.what))
    }

    /// The text under a key that may be absent.
    pub fn optional(&mut self, fields: &Fields<'_>, key: &str) -> Option<String> {
        let node = fields.get(key)?;
        self.word(node, &format!("`{key}` of {}", fields.what))
    }

    /// The texts under a key that may be absent: one text, or a list of them. An item that is no text is reported and left out.
    pub fn texts(&mut self, fields: &Fields<'_>, key: &str) -> Vec<String> {
        let Some(node) = fields.get(key) else { return Vec::new() };
        let what = format!("`{key}` of {}", fields.what);
        match &node.value {
            Value::List(items) => items.iter().filter_map(|item| self.word(item, &what)).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Map(_) => {
                self.word(node, &what).into_iter().collect()
            }
        }
    }

    /// The items of a list under a key that may be absent.
    pub fn list<'n>(&mut self, fields: &Fields<'n>, key: &str) -> &'n [Node] {
        let Some(node) = fields.get(key) else { return &[] };
        if let Value::List(items) = &node.value {
            return items.as_slice();
        }
        self.wrong_kind(node, &format!("`{key}` of {}", fields.what), "a list");
        &[]
    }

    /// A text that is not empty. Numbers are taken as they are written, so that an id like `007` needs no quotes.
    fn word(&mut self, node: &Node, what: &str) -> Option<String> {
        let written = self.sources.slice(node.place).trim();
        let text = match node.value {
            Value::Number(_) if written.parse::<f64>().is_ok() => Some(written.to_owned()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => node.scalar(),
        };
        let Some(text) = text else {
            self.wrong_kind(node, what, "a text");
            return None;
        };
        if text.trim().is_empty() {
            self.report(Diagnostic::error(Code::WRONG_KIND, node.place, format!("{what} must not be empty")).label("empty"));
            return None;
        }
        Some(text.trim().to_owned())
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
