//! The journal: what is read of it, what is refused, and which entry counts.

use super::*;

const ANSWER: &str = r#"{"component":"kafka","fault":"lag","layer":"anomaly","confidence":0.54}"#;

/// A line; parts that are `""` are left out.
fn line(day: u32, bundle: &str, verdict: &str, answer: &str, root: &str) -> String {
    let part = |name: &str, value: &str| if value.is_empty() { String::new() } else { format!(r#","{name}":{value}"#) };
    let root = if root.is_empty() { String::new() } else { format!(r#"{{"component":"{root}"}}"#) };
    format!(
        r#"{{"time":"2025-09-{day:02}T06:00:00Z","bundle":"{bundle}","verdict":"{verdict}"{}{},"by":"anna"}}"#,
        part("answer", answer),
        part("root", &root)
    )
}

/// The entries that count as `bundle verdict`, and a part of each diagnostic.
fn check(text: &str, entries: &[&str], broken: &[&str]) {
    let (found, diagnostics) = read(text);
    let shown: Vec<String> = found.iter().map(|e| format!("{} {}", e.bundle, e.verdict.name())).collect();
    assert_eq!(shown, entries, "{text}");
    let mut sources = Sources::default();
    let source = sources.add(JOURNAL, text);
    let (again, placed) = read_journal(&sources, source);
    assert_eq!(again, found);
    assert_eq!((diagnostics.len(), placed.len()), (broken.len(), broken.len()), "{diagnostics:?}");
    for ((said, placed), part) in diagnostics.iter().zip(&placed).zip(broken) {
        assert!(said.message.to_string().contains(part), "`{part}` is not in `{}`", said.message);
        assert_eq!((said.code, placed.code), (Code::FEEDBACK_ENTRY, Code::FEEDBACK_ENTRY));
        let at = placed.place.map(|place| sources.line_column(place.source, place.span.start).line).unwrap();
        assert!(said.message.to_string().contains(&format!("`feedback.ndjson` line {at}: ")), "{}", said.message);
    }
}

#[test]
fn every_part_survives_writing() {
    let full = r#"{"time":"2025-09-30T14:00:00+08:00","bundle":"./incidents/一/","verdict":"corrected","answer":{"component":"a","fault":"f","layer":"knowledge","confidence":0.4,"cases":["HIS-1"],"rules":[]},"root":{"component":"b","fault":"g"},"by":"李","note":"two\nlines"}"#;
    let (entries, broken) = read(full);
    assert!(broken.is_empty(), "{broken:?}");
    let entry = entries.first().unwrap();
    assert_eq!((entry.bundle.as_str(), entry.time.to_string().as_str()), ("incidents/一", "2025-09-30T06:00:00Z"));
    assert_eq!(entry.right(), Some(false));
    let written = serde_json::to_string(entry).unwrap();
    assert!(!written.contains('\n'));
    assert_eq!(read(&written).0, entries);
}

#[test]
fn a_broken_line_costs_only_itself() {
    let good = line(1, "a", "confirmed", ANSWER, "");
    let other = line(2, "b", "no_fault", "", "");
    check("", &[], &[]);
    check(&format!("\u{feff}{good}\r\n\r\n{other}"), &["a confirmed", "b no_fault"], &[]);
    check(&format!("{good}\n{{\"time\":\n{other}\n"), &["a confirmed", "b no_fault"], &["line 2: EOF"]);
    check(
        &format!("<<<<<<< ours\n{good}\n=======\n{other}\n>>>>>>> theirs\n"),
        &["a confirmed", "b no_fault"],
        &["unresolved merge conflict", "unresolved merge conflict", "unresolved merge conflict"],
    );
    check(&good.replace("confirmed", "confimed"), &[], &["unknown variant `confimed`"]);
    check(&good.replace("anomaly", "guess"), &[], &["unknown variant `guess`"]);
    check(&good.replace("\"by\"", "\"bye\""), &[], &["unknown field `bye`"]);
    check(&good.replace("2025-09-01T06:00:00Z", "yesterday"), &[], &["invalid time `yesterday`"]);
    check(&good.replace("0.54", "54"), &[], &["between 0 and 1"]);
    check("[1, 2]\nnull\n", &[], &["invalid", "invalid type: null"]);
}

#[test]
fn entries_that_contradict_themselves() {
    let rows: &[(&str, &str, &str, Option<&str>)] = &[
        ("confirmed", ANSWER, "", None),
        ("confirmed", ANSWER, "kafka", None),
        ("confirmed", ANSWER, "redis", Some("`confirmed`, but")),
        ("confirmed", "", "", Some("`confirmed` needs the `answer`")),
        ("corrected", ANSWER, "redis", None),
        ("corrected", "", "redis", None),
        ("corrected", ANSWER, "kafka", Some("use `confirmed`")),
        ("corrected", ANSWER, "", Some("`corrected` needs `root`")),
        ("no_fault", "", "", None),
        ("no_fault", ANSWER, "", None),
        ("no_fault", ANSWER, "kafka", Some("`no_fault`, but")),
    ];
    for (verdict, answer, root, refused) in rows {
        let text = line(1, "a", verdict, answer, root);
        match refused {
            Some(part) => check(&text, &[], &[part]),
            None => check(&text, &[&format!("a {verdict}")], &[]),
        }
    }
    check(&line(1, "", "no_fault", "", ""), &[], &["must not be empty"]);
}

#[test]
fn the_latest_of_a_bundle_counts() {
    let [first, later, same] =
        [(1, "confirmed", ""), (3, "corrected", "redis"), (3, "no_fault", "")].map(|(day, v, root)| line(day, "a", v, ANSWER, root));
    let other = line(2, "./b/", "no_fault", "", "");
    check(&[first.as_str(), &other, &later].join("\n"), &["b no_fault", "a corrected"], &[]);
    check(&[later.as_str(), &other, &first].join("\n"), &["b no_fault", "a corrected"], &[]);
    check(&[later.as_str(), &same].join("\n"), &["a no_fault"], &[]);
    check(&[same.as_str(), &later].join("\n"), &["a corrected"], &[]);
}

#[test]
fn what_is_said_against_what_was_answered() {
    let anomaly: GivenAnswer = serde_json::from_str(ANSWER).unwrap();
    let answer: GivenAnswer = serde_json::from_str(&ANSWER.replace("anomaly", "knowledge")).unwrap();
    // Words that the anomaly layer made name no fault.
    let nameless = Some((Verdict::Confirmed, Some(Root { component: "kafka".to_owned(), fault: String::new() })));
    assert_eq!(Said::Agreed.judge(Some(&anomaly)), nameless);
    let root = |component: &str, fault: &str| Root { component: component.to_owned(), fault: fault.to_owned() };
    let rows = [
        (Said::Agreed, true, Some((Verdict::Confirmed, Some(root("kafka", "lag"))))),
        (Said::Agreed, false, None),
        (Said::Broke(root("kafka", "")), true, Some((Verdict::Confirmed, Some(root("kafka", "lag"))))),
        (Said::Broke(root("kafka", "disk")), true, Some((Verdict::Confirmed, Some(root("kafka", "disk"))))),
        (Said::Broke(root("redis", "")), true, Some((Verdict::Corrected, Some(root("redis", ""))))),
        (Said::Broke(root("kafka", "")), false, Some((Verdict::Corrected, Some(root("kafka", ""))))),
        (Said::NoFault, true, Some((Verdict::NoFault, None))),
        (Said::NoFault, false, Some((Verdict::NoFault, None))),
    ];
    for (said, answered, expected) in rows {
        let words = format!("{said:?} {answered}");
        assert_eq!(said.judge(answered.then_some(&answer)), expected, "{words}");
    }
}

#[test]
fn what_it_comes_to() {
    assert_eq!(Feedback::new(Vec::new()), Feedback::default());
    let text = [line(1, "a", "confirmed", ANSWER, ""), line(2, "b", "corrected", "", "kafka"), line(3, "c", "no_fault", ANSWER, "")];
    let (entries, _) = read(&text.join("\n"));
    assert_eq!(pairs(&entries, Some(Layer::Anomaly)), [(0.54, true), (0.54, false)]);
    assert_eq!(pairs(&entries, None).len(), 2);
    assert!(pairs(&entries, Some(Layer::Expert)).is_empty());
    let feedback = Feedback::new(entries);
    assert_eq!(feedback.calibration, Calibration::fit(&[(0.54, true), (0.54, false)]));
}

#[test]
fn paths_are_spelled_one_way() {
    for (path, expected) in [("./a/b/", "a/b"), ("a\\b", "a/b"), ("../a", "../a"), ("/a//", "/a"), ("/", "/"), ("./", "."), (".", ".")] {
        assert_eq!(bundle_name(path), expected);
    }
}
