//! The knowledge graph of a project.

use knowledge::{KnowledgeGraph, Known};
use store::StoreError;

use super::Project;

impl Project {
    /// Its cases, its rules and what people confirmed, as a graph. Drawn once.
    pub fn knowledge(&self) -> Result<&KnowledgeGraph, &StoreError> {
        self.knowledge.get_or_init(|| self.draw_knowledge()).as_ref()
    }

    /// The same for a diagnosis: `None` if there are rules only, which have no past.
    pub fn past(&self) -> Option<&KnowledgeGraph> {
        let past = !self.cases.cases().is_empty() || !self.feedback.entries.is_empty();
        // Only a store can fail, and there is none beside the graph of a project.
        if past { self.knowledge().ok() } else { None }
    }

    /// The same, anew: for who walks the graph of a store beside it.
    pub fn draw_knowledge(&self) -> Result<KnowledgeGraph, StoreError> {
        let (cases, entries) = (self.cases.cases(), self.feedback.entries.as_slice());
        KnowledgeGraph::new(Known { cases, entries, plan: &self.plan, estate: &self.estate })
    }
}
