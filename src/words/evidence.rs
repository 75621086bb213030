//! Evidence in words: what was found for a condition, or why it is unknown.

use engine::{Element, EventView, EvidenceView, Found, Gap, InstanceView, Missing, Sample, SampleView, Side, Unbound};
use value::{Time, Truth};

use super::{Lang, Writer};

/// Name at most this many elements of a set.
const MAX_NAMED: usize = 5;

impl Writer<'_> {
    /// A condition with what was found, in one line: `order-db: db.connections > 400 — 487, 87 above the threshold, at 10:15:00`.
    pub fn evidence(&self, view: &EvidenceView) -> String {
        let not = if view.negated { self.say("not ", "非：") } else { "" };
        let about = view.component.as_ref().map_or_else(String::new, |component| format!("{component}: "));
        let mut found = self.found(&view.found, view.time) + &self.events(&view.sources);
        let condition = if view.component.is_some() { without_variable(view) } else { view.condition.as_str() };
        if let Some(on) = self.instances(&view.sources, &[about.as_str(), condition, found.as_str()]) {
            found = if found.is_empty() { on } else { format!("{found}{}{on}", self.lang().comma()) };
        }
        if found.is_empty() { format!("{not}{about}{condition}") } else { format!("{not}{about}{condition} — {found}") }
    }

    /// What was found; empty if there is nothing to say but the truth.
    pub fn found(&self, found: &Found, time: Time) -> String {
        let zh = self.lang() == Lang::Zh;
        match found {
            Found::Nothing => String::new(),
            Found::Compared { value, threshold, threshold_of, gap, sampled, .. } => {
                // A constant stands in the condition already.
                let threshold = threshold_of.as_ref().map(|_| threshold.as_str());
                let apart = gap.as_ref().map_or_else(String::new, |gap| format!("{}{}", self.lang().comma(), self.gap(gap, threshold)));
                let at = match (sampled, gap, self.lang()) {
                    (false, ..) => String::new(),
                    (true, Some(_), Lang::En) => format!(", at {}", self.clock(time)),
                    (true, None, Lang::En) => format!(" at {}", self.clock(time)),
                    (true, _, Lang::Zh) => format!("（{}）", self.clock(time)),
                };
                format!("{value}{apart}{at}")
            }
            Found::Moved { value, needed, gap, .. } if zh => format!("{value}，{}（{}）", self.gap(gap, Some(needed)), self.clock(time)),
            Found::Moved { value, needed, gap, .. } => format!("{value}, {}, at {}", self.gap(gap, Some(needed)), self.clock(time)),
            Found::Counted { found, needed, within } => {
                let counted = match (within, self.lang()) {
                    (None, Lang::En) => format!("{found} found"),
                    (None, Lang::Zh) => format!("找到 {found} 条"),
                    (Some(within), Lang::En) => format!("{found} found within {}", self.span(*within)),
                    (Some(within), Lang::Zh) => format!("{}内找到 {found} 条", self.span(*within)),
                };
                match (needed, self.lang()) {
                    (0 | 1, _) => counted,
                    (_, Lang::En) => format!("{counted}, {needed} needed"),
                    (_, Lang::Zh) => format!("{counted}，至少需要 {needed} 条"),
                }
            }
            Found::Probed { success } if zh => format!("{}（{}）", if *success { "成功" } else { "失败" }, self.clock(time)),
            Found::Probed { success } => format!("{} at {}", if *success { "succeeded" } else { "failed" }, self.clock(time)),
            Found::Quantified { matching, unknown, total, supporting, opposing, unsure } => {
                let mut text = if zh { format!("{total} 个中有 {matching} 个满足") } else { format!("{matching} of {total}") };
                if *unknown > 0 {
                    text.push_str(&if zh { format!("，{unknown} 个未知") } else { format!(", {unknown} unknown") });
                }
                if *total == 0 {
                    text.push_str(self.say(", the set is empty", "，集合为空"));
                }
                let named = [("", "", supporting), ("not matching: ", "不满足：", opposing), ("unknown: ", "未知：", unsure)];
                let named = named.into_iter().filter(|(.., elements)| !elements.is_empty());
                let named: Vec<String> =
                    named.map(|(en, zh, elements)| format!("{}{}", self.say(en, zh), self.elements(elements))).collect();
                if !named.is_empty() {
                    text.push_str(&format!("{}{}", self.lang().comma(), named.join(self.say("; ", "；"))));
                }
                text
            }
            Found::Unexplained => self.say("no other rule explains it", "没有其他规则解释它").to_owned(),
            Found::ExplainedBy { rule } if zh => format!("已由 {rule} 解释"),
            Found::ExplainedBy { rule } => format!("explained by {rule}"),
            Found::Answered { value } => value.clone(),
            Found::Lasted { needed, last } => {
                let last = last.as_ref().map_or_else(String::new, |value| match self.lang() {
                    Lang::En => format!(", {value} at the end"),
                    Lang::Zh => format!("，最后为 {value}"),
                });
                if zh {
                    format!("已持续满足 {}{last}", self.span(*needed))
                } else {
                    format!("matched for all of {}{last}", self.span(*needed))
                }
            }
            Found::Broke { lasted, at, unknown, then, .. } => {
                let so_far = match (*lasted > 0, unknown, self.lang()) {
                    (true, _, Lang::En) => format!("matched for only {}; ", self.span(*lasted)),
                    (true, _, Lang::Zh) => format!("只持续了 {}；", self.span(*lasted)),
                    (false, false, _) => self.say("did not match at the end; ", "最后时刻不满足；").to_owned(),
                    (false, true, _) => String::new(),
                };
                let inner = match &**then {
                    Found::Nothing => self.say("it did not match", "不满足").to_owned(),
                    Found::Unknown { of: Some(of), reason } => format!("{of}: {}", self.missing(reason)),
                    Found::Unknown { of: None, reason } => self.missing(reason),
                    value => self.short(value),
                };
                let word = if *unknown { self.say("unknown", "未知") } else { self.say("false", "不成立") };
                if zh {
                    format!("{so_far}{} 时{word}：{inner}", self.clock(*at))
                } else {
                    format!("{so_far}{word} at {}: {inner}", self.clock(*at))
                }
            }
            Found::Unknown { of, reason } => {
                let of = of.as_ref().map_or_else(String::new, |of| format!("{of}: "));
                format!("{}{of}{}", self.say("unknown: ", "未知："), self.missing(reason))
            }
        }
    }

    /// Only the value.
    fn short(&self, found: &Found) -> String {
        match found {
            Found::Compared { value, .. } | Found::Moved { value, .. } | Found::Answered { value } => {
                if self.lang() == Lang::Zh {
                    format!("当时为 {value}")
                } else {
                    format!("it was {value}")
                }
            }
            Found::Nothing
            | Found::Counted { .. }
            | Found::Probed { .. }
            | Found::Quantified { .. }
            | Found::Unexplained
            | Found::ExplainedBy { .. }
            | Found::Lasted { .. }
            | Found::Broke { .. }
            | Found::Unknown { .. } => self.found(found, Time::MIN),
        }
    }

    /// What a condition on a change of a value needs: `600, from 400 at 10:05:00`.
    pub fn needed(&self, found: &Found) -> Option<String> {
        let Found::Moved { needed, from, from_time, from_baseline, .. } = found else { return None };
        let from = match (from_time, from_baseline, self.lang()) {
            (Some(time), _, Lang::En) => format!("{from} at {}", self.clock(*time)),
            (Some(time), _, Lang::Zh) => format!("{} 的 {from}", self.clock(*time)),
            (None, Some((stat, samples)), Lang::En) => format!("{from} ({stat} of {samples} baseline samples)"),
            (None, Some((stat, samples)), Lang::Zh) => format!("{from}（{samples} 个基线样本的 {stat}）"),
            (None, None, _) => from.clone(),
        };
        Some(match self.lang() {
            Lang::En => format!("{needed}, from {from}"),
            Lang::Zh => format!("{needed}，相对于 {from}"),
        })
    }

    /// How far a value is from its threshold.
    fn gap(&self, gap: &Gap, threshold: Option<&str>) -> String {
        let blank = self.say("", " ");
        let of = |word: &str| threshold.map_or_else(String::new, |threshold| format!(" {word}{threshold}{blank}"));
        let by = match (gap.points, self.lang()) {
            (false, _) => gap.by.clone(),
            (true, Lang::En) => format!("{} {}", gap.by, if gap.by == "1" { "point" } else { "points" }),
            (true, Lang::Zh) => format!("{} 个百分点", gap.by),
        };
        match (gap.side, self.lang()) {
            (Side::At, _) => self.say("exactly at the threshold", "正好等于阈值").to_owned(),
            (Side::Above, Lang::En) => format!("{by} above the threshold{}", of("of ")),
            (Side::Below, Lang::En) => format!("{by} below the threshold{}", of("of ")),
            (Side::Above, Lang::Zh) => format!("比阈值{}高 {by}", of("")),
            (Side::Below, Lang::Zh) => format!("比阈值{}低 {by}", of("")),
        }
    }

    fn elements(&self, elements: &[Element]) -> String {
        let show = |element: &Element| {
            let value = element.value.as_ref().map_or_else(String::new, |value| format!(" {value}"));
            format!("{}{value}", element.component)
        };
        let mut names: Vec<String> = elements.iter().take(MAX_NAMED).map(show).collect();
        match (elements.len().saturating_sub(MAX_NAMED), self.lang()) {
            (0, _) => {}
            (more, Lang::En) => names.push(format!("… {more} more")),
            (more, Lang::Zh) => names.push(format!("…另有 {more} 个")),
        }
        names.join(", ")
    }

    pub fn missing(&self, missing: &Missing) -> String {
        match self.lang() {
            Lang::En => self.missing_in_english(missing),
            Lang::Zh => self.missing_in_chinese(missing),
        }
    }

    fn missing_in_english(&self, missing: &Missing) -> String {
        match missing {
            Missing::Component => "there is no component".to_owned(),
            Missing::Attribute { attribute } => format!("attribute `{attribute}` is not set"),
            Missing::Metric { metric } => format!("its type has no metric `{metric}`"),
            Missing::State { state } => format!("its type has no state `{state}`"),
            Missing::Signals { kind } => format!("the bundle has no {kind}"),
            Missing::Sample { metric } => format!("no sample of `{metric}`"),
            Missing::Ended { at } => format!("marked stale at {}", self.clock(*at)),
            Missing::Stale { at, limit } => format!("last sample at {}, older than {}", self.clock(*at), self.span(*limit)),
            Missing::Window => "no sample in the window".to_owned(),
            Missing::Baseline { found, needed } => format!("only {found} baseline samples, at least {needed} needed"),
            Missing::Probe => "no probe result in the window".to_owned(),
            Missing::Script { function, error } => format!("script `{function}`: {error}"),
            Missing::Truth { function } => format!("`{function}` did not return true or false"),
            Missing::Value { function } => format!("`{function}` did not return a value"),
            Missing::Number { name } => format!("`{name}` is not a number"),
        }
    }

    fn missing_in_chinese(&self, missing: &Missing) -> String {
        match missing {
            Missing::Component => "没有对应的组件".to_owned(),
            Missing::Attribute { attribute } => format!("属性 `{attribute}` 未填写"),
            Missing::Metric { metric } => format!("该类型没有指标 `{metric}`"),
            Missing::State { state } => format!("该类型没有状态 `{state}`"),
            Missing::Signals { kind } => {
                let kind = match kind.as_str() {
                    "alerts" => "告警",
                    "metrics" => "指标",
                    "logs" => "日志",
                    "changes" => "变更",
                    "events" => "事件",
                    "reports" => "用户反馈",
                    other => other,
                };
                format!("数据包中没有{kind}")
            }
            Missing::Sample { metric } => format!("没有 `{metric}` 的采样"),
            Missing::Ended { at } => format!("该序列在 {} 已标记为结束", self.clock(*at)),
            Missing::Stale { at, limit } => format!("最后一次采样在 {}，已超过 {}", self.clock(*at), self.span(*limit)),
            Missing::Window => "时间窗口内没有采样".to_owned(),
            Missing::Baseline { found, needed } => format!("基线样本只有 {found} 个，至少需要 {needed} 个"),
            Missing::Probe => "时间窗口内没有探测结果".to_owned(),
            Missing::Script { function, error } => format!("脚本 `{function}` 出错：{error}"),
            Missing::Truth { function } => format!("`{function}` 没有返回 true 或 false"),
            Missing::Value { function } => format!("`{function}` 没有返回值"),
            Missing::Number { name } => format!("`{name}` 不是数值"),
        }
    }

    /// Why no components could be bound.
    pub fn unbound(&self, unbound: &Unbound) -> String {
        match (unbound, self.lang()) {
            (Unbound::Type { kind, variable }, Lang::En) => format!("the topology has no `{kind}` for `{variable}`"),
            (Unbound::Type { kind, variable }, Lang::Zh) => format!("拓扑中没有类型为 `{kind}` 的组件可供 `{variable}` 使用"),
            (Unbound::Filter { kind, variable }, Lang::En) => format!("no `{kind}` matches the filter of `{variable}`"),
            (Unbound::Filter { kind, variable }, Lang::Zh) => format!("没有 `{kind}` 符合 `{variable}` 的筛选条件"),
            (Unbound::Joins { variables, joins }, Lang::En) => {
                format!("no components for {} satisfy {}", variables.join(", "), joins.join(" and "))
            }
            (Unbound::Joins { variables, joins }, Lang::Zh) => {
                format!("没有组件能让 {} 同时满足 {}", variables.join("、"), joins.join("、"))
            }
        }
    }

    /// A signal that a condition rests on, and the instance that it is on.
    fn source(&self, source: &SampleView) -> String {
        let Some(InstanceView { component, kind, of, listed }) = &source.instance else { return self.sample(&source.signal, "") };
        let kind = self.lang().kind(self.estate.model(), kind);
        let of = match (self.lang(), listed) {
            (Lang::En, true) => format!("(of {of})"),
            (Lang::En, false) => format!("(of {of}, not in the topology)"),
            (Lang::Zh, true) => format!("（属于 {of}）"),
            (Lang::Zh, false) => format!("（属于 {of}，不在拓扑中）"),
        };
        // Labels and lines often name their pod themselves.
        let named = self.sample(&source.signal, "").contains(component.as_str());
        let on = match (self.lang(), named) {
            (Lang::En, true) => format!(" {of}"),
            (Lang::En, false) => format!(" on {kind} {component} {of}"),
            (Lang::Zh, true) => of,
            (Lang::Zh, false) => format!("，位于{kind} {component}{of}"),
        };
        self.sample(&source.signal, &on)
    }

    fn sample(&self, sample: &Sample, on: &str) -> String {
        let zh = self.lang() == Lang::Zh;
        let told = match sample {
            Sample::Alert { name, since } if zh => return format!("告警 {name}{on}，始于 {}", self.clock(*since)),
            Sample::Alert { name, since } => return format!("alert {name}{on} since {}", self.clock(*since)),
            Sample::Series { series } => format!("{} {series}", self.say("series", "指标序列")),
            Sample::Log { time, line } => format!("{} {line}", self.clock(*time)),
            Sample::Change { time, line } => format!("{} {}{line}", self.clock(*time), self.say("change: ", "变更：")),
            Sample::Probe { time, success: true } => format!("{} {}", self.clock(*time), self.say("probe succeeded", "探测成功")),
            Sample::Probe { time, success: false } => format!("{} {}", self.clock(*time), self.say("probe failed", "探测失败")),
            Sample::Event(event) if event.message.is_empty() => self.event(event),
            Sample::Event(event) => format!("{}{}{}", self.event(event), self.say(": ", "："), event.message),
            Sample::Report { time, line } => format!("{} {}{line}", self.clock(*time), self.say("report: ", "用户反馈：")),
        };
        format!("{told}{on}")
    }

    /// The instances that have what a condition found, if its words do not name them: `on pod api-b, api-c`.
    fn instances(&self, sources: &[SampleView], told: &[&str]) -> Option<String> {
        let mut named: Vec<(&str, &str)> = Vec::new();
        for InstanceView { component, kind, .. } in
            sources.iter().filter(|source| source.tells).filter_map(|source| source.instance.as_ref())
        {
            let one = (kind.as_str(), component.as_str());
            if !told.iter().any(|told| told.contains(component.as_str())) && !named.contains(&one) {
                named.push(one);
            }
        }
        named.sort_by_key(|(kind, _)| *kind);
        let mut words: Vec<String> = Vec::new();
        let mut last = "";
        for &(kind, component) in named.iter().take(MAX_NAMED) {
            let of_kind = if kind == last { String::new() } else { format!("{} ", self.lang().kind(self.estate.model(), kind)) };
            words.push(format!("{of_kind}{component}"));
            last = kind;
        }
        if named.len() > MAX_NAMED {
            words.push("…".to_owned());
        }
        let listed = words.join(self.say(", ", "、"));
        (!listed.is_empty()).then(|| format!("{}{listed}", self.say("on ", "位于")))
    }

    /// What a cluster said, first of all that a condition found.
    fn events(&self, sources: &[SampleView]) -> String {
        let mut events = sources.iter().filter_map(|source| if let Sample::Event(event) = &source.signal { Some(event) } else { None });
        let Some(first) = events.next() else { return String::new() };
        let more = match (events.count(), self.lang()) {
            (0, _) => String::new(),
            (more, Lang::En) => format!(", … {more} more"),
            (more, Lang::Zh) => format!("，…另有 {more} 个"),
        };
        format!("{}{}{more}", self.say(": ", "："), self.event(first))
    }

    /// What a cluster said: `10:05:00 OOMKilled of Pod shop/order-db-0, 2 times since 10:01:00`.
    fn event(&self, event: &EventView) -> String {
        let EventView { reason, object, count, first, last, message: _ } = event;
        let (since, at) = (self.clock(*first), self.clock(*last));
        let zh = self.lang() == Lang::Zh;
        let what = match (object.is_empty(), zh) {
            (true, _) => reason.clone(),
            (false, true) => format!("{object} {reason}"),
            (false, false) => format!("{reason} of {object}"),
        };
        let times = match (first < last, *count > 1, zh) {
            (true, true, true) => format!("，自 {since} 起 {count} 次"),
            (true, true, false) => format!(", {count} times since {since}"),
            (true, false, true) => format!("，自 {since} 起"),
            (true, false, false) => format!(", since {since}"),
            (false, true, true) => format!("，{count} 次"),
            (false, true, false) => format!(", {count} times"),
            (false, false, _) => String::new(),
        };
        format!("{at} {what}{times}")
    }

    /// Writes the words of one condition.
    pub fn tell_evidence(&self, view: &mut EvidenceView) {
        view.text = self.evidence(view);
        for source in &mut view.sources {
            source.text = self.source(source);
        }
    }

    /// ✓, ✗ or ?.
    pub fn mark(truth: Truth) -> &'static str {
        match truth {
            Truth::True => "✓",
            Truth::False => "✗",
            Truth::Unknown => "?",
        }
    }
}

/// A condition on signals without ` on s` at its end: the component stands before it already.
fn without_variable(view: &EvidenceView) -> &str {
    let condition = view.condition.as_str();
    let Some((before, variable)) = condition.rsplit_once(" on ") else { return condition };
    let is_name = !variable.is_empty() && variable.chars().all(|c| c.is_alphanumeric() || c == '_');
    if matches!(view.found, Found::Counted { .. }) && is_name { before } else { condition }
}
