//! Places and sets over the topology.

use std::collections::BTreeSet;
use std::rc::Rc;

use compile::plan::{Field, Filter, FilterValue, Op, PlaceOf, Set, SetBase, Target};
use estate::{AttributeValue, ComponentId, PeerScope, Snapshot};

use super::Engine;
use super::evaluate::Env;
use super::memo::node;

impl Engine<'_> {
    /// The components of a place: one, or none, or several holders of one type.
    pub(super) fn place(&self, place: &PlaceOf, env: &Env<'_, '_>) -> Vec<ComponentId> {
        match place {
            PlaceOf::Subject(subject) => env.subject(*subject).into_iter().collect(),
            PlaceOf::Holder { kind, of } => env.subject(*of).map(|c| self.estate.holder_of_type(c, kind)).unwrap_or_default(),
            PlaceOf::Component(id) => self.estate.find(id).into_iter().collect(),
        }
    }

    /// The elements of a set, ascending.
    pub(super) fn elements(&self, set: &Set, env: &Env<'_, '_>) -> Rc<Vec<ComponentId>> {
        self.memo.elements(node(set), env, || self.find_elements(set, env))
    }

    fn find_elements(&self, set: &Set, env: &Env<'_, '_>) -> Vec<ComponentId> {
        let found: BTreeSet<ComponentId> = match &set.base {
            SetBase::Walk { dependents, of, via, max_hops } => {
                let starts = self.place(of, env);
                let walk = |start: &ComponentId| {
                    if *dependents {
                        self.estate.dependents(*start, via, *max_hops)
                    } else {
                        self.estate.dependencies(*start, via, *max_hops)
                    }
                };
                starts.iter().flat_map(walk).map(|reached| reached.component).filter(|c| !starts.contains(c)).collect()
            }
            SetBase::PeersInEstate(of) => {
                env.subject(*of).map(|c| self.estate.peers(c, PeerScope::Estate)).unwrap_or_default().into_iter().collect()
            }
            SetBase::PeersIn { of, kind } => {
                env.subject(*of).map(|c| self.estate.peers(c, PeerScope::Type(kind))).unwrap_or_default().into_iter().collect()
            }
            SetBase::PeersInGroup(of) => {
                env.subject(*of).map(|c| self.estate.peers(c, PeerScope::Group)).unwrap_or_default().into_iter().collect()
            }
            SetBase::Instances { kind, of } => {
                let found = env.subject(*of).map(|c| self.instances(c));
                let found = found.iter().flat_map(|found| found.iter()).map(|instance| instance.component);
                found.filter(|instance| self.estate.is_a(*instance, kind)).collect()
            }
            SetBase::Group(id) => self.estate.group(id).map(|g| g.members.iter().copied().collect()).unwrap_or_default(),
            SetBase::Held(place) => self.place(place, env).into_iter().flat_map(|c| self.estate.held(c)).collect(),
            SetBase::Type(kind) => self.estate.of_type(kind).into_iter().collect(),
        };
        found.into_iter().filter(|c| set.filter.as_ref().is_none_or(|filter| self.passes(filter, *c))).collect()
    }

    pub(super) fn targets(&self, target: &Target, env: &Env<'_, '_>) -> Vec<ComponentId> {
        match target {
            Target::Place(place) => self.place(place, env),
            Target::Set(set) => self.elements(set, env).to_vec(),
        }
    }
}

/// Whether a component passes a filter on its fields and attributes. A missing field or attribute equals nothing.
pub fn passes(estate: &Snapshot, filter: &Filter, component: ComponentId) -> bool {
    match filter {
        Filter::Any(parts) => parts.iter().any(|p| passes(estate, p, component)),
        Filter::All(parts) => parts.iter().all(|p| passes(estate, p, component)),
        Filter::Test { field, op, value } => test(estate, field, *op, value, component),
    }
}

fn test(estate: &Snapshot, field: &Field, op: Op, value: &FilterValue, id: ComponentId) -> bool {
    let component = estate.component(id);
    let text = |found: Option<&str>| {
        let FilterValue::Text(wanted) = value else { return false };
        (found == Some(wanted.as_str())) == (op == Op::Eq)
    };
    match field {
        Field::Id => text(Some(&component.id)),
        Field::Name => text(Some(&component.name)),
        Field::Type => {
            let FilterValue::Text(wanted) = value else { return false };
            estate.is_a(id, wanted) == (op == Op::Eq)
        }
        Field::Owner => text(component.owner.as_deref()),
        Field::Environment => text(component.environment.as_deref()),
        Field::Tier => text(component.tier.map(estate::Tier::name)),
        Field::Attribute(name) => match (component.attributes.get(name), value) {
            (Some(AttributeValue::Number(found)), FilterValue::Number(wanted)) => {
                super::evaluate::compare(&super::evidence::Known::Number(*found), op, &super::evidence::Known::Number(*wanted)).is_true()
            }
            (Some(AttributeValue::Text(found)), FilterValue::Text(_)) => text(Some(found)),
            (Some(AttributeValue::Bool(found)), FilterValue::Text(_)) => text(Some(if *found { "true" } else { "false" })),
            (Some(AttributeValue::Text(_) | AttributeValue::Bool(_)), FilterValue::Number(_))
            | (Some(AttributeValue::Number(_)), FilterValue::Text(_)) => false,
            (None, _) => op == Op::Ne,
        },
    }
}
