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
    let of_resource = || base.strip_prefix("resource_").or_else(|| base.strip_prefix("attributes_")).and_then(usual);
    match (usual(base).or_else(of_resource), exported) {
        (Some(usual), false) => Some(Cow::Borrowed(usual)),
        (Some(usual), true) => Some(Cow::Owned(format!("{EXPORTED}{usual}"))),
        (None, _) => (*plain != *name).then(|| Cow::Owned(plain.into_owned())),
    }
}

/// The usual name of what has several, written with underscores.
fn usual(name: &str) -> Option<&'static str> {
    Some(match name {
        "k8s_namespace_name" | "kubernetes_namespace" => "namespace",
        "k8s_pod_name" | "kubernetes_pod_name" | "pod_name" => "pod",
        "k8s_container_name" | "container_name" => "container",
        "k8s_deployment_name" => "deployment",
        "k8s_statefulset_name" => "statefulset",
        "k8s_daemonset_name" => "daemonset",
        "k8s_replicaset_name" => "replicaset",
        "k8s_replicationcontroller_name" => "replicationcontroller",
        "k8s_job_name" => "job_name",
        "k8s_cronjob_name" => "cronjob",
        "k8s_node_name" | "kubernetes_node" | "kubernetes_io_hostname" | "nodename" | "node_name" => "node",
        "k8s_cluster_name" => "cluster",
        "service_name" | "kubernetes_name" => "service",
        "host_name" | "hostname" => "host",
        "k8s_app" | "app_kubernetes_io_name" | "application" => "app",
        _ => return None,
    })
}

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
