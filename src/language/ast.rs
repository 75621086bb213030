//! The syntax tree: the text of a file, before names are resolved. Every node has its place. [`File::tokens`] keeps comments
//! and all other tokens, so that a formatter or an editor loses nothing.

use diag::{SourceId, Span};
use value::{Duration, Unit};

/// A value with its place in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct At<T> {
    pub value: T,
    pub span: Span,
}

impl<T> At<T> {
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// One `.rules` file.
#[derive(Debug, Clone)]
pub struct File {
    pub source: SourceId,
    /// Every token in order, comments included; white space is what lies between.
    pub tokens: Vec<Token>,
    pub rules: Vec<Rule>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    Comment,
    Text,
    /// A string whose closing quote is missing, to the end of its line.
    OpenText,
    Number,
    Word,
    RuleId,
    Punctuation,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    pub kind: TokenKind,
    pub span: Span,
}

/// The kind of a rule: the prefix of its identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Kind {
    Top,
    Met,
    Cas,
    Tree,
}

impl Kind {
    pub fn of(id: &str) -> Option<Kind> {
        match id.split_once('-')?.0 {
            "TOP" => Some(Kind::Top),
            "MET" => Some(Kind::Met),
            "CAS" => Some(Kind::Cas),
            "TREE" => Some(Kind::Tree),
            _ => None,
        }
    }

    pub fn prefix(self) -> &'static str {
        match self {
            Kind::Top => "TOP",
            Kind::Met => "MET",
            Kind::Cas => "CAS",
            Kind::Tree => "TREE",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Rule {
    pub kind: Kind,
    pub id: At<String>,
    pub title: At<String>,
    pub case: Option<At<String>>,
    pub clauses: Vec<Clause>,
    /// Some clause could not be parsed. The rule is still checked, but never compiled.
    pub broken: bool,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub struct Clause {
    pub span: Span,
    pub body: Body,
}

#[derive(Debug, Clone)]
pub enum Body {
    Given(Vec<Given>),
    If(Expr),
    Conclusion(Conclusion),
    Check(Advice),
    Solution(Advice),
    Note(At<String>),
    Priority(At<u32>),
    Severity(At<Severity>),
    Owner(At<String>),
    Tags(Vec<At<String>>),
    Status(At<Status>),
    Added(At<String>),
    Reviewed(At<String>),
    Overrides { rule: At<String>, because: Option<At<String>> },
    Ask(Ask),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Info,
    Warning,
    Critical,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Draft,
    Active,
    Retired,
}

#[derive(Debug, Clone)]
pub enum Given {
    Variable { name: At<String>, kind: At<String>, filter: Option<Where> },
    Link(Link),
    Shares(Shares),
}

/// A check or a solution: what to do, and where to read more.
#[derive(Debug, Clone)]
pub struct Advice {
    pub text: At<String>,
    pub see: Vec<At<String>>,
    pub query: Option<At<String>>,
    pub runbook: Option<At<String>>,
}

#[derive(Debug, Clone)]
pub enum Conclusion {
    Impact(Vec<ImpactPart>),
    Fault { text: At<String>, at: Option<Place> },
    Cause { text: At<String>, at: Option<Place> },
    Suppress(Box<Suppress>),
}

/// Alerts that are only symptoms.
#[derive(Debug, Clone)]
pub struct Suppress {
    /// Any of these; none means every alert.
    pub texts: Vec<At<String>>,
    pub labels: Vec<Label>,
    /// Labels in which they must equal an alert on which the finding rests.
    pub same: Vec<At<String>>,
    pub on: Target,
}

#[derive(Debug, Clone)]
pub struct ImpactPart {
    /// Functions of each component; empty means the component itself.
    pub functions: Vec<At<String>>,
    pub target: Target,
}

/// Where a conclusion or an event is: one place or a set.
#[derive(Debug, Clone)]
pub enum Target {
    Place(Place),
    Set(Set),
}

#[derive(Debug, Clone)]
pub enum Place {
    Reference(Reference),
    /// `subnet of h`: the component of that type that contains `h`.
    Holder {
        kind: At<String>,
        of: Reference,
    },
    /// `component "order-db"`.
    Component(At<String>),
}

impl Place {
    pub fn span(&self) -> Span {
        match self {
            Place::Reference(r) => r.span,
            Place::Holder { kind, of } => kind.span.to(of.span),
            Place::Component(id) => id.span,
        }
    }
}

/// A variable, or `it`.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    pub name: Name,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Name {
    It,
    Variable(String),
}

#[derive(Debug, Clone)]
pub struct Ask {
    pub node: At<String>,
    pub question: At<String>,
    pub auto: Option<Expr>,
    pub branches: Vec<Branch>,
}

#[derive(Debug, Clone)]
pub struct Branch {
    pub answer: At<Answer>,
    pub goes_to: Goal,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    Yes,
    No,
    Text(String),
}

#[derive(Debug, Clone)]
pub enum Goal {
    Node(At<String>),
    End { verdict: At<String>, see: Vec<At<String>> },
}

#[derive(Debug, Clone)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub enum ExprKind {
    Or(Vec<Expr>),
    And(Vec<Expr>),
    Not(Box<Expr>),
    Held { inner: Box<Expr>, duration: At<Duration> },
    Unexplained(Place),
    Event(Event),
    Quantified(Box<Quantified>),
    Probe(Probe),
    Link(Link),
    Shares(Shares),
    State { subject: Option<Reference>, negated: bool, state: At<String> },
    Compare { left: Operand, op: At<Op>, right: Operand },
    Script(Script),
    Trend { metric: Metric, rises: bool, by: TrendBy, window: At<Duration> },
    Baseline { metric: Metric, above: bool, stat: At<Stat>, period: Option<At<Duration>>, by: Option<At<f64>> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    Lt,
    Le,
    Eq,
    Ne,
    Ge,
    Gt,
}

impl Op {
    /// The same comparison with its sides exchanged.
    #[must_use]
    pub fn flipped(self) -> Self {
        match self {
            Op::Lt => Op::Gt,
            Op::Le => Op::Ge,
            Op::Eq => Op::Eq,
            Op::Ne => Op::Ne,
            Op::Ge => Op::Le,
            Op::Gt => Op::Lt,
        }
    }

    pub fn sign(self) -> &'static str {
        match self {
            Op::Lt => "<",
            Op::Le => "<=",
            Op::Eq => "=",
            Op::Ne => "!=",
            Op::Ge => ">=",
            Op::Gt => ">",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stat {
    Mean,
    Peak,
    Lowest,
    Total,
    P50,
    P90,
    P95,
    P99,
}

impl Stat {
    pub fn word(self) -> &'static str {
        match self {
            Stat::Mean => "mean",
            Stat::Peak => "peak",
            Stat::Lowest => "lowest",
            Stat::Total => "total",
            Stat::P50 => "p50",
            Stat::P90 => "p90",
            Stat::P95 => "p95",
            Stat::P99 => "p99",
        }
    }
}

/// A number with its unit, as written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantity {
    pub number: f64,
    pub unit: Unit,
}

impl Quantity {
    /// In the base unit of its dimension.
    pub fn base(&self) -> f64 {
        self.number * self.unit.factor
    }
}

#[derive(Debug, Clone)]
pub enum TrendBy {
    /// In percent.
    Relative(At<f64>),
    Absolute(At<Quantity>),
}

#[derive(Debug, Clone)]
pub struct Operand {
    pub kind: OperandKind,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub enum OperandKind {
    Quantity(Quantity),
    Text(String),
    Metric(Metric),
    /// Percent of another operand (a metric or an aggregate).
    Share {
        percent: At<f64>,
        of: Box<Operand>,
    },
    Aggregate {
        stat: At<Stat>,
        metric: Metric,
        /// `None`: over its instances at one instant.
        window: Option<At<Duration>>,
    },
    Script(Script),
}

/// `db.connections`, or `connections` alone, of `it`.
#[derive(Debug, Clone)]
pub struct Metric {
    pub subject: Option<Reference>,
    pub name: At<String>,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub struct Script {
    pub function: At<String>,
    pub arguments: Vec<Argument>,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub enum Argument {
    Quantity(At<Quantity>),
    Text(At<String>),
    /// A variable, or a bare metric of `it` when no variable has that name.
    Name(Reference),
    Metric(Metric),
}

#[derive(Debug, Clone)]
pub struct Event {
    pub kind: At<EventKind>,
    pub at_least: Option<At<u32>>,
    /// Of an event of a cluster, and only of that.
    pub reason: Option<At<String>>,
    pub texts: Vec<TextMatch>,
    pub on: Option<Target>,
    pub source: Option<At<String>>,
    pub same: Option<At<String>>,
    pub labels: Vec<Label>,
    pub window: Option<At<Duration>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    Alert,
    Log,
    Change,
    Report,
    /// What a cluster says about an object: its reason is a name, not a text.
    Event,
}

#[derive(Debug, Clone)]
pub struct TextMatch {
    pub pattern: bool,
    pub text: At<String>,
}

#[derive(Debug, Clone)]
pub struct Label {
    pub name: At<String>,
    pub equal: bool,
    pub value: At<String>,
}

#[derive(Debug, Clone)]
pub struct Probe {
    pub from: Option<Place>,
    pub to: Option<Place>,
    pub succeeds: bool,
    pub window: Option<At<Duration>>,
}

#[derive(Debug, Clone)]
pub struct Link {
    pub from: Reference,
    pub relation: At<String>,
    pub to: Reference,
    pub reach: Reach,
    pub either_way: bool,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// At most so many hops; a plain relation is one.
    Hops(u32),
    Any,
}

#[derive(Debug, Clone)]
pub struct Shares {
    pub left: Reference,
    /// A type, or `None` for a redundancy group.
    pub kind: Option<At<String>>,
    pub right: Reference,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub struct Quantified {
    pub quantifier: At<Quantifier>,
    pub set: Set,
    pub body: Expr,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quantifier {
    Every,
    Any,
    No,
    AtLeast(u32),
    AtLeastPercent(f64),
    AtMost(u32),
    AtMostPercent(f64),
}

impl Quantifier {
    /// Whether elements that satisfy the condition are evidence for it, not against it.
    pub fn wants_many(self) -> bool {
        match self {
            Quantifier::Every | Quantifier::Any | Quantifier::AtLeast(_) | Quantifier::AtLeastPercent(_) => true,
            Quantifier::No | Quantifier::AtMost(_) | Quantifier::AtMostPercent(_) => false,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Set {
    pub base: SetBase,
    pub filter: Option<Where>,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub enum SetBase {
    Walk {
        dependents: bool,
        of: Place,
        via: Vec<At<String>>,
        max_hops: Option<At<u32>>,
    },
    Peers {
        of: Reference,
        scope: Scope,
    },
    Members(MembersOf),
    /// `pods of s`. Where a place may stand too, also what is written like it: `subnet of h`.
    Instances {
        kind: At<String>,
        of: Reference,
    },
    /// A type by name, or every component.
    Everything(Option<At<String>>),
}

#[derive(Debug, Clone)]
pub enum Scope {
    Estate,
    Type(At<String>),
    Group,
}

#[derive(Debug, Clone)]
pub enum MembersOf {
    Group(At<String>),
    Place(Place),
}

#[derive(Debug, Clone)]
pub enum Where {
    Any(Vec<Where>),
    All(Vec<Where>),
    Test { name: At<String>, op: At<Op>, value: At<WhereValue> },
}

#[derive(Debug, Clone, PartialEq)]
pub enum WhereValue {
    Text(String),
    Quantity(Quantity),
}
