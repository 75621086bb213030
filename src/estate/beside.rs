//! Relations at components that only something else declares, a store: they are no part of the estate of the files, and join it there.

use std::collections::{BTreeMap, BTreeSet};

use diag::Diagnostic;

use super::build::components as build_components;
use super::component::Component;
use super::declared::{DeclaredComponent, DeclaredGroup, DeclaredRelation};
use super::dropped::Dropped;
use super::extensions::Extensions;
use super::model::Model;
use super::slots::{ROOM, Slots};
use super::snapshot::Snapshot;
use super::validate::{Names, groups, relations};

/// Takes out the relations of which an end is unknown here and known there. An end that nobody knows is reported with the rest.
pub(super) fn take_beside(related: &mut Vec<DeclaredRelation>, names: &Names<'_>, others: &[DeclaredComponent]) -> Vec<DeclaredRelation> {
    let there: BTreeSet<&str> = others.iter().map(|one| one.id.as_str()).collect();
    let ends = |one: &DeclaredRelation| [names.has(&one.from), names.has(&one.to)];
    let known = |one: &DeclaredRelation| [&one.from, &one.to].into_iter().all(|id| names.has(id) || there.contains(id.as_str()));
    let (taken, rest) = std::mem::take(related).into_iter().partition(|one| ends(one).contains(&false) && known(one));
    *related = rest;
    taken
}

/// These relations, from component to component, as far as the model allows them, and those that are not so. `others` have the types that
/// `overlays` give them.
pub(super) fn beside(
    complaints: &mut Vec<Diagnostic>,
    model: &Model,
    components: &[Component],
    grouped: &[DeclaredGroup],
    broken: &BTreeSet<String>,
    (others, overlays): (&[DeclaredComponent], &[DeclaredComponent]),
    loose: &[DeclaredRelation],
) -> (Vec<DeclaredRelation>, Vec<Dropped>) {
    let mut named: BTreeSet<&str> = loose.iter().flat_map(|one| [one.from.as_str(), one.to.as_str()]).collect();
    let concerned: Vec<DeclaredGroup> = grouped.iter().filter(|group| named.contains(group.id.as_str())).cloned().collect();
    named.extend(concerned.iter().flat_map(|group| &group.members).map(String::as_str));
    let own: Vec<&Component> = components.iter().filter(|one| named.contains(one.id.as_str())).collect();
    for one in &own {
        named.remove(one.id.as_str());
    }
    let special: BTreeMap<&str, &str> =
        overlays.iter().filter(|one| !one.kind.is_empty()).map(|one| (one.id.as_str(), one.kind.as_str())).collect();
    let bare = others.iter().filter(|one| named.contains(one.id.as_str())).map(|one| DeclaredComponent {
        id: one.id.clone(),
        kind: special.get(one.id.as_str()).map_or_else(|| one.kind.clone(), |kind| (*kind).to_owned()),
        ..DeclaredComponent::default()
    });
    let mut broken = broken.clone();
    let mut ends = build_components(complaints, model, bare.collect(), &mut broken, &mut Extensions::of(&mut Vec::new()));
    ends.extend(own.into_iter().cloned());
    ends.sort_by(|a, b| a.id.cmp(&b.id));
    let slots = Slots::new(ends.len(), ROOM);
    let mut found = Names::new(&ends, &slots, &broken);
    // What is wrong with a group was reported with the estate of the files.
    let groups = groups(&mut Vec::new(), &concerned, &mut found);
    let (edges, effects, dropped) = relations(complaints, model, loose, &found);
    (Snapshot::new(model.clone(), ends, &edges, effects, groups, slots).declared("").relations, dropped)
}
