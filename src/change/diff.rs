//! The difference between two topologies, by component id: component numbers mean nothing across snapshots.

use std::collections::{BTreeMap, BTreeSet};

use super::assess::names;
use super::order::{Effect, outcome};
use super::view::{ChangedView, DifferenceView, Field, FieldView, GroupChangeView, GroupLeft, GroupView, LeanView, RelationView};
use estate::{AttributeValue, Component, ComponentId, Group, Relation, Snapshot, State, Tier, Travel};
use value::format_number;

/// Components, relations and groups that were added, removed or changed. All lists by id.
pub fn difference(before: &Snapshot, after: &Snapshot) -> DifferenceView {
    let ids = |estate: &Snapshot| -> BTreeSet<String> { estate.ids().map(|id| estate.component(id).id.clone()).collect() };
    let (old, new) = (ids(before), ids(after));
    let mut changed = Vec::new();
    for id in old.intersection(&new) {
        let (Some(was), Some(is)) = (before.find(id), after.find(id)) else { continue };
        let fields = fields(before.component(was), after.component(is));
        if !fields.is_empty() {
            changed.push(ChangedView { component: id.clone(), fields });
        }
    }
    let (had, has) = (relations(before), relations(after));
    let relations_added: Vec<RelationView> = has.difference(&had).cloned().collect();
    DifferenceView {
        added: new.difference(&old).cloned().collect(),
        removed: old.difference(&new).cloned().collect(),
        changed,
        leans: leans(after, &relations_added),
        relations_added,
        relations_removed: had.difference(&has).cloned().collect(),
        groups: groups(before, after),
    }
}

fn view(estate: &Snapshot, relation: &Relation) -> RelationView {
    RelationView {
        from: estate.component(relation.from).id.clone(),
        kind: relation.kind.clone(),
        to: estate.component(relation.to).id.clone(),
    }
}

fn relations(estate: &Snapshot) -> BTreeSet<RelationView> {
    estate.relations().map(|relation| view(estate, &relation)).collect()
}

fn fields(was: &Component, is: &Component) -> Vec<FieldView> {
    let tier = |component: &Component| component.tier.map(|tier| tier.name().to_owned());
    let fixed = [
        (Field::Type, Some(was.kind.clone()), Some(is.kind.clone())),
        (Field::Name, Some(was.name.clone()), Some(is.name.clone())),
        (Field::Owner, was.owner.clone(), is.owner.clone()),
        (Field::Environment, was.environment.clone(), is.environment.clone()),
        (Field::Tier, tier(was), tier(is)),
    ];
    let names: BTreeSet<&String> = was.attributes.keys().chain(is.attributes.keys()).collect();
    let attributes = names.into_iter().map(|name| {
        let (before, after) = (was.attributes.get(name).map(written), is.attributes.get(name).map(written));
        (Field::Attribute { attribute: name.clone() }, before, after)
    });
    fixed
        .into_iter()
        .chain(attributes)
        .filter(|(_, before, after)| before != after)
        .map(|(field, before, after)| FieldView { field, before, after })
        .collect()
}

fn written(value: &AttributeValue) -> String {
    match value {
        AttributeValue::Text(text) => text.clone(),
        AttributeValue::Bool(value) => value.to_string(),
        AttributeValue::Number(number) => {
            // Rounding must not hide a difference.
            let short = format_number(*number);
            if short.parse::<f64>() == Ok(*number) { short } else { number.to_string() }
        }
    }
}

fn groups(before: &Snapshot, after: &Snapshot) -> Vec<GroupChangeView> {
    let ids: BTreeSet<&String> = before.groups().chain(after.groups()).map(|group| &group.id).collect();
    let mut found = Vec::new();
    for id in ids {
        let (was, is) = (before.group(id), after.group(id));
        let view = GroupChangeView {
            group: id.clone(),
            need_before: was.map(|group| group.need),
            need_after: is.map(|group| group.need),
            members_before: members(before, was),
            members_after: members(after, is),
        };
        if view.need_before != view.need_after || view.members_before != view.members_after {
            found.push(view);
        }
    }
    found
}

/// By id.
fn members(estate: &Snapshot, group: Option<&Group>) -> Vec<String> {
    let mut found = group.map(|group| names(estate, &group.members)).unwrap_or_default();
    found.sort();
    found
}

/// New relations over which the fault of a less important component reaches a more important one.
fn leans(after: &Snapshot, added: &[RelationView]) -> Vec<LeanView> {
    let mut found = Vec::new();
    for relation in added {
        let (Some(from), Some(to)) = (after.find(&relation.from), after.find(&relation.to)) else { continue };
        let travel = after.model().relations.get(&relation.kind).map_or(Travel::None, |kind| kind.travel);
        let (to_start, to_end) = match travel {
            Travel::ToStart => (true, false),
            Travel::ToEnd => (false, true),
            Travel::Both => (true, true),
            Travel::None => (false, false),
        };
        found.extend(lean(after, from, to).filter(|_| to_start));
        found.extend(lean(after, to, from).filter(|_| to_end));
    }
    found
}

fn lean(estate: &Snapshot, component: ComponentId, on: ComponentId) -> Option<LeanView> {
    let (leaning, carrying) = (estate.component(component), estate.component(on));
    let (tier, on_tier): (Tier, Tier) = (leaning.tier?, carrying.tier?);
    // The most important tier is the least.
    (tier < on_tier).then(|| LeanView { component: leaning.id.clone(), tier, on: carrying.id.clone(), on_tier })
}

/// Groups that had spare members before, and have none after.
pub(super) fn lost_redundancy(before: &Snapshot, after: &Snapshot) -> BTreeMap<String, GroupView> {
    let mut found = BTreeMap::new();
    for is in after.groups() {
        let Some(was) = before.group(&is.id) else { continue };
        let spare = |group: &Group| group.members.len().saturating_sub(group.need);
        if spare(was) == 0 || spare(is) > 0 {
            continue;
        }
        let still = members(after, Some(is));
        let view = GroupView {
            group: is.id.clone(),
            members: is.members.len(),
            need: is.need,
            living: is.members.len(),
            left: if is.members.len() < is.need { GroupLeft::Short } else { GroupLeft::NoSpare },
            lost: members(before, Some(was)).into_iter().filter(|id| !still.contains(id)).collect(),
            tier: is.members.iter().filter_map(|member| after.component(*member).tier).min(),
            step: 0,
        };
        found.insert(is.id.clone(), view);
    }
    found
}

/// Groups of the new topology whose remaining members go down with the removed components.
pub(super) fn fallen(before: &Snapshot, after: &Snapshot, effects: &BTreeMap<ComponentId, Effect>) -> Vec<GroupView> {
    let falls = |member: &ComponentId| {
        let was = before.find(&after.component(*member).id);
        was.and_then(|was| effects.get(&was)).is_some_and(|effect| effect.state == State::Down)
    };
    let view = |is: &Group| {
        let lost: Vec<ComponentId> = is.members.iter().copied().filter(|member| falls(member)).collect();
        let living = is.members.len() - lost.len();
        let left = match living {
            0 => GroupLeft::Nothing,
            living if living < is.need => GroupLeft::Short,
            _ => GroupLeft::NoSpare,
        };
        (!lost.is_empty() && living <= is.need).then(|| GroupView {
            group: is.id.clone(),
            members: is.members.len(),
            need: is.need,
            living,
            left,
            lost: super::assess::names(after, &lost),
            tier: is.members.iter().filter_map(|member| after.component(*member).tier).min(),
            step: 0,
        })
    };
    after.groups().filter_map(view).collect()
}

/// What the loss of removed components does to those that remain, in the old topology. A component that has moved to another
/// supplier propagates nothing.
pub(super) fn stranded(before: &Snapshot, after: &Snapshot, removed: &BTreeSet<ComponentId>) -> BTreeMap<ComponentId, Effect> {
    let moved = moved(before, after, removed);
    let roots: Vec<(ComponentId, State)> = removed.iter().map(|id| (*id, State::Down)).collect();
    let stays = |id: &ComponentId| !removed.contains(id) && after.find(&before.component(*id).id).is_some();
    outcome(before, &roots).into_iter().filter(|(id, effect)| stays(id) && !effect.path.iter().any(|hop| moved.contains(hop))).collect()
}

/// Neighbours of removed components that have a new relation of the same kind, on the same side.
fn moved(before: &Snapshot, after: &Snapshot, removed: &BTreeSet<ComponentId>) -> BTreeSet<ComponentId> {
    let had = relations(before);
    let new = |relation: &Relation| !had.contains(&view(after, relation));
    let mut found = BTreeSet::new();
    for gone in removed {
        for relation in before.relations_to(*gone) {
            let now = after.find(&before.component(relation.from).id);
            if now.is_some_and(|now| after.relations_from(now).iter().any(|other| other.kind == relation.kind && new(other))) {
                found.insert(relation.from);
            }
        }
        for relation in before.relations_from(*gone) {
            let now = after.find(&before.component(relation.to).id);
            if now.is_some_and(|now| after.relations_to(now).iter().any(|other| other.kind == relation.kind && new(other))) {
                found.insert(relation.to);
            }
        }
    }
    found
}
