//! Builds the conditions of the syntax tree from the parser's pairs.

use super::Rule as G;
use super::ast::{
    Argument, At, Event, EventKind, Expr, ExprKind, Label, Metric, Operand, OperandKind, Probe, Quantified, Quantifier, Script, Set,
    TextMatch, TrendBy,
};
use super::build::{Builder, Pair};
use diag::{Code, Diagnostic, text};
use value::Duration;

impl Builder<'_> {
    pub fn expr(&mut self, pair: Pair<'_>) -> Option<Expr> {
        let span = self.span(&pair);
        let any = pair.as_rule() == G::expr;
        let wanted = if any { G::conjunction } else { G::negation };
        let mut parts = Vec::new();
        for part in pair.into_inner().filter(|p| p.as_rule() == wanted) {
            parts.push(if any { self.expr(part)? } else { self.negation(part)? });
        }
        if parts.len() == 1 {
            return parts.pop();
        }
        Some(Expr { kind: if any { ExprKind::Or(parts) } else { ExprKind::And(parts) }, span })
    }

    fn negation(&mut self, pair: Pair<'_>) -> Option<Expr> {
        let span = self.span(&pair);
        let mut inner = pair.into_inner();
        let first = inner.next()?;
        if first.as_rule() == G::kw_not {
            let inside = self.negation(inner.next()?)?;
            return Some(Expr { kind: ExprKind::Not(Box::new(inside)), span });
        }
        self.held(first)
    }

    fn held(&mut self, pair: Pair<'_>) -> Option<Expr> {
        let span = self.span(&pair);
        let (mut expr, mut duration) = (None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                G::primary => expr = Some(self.primary(part)?),
                G::held_for => duration = Some(self.held_for(part)?),
                _ => {}
            }
        }
        Some(with_duration(expr?, duration, span))
    }

    fn held_for(&mut self, pair: Pair<'_>) -> Option<At<Duration>> {
        let duration = pair.into_inner().find(|p| p.as_rule() == G::duration)?;
        self.duration(&duration)
    }

    fn primary(&mut self, pair: Pair<'_>) -> Option<Expr> {
        let inner = pair.into_inner().find(|p| !matches!(p.as_rule(), G::lparen | G::rparen))?;
        let span = self.span(&inner);
        let kind = match inner.as_rule() {
            G::expr => return self.expr(inner),
            G::unexplained => ExprKind::Unexplained(self.place_of(inner.into_inner().find(|p| p.as_rule() == G::place)?)?),
            G::event => ExprKind::Event(self.event(inner)?),
            G::quantified => ExprKind::Quantified(Box::new(self.quantified(inner)?)),
            G::probe => ExprKind::Probe(self.probe(inner)?),
            G::relation => {
                let inner = inner.into_inner().next()?;
                if inner.as_rule() == G::link { ExprKind::Link(self.link(inner)?) } else { ExprKind::Shares(self.shares(inner)?) }
            }
            G::state => self.state(inner)?,
            G::condition => self.condition(inner.into_inner().next()?)?,
            _ => return None,
        };
        Some(Expr { kind, span })
    }

    fn condition(&mut self, pair: Pair<'_>) -> Option<ExprKind> {
        match pair.as_rule() {
            G::trend => self.trend(pair),
            G::against => self.against(pair),
            _ => self.comparison(pair),
        }
    }

    fn state(&mut self, pair: Pair<'_>) -> Option<ExprKind> {
        let (mut subject, mut negated, mut state) = (None, false, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                G::reference => subject = Some(self.reference(part)?),
                G::kw_not | G::kw_is_not => negated = true,
                G::ident => state = Some(self.word(&part)),
                _ => {}
            }
        }
        Some(ExprKind::State { subject, negated, state: state? })
    }

    fn comparison(&mut self, pair: Pair<'_>) -> Option<ExprKind> {
        let (mut operands, mut op) = (Vec::new(), None);
        for part in pair.into_inner() {
            match part.as_rule() {
                G::script => return Some(ExprKind::Script(self.script(part)?)),
                G::operand => operands.push(self.operand(part)?),
                _ => op = op.or(self.op(&part)),
            }
        }
        let (right, left) = (operands.pop()?, operands.pop()?);
        Some(ExprKind::Compare { left, op: op?, right })
    }

    fn trend(&mut self, pair: Pair<'_>) -> Option<ExprKind> {
        let (mut metric, mut rises, mut by, mut window) = (None, true, None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                G::metric => metric = Some(self.metric(part)?),
                G::kw_falls => rises = false,
                G::percent => by = Some(TrendBy::Relative(self.percent(part)?)),
                G::quantity => by = Some(TrendBy::Absolute(self.quantity(part)?)),
                G::window => window = Some(self.window(part)?),
                _ => {}
            }
        }
        Some(ExprKind::Trend { metric: metric?, rises, by: by?, window: window? })
    }

    fn against(&mut self, pair: Pair<'_>) -> Option<ExprKind> {
        let (mut metric, mut above, mut stat, mut period, mut by) = (None, true, None, None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                G::metric => metric = Some(self.metric(part)?),
                G::kw_below => above = false,
                G::stat => stat = Some(self.stat(part)?),
                G::duration => period = Some(self.duration(&part)?),
                G::percent => by = Some(self.percent(part)?),
                _ => {}
            }
        }
        Some(ExprKind::Baseline { metric: metric?, above, stat: stat?, period, by })
    }

    fn window(&mut self, pair: Pair<'_>) -> Option<At<Duration>> {
        let duration = pair.into_inner().find(|p| p.as_rule() == G::duration)?;
        self.duration(&duration)
    }

    fn metric(&mut self, pair: Pair<'_>) -> Option<Metric> {
        let span = self.span(&pair);
        let (mut subject, mut name) = (None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                G::reference => subject = Some(self.reference(part)?),
                G::member_name | G::ident => name = Some(self.word(&part)),
                _ => {}
            }
        }
        Some(Metric { subject, name: name?, span })
    }

    fn operand(&mut self, pair: Pair<'_>) -> Option<Operand> {
        let inner = pair.into_inner().next()?;
        let span = self.span(&inner);
        let kind = match inner.as_rule() {
            G::quantity => OperandKind::Quantity(self.quantity(inner)?.value),
            G::string => OperandKind::Text(self.string(&inner)?.value),
            G::metric => OperandKind::Metric(self.metric(inner)?),
            G::script => OperandKind::Script(self.script(inner)?),
            G::aggregate => self.aggregate(inner)?,
            G::share => {
                let (mut percent, mut of) = (None, None);
                for part in inner.into_inner() {
                    let span = self.span(&part);
                    match part.as_rule() {
                        G::percent => percent = Some(self.percent(part)?),
                        G::metric => of = Some(Operand { kind: OperandKind::Metric(self.metric(part)?), span }),
                        G::aggregate => of = Some(Operand { kind: self.aggregate(part)?, span }),
                        _ => {}
                    }
                }
                OperandKind::Share { percent: percent?, of: Box::new(of?) }
            }
            _ => return None,
        };
        Some(Operand { kind, span })
    }

    fn aggregate(&mut self, pair: Pair<'_>) -> Option<OperandKind> {
        let (mut stat, mut metric, mut window) = (None, None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                G::stat => stat = Some(self.stat(part)?),
                G::metric => metric = Some(self.metric(part)?),
                G::window => window = Some(self.window(part)?),
                _ => {}
            }
        }
        Some(OperandKind::Aggregate { stat: stat?, metric: metric?, window })
    }

    fn script(&mut self, pair: Pair<'_>) -> Option<Script> {
        let span = self.span(&pair);
        let (mut function, mut arguments) = (None, Vec::new());
        for part in pair.into_inner() {
            match part.as_rule() {
                G::ident => function = Some(self.word(&part)),
                G::argument => {
                    let inner = part.into_inner().next()?;
                    arguments.push(match inner.as_rule() {
                        G::quantity => Argument::Quantity(self.quantity(inner)?),
                        G::string => Argument::Text(self.string(&inner)?),
                        G::metric => {
                            let metric = self.metric(inner)?;
                            if metric.subject.is_some() {
                                Argument::Metric(metric)
                            } else {
                                Argument::Name(super::ast::Reference {
                                    name: super::ast::Name::Variable(metric.name.value),
                                    span: metric.span,
                                })
                            }
                        }
                        _ => Argument::Name(self.reference(inner)?),
                    });
                }
                _ => {}
            }
        }
        Some(Script { function: function?, arguments, span })
    }

    fn event(&mut self, pair: Pair<'_>) -> Option<Event> {
        let mut event: Option<Event> = None;
        let mut at_least = None;
        for part in pair.into_inner() {
            let span = self.span(&part);
            let kind = match part.as_rule() {
                G::count => {
                    let number = part.into_inner().find(|p| p.as_rule() == G::integer)?;
                    at_least = Some(self.integer(&number, 1_000_000, "a count")?);
                    continue;
                }
                G::kw_alert => EventKind::Alert,
                G::kw_log => EventKind::Log,
                G::kw_change => EventKind::Change,
                G::kw_report => EventKind::Report,
                G::kw_event => EventKind::Event,
                G::reason => {
                    let string = part.into_inner().next()?;
                    event.as_mut()?.reason = Some(self.string(&string)?);
                    continue;
                }
                G::text => {
                    event.as_mut()?.texts.push(self.text_match(part)?);
                    continue;
                }
                _ => {
                    self.modifier(part, event.as_mut()?)?;
                    continue;
                }
            };
            event = Some(Event {
                kind: At::new(kind, span),
                at_least: at_least.take(),
                reason: None,
                texts: Vec::new(),
                on: None,
                source: None,
                same: None,
                labels: Vec::new(),
                window: None,
            });
        }
        event
    }

    fn text_match(&mut self, pair: Pair<'_>) -> Option<TextMatch> {
        let (mut pattern, mut text) = (false, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                G::pattern => {
                    pattern = true;
                    text = Some(self.pattern(&part));
                }
                G::kw_matching => {}
                _ => text = Some(self.string(&part)?),
            }
        }
        let text = text?;
        if pattern && let Err(error) = regex::Regex::new(&text.value) {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or("").trim_start_matches("error: ").to_owned();
            self.diagnostics.push(
                Diagnostic::error(Code::BAD_REGEX, self.place(text.span), text!("invalid regular expression: {}", reason))
                    .label("invalid pattern")
                    .help("escape literal special characters, like `\\[`, or remove `matching` to search for the text itself"),
            );
            return None;
        }
        Some(TextMatch { pattern, text })
    }

    fn modifier(&mut self, pair: Pair<'_>, event: &mut Event) -> Option<()> {
        let inner = pair.into_inner().next()?;
        let (rule, span) = (inner.as_rule(), self.span(&inner));
        let twice = match rule {
            G::on_place => event.on.replace(self.target(inner.into_inner().nth(1)?)?).is_some(),
            G::source => event.source.replace(self.word(&inner.into_inner().nth(1)?)).is_some(),
            G::same => event.same.replace(self.label_name(&inner.into_inner().nth(2)?)?).is_some(),
            G::window => event.window.replace(self.window(inner)?).is_some(),
            _ => {
                event.labels.push(self.label(inner)?);
                false
            }
        };
        if twice {
            self.diagnostics.push(
                Diagnostic::error(Code::DUPLICATE_CLAUSE, self.place(span), "this modifier occurs twice on one event")
                    .label("second occurrence")
                    .help("keep one of them"),
            );
            return None;
        }
        Some(())
    }

    /// `with severity = "warning"`
    pub fn label(&mut self, pair: Pair<'_>) -> Option<Label> {
        let parts: Vec<_> = pair.into_inner().collect();
        let [_, name, op, value] = parts.as_slice() else { return None };
        Some(Label { name: self.label_name(name)?, equal: op.as_rule() == G::eq, value: self.string(value)? })
    }

    /// The name of a label: a word, or any text in quotes.
    pub fn label_name(&mut self, pair: &Pair<'_>) -> Option<At<String>> {
        if pair.as_rule() == G::string { self.string(pair) } else { Some(self.word(pair)) }
    }

    fn probe(&mut self, pair: Pair<'_>) -> Option<Probe> {
        let mut probe = Probe { from: None, to: None, succeeds: false, window: None };
        let mut from_next = false;
        for part in pair.into_inner() {
            match part.as_rule() {
                G::kw_from => from_next = true,
                G::place => {
                    let place = self.place_of(part)?;
                    if from_next {
                        probe.from = Some(place);
                    } else {
                        probe.to = Some(place);
                    }
                    from_next = false;
                }
                G::kw_succeeds => probe.succeeds = true,
                G::window => probe.window = Some(self.window(part)?),
                _ => {}
            }
        }
        Some(probe)
    }

    fn quantified(&mut self, pair: Pair<'_>) -> Option<Quantified> {
        let (mut quantifier, mut set, mut body): (_, Option<Set>, _) = (None, None, None);
        for part in pair.into_inner() {
            let span = self.span(&part);
            match part.as_rule() {
                G::quantifier => quantifier = Some(At::new(self.quantifier(part)?, span)),
                G::set => set = Some(self.set(part)?),
                G::held => body = Some(self.held(part)?),
                G::state_of_it => {
                    let mut duration = None;
                    for inner in part.clone().into_inner().filter(|p| p.as_rule() == G::held_for) {
                        duration = Some(self.held_for(inner)?);
                    }
                    let kind = self.state(part)?;
                    body = Some(with_duration(Expr { kind, span }, duration, span));
                }
                _ => {}
            }
        }
        Some(Quantified { quantifier: quantifier?, set: set?, body: body? })
    }

    fn quantifier(&mut self, pair: Pair<'_>) -> Option<Quantifier> {
        let mut inner = pair.into_inner();
        let word = inner.next()?.as_rule();
        let least = word == G::kw_at_least;
        match (word, inner.next()) {
            (G::kw_every, _) => Some(Quantifier::Every),
            (G::kw_any, _) => Some(Quantifier::Any),
            (G::kw_no, _) => Some(Quantifier::No),
            (_, Some(number)) if number.as_rule() == G::percent => {
                let percent = self.percent(number)?;
                if !(0.0..=100.0).contains(&percent.value) {
                    self.diagnostics.push(
                        Diagnostic::error(Code::BAD_NUMBER, self.place(percent.span), "a percentage of a set must be between 0% and 100%")
                            .label("out of range"),
                    );
                    return None;
                }
                Some(if least { Quantifier::AtLeastPercent(percent.value) } else { Quantifier::AtMostPercent(percent.value) })
            }
            (_, Some(number)) => {
                let count = self.integer(&number, 1_000_000, "a count")?.value;
                Some(if least { Quantifier::AtLeast(count) } else { Quantifier::AtMost(count) })
            }
            (_, None) => None,
        }
    }
}

fn with_duration(expr: Expr, duration: Option<At<Duration>>, span: diag::Span) -> Expr {
    match duration {
        Some(duration) => Expr { kind: ExprKind::Held { inner: Box::new(expr), duration }, span },
        None => expr,
    }
}
