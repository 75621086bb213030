//! An object of a Kubernetes cluster, as an event or a list names it, and the component that it is.

use std::collections::BTreeMap;

use serde_json::Value;

use estate::{AttributeValue, ComponentId};
use value::Time;

use super::finding::{owners, replica_set_owner, scheduled};
use super::kubernetes_grades::is_of_node;
use super::placement::Placement;
use super::resolver::Resolver;

/// Kinds that are in no namespace; events about them name one all the same.
const UNSCOPED: &[&str] = &["Node", "PersistentVolume", "Namespace"];

/// What pods run for, as ids of imported components name it.
const WORKLOADS: &[&str] = &["deployment", "statefulset", "daemonset", "replicaset", "job", "cronjob"];

/// The label that names an object of a kind, as metrics and logs have it.
const LABELS: &[(&str, &str)] = &[
    ("Pod", "pod"),
    ("Node", "node"),
    ("Deployment", "deployment"),
    ("StatefulSet", "statefulset"),
    ("DaemonSet", "daemonset"),
    ("ReplicaSet", "replicaset"),
    ("Rollout", "rollout"),
    ("CloneSet", "cloneset"),
    ("DeploymentConfig", "deploymentconfig"),
    ("ReplicationController", "replicationcontroller"),
    ("Job", "job_name"),
    ("CronJob", "cronjob"),
    ("Service", "service"),
    ("Ingress", "ingress"),
    ("PersistentVolumeClaim", "persistentvolumeclaim"),
    ("PersistentVolume", "persistentvolume"),
    ("HorizontalPodAutoscaler", "horizontalpodautoscaler"),
    ("PodDisruptionBudget", "poddisruptionbudget"),
];

/// A text of an object; `None` if it is missing or blank.
pub(super) fn field<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

pub(super) fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, key| value.get(*key))
}

/// A time. Clients of Kubernetes write the zero time for none.
pub(super) fn moment(value: &Value, path: &[&str]) -> Option<Time> {
    Time::parse(at(value, path)?.as_str()?).filter(|time| time.0 > 0)
}

/// One object.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub kind: String,
    /// Empty if it has none.
    pub namespace: String,
    pub name: String,
    /// Kind and name of the controller that made it, if it says so.
    pub owner: Option<(String, String)>,
    /// Of a pod, the machine that it is or was on.
    pub node: Option<String>,
}

impl Object {
    pub fn new(kind: &str, namespace: Option<&str>, name: &str) -> Self {
        let namespace = namespace.filter(|_| !UNSCOPED.contains(&kind)).unwrap_or_default();
        Self { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned(), owner: None, node: None }
    }

    /// From its own metadata. `None` without a name.
    pub fn of_metadata(kind: &str, value: &Value) -> Option<Self> {
        let metadata = value.get("metadata")?;
        let owners = metadata.get("ownerReferences").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let controls = |owner: &&Value| owner.get("controller").and_then(Value::as_bool) == Some(true);
        let owner = owners.iter().find(controls).or_else(|| owners.first());
        let owner = owner.and_then(|owner| Some((field(owner, "kind")?.to_owned(), field(owner, "name")?.to_owned())));
        let node = value.get("spec").and_then(|spec| field(spec, "nodeName"));
        Some(Self { owner, ..Self::new(kind, field(metadata, "namespace"), field(metadata, "name")?) }.on(node))
    }

    /// The same on a machine. Of what is no pod, whoever speaks of it may be on any.
    pub fn on(self, node: Option<&str>) -> Self {
        Self { node: node.filter(|_| self.kind == "Pod").map(str::to_owned), ..self }
    }

    /// What names it, as labels.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        let of_kind = LABELS.iter().find(|(kind, _)| *kind == self.kind).map(|(_, label)| (*label, &self.name));
        for (label, value) in [("kind", &self.kind), ("namespace", &self.namespace), ("name", &self.name)].into_iter().chain(of_kind) {
            if !value.is_empty() {
                labels.insert(label.to_owned(), value.clone());
            }
        }
        labels
    }

    /// What an entry of `placement` says of the labels of what is said; else the component that it is, or that it is part of.
    pub fn place(&self, reason: &str, labels: &BTreeMap<String, String>, placer: &Resolver<'_>) -> Placement {
        if let Some(said) = placer.by_entries(labels) {
            return said;
        }
        // A pod that is gone leads to no machine, and its workload is on others by now.
        if let Some(machine) = self.left(reason, placer) {
            return Placement::labelled(machine, "node");
        }
        let label = LABELS.iter().find(|(kind, _)| *kind == self.kind).map_or("name", |(_, label)| *label);
        if let Some(found) = self.found(placer) {
            return Placement::labelled(found, label);
        }
        let by_labels = placer.built_in(labels, None);
        if by_labels.component.is_some() {
            return by_labels;
        }
        let namespace = Some(self.namespace.as_str()).filter(|namespace| !namespace.is_empty());
        Placement::nowhere(placer.missing(label, namespace, &self.name))
    }

    /// The name of a pod that the estate does not have, so that it was found as its workload.
    pub fn unlisted(&self, found: Option<ComponentId>, placer: &Resolver<'_>) -> Option<String> {
        let found = found.filter(|found| self.kind == "Pod" && placer.is_workload(*found))?;
        (placer.estate.component(found).name != self.name).then(|| self.name.clone())
    }

    /// The machine that did this to a pod, if the estate does not have the pod.
    fn left(&self, reason: &str, placer: &Resolver<'_>) -> Option<ComponentId> {
        let node = self.node.as_deref().filter(|_| is_of_node(reason))?;
        if self.exact(&self.kind, &self.name, placer).is_some() { None } else { placer.machine_alike(node) }
    }

    fn found(&self, placer: &Resolver<'_>) -> Option<ComponentId> {
        let by_owner = || {
            let (kind, name) = self.owner.as_ref()?;
            Object::new(kind, Some(self.namespace.as_str()), name).found(placer)
        };
        // Pods come and go; what they run for stays.
        let by_name = || {
            let of = |name: &str| WORKLOADS.iter().find_map(|kind| self.exact(kind, name, placer));
            self.owner_names().into_iter().find_map(of)
        };
        let by_host = || if self.kind == "Node" { placer.machine_alike(&self.name) } else { None };
        self.exact(&self.kind, &self.name, placer).or_else(by_owner).or_else(by_name).or_else(by_host)
    }

    /// The component with the id that an import gives to an object of that kind and name in its namespace, or with that name.
    fn exact(&self, kind: &str, name: &str, placer: &Resolver<'_>) -> Option<ComponentId> {
        let fits = |id: &ComponentId| self.shares_namespace(*id, placer);
        let by_id = self.ids(kind, name).iter().find_map(|id| placer.estate.find(id).filter(fits));
        by_id.or_else(|| placer.named(name).filter(fits))
    }

    /// Ids as the import makes them, the most specific first.
    fn ids(&self, kind: &str, name: &str) -> Vec<String> {
        let (kind, namespace) = (kind.to_lowercase(), &self.namespace);
        if namespace.is_empty() {
            vec![format!("{kind}/{name}"), name.to_owned()]
        } else {
            vec![format!("{namespace}/{kind}/{name}"), format!("{namespace}/{name}"), name.to_owned()]
        }
    }

    /// Whether a component may be in its namespace: one that says nothing may be anywhere.
    fn shares_namespace(&self, id: ComponentId, placer: &Resolver<'_>) -> bool {
        match placer.estate.component(id).attributes.get("namespace") {
            Some(AttributeValue::Text(text)) => self.namespace.is_empty() || text.is_empty() || *text == self.namespace,
            Some(AttributeValue::Bool(_) | AttributeValue::Number(_)) | None => true,
        }
    }

    /// What its name says of who made it, the most probable first.
    fn owner_names(&self) -> Vec<&str> {
        match self.kind.as_str() {
            "Pod" | "" => owners(&self.name).into_iter().flat_map(|name| [Some(name), scheduled(name)]).flatten().collect(),
            "ReplicaSet" => replica_set_owner(&self.name).into_iter().collect(),
            "Job" => numbered(&self.name).into_iter().collect(),
            "PersistentVolumeClaim" => claimants(&self.name),
            _ => Vec::new(),
        }
    }
}

/// `db` of `db-0`, `nightly` of `nightly-29384400`.
fn numbered(name: &str) -> Option<&str> {
    let (rest, number) = name.rsplit_once('-')?;
    (!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())).then_some(rest)
}

/// The claim of a `StatefulSet` begins with the name of the template, which may have hyphens too: `db` of `data-db-0`.
fn claimants(name: &str) -> Vec<&str> {
    let Some(rest) = numbered(name) else { return Vec::new() };
    rest.match_indices('-').filter_map(|(at, _)| rest.get(at + 1..)).filter(|name| !name.is_empty()).collect()
}
