//! Containment cycles: a rack in a host in that rack. The search uses an explicit stack, because a chain of a million
//! components would overflow the call stack.

use std::collections::{BTreeMap, BTreeSet};

use super::component::ComponentId;
use super::graph::Edge;

/// One relation of containment, whichever way it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hold {
    pub holder: ComponentId,
    pub held: ComponentId,
    pub edge: Edge,
}

struct Frame {
    at: ComponentId,
    /// Positions in the sorted list of what `at` holds and has not been looked at.
    next: usize,
    end: usize,
    /// Position of the hold that led here.
    entered: Option<usize>,
}

/// Every cycle, each as its holds in order. Removing the last hold of each breaks all cycles.
pub(super) fn circles(mut holds: Vec<Hold>) -> Vec<Vec<Hold>> {
    holds.sort_unstable();
    let frame = |at: ComponentId, entered: Option<usize>| Frame {
        at,
        next: holds.partition_point(|hold| hold.holder < at),
        end: holds.partition_point(|hold| hold.holder <= at),
        entered,
    };
    let mut circles = Vec::new();
    // Lookup only, never iterated.
    let mut done: BTreeSet<ComponentId> = BTreeSet::new();
    let mut depth_of: BTreeMap<ComponentId, usize> = BTreeMap::new();
    for start in holds.iter().map(|hold| hold.holder) {
        if done.contains(&start) {
            continue;
        }
        depth_of.insert(start, 0);
        let mut stack = vec![frame(start, None)];
        while let Some(top) = stack.last_mut() {
            let position = top.next;
            let Some(hold) = holds.get(position).filter(|_| position < top.end) else {
                done.insert(top.at);
                depth_of.remove(&top.at);
                stack.pop();
                continue;
            };
            top.next += 1;
            if let Some(&depth) = depth_of.get(&hold.held) {
                let way = stack.iter().skip(depth + 1).filter_map(|frame| frame.entered);
                circles.push(way.chain([position]).filter_map(|at| holds.get(at)).copied().collect());
            } else if !done.contains(&hold.held) {
                depth_of.insert(hold.held, stack.len());
                stack.push(frame(hold.held, Some(position)));
            }
        }
    }
    circles
}

#[cfg(test)]
mod tests {
    use super::{ComponentId, Edge, Hold, circles};
    use crate::graph::KindIndex;

    fn hold(holder: u32, held: u32) -> Hold {
        let (holder, held) = (ComponentId(holder), ComponentId(held));
        Hold { holder, held, edge: Edge { from: holder, kind: KindIndex(0), to: held } }
    }

    fn check(holds: &[(u32, u32)], expected: &[&[u32]]) {
        let found = circles(holds.iter().map(|&(a, b)| hold(a, b)).collect());
        let found: Vec<Vec<u32>> = found.iter().map(|circle| circle.iter().map(|h| h.holder.0).collect()).collect();
        assert_eq!(found, expected, "{holds:?}");
    }

    #[test]
    fn finds_every_circle_once() {
        check(&[(0, 1), (1, 2), (0, 2)], &[]);
        check(&[(0, 1), (1, 2), (2, 0)], &[&[0, 1, 2]]);
        check(&[(5, 0), (0, 1), (1, 0), (2, 3), (3, 2)], &[&[0, 1], &[2, 3]]);
        check(&[(3, 1), (1, 2), (2, 1), (2, 3)], &[&[1, 2], &[1, 2, 3]]);
    }

    #[test]
    fn a_deep_chain_needs_no_deep_stack() {
        let mut chain: Vec<Hold> = (0..200_000).map(|at| hold(at, at + 1)).collect();
        assert!(circles(chain.clone()).is_empty());
        chain.push(hold(200_000, 0));
        assert_eq!(circles(chain).first().map(Vec::len), Some(200_001));
    }
}
