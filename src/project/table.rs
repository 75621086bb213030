//! Reads tables of values: CSV with a time column, or a JSON response of Prometheus. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use anomaly::Table;
use diag::{Code, Diagnostic, Text, did_you_mean, nearest, text};
use import::Records;
use signal::{LabelledSeries, read_series};
use value::Time;

/// Names of the time column, in any case: those that pandas, Grafana, Prophet and Elasticsearch export.
const TIME_NAMES: [&str; 10] = ["time", "timestamp", "ts", "ds", "date", "datetime", "@timestamp", "_time", "时间", "时间戳"];

/// Spellings of a missing value.
const MISSING: [&str; 7] = ["", "-", "nan", "null", "none", "na", "n/a"];

/// Numbers from here on are milliseconds since 1970, smaller ones are seconds. This is the year 5138 in seconds, 1973 in milliseconds.
const MILLISECONDS_FROM: f64 = 1e11;

/// Reads a table: JSON if it begins like JSON, else CSV. `wanted` selects value columns; if it is empty, all are read.
///
/// # Errors
/// `ANOMALY_TABLE`: not a table, no time column, a missing column, an invalid number, an invalid or duplicate time; with the line.
/// `SIGNAL_FORMAT`: a response of Prometheus that cannot be read.
pub fn read_table(name: &str, bytes: &[u8], wanted: &[String]) -> Result<Table, Box<Diagnostic>> {
    let first = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).iter().find(|byte| !byte.is_ascii_whitespace());
    let table = match first {
        None => return Err(bad(text!("`{}` is empty", name), "expected a header and one row per time")),
        Some(b'{' | b'[') => of_series(&read_series(name, bytes)?),
        Some(_) => return csv_table(name, files::borrowed_text(bytes, name)?, wanted),
    };
    if table.columns.is_empty() || table.times.is_empty() {
        return Err(bad(text!("`{}` contains no samples", name), "check the query and its time range"));
    }
    select(name, table, wanted)
}

fn bad(what: impl Into<Text>, help: impl Into<Text>) -> Box<Diagnostic> {
    Box::new(Diagnostic::nowhere(Code::ANOMALY_TABLE, what).help(help))
}

/// One column per series, named by its labels. A series has a gap at times for which it has no sample.
fn of_series(series: &[LabelledSeries]) -> Table {
    let mut rows: BTreeMap<Time, Vec<f64>> = BTreeMap::new();
    for (at, one) in series.iter().enumerate() {
        for (time, value) in &one.points {
            let row = rows.entry(*time).or_insert_with(|| vec![f64::NAN; series.len()]);
            if let Some(cell) = row.get_mut(at) {
                *cell = *value;
            }
        }
    }
    Table::of_rows(series.iter().map(|one| column_name(&one.labels)).collect(), rows.into_iter().collect())
}

/// The series in `PromQL` notation; `value` for a series without labels.
fn column_name(labels: &BTreeMap<String, String>) -> String {
    let name = labels.get("__name__").map_or("", String::as_str);
    let others: Vec<String> =
        labels.iter().filter(|(key, _)| *key != "__name__").map(|(key, value)| format!("{key}=\"{value}\"")).collect();
    match (name, others.as_slice()) {
        ("", []) => "value".to_owned(),
        (_, []) => name.to_owned(),
        (_, _) => format!("{name}{{{}}}", others.join(",")),
    }
}

/// Only the wanted columns, in the order wanted.
fn select(name: &str, mut table: Table, wanted: &[String]) -> Result<Table, Box<Diagnostic>> {
    if wanted.is_empty() {
        return Ok(table);
    }
    let mut columns = Vec::new();
    for one in wanted {
        let Some(column) = table.column(one) else { return Err(unknown(name, one, &table.names())) };
        columns.push(column.clone());
    }
    table.columns = columns;
    Ok(table)
}

fn unknown(name: &str, wanted: &str, there: &[&str]) -> Box<Diagnostic> {
    let help = match nearest(wanted, there.iter().copied()) {
        Some(near) => did_you_mean(near),
        None => text!("its columns: `{}`", there.join("`, `")),
    };
    bad(text!("`{}` has no column `{}`", name, wanted), help)
}

/// The columns of a CSV table to read: position and name.
struct Header {
    time: usize,
    values: Vec<(usize, String)>,
}

fn csv_table(name: &str, text: &str, wanted: &[String]) -> Result<Table, Box<Diagnostic>> {
    let no_csv = |error: String| bad(text!("`{}` is not valid CSV: {}", name, error), "expected a header and one row per time");
    let mut records = Records::open(text).map_err(no_csv)?;
    let header = header(name, records.header(), wanted)?;
    let width = records.header().len();
    let line = |at: u64| Records::line(text, at);
    let mut rows: Vec<(Time, Vec<f64>)> = Vec::new();
    let mut seen: BTreeSet<Time> = BTreeSet::new();
    while let Some((at, record)) = records.next_row().map_err(no_csv)? {
        if record.iter().all(str::is_empty) {
            continue;
        }
        if record.len() != width {
            let what = text!("`{}` line {}: {} fields, but the header has {}", name, line(at), record.len(), width);
            return Err(bad(what, "put quotes around fields that contain the delimiter"));
        }
        let written = record.get(header.time).unwrap_or("");
        let Some(time) = parse_instant(written) else {
            let what = text!("`{}` line {}: invalid time `{}`", name, line(at), written);
            return Err(bad(
                what,
                "use RFC 3339, like `2025-06-01T10:00:00+08:00`; `2025-06-01 10:00:00` (UTC); or seconds or milliseconds since 1970",
            ));
        };
        if !seen.insert(time) {
            let what = text!("`{}` line {}: duplicate time `{}`", name, line(at), written);
            return Err(bad(what, "use one row per time: give each series its own column or file"));
        }
        let mut row = Vec::with_capacity(header.values.len());
        for (position, column) in &header.values {
            let cell = record.get(*position).unwrap_or("");
            let Some(value) = parse_cell(cell) else {
                let what = text!("`{}` line {}, column `{}`: invalid number `{}`", name, line(at), column, cell);
                return Err(bad(what, "select the numeric columns with `--columns`; leave missing values empty"));
            };
            row.push(value);
        }
        rows.push((time, row));
    }
    if rows.is_empty() {
        return Err(bad(text!("`{}` has a header but no rows", name), "expected one row per time"));
    }
    Ok(Table::of_rows(header.values.into_iter().map(|(_, column)| column).collect(), rows))
}

fn header(name: &str, written: &[String], wanted: &[String]) -> Result<Header, Box<Diagnostic>> {
    let is_time = |column: &String| TIME_NAMES.contains(&column.to_lowercase().as_str());
    let Some(time) = written.iter().position(is_time) else {
        let what = text!("`{}` has no time column: its header is `{}`", name, written.join("`, `"));
        return Err(bad(what, text!("name it one of `{}`", TIME_NAMES.join("`, `"))));
    };
    let others: Vec<(usize, &str)> = written.iter().map(String::as_str).enumerate().filter(|(at, _)| *at != time).collect();
    let mut values = Vec::new();
    for (at, column) in &others {
        if others.iter().any(|(other, same)| other < at && same == column) {
            return Err(bad(text!("`{}` has two columns named `{}`", name, column), "rename one of them"));
        }
        if wanted.is_empty() {
            values.push((*at, (*column).to_owned()));
        }
    }
    for one in wanted {
        let Some((at, column)) = others.iter().find(|(_, column)| column == one) else {
            return Err(unknown(name, one, &others.iter().map(|(_, column)| *column).collect::<Vec<_>>()));
        };
        values.push((*at, (*column).to_owned()));
    }
    if values.is_empty() {
        return Err(bad(text!("`{}` has a time column but no other column", name), "expected at least one numeric column"));
    }
    Ok(Header { time, values })
}

/// Parses a time in a table: RFC 3339, the same without a zone (UTC), a date (midnight UTC), or seconds or milliseconds since 1970.
/// `None` for anything else.
pub fn parse_instant(text: &str) -> Option<Time> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return Time::from_seconds(if number.abs() >= MILLISECONDS_FROM { number / 1000.0 } else { number });
    }
    Time::parse(text).or_else(|| Time::parse(&format!("{text}Z"))).or_else(|| Time::parse(&format!("{text}T00:00:00Z")))
}

/// A finite number, or NaN for a missing one.
fn parse_cell(text: &str) -> Option<f64> {
    if MISSING.contains(&text.to_lowercase().as_str()) {
        return Some(f64::NAN);
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}
