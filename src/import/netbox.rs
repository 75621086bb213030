//! NetBox: answers of its REST API, or the list that `manage.py dumpdata` writes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::builder::Builder;
use super::{DeclaredComponent, Source, Written, names, netbox_links, netbox_pages, tree};

/// Model and primary key.
pub(super) type Key = (String, u64);

/// All records of all files: fields, and the file.
pub(super) struct Records<'s> {
    all: BTreeMap<Key, (Value, &'s str)>,
    /// Those that become no component though their model does, with the reason.
    left_out: BTreeMap<Key, String>,
    /// Devices that virtual machines run on.
    carriers: BTreeSet<u64>,
}

const MACHINE: &str = "virtualization.virtualmachine";

/// The last part of an API path, and the model that it shows.
const PATHS: [(&str, &str); 19] = [
    ("regions", "dcim.region"),
    ("site-groups", "dcim.sitegroup"),
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
    ("virtual-machines", MACHINE),
    ("ip-addresses", "ipam.ipaddress"),
    ("tenants", "tenancy.tenant"),
    ("prefixes", "ipam.prefix"),
    ("vlans", "ipam.vlan"),
    ("wireless-lans", "wireless.wirelesslan"),
];

/// Models that become components, each with where its records are located: field, and model of the holder. The first holder
/// that is a component counts; of a site, all.
const HELD: [(&str, &[(&str, &str)]); 10] = [
    ("dcim.region", &[("parent", "dcim.region")]),
    ("dcim.sitegroup", &[("parent", "dcim.sitegroup")]),
    ("dcim.site", &[("region", "dcim.region"), ("group", "dcim.sitegroup")]),
    ("dcim.location", &[("parent", "dcim.location"), ("site", "dcim.site")]),
    ("dcim.rack", &[("location", "dcim.location"), ("site", "dcim.site")]),
    ("dcim.device", &[("rack", "dcim.rack"), ("location", "dcim.location"), ("site", "dcim.site")]),
    ("virtualization.cluster", &[("site", "dcim.site"), ("scope", SCOPE)]),
    (MACHINE, &[("device", "dcim.device"), ("cluster", "virtualization.cluster"), ("site", "dcim.site")]),
    ("ipam.prefix", &[("site", "dcim.site"), ("scope", SCOPE)]),
    ("wireless.wirelesslan", &[("scope", SCOPE)]),
];

const SITE: &str = "dcim.site";

/// From NetBox 4.2 on, the record itself says of which model its holder is.
const SCOPE: &str = "";

/// Where `dumpdata` repeats the place of a scope, the closest first.
const CACHED: [(&str, &str); 4] =
    [("_location", "dcim.location"), ("_site", "dcim.site"), ("_region", "dcim.region"), ("_site_group", "dcim.sitegroup")];

/// The status of what is not there yet, or not any more.
const NOT_THERE: [&str; 6] = ["planned", "staged", "staging", "inventory", "decommissioning", "retired"];
/// Of networks, where the words above do not say it: a container of prefixes is none itself.
const NO_NETWORK: [&str; 4] = ["container", "reserved", "deprecated", "disabled"];

impl<'s> Records<'s> {
    pub(super) fn all(&self) -> impl Iterator<Item = (&Key, &Value, &'s str)> {
        self.all.iter().map(|(key, (fields, source))| (key, fields, *source))
    }

    pub(super) fn get(&self, model: &str, key: u64) -> Option<&Value> {
        self.all.get(&(model.to_owned(), key)).map(|(fields, _)| fields)
    }

    /// Why nothing can be related to a record.
    pub(super) fn missing(&self, key: &Key) -> String {
        let left_out = self.left_out.get(key).map(|why| format!("the other end is left out: {why}"));
        left_out.unwrap_or_else(|| "dangling: the record is not in the files".to_owned())
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
    let mut records = Records { all: BTreeMap::new(), left_out: BTreeMap::new(), carriers: BTreeSet::new() };
    let mut pages = netbox_pages::Pages::default();
    for source in sources {
        let documents = builder.documents(source);
        let mut found = false;
        let mut strange = Vec::new();
        for (document, number) in documents.iter().zip(1..) {
            let answer = document.get("results").is_some();
            let items: &[Value] = match document {
                Value::Array(items) => items,
                _ if answer => tree::list(document, &["results"]),
                one => std::slice::from_ref(one),
            };
            let (mut known, mut others) = (Vec::new(), Vec::new());
            for item in items {
                match record(item) {
                    Some(one) => known.push(one),
                    None => others.push(item),
                }
            }
            pages.add(document, &source.name);
            if answer {
                unread(builder, &others, &source.name);
            }
            found |= answer || !known.is_empty();
            if known.is_empty() && document.is_object() && !answer {
                strange.push((number, said(document)));
            }
            for (key, fields) in known {
                records.all.entry(key).or_insert((fields, source.name.as_str()));
            }
        }
        if found {
            strange.into_iter().for_each(|(number, why)| builder.skip(format!("answer {number}"), why, &source.name));
        } else if !documents.is_empty() {
            builder.fail_foreign(&source.name);
        }
    }
    pages.report(builder);
    let machines = records.all().filter(|(key, _, _)| key.0 == MACHINE);
    records.carriers = machines.filter_map(|(_, fields, _)| number(fields.get("device")?)).collect();
    leave_out(builder, &mut records);
    let ids = ids(&records);
    for (key, fields, source) in records.all() {
        if let Some(id) = ids.get(key) {
            component(builder, &records, key, fields, id, source);
        }
    }
    for (key, fields, source) in records.all() {
        if let Some(id) = ids.get(key) {
            holders(builder, &records, (key, fields, source), id, &ids);
        }
    }
    netbox_links::cables(builder, &records, &ids);
}

/// Says which records of an answer are of no use.
fn unread(builder: &mut Builder<'_>, items: &[&Value], source: &str) {
    let mut lists: BTreeMap<Option<String>, usize> = BTreeMap::new();
    for item in items {
        *lists.entry(netbox_pages::of_record(item)).or_default() += 1;
    }
    for (list, count) in lists {
        match list {
            Some(list) => builder.skip(format!("{count} of `{list}`"), "records of this kind are not imported", source),
            None => builder.skip(format!("{count} of the records"), "without `url`, nothing says what they are", source),
        }
    }
}

/// What an answer without records says: `{"detail": "Invalid token"}`.
fn said(document: &Value) -> String {
    let detail = ["detail", "error", "exception"].into_iter().find_map(|field| tree::text(document, &[field]));
    detail.map_or_else(|| "there is no record of NetBox in it".to_owned(), |detail| format!("it is an error: {detail}"))
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

/// Whether records of the model become components.
fn is_held(model: &str) -> bool {
    HELD.iter().any(|(held, _)| *held == model)
}

/// What a record is called: its name, or its model and key.
fn called(key: &Key, fields: &Value) -> String {
    let name = ["name", "prefix", "ssid"].into_iter().find_map(|field| tree::text(fields, &[field]));
    name.unwrap_or_else(|| numbered(key))
}

/// The last part of the model's name, and the key.
fn numbered(key: &Key) -> String {
    format!("{}-{}", short(&key.0), key.1)
}

fn short(model: &str) -> &str {
    model.split('.').nth(1).unwrap_or(model)
}

/// The status in lower case: a word, or value and label. NetBox before 2.7 has a number as value.
pub(super) fn status(fields: &Value) -> Option<String> {
    let of = fields.get("status")?;
    let words = [tree::scalar(of), tree::text(of, &["value"]), tree::text(of, &["label"])];
    words.into_iter().flatten().find(|word| !word.starts_with(|c: char| c.is_ascii_digit())).map(|word| word.to_lowercase())
}

/// Whether a status says that there is no such thing now.
pub(super) fn is_not_there(status: &str) -> bool {
    NOT_THERE.contains(&status)
}

/// Finds the records that are no part of the estate as it is now.
fn leave_out(builder: &mut Builder<'_>, records: &mut Records<'_>) {
    let mut left_out = BTreeMap::new();
    for (key, fields, source) in records.all().filter(|(key, _, _)| is_held(&key.0)) {
        if let Some(why) = status(fields).and_then(|status| objection(&key.0, &status)) {
            let kind = kind(records, key, fields);
            builder.skip(format!("`{}` ({kind})", called(key, fields)), why.as_str(), source);
            left_out.insert(key.clone(), why);
        }
    }
    records.left_out = left_out;
}

/// Why something of that status is no component. What is there and does not work is one, and its status says so.
fn objection(model: &str, status: &str) -> Option<String> {
    let network = matches!(model, "ipam.prefix" | "wireless.wirelesslan");
    let absent = is_not_there(status) || (network && NO_NETWORK.contains(&status));
    absent.then(|| format!("its status is `{status}`"))
}

/// Ids of what becomes a component: the name, with the site or the key where others share it.
fn ids(records: &Records<'_>) -> BTreeMap<Key, String> {
    let entries: Vec<(Key, Vec<String>)> = records
        .all()
        .filter(|(key, _, _)| is_held(&key.0) && !records.left_out.contains_key(*key))
        .map(|(key, fields, _)| {
            let name = called(key, fields);
            let site = records.text_of(fields, "site", "dcim.site", "name");
            let middle = site.map_or_else(|| format!("{}/{name}", short(&key.0)), |site| format!("{site}/{name}"));
            (key.clone(), vec![name, middle, numbered(key)])
        })
        .collect();
    names::unique(&entries)
}

/// The type of the component that a record becomes.
fn kind(records: &Records<'_>, (model, number): &Key, fields: &Value) -> &'static str {
    match model.as_str() {
        "dcim.region" | "dcim.sitegroup" => "region",
        "dcim.site" => "data_center",
        "dcim.location" => "facility",
        "dcim.rack" => "rack",
        "virtualization.cluster" => "cluster",
        MACHINE => "virtual_machine",
        "ipam.prefix" => "subnet",
        "wireless.wirelesslan" => "network",
        _ => {
            let role = ["role", "device_role"].into_iter().find_map(|field| records.text_of(fields, field, "dcim.devicerole", "name"));
            match device_kind(role.as_deref().unwrap_or("")) {
                "component" if records.carriers.contains(number) => "host",
                known => known,
            }
        }
    }
}

fn component(builder: &mut Builder<'_>, records: &Records<'_>, key: &Key, fields: &Value, id: &str, source: &str) {
    let kind = kind(records, key, fields);
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
        ("cidr", tree::text(fields, &["prefix"])),
        ("vlan", records.text_of(fields, "vlan", "ipam.vlan", "vid")),
        ("status", status(fields)),
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
fn device_kind(role: &str) -> &'static str {
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
    } else if has(&["server", "host", "hypervisor", "compute", "esx", "kvm"]) {
        "host"
    } else if has(&["panel", "access point", "wireless", "console", "optical"]) {
        "network"
    } else {
        "component"
    }
}

/// Its location, and what a machine runs on: the first of which the model allows it.
fn holders(
    builder: &mut Builder<'_>,
    records: &Records<'_>,
    (key, fields, source): (&Key, &Value, &str),
    id: &str,
    ids: &BTreeMap<Key, String>,
) {
    let kind = if key.0 == MACHINE { "runs_on" } else { "belongs_to" };
    let Some((_, holders)) = HELD.iter().find(|(model, _)| *model == key.0) else { return };
    for (field, model) in *holders {
        let named = || Some(((*model).to_owned(), fields.get(*field).and_then(number)?));
        let Some(holder) = (if *model == SCOPE { scope(fields) } else { named() }) else { continue };
        match ids.get(&holder) {
            Some(holder) => match builder.refusal(id, kind, holder) {
                None => {
                    builder.relate(id, kind, holder, source);
                    // Regions and groups part the sites in two ways.
                    if key.0 != SITE {
                        return;
                    }
                }
                Some(why) => builder.skip(format!("`{id}` {kind} `{holder}`"), why, source),
            },
            None => builder.skip(format!("`{id}` {kind} {} {}", holder.0, holder.1), records.missing(&holder), source),
        }
    }
    if fields.get("scope_type").is_some_and(|of| !of.is_null()) && scope(fields).is_none() {
        builder.skip(format!("the scope of `{id}`"), "the file does not say of which kind it is; use `dumpdata --natural-foreign`", source);
    }
}

/// The place that a record is for: of any model, by name and key.
fn scope(fields: &Value) -> Option<Key> {
    let key = fields.get("scope_id").and_then(number).or_else(|| fields.get("scope").and_then(number));
    let named = fields.get("scope_type").and_then(content_type);
    // A dump may have the kind as a number, which says nothing outside of its database.
    let cached = || CACHED.iter().find_map(|(field, model)| Some(((*model).to_owned(), fields.get(*field).and_then(number)?)));
    named.zip(key).or_else(cached)
}

/// A kind of record, as the API names it, `dcim.site`, or a dump: `["dcim", "site"]`.
fn content_type(value: &Value) -> Option<String> {
    let parts: Vec<String> = tree::list(value, &[]).iter().filter_map(tree::scalar).collect();
    let name = if parts.is_empty() { tree::scalar(value)? } else { parts.join(".") };
    name.contains('.').then(|| name.to_lowercase())
}
