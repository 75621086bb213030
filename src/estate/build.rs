//! From files to a [`Snapshot`]: read, check, and keep the valid items.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use diag::{Code, Diagnostic, Place, SourceId, Sources, sort, suggestion, text};
use value::fields::Reader;
use value::yaml::{self, Node, Value};

use super::component::{AttributeValue, Component, ComponentId};
use super::model::{Member, Model};
use super::quantity::{declared_value, undeclared_value};

use super::read_model::{ModelDraft, read_model};
use super::read_topology::{ComponentDraft, TopologyDraft, read_topology};
use super::resolve::resolve;
use super::snapshot::Snapshot;
use super::validate::{Names, groups, relations};

const BASE: &str = include_str!("base.yaml");

/// Parsed once: every project, and every bundle that brings no model, starts from it.
static BASE_MODEL: LazyLock<Model> = LazyLock::new(|| {
    let sources = Sources::default();
    model(&sources, &[]).0
});

/// The built-in model.
pub fn base_model() -> Model {
    BASE_MODEL.clone()
}

/// Reads and validates everything. Invalid items are reported and left out.
///
/// `model_files` refine the base model; later files override earlier ones. A bundle's `topology.json` is a topology file like
/// any other. The diagnostics are sorted by file and place.
pub fn build(sources: &Sources, model_files: &[SourceId], topology_files: &[SourceId]) -> (Snapshot, Vec<Diagnostic>) {
    let (model, mut diagnostics) = if model_files.is_empty() { (base_model(), Vec::new()) } else { model(sources, model_files) };
    let mut reader = Reader::new(sources);
    let roots = parse_all(&mut reader, sources, topology_files);
    let mut draft = TopologyDraft::default();
    for root in &roots {
        read_topology(&mut reader, root, &mut draft);
    }
    let (components, mut names) = components(&mut reader, &model, &draft);
    let groups = groups(&mut reader, &draft, &mut names);
    let relations = relations(&mut reader, &model, &components, &draft, &names);
    diagnostics.append(&mut reader.diagnostics);
    sort(sources, &mut diagnostics);
    (Snapshot::new(model, components, relations, groups), diagnostics)
}

/// The base model refined by these files.
fn model(sources: &Sources, files: &[SourceId]) -> (Model, Vec<Diagnostic>) {
    let mut draft = ModelDraft::default();
    let mut own = Sources::default();
    let base = own.add("base.yaml", BASE);
    let mut reader = Reader::new(&own);
    for root in parse_all(&mut reader, &own, &[base]) {
        read_model(&mut reader, &root, true, &mut draft);
    }
    // The base model has no errors (a test checks this), and places in it would point into a file that users do not have.
    let mut reader = Reader::new(sources);
    for root in parse_all(&mut reader, sources, files) {
        read_model(&mut reader, &root, false, &mut draft);
    }
    let model = resolve(draft, &mut reader.diagnostics);
    (model, reader.diagnostics)
}

fn parse_all(reader: &mut Reader<'_>, sources: &Sources, files: &[SourceId]) -> Vec<Node> {
    let mut roots = Vec::with_capacity(files.len());
    for file in files {
        match yaml::parse(sources, *file) {
            Ok(root) => roots.push(root),
            Err(diagnostic) => reader.report(*diagnostic),
        }
    }
    roots
}

/// Components in the order of their ids, and the known ids.
fn components<'d>(reader: &mut Reader<'_>, model: &Model, draft: &'d TopologyDraft<'_>) -> (Vec<Component>, Names<'d>) {
    let broken: BTreeSet<&str> = draft.broken.iter().map(String::as_str).collect();
    let mut names = Names { known: BTreeMap::new(), places: BTreeMap::new(), groups: BTreeMap::new(), broken };
    let mut good: BTreeMap<&str, Component> = BTreeMap::new();
    for said in &draft.components {
        let id = said.id.text.as_str();
        if let Some(first) = names.places.get(id) {
            let message = text!("two components have the id `{}`", id);
            let report = Diagnostic::error(Code::DUPLICATE_ID, said.id.place, message).label("declared again");
            reader.report(report.related(*first, "first declared here"));
            continue;
        }
        names.places.insert(id, said.id.place);
        let Some(kind) = component_type(reader, model, said) else {
            names.broken.insert(id);
            continue;
        };
        let attributes = attributes(reader, model, &kind, said);
        let component = Component {
            id: id.to_owned(),
            kind,
            name: said.name.clone().unwrap_or_else(|| id.to_owned()),
            owner: said.owner.clone(),
            environment: said.environment.clone(),
            tier: said.tier,
            attributes,
            place: Some(said.id.place),
        };
        good.insert(id, component);
    }
    names.known = good.keys().zip(0u32..).map(|(id, number)| (*id, ComponentId(number))).collect();
    (good.into_values().collect(), names)
}

fn component_type(reader: &mut Reader<'_>, model: &Model, said: &ComponentDraft<'_>) -> Option<String> {
    let found = model.find_type(&said.kind.text).map(|t| t.name.clone());
    if found.is_none() {
        let types = model.types.values().flat_map(|t| [Some(t.name.as_str()), t.zh.as_deref()]).flatten();
        let message = text!("component `{}` has the type `{}`, which the model does not declare", said.id.text, said.kind.text);
        let mut report = Diagnostic::error(Code::UNKNOWN_COMPONENT_TYPE, said.kind.place, message).label("unknown type");
        report.help = suggestion(&said.kind.text, types).or_else(|| Some(text!("declare it under `types` in `topology/model.yaml`")));
        reader.report(report);
    }
    found
}

fn attributes(reader: &mut Reader<'_>, model: &Model, kind: &str, said: &ComponentDraft<'_>) -> BTreeMap<String, AttributeValue> {
    let mut values = BTreeMap::new();
    let mut places: BTreeMap<String, Place> = BTreeMap::new();
    for (key, node) in said.attributes.iter().filter(|(_, node)| !matches!(node.value, Value::Null)) {
        let declared = match model.member(kind, &key.name) {
            Some(Member::Attribute(def)) => Some(def),
            Some(Member::Metric(_)) | None => None,
        };
        let name = declared.map_or_else(|| key.name.clone(), |def| def.name.clone());
        if let Some(first) = places.insert(name.clone(), key.place) {
            let message = text!("attribute `{}` of `{}` is given twice", name, said.id.text);
            reader.report(Diagnostic::error(Code::DUPLICATE_NAME, key.place, message).related(first, "first given here"));
            continue;
        }
        let value = if let Some(def) = declared {
            declared_value(reader, def, node)
        } else {
            undeclared(reader, model, kind, key);
            undeclared_value(reader, &key.name, node)
        };
        if let Some(value) = value {
            values.insert(name, value);
        }
    }
    values
}

fn undeclared(reader: &mut Reader<'_>, model: &Model, kind: &str, key: &yaml::Key) {
    let declared = model.lineage(kind).flat_map(|t| t.attributes.keys()).map(String::as_str);
    let help =
        suggestion(&key.name, declared).unwrap_or_else(|| text!("declare it under `attributes` of `{}` in `topology/model.yaml`", kind));
    let message = text!("type `{}` declares no attribute `{}`; its value is kept as written", kind, key.name);
    reader.report(Diagnostic::warning(Code::UNKNOWN_ATTRIBUTE_KEY, key.place, message).help(help));
}
