//! Decision trees: checks that every path ends and every question can be reached.

use std::collections::{BTreeMap, BTreeSet};

use diag::{Code, Span, did_you_mean, nearest, text};
use language::ast::{self, Body};

use super::Compiler;
use super::plan::{Goal, Status, Tree, TreeNode};
use super::scope::Scope;

impl Compiler<'_> {
    pub(super) fn tree(&mut self, rule: &ast::Rule) -> Option<Tree> {
        let before = self.diagnostics.iter().filter(|d| d.is_error()).count();
        let asks: Vec<&ast::Ask> =
            rule.clauses.iter().filter_map(|c| if let Body::Ask(ask) = &c.body { Some(ask) } else { None }).collect();
        for clause in &rule.clauses {
            self.foreign_clause(clause);
        }
        let spans: BTreeMap<&str, Span> = asks.iter().rev().map(|a| (a.node.value.as_str(), a.node.span)).collect();
        for ask in &asks {
            self.ask(ask, &spans);
        }
        let Some(root) = asks.first() else {
            if !rule.broken {
                let help = text!("add `ask name \"Question?\" yes -> other no -> end \"verdict\"`");
                self.error(Code::DUTY_CONDITION, rule.id.span, text!("`{}` has no question", rule.id.value), "`ask` is missing", help);
            }
            return None;
        };
        let mut nodes = BTreeMap::new();
        for ask in &asks {
            let auto = ask.auto.as_ref().and_then(|expr| self.cond(&Scope::default(), expr));
            let branches = ask.branches.iter().map(|b| (b.answer.value.clone(), goal(&b.goes_to))).collect();
            let node = TreeNode { name: ask.node.value.clone(), question: ask.question.value.clone(), auto, branches };
            nodes.insert(node.name.clone(), node);
        }
        let mut tree = Tree {
            id: rule.id.value.clone(),
            title: rule.title.value.clone(),
            notes: Vec::new(),
            owner: None,
            status: Status::Active,
            root: root.node.value.clone(),
            nodes,
            written: self.written(rule.span),
        };
        for clause in &rule.clauses {
            match &clause.body {
                Body::Note(note) => tree.notes.push(note.value.clone()),
                Body::Owner(owner) => tree.owner = Some(owner.value.clone()),
                Body::Status(status) => tree.status = status.value,
                Body::Given(_)
                | Body::If(_)
                | Body::Conclusion(_)
                | Body::Check(_)
                | Body::Solution(_)
                | Body::Priority(_)
                | Body::Severity(_)
                | Body::Tags(_)
                | Body::Added(_)
                | Body::Reviewed(_)
                | Body::Overrides { .. }
                | Body::Ask(_) => {}
            }
        }
        self.paths(&tree, &spans);
        let errors = self.diagnostics.iter().filter(|d| d.is_error()).count() - before;
        (errors == 0 && !rule.broken).then_some(tree)
    }

    fn foreign_clause(&mut self, clause: &ast::Clause) {
        let name = match &clause.body {
            Body::Given(_) => "given",
            Body::If(_) => "if",
            Body::Conclusion(_) => "then",
            Body::Check(_) => "check",
            Body::Solution(_) => "solution",
            Body::Overrides { .. } => "overrides",
            Body::Priority(_) => "priority",
            Body::Severity(_) => "severity",
            Body::Note(_) | Body::Owner(_) | Body::Tags(_) | Body::Status(_) | Body::Added(_) | Body::Reviewed(_) | Body::Ask(_) => return,
        };
        let span = Span::new(clause.span.start, clause.span.start + name.len().min(clause.span.end - clause.span.start));
        let help = text!("a tree can have `ask`, `note`, `owner`, `tags`, `status`, `added` and `reviewed`");
        self.error(Code::WRONG_CLAUSE, span, text!("a tree cannot have `{}`", name), "not allowed here", help);
    }

    fn ask(&mut self, ask: &ast::Ask, spans: &BTreeMap<&str, Span>) {
        if spans.get(ask.node.value.as_str()).is_some_and(|first| *first != ask.node.span) {
            let help = text!("rename one of them");
            self.error(
                Code::DUPLICATE_VARIABLE,
                ask.node.span,
                text!("question `{}` is declared twice", ask.node.value),
                "second declaration",
                help,
            );
        }
        let mut answers = BTreeSet::new();
        for branch in &ask.branches {
            if !answers.insert(&branch.answer.value) {
                self.error(
                    Code::DUPLICATE_CLAUSE,
                    branch.answer.span,
                    "this answer occurs twice",
                    "second occurrence",
                    "keep one branch for each answer",
                );
            }
            if let ast::Goal::Node(name) = &branch.goes_to
                && !spans.contains_key(name.value.as_str())
            {
                let help = nearest(&name.value, spans.keys().copied())
                    .map_or_else(|| text!("add an `ask` with that name, or end the path: `end \"verdict\"`"), did_you_mean);
                self.error(Code::TREE_DANGLING, name.span, text!("there is no question `{}`", name.value), "leads nowhere", help);
            }
        }
        let yes_no = answers.iter().filter(|a| matches!(a, ast::Answer::Yes | ast::Answer::No)).count();
        if ask.auto.is_some() && yes_no < 2 {
            let help = text!("an `auto` condition answers yes or no: add both branches");
            self.error(
                Code::TREE_DANGLING,
                ask.node.span,
                text!("question `{}` lacks a branch for `yes` or `no`", ask.node.value),
                "a branch is missing",
                help,
            );
        } else if yes_no == 1 || ask.branches.len() < 2 {
            let help = text!("add a branch for each answer: `yes -> …` and `no -> …`");
            self.error(
                Code::TREE_DANGLING,
                ask.node.span,
                text!("question `{}` has too few answers", ask.node.value),
                "a branch is missing",
                help,
            );
        }
    }

    /// Every question is reached from the root, and no path comes back to a question it has asked.
    fn paths(&mut self, tree: &Tree, spans: &BTreeMap<&str, Span>) {
        let mut reached: BTreeSet<&str> = BTreeSet::new();
        let mut open = vec![tree.root.as_str()];
        while let Some(name) = open.pop() {
            if reached.insert(name) {
                open.extend(next(tree, name));
            }
        }
        for (name, span) in spans {
            if !reached.contains(name) {
                self.error(
                    Code::TREE_UNREACHED,
                    *span,
                    text!("no path reaches question `{}`", name),
                    "never asked",
                    "point a branch to it, or delete it",
                );
            }
        }
        // Kahn's algorithm: removes questions without open predecessors; what remains is on a loop or behind one.
        let mut incoming: BTreeMap<&str, usize> = tree.nodes.keys().map(|n| (n.as_str(), 0)).collect();
        for name in tree.nodes.keys() {
            for target in next(tree, name) {
                *incoming.entry(target).or_default() += 1;
            }
        }
        let mut free: Vec<&str> = incoming.iter().filter(|(_, n)| **n == 0).map(|(name, _)| *name).collect();
        while let Some(name) = free.pop() {
            incoming.remove(name);
            for target in next(tree, name) {
                if let Some(count) = incoming.get_mut(target) {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        free.push(target);
                    }
                }
            }
        }
        // Questions that only follow a loop are left as well; those on the loop lead back to themselves.
        let looping: Vec<&str> = incoming.keys().copied().filter(|n| comes_back(tree, n)).collect();
        if let Some(span) = looping.first().and_then(|name| spans.get(name)) {
            let list = looping.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
            self.error(
                Code::TREE_LOOP,
                *span,
                text!("a path never ends: it loops through {}", list),
                "part of a loop",
                "end one of the branches: `end \"verdict\"`",
            );
        }
    }
}

fn next<'a>(tree: &'a Tree, name: &str) -> impl Iterator<Item = &'a str> {
    tree.nodes.get(name).into_iter().flat_map(|n| &n.branches).filter_map(|(_, goal)| match goal {
        Goal::Node(name) => Some(name.as_str()),
        Goal::End { .. } => None,
    })
}

fn comes_back(tree: &Tree, start: &str) -> bool {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut open: Vec<&str> = next(tree, start).collect();
    while let Some(name) = open.pop() {
        if name == start {
            return true;
        }
        if seen.insert(name) {
            open.extend(next(tree, name));
        }
    }
    false
}

fn goal(goal: &ast::Goal) -> Goal {
    match goal {
        ast::Goal::Node(name) => Goal::Node(name.value.clone()),
        ast::Goal::End { verdict, see } => Goal::End { verdict: verdict.value.clone(), see: see.iter().map(|s| s.value.clone()).collect() },
    }
}
