//! Tables: what is read, and what is refused with which words.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use super::table::{parse_instant, read_table};
use value::Time;

/// A table in a line for each row; a gap as `_`.
fn show(text: &str, wanted: &[&str]) -> Result<String, String> {
    let wanted: Vec<String> = wanted.iter().map(|one| (*one).to_owned()).collect();
    let table =
        read_table("t.csv", text.as_bytes(), &wanted).map_err(|diagnostic| format!("{} {}", diagnostic.code, diagnostic.message))?;
    let mut lines = vec![table.names().join(" ")];
    for (at, time) in table.times.iter().enumerate() {
        let cells = table.columns.iter().filter_map(|column| column.values.get(at));
        let cells: Vec<String> = cells.map(|value| if value.is_nan() { "_".to_owned() } else { value.to_string() }).collect();
        lines.push(format!("{time} {}", cells.join(" ")));
    }
    Ok(lines.join("\n"))
}

#[test]
fn csv_is_read() {
    let cases = [
        ("ds,y\n2025-01-01 00:01:00,2.5\n2025-01-01 00:00:00,1\n", "y\n2025-01-01T00:00:00Z 1\n2025-01-01T00:01:00Z 2.5"),
        (
            "cpu;Time\n;2025-01-01\nNaN;2025-01-02T08:00:00+08:00\n3;1735862400\n",
            "cpu\n2025-01-01T00:00:00Z _\n2025-01-02T00:00:00Z _\n2025-01-03T00:00:00Z 3",
        ),
        ("\u{FEFF}\"时间\",\"CPU 使用率\"\n1735689600000,9e1\n", "CPU 使用率\n2025-01-01T00:00:00Z 90"),
    ];
    for (text, expected) in cases {
        assert_eq!(show(text, &[]).unwrap(), expected, "{text}");
    }
    // A column of text does no harm if it is not asked for; columns come as asked.
    let text = "time,host,a,b\n0,web-1,1,2\n60,web-1,3,4\n";
    assert_eq!(show(text, &["b", "a"]).unwrap(), "b a\n1970-01-01T00:00:00Z 2 1\n1970-01-01T00:01:00Z 4 3");
}

#[test]
fn what_is_no_table_is_refused() {
    let cases: [(&str, &[&str], &str); 12] = [
        ("", &[], "F8001 `t.csv` is empty"),
        ("a,b\n1,2\n", &[], "F8001 `t.csv` has no time column: its header is `a`, `b`"),
        ("time,host,v\n0,web-1,1\n", &[], "F8001 `t.csv` line 2, column `host`: invalid number `web-1`"),
        ("time,v\n0,1\n60,2 %\n", &[], "F8001 `t.csv` line 3, column `v`: invalid number `2 %`"),
        ("time,v\n0,inf\n", &[], "F8001 `t.csv` line 2, column `v`: invalid number `inf`"),
        ("time,v\n\nyesterday,1\n", &[], "F8001 `t.csv` line 3: invalid time `yesterday`"),
        ("time,v\n0,1\n0,2\n", &[], "F8001 `t.csv` line 3: duplicate time `0`"),
        ("time,v\n0,1,2\n", &[], "F8001 `t.csv` line 2: 3 fields, but the header has 2"),
        ("time,v\n", &[], "F8001 `t.csv` has a header but no rows"),
        ("time\n0\n", &[], "F8001 `t.csv` has a time column but no other column"),
        ("time,v,v\n0,1,1\n", &[], "F8001 `t.csv` has two columns named `v`"),
        ("time,cpu\n0,1\n", &["cpi"], "F8001 `t.csv` has no column `cpi`"),
    ];
    for (text, wanted, expected) in cases {
        assert_eq!(show(text, wanted).unwrap_err(), expected, "{text}");
    }
    let latin = read_table("t.csv", b"time,v\xE9\n0,1\n", &[]).unwrap_err();
    assert_eq!((latin.code.0, latin.message.to_string().as_str()), ("F9002", "`t.csv` is not UTF-8: invalid byte at offset 6"));
}

#[test]
fn an_answer_of_prometheus_is_aligned() {
    let text = r#"{"status":"success","data":{"resultType":"matrix","result":[
        {"metric":{"__name__":"up","job":"a"},"values":[[60,"1"],[0,"0"]]},
        {"metric":{},"values":[[60,"2"],[120,"NaN"]]}]}}"#;
    let expected = "value up{job=\"a\"}\n1970-01-01T00:00:00Z _ 0\n1970-01-01T00:01:00Z 2 1\n1970-01-01T00:02:00Z _ _";
    assert_eq!(show(text, &[]).unwrap(), expected);
    // Parts of one answer, one after the other, are one table.
    let parts = r#"{"data":{"result":[{"metric":{},"values":[[0,"1"]]}]}}
        {"data":{"result":[{"metric":{},"values":[[60,"2"]]}]}}"#;
    assert_eq!(show(parts, &[]).unwrap(), "value\n1970-01-01T00:00:00Z 1\n1970-01-01T00:01:00Z 2");
    let none = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
    assert_eq!(show(none, &[]).unwrap_err(), "F8001 `t.csv` contains no samples");
    let error = r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#;
    assert_eq!(show(error, &[]).unwrap_err(), "F4001 `t.csv` contains a Prometheus error instead of data: bad_data: parse error");
}

#[test]
fn instants() {
    let cases = [
        ("2025-06-01T10:00:00+08:00", Some(1_748_743_200_000)),
        ("2025-06-01 02:00:00", Some(1_748_743_200_000)),
        ("2025-06-01T02:00:00.5", Some(1_748_743_200_500)),
        (" 2025-06-01 ", Some(1_748_736_000_000)),
        ("1748743200", Some(1_748_743_200_000)),
        ("1748743200.25", Some(1_748_743_200_250)),
        ("1748743200250", Some(1_748_743_200_250)),
        ("", None),
        ("NaN", None),
        ("01/06/2025", None),
    ];
    for (text, expected) in cases {
        assert_eq!(parse_instant(text), expected.map(Time), "{text}");
    }
}
