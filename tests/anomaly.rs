//! `faultscope anomaly` from a file to a verdict: exit codes, what is written, what is refused.

use std::fs;
use std::path::PathBuf;

use crate::common::faultscope;

/// A folder of this test's own, empty.
fn folder(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// A value a minute from midnight, about 50; some replaced.
pub fn csv(rows: u32, odd: &[(u32, &str)]) -> String {
    let mut text = "ds,cpu\n".to_owned();
    for at in 0..rows {
        let value = odd
            .iter()
            .find(|(position, _)| *position == at)
            .map_or_else(|| (48 + at * 7 % 5).to_string(), |(_, value)| (*value).to_owned());
        text.push_str(&format!("{},{value}\n", 1_748_736_000 + at * 60));
    }
    text
}

#[test]
fn fit_then_score() {
    let dir = folder("anomaly-story");
    let path = |name: &str| dir.join(name).display().to_string();
    fs::write(path("usual.csv"), csv(600, &[])).unwrap();
    fs::write(path("odd.csv"), csv(60, &[(30, "99"), (31, "98"), (50, "")])).unwrap();

    let (code, out, err) = faultscope(&["anomaly", "fit", &path("usual.csv"), "-o", &path("model.json")]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("600 rows from 2025-06-01T00:00:00Z to 2025-06-01T09:59:00Z"), "{out}");
    assert!(out.contains("`cpu`: median 50,"), "{out}");
    let first = fs::read(path("model.json")).unwrap();
    let (code, out, _) = faultscope(&["anomaly", "fit", &path("usual.csv"), "-o", &path("model.json")]);
    assert!(code == 0 && out.contains("replaced") && fs::read(path("model.json")).unwrap() == first, "one input, one model");

    assert_eq!(faultscope(&["anomaly", "score", &path("model.json"), &path("usual.csv")]).0, 0);
    let score = |more: &[&str]| {
        let (model, odd) = (path("model.json"), path("odd.csv"));
        let mut args = vec!["anomaly", "score", model.as_str(), odd.as_str()];
        args.extend(more);
        faultscope(&args)
    };
    let svg = path("odd.svg");
    let (code, out, err) = score(&["--svg", &svg]);
    assert_eq!((code, err.as_str()), (1, ""), "{out}");
    assert!(out.contains("1. 2025-06-01T00:30:00Z  cpu 99, expected 50"), "{out}");
    assert!(fs::read_to_string(&svg).unwrap().starts_with("<svg"));
    let (_, out, _) = score(&["--format", "csv"]);
    assert_eq!(out.lines().count(), 61);
    assert!(out.contains("2025-06-01T00:50:00Z,false,1,,,,,50,"), "a gap is not judged: {out}");
    let (_, out, _) = score(&["--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report.pointer("/scored/30/anomalous"), Some(&serde_json::Value::Bool(true)));
    assert_eq!(report.pointer("/runs/0/from").and_then(serde_json::Value::as_str), Some("2025-06-01T00:30:00Z"));
    assert!(score(&["--lang", "zh"]).1.contains("行异常"));
}

#[test]
fn what_is_wrong_is_said_and_changes_nothing() {
    let dir = folder("anomaly-refused");
    let path = |name: &str| dir.join(name).display().to_string();
    fs::write(path("usual.csv"), csv(10, &[])).unwrap();
    fs::write(path("text.csv"), csv(10, &[(3, "high")])).unwrap();
    let (usual, text, model, none) = (path("usual.csv"), path("text.csv"), path("model.json"), path("none.csv"));
    let cases: [(&[&str], &str); 6] = [
        (&["fit", &text, "-o", &model], "line 5, column `cpu`: invalid number `high`"),
        (&["fit", &none, "-o", &model], "error[F9001]"),
        (&["fit", &usual, "-o", &model, "--columns", "cpi"], "did you mean `cpu`?"),
        (&["fit", &usual, "-o", &usual], "is not an anomaly model; it was not overwritten"),
        (&["score", &usual, &usual], "error[F8003]"),
        (&["fit", "-o", &model, "--prometheus", "http://127.0.0.1:1", "--query", "up"], "Prometheus at `http://127.0.0.1:1`"),
    ];
    let before = fs::read(&usual).unwrap();
    for (args, expected) in cases {
        let args: Vec<&str> = std::iter::once("anomaly").chain(args.iter().copied()).collect();
        let (code, _, err) = faultscope(&args);
        assert!(code == 2 && err.contains(expected), "{args:?}: {code} {err}");
    }
    assert_eq!(fs::read(&usual).unwrap(), before);
    assert!(!dir.join("model.json").exists());
}
