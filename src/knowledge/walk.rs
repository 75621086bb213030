//! Walks from a component, a symptom, a case or a rule to what is known: over the relations of the estate to the components around, and
//! from these through the graph to earlier incidents, rules and solutions.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use estate::{ComponentId, Snapshot};
use store::{CaseRecord, Node, NodeKind, StoreError, Tie};
use value::Time;

use super::answer::{Answer, Asked, Earlier, Helped, RuleSaid, Step};
use super::around::{Around, around, way};
use super::graph::{KnowledgeGraph, Seen};

/// How far, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    pub hops: u32,
    /// Also to what stands on the component, not only to what it stands on.
    pub dependents: bool,
    /// What was before this is left out, and what has no date.
    pub since: Option<Time>,
    /// What was after this is left out.
    pub until: Option<Time>,
}

/// Where a walk begins.
#[derive(Default)]
struct Beginning {
    /// Incidents that it comes to without a component between.
    direct: Vec<(Node, Vec<Step>)>,
    /// Components, each with the way to it.
    starts: Vec<(String, Vec<Step>)>,
}

/// The incidents of a walk.
#[derive(Default)]
struct Incidents {
    /// Those that are in already, or left out.
    seen: BTreeSet<Node>,
    found: Vec<Earlier>,
    undated: usize,
}

/// An incident at a component: whether that was only affected, how many hops away, the component, the incident. In the order in which
/// they are taken: an incident that is found twice is told by what broke, if that is near.
type Hit = (bool, u32, String, Node);

impl KnowledgeGraph {
    /// What is known about it.
    pub fn ask(&self, estate: &Snapshot, asked: Asked, walk: &Walk) -> Result<Answer, StoreError> {
        let incidents = self.incidents(estate, &asked, walk)?;
        let rules = self.rules_about(estate, &asked)?;
        let undated = incidents.undated;
        let (here, near): (Vec<Earlier>, Vec<Earlier>) = incidents.found.into_iter().partition(|earlier| earlier.hops == 0);
        let solutions = self.solutions(here.iter().chain(&near), &rules);
        Ok(Answer { asked, hops: walk.hops, since: walk.since, here, near, rules, solutions, undated })
    }

    /// What broke before an instant: this component, or what it stands on. Without what has no date.
    pub fn before(&self, estate: &Snapshot, component: ComponentId, until: Time, hops: u32) -> Result<Vec<Earlier>, StoreError> {
        let asked = Asked::Component { id: estate.component(component).id.clone() };
        let walk = Walk { hops, dependents: false, since: Some(Time::MIN), until: Some(until) };
        let mut found = self.incidents(estate, &asked, &walk)?.found;
        found.retain(|earlier| earlier.broke);
        Ok(found)
    }

    fn incidents(&self, estate: &Snapshot, asked: &Asked, walk: &Walk) -> Result<Incidents, StoreError> {
        let Beginning { direct, starts } = self.beginning(asked)?;
        let mut incidents = Incidents::default();
        for (node, path) in direct {
            if let Some(earlier) = self.earlier(&node)? {
                incidents.add(node, Earlier { path, broke: true, ..earlier }, walk);
            }
        }
        let ids: Vec<ComponentId> = starts.iter().filter_map(|(id, _)| estate.find(id)).collect();
        let reached = around(estate, &ids, walk.hops, walk.dependents);
        let mut places: BTreeMap<&str, Option<ComponentId>> =
            reached.keys().map(|at| (estate.component(*at).id.as_str(), Some(*at))).collect();
        // What is gone from the estate has no neighbors, and may have a past.
        for (id, _) in &starts {
            places.entry(id).or_insert(None);
        }
        let nodes: Vec<Node> = places.keys().map(|id| Node::new(NodeKind::Component, *id)).collect();
        let hops = |id: &str| places.get(id).copied().flatten().and_then(|at| reached.get(&at)).map_or(0, |around| around.hops);
        let mut hits: Vec<Hit> = Vec::new();
        for (incident, at) in self.web.inward(&nodes, Tie::Broke)? {
            hits.push((false, hops(&at.id), at.id.clone(), incident.clone()));
        }
        for (incident, at) in self.web.inward(&nodes, Tie::Touched)? {
            // A neighbor that was only affected says nothing, if it is known what broke.
            if hops(&at.id) == 0 || self.broken_in(incident).is_none() {
                hits.push((true, hops(&at.id), at.id.clone(), incident.clone()));
            }
        }
        let mut stored: BTreeMap<Node, CaseRecord> = BTreeMap::new();
        for record in self.web.recorded(&nodes)? {
            let node = Node::new(NodeKind::Case, record.id.as_str());
            if !self.cases.contains_key(&record.id) {
                let there = record.components.iter().filter(|id| places.contains_key(id.as_str()));
                hits.extend(there.map(|id| (true, hops(id), id.clone(), node.clone())));
                stored.insert(node, record);
            }
        }
        hits.sort();
        for (touched, hops, component, node) in hits {
            let earlier = match stored.get(&node) {
                Some(record) => Some(of_record(record)),
                None => self.earlier(&node)?,
            };
            let Some(earlier) = earlier else { continue };
            let at = places.get(component.as_str()).copied().flatten();
            let path = path_to(estate, &reached, &starts, at, &component);
            incidents.add(node, Earlier { path, hops, broke: !touched, ..earlier }, walk);
        }
        incidents.found.sort_by(|a, b| {
            let key = |one: &Earlier| (one.hops, !one.broke, Reverse(one.date));
            key(a).cmp(&key(b)).then_with(|| a.id().cmp(b.id()))
        });
        Ok(incidents)
    }

    fn beginning(&self, asked: &Asked) -> Result<Beginning, StoreError> {
        let mut beginning = Beginning::default();
        match asked {
            Asked::Component { id } => beginning.starts.push((id.clone(), vec![Step::Component { id: id.clone() }])),
            Asked::Symptom { seen, .. } => {
                for one in seen {
                    self.begin_at_symptom(one, &mut beginning)?;
                }
            }
            Asked::Fault { faults, cases, .. } => self.begin_at_faults(faults, cases, &mut beginning)?,
            Asked::Case { id } => self.begin_at_case(id, &mut beginning)?,
            Asked::Rule { id } => self.begin_at_rule(id, &mut beginning)?,
        }
        Ok(beginning)
    }

    fn begin_at_symptom(&self, seen: &Seen, beginning: &mut Beginning) -> Result<(), StoreError> {
        let step = Step::Symptom { kind: seen.kind, name: seen.name.clone() };
        let mut rules: Vec<Node> = Vec::new();
        for (from, _) in self.web.inward(&[seen.node()], Tie::Symptom)? {
            if from.kind == NodeKind::Rule {
                rules.push(from.clone());
            } else {
                self.through(from, vec![step.clone()], beginning);
            }
        }
        // Cases of which nobody wrote down the symptom, but whose rule asks for it.
        for (case, rule) in self.web.inward(&rules, Tie::Rule)? {
            self.through(case, vec![step.clone(), Step::Rule { id: rule.id.clone() }], beginning);
        }
        Ok(())
    }

    fn begin_at_faults(&self, faults: &[String], cases: &[String], beginning: &mut Beginning) -> Result<(), StoreError> {
        for (incident, fault) in self.web.inward(&nodes(NodeKind::Fault, faults), Tie::Fault)? {
            if incident.kind != NodeKind::Rule {
                self.through(incident, vec![Step::Fault { text: fault.id.clone() }], beginning);
            }
        }
        for case in &nodes(NodeKind::Case, cases) {
            self.through(case, Vec::new(), beginning);
        }
        Ok(())
    }

    fn begin_at_case(&self, id: &str, beginning: &mut Beginning) -> Result<(), StoreError> {
        let node = Node::new(NodeKind::Case, id);
        beginning.direct.push((node.clone(), Vec::new()));
        let step = Step::Case { id: id.to_owned(), date: self.cases.get(id).and_then(|case| case.date) };
        let faults: Vec<Node> = self.web.outward(std::slice::from_ref(&node), Tie::Fault)?.into_iter().map(|(_, to)| to.clone()).collect();
        for (other, fault) in self.web.inward(&faults, Tie::Fault)? {
            if *other != node && other.kind != NodeKind::Rule {
                beginning.direct.push((other.clone(), vec![step.clone(), Step::Fault { text: fault.id.clone() }]));
            }
        }
        let broke = self.broken_in(&node).map(str::to_owned);
        let touched = self.web.outward(&[node], Tie::Touched)?.into_iter().map(|(_, to)| to.id.clone());
        // Without a root cause, all that was affected.
        let starts: Vec<String> = broke.map_or_else(|| touched.collect(), |broke| vec![broke]);
        beginning.starts.extend(starts.into_iter().map(|id| (id.clone(), vec![step.clone(), Step::Component { id }])));
        Ok(())
    }

    fn begin_at_rule(&self, id: &str, beginning: &mut Beginning) -> Result<(), StoreError> {
        let node = Node::new(NodeKind::Rule, id);
        let step = Step::Rule { id: id.to_owned() };
        let of = std::slice::from_ref(&node);
        for (incident, _) in self.web.inward(of, Tie::Rule)?.into_iter().chain(self.web.inward(of, Tie::Confirms)?) {
            self.through(incident, vec![step.clone()], beginning);
        }
        for (_, about) in self.web.outward(of, Tie::About)? {
            if about.kind == NodeKind::Component {
                beginning.start(&about.id, vec![step.clone()]);
            }
        }
        Ok(())
    }

    /// To an incident, by way of what broke in it, which is where the walk goes on.
    fn through(&self, incident: &Node, mut path: Vec<Step>, beginning: &mut Beginning) {
        if let Some(component) = self.broken_in(incident) {
            beginning.start(component, path.clone());
            path.push(Step::Component { id: component.to_owned() });
        }
        beginning.direct.push((incident.clone(), path));
    }

    fn broken_in(&self, incident: &Node) -> Option<&str> {
        match incident.kind {
            NodeKind::Case => self.cases.get(&incident.id)?.root.as_ref()?.component.as_deref(),
            NodeKind::Confirmed => self.confirmed.get(&incident.id)?.root.as_ref().map(|root| root.component.as_str()),
            NodeKind::Component | NodeKind::Type | NodeKind::Rule | NodeKind::Fault | NodeKind::Symptom | NodeKind::Solution => None,
        }
    }

    /// An incident without the way to it. `None` if nothing is known but its name.
    fn earlier(&self, node: &Node) -> Result<Option<Earlier>, StoreError> {
        Ok(match node.kind {
            NodeKind::Case => match self.cases.get(&node.id) {
                Some(case) => Some(Earlier {
                    case: Some(case.id.clone()),
                    title: case.title.clone(),
                    date: case.date,
                    component: case.root.as_ref().and_then(|root| root.component.clone()),
                    fault: case.root.as_ref().map(|root| root.fault.clone()),
                    solutions: case.solutions.clone(),
                    rule: case.rule.clone(),
                    confirmed: self.confirming(node)?,
                    ..nothing()
                }),
                None => None,
            },
            NodeKind::Confirmed => match self.confirmed.get(&node.id) {
                Some(entry) => {
                    let (rule, solutions) = self.right_about(node)?;
                    Some(Earlier {
                        bundle: Some(entry.bundle.clone()),
                        date: Some(entry.time),
                        component: entry.root.as_ref().map(|root| root.component.clone()),
                        fault: entry.root.as_ref().map(|root| root.fault.clone()).filter(|fault| !fault.is_empty()),
                        solutions,
                        rule,
                        confirmed: vec![entry.bundle.clone()],
                        ..nothing()
                    })
                }
                None => None,
            },
            NodeKind::Component | NodeKind::Type | NodeKind::Rule | NodeKind::Fault | NodeKind::Symptom | NodeKind::Solution => None,
        })
    }

    /// The rule that was right about a recorded incident, and what it or the case that was right advises.
    fn right_about(&self, node: &Node) -> Result<(Option<String>, Vec<String>), StoreError> {
        let right = self.web.outward(std::slice::from_ref(node), Tie::Confirms)?;
        let of = |kind: NodeKind| right.iter().filter(move |(_, to)| to.kind == kind).map(|(_, to)| to.id.as_str());
        let rule = of(NodeKind::Rule).next().map(str::to_owned);
        let by_cases = of(NodeKind::Case).filter_map(|id| self.cases.get(id)).flat_map(|case| &case.solutions);
        let by_rules = of(NodeKind::Rule).filter_map(|id| self.rules.get(id)).flat_map(|rule| &rule.solutions);
        let mut solutions: Vec<String> = Vec::new();
        for solution in by_cases.chain(by_rules) {
            if !solutions.contains(solution) {
                solutions.push(solution.clone());
            }
        }
        Ok((rule, solutions))
    }

    /// The bundles by which people confirmed a case or a rule.
    fn confirming(&self, node: &Node) -> Result<Vec<String>, StoreError> {
        let confirming = self.web.inward(std::slice::from_ref(node), Tie::Confirms)?;
        Ok(confirming.into_iter().map(|(bundle, _)| bundle.id.clone()).collect())
    }

    /// The rules that speak of it, or of its type.
    fn rules_about(&self, estate: &Snapshot, asked: &Asked) -> Result<Vec<RuleSaid>, StoreError> {
        // How near the type that it is about is to the component's own; 0 if it names the component.
        let mut about: BTreeMap<String, usize> = BTreeMap::new();
        let mut note = |rule: &Node, distance: usize| {
            if rule.kind == NodeKind::Rule {
                let nearest = about.entry(rule.id.clone()).or_insert(distance);
                *nearest = distance.min(*nearest);
            }
        };
        match asked {
            Asked::Component { id } => {
                for (rule, _) in self.web.inward(&[Node::new(NodeKind::Component, id.as_str())], Tie::About)? {
                    note(rule, 0);
                }
                let kind = estate.find(id).map(|found| estate.component(found).kind.as_str()).unwrap_or_default();
                for (distance, kind) in estate.model().lineage(kind).enumerate() {
                    for (rule, _) in self.web.inward(&[Node::new(NodeKind::Type, kind.name.as_str())], Tie::About)? {
                        note(rule, distance + 1);
                    }
                }
            }
            Asked::Symptom { seen, .. } => {
                let nodes: Vec<Node> = seen.iter().map(Seen::node).collect();
                self.web.inward(&nodes, Tie::Symptom)?.into_iter().for_each(|(rule, _)| note(rule, 0));
            }
            Asked::Fault { faults, cases, .. } => {
                self.web.inward(&nodes(NodeKind::Fault, faults), Tie::Fault)?.into_iter().for_each(|(rule, _)| note(rule, 0));
                self.web.outward(&nodes(NodeKind::Case, cases), Tie::Rule)?.into_iter().for_each(|(_, rule)| note(rule, 0));
            }
            Asked::Case { id } => {
                self.web.outward(&[Node::new(NodeKind::Case, id.as_str())], Tie::Rule)?.into_iter().for_each(|(_, rule)| note(rule, 0));
            }
            Asked::Rule { id } => note(&Node::new(NodeKind::Rule, id.as_str()), 0),
        }
        let mut said = Vec::new();
        for (id, distance) in about {
            let Some(rule) = self.rules.get(&id) else { continue };
            let vertex = Node::new(NodeKind::Rule, id.as_str());
            let types = self.web.outward(std::slice::from_ref(&vertex), Tie::About)?.into_iter();
            let types = types.filter(|(_, to)| to.kind == NodeKind::Type).map(|(_, to)| to.id.clone()).collect();
            let confirmed = self.confirming(&vertex)?;
            let (title, draft, case) = (rule.title.clone(), rule.draft, rule.case.clone());
            said.push((distance, RuleSaid { rule: id, title, draft, named: distance == 0, types, case, confirmed }));
        }
        said.sort_by(|(near, a), (far, b)| {
            near.min(&1)
                .cmp(far.min(&1))
                .then(b.confirmed.len().cmp(&a.confirmed.len()))
                .then(near.cmp(far))
                .then_with(|| a.rule.cmp(&b.rule))
        });
        Ok(said.into_iter().map(|(_, rule)| rule).collect())
    }

    /// What was done in the incidents, and what rules advise that were right; each once.
    fn solutions<'e>(&'e self, incidents: impl Iterator<Item = &'e Earlier>, rules: &'e [RuleSaid]) -> Vec<Helped> {
        let mut order: Vec<&str> = Vec::new();
        let mut by_text: BTreeMap<&str, (BTreeSet<&str>, BTreeSet<&str>)> = BTreeMap::new();
        let mut add = |solution: &'e str, from: Option<&'e str>, confirmed: &'e [String]| {
            let (says, confirming) = by_text.entry(solution).or_insert_with(|| {
                order.push(solution);
                (BTreeSet::new(), BTreeSet::new())
            });
            says.extend(from);
            confirming.extend(confirmed.iter().map(String::as_str));
        };
        for earlier in incidents {
            // A bundle has no solutions of its own: they are those of the case or the rule that was right.
            let from = earlier.case.as_deref().or(earlier.rule.as_deref());
            earlier.solutions.iter().for_each(|solution| add(solution, from, &earlier.confirmed));
        }
        for said in rules.iter().filter(|said| !said.confirmed.is_empty()) {
            let advised = self.rules.get(&said.rule).map(|rule| rule.solutions.as_slice()).unwrap_or_default();
            advised.iter().for_each(|solution| add(solution, Some(&said.rule), &said.confirmed));
        }
        let names = |set: &BTreeSet<&str>| set.iter().map(|name| (*name).to_owned()).collect();
        let helped = |solution: &&str| {
            let (says, confirming) = by_text.get(solution)?;
            Some(Helped { solution: (*solution).to_owned(), from: names(says), confirmed: names(confirming) })
        };
        let mut helped: Vec<Helped> = order.iter().filter_map(helped).collect();
        // Of equals, that of the nearest and latest incident comes first.
        helped.sort_by_key(|one| (Reverse(one.confirmed.len()), Reverse(one.from.len())));
        helped
    }
}

impl Beginning {
    fn start(&mut self, component: &str, mut path: Vec<Step>) {
        if self.starts.iter().all(|(known, _)| known != component) {
            path.push(Step::Component { id: component.to_owned() });
            self.starts.push((component.to_owned(), path));
        }
    }
}

impl Incidents {
    /// Adds an incident that is not in yet, if it was at the right time, and ends its path.
    fn add(&mut self, node: Node, mut earlier: Earlier, walk: &Walk) {
        // A case that is asked about by its name is in, whenever it was.
        let asked = earlier.path.is_empty();
        if !self.seen.insert(node) {
            return;
        }
        match earlier.date {
            _ if asked => {}
            None if walk.since.is_some() => {
                self.undated += 1;
                return;
            }
            Some(date) if walk.since.is_some_and(|since| date < since) || walk.until.is_some_and(|until| date > until) => return,
            Some(_) | None => {}
        }
        match (&earlier.case, &earlier.bundle, earlier.date) {
            (Some(case), _, date) => earlier.path.push(Step::Case { id: case.clone(), date }),
            (None, Some(bundle), Some(date)) => earlier.path.push(Step::Confirmed { bundle: bundle.clone(), date }),
            (None, _, _) => {}
        }
        earlier.path.extend(earlier.solutions.first().map(|text| Step::Solution { text: text.clone() }));
        self.found.push(earlier);
    }
}

fn nodes(kind: NodeKind, ids: &[String]) -> Vec<Node> {
    ids.iter().map(|id| Node::new(kind, id.as_str())).collect()
}

/// From what was asked about to a component that the walk reached.
fn path_to(
    estate: &Snapshot,
    reached: &BTreeMap<ComponentId, Around>,
    starts: &[(String, Vec<Step>)],
    at: Option<ComponentId>,
    component: &str,
) -> Vec<Step> {
    let way = at.map(|at| way(reached, at)).unwrap_or_default();
    let first = way.first().map_or(component, |first| estate.component(*first).id.as_str());
    let mut path = starts.iter().find(|(id, _)| id == first).map(|(_, path)| path.clone()).unwrap_or_default();
    for (from, to) in way.iter().zip(way.iter().skip(1)) {
        // A fault goes over the relation one way or the other.
        let ahead = estate.hop(*from, *to).or_else(|| estate.hop(*to, *from).map(|(kind, starts_there)| (kind, !starts_there)));
        let (relation, ahead) = ahead.map_or_else(|| (String::new(), true), |(kind, ahead)| (kind.to_owned(), ahead));
        path.push(Step::Relation { relation, ahead, id: estate.component(*to).id.clone() });
    }
    path
}

/// A case that only the store has.
fn of_record(record: &CaseRecord) -> Earlier {
    Earlier {
        case: Some(record.id.clone()),
        title: record.title.clone(),
        date: record.date.as_deref().and_then(Time::parse),
        fault: record.root_cause.clone(),
        rule: record.rule.clone(),
        ..nothing()
    }
}

fn nothing() -> Earlier {
    Earlier {
        case: None,
        bundle: None,
        title: String::new(),
        date: None,
        component: None,
        fault: None,
        broke: false,
        hops: 0,
        solutions: Vec::new(),
        rule: None,
        confirmed: Vec::new(),
        path: Vec::new(),
        text: String::new(),
    }
}
