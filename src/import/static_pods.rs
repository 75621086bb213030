//! Static pods: the kubelet of a machine makes them from its own files, and the API server shows a mirror of each. No object makes them,
//! so those of one name are a workload: `kube-apiserver` of `kube-apiserver-cp1` and `kube-apiserver-cp2`.

use std::collections::BTreeMap;

use serde_json::json;

use super::kubernetes_objects::{Class, Object};
use super::selectors::selects;
use super::tree;

/// The kind of these workloads, which Kubernetes has no word for.
const KIND: &str = "StaticPod";

impl Object<'_> {
    /// Whether it is the workload of a pod.
    pub(super) fn makes(&self, pod: &Object<'_>) -> bool {
        if self.kind == KIND { pod.program() == Some(self.name.as_str()) } else { selects(self.selector(), pod.pod_labels()) }
    }

    /// What a static pod runs: its name without that of its machine.
    fn program(&self) -> Option<&str> {
        if !self.is(Class::Pod) {
            return None;
        }
        let is_static = self.owner().is_some_and(|(kind, _)| kind == "Node") || self.label("kubernetes.io/config.mirror").is_some();
        let node = tree::text(&self.value, &["spec", "nodeName"]).filter(|_| is_static)?;
        let program = self.name.strip_suffix(node.as_str())?.strip_suffix('-')?;
        Some(program).filter(|program| !program.is_empty())
    }
}

/// The workloads of all static pods.
pub(super) fn workloads<'s>(objects: &[Object<'s>]) -> Vec<Object<'s>> {
    let mut first: BTreeMap<(&str, &str), &Object<'s>> = BTreeMap::new();
    for pod in objects {
        if let Some(program) = pod.program() {
            first.entry((pod.namespace.as_str(), program)).or_insert(pod);
        }
    }
    let workload = |((namespace, name), pod): ((&str, &str), &Object<'s>)| Object {
        class: Class::Workload,
        kind: KIND.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        value: json!({
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"template": {"metadata": {"labels": pod.pod_labels()}, "spec": tree::at(&pod.value, &["spec"])}},
        }),
        source: pod.source,
    };
    first.into_iter().map(workload).collect()
}
