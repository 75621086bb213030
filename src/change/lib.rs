//! What a planned change of the estate would do, before anybody does it.
//!
//! [`read_plan`] reads a plan of operations against a snapshot; [`assess`] walks through it, moment by moment, and says what
//! goes down, what is left of each redundancy, who must be told, and how great the risk is. [`assess_difference`] does the
//! same for two topologies. `order` says whether the steps are safe as they stand, and looks for an order in which they are.
//!
//! All of it is topology: what relations and groups allow at worst. Nothing here reads a signal or a clock.

mod assess;
mod diff;
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
pub use risk::{RULES, judge, title};
pub use targets::targets;
pub use view::{
    Action, AffectedView, Assessment, BatchView, BreachView, CaseView, ChangedView, DifferenceView, FieldView, GroupChangeView, GroupLeft,
    GroupView, LeanView, Minutes, OperatedView, OrderView, OwnerView, PointView, Reason, RelationView, ReplicaView, Response, Risk,
    RuleView, Safety, TargetView, TierView, WindowView,
};
