//! Kubernetes objects: what `kubectl get -o json` writes, or manifests.
//!
//! A workload is a component; a Service of the same name that selects it is the same component, any other Service is a load
//! balancer that points to what it selects.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::builder::Builder;
use super::selectors::{environment, main_container, quantity, selects};
use super::{DeclaredComponent, DeclaredGroup, Source, Written, guess, tree};

const WORKLOADS: [&str; 5] = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController"];

/// Kinds that say something about a workload and are no components of their own.
const SERVANTS: [&str; 2] = ["HorizontalPodAutoscaler", "PodDisruptionBudget"];

/// Kinds that carry no dependencies.
const SILENT: [&str; 25] = [
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
    "Namespace",
    "Endpoints",
    "EndpointSlice",
    "Event",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "NetworkPolicy",
    "StorageClass",
    "PersistentVolume",
    "ResourceQuota",
    "LimitRange",
    "PriorityClass",
    "IngressClass",
    "CustomResourceDefinition",
    "PodSecurityPolicy",
    "Lease",
    "ControllerRevision",
    "ServiceMonitor",
];

/// One object; `namespace` is empty if it has none.
struct Object<'s> {
    kind: String,
    namespace: String,
    name: String,
    value: Value,
    source: &'s str,
}

impl Object<'_> {
    fn key(&self) -> Key {
        (self.class().to_owned(), self.namespace.clone(), self.name.clone())
    }

    fn class(&self) -> &str {
        if WORKLOADS.contains(&self.kind.as_str()) { "workload" } else { &self.kind }
    }

    /// The pod that it makes, or that it is.
    fn pod(&self) -> &Value {
        if self.kind == "Pod" { &self.value } else { tree::at(&self.value, &["spec", "template"]).unwrap_or(&Value::Null) }
    }

    fn pod_labels(&self) -> &Value {
        tree::at(self.pod(), &["metadata", "labels"]).unwrap_or(&Value::Null)
    }

    fn selector(&self) -> &Value {
        tree::at(&self.value, &["spec", "selector"]).unwrap_or(&Value::Null)
    }

    fn label(&self, key: &str) -> Option<String> {
        ["labels", "annotations"].into_iter().find_map(|part| tree::text(&self.value, &["metadata", part, key]))
    }

    fn has_owner(&self) -> bool {
        !tree::list(&self.value, &["metadata", "ownerReferences"]).is_empty()
    }

    /// Only what the object says itself: a manifest without one may be applied to any.
    fn stated_namespace(&self) -> Option<String> {
        tree::text(&self.value, &["metadata", "namespace"]).filter(|name| !name.is_empty() && !self.namespace.is_empty())
    }

    fn is(&self, class: &str) -> bool {
        self.class() == class
    }
}

/// Class, namespace, name.
type Key = (String, String, String);

pub(super) fn read(builder: &mut Builder<'_>, sources: &[Source]) {
    let objects = collect(builder, sources);
    let cluster = Cluster { ids: ids(&objects), objects: &objects };
    for object in &objects {
        match object.class() {
            "workload" => cluster.workload(builder, object),
            "Service" => cluster.service(builder, object),
            "Pod" => cluster.pod(builder, object),
            "Node" => node(builder, object, &cluster.id(object)),
            "PersistentVolumeClaim" => claim(builder, object, &cluster.id(object)),
            "Ingress" => cluster.ingress(builder, object),
            _ => {}
        }
    }
}

/// All objects of all files that matter, each once.
fn collect<'s>(builder: &mut Builder<'_>, sources: &'s [Source]) -> Vec<Object<'s>> {
    let mut objects = Vec::new();
    let mut seen = BTreeSet::new();
    for source in sources {
        let documents = builder.documents(source);
        if documents.is_empty() {
            continue;
        }
        let mut flat = Vec::new();
        documents.into_iter().for_each(|document| flatten(document, &mut flat));
        if flat.is_empty() {
            builder.fail_foreign(&source.name);
        }
        for value in flat {
            let kind = tree::text(&value, &["kind"]).unwrap_or_default();
            let Some(name) = tree::text(&value, &["metadata", "name"]) else {
                builder.skip(format!("a `{kind}`"), "it has no name", &source.name);
                continue;
            };
            let unscoped = kind == "Node";
            let namespace = tree::text(&value, &["metadata", "namespace"]).filter(|_| !unscoped);
            let namespace = namespace.unwrap_or_else(|| if unscoped { String::new() } else { "default".to_owned() });
            let object = Object { kind, namespace, name, value, source: &source.name };
            if let Some(why) = unused(&object) {
                if !why.is_empty() {
                    builder.skip(format!("{} `{}`", object.kind, object.name), why, object.source);
                }
                if !SERVANTS.contains(&object.kind.as_str()) {
                    continue;
                }
            }
            if seen.insert(object.key()) {
                objects.push(object);
            } else {
                builder.skip(format!("{} `{}`", object.kind, object.name), "declared twice; the first is used", object.source);
            }
        }
    }
    objects.sort_by_key(Object::key);
    objects
}

fn flatten(value: Value, flat: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.into_iter().for_each(|item| flatten(item, flat)),
        Value::Object(mut map) => {
            let kind = map.get("kind").and_then(Value::as_str).unwrap_or("").to_owned();
            let list = kind.ends_with("List") || (kind.is_empty() && map.contains_key("items"));
            if let Some(items) = map.remove("items").filter(|_| list) {
                flatten(items, flat);
            } else if !kind.is_empty() && map.contains_key("metadata") {
                flat.push(Value::Object(map));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Why an object is left out; an empty reason if it need not be reported.
fn unused(object: &Object<'_>) -> Option<String> {
    let kind = object.kind.as_str();
    if SILENT.contains(&kind) || (kind == "ReplicaSet" && object.has_owner()) {
        return Some(String::new());
    }
    if kind == "Job" || kind == "CronJob" {
        return Some("a job runs to completion; nothing depends on it".to_owned());
    }
    let known = WORKLOADS.contains(&kind) || ["Service", "Pod", "Node", "PersistentVolumeClaim", "Ingress"].contains(&kind);
    if !known {
        return Some(format!("objects of kind `{kind}` are not imported"));
    }
    let phase = tree::text(&object.value, &["status", "phase"]);
    let ended = kind == "Pod" && matches!(phase.as_deref(), Some("Succeeded"));
    ended.then(|| "the pod has ended".to_owned())
}

/// A Service and the workload that it selects are one component if they have the same name.
fn merged(service: &Object<'_>, objects: &[Object<'_>]) -> Option<Key> {
    let same = |one: &&Object<'_>| one.is("workload") && one.namespace == service.namespace && one.name == service.name;
    objects.iter().find(same).filter(|one| selects(service.selector(), one.pod_labels())).map(Object::key)
}

/// The id of every object: its name, if no other has it; else with namespace; else with namespace and kind.
fn ids(objects: &[Object<'_>]) -> BTreeMap<Key, String> {
    let named = |object: &&Object<'_>| !SERVANTS.contains(&object.kind.as_str()) && object.kind != "Ingress";
    let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
    let mut by_place: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let apart: Vec<&Object<'_>> =
        objects.iter().filter(named).filter(|object| !object.is("Service") || merged(object, objects).is_none()).collect();
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
        } else if namespace.is_empty() {
            format!("{}/{name}", object.kind.to_lowercase())
        } else {
            format!("{namespace}/{}/{name}", object.kind.to_lowercase())
        };
        ids.insert(object.key(), id);
    }
    for service in objects.iter().filter(|object| object.is("Service")) {
        if let Some(id) = merged(service, objects).and_then(|key| ids.get(&key).cloned()) {
            ids.insert(service.key(), id);
        }
    }
    ids
}

struct Cluster<'o> {
    objects: &'o [Object<'o>],
    ids: BTreeMap<Key, String>,
}

impl Cluster<'_> {
    fn id(&self, object: &Object<'_>) -> String {
        self.ids.get(&object.key()).cloned().unwrap_or_else(|| object.name.clone())
    }

    fn find(&self, class: &str, namespace: &str, name: &str) -> Option<&str> {
        self.ids.get(&(class.to_owned(), namespace.to_owned(), name.to_owned())).map(String::as_str)
    }

    /// The Service that a host name refers to, seen from a namespace.
    fn host(&self, host: &str, namespace: &str) -> Option<&str> {
        let parts: Vec<&str> = host.split('.').collect();
        match parts.as_slice() {
            [name] => self.find("Service", namespace, name),
            // `service.namespace`, or a pod of a headless Service: `kafka-0.kafka`
            [first, second] => self.find("Service", second, first).or_else(|| self.find("Service", namespace, second)),
            [first, second, third, ..] => {
                let inside = *third == "svc" || *third == "cluster";
                let service = self.find("Service", second, first).filter(|_| inside);
                service.or_else(|| self.find("Service", third, second))
            }
            [] => None,
        }
    }

    fn workload(&self, builder: &mut Builder<'_>, object: &Object<'_>) {
        let id = self.id(object);
        let image = main_container(object.pod(), &object.name).and_then(|c| tree::text(c, &["image"])).unwrap_or_default();
        let guess = guess::workload(&image, &object.name);
        let mut component = component(object, &id, guess.kind);
        if let Some(engine) = guess.engine {
            component.attributes.insert("engine".to_owned(), Written::Text(engine.to_owned()));
        }
        if let Some(replicas) = tree::at(&object.value, &["spec", "replicas"]).and_then(Value::as_f64).filter(|n| *n > 1.0) {
            component.attributes.insert("replicas".to_owned(), Written::Number(replicas));
        }
        for (kind, servant) in [("horizontalpodautoscaler", self.scaler(object)), ("poddisruptionbudget", self.budget(object))] {
            // Alerts about it name it; one that is called like its workload is found by that name.
            if let Some(servant) = servant.filter(|servant| servant.name != object.name) {
                component.attributes.insert(kind.to_owned(), Written::Text(servant.name.clone()));
            }
        }
        builder.add(component, object.source);
        self.claims(builder, object, &id);
        self.settings(builder, object, &id);
        self.pods(builder, object, &id);
    }

    /// What environment variables and arguments name.
    fn settings(&self, builder: &mut Builder<'_>, object: &Object<'_>, id: &str) {
        for container in tree::list(object.pod(), &["spec", "containers"]) {
            let mut settings = environment(container);
            for part in ["command", "args"] {
                settings.extend(tree::list(container, &[part]).iter().filter_map(tree::scalar).map(|text| (String::new(), text)));
            }
            for (name, value) in settings {
                for host in guess::hosts(&name, &value) {
                    let Some(target) = self.host(&host, &object.namespace).filter(|target| *target != id) else { continue };
                    if guess::is_telemetry(&name) {
                        let why = "telemetry target: not needed to serve requests";
                        builder.skip(format!("`{id}` depends_on `{target}` (`{name}`)"), why, object.source);
                    } else {
                        builder.relate(id, "depends_on", target, object.source);
                    }
                }
            }
        }
    }

    /// The volume claims of a workload or a pod.
    fn claims(&self, builder: &mut Builder<'_>, object: &Object<'_>, id: &str) {
        for volume in tree::list(object.pod(), &["spec", "volumes"]) {
            let Some(claim) = tree::text(volume, &["persistentVolumeClaim", "claimName"]) else { continue };
            match self.find("PersistentVolumeClaim", &object.namespace, &claim) {
                Some(target) => builder.relate(id, "depends_on", target, object.source),
                None => builder.skip(format!("`{id}` depends_on `{claim}`"), "the volume claim is not in the files", object.source),
            }
        }
    }

    /// The pods of a workload; more than one make a redundancy group.
    fn pods(&self, builder: &mut Builder<'_>, object: &Object<'_>, id: &str) {
        let in_place = |one: &&Object<'_>| one.is("Pod") && one.namespace == object.namespace;
        let pods: Vec<&Object<'_>> =
            self.objects.iter().filter(in_place).filter(|pod| selects(object.selector(), pod.pod_labels())).collect();
        let members: Vec<String> = pods.iter().map(|pod| self.id(pod)).collect();
        for member in &members {
            builder.relate(id, "runs_on", member, object.source);
        }
        if members.len() > 1 {
            let need = self.needed(object, members.len());
            builder
                .group(DeclaredGroup { id: format!("{id}-pods"), members, need: need as u64, ..DeclaredGroup::default() }, object.source);
        }
    }

    fn budget(&self, object: &Object<'_>) -> Option<&Object<'_>> {
        self.objects.iter().find(|one| {
            one.kind == "PodDisruptionBudget" && one.namespace == object.namespace && selects(one.selector(), object.pod_labels())
        })
    }

    fn scaler(&self, object: &Object<'_>) -> Option<&Object<'_>> {
        let target = |one: &Object<'_>, key: &str| tree::text(&one.value, &["spec", "scaleTargetRef", key]);
        self.objects.iter().filter(|one| one.kind == "HorizontalPodAutoscaler" && one.namespace == object.namespace).find(|one| {
            target(one, "kind").as_deref() == Some(object.kind.as_str()) && target(one, "name").as_deref() == Some(object.name.as_str())
        })
    }

    /// How many pods a disruption budget asks for; one if there is none.
    fn needed(&self, object: &Object<'_>, count: usize) -> usize {
        let budget = self.budget(object);
        let number = |key: &str| {
            let value = budget.and_then(|budget| tree::at(&budget.value, &["spec", key])).and_then(Value::as_u64);
            value.and_then(|value| usize::try_from(value).ok())
        };
        let kept = number("minAvailable").or_else(|| number("maxUnavailable").map(|lost| count.saturating_sub(lost)));
        kept.unwrap_or(1).clamp(1, count)
    }

    fn service(&self, builder: &mut Builder<'_>, object: &Object<'_>) {
        let id = self.id(object);
        if merged(object, self.objects).is_none() {
            let mut component = component(object, &id, "load_balancer");
            if let Some(ip) = tree::text(&object.value, &["spec", "clusterIP"]).filter(|ip| ip != "None") {
                component.attributes.insert("ip".to_owned(), Written::Text(ip));
            }
            builder.add(component, object.source);
        }
        let targets: Vec<&Object<'_>> = self
            .objects
            .iter()
            .filter(|one| one.namespace == object.namespace && (one.is("workload") || one.is("Pod")))
            .filter(|one| selects(object.selector(), one.pod_labels()))
            .collect();
        let workloads: Vec<&Object<'_>> = targets.iter().copied().filter(|one| one.is("workload")).collect();
        let ends = if workloads.is_empty() { targets } else { workloads };
        for end in &ends {
            let target = self.id(end);
            if target != id {
                builder.relate(&id, "points_to", &target, object.source);
            }
        }
        if ends.is_empty() && !tree::entries(object.selector(), &[]).is_empty() {
            builder.skip(format!("selector of Service `{}`", object.name), "it selects nothing in the files", object.source);
        }
    }

    fn pod(&self, builder: &mut Builder<'_>, object: &Object<'_>) {
        let id = self.id(object);
        let mut component = component(object, &id, "pod");
        if let Some(ip) = tree::text(&object.value, &["status", "podIP"]) {
            component.attributes.insert("ip".to_owned(), Written::Text(ip));
        }
        builder.add(component, object.source);
        if let Some(node) = tree::text(&object.value, &["spec", "nodeName"]) {
            match self.find("Node", "", &node) {
                Some(target) => builder.relate(&id, "runs_on", target, object.source),
                None => builder.skip(format!("`{id}` runs_on `{node}`"), "the node is not in the files", object.source),
            }
        }
        self.claims(builder, object, &id);
    }

    fn ingress(&self, builder: &mut Builder<'_>, object: &Object<'_>) {
        let backend = |value: &Value| tree::text(value, &["service", "name"]).or_else(|| tree::text(value, &["serviceName"]));
        for rule in tree::list(&object.value, &["spec", "rules"]) {
            let Some(host) = tree::text(rule, &["host"]) else {
                builder.skip(format!("a rule of Ingress `{}`", object.name), "it has no host", object.source);
                continue;
            };
            let domain = DeclaredComponent { id: host.clone(), kind: "domain_name".to_owned(), ..DeclaredComponent::default() };
            builder.add(domain, object.source);
            let paths = tree::list(rule, &["http", "paths"]).iter().filter_map(|path| path.get("backend"));
            let default = ["defaultBackend", "backend"].into_iter().filter_map(|key| tree::at(&object.value, &["spec", key]));
            for name in paths.chain(default).filter_map(backend) {
                match self.find("Service", &object.namespace, &name) {
                    Some(target) => builder.relate(&host, "points_to", target, object.source),
                    None => builder.skip(format!("`{host}` points_to `{name}`"), "the Service is not in the files", object.source),
                }
            }
        }
    }
}

fn component(object: &Object<'_>, id: &str, kind: &str) -> DeclaredComponent {
    let mut attributes = BTreeMap::new();
    if let Some(namespace) = object.stated_namespace() {
        attributes.insert("namespace".to_owned(), Written::Text(namespace));
    }
    for label in ["app.kubernetes.io/version", "version"] {
        if let Some(version) = object.label(label) {
            attributes.entry("version".to_owned()).or_insert(Written::Text(version));
        }
    }
    DeclaredComponent {
        id: id.to_owned(),
        kind: kind.to_owned(),
        name: Some(object.name.clone()),
        owner: object.label("owner").or_else(|| object.label("team")),
        environment: object.label("environment").or_else(|| object.label("env")),
        tier: None,
        attributes,
        ..DeclaredComponent::default()
    }
}

fn node(builder: &mut Builder<'_>, object: &Object<'_>, id: &str) {
    let mut component = component(object, id, "node");
    let address = tree::list(&object.value, &["status", "addresses"])
        .iter()
        .find(|address| tree::text(address, &["type"]).as_deref() == Some("InternalIP"))
        .and_then(|address| tree::text(address, &["address"]));
    let cores = tree::text(&object.value, &["status", "capacity", "cpu"]).and_then(|cores| cores.parse::<f64>().ok());
    let memory = tree::text(&object.value, &["status", "capacity", "memory"]).and_then(|memory| quantity(&memory));
    let found = [
        ("ip", address.map(Written::Text)),
        ("os", tree::text(&object.value, &["status", "nodeInfo", "osImage"]).map(Written::Text)),
        ("version", tree::text(&object.value, &["status", "nodeInfo", "kubeletVersion"]).map(Written::Text)),
        ("region", object.label("topology.kubernetes.io/region").map(Written::Text)),
        ("cores", cores.map(Written::Number)),
        ("memory", memory),
    ];
    component.attributes.extend(found.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    builder.add(component, object.source);
    if let Some(zone) = object.label("topology.kubernetes.io/zone") {
        builder.add(DeclaredComponent { id: zone.clone(), kind: "zone".to_owned(), ..DeclaredComponent::default() }, object.source);
        builder.relate(id, "belongs_to", &zone, object.source);
    }
}

fn claim(builder: &mut Builder<'_>, object: &Object<'_>, id: &str) {
    let mut component = component(object, id, "storage");
    let size = tree::text(&object.value, &["status", "capacity", "storage"])
        .or_else(|| tree::text(&object.value, &["spec", "resources", "requests", "storage"]));
    if let Some(size) = size.and_then(|size| quantity(&size)) {
        component.attributes.insert("capacity".to_owned(), size);
    }
    if let Some(volume) = tree::text(&object.value, &["spec", "volumeName"]) {
        component.attributes.insert("persistentvolume".to_owned(), Written::Text(volume));
    }
    builder.add(component, object.source);
}
