//! Quantities in files: durations (`5m`, `1h30m`) and values of attributes (`500`, `"2GiB"`, `true`).

use diag::{Code, Diagnostic, Text, text};
use value::fields::Reader;
use value::yaml::Node;
use value::{DAY, Dimension, Duration, Unit};

use super::component::AttributeValue;
use super::declared::Written;
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

/// A number of things, or a share of a whole, rounded up: `2`, `50%`. `None` if it is neither.
pub fn share_of(text: &str, whole: usize) -> Option<usize> {
    match text.trim().strip_suffix('%') {
        Some(percent) => percent.trim().parse::<usize>().ok().map(|percent| whole.saturating_mul(percent).div_ceil(100)),
        None => text.trim().parse().ok(),
    }
}

/// The number that a text begins with, and what follows it.
fn split_number(text: &str) -> Option<(f64, &str)> {
    let end =
        text.char_indices().find(|&(at, c)| !(c.is_ascii_digit() || c == '.' || (at == 0 && c == '-'))).map_or(text.len(), |(at, _)| at);
    let (number, rest) = text.split_at(end);
    Some((number.parse().ok()?, rest))
}

/// A value that is not of the declared kind: what was expected, for the message, and how to write it.
pub(super) struct Misfit {
    pub wanted: Text,
    pub help: Option<Text>,
}

/// The value of an attribute as its type declares it, in the base unit. `as_text`: a number as it is written.
pub(super) fn fit(def: &AttributeDef, value: &Written, as_text: Option<&str>) -> Result<AttributeValue, Misfit> {
    let misfit = |wanted: Text| Err(Misfit { wanted, help: None });
    match def.kind {
        AttributeKind::Text => Ok(AttributeValue::Text(as_text.map_or_else(|| value.to_string(), str::to_owned))),
        AttributeKind::Bool => truth(value).map_or_else(|| misfit(text!("true or false")), |value| Ok(AttributeValue::Bool(value))),
        AttributeKind::Number(unit) => match number(unit, value) {
            Some(value) => Ok(AttributeValue::Number(value)),
            None => Err(Misfit {
                wanted: unit.dimension.describe(),
                help: Some(text!("use a number in `{}`, or text with a unit, like `\"{}\"`", unit.name, unit.dimension.example())),
            }),
        },
    }
}

/// The value of an attribute that nothing declares: kept as it was given.
pub(super) fn undeclared(value: &Written) -> AttributeValue {
    match value {
        Written::Text(text) => AttributeValue::Text(text.clone()),
        Written::Bool(value) => AttributeValue::Bool(*value),
        Written::Number(value) | Written::Base(value) => AttributeValue::Number(*value),
    }
}

fn truth(value: &Written) -> Option<bool> {
    match value {
        Written::Bool(value) => Some(*value),
        Written::Text(text) => match text.trim().to_lowercase().as_str() {
            "true" | "是" => Some(true),
            "false" | "否" => Some(false),
            _ => None,
        },
        Written::Number(_) | Written::Base(_) => None,
    }
}

fn number(unit: Unit, value: &Written) -> Option<f64> {
    let value = match value {
        Written::Base(value) => Some(*value),
        Written::Number(value) => Some(value * unit.factor),
        Written::Text(text) => split_number(text.trim()).and_then(|(value, rest)| {
            let given = if rest.trim().is_empty() { Some(unit) } else { Unit::parse(rest) };
            given.filter(|given| given.dimension == unit.dimension).map(|given| value * given.factor)
        }),
        Written::Bool(_) => None,
    };
    value.filter(|value| value.is_finite())
}

/// Reports a list or a map where a value is expected.
pub(super) fn not_scalar(reader: &mut Reader<'_>, name: &str, node: &Node) {
    let message = text!("attribute `{}` must be a text, a number, or true or false, not {}", name, node.kind());
    reader.report(Diagnostic::error(Code::ATTRIBUTE_KIND, node.place, message));
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
