//! Placement in clusters: what live clusters send, and the component that it is about.

use std::collections::BTreeMap;

use diag::{Diagnostic, Sources};
use estate::Snapshot;

use crate::{MappingRules, PlacedBy, Placement, Resolver, Unplaced};

const CLUSTER: &str = include_str!("placing/cluster.yaml");
const SIGNALS: &str = include_str!("placing/signals.txt");

type Labels = BTreeMap<String, String>;

fn labels(text: &str) -> Labels {
    text.split_whitespace().filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

pub(super) fn estate(topology: &str) -> Snapshot {
    let mut sources = Sources::default();
    let topology = sources.add("topology.yaml", topology);
    let (snapshot, diagnostics) = estate::build(&sources, &[], &[topology]);
    assert!(!diagnostics.iter().any(Diagnostic::is_error), "{diagnostics:?}");
    snapshot
}

/// What Prometheus makes of the labels of a scrape target and those of a metric.
fn scraped(target: &Labels, metric: &Labels, exported: bool) -> Labels {
    let mut all = target.clone();
    for (name, value) in metric {
        let name = if exported && target.contains_key(name) { format!("exported_{name}") } else { name.clone() };
        all.insert(name, value.clone());
    }
    all
}

#[test]
fn alerts_of_a_live_cluster() {
    let (estate, rules) = (estate(CLUSTER), MappingRules::default());
    let resolver = Resolver::new(&rules, &estate);
    let mut targets: BTreeMap<&str, Labels> = BTreeMap::new();
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for line in SIGNALS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some((name, target)) = line.strip_prefix("= ").and_then(|line| line.split_once(' ')) {
            targets.insert(name, labels(target));
            continue;
        }
        let fields: Vec<&str> = line.split(" | ").collect();
        let [alert, of, metric, query, expected] = fields.as_slice() else { panic!("{line}") };
        for target in of.split(' ') {
            let known = targets.get(target.trim_end_matches('^')).cloned().unwrap_or_default();
            let all = scraped(&known, &labels(metric), target.ends_with('^'));
            let found = resolver.explain(&all, Some(*query).filter(|query| *query != "-"));
            let id = found.component.map_or("-", |component| estate.component(component).id.as_str());
            checked += 1;
            assert!(found.component.is_some() == found.by.is_some() && found.component.is_none() == found.why.is_some(), "{found:?}");
            if id != *expected {
                wrong.push(format!("{alert} {target}: {id}, not {expected}; {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {checked}:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(checked, 234);
}

/// Where labels are placed, as text: the component and what named it, or why none.
pub(super) fn explained(topology: &str, text: &str) -> String {
    let (estate, rules) = (estate(topology), MappingRules::default());
    let Placement { component, by, why } = Resolver::new(&rules, &estate).explain(&labels(text), None);
    match (component, by, why) {
        (Some(component), Some(by), None) => format!("{} {}", estate.component(component).id, by.words()),
        (None, None, Some(why)) => why.words().to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn what_would_decide() {
    for (text, expected) in [
        ("deployment=cart", Some("a label `namespace` would decide")),
        ("instance=10.0.0.9:80", Some("a label `component` with one of these ids would decide, or an entry of `placement`")),
        ("job=kube-state-metrics service=ksm", Some("labels of the object that it speaks of, such as `pod` or `node`, would place it")),
        ("namespace=shop deployment=cart", None),
        ("destination_service_name=cart reporter=source", Some("a label `destination_service_namespace` would decide")),
    ] {
        let (estate, rules) = (estate(TWO_NAMESPACES), MappingRules::default());
        let why = Resolver::new(&rules, &estate).explain(&labels(text), None).why;
        assert_eq!(why.and_then(|why| why.remedy()).map(|remedy| remedy.to_string()).as_deref(), expected, "{text}");
    }
}

#[test]
fn many_candidates_are_counted() {
    let many: Vec<String> = (1..=7).map(|n| format!("  - {{id: cart-{n}, type: service, name: cart}}\n")).collect();
    let many = many.concat();
    let topology = format!("components:\n{many}");
    assert_eq!(
        explained(&topology, "service=cart"),
        "several components fit `service` = `cart`: cart-1, cart-2, cart-3, cart-4, cart-5 and 2 more"
    );
}

const TWO_NAMESPACES: &str = r#"
components:
  - {id: shop/cart, type: service, name: cart, attributes: {namespace: shop}}
  - {id: staging/cart, type: service, name: cart, attributes: {namespace: staging}}
  - {id: mail, type: service}
  - {id: n1, type: node, attributes: {ip: "10.0.0.1"}}
  - {id: proxy-x, type: pod, attributes: {ip: "10.0.0.1", namespace: kube-system}}
  - {id: shared-a, type: service, attributes: {ip: "10.0.0.9"}}
  - {id: shared-b, type: service, attributes: {ip: "10.0.0.9"}}
relations:
  - {from: proxy-x, kind: runs_on, to: n1}
"#;

#[test]
fn reasons_in_words() {
    for (text, expected) in [
        ("namespace=shop deployment=cart", "shop/cart by label `deployment`"),
        ("namespace=staging service=cart", "staging/cart by label `service`"),
        ("k8s.namespace.name=staging k8s.deployment.name=cart", "staging/cart by label `deployment`"),
        // Two workloads claim it; what it belongs to is said by its owner, or not at all.
        ("pod=cart-7d9c4b6f8c-x2x7k", "several workloads claim the pod `cart-7d9c4b6f8c-x2x7k`: shop/cart, staging/cart"),
        ("deployment=cart", "several components fit `deployment` = `cart`: shop/cart, staging/cart"),
        ("namespace=dev service=cart", "`service` = `cart` is not in the namespace `dev`"),
        // A namespace of developers that the cluster does not have.
        ("service.namespace=webshop service.name=mail", "mail by label `service`"),
        ("service.namespace=staging service.name=cart", "staging/cart by label `service`"),
        ("job=webshop/mail instance=7f00", "mail by label `job`"),
        // Without the attribute, a component is in every namespace.
        ("namespace=dev service=mail", "mail by label `service`"),
        ("namespace=shop pod=cart-7d9c4b6f8c-x2x7k", "shop/cart by the name of pod `cart-7d9c4b6f8c-x2x7k`"),
        ("namespace=dev pod=cart-7d9c4b6f8c-x2x7k node=n1", "no component for `pod` = `cart-7d9c4b6f8c-x2x7k`"),
        ("namespace=shop statefulset=ghost instance=10.0.0.1", "no component for `statefulset` = `ghost`"),
        ("instance=10.0.0.1:9100", "n1 by label `instance`"),
        ("instance=10.0.0.9:80", "several components fit `instance` = `10.0.0.9`: shared-a, shared-b"),
        ("job=kube-state-metrics instance=10.0.0.7:8080 pod=ksm-0 node=n1", "n1 by label `node`"),
        ("job=node-exporter instance=10.0.0.1:9100 pod=ne-x2x7k service=ne namespace=mon", "n1 by label `instance`"),
        ("job=blackbox instance=https://nobody.example", "no component for `instance` = `https://nobody.example`"),
        ("job=kube-state-metrics service=ksm", "the labels name only the messenger, kube-state-metrics"),
        ("destination_workload=ghost pod=cart-0", "no component for `destination_workload` = `ghost`"),
        // Who was called, of several of one name.
        ("destination_service=cart.staging.svc.cluster.local", "staging/cart by label `destination_service`"),
        ("destination_service=cart.staging", "staging/cart by label `destination_service`"),
        (
            "destination_canonical_service=cart destination_service=cart.shop.svc.cluster.local namespace=staging",
            "shop/cart by label `destination_canonical_service`",
        ),
        ("destination_service_name=cart reporter=destination namespace=staging", "staging/cart by label `destination_service_name`"),
        (
            "destination_service_name=cart reporter=source namespace=staging",
            "several components fit `destination_service_name` = `cart`: shop/cart, staging/cart",
        ),
        ("destination_service_name=mail namespace=elsewhere", "mail by label `destination_service_name`"),
        ("destination_service=mail.example.com", "no component for `destination_service` = `mail.example.com`"),
        (
            "dst_deployment=cart dst_namespace=shop deployment=mail namespace=staging direction=outbound",
            "shop/cart by label `dst_deployment`",
        ),
        // The namespace, wherever it stands.
        ("component=cart namespace=staging", "staging/cart by label `component`"),
        ("component=shop/cart namespace=staging", "shop/cart by label `component`"),
        ("service=cart.staging.svc.cluster.local", "staging/cart by label `service`"),
        ("service=cart.dev", "no component for `service` = `cart.dev`"),
        ("kubernetes_namespace=shop kubernetes_name=cart", "shop/cart by label `service`"),
        ("kubernetes_io_hostname=n1", "n1 by label `node`"),
        ("team=a", "no label names a component"),
    ] {
        assert_eq!(explained(TWO_NAMESPACES, text), expected, "{text}");
    }
}

/// As an import makes it: pods in the network of their machine have no address of their own.
const HOST_NETWORK: &str = r#"
components:
  - {id: cp1, type: node, attributes: {ip: "10.6.0.1"}}
  - {id: w1, type: node, attributes: {ip: "10.6.0.2"}}
  - {id: kube-apiserver, type: service, attributes: {namespace: kube-system}}
  - {id: kube-apiserver-cp1, type: pod, attributes: {namespace: kube-system}}
  - {id: kube-proxy, type: service, attributes: {namespace: kube-system}}
  - {id: kube-proxy-m4m9q, type: pod, attributes: {namespace: kube-system}}
  - {id: kube-proxy-x2x7k, type: pod, attributes: {namespace: kube-system}}
  - {id: kubernetes, type: load_balancer, attributes: {namespace: default}}
  - {id: kube-state-metrics, type: service, attributes: {namespace: mon}}
  - {id: node-exporter, type: service, attributes: {namespace: mon}}
  - {id: node-exporter-x2x7k, type: pod, attributes: {namespace: mon}}
  - {id: otel-collector, type: service, attributes: {namespace: obs}}
relations:
  - {from: kube-apiserver, kind: runs_on, to: kube-apiserver-cp1}
  - {from: kube-apiserver-cp1, kind: runs_on, to: cp1}
  - {from: kube-proxy, kind: runs_on, to: [kube-proxy-m4m9q, kube-proxy-x2x7k]}
  - {from: kube-proxy-m4m9q, kind: runs_on, to: cp1}
  - {from: kube-proxy-x2x7k, kind: runs_on, to: w1}
  - {from: node-exporter, kind: runs_on, to: node-exporter-x2x7k}
  - {from: node-exporter-x2x7k, kind: runs_on, to: w1}
"#;

#[test]
fn pods_in_the_network_of_their_machine() {
    for (text, expected) in [
        ("job=kube-proxy instance=10.6.0.2:10249", "kube-proxy-x2x7k by label `instance`"),
        ("job=kube-proxy instance=10.6.0.1:10249", "kube-proxy-m4m9q by label `instance`"),
        ("job=kube-proxy instance=10.6.0.9:10249", "kube-proxy by label `job`"),
        (
            "job=apiserver instance=10.6.0.1:6443 namespace=default service=kubernetes endpoint=https",
            "kube-apiserver-cp1 by label `instance`",
        ),
        ("job=apiserver instance=10.6.0.1:6443", "kube-apiserver-cp1 by label `instance`"),
        ("job=apiserver instance=10.6.0.2:6443", "kube-apiserver by label `job`"),
        ("job=apiserver", "kube-apiserver by label `job`"),
        // About the machine, whoever is on it.
        ("job=node-exporter instance=10.6.0.2:9100", "w1 by label `instance`"),
        ("instance=10.6.0.2:10249", "w1 by label `instance`"),
    ] {
        assert_eq!(explained(HOST_NETWORK, text), expected, "{text}");
    }
}

#[test]
fn what_a_messenger_says_of_itself() {
    for (text, expected) in [
        ("__name__=up job=kube-state-metrics", "kube-state-metrics by label `job`"),
        ("__name__=up job=node-exporter", "node-exporter by label `job`"),
        ("__name__=process_open_fds job=obs/otel-collector", "otel-collector by label `job`"),
        ("__name__=up job=obs/otel-collector namespace=obs", "otel-collector by label `job`"),
        ("__name__=up job=mon/node-exporter instance=10.6.0.2:9100", "w1 by label `instance`"),
        ("__name__=kube_pod_info job=kube-state-metrics", "the labels name only the messenger, kube-state-metrics"),
        ("__name__=node_load1 job=node-exporter", "the labels name only the messenger, an exporter of machines"),
        ("__name__=orders job=obs/otel-collector", "the labels name only the messenger, a relay"),
        ("job=kube-state-metrics", "the labels name only the messenger, kube-state-metrics"),
        ("__name__=up job=kubelet", "the labels name only the messenger, a kubelet"),
        ("__name__=up job=pushgateway", "the labels name only the messenger, a relay"),
    ] {
        assert_eq!(explained(HOST_NETWORK, text), expected, "{text}");
    }
}

/// Where a provider runs the control plane, its Service is all that the cluster shows of it.
#[test]
fn the_api_server_of_a_provider() {
    let managed = "components:\n  - {id: kubernetes, type: load_balancer, attributes: {namespace: default}}\n";
    let elsewhere = "components:\n  - {id: kubernetes, type: service, attributes: {namespace: shop}}\n";
    for (topology, text, expected) in [
        (managed, "job=apiserver", "kubernetes by label `job`"),
        (managed, "job=apiserver instance=10.1.0.1:443 namespace=default", "kubernetes by label `job`"),
        (managed, "__name__=apiserver_request:burnrate1h", "kubernetes by `apiserver_request:burnrate1h` in the query"),
        (managed, "job=kube-scheduler", "no component for `job` = `kube-scheduler`"),
        (elsewhere, "job=apiserver", "no component for `job` = `apiserver`"),
    ] {
        assert_eq!(explained(topology, text), expected, "{text}");
    }
}

#[test]
fn entries_with_conditions() {
    let estate = estate(TWO_NAMESPACES);
    let text = r"
builtin: false
placement:
  - {drop: true, when: {team: [test, lab]}}
  - {label: svc, when: {env: [prod, stage]}, not: {role: [replica]}}
  - {drop: true, label: noise}
";
    let mut sources = Sources::default();
    let id = sources.add("sources.yaml", text);
    let (rules, diagnostics) = MappingRules::read(&sources, id);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let resolver = Resolver::new(&rules, &estate);
    for (text, component, why) in [
        ("team=lab service=mail env=prod svc=mail", None, Some(Unplaced::Dropped { entry: 1 })),
        ("svc=mail env=stage", Some("mail"), None),
        ("svc=mail env=stage role=replica", None, Some(Unplaced::NoEntry)),
        ("svc=mail env=test", None, Some(Unplaced::NoEntry)),
        ("noise=1 service=mail", None, Some(Unplaced::Dropped { entry: 3 })),
        ("service=mail", None, Some(Unplaced::NoEntry)),
    ] {
        let found = resolver.explain(&labels(text), None);
        assert_eq!((found.component.map(|component| estate.component(component).id.as_str()), found.why), (component, why), "{text}");
    }
    for (text, code) in [
        ("placement: [{drop: true}]", "F3019"),
        ("placement: [{drop: 3, label: a}]", "F3003"),
        ("builtin: maybe", "F3003"),
        ("placement: [{label: a, not: [b]}]", "F3003"),
    ] {
        let mut sources = Sources::default();
        let id = sources.add("sources.yaml", text);
        let (_, found) = MappingRules::read(&sources, id);
        assert_eq!(found.iter().map(|d| d.code.0).collect::<Vec<_>>(), [code], "{text}");
    }
}

#[test]
fn entries_come_first_and_see_every_spelling() {
    let mut sources = Sources::default();
    let id = sources.add("sources.yaml", "placement:\n  - {label: box}\n  - {label: pod, pattern: '^(.+)-x$'}\n");
    let (rules, diagnostics) = MappingRules::read(&sources, id);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let estate = estate(TWO_NAMESPACES);
    let resolver = Resolver::new(&rules, &estate);
    assert_eq!(resolver.explain(&labels("k8s.pod.name=mail-x"), None).by, Some(PlacedBy::Entry(2)));
    assert_eq!(resolver.explain(&labels("box=nobody"), None).why, Some(Unplaced::Unnamed));
}

#[test]
fn pods_that_nobody_imported_keep_their_names() {
    let (estate, rules) = (estate(TWO_NAMESPACES), MappingRules::default());
    let resolver = Resolver::new(&rules, &estate);
    for (text, expected) in [
        ("namespace=shop pod=cart-7d9c4b6f8c-x2x7k", Some("shop/cart cart-7d9c4b6f8c-x2x7k")),
        ("namespace=shop k8s.pod.name=cart-0", Some("shop/cart cart-0")),
        // By the label of its owner, though its name does not tell.
        ("namespace=shop pod=blue-one deployment=cart", Some("shop/cart blue-one")),
        // One that is in the estate.
        ("namespace=kube-system pod=proxy-x", None),
        // An exporter's own, whatever it is called; the server's own, where the exporter runs beside it.
        ("job=postgres-exporter namespace=mon pod=pg-5f6-abcde instance=cart.shop.svc:5432", None),
        ("job=postgres-exporter namespace=shop pod=pg-5f6-abcde service=cart", None),
        ("job=postgres-exporter namespace=shop pod=cart-0 instance=10.0.0.9:9187", Some("shop/cart cart-0")),
        ("job=postgres-exporter namespace=shop pod=blue-one deployment=cart", Some("shop/cart blue-one")),
        // A controller's own.
        ("job=argo namespace=argo pod=argo-5f6-abcde exported_namespace=shop name=cart", None),
        // Of kube-state-metrics, by rules that keep its job, or nothing of it but its pod.
        ("job=kube-state-metrics namespace=shop deployment=cart pod=kube-state-metrics-5cc4d5f6b8-lm2nk", None),
        ("job=kube-state-metrics namespace=shop horizontalpodautoscaler=cart pod=kube-state-metrics-5cc4d5f6b8-lm2nk", None),
        ("job=kube-state-metrics namespace=shop deployment=cart pod=ksm-0", None),
        ("namespace=shop deployment=cart pod=kube-state-metrics-5cc4d5f6b8-lm2nk", None),
        // It speaks of a pod.
        ("job=kube-state-metrics namespace=shop deployment=cart pod=cart-0", Some("shop/cart cart-0")),
        // Nobody's pod, and the messenger's own.
        ("namespace=shop deployment=cart", None),
        ("job=kube-state-metrics namespace=shop deployment=cart pod=ksm-0 instance=10.0.0.7:8080", None),
    ] {
        let labels = labels(text);
        let placed = resolver.place(&labels);
        let named = resolver.unlisted(placed, &labels, None);
        let found = placed.zip(named).map(|(placed, named)| format!("{} {named}", estate.component(placed).id));
        assert_eq!(found.as_deref(), expected, "{text}");
    }
}

/// What a pod measures, and pods have no metric for, is a metric of its workload.
#[test]
fn pods_tell_the_metrics_of_their_workloads() {
    let mut sources = Sources::default();
    let id = sources.add(
        "sources.yaml",
        "metrics:\n  - {series: pg_activity, metric: connections, type: database}\n  - {series: http_total, metric: qps, type: pod}\n  - {series: rpc_total, metric: qps, type: software}\n",
    );
    let (rules, diagnostics) = MappingRules::read(&sources, id);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let estate = estate(CLUSTER);
    let resolver = Resolver::new(&rules, &estate);
    for (series, on, expected) in [
        ("pg_activity", "db-0", "db connections"),
        ("pg_activity", "db", "db connections"),
        ("connections", "db-0", "db connections"),
        ("rpc_total", "agent-k8d2x", "agent qps"),
        // A pod has these itself.
        ("http_total", "agent-k8d2x", "agent-k8d2x qps"),
        ("cpu_usage", "db-0", "db-0 cpu_usage"),
        // Of a workload of another type, of no workload, and of nothing that the model knows.
        ("pg_activity", "agent-k8d2x", "agent-k8d2x -"),
        ("pg_activity", "w7", "w7 -"),
        ("pg_locks", "db-0", "db-0 -"),
    ] {
        let (component, mapped) = resolver.told(series, &Labels::new(), estate.find(on).unwrap());
        let found = format!("{} {}", estate.component(component).id, mapped.map_or("-", |mapped| mapped.metric));
        assert_eq!(found, expected, "{series} on {on}");
    }
}
