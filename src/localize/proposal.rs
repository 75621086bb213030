//! A proposal: a component that may be at fault, whichever layer says so, and what its fault would explain.

use std::collections::{BTreeMap, BTreeSet};

use anomaly::{Ranked, Reason, SETTLING};
use engine::SignalRef;
use estate::{ComponentId, Snapshot};
use knowledge::Similar;
use value::{Duration, MINUTE, Time};

use super::Layer;
use super::diagnosis::Fault;
use super::symptoms::{Kind, Symptom};

/// A cause may be noticed this much later than its effect: scrape intervals, the `for` of alerts, clock skew. Differences of starting
/// times within it are no evidence of order.
pub const TOLERANCE: Duration = 5 * MINUTE;

/// From when to when; `None` while it lasts.
pub type Interval = (Time, Option<Time>);

/// Whether something that began then can be the effect of what showed in these intervals: it began no earlier (within the tolerance),
/// and while that was on, or over for no longer than effects take to settle.
pub fn was_on(lasted: &[Interval], onset: Time, settling: Duration) -> bool {
    lasted.iter().any(|(since, until)| onset >= since.minus(TOLERANCE) && until.is_none_or(|until| onset <= until.plus(settling)))
}

/// What a fault reaches, and how long after its end effects may still begin there.
pub type Reach = BTreeMap<ComponentId, Duration>;

/// Everything that a fault reaches: the components in which it shows, those that a rule says it reaches, and what follows from these. A
/// broken workload shows on its instances, and a broken instance on its workload, but not on those beside it: a workload that only its
/// instances bring into trouble brings the others into none.
pub fn reach(estate: &Snapshot, root: Option<ComponentId>, shown: &BTreeSet<ComponentId>, declared: &BTreeSet<ComponentId>) -> Reach {
    let mut reach = Reach::new();
    let slow: BTreeMap<&str, Duration> =
        estate.model().relations.values().filter_map(|kind| Some((kind.name.as_str(), kind.settling?))).collect();
    let beside = root.map(|root| beside(estate, root)).unwrap_or_default();
    let mut reaches = |component: ComponentId, settled: Duration| {
        let settling = reach.entry(component).or_insert(SETTLING);
        *settling = settled.max(*settling);
    };
    // Instances of one workload share it: once is enough.
    let mut widened: BTreeSet<ComponentId> = BTreeSet::new();
    for &start in shown.union(declared) {
        reaches(start, SETTLING);
        for reached in estate.dependents(start, &[], None) {
            if root != Some(start) && beside.contains(&reached.component) {
                continue;
            }
            // Only a model that declares settling times pays for the paths.
            let hops = || estate.path(start, reached.component).unwrap_or_default();
            let via = |kind: Option<String>| slow.get(kind?.as_str()).copied();
            let settling = if slow.is_empty() { None } else { hops().into_iter().filter_map(|hop| via(hop.via)).max() };
            reaches(reached.component, settling.unwrap_or(SETTLING));
        }
        // Where the model lets no fault travel from an instance to its workload.
        for workload in estate.workloads_of(start).into_iter().filter(|of| widened.insert(of.component)) {
            let own: BTreeSet<ComponentId> = instances(estate, workload.component).collect();
            let further = estate.dependents(workload.component, &[], None).into_iter().map(|reached| reached.component);
            let all = further.chain([workload.component]).filter(|c| !beside.contains(c) && !own.contains(c));
            all.for_each(|component| reaches(component, SETTLING));
        }
    }
    let mut further: Vec<(ComponentId, Duration)> = Vec::new();
    for (&component, &settling) in &reach {
        let own: BTreeSet<ComponentId> = instances(estate, component).collect();
        let by_others = || estate.next_to(component, &[], false).iter().any(|by| reach.contains_key(by) && !own.contains(by));
        let whole = || shown.contains(&component) || own.iter().all(|one| !reach.contains_key(one)) || by_others();
        if !own.is_empty() && whole() {
            further.extend(own.iter().copied().filter(|c| !beside.contains(c)).map(|c| (c, settling)));
        }
    }
    for (component, settled) in further {
        let settling = reach.entry(component).or_insert(SETTLING);
        *settling = settled.max(*settling);
    }
    reach
}

/// The other instances of the workloads of an instance.
fn beside(estate: &Snapshot, instance: ComponentId) -> BTreeSet<ComponentId> {
    let below: BTreeSet<ComponentId> = instances(estate, instance).chain([instance]).collect();
    let above: BTreeSet<ComponentId> = estate.workloads_of(instance).into_iter().map(|of| of.component).collect();
    let all = above.iter().flat_map(|workload| instances(estate, *workload));
    all.filter(|c| !below.contains(c) && !above.contains(c)).collect()
}

fn instances(estate: &Snapshot, workload: ComponentId) -> impl Iterator<Item = ComponentId> {
    estate.instances_of(workload).into_iter().map(|instance| instance.component)
}

/// A component that may be at fault.
#[derive(Debug, Clone)]
pub struct Proposal {
    pub layer: Layer,
    /// `None` if the rule that matched names no component.
    pub component: Option<ComponentId>,
    pub fault: Fault,
    pub onset: Time,
    /// The intervals in which it showed, ascending, the first from its onset; the end of the last is `None` while it lasts.
    pub lasted: Vec<Interval>,
    /// It ended only because the events and log lines of its rules grew too old for them: nothing shows that it is over.
    pub lapsed: bool,
    /// A case blames it although it shows nothing, and scores suspect what does: it stands behind them.
    pub silent: bool,
    /// Probability that this is a root cause, 0 to 1, before it is compared with the other proposals of its incident.
    pub strength: f64,
    /// The same before feedback.
    pub raw: f64,
    /// Components that its evidence shows to be affected, itself first.
    pub affected: BTreeSet<ComponentId>,
    /// Everything that a fault here reaches, itself included.
    pub reach: Reach,
    /// The signals that it is based on.
    pub evidence: BTreeSet<SignalRef>,
    pub basis: Basis,
}

/// What a proposal rests on.
#[derive(Debug, Clone)]
pub enum Basis {
    /// Positions of its findings, the strongest first.
    Rules(Vec<usize>),
    Case(Similar),
    Scores(Box<Ranked>),
}

impl Proposal {
    pub fn findings(&self) -> &[usize] {
        match &self.basis {
            Basis::Rules(findings) => findings,
            Basis::Case(_) | Basis::Scores(_) => &[],
        }
    }

    /// Whether scores find that a change at that time fits it.
    pub fn fits_change(&self, time: Time) -> bool {
        let fits = |reason: &Reason| matches!(reason, Reason::Changed { shared, at, .. } if *at == time && !shared.is_empty());
        self.scores().is_some_and(|ranked| ranked.reasons.because.iter().any(fits))
    }

    pub fn case(&self) -> Option<usize> {
        match &self.basis {
            Basis::Case(similar) => Some(similar.case),
            Basis::Rules(_) | Basis::Scores(_) => None,
        }
    }

    /// When it was over; `None` while it lasts.
    pub fn until(&self) -> Option<Time> {
        self.lasted.last().and_then(|(_, until)| *until)
    }

    /// Whether it stands below what lasts. Metrics that are back to usual do not: how strong they still are is part of their scores.
    pub fn is_past(&self) -> bool {
        let faded = self.scores().is_some_and(|ranked| ranked.deviates);
        self.until().is_some() && !faded
    }

    /// Whether it stands below what lasts, the newest of which began then: what is known to be over does, and what only lapsed stands below
    /// what began later.
    pub fn stands_back(&self, newest: Option<Time>) -> bool {
        let before = |until: Time| newest.is_some_and(|newest| newest > until.plus(SETTLING));
        self.is_past() && (!self.lapsed || self.until().is_some_and(before))
    }

    /// What scores say of it, if they propose it.
    pub fn scores(&self) -> Option<&Ranked> {
        match &self.basis {
            Basis::Scores(ranked) => Some(ranked),
            Basis::Rules(_) | Basis::Case(_) => None,
        }
    }

    /// A muted alert needs no explanation, so nothing explains it.
    pub fn explains(&self, symptom: &Symptom) -> bool {
        if symptom.muted.is_some() {
            return false;
        }
        if symptom.signals.iter().any(|signal| self.evidence.contains(signal)) {
            return true;
        }
        let Some(component) = symptom.component else { return false };
        let reached = match (&self.basis, &symptom.callers) {
            // Its own signals are its evidence, whenever they began.
            (Basis::Scores(ranked), _) if ranked.members.contains(&component) => return true,
            // What was on at the same component at the same time is the same trouble.
            (Basis::Rules(_) | Basis::Case(_), _) if self.component == Some(component) && self.overlaps(symptom) => return true,
            (Basis::Scores(ranked), _) if ranked.explains.contains(&component) => true,
            // A caller that fails no longer calls.
            (_, Some(callers)) => self.component == Some(component) || callers.iter().any(|caller| self.reach.contains_key(caller)),
            (Basis::Rules(_) | Basis::Case(_), None) => self.reach.contains_key(&component),
            (Basis::Scores(_), None) => false,
        };
        reached && was_on(&self.lasted, symptom.onset, self.settling(component))
    }

    fn overlaps(&self, symptom: &Symptom) -> bool {
        let end = if symptom.kind == Kind::Alert { symptom.end } else { Some(symptom.onset) };
        self.lasted
            .iter()
            .any(|(since, until)| until.is_none_or(|until| symptom.onset <= until) && end.is_none_or(|end| end >= since.minus(TOLERANCE)))
    }

    /// Whether the fault of `other` is something that this one brings about.
    pub fn causes(&self, other: &Proposal) -> bool {
        let Some(component) = other.component.filter(|component| self.reach.contains_key(component)) else { return false };
        other.component != self.component && was_on(&self.lasted, other.onset, self.settling(component))
    }

    /// Whether at most one of them is right: two faults of one component, or two that read the same signals otherwise, each as the effect
    /// of the other.
    pub fn contradicts(&self, other: &Proposal) -> bool {
        let same_place = self.component.is_some() && self.component == other.component;
        let same_signals = || !self.evidence.is_empty() && self.evidence == other.evidence && self.causes(other) && other.causes(self);
        if same_place { self.fault.key() != other.fault.key() } else { same_signals() }
    }

    /// How long after its end effects may still begin on a component.
    fn settling(&self, component: ComponentId) -> Duration {
        self.reach.get(&component).copied().unwrap_or(SETTLING)
    }
}

/// The same fault spelled otherwise: case, blanks and full stops do not make two faults.
pub fn fault_key(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase().trim_end_matches(['.', '。']).to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use diag::Sources;
    use estate::{ComponentId, Snapshot};

    use super::reach;

    const TOPOLOGY: &str = r"
components:
  - {id: n1, type: node}
  - {id: n2, type: node}
  - {id: q, type: queue}
  - {id: q-0, type: pod}
  - {id: q-1, type: pod}
  - {id: app, type: service}
  - {id: app-0, type: pod}
  - {id: app-1, type: pod}
  - {id: db, type: database}
  - {id: db-0, type: pod}
  - {id: db-1, type: pod}
  - {id: web, type: service}
  - {id: web-0, type: pod}
  - {id: web-1, type: pod}
  - {id: auth, type: service}
relations:
  - {from: q, kind: runs_on, to: [q-0, q-1]}
  - {from: q-0, kind: runs_on, to: n1}
  - {from: app, kind: depends_on, to: q}
  - {from: app, kind: runs_on, to: [app-0, app-1]}
  - {from: db, kind: contains, to: [db-0, db-1]}
  - {from: db-0, kind: runs_on, to: n1}
  - {from: web, kind: runs_on, to: [web-0, web-1]}
  - {from: web, kind: depends_on, to: auth}
  - {from: [web-0, auth], kind: runs_on, to: n2}
";

    fn all(estate: &Snapshot, ids: &str) -> BTreeSet<ComponentId> {
        ids.split_whitespace().map(|id| estate.find(id).unwrap()).collect()
    }

    /// What a fault at the first component reaches; it shows in all of these, and a rule says that it reaches the declared ones.
    #[test]
    fn instances_beside_one_that_is_hit() {
        let mut sources = Sources::default();
        let topology = sources.add("topology.yaml", TOPOLOGY);
        let (estate, said) = estate::build(&sources, &[], &[topology]);
        assert!(!said.iter().any(diag::Diagnostic::is_error), "{said:?}");
        for (shown, declared, expected) in [
            ("q-0", "", "q-0 q app app-0 app-1"),
            ("q", "", "q-0 q-1 q app app-0 app-1"),
            // The machine of one: what stands on the queue is in trouble as a whole, the other pod of the queue is not.
            ("n1", "", "n1 q-0 q app app-0 app-1 db-0"),
            ("n1", "q-0 q app", "n1 q-0 q app app-0 app-1 db-0"),
            ("n1", "db-0", "n1 q-0 q app app-0 app-1 db-0 db"),
            // The queue shows it as a whole.
            ("n1 q", "", "n1 q-0 q-1 q app app-0 app-1 db-0"),
            // A rule says it of a workload of which nothing else is hit.
            ("n1", "web", "n1 q-0 q app app-0 app-1 db-0 web web-0 web-1"),
            // It is hit by what it needs, too.
            ("n2", "", "n2 web-0 auth web web-1"),
        ] {
            let root = shown.split(' ').next().and_then(|id| estate.find(id));
            let found = reach(&estate, root, &all(&estate, shown), &all(&estate, declared));
            let found: BTreeSet<ComponentId> = found.into_keys().collect();
            assert_eq!(found, all(&estate, expected), "{shown}, {declared}");
        }
    }
}
