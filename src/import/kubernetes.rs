//! Kubernetes objects: what `kubectl get -o json` writes, or manifests.
//!
//! A workload is a component. A Service of the same name that selects it alone is the same component. A Service over pods of owners
//! that are not imported stands for them; any other Service is a load balancer that points to what it selects. What a Service
//! selects makes the redundancy, whoever owns it. A Job, or a `CronJob` with all its runs, is a component that nothing depends on.
//! What makes pods and is not in the files is made from them. A pod that cannot serve is one of its workload, but none of its redundancy.

use std::collections::{BTreeMap, BTreeSet};

use estate::{State, Tag};
use serde_json::Value;

use super::builder::Builder;
use super::hosts::{Host, Sign, hosts};
use super::kubernetes_objects::{Class, Key, Object, collect, ids, note_idle};
use super::kubernetes_settings::{Maps, Told};
use super::selectors::{main_container, quantity, selects};
use super::telemetry::Telemetry;
use super::{DeclaredComponent, DeclaredGroup, Source, Written, guess, owners, tree};

pub(super) fn read(builder: &mut Builder<'_>, sources: &[Source]) {
    let mut objects = collect(builder, sources);
    owners::complete(builder, &mut objects);
    note_idle(&mut objects);
    objects.retain(|object| {
        let Some(why) = &object.idle else { return true };
        // What is wrong with a pod is said of the pod, so it must be there.
        let stays = object.is(Class::Pod);
        let but = if stays { "; it is imported, but stands in for no other" } else { "" };
        builder.skip(object.words(), format!("{why}{but}"), object.source);
        stays
    });
    objects.sort_by_key(Object::key);
    let cluster = Cluster::new(&objects);
    for object in &objects {
        match object.class {
            Class::Workload => cluster.workload(builder, object),
            Class::Service => cluster.service(builder, object),
            Class::Pod => cluster.pod(builder, object),
            Class::Node => node(builder, object, &cluster.id(object)),
            Class::Claim => claim(builder, object, &cluster.id(object)),
            Class::Ingress => cluster.ingress(builder, object),
            Class::Job => cluster.job(builder, object),
            Class::Settings | Class::Budget | Class::Scaler | Class::Run | Class::Template => {}
        }
    }
}

/// What a Service sends requests to.
#[derive(Default)]
struct Backends<'o> {
    workloads: Vec<&'o Object<'o>>,
    /// Scaled to zero beside others that are not: they answer nothing.
    asleep: Vec<&'o Object<'o>>,
    /// Pods of no workload, whoever owns them.
    pods: Vec<&'o Object<'o>>,
    /// What pods of owners that are not imported are like.
    templates: Vec<&'o Object<'o>>,
    /// What the Service and those behind it have to do with telemetry.
    telemetry: Telemetry,
}

impl<'o> Backends<'o> {
    fn of(service: &Object<'_>, place: &[&'o Object<'o>], lone: &BTreeSet<Key>) -> Self {
        let mut backends = Backends::default();
        for &object in place.iter().filter(|object| selects(service.selector(), object.pod_labels())) {
            match object.class {
                Class::Workload if object.asleep() => backends.asleep.push(object),
                Class::Workload => backends.workloads.push(object),
                Class::Pod if lone.contains(&object.key()) => backends.pods.push(object),
                Class::Template => backends.templates.push(object),
                _ => {}
            }
        }
        if backends.workloads.is_empty() {
            backends.workloads = std::mem::take(&mut backends.asleep);
        }
        let ends = backends.workloads.iter().chain(&backends.pods).chain(&backends.templates);
        backends.telemetry = ends.map(|end| Telemetry::of(&image(end), &end.name)).fold(Telemetry::of("", &service.name), Telemetry::or);
        backends
    }

    /// Whether they are only pods, and what pods are like: then the Service stands for them.
    fn stand(&self) -> bool {
        self.workloads.is_empty() && !(self.pods.is_empty() && self.templates.is_empty())
    }

    /// The workload that a Service has its name from, and whether it is all that the Service selects.
    fn namesake(&self, service: &Object<'_>) -> Option<(Key, bool)> {
        let found = self.workloads.iter().chain(&self.asleep).find(|object| object.name == service.name)?;
        let key = found.key();
        let alone = matches!(self.workloads.as_slice(), [only] if only.key() == key);
        Some((key, alone))
    }
}

struct Cluster<'o> {
    by_key: BTreeMap<Key, &'o Object<'o>>,
    by_place: BTreeMap<&'o str, Vec<&'o Object<'o>>>,
    maps: BTreeMap<&'o str, Maps<'o>>,
    /// By key of the Service.
    backends: BTreeMap<Key, Backends<'o>>,
    /// Services that share their name with a workload behind them, and whether the two are one component.
    pairs: BTreeMap<Key, (Key, bool)>,
    /// Pods that a Service stands for.
    served: BTreeSet<Key>,
    /// Pods of no workload and no job.
    lone: BTreeSet<Key>,
    /// The pods of each Job, of all runs for a `CronJob`.
    runs: BTreeMap<Key, Vec<&'o Object<'o>>>,
    ids: BTreeMap<Key, String>,
    /// By key of a Service that stands for pods.
    aliases: BTreeMap<Key, Vec<String>>,
}

impl<'o> Cluster<'o> {
    fn new(objects: &'o [Object<'o>]) -> Self {
        let mut by_place: BTreeMap<&str, Vec<&Object<'_>>> = BTreeMap::new();
        let mut maps: BTreeMap<&str, Maps<'_>> = BTreeMap::new();
        for object in objects {
            by_place.entry(object.namespace.as_str()).or_default().push(object);
            if object.is(Class::Settings) {
                maps.entry(object.namespace.as_str()).or_default().insert(object.name.as_str(), &object.value);
            }
        }
        let by_key: BTreeMap<Key, &Object<'_>> = objects.iter().map(|object| (object.key(), object)).collect();
        let runs = runs(objects, &by_key);
        let mut lone = lone(&by_place);
        for pod in runs.values().flatten() {
            lone.remove(&pod.key());
        }
        let mut backends = BTreeMap::new();
        let mut pairs = BTreeMap::new();
        let mut served = BTreeSet::new();
        for service in objects.iter().filter(|object| object.is(Class::Service)) {
            let place = by_place.get(service.namespace.as_str()).map(Vec::as_slice).unwrap_or_default();
            let behind = Backends::of(service, place, &lone);
            // Beside workloads, a pod keeps what it needs to itself.
            if behind.workloads.is_empty() {
                served.extend(behind.pods.iter().map(|pod| pod.key()));
            }
            if let Some(pair) = behind.namesake(service) {
                pairs.insert(service.key(), pair);
            }
            backends.insert(service.key(), behind);
        }
        let ids = ids(objects, &pairs);
        let stands = |service: &&Object<'_>| backends.get(&service.key()).is_some_and(|behind: &Backends<'_>| behind.stand());
        let standing: Vec<&Object<'_>> = objects.iter().filter(|object| object.is(Class::Service)).filter(stands).collect();
        let aliases = owners::aliases(objects, &lone, &standing);
        Cluster { by_key, by_place, maps, backends, pairs, served, lone, runs, ids, aliases }
    }

    fn id(&self, object: &Object<'_>) -> String {
        self.ids.get(&object.key()).cloned().unwrap_or_else(|| object.name.clone())
    }

    fn place(&self, namespace: &str) -> &[&'o Object<'o>] {
        self.by_place.get(namespace).map(Vec::as_slice).unwrap_or_default()
    }

    fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&'o Object<'o>> {
        self.by_key.get(&(kind.to_owned(), namespace.to_owned(), name.to_owned())).copied()
    }

    /// The Service that a host name refers to, seen from a namespace.
    fn host(&self, host: &str, namespace: &str) -> Option<&'o Object<'o>> {
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

    /// The Service that a host name refers to wherever it is read: `service.namespace`, `service.namespace.svc`, or a pod of that.
    fn whole_host(&self, host: &str) -> Option<&'o Object<'o>> {
        let parts: Vec<&str> = host.split('.').collect();
        match parts.as_slice() {
            [service, namespace] | [service, namespace, "svc", ..] | [_, service, namespace, "svc", ..] => {
                self.find("Service", namespace, service)
            }
            _ => None,
        }
    }

    fn workload(&self, builder: &mut Builder<'_>, object: &'o Object<'o>) {
        let id = self.id(object);
        let mut component = software(object, &id, &image(object));
        component.attributes.extend(self.scaler(object).and_then(|scaler| servant("horizontalpodautoscaler", scaler, object)));
        component.attributes.extend(self.protection(object, &[]));
        component.attributes.extend(object.is_bound().then(|| ("node_bound".to_owned(), Written::Bool(true))));
        let service = ("Service".to_owned(), object.namespace.clone(), object.name.clone());
        let one = self.pairs.get(&service).is_some_and(|(workload, one)| *one && *workload == object.key());
        let front = self.by_key.get(&service).filter(|_| one);
        builder.add_labelled(component, true, |tag| object.tag(tag).or_else(|| front?.tag(tag)), object.source);
        self.claims(builder, object, &id);
        self.settings(builder, object, &id);
        let of_job = |pod: &Object<'_>| pod.job().is_some_and(|job| self.by_key.contains_key(&job));
        let selected = |pod: &&&Object<'_>| pod.is(Class::Pod) && object.makes(pod) && !of_job(pod);
        let mut pods: Vec<&Object<'_>> = self.place(&object.namespace).iter().filter(selected).copied().collect();
        // Of a Service that is one with the workload, all pods count.
        if one {
            pods.extend(self.backends.get(&service).into_iter().flat_map(|behind| behind.pods.iter().copied()));
        }
        self.pods(builder, object, &id, &pods);
    }

    /// What runs to its end. It needs what its pods need, and nothing needs it.
    fn job(&self, builder: &mut Builder<'_>, object: &'o Object<'o>) {
        let id = self.id(object);
        let mut component = component(object, &id, "job");
        let schedule = tree::text(&object.value, &["spec", "schedule"]).map(|schedule| ("schedule".to_owned(), Written::Text(schedule)));
        component.attributes.extend(schedule);
        builder.add_labelled(component, true, |tag| object.tag(tag), object.source);
        self.claims(builder, object, &id);
        self.settings(builder, object, &id);
        let pods = self.runs.get(&object.key()).map(Vec::as_slice).unwrap_or_default();
        self.pods(builder, object, &id, pods);
    }

    /// What environment, `ConfigMap`s and commands name.
    fn settings(&self, builder: &mut Builder<'_>, object: &Object<'_>, id: &str) {
        let none = Maps::new();
        let told = Told::of(object.pod(), self.maps.get(object.namespace.as_str()).unwrap_or(&none));
        let waits = told.awaited.iter().map(|host| Host { name: host.clone(), port: None, sign: Sign::Port });
        let mut asked: BTreeSet<(&str, Option<bool>, Host)> = waits.map(|host| ("", None, host)).collect();
        for setting in &told.settings {
            let named = hosts(&setting.name, &setting.value);
            asked.extend(named.into_iter().map(move |host| (setting.name.as_str(), setting.sends, host)));
        }
        let own = Telemetry::of(&image(object), &object.name);
        for (name, sends, host) in asked {
            let found = if host.sign == Sign::Dots { self.whole_host(&host.name) } else { self.host(&host.name, &object.namespace) };
            let Some(service) = found else {
                builder.need_outside(id, own, (name, sends), &host, object.source);
                continue;
            };
            let target = self.id(service);
            // A Service in front of the pods themselves is no other's. Those of a job answer nobody, whatever their labels.
            let before = service.namespace == object.namespace && selects(service.selector(), object.pod_labels());
            if (before && !object.is(Class::Job)) || target == id {
                continue;
            }
            let behind = self.backends.get(&service.key()).map(|behind| behind.telemetry).unwrap_or_default();
            match own.needs_not(behind, name, sends, host.port) {
                None => builder.relate(id, "depends_on", &target, object.source),
                Some(why) => builder.skip_need(id, &target, name, why, object.source),
            }
        }
        for (what, why) in &told.missed {
            builder.skip(format!("{what} of `{id}`"), *why, object.source);
        }
    }

    /// The volume claims of a workload or a pod.
    fn claims(&self, builder: &mut Builder<'_>, object: &Object<'_>, id: &str) {
        for volume in tree::list(object.pod(), &["spec", "volumes"]) {
            let Some(claim) = tree::text(volume, &["persistentVolumeClaim", "claimName"]) else { continue };
            match self.find("PersistentVolumeClaim", &object.namespace, &claim) {
                Some(target) => builder.relate(id, "depends_on", &self.id(target), object.source),
                None => builder.skip_need(id, &claim, "", "the volume claim is not in the files", object.source),
            }
        }
    }

    /// The pods of a workload or a Service; more than one that serve make a redundancy group. Beside them, one that cannot takes nothing
    /// down.
    fn pods(&self, builder: &mut Builder<'_>, object: &Object<'_>, id: &str, pods: &[&Object<'_>]) {
        let (serving, idle): (Vec<&Object<'_>>, Vec<&Object<'_>>) = pods.iter().copied().partition(|pod| pod.idle.is_none());
        let members: Vec<String> = serving.into_iter().map(|pod| self.id(pod)).collect();
        for member in &members {
            builder.relate(id, "runs_on", member, object.source);
        }
        let effect = (!members.is_empty()).then_some(State::Degraded);
        for pod in idle {
            builder.relate_with(id, "runs_on", &self.id(pod), effect, object.source);
        }
        // A disruption budget limits evictions; fewer pods than it keeps still serve.
        if members.len() > 1 {
            builder.group(DeclaredGroup { id: format!("{id}-pods"), members, need: 1, ..DeclaredGroup::default() }, object.source);
        }
    }

    /// The disruption budget of a workload or of pods, as attributes: `50%` stays a percentage of what is asked for at the time.
    fn protection(&self, object: &Object<'_>, pods: &[&Object<'_>]) -> Vec<(String, Written)> {
        let selected = |one: &&&Object<'_>| {
            let of = |protected: &Object<'_>| selects(one.selector(), protected.pod_labels());
            one.is(Class::Budget) && (of(object) || pods.iter().any(|pod| of(pod)))
        };
        let Some(budget) = self.place(&object.namespace).iter().find(selected) else { return Vec::new() };
        let said = |key: &str, name: &str| Some((name.to_owned(), Written::Text(tree::text(&budget.value, &["spec", key])?)));
        let kept = said("minAvailable", "min_available").or_else(|| said("maxUnavailable", "max_unavailable"));
        servant("poddisruptionbudget", budget, object).into_iter().chain(kept).collect()
    }

    fn scaler(&self, object: &Object<'_>) -> Option<&'o Object<'o>> {
        let target = |one: &Object<'_>, key: &str| tree::text(&one.value, &["spec", "scaleTargetRef", key]);
        let scales = |one: &&&Object<'_>| {
            one.is(Class::Scaler)
                && target(one, "kind").as_deref() == object.kind.split('.').next()
                && target(one, "name").as_deref() == Some(object.name.as_str())
        };
        self.place(&object.namespace).iter().find(scales).copied()
    }

    fn service(&self, builder: &mut Builder<'_>, object: &'o Object<'o>) {
        let id = self.id(object);
        let none = Backends::default();
        let behind = self.backends.get(&object.key()).unwrap_or(&none);
        for asleep in &behind.asleep {
            let what = format!("`{id}` points_to `{}`", self.id(asleep));
            builder.skip(what, "it is scaled to zero", object.source);
        }
        if self.pairs.get(&object.key()).is_some_and(|(_, one)| *one) {
            return;
        }
        if let Some(host) = external(object) {
            self.alias(builder, object, &id, &host);
        } else if behind.stand() {
            self.stand_for(builder, object, &id, behind);
        } else {
            self.balance(builder, object, &id, behind);
        }
    }

    /// A Service over pods of owners that are not imported: it is what they are, and needs what they need.
    fn stand_for(&self, builder: &mut Builder<'_>, object: &Object<'_>, id: &str, behind: &Backends<'_>) {
        let templates = || behind.templates.iter().copied();
        let makers = || templates().chain(behind.pods.iter().copied());
        let image = makers().map(image).find(|image| !image.is_empty()).unwrap_or_default();
        let mut component = software(object, id, &image);
        let replicas = templates().filter_map(Object::replicas).max().and_then(|replicas| u32::try_from(replicas).ok());
        if let Some(replicas) = replicas.filter(|replicas| *replicas > 1) {
            component.attributes.insert("replicas".to_owned(), Written::Number(f64::from(replicas)));
        }
        component.attributes.extend(cluster_ip(object));
        component.attributes.extend(self.protection(object, &behind.pods));
        component.aliases = self.aliases.get(&object.key()).cloned().unwrap_or_default();
        let value = |tag: &Tag| object.tag(tag).or_else(|| makers().find_map(|maker| maker.tag(tag)));
        builder.add_labelled(component, true, value, object.source);
        // Not those of pods: each may have its own.
        for template in templates() {
            self.claims(builder, template, id);
        }
        for maker in makers() {
            self.settings(builder, maker, id);
        }
        self.pods(builder, object, id, &behind.pods);
    }

    /// A Service in front of workloads: as long as one of them lives, it answers.
    fn balance(&self, builder: &mut Builder<'_>, object: &Object<'_>, id: &str, behind: &Backends<'_>) {
        let mut component = component(object, id, "load_balancer");
        component.attributes.extend(cluster_ip(object));
        builder.add_labelled(component, true, |tag| object.tag(tag), object.source);
        let pods = behind.pods.iter().filter(|pod| pod.idle.is_none());
        let members: Vec<String> = behind.workloads.iter().chain(pods).map(|end| self.id(end)).collect();
        for member in &members {
            builder.relate(id, "points_to", member, object.source);
        }
        if members.is_empty() && tree::entries(object.selector(), &[]).is_empty() {
            builder.skip(
                format!("endpoints of Service `{}`", object.name),
                "it has no selector, and Endpoints are not read",
                object.source,
            );
        } else if members.is_empty() {
            builder.skip(format!("selector of Service `{}`", object.name), "it selects nothing in the files", object.source);
        }
        if members.len() > 1 {
            builder.group(DeclaredGroup { id: format!("{id}-backends"), members, need: 1, ..DeclaredGroup::default() }, object.source);
        }
    }

    /// A Service that is another name of a host.
    fn alias(&self, builder: &mut Builder<'_>, object: &Object<'_>, id: &str, host: &str) {
        builder.add_labelled(component(object, id, "domain_name"), false, |tag| object.tag(tag), object.source);
        if let Some(service) = self.host(host, &object.namespace) {
            builder.relate(id, "points_to", &self.id(service), object.source);
            return;
        }
        // `service.namespace.svc`
        if host.split('.').nth(2) == Some("svc") {
            builder.skip(format!("`{id}` points_to `{host}`"), "the Service is not in the files", object.source);
            return;
        }
        if !builder.has(host) {
            let guess = guess::from_name(host).unwrap_or(guess::Guess { kind: "domain_name", engine: None });
            let mut outside = DeclaredComponent { id: host.to_owned(), kind: guess.kind.to_owned(), ..DeclaredComponent::default() };
            outside.attributes.extend(guess.engine.map(|engine| ("engine".to_owned(), Written::Text(engine.to_owned()))));
            builder.add(outside, object.source);
        }
        builder.relate(id, "points_to", host, object.source);
    }

    fn pod(&self, builder: &mut Builder<'_>, object: &Object<'_>) {
        let id = self.id(object);
        let mut component = component(object, &id, "pod");
        component.attributes.insert("namespace".to_owned(), Written::Text(object.namespace.clone()));
        if let Some(ip) = own_ip(object) {
            component.attributes.insert("ip".to_owned(), Written::Text(ip));
        }
        // What another component stands for does not serve beside it.
        let alone = self.lone.contains(&object.key()) && !self.served.contains(&object.key());
        builder.add_labelled(component, alone, |tag| object.tag(tag), object.source);
        if let Some(node) = tree::text(&object.value, &["spec", "nodeName"]) {
            match self.find("Node", "", &node) {
                Some(target) => builder.relate(&id, "runs_on", &self.id(target), object.source),
                None => builder.skip(format!("`{id}` runs_on `{node}`"), "the node is not in the files", object.source),
            }
        }
        self.claims(builder, object, &id);
        if alone {
            self.settings(builder, object, &id);
        }
    }

    fn ingress(&self, builder: &mut Builder<'_>, object: &Object<'_>) {
        let backend = |value: &Value| tree::text(value, &["service", "name"]).or_else(|| tree::text(value, &["serviceName"]));
        let default = |key: &str| tree::at(&object.value, &["spec", key]);
        let defaults: Vec<&Value> = ["defaultBackend", "backend"].into_iter().filter_map(default).collect();
        let rules = tree::list(&object.value, &["spec", "rules"]);
        if rules.is_empty() && !defaults.is_empty() {
            builder.skip(format!("the backend of Ingress `{}`", object.name), "it has no host", object.source);
        }
        for rule in rules {
            let Some(host) = tree::text(rule, &["host"]) else {
                builder.skip(format!("a rule of Ingress `{}`", object.name), "it has no host", object.source);
                continue;
            };
            let domain = DeclaredComponent { id: host.clone(), kind: "domain_name".to_owned(), ..DeclaredComponent::default() };
            builder.add(domain, object.source);
            let paths = tree::list(rule, &["http", "paths"]).iter().filter_map(|path| path.get("backend"));
            for name in paths.chain(defaults.iter().copied()).filter_map(backend) {
                match self.find("Service", &object.namespace, &name) {
                    Some(target) => builder.relate(&host, "points_to", &self.id(target), object.source),
                    None => builder.skip(format!("`{host}` points_to `{name}`"), "the Service is not in the files", object.source),
                }
            }
        }
    }
}

/// Pods of no workload of their namespace.
fn lone(by_place: &BTreeMap<&str, Vec<&Object<'_>>>) -> BTreeSet<Key> {
    let mut lone = BTreeSet::new();
    for place in by_place.values() {
        let workloads: Vec<&Object<'_>> = place.iter().filter(|one| one.is(Class::Workload)).copied().collect();
        for pod in place.iter().filter(|one| one.is(Class::Pod)) {
            if !workloads.iter().any(|workload| workload.makes(pod)) {
                lone.insert(pod.key());
            }
        }
    }
    lone
}

/// The pods of each Job that is there, by the key of its `CronJob` if it has one.
fn runs<'o>(objects: &'o [Object<'o>], by_key: &BTreeMap<Key, &'o Object<'o>>) -> BTreeMap<Key, Vec<&'o Object<'o>>> {
    let mut runs: BTreeMap<Key, Vec<&Object<'_>>> = BTreeMap::new();
    for pod in objects.iter().filter(|object| object.is(Class::Pod)) {
        let Some(job) = pod.job().and_then(|key| by_key.get(&key)) else { continue };
        let whole = if job.is(Class::Run) { job.cron_job() } else { Some(job.key()) };
        if let Some(whole) = whole {
            runs.entry(whole).or_default().push(pod);
        }
    }
    runs
}

/// The image of the container that an object is about.
fn image(object: &Object<'_>) -> String {
    main_container(object.pod(), &object.name).and_then(|container| tree::text(container, &["image"])).unwrap_or_default()
}

/// The name of what serves a workload. Alerts about it name it; one that is called like its workload is found by that name.
fn servant(attribute: &str, servant: &Object<'_>, of: &Object<'_>) -> Option<(String, Written)> {
    (servant.name != of.name).then(|| (attribute.to_owned(), Written::Text(servant.name.clone())))
}

/// The host that a Service of the type `ExternalName` stands for.
fn external(service: &Object<'_>) -> Option<String> {
    let host = tree::text(&service.value, &["spec", "externalName"])?;
    let kind = tree::text(&service.value, &["spec", "type"]);
    (kind.as_deref() == Some("ExternalName")).then(|| host.trim_end_matches('.').to_owned())
}

fn cluster_ip(service: &Object<'_>) -> Option<(String, Written)> {
    let ip = tree::text(&service.value, &["spec", "clusterIP"]).filter(|ip| ip != "None")?;
    Some(("ip".to_owned(), Written::Text(ip)))
}

/// The address of a pod. In the network of its node, it has none of its own.
fn own_ip(pod: &Object<'_>) -> Option<String> {
    let ip = tree::text(&pod.value, &["status", "podIP"])?;
    let shared = tree::text(&pod.value, &["spec", "hostNetwork"]).as_deref() == Some("true")
        || tree::text(&pod.value, &["status", "hostIP"]).as_ref() == Some(&ip);
    (!shared).then_some(ip)
}

/// What runs an image: its type by the image or the name.
fn software(object: &Object<'_>, id: &str, image: &str) -> DeclaredComponent {
    let guess = guess::workload(image, &object.name);
    let mut component = component(object, id, guess.kind);
    if let Some(engine) = guess.engine {
        component.attributes.insert("engine".to_owned(), Written::Text(engine.to_owned()));
    }
    if let Some(replicas) = tree::at(&object.value, &["spec", "replicas"]).and_then(Value::as_f64).filter(|n| *n > 1.0) {
        component.attributes.insert("replicas".to_owned(), Written::Number(replicas));
    }
    component
}

fn component(object: &Object<'_>, id: &str, kind: &str) -> DeclaredComponent {
    let mut attributes = BTreeMap::new();
    // Manifests may leave it to whoever applies them: then nobody knows it.
    if let Some(namespace) = tree::text(&object.value, &["metadata", "namespace"]).filter(|_| !object.namespace.is_empty()) {
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
    // It lives, but takes no new pods.
    if tree::text(&object.value, &["spec", "unschedulable"]).as_deref() == Some("true") {
        component.attributes.insert("description".to_owned(), Written::Text("cordoned".to_owned()));
    }
    component.attributes.extend(found.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    builder.add_labelled(component, false, |tag| object.tag(tag), object.source);
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
    builder.add_labelled(component, false, |tag| object.tag(tag), object.source);
}
