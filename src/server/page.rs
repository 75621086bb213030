//! An incident for people: a page of text to paste into a chat, and the draft of its post-mortem in Markdown.

use std::fmt::Write as _;

use diag::{markdown, mask, one_line};
use live::{Clock, Targets, Tracked, What};
use notices::{Advice, Story, happened};
use serde_json::Value;
use value::{MINUTE, Time};
use words::{Lang, Writer};

/// Lines of evidence in a draft; the report has all.
const MAX_EVIDENCE: usize = 12;

/// An incident, with what there is to say of it.
pub struct Page<'p> {
    pub one: &'p Tracked,
    pub advice: &'p Advice,
    /// What people say has helped.
    pub helped: &'p [String],
    pub writer: Writer<'p>,
}

/// What is written of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A line of a list.
    Line,
    Page,
    PostMortem,
}

impl Page<'_> {
    pub fn written(&self, part: Part) -> String {
        match part {
            Part::Line => self.line(),
            Part::Page => self.text(),
            Part::PostMortem => self.post_mortem(),
        }
    }

    fn lang(&self) -> Lang {
        self.writer.lang()
    }

    fn say(&self, english: &'static str, chinese: &'static str) -> &'static str {
        match self.lang() {
            Lang::En => english,
            Lang::Zh => chinese,
        }
    }

    fn story(&self) -> Story {
        // Nothing is news: the history has it all.
        Story::new(self.one, What::Opened, self.advice, self.writer.locale)
    }

    /// `#1 [open] critical: order-db: Out of connections`, what a message says below it, the clocks and the history.
    fn text(&self) -> String {
        let mut page = String::new();
        for (at, line) in self.story().lines(self.lang()).iter().enumerate() {
            let number = if at == 0 { format!("#{} ", self.one.id) } else { "  ".to_owned() };
            let _ = writeln!(page, "{number}{}", one_line(line));
        }
        let _ = writeln!(page, "\n  {}", self.say("Clocks", "响应时效"));
        self.clocks().iter().for_each(|clock| page.push_str(&format!("    {clock}\n")));
        let _ = writeln!(page, "\n  {}", self.say("History", "处理过程"));
        self.history().iter().for_each(|line| page.push_str(&format!("    {}\n", one_line(line))));
        page
    }

    /// One line, as a list of incidents has it.
    fn line(&self) -> String {
        let zone = &self.writer.locale.zone;
        let story = self.story();
        let title = story.lines(self.lang()).into_iter().next().unwrap_or_default();
        let tell = self.one.owner.as_ref().map_or_else(String::new, |owner| format!(" · {} {owner}", self.lang().tell()));
        let since = format!("{} {} {}", self.lang().since(), zone.moment(self.one.since), zone.name());
        format!("#{} {} · {}{}\n", self.one.id, one_line(&title), since, one_line(&tell))
    }

    /// The draft of a post-mortem: what is known, and what people have to add.
    fn post_mortem(&self) -> String {
        let (one, lang) = (self.one, self.lang());
        let story = self.story();
        let value = |name: &str| story.values.get(name).and_then(|list| list.first()).map_or("", String::as_str);
        let mut page = format!("# {}{}{}\n", self.say("Post-mortem", "故障复盘"), lang.colon(), markdown(value("incident.verdict")));
        let entry = |page: &mut String, name: &str, what: &str| {
            if !what.is_empty() {
                let _ = writeln!(page, "- {name}{}{}", lang.colon(), markdown(what));
            }
        };
        page.push('\n');
        entry(&mut page, self.say("Incident", "故障编号"), &format!("#{}", one.id));
        entry(&mut page, self.say("State", "状态"), value("incident.status"));
        entry(&mut page, self.say("Severity", "级别"), value("incident.severity"));
        entry(&mut page, self.say("Began", "开始时间"), value("incident.since"));
        entry(&mut page, self.say("Over", "恢复时间"), value("incident.ended"));
        entry(&mut page, self.say("Responsible", "责任团队"), value("incident.owner"));
        entry(&mut page, self.say("Handled by", "处理人"), value("incident.assignee"));
        entry(&mut page, self.say("Case", "案例"), one.case.as_deref().unwrap_or(""));

        self.heading(&mut page, "Root cause", "根因");
        match (&one.confirmed, &one.confirmed_fault) {
            (Some(component), fault) => {
                let fault = fault.as_ref().map_or_else(String::new, |fault| format!("{}{}", lang.colon(), mask(fault)));
                let line = format!("{component}{fault}");
                entry(&mut page, self.say("Confirmed", "已确认"), &line);
            }
            (None, _) => page.push_str(self.say("- not confirmed yet\n", "- 尚未确认\n")),
        }
        // What the case of the incident itself says is no diagnosis of it.
        let sureness = value("incident.sureness");
        if one.case_id().is_none_or(|case| !sureness.contains(case)) {
            entry(&mut page, self.say("Diagnosed", "诊断结论"), value("incident.verdict"));
            entry(&mut page, self.say("How sure", "可信度"), sureness);
        }

        self.heading(&mut page, "Evidence", "依据");
        let evidence = self.evidence();
        evidence.iter().take(MAX_EVIDENCE).for_each(|line| page.push_str(&format!("- {}\n", markdown(line))));
        if evidence.len() > MAX_EVIDENCE {
            let _ = writeln!(page, "- … {} {}", evidence.len() - MAX_EVIDENCE, lang.more());
        }

        self.heading(&mut page, "Impact", "影响范围");
        entry(&mut page, self.say("Components", "受影响组件数"), value("incident.affected"));
        entry(&mut page, self.say("Of these", "其中"), value("incident.impact"));

        self.heading(&mut page, "Clocks", "响应时效");
        self.clocks().iter().for_each(|clock| page.push_str(&format!("- {clock}\n")));

        self.heading(&mut page, "What happened", "时间线");
        self.history().iter().for_each(|line| page.push_str(&format!("- {}\n", markdown(line))));

        self.heading(&mut page, "What to do about it", "处置建议");
        let helped = |text: &str| format!("{}{}{}", self.say("Helped", "已验证有效"), lang.colon(), mask(text));
        self.helped.iter().for_each(|text| page.push_str(&format!("- {}\n", markdown(&helped(text)))));
        for list in [&self.advice.checks, &self.advice.fixes, &self.advice.before] {
            list.iter().for_each(|text| page.push_str(&format!("- {}\n", markdown(&mask(text)))));
        }

        self.heading(&mut page, "To be written", "待补充");
        page.push_str(self.say(
            "- What did users notice, how many, and for how long?\n- Why was it possible, and why was it not found earlier?\n\
            - What went well, what did not?\n- Actions: what, who, until when\n",
            "- 用户感知到什么，影响了多少用户，持续多久？\n- 为什么会发生，为什么没有更早发现？\n\
            - 哪些做得好，哪些需要改进？\n- 改进措施：内容、负责人、完成时间\n",
        ));
        page
    }

    fn heading(&self, page: &mut String, english: &'static str, chinese: &'static str) {
        let _ = writeln!(page, "\n## {}\n", self.say(english, chinese));
    }

    /// What speaks for the first suspect.
    fn evidence(&self) -> Vec<String> {
        let report = self.advice.report.as_ref().unwrap_or(&self.one.report);
        // Nothing is evidence of itself.
        let own = |text: &String| self.one.case_id().is_some_and(|case| text.contains(case));
        let texts = |key: &str| {
            let list = report.pointer("/suspects/0").and_then(|suspect| suspect.get(key)).and_then(Value::as_array);
            list.into_iter().flatten().filter_map(|one| one.get("text").and_then(Value::as_str)).map(mask).collect::<Vec<String>>()
        };
        texts("evidence").into_iter().chain(texts("reasons")).filter(|text| !own(text)).collect()
    }

    /// How long each step took, and how long it may take.
    fn clocks(&self) -> Vec<String> {
        let one = self.one;
        let minutes = |of: fn(&Targets) -> i64| one.targets.as_ref().map(of);
        let found = minutes(|targets| targets.detect);
        let acknowledged = minutes(|targets| targets.acknowledge);
        let over = minutes(|targets| targets.resolve);
        vec![
            self.clock(self.say("found", "发现"), (one.first_since(), Some(one.opened)), found, Some(Clock::Detection)),
            self.clock(self.say("acknowledged", "响应"), (one.opened, one.acknowledged), acknowledged, Some(Clock::Acknowledgement)),
            self.clock(self.say("located", "定界"), (one.opened, one.located), None, None),
            self.clock(self.say("over", "恢复"), (one.opened, one.resolved), over, Some(Clock::Recovery)),
        ]
    }

    fn clock(&self, name: &str, (from, to): (Time, Option<Time>), target: Option<i64>, clock: Option<Clock>) -> String {
        let lang = self.lang();
        let missed = clock.is_some_and(|clock| self.one.missed.contains(&clock));
        let missed = if missed { self.say(", missed", "，已超时") } else { "" };
        let target = target.map(|minutes| self.writer.span(minutes * MINUTE));
        let target = target.map_or_else(String::new, |target| match lang {
            Lang::En => format!(" (target {target}{missed})"),
            Lang::Zh => format!("（目标 {target}{missed}）"),
        });
        let taken = to.map(|to| self.writer.span(to.since(from).max(0)));
        match (lang, taken) {
            (Lang::En, Some(taken)) => format!("{name} after {taken}{target}"),
            (Lang::En, None) => format!("not {name} yet{target}"),
            (Lang::Zh, Some(taken)) => format!("{name}用时 {taken}{target}"),
            (Lang::Zh, None) => format!("尚未{name}{target}"),
        }
    }

    fn history(&self) -> Vec<String> {
        let (one, zone) = (self.one, &self.writer.locale.zone);
        let began = format!("{} {}", zone.moment(one.first_since()), self.say("The fault begins", "故障开始"));
        let steps = one.history.iter().map(|step| format!("{} {}", zone.moment(step.at), happened(self.lang(), step)));
        std::iter::once(began).chain(steps).collect()
    }
}
