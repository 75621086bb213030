//! Who writes: the language and time zone of the reader, and the estate, whose model names types and metrics in both languages.

use estate::Snapshot;
use value::{Duration, Time};

use super::{Lang, Locale};

/// Maximum number of names in a list.
const MAX_NAMES: usize = 5;

/// Makes sentences of typed reasons, for one reader.
#[derive(Clone, Copy)]
pub struct Writer<'a> {
    pub locale: &'a Locale,
    pub estate: &'a Snapshot,
}

impl Writer<'_> {
    pub fn lang(&self) -> Lang {
        self.locale.lang
    }

    /// One of two phrases.
    pub(super) fn say<'s>(&self, english: &'s str, chinese: &'s str) -> &'s str {
        match self.lang() {
            Lang::En => english,
            Lang::Zh => chinese,
        }
    }

    pub fn clock(&self, time: Time) -> String {
        self.locale.zone.clock(time)
    }

    /// `a, b and 3 more`.
    pub(super) fn list<S: AsRef<str>>(&self, names: &[S]) -> String {
        let shown = self.lang().listed(names.get(..MAX_NAMES).unwrap_or(names));
        match names.len().saturating_sub(MAX_NAMES) {
            0 => shown,
            more => match self.lang() {
                Lang::En => format!("{shown} and {more} more"),
                Lang::Zh => format!("{shown} 等 {} 个", names.len()),
            },
        }
    }

    /// The name of a type.
    pub fn kind(&self, kind: &str) -> String {
        self.lang().kind(self.estate.model(), kind)
    }

    /// The name of a metric of a component.
    pub fn metric(&self, component: Option<&str>, metric: &str) -> String {
        let kind = component.and_then(|id| self.estate.find(id)).map(|found| self.estate.component(found).kind.as_str());
        kind.map_or_else(|| metric.to_owned(), |kind| self.lang().member(self.estate.model(), kind, metric))
    }

    /// `5m`; in Chinese `5 分钟`.
    pub fn span(&self, duration: Duration) -> String {
        let short = Time::describe(duration);
        match self.lang() {
            Lang::En => short,
            Lang::Zh => chinese_span(&short),
        }
    }
}

/// `1h30m` as `1 小时 30 分钟`.
fn chinese_span(short: &str) -> String {
    let mut parts: Vec<(String, String)> = Vec::new();
    let mut in_number = false;
    for c in short.chars() {
        let number = c.is_ascii_digit() || c == '-';
        match parts.last_mut() {
            Some((digits, _)) if number && in_number => digits.push(c),
            Some((_, unit)) if !number => unit.push(c),
            Some(_) | None => parts.push((c.to_string(), String::new())),
        }
        in_number = number;
    }
    let named = |unit: &str| match unit {
        "ms" => "毫秒",
        "s" => "秒",
        "m" => "分钟",
        "h" => "小时",
        "d" => "天",
        _ => "",
    };
    parts.iter().map(|(digits, unit)| format!("{digits} {}", named(unit))).collect::<Vec<_>>().join(" ")
}

/// `97893` as `97,893`: only whole numbers of five digits or more, with or without a unit behind them.
pub(super) fn grouped(value: &str) -> String {
    let digits = value.chars().take_while(char::is_ascii_digit).count();
    if digits < 5 {
        return value.to_owned();
    }
    let mut text = String::new();
    for (at, c) in value.chars().enumerate() {
        if at > 0 && at < digits && (digits - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{chinese_span, grouped};

    #[test]
    fn numbers_and_spans() {
        for (value, expected) in
            [("97893", "97,893"), ("1234567.5", "1,234,567.5"), ("9789", "9789"), ("12345ms", "12,345ms"), ("ok", "ok")]
        {
            assert_eq!(grouped(value), expected);
        }
        for (span, expected) in [("1h30m", "1 小时 30 分钟"), ("45s", "45 秒"), ("0ms", "0 毫秒"), ("-5m", "-5 分钟")] {
            assert_eq!(chinese_span(span), expected);
        }
    }
}
