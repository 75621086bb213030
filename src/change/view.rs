//! The form of an assessment: what `faultscope change --format json` writes.

use schemars::JsonSchema;
use serde::Serialize;

use super::risk::RiskRule;
use estate::{State, Tier};
use value::{Time, Told};

/// The risk of a change, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    Low,
    Medium,
    High,
    Critical,
}

impl Risk {
    pub fn name(self) -> &'static str {
        match self {
            Risk::Low => "low",
            Risk::Medium => "medium",
            Risk::High => "high",
            Risk::Critical => "critical",
        }
    }
}

/// What is done to a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Down while it happens.
    Restart,
    /// Down while it happens.
    Upgrade,
    /// Down, and gone from then on.
    Remove,
    /// Degraded while it happens.
    Failover,
    /// Down for its traffic while it happens; a node gives up its pods.
    Drain,
}

impl Action {
    pub const ALL: [Action; 5] = [Action::Restart, Action::Upgrade, Action::Remove, Action::Failover, Action::Drain];

    pub fn name(self) -> &'static str {
        match self {
            Action::Restart => "restart",
            Action::Upgrade => "upgrade",
            Action::Remove => "remove",
            Action::Failover => "failover",
            Action::Drain => "drain",
        }
    }

    /// The state of the component during the operation.
    pub fn state(self) -> State {
        match self {
            Action::Restart | Action::Upgrade | Action::Remove | Action::Drain => State::Down,
            Action::Failover => State::Degraded,
        }
    }

    /// Whether the component does not come back.
    pub fn removes(self) -> bool {
        match self {
            Action::Remove => true,
            Action::Restart | Action::Upgrade | Action::Failover | Action::Drain => false,
        }
    }
}

/// The full assessment.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Assessment {
    pub title: String,
    pub window: Option<WindowView>,
    pub risk: Risk,
    /// Each risk rule that matches, the worst first.
    pub reasons: Vec<Reason>,
    /// In the order of the plan; of a difference, the components that it removes.
    pub operated: Vec<OperatedView>,
    /// The worst that each other component becomes at any moment; the worst first, then by tier, distance, id.
    pub affected: Vec<AffectedView>,
    /// Groups that are left without spare members, or worse, at some moment.
    pub redundancy: Vec<GroupView>,
    /// Components that lose their last replica.
    pub replicas: Vec<ReplicaView>,
    /// Single points of failure that are new, or take down more than before.
    pub single_points: Vec<PointView>,
    /// Components that still exist but are no longer single points of failure.
    pub single_points_gone: Vec<String>,
    /// Who must be notified; components without an owner last.
    pub owners: Vec<OwnerView>,
    /// By business tier, the most important first; those without a tier last.
    pub tiers: Vec<TierView>,
    /// `null` for a difference.
    pub order: Option<OrderView>,
    /// `null` for a plan.
    pub difference: Option<DifferenceView>,
    /// Rules that may fire while it happens: those first of which every variable has an affected component.
    pub rules: Vec<RuleView>,
    /// Past incidents of these components: those first in which one of them was the root cause.
    pub cases: Vec<CaseView>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct WindowView {
    pub from: Time,
    pub to: Time,
    pub minutes: i64,
}

/// A risk rule that matches.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Reason {
    /// `R1` to `R15`.
    pub rule: String,
    pub level: Risk,
    #[serde(flatten)]
    pub why: Told<RiskRule>,
    /// What it applies to.
    pub subjects: Vec<Subject>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Subject {
    /// Of a component, a group or a past incident.
    Id(String),
    /// `null`: components without a tier.
    Tier { tier: Option<Tier> },
    /// A new dependency.
    Dependency { component: String, on: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct OperatedView {
    /// From 1; 0 for a difference.
    pub step: usize,
    pub action: Action,
    pub component: String,
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub tier: Option<Tier>,
    pub owner: Option<String>,
    /// It can fail over: the topology has a replica of it, or a group, or it is a replica itself.
    pub has_stand_in: bool,
    /// It is in redundancy groups, all of which keep as many members as they need.
    pub covered: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AffectedView {
    pub component: String,
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub tier: Option<Tier>,
    pub owner: Option<String>,
    pub state: State,
    /// Hops from the operated component.
    pub distance: u32,
    /// From the operated component to this one, both included.
    pub path: Vec<String>,
    /// The step at which it first enters this state; 0 for a difference.
    pub step: usize,
    /// It is in redundancy groups, all of which keep as many members as they need: the others carry its load.
    pub covered: bool,
}

/// What is left of a redundancy group at its worst moment; ordered from the least to the most dangerous.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupLeft {
    /// Exactly as many as it needs: the next fault has an effect.
    NoSpare,
    /// Fewer than it needs.
    Short,
    /// No member at all.
    Nothing,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct GroupView {
    pub group: String,
    pub members: usize,
    pub need: usize,
    pub living: usize,
    pub left: GroupLeft,
    pub lost: Vec<String>,
    /// The most important tier among its members.
    pub tier: Option<Tier>,
    pub step: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ReplicaView {
    pub component: String,
    pub tier: Option<Tier>,
    /// All the replicas that it had.
    pub lost: Vec<String>,
    pub step: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PointView {
    pub component: String,
    /// What its loss alone takes down after the change.
    pub takes_down: Vec<String>,
    /// Those of them that it did not take down before.
    pub new: Vec<String>,
    /// The most important tier among the new ones.
    pub tier: Option<Tier>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct OwnerView {
    /// `null`: these have no owner.
    pub owner: Option<String>,
    pub operated: Vec<String>,
    pub down: Vec<String>,
    pub degraded: Vec<String>,
    pub at_risk: Vec<String>,
}

/// From, to, in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Minutes {
    pub from: i64,
    pub to: i64,
}

/// Minutes in which a fault is to be detected, acknowledged, resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Response {
    pub detect: i64,
    pub acknowledge: i64,
    pub resolve: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TargetView {
    /// How much data may be lost at most.
    pub rpo: Minutes,
    /// The longest outage the business may have.
    pub rto: Minutes,
    pub response: Response,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TierView {
    pub tier: Option<Tier>,
    pub targets: Option<TargetView>,
    pub operated: usize,
    pub down: usize,
    pub degraded: usize,
    pub at_risk: usize,
    /// A component of this tier goes down, no intact group covers it, and the window is longer than the RTO of the tier.
    pub window_exceeds_rto: bool,
}

/// Whether the steps are safe in the given order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Safety {
    /// At every moment each group keeps what it needs, and no core component outside the plan goes down.
    Safe,
    /// Not in the given order; `proposal` is safe.
    SafeOtherwise,
    /// In no order, however the steps are split; `obstacles` says why.
    Unsafe,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct OrderView {
    pub safety: Safety,
    /// As the plan says, one entry for each moment.
    pub given: Vec<BatchView>,
    /// A safe order; empty unless `safe_otherwise`.
    pub proposal: Vec<BatchView>,
    /// The proposal moves removals behind everything else.
    pub removals_last: bool,
    /// What is unsafe on its own, whenever it is done; empty unless `unsafe`.
    pub obstacles: Vec<BatchView>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct BatchView {
    pub step: usize,
    pub action: Action,
    pub on: Vec<String>,
    pub breaches: Vec<BreachView>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum BreachView {
    Group {
        group: String,
        living: usize,
        need: usize,
        lost: Vec<String>,
    },
    /// A disruption budget gives up none of these pods.
    Budget {
        budget: String,
        /// The workloads whose pods it counts.
        components: Vec<String>,
        living: usize,
        need: usize,
        pods: Vec<String>,
    },
    Core {
        component: String,
        because_of: String,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RuleView {
    pub rule: String,
    pub title: String,
    /// Every variable that it reads has an affected component. Otherwise something else must go wrong too.
    pub complete: bool,
    /// Affected components that match its variables.
    pub components: Vec<String>,
    /// What it reads of them, as `database.connections`, `redis is unavailable`, `alert on service`.
    pub reads: Vec<Told<ReadView>>,
}

/// What a rule reads of the components of a type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct ReadView {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(flatten)]
    pub what: Read,
}

/// `near`: of components around them, not of their own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Read {
    Metric {
        metric: String,
    },
    State {
        state: String,
    },
    Alert {
        near: bool,
    },
    Log {
        near: bool,
    },
    Change {
        near: bool,
    },
    Report {
        near: bool,
    },
    Event {
        near: bool,
    },
    Probe,
    /// Which components are around them, and how these are.
    Neighbors,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CaseView {
    pub id: String,
    pub title: String,
    pub date: Option<Time>,
    /// The components in the plan, or affected, that it names.
    pub components: Vec<String>,
    /// A component in the plan was its root cause.
    pub root: bool,
    pub root_cause: Option<String>,
    pub rule: Option<String>,
}

/// From one topology to another.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
pub struct DifferenceView {
    pub added: Vec<String>,
    pub removed: Vec<String>,
    pub changed: Vec<ChangedView>,
    pub relations_added: Vec<RelationView>,
    pub relations_removed: Vec<RelationView>,
    pub groups: Vec<GroupChangeView>,
    /// New dependencies of a more important component on a less important one.
    pub leans: Vec<LeanView>,
}

impl DifferenceView {
    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.removed.is_empty()
            && self.changed.is_empty()
            && self.relations_added.is_empty()
            && self.relations_removed.is_empty()
            && self.groups.is_empty()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ChangedView {
    pub component: String,
    pub fields: Vec<FieldView>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FieldView {
    #[serde(flatten)]
    pub field: Field,
    pub before: Option<String>,
    pub after: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "field", rename_all = "snake_case")]
pub enum Field {
    Type,
    Name,
    Owner,
    Environment,
    Tier,
    Attribute { attribute: String },
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct RelationView {
    pub from: String,
    pub kind: String,
    pub to: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct GroupChangeView {
    pub group: String,
    /// `null` where the group did not exist, or no longer exists.
    pub need_before: Option<usize>,
    pub need_after: Option<usize>,
    pub members_before: Vec<String>,
    pub members_after: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LeanView {
    pub component: String,
    pub tier: Tier,
    pub on: String,
    pub on_tier: Tier,
}
