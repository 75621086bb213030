//! What a fault drags down, and how hard.
//!
//! States travel from the components at fault along the relations, in the direction that the model gives to faults:
//!
//! - **Down** arrives as the effect of the relation, which is usually that of its kind: `depends_on` takes down, `replicates` degrades.
//! - **Degraded** and **at risk** arrive as *at risk*: a dependent of something slow may still serve. Rules find evidence to the
//!   contrary; the topology does not guess.
//! - **Redundancy.** While a group keeps at least `need` members that are not down, the loss of a member arrives as
//!   *degraded* at most, if the dependent also depends on another living member, which takes over the load. A component that
//!   depends on the lost member alone gets the full effect. A group with fewer living members shields nothing.
//!
//! A component has the worst state that arrives. Worsening one component never improves another (a group only loses
//! members), so states only grow: repeating the rules until nothing changes terminates, with the same result in any order.

use super::component::ComponentId;
use super::csr::Scratch;
use super::graph::KindIndex;
use super::model::State;
use super::overlay::Side;
use super::snapshot::Snapshot;
use super::walk::Hop;

/// A component that a fault reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impacted {
    pub component: ComponentId,
    /// The fewest hops along the travel of faults from a root.
    pub distance: u32,
    pub state: State,
    /// From a root to the component, both included: the shortest path that carries this state. Longer than `distance`
    /// where the shortest path carries a milder state.
    pub path: Vec<Hop>,
}

/// Everything that faults reach, each with the hop that carries its state: a forest over the roots.
#[derive(Debug)]
pub struct Reach {
    /// Ascending.
    pub roots: Vec<ComponentId>,
    /// Sorted by (distance, id).
    pub items: Vec<ReachItem>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReachItem {
    pub component: ComponentId,
    pub distance: u32,
    pub state: State,
    /// Position, in the roots and then the items, of what carries its state to it.
    from: u32,
    via: KindIndex,
    /// Position of the root that it is reached from.
    root: u32,
}

/// Longer paths are shortened: in a chain of a million components, all paths together would have half a trillion hops.
const MAX_WAY: usize = 64;

impl Reach {
    /// The item at a position, with its path. A path of more than 64 hops is shortened to its root and its last hops.
    pub fn impacted(&self, estate: &Snapshot, item: usize) -> Option<Impacted> {
        let of = self.items.get(item)?;
        let name = |kind: KindIndex| estate.kind(kind).map(|kind| kind.name.clone());
        let path = self.way(item).into_iter().map(|(component, via)| Hop { component, via: via.and_then(name) }).collect();
        Some(Impacted { component: of.component, distance: of.distance, state: of.state, path })
    }

    /// From a root to the item at a position, as (component, kind of the hop to it).
    fn way(&self, item: usize) -> Vec<(ComponentId, Option<KindIndex>)> {
        let mut way = Vec::new();
        let mut at = item + self.roots.len();
        while let Some(one) = at.checked_sub(self.roots.len()) {
            let Some(item) = self.items.get(one) else { break };
            way.push((item.component, Some(item.via)));
            at = if way.len() < MAX_WAY { item.from } else { item.root } as usize;
        }
        if let Some(root) = self.roots.get(at) {
            way.push((*root, None));
        }
        way.reverse();
        way
    }
}

impl Snapshot {
    /// Everything that the roots' faults reach, in at most `max_hops`; the roots are not in it. Sorted by (distance, id).
    /// A root that another root takes down further counts as what it becomes. Costs what it reaches.
    pub fn impact(&self, roots: &[(ComponentId, State)], max_hops: Option<u32>) -> Vec<Impacted> {
        let reach = self.reach_of(roots, max_hops);
        (0..reach.items.len()).filter_map(|at| reach.impacted(self, at)).collect()
    }

    /// The same as a forest, for callers that do not need every path written out.
    pub fn reach_of(&self, roots: &[(ComponentId, State)], max_hops: Option<u32>) -> Reach {
        self.walk(|walk| {
            let mut part = self.explore(walk, roots, max_hops);
            self.spread(walk, &mut part);
            let from = self.carriers(walk, &part);
            // Within a layer by id.
            let mut order: Vec<u32> = (0u32..).take(part.components.len()).collect();
            for layer in part.layers.windows(2) {
                let layer = layer.first().zip(layer.last()).and_then(|(begin, end)| order.get_mut(*begin..*end)).unwrap_or_default();
                layer.sort_unstable_by_key(|at| self.slots.id(part.component(*at)));
            }
            let mut rank = vec![0u32; order.len()];
            for (place, at) in (0u32..).zip(&order) {
                if let Some(slot) = rank.get_mut(*at as usize) {
                    *slot = place;
                }
            }
            let mut items = Vec::with_capacity(order.len().saturating_sub(part.roots()));
            for (distance, layer) in (1u32..).zip(part.layers.windows(2).skip(1)) {
                let layer = layer.first().zip(layer.last()).and_then(|(begin, end)| order.get(*begin..*end)).unwrap_or_default();
                items.extend(layer.iter().filter_map(|at| {
                    let (carrier, via, root) = *from.get(*at as usize)?;
                    Some(ReachItem {
                        component: self.slots.id(part.component(*at)),
                        distance,
                        state: part.state(*at)?,
                        from: rank.get(carrier as usize).copied().unwrap_or(u32::MAX),
                        via,
                        root,
                    })
                }));
            }
            Reach { roots: part.components.iter().take(part.roots()).map(|root| self.slots.id(*root)).collect(), items }
        })
    }

    /// The same without paths: each with its state, in the order in which they are reached.
    pub fn states(&self, roots: &[(ComponentId, State)], max_hops: Option<u32>) -> Vec<(ComponentId, State)> {
        self.walk(|walk| {
            let mut part = self.explore(walk, roots, max_hops);
            self.spread(walk, &mut part);
            let reached = part.components.iter().zip(&part.states).skip(part.roots());
            reached.filter_map(|(component, state)| Some((self.slots.id(*component), (*state)?))).collect()
        })
    }

    /// Breadth first along the travel of faults. The walk's notes are positions in the part.
    fn explore(&self, walk: &mut Scratch, roots: &[(ComponentId, State)], max_hops: Option<u32>) -> Part {
        let mut roots = roots.to_vec();
        roots.sort_unstable_by_key(|(root, state)| (*root, std::cmp::Reverse(*state)));
        roots.dedup_by_key(|(root, _)| *root);
        let roots = roots.into_iter().map(|(root, state)| (self.slots.slot(root), state)).filter(|(root, _)| self.is_there(*root));
        let mut part = Part { components: Vec::new(), layers: vec![0], states: Vec::new(), begins: vec![0], hops: Vec::new() };
        for (position, (root, state)) in (0u32..).zip(roots) {
            walk.see_as(root, position);
            part.components.push(root);
            part.states.push(Some(state));
        }
        part.layers.push(part.components.len());
        let (mut at, mut distance) = (0, 0u32);
        while at < part.components.len() {
            let end = part.components.len();
            let open = max_hops.is_none_or(|most| distance < most);
            while at < end {
                let Some(&component) = part.components.get(at) else { break };
                for (to, kind) in self.row(Side::On, component).hops() {
                    let next = u32::try_from(part.components.len()).unwrap_or(u32::MAX);
                    if open && walk.see_as(to, next) {
                        part.components.push(to);
                        part.hops.push((next, kind));
                    } else if let Some(known) = walk.noted(to) {
                        part.hops.push((known, kind));
                    }
                }
                part.begins.push(part.hops.len());
                at += 1;
            }
            distance += 1;
            if part.components.len() > end {
                part.layers.push(part.components.len());
            }
        }
        part.states.resize(part.components.len(), None);
        part
    }

    /// Repeats the rules until nothing changes. Only components that were reached take part.
    fn spread(&self, walk: &Scratch, part: &mut Part) {
        let mut work: Vec<u32> = (0u32..).take(part.roots()).collect();
        while let Some(at) = work.pop() {
            for hop in part.range(at) {
                let Some(&(to, kind)) = part.hops.get(hop) else { continue };
                let Some(state) = self.carried(walk, part, at, (to, kind)) else { continue };
                if part.worsen(to, state) {
                    work.push(to);
                    let component = part.component(to);
                    if self.in_group(component) {
                        // It may have shielded the dependents of its group's other lost members.
                        let members = self.groups_at(component).flat_map(|group| &group.members);
                        let reached = members.filter_map(|member| walk.noted(self.slots.slot(*member)));
                        work.extend(reached.filter(|at| part.state(*at) == Some(State::Down)));
                    }
                }
            }
        }
    }

    /// Breadth first over the hops that carry exactly the state of their end: for each position, where its state comes from, and
    /// from which root.
    fn carriers(&self, walk: &Scratch, part: &Part) -> Vec<(u32, KindIndex, u32)> {
        let mut from = vec![(u32::MAX, KindIndex(0), u32::MAX); part.components.len()];
        let mut queue: Vec<u32> = (0u32..).take(part.roots()).collect();
        let mut next = 0;
        while let Some(&at) = queue.get(next) {
            next += 1;
            let root = if (at as usize) < part.roots() { at } else { from.get(at as usize).map_or(u32::MAX, |known| known.2) };
            for &(to, kind) in part.hops.get(part.range(at)).unwrap_or_default() {
                let Some(slot) = from.get_mut(to as usize).filter(|slot| slot.0 == u32::MAX && to as usize >= part.roots()) else {
                    continue;
                };
                if part.state(to) == self.carried(walk, part, at, (to, kind)) {
                    *slot = (at, kind, root);
                    queue.push(to);
                }
            }
        }
        from
    }

    /// What arrives at the end of a hop from `at`.
    fn carried(&self, walk: &Scratch, part: &Part, at: u32, (to, kind): (u32, KindIndex)) -> Option<State> {
        match part.state(at)? {
            State::AtRisk | State::Degraded => Some(State::AtRisk),
            State::Down => {
                let (lost, dependent) = (part.component(at), part.component(to));
                let effect = self.effect(lost, kind, dependent)?;
                let shielded = self.in_group(lost) && self.shielded(walk, part, lost, dependent);
                Some(if shielded { effect.min(State::Degraded) } else { effect })
            }
        }
    }

    /// Whether a redundancy group of `lost` is intact, and `dependent` also depends on another living member of it.
    fn shielded(&self, walk: &Scratch, part: &Part, lost: u32, dependent: u32) -> bool {
        let is_down = |member: u32| walk.noted(member).and_then(|at| part.state(at)) == Some(State::Down);
        self.groups_at(lost).any(|group| {
            let members = group.members.iter().map(|member| self.slots.slot(*member));
            let living: Vec<u32> = members.filter(|member| !is_down(*member)).collect();
            living.len() >= group.need && self.row(Side::Back, dependent).ends.iter().any(|supplier| living.contains(supplier))
        })
    }
}

/// The part of an estate that faults reach, by slots. Components are positions in the order in which they are reached, so that later
/// steps stay in a small piece of memory.
struct Part {
    components: Vec<u32>,
    /// Where each layer begins; the first is that of the roots. The last is the end.
    layers: Vec<usize>,
    states: Vec<Option<State>>,
    /// Where the hops of each position begin.
    begins: Vec<usize>,
    hops: Vec<(u32, KindIndex)>,
}

impl Part {
    fn roots(&self) -> usize {
        self.layers.get(1).copied().unwrap_or(0)
    }

    fn component(&self, at: u32) -> u32 {
        self.components.get(at as usize).copied().unwrap_or(u32::MAX)
    }

    fn state(&self, at: u32) -> Option<State> {
        self.states.get(at as usize).copied().flatten()
    }

    fn range(&self, at: u32) -> std::ops::Range<usize> {
        let begin = |at: usize| self.begins.get(at).copied().unwrap_or(self.hops.len());
        begin(at as usize)..begin(at as usize + 1)
    }

    /// Whether it became worse.
    fn worsen(&mut self, at: u32, state: State) -> bool {
        match self.states.get_mut(at as usize) {
            Some(known) if known.is_none_or(|known| known < state) => {
                *known = Some(state);
                true
            }
            Some(_) | None => false,
        }
    }
}
