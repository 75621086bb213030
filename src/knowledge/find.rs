//! Finds what somebody asks about by a name: a component, a case, a rule, a symptom, or what broke.

use estate::Snapshot;
use store::{Node, NodeKind};

use super::answer::Asked;
use super::graph::{KnowledgeGraph, Seen};

/// A shorter piece of a name is in too many of them.
const LEAST_PIECE: usize = 3;

impl KnowledgeGraph {
    /// Ids come before names, names before pieces of the texts of symptoms, and these before pieces of faults and titles.
    pub fn find(&self, estate: &Snapshot, name: &str) -> Option<Asked> {
        let name = name.trim();
        let component = |id: &str| Some(Asked::Component { id: id.to_owned() });
        if estate.find(name).is_some() {
            return component(name);
        }
        if self.cases.contains_key(name) {
            return Some(Asked::Case { id: name.to_owned() });
        }
        if self.rules.contains_key(name) {
            return Some(Asked::Rule { id: name.to_owned() });
        }
        if let Some(found) = estate.find_named(name) {
            return component(&estate.component(found).id);
        }
        // It is gone from the topology, and something is known of it.
        if self.web.has(&Node::new(NodeKind::Component, name)) {
            return component(name);
        }
        let wanted = name.to_lowercase();
        let symptoms: Vec<Seen> = self.web.all(NodeKind::Symptom).into_iter().filter_map(Seen::of).collect();
        let is = |seen: &&Seen| {
            let own = seen.name.to_lowercase();
            own == wanted || seen.is_metric() && own.rsplit_once('.').is_some_and(|(_, metric)| metric == wanted)
        };
        let by = |test: &dyn Fn(&&Seen) -> bool| {
            let seen: Vec<Seen> = symptoms.iter().filter(test).cloned().collect();
            (!seen.is_empty()).then(|| Asked::Symptom { name: name.to_owned(), seen })
        };
        let has = |text: &str, piece: &str| piece.chars().count() >= LEAST_PIECE && text.contains(piece);
        let has_piece = |seen: &&Seen| {
            let own = seen.name.to_lowercase();
            has(&own, &wanted) || has(&wanted, &own)
        };
        by(&is)
            .or_else(|| self.titled(&wanted))
            .or_else(|| self.told(name, &|text| text == wanted))
            .or_else(|| by(&has_piece))
            .or_else(|| self.told(name, &|text| has(text, &wanted)))
    }

    /// What broke by its words, in small letters; a single title is that of its case.
    fn told(&self, name: &str, is: &dyn Fn(&str) -> bool) -> Option<Asked> {
        let faults = self.web.all(NodeKind::Fault).into_iter().filter(|fault| is(&fault.id.to_lowercase()));
        let faults: Vec<String> = faults.map(|fault| fault.id.clone()).collect();
        let cases = self.cases.values().filter(|case| is(&case.title.to_lowercase()));
        let cases: Vec<String> = cases.map(|case| case.id.clone()).collect();
        if faults.is_empty() && cases.len() < 2 {
            return cases.into_iter().next().map(|id| Asked::Case { id });
        }
        Some(Asked::Fault { text: name.to_owned(), faults, cases })
    }

    /// A case or a rule by its title.
    fn titled(&self, wanted: &str) -> Option<Asked> {
        let case = self.cases.values().find(|case| case.title.to_lowercase() == wanted);
        case.map(|case| Asked::Case { id: case.id.clone() }).or_else(|| {
            let rule = self.rules.iter().find(|(_, rule)| rule.title.to_lowercase() == wanted);
            rule.map(|(id, _)| Asked::Rule { id: id.clone() })
        })
    }

    /// The names by which one may ask.
    pub fn names(&self, estate: &Snapshot) -> Vec<String> {
        let components = estate.ids().map(|id| estate.component(id)).flat_map(|one| [&one.id, &one.name].into_iter().chain(&one.aliases));
        let cases = self.cases.values().flat_map(|case| [&case.id, &case.title]);
        let rules = self.rules.keys();
        let symptoms = self.web.all(NodeKind::Symptom).into_iter().filter_map(Seen::of).map(|seen| seen.name);
        let faults = self.web.all(NodeKind::Fault).into_iter().map(|fault| fault.id.clone());
        components.chain(cases).chain(rules).cloned().chain(symptoms).chain(faults).collect()
    }

    /// The title of a case or a rule.
    pub fn title(&self, asked: &Asked) -> Option<&str> {
        match asked {
            Asked::Case { id } => self.cases.get(id).map(|case| case.title.as_str()),
            Asked::Rule { id } => self.rules.get(id).map(|rule| rule.title.as_str()),
            Asked::Component { .. } | Asked::Symptom { .. } | Asked::Fault { .. } => None,
        }
    }
}
