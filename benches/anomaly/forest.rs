//! Our isolation forest beside scikit-learn's, on the same rows in the same run:
//!
//!     cargo bench --bench anomaly
//!
//! scikit-learn runs in the Python that `PEER_PYTHON` names (default `/tmp/peers/venv/bin/python`), in one thread, as we do. Times
//! are wall clock, the best of three; the rows are synthetic, seeded, with one odd row in a hundred. The correlation is
//! Spearman's of all scores: two forests of other seeds agree only as far as their number of trees lets them.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anomaly::{Forest, ForestOptions};

use super::random::Random;

const PEER: &str = include_str!("peer.py");
const SIZES: [(usize, usize); 3] = [(1_000, 1), (10_000, 4), (100_000, 8)];
const TREES: [usize; 2] = [100, 1_000];
const REPEATS: usize = 3;

/// Columns that share a common part; of every hundredth row one column is far off.
fn rows(n: usize, columns: usize) -> Vec<Vec<f64>> {
    let mut random = Random(n as u64);
    (0..n)
        .map(|at| {
            let common = random.normal();
            let mut row: Vec<f64> = (0..columns).map(|_| common + random.normal()).collect();
            if at % 100 == 0 {
                row[at / 100 % columns] += 8.0;
            }
            row
        })
        .collect()
}

/// What one side took, in milliseconds, and its scores.
struct Side {
    fit: f64,
    score: f64,
    scores: Vec<f64>,
}

fn ours(rows: &[Vec<f64>], trees: usize) -> Side {
    let options = ForestOptions { trees, sample: 256, seed: 1 };
    let mut side = Side { fit: f64::INFINITY, score: f64::INFINITY, scores: Vec::new() };
    for _ in 0..REPEATS {
        let started = Instant::now();
        let forest = Forest::fit(rows, &options).unwrap();
        side.fit = side.fit.min(started.elapsed().as_secs_f64() * 1e3);
        let started = Instant::now();
        side.scores = forest.score_all(rows);
        side.score = side.score.min(started.elapsed().as_secs_f64() * 1e3);
    }
    side
}

/// One run of Python for one table and all numbers of trees: starting it is not what is measured.
fn theirs(python: &str, dir: &Path, rows: &[Vec<f64>]) -> Option<Vec<Side>> {
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().map(f64::to_string).collect();
        let _ = writeln!(text, "{}", cells.join(","));
    }
    let (script, data) = (dir.join("peer.py"), dir.join("rows.csv"));
    std::fs::write(&script, PEER).unwrap();
    std::fs::write(&data, text).unwrap();
    let output = Command::new(python).arg(&script).arg(&data).arg(REPEATS.to_string()).args(TREES.map(|trees| trees.to_string())).output();
    let output = match output {
        Ok(output) if output.status.success() => output,
        Ok(output) => {
            println!("scikit-learn did not run: {}", String::from_utf8_lossy(&output.stderr).trim());
            return None;
        }
        Err(error) => {
            println!("{python} did not run: {error}");
            return None;
        }
    };
    let told = String::from_utf8(output.stdout).unwrap();
    let side = |line: &str| {
        let numbers: Vec<f64> = line.split_whitespace().map(|number| number.parse().unwrap()).collect();
        Side { fit: numbers[0], score: numbers[1], scores: numbers[2..].to_vec() }
    };
    Some(told.lines().map(side).collect())
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut at = 0;
    while at < order.len() {
        let end = (at..order.len()).find(|one| values[order[*one]] != values[order[at]]).unwrap_or(order.len());
        for one in at..end {
            ranks[order[one]] = (at + end - 1) as f64 / 2.0;
        }
        at = end;
    }
    ranks
}

fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 - 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| (x - mean) * (y - mean)).sum::<f64>();
    product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt()
}

/// Prints the table.
pub fn run() {
    let python = std::env::var("PEER_PYTHON").unwrap_or("/tmp/peers/venv/bin/python".to_owned());
    let dir = std::env::temp_dir().join(format!("faultscope-forest-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    println!("isolation forest, sample 256, one thread, best of {REPEATS}; times in ms, ours / scikit-learn");
    println!("{:>12} {:>6} {:>22} {:>8} {:>22} {:>8} {:>10}", "rows", "trees", "fit", "faster", "score", "faster", "Spearman");
    for (n, columns) in SIZES {
        let rows = rows(n, columns);
        let peers = theirs(&python, &dir, &rows);
        for (at, trees) in TREES.into_iter().enumerate() {
            let us = ours(&rows, trees);
            let size = format!("{n}x{columns}");
            match peers.as_ref().and_then(|peers| peers.get(at)) {
                Some(peer) => println!(
                    "{size:>12} {trees:>6} {:>10.1} / {:>9.1} {:>7.1}x {:>10.1} / {:>9.1} {:>7.1}x {:>10.4}",
                    us.fit,
                    peer.fit,
                    peer.fit / us.fit,
                    us.score,
                    peer.score,
                    peer.score / us.score,
                    spearman(&us.scores, &peer.scores),
                ),
                None => println!(
                    "{size:>12} {trees:>6} {:>10.1} / {:>9} {:>8} {:>10.1} / {:>9} {:>8} {:>10}",
                    us.fit, "-", "-", us.score, "-", "-", "-"
                ),
            }
        }
    }
    let _ = std::fs::remove_dir_all(&dir);
}
