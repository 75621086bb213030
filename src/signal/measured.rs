//! What an alert measured: the value, the threshold that it crossed, and the metric, read from its annotations.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A value beyond its threshold, as an alert tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// As the alert names it, if it does.
    pub metric: Option<String>,
    pub value: f64,
    pub threshold: f64,
}

/// Annotations that hold a number each.
const VALUES: &[&str] = &["observed", "value", "current", "current_value", "actual"];
const THRESHOLDS: &[&str] = &["threshold", "limit"];
const METRIC: &str = "metric";

/// What stands before a threshold in a sentence.
const BEYOND: &[&str] = &[
    "above",
    "over",
    "exceeds",
    "exceeded",
    "exceeding",
    "than",
    ">",
    ">=",
    "below",
    "under",
    "<",
    "<=",
    "高于",
    "超过",
    "大于",
    "低于",
    "小于",
];
/// What stands before the value.
const IS: &[&str] = &["is", "was", "at", "=", ":", "now", "value", "reached", "observed", "current", "currently", "为", "当前", "达到"];
/// Words that may follow [`BEYOND`] before the number: `greater than or equal to 5`.
const FILLING: &[&str] = &["or", "equal", "to", "threshold", "the", "limit", "of", "its", "阈值"];

impl Measured {
    /// From annotations of its own, else from the sentence `cpu of web is 98, above 25` in one of its texts.
    pub(super) fn of(annotations: &BTreeMap<String, String>) -> Option<Measured> {
        let number = |keys: &[&str]| keys.iter().find_map(|key| annotations.get(*key).and_then(|text| quantity(text)));
        let metric = annotations.get(METRIC).cloned();
        let own = number(VALUES).zip(number(THRESHOLDS)).filter(|(value, threshold)| value.unit == threshold.unit);
        if let Some((value, threshold)) = own {
            return Some(Measured { metric, value: value.number, threshold: threshold.number }).filter(Measured::is_sound);
        }
        let told = annotations.values().find_map(|text| sentence(text))?;
        Some(Measured { metric: metric.or(told.metric), ..told }).filter(Measured::is_sound)
    }

    fn is_sound(&self) -> bool {
        self.value.is_finite() && self.threshold.is_finite() && self.value != self.threshold
    }
}

struct Quantity {
    number: f64,
    unit: String,
}

/// `0.71`, `800ms`, `71%`; a word that merely begins with a digit is none.
fn quantity(word: &str) -> Option<Quantity> {
    let word = word.trim_matches(|c: char| matches!(c, ',' | ';' | '(' | ')' | '。' | '，' | '"' | '\'' | '[' | ']')).trim_end_matches('.');
    let digits = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E');
    let ends = (1..=word.len()).rev().filter(|end| word.is_char_boundary(*end));
    for end in ends {
        let (number, unit) = word.split_at(end);
        if !number.ends_with(|c: char| c.is_ascii_digit()) || !number.chars().all(digits) {
            continue;
        }
        let short = unit.chars().count() <= 4 && unit.chars().all(|c| c.is_alphabetic() || matches!(c, '%' | '/' | 'µ'));
        return number.parse().ok().filter(|_| short).map(|number| Quantity { number, unit: unit.to_owned() });
    }
    None
}

fn sentence(text: &str) -> Option<Measured> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let plain = |word: &str| word.trim_matches(|c: char| matches!(c, ',' | ';' | '(' | ')' | '，')).to_lowercase();
    let is = |list: &[&str], at: Option<usize>| at.and_then(|at| words.get(at)).is_some_and(|word| list.contains(&plain(word).as_str()));
    let after = |at: usize| (at + 1..words.len()).find(|next| !is(FILLING, Some(*next)));
    let beyond = (0..words.len())
        .find(|at| is(BEYOND, Some(*at)) && after(*at).is_some_and(|next| words.get(next).is_some_and(|w| quantity(w).is_some())))?;
    let limit = after(beyond)?;
    let threshold = quantity(words.get(limit)?)?;
    let told = (0..words.len()).filter(|at| *at != limit && is(IS, at.checked_sub(1)));
    let value = told.filter_map(|at| quantity(words.get(at)?)).find(|value| value.unit == threshold.unit)?;
    // `cpu_percent of web is 98`: the first word, if it looks like the name of a metric.
    let metric = words.first().filter(|word| word.contains('_') && is(&["of", "on"], Some(1))).map(|word| (*word).to_owned());
    Some(Measured { metric, value: value.number, threshold: threshold.number })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Measured;

    #[test]
    fn value_and_threshold_are_read() {
        let of = |list: &[(&str, &str)]| {
            let annotations: BTreeMap<String, String> = list.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
            Measured::of(&annotations).map(|found| (found.metric.unwrap_or_default(), found.value, found.threshold))
        };
        let said = |text: &str| of(&[("summary", text)]);
        assert_eq!(said("wire_latency of mail is 0.53, above 0.0023"), Some(("wire_latency".to_owned(), 0.53, 0.0023)));
        assert_eq!(said("search db_query_p99_ms exceeded 800ms (observed 871ms)"), Some((String::new(), 871.0, 800.0)));
        assert_eq!(said("payment 5xx error ratio above 2% (observed 71%)"), Some((String::new(), 71.0, 2.0)));
        assert_eq!(said("availability of site is 99.3, below 99.9"), Some((String::new(), 99.3, 99.9)));
        assert_eq!(said("cpu 当前 93% 超过 80%"), Some((String::new(), 93.0, 80.0)));
        assert_eq!(
            of(&[("summary", "failing"), ("metric", "m"), ("threshold", "0.05"), ("observed", "0.97")]),
            Some(("m".to_owned(), 0.97, 0.05))
        );
        for text in
            ["pods OOMKilled (3 in 1m); container_memory_rss exceeded limit", "latency is above its usual level", "p99 over 2s for 5m", ""]
        {
            assert_eq!(said(text), None, "{text}");
        }
    }
}
