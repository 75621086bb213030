//! The printed groups of unexplained signals. The diagnosis has the English names; Chinese ones are built from the same parts.

use localize::{ClusterView, CommonRelation, Diagnosis, JoinedBy};
use value::Time;

use super::Lang;
use super::page::Page;
use super::text::signal;

/// Lists the groups, each with what joins it and its first signals: one if all have the same text, else up to `most`.
pub fn groups(page: &mut Page, diagnosis: &Diagnosis, most: usize) {
    let lang = page.lang;
    let count = lang.count(diagnosis.groups.len(), "group");
    page.heading(&format!("{} ({}, {count})", lang.unexplained(), diagnosis.unexplained.len()));
    for group in &diagnosis.groups {
        page.item(&format!("{} · {} · {}", name(group, diagnosis, lang), lang.count(group.members.len(), "signal"), span(group)));
        page.sub(&reason(group, lang));
        let shown = match group.joined_by {
            JoinedBy::Text => 1,
            JoinedBy::Place | JoinedBy::Nothing => most,
        };
        group.members.iter().take(shown).filter_map(|at| diagnosis.unexplained.get(*at)).for_each(|one| page.sub(&signal(one)));
        let left = group.members.len().saturating_sub(shown);
        if left > 0 {
            page.sub(&format!("… {left} {}", lang.more()));
        }
    }
}

fn span(group: &ClusterView) -> String {
    let (first, last): (Time, Time) = (group.first, group.last);
    if first == last { first.clock() } else { format!("{} – {}", first.clock(), last.clock()) }
}

fn reason(group: &ClusterView, lang: Lang) -> String {
    match (lang, group.joined_by) {
        (Lang::En, JoinedBy::Text | JoinedBy::Place | JoinedBy::Nothing) => group.reason.clone(),
        (Lang::Zh, JoinedBy::Text) => lang.joined_by_text().to_owned(),
        (Lang::Zh, JoinedBy::Place) => lang.joined_by_place().to_owned(),
        (Lang::Zh, JoinedBy::Nothing) => lang.joined_by_nothing().to_owned(),
    }
}

fn name(group: &ClusterView, diagnosis: &Diagnosis, lang: Lang) -> String {
    match lang {
        Lang::En => group.name.clone(),
        Lang::Zh => {
            let place = place(group);
            let straying = group.members.iter().filter_map(|at| diagnosis.unexplained.get(*at)).all(|one| one.kind == "metric");
            match (group.joined_by, &group.label) {
                (JoinedBy::Text, Some(label)) => format!("{place} {label}{}", if straying { " 异常" } else { "" }),
                (JoinedBy::Text | JoinedBy::Place, _) => format!("{place} 的多种信号"),
                (JoinedBy::Nothing, _) => "未归类的信号".to_owned(),
            }
        }
    }
}

/// `subnet-a 下的 12 个 host`.
fn place(group: &ClusterView) -> String {
    let on = match (group.components.as_slice(), &group.kind) {
        ([], _) => return "未定位组件".to_owned(),
        ([only], _) => only.clone(),
        (several, Some(kind)) => format!("{} 个 {kind}", several.len()),
        (several, None) => format!("{} 个组件", several.len()),
    };
    let Some(common) = &group.common else { return on };
    match common.relation {
        CommonRelation::Holder => format!("{} 下的 {on}", common.component),
        CommonRelation::Dependency => format!("依赖 {} 的 {on}", common.component),
        CommonRelation::Dependent => format!("{} 所依赖的 {on}", common.component),
    }
}
