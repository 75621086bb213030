//! The estate: what components there are, of which types, how they are related, and what a fault does to them.
//!
//! [`build`] reads the files of a project (or the `topology.json` of a bundle) into a [`Snapshot`], which is immutable:
//! who reloads builds another. Everything else asks the snapshot: walks along the travel of faults, containment,
//! redundancy, impact. Only this folder knows of the graph library.
//!
//! The way of a file: `read` (tree → words with places), `resolve` (model), `validate` (relations, groups), `snapshot`.
//! Parts that come from no file go through `from_parts`.

mod aliases;
mod build;
mod component;
mod csr;
mod cycles;
mod from_parts;
mod impact;
mod model;
mod quantity;
mod queries;
#[cfg(test)]
mod query_tests;
mod read_model;
mod read_topology;
mod resolve;
mod snapshot;
#[cfg(test)]
mod tests;
mod validate;
mod walk;
mod without;

pub use build::{base_model, build};
pub use component::{AttributeValue, Component, ComponentId, Group, Relation, Tier};
pub use from_parts::{Parts, Rejected};
pub use impact::{Impacted, Reach, ReachItem};
pub use model::{
    Aggregate, AttributeDef, AttributeKind, Containment, Direction, LogSource, Member, MetricDef, Model, ROOT_TYPE, RelationKind, State,
    StateDef, Travel, TypeDef,
};
pub use quantity::parse_duration;
pub use queries::{Cause, SinglePoint};
pub use snapshot::Snapshot;
pub use walk::{Hop, PeerScope, Reached};
