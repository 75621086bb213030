//! The next snapshot: what a live stream declares and takes away, a few items at a time.
//!
//! What is declared goes through the same checks as a whole estate; they look names up in the snapshot that is being changed. Only what
//! the items touch is copied: their components, the other ends of their relations, members that join or leave a group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use diag::{Code, Diagnostic, text};
use petgraph::Direction;

use super::base::position;
use super::build::components;
use super::component::{Component, ComponentId, Group};
use super::csr::OwnRow;
use super::declared::{Declared, DeclaredComponent, DeclaredGroup, DeclaredRelation};
use super::extensions::Extensions;
use super::graph::{Edge, KindIndex, Link};
use super::model::State;
use super::overlay::{Added, Local};
use super::resolve::problem;
use super::snapshot::Snapshot;
use super::validate::{Names, Related, circle_text, groups, more_relations};

/// What a change takes away. It is no mistake to name what is not there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Removed {
    /// Ids. Their relations and their memberships in groups go too; a group without members is removed.
    pub components: Vec<String>,
    /// Their `effect` does not matter. A group at an end means its members.
    pub relations: Vec<DeclaredRelation>,
    /// Ids. Their members stay.
    pub groups: Vec<String>,
}

impl Declared {
    /// The change that makes of what declared `before` what declares this. Every item has its id once; relations differ in anything.
    pub fn since(&self, before: &Declared) -> (Declared, Removed) {
        let components: BTreeMap<&str, &DeclaredComponent> = before.components.iter().map(|one| (one.id.as_str(), one)).collect();
        let relations: BTreeSet<&DeclaredRelation> = before.relations.iter().collect();
        let groups: BTreeMap<&str, &DeclaredGroup> = before.groups.iter().map(|one| (one.id.as_str(), one)).collect();
        let declared = Declared {
            components: self.components.iter().filter(|one| components.get(one.id.as_str()) != Some(one)).cloned().collect(),
            relations: self.relations.iter().filter(|one| !relations.contains(one)).cloned().collect(),
            groups: self.groups.iter().filter(|one| groups.get(one.id.as_str()) != Some(one)).cloned().collect(),
            broken: self.broken.clone(),
        };
        let components: BTreeSet<&str> = self.components.iter().map(|one| one.id.as_str()).collect();
        let relations: BTreeSet<&DeclaredRelation> = self.relations.iter().collect();
        let groups: BTreeSet<&str> = self.groups.iter().map(|one| one.id.as_str()).collect();
        let removed = Removed {
            components: before.components.iter().map(|one| &one.id).filter(|id| !components.contains(id.as_str())).cloned().collect(),
            relations: before.relations.iter().filter(|one| !relations.contains(one)).cloned().collect(),
            groups: before.groups.iter().map(|one| &one.id).filter(|id| !groups.contains(id.as_str())).cloned().collect(),
        };
        (declared, removed)
    }
}

impl Snapshot {
    /// This estate after a change: first something is taken away, then something is declared. Invalid items are reported and left out,
    /// like those of [`super::build_declared`]; of a component or group that is refused, what was there stays.
    ///
    /// A component or group that is there already is replaced; one with `extends` gets what is said more about it. A relation that is
    /// there already gets the effect that is given, if one is. A relation of a component whose type changes is checked again. A relation
    /// to a group is one to each member that the group has now.
    ///
    /// Costs what the change touches, and a little for each item of the overlay: fold it when [`Snapshot::is_worth_folding`].
    pub fn with(&self, declared: &Declared, removed: &Removed) -> (Snapshot, Vec<Diagnostic>) {
        let mut complaints = Vec::new();
        let mut next = Next { estate: self.clone(), touched: BTreeSet::new() };
        next.remove(removed);
        next.remove_relations(declared.relations.iter().filter(|one| one.drop));
        let mut broken: BTreeSet<String> = declared.broken.iter().cloned().collect();
        let again = next.put_components(&mut complaints, &declared.components, &mut broken);
        next.remove_components(declared.components.iter().filter(|one| one.drop).map(|one| &one.id));
        next.number();
        next.put_groups(&mut complaints, &declared.groups, &mut broken);
        // First those that are there already: if a circle closes, it is the new relation that is refused.
        next.put_relations(&mut complaints, &again, &broken);
        next.put_relations(&mut complaints, &declared.relations, &broken);
        next.trace_faults();
        (next.estate, complaints)
    }

    /// All about a component that the overlay has nothing of yet.
    fn local(&self, slot: u32) -> Option<Local> {
        let mut local = Local::new(self.base.component(slot)?.clone());
        let with_effect = |link: Link| Link { effect: self.own_effect(slot, link.kind, link.other), ..link };
        local.set_links(Direction::Outgoing, self.base.links(slot, Direction::Outgoing).map(with_effect).collect());
        local.set_links(Direction::Incoming, self.base.links(slot, Direction::Incoming).collect());
        local.groups = self.base.groups_of(slot).to_vec();
        Some(local)
    }

    /// Over which of the relations a fault goes, from start to end (`ahead`) or back.
    fn over_links(&self, links: &[Link], ahead: bool) -> Vec<(u32, KindIndex)> {
        links.iter().filter(|link| self.carries_fault(link.kind, ahead)).map(|link| (link.other, link.kind)).collect()
    }

    fn relation_of(&self, from: u32, kind: KindIndex, to: u32) -> Option<DeclaredRelation> {
        Some(DeclaredRelation {
            from: self.at(from)?.id.clone(),
            kind: self.kind(kind)?.name.clone(),
            to: self.at(to)?.id.clone(),
            effect: self.own_effect(from, kind, to),
            ..DeclaredRelation::default()
        })
    }

    fn has_relation(&self, from: u32, kind: KindIndex, to: u32) -> bool {
        match self.overlay.locals.get(from) {
            Some(local) => local.link(Direction::Outgoing, kind, to).is_some(),
            None => self.base.links(from, Direction::Outgoing).any(|link| link.kind == kind && link.other == to),
        }
    }

    /// The circle of containment that a relation would close: each holds the next.
    fn circle(&self, edge: Edge) -> Option<Vec<ComponentId>> {
        let up = |kind: KindIndex, ahead: bool| self.leads_to_holder(kind, ahead);
        let (holder, held) = if up(edge.kind, true) {
            (edge.to, edge.from)
        } else if up(edge.kind, false) {
            (edge.from, edge.to)
        } else {
            return None;
        };
        // What each holder holds, on the way up.
        let mut holds: BTreeMap<ComponentId, ComponentId> = BTreeMap::new();
        let mut open = vec![holder];
        while let Some(at) = open.pop() {
            for step in self.steps(at, up) {
                if step.to != holder && !holds.contains_key(&step.to) {
                    holds.insert(step.to, at);
                    open.push(step.to);
                }
            }
        }
        let mut circle = vec![holder];
        let mut at = held;
        while at != holder {
            circle.push(at);
            at = *holds.get(&at)?;
        }
        Some(circle)
    }
}

/// A snapshot under construction. Until [`Next::trace_faults`], the hops of faults are those from before.
struct Next {
    estate: Snapshot,
    /// Components whose relations may have changed.
    touched: BTreeSet<u32>,
}

impl Next {
    /// All about a component, to be changed.
    fn touch(&mut self, slot: u32) -> Option<&mut Local> {
        if self.estate.overlay.locals.get(slot).is_none() {
            let local = self.estate.local(slot)?;
            self.estate.overlay.locals.set(slot, Arc::new(local));
        }
        self.touched.insert(slot);
        self.estate.overlay.locals.get_mut(slot).map(Arc::make_mut)
    }

    fn remove(&mut self, removed: &Removed) {
        self.remove_relations(&removed.relations);
        for id in &removed.groups {
            if let Some(at) = self.estate.group_position(id) {
                self.remove_group(at);
            }
        }
        self.remove_components(&removed.components);
    }

    fn remove_relations<'r>(&mut self, relations: impl IntoIterator<Item = &'r DeclaredRelation>) {
        for said in relations {
            let kind = self.estate.model().find_relation(&said.kind).and_then(|kind| self.estate.kind_index(&kind.name));
            let Some(kind) = kind else { continue };
            let ends = self.slots_of(&said.to);
            for from in self.slots_of(&said.from) {
                ends.iter().for_each(|to| self.remove_relation(from, kind, *to));
            }
        }
    }

    fn remove_components<'r>(&mut self, ids: impl IntoIterator<Item = &'r String>) {
        for id in ids {
            if let Some(slot) = self.estate.slot_of(id).ok().filter(|slot| self.estate.is_there(*slot)) {
                self.remove_component(slot);
            }
        }
    }

    /// A component, or the members of a group.
    fn slots_of(&self, id: &str) -> Vec<u32> {
        let slot = |id: &ComponentId| self.estate.slots.slot(*id);
        match (self.estate.find(id), self.estate.group(id)) {
            (Some(component), _) => vec![slot(&component)],
            (None, Some(group)) => group.members.iter().map(slot).collect(),
            (None, None) => Vec::new(),
        }
    }

    fn remove_relation(&mut self, from: u32, kind: KindIndex, to: u32) {
        if !self.estate.has_relation(from, kind, to) {
            return;
        }
        if let Some(start) = self.touch(from) {
            start.remove_link(Direction::Outgoing, kind, to);
        }
        if let Some(end) = self.touch(to) {
            end.remove_link(Direction::Incoming, kind, from);
        }
    }

    /// Removes all relations of a component; what would declare them again, sorted.
    fn take_relations(&mut self, slot: u32) -> Vec<DeclaredRelation> {
        let out: Vec<Link> = self.estate.links(slot, Direction::Outgoing).collect();
        let into: Vec<Link> = self.estate.links(slot, Direction::Incoming).collect();
        let ends = out.iter().map(|link| (slot, link.kind, link.other)).chain(into.iter().map(|link| (link.other, link.kind, slot)));
        let mut taken = Vec::new();
        for (from, kind, to) in ends {
            taken.extend(self.estate.relation_of(from, kind, to));
            self.remove_relation(from, kind, to);
        }
        taken.sort_unstable();
        taken
    }

    fn remove_group(&mut self, at: u32) {
        let members = self.members(at);
        for slot in members {
            if let Some(member) = self.touch(slot) {
                member.groups.retain(|group| *group != at);
            }
        }
        self.estate.overlay.groups.set(at, None);
    }

    /// The members of a group; none if it was removed.
    fn members(&self, at: u32) -> BTreeSet<u32> {
        let members = self.estate.group_at(at).map(|group| group.members.as_slice()).unwrap_or_default();
        members.iter().map(|member| self.estate.slots.slot(*member)).collect()
    }

    fn remove_component(&mut self, slot: u32) {
        self.take_relations(slot);
        let id = self.estate.slots.id(slot);
        for at in self.estate.group_positions(slot).to_vec() {
            let Some(mut group) = self.estate.group_at(at).cloned() else { continue };
            group.members.retain(|member| *member != id);
            self.estate.overlay.groups.set(at, (!group.members.is_empty()).then(|| Arc::new(group)));
        }
        if let Some(local) = self.touch(slot) {
            local.gone = true;
            local.groups.clear();
            self.estate.live -= 1;
        }
    }

    /// Checks and puts them. Returns the relations of those whose type has changed, to be checked again.
    fn put_components(
        &mut self,
        complaints: &mut Vec<Diagnostic>,
        said: &[DeclaredComponent],
        broken: &mut BTreeSet<String>,
    ) -> Vec<DeclaredRelation> {
        let mut said = said.to_vec();
        let whole: BTreeSet<&str> = said.iter().filter(|one| !one.extends).map(|one| one.id.as_str()).collect();
        let extended: BTreeSet<String> =
            said.iter().filter(|one| one.extends && !whole.contains(one.id.as_str())).map(|one| one.id.clone()).collect();
        let known = extended.iter().filter_map(|id| self.estate.find(id));
        said.extend(known.map(|id| DeclaredComponent::of(self.estate.component(id), "")));
        let mut again = Vec::new();
        let mut extensions = Extensions::of(&mut said);
        let good = components(complaints, self.estate.model(), said, broken, &mut extensions);
        let rest = extensions.without(broken);
        if !rest.is_empty() {
            let known: Vec<ComponentId> = self.estate.ids().collect();
            let known = known.iter().map(|id| self.estate.component(*id).id.as_str());
            let owner = |word: &str| self.estate.find_named(word).map(|id| self.estate.component(id).id.clone());
            rest.report_rest(complaints, &good.iter().map(|one| one.id.as_str()).chain(known), owner);
        }
        for component in good {
            if self.estate.group(&component.id).is_some() {
                let message = text!("`{}` is declared twice: a component and a group cannot share an id", component.id);
                complaints.push(problem(Code::DUPLICATE_ID, component.place, message).label("declared again"));
                continue;
            }
            again.append(&mut self.put_component(component));
        }
        again
    }

    fn put_component(&mut self, mut component: Component) -> Vec<DeclaredRelation> {
        let found = self.estate.slot_of(&component.id);
        let slot = found.unwrap_or_else(|_| position(self.estate.base.components.len() + self.estate.overlay.added.len()));
        let known = self.estate.at(slot).filter(|_| self.estate.is_there(slot));
        let mut again = Vec::new();
        if let Some(known) = known {
            component.place = component.place.or(known.place);
            if *known == component {
                return again;
            }
            if known.kind != component.kind {
                again = self.take_relations(slot);
            }
        } else {
            self.estate.live += 1;
        }
        self.list(slot, &component);
        if let Err(before) = found {
            Arc::make_mut(&mut self.estate.overlay.added).insert(component.id.as_str().into(), Added { slot, before });
            self.estate.overlay.locals.set(slot, Arc::new(Local::new(component)));
        } else if let Some(local) = self.touch(slot) {
            local.component = component;
            local.gone = false;
        }
        again
    }

    /// Adds a component to the indexes, where the base does not list it.
    fn list(&mut self, slot: u32, component: &Component) {
        let Component { id, kind, name, aliases, .. } = component;
        let base = self.estate.base.component(slot);
        let overlay = &mut self.estate.overlay;
        // An id is found before any name.
        if name != id && base.is_none_or(|base| base.name != *name) {
            Arc::make_mut(&mut overlay.names).add(name, slot);
        }
        for alias in aliases.iter().filter(|alias| base.is_none_or(|base| !base.aliases.contains(alias))) {
            Arc::make_mut(&mut overlay.aliases).add(alias, slot);
        }
        if base.is_none_or(|base| base.kind != *kind) {
            Arc::make_mut(&mut overlay.types).add(kind, slot);
        }
    }

    /// Gives numbers to the components that were added. Those beside them that were added before may get others.
    fn number(&mut self) {
        let estate = &mut self.estate;
        if estate.slots.len() == estate.base.components.len() + estate.overlay.added.len() {
            return;
        }
        let added: Vec<(u32, u32)> = estate.overlay.added.values().map(|one| (one.before, one.slot)).collect();
        let Some(slots) = estate.slots.numbered(&added) else {
            // No room between two neighbors: the overlay becomes a base, which has room everywhere.
            *estate = estate.folded();
            self.touched.clear();
            return;
        };
        let old = std::mem::replace(&mut estate.slots, slots);
        let changed: Vec<u32> = estate.overlay.groups.positions().collect();
        for at in changed {
            let Some(group) = estate.overlay.groups.get(at).and_then(Option::as_deref) else { continue };
            let members: Vec<ComponentId> = group.members.iter().map(|member| estate.slots.id(old.slot(*member))).collect();
            if members != group.members {
                let group = Group { id: group.id.clone(), members, need: group.need };
                estate.overlay.groups.set(at, Some(Arc::new(group)));
            }
        }
    }

    fn put_groups(&mut self, complaints: &mut Vec<Diagnostic>, said: &[DeclaredGroup], broken: &mut BTreeSet<String>) {
        let good = groups(complaints, said, &mut Names::of(&self.estate, broken));
        good.into_iter().for_each(|group| self.put_group(group));
        // Relations to a group that is not there because it was refused are no mistakes of their own.
        let refused = said.iter().filter(|one| self.estate.group(&one.id).is_none());
        broken.extend(refused.map(|one| one.id.clone()));
    }

    fn put_group(&mut self, group: Group) {
        let at = match self.estate.group_position(&group.id) {
            Some(at) => at,
            None => {
                let at = position(self.estate.base.groups.len() + self.estate.overlay.added_groups.len());
                Arc::make_mut(&mut self.estate.overlay.added_groups).insert(group.id.as_str().into(), at);
                at
            }
        };
        if self.estate.group_at(at) == Some(&group) {
            return;
        }
        let (id, before) = (group.id.clone(), self.members(at));
        self.estate.overlay.groups.set(at, Some(Arc::new(group)));
        let after = self.members(at);
        for slot in before.difference(&after) {
            if let Some(member) = self.touch(*slot) {
                member.groups.retain(|group| *group != at);
            }
        }
        for slot in after.difference(&before) {
            let mut positions = self.estate.group_positions(*slot).to_vec();
            let place = positions.partition_point(|other| self.estate.group_at(*other).is_some_and(|other| other.id < id));
            positions.insert(place, at);
            if let Some(member) = self.touch(*slot) {
                member.groups = positions;
            }
        }
    }

    fn put_relations(&mut self, complaints: &mut Vec<Diagnostic>, said: &[DeclaredRelation], broken: &BTreeSet<String>) {
        if said.is_empty() {
            return;
        }
        let related = more_relations(complaints, self.estate.model(), said, &Names::of(&self.estate, broken));
        for Related { edge, effect, place } in related {
            if let Some(circle) = self.estate.circle(edge) {
                let ids: Vec<&str> = circle.iter().map(|id| self.estate.component(*id).id.as_str()).collect();
                complaints.push(problem(Code::CONTAINMENT_CYCLE, place, circle_text(&ids)).label("this closes the cycle"));
                continue;
            }
            self.put_relation(edge, effect);
        }
    }

    fn put_relation(&mut self, edge: Edge, effect: Option<State>) {
        let (from, kind, to) = (self.estate.slots.slot(edge.from), edge.kind, self.estate.slots.slot(edge.to));
        let known = self.estate.own_effect(from, kind, to);
        let effect = effect.or(known);
        if effect == known && self.estate.has_relation(from, kind, to) {
            return;
        }
        self.estate.overlay.effects |= effect.is_some();
        if let Some(start) = self.touch(from) {
            start.put_link(Direction::Outgoing, Link { kind, other: to, effect });
        }
        if let Some(end) = self.touch(to) {
            end.put_link(Direction::Incoming, Link { kind, other: from, effect: None });
        }
    }

    /// Derives the hops of faults from the relations that have changed.
    fn trace_faults(&mut self) {
        for slot in std::mem::take(&mut self.touched) {
            let Some(local) = self.estate.overlay.locals.get(slot) else { continue };
            let (out, into) = (local.links(Direction::Outgoing), local.links(Direction::Incoming));
            let mut on = self.estate.over_links(out, true);
            on.append(&mut self.estate.over_links(into, false));
            let mut back = self.estate.over_links(out, false);
            back.append(&mut self.estate.over_links(into, true));
            let (on, back) = (OwnRow::new(&self.estate.slots, on), OwnRow::new(&self.estate.slots, back));
            if let Some(local) = self.estate.overlay.locals.get_mut(slot) {
                Arc::make_mut(local).set_rows(on, back);
            }
        }
    }
}
