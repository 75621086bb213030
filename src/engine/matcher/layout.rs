//! A compact layout of the rule data that every step reads.

use compile::plan::{EventKind, Op};
use value::Duration;

use super::network::Shape;
use super::node::{MetricId, Node, Number, PatternId};

/// A role other than a variable itself.
pub(super) const INDIRECT: u8 = u8::MAX;

/// The most frequently read data of a rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hot {
    pub shape: Shape,
    /// Its gates, in [`Network::gates`].
    pub from: u32,
    pub to: u32,
    pub variables: u8,
    /// The rule cannot match unless its only variable has a recent signal of this pattern. So components where the rest of the
    /// condition is false need no instance: a fact that changes the rest finds them by this pattern.
    pub anchor: Option<PatternId>,
}

/// A gate of a rule; the gates of one clause are adjacent.
#[derive(Debug, Clone, Copy)]
pub(super) struct HotGate {
    pub clause: u32,
    pub role: u32,
    pub direct: u8,
    pub check: Check,
}

/// How to test a gate: the common conditions without reading their definition.
#[derive(Debug, Clone, Copy)]
pub(super) enum Check {
    Bound {
        metric: MetricId,
        op: Op,
        bound: f64,
    },
    /// At least one signal.
    Event {
        pattern: PatternId,
        kind: EventKind,
        window: Option<Duration>,
    },
    /// Position in [`Network::atoms`].
    Atom(u32),
}

pub(super) fn check_of(atom: u32, node: &Node) -> Check {
    match node {
        Node::Compare { left: Number::Now { metric, .. }, op, right: Number::Constant(bound) } => {
            Check::Bound { metric: *metric, op: *op, bound: *bound }
        }
        Node::Event { pattern, kind, at_least: 1, same: None, window, .. } => {
            Check::Event { pattern: *pattern, kind: *kind, window: *window }
        }
        Node::Compare { .. }
        | Node::Event { .. }
        | Node::And(_)
        | Node::Or(_)
        | Node::Not(_)
        | Node::Held { .. }
        | Node::Unexplained(_)
        | Node::Quantified { .. }
        | Node::Probe { .. }
        | Node::Link { .. }
        | Node::Shares { .. }
        | Node::State { .. }
        | Node::Trend { .. }
        | Node::Baseline { .. }
        | Node::Sampled { .. }
        | Node::Probed { .. }
        | Node::Asked(_) => Check::Atom(atom),
    }
}
