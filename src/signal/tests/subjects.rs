//! Whom a signal is about, where another name stands on it: exporters, owners, machines by other names, pods that are gone.

use super::bundle;
use super::cluster::{estate, explained};
use crate::{MappingRules, read_facts};

const TOPOLOGY: &str = r#"
components:
  - {id: db-1, type: database, attributes: {address: "10.0.0.21"}}
  - {id: shop/orders-db, type: database, name: orders-db, attributes: {namespace: shop}}
  - {id: shop/orders-db-0, type: pod, name: orders-db-0, attributes: {namespace: shop, ip: "10.42.0.7"}}
  - {id: cache, type: redis, attributes: {namespace: shop}}
  - {id: search, type: database}
  - {id: mon/postgres-exporter, type: service, name: postgres-exporter, attributes: {namespace: mon}}
  - {id: mon/postgres-exporter-7d9c4b6f8c-x2x7k, type: pod, name: postgres-exporter-7d9c4b6f8c-x2x7k, attributes: {namespace: mon, ip: "10.42.0.50"}}
  - {id: cart, type: service, attributes: {namespace: shop}}
  - {id: nightly, type: job, attributes: {namespace: shop}}
  - {id: shop/stock, type: service, name: stock, attributes: {namespace: shop}}
  - {id: w1.eu.example, type: node, attributes: {ip: "10.6.0.1"}}
  - {id: w2.eu.example, type: node}
  - {id: w2.us.example, type: node}
  - {id: w3, type: node}
  - {id: "10.9.0.1", type: node}
relations:
  - {from: shop/orders-db, kind: runs_on, to: shop/orders-db-0}
  - {from: shop/orders-db-0, kind: runs_on, to: w3}
  - {from: mon/postgres-exporter, kind: runs_on, to: mon/postgres-exporter-7d9c4b6f8c-x2x7k}
"#;

fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(explained(TOPOLOGY, text), *expected, "{text}");
    }
}

#[test]
fn an_exporter_speaks_of_its_server() {
    let own = "namespace=mon pod=postgres-exporter-7d9c4b6f8c-x2x7k service=postgres-exporter container=exporter instance=10.42.0.50:9187";
    let only = "the labels name only the messenger, an exporter";
    for (more, expected) in [
        ("job=postgres-exporter server=db-1:5432", "db-1 by label `server`"),
        ("job=postgres-exporter server=10.0.0.21:5432", "db-1 by label `server`"),
        ("job=prometheus-postgres-exporter target=orders-db.shop.svc:5432", "shop/orders-db by label `target`"),
        ("job=mysqld_exporter host=db-1", "db-1 by label `host`"),
        ("job=mon/redis-exporter addr=redis://cache:6379", "cache by label `addr`"),
        ("job=elasticsearch-exporter cluster=search", "search by label `cluster`"),
        ("job=mongodb-exporter server=ghost:27017", "no component for `server` = `ghost`"),
        // What the exporter says of the server is not said of the exporter.
        ("job=postgres-exporter __name__=pg_up", only),
        ("job=postgres-exporter", only),
        // Whether the exporter answers.
        ("job=postgres-exporter __name__=up server=db-1:5432", "mon/postgres-exporter-7d9c4b6f8c-x2x7k by label `pod`"),
        ("job=postgres-exporter __name__=process_open_fds", "mon/postgres-exporter-7d9c4b6f8c-x2x7k by label `pod`"),
    ] {
        check(&[(&format!("{own} {more}"), expected)]);
    }
    check(&[
        // A server by the address that the scrape was told to show.
        ("job=mysqld-exporter instance=db-1:3306", "db-1 by label `instance`"),
        ("job=kafka_exporter instance=10.0.0.21:9308", "db-1 by label `instance`"),
        ("job=redis-exporter instance=redis://cache:6379", "cache by label `instance`"),
        ("job=postgres-exporter instance=10.42.0.50:9187", only),
        // Beside the server, in its pod.
        (
            "job=orders-db-metrics namespace=shop pod=orders-db-0 container=postgres-exporter instance=10.42.0.7:9187",
            "shop/orders-db-0 by label `pod`",
        ),
        (
            "job=postgres-exporter namespace=shop pod=orders-db-0 instance=10.42.0.7:9187 server=localhost:5432",
            "shop/orders-db-0 by label `pod`",
        ),
        // Somebody says whose it is.
        ("job=postgres-exporter service=orders-db instance=10.42.0.50:9187", "shop/orders-db by label `service`"),
        // Its own log, and what others say of it.
        (
            "namespace=mon pod=postgres-exporter-7d9c4b6f8c-x2x7k app=postgres-exporter",
            "mon/postgres-exporter-7d9c4b6f8c-x2x7k by label `pod`",
        ),
        (
            "job=kube-state-metrics namespace=mon deployment=postgres-exporter __name__=kube_deployment_spec_replicas",
            "mon/postgres-exporter by label `deployment`",
        ),
        (
            "__name__=container_memory_usage_bytes namespace=mon pod=postgres-exporter-7d9c4b6f8c-x2x7k container=postgres-exporter",
            "mon/postgres-exporter-7d9c4b6f8c-x2x7k by label `pod`",
        ),
        // Other messengers that are called so.
        ("job=node-exporter instance=10.6.0.1:9100", "w1.eu.example by label `instance`"),
        ("job=blackbox-exporter target=db-1:5432 instance=10.42.0.51:9115", "db-1 by label `target`"),
    ]);
}

#[test]
fn an_owner_is_named_by_kind_and_name() {
    check(&[
        ("namespace=shop pod=odd owner_kind=ReplicaSet owner_name=cart-7d9c4b6f8c", "cart by label `owner_name`"),
        ("namespace=shop pod=odd created_by_kind=ReplicaSet created_by_name=cart-7d9c4b6f8c", "cart by label `created_by_name`"),
        ("namespace=shop owner_kind=Deployment owner_name=cart", "cart by label `owner_name`"),
        ("namespace=shop pod=odd owner_kind=StatefulSet owner_name=orders-db", "shop/orders-db by label `owner_name`"),
        ("namespace=shop job_name=odd owner_kind=CronJob owner_name=nightly", "nightly by label `owner_name`"),
        ("namespace=shop pod=odd owner_kind=Job owner_name=nightly-29384400", "nightly by label `owner_name`"),
        ("namespace=shop owner_kind=Deployment owner_name=ghost", "no component for `owner_name` = `ghost`"),
        // A pod that is listed is the subject itself, and a machine only has a static pod.
        ("namespace=shop pod=orders-db-0 owner_kind=StatefulSet owner_name=orders-db", "shop/orders-db-0 by label `pod`"),
        ("namespace=shop pod=odd owner_kind=Node owner_name=w3", "no component for `pod` = `odd`"),
        // Somebody's name.
        ("owner_name=alice instance=10.0.0.21:80", "db-1 by label `instance`"),
        // Older names of labels.
        ("kubernetes_name=cart kubernetes_namespace=shop", "cart by label `service`"),
        ("kubernetes_io_hostname=w3", "w3 by label `node`"),
    ]);
}

#[test]
fn machines_have_a_short_name_and_a_long_one() {
    check(&[
        ("node=w1", "w1.eu.example by label `node`"),
        ("node=w1.eu.example", "w1.eu.example by label `node`"),
        ("node=w3.eu.example", "w3 by label `node`"),
        ("host=w1", "w1.eu.example by label `host`"),
        ("host=w3.eu.example", "w3 by label `host`"),
        ("job=node-exporter instance=w1:9100", "w1.eu.example by label `instance`"),
        ("job=node-exporter instance=w3.eu.example:9100", "w3 by label `instance`"),
        // Two fit, and two long names are two machines.
        ("node=w2", "several components fit `node` = `w2`: w2.eu.example, w2.us.example"),
        ("node=w1.us.example", "no component for `node` = `w1.us.example`"),
        ("node=w9", "no component for `node` = `w9`"),
        // No short name of an address.
        ("node=10", "no component for `node` = `10`"),
    ]);
}

#[test]
fn a_called_service_is_in_the_namespace_of_its_host() {
    check(&[
        ("destination_service=stock.shop.svc.cluster.local", "shop/stock by label `destination_service`"),
        (
            "destination_service=stock.staging.svc.cluster.local",
            "no component for `destination_service` = `stock.staging.svc.cluster.local`",
        ),
        ("destination_service=stock.staging.svc namespace=shop", "no component for `destination_service` = `stock.staging.svc`"),
        ("destination_service=stock.staging", "no component for `destination_service` = `stock.staging`"),
        ("destination_service=stock.shop", "shop/stock by label `destination_service`"),
        (
            "destination_service_name=stock destination_service_namespace=staging",
            "`destination_service_name` = `stock` is not in the namespace `staging`",
        ),
    ]);
}

/// An event of an eviction on a machine; `pod` has lost its place there.
fn evicted(pod: &str, reason: &str, source: &str) -> String {
    format!(
        r#"{{"involvedObject":{{"kind":"Pod","namespace":"shop","name":"{pod}"}},"reason":"{reason}","eventTime":"2025-06-01T10:00:00Z",{source}}}"#
    )
}

#[test]
fn what_a_machine_did_to_a_pod_that_is_gone_is_on_the_machine() {
    let (estate, rules) = (estate(TOPOLOGY), MappingRules::default());
    let host = r#""source":{"component":"kubelet","host":"w1.eu.example"}"#;
    let reporting = r#""reportingComponent":"kubelet","reportingInstance":"w1.eu.example""#;
    let status = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"cart-7d9c4b6f8c-x2x7k","namespace":"shop"},"spec":{"nodeName":"w1"},"status":{"phase":"Failed","reason":"Evicted","startTime":"2025-06-01T10:00:00Z"}}"#;
    let gone = "cart-7d9c4b6f8c-x2x7k";
    for (input, expected) in [
        (evicted(gone, "Evicted", host), "w1.eu.example - w1.eu.example"),
        (evicted(gone, "Evicted", reporting), "w1.eu.example - w1.eu.example"),
        (evicted(gone, "OutOfmemory", host), "w1.eu.example - w1.eu.example"),
        (evicted("ghost-0", "Evicted", host), "w1.eu.example - w1.eu.example"),
        (status.to_owned(), "w1.eu.example - w1"),
        // Its own doing stays with its workload, and so does what nobody says the place of.
        (evicted(gone, "BackOff", host), "cart cart-7d9c4b6f8c-x2x7k w1.eu.example"),
        (evicted(gone, "Evicted", r#""type":"Warning""#), "cart cart-7d9c4b6f8c-x2x7k -"),
        (evicted(gone, "Evicted", r#""source":{"host":"nobody"}"#), "cart cart-7d9c4b6f8c-x2x7k nobody"),
        // One that is listed leads to its machine.
        (evicted("orders-db-0", "Evicted", host), "shop/orders-db-0 - w1.eu.example"),
    ] {
        let (facts, _, found) = read_facts(&bundle(&[("events.ndjson", &input)]), &estate, &rules);
        assert!(found.is_empty(), "{found:?}");
        let line = facts.logs.first().unwrap();
        let component = line.component.map_or("-", |component| estate.component(component).id.as_str());
        let instance = line.instance.as_deref().unwrap_or("-");
        let node = line.labels.get("node").map_or("-", String::as_str);
        assert_eq!(format!("{component} {instance} {node}"), expected, "{input}");
    }
}
