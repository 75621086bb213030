//! Words of `faultscope knowledge`: paths through the knowledge graph, earlier incidents, rules and solutions.

use knowledge::{Answer, Asked, Earlier, Helped, RuleSaid, Seen, SignalKind, Step};
use value::Time;

use super::lang::words;
use super::{Lang, Writer};

words! {
    seen_here: "Earlier faults here", "同一位置的历史故障";
    earlier_here: "Earlier incidents", "历史故障";
    next_door: "Next door", "相邻组件的历史故障";
    rules_on_it: "Rules", "相关规则";
    what_helped: "Solutions", "处置办法";
    nothing_known: "Nothing is known yet: no case, no confirmed cause, no rule.", "暂无记录：没有案例、已确认的根因和规则。";
    gone_since: "not in the topology", "拓扑中已不存在";
    no_date: "no date", "日期不详";
    draft_rule: "draft", "草稿";
    of_its_type: "of its type", "针对其类型";
}

/// Names of what a symptom was seen as, in a title.
const MAX_SEEN: usize = 3;

impl Lang {
    fn signal_said(self, kind: SignalKind) -> &'static str {
        match (self, kind) {
            (Lang::En, SignalKind::Alert) => "alert",
            (Lang::En, SignalKind::Log) => "log",
            (Lang::En, SignalKind::Metric) => "metric",
            (Lang::Zh, SignalKind::Alert) => "告警",
            (Lang::Zh, SignalKind::Log) => "日志",
            (Lang::Zh, SignalKind::Metric) => "指标",
        }
    }

    /// How often people said that it was right.
    pub fn confirmed_times(self, times: usize) -> String {
        match (self, times) {
            (Lang::En, 1) => "confirmed once".to_owned(),
            (Lang::En, _) => format!("confirmed {times} times"),
            (Lang::Zh, _) => format!("已确认 {times} 次"),
        }
    }

    /// Incidents without a date, where a date was asked for.
    pub fn left_out_undated(self, number: usize) -> String {
        match (self, number) {
            (Lang::En, 1) => "1 incident without a date is left out".to_owned(),
            (Lang::En, _) => format!("{number} incidents without a date are left out"),
            (Lang::Zh, _) => format!("{number} 个没有日期的故障未列出"),
        }
    }

    fn hops_around(self, hops: u32) -> String {
        match (self, hops) {
            (Lang::En, 1) => "1 hop around".to_owned(),
            (Lang::En, _) => format!("{hops} hops around"),
            (Lang::Zh, _) => format!("周围 {hops} 跳"),
        }
    }
}

impl Writer<'_> {
    /// Fills in the words of an answer.
    pub fn tell_answer(&self, answer: &mut Answer) {
        for earlier in answer.here.iter_mut().chain(&mut answer.near) {
            earlier.text = self.way(earlier);
        }
    }

    /// The path to an incident; where nothing in it tells what broke, that is said behind it.
    pub(super) fn way(&self, earlier: &Earlier) -> String {
        let path = self.path(&earlier.path);
        match (earlier.path.last(), &earlier.fault) {
            (Some(Step::Case { .. } | Step::Confirmed { .. }), Some(fault)) => {
                format!("{path} · {}{}{fault}", self.say("fault", "故障"), self.lang().colon())
            }
            (_, _) => path,
        }
    }

    /// `alert "RedisSlow" → redis-1 → runs on node-3 → 2026-08-11 case HIS-7 → solution: clean /var/log`.
    pub fn path(&self, path: &[Step]) -> String {
        path.iter().enumerate().map(|(at, step)| self.step(step, at == 0)).collect::<Vec<_>>().join(" → ")
    }

    fn step(&self, step: &Step, first: bool) -> String {
        let lang = self.lang();
        match (step, lang) {
            (Step::Fault { text }, _) if first => self.fault_said(text),
            (Step::Symptom { kind, name }, _) => format!("{} {}", lang.signal_said(*kind), lang.quoted(name)),
            (Step::Component { id }, _) => id.clone(),
            (Step::Relation { relation, ahead, id }, Lang::En) => {
                let relation = relation.replace('_', " ");
                if *ahead { format!("{relation} {id}") } else { format!("{id} ({relation} it)") }
            }
            (Step::Relation { relation, ahead, id }, Lang::Zh) => {
                let relation = lang.relation(self.estate.model(), relation);
                if *ahead { format!("{relation} {id}") } else { format!("{id}（{relation}它）") }
            }
            (Step::Rule { id }, Lang::En) => format!("rule {id}"),
            (Step::Rule { id }, Lang::Zh) => format!("规则 {id}"),
            (Step::Fault { text }, Lang::En) => format!("the same fault {}", lang.quoted(text)),
            (Step::Fault { text }, Lang::Zh) => format!("相同故障{}", lang.quoted(text)),
            (Step::Case { id, date }, _) => self.dated(*date, self.say("case", "案例"), id),
            (Step::Confirmed { bundle, date }, _) => self.dated(Some(*date), self.say("confirmed", "已确认"), bundle),
            (Step::Solution { text }, _) => format!("{}{}{text}", self.say("solution", "处置"), lang.colon()),
        }
    }

    fn dated(&self, date: Option<Time>, what: &str, id: &str) -> String {
        date.map_or_else(|| format!("{what} {id}"), |date| format!("{} {what} {id}", self.locale.zone.day(date)))
    }

    /// What is asked about, and how far: `redis-1 Redis 主节点 (redis) · 2 hops around · since 2026-02-01`. `title` is that of a case or a
    /// rule.
    pub fn asked(&self, answer: &Answer, title: Option<&str>) -> String {
        let lang = self.lang();
        let named = |what: &str, id: &str| {
            let title = title.map_or_else(String::new, |title| format!(" {}", lang.quoted(title)));
            format!("{what} {id}{title}")
        };
        let who = match &answer.asked {
            Asked::Component { id } => self.component(id),
            Asked::Symptom { name, seen } => self.symptom(name, seen),
            Asked::Fault { text, faults, cases } => {
                let faults = faults.iter().map(|fault| self.fault_said(fault));
                self.several(text, faults.chain(cases.iter().map(|id| format!("{} {id}", self.say("case", "案例")))).collect())
            }
            Asked::Case { id } => named(self.say("case", "案例"), id),
            Asked::Rule { id } => named(self.say("rule", "规则"), id),
        };
        let since = answer.since.map(|since| match lang {
            Lang::En => format!("since {}", self.locale.zone.date(since)),
            Lang::Zh => format!("自 {} 起", self.locale.zone.date(since)),
        });
        [Some(who), Some(lang.hops_around(answer.hops)), since].into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }

    fn component(&self, id: &str) -> String {
        let lang = self.lang();
        let Some(found) = self.estate.find(id) else { return format!("{id}{}", lang.bracketed(lang.gone_since())) };
        let component = self.estate.component(found);
        let name = if component.name == component.id { String::new() } else { format!(" {}", component.name) };
        format!("{id}{name}{}", lang.bracketed(&self.kind(&component.kind)))
    }

    fn symptom(&self, name: &str, seen: &[Seen]) -> String {
        let lang = self.lang();
        self.several(name, seen.iter().map(|seen| format!("{} {}", lang.signal_said(seen.kind), lang.quoted(&seen.name))).collect())
    }

    fn fault_said(&self, text: &str) -> String {
        format!("{} {}", self.say("fault", "故障"), self.lang().quoted(text))
    }

    /// All that goes by a name; the name itself only where it is several.
    fn several(&self, name: &str, mut found: Vec<String>) -> String {
        let lang = self.lang();
        let all = found.len();
        found.truncate(MAX_SEEN);
        match found.as_slice() {
            [only] => only.clone(),
            several => {
                let more = match (all.saturating_sub(MAX_SEEN), lang) {
                    (0, _) => String::new(),
                    (more, Lang::En) => format!(" and {more} more"),
                    (_, Lang::Zh) => format!(" 等 {all} 项"),
                };
                format!("{}{}{}{more}", lang.quoted(name), lang.colon(), lang.listed(several))
            }
        }
    }

    /// `2025-08-20 HIS-20250820 "Redis down" · redis-1: replication stopped · rule CAS-003 · confirmed 2 times`.
    pub fn earlier(&self, earlier: &Earlier) -> String {
        let lang = self.lang();
        let date = earlier.date.map_or_else(|| lang.no_date().to_owned(), |date| self.locale.zone.day(date));
        let what = match &earlier.case {
            Some(case) => format!("{date} {case} {}", lang.quoted(&earlier.title)),
            None => self.dated(earlier.date, self.say("confirmed", "已确认"), earlier.id()),
        };
        let broke = match (&earlier.component, &earlier.fault) {
            (Some(component), Some(fault)) => Some(format!("{component}{}{fault}", lang.colon())),
            (Some(only), None) | (None, Some(only)) => Some(only.clone()),
            (None, None) => None,
        };
        let rule = earlier.rule.as_ref().map(|rule| format!("{} {rule}", self.say("rule", "规则")));
        // Of a bundle, that it is confirmed stands in front.
        let times = Some(earlier.confirmed.len()).filter(|times| *times > 0 && earlier.case.is_some());
        let parts = [Some(what), broke, rule, times.map(|times| lang.confirmed_times(times))];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }

    /// `CAS-003 "Redis down" · draft · of its type: redis · confirmed 2 times`.
    pub fn rule_said(&self, rule: &RuleSaid) -> String {
        let lang = self.lang();
        let kinds: Vec<String> = rule.types.iter().map(|kind| self.kind(kind)).collect();
        let types = (!rule.named && !kinds.is_empty()).then(|| format!("{}{}{}", lang.of_its_type(), lang.colon(), lang.listed(&kinds)));
        let draft = rule.draft.then(|| lang.draft_rule().to_owned());
        let times = Some(rule.confirmed.len()).filter(|times| *times > 0).map(|times| lang.confirmed_times(times));
        let parts = [Some(format!("{} {}", rule.rule, lang.quoted(&rule.title))), draft, types, times];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }

    /// `clean /var/log — HIS-7, CAS-003 · confirmed 2 times`.
    pub fn helped(&self, helped: &Helped) -> String {
        let lang = self.lang();
        let from = lang.listed(if helped.from.is_empty() { &helped.confirmed } else { &helped.from });
        let times =
            if helped.confirmed.is_empty() { String::new() } else { format!(" · {}", lang.confirmed_times(helped.confirmed.len())) };
        format!("{} — {from}{times}", helped.solution)
    }
}

#[cfg(test)]
mod tests {
    use knowledge::{SignalKind, Step};
    use value::Time;

    use crate::{Lang, Locale, Writer};

    #[test]
    fn a_path_reads_in_both_languages() {
        let (estate, date) = (estate::Snapshot::empty(), Time::parse("2026-08-11T00:00:00Z"));
        let path = [
            Step::Symptom { kind: SignalKind::Alert, name: "RedisSlow".to_owned() },
            Step::Component { id: "redis-1".to_owned() },
            Step::Relation { relation: "runs_on".to_owned(), ahead: true, id: "node-3".to_owned() },
            Step::Relation { relation: "depends_on".to_owned(), ahead: false, id: "cart".to_owned() },
            Step::Case { id: "disk-full".to_owned(), date },
            Step::Solution { text: "clean /var/log".to_owned() },
        ];
        for (lang, expected) in [
            (
                Lang::En,
                "alert \"RedisSlow\" → redis-1 → runs on node-3 → cart (depends on it) → 2026-08-11 case disk-full → solution: clean /var/log",
            ),
            (Lang::Zh, "告警 “RedisSlow” → redis-1 → 运行于 node-3 → cart（依赖它） → 2026-08-11 案例 disk-full → 处置：clean /var/log"),
        ] {
            assert_eq!(Writer { locale: &Locale::new(lang), estate: &estate }.path(&path), expected);
        }
    }
}
