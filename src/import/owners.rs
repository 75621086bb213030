//! Makers of pods and Jobs that are not in the files, or of kinds that are not imported, made from what they have made.
//!
//! Static pods have no maker in the API: the kubelet of a machine makes them from its own files, and the API server shows a mirror of
//! each. Those of one name are a workload: `kube-apiserver` of `kube-apiserver-cp1` and `kube-apiserver-cp2`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::builder::Builder;
use super::kubernetes_objects::{Class, Key, Object};
use super::selectors::selects;
use super::tree;

/// The kind of the workloads of static pods, which Kubernetes has no word for.
const STATIC: &str = "StaticPod";

/// Labels with the end of the name of a pod's `ReplicaSet`, and the kind of what made that.
const HASHES: [(&str, &str); 2] = [("pod-template-hash", "Deployment"), ("rollouts-pod-template-hash", "Rollout.argoproj.io")];

impl Object<'_> {
    /// Whether it is the workload of a pod.
    pub(super) fn makes(&self, pod: &Object<'_>) -> bool {
        if self.made { pod.maker.as_ref() == Some(&self.key()) } else { selects(self.selector(), pod.pod_labels()) }
    }

    /// Whether a drain leaves its pods where they are.
    pub(super) fn is_bound(&self) -> bool {
        self.kind == STATIC || self.kind.split('.').next() == Some("DaemonSet")
    }

    /// What a static pod runs: its name without that of its machine.
    fn program(&self) -> Option<&str> {
        let is_static = self.owner().is_some_and(|(kind, _)| kind == "Node") || self.label("kubernetes.io/config.mirror").is_some();
        let node = tree::text(&self.value, &["spec", "nodeName"]).filter(|_| is_static)?;
        let program = self.name.strip_suffix(node.as_str())?.strip_suffix('-')?;
        Some(program).filter(|program| !program.is_empty())
    }

    /// The key of the workload or the Job that made a pod, whether it is in the files or not. Kinds of others are as good as those of
    /// Kubernetes, as long as their pods are to stay: one that is not started again is a task.
    fn found_maker(&self, by_key: &BTreeMap<Key, &Object<'_>>) -> Option<Key> {
        if !self.is(Class::Pod) {
            return None;
        }
        let key = |kind: &str, name: &str| Some((kind.to_owned(), self.namespace.clone(), name.to_owned()));
        if let Some(program) = self.program() {
            return key(STATIC, program);
        }
        let owner = self.owner_key()?;
        let (kind, _, name) = owner.clone();
        match kind.as_str() {
            "ReplicaSet" => {
                if let Some(set) = by_key.get(&owner) {
                    return set.owner_key().or(Some(owner));
                }
                self.base(&name).and_then(|(maker, base)| key(maker, base)).or(Some(owner))
            }
            "DaemonSet" | "StatefulSet" | "ReplicationController" | "Job" => Some(owner),
            "Node" | "CronJob" => None,
            _ => {
                let policy = tree::text(&self.value, &["spec", "restartPolicy"]);
                policy.is_none_or(|policy| policy == "Always").then_some(owner)
            }
        }
    }

    /// The key of the object that made it; `Rollout.argoproj.io` if that is of a group that is not of Kubernetes itself.
    fn owner_key(&self) -> Option<Key> {
        let (kind, name) = self.owner()?;
        let owner = tree::list(&self.value, &["metadata", "ownerReferences"]).first()?;
        let version = tree::text(owner, &["apiVersion"]).unwrap_or_default();
        let group = version.split_once('/').map_or("", |(group, _)| group);
        let kind = if matches!(group, "" | "apps" | "extensions" | "batch") { kind } else { format!("{kind}.{group}") };
        Some((kind, self.namespace.clone(), name))
    }

    /// What made a pod: its owner, and what made that, if the labels of the pod tell.
    fn made_by(&self) -> Option<(String, Option<String>)> {
        let (_, name) = self.owner().filter(|(kind, _)| kind != "Node" && kind != "Job")?;
        let base = self.base(&name).map(|(_, base)| base.to_owned());
        Some((name, base))
    }

    /// Kind and name of what made the `ReplicaSet` of a pod, if a label of the pod tells.
    fn base<'n>(&self, set: &'n str) -> Option<(&'static str, &'n str)> {
        HASHES.into_iter().find_map(|(label, kind)| {
            let base = set.strip_suffix(self.label(label)?.as_str())?.strip_suffix('-')?;
            Some((kind, base))
        })
    }

    /// An object that is not in the files, with the template of the pods that it makes.
    fn absent(&self, class: Class, (kind, namespace, name): Key, spec: &Value) -> Self {
        let said = |key: &str| tree::at(&self.value, &["metadata", key]);
        Object {
            class,
            value: json!({"metadata": {"name": name, "namespace": said("namespace"), "labels": said("labels")}, "spec": spec}),
            kind,
            namespace,
            name,
            source: self.source,
            made: true,
            maker: None,
            idle: None,
        }
    }

    /// An object of a kind that is not imported, as the workload of pods that are like this.
    fn working(&self, template: Value) -> Self {
        let mut spec = tree::at(&self.value, &["spec"]).and_then(Value::as_object).cloned().unwrap_or_default();
        spec.insert("template".to_owned(), template);
        let value = json!({"metadata": tree::at(&self.value, &["metadata"]), "spec": spec});
        let (kind, namespace, name) = self.key();
        Object { class: Class::Workload, kind, namespace, name, value, source: self.source, made: true, maker: None, idle: None }
    }

    /// What the pods that it makes are like, if it says what runs in them.
    fn template(&self) -> Option<Value> {
        (!tree::list(self.pod(), &["spec", "containers"]).is_empty()).then(|| self.pod().clone())
    }
}

/// Adds what made pods and Jobs and is not in the files, or of a kind that is not imported. Pods for which a Service stands need no other.
pub(super) fn complete(builder: &mut Builder<'_>, objects: &mut Vec<Object<'_>>) {
    let found: Vec<Option<Key>> = {
        let by_key: BTreeMap<Key, &Object<'_>> = objects.iter().map(|object| (object.key(), object)).collect();
        objects.iter().map(|object| object.found_maker(&by_key)).collect()
    };
    for (object, maker) in objects.iter_mut().zip(found) {
        object.maker = maker;
    }
    let here: BTreeSet<Key> = objects.iter().map(Object::key).collect();
    let makers = makers(objects);
    let keys: BTreeSet<Key> = makers.iter().map(Object::key).collect();
    // Of the others, only what makes pods is of use, to the Service in front of them.
    objects.retain(|object| {
        if !object.is(Class::Template) {
            return true;
        }
        let works = keys.contains(&object.key());
        // What a `ReplicaSet` is part of was said.
        if object.kind != "ReplicaSet" {
            let but = if works { "; a workload is made from its pods" } else { "" };
            builder.skip(object.words(), format!("objects of kind `{}` are not imported{but}", object.kind), object.source);
        }
        !works && object.template().is_some()
    });
    let said = makers.iter().filter(|maker| maker.kind != STATIC && !here.contains(&maker.key()));
    said.for_each(|maker| builder.skip(maker.words(), "it is not in the files; made from its pods", maker.source));
    objects.extend(makers);
    let known: BTreeSet<Key> = objects.iter().map(Object::key).collect();
    let mut schedules: BTreeMap<Key, Object<'_>> = BTreeMap::new();
    for job in objects.iter_mut().filter(|object| object.is(Class::Job)) {
        let Some(key) = job.cron_job().filter(|key| !known.contains(key)) else { continue };
        job.class = Class::Run;
        let spec = json!({"jobTemplate": {"spec": tree::at(&job.value, &["spec"])}});
        schedules.entry(key.clone()).or_insert_with(|| job.absent(Class::Job, key, &spec));
    }
    schedules.values().for_each(|one| builder.skip(one.words(), "it is not in the files; made from its jobs", one.source));
    objects.extend(schedules.into_values());
}

/// Other names of Services that stand for pods: of what made all these pods and is no component, as new pods are called after it. What
/// only some pods are of, or several Services stand for alike, is no name of any.
pub(super) fn aliases(objects: &[Object<'_>], lone: &BTreeSet<Key>, standing: &[&Object<'_>]) -> BTreeMap<Key, Vec<String>> {
    let mut made: BTreeMap<(&str, String), Vec<&Object<'_>>> = BTreeMap::new();
    let mut bases: BTreeMap<(&str, String), String> = BTreeMap::new();
    for pod in objects.iter().filter(|pod| lone.contains(&pod.key())) {
        let Some((name, base)) = pod.made_by() else { continue };
        let namespace = pod.namespace.as_str();
        if let Some(base) = base {
            made.entry((namespace, base.clone())).or_default().push(pod);
            bases.insert((namespace, name.clone()), base);
        }
        made.entry((namespace, name)).or_default().push(pod);
    }
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    let mut here: BTreeSet<(&str, &str)> = BTreeSet::new();
    for object in objects.iter().filter(|object| object.class.stands()) {
        *names.entry(object.name.as_str()).or_default() += 1;
        here.insert((object.namespace.as_str(), object.name.as_str()));
    }
    let mut of: BTreeMap<(&str, &str), &Object<'_>> = BTreeMap::new();
    for ((namespace, name), pods) in made.iter().filter(|((namespace, name), _)| !here.contains(&(*namespace, name.as_str()))) {
        let selects_all = |service: &Object<'_>| pods.iter().all(|pod| selects(service.selector(), pod.pod_labels()));
        let found = standing.iter().copied().filter(|service| service.namespace == *namespace && selects_all(service)).collect();
        if let Some(service) = one_of(found) {
            *names.entry(name.as_str()).or_default() += 1;
            of.insert((*namespace, name.as_str()), service);
        }
    }
    let mut aliases: BTreeMap<Key, Vec<String>> = BTreeMap::new();
    for ((namespace, name), service) in &of {
        // The name of the whole is enough.
        if bases.get(&(*namespace, (*name).to_owned())).is_some_and(|base| of.contains_key(&(*namespace, base.as_str()))) {
            continue;
        }
        let alias = if names.get(name) == Some(&1) { (*name).to_owned() } else { format!("{namespace}/{name}") };
        aliases.entry(service.key()).or_default().push(alias);
    }
    aliases
}

/// The only one; of several, that with an address: those without one are for the pods themselves to find each other.
fn one_of<'o, 's>(mut services: Vec<&'o Object<'s>>) -> Option<&'o Object<'s>> {
    if services.len() > 1 {
        services.retain(|service| tree::text(&service.value, &["spec", "clusterIP"]).as_deref() != Some("None"));
    }
    services.pop().filter(|_| services.is_empty())
}

/// What made pods and is no workload of the files.
fn makers<'s>(objects: &[Object<'s>]) -> Vec<Object<'s>> {
    let by_key: BTreeMap<Key, &Object<'s>> = objects.iter().map(|object| (object.key(), object)).collect();
    let mut selecting: BTreeMap<&str, Vec<&Object<'_>>> = BTreeMap::new();
    for object in objects.iter().filter(|object| object.is(Class::Service) || object.is(Class::Workload)) {
        selecting.entry(object.namespace.as_str()).or_default().push(object);
    }
    // With the first pod of each; `None` if something that is there stands for one of its pods.
    let mut first: BTreeMap<Key, Option<&Object<'s>>> = BTreeMap::new();
    for pod in objects {
        let Some(key) = pod.maker.clone() else { continue };
        if by_key.get(&key).is_some_and(|maker| !maker.is(Class::Template)) {
            continue;
        }
        let around = selecting.get(pod.namespace.as_str()).map(Vec::as_slice).unwrap_or_default();
        let stood_for = key.0 != "Job" && key.0 != STATIC && around.iter().any(|one| selects(one.selector(), pod.pod_labels()));
        let entry = first.entry(key).or_insert(Some(pod));
        if stood_for {
            *entry = None;
        }
    }
    let mut sets: BTreeMap<Key, &Object<'s>> = BTreeMap::new();
    for set in objects.iter().filter(|one| one.is(Class::Template)) {
        if let Some(owner) = set.owner_key() {
            sets.entry(owner).or_insert(set);
        }
    }
    let mut made = Vec::new();
    for (key, pod) in first {
        let Some(pod) = pod else { continue };
        let here = by_key.get(&key).copied();
        let set = sets.get(&key).copied();
        // What a pod says of itself is with what the cluster added to it, and of no other revision.
        let template = [here, set].into_iter().flatten().find_map(Object::template);
        let template =
            template.unwrap_or_else(|| json!({"metadata": {"labels": pod.pod_labels()}, "spec": tree::at(&pod.value, &["spec"])}));
        let class = if key.0 == "Job" { Class::Job } else { Class::Workload };
        let mut maker = match here {
            Some(here) => here.working(template),
            None => pod.absent(class, key, &json!({"template": template})),
        };
        if let Some(schedule) = scheduled(&maker.name).filter(|_| class == Class::Job) {
            let owner = json!([{"kind": "CronJob", "name": schedule}]);
            if let Some(metadata) = maker.value.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.insert("ownerReferences".to_owned(), owner);
            }
        }
        made.push(maker);
    }
    made
}

/// The `CronJob` in the name of a Job that one made: the minutes since 1970 follow it, `backup-29402400`.
fn scheduled(job: &str) -> Option<&str> {
    let (name, minutes) = job.rsplit_once('-')?;
    Some(name).filter(|_| minutes.len() == 8 && minutes.chars().all(|c| c.is_ascii_digit()))
}
