//! Components and the propagation of faults between them as a drawing: Mermaid for pages and chats, dot for Graphviz.

use std::collections::{BTreeMap, BTreeSet};

use estate::{ComponentId, Snapshot, State};
use localize::ImpactView;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Mermaid,
    Dot,
}

/// Nodes by id, each with its label and role.
pub struct Drawing {
    nodes: BTreeMap<String, (String, Standing)>,
    edges: BTreeSet<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Root,
    In(State),
    Between,
}

impl Standing {
    /// The name of its style, and its color.
    fn style(self) -> (&'static str, &'static str) {
        match self {
            Standing::Root => ("root", "#d33"),
            Standing::In(State::Down) => ("down", "#f99"),
            Standing::In(State::Degraded) => ("degraded", "#fc6"),
            Standing::In(State::AtRisk) => ("risk", "#ffb"),
            Standing::Between => ("between", "#eee"),
        }
    }
}

/// Roots, the components they reach, and the paths between them.
pub fn of_impact(estate: &Snapshot, roots: &[ComponentId], views: &[&ImpactView]) -> Drawing {
    let mut drawing = Drawing { nodes: BTreeMap::new(), edges: BTreeSet::new() };
    for root in roots {
        drawing.node(estate, &estate.component(*root).id, Standing::Root);
    }
    for view in views {
        drawing.node(estate, &view.component, Standing::In(view.state));
    }
    for view in views {
        drawing.path(estate, &view.path);
    }
    drawing
}

/// The shortest path from each start to its end.
pub fn of_ways(estate: &Snapshot, marked: &[ComponentId], ends: &[(ComponentId, ComponentId)]) -> Drawing {
    let mut drawing = Drawing { nodes: BTreeMap::new(), edges: BTreeSet::new() };
    for one in marked {
        drawing.node(estate, &estate.component(*one).id, Standing::Root);
    }
    for (from, to) in ends {
        for way in estate.ways(*from, *to, 1) {
            let path: Vec<String> = way.into_iter().map(|c| estate.component(c).id.clone()).collect();
            drawing.path(estate, &path);
        }
    }
    drawing
}

impl Drawing {
    fn node(&mut self, estate: &Snapshot, id: &str, standing: Standing) {
        let found = estate.find(id).map(|c| estate.component(c));
        let label = match found {
            Some(component) if component.name != component.id => format!("{} {}", component.id, component.name),
            Some(_) | None => id.to_owned(),
        };
        self.nodes.entry(id.to_owned()).or_insert((label, standing));
    }

    fn path(&mut self, estate: &Snapshot, path: &[String]) {
        for id in path {
            self.node(estate, id, Standing::Between);
        }
        for (from, to) in path.iter().zip(path.iter().skip(1)) {
            self.edges.insert((from.clone(), to.clone()));
        }
    }

    pub fn write(&self, form: Form) -> String {
        match form {
            Form::Mermaid => self.mermaid(),
            Form::Dot => self.dot(),
        }
    }

    /// A flowchart. Nodes are numbered, because ids may be any text.
    fn mermaid(&self) -> String {
        let number: BTreeMap<&str, usize> = self.nodes.keys().map(String::as_str).zip(0..).collect();
        let mut page = String::from("flowchart LR\n");
        for (id, (label, standing)) in &self.nodes {
            let at = number.get(id.as_str()).copied().unwrap_or(0);
            let label = diag::diagram(label);
            page.push_str(&format!("  n{at}[\"{label}\"]:::{}\n", standing.style().0));
        }
        for (from, to) in &self.edges {
            if let (Some(from), Some(to)) = (number.get(from.as_str()), number.get(to.as_str())) {
                page.push_str(&format!("  n{from} --> n{to}\n"));
            }
        }
        let styles: BTreeMap<&str, &str> = self.nodes.values().map(|(_, standing)| standing.style()).collect();
        for (style, colour) in styles {
            page.push_str(&format!("  classDef {style} fill:{colour}\n"));
        }
        page
    }

    fn dot(&self) -> String {
        let quoted = |text: &str| format!("\"{}\"", diag::one_line(text).replace('\\', "\\\\").replace('"', "\\\""));
        let mut page = String::from("digraph impact {\n  rankdir=LR;\n  node [shape=box, style=filled];\n");
        for (id, (label, standing)) in &self.nodes {
            page.push_str(&format!("  {} [label={}, fillcolor=\"{}\"];\n", quoted(id), quoted(label), standing.style().1));
        }
        for (from, to) in &self.edges {
            page.push_str(&format!("  {} -> {};\n", quoted(from), quoted(to)));
        }
        page.push_str("}\n");
        page
    }
}
