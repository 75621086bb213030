//! Placement from outside: what `place` shows, and what a cluster sends over the estate that an import makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use crate::common::{faultscope, root, shared};
use diag::{Diagnostic, Sources};
use estate::{Snapshot, base_model, build};
use import::{Kind, Source, read, topology_yaml};
use serde_json::Value;
use signal::{MappingRules, Resolver};

type Labels = BTreeMap<String, String>;

fn place(labels: &str, more: &[&str]) -> String {
    let args = [&["place", "--project", "tests/placing/shop", "--labels", labels][..], more].concat();
    let (code, out, err) = faultscope(&args);
    assert_eq!(code, 0, "{args:?}\n{out}\n{err}");
    out
}

#[test]
fn a_pod_that_nobody_imported_stands_beside_its_workload() {
    let by_name = "cart (its pod `cart-7d9c4b6f8c-x2x7k` is not in the topology) · by the name of pod `cart-7d9c4b6f8c-x2x7k`\n";
    for (labels, expected) in [
        ("namespace=shop,pod=cart-7d9c4b6f8c-x2x7k", by_name),
        ("pod=blue-one,deployment=cart", "cart (its pod `blue-one` is not in the topology) · by label `deployment`\n"),
        ("namespace=shop,pod=cart-0", "cart-0 · by label `pod`\n"),
        ("namespace=shop,deployment=cart", "cart · by label `deployment`\n"),
        // That of the messenger is nobody's.
        ("job=kube-state-metrics,pod=ksm-0,instance=10.0.0.7:80,deployment=cart", "cart · by label `deployment`\n"),
    ] {
        assert_eq!(place(labels, &["--lang", "en"]), expected, "{labels}");
    }
    let chinese = place("pod=blue-one,deployment=cart", &["--lang", "zh"]);
    assert!(chinese.contains("它的容器组 `blue-one` 不在拓扑中"), "{chinese}");
    for (labels, expected) in [("pod=blue-one,deployment=cart", Value::from("blue-one")), ("pod=cart-0", Value::Null)] {
        let json: Value = serde_json::from_str(&place(labels, &["--format", "json"])).unwrap();
        assert_eq!(json["signals"][0]["instance"], expected, "{json:#}");
    }
}

/// What a cluster says is placed as a diagnosis places it, and not by the labels of the objects.
#[test]
fn a_file_of_what_a_cluster_says() {
    let place = |file: &str| {
        let file = format!("tests/placing/shop/signals/{file}");
        let (code, out, err) = faultscope(&["place", &file, "--project", "tests/placing/shop", "--lang", "en"]);
        assert_eq!(code, 0, "{out}{err}");
        out
    };
    let unlisted = "cart (its pod `cart-7d9c4b6f8c-x2x7k` is not in the topology)";
    let ghost = "? · no component for `statefulset` = `ghost` · a component of that name, an alias, or an entry of `placement` for `statefulset` \
                 would place it";
    let expected = [
        "BackOff → cart-0 · by label `pod`".to_owned(),
        format!("Unhealthy → {unlisted} · by label `pod`"),
        // The machine that it was on, which is not that of the pod that is left.
        "Evicted → w1.example · by label `node`".to_owned(),
        "NodeNotReady → w2.example · by label `node`".to_owned(),
        "OOMKilled → cart-0 · by label `pod`".to_owned(),
        format!("ReplicasUnavailable → {ghost}"),
    ];
    assert_eq!(place("events.json").lines().collect::<Vec<_>>(), expected);
    let expected = [
        "com.example.deployed → cart · by label `subject`".to_owned(),
        format!("com.example.config.changed → {unlisted} · by the name of pod `cart-7d9c4b6f8c-x2x7k`"),
        "BackOff → cart-0 · by label `pod`".to_owned(),
    ];
    assert_eq!(place("events.ndjson").lines().collect::<Vec<_>>(), expected);
}

/// What a diagnosis would not read is said with the reason, once for each.
#[test]
fn what_is_not_read_is_listed() {
    let place = |file: &str, more: &[&str]| {
        let file = format!("tests/placing/shop/signals/{file}");
        faultscope(&[&["place", &file, "--project", "tests/placing/shop", "--lang", "en"][..], more].concat())
    };
    let (code, out, err) = place("refused.ndjson", &[]);
    assert_eq!(code, 0, "{out}{err}");
    let expected = [
        "com.example.deployed → cart · by label `subject`",
        "Slow → cart · by label `deployment`",
        "not read (line 2): unknown type `com.example.synthetic` (map it in `events` of topology/sources.yaml) ×2",
        "not read (line 4): invalid `time`, yesterday",
        "not read (line 5): a probe with an unknown result, `data.result` is `perhaps`",
        "not read (line 6): a Kubernetes event without `reason`, Pod shop/cart-0",
        "not read (line 7): no alert, series, log stream or event",
    ];
    assert_eq!(out.lines().collect::<Vec<_>>(), expected);
    let json: Value = serde_json::from_str(&place("refused.ndjson", &["--format", "json"]).1).unwrap();
    assert_eq!((json["refused"].as_array().unwrap().len(), &json["refused"][2]["line"]), (6, &Value::from(4)), "{json:#}");
    let (code, out, err) = place("error.json", &[]);
    let message = "`tests/placing/shop/signals/error.json` can be placed: an error instead of signals: bad_data: parse error\n";
    assert!(code == 2 && out.is_empty() && err.ends_with(message), "{out}{err}");
    let (code, out, err) = faultscope(&["place", "tests/placing/shop/signals", "--project", "tests/placing/shop", "--lang", "en"]);
    let help = "give a file of this folder: `tests/placing/shop/signals/events.ndjson`";
    assert!(code == 2 && out.is_empty() && err.contains(help), "{out}{err}");
}

#[test]
fn a_machine_by_its_short_name() {
    assert_eq!(place("node=w1", &["--lang", "en"]), "w1.example · by label `node`\n");
    assert_eq!(place("node=w1.example", &["--lang", "en"]), "w1.example · by label `node`\n");
}

/// A managed database, at each of its addresses.
#[test]
fn a_component_with_several_addresses() {
    for host in ["orders.abc.rds.example", "orders-ro.abc.rds.example"] {
        let placed = place(&format!("instance={host}:5432"), &["--lang", "en"]);
        assert_eq!(placed, "aws_rds_cluster.orders · by label `instance`\n", "{host}");
    }
}

fn labels(text: &str) -> Labels {
    text.split_whitespace().filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn labels_of_all_kinds() {
    let folder = root().join("tests/placing/labels");
    let mut texts = Sources::default();
    let topology = texts.add("cluster.yaml", fs::read_to_string(folder.join("cluster.yaml")).unwrap());
    let (estate, said) = build(&texts, &[], &[topology]);
    assert!(!said.iter().any(Diagnostic::is_error), "{said:?}");
    let rules = MappingRules::default();
    let resolver = Resolver::new(&rules, &estate);
    let mut wrong = Vec::new();
    for file in ["relays.txt", "spellings.txt"] {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (given, expected) = line.split_once(" | ").unwrap_or_else(|| panic!("{file}: {line}"));
            let (given, query) = given.split_once(" ? ").map_or((given, None), |(given, query)| (given, Some(query)));
            let found = resolver.explain(&labels(given), query);
            let id = found.component.map_or("-", |component| estate.component(component).id.as_str());
            if id != expected {
                wrong.push(format!("{file}: {line}: {id}; {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The estate that an import makes of these files.
fn imported(paths: &[PathBuf]) -> Snapshot {
    let sources: Vec<Source> =
        paths.iter().map(|path| Source { name: path.display().to_string(), text: fs::read_to_string(path).unwrap() }).collect();
    let imported = read(Kind::Kubernetes, &sources, &base_model()).unwrap();
    let mut texts = Sources::default();
    let topology = texts.add("imported.yaml", topology_yaml(Kind::Kubernetes, &imported.declared));
    let (estate, said) = build(&texts, &[], &[topology]);
    assert!(!said.iter().any(Diagnostic::is_error), "{said:?}");
    estate
}

/// New pods of what is not imported are placed on the Service that stands for the others.
#[test]
fn new_pods_of_operators() {
    let estate = imported(&[root().join("tests/import/kubernetes-operators/cluster.yaml")]);
    let rules = MappingRules::default();
    let resolver = Resolver::new(&rules, &estate);
    for (given, expected) in [
        ("namespace=k pod=mk-kafka-1", "mk-kafka-1"),
        ("namespace=k pod=mk-kafka-4", "mk-kafka-bootstrap"),
        ("namespace=k pod=mk-kafka-4 owner_kind=StrimziPodSet owner_name=mk-kafka", "mk-kafka-bootstrap"),
        ("namespace=shop pod=main-3", "shop/main-r"),
        ("namespace=staging pod=main-3", "staging/main-r"),
        ("pod=main-3", "-"),
        ("namespace=shop pod=front-7f8d6c5b4a-x2x7k", "front-svc"),
        ("namespace=shop workload=front", "front-svc"),
        ("namespace=shop pod=shopui-7d9c4b6f8c-x2x7k", "shopui-active"),
        ("namespace=shop pod=shopui-66c9f7bd5-x2x7k", "shopui-preview"),
        ("namespace=shop workload=shopui", "-"),
        ("namespace=shop pod=cache-1", "-"),
        ("namespace=shop pod=mail-1", "mail"),
    ] {
        let found = resolver.explain(&labels(given), None);
        let id = found.component.map_or("-", |component| estate.component(component).id.as_str());
        assert_eq!(id, expected, "{given}: {found:?}");
    }
}

/// The expressions of all alerts of kube-prometheus.
fn expressions() -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in fs::read_dir(shared("data/alert-rules/kube-prometheus")).unwrap() {
        let rules: Value = serde_saphyr::from_str(&fs::read_to_string(file.unwrap().path()).unwrap()).unwrap();
        let groups = rules["spec"]["groups"].as_array().unwrap();
        for rule in groups.iter().flat_map(|group| group["rules"].as_array().unwrap()) {
            if let Some(alert) = rule["alert"].as_str() {
                found.entry(alert.to_owned()).or_default().push(rule["expr"].as_str().unwrap().to_owned());
            }
        }
    }
    found
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn alerts_of_kube_prometheus_need_no_configuration() {
    let folder = root().join("tests/placing/kube-prometheus");
    let paths = [shared("data/manifests/otel-demo/opentelemetry-demo.kubernetes.yaml"), folder.join("cluster.yaml")];
    let estate = imported(&paths);
    let rules = MappingRules::default();
    let resolver = Resolver::new(&rules, &estate);
    let (expressions, alerts) = (expressions(), fs::read_to_string(folder.join("alerts.txt")).unwrap());
    let (mut targets, mut seen, mut wrong) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
    for line in alerts.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some((name, target)) = line.strip_prefix("= ").and_then(|line| line.split_once(' ')) {
            targets.insert(name, labels(target));
            continue;
        }
        let fields: Vec<&str> = line.split(" | ").collect();
        let [alert, of, metric, expected] = fields.as_slice() else { panic!("{line}") };
        seen.insert((*alert).to_owned());
        for (target, expression) in of.split(' ').flat_map(|target| expressions[*alert].iter().map(move |expression| (target, expression)))
        {
            let mut all = targets.get(target.trim_end_matches('^')).cloned().unwrap_or_default();
            for (name, value) in labels(metric) {
                let name = if target.ends_with('^') && all.contains_key(&name) { format!("exported_{name}") } else { name };
                all.insert(name, value);
            }
            all.extend([("alertname".to_owned(), (*alert).to_owned()), ("prometheus".to_owned(), "monitoring/k8s".to_owned())]);
            let found = resolver.explain(&all, Some(expression));
            let id = found.component.map_or("-", |component| estate.component(component).id.as_str());
            if id != *expected {
                wrong.push(format!("{alert} {target}: {id}, not {expected}; {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(seen, expressions.into_keys().collect::<BTreeSet<_>>(), "each alert has a line");
}
