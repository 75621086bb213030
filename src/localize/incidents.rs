//! What belongs together: suspects that could explain common symptoms, and symptoms that the topology connects.

use std::collections::{BTreeMap, BTreeSet};

use crate::estate::{ComponentId, Snapshot};

use super::Scene;
use super::diagnosis::Layer;
use super::expert::{self, Chosen};
use super::lower::{self, LowerSuspect};

/// Two unexplained symptoms with a common dependency this near are taken for one incident: their common cause may be silent.
const COMMON_WITHIN_HOPS: u32 = 2;

/// An incident before it is put into words.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// Suspects of rules, roots first.
    pub expert: Vec<Chosen>,
    /// Suspects of the other layers, in rank order.
    pub lower: Vec<LowerSuspect>,
    /// Symptoms that belong to it, explained or not.
    pub symptoms: BTreeSet<usize>,
    pub similar: Vec<crate::knowledge::Similar>,
}

impl Draft {
    pub fn layer(&self) -> Option<Layer> {
        if self.expert.is_empty() { self.lower.first().map(|s| s.layer) } else { Some(Layer::Expert) }
    }

    /// Symptoms that one of its suspects explains.
    pub fn explained(&self) -> BTreeSet<usize> {
        self.expert.iter().flat_map(|c| &c.explains).chain(self.lower.iter().flat_map(|s| &s.explains)).copied().collect()
    }
}

/// Forms incidents, the most important first.
pub fn form(scene: &Scene<'_, '_>) -> Vec<Draft> {
    let chosen = expert::choose(&scene.candidates, &scene.symptoms);
    let mut drafts = expert_drafts(scene, chosen);
    let taken: BTreeSet<usize> = drafts.iter().flat_map(|d| d.symptoms.iter().copied()).collect();
    let loose: Vec<usize> = (0..scene.symptoms.len())
        .filter(|i| !taken.contains(i) && scene.symptoms.get(*i).is_some_and(super::symptoms::Symptom::calls_for_help))
        .collect();
    for cluster in clusters(scene, &loose) {
        // What lies upstream of an incident that rules explain, or was touched by it, belongs to it; it may be its deeper cause.
        match drafts.iter_mut().find(|d| touches(scene, d, &cluster)) {
            Some(draft) => draft.symptoms.extend(cluster),
            None => drafts.push(Draft { symptoms: cluster.into_iter().collect(), ..Draft::default() }),
        }
    }
    if drafts.is_empty() {
        drafts.extend(lower::from_deviations_alone(scene));
    }
    let mut taken: BTreeSet<usize> = drafts.iter().flat_map(Draft::explained).collect();
    for draft in &mut drafts {
        lower::complete(scene, draft, &mut taken);
    }
    // Beside an incident that rules explain, a lone alert on a component about which nothing else is odd is no incident and
    // no suspect: it stays listed as unexplained.
    if drafts.iter().any(|d| !d.expert.is_empty()) {
        for draft in &mut drafts {
            draft.lower.retain(|s| s.corroborated);
        }
    }
    drafts.retain(|d| !d.expert.is_empty() || !d.lower.is_empty());
    let weight = |d: &Draft| d.symptoms.iter().filter_map(|i| scene.symptoms.get(*i)).map(|s| s.weight).sum::<f64>();
    drafts.sort_by(|a, b| {
        let since = |d: &Draft| d.symptoms.iter().filter_map(|i| scene.symptoms.get(*i)).map(|s| s.onset).min();
        a.layer().cmp(&b.layer()).then(weight(b).total_cmp(&weight(a))).then_with(|| since(a).cmp(&since(b)))
    });
    drafts
}

/// Symptoms that no suspect of any incident explains.
pub fn unexplained(scene: &Scene<'_, '_>, drafts: &[Draft]) -> Vec<usize> {
    let explained: BTreeSet<usize> = drafts.iter().flat_map(Draft::explained).collect();
    (0..scene.symptoms.len()).filter(|i| !explained.contains(i)).collect()
}

/// Roots that could explain a common symptom share an incident; consequences follow their root.
fn expert_drafts(scene: &Scene<'_, '_>, chosen: Vec<Chosen>) -> Vec<Draft> {
    let could: BTreeMap<usize, BTreeSet<usize>> = chosen
        .iter()
        .filter(|c| c.consequence_of.is_none())
        .filter_map(|c| {
            let candidate = scene.candidates.get(c.candidate)?;
            let symptoms = scene.symptoms.iter().enumerate().filter(|(_, s)| s.calls_for_help() && expert::explained_by(candidate, s));
            Some((c.candidate, symptoms.map(|(i, _)| i).collect()))
        })
        .collect();
    let mut group_of: BTreeMap<usize, usize> = BTreeMap::new();
    let mut drafts: Vec<Draft> = Vec::new();
    for one in chosen {
        let root = one.consequence_of.unwrap_or(one.candidate);
        let own = could.get(&root).cloned().unwrap_or_default();
        let existing = group_of.get(&root).copied().or_else(|| {
            group_of.iter().find(|(other, _)| could.get(other).is_some_and(|theirs| !theirs.is_disjoint(&own))).map(|(_, group)| *group)
        });
        let group = existing.unwrap_or_else(|| {
            drafts.push(Draft::default());
            drafts.len() - 1
        });
        group_of.insert(root, group);
        if let Some(draft) = drafts.get_mut(group) {
            draft.symptoms.extend(one.explains.iter().copied());
            draft.expert.push(one);
        }
    }
    for draft in &mut drafts {
        draft.expert.sort_by_key(|c| c.consequence_of.is_some());
    }
    drafts
}

/// Whether a fault of a cluster's component reaches a suspect of the incident, or the other way round.
fn touches(scene: &Scene<'_, '_>, draft: &Draft, cluster: &[usize]) -> bool {
    let estate = scene.question.engine.estate;
    let roots: BTreeSet<ComponentId> =
        draft.expert.iter().filter_map(|c| scene.candidates.get(c.candidate)).filter_map(|c| c.component).collect();
    let reach: BTreeSet<ComponentId> =
        draft.expert.iter().filter_map(|c| scene.candidates.get(c.candidate)).flat_map(|c| c.reach.iter().copied()).collect();
    cluster
        .iter()
        .filter_map(|i| scene.symptoms.get(*i)?.component)
        .any(|component| reach.contains(&component) || estate.dependents(component, &[], None).iter().any(|r| roots.contains(&r.component)))
}

/// Connected symptoms, by union-find over their components.
fn clusters(scene: &Scene<'_, '_>, loose: &[usize]) -> Vec<Vec<usize>> {
    let estate = scene.question.engine.estate;
    let components: Vec<ComponentId> =
        loose.iter().filter_map(|i| scene.symptoms.get(*i)?.component).collect::<BTreeSet<_>>().into_iter().collect();
    let mut parent: BTreeMap<ComponentId, ComponentId> = components.iter().map(|c| (*c, *c)).collect();
    let near: Vec<BTreeSet<ComponentId>> = components.iter().map(|c| neighbourhood(estate, *c)).collect();
    for (i, a) in components.iter().enumerate() {
        for (j, b) in components.iter().enumerate().skip(i + 1) {
            let joined = near.get(i).is_some_and(|n| n.contains(b))
                || near.get(j).is_some_and(|n| n.contains(a))
                || near.get(i).zip(near.get(j)).is_some_and(|(x, y)| !x.is_disjoint(y) && common(estate, *a, *b));
            if joined {
                let (a, b) = (find(&parent, *a), find(&parent, *b));
                parent.insert(a.max(b), a.min(b));
            }
        }
    }
    let mut groups: BTreeMap<Option<ComponentId>, Vec<usize>> = BTreeMap::new();
    for &index in loose {
        let component = scene.symptoms.get(index).and_then(|s| s.component);
        groups.entry(component.map(|c| find(&parent, c))).or_default().push(index);
    }
    groups.into_values().collect()
}

/// Everything that may have brought a fault to a component, itself included.
fn neighbourhood(estate: &Snapshot, component: ComponentId) -> BTreeSet<ComponentId> {
    estate.dependencies(component, &[], None).into_iter().map(|r| r.component).chain([component]).collect()
}

fn common(estate: &Snapshot, a: ComponentId, b: ComponentId) -> bool {
    let near = |c: ComponentId| -> BTreeSet<ComponentId> {
        estate.dependencies(c, &[], Some(COMMON_WITHIN_HOPS)).into_iter().map(|r| r.component).collect()
    };
    !near(a).is_disjoint(&near(b))
}

fn find(parent: &BTreeMap<ComponentId, ComponentId>, start: ComponentId) -> ComponentId {
    let mut at = start;
    while let Some(next) = parent.get(&at).copied().filter(|next| *next != at) {
        at = next;
    }
    at
}
