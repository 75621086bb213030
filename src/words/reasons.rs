//! Reasons of the layers without rules in words.

use std::collections::BTreeMap;

use anomaly::{LogKind, Reason, Reference};
use knowledge::Match;
use localize::CaseReason;
use value::format_number;

use super::writer::grouped;
use super::{Lang, Writer};

impl Writer<'_> {
    pub fn reason(&self, reason: &localize::Reason) -> String {
        match reason {
            localize::Reason::Anomaly(reason) => self.anomaly(reason),
            localize::Reason::Match(found) => self.matched(found),
            localize::Reason::Case(reason) => self.case_reason(reason),
        }
    }

    /// A clause, without a full stop.
    pub fn anomaly(&self, reason: &Reason) -> String {
        match self.lang() {
            Lang::En => self.in_english(reason),
            Lang::Zh => self.in_chinese(reason),
        }
    }

    fn in_english(&self, reason: &Reason) -> String {
        match reason {
            Reason::Metric { component, metric, labels, value, usual, high, per_second, against, peers, samples, onset, .. } => {
                let of = component.as_ref().map_or_else(String::new, |component| format!(" of {component}"));
                let per = if *per_second { " per second" } else { "" };
                let (value, usual) = (grouped(value), grouped(usual));
                let moved = match (against, high) {
                    (Reference::Peers, true) => format!("is {value}{per}, above the {usual}{per} of {peers} peers"),
                    (Reference::Peers, false) => format!("is {value}{per}, below the {usual}{per} of {peers} peers"),
                    (Reference::SameHours, true) => format!("rose to {value}{per}, usually {usual}{per} at this hour"),
                    (Reference::SameHours, false) => format!("fell to {value}{per}, usually {usual}{per} at this hour"),
                    (Reference::Baseline | Reference::Before, true) => format!("rose to {value}{per}, usually {usual}{per}"),
                    (Reference::Baseline | Reference::Before, false) => format!("fell to {value}{per}, usually {usual}{per}"),
                };
                let when = if *samples == 1 { "one sample, at" } else { "since" };
                let labels = if labels.is_empty() { String::new() } else { format!(" ({})", written(labels)) };
                format!("{metric}{of}{labels} {moved} ({when} {})", self.clock(*onset))
            }
            Reason::Log { kind, error, template, word, lines, before, ratio, onset } => {
                let error = if *error { "error " } else { "" };
                let lines = format!("{lines} {}", if *lines == 1 { "line" } else { "lines" });
                let since = self.clock(*onset);
                match kind {
                    LogKind::New => format!("new {error}log line since {since}, {lines}, none before: \"{template}\""),
                    LogKind::Surging => {
                        format!("{error}log line surges since {since}, {lines}, {before} before{}: \"{template}\"", self.times(*ratio))
                    }
                    LogKind::Word => {
                        let word = word.as_deref().unwrap_or_default();
                        format!("new word \"{word}\" in {error}log lines since {since}, {lines}, none before: \"{template}\"")
                    }
                }
            }
            Reason::Score { source, metric, p, at } => {
                let of = metric.as_ref().map_or_else(String::new, |metric| format!(" for {metric}"));
                format!("external score from {source}{of}: p {} at {}", format_number(*p), self.clock(*at))
            }
            Reason::Silent { component, since } => {
                format!("no samples of {component} after {}, while other components are measured as before", self.clock(*since))
            }
            Reason::Beyond { component, metric, value, threshold, high } => {
                let what = metric.as_ref().map_or_else(|| component.clone(), |metric| format!("{metric} of {component}"));
                let side = if *high { "above" } else { "below" };
                format!("an alert measured {} for {what}, {side} its threshold of {}", grouped(value), grouped(threshold))
            }
            Reason::Alerting { components } => {
                let (verb, whose) = if components.len() == 1 { ("has", "its") } else { ("have", "their") };
                format!("{} {verb} symptoms of {whose} own", self.list(components))
            }
            Reason::Changed { before, change, shared, at } => {
                let shared =
                    if shared.is_empty() { String::new() } else { format!(", which shares {} with what is new", self.list(shared)) };
                let when = if *before == 0 { "at its onset".to_owned() } else { format!("{} before its onset", self.span(*before)) };
                format!("changed {when}: {change} ({}){shared}", self.clock(*at))
            }
            Reason::Reaches { components, path } => {
                let path = if path.is_empty() { String::new() } else { format!(" ({})", path.join(" → ")) };
                format!("a fault here would spread to {}, which failed at about the same time or later{path}", self.list(components))
            }
            Reason::Named { by, component } => {
                format!("{by} names {component} in its error lines or metrics, though the topology has no relation between them")
            }
            Reason::Starves { components } => format!("starves what it no longer calls: {}", self.list(components)),
            Reason::Disturbs { components } => {
                let list = self.list(components);
                format!("its dependencies also show symptoms, weaker and no earlier, as if starved or flooded by it: {list}")
            }
            Reason::MayBeEarlier { at } => {
                let at = self.clock(*at);
                format!("its alert of {at} tells of a state, and such alerts come late: it may have begun with the others")
            }
            Reason::OnlyPlace { component } => format!("only its place in the topology points to {component}"),
            Reason::NoMetrics { component } => format!("{component} has no metrics"),
            Reason::OnlyAlert => "no anomaly besides its alert".to_owned(),
            Reason::SymptomOf { component } => format!(
                "its dependency {component} is at least as anomalous and began at about the same time or earlier: this may be a symptom of it"
            ),
            Reason::LessAnomalous { component } => format!("its dependency {component} is anomalous too, though less"),
            Reason::LeavesOpen { components } => format!("it does not explain the symptoms of {}", self.list(components)),
            Reason::Crowded { share, family } => {
                format!("{:.0}% of unrelated components show the same anomaly in {family}", share * 100.0)
            }
            Reason::SingleSamples => "each of its metrics deviates in a single sample only".to_owned(),
            Reason::CheckFirst { component, suspect } => {
                format!("{component} first: if it is healthy, {suspect} is not a symptom of it")
            }
            Reason::CheckAround { component, metrics, at } => {
                let of: String = metrics.iter().flat_map(|metric| [metric.as_str(), ", "]).collect();
                format!("{of}logs and changes of {component} around {}", self.clock(*at))
            }
            Reason::CheckDirectly { component } => format!("{component} directly, since it has no metrics"),
            Reason::CheckNext { component, later } => match later {
                0 => format!("the next suspect, {component}, which began at about the same time"),
                1.. => format!("the next suspect, {component}, which began {} later", self.span(*later)),
                _ => format!("the next suspect, {component}, which began {} earlier", self.span(-later)),
            },
        }
    }

    fn times(&self, ratio: Option<f64>) -> String {
        let Some(ratio) = ratio else { return String::new() };
        let times = if ratio < 10.0 { format!("{ratio:.1}") } else { format!("{ratio:.0}") };
        match self.lang() {
            Lang::En => format!(" ({times} times the usual rate)"),
            Lang::Zh => format!("（为平时的 {times} 倍）"),
        }
    }

    fn in_chinese(&self, reason: &Reason) -> String {
        match reason {
            Reason::Metric { component, metric, labels, value, usual, high, per_second, against, peers, samples, onset, .. } => {
                let name = self.metric(component.as_deref(), metric);
                let of = component.as_ref().map_or_else(|| name.clone(), |component| format!("{component} 的{name}"));
                let of = if labels.is_empty() { of } else { format!("{of}（{}）", written(labels)) };
                let per = if *per_second { "/秒" } else { "" };
                let (value, usual) = (grouped(value), grouped(usual));
                let moved = if *high { "升至" } else { "降至" };
                let text = match against {
                    Reference::Peers => {
                        let side = if *high { "高于" } else { "低于" };
                        format!("{of}为 {value}{per}，{side} {peers} 个同类组件的 {usual}{per}")
                    }
                    Reference::SameHours => format!("{of}{moved} {value}{per}，平时同一时段为 {usual}{per}"),
                    Reference::Baseline | Reference::Before => format!("{of}{moved} {value}{per}，平时为 {usual}{per}"),
                };
                let when = self.clock(*onset);
                if *samples == 1 { format!("{text}（仅 {when} 一个采样）") } else { format!("{text}（{when} 起）") }
            }
            Reason::Log { kind, error, template, word, lines, before, ratio, onset } => {
                let error = if *error { "错误" } else { "" };
                let since = self.clock(*onset);
                match kind {
                    LogKind::New => format!("{since} 起出现新的{error}日志 {lines} 行，此前没有：\"{template}\""),
                    LogKind::Surging => {
                        format!("{since} 起{error}日志激增，{lines} 行，此前 {before} 行{}：\"{template}\"", self.times(*ratio))
                    }
                    LogKind::Word => {
                        let word = word.as_deref().unwrap_or_default();
                        format!("{since} 起{error}日志中出现新词 \"{word}\"，{lines} 行，此前没有：\"{template}\"")
                    }
                }
            }
            Reason::Score { source, metric, p, at } => {
                let of = metric.as_ref().map_or_else(String::new, |metric| format!("对 {metric} "));
                format!("外部模型 {source} {of}的评分：p {}（{}）", format_number(*p), self.clock(*at))
            }
            Reason::Silent { component, since } => format!("{component} 在 {} 之后没有任何采样，其他组件仍正常上报", self.clock(*since)),
            Reason::Beyond { component, metric, value, threshold, high } => {
                let what = metric.as_ref().map_or_else(|| component.clone(), |metric| format!("{component} 的 {metric}"));
                let side = if *high { "高于" } else { "低于" };
                format!("告警测得 {what} 为 {}，{side}阈值 {}", grouped(value), grouped(threshold))
            }
            Reason::Alerting { components } => format!("自身有症状：{}", self.list(components)),
            Reason::Changed { before, change, shared, at } => {
                let shared =
                    if shared.is_empty() { String::new() } else { format!("，与新出现的现象共有词语：{}", self.list(shared)) };
                let when = if *before == 0 { "异常出现时".to_owned() } else { format!("异常出现前 {} ", self.span(*before)) };
                format!("{when}有变更：{change}（{}）{shared}", self.clock(*at))
            }
            Reason::Reaches { components, path } => {
                let path = if path.is_empty() { String::new() } else { format!("（{}）", path.join(" → ")) };
                format!("以下组件受它影响，且在同一时间或之后出现异常：{}{path}", self.list(components))
            }
            Reason::Named { by, component } => format!("{by} 的错误日志或指标名提到了 {component}，但拓扑中没有二者的关系"),
            Reason::Starves { components } => format!("以下组件因不再被调用而没有流量：{}", self.list(components)),
            Reason::Disturbs { components } => {
                format!("它依赖的组件也有较弱且不更早的异常，像是受其断流或过载影响：{}", self.list(components))
            }
            Reason::MayBeEarlier { at } => {
                format!("{} 的告警说的是组件自身的状态，这类告警往往来得晚：异常可能与其他组件同时开始", self.clock(*at))
            }
            Reason::OnlyPlace { component } => format!("只有拓扑位置指向 {component}"),
            Reason::NoMetrics { component } => format!("{component} 没有指标"),
            Reason::OnlyAlert => "除告警外没有其他异常".to_owned(),
            Reason::SymptomOf { component } => format!("它依赖的 {component} 异常程度不低于它，且同时或更早出现：它可能只是受其影响"),
            Reason::LessAnomalous { component } => format!("它依赖的 {component} 也有异常，但程度较轻"),
            Reason::LeavesOpen { components } => format!("它不能解释以下组件的症状：{}", self.list(components)),
            Reason::Crowded { share, family } => format!("{:.0}% 的无关组件在 {family} 上也有同样的异常", share * 100.0),
            Reason::SingleSamples => "它的每个指标都只有一个采样异常".to_owned(),
            Reason::CheckFirst { component, suspect } => format!("{component}：如果它正常，{suspect} 就不是受它影响"),
            Reason::CheckAround { component, metrics, at } => {
                let names: String = metrics.iter().flat_map(|metric| [self.metric(Some(component), metric), "、".to_owned()]).collect();
                format!("{component} 在 {} 前后的{names}日志和变更", self.clock(*at))
            }
            Reason::CheckDirectly { component } => format!("{component} 本身（它没有指标）"),
            Reason::CheckNext { component, later } => match later {
                0 => format!("下一个可疑组件 {component}，几乎同时出现异常"),
                1.. => format!("下一个可疑组件 {component}，晚 {} 出现异常", self.span(*later)),
                _ => format!("下一个可疑组件 {component}，早 {} 出现异常", self.span(-later)),
            },
        }
    }

    fn case_reason(&self, reason: &CaseReason) -> String {
        match (reason, self.lang()) {
            (CaseReason::Resembles { case, title, similarity }, Lang::En) => {
                format!("resembles case {case} \"{title}\" ({:.0}%)", similarity * 100.0)
            }
            (CaseReason::Resembles { case, title, similarity }, Lang::Zh) => {
                format!("与案例 {case}“{title}”相似（{:.0}%）", similarity * 100.0)
            }
            (CaseReason::Record { right, proposed, weight }, Lang::En) => {
                format!("this case {} it was proposed: weight {weight:.2}", track_record(*right, *proposed))
            }
            (CaseReason::Record { right, proposed, weight }, Lang::Zh) => {
                format!("该案例推荐过 {proposed} 次，{right} 次正确：权重 {weight:.2}")
            }
            (CaseReason::ShowsNothing, Lang::En) => "nothing shows that it is ill; suspects above it have symptoms".to_owned(),
            (CaseReason::ShowsNothing, Lang::Zh) => "它自身没有任何异常，而排在它前面的嫌疑组件有症状".to_owned(),
        }
    }

    /// What a case and an incident have in common.
    pub fn matched(&self, found: &Match) -> String {
        let partly = |shared: &[String]| {
            let parts: Vec<String> = shared.iter().map(|part| format!("`{part}`")).collect();
            if parts.is_empty() {
                String::new()
            } else {
                format!("{}{}", self.say(", partial match: ", "，部分匹配："), parts.join(", "))
            }
        };
        match found {
            Match::Alert { words, shared } => format!("{} `{words}`{}", self.say("alert", "告警"), partly(shared)),
            Match::Log { words, shared } => format!("{} `{words}`{}", self.say("log", "日志"), partly(shared)),
            Match::Metric { kind, metric, high: true } => {
                format!("{} `{kind}.{metric}` {}", self.say("metric", "指标"), self.say("high", "偏高"))
            }
            Match::Metric { kind, metric, high: false } => {
                format!("{} `{kind}.{metric}` {}", self.say("metric", "指标"), self.say("low", "偏低"))
            }
            Match::Component { component } => format!("{} `{component}`", self.say("component", "组件")),
            Match::Type { kind } => format!("{} `{}`", self.say("type", "类型"), self.kind(kind)),
        }
    }
}

/// `code="503", pod="web-1"`.
fn written(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect::<Vec<String>>().join(", ")
}

/// `was wrong 3 of 4 times`.
pub(super) fn track_record(right: u32, proposed: u32) -> String {
    let wrong = proposed.saturating_sub(right);
    let (what, number) = if wrong > right { ("wrong", wrong) } else { ("right", right) };
    format!("was {what} {number} of {proposed} {}", if proposed == 1 { "time" } else { "times" })
}
