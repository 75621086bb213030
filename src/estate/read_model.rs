//! `topology/model.yaml`, and the base model in the same shape, as written, before cross-checks.
//!
//! A type that is declared again is refined: later declarations replace earlier ones, key by key.

use std::collections::BTreeMap;

use diag::{Code, Diagnostic, Place, Text, suggestion, text};
use value::fields::Reader;
use value::yaml::{Key, Node, Value};
use value::{Duration, Unit};

use super::model::{Aggregate, AttributeKind, Containment, Direction, State, Travel};
use super::quantity::parse_duration;

/// A text of a model; the base model has no place.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub text: String,
    pub place: Option<Place>,
}

#[derive(Debug, Default)]
pub(super) struct ModelDraft {
    pub types: BTreeMap<String, TypeDraft>,
    pub relations: BTreeMap<String, RelationDraft>,
}

#[derive(Debug, Default)]
pub(super) struct TypeDraft {
    pub place: Option<Place>,
    pub parent: Option<Said>,
    pub zh: Option<Said>,
    pub instance_of: Option<Vec<Said>>,
    pub attributes: BTreeMap<String, Entry<Option<AttributeKind>>>,
    pub metrics: BTreeMap<String, Entry<MetricDraft>>,
    /// The condition.
    pub states: BTreeMap<String, Entry<Option<Said>>>,
    /// Labels.
    pub logs: BTreeMap<String, Entry<Option<BTreeMap<String, String>>>>,
}

/// A member of a type: whatever is not given is inherited.
#[derive(Debug, Default)]
pub(super) struct Entry<T> {
    pub place: Option<Place>,
    pub zh: Option<Said>,
    pub body: T,
}

#[derive(Debug, Default)]
pub(super) struct MetricDraft {
    pub unit: Option<Unit>,
    pub staleness: Option<Duration>,
    pub aggregate: Option<Aggregate>,
    pub instances: Option<OverInstances>,
    pub direction: Option<Direction>,
}

/// How the values of the instances of a component become one, as written.
#[derive(Debug, Clone, Copy)]
pub(super) enum OverInstances {
    /// The worst value: a threshold is passed if any instance passes it.
    Any,
    /// The best value: a threshold is passed if every instance passes it.
    Every,
    By(Aggregate),
}

#[derive(Debug, Default)]
pub(super) struct RelationDraft {
    pub place: Option<Place>,
    pub zh: Option<Said>,
    pub from: Option<Vec<Said>>,
    pub to: Option<Vec<Said>>,
    pub travel: Option<Travel>,
    pub settling: Option<Duration>,
    pub effect: Option<State>,
    pub containment: Option<Containment>,
}

/// Reads one model file on top of `draft`.
pub(super) fn read_model(reader: &mut Reader<'_>, root: &Node, base: bool, draft: &mut ModelDraft) {
    if matches!(root.value, Value::Null) {
        return;
    }
    let mut model = ModelReader { reader, base };
    let Some(fields) = model.reader.fields(root, "a model", &["types", "relations"]) else { return };
    if let Some(node) = fields.get("types") {
        for (key, node) in model.reader.map(node, "`types`") {
            model.type_draft(key, node, draft.types.entry(key.name.clone()).or_default());
        }
    }
    if let Some(node) = fields.get("relations") {
        for (key, node) in model.reader.map(node, "`relations`") {
            model.relation_draft(key, node, draft.relations.entry(key.name.clone()).or_default());
        }
    }
}

struct ModelReader<'r, 's> {
    reader: &'r mut Reader<'s>,
    base: bool,
}

/// A later value replaces an earlier one; an absent one keeps it.
fn refine<T>(old: &mut Option<T>, new: Option<T>) {
    if new.is_some() {
        *old = new;
    }
}

impl ModelReader<'_, '_> {
    fn at(&self, place: Place) -> Option<Place> {
        if self.base { None } else { Some(place) }
    }

    fn said(&mut self, node: Option<&Node>, what: Text) -> Option<Said> {
        let word = self.reader.word(node?, what)?;
        Some(Said { place: self.at(word.place), text: word.text })
    }

    fn type_draft(&mut self, key: &Key, node: &Node, draft: &mut TypeDraft) {
        draft.place = draft.place.or(self.at(key.place));
        if matches!(node.value, Value::Null) {
            return;
        }
        let known = ["parent", "zh", "instance_of", "attributes", "metrics", "states", "logs"];
        let Some(fields) = self.reader.fields(node, "a type", &known) else { return };
        refine(&mut draft.parent, self.said(fields.get("parent"), text!("a parent type")));
        refine(&mut draft.zh, self.said(fields.get("zh"), text!("a Chinese name")));
        refine(&mut draft.instance_of, fields.get("instance_of").map(|node| self.type_names(node)));
        for (key, node) in self.section(fields.get("attributes"), "`attributes`") {
            self.attribute(key, node, &mut draft.attributes);
        }
        for (key, node) in self.section(fields.get("metrics"), "`metrics`") {
            self.metric(key, node, &mut draft.metrics);
        }
        for (key, node) in self.section(fields.get("states"), "`states`") {
            self.state(key, node, &mut draft.states);
        }
        for (key, node) in self.section(fields.get("logs"), "`logs`") {
            self.log(key, node, &mut draft.logs);
        }
    }

    fn section<'n>(&mut self, node: Option<&'n Node>, what: &'static str) -> &'n [(Key, Node)] {
        match node {
            Some(node) => self.reader.map(node, what),
            None => &[],
        }
    }

    /// The entry of a member, with what all members share read into it.
    fn entry<'e, T: Default>(&mut self, key: &Key, zh: Option<&Node>, entries: &'e mut BTreeMap<String, Entry<T>>) -> &'e mut Entry<T> {
        let zh = self.said(zh, text!("a Chinese name"));
        let entry = entries.entry(key.name.clone()).or_default();
        entry.place = entry.place.or(self.at(key.place));
        refine(&mut entry.zh, zh);
        entry
    }

    fn attribute(&mut self, key: &Key, node: &Node, entries: &mut BTreeMap<String, Entry<Option<AttributeKind>>>) {
        if !matches!(node.value, Value::Map(_)) {
            let kind = self.attribute_kind(node);
            refine(&mut self.entry(key, None, entries).body, kind);
            return;
        }
        let Some(fields) = self.reader.fields(node, "an attribute", &["kind", "unit", "zh"]) else { return };
        let kind = fields.get("kind").and_then(|node| self.attribute_kind(node));
        let unit = fields.get("unit").and_then(|node| self.reader.unit(node)).map(AttributeKind::Number);
        refine(&mut self.entry(key, fields.get("zh"), entries).body, unit.or(kind));
    }

    /// `text`, `bool`, `number`, or a unit.
    fn attribute_kind(&mut self, node: &Node) -> Option<AttributeKind> {
        let word = self.reader.word(node, "the kind of an attribute")?;
        let kind = match word.text.as_str() {
            "text" => Some(AttributeKind::Text),
            "bool" => Some(AttributeKind::Bool),
            "number" => Some(AttributeKind::Number(Unit::COUNT)),
            unit => Unit::parse(unit).map(AttributeKind::Number),
        };
        if kind.is_none() {
            let names = ["text", "bool", "number"].into_iter().chain(Unit::names());
            let help =
                suggestion(&word.text, names).unwrap_or_else(|| text!("use `text`, `bool`, `number`, or a unit like `ms`, `GiB`, `%`"));
            let message = text!("`{}` is neither an attribute kind nor a unit", word.text);
            self.reader.report(Diagnostic::error(Code::BAD_UNIT, word.place, message).help(help));
        }
        kind
    }

    fn metric(&mut self, key: &Key, node: &Node, entries: &mut BTreeMap<String, Entry<MetricDraft>>) {
        if !matches!(node.value, Value::Map(_) | Value::Null) {
            let unit = self.reader.unit(node);
            refine(&mut self.entry(key, None, entries).body.unit, unit);
            return;
        }
        if matches!(node.value, Value::Null) {
            self.entry(key, None, entries);
            return;
        }
        let known = ["unit", "zh", "staleness", "aggregate", "instances", "direction"];
        let Some(fields) = self.reader.fields(node, "a metric", &known) else { return };
        let aggregates = [("mean", Aggregate::Mean), ("max", Aggregate::Max), ("min", Aggregate::Min), ("sum", Aggregate::Sum)];
        // Of ones and zeros the mean is the share.
        let over = aggregates.map(|(name, aggregate)| (name, OverInstances::By(aggregate)));
        let also = [("any", OverInstances::Any), ("every", OverInstances::Every), ("share", OverInstances::By(Aggregate::Mean))];
        let over: Vec<(&str, OverInstances)> = also.into_iter().chain(over).collect();
        let directions = [("high", Direction::High), ("low", Direction::Low), ("both", Direction::Both)];
        let unit = fields.get("unit").and_then(|node| self.reader.unit(node));
        let staleness = fields.get("staleness").and_then(|node| self.duration(node, "`staleness`"));
        let aggregate = fields.get("aggregate").and_then(|node| self.reader.choice(node, "`aggregate`", &aggregates));
        let instances = fields.get("instances").and_then(|node| self.reader.choice(node, "`instances`", &over));
        let direction = fields.get("direction").and_then(|node| self.reader.choice(node, "`direction`", &directions));
        let body = &mut self.entry(key, fields.get("zh"), entries).body;
        refine(&mut body.unit, unit);
        refine(&mut body.staleness, staleness);
        refine(&mut body.aggregate, aggregate);
        refine(&mut body.instances, instances);
        refine(&mut body.direction, direction);
    }

    fn duration(&mut self, node: &Node, what: &'static str) -> Option<Duration> {
        let word = self.reader.word(node, what)?;
        let duration = parse_duration(&word.text);
        if duration.is_none() {
            let message = text!("invalid duration `{}`", word.text);
            self.reader.report(Diagnostic::error(Code::WRONG_KIND, word.place, message).help("use a number and a unit, like `90s`"));
        }
        duration
    }

    /// The condition alone, or a map with `if`.
    fn state(&mut self, key: &Key, node: &Node, entries: &mut BTreeMap<String, Entry<Option<Said>>>) {
        if !matches!(node.value, Value::Map(_)) {
            let condition = self.said(Some(node), text!("the condition of a state"));
            refine(&mut self.entry(key, None, entries).body, condition);
            return;
        }
        let Some(fields) = self.reader.fields(node, "a state", &["zh", "if"]) else { return };
        let condition = self.said(fields.get("if"), text!("the condition of a state"));
        refine(&mut self.entry(key, fields.get("zh"), entries).body, condition);
    }

    fn log(&mut self, key: &Key, node: &Node, entries: &mut BTreeMap<String, Entry<Option<BTreeMap<String, String>>>>) {
        let Some(fields) = self.reader.fields(node, "a log source", &["zh", "labels"]) else { return };
        let labels: Option<BTreeMap<String, String>> = fields.get("labels").map(|node| {
            let pairs = self.reader.map(node, "`labels`");
            pairs.iter().filter_map(|(key, node)| Some((key.name.clone(), self.reader.word(node, "the value of a label")?.text))).collect()
        });
        refine(&mut self.entry(key, fields.get("zh"), entries).body, labels);
    }

    fn relation_draft(&mut self, key: &Key, node: &Node, draft: &mut RelationDraft) {
        draft.place = draft.place.or(self.at(key.place));
        let known = ["zh", "from", "to", "travel", "effect", "containment", "settling"];
        let Some(fields) = self.reader.fields(node, "a relation kind", &known) else { return };
        let travels = [("to_start", Travel::ToStart), ("to_end", Travel::ToEnd), ("both", Travel::Both), ("none", Travel::None)];
        let containments = [("end_holds", Containment::EndHolds), ("start_holds", Containment::StartHolds), ("none", Containment::None)];
        refine(&mut draft.zh, self.said(fields.get("zh"), text!("a Chinese name")));
        refine(&mut draft.from, fields.get("from").map(|node| self.type_names(node)));
        refine(&mut draft.to, fields.get("to").map(|node| self.type_names(node)));
        refine(&mut draft.travel, fields.get("travel").and_then(|node| self.reader.choice(node, "`travel`", &travels)));
        refine(&mut draft.effect, fields.get("effect").and_then(|node| self.reader.choice(node, "`effect`", &State::NAMES)));
        let containment = fields.get("containment").and_then(|node| self.reader.choice(node, "`containment`", &containments));
        refine(&mut draft.containment, containment);
        refine(&mut draft.settling, fields.get("settling").and_then(|node| self.duration(node, "`settling`")));
    }

    fn type_names(&mut self, node: &Node) -> Vec<Said> {
        let words = self.reader.words(node, "the name of a type");
        words.into_iter().map(|word| Said { place: self.at(word.place), text: word.text }).collect()
    }
}
