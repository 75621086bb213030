//! Bindings: which components can be bound to the variables of a rule.

use std::collections::BTreeSet;

use compile::plan::{Cond, CondKind, Rule, Subject};
use estate::ComponentId;

use super::Engine;
use super::evaluate::Env;

impl Engine<'_> {
    /// Every binding of a rule's variables that satisfies its joins, in ascending order. Two variables are never bound to
    /// the same component. A variable that a relation joins to a bound one is looked up along that relation, so the cost grows with
    /// the edges, not with the product of the types.
    pub fn bindings(&self, rule: &Rule) -> Vec<Vec<ComponentId>> {
        let mut found = Vec::new();
        self.extend(rule, &mut Vec::new(), &mut found);
        found
    }

    fn extend(&self, rule: &Rule, binding: &mut Vec<ComponentId>, found: &mut Vec<Vec<ComponentId>>) {
        if binding.len() == rule.variables.len() {
            found.push(binding.clone());
            return;
        }
        for candidate in self.candidates_for(rule, binding) {
            if binding.contains(&candidate) {
                continue;
            }
            binding.push(candidate);
            if self.joins_hold(rule, binding) {
                self.extend(rule, binding, found);
            }
            binding.pop();
        }
    }

    /// Candidates for the next variable.
    pub(super) fn candidates_for(&self, rule: &Rule, binding: &[ComponentId]) -> Vec<ComponentId> {
        let index = binding.len();
        let Some(variable) = rule.variables.get(index) else { return Vec::new() };
        let narrowed = rule.joins.iter().find_map(|join| self.along(join, index, binding));
        let candidates: Vec<ComponentId> = match narrowed {
            Some(near) => near.into_iter().filter(|c| self.estate.is_a(*c, &variable.kind)).collect(),
            None => self.estate.of_type(&variable.kind),
        };
        candidates.into_iter().filter(|c| variable.filter.as_ref().is_none_or(|filter| self.passes(filter, *c))).collect()
    }

    /// The components that a join leads to from a variable that is bound already.
    fn along(&self, join: &Cond, index: usize, binding: &[ComponentId]) -> Option<BTreeSet<ComponentId>> {
        let CondKind::Link { from, relation, to, reach, either_way } = &join.kind else { return None };
        let bound = |subject: &Subject| match subject {
            Subject::Variable(other) => binding.get(*other).copied(),
            Subject::It => None,
        };
        let here = Subject::Variable(index);
        let (anchor, ahead) = match (bound(from), bound(to)) {
            (Some(anchor), None) if *to == here => (anchor, true),
            (None, Some(anchor)) if *from == here => (anchor, false),
            (Some(_) | None, _) => return None,
        };
        Some(self.reach(anchor, relation, *reach, *either_way, ahead).iter().copied().collect())
    }

    /// Whether all joins with bound variables are true.
    pub(super) fn joins_hold(&self, rule: &Rule, binding: &[ComponentId]) -> bool {
        rule.joins.iter().all(|join| self.join_holds(join, binding))
    }

    pub(super) fn join_holds(&self, join: &Cond, binding: &[ComponentId]) -> bool {
        let env = Env { binding, it: None, others: &[] };
        match &join.kind {
            CondKind::Link { from, relation, to, reach, either_way } => match (env.subject(*from), env.subject(*to)) {
                (Some(from), Some(to)) => self.linked(from, relation, to, *reach, *either_way),
                (None, _) | (_, None) => true,
            },
            CondKind::Shares { left, kind, right } => match (env.subject(*left), env.subject(*right)) {
                (Some(left), Some(right)) => match kind {
                    Some(kind) => self.estate.shares(left, right, kind),
                    None => self.estate.shares_group(left, right),
                },
                (None, _) | (_, None) => true,
            },
            // The compiler makes only topology conditions joins.
            CondKind::Or(_)
            | CondKind::And(_)
            | CondKind::Not(_)
            | CondKind::Held { .. }
            | CondKind::Unexplained(_)
            | CondKind::Event(_)
            | CondKind::Quantified(_)
            | CondKind::Probe { .. }
            | CondKind::State { .. }
            | CondKind::Compare { .. }
            | CondKind::Script(_)
            | CondKind::Trend { .. }
            | CondKind::Baseline { .. } => true,
        }
    }
}
