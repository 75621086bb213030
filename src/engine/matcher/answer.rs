//! Answers by the plain engine: it evaluates the bindings that the matcher names, over the facts that they read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smallvec::SmallVec;

use compile::plan::Cond;
use estate::ComponentId;
use signal::{Facts, Probe, Series, SeriesKey};
use value::{DAY, Time};

use super::super::evaluate::Env as PlainEnv;
use super::super::{Candidates, Engine, EvidenceView, Finding, Why};
use super::Matcher;
use super::eval::{Env, Valued};
use super::gates::{Input, inputs};
use super::network::{MetricId, PatternId, Use};
use super::node::Node;
use super::store::{Buffer, NOWHERE};
use signal::Signal;

/// How far ahead to search for the next change of a condition with a script.
const AHEAD: i64 = 366 * DAY;

/// Which facts are needed.
#[derive(Default)]
struct Reads {
    cells: BTreeSet<(ComponentId, MetricId)>,
    lists: BTreeSet<(ComponentId, PatternId)>,
    probes: BTreeSet<ComponentId>,
}

impl Matcher {
    /// The findings within the lookback, as [`Engine::findings`] gives them, with the facts that support them.
    pub fn with_findings<T>(&self, use_them: impl FnOnce(&Engine<'_>, &[Finding<'_>]) -> T) -> T {
        let mut reads = Reads::default();
        let candidates = self.candidates();
        for (rule, bindings) in (0u32..).zip(&self.net.rules).filter_map(|(at, r)| Some((at, candidates.get(&r.id)?))) {
            bindings.iter().for_each(|binding| self.reads_of(rule, binding, &mut reads));
        }
        let facts = self.facts(&reads);
        let engine = self.plain(&facts, self.now).only(candidates);
        use_them(&engine, &engine.findings())
    }

    /// The bindings for which each rule matched within the lookback.
    pub fn candidates(&self) -> Candidates {
        let start = self.now.minus(self.lookback);
        let mut candidates = Candidates::new();
        for instance in self.live.instances.iter().filter(|i| !i.gone) {
            if instance.since.is_some() || instance.held.iter().any(|(_, until)| *until > start) {
                let id = &self.net.rules[instance.rule as usize].id;
                candidates.entry(id.clone()).or_default().push(instance.binding.to_vec());
            }
        }
        candidates.values_mut().for_each(|bindings| bindings.sort_unstable());
        candidates
    }

    /// Every finding that holds now: rule, components, since when.
    pub fn holding(&self) -> impl Iterator<Item = (&str, &[ComponentId], Time)> {
        let start = self.now.minus(self.lookback);
        self.live.instances.iter().filter(|i| !i.gone).filter_map(move |instance| {
            Some((self.net.rules[instance.rule as usize].id.as_str(), instance.binding.as_slice(), instance.since?.max(start)))
        })
    }

    /// The evidence of a finding that holds, as of now: each atomic condition.
    pub fn evidence(&self, finding: u32) -> Vec<EvidenceView> {
        let Some(instance) = self.live.instances.get(finding as usize).filter(|i| !i.gone) else { return Vec::new() };
        let Some(rule) = self.plan.rules.get(&self.net.rules[instance.rule as usize].id) else { return Vec::new() };
        let mut reads = Reads::default();
        self.reads_of(instance.rule, &instance.binding, &mut reads);
        let asks = rule.asks_others();
        let candidates = if asks { self.candidates() } else { Candidates::new() };
        if asks {
            for (at, bindings) in (0u32..).zip(&self.net.rules).filter_map(|(at, r)| Some((at, candidates.get(&r.id)?))) {
                bindings.iter().for_each(|binding| self.reads_of(at, binding, &mut reads));
            }
        }
        let facts = self.facts(&reads);
        let engine = self.plain(&facts, self.now).only(candidates);
        let others = if asks { engine.findings() } else { Vec::new() };
        let evidence = engine.evidence(rule, &instance.binding, &others, self.now);
        evidence.atoms().iter().map(|(atom, _)| atom.view(&self.estate, &facts)).collect()
    }

    /// The full explanation of one rule, as [`Engine::why`] gives it, even if the matcher never evaluated it. `None` if the rule does
    /// not exist.
    pub fn with_why<T>(&self, rule: &str, use_it: impl FnOnce(&Engine<'_>, &Why<'_>) -> T) -> Option<T> {
        let asked = self.plan.rules.get(rule)?;
        let mut reads = Reads::default();
        let mut candidates = self.candidates();
        candidates.retain(|id, _| id == rule || asked.asks_others());
        for (at, bindings) in (0u32..).zip(&self.net.rules).filter_map(|(at, r)| Some((at, candidates.get(&r.id)?))) {
            bindings.iter().for_each(|binding| self.reads_of(at, binding, &mut reads));
        }
        let place = self.net.rules.iter().position(|r| r.id == rule).map(super::node::number);
        if let Some(place) = place {
            for binding in self.plain(&self.nothing, self.now).bindings(asked) {
                self.reads_of(place, &binding, &mut reads);
            }
        }
        let facts = self.facts(&reads);
        let engine = self.plain(&facts, self.now).only(candidates);
        let findings = engine.findings();
        Some(use_it(&engine, &engine.why(asked, &findings)))
    }

    /// The components that a finding explains.
    pub(super) fn explained_by(&self, at: u32) -> BTreeSet<ComponentId> {
        let instance = &self.live.instances[at as usize];
        let Some(rule) = self.plan.rules.get(&self.net.rules[instance.rule as usize].id) else { return BTreeSet::new() };
        let conclusions = self.plain(&self.nothing, self.now).conclusions(rule, &instance.binding);
        let named = conclusions.faults.iter().chain(&conclusions.causes).flat_map(|(_, at)| at.iter().copied());
        named.chain(conclusions.impact.keys().copied()).collect()
    }

    /// A condition with a script.
    pub(super) fn ask(&self, cond: &Cond, env: &Env<'_>, at: Time) -> Valued {
        let mut reads = Reads::default();
        let components: Vec<ComponentId> = cond.subjects().into_iter().filter_map(|s| env.subject(s)).collect();
        for component in components {
            for metric in (0u32..).map(MetricId).take(self.net.names.metrics.len()) {
                if self.store.cell_at(component, metric).is_some() {
                    reads.cells.insert((component, metric));
                }
            }
        }
        let facts = self.facts(&reads);
        let engine = self.plain(&facts, at);
        let env = PlainEnv { binding: env.binding, it: env.it, others: &[] };
        let next = engine.breakpoints(cond, &env, at, at.plus(AHEAD)).first().copied().unwrap_or(Time::MAX);
        (engine.truth(cond, &env, at), next)
    }

    fn reads_of(&self, rule: u32, binding: &[ComponentId], reads: &mut Reads) {
        let mut all = Vec::new();
        inputs(&self.net.rules[rule as usize].condition, None, true, &mut all);
        for (role, input) in all {
            let mut components = self.in_role(&role, binding);
            if role.base.is_none() && role.steps.is_empty() {
                components.push(NOWHERE);
            }
            for component in components {
                match input {
                    Input::Bound { metric, .. }
                    | Input::Listed { metric, .. }
                    | Input::Sampled { metric }
                    | Input::Raw { metric: Some(metric) } => {
                        reads.cells.insert((component, metric));
                    }
                    Input::Raw { metric: None } => {
                        reads.cells.extend((0u32..).map(MetricId).take(self.net.names.metrics.len()).map(|metric| (component, metric)));
                    }
                    Input::Event { pattern } => {
                        reads.lists.insert((component, pattern));
                    }
                    Input::Probe => {
                        reads.probes.insert(component);
                    }
                }
            }
        }
    }

    pub(super) fn facts_of(&self, cells: BTreeSet<(ComponentId, MetricId)>, lists: BTreeSet<(ComponentId, PatternId)>) -> Facts {
        self.facts(&Reads { cells, lists, probes: self.store.probed.iter().copied().collect() })
    }

    fn facts(&self, reads: &Reads) -> Facts {
        let mut facts = Facts { present: self.present, ..Facts::default() };
        // A series of an instance is in the cells of its workloads too.
        let mut told: BTreeMap<(MetricId, ComponentId, &SeriesKey), &Buffer> = BTreeMap::new();
        let mut healthy: BTreeSet<usize> = BTreeSet::new();
        for (component, metric) in &reads.cells {
            for series in self.store.cell(*component, *metric).into_iter().flat_map(|cell| &cell.series) {
                let known = told.entry((*metric, series.teller.of, &*series.key)).or_insert(series);
                if known.points.len() < series.points.len() {
                    *known = series;
                }
            }
            if self.healthy(*component, *metric).is_some() {
                let name = &self.net.names.metrics[metric.0 as usize];
                let of = |s: &Series| s.metric == *name && s.component.is_some_and(|c| self.net.is_on(c, &[*component]));
                healthy.extend(self.store.baseline.iter().enumerate().filter(|(_, s)| of(s)).map(|(at, _)| at));
            }
        }
        facts.baseline.extend(healthy.into_iter().map(|at| self.store.baseline[at].clone()));
        facts.series.extend(told.into_iter().map(|((metric, component, key), series)| Series {
            origin: key.origin.clone(),
            component: Some(component),
            instance: key.instance.clone(),
            metric: self.net.names.metrics[metric.0 as usize].clone(),
            modelled: true,
            labels: key.labels.clone(),
            points: series.points.clone().into(),
        }));
        let mut signals: BTreeMap<*const Signal, &Arc<Signal>> = BTreeMap::new();
        for (component, pattern) in &reads.lists {
            let hits = self.store.list(*component, *pattern).map(|list| list.hits.as_slice()).unwrap_or_default();
            signals.extend(hits.iter().map(|hit| (Arc::as_ptr(&hit.signal), &hit.signal)));
        }
        for signal in signals.into_values() {
            match signal.as_ref() {
                Signal::Alert(alert) => facts.alerts.push(alert.clone()),
                Signal::Log(log) => facts.logs.push(log.clone()),
                Signal::Change(change) => facts.changes.push(change.clone()),
                Signal::Report(report) => facts.reports.push(report.clone()),
            }
        }
        let mut seen: BTreeSet<*const Probe> = BTreeSet::new();
        for probe in reads.probes.iter().filter_map(|component| self.store.probes.get(component)).flatten() {
            if seen.insert(Arc::as_ptr(probe)) {
                facts.probes.push(probe.as_ref().clone());
            }
        }
        facts.index();
        facts
    }
}

/// Bindings by the number of their rule.
type Bound = BTreeMap<u32, BTreeSet<Vec<ComponentId>>>;

impl Matcher {
    /// The bindings for which some rule reads a fact, except those that only read metrics which stay far from all its bounds. No other
    /// one can be a near miss.
    pub fn touched(&mut self) -> Candidates {
        let from = self.now.minus(self.lookback.saturating_add(self.net.durations));
        let mut found = Bound::new();
        let mut done: BTreeSet<(u32, u32, ComponentId)> = BTreeSet::new();
        let mut uses: Vec<(Use, ComponentId)> = Vec::new();
        for cell in &self.store.cells {
            for watch in cell.watches.iter().map(|w| &self.net.watches[*w as usize]) {
                let bounds = watch.tables.iter().flat_map(|table| table.in_sight(|window| cell.span(from, window)));
                let listed = watch.listed.iter().flat_map(|listed| &listed.uses);
                uses.extend(bounds.chain(listed).chain(&watch.sampled).chain(&watch.raw).map(|what| (*what, cell.component)));
            }
        }
        let lists: Vec<(ComponentId, PatternId)> = self.store.lists.iter().map(|list| (list.component, list.pattern)).collect();
        for (component, pattern) in lists {
            let class = if component == NOWHERE { None } else { Some(self.class(component)) };
            let class = class.and_then(|class| self.classes.get(class as usize)).map(SmallVec::as_slice).unwrap_or_default();
            uses.extend(self.net.event_uses(class, pattern).map(|what| (*what, component)));
        }
        let known: Vec<ComponentId> = self.store.probed.clone();
        let metrics = self.store.cells.iter().map(|cell| cell.component);
        let components: BTreeSet<ComponentId> = if self.net.any_metric.is_empty() { BTreeSet::new() } else { metrics.collect() };
        for component in known {
            let class = self.class(component);
            let slots = self.classes[class as usize].iter();
            uses.extend(slots.flat_map(|slot| self.net.probe_uses(*slot)).map(|what| (*what, component)));
        }
        for component in components {
            let class = self.class(component);
            let slots = self.classes[class as usize].iter();
            uses.extend(slots.filter_map(|slot| self.net.any_metric.get(slot)).flatten().map(|what| (*what, component)));
        }
        for (what, component) in uses {
            if done.insert((what.rule, what.role, component)) {
                self.bind_all(what, component, &mut found);
            }
        }
        // A comparison of attributes only can be a near miss without any fact. A rule without variables has one binding.
        for rule in 0..super::node::number(self.net.rules.len()) {
            let of = &self.net.rules[rule as usize];
            if of.slots.is_empty() || compares_attributes(&of.condition) {
                let all = self.all_bindings(rule);
                found.entry(rule).or_default().extend(all.into_iter().map(|binding| binding.to_vec()));
            }
        }
        found.into_iter().map(|(rule, bindings)| (self.net.rules[rule as usize].id.clone(), bindings.into_iter().collect())).collect()
    }

    fn bind_all(&mut self, what: Use, component: ComponentId, into: &mut Bound) {
        let role = self.net.roles[what.role as usize].clone();
        let bases = if component == NOWHERE { None } else { self.bases(&role, component) };
        let (Some(variable), Some(bases)) = (role.base, bases) else {
            let all = self.all_bindings(what.rule);
            into.entry(what.rule).or_default().extend(all.into_iter().map(|binding| binding.to_vec()));
            return;
        };
        let mut found = Vec::new();
        for base in bases {
            if self.fits(what.rule, variable, base) {
                self.grow(what.rule, variable, base, None, &mut found);
            }
        }
        into.entry(what.rule).or_default().extend(found.into_iter().map(|binding| binding.to_vec()));
    }
}

fn compares_attributes(node: &Node) -> bool {
    match node {
        Node::And(parts) | Node::Or(parts) => parts.iter().any(compares_attributes),
        Node::Not(inner) | Node::Held { inner, .. } => compares_attributes(inner),
        Node::Quantified { body, .. } => compares_attributes(body),
        Node::State { bodies, .. } => bodies.iter().any(compares_attributes),
        Node::Compare { left, right, .. } => left.is_fixed() && right.is_fixed(),
        Node::Unexplained(_)
        | Node::Event { .. }
        | Node::Probe { .. }
        | Node::Link { .. }
        | Node::Shares { .. }
        | Node::Trend { .. }
        | Node::Baseline { .. }
        | Node::Sampled { .. }
        | Node::Probed { .. }
        | Node::Asked(_) => false,
    }
}
