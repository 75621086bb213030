//! Rules, indexed by what changes them: an event leads to the bounds that it crosses and the texts that it contains, and from
//! there to the rules, never the reverse.
//!
//! Components are classified by *slots* (`component_class.rs`). A *watch* holds all bounds of rules on one metric for one slot, in
//! ascending order, so that a sample visits only the bounds between the previous value and its own.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use compile::plan::{Plan, Rule, Status};
use estate::{Aggregates, ByComponent, ComponentId, Instance as Workload, Member, Model, Snapshot};
use value::{Dimension, Duration};

use super::super::workload::is_from;
use super::bloom::{UNMARKED, mark_of};
use super::component_class::{ANYWHERE, EVERY, Slots};
use super::gates::{Gate, Input, Role, gates, inputs};
use super::layout::{Check, Hot, HotGate, INDIRECT, check_of};
use super::node::{Interner, Node, number};
pub use super::node::{MetricId, PatternId};
use super::store::Teller;
use super::text::Automaton;
use super::thresholds::{Listed, Table, Watch};

/// What to notify: a clause of a rule for a component in a role or, with [`REST`] as the clause, the rest of the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Use {
    pub rule: u32,
    pub clause: u32,
    /// Position in [`Network::roles`].
    pub role: u32,
    /// The part of the condition that it is about, if several parts must all be true.
    pub part: u16,
    /// The variable that is bound to the component itself; [`INDIRECT`]: none.
    pub direct: u8,
    /// The mark of the pattern that anchors the rule ([`Hot::anchor`]); [`UNMARKED`]: it has none.
    pub mark: u8,
}

/// No clause: a part of the condition beyond its gates.
pub(super) const REST: u32 = u32::MAX;

/// How the truth of a rule follows from its gates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// It matches while every clause has a true gate.
    Exact,
    /// It matches once every clause has had a true gate for this long.
    Lasting(Duration),
    /// The gates are necessary only.
    Whole,
}

#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "independent answers about a rule")]
pub(super) struct RuleNet {
    pub id: String,
    /// For each variable.
    pub slots: SmallVec<[u32; 2]>,
    /// It has `no other rule explains`; such conditions never see its own findings.
    pub asks: bool,
    /// Its findings explain components.
    pub explains: bool,
    pub clauses: Vec<Vec<(u32, u32)>>,
    pub shape: Shape,
    pub condition: Node,
    /// The parts of its condition that its gates do not cover, or cover only partly.
    pub rest: Vec<u16>,
    /// Metrics that its evidence shows: a role (position in [`Network::roles`]) and the metric.
    pub reads: Vec<(u32, MetricId)>,
    /// It may match although something that it reads was never seen.
    pub partial: bool,
    /// No clause says for which components it may match: all bindings are evaluated.
    pub eager: bool,
}

#[derive(Debug)]
pub(super) struct Network {
    pub names: Interner,
    automaton: Automaton,
    /// Patterns by one of their needles, and those without any.
    by_needle: Vec<Vec<PatternId>>,
    textless: Vec<PatternId>,
    pub roles: Vec<Role>,
    /// Gate conditions, about `it`.
    pub atoms: Vec<Node>,
    pub rules: Vec<RuleNet>,
    pub hot: Vec<Hot>,
    pub gates: Vec<HotGate>,
    pub slots: Slots,
    pub watches: Vec<Watch>,
    watch_of: FxHashMap<u64, u32>, // lookup only
    /// For each pattern, by slot.
    event_uses: Vec<BTreeMap<u32, Vec<Use>>>,
    probe_uses: BTreeMap<u32, Vec<Use>>,
    /// Uses that any sample of a component affects.
    pub any_metric: BTreeMap<u32, Vec<Use>>,
    /// The number of the type of each component.
    types: ByComponent<u16>,
    /// For each type and metric, if some rule may read it and the type has it: its staleness and how series are combined.
    defined: Vec<Vec<Option<(Duration, Aggregates)>>>,
    /// For each type and metric that some rule reads: its dimension, if the type has it.
    dimensions: Vec<Vec<Option<Dimension>>>,
    /// What each instance comes and goes for, in the order of ids: what is said on the one counts for the others.
    workloads: FxHashMap<ComponentId, Vec<Workload>>, // lookup only
    /// The sum of nested durations: how far before an instant a condition may look, windows left out.
    pub durations: Duration,
    /// How long after its end a signal may count at most.
    pub window: Duration,
    /// Rules with `no other rule explains`.
    pub asking: Vec<u32>,
}

/// The network under construction.
struct Draft {
    names: Interner,
    roles: Vec<Role>,
    atoms: Vec<Node>,
    atom_of: BTreeMap<String, u32>,
    slots: Slots,
    watches: BTreeMap<(u32, MetricId), Watch>,
    /// Where each atom is listed in its watch.
    listed: BTreeMap<(u32, u32), usize>,
    event_uses: Vec<BTreeMap<u32, Vec<Use>>>,
    probe_uses: BTreeMap<u32, Vec<Use>>,
    any_metric: BTreeMap<u32, Vec<Use>>,
}

impl Network {
    pub fn new(plan: &Plan, estate: &Snapshot) -> Self {
        let model = estate.model();
        let mut draft = Draft {
            names: Interner::new(model),
            roles: Vec::new(),
            atoms: Vec::new(),
            atom_of: BTreeMap::new(),
            slots: Slots::new(),
            watches: BTreeMap::new(),
            listed: BTreeMap::new(),
            event_uses: Vec::new(),
            probe_uses: BTreeMap::new(),
            any_metric: BTreeMap::new(),
        };
        let mut rules = Vec::with_capacity(plan.rules.len());
        for rule in plan.rules.values().filter(|rule| rule.status != Status::Retired) {
            let at = number(rules.len());
            rules.push(draft.rule(rule, at, plan, estate));
        }
        if draft.names.reads_all {
            let all: Vec<String> = model.types.values().flat_map(|t| t.metrics.keys().cloned()).collect();
            for name in all {
                draft.names.metric(&name, super::super::values::SCRIPT_WINDOW);
            }
        }
        draft.finish(rules, plan, estate)
    }

    pub fn type_of(&self, component: ComponentId) -> usize {
        self.types.get(component).map_or(usize::MAX, usize::from)
    }

    /// How the metric of a component is read, if a rule may read it.
    pub fn reads(&self, component: ComponentId, metric: MetricId) -> Option<(Duration, Aggregates)> {
        self.defined.get(self.type_of(component)).and_then(|row| row.get(metric.0 as usize)).copied().flatten()
    }

    /// The components whose metric a sample on a component tells: its own, and the same one of all for which it comes and goes.
    pub fn tells(&self, component: ComponentId, metric: MetricId) -> SmallVec<[Teller; 2]> {
        let mut told: SmallVec<[Teller; 2]> = SmallVec::new();
        if self.reads(component, metric).is_some() {
            told.push(Teller { of: component, level: 0 });
        }
        let workloads = self.workloads_of(component);
        if !workloads.is_empty() {
            let dimension = |of: ComponentId| *self.dimensions.get(self.type_of(of))?.get(metric.0 as usize)?;
            let own = dimension(component);
            let alike = |of: &&Workload| own.is_some() && dimension(of.component) == own && self.reads(of.component, metric).is_some();
            told.extend(workloads.iter().filter(alike).map(|of| Teller { of: of.component, level: of.level }));
        }
        told
    }

    /// Where a signal on a component is looked for: there, and on all for which it comes and goes.
    pub fn places(&self, component: Option<ComponentId>) -> SmallVec<[ComponentId; 4]> {
        let workloads = component.map(|component| self.workloads_of(component)).unwrap_or_default();
        component.into_iter().chain(workloads.iter().map(|of| of.component)).collect()
    }

    /// Whether a component, or one for which it comes and goes, is among some.
    pub fn is_on(&self, component: ComponentId, places: &[ComponentId]) -> bool {
        places.contains(&component) || self.workloads_of(component).iter().any(|of| places.contains(&of.component))
    }

    /// How many ties a component is away from another one; `None`: it is not tied to it.
    pub fn level(&self, component: ComponentId, of: ComponentId) -> Option<u8> {
        let tied = || self.workloads_of(component).iter().find(|tied| tied.component == of).map(|tied| tied.level);
        if component == of { Some(0) } else { tied() }
    }

    fn workloads_of(&self, component: ComponentId) -> &[Workload] {
        self.workloads.get(&component).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a component of the estate is an instance of another one.
    pub fn has_instances(&self) -> bool {
        !self.workloads.is_empty()
    }

    /// The slots that a component is in, [`EVERY`] first.
    pub fn slots_of(&self, estate: &Snapshot, component: ComponentId) -> SmallVec<[u32; 8]> {
        self.slots.of(estate, component, self.type_of(component))
    }

    pub fn watch(&self, slot: u32, metric: MetricId) -> Option<u32> {
        self.watch_of.get(&pair(slot, metric.0)).copied()
    }

    /// The uses affected by a signal that fits a pattern, on a component of a class of slots or anywhere.
    pub fn event_uses(&self, class: &[u32], pattern: PatternId) -> impl Iterator<Item = &Use> {
        let slots = self.event_uses.get(pattern.0 as usize).into_iter().flatten();
        slots.filter(|(slot, _)| **slot == ANYWHERE || class.binary_search(slot).is_ok()).flat_map(|(_, uses)| uses)
    }

    pub fn probe_uses(&self, slot: u32) -> &[Use] {
        self.probe_uses.get(&slot).map(Vec::as_slice).unwrap_or_default()
    }

    /// The patterns that a signal fits.
    pub fn patterns_of(&self, signal: &signal::Signal, estate: &Snapshot, scratch: &mut Vec<u32>) -> SmallVec<[PatternId; 4]> {
        self.automaton.find(signal.text(), scratch);
        let mut fitting: SmallVec<[PatternId; 4]> = SmallVec::new();
        let candidates = scratch.iter().filter_map(|needle| self.by_needle.get(*needle as usize)).flatten().chain(&self.textless);
        for &id in candidates {
            let pattern = &self.names.patterns[id.0 as usize];
            let labels = signal.labels();
            let fits = super::fact::is_of(signal, pattern.kind)
                && pattern.needles.iter().all(|needle| scratch.binary_search(needle).is_ok())
                && pattern.labels.iter().all(|(name, equal, value)| (labels.get(name) == Some(value)) == *equal)
                && pattern.source.as_ref().is_none_or(|source| is_from(estate, signal.component(), source, labels));
            if fits {
                fitting.push(id);
            }
        }
        fitting
    }
}

fn pair(a: u32, b: u32) -> u64 {
    (u64::from(a) << 32) | u64::from(b)
}

impl Draft {
    fn rule(&mut self, rule: &Rule, at: u32, plan: &Plan, estate: &Snapshot) -> RuleNet {
        let slots: SmallVec<[u32; 2]> = rule.variables.iter().map(|v| self.slots.number(&v.kind, v.filter.as_ref())).collect();
        let condition = self.names.node(&rule.condition, plan, estate.model());
        let mut found = gates(&condition, None);
        // A clause about variables alone determines for which components the rule may match; other clauses would name too many.
        let named = |clause: &Vec<Gate>| clause.iter().all(|gate| gate.role.is_variable().is_some());
        let all = found.clauses.len();
        if found.clauses.iter().any(named) {
            found.clauses.retain(named);
            found.exact &= found.clauses.len() == all;
        } else {
            found.clauses.retain(|clause| clause.iter().all(|gate| gate.role.base.is_some()));
            found.exact = false;
        }
        // If some clauses are left out, a part may be exact but never checked.
        let dropped = found.clauses.len() < all;
        let shape = match &condition {
            _ if found.exact => Shape::Exact,
            Node::Held { inner, duration } if gates(inner, None).exact && found.clauses.len() == gates(inner, None).clauses.len() => {
                Shape::Lasting(*duration)
            }
            _ => Shape::Whole,
        };
        let eager = found.clauses.is_empty();
        let partial = shape == Shape::Whole || found.clauses.iter().any(|clause| clause.len() > 1);
        // Inputs that are gates are notified as gates.
        let told: Vec<(Role, Input)> = found.clauses.iter().flatten().map(|gate| (gate.role.clone(), gate.input)).collect();
        let mut clauses = Vec::with_capacity(found.clauses.len());
        for (position, clause) in (0u32..).zip(found.clauses) {
            clauses.push(
                clause
                    .into_iter()
                    .map(|gate| {
                        self.gate(gate, Use { rule: at, clause: position, role: 0, part: 0, direct: INDIRECT, mark: UNMARKED }, &slots)
                    })
                    .collect(),
            );
        }
        let mut reads = Vec::new();
        let whole = std::slice::from_ref(&condition);
        for (part, node) in (0u16..).zip(if let Node::And(parts) = &condition { parts } else { whole }) {
            let mut rest = Vec::new();
            inputs(node, None, true, &mut rest);
            for (role, input) in rest {
                if let Some(metric) = input.metric() {
                    reads.push((self.role(&role), metric));
                }
                if shape == Shape::Whole && !told.contains(&(role.clone(), input)) {
                    self.input(&role, input, None, Use { rule: at, clause: REST, role: 0, part, direct: INDIRECT, mark: UNMARKED }, &slots);
                }
            }
        }
        let own = |(part, node): (u16, &Node)| (!gates(node, None).exact || dropped).then_some(part);
        let parts = if let Node::And(parts) = &condition { parts.as_slice() } else { std::slice::from_ref(&condition) };
        let rest = (0u16..).zip(parts).filter_map(own).collect();
        reads.sort_unstable();
        reads.dedup();
        let asks = rule.asks_others();
        let explains = rule.status == Status::Active && !asks;
        RuleNet { id: rule.id.clone(), slots, asks, explains, clauses, shape, condition, rest, reads, partial, eager }
    }

    /// Registers a gate: its atom and its role.
    fn gate(&mut self, gate: Gate, what: Use, slots: &[u32]) -> (u32, u32) {
        let key = format!("{:?}", gate.node);
        let atom = match self.atom_of.get(&key) {
            Some(known) => *known,
            None => {
                let id = number(self.atoms.len());
                self.atoms.push(gate.node);
                self.atom_of.insert(key, id);
                id
            }
        };
        let role = self.input(&gate.role, gate.input, Some(atom), what, slots);
        (role, atom)
    }

    fn role(&mut self, role: &Role) -> u32 {
        match self.roles.iter().position(|known| known == role) {
            Some(known) => number(known),
            None => {
                self.roles.push(role.clone());
                number(self.roles.len() - 1)
            }
        }
    }

    fn input(&mut self, role: &Role, input: Input, atom: Option<u32>, what: Use, slots: &[u32]) -> u32 {
        let slot = match role.is_variable() {
            Some(variable) => slots.get(variable).copied().unwrap_or(EVERY),
            None => EVERY,
        };
        let nowhere = role.base.is_none() && role.steps.is_empty();
        let role = self.role(role);
        let direct = self.roles.get(role as usize).and_then(Role::is_variable).and_then(|v| u8::try_from(v).ok()).unwrap_or(INDIRECT);
        let what = Use { role, direct, ..what };
        match input {
            Input::Bound { metric, source, op, bound } => {
                let watch = self.watches.entry((slot, metric)).or_default();
                let table = match watch.tables.iter().position(|t| t.source == source && t.op == op) {
                    Some(known) => known,
                    None => {
                        watch.tables.push(Table { source, op, bounds: Vec::new(), uses: Vec::new() });
                        watch.tables.len() - 1
                    }
                };
                if let Some(table) = watch.tables.get_mut(table) {
                    table.bounds.push(bound);
                    table.uses.push(what);
                }
            }
            Input::Listed { metric, window } => {
                let atom = atom.unwrap_or(u32::MAX);
                let watch = self.watches.entry((slot, metric)).or_default();
                let at = *self.listed.entry((slot, atom)).or_insert_with(|| {
                    let node = self.atoms[atom as usize].clone();
                    watch.listed.push(Listed { node, uses: Vec::new(), window });
                    watch.listed.len() - 1
                });
                watch.listed[at].uses.push(what);
            }
            Input::Sampled { metric } => push_new(&mut self.watches.entry((slot, metric)).or_default().sampled, what),
            Input::Raw { metric: Some(metric) } => push_new(&mut self.watches.entry((slot, metric)).or_default().raw, what),
            Input::Raw { metric: None } => push_new(self.any_metric.entry(slot).or_default(), what),
            Input::Event { pattern } => {
                let slot = if nowhere { ANYWHERE } else { slot };
                let at = pattern.0 as usize;
                if self.event_uses.len() <= at {
                    self.event_uses.resize_with(at + 1, BTreeMap::new);
                }
                push_new(self.event_uses[at].entry(slot).or_default(), what);
            }
            Input::Probe => push_new(self.probe_uses.entry(slot).or_default(), what),
        }
        role
    }

    fn finish(mut self, rules: Vec<RuleNet>, plan: &Plan, estate: &Snapshot) -> Network {
        let model = estate.model();
        self.slots.arrange(&self.names.types, model);
        let type_number: BTreeMap<&str, u16> = (0u16..).zip(&self.names.types).map(|(at, name)| (name.as_str(), at)).collect();
        // Only what may be an instance is asked for its workloads.
        let of_others: Vec<bool> =
            self.names.types.iter().map(|name| model.types.get(name).is_some_and(|kind| !kind.instance_of.is_empty())).collect();
        let mut types = estate.table(u16::MAX);
        let mut workloads = FxHashMap::default(); // lookup only
        for id in estate.ids() {
            let Some(number) = type_number.get(estate.component(id).kind.as_str()) else { continue };
            if let Some(slot) = types.get_mut(id) {
                *slot = *number;
            }
            if of_others.get(usize::from(*number)) == Some(&true) {
                let of = estate.workloads_of(id);
                if !of.is_empty() {
                    workloads.insert(id, of);
                }
            }
        }
        let defined = self.names.types.iter().map(|name| self.defined(name, model)).collect();
        let dimension = |name: &String, metric: &String| match model.member(name, metric)? {
            Member::Metric(def) => Some(def.unit.dimension),
            Member::Attribute(_) => None,
        };
        let metrics = &self.names.metrics;
        let dimensions = self.names.types.iter().map(|name| metrics.iter().map(|metric| dimension(name, metric)).collect()).collect();
        let by_needle = {
            let mut by: Vec<Vec<PatternId>> = vec![Vec::new(); self.names.needles.len()];
            for (at, pattern) in (0u32..).zip(&self.names.patterns) {
                if let Some(first) = pattern.needles.first() {
                    by[*first as usize].push(PatternId(at));
                }
            }
            by
        };
        let textless = (0u32..).map(PatternId).zip(&self.names.patterns).filter(|(_, p)| p.needles.is_empty()).map(|(id, _)| id).collect();
        let mut watch_of = FxHashMap::default(); // lookup only
        let mut watches = Vec::with_capacity(self.watches.len());
        for ((slot, metric), mut watch) in std::mem::take(&mut self.watches) {
            watch.tables.iter_mut().for_each(Table::sort);
            let uses = watch.tables.iter().flat_map(|table| &table.uses).chain(&watch.raw);
            watch.partial = uses.filter(|what| rules.get(what.rule as usize).is_some_and(|rule| rule.partial)).copied().collect();
            watch.quiet = watch.tables.iter().fold((f64::NEG_INFINITY, f64::INFINITY), |(low, high), table| {
                let (first, last) = (table.bounds.first().copied(), table.bounds.last().copied());
                if table.front() { (low, high.min(first.unwrap_or(high))) } else { (low.max(last.unwrap_or(low)), high) }
            });
            watch_of.insert(pair(slot, metric.0), number(watches.len()));
            watches.push(watch);
        }
        let asking = (0u32..).zip(&rules).filter(|(_, rule)| rule.asks).map(|(at, _)| at).collect();
        let mut hot = Vec::with_capacity(rules.len());
        let mut hot_gates: Vec<HotGate> = Vec::new();
        for rule in &rules {
            let from = number(hot_gates.len());
            for (clause, gates) in (0u32..).zip(&rule.clauses) {
                hot_gates.extend(gates.iter().map(|(role, atom)| {
                    let variable = self.roles.get(*role as usize).and_then(Role::is_variable);
                    let check = self.atoms.get(*atom as usize).map_or(Check::Atom(*atom), |node| check_of(*atom, node));
                    HotGate { clause, role: *role, direct: variable.and_then(|v| u8::try_from(v).ok()).unwrap_or(INDIRECT), check }
                }));
            }
            let variables = u8::try_from(rule.slots.len()).unwrap_or(u8::MAX);
            let mut anchor = None;
            if rule.shape == Shape::Whole && variables == 1 && !rule.asks && matches!(rule.condition, Node::And(_)) {
                let own = hot_gates.get(from as usize..).unwrap_or_default();
                anchor = own.chunk_by(|a, b| a.clause == b.clause).find_map(|clause| match clause {
                    [HotGate { direct: 0, check: Check::Event { pattern, .. }, .. }] => Some(*pattern),
                    _ => None,
                });
            }
            hot.push(Hot { shape: rule.shape, from, to: number(hot_gates.len()), variables, anchor });
        }
        self.mark_anchored(&hot, &mut watches);
        let window = self.names.patterns.iter().map(|p| p.window).max().unwrap_or(0).max(self.names.probe_window);
        Network {
            window,
            automaton: Automaton::new(self.names.needles.clone()),
            names: self.names,
            by_needle,
            textless,
            roles: self.roles,
            atoms: self.atoms,
            rules,
            hot,
            gates: hot_gates,
            slots: self.slots,
            watches,
            watch_of,
            event_uses: self.event_uses,
            probe_uses: self.probe_uses,
            any_metric: self.any_metric,
            types,
            defined,
            dimensions,
            workloads,
            durations: super::super::memo::durations(plan),
            asking,
        }
    }

    /// Marks the uses that an event affects only if there is a signal too.
    fn mark_anchored(&mut self, hot: &[Hot], watches: &mut [Watch]) {
        let mark = |what: &mut Use| what.mark = hot.get(what.rule as usize).and_then(|of| of.anchor).map_or(UNMARKED, mark_of);
        for watch in watches {
            let tables = watch.tables.iter_mut().flat_map(|table| &mut table.uses);
            let listed = watch.listed.iter_mut().flat_map(|listed| &mut listed.uses);
            tables.chain(listed).chain(&mut watch.sampled).chain(&mut watch.raw).for_each(mark);
        }
        let events = self.event_uses.iter_mut().flat_map(BTreeMap::values_mut);
        events.chain(self.probe_uses.values_mut()).chain(self.any_metric.values_mut()).flatten().for_each(mark);
    }

    /// For each metric that a rule may read of components of the type (one whose variable is of the type or a parent, or one
    /// that looks at sets): its definition in the model.
    fn defined(&self, name: &str, model: &Model) -> Vec<Option<(Duration, Aggregates)>> {
        let mut read = vec![self.names.reads_all; self.names.metrics.len()];
        // What is an instance may be tied to its workload later: its samples are kept from the start.
        let kinds = workloads(name, model);
        let is_read = |kind: &str| kinds.iter().any(|name| model.is_a(name, kind));
        for (slot, metric) in self.watches.keys() {
            read[metric.0 as usize] |= is_read(self.slots.kind(*slot));
        }
        for slot in self.any_metric.keys() {
            if is_read(self.slots.kind(*slot)) {
                read.iter_mut().for_each(|read| *read = true);
            }
        }
        let of = |(read, metric): (bool, &String)| match model.member(name, metric).filter(|_| read) {
            Some(Member::Metric(def)) => Some((def.staleness, def.aggregate)),
            Some(Member::Attribute(_)) | None => None,
        };
        read.into_iter().zip(&self.names.metrics).map(of).collect()
    }
}

/// A type, and all types for which its components may come and go.
fn workloads<'m>(name: &'m str, model: &'m Model) -> Vec<&'m str> {
    let mut found = vec![name];
    let mut next = 0;
    while let Some(of) = found.get(next).and_then(|name| model.types.get(*name)) {
        next += 1;
        let further = model.types.keys().filter(|kind| of.instance_of.iter().any(|ancestor| model.is_a(kind, ancestor)));
        let further: Vec<&str> = further.map(String::as_str).filter(|kind| !found.contains(kind)).collect();
        found.extend(further);
    }
    found
}

fn push_new(list: &mut Vec<Use>, what: Use) {
    if list.last() != Some(&what) {
        list.push(what);
    }
}
