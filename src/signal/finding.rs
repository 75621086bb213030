//! Finds the component of a name, an address or an object of a cluster, within a namespace.

use std::collections::BTreeSet;
use std::net::IpAddr;

use estate::ComponentId;

use super::placement::Unplaced;
use super::resolver::Resolver;

/// What a label speaks of. Others of the same name count only if there is none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Pod,
    Container,
    /// What pods run for.
    Workload,
    Job,
    Volume,
    Machine,
    Any,
}

/// Name at most this many workloads that claim a pod.
const MAX_CLAIMS: usize = 5;

/// Attributes that contain addresses.
pub(super) const ADDRESSES: &[&str] = &["address", "ip"];

/// Objects of a cluster that are no components of their own: an attribute of this name leads to the component that they speak of.
pub(super) const CARRIED: &[&str] = &["horizontalpodautoscaler", "poddisruptionbudget", "persistentvolume"];

impl Resolver<'_> {
    /// The component of that name, as far as the namespace allows: without one, only the only one counts.
    pub(super) fn look(&self, wanted: Wanted, namespace: Option<&str>, name: &str) -> Option<ComponentId> {
        // An id or an alias that says the namespace itself.
        let full = namespace.map(|namespace| format!("{namespace}/{name}"));
        if let Some(full) = full.and_then(|full| self.alike(&full).find(|id| self.in_scope(*id, namespace))) {
            return Some(full);
        }
        let mut left: Vec<ComponentId> = self.alike(name).filter(|id| self.in_scope(*id, namespace)).collect();
        prefer(&mut left, |id| namespace.is_some() && self.namespace_of(id) == namespace);
        prefer(&mut left, |id| self.fits(id, wanted));
        prefer(&mut left, |id| self.estate.component(id).id == name);
        only(&left)
    }

    /// The same, but nothing else of that name.
    pub(super) fn look_for(&self, wanted: Wanted, namespace: Option<&str>, name: &str) -> Option<ComponentId> {
        self.look(wanted, namespace, name).filter(|id| self.fits(*id, wanted))
    }

    /// Why a name was not found.
    pub(super) fn missing(&self, label: &'static str, namespace: Option<&str>, name: &str) -> Unplaced {
        let value = name.to_owned();
        let claims = if label == "pod" { self.claims(namespace, name) } else { Vec::new() };
        if claims.len() > 1 {
            let by = claims.into_iter().take(MAX_CLAIMS).map(|id| self.estate.component(id).id.clone()).collect();
            return Unplaced::Claimed { pod: value, by };
        }
        let alike: Vec<ComponentId> = self.alike(name).collect();
        let here: Vec<ComponentId> = alike.iter().copied().filter(|id| self.in_scope(*id, namespace)).collect();
        match (namespace, alike.is_empty(), here.is_empty()) {
            (_, true, _) => {
                let mut at = self.all_at(name);
                if matches!(label, "node" | "host" | "instance") {
                    at.extend(self.machines_spelled(name).iter().chain(self.machines_called(name)));
                }
                if at.len() > 1 { self.ambiguous(label, value, &at) } else { Unplaced::Unknown { label, value } }
            }
            (Some(namespace), false, true) => Unplaced::Elsewhere { label, value, namespace: namespace.to_owned() },
            (_, false, _) => self.ambiguous(label, value, &here),
        }
    }

    fn ambiguous(&self, label: &'static str, value: String, fitting: &[ComponentId]) -> Unplaced {
        let mut candidates: Vec<String> = fitting.iter().map(|id| self.estate.component(*id).id.clone()).collect();
        candidates.sort_unstable();
        candidates.dedup();
        // The only one of that name, which is of a kind that the label does not speak of.
        if candidates.len() < 2 {
            return Unplaced::Unknown { label, value };
        }
        let namespaces: BTreeSet<&str> = fitting.iter().filter_map(|id| self.namespace_of(*id)).collect();
        Unplaced::Ambiguous { label, value, by_namespace: namespaces.len() == candidates.len(), candidates }
    }

    /// The component that carries the object in an attribute of its kind.
    pub(super) fn carrying(&self, kind: &str, namespace: Option<&str>, name: &str) -> Option<ComponentId> {
        let all = self.attributes.get(kind)?.get(name)?;
        let mut left: Vec<ComponentId> = all.iter().copied().filter(|id| self.in_scope(*id, namespace)).collect();
        prefer(&mut left, |id| namespace.is_some() && self.namespace_of(id) == namespace);
        only(&left)
    }

    /// The workload or the job of a pod that the estate does not have, by the pod's name.
    pub(super) fn owner(&self, namespace: Option<&str>, pod: &str) -> Option<ComponentId> {
        let of = |name: &str| {
            let job = || self.look_for(Wanted::Job, namespace, name).or_else(|| self.look_for(Wanted::Job, namespace, scheduled(name)?));
            self.look_for(Wanted::Workload, namespace, name).or_else(job)
        };
        let mut found: Vec<ComponentId> = owners(pod).into_iter().filter_map(of).collect();
        found.dedup();
        // Two workloads that claim it: its name does not say whose it is.
        if found.iter().filter(|id| self.fits(**id, Wanted::Workload)).count() > 1 { None } else { found.first().copied() }
    }

    /// The workloads that a pod may belong to, by its name.
    fn claims(&self, namespace: Option<&str>, pod: &str) -> Vec<ComponentId> {
        let named = owners(pod).into_iter().flat_map(|name| self.alike(name).collect::<Vec<_>>());
        let mut all: Vec<ComponentId> = named.filter(|id| self.in_scope(*id, namespace) && self.fits(*id, Wanted::Workload)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Whether it is something that pods run for.
    pub(super) fn is_workload(&self, component: ComponentId) -> bool {
        self.fits(component, Wanted::Workload) || self.fits(component, Wanted::Job)
    }

    /// The component at an address. One that several share belongs to the machine under all the others, else to nobody. `of` is the name
    /// of a workload that counts more than the others.
    pub(super) fn at_address(&self, address: &str, of: Option<&str>) -> Option<ComponentId> {
        let ids = self.all_at(address);
        if let Some(name) = of {
            let theirs: Vec<ComponentId> = ids.iter().copied().filter(|id| self.is_part(*id, name)).collect();
            if let Some(one) = only(&theirs) {
                return Some(one);
            }
        }
        only(&ids).or_else(|| self.under_all(&ids))
    }

    /// In the order of their ids, each once.
    pub(super) fn all_at(&self, address: &str) -> Vec<ComponentId> {
        let lists = ADDRESSES.iter().filter_map(|attribute| self.attributes.get(*attribute)?.get(address));
        let mut all: Vec<ComponentId> = lists.flatten().copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    fn under_all(&self, ids: &[ComponentId]) -> Option<ComponentId> {
        let is_under_all = |machine: ComponentId| ids.iter().all(|id| *id == machine || self.machine_under(*id) == Some(machine));
        ids.iter().copied().find(|id| self.fits(*id, Wanted::Machine) && is_under_all(*id))
    }

    /// The machine that it runs on.
    pub(super) fn machine_under(&self, component: ComponentId) -> Option<ComponentId> {
        self.estate.holder_of_type(component, "host").first().copied()
    }

    /// Whether it is a workload of that name, or a pod of it.
    pub(super) fn is_part(&self, component: ComponentId, workload: &str) -> bool {
        let name = |id: ComponentId| self.estate.component(id).name.as_str();
        if name(component) == workload || self.estate.component(component).id == workload {
            return true;
        }
        if !self.fits(component, Wanted::Pod) {
            return false;
        }
        // The pods of a control plane have no workload; they are called after their machine.
        let is_static = || name(component).strip_prefix(workload).is_some_and(|rest| rest.starts_with('-'));
        let runs = self.estate.relations_to(component);
        let mut owners = runs.iter().filter(|relation| relation.kind == "runs_on").peekable();
        if owners.peek().is_none() { is_static() } else { owners.any(|relation| name(relation.from) == workload) }
    }

    /// The pod of a workload at an address. In the network of its machine, it has the machine's.
    pub(super) fn part_at(&self, found: ComponentId, workload: &str) -> Option<ComponentId> {
        if self.is_part(found, workload) {
            return Some(found);
        }
        if !self.fits(found, Wanted::Machine) {
            return None;
        }
        let above = self.estate.relations_to(found).into_iter().filter(|relation| relation.kind == "runs_on").map(|relation| relation.from);
        let pods: Vec<ComponentId> = above.filter(|pod| self.fits(*pod, Wanted::Pod) && self.is_part(*pod, workload)).collect();
        only(&pods)
    }

    /// A machine by its name or its address, as written in a URL or with a port.
    pub(super) fn machine(&self, written: &str) -> Option<ComponentId> {
        spellings(written).into_iter().find_map(|text| {
            let named = self.look_for(Wanted::Machine, None, text).or_else(|| only(self.machines_spelled(text)));
            named.or_else(|| self.at_address(text, None).filter(|id| self.fits(*id, Wanted::Machine)))
        })
    }

    /// The same, also by its name with another length: `w7` of the only `w7.example.com`, and the other way round.
    pub(super) fn machine_alike(&self, written: &str) -> Option<ComponentId> {
        self.machine(written).or_else(|| only(self.machines_called(host(written)))).or_else(|| {
            let name = host(written);
            let (short, _) = name.split_once('.').filter(|_| !is_address(name))?;
            self.look_for(Wanted::Machine, None, short).or_else(|| only(self.machines_spelled(short)))
        })
    }

    /// Machines of that name, in uppercase or lowercase: names of hosts are the same in both.
    fn machines_spelled(&self, name: &str) -> &[ComponentId] {
        self.hosts.get(&name.to_ascii_lowercase()).map(Vec::as_slice).unwrap_or_default()
    }

    /// Machines with a name of which this is the part before the first dot.
    fn machines_called(&self, short: &str) -> &[ComponentId] {
        self.machines.get(&short.to_ascii_lowercase()).map(Vec::as_slice).unwrap_or_default()
    }

    /// What answers at an endpoint: `https://shop:443/cart`, `10.0.0.1:9104`, `cart.shop.svc.cluster.local`.
    pub(super) fn endpoint(&self, written: &str, namespace: Option<&str>, of: Option<&str>) -> Option<ComponentId> {
        spellings(written).into_iter().find_map(|text| {
            let named = self.look(Wanted::Any, namespace, text);
            let machine = || only(self.machines_spelled(text));
            named.or_else(|| self.cluster_name(text)).or_else(|| self.at_address(text, of)).or_else(machine)
        })
    }

    /// A name in the DNS of a cluster: `SERVICE.NAMESPACE`, `SERVICE.NAMESPACE.svc…`, `POD.SERVICE.NAMESPACE.svc…`.
    pub(super) fn cluster_name(&self, host: &str) -> Option<ComponentId> {
        let parts: Vec<&str> = host.split('.').collect();
        match parts.as_slice() {
            // Without `svc`, it may be the name of any host.
            [service, namespace] => {
                let found = self.look(Wanted::Workload, Some(*namespace), service)?;
                (self.namespace_of(found) == Some(*namespace)).then_some(found)
            }
            [service, namespace, "svc", ..] => self.look(Wanted::Workload, Some(*namespace), service),
            [pod, service, namespace, "svc", ..] => {
                let namespace = Some(*namespace);
                self.look(Wanted::Pod, namespace, pod).or_else(|| self.look(Wanted::Workload, namespace, service))
            }
            _ => None,
        }
    }

    /// Components with this id or name.
    fn alike(&self, name: &str) -> impl Iterator<Item = ComponentId> {
        let first = self.names.partition_point(|(known, _)| *known < name);
        let named = self.names.get(first..).unwrap_or_default().iter().take_while(move |(known, _)| *known == name);
        self.estate.find(name).into_iter().chain(named.map(|(_, id)| *id))
    }

    pub(super) fn namespace_of(&self, component: ComponentId) -> Option<&str> {
        super::resolver::namespace(self.estate.component(component))
    }

    /// A component without a namespace fits every one.
    fn in_scope(&self, component: ComponentId, namespace: Option<&str>) -> bool {
        namespace.is_none() || self.namespace_of(component).is_none_or(|own| namespace == Some(own))
    }

    pub(super) fn fits(&self, component: ComponentId, wanted: Wanted) -> bool {
        let is = |kind: &str| self.estate.is_a(component, kind);
        match wanted {
            Wanted::Pod => is("pod"),
            Wanted::Container => is("container"),
            Wanted::Workload => is("software") && !is("load_balancer") && !is("job"),
            Wanted::Job => is("job"),
            Wanted::Volume => is("storage"),
            Wanted::Machine => is("host"),
            Wanted::Any => true,
        }
    }
}

/// Keeps only those that are better, if there are any.
fn prefer(left: &mut Vec<ComponentId>, better: impl Fn(ComponentId) -> bool) {
    if left.len() > 1 && left.iter().any(|id| better(*id)) {
        left.retain(|id| better(*id));
    }
}

fn only(ids: &[ComponentId]) -> Option<ComponentId> {
    match ids {
        [one] => Some(*one),
        _ => None,
    }
}

/// The names of what may own a pod: `api` of `api-7d9c4b6f8c-x2x7k` (Deployment), `db` of `db-0` (`StatefulSet`), `agent` of `agent-k8d2x`
/// (`DaemonSet`, Job).
pub(super) fn owners(pod: &str) -> Vec<&str> {
    let Some((rest, last)) = pod.rsplit_once('-') else { return Vec::new() };
    let number = last.bytes().all(|b| b.is_ascii_digit());
    let five = last.len() == 5 && last.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let random = five && is_random(last);
    // Behind the hash of a template, any five letters are no word of a name.
    let template = replica_set_owner(rest).filter(|_| five);
    template.into_iter().chain((random || number).then_some(rest)).filter(|name| !name.is_empty()).collect()
}

/// The Deployment of a `ReplicaSet`: `api` of `api-7d9c4b6f8c`.
pub(super) fn replica_set_owner(name: &str) -> Option<&str> {
    let (rest, hash) = name.rsplit_once('-')?;
    ((5..=10).contains(&hash.len()) && is_random(hash)).then_some(rest)
}

/// The `CronJob` of a Job: `nightly` of `nightly-29384400`.
pub(super) fn scheduled(name: &str) -> Option<&str> {
    let (rest, minute) = name.rsplit_once('-')?;
    (minute.len() >= 8 && minute.bytes().all(|b| b.is_ascii_digit())).then_some(rest)
}

/// Kubernetes makes random names without vowels, so that no word comes of them.
fn is_random(text: &str) -> bool {
    let is_known = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    is_known && (text.bytes().any(|b| b.is_ascii_digit()) || !text.contains(['a', 'e', 'i', 'o', 'u', 'y']))
}

/// An endpoint as written, without scheme and path, without port: `https://shop:443/cart`, `shop:443`, `shop`.
pub(super) fn spellings(endpoint: &str) -> Vec<&str> {
    let mut all = vec![endpoint];
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    all.push(authority);
    if let Some((host, port)) = authority.rsplit_once(':')
        && !port.is_empty()
        && port.bytes().all(|b| b.is_ascii_digit())
    {
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        // A bare IPv6 address contains colons: what follows the last one is not a port.
        if bare.is_some() || !host.contains(':') {
            all.push(bare.unwrap_or(host));
        }
    }
    all.dedup();
    all
}

/// Whether it is no name.
pub(super) fn is_address(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}

/// The host of an endpoint.
pub(super) fn host(endpoint: &str) -> &str {
    spellings(endpoint).last().copied().unwrap_or(endpoint)
}

#[cfg(test)]
mod tests {
    use super::{host, owners, replica_set_owner, scheduled};

    #[test]
    fn names_of_owners() {
        for (pod, expected) in [
            ("api-7d9c4b6f8c-x2x7k", vec!["api", "api-7d9c4b6f8c"]),
            ("db-0", vec!["db"]),
            ("agent-k8d2x", vec!["agent"]),
            ("nightly-29384400-x2x7k", vec!["nightly", "nightly-29384400"]),
            ("api-7d9c4b6f8c-abcde", vec!["api"]),
            ("api-7d9c4b6f8c-Abcde", vec![]),
            ("api-7d9c4b6f8c-canary", vec![]),
            // Words are not random.
            ("order-cache", vec![]),
            ("shop-order-cache", vec![]),
            ("alone", vec![]),
        ] {
            assert_eq!(owners(pod), expected, "{pod}");
        }
        assert_eq!(replica_set_owner("api-7d9c4b6f8c"), Some("api"));
        assert_eq!(scheduled("nightly-29384400"), Some("nightly"));
        assert_eq!(scheduled("nightly-7"), None);
    }

    #[test]
    fn hosts_of_endpoints() {
        for (endpoint, expected) in [
            ("https://shop:443/cart?a=b", "shop"),
            ("10.0.0.1:9104", "10.0.0.1"),
            ("[fe80::1]:80", "fe80::1"),
            ("fe80::1", "fe80::1"),
            ("shop", "shop"),
        ] {
            assert_eq!(host(endpoint), expected, "{endpoint}");
        }
    }
}
