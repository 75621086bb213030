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

use schemars::JsonSchema;
use serde::Serialize;

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
    /// Where the state becomes milder on this path, in its order.
    pub softens: Vec<Softening>,
}

/// A hop that carries less than what it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Softening {
    /// Where it arrives milder.
    pub component: ComponentId,
    pub from: State,
    pub to: State,
    pub by: SoftenedBy,
}

/// Why a fault arrives milder than it comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum SoftenedBy {
    /// Relations of this kind take nothing down.
    Kind { kind: String },
    /// The relation has an effect of its own.
    Relation { kind: String },
    /// The redundancy group of what is lost has enough members left, and the dependent uses one of them too.
    Redundancy { group: String, left: usize, members: usize, need: usize },
    /// The component before it is not down.
    NotDown { before: String },
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
    /// The state that it would have at full effect, and why it has a milder one.
    softened: Option<(State, Softens)>,
}

/// [`SoftenedBy`], small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Softens {
    Kind,
    Relation,
    /// The position of the group, and how many of its members are left.
    Redundancy(u32, usize),
    NotDown,
}

/// Longer paths are shortened: in a chain of a million components, all paths together would have half a trillion hops.
const MAX_WAY: usize = 64;

impl Reach {
    /// The item at a position, with its path. A path of more than 64 hops is shortened to its root and its last hops.
    pub fn impacted(&self, estate: &Snapshot, item: usize) -> Option<Impacted> {
        let of = self.items.get(item)?;
        let way = self.way(item);
        let name = |kind: KindIndex| estate.kind(kind).map(|kind| kind.name.clone());
        let mut softens = Vec::new();
        for ((at, before, _), (_, component, item)) in way.iter().zip(way.iter().skip(1)) {
            // Of a shortened path, what came before is not known any more.
            let Some(item) = item.filter(|item| item.from as usize == *at) else { continue };
            let Some((from, by)) = item.softened else { continue };
            if let Some(by) = by.told(estate, *before, item.via) {
                softens.push(Softening { component: *component, from, to: item.state, by });
            }
        }
        let hop =
            |(_, component, item): (usize, ComponentId, Option<&ReachItem>)| Hop { component, via: item.and_then(|item| name(item.via)) };
        let path = way.into_iter().map(hop).collect();
        Some(Impacted { component: of.component, distance: of.distance, state: of.state, path, softens })
    }

    /// From a root to the item at a position, each with its position in the roots and then the items.
    fn way(&self, item: usize) -> Vec<(usize, ComponentId, Option<&ReachItem>)> {
        let mut way = Vec::new();
        let mut at = item + self.roots.len();
        while let Some(one) = at.checked_sub(self.roots.len()) {
            let Some(item) = self.items.get(one) else { break };
            way.push((at, item.component, Some(item)));
            at = if way.len() < MAX_WAY { item.from } else { item.root } as usize;
        }
        if let Some(root) = self.roots.get(at) {
            way.push((at, *root, None));
        }
        way.reverse();
        way
    }
}

impl Softens {
    /// Along a hop of a kind, from the component before.
    fn told(self, estate: &Snapshot, before: ComponentId, via: KindIndex) -> Option<SoftenedBy> {
        let kind = || estate.kind(via).map(|kind| kind.name.clone());
        Some(match self {
            Softens::Kind => SoftenedBy::Kind { kind: kind()? },
            Softens::Relation => SoftenedBy::Relation { kind: kind()? },
            Softens::Redundancy(at, left) => {
                let group = estate.group_at(at)?;
                SoftenedBy::Redundancy { group: group.id.clone(), left, members: group.members.len(), need: group.need }
            }
            Softens::NotDown => SoftenedBy::NotDown { before: estate.component(before).id.clone() },
        })
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
                        softened: self.softened(walk, &part, carrier, (*at, via)),
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
                let shielded = self.in_group(lost) && self.shield(walk, part, lost, dependent).is_some();
                Some(if shielded { effect.min(State::Degraded) } else { effect })
            }
        }
    }

    /// What carries its state to a position, if that state is milder: the state at the other end of the hop, and why.
    fn softened(&self, walk: &Scratch, part: &Part, at: u32, (to, kind): (u32, KindIndex)) -> Option<(State, Softens)> {
        let before = part.state(at)?;
        if part.state(to)? >= before {
            return None;
        }
        let by = match before {
            State::AtRisk | State::Degraded => Softens::NotDown,
            State::Down => {
                let (lost, dependent) = (part.component(at), part.component(to));
                let own = self.special_effect(lost, kind, dependent).is_some();
                let shield = self.shield(walk, part, lost, dependent).filter(|_| self.effect(lost, kind, dependent) == Some(State::Down));
                match shield {
                    Some((group, left)) => Softens::Redundancy(group, left),
                    None if own => Softens::Relation,
                    None => Softens::Kind,
                }
            }
        };
        Some((before, by))
    }

    /// A redundancy group of `lost` that is intact, if `dependent` also depends on another living member of it: its position, and how
    /// many members live.
    fn shield(&self, walk: &Scratch, part: &Part, lost: u32, dependent: u32) -> Option<(u32, usize)> {
        let is_down = |member: u32| walk.noted(member).and_then(|at| part.state(at)) == Some(State::Down);
        self.group_positions(lost).iter().find_map(|at| {
            let group = self.group_at(*at)?;
            let members = group.members.iter().map(|member| self.slots.slot(*member));
            let living: Vec<u32> = members.filter(|member| !is_down(*member)).collect();
            let uses = || self.row(Side::Back, dependent).ends.iter().any(|supplier| living.contains(supplier));
            (living.len() >= group.need && uses()).then_some((*at, living.len()))
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
