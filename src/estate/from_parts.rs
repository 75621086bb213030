//! An estate from parts that were never checked against each other: records of a store, written at different times by different
//! origins, under the current model. What does not fit is left out and counted, like errors in files.

use std::collections::{BTreeMap, BTreeSet};

use super::component::{Component, ComponentId, Group};
use super::cycles::{Hold, circles};
use super::graph::{Edge, KindIndex};
use super::model::{Containment, Model, ROOT_TYPE, RelationKind};
use super::snapshot::Snapshot;

/// Components, with relations and groups that refer to them by position, so that a million of them need no search.
#[derive(Debug, Default)]
pub struct Parts<'a> {
    /// In any order, each id once.
    pub components: Vec<Component>,
    /// Start, kind, end.
    pub relations: Vec<(u32, &'a str, u32)>,
    /// Id, members, how many of them must be up.
    pub groups: Vec<(String, Vec<u32>, u64)>,
}

/// What was left out, counted by the reason.
#[derive(Debug, Default)]
pub struct Rejected(BTreeMap<String, (String, usize)>);

impl Rejected {
    /// `what` is called only for the first item of a reason: there may be a million of them.
    pub fn add(&mut self, reason: &str, what: impl FnOnce() -> String) {
        match self.0.get_mut(reason) {
            Some((_, count)) => *count += 1,
            None => {
                self.0.insert(reason.to_owned(), (what(), 1));
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One line for each reason, with the first that it concerns.
    pub fn words(&self) -> Vec<String> {
        let line = |(reason, (first, count)): (&String, &(String, usize))| match count.saturating_sub(1) {
            0 => format!("skipped: {first}: {reason}"),
            more => format!("skipped: {first} and {more} more: {reason}"),
        };
        self.0.iter().map(line).collect()
    }
}

impl Snapshot {
    /// Builds from parts that may be invalid. Left out are components of unknown types with their relations, relations that the
    /// model does not allow or that close a containment cycle, and groups that a file could not declare.
    pub fn checked(model: Model, parts: Parts<'_>, left_out: &mut Rejected) -> Snapshot {
        let Parts { components, relations, groups } = parts;
        let (components, places) = placed(&model, components, left_out);
        let edges = edges(&model, &components, &places, &relations, left_out);
        let edges = without_circles(&model, &components, edges, left_out);
        let groups = good_groups(&components, &places, groups, left_out);
        Snapshot::new(model, components, edges, groups)
    }
}

/// Components of known types in the order of their ids, and for each position given where it is now.
fn placed(model: &Model, components: Vec<Component>, left_out: &mut Rejected) -> (Vec<Component>, Vec<Option<ComponentId>>) {
    let mut places = vec![None; components.len()];
    let mut kept: Vec<(usize, Component)> = Vec::with_capacity(components.len());
    for (at, mut component) in components.into_iter().enumerate() {
        if !model.types.contains_key(&component.kind) {
            let Some(found) = model.find_type(&component.kind) else {
                left_out.add(&format!("the model has no component type `{}`", component.kind), || format!("`{}`", component.id));
                continue;
            };
            component.kind.clone_from(&found.name);
        }
        kept.push((at, component));
    }
    kept.sort_by(|(_, a), (_, b)| a.id.cmp(&b.id));
    for (new, (old, _)) in (0u32..).zip(&kept) {
        if let Some(place) = places.get_mut(*old) {
            *place = Some(ComponentId(new));
        }
    }
    (kept.into_iter().map(|(_, component)| component).collect(), places)
}

/// A relation kind, and the types allowed at its ends: walking up the type tree for every relation would dominate the cost.
struct Ends<'m> {
    index: KindIndex,
    name: &'m str,
    from: Option<BTreeSet<&'m str>>,
    to: Option<BTreeSet<&'m str>>,
}

impl<'m> Ends<'m> {
    fn new(model: &'m Model, kind: &'m RelationKind, index: KindIndex) -> Self {
        // No list, or the root of all types in it, means any.
        let allowed = |types: &[String]| {
            let any = types.is_empty() || types.iter().any(|name| name == ROOT_TYPE);
            let fits = |name: &&str| types.iter().any(|one| model.is_a(name, one));
            (!any).then(|| model.types.keys().map(String::as_str).filter(fits).collect::<BTreeSet<&str>>())
        };
        Self { index, name: &kind.name, from: allowed(&kind.from), to: allowed(&kind.to) }
    }

    fn fit(&self, from: &Component, to: &Component) -> bool {
        let allows =
            |types: Option<&BTreeSet<&str>>, component: &Component| types.is_none_or(|types| types.contains(component.kind.as_str()));
        allows(self.from.as_ref(), from) && allows(self.to.as_ref(), to)
    }
}

/// Sorted, each once.
fn edges(
    model: &Model,
    components: &[Component],
    places: &[Option<ComponentId>],
    relations: &[(u32, &str, u32)],
    left_out: &mut Rejected,
) -> Vec<Edge> {
    let kinds: BTreeMap<&str, Ends<'_>> =
        model.relations.iter().zip((0u16..).map(KindIndex)).map(|((name, kind), at)| (name.as_str(), Ends::new(model, kind, at))).collect();
    let end = |at: u32| {
        let place = places.get(at as usize).copied().flatten()?;
        Some((place, components.get(place.0 as usize)?))
    };
    let mut edges = Vec::with_capacity(relations.len());
    for (from, kind, to) in relations {
        // One end was left out, which is already reported.
        let (Some((from, start)), Some((to, stop))) = (end(*from), end(*to)) else { continue };
        let words = || format!("`{} {kind} {}`", start.id, stop.id);
        let ends = kinds.get(kind).or_else(|| kinds.get(model.find_relation(kind)?.name.as_str()));
        let Some(ends) = ends else {
            left_out.add(&format!("the model has no relation kind `{kind}`"), words);
            continue;
        };
        if from == to {
            left_out.add("a component cannot have a relation to itself", words);
        } else if ends.fit(start, stop) {
            edges.push(Edge { from, kind: ends.index, to });
        } else {
            left_out.add(&format!("`{}` cannot go from `{}` to `{}`", ends.name, start.kind, stop.kind), words);
        }
    }
    edges.sort_unstable();
    edges.dedup();
    edges
}

/// Removes from every containment cycle the relation that closes it.
fn without_circles(model: &Model, components: &[Component], edges: Vec<Edge>, left_out: &mut Rejected) -> Vec<Edge> {
    let kinds: Vec<&RelationKind> = model.relations.values().collect();
    let hold = |edge: &Edge| match kinds.get(usize::from(edge.kind.0))?.containment {
        Containment::EndHolds => Some(Hold { holder: edge.to, held: edge.from, edge: *edge }),
        Containment::StartHolds => Some(Hold { holder: edge.from, held: edge.to, edge: *edge }),
        Containment::None => None,
    };
    let found = circles(edges.iter().filter_map(hold).collect());
    let closing: BTreeSet<Edge> = found.iter().filter_map(|circle| Some(circle.last()?.edge)).collect();
    if closing.is_empty() {
        return edges;
    }
    let id = |at: ComponentId| components.get(at.0 as usize).map_or("", |component| component.id.as_str());
    for edge in &closing {
        let kind = kinds.get(usize::from(edge.kind.0)).map_or("", |kind| kind.name.as_str());
        left_out.add("it closes a containment cycle", || format!("`{} {kind} {}`", id(edge.from), id(edge.to)));
    }
    edges.into_iter().filter(|edge| !closing.contains(edge)).collect()
}

/// In the order of their ids. A group whose members are gone keeps its `need`, as in [`Snapshot::without`].
fn good_groups(
    components: &[Component],
    places: &[Option<ComponentId>],
    said: Vec<(String, Vec<u32>, u64)>,
    left_out: &mut Rejected,
) -> Vec<Group> {
    let mut good: BTreeMap<String, Group> = BTreeMap::new();
    for (id, members, need) in said {
        let words = || format!("group `{id}`");
        let members: BTreeSet<ComponentId> = members.iter().filter_map(|member| places.get(*member as usize).copied().flatten()).collect();
        if components.binary_search_by(|component| component.id.as_str().cmp(&id)).is_ok() {
            left_out.add("a component already has this id", words);
        } else if members.is_empty() {
            left_out.add("none of its members exists", words);
        } else if need == 0 {
            left_out.add("a group needs at least one member", words);
        } else {
            let need = usize::try_from(need).unwrap_or(usize::MAX);
            good.insert(id.clone(), Group { id, members: members.into_iter().collect(), need });
        }
    }
    good.into_values().collect()
}
