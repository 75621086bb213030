//! Names in scope: variables and `it`, with their metrics, attributes and states.

use diag::{Code, Span, did_you_mean, nearest, text};
use estate::{Member, Model, ROOT_TYPE};
use language::ast::{At, Name, Reference};
use value::Unit;

use super::Compiler;
use super::plan::{Metric, Subject, Value, Variable};

/// The variables of a rule, and the types that `it` may have (none outside a quantifier or state).
#[derive(Clone, Default)]
pub struct Scope {
    pub variables: Vec<Variable>,
    /// Canonical names; empty: there is no `it`.
    pub it: Vec<String>,
}

/// The type of a variable whose declared type does not exist. That is reported once; nothing else about the variable is.
pub const UNKNOWN: &str = "?";

/// A message lists at most this many names of a type.
const MAX_LISTED: usize = 12;

/// The names that a filter may use beside attributes, with their Chinese spellings.
pub const FIELDS: &[(&str, &str)] =
    &[("id", "标识"), ("name", "名称"), ("type", "类型"), ("owner", "负责人"), ("environment", "环境"), ("tier", "业务等级")];

impl Scope {
    pub fn with_it(&self, it: Vec<String>) -> Scope {
        Scope { variables: self.variables.clone(), it }
    }

    /// The types that a subject may have.
    pub fn types(&self, subject: Subject) -> Vec<String> {
        match subject {
            Subject::Variable(index) => self.variables.get(index).map(|v| vec![v.kind.clone()]).unwrap_or_default(),
            Subject::It => self.it.clone(),
        }
    }
}

impl Compiler<'_> {
    pub(super) fn model(&self) -> &Model {
        self.inputs.estate.model()
    }

    /// The component that a name refers to.
    pub(super) fn subject(&mut self, scope: &Scope, reference: &Reference) -> Option<Subject> {
        let name = match &reference.name {
            Name::It if !scope.it.is_empty() => return Some(Subject::It),
            Name::It => {
                self.error(
                    Code::UNKNOWN_VARIABLE,
                    reference.span,
                    "`it` refers to no component here",
                    "outside a quantifier",
                    "use `it` within `every …`, `any …` or `at least …`; elsewhere name a variable of `given`",
                );
                return None;
            }
            Name::Variable(name) => name,
        };
        if let Some(index) = scope.variables.iter().position(|v| v.name == *name) {
            return Some(Subject::Variable(index));
        }
        let help = match nearest(name, scope.variables.iter().map(|v| v.name.as_str())) {
            Some(near) => did_you_mean(near),
            None if self.model().find_type(name).is_some() => text!("declare a variable of that type: `given x: {}`", name),
            None => text!("declare it: `given {}: database`, or with another type", name),
        };
        self.error(Code::UNKNOWN_VARIABLE, reference.span, text!("there is no variable `{}`", name), "not declared in `given`", help);
        None
    }

    /// The subject of a bare metric, event or state, which is written `what`: the one named, else `it`.
    pub(super) fn subject_or_it(&mut self, scope: &Scope, reference: Option<&Reference>, span: Span, what: &str) -> Option<Subject> {
        match reference {
            Some(reference) => self.subject(scope, reference),
            None if !scope.it.is_empty() => Some(Subject::It),
            None => {
                let example = scope.variables.first().map_or("db", |v| v.name.as_str()).to_owned();
                self.error(
                    Code::UNKNOWN_VARIABLE,
                    span,
                    text!("`{}` names no component", what),
                    "of which component?",
                    text!("name a variable: `{}.…`", example),
                );
                None
            }
        }
    }

    pub(super) fn type_name(&mut self, name: &At<String>) -> Option<String> {
        if let Some(found) = self.model().find_type(&name.value) {
            return Some(found.name.clone());
        }
        let names: Vec<String> = self.model().types.values().flat_map(|t| std::iter::once(t.name.clone()).chain(t.zh.clone())).collect();
        let help = nearest(&name.value, names.iter().map(String::as_str))
            .map_or_else(|| text!("declare it in `topology/model.yaml`"), did_you_mean);
        self.error(Code::UNKNOWN_TYPE, name.span, text!("there is no component type `{}`", name.value), "not in the model", help);
        None
    }

    pub(super) fn relation_name(&mut self, name: &At<String>) -> Option<String> {
        if let Some(found) = self.model().find_relation(&name.value) {
            return Some(found.name.clone());
        }
        let names: Vec<String> =
            self.model().relations.values().flat_map(|r| std::iter::once(r.name.clone()).chain(r.zh.clone())).collect();
        let help = match nearest(&name.value, names.iter().map(String::as_str)) {
            Some(near) => did_you_mean(near),
            None => text!("use one of {}", names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")),
        };
        self.error(Code::UNKNOWN_RELATION, name.span, text!("there is no relation kind `{}`", name.value), "not in the model", help);
        None
    }

    /// The types whose members a subject may have: its own, or every type if it may be any component.
    fn candidate_types(&self, types: &[String]) -> Vec<String> {
        if types.iter().any(|t| t == ROOT_TYPE) { self.model().types.keys().cloned().collect() } else { types.to_vec() }
    }

    /// A metric or attribute of a subject. Where the subject may have several types, all that have it must agree on its unit.
    pub(super) fn member(&mut self, scope: &Scope, subject: Subject, name: &At<String>) -> Option<Value> {
        let types = scope.types(subject);
        if types.iter().any(|t| t == UNKNOWN) {
            return None;
        }
        let candidates = self.candidate_types(&types);
        let model = self.inputs.estate.model();
        let mut found: Option<Value> = None;
        for kind in &candidates {
            let value = match model.member(kind, &name.value) {
                Some(Member::Metric(def)) => Value::Metric(Metric { subject, name: def.name.clone(), unit: def.unit }),
                Some(Member::Attribute(def)) => {
                    let unit = match def.kind {
                        estate::AttributeKind::Number(unit) => Some(unit),
                        estate::AttributeKind::Text | estate::AttributeKind::Bool => None,
                    };
                    Value::Attribute { subject, name: def.name.clone(), unit }
                }
                None => continue,
            };
            match &found {
                None => found = Some(value),
                Some(first) if dimension_of(first) == dimension_of(&value) => {}
                Some(_) => {
                    let help = text!("restrict the type: `… where type = database`");
                    self.error(
                        Code::UNKNOWN_METRIC,
                        name.span,
                        text!("`{}` has different units in different types", name.value),
                        "ambiguous",
                        help,
                    );
                    return None;
                }
            }
        }
        if found.is_none() {
            self.unknown_member(&types, &candidates, name);
        }
        found
    }

    fn unknown_member(&mut self, types: &[String], candidates: &[String], name: &At<String>) {
        let model = self.inputs.estate.model();
        let mut names: Vec<String> = Vec::new();
        for def in candidates.iter().flat_map(|kind| model.lineage(kind)) {
            for metric in def.metrics.values() {
                names.push(metric.name.clone());
                names.extend(metric.zh.clone());
            }
            for attribute in def.attributes.values() {
                names.push(attribute.name.clone());
                names.extend(attribute.zh.clone());
            }
        }
        let kind = types.first().map_or("component", String::as_str);
        let elsewhere = model.types.values().find(|t| t.metrics.contains_key(&name.value) || t.attributes.contains_key(&name.value));
        let help = match (nearest(&name.value, names.iter().map(String::as_str)), elsewhere) {
            (Some(near), _) => did_you_mean(near),
            (None, Some(other)) => text!("`{}` has it, but `{}` does not", other.name, kind),
            (None, None) => {
                // Those that share a beginning with it first, each once.
                let alike = |known: &str| known.chars().zip(name.value.chars()).take_while(|(a, b)| a == b).count();
                let mut own: Vec<&String> = names.iter().filter(|n| n.is_ascii()).collect();
                own.sort_by_key(|known| std::cmp::Reverse(alike(known)));
                let mut seen = std::collections::BTreeSet::new();
                own.retain(|known| seen.insert(*known));
                let own: Vec<String> = own.into_iter().take(MAX_LISTED).map(|n| format!("`{n}`")).collect();
                text!("use one of {}, …, or declare it in `topology/model.yaml` under `types: {}: metrics:`", own.join(", "), kind)
            }
        };
        self.error(
            Code::UNKNOWN_METRIC,
            name.span,
            text!("`{}` has no metric or attribute `{}`", kind, name.value),
            "not in the model",
            help,
        );
    }

    /// A name after the dot that must be a metric.
    pub(super) fn metric(&mut self, scope: &Scope, metric: &language::ast::Metric) -> Option<Metric> {
        let subject = self.subject_or_it(scope, metric.subject.as_ref(), metric.span, &metric.name.value)?;
        match self.member(scope, subject, &metric.name)? {
            Value::Metric(metric) => Some(metric),
            Value::Attribute { name, .. } => {
                self.error(
                    Code::UNKNOWN_METRIC,
                    metric.name.span,
                    text!("`{}` is an attribute, which does not change over time", name),
                    "not a metric",
                    "windows, trends and baselines need a metric",
                );
                None
            }
            Value::Number { .. } | Value::Text(_) | Value::Share { .. } | Value::Aggregate { .. } | Value::Script(_) => None,
        }
    }

    pub(super) fn state_exists(&mut self, scope: &Scope, subject: Subject, state: &At<String>) -> Option<String> {
        let types = scope.types(subject);
        if types.iter().any(|t| t == UNKNOWN) {
            return None;
        }
        let candidates = self.candidate_types(&types);
        let model = self.inputs.estate.model();
        if let Some(found) = candidates.iter().find_map(|kind| model.state(kind, &state.value)) {
            return Some(found.name.clone());
        }
        let names: Vec<String> = candidates
            .iter()
            .flat_map(|kind| model.lineage(kind))
            .flat_map(|t| t.states.values())
            .flat_map(|s| std::iter::once(s.name.clone()).chain(s.zh.clone()))
            .collect();
        let kind = types.first().map_or("component", String::as_str).to_owned();
        let help = match nearest(&state.value, names.iter().map(String::as_str)) {
            Some(near) => did_you_mean(near),
            None => text!("use one of {}", names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")),
        };
        self.error(Code::UNKNOWN_STATE, state.span, text!("`{}` has no state `{}`", kind, state.value), "not in the model", help);
        None
    }
}

fn dimension_of(value: &Value) -> Option<value::Dimension> {
    unit_of(value).map(|u| u.dimension)
}

/// The unit in which a value is shown; `None` for texts and scripts.
pub fn unit_of(value: &Value) -> Option<Unit> {
    match value {
        Value::Number { unit, .. } => Some(*unit),
        Value::Metric(metric) | Value::Aggregate { metric, .. } => Some(metric.unit),
        Value::Attribute { unit, .. } => *unit,
        Value::Share { of, .. } => unit_of(of),
        Value::Text(_) | Value::Script(_) => None,
    }
}
