//! The estate as users see it: files in, answers and errors out.

use std::fmt::Write as _;

use super::{AttributeValue, ComponentId, Hop, Impacted, Member, PeerScope, Reached, Snapshot, Softening, State, build};
use diag::{Diagnostic, Sources};

/// Builds from a model and a topology (either may be empty). Errors as `code line message | help`.
fn load(model: &str, topology: &str) -> (Snapshot, Vec<String>) {
    let mut sources = Sources::default();
    let model = sources.add("model.yaml", model);
    let topology = sources.add("estate.yaml", topology);
    let (snapshot, diagnostics) = build(&sources, &[model], &[topology]);
    let describe = |d: &Diagnostic| {
        let line = d.place.map_or(0, |place| sources.line_column(place.source, place.span.start).line);
        let help = d.help.as_ref().map(|help| format!(" | {help}")).unwrap_or_default();
        format!("{} {line} {}{help}", d.code, d.message)
    };
    let texts = diagnostics.iter().map(describe).collect();
    (snapshot, texts)
}

fn check(model: &str, topology: &str, expected: &[&str]) {
    assert_eq!(load(model, topology).1, expected, "{model}\n{topology}");
}

#[test]
fn the_base_model_has_no_mistakes() {
    // Read as if it were a user's refinement of itself: every error would show.
    check(include_str!("base.yaml"), "", &[]);
    let snapshot = Snapshot::empty();
    let model = snapshot.model();
    for (kind, name) in
        [("redis", "hit_rate"), ("application", "老年代GC频率"), ("database", "最大连接数"), ("gateway", "up"), ("node", "丢包率")]
    {
        assert!(model.member(kind, name).is_some(), "{kind}.{name}");
    }
    assert_eq!(model.state("redis", "主从切换").map(|s| s.name.as_str()), Some("failing_over"));
    assert_eq!(model.find_relation("支撑").map(|r| r.effect), Some(State::Degraded));
    assert!(snapshot.is_empty());
}

#[test]
fn mistakes_in_components() {
    let cases = [
        (
            "components: [{id: a, type: servce}]",
            "F3006 1 component `a` has the type `servce`, which the model does not declare | did you mean `service`?",
        ),
        ("components: [{id: a, type: service, ownr: x}]", "F3002 1 a component has no key `ownr` | did you mean `owner`?"),
        ("component: []", "F3002 1 a topology has no key `component` | did you mean `components`?"),
        ("components: 5", "F3003 1 `components` must be a list, not a number"),
        ("components: [{id: a, type: service, tier: coer}]", "F3003 1 `tier` cannot be `coer` | did you mean `core`?"),
        ("components: [{id: a}]", "F3004 1 a component needs `type`"),
        ("components:\n  - {id: a, type: host}\n  - {id: a, type: pod}", "F3005 3 two components have the id `a`"),
        (
            "components: [{id: a, type: database, attributes: {max_connections: 2GiB}}]",
            "F3009 1 attribute `max_connections` must be a count, not `2GiB` | use a number in `count`, or text with a unit, like `\"100\"`",
        ),
        (
            "components: [{id: a, type: database, attributes: {max_conections: 5}}]",
            "F3017 1 type `database` declares no attribute `max_conections`; its value is kept as written | did you mean `max_connections`?",
        ),
    ];
    for (topology, expected) in cases {
        check("", topology, &[expected]);
    }
    let (_, mistakes) = load("", "components: [");
    assert!(mistakes.first().is_some_and(|text| text.starts_with("F3001 ")), "{mistakes:?}");
}

#[test]
fn mistakes_in_relations_and_groups() {
    let components = "components: [{id: web, type: frontend}, {id: order-db, type: database}, {id: r, type: rack}, {id: s, type: rack}]\n";
    let cases = [
        (
            "relations: [{from: web, kind: calls, to: ordr-db}]",
            "F3007 2 a relation names `ordr-db`, which does not exist | did you mean `order-db`?",
        ),
        (
            "relations: [{from: r, kind: calls, to: web}]",
            "F3008 2 `calls` cannot go from `r` (rack) to `web` (frontend) | `calls` goes from `software`, `function`, `pod`, `container`, `process` to `software`, `function`, `pod`, `container`, `process`, `storage`, `domain_name`",
        ),
        (
            "relations:\n  - {from: r, kind: contains, to: s}\n  - {from: r, kind: belongs_to, to: s}",
            "F3010 4 `r` contains itself: r → s → r",
        ),
        (
            "relations: [{from: web, kind: call, to: order-db}]",
            "F3011 2 the model declares no relation kind `call` | did you mean `calls`?",
        ),
        (
            "relations:\n  - {from: web, kind: calls, to: order-db}\n  - {from: web, kind: 调用, to: order-db}",
            "F3012 4 `web calls order-db` is declared twice | leave it out, or say with `effect` how hard a fault hits along it",
        ),
        (
            "groups: [{id: g, members: [r, s], need: 3}]",
            "F3013 2 group `g` needs 3 of its 2 members | `need` must be a whole number from 1 to 2",
        ),
        (
            "groups: [{id: g, members: [r, s], need: 0}]",
            "F3013 2 group `g` needs 0 of its 2 members | `need` must be a whole number from 1 to 2",
        ),
        ("groups: [{id: g, members: [r, wep], need: 1}]", "F3014 2 member `wep` of group `g` does not exist | did you mean `web`?"),
        ("groups: [{id: web, members: [r, s], need: 1}]", "F3005 2 `web` is declared twice: a component and a group cannot share an id"),
        ("relations: [{from: web, kind: calls, to: web}]", "F3018 2 `web` cannot have a relation to itself"),
    ];
    for (topology, expected) in cases {
        check("", &format!("{components}{topology}"), &[expected]);
    }
    // References to a component that is itself invalid are not reported.
    check(
        "",
        "components: [{id: a}, {id: b, type: host}]\nrelations: [{from: a, kind: runs_on, to: b}]",
        &["F3004 1 a component needs `type`"],
    );
}

#[test]
fn mistakes_in_models() {
    let cases = [
        (
            "types: {a: {parent: b}, b: {parent: a}}",
            "F3015 1 type `b` is its own ancestor: a → b → a | the parents of a type must lead up to `component`",
        ),
        ("types: {a: {parent: databse}}", "F3015 1 the parent `databse` of type `a` does not exist | did you mean `database`?"),
        ("types: {x: {metrics: {m: {unit: parsec}}}}", "F3016 1 unknown unit `parsec` | use a unit like `%`, `ms`, `GiB`, `/min`, `count`"),
        (
            "types: {x: {zh: 数据库}}",
            "F3020 1 `数据库` names both the type `database` and `x` | `database` in the built-in base model already has this name",
        ),
        (
            "types: {database: {metrics: {conns: {zh: 连接数}}}}",
            "F3020 1 `连接数` names both the metric or attribute `connections` and `conns` | `connections` in the built-in base model already has this name",
        ),
        (
            "relations: {feeds: {zh: 供给}}",
            "F3004 1 relation kind `feeds` needs `travel` | state how faults travel: `to_start`, `to_end`, `both` or `none`",
        ),
        ("types: {x: {states: {odd: {zh: 异常}}}}", "F3004 1 state `odd` needs `if`"),
    ];
    for (model, expected) in cases {
        check(model, "", &[expected]);
    }
}

#[test]
fn a_model_refines_the_base_and_values_come_in_base_units() {
    let model = "types:\n  redis: {zh: Redis, metrics: {hit_rate: {staleness: 90s}}}\n  vault: {parent: 缓存, attributes: {ttl: ms, sealed: bool}}\n";
    let topology = "components:\n  - {id: 007, type: Redis, tier: 核心, attributes: {最大内存: 2GiB}}\n  - {id: v, type: vault, attributes: {ttl: 1.5s, sealed: true, maxmemory: 10, version: 1.10}}\n";
    let (snapshot, mistakes) = load(model, topology);
    assert_eq!(mistakes, [""; 0]);
    let Some(Member::Metric(metric)) = snapshot.model().member("redis", "命中率") else {
        unreachable!("declared by `cache` and refined")
    };
    assert_eq!((metric.unit.name, metric.staleness), ("%", 90_000));
    let mut text = String::new();
    for id in snapshot.ids() {
        let component = snapshot.component(id);
        let _ = write!(text, "{} {}:", component.id, component.kind);
        for (name, value) in &component.attributes {
            let _ = match value {
                AttributeValue::Text(value) => write!(text, " {name}={value:?}"),
                AttributeValue::Bool(value) => write!(text, " {name}={value}"),
                AttributeValue::Number(value) => write!(text, " {name}={value}"),
            };
        }
        text.push('\n');
    }
    assert_eq!(text, "007 redis: maxmemory=2147483648\nv vault: maxmemory=10 sealed=true ttl=1500 version=\"1.10\"\n");
}

const SHOP: &str = "
components:
  - {id: web, type: frontend, name: Web}
  - {id: gw-1, type: gateway}
  - {id: gw-2, type: gateway}
  - {id: gw-3, type: gateway}
  - {id: order, type: service}
  - {id: pay, type: service}
  - {id: db, type: database}
  - {id: replica, type: database}
  - {id: host-1, type: host}
  - {id: net, type: subnet}
  - {id: shop, type: business_line}
relations:
  - {from: web, kind: calls, to: pool, effect: down}
  - {from: pool, kind: calls, to: [order, pay]}
  - {from: order, kind: depends_on, to: db}
  - {from: pay, kind: depends_on, to: [db, order]}
  - {from: replica, kind: replicates, to: db}
  - {from: [db, replica], kind: runs_on, to: host-1}
  - {from: net, kind: contains, to: host-1}
  - {from: [order, pay], kind: serves, to: shop}
groups:
  - {id: pool, type: redundancy, members: [gw-1, gw-2, gw-3], need: 2}
";

fn estate(topology: &str) -> Snapshot {
    let (snapshot, mistakes) = load("", topology);
    assert_eq!(mistakes, [""; 0]);
    snapshot
}

fn id(snapshot: &Snapshot, name: &str) -> ComponentId {
    snapshot.find_named(name).unwrap_or_else(|| unreachable!("{name} is in the estate"))
}

fn names(snapshot: &Snapshot, ids: &[ComponentId]) -> String {
    ids.iter().map(|id| snapshot.component(*id).id.as_str()).collect::<Vec<_>>().join(" ")
}

fn reached(snapshot: &Snapshot, reached: &[Reached]) -> String {
    let texts = reached.iter().map(|r| format!("{}@{}", snapshot.component(r.component).id, r.distance));
    texts.collect::<Vec<_>>().join(" ")
}

fn way(snapshot: &Snapshot, hops: &[Hop]) -> String {
    let texts = hops.iter().map(|hop| {
        format!("{}{}", hop.via.as_ref().map(|via| format!("{via}:")).unwrap_or_default(), snapshot.component(hop.component).id)
    });
    texts.collect::<Vec<_>>().join(" ")
}

#[test]
fn walks() {
    let shop = estate(SHOP);
    let at = |name: &str| id(&shop, name);
    let via = |kind: &str| vec![kind.to_owned()];
    let cases = [
        (shop.dependents(at("db"), &[], None), "order@1 pay@1 replica@1 gw-1@2 gw-2@2 gw-3@2 shop@2 web@3"),
        (shop.dependents(at("db"), &[], Some(1)), "order@1 pay@1 replica@1"),
        (shop.dependents(at("db"), &via("depends_on"), None), "order@1 pay@1"),
        (shop.dependents(at("db"), &via("no_such_kind"), None), ""),
        (shop.dependencies(at("web"), &[], Some(2)), "gw-1@1 gw-2@1 gw-3@1 order@2 pay@2"),
        (shop.dependencies(at("db"), &[], None), "host-1@1 net@2"),
    ];
    for (found, expected) in cases {
        assert_eq!(reached(&shop, &found), expected);
    }
    let path = shop.path(at("net"), at("web")).unwrap_or_default();
    assert_eq!(way(&shop, &path), "net contains:host-1 runs_on:db depends_on:order calls:gw-1 calls:web");
    assert_eq!(shop.path(at("web"), at("db")), None);
    assert_eq!(shop.path(at("web"), at("web")).as_ref().map(Vec::len), Some(1));
    assert!(shop.linked(at("pay"), "depends_on", at("db"), Some(1), false));
    assert!(!shop.linked(at("db"), "depends_on", at("pay"), None, false));
    assert!(shop.linked(at("db"), "depends_on", at("pay"), None, true));
    assert!(shop.linked(at("web"), "calls", at("pay"), Some(2), false) && !shop.linked(at("web"), "calls", at("pay"), Some(1), false));
}

#[test]
fn containment_peers_and_groups() {
    let shop = estate(SHOP);
    let at = |name: &str| id(&shop, name);
    let cases = [
        (shop.holders(at("db")), "host-1 net"),
        (shop.holder_of_type(at("db"), "network"), "net"),
        (shop.held(at("net")), "host-1 db replica"),
        (shop.peers(at("db"), PeerScope::Estate), "replica"),
        (shop.peers(at("db"), PeerScope::Type("subnet")), "replica"),
        (shop.peers(at("order"), PeerScope::Type("subnet")), ""),
        (shop.peers(at("gw-2"), PeerScope::Group), "gw-1 gw-3"),
        (shop.of_type("software"), "db gw-1 gw-2 gw-3 order pay replica web"),
        (shop.of_type("数据库"), "db replica"),
    ];
    for (found, expected) in cases {
        assert_eq!(names(&shop, &found), expected);
    }
    assert!(shop.shares(at("db"), at("replica"), "subnet") && !shop.shares(at("db"), at("order"), "subnet"));
    assert!(shop.shares_group(at("gw-1"), at("gw-3")) && !shop.shares_group(at("gw-1"), at("web")));
    assert_eq!(shop.groups_of(at("gw-1")).map(|g| g.id.as_str()).collect::<Vec<_>>(), ["pool"]);
    assert_eq!(shop.find_named("Web"), shop.find("web"));
    assert_eq!(shop.relations().count(), 18);
    assert!(shop.relations().is_sorted());
}

fn check_impact(topology: &str, roots: &[(&str, State)], max_hops: Option<u32>, expected: &str) {
    let snapshot = estate(topology);
    let roots: Vec<_> = roots.iter().map(|(name, state)| (id(&snapshot, name), *state)).collect();
    let describe = |i: &Impacted| format!("{}@{} {:?}", snapshot.component(i.component).id, i.distance, i.state);
    let found: Vec<String> = snapshot.impact(&roots, max_hops).iter().map(describe).collect();
    assert_eq!(found.join(", "), expected);
}

#[test]
fn impact() {
    use State::{Degraded, Down};
    let all =
        "order@1 Down, pay@1 Down, replica@1 Degraded, gw-1@2 Degraded, gw-2@2 Degraded, gw-3@2 Degraded, shop@2 Degraded, web@3 AtRisk";
    check_impact(SHOP, &[("db", Down)], None, all);
    check_impact(SHOP, &[("db", Degraded)], Some(1), "order@1 AtRisk, pay@1 AtRisk, replica@1 AtRisk");
    check_impact(SHOP, &[("host-1", Down)], Some(1), "db@1 Down, replica@1 Down");
    // Three gateways of which two are needed.
    check_impact(SHOP, &[("gw-1", Down)], None, "web@1 Degraded");
    check_impact(SHOP, &[("gw-1", Down), ("gw-2", Down)], None, "web@1 Down");
    check_impact(SHOP, &[("gw-1", Degraded)], None, "web@1 AtRisk");
}

#[test]
fn a_group_helps_only_who_uses_it() {
    let topology = "
components: [{id: a, type: gateway}, {id: b, type: gateway}, {id: both, type: frontend}, {id: only, type: frontend}]
relations: [{from: both, kind: depends_on, to: [a, b]}, {from: only, kind: depends_on, to: a}]
groups: [{id: pool, members: [a, b], need: 1}]
";
    check_impact(topology, &[("a", State::Down)], None, "both@1 Degraded, only@1 Down");
    check_impact(topology, &[("a", State::Down), ("b", State::Down)], None, "both@1 Down, only@1 Down");
}

/// Where each path becomes milder, and why.
fn check_softens(topology: &str, roots: &[(&str, State)], expected: &[&str]) {
    let snapshot = estate(topology);
    let roots: Vec<_> = roots.iter().map(|(name, state)| (id(&snapshot, name), *state)).collect();
    let name = |component| snapshot.component(component).id.as_str();
    let step = |step: &Softening| format!("{:?} → {:?} at {} by {:?}", step.from, step.to, name(step.component), step.by);
    let of = |i: &Impacted| format!("{}: {}", name(i.component), i.softens.iter().map(step).collect::<Vec<_>>().join("; "));
    let found: Vec<String> = snapshot.impact(&roots, None).iter().map(of).collect();
    assert_eq!(found, expected);
}

#[test]
fn paths_say_where_a_state_softens_and_why() {
    let topology = "
components:
  - {id: db, type: database}
  - {id: copy, type: database}
  - {id: pay, type: service}
  - {id: gw-1, type: gateway}
  - {id: gw-2, type: gateway}
  - {id: web, type: frontend}
  - {id: mail, type: service}
relations:
  - {from: copy, kind: replicates, to: db}
  - {from: pay, kind: depends_on, to: db}
  - {from: mail, kind: depends_on, to: pay, effect: at_risk}
  - {from: gw-1, kind: depends_on, to: pay}
  - {from: web, kind: depends_on, to: [gw-1, gw-2]}
groups: [{id: pool, members: [gw-1, gw-2], need: 1}]
";
    let all = [
        "copy: Down → Degraded at copy by Kind { kind: \"replicates\" }",
        "pay: ",
        "gw-1: ",
        "mail: Down → AtRisk at mail by Relation { kind: \"depends_on\" }",
        "web: Down → Degraded at web by Redundancy { group: \"pool\", left: 1, members: 2, need: 1 }",
    ];
    check_softens(topology, &[("db", State::Down)], &all);
    let both = ["web: "];
    check_softens(topology, &[("gw-1", State::Down), ("gw-2", State::Down)], &both);
    let slow = [
        "gw-1: Degraded → AtRisk at gw-1 by NotDown { before: \"pay\" }",
        "mail: Degraded → AtRisk at mail by NotDown { before: \"pay\" }",
        "web: Degraded → AtRisk at gw-1 by NotDown { before: \"pay\" }",
    ];
    check_softens(topology, &[("pay", State::Degraded)], &slow);
}

#[test]
fn the_path_is_the_one_that_carries_the_state() {
    let topology = "
components: [{id: main, type: database}, {id: middle, type: database}, {id: copy, type: database}]
relations:
  - {from: copy, kind: replicates, to: main}
  - {from: copy, kind: depends_on, to: middle}
  - {from: middle, kind: depends_on, to: main}
";
    check_impact(topology, &[("main", State::Down)], None, "copy@1 Down, middle@1 Down");
    let snapshot = estate(topology);
    let impact = snapshot.impact(&[(id(&snapshot, "main"), State::Down)], None);
    let paths: Vec<String> = impact.iter().map(|i| way(&snapshot, &i.path)).collect();
    assert_eq!(paths, ["main depends_on:middle depends_on:copy", "main depends_on:middle"]);
}

#[test]
fn a_deep_chain_is_built_and_walked() {
    const DEPTH: usize = 5_000;
    let mut topology = String::from("components:\n");
    for at in 0..=DEPTH {
        let _ = writeln!(topology, "  - {{id: n{at:06}, type: subnet}}");
    }
    topology.push_str("relations:\n");
    for at in 0..DEPTH {
        let _ = writeln!(topology, "  - {{from: n{at:06}, kind: contains, to: n{:06}}}", at + 1);
    }
    let snapshot = estate(&topology);
    assert_eq!(snapshot.held(id(&snapshot, "n000000")).len(), DEPTH);
    let _ = writeln!(topology, "  - {{from: n{DEPTH:06}, kind: contains, to: n000000}}");
    let (_, mistakes) = load("", &topology);
    assert_eq!(mistakes.len(), 1);
    assert!(
        mistakes.iter().all(|text| text.contains("`n000000` contains itself: n000000 → n000001 →") && text.contains("… 4993 more")),
        "{mistakes:?}"
    );
}

#[test]
fn a_file_may_say_more_about_what_another_declares() {
    let (snapshot, mistakes) = load(
        "types:\n  postgres: {parent: database}\n",
        "
components:
  - {extend: pg, type: postgres, tier: core, owner: dba, name: Orders, aliases: [orders-db, pg.shop], attributes: {max_connections: 300}}
  - {id: pg, type: database, owner: import, attributes: {max_connections: 100, version: \"15\"}}
  - {extend: pg, environment: prod}
",
    );
    assert_eq!(mistakes, [""; 0]);
    let pg = snapshot.component(snapshot.find_named("orders-db").unwrap());
    assert_eq!((pg.id.as_str(), pg.kind.as_str(), pg.name.as_str()), ("pg", "postgres", "Orders"));
    assert_eq!((pg.owner.as_deref(), pg.environment.as_deref(), pg.tier), (Some("dba"), Some("prod"), Some(super::Tier::Core)));
    assert_eq!(pg.attributes.get("max_connections"), Some(&AttributeValue::Number(300.0)));
    assert_eq!(snapshot.find_named("pg.shop"), snapshot.find("pg"));
}

#[test]
fn what_is_said_of_others_must_fit() {
    check(
        "",
        "components:
  - {id: pg, type: database}
  - {extend: pgg, tier: core}
  - {extend: pg, type: host}
  - {extend: pg, owner: a}
  - {extend: pg, owner: b}
  - {extend: pg, id: x}
  - {extend: pg, attributes: {max_connections: many}}
",
        &[
            "F3022 3 `pgg` is extended, but nothing declares it | did you mean `pg`?",
            "F3022 4 `pg` is a database, which cannot become a host | use one of `application`, `cache`, `cdn_node`, `database`, `frontend`, `gateway`, `job`, `load_balancer`, `queue`, `redis`, `sentinel`, `service`, `software`, `web_server`, or leave the type out",
            "F3020 6 `owner` of `pg` is given twice, differently",
            "F3022 7 a component has `id` or `extend`, not both | `extend` names the component that it says more about",
            "F3009 8 attribute `max_connections` must be a count, not `many` | use a number in `count`, or text with a unit, like `\"100\"`",
        ],
    );
}

#[test]
fn a_file_may_correct_the_type_that_an_import_guessed() {
    let (snapshot, mistakes) = load(
        "",
        "
components:
  - {id: proxy, type: service}
  - {id: web, type: service}
  - {id: box, type: pod}
  - {id: thing, type: component}
  - {extend: proxy, type: gateway}
  - {extend: web, type: software}
  - {extend: box, type: service}
  - {extend: thing, type: host}
",
    );
    assert_eq!(mistakes, ["F3022 9 `box` is a pod, which cannot become a service | give a type that is a pod, or leave the type out"]);
    let kinds: Vec<&str> = ["proxy", "web", "box", "thing"].map(|name| snapshot.component(id(&snapshot, name)).kind.as_str()).to_vec();
    assert_eq!(kinds, ["gateway", "software", "pod", "host"]);
}

#[test]
fn an_alias_means_one_component() {
    let topology = "
components:
  - {id: a, type: service, name: front}
  - {id: b, type: service, aliases: [x]}
  - {id: c, type: service, aliases: [c, own]}
  - {extend: a, aliases: [x, own]}
  - {extend: c, aliases: [a, front]}
  - {extend: front, tier: core}
";
    check(
        "",
        topology,
        &[
            "F3020 6 `own` is an alias of both `c` and `a` | give each alias to one component only",
            "F3020 6 `x` is an alias of both `b` and `a` | give each alias to one component only",
            "F3020 7 `a` is an alias of `c`, and the id of another component | give each alias to one component only",
            "F3020 7 `front` is an alias of `c`, and the name of `a` | give each alias to one component only",
            "F3022 8 `front` is extended, but nothing declares it | that is another name of `a`: write `extend: a`",
        ],
    );
    let (snapshot, _) = load("", topology);
    assert_eq!(snapshot.find_named("x"), None);
    let (message, help) = snapshot.why_not_found("x");
    assert_eq!(message.to_string(), "several components are called `x`: a, b");
    assert_eq!(help.map(|help| help.to_string()).as_deref(), Some("name one of them by its id"));
    assert_eq!(snapshot.why_not_found("frnt").1.map(|help| help.to_string()).as_deref(), Some("did you mean `front`?"));
}

#[test]
fn one_relation_may_hit_less_or_more_than_its_kind() {
    let topology = "
components:
  - {id: gw, type: gateway}
  - {id: pay, type: service}
  - {id: mail, type: service}
  - {id: shop, type: business_line}
relations:
  - {from: gw, kind: depends_on, to: pay}
  - {from: gw, kind: depends_on, to: mail, effect: at_risk}
  - {from: pay, kind: serves, to: shop, effect: down}
";
    let snapshot = estate(topology);
    let hit = |name: &str| {
        let reached = snapshot.states(&[(id(&snapshot, name), State::Down)], None);
        reached.into_iter().map(|(at, state)| format!("{} {state:?}", snapshot.component(at).id)).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(hit("pay"), "gw Down, shop Down");
    assert_eq!(hit("mail"), "gw AtRisk");
    assert_eq!(snapshot.single_points_of(id(&snapshot, "shop")), [id(&snapshot, "pay")]);
    let without = snapshot.without(&[id(&snapshot, "pay")].into());
    assert_eq!(without.states(&[(id(&without, "mail"), State::Down)], None).first().map(|one| one.1), Some(State::AtRisk));
    check(
        "",
        &format!("{topology}  - {{from: gw, kind: depends_on, to: pay, effect: gone}}\n"),
        &[
            "F3012 11 `gw depends_on pay` is declared twice | leave it out, or say with `effect` how hard a fault hits along it",
            "F3003 11 `effect` cannot be `gone` | use one of `down`, `degraded`, `at_risk`",
        ],
    );
}

#[test]
fn instances_of_workloads() {
    let snapshot = estate(
        "components:
  - {id: s, type: service}
  - {id: t, type: service}
  - {id: p1, type: pod}
  - {id: p2, type: pod}
  - {id: k, type: container}
  - {id: n, type: node}
relations:
  - {from: [s, t], kind: runs_on, to: p1}
  - {from: p2, kind: belongs_to, to: s}
  - {from: p1, kind: contains, to: k}
  - {from: s, kind: runs_on, to: k}
  - {from: p1, kind: runs_on, to: n}
  - {from: s, kind: depends_on, to: t}
",
    );
    let named = |all: Vec<super::Instance>| {
        all.into_iter().map(|one| format!("{} {}", snapshot.component(one.component).id, one.level)).collect::<Vec<_>>()
    };
    // By the longest way: what is in a pod is not beside it.
    assert_eq!(named(snapshot.instances_of(id(&snapshot, "s"))), ["k 2", "p1 1", "p2 1"]);
    assert_eq!(named(snapshot.instances_of(id(&snapshot, "p1"))), ["k 1"]);
    assert_eq!(named(snapshot.instances_of(id(&snapshot, "n"))), [""; 0]);
    assert_eq!(named(snapshot.workloads_of(id(&snapshot, "k"))), ["p1 1", "s 2", "t 2"]);
    // Two workloads may share a pod.
    assert_eq!(named(snapshot.workloads_of(id(&snapshot, "p1"))), ["s 1", "t 1"]);
    assert_eq!(named(snapshot.workloads_of(id(&snapshot, "s"))), [""; 0]);
}

#[test]
fn mistakes_in_instances() {
    for (model, expected) in [
        ("types: {worker: {instance_of: servce}}", "F3006 1 the model declares no type `servce` | did you mean `service`?"),
        (
            "types: {software: {instance_of: [pod]}}",
            "F3025 1 type `software` is an instance of itself: software → pod → software | \
             name the type for which it comes and goes, like `pod` for `service`",
        ),
        (
            "types: {a: {instance_of: [a]}}",
            "F3025 1 type `a` is an instance of itself: a → a | name the type for which it comes and goes, like `pod` for `service`",
        ),
        ("types: {service: {metrics: {qps: {instances: sun}}}}", "F3003 1 `instances` cannot be `sun` | did you mean `sum`?"),
    ] {
        check(model, "", &[expected]);
    }
}
