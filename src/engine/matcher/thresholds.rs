//! The bounds of all rules on one metric for one slot, sorted so that a binary search finds the ones that a value satisfies.

use compile::plan::{Op, Stat};
use value::Duration;

use super::super::evaluate::compare_numbers;
use super::super::outlook::{Span, is_close, needed};
use super::gates::Operand;
use super::network::Use;
use super::node::{Node, number};

/// Bounds on one reading of a metric, ascending.
#[derive(Debug)]
pub(super) struct Table {
    pub source: Operand,
    pub op: Op,
    pub bounds: Vec<f64>,
    pub uses: Vec<Use>,
}

/// What bounds are compared with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Statistic {
    Value(f64),
    Change(Change),
}

/// A value and the extreme value of a window that it came from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub current: f64,
    pub reference: f64,
    pub rises: bool,
    pub relative: bool,
}

impl Change {
    /// Whether it is a change of at least `by`, as the plain engine defines it. A change that reaches `by` reaches every smaller one.
    pub fn reaches(self, by: f64) -> bool {
        let Change { current, reference, rises, relative } = self;
        let needed = needed(rises, relative, reference, by);
        let is = |op, bound: f64| compare_numbers(current, op, bound);
        if rises { is(Op::Ge, needed) && is(Op::Gt, reference) } else { is(Op::Le, needed) && is(Op::Lt, reference) }
    }
}

impl Table {
    /// Whether the satisfied bounds are at the front.
    pub fn front(&self) -> bool {
        matches!(self.op, Op::Gt | Op::Ge)
    }

    /// How many bounds a reading satisfies: those at the front, or those at the back.
    pub fn held(&self, reading: Option<Statistic>) -> u32 {
        let Some(reading) = reading else { return 0 };
        let holds = |bound: &f64| match reading {
            Statistic::Value(value) => compare_numbers(value, self.op, *bound),
            Statistic::Change(change) => change.reaches(*bound),
        };
        let count =
            if self.front() { self.bounds.partition_point(holds) } else { self.bounds.len() - self.bounds.partition_point(|b| !holds(b)) };
        number(count)
    }

    /// The uses whose bounds a metric may hold, or come close to. Its spans: by the window before the searched time.
    pub fn in_sight(&self, span: impl Fn(Duration) -> Span) -> &[Use] {
        let window = match self.source {
            Operand::Statistic(Stat::Total, _) => return &self.uses,
            Operand::Now => 0,
            Operand::Extreme(window) | Operand::Statistic(_, window) | Operand::Trend { window, .. } => window,
        };
        let Some((low, high)) = span(window) else { return &[] };
        let close = |bound: &f64| match self.source {
            // A share of a negative number is no bound.
            Operand::Trend { .. } if low < 0.0 => true,
            Operand::Trend { rises: true, relative, .. } => is_close(high, Op::Ge, needed(true, relative, low, *bound)),
            Operand::Trend { rises: false, relative, .. } => is_close(low, Op::Le, needed(false, relative, high, *bound)),
            Operand::Now | Operand::Extreme(_) | Operand::Statistic(..) => is_close(if self.front() { high } else { low }, self.op, *bound),
        };
        if self.front() {
            &self.uses[..self.bounds.partition_point(close)]
        } else {
            &self.uses[self.bounds.partition_point(|bound| !close(bound))..]
        }
    }

    /// The uses whose bounds are true at one of two counts of true bounds, but not at the other.
    pub fn between(&self, a: u32, b: u32) -> &[Use] {
        let (least, most) = (a.min(b) as usize, a.max(b) as usize);
        let len = self.uses.len();
        if self.front() { &self.uses[least..most] } else { &self.uses[len - most..len - least] }
    }
}

/// A condition of which only the truth is kept.
#[derive(Debug)]
pub(super) struct Listed {
    pub node: Node,
    pub uses: Vec<Use>,
    /// It may become true without a new sample, when one leaves this window.
    pub window: Duration,
}

/// What rules need of a metric of components in a slot.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// No bound is true between these two; nearly all samples of a healthy component are there.
    pub quiet: (f64, f64),
    pub tables: Vec<Table>,
    pub listed: Vec<Listed>,
    pub sampled: Vec<Use>,
    pub raw: Vec<Use>,
    /// The ones whose rules may match although the metric was never seen.
    pub partial: Vec<Use>,
}

impl Table {
    pub fn sort(&mut self) {
        let mut rows: Vec<(f64, Use)> = self.bounds.iter().copied().zip(self.uses.iter().copied()).collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| (a.1.rule, a.1.clause, a.1.role).cmp(&(b.1.rule, b.1.clause, b.1.role))));
        self.bounds = rows.iter().map(|row| row.0).collect();
        self.uses = rows.into_iter().map(|row| row.1).collect();
    }
}

impl Watch {
    /// Windows for which a sample that leaves may make a condition true.
    pub fn windows(&self) -> impl Iterator<Item = Duration> {
        let tables = self.tables.iter().filter_map(|table| table.source.moving());
        tables.chain(self.listed.iter().map(|listed| listed.window).filter(|window| *window > 0))
    }
}
