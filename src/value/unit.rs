//! Units of metrics, attributes and literals. Every value is kept in the base unit of its dimension, so that any two
//! values of one dimension compare as numbers.

use diag::{Text, text};
use serde::Serialize;

use super::{DAY, HOUR, MINUTE, SECOND, WEEK};

/// What kind of quantity a value is; only values of one dimension may be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Dimension {
    /// A share of a whole; base unit: percent.
    Fraction,
    /// A span of time; base unit: millisecond.
    Time,
    /// An amount of data; base unit: byte.
    Bytes,
    /// Data per time; base unit: bytes per second.
    BytesPerTime,
    /// Things or events, without a unit.
    Count,
    /// Events per time; base unit: per second.
    PerTime,
}

impl Dimension {
    /// The name used in error messages.
    pub fn describe(self) -> Text {
        match self {
            Dimension::Fraction => text!("a percentage"),
            Dimension::Time => text!("a duration"),
            Dimension::Bytes => text!("an amount of data"),
            Dimension::BytesPerTime => text!("a data rate"),
            Dimension::Count => text!("a count"),
            Dimension::PerTime => text!("a rate of events"),
        }
    }

    /// A literal of this dimension, as an example for a message.
    pub fn example(self) -> &'static str {
        match self {
            Dimension::Fraction => "90%",
            Dimension::Time => "500ms",
            Dimension::Bytes => "2GiB",
            Dimension::BytesPerTime => "10MB/s",
            Dimension::Count => "100",
            Dimension::PerTime => "10/min",
        }
    }
}

/// A unit as written, with its dimension and factor to the base unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Unit {
    /// The canonical spelling.
    pub name: &'static str,
    pub dimension: Dimension,
    /// Multiply a value in this unit by it to get the base unit.
    pub factor: f64,
}

#[allow(clippy::cast_precision_loss, reason = "the constants are far below 2^53")]
const fn per(duration: i64) -> f64 {
    1000.0 / duration as f64
}

#[allow(clippy::cast_precision_loss, reason = "the constants are far below 2^53")]
const fn ms(duration: i64) -> f64 {
    duration as f64
}

/// Canonical name, all spellings, dimension, factor.
const UNITS: &[(&str, &[&str], Dimension, f64)] = &[
    ("%", &["%", "％", "percent"], Dimension::Fraction, 1.0),
    ("ratio", &["ratio"], Dimension::Fraction, 100.0),
    ("us", &["us", "微秒"], Dimension::Time, 0.001),
    ("ms", &["ms", "毫秒"], Dimension::Time, 1.0),
    ("s", &["s", "sec", "seconds", "秒"], Dimension::Time, ms(SECOND)),
    ("min", &["min", "m", "分钟", "分"], Dimension::Time, ms(MINUTE)),
    ("h", &["h", "hour", "小时"], Dimension::Time, ms(HOUR)),
    ("d", &["d", "天"], Dimension::Time, ms(DAY)),
    ("w", &["w", "周"], Dimension::Time, ms(WEEK)),
    ("B", &["B", "bytes"], Dimension::Bytes, 1.0),
    ("kB", &["kB", "KB"], Dimension::Bytes, 1e3),
    ("MB", &["MB"], Dimension::Bytes, 1e6),
    ("GB", &["GB"], Dimension::Bytes, 1e9),
    ("TB", &["TB"], Dimension::Bytes, 1e12),
    ("KiB", &["KiB"], Dimension::Bytes, 1024.0),
    ("MiB", &["MiB"], Dimension::Bytes, 1_048_576.0),
    ("GiB", &["GiB"], Dimension::Bytes, 1_073_741_824.0),
    ("TiB", &["TiB"], Dimension::Bytes, 1_099_511_627_776.0),
    ("count", &["", "count", "次", "条", "个"], Dimension::Count, 1.0),
    ("/s", &["/s", "/sec", "/秒", "per_second"], Dimension::PerTime, per(SECOND)),
    ("/min", &["/min", "/m", "/分钟", "/分"], Dimension::PerTime, per(MINUTE)),
    ("/h", &["/h", "/hour", "/小时"], Dimension::PerTime, per(HOUR)),
];

impl Unit {
    pub const COUNT: Unit = Unit { name: "count", dimension: Dimension::Count, factor: 1.0 };
    pub const PERCENT: Unit = Unit { name: "%", dimension: Dimension::Fraction, factor: 1.0 };

    /// Reads a unit in any of its spellings: `%`, `ms`, `GiB`, `10次/分钟` without its number, `MB/s`, nothing at all (a count).
    pub fn parse(text: &str) -> Option<Unit> {
        let text = text.trim();
        let text = text.strip_prefix(['次', '条', '个']).filter(|rest| !rest.is_empty()).unwrap_or(text);
        let text = text.replace('每', "/");
        if let Some((name, _, dimension, factor)) = UNITS.iter().find(|(_, spellings, _, _)| spellings.contains(&text.as_str())) {
            return Some(Unit { name, dimension: *dimension, factor: *factor });
        }
        let data = text.strip_suffix("/s").or_else(|| text.strip_suffix("/秒"))?;
        let unit = Unit::parse(data).filter(|u| u.dimension == Dimension::Bytes)?;
        let name = match unit.name {
            "B" => "B/s",
            "kB" => "kB/s",
            "MB" => "MB/s",
            "GB" => "GB/s",
            "TB" => "TB/s",
            "KiB" => "KiB/s",
            "MiB" => "MiB/s",
            "GiB" => "GiB/s",
            _ => "TiB/s",
        };
        Some(Unit { name, dimension: Dimension::BytesPerTime, factor: unit.factor })
    }

    /// Every canonical name, for "did you mean".
    pub fn names() -> impl Iterator<Item = &'static str> {
        UNITS.iter().map(|(name, ..)| *name)
    }

    /// A base value written in this unit: `85.3%`, `250ms`, `12/min`, `500`.
    pub fn format(&self, base: f64) -> String {
        let number = format_number(base / self.factor);
        if self.dimension == Dimension::Count || self.name == "ratio" { number } else { format!("{number}{}", self.name) }
    }
}

/// At most four significant decimals, no trailing zeros: `0.0031`, `85.3`, `500`, `1234567`.
pub fn format_number(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let magnitude = value.abs();
    let decimals = if magnitude == 0.0 || magnitude >= 1000.0 {
        0
    } else if magnitude >= 100.0 {
        1
    } else if magnitude >= 1.0 {
        2
    } else if magnitude >= 0.01 {
        4
    } else {
        7
    };
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{Dimension, Unit, format_number};

    #[test]
    fn reads_every_spelling() {
        let cases = [
            ("%", "%"),
            ("％", "%"),
            ("毫秒", "ms"),
            ("次/分钟", "/min"),
            ("条/分钟", "/min"),
            ("次每秒", "/s"),
            ("MB/s", "MB/s"),
            ("", "count"),
            ("个", "count"),
            ("m", "min"),
        ];
        for (text, expected) in cases {
            assert_eq!(Unit::parse(text).map(|u| u.name), Some(expected), "{text}");
        }
        assert_eq!(Unit::parse("parsec"), None);
        assert_eq!(Unit::parse("条").map(|u| u.dimension), Some(Dimension::Count));
    }

    #[test]
    fn units_of_one_dimension_compare() {
        let minute = Unit::parse("/min").unwrap();
        let second = Unit::parse("/s").unwrap();
        assert!((60.0 * minute.factor - second.factor).abs() < 1e-12);
        assert_eq!(minute.format(0.2), "12/min");
    }

    #[test]
    fn numbers_for_people() {
        for (value, expected) in
            [(0.0, "0"), (85.34, "85.34"), (500.0, "500"), (0.003_063, "0.003063"), (1_234_567.8, "1234568"), (0.25, "0.25"), (-0.0, "0")]
        {
            assert_eq!(format_number(value), expected);
        }
    }
}
