//! Chinese names. Each names exactly one thing; otherwise rules that use it would be ambiguous.

use std::collections::BTreeMap;

use diag::{Code, Diagnostic, Place, Text, text};

use super::read_model::{Entry, ModelDraft, Said};
use super::resolve::{Families, problem};

/// Chinese name → name, for things that share one namespace. A second use is reported and cleared.
pub(super) fn unique_aliases<'d>(
    what: &'static str,
    items: impl Iterator<Item = (&'d str, Option<Place>, &'d mut Option<Said>)>,
    problems: &mut Vec<Diagnostic>,
) -> BTreeMap<String, String> {
    let mut items: Vec<_> = items.collect();
    let names: BTreeMap<String, Option<Place>> = items.iter().map(|(name, place, _)| ((*name).to_owned(), *place)).collect();
    // The first declaration wins: the base model (no place) before any file, then in file order.
    items.sort_by_key(|(name, _, zh)| (zh.as_ref().and_then(|zh| zh.place), *name));
    let mut aliases: BTreeMap<String, (String, Option<Place>)> = BTreeMap::new();
    for (name, _, slot) in items {
        let Some(zh) = slot.as_ref() else { continue };
        if zh.text == name {
            continue;
        }
        let taken = aliases.get(&zh.text).map(|(other, place)| (other.clone(), *place));
        let taken = taken.or_else(|| names.get(&zh.text).map(|place| (zh.text.clone(), *place)));
        match taken {
            Some((other, first)) => {
                problems.push(duplicate(what, &zh.text, name, zh.place, &other, first));
                *slot = None;
            }
            None => {
                aliases.insert(zh.text.clone(), (name.to_owned(), zh.place));
            }
        }
    }
    aliases.into_iter().map(|(alias, (name, _))| (alias, name)).collect()
}

fn duplicate(what: &'static str, text: &str, name: &str, place: Option<Place>, other: &str, first: Option<Place>) -> Diagnostic {
    let report = problem(Code::DUPLICATE_NAME, place, text!("`{}` names both the {} `{}` and `{}`", text, Text::from(what), other, name));
    match first {
        Some(first) => report.related(first, text!("`{}` already has this name", other)),
        None => report.help(text!("`{}` in the built-in base model already has this name", other)),
    }
}

/// Which names share one namespace: rules write metrics and attributes the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Attribute,
    Metric,
    State,
    Log,
}

impl Section {
    fn space(self) -> &'static str {
        match self {
            Section::Attribute | Section::Metric => "metric or attribute",
            Section::State => "state",
            Section::Log => "log source",
        }
    }
}

/// A member of a type, flattened so that all pairs can be compared the same way.
struct Member {
    owner: String,
    section: Section,
    name: String,
    zh: Option<Said>,
    place: Option<Place>,
}

/// Reports members of one lineage that share a name, and takes the Chinese name from the later one.
pub(super) fn clear_clashes(draft: &mut ModelDraft, families: &Families, problems: &mut Vec<Diagnostic>) {
    let members: BTreeMap<String, Vec<Member>> = draft.types.keys().map(|name| (name.clone(), members_of(name, draft))).collect();
    let mut cleared: Vec<&Member> = Vec::new();
    for (owner, own) in &members {
        for other in families.lineage(owner).iter().filter_map(|ancestor| members.get(ancestor)).flatten() {
            for mine in own.iter().filter(|mine| mine.section.space() == other.section.space()) {
                // Each pair of one type once.
                if mine.owner == other.owner && (mine.section as u8, &mine.name) <= (other.section as u8, &other.name) {
                    continue;
                }
                if let Some(loser) = compare(mine, other, problems) {
                    cleared.push(loser);
                }
            }
        }
    }
    for loser in cleared {
        if let Some(zh) = zh_slot(draft, loser) {
            *zh = None;
        }
    }
}

/// The member that must lose its Chinese name, if the name is ambiguous between the two.
fn compare<'m>(mine: &'m Member, other: &'m Member, problems: &mut Vec<Diagnostic>) -> Option<&'m Member> {
    let space = mine.section.space();
    if mine.name == other.name {
        if mine.section != other.section {
            let (late, first) = if mine.place < other.place { (other, mine) } else { (mine, other) };
            let report =
                problem(Code::DUPLICATE_NAME, late.place, text!("`{}` is both a metric and an attribute of `{}`", mine.name, mine.owner));
            problems.push(match first.place {
                Some(first) => report.related(first, "already declared here"),
                None => report.help("the built-in base model already declares it"),
            });
        }
        return None;
    }
    let zh = |member: &'m Member| member.zh.as_ref();
    let said = |member: &'m Member| zh(member).and_then(|zh| zh.place);
    let (late, first) = match (zh(mine), zh(other)) {
        (Some(a), Some(b)) if a.text == b.text => {
            if (said(mine), &mine.name) < (said(other), &other.name) {
                (other, mine)
            } else {
                (mine, other)
            }
        }
        (Some(a), _) if a.text == other.name => (mine, other),
        (_, Some(b)) if b.text == mine.name => (other, mine),
        (Some(_) | None, Some(_) | None) => return None,
    };
    let text = late.zh.as_ref().map_or("", |zh| zh.text.as_str());
    problems.push(duplicate(space, text, &late.name, said(late), &first.name, said(first).or(first.place)));
    Some(late)
}

fn members_of(owner: &str, draft: &ModelDraft) -> Vec<Member> {
    let mut members = Vec::new();
    if let Some(t) = draft.types.get(owner) {
        gather(owner, Section::Attribute, &t.attributes, &mut members);
        gather(owner, Section::Metric, &t.metrics, &mut members);
        gather(owner, Section::State, &t.states, &mut members);
        gather(owner, Section::Log, &t.logs, &mut members);
    }
    members
}

fn gather<T>(owner: &str, section: Section, entries: &BTreeMap<String, Entry<T>>, members: &mut Vec<Member>) {
    members.extend(entries.iter().map(|(name, entry)| Member {
        owner: owner.to_owned(),
        section,
        name: name.clone(),
        zh: entry.zh.clone(),
        place: entry.place,
    }));
}

fn zh_slot<'d>(draft: &'d mut ModelDraft, member: &Member) -> Option<&'d mut Option<Said>> {
    let t = draft.types.get_mut(&member.owner)?;
    match member.section {
        Section::Attribute => t.attributes.get_mut(&member.name).map(|entry| &mut entry.zh),
        Section::Metric => t.metrics.get_mut(&member.name).map(|entry| &mut entry.zh),
        Section::State => t.states.get_mut(&member.name).map(|entry| &mut entry.zh),
        Section::Log => t.logs.get_mut(&member.name).map(|entry| &mut entry.zh),
    }
}
