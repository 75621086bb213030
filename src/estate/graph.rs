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

impl KindTraits {
    /// Whether a fault travels over a relation of this kind from start to end (`ahead`), or back.
    pub fn carries(&self, ahead: bool) -> bool {
        match self.travel {
            Travel::ToStart => !ahead,
            Travel::ToEnd => ahead,
            Travel::Both => true,
            Travel::None => false,
        }
    }

    /// Whether a hop leads from what is held to its holder.
    pub fn leads_to_holder(&self, ahead: bool) -> bool {
        match self.containment {
            Containment::EndHolds => ahead,
            Containment::StartHolds => !ahead,
            Containment::None => false,
        }
    }
}

/// A relation as one of its ends has it: the other end by its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub kind: KindIndex,
    pub other: u32,
    /// How hard a fault hits along it, if not as its kind has it. Only the start knows.
    pub effect: Option<State>,
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
