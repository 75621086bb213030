//! Cables of NetBox: which device is reached through which, and which is fed by which.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::builder::Builder;
use super::netbox::{Key, Records, is_not_there, number, status};
use super::tree;

/// One end of a cable: what is plugged in, and the device.
struct End {
    /// `interface`, `powerport`, ...
    plug: String,
    device: u64,
}

#[derive(Default)]
struct Cable<'s> {
    a: Vec<End>,
    b: Vec<End>,
    /// Why it connects nothing.
    status: Option<String>,
    source: &'s str,
}

pub(super) fn cables(builder: &mut Builder<'_>, records: &Records<'_>, ids: &BTreeMap<Key, String>) {
    let mut cables: BTreeMap<u64, Cable<'_>> = BTreeMap::new();
    for ((model, key), fields, source) in records.all() {
        if model == "dcim.cabletermination" {
            let Some(cable) = fields.get("cable").and_then(number) else { continue };
            let entry = cables.entry(cable).or_default();
            entry.source = source;
            if let Some(end) = fixture_end(fields) {
                let side = if tree::text(fields, &["cable_end"]).as_deref() == Some("A") { &mut entry.a } else { &mut entry.b };
                side.push(end);
            }
        } else if model == "dcim.cable" {
            let entry = cables.entry(*key).or_default();
            entry.source = source;
            entry.status = status(fields).filter(|status| is_not_there(status));
            entry.a.extend(tree::list(fields, &["a_terminations"]).iter().filter_map(answer_end));
            entry.b.extend(tree::list(fields, &["b_terminations"]).iter().filter_map(answer_end));
        }
    }
    for (key, cable) in &cables {
        if let Some(status) = &cable.status {
            builder.skip(format!("cable {key}"), format!("its status is `{status}`"), cable.source);
            continue;
        }
        let mut pairs = BTreeSet::new();
        for a in &cable.a {
            for b in &cable.b {
                pairs.insert(((a.device, a.plug.as_str()), (b.device, b.plug.as_str())));
            }
        }
        if pairs.is_empty() {
            builder.skip(format!("cable {key}"), "one end is not on a device", cable.source);
        }
        for (a, b) in pairs {
            link(builder, records, ids, a, b, cable.source);
        }
    }
}

/// An end as `dumpdata` writes it.
fn fixture_end(fields: &Value) -> Option<End> {
    let plug = tree::list(fields, &["termination_type"]).last().and_then(tree::scalar)?;
    Some(End { plug, device: fields.get("_device").and_then(number)? })
}

/// An end as the API answers it.
fn answer_end(end: &Value) -> Option<End> {
    let plug = tree::text(end, &["object_type"])?;
    let plug = plug.rsplit('.').next().unwrap_or(&plug).to_owned();
    Some(End { plug, device: tree::at(end, &["object", "device"]).and_then(number)? })
}

fn link(builder: &mut Builder<'_>, records: &Records<'_>, ids: &BTreeMap<Key, String>, a: (u64, &str), b: (u64, &str), source: &str) {
    let (one, other) = (("dcim.device".to_owned(), a.0), ("dcim.device".to_owned(), b.0));
    let (Some(from), Some(to)) = (ids.get(&one), ids.get(&other)) else {
        let gone = if ids.contains_key(&one) { &other } else { &one };
        builder.skip(format!("a cable between device {} and device {}", a.0, b.0), records.missing(gone), source);
        return;
    };
    match (a.1, b.1) {
        ("powerport", "poweroutlet") => builder.relate(from, "depends_on", to, source),
        ("poweroutlet", "powerport") => builder.relate(to, "depends_on", from, source),
        _ => {
            let (low, high) = (rank(records, a.0), rank(records, b.0));
            match low.cmp(&high) {
                std::cmp::Ordering::Less => builder.relate(from, "connects_to", to, source),
                std::cmp::Ordering::Greater => builder.relate(to, "connects_to", from, source),
                std::cmp::Ordering::Equal => {
                    let why = "cable between devices of equal rank: neither depends on the other";
                    builder.skip(format!("`{from}` connects_to `{to}`"), why, source);
                }
            }
        }
    }
}

/// How close a device is to the network core, by its role: a device of a lower rank is reached through one of a higher rank.
fn rank(records: &Records<'_>, device: u64) -> u8 {
    let fields = records.get("dcim.device", device);
    let role = fields.and_then(|fields| fields.get("role").or_else(|| fields.get("device_role")));
    let name = role.and_then(|role| {
        let nested = tree::text(role, &["name"]);
        nested.or_else(|| records.get("dcim.devicerole", number(role)?).and_then(|record| tree::text(record, &["name"])))
    });
    let name = name.unwrap_or_default().to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(&["router", "firewall"]) {
        5
    } else if has(&["core", "spine"]) {
        4
    } else if has(&["distribution", "aggregation"]) {
        3
    } else if has(&["switch", "leaf"]) {
        2
    } else {
        u8::from(has(&["panel", "access point", "wireless"]))
    }
}
