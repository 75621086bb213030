//! Snapshots that came about by changes against snapshots that were built from scratch: every answer must be the same.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{
    ComponentId, Declared, DeclaredComponent, DeclaredGroup, DeclaredRelation, Hop, Model, PeerScope, Relation, Removed, Snapshot, State,
    base_model, build, build_declared,
};
use diag::{Diagnostic, Sources};

/// Components that may be in an estate, and groups.
const IDS: usize = 10;
const GROUPS: usize = 2;
const TYPES: [&str; 3] = ["service", "postgres", "database"];
const KINDS: [&str; 5] = ["helps", "holds", "leans_on", "mirrors", "only"];
const EFFECTS: [Option<State>; 4] = [None, None, Some(State::Down), Some(State::AtRisk)];

fn model() -> Model {
    let mut sources = Sources::default();
    let any = "from: [component], to: [component]";
    let text = format!(
        "types:
  postgres: {{parent: database}}
relations:
  leans_on: {{{any}, travel: to_start, effect: down}}
  helps: {{{any}, travel: to_end, effect: degraded}}
  mirrors: {{{any}, travel: both, effect: at_risk}}
  holds: {{{any}, travel: to_end, effect: down, containment: start_holds}}
  only: {{from: [service], to: [component], travel: to_start, effect: degraded}}
"
    );
    let file = sources.add("model.yaml", text);
    let (snapshot, said) = build(&sources, &[file], &[]);
    assert_eq!(said.len(), 0, "{said:?}");
    snapshot.model().clone()
}

// ---- all answers, with components by their ids ----------------------------------------------------------------------

fn answers(estate: &Snapshot) -> Vec<String> {
    let id = |at: ComponentId| estate.component(at).id.clone();
    let ids = |all: &[ComponentId]| all.iter().map(|at| id(*at)).collect::<Vec<_>>().join(" ");
    let way = |hops: &[Hop]| hops.iter().map(|hop| format!("{:?} {}", hop.via, id(hop.component))).collect::<Vec<_>>().join(", ");
    let related = |all: &[Relation]| {
        all.iter().map(|one| format!("{} {} {} {:?}", id(one.from), one.kind, id(one.to), one.effect)).collect::<Vec<_>>().join(", ")
    };
    let mut said = vec![format!("{} {:?}", estate.len(), estate.is_empty()), format!("{:?}", estate.declared("x"))];
    said.push(related(&estate.relations().collect::<Vec<_>>()));
    for group in estate.groups() {
        said.push(format!("{} {} of {}", group.id, group.need, ids(&group.members)));
        assert_eq!(estate.group(&group.id), Some(group));
    }
    for word in (0..IDS).flat_map(|at| [name(at), format!("n{at}"), format!("a{at}")]) {
        said.push(format!("{word}: {:?} {:?}", estate.find(&word).map(id), estate.find_named(&word).map(id)));
    }
    for kind in ["component", "service", "postgres", "database", "数据库"] {
        said.push(format!("{kind}: {}", ids(&estate.of_type(kind))));
    }
    let all: Vec<ComponentId> = estate.ids().collect();
    assert!(all.is_sorted() && all.iter().map(|at| id(*at)).is_sorted() && all.len() == estate.len());
    for points in estate.single_points() {
        said.push(format!("{} takes down {}", id(points.component), ids(&points.takes_down)));
    }
    for (nth, &at) in all.iter().enumerate() {
        let one = format!("{:?}", estate.component(at));
        let groups = estate.groups_of(at).map(|group| group.id.as_str()).collect::<Vec<_>>().join(" ");
        said.push(format!("{one} in {groups}"));
        said.push(format!("{} | {}", related(&estate.relations_from(at)), related(&estate.relations_to(at))));
        said.push(format!("{} | {}", ids(&estate.holders(at)), ids(&estate.held(at))));
        said.push(format!("{} | {}", ids(&estate.peers(at, PeerScope::Estate)), ids(&estate.peers(at, PeerScope::Group))));
        said.push(format!("{} | {}", ids(&estate.next_to(at, &[], true)), ids(&estate.next_to(at, &[], false))));
        let reached = |found: Vec<super::Reached>| found.iter().map(|r| format!("{}@{}", id(r.component), r.distance)).collect::<Vec<_>>();
        let via = ["leans_on".to_owned(), "holds".to_owned()];
        said.push(format!("{:?}", reached(estate.dependents(at, &[], None))));
        said.push(format!("{:?}", reached(estate.dependents(at, &via, Some(2)))));
        said.push(format!("{:?}", reached(estate.dependencies(at, &[], None))));
        said.push(format!("{} | {}", ids(&estate.single_points_of(at)), ids(&estate.carried_by(at))));
        let other = all[(nth + 1) % all.len()];
        for roots in [vec![(at, State::Down)], vec![(at, State::Degraded)], vec![(other, State::Down), (at, State::Down)]] {
            for one in estate.impact(&roots, None) {
                said.push(format!("{} {} {:?} by {}", id(one.component), one.distance, one.state, way(&one.path)));
            }
            said.extend(estate.states(&roots, Some(2)).iter().map(|(at, state)| format!("{} {state:?}", id(*at))));
        }
        for cause in estate.causes(&[at, other], None) {
            said.push(format!("{} causes {} in {}", id(cause.component), ids(&cause.reaches), cause.distance));
        }
        for other in [other, all[(nth + 3) % all.len()]] {
            said.push(estate.path(at, other).map(|hops| way(&hops)).unwrap_or_default());
            said.extend(estate.ways(at, other, 3).iter().map(|way| ids(way)));
        }
    }
    said
}

// ---- the same changes to plain lists ---------------------------------------------------------------------------------

fn name(at: usize) -> String {
    format!("c{at}")
}

/// A component or a group.
fn end(at: usize) -> String {
    if at < IDS { name(at) } else { format!("g{}", at - IDS) }
}

#[derive(Debug, Clone)]
struct Change {
    /// Type, tier, name, alias; and whether it extends.
    components: BTreeMap<usize, (usize, usize, usize, usize, bool)>,
    relations: Vec<(usize, usize, usize, usize)>,
    groups: BTreeMap<usize, (BTreeSet<usize>, usize)>,
    gone: BTreeSet<usize>,
    /// Which of the relations that are there.
    cut: Vec<usize>,
    gone_groups: BTreeSet<usize>,
}

fn changes() -> impl Strategy<Value = Change> {
    let component = (0..TYPES.len(), 0usize..3, 0usize..4, 0usize..4, prop::bool::weighted(0.3));
    let ends = IDS + GROUPS;
    let group = (prop::collection::btree_set(0..IDS, 1..4), 1usize..4);
    let put = (
        prop::collection::btree_map(0..IDS, component, 0..4),
        prop::collection::vec((0..ends, 0..KINDS.len(), 0..ends, 0..EFFECTS.len()), 0..6),
        prop::collection::btree_map(0..GROUPS, group, 0..2),
    );
    let gone =
        (prop::collection::btree_set(0..IDS, 0..2), prop::collection::vec(0usize..100, 0..2), prop::collection::btree_set(0..GROUPS, 0..2));
    (put, gone).prop_map(|((components, relations, groups), (gone, cut, gone_groups))| Change {
        components,
        relations,
        groups,
        gone,
        cut,
        gone_groups,
    })
}

#[derive(Debug, Default)]
struct World {
    components: BTreeMap<String, DeclaredComponent>,
    relations: BTreeMap<(String, String, String), Option<State>>,
    groups: BTreeMap<String, DeclaredGroup>,
    /// Members that are not there any more; they still count for `need`.
    ghosts: Vec<String>,
}

impl World {
    fn declared(&self) -> Declared {
        let relation = |((from, kind, to), effect): (&(String, String, String), &Option<State>)| relation(from, kind, to, *effect);
        Declared {
            components: self.components.values().cloned().collect(),
            relations: self.relations.iter().map(relation).collect(),
            groups: self.groups.values().cloned().collect(),
            broken: self.ghosts.clone(),
        }
    }

    fn built(&self, model: &Model) -> Snapshot {
        let (snapshot, complaints) = build_declared(model.clone(), self.declared());
        assert_eq!(complaints.len(), 0, "{complaints:?}");
        snapshot
    }

    /// The change as it is declared here and now.
    fn say(&self, change: &Change) -> (Declared, Removed) {
        let component = |(at, (kind, tier, called, alias, extends)): (&usize, &(usize, usize, usize, usize, bool))| DeclaredComponent {
            id: name(*at),
            kind: if *extends { String::new() } else { TYPES[*kind].to_owned() },
            name: (*called > 1).then(|| format!("n{called}")),
            tier: (*tier > 0).then(|| ["core", "minor"][tier - 1].to_owned()),
            aliases: if *alias > 1 { vec![format!("a{alias}")] } else { Vec::new() },
            extends: *extends,
            ..DeclaredComponent::default()
        };
        let group = |(at, (members, need)): (&usize, &(BTreeSet<usize>, usize))| DeclaredGroup {
            id: end(IDS + at),
            members: members.iter().map(|at| name(*at)).collect(),
            need: (*need).min(members.len()) as u64,
            ..DeclaredGroup::default()
        };
        let declared = Declared {
            components: change.components.iter().map(component).collect(),
            relations: change
                .relations
                .iter()
                .map(|(from, kind, to, e)| relation(&end(*from), KINDS[*kind], &end(*to), EFFECTS[*e]))
                .collect(),
            groups: change.groups.iter().map(group).collect(),
            broken: Vec::new(),
        };
        let there: Vec<&(String, String, String)> = self.relations.keys().collect();
        let cut = change.cut.iter().filter(|_| !there.is_empty()).map(|at| there[at % there.len()]);
        let removed = Removed {
            components: change.gone.iter().map(|at| name(*at)).collect(),
            relations: cut.map(|(from, kind, to)| relation(from, kind, to, None)).collect(),
            groups: change.gone_groups.iter().map(|at| end(IDS + at)).collect(),
        };
        (declared, removed)
    }

    /// Whether something was refused.
    fn apply(&mut self, declared: &Declared, removed: &Removed) -> bool {
        for one in &removed.relations {
            self.relations.remove(&(one.from.clone(), one.kind.clone(), one.to.clone()));
        }
        for id in &removed.groups {
            self.groups.remove(id);
        }
        for id in removed.components.iter().filter(|id| self.components.contains_key(*id)).cloned().collect::<Vec<_>>() {
            self.components.remove(&id);
            self.relations.retain(|(from, _, to), _| *from != id && *to != id);
            for group in self.groups.values_mut() {
                for member in group.members.iter_mut().filter(|member| **member == id) {
                    *member = format!("ghost{}", self.ghosts.len());
                    self.ghosts.push(member.clone());
                }
            }
        }
        let components = &self.components;
        self.groups.retain(|_, group| group.members.iter().any(|member| components.contains_key(member)));
        let mut refused = false;
        for one in &declared.components {
            if !one.extends {
                self.components.insert(one.id.clone(), one.clone());
            } else if let Some(known) = self.components.get_mut(&one.id) {
                known.name = one.name.clone().or(known.name.take());
                known.tier = one.tier.clone().or(known.tier.take());
                known.aliases.extend(one.aliases.iter().cloned());
                known.aliases.sort();
                known.aliases.dedup();
            } else {
                refused = true;
            }
        }
        let before = self.relations.len();
        let components = &self.components;
        self.relations.retain(|(from, kind, _), _| kind != "only" || components[from].kind == "service");
        refused |= self.relations.len() < before;
        for one in &declared.groups {
            let mut one = one.clone();
            let strangers = one.members.iter_mut().filter(|member| !self.components.contains_key(member.as_str()));
            let mut all = true;
            for member in strangers {
                *member = format!("ghost{}", self.ghosts.len());
                self.ghosts.push(member.clone());
                (refused, all) = (true, false);
            }
            if all || one.members.iter().any(|member| self.components.contains_key(member)) {
                self.groups.insert(one.id.clone(), one);
            }
        }
        self.relate(&declared.relations) || refused
    }

    fn relate(&mut self, said: &[DeclaredRelation]) -> bool {
        let mut refused = false;
        let mut effects: BTreeMap<(String, String, String), Option<State>> = BTreeMap::new();
        for one in said {
            let (starts, stops) = (self.ends(&one.from), self.ends(&one.to));
            refused |= starts.is_empty() || stops.is_empty();
            for (from, to) in starts.iter().flat_map(|from| stops.iter().map(move |to| (from, to))) {
                if from == to {
                    refused |= one.from == one.to && self.components.contains_key(&one.from);
                } else if one.kind == "only" && self.components[from].kind != "service" {
                    refused = true;
                } else {
                    let known = effects.entry((from.clone(), one.kind.clone(), to.clone())).or_default();
                    *known = known.or(one.effect);
                }
            }
        }
        for ((from, kind, to), effect) in effects {
            if kind == "holds" && self.holds(&to, &from) {
                refused = true;
                continue;
            }
            let known = self.relations.entry((from, kind, to)).or_default();
            *known = effect.or(*known);
        }
        refused
    }

    /// A component, or the members of a group.
    fn ends(&self, id: &str) -> Vec<String> {
        let named = || vec![id.to_owned()];
        let all = self.groups.get(id).map_or_else(named, |group| group.members.clone());
        all.into_iter().filter(|id| self.components.contains_key(id)).collect()
    }

    fn holds(&self, holder: &str, held: &str) -> bool {
        holder == held || self.relations.keys().any(|(from, kind, to)| from == holder && kind == "holds" && self.holds(to, held))
    }
}

fn relation(from: &str, kind: &str, to: &str, effect: Option<State>) -> DeclaredRelation {
    DeclaredRelation { from: from.to_owned(), kind: kind.to_owned(), to: to.to_owned(), effect, ..DeclaredRelation::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// In a base without room for additions, some changes must fold.
    #[test]
    fn a_changed_estate_answers_like_a_new_one(
        first in prop::collection::vec(changes(), 1..4), then in prop::collection::vec(changes(), 1..6), room in prop::sample::select(vec![1u32, 2, 20])
    ) {
        let model = model();
        let mut world = World::default();
        for change in &first {
            let (declared, removed) = world.say(change);
            world.apply(&declared, &removed);
        }
        let mut estate = world.built(&model).rebuilt(|_| true, room);
        for change in &then {
            let (declared, removed) = world.say(change);
            let (before, kept) = (answers(&estate), estate.clone());
            let (next, complaints) = estate.with(&declared, &removed);
            let refused = world.apply(&declared, &removed);
            prop_assert_eq!(refused, !complaints.is_empty(), "{:?}", complaints);
            prop_assert_eq!(answers(&next), answers(&world.built(&model)));
            prop_assert_eq!(answers(&kept), before);
            estate = next;
        }
        let all = answers(&estate);
        prop_assert_eq!(&answers(&estate.folded()), &all);
        prop_assert_eq!(&answers(&estate.without(&BTreeSet::new())), &all);
        prop_assert_eq!(estate.folded().overlaid(), 0);
    }
}

// ---- single cases ----------------------------------------------------------------------------------------------------

fn component(id: &str, kind: &str) -> DeclaredComponent {
    DeclaredComponent { id: id.to_owned(), kind: kind.to_owned(), ..DeclaredComponent::default() }
}

fn group(id: &str, members: &[&str], need: u64) -> DeclaredGroup {
    DeclaredGroup { id: id.to_owned(), members: members.iter().map(|id| (*id).to_owned()).collect(), need, ..DeclaredGroup::default() }
}

fn rack() -> Snapshot {
    let declared = Declared {
        components: vec![component("db", "database"), component("host", "host"), component("rack", "rack"), component("web", "service")],
        relations: vec![relation("db", "runs_on", "host", None), relation("rack", "contains", "host", None)],
        groups: vec![group("pair", &["db", "web"], 1)],
        ..Declared::default()
    };
    let (estate, complaints) = build_declared(base_model(), declared);
    assert_eq!(complaints.len(), 0, "{complaints:?}");
    estate
}

fn texts(complaints: &[Diagnostic]) -> Vec<String> {
    complaints.iter().map(|one| format!("{} {}", one.code, one.message)).collect()
}

#[test]
fn a_bad_item_is_refused_and_the_good_ones_go_in() {
    let estate = rack();
    let cases: [(Declared, &str); 9] = [
        (
            Declared { components: vec![component("db", "databse")], ..Declared::default() },
            "F3006 component `db` has the type `databse`, which the model does not declare",
        ),
        (
            Declared { components: vec![component("pair", "service")], ..Declared::default() },
            "F3005 `pair` is declared twice: a component and a group cannot share an id",
        ),
        (
            Declared { components: vec![DeclaredComponent { extends: true, ..component("dbb", "") }], ..Declared::default() },
            "F3022 `dbb` is extended, but nothing declares it",
        ),
        (
            Declared { components: vec![DeclaredComponent { extends: true, ..component("db", "host") }], ..Declared::default() },
            "F3022 `db` is a database, which cannot become a host",
        ),
        (
            Declared { relations: vec![relation("web", "calls", "dbb", None)], ..Declared::default() },
            "F3007 a relation names `dbb`, which does not exist",
        ),
        (
            Declared { relations: vec![relation("host", "contains", "rack", None)], ..Declared::default() },
            "F3010 `host` contains itself: host → rack → host",
        ),
        (Declared { groups: vec![group("pair", &["db"], 2)], ..Declared::default() }, "F3013 group `pair` needs 2 of its 1 members"),
        (
            Declared { groups: vec![group("web", &["db"], 1)], ..Declared::default() },
            "F3005 `web` is declared twice: a component and a group cannot share an id",
        ),
        (
            Declared { groups: vec![group("other", &["dbb"], 1)], ..Declared::default() },
            "F3014 member `dbb` of group `other` does not exist",
        ),
    ];
    let (with_cache, _) =
        estate.with(&Declared { components: vec![component("cache", "redis")], ..Declared::default() }, &Removed::default());
    for (mut declared, expected) in cases {
        declared.components.push(component("cache", "redis"));
        let (next, complaints) = estate.with(&declared, &Removed::default());
        assert_eq!(texts(&complaints), [expected]);
        assert_eq!(answers(&next), answers(&with_cache), "{expected}");
    }
}

#[test]
fn a_component_that_changes_its_type_loses_what_does_not_fit() {
    let (next, complaints) =
        rack().with(&Declared { components: vec![component("host", "service")], ..Declared::default() }, &Removed::default());
    assert_eq!(texts(&complaints), ["F3008 `runs_on` cannot go from `db` (database) to `host` (service)"]);
    let left: Vec<String> = next.relations().map(|one| one.kind).collect();
    assert_eq!(left, ["contains"]);
}

#[test]
fn what_is_there_keeps_its_number_and_what_is_said_again_costs_nothing() {
    let estate = rack();
    let (same, complaints) = estate.with(&estate.declared(""), &Removed::default());
    assert_eq!((texts(&complaints).len(), same.overlaid()), (0, 0));
    let fresh = Declared {
        components: vec![component("dba", "database"), component("aa", "host"), component("zz", "host")],
        relations: vec![relation("dba", "runs_on", "host", None)],
        ..Declared::default()
    };
    let (next, complaints) = estate.with(&fresh, &Removed::default());
    assert_eq!(texts(&complaints).len(), 0);
    assert!(estate.ids().all(|id| next.find(&estate.component(id).id) == Some(id)));
    // The added ones, and the host.
    assert_eq!((next.len(), next.overlaid()), (7, 4));
    let gone = Removed { components: ["dba", "aa", "zz", "nobody"].map(str::to_owned).into(), ..Removed::default() };
    let (back, complaints) = next.with(&Declared::default(), &gone);
    assert_eq!(texts(&complaints).len(), 0);
    assert_eq!(answers(&back), answers(&estate));
}

#[test]
fn a_change_leads_from_one_declaration_to_another() {
    let before = rack().declared("");
    let mut after = before.clone();
    after.components.retain(|one| one.id != "host");
    after.components.push(component("cache", "redis"));
    after.components.push(DeclaredComponent { owner: Some("ops".to_owned()), ..component("web", "service") });
    after.components.retain(|one| one.id != "web" || one.owner.is_some());
    after.relations = vec![relation("web", "calls", "cache", None), relation("web", "calls", "db", Some(State::Down))];
    after.groups = vec![group("pair", &["web"], 1)];
    let (declared, removed) = after.since(&before);
    assert_eq!((declared.components.len(), removed.components.as_slice()), (2, ["host".to_owned()].as_slice()));
    let (next, complaints) = rack().with(&declared, &removed);
    assert_eq!(texts(&complaints).len(), 0);
    let (built, complaints) = build_declared(base_model(), after.clone());
    assert_eq!(complaints.len(), 0, "{complaints:?}");
    assert_eq!(answers(&next), answers(&built));
    assert_eq!(after.since(&after), (Declared::default(), Removed::default()));
}

#[test]
fn values_by_component_reach_the_added_ones() {
    let estate = rack();
    let (next, _) = estate.with(&Declared { components: vec![component("dba", "database")], ..Declared::default() }, &Removed::default());
    let added = next.find("dba").unwrap();
    let mut table = next.table(1u8);
    *table.get_mut(added).unwrap() = 7;
    let all: Vec<Option<u8>> = next.ids().map(|id| table.get(id)).collect();
    assert_eq!(all, [Some(1), Some(7), Some(1), Some(1), Some(1)]);
    assert_eq!((estate.table(1u8).get(added), table.get(ComponentId(u32::MAX))), (None, None));
}
