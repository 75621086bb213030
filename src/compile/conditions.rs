//! Conditions: names resolved, units compared.

use diag::{Code, Span, did_you_mean, text};
use language::ast::{self, At, EventKind, ExprKind, OperandKind, TrendBy};
use value::{Dimension, Unit};

use super::Compiler;
use super::plan::{
    Argument, BASELINE_PERIOD, CHANGE_WINDOW, Call, Cond, CondKind, Event, LOG_WINDOW, Op, PROBE_WINDOW, PlaceOf, Quantified,
    REPORT_WINDOW, Subject, Target, Text, Value,
};
use super::scope::{Scope, UNKNOWN, unit_of};

impl Compiler<'_> {
    pub(super) fn cond(&mut self, scope: &Scope, expr: &ast::Expr) -> Option<Cond> {
        let kind = match &expr.kind {
            ExprKind::Or(parts) => CondKind::Or(self.parts(scope, parts)?),
            ExprKind::And(parts) => CondKind::And(self.parts(scope, parts)?),
            ExprKind::Not(inner) => CondKind::Not(Box::new(self.cond(scope, inner)?)),
            ExprKind::Held { inner, duration } => {
                let inner = self.cond(scope, inner)?;
                if inner.any(&|c| matches!(c.kind, CondKind::Unexplained(_))) {
                    let help = text!("put the duration on the other conditions");
                    self.error(Code::NEVER, duration.span, "`no other rule explains` cannot have a duration", "not allowed here", help);
                    return None;
                }
                CondKind::Held { inner: Box::new(inner), duration: duration.value }
            }
            ExprKind::Unexplained(place) => CondKind::Unexplained(self.place_of(scope, place)?),
            ExprKind::Event(event) => CondKind::Event(self.event(scope, event)?),
            ExprKind::Quantified(quantified) => {
                let (set, it) = self.set(scope, &quantified.set)?;
                let body = self.cond(&scope.with_it(it), &quantified.body)?;
                CondKind::Quantified(Box::new(Quantified { quantifier: quantified.quantifier.value, set, body }))
            }
            ExprKind::Probe(probe) => self.probe(scope, probe, expr.span)?,
            ExprKind::Link(link) => self.link(scope, link)?,
            ExprKind::Shares(shares) => self.shares(scope, shares)?,
            ExprKind::State { subject, negated, state } => {
                let subject = self.subject_or_it(scope, subject.as_ref(), state.span, &format!("is {}", state.value))?;
                CondKind::State { subject, state: self.state_exists(scope, subject, state)?, negated: *negated }
            }
            ExprKind::Compare { left, op, right } => self.compare(scope, left, op, right, expr.span)?,
            ExprKind::Script(script) => CondKind::Script(self.call(scope, script)?),
            ExprKind::Trend { metric, rises, by, window } => {
                let metric = self.metric(scope, metric)?;
                let (relative, by) = match by {
                    TrendBy::Relative(percent) => (true, percent.value),
                    TrendBy::Absolute(quantity) => {
                        self.same_dimension(metric.unit, quantity.value.unit, quantity.span, Some(quantity.value.number))?;
                        (false, quantity.value.base())
                    }
                };
                if by <= 0.0 {
                    self.error(
                        Code::NEVER,
                        expr.span,
                        "a rise or fall must be greater than 0",
                        "not greater than 0",
                        "use a positive amount, like `50%`",
                    );
                    return None;
                }
                if relative && !rises && by > 100.0 {
                    self.error(Code::NEVER, expr.span, "a value cannot fall by more than 100%", "can never match", "use at most `100%`");
                    return None;
                }
                CondKind::Trend { metric, rises: *rises, relative, by, window: window.value }
            }
            ExprKind::Baseline { metric, above, stat, period, by } => CondKind::Baseline {
                metric: self.metric(scope, metric)?,
                above: *above,
                stat: stat.value,
                period: period.as_ref().map_or(BASELINE_PERIOD, |p| p.value),
                by_percent: by.as_ref().map_or(0.0, |b| b.value),
            },
        };
        Some(Cond { kind, written: self.written(expr.span) })
    }

    /// All parts, so that one error does not hide the next.
    fn parts(&mut self, scope: &Scope, parts: &[ast::Expr]) -> Option<Vec<Cond>> {
        let compiled: Vec<_> = parts.iter().map(|part| self.cond(scope, part)).collect();
        compiled.into_iter().collect()
    }

    fn same_dimension(&mut self, left: Unit, right: Unit, span: Span, literal: Option<f64>) -> Option<()> {
        // Zero is zero in every unit.
        if left.dimension == right.dimension || literal == Some(0.0) {
            return Some(());
        }
        let help = match (literal, right.dimension) {
            (Some(number), Dimension::Count) if left.dimension == Dimension::Fraction && number.abs() <= 1.0 => {
                text!("write a percentage: `{}%`", value::format_number(number * 100.0))
            }
            (Some(number), Dimension::Count) => {
                text!(
                    "write a unit: `{}{}`",
                    value::format_number(number),
                    if left.dimension == Dimension::Fraction { "%" } else { left.name }
                )
            }
            _ => {
                text!("compare {} with {}, such as `{}`", left.dimension.describe(), left.dimension.describe(), left.dimension.example())
            }
        };
        self.error(
            Code::UNIT_MISMATCH,
            span,
            text!("{} cannot be compared with {}", left.dimension.describe(), right.dimension.describe()),
            text!("expected {}", left.dimension.describe()),
            help,
        );
        None
    }

    fn compare(&mut self, scope: &Scope, left: &ast::Operand, op: &At<Op>, right: &ast::Operand, span: Span) -> Option<CondKind> {
        let (a, b) = (self.operand(scope, left), self.operand(scope, right));
        let (a, b) = (a?, b?);
        let constant = |value: &Value| matches!(value, Value::Number { .. } | Value::Text(_));
        if constant(&a) && constant(&b) {
            self.error(
                Code::NEVER,
                span,
                "this compares two constants",
                "does not depend on a signal",
                "compare a metric or an attribute, like `db.connections > 100`",
            );
            return None;
        }
        let (unit_a, unit_b) = (unit_of(&a), unit_of(&b));
        let is_text = |value: &Value| matches!(value, Value::Text(_) | Value::Attribute { unit: None, .. });
        let unit = match (&a, &b) {
            (Value::Script(_), Value::Text(_)) | (Value::Text(_), Value::Script(_)) if !matches!(op.value, Op::Eq | Op::Ne) => {
                self.error(Code::UNIT_MISMATCH, op.span, "text has no order", "expected `=` or `!=`", "compare text with `=` or `!=`");
                return None;
            }
            // A script returns a bare number; it takes the unit of the other side.
            (Value::Script(_), _) => unit_b,
            (_, Value::Script(_)) => unit_a,
            _ if is_text(&a) && is_text(&b) => {
                if !matches!(op.value, Op::Eq | Op::Ne) {
                    self.error(Code::UNIT_MISMATCH, op.span, "text has no order", "expected `=` or `!=`", "compare text with `=` or `!=`");
                    return None;
                }
                None
            }
            _ => {
                let (Some(unit_a), Some(unit_b)) = (unit_a, unit_b) else {
                    self.error(
                        Code::UNIT_MISMATCH,
                        if is_text(&a) { left.span } else { right.span },
                        "text cannot be compared with a number",
                        "text",
                        "compare numbers with numbers and text with text",
                    );
                    return None;
                };
                match (&left.kind, &right.kind) {
                    (OperandKind::Quantity(quantity), _) => self.same_dimension(unit_b, quantity.unit, left.span, Some(quantity.number))?,
                    (_, OperandKind::Quantity(quantity)) => {
                        self.same_dimension(unit_a, quantity.unit, right.span, Some(quantity.number))?;
                    }
                    _ => self.same_dimension(unit_a, unit_b, right.span, None)?,
                }
                // Show the comparison in the unit of the metric, not of the literal.
                Some(if constant(&a) { unit_b } else { unit_a })
            }
        };
        Some(CondKind::Compare { left: a, op: op.value, right: b, unit })
    }

    fn operand(&mut self, scope: &Scope, operand: &ast::Operand) -> Option<Value> {
        Some(match &operand.kind {
            OperandKind::Quantity(quantity) => Value::Number { base: quantity.base(), unit: quantity.unit },
            OperandKind::Text(text) => Value::Text(text.clone()),
            OperandKind::Metric(metric) => {
                let subject = self.subject_or_it(scope, metric.subject.as_ref(), metric.span, &metric.name.value)?;
                self.member(scope, subject, &metric.name)?
            }
            OperandKind::Share { percent, of } => {
                let of = self.operand(scope, of)?;
                if unit_of(&of).is_none() {
                    self.error(
                        Code::UNIT_MISMATCH,
                        operand.span,
                        "cannot take a percentage of text",
                        "not a number",
                        "use a number, like `80% of db.max_connections`",
                    );
                    return None;
                }
                Value::Share { percent: percent.value, of: Box::new(of) }
            }
            OperandKind::Aggregate { stat, metric, window } => Value::Aggregate {
                stat: stat.value,
                metric: self.metric(scope, metric)?,
                window: window.as_ref().map(|window| window.value),
            },
            OperandKind::Script(script) => Value::Script(self.call(scope, script)?),
        })
    }

    fn call(&mut self, scope: &Scope, script: &ast::Script) -> Option<Call> {
        let functions = self.inputs.scripts;
        let name = &script.function;
        let Some(&arity) = functions.get(&name.value) else {
            let near = diag::nearest(&name.value, functions.keys().map(String::as_str));
            let help = near.map_or_else(|| text!("define it as a function in `rules/scripts/*.rhai`"), did_you_mean);
            self.error(Code::UNKNOWN_SCRIPT, name.span, text!("there is no script function `{}`", name.value), "not found", help);
            return None;
        };
        if arity != script.arguments.len() {
            let message = text!("wrong number of arguments for `{}`: expected {}, found {}", name.value, arity, script.arguments.len());
            self.error(Code::UNKNOWN_SCRIPT, script.span, message, "in this call", "");
            return None;
        }
        let arguments = script.arguments.iter().map(|argument| self.argument(scope, argument)).collect::<Option<_>>()?;
        Some(Call { function: name.value.clone(), arguments })
    }

    fn argument(&mut self, scope: &Scope, argument: &ast::Argument) -> Option<Argument> {
        Some(match argument {
            ast::Argument::Quantity(quantity) => Argument::Number(quantity.value.number),
            ast::Argument::Text(text) => Argument::Text(text.value.clone()),
            ast::Argument::Metric(metric) => Argument::Metric(self.metric(scope, metric)?),
            ast::Argument::Name(reference) => Argument::Component(self.subject(scope, reference)?),
        })
    }

    fn event(&mut self, scope: &Scope, event: &ast::Event) -> Option<Event> {
        let on = match &event.on {
            Some(target) => Some(self.target(scope, target)?),
            None if !scope.it.is_empty() => Some(Target::Place(PlaceOf::Subject(Subject::It))),
            None => None,
        };
        let source = match &event.source {
            Some(source) => Some(self.log_source(scope, event.kind.value, on.as_ref(), source)?),
            None => None,
        };
        let named = self.labels(&event.labels);
        let same = match &event.same {
            Some(name) => Some(self.label_name(name)?),
            None => None,
        };
        let mut labels = Vec::new();
        if let Some(reason) = &event.reason {
            self.reason_known(reason);
            labels.push(("source".to_owned(), true, signal::KUBERNETES.to_owned()));
            labels.push(("reason".to_owned(), true, reason.value.clone()));
        }
        labels.extend(named?);
        let window = event.window.as_ref().map(|w| w.value).or(match event.kind.value {
            EventKind::Alert => None,
            EventKind::Log | EventKind::Event => Some(LOG_WINDOW),
            EventKind::Change => Some(CHANGE_WINDOW),
            EventKind::Report => Some(REPORT_WINDOW),
        });
        Some(Event {
            kind: event.kind.value,
            at_least: event.at_least.as_ref().map_or(1, |n| n.value.max(1)),
            texts: event.texts.iter().filter_map(text).collect(),
            on,
            source,
            same,
            labels,
            window,
        })
    }

    /// A cluster writes reasons in one way only. Operators have their own, so an unknown one is no error.
    fn reason_known(&mut self, reason: &At<String>) {
        let written = reason.value.as_str();
        if signal::known_reasons().any(|known| known == written) {
            return;
        }
        let near = diag::nearest(written, signal::known_reasons());
        if near.is_none() && signal::begins_known(written) {
            return;
        }
        let help = near.map_or_else(
            || text!("write it as `kubectl get events` shows it, in the column REASON; the reason of an operator of your own may stay"),
            did_you_mean,
        );
        self.warning(Code::UNKNOWN_REASON, reason.span, text!("no known event has the reason `{}`", written), "not a known reason", help);
    }

    fn log_source(&mut self, scope: &Scope, kind: EventKind, on: Option<&Target>, source: &At<String>) -> Option<String> {
        if kind != EventKind::Log {
            self.error(Code::UNKNOWN_SOURCE, source.span, "only log conditions have a source", "not a log condition", "remove `from …`");
            return None;
        }
        let types = match on {
            Some(Target::Place(PlaceOf::Subject(subject))) => scope.types(*subject),
            Some(Target::Place(PlaceOf::Holder { kind, .. })) => vec![kind.clone()],
            Some(Target::Place(PlaceOf::Component(_)) | Target::Set(_)) | None => vec![estate::ROOT_TYPE.to_owned()],
        };
        let model = self.inputs.estate.model();
        let all: Vec<String> = if types.iter().any(|t| t == estate::ROOT_TYPE) { model.types.keys().cloned().collect() } else { types };
        if let Some(found) = all.iter().find_map(|kind| model.log_source(kind, &source.value)) {
            return Some(found.name.clone());
        }
        let names: Vec<&str> = all.iter().flat_map(|kind| model.lineage(kind)).flat_map(|t| t.logs.keys()).map(String::as_str).collect();
        let help = diag::nearest(&source.value, names)
            .map_or_else(|| text!("declare it in `topology/model.yaml`, under `logs:` of the component type"), did_you_mean);
        self.error(Code::UNKNOWN_SOURCE, source.span, text!("there is no log source `{}`", source.value), "not in the model", help);
        None
    }

    fn probe(&mut self, scope: &Scope, probe: &ast::Probe, span: Span) -> Option<CondKind> {
        let from = match &probe.from {
            Some(place) => Some(self.place_of(scope, place)?),
            None => None,
        };
        let to = match &probe.to {
            Some(place) => Some(self.place_of(scope, place)?),
            None if !scope.it.is_empty() => Some(PlaceOf::Subject(Subject::It)),
            None => {
                self.error(
                    Code::UNKNOWN_VARIABLE,
                    span,
                    "this probe names no component",
                    "of which component?",
                    "write `probe on db fails` or `probe from a to b fails`",
                );
                return None;
            }
        };
        Some(CondKind::Probe { from, to, succeeds: probe.succeeds, window: probe.window.as_ref().map_or(PROBE_WINDOW, |w| w.value) })
    }

    pub(super) fn link(&mut self, scope: &Scope, link: &ast::Link) -> Option<CondKind> {
        let (from, to) = (self.subject(scope, &link.from), self.subject(scope, &link.to));
        let relation = self.relation_name(&link.relation);
        let (from, to, relation) = (from?, to?, relation?);
        if link.reach == ast::Reach::Hops(1) {
            self.link_possible(scope, link, from, &relation, to)?;
        }
        Some(CondKind::Link { from, relation, to, reach: link.reach, either_way: link.either_way })
    }

    fn link_possible(&mut self, scope: &Scope, link: &ast::Link, from: Subject, relation: &str, to: Subject) -> Option<()> {
        let model = self.inputs.estate.model();
        if [from, to].iter().any(|s| scope.types(*s).iter().any(|t| t == UNKNOWN)) {
            return Some(());
        }
        let kind = model.relations.get(relation)?;
        // A variable of a general type may be bound to a component of a subtype.
        let fits = |types: &[String], allowed: &[String]| {
            allowed.is_empty() || types.iter().any(|t| allowed.iter().any(|a| model.is_a(t, a) || model.is_a(a, t)))
        };
        let (a, b) = (scope.types(from), scope.types(to));
        let forward = fits(&a, &kind.from) && fits(&b, &kind.to);
        let backward = fits(&b, &kind.from) && fits(&a, &kind.to);
        if forward || (link.either_way && backward) {
            return Some(());
        }
        let or = |types: Vec<String>| diag::Text::joined(types.into_iter().map(diag::Text::from), "{} or {}").unwrap_or_default();
        let (a, b) = (or(a), or(b));
        let help = if backward {
            text!("the relation exists in the other direction: swap the two sides")
        } else {
            let list = |types: &[String]| if types.is_empty() { text!("anything") } else { types.join(", ").into() };
            text!("`{}` goes from {} to {}", relation, list(&kind.from), list(&kind.to))
        };
        self.error(
            Code::IMPOSSIBLE_RELATION,
            link.span,
            text!("`{}` cannot go from a `{}` to a `{}`", relation, a, b),
            "not allowed by the model",
            help,
        );
        None
    }

    pub(super) fn shares(&mut self, scope: &Scope, shares: &ast::Shares) -> Option<CondKind> {
        let (left, right) = (self.subject(scope, &shares.left), self.subject(scope, &shares.right));
        let kind = match &shares.kind {
            Some(kind) => Some(self.type_name(kind)?),
            None => None,
        };
        Some(CondKind::Shares { left: left?, kind, right: right? })
    }
}

fn text(text: &ast::TextMatch) -> Option<Text> {
    if text.pattern { regex::Regex::new(&text.text.value).ok().map(Text::Matches) } else { Some(Text::Contains(text.text.value.clone())) }
}
