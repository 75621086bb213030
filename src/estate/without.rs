//! The estate after components were removed for good.

use std::collections::{BTreeMap, BTreeSet};

use super::component::{Component, ComponentId, Group, Relation};
use super::graph::Edge;
use super::model::State;
use super::snapshot::Snapshot;

impl Snapshot {
    /// The same estate without some components, their relations, and their group memberships. A group keeps its `need`, even
    /// if it has fewer members left: it then shields nothing. A group without members is removed.
    ///
    /// Ids are those of the new snapshot; compare by [`Component::id`].
    pub fn without(&self, gone: &BTreeSet<ComponentId>) -> Snapshot {
        let kept: Vec<ComponentId> = self.ids().filter(|id| !gone.contains(id)).collect();
        let new: BTreeMap<ComponentId, ComponentId> = kept.iter().copied().zip((0u32..).map(ComponentId)).collect();
        let components: Vec<Component> = kept.iter().map(|id| self.component(*id).clone()).collect();
        // Numbers keep their order, so relations stay sorted.
        let kept = |relation: Relation| {
            let edge = Edge { from: *new.get(&relation.from)?, kind: self.kind_index(&relation.kind)?, to: *new.get(&relation.to)? };
            Some((edge, relation.effect))
        };
        let related: Vec<(Edge, Option<State>)> = self.relations().filter_map(kept).collect();
        let effects = related.iter().filter_map(|(edge, effect)| Some((*edge, (*effect)?))).collect();
        let edges: Vec<Edge> = related.into_iter().map(|(edge, _)| edge).collect();
        let groups: Vec<Group> = self
            .groups()
            .iter()
            .map(|group| Group {
                id: group.id.clone(),
                members: group.members.iter().filter_map(|member| new.get(member).copied()).collect(),
                need: group.need,
            })
            .filter(|group| !group.members.is_empty())
            .collect();
        Snapshot::new(self.model().clone(), components, edges, effects, groups)
    }
}
