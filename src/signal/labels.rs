//! Labels under one name each. Prometheus, Loki, OpenTelemetry and agents write the same thing differently (`k8s.pod.name`,
//! `kubernetes_pod_name`, `pod`); placement knows one name only, whichever file the labels come from.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// What Prometheus puts before a label of the metric that the scrape target has too.
const EXPORTED: &str = "exported_";

/// Labels that say nothing about a place.
const PLACELESS: &[&str] = &["alertname", "severity", "__name__"];

/// Labels by their usual names.
#[derive(Debug, Clone, Default)]
pub(super) struct Labels<'l>(BTreeMap<Cow<'l, str>, &'l str>);

impl<'l> Labels<'l> {
    pub fn canonical(raw: &'l BTreeMap<String, String>) -> Self {
        Self::of(raw.iter())
    }

    /// A label that is there wins over another spelling of it.
    pub fn of(raw: impl Iterator<Item = (&'l String, &'l String)>) -> Self {
        let mut labels = Self::default();
        let mut renamed = Vec::new();
        for (name, value) in raw {
            if is_nothing(value) || PLACELESS.contains(&name.as_str()) {
                continue;
            }
            match other_name(name) {
                None => labels.set(Cow::Borrowed(name.as_str()), value),
                Some(other) => renamed.push((other, value.as_str())),
            }
        }
        for (name, value) in renamed {
            labels.0.entry(name).or_insert(value);
        }
        labels
    }

    pub fn get(&self, name: &str) -> Option<&'l str> {
        self.0.get(name).copied()
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.has(name))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn set(&mut self, name: Cow<'l, str>, value: &'l str) {
        self.0.insert(name, value);
    }

    pub fn take(&mut self, name: &str) -> Option<&'l str> {
        self.0.remove(name)
    }

    /// Moves a label, if it is there, to other labels.
    pub fn hand(&mut self, name: &'static str, to: &mut Labels<'l>) {
        if let Some(value) = self.take(name) {
            to.set(Cow::Borrowed(name), value);
        }
    }

    /// Those of the others win.
    pub fn extend(&mut self, others: Labels<'l>) {
        self.0.extend(others.0);
    }

    pub fn only(&self, names: &[&str]) -> Labels<'l> {
        self.kept(|name| names.contains(&name))
    }

    pub fn without(&self, names: &[&str]) -> Labels<'l> {
        self.kept(|name| !names.contains(&name))
    }

    /// The labels of the scrape and of the metric that do not collide.
    pub fn unexported(&self) -> Labels<'l> {
        self.kept(|name| !name.starts_with(EXPORTED))
    }

    /// The labels of the metric that collide with those of the scrape, by their names in the metric.
    pub fn exported(&self) -> Labels<'l> {
        let of = |(name, value): (&Cow<'l, str>, &&'l str)| Some((Cow::Owned(name.strip_prefix(EXPORTED)?.to_owned()), *value));
        Labels(self.0.iter().filter_map(of).collect())
    }

    fn kept(&self, keep: impl Fn(&str) -> bool) -> Labels<'l> {
        Labels(self.0.iter().filter(|(name, _)| keep(name)).map(|(name, value)| (name.clone(), *value)).collect())
    }
}

/// Words that tools write where they have nothing to say.
fn is_nothing(value: &str) -> bool {
    const NOTHING: &[&str] = &["", "unknown", "none", "<none>", "PassthroughCluster", "BlackHoleCluster", "InboundPassthroughCluster"];
    NOTHING.contains(&value) || value.starts_with("unknown_service")
}

/// The usual name of a label; `None` if that is its name already.
pub(super) fn other_name(name: &str) -> Option<Cow<'static, str>> {
    let plain = if name.contains(['.', '-', '/']) { Cow::Owned(name.replace(['.', '-', '/'], "_")) } else { Cow::Borrowed(name) };
    let (exported, base) = match plain.strip_prefix(EXPORTED) {
        Some(base) => (true, base),
        None => (false, &*plain),
    };
    match (usual(base), exported) {
        (Some(usual), false) => Some(Cow::Borrowed(usual)),
        (Some(usual), true) => Some(Cow::Owned(format!("{EXPORTED}{usual}"))),
        (None, _) => (*plain != *name).then(|| Cow::Owned(plain.into_owned())),
    }
}

/// The usual name of what has several, written with underscores.
fn usual(name: &str) -> Option<&'static str> {
    if let Some(known) = NAMES.iter().find_map(|(usual, others)| others.contains(&name).then_some(*usual)) {
        return Some(known);
    }
    if let Some(copied) = COPIED.iter().find_map(|start| name.strip_prefix(*start)) {
        return usual(copied).or_else(|| (copied == "app").then_some("app"));
    }
    let word = CLUSTER.iter().find_map(|start| name.strip_prefix(*start));
    let word = match (word, name.strip_suffix("_name")) {
        // `kubernetes_pod_name`, `kube_deployment`
        (Some(word), _) => word.strip_suffix("_name").unwrap_or(word),
        // `job_name` is its usual name.
        (None, Some(word)) if word != "job" && word != "cluster" => word,
        (None, _) => return None,
    };
    WORDS.iter().find_map(|(usual, words)| words.contains(&word).then_some(*usual))
}

/// What tools put before the name of an object of a cluster.
const CLUSTER: &[&str] = &["k8s_", "kubernetes_", "kube_"];

/// What tools put before labels that they copy from a resource, a pod or a container.
const COPIED: &[&str] =
    &["resource_", "attributes_", "container_label_", "kubernetes_labels_", "kubernetes_pod_labels_", "k8s_pod_labels_", "k8s_pod_label_"];

/// Usual names with words for the object, as they stand between what tools put around them.
const WORDS: &[(&str, &[&str])] = &[
    ("namespace", &["namespace", "pod_namespace"]),
    ("pod", &["pod"]),
    ("container", &["container", "pod_container"]),
    ("deployment", &["deployment"]),
    ("statefulset", &["statefulset", "stateful_set"]),
    ("daemonset", &["daemonset", "daemon_set"]),
    ("replicaset", &["replicaset", "replica_set"]),
    ("replicationcontroller", &["replicationcontroller", "replication_controller"]),
    ("job_name", &["job"]),
    ("cronjob", &["cronjob", "cron_job"]),
    ("horizontalpodautoscaler", &["hpa", "horizontalpodautoscaler"]),
    ("poddisruptionbudget", &["pdb", "poddisruptionbudget"]),
    ("persistentvolumeclaim", &["pvc", "persistentvolumeclaim", "persistent_volume_claim"]),
    ("persistentvolume", &["pv", "persistentvolume", "persistent_volume"]),
    ("ingress", &["ingress"]),
    ("service", &["service"]),
    ("node", &["node", "pod_node", "host"]),
    ("cluster", &["cluster"]),
];

/// Usual names with other whole names of them.
const NAMES: &[(&str, &[&str])] = &[
    ("namespace", &["pod_namespace", "io_kubernetes_pod_namespace"]),
    ("pod", &["io_kubernetes_pod_name"]),
    ("container", &["io_kubernetes_container_name"]),
    ("horizontalpodautoscaler", &["hpa"]),
    ("poddisruptionbudget", &["pdb"]),
    ("persistentvolumeclaim", &["pvc"]),
    ("node", &["kubernetes_io_hostname", "nodename"]),
    ("service", &["kubernetes_name", "com_docker_compose_service", "com_docker_swarm_service_name", "compose_service"]),
    ("host", &["host_name", "hostname", "Hostname"]),
    ("server", MANAGED),
    ("app", &["k8s_app", "kube_app_name", "app_kubernetes_io_name", "application"]),
];

/// What `CloudWatch` calls the servers that a cloud manages, as its exporters, Telegraf and Grafana write it.
const MANAGED: &[&str] = &[
    "DBInstanceIdentifier",
    "dbinstance_identifier",
    "db_instance_identifier",
    "dimension_DBInstanceIdentifier",
    "DBClusterIdentifier",
    "dbcluster_identifier",
    "db_cluster_identifier",
    "dimension_DBClusterIdentifier",
    "CacheClusterId",
    "cache_cluster_id",
    "dimension_CacheClusterId",
    "ReplicationGroupId",
    "replication_group_id",
    "dimension_ReplicationGroupId",
    "dimension_QueueName",
    "dimension_FunctionName",
    "dimension_BucketName",
    "dimension_TableName",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Labels;

    #[test]
    fn one_name_each() {
        for (given, label, expected) in [
            ("k8s.pod.name=a", "pod", Some("a")),
            ("k8s_pod_name=a", "pod", Some("a")),
            ("resource.k8s.pod.name=a", "pod", Some("a")),
            ("service.name=a", "service", Some("a")),
            ("app.kubernetes.io/name=a", "app", Some("a")),
            ("k8s-app=a", "app", Some("a")),
            ("kubernetes_io_hostname=a", "node", Some("a")),
            ("kubernetes_name=a", "service", Some("a")),
            ("my.label=a", "my_label", Some("a")),
            ("exported_k8s_pod_name=a", "exported_pod", Some("a")),
            ("kube_stateful_set=a", "statefulset", Some("a")),
            ("kubernetes.deployment.name=a", "deployment", Some("a")),
            ("kubernetes_pod_node_name=a", "node", Some("a")),
            ("container_label_io_kubernetes_pod_name=a", "pod", Some("a")),
            ("exported_container_label_com_docker_compose_service=a", "exported_service", Some("a")),
            ("resource.k8s.hpa.name=a", "horizontalpodautoscaler", Some("a")),
            ("kubernetes.labels.app.kubernetes.io/name=a", "app", Some("a")),
            ("Hostname=a", "host", Some("a")),
            ("dimension_DBInstanceIdentifier=a", "server", Some("a")),
            ("dbinstance_identifier=a", "server", Some("a")),
            ("exported_dimension_CacheClusterId=a", "exported_server", Some("a")),
            // Names of something else.
            ("job_name=a", "job_name", Some("a")),
            ("cluster_name=a", "cluster", None),
            ("kube_version=a", "kube_version", Some("a")),
            ("k8s_volume_name=a", "volume", None),
            ("image_name=a", "image_name", Some("a")),
            ("container_label_version=a", "container_label_version", Some("a")),
            // The label itself wins over another spelling.
            ("k8s_pod_name=a pod=b", "pod", Some("b")),
            ("service_name=a service=b", "service", Some("b")),
            // Words for nothing.
            ("service=unknown", "service", None),
            ("service_name=unknown_service:java", "service", None),
            ("pod=", "pod", None),
            ("resource_type=a", "resource_type", Some("a")),
        ] {
            let split = given.split_whitespace().filter_map(|pair| pair.split_once('='));
            let raw: BTreeMap<String, String> = split.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            assert_eq!(Labels::canonical(&raw).get(label), expected, "{given}");
        }
    }
}
