//! `suppress`: which alerts it selects, and that it spares those on which its own rule rests.

use std::collections::BTreeSet;

use diag::{Code, Diagnostic, Span, text};
use estate::{Model, ROOT_TYPE};
use language::ast::{self, At, Body};

use super::plan::{Cond, CondKind, Event, EventKind, PlaceOf, Rule, Set, SetBase, Subject, Suppression, Target, Text, Variable, Written};
use super::scope::Scope;
use super::{Compiler, States};

/// The label in which Prometheus puts the name of an alert, which the searched text contains too.
const NAME: &str = "alertname";

/// An alert condition that helps the rule to match: not under `not`, nor under a quantifier that wants few.
struct Rest<'c> {
    event: &'c Event,
    place: Spot,
    /// The condition as the rule writes it: for the alert of a state, the state.
    written: &'c Written,
}

/// Where an alert condition looks.
#[derive(Clone)]
enum Spot {
    Anywhere,
    On(Target),
    /// A place that starts at the element of a set: it has no name outside.
    Unclear,
}

/// What an alert condition is resolved against.
struct Rests<'c> {
    states: &'c States,
    model: &'c Model,
    variables: &'c [Variable],
}

impl Compiler<'_> {
    pub(super) fn suppression(&mut self, scope: &Scope, suppress: &ast::Suppress) -> Option<Suppression> {
        // All parts, so that one error does not hide the next.
        let on = self.target(scope, &suppress.on);
        let labels = self.labels(&suppress.labels);
        let same: Vec<Option<String>> = suppress.same.iter().map(|name| self.label_name(name)).collect();
        let texts: Vec<Option<Text>> = suppress.texts.iter().map(|text| self.suppressed_text(text)).collect();
        self.labels_can_fit(&suppress.labels)?;
        self.labels_differ(&suppress.same)?;
        Some(Suppression {
            texts: texts.into_iter().collect::<Option<_>>()?,
            labels: labels?,
            same: same.into_iter().collect::<Option<_>>()?,
            on: on?,
        })
    }

    /// Label, whether it must be equal, value.
    pub(super) fn labels(&mut self, labels: &[ast::Label]) -> Option<Vec<(String, bool, String)>> {
        let named: Vec<_> =
            labels.iter().map(|label| Some((self.label_name(&label.name)?, label.equal, label.value.value.clone()))).collect();
        named.into_iter().collect()
    }

    pub(super) fn label_name(&mut self, name: &At<String>) -> Option<String> {
        if name.value.trim().is_empty() {
            let help = text!("name a label of the alert, like `with severity = \"warning\"` or `with same device`");
            self.error(Code::NEVER, name.span, "a label without a name", "empty", help);
            return None;
        }
        Some(name.value.clone())
    }

    fn suppressed_text(&mut self, text: &At<String>) -> Option<Text> {
        if text.value.is_empty() {
            let help = text!("leave it out to suppress every alert there, or write a part of the alert's name");
            self.error(Code::NEVER, text.span, "an empty text, which every alert contains", "empty", help);
            return None;
        }
        Some(Text::Contains(text.value.clone()))
    }

    /// No alert has two values of one label.
    fn labels_can_fit(&mut self, labels: &[ast::Label]) -> Option<()> {
        for (at, label) in labels.iter().enumerate() {
            let excludes = |first: &ast::Label| {
                let same_value = first.value.value == label.value.value;
                first.name.value == label.name.value
                    && ((first.equal && label.equal && !same_value) || (first.equal != label.equal && same_value))
            };
            if labels.iter().take(at).any(excludes) {
                let message = text!("no alert has these values of `{}`", label.name.value);
                let help = text!("keep one of them; for several values, write one `suppress` for each");
                self.error(Code::NEVER, label.name.span.to(label.value.span), message, "contradicts an earlier one", help);
                return None;
            }
        }
        Some(())
    }

    fn labels_differ(&mut self, names: &[At<String>]) -> Option<()> {
        let mut seen = BTreeSet::new();
        for name in names {
            if !seen.insert(name.value.as_str()) {
                self.error(
                    Code::DUPLICATE_CLAUSE,
                    name.span,
                    text!("`same` names `{}` twice", name.value),
                    "second time",
                    "keep one of them",
                );
                return None;
            }
        }
        Some(())
    }

    /// A rule that suppressed the alert on which it rests would hide its own reason. The diagnosis never does that, so a clause that
    /// says it does not mean what it does.
    pub(super) fn check_suppressions(&mut self, rule: &ast::Rule, compiled: &Rule, condition: &Cond, states: &States) {
        let clauses: Vec<(Span, &ast::Suppress)> = rule
            .clauses
            .iter()
            .filter_map(|clause| {
                if let Body::Conclusion(ast::Conclusion::Suppress(suppress)) = &clause.body {
                    Some((clause.span, &**suppress))
                } else {
                    None
                }
            })
            .collect();
        if clauses.is_empty() {
            return;
        }
        let rests = Rests { states, model: self.inputs.estate.model(), variables: &compiled.variables };
        let mut alerts = Vec::new();
        rests.collect(condition, None, false, &Spot::Unclear, &mut alerts);
        for ((span, suppress), suppression) in clauses.into_iter().zip(&compiled.suppressions) {
            if let Some(same) = suppress.same.first().filter(|_| alerts.is_empty()) {
                let message = text!("`same` compares `{}` with that of an alert, but `{}` rests on no alert", same.value, rule.id.value);
                let help = text!("add an alert condition to `if`, or leave `same` out");
                self.error(Code::NEVER, same.span, message, "equal to which alert?", help);
            }
            let Some(own) = alerts.iter().find(|alert| rests.covers(suppression, alert)) else { continue };
            let message = text!("this `suppress` covers the alert on which `{}` rests", rule.id.value);
            let mut diagnostic =
                Diagnostic::error(Code::SUPPRESS_OWN, self.place(span), message).label("would hide its own reason").help(spared(own.event));
            if let Some(place) = own.written.place {
                diagnostic = diagnostic.related(place, "the rule rests on this");
            }
            self.diagnostics.push(diagnostic);
        }
    }
}

/// How to leave the alert out of what is suppressed.
fn spared(event: &Event) -> diag::Text {
    let by_label =
        event.labels.iter().find(|(_, equal, _)| *equal).map(|(name, _, value)| format!("`with {} != \"{value}\"`", quoted(name)));
    let by_name = event.texts.iter().find_map(|text| match text {
        Text::Contains(text) => Some(format!("`with {NAME} != \"{text}\"`")),
        Text::Matches(_) => None,
    });
    let example = by_label.or(by_name).unwrap_or_else(|| "`with severity = \"warning\"`".to_owned());
    text!("leave that alert out by a label, like {}, or name other texts or other components, like `dependents of …`", example)
}

/// A label as a rule writes it.
fn quoted(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_numeric());
    if plain { name.to_owned() } else { format!("\"{name}\"") }
}

impl<'c> Rests<'c> {
    /// The alert conditions inside. `written`: the state that they define, if any. `against`: an alert would speak against the match.
    fn collect(&self, cond: &'c Cond, written: Option<&'c Written>, against: bool, it: &Spot, into: &mut Vec<Rest<'c>>) {
        match &cond.kind {
            CondKind::And(parts) | CondKind::Or(parts) => {
                parts.iter().for_each(|part| self.collect(part, written, against, it, into));
            }
            CondKind::Not(inner) => self.collect(inner, written, !against, it, into),
            CondKind::Held { inner, .. } => self.collect(inner, written, against, it, into),
            CondKind::Quantified(quantified) => {
                let target = Target::Set(quantified.set.clone());
                let element = if target.subjects().contains(&Subject::It) { Spot::Unclear } else { Spot::On(target) };
                self.collect(&quantified.body, written, against == quantified.quantifier.wants_many(), &element, into);
            }
            CondKind::State { subject, state, negated } => {
                let Some(body) = self.state(*subject, state) else { return };
                let about = match subject {
                    Subject::Variable(_) => Spot::On(Target::Place(PlaceOf::Subject(*subject))),
                    Subject::It => it.clone(),
                };
                self.collect(body, written.or(Some(&cond.written)), against != *negated, &about, into);
            }
            CondKind::Event(event) => {
                if event.kind == EventKind::Alert && !against {
                    into.push(Rest { event, place: spot(event.on.as_ref(), it), written: written.unwrap_or(&cond.written) });
                }
            }
            CondKind::Unexplained(_)
            | CondKind::Probe { .. }
            | CondKind::Link { .. }
            | CondKind::Shares { .. }
            | CondKind::Compare { .. }
            | CondKind::Script(_)
            | CondKind::Trend { .. }
            | CondKind::Baseline { .. } => {}
        }
    }

    /// The definition of a state. The element of a set may have several types: then any definition of that name.
    fn state(&self, subject: Subject, state: &str) -> Option<&'c Cond> {
        let kind = match subject {
            Subject::Variable(index) => self.variables.get(index).map(|variable| variable.kind.as_str()),
            Subject::It => None,
        };
        match kind {
            Some(kind) => self.model.lineage(kind).find_map(|def| self.states.get(&(def.name.clone(), state.to_owned()))),
            None => self.states.iter().find(|((_, name), _)| name == state).map(|(_, body)| body),
        }
    }

    /// Whether every alert that satisfies the condition is also suppressed. A condition that only may be covered is fine.
    fn covers(&self, suppression: &Suppression, rest: &Rest<'_>) -> bool {
        self.covers_place(&suppression.on, &rest.place) && covers_texts(suppression, rest.event) && covers_labels(suppression, rest.event)
    }

    fn covers_place(&self, on: &Target, place: &Spot) -> bool {
        let whole = match on {
            Target::Set(Set { base: SetBase::Type(kind), filter: None, .. }) => Some(kind.as_str()),
            Target::Set(_) | Target::Place(_) => None,
        };
        if whole == Some(ROOT_TYPE) {
            return true;
        }
        let target = match place {
            Spot::On(target) => target,
            Spot::Anywhere | Spot::Unclear => return false,
        };
        if let Some(whole) = whole {
            return self.kind_of(target).is_some_and(|kind| self.model.is_a(kind, whole));
        }
        match (on, target) {
            (Target::Set(on), Target::Set(set)) => on.base == set.base && (on.filter.is_none() || on.filter == set.filter),
            (Target::Place(on), Target::Place(place)) => on == place,
            (Target::Set(_), Target::Place(_)) | (Target::Place(_), Target::Set(_)) => false,
        }
    }

    /// The type of all components of a target, as far as it is written.
    fn kind_of<'t>(&self, target: &'t Target) -> Option<&'t str>
    where
        'c: 't,
    {
        match target {
            Target::Place(PlaceOf::Subject(Subject::Variable(index))) => self.variables.get(*index).map(|variable| variable.kind.as_str()),
            Target::Place(PlaceOf::Holder { kind, .. }) => Some(kind.as_str()),
            Target::Set(Set { base: SetBase::Type(kind) | SetBase::Instances { kind, .. }, .. }) => Some(kind.as_str()),
            Target::Place(PlaceOf::Subject(Subject::It) | PlaceOf::Component(_)) | Target::Set(_) => None,
        }
    }
}

/// Where an event condition looks if `it` is at that place.
fn spot(on: Option<&Target>, it: &Spot) -> Spot {
    match on {
        None => Spot::Anywhere,
        Some(Target::Place(PlaceOf::Subject(Subject::It))) => it.clone(),
        Some(target) if target.subjects().contains(&Subject::It) => Spot::Unclear,
        Some(target) => Spot::On(target.clone()),
    }
}

fn covers_texts(suppression: &Suppression, event: &Event) -> bool {
    let in_event = |wanted: &Text| {
        let said = event.texts.iter().filter_map(|text| match text {
            Text::Contains(text) => Some(text),
            Text::Matches(_) => None,
        });
        let named = event.labels.iter().filter(|(name, equal, _)| name == NAME && *equal).map(|(_, _, value)| value);
        said.chain(named).any(|text| wanted.is_in(text))
    };
    suppression.texts.is_empty() || suppression.texts.iter().any(in_event)
}

fn covers_labels(suppression: &Suppression, event: &Event) -> bool {
    suppression.labels.iter().all(|(name, equal, value)| {
        event.labels.iter().any(|(said, is, what)| {
            let same_value = what == value;
            said == name && if *is { same_value == *equal } else { !equal && same_value }
        })
    })
}
