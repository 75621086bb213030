//! Instants and durations in whole milliseconds: the precision that every signal format supports.

use serde::{Deserialize, Serialize};

/// A duration in milliseconds.
pub type Duration = i64;

pub const SECOND: Duration = 1_000;
pub const MINUTE: Duration = 60 * SECOND;
pub const HOUR: Duration = 60 * MINUTE;
pub const DAY: Duration = 24 * HOUR;
pub const WEEK: Duration = 7 * DAY;

/// An instant: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl Time {
    /// Before every instant.
    pub const MIN: Time = Time(i64::MIN / 4);
    /// After every instant: the end of anything that has not ended.
    pub const MAX: Time = Time(i64::MAX / 4);

    /// Reads RFC 3339, with any offset and fraction (`2025-06-01T10:00:00+08:00`). `None` if the text is invalid.
    pub fn parse(text: &str) -> Option<Time> {
        let timestamp: jiff::Timestamp = text.trim().parse().ok()?;
        Some(Time(timestamp.as_millisecond()))
    }

    /// From seconds since the epoch, as Prometheus writes them. `None` if not finite or outside the years 1 to 9999.
    pub fn from_seconds(seconds: f64) -> Option<Time> {
        let limit = 253_402_300_800.0;
        if !seconds.is_finite() || !(-62_135_596_800.0..limit).contains(&seconds) {
            return None;
        }
        #[allow(clippy::cast_possible_truncation, reason = "the range is checked above")]
        Some(Time((seconds * 1000.0).round() as i64))
    }

    #[must_use]
    pub fn plus(self, duration: Duration) -> Time {
        Time(self.0.saturating_add(duration).clamp(Time::MIN.0, Time::MAX.0))
    }

    #[must_use]
    pub fn minus(self, duration: Duration) -> Time {
        self.plus(-duration)
    }

    /// `self - other` in milliseconds.
    pub fn since(self, other: Time) -> Duration {
        self.0.saturating_sub(other.0)
    }

    /// Only the time of day, UTC: `10:15:00`.
    pub fn clock(self) -> String {
        jiff::Timestamp::from_millisecond(self.0).map_or_else(|_| "?".to_owned(), |t| t.strftime("%H:%M:%S").to_string())
    }

    /// A human-readable duration: `45s`, `5m`, `1h30m`, `2d`.
    pub fn describe(duration: Duration) -> String {
        if duration < 0 {
            return format!("-{}", Self::describe(-duration));
        }
        if duration < SECOND {
            return format!("{duration}ms");
        }
        let mut rest = duration;
        let mut text = String::new();
        let mut parts = 0;
        for (size, unit) in [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s")] {
            if rest >= size && parts < 2 {
                text.push_str(&format!("{}{unit}", rest / size));
                rest %= size;
                parts += 1;
            } else if parts > 0 {
                break;
            }
        }
        text
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if *self >= Time::MAX {
            return f.write_str("never");
        }
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => write!(f, "{timestamp}"),
            Err(_) => f.write_str("out of range"),
        }
    }
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Time::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("invalid time `{text}`: use RFC 3339, like `2025-06-01T10:00:00Z`")))
    }
}

impl schemars::JsonSchema for Time {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "format": "date-time", "description": "RFC 3339, UTC"})
    }
}

#[cfg(test)]
mod tests {
    use super::{DAY, HOUR, MINUTE, SECOND, Time};

    #[test]
    fn reads_and_writes() {
        let cases = [("2025-06-01T10:00:00+08:00", "2025-06-01T02:00:00Z"), ("2025-06-01T02:00:00.123456789Z", "2025-06-01T02:00:00.123Z")];
        for (text, expected) in cases {
            assert_eq!(Time::parse(text).map(|t| t.to_string()).as_deref(), Some(expected));
        }
        assert_eq!(Time::parse("yesterday"), None);
        assert_eq!(Time::from_seconds(f64::NAN), None);
        assert_eq!(Time::from_seconds(1e18), None);
        assert_eq!(Time::from_seconds(1.5), Some(Time(1500)));
    }

    #[test]
    fn describes_durations() {
        for (duration, expected) in [
            (0, "0ms"),
            (45 * SECOND, "45s"),
            (90 * MINUTE, "1h30m"),
            (2 * DAY, "2d"),
            (DAY + HOUR, "1d1h"),
            (-MINUTE, "-1m"),
            (HOUR + SECOND, "1h"),
        ] {
            assert_eq!(Time::describe(duration), expected);
        }
    }
}
