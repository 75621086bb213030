//! Overlays: files that say more about components that something else declares, an import or a store.

use std::collections::{BTreeMap, BTreeSet};

use diag::{Code, Diagnostic, Place, suggestion, text};
use value::fields::listed;

use super::declared::DeclaredComponent;
use super::model::Model;
use super::resolve::problem;

/// What is said by extensions, by the id that they extend, in the order of the files.
pub(super) struct Extensions(BTreeMap<String, Vec<DeclaredComponent>>);

impl Extensions {
    /// Takes them out of what is declared.
    pub fn of(said: &mut Vec<DeclaredComponent>) -> Self {
        let mut by_id: BTreeMap<String, Vec<DeclaredComponent>> = BTreeMap::new();
        if said.iter().any(|one| one.extends) {
            let (more, rest): (Vec<_>, Vec<_>) = std::mem::take(said).into_iter().partition(|one| one.extends);
            *said = rest;
            more.into_iter().for_each(|one| by_id.entry(one.id.clone()).or_default().push(one));
        }
        Self(by_id)
    }

    /// Adds to a component what extensions say of it. They win over the component itself; among themselves they must not disagree.
    pub fn apply(&mut self, complaints: &mut Vec<Diagnostic>, model: &Model, base: &mut DeclaredComponent) {
        let mut said: BTreeMap<String, (String, Option<Place>)> = BTreeMap::new();
        for more in self.0.remove(&base.id).unwrap_or_default() {
            let place = more.place();
            let mut take = |field: &str, value: String| {
                let first = said.entry(field.to_owned()).or_insert_with(|| (value.clone(), place));
                let agrees = first.0 == value;
                if !agrees {
                    let message = text!("`{}` of `{}` is given twice, differently", field, more.id);
                    let report = problem(Code::DUPLICATE_NAME, place, message);
                    complaints.push(match first.1 {
                        Some(first) => report.related(first, "first given here"),
                        None => report,
                    });
                }
                agrees
            };
            for (field, from, to) in [
                ("name", &more.name, &mut base.name),
                ("owner", &more.owner, &mut base.owner),
                ("environment", &more.environment, &mut base.environment),
                ("tier", &more.tier, &mut base.tier),
            ] {
                if let Some(value) = from.as_ref().filter(|value| take(field, (*value).clone())) {
                    *to = Some(value.clone());
                }
            }
            let attributes: Vec<_> = more.attributes.iter().filter(|(name, value)| take(name, value.to_string())).collect();
            base.attributes.extend(attributes.into_iter().map(|(name, value)| (name.clone(), value.clone())));
            base.aliases.extend(more.aliases.iter().cloned());
            base.drop |= more.drop;
            special_type(complaints, model, base, &more);
            places(base, &more);
        }
        base.aliases.sort();
        base.aliases.dedup();
    }

    /// Without those of items that are wrong and reported already.
    pub fn without(mut self, broken: &BTreeSet<String>) -> Self {
        self.0.retain(|id, _| !broken.contains(id));
        self
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them is about this component.
    pub fn concern(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    /// Those that extend nothing that is there. `whose`: the id of the component that has a word as a name or an alias.
    pub fn report_rest<'a>(
        self,
        complaints: &mut Vec<Diagnostic>,
        ids: &(impl Iterator<Item = &'a str> + Clone),
        whose: impl Fn(&str) -> Option<String>,
    ) {
        for more in self.0.into_values().flatten() {
            let message = text!("`{}` is extended, but nothing declares it", more.id);
            let mut report = problem(Code::EXTENDS, more.place(), message).label("unknown component");
            report.help = match whose(&more.id) {
                Some(id) => Some(text!("that is another name of `{}`: write `extend: {}`", id, id)),
                None => suggestion(&more.id, ids.clone()),
            };
            complaints.push(report);
        }
    }
}

/// The type may become more special, or another one of the same family: an import guesses it, by an image or a kind of object. What
/// is software stays software. Relations that the new type cannot have are reported as such.
fn special_type(complaints: &mut Vec<Diagnostic>, model: &Model, base: &mut DeclaredComponent, more: &DeclaredComponent) {
    if more.kind.is_empty() || more.kind == base.kind {
        return;
    }
    let name = |kind: &str| model.find_type(kind).map(|found| found.name.clone());
    let fits = match (name(&more.kind), name(&base.kind)) {
        (Some(said), Some(known)) => model.is_a(&said, &known) || model.family(&said).is_some_and(|of| model.family(&known) == Some(of)),
        // An unknown type is reported as such.
        (None, Some(_)) => true,
        (Some(_) | None, None) => false,
    };
    if fits {
        base.kind.clone_from(&more.kind);
        return;
    }
    let place = more.places.as_ref().map(|places| places.kind);
    let message = text!("`{}` is a {}, which cannot become a {}", base.id, base.kind, more.kind);
    let family = model.find_type(&base.kind).and_then(|known| model.family(&known.name));
    let allowed: Vec<&str> = model.types.keys().map(String::as_str).filter(|one| family.is_some() && model.family(one) == family).collect();
    let help = if allowed.len() > 1 {
        text!("use one of {}, or leave the type out", listed(&allowed))
    } else {
        text!("give a type that is a {}, or leave the type out", base.kind)
    };
    complaints.push(problem(Code::EXTENDS, place, message).help(help));
}

/// What was said in a file is reported there.
fn places(base: &mut DeclaredComponent, more: &DeclaredComponent) {
    let Some(theirs) = &more.places else { return };
    let own = base.places.get_or_insert_with(|| {
        let mut places = theirs.clone();
        places.attributes.clear();
        places
    });
    own.tier = theirs.tier.or(own.tier);
    own.attributes.extend(theirs.attributes.iter().map(|(name, places)| (name.clone(), places.clone())));
    if !more.kind.is_empty() {
        own.kind = theirs.kind;
    }
}
