//! Service graphs: Jaeger's dependencies, and the series that Tempo and the OpenTelemetry collector write.

use std::collections::BTreeMap;

use serde_json::Value;

use super::builder::Builder;
use super::{DeclaredComponent, Source, Written, guess, tree};

const SERIES: &str = "traces_service_graph_request_total";

/// Who calls whom, and through what.
struct Edge {
    client: String,
    server: String,
    /// `database`, `messaging_system`, `virtual_node`, or nothing.
    connection: String,
    /// Which end reports no spans itself: `client` or `server`.
    unseen: String,
    calls: f64,
}

pub(super) fn read(builder: &mut Builder<'_>, sources: &[Source]) {
    for source in sources {
        let edges: Vec<Edge> = if source.text.trim_start().starts_with(['{', '[']) {
            let documents = builder.documents(source);
            if documents.is_empty() {
                continue;
            }
            documents.iter().flat_map(edges_of).collect()
        } else {
            exposition(&source.text)
        };
        if edges.is_empty() {
            builder.fail_foreign(&source.name);
        }
        for edge in &edges {
            add(builder, edge, &source.name);
        }
    }
}

fn add(builder: &mut Builder<'_>, edge: &Edge, source: &str) {
    let what = format!("`{}` calls `{}`", edge.client, edge.server);
    if edge.client.is_empty() || edge.server.is_empty() {
        builder.skip(what, "one end has no name", source);
        return;
    }
    if edge.client == "user" || edge.unseen == "client" {
        builder.skip(what, "the caller is external and reports no spans of its own", source);
        component(builder, &edge.server, "", source);
        return;
    }
    if edge.calls == 0.0 {
        builder.skip(what, "no calls were counted", source);
        return;
    }
    component(builder, &edge.client, "", source);
    component(builder, &edge.server, &edge.connection, source);
    if edge.connection == "messaging_system" {
        // The server consumes messages of the client: without them it is idle, while the client goes on.
        builder.relate(&edge.server, "depends_on", &edge.client, source);
    } else {
        builder.relate(&edge.client, "calls", &edge.server, source);
    }
}

fn component(builder: &mut Builder<'_>, name: &str, connection: &str, source: &str) {
    if builder.has(name) {
        return;
    }
    let guessed = guess::from_name(name);
    let default = if connection == "database" { "database" } else { "service" };
    let mut attributes = BTreeMap::new();
    if let Some(engine) = guessed.and_then(|guess| guess.engine) {
        attributes.insert("engine".to_owned(), Written::Text(engine.to_owned()));
    }
    let kind = guessed.map_or(default, |guess| guess.kind).to_owned();
    builder.add(DeclaredComponent { id: name.to_owned(), kind, attributes, ..DeclaredComponent::default() }, source);
}

/// The edges of a JSON answer, of Jaeger or of Prometheus.
fn edges_of(document: &Value) -> Vec<Edge> {
    let word = |value: &Value, path: &[&str]| tree::text(value, path).unwrap_or_default();
    let jaeger = [tree::list(document, &[]), tree::list(document, &["data"])].concat();
    let mut edges: Vec<Edge> = jaeger
        .iter()
        .filter(|one| one.get("parent").is_some() && one.get("child").is_some())
        .map(|one| Edge {
            client: word(one, &["parent"]),
            server: word(one, &["child"]),
            connection: String::new(),
            unseen: String::new(),
            calls: one.get("callCount").and_then(Value::as_f64).unwrap_or(1.0),
        })
        .collect();
    let series = tree::list(document, &["data", "result"]).iter();
    edges.extend(series.filter(|one| tree::at(one, &["metric", "client"]).is_some()).map(|one| {
        let sample = tree::list(one, &["value"]).last().or_else(|| {
            let last = tree::list(one, &["values"]).last();
            last.and_then(|pair| tree::list(pair, &[]).last())
        });
        Edge {
            client: word(one, &["metric", "client"]),
            server: word(one, &["metric", "server"]),
            connection: word(one, &["metric", "connection_type"]),
            unseen: word(one, &["metric", "virtual_node"]),
            calls: sample.and_then(tree::scalar).and_then(|text| text.parse().ok()).unwrap_or(1.0),
        }
    }));
    edges
}

/// The edges of the text that a `/metrics` page shows.
fn exposition(text: &str) -> Vec<Edge> {
    let mut edges = Vec::new();
    for line in text.lines() {
        let Some(rest) = line.trim().strip_prefix(SERIES).and_then(|rest| rest.strip_prefix('{')) else { continue };
        let Some((labels, value)) = labels(rest) else { continue };
        let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
        edges.push(Edge {
            client: label("client"),
            server: label("server"),
            connection: label("connection_type"),
            unseen: label("virtual_node"),
            calls: value.split_whitespace().next().and_then(|value| value.parse().ok()).unwrap_or(1.0),
        });
    }
    edges
}

/// `client="a",server="b"} 12`: the labels, and the text after the brace.
fn labels(text: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((labels, behind));
        }
        let (name, after) = rest.split_once('=')?;
        let mut value = String::new();
        let mut characters = after.trim_start().strip_prefix('"')?.chars();
        loop {
            match characters.next()? {
                '"' => break,
                '\\' => match characters.next()? {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                other => value.push(other),
            }
        }
        labels.insert(name.trim().to_owned(), value);
        rest = characters.as_str().trim_start().trim_start_matches(',').trim_start();
    }
}
