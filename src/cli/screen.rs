//! The first screen of a diagnosis: what somebody reads at 3 a.m. Verdict, reasons, what to do, what it reaches, and what was left out
//! as numbers. `--full` shows all of it (`text`).

use std::collections::{BTreeMap, BTreeSet};

use compile::plan::Severity;
use knowledge::RESEMBLES;
use localize::{ClusterView, Diagnosis, ImpactView, Incident, JoinedBy, SignalView, Suspect};
use value::Truth;
use words::{Lang, Writer};

use super::page::Page;
use super::text::{confidence, header, named, signal, signals, source, unexplained};

/// Further incidents have one line each.
const MAX_INCIDENTS: usize = 3;
/// Other suspects that may be it instead, in one line each.
const MAX_OTHERS: usize = 2;
/// A less likely one is in `--full` only.
const WORTH_A_LINE: f64 = 0.05;
const MAX_REASONS: usize = 3;
/// Checks, and suggested fixes.
const MAX_STEPS: usize = 3;
/// Affected components that are named.
const MAX_NAMED: usize = 5;
const MAX_OPEN: usize = 3;

pub fn diagnosis(diagnosis: &Diagnosis, writer: Writer<'_>, markdown: bool) -> String {
    report(diagnosis, writer, markdown, "--full")
}

/// `all` is how the reader gets all of it.
pub fn report(diagnosis: &Diagnosis, writer: Writer<'_>, markdown: bool, all: &str) -> String {
    let mut page = Page::new(writer.lang(), markdown);
    if diagnosis.incidents.is_empty() {
        page.title(&super::text::nothing(diagnosis, writer));
    }
    nowhere(&mut page, diagnosis, writer);
    if !diagnosis.warnings.is_empty() {
        let heading = page.lang.warnings();
        page.heading(heading);
        diagnosis.warnings.iter().take(MAX_OPEN).for_each(|warning| page.item(warning));
        page.more(diagnosis.warnings.len(), MAX_OPEN);
    }
    for (index, incident) in diagnosis.incidents.iter().enumerate() {
        if index < MAX_INCIDENTS {
            self::incident(&mut page, incident, diagnosis, writer);
        } else {
            let who = incident
                .suspects
                .first()
                .map_or_else(String::new, |first| format!(" · {}{}{}", named(first), writer.lang().colon(), first.fault));
            page.title(&format!("{}{who}", header(incident, writer)));
        }
    }
    if diagnosis.hidden > 0 {
        page.entry(&page.lang.hidden(diagnosis.hidden));
    }
    open(&mut page, diagnosis, writer);
    aside(&mut page, diagnosis, writer, all);
    page.text
}

fn incident(page: &mut Page, incident: &Incident, diagnosis: &Diagnosis, writer: Writer<'_>) {
    page.title(&header(incident, writer));
    let Some(first) = incident.suspects.first() else { return };
    page.entry(&if incident.alike.is_empty() {
        format!("{}{}{}", named(first), page.lang.colon(), first.fault)
    } else {
        page.lang.alike(&incident.alike)
    });
    page.entry(&confidence(first, incident, writer));
    let others: Vec<&Suspect> = incident
        .suspects
        .iter()
        .skip(1)
        .filter(|suspect| suspect.explained_by.is_none() && suspect.confidence >= WORTH_A_LINE)
        .filter(|suspect| suspect.component.as_ref().is_none_or(|component| !incident.alike.contains(component)))
        .take(MAX_OTHERS)
        .collect();
    for other in others {
        let or = page.say("or", "或者");
        let share = page.lang.bracketed(&super::text::percent(other.confidence));
        let over = if other.until.is_some() && first.until.is_none() { page.say(", over", "，已结束") } else { "" };
        page.entry(&format!("{or} {}{}{}{share}{over}", named(other), page.lang.colon(), other.fault));
    }
    // A rule that matched is told, also where something else brought it about.
    let matched = incident.suspects.iter().filter(|suspect| suspect.explained_by.is_some() && !suspect.rules.is_empty());
    let matched: Vec<String> = matched.map(|s| format!("{}{}", named(s), page.lang.bracketed(&page.lang.listed(&s.rules)))).collect();
    if !matched.is_empty() {
        page.entry(&format!("{}{}{}", page.lang.also_affected(), page.lang.colon(), page.names(&matched, MAX_OTHERS)));
    }
    reasons(page, first, writer);
    steps(page, incident.number, diagnosis);
    impact(page, &incident.impact);
    cases(page, incident.number, diagnosis, writer);
}

/// What speaks for the first suspect: conditions of its rule, or the reasons of the other layers, and what speaks against it.
fn reasons(page: &mut Page, suspect: &Suspect, writer: Writer<'_>) {
    let evidence = suspect.evidence.iter().filter(|view| view.truth == Truth::True).map(|view| view.text.as_str());
    let lines: Vec<&str> = evidence.chain(suspect.reasons.iter().map(|reason| reason.text.as_str())).collect();
    if lines.is_empty() {
        return;
    }
    page.heading(writer.lang().because());
    lines.iter().take(MAX_REASONS).for_each(|line| page.item(line));
    if let Some(against) = suspect.against.first() {
        let heading = page.lang.against();
        page.item(&format!("{heading}{}{}", page.lang.colon(), against.text));
    }
}

/// What to do, in order: first checks, then fixes. A fix that undoes a change comes first of all.
fn steps(page: &mut Page, incident: usize, diagnosis: &Diagnosis) {
    let mine = |advice: &&localize::AdviceView| advice.incident == incident;
    let told = diagnosis.incidents.iter().find(|one| one.number == incident);
    let first = told.and_then(|one| one.suspects.first());
    // What to do about the first suspect comes before what to do about others.
    let about_others =
        |advice: &&localize::AdviceView| first.is_some_and(|first| !first.rules.is_empty() && !first.rules.contains(&advice.from));
    let undo = diagnosis.solutions.iter().filter(mine).filter(|advice| advice.undo.is_some());
    let mut fixes: Vec<_> = diagnosis.solutions.iter().filter(mine).filter(|advice| advice.undo.is_none()).collect();
    let mut checks: Vec<_> = diagnosis.checks.iter().filter(mine).collect();
    fixes.sort_by_key(about_others);
    checks.sort_by_key(about_others);
    let shown: Vec<_> = undo.chain(checks.iter().copied().take(MAX_STEPS)).chain(fixes.iter().copied().take(MAX_STEPS)).collect();
    let look = first.into_iter().flat_map(|suspect| &suspect.look);
    let look: Vec<&str> = look.map(|reason| reason.text.as_str()).take(MAX_STEPS - 1).collect();
    let heading = page.lang.to_do();
    page.heading(heading);
    if shown.is_empty() && look.is_empty() {
        let nothing = page.lang.no_steps();
        page.item(nothing);
    }
    let checked_first = first.is_some_and(|first| first.rules.is_empty() && first.case.is_none());
    let (undoing, shown): (Vec<_>, Vec<_>) = shown.into_iter().partition(|advice| advice.undo.is_some());
    let mut number = 0;
    let advise = |page: &mut Page, list: &[&localize::AdviceView], number: &mut usize| {
        for advice in list {
            *number += 1;
            let query = advice.query.as_ref().map_or_else(String::new, |query| format!("  `{query}`"));
            let from = told.map_or_else(|| advice.from.clone(), |told| source(advice, told, page.lang));
            page.step(*number, &format!("{}  [{from}]{query}", advice.text), advice.runbook.as_deref());
        }
    };
    advise(page, &undoing, &mut number);
    if !checked_first {
        advise(page, &shown, &mut number);
    }
    for text in look {
        number += 1;
        let check = page.say("Check ", "检查：");
        page.numbered(number, &format!("{check}{text}"));
    }
    if checked_first {
        advise(page, &shown, &mut number);
    }
    let left = checks.len().saturating_sub(MAX_STEPS) + fixes.len().saturating_sub(MAX_STEPS);
    page.more(left, 0);
}

/// How many components are in which state, and the few that matter: those with symptoms or named by a rule, the core ones first.
fn impact(page: &mut Page, impact: &[ImpactView]) {
    if impact.is_empty() {
        return;
    }
    let lang = page.lang;
    let mut states: BTreeMap<estate::State, usize> = BTreeMap::new();
    impact.iter().for_each(|view| *states.entry(view.state).or_default() += 1);
    let counts: Vec<String> = states.iter().rev().map(|(state, count)| lang.number_of(*count, lang.state(*state))).collect();
    page.heading(&format!("{}{}{}", lang.impact(), lang.colon(), counts.join(lang.comma())));
    let mut affected: Vec<&ImpactView> =
        impact.iter().filter(|view| view.observed || view.declared || view.state != estate::State::AtRisk).collect();
    affected.sort_by_key(|view| (view.tier.is_none(), view.tier, std::cmp::Reverse(view.state), !view.observed, view.distance));
    let name = |view: &&ImpactView| {
        let owner = view.owner.as_ref().map_or_else(String::new, |owner| lang.bracketed(owner));
        format!("{}{owner}", view.component)
    };
    let mut tiers: BTreeMap<(bool, Option<estate::Tier>), Vec<&ImpactView>> = BTreeMap::new();
    affected.into_iter().take(MAX_NAMED).for_each(|view| tiers.entry((view.tier.is_none(), view.tier)).or_default().push(view));
    for ((_, tier), views) in tiers {
        let names: Vec<String> = views.iter().map(name).collect();
        page.item(&format!("{}{}{}", lang.tier(tier), lang.colon(), lang.listed(&names)));
    }
}

fn cases(page: &mut Page, incident: usize, diagnosis: &Diagnosis, writer: Writer<'_>) {
    let lang = page.lang;
    let Some(case) = diagnosis.cases.iter().find(|case| case.incident == incident) else {
        // No case is like it, but the component broke before.
        if let Some(view) = diagnosis.before.iter().find(|view| view.incident == incident && view.earlier.hops == 0) {
            page.heading(&format!("{}{}{}", lang.seen_here(), lang.colon(), view.earlier.text));
        }
        return;
    };
    let date = case.date.map_or_else(String::new, |date| format!("{}{}", lang.comma(), writer.locale.zone.day(date)));
    let likeness = |similarity: f64| format!("{}{}", lang.comma(), lang.alike_by(&super::text::percent(similarity)));
    let likeness = case.similarity.map_or_else(String::new, likeness);
    page.heading(&format!("{}{}{} {}{date}{likeness}", lang.case_before(), lang.colon(), case.id, lang.quoted(&case.title)));
    if let Some(last) = case.solutions.first().filter(|_| case.rule.is_none() && case.similarity.is_some_and(|alike| alike >= RESEMBLES)) {
        let then = page.lang.last_time();
        page.item(&format!("{then}{}{last}", lang.colon()));
    }
}

/// If no signal is on a component, neither rules nor the topology had a say, and nothing below tells of the system. How to mend that comes
/// first.
fn nowhere(page: &mut Page, diagnosis: &Diagnosis, writer: Writer<'_>) {
    let placed = |line: &localize::AccountView| line.explained + line.unexplained + line.quiet > line.unplaced;
    if diagnosis.unplaced.is_empty() || diagnosis.accounting.iter().any(placed) {
        return;
    }
    let why = if writer.estate.is_empty() {
        page.say(
            "There is no component in the topology, so no signal has a place: rules and dependencies had nothing to go by. Write or import the components \
             (`faultscope import`), then see with `faultscope place` where signals go.",
            "拓扑中没有组件，所有信号都无法定位：规则和依赖关系都无从应用。请编写或导入组件（`faultscope import`），再用 `faultscope place` 查看信号的定位。",
        )
    } else {
        page.say(
            "No signal fits a component, so rules and dependencies had nothing to go by. `faultscope place FILE` shows for each signal why, and what \
             would place it.",
            "没有信号能定位到组件，规则和依赖关系都无从应用。`faultscope place FILE` 会逐个说明原因和定位办法。",
        )
    };
    page.entry(why);
}

/// What nobody explains, most of it as a number.
fn open(page: &mut Page, diagnosis: &Diagnosis, writer: Writer<'_>) {
    let calling: Vec<&SignalView> = diagnosis.unexplained.iter().filter(|signal| signal.kind != "metric").collect();
    let shown: Vec<&SignalView> = if calling.is_empty() { diagnosis.unexplained.iter().collect() } else { calling };
    if shown.is_empty() {
        return;
    }
    let lang = page.lang;
    let total = unexplained(diagnosis);
    page.heading(&format!("{}{}", lang.unexplained(), lang.bracketed(&total.to_string())));
    let grouped = diagnosis.groups.iter().any(|group| group.joined_by != JoinedBy::Nothing);
    if !grouped || diagnosis.groups.len() >= shown.len() || shown.len() <= MAX_OPEN {
        shown.iter().take(MAX_OPEN).for_each(|one| page.item(&signal(one, writer)));
        page.more(total, shown.iter().take(MAX_OPEN).map(|one| signals(one)).sum());
        return;
    }
    // What calls somebody now comes first in the list, and is named even where groups stand for the rest.
    let urgent = diagnosis.unexplained.iter().take_while(|one| one.firing == Some(Severity::Critical)).take(MAX_OPEN).count();
    diagnosis.unexplained.iter().take(urgent).for_each(|one| page.item(&signal(one, writer)));
    let others = diagnosis.groups.iter().filter(|group| group.members.iter().any(|at| *at >= urgent));
    let others: Vec<&ClusterView> = others.take(MAX_OPEN).collect();
    for group in &others {
        let count = lang.count(group.signals, "signal");
        page.item(&if group.joined_by == JoinedBy::Nothing { group.name.clone() } else { format!("{} · {count}", group.name) });
    }
    let apart = (0..urgent).filter(|at| others.iter().all(|group| !group.members.contains(at))).count();
    page.more(total, apart + others.iter().map(|group| group.signals).sum::<usize>());
}

/// What was set aside, in numbers.
fn aside(page: &mut Page, diagnosis: &Diagnosis, writer: Writer<'_>, all: &str) {
    let lang = writer.lang();
    let sum = |of: fn(&localize::AccountView) -> usize| diagnosis.accounting.iter().map(of).sum::<usize>();
    let duplicates = sum(|line| line.duplicates);
    let unreadable = sum(|line| line.set_aside);
    // Whole kinds of signals that are missing are worth a line; single metrics are a number.
    let named = |view: &localize::UnjudgedView| view.missing.iter().any(|missing| missing.starts_with('`'));
    let (metrics, kinds): (Vec<_>, Vec<_>) = diagnosis.unjudged.iter().partition(|view| named(view));
    let parts: Vec<String> = [
        ("suppressed", diagnosis.suppressed.len()),
        ("unplaced", diagnosis.unplaced.len()),
        ("duplicate", duplicates),
        ("unreadable", unreadable),
        ("uncounted", diagnosis.set_aside.len()),
        ("near", diagnosis.near_misses.len()),
        ("unjudged", metrics.iter().map(|view| view.rules.len()).sum()),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(what, count)| lang.count(count, what))
    .collect();
    let received = sum(|line| line.received);
    let (explained, unexplained, quiet) = (sum(|line| line.explained), sum(|line| line.unexplained), sum(|line| line.quiet));
    let mut line = match lang {
        Lang::En => {
            format!("{} read: {explained} explained, {unexplained} unexplained, {quiet} without anomaly", lang.count(received, "signal"))
        }
        Lang::Zh => format!("共读取 {received} 个信号：{explained} 个已解释，{unexplained} 个未解释，{quiet} 个无异常"),
    };
    if !parts.is_empty() {
        line.push_str(&format!("{}{}", page.say("; ", "；"), parts.join(lang.comma())));
    }
    if !page.text.is_empty() {
        page.text.push('\n');
    }
    if !kinds.is_empty() {
        let rules = kinds.iter().map(|view| view.rules.len()).sum();
        let missing: BTreeSet<&String> = kinds.iter().flat_map(|view| &view.missing).collect();
        page.entry(&lang.unjudged(rules, &missing.into_iter().cloned().collect::<Vec<_>>()));
    }
    // If most signals are on no component, the placement is wrong rather than the recording: its main reason is worth a line.
    let unplaced: usize = diagnosis.unplaced_because.iter().map(|view| view.count).sum();
    if let Some(first) = diagnosis.unplaced_because.first().filter(|_| unplaced * 2 > received) {
        let most = page.say("without a component", "未定位到组件");
        let share = lang.bracketed(&format!("{unplaced}/{received}"));
        page.entry(&format!("{most}{share}{}{} ×{}", lang.colon(), first.reason.text, first.count));
    }
    let more = page.say(" · all of it: ", " · 查看全部：");
    page.entry(&format!("{line}{more}{all}"));
}
