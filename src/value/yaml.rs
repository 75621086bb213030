//! YAML and JSON as a tree in which every key and value has its place, so that one run reports every error in a file.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::granit_parser::ErrorKind;
use serde_saphyr::{Budget, ExternalMessageSource, Options, Spanned};

use diag::{Code, Diagnostic, Place, SourceId, Sources, Span, Text, text};

/// A value with its place.
#[derive(Debug, Clone)]
pub struct Node {
    pub place: Place,
    pub value: Value,
}

#[derive(Debug, Clone)]
pub enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    /// In the order of the file; keys are unique.
    Map(Vec<(Key, Node)>),
}

#[derive(Debug, Clone)]
pub struct Key {
    pub place: Place,
    pub name: String,
}

/// Most aliases in one file; real files use hundreds at most.
const MAX_ALIASES: usize = 10_000;

/// Most values that all aliases of one file may repeat in total, so that a few lines cannot expand into billions.
const MAX_REPEATED: usize = 200_000;

/// Deeper nesting is rejected; no real file comes near it.
pub const MAX_DEPTH: usize = 64;

impl Node {
    /// The kind of the value, as error messages name it.
    pub fn kind(&self) -> Text {
        match self.value {
            Value::Null => text!("nothing"),
            Value::Bool(_) => text!("true or false"),
            Value::Number(_) => text!("a number"),
            Value::Text(_) => text!("text"),
            Value::List(_) => text!("a list"),
            Value::Map(_) => text!("a map"),
        }
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(k, _)| k.name == key).map(|(_, node)| node),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }

    /// Text, or a number or truth value as it would be written: ids like `42` need no quotes.
    pub fn scalar(&self) -> Option<String> {
        match &self.value {
            Value::Text(text) => Some(text.clone()),
            Value::Number(number) => Some(super::format_number(*number)),
            Value::Bool(value) => Some(value.to_string()),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }
}

/// Parses a whole file. One syntax error ends the parse; it is returned with its place.
pub fn parse(sources: &Sources, source: SourceId) -> Result<Node, Box<Diagnostic>> {
    let text = sources.text(source);
    let text_start = if text.starts_with('\u{FEFF}') { '\u{FEFF}'.len_utf8() } else { 0 };
    let body = text.get(text_start..).unwrap_or("");
    if body.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Node { place: Place::new(source, Span::new(0, 0)), value: Value::Null });
    }
    let mut budget = Budget::default();
    // A project of a million components is a legitimate file; aliases stay limited, so a bomb is still refused.
    budget.max_nodes = 60_000_000;
    budget.max_events = 120_000_000;
    budget.max_depth = MAX_DEPTH;
    budget.max_total_scalar_bytes = 2 << 30;
    budget.max_aliases = MAX_ALIASES;
    let mut options = Options::default();
    options.budget = Some(budget);
    options.alias_limits.max_total_replayed_events = MAX_REPEATED;
    // YAML 1.2: an owner called `y` and a country called `no` are text.
    options.strict_booleans = true;
    let raw: Spanned<Raw> = serde_saphyr::from_str_with_options(body, options).map_err(|error| {
        let place = error.location().map_or(Span::new(0, 0), |at| {
            let offset = sources.offset(source, usize::try_from(at.line()).unwrap_or(1), usize::try_from(at.column()).unwrap_or(1));
            Span::new(offset, offset + 1)
        });
        if let Some(limit) = exceeded(error.without_snippet()) {
            let help = text!("write the values out, or split the file");
            return Box::new(Diagnostic::error(Code::YAML, Place::new(source, place), limit).help(help));
        }
        let message = error.without_snippet().to_string();
        // The place is shown anyway, and the user cannot set the parser's options.
        let first = message.lines().next().unwrap_or("");
        let first = first.split(" at line ").next().unwrap_or(first);
        let first = first.split(", set DuplicateKeyPolicy").next().unwrap_or(first).trim_end_matches([',', ':', ' ', '.']).to_owned();
        Box::new(Diagnostic::error(Code::YAML, Place::new(source, place), text!("invalid YAML: {}", first)))
    })?;
    Ok(place(raw, source, text_start))
}

/// The limit that a file exceeds, if that is the error.
fn exceeded(error: &serde_saphyr::Error) -> Option<Text> {
    use serde_saphyr::Error;
    use serde_saphyr::budget::BudgetBreach;
    match error {
        Error::AliasError { error, .. } => exceeded(error),
        Error::AliasReplayLimitExceeded { .. } | Error::AliasReplayCounterOverflow { .. } => {
            Some(text!("aliases (`*name`) repeat more than {} values", MAX_REPEATED))
        }
        Error::AliasReplayStackDepthExceeded { .. } => Some(text!("aliases (`*name`) are nested too deeply")),
        Error::Budget { breach: BudgetBreach::Aliases { .. }, .. } => Some(text!("more than {} aliases (`*name`)", MAX_ALIASES)),
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => Some(too_deep()),
        // Brackets are counted ahead of the budget, up to a higher limit of the library.
        Error::ExternalMessage { source, .. } if is_recursion(source) => Some(too_deep()),
        Error::Budget { .. } => Some(text!("the file is too large or too complex")),
        // Other errors of the library; the enum is non-exhaustive.
        _ => None,
    }
}

fn too_deep() -> Text {
    text!("nested more than {} levels deep", MAX_DEPTH)
}

fn is_recursion(source: &ExternalMessageSource) -> bool {
    matches!(source, ExternalMessageSource::Parser(error) if *error.kind() == ErrorKind::RecursionLimitExceeded)
}

fn place(raw: Spanned<Raw>, source: SourceId, shift: usize) -> Node {
    let at = span(&raw, source, shift);
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(value) => Value::Bool(value),
        Raw::Number(value) => Value::Number(value),
        Raw::Text(value) => Value::Text(value),
        Raw::List(items) => Value::List(items.into_iter().map(|item| place(item, source, shift)).collect()),
        Raw::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, node)| (Key { place: span(&key, source, shift), name: key.value }, place(node, source, shift)))
                .collect(),
        ),
    };
    Node { place: at, value }
}

fn span<T>(spanned: &Spanned<T>, source: SourceId, shift: usize) -> Place {
    let at = spanned.referenced.span();
    let start = at.byte_offset().and_then(|o| usize::try_from(o).ok()).unwrap_or(0);
    let len = at.byte_len().and_then(|o| usize::try_from(o).ok()).unwrap_or(0);
    Place::new(source, Span::new(start + shift, start + shift + len))
}

enum Raw {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

#[allow(clippy::cast_precision_loss, reason = "numbers in these files are far below 2^53")]
impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }
    fn visit_bool<E>(self, v: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(v))
    }
    fn visit_i64<E>(self, v: i64) -> Result<Raw, E> {
        Ok(Raw::Number(v as f64))
    }
    fn visit_u64<E>(self, v: u64) -> Result<Raw, E> {
        Ok(Raw::Number(v as f64))
    }
    fn visit_f64<E>(self, v: f64) -> Result<Raw, E> {
        Ok(Raw::Number(v))
    }
    fn visit_str<E>(self, v: &str) -> Result<Raw, E> {
        Ok(Raw::Text(v.to_owned()))
    }
    fn visit_string<E>(self, v: String) -> Result<Raw, E> {
        Ok(Raw::Text(v))
    }
    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }
    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}
