//! The printed assessment: plain text, or Markdown with the same layout.

use change::{
    AffectedView, Assessment, BatchView, BreachView, DifferenceView, GroupLeft, OrderView, Risk, Safety, TargetView, TierView, title,
};
use estate::State;
use value::{MINUTE, Time};

use super::Lang;
use super::page::Page;

/// Lines shown of a long list; the rest is counted. JSON has all of it.
const MAX_LINES: usize = 12;
/// Names shown of a long list in a line.
const MAX_NAMES: usize = 6;

/// A section with a list; nothing if the list is empty.
fn list(page: &mut Page, heading: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    page.heading(&format!("{heading} ({})", lines.len()));
    lines.iter().take(MAX_LINES).for_each(|line| page.item(line));
    page.more(lines.len(), MAX_LINES);
}

fn names<S: AsRef<str>>(page: &Page, names: &[S]) -> String {
    page.names(names, MAX_NAMES)
}

fn level(page: &Page, risk: Risk) -> &'static str {
    match risk {
        Risk::Low => page.say("low", "低"),
        Risk::Medium => page.say("medium", "中"),
        Risk::High => page.say("high", "高"),
        Risk::Critical => page.say("critical", "严重"),
    }
}

/// The whole assessment.
pub fn assessment(view: &Assessment, lang: Lang, markdown: bool) -> String {
    let mut page = Page::new(lang, markdown);
    head(&mut page, view);
    if let Some(order) = &view.order {
        self::order(&mut page, order);
    }
    if let Some(difference) = &view.difference {
        self::difference(&mut page, difference);
    }
    affected(&mut page, view);
    redundancy(&mut page, view);
    tiers(&mut page, &view.tiers);
    owners(&mut page, view);
    known(&mut page, view);
    page.text
}

fn head(page: &mut Page, view: &Assessment) {
    let risk = format!("{} {}", page.say("RISK", "风险"), level(page, view.risk));
    let line = page.safe(&format!("{} · {risk}", view.title)).into_owned();
    page.text.push_str(&if page.markdown { format!("## {line}\n") } else { format!("{line}\n") });
    if let Some(window) = &view.window {
        let length = Time::describe(window.minutes.saturating_mul(MINUTE));
        let line = format!("{} {} – {} ({length})", page.say("window", "窗口"), window.from, window.to);
        page.text.push_str(&if page.markdown { format!("\n{line}\n") } else { format!("  {line}\n") });
    }
    let chinese = page.lang == Lang::Zh;
    let reasons: Vec<String> = view
        .reasons
        .iter()
        .map(|reason| {
            let (level, names) = (level(page, reason.level), names(page, &reason.subjects));
            format!("[{level}] {} {}: {names}", reason.rule, title(&reason.rule, chinese))
        })
        .collect();
    let heading = page.say("Reasons", "理由");
    list(page, heading, &reasons);
    if reasons.is_empty() {
        let none = page.say("no risk rule applies", "未命中任何风险规则");
        page.heading(heading);
        page.item(none);
    }
}

fn order(page: &mut Page, order: &OrderView) {
    let verdict = match order.safety {
        Safety::Safe => page.say("Order: safe as planned", "顺序：可按计划安全执行"),
        Safety::SafeOtherwise if order.removals_last => page.say(
            "Order: NOT safe as planned; safe with the removals last, in these batches",
            "顺序：按计划执行不安全；按以下批次执行、下线放在最后则安全",
        ),
        Safety::SafeOtherwise => {
            page.say("Order: NOT safe as planned; safe in these batches", "顺序：按计划执行不安全；按以下批次执行则安全")
        }
        Safety::Unsafe => page
            .say("Order: NOT safe in any order; each of these is unsafe on its own", "顺序：任何顺序都不安全；以下每一项单独执行都不安全"),
    };
    let batches = match order.safety {
        Safety::Safe => {
            page.heading(verdict);
            return;
        }
        Safety::SafeOtherwise => &order.proposal,
        Safety::Unsafe => &order.obstacles,
    };
    let lines: Vec<String> = batches.iter().map(|batch| batch_line(page, batch)).collect();
    list(page, verdict, &lines);
    let unsafe_lines: Vec<String> =
        order.given.iter().filter(|batch| !batch.breaches.is_empty()).map(|batch| batch_line(page, batch)).collect();
    let heading = page.say("Unsafe as planned", "按计划执行时不安全的步骤");
    match order.safety {
        Safety::SafeOtherwise => list(page, heading, &unsafe_lines),
        // The obstacles already list these.
        Safety::Safe | Safety::Unsafe => {}
    }
}

fn batch_line(page: &Page, batch: &BatchView) -> String {
    let mut line = format!("{} {} {} {}", page.say("step", "步骤"), batch.step, batch.action.name(), names(page, &batch.on));
    let mut core: Vec<&str> = Vec::new();
    for breach in &batch.breaches {
        match breach {
            BreachView::Group { group, living, need, lost } => {
                let (keeps, needs) = (page.say("keeps", "剩余"), page.say("needs", "需要"));
                line.push_str(&format!(" — {group} {keeps} {living}, {needs} {need} ({})", names(page, lost)));
            }
            BreachView::Core { component, .. } => core.push(component),
        }
    }
    if !core.is_empty() {
        line.push_str(&format!(" — {}: {}", page.say("core components go down", "核心组件不可用"), names(page, &core)));
    }
    line
}

fn affected(page: &mut Page, view: &Assessment) {
    for (state, heading) in [
        (State::Down, page.say("Goes down", "将不可用")),
        (State::Degraded, page.say("Becomes degraded", "将降级")),
        (State::AtRisk, page.say("At risk", "有风险")),
    ] {
        let lines: Vec<String> = view.affected.iter().filter(|one| one.state == state).map(|one| affected_line(page, one)).collect();
        list(page, heading, &lines);
    }
}

fn affected_line(page: &Page, one: &AffectedView) -> String {
    let mut line = format!("[{}] {}", page.lang.tier(one.tier), one.component);
    if one.name != one.component {
        line.push_str(&format!(" {}", one.name));
    }
    if let Some(owner) = &one.owner {
        line.push_str(&format!(" · {owner}"));
    }
    if one.step > 0 {
        line.push_str(&format!(" · {} {}", page.say("step", "步骤"), one.step));
    }
    if one.path.len() > 1 {
        line.push_str(&format!(" · {}", one.path.join(" → ")));
    }
    if one.covered {
        line.push_str(&format!(" · {}", page.say("its group is intact", "所在冗余组仍可承载")));
    }
    line
}

fn redundancy(page: &mut Page, view: &Assessment) {
    let groups: Vec<String> = view
        .redundancy
        .iter()
        .map(|group| {
            let left = match group.left {
                GroupLeft::NoSpare => page.say("no spare left", "无冗余余量"),
                GroupLeft::Short => page.say("too few members", "成员不足"),
                GroupLeft::Nothing => page.say("last member lost", "失去最后一个成员"),
            };
            format!(
                "{}: {}/{} ({} {}) · {left} · {}",
                group.group,
                group.living,
                group.members,
                page.say("needs", "需要"),
                group.need,
                names(page, &group.lost)
            )
        })
        .collect();
    let heading = page.say("Redundancy groups at the worst moment", "冗余组（最差时刻）");
    list(page, heading, &groups);
    let replicas: Vec<String> = view.replicas.iter().map(|one| format!("{} ← {}", one.component, names(page, &one.lost))).collect();
    let heading = page.say("Loses the last replica", "失去最后一个副本");
    list(page, heading, &replicas);
    let points: Vec<String> = view
        .single_points
        .iter()
        .map(|point| {
            let alone = page.say("alone takes down", "单独故障将导致不可用：");
            format!("[{}] {} {alone} {}", page.lang.tier(point.tier), point.component, names(page, &point.new))
        })
        .collect();
    let heading = page.say("New single points of failure", "新的单点故障");
    list(page, heading, &points);
    let heading = page.say("No longer single points of failure", "不再是单点故障");
    list(page, heading, &view.single_points_gone);
}

fn tiers(page: &mut Page, tiers: &[TierView]) {
    let lines: Vec<String> = tiers.iter().map(|view| tier_line(page, view)).collect();
    let heading = page.say("By business tier", "按业务等级");
    list(page, heading, &lines);
}

fn tier_line(page: &Page, view: &TierView) -> String {
    let lang = page.lang;
    let counts = [
        (view.operated, page.say("in the plan", "变更对象")),
        (view.down, lang.down()),
        (view.degraded, lang.degraded()),
        (view.at_risk, lang.at_risk()),
    ];
    let counts: Vec<String> = counts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let mut line = format!("{}: {}", lang.tier(view.tier), counts.join(", "));
    if let Some(TargetView { rpo, rto, response }) = view.targets {
        let span = |from: i64, to: i64| format!("{}–{}", minutes(from), minutes(to));
        line.push_str(&format!(" · RTO {} · RPO {}", span(rto.from, rto.to), span(rpo.from, rpo.to)));
        let answer = page.say("respond within", "响应时限");
        line.push_str(&format!(" · {answer} {}-{}-{} min", response.detect, response.acknowledge, response.resolve));
    }
    if view.window_exceeds_rto {
        line.push_str(&format!(" · {}", page.say("the window is longer than the RTO", "变更窗口超过 RTO")));
    }
    line
}

fn minutes(minutes: i64) -> String {
    if minutes == 0 { "0".to_owned() } else { Time::describe(minutes.saturating_mul(MINUTE)) }
}

fn owners(page: &mut Page, view: &Assessment) {
    let mut lines = Vec::new();
    for owner in &view.owners {
        let lists = [
            (&owner.operated, page.say("in the plan", "变更对象")),
            (&owner.down, page.lang.down()),
            (&owner.degraded, page.lang.degraded()),
            (&owner.at_risk, page.lang.at_risk()),
        ];
        let parts: Vec<String> =
            lists.into_iter().filter(|(list, _)| !list.is_empty()).map(|(list, what)| format!("{what}: {}", names(page, list))).collect();
        let who = owner.owner.clone().unwrap_or_else(|| page.say("(no owner)", "（无负责人）").to_owned());
        lines.push(format!("{who} · {}", parts.join(" · ")));
    }
    let heading = page.say("Notify", "需通知");
    list(page, heading, &lines);
}

fn known(page: &mut Page, view: &Assessment) {
    let rules: Vec<String> = view
        .rules
        .iter()
        .filter(|rule| rule.complete)
        .map(|rule| {
            let reads = page.say("reads", "读取");
            format!("{} \"{}\" — {reads} {} ({})", rule.rule, rule.title, names(page, &rule.reads), names(page, &rule.components))
        })
        .collect();
    let heading = page.say("Rules that may fire", "可能命中的规则");
    list(page, heading, &rules);
    let others = view.rules.len() - rules.len();
    if others > 0 {
        let words = page.say("more rules read affected components, but also need another fault", "条规则也读取受影响组件，但还需其他异常");
        page.item(&format!("{others} {words}"));
    }
    let cases: Vec<String> = view
        .cases
        .iter()
        .map(|case| {
            let date = case.date.map_or_else(String::new, |date| format!(" {}", date.to_string().split('T').next().unwrap_or("")));
            let root = if case.root {
                format!(" · {}", page.say("root cause is in the plan", "变更对象曾是根因"))
            } else {
                String::new()
            };
            format!("{}{date} \"{}\" ({}){root}", case.id, case.title, names(page, &case.components))
        })
        .collect();
    let heading = page.say("Past incidents of these components", "相关历史故障");
    list(page, heading, &cases);
}

fn difference(page: &mut Page, view: &DifferenceView) {
    if view.is_empty() {
        let same = page.say("No differences", "无差异");
        page.heading(same);
        return;
    }
    let mut lines = Vec::new();
    lines.extend(view.added.iter().map(|id| format!("{} {id}", page.say("added", "新增"))));
    lines.extend(view.removed.iter().map(|id| format!("{} {id}", page.say("removed", "移除"))));
    for changed in &view.changed {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "∅".to_owned());
        let fields: Vec<String> =
            changed.fields.iter().map(|field| format!("{} {} → {}", field.field, shown(&field.before), shown(&field.after))).collect();
        lines.push(format!("{} {}: {}", page.say("changed", "变更"), changed.component, fields.join(", ")));
    }
    let heading = page.say("Components", "组件");
    list(page, heading, &lines);
    let added = view.relations_added.iter().map(|one| format!("{} {} {} {}", page.say("added", "新增"), one.from, one.kind, one.to));
    let removed = view.relations_removed.iter().map(|one| format!("{} {} {} {}", page.say("removed", "移除"), one.from, one.kind, one.to));
    let heading = page.say("Relations", "关系");
    list(page, heading, &added.chain(removed).collect::<Vec<_>>());
    let groups: Vec<String> = view
        .groups
        .iter()
        .map(|group| {
            let side = |need: Option<usize>, members: usize| need.map_or_else(|| "∅".to_owned(), |need| format!("{need}/{members}"));
            let before = side(group.need_before, group.members_before.len());
            format!("{}: {before} → {}", group.group, side(group.need_after, group.members_after.len()))
        })
        .collect();
    let heading = page.say("Groups (needed/members)", "冗余组（需要/成员）");
    list(page, heading, &groups);
}
