//! Evidence: why a condition has its value.

use compile::plan::{Cond, CondKind, Op, Quantifier};
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
}

#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    Number(f64),
    Text(String),
    /// Missing or stale, and why.
    Unknown(String),
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
    Missing(String),
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

    /// Every signal that supports the value, including those of the children.
    pub fn all_signals(&self) -> std::collections::BTreeSet<SignalRef> {
        let mut all: std::collections::BTreeSet<SignalRef> = self.signals.iter().copied().collect();
        for child in &self.children {
            all.extend(child.all_signals());
        }
        all
    }
}
