//! Which hosts a setting names.

use std::collections::BTreeSet;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Host {
    pub name: String,
    pub port: Option<u16>,
    /// Nothing but its dots says that it is one: `pg.shop` may be anything until such a host is found.
    pub bare: bool,
}

/// Endings of the names of settings whose whole value is a host.
const HOST_SETTINGS: [&str; 18] = [
    "HOST",
    "HOSTS",
    "HOSTNAME",
    "ADDR",
    "ADDRS",
    "ADDRESS",
    "ADDRESSES",
    "URL",
    "URI",
    "ENDPOINT",
    "ENDPOINTS",
    "SERVER",
    "SERVERS",
    "BROKERS",
    "BROKER",
    "SERVICE",
    "DOMAIN",
    "DSN",
];

/// The hosts that the value of a setting names: `http://host/`, `host:port`, `host=name;`, any word with dots, or, if the setting's
/// own name says that it is a host, the value as it is.
pub(super) fn hosts(setting: &str, value: &str) -> Vec<Host> {
    let mut found = BTreeSet::new();
    let mut add = |text: &str, bare: bool| {
        found.extend(host(text, bare));
    };
    // `scheme://user:password@host:port/path`
    let mut rest = value;
    while let Some((_, after)) = rest.split_once("://") {
        let authority = after.split(['/', '?', '#', ',', ';', ' ', '"', '\'', ')']).next().unwrap_or("");
        add(authority.rsplit('@').next().unwrap_or(""), false);
        rest = after;
    }
    // `host:port`, anywhere: `tcp(db:3306)`, `a:9092,b:9092`
    for piece in value.split(|c: char| !(in_host(c) || c == ':' || c == '@')) {
        let piece = piece.rsplit('@').next().unwrap_or(piece);
        let port = piece.split_once(':').map_or("", |(_, port)| port);
        if (1..=5).contains(&port.len()) && port.chars().all(|c| c.is_ascii_digit()) {
            add(piece, false);
        }
    }
    // `Host=db;Username=x`, `host=db port=5432`, `--server=db`
    for pair in value.split([';', ' ', '&', '?']) {
        if let Some((key, hosts)) = pair.split_once('=') {
            let key = key.trim_start_matches('-').to_lowercase();
            if ["host", "server", "hostname", "data source", "bootstrap.servers"].contains(&key.as_str()) {
                hosts.split(',').for_each(|one| add(one, false));
            }
        }
    }
    let upper = setting.to_uppercase();
    let is_host = upper.rsplit(['_', '.', '-']).next().is_some_and(|last| HOST_SETTINGS.contains(&last));
    for one in value.split([',', ';', ' ']).map(str::trim) {
        // With a port, it was found above.
        if !one.contains(':') && (is_host || one.contains('.')) {
            add(one, !is_host);
        }
    }
    found.into_iter().collect()
}

fn in_host(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')
}

/// `host` or `host:port`; `None` if it cannot be one.
fn host(text: &str, bare: bool) -> Option<Host> {
    let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, port.parse::<u16>().ok()));
    let name = if bare { name.trim_matches(['"', '\'']).trim_end_matches('.') } else { name };
    let good = name.chars().all(in_host) && name.chars().any(|c| c.is_ascii_alphabetic()) && name != "localhost";
    good.then(|| Host { name: name.to_owned(), port, bare })
}
