//! The built-in placement: which of many labels names the subject of a signal.
//!
//! The order: the component itself, the destination in a mesh, then what the class of the messenger leaves: objects of a cluster from the
//! pod up to the service, machines, the application, and only then the address and the job of the scrape.

use std::collections::BTreeMap;

use estate::ComponentId;

use super::finding::{Wanted, host, replica_set_owner, scheduled};
use super::labels::Labels;
use super::messenger::{Family, Messenger, called_as, family, is_exporter, metrics, sought};
use super::parts::{OBJECTS, OWNERS, Parts, names_something};
use super::placement::{PlacedBy, Placement, Unplaced};
use super::resolver::Resolver;

/// Labels whose value is the component itself.
const IDENTITIES: &[&str] = &["component", "component_id", "ci", "ci_id"];

/// Labels of a mesh that name who was called, the most specific first. The others are about the caller, or whoever measured.
const DESTINATIONS: &[&str] = &[
    "destination_pod",
    "dst_pod",
    "destination_workload",
    "destination_canonical_service",
    "destination_service_name",
    "destination_service",
    "destination_app",
    "dst_deployment",
    "dst_statefulset",
    "dst_daemonset",
    "dst_replicaset",
    "dst_k8s_job",
    "dst_workload",
    "dst_service",
];

/// Those that name a pod.
const DESTINATION_PODS: &[&str] = &["destination_pod", "dst_pod"];

/// The namespace of who was called.
const DESTINATION_NAMESPACES: &[&str] =
    &["destination_workload_namespace", "destination_service_namespace", "destination_namespace", "dst_namespace"];

/// Labels that name a machine or an endpoint.
const HOSTS: &[&str] = &["host", "server", "target", "address", "ip", "domain"];

/// Labels that name the server that an exporter asks, the most specific first.
const SERVERS: &[&str] = &["target", "server", "addr", "address", "host", "domain", "ip"];

/// The program that answers for a cluster.
const API_SERVER: &str = "kube-apiserver";

/// Scrape jobs of a control plane, and what they scrape.
const CONTROL_PLANE: &[(&str, &str)] = &[
    ("apiserver", API_SERVER),
    ("kubernetes-apiservers", API_SERVER),
    ("kube-scheduler", "kube-scheduler"),
    ("kube-controller-manager", "kube-controller-manager"),
    ("etcd", "etcd"),
    ("kube-etcd", "etcd"),
];

/// Metrics that one program has, for alerts that kept no label.
const PROGRAMS: &[(&str, &str)] = &[("kube_state_metrics_", "kube-state-metrics"), ("apiserver_", API_SERVER), ("etcd_", "etcd")];

impl Resolver<'_> {
    pub(super) fn built_in(&self, raw: &BTreeMap<String, String>, hint: Option<&str>) -> Placement {
        let parts = self.part(raw, hint);
        let identity = || {
            IDENTITIES.iter().find_map(|label| {
                let value = parts.all.get(label)?;
                let found = self.named(value).or_else(|| self.look(Wanted::Any, self.scope(&parts.all), value))?;
                Some(Placement::labelled(found, label))
            })
        };
        let found = identity().or_else(|| self.destination(raw, &parts.all)).unwrap_or_else(|| self.subject(&parts));
        if found.why != Some(Unplaced::Unnamed) {
            return found;
        }
        if let Some(found) = self.sought(raw, hint) {
            return found;
        }
        let stated = IDENTITIES.iter().find_map(|label| Some((*label, parts.all.get(label)?)));
        stated.map_or(found, |(label, value)| Placement::nowhere(self.missing(label, None, value)))
    }

    /// By what the query behind a signal looks for in vain. Its own labels come first.
    fn sought(&self, raw: &BTreeMap<String, String>, hint: Option<&str>) -> Option<Placement> {
        let sought = sought(hint?)?;
        // Nothing new: it was asked with them already.
        if sought.keys().all(|name| raw.contains_key(name)) {
            return None;
        }
        let mut all = sought.clone();
        all.extend(raw.iter().map(|(name, value)| (name.clone(), value.clone())));
        let found = self.built_in(&all, hint);
        let component = found.component?;
        if let Some(PlacedBy::Label(label)) = found.by
            && let Some(value) = sought.get(label)
        {
            return Some(Placement::found(component, PlacedBy::Query(format!("{label}={value}"))));
        }
        Some(found)
    }

    /// The pod that the labels name, if the estate does not have it, so that the signal was placed on its workload.
    pub fn unlisted(&self, placed: Option<ComponentId>, raw: &BTreeMap<String, String>, hint: Option<&str>) -> Option<String> {
        let placed = placed.filter(|placed| self.is_workload(*placed))?;
        // A mesh labels who measured; what it says is about who was called.
        if !raw.keys().any(|name| name.contains("pod")) || DESTINATIONS.iter().any(|label| raw.contains_key(*label)) {
            return None;
        }
        let parts = self.part(raw, hint);
        let said = parts.said.as_ref()?;
        let pod = said.get("pod").filter(|pod| *pod != self.estate.component(placed).name)?;
        // A messenger's pod is of no other, and one that speaks of objects has a pod of its own.
        let is_messengers = called_as(pod).is_some() && called_as(&self.estate.component(placed).name).is_none();
        let of_object = || !said.has("uid") && OBJECTS.iter().any(|(label, _)| said.has(label));
        let may_be_own = || parts.messenger == Some(Messenger::StateMetrics) && of_object();
        if (is_messengers || may_be_own()) && self.owner(self.scope(said), pod) != Some(placed) {
            return None;
        }
        // Who speaks of others has a pod of its own, whatever that is called.
        let speaks_of_others = parts.messenger == Some(Messenger::Exporter) || parts.controlled().is_some();
        if speaks_of_others && self.object(said).and_then(|found| found.component) != Some(placed) {
            return None;
        }
        self.look_for(Wanted::Pod, self.scope(said), pod).is_none().then(|| pod.to_owned())
    }

    /// Who was called; where a label says that somebody was, nothing else counts.
    fn destination(&self, raw: &BTreeMap<String, String>, labels: &Labels<'_>) -> Option<Placement> {
        let first = DESTINATIONS.iter().find(|label| raw.contains_key(**label) || labels.has(label))?;
        let stated = DESTINATION_NAMESPACES.iter().find_map(|label| labels.get(label));
        let hosts = || DESTINATIONS.iter().find_map(|label| self.in_cluster(labels.get(label)?).0);
        let namespace = stated.or_else(hosts);
        // Who measured may be in another namespace than who was called: its own decides only between several.
        let nearby = labels.get("namespace").filter(|_| namespace.is_none() && labels.get("reporter") != Some("source"));
        let named = |label: &str| {
            let (_, name) = self.in_cluster(labels.get(label)?);
            let found = self.called(label, namespace, name);
            found.or_else(|| nearby.and_then(|nearby| self.called(label, Some(nearby), name)))
        };
        // Of a pod that is not listed, the other labels tell the workload better than its name.
        let owner = |label: &&str| {
            let (_, pod) = self.in_cluster(labels.get(label)?);
            Some(Placement::found(self.owner(namespace, pod)?, PlacedBy::Owner(pod.to_owned())))
        };
        let found = DESTINATIONS.iter().find_map(|label| Some(Placement::labelled(named(label)?, label)));
        let found = found.or_else(|| DESTINATION_PODS.iter().find_map(owner));
        Some(found.unwrap_or_else(|| {
            let stated = DESTINATIONS.iter().find_map(|label| Some((*label, labels.get(label)?)));
            let unknown = Unplaced::Unknown { label: first, value: raw.get(*first).cloned().unwrap_or_default() };
            Placement::nowhere(stated.map_or(unknown, |(label, value)| self.missing(label, namespace, value)))
        }))
    }

    /// Who was called, by one of the labels that say so.
    fn called(&self, label: &str, namespace: Option<&str>, name: &str) -> Option<ComponentId> {
        match label {
            "dst_k8s_job" => self.of_kind("job_name", Wanted::Job, namespace, name),
            "dst_replicaset" => self.of_kind("replicaset", Wanted::Workload, namespace, name),
            pod if DESTINATION_PODS.contains(&pod) => self.look(Wanted::Pod, namespace, name),
            _ => self.look(Wanted::Workload, namespace, name),
        }
    }

    /// Namespace and name of who was called: `cart.shop.svc.cluster.local`, `cart.shop`, `cart`, `shop/cart-0`. Other hosts are outside.
    fn in_cluster<'h>(&self, host: &'h str) -> (Option<&'h str>, &'h str) {
        if let Some((namespace, name)) = host.split_once('/')
            && self.namespaces.contains(namespace)
        {
            return (Some(namespace), name);
        }
        let parts: Vec<&str> = host.split('.').collect();
        match parts.as_slice() {
            // Where no namespace is known, any may be one.
            [name, namespace] if self.namespaces.is_empty() || self.namespaces.contains(*namespace) => (Some(*namespace), *name),
            [name, namespace, "svc", ..] => (Some(*namespace), *name),
            _ => (None, host),
        }
    }

    fn subject(&self, parts: &Parts<'_>) -> Placement {
        if let Some((namespace, name)) = parts.controlled() {
            let found = self.look(Wanted::Workload, Some(namespace), name);
            let missing = || Placement::nowhere(self.missing("name", Some(namespace), name));
            return found.map_or_else(missing, |found| Placement::labelled(found, "name"));
        }
        let Some(said) = &parts.said else { return self.messenger_itself(parts) };
        match parts.messenger {
            Some(Messenger::Machine) => self.of_machine(parts, said),
            Some(Messenger::Probe) => self.of_probe(parts, said),
            Some(Messenger::Kubelet) => self.of_kubelet(parts, said),
            Some(Messenger::Exporter) => self.of_exporter(parts, said),
            Some(Messenger::StateMetrics) => self.of_state_metrics(parts, said),
            Some(Messenger::Relay) | None => self.of_application(parts, said),
        }
    }

    /// An exporter of machines speaks of the one that it runs on.
    fn of_machine(&self, parts: &Parts<'_>, said: &Labels<'_>) -> Placement {
        let named = ["node", "host"].into_iter().find_map(|label| Some(Placement::labelled(self.machine_alike(said.get(label)?)?, label)));
        let target = &parts.target;
        let scraped = || Some(Placement::labelled(self.machine_alike(target.get("instance")?)?, "instance"));
        let under = || {
            let pod = target.get("pod").or_else(|| parts.all.get("pod"))?;
            let machine = self.machine_under(self.look(Wanted::Pod, self.scope(&parts.all), pod)?)?;
            Some(Placement::found(machine, PlacedBy::Under(pod.to_owned())))
        };
        // A machine that the estate knows only as what runs on it.
        let address = || {
            let instance = target.get("instance")?;
            let found = self.endpoint(instance, None, None).filter(|id| !self.fits(*id, Wanted::Pod))?;
            Some(Placement::labelled(found, "instance"))
        };
        let found = named.or_else(scraped).or_else(under).or_else(address).or_else(|| self.object(said));
        // The service of the exporter is not the machine; one that somebody put there is better than nothing.
        let is_exporters = target.get("service").is_some_and(|service| called_as(service).is_some());
        found.unwrap_or_else(|| match target.get("instance").filter(|_| is_exporters) {
            Some(instance) => Placement::nowhere(self.missing("instance", None, host(instance))),
            None => self.messenger_itself(parts),
        })
    }

    /// A prober speaks of its target.
    fn of_probe(&self, parts: &Parts<'_>, said: &Labels<'_>) -> Placement {
        let target = said.get("target").map(|target| ("target", target));
        let instance = || parts.target.get("instance").filter(|instance| !self.is_own_address(parts, instance));
        match target.or_else(|| instance().map(|instance| ("instance", instance))) {
            Some((label, value)) => match self.endpoint(value, None, None) {
                Some(found) => Placement::labelled(found, label),
                None => Placement::nowhere(Unplaced::Unknown { label, value: value.to_owned() }),
            },
            None => self.object(said).unwrap_or_else(|| self.messenger_itself(parts)),
        }
    }

    /// An exporter speaks of the server that it asks. What runs beside that server is in the server's own pod.
    fn of_exporter(&self, parts: &Parts<'_>, said: &Labels<'_>) -> Placement {
        let other = |id: &ComponentId| !is_exporter(&self.estate.component(*id).name);
        let at = |label: &'static str, value: &str| {
            let near = || self.endpoint(value, self.scope(&parts.all), None);
            let found = self.endpoint(value, None, None).or_else(near).or_else(|| self.machine_alike(value));
            Some(Placement::labelled(found.filter(other)?, label))
        };
        // `host` may also say where the exporter runs.
        let servers = || SERVERS.iter().filter(|label| **label != "host").find_map(|label| at(label, said.get(label)?));
        let at_host = || at("host", said.get("host")?);
        let scraped = || at("instance", parts.target.get("instance").filter(|instance| !self.is_own_address(parts, instance))?);
        // Somebody may have put there whose server it is.
        let given = |label: &'static str, value: Option<&str>| {
            let found = self.look_for(Wanted::Workload, self.scope(&parts.all), value?)?;
            Some(Placement::labelled(found, label)).filter(|_| other(&found))
        };
        let by_name = || {
            let of_target = ["service", "app"].into_iter().find_map(|label| given(label, parts.target.get(label).or(said.get(label))));
            of_target.or_else(|| given("cluster", said.get("cluster")))
        };
        // It is that of who pushed to the exporter: its own is with the target.
        let pushed = || {
            let (namespace, name) = self.job(said.get("job")?);
            let found = self.look_for(Wanted::Workload, namespace.or_else(|| self.scope(said)), name).filter(other)?;
            Some(Placement::labelled(found, "exported_job"))
        };
        let subject = || servers().or_else(|| self.object(said)).or_else(at_host).or_else(pushed).or_else(scraped).or_else(by_name);
        // Whether it answers says nothing of the server; and what nobody scraped, such as its own log, is its own.
        let of_itself = match parts.query {
            Some(query) => family(query) == Some(Family::Own),
            None => !parts.target.has("instance") && !said.has_any(SERVERS),
        };
        if of_itself {
            let itself = self.messenger_itself(parts);
            return if itself.component.is_some() { itself } else { subject().unwrap_or(itself) };
        }
        subject().unwrap_or_else(|| {
            if parts.stated().is_some() {
                return Placement::nowhere(self.reason(parts));
            }
            let server = SERVERS.iter().find_map(|label| Some((*label, said.get(label)?)));
            Placement::nowhere(match server {
                Some((label, value)) => self.missing(label, None, host(value)),
                None => Unplaced::OfMessenger { messenger: Messenger::Exporter },
            })
        })
    }

    /// Whether the address is that of the messenger's own pod.
    fn is_own_address(&self, parts: &Parts<'_>, instance: &str) -> bool {
        let pod = parts.target.get("pod").and_then(|pod| self.look(Wanted::Pod, self.scope(&parts.all), pod));
        pod.is_some_and(|pod| self.at_address(host(instance), None) == Some(pod))
    }

    /// A kubelet speaks of pods and volumes, else of its machine.
    fn of_kubelet(&self, parts: &Parts<'_>, said: &Labels<'_>) -> Placement {
        if let Some(found) = self.object(said).or_else(|| self.node(parts, said)).or_else(|| self.container(said)) {
            return found;
        }
        if parts.stated().is_some() {
            return Placement::nowhere(self.reason(parts));
        }
        // Without a cluster, somebody may have put there which service a container is for.
        let service = || {
            let is_messenger = |service: &str| called_as(service).is_some_and(|messenger| messenger != Messenger::Exporter);
            let service = parts.target.get("service").filter(|service| !is_messenger(service))?;
            Some(Placement::labelled(self.look(Wanted::Workload, self.scope(&parts.all), service)?, "service"))
        };
        let machine = || Some(Placement::labelled(self.machine_alike(parts.target.get("instance")?)?, "instance"));
        service().or_else(machine).unwrap_or_else(|| Placement::nowhere(self.reason(parts)))
    }

    /// kube-state-metrics speaks of others, and of itself only if it names nobody else.
    fn of_state_metrics(&self, parts: &Parts<'_>, said: &Labels<'_>) -> Placement {
        if let Some(found) = self.object(said).or_else(|| self.node(parts, said)) {
            return found;
        }
        if parts.stated().is_some() || said.has_any(&["resourcequota", "node", "name"]) {
            return Placement::nowhere(self.reason(parts));
        }
        self.messenger_itself(parts)
    }

    /// An application speaks of itself, also through a relay.
    fn of_application(&self, parts: &Parts<'_>, said: &Labels<'_>) -> Placement {
        if let Some(found) = self.object(said).or_else(|| self.node(parts, said)) {
            return found;
        }
        let scope = self.scope(said);
        let is_relay = |name: &str| parts.passed_on && called_as(name) == Some(Messenger::Relay);
        let app = || {
            let app = said.get("app").filter(|app| !is_relay(app))?;
            Some(Placement::labelled(self.look(Wanted::Workload, scope, app)?, "app"))
        };
        let container = || if said.has("pod") { None } else { self.container(said) };
        if let Some(found) = container().or_else(app) {
            return found;
        }
        if parts.stated().is_some() {
            return Placement::nowhere(self.reason(parts));
        }
        let at = |label: &'static str| {
            let value = said.get(label)?;
            let found = self.machine(value).or_else(|| self.endpoint(value, scope, None))?;
            Some(Placement::labelled(found, label))
        };
        let hosts = || HOSTS.iter().find_map(|label| at(label));
        let alike = || Some(Placement::labelled(self.machine_alike(said.get("host")?)?, "host"));
        let scraped = || {
            let found = self.scraped(said)?;
            Some(if parts.passed_on { found.exported() } else { found })
        };
        hosts().or_else(alike).or_else(scraped).unwrap_or_else(|| {
            // It is about somebody who is not in the estate, and not about the relay.
            let of_relay = ["job", "service"].into_iter().any(|label| said.get(label).is_some_and(is_relay));
            if parts.passed_on && !of_relay { Placement::nowhere(self.reason(parts)) } else { self.messenger_itself(parts) }
        })
    }

    /// By the address and the job of the scrape, the least specific of all.
    fn scraped(&self, said: &Labels<'_>) -> Option<Placement> {
        let scope = self.scope(said);
        let workload = said.get("job").and_then(|job| {
            let (namespace, name) = self.job(job);
            // The namespace of the scrape is not that of a control plane.
            let scope = scope.filter(|_| job.rsplit('/').next() == Some(name));
            Some((self.look(Wanted::Workload, namespace.or(scope), name)?, name))
        });
        let instance = || {
            let instance = said.get("instance").filter(|_| !is_aggregated(said))?;
            let found = self.endpoint(instance, scope, workload.map(|(_, name)| name))?;
            let found = match workload {
                Some((id, name)) if found != id => self.part_at(found, name)?,
                Some(_) | None => found,
            };
            Some(Placement::labelled(found, "instance"))
        };
        instance().or_else(|| Some(Placement::labelled(workload?.0, "job")))
    }

    /// Namespace and name of what a scrape job scrapes: `shop/pay`, `apiserver`. A namespace that the estate does not have is a word of
    /// the developers.
    fn job<'j>(&self, job: &'j str) -> (Option<&'j str>, &'j str) {
        let (namespace, name) = job.rsplit_once('/').map_or((None, job), |(namespace, name)| (Some(namespace), name));
        let known = namespace.filter(|namespace| self.namespaces.contains(*namespace));
        (known, CONTROL_PLANE.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, program)| *program))
    }

    /// The object of a cluster that the labels name: pod, its owner, any other object, the service.
    fn object(&self, said: &Labels<'_>) -> Option<Placement> {
        let scope = self.scope(said);
        let pod = said.get("pod");
        let by_pod = || Some(Placement::labelled(self.look(Wanted::Pod, scope, pod?)?, "pod"));
        let by_owner = || Some(Placement::found(self.owner(scope, pod?)?, PlacedBy::Owner(pod?.to_owned())));
        // An Ingress is often called like another workload than the one that it leads to.
        let objects = |last: bool| {
            OBJECTS.iter().filter(|(label, _)| (*label == "ingress") == last).find_map(|(label, wanted)| {
                let found = self.of_kind(label, *wanted, scope, said.get(label)?)?;
                Some(Placement::labelled(found, label))
            })
        };
        let control_plane = || if pod.is_some() { None } else { self.control_plane(said) };
        let service = || {
            let name = said.get("service")?;
            let found = self.look(Wanted::Workload, scope, name).or_else(|| self.cluster_name(name))?;
            Some(Placement::labelled(found, "service"))
        };
        let by_object = by_pod().or_else(|| self.stated_owner(said)).or_else(by_owner).or_else(|| objects(false));
        by_object.or_else(control_plane).or_else(service).or_else(|| objects(true))
    }

    /// The owner that kube-state-metrics names. That of a static pod is its machine, which the signal is not about.
    fn stated_owner(&self, said: &Labels<'_>) -> Option<Placement> {
        let scope = self.scope(said);
        OWNERS.iter().find_map(|(kind, label)| {
            let name = said.get(label)?;
            let found = match said.get(kind)? {
                "Node" => None,
                "Job" | "CronJob" => self.of_kind("job_name", Wanted::Job, scope, name),
                "ReplicaSet" => self.of_kind("replicaset", Wanted::Workload, scope, name),
                _ => self.look(Wanted::Workload, scope, name),
            };
            Some(Placement::labelled(found?, label))
        })
    }

    fn of_kind(&self, label: &str, wanted: Wanted, scope: Option<&str>, name: &str) -> Option<ComponentId> {
        // A volume is in no namespace; what claims it is.
        let scope = if label == "persistentvolume" { None } else { scope };
        let found = self.carrying(label, scope, name).or_else(|| self.look(wanted, scope, name));
        found.or_else(|| match label {
            "job_name" => self.look(Wanted::Job, scope, scheduled(name)?),
            "replicaset" => self.look(Wanted::Workload, scope, replica_set_owner(name)?),
            _ => None,
        })
    }

    /// What a job of the control plane scrapes: the one instance, else the whole.
    fn control_plane(&self, said: &Labels<'_>) -> Option<Placement> {
        let job = said.get("job")?;
        let name = job.rsplit('/').next().unwrap_or(job);
        let program = CONTROL_PLANE.iter().find(|(alias, _)| *alias == name).map(|(_, program)| *program)?;
        let instance = said.get("instance").and_then(|instance| {
            let found = self.part_at(self.at_address(host(instance), Some(program))?, program)?;
            Some(Placement::labelled(found, "instance"))
        });
        instance.or_else(|| Some(Placement::labelled(self.control_plane_whole(program)?, "job")))
    }

    /// A program of the control plane. Where a provider runs the API server, the cluster shows no more of it than its Service.
    fn control_plane_whole(&self, program: &str) -> Option<ComponentId> {
        let service = || self.look(Wanted::Any, Some("default"), "kubernetes").filter(|_| program == API_SERVER);
        self.look(Wanted::Workload, None, program).or_else(service)
    }

    /// The machine that `node` names, if no object does.
    fn node(&self, parts: &Parts<'_>, said: &Labels<'_>) -> Option<Placement> {
        if parts.stated().is_some() {
            return None;
        }
        let name = said.get("node")?;
        let address = || self.at_address(host(name), None).map(|id| self.machine_under(id).unwrap_or(id));
        let exact = self.machine(name).or_else(|| self.look(Wanted::Machine, None, name)).or_else(address);
        let found = exact.or_else(|| self.machine_alike(name))?;
        Some(Placement::labelled(found, "node"))
    }

    /// A container that is a component of its own, which those of a pod are not.
    fn container(&self, said: &Labels<'_>) -> Option<Placement> {
        Some(Placement::labelled(self.look(Wanted::Container, self.scope(said), said.get("container")?)?, "container"))
    }

    /// The messenger, as the labels say nothing about anybody else.
    fn messenger_itself(&self, parts: &Parts<'_>) -> Placement {
        let scope = self.scope(&parts.all);
        let at =
            |label: &'static str, wanted: Wanted| Some(Placement::labelled(self.look(wanted, scope, parts.target.get(label)?)?, label));
        let owner = || {
            let pod = parts.target.get("pod")?;
            Some(Placement::found(self.owner(scope, pod)?, PlacedBy::Owner(pod.to_owned())))
        };
        let target = at("pod", Wanted::Pod).or_else(|| at("service", Wanted::Workload)).or_else(owner);
        let found = target.or_else(|| self.scrape_job(parts)).or_else(|| self.program(parts));
        found.unwrap_or_else(|| Placement::nowhere(self.reason(parts)))
    }

    /// The messenger by its job, if the query asks for what it says of itself: `up{job="kube-state-metrics"}`.
    fn scrape_job(&self, parts: &Parts<'_>) -> Option<Placement> {
        let job = parts.target.get("job").filter(|_| parts.query.and_then(family) == Some(Family::Own))?;
        let (namespace, name) = self.job(job);
        let found = self.look_for(Wanted::Workload, namespace.or_else(|| self.scope(&parts.all)), name)?;
        Some(Placement::labelled(found, "job"))
    }

    /// The program that has the metrics of the query, if no label names anything.
    fn program(&self, parts: &Parts<'_>) -> Option<Placement> {
        if names_something(&parts.all) || parts.all.has("instance") {
            return None;
        }
        let metrics = metrics(parts.query?);
        let (metric, (_, program)) =
            metrics.iter().find_map(|metric| Some((metric, PROGRAMS.iter().find(|(prefix, _)| metric.starts_with(*prefix))?)))?;
        let found = self.control_plane_whole(program).or_else(|| self.only_called(program))?;
        Some(Placement::found(found, PlacedBy::Query((*metric).to_owned())))
    }

    /// The only workload with these words in its name: charts put the name of the release before.
    fn only_called(&self, words: &str) -> Option<ComponentId> {
        let mut called = self.estate.ids().filter(|id| self.estate.component(*id).id.contains(words) && self.fits(*id, Wanted::Workload));
        let found = called.next()?;
        if called.next().is_some() { None } else { Some(found) }
    }

    /// Why nothing was found.
    fn reason(&self, parts: &Parts<'_>) -> Unplaced {
        let Some(said) = &parts.said else {
            return parts.messenger.map_or(Unplaced::Unnamed, |messenger| Unplaced::OfMessenger { messenger });
        };
        if let Some((label, value)) = parts.stated() {
            let scope = if label == "persistentvolume" { None } else { self.scope(said) };
            return self.missing(label, scope, value);
        }
        for label in ["service", "node", "app", "host", "server", "target", "address", "ip", "domain", "instance", "job"] {
            if let Some(value) = said.get(label) {
                let scope = if label == "node" { None } else { self.scope(said) };
                return self.missing(label, scope, host(value));
            }
        }
        match parts.messenger {
            Some(messenger) if names_something(&parts.target) => Unplaced::OfMessenger { messenger },
            Some(_) | None => Unplaced::Unnamed,
        }
    }
}

/// Whether the signal is about an API that the API server at this address forwards to others.
fn is_aggregated(said: &Labels<'_>) -> bool {
    let is_version =
        |name: &str| name.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) && name.contains('.');
    said.get("name").is_some_and(is_version)
}
