//! A component and its instances: what is said on a pod counts for its service. The component's own series are the truth of the whole;
//! where it has none, those of its instances are.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use estate::{Aggregate, Aggregates, ComponentId, Instance, ROOT_TYPE, Snapshot};
use signal::Series;
use value::{Duration, Time};

use super::Engine;
use super::memo::Period;
use super::values::combine;

/// A series that tells a metric of a component.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    /// Its position in the facts.
    pub at: usize,
    /// 0 for a series of the component itself, 1 for one of its instances, 2 for one of theirs.
    pub level: u8,
    pub series: &'a Series,
}

/// By component and metric: positions of series.
type Index = BTreeMap<(ComponentId, String), Vec<usize>>;

impl<'a> Engine<'a> {
    /// What comes and goes for a component.
    pub(super) fn instances(&self, component: ComponentId) -> Rc<Vec<Instance>> {
        self.memo.instances(component, || self.estate.instances_of(component))
    }

    /// The components, then all their instances, each once: where the signals on these components are.
    pub(super) fn with_instances(&self, places: Vec<ComponentId>) -> Vec<ComponentId> {
        let found: Vec<Rc<Vec<Instance>>> = places.iter().map(|place| self.instances(*place)).filter(|found| !found.is_empty()).collect();
        if found.is_empty() {
            return places;
        }
        let known: BTreeSet<ComponentId> = places.iter().copied().collect();
        let further = found.iter().flat_map(|found| found.iter()).map(|instance| instance.component);
        let further: BTreeSet<ComponentId> = further.filter(|component| !known.contains(component)).collect();
        places.into_iter().chain(further).collect()
    }

    /// The same, each with how many ties it is away from the nearest of these components.
    pub(super) fn by_level(&self, places: &[ComponentId]) -> BTreeMap<ComponentId, u8> {
        let mut found: BTreeMap<ComponentId, u8> = places.iter().map(|place| (*place, 0)).collect();
        for instance in places.iter().map(|place| self.instances(*place)).flat_map(|found| found.to_vec()) {
            let level = found.entry(instance.component).or_insert(instance.level);
            *level = instance.level.min(*level);
        }
        found
    }

    /// The series that tell a metric, in the order of the facts.
    pub(super) fn series_of(&self, component: ComponentId, metric: &str) -> Vec<Told<'a>> {
        self.told(component, metric, Period::Now)
    }

    /// The same of the period known to be healthy.
    pub(super) fn baseline_of(&self, component: ComponentId, metric: &str) -> Vec<Told<'a>> {
        self.told(component, metric, Period::Healthy)
    }

    fn told(&self, component: ComponentId, metric: &str, period: Period) -> Vec<Told<'a>> {
        let facts = self.facts;
        let (index, all) = match period {
            Period::Now => (&facts.series_of, &facts.series),
            Period::Healthy => (&facts.baseline_of, &facts.baseline),
        };
        // Asked again at every instant.
        let places = self.memo.told(component, period, metric, || self.tellers(component, metric, index, all));
        places.iter().filter_map(|&(at, level)| Some(Told { at, level, series: all.get(at)? })).collect()
    }

    fn tellers(&self, component: ComponentId, metric: &str, index: &Index, all: &[Series]) -> Vec<(usize, u8)> {
        let mut told = Vec::new();
        let mut add = |of: ComponentId, level: u8| {
            for &at in index.get(&(of, metric.to_owned())).into_iter().flatten() {
                if let Some(series) = all.get(at) {
                    // A series of a pod that the estate does not have is on its workload, but tells as much as any other pod's.
                    told.push((at, level + u8::from(series.instance.is_some())));
                }
            }
        };
        add(component, 0);
        let dimension = |of: ComponentId| self.metric_def(of, metric).map(|def| def.unit.dimension);
        let own = dimension(component);
        let alike = |of: &&Instance| own.is_some() && dimension(of.component) == own;
        self.instances(component).iter().filter(alike).for_each(|of| add(of.component, of.level));
        told.sort_unstable_by_key(|(at, _)| *at);
        told
    }
}

/// How far away a level is for what is asked of the instances: the component itself comes last.
pub(super) fn own_last(level: u8) -> u8 {
    level.wrapping_sub(1)
}

/// What the nearest series that have any value say at an instant.
pub(super) struct Nearest {
    level: u8,
    /// The position of each series, when it was sampled, and its value.
    pub values: Vec<(usize, Time, f64)>,
}

impl Nearest {
    pub fn of(told: &[Told<'_>], staleness: Duration, at: Time) -> Self {
        Nearest::by(told, staleness, at, |level| level)
    }

    /// What its nearest instances say that have any value; without any, the component itself.
    pub fn of_instances(told: &[Told<'_>], staleness: Duration, at: Time) -> Self {
        Nearest::by(told, staleness, at, own_last)
    }

    fn by(told: &[Told<'_>], staleness: Duration, at: Time, distance: impl Fn(u8) -> u8) -> Self {
        let fresh = |told: &Told<'_>| told.series.at(at, staleness).map(|(time, value)| (told.level, (told.at, time, value)));
        let fresh: Vec<(u8, (usize, Time, f64))> = told.iter().filter_map(fresh).collect();
        let level = fresh.iter().map(|(level, _)| *level).min_by_key(|level| distance(*level)).unwrap_or(0);
        Nearest { level, values: fresh.into_iter().filter(|(of, _)| *of == level).map(|(_, value)| value).collect() }
    }

    /// As one value.
    pub fn combined(&self, aggregate: Aggregates) -> f64 {
        let values: Vec<f64> = self.values.iter().map(|(.., value)| *value).collect();
        combine(aggregate.at(self.level), &values)
    }

    /// Whether that is the value of one of them.
    pub fn picks(&self, aggregate: Aggregates) -> bool {
        match aggregate.at(self.level) {
            Aggregate::Max | Aggregate::Min => true,
            Aggregate::Mean | Aggregate::Sum => false,
        }
    }

    /// The positions of the series that have a value.
    pub fn having(&self, value: f64) -> impl Iterator<Item = usize> {
        self.values.iter().filter(move |(.., of)| of.partial_cmp(&value) == Some(Ordering::Equal)).map(|(at, ..)| *at)
    }
}

/// Whether labels are those of a log source of the component's type, or of one for which it comes and goes.
pub(super) fn is_from(estate: &Snapshot, component: Option<ComponentId>, source: &str, labels: &BTreeMap<String, String>) -> bool {
    let has = |kind: &str| {
        let known = estate.model().log_source(kind, source);
        known.is_some_and(|source| source.labels.iter().all(|(name, value)| labels.get(name) == Some(value)))
    };
    let Some(component) = component else { return has(ROOT_TYPE) };
    let of = |component: ComponentId| has(&estate.component(component).kind);
    of(component) || estate.workloads_of(component).iter().any(|workload| of(workload.component))
}
