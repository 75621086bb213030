//! Places labels on the component they name: by the user's rules, then by well-known labels.

use std::collections::{BTreeMap, BTreeSet};

use estate::{AttributeValue, ComponentId, Snapshot};
use value::format_number;

use super::alert_text;
use super::mapping_rules::{By, EventKind, MappingRules, Rule, ScoreSeries, agrees, present};
use super::trouble::{Trouble, trouble_of, trouble_of_query};

/// A placement over one estate, indexed: placing costs the number of rules and labels, not of components.
pub struct Resolver<'a> {
    pub(super) placement: &'a MappingRules,
    pub(super) estate: &'a Snapshot,
    /// `None` if several components have the name: an ambiguous name does not place.
    names: BTreeMap<&'a str, Option<ComponentId>>,
    /// By attribute, then by its value.
    attributes: BTreeMap<&'a str, BTreeMap<String, Option<ComponentId>>>,
}

/// Labels whose value is the component itself.
const IDENTITIES: &[&str] = &["component", "component_id", "ci", "ci_id"];

/// Labels that name a workload, the most specific first: an alert about a pod also carries the service that it was scraped through.
const WORKLOADS: &[&str] = &[
    "pod",
    "pod_name",
    "kubernetes_pod_name",
    "k8s_pod_name",
    "container",
    "container_name",
    "statefulset",
    "deployment",
    "daemonset",
    "service",
    "service_name",
    "app",
    "application",
    "app_kubernetes_io_name",
];

/// Labels that name a machine or an endpoint: their value may be an address, a URL, or carry a port.
const ADDRESSES: &[&str] = &[
    "instance",
    "node",
    "nodename",
    "node_name",
    "kubernetes_node",
    "host",
    "hostname",
    "host_name",
    "server",
    "target",
    "address",
    "ip",
    "domain",
];

/// Labels that name the scrape target: the least specific, so the last.
const SOURCES: &[&str] = &["job"];

/// Attributes that contain addresses.
const ADDRESS_ATTRIBUTES: &[&str] = &["address", "ip"];

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
        let mut wanted: BTreeSet<&'a str> = ADDRESS_ATTRIBUTES.iter().copied().collect();
        for by in placement.rules.iter().flat_map(|rule| &rule.by) {
            if let By::Attribute(attribute) = by {
                wanted.insert(attribute);
            }
        }
        let mut names: BTreeMap<&'a str, Option<ComponentId>> = BTreeMap::new();
        let mut attributes: BTreeMap<&'a str, BTreeMap<String, Option<ComponentId>>> = BTreeMap::new();
        for id in estate.ids() {
            let component = estate.component(id);
            names.entry(component.name.as_str()).and_modify(|found| *found = None).or_insert(Some(id));
            for &attribute in &wanted {
                if let Some(value) = component.attributes.get(attribute) {
                    let values = attributes.entry(attribute).or_default();
                    values.entry(as_text(value)).and_modify(|found| *found = None).or_insert(Some(id));
                }
            }
        }
        Self { placement, estate, names, attributes }
    }

    /// The component that the labels name: by the first of the user's rules that finds one, else by the built-in ones.
    pub fn place(&self, labels: &BTreeMap<String, String>) -> Option<ComponentId> {
        self.placement.rules.iter().find_map(|rule| self.by_rule(rule, labels)).or_else(|| self.built_in(labels))
    }

    /// The component of that id, unique name or address.
    pub fn named(&self, text: &str) -> Option<ComponentId> {
        self.estate.find(text).or_else(|| self.names.get(text).copied().flatten()).or_else(|| self.addressed(text))
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
            By::Name => self.names.get(&*key).copied().flatten(),
            By::Attribute(attribute) => self.attributes.get(attribute.as_str())?.get(&*key).copied().flatten(),
        })
    }

    fn addressed(&self, text: &str) -> Option<ComponentId> {
        ADDRESS_ATTRIBUTES.iter().find_map(|attribute| self.attributes.get(*attribute)?.get(text).copied().flatten())
    }

    fn built_in(&self, labels: &BTreeMap<String, String>) -> Option<ComponentId> {
        let first = |names: &[&str]| names.iter().find_map(|name| self.named(present(labels, name)?));
        let in_namespace = || {
            let (namespace, pod) = (present(labels, "namespace")?, present(labels, "pod")?);
            self.named(&format!("{namespace}/{pod}"))
        };
        let machine = || ADDRESSES.iter().find_map(|name| spellings(present(labels, name)?).into_iter().find_map(|s| self.named(s)));
        first(IDENTITIES).or_else(in_namespace).or_else(|| first(WORKLOADS)).or_else(machine).or_else(|| first(SOURCES))
    }
}

fn as_text(value: &AttributeValue) -> String {
    match value {
        AttributeValue::Text(text) => text.clone(),
        AttributeValue::Bool(value) => value.to_string(),
        AttributeValue::Number(number) => format_number(*number),
    }
}

/// An endpoint as written, without scheme and path, without port: `https://shop:443/cart`, `shop:443`, `shop`.
fn spellings(endpoint: &str) -> Vec<&str> {
    let mut all = vec![endpoint];
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    all.push(authority);
    if let Some((host, port)) = authority.rsplit_once(':')
        && !port.is_empty()
        && port.bytes().all(|b| b.is_ascii_digit())
    {
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        // A bare IPv6 address contains colons: what follows the last one is not a port.
        if bare.is_some() || !host.contains(':') {
            all.push(bare.unwrap_or(host));
        }
    }
    all.dedup();
    all
}
