//! The conditions of placement entries: values of labels, and patterns of them.

use std::collections::BTreeMap;

use regex::Regex;

use crate::mapping_rules::Fit;
use diag::{Code, Diagnostic, Place, text};
use value::yaml::{Node, Value};

use super::Reader;

/// Values of labels as different as can be: a pattern that fits all of them distinguishes nothing.
const ALL_SORTS: &[&str] = &["", "a", "node-1:9100", "https://10.0.0.1/Cart?b=C", "订单 7_x"];

impl Reader {
    /// A map of labels, each with a value or a list of values.
    pub(super) fn choices(&mut self, node: &Node, key: &str) -> Option<BTreeMap<String, Vec<Fit>>> {
        let Some(map) = node.get(key) else { return Some(BTreeMap::new()) };
        let Value::Map(entries) = &map.value else {
            self.wrong(map, "a map of labels and their values");
            return None;
        };
        let mut choices = BTreeMap::new();
        for (name, value) in entries {
            let values: Vec<&Node> = match &value.value {
                Value::List(items) => items.iter().collect(),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Map(_) => vec![value],
            };
            let mut fits = Vec::new();
            for value in values {
                let Some(text) = value.scalar() else {
                    self.wrong(value, "text");
                    return None;
                };
                fits.push(self.fit(value.place, text)?);
            }
            choices.insert(name.name.clone(), fits);
        }
        Some(choices)
    }

    /// A value as written: between slashes a regular expression, with asterisks a wildcard, else the value itself.
    fn fit(&mut self, place: Place, text: String) -> Option<Fit> {
        let expression = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).filter(|inside| !inside.is_empty());
        let expression = match expression {
            Some(expression) => expression.to_owned(),
            None if text.contains('*') => {
                let fixed: Vec<String> = text.split('*').map(regex::escape).collect();
                format!("(?s)^{}$", fixed.join(".*"))
            }
            None => return Some(Fit::Exactly(text)),
        };
        match Regex::new(&expression) {
            Ok(regex) => {
                if ALL_SORTS.iter().all(|value| regex.is_match(value)) {
                    let message = text!("`{}` fits every value, and labels that are missing", text);
                    let help = "leave it out, or write `/.+/` for a label that is there";
                    self.diagnostics.push(Diagnostic::warning(Code::IDLE_MAPPING, place, message).help(help));
                }
                Some(Fit::Pattern { written: text, regex })
            }
            Err(error) => {
                self.no_regex(place, &expression, &error);
                None
            }
        }
    }

    /// Warns of a pattern that is no condition, and takes every text whole or nothing of it.
    pub(super) fn takes_all(&mut self, place: Place, pattern: &Regex) {
        let texts = || ALL_SORTS.iter().copied().filter(|text| !text.is_empty());
        let takes = |text: &str, fits: fn(&str, &str) -> bool| {
            pattern.captures(text).and_then(|found| found.get(1)).is_some_and(|group| fits(group.as_str(), text))
        };
        let message = if texts().all(|text| takes(text, |part, text| part == text)) {
            text!("`{}` takes every text as it is", pattern.as_str())
        } else if texts().all(|text| takes(text, |part, text| part.is_empty() || part == text)) {
            text!("`{}` fits every text, and takes nothing of most", pattern.as_str())
        } else {
            return;
        };
        let help = "leave it out, or say what stands around the part that names the component";
        self.diagnostics.push(Diagnostic::warning(Code::IDLE_MAPPING, place, message).help(help));
    }

    pub(super) fn no_regex(&mut self, place: Place, text: &str, error: &regex::Error) {
        let reason = error.to_string();
        let last = reason.lines().last().unwrap_or("").trim_start_matches("error: ").to_owned();
        self.bad(place, text!("invalid regular expression `{}`: {}", text, last), "use the syntax of the Rust crate `regex`");
    }
}
