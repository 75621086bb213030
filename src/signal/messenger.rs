//! Who delivers a signal: a scrape target often speaks of something else than itself.

use std::collections::BTreeMap;

use diag::{Text, text};

use super::finding::owners;
use super::labels::Labels;
use super::parts::names_object;

/// What tells about others. Its own pod, service and address are not what its signals are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Messenger {
    /// kube-state-metrics: about the objects of the cluster.
    StateMetrics,
    /// node-exporter and its like: about the machine that they run on.
    Machine,
    /// The kubelet and cAdvisor: about a machine and the pods on it.
    Kubelet,
    /// Probers: about the target of the probe.
    Probe,
    /// Exporters of databases and other servers: about the server that they ask.
    Exporter,
    /// What passes signals of others on: a push gateway, a collector, a federation.
    Relay,
}

/// Whose metrics a query asks for, by the beginning of their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Those that every scrape target has of itself.
    Own,
    Of(Messenger),
}

/// Whole words of a job, a service or an app that give a messenger away, with the dashes around them.
const WORDS: &[(Messenger, &[&str])] = &[
    (Messenger::StateMetrics, &["-kube-state-metrics-"]),
    (Messenger::Machine, &["-node-exporter-", "-windows-exporter-"]),
    (Messenger::Kubelet, &["-kubelet-", "-cadvisor-"]),
    (Messenger::Probe, &["-blackbox-", "-snmp-", "-ssl-exporter-"]),
    (Messenger::Relay, RELAYS),
];

/// Those that pass signals of others on.
const RELAYS: &[&str] = &[
    "-alloy-",
    "-datadog-agent-",
    "-federate-",
    "-fluent-bit-",
    "-fluentbit-",
    "-fluentd-",
    "-grafana-agent-",
    "-ingress-nginx-",
    "-opentelemetry-collector-",
    "-otel-agent-",
    "-otel-collector-",
    "-otel-gateway-",
    "-otelcol-",
    "-promtail-",
    "-pushgateway-",
    "-telegraf-",
    "-vector-agent-",
    "-vector-aggregator-",
    "-vmagent-",
];

/// Words that give a messenger away at the end of its name.
const ENDS: &[(Messenger, &str)] =
    &[(Messenger::Exporter, "-exporter-"), (Messenger::Relay, "-vector-"), (Messenger::Relay, "-federation-")];

const PREFIXES: &[(Family, &[&str])] = &[
    (Family::Own, &["scrape_", "process_", "go_", "promhttp_", "kube_state_metrics_", "blackbox_exporter_"]),
    (Family::Of(Messenger::StateMetrics), &["kube_"]),
    (Family::Of(Messenger::Machine), &["node_", "windows_"]),
    (Family::Of(Messenger::Kubelet), &["kubelet_", "container_", "machine_"]),
    (Family::Of(Messenger::Probe), &["probe_", "ssl_"]),
];

impl Messenger {
    pub fn words(self) -> Text {
        match self {
            Messenger::StateMetrics => Text::from("kube-state-metrics".to_owned()),
            Messenger::Machine => text!("an exporter of machines"),
            Messenger::Kubelet => text!("a kubelet"),
            Messenger::Probe => text!("a prober"),
            Messenger::Exporter => text!("an exporter"),
            Messenger::Relay => text!("a relay"),
        }
    }
}

/// The messenger that delivers a signal with these labels, by what it is called, else by its metrics, else by its shape. `resource`: what
/// the labels say of the resource of OpenTelemetry that sent the signal.
pub(super) fn messenger(labels: &Labels<'_>, resource: &Labels<'_>, family: Option<Family>) -> Option<Messenger> {
    let called = |label: &str| labels.get(label).and_then(called_as);
    let by_job = || match labels.get("job")? {
        "node" => Some(Messenger::Machine),
        "nodes" | "kubernetes-nodes" => Some(Messenger::Kubelet),
        _ => None,
    };
    let by_metric = || match family? {
        Family::Of(messenger) => Some(messenger),
        Family::Own => None,
    };
    // The scrape that a collector or a Prometheus made before, or the object that it has the signal from, stands beside its own.
    let passes_on = || labels.has("exported_job") && labels.has("exported_instance") || is_of_another(resource, labels);
    let relay = || passes_on().then_some(Messenger::Relay);
    let by_shape = || {
        let is_url = |label: &str| labels.get(label).is_some_and(|value| value.contains("://"));
        if names_object(&labels.exported()) {
            Some(Messenger::Relay)
        } else if is_url("target") || is_url("instance") {
            Some(Messenger::Probe)
        } else {
            None
        }
    };
    let named = called("job").or_else(|| called("service")).or_else(|| called("app"));
    // A container of its own beside the server; that of another messenger may be what is spoken of.
    let beside = || called("container").filter(|messenger| *messenger == Messenger::Exporter);
    // Its metrics say whether an exporter speaks, or kube-state-metrics of an exporter.
    let certain = named.filter(|messenger| *messenger != Messenger::Exporter);
    certain.or_else(relay).or_else(by_job).or_else(by_metric).or(named).or_else(beside).or_else(by_shape)
}

/// Whether the resource that sent a signal is in another place than what was scraped.
pub(super) fn is_of_another(resource: &Labels<'_>, labels: &Labels<'_>) -> bool {
    ["pod", "namespace"].into_iter().any(|label| resource.get(label).is_some_and(|value| labels.get(label) != Some(value)))
}

/// The messenger with that name: `kps-prometheus-node-exporter`, `kube_state_metrics`, `postgres-exporter`.
pub(super) fn called_as(name: &str) -> Option<Messenger> {
    let name = dashed(name);
    let called = |words: &[&str]| words.iter().any(|word| name.contains(*word));
    let known = WORDS.iter().find_map(|(messenger, words)| called(words).then_some(*messenger));
    known.or_else(|| ENDS.iter().find_map(|(messenger, end)| name.ends_with(*end).then_some(*messenger)))
}

/// Whether it is the name of an exporter, or of a pod of one.
pub(super) fn is_exporter(name: &str) -> bool {
    std::iter::once(name).chain(owners(name)).any(|name| called_as(name) == Some(Messenger::Exporter))
}

/// In lowercase, with one dash for whatever stands between words, and at both ends.
fn dashed(text: &str) -> String {
    let mut dashed = String::from("-");
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            dashed.push(c.to_ascii_lowercase());
        } else if !dashed.ends_with('-') {
            dashed.push('-');
        }
    }
    if !dashed.ends_with('-') {
        dashed.push('-');
    }
    dashed
}

/// The family of the first metric of a query that has one.
pub(super) fn family(query: &str) -> Option<Family> {
    metrics(query).into_iter().find_map(family_of)
}

fn family_of(metric: &str) -> Option<Family> {
    // A recording rule may combine anything.
    if metric.contains(':') {
        return metric.contains("kubelet").then_some(Family::Of(Messenger::Kubelet));
    }
    if metric == "up" {
        return Some(Family::Own);
    }
    PREFIXES.iter().find_map(|(family, prefixes)| prefixes.iter().any(|prefix| metric.starts_with(*prefix)).then_some(*family))
}

/// The metrics that a PromQL expression asks for, in its order.
pub(super) fn metrics(query: &str) -> Vec<&str> {
    const OPERATORS: &[&str] = &["and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring", "group_left", "group_right"];
    const LISTS: &[&str] = &["by", "without", "on", "ignoring", "group_left", "group_right"];
    let in_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut found = Vec::new();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        if !in_word(first) {
            rest = match first {
                '{' => behind(rest, '}'),
                '[' => behind(rest, ']'),
                '"' | '\'' | '`' => behind(rest.get(1..).unwrap_or(""), first),
                other => rest.get(other.len_utf8()..).unwrap_or(""),
            };
            continue;
        }
        let end = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
        let (word, after) = (rest.get(..end).unwrap_or(""), rest.get(end..).unwrap_or("").trim_start());
        let lowercase = word.to_ascii_lowercase();
        // `sum by (a) (b)`: the labels may stand before what is summed.
        let next = after.get(..after.find(|c| !in_word(c)).unwrap_or(after.len())).unwrap_or("").to_ascii_lowercase();
        let calls = after.starts_with('(') || matches!(next.as_str(), "by" | "without");
        rest = if after.starts_with('(') && LISTS.contains(&lowercase.as_str()) { behind(after, ')') } else { after };
        if !calls && !first.is_ascii_digit() && !OPERATORS.contains(&lowercase.as_str()) {
            found.push(word);
        }
    }
    found
}

/// The labels of what a query looks for in vain, as far as it asks for them outright: `absent(up{job="kube-scheduler"} == 1)`. Prometheus
/// gives them to the alert itself, but not where it compares. `None` for any other query.
pub(super) fn sought(query: &str) -> Option<BTreeMap<String, String>> {
    let called = ["absent_over_time", "absent"].into_iter().find_map(|function| query.trim_start().strip_prefix(function))?;
    let inside = called.trim_start().strip_prefix('(')?;
    let (_, mut rest) = inside.split_once('{')?;
    let mut labels = BTreeMap::new();
    loop {
        let (name, after) = rest.split_at(rest.find(['=', '!', '}'])?);
        if let Some(behind) = after.strip_prefix('}') {
            // What several selectors find together, none of them has to have.
            return (!behind.contains('{')).then_some(labels);
        }
        let quoted = after.trim_start_matches(['=', '!', '~', ' ']);
        let quote = quoted.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
        let (value, behind) = quoted.strip_prefix(quote)?.split_once(quote)?;
        let outright = after.starts_with('=') && !after.starts_with("=~") && !value.contains('\\');
        if outright && !value.is_empty() {
            labels.insert(name.trim_matches(|c: char| c == ',' || c.is_whitespace()).to_owned(), value.to_owned());
        }
        rest = behind;
    }
}

/// The text behind the first closing bracket; what is quoted does not count.
fn behind(text: &str, closing: char) -> &str {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == closing => return text.get(at + c.len_utf8()..).unwrap_or(""),
            None if matches!(c, '"' | '\'' | '`') => quote = Some(c),
            None => {}
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::{Family, Messenger, called_as, family, metrics, sought};

    #[test]
    fn names_of_messengers() {
        for (name, expected) in [
            ("kube-state-metrics", Some(Messenger::StateMetrics)),
            ("kps-kube-state-metrics", Some(Messenger::StateMetrics)),
            ("node_exporter", Some(Messenger::Machine)),
            ("kubernetes-nodes-cadvisor", Some(Messenger::Kubelet)),
            ("Blackbox/tcp", Some(Messenger::Probe)),
            ("pushgateway", Some(Messenger::Relay)),
            ("otelcol-contrib", Some(Messenger::Relay)),
            ("logging/fluent_bit", Some(Messenger::Relay)),
            ("kps-vmagent", Some(Messenger::Relay)),
            ("logging/vector", Some(Messenger::Relay)),
            ("vector-search", None),
            ("nodes-exporter", Some(Messenger::Exporter)),
            ("shop/postgres_exporter", Some(Messenger::Exporter)),
            ("exporter-shop", None),
            ("payment", None),
        ] {
            assert_eq!(called_as(name), expected, "{name}");
        }
    }

    #[test]
    fn what_queries_look_for_in_vain() {
        for (query, expected) in [
            ("absent(up{job=\"kube-scheduler\"} == 1)", "job=kube-scheduler"),
            ("absent_over_time (up{job='a', mode=~\"b|c\", zone!=\"d\",namespace=\"shop\"}[5m])", "job=a namespace=shop"),
            ("absent(up{job=\"\"})", ""),
            ("absent(up{job=\"a\"} or up{job=\"b\"})", ""),
            ("absent(up)", ""),
            ("absent(up{job=\"a", ""),
            ("up{job=\"a\"} == 0", ""),
            ("absent_total{job=\"a\"}", ""),
        ] {
            let found: Vec<String> = sought(query).unwrap_or_default().iter().map(|(name, value)| format!("{name}={value}")).collect();
            assert_eq!(found.join(" "), expected, "{query}");
        }
    }

    #[test]
    fn metrics_of_queries() {
        for (query, expected) in [
            ("up == 0", vec!["up"]),
            ("sum by (node, pod) (rate(kube_a{x=~\"a{2}}\"}[5m])) > 1e3", vec!["kube_a"]),
            ("a * on (b) group_left (c) d and absent(e)", vec!["a", "d", "e"]),
            ("a offset 5m unless b{c='d'}", vec!["a", "b"]),
            ("", vec![]),
            ("sum(a:b:c) BY (d) / \"e\"", vec!["a:b:c"]),
        ] {
            assert_eq!(metrics(query), expected, "{query}");
        }
        assert_eq!(family("sum(rate(kubelet_x[5m]))"), Some(Family::Of(Messenger::Kubelet)));
        assert_eq!(family("http_requests_total / up"), Some(Family::Own));
        assert_eq!(family("http_requests_total"), None);
    }
}
