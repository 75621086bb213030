//! What a planned change of the estate would do, before it is made.
//!
//! [`read_plan`] reads a plan of operations against a snapshot; [`assess`] goes through it step by step: what
//! goes down, what is left of each redundancy group, who must be notified, and how high the risk is. [`assess_difference`] does
//! the same for two topologies. `order` checks whether the steps are safe in the given order, and looks for a safe order.
//!
//! All of it is the worst case by topology: relations and groups. Nothing here reads a signal or a clock.

mod assess;
mod diff;
mod drain;
mod firing;
mod order;
mod plan_file;
mod risk;
mod targets;
mod view;

pub use assess::{Knowledge, assess, assess_difference};
pub use diff::difference;
pub use order::{Basis, Batch, Breach, Effect, Left, Moment, Order, outcome};
pub use plan_file::{ChangePlan, Step, Window, read_plan};
pub use risk::{RiskRule, judge};
pub use targets::targets;
pub use view::{
    Action, AffectedView, Assessment, BatchView, BreachView, CaseView, ChangedView, DifferenceView, Field, FieldView, GroupChangeView,
    GroupLeft, GroupView, LeanView, Minutes, OperatedView, OrderView, OwnerView, PointView, Read, ReadView, Reason, RelationView,
    ReplicaView, Response, Risk, RuleView, Safety, Subject, TargetView, TierView, WindowView,
};
