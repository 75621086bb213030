//! The output of `faultscope anomaly score`: a summary for people, and all rows.

use std::collections::BTreeMap;
use std::io::Write;

use serde::Serialize;

use super::Lang;
use super::page::Page;
use anomaly::{Detector, Judgment, Model, Run, Scored, Shift, runs};
use value::{Time, format_number};

/// How many runs the text shows. Nobody reads more.
const MAX_RUNS: usize = 10;

/// The report, also as JSON.
#[derive(Debug, Serialize)]
pub struct Judged<'a> {
    /// The file, or the query.
    input: &'a str,
    rows: usize,
    pub anomalous: usize,
    threshold: f64,
    /// At most how many rows would be anomalous by chance if nothing were wrong.
    by_chance: f64,
    /// Each detector that decided an anomalous row, and the assumption behind its probabilities.
    assumptions: BTreeMap<&'static str, &'static str>,
    /// Anomalous rows that belong together, the least probable run first.
    runs: Vec<RunView>,
    /// Empty unless rows are anomalous.
    shifts: Vec<Shift>,
    scored: &'a [Scored],
}

#[derive(Debug, Serialize)]
struct RunView {
    from: Time,
    to: Time,
    rows: usize,
    /// Position of its least probable row in `scored`.
    worst: usize,
}

impl<'a> Judged<'a> {
    pub fn of(input: &'a str, model: &Model, scored: &'a [Scored], shifts: Vec<Shift>) -> Self {
        let odd = scored.iter().filter(|row| row.anomalous);
        let assumptions = odd.clone().filter_map(|row| row.detector).map(|one| (one.name(), one.assumption())).collect();
        let anomalous = odd.count();
        let view = |run: Run| RunView { from: run.from, to: run.to, rows: run.rows, worst: run.worst };
        #[allow(clippy::cast_precision_loss, reason = "rows of a table")]
        let by_chance = scored.len() as f64 * model.threshold();
        Judged {
            input,
            rows: scored.len(),
            anomalous,
            threshold: model.threshold(),
            by_chance,
            assumptions,
            runs: runs(scored).into_iter().map(view).collect(),
            shifts: if anomalous > 0 { shifts } else { Vec::new() },
            scored,
        }
    }
}

/// A summary: how many, the worst runs, changes of level.
pub fn text(judged: &Judged<'_>, lang: Lang) -> String {
    let mut page = Page::new(lang, false);
    let period = match (judged.scored.first().and_then(|row| row.time), judged.scored.last().and_then(|row| row.time)) {
        (Some(from), Some(to)) => format!("{from} → {to}"),
        (Some(_) | None, Some(_) | None) => String::new(),
    };
    page.title(&format!("{}: {} {}, {period}", judged.input, judged.rows, page.say("rows", "行")));
    page.entry(&format!(
        "{} {} ({} {}; {} {})",
        judged.anomalous,
        page.say("anomalous", "行异常"),
        page.say("threshold", "阈值"),
        format_number(judged.threshold),
        page.say("expected by chance: about", "随机误报约"),
        format_number(judged.by_chance.ceil()),
    ));
    if judged.runs.is_empty() {
        return page.text;
    }
    page.heading(page.say("Most anomalous first", "最异常的在前"));
    for (number, run) in (1..).zip(judged.runs.iter().take(MAX_RUNS)) {
        let Some(worst) = judged.scored.get(run.worst) else { continue };
        let time = worst.time.map_or_else(String::new, |time| time.to_string());
        page.numbered(
            number,
            &format!("{time}  {}, p {:.1e}, {}", values(&page, worst), worst.p, worst.detector.map_or("", Detector::name)),
        );
        if run.rows > 1 {
            let (run_of, from, to) = (page.say("rows", "行"), run.from, run.to);
            let length = Time::describe(to.since(from));
            page.sub(&format!("{} {} {run_of}: {from} → {to} ({length})", page.say("run of", "连续异常"), run.rows));
        }
    }
    page.more(judged.runs.len(), MAX_RUNS);
    if !judged.shifts.is_empty() {
        page.heading(page.say("Level shifts (assuming independent samples)", "水平偏移（假设样本相互独立）"));
        for shift in &judged.shifts {
            let way = if shift.up { page.say("up", "上升") } else { page.say("down", "下降") };
            page.item(&format!("{}  {} {way}, p {:.1e}", shift.at, shift.column, shift.p));
        }
    }
    page.text
}

/// The value that decided, or all values if the forest decided.
fn values(page: &Page, row: &Scored) -> String {
    match &row.column {
        Some(name) => row.values.iter().find(|one| one.column == *name).map_or_else(String::new, |one| value(page, one)),
        None => {
            let all: Vec<String> = row.values.iter().map(|one| format!("{} {}", one.column, number(one.value))).collect();
            format!("{} ({} {})", all.join(", "), page.say("combined, forest score", "联合判断，森林得分"), number(row.forest))
        }
    }
}

fn value(page: &Page, one: &Judgment) -> String {
    let band = match (one.low, one.high) {
        (None, None) => String::new(),
        (Some(low), None) => format!(" (≥ {})", format_number(low)),
        (None, Some(high)) => format!(" (≤ {})", format_number(high)),
        (Some(low), Some(high)) => format!(" ({} … {})", format_number(low), format_number(high)),
    };
    format!("{} {}, {} {}{band}", one.column, number(one.value), page.say("expected", "预期"), format_number(one.expected))
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), format_number)
}

/// Every row as CSV; numbers in full, empty where there is none.
pub fn csv_rows(scored: &[Scored], out: &mut impl Write) -> std::io::Result<()> {
    let mut header: Vec<String> = ["time", "anomalous", "p", "detector", "column", "forest"].map(str::to_owned).to_vec();
    for one in scored.first().iter().flat_map(|row| &row.values) {
        header.extend(["", " expected", " low", " high"].map(|part| quoted(&format!("{}{part}", one.column))));
    }
    writeln!(out, "{}", header.join(","))?;
    let plain = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    for row in scored {
        let mut cells = vec![
            row.time.map_or_else(String::new, |time| time.to_string()),
            row.anomalous.to_string(),
            row.p.to_string(),
            row.detector.map_or("", Detector::name).to_owned(),
            quoted(row.column.as_deref().unwrap_or("")),
            plain(row.forest),
        ];
        for one in &row.values {
            cells.extend([plain(one.value), one.expected.to_string(), plain(one.low), plain(one.high)]);
        }
        writeln!(out, "{}", cells.join(","))?;
    }
    Ok(())
}

/// A CSV field, in quotes if it needs them (RFC 4180).
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{Judged, csv_rows, text};
    use crate::Lang;
    use anomaly::{FitOptions, Model, Table};
    use value::{MINUTE, Time};

    /// One row per minute.
    fn table(values: &[f64]) -> Table {
        Table::of_rows(vec!["cpu,总".to_owned()], (0..).zip(values).map(|(at, value)| (Time(at * MINUTE), vec![*value])).collect())
    }

    #[test]
    fn a_report_names_what_is_odd() {
        let usual: Vec<f64> = (0..200).map(|at| 50.0 + f64::from(at % 5)).collect();
        let model = Model::fit(&table(&usual), &FitOptions::default()).unwrap();
        let scored = model.score(&table(&[51.0, 500.0, 52.0])).unwrap();
        let judged = Judged::of("a.csv", &model, &scored, Vec::new());
        assert_eq!(judged.anomalous, 1);
        let english = text(&judged, Lang::En);
        assert!(english.contains("1 anomalous (threshold 0.001; expected by chance: about 1)"), "{english}");
        assert!(english.contains("1. 1970-01-01T00:01:00Z  cpu,总 500, expected 52 ("), "{english}");
        assert!(text(&judged, Lang::Zh).contains("最异常的在前"));
        let mut rows = Vec::new();
        csv_rows(&scored, &mut rows).unwrap();
        let rows = String::from_utf8(rows).unwrap();
        assert!(rows.starts_with("time,anomalous,p,detector,column,forest,\"cpu,总\",\"cpu,总 expected\""), "{rows}");
        assert!(rows.contains("\n1970-01-01T00:01:00Z,true,") && rows.contains(",robust_z,\"cpu,总\",,500,52,"), "{rows}");
        let calm = model.score(&table(&[51.0, 52.0])).unwrap();
        let judged = Judged::of("a.csv", &model, &calm, Vec::new());
        assert_eq!((judged.anomalous, text(&judged, Lang::En).lines().count()), (0, 2));
    }
}
