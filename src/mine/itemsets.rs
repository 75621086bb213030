//! Frequent itemsets by FP-growth, and confidence intervals for few observations.
//!
//! Han, Pei and Yin, "Mining frequent patterns without candidate generation", SIGMOD 2000. The crate `fp-growth` 0.1.6 is not used
//! because it cannot limit the length of a set: three incidents of one fault that share thirty symptoms have 2³⁰ frequent sets, of
//! which a rule of three conditions needs 4525. Its results are also in the order of a hash map.

use std::collections::BTreeMap;

/// Minimum count and maximum length of the sets.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The number of transactions that must contain a set.
    pub least: usize,
    /// How many items it may have.
    pub longest: usize,
}

/// One item below another in the tree of prefixes; the root has no item.
struct Node {
    item: Option<usize>,
    parent: usize,
    count: usize,
    children: BTreeMap<usize, usize>,
}

/// The tree of prefixes of weighted transactions, items in the order of their frequency.
struct PrefixTree {
    nodes: Vec<Node>,
    /// The nodes of each frequent item.
    of_item: BTreeMap<usize, Vec<usize>>,
}

/// Every set of items that enough transactions contain, with its count, ascending. An item counts once in each transaction.
pub fn frequent(transactions: &[Vec<usize>], bounds: Bounds) -> BTreeMap<Vec<usize>, usize> {
    let once = |items: &Vec<usize>| {
        let mut items = items.clone();
        items.sort_unstable();
        items.dedup();
        (items, 1)
    };
    let base: Vec<(Vec<usize>, usize)> = transactions.iter().map(once).collect();
    let mut found = BTreeMap::new();
    if bounds.longest > 0 {
        grow(&base, &[], bounds, &mut found);
    }
    found
}

/// Adds the frequent sets that end with `suffix`. Calls itself at most `longest` deep.
fn grow(base: &[(Vec<usize>, usize)], suffix: &[usize], bounds: Bounds, found: &mut BTreeMap<Vec<usize>, usize>) {
    let tree = PrefixTree::new(base, bounds.least);
    for (item, places) in &tree.of_item {
        let nodes = || places.iter().filter_map(|at| tree.nodes.get(*at));
        let mut set = suffix.to_vec();
        set.push(*item);
        if set.len() < bounds.longest {
            let conditional: Vec<(Vec<usize>, usize)> = nodes().map(|node| (tree.above(node.parent), node.count)).collect();
            grow(&conditional, &set, bounds, found);
        }
        set.sort_unstable();
        found.insert(set, nodes().map(|node| node.count).sum());
    }
}

impl PrefixTree {
    fn new(base: &[(Vec<usize>, usize)], least: usize) -> Self {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for (items, count) in base {
            items.iter().for_each(|item| *counts.entry(*item).or_default() += count);
        }
        counts.retain(|_, count| *count >= least.max(1));
        let mut tree = PrefixTree {
            nodes: vec![Node { item: None, parent: 0, count: 0, children: BTreeMap::new() }],
            of_item: counts.keys().map(|item| (*item, Vec::new())).collect(),
        };
        for (items, count) in base {
            let mut kept: Vec<(usize, usize)> = items.iter().filter_map(|item| Some((*counts.get(item)?, *item))).collect();
            // The most frequent first, so that prefixes are shared; ties by item.
            kept.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
            let mut at = 0;
            for (_, item) in kept {
                at = tree.below(at, item);
                if let Some(node) = tree.nodes.get_mut(at) {
                    node.count += count;
                }
            }
        }
        tree
    }

    /// The node of an item below another node; a new one if there is none.
    fn below(&mut self, parent: usize, item: usize) -> usize {
        let new = self.nodes.len();
        let at = self.nodes.get_mut(parent).map_or(new, |node| *node.children.entry(item).or_insert(new));
        if at == new {
            self.nodes.push(Node { item: Some(item), parent, count: 0, children: BTreeMap::new() });
            self.of_item.entry(item).or_default().push(new);
        }
        at
    }

    /// The items from a node up to the root.
    fn above(&self, mut at: usize) -> Vec<usize> {
        let mut items = Vec::new();
        while let Some(Node { item: Some(item), parent, .. }) = self.nodes.get(at) {
            items.push(*item);
            at = *parent;
        }
        items
    }
}

/// The normal quantile of a two-sided interval of 95%.
const Z: f64 = 1.96;

/// The 95% interval, within 0 to 1, of a share for which `right` of `all` was observed. Wilson, "Probable inference, the law of
/// succession, and statistical inference", JASA 22 (1927): valid for few observations, where 3 of 3 must not mean certainty.
/// (0, 1) without observations.
pub fn wilson(right: usize, all: usize) -> (f64, f64) {
    if all == 0 {
        return (0.0, 1.0);
    }
    let (n, p) = (number(all), number(right) / number(all));
    let z2 = Z * Z;
    let center = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    ((center - half).max(0.0), (center + half).min(1.0))
}

/// A count as a number.
#[allow(clippy::cast_precision_loss, reason = "counts of incidents are far below 2^53")]
pub fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::{Bounds, frequent, wilson};

    fn check(transactions: &[&[usize]], least: usize, longest: usize, expected: &[(&[usize], usize)]) {
        let transactions: Vec<Vec<usize>> = transactions.iter().map(|t| t.to_vec()).collect();
        let found: Vec<(Vec<usize>, usize)> = frequent(&transactions, Bounds { least, longest }).into_iter().collect();
        let expected: Vec<(Vec<usize>, usize)> = expected.iter().map(|(set, count)| (set.to_vec(), *count)).collect();
        assert_eq!(found, expected, "{transactions:?}, at least {least}, at most {longest} items");
    }

    #[test]
    fn sets_counted_by_hand() {
        // 1 2 3 | 1 2 | 1 3 | 2: 1 thrice, 2 thrice, 3 twice, 1 with 2 twice, 1 with 3 twice, 2 with 3 once.
        let four: &[&[usize]] = &[&[1, 2, 3], &[2, 1], &[3, 1, 1], &[2]];
        check(four, 2, 3, &[(&[1], 3), (&[1, 2], 2), (&[1, 3], 2), (&[2], 3), (&[3], 2)]);
        check(four, 2, 1, &[(&[1], 3), (&[2], 3), (&[3], 2)]);
        check(four, 4, 3, &[]);
        check(four, 2, 0, &[]);
        check(&[], 1, 3, &[]);
    }

    /// Against counting every set of up to three items.
    #[test]
    fn the_same_as_counting_all() {
        // Bits of a fixed sequence: 40 transactions over 8 items.
        let mut seed: u32 = 7;
        let mut transactions = Vec::new();
        for _ in 0..40 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            transactions.push((0..8usize).filter(|bit| (seed >> (bit + 16)) & 1 == 1).collect::<Vec<usize>>());
        }
        let mut expected = std::collections::BTreeMap::new();
        for mask in 1..256usize {
            let set: Vec<usize> = (0..8).filter(|bit| (mask >> bit) & 1 == 1).collect();
            let count = transactions.iter().filter(|t| set.iter().all(|item| t.contains(item))).count();
            if set.len() <= 3 && count >= 5 {
                expected.insert(set, count);
            }
        }
        assert!(expected.len() > 20, "{}", expected.len());
        assert_eq!(frequent(&transactions, Bounds { least: 5, longest: 3 }), expected);
    }

    #[test]
    fn thirty_items_in_common_end() {
        let same: Vec<usize> = (0..30).collect();
        let found = frequent(&[same.clone(), same.clone(), same], Bounds { least: 3, longest: 3 });
        // 30 + 435 + 4060.
        assert_eq!(found.len(), 4525);
    }

    #[test]
    fn intervals_by_hand() {
        // With all right, the lower end is n / (n + z²).
        for (right, all, low, high) in [(3, 3, 0.4385, 1.0), (0, 3, 0.0, 0.5615), (5, 10, 0.2366, 0.7634), (0, 0, 0.0, 1.0)] {
            let found = wilson(right, all);
            assert!((found.0 - low).abs() < 1e-4 && (found.1 - high).abs() < 1e-4, "{right} of {all}: {found:?}");
        }
    }
}
