//! From an event on a component to the bindings that it affects.

use smallvec::SmallVec;

use estate::ComponentId;
use value::Time;

use super::Matcher;
use super::eval::{Env, Valued};
use super::instances::Binding;
use super::layout::INDIRECT;
use super::network::{PatternId, REST, Shape, Use};
use super::store::NOWHERE;

/// If a rule has more live instances than this, the affected ones are looked up in the index instead of filtered.
const FEW: usize = 32;

impl Matcher {
    /// Something happened to a component in a role of a rule, with an effect from `from` on.
    pub(super) fn notify(&mut self, what: Use, component: ComponentId, from: Time) {
        self.tell_that(what, component, from, None);
    }

    /// The same where it is known what the gate is now.
    pub(super) fn tell_that(&mut self, what: Use, component: ComponentId, from: Time, gate: Option<Valued>) {
        let from = from.min(self.now);
        let late = from < self.now;
        let from = from.max(self.now.minus(self.lookback));
        let rule = what.rule as usize;
        let direct = (what.direct != INDIRECT).then_some(usize::from(what.direct));
        if let (REST, Some(anchor)) = (what.clause, self.net.hot[rule].anchor) {
            return self.wake_sleepers(what, anchor, component, from, late);
        }
        if what.clause == REST {
            let list = if late { &self.live.all_of[rule] } else { &self.live.live_of[rule] };
            if list.is_empty() {
                return;
            }
            if let (Some(_), 1) = (direct, self.net.hot[rule].variables) {
                if let Some(at) = self.live.find(what.rule, &[component]).filter(|at| late || self.waits(*at, what)) {
                    self.recheck_from(at, from, late);
                }
            } else {
                for at in self.concerned(what, component, late) {
                    self.recheck_from(at, from, late);
                }
            }
            return;
        }
        let (Some(variable), 1) = (direct, self.net.hot[rule].variables) else {
            for at in self.concerned(what, component, late) {
                self.recheck_from(at, from, late);
            }
            for binding in self.bindings_from(what, component, from) {
                if self.live.find(what.rule, &binding).is_none() {
                    self.begin(what.rule, &binding, from, late);
                }
            }
            return;
        };
        // The usual case: one variable, bound to the component.
        if !late {
            // If the gates are closed, nothing can start, and only live instances can end.
            let gates = self.gates_pass_but(what.rule, &[component], self.now, gate.map(|value| (what.clause, value)));
            if !gates.0 && self.live.live_of[rule].is_empty() {
                return;
            }
            match self.live.find(what.rule, &[component]) {
                Some(at) if gates.0 || self.live.instances[at as usize].live => {
                    self.look_through(at, gates);
                    self.mark(at);
                }
                None if gates.0 && variable == 0 && self.fits(what.rule, 0, component) => {
                    if self.net.hot[rule].anchor.is_some() && self.sleeps(what.rule, component) {
                        return;
                    }
                    if let Some(at) = self.make(what.rule, &SmallVec::from_slice(&[component])) {
                        self.look_through(at, gates);
                    }
                }
                Some(_) | None => {}
            }
            return;
        }
        if let Some(at) = self.live.find(what.rule, &[component]) {
            self.recheck_from(at, from, late);
        } else if variable == 0 && self.fits(what.rule, 0, component) {
            self.begin(what.rule, &SmallVec::from_slice(&[component]), from, late);
        }
    }

    /// Whether a rule with an anchor does not hold for a component, and only a fact can change that.
    pub(super) fn sleeps(&self, rule: u32, component: ComponentId) -> bool {
        let of = &self.net.rules[rule as usize];
        let super::node::Node::And(parts) = &of.condition else { return false };
        let binding = [component];
        let env = Env { binding: &binding, it: None };
        let parts = of.rest.iter().filter_map(|part| parts.get(usize::from(*part)));
        let mut blocked = parts.map(|part| self.holds(part, &env)).filter(|(holds, _)| !holds);
        blocked.next().is_some_and(|(_, until)| until == Time::MAX)
    }

    /// A part of a rule with an anchor changed: evaluates the components with a recent signal that fits the anchor.
    pub(super) fn wake_sleepers(&mut self, what: Use, anchor: PatternId, component: ComponentId, from: Time, late: bool) {
        if late {
            for at in self.concerned(what, component, true) {
                self.recheck_from(at, from, true);
            }
            let sleepers: Vec<Binding> = match self.net.roles[what.role as usize].base {
                Some(_) => self.bindings_from(what, component, from),
                // The role depends on no variable: evaluate every component with a signal of the anchor.
                None => {
                    let all = self.store.lists.iter().filter(|list| list.pattern == anchor && list.component != NOWHERE);
                    let all: Vec<ComponentId> = all.map(|list| list.component).collect();
                    all.into_iter().filter(|c| self.fits(what.rule, 0, *c)).map(|c| SmallVec::from_slice(&[c])).collect()
                }
            };
            for binding in sleepers {
                if self.live.find(what.rule, &binding).is_none() {
                    self.replay(what.rule, &binding, from);
                }
            }
            return;
        }
        let mut concerned: SmallVec<[ComponentId; 16]> = SmallVec::new();
        if what.direct == INDIRECT {
            let Some(recent) = self.store.recent.get(anchor.0 as usize).filter(|recent| !recent.is_empty()) else { return };
            match self.known_bases(what.role, component) {
                Some(bases) => concerned.extend(recent.iter().copied().filter(|base| bases.binary_search(base).is_ok())),
                None => concerned.extend_from_slice(recent),
            }
        } else if self.store.list_at(component, anchor).is_some() {
            concerned.push(component);
        }
        for base in concerned {
            let gates = self.gates_pass(what.rule, &[base], self.now);
            match self.live.find(what.rule, &[base]) {
                Some(at) if gates.0 || self.live.instances[at as usize].live => {
                    self.look_through(at, gates);
                    self.mark(at);
                }
                None if gates.0 && self.fits(what.rule, 0, base) && !self.sleeps(what.rule, base) => {
                    if let Some(at) = self.make(what.rule, &SmallVec::from_slice(&[base])) {
                        self.look_through(at, gates);
                    }
                }
                Some(_) | None => {}
            }
        }
    }

    /// Instances of a rule in which the component is in the role.
    pub(super) fn concerned(&self, what: Use, component: ComponentId, late: bool) -> Vec<u32> {
        let role = &self.net.roles[what.role as usize];
        if what.direct != INDIRECT {
            let found = self.live.with(what.rule, usize::from(what.direct), component);
            return found.into_iter().filter(|at| late || self.waits(*at, what)).collect();
        }
        let list = if late || what.clause != REST { &self.live.all_of[what.rule as usize] } else { &self.live.live_of[what.rule as usize] };
        if role.base.is_some()
            && list.len() > FEW
            && let Some(bases) = self.known_bases(what.role, component)
            && let Some(variable) = role.base
        {
            return bases.iter().flat_map(|base| self.live.with(what.rule, variable, *base)).collect();
        }
        let concerns =
            |at: &u32| (late || self.waits(*at, what)) && self.may_be(role, &self.live.instances[*at as usize].binding, component);
        list.iter().copied().filter(concerns).collect()
    }

    /// Whether a change of a part of its condition, or of a gate, may change an instance.
    pub(super) fn waits(&self, at: u32, what: Use) -> bool {
        let instance = &self.live.instances[at as usize];
        what.clause != REST || instance.live && (instance.blocked == super::instances::ANY_PART || instance.blocked == what.part)
    }

    /// Evaluates an existing instance that a fact affects.
    pub(super) fn recheck_from(&mut self, at: u32, from: Time, late: bool) {
        if late {
            let instance = &self.live.instances[at as usize];
            let (rule, binding) = (instance.rule, instance.binding.clone());
            self.replay(rule, &binding, from);
        } else {
            self.recheck(at);
        }
        self.mark(at);
    }

    pub(super) fn mark_holders(&mut self, cell: u32) {
        for holder in 0..self.store.cells[cell as usize].holders.len() {
            let holder = self.store.cells[cell as usize].holders[holder];
            self.mark(holder);
        }
    }

    /// Something that it reads has changed.
    pub(super) fn mark(&mut self, at: u32) {
        if self.live.instances[at as usize].since.is_some() {
            self.live.touch(at);
            self.live.instances[at as usize].changed = true;
        }
    }

    /// Evaluates a binding without an instance.
    pub(super) fn begin(&mut self, rule: u32, binding: &Binding, from: Time, late: bool) {
        if late {
            self.replay(rule, binding, from);
        } else if self.gates_pass(rule, binding, self.now).0
            && let Some(at) = self.make(rule, binding)
        {
            self.recheck(at);
        }
    }

    pub(super) fn make(&mut self, rule: u32, binding: &Binding) -> Option<u32> {
        if self.live.len() >= self.limits.instances {
            self.stats.instances_not_made += 1;
            return None;
        }
        let listed = self.net.hot[rule as usize].shape == Shape::Whole || binding.len() != 1;
        Some(self.live.add(rule, binding, self.now, listed))
    }
}
