//! The first screen of a diagnosis: what somebody reads at 3 a.m. Verdict, reasons, what to do, what it reaches, and what was left out
//! as numbers. `--full` shows all of it (`text`).

use std::collections::{BTreeMap, BTreeSet};

use knowledge::RESEMBLES;
use localize::{Diagnosis, ImpactView, Incident, JoinedBy, SignalView, Suspect};
use value::Truth;
use words::{Lang, Writer};

use super::page::Page;
use super::text::{confidence, header, named, signal};

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
    let mut page = Page::new(writer.lang(), markdown);
    if diagnosis.incidents.is_empty() {
        page.title(&super::text::nothing(diagnosis, writer));
    }
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
    aside(&mut page, diagnosis, writer);
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
    let first = diagnosis.incidents.iter().find(|one| one.number == incident).and_then(|one| one.suspects.first());
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
            page.step(*number, &format!("{}  [{}]{query}", advice.text, advice.from), advice.runbook.as_deref());
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

/// What nobody explains, most of it as a number.
fn open(page: &mut Page, diagnosis: &Diagnosis, writer: Writer<'_>) {
    let calling: Vec<&SignalView> = diagnosis.unexplained.iter().filter(|signal| signal.kind != "metric").collect();
    let shown: Vec<&SignalView> = if calling.is_empty() { diagnosis.unexplained.iter().collect() } else { calling };
    if shown.is_empty() {
        return;
    }
    let lang = page.lang;
    page.heading(&format!("{}{}", lang.unexplained(), lang.bracketed(&diagnosis.unexplained.len().to_string())));
    let grouped = diagnosis.groups.iter().any(|group| group.joined_by != JoinedBy::Nothing);
    if grouped && diagnosis.groups.len() < shown.len() && shown.len() > MAX_OPEN {
        for group in diagnosis.groups.iter().take(MAX_OPEN) {
            let count = lang.count(group.members.len(), "signal");
            page.item(&if group.joined_by == JoinedBy::Nothing { group.name.clone() } else { format!("{} · {count}", group.name) });
        }
        page.more(diagnosis.groups.len(), MAX_OPEN);
    } else {
        shown.iter().take(MAX_OPEN).for_each(|one| page.item(&signal(one, writer)));
        page.more(diagnosis.unexplained.len(), MAX_OPEN.min(shown.len()));
    }
}

/// What was set aside, in numbers.
fn aside(page: &mut Page, diagnosis: &Diagnosis, writer: Writer<'_>) {
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
    let more = page.say(" · all of it: --full", " · 查看全部：--full");
    page.entry(&format!("{line}{more}"));
}
