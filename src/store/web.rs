//! A graph of what people know, in IndraDB: cases, rules, faults, symptoms and solutions around components.
//!
//! It is in memory, made anew from a project. Its vertices have the ids that the graph of a store gives to the same components and
//! cases, so that a walk goes on from one graph to the other.

use std::collections::BTreeMap;
use std::fmt;

use diag::text;
use indradb::{BulkInsertItem, Database, Edge, Identifier, MemoryDatastore, QueryExt, SpecificVertexQuery, Vertex};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::datastore::RedbDatastore;
use super::error::StoreError;
use super::estate::{TOUCHED, name, named_id};
use super::records::CaseRecord;

/// What a vertex stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeKind {
    Component,
    /// A type of components.
    Type,
    Rule,
    Case,
    /// An incident whose cause a person recorded.
    Confirmed,
    Fault,
    Symptom,
    Solution,
}

impl NodeKind {
    fn name(self) -> &'static str {
        match self {
            NodeKind::Component => "component",
            NodeKind::Type => "type",
            NodeKind::Rule => "rule",
            NodeKind::Case => "case",
            NodeKind::Confirmed => "confirmed",
            NodeKind::Fault => "fault",
            NodeKind::Symptom => "symptom",
            NodeKind::Solution => "solution",
        }
    }
}

/// A vertex: what it stands for, and the id or the text of that.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    pub kind: NodeKind,
    pub id: String,
}

impl Node {
    pub fn new(kind: NodeKind, id: impl Into<String>) -> Self {
        Node { kind, id: id.into() }
    }

    fn vertex(&self) -> Uuid {
        named_id(self.kind.name(), &self.id)
    }
}

/// What an edge says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tie {
    /// From an incident to the component that broke in it.
    Broke,
    /// From an incident to a component that it affected.
    Touched,
    /// From a rule or an incident to the component or the type that it is about.
    About,
    /// To the fault.
    Fault,
    /// To a symptom.
    Symptom,
    /// To what helped.
    Solution,
    /// From a case to the rule that recognizes it.
    Rule,
    /// From an incident to a rule or a case that was right about it.
    Confirms,
}

impl Tie {
    fn name(self) -> &'static str {
        match self {
            Tie::Broke => "broke",
            Tie::Touched => TOUCHED,
            Tie::About => "about",
            Tie::Fault => "fault",
            Tie::Symptom => "symptom",
            Tie::Solution => "solution",
            Tie::Rule => "rule",
            Tie::Confirms => "confirms",
        }
    }
}

/// The graph in memory, and beside it that of a store, if there is one.
pub struct Web {
    graph: Database<MemoryDatastore>,
    /// What the vertices stand for: a vertex of IndraDB has but its id and type.
    nodes: BTreeMap<Uuid, Node>,
    stored: Option<Database<RedbDatastore>>,
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Web").field("nodes", &self.nodes.len()).field("stored", &self.stored.is_some()).finish_non_exhaustive()
    }
}

impl Web {
    /// Vertices with an edge, and those without.
    pub fn new(ties: Vec<(Node, Tie, Node)>, alone: Vec<Node>) -> Result<Web, StoreError> {
        let mut nodes: BTreeMap<Uuid, Node> = alone.into_iter().map(|node| (node.vertex(), node)).collect();
        let mut edges = Vec::with_capacity(ties.len());
        for (from, tie, to) in ties {
            let edge = Edge::new(from.vertex(), name(tie.name())?, to.vertex());
            nodes.entry(edge.outbound_id).or_insert(from);
            nodes.entry(edge.inbound_id).or_insert(to);
            edges.push(BulkInsertItem::Edge(edge));
        }
        let mut items = Vec::with_capacity(nodes.len() + edges.len());
        for (id, node) in &nodes {
            items.push(BulkInsertItem::Vertex(Vertex::with_id(*id, name(node.kind.name())?)));
        }
        items.append(&mut edges);
        let graph = MemoryDatastore::new_db();
        graph.bulk_insert(items).map_err(unreadable)?;
        Ok(Web { graph, nodes, stored: None })
    }

    /// The same, and the graph of a store beside it.
    #[must_use]
    pub fn beside(self, stored: Database<RedbDatastore>) -> Web {
        Web { stored: Some(stored), ..self }
    }

    pub fn has(&self, node: &Node) -> bool {
        self.nodes.contains_key(&node.vertex())
    }

    /// All of one kind, by their ids.
    pub fn all(&self, kind: NodeKind) -> Vec<&Node> {
        let mut found: Vec<&Node> = self.nodes.values().filter(|node| node.kind == kind).collect();
        found.sort();
        found
    }

    /// The edges of one kind that begin at these vertices, each as its two ends; sorted, each once.
    pub fn outward(&self, of: &[Node], tie: Tie) -> Result<Vec<(&Node, &Node)>, StoreError> {
        let pipe = SpecificVertexQuery::new(self.known(of)).outbound();
        self.edges(pipe.map_err(indradb::Error::from).map_err(unreadable)?, tie)
    }

    /// The edges of one kind that end at these vertices, likewise.
    pub fn inward(&self, of: &[Node], tie: Tie) -> Result<Vec<(&Node, &Node)>, StoreError> {
        let pipe = SpecificVertexQuery::new(self.known(of)).inbound();
        self.edges(pipe.map_err(indradb::Error::from).map_err(unreadable)?, tie)
    }

    /// A walk asks about many components, of most of which nothing is known.
    fn known(&self, of: &[Node]) -> Vec<Uuid> {
        of.iter().map(Node::vertex).filter(|id| self.nodes.contains_key(id)).collect()
    }

    fn edges(&self, pipe: indradb::PipeQuery, tie: Tie) -> Result<Vec<(&Node, &Node)>, StoreError> {
        let output = self.graph.get(pipe.t(name(tie.name())?)).map_err(unreadable)?;
        let edges: Vec<Edge> = indradb::util::extract_edges(output).unwrap_or_default();
        let ends = |edge: &Edge| Some((self.nodes.get(&edge.outbound_id)?, self.nodes.get(&edge.inbound_id)?));
        let mut found: Vec<(&Node, &Node)> = edges.iter().filter_map(ends).collect();
        // By what people call them: the order of vertices means nothing.
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// The cases of the store that touched one of these components, by id; none without a store.
    pub fn recorded(&self, components: &[Node]) -> Result<Vec<CaseRecord>, StoreError> {
        let Some(graph) = &self.stored else { return Ok(Vec::new()) };
        let asked = |touched: Identifier| {
            let ids = components.iter().map(Node::vertex).collect();
            SpecificVertexQuery::new(ids).inbound()?.t(touched).outbound()?.properties()
        };
        let query = asked(name(TOUCHED)?).map_err(indradb::Error::from).map_err(unreadable)?;
        let output = graph.get(query).map_err(unreadable)?;
        let mut found: BTreeMap<String, CaseRecord> = BTreeMap::new();
        for vertex in indradb::util::extract_vertex_properties(output).unwrap_or_default() {
            let fields: Map<String, Value> =
                vertex.props.into_iter().map(|property| (property.name.as_str().to_owned(), property.value.0.as_ref().clone())).collect();
            let case: CaseRecord = serde_json::from_value(Value::Object(fields))?;
            found.insert(case.id.clone(), case);
        }
        Ok(found.into_values().collect())
    }
}

/// An error of the store comes back as it was.
fn unreadable(error: indradb::Error) -> StoreError {
    let said = error.to_string();
    if let indradb::Error::Datastore(inner) = error
        && let Ok(own) = inner.downcast::<StoreError>()
    {
        return *own;
    }
    StoreError::Broken(text!("cannot read the graph: {}", said))
}

#[cfg(test)]
mod tests {
    use super::{Node, NodeKind, Tie, Web};

    #[test]
    fn edges_come_by_the_names_at_their_ends() {
        let node = |kind, id: &str| Node::new(kind, id);
        let (db, web) = (node(NodeKind::Component, "db"), node(NodeKind::Component, "web"));
        let cases = ["c", "a", "b"].map(|id| node(NodeKind::Case, id));
        let mut ties: Vec<_> = cases.iter().map(|case| (case.clone(), Tie::Broke, db.clone())).collect();
        ties.push((cases[0].clone(), Tie::Touched, web.clone()));
        // Said twice, it is one edge.
        ties.push((cases[0].clone(), Tie::Broke, db.clone()));
        let graph = Web::new(ties, vec![node(NodeKind::Rule, "R-1")]).unwrap();
        let broke = graph.inward(&[web.clone(), db.clone(), node(NodeKind::Component, "unheard-of")], Tie::Broke).unwrap();
        assert_eq!(broke.iter().map(|(case, _)| case.id.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
        let touched = graph.outward(&cases, Tie::Touched).unwrap();
        assert_eq!(touched, [(&cases[0], &web)]);
        assert!(graph.has(&node(NodeKind::Rule, "R-1")) && !graph.has(&node(NodeKind::Case, "R-1")));
        assert!(graph.recorded(&[db]).unwrap().is_empty());
    }
}
