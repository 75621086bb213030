//! NetBox: answers of its REST API, or the list that `manage.py dumpdata` writes.

use std::collections::BTreeMap;

use serde_json::Value;

use super::builder::Builder;
use super::{DeclaredComponent, Source, Written, names, netbox_links, tree};

/// Model and primary key.
pub(super) type Key = (String, u64);

/// All records of all files: fields, and the file.
pub(super) struct Records<'s> {
    records: BTreeMap<Key, (Value, &'s str)>,
}

/// The last part of an API path, and the model that it shows.
const PATHS: [(&str, &str); 17] = [
    ("regions", "dcim.region"),
    ("sites", "dcim.site"),
    ("locations", "dcim.location"),
    ("racks", "dcim.rack"),
    ("devices", "dcim.device"),
    ("device-roles", "dcim.devicerole"),
    ("device-types", "dcim.devicetype"),
    ("manufacturers", "dcim.manufacturer"),
    ("platforms", "dcim.platform"),
    ("interfaces", "dcim.interface"),
    ("cables", "dcim.cable"),
    ("clusters", "virtualization.cluster"),
    ("virtual-machines", "virtualization.virtualmachine"),
    ("ip-addresses", "ipam.ipaddress"),
    ("tenants", "tenancy.tenant"),
    ("prefixes", "ipam.prefix"),
    ("vlans", "ipam.vlan"),
];

/// Models that become components, each with where its records are located: field, model of the holder, kind of relation. The
/// first field that is set counts.
const HELD: [(&str, &[(&str, &str)]); 7] = [
    ("dcim.region", &[("parent", "dcim.region")]),
    ("dcim.site", &[("region", "dcim.region")]),
    ("dcim.location", &[("parent", "dcim.location"), ("site", "dcim.site")]),
    ("dcim.rack", &[("location", "dcim.location"), ("site", "dcim.site")]),
    ("dcim.device", &[("rack", "dcim.rack"), ("location", "dcim.location"), ("site", "dcim.site")]),
    ("virtualization.cluster", &[("site", "dcim.site"), ("scope_id", "dcim.site")]),
    ("virtualization.virtualmachine", &[("device", "dcim.device"), ("cluster", "virtualization.cluster"), ("site", "dcim.site")]),
];

impl<'s> Records<'s> {
    pub(super) fn all(&self) -> impl Iterator<Item = (&Key, &Value, &'s str)> {
        self.records.iter().map(|(key, (fields, source))| (key, fields, *source))
    }

    pub(super) fn get(&self, model: &str, key: u64) -> Option<&Value> {
        self.records.get(&(model.to_owned(), key)).map(|(fields, _)| fields)
    }

    /// A text of the record that a field refers to: the nested object of the API, or the record of that key.
    fn text_of(&self, fields: &Value, field: &str, model: &str, wanted: &str) -> Option<String> {
        let value = fields.get(field)?;
        tree::text(value, &[wanted]).or_else(|| self.get(model, number(value)?).and_then(|record| tree::text(record, &[wanted])))
    }
}

/// The key that a reference holds: a number, or an object with `id`.
pub(super) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.get("id").and_then(Value::as_u64))
}

pub(super) fn read(builder: &mut Builder<'_>, sources: &[Source]) {
    let mut records = Records { records: BTreeMap::new() };
    for source in sources {
        let documents = builder.documents(source);
        let mut found = false;
        for document in &documents {
            let list = if document.is_array() { tree::list(document, &[]) } else { tree::list(document, &["results"]) };
            found |= document.get("results").is_some();
            for item in list {
                if let Some((key, fields)) = record(item) {
                    found = true;
                    records.records.entry(key).or_insert((fields, source.name.as_str()));
                }
            }
        }
        if !documents.is_empty() && !found {
            builder.fail_foreign(&source.name);
        }
    }
    let ids = ids(&records);
    for (key, fields, source) in records.all() {
        if let Some(id) = ids.get(key) {
            component(builder, &records, key, fields, id, source);
        }
    }
    for (key, fields, source) in records.all() {
        if let Some(id) = ids.get(key) {
            holders(builder, key, fields, id, &ids, source);
        }
    }
    netbox_links::cables(builder, &records, &ids);
}

/// Model, key and fields of an item of either format.
fn record(item: &Value) -> Option<(Key, Value)> {
    if let (Some(model), Some(fields)) = (tree::text(item, &["model"]), item.get("fields")) {
        return Some(((model.to_lowercase(), item.get("pk")?.as_u64()?), fields.clone()));
    }
    let id = item.get("id")?.as_u64()?;
    let url = tree::text(item, &["url"])?;
    let path = url.trim_end_matches('/').rsplit('/').nth(1)?;
    let app = url.trim_end_matches('/').rsplit('/').nth(2)?;
    let (_, model) = PATHS.iter().find(|(known, model)| *known == path && model.split('.').next() == Some(app))?;
    Some((((*model).to_owned(), id), item.clone()))
}

/// Ids of what becomes a component: the name, with the site or the key where others share it.
fn ids(records: &Records<'_>) -> BTreeMap<Key, String> {
    let entries: Vec<(Key, Vec<String>)> = records
        .all()
        .filter(|((model, _), _, _)| HELD.iter().any(|(held, _)| held == model))
        .map(|(key, fields, _)| {
            let (model, number) = key;
            let short = model.split('.').nth(1).unwrap_or(model);
            let last = format!("{short}-{number}");
            let name = tree::text(fields, &["name"]).unwrap_or_else(|| last.clone());
            let site = records.text_of(fields, "site", "dcim.site", "name");
            let middle = site.map_or_else(|| format!("{short}/{name}"), |site| format!("{site}/{name}"));
            (key.clone(), vec![name, middle, last])
        })
        .collect();
    names::unique(&entries)
}

fn component(builder: &mut Builder<'_>, records: &Records<'_>, key: &Key, fields: &Value, id: &str, source: &str) {
    let role = ["role", "device_role"].into_iter().find_map(|field| records.text_of(fields, field, "dcim.devicerole", "name"));
    let kind = match key.0.as_str() {
        "dcim.region" => "region",
        "dcim.site" => "data_center",
        "dcim.location" => "facility",
        "dcim.rack" => "rack",
        "virtualization.cluster" => "cluster",
        "virtualization.virtualmachine" => "virtual_machine",
        _ => device_kind(role.as_deref().unwrap_or("")),
    };
    let ip = ["primary_ip4", "primary_ip", "primary_ip6"]
        .into_iter()
        .find_map(|field| records.text_of(fields, field, "ipam.ipaddress", "address"))
        .map(|address| address.split('/').next().unwrap_or(&address).to_owned());
    let maker = fields.get("device_type").and_then(|of| {
        let record = number(of).and_then(|of| records.get("dcim.devicetype", of)).unwrap_or(of);
        records.text_of(record, "manufacturer", "dcim.manufacturer", "name")
    });
    let found = [
        ("ip", ip),
        ("vendor", maker),
        ("os", records.text_of(fields, "platform", "dcim.platform", "name")),
        ("cluster", records.text_of(fields, "cluster", "virtualization.cluster", "name")),
        ("description", tree::text(fields, &["description"])),
        ("cores", tree::text(fields, &["vcpus"])),
        ("memory", tree::text(fields, &["memory"]).map(|memory| format!("{memory}MiB"))),
    ];
    let attributes = found.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Written::Text(text?)))).collect();
    let component = DeclaredComponent {
        id: id.to_owned(),
        kind: kind.to_owned(),
        name: tree::text(fields, &["name"]),
        owner: records.text_of(fields, "tenant", "tenancy.tenant", "name"),
        environment: None,
        tier: None,
        attributes,
        ..DeclaredComponent::default()
    };
    builder.add(component, source);
}

/// The type of a device by the name of its role.
pub(super) fn device_kind(role: &str) -> &'static str {
    let role = role.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| role.contains(word));
    if has(&["switch"]) {
        "switch"
    } else if has(&["router"]) {
        "router"
    } else if has(&["firewall"]) {
        "firewall"
    } else if has(&["load balancer", "load-balancer"]) {
        "load_balancer"
    } else if has(&["storage", "san", "nas"]) {
        "storage"
    } else if has(&["server", "host", "hypervisor", "compute"]) {
        "host"
    } else if has(&["panel", "access point", "wireless", "console", "optical"]) {
        "network"
    } else {
        "component"
    }
}

/// Its location, and what a machine runs on.
fn holders(builder: &mut Builder<'_>, key: &Key, fields: &Value, id: &str, ids: &BTreeMap<Key, String>, source: &str) {
    let machine = key.0 == "virtualization.virtualmachine";
    let kind = if machine { "runs_on" } else { "belongs_to" };
    let Some((_, holders)) = HELD.iter().find(|(model, _)| *model == key.0) else { return };
    for (field, model) in *holders {
        let Some(number) = fields.get(*field).and_then(number) else { continue };
        // From NetBox 4.2 on, a cluster's scope may be something else than a site.
        if *field == "scope_id" && tree::text(fields, &["scope_type"]).as_deref() != Some("dcim.site") {
            continue;
        }
        match ids.get(&((*model).to_owned(), number)) {
            Some(holder) => builder.relate(id, kind, holder, source),
            None => {
                builder.skip(format!("`{id}` {kind} {model} {number}"), "dangling: the record is not in the files", source);
                continue;
            }
        }
        return;
    }
}
