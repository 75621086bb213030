//! Reads a plan of operations from its file: resolves names and component selectors.

use std::collections::BTreeSet;

use super::view::Action;
use diag::{Code, Diagnostic, SourceId, Sources, did_you_mean, nearest, sort, suggestion, text};
use estate::{AttributeKind, AttributeValue, ComponentId, Member, ROOT_TYPE, Snapshot, Tier};
use value::Time;
use value::Unit;
use value::fields::{Fields, Reader, items, listed};
use value::yaml::{self, Key, Node, Value};

/// A planned change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangePlan {
    pub title: String,
    pub window: Option<Window>,
    /// In the order in which they are done.
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub from: Time,
    /// After `from`.
    pub to: Time,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// From 1.
    pub number: usize,
    pub action: Action,
    /// At least one, each once: in the listed order; those of a selector by id.
    pub on: Vec<ComponentId>,
    /// All at once, not one after the other.
    pub together: bool,
}

const PLAN: &[&str] = &["title", "window", "steps"];
const WINDOW: &[&str] = &["from", "to"];
const STEP: &[&str] = &["do", "on", "together"];
const CHOICE: &[&str] = &["type", "where"];

/// Reads a plan against its estate. All errors are reported in one run. A plan with errors gives `None`: half of a change must
/// not be assessed as if it were the whole.
pub fn read_plan(sources: &Sources, source: SourceId, estate: &Snapshot) -> (Option<ChangePlan>, Vec<Diagnostic>) {
    let node = match yaml::parse(sources, source) {
        Ok(node) => node,
        Err(diagnostic) => return (None, vec![*diagnostic]),
    };
    if !matches!(node.value, Value::Map(_)) {
        let message = text!("a change plan must be a map, not {}", node.kind());
        let diagnostic = Diagnostic::error(Code::CHANGE_FILE, node.place, message).help(text!("expected the keys {}", listed(PLAN)));
        return (None, vec![diagnostic]);
    }
    let mut reader = Reader::new(sources);
    let plan = plan(&mut reader, &node, estate);
    let mut diagnostics = reader.diagnostics;
    sort(sources, &mut diagnostics);
    let wrong = diagnostics.iter().any(Diagnostic::is_error);
    (plan.filter(|_| !wrong), diagnostics)
}

fn plan(reader: &mut Reader<'_>, node: &Node, estate: &Snapshot) -> Option<ChangePlan> {
    let fields = reader.fields(node, "a change plan", PLAN)?;
    let title = reader.required(&fields, "title").and_then(|node| reader.text(node, "`title`"));
    let window = fields.get("window").and_then(|node| window(reader, node));
    let list = reader.required(&fields, "steps").map(|node| (items(node), matches!(node.value, Value::List(_)), node));
    let mut steps = Vec::new();
    // What earlier steps removed.
    let mut gone: BTreeSet<ComponentId> = BTreeSet::new();
    if let Some((nodes, is_list, whole)) = list {
        if !is_list {
            reader.wrong_kind(whole, "`steps`", "a list");
        } else if nodes.is_empty() {
            reader.report(Diagnostic::error(Code::CHANGE_EMPTY, whole.place, "a change plan needs at least one step").label("no steps"));
        }
        for (number, node) in (1usize..).zip(nodes).filter(|_| is_list) {
            let Some(step) = step(reader, node, number, estate) else { continue };
            for component in step.on.iter().filter(|component| gone.contains(component)) {
                let id = &estate.component(*component).id;
                let message = text!("an earlier step removes `{}`", id);
                let help = text!("move the removal after this step");
                reader.report(Diagnostic::error(Code::CHANGE_GONE, node.place, message).label("already removed").help(help));
            }
            if step.action.removes() {
                gone.extend(step.on.iter().copied());
            }
            steps.push(step);
        }
    }
    Some(ChangePlan { title: title?, window, steps })
}

fn window(reader: &mut Reader<'_>, node: &Node) -> Option<Window> {
    let fields = reader.fields(node, "a window", WINDOW)?;
    let from = reader.required(&fields, "from").and_then(|node| time(reader, node));
    let to = reader.required(&fields, "to").and_then(|node| time(reader, node));
    let (from, to) = (from?, to?);
    if to <= from {
        let message = text!("the window ends ({}) before it begins ({})", to, from);
        reader.report(Diagnostic::error(Code::CHANGE_WINDOW, node.place, message).help("`to` must be after `from`"));
        return None;
    }
    Some(Window { from, to })
}

fn time(reader: &mut Reader<'_>, node: &Node) -> Option<Time> {
    let text = reader.text(node, text!("a time"))?;
    let time = Time::parse(&text);
    if time.is_none() {
        let help = text!("use RFC 3339, like `2025-06-01T22:00:00+08:00`");
        reader.report(Diagnostic::error(Code::WRONG_KIND, node.place, text!("invalid time `{}`", text)).help(help));
    }
    time
}

fn step(reader: &mut Reader<'_>, node: &Node, number: usize, estate: &Snapshot) -> Option<Step> {
    let fields = reader.fields(node, "a step", STEP)?;
    let action = reader.required(&fields, "do").and_then(|node| action(reader, node));
    let together = fields.get("together").and_then(|node| reader.flag(node, "`together`")).unwrap_or(false);
    let before = reader.diagnostics.len();
    let on = reader.required(&fields, "on").map(|node| (targets(reader, node, estate), node.place));
    let (on, place) = on?;
    if on.is_empty() && reader.diagnostics.len() == before {
        let message = text!("this step matches no component");
        let help = text!("check that the plan is for this estate");
        reader.report(Diagnostic::error(Code::CHANGE_EMPTY, place, message).label("no match").help(help));
    }
    if on.is_empty() {
        return None;
    }
    Some(Step { number, action: action?, on, together })
}

fn action(reader: &mut Reader<'_>, node: &Node) -> Option<Action> {
    let word = reader.text(node, "`do`")?;
    let found = Action::ALL.into_iter().find(|action| action.name() == word);
    if found.is_none() {
        let names: Vec<&str> = Action::ALL.into_iter().map(Action::name).collect();
        let help = suggestion(&word, names.iter().copied()).unwrap_or_else(|| text!("one of {}", listed(&names)));
        let message = text!("unknown operation `{}`", word);
        reader.report(Diagnostic::error(Code::CHANGE_ACTION, node.place, message).label("unknown operation").help(help));
    }
    found
}

/// One id, one selector, or a list of ids and selectors; each component once, where it comes first.
fn targets(reader: &mut Reader<'_>, node: &Node, estate: &Snapshot) -> Vec<ComponentId> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for item in items(node) {
        let some = if matches!(item.value, Value::Map(_)) { choice(reader, item, estate) } else { named(reader, item, estate) };
        found.extend(some.unwrap_or_default().into_iter().filter(|component| seen.insert(*component)));
    }
    found
}

/// A component by id or by name, or all members of a group.
fn named(reader: &mut Reader<'_>, node: &Node, estate: &Snapshot) -> Option<Vec<ComponentId>> {
    let word = reader.text(node, "`on`")?;
    if let Some(component) = estate.find_named(&word) {
        return Some(vec![component]);
    }
    if let Some(group) = estate.group(&word) {
        return Some(group.members.clone());
    }
    if estate.called(&word).len() > 1 {
        let (message, help) = estate.why_not_found(&word);
        let report = Diagnostic::error(Code::CHANGE_TARGET, node.place, message);
        reader.report(Diagnostic { help, ..report }.label("unknown component"));
        return None;
    }
    let components = estate.ids().map(|id| estate.component(id)).flat_map(|c| [c.id.as_str(), c.name.as_str()]);
    let near = nearest(&word, components.chain(estate.groups().map(|group| group.id.as_str())));
    let mut report = Diagnostic::error(Code::CHANGE_TARGET, node.place, text!("the topology has no component or group `{}`", word));
    report.help = near.map(did_you_mean);
    reader.report(report.label("unknown component"));
    None
}

/// All components of a type that pass a filter, by id.
fn choice(reader: &mut Reader<'_>, node: &Node, estate: &Snapshot) -> Option<Vec<ComponentId>> {
    let fields = reader.fields(node, "a component selector", CHOICE)?;
    if fields.get("type").is_none() && fields.get("where").is_none() {
        let message = text!("a component selector needs `type` or `where`");
        reader.report(Diagnostic::error(Code::MISSING_KEY, fields.place, message).help("add `type`, `where`, or both"));
        return None;
    }
    let kind = kind(reader, &fields, estate)?;
    let mut tests = Vec::new();
    if let Some(node) = fields.get("where") {
        let filters = reader.fields(node, "`where`", &[])?;
        for (key, node) in filters.entries {
            tests.push(test(reader, key, node, estate, &kind));
        }
    }
    let tests: Vec<Test> = tests.into_iter().collect::<Option<_>>()?;
    Some(estate.of_type(&kind).into_iter().filter(|id| tests.iter().all(|test| test.passes(estate, *id))).collect())
}

fn kind(reader: &mut Reader<'_>, fields: &Fields<'_>, estate: &Snapshot) -> Option<String> {
    let Some(node) = fields.get("type") else { return Some(ROOT_TYPE.to_owned()) };
    let word = reader.text(node, "`type`")?;
    let model = estate.model();
    if let Some(found) = model.find_type(&word) {
        return Some(found.name.clone());
    }
    let names: Vec<&str> = model.types.values().flat_map(|t| [Some(t.name.as_str()), t.zh.as_deref()]).flatten().collect();
    let mut report = Diagnostic::error(Code::CHANGE_TARGET, node.place, text!("there is no component type `{}`", word));
    report.help = suggestion(&word, names.iter().copied());
    reader.report(report.label("unknown type"));
    None
}

/// What a component must have to be selected: one of the values.
struct Test {
    key: Tested,
    wanted: Vec<String>,
}

enum Tested {
    Id,
    Name,
    Owner,
    Environment,
    Tier,
    Attribute(String),
}

const FIELDS: [&str; 5] = ["id", "name", "owner", "environment", "tier"];

/// A number with or without a unit, in the base unit of its dimension, as attributes are kept.
fn in_base(text: &str, declared: Unit) -> Option<f64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-').unwrap_or(text.len());
    let (number, unit) = (text.get(..end)?, text.get(end..)?.trim());
    let unit = if unit.is_empty() { declared } else { Unit::parse(unit).filter(|unit| unit.dimension == declared.dimension)? };
    Some(number.parse::<f64>().ok()? * unit.factor)
}

fn test(reader: &mut Reader<'_>, key: &Key, node: &Node, estate: &Snapshot, kind: &str) -> Option<Test> {
    let mut wanted = reader.texts(node, "a value of `where`");
    let tested = match key.name.as_str() {
        "id" => Tested::Id,
        "name" => Tested::Name,
        "owner" => Tested::Owner,
        "environment" => Tested::Environment,
        "tier" => Tested::Tier,
        name => match estate.model().member(kind, name) {
            Some(Member::Attribute(def)) => {
                if let AttributeKind::Number(unit) = def.kind {
                    for word in &mut wanted {
                        if let Some(base) = in_base(word, unit) {
                            *word = base.to_string();
                        }
                    }
                }
                Tested::Attribute(def.name.clone())
            }
            Some(Member::Metric(_)) | None => {
                let declared = estate.model().lineage(kind).flat_map(|t| t.attributes.keys()).map(String::as_str);
                let known: Vec<&str> = FIELDS.into_iter().chain(declared).collect();
                let message = text!("cannot select by `{}`: `{}` has no such field or attribute", name, kind);
                let help = suggestion(name, known).unwrap_or_else(|| text!("select by {} or an attribute", listed(&FIELDS)));
                reader.report(Diagnostic::error(Code::CHANGE_TARGET, key.place, message).label("unknown attribute").help(help));
                return None;
            }
        },
    };
    if !matches!(tested, Tested::Tier) {
        return Some(Test { key: tested, wanted });
    }
    let mut tiers = Vec::new();
    for word in &wanted {
        let Some(tier) = Tier::parse(word) else {
            let names: Vec<&str> = Tier::ALL.into_iter().map(Tier::name).collect();
            let message = text!("unknown business tier `{}`", word);
            reader.report(Diagnostic::error(Code::WRONG_KIND, node.place, message).help(text!("one of {}", listed(&names))));
            return None;
        };
        tiers.push(tier.name().to_owned());
    }
    Some(Test { key: tested, wanted: tiers })
}

impl Test {
    fn passes(&self, estate: &Snapshot, id: ComponentId) -> bool {
        let component = estate.component(id);
        let text = |found: Option<&str>| found.is_some_and(|found| self.wanted.iter().any(|wanted| wanted == found));
        match &self.key {
            Tested::Id => text(Some(&component.id)),
            Tested::Name => text(Some(&component.name)),
            Tested::Owner => text(component.owner.as_deref()),
            Tested::Environment => text(component.environment.as_deref()),
            Tested::Tier => text(component.tier.map(Tier::name)),
            Tested::Attribute(name) => match component.attributes.get(name) {
                Some(AttributeValue::Text(found)) => text(Some(found)),
                Some(AttributeValue::Bool(found)) => text(Some(if *found { "true" } else { "false" })),
                // In the base unit of its dimension.
                Some(AttributeValue::Number(found)) => self.wanted.iter().any(|wanted| wanted.parse::<f64>() == Ok(*found)),
                None => false,
            },
        }
    }
}
