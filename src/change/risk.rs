//! The risk of a change, by fixed rules. The level is the highest of the rules that match; low if none does.
//!
//! | Rule | Matches if | Level |
//! | --- | --- | --- |
//! | R1 | a core component outside the plan goes down, and no intact group covers it | critical |
//! | R2 | a redundancy group keeps fewer members than it needs | critical if a member is core, else high |
//! | R3 | an important component outside the plan goes down, and no intact group covers it | high |
//! | R4 | any other component outside the plan goes down, and no intact group covers it | medium |
//! | R5 | a core component outside the plan is degraded | medium |
//! | R6 | a group is left with just as many members as it needs | medium |
//! | R7 | a component loses its last replica | high if it is core or important, else medium |
//! | R8 | a single point of failure appears, or takes down more than before | high if it takes down something core, else medium |
//! | R9 | a component of a tier goes down, by the plan or as an effect, no intact group covers it, and the window is longer than the longest RTO of the tier | high for core and important, else medium |
//! | R10 | a failover of a component without replica and group | high if it is core, else medium |
//! | R11 | a core component is taken down by the plan itself, and no group covers it | medium |
//! | R12 | a component in the plan was the root cause of a past incident | medium |
//! | R13 | affected components, or components in the plan, have no owner | medium |
//! | R14 | a core or important component gains a dependency on one of a lower tier | medium |
//! | R15 | a disruption budget gives up none of the pods that a drain would evict | high |
//!
//! "Covered": all redundancy groups of the component keep as many members as they need. What the plan itself does to components
//! is intended, so it weighs less (R11) than its effects on others (R1). Risks do not add up: two medium risks are two things to
//! check, not one high risk.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::view::{Assessment, BreachView, GroupLeft, Reason, Risk, Subject};
use estate::{State, Tier};
use value::Told;

/// The rules of the table above; their words are in package `words`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum RiskRule {
    CoreGoesDown,
    GroupFallsShort,
    ImportantGoesDown,
    OtherGoesDown,
    CoreDegraded,
    NoSpareLeft,
    LastReplicaLost,
    SinglePointAppears,
    WindowExceedsRto,
    NothingToFailOverTo,
    CoreInPlan,
    RootCauseBefore,
    NoOwner,
    LeansOnLesser,
    DrainBlocked,
}

impl RiskRule {
    pub const ALL: [RiskRule; 15] = [
        RiskRule::CoreGoesDown,
        RiskRule::GroupFallsShort,
        RiskRule::ImportantGoesDown,
        RiskRule::OtherGoesDown,
        RiskRule::CoreDegraded,
        RiskRule::NoSpareLeft,
        RiskRule::LastReplicaLost,
        RiskRule::SinglePointAppears,
        RiskRule::WindowExceedsRto,
        RiskRule::NothingToFailOverTo,
        RiskRule::CoreInPlan,
        RiskRule::RootCauseBefore,
        RiskRule::NoOwner,
        RiskRule::LeansOnLesser,
        RiskRule::DrainBlocked,
    ];

    pub fn number(self) -> &'static str {
        match self {
            RiskRule::CoreGoesDown => "R1",
            RiskRule::GroupFallsShort => "R2",
            RiskRule::ImportantGoesDown => "R3",
            RiskRule::OtherGoesDown => "R4",
            RiskRule::CoreDegraded => "R5",
            RiskRule::NoSpareLeft => "R6",
            RiskRule::LastReplicaLost => "R7",
            RiskRule::SinglePointAppears => "R8",
            RiskRule::WindowExceedsRto => "R9",
            RiskRule::NothingToFailOverTo => "R10",
            RiskRule::CoreInPlan => "R11",
            RiskRule::RootCauseBefore => "R12",
            RiskRule::NoOwner => "R13",
            RiskRule::LeansOnLesser => "R14",
            RiskRule::DrainBlocked => "R15",
        }
    }
}

/// Collects matching rules: one reason for each rule and level.
#[derive(Default)]
struct Reasons {
    found: Vec<Reason>,
}

impl Reasons {
    fn add(&mut self, rule: RiskRule, level: Risk, subject: Subject) {
        match self.found.iter_mut().find(|reason| reason.why.what == rule && reason.level == level) {
            Some(reason) if reason.subjects.contains(&subject) => {}
            Some(reason) => reason.subjects.push(subject),
            None => {
                self.found.push(Reason { rule: rule.number().to_owned(), level, why: Told::from(rule), subjects: vec![subject] });
            }
        }
    }
}

fn id(id: &str) -> Subject {
    Subject::Id(id.to_owned())
}

/// The risk of an assessment; its own `risk` and `reasons` are ignored.
pub fn judge(assessment: &Assessment) -> (Risk, Vec<Reason>) {
    let mut reasons = Reasons::default();
    affected(&mut reasons, assessment);
    redundancy(&mut reasons, assessment);
    operated(&mut reasons, assessment);
    around(&mut reasons, assessment);
    drains(&mut reasons, assessment);
    let mut found = reasons.found;
    // Stable: within a level in the order of the rules.
    found.sort_by_key(|reason| std::cmp::Reverse(reason.level));
    let risk = found.iter().map(|reason| reason.level).max().unwrap_or(Risk::Low);
    (risk, found)
}

/// R1, R3, R4, R5.
fn affected(reasons: &mut Reasons, assessment: &Assessment) {
    for view in assessment.affected.iter().filter(|view| view.state == State::Down && !view.covered) {
        let (rule, level) = match view.tier {
            Some(Tier::Core) => (RiskRule::CoreGoesDown, Risk::Critical),
            Some(Tier::Important) => (RiskRule::ImportantGoesDown, Risk::High),
            Some(Tier::General | Tier::Minor) | None => (RiskRule::OtherGoesDown, Risk::Medium),
        };
        reasons.add(rule, level, id(&view.component));
    }
    for view in assessment.affected.iter().filter(|view| view.state == State::Degraded && view.tier == Some(Tier::Core)) {
        reasons.add(RiskRule::CoreDegraded, Risk::Medium, id(&view.component));
    }
}

/// R2, R6, R7, R8.
fn redundancy(reasons: &mut Reasons, assessment: &Assessment) {
    for view in &assessment.redundancy {
        let (rule, level) = match view.left {
            GroupLeft::NoSpare => (RiskRule::NoSpareLeft, Risk::Medium),
            GroupLeft::Short | GroupLeft::Nothing if view.tier == Some(Tier::Core) => (RiskRule::GroupFallsShort, Risk::Critical),
            GroupLeft::Short | GroupLeft::Nothing => (RiskRule::GroupFallsShort, Risk::High),
        };
        reasons.add(rule, level, id(&view.group));
    }
    for view in &assessment.replicas {
        let level = if matters(view.tier) { Risk::High } else { Risk::Medium };
        reasons.add(RiskRule::LastReplicaLost, level, id(&view.component));
    }
    for view in &assessment.single_points {
        let level = if view.tier == Some(Tier::Core) { Risk::High } else { Risk::Medium };
        reasons.add(RiskRule::SinglePointAppears, level, id(&view.component));
    }
}

/// R9 to R12.
fn operated(reasons: &mut Reasons, assessment: &Assessment) {
    for view in assessment.tiers.iter().filter(|view| view.window_exceeds_rto) {
        let level = if matters(view.tier) { Risk::High } else { Risk::Medium };
        reasons.add(RiskRule::WindowExceedsRto, level, Subject::Tier { tier: view.tier });
    }
    // Members of a group are covered as long as the group is not short.
    for view in &assessment.operated {
        let core = view.tier == Some(Tier::Core);
        match view.action.state() {
            State::Degraded | State::AtRisk => {
                if !view.has_stand_in {
                    let level = if core { Risk::High } else { Risk::Medium };
                    reasons.add(RiskRule::NothingToFailOverTo, level, id(&view.component));
                }
            }
            State::Down => {
                if core && !view.covered {
                    reasons.add(RiskRule::CoreInPlan, Risk::Medium, id(&view.component));
                }
            }
        }
    }
    for view in assessment.cases.iter().filter(|view| view.root) {
        reasons.add(RiskRule::RootCauseBefore, Risk::Medium, id(&view.id));
    }
}

/// R15.
fn drains(reasons: &mut Reasons, assessment: &Assessment) {
    for breach in assessment.order.iter().flat_map(|order| &order.given).flat_map(|batch| &batch.breaches) {
        match breach {
            BreachView::Budget { budget, .. } => reasons.add(RiskRule::DrainBlocked, Risk::High, id(budget)),
            BreachView::Group { .. } | BreachView::Core { .. } => {}
        }
    }
}

/// R13, R14.
fn around(reasons: &mut Reasons, assessment: &Assessment) {
    for view in assessment.owners.iter().filter(|view| view.owner.is_none()) {
        // At risk is not a reason to notify an owner.
        let named: BTreeSet<&String> = view.operated.iter().chain(&view.down).chain(&view.degraded).collect();
        for component in named {
            reasons.add(RiskRule::NoOwner, Risk::Medium, id(component));
        }
    }
    for lean in assessment.difference.iter().flat_map(|difference| &difference.leans).filter(|lean| matters(Some(lean.tier))) {
        let subject = Subject::Dependency { component: lean.component.clone(), on: lean.on.clone() };
        reasons.add(RiskRule::LeansOnLesser, Risk::Medium, subject);
    }
}

fn matters(tier: Option<Tier>) -> bool {
    match tier {
        Some(Tier::Core | Tier::Important) => true,
        Some(Tier::General | Tier::Minor) | None => false,
    }
}
