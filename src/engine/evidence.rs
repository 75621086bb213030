//! Evidence: why a condition has its value.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use compile::plan::{Cond, CondKind, Op, Quantifier, Stat};
use estate::ComponentId;
use value::{Duration, Time, Truth, Unit};

/// A signal, by its position in the lists of `Facts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignalRef {
    Alert(usize),
    Series(usize),
    Log(usize),
    Change(usize),
    Probe(usize),
    Report(usize),
}

/// A condition with its value at one instant, and what supports that value.
#[derive(Debug, Clone)]
pub struct Evidence<'a> {
    pub cond: &'a Cond,
    pub truth: Truth,
    pub at: Time,
    /// The component that an atomic condition is about, if there is one.
    pub about: Option<ComponentId>,
    pub detail: Detail<'a>,
    /// Signals that support the value.
    pub signals: Vec<SignalRef>,
    pub children: Vec<Evidence<'a>>,
}

/// A value that was compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    pub value: Known,
    pub unit: Option<Unit>,
    /// When the sample was taken; `None` for constants and attributes.
    pub time: Option<Time>,
    /// What it is: `order-db.connections`; empty for a constant.
    pub name: String,
    /// The signals that have this value. Of the highest or lowest of several, the others do not.
    pub told: Vec<SignalRef>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    Number(f64),
    Text(String),
    /// Missing or stale, and why.
    Unknown(Missing),
}

/// Why something is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Missing {
    /// No component is bound there.
    Component,
    /// The component has no value for the attribute.
    Attribute { attribute: String },
    /// Its type has no such metric.
    Metric { metric: String },
    /// Its type has no such state.
    State { state: String },
    /// The bundle has no signals of this kind: `alerts`, `metrics`, `logs`, `changes`, `events`, `reports`.
    Signals { kind: String },
    /// No sample of the metric.
    Sample { metric: String },
    /// The series was marked as ended.
    Ended { at: Time },
    /// The last sample is older than the limit, in milliseconds.
    Stale { at: Time, limit: Duration },
    /// No sample within the window.
    Window,
    /// Too few samples of the baseline.
    Baseline { found: usize, needed: usize },
    /// No probe result within the window.
    Probe,
    /// The script failed.
    Script { function: String, error: String },
    /// The script returned something else than a truth value.
    Truth { function: String },
    /// The script returned something that cannot be compared.
    Value { function: String },
    /// A metric that a script asks for is not a number.
    Number { name: String },
}

#[derive(Debug, Clone)]
pub enum Detail<'a> {
    /// A combination: see its children.
    Combined,
    Compared {
        left: Reading,
        op: Op,
        right: Reading,
    },
    /// Compares `now` with `reference`; `needed` is the value at which the condition becomes true.
    Moved {
        now: Reading,
        reference: Reading,
        needed: f64,
        /// The statistic of the reference, and of how many baseline samples; `None` if it is one earlier sample.
        baseline: Option<(Stat, usize)>,
    },
    Counted {
        found: usize,
        needed: usize,
        window: Option<Duration>,
    },
    Probed {
        last: Option<(Time, bool)>,
    },
    /// Elements of a set, in the order of the children: how many match, how many are unknown.
    Quantified {
        quantifier: Quantifier,
        holding: usize,
        unknown: usize,
        total: usize,
        elements: std::rc::Rc<Vec<ComponentId>>,
    },
    /// How long the condition was true without a gap up to the instant (at most the needed duration), and how long it must be.
    Held {
        held: Duration,
        needed: Duration,
    },
    /// A condition on the topology.
    Topology,
    /// The rule that already explains the component.
    Explained(Option<&'a str>),
    Scripted {
        answer: Known,
    },
    /// No data, and why.
    Missing(Missing),
}

impl<'a> Evidence<'a> {
    pub fn leaf(cond: &'a Cond, at: Time, truth: Truth, about: Option<ComponentId>, detail: Detail<'a>) -> Self {
        Self { cond, truth, at, about, detail, signals: Vec::new(), children: Vec::new() }
    }

    pub(super) fn with_child(mut self, child: Evidence<'a>) -> Self {
        self.children.push(child);
        self
    }

    /// The atomic conditions below, left to right. The flag is true under an odd number of negations.
    pub fn atoms(&self) -> Vec<(&Evidence<'a>, bool)> {
        let mut atoms = Vec::new();
        self.collect_atoms(false, &|_, _| true, &mut atoms);
        atoms
    }

    /// Collects the atoms below, but only descends into parts that `enters` accepts. Its second argument: whether under `not`.
    pub(super) fn collect_atoms<'e>(
        &'e self,
        negated: bool,
        enters: &impl Fn(&Evidence<'a>, bool) -> bool,
        into: &mut Vec<(&'e Evidence<'a>, bool)>,
    ) {
        if !enters(self, negated) {
            return;
        }
        let inside = match &self.cond.kind {
            CondKind::And(_) | CondKind::Or(_) => negated,
            CondKind::Not(_) => !negated,
            CondKind::State { negated: not, .. } if !self.children.is_empty() => negated ^ *not,
            // A condition with a duration counts as an atom, and so does a state that the type does not have.
            CondKind::Held { .. }
            | CondKind::State { .. }
            | CondKind::Unexplained(_)
            | CondKind::Event(_)
            | CondKind::Quantified(_)
            | CondKind::Probe { .. }
            | CondKind::Link { .. }
            | CondKind::Shares { .. }
            | CondKind::Compare { .. }
            | CondKind::Script(_)
            | CondKind::Trend { .. }
            | CondKind::Baseline { .. } => return into.push((self, negated)),
        };
        self.children.iter().for_each(|child| child.collect_atoms(inside, enters, into));
    }

    /// The signals that have the values that were compared; without any comparison, all of them.
    pub(super) fn told(&self) -> BTreeSet<SignalRef> {
        match &self.detail {
            Detail::Compared { left, right, .. } => left.told.iter().chain(&right.told).copied().collect(),
            Detail::Moved { now, .. } => now.told.iter().copied().collect(),
            Detail::Combined | Detail::Quantified { .. } | Detail::Held { .. } => self.children.iter().flat_map(Evidence::told).collect(),
            Detail::Counted { .. }
            | Detail::Probed { .. }
            | Detail::Topology
            | Detail::Explained(_)
            | Detail::Scripted { .. }
            | Detail::Missing(_) => self.signals.iter().copied().collect(),
        }
    }

    /// Every signal that supports the value, including those of the children.
    pub fn all_signals(&self) -> BTreeSet<SignalRef> {
        let mut all: BTreeSet<SignalRef> = self.signals.iter().copied().collect();
        for child in &self.children {
            all.extend(child.all_signals());
        }
        all
    }
}
