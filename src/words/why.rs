//! Words of `faultscope why`: whether a rule matched, on which components, and which conditions decided it.

use compile::plan::Status;
use value::{Time, Truth};

use super::lang::words;
use super::{Lang, Locale};

words! {
    all_of: "all of", "同时满足以下条件";
    any_of: "any of", "满足以下任一条件";
    none_of: "not", "以下条件不成立";
}

impl Lang {
    /// No components could be bound.
    pub fn not_evaluated(self, why: &str) -> String {
        match self {
            Lang::En => format!("Not evaluated: {why}."),
            Lang::Zh => format!("未评估：{why}。"),
        }
    }

    /// Why a rule that matched is not counted: another one overrides it.
    pub fn overridden(self, by: &str, because: Option<&str>) -> String {
        match (self, because) {
            (Lang::En, Some(because)) => format!("overridden by {by}: {because}"),
            (Lang::En, None) => format!("overridden by {by}"),
            (Lang::Zh, Some(because)) => format!("已被 {by} 取代：{because}"),
            (Lang::Zh, None) => format!("已被 {by} 取代"),
        }
    }

    /// Follows what a binding did.
    pub fn not_counted(self, why: &str) -> String {
        match self {
            Lang::En => format!("; not counted: {why}"),
            Lang::Zh => format!("；不计入：{why}"),
        }
    }

    pub fn more_bindings(self, number: usize) -> String {
        match self {
            Lang::En => format!("{number} more {}, further from a match", if number == 1 { "binding" } else { "bindings" }),
            Lang::Zh => format!("另有 {number} 组组件，离命中更远"),
        }
    }

    /// Follows a condition: the value at which it becomes true.
    pub fn needs_value(self, value: &str) -> String {
        match self {
            Lang::En => format!(" — needs {value}"),
            Lang::Zh => format!(" — 触发值 {value}"),
        }
    }
}

impl Locale {
    /// A rule, whether it matched, and in which time.
    pub fn why_rule(&self, rule: &str, title: &str, status: Status, held: bool, (from, to): (Time, Time)) -> String {
        let zone = &self.zone;
        match self.lang {
            Lang::En => {
                let status = match status {
                    Status::Active => "",
                    Status::Draft => ", draft",
                    Status::Retired => ", retired: never evaluated",
                };
                let verdict = if held { "matched" } else { "did not match" };
                format!("{rule} \"{title}\"{status}: {verdict} (checked from {} to {})", zone.stamp(from), zone.stamp(to))
            }
            Lang::Zh => {
                let status = match status {
                    Status::Active => "",
                    Status::Draft => "（草稿）",
                    Status::Retired => "（已停用，不参与评估）",
                };
                let verdict = if held { "命中" } else { "未命中" };
                let (from, to) = (zone.moment(from), zone.moment(to));
                format!("{rule} \"{title}\"{status}：{verdict}（检查时段 {from} 至 {to} {}）", zone.name())
            }
        }
    }

    /// When components matched a rule.
    pub fn binding_matched(&self, from: Time, until: Option<Time>) -> String {
        let clock = |time: Time| self.zone.clock(time);
        match (self.lang, until) {
            (Lang::En, None) => format!("matched since {}, still matching", clock(from)),
            (Lang::En, Some(until)) => format!("matched from {} to {}", clock(from), clock(until)),
            (Lang::Zh, None) => format!("{} 起命中，目前仍命中", clock(from)),
            (Lang::Zh, Some(until)) => format!("{} 至 {} 命中", clock(from), clock(until)),
        }
    }

    /// How many conditions components lack, at the instant at which they came closest.
    pub fn binding_missed(&self, truth: Truth, lacking: usize, closest: Time) -> String {
        let closest = self.zone.clock(closest);
        let verdict = match (self.lang, truth) {
            (Lang::En, Truth::Unknown) => "unknown, data is missing",
            (Lang::En, Truth::True | Truth::False) => "did not match",
            (Lang::Zh, Truth::Unknown) => "缺少数据，无法判断",
            (Lang::Zh, Truth::True | Truth::False) => "未命中",
        };
        match self.lang {
            Lang::En => {
                let many = if lacking == 1 { "one condition".to_owned() } else { format!("{lacking} conditions") };
                format!("{verdict}: {many} unmet, closest at {closest}")
            }
            Lang::Zh => format!("{verdict}：{lacking} 个条件未满足，{closest} 最接近命中"),
        }
    }
}
