//! The plan: the meaning of the rules, with names resolved and units fixed, independent of their spelling.

use std::collections::BTreeMap;

use diag::Place;
pub use language::ast::{Answer, EventKind, Kind, Op, Quantifier, Reach, Severity, Stat, Status};
use value::{DAY, Duration, HOUR, MINUTE, Unit};

/// How far back an event counts when a condition names no window; [`LOG_WINDOW`] also for events of a cluster.
pub const LOG_WINDOW: Duration = 10 * MINUTE;
pub const CHANGE_WINDOW: Duration = HOUR;
pub const REPORT_WINDOW: Duration = 15 * MINUTE;
pub const PROBE_WINDOW: Duration = 5 * MINUTE;
/// How many earlier days a baseline covers if the condition names none.
pub const BASELINE_PERIOD: Duration = 7 * DAY;

/// Everything that the rules of a project mean.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// By identifier.
    pub rules: BTreeMap<String, Rule>,
    pub trees: BTreeMap<String, Tree>,
    /// Named states by (type that declares it, state).
    pub states: BTreeMap<(String, String), Cond>,
}

/// How something was written. Two plans with the same meaning are equal, so comparisons ignore this.
#[derive(Debug, Clone, Default)]
pub struct Written {
    pub text: String,
    pub place: Option<Place>,
}

impl PartialEq for Written {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub id: String,
    pub kind: Kind,
    pub title: String,
    /// The historical case of a CAS rule.
    pub case: Option<String>,
    pub variables: Vec<Variable>,
    /// Conditions on the topology alone, which bind the variables.
    pub joins: Vec<Cond>,
    pub condition: Cond,
    pub impacts: Vec<Impact>,
    pub faults: Vec<Conclusion>,
    pub causes: Vec<Conclusion>,
    pub suppressions: Vec<Suppression>,
    pub checks: Vec<Advice>,
    pub solutions: Vec<Advice>,
    pub notes: Vec<String>,
    pub overrides: Vec<(String, Option<String>)>,
    /// 0 to 100.
    pub priority: u32,
    /// As declared; without it, an incident has the severity of its alerts.
    pub severity: Option<Severity>,
    pub status: Status,
    pub owner: Option<String>,
    pub tags: Vec<String>,
    pub added: Option<String>,
    pub reviewed: Option<String>,
    pub written: Written,
}

impl Rule {
    /// Whether its condition has `no other rule explains`; such rules are evaluated after all others.
    pub fn asks_others(&self) -> bool {
        self.condition.any(&|c| matches!(c.kind, CondKind::Unexplained(_)))
    }

    /// Whether its condition calls a script.
    pub fn has_script(&self) -> bool {
        self.condition.any(&|c| match &c.kind {
            CondKind::Script(_) => true,
            CondKind::Compare { left, right, .. } => [left, right].into_iter().any(Value::has_script),
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
            | CondKind::Baseline { .. } => false,
        })
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    pub name: String,
    /// Canonical name of the type.
    pub kind: String,
    pub filter: Option<Filter>,
}

/// A component in the scope of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Position in [`Rule::variables`].
    Variable(usize),
    /// The element of the innermost quantifier, or the component whose state is defined.
    It,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Cond {
    pub kind: CondKind,
    pub written: Written,
}

#[derive(Debug, Clone, PartialEq)]
pub enum CondKind {
    Or(Vec<Cond>),
    And(Vec<Cond>),
    Not(Box<Cond>),
    Held {
        inner: Box<Cond>,
        duration: Duration,
    },
    Unexplained(PlaceOf),
    Event(Event),
    Quantified(Box<Quantified>),
    Probe {
        from: Option<PlaceOf>,
        to: Option<PlaceOf>,
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
    /// `kind` is `None` for a redundancy group.
    Shares {
        left: Subject,
        kind: Option<String>,
        right: Subject,
    },
    State {
        subject: Subject,
        state: String,
        negated: bool,
    },
    /// `unit`: how values are shown; `None` for texts.
    Compare {
        left: Value,
        op: Op,
        right: Value,
        unit: Option<Unit>,
    },
    Script(Call),
    /// `by` in percent if `relative`, else in the base unit.
    Trend {
        metric: Metric,
        rises: bool,
        relative: bool,
        by: f64,
        window: Duration,
    },
    Baseline {
        metric: Metric,
        above: bool,
        stat: Stat,
        period: Duration,
        by_percent: f64,
    },
}

impl Cond {
    /// The condition and all inside it, depth first; true as soon as one satisfies `test`.
    pub fn any(&self, test: &impl Fn(&Cond) -> bool) -> bool {
        test(self) || self.children().iter().any(|c| c.any(test))
    }

    pub fn children(&self) -> Vec<&Cond> {
        match &self.kind {
            CondKind::Or(parts) | CondKind::And(parts) => parts.iter().collect(),
            CondKind::Not(inner) | CondKind::Held { inner, .. } => vec![inner],
            CondKind::Quantified(q) => vec![&q.body],
            CondKind::Unexplained(_)
            | CondKind::Event(_)
            | CondKind::Probe { .. }
            | CondKind::Link { .. }
            | CondKind::Shares { .. }
            | CondKind::State { .. }
            | CondKind::Compare { .. }
            | CondKind::Script(_)
            | CondKind::Trend { .. }
            | CondKind::Baseline { .. } => Vec::new(),
        }
    }

    /// The subjects that it names itself, without those of the conditions inside it.
    pub fn subjects(&self) -> Vec<Subject> {
        match &self.kind {
            CondKind::Or(_) | CondKind::And(_) | CondKind::Not(_) | CondKind::Held { .. } => Vec::new(),
            CondKind::Unexplained(place) => place.subjects(),
            CondKind::Event(event) => event.on.as_ref().map(Target::subjects).unwrap_or_default(),
            CondKind::Quantified(quantified) => quantified.set.subjects(),
            CondKind::Probe { from, to, .. } => from.iter().chain(to).flat_map(PlaceOf::subjects).collect(),
            CondKind::Link { from, to, .. } => vec![*from, *to],
            CondKind::Shares { left, right, .. } => vec![*left, *right],
            CondKind::State { subject, .. } => vec![*subject],
            CondKind::Compare { left, right, .. } => [left.subjects(), right.subjects()].concat(),
            CondKind::Script(call) => call.subjects(),
            CondKind::Trend { metric, .. } | CondKind::Baseline { metric, .. } => vec![metric.subject],
        }
    }

    /// How many atomic signals it reads: its weight as evidence.
    pub fn signals(&self) -> usize {
        match &self.kind {
            CondKind::Link { .. } | CondKind::Shares { .. } | CondKind::Unexplained(_) => 0,
            CondKind::Or(parts) | CondKind::And(parts) => parts.iter().map(Cond::signals).sum(),
            CondKind::Not(inner) | CondKind::Held { inner, .. } => inner.signals(),
            CondKind::Quantified(q) => q.body.signals(),
            CondKind::Event(_)
            | CondKind::Probe { .. }
            | CondKind::State { .. }
            | CondKind::Compare { .. }
            | CondKind::Script(_)
            | CondKind::Trend { .. }
            | CondKind::Baseline { .. } => 1,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// In the base unit of its dimension.
    Number {
        base: f64,
        unit: Unit,
    },
    Text(String),
    Metric(Metric),
    Attribute {
        subject: Subject,
        name: String,
        unit: Option<Unit>,
    },
    Share {
        percent: f64,
        of: Box<Value>,
    },
    Aggregate {
        stat: Stat,
        metric: Metric,
        /// `None`: over its instances at the instant.
        window: Option<Duration>,
    },
    Script(Call),
}

impl Value {
    fn subjects(&self) -> Vec<Subject> {
        match self {
            Value::Number { .. } | Value::Text(_) => Vec::new(),
            Value::Metric(metric) | Value::Aggregate { metric, .. } => vec![metric.subject],
            Value::Attribute { subject, .. } => vec![*subject],
            Value::Share { of, .. } => of.subjects(),
            Value::Script(call) => call.subjects(),
        }
    }

    pub fn has_script(&self) -> bool {
        match self {
            Value::Script(_) => true,
            Value::Share { of, .. } => of.has_script(),
            Value::Number { .. } | Value::Text(_) | Value::Metric(_) | Value::Aggregate { .. } | Value::Attribute { .. } => false,
        }
    }
}

impl Call {
    fn subjects(&self) -> Vec<Subject> {
        let of = |argument: &Argument| match argument {
            Argument::Component(subject) => Some(*subject),
            Argument::Metric(metric) => Some(metric.subject),
            Argument::Number(_) | Argument::Text(_) => None,
        };
        self.arguments.iter().filter_map(of).collect()
    }
}

impl PlaceOf {
    fn subjects(&self) -> Vec<Subject> {
        match self {
            PlaceOf::Subject(subject) | PlaceOf::Holder { of: subject, .. } => vec![*subject],
            PlaceOf::Component(_) => Vec::new(),
        }
    }
}

impl Target {
    pub fn subjects(&self) -> Vec<Subject> {
        match self {
            Target::Place(place) => place.subjects(),
            Target::Set(set) => set.subjects(),
        }
    }
}

impl Set {
    fn subjects(&self) -> Vec<Subject> {
        match &self.base {
            SetBase::Walk { of, .. } | SetBase::Held(of) => of.subjects(),
            SetBase::PeersInEstate(of) | SetBase::PeersIn { of, .. } | SetBase::PeersInGroup(of) | SetBase::Instances { of, .. } => {
                vec![*of]
            }
            SetBase::Group(_) | SetBase::Type(_) => Vec::new(),
        }
    }
}

/// A metric of a component; its staleness and aggregate are those of the component's own type.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    pub subject: Subject,
    /// Canonical name.
    pub name: String,
    pub unit: Unit,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub function: String,
    pub arguments: Vec<Argument>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Argument {
    Component(Subject),
    Number(f64),
    Text(String),
    Metric(Metric),
}

#[derive(Debug, Clone, PartialEq)]
pub enum PlaceOf {
    Subject(Subject),
    Holder { kind: String, of: Subject },
    Component(String),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    Place(PlaceOf),
    Set(Set),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub kind: EventKind,
    pub at_least: u32,
    pub texts: Vec<Text>,
    /// `None`: anywhere, unplaced signals included.
    pub on: Option<Target>,
    pub source: Option<String>,
    /// Count per value of this attribute, and take the largest.
    pub same: Option<String>,
    /// Label, whether it must be equal, value.
    pub labels: Vec<(String, bool, String)>,
    /// `None` only for alerts: firing at the instant itself.
    pub window: Option<Duration>,
}

/// What a text must contain or match; ASCII case is ignored by the former.
#[derive(Debug, Clone)]
pub enum Text {
    Contains(String),
    Matches(regex::Regex),
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Text::Contains(a), Text::Contains(b)) => a == b,
            (Text::Matches(a), Text::Matches(b)) => a.as_str() == b.as_str(),
            (Text::Contains(_), Text::Matches(_)) | (Text::Matches(_), Text::Contains(_)) => false,
        }
    }
}

impl Text {
    pub fn is_in(&self, haystack: &str) -> bool {
        match self {
            Text::Matches(regex) => regex.is_match(haystack),
            Text::Contains(needle) => {
                let (hay, needle) = (haystack.as_bytes(), needle.as_bytes());
                needle.is_empty() || hay.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle))
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Quantified {
    pub quantifier: Quantifier,
    pub set: Set,
    pub body: Cond,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    pub base: SetBase,
    pub filter: Option<Filter>,
    pub written: Written,
}

#[derive(Debug, Clone, PartialEq)]
pub enum SetBase {
    Walk {
        dependents: bool,
        of: PlaceOf,
        via: Vec<String>,
        max_hops: Option<u32>,
    },
    PeersInEstate(Subject),
    PeersIn {
        of: Subject,
        kind: String,
    },
    PeersInGroup(Subject),
    /// What of a type comes and goes for a component.
    Instances {
        kind: String,
        of: Subject,
    },
    Group(String),
    Held(PlaceOf),
    Type(String),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    Any(Vec<Filter>),
    All(Vec<Filter>),
    Test { field: Field, op: Op, value: FilterValue },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    Id,
    Name,
    Type,
    Owner,
    Environment,
    Tier,
    Attribute(String),
}

#[derive(Debug, Clone, PartialEq)]
pub enum FilterValue {
    Text(String),
    /// In the base unit of its dimension.
    Number(f64),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Impact {
    /// Functions of each component; empty means the component itself.
    pub functions: Vec<String>,
    pub target: Target,
}

/// A fault or a cause; without a place it is a direction, or about the estate as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Conclusion {
    pub text: String,
    pub at: Option<PlaceOf>,
}

/// Alerts that are only symptoms.
#[derive(Debug, Clone, PartialEq)]
pub struct Suppression {
    /// Any of these; none means every alert.
    pub texts: Vec<Text>,
    /// Label, whether it must be equal, value.
    pub labels: Vec<(String, bool, String)>,
    /// Labels in which they must equal an alert on which the finding rests.
    pub same: Vec<String>,
    pub on: Target,
}

impl Suppression {
    /// Whether it means an alert with this text and these labels, wherever that is.
    pub fn selects(&self, text: &str, labels: &BTreeMap<String, String>) -> bool {
        (self.texts.is_empty() || self.texts.iter().any(|t| t.is_in(text)))
            && self.labels.iter().all(|(name, equal, value)| (labels.get(name) == Some(value)) == *equal)
    }

    /// Whether two alerts agree in what must be the same. A label that is missing equals one that is empty, as in Alertmanager.
    pub fn agrees(&self, one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> bool {
        self.same.iter().all(|name| one.get(name).map_or("", String::as_str) == other.get(name).map_or("", String::as_str))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    pub text: String,
    pub see: Vec<String>,
    pub query: Option<String>,
    pub runbook: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    pub id: String,
    pub title: String,
    pub notes: Vec<String>,
    pub owner: Option<String>,
    pub status: Status,
    /// The first question is the root.
    pub root: String,
    pub nodes: BTreeMap<String, TreeNode>,
    pub written: Written,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TreeNode {
    pub name: String,
    pub question: String,
    pub auto: Option<Cond>,
    /// In the order of the text.
    pub branches: Vec<(Answer, Goal)>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Goal {
    Node(String),
    End { verdict: String, see: Vec<String> },
}
