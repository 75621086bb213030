//! The components around others, breadth first over the relations along which faults go.

use std::collections::{BTreeMap, BTreeSet};

use estate::{ComponentId, Snapshot};

/// How a component was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Around {
    pub hops: u32,
    /// The component before it; `None` for a start.
    pub by: Option<ComponentId>,
}

/// The starts, what they stand on, and (`dependents`) what stands on them, each by the fewest hops. No way turns around: what else
/// stands on the same host is no neighbor.
pub(super) fn around(estate: &Snapshot, starts: &[ComponentId], hops: u32, dependents: bool) -> BTreeMap<ComponentId, Around> {
    let mut reached: BTreeMap<ComponentId, Around> = starts.iter().map(|start| (*start, Around { hops: 0, by: None })).collect();
    let directions: &[bool] = if dependents { &[false, true] } else { &[false] };
    // One front for each direction.
    let mut fronts: Vec<(bool, BTreeSet<ComponentId>, Vec<ComponentId>)> =
        directions.iter().map(|above| (*above, starts.iter().copied().collect(), reached.keys().copied().collect())).collect();
    for distance in 1..=hops {
        for (above, seen, front) in &mut fronts {
            let mut next = Vec::new();
            for at in front.iter() {
                for to in estate.next_to(*at, &[], *above) {
                    if seen.insert(to) {
                        next.push(to);
                        reached.entry(to).or_insert(Around { hops: distance, by: Some(*at) });
                    }
                }
            }
            next.sort_unstable();
            *front = next;
        }
    }
    reached
}

/// From a start to a component that was reached, both ends included.
pub(super) fn way(reached: &BTreeMap<ComponentId, Around>, to: ComponentId) -> Vec<ComponentId> {
    let mut way = vec![to];
    let mut at = to;
    while let Some(by) = reached.get(&at).and_then(|around| around.by) {
        way.push(by);
        at = by;
    }
    way.reverse();
    way
}
