//! Parts labels into those that speak of the subject of a signal and those of the target that it was scraped from.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::finding::{Wanted, host};
use super::labels::Labels;
use super::messenger::{Messenger, called_as, family, is_exporter, is_of_another, messenger};
use super::resolver::Resolver;

/// Labels that Prometheus gives to a scrape target.
const TARGET: &[&str] = &["namespace", "pod", "container", "service", "endpoint", "instance", "node", "job"];

/// Labels that name an object of a cluster, the most specific first.
pub(super) const OBJECTS: &[(&str, Wanted)] = &[
    ("workload", Wanted::Workload),
    ("statefulset", Wanted::Workload),
    ("deployment", Wanted::Workload),
    ("daemonset", Wanted::Workload),
    ("replicaset", Wanted::Workload),
    ("rollout", Wanted::Workload),
    ("cloneset", Wanted::Workload),
    ("deploymentconfig", Wanted::Workload),
    ("replicationcontroller", Wanted::Workload),
    ("job_name", Wanted::Job),
    ("cronjob", Wanted::Job),
    ("horizontalpodautoscaler", Wanted::Workload),
    ("poddisruptionbudget", Wanted::Workload),
    ("persistentvolumeclaim", Wanted::Volume),
    ("persistentvolume", Wanted::Volume),
    ("ingress", Wanted::Any),
];

/// Labels of kube-state-metrics that name who made an object: its kind and its name.
pub(super) const OWNERS: &[(&str, &str)] = &[("owner_kind", "owner_name"), ("created_by_kind", "created_by_name")];

/// How the names of attributes begin that an OpenTelemetry collector copies from the resource: about who sent the signal, not about the
/// collector.
const RESOURCE: &[&str] = &["k8s_", "k8s.", "service_", "service.", "host_", "host."];

/// The labels of one signal, parted.
pub(super) struct Parts<'l> {
    pub all: Labels<'l>,
    /// What is said about the subject; `None` if all of it is about the messenger.
    pub said: Option<Labels<'l>>,
    /// What is said about the messenger.
    pub target: Labels<'l>,
    pub messenger: Option<Messenger>,
    /// Whether what is said came to the messenger from somebody else.
    pub passed_on: bool,
    pub query: Option<&'l str>,
}

impl Parts<'_> {
    /// An object of a cluster that the labels name: the signal is about it or about nothing.
    pub fn stated(&self) -> Option<(&'static str, &str)> {
        let said = self.said.as_ref()?;
        let pod = said.get("pod").map(|pod| ("pod", pod));
        let owner = || OWNERS.iter().find_map(|(kind, label)| said.get(label).filter(|_| said.has(kind)).map(|name| (*label, name)));
        pod.or_else(|| OBJECTS.iter().find_map(|(label, _)| Some((*label, said.get(label)?)))).or_else(owner)
    }

    /// Namespace and name of the object that a controller speaks of, such as Argo: it calls it `name`, and the labels of the scrape are
    /// those of the controller.
    pub fn controlled(&self) -> Option<(&str, &str)> {
        let name = self.all.get("name").filter(|_| self.messenger.is_none())?;
        let exported = || self.all.get("exported_namespace").filter(|_| !names_something(&self.all.exported()));
        Some((self.all.get("dest_namespace").or_else(exported)?, name))
    }
}

/// Whether any label could name a component.
pub(super) fn names_something(labels: &Labels<'_>) -> bool {
    let owner = OWNERS.iter().any(|(kind, label)| labels.has(kind) && labels.has(label));
    owner || labels.has_any(&["pod", "service", "node", "container", "job"]) || OBJECTS.iter().any(|(label, _)| labels.has(label))
}

/// Whether labels that collided with those of the scrape name an object of a cluster: what scrapes an application labels it so too, so
/// they come from elsewhere. Applications also count by their own `service` and `container`, but not with a namespace.
pub(super) fn names_object(exported: &Labels<'_>) -> bool {
    let with_namespace = exported.has("namespace") && exported.has_any(&["service", "container"]);
    with_namespace || exported.has_any(&["pod", "node"]) || OBJECTS.iter().any(|(label, _)| exported.has(label))
}

impl Resolver<'_> {
    pub(super) fn part<'l>(&self, raw: &'l BTreeMap<String, String>, hint: Option<&'l str>) -> Parts<'l> {
        let query = hint.or_else(|| raw.get("__name__").map(String::as_str));
        let all = Labels::canonical(raw);
        let resource = Labels::of(raw.iter().filter(|(name, _)| RESOURCE.iter().any(|start| name.starts_with(*start))));
        let messenger = messenger(&all, &resource, query.and_then(family));
        let exported = all.exported();
        let passes_on = match messenger {
            Some(Messenger::StateMetrics | Messenger::Relay) => true,
            // What pushes to an exporter says who it is.
            Some(Messenger::Exporter) => exported.has_any(&["job", "service", "app"]),
            Some(Messenger::Machine | Messenger::Kubelet | Messenger::Probe) | None => false,
        };
        // An agent gives its own job to logs of others, whose pod stands beside it. What was scraped has an address.
        let of_relay = || all.has("instance") || all.get("pod").is_none_or(|pod| called_as(pod) == Some(Messenger::Relay));
        let scraped = messenger == Some(Messenger::Relay) && (of_relay() || is_of_another(&resource, &all));
        let mut others = if scraped { resource } else { Labels::default() };
        if passes_on || names_object(&exported) {
            others.extend(exported.clone());
        }
        let (said, target) = if others.is_empty() { (None, Labels::default()) } else { replaced(&all, &others) };
        match said {
            Some(original) if messenger == Some(Messenger::Relay) => self.relayed(all, original, target, query),
            None if others.is_empty() || messenger == Some(Messenger::Relay) => {
                let (said, target) = self.separated(&all, exported, messenger);
                Parts { all, said: Some(said), target, messenger, passed_on: false, query }
            }
            said => Parts { all, said, target, messenger, passed_on: true, query },
        }
    }

    /// What passed a relay: parted as it was before, if another messenger had sent it there.
    fn relayed<'l>(&self, all: Labels<'l>, mut original: Labels<'l>, target: Labels<'l>, query: Option<&'l str>) -> Parts<'l> {
        // OpenTelemetry keeps job and address of a scrape under these names.
        if !original.has("job")
            && let (Some(service), Some(instance)) = (original.get("service"), original.get("service_instance_id"))
        {
            original.set(Cow::Borrowed("job"), service);
            original.set(Cow::Borrowed("instance"), instance);
        }
        let before = messenger(&original, &Labels::default(), query.and_then(family));
        match before.filter(|before| *before != Messenger::Relay && original.has("job")) {
            Some(before) => {
                let (said, target) = self.separated(&original, Labels::default(), Some(before));
                Parts { all: original, said: Some(said), target, messenger: Some(before), passed_on: false, query }
            }
            None => Parts { all, said: Some(original), target, messenger: Some(Messenger::Relay), passed_on: true, query },
        }
    }

    /// The subject has its own labels among those of the messenger.
    fn separated<'l>(&self, all: &Labels<'l>, exported: Labels<'l>, messenger: Option<Messenger>) -> (Labels<'l>, Labels<'l>) {
        let (mut said, mut target) = (all.unexported(), Labels::default());
        let Some(messenger) = messenger else { return (said, target) };
        if messenger == Messenger::Kubelet {
            said.extend(exported);
        }
        // A relay that passes nothing on speaks of itself, and agents give their own job to the logs of others.
        if messenger == Messenger::Relay {
            ["instance", "endpoint", "job"].into_iter().for_each(|label| said.hand(label, &mut target));
            return (said, target);
        }
        if self.is_own_pod(messenger, &said) {
            said.hand("pod", &mut target);
            said.hand("container", &mut target);
        }
        for label in ["service", "instance", "endpoint", "app", "job"] {
            said.hand(label, &mut target);
        }
        // Without a cluster, cAdvisor names containers that are components of their own.
        if messenger != Messenger::Kubelet || said.has_any(&["namespace", "pod"]) {
            said.hand("container", &mut target);
        }
        (said, target)
    }

    /// Whether the pod that the labels name is the messenger's own. kube-state-metrics also speaks of pods; its series about them have
    /// the `uid` of the pod, which those that merely came through its own pod do not have.
    fn is_own_pod(&self, messenger: Messenger, said: &Labels<'_>) -> bool {
        let Some(pod) = said.get("pod") else { return false };
        match messenger {
            Messenger::Machine | Messenger::Probe => true,
            Messenger::Exporter => is_exporter(pod),
            Messenger::Kubelet | Messenger::Relay => false,
            Messenger::StateMetrics => {
                let is_raw = said.has_any(&["instance", "endpoint", "service"]);
                let of_object = OBJECTS.iter().any(|(label, _)| said.has(label));
                // Where a rule kept the pod but not the address, the name of the pod tells.
                let called = || of_object && called_as(pod) == Some(Messenger::StateMetrics);
                !said.has("uid") && (is_raw && (said.has("node") || of_object || self.is_of_state_metrics(pod, said)) || called())
            }
        }
    }

    fn is_of_state_metrics(&self, pod: &str, said: &Labels<'_>) -> bool {
        let called = |name: &str| called_as(name) == Some(Messenger::StateMetrics);
        let of_service = |service: &str| pod.strip_prefix(service).is_some_and(|rest| rest.starts_with('-'));
        let at_instance = |instance: &str| {
            let pod = self.look(Wanted::Pod, said.get("namespace"), pod);
            pod.is_some_and(|pod| self.all_at(host(instance)).contains(&pod))
        };
        called(pod)
            || said.get("container").is_some_and(called)
            || said.get("service").is_some_and(of_service)
            || said.get("instance").is_some_and(at_instance)
    }

    /// The namespace that the labels speak of. The `service.namespace` of OpenTelemetry is a name of the developers; it counts if the
    /// cluster has such a namespace.
    pub(super) fn scope<'l>(&self, labels: &Labels<'l>) -> Option<&'l str> {
        let logical = labels.get("service_namespace");
        let known = logical.filter(|name| self.namespaces.contains(*name));
        match labels.get("namespace") {
            Some(namespace) if logical == Some(namespace) => known,
            Some(namespace) => Some(namespace),
            None => known,
        }
    }
}

/// The labels of the target belong to the messenger, others speak of the subject in their place.
fn replaced<'l>(all: &Labels<'l>, others: &Labels<'l>) -> (Option<Labels<'l>>, Labels<'l>) {
    let mut said = all.unexported().without(TARGET);
    said.extend(others.clone());
    let named = names_something(&said) || others.has("host");
    (named.then_some(said), all.only(TARGET))
}
