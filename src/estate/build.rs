//! From files, or whatever else declares an estate, to a [`Snapshot`]: check, and keep the valid items.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use diag::{Code, Diagnostic, Place, SourceId, Sources, sort, suggestion, text};
use value::fields::{Reader, listed};
use value::yaml::{self, Node};

use super::beside::{beside, take_beside};
use super::called::ambiguous;
use super::component::{AttributeValue, Component, Tier};
use super::declared::{Declared, DeclaredComponent, Written};
use super::dropped::known;
use super::extensions::Extensions;
use super::model::{Member, Model};
use super::quantity::{fit, undeclared};
use super::read_model::{ModelDraft, read_model};
use super::read_topology::read_topology;
use super::resolve::{problem, resolve};
use super::slots::{ROOM, Slots};
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
    let Built { estate, diagnostics, .. } = build_over(sources, model_files, topology_files, |_| Declared::default());
    (estate, diagnostics)
}

/// An estate, and what is said about components that it does not have.
#[derive(Debug)]
pub struct Built {
    pub estate: Snapshot,
    /// More about components that something else declares: their type is empty unless a more special one is said. Numbers are in their
    /// base unit. And the relations that begin or end at such a component.
    pub beside: Declared,
    pub diagnostics: Vec<Diagnostic>,
}

/// The same, where files may speak of components that a store has: `elsewhere` gives these, and their relations if it is told `true`. It is
/// asked only if it matters.
pub fn build_over(
    sources: &Sources,
    model_files: &[SourceId],
    topology_files: &[SourceId],
    elsewhere: impl FnOnce(bool) -> Declared,
) -> Built {
    let (model, mut diagnostics) = if model_files.is_empty() { (base_model(), Vec::new()) } else { model(sources, model_files) };
    let (declared, mut said) = declared_in(sources, topology_files);
    diagnostics.append(&mut said);
    let mut built = checked(model, declared, elsewhere);
    diagnostics.append(&mut built.diagnostics);
    sort(sources, &mut diagnostics);
    Built { diagnostics, ..built }
}

/// What topology files declare, before a model checks it.
pub fn declared_in(sources: &Sources, files: &[SourceId]) -> (Declared, Vec<Diagnostic>) {
    let mut reader = Reader::new(sources);
    let mut declared = Declared::default();
    for root in parse_all(&mut reader, sources, files) {
        read_topology(&mut reader, &root, &mut declared);
    }
    (declared, reader.diagnostics)
}

/// The snapshot of what is declared, wherever that comes from. Invalid items are reported and left out.
pub fn build_declared(model: Model, declared: Declared) -> (Snapshot, Vec<Diagnostic>) {
    let Built { estate, diagnostics, .. } = checked(model, declared, |_| Declared::default());
    (estate, diagnostics)
}

fn checked(model: Model, declared: Declared, elsewhere: impl FnOnce(bool) -> Declared) -> Built {
    let Declared { components: mut said, relations: mut related, groups: grouped, broken } = declared;
    let mut complaints = Vec::new();
    let mut broken: BTreeSet<String> = broken.into_iter().collect();
    ambiguous(&mut complaints, &said);
    let mut extensions = Extensions::of(&mut said);
    let components = components(&mut complaints, &model, said, &mut broken, &mut extensions);
    let extensions = extensions.without(&broken);
    let slots = Slots::new(components.len(), ROOM);
    let mut names = Names::new(&components, &slots, &broken);
    let groups = groups(&mut complaints, &grouped, &mut names);
    let mut found = Vec::new();
    let (mut edges, mut effects, mut dropped) = relations(&mut found, &model, &related, &names);
    let loose = found.iter().any(|one| one.code == Code::DANGLING_RELATION);
    let unknown = dropped.iter().any(|one| !one.there) || (loose && related.iter().any(|one| one.drop));
    let others = if loose || unknown || !extensions.is_empty() { elsewhere(unknown) } else { Declared::default() };
    let overlays = overlays(&mut complaints, &model, &components, extensions, &others.components);
    let taken = if loose { take_beside(&mut related, &names, &others.components) } else { Vec::new() };
    let mut relations_beside = Vec::new();
    if !taken.is_empty() {
        found.clear();
        (edges, effects, dropped) = relations(&mut found, &model, &related, &names);
        let others = (others.components.as_slice(), overlays.as_slice());
        let (related_beside, dropped_beside) = beside(&mut found, &model, &components, &grouped, &broken, others, &taken);
        relations_beside = related_beside;
        dropped.extend(dropped_beside);
    }
    relations_beside.extend(known(&mut found, &model, dropped, &[related.as_slice(), taken.as_slice()], &others.relations));
    complaints.append(&mut found);
    let beside = Declared { components: overlays, relations: relations_beside, ..Declared::default() };
    Built { estate: Snapshot::new(model, components, &edges, effects, groups, slots), beside, diagnostics: complaints }
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

/// Components in the order of their ids. Those of unknown types become broken.
pub(super) fn components(
    complaints: &mut Vec<Diagnostic>,
    model: &Model,
    mut said: Vec<DeclaredComponent>,
    broken: &mut BTreeSet<String>,
    extensions: &mut Extensions,
) -> Vec<Component> {
    // Stable: of several with one id, the first that was declared counts.
    said.sort_by(|a, b| a.id.cmp(&b.id));
    let mut good = Vec::with_capacity(said.len());
    let mut said = said.into_iter().peekable();
    while let Some(mut first) = said.next() {
        while let Some(again) = said.next_if(|next| next.id == first.id) {
            let report = problem(Code::DUPLICATE_ID, again.place(), text!("two components have the id `{}`", first.id));
            let report = report.label("declared again");
            complaints.push(match first.place() {
                Some(place) => report.related(place, "first declared here"),
                None => report,
            });
        }
        extensions.apply(complaints, model, &mut first);
        if first.drop {
            // What names it goes with it, without a word.
            broken.insert(first.id);
            continue;
        }
        let Some(kind) = component_type(complaints, model, &first) else {
            broken.insert(first.id);
            continue;
        };
        let attributes = attributes(complaints, model, &kind, &first);
        let tier = tier(complaints, &first);
        let place = first.place();
        let DeclaredComponent { id, name, owner, environment, aliases, .. } = first;
        let name = name.unwrap_or_else(|| id.clone());
        good.push(Component { id, kind, name, owner, environment, tier, attributes, aliases, place });
    }
    good
}

/// What is said about components that only something else declares. What nothing declares is reported.
fn overlays(
    complaints: &mut Vec<Diagnostic>,
    model: &Model,
    good: &[Component],
    mut extensions: Extensions,
    others: &[DeclaredComponent],
) -> Vec<DeclaredComponent> {
    if extensions.is_empty() {
        return Vec::new();
    }
    let concerned = others.iter().filter(|other| extensions.concern(&other.id)).collect::<Vec<_>>();
    let overlays = concerned.into_iter().filter_map(|other| overlay(complaints, model, other, &mut extensions)).collect();
    let ids = good.iter().map(|one| one.id.as_str()).chain(others.iter().map(|one| one.id.as_str()));
    let whose = |word: &str| {
        let is = |alias: &String| alias == word;
        let here = good.iter().find(|one| one.name == word || one.aliases.iter().any(is)).map(|one| one.id.clone());
        let has = |one: &&DeclaredComponent| one.name.as_deref() == Some(word) || one.aliases.iter().any(is);
        here.or_else(|| others.iter().find(has).map(|one| one.id.clone()))
    };
    extensions.report_rest(complaints, &ids, whose);
    overlays
}

fn overlay(
    complaints: &mut Vec<Diagnostic>,
    model: &Model,
    other: &DeclaredComponent,
    extensions: &mut Extensions,
) -> Option<DeclaredComponent> {
    let mut said = DeclaredComponent { id: other.id.clone(), kind: other.kind.clone(), extends: true, ..DeclaredComponent::default() };
    extensions.apply(complaints, model, &mut said);
    let kind = component_type(complaints, model, &said)?;
    let attributes = attributes(complaints, model, &kind, &said);
    let attributes = attributes.iter().map(|(name, value)| (name.clone(), Written::from(value))).collect();
    let tier = tier(complaints, &said).map(|tier| tier.name().to_owned());
    // The type of the other stays its own word.
    let same = model.find_type(&other.kind).is_some_and(|found| found.name == kind);
    Some(DeclaredComponent { kind: if same { String::new() } else { kind }, tier, attributes, places: None, ..said })
}

fn component_type(complaints: &mut Vec<Diagnostic>, model: &Model, said: &DeclaredComponent) -> Option<String> {
    let found = model.find_type(&said.kind).map(|t| t.name.clone());
    if found.is_none() {
        let types = model.types.values().flat_map(|t| [Some(t.name.as_str()), t.zh.as_deref()]).flatten();
        let message = text!("component `{}` has the type `{}`, which the model does not declare", said.id, said.kind);
        let place = said.places.as_ref().map(|places| places.kind);
        let mut report = problem(Code::UNKNOWN_COMPONENT_TYPE, place, message).label("unknown type");
        report.help = suggestion(&said.kind, types).or_else(|| Some(text!("declare it under `types` in `topology/model.yaml`")));
        complaints.push(report);
    }
    found
}

fn tier(complaints: &mut Vec<Diagnostic>, said: &DeclaredComponent) -> Option<Tier> {
    let text = said.tier.as_deref()?;
    let found = Tier::parse(text.trim());
    if found.is_none() {
        let names: Vec<&str> = Tier::ALL.iter().map(|tier| tier.name()).chain(Tier::ALL.iter().map(|tier| tier.zh())).collect();
        let help = suggestion(text, names.iter().copied()).unwrap_or_else(|| text!("use one of {}", listed(&names)));
        let place = said.places.as_ref().and_then(|places| places.tier);
        let what = if place.is_some() { text!("`tier`") } else { text!("the tier of `{}`", said.id) };
        complaints.push(problem(Code::WRONG_KIND, place, text!("{} cannot be `{}`", what, text)).help(help));
    }
    found
}

fn attributes(complaints: &mut Vec<Diagnostic>, model: &Model, kind: &str, said: &DeclaredComponent) -> BTreeMap<String, AttributeValue> {
    let mut values: BTreeMap<String, AttributeValue> = BTreeMap::new();
    let mut keys: BTreeMap<String, Option<Place>> = BTreeMap::new();
    for (key, value) in &said.attributes {
        let places = said.attribute_places(key);
        let declared = match model.member(kind, key) {
            Some(Member::Attribute(def)) => Some(def),
            Some(Member::Metric(_)) | None => None,
        };
        let name = declared.map_or(key, |def| &def.name);
        let key_place = places.map(|places| places.key);
        if let Some(first) = keys.insert(name.clone(), key_place) {
            let report = problem(Code::DUPLICATE_NAME, key_place, text!("attribute `{}` of `{}` is given twice", name, said.id));
            complaints.push(match first {
                Some(first) => report.related(first, "first given here"),
                None => report,
            });
            continue;
        }
        let Some(def) = declared else {
            undeclared_name(complaints, model, kind, key, key_place);
            values.insert(name.clone(), undeclared(value));
            continue;
        };
        match fit(def, value, places.and_then(|places| places.written.as_deref())) {
            Ok(value) => {
                values.insert(name.clone(), value);
            }
            Err(misfit) => {
                let what =
                    if places.is_some() { text!("attribute `{}`", def.name) } else { text!("attribute `{}` of `{}`", def.name, said.id) };
                let message = text!("{} must be {}, not `{}`", what, misfit.wanted, value);
                let mut report = problem(Code::ATTRIBUTE_KIND, places.map(|places| places.value), message);
                report.help = misfit.help;
                complaints.push(report);
            }
        }
    }
    values
}

/// Only a file can be mended: of what comes from elsewhere, all is kept without a word.
fn undeclared_name(complaints: &mut Vec<Diagnostic>, model: &Model, kind: &str, key: &str, place: Option<Place>) {
    let Some(place) = place else { return };
    let declared = model.lineage(kind).flat_map(|t| t.attributes.keys()).map(String::as_str);
    let help = suggestion(key, declared).unwrap_or_else(|| text!("declare it under `attributes` of `{}` in `topology/model.yaml`", kind));
    let message = text!("type `{}` declares no attribute `{}`; its value is kept as written", kind, key);
    complaints.push(Diagnostic::warning(Code::UNKNOWN_ATTRIBUTE_KEY, place, message).help(help));
}
