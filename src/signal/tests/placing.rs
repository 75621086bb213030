use std::collections::BTreeMap;

use crate::{MappingRules, Resolver};
use diag::Sources;

/// `a=b c=d` as labels.
fn labels(text: &str) -> BTreeMap<String, String> {
    text.split_whitespace().filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn read(text: &str) -> (MappingRules, Vec<String>) {
    let mut sources = Sources::default();
    let id = sources.add("sources.yaml", text);
    let (placement, diagnostics) = MappingRules::read(&sources, id);
    let shown = diagnostics.iter().map(|d| format!("{} {} [{}]", d.code, d.message, d.help.clone().unwrap_or_default())).collect();
    (placement, shown)
}

/// With this `sources.yaml`, these labels name that component (or none).
fn check(sources: &str, text: &str, expected: Option<&str>) {
    let (placement, diagnostics) = read(sources);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let estate = super::estate();
    let placed = Resolver::new(&placement, &estate).place(&labels(text));
    assert_eq!(placed.map(|c| estate.component(c).id.as_str()), expected, "{text}");
    assert_eq!(placement.place(&labels(text), &estate), placed);
}

#[test]
fn built_in_placements() {
    for (text, expected) in [
        ("component=order-db", Some("order-db")),
        ("component=订单数据库", Some("order-db")),
        ("namespace=shop pod=cart-0", Some("shop/cart-0")),
        ("instance=10.0.0.1:9104", Some("order-db")),
        ("instance=10.0.0.1", Some("order-db")),
        ("target=http://order-service:8080/health", Some("order-service")),
        ("job=order-service", Some("order-service")),
        // The most specific label first; one that names nothing does not stand in the way.
        ("service=order-service instance=10.0.0.1:80", Some("order-service")),
        ("service=nobody instance=10.0.0.1:80", Some("order-db")),
        // What two components have places nothing.
        ("component=twin", None),
        ("instance=10.0.0.9:80", None),
        ("service=", None),
        ("", None),
    ] {
        check("", text, expected);
    }
}

#[test]
fn placements_of_the_user_come_first() {
    let sources = r#"
placement:
  - {label: box_name, when: {job: boxes}, pattern: '^box-(.+)$'}
  - {template: "{namespace}/{app}-0"}
  - {label: serial, by: [serial]}
"#;
    for (text, expected) in [
        ("job=boxes box_name=box-order-db component=order-service", Some("order-db")),
        ("job=other box_name=box-order-db component=order-service", Some("order-service")),
        ("job=boxes box_name=order-db", None),
        ("namespace=shop app=cart service=order-service", Some("shop/cart-0")),
        ("serial=S-1", Some("order-service")),
    ] {
        check(sources, text, expected);
    }
}

#[test]
fn metrics_by_entries() {
    let (placement, diagnostics) = read(
        r"
metrics:
  - {series: mysql_threads, metric: 链路数, type: 箱子}
  - {series: mysql_threads, metric: load, unit: ratio, labels: {state: used}, query: 'sum(mysql_threads)'}
",
    );
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let estate = super::estate();
    assert_eq!(placement.queries().collect::<Vec<_>>(), [("mysql_threads", "sum(mysql_threads)")]);
    // A crate whose state is `used` fits both entries.
    let twice: Vec<String> = placement.check(&estate).iter().map(|d| d.message.to_string()).collect();
    assert_eq!(twice, ["`mysql_threads` is mapped twice: where both entries fit, it is `links`, not `load`"]);
    let placer = Resolver::new(&placement, &estate);
    for (component, text, expected) in [
        ("order-service", "state=used", Some(("links", 1.0))),
        ("order-db", "state=used", Some(("load", 100.0))),
        ("order-db", "state=free", None),
    ] {
        let found = placer.metric("mysql_threads", &labels(text), estate.find(component).unwrap());
        assert_eq!(found.map(|mapped| (mapped.metric, mapped.factor)), expected, "{component} {text}");
    }
    let (wrong, _) = read(
        "metrics:\n  - {series: a, metric: lode, type: box}\n  - {series: b, metric: load, unit: ms, type: box}\n  - {series: c, metric: load, type: bx}",
    );
    let found: Vec<&str> = wrong.check(&estate).iter().map(|d| d.code.0).collect();
    assert_eq!(found, ["F2003", "F2007", "F3006"]);
}

#[test]
fn all_mistakes_of_a_file_in_one_run() {
    let (placement, found) = read(
        r#"
placment: []
placement:
  - {lable: component}
  - {label: a, template: "{b}"}
  - {template: "plain"}
  - {template: "{open"}
  - {label: a, pattern: 'no group'}
  - {label: a, when: [b]}
  - {label: component}
metrics:
  - {series: a}
  - {series: a, metric: b, unit: parsec}
events:
  - {type: a, as: lunch}
  - {type: a, as: change}
"#,
    );
    let codes: Vec<&str> = found.iter().filter_map(|line| line.split(' ').next()).collect();
    let expected = ["F3002", "F3002", "F3019", "F3019", "F3019", "F3019", "F3019", "F3003", "F3004", "F3016", "F3019"];
    assert_eq!(codes, expected, "{found:#?}");
    assert_eq!(found.first().map(String::as_str), Some("F3002 unknown key `placment` [did you mean `placement`?]"));
    assert_eq!((placement.rules.len(), placement.metrics.len(), placement.events.len()), (1, 0, 1));
}

#[test]
fn files_of_the_wrong_shape() {
    for (text, expected) in [("placement: 3", "F3003"), ("- a", "F3003"), ("a: [", "F3001")] {
        let (_, found) = read(text);
        assert!(found.first().is_some_and(|line| line.starts_with(expected)), "{text}: {found:?}");
    }
    assert!(read("placement:\nmetrics:\n").1.is_empty());
}

/// The reasons of what is on no component: how many, why, what would help, and which is the first.
#[test]
fn reasons_are_counted() {
    let alert = |labels: &str| format!(r#"{{"labels":{{"alertname":"A",{labels}}},"startsAt":"2025-06-01T10:00:00Z"}}"#);
    let alerts = [
        alert(r#""pod":"ghost-1""#),
        alert(r#""pod":"ghost-2""#),
        alert(r#""team":"a""#),
        alert(r#""component":"twin""#),
        alert(r#""component":"order-db""#),
        alert(r#""noise":"1""#),
    ];
    let sources = "placement: [{drop: true, label: noise}]";
    let (facts, counts, _) = super::facts_by(sources, &[("alerts.json", &format!("[{}]", alerts.join(",")))]);
    let shown = |group: &crate::UnplacedGroup| {
        let remedy = group.why.remedy().map_or_else(String::new, |remedy| format!(" [{remedy}]"));
        format!("{} {}#{}: {}{remedy}", group.count, group.first.file, group.first.index, group.why.words())
    };
    let found: Vec<String> = facts.unplaced.values().map(shown).collect();
    let expected = [
        "1 alerts.json#2: no label names a component [an entry of `placement` for a label that tells the component would place it]",
        "2 alerts.json#0: no component for `pod` = `ghost-1` [a component of that name, an alias, or an entry of `placement` for `pod` would place it]",
        "1 alerts.json#3: several components fit `component` = `twin`: twin-1, twin-2 [a label `component` with one of these ids would decide, or an entry of `placement`]",
        "1 alerts.json#5: dropped by entry 1 of `placement`",
    ];
    assert_eq!(found, expected);
    assert_eq!(facts.unplaced.values().map(|group| group.count).sum::<usize>(), counts.alerts.unplaced);
}

#[test]
fn patterns_that_fit_everything() {
    for (pattern, wrong) in [("^(.+)$", true), ("(.*)", true), ("^(.+)-[a-z0-9]+$", false), ("^(.+):\\d+$", false), ("^([^:]+)", false)] {
        let (placement, found) = read(&format!("placement: [{{label: pod, pattern: '{pattern}'}}]"));
        assert_eq!(found.iter().any(|text| text.contains("takes every text")), wrong, "{pattern} {found:?}");
        assert_eq!(placement.rules.len(), 1, "the entry stays in use");
    }
}
