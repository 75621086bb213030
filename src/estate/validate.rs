//! Groups and relations against the components and the model.

use std::collections::{BTreeMap, BTreeSet};

use diag::{Code, Diagnostic, Place, Text, suggestion, text};
use rustc_hash::FxHashMap;
use value::fields::listed;

use super::component::{Component, ComponentId, Group};
use super::cycles::{Hold, circles};
use super::declared::{DeclaredGroup, DeclaredRelation};
use super::dropped::Dropped;
use super::graph::{Edge, KindIndex};
use super::model::{Containment, Model, ROOT_TYPE, RelationKind, State};
use super::resolve::problem;
use super::slots::Slots;
use super::snapshot::Snapshot;

/// A search for the nearest id looks at every id. After this many, the whole file is wrong, and "did you mean" does not help.
const MOST_SUGGESTIONS: usize = 100;

/// A cycle is named up to this many components; the rest is counted.
const LONGEST_NAMED_CIRCLE: usize = 8;

/// Every id that a relation or a group may name.
pub(super) struct Names<'d> {
    known: Known<'d>,
    /// Those that are declared now.
    groups: BTreeMap<&'d str, NamedGroup>,
    /// Declared, but wrong and reported already.
    broken: &'d BTreeSet<String>,
}

enum Known<'d> {
    /// An estate that is being built.
    New {
        components: &'d [Component],
        slots: &'d Slots,
        by_id: FxHashMap<&'d str, ComponentId>, // lookup only
    },
    /// One that changes.
    Estate(&'d Snapshot),
}

struct NamedGroup {
    place: Option<Place>,
    members: Vec<ComponentId>,
}

/// What an id refers to.
enum Found<'a> {
    Component(ComponentId),
    Group(&'a [ComponentId]),
    Broken,
    Nothing,
}

impl<'d> Names<'d> {
    /// `components` in the order of their ids.
    pub fn new(components: &'d [Component], slots: &'d Slots, broken: &'d BTreeSet<String>) -> Self {
        let ids = components.iter().map(|component| component.id.as_str());
        let by_id = ids.zip((0u32..).map(|slot| slots.id(slot))).collect();
        Names { known: Known::New { components, slots, by_id }, groups: BTreeMap::new(), broken }
    }

    /// The components and groups of an estate, and what more is declared.
    pub fn of(estate: &'d Snapshot, broken: &'d BTreeSet<String>) -> Self {
        Names { known: Known::Estate(estate), groups: BTreeMap::new(), broken }
    }

    fn find_component(&self, id: &str) -> Option<ComponentId> {
        match &self.known {
            Known::New { by_id, .. } => by_id.get(id).copied(),
            Known::Estate(estate) => estate.find(id),
        }
    }

    /// The members of a group that is declared now, else of one that was there before.
    fn members(&self, id: &str) -> Option<&[ComponentId]> {
        match (self.groups.get(id), &self.known) {
            (Some(group), _) => Some(&group.members),
            (None, Known::New { .. }) => None,
            (None, Known::Estate(estate)) => estate.group(id).map(|group| group.members.as_slice()),
        }
    }

    fn find(&self, id: &str) -> Found<'_> {
        if let Some(component) = self.find_component(id) {
            Found::Component(component)
        } else if let Some(members) = self.members(id) {
            Found::Group(members)
        } else if self.broken.contains(id) {
            Found::Broken
        } else {
            Found::Nothing
        }
    }

    /// Whether an id refers to something, or to what is wrong and reported already.
    pub fn has(&self, id: &str) -> bool {
        !matches!(self.find(id), Found::Nothing)
    }

    /// Where an id was first declared.
    fn first_place(&self, id: &str) -> Option<Place> {
        match self.find_component(id).and_then(|at| self.component(at)) {
            Some(component) => component.place,
            None => self.groups.get(id)?.place,
        }
    }

    /// Whether a new group must have another id. A group that was there before is replaced.
    fn is_taken(&self, id: &str) -> bool {
        match self.find(id) {
            Found::Component(_) | Found::Broken => true,
            Found::Group(_) => self.groups.contains_key(id),
            Found::Nothing => false,
        }
    }

    fn component(&self, id: ComponentId) -> Option<&'d Component> {
        match &self.known {
            Known::New { components, slots, .. } => components.get(slots.slot(id) as usize),
            Known::Estate(estate) => Some(estate.component(id)),
        }
    }

    fn nearest(&self, id: &str, asked: &mut usize) -> Option<Text> {
        *asked += 1;
        if *asked > MOST_SUGGESTIONS {
            return None;
        }
        let groups = self.groups.keys().copied();
        match &self.known {
            Known::New { components, .. } => suggestion(id, components.iter().map(|component| component.id.as_str()).chain(groups)),
            Known::Estate(estate) => {
                let ids = estate.ids().map(|at| estate.component(at).id.as_str());
                suggestion(id, ids.chain(estate.groups().map(|group| group.id.as_str())).chain(groups))
            }
        }
    }
}

/// Redundancy groups, in the order of their ids; from here on `names` knows them.
pub(super) fn groups<'d>(complaints: &mut Vec<Diagnostic>, declared: &'d [DeclaredGroup], names: &mut Names<'d>) -> Vec<Group> {
    let mut good = Vec::new();
    let mut asked = 0;
    for said in declared {
        let place = said.places.as_ref().map(|places| places.id);
        if names.is_taken(&said.id) {
            let message = text!("`{}` is declared twice: a component and a group cannot share an id", said.id);
            let report = problem(Code::DUPLICATE_ID, place, message).label("declared again");
            complaints.push(match names.first_place(&said.id) {
                Some(first) => report.related(first, "first declared here"),
                None => report,
            });
            continue;
        }
        let members = members(complaints, said, names, &mut asked);
        if let Some(need) = need(complaints, said)
            && !members.is_empty()
        {
            good.push(Group { id: said.id.clone(), members: members.clone(), need });
        }
        names.groups.insert(&said.id, NamedGroup { place, members });
    }
    good.sort_by(|a: &Group, b| a.id.cmp(&b.id));
    good
}

/// The members that exist, ascending, each once.
fn members(complaints: &mut Vec<Diagnostic>, said: &DeclaredGroup, names: &Names<'_>, asked: &mut usize) -> Vec<ComponentId> {
    let group = &said.id;
    let mut members = BTreeSet::new();
    for (at, id) in said.members.iter().enumerate() {
        let place = said.places.as_ref().and_then(|places| places.members.get(at)).copied();
        match names.find(id) {
            Found::Component(component) => {
                if !members.insert(component)
                    && let Some(place) = place
                {
                    let message = text!("group `{}` lists `{}` twice", group, id);
                    complaints.push(Diagnostic::warning(Code::GROUP_MEMBER, place, message));
                }
            }
            Found::Group(_) => {
                let message = text!("`{}` is a group and cannot be a member of group `{}`", id, group);
                complaints.push(problem(Code::GROUP_MEMBER, place, message).help("list its members instead"));
            }
            Found::Broken => {}
            Found::Nothing => {
                let message = text!("member `{}` of group `{}` does not exist", id, group);
                let mut report = problem(Code::GROUP_MEMBER, place, message).label("unknown component");
                report.help = place.and_then(|_| names.nearest(id, asked));
                complaints.push(report);
            }
        }
    }
    members.into_iter().collect()
}

fn need(complaints: &mut Vec<Diagnostic>, said: &DeclaredGroup) -> Option<usize> {
    // Counted as declared: a member that does not exist is a separate error.
    let count = said.members.iter().collect::<BTreeSet<_>>().len();
    let need = usize::try_from(said.need).ok().filter(|need| (1..=count).contains(need));
    if need.is_none() {
        complaints.push(wrong_need(&said.id, said.need, count, said.places.as_ref().map(|places| places.need)));
    }
    need
}

pub(super) fn wrong_need(group: &str, need: impl std::fmt::Display, members: usize, place: Option<Place>) -> Diagnostic {
    let message = text!("group `{}` needs {} of its {} members", group, need, members);
    let report = problem(Code::GROUP_NEED, place, message);
    if members == 0 {
        report.help("list at least one member")
    } else {
        report.help(text!("`need` must be a whole number from 1 to {}", members))
    }
}

/// A relation kind, and the types allowed at its ends: walking up the type tree for every relation would dominate the cost.
struct Ends<'m> {
    index: KindIndex,
    kind: &'m RelationKind,
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
        Self { index, kind, from: allowed(&kind.from), to: allowed(&kind.to) }
    }

    fn fits(types: Option<&BTreeSet<&'m str>>, component: &Component) -> bool {
        types.is_none_or(|types| types.contains(component.kind.as_str()))
    }
}

/// Relations, sorted, each once, without circles of containment; the effects of those that have one of their own; and what is not so.
pub(super) fn relations(
    complaints: &mut Vec<Diagnostic>,
    model: &Model,
    declared: &[DeclaredRelation],
    names: &Names<'_>,
) -> (Vec<Edge>, BTreeMap<Edge, State>, Vec<Dropped>) {
    let mut check = Check::of(complaints, model, declared, names);
    let dropped = check.take_dropped();
    let effects = check.effects();
    check.drop_copies();
    check.cut_circles();
    (check.edges.into_iter().map(|(edge, _)| edge).collect(), effects, dropped)
}

/// A relation that is to be added to an estate.
pub(super) struct Related {
    pub edge: Edge,
    pub effect: Option<State>,
    pub place: Option<Place>,
}

/// The same for an estate that changes, which knows what holds what: circles are not looked for.
pub(super) fn more_relations(
    complaints: &mut Vec<Diagnostic>,
    model: &Model,
    declared: &[DeclaredRelation],
    names: &Names<'_>,
) -> Vec<Related> {
    let mut check = Check::of(complaints, model, declared, names);
    check.take_dropped();
    let effects = check.effects();
    check.drop_copies();
    let related = |(edge, at): &(Edge, u32)| Related { edge: *edge, effect: effects.get(edge).copied(), place: check.place(*at) };
    check.edges.iter().map(related).collect()
}

struct Check<'r, 'a> {
    complaints: &'r mut Vec<Diagnostic>,
    model: &'a Model,
    kinds: BTreeMap<&'a str, Ends<'a>>,
    declared: &'a [DeclaredRelation],
    names: &'a Names<'a>,
    /// How many ids were searched for their nearest.
    asked: usize,
    /// Words that were reported, by place: one word of a file stands in several relations if they are given as lists.
    unknown: BTreeSet<(Option<Place>, &'a str)>,
    /// Each with the position of its declaration.
    edges: Vec<(Edge, u32)>,
}

impl<'r, 'a> Check<'r, 'a> {
    /// Everything that is declared, each relation by itself.
    fn of(complaints: &'r mut Vec<Diagnostic>, model: &'a Model, declared: &'a [DeclaredRelation], names: &'a Names<'a>) -> Self {
        let kinds = model.relations.values().zip((0u16..).map(KindIndex)).map(|(kind, at)| Ends::new(model, kind, at));
        let kinds: BTreeMap<&str, Ends<'_>> = kinds.map(|ends| (ends.kind.name.as_str(), ends)).collect();
        let edges = Vec::with_capacity(declared.len());
        let mut check = Check { complaints, model, kinds, declared, names, asked: 0, unknown: BTreeSet::new(), edges };
        for (said, at) in declared.iter().zip(0u32..) {
            check.relation(said, at);
        }
        check
    }

    fn relation(&mut self, said: &'a DeclaredRelation, at: u32) {
        let places = said.places.as_deref();
        let (from, to) = (self.names.find(&said.from), self.names.find(&said.to));
        self.known(&from, &said.from, places.map(|places| places.from));
        self.known(&to, &said.to, places.map(|places| places.to));
        if self.kind(said).is_none() {
            self.unknown_kind(said, places.map(|places| places.kind));
            return;
        }
        match (&from, &to) {
            (Found::Component(from), Found::Component(to)) => self.pair(said, at, (*from, *to), true),
            (Found::Component(from), Found::Group(members)) => members.iter().for_each(|to| self.pair(said, at, (*from, *to), false)),
            (Found::Group(members), Found::Component(to)) => members.iter().for_each(|from| self.pair(said, at, (*from, *to), false)),
            (Found::Group(starts), Found::Group(ends)) => {
                for from in *starts {
                    ends.iter().for_each(|to| self.pair(said, at, (*from, *to), false));
                }
            }
            (Found::Broken | Found::Nothing, _) | (_, Found::Broken | Found::Nothing) => {}
        }
    }

    /// Reports an end that nothing declares.
    fn known(&mut self, found: &Found<'_>, id: &'a str, place: Option<Place>) {
        if !matches!(found, Found::Nothing) || !self.unknown.insert((place, id)) {
            return;
        }
        let message = text!("a relation names `{}`, which does not exist", id);
        let mut report = problem(Code::DANGLING_RELATION, place, message).label("unknown component");
        report.help = place.and_then(|_| self.names.nearest(id, &mut self.asked));
        self.complaints.push(report);
    }

    fn kind(&self, said: &DeclaredRelation) -> Option<&Ends<'a>> {
        self.kinds.get(said.kind.as_str()).or_else(|| self.kinds.get(self.model.find_relation(&said.kind)?.name.as_str()))
    }

    fn unknown_kind(&mut self, said: &'a DeclaredRelation, place: Option<Place>) {
        if !self.unknown.insert((place, &said.kind)) {
            return;
        }
        let kinds = self.model.relations.values().flat_map(|r| [Some(r.name.as_str()), r.zh.as_deref()]).flatten();
        let message = text!("the model declares no relation kind `{}`", said.kind);
        let mut report = problem(Code::UNKNOWN_RELATION_KIND, place, message).label("unknown kind");
        report.help =
            suggestion(&said.kind, kinds).or_else(|| Some(text!("one of {}", listed(&self.model.relations.keys().collect::<Vec<_>>()))));
        self.complaints.push(report);
    }

    /// `named`: both ends are named, none is a member of a group that is.
    fn pair(&mut self, said: &DeclaredRelation, at: u32, (start, end): (ComponentId, ComponentId), named: bool) {
        let Some(ends) = self.kind(said) else { return };
        let (Some(from), Some(to)) = (self.names.component(start), self.names.component(end)) else { return };
        let places = said.places.as_deref();
        if start == end {
            // "Every gateway calls the pool" means the other members of the pool.
            if named {
                let message = text!("`{}` cannot have a relation to itself", from.id);
                let place = places.map(|places| places.to);
                self.complaints.push(problem(Code::SELF_RELATION, place, message).label("the same component"));
            }
            return;
        }
        let (from_fits, to_fits) = (Ends::fits(ends.from.as_ref(), from), Ends::fits(ends.to.as_ref(), to));
        if from_fits && to_fits {
            let edge = Edge { from: start, kind: ends.index, to: end };
            self.edges.push((edge, at));
            return;
        }
        let kind = ends.kind;
        let message = text!("`{}` cannot go from `{}` ({}) to `{}` ({})", kind.name, from.id, from.kind, to.id, to.kind);
        let allowed = |types: &[String]| if types.is_empty() { text!("anything") } else { listed(types).into() };
        let help = text!("`{}` goes from {} to {}", kind.name, allowed(&kind.from), allowed(&kind.to));
        let (place, component) = if to_fits { (places.map(|p| p.from), from) } else { (places.map(|p| p.to), to) };
        let report = problem(Code::RELATION_TYPES, place, message).label(text!("this is a {}", component.kind)).help(help);
        self.complaints.push(report);
    }

    /// Takes out the relations that are said not to be so.
    fn take_dropped(&mut self) -> Vec<Dropped> {
        let declared = self.declared;
        if !declared.iter().any(|said| said.drop) {
            return Vec::new();
        }
        let is_dropped = |(_, at): &(Edge, u32)| declared.get(*at as usize).is_some_and(|said| said.drop);
        let (dropped, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.edges).into_iter().partition(is_dropped);
        let gone: BTreeSet<Edge> = dropped.iter().map(|(edge, _)| *edge).collect();
        let (there, kept): (Vec<_>, Vec<_>) = kept.into_iter().partition(|(edge, _)| gone.contains(edge));
        let there: BTreeSet<Edge> = there.into_iter().map(|(edge, _)| edge).collect();
        self.edges = kept;
        let id = |at: ComponentId| self.names.component(at).map_or_else(String::new, |component| component.id.clone());
        let taken = |(edge, at): (Edge, u32)| Dropped {
            relation: DeclaredRelation {
                from: id(edge.from),
                kind: self.kind_name(edge).to_owned(),
                to: id(edge.to),
                drop: true,
                places: declared.get(at as usize).and_then(|said| said.places.clone()),
                ..DeclaredRelation::default()
            },
            there: there.contains(&edge),
        };
        dropped.into_iter().map(taken).collect()
    }

    fn kind_name(&self, edge: Edge) -> &'a str {
        self.model.relations.values().nth(usize::from(edge.kind.0)).map_or("", |kind| kind.name.as_str())
    }

    /// Of several declarations of one relation, the first that has an effect counts.
    fn effects(&self) -> BTreeMap<Edge, State> {
        let mut effects = BTreeMap::new();
        for (edge, at) in &self.edges {
            if let Some(effect) = self.effect(*at) {
                effects.entry(*edge).or_insert(effect);
            }
        }
        effects
    }

    fn effect(&self, at: u32) -> Option<State> {
        self.declared.get(at as usize)?.effect
    }

    fn place(&self, at: u32) -> Option<Place> {
        self.declared.get(at as usize)?.places.as_ref().map(|places| places.to)
    }

    /// Sorts, and keeps of several copies the one that was declared first.
    fn drop_copies(&mut self) {
        self.edges.sort_unstable();
        let mut copies = Vec::new();
        self.edges.dedup_by(|again, first| {
            let same = again.0 == first.0;
            if same {
                copies.push((again.0, again.1, first.1));
            }
            same
        });
        for (edge, again, first) in copies {
            // Only a file can be mended; and it may say how hard a relation hits that something else declares.
            let adds = self.effect(again).is_some() != self.effect(first).is_some();
            let Some(place) = self.place(again).filter(|_| !adds) else { continue };
            let id = |at: ComponentId| self.names.component(at).map_or("", |component| component.id.as_str());
            let message = text!("`{} {} {}` is declared twice", id(edge.from), self.kind_name(edge), id(edge.to));
            let help = if self.effect(again).is_some() {
                text!("the first `effect` counts: give it once")
            } else {
                text!("leave it out, or say with `effect` how hard a fault hits along it")
            };
            let report = Diagnostic::warning(Code::DUPLICATE_RELATION, place, message).label("declared again").help(help);
            self.complaints.push(match self.place(first) {
                Some(first) => report.related(first, "first declared here"),
                None => report,
            });
        }
    }

    /// Reports every containment cycle, and removes the relation that closes it.
    fn cut_circles(&mut self) {
        let containment: Vec<Containment> = self.model.relations.values().map(|kind| kind.containment).collect();
        let holds = self.edges.iter().filter_map(|&(edge, _)| match containment.get(usize::from(edge.kind.0))? {
            Containment::EndHolds => Some(Hold { holder: edge.to, held: edge.from, edge }),
            Containment::StartHolds => Some(Hold { holder: edge.from, held: edge.to, edge }),
            Containment::None => None,
        });
        for circle in circles(holds.collect()) {
            let at = |edge: &Edge| self.edges.binary_search_by(|(one, _)| one.cmp(edge)).ok();
            let Some(closing) = circle.last().and_then(|hold| at(&hold.edge)) else { continue };
            let place = |at: usize| self.edges.get(at).and_then(|(_, declared)| self.place(*declared));
            let report = problem(Code::CONTAINMENT_CYCLE, place(closing), self.describe(&circle));
            let mut report = report.label("this closes the cycle");
            for hold in circle.iter().take(circle.len() - 1).take(LONGEST_NAMED_CIRCLE) {
                if let Some(place) = at(&hold.edge).and_then(place) {
                    report = report.related(place, "part of the cycle");
                }
            }
            self.complaints.push(report);
            self.edges.remove(closing);
        }
    }

    fn describe(&self, circle: &[Hold]) -> Text {
        let id = |component: ComponentId| self.names.component(component).map_or("", |c| c.id.as_str());
        circle_text(&circle.iter().map(|hold| id(hold.holder)).collect::<Vec<&str>>())
    }
}

/// `` `a` contains itself: a → b → a ``
pub(super) fn circle_text(ids: &[&str]) -> Text {
    let first = ids.first().copied().unwrap_or_default();
    let mut names: Vec<Text> = ids.iter().take(LONGEST_NAMED_CIRCLE).map(|id| (*id).to_owned().into()).collect();
    if ids.len() > LONGEST_NAMED_CIRCLE {
        names.push(text!("… {} more", ids.len() - LONGEST_NAMED_CIRCLE));
    }
    names.push(first.to_owned().into());
    text!("`{}` contains itself: {}", first, Text::joined(names, "{} → {}").unwrap_or_default())
}
