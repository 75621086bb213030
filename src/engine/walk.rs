//! Walks a decision tree question by question. The data answers questions that have an `auto` condition.

use compile::plan::{Answer, Goal, Tree, TreeNode};
use value::Truth;

use super::Engine;
use super::evaluate::Env;
use super::evidence::Evidence;

/// A walk in progress.
#[derive(Debug, Clone)]
pub struct Walk<'a> {
    tree: &'a Tree,
    node: Option<&'a TreeNode>,
    pub steps: Vec<Step<'a>>,
    pub end: Option<WalkEnd<'a>>,
}

/// An answered question.
#[derive(Debug, Clone)]
pub struct Step<'a> {
    pub node: &'a TreeNode,
    pub answer: &'a Answer,
    /// The evidence, if the data gave the answer; `None` if a person did.
    pub auto: Option<Evidence<'a>>,
}

/// Where the walk ended.
#[derive(Debug, Clone, Copy)]
pub struct WalkEnd<'a> {
    pub verdict: &'a str,
    pub see: &'a [String],
}

impl<'a> Walk<'a> {
    pub fn new(tree: &'a Tree) -> Self {
        Walk { tree, node: tree.nodes.get(&tree.root), steps: Vec::new(), end: None }
    }

    /// The open question; `None` at the end.
    pub fn question(&self) -> Option<&'a TreeNode> {
        if self.end.is_some() { None } else { self.node }
    }

    /// Answers the open question. False if the question has no such branch.
    pub fn answer(&mut self, answer: &Answer, auto: Option<Evidence<'a>>) -> bool {
        let Some(node) = self.question() else { return false };
        let Some((taken, goal)) = node.branches.iter().find(|(a, _)| a == answer) else { return false };
        self.steps.push(Step { node, answer: taken, auto });
        match goal {
            Goal::Node(name) => self.node = self.tree.nodes.get(name),
            Goal::End { verdict, see } => self.end = Some(WalkEnd { verdict, see }),
        }
        true
    }

    /// What the data says about the open question: the evidence, and the answer if it is known.
    pub fn ask_data(&self, engine: &Engine<'a>) -> Option<(Evidence<'a>, Option<Answer>)> {
        let auto = self.question()?.auto.as_ref()?;
        let evidence = engine.evaluate(auto, &Env { binding: &[], it: None, others: &[] }, engine.at);
        let answer = match evidence.truth {
            Truth::True => Some(Answer::Yes),
            Truth::False => Some(Answer::No),
            Truth::Unknown => None,
        };
        Some((evidence, answer))
    }
}
