//! The language of a report's fixed text. Text from rules and components stays as written.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    #[default]
    En,
    Zh,
}

/// Every fixed phrase of a report, in both languages.
macro_rules! words {
    ($($name:ident: $en:literal, $zh:literal;)*) => {
        impl Lang {
            $(pub fn $name(self) -> &'static str { match self { Lang::En => $en, Lang::Zh => $zh } })*
        }

        /// The whole table: English, Chinese.
        pub(super) const FIXED: &[(&str, &str)] = &[$(($en, $zh)),*];
    };
}
pub(super) use words;

words! {
    incident: "INCIDENT", "故障";
    since: "since", "始于";
    ended: "ended", "结束于";
    last_seen: "last seen", "最后观测到";
    no_steps: "No rule or case says what to do.", "规则和案例都没有给出处置步骤。";
    still_on: "still on", "仍在持续";
    no_business_line: "no business line", "不属于任何业务线";
    also: "also", "其他路径";
    redundancy: "Redundancy groups", "冗余组";
    stands: "intact", "仍有余量";
    no_spare: "enough, but no spare left", "刚好够用，没有备用成员";
    too_few: "too few members", "成员不足";
    nothing_depends: "Nothing depends on it.", "没有依赖它的组件。";
    nothing_shown: "No affected component matches the filters.", "没有符合筛选条件的受影响组件。";
    possible_causes: "Possible causes", "可能的根因";
    reaches: "reaches", "可影响";
    single_points: "Single points of failure", "单点故障";
    the_estate: "the estate", "全部组件";
    after: "after it began", "晚于故障开始";
    explained: "explained", "已解释";
    layer: "layer", "依据";
    expert: "expert rule", "专家规则";
    knowledge: "similar case", "相似案例";
    anomaly: "anomaly score", "异常评分";
    consequence: "consequence of", "根因在";
    also_affected: "Also matched, as consequences", "同时命中（属连带影响）";
    explains: "explains", "可解释";
    look_for: "Possible causes", "可能原因";
    because: "Why", "判断依据";
    to_do: "What to do", "处置步骤";
    case_before: "Seen before", "历史案例";
    by: "by ", "依据：";
    tell: "tell", "联系";
    alerts_alone: "symptoms along the topology", "症状与拓扑";
    unjudged_rules: "Rules without data", "缺少数据而无法判断的规则";
    against: "Evidence against", "反面证据";
    look_at: "to confirm, check", "确认方法";
    impact: "Impact", "影响范围";
    checks: "Check, in this order", "排查步骤";
    solutions: "Suggested fixes", "处置建议";
    cases: "Similar cases", "相似案例";
    near_misses: "Near misses", "接近命中的规则";
    unexplained: "Unexplained", "未解释的信号";
    unplaced: "Unplaced", "未定位到组件的信号";
    why_unplaced: "Why without a component", "未定位到组件的原因";
    suppressed: "Suppressed as symptoms", "已抑制的告警（属于症状）";
    set_aside: "Not counted", "未计入的规则";
    signals: "Signals", "信号统计";
    quiet: "quiet", "无异常";
    duplicates: "duplicates", "重复";
    aside: "unreadable", "无法解析";
    no_fault: "No fault found.", "未发现故障。";
    no_suspect: "No suspect found; some signals are unexplained.", "未定位到根因，仍有未解释的信号。";
    open: "unexplained", "未解释";
    nowhere: "unplaced", "未定位";
    down: "down", "不可用";
    degraded: "degraded", "降级";
    at_risk: "at risk", "有风险";
    observed: "has symptoms", "有症状";
    inferred: "inferred: no signals, but on the path", "推断：无告警，但在传播路径上";
    owner: "owner", "负责人";
    note: "Note", "备注";
    more: "more", "项省略";
    at: "at", "截至";
    functions: "functions", "功能";
    warnings: "Warnings", "警告";
    tier_core: "core", "核心";
    tier_important: "important", "重要";
    tier_general: "general", "一般";
    tier_minor: "minor", "非核心";
    tier_none: "no tier", "未分级";
    changes: "Changes nearby", "相关变更";
    on_suspect: "on a suspect", "在疑似根因组件上";
    declared: "named by a rule", "规则指定";
    last_time: "fixed then by", "当时的处置";
    root_cause: "root cause", "根因";

    // Of a planned change.
    risk_reasons: "Reasons", "风险依据";
    no_risk: "no risk rule applies", "未命中任何风险规则";
    unsafe_as_planned: "Unsafe as planned", "按计划执行时不安全的步骤";
    step: "step", "步骤";
    core_goes_down: "core components go down", "核心组件将不可用";
    goes_down: "Goes down", "将不可用";
    becomes_degraded: "Becomes degraded", "将降级";
    becomes_at_risk: "At risk", "将有风险";
    group_intact: "its group is intact", "所在冗余组仍可承载";
    worst_moment: "Redundancy groups at the worst moment", "最差时刻的冗余组";
    last_replica: "Loses the last replica", "将失去最后一个副本";
    new_points: "New single points of failure", "新增的单点故障隐患";
    points_gone: "No longer single points of failure", "已消除的单点故障隐患";
    by_tier: "By business tier", "按业务等级";
    in_plan: "in the plan", "变更对象";
    exceeds_rto: "the window is longer than the RTO", "变更窗口超过 RTO";
    notify: "Notify", "需通知";
    no_owner: "(no owner)", "（无负责人）";
    may_fire: "Rules that may fire", "可能命中的规则";
    reads: "reads", "读取";
    past_incidents: "Past incidents of these components", "相关历史故障";
    root_in_plan: "root cause is in the plan", "根因组件在本次计划内";
    no_difference: "No differences", "两份拓扑没有差异";
    components: "Components", "组件";
    relations: "Relations", "关系";
    groups_needed: "Groups (needed/members)", "冗余组（需要数/成员数）";
    added: "added", "新增";
    removed: "removed", "删除";
    changed: "changed", "修改";
}

/// Every fixed phrase of a report, in English and in Chinese: for tests that hold one against the other.
pub fn fixed_words() -> impl Iterator<Item = (&'static str, &'static str)> {
    let tables = [FIXED, super::bench::FIXED, super::eval::FIXED, super::known::FIXED, super::walk::FIXED, super::why::FIXED];
    tables.into_iter().flatten().copied()
}

/// Things that are counted: singular and plural in English, and in Chinese with its measure word.
const COUNTED: &[(&str, &str, &str, &str)] = &[
    ("symptom", "symptom", "symptoms", "个症状"),
    ("alert", "alert", "alerts", "条告警"),
    ("report", "report", "reports", "条反馈"),
    ("probe", "failed probe", "failed probes", "次探测失败"),
    ("log", "group of error lines", "groups of error lines", "组错误日志"),
    ("metric", "anomalous series", "anomalous series", "条异常指标"),
    ("alerts", "alert", "alerts", "条告警"),
    ("metric series", "metric series", "metric series", "条指标序列"),
    ("spans", "span", "spans", "个 Span"),
    ("signal", "signal", "signals", "个信号"),
    ("group", "group", "groups", "组"),
    ("log lines", "log line", "log lines", "行日志"),
    ("hop", "hop", "hops", "跳"),
    ("changes", "change", "changes", "次变更"),
    ("probes", "probe", "probes", "次探测"),
    ("reports", "report", "reports", "条反馈"),
    ("other events", "other event", "other events", "个其他事件"),
    ("suppressed", "alert suppressed", "alerts suppressed", "条告警已抑制"),
    ("unplaced", "signal without a component", "signals without a component", "个信号未定位到组件"),
    ("duplicate", "duplicate", "duplicates", "个重复信号"),
    ("unreadable", "unreadable entry", "unreadable entries", "条无法解析"),
    ("uncounted", "rule not counted", "rules not counted", "条规则未计入"),
    ("unjudged", "rule without data", "rules without data", "条规则缺少数据"),
    ("near", "near miss", "near misses", "条规则接近命中"),
    ("scores", "external score", "external scores", "个外部评分"),
];

impl Lang {
    /// The whole of a list without any.
    pub fn no_incidents(self) -> &'static str {
        match self {
            Lang::En => "No incidents.",
            Lang::Zh => "没有故障。",
        }
    }

    pub fn over(self, until: &str) -> String {
        match self {
            Lang::En => format!("over since {until}"),
            Lang::Zh => format!("已于 {until} 结束"),
        }
    }

    pub fn sure(self, share: &str) -> String {
        match self {
            Lang::En => format!("{share} sure"),
            Lang::Zh => format!("置信度 {share}"),
        }
    }

    /// Of what a person must confirm.
    pub fn likely(self, share: &str) -> String {
        match self {
            Lang::En => format!("likely ({share}), please confirm"),
            Lang::Zh => format!("可能（{share}），需人工确认"),
        }
    }

    pub fn before(self, span: &str) -> String {
        match self {
            Lang::En => format!("{span} before it began"),
            Lang::Zh => format!("早于故障开始 {span}"),
        }
    }

    pub fn severity(self, severity: compile::plan::Severity) -> &'static str {
        use compile::plan::Severity;
        match (self, severity) {
            (Lang::En, Severity::Critical) => "critical",
            (Lang::En, Severity::Warning) => "warning",
            (Lang::En, Severity::Info) => "info",
            (Lang::Zh, Severity::Critical) => "严重",
            (Lang::Zh, Severity::Warning) => "警告",
            (Lang::Zh, Severity::Info) => "提示",
        }
    }

    /// What a rule says about itself.
    pub fn authored(self, rule: &str, added: Option<&str>, reviewed: Option<&str>, tags: &[String]) -> String {
        let dated = |en: &str, zh: &str, date: Option<&str>| {
            date.map(|date| match self {
                Lang::En => format!("{en} {date}"),
                Lang::Zh => format!("{date} {zh}"),
            })
        };
        let tags = (!tags.is_empty()).then(|| tags.iter().map(|tag| format!("#{tag}")).collect::<Vec<_>>().join(" "));
        let parts: Vec<String> = [dated("added", "添加", added), dated("reviewed", "复审", reviewed), tags].into_iter().flatten().collect();
        format!("{rule}: {}", parts.join(", "))
    }

    /// Rules that could not be judged, for want of data.
    pub fn unjudged(self, rules: usize, missing: &[String]) -> String {
        let kind = |kind: &String| match (self, kind.as_str()) {
            (Lang::Zh, "alerts") => "告警".to_owned(),
            (Lang::Zh, "metrics") => "指标".to_owned(),
            (Lang::Zh, "logs") => "日志".to_owned(),
            (Lang::Zh, "changes") => "变更".to_owned(),
            (Lang::Zh, "events") => "事件".to_owned(),
            (Lang::Zh, "reports") => "用户反馈".to_owned(),
            (Lang::Zh, "probes") => "探测".to_owned(),
            (Lang::En | Lang::Zh, other) => other.to_owned(),
        };
        let kinds: Vec<String> = missing.iter().map(kind).collect();
        match self {
            Lang::En => {
                let rules = if rules == 1 { "1 rule".to_owned() } else { format!("{rules} rules") };
                let kinds = match kinds.split_last() {
                    Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
                    Some(_) | None => kinds.join(", "),
                };
                format!("{rules} could not be judged for want of {kinds}")
            }
            Lang::Zh => format!("{rules} 条规则因缺少{}数据而无法判断", kinds.join("、")),
        }
    }

    /// Incidents that a filter leaves out.
    pub fn hidden(self, incidents: usize) -> String {
        match self {
            Lang::En => format!("{incidents} {} left out by the filter", if incidents == 1 { "incident" } else { "incidents" }),
            Lang::Zh => format!("筛选条件排除了 {incidents} 个故障"),
        }
    }

    /// The kind of a signal.
    pub fn signal_kind(self, kind: &str) -> &str {
        match (self, kind) {
            (Lang::Zh, "alert") => "告警",
            (Lang::Zh, "report") => "用户反馈",
            (Lang::Zh, "probe") => "探测",
            (Lang::Zh, "log") => "日志",
            (Lang::Zh, "metric") => "指标",
            (Lang::Zh, "change") => "变更",
            (Lang::Zh, "score") => "评分",
            (Lang::En | Lang::Zh, other) => other,
        }
    }

    /// Of what is more likely to be something else.
    pub fn guess(self, share: &str) -> String {
        match self {
            Lang::En => format!("best guess ({share}), please confirm"),
            Lang::Zh => format!("推测（{share}），需人工确认"),
        }
    }

    /// Of several that nothing tells apart.
    pub fn each(self, share: &str) -> String {
        match self {
            Lang::En => format!("{share} each"),
            Lang::Zh => format!("各 {share}"),
        }
    }

    /// How much a past case resembles the incident.
    pub fn alike_by(self, share: &str) -> String {
        match self {
            Lang::En => format!("{share} alike"),
            Lang::Zh => format!("相似度 {share}"),
        }
    }

    /// `7 symptoms, 6 explained`.
    pub fn symptoms(self, all: usize, explained: usize) -> String {
        match self {
            Lang::En => format!("{explained} of {} explained", self.count(all, "symptom")),
            Lang::Zh => format!("{all} 个症状中已解释 {explained} 个"),
        }
    }

    /// What carries a business line, before the single points of these.
    pub fn carried_by(self, names: &str) -> String {
        match self {
            Lang::En => format!("no single loss takes it down; carried by {names}, whose single points follow"),
            Lang::Zh => format!("没有任何单点会使其整体不可用；由 {names} 支撑，以下为这些组件的单点"),
        }
    }

    /// Components that nothing tells apart, and what would.
    pub fn alike(self, components: &[String]) -> String {
        let (count, names) = (components.len(), self.listed(components));
        match self {
            Lang::En => format!(
                "One of these {count}, nothing tells them apart: {names}. What would: their metrics or logs, a change of one of them, or an alert that began \
                 more than 5m before the others."
            ),
            Lang::Zh => format!(
                "故障在以下 {count} 个组件之一，现有数据无法区分：{names}。可据以区分的信息：各组件的指标或日志、其中某个组件的变更，或比其他告警早 5 分钟以上的告警。"
            ),
        }
    }

    /// A number with its noun.
    pub fn count(self, number: usize, kind: &str) -> String {
        let Some((_, one, many, zh)) = COUNTED.iter().find(|(name, ..)| *name == kind) else { return format!("{number} {kind}") };
        match self {
            Lang::En => format!("{number} {}", if number == 1 { one } else { many }),
            Lang::Zh => format!("{number} {zh}"),
        }
    }

    /// How often a proposed case was right, and the weight that results.
    pub fn record(self, record: knowledge::Record) -> String {
        let weight = record.weight();
        let said = super::reasons::track_record(record.right, record.proposed);
        match (self, record.may_speak()) {
            (Lang::En, true) => format!("it {said}: weight {weight:.2}"),
            (Lang::En, false) => format!("it {said}: no longer proposed"),
            (Lang::Zh, true) => format!("推荐过 {} 次，{} 次正确：权重 {weight:.2}", record.proposed, record.right),
            (Lang::Zh, false) => format!("推荐过 {} 次，{} 次正确：不再推荐", record.proposed, record.right),
        }
    }

    pub fn layer_name(self, layer: localize::Layer) -> &'static str {
        match layer {
            localize::Layer::Expert => self.expert(),
            localize::Layer::Knowledge => self.knowledge(),
            localize::Layer::Anomaly => self.anomaly(),
        }
    }

    pub fn state(self, state: estate::State) -> &'static str {
        match state {
            estate::State::Down => self.down(),
            estate::State::Degraded => self.degraded(),
            estate::State::AtRisk => self.at_risk(),
        }
    }

    pub fn tier(self, tier: Option<estate::Tier>) -> &'static str {
        match tier {
            Some(estate::Tier::Core) => self.tier_core(),
            Some(estate::Tier::Important) => self.tier_important(),
            Some(estate::Tier::General) => self.tier_general(),
            Some(estate::Tier::Minor) => self.tier_minor(),
            None => self.tier_none(),
        }
    }
}
