//! Why a condition has the value it has.

use compile::plan::{Cond, CondKind, Op, Quantifier};
use estate::ComponentId;
use value::{Duration, Time, Truth, Unit};

/// Which signal, by its position in the lists of `Facts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignalRef {
    Alert(usize),
    Series(usize),
    Log(usize),
    Change(usize),
    Probe(usize),
    Report(usize),
}

/// A condition with its value at one instant, and what it rests on.
#[derive(Debug, Clone)]
pub struct Evidence<'a> {
    pub cond: &'a Cond,
    pub truth: Truth,
    pub at: Time,
    /// The component that an atomic condition is about, if it is about one.
    pub about: Option<ComponentId>,
    pub detail: Detail<'a>,
    /// Signals that the value rests on.
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
    /// A combination; its children say more.
    Combined,
    Compared {
        left: Reading,
        op: Op,
        right: Reading,
    },
    /// `now` against `reference`; `needed` is the value at which it would hold.
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
    /// Elements of a set, in the order of the children: how many hold, how many are unknown.
    Quantified {
        quantifier: Quantifier,
        holding: usize,
        unknown: usize,
        total: usize,
        elements: std::rc::Rc<Vec<ComponentId>>,
    },
    /// For how long it held up to the instant without a gap (at most the needed duration), and for how long it had to.
    Held {
        held: Duration,
        needed: Duration,
    },
    /// A condition on the topology.
    Topology,
    /// The rule that explains the component already.
    Explained(Option<&'a str>),
    Scripted {
        answer: Known,
    },
    /// There is nothing to look at.
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

    /// Atomic conditions below, left to right, with whether they stand under an odd number of negations.
    pub fn atoms(&self) -> Vec<(&Evidence<'a>, bool)> {
        let mut atoms = Vec::new();
        self.collect_atoms(false, &|_, _| true, &mut atoms);
        atoms
    }

    /// Those atoms that only parts lead to which `enters` lets pass, given whether they stand under `not`.
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
            // A condition with its duration is one, and so is a state that its type does not have.
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

    /// Every signal that supports the value, below too.
    pub fn all_signals(&self) -> std::collections::BTreeSet<SignalRef> {
        let mut all: std::collections::BTreeSet<SignalRef> = self.signals.iter().copied().collect();
        for child in &self.children {
            all.extend(child.all_signals());
        }
        all
    }
}
