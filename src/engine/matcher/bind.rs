//! From components to the rules that they may affect: sets over the topology, forward and backward, and bindings that grow
//! from one component along the joins of a rule.

use std::sync::Arc;

use smallvec::SmallVec;

use compile::plan::{Cond, CondKind, PlaceOf, Reach, Set, SetBase, Subject, Target};
use estate::{ComponentId, PeerScope};
use value::Time;

use super::super::Engine;
use super::super::evaluate::Env as PlainEnv;
use super::super::sets::passes;
use super::Matcher;
use super::component_class::EVERY;
use super::eval::Env;
use super::gates::Role;
use super::instances::Binding;
use super::network::Use;
use super::node::{SpecId, Where};
use super::store::NOWHERE;

/// Components, few or many.
pub(super) enum Components {
    One(ComponentId),
    None,
    Many(Arc<[ComponentId]>),
}

impl std::ops::Deref for Components {
    type Target = [ComponentId];
    fn deref(&self) -> &[ComponentId] {
        match self {
            Components::One(one) => std::slice::from_ref(one),
            Components::None => &[],
            Components::Many(many) => many,
        }
    }
}

impl Matcher {
    /// The components of a place or set, ascending.
    pub(super) fn components(&self, place: Where, env: &Env<'_>) -> Components {
        match place {
            Where::Subject(subject) => env.subject(subject).map_or(Components::None, Components::One),
            Where::Spec(spec, None) => Components::Many(self.elements(spec, NOWHERE)),
            Where::Spec(spec, Some(of)) => env.subject(of).map_or(Components::None, |of| Components::Many(self.elements(spec, of))),
        }
    }

    /// The elements of a set of one component, cached.
    pub(super) fn elements(&self, spec: SpecId, of: ComponentId) -> Arc<[ComponentId]> {
        let key = (u64::from(spec.0) << 32) | u64::from(of.0);
        if let Some(known) = self.sets.borrow().get(&key) {
            return Arc::clone(known);
        }
        let found: Arc<[ComponentId]> = self.find_elements(spec, of).into();
        let mut sets = self.sets.borrow_mut();
        if self.remembered.get() > self.limits.sets {
            sets.clear();
            self.remembered.set(0);
        }
        self.remembered.set(self.remembered.get() + found.len() + 1);
        sets.insert(key, Arc::clone(&found));
        found
    }

    fn find_elements(&self, spec: SpecId, of: ComponentId) -> Vec<ComponentId> {
        let Some(target) = self.net.names.specs.get(spec.0 as usize) else { return Vec::new() };
        // Direct neighbors: most rules read them, and an alert storm needs them first.
        if let Target::Set(Set { base: SetBase::Walk { dependents, of: PlaceOf::Subject(_), via, max_hops: Some(1) }, filter, .. }) = target
            && of != NOWHERE
        {
            let mut found = self.estate.next_to(of, via, *dependents);
            found.retain(|c| filter.as_ref().is_none_or(|filter| passes(&self.estate, filter, *c)));
            return found;
        }
        let engine = self.plain(&self.nothing, self.now);
        let env = PlainEnv { binding: &[], it: (of != NOWHERE).then_some(of), others: &[] };
        engine.targets(target, &env)
    }

    /// The plain engine over some facts.
    pub(super) fn plain<'m>(&'m self, facts: &'m signal::Facts, at: Time) -> Engine<'m> {
        Engine::over(&self.plan, &self.estate, facts, self.scripts.as_ref(), (at, self.lookback), self.net.durations)
    }

    /// The components in a role.
    pub(super) fn in_role(&self, role: &Role, binding: &[ComponentId]) -> SmallVec<[ComponentId; 4]> {
        let mut at: SmallVec<[ComponentId; 4]> = match role.base {
            Some(variable) => binding.get(variable).copied().into_iter().collect(),
            None => SmallVec::from_slice(&[NOWHERE]),
        };
        for step in &role.steps {
            at = at.iter().flat_map(|of| self.elements(*step, *of).to_vec()).collect();
            at.sort_unstable();
            at.dedup();
        }
        at.retain(|c| *c != NOWHERE);
        at
    }

    /// Whether a component may be in a role of a binding; `true` if only computing the role would tell.
    pub(super) fn may_be(&self, role: &Role, binding: &[ComponentId], component: ComponentId) -> bool {
        match (role.base, role.steps.as_slice()) {
            (Some(variable), []) => binding.get(variable) == Some(&component),
            (Some(variable), [only]) => binding.get(variable).is_some_and(|of| self.elements(*only, *of).contains(&component)),
            (Some(_) | None, _) => true,
        }
    }

    /// Holders come nearest first, all other components ascending.
    pub(super) fn is_sorted(&self, place: Where) -> bool {
        match place {
            Where::Subject(_) => true,
            Where::Spec(spec, _) => matches!(self.net.names.specs.get(spec.0 as usize), Some(Target::Set(_))),
        }
    }

    /// The components to which the variable of a role may be bound when `component` is in the role; `None`: any.
    pub(super) fn bases(&self, role: &Role, component: ComponentId) -> Option<Vec<ComponentId>> {
        role.base?;
        let mut at = vec![component];
        for step in role.steps.iter().rev() {
            let target = self.net.names.specs.get(step.0 as usize)?;
            let mut before = Vec::new();
            for component in at {
                match target {
                    Target::Place(place) => before.extend(self.whose_place(place, component)?),
                    Target::Set(set) => before.extend(self.whose_element(&set.base, component)?),
                }
            }
            before.sort_unstable();
            before.dedup();
            at = before;
        }
        Some(at)
    }

    /// The same, cached.
    pub(super) fn known_bases(&self, role: u32, component: ComponentId) -> Option<Arc<[ComponentId]>> {
        let key = (u64::from(role) << 32) | u64::from(component.0);
        if let Some(known) = self.bases.borrow().get(&key) {
            return known.clone();
        }
        let found: Option<Arc<[ComponentId]>> = self.bases(&self.net.roles[role as usize], component).map(Into::into);
        let mut bases = self.bases.borrow_mut();
        if self.remembered.get() > self.limits.sets {
            bases.clear();
        }
        self.remembered.set(self.remembered.get() + found.as_ref().map_or(0, |found| found.len()) + 1);
        bases.insert(key, found.clone());
        found
    }

    fn whose_place(&self, place: &PlaceOf, component: ComponentId) -> Option<Vec<ComponentId>> {
        match place {
            PlaceOf::Subject(_) => Some(vec![component]),
            PlaceOf::Holder { .. } => Some(self.estate.held(component)),
            PlaceOf::Component(_) => None,
        }
    }

    fn whose_element(&self, base: &SetBase, component: ComponentId) -> Option<Vec<ComponentId>> {
        let behind = |place: &PlaceOf, found: Vec<ComponentId>| -> Option<Vec<ComponentId>> {
            let mut all = Vec::new();
            for component in found {
                all.extend(self.whose_place(place, component)?);
            }
            Some(all)
        };
        match base {
            SetBase::Walk { dependents, of: PlaceOf::Subject(_), via, max_hops: Some(1) } => {
                Some(self.estate.next_to(component, via, !dependents))
            }
            SetBase::Walk { dependents, of, via, max_hops } => {
                let reached = if *dependents {
                    self.estate.dependencies(component, via, *max_hops)
                } else {
                    self.estate.dependents(component, via, *max_hops)
                };
                behind(of, reached.into_iter().map(|r| r.component).collect())
            }
            SetBase::PeersInEstate(_) => Some(self.estate.peers(component, PeerScope::Estate)),
            SetBase::PeersIn { kind, .. } => Some(self.estate.peers(component, PeerScope::Type(kind))),
            SetBase::PeersInGroup(_) => Some(self.estate.peers(component, PeerScope::Group)),
            SetBase::Instances { .. } => Some(self.estate.workloads_of(component).into_iter().map(|of| of.component).collect()),
            SetBase::Held(of) => behind(of, self.estate.holders(component)),
            SetBase::Group(_) | SetBase::Type(_) => None,
        }
    }

    /// Whether a variable may be bound to a component.
    pub(super) fn fits(&mut self, rule: u32, variable: usize, component: ComponentId) -> bool {
        let Some(&slot) = self.net.rules[rule as usize].slots.get(variable) else { return false };
        if slot == EVERY {
            return true;
        }
        let class = self.class(component);
        self.classes[class as usize].binary_search(&slot).is_ok()
    }

    /// The bindings of a rule in which a component is in the role of a use, and whose gates may let them through at some
    /// instant from `from` on.
    pub(super) fn bindings_from(&mut self, what: Use, component: ComponentId, from: Time) -> Vec<Binding> {
        let net_role = self.net.roles[what.role as usize].clone();
        let Some(variable) = net_role.base else { return Vec::new() };
        let bases = if net_role.steps.is_empty() {
            [component].into()
        } else {
            self.known_bases(what.role, component).unwrap_or_else(|| self.estate.ids().collect())
        };
        let mut found = Vec::new();
        for &base in bases.iter() {
            if self.fits(what.rule, variable, base) && self.may_pass(what.rule, variable, base, from) {
                self.grow(what.rule, variable, base, Some(from), &mut found);
            }
        }
        found
    }

    /// Every binding of a rule.
    pub(super) fn all_bindings(&mut self, rule: u32) -> Vec<Binding> {
        let mut found = Vec::new();
        if self.net.rules[rule as usize].slots.is_empty() {
            found.push(Binding::new());
            return found;
        }
        let kind = self.net.slots.kind(self.net.rules[rule as usize].slots[0]).to_owned();
        for component in self.estate.of_type(&kind) {
            if self.fits(rule, 0, component) {
                self.grow(rule, 0, component, None, &mut found);
            }
        }
        found
    }

    /// Extends a binding of one variable to all of them; `from`: only where gates may pass.
    pub(super) fn grow(&mut self, rule: u32, variable: usize, component: ComponentId, from: Option<Time>, found: &mut Vec<Binding>) {
        let count = self.net.rules[rule as usize].slots.len();
        if count == 1 {
            found.push(SmallVec::from_slice(&[component]));
            return;
        }
        let plan = Arc::clone(&self.plan);
        let Some(of) = plan.rules.get(&self.net.rules[rule as usize].id) else { return };
        let mut bound: SmallVec<[Option<ComponentId>; 4]> = SmallVec::from_elem(None, count);
        bound[variable] = Some(component);
        self.extend(rule, &of.joins, &mut bound, from, found);
    }

    fn extend(
        &mut self,
        rule: u32,
        joins: &[Cond],
        bound: &mut SmallVec<[Option<ComponentId>; 4]>,
        from: Option<Time>,
        found: &mut Vec<Binding>,
    ) {
        if bound.iter().all(Option::is_some) {
            let binding: Binding = bound.iter().flatten().copied().collect();
            let engine = self.plain(&self.nothing, self.now);
            if joins.iter().all(|join| engine.join_holds(join, &binding)) {
                found.push(binding);
            }
            return;
        }
        let joined = joins.iter().find_map(|join| self.along(join, bound));
        let (variable, candidates) = match joined {
            Some(joined) => joined,
            None => {
                let variable = bound.iter().position(Option::is_none).unwrap_or(0);
                let slot = self.net.rules[rule as usize].slots[variable];
                (variable, self.estate.of_type(self.net.slots.kind(slot)))
            }
        };
        for candidate in candidates {
            let free = !bound.contains(&Some(candidate)) && self.fits(rule, variable, candidate);
            if free && from.is_none_or(|from| self.may_pass(rule, variable, candidate, from)) {
                bound[variable] = Some(candidate);
                self.extend(rule, joins, bound, from, found);
                bound[variable] = None;
            }
        }
    }

    /// The components that a join leads to from a bound variable, for one that is not.
    fn along(&self, join: &Cond, bound: &[Option<ComponentId>]) -> Option<(usize, Vec<ComponentId>)> {
        let ends = |left: Subject, right: Subject| match (left, right) {
            (Subject::Variable(left), Subject::Variable(right)) => match (bound.get(left)?, bound.get(right)?) {
                (Some(anchor), None) => Some((*anchor, right, true)),
                (None, Some(anchor)) => Some((*anchor, left, false)),
                (Some(_), Some(_)) | (None, None) => None,
            },
            (Subject::It, _) | (_, Subject::It) => None,
        };
        match &join.kind {
            CondKind::Link { from, relation, to, reach, either_way } => {
                let (anchor, open, ahead) = ends(*from, *to)?;
                let hops = match reach {
                    Reach::Hops(hops) => Some(*hops),
                    Reach::Any => None,
                };
                Some((open, self.estate.linked_from(anchor, relation, hops, *either_way, ahead)))
            }
            CondKind::Shares { left, kind, right } => {
                let (anchor, open, _) = ends(*left, *right)?;
                let near = match kind {
                    Some(kind) => self.estate.holder_of_type(anchor, kind).into_iter().flat_map(|h| self.estate.held(h)).collect(),
                    None => self.estate.groups_of(anchor).flat_map(|g| g.members.clone()).collect(),
                };
                let mut near: Vec<ComponentId> = near;
                near.sort_unstable();
                near.dedup();
                Some((open, near))
            }
            CondKind::Or(_)
            | CondKind::And(_)
            | CondKind::Not(_)
            | CondKind::Held { .. }
            | CondKind::Unexplained(_)
            | CondKind::Event(_)
            | CondKind::Quantified(_)
            | CondKind::Probe { .. }
            | CondKind::State { .. }
            | CondKind::Compare { .. }
            | CondKind::Script(_)
            | CondKind::Trend { .. }
            | CondKind::Baseline { .. } => None,
        }
    }

    /// Whether every clause about one variable alone may have a true gate at some instant from `from` to now.
    fn may_pass(&self, rule: u32, variable: usize, component: ComponentId, from: Time) -> bool {
        self.net.rules[rule as usize].clauses.iter().all(|clause| {
            let alone = clause.iter().all(|(role, _)| self.net.roles[*role as usize].is_variable() == Some(variable));
            !alone
                || clause.iter().any(|(_, atom)| {
                    let (truth, next) = self.eval(&self.net.atoms[*atom as usize], &Env::it(component), from);
                    truth.is_true() || next <= self.now
                })
        })
    }
}
