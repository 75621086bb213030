//! A Terraform state of version 4.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::builder::Builder;
use super::hosts::hosts;
use super::{DeclaredComponent, Source, Written, tree};

/// Resource types by what their names contain; the first that fits counts. An empty type: nothing that can break by itself.
const TYPES: [(&str, &str); 62] = [
    ("_attachment", ""),
    ("_association", ""),
    ("_policy", ""),
    ("_iam_", ""),
    ("_rule", ""),
    ("_permission", ""),
    ("random_", ""),
    ("null_", ""),
    ("local_", ""),
    ("tls_", ""),
    ("time_", ""),
    ("_key_pair", ""),
    ("_secret", ""),
    ("_subnet_group", ""),
    ("_parameter_group", ""),
    ("_option_group", ""),
    ("_listener", ""),
    ("_launch_", ""),
    ("_log_group", ""),
    ("_password", ""),
    ("_alarm", ""),
    ("_user", ""),
    ("_role", ""),
    ("_task_definition", ""),
    ("_acl", ""),
    ("elasticache_", "redis"),
    ("_redis", "redis"),
    ("memorystore", "redis"),
    ("memcache", "cache"),
    ("_db_", "database"),
    ("_rds_", "database"),
    ("_sql", "database"),
    ("_mysql", "database"),
    ("_postgresql", "database"),
    ("_mongo", "database"),
    ("dynamodb_", "database"),
    ("cosmosdb_", "database"),
    ("_docdb_", "database"),
    ("_msk_", "queue"),
    ("_kafka", "queue"),
    ("_mq_", "queue"),
    ("_sqs_", "queue"),
    ("_pubsub_topic", "queue"),
    ("servicebus_", "queue"),
    ("rabbitmq", "queue"),
    ("eks_cluster", "cluster"),
    ("container_cluster", "cluster"),
    ("kubernetes_cluster", "cluster"),
    ("ecs_cluster", "cluster"),
    ("node_group", "cluster"),
    ("ecs_service", "service"),
    ("lambda_function", "service"),
    ("cloud_run", "service"),
    ("app_service", "service"),
    ("api_gateway", "gateway"),
    ("_slb", "load_balancer"),
    ("_bucket", "storage"),
    ("ebs_volume", "storage"),
    ("_disk", "storage"),
    ("_file_system", "storage"),
    ("virtual_machine", "virtual_machine"),
    ("compute_instance", "virtual_machine"),
];

/// Resource types that are known by their whole name.
const EXACT: [(&str, &str); 20] = [
    ("aws_instance", "virtual_machine"),
    ("alicloud_instance", "virtual_machine"),
    ("aws_lb", "load_balancer"),
    ("aws_alb", "load_balancer"),
    ("aws_elb", "load_balancer"),
    ("azurerm_lb", "load_balancer"),
    ("google_compute_forwarding_rule", "load_balancer"),
    ("aws_subnet", "subnet"),
    ("azurerm_subnet", "subnet"),
    ("google_compute_subnetwork", "subnet"),
    ("alicloud_vswitch", "subnet"),
    ("aws_vpc", "network"),
    ("alicloud_vpc", "network"),
    ("google_compute_network", "network"),
    ("azurerm_virtual_network", "network"),
    ("aws_nat_gateway", "router"),
    ("aws_internet_gateway", "router"),
    ("google_compute_router", "router"),
    ("aws_route53_record", "domain_name"),
    ("aws_cloudfront_distribution", "cdn_node"),
];

/// Attributes that say where a managed service answers: a host, a URL, a list of either, or items with such attributes.
const ENDPOINTS: [&str; 27] = [
    "address",
    "bootstrap_brokers",
    "bootstrap_brokers_sasl_iam",
    "bootstrap_brokers_sasl_scram",
    "bootstrap_brokers_tls",
    "cache_nodes",
    "cluster_address",
    "cluster_endpoint",
    "configuration_endpoint",
    "configuration_endpoint_address",
    "connection_domain",
    "connection_string",
    "discovery_endpoint",
    "dns_name",
    "domain_name",
    "endpoint",
    "endpoints",
    "fqdn",
    "fully_qualified_domain_name",
    "host",
    "hostname",
    "instances",
    "primary_endpoint",
    "primary_endpoint_address",
    "private_dns_name",
    "reader_endpoint",
    "reader_endpoint_address",
];

/// The hosts at which a resource answers. A text may hold more than that, even secrets: nothing else of it is taken.
fn endpoints(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            found.extend(
                hosts("ENDPOINT", text)
                    .into_iter()
                    .map(|host| host.name.trim_end_matches('.').to_owned())
                    .filter(|name| name.contains('.')),
            );
        }
        Value::Array(items) => items.iter().for_each(|item| endpoints(item, found)),
        Value::Object(fields) => ENDPOINTS.iter().filter_map(|key| fields.get(*key)).for_each(|field| endpoints(field, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn kind_of(resource: &str) -> Option<&'static str> {
    if let Some(&(_, kind)) = EXACT.iter().find(|(name, _)| *name == resource) {
        return Some(kind);
    }
    match TYPES.iter().find(|(part, _)| resource.contains(*part)) {
        Some(&(_, "")) => None,
        Some(&(_, kind)) => Some(kind),
        None => Some("component"),
    }
}

/// One instance of a resource.
struct Instance<'s> {
    address: String,
    kind: &'static str,
    value: Value,
    source: &'s str,
}

/// What the states hold.
#[derive(Default)]
struct Found<'s> {
    instances: Vec<Instance<'s>>,
    /// The addresses of the instances of each resource, by its bare address.
    ends: BTreeMap<String, Vec<String>>,
    /// Bare addresses of resources that are no components.
    silent: BTreeSet<String>,
}

pub(super) fn read(builder: &mut Builder<'_>, sources: &[Source]) {
    let mut found = Found::default();
    for source in sources {
        for document in builder.documents(source) {
            if document.get("version").and_then(Value::as_u64) != Some(4) || document.get("resources").is_none() {
                builder.fail_foreign(&source.name);
                continue;
            }
            for one in tree::list(&document, &["resources"]) {
                resource(builder, &mut found, one, &source.name);
            }
        }
    }
    for instance in &found.instances {
        component(builder, instance);
    }
    for instance in &found.instances {
        for target in tree::list(&instance.value, &["dependencies"]).iter().filter_map(tree::scalar) {
            depend(builder, &found, instance, &target);
        }
    }
}

/// Its instances, or the resource itself among those that are no components.
fn resource<'s>(builder: &mut Builder<'_>, found: &mut Found<'s>, resource: &Value, source: &'s str) {
    let word = |key: &str| tree::text(resource, &[key]).unwrap_or_default();
    let plain = format!("{}.{}", word("type"), word("name"));
    let address = tree::text(resource, &["module"]).map_or_else(|| plain.clone(), |module| format!("{module}.{plain}"));
    let data = word("mode") == "data";
    let Some(kind) = kind_of(&word("type")).filter(|_| !data) else {
        if !data {
            builder.skip(format!("`{address}`"), format!("a `{}` cannot fail on its own", word("type")), source);
        }
        found.silent.insert(bare(&address));
        return;
    };
    let ends = found.ends.entry(bare(&address)).or_default();
    for instance in tree::list(resource, &["instances"]) {
        let index = match instance.get("index_key") {
            Some(Value::String(key)) => format!("[\"{key}\"]"),
            Some(Value::Number(number)) => format!("[{number}]"),
            _ => String::new(),
        };
        let own = format!("{address}{index}");
        if let Some(why) = gone(instance) {
            builder.skip(format!("`{own}`"), why, source);
            continue;
        }
        ends.push(own.clone());
        found.instances.push(Instance { address: own, kind, value: instance.clone(), source });
    }
}

/// Why an instance does not live: a deposed one is what its successor of the same address has replaced.
fn gone(instance: &Value) -> Option<&'static str> {
    if tree::text(instance, &["deposed"]).is_some() {
        return Some("deposed: it was replaced and is about to be destroyed");
    }
    let said = |key: &str| tree::text(instance, &["attributes", key]).map(|state| state.to_lowercase());
    let is = |key: &str, states: &[&str]| said(key).is_some_and(|state| states.contains(&state.as_str()));
    if is("instance_state", &["terminated", "shutting-down"]) {
        return Some("the machine was terminated");
    }
    // Each provider has its own word for the key.
    let ended = ["deleting", "deleted", "terminating", "destroying"];
    if ["status", "state", "instance_state", "lifecycle_state", "provisioning_state"].into_iter().any(|key| is(key, &ended)) {
        return Some("it is being deleted");
    }
    // AWS; Google, which calls a stopped machine terminated; OpenStack; databases and Alibaba Cloud.
    let stopped = is("instance_state", &["stopped", "stopping"])
        || is("current_status", &["terminated", "stopped", "stopping", "suspended", "suspending"])
        || is("power_state", &["shutoff", "shutdown", "suspended"])
        || is("status", &["stopped", "stopping"]);
    stopped.then_some("the machine is stopped")
}

fn depend(builder: &mut Builder<'_>, found: &Found<'_>, instance: &Instance<'_>, target: &str) {
    let bare = bare(target);
    let Some(ends) = found.ends.get(&bare) else {
        if !found.silent.contains(&bare) && !bare.starts_with("data.") && !bare.contains(".data.") {
            builder.skip_need(&instance.address, target, "", "dangling: the target is not in the state", instance.source);
        }
        return;
    };
    let near = nearest(&instance.address, target, ends);
    if near.is_empty() {
        builder.skip_need(&instance.address, target, "", "dangling: the target has no such instance in the state", instance.source);
    }
    near.into_iter().for_each(|end| builder.relate(&instance.address, "depends_on", end, instance.source));
}

/// The ends that a dependency means. It carries no keys: within `module.shop["eu"]`, `module.shop` is that instance of the module;
/// from outside, it is all of them.
fn nearest<'e>(from: &str, target: &str, ends: &'e [String]) -> Vec<&'e str> {
    let fitting: Vec<&str> = ends.iter().map(String::as_str).filter(|end| fits(end, target)).collect();
    let most = fitting.iter().map(|end| shared(from, end)).max().unwrap_or(0);
    fitting.into_iter().filter(|end| shared(from, end) == most).collect()
}

/// Whether an address is one of those that a target names: the target may leave out keys.
fn fits(address: &str, target: &str) -> bool {
    steps(target).into_iter().zip(steps(address)).all(|(target, step)| target == step || target == name(step))
}

/// How many steps two addresses have in common, from the root.
fn shared(one: &str, other: &str) -> usize {
    steps(one).into_iter().zip(steps(other)).take_while(|(one, other)| one == other).count()
}

/// An address without the keys of `for_each` and the numbers of `count`.
fn bare(address: &str) -> String {
    let names: Vec<&str> = steps(address).into_iter().map(name).collect();
    names.join(".")
}

/// A step of an address without its key.
fn name(step: &str) -> &str {
    step.split('[').next().unwrap_or(step)
}

/// The steps of an address: what is between its dots, but not those inside of a key, `module.shop["eu.west"]`.
fn steps(address: &str) -> Vec<&str> {
    let (mut keyed, mut quoted, mut escaped) = (false, false, false);
    let is_end = |c: char| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if keyed => quoted = !quoted,
            '[' => keyed = true,
            ']' if !quoted => keyed = false,
            _ => {}
        }
        c == '.' && !keyed
    };
    address.split(is_end).collect()
}

fn component(builder: &mut Builder<'_>, instance: &Instance<'_>) {
    let said = |path: &[&str]| tree::text(&instance.value, path);
    let first = |keys: &[&str]| keys.iter().find_map(|key| said(&["attributes", *key]));
    let ip = first(&["private_ip", "private_ip_address", "access_ip_v4", "default_ip_address", "ip_address", "first_ip_address"]);
    let numbers = |text: &String| text.chars().all(|c| c.is_ascii_digit() || c == '.');
    let tag = |names: &[&str]| {
        ["tags", "tags_all", "labels"].into_iter().find_map(|part| names.iter().find_map(|name| said(&["attributes", part, *name])))
    };
    let name = tag(&["Name"]).or_else(|| first(&["name", "identifier", "bucket", "fqdn", "cluster_id", "function_name"]));
    let mut hosts = BTreeSet::new();
    if let Some(attributes) = instance.value.get("attributes") {
        endpoints(attributes, &mut hosts);
    }
    hosts.retain(|host| name.as_ref() != Some(host));
    let hosts: Vec<String> = hosts.into_iter().collect();
    let found = [
        ("ip", ip.or_else(|| first(&["host"]).filter(numbers))),
        ("address", Some(hosts.join(", ")).filter(|hosts| !hosts.is_empty())),
        ("engine", first(&["engine", "database_version"])),
        ("version", first(&["engine_version", "version"])),
        ("region", first(&["region", "availability_zone", "location", "zone"])),
        ("cidr", first(&["cidr_block", "ip_cidr_range", "address_prefix"])),
        ("port", first(&["port"])),
        ("description", first(&["description"])),
    ];
    let attributes = found.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Written::Text(text?)))).collect();
    let component = DeclaredComponent {
        id: instance.address.clone(),
        kind: instance.kind.to_owned(),
        name,
        owner: tag(&["Owner", "owner", "Team", "team"]),
        environment: tag(&["Environment", "environment", "Env", "env"]),
        tier: None,
        attributes,
        ..DeclaredComponent::default()
    };
    builder.add(component, instance.source);
}
