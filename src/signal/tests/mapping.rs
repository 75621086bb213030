//! What `check` says of `sources.yaml`: names that nobody has, counters read as values, entries that do nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::{MappingRules, Resolver};
use diag::{Diagnostic, Sources};

/// Each finding with its code and line, in the order of the file.
fn findings(text: &str) -> Vec<String> {
    let mut sources = Sources::default();
    let id = sources.add("sources.yaml", text);
    let (rules, mut found) = MappingRules::read(&sources, id);
    found.extend(rules.check(&super::estate()));
    diag::sort(&sources, &mut found);
    let shown = |d: &Diagnostic| {
        let place = d.place.unwrap();
        let line = sources.line_column(place.source, place.span.start).line;
        let help = d.help.clone().map_or_else(String::new, |help| format!(" [{help}]"));
        format!("{} line {line}: {}{help}", d.code, d.message)
    };
    found.iter().map(shown).collect()
}

fn check(text: &str, expected: &[&str]) {
    assert_eq!(findings(text), expected, "{text}");
}

#[test]
fn attributes_that_nobody_has() {
    check(
        "placement:\n  - {label: instance, by: [ipaddr, id]}\n  - {label: box, by: serail}\n  - {label: box, by: [colour]}\n",
        &[
            "F3017 line 2: no component has an attribute `ipaddr` [did you mean `ip`?]",
            "F3017 line 3: no component has an attribute `serail` [did you mean `serial`?]",
            "F3017 line 4: no component has an attribute `colour` [use `id`, `name`, or an attribute of `topology/model.yaml`]",
        ],
    );
    check("placement:\n  - {label: instance, by: [ip, address, serial, name, id]}\n", &[]);
}

#[test]
fn entries_that_stand_there_twice() {
    check(
        "placement:\n  - {label: a, by: [id]}\n  - {label: b}\n  - {by: [id], label: a}\nmetrics:\n  - {series: s, metric: load}\n  - {series: s, metric: load}\nevents:\n  - {type: t, as: change}\n  - {type: t, as: change}\n  - {type: t, as: report}\n",
        &[
            "F3023 line 4: entry 3 of `placement` is the same as entry 1 [delete one of them]",
            "F3023 line 7: entry 2 of `metrics` is the same as entry 1 [delete one of them]",
            "F3023 line 10: entry 2 of `events` is the same as entry 1 [delete one of them]",
            "F3023 line 11: event type `t` has two kinds: the last entry counts [keep one of them]",
        ],
    );
}

#[test]
fn entries_of_placement_that_never_apply() {
    let never = |line: usize, earlier: usize| {
        format!("F3023 line {line}: this entry never applies: entry {earlier} comes first [delete it, or put it before the other one]")
    };
    for (earlier, later, expected) in [
        ("{label: a}", "{label: a, when: {job: x}}", true),
        ("{label: a}", "{label: a, by: [id]}", true),
        ("{label: a, when: {job: [x, y]}}", "{label: a, when: {job: y, env: z}}", true),
        ("{label: a, when: {job: 'x-*'}}", "{label: a, when: {job: x-1}}", true),
        ("{label: a, not: {job: x}}", "{label: a, when: {job: y}}", true),
        ("{label: a, not: {job: x}}", "{label: a, not: {job: [x, y]}}", true),
        ("{drop: true, when: {job: x}}", "{label: a, when: {job: x}}", true),
        ("{drop: true, label: a}", "{label: a, by: [serial]}", true),
        // The later one has something left to do.
        ("{label: a, when: {job: x}}", "{label: a}", false),
        ("{label: a, by: [id]}", "{label: a}", false),
        ("{label: a, pattern: '^(.+)-x$'}", "{label: a}", false),
        ("{label: a}", "{label: a, pattern: '^(.+)-x$'}", false),
        ("{label: a}", "{label: b}", false),
        ("{label: a}", "{drop: true, label: a}", false),
        ("{label: a, when: {job: x-1}}", "{label: a, when: {job: 'x-*'}}", false),
        ("{label: a, not: {job: x}}", "{label: a, when: {job: 'x*'}}", false),
        ("{drop: true, when: {job: x}}", "{label: a, when: {env: x}}", false),
    ] {
        let found = findings(&format!("placement:\n  - {earlier}\n  - {later}\n"));
        assert_eq!(found, if expected { vec![never(3, 1)] } else { Vec::new() }, "{earlier} {later}");
    }
}

#[test]
fn series_that_are_mapped_twice() {
    let map = |entries: &[&str]| {
        let lines: Vec<String> = entries.iter().map(|entry| format!("  - {{series: s, {entry}}}\n")).collect();
        let lines = lines.concat();
        findings(&format!("metrics:\n{lines}")).iter().map(|line| line.split(" [").next().unwrap().to_owned()).collect::<Vec<String>>()
    };
    for (earlier, later, expected) in [
        ("metric: load", "metric: links", Some("`s` is mapped twice: an earlier entry makes it `load`, so it is never `links`")),
        ("metric: load", "metric: load, type: crate", Some("this entry never applies: an earlier one maps `s` already")),
        (
            "metric: load, labels: {a: b}",
            "metric: links, labels: {a: b, c: d}",
            Some("`s` is mapped twice: an earlier entry makes it `load`, so it is never `links`"),
        ),
        (
            "metric: load, labels: {a: b}",
            "metric: links, labels: {c: d}",
            Some("`s` is mapped twice: where both entries fit, it is `load`, not `links`"),
        ),
        // From the special to the general, and apart.
        ("metric: load, labels: {a: b}", "metric: links", None),
        ("metric: load, type: crate", "metric: links, type: box", None),
        ("metric: load, labels: {a: b}", "metric: links, labels: {a: c}", None),
        ("metric: load, labels: {a: b}", "metric: load, labels: {c: d}", None),
    ] {
        let earlier = if earlier.contains("type") { earlier.to_owned() } else { format!("{earlier}, type: box") };
        let later = if later.contains("type") { later.to_owned() } else { format!("{later}, type: box") };
        let expected: Vec<String> = expected.into_iter().map(|message| format!("F3023 line 3: {message}")).collect();
        assert_eq!(map(&[earlier.as_str(), later.as_str()]), expected, "{earlier} | {later}");
    }
}

#[test]
fn counters_for_metrics_that_are_none() {
    check(
        "metrics:\n  - {series: requests_total, metric: load, type: box}\n  - {series: requests_total, metric: delay, unit: ms, type: box}\n  - {series: a, metric: load, as: rate, type: box}\n  - {series: b, metric: hits, as: increase, type: box}\n  - {series: c, metric: load, unit: ms, type: box}\n",
        &[
            "F2007 line 2: series `requests_total` is a counter, and metric `load` is a percentage [map it to a metric in `/s`, `/min` or a count; write `as: value` if its values do not add up]",
            "F2007 line 3: series `requests_total` is a counter, and metric `delay` is a duration [map it to a metric in `/s`, `/min` or a count; write `as: value` if its values do not add up]",
            "F2007 line 4: the rise of series `a` cannot be metric `load`, which is a percentage [use `as: rate` for a metric per time, `as: increase` for a count, and the `unit` of what the series counts]",
            "F2007 line 5: the rise of series `b` cannot be metric `hits`, which is a rate of events [use `as: rate` for a metric per time, `as: increase` for a count, and the `unit` of what the series counts]",
            "F2007 line 6: series `c` in `ms` cannot be mapped to metric `load`, which is a percentage [use a unit like that of `90%`]",
        ],
    );
    check(
        "metrics:\n  - {series: a, metric: hits, as: pace}\n  - {series: a, metric: hits, over: 5m}\n  - {series: b_total, metric: hits, over: soon}\n",
        &[
            "F3019 line 2: unknown reading `pace` [use one of rate, increase, value]",
            "F3019 line 3: `over` without a counter [add `as: rate` or `as: increase`, or leave it out]",
            "F3019 line 4: invalid duration `soon` [use a number and a unit, like `5m` or `90s`]",
        ],
    );
}

#[test]
fn parts_of_histograms_that_are_read_as_values() {
    let told = |series: &str| {
        format!(
            "F2007 line 2: series `{series}` is called like a part of a histogram, which only climbs, but is read as a value [say `as: rate` or \
             `as: increase`; write `as: value` if it is none]"
        )
    };
    for (entry, expected) in [
        ("series: lat_seconds_sum, metric: delay, unit: s", Some("lat_seconds_sum")),
        ("series: lat_seconds_count, metric: links", Some("lat_seconds_count")),
        ("series: lat_seconds_count, metric: links, unit: count", Some("lat_seconds_count")),
        ("series: lat_seconds_bucket, metric: hits", Some("lat_seconds_bucket")),
        ("series: requests_count, metric: links", Some("requests_count")),
        // A gauge, as somebody says.
        ("series: pg_stat_activity_count, metric: links, unit: count", None),
        ("series: lat_seconds_sum, metric: delay, unit: s, as: value", None),
        ("series: lat_seconds_count, metric: hits, as: rate", None),
        ("series: lat_seconds_count, metric: hits, query: 'rate(lat_seconds_count[5m])'", None),
        ("series: summer, metric: links", None),
    ] {
        let expected: Vec<String> = expected.into_iter().map(told).collect();
        assert_eq!(findings(&format!("metrics:\n  - {{{entry}, type: box}}\n")), expected, "{entry}");
    }
}

#[test]
fn metrics_of_the_model_that_are_called_like_counters() {
    let mut sources = Sources::default();
    let model =
        sources.add("model.yaml", "types:\n  box:\n    metrics:\n      waits_total: ms\n      moves_total: /s\n      sent_total: B\n");
    let topology = sources.add("topology.yaml", "components: [{id: a, type: box}]");
    let (estate, _) = estate::build(&sources, &[model], &[topology]);
    let rules = MappingRules::default();
    let found: Vec<String> = rules.check(&estate).iter().map(|d| format!("{} {}", d.code, d.message)).collect();
    assert_eq!(found, ["F2007 metric `waits_total` is called like a counter, but is a duration"]);
    let resolver = Resolver::new(&rules, &estate);
    for (series, is_read) in [("waits_total", false), ("moves_total", true), ("sent_total", true)] {
        let found = resolver.metric(series, &BTreeMap::new(), estate.find("a").unwrap());
        assert_eq!(found.is_some_and(|found| found.counter.is_some()), is_read, "{series}");
    }
}

#[test]
fn patterns_that_fit_everything() {
    let every = |written: &str| {
        format!(
            "F3023 line 2: `{}` fits every value, and labels that are missing [leave it out, or write `/.+/` for a label that is there]",
            written.trim_matches('\'')
        )
    };
    let nothing = |written: &str| {
        vec![format!(
            "F3023 line 2: `{written}` fits every text, and takes nothing of most [leave it out, or say what stands around the part that names the component]"
        )]
    };
    for (entry, expected) in [
        ("{label: a, when: {job: '*'}}", vec![every("*")]),
        ("{label: a, not: {job: /.*/}}", vec![every("/.*/")]),
        ("{label: a, when: {job: /.+/}}", vec![]),
        ("{label: a, when: {job: 'node-*'}}", vec![]),
        (
            "{label: a, pattern: '^(.+)$'}",
            vec!["F3023 line 2: `^(.+)$` takes every text as it is [leave it out, or say what stands around the part that names the component]".to_owned()],
        ),
        ("{label: a, pattern: '^(.+):80$'}", vec![]),
        ("{label: a, pattern: '()'}", nothing("()")),
        ("{label: a, pattern: '(a|)'}", nothing("(a|)")),
        ("{label: a, pattern: '(^)'}", nothing("(^)")),
        ("{label: a, pattern: 'x*($)'}", nothing("x*($)")),
        ("{label: a, pattern: '^([a-z]*)'}", vec![]),
        ("{label: a, pattern: '^(.*)-[0-9]+$'}", vec![]),
        ("{label: a, when: {job: ['/^/', '/()/']}}", vec![every("/^/"), every("/()/")]),
        (
            "{label: a, when: {job: '/(/'}}",
            vec!["F3019 line 2: invalid regular expression `(`: unclosed group [use the syntax of the Rust crate `regex`]".to_owned()],
        ),
    ] {
        assert_eq!(findings(&format!("placement:\n  - {entry}\n")), expected, "{entry}");
    }
}

#[test]
fn conditions_with_patterns() {
    let estate = super::estate();
    for (condition, job, fits) in [
        ("when: {job: 'node-*'}", "node-7", true),
        ("when: {job: 'node-*'}", "anode-7", false),
        ("when: {job: 'node-*'}", "", false),
        ("when: {job: '*-1.2'}", "node-1x2", false),
        ("when: {job: '/^node-[0-9]$/'}", "node-7", true),
        ("when: {job: '/^node-[0-9]$/'}", "node-77", false),
        ("when: {job: [mysql, 'node-*']}", "node-7", true),
        ("not: {job: 'node-*'}", "node-7", false),
        ("not: {job: 'node-*'}", "mysql", true),
        // Not a pattern: a path, and one slash.
        ("when: {job: /}", "/", true),
    ] {
        let mut sources = Sources::default();
        let id = sources.add("sources.yaml", format!("builtin: false\nplacement:\n  - {{label: box, {condition}}}\n"));
        let (rules, found) = MappingRules::read(&sources, id);
        assert!(found.is_empty(), "{found:?}");
        let labels = BTreeMap::from([("box".to_owned(), "order-db".to_owned()), ("job".to_owned(), job.to_owned())]);
        assert_eq!(Resolver::new(&rules, &estate).place(&labels).is_some(), fits, "{condition} {job}");
    }
}

/// Series that may be metrics which rules read: what a server is asked for.
#[test]
fn where_a_metric_may_come_from() {
    let mut sources = Sources::default();
    let text = "metrics:\n  - {series: box_cpu_seconds_total, metric: load, labels: {mode: busy}}\n  - {series: lag, metric: 延时, unit: s, query: 'max by (box) (lag)'}\n  - {series: same, metric: delay, query: same}\n  - {series: elsewhere, metric: load, type: service}\n  - {series: unread, metric: hits}\n";
    let id = sources.add("sources.yaml", text);
    let (rules, found) = MappingRules::read(&sources, id);
    assert!(found.is_empty(), "{found:?}");
    let wanted = rules.wanted(&BTreeSet::from(["delay", "load", "nobody_has_it"]), &super::estate());
    let shown: Vec<String> = wanted
        .iter()
        .map(|one| {
            let labels = one.labels.iter().map(|(name, value)| format!("{name}={value}"));
            let query = one.query.iter().map(|query| format!("= {query}"));
            [one.series.clone()].into_iter().chain(labels).chain(query).collect::<Vec<_>>().join(" ")
        })
        .collect();
    let expected = [
        "box_cpu_seconds_total mode=busy",
        "delay",
        "delay_days",
        "delay_hours",
        "delay_microseconds",
        "delay_milliseconds",
        "delay_minutes",
        "delay_ms",
        "delay_seconds",
        "delay_us",
        "lag = max by (box) (lag)",
        "load",
        "load_percent",
        "load_percentage",
        "load_ratio",
        "same",
    ];
    assert_eq!(shown, expected);
}
