//! Maps span attributes to the labels that placement uses.

use std::collections::BTreeMap;

use estate::ComponentId;

use super::super::labels::other_name;
use super::super::resolver::Resolver;
use super::spans::Kind;

/// Attributes with their values as text. Names follow the conventions of OpenTelemetry or of the tool.
pub(super) type Attributes = BTreeMap<String, String>;

pub(super) const SERVICE: &str = "service.name";
pub(super) const PEER_SERVICE: &str = "peer.service";
pub(super) const PEER_IP: &str = "network.peer.address";

/// Labels of attributes that other sources of signals do not have, so that one entry of `sources.yaml` places all of them. If several
/// attributes have the same label, the first one present counts.
const LABELS: &[(&str, &str)] = &[
    ("service.namespace", "namespace"),
    (PEER_SERVICE, "service"),
    ("server.address", "host"),
    ("net.peer.name", "host"),
    ("peer.hostname", "host"),
    ("peer.address", "address"),
    (PEER_IP, "ip"),
    ("net.peer.ip", "ip"),
    ("net.sock.peer.addr", "ip"),
    ("peer.ipv4", "ip"),
];

/// Attributes of a span that identify the target of a call, by old and new conventions.
const PEERS: &[&str] = &[
    PEER_SERVICE,
    "server.address",
    "net.peer.name",
    "peer.hostname",
    "peer.address",
    PEER_IP,
    "net.peer.ip",
    "net.sock.peer.addr",
    "peer.ipv4",
    "db.name",
    "db.namespace",
    "db.system",
    "db.system.name",
    "messaging.system",
];

/// The kind of the called system: the least specific attribute, so tried last.
const SYSTEMS: &[&str] = &["db.system.name", "db.system", "messaging.system"];

/// HTTP: the server failed (RFC 9110, section 15.6).
const SERVER_ERROR: u16 = 500;

/// The labels of attributes: every attribute as is, with `_` for dots as in Prometheus, and under its usual label.
pub(super) fn labels(attributes: &Attributes) -> BTreeMap<String, String> {
    let mut labels = attributes.clone();
    for (name, value) in attributes {
        if name.contains('.') {
            labels.entry(name.replace('.', "_")).or_insert_with(|| value.clone());
        }
    }
    for (name, value) in attributes {
        if let Some(usual) = other_name(name) {
            labels.entry(usual.into_owned()).or_insert_with(|| value.clone());
        }
    }
    for (name, label) in LABELS {
        if let Some(value) = attributes.get(*name) {
            labels.entry((*label).to_owned()).or_insert_with(|| value.clone());
        }
    }
    labels
}

/// The target component of a call: by name and address, or else the only component named like the system.
pub(super) fn peer(placer: &Resolver<'_>, attributes: &Attributes) -> Option<ComponentId> {
    let system = || SYSTEMS.iter().find_map(|name| placer.named(attributes.get(*name)?));
    placer.place(&labels(attributes)).or_else(system)
}

/// The attributes of a span that are used.
#[derive(Debug, Default)]
pub(super) struct Tags {
    pub kind: Kind,
    pub error: bool,
    pub peer: Attributes,
}

impl Tags {
    pub fn take(&mut self, name: &str, value: Option<String>) {
        let Some(value) = value else { return };
        match name {
            // Zipkin puts the error message there.
            "error" => self.error |= !value.eq_ignore_ascii_case("false"),
            "otel.status_code" => self.error |= value.eq_ignore_ascii_case("error"),
            "http.status_code" | "http.response.status_code" => {
                self.error |= value.parse::<u16>().is_ok_and(|status| status >= SERVER_ERROR);
            }
            "span.kind" => self.kind = Kind::parse(&value),
            _ if PEERS.contains(&name) => {
                self.peer.insert(name.to_owned(), value);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Attributes, Tags, labels};

    fn attributes(text: &str) -> Attributes {
        text.split_whitespace().filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn attributes_become_labels() {
        for (given, label, expected) in [
            ("service.name=cart", "service", "cart"),
            ("service.name=cart", "service_name", "cart"),
            ("service.name=cart", "service.name", "cart"),
            ("k8s.pod.name=cart-0", "pod", "cart-0"),
            ("k8s.namespace.name=a service.namespace=b", "namespace", "a"),
            ("service.namespace=b", "namespace", "b"),
            // An existing label of that name is kept.
            ("service=own service.name=cart", "service", "own"),
            ("server.address=db:5432", "host", "db:5432"),
        ] {
            assert_eq!(labels(&attributes(given)).get(label).unwrap(), expected, "{given}");
        }
    }

    #[test]
    fn what_is_an_error() {
        for (name, value, expected) in [
            ("error", "true", true),
            ("error", "connection refused", true),
            ("error", "false", false),
            ("http.status_code", "503", true),
            ("http.status_code", "404", false),
            ("http.response.status_code", "500", true),
            ("otel.status_code", "ERROR", true),
            ("otel.status_code", "OK", false),
            ("message", "500", false),
        ] {
            let mut tags = Tags::default();
            tags.take(name, Some(value.to_owned()));
            assert_eq!(tags.error, expected, "{name}={value}");
        }
    }
}
