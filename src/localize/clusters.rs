//! Groups the signals that no suspect explains: a hundred alerts become a few groups, each with a name and a reason.
//!
//! First by text: signals of one kind with similar texts (`cluster_texts`), on components of one type or near each other, close in
//! time. The remaining single signals are grouped by place: on one component or near it, at about the same time. What is left goes
//! into one last group. Text and place are tried in this order instead of combined into one distance, because in an alert storm
//! everything is near something, and all signals would end up in one group.
//!
//! Texts and types partition the signals, so no two signals are compared. For n signals the cost is n log n, plus the square of the
//! number of different texts (bounded), plus one short traversal per component.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use engine::SignalRef;
use estate::{ComponentId, Snapshot};
use signal::Facts;
use value::{Duration, MINUTE, Time};

use super::Observations;
use super::cluster_texts::Texts;
use super::cluster_views::view;
use super::connected::{find, union};
use super::diagnosis::{ClusterView, JoinedBy};
use super::symptoms::{Kind, Symptom};

/// Signals with one cause start within this time, even if one alert waits for its `for` and its notification waits for the group:
/// most `for` are 5m, and so is the default `group_interval` of Alertmanager; this is the sum.
pub(super) const SHORT_PAUSE: Duration = 10 * MINUTE;
/// Signals further apart than this are two events, however regular they are.
pub(super) const LONG_PAUSE: Duration = 30 * MINUTE;
/// A gap counts as a pause if it is longer than this many median gaps. For random (exponential) gaps, one in sixteen exceeds four
/// medians.
const USUAL_GAPS: i64 = 4;

/// Maximum number of dependencies considered per component. A component with more is a hub, and being near a hub means nothing.
const MAX_NEAR: usize = 200;

/// More groups than this are not a summary: the smallest are merged into the last group.
const MAX_GROUPS: usize = 12;

/// An unexplained signal.
#[derive(Debug, Clone, Copy)]
pub struct Loose<'a> {
    pub kind: Kind,
    pub component: Option<ComponentId>,
    /// The name of its alert or metric.
    pub name: Option<&'a str>,
    /// The text, including the name.
    pub text: &'a str,
    pub onset: Time,
    /// How many signals it has.
    pub signals: usize,
}

/// Groups the unexplained symptoms. Members are positions in `open`; each is in exactly one group.
pub fn groups(observations: &Observations<'_, '_>, open: &[usize]) -> Vec<ClusterView> {
    let engine = observations.question.engine;
    let loose: Vec<Loose<'_>> = open.iter().filter_map(|i| observations.symptoms.get(*i)).map(|s| loose(s, engine.facts)).collect();
    cluster(engine.estate, &loose)
}

fn loose<'a>(symptom: &'a Symptom, facts: &'a Facts) -> Loose<'a> {
    let name = match symptom.signals.first() {
        Some(SignalRef::Alert(at)) => facts.alerts.get(*at).map(|alert| alert.name.as_str()),
        Some(SignalRef::Series(at)) => facts.series.get(*at).map(|series| series.metric.as_str()),
        Some(SignalRef::Log(_) | SignalRef::Change(_) | SignalRef::Probe(_) | SignalRef::Report(_)) | None => None,
    };
    let text = match symptom.kind {
        // The rest of the text is the same for all metrics.
        Kind::Metric => name.unwrap_or(&symptom.text),
        Kind::Alert | Kind::Report | Kind::Probe | Kind::Log => &symptom.text,
    };
    Loose { kind: symptom.kind, component: symptom.component, name, text, onset: symptom.onset, signals: symptom.signals.len() }
}

/// The groups, the largest first, then the earliest; the ungrouped signals come last. Except for the positions, the result does not
/// depend on the order of the signals.
pub fn cluster(estate: &Snapshot, loose: &[Loose<'_>]) -> Vec<ClusterView> {
    let texts = Texts::of(estate, loose);
    let near = Near::of(estate, loose);
    let order = order(loose);
    let mut families: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &at in &order {
        families.entry(texts.family(at)).or_default().push(at);
    }
    let mut groups: Vec<(JoinedBy, Vec<usize>)> = Vec::new();
    let mut alone: BTreeSet<usize> = BTreeSet::new();
    for members in families.values() {
        for part in near.parts(loose, members, true) {
            sort(JoinedBy::Text, bursts(loose, part), &mut groups, &mut alone);
        }
    }
    let placed: Vec<usize> = order.iter().copied().filter(|at| alone.contains(at) && component(loose, *at).is_some()).collect();
    alone.retain(|at| component(loose, *at).is_none());
    for part in near.parts(loose, &placed, false) {
        sort(JoinedBy::Place, bursts(loose, part), &mut groups, &mut alone);
    }
    groups.sort_by_key(|(_, members)| (Reverse(members.len()), members.first().and_then(|at| loose.get(*at)).map(|one| one.onset)));
    let most = if alone.is_empty() && groups.len() <= MAX_GROUPS { MAX_GROUPS } else { MAX_GROUPS - 1 };
    let small = groups.split_off(most.min(groups.len()));
    alone.extend(small.into_iter().flat_map(|(_, members)| members));
    if !alone.is_empty() {
        groups.push((JoinedBy::Nothing, order.into_iter().filter(|at| alone.contains(at)).collect()));
    }
    groups.into_iter().map(|(by, members)| view(estate, loose, &texts, by, &members)).collect()
}

/// Sorts bursts into groups and single signals.
fn sort(by: JoinedBy, bursts: Vec<Vec<usize>>, groups: &mut Vec<(JoinedBy, Vec<usize>)>, alone: &mut BTreeSet<usize>) {
    for burst in bursts {
        if burst.len() > 1 {
            groups.push((by, burst));
        } else {
            alone.extend(burst);
        }
    }
}

/// Sorts by time, then by all other fields, so that the order of the input has no effect.
fn order(loose: &[Loose<'_>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..loose.len()).collect();
    order.sort_by_key(|at| loose.get(*at).map(|one| (one.onset, one.kind, one.component, one.text, one.name)));
    order
}

fn component(loose: &[Loose<'_>], at: usize) -> Option<ComponentId> {
    loose.get(at).and_then(|one| one.component)
}

/// Members in the order of time, cut at each pause.
fn bursts(loose: &[Loose<'_>], members: Vec<usize>) -> Vec<Vec<usize>> {
    let onset = |at: usize| loose.get(at).map_or(Time::MIN, |one| one.onset);
    let mut gaps: Vec<Duration> = members.iter().zip(members.iter().skip(1)).map(|(a, b)| onset(*b).since(onset(*a))).collect();
    gaps.sort_unstable();
    // One or two gaps are too few for a usual gap.
    let usual = if gaps.len() < 3 { 0 } else { gaps.get(gaps.len() / 2).copied().unwrap_or(0) };
    let pause = usual.saturating_mul(USUAL_GAPS).clamp(SHORT_PAUSE, LONG_PAUSE);
    let mut bursts: Vec<Vec<usize>> = Vec::new();
    for at in members {
        match bursts.last_mut() {
            Some(burst) if burst.last().is_some_and(|last| onset(at).since(onset(*last)) <= pause) => burst.push(at),
            Some(_) | None => bursts.push(vec![at]),
        }
    }
    bursts
}

/// The dependencies of each component, up to two hops.
struct Near<'e> {
    estate: &'e Snapshot,
    below: BTreeMap<ComponentId, Below>,
}

struct Below {
    direct: Vec<ComponentId>,
    second: Vec<ComponentId>,
}

impl<'e> Near<'e> {
    fn of(estate: &'e Snapshot, loose: &[Loose<'_>]) -> Self {
        let components: BTreeSet<ComponentId> = loose.iter().filter_map(|one| one.component).collect();
        let below = components.into_iter().map(|component| {
            let mut direct = estate.directly_below(component);
            direct.truncate(MAX_NEAR);
            let mut second: Vec<ComponentId> = Vec::new();
            for under in &direct {
                if second.len() >= MAX_NEAR {
                    break;
                }
                second.extend(estate.next_to(*under, &[], false));
            }
            second.truncate(MAX_NEAR);
            (component, Below { direct, second })
        });
        Near { estate, below: below.collect() }
    }

    /// Splits members by what connects their components: the same component, a dependency within two hops, or a shared direct
    /// dependency; with `same_type` also the same type. Members without a component are a part of their own. If all others form one
    /// part, they join it, because their place is unknown, not different.
    fn parts(&self, loose: &[Loose<'_>], members: &[usize], same_type: bool) -> Vec<Vec<usize>> {
        let on: BTreeSet<ComponentId> = members.iter().filter_map(|at| component(loose, *at)).collect();
        let mut parent: BTreeMap<ComponentId, ComponentId> = BTreeMap::new();
        let mut first_on: BTreeMap<ComponentId, ComponentId> = BTreeMap::new();
        let mut first_typed: BTreeMap<&str, ComponentId> = BTreeMap::new();
        for &component in &on {
            if same_type {
                let first = *first_typed.entry(self.estate.component(component).kind.as_str()).or_insert(component);
                union(&mut parent, first, component);
            }
            let Some(below) = self.below.get(&component) else { continue };
            for under in &below.direct {
                let first = *first_on.entry(*under).or_insert(component);
                union(&mut parent, first, component);
            }
            for under in below.direct.iter().chain(&below.second).filter(|under| on.contains(*under)) {
                union(&mut parent, *under, component);
            }
        }
        let mut parts: BTreeMap<Option<ComponentId>, Vec<usize>> = BTreeMap::new();
        for &at in members {
            let part = component(loose, at).map(|component| find(&mut parent, component));
            parts.entry(part).or_default().push(at);
        }
        if parts.len() == 2 && parts.contains_key(&None) {
            return vec![members.to_vec()];
        }
        parts.into_values().collect()
    }
}
