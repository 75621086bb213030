//! Topology files: written with stable bytes, and read back.

use std::fmt::Write as _;

use diag::{Diagnostic, Sources};
use estate::{State, declared_in};

use super::{Declared, DeclaredComponent, DeclaredGroup, DeclaredRelation, Kind, Written};

/// The text of a topology file. The same content gives the same bytes.
pub fn topology_yaml(kind: Kind, declared: &Declared) -> String {
    let mut page = format!("# imported from {} by faultscope import; manual changes are overwritten\n", kind.name());
    let mut components: Vec<&DeclaredComponent> = declared.components.iter().collect();
    components.sort_by(|a, b| a.id.cmp(&b.id));
    page.push_str(if components.is_empty() { "components: []\n" } else { "components:\n" });
    for component in components {
        page.push_str(&component_line(component));
    }
    let mut relations: Vec<&DeclaredRelation> = declared.relations.iter().collect();
    relations.sort();
    if !relations.is_empty() {
        page.push_str("relations:\n");
    }
    for relation in relations {
        let effect = relation.effect.map(State::name).map_or_else(String::new, |word| format!(", effect: {word}"));
        let (from, kind, to) = (quoted(&relation.from), quoted(&relation.kind), quoted(&relation.to));
        let _ = writeln!(page, "  - {{from: {from}, kind: {kind}, to: {to}{effect}}}");
    }
    let mut groups: Vec<&DeclaredGroup> = declared.groups.iter().collect();
    groups.sort_by(|a, b| a.id.cmp(&b.id));
    if !groups.is_empty() {
        page.push_str("groups:\n");
    }
    for group in groups {
        let members: Vec<String> = group.members.iter().map(|member| quoted(member)).collect();
        let _ = writeln!(page, "  - {{id: {}, members: [{}], need: {}}}", quoted(&group.id), members.join(", "), group.need);
    }
    page
}

fn component_line(component: &DeclaredComponent) -> String {
    let mut fields = vec![format!("id: {}", quoted(&component.id)), format!("type: {}", quoted(&component.kind))];
    let optional =
        [("name", &component.name), ("tier", &component.tier), ("owner", &component.owner), ("environment", &component.environment)];
    for (key, value) in optional {
        if let Some(value) = value {
            fields.push(format!("{key}: {}", quoted(value)));
        }
    }
    if !component.attributes.is_empty() {
        let attributes: Vec<String> =
            component.attributes.iter().map(|(name, value)| format!("{}: {}", quoted(name), attribute(value))).collect();
        fields.push(format!("attributes: {{{}}}", attributes.join(", ")));
    }
    if !component.aliases.is_empty() {
        let aliases: Vec<String> = component.aliases.iter().map(|alias| quoted(alias)).collect();
        fields.push(format!("aliases: [{}]", aliases.join(", ")));
    }
    format!("  - {{{}}}\n", fields.join(", "))
}

fn attribute(value: &Written) -> String {
    match value {
        Written::Text(text) => quoted(text),
        Written::Number(_) | Written::Base(_) | Written::Bool(_) => value.to_string(),
    }
}

/// Words that YAML readers do not read as text.
const WORDS: [&str; 12] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf", "infinity"];

/// A text as YAML: bare where every reader takes it as text, else in double quotes.
pub fn quoted(text: &str) -> String {
    let starts = text.chars().next().is_some_and(char::is_alphabetic);
    let bare = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    if starts && text.chars().all(bare) && !WORDS.contains(&text.to_lowercase().as_str()) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}') => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Reads back what [`topology_yaml`] wrote. `None` if it is not a topology file without errors.
pub fn parse_topology(text: &str) -> Option<Declared> {
    let mut sources = Sources::default();
    let file = sources.add("", text);
    let (declared, said) = declared_in(&sources, &[file]);
    (!said.iter().any(Diagnostic::is_error)).then_some(declared)
}
