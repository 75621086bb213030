//! Replaces the plan or the estate: facts stay, everything else is derived from them again. A condition with `for 5m` that has been
//! true for four minutes is therefore true one minute later, whatever was edited in between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use compile::Scripts;
use compile::plan::Plan;
use estate::{ComponentId, Snapshot};
use signal::{Facts, Probe};
use value::Time;

use signal::{Fact, Sample, SeriesKey, Signal};

use super::fact::{Prepared, Ready, identity_of};
use super::instances::{Before, Live};
use super::network::{MetricId, Network, REST, Use};
use super::store::{Buffer, NOWHERE, Store, Teller};
use super::thresholds::Statistic;
use super::{Emitted, Event, Matcher, Sweep};

/// When something held: half open, the last one without an end while it holds.
pub type Intervals = Vec<(Time, Option<Time>)>;

/// A finding that held before a change of plan or estate and does not hold after it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gone {
    pub rule: String,
    /// The ids of the components of its variables.
    pub components: Vec<String>,
}

impl Matcher {
    /// Switches to another plan over another estate. Facts stay, except: facts about removed components become unplaced (their
    /// samples and probes are dropped), and facts that no rule reads any longer are dropped. A new rule sees only the history that
    /// some rule read before. Appends findings that start, or whose start changed, to `out`; returns findings that no longer hold.
    /// Facts prepared before are outdated.
    pub fn replace(&mut self, plan: Arc<Plan>, estate: Arc<Snapshot>, scripts: Arc<dyn Scripts>, out: &mut Vec<Emitted>) -> Vec<Gone> {
        let mut before: BTreeMap<Gone, Time> = BTreeMap::new();
        for instance in self.live.instances.iter().filter(|i| !i.gone) {
            if let Some(since) = instance.since {
                before.insert(self.name(instance.rule, &instance.binding), since);
            }
        }
        let kept = self.take_facts(&estate);
        self.net = Network::new(&plan, &estate);
        self.live = Live::new(self.net.rules.len());
        self.class_of = estate.table(u32::MAX);
        self.classes.clear();
        self.class_index.clear();
        self.sets.borrow_mut().clear();
        self.sweep = Sweep::default();
        self.explained = None;
        self.epoch += 1;
        (self.plan, self.estate, self.scripts) = (plan, estate, scripts);
        self.fresh_readings();
        self.put_facts(kept);
        self.begin_anew();
        for at in std::mem::take(&mut self.live.touched) {
            let instance = &mut self.live.instances[at as usize];
            instance.before = Before::Untouched;
            instance.changed = false;
            let (rule, since, binding) = (instance.rule, instance.since, instance.binding.clone());
            let Some(since) = since else { continue };
            let event = match before.remove(&self.name(rule, &binding)) {
                None => Event::Started,
                Some(old) if old.max(self.now.minus(self.lookback)) != since.max(self.now.minus(self.lookback)) => Event::Changed,
                Some(_) => continue,
            };
            out.push(Emitted { at: self.now, event, rule, finding: at });
        }
        before.into_keys().collect()
    }

    fn name(&self, rule: u32, binding: &[ComponentId]) -> Gone {
        let components = binding.iter().map(|c| self.estate.component(*c).id.clone()).collect();
        Gone { rule: self.net.rules[rule as usize].id.clone(), components }
    }

    /// Derives everything from the facts.
    pub(super) fn begin_anew(&mut self) {
        self.start();
        for at in 0..self.store.cells.len() {
            self.tell_cell(at);
        }
        for at in 0..self.store.lists.len() {
            let list = &self.store.lists[at];
            let (component, pattern) = (list.component, list.pattern);
            if component != NOWHERE && !list.hits.is_empty() {
                let class = self.class(component);
                let class = &self.classes[class as usize];
                let uses: Vec<Use> = self.net.event_uses(class, pattern).filter(|u| u.clause != REST).copied().collect();
                uses.into_iter().for_each(|what| self.notify(what, component, Time::MIN));
            }
        }
        for component in self.store.probed.clone() {
            let class = self.class(component);
            let slots = self.classes[class as usize].clone();
            let uses: Vec<Use> = slots.iter().flat_map(|slot| self.net.probe_uses(*slot)).filter(|u| u.clause != REST).copied().collect();
            uses.into_iter().for_each(|what| self.notify(what, component, Time::MIN));
        }
        // Rules with `no other rule explains` may have been evaluated before these.
        if let Some(from) = self.explained.take() {
            for rule in self.net.asking.clone() {
                for at in self.live.all_of[rule as usize].clone() {
                    let binding = self.live.instances[at as usize].binding.clone();
                    self.replay(rule, &binding, from.max(self.now.minus(self.lookback)));
                }
            }
            self.explained = None;
        }
    }

    /// Notifies every rule with a bound that some sample of a cell crosses.
    fn tell_cell(&mut self, at: usize) {
        let cell = &self.store.cells[at];
        let component = cell.component;
        let values = || cell.series.iter().flat_map(|s| &s.points).map(|(_, value)| *value).filter(|value| !value.is_nan());
        let (low, high) = values().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let mut uses: Vec<Use> = Vec::new();
        for watch in cell.watches.iter().map(|w| &self.net.watches[*w as usize]) {
            for table in &watch.tables {
                let whole = cell.series.len() > 1 || table.source.is_windowed();
                let most = if whole {
                    super::node::number(table.uses.len())
                } else {
                    table.held(Some(Statistic::Value(low))).max(table.held(Some(Statistic::Value(high))))
                };
                uses.extend(table.between(0, most).iter().filter(|what| what.clause != REST));
            }
            uses.extend(watch.listed.iter().flat_map(|listed| &listed.uses));
            uses.extend_from_slice(&watch.sampled);
        }
        uses.sort_unstable_by_key(|what| (what.rule, what.clause, what.role));
        uses.dedup_by_key(|what| (what.rule, what.role));
        uses.into_iter().for_each(|what| self.notify(what, component, Time::MIN));
        self.arm_cell(super::node::number(at));
    }

    /// Removes and returns all facts, as facts about the components of an estate.
    pub(super) fn take_facts(&mut self, estate: &Snapshot) -> Kept {
        let store = std::mem::take(&mut self.store);
        let mut moved = self.estate.table(None);
        for id in self.estate.ids() {
            if let Some(new) = moved.get_mut(id) {
                *new = estate.find(&self.estate.component(id).id);
            }
        }
        let new = |old: Option<ComponentId>| old.and_then(|component| moved.get(component).flatten());
        let mut kept = Kept { baseline: store.baseline, ..Kept::default() };
        // A series of an instance is in the cells of its workloads too.
        let mut known: BTreeMap<(ComponentId, MetricId, Arc<SeriesKey>), usize> = BTreeMap::new();
        for cell in store.cells {
            for Buffer { teller, key, points } in cell.series {
                let Some(component) = new(Some(teller.of)) else { continue };
                match known.get(&(teller.of, cell.metric, Arc::clone(&key))).and_then(|at| kept.series.get_mut(*at)) {
                    Some(other) if other.points.len() < points.len() => other.points = points,
                    Some(_) => {}
                    None => {
                        known.insert((teller.of, cell.metric, Arc::clone(&key)), kept.series.len());
                        let metric = self.net.names.metrics[cell.metric.0 as usize].clone();
                        kept.series.push(KeptSeries { component, metric, key, points });
                    }
                }
            }
        }
        let mut seen: BTreeSet<*const Signal> = BTreeSet::new();
        for hit in store.lists.iter().flat_map(|list| &list.hits) {
            if seen.insert(Arc::as_ptr(&hit.signal)) {
                let mut signal = hit.signal.as_ref().clone();
                signal.set_component(new(signal.component()));
                kept.signals.push(signal);
            }
        }
        let mut probes = store.probes;
        for component in self.estate.ids() {
            // Those of its instances are kept with these.
            let own = probes.remove(&component).into_iter().flatten().filter(|probe| probe.component == Some(component));
            for probe in own {
                if let Some(component) = new(Some(component)) {
                    kept.probes.push(Probe { component: Some(component), from: new(probe.from), ..probe.as_ref().clone() });
                }
            }
        }
        for series in &mut kept.baseline {
            series.component = new(series.component);
        }
        for prepared in std::mem::take(&mut self.waiting).into_values() {
            let fact = match prepared.what {
                Ready::Sample { component, metric, series, time, value } => {
                    let metric = self.net.names.metrics[metric.0 as usize].clone();
                    Fact::Sample(Sample { component: new(Some(component)), metric, series, time, value })
                }
                Ready::Signal { signal, .. } => {
                    let mut signal = signal.as_ref().clone();
                    signal.set_component(new(signal.component()));
                    Fact::from(signal)
                }
                Ready::Probe(probe) => {
                    Fact::Probe(Probe { component: new(probe.component), from: new(probe.from), ..probe.as_ref().clone() })
                }
                Ready::Unread(_) => continue,
            };
            kept.waiting.push(fact);
        }
        kept
    }

    /// Puts facts back without notifying rules.
    pub(super) fn put_facts(&mut self, kept: Kept) {
        self.store = Store::new(&self.estate, kept.baseline);
        self.combine_baseline();
        for KeptSeries { component, metric, key, points } in kept.series {
            let Some(metric) = self.net.names.find_metric(&metric) else { continue };
            for Teller { of: told, level } in self.net.tells(component, metric) {
                let Some(at) = self.store.cell_at(told, metric).or_else(|| self.make_cell(told, metric)) else { continue };
                let teller = Teller { of: component, level: level + u8::from(key.instance.is_some()) };
                self.store.samples += points.len();
                self.store.cells[at as usize].series.push(Buffer { teller, key: Arc::clone(&key), points: points.clone() });
            }
        }
        for cell in &mut self.store.cells {
            cell.series.sort_by(|a, b| a.place().cmp(&b.place()));
        }
        for signal in kept.signals {
            if let Ready::Signal { signal, identity, patterns } = self.prepare_signal(signal) {
                self.store_signal(&signal, identity, &patterns);
            }
        }
        for probe in kept.probes {
            let probe = Arc::new(probe);
            for place in self.net.places(probe.component) {
                self.store.put_probe(place, &probe);
            }
        }
        for fact in kept.waiting {
            let prepared = self.prepare(fact);
            if prepared.is_read() {
                self.wait(prepared);
            }
        }
    }

    pub(super) fn wait(&mut self, fact: Prepared) {
        self.sequence += 1;
        self.waiting.insert((fact.time(), self.sequence), fact);
    }

    /// Evaluates rules without gates for all components from the start.
    pub(super) fn start(&mut self) {
        self.count_anew();
        let start = self.now.minus(self.lookback);
        for rule in 0..super::node::number(self.net.rules.len()) {
            if self.net.rules[rule as usize].eager {
                for binding in self.all_bindings(rule) {
                    self.replay(rule, &binding, start);
                }
            }
        }
    }

    /// Sweeps a few items that may be old, so that the cost of a step stays even.
    pub(super) fn sweep_some(&mut self) {
        self.sweep.steps = self.sweep.steps.wrapping_add(1);
        let full = self.store.samples > self.limits.samples || self.store.hits > self.limits.signals;
        if !self.sweep.steps.is_multiple_of(self.limits.sweep_every.max(1)) && !full {
            return;
        }
        for _ in 0..SWEEP_MANY {
            self.sweep_cell();
            self.sweep_list();
            self.sweep_instance();
            self.sweep_recent();
            self.sweep_probes();
        }
    }

    fn sweep_cell(&mut self) {
        let full = self.store.samples > self.limits.samples;
        let at = self.sweep.cell;
        self.sweep.cell = if at + 1 < self.store.cells.len() { at + 1 } else { 0 };
        let Some((metric, staleness)) = self.store.cells.get(at).map(|c| (c.metric, c.staleness)) else { return };
        let keeps = self.keeps(metric, staleness);
        let mut gone = self.store.cells[at].forget(self.now.minus(keeps));
        self.store.samples -= gone;
        if full {
            self.count_anew();
            // First drop what only past findings need; if there is none, the older half.
            gone = self.store.cells[at].forget(self.now.minus(keeps - self.lookback));
            if gone == 0 {
                gone = self.store.cells[at].halve();
            }
            self.store.samples -= gone;
            self.stats.samples_let_go += gone as u64;
        }
    }

    fn sweep_list(&mut self) {
        let full = self.store.hits > self.limits.signals;
        let at = self.sweep.list;
        self.sweep.list = if at + 1 < self.store.lists.len() { at + 1 } else { 0 };
        let from = self.now.minus(self.keeps_signals());
        let Some(list) = self.store.lists.get_mut(at) else { return };
        let old = list.hits.iter().filter(|hit| hit.end < from).take(MANY).map(|hit| Arc::clone(&hit.signal));
        let mut gone: Vec<Arc<Signal>> = old.collect();
        if full && gone.is_empty() {
            gone.extend(list.hits.iter().take(list.hits.len().div_ceil(2).min(MANY)).map(|hit| Arc::clone(&hit.signal)));
            self.stats.signals_let_go += gone.len() as u64;
        }
        for signal in gone {
            self.forget_signal(&signal);
        }
    }

    /// Drops a signal from every list: a list that kept it would count it twice when it is delivered again.
    fn forget_signal(&mut self, signal: &Arc<Signal>) {
        let identity = identity_of(signal);
        let Some(list) = self.store.known.get_mut(&identity) else { return };
        let Some(at) = list.iter().position(|known| known.signal.is_same(signal)) else { return };
        let known = list.swap_remove(at);
        if list.is_empty() {
            self.store.known.remove(&identity);
        }
        for pattern in known.patterns {
            for place in self.net.places(signal.component()).into_iter().chain([NOWHERE]) {
                let Some(list) = self.store.list_at(place, pattern) else { continue };
                let list = &mut self.store.lists[list as usize];
                if let Some(at) = list.position(signal) {
                    list.hits.remove(at);
                    self.store.hits -= 1;
                }
            }
        }
    }

    fn sweep_probes(&mut self) {
        let at = self.sweep.probes;
        self.sweep.probes = if at + 1 < self.store.probed.len() { at + 1 } else { 0 };
        let Some(component) = self.store.probed.get(at).copied() else { return };
        let from = self.now.minus(self.keeps_signals());
        let Some(list) = self.store.probes.get_mut(&component) else { return };
        let old = list.partition_point(|probe| probe.time < from);
        list.drain(..old);
        self.store.probe_count -= old;
        if list.is_empty() {
            self.store.probes.remove(&component);
            self.store.probed.swap_remove(at);
        }
    }

    /// Removes components without a signal that still counts from the recent components of a pattern.
    fn sweep_recent(&mut self) {
        if self.store.recent.is_empty() {
            return;
        }
        self.sweep.recent = (self.sweep.recent + 1) % self.store.recent.len();
        let at = self.sweep.recent;
        let pattern = super::node::PatternId(super::node::number(at));
        let window = self.net.names.patterns.get(at).map_or(0, |p| p.window);
        let mut recent = std::mem::take(&mut self.store.recent[at]);
        let now = self.now;
        recent.retain(|component| {
            let Some(list) = self.store.list_at(*component, pattern) else { return false };
            let list = &mut self.store.lists[list as usize];
            list.recent = list.since(now, window).iter().any(|hit| hit.end.plus(window) >= now);
            list.recent
        });
        self.store.recent[at] = recent;
    }

    fn sweep_instance(&mut self) {
        let at = self.sweep.instance;
        self.sweep.instance = if at + 1 < self.live.instances.len() { at + 1 } else { 0 };
        let start = self.now.minus(self.lookback);
        let Some(instance) = self.live.instances.get_mut(at) else { return };
        if instance.gone {
            return;
        }
        instance.held.retain(|(_, until)| *until > start);
        let over = !instance.live && instance.since.is_none() && instance.held.is_empty() && instance.last < start;
        let at = super::node::number(at);
        if over && !self.net.rules[self.live.instances[at as usize].rule as usize].eager {
            if self.live.instances[at as usize].explaining {
                for component in self.explained_by(at) {
                    if let Some(list) = self.live.explainers.get_mut(&component) {
                        list.retain(|other| *other != at);
                    }
                }
            }
            self.live.remove(at);
        }
    }
}

/// How many items of each kind one sweep checks.
const SWEEP_MANY: u32 = 8;
/// How many signals of one list a sweep drops at most.
const MANY: usize = 64;

/// A series on the component that it is about.
pub(super) struct KeptSeries {
    pub component: ComponentId,
    pub metric: String,
    pub key: Arc<SeriesKey>,
    pub points: Vec<(Time, f64)>,
}

/// Facts carried over from one plan and estate to the next.
#[derive(Default)]
pub(super) struct Kept {
    pub series: Vec<KeptSeries>,
    pub signals: Vec<Signal>,
    pub probes: Vec<Probe>,
    pub baseline: Vec<signal::Series>,
    pub waiting: Vec<Fact>,
}

impl Matcher {
    /// All intervals in which rules held within the lookback, in the order of rule and components.
    pub fn history(&self) -> Vec<(&str, &[ComponentId], Intervals)> {
        let start = self.now.minus(self.lookback);
        let mut all = Vec::new();
        for instance in self.live.instances.iter().filter(|i| !i.gone) {
            let past = instance.held.iter().filter(|(_, until)| *until > start).map(|(since, until)| (*since.max(&start), Some(*until)));
            let intervals: Vec<_> = past.chain(instance.since.map(|since| (since.max(start), None))).collect();
            if !intervals.is_empty() {
                all.push((self.net.rules[instance.rule as usize].id.as_str(), instance.binding.as_slice(), intervals));
            }
        }
        all.sort_unstable();
        all
    }

    /// All facts, as the plain engine reads them.
    pub fn all_facts(&self) -> Facts {
        let metrics = self.store.cells.iter().map(|c| (c.component, MetricId(c.metric.0)));
        self.facts_of(metrics.collect(), self.store.lists.iter().map(|l| (l.component, l.pattern)).collect())
    }
}
