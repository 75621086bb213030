//! Builds the syntax tree from the parser's pairs, clause by clause.

use super::Rule as G;
use super::ast::{
    Advice, Answer, Ask, At, Body, Branch, Conclusion, Given, Goal, ImpactPart, Link, MembersOf, Name, Op, Place, Reach, Reference, Scope,
    Set, SetBase, Severity, Shares, Status, Suppress, Target, Where, WhereValue,
};
use diag::{Code, Diagnostic, SourceId, text};

pub type Pair<'a> = pest::iterators::Pair<'a, G>;

/// The longest walk over relations that a rule can declare; for deeper estates there is `at any distance`.
const MAX_HOPS: u32 = 1_000;

/// Builds nodes from pairs whose offsets start at `base`. A method returns `None` after it has reported why.
pub struct Builder<'a> {
    pub source: SourceId,
    pub base: usize,
    pub diagnostics: &'a mut Vec<Diagnostic>,
}

impl Builder<'_> {
    pub fn body(&mut self, pair: Pair<'_>) -> Option<Body> {
        let rule = pair.as_rule();
        let mut inner = pair.into_inner().filter(|p| p.as_rule() != G::EOI);
        let keyword = inner.next()?;
        Some(match rule {
            G::c_given => Body::Given(inner.filter(|p| p.as_rule() == G::given_item).map(|p| self.given(p)).collect::<Option<_>>()?),
            G::c_if => Body::If(self.expr(inner.next()?)?),
            G::c_then => Body::Conclusion(self.conclusion(if keyword.as_rule() == G::conclusion { keyword } else { inner.next()? })?),
            G::c_check => Body::Check(self.advice(inner)?),
            G::c_solution => Body::Solution(self.advice(inner)?),
            G::c_note => Body::Note(self.string(&inner.next()?)?),
            G::c_priority => Body::Priority(self.integer(&inner.next()?, 100, "a priority")?),
            G::c_severity => Body::Severity(self.severity(&inner.next()?)?),
            G::c_owner => Body::Owner(self.string(&inner.next()?)?),
            G::c_tags => Body::Tags(inner.filter(|p| p.as_rule() == G::tag).map(|p| self.word(&p)).collect()),
            G::c_status => Body::Status(self.status(&inner.next()?)?),
            G::c_added => Body::Added(self.date(&inner.next()?)?),
            G::c_reviewed => Body::Reviewed(self.date(&inner.next()?)?),
            G::c_overrides => {
                let rule = self.word(&inner.next()?);
                let because = match inner.find(|p| p.as_rule() == G::string) {
                    Some(text) => Some(self.string(&text)?),
                    None => None,
                };
                Body::Overrides { rule, because }
            }
            G::c_ask => Body::Ask(self.ask(inner)?),
            _ => return None,
        })
    }

    fn date(&mut self, pair: &Pair<'_>) -> Option<At<String>> {
        let date = self.word(pair);
        if date.value.parse::<jiff::civil::Date>().is_err() {
            self.diagnostics.push(
                Diagnostic::error(Code::BAD_DATE, self.place(date.span), text!("invalid date `{}`", date.value))
                    .label("no such date")
                    .help("use year, month and day, like `2025-06-01`"),
            );
            return None;
        }
        Some(date)
    }

    fn severity(&self, pair: &Pair<'_>) -> Option<At<Severity>> {
        let value = match pair.as_rule() {
            G::kw_critical => Severity::Critical,
            G::kw_warning => Severity::Warning,
            G::kw_info => Severity::Info,
            _ => return None,
        };
        Some(At::new(value, self.span(pair)))
    }

    fn status(&self, pair: &Pair<'_>) -> Option<At<Status>> {
        let value = match pair.as_rule() {
            G::kw_draft => Status::Draft,
            G::kw_active => Status::Active,
            G::kw_retired => Status::Retired,
            _ => return None,
        };
        Some(At::new(value, self.span(pair)))
    }

    fn given(&mut self, pair: Pair<'_>) -> Option<Given> {
        let item = pair.into_inner().next()?;
        Some(match item.as_rule() {
            G::variable => {
                let mut inner = item.into_inner().filter(|p| p.as_rule() != G::colon);
                let (name, kind) = (self.word(&inner.next()?), self.word(&inner.next()?));
                let filter = match inner.next() {
                    Some(filter) => Some(self.where_long(filter)?),
                    None => None,
                };
                Given::Variable { name, kind, filter }
            }
            G::link => Given::Link(self.link(item)?),
            G::shares => Given::Shares(self.shares(item)?),
            _ => return None,
        })
    }

    fn advice<'p>(&mut self, mut inner: impl Iterator<Item = Pair<'p>>) -> Option<Advice> {
        let mut advice = Advice { text: self.string(&inner.next()?)?, see: Vec::new(), query: None, runbook: None };
        for pair in inner {
            let rule = pair.as_rule();
            let value = pair.into_inner().nth(1)?;
            match rule {
                G::see => advice.see.push(self.word(&value)),
                G::query => advice.query = Some(self.string(&value)?),
                G::runbook => advice.runbook = Some(self.string(&value)?),
                _ => {}
            }
        }
        Some(advice)
    }

    fn ask<'p>(&mut self, mut inner: impl Iterator<Item = Pair<'p>>) -> Option<Ask> {
        let mut ask = Ask { node: self.word(&inner.next()?), question: self.string(&inner.next()?)?, auto: None, branches: Vec::new() };
        for pair in inner {
            match pair.as_rule() {
                G::expr => ask.auto = Some(self.expr(pair)?),
                G::branch => ask.branches.push(self.branch(pair)?),
                _ => {}
            }
        }
        Some(ask)
    }

    fn branch(&mut self, pair: Pair<'_>) -> Option<Branch> {
        let (mut answer, mut goes_to) = (None, None);
        for part in pair.into_inner() {
            let span = self.span(&part);
            match part.as_rule() {
                G::answer => {
                    let word = part.into_inner().next()?;
                    let value = match word.as_rule() {
                        G::kw_yes => Answer::Yes,
                        G::kw_no => Answer::No,
                        _ => Answer::Text(self.string(&word)?.value),
                    };
                    answer = Some(At::new(value, span));
                }
                G::target => goes_to = Some(self.goal(part)?),
                _ => {}
            }
        }
        Some(Branch { answer: answer?, goes_to: goes_to? })
    }

    fn goal(&mut self, pair: Pair<'_>) -> Option<Goal> {
        let mut inner = pair.into_inner();
        let first = inner.next()?;
        if first.as_rule() == G::ident {
            return Some(Goal::Node(self.word(&first)));
        }
        let verdict = self.string(&inner.next()?)?;
        let see = inner.filter_map(|see| see.into_inner().nth(1)).map(|id| self.word(&id)).collect();
        Some(Goal::End { verdict, see })
    }

    fn conclusion(&mut self, pair: Pair<'_>) -> Option<Conclusion> {
        let pair = pair.into_inner().next()?;
        let rule = pair.as_rule();
        if rule == G::impact {
            let parts = pair.into_inner().filter(|p| p.as_rule() == G::impact_part);
            return Some(Conclusion::Impact(parts.map(|p| self.impact_part(p)).collect::<Option<_>>()?));
        }
        if rule == G::suppress {
            return Some(Conclusion::Suppress(Box::new(self.suppress(pair)?)));
        }
        let (mut text, mut at) = (None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                G::string => text = Some(self.string(&part)?),
                G::place => at = Some(self.place_of(part)?),
                _ => {}
            }
        }
        let text = text?;
        Some(if rule == G::fault { Conclusion::Fault { text, at } } else { Conclusion::Cause { text, at } })
    }

    fn suppress(&mut self, pair: Pair<'_>) -> Option<Suppress> {
        let (mut texts, mut labels, mut same, mut on) = (Vec::new(), Vec::new(), Vec::new(), None);
        for part in pair.into_inner() {
            match part.as_rule() {
                G::string => texts.push(self.string(&part)?),
                G::place | G::set | G::set_long => on = Some(self.target(part)?),
                G::selector => {
                    let inner = part.into_inner().next()?;
                    if inner.as_rule() == G::label {
                        labels.push(self.label(inner)?);
                    } else {
                        for name in inner.into_inner().filter(|p| matches!(p.as_rule(), G::ident | G::string)) {
                            same.push(self.label_name(&name)?);
                        }
                    }
                }
                _ => {}
            }
        }
        Some(Suppress { texts, labels, same, on: on? })
    }

    fn impact_part(&mut self, pair: Pair<'_>) -> Option<ImpactPart> {
        let inner = pair.into_inner().next()?;
        if inner.as_rule() != G::functions {
            return Some(ImpactPart { functions: Vec::new(), target: self.target(inner)? });
        }
        let (mut functions, mut target) = (Vec::new(), None);
        for part in inner.into_inner() {
            match part.as_rule() {
                G::string => functions.push(self.string(&part)?),
                G::set | G::set_long | G::place => target = Some(self.target(part)?),
                _ => {}
            }
        }
        Some(ImpactPart { functions, target: target? })
    }

    pub fn target(&mut self, pair: Pair<'_>) -> Option<Target> {
        Some(if matches!(pair.as_rule(), G::set | G::set_long) {
            Target::Set(self.set(pair)?)
        } else {
            Target::Place(self.place_of(pair)?)
        })
    }

    pub fn reference(&self, pair: Pair<'_>) -> Option<Reference> {
        let span = self.span(&pair);
        let inner = pair.into_inner().next()?;
        let name = if inner.as_rule() == G::kw_it { Name::It } else { Name::Variable(inner.as_str().to_owned()) };
        Some(Reference { name, span })
    }

    pub fn place_of(&mut self, pair: Pair<'_>) -> Option<Place> {
        let mut inner = pair.into_inner();
        let first = inner.next()?;
        match first.as_rule() {
            G::reference => Some(Place::Reference(self.reference(first)?)),
            G::container => {
                let (kind, of) = self.container(first)?;
                Some(Place::Holder { kind, of })
            }
            _ => Some(Place::Component(self.string(&inner.next()?)?)),
        }
    }

    /// The type and the component of `subnet of h`, `pods of s`.
    fn container(&self, pair: Pair<'_>) -> Option<(At<String>, Reference)> {
        let (mut kind, mut of) = (None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                G::ident => kind = Some(self.word(&part)),
                G::reference => of = Some(self.reference(part)?),
                _ => {}
            }
        }
        Some((kind?, of?))
    }

    pub fn link(&mut self, pair: Pair<'_>) -> Option<Link> {
        let span = self.span(&pair);
        let (mut ends, mut relation, mut reach, mut either_way) = (Vec::new(), None, Reach::Hops(1), false);
        for part in pair.into_inner() {
            match part.as_rule() {
                G::reference => ends.push(self.reference(part)?),
                G::ident => relation = Some(self.word(&part)),
                G::hops => reach = Reach::Hops(self.hops(part)?.value),
                G::kw_any_distance => reach = Reach::Any,
                G::kw_either_way => either_way = true,
                _ => {}
            }
        }
        let (to, from) = (ends.pop()?, ends.pop()?);
        Some(Link { from, relation: relation?, to, reach, either_way, span })
    }

    fn hops(&mut self, pair: Pair<'_>) -> Option<At<u32>> {
        let number = pair.into_inner().find(|p| p.as_rule() == G::integer)?;
        self.integer(&number, MAX_HOPS, "a number of hops")
    }

    pub fn shares(&mut self, pair: Pair<'_>) -> Option<Shares> {
        let span = self.span(&pair);
        let (mut ends, mut kind) = (Vec::new(), None);
        for part in pair.into_inner() {
            match part.as_rule() {
                G::reference => ends.push(self.reference(part)?),
                G::ident => kind = Some(self.word(&part)),
                _ => {}
            }
        }
        let (right, left) = (ends.pop()?, ends.pop()?);
        Some(Shares { left, kind, right, span })
    }

    pub fn set(&mut self, pair: Pair<'_>) -> Option<Set> {
        let span = self.span(&pair);
        let (mut base, mut filter) = (None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                G::walk => base = Some(self.walk(part)?),
                G::peers => base = Some(self.peers(part)?),
                G::members => {
                    let of = part.into_inner().find(|p| matches!(p.as_rule(), G::string | G::place))?;
                    let of =
                        if of.as_rule() == G::string { MembersOf::Group(self.string(&of)?) } else { MembersOf::Place(self.place_of(of)?) };
                    base = Some(SetBase::Members(of));
                }
                G::container => {
                    let (kind, of) = self.container(part)?;
                    base = Some(SetBase::Instances { kind, of });
                }
                G::everything => {
                    let inner = part.into_inner().next()?;
                    base = Some(SetBase::Everything((inner.as_rule() == G::ident).then(|| self.word(&inner))));
                }
                G::where_long => filter = Some(self.where_long(part)?),
                G::where_short => {
                    let inner = part.into_inner().find(|p| matches!(p.as_rule(), G::where_test | G::where_any))?;
                    filter = Some(self.filter(inner)?);
                }
                _ => {}
            }
        }
        Some(Set { base: base?, filter, span })
    }

    fn walk(&mut self, pair: Pair<'_>) -> Option<SetBase> {
        let (mut dependents, mut direct, mut of, mut via, mut max_hops): (_, Option<At<u32>>, _, _, Option<At<u32>>) =
            (true, None, None, Vec::new(), None);
        for part in pair.into_inner() {
            match part.as_rule() {
                G::kw_dependencies => dependents = false,
                G::kw_direct => direct = Some(At::new(1, self.span(&part))),
                G::place => of = Some(self.place_of(part)?),
                G::via => via = part.into_inner().filter(|p| p.as_rule() == G::ident).map(|p| self.word(&p)).collect(),
                G::hops => max_hops = Some(self.hops(part)?),
                _ => {}
            }
        }
        if let (Some(direct), Some(_)) = (&direct, &max_hops) {
            self.diagnostics.push(
                Diagnostic::error(Code::DUPLICATE_CLAUSE, self.place(direct.span), "`direct` and `within … hops` contradict each other")
                    .label("means one hop")
                    .help("keep one of them"),
            );
            return None;
        }
        Some(SetBase::Walk { dependents, of: of?, via, max_hops: max_hops.or(direct) })
    }

    fn peers(&mut self, pair: Pair<'_>) -> Option<SetBase> {
        let (mut of, mut scope) = (None, Scope::Estate);
        for part in pair.into_inner() {
            match part.as_rule() {
                G::reference => of = Some(self.reference(part)?),
                G::ident => scope = Scope::Type(self.word(&part)),
                G::kw_group => scope = Scope::Group,
                _ => {}
            }
        }
        Some(SetBase::Peers { of: of?, scope })
    }

    /// `where` with its tests, as in `given` and after the sets of an impact.
    fn where_long(&mut self, pair: Pair<'_>) -> Option<Where> {
        let inner = pair.into_inner().find(|p| p.as_rule() == G::where_any)?;
        self.filter(inner)
    }

    fn filter(&mut self, pair: Pair<'_>) -> Option<Where> {
        match pair.as_rule() {
            G::where_any | G::where_all => {
                let any = pair.as_rule() == G::where_any;
                let parts = pair.into_inner().filter(|p| matches!(p.as_rule(), G::where_all | G::where_atom));
                let mut parts: Vec<Where> = parts.map(|p| self.filter(p)).collect::<Option<_>>()?;
                Some(if parts.len() == 1 {
                    parts.pop()?
                } else if any {
                    Where::Any(parts)
                } else {
                    Where::All(parts)
                })
            }
            G::where_atom => {
                let inner = pair.into_inner().find(|p| matches!(p.as_rule(), G::where_any | G::where_test))?;
                self.filter(inner)
            }
            _ => self.where_test(pair),
        }
    }

    fn where_test(&mut self, pair: Pair<'_>) -> Option<Where> {
        let (mut name, mut op, mut value): (_, Option<At<Op>>, _) = (None, None, None);
        for part in pair.into_inner() {
            let span = self.span(&part);
            match part.as_rule() {
                G::member_name => name = Some(self.word(&part)),
                G::where_value => {
                    let inner = part.into_inner().next()?;
                    let parsed = match inner.as_rule() {
                        G::string => WhereValue::Text(self.string(&inner)?.value),
                        G::quantity => WhereValue::Quantity(self.quantity(inner)?.value),
                        _ => WhereValue::Text(inner.as_str().to_owned()),
                    };
                    value = Some(At::new(parsed, span));
                }
                _ => op = op.or(self.op(&part)),
            }
        }
        Some(Where::Test { name: name?, op: op?, value: value? })
    }
}
