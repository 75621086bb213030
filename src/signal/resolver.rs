//! Places labels on the component they name: by the user's rules, then by what labels usually mean.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use estate::{AttributeValue, Component, ComponentId, Snapshot};
use value::format_number;

use super::alert_text;
use super::finding::{ADDRESSES, CARRIED, is_address};
use super::labels::other_name;
use super::mapping_rules::{By, EventKind, MappingRules, Rule, ScoreSeries, agrees};
use super::placement::{PlacedBy, Placement, Unplaced};
use super::trouble::{Trouble, trouble_of, trouble_of_query};

/// The attribute that says in which namespace of a cluster a component is.
pub(super) const NAMESPACE: &str = "namespace";

/// A placement over one estate, indexed: placing costs the number of rules and labels, not of components.
pub struct Resolver<'a> {
    pub(super) placement: &'a MappingRules,
    pub(super) estate: &'a Snapshot,
    /// Names that differ from the id, sorted.
    pub(super) names: Vec<(&'a str, ComponentId)>,
    /// By attribute, then by its value; ascending.
    pub(super) attributes: BTreeMap<&'a str, BTreeMap<String, Vec<ComponentId>>>,
    /// Machines by their names in lowercase, as DNS has them, each once, ascending.
    pub(super) hosts: BTreeMap<String, Vec<ComponentId>>,
    /// The same by their names up to the first dot.
    pub(super) machines: BTreeMap<String, Vec<ComponentId>>,
    /// All that any component is in.
    pub(super) namespaces: BTreeSet<&'a str>,
}

impl<'a> Resolver<'a> {
    /// The kind of trouble that an alert tells of: by its name, else by its summary, else by the query behind it, else failing.
    pub(super) fn trouble(&self, name: &str, annotations: &BTreeMap<String, String>, query: Option<&str>) -> Trouble {
        let phrases = &self.placement.troubles;
        let summary = || alert_text::summary(name, annotations);
        let said = trouble_of(name, phrases).or_else(|| trouble_of(&summary(), phrases));
        said.or_else(|| trouble_of_query(query?)).unwrap_or_default()
    }

    /// Indexes names and the attributes that the placement uses; linear in components.
    pub fn new(placement: &'a MappingRules, estate: &'a Snapshot) -> Self {
        let mut wanted: BTreeSet<&'a str> = ADDRESSES.iter().chain(CARRIED).copied().collect();
        for by in placement.rules.iter().flat_map(|rule| &rule.by) {
            if let By::Attribute(attribute) = by {
                wanted.insert(attribute);
            }
        }
        let mut names: Vec<(&'a str, ComponentId)> = Vec::new();
        let mut attributes: BTreeMap<&'a str, BTreeMap<String, Vec<ComponentId>>> = BTreeMap::new();
        let mut namespaces: BTreeSet<&'a str> = BTreeSet::new();
        let mut hosts: BTreeMap<String, Vec<ComponentId>> = BTreeMap::new();
        let mut machines: BTreeMap<String, Vec<ComponentId>> = BTreeMap::new();
        let mut is_host: BTreeMap<&'a str, bool> = BTreeMap::new();
        for id in estate.ids() {
            let component = estate.component(id);
            names.extend(component.aliases.iter().map(|alias| (alias.as_str(), id)));
            if component.name != component.id {
                names.push((component.name.as_str(), id));
            }
            if *is_host.entry(component.kind.as_str()).or_insert_with(|| estate.is_a(id, "host")) {
                all_names(component).for_each(|name| list(&mut hosts, name, id));
                short_names(component).for_each(|name| list(&mut machines, name, id));
            }
            namespaces.extend(namespace(component));
            for &attribute in &wanted {
                let Some(value) = component.attributes.get(attribute).map(as_text) else { continue };
                let known = attributes.entry(attribute).or_default();
                // A managed service may answer at several.
                if ADDRESSES.contains(&attribute) && value.contains(',') {
                    value.split(',').for_each(|one| known.entry(one.trim().to_owned()).or_default().push(id));
                } else {
                    known.entry(value).or_default().push(id);
                }
            }
        }
        names.sort_unstable();
        Self { placement, estate, names, attributes, hosts, machines, namespaces }
    }

    /// The component that the labels name: by the first of the user's rules that finds one, else by the built-in ones.
    pub fn place(&self, labels: &BTreeMap<String, String>) -> Option<ComponentId> {
        self.explain(labels, None).component
    }

    /// The same, with what named it, or why nothing does. `hint` is the query behind the signal or the name of its series; without one,
    /// the label `__name__` is asked.
    pub fn explain(&self, labels: &BTreeMap<String, String>, hint: Option<&str>) -> Placement {
        self.by_entries(labels).unwrap_or_else(|| self.built_in(labels, hint))
    }

    /// What the entries of `sources.yaml` say; `None` leaves it to the built-in placement.
    pub(super) fn by_entries(&self, labels: &BTreeMap<String, String>) -> Option<Placement> {
        let usual = if self.placement.rules.is_empty() { Cow::Borrowed(labels) } else { with_usual_names(labels) };
        for rule in &self.placement.rules {
            if rule.drop && rule.key(&usual).is_some() {
                return Some(Placement::nowhere(Unplaced::Dropped { entry: rule.number }));
            }
            if let Some(component) = self.by_rule(rule, &usual) {
                return Some(Placement::found(component, PlacedBy::Entry(rule.number)));
            }
        }
        self.placement.only_rules.then(|| Placement::nowhere(Unplaced::NoEntry))
    }

    /// The component of that id, unique name or address.
    pub fn named(&self, text: &str) -> Option<ComponentId> {
        self.estate.find(text).or_else(|| self.by_name(text)).or_else(|| self.at_address(text, None))
    }

    /// The kind of an event type according to `sources.yaml`.
    pub(super) fn event_kind(&self, of_type: &str) -> Option<EventKind> {
        self.placement.events.get(of_type).copied()
    }

    /// The entry of `sources.yaml` for a series that is a score.
    pub(super) fn score_series(&self, labels: &BTreeMap<String, String>) -> Option<&'a ScoreSeries> {
        let name = labels.get("__name__")?;
        self.placement.scores.iter().find(|entry| entry.series == *name && agrees(&entry.labels, labels))
    }

    fn by_rule(&self, rule: &Rule, labels: &BTreeMap<String, String>) -> Option<ComponentId> {
        let key = rule.key(labels)?;
        rule.by.iter().find_map(|by| match by {
            By::Id => self.estate.find(&key),
            By::Name => self.by_name(&key),
            By::Attribute(attribute) if ADDRESSES.contains(&attribute.as_str()) => self.at_address(&key, None),
            By::Attribute(attribute) => match self.attributes.get(attribute.as_str())?.get(&*key)?.as_slice() {
                [only] => Some(*only),
                _ => None,
            },
        })
    }

    /// The only component of that name; an id that is no name of its own counts as one.
    fn by_name(&self, name: &str) -> Option<ComponentId> {
        let first = self.names.partition_point(|(known, _)| *known < name);
        let mut named = self.names.get(first..).unwrap_or_default().iter().take_while(|(known, _)| *known == name).map(|(_, id)| *id);
        let unnamed = self.estate.find(name).filter(|id| self.estate.component(*id).name == name);
        let found = unnamed.or_else(|| named.next())?;
        if named.next().is_some() { None } else { Some(found) }
    }
}

fn all_names(component: &Component) -> impl Iterator<Item = &str> {
    [&component.id, &component.name].into_iter().chain(&component.aliases).map(String::as_str)
}

/// What its names are up to the first dot, of those that have one.
fn short_names(component: &Component) -> impl Iterator<Item = &str> {
    let dotted = all_names(component).filter_map(|name| Some((name, name.split_once('.')?.0)));
    dotted.filter(|(name, short)| !short.is_empty() && !is_address(name)).map(|(_, short)| short)
}

/// Adds a component, whose turn comes once, to those of a name.
fn list(names: &mut BTreeMap<String, Vec<ComponentId>>, name: &str, id: ComponentId) {
    let known = names.entry(name.to_ascii_lowercase()).or_default();
    if known.last() != Some(&id) {
        known.push(id);
    }
}

/// The namespace that a component is in, if it says so.
pub(super) fn namespace(component: &Component) -> Option<&str> {
    component.text(NAMESPACE).filter(|text| !text.is_empty())
}

/// The labels and, where they are missing, their usual names, so that an entry of `sources.yaml` holds for every spelling.
fn with_usual_names(labels: &BTreeMap<String, String>) -> Cow<'_, BTreeMap<String, String>> {
    let mut all = Cow::Borrowed(labels);
    for (name, value) in labels {
        if let Some(usual) = other_name(name)
            && !all.contains_key(&*usual)
        {
            all.to_mut().insert(usual.into_owned(), value.clone());
        }
    }
    all
}

fn as_text(value: &AttributeValue) -> String {
    match value {
        AttributeValue::Text(text) => text.clone(),
        AttributeValue::Bool(value) => value.to_string(),
        AttributeValue::Number(number) => format_number(*number),
    }
}
