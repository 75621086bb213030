//! Questions of responders and change owners: what could have caused this, what is a single point of failure, which other
//! paths a fault may take.

use std::collections::BTreeMap;

use super::component::{ComponentId, Relation};
use super::model::{State, Travel};
use super::overlay::Side;
use super::snapshot::Snapshot;

/// A component whose fault may have reached some of those in question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    pub component: ComponentId,
    /// The components in question that it reaches, itself included if it is one of them; ascending.
    pub reaches: Vec<ComponentId>,
    /// Hops to the farthest of them.
    pub distance: u32,
    /// Hops to all of them together.
    hops: u32,
}

/// A component whose loss alone takes others down, redundancy counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinglePoint {
    pub component: ComponentId,
    /// Ascending.
    pub takes_down: Vec<ComponentId>,
}

impl Snapshot {
    /// What could have caused the symptoms of these components: first those that reach most of them, then the nearest, then by
    /// id. `max_hops` limits how far a fault may have traveled.
    pub fn causes(&self, of: &[ComponentId], max_hops: Option<u32>) -> Vec<Cause> {
        let mut found: BTreeMap<ComponentId, Cause> = BTreeMap::new();
        let mut of = of.to_vec();
        of.sort_unstable();
        of.dedup();
        for &one in &of {
            let reached = self.dependencies(one, &[], max_hops).into_iter().map(|reached| (reached.component, reached.distance));
            for (component, distance) in reached.chain([(one, 0)]) {
                let cause = found.entry(component).or_insert(Cause { component, reaches: Vec::new(), distance: 0, hops: 0 });
                cause.reaches.push(one);
                cause.distance = cause.distance.max(distance);
                cause.hops = cause.hops.saturating_add(distance);
            }
        }
        let mut causes: Vec<Cause> = found.into_values().collect();
        causes.sort_by_key(|cause| (std::cmp::Reverse(cause.reaches.len()), cause.hops, cause.component));
        causes
    }

    /// Every component whose loss alone takes another one down; ascending. Costs the sum of what they reach.
    pub fn single_points(&self) -> Vec<SinglePoint> {
        let point = |component: ComponentId| SinglePoint { component, takes_down: self.taken_down(component) };
        self.ids().map(point).filter(|point| !point.takes_down.is_empty()).collect()
    }

    /// Those whose loss alone takes one component down; ascending.
    pub fn single_points_of(&self, component: ComponentId) -> Vec<ComponentId> {
        let candidates = self.dependencies(component, &[], None).into_iter().map(|reached| reached.component);
        let mut found: Vec<ComponentId> =
            candidates.filter(|candidate| self.taken_down(*candidate).binary_search(&component).is_ok()).collect();
        found.sort_unstable();
        found
    }

    /// What carries a component that no single loss takes down, because every relation to it only degrades it: the services of a
    /// business line. Ascending; empty if a relation can take it down.
    pub fn carried_by(&self, component: ComponentId) -> Vec<ComponentId> {
        let arrives = |relation: &Relation, ahead: Travel| {
            let kind = self.model().find_relation(&relation.kind)?;
            (kind.travel == ahead || kind.travel == Travel::Both).then_some(relation.effect.unwrap_or(kind.effect))
        };
        let into = self.relations_to(component).into_iter().filter_map(|r| Some((r.from, arrives(&r, Travel::ToEnd)?)));
        let out = self.relations_from(component).into_iter().filter_map(|r| Some((r.to, arrives(&r, Travel::ToStart)?)));
        let mut all: BTreeMap<ComponentId, State> = BTreeMap::new();
        for (other, effect) in into.chain(out) {
            let worst = all.entry(other).or_insert(effect);
            *worst = effect.max(*worst);
        }
        if all.values().any(|effect| *effect == State::Down) { Vec::new() } else { all.into_keys().collect() }
    }

    fn taken_down(&self, component: ComponentId) -> Vec<ComponentId> {
        let states = self.states(&[(component, State::Down)], None);
        let mut down: Vec<ComponentId> =
            states.into_iter().filter(|(_, state)| *state == State::Down).map(|(component, _)| component).collect();
        down.sort_unstable();
        down
    }

    /// Up to `most` loopless paths of a fault from `from` to `to`, the shortest first; paths of equal length are sorted by their
    /// components. After Yen, "Finding the K shortest loopless paths in a network", Management Science 17 (1971).
    pub fn ways(&self, from: ComponentId, to: ComponentId, most: usize) -> Vec<Vec<ComponentId>> {
        let (start, end) = (self.slots.slot(from), self.slots.slot(to));
        let ids = |way: &[u32]| -> Vec<ComponentId> { way.iter().map(|slot| self.slots.id(*slot)).collect() };
        let mut ways: Vec<Vec<u32>> = self.shortest(start, end, &[], &[]).into_iter().collect();
        let mut open: Vec<Vec<u32>> = Vec::new();
        while ways.len() < most.max(1) {
            let Some(last) = ways.last().cloned() else { break };
            for turn in 0..last.len().saturating_sub(1) {
                let (before, Some(&at)) = (last.get(..turn).unwrap_or_default(), last.get(turn)) else { continue };
                let begin = last.get(..=turn).unwrap_or_default();
                let taken: Vec<u32> =
                    ways.iter().filter(|way| way.starts_with(begin)).filter_map(|way| way.get(turn + 1).copied()).collect();
                if let Some(rest) = self.shortest(at, end, before, &taken) {
                    let way: Vec<u32> = before.iter().copied().chain(rest).collect();
                    if !open.contains(&way) && !ways.contains(&way) {
                        open.push(way);
                    }
                }
            }
            let Some(best) = (0..open.len()).min_by_key(|at| open.get(*at).map(|way| (way.len(), ids(way)))) else { break };
            ways.push(open.swap_remove(best));
        }
        if from == to {
            ways.truncate(1);
        }
        ways.truncate(most);
        ways.iter().map(|way| ids(way)).collect()
    }

    /// The shortest path, in slots, that avoids some components and whose first hop leads to none of `taken`. Searched from its end: a
    /// component usually has fewer dependencies than dependents.
    fn shortest(&self, from: u32, to: u32, avoid: &[u32], taken: &[u32]) -> Option<Vec<u32>> {
        if from == to {
            return Some(vec![from]);
        }
        self.walk(|walk| {
            for component in avoid {
                walk.see_as(*component, u32::MAX);
            }
            if !walk.see(to) {
                return None;
            }
            walk.queue.push(to);
            let mut at = 0;
            'search: loop {
                let &component = walk.queue.get(at)?;
                at += 1;
                let farther = walk.noted(component).unwrap_or(0) + 1;
                for &before in self.row(Side::Back, component).ends {
                    if before == from && taken.contains(&component) || !walk.see_as(before, farther) {
                        continue;
                    }
                    if before == from {
                        break 'search;
                    }
                    walk.queue.push(before);
                }
            }
            // Everything nearer to the end than the start has its distance: take the first hop that comes nearer.
            let mut way = vec![from];
            let mut at = from;
            while at != to {
                let nearer = walk.noted(at)?.checked_sub(1)?;
                let mut hops = self.row(Side::On, at).ends.iter().copied();
                at = hops.find(|next| walk.noted(*next) == Some(nearer) && !(at == from && taken.contains(next)))?;
                way.push(at);
            }
            Some(way)
        })
    }
}
