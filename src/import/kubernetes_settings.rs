//! What the containers of a pod are told: environment, `ConfigMap`s, words of their commands.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::telemetry::sending_lines;
use super::tree;

/// The `ConfigMap`s of a namespace by name.
pub(super) type Maps<'m> = BTreeMap<&'m str, &'m Value>;

/// Every pod has this `ConfigMap`; it contains a certificate.
const ROOT_CERTIFICATE: &str = "kube-root-ca.crt";

/// The words of a command and the lines of a file have no name.
pub(super) struct Setting {
    pub name: String,
    pub value: String,
    /// Of a line of a file: whether it stands where the file says what telemetry is sent to.
    pub sends: Option<bool>,
}

#[derive(Default)]
pub(super) struct Told {
    pub settings: Vec<Setting>,
    /// Hosts that a command asks for: `nc -z mq 5672`.
    pub awaited: BTreeSet<String>,
    /// What is named but not followed, with the reason.
    pub missed: BTreeSet<(String, &'static str)>,
}

impl Told {
    pub(super) fn of(pod: &Value, maps: &Maps<'_>) -> Told {
        let mut told = Told::default();
        // A pod does not start before its init containers have ended: what they wait for, it needs.
        for part in ["initContainers", "containers"] {
            for container in tree::list(pod, &["spec", part]) {
                told.container(container, maps);
            }
        }
        for volume in tree::list(pod, &["spec", "volumes"]) {
            told.volume(volume, maps);
        }
        told
    }

    fn container(&mut self, container: &Value, maps: &Maps<'_>) {
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        for source in tree::list(container, &["envFrom"]) {
            self.secret(tree::text(source, &["secretRef", "name"]));
            let Some(reference) = source.get("configMapRef") else { continue };
            let prefix = tree::text(source, &["prefix"]).unwrap_or_default();
            let entries = self.entries(reference, maps);
            known.extend(entries.into_iter().map(|(key, value)| (format!("{prefix}{key}"), value)));
        }
        for entry in tree::list(container, &["env"]) {
            let Some(name) = tree::text(entry, &["name"]) else { continue };
            let Some(value) = tree::text(entry, &["value"]).or_else(|| self.referred(entry, maps)) else { continue };
            let filled = fill(value, &known);
            known.insert(name, filled);
        }
        let parts = ["command", "args"].into_iter().flat_map(|part| tree::list(container, &[part]));
        let words: Vec<String> = parts.filter_map(tree::scalar).map(|word| fill(word, &known)).collect();
        self.awaited.extend(awaited(&words.join(" ")));
        known.into_iter().for_each(|(name, value)| self.variable(name, value));
        words.into_iter().for_each(|word| self.said(String::new(), word, None));
    }

    /// The value that a variable takes from elsewhere.
    fn referred(&mut self, entry: &Value, maps: &Maps<'_>) -> Option<String> {
        let source = entry.get("valueFrom")?;
        self.secret(tree::text(source, &["secretKeyRef", "name"]));
        let reference = source.get("configMapKeyRef")?;
        let (name, key) = (tree::text(reference, &["name"])?, tree::text(reference, &["key"])?);
        let value = self.entries(reference, maps).into_iter().find(|(one, _)| *one == key).map(|(_, value)| value);
        if value.is_none() && maps.contains_key(name.as_str()) && !optional(reference) {
            self.missed.insert((format!("key `{key}` of ConfigMap `{name}`"), "the ConfigMap has no such key"));
        }
        value
    }

    /// Files that a pod finds in a folder.
    fn volume(&mut self, volume: &Value, maps: &Maps<'_>) {
        for source in tree::list(volume, &["projected", "sources"]).iter().chain([volume]) {
            self.secret(tree::text(source, &["secret", "secretName"]).or_else(|| tree::text(source, &["secret", "name"])));
            let Some(reference) = source.get("configMap") else { continue };
            for (name, text) in self.entries(reference, maps) {
                self.file(&text);
                // A file may hold nothing but a value.
                if !text.contains('\n') {
                    self.said(name, text, None);
                }
            }
        }
    }

    /// The entries of a `ConfigMap` that a pod sees: all, or those of `items`.
    fn entries(&mut self, reference: &Value, maps: &Maps<'_>) -> Vec<(String, String)> {
        let Some(name) = tree::text(reference, &["name"]).filter(|name| name != ROOT_CERTIFICATE) else { return Vec::new() };
        let Some(map) = maps.get(name.as_str()) else {
            let why = if optional(reference) { "it is optional and not in the files" } else { "the ConfigMap is not in the files" };
            self.missed.insert((format!("ConfigMap `{name}`"), why));
            return Vec::new();
        };
        let only: Vec<String> = tree::list(reference, &["items"]).iter().filter_map(|item| tree::text(item, &["key"])).collect();
        let mut entries = Vec::new();
        for (key, value) in tree::entries(map, &["data"]) {
            if let Some(value) = tree::scalar(value).filter(|_| only.is_empty() || only.iter().any(|one| one == key)) {
                entries.push((key.to_owned(), value));
            }
        }
        entries
    }

    fn secret(&mut self, name: Option<String>) {
        if let Some(name) = name {
            self.missed.insert((format!("Secret `{name}`"), "Secrets are not read"));
        }
    }

    /// A variable. One that holds a whole file is read like one.
    fn variable(&mut self, name: String, value: String) {
        if value.contains('\n') {
            self.file(&value);
        } else {
            self.said(name, value, None);
        }
    }

    /// Settings of any form, line by line: `db.host=pg`, `"host": "pg",`, `proxy_pass http://api:8080;`.
    fn file(&mut self, text: &str) {
        let lines = text.lines().map(str::trim).zip(sending_lines(text));
        for (line, sends) in lines.filter(|(line, _)| !is_comment(line)) {
            self.said(String::new(), line.to_owned(), Some(sends));
            let Some((key, value)) = line.split_once(['=', ':']) else { continue };
            let (key, value) = (bare(key), bare(value));
            if !key.is_empty() && !key.contains(char::is_whitespace) {
                self.said(key.to_owned(), value.to_owned(), Some(sends));
            }
        }
    }

    fn said(&mut self, name: String, value: String, sends: Option<bool>) {
        self.settings.push(Setting { name, value, sends });
    }
}

fn optional(reference: &Value) -> bool {
    reference.get("optional").and_then(Value::as_bool) == Some(true)
}

fn is_comment(line: &str) -> bool {
    line.is_empty() || line.starts_with(['#', ';']) || line.starts_with("//")
}

/// Without the quotes and commas of JSON and YAML.
fn bare(text: &str) -> &str {
    text.trim().trim_matches(['"', '\'', ',', ';', ' '])
}

/// Fills in `$(NAME)` from variables that are known so far.
fn fill(mut value: String, known: &BTreeMap<String, String>) -> String {
    for (name, text) in known {
        if !value.contains("$(") {
            break;
        }
        value = value.replace(&format!("$({name})"), text);
    }
    value
}

/// Words before the name of a host.
const ASKING: [&str; 8] = ["nslookup", "dig", "getent", "hosts", "ping", "-h", "-H", "--host"];

/// Words that a number follows which is no port.
const WAITING: [&str; 4] = ["sleep", "timeout", "seq", "usleep"];

/// Hosts that a command asks for apart from their port: `nc -z mq 5672`, `nslookup db`, `pg_isready -h pg`.
fn awaited(command: &str) -> Vec<String> {
    let apart = |c: char| c.is_whitespace() || ";|&()$'\"`/".contains(c);
    let words: Vec<&str> = command.split(apart).map(|word| word.trim_end_matches('.')).filter(|word| !word.is_empty()).collect();
    let mut hosts = Vec::new();
    for pair in words.windows(2) {
        let [word, next] = pair else { continue };
        if ASKING.contains(word) {
            hosts.push((*next).to_owned());
        }
        if is_port(next) && !WAITING.contains(word) {
            hosts.push((*word).to_owned());
        }
    }
    hosts
}

fn is_port(word: &str) -> bool {
    (2..=5).contains(&word.len()) && word.chars().all(|c| c.is_ascii_digit())
}
