//! JSON and YAML files as trees, several documents in one file.

use serde_json::{Map, Number, Value};

use diag::{Sources, Text, text};
use value::yaml::{self, Node};

use super::Written;

/// The documents of a file, and the errors of those that could not be read. Empty documents are left out.
pub(super) fn documents(text: &str) -> (Vec<Value>, Vec<Text>) {
    let body = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    if body.trim_start().starts_with(['{', '[']) {
        let mut documents = Vec::new();
        let mut problem = None;
        for document in serde_json::Deserializer::from_str(body).into_iter::<Value>() {
            match document {
                Ok(document) => documents.push(document),
                Err(error) => {
                    problem = Some(text!("invalid JSON: {}", error));
                    break;
                }
            }
        }
        let Some(problem) = problem else { return (documents, Vec::new()) };
        // A YAML file may begin with a brace too.
        let (yaml, _) = yaml_documents(body);
        return if yaml.is_empty() { (documents, vec![problem]) } else { (yaml, Vec::new()) };
    }
    yaml_documents(body)
}

fn yaml_documents(body: &str) -> (Vec<Value>, Vec<Text>) {
    let mut documents = Vec::new();
    let mut problems = Vec::new();
    for (line, part) in split(body) {
        let mut sources = Sources::default();
        let id = sources.add("", part);
        match yaml::parse(&sources, id) {
            Ok(node) => {
                let value = plain(&node);
                if !value.is_null() {
                    documents.push(value);
                }
            }
            Err(diagnostic) => {
                let at = diagnostic.place.map_or(1, |place| sources.line_column(place.source, place.span.start).line);
                problems.push(text!("line {}: {}", line + at, diagnostic.message));
            }
        }
    }
    (documents, problems)
}

/// The documents of a YAML stream, each with the number of lines before it.
fn split(body: &str) -> Vec<(usize, String)> {
    let mut parts = Vec::new();
    let mut current = String::new();
    let mut start = 0;
    for (number, line) in body.lines().enumerate() {
        let marker = line.strip_prefix("---").filter(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
        let end = line.trim_end() == "...";
        if marker.is_none() && !end {
            // A directive stands before its document only.
            if !(current.trim().is_empty() && line.starts_with('%')) {
                current.push_str(line);
            }
            current.push('\n');
            continue;
        }
        parts.push((start, std::mem::take(&mut current)));
        start = number;
        // Text after the marker belongs to the document: `--- # Source: x.yaml`.
        current.push_str(marker.unwrap_or(""));
        current.push('\n');
    }
    parts.push((start, current));
    parts
}

fn plain(node: &Node) -> Value {
    match &node.value {
        yaml::Value::Null => Value::Null,
        yaml::Value::Bool(value) => Value::Bool(*value),
        yaml::Value::Number(value) => number(*value),
        yaml::Value::Text(text) => Value::String(text.clone()),
        yaml::Value::List(items) => Value::Array(items.iter().map(plain).collect()),
        yaml::Value::Map(entries) => {
            Value::Object(entries.iter().map(|(key, node)| (key.name.clone(), plain(node))).collect::<Map<_, _>>())
        }
    }
}

/// Whole numbers without a fraction: ids like `42`.
#[allow(clippy::cast_possible_truncation, reason = "below 2^53")]
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        return Value::from(value as i64);
    }
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// The value under a path of keys.
pub(super) fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, key| value.get(*key))
}

/// A text, number or truth value as it is written; `None` if there is none or it is blank.
pub(super) fn scalar(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    if text.is_empty() { None } else { Some(text) }
}

pub(super) fn text(value: &Value, path: &[&str]) -> Option<String> {
    at(value, path).and_then(scalar)
}

/// The items of a list; none if there is no list.
pub(super) fn list<'v>(value: &'v Value, path: &[&str]) -> &'v [Value] {
    match at(value, path) {
        Some(Value::Array(items)) => items,
        _ => &[],
    }
}

/// The entries of a map; none if there is no map.
pub(super) fn entries<'v>(value: &'v Value, path: &[&str]) -> Vec<(&'v str, &'v Value)> {
    match at(value, path) {
        Some(Value::Object(map)) => map.iter().map(|(key, value)| (key.as_str(), value)).collect(),
        _ => Vec::new(),
    }
}

/// A scalar as the value of an attribute.
pub(super) fn attribute(value: &Value) -> Option<Written> {
    match value {
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => Some(Written::Text(text.trim().to_owned())),
        Value::Number(number) => number.as_f64().map(Written::Number),
        Value::Bool(value) => Some(Written::Bool(*value)),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
