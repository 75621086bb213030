//! From a plan, or from two topologies, to the full assessment. Pure: the same input gives the same result.

use std::collections::{BTreeMap, BTreeSet};

use super::diff::{difference, fallen, lost_redundancy, stranded};
use super::firing::{cases, rules};
use super::order::{Basis, Batch, Breach, Effect, Moment, Order, outcome};
use super::plan_file::{ChangePlan, Step};
use super::risk::judge;
use super::targets::targets;
use super::view::{
    Action, AffectedView, Assessment, BatchView, BreachView, GroupLeft, GroupView, OperatedView, OrderView, OwnerView, PointView,
    ReplicaView, Risk, Safety, TierView, WindowView,
};
use compile::plan::Plan;
use estate::{ComponentId, Snapshot, State, Tier};
use knowledge::CaseBase;
use value::MINUTE;

/// The relation kind that a replica has to what it replicates.
const REPLICATES: &str = "replicates";

/// What a project knows besides its topology.
#[derive(Clone, Copy)]
pub struct Knowledge<'a> {
    pub plan: &'a Plan,
    pub cases: &'a CaseBase,
}

/// What a plan of operations would do.
pub fn assess(estate: &Snapshot, change: &ChangePlan, known: Knowledge<'_>) -> Assessment {
    let frame = Basis::new(estate, &change.steps);
    let moments = frame.walk(&change.steps);
    let mut worst = Worst::default();
    for moment in &moments {
        worst.take(&frame, moment);
    }
    let removed: BTreeSet<ComponentId> =
        change.steps.iter().filter(|step| step.action.removes()).flat_map(|step| step.on.iter().copied()).collect();
    let (single_points, single_points_gone) =
        if removed.is_empty() { (Vec::new(), Vec::new()) } else { points(estate, &estate.without(&removed)) };
    let operations: Vec<(usize, Action, ComponentId)> =
        change.steps.iter().flat_map(|step| step.on.iter().map(move |on| (step.number, step.action, *on))).collect();
    let window =
        change.window.map(|window| WindowView { from: window.from, to: window.to, minutes: window.to.since(window.from) / MINUTE });
    let order = order(&frame, &change.steps, &moments);
    let parts = Parts { title: change.title.clone(), window, operations, single_points, single_points_gone, order: Some(order) };
    finish(estate, parts, &worst, known, None)
}

/// What replacing one topology with another would do. Components that are missing afterwards count as removed from the old
/// topology. A dependent of theirs that has another supplier of the same kind afterwards counts as moved, and propagates nothing.
pub fn assess_difference(title: &str, before: &Snapshot, after: &Snapshot, known: Knowledge<'_>) -> Assessment {
    let difference = difference(before, after);
    let removed: BTreeSet<ComponentId> = difference.removed.iter().filter_map(|id| before.find(id)).collect();
    let mut worst = Worst { groups: lost_redundancy(before, after), ..Worst::default() };
    let effects = stranded(before, after, &removed);
    for view in fallen(before, after, &effects) {
        worst.groups.insert(view.group.clone(), view);
    }
    worst.effects = effects.into_iter().map(|(id, effect)| (id, (0, effect))).collect();
    worst.lose_replicas(before, &removed, 0);
    worst.replicas.retain(|component, _| {
        // One that still exists, and has no replica in the new topology either.
        let now = after.find(&before.component(*component).id);
        now.is_some_and(|now| after.relations_to(now).iter().all(|relation| relation.kind != REPLICATES))
    });
    let (single_points, single_points_gone) = points(before, after);
    let operations = removed.iter().map(|id| (0, Action::Remove, *id)).collect();
    let parts = Parts { title: title.to_owned(), window: None, operations, single_points, single_points_gone, order: None };
    finish(before, parts, &worst, known, Some(difference))
}

/// The worst over all moments.
#[derive(Default)]
struct Worst {
    /// The step at which each component first becomes what it becomes at worst.
    effects: BTreeMap<ComponentId, (usize, Effect)>,
    groups: BTreeMap<String, GroupView>,
    /// The step, and the replicas that are lost.
    replicas: BTreeMap<ComponentId, (usize, Vec<ComponentId>)>,
}

impl Worst {
    fn take(&mut self, frame: &Basis<'_>, moment: &Moment) {
        for faults in frame.faults(&moment.gone, &moment.batch) {
            self.take_outcome(frame, moment.batch.step, outcome(frame.estate, &faults));
        }
    }

    fn take_outcome(&mut self, frame: &Basis<'_>, step: usize, effects: BTreeMap<ComponentId, Effect>) {
        for (group, left) in frame.left(&effects) {
            let seen = self.groups.get(&group).is_some_and(|view| view.living <= left.living);
            if seen || left.living > left.need {
                continue;
            }
            let state = match left.living {
                0 => GroupLeft::Nothing,
                living if living < left.need => GroupLeft::Short,
                _ => GroupLeft::NoSpare,
            };
            let tier = left_tier(frame.estate, &group);
            let lost = names(frame.estate, &left.lost);
            let view = GroupView {
                group: group.clone(),
                members: left.members,
                need: left.need,
                living: left.living,
                left: state,
                lost,
                tier,
                step,
            };
            self.groups.insert(group, view);
        }
        let down: BTreeSet<ComponentId> =
            effects.iter().filter(|(_, effect)| effect.state == State::Down).map(|(component, _)| *component).collect();
        self.lose_replicas(frame.estate, &down, step);
        for (component, effect) in effects {
            let worse = self.effects.get(&component).is_none_or(|(_, before)| before.state < effect.state);
            if worse {
                self.effects.insert(component, (step, effect));
            }
        }
    }

    /// Components of which every replica is among those down, and which are not down themselves.
    fn lose_replicas(&mut self, estate: &Snapshot, down: &BTreeSet<ComponentId>, step: usize) {
        let primaries: BTreeSet<ComponentId> = down
            .iter()
            .flat_map(|replica| estate.relations_from(*replica))
            .filter(|relation| relation.kind == REPLICATES && !down.contains(&relation.to))
            .map(|relation| relation.to)
            .collect();
        for primary in primaries {
            let relations = estate.relations_to(primary);
            let replicas: Vec<ComponentId> =
                relations.iter().filter(|relation| relation.kind == REPLICATES).map(|relation| relation.from).collect();
            if replicas.iter().all(|replica| down.contains(replica)) {
                self.replicas.entry(primary).or_insert((step, replicas));
            }
        }
    }
}

fn left_tier(estate: &Snapshot, group: &str) -> Option<Tier> {
    estate.group(group).and_then(|group| group.members.iter().filter_map(|member| estate.component(*member).tier).min())
}

pub(super) fn names(estate: &Snapshot, components: &[ComponentId]) -> Vec<String> {
    components.iter().map(|component| estate.component(*component).id.clone()).collect()
}

/// Single points of failure that are new or take down more, and those that no longer are; by id, because the two snapshots
/// number their components differently.
pub(super) fn points(before: &Snapshot, after: &Snapshot) -> (Vec<PointView>, Vec<String>) {
    let list = |estate: &Snapshot| -> BTreeMap<String, BTreeSet<String>> {
        let points = estate.single_points().into_iter();
        points.map(|point| (estate.component(point.component).id.clone(), names(estate, &point.takes_down).into_iter().collect())).collect()
    };
    let (old, now) = (list(before), list(after));
    let nothing = BTreeSet::new();
    let mut appear = Vec::new();
    for (component, takes_down) in &now {
        // A new component has no earlier state to compare with: it was added on purpose.
        let existed = |id: &&String| before.find(id).is_some();
        let had = old.get(component).unwrap_or(&nothing);
        let new: Vec<String> = takes_down.difference(had).filter(existed).cloned().collect();
        if new.is_empty() {
            continue;
        }
        let tier = new.iter().filter_map(|id| after.find(id)).filter_map(|id| after.component(id).tier).min();
        appear.push(PointView { component: component.clone(), takes_down: takes_down.iter().cloned().collect(), new, tier });
    }
    let gone = old.keys().filter(|id| !now.contains_key(*id) && after.find(id).is_some()).cloned().collect();
    (appear, gone)
}

/// What is known before views are made of it.
struct Parts {
    title: String,
    window: Option<WindowView>,
    operations: Vec<(usize, Action, ComponentId)>,
    single_points: Vec<PointView>,
    single_points_gone: Vec<String>,
    order: Option<OrderView>,
}

fn finish(
    estate: &Snapshot,
    parts: Parts,
    worst: &Worst,
    known: Knowledge<'_>,
    difference: Option<super::view::DifferenceView>,
) -> Assessment {
    let short: BTreeSet<&str> =
        worst.groups.values().filter(|view| view.left != GroupLeft::NoSpare).map(|view| view.group.as_str()).collect();
    let covered = |id: ComponentId| {
        let mut groups = estate.groups_of(id).peekable();
        groups.peek().is_some() && groups.all(|group| !short.contains(group.id.as_str()))
    };
    let operated: Vec<OperatedView> =
        parts.operations.iter().map(|(step, action, id)| operated_view(estate, *step, *action, *id, covered(*id))).collect();
    let hands_on: BTreeSet<ComponentId> = parts.operations.iter().map(|(_, _, id)| *id).collect();
    // What the plan does to its own components is not an effect, unless the result is worse than intended.
    let mut meant: BTreeMap<ComponentId, State> = BTreeMap::new();
    for (_, action, id) in &parts.operations {
        let state = meant.entry(*id).or_insert(action.state());
        *state = (*state).max(action.state());
    }
    let beyond = |id: &ComponentId, state: State| meant.get(id).is_none_or(|meant| *meant < state);
    let mut others: Vec<(ComponentId, &(usize, Effect))> =
        worst.effects.iter().filter(|(id, (_, effect))| beyond(id, effect.state)).map(|(id, effect)| (*id, effect)).collect();
    others.sort_by_key(|(id, (_, effect))| {
        let tier = estate.component(*id).tier;
        (std::cmp::Reverse(effect.state), tier.is_none(), tier, effect.distance, *id)
    });
    let affected: Vec<AffectedView> =
        others.iter().map(|(id, (step, effect))| affected_view(estate, *id, *step, effect, covered(*id))).collect();
    // At risk is too little to expect a rule to fire or to recall a past incident.
    let hit: BTreeSet<ComponentId> =
        others.iter().filter(|(_, (_, effect))| effect.state > State::AtRisk).map(|(id, _)| *id).chain(hands_on.iter().copied()).collect();
    let replicas = worst.replicas.iter().filter(|(id, _)| !hands_on.contains(id)).map(|(id, (step, lost))| {
        let found = estate.component(*id);
        ReplicaView { component: found.id.clone(), tier: found.tier, lost: names(estate, lost), step: *step }
    });
    let minutes = parts.window.as_ref().map(|window| window.minutes);
    let mut assessment = Assessment {
        title: parts.title,
        window: parts.window,
        risk: Risk::Low,
        reasons: Vec::new(),
        owners: owners(&operated, &affected),
        tiers: tiers(&operated, &affected, minutes),
        operated,
        affected,
        redundancy: worst.groups.values().cloned().collect(),
        replicas: replicas.collect(),
        single_points: parts.single_points,
        single_points_gone: parts.single_points_gone,
        order: parts.order,
        difference,
        rules: rules(known.plan, estate, &hit),
        cases: cases(known.cases, estate, &hands_on, &hit),
    };
    let (risk, reasons) = judge(&assessment);
    assessment.risk = risk;
    assessment.reasons = reasons;
    assessment
}

fn operated_view(estate: &Snapshot, step: usize, action: Action, id: ComponentId, covered: bool) -> OperatedView {
    let found = estate.component(id);
    let replicates = |relation: &estate::Relation| relation.kind == REPLICATES;
    let has_stand_in = estate.groups_of(id).next().is_some()
        || estate.relations_to(id).iter().any(replicates)
        || estate.relations_from(id).iter().any(replicates);
    OperatedView {
        step,
        action,
        component: found.id.clone(),
        name: found.name.clone(),
        kind: found.kind.clone(),
        tier: found.tier,
        owner: found.owner.clone(),
        has_stand_in,
        covered,
    }
}

fn affected_view(estate: &Snapshot, id: ComponentId, step: usize, effect: &Effect, covered: bool) -> AffectedView {
    let found = estate.component(id);
    AffectedView {
        component: found.id.clone(),
        name: found.name.clone(),
        kind: found.kind.clone(),
        tier: found.tier,
        owner: found.owner.clone(),
        state: effect.state,
        distance: effect.distance,
        path: names(estate, &effect.path),
        step,
        covered,
    }
}

/// By owner's name; components without an owner last.
fn owners(operated: &[OperatedView], affected: &[AffectedView]) -> Vec<OwnerView> {
    let mut found: BTreeMap<(bool, Option<String>), OwnerView> = BTreeMap::new();
    let mut list = |owner: &Option<String>, component: &str, state: Option<State>| {
        let view = found.entry((owner.is_none(), owner.clone())).or_insert_with(|| OwnerView {
            owner: owner.clone(),
            operated: Vec::new(),
            down: Vec::new(),
            degraded: Vec::new(),
            at_risk: Vec::new(),
        });
        let list = match state {
            None => &mut view.operated,
            Some(State::Down) => &mut view.down,
            Some(State::Degraded) => &mut view.degraded,
            Some(State::AtRisk) => &mut view.at_risk,
        };
        if !list.iter().any(|known| known == component) {
            list.push(component.to_owned());
        }
    };
    for view in operated {
        list(&view.owner, &view.component, None);
    }
    for view in affected {
        list(&view.owner, &view.component, Some(view.state));
    }
    found.into_values().collect()
}

fn tiers(operated: &[OperatedView], affected: &[AffectedView], window: Option<i64>) -> Vec<TierView> {
    let tiers = Tier::ALL.into_iter().map(Some).chain([None]);
    let mut views = Vec::new();
    for tier in tiers {
        let hands_on: BTreeSet<&str> = operated.iter().filter(|view| view.tier == tier).map(|view| view.component.as_str()).collect();
        let in_state = |state: State| affected.iter().filter(|view| view.tier == tier && view.state == state).count();
        let (down, degraded, at_risk) = (in_state(State::Down), in_state(State::Degraded), in_state(State::AtRisk));
        if hands_on.is_empty() && down + degraded + at_risk == 0 {
            continue;
        }
        let felt = affected.iter().any(|view| view.tier == tier && view.state == State::Down && !view.covered)
            || operated.iter().any(|view| view.tier == tier && view.action.state() == State::Down && !view.covered);
        let targets = tier.map(targets);
        let longer = targets.zip(window).is_some_and(|(targets, window)| window > targets.rto.to);
        let operated = hands_on.len();
        views.push(TierView { tier, targets, operated, down, degraded, at_risk, window_exceeds_rto: felt && longer });
    }
    views
}

fn order(frame: &Basis<'_>, steps: &[Step], moments: &[Moment]) -> OrderView {
    let view = |batch: &Batch, breaches: &[Breach]| BatchView {
        step: batch.step,
        action: batch.action,
        on: names(frame.estate, &batch.on),
        breaches: breaches.iter().map(|breach| breach_view(frame.estate, breach)).collect(),
    };
    let given = moments.iter().map(|moment| view(&moment.batch, &moment.breaches)).collect();
    let (safety, proposal, removals_last, obstacles) = match frame.order(steps, moments) {
        Order::Safe => (Safety::Safe, Vec::new(), false, Vec::new()),
        Order::Otherwise { batches, removals_last } => {
            (Safety::SafeOtherwise, batches.iter().map(|batch| view(batch, &[])).collect(), removals_last, Vec::new())
        }
        Order::Impossible { obstacles } => {
            let obstacles = obstacles.iter().map(|moment| view(&moment.batch, &moment.breaches)).collect();
            (Safety::Unsafe, Vec::new(), false, obstacles)
        }
    };
    OrderView { safety, given, proposal, removals_last, obstacles }
}

fn breach_view(estate: &Snapshot, breach: &Breach) -> BreachView {
    match breach {
        Breach::Group { group, living, need, lost } => {
            BreachView::Group { group: group.clone(), living: *living, need: *need, lost: names(estate, lost) }
        }
        Breach::Budget { budget, workloads, living, need, pods } => BreachView::Budget {
            budget: budget.clone(),
            components: names(estate, workloads),
            living: *living,
            need: *need,
            pods: names(estate, pods),
        },
        Breach::Core { component, because_of } => {
            BreachView::Core { component: estate.component(*component).id.clone(), because_of: estate.component(*because_of).id.clone() }
        }
    }
}
