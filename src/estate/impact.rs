//! What a fault drags down, and how hard.
//!
//! States travel from the components at fault along the relations, in the direction that the model gives to faults:
//!
//! - **Down** arrives as the effect of the relation kind: `depends_on` takes down, `replicates` degrades.
//! - **Degraded** and **at risk** arrive as *at risk*: who stands on something slow may still serve, and data that says
//!   otherwise is for rules to find, not for the topology to guess.
//! - **Redundancy.** While a group keeps at least `need` members that are not down, the loss of a member arrives as
//!   *degraded* at most, if the dependent also depends on another living member: that one carries the load on. Whoever
//!   depends on the lost member alone has no use for the others, and gets the full effect. A group with fewer living
//!   members shields nobody.
//!
//! A component has the worst state that arrives. Worsening one component never betters another (a group only loses
//! members), so that states only grow, and repeating the rules until nothing changes ends, in one result for any order.

use super::component::ComponentId;
use super::model::State;
use super::rows::{Scratch, layers};
use super::snapshot::{KindIndex, Snapshot, Step};
use super::walk::{Hop, Reached};

/// A component that a fault reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impacted {
    pub component: ComponentId,
    /// The fewest hops along the travel of faults from a root.
    pub distance: u32,
    pub state: State,
    /// From a root to the component, both included: the shortest way that carries this state. Longer than `distance`
    /// where the short way carries less.
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
}

impl Reach {
    /// From a root to the item at a position, as (component, kind of the hop to it).
    fn way(&self, item: usize) -> Vec<(ComponentId, Option<KindIndex>)> {
        let mut way = Vec::new();
        let mut at = item + self.roots.len();
        while let Some(one) = at.checked_sub(self.roots.len()) {
            let Some(item) = self.items.get(one) else { break };
            way.push((item.component, Some(item.via)));
            at = item.from as usize;
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
        let name = |kind: KindIndex| self.kind(kind).map(|kind| kind.name.clone());
        let items = reach.items.iter().enumerate().map(|(at, item)| Impacted {
            component: item.component,
            distance: item.distance,
            state: item.state,
            path: reach.way(at).into_iter().map(|(component, via)| Hop { component, via: via.and_then(name) }).collect(),
        });
        items.collect()
    }

    /// The same as a forest, for who does not need every path written out.
    pub fn reach_of(&self, roots: &[(ComponentId, State)], max_hops: Option<u32>) -> Reach {
        self.pool.with(self.len(), |walk| {
            let starts = self.start(walk, roots);
            let reached = self.reach_on(walk, max_hops);
            self.spread(walk, &starts);
            // Where each stands among roots and items.
            for (position, component) in (0u32..).zip(starts.iter().copied().chain(reached.iter().map(|reached| reached.component.0))) {
                walk.note(component, position);
            }
            let mut items: Vec<ReachItem> = reached
                .iter()
                .map(|reached| ReachItem {
                    component: reached.component,
                    distance: reached.distance,
                    state: walk.state(reached.component.0).unwrap_or(State::AtRisk),
                    from: u32::MAX,
                    via: KindIndex(0),
                })
                .collect();
            self.carriers(walk, &starts, &mut items);
            Reach { roots: starts.into_iter().map(ComponentId).collect(), items }
        })
    }

    /// The same without paths: each with its state, in the order in which they are reached.
    pub fn states(&self, roots: &[(ComponentId, State)], max_hops: Option<u32>) -> Vec<(ComponentId, State)> {
        self.pool.with(self.len(), |walk| {
            let starts = self.start(walk, roots);
            let reached = self.reach_on(walk, max_hops);
            self.spread(walk, &starts);
            reached.into_iter().filter_map(|reached| Some((reached.component, walk.state(reached.component.0)?))).collect()
        })
    }

    /// The roots, ascending, each with its state.
    fn start(&self, walk: &mut Scratch, roots: &[(ComponentId, State)]) -> Vec<u32> {
        for (root, state) in roots.iter().filter(|(root, _)| (root.0 as usize) < self.len()) {
            if walk.see(root.0) {
                walk.clear_state(root.0);
                walk.queue.push(root.0);
            }
            walk.worsen(root.0, *state);
        }
        walk.queue.sort_unstable();
        walk.queue.clone()
    }

    /// Breadth first from what stands in the queue, along the travel of faults.
    fn reach_on(&self, walk: &mut Scratch, max_hops: Option<u32>) -> Vec<Reached> {
        let seen = |walk: &mut Scratch, to: u32| {
            let new = walk.see(to);
            if new {
                walk.clear_state(to);
            }
            new
        };
        layers(walk, max_hops, |component| self.on.ends(component).iter().copied(), seen)
    }

    /// Repeats the rules until nothing changes. Only components that were reached take part.
    fn spread(&self, walk: &mut Scratch, starts: &[u32]) {
        let mut work: Vec<u32> = starts.to_vec();
        while let Some(at) = work.pop() {
            for step in self.on.steps(at) {
                if !walk.has_seen(step.to.0) {
                    continue;
                }
                let Some(state) = self.carried(walk, ComponentId(at), step) else { continue };
                if walk.worsen(step.to.0, state) {
                    work.push(step.to.0);
                    if self.in_group(step.to) {
                        // It may have been what shielded the dependents of its group's other lost members.
                        let members = self.groups_of(step.to).flat_map(|group| &group.members);
                        work.extend(members.filter(|member| is_down(walk, **member)).map(|member| member.0));
                    }
                }
            }
        }
    }

    /// Breadth first over the hops that carry just the state that their end has.
    fn carriers(&self, walk: &mut Scratch, starts: &[u32], items: &mut [ReachItem]) {
        let mut queue = std::mem::take(&mut walk.queue);
        queue.clear();
        queue.extend_from_slice(starts);
        let mut next = 0;
        while let Some(&at) = queue.get(next) {
            next += 1;
            let position = walk.noted(at).unwrap_or(u32::MAX);
            for step in self.on.steps(at) {
                let place = walk.noted(step.to.0).and_then(|place| (place as usize).checked_sub(starts.len()));
                let Some(item) = place.and_then(|place| items.get_mut(place)).filter(|item| item.from == u32::MAX) else { continue };
                if Some(item.state) == self.carried(walk, ComponentId(at), step) {
                    (item.from, item.via) = (position, step.kind);
                    queue.push(step.to.0);
                }
            }
        }
        walk.queue = queue;
    }

    /// What arrives at the end of a hop from `at`.
    fn carried(&self, walk: &Scratch, at: ComponentId, step: Step) -> Option<State> {
        match walk.state(at.0)? {
            State::AtRisk | State::Degraded => Some(State::AtRisk),
            State::Down => {
                let effect = self.kind(step.kind)?.effect;
                Some(if self.in_group(at) && self.shielded(walk, at, step.to) { effect.min(State::Degraded) } else { effect })
            }
        }
    }

    /// Whether a redundancy group of `lost` stands, and `dependent` has another living member of it to turn to.
    fn shielded(&self, walk: &Scratch, lost: ComponentId, dependent: ComponentId) -> bool {
        self.groups_of(lost).any(|group| {
            let living: Vec<ComponentId> = group.members.iter().copied().filter(|member| !is_down(walk, *member)).collect();
            living.len() >= group.need && self.back.ends(dependent.0).iter().any(|supplier| living.contains(&ComponentId(*supplier)))
        })
    }
}

fn is_down(walk: &Scratch, component: ComponentId) -> bool {
    walk.state(component.0) == Some(State::Down)
}
