//! Relations that files say are not so: an import declares them, and in life they are not there.

use std::collections::BTreeSet;

use diag::{Code, Diagnostic, did_you_mean, suggestion, text};

use super::declared::{DeclaredRelation, RelationPlaces};
use super::model::Model;
use super::resolve::problem;

/// A relation that is not so, from component to component.
pub(super) struct Dropped {
    pub relation: DeclaredRelation,
    /// It is declared beside it.
    pub there: bool,
}

/// Of the relations that are not so, those that something declares, `here` or among `others`. The rest is reported.
pub(super) fn known(
    complaints: &mut Vec<Diagnostic>,
    model: &Model,
    dropped: Vec<Dropped>,
    here: &[&[DeclaredRelation]],
    others: &[DeclaredRelation],
) -> Vec<DeclaredRelation> {
    if dropped.is_empty() {
        return Vec::new();
    }
    let asked: BTreeSet<(&str, &str, &str)> = dropped.iter().map(|one| ends(model, &one.relation)).collect();
    let there: BTreeSet<(&str, &str, &str)> = others.iter().map(|one| ends(model, one)).filter(|ends| asked.contains(ends)).collect();
    let declared = |one: &Dropped| one.there || there.contains(&ends(model, &one.relation));
    // A relation to a group is one to each member: one of them is enough.
    let good: BTreeSet<RelationPlaces> = dropped.iter().filter(|one| declared(one)).filter_map(places).collect();
    let (good, unknown): (Vec<Dropped>, Vec<Dropped>) =
        dropped.into_iter().partition(|one| declared(one) || places(one).is_some_and(|places| good.contains(&places)));
    let mut reported = BTreeSet::new();
    for one in unknown.iter().filter(|one| places(one).is_none_or(|places| reported.insert(places))) {
        let (relation, said) = (&one.relation, one.relation.words());
        let named = |id: &String| *id == relation.from || *id == relation.to;
        let near = |other: &&DeclaredRelation| !other.drop && (named(&other.from) || named(&other.to));
        let candidates: Vec<&DeclaredRelation> = here.iter().copied().flatten().chain(others).filter(near).collect();
        let between = candidates.iter().copied().find(|other| named(&other.from) && named(&other.to)).map(DeclaredRelation::words);
        let texts: Vec<String> = candidates.into_iter().map(DeclaredRelation::words).collect();
        let message = text!("`{}` is dropped, but nothing declares it", said);
        let mut report = problem(Code::EXTENDS, places(one).map(|places| places.from), message).label("unknown relation");
        report.help = between.as_deref().map(did_you_mean).or_else(|| suggestion(&said, texts.iter().map(String::as_str)));
        complaints.push(report);
    }
    good.into_iter().map(|one| one.relation).collect()
}

fn places(one: &Dropped) -> Option<RelationPlaces> {
    one.relation.places.as_deref().copied()
}

fn ends<'r>(model: &'r Model, one: &'r DeclaredRelation) -> (&'r str, &'r str, &'r str) {
    let kind = model.find_relation(&one.kind).map_or(one.kind.as_str(), |kind| kind.name.as_str());
    (&one.from, kind, &one.to)
}

#[cfg(test)]
mod tests {
    use diag::Sources;

    use super::super::{Declared, DeclaredComponent, DeclaredRelation, Snapshot, build, declared_in};

    const IMPORTED: &str = "
components:
  - {id: web, type: service}
  - {id: cart, type: service}
  - {id: old, type: service}
  - {id: db1, type: database}
  - {id: db2, type: database}
relations:
  - {from: web, kind: calls, to: [cart, old], effect: at_risk}
  - {from: cart, kind: depends_on, to: [db1, db2]}
groups:
  - {id: dbs, members: [db1, db2], need: 1}
  - {id: all, members: [cart, old], need: 1}
";

    fn load(more: &str) -> (Snapshot, Vec<String>) {
        let mut sources = Sources::default();
        let files = [sources.add("imported.yaml", IMPORTED), sources.add("more.yaml", more)];
        let (estate, found) = build(&sources, &[], &files);
        let words = |one: &diag::Diagnostic| {
            let help = one.help.as_ref().map_or_else(String::new, |help| format!(" [{help}]"));
            format!("{} {}{help}", one.code, one.message)
        };
        (estate, found.iter().map(words).collect())
    }

    fn relations(estate: &Snapshot) -> Vec<String> {
        estate.declared("").relations.iter().map(DeclaredRelation::words).collect()
    }

    #[test]
    fn a_file_says_what_of_an_import_is_not_so() {
        for (more, expected) in [
            ("relations: [{from: web, kind: calls, to: old, drop: true}]", "web calls cart, cart depends_on db1, cart depends_on db2"),
            ("relations: [{from: web, kind: 调用, to: [old, cart], drop: true}]", "cart depends_on db1, cart depends_on db2"),
            ("relations: [{from: cart, kind: depends_on, to: dbs, drop: true}]", "web calls cart, web calls old"),
            ("components: [{extend: old, drop: true}]", "web calls cart, cart depends_on db1, cart depends_on db2"),
            (
                "relations: [{from: web, kind: calls, to: old, drop: false, effect: down}]",
                "web calls cart, web calls old, cart depends_on db1, cart depends_on db2",
            ),
        ] {
            let (estate, mistakes) = load(more);
            let mut found = relations(&estate);
            let mut expected: Vec<String> = expected.split(", ").map(str::to_owned).collect();
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{more}");
            assert!(mistakes.iter().all(|one| one.starts_with("F3012")), "{more}: {mistakes:?}");
            assert_eq!(estate.find("old").is_none(), more.contains("extend"), "{more}");
        }
    }

    #[test]
    fn what_is_not_so_must_be_declared() {
        for (more, expected) in [
            (
                "relations: [{from: cart, kind: calls, to: web, drop: true}]",
                "F3022 `cart calls web` is dropped, but nothing declares it [did you mean `web calls cart`?]",
            ),
            (
                "relations: [{from: web, kind: calls, to: carts, drop: true}]",
                "F3007 a relation names `carts`, which does not exist [did you mean `cart`?]",
            ),
            ("relations: [{from: web, kind: calls, to: old, drop: please}]", "F3003 `drop` must be true or false, not text"),
            ("components: [{extend: olds, drop: true}]", "F3022 `olds` is extended, but nothing declares it [did you mean `old`?]"),
            (
                "components: [{id: new, type: service, drop: true}]",
                "F3022 `new` is declared and dropped at once [`extend` instead of `id` names a component that something else declares; or leave the entry out]",
            ),
        ] {
            assert_eq!(load(more).1, [expected], "{more}");
        }
    }

    #[test]
    fn a_change_may_say_so_too() {
        let mut sources = Sources::default();
        let file = sources.add("imported.yaml", IMPORTED);
        let (declared, _) = declared_in(&sources, &[file]);
        let (estate, _) = super::super::build_declared(super::super::base_model(), declared);
        let relation = DeclaredRelation {
            from: "cart".to_owned(),
            kind: "depends_on".to_owned(),
            to: "dbs".to_owned(),
            drop: true,
            ..DeclaredRelation::default()
        };
        let component = DeclaredComponent { id: "old".to_owned(), extends: true, drop: true, ..DeclaredComponent::default() };
        let change = Declared { components: vec![component], relations: vec![relation], ..Declared::default() };
        let (next, complaints) = estate.with(&change, &super::super::Removed::default());
        assert_eq!((relations(&next), complaints.len()), (vec!["web calls cart".to_owned()], 0), "{complaints:?}");
        assert_eq!(next.find("old"), None);
    }
}
