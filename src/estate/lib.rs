//! The estate: components, their types and relations, and what a fault does to them.
//!
//! [`build`] reads the files of a project (or the `topology.json` of a bundle) into a [`Snapshot`], which is immutable:
//! a reload builds a new one, and a change of a few items makes the next one of it. Everything else queries the snapshot: propagation of
//! faults, containment, redundancy, impact. Only this package uses the graph library.
//!
//! What files, imports and a store say is [`Declared`]: `read_topology` makes it of a file. All of it goes one way: `build` (components),
//! `validate` (groups, relations), `snapshot`. A model passes through `read_model` and `resolve`.
//!
//! A snapshot is a `base` and an `overlay` of what `change` made different; `slots` numbers the components of both.

mod aliases;
mod base;
mod beside;
mod build;
mod called;
mod change;
#[cfg(test)]
mod change_tests;
mod component;
mod csr;
mod cycles;
mod declared;
mod dropped;
mod extensions;
mod graph;
mod impact;
mod instances;
mod labels;
mod model;
mod overlay;
mod pages;
mod quantity;
mod queries;
#[cfg(test)]
mod query_tests;
mod read_model;
mod read_topology;
mod resolve;
mod slots;
mod snapshot;
#[cfg(test)]
mod tests;
mod validate;
mod walk;
mod without;

pub use build::{Built, base_model, build, build_declared, build_over, declared_in};
pub use change::Removed;
pub use component::{AttributeValue, Component, ComponentId, Group, Relation, Tier};
pub use declared::{Declared, DeclaredComponent, DeclaredGroup, DeclaredRelation, Written};
pub use graph::Reached;
pub use impact::{Impacted, Reach, ReachItem, SoftenedBy, Softening};
pub use instances::Instance;
pub use labels::{BUSINESS_LINE, Fills, LabelRules, Labelled, Tag};
pub use model::{
    Aggregate, Aggregates, AttributeDef, AttributeKind, Containment, Direction, LogSource, Member, MetricDef, Model, ROOT_TYPE,
    RelationKind, State, StateDef, Travel, TypeDef,
};
pub use quantity::{parse_duration, share_of};
pub use queries::{Cause, SinglePoint};
pub use slots::ByComponent;
pub use snapshot::Snapshot;
pub use walk::{Hop, PeerScope};
