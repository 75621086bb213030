//! The model: what types of components there are, what they measure, which states they have, how they may be related.

use std::collections::{BTreeMap, BTreeSet};

use diag::Place;
use value::{Duration, Unit};

/// Types and relation kinds; the built-in base model refined by `topology/model.yaml`.
#[derive(Debug, Clone, Default)]
pub struct Model {
    pub types: BTreeMap<String, TypeDef>,
    pub relations: BTreeMap<String, RelationKind>,
}

/// The model of a component. What a parent declares, its children have.
#[derive(Debug, Clone)]
pub struct TypeDef {
    pub name: String,
    /// `None` only for the root type `component`.
    pub parent: Option<String>,
    /// The Chinese name, usable wherever the name is.
    pub zh: Option<String>,
    pub attributes: BTreeMap<String, AttributeDef>,
    pub metrics: BTreeMap<String, MetricDef>,
    pub states: BTreeMap<String, StateDef>,
    pub logs: BTreeMap<String, LogSource>,
    /// The types whose components this one comes and goes for, own or inherited; subtypes count.
    pub instance_of: Vec<String>,
    /// Whether another type is an instance of it.
    pub has_instances: bool,
    /// `None` for the built-in base model.
    pub place: Option<Place>,
}

#[derive(Debug, Clone)]
pub struct AttributeDef {
    pub name: String,
    pub zh: Option<String>,
    pub kind: AttributeKind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AttributeKind {
    Text,
    Bool,
    Number(Unit),
}

#[derive(Debug, Clone)]
pub struct MetricDef {
    pub name: String,
    pub zh: Option<String>,
    pub unit: Unit,
    /// A sample is valid until the next one, but no longer than this; after that the metric is unknown.
    pub staleness: Duration,
    /// How several series become one value.
    pub aggregate: Aggregates,
    /// Whether the model says so: otherwise nobody has thought of several series.
    pub aggregate_said: bool,
    /// Which way it deviates when something is wrong.
    pub direction: Direction,
    /// Where the type declares it; `None` in the base model.
    pub place: Option<Place>,
}

/// How several series become one value: those of one component, and those of its instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aggregates {
    pub own: Aggregate,
    pub instances: Aggregate,
}

impl Aggregates {
    /// For series so many ties away: 0 is the component itself, 1 and more are its instances.
    pub fn at(self, level: u8) -> Aggregate {
        if level == 0 { self.own } else { self.instances }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    Mean,
    Max,
    Min,
    Sum,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    High,
    Low,
    Both,
}

/// A named state: a condition in the rule language about `it`.
#[derive(Debug, Clone)]
pub struct StateDef {
    pub name: String,
    pub zh: Option<String>,
    pub condition: String,
    /// Where the condition is written; `None` for the base model.
    pub place: Option<Place>,
}

/// A named log source: log lines whose labels have these values.
#[derive(Debug, Clone)]
pub struct LogSource {
    pub name: String,
    pub zh: Option<String>,
    pub labels: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
pub struct RelationKind {
    pub name: String,
    pub zh: Option<String>,
    /// Types that may stand at the start; empty means any. Subtypes count.
    pub from: Vec<String>,
    /// Types that may stand at the end; empty means any.
    pub to: Vec<String>,
    pub travel: Travel,
    pub effect: State,
    /// Whether one end holds the other (`runs_on`, `belongs_to`, `contains`).
    pub containment: Containment,
    /// How long after a fault is over its effects may still begin along this relation; `None`: as everywhere.
    pub settling: Option<Duration>,
    pub place: Option<Place>,
}

/// Which way a fault travels along a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Travel {
    /// From the end to the start: `order-service depends_on order-db`.
    ToStart,
    /// From the start to the end: `rack contains host`.
    ToEnd,
    Both,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Containment {
    /// The end holds the start: `pod runs_on node`.
    EndHolds,
    /// The start holds the end: `rack contains host`.
    StartHolds,
    None,
}

/// How hard a fault hits; ordered from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It serves, but one of its dependencies is degraded.
    AtRisk,
    /// It serves, with less than it should have.
    Degraded,
    Down,
}

impl State {
    /// All of them, by the words of files.
    pub const NAMES: [(&str, State); 3] = [("down", State::Down), ("degraded", State::Degraded), ("at_risk", State::AtRisk)];

    /// Its word in files.
    pub fn name(self) -> &'static str {
        match self {
            State::AtRisk => "at_risk",
            State::Degraded => "degraded",
            State::Down => "down",
        }
    }
}

/// A metric or an attribute, as a rule names it after the dot.
#[derive(Debug, Clone, Copy)]
pub enum Member<'a> {
    Metric(&'a MetricDef),
    Attribute(&'a AttributeDef),
}

/// The root of all types.
pub const ROOT_TYPE: &str = "component";

impl Model {
    /// The type of that name or Chinese name.
    pub fn find_type(&self, name: &str) -> Option<&TypeDef> {
        self.types.get(name).or_else(|| self.types.values().find(|t| t.zh.as_deref() == Some(name)))
    }

    /// The relation kind of that name or Chinese name.
    pub fn find_relation(&self, name: &str) -> Option<&RelationKind> {
        self.relations.get(name).or_else(|| self.relations.values().find(|r| r.zh.as_deref() == Some(name)))
    }

    /// The type itself and its ancestors up to the root, nearest first. Ends even if parents form a loop.
    pub fn lineage<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a TypeDef> {
        let mut next = self.types.get(name);
        let mut steps = self.types.len();
        std::iter::from_fn(move || {
            let current = next?;
            next = if steps == 0 { None } else { current.parent.as_deref().and_then(|p| self.types.get(p)) };
            steps = steps.saturating_sub(1);
            Some(current)
        })
    }

    /// Whether `name` is `ancestor` or one of its subtypes (canonical names).
    pub fn is_a(&self, name: &str, ancestor: &str) -> bool {
        ancestor == ROOT_TYPE || self.lineage(name).any(|t| t.name == ancestor)
    }

    /// The most general type of a type's lineage below the root: `software` for a `redis`.
    pub fn family<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.lineage(name).map(|kind| kind.name.as_str()).take_while(|kind| *kind != ROOT_TYPE).last()
    }

    /// Whether every component of type `of` is one for which those of type `name` come and go, at any level (canonical names).
    pub fn comes_and_goes_for(&self, name: &str, of: &str) -> bool {
        self.workload_types(name).iter().any(|workload| self.is_a(of, workload))
    }

    /// The same for some component of type `of`, which may be of a subtype.
    pub fn may_come_and_go_for(&self, name: &str, of: &str) -> bool {
        self.workload_types(name).iter().any(|workload| self.is_a(of, workload) || self.is_a(workload, of))
    }

    /// What a type is an instance of, and what that is an instance of.
    fn workload_types<'a>(&'a self, name: &'a str) -> BTreeSet<&'a str> {
        let (mut open, mut found) = (vec![name], BTreeSet::new());
        while let Some(next) = open.pop() {
            let of = self.types.get(next).into_iter().flat_map(|kind| &kind.instance_of).map(String::as_str);
            open.extend(of.filter(|workload| found.insert(*workload)));
        }
        found
    }

    /// The metric or attribute of a type, own or inherited, by name or Chinese name.
    pub fn member<'a>(&'a self, type_name: &'a str, name: &str) -> Option<Member<'a>> {
        let named = |t: &'a TypeDef| t.metrics.get(name).map(Member::Metric).or_else(|| t.attributes.get(name).map(Member::Attribute));
        let chinese = |t: &'a TypeDef| {
            let metric = t.metrics.values().find(|m| m.zh.as_deref() == Some(name));
            let attribute = || t.attributes.values().find(|a| a.zh.as_deref() == Some(name));
            metric.map(Member::Metric).or_else(|| attribute().map(Member::Attribute))
        };
        // No Chinese name is that of another member of the lineage, so the quick look-up may come first.
        self.lineage(type_name).find_map(named).or_else(|| self.lineage(type_name).find_map(chinese))
    }

    pub fn state<'a>(&'a self, type_name: &'a str, name: &str) -> Option<&'a StateDef> {
        self.lineage(type_name).find_map(|t| t.states.get(name).or_else(|| t.states.values().find(|s| s.zh.as_deref() == Some(name))))
    }

    pub fn log_source<'a>(&'a self, type_name: &'a str, name: &str) -> Option<&'a LogSource> {
        self.lineage(type_name).find_map(|t| t.logs.get(name).or_else(|| t.logs.values().find(|s| s.zh.as_deref() == Some(name))))
    }
}
