//! What the words of images and names say: the one table of software that imports know. `tests/images.tsv` holds it to images.

/// Words, the type, and the engine where there is one. The first row with a word counts: products come before vendors, whose
/// names stand before those of their products.
pub(super) type Row = (&'static [&'static str], &'static str, Option<&'static str>);

/// They count in images and in names.
pub(super) const ENGINES: &[Row] = &[
    (
        &["postgres", "postgresql", "pgsql", "postgis", "pgvector", "timescaledb", "spilo", "patroni", "citus"],
        "database",
        Some("postgresql"),
    ),
    (&["mongo", "mongodb"], "database", Some("mongodb")),
    (&["mariadb"], "database", Some("mariadb")),
    (&["mysql", "xtradb"], "database", Some("mysql")),
    (&["oracle"], "database", Some("oracle")),
    (&["mssql", "sqlserver"], "database", Some("mssql")),
    (&["clickhouse"], "database", Some("clickhouse")),
    (&["cassandra", "scylla", "scylladb"], "database", Some("cassandra")),
    (&["elasticsearch"], "database", Some("elasticsearch")),
    (&["opensearch"], "database", Some("opensearch")),
    (&["influxdb"], "database", Some("influxdb")),
    (&["couchdb"], "database", Some("couchdb")),
    (&["couchbase"], "database", Some("couchbase")),
    (&["neo4j"], "database", Some("neo4j")),
    (&["tidb", "tikv"], "database", Some("tidb")),
    (&["oceanbase"], "database", Some("oceanbase")),
    (&["opengauss"], "database", Some("opengauss")),
    (&["cockroach", "cockroachdb"], "database", Some("cockroachdb")),
    (&["yugabyte", "yugabytedb"], "database", Some("yugabytedb")),
    (&["tdengine"], "database", Some("tdengine")),
    (&["starrocks"], "database", Some("starrocks")),
    (&["milvus"], "database", Some("milvus")),
    (&["qdrant"], "database", Some("qdrant")),
    (&["weaviate"], "database", Some("weaviate")),
    (&["etcd"], "database", Some("etcd")),
    (&["dynamodb"], "database", Some("dynamodb")),
    (&["redis"], "redis", Some("redis")),
    (&["valkey"], "redis", Some("valkey")),
    (&["keydb"], "redis", Some("keydb")),
    (&["dragonfly", "dragonflydb"], "redis", Some("dragonfly")),
    (&["kvrocks"], "redis", Some("kvrocks")),
    (&["memcached", "memcache"], "cache", Some("memcached")),
    (&["kafka", "redpanda"], "queue", Some("kafka")),
    (&["rabbitmq"], "queue", Some("rabbitmq")),
    (&["rocketmq"], "queue", Some("rocketmq")),
    (&["activemq", "artemis"], "queue", Some("activemq")),
    (&["nats"], "queue", Some("nats")),
    (&["pulsar"], "queue", Some("pulsar")),
    (&["emqx"], "queue", Some("emqx")),
    (&["mosquitto"], "queue", Some("mosquitto")),
    (&["sqs"], "queue", Some("sqs")),
    (&["rds", "aurora"], "database", None),
    (&["percona"], "database", Some("mysql")),
];

/// Proxies, gateways and object stores: they count in images only. Names with such words mean what stands behind them.
pub(super) const FRONTS: &[Row] = &[
    (&["nginx", "httpd", "caddy", "openresty"], "web_server", None),
    (&["haproxy", "traefik", "envoy"], "load_balancer", None),
    (&["kong", "apisix"], "gateway", None),
    (&["minio"], "storage", None),
];

/// What stands around an engine and is not one.
pub(super) const HELPERS: &[&str] = &[
    "adapter",
    "admin",
    "agent",
    "backup",
    "box",
    "bridge",
    "cli",
    "client",
    "commander",
    "connect",
    "console",
    "consumer",
    "curator",
    "dashboard",
    "dashboards",
    "dump",
    "exporter",
    "express",
    "fluentd",
    "init",
    "keeper",
    "logstash",
    "manager",
    "migrate",
    "migration",
    "monitor",
    "operator",
    "pooler",
    "producer",
    "proxy",
    "reloader",
    "rest",
    "restore",
    "router",
    "shell",
    "tool",
    "tools",
    "ui",
    "viewer",
    "webui",
    "worker",
];

/// The same with names of their own. What runs such an image is no engine, whatever it is called.
pub(super) const TOOLS: &[&str] = &[
    "adminer",
    "cerebro",
    "debezium",
    "kafdrop",
    "kibana",
    "maxscale",
    "mongosh",
    "pgadmin",
    "pgadmin4",
    "pgbackrest",
    "pgbouncer",
    "pgpool",
    "phpmyadmin",
    "proxysql",
    "redisinsight",
    "twemproxy",
];

/// A repository of these words only is named by the folder that it is in: `mssql/server`.
pub(super) const PLAIN: &[&str] =
    &["broker", "cluster", "community", "database", "db", "enterprise", "free", "node", "server", "standalone"];
