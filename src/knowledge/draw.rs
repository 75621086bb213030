//! Draws the knowledge graph: which edges a case, a recorded cause and a rule make.

use std::collections::BTreeMap;

use compile::plan::{Cond, CondKind, Event, EventKind, Kind, Metric, PlaceOf, Rule, Subject, Target, Text};
use estate::Snapshot;
use store::{Node, NodeKind, Tie};

use super::case::Case;
use super::feedback::{Entry, Verdict};
use super::graph::{Seen, SignalKind};

/// Where the recordings of cases are, in the names of bundles.
const CASES: &str = "cases/";

/// Edges, and vertices that may have none.
#[derive(Default)]
pub(super) struct Drawing {
    pub ties: Vec<(Node, Tie, Node)>,
    pub alone: Vec<Node>,
}

impl Drawing {
    fn tie(&mut self, from: &Node, tie: Tie, kind: NodeKind, id: &str) {
        if !id.is_empty() {
            self.ties.push((from.clone(), tie, Node::new(kind, id)));
        }
    }

    fn symptom(&mut self, from: &Node, kind: SignalKind, name: &str) {
        if !name.is_empty() {
            self.ties.push((from.clone(), Tie::Symptom, Seen::new(kind, name).node()));
        }
    }

    pub(super) fn case(&mut self, case: &Case, estate: &Snapshot) {
        let from = Node::new(NodeKind::Case, case.id.as_str());
        self.alone.push(from.clone());
        if let Some(root) = &case.root {
            self.tie(&from, Tie::Fault, NodeKind::Fault, &root.fault);
            match (&root.component, &root.kind) {
                (Some(component), _) => self.tie(&from, Tie::Broke, NodeKind::Component, component),
                (None, Some(kind)) => self.tie(&from, Tie::About, NodeKind::Type, kind),
                (None, None) => {}
            }
        }
        for name in &case.affected {
            // What is neither a component nor a type is a component that is gone.
            if estate.find(name).is_none() && estate.model().find_type(name).is_some() {
                self.tie(&from, Tie::About, NodeKind::Type, name);
            } else {
                self.tie(&from, Tie::Touched, NodeKind::Component, name);
            }
        }
        case.alerts.iter().for_each(|text| self.symptom(&from, SignalKind::Alert, text));
        case.logs.iter().for_each(|text| self.symptom(&from, SignalKind::Log, text));
        case.metrics.iter().for_each(|one| self.symptom(&from, SignalKind::Metric, &format!("{}.{}", one.kind, one.metric)));
        case.solutions.iter().for_each(|text| self.tie(&from, Tie::Solution, NodeKind::Solution, text));
        if let Some(rule) = &case.rule {
            self.tie(&from, Tie::Rule, NodeKind::Rule, rule);
        }
    }

    /// Whether it is an incident of its own: what broke is recorded, and the recording is not that of a case.
    pub(super) fn entry(&mut self, entry: &Entry, cases: &BTreeMap<String, Case>) -> bool {
        let from = Node::new(NodeKind::Confirmed, entry.bundle.as_str());
        if let (Verdict::Confirmed, Some(answer)) = (entry.verdict, &entry.answer) {
            answer.cases.iter().for_each(|case| self.tie(&from, Tie::Confirms, NodeKind::Case, case));
            answer.rules.iter().for_each(|rule| self.tie(&from, Tie::Confirms, NodeKind::Rule, rule));
        }
        let Some(root) = &entry.root else { return false };
        if let Some(case) = entry.bundle.strip_prefix(CASES).and_then(|id| cases.get(id)) {
            if case.root.as_ref().and_then(|said| said.component.as_ref()) == Some(&root.component) {
                self.tie(&from, Tie::Confirms, NodeKind::Case, &case.id);
            }
            return false;
        }
        self.tie(&from, Tie::Broke, NodeKind::Component, &root.component);
        self.tie(&from, Tie::Fault, NodeKind::Fault, &root.fault);
        true
    }

    pub(super) fn rule(&mut self, rule: &Rule) {
        let from = Node::new(NodeKind::Rule, rule.id.as_str());
        self.alone.push(from.clone());
        for variable in &rule.variables {
            self.tie(&from, Tie::About, NodeKind::Type, &variable.kind);
        }
        // What a rule of a case calls the cause is what broke; elsewhere causes are what may be behind it.
        let causes = rule.causes.iter().filter(|_| rule.kind == Kind::Cas);
        for fault in rule.faults.iter().chain(causes) {
            self.tie(&from, Tie::Fault, NodeKind::Fault, &fault.text);
        }
        for place in rule.faults.iter().chain(&rule.causes).filter_map(|conclusion| conclusion.at.as_ref()) {
            self.place(&from, place);
        }
        rule.solutions.iter().for_each(|advice| self.tie(&from, Tie::Solution, NodeKind::Solution, &advice.text));
        if let Some(case) = &rule.case {
            self.ties.push((Node::new(NodeKind::Case, case.as_str()), Tie::Rule, from.clone()));
        }
        let mut open: Vec<&Cond> = vec![&rule.condition];
        while let Some(cond) = open.pop() {
            open.extend(cond.children());
            self.condition(&from, rule, cond);
        }
    }

    fn condition(&mut self, from: &Node, rule: &Rule, cond: &Cond) {
        cond.metrics().into_iter().for_each(|metric| self.metric(from, rule, metric));
        match &cond.kind {
            CondKind::Event(event) => self.event(from, event),
            CondKind::Probe { from: start, to, .. } => start.iter().chain(to).for_each(|place| self.place(from, place)),
            CondKind::Unexplained(place) => self.place(from, place),
            CondKind::Compare { .. }
            | CondKind::Trend { .. }
            | CondKind::Baseline { .. }
            | CondKind::Or(_)
            | CondKind::And(_)
            | CondKind::Not(_)
            | CondKind::Held { .. }
            | CondKind::Quantified(_)
            | CondKind::Link { .. }
            | CondKind::Shares { .. }
            | CondKind::State { .. }
            | CondKind::Script(_) => {}
        }
    }

    fn event(&mut self, from: &Node, event: &Event) {
        if let Some(Target::Place(place)) = &event.on {
            self.place(from, place);
        }
        let kind = match event.kind {
            EventKind::Alert => SignalKind::Alert,
            EventKind::Log => SignalKind::Log,
            // Known by its reason.
            EventKind::Event => {
                let reasons = event.labels.iter().filter(|(name, equal, _)| name == "reason" && *equal);
                reasons.for_each(|(_, _, reason)| self.symptom(from, SignalKind::Log, reason));
                return;
            }
            // They are no symptoms by which one asks.
            EventKind::Change | EventKind::Report => return,
        };
        for text in &event.texts {
            match text {
                Text::Contains(text) => self.symptom(from, kind, text),
                Text::Matches(pattern) => self.symptom(from, kind, pattern.as_str()),
            }
        }
    }

    fn metric(&mut self, from: &Node, rule: &Rule, metric: &Metric) {
        match metric.subject {
            Subject::Variable(at) => {
                if let Some(variable) = rule.variables.get(at) {
                    self.symptom(from, SignalKind::Metric, &format!("{}.{}", variable.kind, metric.name));
                }
            }
            // The element of a set: its type depends on the binding.
            Subject::It => {}
        }
    }

    fn place(&mut self, from: &Node, place: &PlaceOf) {
        match place {
            PlaceOf::Component(component) => self.tie(from, Tie::About, NodeKind::Component, component),
            PlaceOf::Subject(_) | PlaceOf::Holder { .. } => {}
        }
    }
}
