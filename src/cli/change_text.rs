//! The printed assessment: plain text, or Markdown with the same layout.

use change::{AffectedView, Assessment, BatchView, BreachView, DifferenceView, FieldView, OrderView, Safety, TargetView, TierView};
use estate::{Snapshot, State};
use words::{Locale, Zone};

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
    let count = page.lang.bracketed(&lines.len().to_string());
    page.heading(&format!("{heading}{count}"));
    lines.iter().take(MAX_LINES).for_each(|line| page.item(line));
    page.more(lines.len(), MAX_LINES);
}

fn names<S: AsRef<str>>(page: &Page, names: &[S]) -> String {
    page.names(names, MAX_NAMES)
}

/// The whole assessment, of which `words::change::tell` has written the reasons. The model of the estate names types and relations.
pub fn assessment(view: &Assessment, locale: &Locale, estate: &Snapshot, markdown: bool) -> String {
    let mut page = Page::new(locale.lang, markdown);
    head(&mut page, view, locale);
    if let Some(order) = &view.order {
        self::order(&mut page, order);
    }
    if let Some(difference) = &view.difference {
        self::difference(&mut page, difference, estate);
    }
    affected(&mut page, view);
    redundancy(&mut page, view);
    tiers(&mut page, &view.tiers);
    owners(&mut page, view);
    known(&mut page, view, &locale.zone);
    page.text
}

fn head(page: &mut Page, view: &Assessment, locale: &Locale) {
    let lang = page.lang;
    let line = page.safe(&format!("{} · {}", view.title, lang.risk_of_change(view.risk))).into_owned();
    page.text.push_str(&if page.markdown { format!("## {line}\n") } else { format!("{line}\n") });
    if let Some(window) = &view.window {
        let line = locale.window(window);
        page.text.push_str(&if page.markdown { format!("\n{line}\n") } else { format!("  {line}\n") });
    }
    let reasons: Vec<String> = view
        .reasons
        .iter()
        .map(|reason| {
            let subjects: Vec<String> = reason.subjects.iter().map(|subject| lang.subject(subject)).collect();
            let (level, colon) = (lang.risk(reason.level), lang.colon());
            format!("[{level}] {} {}{colon}{}", reason.rule, reason.why.text, names(page, &subjects))
        })
        .collect();
    list(page, lang.risk_reasons(), &reasons);
    if reasons.is_empty() {
        page.heading(lang.risk_reasons());
        page.item(lang.no_risk());
    }
}

fn order(page: &mut Page, order: &OrderView) {
    let lang = page.lang;
    let verdict = lang.order(order.safety, order.removals_last);
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
    match order.safety {
        Safety::SafeOtherwise => list(page, lang.unsafe_as_planned(), &unsafe_lines),
        // The obstacles already list these.
        Safety::Safe | Safety::Unsafe => {}
    }
}

fn batch_line(page: &Page, batch: &BatchView) -> String {
    let lang = page.lang;
    let mut line = format!("{} {} {} {}", lang.step(), batch.step, lang.action(batch.action), names(page, &batch.on));
    let mut core: Vec<&str> = Vec::new();
    for breach in &batch.breaches {
        match breach {
            BreachView::Group { group, living, need, lost } => {
                line.push_str(&format!(" — {}", lang.group_short(group, *living, *need, &names(page, lost))));
            }
            BreachView::Budget { budget, components, living, need, pods } => {
                let (of, pods) = (names(page, components), names(page, pods));
                line.push_str(&format!(" — {}", lang.budget_blocks(budget, &of, *living, *need, &pods)));
            }
            BreachView::Core { component, .. } => core.push(component),
        }
    }
    if !core.is_empty() {
        line.push_str(&format!(" — {}{}{}", lang.core_goes_down(), lang.colon(), names(page, &core)));
    }
    line
}

fn affected(page: &mut Page, view: &Assessment) {
    let lang = page.lang;
    for (state, heading) in
        [(State::Down, lang.goes_down()), (State::Degraded, lang.becomes_degraded()), (State::AtRisk, lang.becomes_at_risk())]
    {
        let lines: Vec<String> = view.affected.iter().filter(|one| one.state == state).map(|one| affected_line(page, one)).collect();
        list(page, heading, &lines);
    }
}

fn affected_line(page: &Page, one: &AffectedView) -> String {
    let lang = page.lang;
    let mut line = format!("[{}] {}", lang.tier(one.tier), one.component);
    if one.name != one.component {
        line.push_str(&format!(" {}", one.name));
    }
    if let Some(owner) = &one.owner {
        line.push_str(&format!(" · {owner}"));
    }
    if one.step > 0 {
        line.push_str(&format!(" · {} {}", lang.step(), one.step));
    }
    if one.path.len() > 1 {
        line.push_str(&format!(" · {}", one.path.join(" → ")));
    }
    if one.covered {
        line.push_str(&format!(" · {}", lang.group_intact()));
    }
    line
}

fn redundancy(page: &mut Page, view: &Assessment) {
    let lang = page.lang;
    let groups: Vec<String> = view.redundancy.iter().map(|group| lang.group_at_worst(group, &names(page, &group.lost))).collect();
    list(page, lang.worst_moment(), &groups);
    let replicas: Vec<String> = view.replicas.iter().map(|one| format!("{} ← {}", one.component, names(page, &one.lost))).collect();
    list(page, lang.last_replica(), &replicas);
    let points: Vec<String> = view
        .single_points
        .iter()
        .map(|point| format!("[{}] {}", lang.tier(point.tier), lang.alone_takes_down(&point.component, &names(page, &point.new))))
        .collect();
    list(page, lang.new_points(), &points);
    list(page, lang.points_gone(), &view.single_points_gone);
}

fn tiers(page: &mut Page, tiers: &[TierView]) {
    let lines: Vec<String> = tiers.iter().map(|view| tier_line(page, view)).collect();
    let heading = page.lang.by_tier();
    list(page, heading, &lines);
}

fn tier_line(page: &Page, view: &TierView) -> String {
    let lang = page.lang;
    let counts =
        [(view.operated, lang.in_plan()), (view.down, lang.down()), (view.degraded, lang.degraded()), (view.at_risk, lang.at_risk())];
    let counts: Vec<String> = counts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| lang.number_of(n, what)).collect();
    let mut line = format!("{}{}{}", lang.tier(view.tier), lang.colon(), counts.join(lang.comma()));
    if let Some(TargetView { rpo, rto, response }) = view.targets {
        let (rto, rpo) = (lang.minutes_between(rto), lang.minutes_between(rpo));
        line.push_str(&format!(" · RTO {rto} · RPO {rpo} · {}", lang.respond_within(response)));
    }
    if view.window_exceeds_rto {
        line.push_str(&format!(" · {}", lang.exceeds_rto()));
    }
    line
}

fn owners(page: &mut Page, view: &Assessment) {
    let lang = page.lang;
    let mut lines = Vec::new();
    for owner in &view.owners {
        let lists = [
            (&owner.operated, lang.in_plan()),
            (&owner.down, lang.down()),
            (&owner.degraded, lang.degraded()),
            (&owner.at_risk, lang.at_risk()),
        ];
        let lists = lists.into_iter().filter(|(list, _)| !list.is_empty());
        let parts: Vec<String> = lists.map(|(list, what)| format!("{what}{}{}", lang.colon(), names(page, list))).collect();
        let who = owner.owner.as_deref().unwrap_or(lang.no_owner());
        lines.push(format!("{who} · {}", parts.join(" · ")));
    }
    list(page, lang.notify(), &lines);
}

fn known(page: &mut Page, view: &Assessment, zone: &Zone) {
    let lang = page.lang;
    let rules: Vec<String> = view
        .rules
        .iter()
        .filter(|rule| rule.complete)
        .map(|rule| {
            let reads: Vec<&str> = rule.reads.iter().map(|read| read.text.as_str()).collect();
            let (title, of) = (lang.quoted(&rule.title), lang.bracketed(&names(page, &rule.components)));
            format!("{} {title} — {} {}{of}", rule.rule, lang.reads(), names(page, &reads))
        })
        .collect();
    list(page, lang.may_fire(), &rules);
    let others = view.rules.len() - rules.len();
    if others > 0 && rules.is_empty() {
        page.heading(lang.may_fire());
        page.item(&lang.joint_rules(others));
    } else if others > 0 {
        page.item(&lang.more_rules(others));
    }
    let cases: Vec<String> = view
        .cases
        .iter()
        .map(|case| {
            let date = case.date.map_or_else(String::new, |date| format!(" {}", zone.day(date)));
            let root = if case.root { format!(" · {}", lang.root_in_plan()) } else { String::new() };
            let (title, of) = (lang.quoted(&case.title), lang.bracketed(&names(page, &case.components)));
            format!("{}{date} {title}{of}{root}", case.id)
        })
        .collect();
    list(page, lang.past_incidents(), &cases);
}

fn difference(page: &mut Page, view: &DifferenceView, estate: &Snapshot) {
    let (lang, model) = (page.lang, estate.model());
    if view.is_empty() {
        page.heading(lang.no_difference());
        return;
    }
    let mut lines = Vec::new();
    lines.extend(view.added.iter().map(|id| format!("{} {id}", lang.added())));
    lines.extend(view.removed.iter().map(|id| format!("{} {id}", lang.removed())));
    for changed in &view.changed {
        let kind = estate.find(&changed.component).map_or("", |id| estate.component(id).kind.as_str());
        let field = |one: &FieldView| {
            let value = |value: &Option<String>| lang.field_value(model, &one.field, value.as_deref());
            format!("{} {} → {}", lang.field(model, kind, &one.field), value(&one.before), value(&one.after))
        };
        let fields: Vec<String> = changed.fields.iter().map(field).collect();
        lines.push(format!("{} {}{}{}", lang.changed(), changed.component, lang.colon(), fields.join(lang.comma())));
    }
    list(page, lang.components(), &lines);
    let relations = [(lang.added(), &view.relations_added), (lang.removed(), &view.relations_removed)];
    let relations = relations.into_iter().flat_map(|(what, list)| list.iter().map(move |one| (what, one)));
    let relations: Vec<String> =
        relations.map(|(what, one)| format!("{what} {} {} {}", one.from, lang.relation(model, &one.kind), one.to)).collect();
    list(page, lang.relations(), &relations);
    let groups: Vec<String> = view
        .groups
        .iter()
        .map(|group| {
            let side = |need: Option<usize>, members: usize| need.map_or_else(|| "∅".to_owned(), |need| format!("{need}/{members}"));
            let before = side(group.need_before, group.members_before.len());
            let after = side(group.need_after, group.members_after.len());
            format!("{}{}{before} → {after}", group.group, lang.colon())
        })
        .collect();
    list(page, lang.groups_needed(), &groups);
}
