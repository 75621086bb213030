//! A small decision tree over labelled incidents: which questions tell the known faults apart.
//!
//! CART with the Gini impurity (Breiman, Friedman, Olshen and Stone, 1984) over binary features. The crate `linfa-trees` 0.8 is not
//! used because it decides ties in a leaf by the order of a `HashMap` with random keys (`find_modal_class`), so that two runs may write
//! different trees. Its leaves also keep no counts, which are needed to judge them.

use std::collections::{BTreeMap, BTreeSet};

use super::itemsets::number;

/// Maximum number of questions on a path: as many as an engineer on call will follow at night.
const MAX_DEPTH: usize = 4;

/// Fewer incidents than this on one side of a question may be chance.
const MIN_LEAF: usize = 2;

/// A split that gains less is a rounding error.
const MIN_GAIN: f64 = 1e-9;

/// One incident: its features, and its class.
#[derive(Debug, Clone)]
pub struct Example {
    pub features: BTreeSet<usize>,
    pub class: usize,
}

/// A tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Leaf {
        /// How many incidents of each class end here; never empty for a tree of examples.
        counts: BTreeMap<usize, usize>,
    },
    Ask {
        feature: usize,
        yes: Box<Node>,
        no: Box<Node>,
    },
}

/// Grows the tree for these examples. If features split equally well, the one with the lowest number is used.
pub fn grow(examples: &[Example]) -> Node {
    let all: Vec<&Example> = examples.iter().collect();
    split(&all, MAX_DEPTH)
}

/// Recursive, at most [`MAX_DEPTH`] deep.
fn split(examples: &[&Example], depth: usize) -> Node {
    let counts = counts(examples);
    let before = impurity(&counts);
    let features: BTreeSet<usize> = examples.iter().flat_map(|one| one.features.iter().copied()).collect();
    let mut best: Option<(f64, usize)> = None;
    for feature in features.into_iter().filter(|_| depth > 0) {
        let (yes, no) = parts(examples, feature);
        if yes.len() < MIN_LEAF || no.len() < MIN_LEAF {
            continue;
        }
        let share = number(yes.len()) / number(examples.len());
        let after = share * impurity(&self::counts(&yes)) + (1.0 - share) * impurity(&self::counts(&no));
        if before - after > MIN_GAIN && best.is_none_or(|(least, _)| after < least - MIN_GAIN) {
            best = Some((after, feature));
        }
    }
    let Some((_, feature)) = best else { return Node::Leaf { counts } };
    let (yes, no) = parts(examples, feature);
    let (yes, no) = (split(&yes, depth - 1), split(&no, depth - 1));
    // A question whose answers lead to the same verdict need not be asked.
    let verdict = |counts| majority(counts).map(|(class, _)| class);
    match (&yes, &no) {
        (Node::Leaf { counts: a }, Node::Leaf { counts: b }) if verdict(a) == verdict(b) => Node::Leaf { counts },
        (Node::Leaf { .. } | Node::Ask { .. }, Node::Leaf { .. } | Node::Ask { .. }) => {
            Node::Ask { feature, yes: Box::new(yes), no: Box::new(no) }
        }
    }
}

fn parts<'e>(examples: &[&'e Example], feature: usize) -> (Vec<&'e Example>, Vec<&'e Example>) {
    examples.iter().copied().partition(|one| one.features.contains(&feature))
}

fn counts(examples: &[&Example]) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    examples.iter().for_each(|one| *counts.entry(one.class).or_default() += 1);
    counts
}

/// Gini: the chance that two drawn with replacement differ. 0 for one class, or none.
fn impurity(counts: &BTreeMap<usize, usize>) -> f64 {
    let all = number(counts.values().sum());
    if all == 0.0 { 0.0 } else { 1.0 - counts.values().map(|count| (number(*count) / all).powi(2)).sum::<f64>() }
}

/// The most frequent class and its number of incidents; in a tie, the lowest class.
pub fn majority(counts: &BTreeMap<usize, usize>) -> Option<(usize, usize)> {
    counts.iter().map(|(class, count)| (*class, *count)).max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(&a.0)))
}

#[cfg(test)]
mod tests {
    use super::{Example, Node, grow, impurity, majority};

    fn examples(list: &[(&[usize], usize)]) -> Vec<Example> {
        list.iter().map(|(features, class)| Example { features: features.iter().copied().collect(), class: *class }).collect()
    }

    fn shown(node: &Node) -> String {
        match node {
            Node::Leaf { counts } => counts.iter().map(|(class, count)| format!("{count}x{class}")).collect::<Vec<_>>().join(" "),
            Node::Ask { feature, yes, no } => format!("{feature}?({} | {})", shown(yes), shown(no)),
        }
    }

    #[test]
    fn grown_by_hand() {
        type Rows<'a> = &'a [(&'a [usize], usize)];
        let cases: &[(Rows<'_>, &str)] = &[
            // One feature tells the two classes apart; feature 8 does so, too, and comes later.
            (&[(&[7, 8], 0), (&[7, 8], 0), (&[], 1), (&[9], 1)], "7?(2x0 | 2x1)"),
            // A single incident on one side is no reason to ask.
            (&[(&[7], 0), (&[], 1), (&[], 1)], "1x0 2x1"),
            // Nothing to tell apart.
            (&[(&[7], 0), (&[7], 0), (&[], 0), (&[], 0)], "4x0"),
            (&[], ""),
            // Gini of the whole: 1 - (4 + 4 + 4) / 36 = 2/3. Feature 1 (2 against 4 of two classes): 4/6 · 1/2 = 1/3. So does 2.
            (&[(&[1], 0), (&[1], 0), (&[2], 1), (&[2], 1), (&[], 2), (&[], 2)], "1?(2x0 | 2?(2x1 | 2x2))"),
        ];
        for (list, expected) in cases {
            assert_eq!(shown(&grow(&examples(list))), *expected, "{list:?}");
        }
    }

    #[test]
    fn impurity_by_hand() {
        let cases: &[(&[(usize, usize)], f64)] = &[(&[(0, 2), (1, 2)], 0.5), (&[(0, 4)], 0.0), (&[], 0.0), (&[(0, 3), (1, 1)], 0.375)];
        for (counts, expected) in cases {
            assert!((impurity(&counts.iter().copied().collect()) - expected).abs() < 1e-12, "{counts:?}");
        }
        assert_eq!(majority(&[(0, 1), (1, 2), (2, 2)].into_iter().collect()), Some((1, 2)));
    }
}
