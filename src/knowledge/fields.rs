//! What `case.yaml` needs of a reader: texts and lists under keys that must or may be there.

use crate::value::fields::{Fields, Reader, missing};
use crate::value::yaml::{Node, Value};

impl Reader<'_> {
    /// The text under a key that must be there.
    pub(super) fn needed(&mut self, fields: &Fields<'_>, key: &str) -> Option<String> {
        if fields.get(key).is_none() {
            // A key without its value is there to be seen, so the message says what to do with it.
            let written = fields.entries.iter().any(|(k, _)| k.name == key);
            let missing = missing(fields, key);
            self.report(if written { missing.help(format!("give `{key}` a value")) } else { missing });
        }
        self.optional(fields, key)
    }

    /// The text under a key that may be absent.
    pub(super) fn optional(&mut self, fields: &Fields<'_>, key: &str) -> Option<String> {
        self.text(fields.get(key)?, &format!("`{key}` of {}", fields.what))
    }

    /// The texts under a key that may be absent: one text, or a list of them.
    pub(super) fn texts_of(&mut self, fields: &Fields<'_>, key: &str) -> Vec<String> {
        let what = format!("`{key}` of {}", fields.what);
        fields.get(key).map_or_else(Vec::new, |node| self.texts(node, &what))
    }

    /// The items of a list under a key that may be absent.
    pub(super) fn list_of<'n>(&mut self, fields: &Fields<'n>, key: &str) -> &'n [Node] {
        let Some(node) = fields.get(key) else { return &[] };
        if let Value::List(items) = &node.value {
            return items.as_slice();
        }
        self.wrong_kind(node, &format!("`{key}` of {}", fields.what), "a list");
        &[]
    }
}
