//! Which hosts a setting names.

use std::collections::BTreeSet;

use super::builder::Builder;
use super::telemetry::Telemetry;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Host {
    pub name: String,
    pub port: Option<u16>,
    pub sign: Sign,
}

/// What tells that a word is a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sign {
    /// The scheme before it, or the name of the setting.
    Outright,
    /// A number behind it, which may be the tag of an image.
    Port,
    /// Nothing but its dots: `pg.shop` may be anything until such a host is found.
    Dots,
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
    let mut add = |text: &str, sign: Sign| {
        found.extend(host(text, sign));
    };
    let upper = setting.to_uppercase();
    let is_host = upper.rsplit(['_', '.', '-']).next().is_some_and(|last| HOST_SETTINGS.contains(&last));
    // `scheme://user:password@host:port/path`
    let mut rest = value;
    while let Some((_, after)) = rest.split_once("://") {
        let authority = after.split(['/', '?', '#', ',', ';', ' ', '"', '\'', ')']).next().unwrap_or("");
        add(authority.rsplit('@').next().unwrap_or(""), Sign::Outright);
        rest = after;
    }
    // `host:port`, anywhere: `tcp(db:3306)`, `a:9092,b:9092`
    for piece in value.split(|c: char| !(in_host(c) || c == ':' || c == '@')) {
        let piece = piece.rsplit('@').next().unwrap_or(piece);
        let port = piece.split_once(':').map_or("", |(_, port)| port);
        if (1..=5).contains(&port.len()) && port.chars().all(|c| c.is_ascii_digit()) {
            add(piece, if is_host { Sign::Outright } else { Sign::Port });
        }
    }
    // `Host=db;Username=x`, `host=db port=5432`, `--server=db`
    for pair in value.split([';', ' ', '&', '?']) {
        if let Some((key, hosts)) = pair.split_once('=') {
            let key = key.trim_start_matches('-').to_lowercase();
            if ["host", "server", "hostname", "data source", "bootstrap.servers"].contains(&key.as_str()) {
                hosts.split(',').for_each(|one| add(one, Sign::Outright));
            }
        }
    }
    for one in value.split([',', ';', ' ']).map(str::trim) {
        // With a port, it was found above.
        if !one.contains(':') && (is_host || one.contains('.')) {
            add(one, if is_host { Sign::Outright } else { Sign::Dots });
        }
    }
    found.into_iter().collect()
}

fn in_host(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')
}

/// `host` or `host:port`; `None` if it cannot be one.
fn host(text: &str, sign: Sign) -> Option<Host> {
    let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, port.parse::<u16>().ok()));
    let name = if sign == Sign::Dots { name.trim_matches(['"', '\'']).trim_end_matches('.') } else { name };
    let good = name.chars().all(in_host) && name.chars().any(|c| c.is_ascii_alphabetic()) && name != "localhost";
    good.then(|| Host { name: name.to_owned(), port, sign })
}

impl Builder<'_> {
    /// What a host means that the files do not have: a component of the project that answers there. If there is none, that is
    /// said of what is a host for sure.
    pub(super) fn need_outside(&mut self, id: &str, own: Telemetry, setting: (&str, Option<bool>), host: &Host, source: &str) {
        let (setting, sends) = setting;
        let known = self.outside(&host.name);
        let sure = match host.sign {
            Sign::Outright => true,
            Sign::Port => host.name.contains('.'),
            Sign::Dots => false,
        };
        // Every cluster has its API. Words of commands may be anything, and files name hosts for many reasons.
        let plain = host.name.starts_with("kubernetes.default") || ["true", "false", "none", "null"].contains(&host.name.as_str());
        let worth = sure && !setting.is_empty() && sends.is_none() && !plain;
        if host.name == id || known.as_deref() == Some(id) || (known.is_none() && !worth) {
            return;
        }
        match (known, own.needs_not(Telemetry::of("", &host.name), setting, sends, host.port)) {
            (Some(_), Some(why)) => self.skip_need(id, &host.name, setting, why, source),
            (Some(target), None) => self.relate(id, "depends_on", &target, source),
            (None, None) => self.skip_need(id, &host.name, setting, "it is neither in the files nor in the project", source),
            (None, Some(_)) => {}
        }
    }
}
