//! The sentences of `impact`: what a fault takes down, what redundancy is left.

use super::Lang;

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
