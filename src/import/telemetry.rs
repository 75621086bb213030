//! Traces, metrics and logs: who takes them is not needed to serve requests, and who gathers them does not need what it looks at.

use super::guess::words;

/// Ports of OTLP, Jaeger, Zipkin, `StatsD`, Datadog, `SkyWalking` and Fluentd.
const PORTS: [u16; 11] = [4317, 4318, 6831, 6832, 8125, 8126, 9411, 11800, 14250, 14268, 24224];

/// Beginnings of the names of settings about telemetry.
const PREFIXES: [&str; 6] = ["DD_", "NEW_RELIC_", "ELASTIC_APM_", "SW_AGENT_", "STATSD_", "COLLECTOR_"];

/// Words that the name of a setting about telemetry has somewhere.
const WORDS: [&str; 7] = ["otel", "otlp", "opentelemetry", "telemetry", "jaeger", "zipkin", "tracing"];

/// Sections of a file that say where telemetry is sent or kept.
const OUTPUTS: [&str; 10] =
    ["clients", "exporters", "output", "outputs", "sink", "sinks", "remote_write", "remote_read", "alerting", "alertmanagers"];

/// Engines whose exporters ask them for metrics.
const EXPORTED: [&str; 19] = [
    "postgres",
    "postgresql",
    "pg",
    "mysql",
    "mysqld",
    "redis",
    "valkey",
    "mongodb",
    "kafka",
    "rabbitmq",
    "elasticsearch",
    "memcached",
    "nginx",
    "haproxy",
    "blackbox",
    "node",
    "snmp",
    "jmx",
    "prometheus",
];

/// What a piece of software has to do with telemetry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Telemetry {
    /// It asks others for metrics and logs, or receives them: collectors, agents, exporters, Prometheus.
    gathers: bool,
    /// Others send to it.
    takes: bool,
    /// It is about nothing else.
    watches: bool,
}

impl Telemetry {
    /// By the image and the name of what runs.
    pub(super) fn of(image: &str, name: &str) -> Telemetry {
        let repository = image.split('@').next().unwrap_or(image);
        let last = repository.rsplit('/').next().unwrap_or(repository);
        let last = last.split(':').next().unwrap_or(last);
        let name = words(name);
        of_words(&words(repository), &words(last)).or(of_words(&name, &name))
    }

    pub(super) fn or(self, other: Telemetry) -> Telemetry {
        Telemetry { gathers: self.gathers || other.gathers, takes: self.takes || other.takes, watches: self.watches || other.watches }
    }

    /// Why this does not need what a setting of it names, although it names it. `sends`: whether the section of the
    /// file says so, if the setting is of one.
    pub(super) fn needs_not(self, target: Telemetry, setting: &str, sends: Option<bool>, port: Option<u16>) -> Option<&'static str> {
        const TARGET: &str = "telemetry target: not needed to serve requests";
        if is_setting(setting) {
            return Some(TARGET);
        }
        if self.gathers {
            return (!sends.unwrap_or(target.watches)).then_some("telemetry source: what is watched is not needed to watch");
        }
        let takes = target.takes || port.is_some_and(|port| PORTS.contains(&port));
        (takes && !self.watches).then_some(TARGET)
    }
}

/// `own`: the words of a name or an image; `all`: with those of where the image is from, which say what a word like `agent` means.
fn of_words(all: &[String], own: &[String]) -> Telemetry {
    let has = |word: &str| own.iter().any(|one| one == word);
    let from = |word: &str| all.iter().any(|one| one == word);
    let any = |words: &[&str]| words.iter().any(|&word| has(word));
    let any_from = |words: &[&str]| words.iter().any(|&word| from(word));
    let collector = any(&["otelcol", "fluentd", "fluentbit", "telegraf", "promtail", "metricbeat", "filebeat", "vmagent"])
        || (any(&["otel", "opentelemetry"]) && any(&["collector", "agent", "gateway"]))
        || (has("fluent") && has("bit"))
        || (has("agent") && any_from(&["datadog", "datadoghq", "grafana", "newrelic", "cloudwatch"]))
        || (has("alloy") && from("grafana"))
        || (has("vector") && from("timberio"));
    let store = any(&["jaeger", "zipkin", "skywalking", "pyroscope", "pushgateway", "statsd"])
        || (has("apm") && has("server"))
        || (any(&["tempo", "loki"]) && from("grafana"));
    let exporter = own.windows(2).any(|pair| matches!(pair, [engine, word] if word == "exporter" && EXPORTED.contains(&engine.as_str())));
    let shows = any(&["prometheus", "grafana", "kiali", "alertmanager", "thanos", "mimir", "victoriametrics"]);
    Telemetry {
        gathers: collector || exporter || has("prometheus"),
        takes: collector || store,
        watches: collector || store || exporter || shows,
    }
}

/// Whether the name of a setting says that it is about telemetry.
fn is_setting(name: &str) -> bool {
    let upper = name.to_uppercase();
    PREFIXES.iter().any(|prefix| upper.starts_with(prefix)) || words(name).iter().any(|word| WORDS.contains(&word.as_str()))
}

/// For each line of a file of settings, whether it is in a section that says where telemetry is sent. Sections are told by
/// indentation, as in YAML, or by lines like `[[outputs.influxdb]]`.
pub(super) fn sending_lines(text: &str) -> Vec<bool> {
    // How far each open section is indented, and whether it or one around it sends.
    let mut open: Vec<(Option<usize>, bool)> = Vec::new();
    let mut lines = Vec::new();
    for line in text.lines() {
        let body = line.trim_start();
        let indent = line.len() - body.len();
        if body.is_empty() || body.starts_with('#') {
            lines.push(false);
            continue;
        }
        if body.starts_with('[') && body.trim_end().ends_with(']') {
            open = vec![(None, names_output(body))];
            lines.push(false);
            continue;
        }
        let item = body.strip_prefix("- ").map(str::trim_start);
        // The items of a list may be as far left as the key that they belong to.
        let ended = |at: usize| at > indent || (at == indent && item.is_none());
        while open.last().is_some_and(|(at, _)| at.is_some_and(ended)) {
            open.pop();
        }
        let around = open.last().is_some_and(|(_, sends)| *sends);
        let body = item.unwrap_or(body);
        let own = body.split_once([':', '=']).is_some_and(|(key, _)| names_output(key));
        lines.push(around || own);
        if body.contains(':') {
            open.push((Some(line.len() - body.len()), around || own));
        }
    }
    lines
}

fn names_output(key: &str) -> bool {
    let apart = |c: char| !(c.is_alphanumeric() || c == '_');
    key.to_lowercase().split(apart).any(|word| OUTPUTS.contains(&word))
}
