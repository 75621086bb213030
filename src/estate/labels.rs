//! What labels and annotations of imported objects mean for an estate: the section `import` of `topology/sources.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use diag::{Code, Diagnostic, Place, SourceId, Sources, suggestion, text};
use value::fields::{Reader, listed};
use value::yaml::{self, Node};

use super::component::Tier;
use super::snapshot::Snapshot;

/// The type of what a component serves in the end.
pub const BUSINESS_LINE: &str = "business_line";

/// Labels that fill fields, in the order of the file.
#[derive(Debug, Clone, Default)]
pub struct LabelRules {
    rules: Vec<LabelRule>,
}

#[derive(Debug, Clone)]
struct LabelRule {
    tag: Tag,
    fills: Fills,
    /// What the values of the label mean; without it, they mean themselves.
    values: Option<BTreeMap<String, String>>,
}

/// A label or an annotation, by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tag {
    Label(String),
    Annotation(String),
}

/// What a label fills.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fills {
    Owner,
    Tier,
    Environment,
    /// The component serves the business line of that id.
    BusinessLine,
    Attribute(String),
}

/// What the labels of one object say.
#[derive(Debug, Clone, Default)]
pub struct Labelled {
    /// Each field once.
    pub filled: BTreeMap<Fills, String>,
    /// Labels with a value that `values` does not name.
    pub unnamed: Vec<(Tag, String)>,
}

/// What `as` may be, without attributes.
static PLAIN: [(&str, Fills); 4] =
    [("owner", Fills::Owner), ("tier", Fills::Tier), ("environment", Fills::Environment), (BUSINESS_LINE, Fills::BusinessLine)];

const FIELDS: [&str; 4] = ["label", "annotation", "as", "values"];

impl LabelRules {
    /// Reads the section. Entries with an error are reported and left out, the others stay.
    pub fn read(sources: &Sources, source: SourceId, estate: &Snapshot) -> (LabelRules, Vec<Diagnostic>) {
        let mut found = LabelRules::default();
        let mut reader = Reader::new(sources);
        // A file that is no map is an error of the whole file, which the reader of the other sections reports.
        let root = yaml::parse(sources, source);
        let Some(section) = root.as_ref().ok().and_then(|root| root.get("import")) else { return (found, reader.diagnostics) };
        let mut seen: BTreeMap<(Tag, Fills), Place> = BTreeMap::new();
        for node in reader.list(section, "`import`") {
            let Some(rule) = rule(&mut reader, node, estate) else { continue };
            let key = (rule.tag.clone(), rule.fills.clone());
            if let Some(first) = seen.get(&key) {
                let message = text!("`{}` fills `{}` twice", rule.tag.name(), rule.fills);
                let report = Diagnostic::error(Code::DUPLICATE_NAME, node.place, message).help("keep one of the two entries");
                reader.report(report.related(*first, "first given here"));
                continue;
            }
            seen.insert(key, node.place);
            found.rules.push(rule);
        }
        (found, reader.diagnostics)
    }

    /// What the labels of an object say; `value` gives the value of each. Of several that fill one field, the first that is there counts.
    pub fn labelled(&self, value: impl Fn(&Tag) -> Option<String>) -> Labelled {
        let mut labelled = Labelled::default();
        for rule in &self.rules {
            if labelled.filled.contains_key(&rule.fills) {
                continue;
            }
            let Some(found) = value(&rule.tag) else { continue };
            let found = found.trim();
            let meant = match &rule.values {
                None => Some(found),
                Some(values) => values.get(found).map(String::as_str),
            };
            match meant.filter(|meant| !meant.is_empty()) {
                Some(meant) => drop(labelled.filled.insert(rule.fills.clone(), meant.to_owned())),
                None if found.is_empty() => {}
                None => labelled.unnamed.push((rule.tag.clone(), found.to_owned())),
            }
        }
        labelled
    }
}

fn rule(reader: &mut Reader<'_>, node: &Node, estate: &Snapshot) -> Option<LabelRule> {
    let fields = reader.fields(node, "an entry of `import`", &FIELDS)?;
    let tag = match (fields.get("label"), fields.get("annotation")) {
        (Some(node), None) => reader.text(node, "`label`").map(Tag::Label),
        (None, Some(node)) => reader.text(node, "`annotation`").map(Tag::Annotation),
        (Some(_), Some(_)) | (None, None) => {
            let message = text!("an entry of `import` needs either a `label` or an `annotation`");
            reader.report(
                Diagnostic::error(Code::BAD_PLACEMENT, node.place, message).help("use one of them, like `{label: team, as: owner}`"),
            );
            None
        }
    };
    let fills = reader.required(&fields, "as").and_then(|node| fills(reader, node, estate));
    let values = fields.get("values").map(|node| values(reader, node, fills.as_ref(), estate));
    Some(LabelRule { tag: tag?, fills: fills?, values })
}

fn fills(reader: &mut Reader<'_>, node: &Node, estate: &Snapshot) -> Option<Fills> {
    let word = reader.word(node, "`as`")?;
    let said = word.text.trim();
    if let Some((_, plain)) = PLAIN.iter().find(|(name, _)| *name == said) {
        return Some(plain.clone());
    }
    let types = || estate.model().types.values();
    let Some(name) = said.strip_prefix("attribute").filter(|rest| rest.starts_with(char::is_whitespace)).map(str::trim) else {
        let names: Vec<&str> = PLAIN.iter().map(|(name, _)| *name).chain(["attribute NAME"]).collect();
        let help = suggestion(said, names.iter().copied()).unwrap_or_else(|| text!("use one of {}", listed(&names)));
        let message = text!("a label cannot fill `{}`", said);
        reader.report(Diagnostic::error(Code::BAD_PLACEMENT, word.place, message).help(help));
        return None;
    };
    let mut attributes = types().flat_map(|one| one.attributes.values());
    if let Some(found) = attributes.find(|one| one.name == name || one.zh.as_deref() == Some(name)) {
        return Some(Fills::Attribute(found.name.clone()));
    }
    let known: BTreeSet<&str> = types().flat_map(|one| one.attributes.keys()).map(String::as_str).collect();
    let help = suggestion(name, known).unwrap_or_else(|| text!("declare it under `attributes` of a type in `topology/model.yaml`"));
    let message = text!("no type declares an attribute `{}`", name);
    reader.report(Diagnostic::error(Code::BAD_PLACEMENT, word.place, message).help(help));
    None
}

/// What each value of a label means. A meaning that cannot be is reported and left out.
fn values(reader: &mut Reader<'_>, node: &Node, fills: Option<&Fills>, estate: &Snapshot) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for (key, node) in reader.map(node, "`values`") {
        let Some(word) = reader.word(node, "a value of `values`") else { continue };
        let said = word.text.trim();
        let meant = match fills {
            Some(Fills::Tier) => tier(reader, said, word.place),
            Some(Fills::BusinessLine) => line(reader, said, word.place, estate),
            Some(Fills::Owner | Fills::Environment | Fills::Attribute(_)) | None => Some(said.to_owned()),
        };
        values.extend(meant.map(|meant| (key.name.trim().to_owned(), meant)));
    }
    values
}

fn tier(reader: &mut Reader<'_>, said: &str, place: Place) -> Option<String> {
    let found = Tier::parse(said).map(|tier| tier.name().to_owned());
    if found.is_none() {
        let names: Vec<&str> = Tier::ALL.iter().map(|tier| tier.name()).chain(Tier::ALL.iter().map(|tier| tier.zh())).collect();
        let help = suggestion(said, names.iter().copied()).unwrap_or_else(|| text!("use one of {}", listed(&names)));
        let message = text!("{} cannot be `{}`", text!("`tier`"), said);
        reader.report(Diagnostic::error(Code::WRONG_KIND, place, message).help(help));
    }
    found
}

/// The id of a business line, by id or name. The import declares those that the project does not.
fn line(reader: &mut Reader<'_>, said: &str, place: Place, estate: &Snapshot) -> Option<String> {
    let Some(found) = estate.find_named(said).map(|id| estate.component(id)) else { return Some(said.to_owned()) };
    if estate.model().is_a(&found.kind, BUSINESS_LINE) {
        return Some(found.id.clone());
    }
    let message = text!("`{}` is a {}, not a business line", said, found.kind);
    reader.report(Diagnostic::error(Code::BAD_PLACEMENT, place, message).help("name a component of the type `business_line`"));
    None
}

impl Tag {
    pub fn name(&self) -> &str {
        match self {
            Tag::Label(name) | Tag::Annotation(name) => name,
        }
    }
}

/// As a sentence has it.
impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tag::Label(name) => write!(f, "label `{name}`"),
            Tag::Annotation(name) => write!(f, "annotation `{name}`"),
        }
    }
}

/// As a file has it.
impl fmt::Display for Fills {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fills::Owner => f.write_str("owner"),
            Fills::Tier => f.write_str("tier"),
            Fills::Environment => f.write_str("environment"),
            Fills::BusinessLine => f.write_str(BUSINESS_LINE),
            Fills::Attribute(name) => write!(f, "attribute {name}"),
        }
    }
}
