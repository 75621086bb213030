//! What images and names say about a component's type, and which hosts a setting names.

use std::collections::BTreeSet;

/// A type and, where there is one, the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Guess {
    pub kind: &'static str,
    pub engine: Option<&'static str>,
}

/// Words of images and names: word, type, engine.
const ENGINES: [(&str, &str, &str); 42] = [
    ("mysql", "database", "mysql"),
    ("mariadb", "database", "mariadb"),
    ("percona", "database", "mysql"),
    ("postgres", "database", "postgresql"),
    ("postgresql", "database", "postgresql"),
    ("pgsql", "database", "postgresql"),
    ("postgis", "database", "postgresql"),
    ("timescaledb", "database", "postgresql"),
    ("mongo", "database", "mongodb"),
    ("mongodb", "database", "mongodb"),
    ("oracle", "database", "oracle"),
    ("mssql", "database", "mssql"),
    ("sqlserver", "database", "mssql"),
    ("clickhouse", "database", "clickhouse"),
    ("cassandra", "database", "cassandra"),
    ("scylla", "database", "cassandra"),
    ("elasticsearch", "database", "elasticsearch"),
    ("opensearch", "database", "opensearch"),
    ("influxdb", "database", "influxdb"),
    ("couchdb", "database", "couchdb"),
    ("couchbase", "database", "couchbase"),
    ("neo4j", "database", "neo4j"),
    ("tidb", "database", "tidb"),
    ("oceanbase", "database", "oceanbase"),
    ("etcd", "database", "etcd"),
    ("dynamodb", "database", "dynamodb"),
    ("rds", "database", ""),
    ("aurora", "database", ""),
    ("redis", "redis", "redis"),
    ("valkey", "redis", "valkey"),
    ("keydb", "redis", "keydb"),
    ("memcached", "cache", "memcached"),
    ("memcache", "cache", "memcached"),
    ("kafka", "queue", "kafka"),
    ("redpanda", "queue", "kafka"),
    ("rabbitmq", "queue", "rabbitmq"),
    ("rocketmq", "queue", "rocketmq"),
    ("activemq", "queue", "activemq"),
    ("artemis", "queue", "activemq"),
    ("nats", "queue", "nats"),
    ("pulsar", "queue", "pulsar"),
    ("sqs", "queue", "sqs"),
];

/// Words for proxies and gateways: they count in the image name only.
const FRONTS: [(&str, &str); 10] = [
    ("nginx", "web_server"),
    ("httpd", "web_server"),
    ("caddy", "web_server"),
    ("openresty", "web_server"),
    ("haproxy", "load_balancer"),
    ("traefik", "load_balancer"),
    ("envoy", "load_balancer"),
    ("kong", "gateway"),
    ("apisix", "gateway"),
    ("minio", "storage"),
];

/// Words that mark a helper of an engine, not the engine itself.
const HELPERS: [&str; 14] = [
    "exporter",
    "operator",
    "ui",
    "client",
    "proxy",
    "backup",
    "migrate",
    "migration",
    "init",
    "adapter",
    "connect",
    "admin",
    "consumer",
    "producer",
];

/// The type of what runs an image, under a name: `service` if nothing is known.
pub(super) fn workload(image: &str, name: &str) -> Guess {
    let bare = image.split('@').next().unwrap_or(image);
    let last = bare.rsplit('/').next().unwrap_or(bare);
    let (repository, tag) = last.split_once(':').unwrap_or((last, ""));
    let unset = repository.starts_with('$');
    from_words(if unset { "" } else { repository }, true)
        .or_else(|| from_words(tag, false))
        .or_else(|| from_name(name))
        .unwrap_or(Guess { kind: "service", engine: None })
}

/// The type that a bare name suggests, as traces give it: only whole words count.
pub(super) fn from_name(name: &str) -> Option<Guess> {
    if ["frontend", "front-end", "web-frontend", "webui", "web-ui"].contains(&name.to_lowercase().as_str()) {
        return Some(Guess { kind: "frontend", engine: None });
    }
    from_words(name, false).or_else(|| {
        let words = words(name);
        let helper = words.iter().any(|word| HELPERS.contains(&word.as_str()));
        let last = words.last().map(String::as_str);
        match last {
            Some("db" | "database") if !helper => Some(Guess { kind: "database", engine: None }),
            Some("cache") if !helper => Some(Guess { kind: "cache", engine: None }),
            Some("gateway") => Some(Guess { kind: "gateway", engine: None }),
            _ => None,
        }
    })
}

fn from_words(text: &str, fronts: bool) -> Option<Guess> {
    let words = words(text);
    if words.iter().any(|word| HELPERS.contains(&word.as_str())) {
        return None;
    }
    let engine = ENGINES.iter().find(|(word, _, _)| words.iter().any(|one| one == word));
    if let Some(&(_, kind, engine)) = engine {
        return Some(Guess { kind, engine: if engine.is_empty() { None } else { Some(engine) } });
    }
    let front = FRONTS.iter().find(|(word, _)| fronts && words.iter().any(|one| one == word));
    front.map(|&(_, kind)| Guess { kind, engine: None })
}

fn words(text: &str) -> Vec<String> {
    text.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Settings about traces, metrics and logs: a service that cannot send them still serves.
pub(super) fn is_telemetry(setting: &str) -> bool {
    ["OTEL_", "JAEGER_", "ZIPKIN_", "DD_", "NEW_RELIC_", "ELASTIC_APM_", "SW_AGENT_", "STATSD_"].iter().any(|p| setting.starts_with(p))
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

/// The hosts that the value of a setting names: `http://host/`, `host:port`, `host=name;`, or, if the setting's own name says
/// that it is a host, the value as it is.
pub(super) fn hosts(setting: &str, value: &str) -> Vec<String> {
    let mut found = BTreeSet::new();
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    // `scheme://user:password@host:port/path`
    let mut rest = value;
    while let Some((_, after)) = rest.split_once("://") {
        let authority = after.split(['/', '?', '#', ',', ';', ' ', '"', '\'', ')']).next().unwrap_or("");
        let host = authority.rsplit('@').next().unwrap_or("").split(':').next().unwrap_or("");
        found.insert(host.to_owned());
        rest = after;
    }
    // `host:port`, anywhere: `tcp(db:3306)`, `a:9092,b:9092`
    let pieces: Vec<&str> = value.split(|c: char| !(is_host(c) || c == ':' || c == '@')).collect();
    for piece in pieces {
        let piece = piece.rsplit('@').next().unwrap_or(piece);
        let parts: Vec<&str> = piece.split(':').collect();
        if let [host, port] = parts.as_slice()
            && (1..=5).contains(&port.len())
            && port.chars().all(|c| c.is_ascii_digit())
        {
            found.insert((*host).to_owned());
        }
    }
    // `Host=db;Username=x`, `host=db port=5432`, `--server=db`
    for pair in value.split([';', ' ', '&', '?']) {
        if let Some((key, host)) = pair.split_once('=') {
            let key = key.trim_start_matches('-').to_lowercase();
            if ["host", "server", "hostname", "data source", "bootstrap.servers"].contains(&key.as_str()) {
                host.split(',').for_each(|one| {
                    found.insert(one.split(':').next().unwrap_or("").to_owned());
                });
            }
        }
    }
    let upper = setting.to_uppercase();
    if upper.rsplit(['_', '.', '-']).next().is_some_and(|last| HOST_SETTINGS.contains(&last)) {
        value.split([',', ';', ' ']).for_each(|one| {
            found.insert(one.trim().to_owned());
        });
    }
    let good = |host: &String| {
        !host.is_empty() && host.chars().all(is_host) && host.chars().any(|c| c.is_ascii_alphabetic()) && host != "localhost"
    };
    found.into_iter().filter(good).collect()
}
