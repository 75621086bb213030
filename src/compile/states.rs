//! Named states of the model: conditions about `it`, checked once rather than at each use.

use std::collections::{BTreeMap, BTreeSet};

use diag::{Code, Diagnostic, Place, SourceId, Span, text};
use language::parse_state;

use super::Compiler;
use super::plan::{Cond, CondKind, Subject};
use super::scope::Scope;

impl Compiler<'_> {
    pub(super) fn states(&mut self) -> BTreeMap<(String, String), Cond> {
        let model = self.inputs.estate.model();
        let mut compiled = BTreeMap::new();
        let mut places: BTreeMap<(String, String), Place> = BTreeMap::new();
        for def in model.types.values() {
            for state in def.states.values() {
                // The base model has no file to point at.
                let place = state.place.unwrap_or(Place::new(SourceId(u32::MAX), Span::default()));
                self.source = place.source;
                let expr = match parse_state(self.inputs.sources, place.source, place, &state.condition) {
                    Ok(expr) => expr,
                    Err(diagnostic) => {
                        self.diagnostics.push(*diagnostic);
                        continue;
                    }
                };
                let before = self.diagnostics.len();
                let scope = Scope { variables: Vec::new(), it: vec![def.name.clone()] };
                // Spans inside folded or escaped YAML text are off, and the base model has no file, so keep the text itself.
                let inside = self.inputs.sources.slice(place).find(&state.condition).unwrap_or(0);
                self.state_text = Some((state.condition.clone(), place.span.start + inside));
                let cond = self.cond(&scope, &expr);
                self.state_text = None;
                if let Some(cond) = cond {
                    if cond.any(&|c| matches!(c.kind, CondKind::Unexplained(_))) {
                        let message = text!("state `{}` uses `no other rule explains`", state.name);
                        let help = text!("define states by signals, and use `no other rule explains …` in the rule itself");
                        self.diagnostics.push(Diagnostic::error(Code::NEVER, place, message).label("not allowed in a state").help(help));
                        continue;
                    }
                    let key = (def.name.clone(), state.name.clone());
                    places.insert(key.clone(), place);
                    compiled.insert(key, cond);
                }
                // If the file does not contain the text verbatim, the whole value is the place.
                if !self.inputs.sources.slice(place).contains(&state.condition) {
                    self.diagnostics.iter_mut().skip(before).for_each(|d| d.place = Some(place));
                }
            }
        }
        self.drop_loops(&mut compiled, &places);
        compiled
    }

    /// States defined by each other have no value. Compared by name only: a subtype may redefine a state at any time.
    fn drop_loops(&mut self, states: &mut BTreeMap<(String, String), Cond>, places: &BTreeMap<(String, String), Place>) {
        let mut uses: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for ((_, name), cond) in states.iter() {
            mentioned(cond, uses.entry(name).or_default());
        }
        let mut looping = BTreeSet::new();
        for &start in uses.keys() {
            let mut seen = BTreeSet::new();
            let mut open: Vec<&str> = vec![start];
            while let Some(name) = open.pop() {
                for next in uses.get(name).into_iter().flatten() {
                    if next == start {
                        looping.insert(start.to_owned());
                    }
                    if seen.insert(next.as_str()) {
                        open.push(next);
                    }
                }
            }
        }
        let keys: Vec<_> = states.keys().filter(|(_, name)| looping.contains(name)).cloned().collect();
        for key in keys {
            states.remove(&key);
            if let Some(place) = places.get(&key) {
                self.diagnostics.push(
                    Diagnostic::error(Code::STATE_LOOP, *place, text!("state `{}` of `{}` depends on itself", key.1, key.0))
                        .label("part of a loop")
                        .help("define one of the states in the loop by metrics or events only"),
                );
            }
        }
    }
}

fn mentioned(cond: &Cond, into: &mut BTreeSet<String>) {
    if let CondKind::State { state, subject: Subject::It | Subject::Variable(_), .. } = &cond.kind {
        into.insert(state.clone());
    }
    for child in cond.children() {
        mentioned(child, into);
    }
}
