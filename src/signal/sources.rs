//! Reads `topology/sources.yaml` and reports all of its errors in one run.

mod conditions;
mod metrics;
mod outside;

use std::collections::BTreeMap;

use regex::Regex;

use diag::{Code, Diagnostic, Place, SourceId, Sources, Text, did_you_mean, nearest, text};
use value::yaml;
use yaml::{Node, Value};

use super::mapping_rules::{By, EventKind, Key, MappingRules, Part, Rule};
use super::trouble::Trouble;

impl MappingRules {
    /// Reads the file. Entries with an error are reported and left out, the others stay.
    pub fn read(sources: &Sources, source: SourceId) -> (MappingRules, Vec<Diagnostic>) {
        let mut placement = MappingRules::default();
        let root = match yaml::parse(sources, source) {
            Ok(root) => root,
            Err(diagnostic) => return (placement, vec![*diagnostic]),
        };
        let mut reader = Reader::default();
        if matches!(root.value, Value::Null) || !reader.fields(&root, KEYS) {
            return (placement, reader.diagnostics);
        }
        placement.only_rules = reader.switch(&root, "builtin", true) == Ok(false);
        for (entry, number) in reader.entries(&root, "placement").iter().zip(1..) {
            placement.rules.extend(reader.rule(entry, number));
        }
        for entry in reader.entries(&root, "metrics") {
            placement.metrics.extend(reader.metric(entry));
        }
        for entry in reader.entries(&root, "events") {
            if let Some((name, kind)) = reader.event(entry)
                && let Some(before) = placement.events.insert(name.clone(), kind)
                && before != kind
            {
                reader.warn(entry, text!("event type `{}` has two kinds: the last entry counts", name), "keep one of them");
            }
        }
        for entry in reader.entries(&root, "scores") {
            placement.scores.extend(reader.score(entry));
        }
        for entry in reader.entries(&root, "scorers") {
            let scorer = reader.scorer(entry, &placement.scorers);
            placement.scorers.extend(scorer);
        }
        for entry in reader.entries(&root, "troubles") {
            placement.troubles.extend(reader.trouble(entry));
        }
        (placement, reader.diagnostics)
    }
}

/// What `import` says is read by package `estate`: imports apply it.
const KEYS: &[&str] = &["builtin", "placement", "metrics", "events", "scores", "scorers", "troubles", "import"];

#[derive(Default)]
struct Reader {
    diagnostics: Vec<Diagnostic>,
}

impl Reader {
    fn wrong(&mut self, node: &Node, expected: &'static str) {
        let message = text!("expected {}, found {}", Text::from(expected), node.kind());
        self.diagnostics.push(Diagnostic::error(Code::WRONG_KIND, node.place, message));
    }

    fn bad(&mut self, place: Place, message: impl Into<Text>, help: impl Into<Text>) {
        self.diagnostics.push(Diagnostic::error(Code::BAD_PLACEMENT, place, message).help(help));
    }

    /// About an entry that is valid, and probably not what was meant.
    fn warn(&mut self, entry: &Node, message: impl Into<Text>, help: impl Into<Text>) {
        let diagnostic = Diagnostic::warning(Code::IDLE_MAPPING, first(entry).place, message);
        self.diagnostics.push(diagnostic.help(help));
    }

    /// Whether the node is a map; unknown keys in it are reported.
    fn fields(&mut self, node: &Node, known: &[&str]) -> bool {
        let Value::Map(entries) = &node.value else {
            self.wrong(node, "a map");
            return false;
        };
        for (key, _) in entries {
            if !known.contains(&key.name.as_str()) {
                let help =
                    nearest(&key.name, known.iter().copied()).map_or_else(|| text!("known keys: {}", known.join(", ")), did_you_mean);
                self.diagnostics.push(Diagnostic::error(Code::UNKNOWN_KEY, key.place, text!("unknown key `{}`", key.name)).help(help));
            }
        }
        true
    }

    /// The elements of a list under a key; none if it is absent or empty. An element that stands there twice is reported.
    fn entries<'n>(&mut self, node: &'n Node, key: &str) -> &'n [Node] {
        let Some(list) = node.get(key) else { return &[] };
        match &list.value {
            Value::List(items) => {
                let mut known: BTreeMap<String, usize> = BTreeMap::new();
                for (item, number) in items.iter().zip(1..) {
                    let first = *known.entry(written(item)).or_insert(number);
                    if first != number {
                        let message = text!("entry {} of `{}` is the same as entry {}", number, key, first);
                        self.warn(item, message, "delete one of them");
                    }
                }
                items
            }
            Value::Null => &[],
            Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Map(_) => {
                self.wrong(list, "a list");
                &[]
            }
        }
    }

    /// An optional text; `Err` for a value of another kind.
    fn text(&mut self, node: &Node, key: &str) -> Result<Option<String>, ()> {
        let Some(value) = node.get(key) else { return Ok(None) };
        match value.scalar() {
            Some(text) => Ok(Some(text)),
            None => {
                self.wrong(value, "text");
                Err(())
            }
        }
    }

    fn required(&mut self, node: &Node, key: &str) -> Option<String> {
        let found = self.text(node, key).ok()?;
        if found.is_none() {
            self.diagnostics.push(Diagnostic::error(Code::MISSING_KEY, node.place, text!("missing key `{}`", key)));
        }
        found
    }

    /// A map of texts: labels and their values.
    fn labels(&mut self, node: &Node, key: &str) -> Option<BTreeMap<String, String>> {
        let Some(map) = node.get(key) else { return Some(BTreeMap::new()) };
        let Value::Map(entries) = &map.value else {
            self.wrong(map, "a map of labels and their values");
            return None;
        };
        let mut labels = BTreeMap::new();
        for (name, value) in entries {
            let Some(text) = value.scalar() else {
                self.wrong(value, "text");
                return None;
            };
            labels.insert(name.name.clone(), text);
        }
        Some(labels)
    }

    /// `true` or `false`; `Err` for a value of another kind.
    fn switch(&mut self, node: &Node, key: &str, default: bool) -> Result<bool, ()> {
        match node.get(key).map(|value| (value, &value.value)) {
            None => Ok(default),
            Some((_, Value::Bool(value))) => Ok(*value),
            Some((value, _)) => {
                self.wrong(value, "true or false");
                Err(())
            }
        }
    }

    /// Words of alerts, with the kind of trouble that they tell.
    fn trouble(&mut self, node: &Node) -> Option<(String, Trouble)> {
        if !self.fields(node, &["words", "kind"]) {
            return None;
        }
        let (words, kind) = (self.required(node, "words"), self.required(node, "kind"));
        let (words, kind) = (words?, kind?);
        let Some(trouble) = Trouble::parse(&kind) else {
            let place = node.get("kind").map_or(node.place, |node| node.place);
            self.bad(place, text!("`{}` is not a kind of trouble", kind), "expected `failing` or `starved`");
            return None;
        };
        Some((words, trouble))
    }

    fn rule(&mut self, node: &Node, number: usize) -> Option<Rule> {
        if !self.fields(node, &["label", "template", "when", "not", "drop", "pattern", "by"]) {
            return None;
        }
        // All parts are read before a missing one stops reading, so that every error is reported.
        let drop = self.switch(node, "drop", false);
        let has_key = node.get("label").is_some() || node.get("template").is_some();
        let has_condition = node.get("when").is_some() || node.get("not").is_some();
        let key = if drop == Ok(true) && !has_key && has_condition { Some(Key::Nothing) } else { self.key(node) };
        let when = self.choices(node, "when");
        let not = self.choices(node, "not");
        let pattern = self.pattern(node);
        let by = self.by(node);
        let (by, by_places) = by?;
        let place = node.get("label").or_else(|| node.get("template")).unwrap_or_else(|| first(node)).place;
        Some(Rule {
            number,
            key: key?,
            when: when?,
            not: not?,
            drop: drop.ok()?,
            pattern: pattern.ok()?,
            by,
            by_places,
            written: written(node),
            place,
        })
    }

    fn key(&mut self, node: &Node) -> Option<Key> {
        let label = self.text(node, "label").ok()?;
        let template = self.text(node, "template").ok()?;
        match (label, template) {
            (Some(label), None) if !label.is_empty() => Some(Key::Label(label)),
            (None, Some(text)) => match parts(&text) {
                Ok(parts) => Some(Key::Template(parts)),
                Err(message) => {
                    let place = node.get("template").map_or(node.place, |n| n.place);
                    self.bad(place, message, "use text with labels in braces, like \"{namespace}/{pod}\"");
                    None
                }
            },
            (Some(_), _) | (None, None) => {
                self.bad(node.place, "a placement needs either a `label` or a `template`", "use one of them, like `{label: component}`");
                None
            }
        }
    }

    fn pattern(&mut self, node: &Node) -> Result<Option<Regex>, ()> {
        let Some(text) = self.text(node, "pattern")? else { return Ok(None) };
        let place = node.get("pattern").map_or(node.place, |n| n.place);
        match Regex::new(&text) {
            Ok(pattern) if pattern.captures_len() < 2 => {
                self.bad(place, "a pattern needs a group", "put parentheses around the part that names the component, like '^(.+):\\d+$'");
                Err(())
            }
            Ok(pattern) => {
                self.takes_all(place, &pattern);
                Ok(Some(pattern))
            }
            Err(error) => {
                self.no_regex(place, &text, &error);
                Err(())
            }
        }
    }

    /// What to compare with, and where each of it is written.
    fn by(&mut self, node: &Node) -> Option<(Vec<By>, Vec<Place>)> {
        let Some(list) = node.get("by") else { return Some((vec![By::Id, By::Name], Vec::new())) };
        let names: Vec<&Node> = match &list.value {
            Value::List(items) => items.iter().collect(),
            Value::Text(_) => vec![list],
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Map(_) => {
                self.wrong(list, "a list of `id`, `name` or attributes");
                return None;
            }
        };
        let places = names.iter().map(|name| name.place).collect();
        let mut all = Vec::new();
        for name in names {
            match name.text() {
                Some("id") => all.push(By::Id),
                Some("name") => all.push(By::Name),
                Some(attribute) => all.push(By::Attribute(attribute.to_owned())),
                None => {
                    self.wrong(name, "`id`, `name` or an attribute");
                    return None;
                }
            }
        }
        if all.is_empty() {
            self.bad(list.place, "`by` must not be empty", "omit `by` for the default, [id, name]");
            return None;
        }
        Some((all, places))
    }

    fn event(&mut self, node: &Node) -> Option<(String, EventKind)> {
        if !self.fields(node, &["type", "as"]) {
            return None;
        }
        let name = self.required(node, "type");
        let kind = self.required(node, "as")?;
        let kind = match kind.as_str() {
            "change" => EventKind::Change,
            "probe" => EventKind::Probe,
            "report" => EventKind::Report,
            other => {
                let place = node.get("as").map_or(node.place, |n| n.place);
                self.bad(place, text!("unknown event kind `{}`", other), "use one of change, probe, report");
                return None;
            }
        };
        Some((name?, kind))
    }
}

/// The first value of an entry, which says what it is about; the entry itself if it has none.
fn first(entry: &Node) -> &Node {
    match &entry.value {
        Value::Map(fields) => fields.first().map_or(entry, |(_, value)| value),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) => entry,
    }
}

/// What a value says, however it is laid out.
fn written(node: &Node) -> String {
    match &node.value {
        Value::Null => "~".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Text(text) => format!("{text:?}"),
        Value::List(items) => format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(",")),
        Value::Map(fields) => {
            let mut fields: Vec<String> = fields.iter().map(|(key, value)| format!("{:?}:{}", key.name, written(value))).collect();
            fields.sort_unstable();
            format!("{{{}}}", fields.join(","))
        }
    }
}

/// Cuts a template into its pieces.
fn parts(template: &str) -> Result<Vec<Part>, Text> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        let Some((label, behind)) = after.split_once('}') else { return Err(text!("unclosed brace in `{}`", template)) };
        if label.trim().is_empty() {
            return Err(text!("empty braces in `{}`", template));
        }
        parts.push(Part::Label(label.trim().to_owned()));
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    if parts.iter().any(|part| matches!(part, Part::Label(_))) { Ok(parts) } else { Err(text!("no label in `{}`", template)) }
}
