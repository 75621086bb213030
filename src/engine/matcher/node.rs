//! Conditions with interned names, as the matcher evaluates them.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use compile::plan::{
    Argument, Call, Cond, CondKind, Event, EventKind, Op, PlaceOf, Plan, Quantifier, Reach, Set, SetBase, Stat, Subject, Target, Text,
    Value,
};
use estate::Model;
use value::Duration;

/// A metric that some rule reads, by its place in [`Interner::metrics`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricId(pub u32);

/// What a signal must be like for a condition to count it, by its place in [`Interner::patterns`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatternId(pub u32);

/// A place or set as a function of one component (`it`), by its place in [`Interner::specs`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpecId(pub u32);

#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pub kind: EventKind,
    /// Positions in [`Interner::needles`]; all of them must be in the text.
    pub needles: Vec<u32>,
    pub labels: Vec<(String, bool, String)>,
    pub source: Option<String>,
    /// Whether a condition counts it wherever it is.
    pub anywhere: bool,
    /// How long ago a signal may have ended to count.
    pub window: Duration,
}

/// Components that a condition looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    Subject(Subject),
    /// Of the subject, if it depends on one.
    Spec(SpecId, Option<Subject>),
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Held {
        inner: Box<Node>,
        duration: Duration,
    },
    Unexplained(Where),
    Event {
        pattern: PatternId,
        kind: EventKind,
        at_least: usize,
        same: Option<String>,
        on: Option<Where>,
        window: Option<Duration>,
    },
    Quantified {
        quantifier: Quantifier,
        set: Where,
        body: Box<Node>,
        /// Its number, if the elements are counted once for all conditions with this set and body.
        count: Option<u32>,
    },
    Probe {
        from: Option<Where>,
        to: Option<Where>,
        succeeds: bool,
        window: Duration,
    },
    Link {
        from: Subject,
        relation: String,
        to: Subject,
        reach: Reach,
        either_way: bool,
    },
    Shares {
        left: Subject,
        kind: Option<String>,
        right: Subject,
    },
    /// The body that a component's own type gives the state, by the type's number.
    State {
        subject: Subject,
        negated: bool,
        bodies: Vec<Node>,
        of_type: Vec<Option<usize>>,
    },
    Compare {
        left: Number,
        op: Op,
        right: Number,
    },
    Trend {
        subject: Subject,
        metric: MetricId,
        rises: bool,
        relative: bool,
        by: f64,
        window: Duration,
    },
    Baseline {
        subject: Subject,
        metric: MetricId,
        above: bool,
        stat: Stat,
        period: Duration,
        by_percent: f64,
    },
    /// Whether the metric was ever seen: a condition on it needs that.
    Sampled {
        subject: Subject,
        metric: MetricId,
    },
    /// The same for probes to a component.
    Probed {
        subject: Subject,
    },
    /// Conditions with scripts, which the plain engine evaluates.
    Asked(Box<Cond>),
}

/// A side of a comparison. A statistic without a window is over the instances.
#[derive(Debug, Clone)]
pub(super) enum Number {
    Constant(f64),
    Text(String),
    Attribute { subject: Subject, name: String },
    Share { percent: f64, of: Box<Number> },
    Now { subject: Subject, metric: MetricId },
    Statistic { stat: Stat, subject: Subject, metric: MetricId, window: Option<Duration> },
}

impl Number {
    /// Whether it does not change with time.
    pub fn is_fixed(&self) -> bool {
        match self {
            Number::Constant(_) | Number::Text(_) | Number::Attribute { .. } => true,
            Number::Share { of, .. } => of.is_fixed(),
            Number::Now { .. } | Number::Statistic { .. } => false,
        }
    }

    pub fn subject(&self) -> Option<Subject> {
        match self {
            Number::Constant(_) | Number::Text(_) => None,
            Number::Share { of, .. } => of.subject(),
            Number::Attribute { subject, .. } | Number::Now { subject, .. } | Number::Statistic { subject, .. } => Some(*subject),
        }
    }

    pub fn metric(&self) -> Option<(Subject, MetricId)> {
        match self {
            Number::Constant(_) | Number::Text(_) | Number::Attribute { .. } => None,
            Number::Share { of, .. } => of.metric(),
            Number::Now { subject, metric } | Number::Statistic { subject, metric, .. } => Some((*subject, *metric)),
        }
    }

    fn about_it(&self) -> Number {
        match self {
            Number::Constant(_) | Number::Text(_) => self.clone(),
            Number::Attribute { name, .. } => Number::Attribute { subject: Subject::It, name: name.clone() },
            Number::Share { percent, of } => Number::Share { percent: *percent, of: Box::new(of.about_it()) },
            Number::Now { metric, .. } => Number::Now { subject: Subject::It, metric: *metric },
            Number::Statistic { stat, metric, window, .. } => {
                Number::Statistic { stat: *stat, subject: Subject::It, metric: *metric, window: *window }
            }
        }
    }
}

impl Node {
    /// Whether it only reads `it` and the data about it.
    pub fn is_local(&self) -> bool {
        let it = |subject: &Subject| matches!(subject, Subject::It);
        match self {
            Node::And(parts) | Node::Or(parts) => parts.iter().all(Node::is_local),
            Node::Not(inner) | Node::Held { inner, .. } => inner.is_local(),
            Node::Event { on: Some(Where::Subject(subject)), .. } | Node::Trend { subject, .. } | Node::Baseline { subject, .. } => {
                it(subject)
            }
            Node::State { subject, bodies, .. } => it(subject) && bodies.iter().all(Node::is_local),
            Node::Compare { left, right, .. } => [left, right].into_iter().filter_map(Number::subject).all(|subject| it(&subject)),
            Node::Event { .. }
            | Node::Unexplained(_)
            | Node::Quantified { .. }
            | Node::Probe { .. }
            | Node::Link { .. }
            | Node::Shares { .. }
            | Node::Sampled { .. }
            | Node::Probed { .. }
            | Node::Asked(_) => false,
        }
    }

    /// The same atomic condition, about one subject, as a condition about `it`.
    pub fn about_it(&self) -> Node {
        match self {
            Node::Compare { left, op, right } => Node::Compare { left: left.about_it(), op: *op, right: right.about_it() },
            Node::Event { pattern, kind, at_least, same, window, .. } => Node::Event {
                pattern: *pattern,
                kind: *kind,
                at_least: *at_least,
                same: same.clone(),
                on: Some(Where::Subject(Subject::It)),
                window: *window,
            },
            Node::Probe { succeeds, window, .. } => {
                Node::Probe { from: None, to: Some(Where::Subject(Subject::It)), succeeds: *succeeds, window: *window }
            }
            Node::Sampled { metric, .. } => Node::Sampled { subject: Subject::It, metric: *metric },
            Node::Probed { .. } => Node::Probed { subject: Subject::It },
            Node::And(_)
            | Node::Or(_)
            | Node::Not(_)
            | Node::Held { .. }
            | Node::Unexplained(_)
            | Node::Quantified { .. }
            | Node::Link { .. }
            | Node::Shares { .. }
            | Node::State { .. }
            | Node::Baseline { .. }
            | Node::Asked(_) => self.clone(),
            Node::Trend { metric, rises, relative, by, window, .. } => {
                Node::Trend { subject: Subject::It, metric: *metric, rises: *rises, relative: *relative, by: *by, window: *window }
            }
        }
    }
}

/// Names that conditions use, each with its number.
#[derive(Debug, Default)]
pub(super) struct Interner {
    pub metrics: Vec<String>,
    metric_of: FxHashMap<String, MetricId>, // lookup only
    pub patterns: Vec<Pattern>,
    pattern_of: BTreeMap<String, PatternId>,
    pub needles: Vec<Text>,
    needle_of: BTreeMap<(bool, String), u32>,
    pub specs: Vec<Target>,
    spec_of: BTreeMap<String, SpecId>,
    /// Sets with the condition on each of their elements.
    count_of: BTreeMap<String, u32>,
    /// Types in the order of their names.
    pub types: Vec<String>,
    /// Whether a script may read every metric of a component.
    pub reads_all: bool,
    /// How far back samples of each metric are read, staleness left out.
    pub reach: Vec<Duration>,
    /// How far back probes are read.
    pub probe_window: Duration,
}

impl Interner {
    pub fn new(model: &Model) -> Self {
        Interner { types: model.types.keys().cloned().collect(), ..Interner::default() }
    }

    pub fn find_metric(&self, name: &str) -> Option<MetricId> {
        self.metric_of.get(name).copied()
    }

    pub fn metric(&mut self, name: &str, reach: Duration) -> MetricId {
        let id = match self.metric_of.get(name) {
            Some(id) => *id,
            None => {
                let id = MetricId(number(self.metrics.len()));
                self.metrics.push(name.to_owned());
                self.reach.push(0);
                self.metric_of.insert(name.to_owned(), id);
                id
            }
        };
        let known = &mut self.reach[id.0 as usize];
        *known = (*known).max(reach);
        id
    }

    fn needle(&mut self, text: &Text) -> u32 {
        let key = match text {
            Text::Contains(needle) => (false, needle.to_ascii_lowercase()),
            Text::Matches(regex) => (true, regex.as_str().to_owned()),
        };
        if let Some(known) = self.needle_of.get(&key) {
            return *known;
        }
        let id = number(self.needles.len());
        self.needles.push(text.clone());
        self.needle_of.insert(key, id);
        id
    }

    fn pattern(&mut self, event: &Event) -> PatternId {
        let needles: Vec<u32> = event.texts.iter().map(|t| self.needle(t)).collect();
        let key = format!("{:?}", (event.kind, &needles, &event.labels, &event.source));
        let id = match self.pattern_of.get(&key) {
            Some(id) => *id,
            None => {
                let id = PatternId(number(self.patterns.len()));
                let (labels, source) = (event.labels.clone(), event.source.clone());
                self.patterns.push(Pattern { kind: event.kind, needles, labels, source, anywhere: false, window: 0 });
                self.pattern_of.insert(key, id);
                id
            }
        };
        let pattern = &mut self.patterns[id.0 as usize];
        pattern.anywhere |= event.on.is_none();
        pattern.window = pattern.window.max(event.window.unwrap_or(0));
        id
    }

    fn spec(&mut self, target: Target) -> SpecId {
        let key = format!("{target:?}");
        if let Some(known) = self.spec_of.get(&key) {
            return *known;
        }
        let id = SpecId(number(self.specs.len()));
        self.specs.push(target);
        self.spec_of.insert(key, id);
        id
    }

    fn place(&mut self, place: &PlaceOf) -> Where {
        match place {
            PlaceOf::Subject(subject) => Where::Subject(*subject),
            PlaceOf::Holder { kind, of } => {
                Where::Spec(self.spec(Target::Place(PlaceOf::Holder { kind: kind.clone(), of: Subject::It })), Some(*of))
            }
            PlaceOf::Component(_) => Where::Spec(self.spec(Target::Place(place.clone())), None),
        }
    }

    fn target(&mut self, target: &Target) -> Where {
        match target {
            Target::Place(place) => self.place(place),
            Target::Set(set) => self.set(set),
        }
    }

    /// The number of a set with a condition about its elements alone.
    fn count(&mut self, set: Where, body: &Node) -> Option<u32> {
        let Where::Spec(spec, _) = set else { return None };
        let next = number(self.count_of.len());
        body.is_local().then(|| *self.count_of.entry(format!("{spec:?} {body:?}")).or_insert(next))
    }

    fn set(&mut self, set: &Set) -> Where {
        let it = |place: &PlaceOf| match place {
            PlaceOf::Subject(subject) => (PlaceOf::Subject(Subject::It), Some(*subject)),
            PlaceOf::Holder { kind, of } => (PlaceOf::Holder { kind: kind.clone(), of: Subject::It }, Some(*of)),
            PlaceOf::Component(id) => (PlaceOf::Component(id.clone()), None),
        };
        let (base, subject) = match &set.base {
            SetBase::Walk { dependents, of, via, max_hops } => {
                let (of, subject) = it(of);
                (SetBase::Walk { dependents: *dependents, of, via: via.clone(), max_hops: *max_hops }, subject)
            }
            SetBase::PeersInEstate(of) => (SetBase::PeersInEstate(Subject::It), Some(*of)),
            SetBase::PeersIn { of, kind } => (SetBase::PeersIn { of: Subject::It, kind: kind.clone() }, Some(*of)),
            SetBase::PeersInGroup(of) => (SetBase::PeersInGroup(Subject::It), Some(*of)),
            SetBase::Instances { kind, of } => (SetBase::Instances { kind: kind.clone(), of: Subject::It }, Some(*of)),
            SetBase::Held(of) => {
                let (of, subject) = it(of);
                (SetBase::Held(of), subject)
            }
            SetBase::Group(_) | SetBase::Type(_) => (set.base.clone(), None),
        };
        let written = compile::plan::Written::default();
        Where::Spec(self.spec(Target::Set(Set { base, filter: set.filter.clone(), written })), subject)
    }

    /// A condition of the plan.
    pub fn node(&mut self, cond: &Cond, plan: &Plan, model: &Model) -> Node {
        match &cond.kind {
            CondKind::And(parts) => Node::And(parts.iter().map(|p| self.node(p, plan, model)).collect()),
            CondKind::Or(parts) => Node::Or(parts.iter().map(|p| self.node(p, plan, model)).collect()),
            CondKind::Not(inner) => Node::Not(Box::new(self.node(inner, plan, model))),
            CondKind::Held { inner, duration } => Node::Held { inner: Box::new(self.node(inner, plan, model)), duration: *duration },
            CondKind::Unexplained(place) => Node::Unexplained(self.place(place)),
            CondKind::Event(event) => Node::Event {
                pattern: self.pattern(event),
                kind: event.kind,
                at_least: event.at_least as usize,
                same: event.same.clone(),
                on: event.on.as_ref().map(|target| self.target(target)),
                window: event.window,
            },
            CondKind::Quantified(quantified) => {
                let (set, body) = (self.set(&quantified.set), self.node(&quantified.body, plan, model));
                let count = self.count(set, &body);
                Node::Quantified { quantifier: quantified.quantifier, set, body: Box::new(body), count }
            }
            CondKind::Probe { from, to, succeeds, window } => {
                self.probe_window = self.probe_window.max(*window);
                Node::Probe {
                    from: from.as_ref().map(|place| self.place(place)),
                    to: to.as_ref().map(|place| self.place(place)),
                    succeeds: *succeeds,
                    window: *window,
                }
            }
            CondKind::Link { from, relation, to, reach, either_way } => {
                Node::Link { from: *from, relation: relation.clone(), to: *to, reach: *reach, either_way: *either_way }
            }
            CondKind::Shares { left, kind, right } => Node::Shares { left: *left, kind: kind.clone(), right: *right },
            CondKind::State { subject, state, negated } => self.state(*subject, state, *negated, plan, model),
            CondKind::Compare { left, right, .. } if left.has_script() || right.has_script() => self.asked(cond),
            CondKind::Script(_) => self.asked(cond),
            CondKind::Compare { left, op, right, .. } => Node::Compare { left: self.number(left), op: *op, right: self.number(right) },
            CondKind::Trend { metric, rises, relative, by, window } => Node::Trend {
                subject: metric.subject,
                metric: self.metric(&metric.name, *window),
                rises: *rises,
                relative: *relative,
                by: *by,
                window: *window,
            },
            CondKind::Baseline { metric, above, stat, period, by_percent } => Node::Baseline {
                subject: metric.subject,
                // Both ends of the half hour around the same time of day, and the step in which that moves.
                metric: self.metric(&metric.name, period + value::HOUR),
                above: *above,
                stat: *stat,
                period: *period,
                by_percent: *by_percent,
            },
        }
    }

    fn state(&mut self, subject: Subject, state: &str, negated: bool, plan: &Plan, model: &Model) -> Node {
        let mut bodies = Vec::new();
        let mut body_of: BTreeMap<&str, usize> = BTreeMap::new();
        let mut of_type = Vec::with_capacity(self.types.len());
        for name in model.types.keys() {
            let declaring = model.lineage(name).find(|t| plan.states.contains_key(&(t.name.clone(), state.to_owned())));
            of_type.push(declaring.and_then(|t| {
                if let Some(known) = body_of.get(t.name.as_str()) {
                    return Some(*known);
                }
                let cond = plan.states.get(&(t.name.clone(), state.to_owned()))?;
                bodies.push(self.node(cond, plan, model));
                body_of.insert(&t.name, bodies.len() - 1);
                Some(bodies.len() - 1)
            }));
        }
        Node::State { subject, negated, bodies, of_type }
    }

    fn asked(&mut self, cond: &Cond) -> Node {
        for argument in calls(cond).into_iter().flat_map(|call| &call.arguments) {
            match argument {
                Argument::Metric(metric) => {
                    self.metric(&metric.name, 0);
                }
                Argument::Component(_) => self.reads_all = true,
                Argument::Number(_) | Argument::Text(_) => {}
            }
        }
        if let CondKind::Compare { left, right, .. } = &cond.kind {
            for side in [left, right] {
                if !side.has_script() {
                    self.number(side);
                }
            }
        }
        Node::Asked(Box::new(cond.clone()))
    }

    fn number(&mut self, value: &Value) -> Number {
        match value {
            Value::Number { base, .. } => Number::Constant(*base),
            Value::Text(text) => Number::Text(text.clone()),
            Value::Attribute { subject, name, .. } => Number::Attribute { subject: *subject, name: name.clone() },
            Value::Share { percent, of } => Number::Share { percent: *percent, of: Box::new(self.number(of)) },
            Value::Metric(metric) => Number::Now { subject: metric.subject, metric: self.metric(&metric.name, 0) },
            Value::Aggregate { stat, metric, window } => {
                let reach = window.unwrap_or(0);
                Number::Statistic { stat: *stat, subject: metric.subject, metric: self.metric(&metric.name, reach), window: *window }
            }
            // The plain engine evaluates comparisons with scripts.
            Value::Script(_) => Number::Text(String::new()),
        }
    }
}

/// The script calls of an atomic condition.
pub(super) fn calls(cond: &Cond) -> SmallVec<[&Call; 2]> {
    fn of(value: &Value) -> Option<&Call> {
        match value {
            Value::Script(call) => Some(call),
            Value::Share { of: inner, .. } => of(inner),
            Value::Number { .. } | Value::Text(_) | Value::Metric(_) | Value::Attribute { .. } | Value::Aggregate { .. } => None,
        }
    }
    match &cond.kind {
        CondKind::Script(call) => SmallVec::from_slice(&[call]),
        CondKind::Compare { left, right, .. } => of(left).into_iter().chain(of(right)).collect(),
        CondKind::Or(_)
        | CondKind::And(_)
        | CondKind::Not(_)
        | CondKind::Held { .. }
        | CondKind::Unexplained(_)
        | CondKind::Event(_)
        | CondKind::Quantified(_)
        | CondKind::Probe { .. }
        | CondKind::Link { .. }
        | CondKind::Shares { .. }
        | CondKind::State { .. }
        | CondKind::Trend { .. }
        | CondKind::Baseline { .. } => SmallVec::new(),
    }
}

/// Numbers of things in lists that stay far below 2^32 entries: a plan of that size would not fit into memory.
pub(super) fn number(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
