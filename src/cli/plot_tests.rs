//! The chart is small and well formed, and marks anomalies.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails may panic")]

use super::Lang;
use super::plot::draw;
use anomaly::{Detector, Judgment, Scored};
use value::{MINUTE, Time};

/// One column `name`, a row a minute; `None` is a gap; a value of 100 or more is anomalous.
fn rows(name: &str, values: &[Option<f64>]) -> Vec<Scored> {
    let row = |(at, value): (i64, &Option<f64>)| Scored {
        time: Some(Time(at * MINUTE)),
        values: vec![Judgment {
            column: name.to_owned(),
            value: *value,
            expected: 50.0,
            low: Some(40.0),
            high: None,
            p: value.map(|_| 0.5),
            detector: value.map(|_| Detector::RobustZ),
        }],
        forest: None,
        p: 0.5,
        detector: Some(Detector::RobustZ),
        column: Some(name.to_owned()),
        anomalous: value.is_some_and(|value| value >= 100.0),
    };
    (0..).zip(values).map(row).collect()
}

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[test]
fn what_is_odd_is_marked_and_gaps_break_the_line() {
    let svg = draw("一 <台> & \"机器\"", &rows("cpu{a=\"b\"}", &[Some(50.0), None, Some(52.0), Some(100.0)]), Lang::Zh);
    assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"));
    assert!(svg.contains("一 &lt;台&gt; &amp; &quot;机器&quot;") && svg.contains("cpu{a=&quot;b&quot;}") && svg.contains("异常"));
    // One in the legend, one in the panel.
    assert_eq!(count(&svg, "<circle"), 2);
    let value = svg.lines().find(|line| line.starts_with("<path class=\"value\" d=\"M") && !line.contains("40h24")).unwrap();
    assert_eq!(count(value, "M"), 2, "{value}");
    assert_eq!(svg, draw("一 <台> & \"机器\"", &rows("cpu{a=\"b\"}", &[Some(50.0), None, Some(52.0), Some(100.0)]), Lang::Zh));
}

#[test]
fn a_long_series_stays_small() {
    let values: Vec<Option<f64>> = (0..100_000).map(|at| Some(f64::from(at % 97) + if at % 1000 == 0 { 90.0 } else { 0.0 })).collect();
    let svg = draw("long", &rows("v", &values), Lang::En);
    assert!(svg.len() < 300_000, "{}", svg.len());
    let value = svg.lines().find(|line| line.starts_with("<path class=\"value\" d=\"M") && !line.contains("40h24")).unwrap();
    assert!(count(value, "L") < 2 * 1000);
}

#[test]
fn odd_input_draws_without_a_number_that_is_none() {
    let cases: [Vec<Option<f64>>; 5] =
        [vec![], vec![Some(1.0)], vec![None, None], vec![Some(7.0), Some(7.0)], vec![Some(-1e300), Some(1e300)]];
    for values in cases {
        let svg = draw("t", &rows("v", &values), Lang::En);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{values:?}: {svg}");
        assert!(svg.ends_with("</svg>\n"));
    }
}

#[test]
fn ticks_are_round() {
    let values: Vec<Option<f64>> = (0..120).map(|at| Some(f64::from(at))).collect();
    let svg = draw("t", &rows("v", &values), Lang::En);
    for label in [">00:15<", ">01:45<", ">1970-01-01<", ">50<", ">100<"] {
        assert!(svg.contains(label), "{label} in {svg}");
    }
}
