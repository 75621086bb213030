//! Whether the steps of a change are safe in their order, and which order would be safe.
//!
//! A moment is **safe** if, with the components of that moment (and everything removed before) at fault,
//!
//! - each redundancy group keeps as many members as it needs, where members that others take down count as lost; a group of
//!   which the plan removes every member is retired, and needs nothing; and
//! - no core component goes down, except those that the plan itself takes down at some time, and members of a group (whose
//!   loss is what the group is for).
//!
//! A drain of a node is several moments: its pods go as their disruption budgets allow (`drain`). A budget that gives up no pod keeps the
//! drain from being done, which is unsafe too.
//!
//! Both exceptions are the same at every moment of a plan, and states only grow with the components at fault
//! (`estate/impact.rs`), so that **whatever contains an unsafe moment is unsafe**. It follows:
//!
//! - *If any order is safe, then this one is:* first all that is temporary, one component at a time; then the removals. For a
//!   temporary operation alone, before any removal, is part of every moment in which it may ever happen; and all removals
//!   together are part of the last moment of any order.
//! - So an operation that is unsafe alone, or removals that are unsafe together, are the whole reason why no order exists, and
//!   if there is none of either, an order exists. `tests/change.rs` checks this against trying every order.

use std::collections::{BTreeMap, BTreeSet};

use super::drain::{Budgets, Drained, drained};
use super::plan_file::Step;
use super::view::Action;
use estate::{ComponentId, Snapshot, State, Tier};

/// How many batches of a step a component is tried in before it gets a new one: a step on ten thousand pods must not compare
/// each pair of them.
const MAX_TRIED: usize = 16;

/// What happens at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub step: usize,
    pub action: Action,
    pub on: Vec<ComponentId>,
}

/// Why a moment is not safe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Breach {
    /// A group keeps fewer members than it needs.
    Group { group: String, living: usize, need: usize, lost: Vec<ComponentId> },
    /// A disruption budget gives up none of the pods that a drain would evict.
    Budget { budget: String, workloads: Vec<ComponentId>, living: usize, need: usize, pods: Vec<ComponentId> },
    /// A core component outside the plan goes down.
    Core { component: ComponentId, because_of: ComponentId },
}

/// A batch with everything that makes it unsafe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    pub batch: Batch,
    /// What earlier batches removed.
    pub gone: BTreeSet<ComponentId>,
    pub breaches: Vec<Breach>,
}

/// The answer about a plan's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    Safe,
    /// Another order is safe; it contains every operation of the plan once.
    Otherwise {
        batches: Vec<Batch>,
        removals_last: bool,
    },
    /// What is unsafe whenever it is done.
    Impossible {
        obstacles: Vec<Moment>,
    },
}

/// What a set of faults does to a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    pub state: State,
    pub distance: u32,
    /// From a root to the component, both included.
    pub path: Vec<ComponentId>,
}

/// What faults do, the roots among them included with what they become.
pub fn outcome(estate: &Snapshot, roots: &[(ComponentId, State)]) -> BTreeMap<ComponentId, Effect> {
    let mut effects: BTreeMap<ComponentId, Effect> = BTreeMap::new();
    for (root, state) in roots {
        let effect = effects.entry(*root).or_insert(Effect { state: *state, distance: 0, path: vec![*root] });
        effect.state = effect.state.max(*state);
    }
    let down: Vec<(ComponentId, State)> =
        effects.iter().filter(|(_, effect)| effect.state == State::Down).map(|(root, _)| (*root, State::Down)).collect();
    let all: Vec<(ComponentId, State)> = effects.iter().map(|(root, effect)| (*root, effect.state)).collect();
    // Roots are not in the answer of `impact`. Only what is down takes down, so these alone tell which other roots go down.
    if down.len() < all.len() {
        for one in estate.impact(&down, None).into_iter().filter(|one| one.state == State::Down) {
            let path = one.path.iter().map(|hop| hop.component).collect();
            if let Some(effect) = effects.get_mut(&one.component) {
                *effect = Effect { state: one.state, distance: one.distance, path };
            }
        }
    }
    for one in estate.impact(&all, None) {
        let path = one.path.iter().map(|hop| hop.component).collect();
        effects.insert(one.component, Effect { state: one.state, distance: one.distance, path });
    }
    effects
}

/// What a plan means for all of its moments.
pub struct Basis<'a> {
    pub estate: &'a Snapshot,
    /// What the plan takes down itself, at some time.
    pub planned: BTreeSet<ComponentId>,
    /// Groups of which the plan removes every member.
    pub retired: BTreeSet<String>,
    /// What a drain has to respect.
    budgets: Budgets,
}

impl<'a> Basis<'a> {
    pub fn new(estate: &'a Snapshot, steps: &[Step]) -> Basis<'a> {
        let of = |wanted: &dyn Fn(Action) -> bool| -> BTreeSet<ComponentId> {
            steps.iter().filter(|step| wanted(step.action)).flat_map(|step| step.on.iter().copied()).collect()
        };
        let planned = of(&|action: Action| action.state() == State::Down);
        let removed = of(&Action::removes);
        let groups = estate.groups();
        let retired = groups.filter(|group| group.members.iter().all(|m| removed.contains(m))).map(|group| group.id.clone()).collect();
        let drains = steps.iter().any(|step| step.action == Action::Drain);
        let budgets = if drains { Budgets::new(estate) } else { Budgets::default() };
        Basis { estate, planned, retired, budgets }
    }

    /// The faults of a batch; a drain takes several moments, each with its own.
    pub fn faults(&self, gone: &BTreeSet<ComponentId>, batch: &Batch) -> Vec<Vec<(ComponentId, State)>> {
        self.rounds(gone, batch).0
    }

    /// The same, with what keeps the batch from being done.
    fn rounds(&self, gone: &BTreeSet<ComponentId>, batch: &Batch) -> (Vec<Vec<(ComponentId, State)>>, Vec<Breach>) {
        let Drained { rounds, blocked } = match batch.action {
            Action::Drain => drained(self.estate, &self.budgets, gone, &batch.on),
            Action::Restart | Action::Upgrade | Action::Remove | Action::Failover => {
                Drained { rounds: vec![batch.on.clone()], blocked: Vec::new() }
            }
        };
        let state = batch.action.state();
        let faults = |round: Vec<ComponentId>| {
            let before = gone.iter().map(|component| (*component, State::Down));
            before.chain(round.into_iter().map(|component| (component, state))).collect::<Vec<_>>()
        };
        (rounds.into_iter().map(faults).collect(), blocked)
    }

    /// Everything that makes a batch unsafe: budgets, then at each of its moments groups by id and components by id.
    pub fn breaches(&self, gone: &BTreeSet<ComponentId>, batch: &Batch) -> Vec<Breach> {
        let (rounds, mut breaches) = self.rounds(gone, batch);
        for round in rounds {
            for breach in self.breaches_of(&outcome(self.estate, &round)) {
                if !breaches.contains(&breach) {
                    breaches.push(breach);
                }
            }
        }
        breaches
    }

    /// The same of faults of which the outcome is known.
    pub fn breaches_of(&self, effects: &BTreeMap<ComponentId, Effect>) -> Vec<Breach> {
        let short = self.left(effects).into_iter().filter(|(_, left)| left.living < left.need);
        let mut breaches: Vec<Breach> =
            short.map(|(group, left)| Breach::Group { group, living: left.living, need: left.need, lost: left.lost }).collect();
        for (component, effect) in effects.iter().filter(|(_, effect)| effect.state == State::Down) {
            let core = self.estate.component(*component).tier == Some(Tier::Core);
            let expected = self.planned.contains(component) || self.estate.groups_of(*component).next().is_some();
            if core && !expected {
                let because_of = effect.path.first().copied().unwrap_or(*component);
                breaches.push(Breach::Core { component: *component, because_of });
            }
        }
        breaches
    }

    /// Groups that lose members, with what they have left; retired ones left out.
    pub fn left(&self, effects: &BTreeMap<ComponentId, Effect>) -> BTreeMap<String, Left> {
        let is_down = |member: &ComponentId| effects.get(member).is_some_and(|effect| effect.state == State::Down);
        let mut found = BTreeMap::new();
        for component in effects.keys().filter(|component| is_down(component)) {
            for group in self.estate.groups_of(*component).filter(|group| !self.retired.contains(&group.id)) {
                if !found.contains_key(&group.id) {
                    let lost: Vec<ComponentId> = group.members.iter().copied().filter(is_down).collect();
                    let living = group.members.len().saturating_sub(lost.len());
                    found.insert(group.id.clone(), Left { members: group.members.len(), living, need: group.need, lost });
                }
            }
        }
        found
    }

    /// The steps in the given order, moment by moment.
    pub fn walk(&self, steps: &[Step]) -> Vec<Moment> {
        self.replay(&steps.iter().flat_map(given).collect::<Vec<_>>())
    }

    /// Batches in their order.
    pub fn replay(&self, batches: &[Batch]) -> Vec<Moment> {
        let mut gone = BTreeSet::new();
        let mut moments = Vec::with_capacity(batches.len());
        for batch in batches {
            let breaches = self.breaches(&gone, batch);
            moments.push(Moment { batch: batch.clone(), gone: gone.clone(), breaches });
            if batch.action.removes() {
                gone.extend(batch.on.iter().copied());
            }
        }
        moments
    }

    /// Whether the steps are safe in the given order; if not, the nearest safe order: split in place, or removals put last.
    pub fn order(&self, steps: &[Step], moments: &[Moment]) -> Order {
        if moments.iter().all(|moment| moment.breaches.is_empty()) {
            return Order::Safe;
        }
        let in_place: Vec<&Step> = steps.iter().collect();
        if let Some(batches) = self.split(&in_place) {
            return Order::Otherwise { batches, removals_last: false };
        }
        let (removals, temporary): (Vec<&Step>, Vec<&Step>) = steps.iter().partition(|step| step.action.removes());
        let last: Vec<&Step> = temporary.into_iter().chain(removals).collect();
        match self.split(&last) {
            Some(batches) => Order::Otherwise { batches, removals_last: true },
            None => Order::Impossible { obstacles: self.obstacles(steps) },
        }
    }

    /// The steps in this order, each split as far as needed; `None` if splitting does not make all of it safe.
    fn split(&self, steps: &[&Step]) -> Option<Vec<Batch>> {
        let mut gone: BTreeSet<ComponentId> = BTreeSet::new();
        let mut all = Vec::new();
        for step in steps {
            if step.action.removes() {
                // What is removed stays removed, so that splitting a removal changes nothing.
                for batch in given(step) {
                    if !self.breaches(&gone, &batch).is_empty() {
                        return None;
                    }
                    gone.extend(batch.on.iter().copied());
                    all.push(batch);
                }
            } else {
                all.extend(self.fit(step, &gone)?);
            }
        }
        Some(all)
    }

    /// First fit: each component joins the first batch of its step that stays safe with it.
    fn fit(&self, step: &Step, gone: &BTreeSet<ComponentId>) -> Option<Vec<Batch>> {
        let mut batches: Vec<Batch> = Vec::new();
        for component in &step.on {
            let skipped = batches.len().saturating_sub(MAX_TRIED);
            let mut placed = false;
            for batch in batches.iter_mut().skip(skipped).filter(|_| step.together) {
                batch.on.push(*component);
                placed = self.breaches(gone, batch).is_empty();
                if placed {
                    break;
                }
                batch.on.pop();
            }
            if !placed {
                let alone = alone(step, *component);
                if !self.breaches(gone, &alone).is_empty() {
                    return None;
                }
                batches.push(alone);
            }
        }
        Some(batches)
    }

    /// Temporary operations that are unsafe alone, before any removal; and the removals, if they are unsafe together.
    fn obstacles(&self, steps: &[Step]) -> Vec<Moment> {
        let nothing = BTreeSet::new();
        let temporary = steps.iter().filter(|step| !step.action.removes());
        let mut batches: Vec<Batch> = temporary.flat_map(|step| step.on.iter().map(move |component| alone(step, *component))).collect();
        let removals: Vec<&Step> = steps.iter().filter(|step| step.action.removes()).collect();
        if let Some(last) = removals.last() {
            let on: BTreeSet<ComponentId> = removals.iter().flat_map(|step| step.on.iter().copied()).collect();
            batches.push(Batch { step: last.number, action: last.action, on: on.into_iter().collect() });
        }
        let moments = batches.into_iter().map(|batch| {
            let breaches = self.breaches(&nothing, &batch);
            Moment { batch, gone: BTreeSet::new(), breaches }
        });
        moments.filter(|moment| !moment.breaches.is_empty()).collect()
    }
}

/// What a group has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    pub members: usize,
    pub living: usize,
    pub need: usize,
    pub lost: Vec<ComponentId>,
}

/// A step as written: all at once, or one after the other.
fn given(step: &Step) -> Vec<Batch> {
    if step.together {
        return vec![Batch { step: step.number, action: step.action, on: step.on.clone() }];
    }
    step.on.iter().map(|component| alone(step, *component)).collect()
}

fn alone(step: &Step, component: ComponentId) -> Batch {
    Batch { step: step.number, action: step.action, on: vec![component] }
}
