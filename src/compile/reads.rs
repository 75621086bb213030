//! What a condition reads: the metrics of its values, and what it gives to scripts. Whoever asks which data a rule needs asks here.

use std::collections::BTreeSet;

use super::plan::{Argument, Call, Cond, CondKind, Metric, Plan, Value};

impl Plan {
    /// The names of the metrics that rules and trees read, also through the states that they name.
    pub fn metrics(&self) -> BTreeSet<&str> {
        self.read_by(self.questions())
    }

    /// The same, and those of states that nobody names.
    pub(super) fn all_metrics(&self) -> BTreeSet<&str> {
        self.read_by(self.questions().chain(self.states.values()))
    }

    /// What rules and trees ask.
    fn questions(&self) -> impl Iterator<Item = &Cond> {
        let trees = self.trees.values().flat_map(|tree| tree.nodes.values()).filter_map(|node| node.auto.as_ref());
        self.rules.values().map(|rule| &rule.condition).chain(trees)
    }

    fn read_by<'p>(&'p self, conditions: impl Iterator<Item = &'p Cond>) -> BTreeSet<&'p str> {
        let mut open: Vec<&Cond> = conditions.collect();
        let (mut read, mut named) = (BTreeSet::new(), BTreeSet::new());
        while let Some(cond) = open.pop() {
            let given = cond.calls().into_iter().flat_map(Call::metrics);
            read.extend(cond.metrics().into_iter().chain(given).map(|metric| metric.name.as_str()));
            open.extend(cond.children());
            if let CondKind::State { state, .. } = &cond.kind
                && named.insert(state.as_str())
            {
                open.extend(self.states.iter().filter(|((_, name), _)| name == state).map(|(_, body)| body));
            }
        }
        read
    }
}

impl Cond {
    /// The two sides of a comparison, each without the share that is taken of it.
    fn values(&self) -> impl Iterator<Item = &Value> {
        let sides = match &self.kind {
            CondKind::Compare { left, right, .. } => Some([left, right]),
            CondKind::Or(_)
            | CondKind::And(_)
            | CondKind::Not(_)
            | CondKind::Held { .. }
            | CondKind::Quantified(_)
            | CondKind::Unexplained(_)
            | CondKind::Event(_)
            | CondKind::Probe { .. }
            | CondKind::Link { .. }
            | CondKind::Shares { .. }
            | CondKind::State { .. }
            | CondKind::Script(_)
            | CondKind::Trend { .. }
            | CondKind::Baseline { .. } => None,
        };
        sides.into_iter().flatten().map(|side| {
            let mut value = side;
            while let Value::Share { of, .. } = value {
                value = of;
            }
            value
        })
    }

    /// The metrics that it reads itself, without those of the conditions inside it and those that it gives to scripts.
    pub fn metrics(&self) -> Vec<&Metric> {
        if let CondKind::Trend { metric, .. } | CondKind::Baseline { metric, .. } = &self.kind {
            return vec![metric];
        }
        self.values().filter_map(Value::metric).collect()
    }

    /// The scripts that it calls itself.
    pub fn calls(&self) -> Vec<&Call> {
        if let CondKind::Script(call) = &self.kind {
            return vec![call];
        }
        self.values().filter_map(Value::call).collect()
    }
}

impl Value {
    fn metric(&self) -> Option<&Metric> {
        match self {
            Value::Metric(metric) | Value::Aggregate { metric, .. } => Some(metric),
            Value::Number { .. } | Value::Text(_) | Value::Attribute { .. } | Value::Share { .. } | Value::Script(_) => None,
        }
    }

    fn call(&self) -> Option<&Call> {
        match self {
            Value::Script(call) => Some(call),
            Value::Number { .. }
            | Value::Text(_)
            | Value::Attribute { .. }
            | Value::Share { .. }
            | Value::Metric(_)
            | Value::Aggregate { .. } => None,
        }
    }
}

impl Call {
    /// The metrics that it is given.
    pub fn metrics(&self) -> impl Iterator<Item = &Metric> {
        self.arguments.iter().filter_map(|argument| match argument {
            Argument::Metric(metric) => Some(metric),
            Argument::Component(_) | Argument::Number(_) | Argument::Text(_) => None,
        })
    }
}
