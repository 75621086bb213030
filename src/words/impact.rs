//! The sentences of `impact`: what a fault takes down, where it is milder, what redundancy is left.

use estate::SoftenedBy;
use localize::SofteningView;

use super::{Lang, Writer};

impl Writer<'_> {
    /// From where on a path is milder, and why: `degraded from gateway-1 on: calls takes nothing down`.
    pub fn softening(&self, view: &SofteningView) -> String {
        let (state, component) = (self.lang().state(view.to), &view.component);
        let kind = |kind: &str| self.lang().relation(self.estate.model(), kind);
        match self.lang() {
            Lang::En => {
                let why = match &view.by {
                    SoftenedBy::Kind { kind: of } => format!("{} takes nothing down", kind(of)),
                    SoftenedBy::Relation { kind: of } => format!("this {} has an effect of its own", kind(of)),
                    SoftenedBy::Redundancy { group, left, members, need } => format!("{group} keeps {left} of {members}, needs {need}"),
                    SoftenedBy::NotDown { before } => format!("{before} is not down"),
                };
                format!("{state} from {component} on: {why}")
            }
            Lang::Zh => {
                let why = match &view.by {
                    SoftenedBy::Kind { kind: of } => format!("“{}”关系不会使其不可用", kind(of)),
                    SoftenedBy::Relation { kind: of } => format!("该“{}”关系单独声明了影响", kind(of)),
                    SoftenedBy::Redundancy { group, left, members, need } => format!("{group} 剩余 {left}/{members}，需要 {need}"),
                    SoftenedBy::NotDown { before } => format!("{before} 并非不可用"),
                };
                format!("自 {component} 起{state}：{why}")
            }
        }
    }
}

impl Lang {
    /// How many are what: `4 degraded`.
    pub fn number_of(self, number: usize, what: &str) -> String {
        match self {
            Lang::En => format!("{number} {what}"),
            Lang::Zh => format!("{what} {number} 个"),
        }
    }

    /// How many components a fault of others would affect, and how many of them are in which state.
    pub fn would_affect(self, failing: &[String], number: usize, states: &[String]) -> String {
        let (failing, states) = (self.listed(failing), states.join(self.comma()));
        let states = if states.is_empty() { states } else { self.bracketed(&states) };
        match self {
            Lang::En => format!("If {failing} fails: {number} affected{states}"),
            Lang::Zh => format!("若 {failing} 故障：影响 {number} 个组件{states}"),
        }
    }

    /// What a redundancy group has left of its members.
    pub fn group_keeps(self, group: &str, left: usize, members: usize, need: usize) -> String {
        let stands = match left.cmp(&need) {
            std::cmp::Ordering::Greater => self.stands(),
            std::cmp::Ordering::Equal => self.no_spare(),
            std::cmp::Ordering::Less => self.too_few(),
        };
        match self {
            Lang::En => format!("{group}: {left}/{members} left · needs {need} · {stands}"),
            Lang::Zh => format!("{group}：剩余 {left}/{members} · 需要 {need} · {stands}"),
        }
    }

    /// What the loss of a component alone takes down.
    pub fn takes_down(self, number: usize, names: &str) -> String {
        match self {
            Lang::En => format!("takes down {number}: {names}"),
            Lang::Zh => format!("单独故障将使 {number} 个组件不可用：{names}"),
        }
    }
}
