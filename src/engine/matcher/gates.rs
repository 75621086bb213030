//! Gates: necessary conditions of a rule, each about one component. From an event and the gates alone, the matcher knows whether
//! a rule can begin to match, and for which components.
//!
//! Gates are in conjunctive normal form: each clause needs a true gate. They are necessary; if they are also sufficient (`exact`),
//! nothing else is evaluated.

use smallvec::SmallVec;

use compile::plan::{Op, Quantifier, Stat, Subject};
use value::Duration;

use super::node::{MetricId, Node, Number, PatternId, SpecId, Where};

/// The path from a variable to the component that a condition is about: empty, or a sequence of sets and places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Role {
    /// `None`: does not depend on a variable.
    pub base: Option<usize>,
    pub steps: SmallVec<[SpecId; 2]>,
}

impl Role {
    pub fn variable(index: usize) -> Self {
        Role { base: Some(index), steps: SmallVec::new() }
    }

    /// The variable, if the role is the variable itself.
    pub fn is_variable(&self) -> Option<usize> {
        if self.steps.is_empty() { self.base } else { None }
    }

    /// The role of `place`, given the role of `it`. `None` if there is no such component.
    pub fn of(place: Where, it: Option<&Role>) -> Option<Role> {
        let subject = |subject: Subject| match subject {
            Subject::Variable(index) => Some(Role::variable(index)),
            Subject::It => it.cloned(),
        };
        match place {
            Where::Subject(of) => subject(of),
            Where::Spec(spec, None) => Some(Role { base: None, steps: SmallVec::from_slice(&[spec]) }),
            Where::Spec(spec, Some(of)) => {
                let mut role = subject(of)?;
                role.steps.push(spec);
                Some(role)
            }
        }
    }
}

/// An atomic condition about the component of a role.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    pub role: Role,
    /// About `it`.
    pub node: Node,
    pub input: Input,
}

/// What changes a condition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Input {
    /// A value that passes a bound.
    Bound {
        metric: MetricId,
        source: Operand,
        op: Op,
        bound: f64,
    },
    /// Any other condition on a metric, evaluated at each sample.
    Listed {
        metric: MetricId,
        window: Duration,
    },
    /// The first sample of a metric.
    Sampled {
        metric: MetricId,
    },
    /// Any sample of a metric; `None`: of any metric.
    Raw {
        metric: Option<MetricId>,
    },
    Event {
        pattern: PatternId,
    },
    Probe,
}

impl Input {
    /// The metric that it is about, if it is about a single one.
    pub fn metric(self) -> Option<MetricId> {
        match self {
            Input::Bound { metric, .. } | Input::Listed { metric, .. } | Input::Sampled { metric } => Some(metric),
            Input::Raw { metric } => metric,
            Input::Event { .. } | Input::Probe => None,
        }
    }
}

/// What a bound limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operand {
    Now,
    /// The largest or smallest value of a window: the statistic passes the bound while a sample in the window does.
    Extreme(Duration),
    /// Any other statistic of a window.
    Statistic(Stat, Duration),
    /// How far the value has moved from the smallest or largest value of a window.
    Trend {
        rises: bool,
        relative: bool,
        window: Duration,
    },
}

impl Operand {
    /// The window, if a sample that leaves it may make a bound true.
    pub fn moving(self) -> Option<Duration> {
        match self {
            Operand::Statistic(_, window) => Some(window),
            // For a trend, the change only shrinks as samples leave the window.
            Operand::Now | Operand::Extreme(_) | Operand::Trend { .. } => None,
        }
    }

    /// Whether it is computed from a window.
    pub fn is_windowed(self) -> bool {
        matches!(self, Operand::Statistic(..) | Operand::Trend { .. })
    }
}

#[derive(Debug, Default)]
pub(super) struct Gates {
    pub clauses: Vec<Vec<Gate>>,
    pub exact: bool,
}

impl Gates {
    fn none() -> Self {
        Gates { clauses: Vec::new(), exact: false }
    }

    fn one(gate: Option<Gate>, exact: bool) -> Self {
        gate.map_or_else(Gates::none, |gate| Gates { clauses: vec![vec![gate]], exact })
    }
}

/// The gates of a condition that must be true. `it` is the role of `it`.
pub(super) fn gates(node: &Node, it: Option<&Role>) -> Gates {
    match node {
        Node::And(parts) => {
            let mut all = Gates { clauses: Vec::new(), exact: true };
            for part in parts {
                let of = gates(part, it);
                all.exact &= of.exact;
                all.clauses.extend(of.clauses);
            }
            all
        }
        Node::Or(parts) => either(parts.iter().map(|part| gates(part, it))),
        Node::Held { inner, .. } => Gates { exact: false, ..gates(inner, it) },
        Node::State { subject, negated: false, bodies, of_type } => match Role::of(Where::Subject(*subject), it) {
            Some(role) => {
                // If the type does not have the state, it is unknown, whatever the body.
                let one = bodies.len() == 1 && of_type.iter().all(Option::is_some);
                let found = either(bodies.iter().map(|body| gates(body, Some(&role))));
                Gates { exact: found.exact && one, ..found }
            }
            None => Gates::none(),
        },
        Node::Quantified { quantifier, set, body, .. } => {
            let positive = match quantifier {
                Quantifier::Every | Quantifier::Any => true,
                Quantifier::AtLeast(count) => *count > 0,
                Quantifier::AtLeastPercent(percent) => *percent > 0.0,
                Quantifier::No | Quantifier::AtMost(_) | Quantifier::AtMostPercent(_) => false,
            };
            match Role::of(*set, it) {
                Some(role) if positive => Gates { exact: false, ..gates(body, Some(&role)) },
                Some(_) | None => Gates::none(),
            }
        }
        Node::Event { pattern, on: Some(place), .. } => {
            // For a set, signals of all its components are counted together, so not every component needs one.
            let exact = matches!(place, Where::Subject(_));
            let single = match node.about_it() {
                Node::Event { pattern, kind, window, .. } if !exact => {
                    Node::Event { pattern, kind, at_least: 1, same: None, on: Some(Where::Subject(Subject::It)), window }
                }
                whole => whole,
            };
            let gate = Role::of(*place, it).map(|role| Gate { role, node: single, input: Input::Event { pattern: *pattern } });
            Gates::one(gate.filter(|_| at_least_one(node)), exact)
        }
        Node::Probe { from, to: Some(Where::Subject(subject)), .. } => {
            let node = if from.is_none() { node.about_it() } else { Node::Probed { subject: Subject::It } };
            let gate = Role::of(Where::Subject(*subject), it).map(|role| Gate { role, node, input: Input::Probe });
            Gates::one(gate, from.is_none())
        }
        Node::Compare { left, op, right } => {
            let (subject, whole) = match (left.metric(), right.metric()) {
                (Some((subject, _)), None) => (subject, right.subject().is_none_or(|s| s == subject)),
                (None, Some((subject, _))) => (subject, left.subject().is_none_or(|s| s == subject)),
                (Some((subject, _)), Some(_)) => (subject, false),
                (None, None) => return Gates::none(),
            };
            let Some(role) = Role::of(Where::Subject(subject), it) else { return Gates::none() };
            if let (true, Some(input)) = (whole, threshold(left, *op, right)) {
                return Gates::one(Some(Gate { role, node: node.about_it(), input }), true);
            }
            let metric = left.metric().or(right.metric()).map(|(_, metric)| metric);
            Gates::one(metric.map(|metric| sampled(role, metric)), false)
        }
        Node::Trend { subject, .. } => {
            let role = Role::of(Where::Subject(*subject), it);
            Gates::one(role.zip(change(node)).map(|(role, input)| Gate { role, node: node.about_it(), input }), true)
        }
        Node::Baseline { subject, metric, .. } => {
            Gates::one(Role::of(Where::Subject(*subject), it).map(|role| sampled(role, *metric)), false)
        }
        Node::Not(_)
        | Node::Unexplained(_)
        | Node::Event { on: None, .. }
        | Node::Probe { .. }
        | Node::Link { .. }
        | Node::Shares { .. }
        | Node::State { .. }
        | Node::Sampled { .. }
        | Node::Probed { .. }
        | Node::Asked(_) => Gates::none(),
    }
}

fn at_least_one(node: &Node) -> bool {
    matches!(node, Node::Event { at_least, .. } if *at_least > 0)
}

fn sampled(role: Role, metric: MetricId) -> Gate {
    Gate { role, node: Node::Sampled { subject: Subject::It, metric }, input: Input::Sampled { metric } }
}

/// For "or": a clause that joins the narrowest clause of each part.
fn either(parts: impl Iterator<Item = Gates>) -> Gates {
    let mut clause = Vec::new();
    let mut exact = true;
    for part in parts {
        exact &= part.exact && part.clauses.len() == 1;
        match part.clauses.into_iter().min_by_key(|clause| breadth(clause)) {
            Some(narrowest) => clause.extend(narrowest),
            None => return Gates::none(),
        }
    }
    if clause.is_empty() { Gates::none() } else { Gates { clauses: vec![clause], exact } }
}

/// A rough measure of how many components pass a clause: events are rarer than values beyond a bound, which are rarer than samples.
fn breadth(clause: &[Gate]) -> usize {
    let of = |gate: &Gate| {
        let kind = match gate.input {
            Input::Event { .. } | Input::Probe => 0,
            Input::Bound { .. } => 1,
            Input::Listed { .. } => 2,
            Input::Sampled { .. } | Input::Raw { .. } => 4,
        };
        kind + if gate.role.is_variable().is_some() { 0 } else { 8 }
    };
    clause.iter().map(of).max().unwrap_or(usize::MAX)
}

/// How a comparison of a metric with a constant is triggered.
fn threshold(left: &Number, op: Op, right: &Number) -> Option<Input> {
    let (value, op, bound) = if right.is_fixed() { (left, op, right) } else { (right, op.flipped(), left) };
    if !bound.is_fixed() {
        return None;
    }
    let (metric, window, stat) = match value {
        Number::Now { metric, .. } => (*metric, 0, None),
        Number::Statistic { stat, metric, window: Some(window), .. } => (*metric, *window, Some(*stat)),
        Number::Statistic { metric, window: None, .. } => return Some(Input::Listed { metric: *metric, window: 0 }),
        // `80% of a.x < 5`: listed.
        Number::Share { of, .. } => match of.as_ref() {
            Number::Statistic { metric, window, .. } => {
                return Some(Input::Listed { metric: *metric, window: window.unwrap_or(0) });
            }
            Number::Now { metric, .. } => return Some(Input::Listed { metric: *metric, window: 0 }),
            Number::Constant(_) | Number::Text(_) | Number::Attribute { .. } | Number::Share { .. } => return None,
        },
        Number::Constant(_) | Number::Text(_) | Number::Attribute { .. } => return None,
    };
    let listed = Some(Input::Listed { metric, window });
    let Number::Constant(bound) = bound else { return listed };
    let bound = *bound;
    let source = match (stat, op) {
        (None, Op::Gt | Op::Ge | Op::Lt | Op::Le) => Operand::Now,
        (Some(Stat::Peak), Op::Gt | Op::Ge) | (Some(Stat::Lowest), Op::Lt | Op::Le) => Operand::Extreme(window),
        (Some(stat), Op::Gt | Op::Ge | Op::Lt | Op::Le) => Operand::Statistic(stat, window),
        (Some(_) | None, _) => return listed,
    };
    Some(Input::Bound { metric, source, op, bound })
}

/// How a trend is triggered: a smaller change is reached before a larger one.
fn change(node: &Node) -> Option<Input> {
    let Node::Trend { metric, rises, relative, by, window, .. } = node else { return None };
    let source = Operand::Trend { rises: *rises, relative: *relative, window: *window };
    Some(Input::Bound { metric: *metric, source, op: Op::Ge, bound: *by })
}

/// Every input that may change a condition, each with the role of its component.
pub(super) fn inputs(node: &Node, it: Option<&Role>, positive: bool, into: &mut Vec<(Role, Input)>) {
    let anywhere = || Role { base: None, steps: SmallVec::new() };
    let mut add = |role: Option<Role>, input: Input| into.extend(role.map(|role| (role, input)));
    let of = |subject: Subject| Role::of(Where::Subject(subject), it);
    match node {
        Node::And(parts) | Node::Or(parts) => parts.iter().for_each(|part| inputs(part, it, positive, into)),
        Node::Not(inner) => inputs(inner, it, false, into),
        Node::Held { inner, .. } => inputs(inner, it, positive, into),
        Node::Unexplained(_) | Node::Link { .. } | Node::Shares { .. } => {}
        Node::Event { pattern, on, .. } => {
            let input = Input::Event { pattern: *pattern };
            add(on.map_or_else(|| Some(anywhere()), |place| Role::of(place, it)), input);
        }
        Node::Quantified { quantifier, set, body, .. } => {
            let up = match quantifier {
                Quantifier::Every | Quantifier::Any | Quantifier::AtLeast(_) | Quantifier::AtLeastPercent(_) => positive,
                Quantifier::No | Quantifier::AtMost(_) | Quantifier::AtMostPercent(_) => false,
            };
            let role = Role::of(*set, it);
            inputs(body, role.as_ref(), up, into);
        }
        Node::Probe { to, .. } => add(to.and_then(|place| Role::of(place, it)), Input::Probe),
        Node::State { subject, negated, bodies, .. } => {
            let role = of(*subject);
            bodies.iter().for_each(|body| inputs(body, role.as_ref(), positive && !negated, into));
        }
        Node::Compare { left, op, right } => {
            if let (true, Some(input @ Input::Bound { .. })) = (positive, threshold(left, *op, right)) {
                let subject = left.metric().or(right.metric()).map(|(subject, _)| subject);
                return add(subject.and_then(of), input);
            }
            for (subject, metric) in left.metric().into_iter().chain(right.metric()) {
                add(of(subject), Input::Raw { metric: Some(metric) });
            }
        }
        Node::Trend { subject, metric, .. } => {
            let input = change(node).filter(|_| positive).unwrap_or(Input::Raw { metric: Some(*metric) });
            add(of(*subject), input);
        }
        Node::Baseline { subject, metric, .. } => add(of(*subject), Input::Raw { metric: Some(*metric) }),
        Node::Sampled { .. } | Node::Probed { .. } => {}
        Node::Asked(cond) => {
            for subject in cond.subjects() {
                add(of(subject), Input::Raw { metric: None });
            }
        }
    }
}
