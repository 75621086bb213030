//! The matcher: plan × estate × facts, one fact at a time. The cost of a step depends on what the fact touches.
//!
//! The state consists of facts only ([`store`]); everything else is derived from them. A fact passes through the network
//! (`network`), which finds the bounds that a value crosses and the conditions that a text matches. These are the *gates* of rules
//! (`gates`). A rule is evaluated for a binding only while its gates are open (`instances`, `step`). Conditions that gates do not
//! decide are evaluated (`eval`) together with the instant until which the value stays valid, so timers replace polling. A late
//! fact is handled like a current one, starting at its own time.
//!
//! The plain [`Engine`](super::Engine) is the definition. It produces all findings, evidence and explanations, over the facts that a
//! rule reads (`answer`). The property test `tests/matcher.rs` compares the two after every step.

mod answer;
mod bind;
mod bloom;
mod change;
mod component_class;
mod count;
mod eval;
mod fact;
mod gates;
mod instances;
mod intake;
mod layout;
mod network;
mod node;
mod notify;
mod recheck;
mod replay;
mod state;
mod step;
mod store;
mod text;
mod thresholds;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::Serialize;
use smallvec::SmallVec;

pub use change::{Gone, Intervals};
pub use fact::Prepared;
pub use signal::{Fact, Sample, SeriesKey};
pub use state::{STATE_VERSION, StateError};

use compile::Scripts;
use compile::plan::Plan;
use estate::{ByComponent, ComponentId, Snapshot};
use fact::{Ready, identity_of};
use instances::Live;
use network::{MetricId, Network};
use signal::Signal;
use signal::{Facts, Present, Series};
use store::{Cell, Store, Teller};
use value::{Duration, Time};

/// What the matcher is made of.
#[derive(Clone)]
pub struct Setup {
    pub plan: Arc<Plan>,
    pub estate: Arc<Snapshot>,
    pub scripts: Arc<dyn Scripts>,
    /// The kinds of signals that are available; conditions about other kinds are unknown.
    pub present: Present,
    /// The instant at which it starts.
    pub now: Time,
    /// How far back findings are kept.
    pub lookback: Duration,
    pub limits: Limits,
    /// Samples of a period known to be healthy: conditions against the baseline use them.
    pub baseline: Vec<Series>,
}

/// How much to keep. Beyond a limit the matcher keeps the newest, counts what it dropped, and continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Samples of all series. Beyond it, drops history that only past findings need, then samples that windows need, oldest first.
    pub samples: usize,
    /// Signals (alerts, log lines, changes, reports) that conditions count; one that fits several conditions counts for each.
    pub signals: usize,
    /// Bindings for which rules are evaluated. Beyond it, no new ones are made.
    pub instances: usize,
    /// Components in all cached sets. Beyond it, sets are computed again.
    pub sets: usize,
    /// Facts from the future. Beyond it, they are rejected: a clock far ahead must not fill the memory.
    pub waiting: usize,
    /// How many facts pass between two sweeps for old data.
    pub sweep_every: u32,
}

impl Default for Limits {
    /// At 16 bytes a sample, some 250 a signal and 200 an instance: about 2 GB when all are full.
    fn default() -> Self {
        Limits { samples: 50_000_000, signals: 2_000_000, instances: 4_000_000, sets: 50_000_000, waiting: 1_000_000, sweep_every: 64 }
    }
}

/// What became of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Taken,
    /// No rule reads it.
    Unread,
    /// It is already known.
    Duplicate,
    /// It is from the future, and waits.
    Waiting,
    /// It is older than anything that a rule can still read.
    TooLate,
    /// It is from the future, and too many such facts wait already.
    TooEarly,
    /// It was prepared for another plan or estate: prepare it again.
    Outdated,
}

/// What happened to a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    Started,
    /// It still holds, but its evidence or its start changed.
    Changed,
    Ended,
}

/// A finding that started, changed or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Emitted {
    pub at: Time,
    pub event: Event,
    /// Position of the rule in the order of identifiers, retired ones left out: see [`Matcher::rule_id`].
    pub rule: u32,
    /// Identifies the finding until it has ended and left the lookback: see [`Matcher::binding`].
    pub finding: u32,
}

/// What the matcher keeps and what it dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Stats {
    pub taken: u64,
    pub unread: u64,
    pub duplicates: u64,
    pub too_late: u64,
    pub too_early: u64,
    /// Rejected because they were prepared for another plan or estate.
    pub outdated: u64,
    /// Kept now.
    pub series: usize,
    pub samples: usize,
    pub signals: usize,
    pub probes: usize,
    pub instances: usize,
    pub waiting: usize,
    /// Dropped beyond a limit of [`Limits`], or never made.
    pub samples_let_go: u64,
    pub signals_let_go: u64,
    pub instances_not_made: u64,
}

impl Stats {
    /// Whether a limit was reached: results may lack what was dropped.
    pub fn degraded(&self) -> bool {
        self.samples_let_go + self.signals_let_go + self.instances_not_made + self.too_early > 0
    }
}

/// Matches rules incrementally. See the module.
pub struct Matcher {
    plan: Arc<Plan>,
    estate: Arc<Snapshot>,
    scripts: Arc<dyn Scripts>,
    present: Present,
    now: Time,
    lookback: Duration,
    limits: Limits,
    net: Network,
    store: Store,
    live: Live,
    /// Plan and estate of which facts are prepared.
    epoch: u32,
    /// Facts from the future, in order of time.
    waiting: BTreeMap<(Time, u64), Prepared>,
    sequence: u64,
    /// Slots of each component, by class; `u32::MAX`: not computed yet.
    class_of: ByComponent<u32>,
    classes: Vec<SmallVec<[u32; 8]>>,
    class_index: FxHashMap<SmallVec<[u32; 8]>, u32>,   // lookup only
    sets: RefCell<FxHashMap<u64, Arc<[ComponentId]>>>, // lookup only
    /// Components in all of these.
    remembered: std::cell::Cell<usize>,
    scratch: RefCell<Vec<(Time, f64)>>,
    needles: RefCell<Vec<u32>>,
    /// The instant from which explanations have changed in the current step.
    explained: Option<Time>,
    /// The uses that the current step affects.
    told: Vec<network::Use>,
    /// The same where a bound is known to hold or not.
    known: Vec<(network::Use, eval::Valued)>,
    /// Numbers the facts, so that a value cached for one fact is not used for another.
    steps: u64,
    /// For each component: the number of the last fact about it.
    heard: ByComponent<u64>,
    /// By the number of what is counted, and the component that the set belongs to.
    counters: RefCell<FxHashMap<u64, count::Counter>>, // lookup only
    /// The current component, and its metrics looked up in this step.
    reading: ComponentId,
    readings: Vec<std::cell::Cell<(u64, f64, Time)>>,
    /// Baselines computed in this step.
    usually: RefCell<eval::Usually>,
    /// Results of [`Matcher::bases`], by role and component.
    bases: RefCell<FxHashMap<u64, Option<Arc<[ComponentId]>>>>, // lookup only
    sweep: Sweep,
    stats: Stats,
    nothing: Facts,
}

/// The position of the sweeper: each step checks a few items that may be old.
#[derive(Debug, Clone, Copy, Default)]
struct Sweep {
    cell: usize,
    list: usize,
    instance: usize,
    recent: usize,
    probes: usize,
    steps: u32,
}

impl std::fmt::Debug for Matcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Matcher").field("now", &self.now).field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Matcher {
    pub fn new(setup: Setup) -> Self {
        let mut matcher = Self::empty(setup);
        matcher.start();
        matcher.forget_touched();
        matcher
    }

    /// A matcher that has not evaluated anything yet.
    fn empty(setup: Setup) -> Self {
        let net = Network::new(&setup.plan, &setup.estate);
        let mut matcher = Matcher {
            live: Live::new(net.rules.len()),
            class_of: setup.estate.table(u32::MAX),
            net,
            plan: setup.plan,
            store: Store::new(&setup.estate, setup.baseline),
            estate: setup.estate,
            scripts: setup.scripts,
            present: setup.present,
            now: setup.now,
            lookback: setup.lookback,
            limits: setup.limits,
            epoch: 0,
            waiting: BTreeMap::new(),
            sequence: 0,
            classes: Vec::new(),
            class_index: FxHashMap::default(), // lookup only
            sets: RefCell::default(),
            remembered: std::cell::Cell::new(0),
            scratch: RefCell::default(),
            needles: RefCell::default(),
            explained: None,
            told: Vec::new(),
            known: Vec::new(),
            steps: 0,
            heard: ByComponent::default(),
            counters: RefCell::default(),
            reading: store::NOWHERE,
            readings: Vec::new(),
            usually: RefCell::default(),
            bases: RefCell::default(),
            sweep: Sweep::default(),
            stats: Stats::default(),
            nothing: Facts::default(),
        };
        matcher.fresh_readings();
        matcher.combine_baseline();
        matcher
    }

    fn fresh_readings(&mut self) {
        self.readings = vec![std::cell::Cell::new((0, f64::NAN, Time::MAX)); self.net.names.metrics.len()];
        self.bases.borrow_mut().clear();
    }

    pub fn now(&self) -> Time {
        self.now
    }

    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    pub fn estate(&self) -> &Arc<Snapshot> {
        &self.estate
    }

    /// The identifier of a rule that was emitted.
    pub fn rule_id(&self, rule: u32) -> &str {
        self.net.rules.get(rule as usize).map_or("", |rule| rule.id.as_str())
    }

    /// The components to which the variables of the rule are bound.
    pub fn binding(&self, finding: u32) -> &[ComponentId] {
        self.live.instances.get(finding as usize).map(|i| i.binding.as_slice()).unwrap_or_default()
    }

    pub fn stats(&self) -> Stats {
        Stats {
            series: self.store.cells.iter().map(|c| c.series.len()).sum(),
            samples: self.store.samples,
            signals: self.store.hits,
            probes: self.store.probe_count,
            instances: self.live.len(),
            waiting: self.waiting.len(),
            ..self.stats
        }
    }

    fn combine_baseline(&mut self) {
        let mut cells: BTreeMap<(ComponentId, MetricId), Cell> = BTreeMap::new();
        for series in &self.store.baseline {
            let (Some(component), Some(metric)) = (series.component, self.net.names.find_metric(&series.metric)) else { continue };
            let key = Arc::new(series.key());
            for Teller { of: told, level } in self.net.tells(component, metric) {
                let Some(mut cell) = cells.remove(&(told, metric)).or_else(|| self.new_cell(told, metric)) else { continue };
                let teller = Teller { of: component, level: level + u8::from(key.instance.is_some()) };
                for (time, value) in series.points.iter().copied() {
                    cell.put(teller, &key, time, value);
                }
                cells.insert((told, metric), cell);
            }
        }
        self.store.healthy.clear();
        for ((component, metric), cell) in cells {
            let mut samples = Vec::new();
            cell.samples(Time::MIN, Time::MAX, &mut samples);
            if !samples.is_empty() {
                self.store.healthy.insert((u64::from(component.0) << 32) | u64::from(metric.0), samples);
            }
        }
    }

    fn healthy(&self, component: ComponentId, metric: MetricId) -> Option<&Vec<(Time, f64)>> {
        self.store.healthy.get(&((u64::from(component.0) << 32) | u64::from(metric.0)))
    }

    /// An empty cell for a metric of a component, if its type has it.
    fn new_cell(&self, component: ComponentId, metric: MetricId) -> Option<Cell> {
        let (staleness, aggregate) = self.net.reads(component, metric)?;
        Some(Cell {
            component,
            metric,
            staleness,
            aggregate,
            series: SmallVec::new(),
            quiet: (f64::NEG_INFINITY, f64::INFINITY),
            plain: true,
            watches: SmallVec::new(),
            holders: Vec::new(),
            timer: Time::MAX,
        })
    }

    /// Prepares a fact: searches its text and looks up its names. Read-only, so many threads can do it in advance.
    pub fn prepare(&self, fact: Fact) -> Prepared {
        let what = match fact {
            Fact::Sample(sample) => {
                return self.prepare_sample(sample.component, &sample.metric, &sample.series, sample.time, sample.value);
            }
            Fact::Alert(alert) => self.prepare_signal(Signal::Alert(alert)),
            Fact::Log(log) => self.prepare_signal(Signal::Log(log)),
            Fact::Change(change) => self.prepare_signal(Signal::Change(change)),
            Fact::Report(report) => self.prepare_signal(Signal::Report(report)),
            Fact::Probe(probe) => Ready::Probe(Arc::new(probe)),
        };
        Prepared { epoch: self.epoch, what }
    }

    /// The same for a sample, without copying its names.
    pub fn prepare_sample(
        &self,
        component: Option<ComponentId>,
        metric: &str,
        series: &Arc<SeriesKey>,
        time: Time,
        value: f64,
    ) -> Prepared {
        let known =
            component.and_then(|c| self.net.names.find_metric(metric).filter(|m| !self.net.tells(c, *m).is_empty()).map(|m| (c, m)));
        let what = match known {
            // Infinite values have no meaning in Prometheus, and no bound is useful for them.
            Some(_) if value.is_infinite() => Ready::Unread(time),
            Some((component, metric)) => Ready::Sample { component, metric, series: Arc::clone(series), time, value },
            None => Ready::Unread(time),
        };
        Prepared { epoch: self.epoch, what }
    }

    fn prepare_signal(&self, signal: Signal) -> Ready {
        let mut scratch = self.needles.take();
        let patterns = self.net.patterns_of(&signal, &self.estate, &mut scratch);
        self.needles.replace(scratch);
        let counted =
            signal.component().is_some() || patterns.iter().any(|p| self.net.names.patterns.get(p.0 as usize).is_some_and(|p| p.anywhere));
        if patterns.is_empty() || !counted {
            return Ready::Unread(signal.extent().0);
        }
        Ready::Signal { identity: identity_of(&signal), signal: Arc::new(signal), patterns }
    }

    /// Takes a fact; time advances to it if it is later than now. Appends what happens to `out`, in a fixed order.
    pub fn feed(&mut self, fact: Fact, out: &mut Vec<Emitted>) -> Outcome {
        let prepared = self.prepare(fact);
        self.advance(prepared.time(), out);
        self.push(&prepared, out)
    }

    /// The slots of a component.
    fn class(&mut self, component: ComponentId) -> u32 {
        let Some(known) = self.class_of.get(component) else {
            return self.class_number(SmallVec::from_slice(&[component_class::EVERY]));
        };
        if known != u32::MAX {
            return known;
        }
        let mut slots = self.net.slots_of(&self.estate, component);
        slots.sort_unstable();
        let class = self.class_number(slots);
        if let Some(slot) = self.class_of.get_mut(component) {
            *slot = class;
        }
        class
    }

    fn class_number(&mut self, slots: SmallVec<[u32; 8]>) -> u32 {
        if let Some(known) = self.class_index.get(&slots) {
            return *known;
        }
        let class = node::number(self.classes.len());
        self.classes.push(slots.clone());
        self.class_index.insert(slots, class);
        class
    }
}
