//! The text of a message with places for what is known of the incident: `{incident.component}`.
//!
//! A line whose places are all empty is left out. A line with a list is repeated for each entry. All other braces are ordinary text.

use std::collections::BTreeMap;

/// What a template may ask for.
pub const NAMES: &[&str] = &[
    "incident.id",
    "incident.status",
    "incident.severity",
    "incident.component",
    "incident.fault",
    "incident.verdict",
    "incident.sureness",
    "incident.since",
    "incident.ended",
    "incident.affected",
    "incident.impact",
    "incident.check",
    "incident.fix",
    "incident.before",
    "incident.owner",
    "incident.assignee",
    "incident.tags",
    "incident.news",
    "incident.link",
];

/// For each name what is known, one entry or a list; nothing if it is not known.
pub type Values = BTreeMap<&'static str, Vec<String>>;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    lines: Vec<Vec<Part>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(&'static str),
}

impl Template {
    /// # Errors
    /// A name that no incident has.
    pub fn parse(text: &str) -> Result<Template, String> {
        let lines = text.trim_end().lines().map(parts).collect::<Result<_, _>>()?;
        Ok(Template { lines })
    }

    /// The lines with the values in place, each made harmless by `escape`. Text of the template itself stays as it is.
    pub fn fill(&self, values: &Values, escape: impl Fn(&str) -> String) -> Vec<String> {
        let mut filled = Vec::new();
        for line in &self.lines {
            let lists: Vec<&[String]> = line.iter().filter_map(|part| part.list(values)).collect();
            // A line without places stands once.
            let times = if lists.is_empty() { 1 } else { lists.iter().map(|list| list.len()).max().unwrap_or(0) };
            for at in 0..times {
                filled.push(line.iter().map(|part| part.at(at, values, &escape)).collect());
            }
        }
        filled
    }
}

impl Part {
    fn list<'v>(&self, values: &'v Values) -> Option<&'v [String]> {
        match self {
            Part::Text(_) => None,
            Part::Value(name) => Some(values.get(name).map_or(&[][..], Vec::as_slice)),
        }
    }

    fn at(&self, at: usize, values: &Values, escape: &impl Fn(&str) -> String) -> String {
        match self {
            Part::Text(text) => text.clone(),
            Part::Value(name) => {
                let list = values.get(name).map_or(&[][..], Vec::as_slice);
                // What is no list is the same on each of the repeated lines.
                let found = if list.len() == 1 { list.first() } else { list.get(at) };
                found.map_or_else(String::new, |value| escape(value))
            }
        }
    }
}

fn parts(line: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("{incident.") {
        plain.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            plain.push_str("{incident.");
            rest = after;
            continue;
        };
        let name = format!("incident.{name}");
        let Some(known) = NAMES.iter().copied().find(|known| *known == name) else { return Err(name) };
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(Part::Value(known));
        rest = behind;
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::{Template, Values};

    #[test]
    fn lines_come_as_often_as_there_is_something_to_say() {
        let values = Values::from([
            ("incident.id", vec!["7".to_owned()]),
            ("incident.check", vec!["one".to_owned(), "two".to_owned()]),
            ("incident.owner", Vec::new()),
        ]);
        for (text, expected) in [
            ("no places", vec!["no places"]),
            ("{incident.id}: {incident.check}", vec!["7: <one>", "7: <two>"]),
            ("tell {incident.owner}", vec![]),
            ("tell {incident.owner} of {incident.id}", vec!["tell  of 7"]),
            ("{a} {} {incident.", vec!["{a} {} {incident."]),
            ("a\n\nb\n", vec!["a", "", "b"]),
        ] {
            let escape = |value: &str| if value == "7" { value.to_owned() } else { format!("<{value}>") };
            assert_eq!(Template::parse(text).unwrap().fill(&values, escape), expected, "{text}");
        }
        assert_eq!(Template::parse("{incident.colour}"), Err("incident.colour".to_owned()));
    }
}
