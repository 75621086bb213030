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

use std::collections::{BTreeMap, BTreeSet};

use super::component::ComponentId;
use super::model::State;
use super::snapshot::{Snapshot, Step};
use super::walk::Hop;

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

type States = BTreeMap<ComponentId, State>;

impl Snapshot {
    /// Everything that the roots' faults reach, in at most `max_hops`; the roots are not in it. Sorted by (distance, id).
    /// A root that another root takes down further counts as what it becomes.
    pub fn impact(&self, roots: &[(ComponentId, State)], max_hops: Option<u32>) -> Vec<Impacted> {
        let mut states = States::new();
        for &(root, state) in roots {
            worsen(&mut states, root, state);
        }
        let starts: Vec<ComponentId> = states.keys().copied().collect();
        let reached = self.reach(&starts, max_hops, |kind, ahead| self.carries_fault(kind, ahead));
        let inside: BTreeSet<ComponentId> = reached.iter().map(|r| r.component).chain(starts.iter().copied()).collect();
        self.spread(&mut states, &inside);
        let carriers = |at: ComponentId| -> Vec<Step> {
            let steps = self.fault_steps(at).into_iter();
            steps.filter(|step| inside.contains(&step.to) && states.get(&step.to) == self.carried(&states, at, *step).as_ref()).collect()
        };
        let parents = Self::parents(&starts, carriers, None);
        let impacted = reached.into_iter().filter_map(|reached| {
            let state = *states.get(&reached.component)?;
            let path = self.way(&parents, reached.component);
            Some(Impacted { component: reached.component, distance: reached.distance, state, path })
        });
        impacted.collect()
    }

    /// Repeats the rules until nothing changes. Only components `inside` take part.
    fn spread(&self, states: &mut States, inside: &BTreeSet<ComponentId>) {
        let mut work: BTreeSet<ComponentId> = states.keys().copied().collect();
        while let Some(at) = work.pop_first() {
            for step in self.fault_steps(at) {
                if !inside.contains(&step.to) {
                    continue;
                }
                let Some(state) = self.carried(states, at, step) else { continue };
                if worsen(states, step.to, state) {
                    work.insert(step.to);
                    // It may have been what shielded the dependents of its group's other lost members.
                    let lost = self.groups_of(step.to).flat_map(|group| &group.members).filter(|member| is_down(states, **member));
                    work.extend(lost.copied());
                }
            }
        }
    }

    fn fault_steps(&self, from: ComponentId) -> Vec<Step> {
        self.steps(from, |kind, ahead| self.carries_fault(kind, ahead))
    }

    /// What arrives at the end of a hop from `at`.
    fn carried(&self, states: &States, at: ComponentId, step: Step) -> Option<State> {
        match states.get(&at)? {
            State::AtRisk | State::Degraded => Some(State::AtRisk),
            State::Down => {
                let effect = self.kind(step.kind)?.effect;
                Some(if self.shielded(states, at, step.to) { effect.min(State::Degraded) } else { effect })
            }
        }
    }

    /// Whether a redundancy group of `lost` stands, and `dependent` has another living member of it to turn to.
    fn shielded(&self, states: &States, lost: ComponentId, dependent: ComponentId) -> bool {
        let mut groups = self.groups_of(lost).peekable();
        if groups.peek().is_none() {
            return false;
        }
        let suppliers = self.steps(dependent, |kind, ahead| self.carries_fault(kind, !ahead));
        groups.any(|group| {
            let living: Vec<ComponentId> = group.members.iter().copied().filter(|member| !is_down(states, *member)).collect();
            living.len() >= group.need && suppliers.iter().any(|supplier| living.contains(&supplier.to))
        })
    }
}

fn is_down(states: &States, component: ComponentId) -> bool {
    states.get(&component) == Some(&State::Down)
}

/// Whether it became worse.
fn worsen(states: &mut States, component: ComponentId, state: State) -> bool {
    let before = states.insert(component, state);
    match before {
        Some(before) if before >= state => {
            states.insert(component, before);
            false
        }
        Some(_) | None => true,
    }
}
