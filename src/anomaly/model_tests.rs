//! Models end to end: what they learn, what they then say, what they refuse.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test that fails may panic")]

use std::collections::BTreeMap;

use super::random::Random;
use super::{Detector, FitOptions, Model, Scored, Table, runs};
use estate::Direction;
use value::{DAY, Duration, HOUR, MINUTE, Time};

/// Columns of values every so often from midnight of a day.
fn table(step: Duration, columns: &[(&str, &[f64])]) -> Table {
    let names = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let row = |at: usize| {
        (Time(20_089 * DAY + i64::try_from(at).unwrap() * step), columns.iter().map(|(_, values)| values[at]).collect::<Vec<f64>>())
    };
    Table::of_rows(names, (0..columns[0].1.len()).map(row).collect())
}

fn single(values: &[f64]) -> Table {
    table(MINUTE, &[("v", values)])
}

/// About normal with this spread: the sum of twelve uniform numbers has the variance 1.
fn noise(n: usize, spread: f64, seed: u64) -> Vec<f64> {
    let mut random = Random::new(seed);
    (0..n).map(|_| ((0..12).map(|_| random.unit()).sum::<f64>() - 6.0) * spread).collect()
}

fn fit(table: &Table) -> Model {
    Model::fit(table, &FitOptions::default()).unwrap()
}

fn fit_with(table: &Table, change: impl FnOnce(&mut FitOptions)) -> Model {
    let mut options = FitOptions::default();
    change(&mut options);
    Model::fit(table, &options).unwrap()
}

fn odd(scored: &[Scored]) -> Vec<usize> {
    scored.iter().enumerate().filter(|(_, row)| row.anomalous).map(|(at, _)| at).collect()
}

fn one(model: &Model, value: f64) -> Scored {
    model.score_one(&BTreeMap::from([("v".to_owned(), value)]))
}

#[test]
fn a_spike_on_noise_is_found() {
    let mut values: Vec<f64> = noise(2_000, 3.0, 1).iter().map(|noise| 50.0 + noise).collect();
    values[700] = 90.0;
    values[1_500] = 10.0;
    let table = single(&values);
    let scored = fit(&table).score(&table).unwrap();
    let found = odd(&scored);
    assert!(found.contains(&700) && found.contains(&1_500), "{found:?}");
    // One in a thousand by chance; the drift of the noise is within it.
    assert!(found.len() <= 10, "{found:?}");
    let row = &scored[700];
    assert_eq!((row.detector, row.column.as_deref()), (Some(Detector::RobustZ), Some("v")));
    let reading = &row.values[0];
    assert!(reading.high.unwrap() < 90.0 && reading.low.unwrap() > 10.0 && (reading.expected - 50.0).abs() < 0.5, "{reading:?}");
}

#[test]
fn a_short_history_accuses_nobody_lightly() {
    let model = fit(&single(&[10.0, 11.0, 10.0, 12.0, 11.0]));
    assert!(!one(&model, 20.0).anomalous, "{:?}", one(&model, 20.0));
    assert!(one(&model, 1_000.0).anomalous);
    // Three samples leave two degrees of freedom: z = 21.6, and each side of it still has 1/(2z²).
    let three = fit(&single(&[10.0, 11.0, 12.0]));
    assert!(!one(&three, 80.0).anomalous, "{:?}", one(&three, 80.0));
}

#[test]
fn direction_says_which_side_counts() {
    let values = noise(300, 1.0, 2);
    for (direction, low, high) in [(Direction::High, false, true), (Direction::Low, true, false), (Direction::Both, true, true)] {
        let model = fit_with(&single(&values), |options| options.direction = direction);
        assert_eq!((one(&model, -50.0).anomalous, one(&model, 50.0).anomalous), (low, high), "{direction:?}");
        let reading = &one(&model, 0.0).values[0];
        assert_eq!((reading.low.is_some(), reading.high.is_some()), (low, high), "{direction:?}");
    }
}

#[test]
fn constants_and_zeros() {
    let flat = fit(&single(&[42.0; 100]));
    assert!(!one(&flat, 42.0).anomalous && !one(&flat, 44.0).anomalous && one(&flat, 84.0).anomalous);
    let zero = fit(&single(&[0.0; 100]));
    assert!(!one(&zero, 0.0).anomalous && one(&zero, 1.0).anomalous && one(&zero, -1e-9).anomalous);
    let reading = &one(&zero, 0.0).values[0];
    assert_eq!((reading.low, reading.high), (Some(0.0), Some(0.0)));
    // A share that is nearly always whole: another percent lost is nothing, a quarter is.
    let ceiling: Vec<f64> = noise(500, 1.5, 3).iter().map(|noise| (100.0 - noise.abs()).clamp(95.0, 100.0)).collect();
    let model = fit(&single(&ceiling));
    assert!(!one(&model, 100.0).anomalous && !one(&model, 97.0).anomalous && one(&model, 75.0).anomalous);
}

#[test]
fn a_counter_is_judged_by_its_rise() {
    let mut total = 0.0;
    let mut values: Vec<f64> = noise(600, 6.0, 4)
        .iter()
        .map(|noise| {
            total += 600.0 + noise;
            total
        })
        .collect();
    // A restart of the process: it counts from zero again, as fast as ever.
    let before = values[400] - 300.0;
    values[400..].iter_mut().for_each(|value| *value -= before);
    let reset = single(&values);
    let model = fit(&reset);
    assert!(model.describe()[1].contains(" per second (counter)"), "{:?}", model.describe());
    let scored = model.score(&reset).unwrap();
    assert_eq!(scored[0].values[0].value, None);
    // The minute of the restart counts 300 of 600: half a rise, and that is all that may be odd.
    assert!(odd(&scored).iter().all(|at| (400..=403).contains(at)), "{:?}", odd(&scored));
    assert!(!one(&model, 10.0).anomalous && one(&model, 100.0).anomalous, "one value is a rise per second");
}

#[test]
fn gaps_are_not_judged_and_do_no_harm() {
    let mut values = noise(400, 1.0, 5);
    values[100..140].fill(f64::NAN);
    let table = single(&values);
    let scored = fit(&table).score(&table).unwrap();
    assert!(scored[100..140].iter().all(|row| !row.anomalous && row.p == 1.0 && row.detector.is_none() && row.values[0].value.is_none()));
    assert!(scored[140].detector.is_some());
}

#[test]
fn a_drift_is_found_that_no_single_value_shows() {
    let model = fit(&single(&noise(3_000, 1.0, 6)));
    let shifted: Vec<f64> = noise(120, 1.0, 7).iter().enumerate().map(|(at, noise)| noise + if at < 60 { 0.0 } else { 2.0 }).collect();
    let table = single(&shifted);
    let scored = model.score(&table).unwrap();
    let drift: Vec<usize> =
        scored.iter().enumerate().filter(|(_, row)| row.anomalous && row.detector == Some(Detector::Ewma)).map(|(at, _)| at).collect();
    assert!(drift.len() > 20 && drift.iter().all(|at| *at >= 60), "{drift:?}");
    let shifts = model.shifts(&table).unwrap();
    assert!(shifts.len() == 1 && shifts[0].up, "{shifts:?}");
    assert!(shifts[0].at.since(table.times[60]).abs() <= 3 * MINUTE, "{shifts:?}");
}

/// Days of a sine with its top at noon, a value every five minutes.
fn days(n: usize, seed: u64) -> Vec<f64> {
    let wave = |at: usize| {
        #[allow(clippy::cast_precision_loss, reason = "few")]
        let share = at as f64 / 288.0;
        50.0 - 20.0 * (share * std::f64::consts::TAU).cos()
    };
    noise(n * 288, 1.0, seed).iter().enumerate().map(|(at, noise)| wave(at) + noise).collect()
}

#[test]
fn a_rhythm_is_learnt_and_what_breaks_it_found() {
    let table_of = |values: &[f64]| table(5 * MINUTE, &[("v", values)]);
    let model = fit(&table_of(&days(7, 8)));
    assert!(model.describe()[1].contains("rhythm of 1d"), "{:?}", model.describe());
    // 65 is usual at noon and odd at midnight.
    let midnight = Time(20_089 * DAY);
    let at = |time: Time| model.score_at(&BTreeMap::from([("v".to_owned(), 66.0)]), Some(time));
    assert!(at(midnight.plus(3 * DAY)).anomalous && !at(midnight.plus(3 * DAY + 9 * HOUR + 30 * MINUTE)).anomalous);
    assert_eq!(at(midnight.plus(3 * DAY)).detector, Some(Detector::Seasonal));
    // Without a time only the level is known.
    assert!(!one(&model, 66.0).anomalous && one(&model, 500.0).anomalous);
    // The day after is as forecast.
    let next = model.forecast(&[midnight.plus(7 * DAY + 12 * HOUR), midnight.plus(7 * DAY + 23 * HOUR + 55 * MINUTE)]);
    let expected: Vec<f64> = next.iter().map(|row| row.values[0].expected).collect();
    assert!((expected[0] - 70.0).abs() < 3.0 && (expected[1] - 30.0).abs() < 3.0, "{expected:?}");
    assert!(next.iter().all(|row| row.values[0].low.unwrap() < row.values[0].expected && row.values[0].value.is_none()));
    let again = Model::from_json("m", model.to_json().unwrap().as_bytes()).unwrap();
    assert_eq!(again, model);
}

#[test]
fn noise_and_short_records_have_no_rhythm() {
    for values in [noise(3 * 288, 1.0, 9), days(1, 10), vec![5.0; 3 * 288]] {
        let model = fit(&table(5 * MINUTE, &[("v", &values)]));
        assert!(!model.describe()[1].contains("rhythm"), "{:?}", model.describe());
    }
}

#[test]
fn two_columns_that_no_longer_go_together() {
    // Load and time per request are both low or both high; one low and one high is odd, though both values are usual.
    let block = |values: Vec<f64>| -> Vec<f64> {
        values.iter().enumerate().map(|(at, noise)| noise + if at / 100 % 2 == 0 { 10.0 } else { 50.0 }).collect()
    };
    let (load, time) = (block(noise(4_000, 2.0, 11)), block(noise(4_000, 2.0, 12)));
    let table = table(MINUTE, &[("load", &load), ("time", &time)]);
    let fitted = |seed| fit_with(&table, |options| (options.seed, options.threshold) = (seed, 0.15));
    let model = fitted(1);
    let score = |load: f64, time: f64| model.score_one(&BTreeMap::from([("load".to_owned(), load), ("time".to_owned(), time)]));
    let (together, apart) = (score(50.0, 50.0), score(50.0, 10.0));
    assert!(apart.anomalous && !together.anomalous, "{apart:?} {together:?}");
    assert_eq!((apart.detector, &apart.column), (Some(Detector::Forest), &None));
    assert_eq!(fitted(1), model);
    assert_ne!(fitted(2), model);
    let missing = model.score_one(&BTreeMap::from([("load".to_owned(), 30.0)]));
    assert!(!missing.anomalous && missing.forest.is_none() && missing.p == 1.0, "{missing:?}");
    let again = Model::from_json("m", model.to_json().unwrap().as_bytes()).unwrap();
    assert_eq!(again.score(&table).unwrap(), model.score(&table).unwrap());
}

#[test]
fn a_forest_that_cannot_decide_says_so() {
    let table = table(MINUTE, &[("a", &noise(100, 1.0, 13)), ("b", &noise(100, 1.0, 14))]);
    assert!(fit(&table).describe().last().unwrap().contains("use 1999 rows or more"), "{:?}", fit(&table).describe());
    let alone = fit_with(&table, |options| options.detectors = vec![Detector::Forest]);
    assert!(alone.describe().last().unwrap().contains("use 999 rows or more"));
    assert!(fit_with(&table, |options| options.threshold = 0.05).describe().iter().all(|line| !line.contains("warning")));
}

#[test]
fn runs_join_what_belongs_together() {
    let mut values = noise(300, 1.0, 15);
    for at in [100, 101, 103, 200] {
        values[at] = 60.0;
    }
    values[200] = 90.0;
    let model = fit_with(&single(&values), |options| options.detectors = vec![Detector::RobustZ]);
    let table = single(&values);
    let found = runs(&model.score(&table).unwrap());
    let told: Vec<(usize, usize, Duration)> = found.iter().take(2).map(|run| (run.worst, run.rows, run.to.since(run.from))).collect();
    assert_eq!(told, [(200, 1, 0), (100, 3, 3 * MINUTE)]);
}

#[test]
fn what_cannot_be_fitted_or_judged_is_refused() {
    let refused = |table: &Table, change: fn(&mut FitOptions)| {
        let mut options = FitOptions::default();
        change(&mut options);
        let found = Model::fit(table, &options).unwrap_err();
        format!("{} {}", found.code, found.message)
    };
    let good = single(&[1.0, 2.0, 3.0]);
    let cases = [
        (refused(&Table::default(), |_| {}), "F8002 no columns to fit a model to"),
        (refused(&single(&[1.0, f64::NAN, 3.0]), |_| {}), "F8002 column `v` has too few values to fit a model: 2"),
        (refused(&good, |options| options.threshold = 0.0), "F8002 invalid threshold `0`"),
        (refused(&good, |options| options.threshold = f64::NAN), "F8002 invalid threshold `NaN`"),
        (
            refused(&good, |options| options.detectors = vec![Detector::ChangePoint]),
            "F8002 `change_point` cannot be part of a model: it judges a whole series, not a row",
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
    let other = table(MINUTE, &[("w", &[1.0])]);
    assert_eq!(fit(&good).score(&other).unwrap_err().message.to_string(), "the data has no column `v`, which the model needs");
}

#[test]
fn a_model_file_is_checked() {
    let text = fit(&single(&[1.0, 2.0, 3.0])).to_json().unwrap();
    assert!(Model::is_model(text.as_bytes()) && !Model::is_model(b"time,v\n"));
    let cases = [
        ("time,v\n".to_owned(), "is not an anomaly model"),
        ("{}".to_owned(), "is JSON, but not an anomaly model"),
        (text.replace("\"version\":1", "\"version\":2"), "is an anomaly model of version 2; this program reads version 1"),
        (text.replace("\"columns\":[", "\"columns\":[7,"), "is not a valid anomaly model"),
        (text.replace("\"samples\":3", "\"samples\":0"), "is damaged: column `v` has invalid numbers"),
        (text.replace("\"threshold\":0.001", "\"threshold\":0.9"), "is damaged"),
    ];
    for (text, expected) in cases {
        let found = Model::from_json("m.json", text.as_bytes()).unwrap_err();
        assert_eq!(found.code.0, "F8003");
        assert!(found.message.to_string().starts_with(&format!("`m.json` {expected}")), "{}", found.message);
    }
}
