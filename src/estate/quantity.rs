//! Quantities in files: durations (`5m`, `1h30m`) and values of attributes (`500`, `"2GiB"`, `true`).

use diag::{Code, Diagnostic, Place, Text, text};
use value::fields::Reader;
use value::yaml::{Node, Value};
use value::{DAY, Dimension, Duration, Unit};

use super::component::AttributeValue;
use super::model::{AttributeDef, AttributeKind};

/// Longer durations are typing errors, and would lose milliseconds as floating-point numbers.
const LONGEST: Duration = 3650 * DAY;

/// A positive duration as rules write it: numbers with units of time, like `1h30m`. `None` if it is invalid or longer than ten years.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut sum = 0.0;
    while !rest.is_empty() {
        let (number, tail) = split_number(rest)?;
        let end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, after) = tail.split_at(end);
        let unit = Unit::parse(unit).filter(|unit| unit.dimension == Dimension::Time)?;
        sum += number * unit.factor;
        rest = after;
    }
    #[allow(clippy::cast_precision_loss, reason = "the limit is far below 2^53")]
    let in_range = (1.0..=LONGEST as f64).contains(&sum);
    #[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
    in_range.then_some(sum.round() as Duration)
}

/// The number that a text begins with, and what follows it.
fn split_number(text: &str) -> Option<(f64, &str)> {
    let end =
        text.char_indices().find(|&(at, c)| !(c.is_ascii_digit() || c == '.' || (at == 0 && c == '-'))).map_or(text.len(), |(at, _)| at);
    let (number, rest) = text.split_at(end);
    Some((number.parse().ok()?, rest))
}

/// The value of an attribute as its type declares it, in the base unit; reported if it is of another kind.
pub(super) fn declared_value(reader: &mut Reader<'_>, def: &AttributeDef, node: &Node) -> Option<AttributeValue> {
    let value = match def.kind {
        AttributeKind::Text => reader.as_written(node).map(AttributeValue::Text),
        AttributeKind::Bool => truth(node).map(AttributeValue::Bool),
        AttributeKind::Number(unit) => return number(reader, def, unit, node),
    };
    if value.is_none() {
        let wanted = if def.kind == AttributeKind::Bool { text!("true or false") } else { text!("a text") };
        mismatch(reader, node.place, text!("attribute `{}` must be {}, not {}", def.name, wanted, found(node)), None);
    }
    value
}

/// The value of an attribute that nothing declares: kept as it was given.
pub(super) fn undeclared_value(reader: &mut Reader<'_>, name: &str, node: &Node) -> Option<AttributeValue> {
    let value = match &node.value {
        Value::Text(text) => Some(AttributeValue::Text(text.clone())),
        Value::Bool(value) => Some(AttributeValue::Bool(*value)),
        Value::Number(value) => Some(AttributeValue::Number(*value)),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    };
    if value.is_none() {
        let message = text!("attribute `{}` must be a text, a number, or true or false, not {}", name, node.kind());
        mismatch(reader, node.place, message, None);
    }
    value
}

fn truth(node: &Node) -> Option<bool> {
    match &node.value {
        Value::Bool(value) => Some(*value),
        Value::Text(text) => match text.as_str() {
            "true" | "是" => Some(true),
            "false" | "否" => Some(false),
            _ => None,
        },
        Value::Null | Value::Number(_) | Value::List(_) | Value::Map(_) => None,
    }
}

fn number(reader: &mut Reader<'_>, def: &AttributeDef, unit: Unit, node: &Node) -> Option<AttributeValue> {
    let wanted = unit.dimension.describe();
    let help = text!("use a number in `{}`, or text with a unit, like `\"{}\"`", unit.name, unit.dimension.example());
    let value = match &node.value {
        Value::Number(value) => Some(value * unit.factor),
        Value::Text(text) => split_number(text.trim()).and_then(|(value, rest)| {
            let given = if rest.trim().is_empty() { Some(unit) } else { Unit::parse(rest) };
            given.filter(|given| given.dimension == unit.dimension).map(|given| value * given.factor)
        }),
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => None,
    };
    let value = value.filter(|value| value.is_finite());
    if value.is_none() {
        mismatch(reader, node.place, text!("attribute `{}` must be {}, not {}", def.name, wanted, found(node)), Some(help));
    }
    value.map(AttributeValue::Number)
}

/// What was found: the user's own text where there is any, else its kind.
fn found(node: &Node) -> Text {
    node.text().map_or_else(|| node.kind(), |text| Text::from(format!("`{text}`")))
}

fn mismatch(reader: &mut Reader<'_>, place: Place, message: Text, help: Option<Text>) {
    let diagnostic = Diagnostic::error(Code::ATTRIBUTE_KIND, place, message);
    reader.report(match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    });
}

#[cfg(test)]
mod tests {
    use super::parse_duration;

    #[test]
    fn durations() {
        let cases =
            [("5m", Some(300_000)), ("90s", Some(90_000)), ("1h30m", Some(5_400_000)), ("500ms", Some(500)), ("5分钟", Some(300_000))];
        for (text, expected) in cases {
            assert_eq!(parse_duration(text), expected, "{text}");
        }
        for text in ["5", "m", "5GiB", "-5m", "0s", "1h x", "9999999d", ""] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
