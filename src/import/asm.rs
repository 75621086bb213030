//! The file of an IBM ASM file observer: one vertex (`V:`) or edge (`E:`) a line. Other lines are waits and comments.

use std::collections::BTreeMap;

use serde_json::Value;

use super::builder::Builder;
use super::{DeclaredComponent, Source, Written, guess, names, tree};

/// A line and its file.
type Vertices<'s> = BTreeMap<String, (Value, &'s str)>;

pub(super) fn read(builder: &mut Builder<'_>, sources: &[Source]) {
    let mut vertices: Vertices<'_> = BTreeMap::new();
    let mut edges: Vec<(Value, &str)> = Vec::new();
    for source in sources {
        let mut found = false;
        for (number, line) in source.text.lines().enumerate() {
            let line = line.trim();
            let (vertex, text) = match (line.strip_prefix("V:"), line.strip_prefix("E:")) {
                (Some(text), _) => (true, text),
                (None, Some(text)) => (false, text),
                (None, None) => continue,
            };
            found = true;
            match serde_json::from_str::<Value>(text) {
                Ok(value) if vertex => take(builder, value, &source.name, &mut vertices),
                Ok(value) => edges.push((value, source.name.as_str())),
                Err(error) => builder.skip(format!("line {}", number + 1), format!("invalid JSON: {error}"), &source.name),
            }
        }
        if !found {
            builder.fail_foreign(&source.name);
        }
    }
    let ids = ids(&vertices);
    let graph = Graph { vertices: &vertices, ids: &ids };
    for (unique, (vertex, source)) in &vertices {
        graph.component(builder, unique, vertex, source);
    }
    for (unique, (vertex, source)) in &vertices {
        for reference in tree::list(vertex, &["_references"]) {
            graph.reference(builder, Some(unique), reference, source);
        }
    }
    for (edge, source) in &edges {
        if tree::text(edge, &["_operation"]).as_deref() != Some("Delete") {
            graph.reference(builder, None, edge, source);
        }
    }
}

/// One more line about a vertex: it replaces, adds to, or removes what is known.
fn take<'s>(builder: &mut Builder<'_>, value: Value, source: &'s str, vertices: &mut Vertices<'s>) {
    let Some(unique) = tree::text(&value, &["uniqueId"]) else {
        builder.skip("a vertex", "it has no `uniqueId`", source);
        return;
    };
    match tree::text(&value, &["_operation"]).as_deref() {
        Some("Delete") => {
            vertices.remove(&unique);
        }
        Some("InsertUpdate" | "Update") => match vertices.get_mut(&unique) {
            Some((known, _)) => merge(known, value),
            None => {
                vertices.insert(unique, (value, source));
            }
        },
        Some(_) | None => {
            vertices.insert(unique, (value, source));
        }
    }
}

fn merge(known: &mut Value, more: Value) {
    let (Value::Object(known), Value::Object(more)) = (known, more) else { return };
    for (key, value) in more {
        if let Value::Array(new) = &value
            && let Some(Value::Array(old)) = known.get_mut(&key)
        {
            old.extend(new.iter().cloned());
            continue;
        }
        known.insert(key, value);
    }
}

fn entity(vertex: &Value) -> String {
    tree::list(vertex, &["entityTypes"]).iter().find_map(tree::scalar).unwrap_or_default().to_lowercase()
}

/// The type of a component; `None` for a vertex that is only part of another component.
fn kind_of(vertex: &Value) -> Option<&'static str> {
    let kind = match entity(vertex).as_str() {
        "" | "cpu" | "operatingsystem" | "image" | "ipaddress" | "networkinterface" | "process" => return None,
        "server" | "host" | "computersystem" => "host",
        "node" | "worker" => "node",
        "vm" | "virtualmachine" | "instance" => "virtual_machine",
        "pod" => "pod",
        "container" => "container",
        "service" | "loadbalancer" => "load_balancer",
        "deployment" | "statefulset" | "daemonset" | "application" | "microservice" => {
            return Some(guess::from_name(&tree::text(vertex, &["name"]).unwrap_or_default()).map_or("service", |guess| guess.kind));
        }
        "database" => "database",
        "volume" | "storage" | "disk" | "persistentvolume" => "storage",
        "switch" => "switch",
        "router" => "router",
        "firewall" => "firewall",
        "network" => "network",
        "subnet" | "subnetwork" => "subnet",
        "cluster" => "cluster",
        "domain" | "dns" => "domain_name",
        "rack" => "rack",
        "datacenter" => "data_center",
        "zone" => "zone",
        "region" => "region",
        _ => "component",
    };
    Some(kind)
}

fn ids(vertices: &Vertices<'_>) -> BTreeMap<String, String> {
    let entries: Vec<(String, Vec<String>)> = vertices
        .iter()
        .filter(|(_, (vertex, _))| kind_of(vertex).is_some())
        .map(|(unique, (vertex, _))| {
            let name = tree::text(vertex, &["name"]).unwrap_or_else(|| unique.clone());
            (unique.clone(), vec![name.clone(), format!("{}/{name}", entity(vertex)), unique.clone()])
        })
        .collect();
    names::unique(&entries)
}

struct Graph<'g> {
    vertices: &'g Vertices<'g>,
    ids: &'g BTreeMap<String, String>,
}

impl Graph<'_> {
    fn component(&self, builder: &mut Builder<'_>, unique: &str, vertex: &Value, source: &str) {
        let (Some(id), Some(kind)) = (self.ids.get(unique), kind_of(vertex)) else {
            let entity = entity(vertex);
            match entity.as_str() {
                "ipaddress" => {}
                "" => builder.skip(format!("`{unique}`"), "it has no entity type", source),
                _ => builder.skip(format!("`{unique}`"), format!("a `{entity}` is part of another component"), source),
            }
            return;
        };
        let mut attributes = BTreeMap::new();
        for (from, to) in [("namespace", "namespace"), ("image", "image"), ("desiredReplicas", "replicas"), ("dataCenter", "cluster")] {
            if let Some(value) = vertex.get(from).and_then(tree::attribute).filter(|v| *v != Written::Text("N/A".to_owned())) {
                attributes.insert(to.to_owned(), value);
            }
        }
        let address = tree::list(vertex, &["_references"])
            .iter()
            .filter(|one| tree::text(one, &["_edgeType"]).as_deref() == Some("accessedVia"))
            .filter_map(|one| tree::text(one, &["_toUniqueId"]))
            .find(|target| self.vertices.get(target).is_some_and(|(end, _)| entity(end) == "ipaddress"));
        let address = address.or_else(|| tree::text(vertex, &["clusterIP"])).filter(|ip| ip != "None");
        if let Some(address) = address {
            attributes.insert("ip".to_owned(), Written::Text(address));
        }
        let name = tree::text(vertex, &["name"]);
        let component = DeclaredComponent { id: id.clone(), kind: kind.to_owned(), name, attributes, ..DeclaredComponent::default() };
        builder.add(component, source);
    }

    /// A reference of a vertex, in either direction, or an edge with both ends.
    fn reference(&self, builder: &mut Builder<'_>, own: Option<&String>, reference: &Value, source: &str) {
        let edge = tree::text(reference, &["_edgeType"]).unwrap_or_default();
        let from = tree::text(reference, &["_fromUniqueId"]).or_else(|| own.cloned());
        let to = tree::text(reference, &["_toUniqueId"]).or_else(|| own.cloned());
        let (Some(from), Some(to)) = (from, to) else {
            builder.skip(format!("an edge `{edge}`"), "one end is missing", source);
            return;
        };
        let what = format!("`{from}` {edge} `{to}`");
        if reference.get("_fromId").is_some() || reference.get("_toId").is_some() {
            builder.skip(format!("`{from}` {edge}"), "it refers to an ASM server id that no file declares", source);
            return;
        }
        for end in [&from, &to] {
            match self.vertices.get(end) {
                None => {
                    builder.skip(what, "dangling: one end is not in the files", source);
                    return;
                }
                // A vertex that is not a component has no relations, and is reported once.
                Some((vertex, _)) if kind_of(vertex).is_none() => return,
                Some(_) => {}
            }
        }
        let (Some(from), Some(to)) = (self.ids.get(&from), self.ids.get(&to)) else { return };
        match edge.as_str() {
            "runsOn" | "manages" => builder.relate(from, "runs_on", to, source),
            "contains" | "has" => builder.relate(from, "contains", to, source),
            "partOf" | "locatedAt" | "memberOf" => builder.relate(from, "belongs_to", to, source),
            "exposes" | "loadBalances" | "resolvesTo" => builder.relate(from, "points_to", to, source),
            "uses" | "dependsOn" | "requires" => builder.relate(from, "depends_on", to, source),
            "calls" | "invokes" | "communicatesWith" => builder.relate(from, "calls", to, source),
            "accessedVia" | "connectedTo" | "routesVia" | "bindsTo" => builder.relate(from, "connects_to", to, source),
            "assignedTo" | "attachedTo" => builder.relate(to, "depends_on", from, source),
            _ => builder.skip(what, format!("edge type `{edge}` is not supported"), source),
        }
    }
}
