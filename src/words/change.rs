//! The words of an assessment of a planned change.

use change::{
    Action, Assessment, Field, GroupLeft, GroupView, Minutes, Read, ReadView, Response, Risk, RiskRule, Safety, Subject, WindowView,
};
use estate::{Model, Tier};
use value::{MINUTE, Time};

use super::{Lang, Locale};

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

/// Fills in every text of an assessment that is made of typed reasons. What people wrote stays as it is.
pub fn tell(assessment: &mut Assessment, lang: Lang, model: &Model) {
    for reason in &mut assessment.reasons {
        lang.risk_rule(reason.why.what).clone_into(&mut reason.why.text);
    }
    for rule in &mut assessment.rules {
        // In the order of the English words, so that no language changes the order of a list.
        rule.reads.sort_by_cached_key(|read| Lang::En.read(model, &read.what));
        for read in &mut rule.reads {
            read.text = lang.read(model, &read.what);
        }
    }
}

impl Locale {
    /// When the change is made.
    pub fn window(&self, window: &WindowView) -> String {
        let (WindowView { from, to, minutes }, zone) = (window, &self.zone);
        let length = self.lang.minutes(*minutes);
        match self.lang {
            Lang::En => format!("window {} – {} ({length})", zone.stamp(*from), zone.stamp(*to)),
            Lang::Zh => format!("变更窗口 {} – {} {}（{length}）", zone.moment(*from), zone.near(*to, *from), zone.name()),
        }
    }
}

impl Lang {
    pub fn risk(self, risk: Risk) -> &'static str {
        match (self, risk) {
            (Lang::En, risk) => risk.name(),
            (Lang::Zh, Risk::Low) => "低",
            (Lang::Zh, Risk::Medium) => "中",
            (Lang::Zh, Risk::High) => "高",
            (Lang::Zh, Risk::Critical) => "严重",
        }
    }

    /// The risk as a whole, behind the title of the change.
    pub fn risk_of_change(self, risk: Risk) -> String {
        match self {
            Lang::En => format!("RISK {}", self.risk(risk)),
            Lang::Zh => format!("风险等级：{}", self.risk(risk)),
        }
    }

    pub fn risk_rule(self, rule: RiskRule) -> &'static str {
        let (english, chinese) = match rule {
            RiskRule::CoreGoesDown => ("core components outside the plan go down", "计划之外的核心组件将不可用"),
            RiskRule::GroupFallsShort => ("redundancy groups keep fewer members than they need", "冗余组的存活成员少于所需数量"),
            RiskRule::ImportantGoesDown => ("important components outside the plan go down", "计划之外的重要组件将不可用"),
            RiskRule::OtherGoesDown => ("other components outside the plan go down", "计划之外的其他组件将不可用"),
            RiskRule::CoreDegraded => ("core components are degraded", "核心组件将降级"),
            RiskRule::NoSpareLeft => ("redundancy groups are left without a spare member", "冗余组将没有备用成员"),
            RiskRule::LastReplicaLost => ("components lose their last replica", "组件将失去最后一个副本"),
            RiskRule::SinglePointAppears => ("single points of failure appear", "出现新的单点故障隐患"),
            RiskRule::WindowExceedsRto => {
                ("the window exceeds the recovery time objective (RTO) of the tier", "变更窗口超过该业务等级的恢复时间目标（RTO）")
            }
            RiskRule::NothingToFailOverTo => ("a failover has no replica or group to fail over to", "主备切换没有可接管的副本或冗余组"),
            RiskRule::CoreInPlan => {
                ("the plan itself takes down core components that no intact group covers", "计划内的核心组件停机，且没有完好的冗余组承载")
            }
            RiskRule::RootCauseBefore => ("components in the plan were root causes of past incidents", "计划内的组件曾是历史故障的根因"),
            RiskRule::NoOwner => ("components have no owner to notify", "组件没有负责人，无法通知"),
            RiskRule::LeansOnLesser => {
                ("more important components gain dependencies on less important ones", "高等级组件新增了对低等级组件的依赖")
            }
            RiskRule::DrainBlocked => ("disruption budgets block a drain", "中断预算阻止摘流"),
        };
        match self {
            Lang::En => english,
            Lang::Zh => chinese,
        }
    }

    /// What a reason applies to.
    pub fn subject(self, subject: &Subject) -> String {
        match subject {
            Subject::Id(id) => id.clone(),
            Subject::Tier { tier } => self.tier(*tier).to_owned(),
            Subject::Dependency { component, on } => format!("{component} → {on}"),
        }
    }

    pub fn action(self, action: Action) -> &'static str {
        match (self, action) {
            (Lang::En, action) => action.name(),
            (Lang::Zh, Action::Restart) => "重启",
            (Lang::Zh, Action::Upgrade) => "升级",
            (Lang::Zh, Action::Remove) => "下线",
            (Lang::Zh, Action::Failover) => "主备切换",
            (Lang::Zh, Action::Drain) => "摘流",
        }
    }

    /// Whether the order of the steps is safe.
    pub fn order(self, safety: Safety, removals_last: bool) -> &'static str {
        let (english, chinese) = match safety {
            Safety::Safe => ("Order: safe as planned", "执行顺序：按计划执行是安全的"),
            Safety::SafeOtherwise if removals_last => (
                "Order: NOT safe as planned; safe with the removals last, in these batches",
                "执行顺序：按计划执行不安全；把下线放到最后，并按以下批次执行则安全",
            ),
            Safety::SafeOtherwise => {
                ("Order: NOT safe as planned; safe in these batches", "执行顺序：按计划执行不安全；按以下批次执行则安全")
            }
            Safety::Unsafe => (
                "Order: NOT safe in any order; each of these is unsafe on its own",
                "执行顺序：无论什么顺序都不安全；以下各项即使单独执行也不安全",
            ),
        };
        match self {
            Lang::En => english,
            Lang::Zh => chinese,
        }
    }

    /// Why a moment is unsafe: a group keeps too few members.
    pub fn group_short(self, group: &str, living: usize, need: usize, lost: &str) -> String {
        match self {
            Lang::En => format!("{group} keeps {living}, needs {need} ({lost})"),
            Lang::Zh => format!("{group} 仅剩 {living} 个成员，需要 {need} 个（失去 {lost}）"),
        }
    }

    /// Why a drain cannot be done: a disruption budget gives up no pod.
    pub fn budget_blocks(self, budget: &str, of: &str, living: usize, need: usize, pods: &str) -> String {
        match self {
            Lang::En => format!("disruption budget {budget} blocks it: of {living} pods of {of}, {need} must stay ({pods})"),
            Lang::Zh => format!("中断预算 {budget} 阻止驱逐：{of} 共有 {living} 个容器组，须保留 {need} 个（{pods}）"),
        }
    }

    /// A group at its worst moment.
    pub fn group_at_worst(self, view: &GroupView, lost: &str) -> String {
        let GroupView { group, living, members, need, left, .. } = view;
        let (english, chinese) = match left {
            GroupLeft::NoSpare => ("no spare left", "没有备用成员"),
            GroupLeft::Short => ("too few members", "成员不足"),
            GroupLeft::Nothing => ("last member lost", "无存活成员"),
        };
        match self {
            Lang::En => format!("{group}: {living}/{members} (needs {need}) · {english} · {lost}"),
            Lang::Zh => format!("{group}：存活 {living}/{members}，需要 {need} · {chinese} · 失去 {lost}"),
        }
    }

    pub fn alone_takes_down(self, component: &str, names: &str) -> String {
        match self {
            Lang::En => format!("{component} alone takes down {names}"),
            Lang::Zh => format!("{component} 单独故障将使以下组件不可用：{names}"),
        }
    }

    pub fn respond_within(self, response: Response) -> String {
        let Response { detect, acknowledge, resolve } = response;
        match self {
            Lang::En => format!("respond within {detect}-{acknowledge}-{resolve} min"),
            Lang::Zh => format!("响应时限 {detect}-{acknowledge}-{resolve} 分钟"),
        }
    }

    /// Rules that need another fault besides, where there are no others.
    pub fn joint_rules(self, number: usize) -> String {
        match self {
            Lang::En if number == 1 => "1 rule reads affected components, but also needs another fault".to_owned(),
            Lang::En => format!("{number} rules read affected components, but also need another fault"),
            Lang::Zh => format!("{number} 条规则读取受影响的组件，但还需其他异常才会命中"),
        }
    }

    /// The same beside others.
    pub fn more_rules(self, number: usize) -> String {
        match self {
            Lang::En if number == 1 => "1 more rule reads affected components, but also needs another fault".to_owned(),
            Lang::En => format!("{number} more rules read affected components, but also need another fault"),
            Lang::Zh => format!("另有 {number} 条规则也读取受影响的组件，但还需其他异常才会命中"),
        }
    }

    /// What a rule reads.
    pub fn read(self, model: &Model, view: &ReadView) -> String {
        let ReadView { kind, what } = view;
        let name = self.kind(model, kind);
        match (self, what) {
            (_, Read::Metric { metric }) => format!("{name}.{}", self.member(model, kind, metric)),
            (Lang::En, Read::State { state }) => format!("{name} is {state}"),
            (Lang::En, Read::Alert { near }) => format!("alert {} {name}", if *near { "near" } else { "on" }),
            (Lang::En, Read::Log { near }) => format!("log {} {name}", if *near { "near" } else { "on" }),
            (Lang::En, Read::Change { near }) => format!("change {} {name}", if *near { "near" } else { "on" }),
            (Lang::En, Read::Report { near }) => format!("report {} {name}", if *near { "near" } else { "on" }),
            (Lang::En, Read::Event { near }) => format!("event {} {name}", if *near { "near" } else { "on" }),
            (Lang::En, Read::Probe) => format!("probe of {name}"),
            (Lang::En, Read::Neighbors) => format!("neighbors of {name}"),
            (Lang::Zh, Read::State { state }) => Lang::behind(&name, &format!("“{}”状态", self.named_state(model, kind, state))),
            (Lang::Zh, Read::Alert { near }) => Lang::behind(&name, if *near { "周边的告警" } else { "的告警" }),
            (Lang::Zh, Read::Log { near }) => Lang::behind(&name, if *near { "周边的日志" } else { "的日志" }),
            (Lang::Zh, Read::Change { near }) => Lang::behind(&name, if *near { "周边的变更" } else { "的变更" }),
            (Lang::Zh, Read::Report { near }) => Lang::behind(&name, if *near { "周边的用户反馈" } else { "的用户反馈" }),
            (Lang::Zh, Read::Event { near }) => Lang::behind(&name, if *near { "周边的事件" } else { "的事件" }),
            (Lang::Zh, Read::Probe) => Lang::behind(&name, "的探测结果"),
            (Lang::Zh, Read::Neighbors) => Lang::behind(&name, "的相邻组件"),
        }
    }

    /// The name of a field of a component of a type.
    pub fn field(self, model: &Model, kind: &str, field: &Field) -> String {
        let (english, chinese) = match field {
            Field::Type => ("type", "类型"),
            Field::Name => ("name", "名称"),
            Field::Owner => ("owner", "负责人"),
            Field::Environment => ("environment", "环境"),
            Field::Tier => ("tier", "业务等级"),
            Field::Attribute { attribute } => return self.member(model, kind, attribute),
        };
        match self {
            Lang::En => english.to_owned(),
            Lang::Zh => chinese.to_owned(),
        }
    }

    /// What a field holds.
    pub fn field_value(self, model: &Model, field: &Field, value: Option<&str>) -> String {
        let Some(value) = value else { return "∅".to_owned() };
        match field {
            Field::Type => self.kind(model, value),
            Field::Tier => Tier::parse(value).map_or_else(|| value.to_owned(), |tier| self.tier(Some(tier)).to_owned()),
            Field::Name | Field::Owner | Field::Environment | Field::Attribute { .. } => value.to_owned(),
        }
    }

    /// `1h30m`; `1 小时 30 分钟`.
    pub fn minutes(self, minutes: i64) -> String {
        match self {
            Lang::En if minutes == 0 => "0".to_owned(),
            Lang::En => Time::describe(minutes.saturating_mul(MINUTE)),
            Lang::Zh => {
                let parts = [(minutes / DAY, "天"), (minutes % DAY / HOUR, "小时"), (minutes % HOUR, "分钟")];
                let parts: Vec<String> =
                    parts.into_iter().filter(|(number, _)| *number != 0).map(|(number, unit)| format!("{number} {unit}")).collect();
                if parts.is_empty() { "0 分钟".to_owned() } else { parts.join(" ") }
            }
        }
    }

    /// `5m–30m`; `5–30 分钟`.
    pub fn minutes_between(self, span: Minutes) -> String {
        let (from, to) = (self.minutes(span.from), self.minutes(span.to));
        let short = match self {
            Lang::En => None,
            Lang::Zh => from.rsplit_once(' ').zip(to.rsplit_once(' ')).filter(|((_, left), (_, right))| left == right),
        };
        match short {
            Some(((number, _), _)) if !number.contains(' ') => format!("{number}–{to}"),
            Some(_) | None => format!("{from}–{to}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use change::{Action, Minutes, Read, ReadView, RiskRule};

    use crate::Lang;

    #[test]
    fn spans() {
        let cases = [
            (0, 5, "0–5m", "0–5 分钟"),
            (15, 60, "15m–1h", "15 分钟–1 小时"),
            (240, 1440, "4h–1d", "4 小时–1 天"),
            (720, 4320, "12h–3d", "12 小时–3 天"),
            (90, 120, "1h30m–2h", "1 小时 30 分钟–2 小时"),
            (60, 90, "1h–1h30m", "1 小时–1 小时 30 分钟"),
        ];
        for (from, to, english, chinese) in cases {
            assert_eq!(Lang::En.minutes_between(Minutes { from, to }), english);
            assert_eq!(Lang::Zh.minutes_between(Minutes { from, to }), chinese);
        }
    }

    #[test]
    fn what_rules_read() {
        let model = estate::base_model();
        let cases = [
            ("service", Read::Metric { metric: "cpu_usage".to_owned() }, "service.cpu_usage", "服务.CPU使用率"),
            ("gateway", Read::State { state: "unavailable".to_owned() }, "gateway is unavailable", "网关“不可用”状态"),
            ("host", Read::Log { near: true }, "log near host", "主机周边的日志"),
            ("host", Read::Neighbors, "neighbors of host", "主机的相邻组件"),
            ("vault", Read::Alert { near: false }, "alert on vault", "vault 的告警"),
        ];
        for (kind, what, english, chinese) in cases {
            let view = ReadView { kind: kind.to_owned(), what };
            assert_eq!(Lang::En.read(&model, &view), english);
            assert_eq!(Lang::Zh.read(&model, &view), chinese);
        }
    }

    #[test]
    fn chinese_is_chinese() {
        let rules = RiskRule::ALL.map(|rule| Lang::Zh.risk_rule(rule));
        let actions = Action::ALL.map(|action| Lang::Zh.action(action));
        let fixed = crate::fixed_words().map(|(_, chinese)| chinese);
        for text in rules.into_iter().chain(actions).chain(fixed) {
            // An abbreviation such as RTO is Chinese enough.
            let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
            assert!(!text.split(|c: char| !c.is_ascii_alphabetic()).any(is_word), "{text}");
        }
    }
}
