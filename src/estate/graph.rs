//! The small values that snapshot, adjacency and walks share.

use super::component::ComponentId;
use super::model::{Containment, State, Travel};

/// Which relation kind: kinds are numbered in the order of their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct KindIndex(pub u16);

/// A relation, small. Sorts like [`Relation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Edge {
    pub from: ComponentId,
    pub kind: KindIndex,
    pub to: ComponentId,
}

/// What walks need to know about a relation kind.
#[derive(Debug, Clone)]
pub(super) struct KindTraits {
    pub name: String,
    pub travel: Travel,
    pub effect: State,
    pub containment: Containment,
}

/// One hop away from a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Step {
    pub to: ComponentId,
    pub kind: KindIndex,
}

/// A component that a walk came to, by the fewest hops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reached {
    pub component: ComponentId,
    pub distance: u32,
}
