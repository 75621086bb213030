//! Docker Compose files. Several files make one project, as `docker compose -f a.yaml -f b.yaml` does; a `.env` file among
//! them fills in variables.

use std::collections::{BTreeMap, BTreeSet};

use estate::Tag;
use serde_json::Value;

use super::builder::Builder;
use super::compose_extends::{Entry, beside, extended, included};
use super::hosts::hosts;
use super::telemetry::Telemetry;
use super::{DeclaredComponent, Source, Written, guess, tree};

pub(super) fn read(builder: &mut Builder<'_>, sources: &[Source]) {
    let mut variables = BTreeMap::new();
    let mut env_files = BTreeMap::new();
    for source in sources.iter().filter(|source| is_env(source)) {
        let assigned: Vec<(String, String)> = source.text.lines().filter_map(assignment).collect();
        variables.extend(assigned.iter().cloned());
        env_files.insert(source.name.clone(), assigned);
    }
    // A value of the file may name variables of the file.
    let filled: BTreeMap<String, String> = variables.iter().map(|(name, value)| (name.clone(), fill(value, &variables))).collect();
    let files: BTreeSet<String> = sources.iter().map(|source| beside("", &source.name)).collect();
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for source in sources.iter().filter(|source| !is_env(source)) {
        let documents = builder.documents(source);
        let mut found = false;
        for document in &documents {
            found |= included(builder, document, &source.name, &files);
            for (name, service) in tree::entries(document, &["services"]) {
                found = true;
                entries.push((name.to_owned(), service.clone(), source.name.as_str()));
            }
        }
        if !documents.is_empty() && !found {
            builder.fail_foreign(&source.name);
        }
    }
    let services = extended(builder, &entries, &files);
    let (aliases, own_names) = (aliases(&services, &filled), own_names(&services, &filled));
    let mut project = Project { aliases, own_names, variables: filled, env_files, ..Project::default() };
    project.left = inactive(&services, &project.variables);
    let names: BTreeSet<&str> = services.iter().map(|(name, _, _)| name.as_str()).collect();
    for name in &names {
        let image = last(&services, name, &["image"]).map(|image| fill(&image, &project.variables)).unwrap_or_default();
        if replicas(&services, name, &project.variables).is_some_and(|number| number < 1.0) {
            project.left.entry((*name).to_owned()).or_insert("it is scaled to zero");
        }
        project.telemetry.insert((*name).to_owned(), Telemetry::of(&image, name));
    }
    for name in names.into_iter().filter(|name| !project.left.contains_key(*name)) {
        project.component(builder, name, &services);
    }
    for (name, service, source) in &services {
        match project.left.get(name) {
            Some(why) => builder.skip(format!("service `{name}`"), *why, source),
            None => project.relations(builder, name, service, source),
        }
    }
}

/// The services of profiles that are not active. Without a profile, a service always runs.
fn inactive(services: &[Entry<'_>], variables: &BTreeMap<String, String>) -> BTreeMap<String, &'static str> {
    let active: BTreeSet<&str> = variables.get("COMPOSE_PROFILES").map(|text| text.split(',').map(str::trim).collect()).unwrap_or_default();
    let mut profiles: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (name, service, _) in services {
        let own = tree::list(service, &["profiles"]).iter().filter_map(tree::scalar).map(|profile| fill(&profile, variables));
        profiles.entry(name).or_default().extend(own);
    }
    let runs = |own: &BTreeSet<String>| own.is_empty() || active.contains("*") || own.iter().any(|one| active.contains(one.as_str()));
    let idle = profiles.into_iter().filter(|(_, own)| !runs(own));
    idle.map(|(name, _)| (name.to_owned(), "none of its `profiles` is in `COMPOSE_PROFILES` of `.env`")).collect()
}

/// What the last file that says it says of a service.
fn last(services: &[Entry<'_>], name: &str, path: &[&str]) -> Option<String> {
    services.iter().rev().filter(|(one, _, _)| one == name).find_map(|(_, service, _)| tree::text(service, path))
}

/// How many containers of a service run, if the files say so.
fn replicas(services: &[Entry<'_>], name: &str, variables: &BTreeMap<String, String>) -> Option<f64> {
    let said = last(services, name, &["deploy", "replicas"]).or_else(|| last(services, name, &["scale"]))?;
    fill(&said, variables).parse::<f64>().ok().filter(|number| number.is_finite())
}

/// The value of a label or an annotation of a service, given as a map or as a list of `NAME=value`.
fn tagged(service: &Value, tag: &Tag) -> Option<String> {
    const LABELS: &[&[&str]] = &[&["labels"], &["deploy", "labels"]];
    const ANNOTATIONS: &[&[&str]] = &[&["annotations"]];
    let (places, name) = match tag {
        Tag::Label(name) => (LABELS, name.as_str()),
        Tag::Annotation(name) => (ANNOTATIONS, name.as_str()),
    };
    places.iter().find_map(|place| {
        let listed = || {
            let mut entries = tree::list(service, place).iter().filter_map(tree::scalar);
            entries.find_map(|entry| entry.split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()))
        };
        let labels = tree::entries(service, place);
        labels.into_iter().find(|(key, _)| *key == name).and_then(|(_, value)| tree::scalar(value)).or_else(listed)
    })
}

/// Whether a service waits until another one has done its work.
fn awaits_end(qualifier: &Value) -> bool {
    tree::text(qualifier, &["condition"]).as_deref() == Some("service_completed_successfully")
}

/// An environment file: `.env`, `shop.env`, `.env.local`.
fn is_env(source: &Source) -> bool {
    let file = source.name.rsplit('/').next().unwrap_or(&source.name);
    file.rsplit('.').next() == Some("env") || file.starts_with(".env.")
}

/// `NAME=value` of a `.env` file.
fn assignment(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    Some((name.trim().to_owned(), value.trim().trim_matches(['"', '\'']).to_owned()))
}

/// Fills in `${NAME}`, `${NAME:-default}` and `$NAME`; unknown variables are empty.
fn fill(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        filled.push_str(before);
        if let Some(escaped) = after.strip_prefix('$') {
            filled.push('$');
            rest = escaped;
        } else if let Some((inside, behind)) = after.strip_prefix('{').and_then(|after| after.split_once('}')) {
            let end = inside.find([':', '-', '?', '+']).unwrap_or(inside.len());
            let (name, choice) = inside.split_at(end);
            let default = choice.strip_prefix(":-").or_else(|| choice.strip_prefix('-')).unwrap_or("");
            filled.push_str(variables.get(name).map_or(default, String::as_str));
            rest = behind;
        } else {
            let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
            let (name, behind) = after.split_at(end);
            filled.push_str(variables.get(name).map_or("", String::as_str));
            rest = behind;
        }
    }
    filled.push_str(rest);
    filled
}

/// Host names and the services they refer to.
fn aliases(services: &[Entry<'_>], variables: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut aliases = BTreeMap::new();
    for (name, service, _) in services {
        let said = |key: &str| tree::text(service, &[key]);
        let whole = said("hostname").zip(said("domainname")).map(|(host, domain)| format!("{host}.{domain}"));
        let networks = tree::entries(service, &["networks"]);
        let listed = networks.iter().flat_map(|(_, network)| tree::list(network, &["aliases"])).filter_map(tree::scalar);
        for alias in ["container_name", "hostname"].into_iter().filter_map(said).chain(whole).chain(listed) {
            aliases.entry(fill(&alias, variables)).or_insert_with(|| name.clone());
        }
    }
    // A service's own name comes before any alias.
    aliases.extend(services.iter().map(|(name, _, _)| (name.clone(), name.clone())));
    aliases
}

/// Host names that only one service knows, by its own name, and what they mean: the alias of a link, and the address in `extra_hosts`.
fn own_names(services: &[Entry<'_>], variables: &BTreeMap<String, String>) -> BTreeMap<(String, String), String> {
    let mut names = BTreeMap::new();
    for (name, service, _) in services {
        let listed = |key: &str| tree::list(service, &[key]).iter().filter_map(tree::scalar).map(move |one| fill(&one, variables));
        let links = listed("links").chain(listed("external_links"));
        let links = links.filter_map(|link| link.split_once(':').map(|(target, alias)| (alias.to_owned(), target.to_owned())));
        let hosts = listed("extra_hosts").filter_map(|host| {
            let (host, address) = host.split_once('=').or_else(|| host.split_once(':'))?;
            Some((host.trim().to_owned(), address.trim().to_owned()))
        });
        let mapped = tree::entries(service, &["extra_hosts"]);
        let mapped = mapped.into_iter().filter_map(|(host, address)| Some((host.to_owned(), tree::scalar(address)?)));
        for (alias, target) in mapped.chain(hosts).chain(links) {
            names.insert((name.clone(), alias), target);
        }
    }
    names
}

#[derive(Default)]
struct Project {
    aliases: BTreeMap<String, String>,
    own_names: BTreeMap<(String, String), String>,
    variables: BTreeMap<String, String>,
    /// By name of the file.
    env_files: BTreeMap<String, Vec<(String, String)>>,
    /// Services that do not run, with the reason.
    left: BTreeMap<String, &'static str>,
    /// By name of the service.
    telemetry: BTreeMap<String, Telemetry>,
}

impl Project {
    /// A service, whose parts may be in several files; later files win.
    fn component(&self, builder: &mut Builder<'_>, name: &str, services: &[Entry<'_>]) {
        let parts: Vec<&Entry<'_>> = services.iter().filter(|(one, _, _)| one == name).collect();
        let image = last(services, name, &["image"]).map(|image| fill(&image, &self.variables)).unwrap_or_default();
        let guess = guess::workload(&image, name);
        let mut attributes = BTreeMap::new();
        if let Some(engine) = guess.engine {
            attributes.insert("engine".to_owned(), Written::Text(engine.to_owned()));
        }
        if let Some(replicas) = replicas(services, name, &self.variables).filter(|replicas| *replicas > 1.0) {
            attributes.insert("replicas".to_owned(), Written::Number(replicas));
        }
        let source = parts.first().map_or("", |part| part.2);
        let kind = if guess.kind == "service" && self.ends(name, services) { "job" } else { guess.kind };
        let value = |tag: &Tag| parts.iter().rev().find_map(|(_, service, _)| tagged(service, tag));
        let value = |tag: &Tag| value(tag).map(|value| fill(&value, &self.variables));
        let label = |name: &str| value(&Tag::Label(name.to_owned()));
        let component = DeclaredComponent {
            id: name.to_owned(),
            kind: kind.to_owned(),
            owner: label("owner").or_else(|| label("team")),
            environment: label("environment").or_else(|| label("env")),
            attributes,
            ..DeclaredComponent::default()
        };
        builder.add_labelled(component, true, value, source);
    }

    /// Whether all who depend on a service wait for its end.
    fn ends(&self, name: &str, services: &[Entry<'_>]) -> bool {
        let needs = services.iter().flat_map(|(_, service, _)| tree::entries(service, &["depends_on"]));
        let mut needs = needs.filter(|(target, _)| self.aliases.get(*target).is_some_and(|of| of == name)).peekable();
        needs.peek().is_some() && needs.all(|(_, qualifier)| awaits_end(qualifier))
    }

    fn relations(&self, builder: &mut Builder<'_>, name: &str, service: &Value, source: &str) {
        let mut named: Vec<String> = tree::list(service, &["depends_on"]).iter().filter_map(tree::scalar).collect();
        let mut soft = BTreeSet::new();
        for (target, qualifier) in tree::entries(service, &["depends_on"]) {
            if awaits_end(qualifier) {
                let why = "a job runs to completion; nothing depends on it";
                builder.skip_need(name, target, "", why, source);
                continue;
            }
            if tree::text(qualifier, &["required"]).as_deref() == Some("false") {
                soft.extend(self.aliases.get(target).map(String::as_str));
            }
            named.push(target.to_owned());
        }
        // Those outside may be of another file among the input.
        let links = ["links", "external_links"].into_iter().flat_map(|key| tree::list(service, &[key])).filter_map(tree::scalar);
        named.extend(links.map(|link| link.split(':').next().unwrap_or(&link).to_owned()));
        for mode in ["network_mode", "pid", "ipc"].into_iter().filter_map(|key| tree::text(service, &[key])) {
            let shared = mode.strip_prefix("service:").or_else(|| mode.strip_prefix("container:"));
            named.extend(shared.map(str::to_owned));
        }
        let volumes = tree::list(service, &["volumes_from"]).iter().filter_map(tree::scalar);
        named.extend(volumes.map(|from| {
            let name = from.strip_prefix("container:").unwrap_or(&from);
            name.split(':').next().unwrap_or(name).to_owned()
        }));
        for (key, what, why) in [("secrets", "secret", "secrets are not read"), ("configs", "config", "configs are not read")] {
            for one in tree::list(service, &[key]) {
                if let Some(source_of) = tree::scalar(one).or_else(|| tree::text(one, &["source"])) {
                    builder.skip(format!("{what} `{source_of}` of `{name}`"), why, source);
                }
            }
        }
        // It starts without them: losing one does not take it down as `depends_on` would.
        let kind = |target: &str| if soft.contains(target) { "calls" } else { "depends_on" };
        for target in named {
            match self.aliases.get(&target) {
                // Who names it outright, even a collector, means it.
                Some(target) => match self.needs_not(name, target, "", Some(true), None) {
                    Some(why) => builder.skip_need(name, target, "", why, source),
                    None => builder.relate(name, kind(target), target, source),
                },
                None => builder.skip_need(name, &target, "", "no such service in the files", source),
            }
        }
        let mut settings = self.files_of(builder, name, service, source);
        settings.extend(self.settings(service));
        for (setting, value) in settings {
            for mut host in hosts(&setting, &value) {
                if let Some(meant) = self.own_names.get(&(name.to_owned(), host.name.clone()))
                    && (self.aliases.contains_key(meant) || builder.outside(meant).is_some())
                {
                    host.name.clone_from(meant);
                }
                let Some(target) = self.aliases.get(&host.name) else {
                    builder.need_outside(name, self.telemetry_of(name), (setting.as_str(), None), &host, source);
                    continue;
                };
                if target == name {
                    continue;
                }
                match self.needs_not(name, target, &setting, None, host.port) {
                    None => builder.relate(name, kind(target), target, source),
                    Some(why) => builder.skip_need(name, target, &setting, why, source),
                }
            }
        }
    }

    /// Why a service does not need what it names.
    fn needs_not(&self, name: &str, target: &str, setting: &str, sends: Option<bool>, port: Option<u16>) -> Option<&'static str> {
        let needs_not = || self.telemetry_of(name).needs_not(self.telemetry_of(target), setting, sends, port);
        self.left.get(target).copied().or_else(needs_not)
    }

    fn telemetry_of(&self, name: &str) -> Telemetry {
        self.telemetry.get(name).copied().unwrap_or_default()
    }

    /// What the files of `env_file` say.
    fn files_of(&self, builder: &mut Builder<'_>, name: &str, service: &Value, source: &str) -> Vec<(String, String)> {
        let one = tree::text(service, &["env_file"]);
        let many = tree::list(service, &["env_file"]).iter();
        let listed = many.filter_map(|file| tree::scalar(file).or_else(|| tree::text(file, &["path"])));
        let mut settings = Vec::new();
        for file in one.into_iter().chain(listed) {
            let file = fill(&file, &self.variables);
            let path = beside(source, &file);
            match self.env_files.iter().find(|(known, _)| beside("", known) == path) {
                Some((_, assigned)) => settings.extend(assigned.iter().map(|(name, value)| (name.clone(), fill(value, &self.variables)))),
                None => builder.skip(format!("env_file `{file}` of `{name}`"), "the file is not among the input", source),
            }
        }
        settings
    }

    /// The environment, as a list or as a map, and the words of the command.
    fn settings(&self, service: &Value) -> Vec<(String, String)> {
        let mut settings = Vec::new();
        for entry in tree::list(service, &["environment"]).iter().filter_map(tree::scalar) {
            match entry.split_once('=') {
                Some((name, value)) => settings.push((name.to_owned(), fill(value, &self.variables))),
                // A variable without a value is passed on.
                None => settings.extend(self.variables.get(&entry).map(|value| (entry.clone(), value.clone()))),
            }
        }
        for (name, value) in tree::entries(service, &["environment"]) {
            match tree::scalar(value) {
                Some(value) => settings.push((name.to_owned(), fill(&value, &self.variables))),
                None => settings.extend(self.variables.get(name).map(|value| (name.to_owned(), value.clone()))),
            }
        }
        for key in ["command", "entrypoint"] {
            let words = tree::list(service, &[key]).iter().filter_map(tree::scalar).chain(tree::text(service, &[key]));
            settings.extend(words.map(|word| (String::new(), fill(&word, &self.variables))));
        }
        settings
    }
}
