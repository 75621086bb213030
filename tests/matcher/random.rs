//! Random projects, estates and sequences, each from one number.

use std::fmt::Write;

/// A generator of numbers that are the same everywhere (S. Vigna's `SplitMix64`).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    pub fn range(&mut self, from: i64, to: i64) -> i64 {
        from + i64::try_from(self.below(u64::try_from(to - from).unwrap())).unwrap()
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Time passes.
    Wait(i64),
    /// At a time relative to now; the last of the names is the series.
    Sample {
        component: String,
        metric: &'static str,
        series: u8,
        at: i64,
        value: f64,
    },
    /// The alert of a number; fired, or resolved after a while.
    Alert {
        component: Option<String>,
        number: u8,
        at: i64,
        ends: Option<i64>,
        text: &'static str,
        level: &'static str,
    },
    Log {
        component: Option<String>,
        at: i64,
        text: &'static str,
        level: &'static str,
    },
    Change {
        component: Option<String>,
        at: i64,
        text: &'static str,
    },
    /// Of a cluster, kept as a line or as a change.
    Event {
        component: Option<String>,
        at: i64,
        reason: &'static str,
        change: bool,
    },
    Probe {
        from: Option<String>,
        to: String,
        at: i64,
        success: bool,
    },
    Report {
        component: Option<String>,
        at: i64,
        text: &'static str,
        region: &'static str,
    },
    /// The fact of an earlier step again.
    Again(usize),
    /// The estate is another one of [`Case::estates`] from now on.
    Estate(usize),
    /// The state is captured, and restored into a new matcher.
    Restart,
}

#[derive(Debug, Clone)]
pub struct Case {
    pub estates: Vec<String>,
    pub rules: Vec<String>,
    pub baseline: bool,
    pub steps: Vec<Step>,
}

impl Case {
    pub fn show(&self) -> String {
        let mut text = String::new();
        for estate in &self.estates {
            let _ = writeln!(text, "--- estate\n{estate}");
        }
        let _ = writeln!(text, "--- rules\n{}", self.rules.join("\n"));
        for step in &self.steps {
            let _ = writeln!(text, "{step:?}");
        }
        text
    }
}

const COMPONENTS: &[(&str, &str)] = &[
    ("db1", "database"),
    ("db2", "database"),
    ("c1", "redis"),
    ("c2", "redis"),
    ("s1", "service"),
    ("s2", "service"),
    ("s3", "service"),
    ("h1", "host"),
    ("h2", "host"),
    ("g1", "gateway"),
    ("n1", "subnet"),
    // What comes and goes for the services.
    ("p1", "pod"),
    ("p2", "pod"),
    ("p3", "pod"),
    ("k1", "container"),
];

/// The components of the alerts of each number; the last is on none.
const ALERTING: &[&str] = &["db1", "p1", "c1", "k1", "s1", "s2", "p2"];

fn estate(dice: &mut Dice) -> String {
    let mut text = String::from("components:\n");
    let mut ids: Vec<(&str, &str)> = Vec::new();
    for (id, kind) in COMPONENTS {
        if dice.chance(88) {
            ids.push((id, kind));
            let tier = dice.pick(&["core", "important", "general"]);
            let owner = dice.pick(&["a", "b"]);
            let extra =
                if *kind == "database" { format!(", attributes: {{max_connections: {}}}", dice.range(40, 100)) } else { String::new() };
            let _ = writeln!(text, "  - {{id: {id}, type: {kind}, tier: {tier}, owner: {owner}{extra}}}");
        }
    }
    let of = |wanted: &[&str]| -> Vec<&str> { ids.iter().filter(|(_, kind)| wanted.contains(kind)).map(|(id, _)| *id).collect() };
    let mut relations = String::new();
    for from in of(&["service", "gateway"]) {
        for to in of(&["database", "redis", "service"]) {
            if from != to && dice.chance(35) {
                let _ = writeln!(relations, "  - {{from: {from}, kind: depends_on, to: {to}}}");
            }
        }
    }
    for from in of(&["database", "redis", "service"]) {
        for to in of(&["host"]) {
            if dice.chance(40) {
                let _ = writeln!(relations, "  - {{from: {from}, kind: runs_on, to: {to}}}");
            }
        }
    }
    for pod in of(&["pod"]) {
        for service in of(&["service"]) {
            if dice.chance(45) {
                let _ = match dice.below(3) {
                    0 => writeln!(relations, "  - {{from: {pod}, kind: belongs_to, to: {service}}}"),
                    _ => writeln!(relations, "  - {{from: {service}, kind: runs_on, to: {pod}}}"),
                };
            }
        }
        for host in of(&["host"]) {
            if dice.chance(40) {
                let _ = writeln!(relations, "  - {{from: {pod}, kind: runs_on, to: {host}}}");
            }
        }
        for container in of(&["container"]) {
            if dice.chance(50) {
                let _ = writeln!(relations, "  - {{from: {pod}, kind: contains, to: {container}}}");
            }
        }
    }
    for host in of(&["host"]) {
        for net in of(&["subnet"]) {
            if dice.chance(70) {
                let _ = writeln!(relations, "  - {{from: {host}, kind: belongs_to, to: {net}}}");
            }
        }
    }
    if let [a, b] = of(&["redis"])[..] {
        let _ = writeln!(relations, "  - {{from: {a}, kind: replicates, to: {b}}}");
    }
    if !relations.is_empty() {
        let _ = write!(text, "relations:\n{relations}");
    }
    let services = of(&["service"]);
    if services.len() > 1 {
        let _ = writeln!(text, "groups:\n  - {{id: pool, type: redundancy, members: [{}], need: 1}}", services.join(", "));
    }
    text
}

/// Metrics of each type, with a way to write a bound for values from 0 to 100.
const METRICS: &[(&str, &[&str])] = &[
    ("database", &["cpu_usage", "cpu_usage", "connections"]),
    ("redis", &["cpu_usage", "cpu_usage", "hit_rate"]),
    ("service", &["cpu_usage", "cpu_usage", "error_rate"]),
    ("pod", &["cpu_usage", "cpu_usage", "error_rate"]),
    ("container", &["cpu_usage", "error_rate"]),
];

fn unit(metric: &str) -> &'static str {
    match metric {
        "connections" => "",
        "qps" => "/s",
        _ => "%",
    }
}

fn metrics(kind: &str) -> &'static [&'static str] {
    METRICS.iter().find(|(name, _)| *name == kind).map_or(&["cpu_usage"], |(_, list)| list)
}

const TEXTS: &[&str] = &["slow", "time", "pool", "Slow pool", "timeouts"];
const LEVELS: &[&str] = &["error", "info"];
const REASONS: &[&str] = &["BackOff", "Killing"];

/// An atomic condition; `prefix` is `db.` or nothing inside of a quantifier, `on` the place of events.
fn atom(dice: &mut Dice, kind: &str, prefix: &str, on: &str) -> String {
    let metric = dice.pick(metrics(kind));
    let unit = unit(metric);
    let bound = if dice.chance(70) { 50 } else { dice.range(20, 95) };
    let minutes = dice.range(1, 6);
    let op = dice.pick(&[">", ">", ">=", "<", "<=", "=", "!="]);
    let stat = dice.pick(&["peak", "lowest", "mean", "total", "p90", "p50"]);
    let text = dice.pick(&["\"slow\"", "\"pool\"", "matching \"\\btime\\b\"", "matching \"(?i)s.ow\"", "", "\"slow\" \"pool\""]);
    let within = if dice.chance(60) { format!(" within {minutes}m") } else { String::new() };
    let with = match dice.below(6) {
        0 => " with level = \"error\"",
        1 => " with level != \"info\"",
        _ => "",
    };
    let n = dice.range(1, 4);
    match dice.below(23) {
        0..=5 => format!("{prefix}{metric} {op} {bound}{unit}"),
        6 => format!("{stat} of {prefix}{metric} within {minutes}m {op} {bound}{unit}"),
        7 => format!("{prefix}{metric} {} {}% within {minutes}m", dice.pick(&["rises", "falls"]), dice.range(5, 90)),
        8 => format!("{prefix}{metric} {} by {bound}{unit} within {minutes}m", dice.pick(&["rises", "falls"])),
        9 if kind == "database" => format!("{prefix}connections > {bound}% of {prefix}max_connections"),
        20 => format!("{stat} of {prefix}{metric} over instances {op} {bound}{unit}"),
        10 if !prefix.is_empty() => format!("{prefix}{metric} > {bound}% of {stat} of {prefix}{metric} within {minutes}m"),
        11 if !prefix.is_empty() => {
            format!("{prefix}{metric} {} baseline {stat} of 1d by 10%", dice.pick(&["above", "below"]))
        }
        12 if kind == "component" && !prefix.is_empty() => {
            // A state that one type alone has.
            format!("{} is {}", prefix.trim_end_matches('.'), dice.pick(&["failing_health_check", "failing_over"]))
        }
        12 if !prefix.is_empty() => {
            format!("{} is {}", prefix.trim_end_matches('.'), dice.pick(&["unavailable", "available", "not available"]))
        }
        13 => format!("probe {on} {}{within}", dice.pick(&["fails", "succeeds"])),
        14 | 15 => format!("at least {n} logs {text}{with} {on}{within}"),
        16 => format!("change \"deploy\" {on}{within}"),
        17 if !prefix.is_empty() => format!("script big({}) > {bound}", prefix.trim_end_matches('.')),
        18 => format!("event \"{}\" {on}{within}", dice.pick(REASONS)),
        19 => format!("at least {n} events \"{}\"{with} {on}{within}", dice.pick(REASONS)),
        _ => format!("at least {n} alerts {text}{with} {on}{within}"),
    }
}

fn set(dice: &mut Dice, variable: &str) -> (String, &'static str) {
    let (set, kind) = match dice.below(10) {
        0 => (format!("dependents of {variable}"), "service"),
        1 => (format!("direct dependents of {variable}"), "service"),
        2 => (format!("dependencies of {variable}"), "database"),
        3 => (format!("direct dependencies of {variable} via depends_on"), "database"),
        4 => (format!("peers of {variable}"), "service"),
        5 => (format!("peers of {variable} in group"), "service"),
        6 => ("members of \"pool\"".to_owned(), "service"),
        7 => ("host".to_owned(), "host"),
        8 => (format!("direct dependencies of {variable} via runs_on"), "service"),
        _ => (format!("dependents of {variable} where type = service and owner = \"a\""), "service"),
    };
    // What every type has, where the set may hold any type.
    (set, if matches!(kind, "service" | "database") { "any" } else { kind })
}

fn quantified(dice: &mut Dice, variable: &str) -> String {
    let quantifier = match dice.below(9) {
        0 | 1 => "any",
        2 => "every",
        3 => "no",
        4 => "at least 2",
        5 => "at most 1",
        6 => "at least 50% of",
        7 => "at most 50% of",
        _ => "at least 1",
    };
    let (set, kind) = set(dice, variable);
    let mut body = atom(dice, kind, "", "");
    if dice.chance(30) {
        body = format!("({body} {} {})", dice.pick(&["and", "or"]), atom(dice, kind, "", ""));
    } else if dice.chance(20) {
        body = format!("({body}) for {}m", dice.range(1, 4));
    } else {
        body = format!("({body})");
    }
    format!("{quantifier} {set} has {body}")
}

fn leaf(dice: &mut Dice, variables: &[(&str, &str)]) -> String {
    if variables.is_empty() {
        return match dice.below(5) {
            4 => format!("at least {} events \"BackOff\" with same level", dice.range(1, 4)),
            0 => format!("at least {} alerts \"slow\"", dice.range(1, 4)),
            1 => format!("at least {} reports with same region within {}m", dice.range(1, 4), dice.range(1, 6)),
            2 => format!("any service has ({})", atom(dice, "service", "", "")),
            _ => format!("at least {} logs \"pool\" within {}m", dice.range(1, 3), dice.range(1, 6)),
        };
    }
    let (variable, kind) = *dice.pick(variables);
    let minutes = dice.range(1, 6);
    match dice.below(20) {
        0..=2 => quantified(dice, variable),
        3 => {
            let (set, _) = set(dice, variable);
            format!("at least {} alerts \"slow\" on {set} within {minutes}m", dice.range(1, 4))
        }
        4 => {
            let (set, _) = set(dice, variable);
            format!("{} on {set}", dice.pick(&["log \"pool\"", "at least 2 events \"BackOff\""]))
        }
        5 => format!("no other rule explains {variable}"),
        6 => "at least 2 alerts \"slow\"".to_owned(),
        7 => format!("alert \"slow\" on {} of {variable}", dice.pick(&["host", "host", "pod"])),
        11 if matches!(kind, "service" | "database" | "redis" | "component") => {
            let quantifier = dice.pick(&["any", "every", "at least 2", "at least 50% of", "no"]);
            format!("{quantifier} pods of {variable} have ({})", atom(dice, "pod", "", ""))
        }
        8 if variables.len() > 1 => {
            format!("{}.cpu_usage > {}.cpu_usage", variables[0].0, variables[1].0)
        }
        9 if variables.len() > 1 => format!("probe from {} to {} fails", variables[0].0, variables[1].0),
        10 if variables.len() > 1 => format!("{} shares host with {}", variables[0].0, variables[1].0),
        _ => {
            let prefix = format!("{variable}.");
            atom(dice, kind, &prefix, &format!("on {variable}"))
        }
    }
}

fn condition(dice: &mut Dice, variables: &[(&str, &str)], depth: u64) -> String {
    if depth == 0 || dice.chance(30) {
        return leaf(dice, variables);
    }
    match dice.below(10) {
        0..=3 => format!("({}) and ({})", condition(dice, variables, depth - 1), condition(dice, variables, depth - 1)),
        4 | 5 => format!("({}) or ({})", condition(dice, variables, depth - 1), condition(dice, variables, depth - 1)),
        6 => format!("not ({})", condition(dice, variables, depth - 1)),
        7 | 8 => {
            let inner = condition(dice, variables, depth - 1);
            if inner.contains("no other rule") { inner } else { format!("({inner}) for {}m", dice.range(1, 4)) }
        }
        _ => leaf(dice, variables),
    }
}

fn rule(dice: &mut Dice, number: usize) -> String {
    let filters = ["", "", "", " where tier = core", " where owner = \"a\"", " where tier != core and owner = \"b\""];
    let kinds = ["database", "redis", "service", "service", "host", "component", "pod"];
    let (given, variables): (String, Vec<(&str, &str)>) = match dice.below(13) {
        0 => (String::new(), Vec::new()),
        1..=5 => {
            let kind = dice.pick(&kinds);
            (format!("x: {kind}{}", dice.pick(&filters)), vec![("x", kind)])
        }
        6 | 7 => (format!("x: service{}, y: database, x depends_on y", dice.pick(&filters)), vec![("x", "service"), ("y", "database")]),
        8 => (
            "x: service, y: redis, z: database, x depends_on y, x depends_on z".to_owned(),
            vec![("x", "service"), ("y", "redis"), ("z", "database")],
        ),
        9 => ("x: service, y: host, x runs_on y".to_owned(), vec![("x", "service"), ("y", "host")]),
        11 => ("x: service, y: pod, x runs_on y".to_owned(), vec![("x", "service"), ("y", "pod")]),
        10 => ("x: host, y: host, x shares subnet with y".to_owned(), vec![("x", "host"), ("y", "host")]),
        _ => ("x: service, y: service, x depends_on y at any distance".to_owned(), vec![("x", "service"), ("y", "service")]),
    };
    let depth = dice.below(4);
    let mut condition = condition(dice, &variables, depth);
    // Every variable must be used or joined; one alone may be in neither.
    if let [(only, kind)] = variables[..]
        && !condition.contains(only)
    {
        condition = format!("({condition}) or {}", atom(dice, kind, &format!("{only}."), &format!("on {only}")));
    }
    let status = if dice.chance(10) { "status draft" } else { "" };
    let (given, conclusion) = if variables.is_empty() {
        (String::new(), "impact component \"s1\"  fault \"f\" at component \"db1\"".to_owned())
    } else {
        (format!("given {given}\n  "), "impact dependents of x".to_owned())
    };
    format!("TOP-{number} \"rule {number}\" {{\n  {given}if {condition}\n  then {conclusion}\n  {status}\n}}")
}

fn step(dice: &mut Dice, focus: &[(&str, &str)], steps: &[Step], estates: usize) -> Step {
    let component = |dice: &mut Dice| if dice.chance(75) { dice.pick(focus).0.to_owned() } else { dice.pick(COMPONENTS).0.to_owned() };
    let maybe = |dice: &mut Dice| if dice.chance(90) { Some(component(dice)) } else { None };
    // Mostly now; some late, a few from the future.
    let at = match dice.below(10) {
        0 => -dice.range(1, 900_000),
        1 => -dice.range(1, 30_000),
        2 if dice.chance(40) => dice.range(1, 120_000),
        _ => 0,
    };
    let text = *dice.pick(TEXTS);
    let level = *dice.pick(LEVELS);
    match dice.below(26) {
        0..=5 => Step::Wait(*dice.pick(&[1, 1000, 15_000, 30_000, 30_000, 60_000, 60_000, 119_999, 120_000, 300_001])),
        6..=13 => {
            let (component, kind) = if dice.chance(75) { *dice.pick(focus) } else { *dice.pick(COMPONENTS) };
            let metric = if dice.chance(12) { "up" } else { *dice.pick(metrics(kind)) };
            let value = match dice.below(20) {
                0 => f64::NAN,
                1..=8 => 95.0,
                9 | 10 => 5.0,
                11 => 0.0,
                _ if metric == "up" => f64::from(u8::from(dice.chance(50))),
                _ => f64::from(i32::try_from(dice.range(0, 101)).unwrap()),
            };
            Step::Sample {
                component: component.to_owned(),
                metric,
                series: if dice.chance(20) { u8::try_from(dice.range(1, 3)).unwrap() } else { 0 },
                at,
                value,
            }
        }
        14..=16 => {
            let ends = match dice.below(4) {
                0 => Some(0),
                1 => Some(dice.range(1, 200_000)),
                _ => None,
            };
            // What is the same alert says the same.
            let number = u8::try_from(dice.below(8)).unwrap();
            let (text, level) = (TEXTS[usize::from(number) % TEXTS.len()], LEVELS[usize::from(number) % LEVELS.len()]);
            let component = ALERTING.get(usize::from(number)).map(|id| (*id).to_owned());
            Step::Alert { component, number, at, ends, text, level }
        }
        17 | 18 => Step::Log { component: maybe(dice), at, text, level },
        19 => Step::Change { component: maybe(dice), at, text: "deploy" },
        20 => Step::Probe {
            from: if dice.chance(50) { Some(component(dice)) } else { None },
            to: component(dice),
            at,
            success: dice.chance(50),
        },
        21 => Step::Report { component: maybe(dice), at, text, region: if dice.chance(50) { "x" } else { "y" } },
        22 if !steps.is_empty() => Step::Again(usize::try_from(dice.below(steps.len() as u64)).unwrap()),
        24..=25 => Step::Event { component: maybe(dice), at, reason: dice.pick::<&str>(REASONS), change: dice.chance(30) },
        23 if dice.chance(30) => Step::Estate(usize::try_from(dice.below(estates as u64)).unwrap()),
        23 if dice.chance(30) => Step::Restart,
        _ => Step::Wait(10_000),
    }
}

pub fn case(seed: u64) -> Case {
    let mut dice = Dice::new(seed);
    // Few components at which much happens.
    let focus: Vec<(&str, &str)> = (0..dice.range(2, 6)).map(|_| *dice.pick(COMPONENTS)).collect();
    let estates: Vec<String> = (0..2).map(|_| estate(&mut dice)).collect();
    let rules = (0..dice.range(2, 9)).map(|number| rule(&mut dice, usize::try_from(number).unwrap())).collect();
    let mut steps = Vec::new();
    for _ in 0..dice.range(30, 110) {
        let next = step(&mut dice, &focus, &steps, estates.len());
        steps.push(next);
    }
    Case { estates, rules, baseline: dice.chance(40), steps }
}
