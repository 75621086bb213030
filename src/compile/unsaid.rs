//! What a rule leaves unsaid, though its author probably knows it: where the fault is, and what tells its incident from others.

use std::collections::BTreeMap;

use diag::{Code, Diagnostic, Place, Span, text};
use estate::ROOT_TYPE;
use language::ast::{self, Body, Kind};

use super::Compiler;
use super::generic::is_generic;
use super::plan::{Argument, Call, Cond, CondKind, Event, PlaceOf, Plan, Rule, Set, SetBase, Subject, Target, Text, Value, Variable};

impl Compiler<'_> {
    /// A rule that says no place blames the component where its impact starts. If its conditions are about another one, that is
    /// probably the one that broke. `compiled` has its faults as they are written.
    pub(super) fn unsaid_fault(&mut self, rule: &ast::Rule, compiled: &Rule, condition: &Cond) {
        if compiled.faults.iter().chain(&compiled.causes).any(|conclusion| conclusion.at.is_some()) {
            return;
        }
        let blamed = match compiled.kind {
            Kind::Top if compiled.faults.is_empty() => compiled.impacts.iter().find_map(|impact| Self::walk_start(&impact.target)),
            Kind::Top | Kind::Met | Kind::Cas | Kind::Tree => None,
        };
        let mut read = Vec::new();
        places(condition, false, &mut read);
        let Some(other) = read.iter().find(|place| Some(*place) != blamed.as_ref()) else { return };
        let variables = &compiled.variables;
        let other = shown(other, variables);
        let fault = compiled.faults.first().map_or(compiled.title.as_str(), |fault| fault.text.as_str());
        let id = &rule.id.value;
        let (message, help) = match &blamed {
            Some(blamed) => {
                let blamed = shown(blamed, variables);
                let message =
                    text!("`{}` does not say where the fault is: it blames `{}`, but its conditions are about `{}`", id, blamed, other);
                (
                    message,
                    text!("add `fault \"{}\" at {}`; if `{}` is what broke, `fault \"{}\" at {}`", fault, other, blamed, fault, blamed),
                )
            }
            None => {
                let message =
                    text!("`{}` does not say where the fault is: it blames no component, though its conditions are about `{}`", id, other);
                (message, text!("write `fault \"{}\" at {}`", fault, other))
            }
        };
        self.warning(Code::UNSAID_FAULT, concluding(rule), message, "which component broke?", help);
    }

    /// A CAS rule that rests on one generic text, found anywhere, matches most incidents.
    pub(super) fn thin_rule(&mut self, rule: &ast::Rule, compiled: &Rule, condition: &Cond) {
        if compiled.kind != Kind::Cas || !is_thin(condition, None, &compiled.variables) {
            return;
        }
        let span = rule
            .clauses
            .iter()
            .find_map(|clause| if let Body::If(expr) = &clause.body { Some(expr.span) } else { None })
            .unwrap_or(rule.id.span);
        let message = text!("`{}` rests on one generic symptom, which most incidents show", rule.id.value);
        let help = text!(
            "add with `and` what else was seen then: a metric, a text in its own words, or where: `alert \"timeout\" on s`, with \
                    `given s: service`"
        );
        self.warning(Code::THIN_RULE, span, message, "fits most incidents", help);
    }
}

impl Compiler<'_> {
    /// A metric of the project's own model that rules read, where nothing says how several series of one component combine. Each is
    /// reported once, where it is declared.
    pub(super) fn unsaid_aggregates(&mut self, plan: &Plan) {
        let read = plan.all_metrics();
        let model = self.inputs.estate.model();
        let silent =
            model.types.values().flat_map(|of| of.metrics.values()).filter(|def| !def.aggregate_said && read.contains(def.name.as_str()));
        let found: BTreeMap<Place, &str> = silent.filter_map(|def| Some((def.place?, def.name.as_str()))).collect();
        for (place, name) in found {
            let message = text!("nothing says how several series of metric `{}` on one component combine", name);
            let help = "add `aggregate`: `max` or `min` if the worst counts, `sum` if they add up, `mean` if they share";
            let diagnostic = Diagnostic::warning(Code::UNSAID_AGGREGATE, place, message).label("rules would read their mean");
            self.diagnostics.push(diagnostic.help(help));
        }
    }
}

/// The clause that decides who is blamed: the first conclusion.
fn concluding(rule: &ast::Rule) -> Span {
    let conclusion = rule.clauses.iter().find(|clause| matches!(clause.body, Body::Conclusion(_)));
    conclusion.map_or(rule.id.span, |clause| clause.span)
}

/// A place as a rule writes it.
fn shown(place: &PlaceOf, variables: &[Variable]) -> String {
    let name = |subject: &Subject| match subject {
        Subject::Variable(index) => variables.get(*index).map_or_else(String::new, |variable| variable.name.clone()),
        Subject::It => "it".to_owned(),
    };
    match place {
        PlaceOf::Subject(subject) => name(subject),
        PlaceOf::Holder { kind, of } => format!("{kind} of {}", name(of)),
        PlaceOf::Component(id) => format!("component \"{id}\""),
    }
}

/// The state that shows health.
const HEALTHY: &str = "available";

/// The places of signals that show trouble there, in the order of the text. A condition under `not` shows health (`against`), unless it
/// is one of health itself. A set names no single component.
fn places(cond: &Cond, against: bool, into: &mut Vec<PlaceOf>) {
    let mut add = |place: PlaceOf, trouble: bool| {
        let named = match &place {
            PlaceOf::Subject(subject) | PlaceOf::Holder { of: subject, .. } => *subject != Subject::It,
            PlaceOf::Component(_) => true,
        };
        if named && trouble && !into.contains(&place) {
            into.push(place);
        }
    };
    match &cond.kind {
        CondKind::And(parts) | CondKind::Or(parts) => parts.iter().for_each(|part| places(part, against, into)),
        CondKind::Not(inner) => places(inner, !against, into),
        CondKind::Held { inner, .. } => places(inner, against, into),
        CondKind::Quantified(quantified) => places(&quantified.body, against == quantified.quantifier.wants_many(), into),
        CondKind::Event(event) => match &event.on {
            Some(Target::Place(place)) => add(place.clone(), !against),
            Some(Target::Set(_)) | None => {}
        },
        CondKind::Probe { to, succeeds, .. } => {
            if let Some(place) = to {
                add(place.clone(), *succeeds == against);
            }
        }
        CondKind::State { subject, state, negated } => add(PlaceOf::Subject(*subject), (state == HEALTHY) == (against != *negated)),
        CondKind::Compare { left, right, .. } => {
            [left, right].into_iter().flat_map(measured).for_each(|subject| add(PlaceOf::Subject(subject), !against));
        }
        CondKind::Script(call) => called(call).into_iter().for_each(|subject| add(PlaceOf::Subject(subject), !against)),
        CondKind::Trend { metric, .. } | CondKind::Baseline { metric, .. } => add(PlaceOf::Subject(metric.subject), !against),
        CondKind::Unexplained(_) | CondKind::Link { .. } | CondKind::Shares { .. } => {}
    }
}

/// Whose signals a value reads. Attributes are no signals.
fn measured(value: &Value) -> Vec<Subject> {
    match value {
        Value::Number { .. } | Value::Text(_) | Value::Attribute { .. } => Vec::new(),
        Value::Metric(metric) | Value::Aggregate { metric, .. } => vec![metric.subject],
        Value::Share { of, .. } => measured(of),
        Value::Script(call) => called(call),
    }
}

fn called(call: &Call) -> Vec<Subject> {
    let of = |argument: &Argument| match argument {
        Argument::Component(subject) => Some(*subject),
        Argument::Metric(metric) => Some(metric.subject),
        Argument::Number(_) | Argument::Text(_) => None,
    };
    call.arguments.iter().filter_map(of).collect()
}

/// Whether a condition is one generic text, on no component and no type. `of`: the set whose element is `it`.
fn is_thin(cond: &Cond, of: Option<&Set>, variables: &[Variable]) -> bool {
    match &cond.kind {
        CondKind::And(parts) | CondKind::Or(parts) => match parts.as_slice() {
            [only] => is_thin(only, of, variables),
            _ => {
                // Relations say where to look, not what was seen.
                let mut signals = parts.iter().filter(|part| part.signals() > 0);
                matches!((signals.next(), signals.next()), (Some(only), None) if is_thin(only, of, variables))
            }
        },
        CondKind::Held { inner, .. } => is_thin(inner, of, variables),
        CondKind::Quantified(quantified) => is_thin(&quantified.body, Some(&quantified.set), variables),
        CondKind::Event(event) => is_generic_event(event) && is_anywhere(event.on.as_ref(), of, variables),
        CondKind::Not(_)
        | CondKind::Unexplained(_)
        | CondKind::Probe { .. }
        | CondKind::Link { .. }
        | CondKind::Shares { .. }
        | CondKind::State { .. }
        | CondKind::Compare { .. }
        | CondKind::Script(_)
        | CondKind::Trend { .. }
        | CondKind::Baseline { .. } => false,
    }
}

/// One event with common words only. A label, a log source or a count makes it say more.
fn is_generic_event(event: &Event) -> bool {
    let mut words = Vec::new();
    for text in &event.texts {
        match text {
            Text::Contains(text) => words.push(text.as_str()),
            Text::Matches(_) => return false,
        }
    }
    event.at_least == 1 && event.same.is_none() && event.labels.is_empty() && event.source.is_none() && is_generic(&words.join(" "))
}

/// Whether a place is any component.
fn is_anywhere(on: Option<&Target>, of: Option<&Set>, variables: &[Variable]) -> bool {
    let whole = |set: &Set| set.filter.is_none() && matches!(&set.base, SetBase::Type(kind) if kind == ROOT_TYPE);
    match on {
        None => true,
        Some(Target::Set(set)) => whole(set),
        Some(Target::Place(PlaceOf::Subject(Subject::It))) => of.is_some_and(whole),
        Some(Target::Place(PlaceOf::Subject(Subject::Variable(index)))) => {
            variables.get(*index).is_some_and(|variable| variable.kind == ROOT_TYPE && variable.filter.is_none())
        }
        Some(Target::Place(PlaceOf::Holder { .. } | PlaceOf::Component(_))) => false,
    }
}
