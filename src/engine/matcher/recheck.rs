//! Re-evaluates a binding as of now: whether its gates are open, whether the rule matches, and until when that is valid.

use smallvec::SmallVec;

use estate::ComponentId;
use value::{Time, Truth};

use super::super::evaluate::compare_numbers;
use super::Matcher;
use super::eval::{Env, Valued};
use super::layout::Check;
use super::network::{MetricId, Shape};

impl Matcher {
    /// Whether every clause has a true gate, and until when that is valid.
    pub(super) fn gates_pass(&self, rule: u32, binding: &[ComponentId], at: Time) -> (bool, Time) {
        self.gates_pass_but(rule, binding, at, None)
    }

    /// The same where it is known of one gate whether it is true, and until when.
    pub(super) fn gates_pass_but(&self, rule: u32, binding: &[ComponentId], at: Time, known: Option<(u32, Valued)>) -> (bool, Time) {
        let hot = &self.net.hot[rule as usize];
        let gates = &self.net.gates[hot.from as usize..hot.to as usize];
        let mut next = Time::MAX;
        let mut start = 0;
        while let Some(first) = gates.get(start) {
            let clause = first.clause;
            let end = start + gates[start..].iter().take_while(|gate| gate.clause == clause).count();
            let told = known.filter(|(of, _)| *of == clause).map(|(_, value)| value);
            let passed = match told {
                Some((Truth::True, until)) => Some(until),
                Some((Truth::False | Truth::Unknown, _)) if end - start == 1 => None,
                Some((Truth::False | Truth::Unknown, _)) | None => gates[start..end].iter().find_map(|gate| {
                    if let Some(component) = binding.get(usize::from(gate.direct)) {
                        let (truth, until) = self.check(&gate.check, *component, at);
                        return truth.is_true().then_some(until);
                    }
                    let passes = |component: ComponentId| {
                        let (truth, until) = self.check(&gate.check, component, at);
                        truth.is_true().then_some(until)
                    };
                    let way = &self.net.roles[gate.role as usize];
                    match (way.base.and_then(|base| binding.get(base)), way.steps.as_slice()) {
                        (Some(base), [only]) => self.elements(*only, *base).iter().copied().find_map(passes),
                        (Some(_) | None, _) => self.in_role(way, binding).into_iter().find_map(passes),
                    }
                }),
            };
            match passed {
                Some(until) => next = next.min(until),
                None => return (false, Time::MAX),
            }
            start = end;
        }
        (true, next)
    }

    /// A metric of a component; now, and within a step, it is looked up once.
    pub(super) fn read(&self, component: ComponentId, metric: MetricId, at: Time) -> super::store::Read {
        let Some(known) = self.readings.get(metric.0 as usize).filter(|_| component == self.reading && at == self.now) else {
            return self.metric_at(Some(component), metric, at);
        };
        let (step, value, until) = known.get();
        if step == self.steps {
            return ((!value.is_nan()).then_some(value), until);
        }
        let (value, until) = self.metric_at(Some(component), metric, at);
        known.set((self.steps, value.unwrap_or(f64::NAN), until));
        (value, until)
    }

    pub(super) fn check(&self, check: &Check, component: ComponentId, at: Time) -> Valued {
        match check {
            Check::Bound { metric, op, bound } => {
                let (value, until) = self.read(component, *metric, at);
                (value.map_or(Truth::Unknown, |value| Truth::from(compare_numbers(value, *op, *bound))), until)
            }
            Check::Event { pattern, kind, window } => self.has_signal(component, *pattern, *kind, *window, at),
            Check::Atom(atom) => self.eval(&self.net.atoms[*atom as usize], &Env::it(component), at),
        }
    }

    /// What an instance is now.
    pub(super) fn recheck(&mut self, at: u32) {
        let instance = &self.live.instances[at as usize];
        let gates = self.gates_pass(instance.rule, &instance.binding, self.now);
        self.look_through(at, gates);
    }

    /// The same where it is known whether its gates let it through, and until when.
    pub(super) fn look_through(&mut self, at: u32, (passes, mut next): (bool, Time)) {
        let instance = &self.live.instances[at as usize];
        let shape = self.net.hot[instance.rule as usize].shape;
        let mut clock = instance.clock;
        let mut blocked = super::instances::ANY_PART;
        let truth = match shape {
            _ if !passes => false,
            Shape::Exact => true,
            Shape::Lasting(duration) => {
                // Failing and passing again within one instant does not count as failing.
                if !instance.live && instance.last < self.now {
                    clock = self.now;
                }
                let ripe = clock.plus(duration);
                if ripe > self.now {
                    next = next.min(ripe);
                }
                ripe <= self.now
            }
            Shape::Whole => {
                let rule = &self.net.rules[instance.rule as usize];
                let env = Env { binding: &instance.binding, it: None };
                let whole = std::slice::from_ref(&rule.condition);
                let parts = if let super::node::Node::And(parts) = &rule.condition { parts } else { whole };
                let mut truth = true;
                for &part in &rule.rest {
                    let Some(node) = parts.get(usize::from(part)) else { continue };
                    let (holds, until) = self.holds(node, &env);
                    if !holds {
                        // Until this part changes, none of the others matters.
                        next = next.min(until);
                        (truth, blocked) = (false, part);
                        break;
                    }
                    next = next.min(until);
                }
                truth
            }
        };
        let instance = &mut self.live.instances[at as usize];
        instance.clock = clock;
        instance.blocked = blocked;
        self.settle(at, passes, truth);
        if passes && next < Time::MAX {
            self.live.wake(at, next);
        }
    }

    /// Records what an instance is now.
    pub(super) fn settle(&mut self, at: u32, live: bool, holds: bool) {
        let now = self.now;
        let instance = &mut self.live.instances[at as usize];
        if live || instance.live {
            instance.last = now;
        }
        match (instance.since, holds) {
            (None, true) => {
                self.live.touch(at);
                let instance = &mut self.live.instances[at as usize];
                // It ended and began again in this same instant, so it never ended.
                let joined = instance.held.pop_if(|(_, until)| *until == now).map(|(from, _)| from);
                instance.since = Some(joined.unwrap_or(now));
                self.begins(at, now);
            }
            (Some(since), false) => {
                self.live.touch(at);
                let instance = &mut self.live.instances[at as usize];
                instance.since = None;
                if since < now {
                    instance.held.push((since, now));
                }
                self.ends(at, now);
            }
            (None, false) | (Some(_), true) => {}
        }
        self.live.set_live(at, live);
    }

    /// A finding begins: the cells in its evidence notify it of changes.
    pub(super) fn begins(&mut self, at: u32, from: Time) {
        self.live.holding_of[self.live.instances[at as usize].rule as usize] += 1;
        for cell in self.cells_of(at) {
            let holders = &mut self.store.cells[cell as usize].holders;
            if !holders.contains(&at) {
                holders.push(at);
            }
        }
        self.explanation(at, from);
    }

    pub(super) fn ends(&mut self, at: u32, from: Time) {
        self.live.holding_of[self.live.instances[at as usize].rule as usize] -= 1;
        for cell in self.cells_of(at) {
            let holders = &mut self.store.cells[cell as usize].holders;
            if let Some(place) = holders.iter().position(|other| *other == at) {
                holders.swap_remove(place);
            }
        }
        self.explanation(at, from);
    }

    pub(super) fn cells_of(&self, at: u32) -> SmallVec<[u32; 4]> {
        let instance = &self.live.instances[at as usize];
        let mut cells = SmallVec::new();
        for (role, metric) in &self.net.rules[instance.rule as usize].reads {
            let role = &self.net.roles[*role as usize];
            match role.is_variable() {
                Some(variable) => cells.extend(instance.binding.get(variable).and_then(|c| self.store.cell_at(*c, *metric))),
                None => cells.extend(self.in_role(role, &instance.binding).into_iter().filter_map(|c| self.store.cell_at(c, *metric))),
            }
        }
        cells
    }

    /// What a finding explains, for rules with `no other rule explains`.
    pub(super) fn explanation(&mut self, at: u32, from: Time) {
        let rule = &self.net.rules[self.live.instances[at as usize].rule as usize];
        if self.net.asking.is_empty() || !rule.explains {
            return;
        }
        self.explained = Some(self.explained.map_or(from, |earlier| earlier.min(from)));
        if self.live.instances[at as usize].explaining {
            return;
        }
        self.live.instances[at as usize].explaining = true;
        for component in self.explained_by(at) {
            self.live.explainers.entry(component).or_default().push(at);
        }
    }
}
