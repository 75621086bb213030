//! Reading a tree of YAML into typed data: every mistake is reported with its place, and reading goes on. What only one kind of
//! file needs stands beside its readers, as further methods of [`Reader`].

use crate::diag::{Code, Diagnostic, Place, Sources, nearest};

use super::yaml::{Key, Node, Value};

/// Gathers the mistakes of the files that are read together.
pub struct Reader<'s> {
    sources: &'s Sources,
    pub diagnostics: Vec<Diagnostic>,
}

/// A map of which all keys have been looked at.
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

    pub fn wrong_kind(&mut self, node: &Node, what: &str, wanted: &str) {
        let message = format!("{what} must be {wanted}, not {}", node.kind());
        self.report(Diagnostic::error(Code::WRONG_KIND, node.place, message).label(format!("{wanted} is expected here")));
    }

    /// A map whose keys should all come from `known` (empty: any key); others are reported and ignored. `None` if it is no map.
    pub fn fields<'n>(&mut self, node: &'n Node, what: &'static str, known: &[&str]) -> Option<Fields<'n>> {
        let Value::Map(entries) = &node.value else {
            self.wrong_kind(node, what, "a map");
            return None;
        };
        for (key, _) in entries.iter().filter(|(key, _)| !known.is_empty() && !known.contains(&key.name.as_str())) {
            let message = format!("{what} has no key `{}`", key.name);
            let help = suggestion(&key.name, known.iter().copied()).unwrap_or_else(|| format!("{what} may have {}", listed(known)));
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

    /// A text that is not empty, without the blanks around it.
    pub fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        let Some(text) = self.as_written(node) else {
            self.wrong_kind(node, what, "a text");
            return None;
        };
        let text = text.trim();
        if text.is_empty() {
            self.report(Diagnostic::error(Code::WRONG_KIND, node.place, format!("{what} must not be empty")).label("empty"));
            return None;
        }
        Some(text.to_owned())
    }

    /// One text, or a list of them. An item that is no text is reported and left out.
    pub fn texts(&mut self, node: &Node, what: &str) -> Vec<String> {
        items(node).iter().filter_map(|item| self.text(item, what)).collect()
    }
}

/// A key that must be there and is not.
pub fn missing(fields: &Fields<'_>, key: &str) -> Diagnostic {
    let message = format!("{} needs `{key}`", fields.what);
    Diagnostic::error(Code::MISSING_KEY, fields.place, message).label(format!("`{key}` is missing"))
}

/// The items of a list; anything else is a list of itself.
pub fn items(node: &Node) -> &[Node] {
    match &node.value {
        Value::List(items) => items.as_slice(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Map(_) => std::slice::from_ref(node),
    }
}

/// "Did you mean", where there is something to mean.
pub fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|name| format!("did you mean `{name}`?"))
}

/// `` `a`, `b`, `c` ``
pub fn listed<S: AsRef<str>>(names: &[S]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    quoted.join(", ")
}
