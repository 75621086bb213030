//! Syntax tree and model to a typed [`Plan`](plan::Plan). A rule with an error is left out of the plan.

mod conditions;
mod generic;
pub mod plan;
mod reads;
mod rules;
mod scope;
mod scripts;
mod sets;
mod states;
mod suppress;
mod trees;
mod unsaid;

use std::collections::{BTreeMap, BTreeSet};

pub use generic::is_generic;
pub use scripts::{ScriptComponent, ScriptError, ScriptValue, Scripts};

use diag::{Code, Diagnostic, Place, SourceId, Sources, Span, Text, did_you_mean, nearest, text};
use estate::Snapshot;
use language::ast;
use plan::{Cond, Plan};

/// What rules are compiled against.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    pub sources: &'a Sources,
    pub estate: &'a Snapshot,
    pub files: &'a [ast::File],
    /// Script functions and how many arguments each takes.
    pub scripts: &'a BTreeMap<String, usize>,
    /// Known cases; `None` when there is no `cases/` folder to compare with.
    pub cases: Option<&'a BTreeSet<String>>,
}

/// Compiles all rules of all files, and reports every error.
pub fn compile(inputs: Inputs<'_>) -> (Plan, Vec<Diagnostic>) {
    let mut compiler = Compiler { inputs, source: SourceId(u32::MAX), state_text: None, diagnostics: Vec::new() };
    let mut plan = Plan { states: compiler.states(), ..Plan::default() };
    let ids = compiler.identifiers();
    for file in inputs.files {
        compiler.source = file.source;
        for rule in &file.rules {
            compiler.references(rule, &ids);
            if ids.get(rule.id.value.as_str()).is_some_and(|first| *first != (file.source, rule.span)) {
                continue;
            }
            match rule.kind {
                ast::Kind::Tree => {
                    if let Some(tree) = compiler.tree(rule) {
                        plan.trees.insert(tree.id.clone(), tree);
                    }
                }
                ast::Kind::Top | ast::Kind::Met | ast::Kind::Cas => {
                    if let Some(compiled) = compiler.rule(rule, &plan.states) {
                        plan.rules.insert(compiled.id.clone(), compiled);
                    }
                }
            }
        }
    }
    compiler.override_loops(&mut plan);
    compiler.unsaid_aggregates(&plan);
    (plan, compiler.diagnostics)
}

/// Named states by (type that declares it, state), as in [`Plan::states`].
pub(crate) type States = BTreeMap<(String, String), Cond>;

pub(crate) struct Compiler<'a> {
    inputs: Inputs<'a>,
    /// The current file.
    source: SourceId,
    /// The text of the current state, and the offset at which its spans start: the file may have it in another form.
    state_text: Option<(String, usize)>,
    diagnostics: Vec<Diagnostic>,
}

impl Compiler<'_> {
    /// How many errors there are so far.
    fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|d| d.is_error()).count()
    }

    fn place(&self, span: Span) -> Place {
        Place::new(self.source, span)
    }

    fn error(&mut self, code: Code, span: Span, message: impl Into<Text>, label: impl Into<Text>, help: impl Into<Text>) {
        let place = self.place(span);
        let diagnostic = Diagnostic::error(code, place, message).label(label);
        let help: Text = help.into();
        self.diagnostics.push(if help.is_empty() { diagnostic } else { diagnostic.help(help) });
    }

    fn warning(&mut self, code: Code, span: Span, message: impl Into<Text>, label: impl Into<Text>, help: impl Into<Text>) {
        let place = self.place(span);
        self.diagnostics.push(Diagnostic::warning(code, place, message).label(label).help(help));
    }

    /// The text of a span on one line.
    fn written(&self, span: Span) -> plan::Written {
        let place = self.place(span);
        let slice = match &self.state_text {
            Some((text, base)) => text.get(span.start.saturating_sub(*base)..span.end.saturating_sub(*base)).unwrap_or(""),
            None => self.inputs.sources.slice(place),
        };
        let text = slice.split_whitespace().collect::<Vec<_>>().join(" ");
        plan::Written { text, place: Some(place) }
    }

    /// Every identifier with the place of its first rule; a second rule of that name is an error.
    fn identifiers(&mut self) -> BTreeMap<String, (SourceId, Span)> {
        let mut ids: BTreeMap<String, (SourceId, Span)> = BTreeMap::new();
        let mut order: Vec<(&str, SourceId, &ast::Rule)> = Vec::new();
        for file in self.inputs.files {
            order.extend(file.rules.iter().map(|rule| (self.inputs.sources.path(file.source), file.source, rule)));
        }
        // Which of two rules counts as the first must not depend on the order in which files were found.
        order.sort_by_key(|(path, _, rule)| (*path, rule.span));
        for (_, source, rule) in order {
            if let Some((first_source, first)) = ids.get(&rule.id.value) {
                self.diagnostics.push(
                    Diagnostic::error(
                        Code::DUPLICATE_RULE,
                        Place::new(source, rule.id.span),
                        text!("`{}` is declared twice", rule.id.value),
                    )
                    .label("second declaration, ignored")
                    .related(Place::new(*first_source, Span::new(first.start, first.start + rule.id.value.len())), "first declared here")
                    .help("give one of them a new identifier, or delete it"),
                );
            } else {
                ids.insert(rule.id.value.clone(), (source, rule.span));
            }
        }
        ids
    }

    /// Identifiers that a rule mentions must exist.
    fn references(&mut self, rule: &ast::Rule, ids: &BTreeMap<String, (SourceId, Span)>) {
        let mut mentioned: Vec<&ast::At<String>> = Vec::new();
        for clause in &rule.clauses {
            match &clause.body {
                ast::Body::Check(advice) | ast::Body::Solution(advice) => mentioned.extend(&advice.see),
                ast::Body::Overrides { rule, .. } => mentioned.push(rule),
                ast::Body::Ask(ask) => {
                    for branch in &ask.branches {
                        if let ast::Goal::End { see, .. } = &branch.goes_to {
                            mentioned.extend(see);
                        }
                    }
                }
                ast::Body::Given(_)
                | ast::Body::If(_)
                | ast::Body::Conclusion(_)
                | ast::Body::Note(_)
                | ast::Body::Priority(_)
                | ast::Body::Severity(_)
                | ast::Body::Owner(_)
                | ast::Body::Tags(_)
                | ast::Body::Status(_)
                | ast::Body::Added(_)
                | ast::Body::Reviewed(_) => {}
            }
        }
        for id in mentioned {
            if ids.contains_key(&id.value) {
                continue;
            }
            let near = nearest(&id.value, ids.keys().map(String::as_str));
            let help = near.map_or_else(Text::default, did_you_mean);
            self.error(Code::UNKNOWN_RULE, id.span, text!("there is no rule or tree `{}`", id.value), "not found", help);
        }
    }

    /// Rules that override each other would all be overridden, so none of them is compiled.
    fn override_loops(&mut self, plan: &mut Plan) {
        let mut looping: BTreeSet<String> = BTreeSet::new();
        for start in plan.rules.keys() {
            let mut seen: BTreeSet<&str> = BTreeSet::new();
            let mut open: Vec<&str> = vec![start];
            while let Some(id) = open.pop() {
                for (next, _) in plan.rules.get(id).map(|r| r.overrides.as_slice()).unwrap_or_default() {
                    if next == start {
                        looping.insert(start.clone());
                    }
                    if seen.insert(next) {
                        open.push(next);
                    }
                }
            }
        }
        for id in looping {
            let Some(place) = plan.rules.remove(&id).and_then(|rule| rule.written.place) else { continue };
            let place = Place::new(place.source, Span::new(place.span.start, place.span.start + id.len()));
            self.diagnostics.push(
                Diagnostic::error(Code::OVERRIDE_LOOP, place, text!("`{}` is in a loop of overrides", id))
                    .label("part of a loop")
                    .help("let only the more certain rule override the other"),
            );
        }
    }
}
