//! What images and names say about a component's type.

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

/// The words of an image or a name, in lower case.
pub(super) fn words(text: &str) -> Vec<String> {
    text.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
