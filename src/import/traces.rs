//! Service graphs: Jaeger's dependencies, and the series that Tempo and the OpenTelemetry collector write.

use std::collections::BTreeMap;

use serde_json::Value;

use diag::text;

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
        let answers = source.text.trim_start().starts_with(['{', '[']);
        let Some(edges) = (if answers { answered(builder, source) } else { Some(exposition(&source.text)) }) else { continue };
        if edges.is_empty() {
            builder.fail_foreign(&source.name);
        }
        for edge in &edges {
            add(builder, edge, &source.name);
        }
    }
}

/// The edges of all answers in a file, and a word about each that cannot be used. `None` if the whole file failed, which is said.
fn answered(builder: &mut Builder<'_>, source: &Source) -> Option<Vec<Edge>> {
    let documents = builder.documents(source);
    let mut edges = Vec::new();
    let mut failures = Vec::new();
    let mut strange = Vec::new();
    for (document, number) in documents.iter().zip(1..) {
        let found = edges_of(document);
        for warning in tree::list(document, &["warnings"]).iter().filter_map(tree::scalar) {
            builder.skip(format!("answer {number}"), format!("it warns: {warning}"), &source.name);
        }
        if let Some(error) = failure(document) {
            failures.push((number, error));
        } else if found.is_empty() && !has_list(document) {
            strange.push(format!("answer {number}"));
        }
        edges.extend(found);
    }
    if edges.is_empty()
        && let Some((_, error)) = failures.first()
    {
        builder.fail(&source.name, text!("the answer is an error: {}", error));
        return None;
    }
    for (number, error) in failures {
        builder.skip(format!("answer {number}"), format!("it is an error: {error}"), &source.name);
    }
    // Without any edge, the file as a whole is none of this kind.
    for what in strange.into_iter().filter(|_| !edges.is_empty()) {
        builder.skip(what, "there is no service graph in it", &source.name);
    }
    (!documents.is_empty()).then_some(edges)
}

/// What an answer says of its own failure: Prometheus by its status, Jaeger by a list of errors.
fn failure(document: &Value) -> Option<String> {
    let errors = tree::list(document, &["errors"]).iter();
    let said: Vec<String> = errors.filter_map(|one| tree::text(one, &["msg"]).or_else(|| tree::scalar(one))).collect();
    if !said.is_empty() {
        return Some(said.join("; "));
    }
    let status = tree::text(document, &["status"]).filter(|status| status.eq_ignore_ascii_case("error"))?;
    let words: Vec<String> = ["errorType", "error"].into_iter().filter_map(|field| tree::text(document, &[field])).collect();
    Some(if words.is_empty() { status } else { words.join(": ") })
}

/// Whether an answer is of the right form, though it may be empty.
fn has_list(document: &Value) -> bool {
    let lists: [&[&str]; 3] = [&[], &["data"], &["data", "result"]];
    lists.into_iter().any(|path| tree::at(document, path).is_some_and(Value::is_array))
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
            calls: one.get("callCount").and_then(tree::scalar).and_then(|text| text.parse().ok()).unwrap_or(1.0),
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
