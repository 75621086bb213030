use std::fmt::Write;

use crate::{Counts, Facts, MappingRules, read_facts};
use diag::{Diagnostic, Sources};
use estate::{self, Snapshot};

use super::{check, check_error, facts, render};

const FILE: &str = "traces.json";

/// 2025-06-01T10:00:00Z in milliseconds.
const TEN: i64 = 1_748_772_000_000;

const SERVER: usize = 2;
const CLIENT: usize = 3;

/// A span; times are milliseconds after 10:00.
#[derive(Clone)]
struct One {
    service: &'static str,
    trace: usize,
    id: u64,
    parent: u64,
    kind: usize,
    start: i64,
    end: Option<i64>,
    /// The address that is called.
    peer: &'static str,
    error: bool,
}

/// A request of 100 ms that `order-service` answers.
fn server(service: &'static str, trace: usize, start: i64) -> One {
    One { service, trace, id: 1, parent: 0, kind: SERVER, start, end: Some(start + 100), peer: "", error: false }
}

/// Five requests, 10 seconds apart; 80 ms of each the service waits for `order-db`, which sends no spans. The last call fails.
fn recording() -> Vec<One> {
    let pair = |n: usize| {
        let start = i64::try_from(n).unwrap() * 10_000;
        let call = One {
            id: 2,
            parent: 1,
            kind: CLIENT,
            start: start + 10,
            end: Some(start + 90),
            peer: "10.0.0.1",
            error: n == 4,
            ..server("order-service", n + 1, start)
        };
        [server("order-service", n + 1, start), call]
    };
    (0..5).flat_map(pair).collect()
}

const EXPECTED: &[&str] = &[
    "series order-db call_duration* 10:00:40=80",
    "series order-db call_error_percent* 10:00:40=20",
    "series order-service span_duration* 10:00:40=100",
    "series order-service span_error_percent* 10:00:40=0",
    "series order-service span_own_time* 10:00:40=20",
    "F4009 `traces.json`: calls seen but not in the topology: order-service -> order-db (5 spans)",
];

fn otlp(spans: &[One]) -> String {
    let mut all = Vec::new();
    for One { service, trace, id, parent, kind, start, end, peer, error } in spans {
        let end = end.map_or_else(String::new, |end| format!(r#","endTimeUnixNano":"{}000000""#, TEN + end));
        let peer =
            if peer.is_empty() { String::new() } else { format!(r#"{{"key":"server.address","value":{{"stringValue":"{peer}"}}}}"#) };
        let status = if *error { r#"{"code":2,"message":"refused"}"# } else { "{}" };
        all.push(format!(
            r#"{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{service}"}}}}]}},"scopeSpans":[{{"spans":[
            {{"traceId":"{trace:032x}","spanId":"{id:016x}","parentSpanId":"{parent:016x}","kind":{kind},"startTimeUnixNano":"{}000000"{end},"attributes":[{peer}],"status":{status}}}]}}]}}"#,
            TEN + start
        ));
    }
    format!(r#"{{"resourceSpans":[{}]}}"#, all.join(","))
}

fn jaeger(spans: &[One]) -> String {
    let mut all = Vec::new();
    for One { service, trace, id, parent, kind, start, end, peer, error } in spans {
        let parent =
            if *parent == 0 { String::new() } else { format!(r#"{{"refType":"CHILD_OF","traceID":"{trace:x}","spanID":"{parent:x}"}}"#) };
        let kind = if *kind == SERVER { "server" } else { "client" };
        all.push(format!(
            r#"{{"traceID":"{trace:x}","spans":[{{"traceID":"{trace:x}","spanID":"{id:x}","references":[{parent}],"startTime":{}000,"duration":{}000,
            "tags":[{{"key":"span.kind","type":"string","value":"{kind}"}},{{"key":"error","type":"bool","value":{error}}},{{"key":"peer.ipv4","value":"{peer}"}}],
            "logs":[],"processID":"p1","warnings":null}}],"processes":{{"p1":{{"serviceName":"{service}","tags":[]}}}}}}"#,
            TEN + start,
            end.unwrap() - start
        ));
    }
    format!(r#"{{"data":[{}],"total":0,"errors":null}}"#, all.join(","))
}

fn zipkin(spans: &[One]) -> String {
    let mut all = Vec::new();
    for One { service, trace, id, parent, kind, start, end, peer, error } in spans {
        let parent = if *parent == 0 { String::new() } else { format!(r#""parentId":"{parent:016x}","#) };
        let kind = if *kind == SERVER { "SERVER" } else { "CLIENT" };
        let remote = if peer.is_empty() { String::new() } else { format!(r#""remoteEndpoint":{{"ipv4":"{peer}"}},"#) };
        let tags = if *error { r#"{"error":"refused"}"# } else { "{}" };
        all.push(format!(
            r#"{{"traceId":"{trace:016x}",{parent}"id":"{id:016x}","kind":"{kind}",{remote}"timestamp":{}000,"duration":{}000,"localEndpoint":{{"serviceName":"{service}"}},"tags":{tags}}}"#,
            TEN + start,
            end.unwrap() - start
        ));
    }
    format!("[{}]", all.join(","))
}

#[test]
fn all_formats_say_the_same() {
    let spans = recording();
    check(FILE, &otlp(&spans), EXPECTED);
    check(FILE, &jaeger(&spans), EXPECTED);
    check(FILE, &zipkin(&spans), EXPECTED);
    // Lists of lists; one document a line, in any order; one trace without its list; names of older versions.
    check(FILE, &format!("[{},[]]", zipkin(&spans)), EXPECTED);
    let lines: Vec<String> = spans.chunks(1).rev().map(otlp).collect();
    check(FILE, &lines.join("\n"), EXPECTED);
    check(FILE, &spans.chunks(1).map(jaeger).collect::<String>(), EXPECTED);
    check(FILE, &otlp(&spans).replace("resourceSpans", "batches").replace("scopeSpans", "instrumentationLibrarySpans"), EXPECTED);
    check(FILE, &format!(r#"{{"result":{}}}"#, otlp(&spans)), EXPECTED);
    // The healthy time goes beside, and what the topology lacks is not told twice.
    let beside: Vec<String> = EXPECTED.iter().filter(|l| l.starts_with("series")).map(|l| l.replace("series", "baseline")).collect();
    check("baseline-traces.json", &otlp(&spans), &beside.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn work_that_stops_is_a_rate_of_zero() {
    let mut spans = Vec::new();
    let minutes = ["order-service twin-1", "order-service twin-1", "twin-1", "order-service twin-1", "order-service twin-1"];
    for (minute, services) in (0i64..).zip(minutes) {
        for service in services.split_whitespace() {
            for n in 0..6 {
                spans.push(server(service, spans.len() + 1, minute * 60_000 + n * 10_000));
            }
        }
    }
    let text = render(&[(FILE, &otlp(&spans))]);
    let of = |metric: &str| text.lines().filter(|line| line.contains(metric)).collect::<Vec<_>>();
    // Six in sixty seconds. The first and the last minute are not whole.
    assert_eq!(
        of("span_rate"),
        [
            "series order-service span_rate* 10:02:00=0.1 10:03:00=0 10:04:00=0.1",
            "series twin-1 span_rate* 10:02:00=0.1 10:03:00=0.1 10:04:00=0.1",
        ]
    );
    // How long nothing takes is not known.
    assert_eq!(
        of("order-service span_duration"),
        ["series order-service span_duration* 10:01:00=100 10:02:00=100 10:04:00=100 10:04:50=100"]
    );
}

#[test]
fn every_span_is_in_one_place() {
    let mut spans: Vec<One> = (0..5).map(|n| server("order-service", n + 1, i64::try_from(n).unwrap() * 10_000)).collect();
    spans.push(spans[0].clone());
    spans.push(server("order-service", 0, 0));
    spans.push(One { end: None, ..server("order-service", 7, 0) });
    spans.push(One { end: Some(-1), ..server("order-service", 8, 0) });
    spans.push(server("nobody", 9, 0));
    check(
        FILE,
        &otlp(&spans),
        &[
            "series order-service span_duration* 10:00:40=100",
            "series order-service span_error_percent* 10:00:40=0",
            "series order-service span_own_time* 10:00:40=100",
            "unread 6 span: no trace or span id",
            "unread 7 span: missing or invalid start or end",
            "unread 8 span: end before start",
            "F4002 `traces.json`: spans rejected, no trace or span id: 1 (the first: span 6)",
            "F4003 `traces.json`: spans rejected, end before start: 1 (the first: span 8)",
            "F4003 `traces.json`: spans rejected, missing or invalid start or end: 1 (the first: span 7)",
            "F4008 `traces.json`: services not placed on a component: `nobody` (1 span)",
        ],
    );
    let (_, counts, _) = facts(&[(FILE, &otlp(&spans))]);
    let rejected: usize = counts.spans.rejected.values().sum();
    assert_eq!((counts.spans.received, counts.spans.kept, counts.spans.duplicates, rejected), (10, 6, 1, 3));
    assert_eq!((counts.spans.unplaced, counts.series.received, counts.samples.kept), (1, 3, 3));
}

#[test]
fn files_that_cannot_be_read() {
    let spans = recording();
    check(FILE, "[]", &[]);
    check(FILE, r#"{"data":[]}"#, &[]);
    check(FILE, r#"{"resourceSpans":[]}"#, &[]);
    check_error(FILE, "{}", "F4001", "`traces.json` contains no spans");
    check_error(
        FILE,
        r#"{"data":null,"errors":[{"code":404,"msg":"trace not found"}]}"#,
        "F4001",
        "`traces.json` contains a Jaeger error instead of data: trace not found",
    );
    check_error(FILE, r#"{"status":"success","data":{"result":[]}}"#, "F4001", "`traces.json` line 1 column ");
    check_error(FILE, &"[".repeat(1_000_000), "F4001", "`traces.json` line 1 column ");
    let whole = otlp(&spans);
    let cut = whole.get(..whole.len() - 9).unwrap();
    check_error(FILE, cut, "F4001", "`traces.json` line ");
    // A collector that still writes leaves a last line that ends anywhere, a proxy answers with a page: each costs only itself.
    let page = "<html>\n<body>502 Bad Gateway</body>\n</html>";
    for (input, warning) in [
        (format!("{whole}\n{cut}"), "answers set aside, cut off: 1 (the first: answer 1 in line "),
        (format!("{cut}\n{whole}"), "answers set aside, invalid JSON: 1 (the first: answer 0 in line 1"),
        (format!("{whole}\n{page}"), "answers set aside, an HTML page: 1 (the first: answer 1 in line "),
        (format!("{page}\n{}", jaeger(&spans)), "answers set aside, an HTML page: 1 (the first: answer 0 in line 1"),
        (format!("[17,\n{whole}]"), "answers set aside, of another shape: 1 (the first: answer 0 in line 1"),
    ] {
        let text = render(&[(FILE, &input)]);
        assert_eq!(text.lines().count(), EXPECTED.len() + 1, "{input}\n{text}");
        assert!(EXPECTED.iter().all(|line| text.contains(line)) && text.contains(warning), "{input}\n{text}");
    }
    check_error(FILE, page, "F4001", "`traces.json` line 1 column ");
    let mut expected = EXPECTED.to_vec();
    expected.insert(5, "F4002 `traces.json`: objects skipped, not spans: 1");
    check(FILE, &format!("{whole}\n{{}}"), &expected);
    let mut expected = EXPECTED.to_vec();
    expected.insert(5, "F4001 `traces.json`: answers set aside, an error of Jaeger: 1 (the first: trace not found)");
    let refused = r#"{"data":null,"errors":[{"code":404,"msg":"trace not found"}]}"#;
    check(FILE, &format!("{whole}\n{refused}"), &expected);
    check(FILE, &format!("{refused}\n{whole}"), &expected);
    // One of several traces that were asked for is not there; a sender says what is missing, each in its way.
    let partly = |said: &str| jaeger(&spans).replace("\"errors\":null", said);
    let mut expected = EXPECTED.to_vec();
    expected.insert(5, "F4002 `traces.json`: the sender warns: trace not found: 1 (the first: answer 0 in line 1)");
    check(FILE, &partly(r#""errors":[{"code":404,"msg":"trace not found","traceID":"abc"}]"#), &expected);
    check(FILE, &partly(r#""errors":["trace not found"]"#), &expected);
    check(FILE, &partly(r#""errors":[],"warnings":["trace not found"]"#), &expected);
    let tempo = format!(r#"{{"trace":{},"status":"PARTIAL","message":"trace not found"}}"#, otlp(&spans));
    check(FILE, &tempo, &expected);
    check(FILE, &tempo.replace("PARTIAL", "COMPLETE"), EXPECTED);
    let mut expected = EXPECTED.to_vec();
    expected.insert(5, r#"F4002 `traces.json`: the sender warns: {"code":500}: 1 (the first: answer 0 in line 1)"#);
    check(FILE, &partly(r#""errors":[{"code":500}]"#), &expected);
    check(
        FILE,
        &otlp(spans.get(..2).unwrap()),
        &[
            "F4002 `traces.json`: 2 spans are too few: a component needs at least 5 within 1m",
            "F4009 `traces.json`: calls seen but not in the topology: order-service -> order-db (1 span)",
        ],
    );
}

fn against(model: &str, topology: &str, traces: &str) -> (Facts, Counts, Vec<Diagnostic>, Snapshot) {
    let mut sources = Sources::default();
    let models: Vec<_> = (!model.is_empty()).then(|| sources.add("model.yaml", model)).into_iter().collect();
    let topology = sources.add("topology.yaml", topology);
    let (snapshot, diagnostics) = estate::build(&sources, &models, &[topology]);
    assert!(!diagnostics.iter().any(Diagnostic::is_error), "{diagnostics:?}");
    let (facts, counts, diagnostics) = read_facts(&super::bundle(&[(FILE, traces)]), &snapshot, &MappingRules::default());
    assert!(counts.adds_up(), "{counts:?}");
    (facts, counts, diagnostics, snapshot)
}

#[test]
fn calls_that_the_topology_lacks() {
    let topology = r"
components: [{id: web, type: service}, {id: cart, type: service}, {id: cart-pod, type: pod}, {id: stock, type: service}]
relations:
  - {from: web, kind: calls, to: cart}
  - {from: cart, kind: runs_on, to: cart-pod}
  - {from: cart, kind: calls, to: stock}
";
    // web calls the pod, the pod calls stock for the service on it; nobody said that stock calls web.
    let chain = ["web", "cart-pod", "stock", "web"];
    let spans: Vec<One> = (1u64..).zip(chain).map(|(id, service)| One { id, parent: id - 1, ..server(service, 1, 0) }).collect();
    let (_, _, diagnostics, _) = against("", topology, &otlp(&spans));
    let told: Vec<String> = diagnostics.iter().filter(|d| d.code.0 == "F4009").map(|d| d.message.to_string()).collect();
    assert_eq!(told, ["`traces.json`: calls that only the traces show, used as relations: stock -> web (1 span)"]);
}

#[test]
fn metrics_that_the_model_declares() {
    let model = "types: {shop: {parent: component, zh: 店, metrics: {span_own_time: {unit: s, zh: 自身耗时}, span_duration: {unit: count, zh: 耗时}}}}";
    let spans: Vec<One> = recording().into_iter().map(|one| One { service: "web", ..one }).collect();
    let (facts, counts, diagnostics, estate) = against(model, "components: [{id: web, type: shop}]", &otlp(&spans));
    let web = estate.find("web").unwrap();
    let own = facts.series(web, "span_own_time").next().unwrap();
    assert!(own.modelled);
    assert_eq!(own.points.first().map(|(_, value)| *value), Some(20.0), "milliseconds, the base unit of seconds too");
    assert_eq!(facts.series(web, "span_duration").count(), 0);
    assert_eq!((counts.series.received, counts.series.kept), (3, 2));
    let told: Vec<String> = diagnostics.iter().filter(|d| d.code.0 == "F4007").map(|d| d.message.to_string()).collect();
    let expected =
        "`traces.json`: series skipped, the model declares this metric with an incompatible unit: 1 (the first: `span_duration` of web)";
    assert_eq!(told, [expected]);
}

#[test]
fn many_spans() {
    let mut text = String::new();
    for n in 0..20_000 {
        let start = i64::try_from(n).unwrap() * 10;
        let call = One { id: 2, parent: 1, kind: CLIENT, peer: "10.0.0.1", ..server("order-service", n + 1, start) };
        writeln!(text, "{}", otlp(&[server("order-service", n + 1, start), call])).unwrap();
    }
    let (read, counts, _) = facts(&[(FILE, &text)]);
    assert_eq!((counts.spans.received, counts.spans.kept), (40_000, 40_000));
    // A hundred requests a second, over 200 seconds: minutes 1 and 2 are whole.
    let web = super::estate().find("order-service").unwrap();
    let rates: Vec<f64> = read.series(web, "span_rate").next().unwrap().points.iter().map(|(_, value)| *value).collect();
    assert_eq!(rates, [100.0, 100.0]);
    assert!(read.series(web, "span_own_time_p95").next().is_some(), "enough for a percentile");
}

/// The incident of the folder: of three services in a row the middle one itself becomes slow.
#[test]
fn the_slow_middle() {
    let traces = include_str!("../../../tests/incidents-anomaly/slow-middle/traces.json");
    let topology = include_str!("../../../tests/incidents-anomaly/slow-middle/topology.json");
    let (facts, counts, diagnostics, estate) = against("", topology, traces);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    assert_eq!((counts.spans.received, counts.spans.kept, counts.spans.unplaced), (400, 400, 0));
    for (service, before, after) in [("web", 10.0, 10.0), ("cart", 20.0, 220.0), ("stock", 15.0, 15.0)] {
        let series = facts.series(estate.find(service).unwrap(), "span_own_time").next().unwrap();
        let values: Vec<f64> = series.points.iter().map(|(_, value)| *value).collect();
        assert_eq!(values.len(), 10, "{service}");
        assert_eq!(
            (values[..6].iter().all(|v| *v == before), values[6..].iter().all(|v| *v == after)),
            (true, true),
            "{service}: {values:?}"
        );
    }
    // In all, the one above is slow too.
    let web = facts.series(estate.find("web").unwrap(), "span_duration").next().unwrap();
    let (first, last) = (web.points.first().unwrap().1, web.points.last().unwrap().1);
    assert!(first < 60.0 && last > 240.0, "{first} {last}");
}
