//! What compose files take from each other: `extends` and `include`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::builder::Builder;
use super::tree;

/// A service as one file declares it: its name, what is said of it, and the file.
pub(super) type Entry<'s> = (String, Value, &'s str);

/// The path of a file that another one names. `from` is empty if it stands alone.
pub(super) fn beside(from: &str, file: &str) -> String {
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = Vec::new();
    // An absolute path begins with an empty part, which stays.
    let whole = if file.starts_with('/') || folder.is_empty() { file.to_owned() } else { format!("{folder}/{file}") };
    for (at, part) in whole.split('/').enumerate() {
        match part {
            "." => {}
            "" if at > 0 => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Says which files a document includes that are not given; whether it includes any.
pub(super) fn included(builder: &mut Builder<'_>, document: &Value, source: &str, files: &BTreeSet<String>) -> bool {
    let includes = tree::list(document, &["include"]);
    for include in includes {
        let one = tree::scalar(include).or_else(|| tree::text(include, &["path"]));
        let many = tree::list(include, &["path"]).iter().filter_map(tree::scalar);
        let variables = tree::text(include, &["env_file"]).into_iter();
        let variables = variables.chain(tree::list(include, &["env_file"]).iter().filter_map(tree::scalar));
        let named = one.into_iter().chain(many).map(|file| ("include", file));
        for (what, file) in named.chain(variables.map(|file| ("env_file of an include,", file))) {
            if !files.contains(&beside(source, &file)) {
                builder.skip(format!("{what} `{file}`"), "the file is not among the input", source);
            }
        }
    }
    !includes.is_empty()
}

/// The services with all that they take from others. Files that others only take from are no part of the project.
pub(super) fn extended<'s>(builder: &mut Builder<'_>, entries: &[Entry<'s>], files: &BTreeSet<String>) -> Vec<Entry<'s>> {
    let shelves: BTreeSet<String> = entries.iter().filter_map(shelf).collect();
    let mut services = Vec::new();
    for entry in entries {
        let (name, _, source) = entry;
        if shelves.contains(&beside("", source)) {
            builder.skip(format!("service `{name}`"), "other files extend it; it does not run itself", source);
            continue;
        }
        let mut way = Vec::new();
        let service = resolved(builder, entry, entries, files, &mut way);
        services.push((name.clone(), service, *source));
    }
    services
}

/// Another file that a service takes from.
fn shelf((_, service, source): &Entry<'_>) -> Option<String> {
    let path = beside(source, &tree::text(service, &["extends", "file"])?);
    Some(path).filter(|path| *path != beside("", source))
}

/// `way`: file and name of the services that led here.
fn resolved<'e>(
    builder: &mut Builder<'_>,
    entry: &'e Entry<'_>,
    entries: &'e [Entry<'_>],
    files: &BTreeSet<String>,
    way: &mut Vec<(String, &'e str)>,
) -> Value {
    let (name, service, source) = entry;
    let Some(base) = tree::text(service, &["extends"]).or_else(|| tree::text(service, &["extends", "service"])) else {
        return service.clone();
    };
    let file = tree::text(service, &["extends", "file"]);
    let path = file.as_deref().map_or_else(|| beside("", source), |file| beside(source, file));
    way.push((beside("", source), name.as_str()));
    let what = match &file {
        Some(file) => format!("`{name}` extends `{base}` of `{file}`"),
        None => format!("`{name}` extends `{base}`"),
    };
    let why = if !files.contains(&path) {
        "the file is not among the input"
    } else if way.iter().any(|(from, one)| *from == path && *one == base) {
        "the two extend each other"
    } else if let Some(found) = entries.iter().find(|(one, _, from)| *one == base && beside("", from) == path) {
        let inherited = resolved(builder, found, entries, files, way);
        return joined(&inherited, service);
    } else {
        "no such service in the files"
    };
    builder.skip(what, why, source);
    service.clone()
}

/// A service with what it does not say itself from the one that it extends.
fn joined(base: &Value, own: &Value) -> Value {
    let (Value::Object(base), Value::Object(own)) = (base, own) else { return own.clone() };
    let mut all = base.clone();
    for (key, value) in own {
        let value = match (key.as_str(), all.get(key)) {
            (_, None) => value.clone(),
            ("environment" | "depends_on" | "labels" | "annotations", Some(old)) => joined(&as_map(old), &as_map(value)),
            ("links" | "external_links" | "env_file", Some(old)) => Value::Array(items(old).into_iter().chain(items(value)).collect()),
            (_, Some(old)) => joined(old, value),
        };
        all.insert(key.clone(), value);
    }
    Value::Object(all)
}

/// A list of `NAME=value` or of names as a map.
fn as_map(value: &Value) -> Value {
    let Value::Array(items) = value else { return value.clone() };
    let mut map = Map::new();
    for item in items.iter().filter_map(tree::scalar) {
        match item.split_once('=') {
            Some((name, text)) => map.insert(name.to_owned(), Value::from(text)),
            None => map.insert(item, Value::Null),
        };
    }
    Value::Object(map)
}

/// One item, or a list of them.
fn items(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    }
}
