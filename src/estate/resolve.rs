//! From a model draft to the model: resolves parents, cuts loops, inherits members, and makes names unambiguous.

use std::collections::{BTreeMap, BTreeSet};

use diag::{Code, Diagnostic, Place, Text, suggestion, text};
use value::{Duration, MINUTE, Unit};

use super::aliases::{clear_clashes, unique_aliases};
use super::model::{
    Aggregate, Aggregates, AttributeDef, AttributeKind, Containment, Direction, LogSource, MetricDef, Model, ROOT_TYPE, RelationKind,
    State, StateDef, Travel, TypeDef,
};

use super::read_model::{Entry, MetricDraft, ModelDraft, OverInstances, RelationDraft, Said, TypeDraft};

/// How long a sample is valid by default: five missed scrapes of a minute, like the look-back of Prometheus.
const DEFAULT_STALENESS: Duration = 5 * MINUTE;

/// Names of types in all their spellings; parents by canonical name.
pub(super) struct Families {
    aliases: BTreeMap<String, String>,
    /// `None` only for the root.
    parents: BTreeMap<String, Option<String>>,
}

impl Families {
    fn canonical<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        if self.parents.contains_key(name) { Some(name) } else { self.aliases.get(name).map(String::as_str) }
    }

    fn suggestion(&self, name: &str) -> Option<Text> {
        suggestion(name, self.parents.keys().chain(self.aliases.keys()).map(String::as_str))
    }

    /// The type itself and its ancestors, nearest first. Parents form no loop once [`families`] is done.
    pub fn lineage(&self, name: &str) -> Vec<String> {
        let mut line = vec![name.to_owned()];
        let mut at = name;
        while let Some(Some(parent)) = self.parents.get(at) {
            if line.len() > self.parents.len() {
                break;
            }
            line.push(parent.clone());
            at = parent;
        }
        line
    }
}

/// A diagnostic about something that may be in the base model, which has no place to show.
pub(super) fn problem(code: Code, place: Option<Place>, message: Text) -> Diagnostic {
    match place {
        Some(place) => Diagnostic::error(code, place, message),
        None => Diagnostic::nowhere(code, message),
    }
}

/// Checks a draft and turns it into a model. Errors are reported and left out.
pub(super) fn resolve(mut draft: ModelDraft, problems: &mut Vec<Diagnostic>) -> Model {
    draft.types.entry(ROOT_TYPE.to_owned()).or_default();
    let aliases = unique_aliases("type", draft.types.iter_mut().map(|(name, t)| (name.as_str(), t.place, &mut t.zh)), problems);
    let kinds = draft.relations.iter_mut().map(|(name, r)| (name.as_str(), r.place, &mut r.zh));
    unique_aliases("relation kind", kinds, problems);
    let families = families(&draft, aliases, problems);
    clear_clashes(&mut draft, &families, problems);
    let workloads = workloads(&draft, &families, problems);
    let mut types: BTreeMap<String, TypeDef> =
        draft.types.keys().map(|name| (name.clone(), type_def(name, &draft, &families, problems))).collect();
    let named: BTreeSet<&String> = workloads.values().flatten().collect();
    for (name, def) in &mut types {
        let line = families.lineage(name);
        def.instance_of = line.iter().find_map(|ancestor| workloads.get(ancestor)).cloned().unwrap_or_default();
        def.has_instances = line.iter().any(|ancestor| named.contains(ancestor));
    }
    let relations = draft.relations.iter().map(|(name, said)| (name.clone(), relation_kind(name, said, &families, problems))).collect();
    Model { types, relations }
}

fn families(draft: &ModelDraft, aliases: BTreeMap<String, String>, problems: &mut Vec<Diagnostic>) -> Families {
    let parents = draft.types.keys().map(|name| (name.clone(), None)).collect();
    let mut families = Families { aliases, parents };
    let root = || Some(ROOT_TYPE.to_owned());
    let mut found = BTreeMap::new();
    for (name, said) in &draft.types {
        let parent = match &said.parent {
            None if name == ROOT_TYPE => None,
            None => root(),
            Some(parent) => {
                let canonical = families.canonical(&parent.text).map(str::to_owned);
                if canonical.is_none() {
                    let mut report =
                        problem(Code::TYPE_PARENT, parent.place, text!("the parent `{}` of type `{}` does not exist", parent.text, name));
                    report.help = families.suggestion(&parent.text);
                    problems.push(report);
                }
                canonical.or_else(|| if name == ROOT_TYPE { None } else { root() })
            }
        };
        found.insert(name.clone(), parent);
    }
    families.parents = found;
    for name in draft.types.keys() {
        cut_loop(name, draft, &mut families.parents, problems);
    }
    families
}

/// If the ancestors of `start` form a loop, one type of the loop becomes a child of the root.
fn cut_loop(start: &str, draft: &ModelDraft, parents: &mut BTreeMap<String, Option<String>>, problems: &mut Vec<Diagnostic>) {
    let mut walked: Vec<String> = vec![start.to_owned()];
    let mut at = start.to_owned();
    let circle = loop {
        let Some(Some(parent)) = parents.get(&at) else { return };
        if let Some(first) = walked.iter().position(|name| name == parent) {
            break walked.split_off(first);
        }
        at.clone_from(parent);
        walked.push(at.clone());
    };
    let place = |name: &str| draft.types.get(name).and_then(|t| t.parent.as_ref()).and_then(|parent| parent.place);
    let root = circle.iter().find(|name| *name == ROOT_TYPE);
    // The root must not have a parent; otherwise the latest declaration closed the loop.
    let Some(victim) = root.or_else(|| circle.iter().max_by_key(|name| (place(name.as_str()), (*name).clone()))) else { return };
    let mut names: Vec<&str> = circle.iter().map(String::as_str).collect();
    names.extend(circle.first().map(String::as_str));
    let message = text!("type `{}` is its own ancestor: {}", victim, names.join(" → "));
    problems.push(problem(Code::TYPE_PARENT, place(victim.as_str()), message).help("the parents of a type must lead up to `component`"));
    let parent = if victim == ROOT_TYPE { None } else { Some(ROOT_TYPE.to_owned()) };
    parents.insert(victim.clone(), parent);
}

/// What each type says that it is an instance of. Taken in the order of their places, so that the latest declaration closes a loop; that
/// one is left out.
fn workloads(draft: &ModelDraft, families: &Families, problems: &mut Vec<Diagnostic>) -> BTreeMap<String, Vec<String>> {
    let place = |said: &[Said]| said.first().and_then(|word| word.place);
    let mut declared: Vec<(&String, &[Said])> =
        draft.types.iter().filter_map(|(name, of)| Some((name, of.instance_of.as_deref()?))).collect();
    declared.sort_by_key(|(name, said)| (place(said), *name));
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, said) in declared {
        let mut of: Vec<String> = said.iter().filter_map(|word| known_type(word, families, problems)).collect();
        of.sort();
        of.dedup();
        if let Some(way) = leads_back(name, &of, &found, families) {
            let message = text!("type `{}` is an instance of itself: {}", name, way.join(" → "));
            problems.push(
                problem(Code::INSTANCE_LOOP, place(said), message)
                    .help("name the type for which it comes and goes, like `pod` for `service`"),
            );
        } else {
            found.insert(name.clone(), of);
        }
    }
    found
}

/// The types on the way from a type, by what each is an instance of, back to itself.
fn leads_back(name: &str, of: &[String], found: &BTreeMap<String, Vec<String>>, families: &Families) -> Option<Vec<String>> {
    let mut ways: Vec<Vec<String>> = of.iter().map(|first| vec![name.to_owned(), first.clone()]).collect();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    while let Some(way) = ways.pop() {
        let Some(last) = way.last() else { continue };
        if last == name {
            return Some(way);
        }
        if seen.insert(last.clone()) {
            let next = families.lineage(last).iter().find_map(|ancestor| found.get(ancestor)).cloned().unwrap_or_default();
            ways.extend(next.into_iter().map(|next| way.iter().cloned().chain([next]).collect()));
        }
    }
    None
}

/// What one member is called and declared as along a lineage, nearest first.
fn inherited<'d, T>(name: &str, line: &[&'d TypeDraft], section: fn(&'d TypeDraft) -> &'d BTreeMap<String, Entry<T>>) -> Vec<&'d Entry<T>> {
    line.iter().filter_map(|t| section(t).get(name)).collect()
}

fn chinese<T>(chain: &[&Entry<T>]) -> Option<String> {
    chain.iter().find_map(|entry| entry.zh.as_ref()).map(|zh| zh.text.clone())
}

fn type_def(name: &str, draft: &ModelDraft, families: &Families, problems: &mut Vec<Diagnostic>) -> TypeDef {
    let line: Vec<&TypeDraft> = families.lineage(name).iter().filter_map(|ancestor| draft.types.get(ancestor)).collect();
    let own = line.first().copied();
    let parent = families.parents.get(name).cloned().flatten();
    let zh = own.and_then(|t| t.zh.as_ref()).map(|zh| zh.text.clone());
    let mut def = TypeDef {
        name: name.to_owned(),
        parent,
        zh,
        attributes: BTreeMap::new(),
        metrics: BTreeMap::new(),
        states: BTreeMap::new(),
        logs: BTreeMap::new(),
        instance_of: Vec::new(),
        has_instances: false,
        place: own.and_then(|t| t.place),
    };
    let Some(own) = own else { return def };
    for name in own.attributes.keys() {
        let chain = inherited(name, &line, |t| &t.attributes);
        let kind = chain.iter().find_map(|entry| entry.body).unwrap_or(AttributeKind::Text);
        def.attributes.insert(name.clone(), AttributeDef { name: name.clone(), zh: chinese(&chain), kind });
    }
    for name in own.metrics.keys() {
        def.metrics.insert(name.clone(), metric(name, &inherited(name, &line, |t| &t.metrics)));
    }
    for (name, entry) in &own.states {
        let chain = inherited(name, &line, |t| &t.states);
        let Some(condition) = chain.iter().find_map(|entry| entry.body.as_ref()) else {
            problems.push(problem(Code::MISSING_KEY, entry.place, text!("state `{}` needs `if`", name)).label("`if` is missing"));
            continue;
        };
        let state = StateDef { name: name.clone(), zh: chinese(&chain), condition: condition.text.clone(), place: condition.place };
        def.states.insert(name.clone(), state);
    }
    for (name, entry) in &own.logs {
        let chain = inherited(name, &line, |t| &t.logs);
        let Some(labels) = chain.iter().find_map(|entry| entry.body.clone()) else {
            problems
                .push(problem(Code::MISSING_KEY, entry.place, text!("log source `{}` needs `labels`", name)).label("`labels` is missing"));
            continue;
        };
        def.logs.insert(name.clone(), LogSource { name: name.clone(), zh: chinese(&chain), labels });
    }
    def
}

/// A metric without a unit is a count: the only dimension whose numbers need no unit.
fn metric(name: &str, chain: &[&Entry<MetricDraft>]) -> MetricDef {
    let own = chain.iter().find_map(|entry| entry.body.aggregate).unwrap_or(Aggregate::Mean);
    let direction = chain.iter().find_map(|entry| entry.body.direction).unwrap_or(Direction::Both);
    let instances = match (chain.iter().find_map(|entry| entry.body.instances), direction) {
        (None, _) => own,
        (Some(OverInstances::By(aggregate)), _) => aggregate,
        (Some(OverInstances::Any), Direction::Low) | (Some(OverInstances::Every), Direction::High | Direction::Both) => Aggregate::Min,
        (Some(OverInstances::Every), Direction::Low) | (Some(OverInstances::Any), Direction::High | Direction::Both) => Aggregate::Max,
    };
    MetricDef {
        name: name.to_owned(),
        zh: chinese(chain),
        unit: chain.iter().find_map(|entry| entry.body.unit).unwrap_or(Unit::COUNT),
        staleness: chain.iter().find_map(|entry| entry.body.staleness).unwrap_or(DEFAULT_STALENESS),
        aggregate: Aggregates { own, instances },
        aggregate_said: chain.iter().any(|entry| entry.body.aggregate.is_some()),
        direction,
        place: chain.first().and_then(|entry| entry.place),
    }
}

/// A new kind must state how faults travel: a guess would silently lead to wrong causes.
fn relation_kind(name: &str, said: &RelationDraft, families: &Families, problems: &mut Vec<Diagnostic>) -> RelationKind {
    if said.travel.is_none() {
        let report = problem(Code::MISSING_KEY, said.place, text!("relation kind `{}` needs `travel`", name));
        problems.push(report.label("`travel` is missing").help("state how faults travel: `to_start`, `to_end`, `both` or `none`"));
    }
    let mut types = |said: Option<&Vec<Said>>| {
        let words = said.map(Vec::as_slice).unwrap_or_default();
        words.iter().filter_map(|word| known_type(word, families, problems)).collect()
    };
    RelationKind {
        name: name.to_owned(),
        zh: said.zh.as_ref().map(|zh| zh.text.clone()),
        from: types(said.from.as_ref()),
        to: types(said.to.as_ref()),
        travel: said.travel.unwrap_or(Travel::None),
        effect: said.effect.unwrap_or(State::Down),
        containment: said.containment.unwrap_or(Containment::None),
        settling: said.settling,
        place: said.place,
    }
}

fn known_type(word: &Said, families: &Families, problems: &mut Vec<Diagnostic>) -> Option<String> {
    let found = families.canonical(&word.text).map(str::to_owned);
    if found.is_none() {
        let mut report = problem(Code::UNKNOWN_COMPONENT_TYPE, word.place, text!("the model declares no type `{}`", word.text));
        report.help = families.suggestion(&word.text);
        problems.push(report);
    }
    found
}
