//! The printed groups of unexplained signals.

use localize::{ClusterView, Diagnosis, JoinedBy};
use value::Time;

use words::Writer;

use super::page::Page;
use super::text::{signal, signals, unexplained};

/// Lists the groups, each with what joins it and its first signals: one if all have the same text, else up to `most`.
pub fn groups(page: &mut Page, diagnosis: &Diagnosis, writer: Writer<'_>, most: usize) {
    let lang = page.lang;
    let count = lang.count(diagnosis.groups.len(), "group");
    page.heading(&format!("{} ({}, {count})", lang.unexplained(), unexplained(diagnosis)));
    for group in &diagnosis.groups {
        page.item(&format!("{} · {} · {}", group.name, lang.count(group.signals, "signal"), span(group, writer)));
        page.sub(&group.reason);
        let shown = match group.joined_by {
            JoinedBy::Text => 1,
            JoinedBy::Place | JoinedBy::Nothing => most,
        };
        group.members.iter().take(shown).filter_map(|at| diagnosis.unexplained.get(*at)).for_each(|one| page.sub(&signal(one, writer)));
        let told: usize = group.members.iter().take(shown).filter_map(|at| diagnosis.unexplained.get(*at)).map(signals).sum();
        let left = group.signals.saturating_sub(told);
        if left > 0 {
            page.sub(&format!("… {left} {}", lang.more()));
        }
    }
}

fn span(group: &ClusterView, writer: Writer<'_>) -> String {
    let (first, last): (Time, Time) = (group.first, group.last);
    if first == last { writer.clock(first) } else { format!("{} – {}", writer.clock(first), writer.clock(last)) }
}
