//! Writes the words of a diagnosis: every sentence in it, from its reasons, in the language of the reader.

use std::fmt::Display;

use estate::Snapshot;
use localize::{ClusterView, CommonRelation, Diagnosis, Fault, JoinedBy, Says, SignalView, Suspect, UndoView, WhySetAside, WhySuppressed};
use signal::Muted;

use super::writer::grouped;
use super::{Lang, Locale, Writer};

/// Fills in every text of a diagnosis that is made of typed reasons. What people and monitored systems wrote stays as it is.
pub fn tell(diagnosis: &mut Diagnosis, locale: &Locale, estate: &Snapshot) {
    let writer = Writer { locale, estate };
    for suspect in diagnosis.incidents.iter_mut().flat_map(|incident| &mut incident.suspects) {
        writer.suspect(suspect);
    }
    for step in diagnosis.incidents.iter_mut().flat_map(|incident| &mut incident.impact).flat_map(|view| &mut view.softens) {
        step.text = writer.softening(&step.what);
    }
    for advice in &mut diagnosis.solutions {
        if let Some(undo) = &advice.undo {
            advice.text = writer.undo(undo);
        }
    }
    for found in diagnosis.cases.iter_mut().flat_map(|case| &mut case.matched) {
        found.text = writer.matched(&found.what);
    }
    for view in &mut diagnosis.before {
        view.earlier.text = writer.way(&view.earlier);
    }
    for miss in &mut diagnosis.near_misses {
        writer.tell_evidence(&mut miss.lacked);
        let on = if miss.components.is_empty() { String::new() } else { format!(" on {}", miss.components.join(", ")) };
        let lacked = &miss.lacked.text;
        miss.text = match (writer.lang(), miss.lacked.negated) {
            (Lang::En, false) => format!("{}{on}: one condition unmet: {lacked}", miss.rule),
            (Lang::En, true) => format!("{}{on}: a condition under `not` matched: {lacked}", miss.rule),
            (Lang::Zh, negated) => {
                let on = if miss.components.is_empty() { String::new() } else { format!("（{}）", miss.components.join("、")) };
                format!("{}{on}：{}：{lacked}", miss.rule, if negated { "`非` 之下的条件成立了" } else { "只差一个条件" })
            }
        };
    }
    for signal in diagnosis.unexplained.iter_mut().chain(&mut diagnosis.unplaced) {
        writer.signal(signal);
    }
    for view in &mut diagnosis.unplaced_because {
        let chinese = writer.lang() == Lang::Zh;
        view.reason.text = view.reason.what.words().shown(chinese);
        view.remedy = view.reason.what.remedy().map(|remedy| remedy.shown(chinese));
    }
    for group in &mut diagnosis.groups {
        group.name = writer.group_name(group);
        group.reason = writer.group_reason(group);
    }
    for view in &mut diagnosis.suppressed {
        writer.signal(&mut view.signal);
        view.reason.text = writer.suppressed(&view.reason.what);
    }
    for view in &mut diagnosis.set_aside {
        view.reason.text = writer.set_aside(&view.reason.what);
    }
}

impl Writer<'_> {
    fn suspect(&self, suspect: &mut Suspect) {
        suspect.fault = self.fault(suspect.component.as_deref(), &suspect.says);
        for view in &mut suspect.evidence {
            self.tell_evidence(view);
        }
        for signal in &mut suspect.explains {
            self.signal(signal);
        }
        for reason in suspect.reasons.iter_mut().chain(&mut suspect.against).chain(&mut suspect.look) {
            reason.text = self.reason(&reason.what);
        }
    }

    fn fault(&self, component: Option<&str>, fault: &Fault) -> String {
        match (fault, self.lang()) {
            (Fault::Named(text), _) => text.clone(),
            (Fault::Unusual { metric, high }, Lang::En) => format!("unusually {} {metric}", if *high { "high" } else { "low" }),
            (Fault::Unusual { metric, high }, Lang::Zh) => {
                format!("{}异常{}", self.metric(component, metric), if *high { "偏高" } else { "偏低" })
            }
            (Fault::Shows(reason), _) => self.anomaly(reason),
            (Fault::Dependents, _) => {
                self.say("no anomaly of its own; its dependents fail", "自身没有异常，但依赖它的组件出现故障").to_owned()
            }
            (Fault::Callees, _) => {
                self.say("no anomaly of its own; what it calls gets no requests", "自身没有异常，但它调用的组件收不到请求").to_owned()
            }
        }
    }

    fn undo(&self, undo: &UndoView) -> String {
        let UndoView { component, change, at, before } = undo;
        match self.lang() {
            Lang::En if *before == 0 => format!("Undo the change of {component} at {}, when it began: {change}", self.clock(*at)),
            Lang::Zh if *before == 0 => format!("回退 {component} 在 {} 的变更（与故障同时）：{change}", self.clock(*at)),
            Lang::En => format!("Undo the change of {component} at {}, {} before the onset: {change}", self.clock(*at), self.span(*before)),
            Lang::Zh => format!("回退 {component} 在 {} 的变更（故障出现前 {}）：{change}", self.clock(*at), self.span(*before)),
        }
    }

    fn signal(&self, signal: &mut SignalView) {
        let text = match (&signal.says, self.lang()) {
            (Says::Text, _) => return,
            (Says::Deviates { metric, value, usual, .. }, Lang::En) => {
                format!("{metric} {}, usually {}", grouped(value), grouped(usual))
            }
            (Says::Deviates { metric, value, usual, .. }, Lang::Zh) => {
                format!("{} {}，平时为 {}", self.metric(signal.component.as_deref(), metric), grouped(value), grouped(usual))
            }
            (Says::ProbeFailed, _) => self.say("probe failed", "探测失败").to_owned(),
            (Says::Scored { of, metric, source }, lang) => {
                let metric = metric.as_ref().map_or_else(String::new, |metric| format!(" {metric}"));
                match lang {
                    Lang::En => format!("{of}{metric} (score from {source})"),
                    Lang::Zh => format!("{of}{metric}（{source} 的评分）"),
                }
            }
        };
        signal.text = text;
    }

    fn suppressed(&self, why: &WhySuppressed) -> String {
        match (why, self.lang()) {
            (WhySuppressed::Symptom { title, of: Some(of) }, Lang::En) => format!("symptom of {of}: {title}"),
            (WhySuppressed::Symptom { title, of: Some(of) }, Lang::Zh) => format!("属于 {of} 的症状：{title}"),
            (WhySuppressed::Symptom { title, of: None }, _) => format!("{}{title}", self.say("symptom: ", "症状：")),
            (WhySuppressed::Muted { by }, _) => self.muted(by),
        }
    }

    fn muted(&self, by: &Muted) -> String {
        let Muted { silenced_by, inhibited_by, muted_by } = by;
        let by = [
            (self.say("silenced by", "被静默规则静默："), silenced_by),
            (self.say("inhibited by", "被告警抑制："), inhibited_by),
            (self.say("muted by", "被静音："), muted_by),
        ];
        let said: Vec<String> =
            by.into_iter().filter(|(_, ids)| !ids.is_empty()).map(|(how, ids)| format!("{how} {}", ids.join(", "))).collect();
        if said.is_empty() { self.say("suppressed by the sender", "告警发送方已抑制").to_owned() } else { said.join("; ") }
    }

    fn set_aside(&self, why: &WhySetAside) -> String {
        let (said, because) = match why {
            WhySetAside::Draft => return self.say("draft rule: matched, not counted", "草稿规则：命中但不计入").to_owned(),
            WhySetAside::LateChange => {
                return self.say("rests on a change that came after the trouble began", "所依据的变更发生在故障开始之后").to_owned();
            }
            WhySetAside::Overridden { by, because } => match self.lang() {
                Lang::En => (format!("overridden by {by}"), because),
                Lang::Zh => (format!("已被 {by} 取代"), because),
            },
        };
        because.as_ref().map_or_else(|| said.clone(), |because| format!("{said}{}{because}", self.say(": ", "：")))
    }

    /// A short description of a group: `NodeDiskPressure on 12 hosts of subnet-a`.
    fn group_name(&self, group: &ClusterView) -> String {
        let (count, place) = (group.signals, self.place(group));
        match (group.joined_by, &group.label, self.lang()) {
            (JoinedBy::Text, Some(label), Lang::En) => format!("{}{label} {place}", if group.metrics_only { "anomalous " } else { "" }),
            (JoinedBy::Text, Some(label), Lang::Zh) => format!("{place} {label}{}", if group.metrics_only { " 异常" } else { "" }),
            (JoinedBy::Text | JoinedBy::Place, _, Lang::En) => format!("{count} different signals {place}"),
            (JoinedBy::Text | JoinedBy::Place, _, Lang::Zh) => format!("{place} 的 {count} 个不同信号"),
            (JoinedBy::Nothing, _, Lang::En) => format!("{count} ungrouped {}", if count == 1 { "signal" } else { "signals" }),
            (JoinedBy::Nothing, _, Lang::Zh) => format!("{count} 个未归类的信号"),
        }
    }

    /// `on 12 hosts of subnet-a`.
    fn place(&self, group: &ClusterView) -> String {
        let en = self.lang() == Lang::En;
        let on = match (group.components.as_slice(), &group.kind) {
            ([], _) => return self.say("without a component", "未定位到组件").to_owned(),
            ([only], _) if en => format!("on {only}"),
            ([only], _) => only.clone(),
            (several, Some(kind)) if en => format!("on {} {}", several.len(), plural(kind)),
            (several, Some(kind)) => format!("{} 个{}", several.len(), self.kind(kind)),
            (several, None) if en => format!("on {} components", several.len()),
            (several, None) => format!("{} 个组件", several.len()),
        };
        let Some(common) = &group.common else { return on };
        let component = &common.component;
        match (common.relation, self.lang()) {
            (CommonRelation::Holder, Lang::En) => format!("{on} of {component}"),
            (CommonRelation::Dependency, Lang::En) => format!("{on} depending on {component}"),
            (CommonRelation::Dependent, Lang::En) => format!("{on} used by {component}"),
            (CommonRelation::Holder, Lang::Zh) => format!("{component} 下的 {on}"),
            (CommonRelation::Dependency, Lang::Zh) => format!("依赖 {component} 的 {on}"),
            (CommonRelation::Dependent, Lang::Zh) => format!("{component} 所依赖的 {on}"),
        }
    }

    /// What joins a group.
    fn group_reason(&self, group: &ClusterView) -> String {
        let en = self.lang() == Lang::En;
        let span = match group.last.since(group.first) {
            1.. if en => format!("within {}", self.span(group.last.since(group.first))),
            1.. => format!("相差 {} 以内", self.span(group.last.since(group.first))),
            _ => self.say("at the same time", "时间相同").to_owned(),
        };
        let place = match (group.components.len(), &group.kind) {
            (0, _) => self.say("without a component", "未定位到组件"),
            (1, _) => self.say("on one component", "在同一组件上"),
            (_, Some(_)) if group.joined_by == JoinedBy::Text => self.say("on components of one type", "在同类组件上"),
            (_, _) => self.say("on components at most 2 hops apart", "在相距不超过 2 跳的组件上"),
        };
        let nowhere = match group.unplaced {
            left @ 1.. if !group.components.is_empty() && en => format!("; {left} of them without a component"),
            left @ 1.. if !group.components.is_empty() => format!("；其中 {left} 个未定位到组件"),
            _ => String::new(),
        };
        match (group.joined_by, group.differing) {
            (JoinedBy::Text, true) if en => format!("similar texts {span}, {place}{nowhere}"),
            (JoinedBy::Text, false) if en => format!("the same text {span}, {place}{nowhere}"),
            (JoinedBy::Text, true) => format!("文本相近，{span}，{place}{nowhere}"),
            (JoinedBy::Text, false) => format!("文本相同，{span}，{place}{nowhere}"),
            (JoinedBy::Place, _) if en => format!("different texts {span}, {place}"),
            (JoinedBy::Place, _) => format!("文本不同，{span}，{place}"),
            (JoinedBy::Nothing, _) => self
                .say(
                    "no similar or nearby signal at about the same time, or a group too small to list",
                    "同一时间没有文本相近或位置相邻的信号，或所在的组太小",
                )
                .to_owned(),
        }
    }
}

/// A number with its English noun: `1 group`, `2 groups`, `2 entries`.
pub fn counted(number: impl Display + Copy, one: &str) -> String {
    let number = number.to_string();
    let noun = if number == "1" { one.to_owned() } else { plural(one) };
    format!("{number} {noun}")
}

/// The plural of the name of a type.
fn plural(kind: &str) -> String {
    let kind = kind.replace('_', " ");
    if !kind.is_ascii() || kind.ends_with('s') {
        return kind;
    }
    if ["x", "ch", "sh"].iter().any(|end| kind.ends_with(end)) {
        return format!("{kind}es");
    }
    match kind.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        Some(_) | None => format!("{kind}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::plural;

    #[test]
    fn plurals() {
        let cases = [
            ("host", "hosts"),
            ("redis", "redis"),
            ("proxy", "proxies"),
            ("gateway", "gateways"),
            ("domain_name", "domain names"),
            ("主机", "主机"),
        ];
        for (kind, expected) in cases {
            assert_eq!(plural(kind), expected);
        }
    }
}
