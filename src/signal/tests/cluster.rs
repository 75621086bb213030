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

fn estate(topology: &str) -> Snapshot {
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
    assert_eq!(checked, 220);
}

/// Where labels are placed, as text: the component and what named it, or why none.
fn explained(topology: &str, text: &str) -> String {
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
        ("team=a", "no label names a component"),
    ] {
        assert_eq!(explained(TWO_NAMESPACES, text), expected, "{text}");
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
