//! What all readers of JSON share: the text of a file, labels, and scalars. Large files are read without building a tree.
//!
//! The recursion limit of `serde_json` (128) stays in force everywhere: a file nested a million deep is an error, not a crash.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use diag::{Code, Diagnostic, text};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The file as text, without a byte-order mark.
pub(super) fn text<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, Box<Diagnostic>> {
    let body = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let text = std::str::from_utf8(body).map_err(|error| {
        let offset = bytes.len() - body.len() + error.valid_up_to();
        Box::new(Diagnostic::nowhere(Code::NOT_UTF8, text!("`{}` is not UTF-8: invalid byte at offset {}", file, offset)))
    })?;
    if text.trim().is_empty() {
        return Err(Box::new(
            Diagnostic::nowhere(Code::SIGNAL_FORMAT, text!("`{}` is empty", file))
                .help("even an empty recording needs valid JSON, like `[]`; remove the file if nothing was recorded"),
        ));
    }
    Ok(text)
}

/// The message of an error without the position that `serde_json` appends.
pub(super) fn reason(error: &serde_json::Error) -> String {
    let full = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    full.strip_suffix(&place).unwrap_or(&full).to_owned()
}

/// Labels as tools write them: strings; numbers and booleans are taken as text, and null as absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Labels(pub BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LabelsVisitor)
    }
}

struct LabelsVisitor;

impl<'de> Visitor<'de> for LabelsVisitor {
    type Value = Labels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("labels, an object of strings")
    }

    fn visit_unit<E>(self) -> Result<Labels, E> {
        Ok(Labels::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
        let mut labels = BTreeMap::new();
        while let Some((name, LabelValue(value))) = map.next_entry::<String, LabelValue>()? {
            if let Some(value) = value {
                labels.insert(name, value);
            }
        }
        Ok(Labels(labels))
    }
}

/// A scalar as text; `None` for null, a list or a map.
pub(super) struct LabelValue(pub Option<String>);

impl<'de> Deserialize<'de> for LabelValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LabelValueVisitor)
    }
}

struct LabelValueVisitor;

impl<'de> Visitor<'de> for LabelValueVisitor {
    type Value = LabelValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }
    fn visit_str<E>(self, v: &str) -> Result<LabelValue, E> {
        Ok(LabelValue(Some(v.to_owned())))
    }
    fn visit_string<E>(self, v: String) -> Result<LabelValue, E> {
        Ok(LabelValue(Some(v)))
    }
    fn visit_bool<E>(self, v: bool) -> Result<LabelValue, E> {
        Ok(LabelValue(Some(v.to_string())))
    }
    fn visit_i64<E>(self, v: i64) -> Result<LabelValue, E> {
        Ok(LabelValue(Some(v.to_string())))
    }
    fn visit_u64<E>(self, v: u64) -> Result<LabelValue, E> {
        Ok(LabelValue(Some(v.to_string())))
    }
    fn visit_f64<E>(self, v: f64) -> Result<LabelValue, E> {
        Ok(LabelValue(Some(v.to_string())))
    }
    fn visit_unit<E>(self) -> Result<LabelValue, E> {
        Ok(LabelValue(None))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<LabelValue, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(LabelValue(None))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LabelValue, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(LabelValue(None))
    }
}

/// A text, number or truth value of a tree as text.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The scalar entries of an object; empty for anything else.
pub(super) fn scalars(value: Option<&Value>) -> BTreeMap<String, String> {
    let entries = value.and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name.clone(), scalar(value)?))).collect()
}
