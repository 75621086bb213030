//! TOP, MET and CAS rules: their clauses, and what each kind requires.

use diag::{Code, Span, Text, did_you_mean, nearest, text};
use language::ast::{self, Body, Kind};

use super::plan::{Advice, Conclusion, Cond, CondKind, Impact, PlaceOf, Rule, Status, Subject, Variable};
use super::scope::{Scope, UNKNOWN};
use super::{Compiler, States};

/// The priority of a rule that declares none: the middle of 0 to 100.
const DEFAULT_PRIORITY: u32 = 50;
/// How many signals a MET rule needs: a single one deviates by chance.
const MET_SIGNALS: usize = 2;

impl Compiler<'_> {
    pub(super) fn rule(&mut self, rule: &ast::Rule, states: &States) -> Option<Rule> {
        let before = self.errors();
        let (scope, joins) = self.given(rule);
        let mut compiled = Rule {
            id: rule.id.value.clone(),
            kind: rule.kind,
            title: rule.title.value.clone(),
            case: rule.case.as_ref().map(|c| c.value.clone()),
            variables: scope.variables.clone(),
            joins,
            condition: Cond { kind: CondKind::And(Vec::new()), written: super::plan::Written::default() },
            impacts: Vec::new(),
            faults: Vec::new(),
            causes: Vec::new(),
            suppressions: Vec::new(),
            checks: Vec::new(),
            solutions: Vec::new(),
            notes: Vec::new(),
            overrides: Vec::new(),
            priority: DEFAULT_PRIORITY,
            severity: None,
            status: Status::Active,
            owner: None,
            tags: Vec::new(),
            added: None,
            reviewed: None,
            written: self.written(rule.span),
        };
        let mut condition = None;
        for clause in &rule.clauses {
            self.clause(&scope, clause, &mut compiled, &mut condition);
        }
        let has_if = rule.clauses.iter().any(|c| matches!(c.body, Body::If(_)));
        // A rule with a broken clause already has errors; checking what is required would only repeat them.
        if !rule.broken {
            self.duties(rule, &compiled, condition.as_ref(), has_if);
            if let Some(condition) = &condition {
                self.unused_variables(rule, &compiled, condition);
            }
        }
        // What looks at the rule as a whole would be misled by one with errors.
        if let Some(condition) = condition.as_ref().filter(|_| !rule.broken && self.errors() == before) {
            self.check_suppressions(rule, &compiled, condition, states);
            self.unsaid_fault(rule, &compiled, condition);
            self.thin_rule(rule, &compiled, condition);
        }
        if rule.kind == Kind::Top && compiled.faults.is_empty() {
            let start = compiled.impacts.iter().find_map(|i| Self::walk_start(&i.target));
            compiled.faults.push(Conclusion { text: compiled.title.clone(), at: start });
        }
        compiled.condition = condition?;
        (self.errors() == before && !rule.broken).then_some(compiled)
    }

    fn given(&mut self, rule: &ast::Rule) -> (Scope, Vec<Cond>) {
        let mut scope = Scope::default();
        let items: Vec<&ast::Given> =
            rule.clauses.iter().filter_map(|c| if let Body::Given(items) = &c.body { Some(items) } else { None }).flatten().collect();
        for item in &items {
            let ast::Given::Variable { name, kind, filter } = item else { continue };
            if scope.variables.iter().any(|v| v.name == name.value) {
                let help = text!("rename one of them");
                self.error(Code::DUPLICATE_VARIABLE, name.span, text!("`{}` is declared twice", name.value), "second declaration", help);
                continue;
            }
            // An unknown type is reported once; the variable stays known, so that its uses are not reported again.
            let kind = self.type_name(kind).unwrap_or_else(|| UNKNOWN.to_owned());
            let filter = filter.as_ref().filter(|_| kind != UNKNOWN).and_then(|f| self.filter(f, std::slice::from_ref(&kind)));
            scope.variables.push(Variable { name: name.value.clone(), kind, filter });
        }
        let mut joins = Vec::new();
        for item in items {
            let (kind, span) = match item {
                ast::Given::Variable { .. } => continue,
                ast::Given::Link(link) => (self.link(&scope, link), link.span),
                ast::Given::Shares(shares) => (self.shares(&scope, shares), shares.span),
            };
            if let Some(kind) = kind {
                joins.push(Cond { kind, written: self.written(span) });
            }
        }
        (scope, joins)
    }

    fn clause(&mut self, scope: &Scope, clause: &ast::Clause, rule: &mut Rule, condition: &mut Option<Cond>) {
        match &clause.body {
            Body::Given(_) => {}
            Body::If(expr) => *condition = self.cond(scope, expr),
            Body::Conclusion(conclusion) => self.conclusion(scope, conclusion, rule),
            Body::Check(advice) => rule.checks.push(advice_of(advice)),
            Body::Solution(advice) => rule.solutions.push(advice_of(advice)),
            Body::Note(note) => rule.notes.push(note.value.clone()),
            Body::Priority(priority) => rule.priority = priority.value,
            Body::Severity(severity) => rule.severity = Some(severity.value),
            Body::Owner(owner) => rule.owner = Some(owner.value.clone()),
            Body::Tags(tags) => rule.tags.extend(tags.iter().map(|t| t.value.clone())),
            Body::Status(status) => rule.status = status.value,
            Body::Added(date) => rule.added = Some(date.value.clone()),
            Body::Reviewed(date) => rule.reviewed = Some(date.value.clone()),
            Body::Overrides { rule: other, because } => {
                if Kind::of(&other.value) == Some(Kind::Tree) {
                    self.error(Code::WRONG_CLAUSE, other.span, "a tree cannot be overridden", "a tree", "name a TOP, MET or CAS rule");
                } else {
                    rule.overrides.push((other.value.clone(), because.as_ref().map(|b| b.value.clone())));
                }
            }
            Body::Ask(ask) => {
                let help = text!("put questions in a decision tree: a rule whose identifier starts with `TREE-`");
                self.error(
                    Code::WRONG_CLAUSE,
                    ask.node.span,
                    text!("a {} rule cannot ask questions", rule.kind.prefix()),
                    "not allowed here",
                    help,
                );
            }
        }
    }

    fn conclusion(&mut self, scope: &Scope, conclusion: &ast::Conclusion, rule: &mut Rule) {
        match conclusion {
            ast::Conclusion::Impact(parts) => {
                for part in parts {
                    if let Some(target) = self.target(scope, &part.target) {
                        rule.impacts.push(Impact { functions: part.functions.iter().map(|f| f.value.clone()).collect(), target });
                    }
                }
            }
            ast::Conclusion::Fault { text, at } => {
                let at = self.at(scope, at.as_ref(), "fault", text.span, true);
                rule.faults.push(Conclusion { text: text.value.clone(), at });
            }
            ast::Conclusion::Cause { text, at } => {
                let at = self.at(scope, at.as_ref(), "cause", text.span, false);
                rule.causes.push(Conclusion { text: text.value.clone(), at });
            }
            ast::Conclusion::Suppress(suppress) => rule.suppressions.extend(self.suppression(scope, suppress)),
        }
    }

    fn at(&mut self, scope: &Scope, at: Option<&ast::Place>, what: &'static str, span: Span, needed: bool) -> Option<PlaceOf> {
        match at {
            Some(place) => self.place_of(scope, place),
            None => {
                if needed && let Some(variable) = scope.variables.first() {
                    let help = text!("name a component: `{} \"…\" at {}`", what, variable.name);
                    self.error(Code::NO_PLACE, span, text!("this {} names no component", Text::from(what)), "at which component?", help);
                }
                None
            }
        }
    }

    /// What each kind of rule requires.
    fn duties(&mut self, rule: &ast::Rule, compiled: &Rule, condition: Option<&Cond>, has_if: bool) {
        let id = rule.id.span;
        if !has_if {
            self.error(Code::DUTY_CONDITION, id, text!("`{}` has no condition", rule.id.value), "`if` is missing", "add `if …`");
        }
        match rule.kind {
            Kind::Top => {
                let wrote = rule.clauses.iter().any(|c| matches!(c.body, Body::Conclusion(ast::Conclusion::Impact(_))));
                if !wrote {
                    let of = breaks(compiled);
                    // What a MET rule needs, it has.
                    let met = !compiled.faults.is_empty() && condition.is_some_and(|c| c.signals() >= MET_SIGNALS);
                    let help = if met {
                        text!("add `then impact dependents of {}`, or make it a MET rule, which only names a fault", of)
                    } else {
                        text!("add `then impact dependents of {}`", of)
                    };
                    self.error(Code::DUTY_IMPACT, id, text!("`{}` has no impact", rule.id.value), "a TOP rule needs an impact", help);
                }
            }
            Kind::Met => {
                let wrote = rule.clauses.iter().any(|c| matches!(c.body, Body::Conclusion(ast::Conclusion::Fault { .. })));
                if !wrote {
                    let help = text!("add `then fault \"…\" at …`");
                    self.error(Code::DUTY_CONCLUSION, id, text!("`{}` has no fault", rule.id.value), "a MET rule needs a fault", help);
                }
                if condition.is_some_and(|c| c.signals() < MET_SIGNALS) {
                    let help = text!(
                        "add a second signal with `and`: a single metric deviates by chance; or make it a TOP rule, with `then impact dependents of {}`",
                        breaks(compiled)
                    );
                    self.error(
                        Code::DUTY_SIGNALS,
                        id,
                        text!("`{}` uses fewer than two signals", rule.id.value),
                        "a MET rule needs at least two signals",
                        help,
                    );
                }
            }
            Kind::Cas => self.case_duties(rule, compiled),
            Kind::Tree => {}
        }
        if rule.kind != Kind::Cas
            && let Some(case) = &rule.case
        {
            self.error(
                Code::WRONG_CLAUSE,
                case.span,
                "only a CAS rule can name a case",
                "not allowed here",
                "remove it, or give the rule a `CAS-` identifier",
            );
        }
    }

    fn case_duties(&mut self, rule: &ast::Rule, compiled: &Rule) {
        let id = rule.id.span;
        let mut missing = Vec::new();
        match (&rule.case, self.inputs.cases) {
            (None, _) => missing.push(text!("a historical case: `CAS-001 \"…\" case HIS-20250601 {`")),
            (Some(case), Some(known)) if !known.contains(&case.value) => {
                let near = nearest(&case.value, known.iter().map(String::as_str));
                let help = near.map_or_else(|| text!("a case is a folder under `cases/` with a `case.yaml` in it"), did_you_mean);
                self.warning(Code::UNKNOWN_CASE, case.span, text!("there is no case `{}`", case.value), "not found in `cases/`", help);
            }
            (Some(_), _) => {}
        }
        let wrote = rule.clauses.iter().any(|c| matches!(c.body, Body::Conclusion(ast::Conclusion::Cause { .. })));
        if !wrote {
            missing.push(text!("a cause: `then cause \"…\" at s`"));
        }
        if compiled.solutions.is_empty() {
            missing.push(text!("at least one `solution \"…\"`"));
        }
        if let Some(missing) = Text::joined(missing, "{}, and {}") {
            let message = text!("`{}` is incomplete: a CAS rule needs a case, a cause and a solution", rule.id.value);
            self.error(Code::DUTY_CASE, id, message, "incomplete rule", text!("add {}", missing));
        } else if !compiled.variables.is_empty() && compiled.causes.iter().chain(&compiled.faults).all(|c| c.at.is_none()) {
            let help = text!("name a component: `cause \"…\" at {}`", compiled.variables.first().map_or("s", |v| v.name.as_str()));
            self.error(Code::NO_PLACE, id, text!("the cause of `{}` names no component", rule.id.value), "at which component?", help);
        }
    }

    /// A variable that no relation or condition mentions would multiply every finding by all components of its type.
    fn unused_variables(&mut self, rule: &ast::Rule, compiled: &Rule, condition: &Cond) {
        for (index, variable) in compiled.variables.iter().enumerate() {
            let subject = Subject::Variable(index);
            let joined = compiled.joins.iter().any(|j| mentions(j, subject));
            if joined || mentions(condition, subject) {
                continue;
            }
            let span = rule.clauses.iter().find_map(|c| match &c.body {
                Body::Given(items) => items.iter().find_map(|item| match item {
                    ast::Given::Variable { name, .. } if name.value == variable.name => Some(name.span),
                    ast::Given::Variable { .. } | ast::Given::Link(_) | ast::Given::Shares(_) => None,
                }),
                Body::If(_)
                | Body::Conclusion(_)
                | Body::Check(_)
                | Body::Solution(_)
                | Body::Note(_)
                | Body::Priority(_)
                | Body::Severity(_)
                | Body::Owner(_)
                | Body::Tags(_)
                | Body::Status(_)
                | Body::Added(_)
                | Body::Reviewed(_)
                | Body::Overrides { .. }
                | Body::Ask(_) => None,
            });
            let help = text!("add a relation, like `{} depends_on …`, use it in `if`, or delete it", variable.name);
            let message = text!("no relation or condition uses `{}`", variable.name);
            self.error(Code::UNUSED_VARIABLE, span.unwrap_or(rule.id.span), message, "would match every component of its type", help);
        }
    }
}

fn advice_of(advice: &ast::Advice) -> Advice {
    Advice {
        text: advice.text.value.clone(),
        see: advice.see.iter().map(|s| s.value.clone()).collect(),
        query: advice.query.as_ref().map(|q| q.value.clone()),
        runbook: advice.runbook.as_ref().map(|r| r.value.clone()),
    }
}

/// Whether a condition mentions a subject.
fn mentions(cond: &Cond, subject: Subject) -> bool {
    cond.any(&|c| c.subjects().contains(&subject))
}

/// The variable at which a rule finds its fault, for an example.
fn breaks(rule: &Rule) -> &str {
    let at = rule.faults.iter().find_map(|fault| match fault.at {
        Some(PlaceOf::Subject(Subject::Variable(at))) => Some(at),
        Some(PlaceOf::Subject(Subject::It) | PlaceOf::Holder { .. } | PlaceOf::Component(_)) | None => None,
    });
    rule.variables.get(at.unwrap_or(0)).map_or("…", |variable| variable.name.as_str())
}
