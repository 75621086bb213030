//! Isolation forest (Liu, Ting and Zhou, "Isolation Forest", ICDM 2008): rows that few random cuts isolate are anomalous.
//!
//! Works like scikit-learn's `IsolationForest`: each tree sees a small sample, drawn without replacement; a cut takes a random
//! column of those that still vary and a random place between its extremes; a tree ends at depth ⌈log2(sample)⌉. Same formulas,
//! so [`Forest::score`] is `-score_samples`. All values are kept as they are; scikit-learn rounds them to single precision.

use diag::{Text, text};
use serde::{Deserialize, Serialize};

use super::random::Random;
use super::reference::count;

/// More trees only take time: the error of a score falls with the square root of their number, and is below 0.001 here.
const MAX_TREES: usize = 10_000;

/// Nodes are numbered by 32 bits.
const MAX_NODES: usize = u32::MAX as usize;

/// Rows scored at a time, tree by tree: they and one tree fit into the first-level cache.
const BLOCK: usize = 512;

/// Euler's constant.
const GAMMA: f64 = 0.577_215_664_901_532_9;

/// How a forest is grown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForestOptions {
    /// How many trees, at least 1.
    pub trees: usize,
    /// Rows that each tree sees, at least 1; all of them if there are fewer.
    pub sample: usize,
    pub seed: u64,
}

/// A hundred trees of 256 rows: what Liu, Ting and Zhou find enough on all of their data, and scikit-learn's default.
impl Default for ForestOptions {
    fn default() -> Self {
        ForestOptions { trees: 100, sample: 256, seed: 0 }
    }
}

/// A grown forest: all trees in one array.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forest {
    /// Columns of a row.
    dimensions: usize,
    /// Rows that each tree saw.
    sample: usize,
    roots: Vec<u32>,
    nodes: Vec<Node>,
}

/// Column, first child (the second follows it), and the cut: values up to it go to the first child. A leaf has child 0, which is the
/// first root and so never a child, and the length of its path instead of a cut.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Node(u32, u32, f64);

/// The mean path of an unsuccessful search in a binary search tree of n keys, c(n) of the paper (there for n > 2): the length of
/// paths if nothing is anomalous.
fn mean_path(n: usize) -> f64 {
    match n {
        0 | 1 => 0.0,
        2 => 1.0,
        _ => {
            let others = count(n - 1);
            2.0 * (others.ln() + GAMMA) - 2.0 * others / count(n)
        }
    }
}

impl Forest {
    /// Grows a forest over rows of equal length.
    ///
    /// # Errors
    /// As text: no rows, rows of different lengths, a value that is not finite, options out of range.
    pub fn fit(rows: &[Vec<f64>], options: &ForestOptions) -> Result<Forest, Text> {
        grow(rows, options).map(|(forest, _)| forest)
    }

    /// The same, and the score of every row by only the trees that did not see it, so that it is comparable with the score of a new row.
    /// A row that all trees saw has its ordinary score.
    pub(super) fn fit_held_out(rows: &[Vec<f64>], options: &ForestOptions) -> Result<(Forest, Vec<f64>), Text> {
        let (forest, samples) = grow(rows, options)?;
        let mut paths = vec![0.0; rows.len()];
        let mut trees = vec![0_usize; rows.len()];
        for (root, sample) in forest.roots.iter().zip(&samples) {
            let mut seen = vec![false; rows.len()];
            for row in sample {
                if let Some(slot) = seen.get_mut(*row as usize) {
                    *slot = true;
                }
            }
            for (((row, seen), path), trees) in rows.iter().zip(&seen).zip(&mut paths).zip(&mut trees) {
                if !seen {
                    *path += forest.path(*root, row);
                    *trees += 1;
                }
            }
        }
        let held_out = rows.iter().zip(paths.iter().zip(&trees));
        let score =
            |(row, (path, trees)): (&Vec<f64>, (&f64, &usize))| if *trees == 0 { forest.score(row) } else { forest.anomaly(*path, *trees) };
        let scores = held_out.map(score).collect();
        Ok((forest, scores))
    }

    /// The anomaly score s(x) = 2^(-E(h(x)) / c(sample)) of the paper, in (0, 1]: near 1 is anomalous, 0.5 if rows are
    /// indistinguishable, lower is ordinary. NaN for a row of another length or with a value that is not finite.
    pub fn score(&self, row: &[f64]) -> f64 {
        if !self.fits(row) {
            return f64::NAN;
        }
        self.anomaly(self.roots.iter().map(|root| self.path(*root, row)).sum(), self.roots.len())
    }

    /// [`Forest::score`] of each row; faster for many.
    pub fn score_all(&self, rows: &[Vec<f64>]) -> Vec<f64> {
        let mut scores = Vec::with_capacity(rows.len());
        for block in rows.chunks(BLOCK) {
            let mut paths = vec![0.0; block.len()];
            for root in &self.roots {
                for (row, path) in block.iter().zip(&mut paths) {
                    *path += self.path(*root, row);
                }
            }
            let of_block = block.iter().zip(&paths);
            scores.extend(of_block.map(|(row, path)| if self.fits(row) { self.anomaly(*path, self.roots.len()) } else { f64::NAN }));
        }
        scores
    }

    /// Columns of a row.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Checks a forest read from a file: every path ends in a leaf.
    pub(super) fn check(&self) -> Result<(), Text> {
        if self.dimensions == 0 || self.sample == 0 || self.roots.is_empty() {
            return Err(text!("the forest has no columns, rows or trees"));
        }
        if self.roots.iter().any(|root| *root as usize >= self.nodes.len()) {
            return Err(text!("the forest has a tree without a root"));
        }
        for (at, Node(column, child, cut)) in self.nodes.iter().enumerate() {
            let leaf = *child == 0 && *cut >= 0.0;
            let inner = *child as usize > at && (*child as usize) + 1 < self.nodes.len() && (*column as usize) < self.dimensions;
            if !(cut.is_finite() && (leaf || inner)) {
                return Err(text!("node {} of the forest has an invalid child", at));
            }
        }
        Ok(())
    }

    fn fits(&self, row: &[f64]) -> bool {
        row.len() == self.dimensions && row.iter().all(|value| value.is_finite())
    }

    fn anomaly(&self, paths: f64, trees: usize) -> f64 {
        let usual = mean_path(self.sample);
        // A sample of one row has no paths; scikit-learn scores it as neither anomalous nor ordinary.
        let share = if usual > 0.0 { paths / (count(trees) * usual) } else { 1.0 };
        (-share).exp2()
    }

    /// From a root to a leaf.
    fn path(&self, root: u32, row: &[f64]) -> f64 {
        let mut at = root as usize;
        while let Some(Node(column, child, cut)) = self.nodes.get(at) {
            if *child == 0 {
                return *cut;
            }
            let second = row.get(*column as usize).is_some_and(|value| value > cut);
            at = *child as usize + usize::from(second);
        }
        0.0
    }
}

/// The forest, and which rows each tree saw.
fn grow(rows: &[Vec<f64>], options: &ForestOptions) -> Result<(Forest, Vec<Vec<u32>>), Text> {
    let dimensions = rows.first().map_or(0, Vec::len);
    if dimensions == 0 {
        return Err(text!("a forest needs at least one row with at least one value"));
    }
    for (at, row) in rows.iter().enumerate() {
        if row.len() != dimensions {
            return Err(text!("row {} has {} values, but the first row has {}", at, row.len(), dimensions));
        }
        if let Some((column, value)) = row.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            return Err(text!("row {} has {} in column {}, which is not a finite number; leave such rows out", at, value, column));
        }
    }
    if !(1..=MAX_TREES).contains(&options.trees) || options.sample == 0 {
        return Err(text!("invalid size of a forest: use 1 to {} trees of at least 1 row each", MAX_TREES));
    }
    let sample = options.sample.min(rows.len());
    let all = u32::try_from(rows.len()).map_err(|_| text!("too many rows: a forest takes at most {}", u32::MAX))?;
    if options.trees.saturating_mul(2).saturating_mul(sample) > MAX_NODES {
        return Err(text!("too many trees and rows together; use fewer of either"));
    }
    let mut random = Random::new(options.seed);
    let mut order: Vec<u32> = (0..all).collect();
    let mut forest = Forest { dimensions, sample, roots: Vec::with_capacity(options.trees), nodes: Vec::new() };
    let mut samples = Vec::with_capacity(options.trees);
    for _ in 0..options.trees {
        // The first steps of a Fisher-Yates shuffle draw without replacement, from any order.
        for at in 0..sample {
            let with = at + random.below(rows.len() - at);
            order.swap(at, with);
        }
        let drawn: Vec<u32> = order.iter().copied().take(sample).collect();
        let values = drawn.iter().filter_map(|row| rows.get(*row as usize)).flatten().copied().collect();
        let tree = Growing { values, dimensions, columns: (0..dimensions).collect(), random: &mut random };
        forest.roots.push(tree.into_nodes(sample, &mut forest.nodes));
        samples.push(drawn);
    }
    Ok((forest, samples))
}

/// A tree while it grows.
struct Growing<'a> {
    /// The rows of the sample, one after the other.
    values: Vec<f64>,
    dimensions: usize,
    /// In some order; the draw of a column changes it.
    columns: Vec<usize>,
    random: &'a mut Random,
}

/// A node that may still be cut: the rows from..to of the order.
struct Open {
    node: usize,
    from: usize,
    to: usize,
    depth: u32,
}

impl Growing<'_> {
    /// Appends the nodes of the tree, and returns the number of its root.
    fn into_nodes(mut self, sample: usize, nodes: &mut Vec<Node>) -> u32 {
        // ⌈log2(sample)⌉, at least 1.
        let limit = sample.max(2).next_power_of_two().trailing_zeros();
        let root = nodes.len();
        nodes.push(Node(0, 0, 0.0));
        let mut rows: Vec<usize> = (0..sample).collect();
        let mut open = vec![Open { node: root, from: 0, to: sample, depth: 0 }];
        while let Some(Open { node, from, to, depth }) = open.pop() {
            let Some(part) = rows.get_mut(from..to) else { continue };
            let cut = if depth < limit { self.cut(part) } else { None };
            let grown = match cut {
                None => Node(0, 0, f64::from(depth) + mean_path(part.len())),
                Some((column, place)) => {
                    let middle = from + self.partition(part, column, place);
                    let child = nodes.len();
                    nodes.extend([Node(0, 0, 0.0), Node(0, 0, 0.0)]);
                    open.push(Open { node: child + 1, from: middle, to, depth: depth + 1 });
                    open.push(Open { node: child, from, to: middle, depth: depth + 1 });
                    Node(number(column), number(child), place)
                }
            };
            if let Some(slot) = nodes.get_mut(node) {
                *slot = grown;
            }
        }
        number(root)
    }

    fn value(&self, row: usize, column: usize) -> f64 {
        self.values.get(row * self.dimensions + column).copied().unwrap_or(f64::NAN)
    }

    /// A random column of those that vary, and a random place in it. `None` if none varies.
    fn cut(&mut self, part: &[usize]) -> Option<(usize, f64)> {
        if part.len() < 2 {
            return None;
        }
        for at in 0..self.dimensions {
            let with = at + self.random.below(self.dimensions - at);
            self.columns.swap(at, with);
            let column = *self.columns.get(at)?;
            let values = part.iter().map(|row| self.value(*row, column));
            let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
            if low < high {
                let share = self.random.unit();
                // Not low + share * (high - low): the difference may be infinite.
                let place = low * (1.0 - share) + high * share;
                // Rounding must not leave a side empty.
                return Some((column, if place < high { place.max(low) } else { low }));
            }
        }
        None
    }

    /// Moves the rows up to the cut to the front, and returns their number.
    fn partition(&self, part: &mut [usize], column: usize, place: f64) -> usize {
        let mut first = 0;
        for at in 0..part.len() {
            if part.get(at).is_some_and(|row| self.value(*row, column) <= place) {
                part.swap(first, at);
                first += 1;
            }
        }
        first
    }
}

/// Node numbers fit: `grow` rejects sizes for which they might not.
fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
