//! The Kubernetes objects of all files: which kinds matter, which objects live, and what their ids are.

use std::collections::{BTreeMap, BTreeSet};

use estate::Tag;
use serde_json::Value;

use super::builder::Builder;
use super::{Source, tree};

/// What an object is to an estate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Workload,
    Service,
    Pod,
    Node,
    Claim,
    Ingress,
    /// A `ConfigMap`: what it says is read where it is used.
    Settings,
    /// A `PodDisruptionBudget`.
    Budget,
    /// A `HorizontalPodAutoscaler`.
    Scaler,
    /// A Job or a `CronJob`.
    Job,
    /// A Job that a `CronJob` made: a part of it.
    Run,
    /// An object that is not imported but makes pods, whatever it is: it says what its pods are like.
    Template,
}

impl Class {
    /// Whether such an object is a component of its own.
    pub(super) fn stands(self) -> bool {
        matches!(self, Class::Workload | Class::Service | Class::Pod | Class::Node | Class::Claim | Class::Job)
    }
}

/// Kinds of objects that are read, with the groups that they may be of; the core group has no name.
const KINDS: [(&str, &[&str], Class); 15] = [
    ("Deployment", &["apps", "extensions"], Class::Workload),
    ("StatefulSet", &["apps"], Class::Workload),
    ("DaemonSet", &["apps", "extensions"], Class::Workload),
    ("ReplicaSet", &["apps", "extensions"], Class::Workload),
    ("ReplicationController", &[""], Class::Workload),
    ("Job", &["batch"], Class::Job),
    ("CronJob", &["batch"], Class::Job),
    ("Service", &[""], Class::Service),
    ("Pod", &[""], Class::Pod),
    ("Node", &[""], Class::Node),
    ("PersistentVolumeClaim", &[""], Class::Claim),
    ("Ingress", &["networking.k8s.io", "extensions"], Class::Ingress),
    ("ConfigMap", &[""], Class::Settings),
    ("PodDisruptionBudget", &["policy"], Class::Budget),
    ("HorizontalPodAutoscaler", &["autoscaling"], Class::Scaler),
];

/// Kinds that carry no dependencies.
const SILENT: [(&str, &[&str]); 23] = [
    ("Secret", &[""]),
    ("ServiceAccount", &[""]),
    ("Role", &["rbac.authorization.k8s.io"]),
    ("RoleBinding", &["rbac.authorization.k8s.io"]),
    ("ClusterRole", &["rbac.authorization.k8s.io"]),
    ("ClusterRoleBinding", &["rbac.authorization.k8s.io"]),
    ("Namespace", &[""]),
    ("Endpoints", &[""]),
    ("EndpointSlice", &["discovery.k8s.io"]),
    ("Event", &["", "events.k8s.io"]),
    ("NetworkPolicy", &["networking.k8s.io", "extensions"]),
    ("StorageClass", &["storage.k8s.io"]),
    ("PersistentVolume", &[""]),
    ("ResourceQuota", &[""]),
    ("LimitRange", &[""]),
    ("PriorityClass", &["scheduling.k8s.io"]),
    ("IngressClass", &["networking.k8s.io"]),
    ("CustomResourceDefinition", &["apiextensions.k8s.io"]),
    ("PodSecurityPolicy", &["policy", "extensions"]),
    ("Lease", &["coordination.k8s.io"]),
    ("ControllerRevision", &["apps"]),
    ("ServiceMonitor", &["monitoring.coreos.com"]),
    ("PodMonitor", &["monitoring.coreos.com"]),
];

/// Kind, namespace, name.
pub(super) type Key = (String, String, String);

/// One object; `namespace` is empty if it has none.
pub(super) struct Object<'s> {
    pub class: Class,
    /// Like `Deployment`; of a group that is not of Kubernetes itself as `kubectl` writes it: `Rollout.argoproj.io`.
    pub kind: String,
    pub namespace: String,
    pub name: String,
    pub value: Value,
    pub source: &'s str,
    /// It is known by what it made: its pods are those that say so.
    pub made: bool,
    /// Of a pod: what made it.
    pub maker: Option<Key>,
    /// Why it stands in for no other, although it is there.
    pub idle: Option<String>,
}

/// Reasons to wait that a container which serves does not have.
const BROKEN: [&str; 9] = [
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "ErrImagePull",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "PostStartHookError",
];

impl Object<'_> {
    pub(super) fn key(&self) -> Key {
        (self.kind.clone(), self.namespace.clone(), self.name.clone())
    }

    /// The pod that it makes, or that it is.
    pub(super) fn pod(&self) -> &Value {
        if self.kind == "Pod" {
            return &self.value;
        }
        let scheduled = || tree::at(&self.value, &["spec", "jobTemplate", "spec", "template"]);
        tree::at(&self.value, &["spec", "template"]).or_else(scheduled).unwrap_or(&Value::Null)
    }

    pub(super) fn pod_labels(&self) -> &Value {
        tree::at(self.pod(), &["metadata", "labels"]).unwrap_or(&Value::Null)
    }

    pub(super) fn selector(&self) -> &Value {
        tree::at(&self.value, &["spec", "selector"]).unwrap_or(&Value::Null)
    }

    pub(super) fn label(&self, key: &str) -> Option<String> {
        ["labels", "annotations"].into_iter().find_map(|part| tree::text(&self.value, &["metadata", part, key]))
    }

    /// The value of a label or an annotation: its own, or else that of the pods that it makes.
    pub(super) fn tag(&self, tag: &Tag) -> Option<String> {
        let (part, name) = match tag {
            Tag::Label(name) => ("labels", name.as_str()),
            Tag::Annotation(name) => ("annotations", name.as_str()),
        };
        [&self.value, self.pod()].into_iter().find_map(|one| tree::text(one, &["metadata", part, name]))
    }

    /// How many pods it asks for, if it says so.
    pub(super) fn replicas(&self) -> Option<u64> {
        tree::at(&self.value, &["spec", "replicas"]).and_then(Value::as_u64)
    }

    /// Scaled to zero: nothing of it answers.
    pub(super) fn asleep(&self) -> bool {
        self.replicas() == Some(0)
    }

    pub(super) fn is(&self, class: Class) -> bool {
        self.class == class
    }

    /// The key of the Job that a pod is of. Those who write pods by hand may leave out who owns them.
    pub(super) fn job(&self) -> Option<Key> {
        let labelled = || ["batch.kubernetes.io/job-name", "job-name"].into_iter().find_map(|label| self.label(label));
        let owner = match self.owner() {
            Some((kind, name)) => (kind == "Job").then_some(name),
            None => labelled(),
        };
        Some(("Job".to_owned(), self.namespace.clone(), owner?))
    }

    /// The key of the `CronJob` that made a Job.
    pub(super) fn cron_job(&self) -> Option<Key> {
        let (kind, name) = self.owner().filter(|(kind, _)| kind == "CronJob" && self.kind == "Job")?;
        Some((kind, self.namespace.clone(), name))
    }

    /// Kind and name of the object that made it.
    pub(super) fn owner(&self) -> Option<(String, String)> {
        let owner = tree::list(&self.value, &["metadata", "ownerReferences"]).first()?;
        Some((tree::text(owner, &["kind"])?, tree::text(owner, &["name"])?))
    }

    /// Why it stands in for no other, by what it says: a pod to which a Service sends nothing, a run that is over.
    fn rests(&self) -> Option<String> {
        if self.is(Class::Run) && self.holds("Complete", "True") {
            return Some(COMPLETE.to_owned());
        }
        if !self.is(Class::Pod) || self.holds("Ready", "True") {
            return None;
        }
        let statuses = |part: &str| tree::list(&self.value, &["status", part]);
        let mut reasons = ["initContainerStatuses", "containerStatuses"]
            .into_iter()
            .flat_map(statuses)
            .filter_map(|one| tree::text(one, &["state", "waiting", "reason"]));
        let broken = reasons.find(|reason| BROKEN.contains(&reason.as_str())).map(|reason| format!("the pod cannot serve: {reason}"));
        let pending = tree::text(&self.value, &["status", "phase"]).as_deref() == Some("Pending");
        let placed = !self.holds("PodScheduled", "False");
        let waits = if placed { "the pod has not started" } else { "the pod cannot be scheduled" };
        // Between two crashes it does not wait: it has just ended, or just started again.
        let mut containers = statuses("containerStatuses").iter();
        let unready =
            self.condition("Ready").is_some() || containers.any(|one| tree::at(one, &["ready"]).and_then(Value::as_bool) == Some(false));
        broken.or_else(|| pending.then(|| waits.to_owned())).or_else(|| unready.then(|| "the pod is not ready".to_owned()))
    }

    /// Whether a cluster says it, not a manifest.
    fn lives(&self) -> bool {
        tree::text(&self.value, &["metadata", "uid"]).is_some() || !tree::entries(&self.value, &["status"]).is_empty()
    }

    /// What its status says of a condition: `True`, `False` or `Unknown`.
    fn condition(&self, name: &str) -> Option<String> {
        let conditions = tree::list(&self.value, &["status", "conditions"]);
        let found = conditions.iter().find(|one| tree::text(one, &["type"]).as_deref() == Some(name))?;
        tree::text(found, &["status"])
    }

    fn holds(&self, condition: &str, value: &str) -> bool {
        self.condition(condition).as_deref() == Some(value)
    }

    pub(super) fn words(&self) -> String {
        format!("{} `{}`", self.kind, self.name)
    }
}

/// Notes which objects stand in for no other. On a node that does not answer, a pod may still count as ready for a while.
pub(super) fn note_idle(objects: &mut [Object<'_>]) {
    let unready = |node: &&Object<'_>| node.is(Class::Node) && node.condition("Ready").is_some_and(|ready| ready != "True");
    let down: BTreeSet<String> = objects.iter().filter(unready).map(|node| node.name.clone()).collect();
    for object in objects {
        let node = tree::text(&object.value, &["spec", "nodeName"]).filter(|node| object.is(Class::Pod) && down.contains(node));
        object.idle = object.rests().or_else(|| node.map(|node| format!("its node `{node}` is not ready")));
    }
}

/// All objects of all files that matter and live, each once, sorted.
pub(super) fn collect<'s>(builder: &mut Builder<'_>, sources: &'s [Source]) -> Vec<Object<'s>> {
    let given = builder.namespace().map(str::to_owned);
    let mut objects: Vec<Object<'s>> = Vec::new();
    let (mut unnamed, mut elsewhere) = (Vec::new(), false);
    for source in sources {
        let documents = builder.documents(source);
        if documents.is_empty() {
            continue;
        }
        let mut flat = Flat::default();
        documents.into_iter().for_each(|document| flat.add(document, None));
        if flat.objects.is_empty() && flat.lists == 0 {
            builder.fail_foreign(&source.name);
        }
        for (what, why) in flat.unread {
            builder.skip(what, why, &source.name);
        }
        let named = namespaces(&flat.objects);
        elsewhere |= named.iter().any(|name| name != "default");
        let usual = given.clone().or_else(|| Some(named).filter(|named| named.len() == 1).and_then(|mut named| named.pop_first()));
        let before = objects.len();
        let mut values = flat.objects;
        if let Some(given) = &given {
            values.iter_mut().for_each(|value| give_namespace(value, given));
        }
        let usual_or_default = usual.as_deref().unwrap_or("default");
        objects.extend(values.into_iter().filter_map(|value| object(builder, value, usual_or_default, &source.name)));
        let of_none = |object: &&Object<'_>| !object.is(Class::Node) && tree::text(&object.value, &["metadata", "namespace"]).is_none();
        let count = objects.iter().skip(before).filter(|object| object.class.stands()).filter(of_none).count();
        if usual.is_none() && count > 0 {
            unnamed.push((count, source.name.as_str()));
        }
    }
    for (count, source) in unnamed.into_iter().filter(|_| elsewhere) {
        let why = "they name none and count as `default`, while others name theirs; give it with `--namespace NAME`";
        builder.skip(format!("the namespace of {count} objects"), why, source);
    }
    // Stable: of two with one key, that of the cluster stays, else the one of the first file.
    objects.sort_by_key(|object| (object.key(), !object.lives()));
    let mut seen = BTreeSet::new();
    let mut living = BTreeSet::new();
    objects.retain(|object| {
        let key = object.key();
        let first = seen.insert(key.clone());
        if first {
            living.extend(Some(key).filter(|_| object.lives()));
        } else if living.contains(&key) && !object.lives() {
            builder.skip(object.words(), "declared twice; that of the cluster is used", object.source);
        } else {
            builder.skip(object.words(), "declared twice; the first is used", object.source);
        }
        first
    });
    objects.retain_mut(|object| keep(builder, object, &seen));
    objects
}

/// The objects of a file, taken out of their lists.
#[derive(Default)]
struct Flat {
    objects: Vec<Value>,
    lists: usize,
    unread: Vec<(String, String)>,
}

impl Flat {
    /// `of`: version and kind that the list around a value gives to its items. `kubectl get --raw` leaves them out of each.
    fn add(&mut self, value: Value, of: Option<(&str, &str)>) {
        let mut map = match value {
            Value::Array(items) => return items.into_iter().for_each(|item| self.add(item, of)),
            Value::Object(map) => map,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return,
        };
        let word = |key: &str| map.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
        let (version, kind) = (word("apiVersion"), word("kind"));
        let list = kind.ends_with("List") || (kind.is_empty() && map.contains_key("items"));
        if let Some(items) = map.remove("items").filter(|_| list) {
            self.lists += 1;
            self.pages(&kind, &Value::Object(map));
            let one = kind.strip_suffix("List").unwrap_or("");
            self.add(items, Some((version.as_str(), one)).filter(|_| !one.is_empty()));
        } else if kind == "Status" {
            self.lists += 1;
            let said = map.get("message").and_then(Value::as_str).unwrap_or("no message");
            self.unread.push(("an answer of the API server".to_owned(), format!("it is an error: {said}")));
        } else if map.contains_key("metadata") {
            if let Some((version, kind)) = of.filter(|_| kind.is_empty()) {
                map.insert("apiVersion".to_owned(), Value::from(version));
                map.insert("kind".to_owned(), Value::from(kind));
            }
            if map.contains_key("kind") {
                self.objects.push(Value::Object(map));
            }
        }
    }

    /// A list that is one page of several says so.
    fn pages(&mut self, kind: &str, list: &Value) {
        if tree::text(list, &["metadata", "continue"]).is_none() {
            return;
        }
        let left = tree::text(list, &["metadata", "remainingItemCount"]).map(|left| format!(" with {left} items")).unwrap_or_default();
        let why = format!("`metadata.continue` is set: more pages{left} follow; ask without `limit`");
        self.unread.push((format!("the rest of `{}`", if kind.is_empty() { "List" } else { kind }), why));
    }
}

/// The namespaces that the objects of a file name. If it is one, those that name none are of it too, as charts name it in some of their
/// templates only. In `kube-system` they merely ask for rights.
fn namespaces(objects: &[Value]) -> BTreeSet<String> {
    let named = objects.iter().filter_map(|value| tree::text(value, &["metadata", "namespace"]));
    named.filter(|name| name != "kube-system").collect()
}

/// The namespace that the user says, if an object names none.
fn give_namespace(value: &mut Value, given: &str) {
    if tree::text(value, &["metadata", "namespace"]).is_none()
        && let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut)
    {
        metadata.insert("namespace".to_owned(), Value::from(given));
    }
}

/// An object that matters. What is left out is said, unless nothing could depend on it. `usual`: the namespace, if it names none.
fn object<'s>(builder: &mut Builder<'_>, value: Value, usual: &str, source: &'s str) -> Option<Object<'s>> {
    let bare = tree::text(&value, &["kind"]).unwrap_or_default();
    let Some(name) = tree::text(&value, &["metadata", "name"]) else {
        builder.skip(format!("a `{bare}`"), "it has no name", source);
        return None;
    };
    let version = tree::text(&value, &["apiVersion"]);
    // `v1` is the core group. Without a version, the kind decides alone.
    let group = version.as_deref().map(|version| version.split_once('/').map_or("", |(group, _)| group));
    let is_of = |groups: &[&str]| group.is_none_or(|group| groups.contains(&group));
    if SILENT.iter().any(|(kind, groups)| *kind == bare && is_of(groups)) {
        return None;
    }
    let known = KINDS.iter().find(|(kind, groups, _)| *kind == bare && is_of(groups)).map(|(_, _, class)| *class);
    let unscoped = known == Some(Class::Node);
    let namespace = tree::text(&value, &["metadata", "namespace"]).filter(|_| !unscoped);
    let namespace = namespace.unwrap_or_else(|| if unscoped { String::new() } else { usual.to_owned() });
    let foreign = group.filter(|group| known.is_none() && !group.is_empty());
    let kind = foreign.map_or_else(|| bare.clone(), |group| format!("{bare}.{group}"));
    let class = known.unwrap_or(Class::Template);
    let object = Object { class, kind, namespace, name, value, source, made: false, maker: None, idle: None };
    if let Some(why) = ended(&object) {
        builder.skip(object.words(), why, source);
        return None;
    }
    Some(object)
}

const COMPLETE: &str = "the job is complete";

/// Why an object does not live any more.
fn ended(object: &Object<'_>) -> Option<String> {
    let status = |key: &str| tree::text(&object.value, &["status", key]);
    if object.is(Class::Pod) {
        let reason = status("reason");
        let evicted = matches!(reason.as_deref(), Some("Evicted" | "Terminated" | "NodeShutdown"));
        if evicted || matches!(status("phase").as_deref(), Some("Succeeded" | "Failed")) {
            return Some(reason.map_or_else(|| "the pod has ended".to_owned(), |reason| format!("the pod has ended: {reason}")));
        }
    }
    // That of a schedule still shows that there is one.
    if object.is(Class::Job) && object.holds("Complete", "True") && object.cron_job().is_none() {
        return Some(COMPLETE.to_owned());
    }
    // A claim stays until the last pod that uses it is gone.
    let deleting = tree::text(&object.value, &["metadata", "deletionTimestamp"]).is_some() && !object.is(Class::Claim);
    if deleting {
        return Some("it is being deleted".to_owned());
    }
    let lost = status("phase").as_deref() == Some("Unknown") || status("reason").as_deref() == Some("NodeLost");
    (object.is(Class::Pod) && lost).then(|| "its node does not answer".to_owned())
}

/// A `ReplicaSet` of a Deployment is part of it, as a Job of a `CronJob` is. A `ReplicaSet` of an owner that is not imported only says
/// what its pods are like.
fn keep(builder: &mut Builder<'_>, object: &mut Object<'_>, keys: &BTreeSet<Key>) -> bool {
    if object.cron_job().is_some_and(|key| keys.contains(&key)) {
        object.class = Class::Run;
        return true;
    }
    if object.is(Class::Job) && tree::at(&object.value, &["spec", "suspend"]).and_then(Value::as_bool) == Some(true) {
        builder.skip(object.words(), "it is suspended; it is imported, but nothing of it runs", object.source);
    }
    let Some((kind, name)) = object.owner().filter(|_| object.kind == "ReplicaSet") else { return true };
    if kind == "Deployment" && keys.contains(&(kind.clone(), object.namespace.clone(), name.clone())) {
        return false;
    }
    builder.skip(object.words(), format!("it is part of {kind} `{name}`"), object.source);
    object.class = Class::Template;
    !object.asleep()
}

/// The id of every object: its name, if no other has it; else with namespace; else with namespace and kind. `pairs`: a Service that
/// has its name from a workload behind it, and whether the two are one component.
pub(super) fn ids(objects: &[Object<'_>], pairs: &BTreeMap<Key, (Key, bool)>) -> BTreeMap<Key, String> {
    let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
    let mut by_place: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let apart: Vec<&Object<'_>> = objects.iter().filter(|object| object.class.stands() && !pairs.contains_key(&object.key())).collect();
    for object in &apart {
        *by_name.entry(object.name.as_str()).or_default() += 1;
        *by_place.entry((object.namespace.as_str(), object.name.as_str())).or_default() += 1;
    }
    let mut ids = BTreeMap::new();
    for object in &apart {
        let (namespace, name) = (object.namespace.as_str(), object.name.as_str());
        let id = if by_name.get(name) == Some(&1) {
            name.to_owned()
        } else if by_place.get(&(namespace, name)) == Some(&1) && !namespace.is_empty() {
            format!("{namespace}/{name}")
        } else {
            full_id(&object.kind, namespace, name)
        };
        ids.insert(object.key(), id);
    }
    for (service, (workload, one)) in pairs {
        let Some(id) = ids.get(workload).cloned() else { continue };
        if *one {
            ids.insert(service.clone(), id);
            continue;
        }
        // Callers mean the Service: it keeps the name that both had before another workload came beside.
        let (kind, namespace, name) = workload;
        let full = full_id(kind, namespace, name);
        let free = if id == full { full_id("service", namespace, name) } else { id };
        ids.insert(workload.clone(), full);
        ids.insert(service.clone(), free);
    }
    ids
}

fn full_id(kind: &str, namespace: &str, name: &str) -> String {
    let kind = kind.to_lowercase();
    if namespace.is_empty() { format!("{kind}/{name}") } else { format!("{namespace}/{kind}/{name}") }
}
