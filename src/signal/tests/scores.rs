use std::collections::BTreeSet;
use std::fmt::Write;

use crate::{Counts, Facts, MappingRules, Resolver, Score, ScoreFrame, add_scores, read_facts};
use diag::Sources;
use value::Time;

use super::{bundle, estate, lines};

/// `sources.yaml` with these entries.
fn placement(text: &str) -> MappingRules {
    let mut sources = Sources::default();
    let id = sources.add("sources.yaml", text);
    let (placement, diagnostics) = MappingRules::read(&sources, id);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    assert!(placement.check(&estate()).is_empty());
    placement
}

fn line(score: &Score) -> String {
    let estate = estate();
    let component = score.component.map_or_else(|| format!("?{}", score.named), |c| estate.component(c).id.clone());
    let onset = score.onset.map_or_else(String::new, |onset| format!(" since {}", onset.clock()));
    format!("{component} {} {}{onset} {} {:.3}", score.metric.as_deref().unwrap_or("-"), score.time.clock(), score.source, score.tail)
}

/// Scores, what was set aside, and diagnostics, one a line; then how many there were of each kind.
fn render(sources: &str, files: &[(&str, &str)]) -> String {
    let (facts, counts, diagnostics) = read_facts(&bundle(files), &estate(), &placement(sources));
    assert!(counts.adds_up(), "{counts:?}");
    let mut text: String = facts.scores.iter().flat_map(|score| [line(score), "\n".to_owned()]).collect();
    for unread in &facts.unread {
        writeln!(text, "unread {} {}", unread.origin.index, unread.reason).unwrap();
    }
    for diagnostic in &diagnostics {
        writeln!(text, "{} {}", diagnostic.code, diagnostic.message).unwrap();
    }
    text
}

fn check(file: &str, input: &str, expected: &[&str]) {
    assert_eq!(render("", &[(file, input)]), lines(expected), "{input}");
}

/// A score at 10:00:00 of `m`, with further fields, each with a comma behind it.
fn score(more: &str) -> String {
    format!(r#"{{{more}"origin":"m","time":"2025-06-01T10:00:00Z"}}"#)
}

#[test]
fn scores_of_files() {
    for (more, expected) in [
        (r#""component":"order-db","score":0.97,"#, "order-db - 10:00:00 m 0.030"),
        (r#""component":"订单数据库","metric":"load","score":1,"#, "order-db load 10:00:00 m 0.000"),
        // Under the model's name for the metric.
        (r#""component":"order-db","metric":"delay_seconds","score":0,"scale":"p_value","#, "order-db delay 10:00:00 m 0.000"),
        (r#""labels":{"instance":"10.0.0.1:9104"},"score":-1.959964,"scale":"z","#, "order-db - 10:00:00 m 0.050"),
        (r#""component":"order-dbx","score":0.5,"onset":"2025-06-01T09:59:00Z","#, "?order-dbx - 10:00:00 since 09:59:00 m 0.500"),
        (
            r#""labels":{"job":"x","pod":"y"},"metric":null,"score":0.5,"onset":1748771999,"#,
            "?job=x, pod=y - 10:00:00 since 09:59:59 m 0.500",
        ),
    ] {
        check("scores.json", &score(more), &[expected]);
    }
    let epoch = r#"{"component":"order-db","score":0.9,"origin":"m","time":1748772000.5}"#;
    check("scores.ndjson", epoch, &["order-db - 10:00:00 m 0.100"]);
}

#[test]
fn each_is_one_and_a_later_one_counts() {
    let (first, second) = (score(r#""component":"order-db","score":0.9,"#), score(r#""component":"订单数据库","score":0.8,"#));
    let expected = &["order-db - 10:00:00 m 0.200"];
    for (file, text) in [("scores.json", format!("[{first},{second}]")), ("scores.ndjson", format!("{first}\n\n{second}\n"))] {
        check(file, &text, expected);
    }
    let files = [("scores.json", first.as_str()), ("scores.ndjson", second.as_str())];
    assert_eq!(render("", &files), lines(expected));
    let (_, counts, _) = read_facts(&bundle(&files), &estate(), &MappingRules::default());
    assert_eq!((counts.scores.received, counts.scores.kept, counts.scores.duplicates), (2, 1, 1));
}

#[test]
fn what_is_no_score_is_set_aside_with_its_reason() {
    for (entry, expected) in [
        (score(r#""component":"order-db","score":1.2,"#), "`score` out of range (`probability`: 0 to 1), `score` is `1.2`"),
        (score(r#""component":"order-db","score":-0.1,"scale":"p_value","#), "`score` out of range (`p_value`: 0 to 1), `score` is `-0.1`"),
        (score(r#""component":"order-db","score":"NaN","#), "no numeric `score`, `score` is `NaN`"),
        (score(r#""component":"order-db","score":null,"#), "no numeric `score`"),
        (
            score(r#""component":"order-db","score":0.5,"scale":"percent","#),
            "unknown `scale` (known: `probability`, `p_value`, `z`), `scale` is `percent`",
        ),
        (score(r#""score":0.5,"#), "no component: expected `component`, a string, or `labels`, an object of strings"),
        (
            score(r#""component":"order-db","score":0.5,"onset":"2025-06-01T10:00:01Z","#),
            "`onset` is after `time`, `onset` is `2025-06-01T10:00:01Z`",
        ),
        (r#"{"component":"order-db","score":0.5,"origin":"m"}"#.to_owned(), "no `time`"),
        (
            r#"{"component":"order-db","score":0.5,"origin":"m","time":1748772000000}"#.to_owned(),
            "invalid `time` (use RFC 3339 or seconds since 1970), `time` is `1748772000000`",
        ),
        (r#"{"component":"order-db","score":0.5,"time":"2025-06-01T10:00:00Z"}"#.to_owned(), "no `origin`, one line that names the model"),
        ("7".to_owned(), "no component: expected `component`, a string, or `labels`, an object of strings"),
    ] {
        let good = score(r#""component":"order-db","score":0.5,"#);
        let text = render("", &[("scores.json", &format!("[{good},{entry}]"))]);
        let second = text.lines().nth(1).unwrap_or("");
        assert_eq!(second, format!("unread 1 score: {expected}"), "{entry}");
    }
    // A last line that was cut off costs only itself.
    let torn = format!("{}\n{{\"component\":", score(r#""component":"order-db","score":0.5,"#));
    assert!(
        render("", &[("scores.ndjson", &torn)]).starts_with("order-db - 10:00:00 m 0.500\nunread 1 score: invalid JSON, line 2 column ")
    );
    let torn = format!("[{},\n{{\"component\":", score(r#""component":"order-db","score":0.5,"#));
    assert!(render("", &[("scores.json", &torn)]).starts_with("order-db - 10:00:00 m 0.500\nunread 1 score: invalid JSON, line 2 column "));
    for (text, expected) in [("nothing", "F4001 `scores.json` line 1 column "), (r#"{"a":1}"#, "F4001 `scores.json` contains no scores")] {
        assert!(render("", &[("scores.json", text)]).starts_with(expected), "{text}");
    }
    check("scores.json", "[]", &[]);
}

const RECORDED: &str = r#"{"data":{"result":[
{"metric":{"__name__":"box:anomaly","component":"order-db"},"values":[[1748772000,"0.2"],[1748772060,"0.96"],[1748772120,"0.99"],[1748772180,"NaN"],[1748772240,"7"]]},
{"metric":{"__name__":"load","component":"order-db"},"values":[[1748772000,"1"]]}]}}"#;

#[test]
fn a_recorded_series_may_be_a_score() {
    let sources = "scores:\n  - {series: 'box:anomaly', metric: load, origin: sre-model}\n";
    let files = [("metrics.json", RECORDED)];
    let expected = &[
        "order-db load 10:00:00 sre-model 0.800",
        "order-db load 10:01:00 sre-model 0.040",
        "order-db load 10:02:00 sre-model 0.010",
        "F4002 `metrics.json`: score samples rejected, out of range (`probability`: 0 to 1): 2 (the first: series 0, `box:anomaly`)",
    ];
    assert_eq!(render(sources, &files), lines(expected));
    let (facts, counts, _) = read_facts(&bundle(&files), &estate(), &placement(sources));
    // It is a score and no series: our own detectors do not judge it.
    assert_eq!(facts.series.iter().map(|s| s.metric.as_str()).collect::<Vec<_>>(), ["load"]);
    assert_eq!((counts.series.received, counts.series.kept, counts.scores.received, counts.scores.kept), (1, 1, 5, 3));
    // Without the entry it is a series like any other.
    assert_eq!(read_facts(&bundle(&files), &estate(), &MappingRules::default()).0.series.len(), 2);
}

#[test]
fn the_last_word_of_each_model() {
    let sources = "scores:\n  - {series: 'box:anomaly', metric: load, origin: sre-model}\n";
    let more = [
        score(r#""component":"order-db","metric":"load","score":0.3,"#),
        score(r#""component":"order-service","score":0.99,"onset":"2025-06-01T09:00:00Z","#),
    ];
    let text = format!("[{}]", more.join(","));
    let (facts, ..) = read_facts(&bundle(&[("metrics.json", RECORDED), ("scores.json", &text)]), &estate(), &placement(sources));
    let at = |from: &str, to: &str| {
        let time = |clock: &str| Time::parse(&format!("2025-06-01T{clock}Z")).unwrap();
        facts.scores_at(time(from), time(to)).iter().map(line).collect::<Vec<_>>()
    };
    let all = ["order-db load 10:00:00 m 0.700", "order-service - 10:00:00 since 09:00:00 m 0.010"];
    assert_eq!(at("09:00:00", "10:00:30"), [all[0], all[1], "order-db load 10:00:00 sre-model 0.800"]);
    // The run of scores that stand out began at 10:01.
    assert_eq!(at("09:00:00", "11:00:00"), [all[0], all[1], "order-db load 10:02:00 since 10:01:00 sre-model 0.010"]);
    assert_eq!(at("10:01:00", "11:00:00"), ["order-db load 10:02:00 since 10:02:00 sre-model 0.010"]);
    assert_eq!(at("10:02:00", "11:00:00"), [""; 0]);
}

#[test]
fn a_scorer_is_heard_only_about_what_it_was_asked() {
    let (estate, placement) = (estate(), MappingRules::default());
    let about: BTreeSet<_> = estate.find("order-db").into_iter().collect();
    let frame = ScoreFrame { source: Some("team-x"), time: Time::parse("2025-06-01T10:00:00Z"), about: Some(&about), received: None };
    let (mut facts, mut counts) = (Facts::default(), Counts::default());
    let answer = r#"[{"component":"order-db","metric":"load","score":0.9,"origin":"somebody"},{"component":"order-service","score":1},{"component":"x","score":1}]"#;
    let said = add_scores("scorer team-x", answer.as_bytes(), &frame, &Resolver::new(&placement, &estate), &mut facts, &mut counts);
    assert_eq!(facts.scores.iter().map(line).collect::<Vec<_>>(), ["order-db load 10:00:00 team-x 0.100"]);
    assert!(counts.adds_up());
    let words: Vec<String> = said.iter().map(|d| d.message.to_string()).collect();
    assert_eq!(words, ["`scorer team-x`: scores rejected, component not in the request: 2 (the first: score 1, `order-service`)"]);
}

#[test]
fn mistakes_of_the_settings() {
    for (text, expected) in [
        ("scores: [{series: a, scale: probabilty, origin: m}]", "F3019 unknown scale `probabilty` [did you mean `probability`?]"),
        ("scores: [{series: a}]", "F3004 missing key `origin` []"),
        ("scores: [{metric: load, origin: m}]", "F3004 missing key `series` []"),
        (
            "scorers: [{name: x, url: 'ftp://host/'}]",
            "F3019 invalid address `ftp://host/` of a scorer [use an `http` or `https` address, like `http://127.0.0.1:9000/score`]",
        ),
        (
            "scorers: [{name: x, url: 'http://h/', timeout: soon}]",
            "F3019 invalid duration `soon` [use a number and a unit, like `2s` or `500ms`]",
        ),
        (
            "scorers: [{name: x, url: 'http://h/', timeout: 2m}]",
            "F3019 timeout `2m` exceeds the maximum of a scorer, 30s [a diagnosis waits for the scorer: let it precompute whatever takes longer]",
        ),
        (
            "scorers: [{name: x, url: 'http://h/'}, {name: x, url: 'http://g/'}]",
            "F3019 duplicate scorer `x` [scores are labeled with the name of their scorer: choose another name]",
        ),
    ] {
        let mut sources = Sources::default();
        let id = sources.add("sources.yaml", text);
        let (_, diagnostics) = MappingRules::read(&sources, id);
        let shown: Vec<String> =
            diagnostics.iter().map(|d| format!("{} {} [{}]", d.code, d.message, d.help.clone().unwrap_or_default())).collect();
        assert_eq!(shown, [expected], "{text}");
    }
    let placement = {
        let mut sources = Sources::default();
        let id = sources.add("sources.yaml", "scores: [{series: a, metric: laod, origin: m}]");
        MappingRules::read(&sources, id).0
    };
    let found = placement.check(&estate());
    let found: Vec<_> = found.into_iter().map(|d| (d.code.0, d.help)).collect();
    assert_eq!(found, [("F2003", Some(diag::did_you_mean("load")))]);
}
