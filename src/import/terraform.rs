//! A Terraform state of version 4.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::builder::Builder;
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

pub(super) fn read(builder: &mut Builder<'_>, sources: &[Source]) {
    let mut instances: Vec<Instance<'_>> = Vec::new();
    // The instances of each resource, and the resources that are no components.
    let mut addresses: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut silent: BTreeSet<String> = BTreeSet::new();
    for source in sources {
        for document in builder.documents(source) {
            if document.get("version").and_then(Value::as_u64) != Some(4) || document.get("resources").is_none() {
                builder.fail_foreign(&source.name);
                continue;
            }
            for resource in tree::list(&document, &["resources"]) {
                let word = |key: &str| tree::text(resource, &[key]).unwrap_or_default();
                let plain = format!("{}.{}", word("type"), word("name"));
                let address = tree::text(resource, &["module"]).map_or_else(|| plain.clone(), |module| format!("{module}.{plain}"));
                let kind = kind_of(&word("type")).filter(|_| word("mode") != "data");
                let Some(kind) = kind else {
                    if word("mode") != "data" {
                        builder.skip(format!("`{address}`"), format!("a `{}` cannot fail on its own", word("type")), &source.name);
                    }
                    silent.insert(address);
                    continue;
                };
                for instance in tree::list(resource, &["instances"]) {
                    let index = match instance.get("index_key") {
                        Some(Value::String(key)) => format!("[\"{key}\"]"),
                        Some(Value::Number(number)) => format!("[{number}]"),
                        _ => String::new(),
                    };
                    let own = format!("{address}{index}");
                    addresses.entry(address.clone()).or_default().push(own.clone());
                    instances.push(Instance { address: own, kind, value: instance.clone(), source: &source.name });
                }
            }
        }
    }
    for instance in &instances {
        component(builder, instance);
    }
    for instance in &instances {
        for target in tree::list(&instance.value, &["dependencies"]).iter().filter_map(tree::scalar) {
            match addresses.get(&target) {
                Some(ends) => ends.iter().for_each(|end| builder.relate(&instance.address, "depends_on", end, instance.source)),
                None if silent.contains(&target) || target.starts_with("data.") || target.contains(".data.") => {}
                None => {
                    let what = format!("`{}` depends_on `{target}`", instance.address);
                    builder.skip(what, "dangling: the target is not in the state", instance.source);
                }
            }
        }
    }
}

fn component(builder: &mut Builder<'_>, instance: &Instance<'_>) {
    let said = |path: &[&str]| tree::text(&instance.value, path);
    let first = |keys: &[&str]| keys.iter().find_map(|key| said(&["attributes", *key]));
    let found = [
        ("ip", first(&["private_ip", "private_ip_address", "access_ip_v4", "default_ip_address", "ip_address"])),
        ("engine", first(&["engine", "database_version"])),
        ("version", first(&["engine_version", "version"])),
        ("region", first(&["region", "availability_zone", "location", "zone"])),
        ("cidr", first(&["cidr_block", "ip_cidr_range", "address_prefix"])),
        ("port", first(&["port"])),
        ("description", first(&["description"])),
    ];
    let attributes = found.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Written::Text(text?)))).collect();
    let tag = |names: &[&str]| {
        ["tags", "tags_all", "labels"].into_iter().find_map(|part| names.iter().find_map(|name| said(&["attributes", part, *name])))
    };
    let name = tag(&["Name"]).or_else(|| first(&["name", "identifier", "bucket", "fqdn", "cluster_id", "function_name"]));
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
