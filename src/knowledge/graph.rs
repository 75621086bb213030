//! The knowledge graph of a project: cases, recorded causes and rules, tied to components, types, faults, symptoms and solutions.
//!
//! How components stand on each other is not in it: a walk asks the estate for that, and the graph for what happened there.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use compile::plan::{Plan, Status};
use estate::Snapshot;
use store::{Node, NodeKind, Store, StoreError, Web};

use super::case::Case;
use super::draw::Drawing;
use super::feedback::Entry;

/// What a graph is made of.
#[derive(Clone, Copy)]
pub struct Known<'k> {
    pub cases: &'k [Case],
    /// The feedback that counts.
    pub entries: &'k [Entry],
    pub plan: &'k Plan,
    /// Tells which names of cases are types.
    pub estate: &'k Snapshot,
}

/// The graph, with what its vertices stand for.
#[derive(Debug)]
pub struct KnowledgeGraph {
    pub(super) web: Web,
    pub(super) cases: BTreeMap<String, Case>,
    /// By bundle: what broke is recorded, and the bundle is not that of a case.
    pub(super) confirmed: BTreeMap<String, Entry>,
    pub(super) rules: BTreeMap<String, RuleNote>,
}

/// What a rule says that does not depend on signals.
#[derive(Debug)]
pub(super) struct RuleNote {
    pub title: String,
    pub draft: bool,
    pub case: Option<String>,
    pub solutions: Vec<String>,
}

/// What kind of signal shows a symptom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SignalKind {
    Alert,
    Log,
    Metric,
}

impl SignalKind {
    fn name(self) -> &'static str {
        match self {
            SignalKind::Alert => "alert",
            SignalKind::Log => "log",
            SignalKind::Metric => "metric",
        }
    }
}

/// A symptom: the name or text of an alert, the text of a log line, or a type and its metric, like `database.connections`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Seen {
    pub kind: SignalKind,
    pub name: String,
}

impl Seen {
    pub(super) fn new(kind: SignalKind, name: impl Into<String>) -> Self {
        Seen { kind, name: name.into() }
    }

    pub(super) fn is_metric(&self) -> bool {
        self.kind == SignalKind::Metric
    }

    pub(super) fn node(&self) -> Node {
        Node::new(NodeKind::Symptom, format!("{}:{}", self.kind.name(), self.name))
    }

    /// What a vertex stands for.
    pub(super) fn of(node: &Node) -> Option<Seen> {
        let (kind, name) = node.id.split_once(':')?;
        let kind = [SignalKind::Alert, SignalKind::Log, SignalKind::Metric].into_iter().find(|one| one.name() == kind)?;
        Some(Seen::new(kind, name))
    }
}

impl KnowledgeGraph {
    /// Of several cases with one id, the first counts.
    pub fn new(known: Known<'_>) -> Result<Self, StoreError> {
        let mut drawing = Drawing::default();
        let mut cases: BTreeMap<String, Case> = BTreeMap::new();
        for case in known.cases {
            if cases.contains_key(&case.id) {
                continue;
            }
            drawing.case(case, known.estate);
            cases.insert(case.id.clone(), case.clone());
        }
        let mut confirmed = BTreeMap::new();
        for entry in known.entries {
            if drawing.entry(entry, &cases) {
                confirmed.insert(entry.bundle.clone(), entry.clone());
            }
        }
        let mut rules = BTreeMap::new();
        for rule in known.plan.rules.values().filter(|rule| rule.status != Status::Retired) {
            drawing.rule(rule);
            let note = RuleNote {
                title: rule.title.clone(),
                draft: rule.status == Status::Draft,
                case: rule.case.clone(),
                solutions: rule.solutions.iter().map(|advice| advice.text.clone()).collect(),
            };
            rules.insert(rule.id.clone(), note);
        }
        Ok(Self { web: Web::new(drawing.ties, drawing.alone)?, cases, confirmed, rules })
    }

    /// Walks the graph of a store, too: it may have cases of other origins.
    #[must_use]
    pub fn beside(self, store: &Store) -> Self {
        Self { web: self.web.beside(store.graph()), ..self }
    }
}
