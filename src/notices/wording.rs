//! The fixed words of messages, in both languages.

use live::{Clock, Status, What};
use words::Lang;

/// The texts that are used unless the settings have others.
pub struct BuiltIn {
    pub title: &'static str,
    pub text: &'static str,
    /// What follows a message that its channel cannot change.
    pub short: &'static str,
}

const ENGLISH: BuiltIn = BuiltIn {
    title: "[{incident.status}] {incident.severity}: {incident.verdict}",
    text: "{incident.sureness}\n\
        Since {incident.since}\n\
        Over since {incident.ended}\n\
        Impact: {incident.impact}\n\
        Check: {incident.check}\n\
        Fix: {incident.fix}\n\
        Helped before: {incident.before}\n\
        Tell: {incident.owner}\n\
        Assigned to: {incident.assignee}\n\
        {incident.news}",
    short: "{incident.news}\nImpact: {incident.impact}",
};

const CHINESE: BuiltIn = BuiltIn {
    title: "【{incident.status}】{incident.severity}：{incident.verdict}",
    text: "{incident.sureness}\n\
        开始时间：{incident.since}\n\
        结束时间：{incident.ended}\n\
        影响范围：{incident.impact}\n\
        排查：{incident.check}\n\
        处置：{incident.fix}\n\
        上次有效的处置：{incident.before}\n\
        联系：{incident.owner}\n\
        处理人：{incident.assignee}\n\
        {incident.news}",
    short: "{incident.news}\n影响范围：{incident.impact}",
};

pub fn built_in(lang: Lang) -> &'static BuiltIn {
    match lang {
        Lang::En => &ENGLISH,
        Lang::Zh => &CHINESE,
    }
}

pub fn status(lang: Lang, status: Status, merged: bool) -> &'static str {
    match (lang, status) {
        (Lang::En, _) if merged => "merged",
        (Lang::Zh, _) if merged => "已合并",
        (Lang::En, Status::Open) => "open",
        (Lang::Zh, Status::Open) => "待响应",
        (Lang::En, Status::Acknowledged) => "acknowledged",
        (Lang::Zh, Status::Acknowledged) => "已响应",
        (Lang::En, Status::Resolved) => "resolved",
        (Lang::Zh, Status::Resolved) => "已恢复",
    }
}

/// A severity as JSON names it.
pub fn severity(lang: Lang, severity: &str) -> &str {
    match (lang, severity) {
        (Lang::Zh, "critical") => "严重",
        (Lang::Zh, "warning") => "警告",
        (Lang::Zh, "info") => "提示",
        (Lang::En | Lang::Zh, other) => other,
    }
}

/// The state of a component as JSON names it.
pub fn state(lang: Lang, state: &str) -> &str {
    match (lang, state) {
        (Lang::En, "at_risk") => Lang::En.at_risk(),
        (Lang::Zh, "at_risk") => Lang::Zh.at_risk(),
        (Lang::Zh, "degraded") => Lang::Zh.degraded(),
        (Lang::Zh, "down") => Lang::Zh.down(),
        (Lang::En | Lang::Zh, other) => other,
    }
}

pub fn layer(lang: Lang, layer: &str) -> &str {
    match layer {
        "expert" => lang.expert(),
        "knowledge" => lang.knowledge(),
        "anomaly" => lang.anomaly(),
        other => other,
    }
}

/// Of affected components: how many, and the first of them.
pub fn impact(lang: Lang, all: usize, first: &[String]) -> String {
    let names = lang.listed(first);
    let rest = all.saturating_sub(first.len());
    match lang {
        Lang::En if rest > 0 => format!("{names} and {rest} more"),
        Lang::Zh if rest > 0 => format!("{names} 等 {all} 个组件"),
        Lang::En | Lang::Zh => names,
    }
}

/// What happened last. `by` and `note` are empty where nobody did it, or nothing was said. Nothing to say of an opening.
pub fn news(lang: Lang, what: What, by: &str, note: &str) -> Option<String> {
    let who = |english: &str, chinese: &str| match (lang, by.is_empty()) {
        (Lang::En, true) => english.to_owned(),
        (Lang::En, false) => format!("{english} by {by}"),
        (Lang::Zh, true) => chinese.to_owned(),
        (Lang::Zh, false) => format!("{by} {chinese}"),
    };
    let said = |text: String| if note.is_empty() { text } else { format!("{text}{}{note}", lang.colon()) };
    match what {
        What::Opened => None,
        What::Changed => Some(who("The diagnosis has changed", "诊断结果有变化")),
        What::Acknowledged => Some(who("Acknowledged", "已响应")),
        What::Assigned => Some(said(who("Assigned", "指派"))),
        What::Noted => Some(said(who("Note", "备注"))),
        What::Resolved => Some(who("Resolved", "已恢复")),
        What::Reopened if by.is_empty() => Some(who("It is back", "故障再次出现")),
        What::Reopened => Some(who("Reopened", "重新打开了故障")),
        What::Confirmed => Some(said(who("Cause confirmed", "已确认根因"))),
        What::Merged => Some(said(who("Merged into another incident", "已合并到另一个故障"))),
        What::Split => Some(said(who("Not part of another incident after all", "已从另一个故障中拆出"))),
        What::Escalated => Some(overdue(lang, note)),
    }
}

/// The beginning of a history.
pub fn found(lang: Lang) -> &'static str {
    match lang {
        Lang::En => "Found",
        Lang::Zh => "发现故障",
    }
}

/// Which target was missed, of a note like `acknowledgement 5`.
fn overdue(lang: Lang, note: &str) -> String {
    let (clock, minutes) = note.split_once(' ').unwrap_or((note, "?"));
    let acknowledgement = clock == Clock::Acknowledgement.name();
    match (lang, acknowledgement) {
        (Lang::En, true) => format!("Escalated: nobody has acknowledged it within {minutes} min"),
        (Lang::En, false) => format!("Escalated: not over within {minutes} min"),
        (Lang::Zh, true) => format!("升级：{minutes} 分钟内无人响应"),
        (Lang::Zh, false) => format!("升级：{minutes} 分钟内未恢复"),
    }
}

/// The words of a link to the incident.
pub fn open(lang: Lang) -> &'static str {
    match lang {
        Lang::En => "Open the incident",
        Lang::Zh => "查看故障详情",
    }
}

/// What a test says in place of an incident.
pub fn test(lang: Lang) -> (&'static str, &'static str) {
    match lang {
        Lang::En => ("test", "a test message of faultscope; nothing is broken"),
        Lang::Zh => ("测试", "faultscope 的测试消息，没有故障"),
    }
}

#[cfg(test)]
mod tests {
    use words::Lang;

    use super::built_in;
    use crate::template::Template;

    #[test]
    fn built_in_texts_ask_for_known_names() {
        for lang in [Lang::En, Lang::Zh] {
            for text in [built_in(lang).title, built_in(lang).text, built_in(lang).short] {
                assert!(Template::parse(text).is_ok(), "{text}");
            }
        }
    }
}
