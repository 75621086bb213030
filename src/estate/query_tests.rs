//! Compares the walks over CSR rows with naive versions: every rule applied to every relation until nothing changes, all
//! paths enumerated.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;

use super::model::{State, Travel};
use super::{ComponentId, Snapshot, build};
use diag::Sources;

const KINDS: [&str; 4] = ["depends_on", "calls", "replicates", "serves"];

/// Components, relations (from, kind, to), groups (members, need).
type Estate = (usize, Vec<(usize, usize, usize)>, Vec<(Vec<usize>, usize)>);

fn estates() -> impl Strategy<Value = Estate> {
    (2usize..9).prop_flat_map(|n| {
        let relations = prop::collection::vec((0..n, 0..KINDS.len(), 0..n), 0..20);
        let groups = prop::collection::vec((prop::collection::btree_set(0..n, 1..4), 1usize..4), 0..3);
        let groups =
            groups.prop_map(|groups| groups.into_iter().map(|(m, need)| (m.iter().copied().collect(), need.min(m.len()))).collect());
        (Just(n), relations, groups)
    })
}

fn snapshot((n, relations, groups): &Estate) -> Snapshot {
    let mut text = String::from("components:\n");
    for at in 0..*n {
        let _ = writeln!(text, "  - {{id: c{at}, type: service}}");
    }
    text.push_str("relations:\n");
    let mut seen = std::collections::BTreeSet::new();
    for (from, kind, to) in relations.iter().filter(|(from, _, to)| from != to) {
        if seen.insert((from, kind, to)) {
            let _ = writeln!(text, "  - {{from: c{from}, kind: {}, to: c{to}}}", KINDS[*kind]);
        }
    }
    text.push_str("groups:\n");
    for (at, (members, need)) in groups.iter().enumerate() {
        let members: Vec<String> = members.iter().map(|member| format!("c{member}")).collect();
        let _ = writeln!(text, "  - {{id: g{at}, members: [{}], need: {need}}}", members.join(", "));
    }
    let mut sources = Sources::default();
    let file = sources.add("estate.yaml", text);
    // `serves` is between services here: other types do not matter to the walks.
    let model = sources.add("model.yaml", "relations:\n  serves: {from: [component], to: [component], travel: to_end, effect: degraded}\n  replicates: {from: [component], to: [component], travel: to_start, effect: degraded}\n");
    let (snapshot, said) = build(&sources, &[model], &[file]);
    assert!(said.iter().all(|d| !d.is_error()), "{said:?}");
    snapshot
}

/// Where a fault goes over a relation.
fn hops(estate: &Snapshot) -> Vec<(ComponentId, ComponentId, State)> {
    let mut hops = Vec::new();
    for relation in estate.relations() {
        let kind = estate.model().find_relation(&relation.kind).unwrap();
        if matches!(kind.travel, Travel::ToEnd | Travel::Both) {
            hops.push((relation.from, relation.to, kind.effect));
        }
        if matches!(kind.travel, Travel::ToStart | Travel::Both) {
            hops.push((relation.to, relation.from, kind.effect));
        }
    }
    hops
}

fn plain(estate: &Snapshot, roots: &[(ComponentId, State)], max_hops: Option<u32>) -> BTreeMap<ComponentId, (u32, State)> {
    let hops = hops(estate);
    let mut distance: BTreeMap<ComponentId, u32> = roots.iter().map(|(root, _)| (*root, 0)).collect();
    for round in 1..=max_hops.unwrap_or(100) {
        for (from, to, _) in &hops {
            if distance.get(from) == Some(&(round - 1)) {
                distance.entry(*to).or_insert(round);
            }
        }
    }
    let mut states: BTreeMap<ComponentId, State> = BTreeMap::new();
    for (root, state) in roots {
        let worst = states.get(root).copied().max(Some(*state)).unwrap();
        states.insert(*root, worst);
    }
    loop {
        let before = states.clone();
        for (from, to, effect) in hops.iter().filter(|(_, to, _)| distance.contains_key(to)) {
            let arrives = match before.get(from) {
                None => continue,
                Some(State::AtRisk | State::Degraded) => State::AtRisk,
                Some(State::Down) => {
                    let living = |members: &[ComponentId]| -> Vec<ComponentId> {
                        members.iter().copied().filter(|member| before.get(member) != Some(&State::Down)).collect()
                    };
                    let shields = estate.groups_of(*from).any(|group| {
                        let living = living(&group.members);
                        living.len() >= group.need && hops.iter().any(|(supplier, user, _)| user == to && living.contains(supplier))
                    });
                    if shields { (*effect).min(State::Degraded) } else { *effect }
                }
            };
            let worst = states.get(to).copied().max(Some(arrives)).unwrap();
            states.insert(*to, worst);
        }
        if states == before {
            break;
        }
    }
    distance.into_iter().filter(|(_, d)| *d > 0).filter_map(|(c, d)| Some((c, (d, *states.get(&c)?)))).collect()
}

/// Every loopless path.
fn all_ways(estate: &Snapshot, from: ComponentId, to: ComponentId) -> Vec<Vec<ComponentId>> {
    let hops = hops(estate);
    let (mut open, mut found) = (vec![vec![from]], Vec::new());
    while let Some(way) = open.pop() {
        let at = *way.last().unwrap();
        if at == to {
            found.push(way);
            continue;
        }
        let mut next: Vec<ComponentId> = hops.iter().filter(|(start, end, _)| *start == at && !way.contains(end)).map(|h| h.1).collect();
        next.sort_unstable();
        next.dedup();
        open.extend(next.into_iter().map(|end| way.iter().copied().chain([end]).collect::<Vec<_>>()));
    }
    found.sort_by_key(|way| (way.len(), way.clone()));
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn impact_is_the_plain_fixpoint(
        of in estates(), roots in prop::collection::vec((0usize..9, 0usize..3), 1..3), max_hops in prop::option::of(1u32..4)
    ) {
        let estate = snapshot(&of);
        let states = [State::AtRisk, State::Degraded, State::Down];
        let ids: Vec<ComponentId> = estate.ids().collect();
        let roots: Vec<_> = roots.into_iter().filter(|(at, _)| *at < of.0).map(|(at, state)| (ids[at], states[state])).collect();
        prop_assume!(!roots.is_empty());
        let expected = plain(&estate, &roots, max_hops);
        let found = estate.impact(&roots, max_hops);
        let order: Vec<_> = found.iter().map(|i| (i.distance, i.component)).collect();
        prop_assert!(order.is_sorted());
        for one in &found {
            let ends = (one.path.first().map(|hop| hop.component), one.path.last().map(|hop| hop.component));
            prop_assert!(roots.iter().any(|(root, _)| Some(*root) == ends.0) && ends.1 == Some(one.component));
            prop_assert!(one.softens.iter().all(|step| step.from > step.to));
            prop_assert!(one.softens.last().is_none_or(|step| step.to == one.state));
        }
        let lean: BTreeMap<_, _> = estate.states(&roots, max_hops).into_iter().collect();
        let found: BTreeMap<_, _> = found.into_iter().map(|i| (i.component, (i.distance, i.state))).collect();
        prop_assert_eq!(&lean, &found.iter().map(|(c, (_, state))| (*c, *state)).collect::<BTreeMap<_, _>>());
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn ways_are_the_shortest_of_all(of in estates(), from in 0usize..9, to in 0usize..9, most in 1usize..6) {
        prop_assume!(from < of.0 && to < of.0 && from != to);
        let estate = snapshot(&of);
        let ids: Vec<ComponentId> = estate.ids().collect();
        let mut expected = all_ways(&estate, ids[from], ids[to]);
        let found = estate.ways(ids[from], ids[to], most);
        expected.truncate(most);
        prop_assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), expected.iter().map(Vec::len).collect::<Vec<_>>());
        let all = all_ways(&estate, ids[from], ids[to]);
        prop_assert!(found.iter().all(|way| all.contains(way)));
        prop_assert_eq!(found.iter().collect::<std::collections::BTreeSet<_>>().len(), found.len());
    }

    #[test]
    fn single_points_are_those_whose_loss_takes_down(of in estates()) {
        let estate = snapshot(&of);
        let points: BTreeMap<_, _> = estate.single_points().into_iter().map(|point| (point.component, point.takes_down)).collect();
        for component in estate.ids() {
            let down: Vec<_> = plain(&estate, &[(component, State::Down)], None)
                .into_iter()
                .filter(|(_, (_, state))| *state == State::Down)
                .map(|(component, _)| component)
                .collect();
            prop_assert_eq!(points.get(&component).cloned().unwrap_or_default(), down.clone());
            for one in down {
                prop_assert!(estate.single_points_of(one).contains(&component));
            }
        }
    }
}

/// A long path is shortened to its root and its last hops: all paths of a long chain together would not fit into memory.
#[test]
fn a_long_way_is_not_written_out_whole() {
    let id = |at: u32| format!("c{at:05}");
    let component = |at: u32| super::DeclaredComponent { id: id(at), kind: "service".to_owned(), ..super::DeclaredComponent::default() };
    let relation = |at: u32| super::DeclaredRelation {
        from: id(at),
        kind: "depends_on".to_owned(),
        to: id(at - 1),
        ..super::DeclaredRelation::default()
    };
    let components = (0..20_000).map(component).collect();
    let relations = (1..20_000).map(relation).collect();
    let declared = super::Declared { components, relations, ..super::Declared::default() };
    let (estate, complaints) = super::build_declared(super::base_model(), declared);
    assert_eq!(complaints.len(), 0);
    let at = |number: u32| estate.find(&id(number)).unwrap();
    let found = estate.impact(&[(at(0), State::Down)], None);
    let last = found.last().unwrap();
    assert_eq!((last.component, last.distance, last.path.len()), (at(19_999), 19_999, 65));
    assert_eq!((last.path[0].component, last.path[1].component), (at(0), at(19_936)));
}
