//! Log lines as data: `component level from step count text`, and what departs from before as text.

use std::collections::BTreeMap;

use estate::ComponentId;
use signal::{Alert, Facts, LogLine, Origin};
use value::{MINUTE, SECOND, Time};

use super::{LogDeviation, LogKind, log_deviations};

/// Lines of one kind: from a second on, every so many seconds, so often. `{}` in the text counts. Level `-` is none.
struct Lines(u32, &'static str, i64, i64, i64, &'static str);

fn facts(kinds: &[Lines]) -> Facts {
    let mut facts = Facts::default();
    for Lines(component, level, from, step, count, text) in kinds {
        for n in 0..*count {
            let labels = if *level == "-" { BTreeMap::new() } else { BTreeMap::from([("level".to_owned(), (*level).to_owned())]) };
            facts.logs.push(LogLine {
                origin: Origin { file: "logs.json".to_owned(), index: facts.logs.len() },
                component: Some(ComponentId(*component)),
                instance: None,
                time: Time((from + n * step) * SECOND),
                text: text.replace("{}", &n.to_string()),
                labels,
            });
        }
    }
    facts.index();
    facts
}

const NOBODY_KNOWS: i64 = -1;

fn found(kinds: &[Lines], since: i64) -> Vec<LogDeviation> {
    let since = if since == NOBODY_KNOWS { Time::MIN } else { Time(since * SECOND) };
    log_deviations(&facts(kinds), Time::MAX, since)
}

/// Such as `new error template since 10:15:03, 41 lines, none before: "connection to <*> refused"`.
fn words(found: &LogDeviation) -> String {
    let error = if found.error { "error " } else { "" };
    let since = found.onset.clock();
    let lines = format!("{} {}", found.after, if found.after == 1 { "line" } else { "lines" });
    let template = &found.template;
    if found.unknown_reference {
        return format!("{error}template since {since}, {lines}, no earlier logs to compare with: \"{template}\"");
    }
    match found.kind {
        LogKind::New => format!("new {error}template since {since}, {lines}, none before: \"{template}\""),
        LogKind::Surging => {
            let ratio = found.ratio.unwrap_or(0.0);
            let times = if ratio < 10.0 { format!("{ratio:.1}") } else { format!("{ratio:.0}") };
            format!("{error}template surges since {since}, {lines}, {} before ({times} times the usual rate): \"{template}\"", found.before)
        }
        LogKind::Word => {
            let word = found.rare.first().map_or("", |rare| rare.word.as_str());
            format!("new word \"{word}\" in {error}lines since {since}, {lines}, none before: \"{template}\"")
        }
    }
}

fn check(what: &str, kinds: &[Lines], since: i64, expected: &[&str]) {
    let words: Vec<String> = found(kinds, since).iter().map(words).collect();
    assert_eq!(words, expected, "{what}");
}

/// An hour of a line each minute, and ten minutes more.
const STEADY: Lines = Lines(1, "info", 0, 60, 70, "took {} ms");
const REFUSED: Lines = Lines(1, "error", 3600, 10, 41, "connection to 10.0.0.{}:5432 refused");
const HOUR: i64 = 3600;

#[test]
fn templates_depart() {
    let refused = "new error template since 01:00:00, 41 lines, none before: \"connection to <*> refused\"";
    check("new", &[STEADY, REFUSED], HOUR, &[refused]);
    check("nobody knows since when: the second half", &[STEADY, REFUSED], NOBODY_KNOWS, &[refused]);
    let more = Lines(1, "-", 3600, 1, 600, "took {} ms");
    let hour = Lines(1, "-", 0, 60, 60, "took {} ms");
    // 600 lines in 60 windows of 9.984 s, 60 in 360 of them before.
    let surges = "template surges since 01:00:00, 600 lines, 60 before (60 times the usual rate): \"took <*> ms\"";
    check("ten minutes at sixty times the rate", &[hour, more], HOUR, &[surges]);
    check("twice the rate", &[STEADY, Lines(1, "info", 3630, 60, 10, "took {} ms")], HOUR, &[]);
    check(
        "a later surge",
        &[STEADY, Lines(1, "error", 3900, 1, 300, "took {} ms")],
        HOUR,
        &["error template surges since 01:05:00, 310 lines, 60 before (31 times the usual rate): \"took <*> ms\""],
    );
    let elsewhere = Lines(2, "error", 0, 60, 60, "connection to 10.0.0.{}:5432 refused");
    check("known of another component", &[STEADY, REFUSED, elsewhere], HOUR, &[refused]);
    let chinese = "new error template since 01:00:00, 41 lines, none before: \"订单<*>支付失败：连接超时\"";
    check("Chinese", &[STEADY, Lines(1, "ERROR", 3600, 10, 41, "订单{}支付失败：连接超时")], HOUR, &[chinese]);
}

#[test]
fn a_word_in_an_open_place() {
    let before = [Lines(1, "-", 0, 120, 30, "connection to 10.0.0.1 open"), Lines(1, "-", 60, 120, 30, "connection to 10.0.0.1 closed")];
    let [open, closed] = before;
    let lines = [open, closed, Lines(1, "-", 3600, 10, 41, "connection to 10.0.0.1 refused")];
    let expected = [
        "new word \"refused\" in lines since 01:00:00, 41 lines, none before: \"connection to <*> <*>\"",
        // 41 in 60 windows, 60 in 539.
        "template surges since 01:00:00, 41 lines, 60 before (6.1 times the usual rate): \"connection to <*> <*>\"",
    ];
    check("a word", &lines, HOUR, &expected);
}

#[test]
fn quiet_logs_say_nothing() {
    check("nothing at all", &[], HOUR, &[]);
    check("only before", &[Lines(1, "error", 0, 60, 60, "bad {}")], 2 * HOUR, &[]);
    // Twelve statements at their own pace for two hours, one of them with errors now and then.
    let mut quiet: Vec<Lines> = vec![Lines(1, "error", 400, 1700, 5, "retry {} after timeout")];
    let texts = ["start {}", "stop {}", "got {} rows", "sent {} bytes", "cache hit {}", "cache miss {}", "gc took {} ms", "心跳{}正常"];
    quiet.extend(texts.iter().zip([7, 11, 13, 17, 29, 61, 127, 301]).map(|(text, step)| Lines(2, "info", step, step, 7200 / step, text)));
    check("an ordinary day", &quiet, 5400, &[]);
    // A thousand lines at one instant, and three that nobody saw before, are too few occasions.
    quiet.push(Lines(3, "info", 6000, 0, 1000, "table {} vacuumed"));
    quiet.push(Lines(1, "warn", 5500, 600, 3, "certificate of {} renewed"));
    check("bursts and rare lines", &quiet, 5400, &[]);
    // The judged windows are 60 of 459: two of them may have a line by chance, four may not.
    check("two lines", &[STEADY, Lines(1, "error", 3600, 10, 2, "bad {}")], HOUR, &[]);
    let four = "new error template since 01:00:00, 4 lines, none before: \"bad <*>\"";
    check("four lines", &[STEADY, Lines(1, "error", 3600, 10, 4, "bad {}")], HOUR, &[four]);
}

#[test]
fn without_a_reference_nothing_is_new() {
    let lines = [Lines(1, "info", 0, 10, 30, "took {} ms"), Lines(1, "error", 0, 60, 3, "bad {}")];
    check("since", &lines, 0, &["error template since 00:00:00, 3 lines, no earlier logs to compare with: \"bad <*>\""]);
    let one = found(&lines, 0).remove(0);
    assert!(one.unknown_reference && one.error && one.rare.is_empty());
    assert_eq!((one.before, one.after, one.p), (0, 3, 0.25));
    // An alert before the logs begin says the same.
    let mut facts = facts(&lines);
    facts.alerts.push(alert(Time(-MINUTE)));
    assert!(log_deviations(&facts, Time::MAX, Time::MIN).iter().all(|one| one.unknown_reference));
}

/// An alert waits before it fires: what was logged just before it is not usual, however short the log before that.
#[test]
fn an_alert_starts_after_the_errors() {
    let after = |before: i64, late: i64, error: Lines| {
        let mut facts = facts(&[Lines(1, "info", 0, 3, (before + 150) / 3, "took {} ms"), error]);
        let fires = Time((before + late) * SECOND);
        facts.alerts.push(alert(fires));
        log_deviations(&facts, Time::MAX, fires.minus(5 * MINUTE)).iter().map(words).collect::<Vec<String>>()
    };
    for before in [30, 60, 120, 180] {
        for late in [0, 15, 30, 120, 240] {
            let found = after(before, late, Lines(1, "error", before, 9, 15, "price table {} is empty"));
            let since = Time(before * SECOND).clock();
            let expected = format!("new error template since {since}, 15 lines, none before: \"price table <*> is empty\"");
            assert_eq!(found, [expected], "{before} s of log, the alert {late} s later");
        }
    }
    // What comes every half minute may have been usual before the log began.
    assert_eq!(after(60, 30, Lines(1, "error", 20, 30, 7, "retry {} after timeout")), Vec::<String>::new());
}

fn alert(start: Time) -> Alert {
    Alert {
        origin: Origin { file: "alerts.json".to_owned(), index: 0 },
        component: None,
        instance: None,
        name: "Down".to_owned(),
        text: String::new(),
        summary: String::new(),
        severity: None,
        labels: BTreeMap::new(),
        start,
        end: Time::MAX,
        duplicates: 0,
        flaps: 0,
        trouble: signal::Trouble::default(),
        muted: None,
        measured: None,
    }
}

#[test]
fn what_stands_in_a_deviation() {
    let one = found(&[STEADY, REFUSED], HOUR).remove(0);
    assert_eq!((one.component, one.before, one.after, one.ratio), (Some(ComponentId(1)), 0, 41, None));
    assert_eq!(one.example.index, 70, "the first line of it, after the seventy steady ones");
    // 41 windows have it, all of them among the 60 that are judged, of 459.
    assert!((one.p / (60.0_f64 / 459.0).powi(41) - 1.0).abs() < 1e-9, "{}", one.p);
    // Of 51 judged lines 41 have these words.
    let words: Vec<&str> = one.rare.iter().map(|rare| rare.word.as_str()).collect();
    assert_eq!(words, ["connection", "refused"]);
    assert!(one.rare.iter().all(|rare| (rare.weight - (51.0_f64 / 41.0).ln()).abs() < 1e-12), "{:?}", one.rare);
    // Nothing after `at` counts.
    assert!(log_deviations(&facts(&[STEADY, REFUSED]), Time(HOUR * SECOND - 1), Time(HOUR * SECOND)).is_empty());
}
