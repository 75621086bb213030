//! Label matchers as Alertmanager's tools write them: `severity="critical"`, `team=~"a|b"`, several in braces.

use std::collections::BTreeMap;

use regex::Regex;

use super::alertmanager::anchored;

#[derive(Debug)]
enum Test {
    Equal(String),
    Pattern(Regex),
}

/// One condition on one label. A label that an alert does not have is empty.
#[derive(Debug)]
pub struct Matcher {
    name: String,
    test: Test,
    negated: bool,
}

impl Matcher {
    pub fn fits(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.name).map_or("", String::as_str);
        let fits = match &self.test {
            Test::Equal(wanted) => value == wanted,
            Test::Pattern(pattern) => pattern.is_match(value),
        };
        fits != self.negated
    }
}

/// One matcher, or several between commas, with or without braces.
///
/// # Errors
/// What is wrong, in words.
pub fn matchers(text: &str) -> Result<Vec<Matcher>, String> {
    let text = text.trim();
    let inside = match (text.strip_prefix('{'), text.strip_suffix('}')) {
        (Some(rest), Some(_)) => rest.strip_suffix('}').unwrap_or(rest),
        (None, None) => text,
        (Some(_), None) | (None, Some(_)) => return Err(format!("a brace is missing in `{text}`")),
    };
    let mut rest = inside.trim();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (matcher, behind) = matcher(rest)?;
        found.push(matcher);
        let behind = behind.trim_start();
        rest = match behind.strip_prefix(',') {
            Some(next) => next.trim_start(),
            None if behind.is_empty() => behind,
            None => return Err(format!("a comma is missing before `{behind}`")),
        };
    }
    if found.is_empty() { Err("it is empty".to_owned()) } else { Ok(found) }
}

/// The first matcher of a text, and what is behind it.
fn matcher(text: &str) -> Result<(Matcher, &str), String> {
    let (name, rest) = if text.starts_with('"') {
        quoted(text)?
    } else {
        let end = text.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | ':' | '.' | '-' | '/'))).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        (name.to_owned(), rest)
    };
    if name.is_empty() {
        return Err(format!("no name of a label at `{text}`"));
    }
    let rest = rest.trim_start();
    let operators = [("=~", true, false), ("!~", true, true), ("!=", false, true), ("=", false, false)];
    let operator = operators.into_iter().find_map(|(sign, pattern, negated)| Some((rest.strip_prefix(sign)?, pattern, negated)));
    let Some((rest, pattern, negated)) = operator else { return Err(format!("no `=`, `!=`, `=~` or `!~` after `{name}`")) };
    let rest = rest.trim_start();
    let (value, rest) = if rest.starts_with('"') {
        quoted(rest)?
    } else {
        let (value, _) = rest.split_once(',').unwrap_or((rest, ""));
        (value.trim_end().to_owned(), rest.strip_prefix(value).unwrap_or(""))
    };
    let wanted = if pattern { Test::Pattern(anchored(&value).map_err(|error| error.to_string())?) } else { Test::Equal(value) };
    Ok((Matcher { name, test: wanted, negated }, rest))
}

/// The text between the quotes with which it begins, and what is behind them.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut chars = text.chars();
    chars.next();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok((value, chars.as_str())),
            '\\' => match chars.next() {
                Some('n') => value.push('\n'),
                Some(same @ ('"' | '\\')) => value.push(same),
                // A pattern has escapes of its own.
                Some(other) => value.extend(['\\', other]),
                None => break,
            },
            other => value.push(other),
        }
    }
    Err(format!("a quote is missing in `{text}`"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::matchers;

    #[test]
    fn who_fits() {
        let labels = [("alertname", "Slow"), ("severity", "critical"), ("path", "/a,b"), ("quoted", "say \"hi\"")];
        let labels: BTreeMap<String, String> = labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        for (text, fits) in [
            (r#"alertname="Slow""#, true),
            ("alertname=Slow", true),
            (r#"alertname="slow""#, false),
            (r#"alertname=~"S.*""#, true),
            (r#"alertname=~"low""#, false),
            (r#"alertname!~"low""#, true),
            (r#"alertname!="Slow""#, false),
            (r#"team="""#, true),
            (r#"team!="a""#, true),
            (r#"team=~".+""#, false),
            (r#"{alertname="Slow", severity=~"critical|warning"}"#, true),
            (r#"{alertname="Slow",severity="warning",}"#, false),
            (r#"path="/a,b""#, true),
            (r#"quoted="say \"hi\"""#, true),
            (r#"severity=~"crit\w+""#, true),
            (r#""severity"="critical""#, true),
        ] {
            let found = matchers(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(found.iter().all(|matcher| matcher.fits(&labels)), fits, "{text}");
        }
    }

    #[test]
    fn what_is_no_matcher() {
        for text in ["", "{}", "alertname", "=a", r#"a="b"#, r#"a="b" c="d""#, r#"{a="b""#, r#"a=~"(""#, "a>b"] {
            assert!(matchers(text).is_err(), "{text}");
        }
    }
}
