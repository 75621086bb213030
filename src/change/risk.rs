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
//!
//! "Covered": all redundancy groups of the component keep as many members as they need. What the plan itself does to components
//! is intended, so it weighs less (R11) than its effects on others (R1). Risks do not add up: two medium risks are two things to
//! check, not one high risk.

use std::collections::BTreeSet;

use super::view::{Assessment, GroupLeft, Reason, Risk};
use estate::{State, Tier};

/// Number, English, Chinese.
pub const RULES: &[(&str, &str, &str)] = &[
    ("R1", "core components outside the plan go down", "计划之外的核心组件不可用"),
    ("R2", "redundancy groups keep fewer members than they need", "冗余组存活成员少于所需数量"),
    ("R3", "important components outside the plan go down", "计划之外的重要组件不可用"),
    ("R4", "other components outside the plan go down", "计划之外的其他组件不可用"),
    ("R5", "core components are degraded", "核心组件降级"),
    ("R6", "redundancy groups are left without a spare member", "冗余组无备用成员"),
    ("R7", "components lose their last replica", "组件失去最后一个副本"),
    ("R8", "single points of failure appear", "出现新的单点故障"),
    ("R9", "the window exceeds the recovery time objective (RTO) of the tier", "变更窗口超过业务等级的恢复时间目标（RTO）"),
    ("R10", "a failover has no replica or group to fail over to", "故障切换没有可用的副本或冗余组"),
    ("R11", "the plan itself takes down core components that no intact group covers", "计划内核心组件停机且无冗余组承载"),
    ("R12", "components in the plan were root causes of past incidents", "计划内组件曾是历史故障的根因"),
    ("R13", "components have no owner to notify", "组件无负责人可通知"),
    ("R14", "more important components gain dependencies on less important ones", "较重要的组件新增对较次要组件的依赖"),
];

/// The text of a risk rule.
pub fn title(rule: &str, chinese: bool) -> &'static str {
    RULES.iter().find(|(number, ..)| *number == rule).map_or("", |(_, english, zh)| if chinese { *zh } else { *english })
}

/// Collects matching rules: one reason for each rule and level.
#[derive(Default)]
struct Reasons {
    found: Vec<Reason>,
}

impl Reasons {
    fn add(&mut self, rule: &str, level: Risk, subject: impl Into<String>) {
        let subject = subject.into();
        match self.found.iter_mut().find(|reason| reason.rule == rule && reason.level == level) {
            Some(reason) if reason.subjects.contains(&subject) => {}
            Some(reason) => reason.subjects.push(subject),
            None => {
                self.found.push(Reason { rule: rule.to_owned(), level, text: title(rule, false).to_owned(), subjects: vec![subject] });
            }
        }
    }
}

/// The risk of an assessment; its own `risk` and `reasons` are ignored.
pub fn judge(assessment: &Assessment) -> (Risk, Vec<Reason>) {
    let mut reasons = Reasons::default();
    affected(&mut reasons, assessment);
    redundancy(&mut reasons, assessment);
    operated(&mut reasons, assessment);
    around(&mut reasons, assessment);
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
            Some(Tier::Core) => ("R1", Risk::Critical),
            Some(Tier::Important) => ("R3", Risk::High),
            Some(Tier::General | Tier::Minor) | None => ("R4", Risk::Medium),
        };
        reasons.add(rule, level, view.component.clone());
    }
    for view in assessment.affected.iter().filter(|view| view.state == State::Degraded && view.tier == Some(Tier::Core)) {
        reasons.add("R5", Risk::Medium, view.component.clone());
    }
}

/// R2, R6, R7, R8.
fn redundancy(reasons: &mut Reasons, assessment: &Assessment) {
    for view in &assessment.redundancy {
        let (rule, level) = match view.left {
            GroupLeft::NoSpare => ("R6", Risk::Medium),
            GroupLeft::Short | GroupLeft::Nothing if view.tier == Some(Tier::Core) => ("R2", Risk::Critical),
            GroupLeft::Short | GroupLeft::Nothing => ("R2", Risk::High),
        };
        reasons.add(rule, level, view.group.clone());
    }
    for view in &assessment.replicas {
        let level = if matters(view.tier) { Risk::High } else { Risk::Medium };
        reasons.add("R7", level, view.component.clone());
    }
    for view in &assessment.single_points {
        let level = if view.tier == Some(Tier::Core) { Risk::High } else { Risk::Medium };
        reasons.add("R8", level, view.component.clone());
    }
}

/// R9 to R12.
fn operated(reasons: &mut Reasons, assessment: &Assessment) {
    for view in assessment.tiers.iter().filter(|view| view.window_exceeds_rto) {
        let level = if matters(view.tier) { Risk::High } else { Risk::Medium };
        reasons.add("R9", level, view.tier.map_or("no tier", Tier::name));
    }
    // Members of a group are covered as long as the group is not short.
    for view in &assessment.operated {
        let core = view.tier == Some(Tier::Core);
        match view.action.state() {
            State::Degraded | State::AtRisk => {
                if !view.has_stand_in {
                    reasons.add("R10", if core { Risk::High } else { Risk::Medium }, view.component.clone());
                }
            }
            State::Down => {
                if core && !view.covered {
                    reasons.add("R11", Risk::Medium, view.component.clone());
                }
            }
        }
    }
    for view in assessment.cases.iter().filter(|view| view.root) {
        reasons.add("R12", Risk::Medium, view.id.clone());
    }
}

/// R13, R14.
fn around(reasons: &mut Reasons, assessment: &Assessment) {
    for view in assessment.owners.iter().filter(|view| view.owner.is_none()) {
        // At risk is not a reason to notify an owner.
        let named: BTreeSet<&String> = view.operated.iter().chain(&view.down).chain(&view.degraded).collect();
        for component in named {
            reasons.add("R13", Risk::Medium, component.clone());
        }
    }
    for lean in assessment.difference.iter().flat_map(|difference| &difference.leans).filter(|lean| matters(Some(lean.tier))) {
        reasons.add("R14", Risk::Medium, format!("{} → {}", lean.component, lean.on));
    }
}

fn matters(tier: Option<Tier>) -> bool {
    match tier {
        Some(Tier::Core | Tier::Important) => true,
        Some(Tier::General | Tier::Minor) | None => false,
    }
}
